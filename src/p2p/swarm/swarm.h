/* All libp2p connections of one loop: who is connected, who may connect, how peers are dialled and
 * kept, and the protocols that every peer needs (identify, identify/push, ping). Other protocols'
 * streams are opened through it and their events pass through it.
 *
 * Sans-IO. The driver owns sockets and the clock; it knows a `struct ocf_link` for each socket and
 * may store its own handle there. The node pulls events, the driver pulls effects:
 *
 *   inputs:  ocf_swarm_accept(), ocf_swarm_dialled(), ocf_link_rx_space() + ocf_link_rx(),
 *            ocf_link_rx_end(), ocf_link_tx_done(), ocf_swarm_tick()
 *   then     while (ocf_swarm_event(sw, now, &ev)) the node reacts;
 *   then     while (ocf_swarm_effect(sw, now, &fx)) the driver connects and closes sockets;
 *   then     while ((l = ocf_swarm_tx_next(sw, now)) != NULL) the driver writes what ocf_link_tx()
 *            shows, until it shows nothing or the socket is full. A full socket's link is asked
 *            again when the socket becomes writable, without waiting for ocf_swarm_tx_next().
 *   and arms one timer for ocf_swarm_deadline().
 * ocf_swarm_busy() tells whether a further round is due before sleeping.
 *
 * Threading: everything here belongs to one loop. Memory: through the allocator given; the number
 * of connections, peers, addresses, dials and waiting opens is bounded by the configuration.
 * Specs: libp2p/specs connections, identify, ping; limits after go-libp2p's resource manager. */
#ifndef OCF_P2P_SWARM_SWARM_H
#define OCF_P2P_SWARM_SWARM_H

#include "base/core/core.h"
#include "base/log/log.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "base/time/time.h"
#include "multi/maddr/maddr.h"
#include "multi/peerid/peerid.h"
#include "p2p/conn/conn.h"

struct ocf_swarm;
struct ocf_link;         /* one connection or dial attempt, from its socket's point of view */
struct ocf_key;          /* crypto/key */
struct ocf_noise_static; /* p2p/noise */

enum { OCF_SWARM_ANNOUNCED_MAX = 32 };

struct ocf_swarm_config {
  struct ocf_alloc *a;
  struct ocf_rng *rng;
  const struct ocf_log *log; /* may be NULL */
  const struct ocf_key *key; /* identity; signs our peer record. RSA costs 0.4 ms per change */
  const struct ocf_noise_static *noise;
  const char *agent;              /* identify's agentVersion, "ocf-c/0.1.0" */
  const struct ocf_bytes *protos; /* the node's inbound protocols; borrowed for the swarm's life */
  size_t n_protos;
  uint64_t wall_ns; /* unix time at `now_ns` of ocf_swarm_new(): our peer record's sequence */

  struct ocf_conn_config conn; /* limits and times of each connection; pointers are filled here */

  size_t conns_max;               /* all connections but local ones; further ones are refused */
  size_t local_conns_max;         /* connections that loopback addresses opened */
  size_t handshakes_max;          /* accepted, not yet proved */
  size_t per_peer_max;            /* connections with one peer */
  size_t low_water, high_water;   /* above high, unprotected idle ones are closed down to low */
  uint64_t grace_ns;              /* a new connection is not trimmed for so long */
  uint64_t surplus_idle_ns;       /* a second connection to a peer is closed after so long unused */
  size_t per_ip_max, per_net_max; /* connections per IPv4 or IPv6 /56, and per IPv6 /48 */
  uint64_t ip_refill_ns, net_refill_ns; /* one more new connection after so long */
  uint32_t ip_burst, net_burst;         /* new connections: bucket sizes */

  size_t dials_max, dials_per_peer_max;
  uint64_t connect_ns;                     /* TCP connect */
  uint64_t dial_ns;                        /* one peer's dial with all its addresses */
  uint64_t stagger_ns;                     /* head start of a better ranked address */
  uint64_t backoff_min_ns, backoff_max_ns; /* per address after a failure, doubling, with jitter */
  uint64_t static_min_ns, static_max_ns;   /* re-dial of static peers */
  size_t opens_max;                        /* ocf_swarm_open() requests that wait */

  size_t book_peers_max, addrs_per_peer_max; /* address book */
  uint64_t ping_every_ns, ping_wait_ns;      /* libp2p ping of each peer; 0: none */
  uint64_t identify_ns;                      /* time for one identify exchange */
};

/* Defaults: 256 connections and 4,096 local ones, 64 handshakes, 8 per peer, water 160/192, grace
 * 20 s, surplus 30 s, 8 per IP and 64 per /48, one per 5 s burst 16 and one per 2 s burst 80, 160
 * dials and 8 per peer, 5 s connect, 15 s dial, 250 ms stagger, back-off 5 s to 5 min, static 5 s
 * to 2 min, 1,024 opens, 4,096 peers with 64 addresses each, ping 30 s + 10 s, identify 5 s.
 * Pointers are NULL. */
void ocf_swarm_config_init(struct ocf_swarm_config *cfg);

/* Copies `cfg` (what its pointers show is borrowed). 0, OCF_EINVAL, OCF_ENOMEM. */
OCF_NODISCARD int ocf_swarm_new(const struct ocf_swarm_config *cfg, uint64_t now_ns,
                                struct ocf_swarm **out);
/* Frees everything at once. The driver closes its sockets itself; links are dead. */
void ocf_swarm_free(struct ocf_swarm *sw);

const struct ocf_peerid *ocf_swarm_self(const struct ocf_swarm *sw);

/* --- our addresses --- */

/* What we listen on (`listen`: as bound, wildcards allowed), the addresses of our interfaces (ports
 * are not looked at) and what the operator adds (`extra`). Copied. A wildcard stands for every
 * interface address of its family. A change is pushed to identified peers. Loopback addresses are
 * shown to loopback peers only. 0, OCF_ELIMIT (> 64 after expansion: the first 64 are used),
 * OCF_ENOMEM. */
OCF_NODISCARD int ocf_swarm_set_addrs(struct ocf_swarm *sw, uint64_t now_ns,
                                      const struct ocf_maddr *listen, size_t n_listen,
                                      const struct ocf_ip_addr *ifaces, size_t n_ifaces,
                                      const struct ocf_maddr *extra, size_t n_extra);
/* The expanded addresses, loopback included; lent until the next ocf_swarm_set_addrs(). Returns how
 * many. */
size_t ocf_swarm_addrs(const struct ocf_swarm *sw, const struct ocf_maddr **out);

/* Names that identify tells of after the protocols served: something that this node is or can do,
 * said in the way that all peers read. A stream that asks for one is refused. Replaces those of the
 * last call (n 0: none); copied; a change is pushed to identified peers. 0; OCF_EINVAL (an empty
 * name, or over OCF_CONN_PROTO_MAX bytes), OCF_ELIMIT (over OCF_SWARM_ANNOUNCED_MAX names),
 * OCF_ENOMEM: then nothing has changed. */
OCF_NODISCARD int ocf_swarm_announce(struct ocf_swarm *sw, uint64_t now_ns,
                                     const struct ocf_bytes *names, size_t n);

/* --- other peers' addresses --- */

enum ocf_swarm_source { /* in order of trust; a better source's record is not replaced by a worse */
                        OCF_SWARM_SRC_CONFIG,
                        OCF_SWARM_SRC_IDENTIFY_SIGNED,
                        OCF_SWARM_SRC_IDENTIFY,
                        OCF_SWARM_SRC_OTHER,
};

/* Remembers how `peer` may be reached: an address whose optional /p2p ending must name it.
 * `ttl_ns` OCF_TIME_NEVER: for ever. 0, OCF_EINVAL, OCF_EUNSUPP (not a TCP address), OCF_ELIMIT,
 * OCF_ENOMEM. Known addresses get the longer life. */
OCF_NODISCARD int ocf_swarm_add_addr(struct ocf_swarm *sw, uint64_t now_ns,
                                     const struct ocf_peerid *peer, const struct ocf_maddr *addr,
                                     enum ocf_swarm_source src, uint64_t ttl_ns);
/* Keeps a connection to this peer: dialled now and again with back-off whenever it is down, never
 * trimmed. Errors as ocf_swarm_add_addr(). */
OCF_NODISCARD int ocf_swarm_add_static(struct ocf_swarm *sw, uint64_t now_ns,
                                       const struct ocf_peerid *peer, const struct ocf_maddr *addr);
/* Ends that: the peer is as any other one. A connection stays while it is not trimmed, a dial under
 * way runs to its end, its addresses are forgotten after a while. OCF_ENOENT: it was not static. */
int ocf_swarm_remove_static(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_peerid *peer);
/* Sets or clears protection bits of a peer: while any is set its connections are not trimmed. */
void ocf_swarm_protect(struct ocf_swarm *sw, const struct ocf_peerid *peer, uint32_t set,
                       uint32_t clear);
/* Starts to connect unless connected or dialling. PEER_UP or DIAL_FAILED follows. 0, OCF_EEXIST
 * (connected), OCF_EUNREACH (no usable address, or all in back-off), OCF_ELIMIT, OCF_ENOMEM,
 * OCF_EINVAL (ourselves). */
OCF_NODISCARD int ocf_swarm_dial(struct ocf_swarm *sw, uint64_t now_ns,
                                 const struct ocf_peerid *peer);
/* Closes every connection with the peer, waiting up to `grace_ns` for its streams. */
void ocf_swarm_disconnect(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_peerid *peer,
                          uint64_t grace_ns);
/* Shutdown: accepts and dials nothing any more, closes all as above. Done when n_conns is 0. */
void ocf_swarm_drain(struct ocf_swarm *sw, uint64_t now_ns, uint64_t grace_ns);

/* --- sockets: the driver's side --- */

/* A socket was accepted from `remote`, whose local end is `local`. Checks the limits per address
 * before anything costs memory or crypto. 0 and *out; else OCF_ELIMIT, OCF_ENOMEM, OCF_ESTATE
 * (draining): the driver closes the socket. `handle` is the driver's, returned by the CLOSE effect.
 */
OCF_NODISCARD int ocf_swarm_accept(struct ocf_swarm *sw, uint64_t now_ns, void *handle,
                                   const struct ocf_ip_addr *remote,
                                   const struct ocf_ip_addr *local, struct ocf_link **out);
/* The answer to a DIAL effect, at most once per link and never after its CLOSE: err 0 with the
 * addresses of the connected socket, or why it failed (OCF_EREFUSED, OCF_EUNREACH, OCF_ETIME,
 * OCF_EIO …). After an error the link is dead on return; no CLOSE follows. */
void ocf_swarm_dialled(struct ocf_swarm *sw, uint64_t now_ns, struct ocf_link *l, int err,
                       const struct ocf_ip_addr *remote, const struct ocf_ip_addr *local);
/* The answer to a RESOLVE effect: up to 8 addresses (ports are not looked at), or an error. Tickets
 * that are not awaited any more are ignored. */
void ocf_swarm_resolved(struct ocf_swarm *sw, uint64_t now_ns, uint64_t ticket, int err,
                        const struct ocf_ip_addr *ips, size_t n);
void ocf_link_set_handle(struct ocf_link *l, void *handle);
void *ocf_link_handle(const struct ocf_link *l);
/* These five do what their ocf_conn_ namesakes do. rx_space may give cap 0: stop reading. */
uint8_t *ocf_link_rx_space(struct ocf_link *l, size_t *cap);
void ocf_link_rx(struct ocf_link *l, uint64_t now_ns, size_t n);
void ocf_link_rx_end(struct ocf_link *l, uint64_t now_ns, int err);
size_t ocf_link_tx(struct ocf_link *l, struct ocf_bytes *iov, size_t cap);
void ocf_link_tx_done(struct ocf_link *l, uint64_t now_ns, size_t n);
/* The next link that has new bytes to write since it was last returned (sealed by this call), or
 * NULL. */
struct ocf_link *ocf_swarm_tx_next(struct ocf_swarm *sw, uint64_t now_ns);

enum ocf_swarm_effect_type {
  OCF_SWARM_DIAL,    /* connect to `ip`, then ocf_swarm_dialled(link) */
  OCF_SWARM_CLOSE,   /* close the link's socket or give up its connect; `link` is dead after this
                        effect and is named for look-ups only, `handle` is what was set */
  OCF_SWARM_RESOLVE, /* look `host` up, then ocf_swarm_resolved(ticket) */
};

struct ocf_swarm_effect {
  enum ocf_swarm_effect_type type;
  struct ocf_link *link;
  void *handle;
  struct ocf_ip_addr ip; /* DIAL */
  uint64_t ticket;       /* RESOLVE */
  const char *host;      /* RESOLVE: a DNS name; lent until the next ocf_swarm_effect() */
  uint8_t family;        /* RESOLVE: 4 or 6 when only such addresses are of use, else 0 */
};

bool ocf_swarm_effect(struct ocf_swarm *sw, uint64_t now_ns, struct ocf_swarm_effect *fx);

/* --- events: the node's side --- */

enum ocf_swarm_event_type {
  OCF_SWARM_PEER_UP,         /* first connection with `peer` */
  OCF_SWARM_PEER_IDENTIFIED, /* its protocols, addresses or agent became known or changed */
  OCF_SWARM_PEER_DOWN,       /* last connection with `peer` ended; `err` */
  OCF_SWARM_DIAL_FAILED,     /* no address of `peer` worked; `err` is the last one's */
  OCF_SWARM_OPENED,          /* a waiting ocf_swarm_open(): `stream`, `user` */
  OCF_SWARM_OPEN_FAILED,     /* the same in vain: `err`, `user` */
  OCF_SWARM_STREAM_IN,       /* these as in conn.h; `proto` counts in the swarm's cfg->protos */
  OCF_SWARM_STREAM_UP,
  OCF_SWARM_DATA,
  OCF_SWARM_FIN,
  OCF_SWARM_WRITABLE,
  OCF_SWARM_STREAM_GONE,
};

struct ocf_swarm_event {
  enum ocf_swarm_event_type type;
  const struct ocf_peerid *peer; /* always set; lent until the next ocf_swarm_event() */
  struct ocf_stream *stream;
  void *user; /* of the open request or of the stream */
  size_t proto;
  struct ocf_bytes data; /* lent until the next ocf_swarm_event() */
  int err;
  uint32_t code;
};

/* The next event, or false. Stream pointers live as conn.h says, counted in these calls. */
bool ocf_swarm_event(struct ocf_swarm *sw, uint64_t now_ns, struct ocf_swarm_event *ev);

/* Opens a stream to `peer` on its best connection (the oldest that is not closing). With one at
 * hand: 0, *out is the stream, which negotiates lazily when identify listed protos[0]. Otherwise
 * the peer is dialled when its address is known and the request waits: OCF_EAGAIN, *out NULL,
 * *ticket set (never 0), and OPENED or OPEN_FAILED comes not later than `deadline_ns`. Other
 * results: OCF_EUNREACH (not connected and no usable address), OCF_ELIMIT, OCF_ENOMEM, OCF_EINVAL.
 * The names are copied; at most OCF_CONN_PROPOSALS_MAX, OCF_CONN_PROTO_MAX bytes each. */
OCF_NODISCARD int ocf_swarm_open(struct ocf_swarm *sw, uint64_t now_ns,
                                 const struct ocf_peerid *peer, const struct ocf_bytes *protos,
                                 size_t n, uint64_t deadline_ns, void *user,
                                 struct ocf_stream **out, uint64_t *ticket);
/* Forgets a waiting request; no event follows. An unknown ticket is ignored. */
void ocf_swarm_open_cancel(struct ocf_swarm *sw, uint64_t ticket);

uint64_t ocf_swarm_deadline(const struct ocf_swarm *sw);
void ocf_swarm_tick(struct ocf_swarm *sw, uint64_t now_ns);
/* Gives memory that is kept for reuse back to the allocator: all of it, or, when `spare` is set,
 * what was not needed since the last call. */
void ocf_swarm_trim(struct ocf_swarm *sw, bool spare);
/* Whether there is any. */
bool ocf_swarm_keeps(const struct ocf_swarm *sw);
/* Events, effects or bytes to send are waiting. */
bool ocf_swarm_busy(const struct ocf_swarm *sw);

/* --- looking --- */

struct ocf_swarm_peer_info {
  const struct ocf_peerid *id;
  size_t n_conns, n_streams;
  bool identified, inbound, is_static; /* inbound: its oldest connection */
  uint64_t since_ns;                   /* of the oldest connection */
  uint64_t rtt_ns;                     /* smoothed libp2p ping, else muxer ping; 0 unknown */
  uint64_t last_rx_ns;
  struct ocf_bytes agent;    /* as received: up to 256 bytes of any kind */
  struct ocf_ip_addr remote; /* the oldest connection's other end */
  uint32_t protect;
};

/* Visits connected peers: *cursor starts NULL; false at the end. Nothing may change in between.
 * Everything shown is lent until the next call that takes `now`. */
bool ocf_swarm_peer_next(const struct ocf_swarm *sw, const void **cursor,
                         struct ocf_swarm_peer_info *out);
/* The same for one peer; false when not connected. */
bool ocf_swarm_peer_info(const struct ocf_swarm *sw, const struct ocf_peerid *peer,
                         struct ocf_swarm_peer_info *out);
/* Whether identify lists `proto`; false while unknown. */
bool ocf_swarm_peer_speaks(const struct ocf_swarm *sw, const struct ocf_peerid *peer,
                           struct ocf_bytes proto);
/* Fills up to `cap` known addresses (without /p2p); returns how many. */
size_t ocf_swarm_peer_addrs(const struct ocf_swarm *sw, uint64_t now_ns,
                            const struct ocf_peerid *peer, struct ocf_maddr *out, size_t cap);

/* How dials of one address and handshakes end. */
enum ocf_swarm_result {
  OCF_SWARM_RES_OK,
  OCF_SWARM_RES_REFUSED,
  OCF_SWARM_RES_UNREACHABLE,
  OCF_SWARM_RES_TIMEOUT,
  OCF_SWARM_RES_NAME, /* a host name that stands for no address */
  OCF_SWARM_RES_CANCELLED,
  OCF_SWARM_RES_PROTOCOL,
  OCF_SWARM_RES_IDENTITY,
  OCF_SWARM_RES_CRYPTO,
  OCF_SWARM_RES_CLOSED,
  OCF_SWARM_RES_OTHER,
  OCF_SWARM_RES_N
};

/* The streams that the swarm runs itself. */
enum ocf_swarm_own { OCF_SWARM_IDENTIFY, OCF_SWARM_PUSH, OCF_SWARM_PING, OCF_SWARM_OWN_N };

/* Arrays of two: [0] ours (we dialled, opened, sent), [1] the other side's. */
struct ocf_swarm_stats {
  /* gauges */
  size_t n_up[2]; /* proved connections */
  size_t own_streams[2][OCF_SWARM_OWN_N];
  size_t n_peers, n_conns, n_handshakes, n_dials, n_opens, n_book_peers, n_book_addrs;
  /* counters */
  uint64_t accepted, refused_ip, refused_rate, refused_full, handshake_failed, dials, dials_failed;
  uint64_t conns_in, conns_out, trimmed, surplus_closed;
  uint64_t identify_ok, identify_failed, push_in, push_out, push_limited, pings, pings_failed;
  uint64_t rx_bytes, tx_bytes, streams_in, streams_out, streams_refused;
  uint64_t refused_handshakes, refused_memory; /* the former is part of refused_full */
  uint64_t handshake_results[2][OCF_SWARM_RES_N], dial_results[OCF_SWARM_RES_N];
  uint64_t own_streams_total[2][OCF_SWARM_OWN_N];
  uint64_t resets[2];
};
void ocf_swarm_stats(const struct ocf_swarm *sw, struct ocf_swarm_stats *out);

/* Times for histograms. */
enum ocf_swarm_sample_type {
  OCF_SWARM_HANDSHAKE_TIME, /* from a raw connection to a proved one */
  OCF_SWARM_PING_TIME,
};

struct ocf_swarm_sample {
  enum ocf_swarm_sample_type type;
  bool inbound; /* HANDSHAKE_TIME */
  uint64_t ns;
};

/* The next one, or false. At most 64 wait; what comes when so many do is not told. */
bool ocf_swarm_sample(struct ocf_swarm *sw, struct ocf_swarm_sample *out);

#endif
