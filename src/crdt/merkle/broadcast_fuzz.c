/* Broadcasts: any bytes. What is taken names only well-formed CIDs, and a message made of them is
 * taken and names the same. */
#include "crdt/merkle/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
  struct ocf_merkle_heads h, again;
  struct ocf_cid cid, other;
  struct ocf_alloc a;
  struct ocf_buf b;
  if (ocf_merkle_heads_parse(ocf_bytes(p, n), &h) != 0)
    return 0;
  again = h;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 8 * n + 64);
  while (ocf_merkle_heads_next(&h, &cid)) {
    OCF_ASSERT(ocf_cid_cast(cid.bytes, &other) == 0);
    OCF_ASSERT(ocf_merkle_heads_add(&b, cid.bytes) == 0);
  }
  OCF_ASSERT(ocf_merkle_heads_parse(ocf_buf_view(&b), &h) == 0);
  while (ocf_merkle_heads_next(&again, &cid)) {
    OCF_ASSERT(ocf_merkle_heads_next(&h, &other));
    OCF_ASSERT(ocf_cid_eq(&cid, &other));
  }
  OCF_ASSERT(!ocf_merkle_heads_next(&h, &other));
  ocf_buf_fini(&b);
  return 0;
}
