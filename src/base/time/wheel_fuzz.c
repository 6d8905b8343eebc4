/* The wheel against an array that is searched for the earliest deadline, the older start first. */
#include "base/time/wheel.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { N = 24 };

struct model {
  uint64_t deadline_ns, start; /* start: the number of the call that started it */
  bool pending;
};

static struct ocf_timer timers[N];
static struct model models[N];

/* The one that must fire first; N when none is pending. */
static size_t earliest(void)
{
  size_t best = N;
  for (size_t i = 0; i < N; i++) {
    const struct model *m = &models[i], *b = &models[best % N];
    if (!m->pending)
      continue;
    if (best == N || m->deadline_ns < b->deadline_ns ||
        (m->deadline_ns == b->deadline_ns && m->start < b->start))
      best = i;
  }
  return best;
}

static void check_wheel(const struct ocf_wheel *w)
{
  size_t first = earliest();
  uint64_t next = ocf_wheel_next(w);
  if (first == N)
    OCF_ASSERT(next == OCF_TIME_NEVER);
  else
    OCF_ASSERT(next <= models[first].deadline_ns);
  for (size_t i = 0; i < N; i++)
    OCF_ASSERT(ocf_timer_pending(&timers[i]) == models[i].pending);
  for (size_t l = 0; l < OCF_WHEEL_LEVELS; l++) {
    for (size_t s = 0; s < OCF_WHEEL_SLOTS; s++)
      OCF_ASSERT(ocf_list_empty(&w->slots[l][s]) == ((w->bits[l] >> s & 1) == 0));
  }
}

static void pop_one(struct ocf_wheel *w, uint64_t now)
{
  size_t first = earliest();
  struct ocf_timer *t = ocf_wheel_pop(w, now);
  if (first == N || models[first].deadline_ns > now) {
    OCF_ASSERT(t == NULL);
    OCF_ASSERT(ocf_wheel_next(w) > now); /* so a loop that sleeps until then makes progress */
    return;
  }
  OCF_ASSERT(t == &timers[first]);
  models[first].pending = false;
}

/* A span of any magnitude: up to 2^59 ns, with the low bits of `v`. */
static uint64_t span(struct ocf_ops *o)
{
  unsigned bits = ocf_ops_u8(o) % 60u;
  return ocf_ops_u64(o) & ((UINT64_C(1) << bits) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_ops o = { d, n };
  struct ocf_wheel w;
  uint64_t now = span(&o), n_starts = 0;
  for (size_t i = 0; i < N; i++) {
    timers[i] = (struct ocf_timer){ .kind = (int)i };
    models[i] = (struct model){ .pending = false };
  }
  ocf_wheel_init(&w, now);
  while (ocf_ops_more(&o)) {
    uint8_t op = ocf_ops_u8(&o);
    size_t i = op / 8 % N;
    switch (op % 8) {
    case 0:
    case 1:
    case 2: {
      uint64_t s = span(&o);
      uint64_t at = op % 8 == 0 && s < now ? now - s : ocf_time_add(now, s);
      models[i] = (struct model){ .deadline_ns = at, .start = ++n_starts, .pending = true };
      ocf_wheel_start(&w, &timers[i], at);
      break;
    }
    case 3:
      ocf_wheel_stop(&w, &timers[i]);
      models[i].pending = false;
      break;
    case 4: now = ocf_time_add(now, span(&o)); break;
    case 5: now = OCF_MAX(now, ocf_time_min(ocf_wheel_next(&w), OCF_TIME_NEVER - 1)); break;
    default: pop_one(&w, OCF_MIN(now, OCF_TIME_NEVER - 1)); break;
    }
    check_wheel(&w);
  }
  return 0;
}
