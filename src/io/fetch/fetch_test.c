/* Goal: a document comes whole or with the right error, once, on the owner's thread; nothing that
 * a server does makes it more than asked for; TLS is verified. Method: servers in this process that
 * misbehave by path, and `openssl s_server` with a certificate authority made for the test. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/time/time.h"
#include "io/fetch/fetch.h"
#include "testing/test.h"

enum { PATIENCE_S = 30, BIG = 96 * 1024 };

/* ---- the owner's loop ---- */

struct post {
  struct post *next;
  void (*fn)(void *arg);
  void *arg;
};

static struct {
  pthread_mutex_t lock;
  pthread_cond_t some;
  struct post *first;
  unsigned n_refuse; /* posts that find no memory */
} loop = { .lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER };

static int post(void *ctx, void (*fn)(void *arg), void *arg)
{
  assert_ptr_equal(ctx, &loop);
  struct post *p = malloc(sizeof(*p));
  struct post **at = &loop.first;
  assert_non_null(p);
  *p = (struct post){ NULL, fn, arg };
  assert_int_equal(pthread_mutex_lock(&loop.lock), 0);
  bool refuse = loop.n_refuse > 0;
  loop.n_refuse -= refuse ? 1 : 0;
  while (*at != NULL)
    at = &(*at)->next;
  if (refuse)
    free(p);
  else
    *at = p;
  assert_int_equal(pthread_cond_signal(&loop.some), 0);
  assert_int_equal(pthread_mutex_unlock(&loop.lock), 0);
  return refuse ? OCF_ENOMEM : 0;
}

static uint64_t now_ns(void)
{
  struct timespec ts;
  (void)clock_gettime(CLOCK_MONOTONIC, &ts);
  return (uint64_t)ts.tv_sec * OCF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* One post, if any comes within `wait_ms`. */
static bool turn(long wait_ms)
{
  struct timespec ts;
  (void)clock_gettime(CLOCK_REALTIME, &ts);
  ts.tv_nsec += wait_ms % 1000 * 1000000L;
  ts.tv_sec += wait_ms / 1000 + ts.tv_nsec / 1000000000L;
  ts.tv_nsec %= 1000000000L;
  assert_int_equal(pthread_mutex_lock(&loop.lock), 0);
  while (loop.first == NULL && pthread_cond_timedwait(&loop.some, &loop.lock, &ts) == 0) {
  }
  struct post *p = loop.first;
  loop.first = p != NULL ? p->next : NULL;
  assert_int_equal(pthread_mutex_unlock(&loop.lock), 0);
  if (p == NULL)
    return false;
  p->fn(p->arg);
  free(p);
  return true;
}

static const struct ocf_fetch_loop fetch_loop = { post, now_ns, &loop };

/* ---- answers ---- */

struct answer {
  int n, err, status;
  size_t len;
  char body[4096], text[512];
  uint64_t at_ns;
};

static pthread_t owner;

static void on_fetched(void *user, uint64_t at_ns, const struct ocf_fetched *f)
{
  struct answer *a = user;
  assert_true(pthread_equal(pthread_self(), owner));
  assert_true((f->err == 0) == (f->text[0] == '\0'));
  assert_true(f->err == 0 || f->body.n == 0);
  a->n++;
  a->err = f->err;
  a->status = f->status;
  a->len = f->body.n;
  a->at_ns = at_ns;
  (void)snprintf(a->text, sizeof(a->text), "%s", f->text);
  (void)snprintf(a->body, sizeof(a->body), "%.*s", (int)OCF_MIN(f->body.n, sizeof(a->body) - 1),
                 f->body.n > 0 ? (const char *)f->body.p : "");
}

static struct ocf_fetcher *fetcher;

static void wait_for(struct answer *a)
{
  uint64_t end = now_ns() + PATIENCE_S * OCF_NS_PER_S;
  while (a->n == 0 && now_ns() < end)
    (void)turn(100);
  assert_int_equal(a->n, 1);
}

static struct answer get(const char *url, size_t max, uint64_t timeout_ns)
{
  struct answer a = { .n = 0 };
  assert_int_equal(ocf_fetcher_get(fetcher, url, max, timeout_ns, on_fetched, &a), 0);
  assert_int_equal(a.n, 0);
  wait_for(&a);
  return a;
}

/* ---- a server that does what the path says ---- */

static struct {
  int fd;
  uint16_t port;
  pthread_t thread;
} server;

static void say(int c, const char *fmt, ...) OCF_PRINTF(2, 3);
static void say(int c, const char *fmt, ...)
{
  char buf[8192];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(buf, sizeof(buf), fmt, ap);
  va_end(ap);
  (void)!send(c, buf, (size_t)n, MSG_NOSIGNAL);
}

static void say_big(int c, bool chunked)
{
  char block[16 * 1024];
  memset(block, 'b', sizeof(block));
  if (chunked)
    say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  else
    say(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BIG);
  for (size_t i = 0; i < BIG / sizeof(block); i++) {
    if (chunked)
      say(c, "%zx\r\n", sizeof(block));
    if (send(c, block, sizeof(block), MSG_NOSIGNAL) < 0)
      return;
    if (chunked)
      say(c, "\r\n");
  }
  if (chunked)
    say(c, "0\r\n\r\n");
}

/* One byte each 20 ms, for ever. */
static void drip(int c)
{
  say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
  while (send(c, "d", 1, MSG_NOSIGNAL) == 1)
    (void)usleep(20000);
}

static void redirect(int c, int left)
{
  if (left > 0)
    say(c, "HTTP/1.1 302 Found\r\nLocation: /redirect/%d\r\nContent-Length: 0\r\n\r\n", left - 1);
  else
    say(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere");
}

static void answer(int c, const char *req)
{
  int left;
  char path[256] = "";
  (void)sscanf(req, "GET %255s", path);
  if (strcmp(path, "/echo") == 0)
    say(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(req), req);
  else if (strcmp(path, "/missing") == 0)
    say(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnothing");
  else if (sscanf(path, "/redirect/%d", &left) == 1)
    redirect(c, left);
  else if (strcmp(path, "/to-ftp") == 0 || strcmp(path, "/to-file") == 0)
    say(c, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
        path[4] == 't' ? "ftp://127.0.0.1/x" : "file:///etc/passwd");
  else if (strcmp(path, "/cookie") == 0)
    say(c, "HTTP/1.1 302 Found\r\nSet-Cookie: a=secret\r\nLocation: /echo\r\n"
           "Content-Length: 0\r\n\r\n");
  else if (strcmp(path, "/big") == 0 || strcmp(path, "/big-chunked") == 0)
    say_big(c, path[4] != '\0');
  else if (strcmp(path, "/drip") == 0)
    drip(c);
  else if (strcmp(path, "/garbage") == 0)
    say(c, "\x01\x02 this is no answer\r\n\r\nat all");
  else if (strcmp(path, "/cut") == 0)
    say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
  else if (strcmp(path, "/empty") == 0)
    say(c, "HTTP/1.1 204 No Content\r\n\r\n");
  else if (strcmp(path, "/slow") == 0)
    (void)recv(c, path, sizeof(path), 0); /* until the client goes */
}

static void *serve_one(void *arg)
{
  char req[4096];
  size_t n = 0;
  int c = (int)(intptr_t)arg;
  ssize_t r;
  while (n < sizeof(req) - 1 && (r = recv(c, req + n, sizeof(req) - 1 - n, 0)) > 0) {
    n += (size_t)r;
    req[n] = '\0';
    if (strstr(req, "\r\n\r\n") == NULL)
      continue;
    answer(c, req);
    n = 0;
    if (strncmp(req, "GET /redirect", 13) != 0 && strncmp(req, "GET /cookie", 11) != 0)
      break;
  }
  (void)shutdown(c, SHUT_WR);
  while (recv(c, req, sizeof(req), 0) > 0) {
  }
  (void)close(c);
  return NULL;
}

static void *serve(void *arg)
{
  pthread_t t;
  int c;
  (void)arg;
  while ((c = accept(server.fd, NULL, NULL)) >= 0) {
    (void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    assert_int_equal(pthread_create(&t, NULL, serve_one, (void *)(intptr_t)c), 0);
    assert_int_equal(pthread_detach(t), 0);
  }
  return NULL;
}

static int listen_on_any(uint16_t *port)
{
  struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  socklen_t len = sizeof(sin);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
  assert_int_equal(listen(fd, 64), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
  *port = ntohs(sin.sin_port);
  return fd;
}

static const char *url_of(const char *path)
{
  static char url[512];
  (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server.port, path);
  return url;
}

static int group_setup(void **state)
{
  (void)state;
  (void)signal(SIGPIPE, SIG_IGN);
  owner = pthread_self();
  server.fd = listen_on_any(&server.port);
  return pthread_create(&server.thread, NULL, serve, NULL);
}

static int group_teardown(void **state)
{
  (void)state;
  (void)shutdown(server.fd, SHUT_RDWR);
  (void)pthread_join(server.thread, NULL);
  return close(server.fd);
}

static int setup(void **state)
{
  const struct ocf_fetch_config cfg = { .user_agent = "ocf-c/test" };
  (void)state;
  fetcher = ocf_fetcher_new(&cfg, &fetch_loop);
  return fetcher != NULL ? 0 : -1;
}

static int teardown(void **state)
{
  (void)state;
  ocf_fetcher_free(fetcher);
  fetcher = NULL;
  while (turn(0)) { /* what was posted late finds nobody */
  }
  return 0;
}

/* ---- tests ---- */

#define S OCF_NS_PER_S

static void test_an_answer_comes_with_its_status_and_body(void **state)
{
  (void)state;
  struct answer a = get(url_of("/echo"), 4096, 10 * S);
  assert_int_equal(a.err, 0);
  assert_int_equal(a.status, 200);
  assert_true(strncmp(a.body, "GET /echo HTTP/1.1\r\n", 20) == 0);
  assert_non_null(strstr(a.body, "User-Agent: ocf-c/test\r\n"));
  assert_null(strstr(a.body, "Accept-Encoding")); /* nothing is unpacked */
  a = get(url_of("/missing"), 4096, 10 * S);
  assert_int_equal(a.err, 0);
  assert_int_equal(a.status, 404);
  assert_string_equal(a.body, "nothing");
  a = get(url_of("/empty"), 0, 10 * S);
  assert_int_equal(a.err, 0);
  assert_int_equal(a.status, 204);
  assert_int_equal(a.len, 0);
}

static void test_three_redirects_are_followed_and_no_more(void **state)
{
  (void)state;
  struct answer a = get(url_of("/redirect/3"), 100, 10 * S);
  assert_int_equal(a.err, 0);
  assert_string_equal(a.body, "here");
  a = get(url_of("/redirect/4"), 100, 10 * S);
  assert_int_equal(a.err, OCF_EPROTO);
}

static void test_redirects_stay_with_http_and_carry_no_cookies(void **state)
{
  (void)state;
  struct answer a = get(url_of("/to-ftp"), 4096, 10 * S);
  assert_int_equal(a.err, OCF_EPROTO);
  a = get(url_of("/to-file"), 4096, 10 * S);
  assert_int_equal(a.err, OCF_EPROTO);
  a = get(url_of("/cookie"), 4096, 10 * S);
  assert_int_equal(a.err, 0);
  assert_null(strstr(a.body, "secret"));
}

static void test_a_body_over_the_bound_is_refused_while_it_is_read(void **state)
{
  static const char *const paths[] = { "/big", "/big-chunked" };
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    struct answer a = get(url_of(paths[i]), BIG - 1, 10 * S);
    assert_int_equal(a.err, OCF_ELIMIT);
    assert_non_null(strstr(a.text, "98303"));
    a = get(url_of(paths[i]), 10, 10 * S);
    assert_int_equal(a.err, OCF_ELIMIT);
    a = get(url_of(paths[i]), BIG, 10 * S);
    assert_int_equal(a.err, 0);
    assert_int_equal(a.len, BIG);
  }
}

static void test_the_timeout_is_for_all_of_it(void **state)
{
  static const char *const paths[] = { "/slow", "/drip" };
  (void)state;
  for (size_t i = 0; i < 2; i++) {
    uint64_t t = now_ns();
    struct answer a = get(url_of(paths[i]), BIG, S / 5);
    assert_int_equal(a.err, OCF_ETIME);
    assert_in_range(now_ns() - t, S / 5 - 2000000, 10 * S);
  }
  struct answer a = get(url_of("/echo"), BIG, 0);
  assert_int_equal(a.err, OCF_ETIME);
}

static void test_broken_answers_are_errors_that_say_what(void **state)
{
  static const struct {
    const char *path;
    int err;
  } cases[] = { { "/garbage", OCF_EPROTO }, { "/cut", OCF_EPROTO }, { "/nothing", OCF_EPROTO } };
  char url[64];
  uint16_t port;
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    struct answer a = get(url_of(cases[i].path), 4096, 10 * S);
    assert_int_equal(a.err, cases[i].err);
    assert_true(strlen(a.text) > 5);
  }
  int fd = listen_on_any(&port);
  (void)close(fd); /* nobody listens there now */
  (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
  struct answer a = get(url, 4096, 10 * S);
  assert_int_equal(a.err, OCF_EIO);
  assert_int_equal(a.status, 0);
  char label[128] = "http://"; /* no resolver is asked for a label of 80 bytes */
  memset(label + 7, 'a', 80);
  a = get(label, 4096, 10 * S);
  assert_int_equal(a.err, OCF_ENOENT);
}

static void test_what_is_no_url_is_refused_at_once(void **state)
{
  static const char *const bad[] = {
    "",          "http://",     "https://",    "ftp://x/",     "file:///etc/passwd",
    "/relative", "http://a b/", "http://a/\n", "http://a/\x80"
  };
  static char too_long[OCF_FETCH_URL_MAX + 2];
  struct answer a = { .n = 0 };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_int_equal(ocf_fetcher_get(fetcher, bad[i], 1, S, on_fetched, &a), OCF_EINVAL);
  memset(too_long, 'a', sizeof(too_long) - 1);
  memcpy(too_long, "http://", 7);
  assert_int_equal(ocf_fetcher_get(fetcher, too_long, 1, S, on_fetched, &a), OCF_EINVAL);
  a = get("http://[::1", 10, S); /* what only libcurl can tell */
  assert_int_equal(a.err, OCF_EPROTO);
}

static void test_eight_run_at_once_others_wait_and_too_many_are_refused(void **state)
{
  enum { ALL = OCF_FETCH_PARALLEL + OCF_FETCH_QUEUED };
  static struct answer a[ALL];
  (void)state;
  memset(a, 0, sizeof(a));
  for (size_t i = 0; i < ALL; i++) {
    bool slow = i < OCF_FETCH_PARALLEL;
    assert_int_equal(ocf_fetcher_get(fetcher, url_of(slow ? "/slow" : "/echo"), 4096,
                                     slow      ? S
                                     : i == 20 ? S / 4
                                               : 20 * S,
                                     on_fetched, &a[i]),
                     0);
  }
  assert_int_equal(ocf_fetcher_get(fetcher, url_of("/echo"), 1, S, on_fetched, &a[0]), OCF_ELIMIT);
  for (size_t i = 0; i < ALL; i++) {
    wait_for(&a[i]);
    assert_int_equal(a[i].err, i < OCF_FETCH_PARALLEL || i == 20 ? OCF_ETIME : 0);
  }
  assert_true(a[20].at_ns < a[0].at_ns);                       /* its time ended while it waited */
  assert_true(a[21].at_ns >= a[0].at_ns);                      /* it had to wait */
  assert_int_equal(get(url_of("/echo"), 4096, 10 * S).err, 0); /* and there is room again */
}

static void test_a_post_without_memory_is_tried_again(void **state)
{
  struct answer a = { .n = 0 };
  (void)state;
  assert_int_equal(pthread_mutex_lock(&loop.lock), 0);
  loop.n_refuse = 3;
  assert_int_equal(pthread_mutex_unlock(&loop.lock), 0);
  assert_int_equal(ocf_fetcher_get(fetcher, url_of("/echo"), 4096, 10 * S, on_fetched, &a), 0);
  wait_for(&a);
  assert_int_equal(a.err, 0);
}

static void test_an_end_in_the_middle_cancels_all(void **state)
{
  static struct answer a[20];
  (void)state;
  for (int round = 0; round < 10; round++) {
    memset(a, 0, sizeof(a));
    for (size_t i = 0; i < 20; i++)
      assert_int_equal(ocf_fetcher_get(fetcher, url_of(i % 2 == 0 ? "/slow" : "/echo"), 4096,
                                       60 * S, on_fetched, &a[i]),
                       0);
    (void)usleep((useconds_t)(round * 1000));
    uint64_t t = now_ns();
    (void)teardown(state);
    assert_true(now_ns() - t < 5 * S);
    for (size_t i = 0; i < 20; i++) {
      assert_int_equal(a[i].n, 1);
      assert_int_equal(a[i].err, OCF_ECANCELED);
    }
    assert_int_equal(setup(state), 0);
  }
}

static void test_proxies_of_the_environment_are_used_only_when_asked_for(void **state)
{
  const struct ocf_fetch_config cfg = { .env_proxies = true };
  char proxy[64];
  uint16_t port;
  (void)state;
  (void)close(listen_on_any(&port)); /* nobody is there */
  (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", port);
  assert_int_equal(setenv("http_proxy", proxy, 1), 0);
  (void)unsetenv("no_proxy");
  (void)unsetenv("NO_PROXY");
  assert_int_equal(get(url_of("/echo"), 4096, 10 * S).err, 0);
  (void)teardown(state);
  fetcher = ocf_fetcher_new(&cfg, &fetch_loop);
  assert_non_null(fetcher);
  assert_int_equal(get(url_of("/echo"), 4096, 10 * S).err, OCF_EIO);
  (void)unsetenv("http_proxy");
}

/* Bytes of files that count as this process's memory. */
static size_t mapped_now(void)
{
  unsigned long shared = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%*u %*u %lu", &shared), 1);
  (void)fclose(f);
  return shared * (size_t)sysconf(_SC_PAGESIZE);
}

static void test_what_libcurl_took_is_given_back_when_nothing_is_fetched(void **state)
{
  static struct answer a;
  (void)state;
  memset(&a, 0, sizeof(a));
  (void)get(url_of("/echo"), 4096, 10 * S);
  assert_int_equal(ocf_fetcher_get(fetcher, url_of("/slow"), 1, 60 * S, on_fetched, &a), 0);
  (void)usleep(100 * 1000);
  size_t busy = mapped_now();
  (void)teardown(state);
  size_t idle = mapped_now();
  assert_true(idle + (1 << 19) < busy);
  assert_int_equal(setup(state), 0);
  assert_int_equal(get(url_of("/echo"), 4096, 10 * S).err, 0); /* and it works as before */
}

/* ---- TLS ---- */

static char tls_dir[64], tls_url[64];
static uint16_t tls_port;
static pid_t tls_server;

static int shell(const char *cmd)
{
  int r = system(cmd);
  return WIFEXITED(r) ? WEXITSTATUS(r) : -1;
}

/* A certificate authority, a certificate of "localhost", documents that are whole answers. */
static bool make_tls_files(void)
{
  char cmd[2048];
  (void)snprintf(
      cmd, sizeof(cmd),
      "cd %s && exec >/dev/null 2>&1 && key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' "
      "&& "
      "openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=test-ca -days 2 && "
      "openssl req $key -keyout s.key -out s.csr -subj /CN=localhost && "
      "echo subjectAltName=DNS:localhost >ext && "
      "openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext "
      "-out s.pem && "
      "printf 'HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nsealed' >doc && "
      "printf 'HTTP/1.0 302 Found\\r\\nLocation: http://127.0.0.1:%u/echo\\r\\n\\r\\n' >down",
      tls_dir, server.port);
  return shell(cmd) == 0;
}

static void start_tls_server(void)
{
  char accept_at[32];
  int fd = listen_on_any(&tls_port);
  (void)close(fd);
  (void)snprintf(accept_at, sizeof(accept_at), "127.0.0.1:%u", tls_port);
  tls_server = fork();
  assert_true(tls_server >= 0);
  if (tls_server == 0) {
    if (chdir(tls_dir) != 0 || freopen("/dev/null", "w", stdout) == NULL ||
        freopen("/dev/null", "w", stderr) == NULL)
      _exit(1);
    (void)execlp("openssl", "openssl", "s_server", "-accept", accept_at, "-cert", "s.pem", "-key",
                 "s.key", "-HTTP", "-quiet", (char *)NULL);
    _exit(127);
  }
}

static void wait_for_tls_server(void)
{
  struct sockaddr_in sin = { .sin_family = AF_INET,
                             .sin_port = htons(tls_port),
                             .sin_addr = { htonl(INADDR_LOOPBACK) } };
  uint64_t end = now_ns() + PATIENCE_S * S;
  bool up = false;
  while (!up && now_ns() < end) {
    int c = socket(AF_INET, SOCK_STREAM, 0);
    up = connect(c, (struct sockaddr *)&sin, sizeof(sin)) == 0;
    (void)close(c);
    (void)usleep(10000);
  }
  assert_true(up);
}

static int tls_setup(void **state)
{
  (void)state;
  (void)snprintf(tls_dir, sizeof(tls_dir), "/tmp/ocf-fetch-XXXXXX");
  if (mkdtemp(tls_dir) == NULL || !make_tls_files())
    return -1;
  start_tls_server();
  wait_for_tls_server();
  return setup(state);
}

static int tls_teardown(void **state)
{
  char cmd[128];
  (void)kill(tls_server, SIGKILL);
  (void)waitpid(tls_server, NULL, 0);
  (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", tls_dir);
  (void)shell(cmd);
  return teardown(state);
}

static const char *tls(const char *host, const char *path)
{
  (void)snprintf(tls_url, sizeof(tls_url), "https://%s:%u/%s", host, tls_port, path);
  return tls_url;
}

static void test_tls_needs_a_known_authority_and_the_right_name(void **state)
{
  char ca[96];
  struct ocf_fetch_config cfg = { .ca_file = ca };
  (void)state;
  struct answer a = get(tls("localhost", "doc"), 100, 20 * S);
  assert_int_equal(a.err, OCF_EAUTH); /* not an authority that the system knows */
  (void)teardown(state);
  (void)snprintf(ca, sizeof(ca), "%s/ca.pem", tls_dir);
  fetcher = ocf_fetcher_new(&cfg, &fetch_loop);
  assert_non_null(fetcher);
  memset(ca, 0, sizeof(ca)); /* was copied */
  a = get(tls("localhost", "doc"), 100, 20 * S);
  assert_int_equal(a.err, 0);
  assert_string_equal(a.body, "sealed");
  a = get(tls("127.0.0.1", "doc"), 100, 20 * S);
  assert_int_equal(a.err, OCF_EAUTH);
  assert_true(strlen(a.text) > 5);
  a = get(tls("localhost", "down"), 4096, 20 * S); /* never from https down to http */
  assert_int_equal(a.err, OCF_EPROTO);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
  T(test_an_answer_comes_with_its_status_and_body),
  T(test_three_redirects_are_followed_and_no_more),
  T(test_redirects_stay_with_http_and_carry_no_cookies),
  T(test_a_body_over_the_bound_is_refused_while_it_is_read),
  T(test_the_timeout_is_for_all_of_it),
  T(test_broken_answers_are_errors_that_say_what),
  T(test_what_is_no_url_is_refused_at_once),
  T(test_eight_run_at_once_others_wait_and_too_many_are_refused),
  T(test_a_post_without_memory_is_tried_again),
  T(test_an_end_in_the_middle_cancels_all),
  T(test_proxies_of_the_environment_are_used_only_when_asked_for),
  T(test_what_libcurl_took_is_given_back_when_nothing_is_fetched),
  cmocka_unit_test_setup_teardown(test_tls_needs_a_known_authority_and_the_right_name, tls_setup,
                                  tls_teardown),
};

int main(void)
{
  return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
