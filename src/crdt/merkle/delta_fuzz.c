/* Deltas: any bytes. What is taken is written again, read again, and must be the same. */
#include <string.h>

#include "crdt/merkle/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool same(struct ocf_bytes a, struct ocf_bytes b)
{
  return (a.p == NULL) == (b.p == NULL) && ocf_bytes_eq(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
  struct ocf_merkle_delta d, again;
  struct ocf_merkle_element e, f;
  struct ocf_alloc a;
  struct ocf_buf b;
  if (ocf_merkle_delta_parse(ocf_bytes(p, n), &d) != 0)
    return 0;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 4 * n + 64);
  for (uint32_t which = 1; which <= 2; which++) {
    struct ocf_merkle_delta_iter it = ocf_merkle_delta_iter(&d, which);
    size_t count = 0;
    for (; ocf_merkle_delta_next(&it, &e); count++)
      OCF_ASSERT(ocf_merkle_delta_add(&b, which, &e) == 0);
    OCF_ASSERT(count == d.n[which]);
  }
  OCF_ASSERT(ocf_merkle_delta_end(&b, d.priority) == 0);
  OCF_ASSERT(ocf_merkle_delta_parse(ocf_buf_view(&b), &again) == 0);
  OCF_ASSERT(again.priority == d.priority);
  for (uint32_t which = 1; which <= 2; which++) {
    struct ocf_merkle_delta_iter x = ocf_merkle_delta_iter(&d, which);
    struct ocf_merkle_delta_iter y = ocf_merkle_delta_iter(&again, which);
    OCF_ASSERT(again.n[which] == d.n[which]);
    while (ocf_merkle_delta_next(&x, &e)) {
      OCF_ASSERT(ocf_merkle_delta_next(&y, &f));
      OCF_ASSERT(same(e.key, f.key) && same(e.id, f.id) && same(e.value, f.value));
    }
  }
  ocf_buf_fini(&b);
  return 0;
}
