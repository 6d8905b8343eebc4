/* Complete heads: start line, field lines, and what they add up to (framing.c). */
#include "http/h1/chars.h"
#include "http/h1/fields.h"
#include "http/h1/h1.h"
#include "http/h1/names.h"
#include "http/h1/path.h"

/* Where parsing stands. The bytes end in CRLFCRLF, which no loop below runs over: each stops at a
 * CR at the latest, and the last line is known to be empty. */
struct cursor {
  const uint8_t *p, *end; /* end: where the final empty line begins */
};

static int fail(struct ocf_h1_head *h, enum ocf_h1_error e)
{
  h->error = e;
  return OCF_EPROTO;
}

static bool at_crlf(const struct cursor *c)
{
  return c->p[0] == '\r' && c->p[1] == '\n';
}

static enum ocf_h1_error control_error(uint8_t c)
{
  switch (c) {
  case '\n': return OCF_H1_E_BARE_LF;
  case '\r': return OCF_H1_E_BARE_CR;
  case 0: return OCF_H1_E_NUL;
  default: return OCF_H1_E_CONTROL_CHAR;
  }
}

static int begin(struct ocf_h1_head *h, struct cursor *c, const uint8_t *p, size_t n,
                 const struct ocf_h1_limits *lim)
{
  /* The array at the end is large and is filled as far as n_fields says. */
  memset(h, 0, offsetof(struct ocf_h1_head, fields));
  h->base = p;
  h->n = n;
  if (n > OCF_MIN(lim->head_bytes_max, (uint32_t)OCF_H1_HEAD_BYTES_CAP))
    return fail(h, OCF_H1_E_HEAD_TOO_LARGE);
  if (n < 6 || memcmp(p + n - 4, "\r\n\r\n", 4) != 0)
    return fail(h, OCF_H1_E_START_LINE);
  c->p = p;
  c->end = p + n - 2;
  return 0;
}

/* ---- field lines ---- */

static enum ocf_h1_error name_error(const struct cursor *c, size_t n_name)
{
  const uint8_t b = c->p[n_name];

  if (b == '\r' || b == '\n' || b == 0)
    return n_name > 0 && b == '\r' && c->p[n_name + 1] == '\n' ? OCF_H1_E_NO_COLON
                                                               : control_error(b);
  if (ocf_h1_is_ows(b) && n_name > 0)
    return OCF_H1_E_SPACE_BEFORE_COLON;
  return ocf_h1_is(b, OCF_H1_CH_VALUE) ? OCF_H1_E_FIELD_NAME : OCF_H1_E_CONTROL_CHAR;
}

static int field_line(struct ocf_h1_head *h, struct cursor *c)
{
  struct ocf_h1_field *f = &h->fields[h->n_fields];
  unsigned classes = 0;
  size_t n = 0;

  if (ocf_h1_is_ows(c->p[0]))
    return fail(h, h->n_fields == 0 ? OCF_H1_E_LEADING_SPACE : OCF_H1_E_OBS_FOLD);
  for (unsigned k; ((k = ocf_h1_chars[c->p[n]]) & OCF_H1_CH_TOKEN) != 0; n++)
    classes |= k;
  if (c->p[n] != ':' || n == 0)
    return fail(h, name_error(c, n));
  f->id = (uint8_t)((classes & OCF_H1_CH_UNDERSCORE) != 0 ? ocf_h1_field_find(ocf_bytes(c->p, n))
                                                          : ocf_h1_field_find_plain(c->p, n));
  f->hop = ocf_h1_kinds[f->id] >= OCF_H1_KIND_HOP;
  f->name_off = (uint16_t)(c->p - h->base);
  f->name_n = (uint16_t)n;

  const uint8_t *v = c->p + n + 1;
  while (ocf_h1_is_ows(*v))
    v++;
  const uint8_t *e = v + ocf_h1_span_value(v, (size_t)(c->end - v));
  if (e[0] != '\r' || e[1] != '\n')
    return fail(h, control_error(*e));
  c->p = e + 2;
  while (e > v && ocf_h1_is_ows(e[-1]))
    e--;
  f->value_off = (uint16_t)(v - h->base);
  f->value_n = (uint16_t)(e - v);
  return 0;
}

/* All field lines. `*twice`: ids that came more than once. */
static int field_lines(struct ocf_h1_head *h, struct cursor *c, const struct ocf_h1_limits *lim,
                       uint64_t *twice)
{
  const unsigned max = OCF_MIN(lim->fields_max, (uint32_t)OCF_H1_FIELDS_MAX);

  *twice = 0;
  while (c->p < c->end) {
    if (h->n_fields >= max)
      return fail(h, OCF_H1_E_TOO_MANY_FIELDS);
    if (field_line(h, c) != 0)
      return OCF_EPROTO;
    const uint64_t bit = UINT64_C(1) << h->fields[h->n_fields].id;
    *twice |= h->seen & bit;
    h->seen |= bit;
    h->n_fields++;
  }
  return 0;
}

/* "HTTP/1.x" at c->p, followed by `after`. */
static int version(struct ocf_h1_head *h, struct cursor *c, uint8_t after)
{
  const uint8_t *p = c->p;

  if ((size_t)(c->end - p) < 8 || memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' ||
      p[6] != '.' || p[7] < '0' || p[7] > '9' || p[8] != after)
    return fail(h, OCF_H1_E_VERSION);
  if (p[5] != '1')
    return fail(h, OCF_H1_E_VERSION_UNSUPPORTED);
  h->minor = p[7] != '0';
  c->p += 8;
  return 0;
}

/* ---- requests ---- */

static int method(struct ocf_h1_head *h, struct cursor *c)
{
  const size_t n = ocf_h1_span(c->p, (size_t)(c->end - c->p), OCF_H1_CH_TOKEN);

  if (n > OCF_H1_METHOD_BYTES_MAX)
    return fail(h, OCF_H1_E_METHOD_TOO_LONG);
  if (n == 0 || c->p[n] != ' ')
    return fail(h, OCF_H1_E_METHOD);
  h->method_text = ocf_bytes(c->p, n);
  h->method = ocf_h1_method_find(h->method_text);
  c->p += n + 1;
  if (h->method == OCF_H1_CONNECT)
    return fail(h, OCF_H1_E_CONNECT);
  return 0;
}

static bool host_ok(struct ocf_bytes v)
{
  return ocf_h1_span(v.p, v.n, OCF_H1_CH_HOST) == v.n;
}

/* "http://authority/path": cuts the authority off h->path and keeps it in h->host. */
static int absolute_form(struct ocf_h1_head *h)
{
  struct ocf_bytes *path = &h->path;
  const size_t scheme =
      path->n >= 8 && ocf_h1_eq_nocase(ocf_bytes(path->p, 8), OCF_STR("https://"))  ? 8
      : path->n >= 7 && ocf_h1_eq_nocase(ocf_bytes(path->p, 7), OCF_STR("http://")) ? 7
                                                                                    : 0;
  if (scheme == 0)
    return fail(h, OCF_H1_E_TARGET);
  const uint8_t *host = path->p + scheme;
  const uint8_t *slash = memchr(host, '/', path->n - scheme);
  h->host = ocf_bytes(host, slash != NULL ? (size_t)(slash - host) : path->n - scheme);
  if (h->host.n == 0 || !host_ok(h->host))
    return fail(h, OCF_H1_E_TARGET);
  *path = slash != NULL ? ocf_bytes(slash, path->n - scheme - h->host.n) : OCF_STR("/");
  return 0;
}

static int target(struct ocf_h1_head *h, struct cursor *c, const struct ocf_h1_limits *lim)
{
  const size_t n = ocf_h1_span(c->p, (size_t)(c->end - c->p), OCF_H1_CH_TARGET);
  const struct ocf_bytes t = ocf_bytes(c->p, n);

  if (n > lim->target_bytes_max)
    return fail(h, OCF_H1_E_TARGET_TOO_LONG);
  if (n == 0)
    return fail(h, OCF_H1_E_START_LINE);
  c->p += n;
  if (at_crlf(c))
    return fail(h, OCF_H1_E_HTTP_09);
  if (*c->p != ' ')
    return fail(h, *c->p == '#' ? OCF_H1_E_FRAGMENT : OCF_H1_E_TARGET);
  c->p++;
  h->target = t;
  const uint8_t *q = memchr(t.p, '?', n);
  h->path = ocf_bytes(t.p, q != NULL ? (size_t)(q - t.p) : n);
  if (q != NULL)
    h->query = ocf_bytes(q + 1, n - h->path.n - 1);
  if (n == 1 && t.p[0] == '*')
    return h->method == OCF_H1_OPTIONS || ocf_bytes_eq(h->method_text, OCF_STR("PRI"))
               ? 0
               : fail(h, OCF_H1_E_TARGET);
  if (t.p[0] != '/' && absolute_form(h) != 0)
    return OCF_EPROTO;
  return ocf_h1_path_check(h->path) == 0 ? 0 : fail(h, OCF_H1_E_PATH);
}

static int request_line(struct ocf_h1_head *h, struct cursor *c, const struct ocf_h1_limits *lim)
{
  if (method(h, c) != 0 || target(h, c, lim) != 0)
    return OCF_EPROTO;
  if (ocf_bytes_eq(h->method_text, OCF_STR("PRI")) && (size_t)(c->end - c->p) >= 8 &&
      memcmp(c->p, "HTTP/2.0", 8) == 0)
    return fail(h, OCF_H1_E_H2_PREFACE);
  if (version(h, c, '\r') != 0)
    return OCF_EPROTO;
  if (h->target.p[0] == '*' && h->method != OCF_H1_OPTIONS)
    return fail(h, OCF_H1_E_TARGET);
  if (!at_crlf(c))
    return fail(h, OCF_H1_E_BARE_CR);
  c->p += 2;
  return 0;
}

static int check_host(struct ocf_h1_head *h, uint64_t twice)
{
  if (!ocf_h1_has(h, OCF_H1_F_HOST))
    return h->minor > 0 ? fail(h, OCF_H1_E_NO_HOST) : 0;
  if ((twice >> OCF_H1_F_HOST & 1) != 0)
    return fail(h, OCF_H1_E_MANY_HOSTS);
  const struct ocf_bytes v = ocf_h1_get(h, OCF_H1_F_HOST);
  if (!host_ok(v))
    return fail(h, OCF_H1_E_HOST);
  /* RFC 9112 section 3.2.2 lets the target win over Host; two that differ are an attack or a bug.
   */
  if (h->host.p != NULL && !ocf_h1_eq_nocase(h->host, v))
    return fail(h, OCF_H1_E_HOST_MISMATCH);
  h->host = v;
  return 0;
}

static size_t count_parts(struct ocf_bytes v, uint8_t sep1, uint8_t sep2)
{
  size_t n = v.n > 0;
  for (size_t i = 0; i < v.n; i++)
    n += v.p[i] == sep1 || v.p[i] == sep2;
  return n;
}

static int check_counts(struct ocf_h1_head *h, const struct ocf_h1_limits *lim)
{
  size_t cookies = 0;

  if (h->query.n > 0 && count_parts(h->query, '&', ';') > lim->query_params_max)
    return fail(h, OCF_H1_E_TOO_MANY_PARAMS);
  if (!ocf_h1_has(h, OCF_H1_F_COOKIE))
    return 0;
  for (size_t i = 0; i < h->n_fields; i++) {
    if (h->fields[i].id == OCF_H1_F_COOKIE)
      cookies += count_parts(ocf_h1_value(h, i), ';', ';');
  }
  return cookies > lim->cookies_max ? fail(h, OCF_H1_E_TOO_MANY_COOKIES) : 0;
}

int ocf_h1_parse_request(struct ocf_h1_head *h, const uint8_t *p, size_t n,
                         const struct ocf_h1_limits *lim)
{
  struct cursor c;
  uint64_t twice;

  if (begin(h, &c, p, n, lim) != 0 || request_line(h, &c, lim) != 0 ||
      field_lines(h, &c, lim, &twice) != 0 || check_host(h, twice) != 0 ||
      check_counts(h, lim) != 0)
    return OCF_EPROTO;
  h->error = ocf_h1_request_semantics(h, twice);
  return h->error == OCF_H1_E_NONE ? 0 : OCF_EPROTO;
}

/* ---- answers ---- */

static int status_line(struct ocf_h1_head *h, struct cursor *c)
{
  if ((size_t)(c->end - c->p) < 5 || memcmp(c->p, "HTTP/", 5) != 0)
    return fail(h, OCF_H1_E_START_LINE);
  if (version(h, c, ' ') != 0)
    return OCF_EPROTO;
  c->p++;
  unsigned v = 0;
  for (unsigned i = 0; i < 3; i++, c->p++) {
    if (*c->p < '0' || *c->p > '9')
      return fail(h, OCF_H1_E_STATUS);
    v = 10 * v + (unsigned)(*c->p - '0');
  }
  if (v < 100 || v > 599)
    return fail(h, OCF_H1_E_STATUS);
  h->status = (uint16_t)v;
  /* SP and reason may be missing together: plain servers leave out both. */
  if (*c->p == ' ')
    c->p++;
  else if (*c->p != '\r')
    return fail(h, OCF_H1_E_STATUS);
  const size_t n = ocf_h1_span_value(c->p, (size_t)(c->end - c->p));
  h->reason = ocf_bytes(c->p, n);
  c->p += n;
  if (!at_crlf(c))
    return fail(h, control_error(*c->p));
  c->p += 2;
  return 0;
}

int ocf_h1_parse_response(struct ocf_h1_head *h, const uint8_t *p, size_t n, enum ocf_h1_method to,
                          const struct ocf_h1_limits *lim)
{
  struct cursor c;
  uint64_t twice;

  if (begin(h, &c, p, n, lim) != 0 || status_line(h, &c) != 0 ||
      field_lines(h, &c, lim, &twice) != 0)
    return OCF_EPROTO;
  h->error = ocf_h1_response_semantics(h, twice, to);
  return h->error == OCF_H1_E_NONE ? 0 : OCF_EPROTO;
}

/* ---- look-ups ---- */

struct ocf_bytes ocf_h1_get(const struct ocf_h1_head *h, enum ocf_h1_field_id id)
{
  if (ocf_h1_has(h, id)) {
    for (size_t i = 0; i < h->n_fields; i++) {
      if (h->fields[i].id == id)
        return ocf_h1_value(h, i);
    }
  }
  return ocf_bytes(NULL, 0);
}

int ocf_h1_get_one(const struct ocf_h1_head *h, enum ocf_h1_field_id id, struct ocf_bytes *out)
{
  size_t n = 0, at = 0;

  for (size_t i = 0; i < h->n_fields; i++) {
    if (h->fields[i].id == id) {
      n++;
      at = i;
    }
  }
  if (n != 1)
    return n == 0 ? OCF_ENOENT : OCF_EPROTO;
  *out = ocf_h1_value(h, at);
  return 0;
}

struct ocf_bytes ocf_h1_get_name(const struct ocf_h1_head *h, struct ocf_bytes name)
{
  for (size_t i = 0; i < h->n_fields; i++) {
    if (ocf_h1_eq_nocase(ocf_h1_name(h, i), name))
      return ocf_h1_value(h, i);
  }
  return ocf_bytes(NULL, 0);
}
