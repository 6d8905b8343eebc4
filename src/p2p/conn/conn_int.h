/* What the files of p2p/conn share; nobody else includes it.
 *
 *   conn.c         life, phases, the event loop, time
 *   conn_up.c      the upgrade: multistream, Noise, muxer
 *   conn_stream.c  streams and their negotiation
 *   conn_io.c      pool, receive buffer, send queue and the frame being built */
#ifndef OCF_P2P_CONN_CONN_INT_H
#define OCF_P2P_CONN_CONN_INT_H

#include "base/ds/list.h"
#include "crypto/key/key.h"
#include "base/buf/copy.h"
#include "p2p/conn/conn.h"
#include "p2p/mss/mss.h"
#include "p2p/noise/noise.h"
#include "p2p/yamux/yamux.h"

enum {
  CONN_STASH = 256,     /* a partial frame up to this size does not keep a receive buffer */
  CONN_AREA_MIN = 1024, /* a frame is begun only where this much plaintext has room */
  CONN_ROOM_MIN = 512,  /* a frame with less room than this is full; yamux wants 280 */
  CONN_NEG_OUT = 24 + OCF_CONN_PROTO_MAX + 8, /* header and one name, or header and some refusals */
  CONN_END_NS = 1000000000, /* a dying connection has so long to write its go-away */
};

struct conn_rx {
  struct conn_rx *next;
  uint8_t p[OCF_CONN_RX_SIZE + 2 * OCF_COPY_ALIGN]; /* so that reads can begin aligned */
};

/* Sealed bytes p[at .. n); the frame being built, if any, begins at n of the last buffer. */
struct conn_tx {
  struct conn_tx *next;
  size_t at, n;
  uint8_t p[OCF_CONN_TX_SIZE];
};

enum conn_phase {
  CONN_SECURITY, /* multistream in the clear */
  CONN_NOISE,
  CONN_MUXER, /* multistream inside the channel */
  CONN_OPEN,
  CONN_OVER, /* the session is over; DOWN is due when what is left is written */
  CONN_IS_DOWN,
};

/* Needed until UP only. */
struct conn_up {
  struct ocf_mss mss;
  struct ocf_noise hs;
};

struct ocf_conn {
  const struct ocf_conn_config *cfg;
  struct ocf_list dirty_link; /* pool->dirty */
  void *user;
  enum conn_phase phase;
  enum ocf_conn_role role;
  bool doomed, drop, closing, was_up, say_up;
  bool rx_eof;
  int rx_err;
  int down_err;
  const char *why;
  uint64_t now_ns, last_rx_ns;
  uint64_t phase_deadline_ns; /* of the upgrade, the graceful close, or the end */
  uint64_t stall_deadline_ns;

  struct conn_up *up;
  struct ocf_peerid peer; /* the expected one before UP */
  struct ocf_pubkey key;
  struct ocf_noise_tx seal;
  struct ocf_noise_rx open;
  struct ocf_yamux *y;

  struct conn_rx *rx;     /* NULL when nothing is buffered */
  size_t rx_at, rx_n;     /* received and not yet opened: rx->p[rx_at .. rx_n) */
  struct ocf_bytes plain; /* opened, not yet taken by the muxer: inside rx */
  uint16_t n_stash;
  uint8_t stash[CONN_STASH];

  struct conn_tx *tx_head, *tx_tail;
  size_t n_tx_bufs, tx_bytes;
  struct ocf_yamux_out out; /* the frame being built; p NULL when there is none */

  struct ocf_list streams;        /* owned: struct ocf_stream.link */
  struct ocf_list talks;          /* streams negotiating, in order of their deadline */
  struct ocf_list neg_tx;         /* streams whose negotiation has bytes to send */
  struct ocf_list ending;         /* streams whose STREAM_GONE is due */
  struct ocf_stream *zombie;      /* reported gone, to be freed by the next ocf_conn_event() */
  struct ocf_stream *rest_stream; /* `rest` came in one piece with the end of its negotiation */
  struct ocf_bytes rest;
  size_t n_streams, n_neg_in;
  struct ocf_conn_stats stats;
};

enum stream_state {
  STREAM_NEG_IN,   /* the peer proposes; unknown to our user */
  STREAM_NEG_OUT,  /* we propose and wait */
  STREAM_NEG_LAZY, /* we propose and write on */
  STREAM_OPEN,
};

/* Needed until the negotiation is over and its bytes are sent. */
struct stream_neg {
  struct ocf_mss mss;
  struct ocf_bytes protos[OCF_CONN_PROPOSALS_MAX];
  uint64_t deadline_ns;
  uint16_t at, n; /* out[at .. n) waits to be sent */
  uint8_t out[CONN_NEG_OUT];
};

struct ocf_stream {
  struct ocf_conn *c;
  struct ocf_yamux_stream *ys; /* NULL once given back */
  struct ocf_list link, talk_link, tx_link, end_link;
  void *user;
  struct stream_neg *neg;
  struct ocf_bytes proto;
  enum stream_state state;
  int kind;
  int gone_err;
  uint32_t gone_code;
  bool inbound, want, fin_in, fin_out, fin_sent, known; /* known: our user has seen it */
  size_t n_names;
  uint8_t names[];
};

/* conn.c */
void ocf_conn_mark(struct ocf_conn *c);
/* Begins the end, once: the muxer is told `code`, streams go, DOWN reports `err` and `why`. */
void ocf_conn_doom(struct ocf_conn *c, int err, const char *why, uint32_t code);

/* conn_io.c */
/* The frame being built, with room for CONN_ROOM_MIN bytes; NULL when the queue is full. */
struct ocf_yamux_out *ocf_conn_area(struct ocf_conn *c);
/* Ends the frame being built: sealed if it has anything in it. */
void ocf_conn_seal(struct ocf_conn *c);
/* Contiguous space for unsealed handshake bytes; NULL without memory. ocf_conn_raw_done() adds
 * them. */
uint8_t *ocf_conn_raw(struct ocf_conn *c, size_t *cap);
void ocf_conn_raw_done(struct ocf_conn *c, size_t n);
/* Opens the next whole frame into c->plain. False when there is none, or c is doomed by it. */
bool ocf_conn_open_frame(struct ocf_conn *c);
/* Gives the receive buffer back if nothing, or only a little, is in it. */
void ocf_conn_rx_settle(struct ocf_conn *c);
void ocf_conn_tx_drop(struct ocf_conn *c);
void ocf_conn_rx_drop(struct ocf_conn *c);

/* conn_up.c */
OCF_NODISCARD int ocf_conn_up_start(struct ocf_conn *c);
/* Takes what was received as far as the upgrade goes, and queues the answers. */
void ocf_conn_up_step(struct ocf_conn *c);
void ocf_conn_up_free(struct ocf_conn *c);

/* conn_stream.c */
/* Turns one muxer event into one of ours. False: nothing for our user. */
bool ocf_conn_stream_event(struct ocf_conn *c, const struct ocf_yamux_event *ye,
                           struct ocf_conn_event *ev);
/* Reports the next stream of c->ending. */
bool ocf_conn_stream_gone(struct ocf_conn *c, struct ocf_conn_event *ev);
/* The next stream that may write. */
bool ocf_conn_stream_writable(struct ocf_conn *c, struct ocf_conn_event *ev);
/* Sends what negotiations have to say. */
void ocf_conn_stream_talk(struct ocf_conn *c);
void ocf_conn_stream_timeouts(struct ocf_conn *c);
uint64_t ocf_conn_stream_deadline(const struct ocf_conn *c);
void ocf_conn_stream_free(struct ocf_stream *s);

#endif
