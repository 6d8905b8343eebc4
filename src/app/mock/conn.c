/* Client connections: bytes to requests, one after the other. */
#include <string.h>

#include "app/mock/mock_int.h"

#define IDLE_NS (75 * OCF_NS_PER_S)

static struct conn *of_alarm(struct ocf_alarm *a)
{
  return OCF_CONTAINER_OF(a, struct conn, alarm);
}

/* Forgets the request, whatever became of it. */
static void clear_request(struct conn *c)
{
  ocf_buf_reset(&c->body);
  ocf_mock_ask_fini(&c->ask);
  if (c->counted)
    c->m->stats.active--;
  c->counted = c->head_sent = false;
  c->state = MOCK_IDLE;
  c->n_tokens = c->n_wanted = c->n_chunks = c->body_bytes = c->bytes_left = c->bytes_done = 0;
  c->first_ns = 0;
}

static void conn_free(struct conn *c)
{
  struct mock *m = c->m;
  clear_request(c);
  ocf_list_remove(&c->link);
  ocf_defer_cancel(&c->resume);
  ocf_alarm_stop(&m->loop, &c->alarm);
  ocf_queue_clear(&c->held);
  ocf_h1_server_fini(&c->h1);
  m->stats.conns--;
  OCF_DELETE(&m->alloc, c);
}

static void enter(struct conn *c)
{
  c->depth++;
}

static void leave(struct conn *c)
{
  if (--c->depth == 0 && c->closing)
    conn_free(c);
}

void ocf_mock_conn_end(struct conn *c, enum ocf_chan_end how)
{
  if (c->chan != NULL) {
    struct ocf_chan *chan = c->chan;
    c->chan = NULL;
    ocf_chan_end(chan, how);
  }
  c->closing = true;
}

void ocf_mock_conn_end_all(struct mock *m)
{
  OCF_LIST_FOREACH_SAFE (n, &m->conns) {
    struct conn *c = OCF_LIST_ENTRY(n, struct conn, link);
    enter(c);
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
    leave(c);
  }
}

void ocf_mock_conn_write(struct conn *c, const struct ocf_bytes *v, size_t n)
{
  if (c->closing || ocf_chan_write(c->chan, v, n) == 0)
    return;
  c->m->stats.failed += c->counted;
  ocf_mock_conn_end(c, OCF_CHAN_ABORT);
}

void ocf_mock_conn_alarm_in(struct conn *c, uint64_t ns)
{
  ocf_alarm_start(&c->m->loop, &c->alarm, ns);
}

void ocf_mock_conn_finish(struct conn *c)
{
  ocf_mock_report(c, "finished");
  c->m->stats.finished += c->counted;
  clear_request(c);
  if (c->closing)
    return;
  ocf_mock_conn_alarm_in(c, IDLE_NS);
  ocf_defer(&c->m->loop, &c->resume);
}

/* The client has left: what it asked for is given up at once. */
static void cancel(struct conn *c)
{
  if (c->counted) {
    c->m->stats.cancelled++;
    ocf_mock_report(c, "cancelled");
  }
  ocf_mock_conn_end(c, OCF_CHAN_ABORT);
}

/* ---- input ---- */

static void on_body(struct conn *c, struct ocf_bytes data)
{
  ocf_chan_consumed(c->chan, data.n);
  c->body_bytes += data.n;
  if (c->state == MOCK_BODY)
    ocf_mock_conn_alarm_in(c, IDLE_NS);
  if (c->route == ROUTE_SINK) {
    c->body_hash = ocf_mock_fnv1a(c->body_hash, data.p, data.n);
    c->m->stats.sunk_bytes += data.n;
  } else if (c->state == MOCK_BODY) {
    int r = ocf_buf_add(&c->body, data.p, data.n);
    if (r == OCF_ELIMIT)
      ocf_mock_reply_problem(c, 413, NULL, "body_too_large", NULL,
                             "The request body is too large.");
    else if (r != 0)
      ocf_mock_conn_end(c, OCF_CHAN_ABORT);
  }
}

static void on_error(struct conn *c)
{
  struct ocf_h1_problem p = { .status = ocf_h1_error_status(c->h1.error),
                              .message = "The request breaks HTTP/1.1.",
                              .code = ocf_h1_error_name(c->h1.error) };
  struct ocf_h1_rewrite rw = { .connection = OCF_H1_CONN_CLOSE };
  ocf_buf_clear(&c->m->out);
  if (!c->head_sent && ocf_h1_write_problem(&c->m->out, &p, false, &rw) == 0) {
    struct ocf_bytes v = ocf_buf_view(&c->m->out);
    ocf_mock_conn_write(c, &v, 1);
  }
  ocf_mock_conn_end(c, OCF_CHAN_CLOSE);
}

static void begin(struct conn *c)
{
  c->m->stats.requests++;
  c->start_ns = c->m->loop.now_ns;
  ocf_mock_route_head(c, ocf_h1_server_head(&c->h1));
  if (!c->closing && ocf_h1_server_take_continue(&c->h1)) {
    struct ocf_bytes v = OCF_STR(OCF_H1_CONTINUE);
    ocf_mock_conn_write(c, &v, 1);
  }
}

/* Reads on in p[0..n) until it must wait; returns the bytes used. */
static size_t feed(struct conn *c, const uint8_t *p, size_t n)
{
  size_t done = 0;
  bool more = true;
  while (more && !c->closing) {
    struct ocf_bytes data;
    size_t used;
    enum ocf_h1_event ev = ocf_h1_server_input(&c->h1, p + done, n - done, &used, &data);
    done += used;
    ocf_chan_consumed(c->chan, used - data.n);
    switch (ev) {
    case OCF_H1_EV_HEAD: begin(c); break;
    case OCF_H1_EV_BODY: on_body(c, data); break;
    case OCF_H1_EV_END: ocf_mock_route_body_end(c); break;
    case OCF_H1_EV_ERROR: on_error(c); break;
    case OCF_H1_EV_CLOSE: ocf_mock_conn_end(c, OCF_CHAN_CLOSE); break;
    case OCF_H1_EV_MORE:
    case OCF_H1_EV_HOLD:
    case OCF_H1_EV_INTERIM: more = false; break;
    }
  }
  return done;
}

static void on_data(void *user, struct ocf_bytes view)
{
  static const uint8_t none[1];
  struct conn *c = user;
  size_t done = 0;
  enter(c);
  if (ocf_queue_len(&c->held) == 0)
    done = feed(c, view.n > 0 ? view.p : none, view.n);
  if (!c->closing && done < view.n && ocf_queue_add(&c->held, view.p + done, view.n - done) != 0)
    ocf_mock_conn_end(c, OCF_CHAN_ABORT);
  leave(c);
}

/* Reads on in what was held back. */
static void resume(struct ocf_deferred *d)
{
  static const uint8_t none[1];
  struct conn *c = OCF_CONTAINER_OF(d, struct conn, resume);
  struct ocf_bytes view;
  enter(c);
  (void)feed(c, none, 0);
  while (!c->closing && ocf_queue_peek(&c->held, &view, 1) == 1) {
    size_t done = feed(c, view.p, view.n);
    if (c->closing)
      break;
    ocf_queue_consume(&c->held, done);
    if (done < view.n)
      break;
  }
  leave(c);
}

static void on_eof(void *user)
{
  struct conn *c = user;
  enter(c);
  if (ocf_h1_server_eof(&c->h1) == 0 && c->state == MOCK_IDLE)
    ocf_mock_conn_end(c, OCF_CHAN_CLOSE);
  else
    cancel(c);
  leave(c);
}

static void on_drained(void *user)
{
  struct conn *c = user;
  enter(c);
  if (c->state == MOCK_BYTES)
    ocf_mock_gen_bytes(c);
  else if (c->state == MOCK_DYING)
    ocf_mock_gen_die(c);
  else if (c->state == MOCK_TOKENS && !ocf_timer_pending(&c->alarm.timer))
    ocf_mock_gen_step(c);
  leave(c);
}

static void on_closed(void *user, int err)
{
  struct conn *c = user;
  (void)err;
  enter(c);
  c->chan = NULL;
  cancel(c);
  leave(c);
}

static const struct ocf_chan_user_ops user_ops = { on_data, on_eof, on_drained, on_closed, NULL };

static void on_alarm(struct ocf_alarm *a)
{
  struct conn *c = of_alarm(a);
  enter(c);
  switch (c->state) {
  case MOCK_IDLE:
  case MOCK_BODY: ocf_mock_conn_end(c, OCF_CHAN_CLOSE); break; /* nothing came for long */
  case MOCK_DELAY: ocf_mock_route_answer(c); break;
  case MOCK_TOKENS: ocf_mock_gen_step(c); break;
  case MOCK_SILENT: ocf_mock_gen_silent(c); break;
  case MOCK_BYTES:
  case MOCK_DYING: break;
  }
  leave(c);
}

void ocf_mock_conn_accept(struct mock *m, struct ocf_sock *s)
{
  struct conn *c = OCF_NEW(&m->alloc, struct conn);
  struct ocf_chan *chan = c != NULL ? ocf_sockchan_accept(&m->loop, &m->sock, s) : NULL;
  if (chan == NULL) {
    if (c != NULL)
      OCF_DELETE(&m->alloc, c);
    m->loop.env->ops->close(s, true);
    return;
  }
  c->m = m;
  c->chan = chan;
  c->resume.run = resume;
  c->alarm.fire = on_alarm;
  ocf_queue_init(&c->held, &m->loop.chunks);
  ocf_buf_init(&c->body, &m->alloc, OCF_MOCK_BODY_BYTES_MAX);
  ocf_h1_server_init(&c->h1, &m->pool, &m->limits);
  ocf_list_push_back(&m->conns, &c->link);
  m->stats.conns++;
  m->stats.conns_total++;
  ocf_chan_set_user(chan, &user_ops, c);
  ocf_mock_conn_alarm_in(c, IDLE_NS);
}
