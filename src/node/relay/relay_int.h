/* What the files of node/relay share. session.c reads clients, request.c carries one request to its
 * target, answer.c brings the answer back, upstream.c keeps connections to targets, ask.c
 * makes requests of our own, service.c checks services, reply.c answers here. */
#ifndef OCF_NODE_RELAY_RELAY_INT_H
#define OCF_NODE_RELAY_RELAY_INT_H

#include "base/buf/buf.h"
#include "base/buf/queue.h"
#include "base/ds/list.h"
#include "base/ds/map.h"
#include "http/h1/client.h"
#include "http/h1/pace.h"
#include "http/h1/server.h"
#include "http/h1/sse.h"
#include "node/relay/ask.h"
#include "node/relay/relay.h"
#include "obs/metric/metric.h"

enum { REQUEST_ID_MAX = 128, PIPELINE_BACKLOG = 256 * 1024, LOG_PATH_MAX = 128 };

/* Idle connections to one target, the most recently used first. */
struct target {
  struct ocf_map_node node; /* peers: in relay.peers, keyed by the id's bytes */
  struct ocf_relay *relay;
  struct ocf_service *service; /* NULL: a peer */
  struct ocf_peerid peer;
  struct ocf_list idle;               /* of upstream.idle_link; owned here */
  size_t n_idle, n_conns, n_requests; /* requests that name it */
  char host[80];                      /* the Host that the target is sent */
};

struct ocf_service {
  struct ocf_list link;
  struct target target;
  struct ocf_endpoint at;
  char name[65], health_path[257];
  uint64_t health_interval_ns;
  unsigned failures_max, n_failures;
  enum ocf_service_health health;
  bool doubted;   /* no check has gone well since it could not be reached */
  unsigned label; /* of its metrics */
  struct ocf_alarm alarm;
  struct ocf_ask check;        /* the health check */
  struct ocf_deferred changed; /* its health is to be told */
};

enum upstream_state {
  UP_OPENING, /* waits for peer_ops or for the connect */
  UP_BUSY,
  UP_IDLE,
};

/* One connection to a target: a channel and the client side of HTTP/1.1 on it. */
struct ocf_upstream {
  struct ocf_relay *relay;
  struct target *target;
  struct ocf_chan *chan; /* NULL while OPENING to a peer */
  struct ocf_h1_client h1;
  enum upstream_state state;
  struct ocf_request *rq; /* BUSY or OPENING; NULL: `ask` */
  struct ocf_ask *ask;
  uint64_t ticket;
  uint64_t idle_since_ns;
  struct ocf_list all_link, idle_link, age_link;
  bool held, dead; /* being delivered to: freed only afterwards, when dead */
  bool reused;     /* has carried a request before this one */
};

/* One request, embedded in its session. */
struct ocf_request {
  struct session *session;
  bool active;     /* between HEAD and the end of the answer */
  bool forwarded;  /* to `target`; else answered here */
  bool body_ended; /* END of the request came */
  bool replayable; /* `body` still holds all of it, and keeps it */
  bool sent;      /* some of it has been given to a target; until then `body` holds all of it too */
  bool answering; /* the head of the answer went to the client */
  bool sse, sse_error_seen;
  struct ocf_parked *parked;      /* whoever will answer */
  struct ocf_body_reader *reader; /* whoever must see the body before the target is known */
  struct ocf_chooser *chooser;    /* who picks targets; NULL: there is but one */
  bool passed_on;                 /* the target is not who computes */
  struct target *target;
  struct ocf_upstream *up;
  struct ocf_queue head, body; /* the head for the target; payload not sent or kept for a retry */
  size_t body_total;
  enum ocf_h1_method method;
  enum ocf_h1_framing framing;
  uint64_t content_length;
  size_t uncredited;      /* body bytes taken from the client and not yet credited */
  size_t uncredited_down; /* answer bytes taken from the target and not yet credited */
  unsigned attempts;
  struct ocf_h1_sse observer;
  struct ocf_alarm alarm;
  uint64_t deadline_ns; /* of the answer's next sign of life; the alarm may be set earlier */
  uint64_t start_ns, first_byte_ns;
  uint64_t open_until_ns; /* while the target has no room for another stream */
  uint64_t bytes_in, bytes_out;
  unsigned status, route;
  uint8_t id_n;
  char id[REQUEST_ID_MAX];
  uint8_t path_n; /* the target as the client sent it, cut, for the log */
  char path[LOG_PATH_MAX];
};

/* One client connection or inbound stream. */
struct session {
  struct ocf_list link; /* in relay.sessions */
  struct ocf_relay *relay;
  struct ocf_chan *chan;
  struct ocf_h1_server h1;
  struct ocf_caller caller;
  uint8_t from_n; /* the client's address as text, for X-Forwarded-For; 0 for a peer */
  char from[OCF_IP_ADDR_TEXT_SIZE];
  struct ocf_request rq;
  struct ocf_queue held; /* input that waits for its turn */
  struct ocf_deferred resume;
  struct ocf_alarm alarm;
  struct ocf_h1_pace pace;
  uint64_t phase_since_ns;
  enum ocf_h1_phase phase;
  bool feeding, closing;
};

struct ocf_relay {
  struct ocf_loop *loop;
  struct ocf_relay_config cfg;
  ocf_route_fn route;
  const struct ocf_relay_peer_ops *peer_ops;
  void *ctx;
  struct ocf_h1_pool pool;
  struct ocf_list sessions, upstreams, services; /* owned here */
  struct ocf_list peer_ages, service_ages;       /* idle upstreams by age, oldest first */
  struct ocf_map peers;                          /* of target.node; owned here */
  struct ocf_alarm reaper;
  struct ocf_buf scratch;                              /* for heads under construction */
  size_t n_sessions, n_clients, n_requests;            /* n_clients: sessions that are no peer's */
  uint64_t window_ns, window_requests, window_retries; /* retry budget */
  char self[80];
  ocf_service_health_fn on_health;
  void *health_ctx;
  bool draining;
};

/* ---- short ways ---- */

static inline struct ocf_loop *loop_of(const struct ocf_request *rq)
{
  return rq->session->relay->loop;
}

static inline const struct ocf_relay_config *cfg_of(const struct ocf_request *rq)
{
  return &rq->session->relay->cfg;
}

/* session.c */
unsigned ocf_relay_session_listener(const struct session *s);
void ocf_relay_session_resume_later(struct session *s);
/* Ends the session, whose request is not active any more. While its input is being read the memory
 * stays until the reader returns. */
void ocf_relay_session_end(struct session *s, enum ocf_chan_end how);
/* The client is gone or given up: cancels its request and frees. */
void ocf_relay_session_drop(struct session *s, int err);
void ocf_relay_session_drain_all(struct ocf_relay *r);
void ocf_relay_session_free_all(struct ocf_relay *r);

/* request.c */
void ocf_relay_request_begin(struct session *s);
void ocf_relay_request_body(struct ocf_request *rq, struct ocf_bytes data);
void ocf_relay_request_body_end(struct ocf_request *rq);
void ocf_relay_request_bad_input(struct ocf_request *rq, enum ocf_h1_error e);
void ocf_relay_request_client_drained(struct ocf_request *rq);
void ocf_relay_request_client_gone(struct ocf_request *rq, int err);
void ocf_relay_request_forward(struct ocf_request *rq, struct target *t, struct ocf_bytes target);
/* Ends the request: metrics, log line, connection to the target back or closed; the session reads
 * on. `outcome` is a word for the log. */
void ocf_relay_request_finish(struct ocf_request *rq, const char *outcome);
/* From upstream.c. After `failed`, rq->up is gone. `body` returns false when the request ended. */
void ocf_relay_request_up_ready(struct ocf_request *rq);
void ocf_relay_request_up_failed(struct ocf_request *rq, int err, bool got_bytes);
void ocf_relay_request_up_head(struct ocf_request *rq);
void ocf_relay_request_up_body(struct ocf_request *rq, struct ocf_bytes data);
void ocf_relay_request_up_end(struct ocf_request *rq);
void ocf_relay_request_up_drained(struct ocf_request *rq);

/* Moves the time by which the target must give its next sign of life; 0 = never. */
void ocf_relay_request_deadline(struct ocf_request *rq, uint64_t after_ns);
/* Lets go of the connection to the target, if there is one. */
void ocf_relay_request_drop_up(struct ocf_request *rq, enum ocf_chan_end how);
/* An answer of this status has come: true when it counts as a failure and another hop is tried. */
bool ocf_relay_request_elsewhere(struct ocf_request *rq, unsigned status);

/* answer.c: the functions of request.c's list that bring the answer back, and its bad end: shows a
 * failure to a client that has part of the answer, then ends the session. */
void ocf_relay_answer_abort(struct ocf_request *rq, unsigned label, const char *code,
                            const char *message);

/* reply.c */
/* Answers input that is no request; no request is active. */
void ocf_relay_reply_error(struct session *s, enum ocf_h1_error e);
void ocf_relay_reply_timeout(struct session *s);
/* Writes an error answer (none may have begun) and ends the request. */
void ocf_relay_request_problem(struct ocf_request *rq, unsigned status, const char *code,
                               const char *message, unsigned retry_after_s);
void ocf_relay_request_log(struct ocf_request *rq, const char *outcome);

/* upstream.c */
/* A connection for `rq` to rq->target: sets rq->up. 0: ocf_relay_request_up_ready() was called.
 * OCF_EAGAIN: ocf_relay_request_up_ready() or ocf_relay_request_up_failed() follows. Else it cannot
 * be had and rq->up is NULL. */
int ocf_relay_upstream_acquire(struct ocf_request *rq);
/* The same for `a`, on a connection of its own: sets a->up. 0: it is up, or
 * ocf_relay_ask_ready() or ocf_relay_ask_failed() follows. */
int ocf_relay_upstream_ask(struct ocf_ask *a, struct target *t);
/* Gives a connection up whose answer is complete: back to the pool when it can be used again. */
void ocf_relay_upstream_release(struct ocf_upstream *up);
void ocf_relay_upstream_drop(struct ocf_upstream *up, enum ocf_chan_end how);
void ocf_relay_upstream_free_all(struct ocf_relay *r);
/* Closes the target's idle connections. */
void ocf_relay_upstream_close_idle(struct target *t);
void ocf_relay_upstream_reap(struct ocf_alarm *reaper);
struct target *ocf_relay_target_for_peer(struct ocf_relay *r, const struct ocf_peerid *peer);
void ocf_relay_target_init(struct target *t, struct ocf_relay *r);
/* Frees a peer's target that nothing uses. */
void ocf_relay_target_put(struct target *t);

/* ask.c: what upstream.c tells it. After all but `ready` and a body the connection is given up. */
void ocf_relay_ask_ready(struct ocf_ask *a);
void ocf_relay_ask_head(struct ocf_ask *a, unsigned status);
void ocf_relay_ask_body(struct ocf_ask *a, struct ocf_bytes data);
void ocf_relay_ask_end(struct ocf_ask *a);
void ocf_relay_ask_failed(struct ocf_ask *a, int err);

/* service.c */
/* A request found that the service takes no connections, or lost one: it is checked soon. */
void ocf_relay_service_doubt(struct ocf_service *sv);
void ocf_relay_service_free_all(struct ocf_relay *r);

#endif
