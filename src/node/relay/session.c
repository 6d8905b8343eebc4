/* Client connections and inbound streams: bytes to requests, one after the other. */
#include <string.h>

#include "node/relay/relay_int.h"

unsigned ocf_relay_session_listener(const struct session *s)
{
  return s->caller.kind == OCF_CALLER_PEER ? OCF_METRIC_LISTENER_P2P : OCF_METRIC_LISTENER_HTTP;
}

static void session_free(struct session *s)
{
  struct ocf_relay *r = s->relay;
  OCF_ASSERT(!s->rq.active);
  ocf_list_remove(&s->link);
  ocf_defer_cancel(&s->resume);
  ocf_alarm_stop(r->loop, &s->alarm);
  ocf_alarm_stop(r->loop, &s->rq.alarm);
  ocf_queue_clear(&s->held);
  ocf_queue_clear(&s->rq.head);
  ocf_queue_clear(&s->rq.body);
  ocf_h1_server_fini(&s->h1);
  r->n_sessions--;
  r->n_clients -= s->caller.kind != OCF_CALLER_PEER ? 1 : 0;
  ocf_metric_move3(r->loop->metrics, OCF_METRIC_HTTP_CONNS, ocf_relay_session_listener(s), 0, 0,
                   -1);
  OCF_DELETE(r->loop->alloc, s);
}

/* Ends the session; while its input is being read, the freeing waits for the reader. */
void ocf_relay_session_end(struct session *s, enum ocf_chan_end how)
{
  if (s->chan != NULL) {
    struct ocf_chan *chan = s->chan;
    s->chan = NULL;
    ocf_chan_end(chan, how);
  }
  s->closing = true;
  if (!s->feeding)
    session_free(s);
}

/* ---- time ---- */

static uint64_t phase_deadline(const struct session *s)
{
  const struct ocf_relay_config *cfg = &s->relay->cfg;
  switch (s->phase) {
  case OCF_H1_PHASE_IDLE:
    return ocf_time_add(s->phase_since_ns, s->caller.kind == OCF_CALLER_PEER
                                               ? cfg->stream_idle_timeout_ns
                                               : cfg->idle_timeout_ns);
  case OCF_H1_PHASE_HEAD: return ocf_time_add(s->phase_since_ns, cfg->header_timeout_ns);
  case OCF_H1_PHASE_BODY: return s->pace.deadline_ns;
  case OCF_H1_PHASE_DRAIN: return ocf_time_add(s->phase_since_ns, cfg->drain_timeout_ns);
  case OCF_H1_PHASE_WAIT:
  case OCF_H1_PHASE_CLOSED: return OCF_TIME_NEVER;
  }
  return OCF_TIME_NEVER;
}

/* The alarm may be set earlier than the deadline (it then looks again), never later: a keep-alive
 * connection touches the wheel once per time-out, not twice per request. */
static void arm(struct session *s)
{
  uint64_t at = phase_deadline(s);
  if (at == OCF_TIME_NEVER ||
      (ocf_timer_pending(&s->alarm.timer) && s->alarm.timer.deadline_ns <= at))
    return;
  uint64_t now = s->relay->loop->now_ns;
  ocf_alarm_start(s->relay->loop, &s->alarm, at > now ? at - now : 0);
}

static void update_phase(struct session *s)
{
  enum ocf_h1_phase phase = ocf_h1_server_phase(&s->h1);
  const struct ocf_relay_config *cfg = &s->relay->cfg;
  uint64_t now = s->relay->loop->now_ns;
  if (phase != s->phase) {
    s->phase = phase;
    s->phase_since_ns = now;
    if (phase == OCF_H1_PHASE_BODY)
      ocf_h1_pace_start(&s->pace, now, cfg->body_min_rate, cfg->body_grace_ns);
  }
  arm(s);
}

/* True while the client is not to blame for silence: we do not read from it. */
static bool we_hold_back(const struct session *s)
{
  return s->rq.active && s->rq.uncredited >= ocf_sockchan_window(&s->relay->cfg.sock) / 2;
}

static void on_alarm(struct ocf_alarm *a)
{
  struct session *s = OCF_CONTAINER_OF(a, struct session, alarm);
  uint64_t now = s->relay->loop->now_ns;
  if (s->phase == OCF_H1_PHASE_BODY && we_hold_back(s))
    ocf_h1_pace_start(&s->pace, now, s->relay->cfg.body_min_rate, s->relay->cfg.body_grace_ns);
  if (phase_deadline(s) > now) {
    arm(s);
    return;
  }
  if (s->phase == OCF_H1_PHASE_IDLE || s->phase == OCF_H1_PHASE_DRAIN) {
    ocf_relay_session_end(s, OCF_CHAN_CLOSE);
    return;
  }
  ocf_metric_inc1(s->relay->loop->metrics, OCF_METRIC_HTTP_PARSE_ERRORS, OCF_METRIC_PARSE_TIMEOUT);
  ocf_relay_reply_timeout(s);
  ocf_relay_session_end(s, OCF_CHAN_CLOSE);
}

/* ---- input ---- */

static void begin(struct session *s)
{
  s->relay->n_requests++;
  ocf_relay_request_begin(s);
}

static void on_bad_input(struct session *s)
{
  enum ocf_h1_error e = s->h1.error;
  if (s->rq.active)
    ocf_relay_request_bad_input(&s->rq, e);
  else
    ocf_relay_reply_error(s, e);
  ocf_relay_session_end(s, OCF_CHAN_CLOSE);
}

/* Reads p[0..n) until it is used up or must wait; returns the bytes used. The session may be gone
 * afterwards: *alive tells. */
static size_t feed(struct session *s, const uint8_t *p, size_t n, bool *alive)
{
  size_t done = 0;
  bool more = true;
  s->feeding = true;
  while (more && !s->closing) {
    if (!s->rq.active && !ocf_h1_server_closing(&s->h1) &&
        ocf_chan_queued(s->chan) > PIPELINE_BACKLOG)
      break; /* answers pile up: no further request until the client reads */
    struct ocf_bytes data;
    size_t used;
    enum ocf_h1_event ev = ocf_h1_server_input(&s->h1, p + done, n - done, &used, &data);
    done += used;
    ocf_chan_consumed(s->chan, used - data.n);
    switch (ev) {
    case OCF_H1_EV_HEAD: begin(s); break;
    case OCF_H1_EV_BODY:
      ocf_h1_pace_add(&s->pace, s->relay->loop->now_ns, data.n);
      ocf_relay_request_body(&s->rq, data);
      break;
    case OCF_H1_EV_END: ocf_relay_request_body_end(&s->rq); break;
    case OCF_H1_EV_ERROR: on_bad_input(s); break;
    case OCF_H1_EV_CLOSE: ocf_relay_session_end(s, OCF_CHAN_CLOSE); break;
    case OCF_H1_EV_MORE:
    case OCF_H1_EV_HOLD:
    case OCF_H1_EV_INTERIM: more = false; break;
    }
  }
  s->feeding = false;
  *alive = !s->closing;
  if (s->closing)
    session_free(s);
  else
    update_phase(s);
  return done;
}

static void on_data(void *user, struct ocf_bytes view)
{
  struct session *s = user;
  size_t done = 0;
  bool alive = true;
  if (ocf_queue_len(&s->held) == 0)
    done = feed(s, view.p, view.n, &alive);
  if (alive && done < view.n && ocf_queue_add(&s->held, view.p + done, view.n - done) != 0)
    ocf_relay_session_drop(s, OCF_ENOMEM);
}

/* Reads on in what was held back. */
static void resume(struct ocf_deferred *d)
{
  struct session *s = OCF_CONTAINER_OF(d, struct session, resume);
  struct ocf_bytes view;
  bool alive;
  (void)feed(s, NULL, 0, &alive);
  while (alive && ocf_queue_peek(&s->held, &view, 1) == 1) {
    size_t done = feed(s, view.p, view.n, &alive);
    if (!alive)
      return;
    ocf_queue_consume(&s->held, done);
    if (done < view.n)
      return;
  }
}

void ocf_relay_session_resume_later(struct session *s)
{
  if (!s->closing)
    ocf_defer(s->relay->loop, &s->resume);
}

/* The client is gone or given up: whatever it asked for is cancelled. */
void ocf_relay_session_drop(struct session *s, int err)
{
  if (s->rq.active)
    ocf_relay_request_client_gone(&s->rq, err);
  ocf_relay_session_end(s, OCF_CHAN_ABORT);
}

/* A client that ends its sending half while it waits for an answer has left: HTTP clients do not
 * half-close, and Go's stream transport says "cancelled" in this way. */
static void on_eof(void *user)
{
  struct session *s = user;
  if (ocf_h1_server_eof(&s->h1) == 0 && !s->rq.active)
    ocf_relay_session_end(s, OCF_CHAN_CLOSE);
  else
    ocf_relay_session_drop(s, OCF_EEOF);
}

static void on_drained(void *user)
{
  struct session *s = user;
  if (s->rq.active)
    ocf_relay_request_client_drained(&s->rq);
  else if (ocf_queue_len(&s->held) > 0)
    ocf_relay_session_resume_later(s);
}

static void on_closed(void *user, int err)
{
  struct session *s = user;
  s->chan = NULL; /* dead already */
  ocf_relay_session_drop(s, err);
}

/* The same while we do not read, since the target takes no more of the request. */
static void on_left(void *user)
{
  ocf_relay_session_drop(user, OCF_EEOF);
}

static const struct ocf_chan_user_ops user_ops = { on_data, on_eof, on_drained, on_closed,
                                                   on_left };

int ocf_relay_serve(struct ocf_relay *r, struct ocf_chan *chan, const struct ocf_caller *caller)
{
  bool client = caller->kind != OCF_CALLER_PEER;
  bool full = client ? r->n_clients >= r->cfg.clients_max
                     : r->n_sessions - r->n_clients >= r->cfg.streams_max;
  full = full || r->draining;
  struct session *s = full ? NULL : OCF_NEW(r->loop->alloc, struct session);
  if (s == NULL) {
    ocf_chan_end(chan, OCF_CHAN_ABORT);
    return full ? OCF_ELIMIT : OCF_ENOMEM;
  }
  s->relay = r;
  s->chan = chan;
  s->caller = *caller;
  if (caller->kind != OCF_CALLER_PEER)
    s->from_n = (uint8_t)strlen(ocf_ip_addr_host_text(&caller->ip, s->from));
  s->resume.run = resume;
  s->alarm.fire = on_alarm;
  s->phase =
      OCF_H1_PHASE_CLOSED; /* differs from the machine's: the first update starts the clock */
  ocf_queue_init(&s->held, &r->loop->chunks);
  ocf_queue_init(&s->rq.head, &r->loop->chunks);
  ocf_queue_init(&s->rq.body, &r->loop->chunks);
  ocf_h1_server_init(&s->h1, &r->pool, &r->cfg.h1);
  ocf_list_push_back(&r->sessions, &s->link);
  r->n_sessions++;
  r->n_clients += client ? 1 : 0;
  ocf_metric_move3(r->loop->metrics, OCF_METRIC_HTTP_CONNS, ocf_relay_session_listener(s), 0, 0, 1);
  ocf_metric_inc1(r->loop->metrics, OCF_METRIC_HTTP_CONNS_TOTAL, ocf_relay_session_listener(s));
  ocf_chan_set_user(chan, &user_ops, s);
  update_phase(s);
  return 0;
}

/* Idle sessions end now, the others after the answer that is under way. */
void ocf_relay_session_drain_all(struct ocf_relay *r)
{
  OCF_LIST_FOREACH_SAFE (n, &r->sessions) {
    struct session *s = OCF_LIST_ENTRY(n, struct session, link);
    ocf_h1_server_close_after(&s->h1);
    if (!s->rq.active && ocf_h1_server_closing(&s->h1))
      ocf_relay_session_end(s, OCF_CHAN_CLOSE);
  }
}

void ocf_relay_session_free_all(struct ocf_relay *r)
{
  OCF_LIST_FOREACH_SAFE (n, &r->sessions) {
    struct session *s = OCF_LIST_ENTRY(n, struct session, link);
    ocf_relay_session_drop(s, OCF_ECANCELED);
  }
}
