/* Classes of bytes in HTTP/1.1 heads. For the .c files of this module only. */
#ifndef OCF_HTTP_H1_CHARS_H
#define OCF_HTTP_H1_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
  OCF_H1_CH_TOKEN = 1,
  OCF_H1_CH_VALUE = 2,  /* in a field value: HT, SP, visible, 0x80 and above */
  OCF_H1_CH_TARGET = 4, /* visible ASCII without '#' */
  OCF_H1_CH_HOST = 8,
  OCF_H1_CH_HEX = 16,
  OCF_H1_CH_UNDERSCORE = 32,
  OCF_H1_CH_PLAIN =
      64, /* in a path, and needs no second look: TARGET without '%', '?', '.', backslash */
};

extern const uint8_t ocf_h1_chars[256];

static inline bool ocf_h1_is(uint8_t c, unsigned classes)
{
  return (ocf_h1_chars[c] & classes) != 0;
}

/* How many bytes at the beginning of p[0..n) have one of `classes`. */
static inline size_t ocf_h1_span(const uint8_t *p, size_t n, unsigned classes)
{
  size_t i = 0;
  while (i < n && (ocf_h1_chars[p[i]] & classes) != 0)
    i++;
  return i;
}

#define OCF_H1_EVERY_BYTE(v) (UINT64_MAX / 255 * (v))

/* As ocf_h1_span() for OCF_H1_CH_VALUE, eight bytes at a time: a word is left to the table when one
 * of its bytes is below 0x20 or is 0x7f. */
static inline size_t ocf_h1_span_value(const uint8_t *p, size_t n)
{
  size_t i = 0;
  for (;;) {
    uint64_t x;
    while (n - i >= sizeof(x)) {
      memcpy(&x, p + i, sizeof(x));
      const uint64_t del = x ^ OCF_H1_EVERY_BYTE(0x7fu);
      const uint64_t bad =
          ((x - OCF_H1_EVERY_BYTE(0x20u)) & ~x) | ((del - OCF_H1_EVERY_BYTE(1u)) & ~del);
      if ((bad & OCF_H1_EVERY_BYTE(0x80u)) != 0)
        break;
      i += sizeof(x);
    }
    const size_t word_end = n - i < sizeof(x) ? n : i + sizeof(x);
    while (i < word_end && (ocf_h1_chars[p[i]] & OCF_H1_CH_VALUE) != 0)
      i++;
    if (i < word_end || i == n)
      return i;
  }
}

static inline bool ocf_h1_is_ows(uint8_t c)
{
  return c == ' ' || c == '\t';
}

/* The value of a hexadecimal digit, or -1. */
static inline int ocf_h1_hex(uint8_t c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  const int l = c | 0x20;
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

static inline uint8_t ocf_h1_lower(uint8_t c)
{
  return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

#endif
