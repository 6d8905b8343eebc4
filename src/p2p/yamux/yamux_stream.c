/* Streams: opening, ending, their windows, and who owns what at the end. */
#include "p2p/yamux/yamux.h"

#include "p2p/yamux/yamux_int.h"

/* A blocked writer is woken for this much window or more: updates of a few bytes must not make us
 * send frames of a few bytes. It cannot wait for ever: a peer that has consumed all that we sent
 * has given back more than this. */
enum { WAKE_WINDOW = 1024 };

struct ocf_yamux_stream *ocf_yamux_stream_new(struct ocf_yamux *y, uint64_t now_ns, uint32_t id,
                                              uint8_t flags)
{
  struct ocf_yamux_stream *s = OCF_NEW(y->a, struct ocf_yamux_stream);
  if (s == NULL)
    return NULL;
  s->id = id;
  s->flags = flags;
  s->send_window = s->recv_window = s->recv_max = OCF_YAMUX_WINDOW;
  s->epoch_ns = now_ns;
  s->since_ns = OCF_TIME_NEVER;
  if (ocf_yamux_table_insert(&y->table, y->a, s) != 0) {
    OCF_DELETE(y->a, s);
    return NULL;
  }
  ocf_list_push_back(&y->open, &s->all);
  if ((flags & S_INBOUND) != 0) {
    y->st.n_inbound++;
    y->st.opened_in++;
  } else {
    y->st.n_outbound++;
    y->st.opened_out++;
    y->st.n_unacked++;
  }
  return s;
}

static bool may_open(const struct ocf_yamux *y)
{
  return y->st.n_unacked < OCF_YAMUX_UNACKED_MAX && y->st.n_outbound < y->cfg.max_outbound;
}

int ocf_yamux_open(struct ocf_yamux *y, uint64_t now_ns, void *user, struct ocf_yamux_stream **out)
{
  if (y->dead || y->draining)
    return OCF_ESTATE;
  if (y->next_id == 0)
    return OCF_ERANGE;
  if (!may_open(y)) {
    y->open_blocked = true;
    return OCF_EAGAIN;
  }
  struct ocf_yamux_stream *s = ocf_yamux_stream_new(y, now_ns, y->next_id, 0);
  if (s == NULL)
    return OCF_ENOMEM;
  y->next_id = y->next_id > UINT32_MAX - 2 ? 0 : y->next_id + 2;
  s->user = user;
  ocf_yamux_stream_pend(y, s, PEND_SYN);
  *out = s;
  return 0;
}

static void slots_freed(struct ocf_yamux *y)
{
  if (y->open_blocked && may_open(y)) {
    y->open_blocked = false;
    y->due |= DUE_CAN_OPEN;
  }
}

void ocf_yamux_stream_acked(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  if ((s->flags & (S_INBOUND | S_ACKED)) != 0)
    return; /* a second acknowledgement means nothing */
  s->flags |= S_ACKED;
  y->st.n_unacked--;
  slots_freed(y);
}

void ocf_yamux_stream_pend(struct ocf_yamux *y, struct ocf_yamux_stream *s, uint8_t pend)
{
  if (s->pend == 0)
    ocf_list_push_back(&y->ctl, &s->ctl);
  s->pend |= pend;
}

void ocf_yamux_stream_unpend(struct ocf_yamux_stream *s, uint8_t pend)
{
  s->pend &= (uint8_t)~pend;
  if (s->pend == 0)
    ocf_list_remove(&s->ctl);
}

void ocf_yamux_ack(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  OCF_ASSERT((s->flags & S_INBOUND) != 0);
  if (y->dead || (s->flags & (S_ACKED | S_DEAD | S_GONE)) != 0)
    return;
  s->flags |= S_ACKED;
  ocf_yamux_stream_pend(y, s, PEND_ACK);
}

static void stream_delete(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  OCF_ASSERT((s->flags & S_RELEASED) != 0 && (s->flags & S_GONE) != 0);
  OCF_ASSERT(y->rx != s && y->turn != s && s->pend == 0);
  ocf_list_remove(&s->all);
  OCF_DELETE(y->a, s);
}

void ocf_yamux_stream_gone(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  OCF_ASSERT((s->flags & S_GONE) == 0);
  s->flags |= S_GONE;
  ocf_yamux_table_remove(&y->table, s);
  ocf_yamux_stream_unpend(s, UINT8_MAX);
  ocf_list_remove(&s->wait);
  if (y->turn == s)
    y->turn = NULL;
  ocf_list_remove(&s->all);
  ocf_list_push_back(&y->ended, &s->all);
  y->st.growth_bytes -= s->recv_max - OCF_YAMUX_WINDOW;
  if ((s->flags & S_INBOUND) != 0)
    y->st.n_inbound--;
  else
    y->st.n_outbound--;
  if ((s->flags & (S_INBOUND | S_ACKED)) == 0)
    y->st.n_unacked--;
  slots_freed(y);
  if (y->draining && !y->drained && y->table.n == 0) {
    y->drained = true;
    y->due |= DUE_DRAINED;
  }
  if ((s->flags & S_RELEASED) != 0)
    stream_delete(y, s);
}

void ocf_yamux_stream_maybe_gone(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  const uint8_t both = S_LOCAL_FIN | S_REMOTE_FIN;
  bool fin_untold = y->rx == s && (y->due & DUE_FIN) != 0;
  if ((s->flags & both) == both && s->pend == 0 && !fin_untold)
    ocf_yamux_stream_gone(y, s);
}

void ocf_yamux_stream_kill(struct ocf_yamux *y, struct ocf_yamux_stream *s, uint32_t code)
{
  bool announced = (s->pend & PEND_SYN) == 0;
  s->flags |= S_DEAD;
  s->rst_code = code;
  s->since_ns = OCF_TIME_NEVER;
  ocf_list_remove(&s->wait);
  ocf_yamux_stream_unpend(s, UINT8_MAX);
  if (announced)
    ocf_yamux_stream_pend(y, s, PEND_RST);
  else
    ocf_yamux_stream_gone(y, s); /* the peer has never heard of it */
}

void ocf_yamux_finish(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  if (y->dead || (s->flags & (S_LOCAL_FIN | S_DEAD)) != 0)
    return;
  s->flags = (uint8_t)((s->flags | S_LOCAL_FIN) & ~S_WANT);
  s->since_ns = OCF_TIME_NEVER;
  ocf_list_remove(&s->wait);
  if (y->turn == s)
    y->turn = NULL;
  ocf_yamux_stream_pend(y, s, PEND_FIN);
}

/* The handle comes back. True when the stream is still on the wire. */
static bool release(struct ocf_yamux *y, struct ocf_yamux_stream *s)
{
  OCF_ASSERT((s->flags & S_RELEASED) == 0);
  s->flags |= S_RELEASED;
  s->user = NULL;
  y->st.held_bytes -= s->held;
  if (y->rx == s) { /* the rest of its frame is dropped */
    y->rx = NULL;
    y->due &= (uint8_t) ~(DUE_OPENED | DUE_FIN | DUE_RESET);
  }
  if (y->turn == s)
    y->turn = NULL;
  const uint8_t both = S_LOCAL_FIN | S_REMOTE_FIN;
  if ((s->flags & S_GONE) != 0)
    stream_delete(y, s);
  else if (y->dead || ((s->flags & both) == both && s->pend == 0))
    ocf_yamux_stream_gone(y, s);
  else
    return true;
  return false;
}

void ocf_yamux_close(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s)
{
  ocf_yamux_finish(y, s);
  if (!release(y, s) || (s->flags & (S_REMOTE_FIN | S_DEAD)) != 0)
    return; /* gone as soon as what is pending was sent */
  s->since_ns = ocf_time_add(now_ns, y->cfg.linger_ns);
  ocf_list_push_back(&y->linger, &s->wait);
}

void ocf_yamux_reset(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                     uint32_t code)
{
  const uint8_t both = S_LOCAL_FIN | S_REMOTE_FIN;
  (void)now_ns;
  if (release(y, s) && (s->flags & S_DEAD) == 0 && (s->flags & both) != both)
    ocf_yamux_stream_kill(y, s, code);
}

void ocf_yamux_stream_add_window(struct ocf_yamux *y, struct ocf_yamux_stream *s, uint32_t credit)
{
  /* Overflow is no offence in Go: it saturates. */
  s->send_window = credit > UINT32_MAX - s->send_window ? UINT32_MAX : s->send_window + credit;
  if ((s->flags & S_WANT) == 0 || s->send_window < WAKE_WINDOW)
    return;
  s->flags &= (uint8_t)~S_WANT;
  s->since_ns = OCF_TIME_NEVER;
  ocf_list_push_back(&y->ready, &s->wait);
}

void ocf_yamux_consumed(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s, size_t n)
{
  (void)now_ns;
  OCF_ASSERT((s->flags & S_RELEASED) == 0);
  OCF_ASSERT(n <= s->held);
  s->held -= (uint32_t)n;
  y->st.held_bytes -= n;
  if (y->dead || (s->flags & (S_DEAD | S_GONE)) != 0)
    return;
  s->credit += (uint32_t)n;
  OCF_ASSERT((uint64_t)s->recv_window + s->held + s->credit <= s->recv_max);
  if ((s->flags & S_REMOTE_FIN) == 0 && s->credit >= s->recv_max / 2)
    ocf_yamux_stream_pend(y, s, PEND_WINDOW);
}

void ocf_yamux_set_user(struct ocf_yamux_stream *s, void *user)
{
  s->user = user;
}

void *ocf_yamux_user(const struct ocf_yamux_stream *s)
{
  return s->user;
}

uint32_t ocf_yamux_id(const struct ocf_yamux_stream *s)
{
  return s->id;
}

bool ocf_yamux_is_inbound(const struct ocf_yamux_stream *s)
{
  return (s->flags & S_INBOUND) != 0;
}

uint32_t ocf_yamux_send_window(const struct ocf_yamux_stream *s)
{
  return (s->flags & (S_LOCAL_FIN | S_DEAD | S_GONE)) != 0 ? 0 : s->send_window;
}

uint32_t ocf_yamux_held(const struct ocf_yamux_stream *s)
{
  return s->held;
}

uint64_t ocf_yamux_blocked_since(const struct ocf_yamux_stream *s)
{
  return (s->flags & S_WANT) != 0 ? s->since_ns : OCF_TIME_NEVER;
}
