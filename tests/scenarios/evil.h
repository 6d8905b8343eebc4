/* A member of the mesh that breaks its rules: gossip, blocks and records as a scenario likes them,
 * over a connection that is in order. */
#ifndef OCF_TESTS_SCENARIOS_EVIL_H
#define OCF_TESTS_SCENARIOS_EVIL_H

#include "base/ds/map.h"
#include "multi/cid/cid.h"
#include "reg.h"
#include "sim/peer.h"

struct evil {
  struct stage *st;
  struct ocf_sim_peer *peer;
  const struct ocf_sim_host *at;      /* whom it talks to */
  struct ocf_sim_peer_stream *gossip; /* ours; NULL: none */
  struct ocf_sim_peer_stream *blocks; /* ours, for bitswap */
  struct ocf_alloc alloc;
  struct ocf_map store; /* of what it serves; owned here */
  struct ocf_buf rpc;   /* the RPC being made */
  bool mute;            /* wants are not answered */
  bool lies;            /* a wrong block comes before each right one */
  uint64_t seqno, n_wants, n_served, n_gossip_lost, n_blocks_lost, n_downs;
};

/* A peer on a machine of its own. */
void evil_init(struct evil *e, struct stage *st);
void evil_fini(struct evil *e);
/* Connects to host `i`, subscribes to both topics and joins the mesh of the registry's; claims that
 * it works. */
void evil_meet(struct evil *e, size_t i);
/* Opens what was reset, connects again when it was thrown out. */
void evil_return(struct evil *e);

/* ---- gossip ---- */

enum evil_fault {
  EVIL_NONE,
  EVIL_BAD_SIGNATURE,
  EVIL_UNSIGNED,
  EVIL_OTHER_AUTHOR, /* signed by us, from host e->at */
  EVIL_NO_SEQNO,
  EVIL_FAULTS,
};
/* A message of ours. */
void evil_publish(struct evil *e, const char *topic, struct ocf_bytes data, enum evil_fault fault);
/* Bytes of an RPC, with a right length before them. */
void evil_rpc(struct evil *e, struct ocf_bytes rpc);
/* An RPC with one part of its control: `number` as in the protocol (1 IHAVE, 2 IWANT, 3 GRAFT,
 * 4 PRUNE, 5 IDONTWANT), and `n_ids` random message ids. */
void evil_control(struct evil *e, uint32_t number, const char *topic, size_t n_ids);
/* Tells of heads, in one message signed by us. */
void evil_announce(struct evil *e, const uint8_t (*cids)[OCF_CID_BLOCK_SIZE], size_t n);

/* ---- blocks ---- */

struct evil_entry {
  const char *key, *value; /* value NULL: nothing of the sort in the element */
  size_t value_n;          /* 0: the length of the text */
};
/* A block that it serves from now on; links to `n_links` others. */
void evil_block(struct evil *e, const struct evil_entry *v, size_t n, uint64_t priority,
                const uint8_t (*links)[OCF_CID_BLOCK_SIZE], size_t n_links,
                uint8_t cid[OCF_CID_BLOCK_SIZE]);
/* Any bytes as a block. */
void evil_raw_block(struct evil *e, struct ocf_bytes bytes, uint8_t cid[OCF_CID_BLOCK_SIZE]);
/* One block with one element, announced. */
void evil_put(struct evil *e, const char *key, const char *value, uint64_t priority);
/* A message of `n` wants for random blocks. */
void evil_want(struct evil *e, size_t n);

/* ---- records ---- */

/* The record that `id` would write, offering svc with `group`; `more` is further fields. */
void evil_record(char *out, size_t cap, const char *id, const char *group, const char *more);
/* A random peer id's text. */
void evil_random_id(struct evil *e, char out[OCF_PEERID_TEXT_SIZE]);

#endif
