#include "p2p/conn/conn_int.h"

#include <string.h>

/* --- memory --- */

static struct ocf_stream *stream_new(struct ocf_conn *c, size_t n_names)
{
  struct ocf_alloc *a = c->cfg->a;
  struct ocf_stream *s = ocf_alloc_zero(a, sizeof(*s) + n_names);
  struct stream_neg *neg = OCF_NEW(a, struct stream_neg);
  if (s == NULL || neg == NULL) {
    ocf_alloc_put(a, s, sizeof(*s) + n_names);
    OCF_DELETE(a, neg);
    return NULL;
  }
  s->c = c;
  s->neg = neg;
  s->n_names = n_names;
  neg->deadline_ns = ocf_time_add(c->now_ns, c->cfg->negotiate_ns);
  ocf_list_push_back(&c->streams, &s->link);
  ocf_list_push_back(&c->talks, &s->talk_link);
  c->n_streams++;
  return s;
}

static void neg_free(struct ocf_stream *s)
{
  if (s->neg == NULL)
    return;
  ocf_list_remove(&s->talk_link);
  ocf_list_remove(&s->tx_link);
  ocf_mss_fini(&s->neg->mss);
  OCF_DELETE(s->c->cfg->a, s->neg);
  s->neg = NULL;
}

void ocf_conn_stream_free(struct ocf_stream *s)
{
  struct ocf_conn *c = s->c;
  if (s->state == STREAM_NEG_IN)
    c->n_neg_in--;
  neg_free(s);
  ocf_list_remove(&s->link);
  ocf_list_remove(&s->end_link);
  if (c->rest_stream == s) {
    c->rest_stream = NULL;
    c->rest = ocf_bytes(NULL, 0);
  }
  c->n_streams--;
  ocf_alloc_put(c->cfg->a, s, sizeof(*s) + s->n_names);
}

/* Gives the muxer its handle back, by a reset unless the stream ended well. */
static void give_back(struct ocf_stream *s, bool well, uint32_t code)
{
  struct ocf_conn *c = s->c;
  if (s->ys == NULL)
    return;
  if (well)
    ocf_yamux_close(c->y, c->now_ns, s->ys);
  else
    ocf_yamux_reset(c->y, c->now_ns, s->ys, code);
  s->ys = NULL;
}

/* --- writing --- */

static bool neg_has_out(const struct ocf_stream *s)
{
  return s->neg != NULL && (s->neg->at < s->neg->n || ocf_mss_has_output(&s->neg->mss));
}

/* The next bytes of the negotiation that wait to be sent. */
static struct ocf_bytes neg_out(struct ocf_stream *s)
{
  struct stream_neg *neg = s->neg;
  if (!neg_has_out(s))
    return ocf_bytes(NULL, 0);
  if (neg->at == neg->n) {
    neg->at = 0;
    neg->n = (uint16_t)ocf_mss_output(&neg->mss, neg->out, sizeof(neg->out));
  }
  return ocf_bytes(neg->out + neg->at, (size_t)(neg->n - neg->at));
}

/* One muxer frame; 0 when blocked, and then the muxer will name the stream again. */
static size_t put(struct ocf_stream *s, const struct ocf_bytes *v, size_t n)
{
  struct ocf_conn *c = s->c;
  struct ocf_yamux_out none = { 0 };
  struct ocf_yamux_out *out = ocf_conn_area(c);
  return ocf_yamux_write(c->y, c->now_ns, s->ys, v, n, out != NULL ? out : &none);
}

/* What follows from the state once something was sent or heard: our FIN, the end of the
 * negotiation's memory, the end of the stream. */
static void settle(struct ocf_stream *s)
{
  struct ocf_conn *c = s->c;
  if (s->ys == NULL || ocf_list_linked(&s->end_link))
    return;
  bool talked = !neg_has_out(s);
  if (talked && s->state == STREAM_OPEN)
    neg_free(s);
  bool writable = s->state == STREAM_OPEN || s->state == STREAM_NEG_LAZY;
  if (s->fin_out && !s->fin_sent && writable && talked) {
    ocf_yamux_finish(c->y, s->ys);
    s->fin_sent = true;
    ocf_conn_mark(c);
  }
  if (s->fin_sent && s->fin_in && s->state == STREAM_OPEN) {
    ocf_list_push_back(&c->ending, &s->end_link);
    ocf_conn_mark(c);
  }
}

static void want_talk(struct ocf_stream *s)
{
  if (neg_has_out(s) && !ocf_list_linked(&s->tx_link)) {
    ocf_list_push_back(&s->c->neg_tx, &s->tx_link);
    ocf_conn_mark(s->c);
  }
}

static void talk(struct ocf_stream *s)
{
  struct ocf_bytes v;
  ocf_list_remove(&s->tx_link);
  while ((v = neg_out(s)).n > 0) {
    size_t k = put(s, &v, 1);
    if (k == 0)
      return;
    s->neg->at = (uint16_t)(s->neg->at + k);
  }
  settle(s);
}

void ocf_conn_stream_talk(struct ocf_conn *c)
{
  if (c->phase != CONN_OPEN)
    return;
  while (!ocf_list_empty(&c->neg_tx) && !c->doomed)
    talk(OCF_LIST_ENTRY(c->neg_tx.next, struct ocf_stream, tx_link));
}

static bool may_write(const struct ocf_stream *s)
{
  return s->ys != NULL && !s->fin_out && !ocf_list_linked(&s->end_link) && !s->c->doomed &&
         (s->state == STREAM_OPEN || s->state == STREAM_NEG_LAZY);
}

/* A position in a list of pieces. */
struct cursor {
  const struct ocf_bytes *v;
  size_t n, off;
};

static void advance(struct cursor *at, size_t n)
{
  while (at->n > 0 && n >= at->v->n - at->off) {
    n -= at->v->n - at->off;
    at->v++;
    at->n--;
    at->off = 0;
  }
  at->off += n;
  OCF_ASSERT(at->n > 0 || n == 0);
}

/* Up to `cap` views of what is left. */
static size_t gather(const struct cursor *at, struct ocf_bytes *out, size_t cap)
{
  size_t k = 0, off = at->off;
  for (size_t i = 0; i < at->n && k < cap; i++, off = 0)
    if (at->v[i].n > off)
      out[k++] = ocf_bytes(at->v[i].p + off, at->v[i].n - off);
  return k;
}

size_t ocf_stream_writev(struct ocf_stream *s, const struct ocf_bytes *iov, size_t n)
{
  enum { PIECES = 8 };
  struct ocf_bytes v[PIECES];
  struct cursor at = { iov, n, 0 };
  size_t done = 0;
  if (!may_write(s)) {
    s->want = true;
    return 0;
  }
  for (;;) {
    struct ocf_bytes head = neg_out(s); /* the proposal rides in front of the first data */
    size_t n_head = head.n > 0 ? 1 : 0;
    v[0] = head;
    size_t k = gather(&at, v + n_head, PIECES - n_head);
    if (k == 0)
      break;
    size_t w = put(s, v, n_head + k);
    if (w == 0) {
      s->want = true;
      break;
    }
    size_t h = OCF_MIN(w, head.n);
    if (h > 0)
      s->neg->at = (uint16_t)(s->neg->at + h);
    advance(&at, w - h);
    done += w - h;
  }
  if (done > 0) {
    if (!neg_has_out(s))
      ocf_list_remove(&s->tx_link);
    settle(s);
    ocf_conn_mark(s->c);
  }
  return done;
}

size_t ocf_stream_write(struct ocf_stream *s, const void *p, size_t n)
{
  struct ocf_bytes v = ocf_bytes(p, n);
  return ocf_stream_writev(s, &v, 1);
}

size_t ocf_stream_room(const struct ocf_stream *s)
{
  const struct ocf_conn *c = s->c;
  if (!may_write(s))
    return 0;
  size_t max = OCF_MAX(c->cfg->tx_bytes_max, 1);
  size_t waiting = c->tx_bytes + c->out.n;
  return OCF_MIN(waiting < max ? max - waiting : 0, ocf_yamux_send_window(s->ys));
}

void ocf_stream_fin(struct ocf_stream *s)
{
  if (s->fin_out)
    return;
  s->fin_out = true;
  s->want = false;
  if (!s->c->doomed)
    settle(s);
}

void ocf_stream_reset(struct ocf_stream *s, uint32_t code)
{
  struct ocf_conn *c = s->c;
  if (s == c->zombie)
    return; /* it is gone already, and freed by the next event */
  give_back(s, false, code);
  ocf_conn_stream_free(s);
  ocf_conn_mark(c);
}

void ocf_stream_consumed(struct ocf_stream *s, size_t n)
{
  if (s->ys == NULL || n == 0)
    return;
  ocf_yamux_consumed(s->c->y, s->c->now_ns, s->ys, n);
  if (ocf_yamux_has_output(s->c->y))
    ocf_conn_mark(s->c);
}

/* --- opening --- */

static bool names_ok(const struct ocf_bytes *protos, size_t n, size_t *total)
{
  *total = 0;
  if (n == 0 || n > OCF_CONN_PROPOSALS_MAX)
    return false;
  for (size_t i = 0; i < n; i++) {
    if (protos[i].n == 0 || protos[i].n > OCF_CONN_PROTO_MAX ||
        memchr(protos[i].p, '\n', protos[i].n) != NULL)
      return false;
    *total += protos[i].n;
  }
  return true;
}

int ocf_conn_open(struct ocf_conn *c, uint64_t now_ns, const struct ocf_bytes *protos, size_t n,
                  bool lazy, void *user, struct ocf_stream **out)
{
  size_t total, at = 0;
  c->now_ns = now_ns;
  if (c->phase != CONN_OPEN || c->doomed || c->closing)
    return OCF_ESTATE;
  if (!names_ok(protos, n, &total))
    return OCF_EINVAL;
  struct ocf_stream *s = stream_new(c, total);
  if (s == NULL)
    return OCF_ENOMEM;
  s->state = lazy ? STREAM_NEG_LAZY : STREAM_NEG_OUT;
  s->user = user;
  s->known = true;
  for (size_t i = 0; i < n; i++) {
    memcpy(s->names + at, protos[i].p, protos[i].n);
    s->neg->protos[i] = ocf_bytes(s->names + at, protos[i].n);
    at += protos[i].n;
  }
  s->proto = s->neg->protos[0];
  ocf_mss_init_initiator(&s->neg->mss, c->cfg->a, s->neg->protos, lazy ? 1 : n);
  int err = ocf_yamux_open(c->y, now_ns, s, &s->ys);
  if (err != 0) {
    ocf_conn_stream_free(s);
    return err;
  }
  c->stats.streams_out++;
  want_talk(s);
  *out = s;
  return 0;
}

static void on_opened(struct ocf_conn *c, struct ocf_yamux_stream *ys)
{
  struct ocf_stream *s = NULL;
  if (c->n_neg_in < c->cfg->negotiating_in_max)
    s = stream_new(c, 0);
  if (s == NULL) {
    c->stats.streams_refused++;
    ocf_yamux_reset(c->y, c->now_ns, ys, OCF_STREAM_RESOURCE_LIMIT);
    return;
  }
  s->ys = ys;
  s->inbound = true;
  s->state = STREAM_NEG_IN;
  c->n_neg_in++;
  ocf_mss_init_responder(&s->neg->mss, c->cfg->a, c->cfg->protos, c->cfg->n_protos);
  ocf_yamux_set_user(ys, s);
  want_talk(s);
}

/* --- what the muxer reports --- */

/* Ends a negotiation that failed: our user learns of its own streams only. */
static void talk_failed(struct ocf_stream *s, int err)
{
  struct ocf_conn *c = s->c;
  c->stats.streams_refused += s->inbound ? 1 : 0;
  if (!s->known) {
    give_back(s, false, OCF_STREAM_NEGOTIATION_FAILED);
    ocf_conn_stream_free(s);
  } else {
    s->gone_err = err;
    s->gone_code = OCF_STREAM_NEGOTIATION_FAILED;
    ocf_list_push_back(&c->ending, &s->end_link);
  }
  ocf_conn_mark(c);
}

static void agreed(struct ocf_stream *s, struct ocf_bytes rest, struct ocf_conn_event *ev)
{
  struct ocf_conn *c = s->c;
  size_t i = ocf_mss_agreed(&s->neg->mss);
  if (s->inbound) {
    c->n_neg_in--;
    c->stats.streams_in++;
    ocf_yamux_ack(c->y, s->ys);
    s->proto = c->cfg->protos[i];
    s->known = true;
  } else {
    s->proto = s->neg->protos[i];
  }
  s->state = STREAM_OPEN;
  s->want = s->want && s->inbound;
  ocf_list_remove(&s->talk_link);
  ev->type = s->inbound ? OCF_CONN_STREAM_IN : OCF_CONN_STREAM_UP;
  ev->stream = s;
  ev->proto = i;
  if (rest.n > 0) {
    c->rest = rest;
    c->rest_stream = s;
  }
  want_talk(s);
  settle(s);
}

static bool on_talk(struct ocf_stream *s, struct ocf_bytes in, struct ocf_conn_event *ev)
{
  struct ocf_conn *c = s->c;
  size_t before = in.n;
  int rc = ocf_mss_input(&s->neg->mss, &in);
  if (rc < 0) {
    talk_failed(s, rc);
    return false;
  }
  ocf_yamux_consumed(c->y, c->now_ns, s->ys, before - in.n);
  if (rc == OCF_MSS_AGREED) {
    agreed(s, in, ev);
    return true;
  }
  want_talk(s);
  return false;
}

static bool on_data(struct ocf_stream *s, struct ocf_bytes data, struct ocf_conn_event *ev)
{
  if (s->state != STREAM_OPEN)
    return on_talk(s, data, ev);
  ev->type = OCF_CONN_DATA;
  ev->stream = s;
  ev->data = data;
  return true;
}

static bool on_fin(struct ocf_stream *s, struct ocf_conn_event *ev)
{
  if (s->state != STREAM_OPEN) {
    talk_failed(s, OCF_EPROTO);
    return false;
  }
  s->fin_in = true;
  ev->type = OCF_CONN_FIN;
  ev->stream = s;
  settle(s);
  return true;
}

static void report_gone(struct ocf_stream *s, struct ocf_conn_event *ev)
{
  struct ocf_conn *c = s->c;
  OCF_ASSERT(c->zombie == NULL);
  ocf_list_remove(&s->end_link);
  ev->type = OCF_CONN_STREAM_GONE;
  ev->stream = s;
  ev->err = s->gone_err;
  ev->code = s->gone_err == OCF_ERESET ? s->gone_code : 0;
  give_back(s, s->gone_err == 0, s->gone_code);
  neg_free(s);
  c->zombie = s;
}

static bool on_reset(struct ocf_stream *s, const struct ocf_yamux_event *ye,
                     struct ocf_conn_event *ev)
{
  struct ocf_conn *c = s->c;
  if (!s->known) {
    give_back(s, false, 0);
    ocf_conn_stream_free(s);
    return false;
  }
  if (!ocf_list_linked(&s->end_link)) { /* else its own end is still to be told */
    s->gone_err = ocf_yamux_is_dead(c->y) ? OCF_EEOF : ye->err;
    s->gone_code = ye->code;
  }
  report_gone(s, ev);
  return true;
}

bool ocf_conn_stream_event(struct ocf_conn *c, const struct ocf_yamux_event *ye,
                           struct ocf_conn_event *ev)
{
  if (ye->kind == OCF_YAMUX_EV_OPENED) {
    on_opened(c, ye->stream);
    return false;
  }
  struct ocf_stream *s = ye->user;
  OCF_ASSERT(s != NULL && s->ys == ye->stream);
  if (ye->kind == OCF_YAMUX_EV_RESET)
    return on_reset(s, ye, ev);
  if (ocf_list_linked(&s->end_link))
    return false; /* it failed a moment ago */
  return ye->kind == OCF_YAMUX_EV_DATA ? on_data(s, ye->data, ev) : on_fin(s, ev);
}

bool ocf_conn_stream_gone(struct ocf_conn *c, struct ocf_conn_event *ev)
{
  if (ocf_list_empty(&c->ending))
    return false;
  report_gone(OCF_LIST_ENTRY(c->ending.next, struct ocf_stream, end_link), ev);
  return true;
}

bool ocf_conn_stream_writable(struct ocf_conn *c, struct ocf_conn_event *ev)
{
  while (ocf_yamux_has_writable(c->y)) {
    struct ocf_yamux_out *out = ocf_conn_area(c);
    struct ocf_yamux_stream *ys = out != NULL ? ocf_yamux_next_writable(c->y, out) : NULL;
    if (ys == NULL)
      return false;
    struct ocf_stream *s = ocf_yamux_user(ys);
    talk(s);
    if (s->want && may_write(s)) {
      s->want = false;
      ev->type = OCF_CONN_WRITABLE;
      ev->stream = s;
      return true;
    }
  }
  return false;
}

/* --- time --- */

uint64_t ocf_conn_stream_deadline(const struct ocf_conn *c)
{
  if (ocf_list_empty(&c->talks))
    return OCF_TIME_NEVER;
  return OCF_LIST_ENTRY(c->talks.next, struct ocf_stream, talk_link)->neg->deadline_ns;
}

void ocf_conn_stream_timeouts(struct ocf_conn *c)
{
  while (c->now_ns >= ocf_conn_stream_deadline(c)) {
    struct ocf_stream *s = OCF_LIST_ENTRY(c->talks.next, struct ocf_stream, talk_link);
    ocf_list_remove(&s->talk_link);
    if (!ocf_list_linked(&s->end_link))
      talk_failed(s, OCF_ETIME);
  }
}

/* --- looking --- */

struct ocf_conn *ocf_stream_conn(const struct ocf_stream *s)
{
  return s->c;
}

void *ocf_stream_user(const struct ocf_stream *s)
{
  return s->user;
}

void ocf_stream_set_user(struct ocf_stream *s, void *user)
{
  s->user = user;
}

int ocf_stream_kind(const struct ocf_stream *s)
{
  return s->kind;
}

void ocf_stream_set_kind(struct ocf_stream *s, int kind)
{
  s->kind = kind;
}

uint32_t ocf_stream_id(const struct ocf_stream *s)
{
  return s->ys != NULL ? ocf_yamux_id(s->ys) : 0;
}

bool ocf_stream_is_inbound(const struct ocf_stream *s)
{
  return s->inbound;
}

uint64_t ocf_stream_blocked_since(const struct ocf_stream *s)
{
  return s->ys != NULL ? ocf_yamux_blocked_since(s->ys) : OCF_TIME_NEVER;
}

struct ocf_bytes ocf_stream_proto(const struct ocf_stream *s)
{
  return s->proto;
}
