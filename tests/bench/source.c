/* Benchmarks only: the service behind the worker, for what a file server cannot do.
 *
 *   bench_source EVENTS INTERVAL_MS        serves 127.0.0.1 on a free port, which it prints first
 *
 * GET /sse answers a chunked event stream of EVENTS events, the first at once and then one every
 * INTERVAL_MS, each of 200 bytes with the monotonic time at which it was made; then "[DONE]".
 * A request with a body is read whole and answered with its length; all others with a constant.
 * One thread, epoll. An event that finds its socket full waits there, so that it counts as late. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, OUT_MAX = 1024, EVENT_BYTES = 200, EVENTS_PER_WAIT = 256 };

struct conn {
  int fd;
  bool streaming, closing;
  uint64_t body_left, body_bytes;
  unsigned events_left, number;
  uint64_t due_ns;
  struct conn *next; /* in the queue of streams, by due_ns */
  bool queued;
  size_t n_head, n_out, out_at;
  char head[HEAD_MAX + 1];
  char out[OUT_MAX];
};

static int poller;
static unsigned n_events;
static uint64_t interval_ns;
static struct conn *first, *last; /* every stream waits equally long: first in, first due */

static uint64_t now_ns(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
  perror(what);
  exit(1);
}

static void enqueue(struct conn *c, uint64_t due_ns)
{
  c->due_ns = due_ns;
  c->next = NULL;
  c->queued = true;
  if (last != NULL)
    last->next = c;
  else
    first = c;
  last = c;
}

/* A queued connection is freed when its turn comes. */
static void conn_end(struct conn *c)
{
  if (c->fd >= 0)
    (void)close(c->fd);
  c->fd = -1;
  c->closing = true;
  if (!c->queued)
    free(c);
}

/* False when the connection failed and is gone. */
static bool flush(struct conn *c)
{
  while (c->out_at < c->n_out) {
    ssize_t n = send(c->fd, c->out + c->out_at, c->n_out - c->out_at, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
      return true; /* EPOLLOUT comes */
    if (n <= 0) {
      conn_end(c);
      return false;
    }
    c->out_at += (size_t)n;
  }
  c->n_out = c->out_at = 0;
  return true;
}

static void put(struct conn *c, const char *p, size_t n)
{
  if (n > OUT_MAX - c->n_out)
    die("a connection's buffer is full");
  memcpy(c->out + c->n_out, p, n);
  c->n_out += n;
}

/* One chunk: its size, the event padded to EVENT_BYTES, its end. */
static void put_event(struct conn *c)
{
  char text[EVENT_BYTES + 32];
  const size_t end = 4 + EVENT_BYTES;
  int n = snprintf(text, sizeof(text), "%02x\r\ndata: {\"t\":%020" PRIu64 ",\"i\":%08u,\"pad\":\"",
                   EVENT_BYTES, now_ns(), c->number++);
  memset(text + n, 'x', end - 4 - (size_t)n);
  memcpy(text + end - 4, "\"}\n\n\r\n", 6);
  put(c, text, end + 2);
  if (--c->events_left == 0)
    put(c, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", 24);
}

/* Sends the next event when the last one has left; a stream that is behind is asked again later.
 * False when the connection is gone. */
static bool stream_step(struct conn *c, uint64_t now)
{
  if (c->n_out == 0) {
    put_event(c);
    if (!flush(c))
      return false;
  }
  if (c->events_left > 0)
    enqueue(c, now + interval_ns);
  else
    c->streaming = false;
  return true;
}

static void streams_due(uint64_t now)
{
  while (first != NULL && first->due_ns <= now) {
    struct conn *c = first;
    first = c->next;
    if (first == NULL)
      last = NULL;
    c->queued = false;
    if (c->closing)
      free(c);
    else
      (void)stream_step(c, c->due_ns + interval_ns < now ? now : c->due_ns);
  }
}

static bool answer(struct conn *c)
{
  char text[256], body[64];
  int n_body = c->body_bytes > 0
                   ? snprintf(body, sizeof(body), "{\"bytes\":%" PRIu64 "}", c->body_bytes)
                   : snprintf(body, sizeof(body), "{\"ok\":true}");
  int n = snprintf(text, sizeof(text),
                   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                   "\r\n%s",
                   n_body, body);
  c->body_bytes = 0;
  put(c, text, (size_t)n);
  return flush(c);
}

static bool refuse(struct conn *c)
{
  static const char text[] = "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\n"
                             "Connection: close\r\n\r\n";
  put(c, text, sizeof(text) - 1);
  if (flush(c))
    conn_end(c);
  return false;
}

static bool stream_begin(struct conn *c)
{
  static const char text[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                             "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
  put(c, text, sizeof(text) - 1);
  if (!flush(c))
    return false;
  c->streaming = true;
  c->events_left = n_events;
  c->number = 0;
  return stream_step(c, now_ns()); /* not by the queue: it would wait behind the others */
}

/* The value of a header field of `head`, or NULL. */
static const char *field(const char *head, const char *name)
{
  size_t n = strlen(name);
  for (const char *p = strstr(head, "\r\n"); p != NULL; p = strstr(p + 2, "\r\n"))
    if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':')
      return p + 3 + n + strspn(p + 3 + n, " ");
  return NULL;
}

/* Acts on the head in c->head, which `rest` bytes of body followed in the same read. */
static bool request(struct conn *c, size_t rest)
{
  const char *length = field(c->head, "content-length");
  if (field(c->head, "transfer-encoding") != NULL)
    return refuse(c);
  c->body_bytes = length != NULL ? strtoull(length, NULL, 10) : 0;
  if (rest > c->body_bytes)
    return refuse(c); /* nobody here pipelines */
  c->n_head = 0;
  c->body_left = c->body_bytes - rest;
  if (c->body_left > 0)
    return true;
  return strncmp(c->head, "GET /sse", 8) == 0 ? stream_begin(c) : answer(c);
}

static bool input(struct conn *c, const char *p, size_t n)
{
  if (c->body_left > 0) {
    if (n > c->body_left)
      return refuse(c);
    c->body_left -= n;
    return c->body_left > 0 || answer(c);
  }
  size_t old = c->n_head, take = n < HEAD_MAX - old ? n : HEAD_MAX - old;
  if (c->streaming || take == 0)
    return refuse(c);
  memcpy(c->head + old, p, take);
  c->n_head += take;
  c->head[c->n_head] = '\0';
  char *end = strstr(c->head, "\r\n\r\n");
  if (end == NULL)
    return take == n || refuse(c);
  end[2] = '\0';
  return request(c, n - ((size_t)(end - c->head) + 4 - old));
}

static void readable(struct conn *c)
{
  static char buf[256 * 1024];
  for (;;) {
    ssize_t n = recv(c->fd, buf, sizeof(buf), 0);
    if (n < 0 && errno == EAGAIN)
      return;
    if (n <= 0) {
      conn_end(c);
      return;
    }
    if (!input(c, buf, (size_t)n))
      return;
  }
}

static void accept_all(int listener)
{
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL)
      die("memory");
    c->fd = fd;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev) != 0)
      die("epoll_ctl");
  }
}

static int listen_anywhere(void)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  socklen_t n = sizeof(at);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) != 0 || listen(fd, 4096) != 0 ||
      getsockname(fd, (struct sockaddr *)&at, &n) != 0)
    die("listen");
  printf("%u\n", ntohs(at.sin_port));
  (void)fflush(stdout);
  return fd;
}

static int wait_ms(uint64_t now)
{
  if (first == NULL)
    return -1;
  return first->due_ns <= now ? 0 : (int)((first->due_ns - now + 999999) / 1000000);
}

static void turn(int listener)
{
  struct epoll_event evs[EVENTS_PER_WAIT];
  int n = epoll_wait(poller, evs, EVENTS_PER_WAIT, wait_ms(now_ns()));
  for (int i = 0; i < n; i++) {
    struct conn *c = evs[i].data.ptr;
    if (c == NULL)
      accept_all(listener);
    else if (((evs[i].events & EPOLLOUT) == 0 || flush(c)) &&
             (evs[i].events & ~(uint32_t)EPOLLOUT) != 0)
      readable(c);
  }
  streams_due(now_ns());
}

int main(int argc, char **argv)
{
  if (argc != 3) {
    (void)fprintf(stderr, "usage: bench_source EVENTS INTERVAL_MS\n");
    return 2;
  }
  n_events = (unsigned)strtoul(argv[1], NULL, 10);
  interval_ns = strtoull(argv[2], NULL, 10) * 1000000U;
  (void)signal(SIGPIPE, SIG_IGN);
  poller = epoll_create1(0);
  int listener = listen_anywhere();
  struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
  if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &ev) != 0)
    die("epoll");
  for (;;)
    turn(listener);
}
