/* Connections to targets: opened, used, kept for reuse, closed when idle for too long. */
#include <stdio.h>
#include <string.h>

#include "node/relay/relay_int.h"

/* Connections beyond the pool's size are closed only after they have been idle for a while: with
 * many clients in lockstep all of them come back in one turn and are wanted again in the next. */
enum { REAP_EVERY_MS = 500, SURPLUS_IDLE_MS = 500, IDLE_HARD_FACTOR = 64 };

/* ---- targets ---- */

void ocf_relay_target_init(struct target *t, struct ocf_relay *r)
{
  *t = (struct target){ .relay = r };
  ocf_list_init(&t->idle);
}

struct target *ocf_relay_target_for_peer(struct ocf_relay *r, const struct ocf_peerid *peer)
{
  struct ocf_map_node *n = ocf_map_find(&r->peers, ocf_peerid_view(peer));
  if (n != NULL)
    return OCF_CONTAINER_OF(n, struct target, node);
  struct target *t = OCF_NEW(r->loop->alloc, struct target);
  if (t == NULL)
    return NULL;
  char text[OCF_PEERID_TEXT_SIZE];
  ocf_relay_target_init(t, r);
  t->peer = *peer;
  (void)snprintf(t->host, sizeof(t->host), "%s", ocf_peerid_text(peer, text));
  if (ocf_map_insert(&r->peers, &t->node, ocf_peerid_view(&t->peer)) != 0) {
    OCF_DELETE(r->loop->alloc, t);
    return NULL;
  }
  return t;
}

void ocf_relay_target_put(struct target *t)
{
  if (t->service != NULL || t->n_conns > 0 || t->n_requests > 0)
    return;
  ocf_map_remove(&t->relay->peers, &t->node);
  OCF_DELETE(t->relay->loop->alloc, t);
}

/* ---- one connection ---- */

static struct ocf_relay *relay_of(struct ocf_upstream *up)
{
  return up->relay;
}

static void count_conn(const struct ocf_upstream *up, int64_t n)
{
  const struct ocf_service *sv = up->target->service;
  if (sv != NULL)
    ocf_metric_move3(up->relay->loop->metrics, OCF_METRIC_SERVICE_CONNS, sv->label, 0, 0, n);
}

static void up_free(struct ocf_upstream *up)
{
  struct target *t = up->target;
  if (up->state != UP_OPENING)
    count_conn(up, -1);
  if (up->state == UP_IDLE)
    t->n_idle--;
  ocf_list_remove(&up->idle_link);
  ocf_list_remove(&up->age_link);
  ocf_list_remove(&up->all_link);
  ocf_h1_client_fini(&up->h1);
  t->n_conns--;
  up->dead = true;
  if (!up->held)
    OCF_DELETE(up->relay->loop->alloc, up);
}

void ocf_relay_upstream_drop(struct ocf_upstream *up, enum ocf_chan_end how)
{
  if (up->chan != NULL)
    ocf_chan_end(up->chan, how);
  else if (up->state == UP_OPENING)
    up->relay->peer_ops->cancel(up->relay->ctx, up, up->ticket);
  up_free(up);
}

static void drop_idle(struct ocf_upstream *up, enum ocf_chan_end how)
{
  struct target *t = up->target;
  ocf_relay_upstream_drop(up, how);
  ocf_relay_target_put(t);
}

/* The connection failed under its user, who may ask for another one at once. */
static void fail(struct ocf_upstream *up, int err)
{
  struct ocf_request *rq = up->rq;
  struct ocf_ask *ask = up->ask;
  bool got = up->h1.got_bytes;
  if (err == OCF_ERESET && up->state == UP_BUSY && up->reused && !got)
    err = OCF_EEOF; /* closed while idle: the request never reached anybody */
  if (rq != NULL && up->target->service != NULL)
    ocf_relay_service_doubt(up->target->service);
  up_free(up);
  if (rq != NULL) {
    rq->up = NULL;
    ocf_relay_request_up_failed(rq, err, got);
  } else if (ask != NULL) {
    ocf_relay_ask_failed(ask, err);
  }
}

static void break_off(struct ocf_upstream *up, int err)
{
  struct ocf_chan *chan = up->chan;
  up->chan = NULL;
  if (chan != NULL)
    ocf_chan_end(chan, OCF_CHAN_ABORT);
  fail(up, err);
}

static void tell_ask(struct ocf_upstream *up, enum ocf_h1_event ev, struct ocf_bytes data)
{
  if (ev == OCF_H1_EV_HEAD)
    ocf_relay_ask_head(up->ask, ocf_h1_client_head(&up->h1)->status);
  else if (ev == OCF_H1_EV_BODY)
    ocf_relay_ask_body(up->ask, data);
  else
    ocf_relay_ask_end(up->ask);
}

static void tell_request(struct ocf_upstream *up, enum ocf_h1_event ev, struct ocf_bytes data)
{
  if (ev == OCF_H1_EV_HEAD)
    ocf_relay_request_up_head(up->rq);
  else if (ev == OCF_H1_EV_BODY)
    ocf_relay_request_up_body(up->rq, data);
  else
    ocf_relay_request_up_end(up->rq);
}

/* Hands one event of the answer to its user. False when `up` is not ours to touch any more. */
static bool deliver(struct ocf_upstream *up, enum ocf_h1_event ev, struct ocf_bytes data)
{
  struct ocf_request *rq = up->rq; /* may be gone after a call below: compared, not looked into */
  up->held = true;
  switch (ev) {
  case OCF_H1_EV_HEAD:
  case OCF_H1_EV_BODY:
  case OCF_H1_EV_END: (up->ask != NULL ? tell_ask : tell_request)(up, ev, data); break;
  case OCF_H1_EV_ERROR:
    OCF_LOGF(up->relay->loop->log, "http", OCF_LOG_WARN, "target broke HTTP/1.1",
             OCF_LOG_STR("target", up->target->host),
             OCF_LOG_STR("reason", ocf_h1_error_name(up->h1.error)));
    break_off(up, up->h1.error == OCF_H1_E_NO_MEMORY ? OCF_ENOMEM : OCF_EPROTO);
    break;
  case OCF_H1_EV_CLOSE: break_off(up, OCF_EEOF); break;
  case OCF_H1_EV_MORE:
  case OCF_H1_EV_HOLD:
  case OCF_H1_EV_INTERIM: break;
  }
  up->held = false;
  if (up->dead) {
    OCF_DELETE(up->relay->loop->alloc, up);
    return false;
  }
  return ev != OCF_H1_EV_END && up->rq == rq && up->state == UP_BUSY;
}

static void on_data(void *user, struct ocf_bytes view)
{
  struct ocf_upstream *up = user;
  size_t done = 0;
  enum ocf_h1_event ev = OCF_H1_EV_HEAD;
  if (up->state == UP_IDLE) { /* nobody asked: the connection cannot be trusted any more */
    drop_idle(up, OCF_CHAN_ABORT);
    return;
  }
  while (ev != OCF_H1_EV_MORE) {
    struct ocf_bytes data;
    size_t used;
    ev = ocf_h1_client_input(&up->h1, view.p + done, view.n - done, &used, &data);
    done += used;
    ocf_chan_consumed(up->chan, used - data.n);
    if (ev == OCF_H1_EV_END)
      ocf_chan_consumed(up->chan, view.n - done); /* see below */
    if (ev == OCF_H1_EV_END && done < view.n)
      up->h1.keep_alive = false; /* bytes behind the answer that nobody asked for: do not reuse */
    if (!deliver(up, ev, data))
      return;
  }
}

static void on_eof(void *user)
{
  struct ocf_upstream *up = user;
  if (up->state == UP_IDLE) {
    drop_idle(up, OCF_CHAN_CLOSE);
    return;
  }
  enum ocf_h1_event ev = ocf_h1_client_eof(&up->h1);
  if (ev == OCF_H1_EV_END)
    (void)deliver(up, ev, ocf_bytes(NULL, 0));
  else
    break_off(up, OCF_EEOF);
}

static void on_drained(void *user)
{
  struct ocf_upstream *up = user;
  if (up->rq != NULL && up->state == UP_BUSY)
    ocf_relay_request_up_drained(up->rq);
}

static void on_closed(void *user, int err)
{
  struct ocf_upstream *up = user;
  up->chan = NULL;
  if (up->state == UP_IDLE)
    drop_idle(up, OCF_CHAN_CLOSE);
  else
    fail(up, err == OCF_ECANCELED ? OCF_EEOF : err);
}

static const struct ocf_chan_user_ops user_ops = { on_data, on_eof, on_drained, on_closed, NULL };

/* ---- getting one ---- */

static void ready(struct ocf_upstream *up)
{
  up->state = UP_BUSY;
  count_conn(up, 1);
  if (up->rq != NULL)
    ocf_relay_request_up_ready(up->rq);
  else if (up->ask->target != NULL) /* else it is being begun */
    ocf_relay_ask_ready(up->ask);
}

static void on_connected(void *user)
{
  ready(user);
}

static struct ocf_upstream *up_new(struct ocf_relay *r, struct target *t)
{
  struct ocf_upstream *up = OCF_NEW(r->loop->alloc, struct ocf_upstream);
  if (up == NULL)
    return NULL;
  up->relay = r;
  up->target = t;
  ocf_h1_client_init(&up->h1, &r->pool, &r->cfg.h1);
  ocf_list_push_back(&r->upstreams, &up->all_link);
  t->n_conns++;
  return up;
}

/* 0: connected. OCF_EAGAIN: on its way. */
static int up_open(struct ocf_upstream *up)
{
  struct ocf_relay *r = up->relay;
  int err = OCF_EAGAIN;
  if (up->target->service == NULL) {
    up->chan = r->peer_ops->open(r->ctx, &up->target->peer, up, &up->ticket, &err);
    if (up->chan != NULL)
      err = 0;
  } else {
    up->chan = ocf_sockchan_connect(r->loop, &r->cfg.sock, &up->target->service->at,
                                    r->cfg.connect_timeout_ns, on_connected, &err);
    if (up->chan != NULL)
      err = OCF_EAGAIN;
  }
  if (up->chan != NULL)
    ocf_chan_set_user(up->chan, &user_ops, up);
  return err;
}

static struct ocf_upstream *take_idle(struct target *t)
{
  struct ocf_list *n = ocf_list_pop_front(&t->idle);
  if (n == NULL)
    return NULL;
  struct ocf_upstream *up = OCF_LIST_ENTRY(n, struct ocf_upstream, idle_link);
  ocf_list_remove(&up->age_link);
  t->n_idle--;
  up->state = UP_BUSY;
  up->reused = true;
  up->h1.got_bytes = false;
  return up;
}

int ocf_relay_upstream_acquire(struct ocf_request *rq)
{
  struct target *t = rq->target;
  struct ocf_upstream *up = take_idle(t);
  if (up != NULL) {
    up->rq = rq;
    rq->up = up;
    ocf_relay_request_up_ready(rq);
    return 0;
  }
  up = up_new(t->relay, t);
  if (up == NULL)
    return OCF_ENOMEM;
  up->rq = rq;
  rq->up = up;
  int err = up_open(up);
  if (err == 0) {
    ready(up);
  } else if (err != OCF_EAGAIN) {
    rq->up = NULL;
    up_free(up);
  }
  return err;
}

int ocf_relay_upstream_ask(struct ocf_ask *a, struct target *t)
{
  struct ocf_upstream *up = up_new(t->relay, t);
  if (up == NULL)
    return OCF_ENOMEM;
  up->ask = a;
  a->up = up;
  int err = up_open(up);
  if (err == 0)
    ready(up);
  if (err == 0 || err == OCF_EAGAIN)
    return 0;
  a->up = NULL;
  up_free(up);
  return err;
}

void ocf_upstream_opened(struct ocf_upstream *up, struct ocf_chan *chan, int err)
{
  OCF_ASSERT(up->state == UP_OPENING && up->chan == NULL);
  if (chan == NULL) {
    fail(up, err);
    return;
  }
  up->chan = chan;
  ocf_chan_set_user(chan, &user_ops, up);
  ready(up);
}

/* ---- keeping it ---- */

static size_t pool_max(const struct ocf_relay *r, const struct target *t)
{
  return t->service == NULL ? r->cfg.peer_pool_max : r->cfg.service_pool_max;
}

void ocf_relay_upstream_release(struct ocf_upstream *up)
{
  struct ocf_relay *r = relay_of(up);
  struct target *t = up->target;
  bool peer = t->service == NULL;
  size_t max = pool_max(r, t);
  up->rq = NULL;
  if (up->state != UP_BUSY || !ocf_h1_client_reusable(&up->h1) ||
      t->n_idle >= max * IDLE_HARD_FACTOR || r->draining) {
    ocf_relay_upstream_drop(up, up->state == UP_BUSY ? OCF_CHAN_CLOSE : OCF_CHAN_ABORT);
    return;
  }
  up->state = UP_IDLE;
  up->idle_since_ns = r->loop->now_ns;
  t->n_idle++;
  ocf_list_push_front(&t->idle, &up->idle_link);
  ocf_list_push_back(peer ? &r->peer_ages : &r->service_ages, &up->age_link);
  if (!ocf_timer_pending(&r->reaper.timer))
    ocf_alarm_start(r->loop, &r->reaper, REAP_EVERY_MS * OCF_NS_PER_MS);
}

static void reap_list(struct ocf_relay *r, struct ocf_list *ages, uint64_t idle_ns)
{
  while (!ocf_list_empty(ages)) {
    struct ocf_upstream *up = OCF_LIST_ENTRY(ages->next, struct ocf_upstream, age_link);
    uint64_t idle = r->loop->now_ns - up->idle_since_ns;
    bool surplus =
        up->target->n_idle > pool_max(r, up->target) && idle >= SURPLUS_IDLE_MS * OCF_NS_PER_MS;
    if (idle < idle_ns && !surplus)
      return;
    drop_idle(up, OCF_CHAN_CLOSE);
  }
}

void ocf_relay_upstream_reap(struct ocf_alarm *reaper)
{
  struct ocf_relay *r = OCF_CONTAINER_OF(reaper, struct ocf_relay, reaper);
  reap_list(r, &r->peer_ages, r->cfg.peer_pool_idle_ns);
  reap_list(r, &r->service_ages, r->cfg.service_pool_idle_ns);
  if (!ocf_list_empty(&r->peer_ages) || !ocf_list_empty(&r->service_ages))
    ocf_alarm_start(r->loop, reaper, REAP_EVERY_MS * OCF_NS_PER_MS);
}

void ocf_relay_upstream_close_idle(struct target *t)
{
  while (!ocf_list_empty(&t->idle))
    ocf_relay_upstream_drop(OCF_LIST_ENTRY(t->idle.next, struct ocf_upstream, idle_link),
                            OCF_CHAN_CLOSE);
}

void ocf_relay_close_idle(struct ocf_relay *r)
{
  struct ocf_list *lists[] = { &r->peer_ages, &r->service_ages };
  for (size_t i = 0; i < OCF_ARRAY_LEN(lists); i++) {
    while (!ocf_list_empty(lists[i]))
      drop_idle(OCF_LIST_ENTRY(lists[i]->next, struct ocf_upstream, age_link), OCF_CHAN_CLOSE);
  }
}

void ocf_relay_upstream_free_all(struct ocf_relay *r)
{
  struct ocf_map_iter it = { 0 };
  struct ocf_map_node *n;
  OCF_LIST_FOREACH_SAFE (l, &r->upstreams) {
    struct ocf_upstream *up = OCF_LIST_ENTRY(l, struct ocf_upstream, all_link);
    if (up->ask != NULL)
      ocf_ask_cancel(up->ask);
    else
      ocf_relay_upstream_drop(up, OCF_CHAN_ABORT);
  }
  while (ocf_map_next(&r->peers, &it, &n))
    ocf_relay_target_put(OCF_CONTAINER_OF(n, struct target, node));
}
