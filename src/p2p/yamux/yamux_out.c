/* What goes out: control frames, and data copied straight into the caller's send area. */
#include "p2p/yamux/yamux.h"

#include "base/buf/copy.h"

#include "p2p/yamux/yamux_int.h"

#include <string.h>

#include "base/core/endian.h"

enum { ROOM_MIN = 256 }; /* a shorter data body is not worth a header, unless it is all there is */

static size_t room_in(const struct ocf_yamux_out *out)
{
  OCF_ASSERT(out->n <= out->cap);
  return out->cap - out->n;
}

static void put_header(uint8_t *p, uint8_t type, uint16_t flags, uint32_t id, uint32_t length)
{
  p[0] = 0;
  p[1] = type;
  ocf_put_be16(p + 2, flags);
  ocf_put_be32(p + 4, id);
  ocf_put_be32(p + 8, length);
}

/* Appends a frame without body. False: no room. */
static bool emit(struct ocf_yamux *y, struct ocf_yamux_out *out, uint8_t type, uint16_t flags,
                 uint32_t id, uint32_t length)
{
  if (room_in(out) < OCF_YAMUX_HEADER)
    return false;
  put_header(out->p + out->n, type, flags, id, length);
  out->n += OCF_YAMUX_HEADER;
  y->st.tx_frames++;
  return true;
}

static bool emit_pongs(struct ocf_yamux *y, struct ocf_yamux_out *out)
{
  uint32_t i = 0;
  while (i < y->n_pongs && emit(y, out, TYPE_PING, FLAG_ACK, 0, y->pongs[i]))
    i++;
  y->n_pongs -= i;
  memmove(y->pongs, y->pongs + i, y->n_pongs * sizeof(*y->pongs));
  return y->n_pongs == 0;
}

static bool emit_ping(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_out *out)
{
  if (!y->ping_due)
    return true;
  if (!emit(y, out, TYPE_PING, FLAG_SYN, 0, y->ping_value + 1))
    return false;
  y->ping_value++;
  y->ping_due = false;
  y->ping_out = true;
  y->ping_sent_ns = now_ns;
  if (y->cfg.rtt_interval_ns != 0)
    y->next_rtt_ns = ocf_time_add(now_ns, y->cfg.rtt_interval_ns);
  return true;
}

static bool emit_refusals(struct ocf_yamux *y, struct ocf_yamux_out *out)
{
  uint32_t i = 0;
  while (i < y->n_refused &&
         emit(y, out, TYPE_WINDOW, FLAG_RST, y->refused[i].id, y->refused[i].code))
    i++;
  y->n_refused -= i;
  y->st.resets_out += i;
  memmove(y->refused, y->refused + i, y->n_refused * sizeof(*y->refused));
  return y->n_refused == 0;
}

/* How far the receive window of `s` may grow now: it doubles when it was used up in less than four
 * round trips, which only a reader that drains it can bring about. What waits for slow readers
 * already counts against the sum for all: a window is a promise to take so much more. */
static uint32_t growth(const struct ocf_yamux *y, const struct ocf_yamux_stream *s, uint64_t now_ns)
{
  if (y->rtt_ns == 0 || now_ns - s->epoch_ns >= 4 * y->rtt_ns)
    return 0;
  const uint64_t taken = y->st.growth_bytes + y->st.held_bytes;
  if (taken >= y->cfg.growth_max || s->recv_max >= y->cfg.window_max)
    return 0;
  uint64_t left = y->cfg.growth_max - taken;
  uint32_t by = OCF_MIN(s->recv_max, y->cfg.window_max - s->recv_max);
  return (uint32_t)OCF_MIN(by, left);
}

/* How much of the credit of `s` is kept back, so that its window becomes smaller: when using it up
 * took so long that a smaller one would do. A reader that stalls from time to time thus comes to
 * hold less at each time. */
static uint32_t shrinkage(const struct ocf_yamux *y, const struct ocf_yamux_stream *s,
                          uint64_t now_ns)
{
  const uint64_t slow_ns = OCF_MAX(64 * y->rtt_ns, 100 * OCF_NS_PER_MS);
  if (s->recv_max == OCF_YAMUX_WINDOW || now_ns - s->epoch_ns < slow_ns)
    return 0;
  return OCF_MIN(s->credit / 2, s->recv_max - OCF_YAMUX_WINDOW);
}

static bool emit_rst(struct ocf_yamux *y, struct ocf_yamux_stream *s, struct ocf_yamux_out *out)
{
  if (!emit(y, out, TYPE_WINDOW, FLAG_RST, s->id, s->rst_code))
    return false;
  y->st.resets_out++;
  ocf_yamux_stream_gone(y, s);
  return true;
}

/* All that `s` owes, in one frame. False: no room. On true, `s` may be freed. */
static bool emit_ctl(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                     struct ocf_yamux_out *out)
{
  if ((s->pend & PEND_RST) != 0)
    return emit_rst(y, s, out);
  uint32_t more = (s->pend & PEND_WINDOW) != 0 ? growth(y, s, now_ns) : 0;
  uint32_t less = (s->pend & PEND_WINDOW) != 0 ? shrinkage(y, s, now_ns) : 0;
  uint32_t credit = (s->pend & PEND_WINDOW) != 0 ? s->credit + more - less : 0;
  uint16_t flags = (uint16_t)(((s->pend & PEND_SYN) != 0 ? FLAG_SYN : 0) |
                              ((s->pend & PEND_ACK) != 0 ? FLAG_ACK : 0) |
                              ((s->pend & PEND_FIN) != 0 ? FLAG_FIN : 0));
  if (!emit(y, out, TYPE_WINDOW, flags, s->id, credit))
    return false;
  if (credit != 0) {
    s->credit = 0;
    s->recv_max += more;
    s->recv_max -= less;
    s->recv_window += credit;
    s->epoch_ns = now_ns;
    y->st.growth_bytes += more;
    y->st.growth_bytes -= less;
    y->st.credit_out += credit;
    y->st.window_updates_out++;
    OCF_ASSERT((uint64_t)s->recv_window + s->held <= s->recv_max);
  }
  ocf_yamux_stream_unpend(s, UINT8_MAX);
  ocf_yamux_stream_maybe_gone(y, s);
  return true;
}

/* Pongs, our ping and refusals. True when none is left. */
static bool emit_urgent(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_out *out)
{
  return emit_pongs(y, out) && emit_ping(y, now_ns, out) && emit_refusals(y, out);
}

/* All control but that of `except` (may be NULL), as far as there is room. */
static void emit_control(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_out *out,
                         const struct ocf_yamux_stream *except)
{
  if (!emit_urgent(y, now_ns, out))
    return;
  OCF_LIST_FOREACH_SAFE (it, &y->ctl) {
    struct ocf_yamux_stream *s = OCF_LIST_ENTRY(it, struct ocf_yamux_stream, ctl);
    if (s != except && !emit_ctl(y, now_ns, s, out))
      return;
  }
}

void ocf_yamux_output(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_out *out)
{
  if (!y->dead)
    emit_control(y, now_ns, out, NULL);
  else if (y->go_away_due && emit(y, out, TYPE_GOAWAY, 0, 0, y->dead_code))
    y->go_away_due = false;
}

bool ocf_yamux_has_output(const struct ocf_yamux *y)
{
  if (y->dead)
    return y->go_away_due;
  return y->n_pongs != 0 || y->ping_due || y->n_refused != 0 || !ocf_list_empty(&y->ctl);
}

/* ---- data -------------------------------------------------------------------------------------
 */

static void queue_ready(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  if (y->turn == s)
    y->turn = NULL;
  ocf_list_push_back(&y->ready, &s->wait);
}

/* How much `s` may write of `want` bytes as far as windows and turns go; 0 = it now waits. */
static size_t may_write(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                        size_t want)
{
  if (ocf_list_linked(&s->wait) || (s->flags & S_WANT) != 0)
    return 0; /* it waits already */
  if (s->send_window == 0) {
    s->flags |= S_WANT;
    s->since_ns = now_ns;
    return 0;
  }
  want = OCF_MIN(want, OCF_MIN(s->send_window, (uint32_t)OCF_YAMUX_BODY_MAX));
  if (ocf_list_empty(&y->ready))
    return want;
  if (y->turn != s || y->turn_left == 0) {
    queue_ready(y, s);
    return 0;
  }
  return OCF_MIN(want, y->turn_left);
}

uint8_t *ocf_yamux_begin(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                         size_t want, struct ocf_yamux_out *out, size_t *room)
{
  OCF_ASSERT((s->flags & S_RELEASED) == 0);
  if (want == 0 || y->dead || (s->flags & (S_LOCAL_FIN | S_DEAD | S_GONE)) != 0)
    return NULL;
  size_t n = may_write(y, now_ns, s, want);
  if (n == 0)
    return NULL;
  /* Whoever fills every area with data must not starve control. An acknowledgement that is all that
   * `s` owes rides on the data itself. */
  if (out->n == 0)
    emit_control(y, now_ns, out, s->pend == PEND_ACK ? s : NULL);
  else
    (void)emit_urgent(y, now_ns, out); /* the rest is sent with the next area */
  size_t before = (s->pend & PEND_SYN) != 0 ? 2 * OCF_YAMUX_HEADER : OCF_YAMUX_HEADER;
  size_t fits = room_in(out) > before ? room_in(out) - before : 0;
  if (fits < OCF_MIN(n, (size_t)ROOM_MIN)) {
    queue_ready(y, s);
    return NULL;
  }
  if ((s->pend & PEND_SYN) != 0)
    (void)emit_ctl(y, now_ns, s, out); /* the room was counted above */
  *room = OCF_MIN(n, fits);
  return out->p + out->n + OCF_YAMUX_HEADER;
}

void ocf_yamux_commit(struct ocf_yamux *y, struct ocf_yamux_stream *s, size_t n,
                      struct ocf_yamux_out *out)
{
  OCF_ASSERT(n >= 1 && n <= s->send_window);
  OCF_ASSERT(n + OCF_YAMUX_HEADER <= room_in(out));
  uint16_t flags = (s->pend & PEND_ACK) != 0 ? FLAG_ACK : 0;
  put_header(out->p + out->n, TYPE_DATA, flags, s->id, (uint32_t)n);
  out->n += OCF_YAMUX_HEADER + n;
  if (flags != 0)
    ocf_yamux_stream_unpend(s, PEND_ACK);
  s->send_window -= (uint32_t)n;
  if (y->turn == s)
    y->turn_left -= (uint32_t)OCF_MIN(n, y->turn_left);
  y->st.tx_frames++;
  y->st.tx_bytes += n;
}

size_t ocf_yamux_write(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                       const struct ocf_bytes *iov, size_t n_iov, struct ocf_yamux_out *out)
{
  size_t want = 0, room, done = 0;
  for (size_t i = 0; i < n_iov; i++)
    want += iov[i].n;
  uint8_t *to = ocf_yamux_begin(y, now_ns, s, want, out, &room);
  if (to == NULL)
    return 0;
  for (size_t i = 0; i < n_iov && done < room; i++) {
    size_t n = OCF_MIN(iov[i].n, room - done);
    ocf_copy(to + done, iov[i].p, n);
    done += n;
  }
  ocf_yamux_commit(y, s, done, out);
  return done;
}

bool ocf_yamux_has_writable(const struct ocf_yamux *y)
{
  return !y->dead && !ocf_list_empty(&y->ready);
}

struct ocf_yamux_stream *ocf_yamux_next_writable(struct ocf_yamux *y,
                                                 const struct ocf_yamux_out *out)
{
  if (!ocf_yamux_has_writable(y) || room_in(out) < ROOM_MIN + 2 * OCF_YAMUX_HEADER)
    return NULL;
  struct ocf_yamux_stream *s =
      OCF_LIST_ENTRY(ocf_list_pop_front(&y->ready), struct ocf_yamux_stream, wait);
  y->turn = s;
  y->turn_left = y->cfg.quantum;
  return s;
}
