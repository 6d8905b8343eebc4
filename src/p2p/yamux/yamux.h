/* yamux session: many ordered byte streams over one ordered byte channel, both roles.
 *
 * Spec: hashicorp/yamux spec.md as libp2p runs it (`/yamux/1.0.0`), with the error codes of
 * go-yamux v5. Sans-IO: no clock, socket, thread or randomness inside; belongs to one loop.
 *
 * How a connection drives it:
 *
 *   plaintext came in                        a send area is free (say a Noise frame to be sealed)
 *   -----------------                        ----------------------------------------------------
 *   struct ocf_bytes in = plaintext;         struct ocf_yamux_out out = { area, 0, area_size };
 *   while (ocf_yamux_next(y, now, &in, &ev)) ocf_yamux_output(y, now, &out);       (control first)
 *     handle(&ev);                           while ((s = ocf_yamux_next_writable(y, &out)) != NULL)
 *   then flush, as on the right                its owner calls ocf_yamux_write(y, now, s, .., &out)
 *                                            seal and send out.p[0 .. out.n)
 *
 * ocf_yamux_write() may also be called at any other time, for example while an event is handled:
 * the bytes go behind what is already in `out`. After ocf_yamux_tick() and after any call that may
 * end the session or a stream, drain ocf_yamux_next() with an empty input.
 *
 * Memory. The session buffers nothing: received bytes are views into the input, sent bytes are
 * copied once, straight into `out`. A stream costs about 200 bytes; nothing is allocated after its
 * opening. What a peer can make us owe it (pongs, resets, acknowledgements, credit) is kept in bits
 * and fixed arrays; floods end the session (see struct ocf_yamux_config).
 *
 * Flow control. Received bytes count as held until ocf_yamux_consumed() says that they left this
 * process; a peer can make us hold at most the stream's window. A peer that overruns a window, or
 * breaks the framing rules, ends the session with a go-away.
 *
 * Handles. A `struct ocf_yamux_stream *` comes from ocf_yamux_open() or an OPENED event and stays
 * valid until it is given back by exactly one ocf_yamux_close() or ocf_yamux_reset(), in any state
 * of the stream and of the session (or until ocf_yamux_free()). No event names a stream after that.
 */
#ifndef OCF_P2P_YAMUX_YAMUX_H
#define OCF_P2P_YAMUX_YAMUX_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

struct ocf_yamux;
struct ocf_yamux_stream;

enum {
  OCF_YAMUX_HEADER = 12,
  OCF_YAMUX_WINDOW = 262144,   /* initial, both directions, a constant of the protocol */
  OCF_YAMUX_BODY_MAX = 65524,  /* our largest data body: frame <= 64 KiB */
  OCF_YAMUX_UNACKED_MAX = 256, /* our opens that the peer has not acknowledged */
  OCF_YAMUX_OUT_MIN = 512,     /* smallest send area */
};

/* Go-away codes. 0..2 are the original ones, the others go-yamux v5's. Any of them ends a session.
 */
enum ocf_yamux_code {
  OCF_YAMUX_NORMAL = 0,
  OCF_YAMUX_PROTOCOL_ERROR = 1,
  OCF_YAMUX_INTERNAL_ERROR = 2,
  OCF_YAMUX_NEGOTIATION_FAILED = 0x1000,
  OCF_YAMUX_RESOURCE_LIMIT = 0x1001,
  OCF_YAMUX_RATE_LIMITED = 0x1002,
  OCF_YAMUX_PROTOCOL_VIOLATION = 0x1003,
  OCF_YAMUX_SUPPLANTED = 0x1004,
  OCF_YAMUX_GARBAGE_COLLECTED = 0x1005,
  OCF_YAMUX_SHUTDOWN = 0x1006,
  OCF_YAMUX_GATED = 0x1007,
};

/* Codes of a stream reset: the same reasons, shifted by one. 0: no reason given. */
enum ocf_yamux_stream_code {
  OCF_YAMUX_STREAM_NO_REASON = 0,
  OCF_YAMUX_STREAM_NEGOTIATION_FAILED = 0x1001,
  OCF_YAMUX_STREAM_RESOURCE_LIMIT = 0x1002,
  OCF_YAMUX_STREAM_RATE_LIMITED = 0x1003,
  OCF_YAMUX_STREAM_PROTOCOL_VIOLATION = 0x1004,
  OCF_YAMUX_STREAM_SUPPLANTED = 0x1005,
  OCF_YAMUX_STREAM_GARBAGE_COLLECTED = 0x1006,
  OCF_YAMUX_STREAM_SHUTDOWN = 0x1007,
  OCF_YAMUX_STREAM_GATED = 0x1008,
};

/* A bound on how often a peer may do something: `burst` at once, `per_s` in the long run; passing
 * it ends the session with PROTOCOL_VIOLATION. burst 0: no bound. */
struct ocf_yamux_rate {
  uint32_t burst, per_s;
};

struct ocf_yamux_config {
  bool dialler;          /* dialler: odd ids; listener: even ids */
  uint32_t max_inbound;  /* streams the peer may have open; one more is answered with a reset */
  uint32_t max_outbound; /* streams of ours; one more must wait (OCF_EAGAIN) */
  bool ack_on_call;      /* inbound streams are acknowledged by ocf_yamux_ack() only */
  uint32_t window_max;   /* a stream's receive window grows up to this */
  uint64_t growth_max; /* no window grows once the sum of what all have grown beyond the initial one
                          and of what was delivered and not yet consumed reaches this */
  uint64_t keepalive_ns;    /* ping after this long without received bytes; 0 = never */
  uint64_t ping_timeout_ns; /* silence after a ping that ends the session */
  uint64_t
      rtt_interval_ns; /* ping to measure the round trip at the start and this often; 0 = never */
  uint64_t linger_ns;  /* a closed stream waits this long for the peer's end, then is reset */
  uint32_t quantum;    /* bytes a stream may write in its turn while others wait */
  struct ocf_yamux_rate pings;  /* pings we must answer */
  struct ocf_yamux_rate resets; /* streams the peer opens and resets, or that we had to refuse */
  struct ocf_yamux_rate empty;  /* data or window frames that carry nothing */
  uint32_t first_id;            /* our first stream id; 0 = 1 or 2, by role */
  uint64_t seed;                /* secret and random, keys the stream table */
};

/* Fills `c` with the defaults: 1000 inbound, 4096 outbound streams, windows to 16 MiB within 8 MiB
 * of growth in all, keep-alive 30 s + 10 s, RTT every 30 s, linger 30 s, quantum 16 KiB, pings 512
 * + 64/s, resets 4096 + 1024/s, empty frames 4096 + 1024/s, seed 0. */
void ocf_yamux_config_default(struct ocf_yamux_config *c, bool dialler);

/* NULL when out of memory. Takes no action until it is driven; the first ocf_yamux_output() sends
 * the first ping. `a` is borrowed until ocf_yamux_free(). */
OCF_NODISCARD struct ocf_yamux *ocf_yamux_new(struct ocf_alloc *a,
                                              const struct ocf_yamux_config *cfg, uint64_t now_ns);
/* Frees the session and all its streams; every handle becomes invalid. Sends nothing. NULL is fine.
 */
void ocf_yamux_free(struct ocf_yamux *y);

/* ---- what comes in ----------------------------------------------------------------------------
 */

enum ocf_yamux_event_kind {
  /* The peer opened `stream`; give it a user pointer with ocf_yamux_set_user(). Its acknowledgement
   * rides on our first frame for it, at the latest on the next ocf_yamux_output(); with
   * ack_on_call, on our first frame after ocf_yamux_ack(). */
  OCF_YAMUX_EV_OPENED,
  /* `data` came on `stream`, at least one byte. The receiver takes all of it now and calls
   * ocf_yamux_consumed() when it has left. */
  OCF_YAMUX_EV_DATA,
  /* The peer will send no more on `stream`; our direction stays open. */
  OCF_YAMUX_EV_FIN,
  /* `stream` is dead in both directions: reset by the peer (err OCF_ERESET, `code`), or its session
   * ended (err and code as in DEAD), or it broke a rule (OCF_EPROTO). Its last event; the handle
   * must still be given back. */
  OCF_YAMUX_EV_RESET,
  /* ocf_yamux_open() would work now, after it had answered OCF_EAGAIN. */
  OCF_YAMUX_EV_CAN_OPEN,
  /* A ping of ours came back after `rtt_ns`. */
  OCF_YAMUX_EV_RTT,
  /* The last stream of a draining session is gone: see ocf_yamux_drain(). */
  OCF_YAMUX_EV_DRAINED,
  /* The session is over; the last event, after one RESET for each stream that had not ended yet and
   * whose handle is still out.
   * err: OCF_EEOF go-away 0 received, OCF_ERESET go-away with another code received, OCF_EPROTO
   * peer broke the protocol, OCF_ELIMIT peer flooded us, OCF_ETIME peer did not answer,
   * OCF_ECANCELED ocf_yamux_abort(). `code`: the go-away code received or sent. Flush the output
   * (it may hold a go-away), then close the connection. */
  OCF_YAMUX_EV_DEAD,
};

struct ocf_yamux_event {
  enum ocf_yamux_event_kind kind;
  struct ocf_yamux_stream *stream; /* OPENED, DATA, FIN, RESET; else NULL */
  void *user;                      /* that stream's user pointer */
  struct ocf_bytes data;           /* DATA: a view into the input, lent as long as the input is */
  int err;                         /* RESET, DEAD */
  uint32_t code;                   /* RESET, DEAD */
  uint64_t rtt_ns;                 /* RTT */
};

/* Takes bytes from the front of `*in` (received plaintext, cut anywhere) until one event is due.
 * True: `*ev` is filled, call again. False: `in->n` is 0 and there is nothing to report; `*ev` is
 * untouched. Never blocks on output and never refuses input: after DEAD, input is swallowed. */
bool ocf_yamux_next(struct ocf_yamux *y, uint64_t now_ns, struct ocf_bytes *in,
                    struct ocf_yamux_event *ev);

/* `n` of the bytes delivered for `s` have left user space: the window may be offered again. The sum
 * over a stream never passes what was delivered. The update is sent by ocf_yamux_output() once half
 * of the window is consumed. No effect on the wire after FIN or RESET, but still allowed. */
void ocf_yamux_consumed(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s, size_t n);

/* ---- what goes out ----------------------------------------------------------------------------
 */

/* Where frames are put: p[n .. cap) is free. The connection owns it and may pass another one at any
 * time, frames are complete within one. cap is at least OCF_YAMUX_OUT_MIN;
 * 65519 (the plaintext of a Noise frame) is ideal. */
struct ocf_yamux_out {
  uint8_t *p;
  size_t n, cap;
};

/* Appends waiting control frames: pongs first, then pings, resets of refused streams, and per
 * stream in turn its SYN, ACK, credit, FIN and RST; after the session's death only its go-away.
 * What finds no room waits for the next call. Call it first on every fresh area, then let streams
 * write. */
void ocf_yamux_output(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_out *out);
/* True when ocf_yamux_output() has something to append. */
bool ocf_yamux_has_output(const struct ocf_yamux *y);

/* Copies one data frame of the `n_iov` pieces in `iov` (together the bytes of `s` that wait) behind
 * out->n. Returns how many bytes went in: less than offered when the window, the room, the frame
 * size (OCF_YAMUX_BODY_MAX) or this stream's turn is used up; call again to go on. 0: blocked; `s`
 * will be reported by ocf_yamux_next_writable() when it can go on. Also 0, for good, after
 * ocf_yamux_finish() and on a dead stream. A stream that finds others waiting queues behind them.
 */
size_t ocf_yamux_write(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                       const struct ocf_bytes *iov, size_t n_iov, struct ocf_yamux_out *out);

/* The same in two steps for data that can be produced in place (read from a socket, say): begin
 * returns where the body goes and in `*room` how long it may be (at most `want`), or NULL as
 * write's 0; commit puts the header before the `n` bytes (1 <= n <= *room) written there. Nothing
 * else may be called on the session or `out` between the two; a begin without commit is harmless.
 */
uint8_t *ocf_yamux_begin(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                         size_t want, struct ocf_yamux_out *out, size_t *room);
void ocf_yamux_commit(struct ocf_yamux *y, struct ocf_yamux_stream *s, size_t n,
                      struct ocf_yamux_out *out);

/* The next stream that was blocked and can write now, whose turn it then is (round robin, `quantum`
 * bytes each while others wait); NULL when none can or `out` has no useful room left. The stream is
 * forgotten until it is blocked again: its owner must call ocf_yamux_write() if it has bytes. */
struct ocf_yamux_stream *ocf_yamux_next_writable(struct ocf_yamux *y,
                                                 const struct ocf_yamux_out *out);
/* True when next_writable would return a stream, given room. */
bool ocf_yamux_has_writable(const struct ocf_yamux *y);

/* ---- streams ----------------------------------------------------------------------------------
 */

/* Opens a stream; its SYN precedes its first data. 0 and `*out`, or OCF_EAGAIN (256 opens not
 * acknowledged, or max_outbound reached: CAN_OPEN follows), OCF_ESTATE (dead or draining),
 * OCF_ERANGE (no ids left: use another connection), OCF_ENOMEM. */
OCF_NODISCARD int ocf_yamux_open(struct ocf_yamux *y, uint64_t now_ns, void *user,
                                 struct ocf_yamux_stream **out);
/* With ack_on_call: acknowledges an inbound stream, once. A peer has at most 256 streams that are
 * not acknowledged and waits with the next, so that this is how fast it may open them. Until then
 * data flows both ways. */
void ocf_yamux_ack(struct ocf_yamux *y, struct ocf_yamux_stream *s);
/* Half-close: no more data from us; the peer may go on. Sent after all data written so far.
 * Idempotent. */
void ocf_yamux_finish(struct ocf_yamux *y, struct ocf_yamux_stream *s);
/* Gives the handle back and ends our direction (as finish). What the peer still sends is dropped;
 * if it does not end its own direction within linger_ns, the stream is reset. */
void ocf_yamux_close(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s);
/* Gives the handle back and, unless both directions have ended, resets the stream with `code`, an
 * enum ocf_yamux_stream_code or any number. */
void ocf_yamux_reset(struct ocf_yamux *y, uint64_t now_ns, struct ocf_yamux_stream *s,
                     uint32_t code);

void ocf_yamux_set_user(struct ocf_yamux_stream *s, void *user);
void *ocf_yamux_user(const struct ocf_yamux_stream *s);
uint32_t ocf_yamux_id(const struct ocf_yamux_stream *s);
bool ocf_yamux_is_inbound(const struct ocf_yamux_stream *s);
/* Bytes the peer lets us send now. */
uint32_t ocf_yamux_send_window(const struct ocf_yamux_stream *s);
/* Bytes delivered and not yet consumed. */
uint32_t ocf_yamux_held(const struct ocf_yamux_stream *s);
/* Since when the stream wants to write and has no window, or OCF_TIME_NEVER: the caller's write
 * time-out counts from here (a peer that stopped reading is seen in no other way). */
uint64_t ocf_yamux_blocked_since(const struct ocf_yamux_stream *s);

/* ---- the session ------------------------------------------------------------------------------
 */

/* Takes no new streams in either direction (inbound ones are reset with STREAM_SHUTDOWN) and
 * reports DRAINED when the last one is gone, at once if there is none. Sends nothing by itself:
 * go-libp2p treats any go-away as the end of all streams. Afterwards ocf_yamux_abort(..,
 * OCF_YAMUX_SHUTDOWN). */
void ocf_yamux_drain(struct ocf_yamux *y);
/* Ends the session now with a go-away of `code`. RESET and DEAD events follow. Idempotent. */
void ocf_yamux_abort(struct ocf_yamux *y, uint32_t code);
bool ocf_yamux_is_dead(const struct ocf_yamux *y);

/* When ocf_yamux_tick() must be called next, or OCF_TIME_NEVER. */
uint64_t ocf_yamux_deadline(const struct ocf_yamux *y);
/* Keep-alive, RTT pings, lingering streams. Early and extra calls do no harm. Afterwards drain
 * ocf_yamux_next() and flush. */
void ocf_yamux_tick(struct ocf_yamux *y, uint64_t now_ns);

/* Smoothed round-trip time; 0 before the first answer. */
uint64_t ocf_yamux_rtt(const struct ocf_yamux *y);

struct ocf_yamux_stats {
  uint64_t rx_bytes, tx_bytes;            /* data bodies only */
  uint64_t rx_frames, tx_frames;          /* all types */
  uint64_t opened_in, opened_out;         /* streams */
  uint64_t refused_in;                    /* inbound streams over a limit, or without memory */
  uint64_t resets_in, resets_out;         /* frames */
  uint64_t pings_in, pongs_dropped;       /* dropped: more than the backlog at once */
  uint64_t unknown_frames, unknown_bytes; /* for streams that are not there: drained */
  uint64_t window_updates_in, window_updates_out;
  uint64_t credit_out;            /* bytes of credit sent beyond the initial windows */
  uint64_t held_bytes;            /* now: delivered, not consumed, handle still out */
  uint64_t growth_bytes;          /* now: receive windows beyond the initial ones */
  uint32_t n_inbound, n_outbound; /* now */
  uint32_t n_unacked;             /* now: our opens without an acknowledgement */
};

/* Lends the counters; they change with every call. */
const struct ocf_yamux_stats *ocf_yamux_stats(const struct ocf_yamux *y);

#endif
