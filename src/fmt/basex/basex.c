#include "fmt/basex/basex.h"

#include <string.h>

/* One row per enum ocf_basex. Bits 0 marks the radix forms. */
struct form {
  const char *digits;
  uint8_t radix;
  uint8_t bits;  /* per character; 0: radix conversion */
  uint8_t group; /* characters that padding fills up to; 0: no padding */
  bool fold;     /* decoding takes either case */
};

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define BASE58_UPPER "ABCDEFGHJKLMNPQRSTUVWXYZ"
#define BASE58_LOWER "abcdefghijkmnopqrstuvwxyz"

static const struct form forms[OCF_BASEX_N] = {
  [OCF_BASEX_HEX] = { "0123456789abcdef", 16, 4, 0, true },
  [OCF_BASEX_HEX_UPPER] = { "0123456789ABCDEF", 16, 4, 0, true },
  [OCF_BASEX_32] = { LOWER "234567", 32, 5, 0, true },
  [OCF_BASEX_32_UPPER] = { UPPER "234567", 32, 5, 0, true },
  [OCF_BASEX_32_PAD] = { LOWER "234567", 32, 5, 8, true },
  [OCF_BASEX_32_PAD_UPPER] = { UPPER "234567", 32, 5, 8, true },
  [OCF_BASEX_32HEX] = { "0123456789abcdefghijklmnopqrstuv", 32, 5, 0, true },
  [OCF_BASEX_32HEX_UPPER] = { "0123456789ABCDEFGHIJKLMNOPQRSTUV", 32, 5, 0, true },
  [OCF_BASEX_32HEX_PAD] = { "0123456789abcdefghijklmnopqrstuv", 32, 5, 8, true },
  [OCF_BASEX_32HEX_PAD_UPPER] = { "0123456789ABCDEFGHIJKLMNOPQRSTUV", 32, 5, 8, true },
  [OCF_BASEX_36] = { "0123456789" LOWER, 36, 0, 0, true },
  [OCF_BASEX_36_UPPER] = { "0123456789" UPPER, 36, 0, 0, true },
  [OCF_BASEX_58] = { "123456789" BASE58_UPPER BASE58_LOWER, 58, 0, 0, false },
  [OCF_BASEX_58_FLICKR] = { "123456789" BASE58_LOWER BASE58_UPPER, 58, 0, 0, false },
  [OCF_BASEX_64] = { UPPER LOWER "0123456789+/", 64, 6, 0, false },
  [OCF_BASEX_64_PAD] = { UPPER LOWER "0123456789+/", 64, 6, 4, false },
  [OCF_BASEX_64_URL] = { UPPER LOWER "0123456789-_", 64, 6, 0, false },
  [OCF_BASEX_64_URL_PAD] = { UPPER LOWER "0123456789-_", 64, 6, 4, false },
};

enum {
  NONE = 0xff,                                 /* not a digit */
  LIMBS = (OCF_BASEX_RADIX_TEXT_MAX * 6) / 32, /* base58 has under 6 bits a character */
};

static const struct form *form_of(enum ocf_basex base)
{
  OCF_ASSERT((unsigned)base < OCF_BASEX_N);
  return &forms[base];
}

static char other_case(char c)
{
  if (c >= 'a' && c <= 'z')
    return (char)(c - 'a' + 'A');
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void digit_table(const struct form *f, uint8_t table[256])
{
  memset(table, NONE, 256);
  for (uint8_t i = 0; i < f->radix; i++) {
    table[(uint8_t)f->digits[i]] = i;
    if (f->fold)
      table[(uint8_t)other_case(f->digits[i])] = i;
  }
}

/* ---- RFC 4648 ---- */

static size_t rfc_text_len(const struct form *f, size_t n)
{
  OCF_ASSERT(n <= SIZE_MAX / 16);
  size_t len = (n * 8 + f->bits - 1) / f->bits;
  return f->group != 0 ? (len + f->group - 1) / f->group * f->group : len;
}

static size_t rfc_encode(const struct form *f, struct ocf_bytes src, char *dst)
{
  unsigned acc = 0, n_bits = 0, mask = (1u << f->bits) - 1;
  size_t n = 0;
  for (size_t i = 0; i < src.n; i++) {
    acc = (acc << 8 | src.p[i]) & 0xffff; /* at most 5 + 8 bits are waiting */
    for (n_bits += 8; n_bits >= f->bits; n_bits -= f->bits)
      dst[n++] = f->digits[acc >> (n_bits - f->bits) & mask];
  }
  if (n_bits > 0)
    dst[n++] = f->digits[acc << (f->bits - n_bits) & mask];
  while (f->group != 0 && n % f->group != 0)
    dst[n++] = '=';
  return n;
}

/* The number of characters before the padding, or OCF_EINVAL through `*ok`. */
static size_t rfc_strip(const struct form *f, struct ocf_bytes text, bool *ok)
{
  size_t n = text.n;
  *ok = true;
  if (f->group == 0)
    return n;
  while (n > 0 && text.p[n - 1] == '=')
    n--;
  *ok = text.n % f->group == 0 && text.n - n < f->group;
  return n;
}

static int rfc_decode(const struct form *f, struct ocf_bytes text, uint8_t *dst, size_t cap,
                      size_t *n)
{
  uint8_t table[256];
  unsigned acc = 0, n_bits = 0;
  bool ok;
  size_t len = rfc_strip(f, text, &ok), done = 0;

  digit_table(f, table);
  for (size_t i = 0; ok && i < len; i++) {
    uint8_t d = table[text.p[i]];
    if (d == NONE)
      return OCF_EINVAL;
    acc = (acc << f->bits | d) & 0xffff;
    n_bits += f->bits;
    if (n_bits < 8)
      continue;
    n_bits -= 8;
    if (done == cap)
      return OCF_EAGAIN;
    dst[done++] = (uint8_t)(acc >> n_bits);
  }
  /* A whole character of spare bits means a length that no encoder makes. */
  if (!ok || n_bits >= f->bits || (acc & ((1u << n_bits) - 1)) != 0)
    return OCF_EINVAL;
  *n = done;
  return 0;
}

/* ---- radix forms: the bytes as one number, its leading zero bytes as leading zero digits ---- */

/* Several digits at a time: `step` digits fit 32 bits, and radix^step is `unit`. */
static void radix_step(const struct form *f, unsigned *step, uint32_t *unit)
{
  *step = f->radix == 36 ? 6 : 5;
  *unit = 1;
  for (unsigned i = 0; i < *step; i++)
    *unit *= f->radix;
}

static size_t count_leading(struct ocf_bytes s, uint8_t c)
{
  size_t n = 0;
  while (n < s.n && s.p[n] == c)
    n++;
  return n;
}

/* Little-endian limbs of a big-endian byte string. */
static size_t limbs_from_bytes(struct ocf_bytes src, uint32_t *limbs)
{
  size_t n = (src.n + 3) / 4;
  memset(limbs, 0, n * sizeof(*limbs));
  for (size_t i = 0; i < src.n; i++)
    limbs[i / 4] |= (uint32_t)src.p[src.n - 1 - i] << (8 * (i % 4));
  return n;
}

static uint32_t limbs_divide(uint32_t *limbs, size_t *n, uint32_t by)
{
  uint64_t rem = 0;
  for (size_t i = *n; i-- > 0;) {
    rem = rem << 32 | limbs[i];
    limbs[i] = (uint32_t)(rem / by);
    rem %= by;
  }
  while (*n > 0 && limbs[*n - 1] == 0)
    (*n)--;
  return (uint32_t)rem;
}

static void limbs_multiply_add(uint32_t *limbs, size_t *n, uint32_t by, uint32_t add)
{
  uint64_t carry = add;
  for (size_t i = 0; i < *n; i++) {
    carry += (uint64_t)limbs[i] * by;
    limbs[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry != 0) {
    OCF_ASSERT(*n < LIMBS);
    limbs[(*n)++] = (uint32_t)carry;
  }
}

static int radix_encode(const struct form *f, struct ocf_bytes src, char *dst, size_t cap,
                        size_t *n)
{
  uint32_t limbs[LIMBS], unit;
  uint8_t digits[OCF_BASEX_RADIX_TEXT_MAX]; /* lowest first */
  unsigned step;
  size_t n_digits = 0, zeros = count_leading(src, 0);

  if (src.n > OCF_BASEX_RADIX_MAX)
    return OCF_ELIMIT;
  radix_step(f, &step, &unit);
  size_t n_limbs = limbs_from_bytes(src, limbs);
  while (n_limbs > 0) {
    uint32_t rem = limbs_divide(limbs, &n_limbs, unit);
    OCF_ASSERT(n_digits + step <= sizeof(digits));
    for (unsigned i = 0; i < step; i++, rem /= f->radix)
      digits[n_digits++] = (uint8_t)(rem % f->radix);
  }
  while (n_digits > 0 && digits[n_digits - 1] == 0)
    n_digits--;
  if (zeros + n_digits >= cap)
    return OCF_EAGAIN;
  memset(dst, f->digits[0], zeros);
  for (size_t i = 0; i < n_digits; i++)
    dst[zeros + i] = f->digits[digits[n_digits - 1 - i]];
  *n = zeros + n_digits;
  return 0;
}

static int radix_decode(const struct form *f, struct ocf_bytes text, uint8_t *dst, size_t cap,
                        size_t *n)
{
  uint8_t table[256];
  uint32_t limbs[LIMBS], unit, chunk = 0, chunk_unit = 1;
  unsigned step;
  size_t n_limbs = 0, zeros = count_leading(text, (uint8_t)f->digits[0]);

  if (text.n > OCF_BASEX_RADIX_TEXT_MAX)
    return OCF_ELIMIT;
  digit_table(f, table);
  radix_step(f, &step, &unit);
  for (size_t i = zeros; i < text.n; i++) {
    uint8_t d = table[text.p[i]];
    if (d == NONE)
      return OCF_EINVAL;
    chunk = chunk * f->radix + d;
    chunk_unit *= f->radix;
    if (chunk_unit < unit && i + 1 < text.n)
      continue;
    limbs_multiply_add(limbs, &n_limbs, chunk_unit, chunk);
    chunk = 0;
    chunk_unit = 1;
  }
  size_t len = n_limbs * 4;
  while (len > 0 && (uint8_t)(limbs[(len - 1) / 4] >> (8 * ((len - 1) % 4))) == 0)
    len--;
  if (zeros + len > OCF_BASEX_RADIX_MAX)
    return OCF_ELIMIT;
  if (zeros + len > cap)
    return OCF_EAGAIN;
  if (zeros > 0)
    memset(dst, 0, zeros);
  for (size_t i = 0; i < len; i++)
    dst[zeros + len - 1 - i] = (uint8_t)(limbs[i / 4] >> (8 * (i % 4)));
  *n = zeros + len;
  return 0;
}

/* ---- */

size_t ocf_basex_text_size(enum ocf_basex base, size_t n)
{
  const struct form *f = form_of(base);
  if (f->bits != 0)
    return rfc_text_len(f, n) + 1;
  OCF_ASSERT(n <= SIZE_MAX / 16);
  return n * 8 / 5 + 2; /* log(256) / log(36) is 1.55 */
}

int ocf_basex_encode(enum ocf_basex base, struct ocf_bytes src, char *dst, size_t cap, size_t *n)
{
  const struct form *f = form_of(base);
  size_t len = 0;
  int rc = 0;
  if (f->bits == 0)
    rc = radix_encode(f, src, dst, cap, &len);
  else if (rfc_text_len(f, src.n) >= cap)
    rc = OCF_EAGAIN;
  else
    len = rfc_encode(f, src, dst);
  if (cap > 0)
    dst[rc == 0 ? len : 0] = '\0';
  if (rc == 0 && n != NULL)
    *n = len;
  return rc;
}

int ocf_basex_decode(enum ocf_basex base, struct ocf_bytes text, uint8_t *dst, size_t cap,
                     size_t *n)
{
  const struct form *f = form_of(base);
  return f->bits == 0 ? radix_decode(f, text, dst, cap, n) : rfc_decode(f, text, dst, cap, n);
}
