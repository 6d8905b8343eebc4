/* Content identifiers, versions 0 and 1: what a block is called.
 *
 * `struct ocf_cid` is a view: it borrows the bytes it was parsed from. Text goes through an array
 * of the caller. No allocation, no state; safe from any thread. Spec: multiformats/cid. Version 0
 * is a bare sha2-256 multihash of 34 bytes and means codec dag-pb. */
#ifndef OCF_MULTI_CID_CID_H
#define OCF_MULTI_CID_CID_H

#include "base/core/core.h"
#include "multi/multihash/multihash.h"

enum {
  OCF_CID_RAW = 0x55,
  OCF_CID_DAG_PB = 0x70,
  OCF_CID_LIBP2P_KEY = 0x72,
  OCF_CID_BLOCK_SIZE = 36, /* bytes of a version 1 CID with a one-byte codec and sha2-256 */
};

struct ocf_cid {
  struct ocf_bytes bytes; /* the whole CID as sent */
  uint8_t version;        /* 0 or 1 */
  uint64_t codec;         /* OCF_CID_DAG_PB for version 0 */
  struct ocf_multihash hash;
  struct ocf_bytes hash_bytes; /* the multihash as bytes: the tail of `bytes` */
};

/* Reads the CID at the start of `in`; `cid->bytes.n` is how much it took. 0 or OCF_EINVAL. */
OCF_NODISCARD int ocf_cid_parse(struct ocf_bytes in, struct ocf_cid *cid);
/* As ocf_cid_parse, and nothing may follow it. */
OCF_NODISCARD int ocf_cid_cast(struct ocf_bytes in, struct ocf_cid *cid);

/* Text into `dst` (text.n bytes of room are always enough) and a view of it into `*cid`. Takes
 * "Qm..." of 46 characters as base58btc version 0, everything else as multibase; like Go it also
 * takes a version 0 CID behind a multibase prefix. 0, OCF_EINVAL, OCF_EUNSUPP (unknown base),
 * OCF_EAGAIN, OCF_ELIMIT. */
OCF_NODISCARD int ocf_cid_decode(struct ocf_bytes text, uint8_t *dst, size_t cap,
                                 struct ocf_cid *cid);
/* Text of a CID with a NUL; `*n` (may be NULL) is its length. Version 0 is always bare base58btc;
 * version 1 uses `prefix` (a multibase prefix; 0 means 'b', the customary base32). 0, OCF_EAGAIN,
 * OCF_EUNSUPP, OCF_ELIMIT. */
OCF_NODISCARD int ocf_cid_text(const struct ocf_cid *cid, char prefix, char *dst, size_t cap,
                               size_t *n);

/* Writes a version 1 CID from its parts; `*n` is its length. `hash_bytes` is a whole multihash and
 * must not overlap `dst`. 0, OCF_EINVAL (not a multihash), OCF_EAGAIN, OCF_ERANGE (codec over 63
 * bits). */
OCF_NODISCARD int ocf_cid_encode(uint64_t codec, struct ocf_bytes hash_bytes, uint8_t *dst,
                                 size_t cap, size_t *n);
/* The version 1 sha2-256 CID of a block. `codec` < 0x80. */
void ocf_cid_of_block(uint8_t codec, struct ocf_bytes data, uint8_t dst[OCF_CID_BLOCK_SIZE]);

/* Same bytes. A version 0 and a version 1 name of one block are different CIDs; compare hash_bytes
 * to ask whether they mean the same block. */
bool ocf_cid_eq(const struct ocf_cid *a, const struct ocf_cid *b);

#endif
