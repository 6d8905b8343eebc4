/* What the files of p2p/gossipsub share; nobody else includes it.
 *
 *   gossipsub.c       configuration, life, events, time
 *   gossip_look.c     what it tells about itself
 *   gossip_rpc.c      the wire: reading RPCs and messages, what a signature covers
 *   gossip_ids.c      sets of message ids that expire: seen, IDONTWANT
 *   gossip_peer.c     peers, their streams, effects
 *   gossip_rx.c       from bytes to RPCs to what they ask for
 *   gossip_tx.c       queues and the making of RPCs
 *   gossip_mesh.c     topics, meshes, back-off, the heartbeat
 *   gossip_lazy.c     the message cache, IHAVE, IWANT, promises, IDONTWANT
 *   gossip_publish.c  own messages: signing and pacing
 *   gossip_verify.c   others' messages: checking, delivering, forwarding
 *   gossip_score.c    what peers are worth */
#ifndef OCF_P2P_GOSSIPSUB_GOSSIP_INT_H
#define OCF_P2P_GOSSIPSUB_GOSSIP_INT_H

#include "base/buf/buf.h"
#include "base/ds/list.h"
#include "base/ds/lru.h"
#include "base/ds/map.h"
#include "base/ds/ring.h"
#include "base/time/backoff.h"
#include "base/time/wheel.h"
#include "fmt/pb/pb.h"
#include "p2p/gossipsub/gossipsub.h"

enum {
  SLOTS = OCF_GOSSIP_JOINED_MAX,
  ASKERS_MAX = 4,     /* peers that one id is asked of at a time */
  BRINGERS_MAX = 16,  /* peers remembered to have brought a message under verification */
  RPC_SOFT = 16384,   /* an RPC is closed when it has grown beyond this */
  COPY_MAX = 4096,    /* longer messages are not copied into an RPC but sent as they are */
  CTL_IDS_MAX = 8192, /* bytes of IWANT or IDONTWANT ids in one RPC */
  PARTS_MAX = 1000,   /* subscriptions, and control parts with a topic, heeded in an RPC */
  RX_KEEP = 4096,     /* a receive buffer of this size is kept between RPCs */
  SEQNO_LEN = 8,
  IHAVE_PART_BYTES = 65536,   /* an IHAVE part is closed when it has grown beyond this */
  FRAME_LEN_MAX = 3,          /* bytes of the length of the longest legal RPC */
  IWANT_BYTES_MAX = 1 << 19,  /* ids to ask of one peer that wait to be sent, encoded */
  DONTWANT_BYTES_MAX = 65536, /* the same for IDONTWANT */
};

#define GRAFT_FLOOD_NS (10 * OCF_NS_PER_S) /* a GRAFT so soon after a PRUNE counts twice */
#define BACKOFF_SLACK_NS OCF_NS_PER_S      /* clocks and latency: we come later, they may earlier */

enum gossip_timer { TIMER_HEARTBEAT, TIMER_PUBLISH, TIMER_REOPEN, TIMER_TOKENS };

/* ---- the wire ---- */

/* Messages as they stand in an RPC. Fields that did not come have p NULL. */
struct wire_msg {
  struct ocf_bytes raw; /* all of it */
  struct ocf_bytes from, data, seqno, topic, signature, key;
};

enum rpc_part_kind {
  PART_SUB,
  PART_MSG,
  PART_IHAVE, /* begins an IHAVE of `topic`; its ids follow */
  PART_IHAVE_ID,
  PART_IWANT,
  PART_IWANT_ID,
  PART_GRAFT,
  PART_PRUNE,
  PART_IDONTWANT,
  PART_IDONTWANT_ID,
};

struct rpc_part {
  enum rpc_part_kind kind;
  bool on;                /* SUB */
  struct ocf_bytes topic; /* SUB, IHAVE, GRAFT, PRUNE; p NULL when it did not come */
  struct ocf_bytes id;    /* the ids */
  bool has_backoff;       /* PRUNE */
  uint64_t backoff_s;
  struct wire_msg msg;
};

/* The three passes over an RPC, in the order in which Go acts on its parts. */
enum rpc_pass { PASS_SUBS, PASS_MSGS, PASS_CONTROL, PASS_N };

struct rpc_reader {
  enum rpc_pass pass;
  struct ocf_pb_reader rpc, control, ids;
  enum rpc_part_kind ids_kind;
};

/* Reads the parts of one pass. */
struct rpc_reader ocf_gossip_rpc_read(struct ocf_bytes rpc, enum rpc_pass pass);
/* 1, 0 at the end, OCF_EINVAL. */
int ocf_gossip_rpc_next(struct rpc_reader *r, struct rpc_part *part);
/* Whether all of it parses: 0 or OCF_EINVAL. Afterwards no pass fails. */
int ocf_gossip_rpc_check(struct ocf_bytes rpc);
int ocf_gossip_msg_decode(struct ocf_bytes raw, struct wire_msg *m);
/* Appends what a signature covers. */
int ocf_gossip_msg_signed(const struct wire_msg *m, struct ocf_buf *out);

/* ---- sets of ids ---- */

struct id_entry {
  struct ocf_map_node node;
  struct ocf_list link;
  uint64_t until_ns;
  uint8_t n;
  uint8_t b[];
};

/* Ids with a common life time; when full the oldest is forgotten. */
struct id_set {
  struct ocf_alloc *a;
  struct ocf_map map;
  struct ocf_list order; /* owned, oldest first */
  size_t max;
};

void ocf_gossip_ids_init(struct id_set *s, struct ocf_alloc *a, const uint64_t seed[2], size_t max);
void ocf_gossip_ids_fini(struct id_set *s);
/* 0, OCF_EEXIST, OCF_ENOMEM. */
int ocf_gossip_ids_add(struct id_set *s, struct ocf_bytes id, uint64_t until_ns);
bool ocf_gossip_ids_has(const struct id_set *s, struct ocf_bytes id);
void ocf_gossip_ids_expire(struct id_set *s, uint64_t now_ns);

/* ---- objects ---- */

/* A message, or an encoded IHAVE, shared by all queues and caches that hold it. */
struct msg {
  size_t refs;
  struct ocf_list ready_link; /* g->ready or g->publishing */
  struct ocf_peerid from_id;  /* who brought it first */
  struct ocf_peerid author;
  struct wire_msg wire; /* views into raw */
  uint8_t n_id;         /* 0: an IHAVE */
  uint8_t id[OCF_GOSSIP_ID_MAX];
  size_t n;
  uint8_t raw[]; /* content of RPC.publish, or of RPC.control.ihave */
};

static inline struct ocf_bytes ocf_gossip_msg_id(const struct msg *m)
{
  return ocf_bytes(m->id, m->n_id);
}

struct topic {
  struct ocf_map_node node; /* g->topics */
  struct ocf_list all;      /* g->topic_list */
  struct ocf_list subs;     /* struct sub.topic_link */
  int slot;                 /* in g->slots, or -1 */
  bool joined;
  size_t n_subs, n_mesh, n_mesh_out, n_fanout;
  uint64_t fanout_until_ns;
  uint16_t n_name;
  uint8_t name[];
};

static inline struct ocf_bytes ocf_gossip_topic_name(const struct topic *t)
{
  return ocf_bytes(t->name, t->n_name);
}

/* One peer's standing in one topic that it has subscribed to. */
struct sub {
  struct ocf_list topic_link, peer_link, note_link;
  struct topic *t;
  struct peer *p;
  bool subscribed, mesh, fanout;
  bool told_subscribed, told_mesh; /* what events have said */
};

/* Not before `until_ns` is `peer` to be grafted into a topic, nor to graft us. */
struct backoff {
  struct ocf_lru_node node;
  uint64_t since_ns, until_ns;
  uint8_t n;
  uint8_t key[8 + OCF_PEERID_MAX]; /* the topic's hash, the peer */
};

/* What sorts of things wait for a peer, the most urgent first. */
enum queue_kind { Q_OWN, Q_ANSWER, Q_FORWARD, Q_IHAVE, Q_N };

struct item {
  struct ocf_list link; /* peer.queue[kind] */
  struct msg *m;
};

enum out_state {
  OUT_NONE,    /* nothing asked for yet, or the peer speaks nothing of ours */
  OUT_OPENING, /* OPEN is told or about to be */
  OUT_UP,
  OUT_WAIT, /* for the re-open timer */
  OUT_LOST, /* given up */
};

enum fx_bit { FX_RESET_IN = 1, FX_DISCONNECT = 2, FX_OPEN = 4, FX_WRITE = 8 };

struct score {
  double first, invalid, behaviour;
};

struct peer {
  struct ocf_map_node node; /* g->peers */
  struct ocf_list all;      /* g->peer_list */
  struct ocf_list fx_link;  /* g->effects, while fx is not 0 */
  struct ocf_peerid id;
  uint64_t uid; /* never used twice */
  bool outbound;
  uint64_t ip_key;
  uint32_t n_same_ip; /* peers on its address, itself included */

  unsigned fx;
  struct {
    void *handle;
    enum ocf_gossip_reason reason;
  } resets[2]; /* FX_RESET_IN: those that are due */
  unsigned n_resets;
  bool disconnect_told;

  /* inbound */
  void *in;
  uint8_t rx_head[FRAME_LEN_MAX];
  uint8_t n_rx_head;
  size_t rx_left; /* bytes of the RPC that are still to come */
  struct ocf_buf rx;

  /* outbound */
  enum out_state out;
  enum ocf_gossip_proto proto;
  uint64_t out_since_ns;
  struct ocf_backoff reopen;
  struct ocf_timer reopen_timer;
  bool write_told;
  struct ocf_buf tx; /* the RPC being written: tx.p[tx_at..], then the rest of tail */
  size_t tx_at, tail_at;
  struct msg *tail;

  /* what is to be said */
  uint32_t announced;                 /* by slot: it was told that we are in this topic */
  uint32_t graft, prune, prune_leave; /* due, by slot; prune_leave: with the shorter back-off */
  struct ocf_buf iwant, idontwant;    /* encoded ids */
  struct ocf_list queue[Q_N];         /* owned items */
  size_t n_queue[Q_N];
  size_t queue_bytes;
  uint32_t tokens; /* for Q_OWN and Q_ANSWER */
  uint64_t tokens_ns;
  struct ocf_timer token_timer;

  /* what it said */
  struct ocf_list subs; /* owned, struct sub.peer_link */
  size_t n_subs;
  uint32_t ihave_msgs, ihave_ids; /* in this heartbeat */
  bool broke_promise;             /* in this heartbeat */
  struct id_set dontwant;
  struct ocf_list waiting; /* struct pending.peer_link: its messages that wait for a job */
  size_t n_waiting;

  struct score score;
};

/* A message under verification. */
struct pending {
  struct ocf_map_node node;  /* g->pending, by the whole message */
  struct ocf_list link;      /* g->verify while it waits for a job */
  struct ocf_list peer_link; /* peer.waiting, the same */
  struct peer *p;            /* who brought it first; meaningful while it waits */
  struct msg *m;             /* owned reference */
  uint8_t n_bringers;
  uint64_t bringers[BRINGERS_MAX]; /* uids of the peers that brought it, the first first */
};

struct ocf_gossip_job {
  struct ocf_list link;    /* g->jobs_free while it is not out */
  struct ocf_alloc memory; /* for the thread that runs it */
  size_t n;
  bool out;
  struct pending *items[OCF_GOSSIP_JOB_MAX];
  int results[OCF_GOSSIP_JOB_MAX]; /* 0, an enum ocf_gossip_reject, or JOB_NOT_RUN */
};

enum { JOB_OK = -1, JOB_NOT_RUN = -2 };

/* A message in the cache. */
struct kept {
  struct ocf_map_node node; /* g->mcache, by id */
  struct ocf_list link;     /* g->mcache_order, oldest first */
  struct msg *m;            /* owned reference */
  uint64_t heartbeat;
  struct ocf_buf answers; /* struct answer: who asked for it how often */
};

struct answer {
  uint64_t uid;
  uint32_t n;
};

/* An id that we asked for. */
struct promise {
  struct ocf_map_node node; /* g->promises */
  struct ocf_list link;     /* g->promise_order */
  uint8_t n_askers;
  struct {
    uint64_t uid;
    uint64_t asked_ns;
  } askers[ASKERS_MAX];
  uint8_t n;
  uint8_t id[OCF_GOSSIP_ID_MAX];
};

struct retained {
  struct ocf_lru_node node;
  struct ocf_peerid id;
  struct score score;
  uint64_t since_ns;
};

struct ocf_gossip {
  struct ocf_alloc *a;
  struct ocf_gossip_config cfg;
  struct ocf_peerid self;
  uint64_t seed[2];
  uint64_t seqno; /* of the next message */
  uint64_t next_uid;
  uint64_t heartbeat; /* how many there were */
  struct ocf_wheel wheel;
  struct ocf_timer heartbeat_timer, publish_timer;

  struct ocf_map peers;
  struct ocf_list peer_list;
  struct ocf_list effects; /* struct peer.fx_link */
  struct ocf_map topics;
  struct ocf_list topic_list;
  struct topic *slots[SLOTS];
  uint32_t joined;       /* slots of topics that we are in */
  struct ocf_list notes; /* struct sub.note_link: events due */

  struct ocf_list ready; /* verified messages, one reference each */
  size_t n_ready;
  struct msg *told;        /* lent by the last event, one reference */
  struct ocf_peerid fx_id; /* lent by the last effect or event */
  size_t n_told_topic;
  uint8_t told_topic[OCF_GOSSIP_TOPIC_MAX]; /* the same */

  struct ocf_list publishing; /* own messages that wait for a token */
  size_t n_publishing;
  uint32_t tokens;
  uint64_t tokens_ns;

  struct ocf_lru backoffs;
  struct id_set seen;
  struct ocf_map mcache;
  struct ocf_list mcache_order;
  size_t mcache_bytes;
  struct ocf_map promises;
  struct ocf_list promise_order;
  struct ocf_lru retained;

  struct ocf_map pending;
  struct ocf_list verify;        /* pending that wait for a job */
  size_t n_verify, verify_bytes; /* waiting or in jobs */
  size_t n_in_jobs;
  struct ocf_gossip_job *jobs; /* jobs_max of them */
  struct ocf_list jobs_free;

  size_t rx_bytes;    /* capacity of all receive buffers */
  size_t queue_bytes; /* of all peers */
  size_t queue_msgs;
  struct sub **picked;           /* scratch: peers_max of them */
  struct ocf_buf body, control;  /* an RPC in the making */
  struct ocf_gossip_stats stats; /* counters only */
};

/* ---- gossipsub.c ---- */
void ocf_gossip_note(struct ocf_gossip *g, struct sub *s);
void ocf_gossip_sub_free(struct ocf_gossip *g, struct sub *s);
/* One token from a bucket of params.publish_burst, or none. */
bool ocf_gossip_token(const struct ocf_gossip *g, uint64_t now_ns, uint32_t *tokens,
                      uint64_t *at_ns);

struct msg *ocf_gossip_msg_new(struct ocf_gossip *g, size_t n);
void ocf_gossip_msg_put(struct ocf_gossip *g, struct msg *m);

/* ---- gossip_peer.c ---- */
struct peer *ocf_gossip_peer_find(const struct ocf_gossip *g, const struct ocf_peerid *id);
void ocf_gossip_peer_free(struct ocf_gossip *g, struct peer *p);
void ocf_gossip_fx(struct ocf_gossip *g, struct peer *p, enum fx_bit bit);
void ocf_gossip_reset_in(struct ocf_gossip *g, struct peer *p, enum ocf_gossip_reason reason);
void ocf_gossip_peer_reopen(struct ocf_gossip *g, uint64_t now_ns, struct peer *p);
/* Whether it can be told anything now or soon. */
static inline bool ocf_gossip_peer_reachable(const struct peer *p)
{
  return p->out == OUT_UP || p->out == OUT_OPENING;
}
static inline bool ocf_gossip_peer_meshes(const struct peer *p)
{
  return p->out == OUT_UP && p->proto != OCF_GOSSIP_FLOODSUB;
}

/* ---- gossip_tx.c ---- */
/* Queues `m` for `p` (one more reference). 0, OCF_ELIMIT or OCF_ENOMEM: dropped and counted. */
int ocf_gossip_queue(struct ocf_gossip *g, struct peer *p, enum queue_kind kind, struct msg *m);
/* Forgets one sort of what waits, or all of it. */
void ocf_gossip_queue_drop(struct ocf_gossip *g, struct peer *p, enum queue_kind kind);
void ocf_gossip_queue_clear(struct ocf_gossip *g, struct peer *p);
/* Forgets the RPC being written, and what the peer was told: the stream is gone. */
void ocf_gossip_tx_restart(struct ocf_gossip *g, struct peer *p);
/* Forgets all that waits too. */
void ocf_gossip_tx_reset(struct ocf_gossip *g, struct peer *p);
/* Something was added to what waits for `p`. */
void ocf_gossip_tx_wake(struct ocf_gossip *g, struct peer *p);
bool ocf_gossip_tx_waits(const struct ocf_gossip *g, const struct peer *p);

/* ---- gossip_mesh.c ---- */
struct topic *ocf_gossip_topic_find(const struct ocf_gossip *g, struct ocf_bytes name);
struct sub *ocf_gossip_sub_find(const struct peer *p, const struct topic *t);
void ocf_gossip_topic_settle(struct ocf_gossip *g, struct topic *t);
int ocf_gossip_subscribe(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                         struct ocf_bytes name, bool on);
/* `s` has become fit for a mesh, perhaps: grafts it while the mesh is below D. */
void ocf_gossip_graft_early(struct ocf_gossip *g, uint64_t now_ns, struct sub *s);
void ocf_gossip_grafted(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                        struct ocf_bytes name);
void ocf_gossip_pruned(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                       const struct rpc_part *part);
void ocf_gossip_mesh_drop_peer(struct ocf_gossip *g, struct peer *p);
void ocf_gossip_mesh_set(struct ocf_gossip *g, struct sub *s, bool on);
/* When the back-off of `p` in `t` ends or ended; 0: none is known. */
uint64_t ocf_gossip_backoff_until(const struct ocf_gossip *g, const struct peer *p,
                                  const struct topic *t);
void ocf_gossip_heartbeat(struct ocf_gossip *g, uint64_t now_ns);
/* Up to `want` peers of `t` for which `ok` holds, chosen at random, into `out`. */
size_t ocf_gossip_pick(struct ocf_gossip *g, uint64_t now_ns, struct topic *t,
                       bool (*ok)(struct ocf_gossip *g, uint64_t now_ns, const struct sub *s),
                       struct sub **out, size_t want);

/* ---- gossip_lazy.c ---- */
void ocf_gossip_keep(struct ocf_gossip *g, struct msg *m);
void ocf_gossip_kept_free(struct ocf_gossip *g, struct kept *k);
void ocf_gossip_emit(struct ocf_gossip *g, uint64_t now_ns);
void ocf_gossip_lazy_heartbeat(struct ocf_gossip *g, uint64_t now_ns);
void ocf_gossip_rx_control(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                           struct ocf_bytes rpc);
void ocf_gossip_promise_kept(struct ocf_gossip *g, struct ocf_bytes id);
void ocf_gossip_promise_excuse(struct ocf_gossip *g, struct ocf_bytes id, uint64_t uid);
void ocf_gossip_send_idontwant(struct ocf_gossip *g, struct topic *t, const struct msg *m,
                               const struct pending *q);

/* ---- gossip_publish.c ---- */
void ocf_gossip_publish_tick(struct ocf_gossip *g, uint64_t now_ns);

/* ---- gossip_verify.c ---- */
void ocf_gossip_rx_message(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                           const struct wire_msg *w);
bool ocf_gossip_job_take(struct ocf_gossip *g, struct ocf_gossip_job **out);
void ocf_gossip_pending_free(struct ocf_gossip *g, struct pending *q);
void ocf_gossip_verify_forget_peer(struct peer *p);
/* Whether `p` brought (a copy of) it. */
bool ocf_gossip_brought(const struct pending *q, const struct peer *p);

/* ---- gossip_score.c ---- */
double ocf_gossip_score(const struct ocf_gossip *g, const struct peer *p);
/* So bad that it is (to be) disconnected; nothing more is read of the RPC at hand. */
bool ocf_gossip_is_condemned(const struct ocf_gossip *g, const struct peer *p);
/* Adds to the counts and disconnects whom they condemn. */
void ocf_gossip_penalize(struct ocf_gossip *g, struct peer *p, double invalid, double behaviour);
void ocf_gossip_credit(struct ocf_gossip *g, struct peer *p);
void ocf_gossip_score_heartbeat(struct ocf_gossip *g);
void ocf_gossip_score_retain(struct ocf_gossip *g, uint64_t now_ns, struct peer *p);
void ocf_gossip_score_restore(struct ocf_gossip *g, uint64_t now_ns, struct peer *p);
void ocf_gossip_score_colocate(struct ocf_gossip *g, uint64_t ip_key);

#endif
