#include "app/daemon/logsink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/time/time.h"

#define FLUSH_EVERY_NS (20 * OCF_NS_PER_MS)

int ocf_logsink_init(struct ocf_logsink *s, int fd)
{
  struct stat st;
  *s = (struct ocf_logsink){ .fd = fd, .due_ns = OCF_TIME_NEVER };
  s->pipe = fstat(fd, &st) != 0 || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
  s->buf = malloc(OCF_LOGSINK_SIZE);
  return s->buf != NULL ? 0 : OCF_ENOMEM;
}

/* Writes until empty or the reader is too slow; `wait_ms` for each poll. */
static void flush(struct ocf_logsink *s, int wait_ms)
{
  size_t done = 0;
  while (done < s->n) {
    struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
    if (s->pipe && poll(&pfd, 1, wait_ms) <= 0)
      break;
    size_t most = s->pipe ? PIPE_BUF : s->n - done;
    ssize_t r = write(s->fd, s->buf + done, OCF_MIN(most, s->n - done));
    if (r < 0 && errno == EINTR)
      continue;
    if (r <= 0) {
      if (r < 0 && errno != EAGAIN)
        done = s->n; /* nobody reads any more */
      break;
    }
    done += (size_t)r;
  }
  memmove(s->buf, s->buf + done, s->n - done);
  s->n -= done;
}

void ocf_logsink_fini(struct ocf_logsink *s)
{
  if (s->buf == NULL)
    return;
  flush(s, 1000);
  free(s->buf);
  s->buf = NULL;
}

static void on_write(void *ctx, const char *line, size_t n)
{
  struct ocf_logsink *s = ctx;
  if (n > OCF_LOGSINK_SIZE - s->n) {
    s->n_dropped++;
    return;
  }
  memcpy(s->buf + s->n, line, n);
  s->n += n;
}

static uint64_t wall_ns(void *ctx)
{
  struct timespec ts;
  (void)ctx;
  if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
    return 0;
  return (uint64_t)ts.tv_sec * OCF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

void ocf_logsink_attach(struct ocf_logsink *s, struct ocf_log *log)
{
  log->write = on_write;
  log->wall_ns = wall_ns;
  log->ctx = s;
}

void ocf_logsink_turn(struct ocf_logsink *s, uint64_t now_ns)
{
  if (s->n == 0)
    return;
  if (s->due_ns == OCF_TIME_NEVER) /* a quiet node's line leaves at once, a busy one's in company */
    s->due_ns = now_ns - s->last_ns > FLUSH_EVERY_NS ? now_ns : now_ns + FLUSH_EVERY_NS;
  if (now_ns < s->due_ns && s->n < OCF_LOGSINK_FLUSH_AT)
    return;
  flush(s, 0);
  s->last_ns = now_ns;
  s->due_ns = s->n > 0 ? now_ns + FLUSH_EVERY_NS : OCF_TIME_NEVER;
}

uint64_t ocf_logsink_deadline(const struct ocf_logsink *s)
{
  return s->due_ns;
}
