#include "base/str/escape.h"

/* The number of bytes that a first byte promises; 0 for one that cannot stand first. */
static size_t promised(uint8_t b)
{
  if (b < 0x80)
    return 1;
  if (b < 0xc2 || b > 0xf4)
    return 0;
  return b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

size_t ocf_utf8_next(struct ocf_bytes s, uint32_t *cp)
{
  static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
  size_t n = promised(s.p[0]);
  if (n == 0 || n > s.n)
    return 0;
  uint32_t v = n == 1 ? s.p[0] : s.p[0] & (0x7fu >> n);
  for (size_t i = 1; i < n; i++) {
    if ((s.p[i] & 0xc0) != 0x80)
      return 0;
    v = v << 6 | (s.p[i] & 0x3fu);
  }
  if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
    return 0;
  *cp = v;
  return n;
}

bool ocf_utf8_ok(struct ocf_bytes s)
{
  uint32_t cp = 0;
  for (size_t n; s.n > 0; s.p += n, s.n -= n) {
    n = ocf_utf8_next(s, &cp);
    if (n == 0)
      return false;
  }
  return true;
}

static bool must_escape(uint32_t cp)
{
  return cp < 0x20 || cp == '"' || cp == '\\' || (cp >= 0x7f && cp <= 0x9f) || cp == 0x200e ||
         cp == 0x200f || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) ||
         cp == 0xfeff;
}

/* Writes the escape of `cp`, which is below U+10000, and returns its length. */
static size_t escape_of(uint32_t cp, char out[OCF_ESCAPE_UNIT_MAX])
{
  static const char digit[] = "0123456789abcdef";
  static const char named[] =
      "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs of a character and its short form */
  out[0] = '\\';
  for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
    if (cp == (uint32_t)named[i]) {
      out[1] = named[i + 1];
      return 2;
    }
  }
  out[1] = 'u';
  for (unsigned i = 0; i < 4; i++)
    out[2 + i] = digit[cp >> (12 - 4 * i) & 15];
  return 6;
}

/* How many bytes from the front need no look at all. */
static size_t plain_run(struct ocf_bytes s)
{
  size_t n = 0;
  while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\')
    n++;
  return n;
}

size_t ocf_escape(struct ocf_fmt *f, struct ocf_bytes s)
{
  size_t done = 0;
  while (done < s.n && !f->cut) {
    struct ocf_bytes rest = ocf_bytes(s.p + done, s.n - done);
    size_t before = f->n, n = plain_run(rest);
    if (n > 0) {
      ocf_fmt_bytes(f, rest.p, n);
      done += f->n - before;
      continue;
    }
    uint32_t cp = 0xfffd;
    char unit[OCF_ESCAPE_UNIT_MAX];
    n = ocf_utf8_next(rest, &cp);
    if (n > 0 && !must_escape(cp))
      ocf_fmt_whole(f, rest.p, n);
    else
      ocf_fmt_whole(f, unit, escape_of(cp, unit));
    done += f->cut ? 0 : OCF_MAX(n, (size_t)1);
  }
  return done;
}
