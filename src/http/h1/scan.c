/* Finding the end of a head while it still arrives. */
#include "http/h1/chars.h"
#include "http/h1/h1.h"

enum {
  LEADING_CRLFS_MAX = 2,
  /* What a request line has around its target: method, two spaces, version. */
  REQUEST_LINE_REST = OCF_H1_METHOD_BYTES_MAX + 2 + 8,
};

static int fail(struct ocf_h1_scan *s, enum ocf_h1_error e)
{
  s->error = e;
  return OCF_EPROTO;
}

static enum ocf_h1_error bad_byte(uint8_t c)
{
  if (c == '\n')
    return OCF_H1_E_BARE_LF;
  return c == 0 ? OCF_H1_E_NUL : OCF_H1_E_CONTROL_CHAR;
}

/* How far this head may reach: nothing at or after it is looked at, so that what is found does not
 * depend on how the bytes were cut into reads. `*e` says what it is to get there. */
static size_t bound(const struct ocf_h1_scan *s, bool request, const struct ocf_h1_limits *lim,
                    enum ocf_h1_error *e)
{
  const size_t head = OCF_MIN(lim->head_bytes_max, (uint32_t)OCF_H1_HEAD_BYTES_CAP);
  const size_t line = (size_t)lim->target_bytes_max + REQUEST_LINE_REST + 2;

  *e = request && s->n_lines == 0 && line <= head ? OCF_H1_E_TARGET_TOO_LONG
                                                  : OCF_H1_E_HEAD_TOO_LARGE;
  return s->begin + (*e == OCF_H1_E_TARGET_TOO_LONG ? line : head);
}

/* The line that ends at s->pos. 1 when it was the empty line after the head. */
static int line_end(struct ocf_h1_scan *s, bool request, const struct ocf_h1_limits *lim)
{
  const bool empty = s->pos == s->line;

  s->pos += 2;
  s->line = s->pos;
  if (empty && s->n_lines > 0) {
    s->end = s->pos;
    return 1;
  }
  if (empty) {
    s->begin = s->pos;
    return request && s->begin <= 2 * LEADING_CRLFS_MAX
               ? 0
               : fail(s, request ? OCF_H1_E_LEADING_CRLF : OCF_H1_E_START_LINE);
  }
  s->n_lines++;
  if (s->n_lines - 1 > OCF_MIN(lim->fields_max, (uint32_t)OCF_H1_FIELDS_MAX))
    return fail(s, OCF_H1_E_TOO_MANY_FIELDS);
  return 0;
}

int ocf_h1_scan_head(struct ocf_h1_scan *s, const uint8_t *p, size_t n, bool request,
                     const struct ocf_h1_limits *lim)
{
  if (s->error != OCF_H1_E_NONE)
    return OCF_EPROTO;
  for (;;) {
    enum ocf_h1_error e;
    const size_t max = bound(s, request, lim, &e), m = OCF_MIN(n, max);
    if (s->pos < m)
      s->pos += (uint32_t)ocf_h1_span_value(p + s->pos, m - s->pos);
    if (s->pos + 1 >= max)
      return fail(s, e);
    if (s->pos < m && p[s->pos] != '\r')
      return fail(s, bad_byte(p[s->pos]));
    if (s->pos + 1 >= m)
      return OCF_EAGAIN;
    if (p[s->pos + 1] != '\n')
      return fail(s, OCF_H1_E_BARE_CR);
    const int rc = line_end(s, request, lim);
    if (rc != 0)
      return rc > 0 ? 0 : rc;
  }
}
