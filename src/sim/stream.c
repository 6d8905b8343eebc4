#include "sim/stream.h"

static void flush(struct ocf_sim_stream *s)
{
  struct ocf_bytes v[16];
  size_t n;
  while (s->up && s->sock != NULL && s->sending == 0 &&
         (n = ocf_queue_peek(&s->out, v, OCF_ARRAY_LEN(v))) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
      total += v[i].n;
    size_t sent = s->proc->env.ops->send(s->sock, v, n, true);
    ocf_queue_consume(&s->out, sent);
    s->sending = total - sent;
  }
  if (s->up && s->sock != NULL && s->fin && !s->shut && ocf_queue_len(&s->out) == 0) {
    s->shut = true;
    s->proc->env.ops->shutdown(s->sock);
  }
}

static void on_rx_space(void *user, uint8_t **p, size_t *cap)
{
  struct ocf_sim_stream *s = user;
  *p = s->rx;
  *cap = sizeof(s->rx);
}

static void on_rx(void *user, uint64_t now_ns, size_t n)
{
  struct ocf_sim_stream *s = user;
  (void)now_ns;
  if (n > 0)
    s->ops->data(s->user, ocf_bytes(s->rx, n));
}

static void on_eof(void *user, uint64_t now_ns)
{
  struct ocf_sim_stream *s = user;
  (void)now_ns;
  s->ops->eof(s->user);
}

static void on_connected(void *user, uint64_t now_ns)
{
  struct ocf_sim_stream *s = user;
  (void)now_ns;
  s->up = true;
  s->ops->up(s->user);
  flush(s);
}

static void on_sent(void *user, uint64_t now_ns, size_t n)
{
  struct ocf_sim_stream *s = user;
  (void)now_ns;
  OCF_ASSERT(n == s->sending);
  s->sending = 0;
  ocf_queue_consume(&s->out, n);
  flush(s);
  s->ops->drained(s->user); /* the last thing: it may close the stream */
}

static void on_closed(void *user, uint64_t now_ns, int err)
{
  struct ocf_sim_stream *s = user;
  (void)now_ns;
  s->sock = NULL;
  ocf_queue_clear(&s->out);
  s->ops->gone(s->user, err);
}

static const struct ocf_sock_user_ops sock_ops = { on_rx_space, on_rx,     on_eof, on_connected,
                                                   on_sent,     on_closed, NULL };

static void begin(struct ocf_sim_stream *s, struct ocf_sim_proc *p,
                  const struct ocf_sim_stream_ops *ops, void *user)
{
  OCF_ASSERT(s->sock == NULL);
  s->proc = p;
  s->ops = ops;
  s->user = user;
  s->sending = 0;
  s->up = s->fin = s->shut = false;
  ocf_queue_init(&s->out, &p->net->chunks);
}

bool ocf_sim_stream_connect(struct ocf_sim_stream *s, struct ocf_sim_proc *p,
                            const struct ocf_endpoint *to, const struct ocf_sim_stream_ops *ops,
                            void *user)
{
  int err;
  begin(s, p, ops, user);
  s->sock = p->env.ops->connect(&p->env, to, &sock_ops, s, &err);
  return s->sock != NULL;
}

void ocf_sim_stream_accept(struct ocf_sim_stream *s, struct ocf_sim_proc *p, struct ocf_sock *sock,
                           const struct ocf_sim_stream_ops *ops, void *user)
{
  begin(s, p, ops, user);
  s->sock = sock;
  s->up = true;
  p->env.ops->adopt(sock, &sock_ops, s);
}

void ocf_sim_stream_write(struct ocf_sim_stream *s, const void *p, size_t n)
{
  OCF_ASSERT(s->sock != NULL && !s->fin);
  OCF_ASSERT(ocf_queue_add(&s->out, p, n) == 0);
  flush(s);
}

void ocf_sim_stream_fin(struct ocf_sim_stream *s)
{
  s->fin = true;
  flush(s);
}

void ocf_sim_stream_pause(struct ocf_sim_stream *s, bool paused)
{
  if (s->sock != NULL)
    s->proc->env.ops->pause(s->sock, paused);
}

void ocf_sim_stream_close(struct ocf_sim_stream *s, bool reset)
{
  struct ocf_sock *sock = s->sock;
  if (sock == NULL)
    return;
  s->sock = NULL;
  s->proc->env.ops->close(sock, reset);
  ocf_queue_clear(&s->out);
}
