/* A scripted HTTP client: one connection, one or more requests one after the other, and a verdict
 * on each: what came back, whether it was complete, and whether every byte was right.
 *
 * It is strict: whatever is neither a complete answer nor a visible failure is a fault of the world
 * (ocf_sim_fail), for instance a second head, bytes after the end, or wrong bytes. */
#ifndef OCF_SIM_CLIENT_H
#define OCF_SIM_CLIENT_H

#include "http/h1/client.h"
#include "sim/stream.h"

enum ocf_sim_outcome {
  OCF_SIM_PENDING,
  OCF_SIM_COMPLETE,  /* a whole answer; look at `status` */
  OCF_SIM_NO_ANSWER, /* the connection failed before a byte of an answer */
  OCF_SIM_CUT,       /* the answer broke off, visibly */
  OCF_SIM_LEFT,      /* we gave up, as the plan said */
  OCF_SIM_TIMEOUT,   /* nothing in plan.patience_ns */
};

/* What the body of a 200 must be. */
enum ocf_sim_expect {
  OCF_SIM_ANY,
  OCF_SIM_PATTERN, /* want_n bytes of stream want_seed */
  OCF_SIM_ECHO,    /* what we sent */
  OCF_SIM_EVENTS,  /* want_n events "data: i" in order, then [DONE] */
  OCF_SIM_TEXT,    /* want_text */
};

struct ocf_sim_plan {
  struct ocf_endpoint to;
  char target[320]; /* "/v1/p2p/…"; %u is replaced by the number of the request */
  enum ocf_h1_method method;
  uint64_t body_n, body_seed;
  const char *body; /* the body_n bytes, instead of the pattern's; NULL: the pattern's */
  const char *ask;  /* X-Otela-Identity-Group; NULL: not sent */
  bool chunked;
  size_t send_piece;          /* bytes sent at a time; 0: as fast as it goes */
  uint64_t send_gap_ns;       /* between pieces */
  unsigned n_requests;        /* on one connection; 0 is 1 */
  uint64_t patience_ns;       /* for one request; 0 is 1,000 s */
  uint64_t leave_after_ns;    /* gives up after so long; 0: never */
  uint64_t leave_after_bytes; /* gives up after so many body bytes; 0: never */
  bool leave_by_reset;
  uint64_t stall_after_bytes; /* stops reading there … */
  uint64_t stall_ns;          /* … for so long; OCF_TIME_NEVER: for good. 0: never */
  enum ocf_sim_expect expect;
  uint64_t want_n, want_seed;
  char want_text[64];
};

struct ocf_sim_client {
  struct ocf_sim_plan plan;
  struct ocf_sim_proc *proc;
  struct ocf_sim_stream stream;
  struct ocf_h1_pool pool;
  struct ocf_h1_limits limits;
  struct ocf_h1_client h1;
  struct ocf_sim_event send_timer, patience, leave, stall, again;
  struct ocf_buf scratch;
  char text[65]; /* the start of a body that is kept, for OCF_SIM_TEXT and for looking */
  char line[128];
  size_t line_n;
  uint64_t id;

  enum ocf_sim_outcome outcome; /* of the last request */
  unsigned n_complete, n_ok;    /* requests with a whole answer, and with status 200 among them */
  unsigned status;
  char node[100]; /* X-Computing-Node */
  uint64_t sent_n, got_n, n_events;
  bool done_event, error_event, started, head_seen, finished;
  uint64_t start_ns, first_ns, last_ns, end_ns, gap_max_ns;
  bool stalled;
};

/* Begins at once. The process `p` is any; its machine decides what 127.0.0.1 is. */
void ocf_sim_client_start(struct ocf_sim_client *c, struct ocf_sim_proc *p,
                          const struct ocf_sim_plan *plan);
/* Frees what it holds; a client that is still busy goes without a word. */
void ocf_sim_client_fini(struct ocf_sim_client *c);
/* Gives up now, as when its machine goes. */
void ocf_sim_client_leave(struct ocf_sim_client *c);
bool ocf_sim_client_done(const struct ocf_sim_client *c);
const char *ocf_sim_outcome_name(enum ocf_sim_outcome o);

#endif
