/* Sockets: the operations of node/env on libuv's TCP and pipe handles. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/uv/uv_int.h"

enum { MAX_VIEWS = 64, KEEPALIVE_S = 30 };

struct ocf_sock {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } u;
  struct ocf_uv *drv;
  const struct ocf_sock_user_ops *ops; /* NULL before adopt */
  void *user;
  union {
    uv_connect_t connect;
    uv_shutdown_t shutdown;
  } req;
  uv_write_t write;
  size_t background; /* bytes that `write` still sends */
  bool up, read_ended;
  bool paused, stopped; /* asked to pause; libuv was really told to stop reading */
  bool watched;         /* while stopped, for the other side's leaving */
  uint8_t n_held;       /* times that libuv wanted to read while paused */
  bool was_reset; /* a write met ECONNRESET, which the kernel tells once: a later EOF is none */
};

int ocf_uv_err(int status)
{
  switch (status) {
  case UV_ENOMEM: return OCF_ENOMEM;
  case UV_ECONNREFUSED: return OCF_EREFUSED;
  case UV_ECONNRESET:
  case UV_EPIPE: return OCF_ERESET;
  case UV_ETIMEDOUT: return OCF_ETIME;
  case UV_EADDRINUSE: return OCF_EINUSE;
  case UV_EACCES:
  case UV_EPERM: return OCF_EPERM;
  case UV_ENETUNREACH:
  case UV_EHOSTUNREACH:
  case UV_EADDRNOTAVAIL: return OCF_EUNREACH;
  case UV_ENOENT: return OCF_ENOENT;
  case UV_EMFILE:
  case UV_ENFILE: return OCF_ELIMIT;
  case UV_ECANCELED: return OCF_ECANCELED;
  default: return OCF_EIO;
  }
}

static void on_closed(uv_handle_t *h)
{
  struct ocf_sock *s = h->data;
  s->drv->n_socks--;
  free(s);
}

/* Watches a socket that is not read for the other side's leaving, or stops that. */
static void watch(struct ocf_sock *s, bool on)
{
  uv_os_fd_t fd;
  if (s->watched == on || uv_fileno(&s->u.handle, &fd) != 0)
    return;
  s->watched = on;
  if (on)
    ocf_uv_hangup_watch(s->drv, fd, s);
  else
    ocf_uv_hangup_forget(s->drv, fd);
}

void ocf_uv_sock_left(struct ocf_sock *s)
{
  if (s->ops != NULL && s->stopped)
    s->ops->left(s->user, ocf_uv_now());
}

static void sock_close(struct ocf_sock *s, bool reset)
{
  s->ops = NULL;
  if (uv_is_closing(&s->u.handle))
    return;
  watch(s, false);
  if (reset && s->u.handle.type == UV_TCP && uv_tcp_close_reset(&s->u.tcp, on_closed) == 0)
    return;
  uv_close(&s->u.handle, on_closed);
}

/* The socket failed: closes it and tells its user. */
static void fail(struct ocf_sock *s, int status)
{
  const struct ocf_sock_user_ops *ops = s->ops;
  void *user = s->user;
  sock_close(s, false);
  if (ops != NULL)
    ops->closed(user, ocf_uv_now(), ocf_uv_err(status));
}

static struct ocf_sock *sock_new(struct ocf_uv *drv, bool tcp, int *err)
{
  struct ocf_sock *s = NULL;
  *err = drv->n_socks >= drv->max_socks ? OCF_ELIMIT : OCF_ENOMEM;
  if (drv->n_socks < drv->max_socks)
    s = calloc(1, sizeof(*s));
  if (s == NULL)
    return NULL;
  s->drv = drv;
  int r = tcp ? uv_tcp_init(&drv->loop, &s->u.tcp) : uv_pipe_init(&drv->loop, &s->u.pipe, 0);
  if (r != 0) {
    free(s);
    return NULL;
  }
  s->u.handle.data = s;
  drv->n_socks++;
  *err = 0;
  return s;
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
  struct ocf_sock *s = h->data;
  uint8_t *p = NULL;
  size_t cap = 0;
  (void)hint;
  if (s->ops != NULL && !s->paused)
    s->ops->rx_space(s->user, &p, &cap);
  *buf = uv_buf_init((char *)p, (unsigned)cap);
}

/* A pause is mostly over before the loop polls again, and telling libuv costs two epoll_ctl calls.
 * So a paused socket first only refuses the read (the loop comes back to it), and stops reading in
 * earnest when that happens again. */
static void hold_back(struct ocf_sock *s)
{
  if (++s->n_held < 2)
    return;
  s->stopped = true;
  (void)!uv_read_stop(&s->u.stream);
  if (s->ops->left != NULL)
    watch(s, true);
}

/* libuv takes POLLHUP behind a short read for the end of the stream, and a reset looks like that
 * too: the socket itself knows. */
static bool really_ended(const struct ocf_sock *s)
{
  uv_os_fd_t fd;
  char c;
  if (s->was_reset)
    return false;
  if (uv_fileno(&s->u.handle, &fd) != 0)
    return true;
  return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno == EAGAIN;
}

static void on_read(uv_stream_t *st, ssize_t n, const uv_buf_t *buf)
{
  struct ocf_sock *s = st->data;
  if (s->ops == NULL)
    return;
  if (n == UV_ENOBUFS && s->paused) {
    hold_back(s);
    return;
  }
  uint64_t now = ocf_uv_now();
  if (n >= 0) {
    s->ops->rx(s->user, now, (size_t)n);
    return;
  }
  if (buf->len > 0)
    s->ops->rx(s->user, now, 0); /* gives the space back */
  if (s->ops == NULL)
    return;
  s->read_ended = true;
  if (n == UV_EOF && really_ended(s))
    s->ops->eof(s->user, now);
  else
    fail(s, n == UV_EOF ? UV_ECONNRESET : (int)n);
}

static void set_tcp_options(struct ocf_sock *s)
{
  if (s->u.handle.type != UV_TCP)
    return;
  (void)!uv_tcp_nodelay(&s->u.tcp, 1);
  (void)!uv_tcp_keepalive(&s->u.tcp, 1, KEEPALIVE_S);
}

static void start(struct ocf_sock *s)
{
  s->up = true;
  set_tcp_options(s);
  (void)!uv_read_start(&s->u.stream, on_alloc, on_read);
}

static void on_connect(uv_connect_t *req, int status)
{
  struct ocf_sock *s = req->handle->data;
  if (s->ops == NULL)
    return;
  if (status != 0) {
    fail(s, status);
    return;
  }
  start(s);
  s->ops->connected(s->user, ocf_uv_now());
}

static int connect_tcp(struct ocf_sock *s, const struct ocf_ip_addr *ip)
{
  struct sockaddr_storage ss;
  int r = ocf_uv_to_sockaddr(ip, &ss);
  return r != 0
             ? UV_EINVAL
             : uv_tcp_connect(&s->req.connect, &s->u.tcp, (const struct sockaddr *)&ss, on_connect);
}

static struct ocf_sock *sock_connect(struct ocf_env *env, const struct ocf_endpoint *to,
                                     const struct ocf_sock_user_ops *ops, void *user, int *err)
{
  bool tcp = to->unix_path[0] == '\0';
  struct ocf_sock *s = sock_new((struct ocf_uv *)env, tcp, err);
  if (s == NULL)
    return NULL;
  s->ops = ops;
  s->user = user;
  if (!tcp) {
    uv_pipe_connect(&s->req.connect, &s->u.pipe, to->unix_path, on_connect);
    return s;
  }
  int r = connect_tcp(s, &to->ip);
  if (r != 0) {
    *err = ocf_uv_err(r);
    sock_close(s, false);
    return NULL;
  }
  return s;
}

static void sock_adopt(struct ocf_sock *s, const struct ocf_sock_user_ops *ops, void *user)
{
  s->ops = ops;
  s->user = user;
  start(s);
}

static void on_written(uv_write_t *req, int status)
{
  struct ocf_sock *s = req->handle->data;
  size_t n = s->background;
  s->background = 0;
  s->was_reset = s->was_reset || status == UV_ECONNRESET;
  if (s->ops == NULL)
    return;
  /* A peer that has closed may have left an answer for us to read first: the failure of a write is
   * told by the read side, in its order, unless that has ended. */
  if (status != 0 && s->read_ended)
    fail(s, status);
  else
    s->ops->sent(s->user, ocf_uv_now(), n);
}

/* Skips the `done` bytes that are sent already; returns the bytes left in bufs[*first..n). */
static size_t advance(uv_buf_t *bufs, size_t n, size_t done, size_t *first)
{
  size_t left = 0;
  *first = n;
  for (size_t i = 0; i < n; i++) {
    size_t skip = OCF_MIN(done, bufs[i].len);
    done -= skip;
    bufs[i].base += skip;
    bufs[i].len -= skip;
    if (bufs[i].len > 0 && *first == n)
      *first = i;
    left += bufs[i].len;
  }
  return left;
}

static size_t sock_send(struct ocf_sock *s, const struct ocf_bytes *views, size_t n,
                        bool background)
{
  uv_buf_t bufs[MAX_VIEWS];
  OCF_ASSERT(n > 0 && n <= MAX_VIEWS);
  OCF_ASSERT(s->background == 0);
  size_t i = 0;
  do /* at least one, as gcc should see; libuv's buffers are not const, but it does not write them
      */
    bufs[i] = (uv_buf_t){ .base = (char *)(uintptr_t)views[i].p, .len = views[i].n };
  while (++i < n);
  int r = uv_try_write(&s->u.stream, bufs, (unsigned)n);
  size_t done = r > 0 ? (size_t)r : 0, first;
  s->was_reset = s->was_reset || r == UV_ECONNRESET;
  size_t left = advance(bufs, n, done, &first);
  if (left == 0 || !background)
    return done;
  r = uv_write(&s->write, &s->u.stream, bufs + first, (unsigned)(n - first), on_written);
  if (r != 0)
    return done + left; /* cannot happen on a healthy handle; the read side reports the failure */
  s->background = left;
  return done;
}

static void sock_pause(struct ocf_sock *s, bool paused)
{
  if (!s->up || uv_is_closing(&s->u.handle))
    return;
  s->paused = paused;
  s->n_held = 0;
  if (!paused && s->stopped) {
    s->stopped = false;
    watch(s, false);
    (void)!uv_read_start(&s->u.stream, on_alloc, on_read);
  }
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
  (void)req;
  (void)status; /* a failure shows on the read side */
}

static void sock_shutdown(struct ocf_sock *s)
{
  (void)!uv_shutdown(&s->req.shutdown, &s->u.stream, on_shutdown);
}

static uint64_t wall_ns(struct ocf_env *env)
{
  uv_timeval64_t tv;
  (void)env;
  if (uv_gettimeofday(&tv) != 0)
    return 0;
  return (uint64_t)tv.tv_sec * UINT64_C(1000000000) + (uint64_t)tv.tv_usec * 1000;
}

struct ocf_sock *ocf_uv_sock_accept(struct ocf_uv *u, uv_stream_t *server,
                                    struct ocf_ip_addr *remote)
{
  int err;
  struct sockaddr_storage ss;
  int len = sizeof(ss);
  struct ocf_sock *s = sock_new(u, true, &err);
  if (s == NULL) { /* libuv needs the connection taken: take it and drop it */
    uv_tcp_t *tmp = malloc(sizeof(*tmp));
    if (tmp != NULL && uv_tcp_init(&u->loop, tmp) == 0) {
      tmp->data = NULL;
      (void)!uv_accept(server, (uv_stream_t *)tmp);
      uv_close((uv_handle_t *)tmp, (uv_close_cb)free);
    }
    return NULL;
  }
  if (uv_accept(server, &s->u.stream) != 0 ||
      uv_tcp_getpeername(&s->u.tcp, (struct sockaddr *)&ss, &len) != 0) {
    sock_close(s, false);
    return NULL;
  }
  ocf_uv_from_sockaddr((const struct sockaddr *)&ss, remote);
  return s;
}

static void sock_names(struct ocf_sock *s, struct ocf_ip_addr *local, struct ocf_ip_addr *remote)
{
  struct sockaddr_storage ss;
  int len = sizeof(ss);
  *local = *remote = (struct ocf_ip_addr){ .family = 0 };
  if (s->u.handle.type != UV_TCP)
    return;
  if (uv_tcp_getsockname(&s->u.tcp, (struct sockaddr *)&ss, &len) == 0)
    ocf_uv_from_sockaddr((const struct sockaddr *)&ss, local);
  len = sizeof(ss);
  if (uv_tcp_getpeername(&s->u.tcp, (struct sockaddr *)&ss, &len) == 0)
    ocf_uv_from_sockaddr((const struct sockaddr *)&ss, remote);
}

const struct ocf_env_ops ocf_uv_env_ops = {
  .wall_ns = wall_ns,
  .connect = sock_connect,
  .adopt = sock_adopt,
  .send = sock_send,
  .pause = sock_pause,
  .shutdown = sock_shutdown,
  .close = sock_close,
  .names = sock_names,
  .resolve = ocf_uv_resolve,
  .job = ocf_uv_job,
  .fetch = ocf_uv_fetch,
  .txt = ocf_uv_txt,
};
