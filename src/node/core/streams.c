/* Channels over streams of the swarm. A write goes straight into the frame under construction; what
 * window and queue do not take waits here. */
#include "node/core/node_int.h"

static const char http_proto[] = "/libp2p-http";

enum { OPEN_TIMEOUT_S = 15 };

struct streamchan {
  struct ocf_stream_user user;
  struct ocf_chan chan;
  struct ocf_list link;
  struct ocf_node *node;
  struct ocf_stream *s;    /* NULL while it is being opened */
  struct ocf_upstream *up; /* whom to tell when it is */
  struct ocf_queue out;
  struct ocf_alarm alarm; /* a queue that does not move; closing: the linger */
  size_t discarded;
  bool fin_wanted, fin_sent, closing;
  bool counted, inbound; /* among the open streams; who opened it */
};

static struct streamchan *of(struct ocf_chan *c)
{
  return OCF_CONTAINER_OF(c, struct streamchan, chan);
}

static void count_stream(struct streamchan *sc, bool inbound)
{
  struct ocf_metrics *m = sc->node->loop.metrics;
  unsigned dir = inbound ? OCF_METRIC_DIR_IN : OCF_METRIC_DIR_OUT;
  sc->counted = true;
  sc->inbound = inbound;
  ocf_metric_move3(m, OCF_METRIC_P2P_STREAMS, dir, OCF_METRIC_PROTOCOL_HTTP, 0, 1);
  ocf_metric_inc2(m, OCF_METRIC_P2P_STREAMS_TOTAL, dir, OCF_METRIC_PROTOCOL_HTTP);
}

static void release(struct streamchan *sc)
{
  if (sc->counted)
    ocf_metric_move3(sc->node->loop.metrics, OCF_METRIC_P2P_STREAMS,
                     sc->inbound ? OCF_METRIC_DIR_IN : OCF_METRIC_DIR_OUT, OCF_METRIC_PROTOCOL_HTTP,
                     0, -1);
  ocf_alarm_stop(&sc->node->loop, &sc->alarm);
  ocf_queue_clear(&sc->out);
  ocf_list_remove(&sc->link);
  OCF_DELETE(sc->node->loop.alloc, sc);
}

static void reset(struct streamchan *sc, uint32_t code)
{
  if (sc->s != NULL)
    ocf_stream_reset(sc->s, code);
  release(sc);
}

/* The stream is gone or given up: tells the user and frees. */
static void fail(struct streamchan *sc, int err)
{
  const struct ocf_chan_user_ops *ops = sc->closing ? NULL : sc->chan.user_ops;
  void *user = sc->chan.user;
  release(sc);
  if (ops != NULL)
    ops->closed(user, err);
}

static void on_alarm(struct ocf_alarm *a)
{
  struct streamchan *sc = OCF_CONTAINER_OF(a, struct streamchan, alarm);
  struct ocf_stream *s = sc->s;
  if (sc->closing) {
    reset(sc, 0);
    return;
  }
  sc->s = NULL;
  ocf_stream_reset(s, 0);
  fail(sc, OCF_ETIME);
}

static void on_event(struct ocf_stream_user *u, const struct ocf_swarm_event *ev);

static struct streamchan *make(struct ocf_node *n)
{
  struct streamchan *sc = OCF_NEW(n->loop.alloc, struct streamchan);
  if (sc == NULL)
    return NULL;
  sc->node = n;
  sc->user.on_event = on_event;
  sc->alarm.fire = on_alarm;
  ocf_queue_init(&sc->out, &n->loop.chunks);
  ocf_list_push_back(&n->streams, &sc->link);
  return sc;
}

static void arm_stall(struct streamchan *sc)
{
  uint64_t after = sc->node->cfg.relay.sock.write_stall_ns;
  if (after > 0)
    ocf_alarm_start(&sc->node->loop, &sc->alarm, after);
}

static void finish_sending(struct streamchan *sc)
{
  if (sc->fin_sent)
    return; /* a closed channel lingers already */
  ocf_alarm_stop(&sc->node->loop, &sc->alarm);
  if (!sc->fin_wanted)
    return;
  sc->fin_sent = true;
  if (sc->closing)
    ocf_alarm_start(&sc->node->loop, &sc->alarm, sc->node->cfg.relay.sock.linger_ns);
  ocf_stream_fin(sc->s);
}

/* Moves the queue on; true when it has become shorter. */
static bool move_queue(struct streamchan *sc)
{
  struct ocf_bytes v[8];
  bool moved = false;
  size_t n;
  while ((n = ocf_queue_peek(&sc->out, v, OCF_ARRAY_LEN(v))) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
      total += v[i].n;
    size_t done = ocf_stream_writev(sc->s, v, n);
    ocf_queue_consume(&sc->out, done);
    moved = moved || done > 0;
    if (done < total) {
      if (done > 0)
        arm_stall(sc);
      return moved;
    }
  }
  finish_sending(sc);
  return moved;
}

static int chan_write(struct ocf_chan *c, const struct ocf_bytes *views, size_t n)
{
  struct streamchan *sc = of(c);
  size_t done = 0;
  if (sc->fin_wanted || sc->s == NULL)
    return OCF_ESTATE;
  bool was_empty = ocf_queue_len(&sc->out) == 0;
  if (was_empty)
    done = ocf_stream_writev(sc->s, views, n);
  for (size_t i = 0; i < n; i++) {
    size_t skip = OCF_MIN(done, views[i].n);
    done -= skip;
    if (skip < views[i].n && ocf_queue_add(&sc->out, views[i].p + skip, views[i].n - skip) != 0)
      return OCF_ENOMEM;
  }
  if (was_empty && ocf_queue_len(&sc->out) > 0)
    arm_stall(sc);
  return 0;
}

static size_t chan_queued(struct ocf_chan *c)
{
  return ocf_queue_len(&of(c)->out);
}

static void chan_consumed(struct ocf_chan *c, size_t n)
{
  if (of(c)->s != NULL)
    ocf_stream_consumed(of(c)->s, n);
}

static void chan_fin(struct ocf_chan *c)
{
  struct streamchan *sc = of(c);
  sc->fin_wanted = true;
  if (ocf_queue_len(&sc->out) == 0)
    finish_sending(sc);
}

static void chan_end(struct ocf_chan *c, enum ocf_chan_end how)
{
  struct streamchan *sc = of(c);
  ocf_chan_set_user(c, NULL, NULL);
  if (how == OCF_CHAN_ABORT || sc->s == NULL) {
    reset(sc, 0);
    return;
  }
  sc->closing = sc->fin_wanted = true;
  if (sc->fin_sent)
    ocf_alarm_start(&sc->node->loop, &sc->alarm, sc->node->cfg.relay.sock.linger_ns);
  else if (ocf_queue_len(&sc->out) == 0)
    finish_sending(sc);
  else if (!ocf_timer_pending(&sc->alarm.timer))
    arm_stall(sc);
}

static const struct ocf_chan_ops chan_ops = { chan_write, chan_queued, chan_consumed, chan_fin,
                                              chan_end };

/* ---- opening ---- */

static struct ocf_chan *peer_open(void *ctx, const struct ocf_peerid *peer, struct ocf_upstream *up,
                                  uint64_t *ticket, int *err)
{
  struct ocf_node *n = ctx;
  struct ocf_bytes proto = OCF_STR(http_proto);
  struct streamchan *sc = make(n);
  if (sc == NULL) {
    *err = OCF_ENOMEM;
    return NULL;
  }
  sc->chan.ops = &chan_ops;
  sc->up = up;
  uint64_t deadline = ocf_time_add(n->loop.now_ns, OPEN_TIMEOUT_S * OCF_NS_PER_S);
  *err = ocf_swarm_open(n->swarm, n->loop.now_ns, peer, &proto, 1, deadline, &sc->user, &sc->s,
                        ticket);
  if (*err == 0) {
    count_stream(sc, false);
    return &sc->chan;
  }
  if (*err != OCF_EAGAIN)
    release(sc);
  return NULL;
}

static void peer_cancel(void *ctx, struct ocf_upstream *up, uint64_t ticket)
{
  struct ocf_node *n = ctx;
  ocf_swarm_open_cancel(n->swarm, ticket);
  OCF_LIST_FOREACH_SAFE (it, &n->streams) {
    struct streamchan *sc = OCF_LIST_ENTRY(it, struct streamchan, link);
    if (sc->s == NULL && sc->up == up) {
      release(sc);
      return;
    }
  }
}

const struct ocf_relay_peer_ops ocf_node_peer_ops = { peer_open, peer_cancel };

void ocf_node_http_stream_in(struct ocf_node *n, const struct ocf_swarm_event *ev)
{
  struct ocf_caller caller = { .kind = OCF_CALLER_PEER, .peer = *ev->peer };
  struct streamchan *sc = ocf_node_pressure(n) < OCF_NODE_SHED_CONNS ? make(n) : NULL;
  if (sc == NULL) {
    ocf_stream_reset(ev->stream, OCF_STREAM_RESOURCE_LIMIT);
    return;
  }
  sc->chan.ops = &chan_ops;
  sc->s = ev->stream;
  count_stream(sc, true);
  ocf_stream_set_user(ev->stream, &sc->user);
  (void)ocf_relay_serve(n->relay, &sc->chan, &caller); /* on failure it has ended the channel */
}

/* ---- events ---- */

static void on_data(struct streamchan *sc, struct ocf_bytes data)
{
  if (!sc->closing && sc->chan.user_ops != NULL) {
    sc->chan.user_ops->data(sc->chan.user, data);
    return;
  }
  sc->discarded += data.n;
  /* Past the bound no more may come; a reset now could cost the peer what it has not read yet. */
  if (sc->discarded <= sc->node->cfg.relay.sock.linger_bytes)
    ocf_stream_consumed(sc->s, data.n);
}

static void on_writable(struct streamchan *sc)
{
  bool moved = move_queue(sc);
  if (moved && !sc->closing && sc->chan.user_ops != NULL)
    sc->chan.user_ops->drained(sc->chan.user);
}

static void on_opened(struct streamchan *sc, struct ocf_stream *s)
{
  struct ocf_upstream *up = sc->up;
  sc->s = s;
  count_stream(sc, false);
  ocf_upstream_opened(up, &sc->chan, 0);
}

static void on_open_failed(struct streamchan *sc, int err)
{
  struct ocf_upstream *up = sc->up;
  release(sc);
  ocf_upstream_opened(up, NULL, err);
}

static void on_gone(struct streamchan *sc, int err)
{
  sc->s = NULL; /* dead with this event */
  fail(sc, err == 0 ? OCF_EEOF : err);
}

static void on_event(struct ocf_stream_user *u, const struct ocf_swarm_event *ev)
{
  struct streamchan *sc = OCF_CONTAINER_OF(u, struct streamchan, user);
  switch (ev->type) {
  case OCF_SWARM_OPENED: on_opened(sc, ev->stream); return;
  case OCF_SWARM_OPEN_FAILED: on_open_failed(sc, ev->err); return;
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_WRITABLE: on_writable(sc); return;
  case OCF_SWARM_DATA: on_data(sc, ev->data); return;
  case OCF_SWARM_FIN:
    if (!sc->closing && sc->chan.user_ops != NULL)
      sc->chan.user_ops->eof(sc->chan.user);
    return;
  case OCF_SWARM_STREAM_GONE: on_gone(sc, ev->err); return;
  case OCF_SWARM_STREAM_IN:
  case OCF_SWARM_PEER_UP:
  case OCF_SWARM_PEER_IDENTIFIED:
  case OCF_SWARM_PEER_DOWN:
  case OCF_SWARM_DIAL_FAILED: return;
  }
}

bool ocf_node_streams_sending(const struct ocf_node *n)
{
  OCF_LIST_FOREACH (it, &n->streams) {
    const struct streamchan *sc = OCF_LIST_ENTRY(it, struct streamchan, link);
    if (sc->closing && !sc->fin_sent)
      return true;
  }
  return false;
}

/* Channels that still linger when the node goes; their streams die with the swarm. */
void ocf_node_streams_free(struct ocf_node *n)
{
  OCF_LIST_FOREACH_SAFE (it, &n->streams) {
    release(OCF_LIST_ENTRY(it, struct streamchan, link));
  }
}
