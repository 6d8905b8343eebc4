/* A strict JSON checker for the tests of the writer: true when the bytes are exactly one RFC 8259
 * text in well-formed UTF-8. Written apart from the writer, so that they do not share mistakes. */
#ifndef OCF_FMT_JSON_JSON_CHECK_H
#define OCF_FMT_JSON_JSON_CHECK_H

#include <string.h>

#include "base/core/core.h"

struct json_check {
  const uint8_t *p, *end;
  unsigned depth;
};

static inline bool json_check_value(struct json_check *c);

static inline bool json_check_eat(struct json_check *c, char want)
{
  if (c->p == c->end || *c->p != (uint8_t)want)
    return false;
  c->p++;
  return true;
}

static inline bool json_check_word(struct json_check *c, const char *word)
{
  size_t n = strlen(word);
  if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
    return false;
  c->p += n;
  return true;
}

static inline bool json_check_hex4(struct json_check *c)
{
  for (int i = 0; i < 4; i++, c->p++)
    if (c->p == c->end || *c->p == 0 || strchr("0123456789abcdefABCDEF", *c->p) == NULL)
      return false;
  return true;
}

/* Decodes one code point and judges the number, unlike the writer, which judges byte ranges. */
static inline bool json_check_utf8(struct json_check *c)
{
  static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
  uint8_t b = *c->p++;
  unsigned more = b >= 0xf0 ? 3 : b >= 0xe0 ? 2 : b >= 0xc0 ? 1 : 0;
  if (b < 0x80)
    return true;
  if (more == 0 || b >= 0xf8)
    return false;
  uint32_t v = b & (0x3fu >> more);
  for (unsigned i = 0; i < more; i++, c->p++) {
    if (c->p == c->end || (*c->p & 0xc0) != 0x80)
      return false;
    v = v << 6 | (*c->p & 0x3fu);
  }
  return v >= least[more] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff);
}

static inline bool json_check_string(struct json_check *c)
{
  if (!json_check_eat(c, '"'))
    return false;
  while (c->p < c->end && *c->p != '"') {
    if (*c->p < 0x20)
      return false;
    if (*c->p != '\\') {
      if (!json_check_utf8(c))
        return false;
      continue;
    }
    c->p++;
    if (c->p == c->end || *c->p == 0 || strchr("\"\\/bfnrtu", *c->p) == NULL)
      return false;
    if (*c->p++ == 'u' && !json_check_hex4(c))
      return false;
  }
  return json_check_eat(c, '"');
}

static inline bool json_check_number(struct json_check *c)
{
  const uint8_t *from;
  (void)json_check_eat(c, '-');
  from = c->p;
  while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
    c->p++;
  return c->p > from && (*from != '0' || c->p == from + 1);
}

static inline bool json_check_members(struct json_check *c, bool object)
{
  char close = object ? '}' : ']';
  c->p++;
  if (++c->depth > 1000)
    return false;
  if (!json_check_eat(c, close)) {
    do {
      if (object && (!json_check_string(c) || !json_check_eat(c, ':')))
        return false;
      if (!json_check_value(c))
        return false;
    } while (json_check_eat(c, ','));
    if (!json_check_eat(c, close))
      return false;
  }
  c->depth--;
  return true;
}

static inline bool json_check_value(struct json_check *c)
{
  if (c->p == c->end)
    return false;
  switch (*c->p) {
  case '{': return json_check_members(c, true);
  case '[': return json_check_members(c, false);
  case '"': return json_check_string(c);
  case 't': return json_check_word(c, "true");
  case 'f': return json_check_word(c, "false");
  case 'n': return json_check_word(c, "null");
  default: return json_check_number(c);
  }
}

static inline bool json_check(struct ocf_bytes text)
{
  struct json_check c = { text.p, text.p + text.n, 0 };
  return text.n > 0 && json_check_value(&c) && c.p == c.end;
}

#endif
