/* Streams: opening, queueing, events. */
#include <stdio.h>
#include <string.h>

#include "c_peer.h"

/* ---- the pattern ---- */

static uint8_t table[PATTERN_PERIOD];

void pattern_init(void)
{
  for (uint32_t i = 0; i < PATTERN_PERIOD; i++)
    table[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
}

struct ocf_bytes pattern_view(uint64_t at, uint64_t n)
{
  size_t from = (size_t)(at % PATTERN_PERIOD);
  return ocf_bytes(table + from, (size_t)OCF_MIN(n, (uint64_t)(PATTERN_PERIOD - from)));
}

bool strm_take_pattern(struct strm *st, struct ocf_bytes data)
{
  if (data.n > st->rx_max - st->rx_n)
    return false;
  while (data.n > 0) {
    struct ocf_bytes want = pattern_view(st->rx_at + st->rx_n, data.n);
    if (memcmp(data.p, want.p, want.n) != 0)
      return false;
    data = ocf_bytes(data.p + want.n, data.n - want.n);
    st->rx_n += want.n;
  }
  return true;
}

bool strm_take_head(struct strm *st, struct ocf_bytes *data, size_t n)
{
  size_t k = st->n_head < n ? OCF_MIN(n - st->n_head, data->n) : 0;
  if (k > 0)
    memcpy(st->head + st->n_head, data->p, k);
  st->n_head += k;
  *data = ocf_bytes(data->p + k, data->n - k);
  return st->n_head >= n;
}

/* ---- life ---- */

static void strm_event(struct ocf_stream_user *u, const struct ocf_swarm_event *ev);

static struct strm *strm_new(struct peer *p, const struct strm_ops *ops)
{
  struct strm *st = OCF_NEW(&p->alloc, struct strm);
  OCF_ASSERT(st != NULL);
  st->user.on_event = strm_event;
  st->p = p;
  st->ops = ops;
  ocf_queue_init(&st->out, &p->loop.chunks);
  ocf_list_push_back(&p->streams, &st->link);
  return st;
}

static void strm_free(struct strm *st)
{
  struct peer *p = st->p;
  p->n.open -= st->is_test ? 1 : 0;
  p->n.echo_now -= st->is_echo ? 1 : 0;
  http_free(st);
  ocf_queue_clear(&st->out);
  ocf_list_remove(&st->link);
  OCF_DELETE(&p->alloc, st);
}

struct strm *strm_open(struct peer *p, struct ocf_bytes proto, const struct strm_ops *ops)
{
  struct strm *st = strm_new(p, ops);
  uint64_t deadline = ocf_time_add(p->loop.now_ns, 20 * OCF_NS_PER_S);
  struct ocf_swarm_peer_info info;
  st->ours = true;
  int err = ocf_swarm_peer_info(p->swarm, &p->cmd.peer, &info) ? 0 : OCF_EUNREACH;
  if (err == 0)
    err = ocf_swarm_open(p->swarm, p->loop.now_ns, &p->cmd.peer, &proto, 1, deadline, &st->user,
                         &st->s, &st->ticket);
  if (err == 0 || err == OCF_EAGAIN)
    return st;
  strm_free(st);
  cmd_fail(p, "%s: a stream cannot be opened: %s", p->cmd.name, ocf_strerror(err));
  return NULL;
}

void strm_reset(struct strm *st)
{
  if (st->s != NULL)
    ocf_stream_reset(st->s, 0);
  else
    ocf_swarm_open_cancel(st->p->swarm, st->ticket);
  strm_free(st);
}

void strm_violation(struct strm *st, const char *what)
{
  (void)fprintf(stderr, "c_peer: %s stream: %s\n", st->ours ? "our" : "served", what);
  if (st->ours && !st->done)
    cmd_fail(st->p, "%s: %s", st->p->cmd.name, what);
  strm_reset(st);
}

void streams_free(struct peer *p)
{
  ocf_defer_cancel(&p->reap);
  OCF_LIST_FOREACH_SAFE (it, &p->streams) {
    strm_free(OCF_LIST_ENTRY(it, struct strm, link));
  }
}

/* ---- sending ---- */

/* Sends from the queue; false when the stream takes no more. */
static bool pump_queue(struct strm *st)
{
  struct ocf_bytes v[8];
  size_t n;
  while ((n = ocf_queue_peek(&st->out, v, OCF_ARRAY_LEN(v))) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
      total += v[i].n;
    size_t done = ocf_stream_writev(st->s, v, n);
    ocf_queue_consume(&st->out, done);
    if (st->ops->echo)
      ocf_stream_consumed(st->s, done);
    if (done < total)
      return false;
  }
  return true;
}

static bool pump_pattern(struct strm *st)
{
  while (st->tx_left > 0) {
    struct ocf_bytes v = pattern_view(st->tx_at, st->tx_left);
    size_t done = ocf_stream_write(st->s, v.p, v.n);
    st->tx_at += done;
    st->tx_left -= done;
    if (done < v.n)
      return false;
  }
  return true;
}

void strm_pump(struct strm *st)
{
  if (st->s == NULL || !pump_queue(st) || !pump_pattern(st) || !st->fin_wanted || st->fin_sent)
    return;
  st->fin_sent = true;
  ocf_stream_fin(st->s);
}

void strm_send(struct strm *st, const void *bytes, size_t n)
{
  int err = ocf_queue_add(&st->out, bytes, n);
  OCF_ASSERT(err == 0); /* no memory: nothing a test peer could go on with */
  strm_pump(st);
}

void strm_fin(struct strm *st)
{
  st->fin_wanted = true;
  strm_pump(st);
}

/* ---- events ---- */

void strm_in(struct peer *p, const struct ocf_swarm_event *ev)
{
  const struct strm_ops *ops =
      ev->proto == PROTO_HTTP ? &http_server_ops : &test_servers[ev->proto];
  struct strm *st = strm_new(p, ops);
  st->s = ev->stream;
  ocf_stream_set_user(ev->stream, &st->user);
  if (ev->proto == PROTO_HTTP) {
    http_serve(st);
    return;
  }
  st->is_test = true;
  p->n.open++;
  if (ev->proto != PROTO_ECHO)
    return;
  st->is_echo = true;
  p->n.echo_streams++;
  p->n.echo_now++;
  p->n.echo_max_open = OCF_MAX(p->n.echo_max_open, p->n.echo_now);
}

/* The credit is given back first: the protocol may end the stream, and what it keeps is bounded. */
static void on_data(struct strm *st, struct ocf_bytes data)
{
  if (!st->ops->echo || st->done)
    ocf_stream_consumed(st->s, data.n);
  if (!st->done)
    st->ops->data(st, data);
}

static void on_gone(struct strm *st, int err)
{
  st->s = NULL;
  if (!st->done && st->ops->gone != NULL)
    st->ops->gone(st, err);
  else if (!st->done && st->ours)
    cmd_fail(st->p, "%s: the stream ended: %s", st->p->cmd.name, ocf_strerror(err));
  strm_free(st);
}

static void strm_event(struct ocf_stream_user *u, const struct ocf_swarm_event *ev)
{
  struct strm *st = OCF_CONTAINER_OF(u, struct strm, user);
  switch (ev->type) {
  case OCF_SWARM_OPENED:
    st->s = ev->stream;
    strm_pump(st);
    return;
  case OCF_SWARM_OPEN_FAILED: on_gone(st, ev->err); return;
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_WRITABLE: strm_pump(st); return;
  case OCF_SWARM_DATA: on_data(st, ev->data); return;
  case OCF_SWARM_FIN:
    if (!st->done && st->ops->fin != NULL)
      st->ops->fin(st);
    return;
  case OCF_SWARM_STREAM_GONE: on_gone(st, ev->err); return;
  case OCF_SWARM_STREAM_IN:
  case OCF_SWARM_PEER_UP:
  case OCF_SWARM_PEER_IDENTIFIED:
  case OCF_SWARM_PEER_DOWN:
  case OCF_SWARM_DIAL_FAILED: return;
  }
}
