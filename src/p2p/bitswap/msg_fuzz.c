/* The input is a message without its length. Oracle: what passes the check walks to its end with
 * all views inside; what is written from the items reads back as the same items. */
#include <string.h>

#include "p2p/bitswap/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static bool is_inside(struct ocf_bytes whole, struct ocf_bytes part)
{
  return part.p == NULL || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_inside(struct ocf_bytes msg, const struct ocf_bitswap_item *i)
{
  OCF_ASSERT(is_inside(msg, i->cid.bytes) && is_inside(msg, i->prefix) && is_inside(msg, i->data));
  OCF_ASSERT(i->type == OCF_BITSWAP_ITEM_BLOCK || i->cid.bytes.n > 0);
}

/* Writes the entries and presences; of blocks only the old form, whose name is its content. */
static void write_items(struct ocf_bytes msg, bool full, struct ocf_buf *list, struct ocf_buf *out)
{
  struct ocf_pb_writer l = ocf_pb_write_buf(list), w = ocf_pb_write_buf(out);
  struct ocf_bitswap_item i;
  for (struct ocf_bitswap_walk k = ocf_bitswap_walk(msg); ocf_bitswap_walk_next(&k, &i) > 0;) {
    if (i.type == OCF_BITSWAP_ITEM_ENTRY) {
      struct ocf_bitswap_entry e = { i.cid.bytes, i.priority, i.cancel, i.have, i.send_dont };
      ocf_bitswap_put_entry(&l, &e);
    }
  }
  ocf_bitswap_put_wantlist(&w, ocf_buf_view(list), full);
  for (struct ocf_bitswap_walk k = ocf_bitswap_walk(msg); ocf_bitswap_walk_next(&k, &i) > 0;) {
    if (i.type == OCF_BITSWAP_ITEM_PRESENCE)
      ocf_bitswap_put_presence(&w, i.cid.bytes, i.dont_have);
    else if (i.type == OCF_BITSWAP_ITEM_BLOCK)
      ocf_bitswap_put_block(&w, NULL, i.data, true);
  }
  OCF_ASSERT(ocf_pb_end(&l, NULL) == 0 && ocf_pb_end(&w, NULL) == 0);
}

/* The next item of one kind. */
static bool next_of(struct ocf_bitswap_walk *k, enum ocf_bitswap_item_type type,
                    struct ocf_bitswap_item *i)
{
  while (ocf_bitswap_walk_next(k, i) > 0) {
    if (i->type == type)
      return true;
  }
  return false;
}

static void check_same(struct ocf_bytes a, struct ocf_bytes b)
{
  for (int t = OCF_BITSWAP_ITEM_ENTRY; t <= OCF_BITSWAP_ITEM_PRESENCE; t++) {
    enum ocf_bitswap_item_type type = (enum ocf_bitswap_item_type)t;
    struct ocf_bitswap_walk ka = ocf_bitswap_walk(a), kb = ocf_bitswap_walk(b);
    struct ocf_bitswap_item x, y;
    while (next_of(&ka, type, &x)) {
      OCF_ASSERT(next_of(&kb, type, &y));
      OCF_ASSERT(ocf_bytes_eq(x.cid.bytes, y.cid.bytes) && ocf_bytes_eq(x.data, y.data));
      OCF_ASSERT(x.priority == y.priority && x.cancel == y.cancel && x.have == y.have);
      OCF_ASSERT(x.send_dont == y.send_dont && x.dont_have == y.dont_have);
    }
    OCF_ASSERT(!next_of(&kb, type, &y));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_bytes msg = ocf_bytes(d, n);
  struct ocf_bitswap_walk w = ocf_bitswap_walk(msg);
  struct ocf_bitswap_item i;
  struct ocf_alloc a;
  struct ocf_buf list, out;
  bool full = false, full2 = false;
  int rc;
  while ((rc = ocf_bitswap_walk_next(&w, &i)) > 0)
    check_inside(msg, &i);
  OCF_ASSERT(ocf_bitswap_msg_check(msg, &full) == (rc == 0 ? 0 : OCF_EINVAL));
  if (rc != 0)
    return 0;
  ocf_alloc_init(&a);
  ocf_buf_init(&list, &a, 4 * n + 4096);
  ocf_buf_init(&out, &a, 8 * n + 4096);
  write_items(msg, full, &list, &out);
  OCF_ASSERT(ocf_bitswap_msg_check(ocf_buf_view(&out), &full2) == 0 && full == full2);
  check_same(msg, ocf_buf_view(&out));
  ocf_buf_fini(&list);
  ocf_buf_fini(&out);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
