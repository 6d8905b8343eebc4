/* Tests and fuzzing only: two sessions joined by two byte pipes, driven one operation at a time.
 *
 * The oracle: every byte of a stream is a function of its stream, direction and position, so data
 * that is lost, doubled, moved or mixed up is noticed at once; FIN comes exactly behind the last
 * byte; an observer on the wire counts acknowledgements and keeps its own idea of every send
 * window. */
#ifndef OCF_P2P_YAMUX_YAMUX_PAIR_H
#define OCF_P2P_YAMUX_YAMUX_PAIR_H

#include "p2p/yamux/yamux.h"

#include <string.h>

#include "base/core/endian.h"
#include "base/time/time.h"

enum { PAIR_STREAMS = 12, PAIR_IDS = 1024, PAIR_PIPE = 1 << 17, PAIR_AREA = 65519 };

struct pair_stream {
  struct ocf_yamux_stream *h; /* NULL: free */
  uint32_t id;
  uint64_t want; /* bytes its user still wants to write */
  bool over;     /* RESET came */
  bool fin;      /* finish() was called */
};

/* What has happened to a stream, per end: 0 the dialler's, 1 the listener's. */
struct pair_history {
  uint64_t tx[2], rx[2];   /* as the users see it */
  uint64_t wire_window[2]; /* as the wire shows it: what that end may still send */
  bool fin_tx[2], fin_rx[2], given_back[2];
  uint8_t n_syn, n_ack;
};

struct pair_end {
  struct ocf_alloc a;
  struct ocf_yamux *y;
  struct ocf_yamux_out out;
  uint8_t area[PAIR_AREA];
  uint8_t pipe[PAIR_PIPE]; /* bytes on their way to the other end */
  size_t n_pipe;
  struct pair_stream st[PAIR_STREAMS];
  bool dead;
};

struct pair {
  struct pair_end end[2];
  struct pair_history hist[PAIR_IDS];
  uint64_t now;
  uint64_t n_opened, n_bytes,
      n_resets; /* delivered: so that a test can see that it tested something */
  bool may_die;
};

static inline uint8_t pair_byte(uint32_t id, int from, uint64_t k)
{
  return (uint8_t)(k * 31 + (k >> 8) * 13 + (k >> 16) * 7 + id * 5 + (uint32_t)from * 101);
}

static inline struct pair_history *pair_hist(struct pair *p, uint32_t id)
{
  OCF_ASSERT(id < PAIR_IDS); /* pair_open() stops before */
  return &p->hist[id];
}

static inline void pair_fini(struct pair *p)
{
  for (int e = 0; e < 2; e++) {
    ocf_yamux_free(p->end[e].y);
    OCF_ASSERT(p->end[e].a.live_bytes == 0);
  }
}

/* False when out of memory (fail_at0 makes the dialler's allocator fail from that call on). */
static inline bool pair_init(struct pair *p, const struct ocf_yamux_config *cfg, uint64_t fail_at0)
{
  memset(p, 0, sizeof(*p));
  p->now = OCF_NS_PER_S;
  for (int e = 0; e < 2; e++) {
    struct ocf_yamux_config c = *cfg;
    c.dialler = e == 0;
    ocf_alloc_init(&p->end[e].a);
    p->end[e].a.fail_at = e == 0 ? fail_at0 : 0;
    p->end[e].y = ocf_yamux_new(&p->end[e].a, &c, p->now);
    p->end[e].out = (struct ocf_yamux_out){ p->end[e].area, 0, PAIR_AREA };
  }
  if (p->end[0].y != NULL)
    return true;
  pair_fini(p);
  return false;
}

static inline void pair_give_back(struct pair *p, int e, struct pair_stream *s, bool reset,
                                  uint32_t code)
{
  pair_hist(p, s->id)->given_back[e] = true;
  if (reset)
    ocf_yamux_reset(p->end[e].y, p->now, s->h, code);
  else
    ocf_yamux_close(p->end[e].y, p->now, s->h);
  *s = (struct pair_stream){ .h = NULL };
}

static inline struct pair_stream *pair_slot(struct pair *p, int e)
{
  for (int i = 0; i < PAIR_STREAMS; i++) {
    if (p->end[e].st[i].h == NULL)
      return &p->end[e].st[i];
  }
  return NULL;
}

/* ---- the wire ---------------------------------------------------------------------------------
 */

static inline void pair_observe_frame(struct pair *p, int e, const uint8_t *f, size_t left)
{
  uint32_t type = f[1], flags = ocf_get_be16(f + 2), id = ocf_get_be32(f + 4);
  uint32_t length = ocf_get_be32(f + 8);
  OCF_ASSERT(f[0] == 0 && type <= 3);
  OCF_ASSERT(type != 0 || (length >= 1 && length <= OCF_YAMUX_BODY_MAX && length <= left));
  if (type > 1)
    return;
  struct pair_history *h = pair_hist(p, id);
  if ((flags & 1) != 0) {
    OCF_ASSERT(type == 1 && id % 2 == (e == 0 ? 1u : 0u));
    OCF_ASSERT(h->n_syn++ == 0);
    h->wire_window[0] = h->wire_window[1] = OCF_YAMUX_WINDOW;
  }
  OCF_ASSERT(h->n_syn == 1 || (flags & 8) != 0);
  if ((flags & 2) != 0) {
    OCF_ASSERT(id % 2 != (e == 0 ? 1u : 0u));
    OCF_ASSERT(h->n_ack++ == 0);
  }
  if (type == 0) {
    OCF_ASSERT(length <= h->wire_window[e]);
    h->wire_window[e] -= length;
  } else if ((flags & 8) == 0) {
    h->wire_window[1 - e] += length;
    OCF_ASSERT(h->wire_window[1 - e] <= 16 << 20);
  }
}

/* Moves the area to the pipe when it fits there. */
static inline bool pair_send(struct pair *p, int e)
{
  struct pair_end *x = &p->end[e];
  if (x->n_pipe + x->out.n > PAIR_PIPE)
    return false;
  for (size_t at = 0; at < x->out.n;) {
    const uint8_t *f = x->area + at;
    OCF_ASSERT(x->out.n - at >= 12);
    pair_observe_frame(p, e, f, x->out.n - at - 12);
    at += 12 + (f[1] == 0 ? ocf_get_be32(f + 8) : 0);
    OCF_ASSERT(at <= x->out.n);
  }
  if (x->out.n != 0)
    memcpy(x->pipe + x->n_pipe, x->area, x->out.n);
  x->n_pipe += x->out.n;
  x->out.n = 0;
  return true;
}

/* ---- operations -------------------------------------------------------------------------------
 */

static inline void pair_open(struct pair *p, int e)
{
  struct pair_stream *s = pair_slot(p, e);
  if (s == NULL || p->n_opened + 8 >= PAIR_IDS / 2)
    return;
  if (ocf_yamux_open(p->end[e].y, p->now, s, &s->h) != 0)
    return;
  p->n_opened++;
  s->id = ocf_yamux_id(s->h);
}

/* Writes what the stream wants, as far as it goes. */
static inline void pair_write(struct pair *p, int e, struct pair_stream *s)
{
  static uint8_t buf[8192];
  struct pair_history *h = pair_hist(p, s->id);
  while (s->want > 0) {
    size_t n = (size_t)OCF_MIN(s->want, sizeof(buf));
    for (size_t k = 0; k < n; k++)
      buf[k] = pair_byte(s->id, e, h->tx[e] + k);
    struct ocf_bytes iov[2] = { { buf, n / 3 }, { buf + n / 3, n - n / 3 } };
    n = ocf_yamux_write(p->end[e].y, p->now, s->h, iov, 2, &p->end[e].out);
    if (n == 0)
      return;
    s->want -= n;
    h->tx[e] += n;
  }
}

static inline void pair_flush(struct pair *p, int e, size_t cap)
{
  struct pair_end *x = &p->end[e];
  struct ocf_yamux_stream *t;
  if (!pair_send(p, e))
    return;
  x->out.cap = OCF_MIN(OCF_MAX(cap, (size_t)OCF_YAMUX_OUT_MIN), (size_t)PAIR_AREA);
  ocf_yamux_output(x->y, p->now, &x->out);
  while ((t = ocf_yamux_next_writable(x->y, &x->out)) != NULL)
    pair_write(p, e, ocf_yamux_user(t));
  x->out.cap = PAIR_AREA;
  (void)pair_send(p, e);
}

static inline void pair_opened(struct pair *p, int e, const struct ocf_yamux_event *ev)
{
  struct pair_stream *s = pair_slot(p, e);
  uint32_t id = ocf_yamux_id(ev->stream);
  OCF_ASSERT(ocf_yamux_is_inbound(ev->stream) && ev->user == NULL);
  if (s == NULL) {
    pair_hist(p, id)->given_back[e] = true;
    ocf_yamux_reset(p->end[e].y, p->now, ev->stream, OCF_YAMUX_STREAM_RESOURCE_LIMIT);
    return;
  }
  *s = (struct pair_stream){ .h = ev->stream, .id = id };
  ocf_yamux_set_user(ev->stream, s);
}

static inline void pair_event(struct pair *p, int e, const struct ocf_yamux_event *ev)
{
  struct pair_stream *s = ev->user;
  struct pair_history *h = s != NULL ? pair_hist(p, s->id) : NULL;
  OCF_ASSERT(!p->end[e].dead);
  OCF_ASSERT(s == NULL || (s->h == ev->stream && !s->over));
  switch (ev->kind) {
  case OCF_YAMUX_EV_OPENED: pair_opened(p, e, ev); break;
  case OCF_YAMUX_EV_DATA:
    OCF_ASSERT(ev->data.n > 0 && !h->fin_rx[e]);
    for (size_t k = 0; k < ev->data.n; k++)
      OCF_ASSERT(ev->data.p[k] == pair_byte(s->id, 1 - e, h->rx[e] + k));
    h->rx[e] += ev->data.n;
    p->n_bytes += ev->data.n;
    OCF_ASSERT(h->rx[e] <= h->tx[1 - e]);
    break;
  case OCF_YAMUX_EV_FIN:
    OCF_ASSERT(!h->fin_rx[e] && h->fin_tx[1 - e]);
    OCF_ASSERT(h->rx[e] == h->tx[1 - e]);
    h->fin_rx[e] = true;
    break;
  case OCF_YAMUX_EV_RESET:
    OCF_ASSERT(p->may_die || h->given_back[1 - e] || h->n_ack == 0); /* or refused */
    s->over = true;
    p->n_resets++;
    break;
  case OCF_YAMUX_EV_DEAD:
    OCF_ASSERT(p->may_die);
    p->end[e].dead = true;
    break;
  case OCF_YAMUX_EV_CAN_OPEN:
  case OCF_YAMUX_EV_RTT:
  case OCF_YAMUX_EV_DRAINED: break;
  }
}

/* Delivers up to `n` bytes to end `e`. */
static inline size_t pair_deliver(struct pair *p, int e, size_t n)
{
  struct pair_end *from = &p->end[1 - e];
  struct ocf_bytes in = ocf_bytes(from->pipe, OCF_MIN(n, from->n_pipe));
  struct ocf_yamux_event ev;
  n = in.n;
  while (ocf_yamux_next(p->end[e].y, p->now, &in, &ev))
    pair_event(p, e, &ev);
  OCF_ASSERT(in.n == 0);
  from->n_pipe -= n;
  memmove(from->pipe, from->pipe + n, from->n_pipe);
  return n;
}

static inline void pair_consume(struct pair *p, int e, struct pair_stream *s, uint64_t n)
{
  uint32_t held = ocf_yamux_held(s->h);
  ocf_yamux_consumed(p->end[e].y, p->now, s->h, (size_t)OCF_MIN(n, held));
}

static inline void pair_finish(struct pair *p, int e, struct pair_stream *s)
{
  s->want = 0;
  s->fin = true;
  pair_hist(p, s->id)->fin_tx[e] = true;
  ocf_yamux_finish(p->end[e].y, s->h);
}

static inline void pair_check(const struct pair *p)
{
  for (int e = 0; e < 2; e++) {
    uint64_t held = 0;
    for (int i = 0; i < PAIR_STREAMS; i++) {
      if (p->end[e].st[i].h != NULL)
        held += ocf_yamux_held(p->end[e].st[i].h);
    }
    OCF_ASSERT(held == ocf_yamux_stats(p->end[e].y)->held_bytes);
  }
}

/* One operation: `op` says what, where and on which stream, `arg` how much. */
static inline void pair_op(struct pair *p, uint8_t op, uint8_t which, uint16_t arg)
{
  int e = which & 1;
  struct pair_stream *s = &p->end[e].st[(which >> 1) % PAIR_STREAMS];
  bool live = s->h != NULL && !s->over;
  switch (op % 16) {
  case 0: pair_open(p, e); break;
  case 1:
  case 2:
  case 3:
    if (live && !s->fin) {
      s->want += op % 16 == 3 ? (uint64_t)arg * 4 : arg % 4096;
      pair_write(p, e, s);
    }
    break;
  case 4:
    if (live)
      pair_finish(p, e, s);
    break;
  case 5:
    if (s->h != NULL) {
      if (!s->over)
        pair_hist(p, s->id)->fin_tx[e] = true;
      pair_give_back(p, e, s, false, 0);
    }
    break;
  case 6:
    if (s->h != NULL && arg % 4 == 0)
      pair_give_back(p, e, s, true, arg);
    break;
  case 7:
  case 8:
    if (s->h != NULL)
      pair_consume(p, e, s, (uint64_t)arg * 4);
    break;
  case 9:
  case 10: pair_flush(p, e, arg); break;
  case 11:
  case 12: (void)pair_deliver(p, e, arg); break;
  case 13: (void)pair_deliver(p, e, PAIR_PIPE); break;
  case 14:
    p->now += (uint64_t)arg * OCF_NS_PER_MS / 16;
    ocf_yamux_tick(p->end[e].y, p->now);
    (void)pair_deliver(p, e, 0);
    break;
  default:
    if (p->may_die && arg == 0xdead)
      ocf_yamux_abort(p->end[e].y, OCF_YAMUX_SHUTDOWN);
    (void)pair_deliver(p, e, 0);
    break;
  }
  pair_check(p);
}

/* Lets both ends read and write until nothing moves. Then everything that was written must have
 * arrived, unless the stream was reset or given back on one side. */
static inline void pair_settle(struct pair *p)
{
  bool moved = true;
  for (int round = 0; moved; round++) {
    moved = false;
    OCF_ASSERT(round < 1000000);
    for (int e = 0; e < 2; e++) {
      for (int i = 0; i < PAIR_STREAMS; i++) {
        if (p->end[e].st[i].h != NULL)
          pair_consume(p, e, &p->end[e].st[i], UINT64_MAX);
      }
      pair_flush(p, e, PAIR_AREA);
      moved = pair_deliver(p, 1 - e, PAIR_PIPE) > 0 || moved;
    }
  }
  pair_check(p);
  for (int e = 0; e < 2; e++) {
    for (int i = 0; i < PAIR_STREAMS; i++) {
      struct pair_stream *s = &p->end[e].st[i];
      if (s->h == NULL || s->over || p->end[0].dead || p->end[1].dead)
        continue;
      struct pair_history *h = pair_hist(p, s->id);
      if (h->given_back[1 - e])
        continue;
      OCF_ASSERT(s->want == 0);
      OCF_ASSERT(h->rx[1 - e] == h->tx[e]);
      OCF_ASSERT(h->fin_rx[1 - e] == h->fin_tx[e]);
    }
  }
}

#endif
