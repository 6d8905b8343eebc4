/* Listening sockets. Bound by hand rather than by libuv, for SO_REUSEPORT and an error at once. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/time/time.h"
#include "io/uv/uv_int.h"

enum { BACKLOG = 4096 };

struct ocf_uv_listener {
  uv_tcp_t tcp;
  struct ocf_uv *u;
  ocf_uv_accept_fn fn;
  void *user;
  uint64_t n_refused;
};

static void on_connection(uv_stream_t *server, int status)
{
  struct ocf_uv_listener *l = OCF_CONTAINER_OF(server, struct ocf_uv_listener, tcp);
  struct ocf_ip_addr remote;
  struct ocf_sock *s = status == 0 ? ocf_uv_sock_accept(l->u, server, &remote) : NULL;
  if (s != NULL)
    l->fn(l->user, ocf_uv_now(), s, &remote);
  else
    l->n_refused++;
}

/* A bound socket, or -errno. */
static int bind_socket(const struct ocf_ip_addr *at, bool share)
{
  struct sockaddr_storage ss;
  int on = 1;
  if (ocf_uv_to_sockaddr(at, &ss) != 0)
    return -EINVAL;
  int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0;
  if (share)
    ok = ok && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
  if (at->family == 6)
    ok = ok && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0;
  socklen_t len = at->family == 6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  if (!ok || bind(fd, (const struct sockaddr *)&ss, len) != 0 || listen(fd, BACKLOG) != 0) {
    int e = errno;
    (void)close(fd);
    return -e;
  }
  return fd;
}

static int bind_with_retry(const struct ocf_ip_addr *at, bool share, uint64_t retry_ns)
{
  uint64_t end = ocf_time_add(ocf_uv_now(), retry_ns);
  for (;;) {
    int fd = bind_socket(at, share);
    if (fd != -EADDRINUSE || ocf_uv_now() >= end)
      return fd;
    struct timespec ts = { .tv_nsec = 100 * 1000 * 1000 };
    (void)nanosleep(&ts, NULL);
  }
}

static struct ocf_uv_listener *fail(struct ocf_err *err, const struct ocf_ip_addr *at, int e)
{
  char text[OCF_IP_ADDR_TEXT_SIZE];
  int code = e == EADDRINUSE ? OCF_EINUSE : e == EACCES ? OCF_EPERM : OCF_EIO;
  const char *cure =
      code == OCF_EINUSE  ? "stop the program that has the port, or choose another port"
      : code == OCF_EPERM ? "choose a port above 1023, or run with the capability to bind it"
                          : "check that the address belongs to this machine";
  (void)ocf_err_set(err, code, cure, "cannot listen on %s: %s", ocf_ip_addr_text(at, text),
                    strerror(e));
  return NULL;
}

struct ocf_uv_listener *ocf_uv_listen(struct ocf_uv *u, const struct ocf_ip_addr *at, bool share,
                                      uint64_t retry_ns, ocf_uv_accept_fn fn, void *user,
                                      struct ocf_err *err)
{
  int fd = bind_with_retry(at, share, retry_ns);
  if (fd < 0)
    return fail(err, at, -fd);
  struct ocf_uv_listener *l = calloc(1, sizeof(*l));
  if (l == NULL || uv_tcp_init(&u->loop, &l->tcp) != 0) {
    (void)close(fd);
    free(l);
    return fail(err, at, ENOMEM);
  }
  l->u = u;
  l->fn = fn;
  l->user = user;
  l->tcp.data = NULL; /* tells ocf_uv_free() that this is no ocf_sock */
  int r = uv_tcp_open(&l->tcp, fd);
  if (r != 0)
    (void)close(fd); /* still ours */
  else
    r = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
  if (r != 0) {
    ocf_uv_listener_close(l);
    return fail(err, at, -r);
  }
  return l;
}

uint64_t ocf_uv_listener_refused(const struct ocf_uv_listener *l)
{
  return l->n_refused;
}

struct ocf_ip_addr ocf_uv_listener_addr(const struct ocf_uv_listener *l)
{
  struct sockaddr_storage ss;
  struct ocf_ip_addr a = { .family = 0 };
  int len = sizeof(ss);
  if (uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&ss, &len) == 0)
    ocf_uv_from_sockaddr((const struct sockaddr *)&ss, &a);
  return a;
}

static void on_listener_closed(uv_handle_t *h)
{
  free(OCF_CONTAINER_OF(h, struct ocf_uv_listener, tcp));
}

void ocf_uv_close_listening(uv_handle_t *h)
{
  uv_close(h, on_listener_closed);
}

void ocf_uv_listener_close(struct ocf_uv_listener *l)
{
  uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}
