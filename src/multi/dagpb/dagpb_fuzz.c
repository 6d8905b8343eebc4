/* The input is a block. Oracle: a walk shows n_links links, all views lie inside the block, and
 * what is written from them reads back the same. */
#include <string.h>

#include "multi/dagpb/dagpb.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static bool is_inside(struct ocf_bytes whole, struct ocf_bytes part)
{
  return part.p == NULL || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

enum { LINKS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static struct ocf_bytes links[LINKS_MAX];
  struct ocf_bytes block = ocf_bytes(d, n);
  struct ocf_dagpb_node node, back;
  struct ocf_dagpb_link l;
  struct ocf_alloc a;
  struct ocf_buf out;
  size_t n_links = 0;
  if (ocf_dagpb_decode(block, &node) != 0)
    return 0;
  struct ocf_dagpb_iter it = ocf_dagpb_iter(&node);
  while (ocf_dagpb_next(&it, &l)) {
    OCF_ASSERT(is_inside(block, l.cid.bytes) && is_inside(block, l.name));
    if (n_links < LINKS_MAX)
      links[n_links] = l.cid.bytes;
    n_links++;
  }
  OCF_ASSERT(n_links == node.n_links && is_inside(block, node.data));
  if (n_links > LINKS_MAX)
    return 0;
  ocf_alloc_init(&a);
  ocf_buf_init(&out, &a, 2 * n + 4096);
  OCF_ASSERT(ocf_dagpb_encode(links, n_links, node.data, &out) == 0);
  OCF_ASSERT(ocf_dagpb_decode(ocf_buf_view(&out), &back) == 0);
  OCF_ASSERT(back.n_links == n_links && ocf_bytes_eq(back.data, node.data));
  OCF_ASSERT((back.data.p == NULL) == (node.data.p == NULL));
  it = ocf_dagpb_iter(&back);
  for (size_t i = 0; ocf_dagpb_next(&it, &l); i++)
    OCF_ASSERT(ocf_bytes_eq(l.cid.bytes, links[i]));
  ocf_buf_fini(&out);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
