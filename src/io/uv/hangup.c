/* Whether the other side of a socket that is not read has left.
 *
 * libuv watches a socket for reading or not at all, and while its bytes wait in the kernel the end
 * behind them cannot be read. So such sockets stand in a second epoll set that waits for the end
 * alone; the loop watches that set as one descriptor. */
#include <sys/epoll.h>
#include <unistd.h>

#include "io/uv/uv_int.h"

enum { AT_ONCE = 32 };

/* A socket that a call closes may stand later in the same batch: its memory lives until the loop's
 * closing phase, and it has no user any more. */
static void on_hangup(uv_poll_t *h, int status, int events)
{
  struct ocf_uv *u = OCF_CONTAINER_OF(h, struct ocf_uv, hangup);
  struct epoll_event ev[AT_ONCE];
  (void)status;
  (void)events;
  int n = epoll_wait(u->hangup_fd, ev, AT_ONCE, 0);
  for (int i = 0; i < n; i++)
    ocf_uv_sock_left(ev[i].data.ptr);
}

int ocf_uv_hangup_init(struct ocf_uv *u)
{
  u->hangup.data = NULL; /* not a socket, for ocf_uv_free() */
  u->hangup_fd = epoll_create1(EPOLL_CLOEXEC);
  if (u->hangup_fd < 0)
    return OCF_EIO;
  if (uv_poll_init(&u->loop, &u->hangup, u->hangup_fd) != 0) {
    ocf_uv_hangup_fini(u);
    return OCF_EIO;
  }
  return uv_poll_start(&u->hangup, UV_READABLE, on_hangup) == 0 ? 0 : OCF_EIO;
}

void ocf_uv_hangup_fini(struct ocf_uv *u)
{
  if (u->hangup_fd >= 0)
    (void)close(u->hangup_fd);
  u->hangup_fd = -1;
}

void ocf_uv_hangup_watch(struct ocf_uv *u, int fd, struct ocf_sock *s)
{
  struct epoll_event ev = { .events = EPOLLRDHUP | EPOLLONESHOT, .data = { .ptr = s } };
  /* Out of memory: the end is then seen when reading goes on. */
  (void)!epoll_ctl(u->hangup_fd, EPOLL_CTL_ADD, fd, &ev);
}

void ocf_uv_hangup_forget(struct ocf_uv *u, int fd)
{
  (void)!epoll_ctl(u->hangup_fd, EPOLL_CTL_DEL, fd, NULL);
}
