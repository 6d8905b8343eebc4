/* Event streams that pass by. */
#include "http/h1/sse.h"

#include <string.h>

void ocf_h1_sse_init(struct ocf_h1_sse *s)
{
  *s = (struct ocf_h1_sse){ 0 };
}

static bool line_is(const struct ocf_h1_sse *s, const char *text)
{
  return s->line_n == strlen(text) && memcmp(s->line, text, s->line_n) == 0;
}

static void line_end(struct ocf_h1_sse *s)
{
  if (s->line_n == 0) {
    s->n_events += s->open;
    s->open = false;
  } else if (s->line[0] != ':') {
    s->open = true;
    s->done = s->done || line_is(s, "data: [DONE]") || line_is(s, "data:[DONE]");
  }
  s->line_n = 0;
}

/* Bytes of one line, its end not among them. True when they belong to a field. */
static bool line_bytes(struct ocf_h1_sse *s, const uint8_t *p, size_t n)
{
  const size_t k = OCF_MIN(n, sizeof(s->line) - s->line_n);

  memcpy(s->line + s->line_n, p, k);
  s->line_n = (uint8_t)(s->line_n + k);
  return s->line[0] != ':';
}

/* Where the line that p[0..n) continues ends: the first LF or CR, or n. */
static size_t find_end(const uint8_t *p, size_t n)
{
  const uint8_t *lf = memchr(p, '\n', n);
  const size_t m = lf != NULL ? (size_t)(lf - p) : n;
  const uint8_t *cr = memchr(p, '\r', m);

  return cr != NULL ? (size_t)(cr - p) : m;
}

bool ocf_h1_sse_feed(struct ocf_h1_sse *s, const uint8_t *p, size_t n)
{
  bool content = false;

  for (size_t i = 0; i < n;) {
    if (s->cr && p[i] == '\n') { /* CR LF ends one line, not two */
      s->cr = false;
      i++;
      continue;
    }
    const size_t k = find_end(p + i, n - i);
    if (k > 0)
      content = line_bytes(s, p + i, k) || content;
    i += k;
    s->cr = i < n && p[i] == '\r';
    if (i < n) {
      line_end(s);
      i++;
    }
  }
  return content;
}

bool ocf_h1_sse_at_boundary(const struct ocf_h1_sse *s)
{
  return !s->open && s->line_n == 0;
}

int ocf_h1_sse_error(struct ocf_buf *out, const struct ocf_h1_sse *s,
                     const struct ocf_h1_problem *p)
{
  const size_t start = out->n;
  const bool begun = s != NULL && s->line_n > 0, comment = begun && s->line[0] == ':';

  if ((s != NULL && s->open) || (begun && !comment))
    return OCF_ESTATE;
  int rc = comment ? ocf_buf_add_str(out, "\n") : 0;
  if (rc == 0)
    rc = ocf_buf_add_str(out, "data: ");
  if (rc == 0)
    rc = ocf_h1_problem_json(out, p);
  if (rc == 0)
    rc = ocf_buf_add_str(out, "\n\n");
  if (rc != 0)
    out->n = start;
  return rc;
}
