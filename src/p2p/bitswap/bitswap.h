/* bitswap: fetches blocks by their hash from connected peers, and serves ours to them.
 *
 * Spec: ipfs/specs BITSWAP.md, protocols 1.2.0, 1.1.0, 1.0.0 and unversioned, as boxo runs them.
 * Sans-IO: streams are the owner's. Each direction uses streams of its own: we write wants, cancels
 * and answers to one long-lived stream per peer, which this core asks for; what a peer wants or
 * sends arrives on any number of streams that it opens, several messages on each.
 *
 *   inputs:  ocf_bitswap_peer_up(), _peer_down(), _opened(), _out_gone(), _in_open(), _rx(),
 *            _in_end(), _want(), _cancel(), _stored(), _tick()
 *   then     while (ocf_bitswap_event(bs, now, &ev)) the owner stores blocks, wants their children
 * … then     while (ocf_bitswap_effect(bs, now, &fx)) the owner opens, writes and closes streams;
 *   and arms one timer for ocf_bitswap_deadline(), which calls ocf_bitswap_tick().
 *
 * Wants that are made before the effects are pulled leave in one message per peer: handle all
 * events first.
 *
 * How a want is worked on. The cheapest of the peers named with it (by measured latency, load and
 * silence) is sent want-block at once; without such a peer, the cheapest that was of use is (alone,
 * when it sent a block within 10 s), and
 * `spread` others are asked want-have. A peer is late after twice its round trip (at least
 * stall_min_ns, at most stall_max_ns). When nobody is on time, or all have said DONT_HAVE, the next
 * one that has it is sent want-block; when there is none, `spread` others are asked want-have, then
 * everybody. Nobody left and no answer awaited: WANT_SLOW. A peer that has not answered for ask_ns
 * counts as having none. All who have none are asked again every rebroadcast_ns (+- half), and a
 * new peer at once for what nobody had. A want lives until its block comes or it is cancelled; then
 * all who were asked are told. For a DAG walk, name the peer that served the parent: then a block
 * costs one round trip and comes once. Others are not asked beforehand, since they would answer a
 * want-have with the small block itself.
 *
 * Serving. want-have is answered HAVE, or with the block when it has at most OCF_BITSWAP_SMALL
 * bytes; want-block with the block. Missing ones are answered DONT_HAVE where the peer asks for
 * that, and remembered in any case: ocf_bitswap_stored() serves them later. A message carries about
 * OCF_BITSWAP_MESSAGE_TARGET bytes of blocks (or one larger block), and per peer no more than one
 * message is built at a time, when its stream takes it. Every message costs at most
 * wants_per_peer_max look-ups in the store when it comes and OCF_BITSWAP_BUILD_MAX when answered.
 *
 * Memory. All of it comes from the allocator given; every table is bounded by the configuration.
 * When out of memory, what could not be kept is dropped and counted (stats.dropped): our own wants
 * are asked again by the next rebroadcast, peers ask again by themselves.
 *
 * Belongs to one loop. */
#ifndef OCF_P2P_BITSWAP_BITSWAP_H
#define OCF_P2P_BITSWAP_BITSWAP_H

#include "base/core/core.h"
#include "base/log/log.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "base/time/time.h"
#include "multi/peerid/peerid.h"

struct ocf_bitswap;
struct ocf_bitswap_in; /* one inbound stream */

enum {
  OCF_BITSWAP_N_PROTOCOLS = 4,
  OCF_BITSWAP_MESSAGE_MAX = 4 << 20,     /* bytes of a message that readers take */
  OCF_BITSWAP_MESSAGE_TARGET = 16 << 10, /* bytes of blocks per message of ours */
  OCF_BITSWAP_BLOCK_MAX = 2 << 20,       /* a larger block is not served and not accepted */
  OCF_BITSWAP_SMALL = 1024,              /* bytes of a block that answers a want-have itself */
  OCF_BITSWAP_CID_MAX = 168,             /* bytes; wants for longer ones are ignored */
  OCF_BITSWAP_BUILD_MAX = 256,           /* answers per message of ours */
};

/* What to propose when a stream is opened, best first, and what to register for inbound streams.
 * The index of a protocol in this array is what ocf_bitswap_opened() and ocf_bitswap_in_open()
 * take. */
extern const struct ocf_bytes ocf_bitswap_protocols[OCF_BITSWAP_N_PROTOCOLS];

/* The owner's blocks. `get` looks up by multihash (the hash part of a CID) and lends a view until
 * the next call of `get` or of any change to the store. 0; OCF_ENOENT; any other error means
 * "cannot tell now": the want is remembered without an answer. It must not call back into bitswap.
 */
struct ocf_bitswap_store {
  void *ctx;
  int (*get)(void *ctx, struct ocf_bytes multihash, struct ocf_bytes *block);
};

struct ocf_bitswap_config {
  struct ocf_alloc *a;
  struct ocf_rng *rng;
  const struct ocf_log *log; /* may be NULL; debug lines only */
  struct ocf_bitswap_store store;

  size_t peers_max;
  size_t wants_max;          /* of ours */
  size_t asks_max;           /* (want, peer) pairs, cancels that are not sent yet included */
  size_t asks_per_want_max;  /* peers that stand asked for one want at a time */
  size_t asks_per_peer_max;  /* wants of ours that stand at one peer; the others wait */
  size_t wants_per_peer_max; /* of a peer's that are remembered; the oldest unanswered makes room */
  size_t ledger_max;         /* the same, all peers together; the longest ledger makes room */
  size_t ins_per_peer_max;   /* inbound streams */
  size_t rx_per_peer_max;    /* bytes of incomplete messages */
  size_t rx_max;             /* the same, all peers together */
  size_t events_bytes_max;   /* blocks that wait to be pulled; more are dropped and asked again */
  unsigned spread;           /* peers asked want-have beside the first want-block */
  unsigned parallel;         /* want-blocks that may be in flight for one want */

  uint64_t stall_min_ns, stall_max_ns;
  uint64_t ask_ns;
  uint64_t rebroadcast_ns;
  uint64_t idle_ns;                      /* an unused outgoing stream is closed */
  uint64_t stuck_ns;                     /* one that takes no bytes for so long is reset */
  uint64_t partial_ns;                   /* an inbound message must be complete within */
  uint64_t reopen_min_ns, reopen_max_ns; /* after a failed open: doubling, with jitter */
};

/* Defaults: 512 peers, 4,096 wants, 65,536 asks, 64 per want, 512 per peer, 1,024 remembered wants
 * per peer and 65,536 in all, 256 inbound streams per peer, 8 MiB partial per peer and 32 MiB in
 * all, 16 MiB of events, spread 8, parallel 3; stall 50 ms to 1 s, ask 5 s, rebroadcast 20 s, idle
 * 60 s, stuck 30 s, partial 60 s, reopen 1 s to 60 s. Pointers are NULL. */
void ocf_bitswap_config_init(struct ocf_bitswap_config *cfg);

/* Copies `cfg`; what its pointers show is borrowed. 0, OCF_EINVAL (a NULL pointer, a bound of 0),
 * OCF_ENOMEM. */
OCF_NODISCARD int ocf_bitswap_new(const struct ocf_bitswap_config *cfg, uint64_t now_ns,
                                  struct ocf_bitswap **out);
/* Frees everything, inbound handles too. Sends nothing. NULL is fine. */
void ocf_bitswap_free(struct ocf_bitswap *bs);

/* ---- peers and streams -------------------------------------------------------------------------
 */

/* `peer` is connected, over a connection that is not limited. Everybody may be reported: one that
 * does not speak bitswap is found out by the first OPEN. No effect when it is up already. 0,
 * OCF_ELIMIT (peers_max), OCF_ENOMEM: then the peer is neither asked nor served. */
OCF_NODISCARD int ocf_bitswap_peer_up(struct ocf_bitswap *bs, uint64_t now_ns,
                                      const struct ocf_peerid *peer);
/* The last connection to `peer` ended; its outgoing stream, when there was one, is gone with it: no
 * ocf_bitswap_out_gone() and no further effect names it. Each inbound stream is still ended by
 * ocf_bitswap_in_end(), before or after. Unknown peers are ignored. */
void ocf_bitswap_peer_down(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer);

/* The answer to OPEN. err 0: `proto` is the index of what was agreed and `stream` the owner's
 * handle, which later effects for this stream carry. err OCF_EUNSUPP: the peer speaks none of them
 * and is left alone until it sends us a message. Any other error: opened again later, with
 * back-off. Returns false when the stream is not wanted any more (the peer went down meanwhile):
 * the owner closes it. */
OCF_NODISCARD bool ocf_bitswap_opened(struct ocf_bitswap *bs, uint64_t now_ns,
                                      const struct ocf_peerid *peer, int err, unsigned proto,
                                      void *stream);
/* The outgoing stream was reset, or its end of our direction failed. What was not written is said
 * again on a new stream. Not called after CLOSE_OUT or RESET_OUT. An end of the peer's direction
 * alone (it sends nothing there) means nothing and need not be told. */
void ocf_bitswap_out_gone(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer);

/* Bytes for the outgoing stream of `peer`: fills up to `cap` views, lent until the next call on
 * `bs`, and returns how many; 0: nothing to write now, a WRITE will follow when there is. Messages
 * are built by this call, one after the other. */
OCF_NODISCARD size_t ocf_bitswap_tx(struct ocf_bitswap *bs, uint64_t now_ns,
                                    const struct ocf_peerid *peer, struct ocf_bytes *iov,
                                    size_t cap);
/* The first `n` of those bytes were taken by the stream. */
void ocf_bitswap_tx_done(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer,
                         size_t n);

/* `peer`, which is up, opened a stream and `proto` was agreed; `stream` is the owner's handle. 0
 * and
 * `*in`; OCF_ESTATE (not up), OCF_ELIMIT (ins_per_peer_max), OCF_ENOMEM: the owner resets it. */
OCF_NODISCARD int ocf_bitswap_in_open(struct ocf_bitswap *bs, uint64_t now_ns,
                                      const struct ocf_peerid *peer, unsigned proto, void *stream,
                                      struct ocf_bitswap_in **in);
/* Bytes came on it, cut anywhere; all are taken. 0; OCF_EPROTO (malformed), OCF_ELIMIT (message too
 * long, too much unfinished), OCF_ENOMEM, OCF_ESTATE (the peer went down): `in` is freed, the owner
 * resets the stream. Pull the events before the next call, or blocks may be dropped at
 * events_bytes_max. */
OCF_NODISCARD int ocf_bitswap_rx(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bitswap_in *in,
                                 struct ocf_bytes bytes);
/* The stream ended (FIN or reset) or its connection did; frees `in`. The owner closes its own
 * direction of the stream. Also after RESET_IN has been pulled `in` is gone: then this is not
 * called.
 */
void ocf_bitswap_in_end(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bitswap_in *in);

enum ocf_bitswap_effect_type {
  OCF_BITSWAP_OPEN,      /* open a stream to `peer`, proposing ocf_bitswap_protocols in order; then
                            ocf_bitswap_opened(), also on failure */
  OCF_BITSWAP_WRITE,     /* `stream` has bytes: write what ocf_bitswap_tx() shows until it shows
                            nothing or the stream is full; then again when it becomes writable */
  OCF_BITSWAP_CLOSE_OUT, /* half-close `stream` and forget it */
  OCF_BITSWAP_RESET_OUT, /* reset `stream` and forget it */
  OCF_BITSWAP_RESET_IN,  /* reset the inbound `stream`; its `in` is freed already */
};

struct ocf_bitswap_effect {
  enum ocf_bitswap_effect_type type;
  struct ocf_peerid peer;
  void *stream; /* the owner's handle; NULL for OPEN */
};

bool ocf_bitswap_effect(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bitswap_effect *fx);

/* ---- wanting -----------------------------------------------------------------------------------
 */

/* Wants the block named by `cid` (any form whose hash is sha2-256 or sha2-512, copied). `hints`:
 * peers that probably have it, may be empty; those that are not up do not count. `user` comes back
 * with the events. Wants are told apart by multihash. 0; OCF_EEXIST (wanted already: the hints are
 * added, the first `user` stays), OCF_EINVAL (not a CID, too long, an identity hash), OCF_EUNSUPP
 * (a hash we cannot compute), OCF_ELIMIT (wants_max), OCF_ENOMEM. The store is not looked at: want
 * what is missing. */
OCF_NODISCARD int ocf_bitswap_want(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bytes cid,
                                   const struct ocf_peerid *hints, size_t n_hints, void *user);
/* Ends a want; no event names it any more. True when there was one. */
bool ocf_bitswap_cancel(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bytes cid);

/* ---- serving -----------------------------------------------------------------------------------
 */

/* The block `cid` is in the store from now on: peers that wait for it are served. Call it for every
 * block that is added, also for those that came by bitswap. */
void ocf_bitswap_stored(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bytes cid);

/* ---- events ------------------------------------------------------------------------------------
 */

enum ocf_bitswap_event_type {
  OCF_BITSWAP_BLOCK,     /* `data` is the block `cid`, verified; the want has ended */
  OCF_BITSWAP_WANT_SLOW, /* every connected peer was asked for `cid` and none has it; still wanted.
                            Once per want and rebroadcast round */
  OCF_BITSWAP_OFFENCE,   /* `peer` misbehaved; for the owner's scores. Repeats coalesce: `count` */
};

enum ocf_bitswap_offence {
  OCF_BITSWAP_MALFORMED,     /* not a bitswap message, or over OCF_BITSWAP_MESSAGE_MAX */
  OCF_BITSWAP_IDENTITY_WANT, /* wants a CID that holds its own data; Go disconnects for this */
  OCF_BITSWAP_UNREQUESTED,   /* blocks that it was never asked for */
  OCF_BITSWAP_WANT_FLOOD,    /* more wants than are remembered, or CIDs over OCF_BITSWAP_CID_MAX */
  OCF_BITSWAP_SLOW_MESSAGE,  /* a message not complete after partial_ns */
  OCF_BITSWAP_N_OFFENCES
};

struct ocf_bitswap_event {
  enum ocf_bitswap_event_type type;
  struct ocf_bytes cid;          /* BLOCK, WANT_SLOW: as given to ocf_bitswap_want() */
  struct ocf_bytes data;         /* BLOCK */
  struct ocf_peerid peer;        /* BLOCK: who sent it; OFFENCE */
  void *user;                    /* BLOCK, WANT_SLOW */
  enum ocf_bitswap_offence what; /* OFFENCE */
  uint64_t count;                /* OFFENCE: how often since the last such event */
};

/* The next event. Views in it are lent until the next call of ocf_bitswap_event(), or
 * ocf_bitswap_free(); all other calls are allowed in between. */
bool ocf_bitswap_event(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bitswap_event *ev);

/* ---- time and figures --------------------------------------------------------------------------
 */

/* When ocf_bitswap_tick() is due; OCF_TIME_NEVER: not at all. May be early. */
uint64_t ocf_bitswap_deadline(const struct ocf_bitswap *bs);
void ocf_bitswap_tick(struct ocf_bitswap *bs, uint64_t now_ns);

struct ocf_bitswap_stats {
  size_t peers, peers_unresponsive, wants, asks, ledger, ins; /* now */
  size_t rx_bytes, event_bytes;                               /* held now */
  uint64_t msgs_in, msgs_out, bytes_in, bytes_out;            /* from here on: since the start */
  uint64_t blocks_in, block_bytes_in;                         /* that were wanted */
  uint64_t blocks_dup, block_bytes_dup;                       /* that were not, or not any more */
  uint64_t blocks_out, block_bytes_out;
  uint64_t haves_in, dont_haves_in, haves_out, dont_haves_out;
  uint64_t wants_in, cancels_in;
  uint64_t want_blocks_out, want_haves_out, cancels_out;
  uint64_t asks_timed_out, wants_slow;
  uint64_t opens, opens_failed, outs_gone;
  uint64_t offences[OCF_BITSWAP_N_OFFENCES];
  uint64_t dropped; /* for lack of memory, or at a bound of our own */
};
void ocf_bitswap_stats(const struct ocf_bitswap *bs, struct ocf_bitswap_stats *out);

#endif
