/* Heads that we send. */
#include "http/h1/write.h"

#include "http/h1/chars.h"
#include "http/h1/names.h"
#include "http/h1/path.h"

/* Room for everything that is written besides copied fields, targets and edits: a method, a
 * version, a reason phrase, one framing field, Connection, an empty Host and the line ends. */
enum { FIXED_ROOM = 256 };

bool ocf_h1_token_ok(struct ocf_bytes v)
{
  return v.n > 0 && ocf_h1_span(v.p, v.n, OCF_H1_CH_TOKEN) == v.n;
}

bool ocf_h1_value_ok(struct ocf_bytes v)
{
  if (v.n == 0)
    return true;
  return ocf_h1_span_value(v.p, v.n) == v.n && !ocf_h1_is_ows(v.p[0]) &&
         !ocf_h1_is_ows(v.p[v.n - 1]);
}

/* ---- edits ---- */

struct plan {
  const struct ocf_h1_rewrite *rw;
  uint64_t drop;     /* ids that are not copied */
  bool drop_unknown; /* some edits replace fields without an id */
  bool host;         /* an edit writes Host */
  size_t room;
};

static bool replaces(enum ocf_h1_edit_op op)
{
  return op == OCF_H1_SET || op == OCF_H1_DROP;
}

static int plan_edit(struct plan *pl, const struct ocf_h1_edit *e)
{
  if (!ocf_h1_token_ok(e->name))
    return OCF_EINVAL;
  const enum ocf_h1_field_id id = ocf_h1_field_find(e->name);
  if (ocf_h1_kinds[id] >= OCF_H1_KIND_HOP)
    return OCF_EINVAL;
  if (e->op != OCF_H1_DROP && !ocf_h1_value_ok(e->value))
    return OCF_EINVAL;
  if (id == OCF_H1_F_HOST) { /* there is one Host: it is set once or left alone */
    if (e->op != OCF_H1_SET || pl->host ||
        ocf_h1_span(e->value.p, e->value.n, OCF_H1_CH_HOST) != e->value.n)
      return OCF_EINVAL;
    pl->host = true;
  }
  if (replaces(e->op) && id != OCF_H1_F_UNKNOWN)
    pl->drop |= UINT64_C(1) << id;
  if (replaces(e->op) && id == OCF_H1_F_UNKNOWN)
    pl->drop_unknown = true;
  if (e->name.n > OCF_H1_HEAD_BYTES_CAP || e->value.n > OCF_H1_HEAD_BYTES_CAP)
    return OCF_ELIMIT;
  pl->room += e->name.n + e->value.n + 4;
  return 0;
}

/* Checks everything that the caller adds, before anything is written. */
static int plan(struct plan *pl, const struct ocf_h1_head *h, const struct ocf_h1_rewrite *rw)
{
  *pl = (struct plan){ .rw = rw, .room = FIXED_ROOM };
  if (h != NULL)
    pl->room += h->n + h->n_fields + h->host.n; /* "a:b" grows by one byte */
  for (size_t i = 0; i < rw->n_edits; i++) {
    const int rc = plan_edit(pl, &rw->edits[i]);
    if (rc != 0)
      return rc;
  }
  return 0;
}

/* ---- appending to room that is reserved ---- */

static void put(struct ocf_buf *b, const void *p, size_t n)
{
  OCF_ASSERT(n <= b->cap - b->n);
  if (n > 0)
    memcpy(b->p + b->n, p, n);
  b->n += n;
}

static void put_bytes(struct ocf_buf *b, struct ocf_bytes v)
{
  put(b, v.p, v.n);
}

#define PUT_LIT(b, text) put((b), (text), sizeof(text) - 1)

static void put_u64(struct ocf_buf *b, uint64_t v)
{
  uint8_t d[20];
  size_t i = sizeof(d);

  do {
    d[--i] = (uint8_t)('0' + v % 10);
    v /= 10;
  } while (v != 0);
  put(b, d + i, sizeof(d) - i);
}

static void put_field(struct ocf_buf *b, struct ocf_bytes name, struct ocf_bytes value)
{
  put_bytes(b, name);
  PUT_LIT(b, ": ");
  put_bytes(b, value);
  PUT_LIT(b, "\r\n");
}

static bool edited_away(const struct plan *pl, struct ocf_bytes name)
{
  for (size_t i = 0; i < pl->rw->n_edits; i++) {
    const struct ocf_h1_edit *e = &pl->rw->edits[i];
    if (replaces(e->op) && ocf_h1_eq_nocase(e->name, name))
      return true;
  }
  return false;
}

static bool is_copied(const struct plan *pl, const struct ocf_h1_head *h, size_t i)
{
  const struct ocf_h1_field *f = &h->fields[i];

  if (f->hop || (pl->drop >> f->id & 1) != 0)
    return false;
  return f->id != OCF_H1_F_UNKNOWN || !pl->drop_unknown || !edited_away(pl, ocf_h1_name(h, i));
}

/* True when the line was sent the way put_field() writes it: then it is copied as it is. */
static bool is_canonical(const struct ocf_h1_head *h, const struct ocf_h1_field *f)
{
  return f->value_off == f->name_off + f->name_n + 2 &&
         h->base[f->name_off + f->name_n + 1] == ' ' && h->base[f->value_off + f->value_n] == '\r';
}

/* Copies the fields that are to be forwarded; neighbours in one go. */
static void put_fields(struct ocf_buf *b, const struct plan *pl, const struct ocf_h1_head *h)
{
  size_t from = 0, to = 0;

  for (size_t i = 0; i < h->n_fields; i++) {
    const struct ocf_h1_field *f = &h->fields[i];
    if (!is_copied(pl, h, i))
      continue;
    if (is_canonical(h, f)) {
      if (f->name_off != to) {
        put(b, h->base + from, to - from);
        from = f->name_off;
      }
      to = (size_t)f->value_off + f->value_n + 2;
      continue;
    }
    put(b, h->base + from, to - from);
    from = to = 0;
    put_field(b, ocf_h1_name(h, i), ocf_h1_value(h, i));
  }
  put(b, h->base + from, to - from);
}

static bool is_forwarded(const struct plan *pl, const struct ocf_h1_head *h, struct ocf_bytes name)
{
  for (size_t i = 0; h != NULL && i < h->n_fields; i++) {
    if (is_copied(pl, h, i) && ocf_h1_eq_nocase(ocf_h1_name(h, i), name))
      return true;
  }
  return false;
}

/* Everything after the copied fields: edits, framing, Connection, the empty line. */
static void put_rest(struct ocf_buf *b, const struct plan *pl, const struct ocf_h1_head *h)
{
  const struct ocf_h1_rewrite *rw = pl->rw;

  for (size_t i = 0; i < rw->n_edits; i++) {
    const struct ocf_h1_edit *e = &rw->edits[i];
    if (e->op == OCF_H1_DROP || (e->op == OCF_H1_DEFAULT && is_forwarded(pl, h, e->name)))
      continue;
    put_field(b, e->name, e->value);
  }
  if (rw->framing == OCF_H1_FRAMING_LENGTH) {
    PUT_LIT(b, "Content-Length: ");
    put_u64(b, rw->content_length);
    PUT_LIT(b, "\r\n");
  } else if (rw->framing == OCF_H1_FRAMING_CHUNKED) {
    PUT_LIT(b, "Transfer-Encoding: chunked\r\n");
  }
  if (rw->connection == OCF_H1_CONN_CLOSE || rw->framing == OCF_H1_FRAMING_CLOSE)
    PUT_LIT(b, "Connection: close\r\n");
  else if (rw->connection == OCF_H1_CONN_KEEP_ALIVE)
    PUT_LIT(b, "Connection: keep-alive\r\n");
  PUT_LIT(b, "\r\n");
}

/* ---- requests ---- */

static bool target_ok(struct ocf_bytes t)
{
  if (t.n == 0 || ocf_h1_span(t.p, t.n, OCF_H1_CH_TARGET) != t.n)
    return false;
  if (t.n == 1 && t.p[0] == '*')
    return true;
  const uint8_t *q = memchr(t.p, '?', t.n);
  return ocf_h1_path_check(ocf_bytes(t.p, q != NULL ? (size_t)(q - t.p) : t.n)) == 0;
}

static int write_request(struct ocf_buf *out, const struct ocf_h1_head *h, struct ocf_bytes method,
                         struct ocf_bytes host, const struct ocf_h1_rewrite *rw)
{
  struct plan pl;
  int rc = plan(&pl, h, rw);

  if (rc != 0)
    return rc;
  if (rw->framing == OCF_H1_FRAMING_CLOSE || (rw->target.p != NULL && !target_ok(rw->target)) ||
      ocf_h1_span(host.p, host.n, OCF_H1_CH_HOST) != host.n)
    return OCF_EINVAL;
  rc = ocf_buf_reserve(out, pl.room + rw->target.n + host.n);
  if (rc != 0)
    return rc;
  put_bytes(out, method);
  PUT_LIT(out, " ");
  if (rw->target.p != NULL || h == NULL) {
    put_bytes(out, rw->target);
  } else {
    put_bytes(out, h->path);
    if (h->query.p != NULL) {
      PUT_LIT(out, "?");
      put_bytes(out, h->query);
    }
  }
  PUT_LIT(out, " HTTP/1.1\r\n");
  if (!pl.host && (h == NULL || !ocf_h1_has(h, OCF_H1_F_HOST)))
    put_field(out, OCF_STR("Host"), host);
  if (h != NULL)
    put_fields(out, &pl, h);
  put_rest(out, &pl, h);
  return 0;
}

int ocf_h1_write_request(struct ocf_buf *out, const struct ocf_h1_head *h,
                         const struct ocf_h1_rewrite *rw)
{
  return write_request(out, h, h->method_text, h->host, rw);
}

int ocf_h1_make_request(struct ocf_buf *out, enum ocf_h1_method method, struct ocf_bytes target,
                        struct ocf_bytes host, const struct ocf_h1_rewrite *rw)
{
  const char *name = ocf_h1_method_name(method);
  struct ocf_h1_rewrite with = *rw;

  with.target = target;
  if (method == OCF_H1_OTHER || method == OCF_H1_CONNECT || target.p == NULL)
    return OCF_EINVAL;
  return write_request(out, NULL, ocf_bytes(name, strlen(name)), host, &with);
}

/* ---- answers ---- */

static bool framing_fits(unsigned status, enum ocf_h1_framing framing)
{
  if (status < 200 || status == 204)
    return framing == OCF_H1_FRAMING_NONE;
  return status != 304 || framing == OCF_H1_FRAMING_NONE || framing == OCF_H1_FRAMING_LENGTH;
}

int ocf_h1_write_response(struct ocf_buf *out, const struct ocf_h1_head *h,
                          const struct ocf_h1_rewrite *rw)
{
  const unsigned status = rw->status != 0 || h == NULL ? rw->status : h->status;
  struct plan pl;
  int rc = plan(&pl, h, rw);

  if (rc != 0)
    return rc;
  if (status < 100 || status > 599 || !framing_fits(status, rw->framing) || pl.host)
    return OCF_EINVAL;
  rc = ocf_buf_reserve(out, pl.room);
  if (rc != 0)
    return rc;
  PUT_LIT(out, "HTTP/1.1 ");
  put_u64(out, status);
  PUT_LIT(out, " ");
  if (h != NULL && status == h->status && h->reason.n > 0) {
    put_bytes(out, h->reason);
  } else {
    const char *reason = ocf_h1_reason(status);
    put(out, reason, strlen(reason));
  }
  PUT_LIT(out, "\r\n");
  if (h != NULL)
    put_fields(out, &pl, h);
  put_rest(out, &pl, h);
  return 0;
}
