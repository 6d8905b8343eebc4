/* The session: what comes in, liveness, and its end. */
#include "p2p/yamux/yamux.h"

#include "p2p/yamux/yamux_int.h"

#include <string.h>

#include "base/core/endian.h"

void ocf_yamux_config_default(struct ocf_yamux_config *c, bool dialler)
{
  *c = (struct ocf_yamux_config){
    .dialler = dialler,
    .max_inbound = 1000,
    .max_outbound = 4096,
    .window_max = 16 << 20,
    .growth_max = 8 << 20,
    .keepalive_ns = 30 * OCF_NS_PER_S,
    .ping_timeout_ns = 10 * OCF_NS_PER_S,
    .rtt_interval_ns = 30 * OCF_NS_PER_S,
    .linger_ns = 30 * OCF_NS_PER_S,
    .quantum = 16384,
    .pings = { 512, 64 },
    .resets = { 4096, 1024 },
    .empty = { 4096, 1024 },
  };
}

static void bucket_init(struct bucket *b, struct ocf_yamux_rate rate, uint64_t now_ns)
{
  *b = (struct bucket){ .rate = rate, .tokens = rate.burst, .refill_ns = now_ns };
}

struct ocf_yamux *ocf_yamux_new(struct ocf_alloc *a, const struct ocf_yamux_config *cfg,
                                uint64_t now_ns)
{
  struct ocf_yamux *y = OCF_NEW(a, struct ocf_yamux);
  if (y == NULL)
    return NULL;
  OCF_ASSERT(cfg->window_max >= OCF_YAMUX_WINDOW);
  OCF_ASSERT(cfg->first_id == 0 || (cfg->first_id & 1) == (cfg->dialler ? 1 : 0));
  y->a = a;
  y->cfg = *cfg;
  y->table.mult = (cfg->seed ^ UINT64_C(0x9e3779b97f4a7c15)) | 1;
  y->next_id = cfg->first_id != 0 ? cfg->first_id : cfg->dialler ? 1 : 2;
  ocf_list_init(&y->open);
  ocf_list_init(&y->ended);
  ocf_list_init(&y->ctl);
  ocf_list_init(&y->ready);
  ocf_list_init(&y->linger);
  y->last_rx_ns = now_ns;
  y->ping_due = cfg->rtt_interval_ns != 0;
  y->next_rtt_ns =
      cfg->rtt_interval_ns == 0 ? OCF_TIME_NEVER : ocf_time_add(now_ns, cfg->rtt_interval_ns);
  bucket_init(&y->pings, cfg->pings, now_ns);
  bucket_init(&y->resets, cfg->resets, now_ns);
  bucket_init(&y->empty, cfg->empty, now_ns);
  return y;
}

static void free_all(struct ocf_alloc *a, struct ocf_list *streams)
{
  for (struct ocf_list *it; (it = ocf_list_pop_front(streams)) != NULL;)
    OCF_DELETE(a, OCF_LIST_ENTRY(it, struct ocf_yamux_stream, all));
}

void ocf_yamux_free(struct ocf_yamux *y)
{
  if (y == NULL)
    return;
  free_all(y->a, &y->open);
  free_all(y->a, &y->ended);
  ocf_yamux_table_fini(&y->table, y->a);
  OCF_DELETE(y->a, y);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

void ocf_yamux_session_die(struct ocf_yamux *y, int err, uint32_t code, bool tell)
{
  if (y->dead)
    return;
  y->dead = true;
  y->dead_err = err;
  y->dead_code = code;
  y->go_away_due = tell;
  y->rx = NULL;
  y->body_left = 0;
  y->due = 0;
  y->ping_due = y->ping_out = false;
  y->n_pongs = y->n_refused = 0;
  OCF_LIST_FOREACH_SAFE (it, &y->open) {
    struct ocf_yamux_stream *s = OCF_LIST_ENTRY(it, struct ocf_yamux_stream, all);
    if ((s->flags & S_RELEASED) != 0)
      ocf_yamux_stream_gone(y, s);
  }
}

static void broken(struct ocf_yamux *y)
{
  ocf_yamux_session_die(y, OCF_EPROTO, OCF_YAMUX_PROTOCOL_ERROR, true);
}

static void flooded(struct ocf_yamux *y)
{
  ocf_yamux_session_die(y, OCF_ELIMIT, OCF_YAMUX_PROTOCOL_VIOLATION, true);
}

void ocf_yamux_abort(struct ocf_yamux *y, uint32_t code)
{
  ocf_yamux_session_die(y, OCF_ECANCELED, code, true);
}

bool ocf_yamux_is_dead(const struct ocf_yamux *y)
{
  return y->dead;
}

void ocf_yamux_drain(struct ocf_yamux *y)
{
  if (y->dead || y->draining)
    return;
  y->draining = true;
  if (y->table.n == 0) {
    y->drained = true;
    y->due |= DUE_DRAINED;
  }
}

/* A dead session swallows input, and reports each open stream and then itself, once. */
static bool next_obituary(struct ocf_yamux *y, struct ocf_bytes *in, struct ocf_yamux_event *ev)
{
  if (in->n != 0)
    *in = ocf_bytes(in->p + in->n, 0);
  while (!ocf_list_empty(&y->open)) {
    struct ocf_yamux_stream *s = OCF_LIST_ENTRY(y->open.next, struct ocf_yamux_stream, all);
    bool told = (s->flags & S_DEAD) != 0;
    s->flags |= S_DEAD;
    *ev = (struct ocf_yamux_event){ .kind = OCF_YAMUX_EV_RESET,
                                    .stream = s,
                                    .user = s->user,
                                    .err = y->dead_err,
                                    .code = y->dead_code };
    ocf_yamux_stream_gone(y, s);
    if (!told)
      return true;
  }
  if (y->dead_told)
    return false;
  y->dead_told = true;
  *ev = (struct ocf_yamux_event){ .kind = OCF_YAMUX_EV_DEAD,
                                  .err = y->dead_err,
                                  .code = y->dead_code };
  return true;
}

/* ---- frames that come in ----------------------------------------------------------------------
 */

static void ping_frame(struct ocf_yamux *y, uint64_t now_ns, const struct header *h)
{
  if (h->id != 0) {
    broken(y);
  } else if ((h->flags & FLAG_SYN) != 0) {
    y->st.pings_in++;
    if (!ocf_yamux_bucket_take(&y->pings, now_ns)) {
      flooded(y);
    } else if (y->n_pongs == PONGS_MAX) {
      y->pongs[PONGS_MAX - 1] = h->length; /* nobody honest has so many under way */
      y->st.pongs_dropped++;
    } else {
      y->pongs[y->n_pongs++] = h->length;
    }
  } else if (y->ping_out && h->length == y->ping_value) {
    y->ping_out = false;
    y->rtt_sample_ns = OCF_MAX(now_ns - y->ping_sent_ns, 1);
    y->rtt_ns = y->rtt_ns == 0 ? y->rtt_sample_ns : (y->rtt_ns + y->rtt_sample_ns + 1) / 2;
    y->due |= DUE_RTT;
  }
}

static void refuse(struct ocf_yamux *y, uint64_t now_ns, uint32_t id, uint32_t code)
{
  y->st.refused_in++;
  if (y->n_refused == REFUSED_MAX || !ocf_yamux_bucket_take(&y->resets, now_ns)) {
    flooded(y);
    return;
  }
  y->refused[y->n_refused].id = id;
  y->refused[y->n_refused++].code = code;
}

/* A frame with SYN. NULL when there is no new stream: refused, over at once, or the session died.
 */
static struct ocf_yamux_stream *syn_frame(struct ocf_yamux *y, uint64_t now_ns,
                                          const struct header *h)
{
  if ((h->id & 1) == (y->cfg.dialler ? 1 : 0) || !ocf_yamux_seen_add(&y->seen, h->id)) {
    broken(y); /* ours to use, or used before */
    return NULL;
  }
  if (h->type == TYPE_DATA && h->length > OCF_YAMUX_WINDOW) {
    broken(y);
    return NULL;
  }
  if ((h->flags & FLAG_RST) != 0) {
    y->st.resets_in++;
    if (!ocf_yamux_bucket_take(&y->resets, now_ns))
      flooded(y);
    return NULL;
  }
  if (y->draining || y->st.n_inbound >= y->cfg.max_inbound) {
    refuse(y, now_ns, h->id,
           y->draining ? OCF_YAMUX_STREAM_SHUTDOWN : OCF_YAMUX_STREAM_RESOURCE_LIMIT);
    return NULL;
  }
  struct ocf_yamux_stream *s = ocf_yamux_stream_new(y, now_ns, h->id, S_INBOUND);
  if (s == NULL) {
    refuse(y, now_ns, h->id, OCF_YAMUX_STREAM_RESOURCE_LIMIT);
    return NULL;
  }
  if (!y->cfg.ack_on_call)
    ocf_yamux_ack(y, s);
  return s;
}

static void due_reset(struct ocf_yamux *y, struct ocf_yamux_stream *s, int err, uint32_t code)
{
  y->rx = s;
  y->due |= DUE_RESET;
  y->reset_err = err;
  y->reset_code = code;
}

/* The peer reset `s`. Its error code is in the length of a window frame and never credit; a data
 * frame's length is still its body's, which is dropped. */
static void rst_frame(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                      const struct header *h)
{
  y->st.resets_in++;
  if (h->type == TYPE_DATA && h->length > s->recv_window) {
    broken(y);
    return;
  }
  if ((s->flags & S_INBOUND) != 0 && !ocf_yamux_bucket_take(&y->resets, now_ns)) {
    flooded(y);
    return;
  }
  s->flags = (uint8_t)((s->flags | S_DEAD) & ~S_WANT);
  if ((s->flags & S_RELEASED) == 0)
    due_reset(y, s, OCF_ERESET, h->type == TYPE_WINDOW ? h->length : 0);
  ocf_yamux_stream_gone(y, s);
}

/* False when the stream takes no body: `s` may be freed. */
static bool data_frame(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                       const struct header *h)
{
  if (h->length == 0)
    return true;
  if (h->length > s->recv_window) {
    broken(y);
    return false;
  }
  s->recv_window -= h->length;
  if ((s->flags & S_REMOTE_FIN) == 0)
    return true;
  if ((s->flags & S_INBOUND) != 0 && !ocf_yamux_bucket_take(&y->resets, now_ns)) {
    flooded(y);
    return false;
  }
  if ((s->flags & S_RELEASED) == 0) /* data after its end: only this stream's user is cheated */
    due_reset(y, s, OCF_EPROTO, OCF_YAMUX_STREAM_PROTOCOL_VIOLATION);
  ocf_yamux_stream_kill(y, s, OCF_YAMUX_STREAM_PROTOCOL_VIOLATION);
  return false;
}

static void fin_frame(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  if ((s->flags & S_REMOTE_FIN) != 0)
    return;
  s->flags |= S_REMOTE_FIN;
  if (y->rx == s)
    y->due |= DUE_FIN;
  ocf_yamux_stream_unpend(s, PEND_WINDOW); /* nobody is left to use it */
  ocf_yamux_stream_maybe_gone(y, s);
}

static bool is_empty(const struct header *h)
{
  return h->length == 0 && (h->flags & (FLAG_SYN | FLAG_ACK | FLAG_FIN | FLAG_RST)) == 0;
}

static void unknown_frame(struct ocf_yamux *y, const struct header *h)
{
  y->st.unknown_frames++;
  if (h->type != TYPE_DATA)
    return;
  y->st.unknown_bytes += h->length;
  if (h->length > y->cfg.window_max) /* no stream of ours ever offered so much */
    broken(y);
}

static void stream_frame(struct ocf_yamux *y, uint64_t now_ns, const struct header *h)
{
  struct ocf_yamux_stream *s;
  if (h->id == 0) {
    broken(y);
    return;
  }
  if (is_empty(h) && !ocf_yamux_bucket_take(&y->empty, now_ns)) {
    flooded(y);
    return;
  }
  if (h->type == TYPE_DATA)
    y->body_left = h->length;
  if ((h->flags & FLAG_SYN) != 0) {
    s = syn_frame(y, now_ns, h);
    if (s == NULL)
      return;
    y->due |= DUE_OPENED;
  } else {
    s = ocf_yamux_table_find(&y->table, h->id);
    if (s == NULL || (s->flags & S_DEAD) != 0) {
      unknown_frame(y, h);
      return;
    }
  }
  if ((h->flags & FLAG_ACK) != 0)
    ocf_yamux_stream_acked(y, s);
  if ((h->flags & FLAG_RST) != 0) {
    rst_frame(y, now_ns, s, h);
    return;
  }
  if (h->type == TYPE_WINDOW) {
    y->st.window_updates_in++;
    if ((s->flags & S_LOCAL_FIN) == 0)
      ocf_yamux_stream_add_window(y, s, h->length);
  } else if (!data_frame(y, now_ns, s, h)) {
    return;
  }
  if ((s->flags & S_RELEASED) == 0)
    y->rx = s;
  if ((h->flags & FLAG_FIN) != 0)
    fin_frame(y, s);
}

static void frame(struct ocf_yamux *y, uint64_t now_ns, const uint8_t *p)
{
  struct header h = { p[0], p[1], ocf_get_be16(p + 2), ocf_get_be32(p + 4), ocf_get_be32(p + 8) };
  OCF_ASSERT(y->body_left == 0 && y->due == 0);
  y->st.rx_frames++;
  y->rx = NULL;
  if (h.version != 0 || h.type > TYPE_GOAWAY)
    broken(y);
  else if (h.type == TYPE_PING)
    ping_frame(y, now_ns, &h);
  else if (h.type == TYPE_GOAWAY)
    ocf_yamux_session_die(y, h.length == OCF_YAMUX_NORMAL ? OCF_EEOF : OCF_ERESET, h.length, false);
  else
    stream_frame(y, now_ns, &h);
}

/* Takes one header off `in`, or what there is of it. False when more input is needed. */
static bool take_frame(struct ocf_yamux *y, uint64_t now_ns, struct ocf_bytes *in)
{
  const uint8_t *p = in->p;
  size_t n = OCF_YAMUX_HEADER - y->n_hdr;
  if (y->n_hdr != 0 || in->n < OCF_YAMUX_HEADER) {
    n = OCF_MIN(n, in->n);
    if (n != 0)
      memcpy(y->hdr + y->n_hdr, in->p, n);
    y->n_hdr = (uint8_t)(y->n_hdr + n);
    p = y->hdr;
  }
  in->p += n;
  in->n -= n;
  if (p == y->hdr && y->n_hdr < OCF_YAMUX_HEADER)
    return false;
  y->n_hdr = 0;
  frame(y, now_ns, p);
  return true;
}

static bool due(struct ocf_yamux *y, uint8_t bit)
{
  bool is = (y->due & bit) != 0;
  y->due &= (uint8_t)~bit;
  return is;
}

/* Reports what the last frame or a call made due. False: nothing, for now. */
static bool next_due(struct ocf_yamux *y, struct ocf_yamux_event *ev)
{
  *ev = (struct ocf_yamux_event){ .kind = OCF_YAMUX_EV_OPENED };
  if (due(y, DUE_OPENED))
    ev->stream = y->rx;
  else if (due(y, DUE_RESET)) /* before all that lets the caller end the session */
    ev->kind = OCF_YAMUX_EV_RESET;
  else if (due(y, DUE_RTT))
    ev->kind = OCF_YAMUX_EV_RTT;
  else if (due(y, DUE_CAN_OPEN))
    ev->kind = OCF_YAMUX_EV_CAN_OPEN;
  else if (due(y, DUE_DRAINED))
    ev->kind = OCF_YAMUX_EV_DRAINED;
  else if (y->body_left == 0 && due(y, DUE_FIN))
    ev->kind = OCF_YAMUX_EV_FIN;
  else
    return false;
  ev->rtt_ns = ev->kind == OCF_YAMUX_EV_RTT ? y->rtt_sample_ns : 0;
  if (ev->kind == OCF_YAMUX_EV_RESET || ev->kind == OCF_YAMUX_EV_FIN)
    ev->stream = y->rx;
  if (ev->stream != NULL)
    ev->user = ev->stream->user;
  if (ev->kind == OCF_YAMUX_EV_RESET) {
    ev->err = y->reset_err;
    ev->code = y->reset_code;
    y->rx = NULL; /* the rest of its frame, if any, is nobody's */
  } else if (ev->kind == OCF_YAMUX_EV_FIN) {
    y->rx = NULL;
    ocf_yamux_stream_maybe_gone(y, ev->stream); /* its handle is still out, so it is not freed */
  }
  return true;
}

/* Takes the next piece of a data body. True when it is somebody's. */
static bool next_data(struct ocf_yamux *y, struct ocf_bytes *in, struct ocf_yamux_event *ev)
{
  struct ocf_bytes body = ocf_bytes(in->p, OCF_MIN(in->n, y->body_left));
  struct ocf_yamux_stream *s = y->rx;
  in->p += body.n;
  in->n -= body.n;
  y->body_left -= (uint32_t)body.n;
  y->st.rx_bytes += body.n;
  if (s == NULL)
    return false;
  s->held += (uint32_t)body.n;
  y->st.held_bytes += body.n;
  *ev = (struct ocf_yamux_event){
    .kind = OCF_YAMUX_EV_DATA, .stream = s, .user = s->user, .data = body
  };
  return true;
}

bool ocf_yamux_next(struct ocf_yamux *y, uint64_t now_ns, struct ocf_bytes *in,
                    struct ocf_yamux_event *ev)
{
  struct ocf_yamux_event e;
  if (in->n != 0)
    y->last_rx_ns = now_ns;
  while (!y->dead) {
    if (y->due != 0 && next_due(y, &e)) {
      *ev = e;
      return true;
    }
    if (in->n == 0)
      return false;
    if (y->body_left != 0) {
      if (next_data(y, in, ev))
        return true;
    } else {
      (void)take_frame(y, now_ns, in); /* an incomplete header has taken all of the input */
    }
  }
  return next_obituary(y, in, ev);
}

/* ---- liveness ---------------------------------------------------------------------------------
 */

uint64_t ocf_yamux_deadline(const struct ocf_yamux *y)
{
  if (y->dead)
    return OCF_TIME_NEVER;
  uint64_t t = OCF_TIME_NEVER;
  if (y->ping_out)
    t = ocf_time_add(y->ping_sent_ns, y->cfg.ping_timeout_ns);
  else if (!y->ping_due && y->cfg.keepalive_ns != 0)
    t = ocf_time_min(y->next_rtt_ns, ocf_time_add(y->last_rx_ns, y->cfg.keepalive_ns));
  else if (!y->ping_due)
    t = y->next_rtt_ns;
  if (!ocf_list_empty(&y->linger)) {
    const struct ocf_yamux_stream *s =
        OCF_LIST_ENTRY(y->linger.next, struct ocf_yamux_stream, wait);
    t = ocf_time_min(t, s->since_ns);
  }
  return t;
}

static void tick_linger(struct ocf_yamux *y, uint64_t now_ns)
{
  while (!ocf_list_empty(&y->linger)) {
    struct ocf_yamux_stream *s = OCF_LIST_ENTRY(y->linger.next, struct ocf_yamux_stream, wait);
    if (s->since_ns > now_ns)
      return;
    ocf_yamux_stream_kill(y, s, OCF_YAMUX_STREAM_NO_REASON);
  }
}

void ocf_yamux_tick(struct ocf_yamux *y, uint64_t now_ns)
{
  if (y->dead)
    return;
  tick_linger(y, now_ns);
  if (y->ping_out && now_ns >= ocf_time_add(y->ping_sent_ns, y->cfg.ping_timeout_ns)) {
    if (y->last_rx_ns <= y->ping_sent_ns) {
      ocf_yamux_session_die(y, OCF_ETIME, OCF_YAMUX_NORMAL, false);
      return;
    }
    y->ping_out = false; /* the answer is lost, but the peer is not */
    y->ping_value++;
  }
  if (y->ping_out || y->ping_due)
    return;
  bool silent =
      y->cfg.keepalive_ns != 0 && now_ns >= ocf_time_add(y->last_rx_ns, y->cfg.keepalive_ns);
  y->ping_due = silent || now_ns >= y->next_rtt_ns;
}

uint64_t ocf_yamux_rtt(const struct ocf_yamux *y)
{
  return y->rtt_ns;
}

const struct ocf_yamux_stats *ocf_yamux_stats(const struct ocf_yamux *y)
{
  return &y->st;
}
