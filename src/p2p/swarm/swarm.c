#include "p2p/swarm/swarm_int.h"

#include <string.h>

void ocf_swarm_config_init(struct ocf_swarm_config *cfg)
{
  *cfg = (struct ocf_swarm_config){
    .conns_max = 256,
    .local_conns_max = 4096,
    .handshakes_max = 64,
    .per_peer_max = 8,
    .low_water = 160,
    .high_water = 192,
    .grace_ns = 20 * OCF_NS_PER_S,
    .surplus_idle_ns = 30 * OCF_NS_PER_S,
    .per_ip_max = 8,
    .per_net_max = 64,
    .ip_refill_ns = 5 * OCF_NS_PER_S,
    .net_refill_ns = 2 * OCF_NS_PER_S,
    .ip_burst = 16,
    .net_burst = 80,
    .dials_max = 160,
    .dials_per_peer_max = 8,
    .connect_ns = 5 * OCF_NS_PER_S,
    .dial_ns = 15 * OCF_NS_PER_S,
    .stagger_ns = 250 * OCF_NS_PER_MS,
    .backoff_min_ns = 5 * OCF_NS_PER_S,
    .backoff_max_ns = 300 * OCF_NS_PER_S,
    .static_min_ns = 5 * OCF_NS_PER_S,
    .static_max_ns = 120 * OCF_NS_PER_S,
    .opens_max = 1024,
    .book_peers_max = 4096,
    .addrs_per_peer_max = 64,
    .ping_every_ns = 30 * OCF_NS_PER_S,
    .ping_wait_ns = 10 * OCF_NS_PER_S,
    .identify_ns = 5 * OCF_NS_PER_S,
  };
  ocf_conn_config_init(&cfg->conn);
}

static bool config_ok(const struct ocf_swarm_config *c)
{
  return c->a != NULL && c->rng != NULL && c->key != NULL && c->noise != NULL && c->agent != NULL &&
         c->low_water <= c->high_water && c->per_peer_max > 0 && c->dials_per_peer_max > 0 &&
         c->backoff_min_ns > 0 && c->backoff_min_ns <= c->backoff_max_ns && c->static_min_ns > 0 &&
         c->static_min_ns <= c->static_max_ns && c->ip_burst > 0 && c->net_burst > 0;
}

static void lists_init(struct ocf_swarm *sw)
{
  ocf_list_init(&sw->peers_all);
  ocf_list_init(&sw->peers_idle);
  ocf_list_init(&sw->links);
  ocf_list_init(&sw->gates_list);
  ocf_list_init(&sw->open_done);
  ocf_list_init(&sw->notes);
  ocf_list_init(&sw->effects);
  ocf_list_init(&sw->tx);
  ocf_list_init(&sw->asks);
}

static void maps_init(struct ocf_swarm *sw)
{
  uint64_t seed[2];
  ocf_rng_secret(sw->cfg.rng, seed, sizeof(seed));
  ocf_map_init(&sw->peers, sw->cfg.a, seed, SIZE_MAX);
  ocf_map_init(&sw->gates, sw->cfg.a, seed, 2 * SWARM_GATES_MAX);
}

/* The node's protocols, then ours, in the order that swarm_self.c counts on. */
static void protos_init(struct ocf_swarm *sw)
{
  size_t n = sw->cfg.n_protos;
  if (n > 0)
    memcpy(sw->protos, sw->cfg.protos, n * sizeof(*sw->protos));
  sw->protos[n] = OCF_STR(OCF_IDENTIFY_PROTOCOL);
  sw->protos[n + 1] = OCF_STR(OCF_IDENTIFY_PUSH_PROTOCOL);
  sw->protos[n + 2] = OCF_STR(OCF_PING_PROTOCOL);
  struct ocf_conn_config *c = &sw->cfg.conn;
  c->a = sw->cfg.a;
  c->rng = sw->cfg.rng;
  c->pool = &sw->pool;
  c->noise = sw->cfg.noise;
  c->protos = sw->protos;
  c->n_protos = sw->n_protos;
}

int ocf_swarm_new(const struct ocf_swarm_config *cfg, uint64_t now_ns, struct ocf_swarm **out)
{
  if (!config_ok(cfg))
    return OCF_EINVAL;
  struct ocf_swarm *sw = OCF_NEW(cfg->a, struct ocf_swarm);
  if (sw == NULL)
    return OCF_ENOMEM;
  sw->cfg = *cfg;
  sw->n_protos = cfg->n_protos + 3;
  sw->protos = ocf_alloc_zero(cfg->a, sw->n_protos * sizeof(*sw->protos));
  sw->addrs = ocf_alloc_zero(cfg->a, SWARM_ADDRS_MAX * sizeof(*sw->addrs));
  if (sw->protos == NULL || sw->addrs == NULL) {
    ocf_alloc_put(cfg->a, sw->protos, sw->n_protos * sizeof(*sw->protos));
    ocf_alloc_put(cfg->a, sw->addrs, SWARM_ADDRS_MAX * sizeof(*sw->addrs));
    OCF_DELETE(cfg->a, sw);
    return OCF_ENOMEM;
  }
  lists_init(sw);
  maps_init(sw);
  protos_init(sw);
  ocf_conn_pool_init(&sw->pool, cfg->a, 4);
  ocf_buf_init(&sw->record[0], cfg->a, OCF_IDENTIFY_PART_MAX);
  ocf_buf_init(&sw->record[1], cfg->a, OCF_IDENTIFY_PART_MAX);
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(cfg->key)), &sw->self);
  sw->now_ns = sw->start_ns = now_ns;
  sw->seq = cfg->wall_ns;
  sw->next_ticket = 1;
  ocf_wheel_init(&sw->wheel, now_ns);
  sw->round.kind = TIMER_ROUND;
  ocf_wheel_start(&sw->wheel, &sw->round, ocf_time_add(now_ns, SWARM_ROUND_NS));
  *out = sw;
  return 0;
}

static void free_opens(struct ocf_swarm *sw)
{
  OCF_LIST_FOREACH (it, &sw->peers_all) {
    ocf_swarm_opens_fail(OCF_LIST_ENTRY(it, struct peer, all), OCF_ECANCELED);
  }
  while (!ocf_list_empty(&sw->open_done))
    ocf_swarm_open_free(sw, OCF_LIST_ENTRY(sw->open_done.next, struct open, link));
}

static void free_links(struct ocf_swarm *sw)
{
  struct ocf_list *n;
  while ((n = ocf_list_pop_front(&sw->links)) != NULL) {
    struct ocf_link *l = LINK_OF(n, all);
    ocf_list_remove(&l->fx_link);
    ocf_swarm_link_free(l);
  }
  while ((n = ocf_list_pop_front(&sw->effects)) != NULL)
    ocf_swarm_link_free(LINK_OF(n, fx_link)); /* only those whose CLOSE is due are left here */
  if (sw->closed != NULL)
    ocf_swarm_link_free(sw->closed);
}

void ocf_swarm_free(struct ocf_swarm *sw)
{
  if (sw == NULL)
    return;
  struct ocf_alloc *a = sw->cfg.a;
  free_opens(sw);
  free_links(sw);
  OCF_LIST_FOREACH_SAFE (it, &sw->peers_all) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    ocf_list_init(&p->links);
    ocf_swarm_peer_free(p);
  }
  ocf_map_fini(&sw->peers);
  ocf_swarm_gates_free(sw);
  ocf_conn_pool_fini(&sw->pool);
  ocf_buf_fini(&sw->record[0]);
  ocf_buf_fini(&sw->record[1]);
  ocf_alloc_put(a, sw->told, sw->told_size);
  ocf_alloc_put(a, sw->protos, sw->n_protos * sizeof(*sw->protos));
  ocf_alloc_put(a, sw->addrs, SWARM_ADDRS_MAX * sizeof(*sw->addrs));
  OCF_DELETE(a, sw);
}

void ocf_swarm_trim(struct ocf_swarm *sw, bool spare)
{
  ocf_conn_pool_trim(&sw->pool, spare);
  ocf_map_trim(&sw->peers);
  ocf_map_trim(&sw->gates);
}

bool ocf_swarm_keeps(const struct ocf_swarm *sw)
{
  return sw->pool.n_rx_free + sw->pool.n_tx_free > 0;
}

const struct ocf_peerid *ocf_swarm_self(const struct ocf_swarm *sw)
{
  return &sw->self;
}

/* --- our addresses --- */

struct addr_set {
  struct ocf_maddr *v;
  size_t n;
  bool cut;
};

static void add_one(struct addr_set *set, const struct ocf_maddr *m)
{
  for (size_t i = 0; i < set->n; i++)
    if (ocf_maddr_eq(&set->v[i], m))
      return;
  if (set->n == SWARM_ADDRS_MAX)
    set->cut = true;
  else
    set->v[set->n++] = *m;
}

static void add_expanded(struct addr_set *set, const struct ocf_maddr *m,
                         const struct ocf_ip_addr *ifaces, size_t n)
{
  struct ocf_ip_addr ip;
  struct ocf_maddr one;
  struct ocf_bytes rest;
  if (ocf_maddr_to_ip(m, OCF_MADDR_TCP, &ip, &rest) != 0 || !ocf_ip_addr_is_unspecified(&ip) ||
      rest.n > 0) {
    add_one(set, m);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    struct ocf_ip_addr at = ifaces[i];
    if (at.family != ip.family || at.zone[0] != '\0')
      continue; /* a link-local address means nothing to others */
    at.port = ip.port;
    ocf_maddr_from_ip(&at, OCF_MADDR_TCP, &one);
    add_one(set, &one);
  }
}

static bool same(const struct ocf_swarm *sw, const struct addr_set *set)
{
  if (set->n != sw->n_addrs)
    return false;
  for (size_t i = 0; i < set->n; i++)
    if (!ocf_maddr_eq(&set->v[i], &sw->addrs[i]))
      return false;
  return true;
}

int ocf_swarm_set_addrs(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_maddr *listen,
                        size_t n_listen, const struct ocf_ip_addr *ifaces, size_t n_ifaces,
                        const struct ocf_maddr *extra, size_t n_extra)
{
  size_t size = SWARM_ADDRS_MAX * sizeof(*sw->addrs);
  struct addr_set set = { ocf_alloc_zero(sw->cfg.a, size), 0, false };
  sw->now_ns = now_ns;
  if (set.v == NULL)
    return OCF_ENOMEM;
  for (size_t i = 0; i < n_extra; i++)
    add_one(&set, &extra[i]);
  for (size_t i = 0; i < n_listen; i++)
    add_expanded(&set, &listen[i], ifaces, n_ifaces);
  if (!same(sw, &set)) {
    memcpy(sw->addrs, set.v, set.n * sizeof(*set.v));
    sw->n_addrs = set.n;
    sw->seq = OCF_MAX(sw->seq + 1, sw->cfg.wall_ns + (now_ns - sw->start_ns));
    ocf_buf_clear(&sw->record[0]);
    ocf_buf_clear(&sw->record[1]);
    ocf_swarm_self_push(sw);
  }
  ocf_alloc_put(sw->cfg.a, set.v, size);
  return set.cut ? OCF_ELIMIT : 0;
}

size_t ocf_swarm_addrs(const struct ocf_swarm *sw, const struct ocf_maddr **out)
{
  *out = sw->addrs;
  return sw->n_addrs;
}

/* --- events and effects --- */

void ocf_swarm_note(struct peer *p, int err)
{
  p->note_err = err;
  if (!ocf_list_linked(&p->note_link))
    ocf_list_push_back(&p->sw->notes, &p->note_link);
}

void ocf_swarm_show_peer(struct ocf_swarm *sw, const struct ocf_peerid *id,
                         struct ocf_swarm_event *ev)
{
  sw->ev_peer = *id;
  ev->peer = &sw->ev_peer;
}

static bool note_next(struct ocf_swarm *sw, struct ocf_swarm_event *ev)
{
  struct ocf_list *n = ocf_list_pop_front(&sw->notes);
  if (n == NULL)
    return false;
  struct peer *p = OCF_LIST_ENTRY(n, struct peer, note_link);
  ocf_swarm_show_peer(sw, &p->id, ev);
  ev->type = OCF_SWARM_DIAL_FAILED;
  ev->err = p->note_err;
  ocf_swarm_peer_settle(p);
  return true;
}

/* Everything that a link's connection has to report. */
static bool link_events(struct ocf_swarm *sw, struct ocf_swarm_event *ev)
{
  struct ocf_conn_event ce;
  while (sw->cur != NULL && ocf_conn_event(sw->cur->conn, sw->now_ns, &ce))
    if (ocf_swarm_link_event(sw->cur, &ce, ev))
      return true;
  struct ocf_link *l = sw->cur;
  if (l == NULL)
    return false;
  sw->cur = NULL;
  ocf_swarm_link_arm(l);
  if (ocf_conn_tx_pending(l->conn) && !ocf_list_linked(&l->tx_link))
    ocf_list_push_back(&sw->tx, &l->tx_link);
  return false;
}

bool ocf_swarm_event(struct ocf_swarm *sw, uint64_t now_ns, struct ocf_swarm_event *ev)
{
  struct ocf_conn *c;
  sw->now_ns = now_ns;
  *ev = (struct ocf_swarm_event){ 0 };
  do {
    if (ocf_swarm_open_next(sw, ev) || note_next(sw, ev) || link_events(sw, ev))
      return true;
    c = ocf_conn_pool_next_dirty(&sw->pool);
    if (c != NULL) {
      struct ocf_link *l = ocf_conn_user(c);
      sw->cur = l->state == LINK_CLOSED ? NULL : l;
    }
  } while (c != NULL || !ocf_list_empty(&sw->open_done) || !ocf_list_empty(&sw->notes));
  return false;
}

bool ocf_swarm_effect(struct ocf_swarm *sw, uint64_t now_ns, struct ocf_swarm_effect *fx)
{
  sw->now_ns = now_ns;
  if (sw->closed != NULL) {
    ocf_swarm_link_free(sw->closed);
    sw->closed = NULL;
  }
  struct ocf_list *n = ocf_list_pop_front(&sw->effects);
  if (n == NULL)
    return ocf_swarm_dial_effect(sw, fx);
  struct ocf_link *l = LINK_OF(n, fx_link);
  *fx = (struct ocf_swarm_effect){
    .type = l->fx == FX_DIAL ? OCF_SWARM_DIAL : OCF_SWARM_CLOSE,
    .link = l,
    .handle = l->handle,
    .ip = l->remote,
  };
  if (l->fx == FX_CLOSE)
    sw->closed = l;
  l->fx = FX_NONE;
  return true;
}

/* --- time --- */

uint64_t ocf_swarm_deadline(const struct ocf_swarm *sw)
{
  return ocf_wheel_next(&sw->wheel);
}

void ocf_swarm_tick(struct ocf_swarm *sw, uint64_t now_ns)
{
  struct ocf_timer *t;
  sw->now_ns = now_ns;
  while ((t = ocf_wheel_pop(&sw->wheel, now_ns)) != NULL) {
    switch ((enum swarm_timer)t->kind) {
    case TIMER_LINK: ocf_swarm_link_timer(OCF_CONTAINER_OF(t, struct ocf_link, timer)); break;
    case TIMER_PEER: ocf_swarm_dial_timer(OCF_CONTAINER_OF(t, struct peer, timer)); break;
    case TIMER_JOB: ocf_swarm_job_timer(OCF_CONTAINER_OF(t, struct job, timer)); break;
    case TIMER_OPEN: ocf_swarm_open_timer(OCF_CONTAINER_OF(t, struct open, timer)); break;
    case TIMER_ROUND:
      ocf_swarm_care_round(sw);
      ocf_wheel_start(&sw->wheel, t, ocf_time_add(now_ns, SWARM_ROUND_NS));
      break;
    }
  }
}

bool ocf_swarm_busy(const struct ocf_swarm *sw)
{
  return !ocf_list_empty(&sw->pool.dirty) || !ocf_list_empty(&sw->notes) ||
         !ocf_list_empty(&sw->open_done) || !ocf_list_empty(&sw->effects) ||
         !ocf_list_empty(&sw->asks) || !ocf_list_empty(&sw->tx) || sw->cur != NULL;
}

/* --- the end --- */

static void close_gracefully(struct ocf_link *l, uint64_t grace_ns)
{
  if (l->closing)
    return;
  l->closing = true;
  ocf_conn_close(l->conn, l->sw->now_ns, grace_ns);
}

void ocf_swarm_disconnect(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_peerid *peer,
                          uint64_t grace_ns)
{
  struct peer *p = ocf_swarm_peer_find(sw, peer);
  sw->now_ns = now_ns;
  if (p == NULL)
    return;
  ocf_swarm_dial_cancel(p);
  OCF_LIST_FOREACH (it, &p->links) {
    close_gracefully(LINK_OF(it, peer_link), grace_ns);
  }
}

void ocf_swarm_drain(struct ocf_swarm *sw, uint64_t now_ns, uint64_t grace_ns)
{
  sw->now_ns = now_ns;
  sw->draining = true;
  OCF_LIST_FOREACH (it, &sw->peers_all) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    ocf_swarm_dial_cancel(p);
    ocf_swarm_opens_fail(p, OCF_ECANCELED);
  }
  OCF_LIST_FOREACH_SAFE (it, &sw->links) {
    struct ocf_link *l = LINK_OF(it, all);
    if (l->state == LINK_UP)
      close_gracefully(l, grace_ns);
    else
      ocf_swarm_link_finish(l); /* an accepted socket that is nobody's yet */
  }
}

/* --- counters --- */

enum ocf_swarm_result ocf_swarm_result_of(int err)
{
  switch (err) {
  case 0: return OCF_SWARM_RES_OK;
  case OCF_EREFUSED: return OCF_SWARM_RES_REFUSED;
  case OCF_EUNREACH: return OCF_SWARM_RES_UNREACHABLE;
  case OCF_ETIME: return OCF_SWARM_RES_TIMEOUT;
  case OCF_ECANCELED: return OCF_SWARM_RES_CANCELLED;
  case OCF_EPROTO:
  case OCF_EUNSUPP: return OCF_SWARM_RES_PROTOCOL;
  case OCF_EAUTH: return OCF_SWARM_RES_IDENTITY;
  case OCF_ECRYPTO: return OCF_SWARM_RES_CRYPTO;
  case OCF_EEOF:
  case OCF_ERESET: return OCF_SWARM_RES_CLOSED;
  default: return OCF_SWARM_RES_OTHER;
  }
}

void ocf_swarm_keep_sample(struct ocf_swarm *sw, enum ocf_swarm_sample_type type, bool inbound,
                           uint64_t ns)
{
  if (sw->n_samples == SWARM_SAMPLES_MAX)
    return;
  sw->samples[(sw->first_sample + sw->n_samples++) % SWARM_SAMPLES_MAX] =
      (struct ocf_swarm_sample){ type, inbound, ns };
}

bool ocf_swarm_sample(struct ocf_swarm *sw, struct ocf_swarm_sample *out)
{
  if (sw->n_samples == 0)
    return false;
  *out = sw->samples[sw->first_sample];
  sw->first_sample = (sw->first_sample + 1) % SWARM_SAMPLES_MAX;
  sw->n_samples--;
  return true;
}

void ocf_swarm_stats(const struct ocf_swarm *sw, struct ocf_swarm_stats *out)
{
  *out = sw->st;
  out->n_peers = sw->n_connected;
  out->n_conns = sw->n_links - sw->n_dials;
  out->n_handshakes = sw->n_handshakes;
  out->n_dials = sw->n_dials;
  out->n_opens = sw->n_opens;
  out->n_book_peers = sw->n_book_peers;
  out->n_book_addrs = sw->n_book_addrs;
  OCF_LIST_FOREACH (it, &sw->links) {
    const struct ocf_link *l = LINK_OF(it, all);
    if (l->conn == NULL)
      continue;
    const struct ocf_conn_stats *st = ocf_conn_stats(l->conn);
    out->rx_bytes += st->rx_bytes;
    out->tx_bytes += st->tx_bytes;
    out->streams_in += st->streams_in;
    out->streams_out += st->streams_out;
    out->streams_refused += st->streams_refused;
    uint64_t in, sent;
    ocf_conn_resets(l->conn, &in, &sent);
    out->resets[0] += sent;
    out->resets[1] += in;
  }
}
