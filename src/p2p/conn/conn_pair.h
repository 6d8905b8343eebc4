/* Tests only: two connections, or one and a stranger, over a byte pipe whose pieces the test
 * chooses. Included once per test program. */
#ifndef OCF_P2P_CONN_CONN_PAIR_H
#define OCF_P2P_CONN_CONN_PAIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/key/key.h"
#include "p2p/conn/conn.h"
#include "p2p/noise/noise.h"

enum { PAIR_STREAMS = 600, PAIR_LOG = 4096 };

struct pair_pipe {
  uint8_t *p;
  size_t n, cap;
};

static inline void pipe_add(struct pair_pipe *q, const void *p, size_t n)
{
  if (q->p == NULL || q->n + n > q->cap) {
    q->cap = 2 * (q->n + n) + 64;
    q->p = realloc(q->p, q->cap);
    if (q->p == NULL)
      abort();
  }
  if (n > 0)
    memcpy(q->p + q->n, p, n);
  q->n += n;
}

static inline void pipe_take(struct pair_pipe *q, size_t n)
{
  memmove(q->p, q->p + n, q->n - n);
  q->n -= n;
}

/* What a side knows of a stream: its user pointer. */
struct pair_stream {
  struct ocf_stream *s; /* NULL once gone */
  bool in, up, fin, gone, writable;
  size_t proto, n_rx;
  uint64_t sum; /* of the received bytes and their places */
  int err;
  uint32_t code;
};

struct pair_side {
  struct ocf_alloc *a;
  struct ocf_rng rng;
  struct ocf_conn_pool pool;
  struct ocf_key key;
  struct ocf_noise_static st;
  struct ocf_peerid id;
  struct ocf_conn_config cfg;
  struct ocf_conn *c;
  struct pair_pipe rx; /* on its way to this side */
  struct pair_stream streams[PAIR_STREAMS];
  size_t n_streams;
  bool up, down, echo, hold; /* echo: send back what comes; hold: never consume */
  bool can_open;
  int down_err;
  char why[128];
  bool made;
};

static inline int side_init(struct pair_side *s, struct ocf_alloc *a, uint8_t seed)
{
  static const struct ocf_bytes protos[] = { { (const uint8_t *)"/echo/1", 7 },
                                             { (const uint8_t *)"/sink/1", 7 } };
  uint8_t secret[OCF_KEY_ED25519_SEED_LEN] = { seed };
  memset(s, 0, sizeof(*s));
  s->a = a;
  ocf_rng_seed(&s->rng, seed);
  ocf_conn_pool_init(&s->pool, a, 2);
  s->made = true;
  int err = ocf_key_from_seed(&s->key, a, secret);
  if (err == 0)
    err = ocf_noise_static_init(&s->st, a, &s->key, &s->rng);
  if (err != 0)
    return err;
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&s->key)), &s->id);
  ocf_conn_config_init(&s->cfg);
  s->cfg.a = a;
  s->cfg.rng = &s->rng;
  s->cfg.pool = &s->pool;
  s->cfg.noise = &s->st;
  s->cfg.protos = protos;
  s->cfg.n_protos = 2;
  return 0;
}

static inline void side_fini(struct pair_side *s)
{
  if (!s->made)
    return;
  ocf_conn_free(s->c);
  ocf_noise_static_fini(&s->st);
  ocf_key_fini(&s->key);
  ocf_conn_pool_fini(&s->pool);
  free(s->rx.p);
  memset(s, 0, sizeof(*s));
}

static inline struct pair_stream *side_track(struct pair_side *s, struct ocf_stream *st)
{
  if (s->n_streams == PAIR_STREAMS)
    abort();
  struct pair_stream *t = &s->streams[s->n_streams++];
  t->s = st;
  ocf_stream_set_user(st, t);
  return t;
}

/* Sums bytes so that order and value count. */
static inline uint64_t pair_sum(uint64_t sum, size_t at, const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    sum += (p[i] + UINT64_C(1)) * (at + i + 1);
  return sum;
}

static inline void side_data(struct pair_side *s, struct pair_stream *t,
                             const struct ocf_conn_event *ev)
{
  t->sum = pair_sum(t->sum, t->n_rx, ev->data.p, ev->data.n);
  t->n_rx += ev->data.n;
  if (s->echo)
    (void)ocf_stream_write(t->s, ev->data.p, ev->data.n); /* tests keep echoes small */
  if (!s->hold)
    ocf_stream_consumed(t->s, ev->data.n);
}

static inline void side_event(struct pair_side *s, const struct ocf_conn_event *ev)
{
  struct pair_stream *t = NULL;
  if (ev->type == OCF_CONN_STREAM_IN)
    side_track(s, ev->stream);
  if (ev->stream != NULL)
    t = ocf_stream_user(ev->stream);
  switch (ev->type) {
  case OCF_CONN_UP: s->up = true; break;
  case OCF_CONN_STREAM_IN:
    t->in = true;
    t->proto = ev->proto;
    break;
  case OCF_CONN_STREAM_UP:
    t->up = true;
    t->proto = ev->proto;
    break;
  case OCF_CONN_DATA: side_data(s, t, ev); break;
  case OCF_CONN_FIN:
    t->fin = true;
    if (s->echo)
      ocf_stream_fin(t->s);
    break;
  case OCF_CONN_WRITABLE: t->writable = true; break;
  case OCF_CONN_CAN_OPEN: s->can_open = true; break;
  case OCF_CONN_STREAM_GONE:
    t->gone = true;
    t->err = ev->err;
    t->code = ev->code;
    t->s = NULL;
    break;
  case OCF_CONN_DOWN:
    s->down = true;
    s->down_err = ev->err;
    (void)snprintf(s->why, sizeof(s->why), "%s", ev->why);
    break;
  }
}

static inline void side_events(struct pair_side *s, uint64_t now)
{
  struct ocf_conn_event ev;
  while (ocf_conn_event(s->c, now, &ev))
    side_event(s, &ev);
}

/* Delivers up to `max` waiting bytes. Returns how many. */
static inline size_t side_rx(struct pair_side *s, uint64_t now, size_t max)
{
  size_t cap, done = 0;
  while (done < max && s->rx.n > 0 && !s->down) {
    uint8_t *p = ocf_conn_rx_space(s->c, &cap);
    size_t n = OCF_MIN(OCF_MIN(cap, s->rx.n), max - done);
    if (p == NULL)
      break;
    memcpy(p, s->rx.p, n);
    ocf_conn_rx(s->c, now, n);
    pipe_take(&s->rx, n);
    done += n;
    side_events(s, now);
  }
  side_events(s, now);
  return done;
}

/* Moves what the side has to send to `to`, at most `max` bytes. Returns how many. */
static inline size_t side_tx(struct pair_side *s, uint64_t now, struct pair_pipe *to, size_t max)
{
  struct ocf_bytes v[4];
  size_t done = 0, n;
  side_events(s, now);
  ocf_conn_flush(s->c, now);
  while (done < max && (n = ocf_conn_tx(s->c, v, 4)) > 0) {
    size_t k = 0;
    for (size_t i = 0; i < n && done < max; i++) {
      size_t m = OCF_MIN(v[i].n, max - done);
      pipe_add(to, v[i].p, m);
      k += m;
      done += m;
    }
    ocf_conn_tx_done(s->c, now, k);
    side_events(s, now);
    ocf_conn_flush(s->c, now);
  }
  return done;
}

struct pair {
  struct pair_side d, l; /* dialler, listener */
  uint64_t now;
};

static inline int pair_init(struct pair *p, struct ocf_alloc *a)
{
  memset(&p->l, 0, sizeof(p->l));
  p->now = OCF_NS_PER_S;
  int err = side_init(&p->d, a, 1);
  if (err == 0)
    err = side_init(&p->l, a, 2);
  return err;
}

static inline int pair_connect(struct pair *p, const struct ocf_peerid *expect)
{
  int err = ocf_conn_new(&p->d.cfg, p->now, OCF_CONN_DIALLER, expect, &p->d.c);
  if (err == 0)
    err = ocf_conn_new(&p->l.cfg, p->now, OCF_CONN_LISTENER, NULL, &p->l.c);
  return err;
}

static inline void pair_fini(struct pair *p)
{
  side_fini(&p->d);
  side_fini(&p->l);
}

/* Lets bytes flow in pieces of up to `piece` until nothing moves. Each round takes 1 us. */
static inline void pair_run(struct pair *p, size_t piece)
{
  for (;;) {
    size_t moved = 0;
    p->now += OCF_NS_PER_US;
    moved += side_tx(&p->d, p->now, &p->l.rx, SIZE_MAX);
    moved += side_tx(&p->l, p->now, &p->d.rx, SIZE_MAX);
    while (p->l.rx.n > 0 && side_rx(&p->l, p->now, piece) > 0)
      moved++;
    while (p->d.rx.n > 0 && side_rx(&p->d, p->now, piece) > 0)
      moved++;
    if (moved == 0)
      return;
  }
}

#endif
