/* Oracle: the two rules agree where both accept, the minimal form is what the writer makes, and a
 * longer input never changes the answer of a shorter one that was complete. */
#include <string.h>

#include "fmt/varint/varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  uint64_t multi = 0, pb = 0, again = 0;
  uint8_t b[OCF_VARINT_MAX];
  int a = ocf_varint_get(d, n, &multi);
  int p = ocf_varint_get_pb(d, n, &pb);
  OCF_ASSERT(a < 0 || (p == a && multi == pb));
  if (a > 0) {
    OCF_ASSERT(ocf_varint_len(multi) == (size_t)a);
    OCF_ASSERT(ocf_varint_put(b, multi) == (size_t)a && memcmp(b, d, (size_t)a) == 0);
    OCF_ASSERT(ocf_varint_get(d, (size_t)a - 1, &again) == OCF_EAGAIN);
  }
  if (p > 0) {
    OCF_ASSERT(p <= OCF_VARINT_MAX && ocf_varint_len(pb) <= (size_t)p);
    OCF_ASSERT(ocf_varint_get_pb(d, (size_t)p, &again) == p && again == pb);
  }
  OCF_ASSERT(p != OCF_EINVAL && (p != OCF_ERANGE || n >= OCF_VARINT_MAX));
  return 0;
}
