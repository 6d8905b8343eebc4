/* The first byte picks the base. Oracle: bytes encoded come back; text that decodes is, apart from
 * the case of its letters, the one text of those bytes. */
#include <string.h>

#include "fmt/basex/basex.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static uint8_t lower(uint8_t c)
{
  return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static void check_bytes(enum ocf_basex base, struct ocf_bytes in)
{
  static char text[4096];
  static uint8_t back[4096];
  size_t n = 0, m = 0;
  int rc = ocf_basex_encode(base, in, text, sizeof(text), &n);
  OCF_ASSERT(rc == 0 || (rc == OCF_ELIMIT && in.n > OCF_BASEX_RADIX_MAX));
  if (rc != 0)
    return;
  OCF_ASSERT(strlen(text) == n && n < ocf_basex_text_size(base, in.n));
  OCF_ASSERT(ocf_basex_decode(base, ocf_bytes(text, n), back, n, &m) == 0);
  OCF_ASSERT(ocf_bytes_eq(ocf_bytes(back, m), in));
}

static void check_text(enum ocf_basex base, struct ocf_bytes in)
{
  static char text[8192];
  static uint8_t bytes[4096];
  size_t n = 0, m = 0;
  int rc = ocf_basex_decode(base, in, bytes, in.n, &n);
  OCF_ASSERT(rc != OCF_EAGAIN);
  if (rc != 0)
    return;
  OCF_ASSERT(ocf_basex_encode(base, ocf_bytes(bytes, n), text, sizeof(text), &m) == 0);
  OCF_ASSERT(m == in.n);
  bool fold = base < OCF_BASEX_58;
  for (size_t i = 0; i < m; i++) {
    uint8_t a = (uint8_t)text[i], b = in.p[i];
    OCF_ASSERT(fold ? lower(a) == lower(b) : a == b);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  if (n < 1 || n > 1025)
    return 0;
  enum ocf_basex base = (enum ocf_basex)(d[0] % OCF_BASEX_N);
  check_bytes(base, ocf_bytes(d + 1, n - 1));
  check_text(base, ocf_bytes(d + 1, n - 1));
  return 0;
}
