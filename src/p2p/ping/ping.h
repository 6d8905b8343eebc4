/* libp2p ping, both ends. Spec: libp2p/specs ping/ping.md (r0), protocol `/ipfs/ping/1.0.0`: 32
 * bytes that nobody can guess are echoed; many rounds may run on one stream, one after another.
 *
 * Sans-IO: no clock, socket, randomness or heap inside. One object per stream; nothing to free.
 * Belongs to one loop. A go-libp2p server closes its stream after 10 s without a round, and 30 s
 * after the opening in any case: an initiator opens a new stream then. */
#ifndef OCF_P2P_PING_PING_H
#define OCF_P2P_PING_PING_H

#include "base/core/core.h"
#include "base/time/time.h"

enum { OCF_PING_LEN = 32 };
#define OCF_PING_PROTOCOL "/ipfs/ping/1.0.0"

/* What rounds with one peer showed. Outlives streams: keep one per peer. Times in ns. */
struct ocf_ping_stats {
  uint64_t last_ns, min_ns, max_ns;
  uint64_t ewma_ns; /* weight 1/8 for the newest sample; 0 before the first */
  uint64_t n_ok, n_lost;
};

/* Adds one round trip, respectively one round without an answer. */
void ocf_ping_stats_add(struct ocf_ping_stats *st, uint64_t rtt_ns);
void ocf_ping_stats_lost(struct ocf_ping_stats *st);

/* ---- initiator --------------------------------------------------------------------------------
 */

enum ocf_ping_state { OCF_PING_IDLE, OCF_PING_WAIT, OCF_PING_DEAD };

struct ocf_ping_event {
  int err;         /* 0, OCF_ETIME, OCF_EPROTO or OCF_EEOF */
  uint64_t rtt_ns; /* when err is 0: from the last byte written to the last byte back */
};

/* Fields are private. */
struct ocf_ping {
  enum ocf_ping_state state;
  bool has_event;
  struct ocf_ping_event event;
  uint64_t timeout_ns, deadline_ns, sent_ns;
  size_t n_sent, n_got; /* n_got <= n_sent <= OCF_PING_LEN; both 0 unless OCF_PING_WAIT */
  uint8_t payload[OCF_PING_LEN];
};

void ocf_ping_init(struct ocf_ping *p, uint64_t timeout_ns);
/* Begins a round: copies `rnd`, OCF_PING_LEN unpredictable bytes. 0, or OCF_ESTATE unless idle and
 * its event was taken. */
OCF_NODISCARD int ocf_ping_start(struct ocf_ping *p, uint64_t now_ns, const uint8_t *rnd);
/* Moves up to `cap` pending bytes to `dst`. Returns the count; 0 means nothing to send. */
size_t ocf_ping_output(struct ocf_ping *p, uint64_t now_ns, uint8_t *dst, size_t cap);
/* Consumes all of `in`, in any fragmentation. 0, or OCF_EPROTO (bytes that were not sent, or before
 * they were sent): the caller resets the stream. A round under way then ends with that event. */
OCF_NODISCARD int ocf_ping_input(struct ocf_ping *p, uint64_t now_ns, struct ocf_bytes in);
/* The peer half-closed or reset the stream: a round under way is lost (event OCF_EEOF), and no
 * other can start. */
void ocf_ping_eof(struct ocf_ping *p);
uint64_t ocf_ping_deadline(const struct ocf_ping *p); /* next ocf_ping_tick(), or OCF_TIME_NEVER */
void ocf_ping_tick(struct ocf_ping *p, uint64_t now_ns);
/* Takes the result of a round; false: none. After an error the object is dead: reset the stream. */
OCF_NODISCARD bool ocf_ping_event(struct ocf_ping *p, struct ocf_ping_event *out);
/* True when a round may start. */
bool ocf_ping_is_idle(const struct ocf_ping *p);

/* ---- responder --------------------------------------------------------------------------------
 */

struct ocf_pong_config {
  uint64_t idle_ns;      /* no complete round for this long ends the stream */
  uint32_t burst, per_s; /* rounds at once and in the long run; more are delayed, not refused */
};

/* Fields are private. */
struct ocf_pong {
  struct ocf_pong_config cfg;
  uint64_t idle_deadline_ns;
  uint64_t refill_ns; /* when `tokens` was last brought up to date */
  uint32_t tokens;
  uint8_t n_got, n_out; /* n_got == OCF_PING_LEN: the payload is complete and n_out of it is sent */
  uint64_t n_rounds;
  uint8_t payload[OCF_PING_LEN];
};

/* 60 s idle, 1024 rounds at once, 256 per second. */
void ocf_pong_config_default(struct ocf_pong_config *c);
void ocf_pong_init(struct ocf_pong *p, const struct ocf_pong_config *cfg, uint64_t now_ns);
/* Takes bytes from the front of `*in`, at most one round: while an echo waits to be sent, or the
 * rate is used up, the rest stays in `*in` and the caller offers it again after output or at the
 * deadline (it holds at most the stream's window, as it grants no credit for what is not taken). */
void ocf_pong_input(struct ocf_pong *p, uint64_t now_ns, struct ocf_bytes *in);
/* Moves up to `cap` bytes of the echo to `dst`. Returns the count; 0 means nothing to send now. */
size_t ocf_pong_output(struct ocf_pong *p, uint64_t now_ns, uint8_t *dst, size_t cap);
/* The peer ended its direction. True when no echo is owed: the caller closes the stream. */
bool ocf_pong_is_clear(const struct ocf_pong *p);
/* When to look again: the idle limit, or sooner when an echo is held back by the rate. */
uint64_t ocf_pong_deadline(const struct ocf_pong *p);
/* 0, or OCF_ETIME when the idle limit has passed: the caller resets the stream. */
OCF_NODISCARD int ocf_pong_tick(struct ocf_pong *p, uint64_t now_ns);

#endif
