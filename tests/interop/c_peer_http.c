/* HTTP on /libp2p-http, both sides: the library's machines over the streams of c_peer_stream.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_peer.h"
#include "http/h1/client.h"
#include "http/h1/path.h"
#include "http/h1/server.h"

enum { HELLO_SIZE = OCF_PEERID_TEXT_SIZE + 16, CHUNK = 16384, POST_SMALL = 1024 };

enum op { OP_GET, OP_POST, OP_SSE, OP_KEEPALIVE, OP_CANCEL };

struct http {
  struct strm *st;
  bool is_server;
  union {
    struct ocf_h1_server server;
    struct ocf_h1_client client;
  } u;
  struct ocf_buf in;   /* server: bytes not read yet */
  struct ocf_buf body; /* of the message that is being read */
  /* server: the event stream that is being sent */
  struct ocf_alarm tick;
  bool streaming;
  uint64_t sse_n, sse_i, sse_delay_ns;
  /* client */
  enum op op;
  bool is_post; /* the request under way */
  uint16_t status;
  uint64_t n_requests, n_bytes, n_events, first_ns, last_ns;
  bool done; /* [DONE] came */
};

static const struct ocf_h1_limits limits = OCF_H1_LIMITS_DEFAULT;

static struct http *http_new(struct strm *st, bool is_server)
{
  struct http *h = OCF_NEW(&st->p->alloc, struct http);
  OCF_ASSERT(h != NULL);
  h->st = st;
  h->is_server = is_server;
  ocf_buf_init(&h->in, &st->p->alloc, POST_MAX);
  ocf_buf_init(&h->body, &st->p->alloc, POST_MAX);
  if (is_server)
    ocf_h1_server_init(&h->u.server, &st->p->h1, &limits);
  else
    ocf_h1_client_init(&h->u.client, &st->p->h1, &limits);
  st->http = h;
  return h;
}

void http_free(struct strm *st)
{
  struct http *h = st->http;
  if (h == NULL)
    return;
  ocf_alarm_stop(&st->p->loop, &h->tick);
  if (h->is_server)
    ocf_h1_server_fini(&h->u.server);
  else
    ocf_h1_client_fini(&h->u.client);
  ocf_buf_fini(&h->in);
  ocf_buf_fini(&h->body);
  OCF_DELETE(&st->p->alloc, h);
  st->http = NULL;
}

static void send_framed(struct strm *st, const struct ocf_h1_frame *f, struct ocf_bytes payload)
{
  strm_send(st, f->pre, f->n_pre);
  if (!f->drop_payload)
    strm_send(st, payload.p, payload.n);
  strm_send(st, OCF_H1_CRLF, f->n_suf);
}

static struct ocf_bytes hello_of(const char *id, char text[HELLO_SIZE])
{
  int n = snprintf(text, HELLO_SIZE, "hello from %s\n", id);
  return ocf_bytes(text, (size_t)n);
}

/* ---- the server ---- */

static void server_head(struct http *h, unsigned status, enum ocf_h1_framing framing, uint64_t n,
                        struct ocf_bytes type)
{
  uint8_t space[512];
  struct ocf_buf out = ocf_h1_fixed(space, sizeof(space));
  struct ocf_h1_edit edit = OCF_H1_EDIT(OCF_H1_SET, "Content-Type", type);
  struct ocf_h1_rewrite rw = { .status = (uint16_t)status, .edits = &edit, .n_edits = 1 };
  int err = ocf_h1_server_respond(&h->u.server, status, framing, n, &rw);
  if (err == 0)
    err = ocf_h1_write_response(&out, NULL, &rw);
  OCF_ASSERT(err == 0);
  strm_send(h->st, out.p, out.n);
}

static void server_data(struct http *h, struct ocf_bytes data)
{
  struct ocf_h1_frame f;
  int err = ocf_h1_server_data(&h->u.server, data.n, &f);
  OCF_ASSERT(err == 0);
  send_framed(h->st, &f, data);
}

static void server_end(struct http *h)
{
  struct ocf_h1_frame f;
  int err = ocf_h1_server_end(&h->u.server, &f);
  OCF_ASSERT(err == 0);
  send_framed(h->st, &f, ocf_bytes(NULL, 0));
  h->st->p->n.http_requests++;
}

static void answer_whole(struct http *h, unsigned status, struct ocf_bytes body)
{
  server_head(h, status, OCF_H1_FRAMING_LENGTH, body.n, OCF_STR("application/octet-stream"));
  server_data(h, body);
  server_end(h);
}

static void server_run(struct http *h);

static void sse_tick(struct ocf_alarm *a)
{
  struct http *h = OCF_CONTAINER_OF(a, struct http, tick);
  char text[64];
  if (h->sse_i < h->sse_n) {
    int n = snprintf(text, sizeof(text), "data: {\"i\":%llu}\n\n", (unsigned long long)h->sse_i++);
    server_data(h, ocf_bytes(text, (size_t)n));
    ocf_alarm_start(&h->st->p->loop, a, h->sse_delay_ns);
    return;
  }
  server_data(h, OCF_STR("data: [DONE]\n\n"));
  h->streaming = false;
  server_end(h);
  server_run(h);
}

/* A decimal member of the query; 0 when it is not there. */
static uint64_t query_int(struct ocf_bytes query, const char *name)
{
  char text[256];
  size_t n = OCF_MIN(query.n, sizeof(text) - 1), len = strlen(name);
  if (n > 0)
    memcpy(text, query.p, n);
  text[n] = '\0';
  for (const char *at = text; at != NULL; at = strchr(at, '&')) {
    at += *at == '&' ? 1 : 0;
    if (strncmp(at, name, len) == 0 && at[len] == '=')
      return strtoull(at + len + 1, NULL, 10);
  }
  return 0;
}

static void server_answer(struct http *h)
{
  const struct ocf_h1_head *head = ocf_h1_server_head(&h->u.server);
  char text[HELLO_SIZE];
  if (ocf_bytes_eq(head->path, OCF_STR("/hello")) && head->method == OCF_H1_GET) {
    answer_whole(h, 200, hello_of(h->st->p->id_text, text));
  } else if (ocf_bytes_eq(head->path, OCF_STR("/echo")) && head->method == OCF_H1_POST) {
    answer_whole(h, 200, ocf_buf_view(&h->body));
  } else if (ocf_bytes_eq(head->path, OCF_STR("/sse")) && head->method == OCF_H1_GET) {
    h->sse_n = query_int(head->query, "n");
    h->sse_delay_ns = query_int(head->query, "delay_ms") * OCF_NS_PER_MS;
    h->sse_i = 0;
    h->streaming = true;
    h->tick.fire = sse_tick;
    server_head(h, 200, OCF_H1_FRAMING_CHUNKED, 0, OCF_STR("text/event-stream"));
    sse_tick(&h->tick);
  } else {
    answer_whole(h, 404, OCF_STR("no such thing\n"));
  }
  ocf_buf_clear(&h->body);
}

/* Reads on. The stream may be gone on return. */
static void server_run(struct http *h)
{
  for (;;) {
    size_t used;
    struct ocf_bytes data;
    enum ocf_h1_event ev = ocf_h1_server_input(&h->u.server, h->in.p, h->in.n, &used, &data);
    if (ev == OCF_H1_EV_ERROR ||
        (ev == OCF_H1_EV_BODY && ocf_buf_add(&h->body, data.p, data.n) != 0)) {
      strm_violation(h->st, ocf_h1_error_name(h->u.server.error));
      return;
    }
    ocf_buf_consume(&h->in, used);
    if (ev == OCF_H1_EV_HEAD && ocf_h1_server_take_continue(&h->u.server))
      strm_send(h->st, OCF_H1_CONTINUE, sizeof(OCF_H1_CONTINUE) - 1);
    if (ev == OCF_H1_EV_END)
      server_answer(h);
    if (ev == OCF_H1_EV_MORE || ev == OCF_H1_EV_HOLD)
      return;
    if (ev == OCF_H1_EV_CLOSE) {
      strm_fin(h->st);
      return;
    }
  }
}

static void server_in(struct strm *st, struct ocf_bytes data)
{
  if (ocf_buf_add(&st->http->in, data.p, data.n) != 0)
    strm_violation(st, "too much at once");
  else
    server_run(st->http);
}

/* A client that half-closes still gets the answer to a complete request. */
static void server_fin(struct strm *st)
{
  int err = ocf_h1_server_eof(&st->http->u.server);
  if (err == OCF_EEOF)
    strm_violation(st, "a request was cut");
  else if (err == 0)
    strm_fin(st);
  else
    ocf_h1_server_close_after(&st->http->u.server);
}

static void server_gone(struct strm *st, int err)
{
  (void)err;
  if (st->http->streaming)
    st->p->n.sse_cancelled++;
}

const struct strm_ops http_server_ops = { .data = server_in,
                                          .fin = server_fin,
                                          .gone = server_gone };

void http_serve(struct strm *st)
{
  st->p->n.http_streams++;
  (void)http_new(st, true);
}

/* ---- the client: requests ---- */

static void client_head(struct http *h, enum ocf_h1_method method, const char *target,
                        enum ocf_h1_framing framing, uint64_t n)
{
  uint8_t space[512];
  char host[OCF_PEERID_TEXT_SIZE];
  struct peer *p = h->st->p;
  struct ocf_buf out = ocf_h1_fixed(space, sizeof(space));
  struct ocf_h1_rewrite rw = { .framing = framing, .content_length = n };
  (void)ocf_peerid_text(&p->cmd.peer, host);
  int err = ocf_h1_client_start(&h->u.client, method, framing, n);
  if (err == 0)
    err = ocf_h1_make_request(&out, method, ocf_bytes(target, strlen(target)),
                              ocf_bytes(host, strlen(host)), &rw);
  OCF_ASSERT(err == 0);
  strm_send(h->st, out.p, out.n);
}

static void client_get(struct http *h, const char *target)
{
  h->is_post = false;
  client_head(h, OCF_H1_GET, target, OCF_H1_FRAMING_NONE, 0);
}

static void client_post(struct http *h, uint64_t n, bool chunked)
{
  struct ocf_h1_frame f;
  int err = 0;
  h->is_post = true;
  client_head(h, OCF_H1_POST, "/echo", chunked ? OCF_H1_FRAMING_CHUNKED : OCF_H1_FRAMING_LENGTH, n);
  h->st->rx_at = h->st->rx_n = 0;
  h->st->rx_max = n;
  for (uint64_t at = 0; at < n && err == 0;) {
    struct ocf_bytes part = pattern_view(at, OCF_MIN(n - at, (uint64_t)CHUNK));
    err = ocf_h1_client_data(&h->u.client, part.n, &f);
    send_framed(h->st, &f, part);
    at += part.n;
  }
  if (err == 0)
    err = ocf_h1_client_end(&h->u.client, &f);
  OCF_ASSERT(err == 0);
  send_framed(h->st, &f, ocf_bytes(NULL, 0));
}

static void client_next(struct http *h)
{
  if (h->n_requests % 2 == 0)
    client_get(h, "/hello");
  else
    client_post(h, POST_SMALL, false);
}

/* ---- the client: answers ---- */

static uint64_t ms_since(const struct http *h, uint64_t at_ns)
{
  return (at_ns - h->st->p->cmd.start_ns) / OCF_NS_PER_MS;
}

/* Takes the complete lines of the body. False: not what it should be. */
static bool sse_lines(struct http *h)
{
  char want[64];
  uint8_t *end;
  while (h->body.n > 0 && (end = memchr(h->body.p, '\n', h->body.n)) != NULL) {
    struct ocf_bytes line = ocf_bytes(h->body.p, (size_t)(end - h->body.p));
    int n = snprintf(want, sizeof(want), "data: {\"i\":%llu}", (unsigned long long)h->n_events);
    if (ocf_bytes_eq(line, ocf_bytes(want, (size_t)n))) {
      h->last_ns = h->st->p->loop.now_ns;
      h->first_ns = h->n_events++ == 0 ? h->last_ns : h->first_ns;
    } else if (ocf_bytes_eq(line, OCF_STR("data: [DONE]"))) {
      h->done = true;
    } else if (line.n > 0) {
      return false;
    }
    ocf_buf_consume(&h->body, line.n + 1);
  }
  return true;
}

/* Takes body bytes. False: not what they should be. */
static bool client_body(struct http *h, struct ocf_bytes data)
{
  h->n_bytes += data.n;
  if (h->is_post)
    return strm_take_pattern(h->st, data);
  if (ocf_buf_add(&h->body, data.p, data.n) != 0)
    return false;
  return (h->op != OP_SSE && h->op != OP_CANCEL) || sse_lines(h);
}

/* A complete answer: whether it is what was asked for. */
static bool client_good(struct http *h)
{
  char text[HELLO_SIZE], id[OCF_PEERID_TEXT_SIZE];
  if (h->status != 200 || h->op == OP_CANCEL)
    return false;
  if (h->is_post)
    return h->st->rx_n == h->st->rx_max;
  if (h->op == OP_SSE)
    return h->body.n == 0;
  struct ocf_bytes want = hello_of(ocf_peerid_text(&h->st->p->cmd.peer, id), text);
  bool good = ocf_bytes_eq(ocf_buf_view(&h->body), want);
  ocf_buf_clear(&h->body);
  return good;
}

static json_t *client_answer(const struct http *h)
{
  switch (h->op) {
  case OP_SSE:
    return json_pack("{s:i, s:I, s:b, s:I, s:I}", "status", (int)h->status, "events",
                     (json_int_t)h->n_events, "done", (int)h->done, "first_ms",
                     (json_int_t)ms_since(h, h->first_ns), "last_ms",
                     (json_int_t)ms_since(h, h->last_ns));
  case OP_KEEPALIVE: return json_pack("{s:I, s:i}", "n", (json_int_t)h->n_requests, "streams", 1);
  case OP_CANCEL: return json_pack("{s:I}", "events", (json_int_t)h->n_events);
  case OP_GET:
  case OP_POST: break;
  }
  return json_pack("{s:i, s:I}", "status", (int)h->status, "bytes", (json_int_t)h->n_bytes);
}

/* An answer has ended. */
static void client_end(struct http *h)
{
  struct strm *st = h->st;
  if (!client_good(h)) {
    (void)fprintf(stderr, "c_peer: status %u, %llu bytes\n", h->status,
                  (unsigned long long)h->n_bytes);
    strm_violation(st, "not the answer that it should be");
    return;
  }
  h->n_requests++;
  if (h->op != OP_KEEPALIVE || (int64_t)h->n_requests == st->p->cmd.n) {
    strm_fin(st);
    cmd_done(st->p, client_answer(h));
  } else if (!ocf_h1_client_reusable(&h->u.client)) {
    strm_violation(st, "the stream cannot be used again");
  } else {
    client_next(h);
  }
}

static void client_in(struct strm *st, struct ocf_bytes in)
{
  struct http *h = st->http;
  while (!st->done) {
    size_t used;
    struct ocf_bytes data;
    enum ocf_h1_event ev = ocf_h1_client_input(&h->u.client, in.p, in.n, &used, &data);
    in = ocf_bytes(in.p + used, in.n - used);
    if (ev == OCF_H1_EV_MORE)
      return;
    if (ev == OCF_H1_EV_HEAD)
      h->status = ocf_h1_client_head(&h->u.client)->status;
    if (ev == OCF_H1_EV_ERROR || ev == OCF_H1_EV_CLOSE ||
        (ev == OCF_H1_EV_BODY && !client_body(h, data))) {
      strm_violation(st, ev == OCF_H1_EV_ERROR ? ocf_h1_error_name(h->u.client.error)
                                               : "not the body that it should be");
      return;
    }
    if (h->op == OP_CANCEL && (int64_t)h->n_events >= st->p->cmd.n) {
      cmd_done(st->p, client_answer(h));
      strm_reset(st);
      return;
    }
    if (ev == OCF_H1_EV_END) {
      client_end(h);
      return; /* nothing may follow before the next request; the stream may be gone */
    }
  }
}

static void client_fin(struct strm *st)
{
  if (ocf_h1_client_eof(&st->http->u.client) == OCF_H1_EV_END)
    client_end(st->http);
  else
    strm_violation(st, "the server closed the stream");
}

static const struct strm_ops client_ops = { .data = client_in, .fin = client_fin };

/* ---- commands ---- */

static struct http *client_open(struct peer *p, enum op op)
{
  struct strm *st = strm_open(p, served[PROTO_HTTP], &client_ops);
  if (st == NULL)
    return NULL;
  struct http *h = http_new(st, false);
  h->op = op;
  return h;
}

static void client_sse(struct http *h, int64_t n)
{
  char target[128];
  (void)snprintf(target, sizeof(target), "/sse?n=%lld&delay_ms=%lld", (long long)n,
                 (long long)cmd_int(&h->st->p->cmd, "delay_ms", 0));
  client_get(h, target);
}

static void cmd_http(struct peer *p)
{
  static const char *const names[] = { "get", "post", "sse", "keepalive" };
  struct cmd *c = &p->cmd;
  size_t op = 0;
  while (op < OCF_ARRAY_LEN(names) && strcmp(names[op], cmd_str(c, "op")) != 0)
    op++;
  if (op == OCF_ARRAY_LEN(names)) {
    cmd_fail(p, "http: unknown op");
    return;
  }
  c->n = cmd_int(c, "n", 1);
  struct http *h = client_open(p, (enum op)op);
  if (h == NULL)
    return;
  if (h->op == OP_POST)
    client_post(h, (uint64_t)cmd_int(c, "bytes", 0), cmd_bool(c, "chunked"));
  else if (h->op == OP_SSE)
    client_sse(h, c->n);
  else
    client_next(h);
}

static void cmd_cancel(struct peer *p)
{
  p->cmd.n = cmd_int(&p->cmd, "events", 1);
  struct http *h = client_open(p, OP_CANCEL);
  if (h != NULL)
    client_sse(h, 1000000);
}

cmd_fn http_cmd(const char *name)
{
  if (strcmp(name, "http") == 0)
    return cmd_http;
  return strcmp(name, "cancel") == 0 ? cmd_cancel : NULL;
}
