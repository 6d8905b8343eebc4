/* The request's way through a node: HTTP in on a channel, routed, forwarded on another channel, and
 * the answer streamed back. Written once for TCP clients, libp2p streams and local services.
 *
 * A *session* is one client connection or inbound stream; it carries one *request* at a time. A
 * request is answered here or forwarded to a *target*: a peer (over a stream) or a local service
 * (over TCP or a unix socket). Connections to targets are kept and reused.
 *
 * What must hold: bytes are forwarded as they come, never gathered; what a request holds in user
 * space is bounded by the source's window, since credit goes back only for bytes that have left; a
 * client that leaves cancels the work at the target; once a byte of an answer has gone out, a
 * failure is shown (an SSE error event, then aborted framing), never hidden; before that another
 * attempt may be made.
 *
 * Belongs to one loop. Everything is reached through struct ocf_loop; no I/O of its own. */
#ifndef OCF_NODE_RELAY_RELAY_H
#define OCF_NODE_RELAY_RELAY_H

#include "base/core/core.h"
#include "http/h1/h1.h"
#include "http/h1/write.h"
#include "multi/maddr/maddr.h"
#include "multi/peerid/peerid.h"
#include "node/chan/sockchan.h"
#include "node/loop/loop.h"

struct ocf_relay;
struct ocf_request;
struct ocf_service;
struct ocf_upstream;

/* Times in ns; what each means stands at the option of the same name in config/options.inc. */
struct ocf_relay_config {
  struct ocf_h1_limits h1;
  struct ocf_sockchan_limits sock;
  uint64_t header_timeout_ns, idle_timeout_ns, stream_idle_timeout_ns;
  uint64_t body_min_rate, body_grace_ns, drain_timeout_ns;
  uint64_t response_header_timeout_ns, chunk_timeout_ns, request_timeout_ns;
  uint64_t connect_timeout_ns;
  uint64_t service_pool_idle_ns, peer_pool_idle_ns;
  size_t service_pool_max, peer_pool_max; /* idle connections kept per target */
  bool retry_enabled;
  unsigned retry_max; /* attempts beyond the first */
  size_t retry_body_hold;
  unsigned retry_budget_percent;
  size_t clients_max, streams_max; /* sessions on sockets of clients, on streams of peers */
  bool log_requests;
};

/* Who asks: known for every request before anything else happens. */
enum ocf_caller_kind {
  OCF_CALLER_LOCAL,  /* a socket of this machine */
  OCF_CALLER_REMOTE, /* a socket of another machine */
  OCF_CALLER_PEER,   /* a libp2p stream; `peer` is proved */
};

struct ocf_caller {
  enum ocf_caller_kind kind;
  struct ocf_ip_addr ip;  /* sockets */
  struct ocf_peerid peer; /* streams */
};

/* How streams to peers are had; the node implements it on its swarm. */
struct ocf_relay_peer_ops {
  /* A channel to `peer` that speaks /libp2p-http: at once, or NULL with *err OCF_EAGAIN and a
   * *ticket, in which case ocf_upstream_opened() is called later, exactly once, unless cancelled.
   * Other errors: OCF_ELIMIT (try again soon), OCF_EUNREACH and the like (final). */
  struct ocf_chan *(*open)(void *ctx, const struct ocf_peerid *peer, struct ocf_upstream *up,
                           uint64_t *ticket, int *err);
  void (*cancel)(void *ctx, struct ocf_upstream *up, uint64_t ticket);
};

/* Decides what happens to a request: calls exactly one of the ocf_request_* endings below. */
typedef void (*ocf_route_fn)(void *ctx, struct ocf_request *rq);

/* `cfg` is copied; the other pointers are borrowed. NULL on OCF_ENOMEM. */
struct ocf_relay *ocf_relay_new(struct ocf_loop *loop, const struct ocf_relay_config *cfg,
                                ocf_route_fn route, const struct ocf_relay_peer_ops *peer_ops,
                                void *ctx);
/* Ends every session and connection at once. */
void ocf_relay_free(struct ocf_relay *r);

/* New limits and times for what begins from now on; copied. */
void ocf_relay_set_config(struct ocf_relay *r, const struct ocf_relay_config *cfg);

/* Takes over a channel on which a client will speak HTTP/1.1. OCF_ELIMIT or OCF_ENOMEM: the channel
 * was ended. */
int ocf_relay_serve(struct ocf_relay *r, struct ocf_chan *chan, const struct ocf_caller *caller);

/* The answer to a pending peer_ops->open: `chan`, or NULL and why. */
void ocf_upstream_opened(struct ocf_upstream *up, struct ocf_chan *chan, int err);

/* Closes the connections to targets that carry no request now. */
void ocf_relay_close_idle(struct ocf_relay *r);
/* Gives memory that is kept for reuse back to the allocator: all of it, or, when `spare` is set,
 * what was not needed since the last call. Not while a request is being handled. */
void ocf_relay_trim(struct ocf_relay *r, bool spare);
/* Whether there is any. */
bool ocf_relay_keeps(const struct ocf_relay *r);
/* No new requests on kept connections; idle sessions close now, busy ones after their answer. */
void ocf_relay_drain(struct ocf_relay *r);
size_t ocf_relay_n_sessions(const struct ocf_relay *r);
size_t ocf_relay_n_requests(const struct ocf_relay *r); /* in flight */

/* ---- for the route function ---- */

/* Lent until the request has been answered or forwarded. */
const struct ocf_h1_head *ocf_request_head(const struct ocf_request *rq);
const struct ocf_caller *ocf_request_caller(const struct ocf_request *rq);
/* As accepted from the client or made here; visible ASCII, at most 128 bytes. */
struct ocf_bytes ocf_request_id(const struct ocf_request *rq);
/* Names the route for metrics and the log: one of OCF_METRIC_ROUTE_. */
void ocf_request_set_route(struct ocf_request *rq, unsigned route);

/* Answers here. `type` NULL: no body. The body is copied. `edits` are more fields. */
void ocf_request_reply(struct ocf_request *rq, unsigned status, const char *type,
                       struct ocf_bytes body, const struct ocf_h1_edit *edits, size_t n_edits);
/* Answers with the error contract: status, machine code, text for people. `retry_after_s` 0: none.
 */
void ocf_request_fail(struct ocf_request *rq, unsigned status, const char *code,
                      const char *message, unsigned retry_after_s);
/* The same with more fields. */
void ocf_request_fail_with(struct ocf_request *rq, unsigned status, const char *code,
                           const char *message, const struct ocf_h1_edit *edits, size_t n_edits);
/* Instead of an ending: the answer is made later. Until then `p` (borrowed) holds the request, and
 * NULL once that has ended by itself, since the client left or the relay went. */
struct ocf_parked {
  struct ocf_request *rq;
};
void ocf_request_park(struct ocf_request *rq, struct ocf_parked *p);
/* The request, for an ending; p->rq is NULL afterwards. */
struct ocf_request *ocf_request_unpark(struct ocf_parked *p);
/* Forwards to a peer as `target` ("/path?query", a view into the head). */
void ocf_request_to_peer(struct ocf_request *rq, const struct ocf_peerid *peer,
                         struct ocf_bytes target);
/* Forwards to a service of this node. */
void ocf_request_to_service(struct ocf_request *rq, struct ocf_service *service,
                            struct ocf_bytes target);

/* ---- requests that one of several targets may answer ---- */

/* Where one attempt goes. */
struct ocf_hop {
  struct ocf_service *service; /* of this node; NULL: to `peer` */
  struct ocf_peerid peer;
  struct ocf_bytes target; /* "/path?query"; copied by who is given it */
  bool passes_on; /* the peer hands it to another one, which it names in X-Computing-Node */
};

/* Who picks targets, attempt by attempt; embedded in its owner, who keeps it until `done`. */
struct ocf_chooser {
  const struct ocf_chooser_ops *ops;
};

struct ocf_chooser_ops {
  /* Where the next attempt goes, or false: nobody is left. The views live until the next call. */
  bool (*next)(struct ocf_chooser *c, struct ocf_hop *out);
  /* The attempt that `next` gave last: `status` of its answer, or 0 and why there was none. After
   * an answer that was passed on nothing but `done` follows. */
  void (*result)(struct ocf_chooser *c, unsigned status, int err);
  /* The request has ended, however it did. */
  void (*done)(struct ocf_chooser *c);
};

/* Forwards to the hops of `c`, one after another, until one answers; an answer 502 or 503 counts as
 * a failure while another hop is left. The limits of retries hold: options retry.*. */
void ocf_request_to_chosen(struct ocf_request *rq, struct ocf_chooser *c);

/* Who must see the request's body before it can be decided; embedded in its owner. */
struct ocf_body_reader {
  const struct ocf_body_reader_ops *ops;
};

struct ocf_body_reader_ops {
  /* The next piece, which is kept for the target as well; `end`: it was the last (it may be empty).
   * Calls an ending above once it knows enough, at the last piece at the latest; it bounds what is
   * kept by ending in time. */
  void (*piece)(struct ocf_body_reader *b, struct ocf_request *rq, struct ocf_bytes data, bool end);
  /* The request has ended: it was answered here, the client left, or the relay goes. Not called
   * when it was forwarded. */
  void (*gone)(struct ocf_body_reader *b);
};

/* Instead of an ending: reads the body through `b`, and lets a client that waits for 100 Continue
 * send it. `piece` may be called before this returns. */
void ocf_request_read_body(struct ocf_request *rq, struct ocf_body_reader *b);

/* What X-Computing-Node says on answers that this node's own services give; "" = not set. */
void ocf_relay_set_self(struct ocf_relay *r, const char *peer_id);

/* ---- services of this node ---- */

struct ocf_service_config {
  const char *name;        /* at most 64 bytes */
  struct ocf_endpoint at;  /* where it listens */
  const char *host_header; /* "localhost:8000" */
  const char *health_path; /* "" = never checked, taken as well */
  uint64_t health_interval_ns;
  unsigned health_failures; /* in a row that make it unwell */
};

enum ocf_service_health { OCF_SERVICE_UNKNOWN, OCF_SERVICE_WELL, OCF_SERVICE_UNWELL };

/* Copies `cfg`; health checks begin at once. OCF_EEXIST, OCF_EINVAL, OCF_ENOMEM. */
OCF_NODISCARD int ocf_relay_add_service(struct ocf_relay *r, const struct ocf_service_config *cfg);
/* NULL when there is none of that name. */
struct ocf_service *ocf_relay_find_service(struct ocf_relay *r, struct ocf_bytes name);
/* Visits services in the order they were added; NULL starts, NULL ends. */
struct ocf_service *ocf_relay_next_service(struct ocf_relay *r, struct ocf_service *after);
const char *ocf_service_name(const struct ocf_service *s);
const struct ocf_endpoint *ocf_service_at(const struct ocf_service *s);
uint64_t ocf_service_check_interval(const struct ocf_service *s); /* ns */
/* The service listens elsewhere from now on; idle connections to the old place are closed. `host`
 * is what the Host header says. OCF_EINVAL (too long). */
OCF_NODISCARD int ocf_service_move(struct ocf_service *s, const struct ocf_endpoint *at,
                                   const char *host);
/* Called whenever the health of one changes, not from inside a call on the relay. */
typedef void (*ocf_service_health_fn)(void *ctx, struct ocf_service *s);
void ocf_relay_on_health(struct ocf_relay *r, ocf_service_health_fn fn, void *ctx);
enum ocf_service_health ocf_service_health(const struct ocf_service *s);

#endif
