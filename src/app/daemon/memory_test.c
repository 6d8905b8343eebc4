/* Goal: near its memory limit a node sheds work in the stated order, keeps answering about itself,
 * and takes work again when there is room; an allocation need not fail first. Method: a node on a
 * real loop whose allocator's limit is set around what it holds; requests over loopback. */
#define _GNU_SOURCE
#include "app/daemon/daemon_test.h"
#include "crypto/hash/hash.h"
#include "io/uv/uv.h"
#include "node/core/node.h"

struct rig {
  struct ocf_uv *uv;
  struct ocf_alloc alloc;
  struct ocf_rng rng;
  struct ocf_log log;
  struct ocf_metrics metrics;
  struct ocf_key key;
  struct ocf_node *node;
  struct ocf_uv_listener *http, *p2p;
  pthread_t thread;
  pthread_mutex_t lock; /* of what `limit` asks and tells */
  pthread_cond_t done;
  unsigned percent;
  bool set;
  enum ocf_node_pressure seen;
};

static struct rig r;

static void on_turn(void *user, uint64_t now_ns)
{
  (void)user;
  ocf_node_turn(r.node, now_ns);
}

static uint64_t on_deadline(void *user)
{
  (void)user;
  return ocf_node_deadline(r.node);
}

static void on_http(void *user, uint64_t now_ns, struct ocf_sock *s, const struct ocf_ip_addr *from)
{
  (void)user;
  ocf_node_accept_http(r.node, now_ns, s, from);
}

static void on_p2p(void *user, uint64_t now_ns, struct ocf_sock *s, const struct ocf_ip_addr *from)
{
  (void)user;
  ocf_node_accept_p2p(r.node, now_ns, s, from);
}

static void *run_loop(void *arg)
{
  (void)arg;
  ocf_uv_run(r.uv);
  return NULL;
}

static struct ocf_uv_listener *listen_on_any(ocf_uv_accept_fn fn)
{
  struct ocf_ip_addr at = { .family = 4, .ip = { 127, 0, 0, 1 } };
  struct ocf_err e;
  return ocf_uv_listen(r.uv, &at, false, 0, fn, NULL, &e);
}

static int setup(void **state)
{
  static const struct ocf_uv_turn_ops ops = { on_turn, on_deadline };
  struct ocf_node_config cfg;
  (void)state;
  (void)signal(SIGPIPE, SIG_IGN);
  assert_int_equal(ocf_crypto_init(), 0);
  ocf_alloc_init(&r.alloc);
  ocf_rng_seed(&r.rng, 3);
  ocf_log_init(&r.log);
  ocf_metrics_init(&r.metrics);
  assert_int_equal(ocf_key_generate(&r.key, &r.alloc, OCF_KEY_ED25519, &r.rng), 0);
  r.uv = ocf_uv_new(64);
  assert_non_null(r.uv);
  ocf_node_config_init(&cfg);
  cfg.key = &r.key;
  cfg.swarm.agent = "test";
  assert_int_equal(ocf_node_new(&cfg, ocf_uv_env(r.uv), &r.alloc, &r.rng, &r.log, &r.metrics,
                                ocf_uv_now(), &r.node),
                   0);
  ocf_uv_set_turn(r.uv, &ops, NULL);
  r.http = listen_on_any(on_http);
  r.p2p = listen_on_any(on_p2p);
  assert_true(r.http != NULL && r.p2p != NULL);
  assert_int_equal(pthread_mutex_init(&r.lock, NULL), 0);
  assert_int_equal(pthread_cond_init(&r.done, NULL), 0);
  return pthread_create(&r.thread, NULL, run_loop, NULL);
}

static void stop_loop(void *arg)
{
  (void)arg;
  ocf_uv_stop(r.uv);
}

static int teardown(void **state)
{
  (void)state;
  assert_int_equal(ocf_uv_post(r.uv, stop_loop, NULL), 0);
  assert_int_equal(pthread_join(r.thread, NULL), 0);
  ocf_node_free(r.node);
  ocf_uv_set_turn(r.uv, NULL, NULL);
  ocf_uv_free(r.uv);
  ocf_key_fini(&r.key);
  return r.alloc.live_bytes != 0;
}

static void set_limit(void *arg)
{
  (void)arg;
  assert_int_equal(pthread_mutex_lock(&r.lock), 0);
  r.alloc.limit_bytes = r.percent == 0 ? 0 : r.alloc.live_bytes / r.percent * 100;
  r.seen = ocf_node_pressure(r.node);
  r.set = true;
  assert_int_equal(pthread_cond_signal(&r.done), 0);
  assert_int_equal(pthread_mutex_unlock(&r.lock), 0);
}

/* Sets the limit so that the node now holds `percent` of it; 0: no limit. */
static enum ocf_node_pressure limit(unsigned percent)
{
  assert_int_equal(pthread_mutex_lock(&r.lock), 0);
  r.percent = percent;
  r.set = false;
  assert_int_equal(ocf_uv_post(r.uv, set_limit, NULL), 0);
  while (!r.set)
    assert_int_equal(pthread_cond_wait(&r.done, &r.lock), 0);
  enum ocf_node_pressure p = r.seen;
  assert_int_equal(pthread_mutex_unlock(&r.lock), 0);
  return p;
}

static void test_requests_are_shed_before_connections_and_both_come_back(void **state)
{
  static char buf[1 << 17];
  uint16_t port = ocf_uv_listener_addr(r.http).port, p2p = ocf_uv_listener_addr(r.p2p).port;
  (void)state;
  assert_int_equal(get(port, "/v1/_service/none/x", buf, sizeof(buf)), 404);
  assert_int_equal(limit(50), OCF_NODE_EASY);
  assert_int_equal(get(port, "/v1/_service/none/x", buf, sizeof(buf)), 404);
  assert_int_equal(limit(78), OCF_NODE_SHED_IDLE);
  assert_int_equal(get(port, "/v1/_service/none/x", buf, sizeof(buf)), 404);

  assert_int_equal(limit(89), OCF_NODE_SHED_REQUESTS);
  assert_int_equal(get(port, "/v1/_service/none/x", buf, sizeof(buf)), 503);
  assert_non_null(strstr(buf, "\r\nRetry-After: 1\r\n"));
  assert_non_null(strstr(buf, "overloaded"));
  assert_int_equal(get(port, "/v1/health", buf, sizeof(buf)), 200);

  assert_int_equal(limit(97), OCF_NODE_SHED_CONNS);
  assert_int_equal(get(port, "/v1/health", buf, sizeof(buf)), 0);
  assert_int_equal(exchange(p2p, "x", buf, sizeof(buf)), 0);
  assert_string_equal(buf, ""); /* closed before multistream said a word */

  assert_int_equal(limit(0), OCF_NODE_EASY);
  assert_int_equal(get(port, "/v1/_service/none/x", buf, sizeof(buf)), 404);
  assert_int_equal(get(port, "/metrics", buf, sizeof(buf)), 200);
  assert_non_null(strstr(buf, "ocf_p2p_accept_refused_total{reason=\"memory\"} 1\n"));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test_setup_teardown(test_requests_are_shed_before_connections_and_both_come_back,
                                  setup, teardown),
};

OCF_TEST_MAIN(tests)
