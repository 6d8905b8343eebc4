/* Goal: several data-plane loops in one process share nothing they should not, and two daemons in
 * one process share nothing at all. Method: a worker and a head with two planes each, real sockets,
 * real threads, a burst of requests from several client threads that also read the metrics, which
 * every plane must show for all of them; run under TSan by CI. */
#define _GNU_SOURCE
#include <stdatomic.h>

#include "app/daemon/daemon_test.h"
#include "multi/peerid/peerid.h"

enum { CLIENTS = 4, REQUESTS = 60 };

static bool read_head(int fd, char *buf, size_t cap)
{
  size_t n = 0;
  while (n < cap - 1) {
    ssize_t r = read(fd, buf + n, cap - 1 - n);
    if (r <= 0)
      return false;
    n += (size_t)r;
    buf[n] = '\0';
    if (strstr(buf, "\r\n\r\n") != NULL)
      return true;
  }
  return false;
}

/* A service that answers every request with two bytes. */
static void *serve_one(void *arg)
{
  int fd = (int)(intptr_t)arg;
  char buf[4096];
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  while (read_head(fd, buf, sizeof(buf)) && write(fd, answer, sizeof(answer) - 1) > 0)
    continue;
  (void)close(fd);
  return NULL;
}

static void *serve(void *arg)
{
  int fd = (int)(intptr_t)arg, c;
  while ((c = accept(fd, NULL, NULL)) >= 0) {
    pthread_t t;
    if (pthread_create(&t, NULL, serve_one, (void *)(intptr_t)c) == 0)
      (void)pthread_detach(t);
  }
  return NULL;
}

static atomic_size_t n_asked;

static int ask(uint16_t port, const char *path)
{
  char buf[4096];
  int status = get(port, path, buf, sizeof(buf));
  atomic_fetch_add(&n_asked, status != 0 ? 1 : 0);
  return status;
}

/* The sum of the page's lines that begin with `start`. */
static uint64_t sum_of(const char *page, const char *start)
{
  uint64_t sum = 0;
  for (const char *p = page; (p = strstr(p, start)) != NULL; p++) {
    if (p == page || p[-1] == '\n')
      sum += strtoull(strchr(p, ' '), NULL, 10);
  }
  return sum;
}

/* Each read goes to a plane of the kernel's choice. */
static void check_head_metrics(uint16_t port)
{
  static char page[1 << 18];
  for (int i = 0; i < 10; i++) {
    assert_int_equal(get(port, "/metrics", page, sizeof(page)), 200);
    assert_int_equal(sum_of(page, "ocf_http_requests_total{route=\"p2p\""), atomic_load(&n_asked));
    assert_true(sum_of(page, "ocf_p2p_connections{dir=\"out\"}") >= 2); /* one per plane */
    assert_true(sum_of(page, "ocf_p2p_handshakes_total{dir=\"out\",result=\"ok\"}") >= 2);
    assert_true(sum_of(page, "ocf_p2p_handshake_seconds_count{dir=\"out\"}") >= 2);
    assert_true(sum_of(page, "ocf_p2p_dials_total{result=\"ok\"}") >= 2);
    assert_true(sum_of(page, "ocf_p2p_streams{dir=\"out\",protocol=\"http\"}") >= 1);
    assert_true(sum_of(page, "ocf_p2p_streams_total{dir=\"in\",protocol=\"identify\"}") >= 2);
    assert_non_null(strstr(page, "compiler=\"a \\\"cc\\\"\""));
  }
  for (int i = 0; i < 500 && sum_of(page, "ocf_loop_lag_seconds_count") == 0; i++) {
    (void)usleep(20000); /* the first timer comes when idle connections are looked at */
    assert_int_equal(get(port, "/metrics", page, sizeof(page)), 200);
  }
  assert_true(sum_of(page, "ocf_loop_lag_seconds_count") > 0);
}

static void check_worker_metrics(uint16_t port)
{
  static char page[1 << 18];
  assert_int_equal(get(port, "/metrics", page, sizeof(page)), 200);
  assert_true(sum_of(page, "ocf_service_connections{service=\"llm\"}") >= 1);
  assert_true(sum_of(page, "ocf_p2p_connections{dir=\"in\"}") >= 2);
  assert_true(sum_of(page, "ocf_p2p_streams_total{dir=\"in\",protocol=\"http\"}") >= 1);
  assert_int_equal(sum_of(page, "ocf_service_up{service=\"llm\"}"), 1); /* not one per plane */
}

struct client {
  uint16_t port;
  char path[160];
  atomic_int n_ok;
};

static void *client(void *arg)
{
  struct client *c = arg;
  for (int i = 0; i < REQUESTS; i++)
    atomic_fetch_add(&c->n_ok, ask(c->port, i % 10 == 9 ? "/metrics" : c->path) == 200 ? 1 : 0);
  return NULL;
}

/* True once both planes of the head have reached the worker: ten connections in a row answer. */
static bool wait_until_reached(uint16_t port, const char *path)
{
  for (int tries = 0, good = 0; tries < 1500; tries++) {
    good = ask(port, path) == 200 ? good + 1 : 0;
    if (good == 10)
      return true;
    if (good == 0)
      (void)usleep(20000);
  }
  return false;
}

static void test_two_planes_on_both_nodes_carry_requests_side_by_side(void **state)
{
  static struct run worker, head;
  static struct client c;
  char w_http[8], h_http[8], w_listen[48], svc[8], boot[200], id_text[OCF_PEERID_TEXT_SIZE];
  uint16_t svc_port, w_p2p = free_port();
  int svc_fd = listen_any(&svc_port);
  pthread_t server, clients[CLIENTS];
  (void)state;
  c.port = free_port();
  assert_int_equal(pthread_create(&server, NULL, serve, (void *)(intptr_t)svc_fd), 0);
  (void)snprintf(w_http, sizeof(w_http), "%u", free_port());
  (void)snprintf(h_http, sizeof(h_http), "%u", c.port);
  (void)snprintf(svc, sizeof(svc), "%u", svc_port);
  (void)snprintf(w_listen, sizeof(w_listen), "/ip4/127.0.0.1/tcp/%u", w_p2p);
  const char *w_args[] = { "--port",         w_http, "--listen",       w_listen,
                           "--planes",       "2",    "--service.name", "llm",
                           "--service.port", svc,    "--log.level",    "warn" };
  start(&worker, 1, w_args, OCF_ARRAY_LEN(w_args));
  struct ocf_peerid id;
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&worker.key)), &id);
  (void)ocf_peerid_text(&id, id_text);
  (void)snprintf(boot, sizeof(boot), "%s/p2p/%s", w_listen, id_text);
  (void)snprintf(c.path, sizeof(c.path), "/v1/p2p/%s/v1/_service/llm/x", id_text);
  const char *h_args[] = { "--port",      h_http, "--listen",           "/ip4/127.0.0.1/tcp/0",
                           "--planes",    "2",    "--bootstrap.static", boot,
                           "--log.level", "warn" };
  start(&head, 2, h_args, OCF_ARRAY_LEN(h_args));
  assert_true(wait_until_reached(c.port, c.path));
  for (size_t i = 0; i < CLIENTS; i++)
    assert_int_equal(pthread_create(&clients[i], NULL, client, &c), 0);
  for (size_t i = 0; i < CLIENTS; i++)
    assert_int_equal(pthread_join(clients[i], NULL), 0);
  assert_int_equal(atomic_load(&c.n_ok), CLIENTS * REQUESTS);
  atomic_fetch_sub(&n_asked, CLIENTS * REQUESTS / 10); /* reads of the metrics */
  check_head_metrics(c.port);
  check_worker_metrics((uint16_t)atoi(w_http));
  assert_int_equal(kill(getpid(), SIGTERM), 0);
  join(&head);
  join(&worker);
  (void)shutdown(svc_fd, SHUT_RDWR);
  (void)close(svc_fd);
  assert_int_equal(pthread_join(server, NULL), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_two_planes_on_both_nodes_carry_requests_side_by_side),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
