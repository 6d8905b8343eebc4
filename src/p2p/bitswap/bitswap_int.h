/* What the files of p2p/bitswap share; nobody else includes it.
 *
 *   bitswap.c   life, events, time, figures
 *   msg.c       the message
 *   peer.c      who is connected; offences
 *   in.c        inbound streams: messages from bytes, and what is done with them
 *   out.c       the outgoing stream per peer: effects, messages to bytes
 *   client.c    wants and asks: what is to be fetched, and from whom
 *   ask.c       one want at one peer
 *   server.c    wishes: what peers want of us */
#ifndef OCF_P2P_BITSWAP_BITSWAP_INT_H
#define OCF_P2P_BITSWAP_BITSWAP_INT_H

#include <string.h>

#include "base/buf/buf.h"
#include "base/ds/list.h"
#include "base/ds/map.h"
#include "base/time/backoff.h"
#include "base/time/wheel.h"
#include "fmt/varint/varint.h"
#include "multi/cid/cid.h"
#include "p2p/bitswap/bitswap.h"
#include "p2p/bitswap/msg.h"

enum {
  BS_ENTRIES_MAX = 1024,  /* wants and cancels per message of ours, unless it is a full one */
  BS_BUF_KEEP = 64 << 10, /* a larger buffer is given back once it is empty */
  BS_ASKS_MIN = 4,        /* peers that may stand asked for a want, however many wants */
  BS_CREDIT_MAX = 1 << 16,
  BS_JUNK_MAX = 64, /* blocks never asked for that are looked at in one message */
};

enum bs_timer { TIMER_WANT, TIMER_PEER, TIMER_IN };

/* ---- ours ---- */

enum want_state {
  WANT_LIVE,
  WANT_FOUND, /* its block waits to be pulled, in `found` */
  WANT_OVER,  /* only here until the last cancel is said */
};

enum want_step {
  STEP_FIRST, /* nobody asked, or only those said to have it */
  STEP_SOME,  /* and cfg.spread others */
  STEP_ALL,   /* and everybody, as far as `cursor` */
};

struct found {
  struct ocf_list link; /* bs->found */
  struct want *w;       /* NULL once the event was pulled */
  struct ocf_peerid from;
  size_t n;
  uint8_t data[];
};

struct want {
  struct ocf_map_node node; /* bs->wants, by multihash */
  struct ocf_bitswap *bs;
  struct ocf_list work;    /* bs->work: to be looked at */
  struct ocf_list starved; /* bs->starved: waits for room at a peer */
  struct ocf_list slow;    /* bs->slow: WANT_SLOW is due */
  struct ocf_list asks;    /* by way of ask.in_want */
  size_t n_asks;           /* those that are not cancels */
  struct ocf_timer timer;
  enum want_state state;
  enum want_step step;
  bool slow_told;     /* in this round */
  uint64_t cursor;    /* peers up to this seq were considered in this round */
  uint64_t round_ns;  /* when all are asked again */
  uint64_t starve_ns; /* until when it may wait for a full peer before it asks others */
  struct found *found;
  void *user;
  struct ocf_cid cid; /* a view of `b` */
  uint16_t n;
  uint8_t b[];
};

enum ask_state {
  ASK_OPEN,   /* an answer is awaited */
  ASK_HAS,    /* it said HAVE, or others say so of it: to be sent want-block */
  ASK_NONE,   /* it said DONT_HAVE, or nothing in time; it may still remember the want */
  ASK_CANCEL, /* the want is over, and the peer is to be told so */
};

struct ask {
  struct want *w;
  struct peer *p;
  struct ocf_list in_want, in_peer;
  struct ocf_list say; /* p->to_say: news for the peer */
  enum ask_state state;
  bool block;       /* want-block, else want-have */
  bool told;        /* the peer knows of it, or may know */
  uint64_t said_ns; /* when the present question was put into a message; 0: not yet */
  uint64_t stall_ns, due_ns;
};

/* ---- theirs ---- */

/* Wishes for a block that we do not have, of all peers. */
struct missing {
  struct ocf_map_node node; /* bs->missing, by multihash */
  struct ocf_list wishes;   /* by way of wish.same */
  uint16_t n;
  uint8_t b[];
};

struct wish {
  struct ocf_map_node node; /* p->ledger, by CID */
  struct peer *p;
  struct ocf_list link; /* p->ready, p->waiting or p->sending */
  struct ocf_list same; /* missing->wishes, while in p->waiting */
  struct missing *m;    /* likewise, else NULL */
  bool block;           /* want-block, else want-have */
  bool send_dont;
  bool sending;
  struct ocf_cid cid; /* a view of `b` */
  uint16_t n;
  uint8_t b[];
};

/* ---- peers and streams ---- */

enum out_state {
  OUT_NONE,
  OUT_OPENING,
  OUT_OPEN,
  OUT_DEAF, /* it speaks no bitswap, until it does */
};

enum { FX_OPEN = 1, FX_WRITE = 2, FX_CLOSE = 4, FX_RESET = 8 };

struct peer {
  struct ocf_map_node node; /* bs->peers */
  struct ocf_list all;      /* bs->peer_order, by seq */
  struct ocf_bitswap *bs;
  struct ocf_peerid id;
  uint64_t seq; /* grows; new whenever it becomes of use again */

  enum out_state out;
  unsigned proto; /* index, of the last stream that was opened */
  void *stream;
  void *doomed;            /* the stream that FX_RESET is about */
  unsigned fx;             /* FX_ bits */
  struct ocf_list fx_link; /* bs->fx_peers, while fx is not 0 */
  bool writing;            /* WRITE was pulled, and tx has not shown nothing since */
  struct ocf_buf tx;
  size_t tx_at;
  struct ocf_list sending; /* wishes that the message in `tx` answers for good */
  bool say_all;            /* the next message holds all that stands, and replaces what did */
  struct ocf_timer timer;
  uint64_t used_ns;
  uint64_t retry_ns; /* nothing is opened or built before */
  struct ocf_backoff backoff;

  struct ocf_list asks;   /* by way of ask.in_peer */
  struct ocf_list to_say; /* by way of ask.say */
  size_t n_open;          /* asks in state OPEN */
  size_t n_blocks;        /* and of these want-blocks */
  uint64_t srtt_ns;       /* 0: not measured */
  uint64_t useful_ns;     /* when it last sent a wanted block; 0: never */
  unsigned n_misses;      /* asks in a row without an answer in time */
  uint64_t credit;        /* blocks that it may send unwanted, as we crossed or asked twice */

  struct ocf_map ledger;
  struct ocf_list ready;   /* to be answered, oldest first */
  struct ocf_list waiting; /* not there, oldest first */

  struct ocf_list ins;
  size_t n_ins, rx_bytes;
  uint64_t offences[OCF_BITSWAP_N_OFFENCES];
  struct ocf_list offence_link; /* bs->offenders, while one is not 0 */
};

struct ocf_bitswap_in {
  struct ocf_list link; /* p->ins, or bs->dead_ins when RESET_IN is due, or bs->lost_ins */
  struct ocf_bitswap *bs;
  struct peer *p; /* NULL: it went down */
  struct ocf_peerid id;
  void *stream;
  struct ocf_buf buf; /* the beginning of a message, its length included */
  struct ocf_timer timer;
};

struct ocf_bitswap {
  struct ocf_bitswap_config cfg;
  uint64_t now_ns;
  struct ocf_wheel wheel;
  struct ocf_map peers;
  struct ocf_list peer_order;
  uint64_t next_seq;
  size_t n_deaf;

  struct ocf_map wants;
  size_t n_wants; /* LIVE and FOUND */
  size_t n_asks;
  struct ocf_list work, starved, slow;
  struct ocf_list found;
  struct found *lent; /* the last BLOCK event's */
  size_t found_bytes;
  int32_t priority; /* of the next entry; counts down, as Go sends what is first first */
  uint8_t ev_cid[OCF_BITSWAP_CID_MAX];

  struct ocf_map missing;
  size_t n_wishes;

  struct ocf_list fx_peers, dead_ins, lost_ins, offenders;
  size_t n_ins, rx_bytes;
  struct ocf_buf scratch;
  struct ocf_bitswap_stats stats;
};

/* --- bitswap.c --- */
void ocf_bitswap_now(struct ocf_bitswap *bs, uint64_t now_ns);

/* --- peer.c --- */
/* A debug line about `p`; `err` 0 is not shown as an error. */
void ocf_bitswap_say_debug(const struct peer *p, const char *what, int err);
struct peer *ocf_bitswap_peer_find(const struct ocf_bitswap *bs, const struct ocf_peerid *id);
void ocf_bitswap_peer_free(struct peer *p);
/* `p` may be asked again: it is new to every want. */
void ocf_bitswap_peer_rise(struct peer *p);
void ocf_bitswap_offend(struct peer *p, enum ocf_bitswap_offence what);

/* --- in.c --- */
void ocf_bitswap_in_free(struct ocf_bitswap_in *in);
void ocf_bitswap_in_timer(struct ocf_bitswap_in *in);

/* --- out.c --- */
/* There may be something to say to `p`. */
void ocf_bitswap_kick(struct peer *p);
void ocf_bitswap_out_timer(struct peer *p);
/* A message came from it: it speaks bitswap. */
void ocf_bitswap_heard(struct peer *p);

/* --- ask.c --- */
struct ask *ocf_bitswap_ask_find(const struct want *w, const struct peer *p);
/* A new one in state HAS, not said; NULL at a bound or without memory. */
struct ask *ocf_bitswap_ask_new(struct want *w, struct peer *p);
void ocf_bitswap_ask_free(struct ask *a);
void ocf_bitswap_ask_set(struct ask *a, enum ask_state state);
/* Puts the question, or puts it again. */
void ocf_bitswap_ask_send(struct ask *a, bool block);
/* Its want is over: tells the peer if it has to be told; frees otherwise. */
void ocf_bitswap_ask_end(struct ask *a, bool quiet);
/* The peer answered. */
void ocf_bitswap_ask_answered(struct ask *a);
bool ocf_bitswap_peer_is_full(const struct peer *p);
/* Whether it makes sense to ask `p` something. */
bool ocf_bitswap_peer_is_usable(const struct peer *p);
/* What a want-block costs there: expected time, the load it has and its silence counted. */
uint64_t ocf_bitswap_peer_cost(const struct peer *p);
/* Writes what `p` is to be told. Returns how many entries. */
size_t ocf_bitswap_asks_say(struct peer *p, struct ocf_pb_writer *w);
/* All asks at `p` end without a word; their wants go on elsewhere. */
void ocf_bitswap_asks_drop(struct peer *p);

/* --- client.c --- */
void ocf_bitswap_want_mark(struct want *w);
/* Frees `w` when it is over and nobody has to be told. */
void ocf_bitswap_want_settle(struct want *w);
void ocf_bitswap_want_free(struct want *w);
/* Looks at every want that was marked. */
void ocf_bitswap_work(struct ocf_bitswap *bs);
/* A block came from `p`. False: it was never asked for. */
bool ocf_bitswap_got_block(struct peer *p, const struct ocf_bitswap_item *item);
void ocf_bitswap_got_presence(struct peer *p, const struct ocf_bitswap_item *item);
/* An ask at `p` has ended: somebody may be waiting for its place. */
void ocf_bitswap_room(struct ocf_bitswap *bs);

/* --- server.c --- */
void ocf_bitswap_wish(struct peer *p, const struct ocf_bitswap_item *entry);
void ocf_bitswap_wishes_drop(struct peer *p);
/* Appends blocks to `tx` and presences to `presences`, as many as fit a message. Returns how many
 * answers. */
size_t ocf_bitswap_wishes_answer(struct peer *p, struct ocf_pb_writer *tx,
                                 struct ocf_pb_writer *presences);
/* The message was written, or was not. */
void ocf_bitswap_wishes_sent(struct peer *p);
void ocf_bitswap_wishes_unsent(struct peer *p);

#endif
