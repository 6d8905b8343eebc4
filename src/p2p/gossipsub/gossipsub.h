/* gossipsub: signed messages on topics, pushed along a mesh of peers and repaired by gossip.
 *
 * Spec: libp2p/specs pubsub gossipsub v1.0, v1.1 (scores, back-off, outbound quota), v1.2
 * (IDONTWANT); `/floodsub/1.0.0` peers are served too. Messages follow StrictSign; a message's id
 * is its author's peer id bytes followed by its seqno. Sans-IO: no clock, socket, thread or
 * randomness inside; one engine belongs to one loop. Only ocf_gossip_job_run() may run elsewhere.
 *
 * How the owner (node/mesh) drives it. Inputs are the functions that take `now_ns`. After any of
 * them, until both are false:
 *
 *   while (ocf_gossip_event(g, now, &ev)) ...                 messages and changes, for the node
 *   while (ocf_gossip_effect(g, now, &fx)) ...                things to do, for the streams
 *   arm a timer for ocf_gossip_deadline(g), which calls ocf_gossip_tick(g, now)
 *
 * Streams are one-way. The engine asks for an outbound stream per peer (OPEN) and is its only
 * writer; what the peer would send on it is none of gossipsub's: the owner drops such bytes, and
 * never closes that stream while the peer is up. Peers write on streams of their own, told by
 * ocf_gossip_in(); the owner never writes on them and never half-closes them, since Go takes either
 * for our death. The newest inbound stream of a peer replaces the older one (RESET_IN).
 *
 * Nothing is pushed into the owner. Outgoing RPCs are made when ocf_gossip_tx() asks for bytes, so
 * all that waits for a peer by then travels in as few RPCs as possible.
 *
 * Trust. Everything a peer can make us hold is bounded by struct ocf_gossip_limits. What a peer
 * does is scored (struct ocf_gossip_score_params): a peer below zero is taken out of the meshes,
 * further down it is not gossiped with, then not listened to, then disconnected. Duplicates,
 * unknown topics, unknown fields and late answers cost nothing. */
#ifndef OCF_P2P_GOSSIPSUB_GOSSIPSUB_H
#define OCF_P2P_GOSSIPSUB_GOSSIPSUB_H

#include "base/core/core.h"
#include "base/log/log.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "crypto/key/key.h"
#include "multi/peerid/peerid.h"

struct ocf_gossip;
struct ocf_gossip_job;

enum {
  OCF_GOSSIP_RPC_MAX = 1048576, /* bytes of an RPC, without its length, both directions */
  OCF_GOSSIP_TOPIC_MAX = 256,   /* bytes of a topic's name; longer ones are unknown topics */
  OCF_GOSSIP_ID_MAX = OCF_PEERID_MAX + 8, /* bytes of a message id */
  OCF_GOSSIP_JOINED_MAX = 32,             /* topics we may be in at once */
  OCF_GOSSIP_JOB_MAX = 32,                /* messages of a verification job */
  OCF_GOSSIP_IOV_MAX = 2,                 /* views that ocf_gossip_tx() fills at most */
};

/* What was agreed on for our outbound stream: the index of the name in ocf_gossip_protocols(). */
enum ocf_gossip_proto {
  OCF_GOSSIP_V12,
  OCF_GOSSIP_V11,
  OCF_GOSSIP_V10,
  OCF_GOSSIP_FLOODSUB,
  OCF_GOSSIP_PROTO_N,
};

/* "/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0", "/floodsub/1.0.0": what OPEN proposes, in
 * this order, and what inbound streams may speak. OCF_GOSSIP_PROTO_N of them; static. */
const struct ocf_bytes *ocf_gossip_protocols(void);

/* ---- configuration ----------------------------------------------------------------------------
 */

/* The protocol's numbers, named as in the spec. */
struct ocf_gossip_params {
  uint32_t d, d_lo, d_hi;        /* mesh degree: wanted, least, most */
  uint32_t d_out;                /* least number of mesh peers that we dialled */
  uint32_t d_score;              /* best scored ones kept when a mesh is cut down */
  uint32_t d_lazy;               /* least number of peers that get IHAVE in a heartbeat */
  uint32_t gossip_percent;       /* share of the non-mesh peers that get IHAVE */
  uint32_t history;              /* heartbeats that a message can be asked for */
  uint32_t history_gossip;       /* heartbeats that it is advertised; <= history, <= 16 */
  uint32_t idontwant_min_bytes;  /* data from this size on is announced by IDONTWANT; 0 never */
  uint32_t idontwant_heartbeats; /* how long a received IDONTWANT stands */
  uint64_t heartbeat_ns;
  uint64_t first_heartbeat_ns; /* the first comes so long after ocf_gossip_new() */
  uint64_t fanout_ttl_ns;
  uint64_t prune_backoff_ns, unsubscribe_backoff_ns; /* whole seconds travel in PRUNE */
  uint64_t backoff_max_ns;    /* a longer back-off asked for by a peer is cut to this */
  uint64_t seen_ttl_ns;       /* since first seen */
  uint64_t promise_ns;        /* an IWANT is answered so soon, or a promise is broken */
  uint64_t iwant_again_ns;    /* a wanted id is asked of another peer after so long */
  uint32_t publish_burst;     /* token bucket for our own publishes and for answers to IWANT */
  uint64_t publish_refill_ns; /* (per peer): `burst` at once, one more each `refill` */
  uint64_t reopen_min_ns, reopen_max_ns; /* back-off for our outbound stream */
  uint32_t reopen_tries; /* then wait for ocf_gossip_peer_up() or an inbound stream */
};

/* Bounds on memory and on what a peer may make us do. */
struct ocf_gossip_limits {
  size_t peers_max;
  size_t topics_max; /* known topics: ours, and those that peers subscribe to */
  size_t topics_per_peer_max;
  size_t data_max;                        /* bytes of a published message's data */
  size_t rx_bytes_max;                    /* memory of half received RPCs, of all peers together */
  size_t queue_msgs_max, queue_bytes_max; /* messages waiting for one peer */
  size_t queue_total_bytes_max;           /* the same, all peers together, counted per peer */
  size_t publish_wait_max;                /* own publishes that wait for a token */
  size_t mcache_bytes_max;                /* messages kept to answer IWANT */
  size_t seen_max;   /* ids of the seen cache; the oldest are forgotten early */
  size_t verify_max; /* messages that wait for verification or are in a job */
  size_t verify_bytes_max;
  size_t jobs_max;             /* jobs handed out at once */
  size_t events_max;           /* verified messages that wait for ocf_gossip_event() */
  size_t backoffs_max;         /* remembered (peer, topic) back-offs */
  size_t promises_max;         /* ids that we asked for */
  size_t retained_max;         /* scores of peers that are gone */
  uint32_t ihave_ids_max;      /* per peer and heartbeat, sent and honoured */
  uint32_t ihave_msgs_max;     /* IHAVE-bearing RPCs honoured per peer and heartbeat */
  uint32_t iwant_answers_max;  /* times that one id is sent to one peer that asks */
  uint32_t iwant_ids_max;      /* ids honoured in one RPC's IWANT */
  uint32_t idontwant_ids_max;  /* ids honoured per IDONTWANT */
  uint32_t idontwant_kept_max; /* ids remembered per peer */
};

/* score = p2 - p4 - p6 - p7 in units without meaning of their own:
 *   p2  first_weight * min(first_cap, decayed count of messages this peer was first to bring)
 *   p4  invalid_weight * (decayed count of badly signed messages)^2
 *   p6  colocation_weight * (peers on its address beyond colocation_free)^2; 0 without ip keys
 *   p7  behaviour_weight * (decayed count of misdeeds beyond behaviour_free)^2
 * Misdeeds: GRAFT within a back-off, broken IWANT promises (at most one each heartbeat), RPCs that
 * do not parse. Decays are per heartbeat; what is below `decay_to_zero` becomes 0. All weights are
 * given as positive numbers. */
struct ocf_gossip_score_params {
  bool on; /* off: all scores are 0 and nothing below happens */
  double first_weight, first_cap, first_decay;
  double invalid_weight, invalid_decay;
  double colocation_weight;
  uint32_t colocation_free;
  double behaviour_weight, behaviour_decay;
  double behaviour_free;
  double decay_to_zero;
  /* Negative thresholds, each at or below the one before: no gossip to or from; no publishes to;
   * RPCs ignored; DISCONNECT. */
  double gossip_below, publish_below, graylist_below, disconnect_below;
  uint64_t
      retain_ns; /* a peer that is gone keeps its faults so long; they decay as if it had stayed */
};

struct ocf_gossip_config {
  struct ocf_alloc *alloc;   /* borrowed */
  struct ocf_rng *rng;       /* borrowed */
  const struct ocf_log *log; /* borrowed; may be NULL */
  const struct ocf_key *key; /* our identity, signs; borrowed */
  uint64_t wall_ns;          /* unix time now: the first seqno. A restart must not go back */
  struct ocf_gossip_params params;
  struct ocf_gossip_limits limits;
  struct ocf_gossip_score_params score;
};

/* The spec's numbers: D 6, Dlo 5, Dhi 12, Dout 2, Dscore 4, Dlazy 6, factor 25 %, heartbeat 1 s
 * (first after 100 ms), history 5/3, fanout 60 s, back-off 60 s and 10 s, seen 120 s, promises 5 s,
 * 24 publishes at once and 240/s, re-opening 100 ms to 10 s, 4 tries. Limits for a node of 256
 * peers: 512 topics and 100 a peer, 768 KiB of data, 16 MiB of half received RPCs, 1,024 messages
 * and 2 MiB a peer and 64 MiB in all, mcache 16 MiB, 131,072 seen ids, 2,048 messages and 8 MiB in
 * verification, 4 jobs. Scores on. Pointers are NULL and wall_ns 0. */
void ocf_gossip_config_init(struct ocf_gossip_config *cfg);
/* The numbers that OCF nodes run with, for `params` alone: D 128, Dlo 16, Dhi 256, the rest as
 * above. */
void ocf_gossip_params_ocf(struct ocf_gossip_params *p);

/* Copies `cfg`. 0; OCF_EINVAL (a missing pointer, d_lo <= d <= d_hi not so, a zero limit),
 * OCF_ENOMEM. */
OCF_NODISCARD int ocf_gossip_new(const struct ocf_gossip_config *cfg, uint64_t now_ns,
                                 struct ocf_gossip **out);
/* Frees everything. Jobs that are out must have been given back by ocf_gossip_job_done() before.
 * NULL is fine. */
void ocf_gossip_free(struct ocf_gossip *g);

/* ---- topics and publishing --------------------------------------------------------------------
 */

/* Subscribes: every peer is told, and a mesh is built. Joining twice is fine. 0; OCF_EINVAL (empty,
 * or over OCF_GOSSIP_TOPIC_MAX), OCF_ELIMIT, OCF_ENOMEM. */
OCF_NODISCARD int ocf_gossip_join(struct ocf_gossip *g, uint64_t now_ns, struct ocf_bytes topic);
/* Unsubscribes; mesh peers get a PRUNE with the unsubscribe back-off. Unknown topics are ignored.
 */
void ocf_gossip_leave(struct ocf_gossip *g, uint64_t now_ns, struct ocf_bytes topic);
/* Signs and publishes `data` (copied; may be empty) on a topic, joined or not. It goes to the mesh,
 * filled up with other subscribers to D while the mesh is below Dlo. Paced by the token bucket: a
 * burst waits here. No MESSAGE event comes for it. 0; OCF_EAGAIN (publish_wait_max are waiting: try
 * after a tick), OCF_EINVAL (topic), OCF_ELIMIT (data too long, too many topics), OCF_ENOMEM,
 * OCF_EIO (signing failed). */
OCF_NODISCARD int ocf_gossip_publish(struct ocf_gossip *g, uint64_t now_ns, struct ocf_bytes topic,
                                     struct ocf_bytes data);

/* ---- peers and their streams ------------------------------------------------------------------
 */

/* `peer` is connected and speaks one of our protocols (identify said so, or is not done and the
 * owner tries). `outbound`: we dialled it. `ip_key`: any number that is the same for peers on one
 * address, 0 unknown. Again for a known peer: takes the new values, and tries anew to open when the
 * engine had given up. 0; OCF_ELIMIT, OCF_ENOMEM, OCF_EINVAL (ourselves). */
OCF_NODISCARD int ocf_gossip_peer_up(struct ocf_gossip *g, uint64_t now_ns,
                                     const struct ocf_peerid *peer, bool outbound, uint64_t ip_key);
/* The last connection with `peer` ended (or it is not to be a gossip peer any more: the owner then
 * drops both streams itself). Its streams are forgotten without further effects; unknown peers are
 * ignored. */
void ocf_gossip_peer_down(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer);

/* The answer to OPEN: err 0 and which of ocf_gossip_protocols() was agreed on, or why there is no
 * stream (OCF_EUNSUPP: it speaks none of them; not asked again until the next peer_up). A stream
 * that negotiates lazily counts as opened at once, with the protocol that is expected. */
void ocf_gossip_opened(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                       int err, enum ocf_gossip_proto proto);
/* Our outbound stream died. It is opened again after a back-off; the RPC being written is lost,
 * what waits is kept, subscriptions and mesh memberships are told anew. */
void ocf_gossip_out_gone(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer);
/* Appends views of what waits for the outbound stream, at most `cap` >= 1 of them; makes the next
 * RPC when the last is written. Returns how many, 0: nothing. Lent until the next call that takes
 * this peer. After a WRITE effect, and again whenever the stream can take more. */
size_t ocf_gossip_tx(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                     struct ocf_bytes *iov, size_t cap);
/* The first `n` bytes shown by ocf_gossip_tx() were taken by the stream. */
void ocf_gossip_tx_done(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                        size_t n);

/* The peer opened a stream to us; `handle` is the owner's name for it, not NULL. An unknown peer is
 * taken up as by ocf_gossip_peer_up(.., false, 0). 0; OCF_ELIMIT or OCF_ENOMEM: the owner resets
 * the stream. */
OCF_NODISCARD int ocf_gossip_in(struct ocf_gossip *g, uint64_t now_ns,
                                const struct ocf_peerid *peer, void *handle);
/* Bytes of that stream, cut anywhere; all are taken. Ignored for streams that were replaced or
 * reset. */
void ocf_gossip_rx(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                   void *handle, struct ocf_bytes data);
/* That stream ended (FIN or reset). The peer stays up. */
void ocf_gossip_in_gone(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                        void *handle);

/* ---- effects ----------------------------------------------------------------------------------
 */

enum ocf_gossip_effect_type {
  OCF_GOSSIP_OPEN,       /* open a stream to `peer` proposing ocf_gossip_protocols(), then
                            ocf_gossip_opened() */
  OCF_GOSSIP_WRITE,      /* bytes wait for `peer`: ocf_gossip_tx(). Once per time that it becomes
                            so; afterwards the owner asks tx when the stream is writable */
  OCF_GOSSIP_RESET_IN,   /* reset the inbound stream `handle` of `peer`; it is forgotten here */
  OCF_GOSSIP_DISCONNECT, /* close the connection with `peer`, for `reason`; told once, then
                            ocf_gossip_peer_down() is expected */
  OCF_GOSSIP_VERIFY,     /* ocf_gossip_job_run(job) on any thread, then ocf_gossip_job_done() */
};

enum ocf_gossip_reason {
  OCF_GOSSIP_REASON_SCORE,    /* its score fell below disconnect_below */
  OCF_GOSSIP_REASON_PROTOCOL, /* only on RESET_IN: an RPC that is too long or does not parse */
  OCF_GOSSIP_REASON_REPLACED, /* only on RESET_IN: a newer inbound stream came */
  OCF_GOSSIP_REASON_MEMORY,   /* only on RESET_IN: no memory to receive the RPC */
};

struct ocf_gossip_effect {
  enum ocf_gossip_effect_type type;
  const struct ocf_peerid *peer; /* all but VERIFY; lent until the next call with `now` */
  void *handle;                  /* RESET_IN */
  enum ocf_gossip_reason reason; /* RESET_IN, DISCONNECT */
  struct ocf_gossip_job *job;    /* VERIFY */
};

bool ocf_gossip_effect(struct ocf_gossip *g, uint64_t now_ns, struct ocf_gossip_effect *fx);

/* Checks the signatures of a job's messages. Pure computation over the job's own memory: any
 * thread, no lock, nothing else may touch the job meanwhile. Up to OCF_GOSSIP_JOB_MAX * 40 us. */
void ocf_gossip_job_run(struct ocf_gossip_job *job);
/* Gives a job back on the engine's loop, whether it was run or not (not run: its messages are
 * forgotten and may come again). `job` is dead afterwards. */
void ocf_gossip_job_done(struct ocf_gossip *g, uint64_t now_ns, struct ocf_gossip_job *job);

/* ---- events -----------------------------------------------------------------------------------
 */

enum ocf_gossip_event_type {
  OCF_GOSSIP_MESSAGE,      /* a new, verified message on a joined topic */
  OCF_GOSSIP_SUBSCRIBED,   /* `peer` is in `topic` now */
  OCF_GOSSIP_UNSUBSCRIBED, /* no longer; not told when the peer goes down */
  OCF_GOSSIP_MESH_JOINED,  /* `peer` is in our mesh of `topic` now: publishes reach it. Quick
                              changes back and forth may be told as none */
  OCF_GOSSIP_MESH_LEFT,    /* no longer; not told when the peer goes down or we leave the topic */
};

struct ocf_gossip_event {
  enum ocf_gossip_event_type type;
  const struct ocf_peerid *peer;   /* MESSAGE: who brought it first (not the author) */
  const struct ocf_peerid *author; /* MESSAGE: who signed it */
  struct ocf_bytes topic;
  struct ocf_bytes data; /* MESSAGE */
  struct ocf_bytes id;   /* MESSAGE: author bytes and seqno */
};

/* The next event, or false. What it shows is lent until the next call with `now`. Messages of one
 * author may come in any order. */
bool ocf_gossip_event(struct ocf_gossip *g, uint64_t now_ns, struct ocf_gossip_event *ev);

/* ---- time -------------------------------------------------------------------------------------
 */

/* When ocf_gossip_tick() must be called next; never in the past without effects or events
 * waiting. */
uint64_t ocf_gossip_deadline(const struct ocf_gossip *g);
/* Heartbeats, paced publishes, re-opening, promises. Early and extra calls do no harm. */
void ocf_gossip_tick(struct ocf_gossip *g, uint64_t now_ns);

/* ---- looking ----------------------------------------------------------------------------------
 */

/* Why a received message was not taken. */
enum ocf_gossip_reject {
  OCF_GOSSIP_REJ_TOPIC,     /* a topic that we are not in; costs nothing */
  OCF_GOSSIP_REJ_SELF,      /* claims to be ours; costs nothing */
  OCF_GOSSIP_REJ_SEQNO,     /* not 8 bytes; costs nothing */
  OCF_GOSSIP_REJ_SIZE,      /* over data_max; costs nothing */
  OCF_GOSSIP_REJ_FULL,      /* verification is full; costs nothing */
  OCF_GOSSIP_REJ_MEMORY,    /* ours ran out; costs nothing */
  OCF_GOSSIP_REJ_UNSIGNED,  /* p4 */
  OCF_GOSSIP_REJ_AUTHOR,    /* `from` is no peer id; p4 */
  OCF_GOSSIP_REJ_KEY,       /* no key to check with, or it does not belong to the author; p4 */
  OCF_GOSSIP_REJ_SIGNATURE, /* p4 */
  OCF_GOSSIP_REJ_N,
};

/* What RPCs carry, for counting. */
enum ocf_gossip_kind {
  OCF_GOSSIP_K_RPC,
  OCF_GOSSIP_K_BYTES,
  OCF_GOSSIP_K_SUBSCRIBE, /* and unsubscribe */
  OCF_GOSSIP_K_MESSAGE,
  OCF_GOSSIP_K_IHAVE, /* these count RPC parts, the next ones ids */
  OCF_GOSSIP_K_IWANT,
  OCF_GOSSIP_K_GRAFT,
  OCF_GOSSIP_K_PRUNE,
  OCF_GOSSIP_K_IDONTWANT,
  OCF_GOSSIP_K_IHAVE_IDS,
  OCF_GOSSIP_K_IWANT_IDS,
  OCF_GOSSIP_K_N,
};

enum { OCF_GOSSIP_SCORE_BUCKETS = 6 };

struct ocf_gossip_stats {
  /* gauges */
  size_t n_peers, n_topics, n_joined, n_mesh; /* n_mesh: sum over joined topics */
  size_t n_by_proto[OCF_GOSSIP_PROTO_N];      /* peers with an outbound stream */
  size_t queued_msgs, queued_bytes, rx_bytes_held, verify_waiting, publish_waiting;
  size_t mcache_msgs, mcache_bytes, seen, backoffs, promises, retained;
  /* Peers by score: below disconnect, graylist, publish, gossip, zero; zero and above. */
  size_t scores[OCF_GOSSIP_SCORE_BUCKETS];
  /* counters */
  uint64_t rx[OCF_GOSSIP_K_N], tx[OCF_GOSSIP_K_N];
  uint64_t published, delivered, duplicates, forwarded;
  uint64_t rejected[OCF_GOSSIP_REJ_N];
  uint64_t dropped_forward, dropped_own, dropped_ihave; /* from full queues, per peer and message */
  uint64_t suppressed;                                  /* forwards saved by IDONTWANT */
  uint64_t graylisted_rpcs;                             /* ignored */
  uint64_t bad_rpcs, broken_promises, backoff_violations, disconnects, heartbeats;
};
void ocf_gossip_stats(const struct ocf_gossip *g, struct ocf_gossip_stats *out);

struct ocf_gossip_peer_info {
  const struct ocf_peerid *id;
  bool outbound, has_in, has_out;
  enum ocf_gossip_proto proto; /* meaningful with has_out */
  size_t n_topics, n_mesh;     /* subscriptions; joined topics in whose mesh it is */
  size_t queued_msgs, queued_bytes;
  double score, first, invalid, behaviour; /* the score and its decayed counts */
};

/* Visits peers: *cursor starts NULL; false at the end. Nothing may change in between. */
bool ocf_gossip_peer_next(const struct ocf_gossip *g, const void **cursor,
                          struct ocf_gossip_peer_info *out);
/* The same for one peer; false when unknown. */
bool ocf_gossip_peer_info(const struct ocf_gossip *g, const struct ocf_peerid *peer,
                          struct ocf_gossip_peer_info *out);

struct ocf_gossip_topic_info {
  struct ocf_bytes name;
  bool joined;
  size_t n_peers, n_mesh, n_mesh_outbound, n_fanout;
};
/* Visits known topics, as above. */
bool ocf_gossip_topic_next(const struct ocf_gossip *g, const void **cursor,
                           struct ocf_gossip_topic_info *out);
/* Whether `peer` is in our mesh of `topic`. */
bool ocf_gossip_in_mesh(const struct ocf_gossip *g, const struct ocf_peerid *peer,
                        struct ocf_bytes topic);

#endif
