/* yamux, inside: what the module's own files share. Nobody else includes this. */
#ifndef OCF_P2P_YAMUX_YAMUX_INT_H
#define OCF_P2P_YAMUX_YAMUX_INT_H

#include "p2p/yamux/yamux.h"

#include "base/ds/list.h"
#include "base/time/time.h"

/* The header, big-endian:
 *
 *    0        1        2                 4                                   8
 *   +--------+--------+-----------------+-----------------------------------+------------------+
 *   | version| type   | flags           | stream id                         | length           |
 *   +--------+--------+-----------------+-----------------------------------+------------------+
 *
 * length is: DATA the body's length; WINDOW the credit, with RST an error code; PING an opaque
 * value; GOAWAY a code. */
enum { TYPE_DATA, TYPE_WINDOW, TYPE_PING, TYPE_GOAWAY };
enum { FLAG_SYN = 1, FLAG_ACK = 2, FLAG_FIN = 4, FLAG_RST = 8 };

struct header {
  uint8_t version, type;
  uint16_t flags;
  uint32_t id, length;
};

/* Control that a stream owes the peer; all but RST share one window frame. */
enum { PEND_SYN = 1, PEND_ACK = 2, PEND_WINDOW = 4, PEND_FIN = 8, PEND_RST = 16 };

enum {
  S_INBOUND = 1,
  S_ACKED = 2,      /* outbound: the peer acknowledged it; inbound: we do */
  S_LOCAL_FIN = 4,  /* our direction ended; its FIN may still be pending */
  S_REMOTE_FIN = 8, /* the peer's direction ended */
  S_DEAD = 16,      /* reset by either side; nothing is delivered or accepted */
  S_GONE = 32,      /* not in the table any more: no frame can reach it */
  S_RELEASED = 64,  /* the handle was given back */
  S_WANT = 128,     /* blocked for lack of window */
};

struct ocf_yamux_stream {
  uint32_t id;
  uint8_t flags, pend; /* S_*, PEND_* */
  uint32_t send_window;
  /* Until the peer's FIN: recv_window + held + credit + the rest of the body that is arriving ==
   * recv_max. */
  uint32_t recv_window, recv_max, held, credit;
  uint32_t rst_code;
  void *user;
  uint64_t epoch_ns;    /* when credit was last offered */
  uint64_t since_ns;    /* blocked since; once released, when lingering ends */
  struct ocf_list all;  /* in y->open, or y->ended once it is GONE or was told of the death */
  struct ocf_list ctl;  /* in y->ctl while pend != 0 */
  struct ocf_list wait; /* in y->ready, or y->linger once released */
};

/* A token bucket that is refilled only when it is found empty. */
struct bucket {
  struct ocf_yamux_rate rate;
  uint32_t tokens;
  uint64_t refill_ns;
};

enum { SEEN_IDS = 1024, PONGS_MAX = 16, REFUSED_MAX = OCF_YAMUX_UNACKED_MAX };

/* The inbound ids seen lately. Go opens streams from many threads, so SYNs may overtake each other
 * by less than its 256 unacknowledged opens; an id further back than SEEN_IDS counts as seen. */
struct seen {
  bool any;
  uint32_t high; /* id >> 1 of the highest one */
  uint64_t bits[SEEN_IDS / 64];
};

/* Open addressing with linear probing, at most half full. An ocf_map would cost more per frame than
 * the rest of the parser, and its keys are 4 bytes here. */
struct table {
  struct ocf_yamux_stream **slots;
  uint32_t n, log2_slots; /* 1 << log2_slots of them, or slots == NULL */
  uint64_t mult;          /* odd, secret */
};

enum {
  DUE_OPENED = 1,
  DUE_FIN = 2,
  DUE_RESET = 4,
  DUE_CAN_OPEN = 8,
  DUE_RTT = 16,
  DUE_DRAINED = 32
};

struct ocf_yamux {
  struct ocf_alloc *a;
  struct ocf_yamux_config cfg;
  struct ocf_yamux_stats st;
  struct table table;
  struct seen seen;
  uint32_t next_id; /* 0: exhausted */

  /* what arrives */
  uint8_t hdr[OCF_YAMUX_HEADER];
  uint8_t n_hdr, due; /* DUE_* */
  uint32_t body_left;
  struct ocf_yamux_stream *rx; /* whose frame it is; NULL: the body is dropped. Never RELEASED */
  int reset_err;               /* DUE_RESET */
  uint32_t reset_code;

  /* what must be sent */
  uint32_t pongs[PONGS_MAX], n_pongs;
  struct {
    uint32_t id, code;
  } refused[REFUSED_MAX];
  uint32_t n_refused;
  struct ocf_list open, ended; /* own all streams, by `all` */
  struct ocf_list ctl, ready, linger;
  struct ocf_yamux_stream *turn; /* whose turn to write it is */
  uint32_t turn_left;

  /* liveness */
  uint64_t last_rx_ns, ping_sent_ns, next_rtt_ns, rtt_ns, rtt_sample_ns;
  uint32_t ping_value;
  bool ping_due, ping_out; /* to be sent; sent and not answered */

  struct bucket pings, resets, empty;
  bool draining, drained, open_blocked;
  bool dead, dead_told, go_away_due;
  int dead_err;
  uint32_t dead_code;
};

/* yamux_table.c */
struct ocf_yamux_stream *ocf_yamux_table_find(const struct table *t, uint32_t id);
/* 0 or OCF_ENOMEM; `s->id` is not in the table yet. */
int ocf_yamux_table_insert(struct table *t, struct ocf_alloc *a, struct ocf_yamux_stream *s);
void ocf_yamux_table_remove(struct table *t, const struct ocf_yamux_stream *s);
void ocf_yamux_table_fini(struct table *t, struct ocf_alloc *a);
/* False when the id was seen before. */
bool ocf_yamux_seen_add(struct seen *seen, uint32_t id);
/* False when the peer does it too often. */
bool ocf_yamux_bucket_take(struct bucket *b, uint64_t now_ns);

/* yamux_stream.c */
struct ocf_yamux_stream *ocf_yamux_stream_new(struct ocf_yamux *y, uint64_t now_ns, uint32_t id,
                                              uint8_t flags);
void ocf_yamux_stream_pend(struct ocf_yamux *y, struct ocf_yamux_stream *s, uint8_t pend);
void ocf_yamux_stream_unpend(struct ocf_yamux_stream *s, uint8_t pend);
/* The stream left the wire: its id, slots and window budget are free. Frees it when released. */
void ocf_yamux_stream_gone(struct ocf_yamux *y, struct ocf_yamux_stream *s);
/* ocf_yamux_stream_gone() if both directions ended, nothing is pending and the user knows. */
void ocf_yamux_stream_maybe_gone(struct ocf_yamux *y, struct ocf_yamux_stream *s);
/* Our reset of a stream; the handle stays as it is. */
void ocf_yamux_stream_kill(struct ocf_yamux *y, struct ocf_yamux_stream *s, uint32_t code);
void ocf_yamux_stream_add_window(struct ocf_yamux *y, struct ocf_yamux_stream *s, uint32_t credit);
void ocf_yamux_stream_acked(struct ocf_yamux *y, struct ocf_yamux_stream *s);

/* yamux.c: ends the session; `tell` queues a go-away. */
void ocf_yamux_session_die(struct ocf_yamux *y, int err, uint32_t code, bool tell);

#endif
