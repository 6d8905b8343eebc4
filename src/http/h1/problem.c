/* Errors for clients: the JSON of the OpenAI API and answers that carry it. */
#include <string.h>

#include "http/h1/write.h"

/* Writes to `p`, or only counts when `p` is NULL: the length of the JSON is needed before it. */
struct sink {
  uint8_t *p;
  size_t n;
};

static void emit(struct sink *s, const void *p, size_t n)
{
  if (s->p != NULL && n > 0)
    memcpy(s->p + s->n, p, n);
  s->n += n;
}

static void emit_str(struct sink *s, const char *text)
{
  emit(s, text, strlen(text));
}

static void emit_u(struct sink *s, unsigned v)
{
  char e[6] = { '\\', 'u', '0', '0', '0', '0' };

  for (unsigned i = 0; i < 4; i++)
    e[5 - i] = "0123456789abcdef"[v >> (4 * i) & 15];
  emit(s, e, sizeof(e));
}

/* The length of the UTF-8 sequence at p, 1..4, with its code point; 0 when it is none. */
static size_t utf8_at(const uint8_t *p, size_t n, uint32_t *cp)
{
  static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
  const size_t len = p[0] < 0x80   ? 1
                     : p[0] < 0xc2 ? 0
                     : p[0] < 0xe0 ? 2
                     : p[0] < 0xf0 ? 3
                     : p[0] < 0xf5 ? 4
                                   : 0;

  if (len == 0 || len > n)
    return 0;
  uint32_t v = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
  for (size_t i = 1; i < len; i++) {
    if ((p[i] & 0xc0) != 0x80)
      return 0;
    v = v << 6 | (p[i] & 0x3fu);
  }
  if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
    return 0;
  *cp = v;
  return len;
}

/* Control characters of both sets, the line separators and bad bytes never reach a terminal or a
 * log as they are. */
static void emit_string(struct sink *s, struct ocf_bytes v)
{
  emit(s, "\"", 1);
  for (size_t i = 0; i < v.n;) {
    uint32_t cp = 0;
    const size_t len = utf8_at(v.p + i, v.n - i, &cp);
    if (len == 0)
      emit_str(s, "\\ufffd");
    else if (cp == '"' || cp == '\\')
      emit(s, (const char[2]){ '\\', (char)cp }, 2);
    else if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029)
      emit_u(s, cp);
    else
      emit(s, v.p + i, len);
    i += len > 0 ? len : 1;
  }
  emit(s, "\"", 1);
}

static void emit_member(struct sink *s, const char *key, struct ocf_bytes v)
{
  emit_str(s, key);
  if (v.p != NULL)
    emit_string(s, v);
  else
    emit_str(s, "null");
}

static struct ocf_bytes text(const char *s)
{
  return s != NULL ? ocf_bytes(s, strlen(s)) : ocf_bytes(NULL, 0);
}

static const char *type_of(unsigned status)
{
  switch (status) {
  case 401: return "authentication_error";
  case 403: return "permission_error";
  case 404: return "not_found_error";
  case 429: return "rate_limit_error";
  default: return status < 500 ? "invalid_request_error" : "server_error";
  }
}

static void emit_problem(struct sink *s, const struct ocf_h1_problem *p)
{
  emit_member(s, "{\"error\":{\"message\":", text(p->message));
  emit_member(s, ",\"type\":", text(p->type != NULL ? p->type : type_of(p->status)));
  emit_member(s, ",\"param\":", text(p->param));
  emit_member(s, ",\"code\":", text(p->code));
  emit_member(s, ",\"request_id\":", p->request_id);
  emit_str(s, "}}");
}

static size_t problem_size(const struct ocf_h1_problem *p)
{
  struct sink s = { NULL, 0 };

  emit_problem(&s, p);
  return s.n;
}

int ocf_h1_problem_json(struct ocf_buf *out, const struct ocf_h1_problem *p)
{
  const size_t n = problem_size(p);
  const int rc = ocf_buf_reserve(out, n);

  if (rc != 0)
    return rc;
  struct sink s = { out->p + out->n, 0 };
  emit_problem(&s, p);
  OCF_ASSERT(s.n == n);
  out->n += n;
  return 0;
}

enum { OWN_EDITS = 2, EDITS_MAX = 30 };

int ocf_h1_write_problem(struct ocf_buf *out, const struct ocf_h1_problem *p, bool head_only,
                         const struct ocf_h1_rewrite *rw)
{
  struct ocf_h1_edit edits[OWN_EDITS + EDITS_MAX];
  struct ocf_h1_rewrite with = { .status = (uint16_t)OCF_MIN(p->status, 999u),
                                 .framing = OCF_H1_FRAMING_LENGTH,
                                 .content_length = problem_size(p),
                                 .edits = edits };
  const size_t start = out->n;

  if (rw != NULL && rw->n_edits > EDITS_MAX)
    return OCF_EINVAL;
  edits[with.n_edits++] = OCF_H1_EDIT(OCF_H1_ADD, "Content-Type", OCF_STR("application/json"));
  /* An id that may not stand in a field is still in the body, escaped. */
  if (p->request_id.p != NULL && p->request_id.n > 0 && ocf_h1_value_ok(p->request_id))
    edits[with.n_edits++] = OCF_H1_EDIT(OCF_H1_ADD, "X-Request-Id", p->request_id);
  for (size_t i = 0; rw != NULL && i < rw->n_edits; i++)
    edits[with.n_edits++] = rw->edits[i];
  with.connection = rw != NULL ? rw->connection : OCF_H1_CONN_DEFAULT;
  int rc = ocf_h1_write_response(out, NULL, &with);
  if (rc == 0 && !head_only)
    rc = ocf_h1_problem_json(out, p);
  if (rc != 0)
    out->n = start;
  return rc;
}
