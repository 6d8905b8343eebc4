/* dag-pb: blocks that link to other blocks, each holding some data. The registry's history is a DAG
 * of them.
 *
 *   PBNode   2 repeated PBLink links, written first; 1 bytes data
 *   PBLink   1 bytes hash (a CID), 2 string name, 3 uint64 tsize
 *
 * The name of a block is the hash of its bytes as they came: store and serve those, never what
 * ocf_dagpb_encode() would make of them. Views only, no allocation except in the caller's buffer,
 * no state; safe from any thread. Spec: ipld dag-pb, with the strictness of go-codec-dagpb. */
#ifndef OCF_MULTI_DAGPB_DAGPB_H
#define OCF_MULTI_DAGPB_DAGPB_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "fmt/pb/pb.h"
#include "multi/cid/cid.h"

struct ocf_dagpb_link {
  struct ocf_cid cid;    /* of what is linked to */
  struct ocf_bytes name; /* {NULL, 0} when absent; otherwise `p` is not NULL, even when empty */
  uint64_t tsize;        /* 0 when absent */
  bool has_tsize;
};

/* A decoded block. Views of the block's bytes. */
struct ocf_dagpb_node {
  struct ocf_bytes block; /* what was decoded */
  struct ocf_bytes data;  /* {NULL, 0} when absent; otherwise `p` is not NULL, even when empty */
  size_t n_links;
};

/* Reads and checks a whole block, all links included; an empty block is a node without links and
 * data. 0; OCF_EINVAL for whatever Go refuses: other fields or wire types, a second data, a second
 * run of links, a link whose fields repeat or are out of order, a link without a well-formed CID.
 * `*out` is untouched on failure; otherwise it borrows from `block`. The work is linear in block.n,
 * and so is n_links. */
OCF_NODISCARD int ocf_dagpb_decode(struct ocf_bytes block, struct ocf_dagpb_node *out);

/* Walks the links of a decoded node in their order. The node's block must still be there. */
struct ocf_dagpb_iter {
  struct ocf_pb_reader r;
};
static inline struct ocf_dagpb_iter ocf_dagpb_iter(const struct ocf_dagpb_node *node)
{
  return (struct ocf_dagpb_iter){ ocf_pb_read(node->block) };
}
/* The next link; false at the end. */
bool ocf_dagpb_next(struct ocf_dagpb_iter *it, struct ocf_dagpb_link *link);

/* Appends a block as Go's registry writes it: the links in the order given, each with an empty name
 * and a tsize of 0 written out, then the data. `links` are CIDs as bytes. `data.p` NULL: no data
 * field. 0; OCF_EINVAL when a link is not exactly one CID; OCF_ELIMIT, OCF_ENOMEM as ocf_buf_add().
 * On failure `out` is unchanged. */
OCF_NODISCARD int ocf_dagpb_encode(const struct ocf_bytes *links, size_t n_links,
                                   struct ocf_bytes data, struct ocf_buf *out);

/* The name of a block: version 1, dag-pb, sha2-256. */
static inline void ocf_dagpb_cid(struct ocf_bytes block, uint8_t dst[OCF_CID_BLOCK_SIZE])
{
  ocf_cid_of_block(OCF_CID_DAG_PB, block, dst);
}

#endif
