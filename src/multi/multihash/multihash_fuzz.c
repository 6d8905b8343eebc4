/* Oracle: a parsed multihash is made of exactly the bytes it took; a prefix that was complete stays
 * so; hashing the rest of the input gives a multihash that verifies against it and nothing shorter.
 */
#include <string.h>

#include "multi/multihash/multihash.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_sum(uint64_t code, struct ocf_bytes data)
{
  uint8_t b[1100];
  size_t n = 0;
  struct ocf_multihash mh;
  int rc = ocf_multihash_sum(code, data, b, sizeof(b), &n);
  OCF_ASSERT(rc == 0 || rc == OCF_EUNSUPP);
  if (rc != 0)
    return;
  OCF_ASSERT(ocf_multihash_cast(ocf_bytes(b, n), &mh) == 0 && mh.code == code);
  OCF_ASSERT(ocf_multihash_verify(&mh, data) == 0);
  if (data.n > 0)
    OCF_ASSERT(ocf_multihash_verify(&mh, ocf_bytes(data.p, data.n - 1)) == OCF_ECRYPTO);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  uint8_t b[1100];
  struct ocf_multihash mh, again;
  size_t used = 0, m = 0;
  if (n > 1024 || ocf_multihash_parse(ocf_bytes(d, n), &mh, &used) != 0)
    return 0;
  OCF_ASSERT(used <= n && mh.digest.p >= d && mh.digest.p + mh.digest.n == d + used);
  OCF_ASSERT(ocf_multihash_encode(mh, b, sizeof(b), &m) == 0);
  OCF_ASSERT(ocf_bytes_eq(ocf_bytes(b, m), ocf_bytes(d, used)));
  OCF_ASSERT((ocf_multihash_cast(ocf_bytes(d, n), &again) == 0) == (used == n));
  OCF_ASSERT(ocf_multihash_cast(ocf_bytes(d, used), &again) == 0 && again.code == mh.code);
  OCF_ASSERT(ocf_multihash_cast(ocf_bytes(d, used - 1), &again) != 0);
  int rc = ocf_multihash_verify(&mh, ocf_bytes(d + used, n - used));
  OCF_ASSERT(rc == 0 || rc == OCF_ECRYPTO || rc == OCF_EUNSUPP);
  check_sum(mh.code, ocf_bytes(d + used, n - used));
  return 0;
}
