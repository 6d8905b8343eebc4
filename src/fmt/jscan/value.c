/* What numbers and names mean. */
#include <stdlib.h>
#include <string.h>

#include "fmt/jscan/jscan_int.h"

/* The place after a digit. */
static uint8_t after_digit(uint8_t part, uint8_t c)
{
  switch (part) {
  case OCF_JSCAN_N_SIGN:
  case OCF_JSCAN_N_FIRST: return c == '0' ? OCF_JSCAN_N_ZERO : OCF_JSCAN_N_INT;
  case OCF_JSCAN_N_INT: return OCF_JSCAN_N_INT;
  case OCF_JSCAN_N_DOT:
  case OCF_JSCAN_N_FRAC: return OCF_JSCAN_N_FRAC;
  case OCF_JSCAN_N_E:
  case OCF_JSCAN_N_E_SIGN:
  case OCF_JSCAN_N_EXP: return OCF_JSCAN_N_EXP;
  default: return OCF_JSCAN_N_NONE; /* after a zero */
  }
}

uint8_t ocf_jscan_number_step(uint8_t part, uint8_t c)
{
  bool integer = part == OCF_JSCAN_N_INT || part == OCF_JSCAN_N_ZERO;
  if (c >= '0' && c <= '9')
    return after_digit(part, c);
  if (c == '-' && part == OCF_JSCAN_N_SIGN)
    return OCF_JSCAN_N_FIRST;
  if (c == '.' && integer)
    return OCF_JSCAN_N_DOT;
  if ((c == 'e' || c == 'E') && (integer || part == OCF_JSCAN_N_FRAC))
    return OCF_JSCAN_N_E;
  if ((c == '+' || c == '-') && part == OCF_JSCAN_N_E)
    return OCF_JSCAN_N_E_SIGN;
  return OCF_JSCAN_N_NONE;
}

bool ocf_jscan_number_ends(uint8_t part)
{
  return part == OCF_JSCAN_N_ZERO || part == OCF_JSCAN_N_INT || part == OCF_JSCAN_N_FRAC ||
         part == OCF_JSCAN_N_EXP;
}

/* The place at the end of `text`; N_NONE when a byte does not belong. */
static uint8_t number_shape(struct ocf_bytes text)
{
  uint8_t part = OCF_JSCAN_N_SIGN;
  for (size_t i = 0; i < text.n && part != OCF_JSCAN_N_NONE; i++)
    part = ocf_jscan_number_step(part, text.p[i]);
  return part;
}

int ocf_jscan_i64(struct ocf_bytes text, int64_t *out)
{
  uint8_t shape = number_shape(text);
  bool negative = text.n > 0 && text.p[0] == '-';
  uint64_t v = 0, max = (uint64_t)INT64_MAX + negative;
  if (shape != OCF_JSCAN_N_ZERO && shape != OCF_JSCAN_N_INT)
    return OCF_EINVAL;
  for (size_t i = negative; i < text.n; i++) {
    unsigned digit = text.p[i] - (unsigned)'0';
    if (v > (max - digit) / 10)
      return OCF_ERANGE;
    v = v * 10 + digit;
  }
  *out = negative && v > 0 ? -(int64_t)(v - 1) - 1 : (int64_t)v;
  return 0;
}

/* DBL_MAX of <float.h>. */
#define DOUBLE_MAX 1.7976931348623157e308

/* strtod() is the C library's correctly rounded one; nothing in this program sets a numeric locale,
 * so its decimal point is '.'. */
int ocf_jscan_double(struct ocf_bytes text, double *out)
{
  char s[OCF_JSCAN_NUMBER_MAX + 1];
  if (text.n > OCF_JSCAN_NUMBER_MAX || !ocf_jscan_number_ends(number_shape(text)))
    return OCF_EINVAL;
  memcpy(s, text.p, text.n);
  s[text.n] = '\0';
  double v = strtod(s, NULL);
  if (!(v >= -DOUBLE_MAX && v <= DOUBLE_MAX))
    return OCF_ERANGE;
  *out = v;
  return 0;
}

bool ocf_jscan_is_blank(struct ocf_bytes b)
{
  for (size_t i = 0; i < b.n; i++)
    if (b.p[i] != ' ' && b.p[i] != '\t' && b.p[i] != '\n' && b.p[i] != '\r')
      return false;
  return true;
}

static uint8_t lower(uint8_t c)
{
  return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* The ASCII letter that the front of `*key` folds to, taken off; 0xff for what folds to none. */
static uint8_t take_folded(struct ocf_bytes *key)
{
  size_t n = 1;
  uint8_t c = lower(key->p[0]);
  if (key->n >= 2 && memcmp(key->p, "\xc5\xbf", 2) == 0) {
    c = 's'; /* U+017F, long s */
    n = 2;
  } else if (key->n >= 3 && memcmp(key->p, "\xe2\x84\xaa", 3) == 0) {
    c = 'k'; /* U+212A, the kelvin sign */
    n = 3;
  }
  *key = ocf_bytes(key->p + n, key->n - n);
  return c < 0x80 ? c : 0xff;
}

bool ocf_jscan_key_is(struct ocf_bytes key, const char *name)
{
  while (key.n > 0 && *name != '\0')
    if (take_folded(&key) != lower((uint8_t)*name++))
      return false;
  return key.n == 0 && *name == '\0';
}
