#include "app/dev/call.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int broken(struct ocf_call *c, int code, const char *what)
{
  if (c->error[0] == '\0')
    (void)snprintf(c->error, sizeof(c->error), "%s", what);
  return code;
}

void ocf_call_init(struct ocf_call *c, struct ocf_alloc *a)
{
  *c = (struct ocf_call){ .fd = -1, .limits = OCF_H1_LIMITS_DEFAULT };
  ocf_h1_pool_init(&c->pool, a, 1);
  ocf_h1_client_init(&c->h1, &c->pool, &c->limits);
  ocf_buf_init(&c->out, a, OCF_CALL_BODY_MAX + 4096);
}

void ocf_call_fini(struct ocf_call *c)
{
  if (c->fd >= 0)
    (void)close(c->fd);
  c->fd = -1;
  ocf_h1_client_fini(&c->h1);
  ocf_h1_pool_fini(&c->pool);
  ocf_buf_fini(&c->out);
}

static int write_request(struct ocf_call *c, uint16_t port, const char *path, const char *body)
{
  char host[32];
  size_t n = body != NULL ? strlen(body) : 0;
  (void)snprintf(host, sizeof(host), "127.0.0.1:%u", (unsigned)port);
  const struct ocf_h1_edit type =
      OCF_H1_EDIT(OCF_H1_SET, "Content-Type", OCF_STR("application/json"));
  const struct ocf_h1_rewrite rw = { .framing =
                                         body != NULL ? OCF_H1_FRAMING_LENGTH : OCF_H1_FRAMING_NONE,
                                     .content_length = n,
                                     .connection = OCF_H1_CONN_CLOSE,
                                     .edits = &type,
                                     .n_edits = body != NULL ? 1 : 0 };
  enum ocf_h1_method m = body != NULL ? OCF_H1_POST : OCF_H1_GET;
  struct ocf_h1_frame f;
  int r = ocf_h1_make_request(&c->out, m, ocf_bytes(path, strlen(path)),
                              ocf_bytes(host, strlen(host)), &rw);
  if (r == 0)
    r = ocf_h1_client_start(&c->h1, m, rw.framing, n);
  if (r == 0 && n > 0)
    r = ocf_buf_add(&c->out, body, n);
  if (r == 0 && n > 0)
    r = ocf_h1_client_data(&c->h1, n, &f);
  if (r == 0 && body != NULL)
    r = ocf_h1_client_end(&c->h1, &f);
  return r;
}

int ocf_call_start(struct ocf_call *c, uint16_t port, const char *path, const char *body)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int r = write_request(c, port, path, body);
  if (r != 0)
    return broken(c, r, "the request cannot be written");
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0)
    return broken(c, OCF_EIO, strerror(errno));
  if (connect(c->fd, (const struct sockaddr *)&at, sizeof(at)) != 0 && errno != EINPROGRESS)
    return broken(c, OCF_EREFUSED, strerror(errno));
  return 0;
}

bool ocf_call_poll(const struct ocf_call *c, struct pollfd *p)
{
  if (c->fd < 0 || c->complete)
    return false;
  short events = c->n_sent < c->out.n ? POLLIN | POLLOUT : POLLIN;
  *p = (struct pollfd){ .fd = c->fd, .events = events };
  return true;
}

static int push(struct ocf_call *c)
{
  while (c->n_sent < c->out.n) {
    ssize_t r = send(c->fd, c->out.p + c->n_sent, c->out.n - c->n_sent, MSG_NOSIGNAL);
    if (r < 0 && (errno == EAGAIN || errno == ENOTCONN))
      return 0;
    if (r < 0 && errno == EINTR)
      continue;
    if (r < 0)
      return broken(c, OCF_EIO, strerror(errno));
    c->connected = true;
    c->n_sent += (size_t)r;
  }
  return 0;
}

static void copy(char *dst, size_t cap, struct ocf_bytes v)
{
  (void)snprintf(dst, cap, "%.*s", (int)v.n, v.n > 0 ? (const char *)v.p : "");
}

static int on_event(struct ocf_call *c, enum ocf_h1_event ev, struct ocf_bytes data,
                    ocf_call_body_fn fn, void *user)
{
  const struct ocf_h1_head *h = ocf_h1_client_head(&c->h1);
  switch (ev) {
  case OCF_H1_EV_HEAD:
    c->status = h->status;
    copy(c->node, sizeof(c->node), ocf_h1_get(h, OCF_H1_F_X_COMPUTING_NODE));
    copy(c->id, sizeof(c->id), ocf_h1_get(h, OCF_H1_F_X_REQUEST_ID));
    return 0;
  case OCF_H1_EV_BODY: return fn(user, data) == 0 ? 0 : broken(c, OCF_EPROTO, "bad answer");
  case OCF_H1_EV_END: c->complete = true; return 0;
  case OCF_H1_EV_ERROR: return broken(c, OCF_EPROTO, ocf_h1_error_name(c->h1.error));
  case OCF_H1_EV_CLOSE: return c->complete ? 0 : broken(c, OCF_EEOF, "closed without an answer");
  case OCF_H1_EV_MORE:
  case OCF_H1_EV_HOLD:
  case OCF_H1_EV_INTERIM: return 0;
  }
  return OCF_EPROTO;
}

static int parse(struct ocf_call *c, const uint8_t *p, size_t n, ocf_call_body_fn fn, void *user)
{
  enum ocf_h1_event ev;
  size_t done = 0, used;
  int r = 0;
  do {
    struct ocf_bytes data;
    ev = ocf_h1_client_input(&c->h1, p + done, n - done, &used, &data);
    done += used;
    r = on_event(c, ev, data, fn, user);
  } while (r == 0 && !c->complete && ev != OCF_H1_EV_MORE);
  return r;
}

static int pull(struct ocf_call *c, ocf_call_body_fn fn, void *user)
{
  uint8_t buf[16384];
  while (!c->complete) {
    ssize_t r = recv(c->fd, buf, sizeof(buf), 0);
    if (r < 0 && (errno == EAGAIN || errno == ENOTCONN))
      return 0;
    if (r < 0 && errno == EINTR)
      continue;
    if (r < 0)
      return broken(c, OCF_EIO, strerror(errno));
    int e = r == 0 ? on_event(c, ocf_h1_client_eof(&c->h1), ocf_bytes(buf, 0), fn, user)
                   : parse(c, buf, (size_t)r, fn, user);
    if (e != 0)
      return e;
    if (r == 0)
      return c->complete ? 0 : broken(c, OCF_EEOF, "closed before the end of the answer");
  }
  return 0;
}

int ocf_call_work(struct ocf_call *c, ocf_call_body_fn fn, void *user)
{
  int r = push(c);
  return r != 0 ? r : pull(c, fn, user);
}
