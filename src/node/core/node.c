#include "node/core/node.h"

#include <stdio.h>
#include <string.h>

#include "node/core/node_int.h"

enum {
  TELL_EVERY_S = 10,
  STREAMS_MS = 300, /* at the end: for streams that are kept open */
  CLOSE_MS = 1000,  /* and for all connections */
};

/* Ours first, then the mesh's. */
static size_t list_protocols(struct ocf_node *n)
{
  size_t count;
  const struct ocf_bytes *mesh = ocf_mesh_protocols(&count);
  OCF_ASSERT(count < OCF_ARRAY_LEN(n->protocols));
  n->protocols[0] = OCF_STR("/libp2p-http");
  if (!n->cfg.mesh_enabled)
    return 1;
  memcpy(n->protocols + 1, mesh, count * sizeof(*mesh));
  return 1 + count;
}

void ocf_node_config_init(struct ocf_node_config *cfg)
{
  *cfg = (struct ocf_node_config){
    .relay = {
      .h1 = OCF_H1_LIMITS_DEFAULT,
      .sock = { .write_stall_ns = 30 * OCF_NS_PER_S, .linger_ns = 2 * OCF_NS_PER_S,
                .linger_bytes = 256 * 1024 },
      .header_timeout_ns = 10 * OCF_NS_PER_S,
      .idle_timeout_ns = 60 * OCF_NS_PER_S,
      .stream_idle_timeout_ns = 120 * OCF_NS_PER_S,
      .body_min_rate = 500,
      .body_grace_ns = 10 * OCF_NS_PER_S,
      .drain_timeout_ns = 5 * OCF_NS_PER_S,
      .response_header_timeout_ns = 600 * OCF_NS_PER_S,
      .chunk_timeout_ns = 60 * OCF_NS_PER_S,
      .connect_timeout_ns = 5 * OCF_NS_PER_S,
      .service_pool_idle_ns = 4 * OCF_NS_PER_S,
      .peer_pool_idle_ns = 60 * OCF_NS_PER_S,
      .service_pool_max = 64,
      .peer_pool_max = 64,
      .retry_enabled = true,
      .retry_max = 2,
      .retry_body_hold = 64 * 1024,
      .retry_budget_percent = 20,
      .clients_max = 16384,
      .streams_max = 65536,
      .log_requests = true,
    },
    .version = "0",
    .role = "worker",
    .metrics_enabled = true,
    .policy = OCF_POLICY_SHORTEST_QUEUE,
    .body_scan_max = 4 * 1024 * 1024,
  };
  ocf_swarm_config_init(&cfg->swarm);
  ocf_mesh_config_init(&cfg->mesh);
}

static void log_peer(struct ocf_node *n, const struct ocf_swarm_event *ev, const char *what)
{
  char text[OCF_PEERID_TEXT_SIZE];
  OCF_LOGF(n->loop.log, "swarm", OCF_LOG_INFO, what,
           OCF_LOG_STR("peer", ocf_peerid_text(ev->peer, text)), OCF_LOG_ERR("why", ev->err));
}

static void on_swarm_event(void *user, const struct ocf_swarm_event *ev)
{
  struct ocf_node *n = user;
  if (n->mesh != NULL && ev->type != OCF_SWARM_STREAM_IN)
    ocf_mesh_peer_event(n->mesh, ev);
  switch (ev->type) {
  case OCF_SWARM_PEER_UP:
    log_peer(n, ev, "peer connected");
    ocf_node_boot_peer(n);
    break;
  case OCF_SWARM_PEER_DOWN:
    log_peer(n, ev, "peer lost");
    ocf_node_boot_peer(n);
    break;
  case OCF_SWARM_DIAL_FAILED:
    log_peer(n, ev, "peer cannot be dialled");
    ocf_node_discover_soon(n); /* others may know better addresses */
    break;
  case OCF_SWARM_PEER_IDENTIFIED: ocf_node_discover_soon(n); break;
  case OCF_SWARM_STREAM_IN:
    if (ev->proto == 0)
      ocf_node_http_stream_in(n, ev);
    else
      ocf_mesh_stream_in(n->mesh, ev, ev->proto - 1);
    break;
  case OCF_SWARM_OPENED:
  case OCF_SWARM_OPEN_FAILED:
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_DATA:
  case OCF_SWARM_FIN:
  case OCF_SWARM_WRITABLE:
  case OCF_SWARM_STREAM_GONE: break; /* the streams' users get these */
  }
}

static int make_swarm(struct ocf_node *n, uint64_t now_ns)
{
  struct ocf_swarm_config *sc = &n->cfg.swarm;
  int r = ocf_noise_static_init(&n->noise, n->loop.alloc, n->cfg.key, n->loop.rng);
  if (r != 0)
    return r;
  n->noise_made = true;
  sc->a = n->loop.alloc;
  sc->rng = n->loop.rng;
  sc->log = n->loop.log;
  sc->key = n->cfg.key;
  sc->noise = &n->noise;
  sc->n_protos = list_protocols(n);
  sc->protos = n->protocols;
  sc->wall_ns = n->loop.env->ops->wall_ns(n->loop.env);
  r = ocf_swarm_new(sc, now_ns, &n->swarm);
  if (r == 0)
    ocf_links_init(&n->links, &n->loop, n->swarm, on_swarm_event, n);
  return r;
}

static void on_table_changed(void *user)
{
  ocf_node_discover_soon(user);
}

static int make_mesh(struct ocf_node *n)
{
  n->slot = n->cfg.slot;
  if (!n->cfg.mesh_enabled)
    return 0;
  n->cfg.mesh.key = n->cfg.key;
  n->cfg.mesh.changed = on_table_changed;
  n->cfg.mesh.changed_user = n;
  n->cfg.mesh.role = n->cfg.role;
  n->cfg.mesh.version = n->cfg.version;
  int r = ocf_mesh_new(&n->cfg.mesh, &n->loop, n->swarm, &n->mesh);
  if (r != 0)
    return r;
  n->slot = ocf_mesh_slot(n->mesh);
  ocf_node_discover_init(n);
  ocf_node_offers_changed(n);
  return 0;
}

int ocf_node_new(const struct ocf_node_config *cfg, struct ocf_env *env, struct ocf_alloc *alloc,
                 struct ocf_rng *rng, const struct ocf_log *log, struct ocf_metrics *metrics,
                 uint64_t now_ns, struct ocf_node **out)
{
  struct ocf_node *n = OCF_NEW(alloc, struct ocf_node);
  *out = NULL;
  if (n == NULL)
    return OCF_ENOMEM;
  n->cfg = *cfg;
  n->started_ns = now_ns;
  n->trim_ns = OCF_TIME_NEVER;
  n->close_until_ns = OCF_TIME_NEVER;
  ocf_list_init(&n->streams);
  ocf_list_init(&n->gathers);
  ocf_node_offers_init(n);
  ocf_node_boot_init(n);
  int r = ocf_loop_init(&n->loop, env, alloc, rng, log, metrics, now_ns);
  if (r == 0)
    ocf_node_route_init(n);
  if (r == 0)
    r = make_swarm(n, now_ns);
  if (r == 0) {
    n->relay = ocf_relay_new(&n->loop, &n->cfg.relay, ocf_node_route, &ocf_node_peer_ops, n);
    r = n->relay != NULL ? 0 : OCF_ENOMEM;
  }
  if (r == 0)
    r = make_mesh(n);
  if (r != 0) {
    ocf_node_free(n);
    return r;
  }
  (void)ocf_peerid_text(ocf_swarm_self(n->swarm), n->id_text);
  ocf_relay_set_self(n->relay, n->id_text);
  ocf_relay_on_health(n->relay, ocf_node_on_health, n);
  *out = n;
  return 0;
}

void ocf_node_free(struct ocf_node *n)
{
  if (n == NULL)
    return;
  ocf_node_offers_free(n);
  ocf_node_discover_free(n);
  ocf_node_boot_free(n);
  ocf_alloc_put(n->loop.alloc, n->public_addrs, n->n_public_addrs * sizeof(*n->public_addrs));
  ocf_relay_free(n->relay);
  ocf_node_gathers_free(n);
  ocf_node_streams_free(n);
  if (n->loop.rx != NULL) {
    ocf_sockchan_free_closing(&n->loop);
    ocf_mesh_free(n->mesh);
    ocf_loop_run_deferred(&n->loop);
    ocf_node_route_fini(n);
  }
  ocf_swarm_free(n->swarm);
  if (n->swarm != NULL)
    ocf_links_fini(&n->links);
  if (n->noise_made)
    ocf_noise_static_fini(&n->noise);
  if (n->loop.rx != NULL)
    ocf_loop_fini(&n->loop);
  struct ocf_alloc *a = n->loop.alloc;
  OCF_DELETE(a, n);
}

void ocf_node_set_config(struct ocf_node *n, uint64_t now_ns, const struct ocf_node_config *cfg)
{
  n->loop.now_ns = now_ns;
  n->cfg.relay = cfg->relay;
  n->cfg.p2p_route_open = cfg->p2p_route_open;
  n->cfg.body_scan_max = cfg->body_scan_max;
  n->cfg.policy = cfg->policy;
  ocf_policy_set(&n->policy, cfg->policy);
  ocf_relay_set_config(n->relay, &cfg->relay);
}

int ocf_node_set_public_addrs(struct ocf_node *n, const struct ocf_maddr *addrs, size_t n_addrs)
{
  struct ocf_maddr *copy = NULL;
  if (n_addrs > 0) {
    copy = ocf_alloc_get(n->loop.alloc, n_addrs * sizeof(*addrs));
    if (copy == NULL)
      return OCF_ENOMEM;
    memcpy(copy, addrs, n_addrs * sizeof(*addrs));
  }
  ocf_alloc_put(n->loop.alloc, n->public_addrs, n->n_public_addrs * sizeof(*addrs));
  n->public_addrs = copy;
  n->n_public_addrs = n_addrs;
  return 0;
}

const struct ocf_peerid *ocf_node_id(const struct ocf_node *n)
{
  return ocf_swarm_self(n->swarm);
}

struct ocf_swarm *ocf_node_swarm(struct ocf_node *n)
{
  return n->swarm;
}

struct ocf_relay *ocf_node_relay(struct ocf_node *n)
{
  return n->relay;
}

struct ocf_mesh *ocf_node_mesh(struct ocf_node *n)
{
  return n->mesh;
}

/* ---- memory ---- */

enum ocf_node_pressure ocf_node_pressure(const struct ocf_node *n)
{
  size_t limit = n->loop.alloc->limit_bytes, live = n->loop.alloc->live_bytes;
  if (limit == 0 || live < limit - limit / 4)
    return OCF_NODE_EASY;
  if (live < limit - limit / 20 * 3)
    return OCF_NODE_SHED_IDLE;
  return live < limit - limit / 20 ? OCF_NODE_SHED_REQUESTS : OCF_NODE_SHED_CONNS;
}

static void trim(struct ocf_node *n, bool spare)
{
  ocf_chunk_pool_trim(&n->loop.chunks, spare);
  ocf_relay_trim(n->relay, spare);
  ocf_swarm_trim(n->swarm, spare);
}

/* What a burst has left in the pools goes back a second or two after it: that of which nobody
 * needed anything for a whole second. Looked at once a second while there is any; an idle node
 * sleeps. */
static void trim_spare(struct ocf_node *n)
{
  if (n->trim_ns != OCF_TIME_NEVER && n->loop.now_ns >= n->trim_ns) {
    n->trim_ns = OCF_TIME_NEVER;
    trim(n, true);
  }
  if (n->trim_ns == OCF_TIME_NEVER &&
      (n->loop.chunks.n_free > 0 || ocf_relay_keeps(n->relay) || ocf_swarm_keeps(n->swarm)))
    n->trim_ns = ocf_time_add(n->loop.now_ns, OCF_NS_PER_S);
}

/* At the end of each turn. */
static void relieve(struct ocf_node *n)
{
  trim_spare(n);
  enum ocf_node_pressure p = ocf_node_pressure(n);
  if (p == OCF_NODE_EASY)
    return;
  ocf_relay_close_idle(n->relay);
  trim(n, false);
  p = ocf_node_pressure(n);
  uint64_t again = ocf_time_add(n->memory_told_ns, TELL_EVERY_S * OCF_NS_PER_S);
  if (p < OCF_NODE_SHED_REQUESTS || (n->memory_told_ns != 0 && n->loop.now_ns < again))
    return;
  n->memory_told_ns = n->loop.now_ns;
  OCF_LOGF(n->loop.log, "node", OCF_LOG_WARN, "memory is short: work is refused",
           OCF_LOG_U64("live", n->loop.alloc->live_bytes),
           OCF_LOG_U64("limit", n->loop.alloc->limit_bytes));
}

void ocf_node_accept_http(struct ocf_node *n, uint64_t now_ns, struct ocf_sock *s,
                          const struct ocf_ip_addr *remote)
{
  struct ocf_caller caller = { .kind = ocf_ip_addr_is_loopback(remote) ? OCF_CALLER_LOCAL
                                                                       : OCF_CALLER_REMOTE,
                               .ip = *remote };
  n->loop.now_ns = now_ns;
  struct ocf_chan *c = NULL;
  if (ocf_node_pressure(n) < OCF_NODE_SHED_CONNS)
    c = ocf_sockchan_accept(&n->loop, &n->cfg.relay.sock, s);
  if (c == NULL)
    n->loop.env->ops->close(s, true);
  else
    (void)ocf_relay_serve(n->relay, c, &caller);
}

void ocf_node_accept_p2p(struct ocf_node *n, uint64_t now_ns, struct ocf_sock *s,
                         const struct ocf_ip_addr *remote)
{
  if (ocf_node_pressure(n) >= OCF_NODE_SHED_CONNS) {
    n->n_no_memory++;
    n->loop.env->ops->close(s, true);
    return;
  }
  ocf_links_accept(&n->links, now_ns, s, remote);
}

uint64_t ocf_node_deadline(struct ocf_node *n)
{
  uint64_t at = ocf_time_min(ocf_wheel_next(&n->loop.wheel), ocf_swarm_deadline(n->swarm));
  if (n->close_until_ns > n->loop.now_ns)
    at = ocf_time_min(at, n->close_until_ns);
  return ocf_time_min(at, n->trim_ns);
}

void ocf_node_drain(struct ocf_node *n, uint64_t now_ns, uint64_t grace_ns)
{
  n->loop.now_ns = now_ns;
  n->draining = true;
  if (n->mesh != NULL)
    ocf_mesh_leave(n->mesh);
  n->drain_until_ns = ocf_time_add(now_ns, grace_ns);
  ocf_relay_drain(n->relay);
}

/* The end of an answer may still wait here for a client that reads slowly. */
static bool still_sending(const struct ocf_node *n)
{
  return ocf_sockchan_sending(&n->loop) || ocf_node_streams_sending(n) ||
         ocf_links_sending(&n->links);
}

/* Nothing is in flight any more, or the time is up. */
static bool is_done(const struct ocf_node *n)
{
  bool left = n->mesh == NULL || ocf_mesh_left(n->mesh);
  bool done = ocf_relay_n_requests(n->relay) == 0 && !still_sending(n) && left;
  return n->draining && (done || n->loop.now_ns >= n->drain_until_ns);
}

/* The last thing: connections end in order, so that what their sockets still hold arrives. */
static void close_links(struct ocf_node *n)
{
  n->close_until_ns = ocf_time_add(n->loop.now_ns, CLOSE_MS * OCF_NS_PER_MS);
  ocf_links_linger(&n->links);
  ocf_swarm_drain(n->swarm, n->loop.now_ns, STREAMS_MS * OCF_NS_PER_MS);
  ocf_links_run(&n->links);
}

bool ocf_node_drained(const struct ocf_node *n)
{
  bool closed = n->close_until_ns != OCF_TIME_NEVER &&
                (ocf_links_gone(&n->links) || n->loop.now_ns >= n->close_until_ns);
  return closed && n->links.n_lookups == 0 && (n->mesh == NULL || ocf_mesh_n_jobs(n->mesh) == 0);
}

void ocf_node_turn(struct ocf_node *n, uint64_t now_ns)
{
  n->loop.now_ns = now_ns;
  ocf_loop_fire(&n->loop);
  if (now_ns >= ocf_swarm_deadline(n->swarm))
    ocf_swarm_tick(n->swarm, now_ns);
  relieve(n);
  ocf_links_run(&n->links);
  if (n->close_until_ns == OCF_TIME_NEVER && is_done(n))
    close_links(n);
  ocf_node_observe(n);
}
