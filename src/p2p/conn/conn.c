#include "p2p/conn/conn_int.h"

#include <string.h>

void ocf_conn_config_init(struct ocf_conn_config *cfg)
{
  *cfg = (struct ocf_conn_config){
    .streams_in_max = 1024,
    .streams_max = 4096,
    .negotiating_in_max = 256,
    .tx_bytes_max = 256 * 1024,
    .rx_window_bytes_max = 16 * 1024 * 1024,
    .rx_stream_bytes_max = 16 * 1024 * 1024,
    .upgrade_ns = 15 * OCF_NS_PER_S,
    .negotiate_ns = 10 * OCF_NS_PER_S,
    .keepalive_ns = 30 * OCF_NS_PER_S,
    .keepalive_wait_ns = 10 * OCF_NS_PER_S,
    .stall_ns = 20 * OCF_NS_PER_S,
  };
}

void ocf_conn_mark(struct ocf_conn *c)
{
  if (!ocf_list_linked(&c->dirty_link) && c->phase != CONN_IS_DOWN)
    ocf_list_push_back(&c->cfg->pool->dirty, &c->dirty_link);
}

int ocf_conn_new(const struct ocf_conn_config *cfg, uint64_t now_ns, enum ocf_conn_role role,
                 const struct ocf_peerid *expect, struct ocf_conn **out)
{
  if (cfg->a == NULL || cfg->rng == NULL || cfg->pool == NULL || cfg->noise == NULL)
    return OCF_EINVAL;
  struct ocf_conn *c = OCF_NEW(cfg->a, struct ocf_conn);
  if (c == NULL)
    return OCF_ENOMEM;
  c->cfg = cfg;
  c->role = role;
  c->now_ns = c->last_rx_ns = now_ns;
  c->phase_deadline_ns = ocf_time_add(now_ns, cfg->upgrade_ns);
  c->stall_deadline_ns = OCF_TIME_NEVER;
  c->why = "";
  if (expect != NULL)
    c->peer = *expect;
  ocf_list_init(&c->streams);
  ocf_list_init(&c->talks);
  ocf_list_init(&c->neg_tx);
  ocf_list_init(&c->ending);
  int err = ocf_conn_up_start(c);
  if (err != 0) {
    ocf_conn_free(c);
    return err;
  }
  ocf_conn_mark(c);
  *out = c;
  return 0;
}

void ocf_conn_free(struct ocf_conn *c)
{
  if (c == NULL)
    return;
  ocf_list_remove(&c->dirty_link);
  struct ocf_list *n;
  while ((n = ocf_list_pop_front(&c->streams)) != NULL)
    ocf_conn_stream_free(OCF_LIST_ENTRY(n, struct ocf_stream, link));
  OCF_ASSERT(c->n_streams == 0);
  ocf_yamux_free(c->y);
  ocf_conn_up_free(c);
  ocf_conn_rx_drop(c);
  ocf_conn_tx_drop(c);
  if (c->was_up || c->key.pb != NULL) {
    ocf_pubkey_fini(&c->key);
    ocf_noise_tx_fini(&c->seal);
    ocf_noise_rx_fini(&c->open);
  }
  OCF_DELETE(c->cfg->a, c);
}

void ocf_conn_doom(struct ocf_conn *c, int err, const char *why, uint32_t code)
{
  if (c->doomed)
    return;
  c->doomed = true;
  c->down_err = err;
  c->why = why != NULL ? why : "";
  if (c->y != NULL)
    ocf_yamux_abort(c->y, code); /* its events end the streams, then the session */
  else
    c->phase = CONN_OVER;
  ocf_conn_mark(c);
}

/* --- events --- */

static const char *session_why(int err)
{
  switch (err) {
  case OCF_EEOF:
  case OCF_ERESET: return "the peer closed the session";
  case OCF_ETIME: return "the peer did not answer a keep-alive ping";
  case OCF_ELIMIT: return "the peer flooded the session";
  default: return "the peer broke the muxer's protocol";
  }
}

static void session_over(struct ocf_conn *c, const struct ocf_yamux_event *ye)
{
  if (!c->doomed) {
    c->doomed = true;
    c->down_err = ye->err == OCF_ERESET ? OCF_EEOF : ye->err;
    c->why = session_why(ye->err);
  }
  c->phase = CONN_OVER;
  c->phase_deadline_ns = ocf_time_add(c->now_ns, CONN_END_NS);
}

static bool on_session(struct ocf_conn *c, const struct ocf_yamux_event *ye,
                       struct ocf_conn_event *ev)
{
  switch (ye->kind) {
  case OCF_YAMUX_EV_OPENED:
  case OCF_YAMUX_EV_DATA:
  case OCF_YAMUX_EV_FIN:
  case OCF_YAMUX_EV_RESET: return ocf_conn_stream_event(c, ye, ev);
  case OCF_YAMUX_EV_CAN_OPEN: ev->type = OCF_CONN_CAN_OPEN; return true;
  case OCF_YAMUX_EV_RTT: return false;
  case OCF_YAMUX_EV_DRAINED: ocf_conn_doom(c, 0, "closed by us", OCF_YAMUX_SHUTDOWN); return false;
  case OCF_YAMUX_EV_DEAD: session_over(c, ye); return false;
  }
  return false;
}

/* The transport has ended and all whole frames are taken. */
static void at_eof(struct ocf_conn *c)
{
  bool early = c->phase < CONN_OPEN;
  int err = c->rx_err == 0 || c->rx_err == OCF_ERESET ? OCF_EEOF : c->rx_err;
  ocf_conn_doom(c, err,
                early ? "the connection ended during the handshake" : "the connection ended", 0);
}

/* One event out of the session; false when it has none. */
static bool session_next(struct ocf_conn *c, struct ocf_conn_event *ev)
{
  struct ocf_yamux_event ye;
  while (c->phase == CONN_OPEN) {
    while (ocf_yamux_next(c->y, c->now_ns, &c->plain, &ye)) {
      if (on_session(c, &ye, ev))
        return true;
      if (c->phase != CONN_OPEN)
        return false;
    }
    if (ocf_conn_open_frame(c) || c->doomed)
      continue; /* a doomed session's last events come without input */
    if (!c->rx_eof)
      return ocf_conn_stream_writable(c, ev);
    at_eof(c);
  }
  return false;
}

static bool down_due(const struct ocf_conn *c)
{
  return c->drop || c->rx_eof || !c->was_up || c->now_ns >= c->phase_deadline_ns ||
         !ocf_conn_tx_pending(c);
}

static bool next_event(struct ocf_conn *c, struct ocf_conn_event *ev)
{
  if (c->rest.n > 0) {
    ev->type = OCF_CONN_DATA;
    ev->stream = c->rest_stream;
    ev->data = c->rest;
    c->rest = ocf_bytes(NULL, 0);
    return true;
  }
  if (c->phase < CONN_OPEN) {
    ocf_conn_up_step(c);
    if (c->rx_eof && c->phase < CONN_OPEN)
      at_eof(c);
  }
  if (c->say_up) {
    c->say_up = false;
    ev->type = OCF_CONN_UP;
    return true;
  }
  if (ocf_conn_stream_gone(c, ev) || session_next(c, ev))
    return true;
  if (ocf_conn_stream_gone(c, ev)) /* the session's last words may have ended some */
    return true;
  if (c->phase != CONN_OVER || !down_due(c))
    return false;
  c->phase = CONN_IS_DOWN;
  ocf_list_remove(&c->dirty_link);
  ev->type = OCF_CONN_DOWN;
  ev->err = c->down_err;
  ev->why = c->why;
  return true;
}

bool ocf_conn_event(struct ocf_conn *c, uint64_t now_ns, struct ocf_conn_event *ev)
{
  c->now_ns = now_ns;
  if (c->zombie != NULL) {
    ocf_conn_stream_free(c->zombie);
    c->zombie = NULL;
  }
  if (c->phase == CONN_IS_DOWN)
    return false;
  *ev = (struct ocf_conn_event){ .why = "" };
  if (next_event(c, ev))
    return true;
  if (c->phase >= CONN_OVER)
    ocf_conn_rx_drop(c);
  else
    ocf_conn_rx_settle(c);
  return false;
}

/* --- time and end --- */

uint64_t ocf_conn_deadline(const struct ocf_conn *c)
{
  if (c->phase == CONN_IS_DOWN)
    return OCF_TIME_NEVER;
  uint64_t t = c->phase_deadline_ns;
  if (c->tx_bytes > 0)
    t = ocf_time_min(t, c->stall_deadline_ns);
  if (c->phase == CONN_OPEN) {
    t = ocf_time_min(t, ocf_conn_stream_deadline(c));
    t = ocf_time_min(t, ocf_yamux_deadline(c->y));
  }
  return t;
}

void ocf_conn_tick(struct ocf_conn *c, uint64_t now_ns)
{
  c->now_ns = now_ns;
  if (now_ns < ocf_conn_deadline(c))
    return;
  ocf_conn_mark(c);
  if (c->tx_bytes > 0 && now_ns >= c->stall_deadline_ns) {
    c->drop = true;
    ocf_conn_doom(c, OCF_ETIME, "the peer stopped reading from the socket", 0);
    return;
  }
  if (now_ns >= c->phase_deadline_ns && !c->doomed) {
    if (c->closing)
      ocf_conn_doom(c, 0, "closed by us", OCF_YAMUX_SHUTDOWN);
    else
      ocf_conn_doom(c, OCF_ETIME, "the handshake took too long", 0);
    return;
  }
  if (c->phase == CONN_OPEN) {
    ocf_conn_stream_timeouts(c);
    ocf_yamux_tick(c->y, now_ns);
  }
}

void ocf_conn_close(struct ocf_conn *c, uint64_t now_ns, uint64_t grace_ns)
{
  c->now_ns = now_ns;
  if (c->doomed || c->closing)
    return;
  c->closing = true;
  if (c->phase < CONN_OPEN) {
    ocf_conn_doom(c, 0, "closed by us", 0);
    return;
  }
  c->phase_deadline_ns = ocf_time_add(now_ns, grace_ns);
  ocf_yamux_drain(c->y);
  ocf_conn_mark(c);
}

void ocf_conn_abort(struct ocf_conn *c, int err, const char *why)
{
  c->drop = true;
  ocf_conn_doom(c, err, why != NULL ? why : "closed by us", 0);
  ocf_conn_mark(c);
}

/* --- what it knows --- */

bool ocf_conn_is_up(const struct ocf_conn *c)
{
  return c->phase == CONN_OPEN;
}

enum ocf_conn_role ocf_conn_role(const struct ocf_conn *c)
{
  return c->role;
}

const struct ocf_peerid *ocf_conn_peer(const struct ocf_conn *c)
{
  return ocf_peerid_is_none(&c->peer) ? NULL : &c->peer;
}

struct ocf_bytes ocf_conn_peer_key(const struct ocf_conn *c)
{
  return c->was_up ? ocf_pubkey_bytes(&c->key) : ocf_bytes(NULL, 0);
}

uint64_t ocf_conn_rtt_ns(const struct ocf_conn *c)
{
  return c->y != NULL ? ocf_yamux_rtt(c->y) : 0;
}

size_t ocf_conn_n_streams(const struct ocf_conn *c)
{
  return c->n_streams;
}

uint64_t ocf_conn_last_rx_ns(const struct ocf_conn *c)
{
  return c->last_rx_ns;
}

const struct ocf_conn_stats *ocf_conn_stats(const struct ocf_conn *c)
{
  return &c->stats;
}

void ocf_conn_resets(const struct ocf_conn *c, uint64_t *in, uint64_t *out)
{
  *in = *out = 0;
  if (c->y == NULL)
    return;
  *in = ocf_yamux_stats(c->y)->resets_in;
  *out = ocf_yamux_stats(c->y)->resets_out;
}

void ocf_conn_set_user(struct ocf_conn *c, void *user)
{
  c->user = user;
}

void *ocf_conn_user(const struct ocf_conn *c)
{
  return c->user;
}
