/* Strings: the long ones are passed over a word at a time, the kept ones decoded unit by unit. */
#include <string.h>

#include "base/core/endian.h"
#include "fmt/jscan/jscan_int.h"

enum { PLAIN, ESCAPE, HEX }; /* s->part */

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u
enum { REPLACEMENT = 0xfffd };

/* Non-zero when the word holds a byte that ends a run: a quote, a backslash, a control character,
 * and with `high` also any byte outside of ASCII. The classic zero-byte test, three times. */
static inline uint64_t special(const uint8_t *p, uint64_t high)
{
  uint64_t w = ocf_get_le64(p);
  uint64_t quote = w ^ ONES * '"', slash = w ^ ONES * '\\';
  uint64_t found = (w - ONES * 0x20) & ~w;
  found |= (quote - ONES) & ~quote;
  found |= (slash - ONES) & ~slash;
  return (found & HIGHS) | (w & high);
}

/* How many bytes at the front of `b` end no run. */
static size_t run_length(struct ocf_bytes b, bool ascii_only)
{
  const uint64_t high = ascii_only ? HIGHS : 0;
  size_t i = 0;
  while (b.n - i >= 32 && (special(b.p + i, high) | special(b.p + i + 8, high) |
                           special(b.p + i + 16, high) | special(b.p + i + 24, high)) == 0)
    i += 32;
  while (b.n - i >= 8 && special(b.p + i, high) == 0)
    i += 8;
  while (i < b.n && b.p[i] >= 0x20 && b.p[i] != '"' && b.p[i] != '\\' &&
         (!ascii_only || b.p[i] < 0x80))
    i++;
  return i;
}

/* Keeps the unit whole or not at all; after the first that does not fit, nothing is kept. */
static void keep(struct ocf_jscan *s, const uint8_t *p, size_t n)
{
  if (s->truncated || n > s->cap - s->n) {
    s->truncated = true;
    return;
  }
  memcpy(s->buf + s->n, p, n);
  s->n += n;
}

static void keep_run(struct ocf_jscan *s, const uint8_t *p, size_t n)
{
  size_t fits = OCF_MIN(n, s->cap - s->n);
  if (fits > 0)
    memcpy(s->buf + s->n, p, fits);
  s->n += fits;
  s->truncated = fits < n;
}

static void keep_rune(struct ocf_jscan *s, uint32_t r)
{
  uint8_t u[4];
  size_t n = r < 0x80 ? 1 : r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
  static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
  for (size_t i = n - 1; i > 0; i--, r >>= 6)
    u[i] = (uint8_t)(0x80 | (r & 0x3f));
  u[0] = (uint8_t)(lead[n] | r);
  keep(s, u, n);
}

/* A half of a surrogate pair, or a beginning of a character, that found no continuation. */
static void flush_halves(struct ocf_jscan *s)
{
  if (s->high != 0)
    keep_rune(s, REPLACEMENT);
  s->high = 0;
  for (; s->n_utf8 > 0; s->n_utf8--)
    keep_rune(s, REPLACEMENT);
}

/* How many bytes the character has that begins with `c`; 0 for one that begins none. */
static unsigned utf8_length(uint8_t c)
{
  return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

/* Whether `c` may follow the first byte `lead` directly (Unicode 3.9, table 3-7). */
static bool utf8_second(uint8_t lead, uint8_t c)
{
  uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  return c >= low && c <= high;
}

/* One byte of a character outside of ASCII. Ill-formed bytes are replaced one by one, as Go does,
 * not by maximal parts. */
static void utf8_byte(struct ocf_jscan *s, uint8_t c)
{
  bool fits = s->n_utf8 == 1 ? utf8_second(s->utf8[0], c) : s->n_utf8 > 1 && (c & 0xc0) == 0x80;
  if (!fits)
    flush_halves(s);
  if (s->n_utf8 == 0 && utf8_length(c) == 0) {
    keep_rune(s, REPLACEMENT);
    return;
  }
  s->utf8[s->n_utf8++] = c;
  if (s->n_utf8 == utf8_length(s->utf8[0])) {
    keep(s, s->utf8, s->n_utf8);
    s->n_utf8 = 0;
  }
}

/* What a complete \uXXXX says. */
static void unicode_escape(struct ocf_jscan *s, uint32_t r)
{
  if (s->high != 0 && r >= 0xdc00 && r <= 0xdfff) {
    keep_rune(s, 0x10000 + ((s->high - 0xd800) << 10) + (r - 0xdc00));
    s->high = 0;
    return;
  }
  flush_halves(s);
  if (r >= 0xd800 && r <= 0xdbff)
    s->high = r;
  else
    keep_rune(s, r >= 0xdc00 && r <= 0xdfff ? REPLACEMENT : r);
}

static int escape_byte(struct ocf_jscan *s, uint8_t c)
{
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  if (c == 'u') {
    s->part = HEX;
    s->more = 4;
    s->code = 0;
    return 0;
  }
  const char *at = c == 0 ? NULL : strchr(names, c);
  if (at == NULL)
    return OCF_EINVAL;
  s->part = PLAIN;
  if (!s->skipping) {
    flush_halves(s);
    keep_rune(s, (uint8_t)values[at - names]);
  }
  return 0;
}

static int hex_byte(struct ocf_jscan *s, uint8_t c)
{
  uint8_t lower = c | 0x20;
  bool digit = c >= '0' && c <= '9';
  if (!digit && (lower < 'a' || lower > 'f'))
    return OCF_EINVAL;
  s->code = s->code << 4 | (uint32_t)(digit ? c - '0' : lower - 'a' + 10);
  if (--s->more > 0)
    return 0;
  s->part = PLAIN;
  if (!s->skipping)
    unicode_escape(s, s->code);
  return 0;
}

/* Takes what needs no look at single bytes. */
static void take_run(struct ocf_jscan *s, struct ocf_bytes *in)
{
  bool keeping = !s->skipping && !s->truncated;
  size_t n = run_length(*in, keeping);
  if (n > 0 && keeping) {
    flush_halves(s);
    if (!s->truncated)
      keep_run(s, in->p, n);
  }
  ocf_jscan_take(s, in, n);
}

/* A byte that take_run() left, other than the closing quote. */
static int special_byte(struct ocf_jscan *s, uint8_t c)
{
  if (s->part == ESCAPE)
    return escape_byte(s, c);
  if (s->part == HEX)
    return hex_byte(s, c);
  if (c < 0x20)
    return OCF_EINVAL;
  if (c == '\\')
    s->part = ESCAPE;
  else
    utf8_byte(s, c);
  return 0;
}

int ocf_jscan_string(struct ocf_jscan *s, struct ocf_bytes *in)
{
  for (;;) {
    if (s->part == PLAIN)
      take_run(s, in);
    if (in->n == 0)
      return 0;
    uint8_t c = *in->p;
    if (c == '"' && s->part == PLAIN)
      break;
    int rc = special_byte(s, c);
    if (rc != 0)
      return rc;
    ocf_jscan_take(s, in, 1);
  }
  ocf_jscan_take(s, in, 1);
  if (!s->skipping)
    flush_halves(s);
  return 1;
}
