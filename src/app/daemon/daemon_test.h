/* What the tests of whole daemons share: ports, a client of one request at a time, a daemon on a
 * thread of its own with a fixed key. Sockets are on loopback only. */
#ifndef OCF_APP_DAEMON_DAEMON_TEST_H
#define OCF_APP_DAEMON_DAEMON_TEST_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/conf/conf.h"
#include "app/daemon/daemon.h"
#include "base/rng/rng.h"
#include "crypto/key/key.h"
#include "testing/test.h"

static inline int listen_any(uint16_t *port)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  socklen_t len = sizeof(at);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
  assert_int_equal(listen(fd, 64), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
  *port = ntohs(at.sin_port);
  return fd;
}

static inline uint16_t free_port(void)
{
  uint16_t port;
  (void)close(listen_any(&port));
  return port;
}

/* Waits up to ten seconds for the port to be listened on. */
static inline int connect_to(uint16_t port)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr = { htonl(INADDR_LOOPBACK) } };
  for (int i = 0; i < 500; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
      return fd;
    (void)close(fd);
    (void)usleep(20000);
  }
  return -1;
}

/* Sends `head` on a connection of its own and reads until the other side closes, into `buf`, which
 * ends with a NUL. The status, or 0. */
static inline int exchange(uint16_t port, const char *head, char *buf, size_t cap)
{
  int status = 0, fd = connect_to(port);
  size_t n = 0, len = strlen(head);
  buf[0] = '\0';
  if (fd >= 0 && write(fd, head, len) == (ssize_t)len) {
    ssize_t r;
    while (n < cap - 1 && (r = read(fd, buf + n, cap - 1 - n)) > 0)
      n += (size_t)r;
    buf[n] = '\0';
    (void)!sscanf(buf, "HTTP/1.1 %d", &status);
  }
  if (fd >= 0)
    (void)close(fd);
  return status;
}

/* GET `path` with its answer in `buf`. */
static inline int get(uint16_t port, const char *path, char *buf, size_t cap)
{
  char req[512];
  (void)snprintf(req, sizeof(req), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
  return exchange(port, req, buf, cap);
}

struct run {
  struct ocf_alloc alloc;
  struct ocf_conf conf;
  struct ocf_key key;
  struct ocf_daemon_info info;
  struct ocf_err err;
  int result;
  pthread_t thread;
};

static inline void *run_daemon(void *arg)
{
  struct run *r = arg;
  r->result = ocf_daemon_run(&r->conf, &r->key, &r->info, &r->err);
  return NULL;
}

/* `args` must live as long as the daemon. */
static inline void start(struct run *r, uint64_t seed, const char *const *args, size_t n_args)
{
  static struct ocf_conf_report report;
  struct ocf_rng rng;
  r->info = (struct ocf_daemon_info){
    .version = "1.2.3", .commit = "test", .compiler = "a \"cc\"", .args = args, .n_args = n_args
  };
  ocf_alloc_init(&r->alloc);
  ocf_rng_seed(&rng, seed);
  assert_int_equal(ocf_key_generate(&r->key, &r->alloc, OCF_KEY_ED25519, &rng), 0);
  assert_int_equal(ocf_conf_load(&r->conf, &r->alloc, NULL, args, n_args, &report), 0);
  r->conf.registry_memory = true; /* two daemons of one process would share the store's folder */
  assert_int_equal(pthread_create(&r->thread, NULL, run_daemon, r), 0);
}

/* After a signal. */
static inline void join(struct run *r)
{
  assert_int_equal(pthread_join(r->thread, NULL), 0);
  assert_int_equal(r->result, 0);
  ocf_conf_fini(&r->conf);
  ocf_key_fini(&r->key);
  assert_int_equal(r->alloc.live_bytes, 0);
}

#endif
