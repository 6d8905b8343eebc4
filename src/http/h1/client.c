/* The client side of one connection. */
#include "http/h1/client.h"

enum reading { C_IDLE, C_HEAD, C_INTERIM, C_BODY, C_DONE, C_CLOSED };

enum { STATUS_SWITCHING = 101, STATUS_FINAL = 200 };

static void check(const struct ocf_h1_client *c)
{
  OCF_ASSERT(c->reading <= C_CLOSED);
  OCF_ASSERT(c->block == NULL || c->reading == C_HEAD || c->reading == C_INTERIM ||
             c->reading == C_BODY);
}

static void put_block(struct ocf_h1_client *c)
{
  ocf_h1_block_put(c->pool, c->block);
  c->block = NULL;
}

void ocf_h1_client_init(struct ocf_h1_client *c, struct ocf_h1_pool *pool,
                        const struct ocf_h1_limits *lim)
{
  *c = (struct ocf_h1_client){ .pool = pool, .lim = lim, .reading = C_IDLE, .keep_alive = true };
}

static void close_reading(struct ocf_h1_client *c)
{
  put_block(c);
  c->reading = C_CLOSED;
  c->keep_alive = false;
}

void ocf_h1_client_fini(struct ocf_h1_client *c)
{
  close_reading(c);
}

static enum ocf_h1_event fail(struct ocf_h1_client *c, enum ocf_h1_error e)
{
  c->error = e;
  close_reading(c);
  return OCF_H1_EV_ERROR;
}

/* ---- sending ---- */

bool ocf_h1_client_reusable(const struct ocf_h1_client *c)
{
  if (c->reading == C_IDLE)
    return true;
  return c->reading == C_DONE && c->keep_alive && ocf_h1_sender_complete(&c->sender);
}

int ocf_h1_client_start(struct ocf_h1_client *c, enum ocf_h1_method method,
                        enum ocf_h1_framing framing, uint64_t length)
{
  check(c);
  if (!ocf_h1_client_reusable(c))
    return OCF_ESTATE;
  if (framing == OCF_H1_FRAMING_CLOSE || method == OCF_H1_CONNECT)
    return OCF_EINVAL;
  c->method = method;
  c->n_interim = 0;
  c->got_bytes = false;
  c->scan = (struct ocf_h1_scan){ 0 };
  c->reading = C_HEAD;
  c->n_requests++;
  ocf_h1_sender_init(&c->sender, framing, length, false);
  return 0;
}

static bool in_flight(const struct ocf_h1_client *c)
{
  return c->reading != C_IDLE && c->reading != C_CLOSED;
}

int ocf_h1_client_data(struct ocf_h1_client *c, uint64_t n, struct ocf_h1_frame *f)
{
  return in_flight(c) ? ocf_h1_sender_data(&c->sender, n, f) : OCF_ESTATE;
}

int ocf_h1_client_end(struct ocf_h1_client *c, struct ocf_h1_frame *f)
{
  return in_flight(c) ? ocf_h1_sender_end(&c->sender, f) : OCF_ESTATE;
}

/* ---- reading ---- */

static enum ocf_h1_event head_complete(struct ocf_h1_client *c)
{
  struct ocf_h1_head *h = &c->block->head;
  const size_t n = c->scan.end - c->scan.begin;

  if (ocf_h1_parse_response(h, c->block->text + c->scan.begin, n, c->method, c->lim) != 0)
    return fail(c, h->error);
  if (h->status == STATUS_SWITCHING)
    return fail(c, OCF_H1_E_SWITCHED);
  if (h->status < STATUS_FINAL) {
    if (c->n_interim >= c->lim->interim_max)
      return fail(c, OCF_H1_E_TOO_MANY_INTERIM);
    c->n_interim++;
    c->reading = C_INTERIM;
    return OCF_H1_EV_INTERIM;
  }
  c->keep_alive = h->keep_alive;
  c->reading = C_BODY;
  ocf_h1_body_init(&c->body, h->framing, h->content_length, c->lim);
  return OCF_H1_EV_HEAD;
}

static enum ocf_h1_event read_head(struct ocf_h1_client *c, const uint8_t *p, size_t n,
                                   size_t *used)
{
  if (c->reading == C_INTERIM) {
    put_block(c);
    c->scan = (struct ocf_h1_scan){ 0 };
    c->reading = C_HEAD;
  }
  if (n == 0)
    return OCF_H1_EV_MORE;
  c->got_bytes = true;
  const int rc = ocf_h1_block_gather(c->pool, &c->block, &c->scan, p, n, false, c->lim, used);
  if (rc == 0)
    return head_complete(c);
  if (rc == OCF_EAGAIN)
    return OCF_H1_EV_MORE;
  return fail(c, rc == OCF_ENOMEM ? OCF_H1_E_NO_MEMORY : c->scan.error);
}

static enum ocf_h1_event answer_end(struct ocf_h1_client *c)
{
  put_block(c);
  c->reading = C_DONE;
  return OCF_H1_EV_END;
}

static enum ocf_h1_event read_body(struct ocf_h1_client *c, const uint8_t *p, size_t n,
                                   size_t *used, struct ocf_bytes *data)
{
  if (c->body.done)
    return answer_end(c);
  if (n == 0)
    return OCF_H1_EV_MORE;
  if (ocf_h1_body_read(&c->body, p, n, used, data) != 0)
    return fail(c, c->body.error);
  if (data->n > 0)
    return OCF_H1_EV_BODY;
  return c->body.done ? answer_end(c) : OCF_H1_EV_MORE;
}

enum ocf_h1_event ocf_h1_client_input(struct ocf_h1_client *c, const uint8_t *p, size_t n,
                                      size_t *used, struct ocf_bytes *data)
{
  *used = 0;
  *data = ocf_bytes(NULL, 0);
  check(c);
  switch ((enum reading)c->reading) {
  case C_HEAD:
  case C_INTERIM: return read_head(c, p, n, used);
  case C_BODY: return read_body(c, p, n, used, data);
  case C_IDLE:
  case C_DONE:
    if (n == 0)
      return OCF_H1_EV_MORE;
    if (c->reading == C_IDLE || c->keep_alive)
      return fail(c, OCF_H1_E_UNSOLICITED);
    close_reading(c); /* it said that it would close; what it says besides is nothing to us */
    break;
  case C_CLOSED: break;
  }
  *used = n;
  return OCF_H1_EV_CLOSE;
}

enum ocf_h1_event ocf_h1_client_eof(struct ocf_h1_client *c)
{
  check(c);
  switch ((enum reading)c->reading) {
  case C_HEAD:
  case C_INTERIM: return fail(c, OCF_H1_E_TRUNCATED);
  case C_BODY:
    if (ocf_h1_body_eof(&c->body) != 0)
      return fail(c, OCF_H1_E_TRUNCATED);
    close_reading(c);
    return OCF_H1_EV_END;
  case C_IDLE:
  case C_DONE:
  case C_CLOSED: break;
  }
  close_reading(c);
  return OCF_H1_EV_CLOSE;
}

const struct ocf_h1_head *ocf_h1_client_head(const struct ocf_h1_client *c)
{
  return c->block != NULL && c->reading != C_HEAD ? &c->block->head : NULL;
}

void ocf_h1_client_drop_head(struct ocf_h1_client *c)
{
  if (c->reading != C_HEAD)
    put_block(c);
}

enum ocf_h1_phase ocf_h1_client_phase(const struct ocf_h1_client *c)
{
  switch ((enum reading)c->reading) {
  case C_IDLE: return OCF_H1_PHASE_IDLE;
  case C_HEAD:
  case C_INTERIM: return OCF_H1_PHASE_HEAD;
  case C_BODY: return OCF_H1_PHASE_BODY;
  case C_DONE: return ocf_h1_client_reusable(c) ? OCF_H1_PHASE_IDLE : OCF_H1_PHASE_WAIT;
  case C_CLOSED: break;
  }
  return OCF_H1_PHASE_CLOSED;
}
