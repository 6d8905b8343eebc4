/* Tests only: hand-made frames, and a session with its send area and last event. */
#ifndef OCF_P2P_YAMUX_YAMUX_TEST_H
#define OCF_P2P_YAMUX_YAMUX_TEST_H

#include "testing/test.h"

#include "base/core/endian.h"
#include "p2p/yamux/yamux_int.h"

#define SEC OCF_NS_PER_S

struct rig {
  struct ocf_alloc a;
  struct ocf_yamux *y;
  uint64_t now;
  uint8_t area[65519];
  struct ocf_yamux_out out;
  struct ocf_yamux_event last; /* what feed() returned last */
};

static inline struct ocf_yamux_config rig_config(bool dialler)
{
  struct ocf_yamux_config c;
  ocf_yamux_config_default(&c, dialler);
  c.rtt_interval_ns = 0; /* pings only where a test is about them */
  c.seed = 12345;
  return c;
}

static inline void rig_init(struct rig *r, const struct ocf_yamux_config *c)
{
  ocf_alloc_init(&r->a);
  r->now = SEC;
  r->y = ocf_yamux_new(&r->a, c, r->now);
  assert_non_null(r->y);
  r->out = (struct ocf_yamux_out){ r->area, 0, sizeof(r->area) };
}

static inline void rig_listener(struct rig *r)
{
  struct ocf_yamux_config c = rig_config(false);
  rig_init(r, &c);
}

static inline void rig_dialler(struct rig *r)
{
  struct ocf_yamux_config c = rig_config(true);
  rig_init(r, &c);
}

static inline void rig_fini(struct rig *r)
{
  ocf_yamux_free(r->y);
  assert_int_equal(r->a.live_bytes, 0);
}

/* One frame with `n_body` bytes of body, of which byte k is k mod 251. Returns its size. */
static inline size_t make_frame(uint8_t *p, uint8_t type, uint16_t flags, uint32_t id,
                                uint32_t length, size_t n_body)
{
  p[0] = 0;
  p[1] = type;
  ocf_put_be16(p + 2, flags);
  ocf_put_be32(p + 4, id);
  ocf_put_be32(p + 8, length);
  for (size_t k = 0; k < n_body; k++)
    p[12 + k] = (uint8_t)(k % 251);
  return 12 + n_body;
}

static inline struct ocf_yamux_event none(void)
{
  return (struct ocf_yamux_event){ .kind = (enum ocf_yamux_event_kind)99 };
}

/* The next event without input; kind 99 when there is none. */
static inline struct ocf_yamux_event next(struct rig *r)
{
  struct ocf_bytes in = { NULL, 0 };
  struct ocf_yamux_event ev = none();
  (void)ocf_yamux_next(r->y, r->now, &in, &ev);
  return ev;
}

/* Feeds one frame and returns its first event, kind 99 when there is none. More: next(). The body
 * is real only for data frames. */
static inline struct ocf_yamux_event feed(struct rig *r, uint8_t type, uint16_t flags, uint32_t id,
                                          uint32_t length)
{
  static uint8_t buf[12 + 300000];
  size_t n_body = type == TYPE_DATA && length <= 300000 ? length : 0;
  struct ocf_bytes in = ocf_bytes(buf, make_frame(buf, type, flags, id, length, n_body));
  struct ocf_yamux_event first = none(), ev;
  (void)ocf_yamux_next(r->y, r->now, &in, &first);
  r->last = first;
  while (in.n != 0) { /* OPENED, then DATA: keep the count, give the credit back */
    if (!ocf_yamux_next(r->y, r->now, &in, &ev))
      break;
  }
  return first;
}

/* Moves what waits to be sent into an empty area; returns its length. */
static inline size_t flush(struct rig *r)
{
  r->out.n = 0;
  ocf_yamux_output(r->y, r->now, &r->out);
  return r->out.n;
}

/* Expects the frame at *at of the area and moves on. */
static inline void expect(struct rig *r, size_t *at, uint8_t type, uint16_t flags, uint32_t id,
                          uint32_t length)
{
  const uint8_t *p = r->area + *at;
  assert_true(*at + 12 <= r->out.n);
  assert_int_equal(p[0], 0);
  assert_int_equal(p[1], type);
  assert_int_equal(ocf_get_be16(p + 2), flags);
  assert_int_equal(ocf_get_be32(p + 4), id);
  assert_int_equal(ocf_get_be32(p + 8), length);
  *at += 12 + (type == TYPE_DATA ? length : 0);
}

/* The area must be exactly this one frame. */
static inline void expect_only(struct rig *r, uint8_t type, uint16_t flags, uint32_t id,
                               uint32_t length)
{
  size_t at = 0;
  (void)flush(r);
  expect(r, &at, type, flags, id, length);
  assert_int_equal(at, r->out.n);
}

/* The session must die of this frame with these codes, and tell the peer (or not). */
static inline void expect_death(struct rig *r, struct ocf_yamux_event ev, int err, uint32_t code,
                                bool tell)
{
  while (ev.kind != OCF_YAMUX_EV_DEAD && ev.kind != (enum ocf_yamux_event_kind)99)
    ev = next(r);
  assert_int_equal(ev.kind, OCF_YAMUX_EV_DEAD);
  assert_int_equal(ev.err, err);
  assert_int_equal(ev.code, code);
  assert_true(ocf_yamux_is_dead(r->y));
  assert_int_equal(next(r).kind, 99);
  assert_true(ocf_yamux_has_output(r->y) == tell);
  if (tell)
    expect_only(r, TYPE_GOAWAY, 0, 0, code);
  assert_int_equal(flush(r), 0);
}

static inline struct ocf_yamux_stream *open_stream(struct rig *r)
{
  struct ocf_yamux_stream *s = NULL;
  assert_int_equal(ocf_yamux_open(r->y, r->now, NULL, &s), 0);
  return s;
}

static inline struct ocf_yamux_stream *accept_stream(struct rig *r, uint32_t id)
{
  struct ocf_yamux_event ev = feed(r, TYPE_WINDOW, FLAG_SYN, id, 0);
  assert_int_equal(ev.kind, OCF_YAMUX_EV_OPENED);
  assert_int_equal(ocf_yamux_id(ev.stream), id);
  return ev.stream;
}

static inline size_t write_n(struct rig *r, struct ocf_yamux_stream *s, size_t n)
{
  static const uint8_t zeros[1 << 20];
  struct ocf_bytes iov = ocf_bytes(zeros, n);
  assert_true(n <= sizeof(zeros));
  return ocf_yamux_write(r->y, r->now, s, &iov, 1, &r->out);
}

#endif
