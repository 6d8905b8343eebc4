/* Answers made here: plain ones, errors in the one error contract, and the line in the log. */
#include <stdio.h>
#include <string.h>

#include "node/relay/relay_int.h"

static unsigned parse_label(enum ocf_h1_error e)
{
  switch (e) {
  case OCF_H1_E_START_LINE:
  case OCF_H1_E_LEADING_CRLF:
  case OCF_H1_E_LEADING_SPACE:
  case OCF_H1_E_METHOD:
  case OCF_H1_E_TARGET:
  case OCF_H1_E_FRAGMENT:
  case OCF_H1_E_PATH: return OCF_METRIC_PARSE_START_LINE;
  case OCF_H1_E_BARE_LF:
  case OCF_H1_E_BARE_CR:
  case OCF_H1_E_NUL:
  case OCF_H1_E_CONTROL_CHAR:
  case OCF_H1_E_OBS_FOLD:
  case OCF_H1_E_SPACE_BEFORE_COLON:
  case OCF_H1_E_FIELD_NAME:
  case OCF_H1_E_NO_COLON:
  case OCF_H1_E_NO_HOST:
  case OCF_H1_E_MANY_HOSTS:
  case OCF_H1_E_HOST:
  case OCF_H1_E_HOST_MISMATCH:
  case OCF_H1_E_CONNECTION: return OCF_METRIC_PARSE_HEADER;
  case OCF_H1_E_CL_AND_TE:
  case OCF_H1_E_CL_DUPLICATE:
  case OCF_H1_E_CL_INVALID:
  case OCF_H1_E_TE_DUPLICATE:
  case OCF_H1_E_TE_INVALID:
  case OCF_H1_E_TE_IN_HTTP_10:
  case OCF_H1_E_TRUNCATED: return OCF_METRIC_PARSE_FRAMING;
  case OCF_H1_E_CHUNK_SIZE:
  case OCF_H1_E_CHUNK_EXT:
  case OCF_H1_E_CHUNK_END:
  case OCF_H1_E_TRAILER: return OCF_METRIC_PARSE_CHUNK;
  case OCF_H1_E_TARGET_TOO_LONG:
  case OCF_H1_E_TOO_MANY_PARAMS: return OCF_METRIC_PARSE_TARGET_TOO_LONG;
  case OCF_H1_E_HEAD_TOO_LARGE:
  case OCF_H1_E_TOO_MANY_FIELDS:
  case OCF_H1_E_TOO_MANY_COOKIES:
  case OCF_H1_E_TRAILER_TOO_LARGE: return OCF_METRIC_PARSE_HEADERS_TOO_LARGE;
  case OCF_H1_E_BODY_TOO_LARGE: return OCF_METRIC_PARSE_BODY_TOO_LARGE;
  case OCF_H1_E_VERSION:
  case OCF_H1_E_VERSION_UNSUPPORTED:
  case OCF_H1_E_HTTP_09:
  case OCF_H1_E_H2_PREFACE: return OCF_METRIC_PARSE_VERSION;
  case OCF_H1_E_METHOD_TOO_LONG:
  case OCF_H1_E_CONNECT:
  case OCF_H1_E_TE_UNKNOWN:
  case OCF_H1_E_EXPECT: return OCF_METRIC_PARSE_UNSUPPORTED;
  case OCF_H1_E_NONE:
  case OCF_H1_E_STATUS:
  case OCF_H1_E_SWITCHED:
  case OCF_H1_E_TOO_MANY_INTERIM:
  case OCF_H1_E_UNSOLICITED:
  case OCF_H1_E_NO_MEMORY:
  case OCF_H1_E_COUNT: break;
  }
  return OCF_METRIC_PARSE_OTHER;
}

static int write_scratch(struct session *s)
{
  struct ocf_bytes v = ocf_buf_view(&s->relay->scratch);
  return s->chan == NULL ? OCF_EEOF : ocf_chan_write(s->chan, &v, 1);
}

static void write_closing_problem(struct session *s, const struct ocf_h1_problem *p)
{
  struct ocf_h1_rewrite rw = { .connection = OCF_H1_CONN_CLOSE };
  if (ocf_h1_server_answering(&s->h1))
    return;
  ocf_buf_clear(&s->relay->scratch);
  if (ocf_h1_write_problem(&s->relay->scratch, p, s->h1.is_head, &rw) == 0)
    (void)!write_scratch(s); /* the session ends in any case */
}

void ocf_relay_reply_error(struct session *s, enum ocf_h1_error e)
{
  char text[96];
  ocf_metric_inc1(s->relay->loop->metrics, OCF_METRIC_HTTP_PARSE_ERRORS, parse_label(e));
  (void)snprintf(text, sizeof(text), "the request breaks HTTP/1.1: %s", ocf_h1_error_name(e));
  OCF_LOGF(s->relay->loop->log, "http", OCF_LOG_DEBUG, "bad request",
           OCF_LOG_STR("reason", ocf_h1_error_name(e)));
  write_closing_problem(s, &(struct ocf_h1_problem){ .status = ocf_h1_error_status(e),
                                                     .message = text,
                                                     .code = ocf_h1_error_name(e) });
}

/* A head or body that comes too slowly. */
void ocf_relay_reply_timeout(struct session *s)
{
  if (s->rq.active) {
    struct ocf_request *rq = &s->rq;
    if (!rq->answering)
      write_closing_problem(s,
                            &(struct ocf_h1_problem){ .status = 408,
                                                      .message = "the request body came too slowly",
                                                      .code = "request_timeout",
                                                      .request_id = ocf_request_id(rq) });
    ocf_relay_request_client_gone(rq, OCF_ETIME);
    return;
  }
  write_closing_problem(s, &(struct ocf_h1_problem){ .status = 408,
                                                     .message = "the request head came too slowly",
                                                     .code = "request_timeout" });
}

/* Writes head and body that stand in the pieces given, and ends the answer. */
static void send_answer(struct ocf_request *rq, struct ocf_bytes body)
{
  struct session *s = rq->session;
  struct ocf_h1_frame f = { .n_pre = 0 }, end;
  struct ocf_bytes v[5];
  size_t n = 0;
  v[n++] = ocf_buf_view(&s->relay->scratch);
  bool ok = body.n == 0 || ocf_h1_server_data(&s->h1, body.n, &f) == 0;
  if (body.n > 0 && ok && !f.drop_payload) {
    v[n++] = ocf_bytes(f.pre, f.n_pre);
    v[n++] = body;
    v[n++] = ocf_bytes(OCF_H1_CRLF, f.n_suf);
    rq->bytes_out += body.n;
  }
  ok = ok && ocf_h1_server_end(&s->h1, &end) == 0;
  if (ok)
    v[n++] = ocf_bytes(end.pre, end.n_pre);
  if (!ok || s->chan == NULL || ocf_chan_write(s->chan, v, n) != 0) {
    ocf_relay_session_drop(s, OCF_ENOMEM);
    return;
  }
  rq->answering = true;
  ocf_relay_request_finish(rq, "local");
}

void ocf_request_reply(struct ocf_request *rq, unsigned status, const char *type,
                       struct ocf_bytes body, const struct ocf_h1_edit *edits, size_t n_edits)
{
  struct session *s = rq->session;
  struct ocf_h1_edit all[8];
  struct ocf_h1_rewrite rw = { .status = 0 };
  size_t n = 0;
  OCF_ASSERT(n_edits <= OCF_ARRAY_LEN(all) - 2);
  all[n++] = OCF_H1_EDIT(OCF_H1_SET, "X-Request-Id", ocf_request_id(rq));
  if (type != NULL)
    all[n++] = OCF_H1_EDIT(OCF_H1_SET, "Content-Type", ocf_bytes(type, strlen(type)));
  for (size_t i = 0; i < n_edits; i++)
    all[n++] = edits[i];
  rq->status = status;
  rq->first_byte_ns = s->relay->loop->now_ns;
  ocf_buf_clear(&s->relay->scratch);
  int r = ocf_h1_server_respond(&s->h1, status, OCF_H1_FRAMING_LENGTH, body.n, &rw);
  rw.status = (uint16_t)status;
  rw.edits = all;
  rw.n_edits = n;
  if (r != 0 || ocf_h1_write_response(&s->relay->scratch, NULL, &rw) != 0) {
    ocf_relay_session_drop(s, OCF_ENOMEM);
    return;
  }
  send_answer(rq, body);
}

void ocf_request_fail_with(struct ocf_request *rq, unsigned status, const char *code,
                           const char *message, const struct ocf_h1_edit *edits, size_t n_edits)
{
  struct ocf_buf body;
  struct ocf_h1_problem p = {
    .status = status, .message = message, .code = code, .request_id = ocf_request_id(rq)
  };
  ocf_buf_init(&body, rq->session->relay->loop->alloc, 4096);
  if (ocf_h1_problem_json(&body, &p) != 0)
    ocf_buf_clear(&body);
  ocf_request_reply(rq, status, "application/json", ocf_buf_view(&body), edits, n_edits);
  ocf_buf_fini(&body);
}

void ocf_relay_request_problem(struct ocf_request *rq, unsigned status, const char *code,
                               const char *message, unsigned retry_after_s)
{
  char after[12];
  (void)snprintf(after, sizeof(after), "%u", retry_after_s);
  struct ocf_h1_edit e = OCF_H1_EDIT(OCF_H1_SET, "Retry-After", ocf_bytes(after, strlen(after)));
  ocf_request_fail_with(rq, status, code, message, &e, retry_after_s > 0 ? 1 : 0);
}

void ocf_request_fail(struct ocf_request *rq, unsigned status, const char *code,
                      const char *message, unsigned retry_after_s)
{
  ocf_relay_request_problem(rq, status, code, message, retry_after_s);
}

void ocf_relay_request_log(struct ocf_request *rq, const char *outcome)
{
  struct ocf_relay *r = rq->session->relay;
  uint64_t now = r->loop->now_ns;
  if (!r->cfg.log_requests)
    return;
  OCF_LOGF(r->loop->log, "http", OCF_LOG_INFO, "request", OCF_LOG_BYTES("id", ocf_request_id(rq)),
           OCF_LOG_STR("method", ocf_h1_method_name(rq->method)),
           OCF_LOG_BYTES("path", ocf_bytes(rq->path, rq->path_n)),
           OCF_LOG_U64("status", rq->status), OCF_LOG_STR("outcome", outcome),
           OCF_LOG_STR("to", rq->target != NULL ? rq->target->host : NULL),
           OCF_LOG_MS("first_byte_ms",
                      rq->first_byte_ns > rq->start_ns ? rq->first_byte_ns - rq->start_ns : 0),
           OCF_LOG_MS("ms", now - rq->start_ns), OCF_LOG_U64("in", rq->bytes_in),
           OCF_LOG_U64("out", rq->bytes_out), OCF_LOG_U64("attempts", rq->attempts));
}
