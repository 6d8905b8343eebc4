/* Membership of the mesh: gossip, blocks, the replica and the node table, composed and wired to the
 * swarm's streams. What comes in by gossip ends as a snapshot of who offers what; what this node
 * offers goes out as its own record.
 *
 *   gossip message -> replica (heads) -> bitswap (missing blocks) -> replica (merge) -> table ->
 *   snapshot
 *
 * Our record is written when it changes, never on a timer: see ocf_mesh_offer(). A node whose store
 * is empty although its key is old waits until the replica has caught up (or SYNC_WAIT has passed),
 * so that its record wins over the one of its earlier life; when it is usurped it is written again.
 *
 * One per process: the control plane. Belongs to its loop; the snapshots alone may be read
 * elsewhere (registry/table/snapshot.h). Facts: ocf-network.md 1.4-1.12. */
#ifndef OCF_NODE_MESH_MESH_H
#define OCF_NODE_MESH_MESH_H

#include "base/core/core.h"
#include "crdt/kv/kv.h"
#include "crdt/merkle/merkle.h"
#include "crypto/key/key.h"
#include "node/loop/loop.h"
#include "p2p/bitswap/bitswap.h"
#include "p2p/gossipsub/gossipsub.h"
#include "p2p/swarm/swarm.h"
#include "registry/record/record.h"
#include "registry/table/table.h"

struct ocf_mesh;

enum ocf_mesh_leave_style {
  OCF_MESH_LEAVE_DELETE, /* as OCF nodes: the record is deleted */
  OCF_MESH_LEAVE_LEFT,   /* as OpenTela nodes: it is replaced by one of status "left" */
  OCF_MESH_LEAVE_NONE,   /* the record stays */
};

struct ocf_mesh_config {
  struct ocf_gossip_params gossip;
  struct ocf_gossip_score_params score;
  struct ocf_bitswap_config blocks; /* pointers are filled by the mesh */
  struct ocf_merkle_config replica; /* the same */
  struct ocf_table_options table;
  uint64_t ping_ns; /* between the pings on ocf-crdt-net; 0: none */
  enum ocf_mesh_leave_style leave;
  bool fresh_key;              /* the key was made at this start: nobody knows it */
  const struct ocf_key *key;   /* borrowed */
  struct ocf_kv *kv;           /* borrowed; NULL: a store in memory */
  void (*changed)(void *user); /* rows came or went; from inside a turn; may be NULL */
  void *changed_user;
  const char *role, *version, *owner;
  const char *public_address; /* IP or name told in the record; "" none */
  uint16_t public_port;       /* 0: none */
  const char *relay_peer;     /* who passes requests on to us, told in the record; "" none */
};

/* Defaults; pointers NULL or "". */
void ocf_mesh_config_init(struct ocf_mesh_config *cfg);

/* Stream protocols that the swarm must be told to accept; static. The index of one in this array is
 * what ocf_mesh_stream_in() takes. */
const struct ocf_bytes *ocf_mesh_protocols(size_t *n);

/* Borrows `loop` and `swarm`; copies `cfg`. 0, OCF_EINVAL, OCF_ENOMEM, OCF_EIO or OCF_EUNSUPP (the
 * store). */
OCF_NODISCARD int ocf_mesh_new(const struct ocf_mesh_config *cfg, struct ocf_loop *loop,
                               struct ocf_swarm *swarm, struct ocf_mesh **out);
/* The swarm's streams must not be used any more. Jobs under way must have ended. NULL is fine. */
void ocf_mesh_free(struct ocf_mesh *m);

/* ---- from the node ---- */

/* PEER_UP, PEER_IDENTIFIED, PEER_DOWN, DIAL_FAILED. */
void ocf_mesh_peer_event(struct ocf_mesh *m, const struct ocf_swarm_event *ev);
/* STREAM_IN of one of ours. Takes the stream over. */
void ocf_mesh_stream_in(struct ocf_mesh *m, const struct ocf_swarm_event *ev, size_t proto);

/* A request could not even be sent to `peer`: what was heard of it up to now does not count as life
 * any more, so that the next one does not go there before it was heard again. */
void ocf_mesh_unreachable(struct ocf_mesh *m, const struct ocf_peerid *peer);

/* ---- what this node offers ---- */

/* One service as it is told in the record. Views are borrowed for the call. */
struct ocf_mesh_service {
  const char *name;
  const char *host; /* as this node reaches it: "localhost" */
  uint16_t port;    /* 0: none (a unix socket) */
  const struct ocf_bytes *groups;
  size_t n_groups;
};

/* From now on this node offers exactly these. The record is written when it differs from the last
 * one. 0, OCF_ENOMEM, OCF_ELIMIT (record too large). */
OCF_NODISCARD int ocf_mesh_offer(struct ocf_mesh *m, const struct ocf_mesh_service *v, size_t n);
/* Takes our row out of the registry until something else is offered. */
void ocf_mesh_withdraw(struct ocf_mesh *m);
/* The record as it stands now: JSON, lent until the next call on the mesh. */
struct ocf_bytes ocf_mesh_record(const struct ocf_mesh *m);

/* Tells the mesh that this node leaves; nothing is offered any more. */
void ocf_mesh_leave(struct ocf_mesh *m);
/* Whether the leaving has reached another node, or there is none, or waiting has no point. */
bool ocf_mesh_left(struct ocf_mesh *m);

/* ---- looking ---- */

struct ocf_table *ocf_mesh_table(struct ocf_mesh *m);
struct ocf_snapshot_slot *ocf_mesh_slot(struct ocf_mesh *m);
/* Whether the replica has caught up with what the mesh announced. */
bool ocf_mesh_synced(const struct ocf_mesh *m);

struct ocf_mesh_stats {
  struct ocf_gossip_stats gossip;
  struct ocf_bitswap_stats blocks;
  struct ocf_merkle_stats replica;
  struct ocf_table_stats table;
  size_t n_jobs; /* verifications on other threads */
  bool store_failed;
};
void ocf_mesh_stats(const struct ocf_mesh *m, struct ocf_mesh_stats *out);
/* Verification jobs under way: the mesh must not be freed before they are back. */
size_t ocf_mesh_n_jobs(const struct ocf_mesh *m);

#endif
