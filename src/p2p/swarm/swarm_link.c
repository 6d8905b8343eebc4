#include "p2p/swarm/swarm_int.h"

struct ocf_link *ocf_swarm_link_new(struct ocf_swarm *sw)
{
  struct ocf_link *l = OCF_NEW(sw->cfg.a, struct ocf_link);
  if (l == NULL)
    return NULL;
  l->sw = sw;
  l->timer.kind = TIMER_LINK;
  ocf_list_init(&l->jobs);
  ocf_list_push_back(&sw->links, &l->all);
  sw->n_links++;
  return l;
}

void ocf_swarm_link_free(struct ocf_link *l)
{
  ocf_swarm_jobs_drop(l);
  ocf_wheel_stop(&l->sw->wheel, &l->timer);
  ocf_conn_free(l->conn);
  OCF_DELETE(l->sw->cfg.a, l);
}

size_t ocf_swarm_link_node_streams(const struct ocf_link *l)
{
  size_t n = ocf_conn_n_streams(l->conn);
  return n > l->n_jobs ? n - l->n_jobs : 0;
}

static void add_stats(struct ocf_swarm *sw, const struct ocf_conn *c)
{
  const struct ocf_conn_stats *st = ocf_conn_stats(c);
  sw->st.rx_bytes += st->rx_bytes;
  sw->st.tx_bytes += st->tx_bytes;
  sw->st.streams_in += st->streams_in;
  sw->st.streams_out += st->streams_out;
  sw->st.streams_refused += st->streams_refused;
  uint64_t in, out;
  ocf_conn_resets(c, &in, &out);
  sw->st.resets[0] += out;
  sw->st.resets[1] += in;
}

static void handshake_over(struct ocf_link *l)
{
  l->sw->n_handshakes--;
  l->sw->n_far_handshakes -= l->loopback ? 0 : 1;
}

/* Out of every list and count; what the driver may still look at stays. */
static void link_leave(struct ocf_link *l)
{
  struct ocf_swarm *sw = l->sw;
  OCF_ASSERT(l->state != LINK_CLOSED);
  if (l->gated)
    ocf_swarm_gate_leave(sw, &l->remote);
  if (l->inbound && l->state == LINK_HANDSHAKE)
    handshake_over(l);
  if (l->state == LINK_UP)
    sw->st.n_up[l->inbound]--;
  if (sw->cur == l)
    sw->cur = NULL;
  if (l->conn != NULL) {
    add_stats(sw, l->conn);
    ocf_swarm_jobs_drop(l);
    ocf_conn_abort(l->conn, OCF_ECANCELED, NULL); /* it has nothing to send any more */
  }
  ocf_wheel_stop(&sw->wheel, &l->timer);
  ocf_list_remove(&l->tx_link);
  ocf_list_remove(&l->all);
  ocf_list_remove(&l->peer_link);
  sw->n_links--;
  sw->n_local -= l->local_in ? 1 : 0;
  l->peer = NULL;
  l->addr = NULL;
  l->state = LINK_CLOSED;
}

void ocf_swarm_link_finish(struct ocf_link *l)
{
  struct ocf_swarm *sw = l->sw;
  link_leave(l);
  if (l->fx == FX_DIAL) { /* the driver has not heard of it */
    ocf_list_remove(&l->fx_link);
    ocf_swarm_link_free(l);
    return;
  }
  l->fx = FX_CLOSE;
  ocf_list_push_back(&sw->effects, &l->fx_link);
}

void ocf_swarm_link_abort(struct ocf_link *l, int err, const char *why)
{
  ocf_conn_abort(l->conn, err, why);
}

void ocf_swarm_link_arm(struct ocf_link *l)
{
  uint64_t t = ocf_conn_deadline(l->conn);
  if (t == OCF_TIME_NEVER)
    return;
  if (!ocf_timer_pending(&l->timer) || t < l->timer.deadline_ns)
    ocf_wheel_start(&l->sw->wheel, &l->timer, t);
}

void ocf_swarm_link_timer(struct ocf_link *l)
{
  if (l->state == LINK_DIALLING) {
    l->sw->st.dial_results[OCF_SWARM_RES_TIMEOUT]++;
    ocf_swarm_dial_failed(l, OCF_ETIME);
    ocf_swarm_link_finish(l);
    return;
  }
  ocf_conn_tick(l->conn, l->sw->now_ns);
  if (ocf_conn_deadline(l->conn) > l->sw->now_ns)
    ocf_swarm_link_arm(l); /* else its events are due, and it is armed after them */
}

/* --- the driver's side --- */

/* An accepted socket that has said nothing for a while makes room for a new one. */
static bool evict_silent(struct ocf_swarm *sw)
{
  struct ocf_link *worst = NULL;
  OCF_LIST_FOREACH (it, &sw->links) {
    struct ocf_link *l = LINK_OF(it, all);
    if (!l->inbound || l->loopback || l->state != LINK_HANDSHAKE)
      continue;
    if (worst == NULL || ocf_conn_last_rx_ns(l->conn) < ocf_conn_last_rx_ns(worst->conn))
      worst = l;
  }
  if (worst == NULL || sw->now_ns - ocf_conn_last_rx_ns(worst->conn) < OCF_NS_PER_S)
    return false;
  sw->st.handshake_failed++;
  sw->st.handshake_results[1][OCF_SWARM_RES_TIMEOUT]++;
  ocf_swarm_link_finish(worst);
  return true;
}

static int admit(struct ocf_swarm *sw, const struct ocf_ip_addr *remote, bool loopback)
{
  if (sw->draining)
    return OCF_ESTATE;
  /* A crowd on this machine must not shut out the others, nor they it. */
  bool full = loopback ? sw->n_local >= sw->cfg.local_conns_max
                       : sw->n_links - sw->n_local >= sw->cfg.conns_max;
  if (!full && !loopback && sw->n_far_handshakes >= sw->cfg.handshakes_max) {
    full = !evict_silent(sw);
    sw->st.refused_handshakes += full ? 1 : 0;
  }
  if (full) {
    sw->st.refused_full++;
    return OCF_ELIMIT;
  }
  return loopback ? 0 : ocf_swarm_gate_enter(sw, remote);
}

static int link_connected(struct ocf_link *l, enum ocf_conn_role role,
                          const struct ocf_ip_addr *remote, const struct ocf_ip_addr *local)
{
  struct ocf_swarm *sw = l->sw;
  int err = ocf_conn_new(&sw->cfg.conn, sw->now_ns, role,
                         role == OCF_CONN_DIALLER ? &l->peer->id : NULL, &l->conn);
  if (err != 0)
    return err;
  ocf_conn_set_user(l->conn, l);
  if (remote != NULL)
    l->remote = *remote;
  if (local != NULL)
    l->local = *local;
  l->loopback = ocf_ip_addr_is_loopback(&l->remote);
  l->state = LINK_HANDSHAKE;
  l->connected_ns = sw->now_ns;
  ocf_swarm_link_arm(l);
  return 0;
}

int ocf_swarm_accept(struct ocf_swarm *sw, uint64_t now_ns, void *handle,
                     const struct ocf_ip_addr *remote, const struct ocf_ip_addr *local,
                     struct ocf_link **out)
{
  sw->now_ns = now_ns;
  bool loopback = ocf_ip_addr_is_loopback(remote);
  int err = admit(sw, remote, loopback);
  if (err != 0) {
    sw->st.refused_memory += err == OCF_ENOMEM ? 1 : 0;
    return err;
  }
  struct ocf_link *l = ocf_swarm_link_new(sw);
  err = l != NULL ? 0 : OCF_ENOMEM;
  if (err == 0) {
    l->inbound = true;
    l->handle = handle;
    l->gated = !loopback;
    l->local_in = loopback;
    sw->n_local += loopback ? 1 : 0;
    l->state = LINK_DIALLING; /* not counted as a handshake until it is one */
    err = link_connected(l, OCF_CONN_LISTENER, remote, local);
    if (err != 0) {
      l->remote = *remote;
      link_leave(l);
      ocf_swarm_link_free(l);
    }
  } else if (!loopback) {
    ocf_swarm_gate_leave(sw, remote);
  }
  if (err != 0) {
    sw->st.refused_memory++;
    return err;
  }
  sw->n_handshakes++;
  sw->n_far_handshakes += loopback ? 0 : 1;
  sw->st.accepted++;
  *out = l;
  return 0;
}

void ocf_swarm_dialled(struct ocf_swarm *sw, uint64_t now_ns, struct ocf_link *l, int err,
                       const struct ocf_ip_addr *remote, const struct ocf_ip_addr *local)
{
  sw->now_ns = now_ns;
  if (l->state == LINK_CLOSED) { /* given up meanwhile; its CLOSE is still to be shown */
    if (err == 0)
      return;
    ocf_list_remove(&l->fx_link);
    ocf_swarm_link_free(l);
    return;
  }
  OCF_ASSERT(l->state == LINK_DIALLING);
  sw->st.dial_results[ocf_swarm_result_of(err)]++;
  if (err == 0) {
    int e = link_connected(l, OCF_CONN_DIALLER, remote, local);
    if (e != 0) {
      ocf_swarm_dial_failed(l, e);
      ocf_swarm_link_finish(l);
    }
    return;
  }
  ocf_swarm_dial_failed(l, err);
  link_leave(l);
  ocf_swarm_link_free(l);
}

void ocf_link_set_handle(struct ocf_link *l, void *handle)
{
  l->handle = handle;
}

void *ocf_link_handle(const struct ocf_link *l)
{
  return l->handle;
}

static bool alive(const struct ocf_link *l)
{
  return l->state == LINK_HANDSHAKE || l->state == LINK_UP;
}

uint8_t *ocf_link_rx_space(struct ocf_link *l, size_t *cap)
{
  *cap = 0;
  return alive(l) ? ocf_conn_rx_space(l->conn, cap) : NULL;
}

void ocf_link_rx(struct ocf_link *l, uint64_t now_ns, size_t n)
{
  l->sw->now_ns = now_ns;
  if (alive(l))
    ocf_conn_rx(l->conn, now_ns, n);
}

void ocf_link_rx_end(struct ocf_link *l, uint64_t now_ns, int err)
{
  l->sw->now_ns = now_ns;
  if (alive(l))
    ocf_conn_rx_end(l->conn, now_ns, err);
}

size_t ocf_link_tx(struct ocf_link *l, struct ocf_bytes *iov, size_t cap)
{
  return alive(l) ? ocf_conn_tx(l->conn, iov, cap) : 0;
}

void ocf_link_tx_done(struct ocf_link *l, uint64_t now_ns, size_t n)
{
  l->sw->now_ns = now_ns;
  if (!alive(l))
    return;
  ocf_conn_tx_done(l->conn, now_ns, n);
  ocf_swarm_link_arm(l);
}

struct ocf_link *ocf_swarm_tx_next(struct ocf_swarm *sw, uint64_t now_ns)
{
  struct ocf_list *n;
  sw->now_ns = now_ns;
  while ((n = ocf_list_pop_front(&sw->tx)) != NULL) {
    struct ocf_link *l = LINK_OF(n, tx_link);
    struct ocf_bytes v;
    ocf_conn_flush(l->conn, now_ns);
    ocf_swarm_link_arm(l);
    if (ocf_conn_tx(l->conn, &v, 1) > 0)
      return l;
  }
  return NULL;
}

/* --- events of a connection --- */

/* Whether `a` is the one that both ends keep. Two connections that were made at the same time from
 * both sides are seen in either order, so then the smaller id's dial counts as the older. */
static bool preferred(const struct ocf_link *a, const struct ocf_link *b)
{
  uint64_t apart =
      a->since_ns > b->since_ns ? a->since_ns - b->since_ns : b->since_ns - a->since_ns;
  if (a->inbound == b->inbound || apart > SWARM_SIMULTANEOUS_NS)
    return a->since_ns < b->since_ns;
  bool we_are_smaller = ocf_peerid_cmp(&a->sw->self, &a->peer->id) < 0;
  return a->inbound != we_are_smaller;
}

static void enlist(struct peer *p, struct ocf_link *l)
{
  struct ocf_list *at = &p->links;
  OCF_LIST_FOREACH (it, &p->links) {
    if (preferred(l, LINK_OF(it, peer_link)))
      break;
    at = it;
  }
  ocf_list_insert_after(at, &l->peer_link);
  p->n_links++;
}

static int prove(struct ocf_link *l, struct peer **out)
{
  struct ocf_swarm *sw = l->sw;
  const struct ocf_peerid *id = ocf_conn_peer(l->conn);
  if (ocf_peerid_eq(id, &sw->self))
    return OCF_EINVAL;
  int err = ocf_swarm_peer_get(sw, id, out);
  if (err == 0 && (*out)->n_links >= sw->cfg.per_peer_max)
    err = OCF_ELIMIT;
  return err;
}

static void log_link(const struct ocf_link *l, const char *msg, int err, const char *why)
{
  char ip[OCF_IP_ADDR_TEXT_SIZE], id[OCF_PEERID_TEXT_SIZE] = "";
  if (!ocf_log_on(l->sw->cfg.log, "swarm", OCF_LOG_DEBUG))
    return;
  if (l->peer != NULL)
    (void)ocf_peerid_text(&l->peer->id, id);
  OCF_LOGF(l->sw->cfg.log, "swarm", OCF_LOG_DEBUG, msg,
           OCF_LOG_STR("remote", ocf_ip_addr_text(&l->remote, ip)), OCF_LOG_STR("peer", id),
           OCF_LOG_BOOL("inbound", l->inbound), OCF_LOG_ERR("err", err), OCF_LOG_STR("why", why));
}

static bool on_up(struct ocf_link *l, struct ocf_swarm_event *ev)
{
  struct ocf_swarm *sw = l->sw;
  struct peer *p = NULL;
  int err = prove(l, &p);
  if (err != 0) {
    ocf_swarm_link_abort(l, err,
                         err == OCF_EINVAL ? "the peer is ourselves" : "too many connections");
    return false;
  }
  OCF_ASSERT(l->peer == NULL || l->peer == p); /* a dial proves whom it expects */
  if (l->inbound) {
    handshake_over(l);
    sw->st.conns_in++;
  } else {
    sw->n_dials--;
    p->n_attempts--;
    sw->st.conns_out++;
  }
  l->peer = p;
  l->state = LINK_UP;
  l->since_ns = l->used_ns = sw->now_ns;
  sw->st.n_up[l->inbound]++;
  sw->st.handshake_results[l->inbound][OCF_SWARM_RES_OK]++;
  ocf_swarm_keep_sample(sw, OCF_SWARM_HANDSHAKE_TIME, l->inbound, sw->now_ns - l->connected_ns);
  enlist(p, l);
  ocf_list_remove(&p->idle_link);
  ocf_swarm_dial_won(p, l);
  ocf_swarm_opens_wake(p);
  log_link(l, "connection up", 0, "");
  ocf_swarm_self_link_up(l);
  bool first = p->n_links == 1;
  if (first)
    sw->n_connected++;
  ocf_swarm_care_trim(sw);
  if (!first)
    return false;
  ev->type = OCF_SWARM_PEER_UP;
  return true;
}

/* What identify told outlives the connection for a while, in part. */
static void age_addrs(struct peer *p)
{
  size_t n = 0;
  OCF_LIST_FOREACH_SAFE (it, &p->addrs) {
    struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    if (a->src != OCF_SWARM_SRC_IDENTIFY && a->src != OCF_SWARM_SRC_IDENTIFY_SIGNED)
      continue;
    if (++n > SWARM_AFTER_DOWN_ADDRS)
      ocf_swarm_addr_free(p, a);
    else
      a->expires_ns = ocf_time_add(p->sw->now_ns, SWARM_AFTER_DOWN_NS);
  }
}

static void forget_info(struct peer *p)
{
  p->identified = false;
  ocf_alloc_put(p->sw->cfg.a, p->info, p->n_info);
  p->info = NULL;
  p->n_info = p->n_agent = 0;
}

static bool on_down(struct ocf_link *l, const struct ocf_conn_event *ce, struct ocf_swarm_event *ev)
{
  struct ocf_swarm *sw = l->sw;
  struct peer *p = l->peer;
  bool was_up = l->state == LINK_UP;
  log_link(l, was_up ? "connection down" : "handshake failed", ce->err, ce->why);
  if (!was_up) {
    sw->st.handshake_failed++;
    sw->st.handshake_results[l->inbound][ocf_swarm_result_of(ce->err)]++;
    if (!l->inbound)
      ocf_swarm_dial_failed(l, ce->err);
    ocf_swarm_link_finish(l);
    return false;
  }
  ocf_swarm_link_finish(l);
  p->n_links--;
  bool last = p->n_links == 0;
  if (last) {
    sw->n_connected--;
    forget_info(p);
    age_addrs(p);
    ocf_swarm_dial_peer_down(p);
    ocf_swarm_show_peer(sw, &p->id, ev);
    ev->type = OCF_SWARM_PEER_DOWN;
    ev->err = ce->err;
    if (!ocf_list_empty(&p->opens) && ocf_swarm_dial_start(p, false) != 0)
      ocf_swarm_opens_fail(p, ce->err != 0 ? ce->err : OCF_EEOF);
  } else {
    ocf_swarm_opens_wake(p);
  }
  ocf_swarm_peer_settle(p);
  return last;
}

static bool on_stream(struct ocf_link *l, const struct ocf_conn_event *ce,
                      struct ocf_swarm_event *ev)
{
  static const enum ocf_swarm_event_type map[] = {
    [OCF_CONN_STREAM_IN] = OCF_SWARM_STREAM_IN, [OCF_CONN_STREAM_UP] = OCF_SWARM_STREAM_UP,
    [OCF_CONN_DATA] = OCF_SWARM_DATA,           [OCF_CONN_FIN] = OCF_SWARM_FIN,
    [OCF_CONN_WRITABLE] = OCF_SWARM_WRITABLE,   [OCF_CONN_STREAM_GONE] = OCF_SWARM_STREAM_GONE,
  };
  bool ours = ocf_stream_kind(ce->stream) != JOB_NODE ||
              (ce->type == OCF_CONN_STREAM_IN && ce->proto >= l->sw->cfg.n_protos);
  if (ours)
    return ocf_swarm_self_event(l, ce, ev);
  l->used_ns = l->sw->now_ns;
  ev->type = map[ce->type];
  ev->stream = ce->stream;
  ev->user = ocf_stream_user(ce->stream);
  ev->proto = ce->proto;
  ev->data = ce->data;
  ev->err = ce->err;
  ev->code = ce->code;
  return true;
}

bool ocf_swarm_link_event(struct ocf_link *l, const struct ocf_conn_event *ce,
                          struct ocf_swarm_event *ev)
{
  bool show = false;
  *ev = (struct ocf_swarm_event){ 0 };
  switch (ce->type) {
  case OCF_CONN_UP: show = on_up(l, ev); break;
  case OCF_CONN_DOWN: return on_down(l, ce, ev);
  case OCF_CONN_CAN_OPEN: ocf_swarm_opens_wake(l->peer); break;
  case OCF_CONN_STREAM_IN:
  case OCF_CONN_STREAM_UP:
  case OCF_CONN_DATA:
  case OCF_CONN_FIN:
  case OCF_CONN_WRITABLE:
  case OCF_CONN_STREAM_GONE: show = on_stream(l, ce, ev); break;
  }
  if (show)
    ocf_swarm_show_peer(l->sw, &l->peer->id, ev);
  return show;
}
