#include "app/daemon/daemon.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/daemon/daemon_int.h"
#include "base/time/time.h"
#include "crypto/hash/hash.h"
#include "node/mesh/mesh.h"

enum {
  MAX_IFACES = 32,
  FD_RESERVE = 64,
  DRAIN_POLL_MS = 20,
  BUILD_INFO_MAX = 8,
  TRIM_MIN_BYTES = 1 << 20
};
#define BIND_RETRY_NS (5 * OCF_NS_PER_S)

/* ---- turns ---- */

/* Sockets that found no room while the p2p listeners are there; what was counted stays. */
static void count_refused(struct ocf_plane *p)
{
  uint64_t n = 0;
  for (size_t i = 0; i < p->n_p2p; i++)
    n += ocf_uv_listener_refused(p->p2p[i]);
  if (n > 0)
    ocf_metric_set3(p->metrics, OCF_METRIC_P2P_REFUSED, OCF_METRIC_REFUSED_FILES, 0, 0, (int64_t)n);
}

/* The C library keeps what a burst has freed, in pieces between what is still there. A while after
 * much was freed it is asked to give the pages back; that takes a millisecond or so. */
static void trim_heap(struct ocf_plane *p, uint64_t now_ns)
{
  const size_t live = p->alloc.live_bytes;
  p->most_bytes = OCF_MAX(p->most_bytes, live);
  if (p->most_bytes - live < TRIM_MIN_BYTES || live > p->most_bytes / 2) {
    p->trim_ns = OCF_TIME_NEVER;
  } else if (p->trim_ns == OCF_TIME_NEVER) {
    p->trim_ns = ocf_time_add(now_ns, 2 * OCF_NS_PER_S);
  } else if (now_ns >= p->trim_ns) {
    (void)malloc_trim(0);
    p->most_bytes = live;
    p->trim_ns = OCF_TIME_NEVER;
  }
}

static void on_turn(void *user, uint64_t now_ns)
{
  struct ocf_plane *p = user;
  if (now_ns >= p->due_ns)
    ocf_metric_observe1(p->metrics, OCF_METRIC_LOOP_LAG, 0, now_ns - p->due_ns);
  ocf_node_turn(p->node, now_ns);
  ocf_daemon_store_turn(p, now_ns);
  count_refused(p);
  trim_heap(p, now_ns);
  ocf_metric_set3(p->metrics, OCF_METRIC_LOG_DROPPED, 0, 0, 0, (int64_t)p->sink.n_dropped);
  ocf_logsink_turn(&p->sink, now_ns);
  if (ocf_node_drained(p->node))
    ocf_uv_stop(p->uv);
}

static uint64_t on_deadline(void *user)
{
  struct ocf_plane *p = user;
  uint64_t at = ocf_time_min(ocf_node_deadline(p->node), ocf_logsink_deadline(&p->sink));
  at = ocf_time_min(at, p->trim_ns);
  at = ocf_time_min(at, ocf_daemon_store_deadline(p));
  uint64_t now = ocf_uv_now();
  if (p->draining)
    at = ocf_time_min(at, ocf_time_add(now, DRAIN_POLL_MS * OCF_NS_PER_MS));
  p->due_ns = OCF_MAX(at, now);
  return at;
}

static const struct ocf_uv_turn_ops turn_ops = { on_turn, on_deadline };

static void on_accept_http(void *user, uint64_t now_ns, struct ocf_sock *s,
                           const struct ocf_ip_addr *remote)
{
  struct ocf_plane *p = user;
  ocf_node_accept_http(p->node, now_ns, s, remote);
}

static void on_accept_p2p(void *user, uint64_t now_ns, struct ocf_sock *s,
                          const struct ocf_ip_addr *remote)
{
  struct ocf_plane *p = user;
  ocf_node_accept_p2p(p->node, now_ns, s, remote);
}

/* ---- the end ---- */

static void drain_plane(void *arg)
{
  struct ocf_plane *p = arg;
  if (p->node == NULL)
    return;
  OCF_ASSERT(pthread_mutex_lock(&p->d->lock) == 0);
  uint64_t grace_ns = p->d->conf->shutdown_grace_ns;
  OCF_ASSERT(pthread_mutex_unlock(&p->d->lock) == 0);
  if (p->http != NULL)
    ocf_uv_listener_close(p->http);
  for (size_t i = 0; i < p->n_p2p; i++)
    ocf_uv_listener_close(p->p2p[i]);
  p->http = NULL;
  p->n_p2p = 0;
  p->draining = true;
  ocf_node_drain(p->node, ocf_uv_now(), grace_ns);
}

static void on_signal(void *user, int signum)
{
  struct ocf_daemon *d = user;
  struct ocf_plane *first = &d->planes[0];
  d->n_signals++;
  if (d->n_signals > 1) {
    OCF_LOGF(&first->log, "node", OCF_LOG_WARN, "second signal: ending at once",
             OCF_LOG_I64("signal", signum));
    ocf_logsink_fini(&first->sink);
    _exit(128 + signum);
  }
  OCF_LOGF(&first->log, "node", OCF_LOG_INFO, "stopping",
           OCF_LOG_STR("signal", signum == SIGTERM ? "SIGTERM" : "SIGINT"),
           OCF_LOG_U64("requests", ocf_relay_n_requests(ocf_node_relay(first->node))),
           OCF_LOG_MS("grace_ms", d->conf->shutdown_grace_ns));
  for (size_t i = 0; i < d->n_planes; i++) {
    if (ocf_uv_post(d->planes[i].uv, drain_plane, &d->planes[i]) != 0)
      _exit(128 + signum);
  }
}

static void on_hangup(void *user, int signum)
{
  struct ocf_daemon *d = user;
  (void)signum;
  if (d->n_signals == 0)
    ocf_daemon_reload(d);
}

/* ---- the beginning ---- */

static size_t raise_fd_limit(void)
{
  struct rlimit rl;
  if (getrlimit(RLIMIT_NOFILE, &rl) != 0)
    return 1024;
  if (rl.rlim_cur < rl.rlim_max) {
    rl.rlim_cur = rl.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &rl);
    (void)getrlimit(RLIMIT_NOFILE, &rl);
  }
  return rl.rlim_cur > (1u << 20) ? 1u << 20 : (size_t)rl.rlim_cur;
}

static int listen_p2p(struct ocf_plane *p, struct ocf_err *err)
{
  struct ocf_daemon *d = p->d;
  if (p->index > 0 && d->conf->registry_enabled)
    return 0; /* peers must find the member of the mesh behind our address: the first plane */
  for (size_t i = 0; i < d->addrs.n_p2p; i++) {
    struct ocf_uv_listener *l = ocf_uv_listen(p->uv, &d->addrs.p2p[i], d->n_planes > 1,
                                              BIND_RETRY_NS, on_accept_p2p, p, err);
    bool optional = d->addrs.p2p_default && d->addrs.p2p[i].family == 6;
    if (l == NULL && optional && err->code != OCF_EINUSE)
      continue; /* a system without IPv6 */
    if (l == NULL)
      return err->code;
    p->p2p[p->n_p2p++] = l;
    if (d->addrs.p2p[i].port == 0 && d->n_planes > 1)
      d->addrs.p2p[i] = ocf_uv_listener_addr(l); /* the other planes share the port */
  }
  return 0;
}

int ocf_daemon_tell_addrs(struct ocf_plane *p)
{
  struct ocf_maddr listen[OCF_SETUP_ADDRS_MAX];
  struct ocf_ip_addr ifaces[MAX_IFACES];
  size_t n_ifaces = ocf_uv_interfaces(ifaces, MAX_IFACES);
  for (size_t i = 0; i < p->n_p2p; i++) {
    struct ocf_ip_addr at = ocf_uv_listener_addr(p->p2p[i]);
    ocf_maddr_from_ip(&at, OCF_MADDR_TCP, &listen[i]);
  }
  int r = ocf_swarm_set_addrs(ocf_node_swarm(p->node), ocf_uv_now(), listen, p->n_p2p, ifaces,
                              n_ifaces, p->d->addrs.public_addrs, p->d->addrs.n_public);
  if (r != 0 && r != OCF_ELIMIT)
    return r;
  return ocf_node_set_public_addrs(p->node, p->d->addrs.public_addrs, p->d->addrs.n_public);
}

void ocf_daemon_bootstrap(struct ocf_plane *p)
{
  int r = ocf_setup_bootstrap(p->d->conf, p->node, p->boot_store, &p->log, ocf_uv_now());
  if (r != 0)
    OCF_LOGF(&p->log, "bootstrap", OCF_LOG_WARN, "the bootstrap peers stay as they are",
             OCF_LOG_ERR("err", r));
}

/* The first plane is the member of the mesh; the others route by its snapshots. */
static int join_mesh(struct ocf_plane *p, struct ocf_node_config *cfg, struct ocf_err *err)
{
  struct ocf_daemon *d = p->d;
  if (!d->conf->registry_enabled)
    return 0;
  if (p->index > 0) {
    cfg->slot = ocf_mesh_slot(ocf_node_mesh(d->planes[0].node));
    return 0;
  }
  cfg->mesh_enabled = true;
  cfg->mesh.public_address = d->addrs.public_host;
  cfg->mesh.public_port = d->addrs.n_public > 0 ? d->addrs.public_port : 0;
  cfg->mesh.fresh_key = d->info->fresh_key;
  cfg->mesh.relay_peer = d->conf->registry_relay_peer;
  if (d->n_planes > 1) /* peers may choose another plane's connection for the mesh's streams */
    OCF_LOGF(&p->log, "registry", OCF_LOG_WARN,
             "with several planes the registry is not reliable: use one, or turn the registry off",
             OCF_LOG_U64("planes", d->n_planes));
  struct ocf_peerid relay;
  if (cfg->mesh.relay_peer[0] != '\0' &&
      ocf_peerid_parse(ocf_bytes(cfg->mesh.relay_peer, strlen(cfg->mesh.relay_peer)), &relay) != 0)
    return ocf_err_set(err, OCF_EINVAL, "give a peer id such as 12D3KooW...",
                       "registry.relay_peer: \"%s\" is not a peer id", cfg->mesh.relay_peer);
  int r = ocf_daemon_store_open(p, err);
  if (r == 0 && p->store != NULL)
    cfg->mesh.kv = ocf_lmdb_kv(p->store);
  return r;
}

static int make_plane(struct ocf_plane *p, struct ocf_err *err)
{
  struct ocf_daemon *d = p->d;
  uint64_t now = ocf_uv_now();
  ocf_alloc_init(&p->alloc);
  p->trim_ns = OCF_TIME_NEVER;
  p->alloc.limit_bytes = (size_t)d->conf->limits_memory_bytes / d->n_planes;
  ocf_uv_rng_init(&p->rng);
  ocf_log_init(&p->log);
  p->log.format = d->conf->log_format == OCF_CONF_LOG_FORMAT_JSON ? OCF_LOG_JSON : OCF_LOG_LOGFMT;
  if (ocf_log_set_levels(&p->log, d->conf->log_level) != 0)
    return ocf_err_set(err, OCF_EINVAL, "see `ocf start --help`",
                       "log.level: \"%s\" cannot be used", d->conf->log_level);
  p->metrics = calloc(1, sizeof(*p->metrics));
  if (p->metrics == NULL || ocf_logsink_init(&p->sink, STDERR_FILENO) != 0)
    return ocf_err_set(err, OCF_ENOMEM, NULL, "out of memory");
  ocf_logsink_attach(&p->sink, &p->log);
  ocf_metrics_init(p->metrics);
  ocf_metric_set3(p->metrics, OCF_METRIC_START_TIME, 0, 0, 0, (int64_t)p->log.wall_ns(&p->sink));
  size_t fds = raise_fd_limit() / d->n_planes;
  p->uv = ocf_uv_new(fds > 2 * FD_RESERVE ? fds - FD_RESERVE : fds / 2);
  if (p->uv == NULL)
    return ocf_err_set(err, OCF_EIO, NULL, "the event loop cannot be made");
  int r = ocf_setup_driver(d->conf, d->node_cfg.swarm.agent, p->uv, err);
  if (r != 0)
    return r;
  struct ocf_node_config cfg = d->node_cfg;
  cfg.gather = d->n_planes > 1 ? ocf_daemon_gather : NULL;
  cfg.gather_user = p;
  p->due_ns = OCF_TIME_NEVER;
  r = join_mesh(p, &cfg, err);
  if (r != 0)
    return r;
  r = ocf_node_new(&cfg, ocf_uv_env(p->uv), &p->alloc, &p->rng, &p->log, p->metrics, now, &p->node);
  if (r != 0)
    return ocf_err_set(err, r, NULL, "the node cannot be made: %s", ocf_strerror(r));
  ocf_uv_set_turn(p->uv, &turn_ops, p);
  return ocf_setup_services(d->conf, p->node, err);
}

static int start_plane(struct ocf_plane *p, struct ocf_err *err)
{
  struct ocf_daemon *d = p->d;
  int r = make_plane(p, err);
  if (r == 0)
    r = listen_p2p(p, err);
  if (r != 0)
    return r;
  p->http =
      ocf_uv_listen(p->uv, &d->addrs.http, d->n_planes > 1, BIND_RETRY_NS, on_accept_http, p, err);
  if (p->http == NULL)
    return err->code;
  if (d->addrs.http.port == 0 && d->n_planes > 1)
    d->addrs.http = ocf_uv_listener_addr(p->http);
  r = ocf_daemon_tell_addrs(p);
  if (r != 0)
    return ocf_err_set(err, r, NULL, "our addresses cannot be announced: %s", ocf_strerror(r));
  if (p->index == 0 && !d->conf->registry_memory)
    p->boot_store = ocf_bootfile_init(&p->bootfile, d->conf->datadir, ocf_node_id(p->node));
  ocf_daemon_bootstrap(p);
  return 0;
}

/* In two steps: a loop's last posts may name another plane. */
static void free_planes(struct ocf_daemon *d)
{
  for (size_t i = d->n_planes; i-- > 0;) { /* the first last: the others read its snapshots */
    struct ocf_plane *p = &d->planes[i];
    if (p->uv != NULL)
      ocf_uv_set_turn(p->uv, NULL, NULL);
    ocf_node_free(p->node);
    p->node = NULL;
    ocf_daemon_store_close(p);
  }
  for (size_t i = 0; i < d->n_planes; i++) {
    ocf_uv_free(d->planes[i].uv);
    ocf_logsink_fini(&d->planes[i].sink);
    free(d->planes[i].metrics);
  }
  free(d->planes);
}

static void *run_plane(void *arg)
{
  struct ocf_plane *p = arg;
  ocf_uv_run(p->uv);
  return NULL;
}

/* The one line on standard output that scripts wait for. */
static void say_ready(const struct ocf_plane *p)
{
  char id[OCF_PEERID_TEXT_SIZE], text[OCF_MADDR_TEXT_SIZE], at[OCF_IP_ADDR_TEXT_SIZE];
  struct ocf_ip_addr http = ocf_uv_listener_addr(p->http);
  (void)printf("{\"event\":\"ready\",\"peer_id\":\"%s\",\"http\":\"http://%s\",\"p2p\":[",
               ocf_peerid_text(ocf_node_id(p->node), id), ocf_ip_addr_text(&http, at));
  for (size_t i = 0; i < p->n_p2p; i++) {
    struct ocf_ip_addr a = ocf_uv_listener_addr(p->p2p[i]);
    struct ocf_maddr m;
    ocf_maddr_from_ip(&a, OCF_MADDR_TCP, &m);
    if (ocf_maddr_add_peer(&m, ocf_node_id(p->node)) == 0 &&
        ocf_maddr_text(&m, text, sizeof(text), NULL) == 0)
      (void)printf("%s\"%s\"", i == 0 ? "" : ",", text);
  }
  (void)printf("],\"pid\":%ld}\n", (long)getpid());
  (void)fflush(stdout);
}

static int start_threads(struct ocf_daemon *d, struct ocf_err *err)
{
  for (size_t i = 1; i < d->n_planes; i++) {
    if (pthread_create(&d->planes[i].thread, NULL, run_plane, &d->planes[i]) != 0)
      return ocf_err_set(err, OCF_EIO, NULL, "a thread cannot be started");
    d->planes[i].running = true;
  }
  return 0;
}

static int run(struct ocf_daemon *d, struct ocf_err *err)
{
  struct ocf_plane *first = &d->planes[0];
  for (size_t i = 0; i < d->n_planes; i++) {
    d->planes[i].d = d;
    d->planes[i].index = i;
    int r = start_plane(&d->planes[i], err);
    if (r != 0)
      return r;
  }
  if (ocf_uv_on_signal(first->uv, SIGTERM, on_signal, d) != 0 ||
      ocf_uv_on_signal(first->uv, SIGINT, on_signal, d) != 0 ||
      ocf_uv_on_signal(first->uv, SIGHUP, on_hangup, d) != 0)
    return ocf_err_set(err, OCF_EIO, NULL, "signals cannot be handled");
  int r = start_threads(d, err);
  if (r != 0)
    return r;
  say_ready(first);
  ocf_uv_run(first->uv);
  OCF_LOGF(&first->log, "node", OCF_LOG_INFO, "stopped",
           OCF_LOG_U64("requests_cut", ocf_relay_n_requests(ocf_node_relay(first->node))));
  return 0;
}

/* Fills `b` with what is known; returns how many. */
static size_t build_info(const struct ocf_daemon_info *i, struct ocf_metric_info *b)
{
  const struct ocf_metric_info all[] = {
    { "version", i->version }, { "commit", i->commit },       { "compiler", i->compiler },
    { "libuv", i->libuv },     { "libsodium", i->libsodium }, { "openssl", i->openssl },
    { "libyaml", i->libyaml },
  };
  size_t n = 0;
  for (size_t k = 0; k < OCF_ARRAY_LEN(all); k++) {
    if (all[k].value != NULL)
      b[n++] = all[k];
  }
  return n;
}

int ocf_daemon_run(struct ocf_conf *conf, const struct ocf_key *key,
                   const struct ocf_daemon_info *info, struct ocf_err *err)
{
  struct ocf_daemon d = {
    .conf = conf, .key = key, .info = info, .n_planes = (size_t)conf->planes
  };
  struct ocf_metric_info build[BUILD_INFO_MAX];
  int r = ocf_crypto_init();
  if (r == 0)
    r = ocf_setup_addrs(conf, &d.addrs, err);
  if (r != 0)
    return r;
  char agent[64];
  (void)snprintf(agent, sizeof(agent), "ocf-c/%s", info->version);
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of the store's */
  ocf_setup_node(conf, &d.node_cfg);
  d.node_cfg.build_info = build;
  d.node_cfg.n_build_info = build_info(info, build);
  d.node_cfg.key = key;
  d.node_cfg.version = info->version;
  d.node_cfg.swarm.agent = agent;
  if (pthread_mutex_init(&d.lock, NULL) != 0)
    return ocf_err_set(err, OCF_ENOMEM, NULL, "out of memory");
  d.planes = calloc(d.n_planes, sizeof(*d.planes));
  if (d.planes == NULL)
    return ocf_err_set(err, OCF_ENOMEM, NULL, "out of memory");
  r = run(&d, err);
  for (size_t i = 1; i < d.n_planes; i++) {
    if (d.planes[i].running)
      (void)pthread_join(d.planes[i].thread, NULL);
  }
  free_planes(&d);
  (void)pthread_mutex_destroy(&d.lock);
  return r;
}
