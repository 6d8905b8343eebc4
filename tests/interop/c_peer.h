/* Our peer of the interoperability tests: what its files share. See README.md for what it does.
 *
 *   c_peer.c          start and end, the loop, requests from standard input
 *   c_peer_cmd.c      requests and answers, and those about connections
 *   c_peer_stream.c   streams: opening, queueing, events
 *   c_peer_test.c     the four test protocols, both sides
 *   c_peer_proto.c    ping and identify
 *   c_peer_http.c     HTTP, both sides
 *
 * Everything but the reader of standard input runs on one loop. */
#ifndef OCF_TESTS_INTEROP_C_PEER_H
#define OCF_TESTS_INTEROP_C_PEER_H

#include <jansson.h>

#include "base/buf/queue.h"
#include "base/core/core.h"
#include "crypto/key/key.h"
#include "http/h1/pool.h"
#include "io/uv/uv.h"
#include "node/links/links.h"
#include "node/loop/loop.h"
#include "p2p/noise/noise.h"
#include "p2p/swarm/swarm.h"

#define INTEROP_AGENT "ocf-interop-c/" OCF_INTEROP_VERSION

enum { POST_MAX = 4 << 20, PATTERN_PERIOD = 1 << 24 };

/* The protocols that we serve, as the swarm counts them. */
enum proto { PROTO_HTTP, PROTO_ECHO, PROTO_BULK, PROTO_HALFCLOSE, PROTO_RESET, N_PROTOS };
extern const struct ocf_bytes served[N_PROTOS];

/* In the README's order; `echo_now` is not shown. */
struct counters {
  int64_t echo_streams, echo_max_open, echo_now, open, bulk_in, bulk_out, halfclose_bytes;
  int64_t reset_seen, sse_cancelled, http_streams, http_requests;
};

struct http; /* of c_peer_http.c */

/* The command that is being carried out. */
struct cmd {
  json_t *request; /* NULL: none */
  const char *name;
  struct ocf_peerid peer;
  uint64_t start_ns;
  struct ocf_alarm deadline, poll;
  bool (*ready)(struct cmd *c); /* what `poll` waits for; it answers */
  /* whatever the command counts */
  int64_t n, bytes, concurrency, total;
  int64_t first, n_half, n_done; /* a batch of echo streams */
  uint64_t min_ns, max_ns, sum_ns;
};

struct peer {
  struct ocf_uv *uv;
  struct ocf_uv_listener *listener;
  struct ocf_alloc alloc;
  struct ocf_rng rng;
  struct ocf_log log;
  struct ocf_key key;
  struct ocf_noise_static noise;
  struct ocf_loop loop;
  struct ocf_swarm *swarm;
  struct ocf_links links;
  struct ocf_h1_pool h1;
  struct ocf_list streams; /* of strm.link */
  struct ocf_deferred reap;
  struct cmd cmd;
  struct counters n;
  char id_text[OCF_PEERID_TEXT_SIZE];
  char *announced[OCF_SWARM_ANNOUNCED_MAX];
  size_t n_announced;
  bool quitting;
};

/* --- streams --- */

struct strm;

/* What a protocol does with a stream. All but `data` may be NULL. */
struct strm_ops {
  void (*data)(struct strm *st, struct ocf_bytes data); /* the credit is given back by the caller */
  void (*fin)(struct strm *st);
  void (*gone)(struct strm *st, int err); /* the stream is dead; the caller frees */
  bool echo;                              /* credit goes back when what came was sent on */
};

struct strm {
  struct ocf_stream_user user; /* who gets the stream's events: strm_event() */
  struct ocf_list link;
  struct peer *p;
  struct ocf_stream *s; /* NULL while it is being opened */
  uint64_t ticket;
  const struct strm_ops *ops;
  bool ours;    /* we opened it, for the running command or an earlier one */
  bool done;    /* the command has all it wanted: what still happens is of no interest */
  bool is_test; /* counts in `open` */
  bool is_echo; /* counts in `echo_now` */
  struct ocf_queue out;
  uint64_t tx_at, tx_left; /* pattern bytes to send after `out` */
  bool fin_wanted, fin_sent;
  uint8_t head[13];
  size_t n_head;
  uint64_t rx_at, rx_n, rx_max; /* pattern bytes: where they begin, how many came, how many may */
  int64_t k;                    /* its number in a batch */
  bool half;
  struct http *http;
};

/* A stream that the other side opened. */
void strm_in(struct peer *p, const struct ocf_swarm_event *ev);
/* Opens a stream to the command's peer. NULL when the command has failed. */
struct strm *strm_open(struct peer *p, struct ocf_bytes proto, const struct strm_ops *ops);
/* Queues bytes and sends what can be sent. */
void strm_send(struct strm *st, const void *bytes, size_t n);
/* Sends what the stream takes of queue and pattern, and then the end, if it is wanted. */
void strm_pump(struct strm *st);
void strm_fin(struct strm *st);
/* `st` is gone on return. */
void strm_reset(struct strm *st);
/* A violation: resets, and fails the command if it is the command's stream. `st` is gone. */
void strm_violation(struct strm *st, const char *what);
void streams_free(struct peer *p);

/* Takes pattern bytes that arrive; false when they are wrong or too many. */
bool strm_take_pattern(struct strm *st, struct ocf_bytes data);
/* Gathers the first `n` bytes in st->head and moves `data` behind them. False: more are needed. */
bool strm_take_head(struct strm *st, struct ocf_bytes *data, size_t n);

void pattern_init(void);
/* A view of pattern bytes from `at` on, at most `n` and at least 1 of them (n > 0). */
struct ocf_bytes pattern_view(uint64_t at, uint64_t n);

extern const struct strm_ops test_servers[N_PROTOS];
extern const struct strm_ops http_server_ops;
void http_serve(struct strm *st);
void http_free(struct strm *st);

/* --- commands --- */

/* One line from standard input; NULL at its end. Takes the text. */
void cmd_line(struct peer *p, char *line);
/* Answers; `members` (may be NULL) is taken. The command's streams become uninteresting. */
void cmd_done(struct peer *p, json_t *members);
void cmd_fail(struct peer *p, const char *fmt, ...) OCF_PRINTF(2, 3);
/* Writes one line on standard output; takes `j`. */
void say(json_t *j);
/* Members of the request. */
int64_t cmd_int(const struct cmd *c, const char *name, int64_t otherwise);
bool cmd_bool(const struct cmd *c, const char *name);
const char *cmd_str(const struct cmd *c, const char *name); /* "" when it is not there */
void cmd_dial_failed(struct peer *p, const struct ocf_swarm_event *ev);

/* Commands that need a connected peer; NULL: unknown. */
typedef void (*cmd_fn)(struct peer *p);
cmd_fn test_cmd(const char *name);
cmd_fn proto_cmd(const char *name);
cmd_fn http_cmd(const char *name);

/* Called by cmd_done() and cmd_fail(): the next line may come. */
void input_next(void);

#endif
