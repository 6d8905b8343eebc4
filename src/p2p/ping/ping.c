#include "p2p/ping/ping.h"

#include <string.h>

void ocf_ping_stats_add(struct ocf_ping_stats *st, uint64_t rtt_ns)
{
  st->last_ns = rtt_ns;
  st->min_ns = st->n_ok == 0 ? rtt_ns : OCF_MIN(st->min_ns, rtt_ns);
  st->max_ns = OCF_MAX(st->max_ns, rtt_ns);
  st->ewma_ns = st->n_ok == 0 ? rtt_ns : st->ewma_ns - st->ewma_ns / 8 + rtt_ns / 8;
  st->n_ok++;
}

void ocf_ping_stats_lost(struct ocf_ping_stats *st)
{
  st->n_lost++;
}

/* ---- initiator --------------------------------------------------------------------------------
 */

static void check(const struct ocf_ping *p)
{
  OCF_ASSERT(p->n_got <= p->n_sent && p->n_sent <= OCF_PING_LEN);
  OCF_ASSERT(p->state == OCF_PING_WAIT || p->n_sent == 0);
}

static int finish(struct ocf_ping *p, int err, uint64_t rtt_ns)
{
  OCF_ASSERT(p->state == OCF_PING_WAIT);
  OCF_ASSERT(!p->has_event);
  p->state = err == 0 ? OCF_PING_IDLE : OCF_PING_DEAD;
  p->n_sent = p->n_got = 0;
  p->event = (struct ocf_ping_event){ .err = err, .rtt_ns = rtt_ns };
  p->has_event = true;
  return err;
}

void ocf_ping_init(struct ocf_ping *p, uint64_t timeout_ns)
{
  *p = (struct ocf_ping){ .state = OCF_PING_IDLE, .timeout_ns = timeout_ns };
}

bool ocf_ping_is_idle(const struct ocf_ping *p)
{
  return p->state == OCF_PING_IDLE && !p->has_event;
}

int ocf_ping_start(struct ocf_ping *p, uint64_t now_ns, const uint8_t *rnd)
{
  check(p);
  if (!ocf_ping_is_idle(p))
    return OCF_ESTATE;
  memcpy(p->payload, rnd, OCF_PING_LEN);
  p->deadline_ns = ocf_time_add(now_ns, p->timeout_ns);
  p->state = OCF_PING_WAIT;
  return 0;
}

size_t ocf_ping_output(struct ocf_ping *p, uint64_t now_ns, uint8_t *dst, size_t cap)
{
  check(p);
  size_t left = p->state == OCF_PING_WAIT ? OCF_PING_LEN - p->n_sent : 0;
  size_t n = OCF_MIN(cap, left);
  if (n == 0)
    return 0;
  memcpy(dst, p->payload + p->n_sent, n);
  p->n_sent += n;
  p->sent_ns = now_ns;
  return n;
}

int ocf_ping_input(struct ocf_ping *p, uint64_t now_ns, struct ocf_bytes in)
{
  check(p);
  if (in.n == 0)
    return 0;
  if (p->state != OCF_PING_WAIT) {
    p->state = OCF_PING_DEAD; /* bytes that nobody asked for */
    return OCF_EPROTO;
  }
  if (in.n > p->n_sent - p->n_got || memcmp(in.p, p->payload + p->n_got, in.n) != 0)
    return finish(p, OCF_EPROTO, 0);
  p->n_got += in.n;
  return p->n_got < OCF_PING_LEN ? 0 : finish(p, 0, now_ns - p->sent_ns);
}

void ocf_ping_eof(struct ocf_ping *p)
{
  check(p);
  if (p->state == OCF_PING_WAIT)
    (void)finish(p, OCF_EEOF, 0); /* the error reaches the caller as an event */
  p->state = OCF_PING_DEAD;
}

uint64_t ocf_ping_deadline(const struct ocf_ping *p)
{
  return p->state == OCF_PING_WAIT ? p->deadline_ns : OCF_TIME_NEVER;
}

void ocf_ping_tick(struct ocf_ping *p, uint64_t now_ns)
{
  check(p);
  if (p->state == OCF_PING_WAIT && now_ns >= p->deadline_ns)
    (void)finish(p, OCF_ETIME, 0); /* as above */
}

bool ocf_ping_event(struct ocf_ping *p, struct ocf_ping_event *out)
{
  check(p);
  if (!p->has_event)
    return false;
  *out = p->event;
  p->has_event = false;
  return true;
}

/* ---- responder --------------------------------------------------------------------------------
 */

static void pong_check(const struct ocf_pong *p)
{
  OCF_ASSERT(p->n_got <= OCF_PING_LEN);
  OCF_ASSERT(p->n_out == 0 || (p->n_got == OCF_PING_LEN && p->n_out < OCF_PING_LEN));
}

void ocf_pong_config_default(struct ocf_pong_config *c)
{
  *c = (struct ocf_pong_config){ .idle_ns = 60 * OCF_NS_PER_S, .burst = 1024, .per_s = 256 };
}

void ocf_pong_init(struct ocf_pong *p, const struct ocf_pong_config *cfg, uint64_t now_ns)
{
  OCF_ASSERT(cfg->burst >= 1 && cfg->per_s >= 1);
  *p = (struct ocf_pong){ .cfg = *cfg,
                          .idle_deadline_ns = ocf_time_add(now_ns, cfg->idle_ns),
                          .refill_ns = now_ns,
                          .tokens = cfg->burst };
}

static uint64_t refill_due(const struct ocf_pong *p)
{
  return ocf_time_add(p->refill_ns, OCF_NS_PER_S / p->cfg.per_s + 1);
}

/* Brings `tokens` up to date when it is used up. */
static void refill(struct ocf_pong *p, uint64_t now_ns)
{
  if (p->tokens != 0 || now_ns < refill_due(p))
    return;
  uint64_t age_us = (now_ns - p->refill_ns) / OCF_NS_PER_US;
  uint64_t n = OCF_MIN(age_us, 3600 * UINT64_C(1000000)) * p->cfg.per_s / 1000000;
  p->tokens = (uint32_t)OCF_MAX(1, OCF_MIN(n, p->cfg.burst));
  p->refill_ns = now_ns;
}

void ocf_pong_input(struct ocf_pong *p, uint64_t now_ns, struct ocf_bytes *in)
{
  pong_check(p);
  size_t n = OCF_MIN(in->n, (size_t)OCF_PING_LEN - p->n_got);
  refill(p, now_ns);
  if (n == 0 || p->tokens == 0)
    return;
  memcpy(p->payload + p->n_got, in->p, n);
  p->n_got = (uint8_t)(p->n_got + n);
  in->p += n;
  in->n -= n;
  if (p->n_got == OCF_PING_LEN) {
    p->tokens--;
    p->n_rounds++;
    p->idle_deadline_ns = ocf_time_add(now_ns, p->cfg.idle_ns);
  }
}

size_t ocf_pong_output(struct ocf_pong *p, uint64_t now_ns, uint8_t *dst, size_t cap)
{
  (void)now_ns;
  pong_check(p);
  size_t n = p->n_got == OCF_PING_LEN ? OCF_MIN(cap, (size_t)OCF_PING_LEN - p->n_out) : 0;
  if (n == 0)
    return 0;
  memcpy(dst, p->payload + p->n_out, n);
  p->n_out = (uint8_t)(p->n_out + n);
  if (p->n_out == OCF_PING_LEN)
    p->n_got = p->n_out = 0;
  return n;
}

bool ocf_pong_is_clear(const struct ocf_pong *p)
{
  return p->n_got < OCF_PING_LEN;
}

uint64_t ocf_pong_deadline(const struct ocf_pong *p)
{
  return p->tokens == 0 ? ocf_time_min(refill_due(p), p->idle_deadline_ns) : p->idle_deadline_ns;
}

int ocf_pong_tick(struct ocf_pong *p, uint64_t now_ns)
{
  pong_check(p);
  refill(p, now_ns);
  return now_ns >= p->idle_deadline_ns ? OCF_ETIME : 0;
}
