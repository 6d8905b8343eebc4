/* One request on its way: client -> target, with its time-outs, retries and failures. */
#include <stdio.h>
#include <string.h>

#include "node/relay/relay_int.h"

enum {
  MAX_BODY_VIEWS = 136 /* 1 MiB, the most that retry.body_hold allows, in chunks */,
  ROOM_RETRY_MS = 2,
  RETRY_BURST = 10,
  HOLD_ALARM_MS = 1000
};
#define RETRY_WINDOW_NS (10 * OCF_NS_PER_S)

/* ---- the beginning and the end ---- */

/* Ids go into logs and headers of other machines, so only plain ones are taken over. */
static bool id_ok(struct ocf_bytes id)
{
  if (id.n == 0 || id.n > REQUEST_ID_MAX)
    return false;
  for (size_t i = 0; i < id.n; i++) {
    if (id.p[i] <= ' ' || id.p[i] >= 0x7f || id.p[i] == '"' || id.p[i] == '\\')
      return false;
  }
  return true;
}

static void choose_id(struct ocf_request *rq, const struct ocf_h1_head *h)
{
  struct ocf_bytes id;
  if (ocf_h1_get_one(h, OCF_H1_F_X_REQUEST_ID, &id) == 0 && id_ok(id)) {
    memcpy(rq->id, id.p, id.n);
    rq->id_n = (uint8_t)id.n;
    return;
  }
  static const char hex[] = "0123456789abcdef";
  uint64_t v = ocf_rng_u64(loop_of(rq)->rng);
  memcpy(rq->id, "req-", 4);
  for (size_t i = 0; i < 16; i++)
    rq->id[4 + i] = hex[v >> (4 * i) & 15];
  rq->id_n = 20;
}

static void on_alarm(struct ocf_alarm *a);

void ocf_relay_request_begin(struct session *s)
{
  const struct ocf_h1_head *h = ocf_h1_server_head(&s->h1);
  struct ocf_request *rq = &s->rq;
  struct ocf_queue head = rq->head, body = rq->body; /* empty; they keep their pool */
  OCF_ASSERT(ocf_queue_len(&head) == 0 && ocf_queue_len(&body) == 0);
  *rq = (struct ocf_request){ .session = s, .active = true, .head = head, .body = body };
  rq->alarm.fire = on_alarm;
  rq->route = OCF_METRIC_ROUTE_OTHER;
  rq->method = h->method;
  rq->start_ns = loop_of(rq)->now_ns;
  rq->path_n = (uint8_t)OCF_MIN(h->path.n, LOG_PATH_MAX);
  memcpy(rq->path, h->path.p, rq->path_n);
  choose_id(rq, h);
  ocf_metric_move3(loop_of(rq)->metrics, OCF_METRIC_HTTP_IN_FLIGHT, ocf_relay_session_listener(s),
                   0, 0, 1);
  s->relay->route(s->relay->ctx, rq);
}

static unsigned method_label(enum ocf_h1_method m)
{
  switch (m) {
  case OCF_H1_GET: return OCF_METRIC_METHOD_GET;
  case OCF_H1_HEAD: return OCF_METRIC_METHOD_HEAD;
  case OCF_H1_POST: return OCF_METRIC_METHOD_POST;
  case OCF_H1_PUT: return OCF_METRIC_METHOD_PUT;
  case OCF_H1_DELETE: return OCF_METRIC_METHOD_DELETE;
  case OCF_H1_OPTIONS: return OCF_METRIC_METHOD_OPTIONS;
  case OCF_H1_PATCH: return OCF_METRIC_METHOD_PATCH;
  case OCF_H1_OTHER:
  case OCF_H1_TRACE:
  case OCF_H1_CONNECT:
  case OCF_H1_METHOD_COUNT: break;
  }
  return OCF_METRIC_METHOD_OTHER;
}

static void count(struct ocf_request *rq)
{
  struct ocf_metrics *m = loop_of(rq)->metrics;
  unsigned l = ocf_relay_session_listener(rq->session);
  uint64_t now = loop_of(rq)->now_ns;
  ocf_metric_inc3(m, OCF_METRIC_HTTP_REQUESTS, rq->route, method_label(rq->method),
                  ocf_metric_code(rq->status));
  ocf_metric_observe1(m, OCF_METRIC_HTTP_DURATION, rq->route, now - rq->start_ns);
  if (rq->first_byte_ns != 0)
    ocf_metric_observe1(m, OCF_METRIC_HTTP_FIRST_BYTE, rq->route, rq->first_byte_ns - rq->start_ns);
  ocf_metric_add1(m, OCF_METRIC_HTTP_BYTES_IN, l, rq->bytes_in);
  ocf_metric_add1(m, OCF_METRIC_HTTP_BYTES_OUT, l, rq->bytes_out);
  ocf_metric_move3(m, OCF_METRIC_HTTP_IN_FLIGHT, l, 0, 0, -1);
}

/* Lets go of the connection to the target, if there is one. */
void ocf_relay_request_drop_up(struct ocf_request *rq, enum ocf_chan_end how)
{
  struct ocf_upstream *up = rq->up;
  rq->up = NULL;
  if (up != NULL)
    ocf_relay_upstream_drop(up, how);
}

static void release_up(struct ocf_request *rq)
{
  struct ocf_upstream *up = rq->up;
  rq->up = NULL;
  if (up == NULL)
    return;
  /* What the client has not read yet was bounded by the target's window; the connection's next
   * request belongs to another client, so the credit goes back now. */
  if (rq->uncredited_down > 0)
    ocf_chan_consumed(up->chan, rq->uncredited_down);
  rq->uncredited_down = 0;
  ocf_relay_upstream_release(up);
}

static void leave_target(struct ocf_request *rq)
{
  struct target *t = rq->target;
  rq->target = NULL;
  if (t == NULL)
    return;
  t->n_requests--;
  ocf_relay_target_put(t);
}

/* Tells those who route the request that it has ended. */
static void let_go(struct ocf_request *rq)
{
  struct ocf_body_reader *b = rq->reader;
  struct ocf_chooser *c = rq->chooser;
  rq->reader = NULL;
  rq->chooser = NULL;
  if (b != NULL)
    b->ops->gone(b);
  if (c != NULL)
    c->ops->done(c);
}

void ocf_relay_request_finish(struct ocf_request *rq, const char *outcome)
{
  struct session *s = rq->session;
  OCF_ASSERT(rq->active);
  if (rq->parked != NULL)
    (void)ocf_request_unpark(rq->parked);
  release_up(rq);
  let_go(rq);
  count(rq);
  ocf_relay_request_log(rq, outcome);
  ocf_alarm_stop(s->relay->loop, &rq->alarm);
  ocf_queue_clear(&rq->head);
  ocf_queue_clear(&rq->body);
  if (rq->uncredited > 0 && s->chan != NULL)
    ocf_chan_consumed(s->chan, rq->uncredited);
  rq->uncredited = 0;
  rq->active = false;
  leave_target(rq);
  s->relay->n_requests--;
  ocf_relay_session_resume_later(s);
}

void ocf_relay_request_client_gone(struct ocf_request *rq, int err)
{
  (void)err;
  ocf_metric_inc(loop_of(rq)->metrics, OCF_METRIC_HTTP_CANCELLED);
  rq->uncredited_down = 0;
  ocf_relay_request_drop_up(rq, OCF_CHAN_ABORT);
  ocf_relay_request_finish(rq, err == OCF_ETIME ? "client_slow" : "client_gone");
}

/* The client broke the rules in the middle of a request body. The session closes afterwards. */
void ocf_relay_request_bad_input(struct ocf_request *rq, enum ocf_h1_error e)
{
  rq->uncredited_down = 0;
  ocf_relay_request_drop_up(rq, OCF_CHAN_ABORT);
  if (!rq->answering) {
    rq->status = ocf_h1_error_status(e);
    ocf_relay_reply_error(rq->session, e);
  }
  ocf_relay_request_finish(rq, "bad_request");
}

/* ---- failures ---- */

/* Counts fade instead of beginning anew, so that no moment is without a budget. */
static void fade_window(struct ocf_relay *r)
{
  uint64_t now = r->loop->now_ns;
  while (now - r->window_ns > RETRY_WINDOW_NS) {
    r->window_requests /= 2;
    r->window_retries = r->window_requests == 0 ? 0 : r->window_retries / 2;
    r->window_ns = r->window_requests == 0 ? now : ocf_time_add(r->window_ns, RETRY_WINDOW_NS);
  }
}

static bool budget_allows(struct ocf_relay *r)
{
  fade_window(r);
  uint64_t most = RETRY_BURST + r->window_requests * r->cfg.retry_budget_percent / 100;
  if (r->window_retries >= most) {
    ocf_metric_inc(r->loop->metrics, OCF_METRIC_RETRIES_DENIED);
    return false;
  }
  r->window_retries++;
  ocf_metric_inc(r->loop->metrics, OCF_METRIC_RETRIES);
  return true;
}

static bool may_repeat(const struct ocf_request *rq)
{
  const struct ocf_relay_config *cfg = cfg_of(rq);
  return cfg->retry_enabled && (rq->replayable || !rq->sent) && rq->attempts <= cfg->retry_max;
}

static bool may_retry(struct ocf_request *rq)
{
  return may_repeat(rq) && budget_allows(rq->session->relay);
}

static void fail_before_answer(struct ocf_request *rq, int err)
{
  bool peer = rq->target->service == NULL;
  if (rq->chooser != NULL && err != OCF_ETIME && err != OCF_ENOMEM)
    ocf_relay_request_problem(rq, 502, "workers_unreachable",
                              "no worker that offers this answered; another attempt may succeed",
                              0);
  else if (err == OCF_ELIMIT || err == OCF_ENOMEM)
    ocf_relay_request_problem(rq, 503, "overloaded", "no free connection to the target, try again",
                              1);
  else if (err == OCF_EUNREACH && peer)
    ocf_relay_request_problem(rq, 502, "peer_unreachable",
                              "the peer is not connected and no address of it is known or works",
                              0);
  else if (err == OCF_EUNSUPP)
    ocf_relay_request_problem(rq, 502, "protocol_unsupported",
                              "the peer does not speak /libp2p-http", 0);
  else if (err == OCF_EPROTO)
    ocf_relay_request_problem(rq, 502, "bad_answer", "the target's answer breaks HTTP/1.1", 0);
  else if (err == OCF_ETIME)
    ocf_relay_request_problem(rq, 504, "upstream_timeout", "the target did not answer in time", 0);
  else
    ocf_relay_request_problem(
        rq, 502, peer ? "peer_failed" : "service_failed",
        peer ? "the peer closed the stream before it answered"
             : "the service refused or closed the connection before it answered",
        0);
}

static unsigned upstream_label(int err, bool got_bytes)
{
  switch (err) {
  case OCF_EREFUSED: return OCF_METRIC_UPSTREAM_CONNECT;
  case OCF_EUNREACH: return OCF_METRIC_UPSTREAM_NO_PEER;
  case OCF_ERESET: return OCF_METRIC_UPSTREAM_RESET;
  case OCF_EEOF: return OCF_METRIC_UPSTREAM_CLOSED_EARLY;
  case OCF_EPROTO: return OCF_METRIC_UPSTREAM_PROTOCOL;
  case OCF_ELIMIT: return OCF_METRIC_UPSTREAM_LIMIT;
  case OCF_ETIME:
    return got_bytes ? OCF_METRIC_UPSTREAM_CHUNK_TIMEOUT : OCF_METRIC_UPSTREAM_HEADER_TIMEOUT;
  default: return OCF_METRIC_UPSTREAM_OTHER;
  }
}

static void try_acquire(struct ocf_request *rq);
static bool next_hop(struct ocf_request *rq);

/* After a failure before the answer: the attempt has been reported to the chooser. */
static bool try_again(struct ocf_request *rq, int err, bool got_bytes)
{
  bool again = !got_bytes && err != OCF_ETIME && err != OCF_EUNREACH && err != OCF_EUNSUPP;
  if (rq->chooser != NULL && err == OCF_EUNREACH) /* has cost nobody anything */
    return may_repeat(rq) && next_hop(rq);
  if (rq->chooser != NULL)
    return !got_bytes && may_retry(rq) && next_hop(rq);
  if (again && may_retry(rq)) {
    try_acquire(rq);
    return true;
  }
  return false;
}

static void report(struct ocf_request *rq, unsigned status, int err)
{
  if (rq->chooser != NULL)
    rq->chooser->ops->result(rq->chooser, status, err);
}

void ocf_relay_request_up_failed(struct ocf_request *rq, int err, bool got_bytes)
{
  OCF_ASSERT(rq->active && rq->up == NULL);
  rq->uncredited_down = 0;
  ocf_metric_inc1(loop_of(rq)->metrics, OCF_METRIC_UPSTREAM_ERRORS,
                  upstream_label(err, rq->answering));
  if (rq->answering) {
    ocf_relay_answer_abort(
        rq, OCF_METRIC_ABORT_UPSTREAM, "upstream_failed",
        "the connection to the model server broke off in the middle of the answer");
    return;
  }
  report(rq, 0, err);
  if (!try_again(rq, err, got_bytes))
    fail_before_answer(rq, err);
}

bool ocf_relay_request_elsewhere(struct ocf_request *rq, unsigned status)
{
  report(rq, status, 0);
  if (rq->chooser == NULL || (status != 502 && status != 503) || !may_retry(rq))
    return false;
  struct ocf_upstream *up = rq->up;
  rq->up = NULL;
  if (!next_hop(rq)) { /* nobody else: this answer is the best there is */
    rq->up = up;
    return false;
  }
  ocf_relay_upstream_drop(up, OCF_CHAN_ABORT);
  return true;
}

/* ---- time ---- */

/* Moves the deadline; the alarm is left as it is when it fires earlier and then looks again. */
void ocf_relay_request_deadline(struct ocf_request *rq, uint64_t after_ns)
{
  uint64_t at = after_ns == 0 ? OCF_TIME_NEVER : ocf_time_add(loop_of(rq)->now_ns, after_ns);
  if (cfg_of(rq)->request_timeout_ns > 0)
    at = ocf_time_min(at, ocf_time_add(rq->start_ns, cfg_of(rq)->request_timeout_ns));
  rq->deadline_ns = at;
  if (at != OCF_TIME_NEVER &&
      (!ocf_timer_pending(&rq->alarm.timer) || rq->alarm.timer.deadline_ns > at))
    ocf_wheel_start(&loop_of(rq)->wheel, &rq->alarm.timer, at);
}

static void out_of_time(struct ocf_request *rq)
{
  bool whole = cfg_of(rq)->request_timeout_ns > 0 &&
               loop_of(rq)->now_ns >= ocf_time_add(rq->start_ns, cfg_of(rq)->request_timeout_ns);
  ocf_metric_inc1(loop_of(rq)->metrics, OCF_METRIC_UPSTREAM_ERRORS,
                  upstream_label(OCF_ETIME, rq->answering));
  if (rq->answering) {
    ocf_relay_answer_abort(rq, whole ? OCF_METRIC_ABORT_DEADLINE : OCF_METRIC_ABORT_SILENT,
                           whole ? "request_timeout" : "upstream_silent",
                           whole ? "the request took longer than this node allows"
                                 : "the model server fell silent in the middle of the answer");
    return;
  }
  ocf_relay_request_drop_up(rq, OCF_CHAN_ABORT);
  report(rq, 0, OCF_ETIME);
  fail_before_answer(rq, OCF_ETIME);
}

static void on_alarm(struct ocf_alarm *a)
{
  struct ocf_request *rq = OCF_CONTAINER_OF(a, struct ocf_request, alarm);
  uint64_t now = loop_of(rq)->now_ns;
  if (rq->up == NULL) { /* waits for room at the target */
    try_acquire(rq);
    return;
  }
  if (rq->deadline_ns > now) {
    if (rq->deadline_ns != OCF_TIME_NEVER)
      ocf_wheel_start(&loop_of(rq)->wheel, &rq->alarm.timer, rq->deadline_ns);
    return;
  }
  if (rq->answering && rq->uncredited_down > 0 && cfg_of(rq)->request_timeout_ns == 0) {
    /* The client does not read, so the target's silence is our doing. The write stall limit ends
     * this when it lasts. */
    ocf_relay_request_deadline(rq, cfg_of(rq)->chunk_timeout_ns);
    ocf_alarm_start(loop_of(rq), a, HOLD_ALARM_MS * OCF_NS_PER_MS);
    return;
  }
  out_of_time(rq);
}

/* ---- towards the target ---- */

static bool up_ready(const struct ocf_request *rq)
{
  return rq->up != NULL && rq->up->state == UP_BUSY;
}

/* Gives credit for body bytes that have left user space. */
static void credit_up(struct ocf_request *rq)
{
  size_t held = up_ready(rq) ? ocf_chan_queued(rq->up->chan) : ocf_queue_len(&rq->body);
  if (rq->uncredited <= held)
    return;
  ocf_chan_consumed(rq->session->chan, rq->uncredited - held);
  rq->uncredited = held;
}

/* Frames and writes payload. OCF_OK, or an error after which the target is of no use. */
static int send_payload(struct ocf_request *rq, const struct ocf_bytes *views, size_t n)
{
  struct ocf_bytes v[MAX_BODY_VIEWS + 2];
  struct ocf_h1_frame f;
  size_t total = 0, k = 0;
  for (size_t i = 0; i < n; i++)
    total += views[i].n;
  if (total == 0)
    return 0;
  int r = ocf_h1_client_data(&rq->up->h1, total, &f);
  if (r != 0)
    return r;
  v[k++] = ocf_bytes(f.pre, f.n_pre);
  for (size_t i = 0; i < n; i++)
    v[k++] = views[i];
  v[k++] = ocf_bytes(OCF_H1_CRLF, f.n_suf);
  return ocf_chan_write(rq->up->chan, v, k);
}

static int send_end(struct ocf_request *rq)
{
  struct ocf_h1_frame f;
  if (rq->framing == OCF_H1_FRAMING_NONE)
    return 0;
  int r = ocf_h1_client_end(&rq->up->h1, &f);
  if (r != 0 || f.n_pre == 0)
    return r;
  struct ocf_bytes v = ocf_bytes(f.pre, f.n_pre);
  return ocf_chan_write(rq->up->chan, &v, 1);
}

/* Everything that has come of the request so far. */
static int send_so_far(struct ocf_request *rq)
{
  struct ocf_bytes v[MAX_BODY_VIEWS];
  struct ocf_queue rest = rq->body; /* a cursor over the same chunks */
  int r = ocf_h1_client_start(&rq->up->h1, rq->method, rq->framing, rq->content_length);
  size_t n = ocf_queue_peek(&rq->head, v, MAX_BODY_VIEWS);
  if (r == 0)
    r = ocf_chan_write(rq->up->chan, v, n);
  if (rq->replayable) {
    n = ocf_queue_peek(&rest, v, MAX_BODY_VIEWS);
    return r != 0 ? r : send_payload(rq, v, n);
  }
  while (r == 0 && (n = ocf_queue_peek(&rq->body, v, 1)) > 0) {
    r = send_payload(rq, v, n);
    ocf_queue_consume(&rq->body, v[0].n);
  }
  return r;
}

/* The target's connection is of no use any more through a fault of ours (memory, framing). */
static void give_up_target(struct ocf_request *rq, int err)
{
  ocf_relay_request_drop_up(rq, OCF_CHAN_ABORT);
  rq->replayable = false;
  rq->sent = true;
  ocf_relay_request_up_failed(rq, err, false);
}

void ocf_relay_request_up_ready(struct ocf_request *rq)
{
  struct session *s = rq->session;
  ocf_alarm_stop(loop_of(rq), &rq->alarm);
  rq->sent = true;
  int r = send_so_far(rq);
  if (r == 0 && rq->body_ended)
    r = send_end(rq);
  if (r != 0) {
    give_up_target(rq, r);
    return;
  }
  if (ocf_h1_server_take_continue(&s->h1)) {
    struct ocf_bytes v = OCF_STR(OCF_H1_CONTINUE);
    (void)!ocf_chan_write(s->chan, &v, 1); /* a client that is gone is told by its channel */
  }
  credit_up(rq);
  ocf_relay_request_deadline(rq, cfg_of(rq)->response_header_timeout_ns);
}

static void try_acquire(struct ocf_request *rq)
{
  struct ocf_relay *r = rq->session->relay;
  uint64_t now = r->loop->now_ns;
  rq->attempts++;
  int err = ocf_relay_upstream_acquire(rq);
  if (err == 0 || err == OCF_EAGAIN)
    return;
  if (err != OCF_ELIMIT) {
    ocf_relay_request_up_failed(rq, err, false);
    return;
  }
  /* The muxer lets only so many streams wait for the peer's acknowledgement: a burst waits here. */
  rq->attempts--;
  if (rq->open_until_ns == 0)
    rq->open_until_ns = ocf_time_add(now, r->cfg.connect_timeout_ns);
  if (now >= rq->open_until_ns)
    fail_before_answer(rq, OCF_ELIMIT);
  else
    ocf_alarm_start(r->loop, &rq->alarm, ROOM_RETRY_MS * OCF_NS_PER_MS);
}

/* The head for the target: hop-by-hop fields gone, ours added. */
static int build_head(struct ocf_request *rq, struct ocf_bytes target)
{
  struct session *s = rq->session;
  const struct ocf_h1_head *h = ocf_h1_server_head(&s->h1);
  struct ocf_buf *b = &s->relay->scratch;
  struct ocf_h1_edit edits[3];
  size_t n = 0;
  edits[n++] =
      OCF_H1_EDIT(OCF_H1_SET, "Host", ocf_bytes(rq->target->host, strlen(rq->target->host)));
  edits[n++] = OCF_H1_EDIT(OCF_H1_SET, "X-Request-Id", ocf_request_id(rq));
  if (s->from_n > 0)
    edits[n++] = OCF_H1_EDIT(OCF_H1_ADD, "X-Forwarded-For", ocf_bytes(s->from, s->from_n));
  struct ocf_h1_rewrite rw = { .target = target,
                               .framing = h->framing,
                               .content_length = h->content_length,
                               .edits = edits,
                               .n_edits = n };
  rq->framing = h->framing;
  rq->content_length = h->content_length;
  ocf_buf_clear(b);
  int r = ocf_h1_write_request(b, h, &rw);
  return r != 0 ? r : ocf_queue_add(&rq->head, b->p, b->n);
}

static void enter_target(struct ocf_request *rq, struct target *t)
{
  t->n_requests++; /* first, since it may be the one that is left */
  leave_target(rq);
  rq->target = t;
}

static void begin_forwarding(struct ocf_request *rq)
{
  const struct ocf_relay_config *cfg = cfg_of(rq);
  rq->reader = NULL;
  rq->forwarded = true;
  rq->replayable =
      cfg->retry_enabled && cfg->retry_body_hold > 0 && rq->body_total <= cfg->retry_body_hold;
  fade_window(rq->session->relay);
  rq->session->relay->window_requests++;
}

void ocf_relay_request_forward(struct ocf_request *rq, struct target *t, struct ocf_bytes target)
{
  if (t == NULL) {
    ocf_relay_request_problem(rq, 503, "overloaded", "this node is out of memory, try again", 1);
    return;
  }
  enter_target(rq, t);
  begin_forwarding(rq);
  if (build_head(rq, target) != 0) {
    ocf_relay_request_problem(rq, 400, "bad_request",
                              "the request cannot be forwarded in valid form", 0);
    return;
  }
  try_acquire(rq);
}

/* Starts the next attempt; false when there is nobody left to ask. */
static bool next_hop(struct ocf_request *rq)
{
  struct ocf_relay *r = rq->session->relay;
  struct ocf_hop hop = { .service = NULL };
  struct target *t = NULL;
  if (!rq->chooser->ops->next(rq->chooser, &hop))
    return false;
  if (hop.service != NULL)
    t = &hop.service->target;
  else
    t = ocf_relay_target_for_peer(r, &hop.peer);
  if (t == NULL)
    return false;
  enter_target(rq, t);
  rq->passed_on = hop.passes_on;
  rq->open_until_ns = 0;
  ocf_queue_clear(&rq->head);
  if (build_head(rq, hop.target) != 0)
    return false;
  try_acquire(rq);
  return true;
}

void ocf_request_to_chosen(struct ocf_request *rq, struct ocf_chooser *c)
{
  OCF_ASSERT(rq->chooser == NULL);
  rq->chooser = c;
  begin_forwarding(rq);
  if (next_hop(rq))
    return;
  ocf_relay_request_problem(rq, 503, "no_provider", "nobody can take this request now, try again",
                            1);
}

/* Reading the body for the route: what has come is kept for the target and credited at once, since
 * the reader bounds it. */
static void show_body(struct ocf_request *rq, struct ocf_bytes data, bool end)
{
  if (data.n > 0 && ocf_queue_add(&rq->body, data.p, data.n) != 0) {
    ocf_relay_request_problem(rq, 503, "overloaded", "this node is out of memory, try again", 1);
    return;
  }
  rq->body_total += data.n;
  ocf_chan_consumed(rq->session->chan, data.n);
  rq->reader->ops->piece(rq->reader, rq, data, end);
}

void ocf_request_read_body(struct ocf_request *rq, struct ocf_body_reader *b)
{
  struct session *s = rq->session;
  OCF_ASSERT(rq->active && rq->reader == NULL);
  rq->reader = b;
  if (ocf_h1_server_head(&s->h1)->framing == OCF_H1_FRAMING_NONE) {
    show_body(rq, ocf_bytes(NULL, 0), true);
    return;
  }
  if (ocf_h1_server_take_continue(&s->h1)) {
    struct ocf_bytes v = OCF_STR(OCF_H1_CONTINUE);
    (void)!ocf_chan_write(s->chan, &v, 1); /* a client that is gone is told by its channel */
  }
}

void ocf_relay_request_body(struct ocf_request *rq, struct ocf_bytes data)
{
  rq->bytes_in += data.n;
  if (rq->active && rq->reader != NULL) {
    show_body(rq, data, false);
    return;
  }
  if (!rq->active || !rq->forwarded) { /* answered already: read away */
    ocf_chan_consumed(rq->session->chan, data.n);
    return;
  }
  rq->uncredited += data.n;
  rq->body_total += data.n;
  if (rq->replayable && rq->body_total > cfg_of(rq)->retry_body_hold) {
    rq->replayable = false;
    if (up_ready(rq))
      ocf_queue_clear(&rq->body);
  }
  int r = 0;
  if (rq->replayable || !up_ready(rq))
    r = ocf_queue_add(&rq->body, data.p, data.n);
  if (r == 0 && up_ready(rq))
    r = send_payload(rq, &data, 1);
  if (r != 0)
    give_up_target(rq, r);
  else
    credit_up(rq);
}

void ocf_relay_request_body_end(struct ocf_request *rq)
{
  rq->body_ended = true;
  if (rq->active && rq->reader != NULL) {
    show_body(rq, ocf_bytes(NULL, 0), true);
    return;
  }
  if (!rq->active || !up_ready(rq))
    return;
  int r = send_end(rq);
  if (r != 0)
    give_up_target(rq, r);
}

void ocf_relay_request_up_drained(struct ocf_request *rq)
{
  credit_up(rq);
}

/* ---- what the route function sees ---- */

const struct ocf_h1_head *ocf_request_head(const struct ocf_request *rq)
{
  return ocf_h1_server_head(&rq->session->h1);
}

const struct ocf_caller *ocf_request_caller(const struct ocf_request *rq)
{
  return &rq->session->caller;
}

struct ocf_bytes ocf_request_id(const struct ocf_request *rq)
{
  return ocf_bytes(rq->id, rq->id_n);
}

void ocf_request_set_route(struct ocf_request *rq, unsigned route)
{
  rq->route = route;
}

void ocf_request_park(struct ocf_request *rq, struct ocf_parked *p)
{
  OCF_ASSERT(rq->active && rq->parked == NULL);
  rq->parked = p;
  p->rq = rq;
}

struct ocf_request *ocf_request_unpark(struct ocf_parked *p)
{
  struct ocf_request *rq = p->rq;
  rq->parked = NULL;
  p->rq = NULL;
  return rq;
}

void ocf_request_to_peer(struct ocf_request *rq, const struct ocf_peerid *peer,
                         struct ocf_bytes target)
{
  ocf_relay_request_forward(rq, ocf_relay_target_for_peer(rq->session->relay, peer), target);
}

void ocf_request_to_service(struct ocf_request *rq, struct ocf_service *service,
                            struct ocf_bytes target)
{
  ocf_relay_request_forward(rq, &service->target, target);
}
