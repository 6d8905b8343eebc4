/* Goal: every route, and who may use it. Method: a whole node on a driver that only records; each
 * request comes on a socket of its own. What needs two nodes is a simulator scenario. */
#include "node/core/node.h"
#include "obs/metric/metric.h"
#include "testing/test.h"

enum { CAP = 256 * 1024 };

struct ocf_sock {
  const struct ocf_sock_user_ops *ops;
  void *user;
  char sent[CAP];
  size_t n_sent;
  bool closed;
};

static struct ocf_sock sock;

static uint64_t env_wall(struct ocf_env *e)
{
  (void)e;
  return UINT64_C(1700000000000000000);
}

static void env_adopt(struct ocf_sock *s, const struct ocf_sock_user_ops *ops, void *user)
{
  s->ops = ops;
  s->user = user;
}

static size_t env_send(struct ocf_sock *s, const struct ocf_bytes *v, size_t n, bool background)
{
  size_t total = 0;
  (void)background;
  for (size_t i = 0; i < n; i++) {
    assert_true(s->n_sent + v[i].n < CAP);
    if (v[i].n > 0)
      memcpy(s->sent + s->n_sent, v[i].p, v[i].n);
    s->n_sent += v[i].n;
    total += v[i].n;
  }
  s->sent[s->n_sent] = '\0';
  return total;
}

static void env_pause(struct ocf_sock *s, bool paused)
{
  (void)s;
  (void)paused;
}

static void env_shutdown(struct ocf_sock *s)
{
  (void)s;
}

static void env_close(struct ocf_sock *s, bool reset)
{
  (void)reset;
  s->closed = true;
}

static const struct ocf_env_ops env_ops = { .wall_ns = env_wall,
                                            .adopt = env_adopt,
                                            .send = env_send,
                                            .pause = env_pause,
                                            .shutdown = env_shutdown,
                                            .close = env_close };

static struct ocf_env env = { &env_ops };
static struct ocf_alloc alloc;
static struct ocf_rng rng;
static struct ocf_key key;
static struct ocf_metrics metrics;
static struct ocf_node *node;
static uint64_t now = 1000;
static char self_id[OCF_PEERID_TEXT_SIZE];

static const struct ocf_ip_addr local = { .family = 4, .ip = { 127, 0, 0, 1 } };
static const struct ocf_ip_addr remote = { .family = 4, .ip = { 10, 0, 0, 9 } };

static int setup(void **state)
{
  struct ocf_node_config cfg;
  (void)state;
  ocf_alloc_init(&alloc);
  ocf_rng_seed(&rng, 3);
  ocf_metrics_init(&metrics);
  ocf_node_config_init(&cfg);
  assert_int_equal(ocf_key_generate(&key, &alloc, OCF_KEY_ED25519, &rng), 0);
  cfg.key = &key;
  cfg.version = "1.2.3";
  cfg.swarm.agent = "test";
  assert_int_equal(ocf_node_new(&cfg, &env, &alloc, &rng, NULL, &metrics, now, &node), 0);
  (void)ocf_peerid_text(ocf_node_id(node), self_id);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  ocf_node_free(node);
  ocf_key_fini(&key);
  return alloc.live_bytes == 0 ? 0 : -1;
}

/* One request on a new connection; the answer as text. */
static const char *ask(const struct ocf_ip_addr *from, const char *method, const char *path)
{
  char req[1024];
  uint8_t *p;
  size_t cap;
  int n = snprintf(req, sizeof(req), "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, path);
  memset(&sock, 0, sizeof(sock));
  ocf_node_accept_http(node, now, &sock, from);
  sock.ops->rx_space(sock.user, &p, &cap);
  assert_true((size_t)n <= cap);
  memcpy(p, req, (size_t)n);
  sock.ops->rx(sock.user, now, (size_t)n);
  ocf_node_turn(node, now);
  return sock.sent;
}

#define ASSERT_HAS(text, part) assert_non_null(strstr((text), (part)))

static void test_health_and_readiness_answer_anybody(void **state)
{
  (void)state;
  ASSERT_HAS(ask(&remote, "GET", "/v1/health"), "HTTP/1.1 200 ");
  ASSERT_HAS(sock.sent, "{\"status\":\"ok\"}");
  ASSERT_HAS(ask(&remote, "GET", "/healthz"), "HTTP/1.1 200 ");
  ASSERT_HAS(ask(&remote, "GET", "/readyz"), "{\"status\":\"ready\"}");
}

static void test_a_head_request_has_the_length_and_no_body(void **state)
{
  (void)state;
  ASSERT_HAS(ask(&local, "HEAD", "/v1/health"), "Content-Length: 15\r\n");
  assert_null(strstr(sock.sent, "status"));
}

static void test_a_known_path_names_its_methods_and_an_unknown_one_is_404(void **state)
{
  (void)state;
  ASSERT_HAS(ask(&local, "POST", "/v1/health"), "HTTP/1.1 405 ");
  ASSERT_HAS(sock.sent, "Allow: GET, HEAD\r\n");
  ASSERT_HAS(ask(&local, "GET", "/v1/nothing"), "HTTP/1.1 404 ");
  ASSERT_HAS(sock.sent, "\"code\":\"not_found\"");
  ASSERT_HAS(ask(&local, "GET", "/v1/healthy"), "HTTP/1.1 404 ");
  ASSERT_HAS(ask(&local, "GET", "/v1/p2p"), "HTTP/1.1 404 ");
}

static void test_callers_from_elsewhere_may_look_but_not_reach(void **state)
{
  (void)state;
  ASSERT_HAS(ask(&remote, "GET", "/v1/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq/x"),
             "HTTP/1.1 403 ");
  ASSERT_HAS(ask(&remote, "GET", "/v1/_service/llm/x"), "HTTP/1.1 403 ");
  ASSERT_HAS(ask(&remote, "GET", "/metrics"), "HTTP/1.1 403 ");
  ASSERT_HAS(ask(&remote, "GET", "/v1/self"), "HTTP/1.1 403 ");
}

static void test_peer_ids_are_checked_and_unknown_peers_told(void **state)
{
  (void)state;
  ASSERT_HAS(ask(&local, "GET", "/v1/p2p/nonsense/x"), "\"code\":\"bad_peer_id\"");
  ASSERT_HAS(ask(&local, "GET", "/v1/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq/x"),
             "\"code\":\"peer_unreachable\"");
}

static void test_our_own_id_is_a_way_to_our_own_routes(void **state)
{
  char path[5 * OCF_PEERID_TEXT_SIZE + 128];
  (void)state;
  (void)snprintf(path, sizeof(path), "/v1/p2p/%s/v1/health", self_id);
  ASSERT_HAS(ask(&local, "GET", path), "{\"status\":\"ok\"}");
  (void)snprintf(path, sizeof(path), "/v1/p2p/%s/v1/p2p/%s/v1/p2p/%s/v1/p2p/%s/v1/p2p/%s/healthz",
                 self_id, self_id, self_id, self_id, self_id);
  ASSERT_HAS(ask(&local, "GET", path), "HTTP/1.1 404 "); /* round and round is refused */
}

static void test_only_configured_services_are_reached(void **state)
{
  (void)state;
  ASSERT_HAS(ask(&local, "GET", "/v1/_service/llm/v1/models"), "\"code\":\"service_not_found\"");
  ASSERT_HAS(ask(&local, "GET", "/v1/_service/127.0.0.1:22/x"), "\"code\":\"service_not_found\"");
}

static void test_self_says_who_we_are(void **state)
{
  (void)state;
  ASSERT_HAS(ask(&local, "GET", "/v1/self"), self_id);
  ASSERT_HAS(sock.sent, "\"version\":\"1.2.3\"");
}

static void test_metrics_count_what_was_asked(void **state)
{
  (void)state;
  (void)ask(&local, "GET", "/v1/health");
  ASSERT_HAS(ask(&local, "GET", "/metrics"),
             "ocf_http_requests_total{route=\"health\",method=\"GET\",code=\"2xx\"} 1\n");
}

static void test_a_draining_node_is_not_ready_and_soon_done(void **state)
{
  (void)state;
  ocf_node_drain(node, now, OCF_NS_PER_S);
  ocf_node_turn(node, now);
  assert_true(ocf_node_drained(node));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(test_health_and_readiness_answer_anybody),
    T(test_a_head_request_has_the_length_and_no_body),
    T(test_a_known_path_names_its_methods_and_an_unknown_one_is_404),
    T(test_callers_from_elsewhere_may_look_but_not_reach),
    T(test_peer_ids_are_checked_and_unknown_peers_told),
    T(test_our_own_id_is_a_way_to_our_own_routes),
    T(test_only_configured_services_are_reached),
    T(test_self_says_who_we_are),
    T(test_metrics_count_what_was_asked),
    T(test_a_draining_node_is_not_ready_and_soon_done),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
