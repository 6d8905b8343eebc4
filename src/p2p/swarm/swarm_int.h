/* What the files of p2p/swarm share; nobody else includes it.
 *
 *   swarm.c         life, events, effects, time
 *   swarm_link.c    connections: from a socket to a proved peer and back
 *   swarm_gate.c    who may connect: limits per address
 *   swarm_peer.c    peers and the address book
 *   swarm_dial.c    dials, back-off, static peers
 *   swarm_open.c    streams for the node, at once or after a dial
 *   swarm_self.c    identify, push and ping
 *   swarm_care.c    trimming, surplus connections, the regular round */
#ifndef OCF_P2P_SWARM_SWARM_INT_H
#define OCF_P2P_SWARM_SWARM_INT_H

#include "base/buf/buf.h"
#include "base/ds/list.h"
#include "base/ds/map.h"
#include "base/time/backoff.h"
#include "base/time/wheel.h"
#include "crypto/key/key.h"
#include "p2p/identify/identify.h"
#include "p2p/ping/ping.h"
#include "p2p/swarm/swarm.h"

enum {
  SWARM_ADDRS_MAX = 64,  /* our own, expanded */
  SWARM_JOBS_IN_MAX = 8, /* inbound identify, push and ping streams of one connection */
  SWARM_BOOK_ADDRS_MAX = 32768,
  SWARM_GATES_MAX = 4096,
  SWARM_SAMPLES_MAX = 64,
  SWARM_RESOLVED_MAX = 8,
  SWARM_PROTO_BYTES_MAX = 32768, /* of one peer's protocol list, names and their lengths */
  SWARM_AFTER_DOWN_ADDRS = 20,   /* identify's addresses that outlive the connection */
};

#define SWARM_ROUND_NS (2 * OCF_NS_PER_S)
#define SWARM_AFTER_DOWN_NS (900 * OCF_NS_PER_S)
#define SWARM_SIMULTANEOUS_NS (10 * OCF_NS_PER_S)

enum swarm_timer { TIMER_LINK, TIMER_PEER, TIMER_JOB, TIMER_OPEN, TIMER_ROUND };

/* An entry of the address book, owned by its peer. */
struct addr {
  struct ocf_list link;     /* peer.addrs */
  struct ocf_list ask_link; /* sw->asks: its RESOLVE effect is due */
  enum ocf_swarm_source src;
  uint64_t expires_ns;
  uint64_t retry_ns; /* not dialled before: back-off */
  struct ocf_backoff backoff;
  bool tried;     /* in the dial under way */
  bool resolving; /* asked the driver in the dial under way */
  uint64_t ticket;
  uint8_t n_ips, next_ip;
  struct ocf_ip_addr *ips; /* what a name resolved to; NULL or SWARM_RESOLVED_MAX of them */
  uint16_t n;
  uint8_t b[]; /* the multiaddr without /p2p */
};

struct peer {
  struct ocf_map_node node;
  struct ocf_peerid id;
  struct ocf_swarm *sw;
  struct ocf_list all;       /* sw->peers_all */
  struct ocf_list idle_link; /* sw->peers_idle, when nothing but the book needs it */
  struct ocf_list note_link; /* sw->notes */
  struct ocf_list links;     /* proved, the preferred one first */
  struct ocf_list opens;     /* waiting */
  struct ocf_list addrs;
  size_t n_links, n_addrs;
  size_t n_opens; /* in `opens` and in sw->open_done */
  uint32_t protect;
  bool is_static;
  /* dialling */
  struct ocf_timer timer;
  bool dialling;
  size_t n_attempts; /* dial links under way */
  uint64_t dial_deadline_ns, stagger_ns;
  int dial_err;
  int note_err; /* of DIAL_FAILED */
  struct ocf_backoff redial;
  uint64_t redial_ns; /* static: when next */
  /* from identify */
  bool identified;
  uint64_t record_seq;
  uint8_t *info; /* agent, then protocols each behind a 16-bit length; n_info bytes */
  size_t n_info, n_agent;
  struct ocf_ping_stats ping;
};

/* Concurrent and recent connections of one address prefix. */
struct gate {
  struct ocf_map_node node;
  struct ocf_list link; /* sw->gates_list, least recently used first */
  uint8_t key[8];
  uint8_t n_key;
  bool net; /* a /48 */
  size_t n;
  uint32_t tokens;
  uint64_t refill_ns;
};

enum link_state {
  LINK_DIALLING,  /* the driver connects */
  LINK_HANDSHAKE, /* connected, not proved */
  LINK_UP,        /* in its peer's list */
  LINK_CLOSED,    /* the CLOSE effect is due */
};

enum fx_due { FX_NONE, FX_DIAL, FX_CLOSE };

struct ocf_link {
  struct ocf_swarm *sw;
  struct ocf_list all;     /* sw->links */
  struct ocf_list tx_link; /* sw->tx */
  struct ocf_list fx_link; /* sw->effects */
  struct ocf_list peer_link;
  struct ocf_list jobs; /* owned: struct job.link */
  enum link_state state;
  enum fx_due fx;
  void *handle;
  struct ocf_conn *conn; /* NULL while DIALLING */
  struct peer *peer;     /* whom it dials, or has proved */
  struct addr *addr;     /* the address dialled; NULL when it left the book */
  struct ocf_timer timer;
  struct ocf_ip_addr remote, local;
  bool inbound, loopback, gated;
  bool local_in;              /* counted in n_local */
  bool closing;               /* gracefully: no new streams */
  uint64_t connected_ns;      /* the socket */
  uint64_t since_ns, used_ns; /* proved; last use by the node */
  size_t n_jobs, n_jobs_in;
  uint32_t push_tokens;
  uint64_t push_refill_ns, next_ping_ns;
  bool ping_busy;
};

enum job_kind {
  JOB_NODE,
  JOB_ID_OUT,
  JOB_ID_IN,
  JOB_PUSH_OUT,
  JOB_PUSH_IN,
  JOB_PING_OUT,
  JOB_PING_IN
};

/* One stream of a protocol that the swarm runs itself. */
struct job {
  struct ocf_list link; /* ocf_link.jobs */
  struct ocf_link *l;
  struct ocf_stream *s;
  enum job_kind kind;
  struct ocf_timer timer;
  bool written;                /* ID_IN, PUSH_OUT: all is sent, our end is closed */
  bool clean;                  /* PING_IN: the peer has ended its side */
  uint8_t round[OCF_PING_LEN]; /* PING_OUT, PING_IN: bytes round_at .. n_round wait for room */
  uint8_t round_at, n_round;
  union {
    struct ocf_identify_reader reader;
    struct {
      struct ocf_buf buf;
      size_t at;
    } out;
    struct ocf_ping ping;
    struct {
      struct ocf_pong core;
      uint8_t held[OCF_PING_LEN];
      size_t n_held;
    } pong;
  } u;
};

/* An ocf_swarm_open() that waits. */
struct open {
  struct ocf_list link; /* peer.opens, or sw->open_done */
  struct peer *peer;
  struct ocf_timer timer;
  uint64_t ticket;
  void *user;
  int err; /* in open_done: 0 = try now */
  size_t n_protos, n_bytes;
  struct ocf_bytes protos[OCF_CONN_PROPOSALS_MAX];
  uint8_t b[];
};

struct ocf_swarm {
  struct ocf_swarm_config cfg;
  struct ocf_conn_pool pool;
  struct ocf_peerid self;
  struct ocf_bytes *protos; /* the node's, then ours */
  size_t n_protos;
  struct ocf_bytes *told; /* protos, what is announced, then the latter's text; NULL: protos */
  size_t n_told, told_size;
  uint64_t now_ns, start_ns;
  struct ocf_wheel wheel;
  struct ocf_timer round;
  bool draining;

  struct ocf_map peers;
  struct ocf_list peers_all, peers_idle;
  size_t n_connected, n_book_peers, n_book_addrs;
  struct ocf_list links;
  size_t n_links, n_handshakes, n_far_handshakes, n_dials; /* far: not from loopback */
  size_t n_local;                                          /* links that loopback opened */
  struct ocf_map gates;
  struct ocf_list gates_list;
  struct ocf_list open_done;
  size_t n_opens;
  uint64_t next_ticket;

  struct ocf_list notes, effects, tx;
  struct ocf_list asks;    /* struct addr.ask_link */
  struct ocf_link *cur;    /* whose events are being pulled */
  struct ocf_link *closed; /* whose CLOSE was shown; freed by the next ocf_swarm_effect() */
  struct ocf_peerid ev_peer;
  char ask_host[256]; /* what the last RESOLVE effect shows */

  struct ocf_maddr *addrs; /* SWARM_ADDRS_MAX */
  size_t n_addrs;
  uint64_t seq;
  struct ocf_buf record[2]; /* sealed peer records: [1] with loopback addresses */
  struct ocf_swarm_stats st;
  struct ocf_swarm_sample samples[SWARM_SAMPLES_MAX]; /* a ring */
  size_t first_sample, n_samples;
};

#define LINK_OF(node, member) OCF_LIST_ENTRY(node, struct ocf_link, member)

/* swarm_peer.c */
struct peer *ocf_swarm_peer_find(const struct ocf_swarm *sw, const struct ocf_peerid *id);
/* Finds or makes. 0, OCF_ELIMIT (the book is full of peers in use), OCF_ENOMEM. */
OCF_NODISCARD int ocf_swarm_peer_get(struct ocf_swarm *sw, const struct ocf_peerid *id,
                                     struct peer **out);
/* To be called when a reason to keep `p` may be gone: queues it for reuse, or frees it when it
 * knows nothing. `p` may be dead afterwards. */
void ocf_swarm_peer_settle(struct peer *p);
void ocf_swarm_peer_free(struct peer *p);
OCF_NODISCARD int ocf_swarm_peer_add_addr(struct peer *p, const struct ocf_maddr *addr,
                                          enum ocf_swarm_source src, uint64_t ttl_ns);
void ocf_swarm_addr_free(struct peer *p, struct addr *a);
void ocf_swarm_peer_expire_addrs(struct peer *p);
bool ocf_swarm_entry_speaks(const struct peer *p, struct ocf_bytes proto);
/* The best connection for new streams, or NULL. */
struct ocf_link *ocf_swarm_peer_best(const struct peer *p);

/* swarm_gate.c */
OCF_NODISCARD int ocf_swarm_gate_enter(struct ocf_swarm *sw, const struct ocf_ip_addr *ip);
void ocf_swarm_gate_leave(struct ocf_swarm *sw, const struct ocf_ip_addr *ip);
void ocf_swarm_gates_free(struct ocf_swarm *sw);

/* swarm_link.c */
/* The link's connection goes down soon: events and its CLOSE follow. */
void ocf_swarm_link_abort(struct ocf_link *l, int err, const char *why);
/* Queues the CLOSE effect (or forgets a dial never begun). The link is out of all counts. */
void ocf_swarm_link_finish(struct ocf_link *l);
void ocf_swarm_link_free(struct ocf_link *l);
void ocf_swarm_link_arm(struct ocf_link *l);
/* Turns a connection's event into one of ours. False: nothing for the node. */
bool ocf_swarm_link_event(struct ocf_link *l, const struct ocf_conn_event *ce,
                          struct ocf_swarm_event *ev);
struct ocf_link *ocf_swarm_link_new(struct ocf_swarm *sw);
/* Streams that are not the swarm's own. */
size_t ocf_swarm_link_node_streams(const struct ocf_link *l);
void ocf_swarm_link_timer(struct ocf_link *l);

/* swarm_dial.c */
/* 0 or OCF_ESTATE, OCF_ELIMIT, OCF_EUNREACH. `force`: addresses in back-off too. */
OCF_NODISCARD int ocf_swarm_dial_start(struct peer *p, bool force);
/* More attempts, or the end of the dial: call when anything about it changed. */
void ocf_swarm_dial_step(struct peer *p);
/* An attempt of the peer's dial ended without a connection. */
void ocf_swarm_dial_failed(struct ocf_link *l, int err);
/* The peer is connected: the other attempts are given up. */
void ocf_swarm_dial_won(struct peer *p, struct ocf_link *winner);
void ocf_swarm_dial_cancel(struct peer *p);
void ocf_swarm_dial_peer_down(struct peer *p);
void ocf_swarm_dial_timer(struct peer *p);
bool ocf_swarm_dial_effect(struct ocf_swarm *sw, struct ocf_swarm_effect *fx);

/* swarm_open.c */
void ocf_swarm_opens_wake(struct peer *p);
void ocf_swarm_opens_fail(struct peer *p, int err);
void ocf_swarm_open_free(struct ocf_swarm *sw, struct open *o);
bool ocf_swarm_open_next(struct ocf_swarm *sw, struct ocf_swarm_event *ev);
void ocf_swarm_open_timer(struct open *o);

/* swarm_self.c */
void ocf_swarm_self_link_up(struct ocf_link *l);
/* Event of a stream that is the swarm's own. True: `ev` is to be shown. */
bool ocf_swarm_self_event(struct ocf_link *l, const struct ocf_conn_event *ce,
                          struct ocf_swarm_event *ev);
void ocf_swarm_self_push(struct ocf_swarm *sw);
void ocf_swarm_self_ping(struct ocf_link *l);
void ocf_swarm_job_timer(struct job *j);
void ocf_swarm_jobs_drop(struct ocf_link *l);

/* swarm_care.c */
void ocf_swarm_care_round(struct ocf_swarm *sw);
void ocf_swarm_care_trim(struct ocf_swarm *sw);

/* swarm.c */
void ocf_swarm_keep_sample(struct ocf_swarm *sw, enum ocf_swarm_sample_type type, bool inbound,
                           uint64_t ns);
enum ocf_swarm_result ocf_swarm_result_of(int err);
void ocf_swarm_note(struct peer *p, int err);
void ocf_swarm_show_peer(struct ocf_swarm *sw, const struct ocf_peerid *id,
                         struct ocf_swarm_event *ev);

#endif
