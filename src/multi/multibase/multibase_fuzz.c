/* Oracle: text that decodes, encoded again with its prefix, has the same length and decodes to the
 * same bytes; unknown prefixes are refused whatever follows; encoding any bytes comes back. */
#include <string.h>

#include "multi/multibase/multibase.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static uint8_t bytes[4096], back[4096];
  static char text[8192];
  enum ocf_basex base;
  size_t len = 0, text_n = 0, back_n = 0;

  if (n > 2048)
    return 0;
  int rc = ocf_multibase_decode(ocf_bytes(d, n), bytes, sizeof(bytes), &len);
  OCF_ASSERT(n > 0 || rc == OCF_EINVAL);
  if (n == 0)
    return 0;
  if (ocf_multibase_lookup((char)d[0], &base) != 0) {
    OCF_ASSERT(rc == OCF_EUNSUPP);
    return 0;
  }
  if (rc == 0) {
    OCF_ASSERT(
        ocf_multibase_encode((char)d[0], ocf_bytes(bytes, len), text, sizeof(text), &text_n) == 0);
    OCF_ASSERT(text_n == n && strlen(text) == n);
    OCF_ASSERT(ocf_multibase_decode(ocf_bytes(text, text_n), back, sizeof(back), &back_n) == 0);
    OCF_ASSERT(ocf_bytes_eq(ocf_bytes(bytes, len), ocf_bytes(back, back_n)));
  }
  rc = ocf_multibase_encode((char)d[0], ocf_bytes(d + 1, n - 1), text, sizeof(text), &text_n);
  if (rc != 0 || n == 1)
    return 0;
  OCF_ASSERT(ocf_multibase_decode(ocf_bytes(text, text_n), back, n - 1, &back_n) == 0);
  OCF_ASSERT(ocf_bytes_eq(ocf_bytes(d + 1, n - 1), ocf_bytes(back, back_n)));
  return 0;
}
