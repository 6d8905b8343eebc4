#include "sim/client.h"

#include <stdio.h>
#include <string.h>

#include "base/str/str.h"

#include "http/h1/write.h"
#include "sim/pattern.h"

enum { PIECE = 4096, OUT_MAX = 64 * 1024 };
#define PATIENCE_NS (1000 * OCF_NS_PER_S)

static struct ocf_sim *world_of(const struct ocf_sim_client *c)
{
  return c->proc->net->w;
}

const char *ocf_sim_outcome_name(enum ocf_sim_outcome o)
{
  switch (o) {
  case OCF_SIM_PENDING: return "pending";
  case OCF_SIM_COMPLETE: return "complete";
  case OCF_SIM_NO_ANSWER: return "no answer";
  case OCF_SIM_CUT: return "cut";
  case OCF_SIM_LEFT: return "left";
  case OCF_SIM_TIMEOUT: return "timeout";
  }
  return "?";
}

bool ocf_sim_client_done(const struct ocf_sim_client *c)
{
  return c->finished;
}

static void wrong(struct ocf_sim_client *c, const char *what)
{
  ocf_sim_fail(world_of(c), "client %llu, %s, status %u, %llu of %llu bytes: %s",
               (unsigned long long)c->id, c->plan.target, c->status, (unsigned long long)c->got_n,
               (unsigned long long)c->plan.want_n, what);
}

static void finish(struct ocf_sim_client *c, enum ocf_sim_outcome o)
{
  struct ocf_sim *w = world_of(c);
  if (c->finished)
    return;
  c->finished = true;
  c->outcome = o;
  c->end_ns = w->now_ns;
  ocf_sim_trace(w, OCF_SIM_TRACE_RESULT, c->id, (uint64_t)o << 32 | c->status, &c->got_n,
                sizeof(c->got_n));
  ocf_sim_cancel(w, &c->send_timer);
  ocf_sim_cancel(w, &c->patience);
  ocf_sim_cancel(w, &c->leave);
  ocf_sim_cancel(w, &c->stall);
  ocf_sim_cancel(w, &c->again);
  ocf_sim_stream_close(&c->stream, o == OCF_SIM_LEFT && c->plan.leave_by_reset);
}

/* ---- sending ---- */

static void send_body(struct ocf_sim_client *c)
{
  uint8_t buf[PIECE];
  struct ocf_h1_frame f;
  const struct ocf_sim_plan *p = &c->plan;
  while (!c->finished && c->sent_n < p->body_n && ocf_queue_len(&c->stream.out) < OUT_MAX) {
    size_t most = p->send_piece > 0 ? OCF_MIN(p->send_piece, sizeof(buf)) : sizeof(buf);
    size_t n = (size_t)OCF_MIN(p->body_n - c->sent_n, most);
    if (p->body != NULL)
      memcpy(buf, p->body + c->sent_n, n);
    else
      ocf_sim_pattern_fill(p->body_seed, c->sent_n, buf, n);
    if (ocf_h1_client_data(&c->h1, n, &f) != 0)
      return; /* answered and closed already */
    c->sent_n += n;
    ocf_sim_stream_write(&c->stream, f.pre, f.n_pre);
    ocf_sim_stream_write(&c->stream, buf, n);
    ocf_sim_stream_write(&c->stream, OCF_H1_CRLF, f.n_suf);
    if (p->send_gap_ns > 0) {
      ocf_sim_after(world_of(c), &c->send_timer, p->send_gap_ns);
      break;
    }
  }
  if (c->finished || c->sent_n < p->body_n)
    return;
  if (ocf_h1_client_end(&c->h1, &f) == 0)
    ocf_sim_stream_write(&c->stream, f.pre, f.n_pre);
}

static void send_request(struct ocf_sim_client *c)
{
  struct ocf_sim_plan *p = &c->plan;
  bool body = p->body_n > 0 || p->chunked;
  enum ocf_h1_framing framing = !body        ? OCF_H1_FRAMING_NONE
                                : p->chunked ? OCF_H1_FRAMING_CHUNKED
                                             : OCF_H1_FRAMING_LENGTH;
  struct ocf_h1_edit ask =
      OCF_H1_EDIT(OCF_H1_SET, "X-Otela-Identity-Group", ocf_str(p->ask != NULL ? p->ask : ""));
  struct ocf_h1_rewrite rw = { .framing = framing,
                               .content_length = p->body_n,
                               .edits = &ask,
                               .n_edits = p->ask != NULL ? 1 : 0 };
  struct ocf_sim *w = world_of(c);
  c->started = true;
  c->head_seen = c->done_event = c->error_event = c->stalled = false;
  c->sent_n = c->got_n = c->n_events = c->gap_max_ns = c->first_ns = 0;
  c->line_n = 0;
  c->status = 0;
  c->start_ns = c->last_ns = w->now_ns;
  memset(c->text, 0, sizeof(c->text));
  OCF_ASSERT(ocf_h1_client_start(&c->h1, p->method, framing, p->body_n) == 0);
  ocf_buf_clear(&c->scratch);
  OCF_ASSERT(ocf_h1_make_request(&c->scratch, p->method, ocf_str(p->target), OCF_STR("head.sim"),
                                 &rw) == 0);
  ocf_sim_stream_write(&c->stream, c->scratch.p, c->scratch.n);
  ocf_sim_after(w, &c->patience, p->patience_ns > 0 ? p->patience_ns : PATIENCE_NS);
  if (p->leave_after_ns > 0)
    ocf_sim_after(w, &c->leave, p->leave_after_ns);
  if (body)
    send_body(c);
}

static void on_send_timer(struct ocf_sim *w, struct ocf_sim_event *e)
{
  (void)w;
  send_body(OCF_CONTAINER_OF(e, struct ocf_sim_client, send_timer));
}

static void on_patience(struct ocf_sim *w, struct ocf_sim_event *e)
{
  (void)w;
  finish(OCF_CONTAINER_OF(e, struct ocf_sim_client, patience), OCF_SIM_TIMEOUT);
}

void ocf_sim_client_leave(struct ocf_sim_client *c)
{
  finish(c, OCF_SIM_LEFT);
}

static void on_leave(struct ocf_sim *w, struct ocf_sim_event *e)
{
  (void)w;
  finish(OCF_CONTAINER_OF(e, struct ocf_sim_client, leave), OCF_SIM_LEFT);
}

static void on_stall_end(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sim_client *c = OCF_CONTAINER_OF(e, struct ocf_sim_client, stall);
  (void)w;
  ocf_sim_stream_pause(&c->stream, false);
}

/* ---- checking ---- */

static void on_line(struct ocf_sim_client *c)
{
  struct ocf_bytes l = ocf_bytes(c->line, c->line_n);
  uint64_t i;
  if (l.n == 0 || c->line[0] == ':')
    return;
  if (ocf_str_starts(l, OCF_STR("data: {\"error\":")) || ocf_str_starts(l, OCF_STR("event: error")))
    c->error_event = true;
  else if (ocf_str_is(l, "data: [DONE]"))
    c->done_event = true;
  else if (ocf_str_starts(l, OCF_STR("data: ")) &&
           ocf_str_u64(ocf_bytes(l.p + 6, l.n - 6), UINT64_MAX, &i) == 0 && i == c->n_events)
    c->n_events++;
  else
    wrong(c, "an event is damaged");
}

static void check_events(struct ocf_sim_client *c, struct ocf_bytes d)
{
  for (size_t i = 0; i < d.n; i++) {
    if (d.p[i] == '\n') {
      on_line(c);
      c->line_n = 0;
    } else if (c->line_n < sizeof(c->line)) {
      c->line[c->line_n++] = (char)d.p[i];
    }
  }
}

static void check_body(struct ocf_sim_client *c, struct ocf_bytes d)
{
  const struct ocf_sim_plan *p = &c->plan;
  if (c->got_n < sizeof(c->text) - 1)
    memcpy(c->text + c->got_n, d.p, OCF_MIN(d.n, sizeof(c->text) - 1 - (size_t)c->got_n));
  if (c->status == 200) {
    if (p->expect == OCF_SIM_PATTERN && !ocf_sim_pattern_ok(p->want_seed, c->got_n, d.p, d.n))
      wrong(c, "the answer's bytes are damaged");
    if (p->expect == OCF_SIM_ECHO && !ocf_sim_pattern_ok(p->body_seed, c->got_n, d.p, d.n))
      wrong(c, "the echoed bytes are damaged");
    if (p->expect == OCF_SIM_EVENTS)
      check_events(c, d);
  }
  c->got_n += d.n;
}

static void check_complete(struct ocf_sim_client *c)
{
  const struct ocf_sim_plan *p = &c->plan;
  if (c->status != 200 || p->method == OCF_H1_HEAD)
    return;
  if (p->expect == OCF_SIM_PATTERN && c->got_n != p->want_n)
    wrong(c, "a complete answer is too short or too long");
  if (p->expect == OCF_SIM_ECHO && c->got_n != p->body_n)
    wrong(c, "a complete echo is too short or too long");
  if (p->expect == OCF_SIM_EVENTS && (!c->done_event || c->n_events != p->want_n))
    wrong(c, "an event stream ended as if complete, but is not");
  if (p->expect == OCF_SIM_EVENTS && c->error_event)
    wrong(c, "an event stream ended as if complete after an error event");
  if (p->expect == OCF_SIM_TEXT && strcmp(c->text, p->want_text) != 0)
    wrong(c, "the answer's text is not the expected one");
}

/* ---- receiving ---- */

static void next_request(struct ocf_sim_client *c)
{
  unsigned n = c->plan.n_requests > 0 ? c->plan.n_requests : 1;
  c->n_complete++;
  c->n_ok += c->status == 200 ? 1 : 0;
  if (c->n_complete == n) {
    finish(c, OCF_SIM_COMPLETE);
    return;
  }
  ocf_sim_cancel(world_of(c), &c->patience);
  ocf_sim_cancel(world_of(c), &c->leave);
  if (!ocf_h1_client_reusable(&c->h1)) {
    ocf_sim_stream_close(&c->stream, false);
    ocf_h1_client_fini(&c->h1);
    ocf_h1_client_init(&c->h1, &c->pool, &c->limits);
    c->started = false;
    ocf_sim_after(world_of(c), &c->again, 0); /* not from inside the old one's callback */
    return;
  }
  send_request(c);
}

static void on_head(struct ocf_sim_client *c)
{
  const struct ocf_h1_head *h = ocf_h1_client_head(&c->h1);
  struct ocf_bytes node = ocf_h1_get(h, OCF_H1_F_X_COMPUTING_NODE);
  c->status = h->status;
  c->first_ns = world_of(c)->now_ns;
  c->head_seen = true;
  (void)snprintf(c->node, sizeof(c->node), "%.*s", (int)node.n, (const char *)node.p);
}

static void on_body(struct ocf_sim_client *c, struct ocf_bytes data)
{
  const struct ocf_sim_plan *p = &c->plan;
  uint64_t now = world_of(c)->now_ns;
  c->gap_max_ns = OCF_MAX(c->gap_max_ns, now - c->last_ns);
  c->last_ns = now;
  check_body(c, data);
  if (p->leave_after_bytes > 0 && c->got_n >= p->leave_after_bytes) {
    finish(c, OCF_SIM_LEFT);
    return;
  }
  if (p->stall_ns > 0 && !c->stalled && c->got_n >= p->stall_after_bytes) {
    c->stalled = true;
    ocf_sim_stream_pause(&c->stream, true);
    if (p->stall_ns != OCF_TIME_NEVER)
      ocf_sim_after(world_of(c), &c->stall, p->stall_ns);
  }
}

static void failed(struct ocf_sim_client *c)
{
  finish(c, c->head_seen || c->h1.got_bytes ? OCF_SIM_CUT : OCF_SIM_NO_ANSWER);
}

static void on_event(struct ocf_sim_client *c, enum ocf_h1_event ev, struct ocf_bytes data)
{
  switch (ev) {
  case OCF_H1_EV_HEAD: on_head(c); break;
  case OCF_H1_EV_BODY: on_body(c, data); break;
  case OCF_H1_EV_END:
    check_complete(c);
    next_request(c);
    break;
  case OCF_H1_EV_ERROR:
    if (c->h1.error == OCF_H1_E_TRUNCATED)
      failed(c);
    else
      wrong(c, ocf_h1_error_name(c->h1.error));
    break;
  case OCF_H1_EV_CLOSE: failed(c); break;
  case OCF_H1_EV_MORE:
  case OCF_H1_EV_HOLD:
  case OCF_H1_EV_INTERIM: break;
  }
}

static void on_data(void *user, struct ocf_bytes view)
{
  struct ocf_sim_client *c = user;
  size_t done = 0;
  enum ocf_h1_event ev = OCF_H1_EV_HEAD;
  while (ev != OCF_H1_EV_MORE && c->stream.sock != NULL && !world_of(c)->failed) {
    struct ocf_bytes data;
    size_t used;
    ev = ocf_h1_client_input(&c->h1, view.p + done, view.n - done, &used, &data);
    done += used;
    on_event(c, ev, data);
  }
}

static void on_eof(void *user)
{
  struct ocf_sim_client *c = user;
  on_event(c, ocf_h1_client_eof(&c->h1), ocf_bytes(NULL, 0));
}

static void on_drained(void *user)
{
  struct ocf_sim_client *c = user;
  if (c->started && c->sent_n < c->plan.body_n && c->plan.send_gap_ns == 0)
    send_body(c);
}

static void on_up(void *user)
{
  send_request(user);
}

static void on_gone(void *user, int err)
{
  (void)err;
  failed(user);
}

static const struct ocf_sim_stream_ops stream_ops = { on_up, on_data, on_eof, on_drained, on_gone };

static void open_stream(struct ocf_sim_client *c)
{
  if (!ocf_sim_stream_connect(&c->stream, c->proc, &c->plan.to, &stream_ops, c))
    finish(c, OCF_SIM_NO_ANSWER);
}

static void on_again(struct ocf_sim *w, struct ocf_sim_event *e)
{
  (void)w;
  open_stream(OCF_CONTAINER_OF(e, struct ocf_sim_client, again));
}

void ocf_sim_client_start(struct ocf_sim_client *c, struct ocf_sim_proc *p,
                          const struct ocf_sim_plan *plan)
{
  struct ocf_sim *w = p->net->w;
  *c = (struct ocf_sim_client){ .plan = *plan, .proc = p, .limits = OCF_H1_LIMITS_DEFAULT };
  c->id = ++p->net->next_client;
  c->send_timer.fn = on_send_timer;
  c->patience.fn = on_patience;
  c->leave.fn = on_leave;
  c->again.fn = on_again;
  c->stall.fn = on_stall_end;
  ocf_h1_pool_init(&c->pool, &w->alloc, 1);
  ocf_h1_client_init(&c->h1, &c->pool, &c->limits);
  ocf_buf_init(&c->scratch, &w->alloc, 65536);
  open_stream(c);
}

void ocf_sim_client_fini(struct ocf_sim_client *c)
{
  if (c->proc == NULL)
    return;
  finish(c, OCF_SIM_LEFT);
  ocf_h1_client_fini(&c->h1);
  ocf_h1_pool_fini(&c->pool);
  ocf_buf_fini(&c->scratch);
  c->proc = NULL;
}
