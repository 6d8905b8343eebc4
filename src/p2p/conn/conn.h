/* One secured, multiplexed libp2p connection over any byte stream, in either role: multistream
 * chooses /noise, Noise XX proves the peer, the muxer is settled early or by a second multistream,
 * yamux carries the streams and each stream negotiates its protocol.
 *
 * Sans-IO: the driver moves bytes between the socket and this object and calls ocf_conn_event()
 * until it returns false. Received bytes are decrypted where the driver read them, and DATA events
 * show them in place; bytes to send are framed and sealed in the buffer that writev() reads.
 * Nothing is allocated on the data path once a stream is open, except buffers from the loop's pool.
 *
 * Threading: a connection, its streams, its config and its pool belong to one loop.
 * Specs: libp2p/specs connections/README.md, noise/README.md, yamux/README.md; multistream-select.
 *
 * A loop turn of a driver:
 *   p = ocf_conn_rx_space(c, &cap); n = read(fd, p, cap); ocf_conn_rx(c, now, n);
 *   while (ocf_conn_event(c, now, &ev)) …;          the only place where events come from
 *   ocf_conn_flush(c, now);                         once, after all events of the turn
 *   while ((k = ocf_conn_tx(c, iov, cap)) > 0) { n = writev(…); ocf_conn_tx_done(c, n); }
 *   arm one timer for ocf_conn_deadline(c); when it fires: ocf_conn_tick(c, now), then the events.
 * Events may also be waiting after every other call that takes `now`, and after ocf_conn_tx_done().
 */
#ifndef OCF_P2P_CONN_CONN_H
#define OCF_P2P_CONN_CONN_H

#include "base/core/core.h"
#include "base/ds/list.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "base/time/time.h"
#include "multi/peerid/peerid.h"

struct ocf_conn;
struct ocf_stream;
struct ocf_noise_static; /* p2p/noise: the process's identity key and Noise static key pair */

enum {
  OCF_CONN_RX_SIZE = 160 * 1024, /* a pooled receive buffer: two full Noise frames and more */
  OCF_CONN_TX_SIZE = 65537,   /* a pooled send buffer: one full Noise frame, or many small ones */
  OCF_CONN_PROTO_MAX = 256,   /* longest protocol name, bytes */
  OCF_CONN_PROPOSALS_MAX = 8, /* names that one ocf_conn_open() may offer */
};

/* The buffers that busy connections of one loop share: an idle connection holds none. */
struct ocf_conn_pool {
  struct ocf_alloc *a;
  void *rx_free, *tx_free; /* chains of empty buffers */
  size_t n_rx_free, n_tx_free, n_rx_used, n_tx_used;
  size_t free_max;               /* empty buffers of each kind that are kept */
  size_t n_rx_spare, n_tx_spare; /* the least numbers of free ones since the last trim */
  struct ocf_list dirty;         /* connections with events or bytes since they were last asked */
};

/* `free_max` empty buffers of each kind are kept for reuse; the rest goes back to `a`. */
void ocf_conn_pool_init(struct ocf_conn_pool *pool, struct ocf_alloc *a, size_t free_max);
/* Every connection of the pool must have been freed. */
void ocf_conn_pool_fini(struct ocf_conn_pool *pool);
/* Gives empty buffers back to `a`: all of them, or, when `spare` is set, those that were not needed
 * since the last call. */
void ocf_conn_pool_trim(struct ocf_conn_pool *pool, bool spare);
/* A connection of the pool that may have events to pull or bytes to flush since it was last
 * returned here, or NULL. Writes to streams bring their connection here too. */
struct ocf_conn *ocf_conn_pool_next_dirty(struct ocf_conn_pool *pool);

/* Shared by all connections of a loop; borrowed, constant and alive longer than they are. */
struct ocf_conn_config {
  struct ocf_alloc *a;
  struct ocf_rng *rng;
  struct ocf_conn_pool *pool;
  const struct ocf_noise_static *noise;
  const struct ocf_bytes *protos; /* exact names that inbound streams may ask for */
  size_t n_protos;
  size_t streams_in_max;      /* inbound streams at one time; more are reset */
  size_t streams_max;         /* both directions */
  size_t negotiating_in_max;  /* inbound streams without a protocol yet; more are reset */
  size_t tx_bytes_max;        /* sealed bytes that may wait for the socket before writes return 0 */
  size_t rx_window_bytes_max; /* receive windows of all streams together may grow to this */
  size_t rx_stream_bytes_max; /* and that of one stream to this; at least 256 KiB */
  uint64_t upgrade_ns;        /* from ocf_conn_new() to UP */
  uint64_t negotiate_ns;      /* one stream's protocol negotiation */
  uint64_t keepalive_ns;      /* a ping after so much silence; 0: none */
  uint64_t keepalive_wait_ns; /* and the time the peer has to answer */
  uint64_t stall_ns;          /* no progress while bytes wait for the socket: DOWN; 0: never */
};

/* The defaults: 1,024 inbound and 4,096 streams, 256 negotiating, 256 KiB waiting, 16 MiB windows
 * in all and each, 15 s, 10 s, 30 s + 10 s, 20 s. Pointers are NULL and the caller's to fill. */
void ocf_conn_config_init(struct ocf_conn_config *cfg);

enum ocf_conn_role { OCF_CONN_DIALLER, OCF_CONN_LISTENER };

/* A connection whose transport is connected. `expect` (copied) is the only peer that it may turn
 * out to be, or NULL. Time starts to count. 0, OCF_EINVAL, OCF_ENOMEM. */
OCF_NODISCARD int ocf_conn_new(const struct ocf_conn_config *cfg, uint64_t now_ns,
                               enum ocf_conn_role role, const struct ocf_peerid *expect,
                               struct ocf_conn **out);
/* Frees the connection and its streams at once, without events. c may be NULL. */
void ocf_conn_free(struct ocf_conn *c);

/* --- bytes from the transport --- */

/* Where the next bytes are to be read: at least 1 byte, normally > 64 KiB. *cap is 0 and the result
 * NULL when no memory is left (the connection is then going DOWN with OCF_ENOMEM) or when the
 * connection is down. All events must have been pulled first. Lent until the next ocf_conn_rx(). */
uint8_t *ocf_conn_rx_space(struct ocf_conn *c, size_t *cap);
/* `n` bytes were read there; 0 gives the space back. Nothing is parsed before ocf_conn_event(). */
void ocf_conn_rx(struct ocf_conn *c, uint64_t now_ns, size_t n);
/* The transport reached its end (err 0) or failed (an error code). Frames already received are
 * still delivered, then the streams go and DOWN comes. A reset of the transport between frames is
 * an ordinary end: the peers close that way. */
void ocf_conn_rx_end(struct ocf_conn *c, uint64_t now_ns, int err);

/* --- events --- */

enum ocf_conn_event_type {
  OCF_CONN_UP,          /* handshake complete; ocf_conn_peer() is proved. Exactly once, first */
  OCF_CONN_STREAM_IN,   /* the peer opened `stream` for protocol cfg->protos[proto] */
  OCF_CONN_STREAM_UP,   /* our `stream`: the peer agreed to the name number `proto` of its list */
  OCF_CONN_DATA,        /* `data` arrived on `stream`; see ocf_stream_consumed() */
  OCF_CONN_FIN,         /* the peer will send no more on `stream` */
  OCF_CONN_WRITABLE,    /* `stream`, whose last write was not taken whole, can take more */
  OCF_CONN_CAN_OPEN,    /* ocf_conn_open() would work now, after it had answered OCF_EAGAIN */
  OCF_CONN_STREAM_GONE, /* last event of `stream`; `err`, `code` say why */
  OCF_CONN_DOWN,        /* last event; `err` and `why` say why. Now ocf_conn_free() it */
};

struct ocf_conn_event {
  enum ocf_conn_event_type type;
  struct ocf_stream *stream; /* the STREAM_ events, DATA, FIN, WRITABLE */
  size_t proto;
  struct ocf_bytes data; /* lent until the next ocf_conn_event() */
  /* STREAM_GONE: 0 both sides finished; OCF_ERESET the peer reset it (`code`: its reason, 0 when
   * it gave none); OCF_EUNSUPP none of our proposals is spoken there; OCF_ETIME negotiation took
   * too long; OCF_EPROTO malformed negotiation; OCF_EEOF the connection ended. DOWN: 0 we closed;
   * OCF_EEOF the peer closed; OCF_EAUTH not the expected peer or no proof; OCF_ECRYPTO, OCF_EPROTO,
   * OCF_EUNSUPP, OCF_ELIMIT, OCF_ETIME, OCF_ENOMEM, OCF_EIO. */
  int err;
  uint32_t code;
  const char *why; /* DOWN: a static English phrase naming the step that failed. Never NULL */
};

/* The next event; false when there is none. A stream pointer stays valid until the call after the
 * one that reported its STREAM_GONE. After DOWN there are no more. */
bool ocf_conn_event(struct ocf_conn *c, uint64_t now_ns, struct ocf_conn_event *ev);

/* --- bytes to the transport --- */

/* Seals what was written since the last call, so that a turn's small frames leave as one. */
void ocf_conn_flush(struct ocf_conn *c, uint64_t now_ns);
/* Fills up to `cap` views of bytes to send, in order; returns how many, 0 for none. Every byte
 * stays where it is until ocf_conn_tx_done() has counted it or the connection is freed, so that a
 * driver may leave views with the kernel; later writes come after them. */
size_t ocf_conn_tx(struct ocf_conn *c, struct ocf_bytes *iov, size_t cap);
/* The first `n` bytes of those views were written. */
void ocf_conn_tx_done(struct ocf_conn *c, uint64_t now_ns, size_t n);
/* True when ocf_conn_flush() or ocf_conn_tx() has something to do. */
bool ocf_conn_tx_pending(const struct ocf_conn *c);

/* --- time and end --- */

/* When ocf_conn_tick() wants to be called, or OCF_TIME_NEVER. */
uint64_t ocf_conn_deadline(const struct ocf_conn *c);
void ocf_conn_tick(struct ocf_conn *c, uint64_t now_ns);
/* Graceful end: new streams are refused both ways; when the last stream is gone and all bytes are
 * written, or `grace_ns` passed, DOWN comes with err 0. Nothing is told to the peer before, since
 * peers take a yamux go-away as the end of all streams. */
void ocf_conn_close(struct ocf_conn *c, uint64_t now_ns, uint64_t grace_ns);
/* Ends at once: STREAM_GONE for every stream, then DOWN with `err` and `why` (static, or NULL).
 * Waiting bytes are dropped. */
void ocf_conn_abort(struct ocf_conn *c, int err, const char *why);

/* --- what it knows --- */

bool ocf_conn_is_up(const struct ocf_conn *c); /* UP was reached and DOWN was not */
enum ocf_conn_role ocf_conn_role(const struct ocf_conn *c);
/* The proved peer; before UP the expected one, NULL when there is none. */
const struct ocf_peerid *ocf_conn_peer(const struct ocf_conn *c);
/* Its public key as a serialized PublicKey message; empty before UP. */
struct ocf_bytes ocf_conn_peer_key(const struct ocf_conn *c);
/* Smoothed round trip time measured by muxer pings; 0 before the first. */
uint64_t ocf_conn_rtt_ns(const struct ocf_conn *c);
size_t ocf_conn_n_streams(const struct ocf_conn *c);
/* Time of the last byte received. */
uint64_t ocf_conn_last_rx_ns(const struct ocf_conn *c);

struct ocf_conn_stats {
  uint64_t rx_bytes, tx_bytes;   /* on the transport */
  uint64_t rx_frames, tx_frames; /* Noise frames */
  uint64_t streams_in, streams_out, streams_refused;
};
const struct ocf_conn_stats *ocf_conn_stats(const struct ocf_conn *c);
/* Stream resets received and sent so far. */
void ocf_conn_resets(const struct ocf_conn *c, uint64_t *in, uint64_t *out);

void ocf_conn_set_user(struct ocf_conn *c, void *user);
void *ocf_conn_user(const struct ocf_conn *c);

/* --- streams --- */

/* Opens a stream that offers the `n` names in order (the bytes are copied). `lazy`: the caller
 * knows (from identify) that the peer speaks protos[0], so that data may follow that proposal at
 * once (and no other is made); otherwise writes return 0 until STREAM_UP, and WRITABLE is not
 * needed to begin. 0, OCF_ESTATE (not up, or closing), OCF_EAGAIN (too many streams, or 256 that
 * the peer has not acknowledged: CAN_OPEN will come), OCF_ERANGE (stream ids are used up),
 * OCF_EINVAL, OCF_ENOMEM. */
OCF_NODISCARD int ocf_conn_open(struct ocf_conn *c, uint64_t now_ns, const struct ocf_bytes *protos,
                                size_t n, bool lazy, void *user, struct ocf_stream **out);

/* Copies as many of the bytes as window and queue allow into the frame being built; returns how
 * many. Less than asked (0 too) means: stop, WRITABLE will come. Errors come as STREAM_GONE. */
size_t ocf_stream_write(struct ocf_stream *s, const void *p, size_t n);
/* The same from several pieces, in one muxer frame where they fit. */
size_t ocf_stream_writev(struct ocf_stream *s, const struct ocf_bytes *iov, size_t n);
/* What a write would take now: a hint for callers that must not split. */
size_t ocf_stream_room(const struct ocf_stream *s);
/* No more writes; what was accepted still goes out. Reading goes on. Idempotent. */
void ocf_stream_fin(struct ocf_stream *s);
/* Ends both directions at once with a reason (OCF_STREAM_ codes, or 0). `s` is dead on return and
 * no event will name it again. */
void ocf_stream_reset(struct ocf_stream *s, uint32_t code);
/* `n` bytes shown by DATA have left user space (were written on, or dropped): the peer may send as
 * many more. Every byte shown is to be consumed in the end, unless the stream goes. Allowed between
 * its STREAM_GONE and the next ocf_conn_event() too. */
void ocf_stream_consumed(struct ocf_stream *s, size_t n);

struct ocf_conn *ocf_stream_conn(const struct ocf_stream *s);
void *ocf_stream_user(const struct ocf_stream *s);
void ocf_stream_set_user(struct ocf_stream *s, void *user);
/* A small number for the layer above, 0 at first: p2p/swarm marks its own streams with it. */
int ocf_stream_kind(const struct ocf_stream *s);
void ocf_stream_set_kind(struct ocf_stream *s, int kind);
uint32_t ocf_stream_id(const struct ocf_stream *s);
bool ocf_stream_is_inbound(const struct ocf_stream *s);
/* Since when the stream has bytes to write and no window from the peer, or OCF_TIME_NEVER: a peer
 * that stopped reading is seen in no other way. */
uint64_t ocf_stream_blocked_since(const struct ocf_stream *s);
/* The agreed protocol, or the one first proposed; lent while the stream lives. */
struct ocf_bytes ocf_stream_proto(const struct ocf_stream *s);

/* Reasons that go-yamux v5 puts into a reset. */
enum ocf_stream_code {
  OCF_STREAM_NEGOTIATION_FAILED = 0x1001,
  OCF_STREAM_RESOURCE_LIMIT = 0x1002,
  OCF_STREAM_RATE_LIMITED = 0x1003,
  OCF_STREAM_PROTOCOL_VIOLATION = 0x1004,
  OCF_STREAM_SUPPLANTED = 0x1005,
  OCF_STREAM_GARBAGE_COLLECTED = 0x1006,
  OCF_STREAM_SHUTDOWN = 0x1007,
  OCF_STREAM_GATED = 0x1008,
};

#endif
