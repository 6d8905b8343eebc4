/* The delta inside a block, and the broadcast that announces blocks. Protobuf as Go reads it.
 *
 *   Delta     1 repeated Element elements, 2 repeated Element tombstones, 3 uint64 priority
 *   Element   1 string key, 2 string id, 3 bytes value
 *   Broadcast 1 repeated Head heads;  Head  1 bytes cid
 *
 * Unknown fields inside these are skipped, groups included, except at the top of a broadcast, where
 * their bytes stand for one CID (a rule from before broadcasts were messages). Text that is not
 * UTF-8 is refused, as Go does. Views only; no allocation except in the caller's buffers. Private
 * to the module. */
#ifndef OCF_CRDT_MERKLE_DELTA_H
#define OCF_CRDT_MERKLE_DELTA_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "fmt/pb/pb.h"
#include "multi/cid/cid.h"

enum { OCF_MERKLE_ELEMENTS = 1, OCF_MERKLE_TOMBSTONES = 2 };

struct ocf_merkle_delta {
  struct ocf_bytes bytes;
  uint64_t priority;
  size_t n[3]; /* by OCF_MERKLE_ELEMENTS and OCF_MERKLE_TOMBSTONES */
};

struct ocf_merkle_element {
  struct ocf_bytes key, id, value; /* `p` NULL when the field is absent */
};

/* As ocf_pb_next(), and groups are skipped as a whole instead of refused. */
OCF_NODISCARD int ocf_merkle_pb_next(struct ocf_pb_reader *r, struct ocf_pb_field *f);

/* Checks a whole delta. 0, or OCF_EINVAL for what Go refuses. Borrows `bytes`. */
OCF_NODISCARD int ocf_merkle_delta_parse(struct ocf_bytes bytes, struct ocf_merkle_delta *out);

/* Walks the elements or the tombstones (`which`) of a parsed delta. */
struct ocf_merkle_delta_iter {
  struct ocf_pb_reader r;
  uint32_t which;
};
static inline struct ocf_merkle_delta_iter ocf_merkle_delta_iter(const struct ocf_merkle_delta *d,
                                                                 uint32_t which)
{
  return (struct ocf_merkle_delta_iter){ ocf_pb_read(d->bytes), which };
}
bool ocf_merkle_delta_next(struct ocf_merkle_delta_iter *it, struct ocf_merkle_element *out);

/* Appends one element or tombstone, absent fields left out; then, once, the priority. 0, OCF_ELIMIT
 * or OCF_ENOMEM: nothing appended. */
OCF_NODISCARD int ocf_merkle_delta_add(struct ocf_buf *b, uint32_t which,
                                       const struct ocf_merkle_element *e);
OCF_NODISCARD int ocf_merkle_delta_end(struct ocf_buf *b, uint64_t priority);

/* A checked broadcast: either the listed heads or one CID in the old form. */
struct ocf_merkle_heads {
  struct ocf_pb_reader r;
  struct ocf_cid legacy;
  bool is_legacy;
};

/* Checks a whole broadcast. 0; OCF_EINVAL: to be dropped. Borrows `payload`. */
OCF_NODISCARD int ocf_merkle_heads_parse(struct ocf_bytes payload, struct ocf_merkle_heads *out);
/* The next CID; false at the end. */
bool ocf_merkle_heads_next(struct ocf_merkle_heads *h, struct ocf_cid *cid);
/* Appends one head to a broadcast. 0, OCF_ELIMIT, OCF_ENOMEM. */
OCF_NODISCARD int ocf_merkle_heads_add(struct ocf_buf *b, struct ocf_bytes cid);

#endif
