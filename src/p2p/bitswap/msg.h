/* The bitswap message. Internal to p2p/bitswap.
 *
 *   Message  1 Wantlist { 1 repeated Entry, 2 bool full }
 *            2 repeated bytes blocks          the form of 1.0.0 and before: CIDv0 blocks
 *            3 repeated Block { 1 prefix, 2 data }
 *            4 repeated Presence { 1 cid, 2 type: 0 HAVE, 1 DONT_HAVE }
 *            5 int32 pendingBytes             not looked at
 *   Entry    1 cid, 2 int32 priority, 3 bool cancel, 4 type: 0 block, 1 have, 5 bool sendDontHave
 *   prefix   version, codec, hash code, digest length, each a uvarint: a CID without its digest
 *
 * On the wire each message stands behind its uvarint length. A message of ours always holds a
 * wantlist, an empty one too: Go writes it so. */
#ifndef OCF_P2P_BITSWAP_MSG_H
#define OCF_P2P_BITSWAP_MSG_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "fmt/pb/pb.h"
#include "multi/cid/cid.h"

/* Checks a whole message. 0 and whether its wantlist replaces the former one, or OCF_EINVAL: not
 * protobuf, an entry or presence without a well-formed CID, a prefix cut short. Everything that
 * passes can be walked. */
OCF_NODISCARD int ocf_bitswap_msg_check(struct ocf_bytes msg, bool *full);

enum ocf_bitswap_item_type {
  OCF_BITSWAP_ITEM_ENTRY,
  OCF_BITSWAP_ITEM_BLOCK,
  OCF_BITSWAP_ITEM_PRESENCE,
};

/* Views of the message. */
struct ocf_bitswap_item {
  enum ocf_bitswap_item_type type;
  struct ocf_cid cid;             /* ENTRY, PRESENCE */
  bool cancel, have, send_dont;   /* ENTRY: `have` stands for every type but "block" */
  int32_t priority;               /* ENTRY */
  bool dont_have;                 /* PRESENCE */
  uint64_t hash_code, hash_bytes; /* BLOCK: from the prefix */
  struct ocf_bytes prefix;        /* BLOCK: {NULL, 0} in the old form */
  struct ocf_bytes data;          /* BLOCK */
};

struct ocf_bitswap_walk {
  struct ocf_pb_reader msg, list;
};

static inline struct ocf_bitswap_walk ocf_bitswap_walk(struct ocf_bytes msg)
{
  return (struct ocf_bitswap_walk){ ocf_pb_read(msg), ocf_pb_read(ocf_bytes(NULL, 0)) };
}

/* The next item of a checked message, in wire order. 1, 0 at the end, OCF_EINVAL where the check
 * would have failed. */
OCF_NODISCARD int ocf_bitswap_walk_next(struct ocf_bitswap_walk *w, struct ocf_bitswap_item *out);

/* ---- writing: elements of a message ---- */

struct ocf_bitswap_entry {
  struct ocf_bytes cid;
  int32_t priority;
  bool cancel, have, send_dont;
};

/* An Entry inside its Wantlist. */
void ocf_bitswap_put_entry(struct ocf_pb_writer *w, const struct ocf_bitswap_entry *e);
/* A Wantlist inside its message, made of `entries` as written by ocf_bitswap_put_entry(). */
void ocf_bitswap_put_wantlist(struct ocf_pb_writer *w, struct ocf_bytes entries, bool full);
/* A block named `cid`, in the form of 1.1.0 and later, or of before. */
void ocf_bitswap_put_block(struct ocf_pb_writer *w, const struct ocf_cid *cid,
                           struct ocf_bytes data, bool old_form);
void ocf_bitswap_put_presence(struct ocf_pb_writer *w, struct ocf_bytes cid, bool dont_have);

#endif
