#include "node/chan/sockchan.h"

enum { MAX_VIEWS = 32 };

struct sockchan {
  struct ocf_chan chan;
  struct ocf_loop *loop;
  struct ocf_list link; /* in loop->closing, once closing */
  const struct ocf_sockchan_limits *limits;
  struct ocf_sock *sock;
  struct ocf_queue out;
  struct ocf_deferred flush;
  struct ocf_alarm alarm; /* connecting: the time-out; sending: the stall; closing: the linger */
  void (*connected)(void *user);
  size_t sending;    /* bytes at the head of `out` that the driver sends in the background */
  size_t unconsumed; /* delivered to the user and not yet consumed */
  size_t discarded;  /* while closing */
  bool up, paused, eof, fin_wanted, fin_sent, closing;
};

static struct sockchan *of(struct ocf_chan *c)
{
  return OCF_CONTAINER_OF(c, struct sockchan, chan);
}

/* Frees the channel; the socket is closed or dead already. */
static void release(struct sockchan *sc)
{
  ocf_list_remove(&sc->link);
  ocf_defer_cancel(&sc->flush);
  ocf_alarm_stop(sc->loop, &sc->alarm);
  ocf_queue_clear(&sc->out);
  OCF_DELETE(sc->loop->alloc, sc);
}

static void destroy(struct sockchan *sc, bool reset)
{
  sc->loop->env->ops->close(sc->sock, reset);
  release(sc);
}

/* Tells the user, if there is still one, and frees. The socket is dead or closed here. */
static void fail(struct sockchan *sc, int err, bool sock_is_dead)
{
  const struct ocf_chan_user_ops *ops = sc->chan.user_ops;
  void *user = sc->chan.user;
  bool tell = !sc->closing;
  if (sock_is_dead)
    release(sc);
  else
    destroy(sc, true);
  if (tell && ops != NULL)
    ops->closed(user, err);
}

static void arm_stall(struct sockchan *sc)
{
  ocf_alarm_start(sc->loop, &sc->alarm, sc->limits->write_stall_ns);
}

/* All is sent and our half was asked to end: ends it, and when closing waits for the other side. */
static void finish_sending(struct sockchan *sc)
{
  if (sc->fin_wanted && !sc->fin_sent) {
    sc->fin_sent = true;
    sc->loop->env->ops->shutdown(sc->sock);
  }
  if (!sc->closing)
    return;
  if (sc->eof)
    destroy(sc, false);
  else
    ocf_alarm_start(sc->loop, &sc->alarm, sc->limits->linger_ns);
}

/* Runs from the end of the turn only, never inside a call of the user's. The user may give the
 * channel up in `drained`, so nothing follows it. */
static void flush(struct sockchan *sc)
{
  struct ocf_bytes views[MAX_VIEWS];
  bool progress = false;
  while (sc->up && sc->sending == 0 && ocf_queue_len(&sc->out) > 0) {
    size_t n = ocf_queue_peek(&sc->out, views, MAX_VIEWS);
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
      total += views[i].n;
    size_t sent = sc->loop->env->ops->send(sc->sock, views, n, true);
    ocf_queue_consume(&sc->out, sent);
    progress = progress || sent > 0;
    sc->sending = total - sent;
    if (sc->sending > 0)
      arm_stall(sc);
  }
  bool tell = progress && !sc->closing && sc->chan.user_ops != NULL;
  if (sc->up && ocf_queue_len(&sc->out) == 0)
    finish_sending(sc);
  if (tell)
    sc->chan.user_ops->drained(sc->chan.user);
}

static void flush_deferred(struct ocf_deferred *d)
{
  flush(OCF_CONTAINER_OF(d, struct sockchan, flush));
}

static int chan_write(struct ocf_chan *c, const struct ocf_bytes *views, size_t n)
{
  struct sockchan *sc = of(c);
  if (sc->fin_wanted)
    return OCF_ESTATE;
  size_t total = 0, done = 0;
  for (size_t i = 0; i < n; i++)
    total += views[i].n;
  if (total >= OCF_SOCKCHAN_DIRECT && n <= MAX_VIEWS && sc->up && ocf_queue_len(&sc->out) == 0)
    done = sc->loop->env->ops->send(sc->sock, views, n, false);
  for (size_t i = 0; i < n; i++) {
    size_t skip = OCF_MIN(done, views[i].n);
    done -= skip;
    if (skip < views[i].n && ocf_queue_add(&sc->out, views[i].p + skip, views[i].n - skip) != 0)
      return OCF_ENOMEM;
  }
  if (ocf_queue_len(&sc->out) > 0)
    ocf_defer(sc->loop, &sc->flush);
  return 0;
}

static size_t chan_queued(struct ocf_chan *c)
{
  return ocf_queue_len(&of(c)->out);
}

static void pause_or_resume(struct sockchan *sc)
{
  size_t window = ocf_sockchan_window(sc->limits);
  bool want = sc->unconsumed >= window || (sc->paused && sc->unconsumed > window / 2);
  if (want == sc->paused || sc->eof)
    return;
  sc->paused = want;
  sc->loop->env->ops->pause(sc->sock, want);
}

static void chan_consumed(struct ocf_chan *c, size_t n)
{
  struct sockchan *sc = of(c);
  OCF_ASSERT(n <= sc->unconsumed);
  sc->unconsumed -= n;
  if (sc->up)
    pause_or_resume(sc);
}

static void chan_fin(struct ocf_chan *c)
{
  struct sockchan *sc = of(c);
  sc->fin_wanted = true;
  ocf_defer(sc->loop, &sc->flush);
}

static void chan_end(struct ocf_chan *c, enum ocf_chan_end how)
{
  struct sockchan *sc = of(c);
  ocf_chan_set_user(c, NULL, NULL);
  if (how == OCF_CHAN_ABORT || !sc->up) {
    destroy(sc, how == OCF_CHAN_ABORT);
    return;
  }
  sc->closing = sc->fin_wanted = true;
  ocf_list_push_back(&sc->loop->closing, &sc->link);
  if (sc->paused && !sc->eof) { /* discarding needs reading */
    sc->paused = false;
    sc->loop->env->ops->pause(sc->sock, false);
  }
  ocf_defer(sc->loop, &sc->flush);
}

static const struct ocf_chan_ops chan_ops = { chan_write, chan_queued, chan_consumed, chan_fin,
                                              chan_end };

static void on_rx_space(void *user, uint8_t **p, size_t *cap)
{
  struct sockchan *sc = user;
  *p = sc->loop->rx;
  *cap = OCF_LOOP_RX_SIZE;
}

static void on_rx(void *user, uint64_t now_ns, size_t n)
{
  struct sockchan *sc = user;
  sc->loop->now_ns = now_ns;
  if (n == 0)
    return;
  if (sc->closing) {
    sc->discarded += n;
    if (sc->discarded > sc->limits->linger_bytes && !sc->paused) {
      /* Closing with bytes unread would reset the connection under our last bytes: wait. */
      sc->paused = true;
      sc->loop->env->ops->pause(sc->sock, true);
    }
    return;
  }
  sc->unconsumed += n;
  pause_or_resume(sc);
  if (sc->chan.user_ops != NULL)
    sc->chan.user_ops->data(sc->chan.user, ocf_bytes(sc->loop->rx, n));
}

static void on_eof(void *user, uint64_t now_ns)
{
  struct sockchan *sc = user;
  sc->loop->now_ns = now_ns;
  sc->eof = true;
  if (sc->closing) {
    if (sc->fin_sent)
      destroy(sc, false);
  } else if (sc->chan.user_ops != NULL) {
    sc->chan.user_ops->eof(sc->chan.user);
  }
}

static void on_connected(void *user, uint64_t now_ns)
{
  struct sockchan *sc = user;
  sc->loop->now_ns = now_ns;
  sc->up = true;
  ocf_alarm_stop(sc->loop, &sc->alarm);
  ocf_defer(sc->loop, &sc->flush);
  if (sc->connected != NULL && sc->chan.user_ops != NULL)
    sc->connected(sc->chan.user);
}

static void on_sent(void *user, uint64_t now_ns, size_t n)
{
  struct sockchan *sc = user;
  sc->loop->now_ns = now_ns;
  OCF_ASSERT(n == sc->sending);
  sc->sending = 0;
  ocf_queue_consume(&sc->out, n);
  ocf_alarm_stop(sc->loop, &sc->alarm);
  ocf_defer(sc->loop, &sc->flush); /* before the user may end the channel */
  if (!sc->closing && sc->chan.user_ops != NULL)
    sc->chan.user_ops->drained(sc->chan.user);
}

static void on_closed(void *user, uint64_t now_ns, int err)
{
  struct sockchan *sc = user;
  sc->loop->now_ns = now_ns;
  fail(sc, err, true);
}

static void on_left(void *user, uint64_t now_ns)
{
  struct sockchan *sc = user;
  sc->loop->now_ns = now_ns;
  if (!sc->closing && sc->chan.user_ops != NULL && sc->chan.user_ops->left != NULL)
    sc->chan.user_ops->left(sc->chan.user);
}

static const struct ocf_sock_user_ops sock_ops = { on_rx_space, on_rx,     on_eof, on_connected,
                                                   on_sent,     on_closed, on_left };

static void on_alarm(struct ocf_alarm *a)
{
  struct sockchan *sc = OCF_CONTAINER_OF(a, struct sockchan, alarm);
  if (sc->closing && sc->fin_sent)
    destroy(sc, false); /* lingered long enough */
  else
    fail(sc, OCF_ETIME, false);
}

static struct sockchan *make(struct ocf_loop *l, const struct ocf_sockchan_limits *limits)
{
  struct sockchan *sc = OCF_NEW(l->alloc, struct sockchan);
  if (sc == NULL)
    return NULL;
  sc->chan.ops = &chan_ops;
  sc->loop = l;
  sc->limits = limits;
  sc->flush.run = flush_deferred;
  sc->alarm.fire = on_alarm;
  ocf_queue_init(&sc->out, &l->chunks);
  return sc;
}

struct ocf_chan *ocf_sockchan_accept(struct ocf_loop *l, const struct ocf_sockchan_limits *limits,
                                     struct ocf_sock *s)
{
  struct sockchan *sc = make(l, limits);
  if (sc == NULL)
    return NULL;
  sc->sock = s;
  sc->up = true;
  l->env->ops->adopt(s, &sock_ops, sc);
  return &sc->chan;
}

struct ocf_chan *ocf_sockchan_connect(struct ocf_loop *l, const struct ocf_sockchan_limits *limits,
                                      const struct ocf_endpoint *to, uint64_t timeout_ns,
                                      void (*connected)(void *user), int *err)
{
  struct sockchan *sc = make(l, limits);
  if (sc == NULL) {
    *err = OCF_ENOMEM;
    return NULL;
  }
  sc->connected = connected;
  sc->sock = l->env->ops->connect(l->env, to, &sock_ops, sc, err);
  if (sc->sock == NULL) {
    OCF_DELETE(l->alloc, sc);
    return NULL;
  }
  ocf_alarm_start(l, &sc->alarm, timeout_ns);
  return &sc->chan;
}

bool ocf_sockchan_sending(const struct ocf_loop *l)
{
  OCF_LIST_FOREACH (it, &l->closing) {
    if (!OCF_LIST_ENTRY(it, struct sockchan, link)->fin_sent)
      return true;
  }
  return false;
}

void ocf_sockchan_free_closing(struct ocf_loop *l)
{
  OCF_LIST_FOREACH_SAFE (it, &l->closing) {
    destroy(OCF_LIST_ENTRY(it, struct sockchan, link), false);
  }
}
