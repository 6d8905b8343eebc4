/* The server side of one connection. */
#include "http/h1/server.h"

enum reading { R_IDLE, R_HEAD, R_BODY, R_DONE, R_DRAIN, R_CLOSED };
enum writing { W_NONE, W_DUE, W_BODY };

static void check(const struct ocf_h1_server *s)
{
  OCF_ASSERT(s->reading <= R_CLOSED && s->writing <= W_BODY);
  OCF_ASSERT(s->reading != R_IDLE || (s->block == NULL && s->writing == W_NONE));
  OCF_ASSERT(s->reading != R_DRAIN || s->writing == W_NONE);
  OCF_ASSERT((s->reading != R_BODY && s->reading != R_DONE) || s->writing != W_NONE);
}

static void put_block(struct ocf_h1_server *s)
{
  ocf_h1_block_put(s->pool, s->block);
  s->block = NULL;
}

void ocf_h1_server_init(struct ocf_h1_server *s, struct ocf_h1_pool *pool,
                        const struct ocf_h1_limits *lim)
{
  *s = (struct ocf_h1_server){ .pool = pool, .lim = lim, .reading = R_IDLE, .keep_alive = true };
}

void ocf_h1_server_fini(struct ocf_h1_server *s)
{
  put_block(s);
  s->reading = R_CLOSED;
  s->writing = W_NONE;
}

static void close_reading(struct ocf_h1_server *s)
{
  s->reading = R_CLOSED;
  s->keep_alive = false;
}

/* The client broke the rules. An answer is still possible where none has begun; the block stays for
 * the owner's log until the answer ends. */
static enum ocf_h1_event fail(struct ocf_h1_server *s, enum ocf_h1_error e)
{
  s->error = e;
  close_reading(s);
  s->expects = false;
  if (s->writing == W_NONE)
    s->writing = W_DUE;
  return OCF_H1_EV_ERROR;
}

/* Both sides of the request are through: on to the next. */
static void next_request(struct ocf_h1_server *s)
{
  put_block(s);
  s->scan = (struct ocf_h1_scan){ 0 };
  s->expects = false;
  s->reading = R_IDLE;
}

/* ---- reading ---- */

static enum ocf_h1_event head_complete(struct ocf_h1_server *s)
{
  struct ocf_h1_head *h = &s->block->head;
  const size_t n = s->scan.end - s->scan.begin;

  s->is_head = s->is_10 = false;
  if (ocf_h1_parse_request(h, s->block->text + s->scan.begin, n, s->lim) != 0) {
    const enum ocf_h1_error e = h->error;
    put_block(s); /* half a head is nobody's business */
    return fail(s, e);
  }
  s->n_requests++;
  s->is_head = h->method == OCF_H1_HEAD;
  s->is_10 = h->minor == 0;
  s->keep_alive = h->keep_alive && !s->close_after;
  s->expects = h->expect_continue;
  s->writing = W_DUE;
  s->reading = R_BODY;
  ocf_h1_body_init(&s->body, h->framing, h->content_length, s->lim);
  if (s->lim->body_bytes_max > 0 && h->framing == OCF_H1_FRAMING_LENGTH &&
      h->content_length > s->lim->body_bytes_max)
    return fail(s, OCF_H1_E_BODY_TOO_LARGE);
  return OCF_H1_EV_HEAD;
}

static enum ocf_h1_event read_head(struct ocf_h1_server *s, const uint8_t *p, size_t n,
                                   size_t *used)
{
  if (n == 0)
    return OCF_H1_EV_MORE;
  s->reading = R_HEAD;
  const int rc = ocf_h1_block_gather(s->pool, &s->block, &s->scan, p, n, true, s->lim, used);
  if (rc == 0)
    return head_complete(s);
  if (rc == OCF_EAGAIN)
    return OCF_H1_EV_MORE;
  s->is_head = s->is_10 = false;
  put_block(s);
  return fail(s, rc == OCF_ENOMEM ? OCF_H1_E_NO_MEMORY : s->scan.error);
}

static enum ocf_h1_event read_body(struct ocf_h1_server *s, const uint8_t *p, size_t n,
                                   size_t *used, struct ocf_bytes *data)
{
  if (!s->body.done) {
    if (n == 0)
      return OCF_H1_EV_MORE;
    s->expects = false;
    if (ocf_h1_body_read(&s->body, p, n, used, data) != 0)
      return fail(s, s->body.error);
    if (s->lim->body_bytes_max > 0 && s->body.total > s->lim->body_bytes_max) {
      *data = ocf_bytes(NULL, 0);
      return fail(s, OCF_H1_E_BODY_TOO_LARGE);
    }
    if (data->n > 0)
      return OCF_H1_EV_BODY;
    if (!s->body.done)
      return OCF_H1_EV_MORE;
  }
  s->reading = R_DONE;
  return OCF_H1_EV_END;
}

/* Reads away the body of a request that was answered already. CLOSE when that is too much or
 * broken: the client has its answer, so there is nobody to tell. */
static enum ocf_h1_event drain(struct ocf_h1_server *s, const uint8_t *p, size_t n, size_t *used)
{
  while (!s->body.done && *used < n) {
    struct ocf_bytes data;
    size_t k = 0;
    if (ocf_h1_body_read(&s->body, p + *used, n - *used, &k, &data) != 0)
      break;
    *used += k;
    s->drained += k;
    if (s->drained > s->lim->drain_bytes_max)
      break;
  }
  if (s->body.done) {
    next_request(s);
    return OCF_H1_EV_END;
  }
  if (s->body.error == OCF_H1_E_NONE && s->drained <= s->lim->drain_bytes_max)
    return OCF_H1_EV_MORE;
  close_reading(s);
  put_block(s);
  *used = n;
  return OCF_H1_EV_CLOSE;
}

enum ocf_h1_event ocf_h1_server_input(struct ocf_h1_server *s, const uint8_t *p, size_t n,
                                      size_t *used, struct ocf_bytes *data)
{
  *used = 0;
  *data = ocf_bytes(NULL, 0);
  check(s);
  if (s->reading == R_DRAIN) {
    const enum ocf_h1_event ev = drain(s, p, n, used);
    if (ev != OCF_H1_EV_END)
      return ev;
  }
  const size_t before = *used; /* drained just now */
  size_t more = 0;
  enum ocf_h1_event ev = OCF_H1_EV_CLOSE;
  switch ((enum reading)s->reading) {
  case R_IDLE:
  case R_HEAD:
    ev = read_head(s, before > 0 ? p + before : p, n - before, &more);
    *used = before + more;
    break;
  case R_BODY: ev = read_body(s, p, n, used, data); break;
  case R_DONE: ev = n > 0 ? OCF_H1_EV_HOLD : OCF_H1_EV_MORE; break;
  case R_DRAIN:
  case R_CLOSED: *used = n; break;
  }
  OCF_ASSERT(*used <= n);
  return ev;
}

int ocf_h1_server_eof(struct ocf_h1_server *s)
{
  check(s);
  switch ((enum reading)s->reading) {
  case R_IDLE:
  case R_DRAIN:
  case R_CLOSED: close_reading(s); return 0;
  case R_DONE: s->keep_alive = false; return OCF_EAGAIN;
  case R_BODY:
    if (s->body.done) {
      s->keep_alive = false;
      return OCF_EAGAIN;
    }
    break;
  case R_HEAD: break;
  }
  s->error = OCF_H1_E_TRUNCATED;
  s->writing = W_NONE; /* there is nobody to answer */
  close_reading(s);
  put_block(s);
  return OCF_EEOF;
}

const struct ocf_h1_head *ocf_h1_server_head(const struct ocf_h1_server *s)
{
  return s->block != NULL && s->reading != R_HEAD ? &s->block->head : NULL;
}

void ocf_h1_server_drop_head(struct ocf_h1_server *s)
{
  if (s->reading != R_HEAD)
    put_block(s);
}

bool ocf_h1_server_take_continue(struct ocf_h1_server *s)
{
  const bool due = s->expects && s->writing == W_DUE && s->reading == R_BODY;

  if (due)
    s->expects = false;
  return due;
}

/* ---- answering ---- */

static enum ocf_h1_framing framing_for(const struct ocf_h1_server *s, unsigned status,
                                       enum ocf_h1_framing framing)
{
  if (framing == OCF_H1_FRAMING_CHUNKED || framing == OCF_H1_FRAMING_CLOSE) {
    if (s->is_head || status == 204 || status == 304)
      return OCF_H1_FRAMING_NONE;
    return s->is_10 ? OCF_H1_FRAMING_CLOSE : OCF_H1_FRAMING_CHUNKED;
  }
  if (status == 204)
    return OCF_H1_FRAMING_NONE;
  if (framing == OCF_H1_FRAMING_NONE && !s->is_head && status != 304)
    return OCF_H1_FRAMING_LENGTH; /* "no payload" must be said */
  return framing;
}

/* A client that still expects 100 (Continue) was told Connection: close by respond. */
static bool worth_draining(const struct ocf_h1_server *s)
{
  return s->body.framing != OCF_H1_FRAMING_LENGTH || s->body.left <= s->lim->drain_bytes_max;
}

/* Whether the next request can be reached for sure when the answer ends: whoever is told so sends
 * it there, and it may be one that cannot be repeated. */
static bool can_go_on(const struct ocf_h1_server *s)
{
  return s->reading != R_BODY || s->body.done ||
         (s->body.framing == OCF_H1_FRAMING_LENGTH && worth_draining(s));
}

int ocf_h1_server_respond(struct ocf_h1_server *s, unsigned status, enum ocf_h1_framing framing,
                          uint64_t length, struct ocf_h1_rewrite *rw)
{
  check(s);
  if (s->writing != W_DUE || status < 200 || status > 599)
    return OCF_ESTATE;
  const bool mute = s->is_head || status == 204 || status == 304;
  const enum ocf_h1_framing f = framing_for(s, status, framing);
  /* A client that was never told to go on may send its body or not: no telling where the next
   * request begins. */
  if (f == OCF_H1_FRAMING_CLOSE || s->expects || s->close_after || !can_go_on(s))
    s->keep_alive = false;
  rw->framing = f;
  rw->content_length = framing == OCF_H1_FRAMING_LENGTH ? length : 0;
  rw->connection = !s->keep_alive ? OCF_H1_CONN_CLOSE
                   : s->is_10     ? OCF_H1_CONN_KEEP_ALIVE
                                  : OCF_H1_CONN_DEFAULT;
  ocf_h1_sender_init(&s->sender, f, rw->content_length, mute);
  s->writing = W_BODY;
  return 0;
}

int ocf_h1_server_data(struct ocf_h1_server *s, uint64_t n, struct ocf_h1_frame *f)
{
  return s->writing == W_BODY ? ocf_h1_sender_data(&s->sender, n, f) : OCF_ESTATE;
}

int ocf_h1_server_end(struct ocf_h1_server *s, struct ocf_h1_frame *f)
{
  check(s);
  const int rc = s->writing == W_BODY ? ocf_h1_sender_end(&s->sender, f) : OCF_ESTATE;
  if (rc != 0)
    return rc;
  s->writing = W_NONE;
  if (s->reading == R_CLOSED || !s->keep_alive) {
    close_reading(s);
    put_block(s);
  } else if (s->reading == R_DONE || s->body.done) {
    next_request(s);
  } else if (worth_draining(s)) {
    s->reading = R_DRAIN;
    s->drained = 0;
    put_block(s);
  } else {
    close_reading(s);
    put_block(s);
  }
  check(s);
  return 0;
}

void ocf_h1_server_close_after(struct ocf_h1_server *s)
{
  s->close_after = true;
  if (s->reading == R_IDLE || s->reading == R_DRAIN)
    close_reading(s);
  else
    s->keep_alive = false;
}

bool ocf_h1_server_abort(struct ocf_h1_server *s)
{
  const bool by_close =
      s->writing == W_BODY && !s->sender.mute && s->sender.framing == OCF_H1_FRAMING_CLOSE;

  close_reading(s);
  s->writing = W_NONE;
  put_block(s);
  return by_close;
}

bool ocf_h1_server_closing(const struct ocf_h1_server *s)
{
  return s->reading == R_CLOSED && s->writing == W_NONE;
}

enum ocf_h1_phase ocf_h1_server_phase(const struct ocf_h1_server *s)
{
  switch ((enum reading)s->reading) {
  case R_IDLE: return OCF_H1_PHASE_IDLE;
  case R_HEAD: return OCF_H1_PHASE_HEAD;
  case R_BODY: return s->body.done ? OCF_H1_PHASE_WAIT : OCF_H1_PHASE_BODY;
  case R_DONE: return OCF_H1_PHASE_WAIT;
  case R_DRAIN: return OCF_H1_PHASE_DRAIN;
  case R_CLOSED: break;
  }
  return s->writing == W_NONE ? OCF_H1_PHASE_CLOSED : OCF_H1_PHASE_WAIT;
}

bool ocf_h1_server_answering(const struct ocf_h1_server *s)
{
  return s->writing == W_BODY;
}
