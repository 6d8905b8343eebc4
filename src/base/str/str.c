#include "base/str/str.h"

#include <limits.h>
#include <string.h>

struct ocf_bytes ocf_str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

bool ocf_str_is(struct ocf_bytes a, const char *s)
{
  return ocf_bytes_eq(a, ocf_str(s));
}

bool ocf_str_eq_nocase(struct ocf_bytes a, struct ocf_bytes b)
{
  return a.n == b.n && ocf_str_starts_nocase(a, b);
}

bool ocf_str_is_nocase(struct ocf_bytes a, const char *s)
{
  return ocf_str_eq_nocase(a, ocf_str(s));
}

bool ocf_str_starts(struct ocf_bytes s, struct ocf_bytes prefix)
{
  return prefix.n <= s.n && ocf_bytes_eq(ocf_bytes(s.p, prefix.n), prefix);
}

bool ocf_str_starts_nocase(struct ocf_bytes s, struct ocf_bytes prefix)
{
  if (prefix.n > s.n)
    return false;
  for (size_t i = 0; i < prefix.n; i++) {
    if (ocf_ascii_lower(s.p[i]) != ocf_ascii_lower(prefix.p[i]))
      return false;
  }
  return true;
}

bool ocf_str_ends(struct ocf_bytes s, struct ocf_bytes suffix)
{
  if (suffix.n == 0)
    return true;
  return suffix.n <= s.n && memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0;
}

static bool is_ows(uint8_t c)
{
  return c == ' ' || c == '\t';
}

struct ocf_bytes ocf_str_trim(struct ocf_bytes s)
{
  while (s.n > 0 && is_ows(s.p[0]))
    s = ocf_bytes(s.p + 1, s.n - 1);
  while (s.n > 0 && is_ows(s.p[s.n - 1]))
    s.n--;
  return s;
}

size_t ocf_str_find(struct ocf_bytes s, uint8_t c)
{
  const uint8_t *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);
  return at == NULL ? s.n : (size_t)(at - s.p);
}

bool ocf_str_split(struct ocf_bytes *rest, uint8_t sep, struct ocf_bytes *part)
{
  if (rest->p == NULL)
    return false;
  size_t n = ocf_str_find(*rest, sep);
  *part = ocf_bytes(rest->p, n);
  *rest = n == rest->n ? ocf_bytes(NULL, 0) : ocf_bytes(rest->p + n + 1, rest->n - n - 1);
  return true;
}

static int parse_u64(struct ocf_bytes s, unsigned base, uint64_t max, uint64_t *out)
{
  uint64_t v = 0;
  bool over = false;
  if (s.n == 0)
    return OCF_EINVAL;
  for (size_t i = 0; i < s.n; i++) {
    int digit = ocf_hex_digit(s.p[i]);
    if (digit < 0 || (unsigned)digit >= base)
      return OCF_EINVAL;
    over = over || v > (UINT64_MAX - (unsigned)digit) / base;
    v = v * base + (unsigned)digit;
  }
  if (over || v > max)
    return OCF_ERANGE;
  *out = v;
  return 0;
}

int ocf_str_u64(struct ocf_bytes s, uint64_t max, uint64_t *out)
{
  return parse_u64(s, 10, max, out);
}

int ocf_str_hex_u64(struct ocf_bytes s, uint64_t max, uint64_t *out)
{
  return parse_u64(s, 16, max, out);
}

int ocf_hex_decode(struct ocf_bytes s, uint8_t *out, size_t cap)
{
  if (s.n % 2 != 0)
    return OCF_EINVAL;
  if (s.n / 2 > cap || s.n / 2 > INT_MAX)
    return OCF_ELIMIT;
  for (size_t i = 0; i < s.n / 2; i++) {
    int high = ocf_hex_digit(s.p[2 * i]), low = ocf_hex_digit(s.p[2 * i + 1]);
    if (high < 0 || low < 0)
      return OCF_EINVAL;
    out[i] = (uint8_t)(high << 4 | low);
  }
  return (int)(s.n / 2);
}
