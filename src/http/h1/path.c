/* One reading of a path: checked and decoded by the same step, so that the two cannot differ. */
#include "http/h1/path.h"

#include "http/h1/chars.h"

/* Decodes the byte at s[*i] and moves on. -1 when it may not be in a path. */
static int next_byte(const uint8_t *s, size_t n, size_t *i)
{
  const uint8_t c = s[*i];
  int v = c;

  if (c == '%') {
    const int hi = n - *i > 2 ? ocf_h1_hex(s[*i + 1]) : -1;
    const int lo = n - *i > 2 ? ocf_h1_hex(s[*i + 2]) : -1;
    if (hi < 0 || lo < 0)
      return -1;
    v = hi << 4 | lo;
    *i += 3;
  } else {
    if (!ocf_h1_is(c, OCF_H1_CH_TARGET) || c == '?')
      return -1;
    *i += 1;
  }
  return v < 0x20 || v == 0x7f || v == '\\' ? -1 : v;
}

/* UTF-8, one byte at a time: overlong forms, surrogates and values over U+10FFFF are refused. */
struct utf8 {
  uint8_t more, lo, hi; /* continuation bytes to come, and what the next may be */
};

static bool utf8_step(struct utf8 *u, uint8_t c)
{
  if (u->more > 0) {
    if (c < u->lo || c > u->hi)
      return false;
    *u = (struct utf8){ (uint8_t)(u->more - 1), 0x80, 0xbf };
    return true;
  }
  if (c < 0x80)
    return true;
  if (c < 0xc2 || c > 0xf4)
    return false;
  u->more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  u->lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  u->hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  return true;
}

/* Notices what would decode a second time in a careless back end: '%' and two digits, however each
 * of them was written ("%2541", "%25%34%31"). `*place` is how much of that the decoded bytes end
 * in. */
static bool is_second_escape(unsigned *place, int v)
{
  if (v == '%')
    *place = 1;
  else if (*place == 0 || ocf_h1_hex((uint8_t)v) < 0)
    *place = 0;
  else
    ++*place;
  return *place == 3;
}

/* Walks one segment; `dst` may be NULL, to check only. */
static int walk(struct ocf_bytes seg, uint8_t *dst, size_t cap, size_t *n_out)
{
  struct utf8 u = { 0, 0, 0 };
  size_t i = 0, n = 0, piece = 0, dots = 0; /* of the piece since the last encoded slash */
  unsigned place = 0;

  while (i < seg.n) {
    const int v = next_byte(seg.p, seg.n, &i);
    if (v < 0 || !utf8_step(&u, (uint8_t)v) || is_second_escape(&place, v))
      return OCF_EINVAL;
    if (v == '/') {
      if (piece > 0 && piece <= 2 && dots == piece)
        return OCF_EINVAL;
      piece = dots = 0;
    } else {
      piece++;
      dots += v == '.';
    }
    if (dst != NULL && n == cap)
      return OCF_ELIMIT;
    if (dst != NULL)
      dst[n] = (uint8_t)v;
    n++;
  }
  if (u.more > 0 || (piece > 0 && piece <= 2 && dots == piece))
    return OCF_EINVAL;
  *n_out = n;
  return 0;
}

bool ocf_h1_path_next(struct ocf_bytes *rest, struct ocf_bytes *seg)
{
  if (rest->n == 0 || rest->p[0] != '/')
    return false;
  const uint8_t *slash = memchr(rest->p + 1, '/', rest->n - 1);
  const size_t n = slash != NULL ? (size_t)(slash - rest->p) : rest->n;
  *seg = ocf_bytes(rest->p + 1, n - 1);
  *rest = ocf_bytes(rest->p + n, rest->n - n);
  return true;
}

int ocf_h1_path_check(struct ocf_bytes path)
{
  struct ocf_bytes seg;
  size_t n;

  if (path.n == 0 || path.p[0] != '/')
    return OCF_EINVAL;
  if (ocf_h1_span(path.p, path.n, OCF_H1_CH_PLAIN) == path.n)
    return 0; /* most paths: nothing is encoded and no segment can be dots */
  while (ocf_h1_path_next(&path, &seg)) {
    if (walk(seg, NULL, 0, &n) != 0)
      return OCF_EINVAL;
  }
  return 0;
}

int ocf_h1_path_decode(struct ocf_bytes seg, uint8_t *dst, size_t cap, size_t *n)
{
  if (memchr(seg.p != NULL ? (const void *)seg.p : "", '/', seg.n) != NULL)
    return OCF_EINVAL; /* more than one segment */
  return walk(seg, dst, cap, n);
}

bool ocf_h1_path_eq(struct ocf_bytes seg, struct ocf_bytes text)
{
  size_t i = 0, k = 0;

  while (i < seg.n) {
    const int v = next_byte(seg.p, seg.n, &i);
    if (v < 0 || k == text.n || text.p[k] != (uint8_t)v)
      return false;
    k++;
  }
  return k == text.n;
}
