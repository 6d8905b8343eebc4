/* What the files of node/mesh share. pubsub.c and blocks.c put gossipsub and bitswap on streams,
 * registry.c brings messages to the replica and its changes to the table, self.c keeps our own
 * record, heads.c exchanges heads with nodes of ours, heard.c remembers who gave a sign of life,
 * mesh.c holds them together and gives each
 * turn its order. */
#ifndef OCF_NODE_MESH_MESH_INT_H
#define OCF_NODE_MESH_MESH_INT_H

#include "base/buf/buf.h"
#include "base/ds/list.h"
#include "base/ds/lru.h"
#include "base/ds/map.h"
#include "base/log/log.h"
#include "base/mem/alloc.h"
#include "base/time/time.h"
#include "multi/cid/cid.h"
#include "multi/maddr/maddr.h"
#include "multi/peerid/peerid.h"
#include "node/links/links.h"
#include "node/mesh/mesh.h"
#include "obs/metric/metric.h"

/* MESH_TURN_BYTES: of blocks; with more than that a turn would hold up all others. */
enum { MESH_TURN_BYTES = 256 * 1024 };
enum { MESH_PEERS_MAX = 4096, MESH_OPEN_S = 15, MESH_OFFENCES_MAX = 64 };
#define SYNC_WAIT_NS (8 * OCF_NS_PER_S)

struct mesh_peer;

/* Our own stream to a peer, of one kind. */
struct mesh_out {
  struct ocf_stream_user user;
  struct mesh_peer *peer;
  struct ocf_stream *s; /* NULL: none, or on its way */
  uint64_t ticket;
  unsigned proto; /* which of its kind was proposed */
  bool opening;
};

/* A connected peer that takes part in the mesh. */
struct mesh_peer {
  struct ocf_map_node node; /* in mesh.peers, keyed by the id's bytes */
  struct ocf_peerid id;
  struct ocf_mesh *mesh;
  struct mesh_out gossip, blocks;
  bool gossip_up, blocks_up;             /* known to the core */
  bool asked_heads, asked_again, joined; /* joined: our mesh, since heads_again was started */
  uint64_t told_blocks;                  /* how many we had when it was told our heads */
  uint64_t n_offences;                   /* of bitswap, on this connection */
};

/* A stream that a peer opened. */
struct mesh_in {
  struct ocf_stream_user user;
  struct ocf_list link; /* in mesh.ins */
  struct ocf_mesh *mesh;
  struct ocf_peerid peer;
  struct ocf_stream *s;
  struct ocf_bitswap_in *blocks; /* NULL: gossip */
};

struct ocf_mesh {
  struct ocf_mesh_config cfg;
  struct ocf_loop *loop;
  struct ocf_swarm *swarm;
  struct ocf_gossip *gossip;
  struct ocf_bitswap *blocks;
  struct ocf_merkle *replica;
  struct ocf_table *table;
  struct ocf_kv *own_kv;     /* in memory, when none was given */
  struct ocf_map peers;      /* of mesh_peer.node; owned here */
  struct ocf_list ins;       /* of mesh_in.link; owned here */
  struct ocf_list exchanges; /* of heads.c */
  struct ocf_alarm heads_again;
  unsigned heads_waits; /* how often it was put off */
  bool unheard;         /* a record of ours went out while there was nobody to hear it */
  uint64_t pinged_ns;   /* our last sign of life; 0: none yet */
  struct ocf_lru heard; /* of heard.node: authors of late, known to the table or not; owned here */
  struct ocf_peerid self;
  char key[OCF_PEERID_TEXT_SIZE + 1]; /* "/<our peer id>" */
  struct ocf_deferred settle;
  struct ocf_alarm tell; /* our heads, to newcomers */
  uint64_t told_ns;      /* the last time; 0: never */
  bool uncommitted;      /* the replica may have changed since */
  uint64_t committed_ns; /* until when the commits made so far count; 0: none do */
  uint64_t refused_ns;   /* when the log last said that a row was refused */
  struct ocf_alarm alarm, ping, look;
  uint64_t published_ns; /* the last snapshot */
  size_t n_jobs;
  size_t n_verified;  /* batches of this turn */
  size_t block_bytes; /* taken in this turn */
  bool store_failed;
  bool reshow; /* a change of the replica could not be shown in the table */
  bool urgent; /* a snapshot that must not wait */

  /* our record */
  struct ocf_record record;
  struct ocf_buf json;                  /* as it stands */
  bool dirty;                           /* `json` is not what the registry has of us */
  uint64_t retry_ns;                    /* it could not be written: not before */
  uint64_t put_after_ns;                /* wait until then, or until the replica has caught up */
  uint64_t usurped_ns, usurped_wait_ns; /* when somebody else wrote our key last, and what then */
  bool offered;                         /* the node has said what it offers, if only nothing */
  bool withdrawn, leaving;
  uint64_t left_at_ns, left_blocks_out;
};

static inline uint64_t mesh_now(const struct ocf_mesh *m)
{
  return m->loop->now_ns;
}

/* mesh.c */
/* Everything that waits in the cores is carried out at the end of the turn. */
void ocf_mesh_settle_later(struct ocf_mesh *m);
struct mesh_peer *ocf_mesh_peer_find(struct ocf_mesh *m, const struct ocf_peerid *id);
/* Opens `o` with the first of `protos` that the peer is known to speak. 0: o->s is there.
 * OCF_EAGAIN: OPENED or OPEN_FAILED comes. */
int ocf_mesh_out_open(struct mesh_out *o, const struct ocf_bytes *protos, size_t n);
void ocf_mesh_out_drop(struct mesh_out *o);
struct mesh_in *ocf_mesh_in_new(struct ocf_mesh *m, const struct ocf_swarm_event *ev,
                                void (*on_event)(struct ocf_stream_user *,
                                                 const struct ocf_swarm_event *));
void ocf_mesh_in_free(struct mesh_in *in);

/* pubsub.c */
void ocf_mesh_pubsub_peer(struct mesh_peer *p);
void ocf_mesh_pubsub_peer_down(struct mesh_peer *p);
void ocf_mesh_pubsub_stream_in(struct ocf_mesh *m, const struct ocf_swarm_event *ev);
void ocf_mesh_pubsub_init(struct mesh_peer *p);
/* Carries out what the core wants; true when there was anything. */
bool ocf_mesh_pubsub_effects(struct ocf_mesh *m);

/* blocks.c */
void ocf_mesh_blocks_peer(struct mesh_peer *p);
void ocf_mesh_blocks_peer_down(struct mesh_peer *p);
void ocf_mesh_blocks_stream_in(struct ocf_mesh *m, const struct ocf_swarm_event *ev,
                               unsigned proto);
void ocf_mesh_blocks_init(struct mesh_peer *p);
bool ocf_mesh_blocks_effects(struct ocf_mesh *m);

/* heads.c */
extern const struct ocf_bytes ocf_mesh_heads_protocol;
/* The complete heads in the form of a broadcast. */
OCF_NODISCARD int ocf_mesh_heads_write(struct ocf_mesh *m, struct ocf_buf *out);
void ocf_mesh_heads_init(struct ocf_mesh *m);
void ocf_mesh_heads_peer(struct mesh_peer *p);
/* It is in our mesh of the registry's topic now. */
void ocf_mesh_heads_joined(struct mesh_peer *p);
void ocf_mesh_heads_stream_in(struct ocf_mesh *m, const struct ocf_swarm_event *ev);
void ocf_mesh_heads_free(struct ocf_mesh *m);

/* heard.c */
void ocf_mesh_heard_init(struct ocf_mesh *m, const uint64_t seed[2]);
void ocf_mesh_heard_free(struct ocf_mesh *m);
/* A message that `author` signed has come. */
void ocf_mesh_heard(struct ocf_mesh *m, const struct ocf_peerid *author);
/* The row of `peer` is new: what was heard of it before counts. */
void ocf_mesh_heard_before(struct ocf_mesh *m, const struct ocf_peerid *peer);

/* registry.c */
extern const struct ocf_bytes ocf_mesh_topic_crdt, ocf_mesh_topic_net;
bool ocf_mesh_registry_events(struct ocf_mesh *m);
bool ocf_mesh_registry_effects(struct ocf_mesh *m);
/* The replica or its store has failed: says so once, and stops using it. */
/* When what has changed is to be committed. */
uint64_t ocf_mesh_commit_due(const struct ocf_mesh *m);
/* What was written here is committed at this turn's end. */
static inline void mesh_commit_now(struct ocf_mesh *m)
{
  m->uncommitted = true;
  m->committed_ns = 0;
}
void ocf_mesh_registry_failed(struct ocf_mesh *m, int err, const char *what);

/* self.c */
/* Our row without services, until the node says what it offers. */
OCF_NODISCARD int ocf_mesh_self_init(struct ocf_mesh *m);
/* Writes our record when it is due; true when it did. */
bool ocf_mesh_self_write(struct ocf_mesh *m);
/* Now and then: whether what we wrote is there. */
void ocf_mesh_self_look(struct ocf_mesh *m);
void ocf_mesh_self_usurped(struct ocf_mesh *m);
uint64_t ocf_mesh_self_deadline(const struct ocf_mesh *m);

#endif
