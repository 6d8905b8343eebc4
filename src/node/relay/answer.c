/* The answer on its way back: target -> client. */
#include <string.h>

#include "node/relay/relay_int.h"

static bool is_sse(const struct ocf_h1_head *h)
{
  static const char sse[] = "text/event-stream";
  struct ocf_bytes t = ocf_h1_get(h, OCF_H1_F_CONTENT_TYPE);
  return t.n >= sizeof(sse) - 1 && ocf_h1_eq_nocase(ocf_bytes(t.p, sizeof(sse) - 1), OCF_STR(sse));
}

/* How the answer's payload comes; what this client can be sent is the server machine's business. */
static enum ocf_h1_framing payload_framing(const struct ocf_h1_head *h)
{
  if (h->framing == OCF_H1_FRAMING_CLOSE)
    return OCF_H1_FRAMING_CHUNKED;
  if (h->framing == OCF_H1_FRAMING_NONE &&
      h->has_length) /* HEAD, 304: the length is told all the same */
    return OCF_H1_FRAMING_LENGTH;
  return h->framing;
}

static int write_answer_head(struct ocf_request *rq, const struct ocf_h1_head *h)
{
  struct session *s = rq->session;
  struct ocf_buf *b = &s->relay->scratch;
  struct ocf_h1_edit edits[4];
  struct ocf_h1_rewrite rw = { .status = 0 };
  size_t n = 0;
  const char *node = rq->target->service == NULL ? rq->target->host : s->relay->self;
  edits[n++] = OCF_H1_EDIT(OCF_H1_SET, "X-Request-Id", ocf_request_id(rq));
  if (node[0] != '\0')
    edits[n++] = OCF_H1_EDIT(rq->passed_on ? OCF_H1_DEFAULT : OCF_H1_SET, "X-Computing-Node",
                             ocf_bytes(node, strlen(node)));
  if (rq->sse) {
    edits[n++] = OCF_H1_EDIT(OCF_H1_DEFAULT, "Cache-Control", OCF_STR("no-cache"));
    edits[n++] = OCF_H1_EDIT(OCF_H1_DEFAULT, "X-Accel-Buffering", OCF_STR("no"));
  }
  int r = ocf_h1_server_respond(&s->h1, h->status, payload_framing(h), h->content_length, &rw);
  rw.edits = edits;
  rw.n_edits = n;
  ocf_buf_clear(b);
  if (r == 0)
    r = ocf_h1_write_response(b, h, &rw);
  if (r != 0)
    return r;
  struct ocf_bytes v = ocf_buf_view(b);
  return ocf_chan_write(s->chan, &v, 1);
}

void ocf_relay_request_up_head(struct ocf_request *rq)
{
  const struct ocf_h1_head *h = ocf_h1_client_head(&rq->up->h1);
  if (ocf_relay_request_elsewhere(rq, h->status))
    return;
  rq->status = h->status;
  rq->first_byte_ns = loop_of(rq)->now_ns;
  rq->sse = is_sse(h);
  ocf_h1_sse_init(&rq->observer);
  if (write_answer_head(rq, h) != 0) {
    ocf_relay_session_drop(rq->session, OCF_ENOMEM);
    return;
  }
  rq->answering = true;
  rq->replayable = false;
  ocf_queue_clear(&rq->head);
  if (ocf_queue_len(&rq->body) > 0)
    ocf_queue_clear(&rq->body);
  ocf_h1_client_drop_head(&rq->up->h1);
  ocf_h1_server_drop_head(&rq->session->h1);
  ocf_relay_request_deadline(rq, cfg_of(rq)->chunk_timeout_ns);
}

/* A worker of ours ends a broken stream with an error event; a second one would only confuse. */
static bool has_error_event(struct ocf_bytes d)
{
  static const char mark[] = "data: {\"error\":{";
  if (d.n < sizeof(mark) - 1 || d.n > 4096)
    return false;
  for (size_t i = 0; i + sizeof(mark) - 1 <= d.n; i++) {
    if (d.p[i] == 'd' && memcmp(d.p + i, mark, sizeof(mark) - 1) == 0)
      return true;
  }
  return false;
}

static void credit_down(struct ocf_request *rq)
{
  size_t held = ocf_chan_queued(rq->session->chan);
  if (rq->up == NULL || rq->uncredited_down <= held)
    return;
  ocf_chan_consumed(rq->up->chan, rq->uncredited_down - held);
  rq->uncredited_down = held;
}

void ocf_relay_request_up_body(struct ocf_request *rq, struct ocf_bytes data)
{
  struct session *s = rq->session;
  struct ocf_h1_frame f;
  bool sound = true;
  rq->uncredited_down += data.n;
  if (rq->sse) {
    sound = ocf_h1_sse_feed(&rq->observer, data.p, data.n);
    rq->sse_error_seen = rq->sse_error_seen || has_error_event(data);
  }
  if (sound)
    ocf_relay_request_deadline(rq, cfg_of(rq)->chunk_timeout_ns);
  if (ocf_h1_server_data(&s->h1, data.n, &f) != 0) {
    ocf_relay_session_drop(s, OCF_EPROTO);
    return;
  }
  if (!f.drop_payload) {
    struct ocf_bytes v[3] = { ocf_bytes(f.pre, f.n_pre), data, ocf_bytes(OCF_H1_CRLF, f.n_suf) };
    rq->bytes_out += data.n;
    if (ocf_chan_write(s->chan, v, 3) != 0) {
      ocf_relay_session_drop(s, OCF_ENOMEM);
      return;
    }
  }
  credit_down(rq);
}

void ocf_relay_request_up_end(struct ocf_request *rq)
{
  struct session *s = rq->session;
  struct ocf_h1_frame f;
  if (ocf_h1_server_end(&s->h1, &f) != 0) {
    ocf_relay_session_drop(s, OCF_EPROTO);
    return;
  }
  struct ocf_bytes v = ocf_bytes(f.pre, f.n_pre);
  if (f.n_pre > 0 && ocf_chan_write(s->chan, &v, 1) != 0) {
    ocf_relay_session_drop(s, OCF_ENOMEM);
    return;
  }
  ocf_relay_request_finish(rq, "ok");
}

void ocf_relay_request_client_drained(struct ocf_request *rq)
{
  credit_down(rq);
}

/* Shows a failure after the answer has begun: an SSE stream gets a last event that says so, unless
 * it broke off inside an event, which must not look whole. Then the framing is left unfinished,
 * which every client notices. */
void ocf_relay_answer_abort(struct ocf_request *rq, unsigned label, const char *code,
                            const char *message)
{
  struct session *s = rq->session;
  struct ocf_buf *b = &s->relay->scratch;
  struct ocf_h1_frame f;
  struct ocf_h1_problem p = {
    .status = 502, .message = message, .code = code, .request_id = ocf_request_id(rq)
  };
  ocf_metric_inc1(loop_of(rq)->metrics, OCF_METRIC_HTTP_ABORTED, label);
  ocf_buf_clear(b);
  if (rq->sse && !rq->sse_error_seen && ocf_h1_sse_error(b, &rq->observer, &p) == 0 &&
      ocf_h1_server_data(&s->h1, b->n, &f) == 0 && !f.drop_payload) {
    struct ocf_bytes v[3] = { ocf_bytes(f.pre, f.n_pre), ocf_buf_view(b),
                              ocf_bytes(OCF_H1_CRLF, f.n_suf) };
    (void)!ocf_chan_write(s->chan, v, 3); /* the session ends in any case */
  }
  bool reset = ocf_h1_server_abort(&s->h1);
  rq->uncredited_down = 0;
  ocf_relay_request_drop_up(rq, OCF_CHAN_ABORT);
  ocf_relay_request_finish(rq, code);
  ocf_relay_session_end(s, reset ? OCF_CHAN_ABORT : OCF_CHAN_CLOSE);
}
