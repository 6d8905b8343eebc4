/* Benchmarks only: opens many event streams at once and measures how long their events took.
 *
 *   bench_sse_client PORT PATH STREAMS EVENTS RAMP_MS LIMIT_S
 *
 * The streams are opened over RAMP_MS and are those of source.c: chunked, each event with the
 * monotonic time at which it was made. A stream is complete when it had status 200, events 0 to
 * EVENTS - 1 in order, "[DONE]" and the last chunk; it is cut when it ended in any other way.
 * Prints "open" when every stream has its first event, and at the end one JSON object: transit
 * times (from making an event to having read it here) and times to the first event, in
 * microseconds. Exit status 1 when a stream was not complete. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAMING_MAX = 64, LINE_MAX_BYTES = 512, EVENTS_PER_WAIT = 256 };

/* Where the parser of a chunked answer is. */
enum state { HEAD, SIZE, DATA, DATA_END, TRAILER, ENDED };

struct stream {
  int fd;
  enum state state;
  bool ok, done, over;
  uint64_t begun_ns, chunk_left;
  unsigned n_events;
  size_t n_framing, n_line;
  char framing[FRAMING_MAX]; /* a line of the head or of the chunks' framing, cut to size */
  char line[LINE_MAX_BYTES]; /* of the body: may go across chunks */
};

static struct stream *streams;
static size_t n_streams, n_opened, n_over, n_complete, n_started;
static unsigned events_each;
static uint64_t *transit, *start; /* ns */
static size_t n_transit;
static const char *path;
static struct sockaddr_in target;
static int poller;

static uint64_t now_ns(void)
{
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
  perror(what);
  exit(2);
}

static void stream_over(struct stream *s)
{
  (void)close(s->fd);
  s->over = true;
  n_over++;
  if (s->ok && s->done && s->state == ENDED && s->n_events == events_each)
    n_complete++;
}

static void on_event(struct stream *s, uint64_t now)
{
  uint64_t made = strtoull(s->line + 11, NULL, 10);
  unsigned number = (unsigned)strtoul(s->line + 36, NULL, 10);
  if (number != s->n_events || number >= events_each || made > now) {
    s->ok = false;
    return;
  }
  if (s->n_events++ == 0) {
    start[n_started++] = now - s->begun_ns;
    if (n_started == n_streams) {
      printf("open\n");
      (void)fflush(stdout);
    }
  }
  transit[n_transit++] = now - made;
}

static void on_body_byte(struct stream *s, char c, uint64_t now)
{
  if (c != '\n') {
    if (s->n_line < LINE_MAX_BYTES - 1)
      s->line[s->n_line++] = c;
    return;
  }
  s->line[s->n_line] = '\0';
  s->n_line = 0;
  if (strncmp(s->line, "data: {\"t\":", 11) == 0)
    on_event(s, now);
  else if (strcmp(s->line, "data: [DONE]") == 0)
    s->done = true;
}

/* A whole line of head or framing, without its end. */
static void on_framing(struct stream *s)
{
  bool empty = s->framing[0] == '\0';
  switch (s->state) {
  case HEAD:
    if (strncmp(s->framing, "HTTP/1.1 ", 9) == 0)
      s->ok = strncmp(s->framing + 9, "200", 3) == 0;
    s->state = empty ? SIZE : HEAD;
    break;
  case SIZE:
    s->chunk_left = strtoull(s->framing, NULL, 16);
    s->state = s->chunk_left > 0 ? DATA : TRAILER;
    break;
  case DATA_END: s->state = SIZE; break;
  case TRAILER: s->state = empty ? ENDED : TRAILER; break;
  case DATA:
  case ENDED: break;
  }
}

static void on_byte(struct stream *s, char c, uint64_t now)
{
  if (s->state == DATA) {
    on_body_byte(s, c, now);
    s->state = --s->chunk_left > 0 ? DATA : DATA_END;
  } else if (c == '\n') {
    s->framing[s->n_framing] = '\0';
    s->n_framing = 0;
    on_framing(s);
  } else if (c != '\r' && s->n_framing < FRAMING_MAX - 1) {
    s->framing[s->n_framing++] = c;
  }
}

static void readable(struct stream *s)
{
  char buf[16384];
  while (!s->over) {
    ssize_t n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
      return;
    if (n <= 0) {
      stream_over(s);
      return;
    }
    uint64_t now = now_ns();
    for (ssize_t i = 0; i < n; i++)
      on_byte(s, buf[i], now);
    if (s->state == ENDED)
      stream_over(s);
  }
}

static void stream_open(struct stream *s)
{
  char text[1024];
  int on = 1;
  int n = snprintf(text, sizeof(text),
                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n", path);
  s->begun_ns = now_ns();
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (s->fd < 0)
    die("socket");
  (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  /* Blocking: on the loopback a connection is made at once, and the request fits its buffer. */
  if (connect(s->fd, (struct sockaddr *)&target, sizeof(target)) != 0 ||
      send(s->fd, text, (size_t)n, MSG_NOSIGNAL) != n) {
    stream_over(s);
    return;
  }
  struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = s };
  if (epoll_ctl(poller, EPOLL_CTL_ADD, s->fd, &ev) != 0)
    die("epoll_ctl");
}

static int by_value(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void print_times(const char *name, uint64_t *ns, size_t n)
{
  static const struct {
    const char *name;
    double share;
  } at[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "max", 1.0 } };
  qsort(ns, n, sizeof(*ns), by_value);
  for (size_t i = 0; i < sizeof(at) / sizeof(at[0]) && n > 0; i++)
    printf(",\"%s_%s_us\":%.1f", name, at[i].name,
           (double)ns[(size_t)(at[i].share * (double)(n - 1))] / 1e3);
}

static void run(uint64_t ramp_ns, uint64_t limit_ns)
{
  uint64_t begun = now_ns(), now = begun;
  while (n_over < n_streams && now - begun < limit_ns) {
    while (n_opened < n_streams && now - begun >= ramp_ns * n_opened / n_streams)
      stream_open(&streams[n_opened++]);
    struct epoll_event evs[EVENTS_PER_WAIT];
    int n = epoll_wait(poller, evs, EVENTS_PER_WAIT, n_opened < n_streams ? 1 : 100);
    for (int i = 0; i < n; i++)
      readable(evs[i].data.ptr);
    now = now_ns();
  }
}

int main(int argc, char **argv)
{
  if (argc != 7) {
    (void)fprintf(stderr, "usage: bench_sse_client PORT PATH STREAMS EVENTS RAMP_MS LIMIT_S\n");
    return 2;
  }
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
  path = argv[2];
  n_streams = strtoul(argv[3], NULL, 10);
  events_each = (unsigned)strtoul(argv[4], NULL, 10);
  streams = calloc(n_streams, sizeof(*streams));
  start = calloc(n_streams, sizeof(*start));
  transit = calloc(n_streams * events_each, sizeof(*transit));
  poller = epoll_create1(0);
  if (streams == NULL || start == NULL || transit == NULL || poller < 0)
    die("start");
  run(strtoull(argv[5], NULL, 10) * 1000000U, strtoull(argv[6], NULL, 10) * 1000000000U);
  printf("{\"streams\":%zu,\"complete\":%zu,\"cut\":%zu,\"unfinished\":%zu,\"events\":%zu",
         n_streams, n_complete, n_over - n_complete, n_streams - n_over, n_transit);
  print_times("transit", transit, n_transit);
  print_times("first", start, n_started);
  printf("}\n");
  return n_complete == n_streams ? 0 : 1;
}
