#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/core/endian.h"

enum { TRACE_END = 256 };

static bool earlier(const struct ocf_heap_node *a, const struct ocf_heap_node *b)
{
  const struct ocf_sim_event *x = OCF_CONTAINER_OF_CONST(a, struct ocf_sim_event, node);
  const struct ocf_sim_event *y = OCF_CONTAINER_OF_CONST(b, struct ocf_sim_event, node);
  return x->at_ns != y->at_ns ? x->at_ns < y->at_ns : x->seq < y->seq;
}

void ocf_sim_init(struct ocf_sim *w, uint64_t seed)
{
  *w = (struct ocf_sim){ .seed = seed, .now_ns = OCF_SIM_START_NS };
  ocf_heap_init(&w->events, earlier);
  ocf_alloc_init(&w->alloc);
  ocf_sim_rng(w, 0, &w->rng);
  ocf_sha256_init(&w->trace);
}

void ocf_sim_fini(struct ocf_sim *w)
{
  if (w->events.n != 0)
    ocf_sim_fail(w, "%zu events are left at the end of the world", w->events.n);
  if (w->alloc.live_blocks != 0)
    ocf_sim_fail(w, "the simulator leaks %zu bytes in %zu blocks", w->alloc.live_bytes,
                 w->alloc.live_blocks);
}

void ocf_sim_rng(const struct ocf_sim *w, uint64_t purpose, struct ocf_rng *out)
{
  uint8_t text[16], digest[OCF_SHA256_LEN];
  ocf_put_le64(text, w->seed);
  ocf_put_le64(text + 8, purpose);
  ocf_sha256(text, sizeof(text), digest);
  ocf_rng_seed(out, ocf_get_le64(digest));
}

void ocf_sim_cancel(struct ocf_sim *w, struct ocf_sim_event *e)
{
  if (!e->pending)
    return;
  ocf_heap_remove(&w->events, &e->node);
  e->pending = false;
}

void ocf_sim_at(struct ocf_sim *w, struct ocf_sim_event *e, uint64_t at_ns)
{
  OCF_ASSERT(e->fn != NULL);
  ocf_sim_cancel(w, e);
  e->at_ns = OCF_MAX(at_ns, w->now_ns);
  e->seq = ++w->seq;
  e->pending = true;
  ocf_heap_push(&w->events, &e->node);
}

void ocf_sim_after(struct ocf_sim *w, struct ocf_sim_event *e, uint64_t delay_ns)
{
  ocf_sim_at(w, e, ocf_time_add(w->now_ns, delay_ns));
}

bool ocf_sim_step(struct ocf_sim *w)
{
  struct ocf_heap_node *n = w->failed ? NULL : ocf_heap_pop(&w->events);
  if (n == NULL)
    return false;
  struct ocf_sim_event *e = OCF_CONTAINER_OF(n, struct ocf_sim_event, node);
  OCF_ASSERT(e->at_ns >= w->now_ns);
  w->now_ns = e->at_ns;
  w->n_events++;
  e->pending = false;
  e->fn(w, e);
  if (w->check != NULL)
    w->check(w, w->check_ctx);
  return !w->failed;
}

static uint64_t next_at(const struct ocf_sim *w)
{
  const struct ocf_heap_node *n = ocf_heap_peek(&w->events);
  return n == NULL ? OCF_TIME_NEVER : OCF_CONTAINER_OF_CONST(n, struct ocf_sim_event, node)->at_ns;
}

bool ocf_sim_run_until(struct ocf_sim *w, bool (*done)(void *ctx), void *ctx, uint64_t for_ns)
{
  uint64_t end = ocf_time_add(w->now_ns, for_ns);
  while (!w->failed) {
    if (done != NULL && done(ctx))
      return true;
    if (next_at(w) > end) {
      w->now_ns = end;
      return false;
    }
    (void)ocf_sim_step(w); /* a failure ends the loop */
  }
  return false;
}

bool ocf_sim_run(struct ocf_sim *w, uint64_t for_ns)
{
  (void)ocf_sim_run_until(w, NULL, NULL, for_ns);
  return !w->failed;
}

void ocf_sim_fail(struct ocf_sim *w, const char *fmt, ...)
{
  va_list ap;
  if (w->failed)
    return;
  w->failed = true;
  int n =
      snprintf(w->why, sizeof(w->why), "at %.6f s: ", (double)(w->now_ns - OCF_SIM_START_NS) / 1e9);
  va_start(ap, fmt);
  if (n > 0)
    (void)vsnprintf(w->why + n, sizeof(w->why) - (size_t)n, fmt, ap);
  va_end(ap);
}

void ocf_sim_trace(struct ocf_sim *w, enum ocf_sim_trace_kind kind, uint64_t a, uint64_t b,
                   const void *p, size_t n)
{
  uint8_t rec[40];
  ocf_put_le64(rec, w->now_ns);
  ocf_put_le64(rec + 8, (uint64_t)kind);
  ocf_put_le64(rec + 16, a);
  ocf_put_le64(rec + 24, b);
  ocf_put_le64(rec + 32, n);
  ocf_sha256_add(&w->trace, rec, sizeof(rec));
  if (n > 2 * TRACE_END) {
    ocf_sha256_add(&w->trace, p, TRACE_END);
    ocf_sha256_add(&w->trace, (const uint8_t *)p + n - TRACE_END, TRACE_END);
  } else if (n > 0) {
    ocf_sha256_add(&w->trace, p, n);
  }
  w->n_trace++;
}

void ocf_sim_hash(const struct ocf_sim *w, uint8_t out[OCF_SHA256_LEN])
{
  struct ocf_sha256 fork = w->trace;
  ocf_sha256_final(&fork, out);
}

bool ocf_sim_chance(struct ocf_sim *w, uint64_t n, uint64_t of)
{
  return n > 0 && ocf_rng_below(&w->rng, of) < n;
}

uint64_t ocf_sim_between(struct ocf_sim *w, uint64_t lo, uint64_t hi)
{
  OCF_ASSERT(lo <= hi);
  return lo + (hi > lo ? ocf_rng_below(&w->rng, hi - lo + 1) : 0);
}
