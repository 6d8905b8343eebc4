/* A second JSON reader for the tests of the lexer: recursive, over whole texts, in no hurry. It
 * writes the tokens it finds as lines, so that two readings can be compared. Written apart from the
 * lexer, so that they do not share mistakes: characters are judged by their numbers, not by byte
 * ranges. Tests only. */
#ifndef OCF_FMT_JSCAN_JSCAN_CHECK_H
#define OCF_FMT_JSCAN_JSCAN_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fmt/jscan/jscan.h"

enum { JSCAN_CHECK_OUT = 1 << 18 };

/* What was found: "<kind> <depth> <begin>-<end> <text in hex>[+]" per token. */
struct jscan_lines {
  char *p; /* of JSCAN_CHECK_OUT bytes */
  size_t n;
};

struct jscan_check {
  struct ocf_bytes text;
  size_t at, cap;
  unsigned depth, depth_max;
  struct jscan_lines *out;
  uint8_t kept[512];
  size_t n_kept;
  bool cut;
};

static inline void jscan_line(struct jscan_lines *l, enum ocf_jscan_kind kind, unsigned depth,
                              uint64_t begin, uint64_t end, struct ocf_bytes text, bool cut)
{
  OCF_ASSERT(l->n + 128 + 2 * text.n < JSCAN_CHECK_OUT);
  l->n += (size_t)snprintf(l->p + l->n, 100, "%d %u %" PRIu64 "-%" PRIu64 " ", (int)kind, depth,
                           begin, end);
  for (size_t i = 0; i < text.n; i++)
    l->n += (size_t)snprintf(l->p + l->n, 3, "%02x", text.p[i]);
  l->n += (size_t)snprintf(l->p + l->n, 3, cut ? "+\n" : "\n");
}

static inline int jscan_check_peek(const struct jscan_check *c, size_t ahead)
{
  return c->at + ahead < c->text.n ? c->text.p[c->at + ahead] : -1;
}

static inline void jscan_check_blanks(struct jscan_check *c)
{
  int b;
  while ((b = jscan_check_peek(c, 0)) == ' ' || b == '\t' || b == '\n' || b == '\r')
    c->at++;
}

static inline void jscan_check_keep(struct jscan_check *c, uint32_t rune)
{
  uint8_t u[4];
  size_t n = 0;
  if (rune < 0x80) {
    u[n++] = (uint8_t)rune;
  } else if (rune < 0x800) {
    u[n++] = (uint8_t)(0xc0 + rune / 64);
    u[n++] = (uint8_t)(0x80 + rune % 64);
  } else if (rune < 0x10000) {
    u[n++] = (uint8_t)(0xe0 + rune / 4096);
    u[n++] = (uint8_t)(0x80 + rune / 64 % 64);
    u[n++] = (uint8_t)(0x80 + rune % 64);
  } else {
    u[n++] = (uint8_t)(0xf0 + rune / 262144);
    u[n++] = (uint8_t)(0x80 + rune / 4096 % 64);
    u[n++] = (uint8_t)(0x80 + rune / 64 % 64);
    u[n++] = (uint8_t)(0x80 + rune % 64);
  }
  c->cut = c->cut || c->n_kept + n > c->cap;
  if (c->cut)
    return;
  memcpy(c->kept + c->n_kept, u, n);
  c->n_kept += n;
}

/* The four hex digits `ahead` bytes on; -1 when there are none. */
static inline int32_t jscan_check_hex4(const struct jscan_check *c, size_t ahead)
{
  int32_t v = 0;
  for (size_t i = 0; i < 4; i++) {
    int b = jscan_check_peek(c, ahead + i);
    const char *digits = "0123456789abcdef0123456789ABCDEF";
    const char *d = b > 0 ? strchr(digits, b) : NULL;
    if (d == NULL)
      return -1;
    v = v * 16 + (int32_t)((d - digits) % 16);
  }
  return v;
}

static inline bool jscan_check_unicode(struct jscan_check *c)
{
  int32_t first = jscan_check_hex4(c, 0);
  if (first < 0)
    return false;
  c->at += 4;
  if (first < 0xd800 || first > 0xdfff) {
    jscan_check_keep(c, (uint32_t)first);
    return true;
  }
  bool paired = first < 0xdc00 && jscan_check_peek(c, 0) == '\\' && jscan_check_peek(c, 1) == 'u';
  int32_t second = paired ? jscan_check_hex4(c, 2) : -1;
  if (second < 0xdc00 || second > 0xdfff) {
    jscan_check_keep(c, 0xfffd);
    return true;
  }
  c->at += 6;
  jscan_check_keep(c, (uint32_t)(0x10000 + (first - 0xd800) * 0x400 + (second - 0xdc00)));
  return true;
}

/* One character outside of ASCII, or one byte that is part of none. */
static inline void jscan_check_rune(struct jscan_check *c)
{
  static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
  int b = jscan_check_peek(c, 0);
  unsigned more = b >= 0xf8 ? 0 : b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : b >= 0xc0 ? 1 : 0;
  uint32_t v = (uint32_t)b & (0x3fu >> more);
  bool ok = more > 0;
  for (unsigned i = 1; i <= more && ok; i++) {
    int next = jscan_check_peek(c, i);
    ok = next >= 0 && next / 64 == 2;
    v = v * 64 + ((uint32_t)next & 0x3fu);
  }
  ok = ok && v >= least[more] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff);
  jscan_check_keep(c, ok ? v : 0xfffd);
  c->at += ok ? more + 1 : 1;
}

static inline bool jscan_check_string(struct jscan_check *c, enum ocf_jscan_kind kind)
{
  size_t begin = c->at++;
  int b;
  c->n_kept = 0;
  c->cut = false;
  while ((b = jscan_check_peek(c, 0)) != '"') {
    if (b < 0x20)
      return false;
    if (b >= 0x80) {
      jscan_check_rune(c);
      continue;
    }
    c->at++;
    if (b != '\\') {
      jscan_check_keep(c, (uint32_t)b);
      continue;
    }
    switch (b = jscan_check_peek(c, 0), c->at++, b) {
    case 'b': jscan_check_keep(c, 8); break;
    case 't': jscan_check_keep(c, 9); break;
    case 'n': jscan_check_keep(c, 10); break;
    case 'f': jscan_check_keep(c, 12); break;
    case 'r': jscan_check_keep(c, 13); break;
    case '"':
    case '\\':
    case '/': jscan_check_keep(c, (uint32_t)b); break;
    case 'u':
      if (!jscan_check_unicode(c))
        return false;
      break;
    default: return false;
    }
  }
  c->at++;
  jscan_line(c->out, kind, c->depth, begin, c->at, ocf_bytes(c->kept, c->n_kept), c->cut);
  return true;
}

static inline size_t jscan_check_digits(struct jscan_check *c)
{
  size_t from = c->at;
  while (jscan_check_peek(c, 0) >= '0' && jscan_check_peek(c, 0) <= '9')
    c->at++;
  return c->at - from;
}

static inline bool jscan_check_number(struct jscan_check *c)
{
  size_t begin = c->at;
  c->at += jscan_check_peek(c, 0) == '-';
  bool zero = jscan_check_peek(c, 0) == '0';
  size_t n = zero ? 1 : jscan_check_digits(c);
  c->at += zero;
  if (n > 0 && jscan_check_peek(c, 0) == '.') {
    c->at++;
    n = jscan_check_digits(c);
  }
  if (n > 0 && (jscan_check_peek(c, 0) | 0x20) == 'e') {
    c->at++;
    c->at += jscan_check_peek(c, 0) == '+' || jscan_check_peek(c, 0) == '-';
    n = jscan_check_digits(c);
  }
  size_t len = c->at - begin, kept = OCF_MIN(len, c->cap);
  if (n > 0)
    jscan_line(c->out, OCF_JSCAN_NUMBER, c->depth, begin, c->at, ocf_bytes(c->text.p + begin, kept),
               kept < len);
  return n > 0;
}

static inline bool jscan_check_word(struct jscan_check *c, const char *word,
                                    enum ocf_jscan_kind kind)
{
  size_t n = strlen(word);
  if (c->text.n - c->at < n || memcmp(c->text.p + c->at, word, n) != 0)
    return false;
  c->at += n;
  jscan_line(c->out, kind, c->depth, c->at - n, c->at, ocf_bytes(NULL, 0), false);
  return true;
}

static inline bool jscan_check_value(struct jscan_check *c);

/* After a bracket that opens: members or items, and the bracket that closes. */
static inline bool jscan_check_items(struct jscan_check *c, bool object)
{
  jscan_check_blanks(c);
  if (jscan_check_peek(c, 0) == (object ? '}' : ']'))
    return true;
  for (;; c->at++) {
    jscan_check_blanks(c);
    if (object) {
      if (jscan_check_peek(c, 0) != '"' || !jscan_check_string(c, OCF_JSCAN_KEY))
        return false;
      jscan_check_blanks(c);
      if (jscan_check_peek(c, 0) != ':')
        return false;
      c->at++;
    }
    if (!jscan_check_value(c))
      return false;
    jscan_check_blanks(c);
    if (jscan_check_peek(c, 0) != ',')
      return jscan_check_peek(c, 0) == (object ? '}' : ']');
  }
}

static inline bool jscan_check_container(struct jscan_check *c, bool object)
{
  if (c->depth == c->depth_max)
    return false;
  jscan_line(c->out, object ? OCF_JSCAN_OBJECT : OCF_JSCAN_ARRAY, c->depth, c->at, c->at + 1,
             ocf_bytes(NULL, 0), false);
  c->at++;
  c->depth++;
  if (!jscan_check_items(c, object))
    return false;
  c->depth--;
  c->at++;
  jscan_line(c->out, object ? OCF_JSCAN_OBJECT_END : OCF_JSCAN_ARRAY_END, c->depth, c->at - 1,
             c->at, ocf_bytes(NULL, 0), false);
  return true;
}

static inline bool jscan_check_value(struct jscan_check *c)
{
  jscan_check_blanks(c);
  switch (jscan_check_peek(c, 0)) {
  case '{': return jscan_check_container(c, true);
  case '[': return jscan_check_container(c, false);
  case '"': return jscan_check_string(c, OCF_JSCAN_STRING);
  case 't': return jscan_check_word(c, "true", OCF_JSCAN_TRUE);
  case 'f': return jscan_check_word(c, "false", OCF_JSCAN_FALSE);
  case 'n': return jscan_check_word(c, "null", OCF_JSCAN_NULL);
  default: return jscan_check_number(c);
  }
}

/* Reads the value at the front of `text`; strings are kept up to `cap` (<= 512) bytes. True when
 * there is one; its end line is written too. */
static inline bool jscan_check(struct ocf_bytes text, size_t cap, unsigned depth_max,
                               struct jscan_lines *out)
{
  struct jscan_check c = { .text = text, .cap = cap, .depth_max = depth_max, .out = out };
  if (!jscan_check_value(&c))
    return false;
  jscan_line(out, OCF_JSCAN_END, 0, c.at, c.at, ocf_bytes(NULL, 0), false);
  return true;
}

/* The lexer's reading of `text` in chunks of `step` bytes (0: all at once), as the same lines. What
 * the last call answered: 1 at the end of the value, or the error. */
static inline int jscan_lines(struct ocf_bytes text, size_t step, size_t cap, unsigned depth_max,
                              struct jscan_lines *out, uint64_t *offset)
{
  uint8_t buf[512];
  struct ocf_jscan s;
  struct ocf_jscan_token t = { .kind = OCF_JSCAN_NULL };
  size_t at = 0;
  int rc;
  ocf_jscan_init(&s, buf, cap, depth_max);
  do {
    size_t n = step == 0 ? text.n - at : OCF_MIN(step, text.n - at);
    struct ocf_bytes in = ocf_bytes(text.p + at, n);
    rc = at < text.n ? ocf_jscan_next(&s, &in, &t) : ocf_jscan_finish(&s, &t);
    at += n - in.n;
    OCF_ASSERT(ocf_jscan_offset(&s) == at);
    if (rc > 0)
      jscan_line(out, t.kind, t.depth, t.begin, t.end, t.text, t.truncated);
  } while (rc >= 0 && t.kind != OCF_JSCAN_END);
  *offset = ocf_jscan_offset(&s);
  return rc;
}

#endif
