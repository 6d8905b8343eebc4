#include "base/str/fmt.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ocf_fmt_init(struct ocf_fmt *f, char *p, size_t cap)
{
  OCF_ASSERT(cap > 0);
  *f = (struct ocf_fmt){ .p = p, .cap = cap };
  p[0] = '\0';
}

/* Bytes that still fit beside the NUL; none after a cut. */
static size_t room(const struct ocf_fmt *f)
{
  OCF_ASSERT(f->n < f->cap);
  return f->cut ? 0 : f->cap - 1 - f->n;
}

void ocf_fmt_bytes(struct ocf_fmt *f, const void *p, size_t n)
{
  size_t fits = OCF_MIN(n, room(f));
  if (fits < n)
    f->cut = true;
  if (fits == 0)
    return;
  memcpy(f->p + f->n, p, fits);
  f->n += fits;
  f->p[f->n] = '\0';
}

void ocf_fmt_whole(struct ocf_fmt *f, const void *p, size_t n)
{
  if (n > room(f))
    f->cut = true;
  else
    ocf_fmt_bytes(f, p, n);
}

void ocf_fmt_str(struct ocf_fmt *f, const char *s)
{
  ocf_fmt_bytes(f, s, strlen(s));
}

void ocf_fmt_printf(struct ocf_fmt *f, const char *fmt, ...)
{
  size_t fits = room(f);
  va_list ap;
  if (f->cut)
    return;
  va_start(ap, fmt);
  int n = vsnprintf(f->p + f->n, fits + 1, fmt, ap);
  va_end(ap);
  f->cut = n < 0 || (size_t)n > fits;
  f->n += n < 0 ? 0 : OCF_MIN((size_t)n, fits);
  f->p[f->n] = '\0';
}

void ocf_fmt_u64(struct ocf_fmt *f, uint64_t v)
{
  char digits[20];
  size_t at = sizeof(digits);
  do {
    digits[--at] = (char)('0' + v % 10);
    v /= 10;
  } while (v > 0);
  ocf_fmt_whole(f, digits + at, sizeof(digits) - at);
}

void ocf_fmt_padded(struct ocf_fmt *f, uint64_t v, size_t width)
{
  char digits[20];
  OCF_ASSERT(width > 0 && width <= sizeof(digits));
  for (size_t at = width; at > 0; v /= 10)
    digits[--at] = (char)('0' + v % 10);
  ocf_fmt_whole(f, digits, width);
}

void ocf_fmt_hex(struct ocf_fmt *f, struct ocf_bytes b)
{
  static const char digit[] = "0123456789abcdef";
  for (size_t i = 0; i < b.n && !f->cut; i++) {
    char two[2] = { digit[b.p[i] >> 4], digit[b.p[i] & 15] };
    ocf_fmt_whole(f, two, sizeof(two));
  }
}

void ocf_fmt_rewind(struct ocf_fmt *f, size_t n)
{
  OCF_ASSERT(n <= f->n);
  f->n = n;
  f->p[n] = '\0';
  f->cut = false;
}
