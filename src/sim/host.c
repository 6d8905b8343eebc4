#include "sim/host.h"

#include <stdio.h>

#include "base/str/str.h"

enum { SPINS_MAX = 1000, PURPOSE_KEY = 1 << 20, PURPOSE_BOOT = 1 << 21 };

static void take_seed(struct ocf_sim_host *h, uint32_t machine_id)
{
  struct ocf_rng rng;
  uint8_t seed[OCF_KEY_ED25519_SEED_LEN];
  ocf_sim_rng(h->net->w, PURPOSE_KEY + machine_id, &rng);
  ocf_rng_secret(&rng, seed, sizeof(seed));
  OCF_ASSERT(ocf_key_from_seed(&h->key, &h->own, seed) == 0);
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&h->key)), &h->id);
  (void)ocf_peerid_text(&h->id, h->id_text);
}

struct ocf_sim_host *ocf_sim_host_new(struct ocf_sim_net *n, const char *name)
{
  struct ocf_sim_host *h = OCF_NEW(&n->w->alloc, struct ocf_sim_host);
  OCF_ASSERT(h != NULL);
  h->net = n;
  h->machine = ocf_sim_machine_new(n);
  (void)snprintf(h->name, sizeof(h->name), "%s", name);
  ocf_node_config_init(&h->cfg);
  ocf_alloc_init(&h->own);
  ocf_alloc_init(&h->disk);
  take_seed(h, h->machine->id);
  h->cfg.key = &h->key;
  h->cfg.version = "sim";
  h->cfg.swarm.agent = "ocf-c/sim";
  h->mem_limit = (size_t)512 << 20;
  return h;
}

void ocf_sim_host_service(struct ocf_sim_host *h, const char *name, uint16_t port, const char *path,
                          const char *health)
{
  OCF_ASSERT(h->n_services < OCF_SIM_HOST_SERVICES_MAX);
  size_t i = h->n_services++;
  struct ocf_service_config *c = &h->services[i].cfg;
  (void)snprintf(h->services[i].name, sizeof(h->services[i].name), "%s", name);
  (void)snprintf(h->services[i].host, sizeof(h->services[i].host), "localhost:%u", port);
  *c = (struct ocf_service_config){ .name = h->services[i].name,
                                    .host_header = h->services[i].host,
                                    .health_path = health,
                                    .health_interval_ns = 10 * OCF_NS_PER_S,
                                    .health_failures = 3 };
  if (path != NULL)
    (void)snprintf(c->at.unix_path, sizeof(c->at.unix_path), "%s", path);
  else
    c->at.ip = (struct ocf_ip_addr){ .family = 4, .port = port, .ip = { 127, 0, 0, 1 } };
}

void ocf_sim_host_group(struct ocf_sim_host *h, const char *group)
{
  OCF_ASSERT(h->n_services > 0);
  (void)snprintf(h->services[h->n_services - 1].group, sizeof(h->services[0].group), "%s", group);
}

void ocf_sim_host_mesh(struct ocf_sim_host *h, const char *role, bool disk)
{
  h->cfg.mesh_enabled = true;
  h->cfg.role = role;
  if (disk && h->store == NULL)
    OCF_ASSERT(ocf_kv_mem_open(&h->disk, 0, &h->store) == 0);
}

void ocf_sim_host_wipe(struct ocf_sim_host *h)
{
  OCF_ASSERT(h->node == NULL);
  if (h->store == NULL)
    return;
  ocf_kv_mem_close(h->store);
  OCF_ASSERT(ocf_kv_mem_open(&h->disk, 0, &h->store) == 0);
}

void ocf_sim_host_clone_key(struct ocf_sim_host *h, const struct ocf_sim_host *from)
{
  OCF_ASSERT(h->n_boots == 0);
  ocf_key_fini(&h->key);
  take_seed(h, from->machine->id);
}

/* ---- turns ---- */

static bool may_turn(struct ocf_sim_host *h)
{
  struct ocf_sim *w = h->net->w;
  h->n_spins = w->now_ns == h->spin_at_ns ? h->n_spins + 1 : 0;
  h->spin_at_ns = w->now_ns;
  if (h->n_spins < SPINS_MAX)
    return true;
  ocf_sim_fail(w, "%s spins: %u turns and no time passes", h->name, h->n_spins);
  return false;
}

/* One turn, and the timer for the next as io/uv arms it: in whole ms of a clock that is cut to
 * them. */
static void on_turn(void *user)
{
  struct ocf_sim_host *h = user;
  struct ocf_sim *w = h->net->w;
  if (h->node == NULL || !may_turn(h))
    return;
  h->n_turns++;
  ocf_node_turn(h->node, w->now_ns);
  if (h->alloc.limit_bytes > 0 && h->alloc.live_bytes > h->alloc.limit_bytes)
    ocf_sim_fail(w, "%s holds %zu bytes, over its limit", h->name, h->alloc.live_bytes);
  uint64_t at = ocf_node_deadline(h->node);
  if (at == OCF_TIME_NEVER) {
    ocf_sim_cancel(w, &h->timer);
    return;
  }
  uint64_t wait = at > w->now_ns ? at - w->now_ns : 0;
  uint64_t ms = OCF_NS_PER_MS;
  if (wait > UINT64_MAX / 2)
    ocf_sim_cancel(w, &h->timer);
  else
    ocf_sim_at(w, &h->timer, w->now_ns / ms * ms + (wait + ms - 1) / ms * ms);
}

static void on_timer(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sim_host *h = OCF_CONTAINER_OF(e, struct ocf_sim_host, timer);
  (void)w;
  ocf_sim_proc_touch(&h->proc);
}

static void accept_http(void *user, uint64_t now_ns, struct ocf_sock *s,
                        const struct ocf_ip_addr *remote)
{
  ocf_node_accept_http(((struct ocf_sim_host *)user)->node, now_ns, s, remote);
}

static void accept_p2p(void *user, uint64_t now_ns, struct ocf_sock *s,
                       const struct ocf_ip_addr *remote)
{
  ocf_node_accept_p2p(((struct ocf_sim_host *)user)->node, now_ns, s, remote);
}

/* ---- starting and ending ---- */

static void log_write(void *ctx, const char *line, size_t n)
{
  struct ocf_sim_host *h = ctx;
  struct ocf_sim *w = h->net->w;
  if (w->log != NULL)
    w->log(w->log_ctx, h->name, line, n);
}

static uint64_t log_wall(void *ctx)
{
  struct ocf_sim_host *h = ctx;
  return h->proc.env.ops->wall_ns(&h->proc.env);
}

static void listen_all(struct ocf_sim_host *h)
{
  struct ocf_endpoint at = { .ip = { .family = 4, .port = OCF_SIM_P2P_PORT } };
  OCF_ASSERT(ocf_sim_listen(&h->p2p4, &h->proc, &at, accept_p2p, h) == 0);
  at.ip.family = 6;
  OCF_ASSERT(ocf_sim_listen(&h->p2p6, &h->proc, &at, accept_p2p, h) == 0);
  at.ip.family = 4;
  at.ip.port = OCF_SIM_HTTP_PORT;
  OCF_ASSERT(ocf_sim_listen(&h->http, &h->proc, &at, accept_http, h) == 0);
}

static int tell_addrs(struct ocf_sim_host *h)
{
  struct ocf_maddr listen[2];
  struct ocf_ip_addr ifaces[3] = { { .family = 4, .ip = { 127, 0, 0, 1 } },
                                   h->machine->ip4,
                                   h->machine->ip6 };
  ocf_maddr_from_ip(&h->p2p4.at.ip, OCF_MADDR_TCP, &listen[0]);
  ocf_maddr_from_ip(&h->p2p6.at.ip, OCF_MADDR_TCP, &listen[1]);
  return ocf_swarm_set_addrs(ocf_node_swarm(h->node), h->net->w->now_ns, listen, 2, ifaces, 3, NULL,
                             0);
}

/* Everything of a run goes, in the order in which the program ends. */
static void end(struct ocf_sim_host *h)
{
  struct ocf_sim *w = h->net->w;
  ocf_sim_proc_end_jobs(&h->proc); /* they work on the node's messages */
  ocf_node_free(h->node);
  h->node = NULL;
  ocf_sim_cancel(w, &h->timer);
  ocf_sim_proc_fini(&h->proc);
  OCF_DELETE(&w->alloc, h->metrics);
  h->metrics = NULL;
  if (h->alloc.live_blocks != 0 || h->alloc.live_bytes != 0)
    ocf_sim_fail(w, "%s leaks %zu bytes in %zu blocks", h->name, h->alloc.live_bytes,
                 h->alloc.live_blocks);
}

/* Refuses the one demand whose turn it is. */
static void *fail_one(struct ocf_alloc *a, void *p, size_t old_size, size_t new_size)
{
  struct ocf_sim_host *h = OCF_CONTAINER_OF(a, struct ocf_sim_host, alloc);
  if (new_size > old_size && a->n_calls == h->fail_at)
    return NULL;
  return h->heap(a, p, old_size, new_size);
}

static void prepare(struct ocf_sim_host *h)
{
  struct ocf_sim *w = h->net->w;
  ocf_alloc_init(&h->alloc);
  h->alloc.limit_bytes = h->mem_limit;
  if (h->fail_once) {
    h->heap = h->alloc.fn;
    h->alloc.fn = fail_one;
  } else {
    h->alloc.fail_at = h->fail_at;
  }
  h->cfg.mesh.fresh_key = h->n_boots == 0;
  h->cfg.mesh.kv = h->store;
  h->n_boots++;
  ocf_sim_rng(w, PURPOSE_BOOT + ((uint64_t)h->machine->id << 32) + h->n_boots, &h->rng);
  ocf_log_init(&h->log);
  h->log.write = log_write;
  h->log.wall_ns = log_wall;
  h->log.ctx = h;
  h->metrics = OCF_NEW(&w->alloc, struct ocf_metrics);
  OCF_ASSERT(h->metrics != NULL);
  h->timer.fn = on_timer;
  ocf_sim_proc_init(&h->proc, h->net, h->machine);
  h->proc.turn = on_turn;
  h->proc.user = h;
  h->proc.max_socks = 4096;
}

static int add_services(struct ocf_sim_host *h)
{
  int r = 0;
  for (size_t i = 0; r == 0 && i < h->n_services; i++) {
    struct ocf_bytes group = ocf_str(h->services[i].group);
    struct ocf_node_service s = { .relay = h->services[i].cfg,
                                  .groups = &group,
                                  .n_groups = group.n > 0 ? 1 : 0 };
    r = h->cfg.mesh_enabled ? ocf_node_add_service(h->node, &s)
                            : ocf_relay_add_service(ocf_node_relay(h->node), &h->services[i].cfg);
  }
  return r;
}

int ocf_sim_host_start(struct ocf_sim_host *h)
{
  OCF_ASSERT(h->node == NULL && h->machine->powered);
  prepare(h);
  int r = ocf_node_new(&h->cfg, &h->proc.env, &h->alloc, &h->rng, &h->log, h->metrics,
                       h->net->w->now_ns, &h->node);
  if (r == 0)
    r = add_services(h);
  if (r == 0) {
    listen_all(h);
    r = tell_addrs(h);
  }
  if (r != 0) {
    end(h);
    return r;
  }
  ocf_sim_proc_touch(&h->proc);
  return 0;
}

void ocf_sim_host_stop(struct ocf_sim_host *h)
{
  if (h->node != NULL)
    end(h);
}

void ocf_sim_host_crash(struct ocf_sim_host *h, bool power)
{
  if (h->node == NULL)
    return;
  if (power)
    ocf_sim_machine_power(h->net, h->machine, false);
  ocf_sim_trace(h->net->w, OCF_SIM_TRACE_FAULT, h->machine->id, 9, NULL, 0);
  ocf_sim_proc_kill(&h->proc, power);
  end(h);
}

void ocf_sim_host_free(struct ocf_sim_host *h)
{
  if (h == NULL)
    return;
  ocf_sim_host_stop(h);
  ocf_key_fini(&h->key);
  ocf_kv_mem_close(h->store);
  OCF_ASSERT(h->own.live_blocks == 0 && h->disk.live_blocks == 0);
  OCF_DELETE(&h->net->w->alloc, h);
}

void ocf_sim_host_drain(struct ocf_sim_host *h, uint64_t grace_ns)
{
  ocf_sim_listener_close(&h->p2p4);
  ocf_sim_listener_close(&h->p2p6);
  ocf_sim_listener_close(&h->http);
  ocf_node_drain(h->node, h->net->w->now_ns, grace_ns);
  ocf_sim_proc_touch(&h->proc);
}

/* ---- peers ---- */

void ocf_sim_host_knows(struct ocf_sim_host *h, const struct ocf_sim_host *other, bool keep)
{
  struct ocf_maddr m;
  struct ocf_endpoint at = ocf_sim_host_p2p(other);
  struct ocf_swarm *sw = ocf_node_swarm(h->node);
  uint64_t now = h->net->w->now_ns;
  ocf_maddr_from_ip(&at.ip, OCF_MADDR_TCP, &m);
  int r = keep ? ocf_swarm_add_static(sw, now, &other->id, &m)
               : ocf_swarm_add_addr(sw, now, &other->id, &m, OCF_SWARM_SRC_CONFIG, OCF_TIME_NEVER);
  if (r != 0 && h->fail_at == 0)
    ocf_sim_fail(h->net->w, "%s cannot learn an address: %s", h->name, ocf_errname(r));
  ocf_sim_proc_touch(&h->proc);
}

bool ocf_sim_host_sees(const struct ocf_sim_host *h, const struct ocf_sim_host *other)
{
  struct ocf_swarm_peer_info info;
  return h->node != NULL && ocf_swarm_peer_info(ocf_node_swarm(h->node), &other->id, &info);
}

struct ocf_endpoint ocf_sim_host_http(const struct ocf_sim_host *h, bool local)
{
  struct ocf_endpoint at = { .ip = h->machine->ip4 };
  if (local)
    at.ip = (struct ocf_ip_addr){ .family = 4, .ip = { 127, 0, 0, 1 } };
  at.ip.port = OCF_SIM_HTTP_PORT;
  return at;
}

struct ocf_endpoint ocf_sim_host_p2p(const struct ocf_sim_host *h)
{
  struct ocf_endpoint at = { .ip = h->machine->ip4 };
  at.ip.port = OCF_SIM_P2P_PORT;
  return at;
}

size_t ocf_sim_host_n_streams(const struct ocf_sim_host *h)
{
  const void *cursor = NULL;
  struct ocf_swarm_peer_info info;
  size_t n = 0;
  while (h->node != NULL && ocf_swarm_peer_next(ocf_node_swarm(h->node), &cursor, &info))
    n += info.n_streams;
  return n;
}
