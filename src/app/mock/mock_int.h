/* What the files of app/mock share: conn.c reads clients, route.c decides, gen.c gives the answers,
 * mock.c is the process around them. */
#ifndef OCF_APP_MOCK_MOCK_INT_H
#define OCF_APP_MOCK_MOCK_INT_H

#include "app/mock/ask.h"
#include "app/mock/knobs.h"
#include "app/mock/mock.h"
#include "app/mock/say.h"
#include "app/mock/text.h"
#include "base/buf/buf.h"
#include "base/buf/queue.h"
#include "base/ds/list.h"
#include "http/h1/server.h"
#include "io/uv/uv.h"
#include "node/chan/sockchan.h"
#include "node/loop/loop.h"

enum {
  MOCK_REQUEST_ID_MAX = 128,
  MOCK_PATH_MAX = 96,
  MOCK_QUEUE_HIGH = 256 * 1024, /* a generator waits while more than this waits for the client */
  MOCK_BYTES_CHUNK = 64 * 1024, /* of /mock/bytes */
  MOCK_ANSWER_MAX = 128 << 20,  /* bytes of an answer that is sent whole */
  MOCK_BURST = 64,              /* tokens in one turn when there is no gap between them */
};

struct mock_stats {
  uint64_t conns, conns_total, requests; /* open now; ever; heads read */
  uint64_t started, active, finished, cancelled, failed, refused;
  uint64_t early, sunk_bytes, prompt_tokens, completion_tokens;
};

struct mock {
  const struct ocf_mock_options *opt;
  struct ocf_uv *uv;
  struct ocf_alloc alloc;
  struct ocf_rng rng;
  struct ocf_loop loop;
  struct ocf_h1_limits limits;
  struct ocf_h1_pool pool;
  struct ocf_sockchan_limits sock;
  struct ocf_list conns; /* of conn.link; owned here */
  struct ocf_buf out;    /* scratch for what is being written */
  struct mock_stats stats;
  unsigned health; /* what /health answers */
};

enum mock_route {
  ROUTE_NONE,
  ROUTE_HEALTH,
  ROUTE_MODELS,
  ROUTE_MODEL,
  ROUTE_CHAT,
  ROUTE_COMPLETIONS,
  ROUTE_EMBEDDINGS,
  ROUTE_STATS,
  ROUTE_BYTES,
  ROUTE_EARLY,
  ROUTE_SINK,
  ROUTE_SET_HEALTH,
};

/* What a request waits for. */
enum mock_state {
  MOCK_IDLE,   /* no request */
  MOCK_BODY,   /* the end of its body */
  MOCK_DELAY,  /* the alarm, to begin the answer */
  MOCK_TOKENS, /* the alarm or the client, to give the next token */
  MOCK_BYTES,  /* the client, to give more bytes */
  MOCK_SILENT, /* nothing: it was asked to fall silent */
  MOCK_DYING,  /* what is queued to leave; then the connection is reset */
};

/* One client connection with its one request. */
struct conn {
  struct ocf_list link;
  struct mock *m;
  struct ocf_chan *chan; /* NULL once ended */
  struct ocf_h1_server h1;
  struct ocf_queue held; /* input that waits for its turn */
  struct ocf_deferred resume;
  struct ocf_alarm alarm;
  unsigned depth; /* entry points under way; freed only at 0 */
  bool closing;

  /* The request; all zero while IDLE. */
  enum mock_state state;
  enum mock_route route;
  struct ocf_mock_knobs knobs;
  struct ocf_buf body; /* gathered for a parser */
  uint64_t body_bytes, body_hash;
  uint64_t start_ns, ready_ns, first_ns; /* head read; request complete; first token given */
  bool counted;                          /* in stats.started and stats.active */
  bool head_sent;
  unsigned status;
  size_t model; /* ROUTE_MODEL: index of the one asked for */
  struct ocf_mock_ask ask;
  struct ocf_mock_text text;
  struct ocf_mock_answer answer;
  uint64_t n_tokens, n_wanted, n_chunks; /* n_chunks: what the *_after knobs count */
  uint64_t bytes_left, bytes_done;
  char answer_id[OCF_MOCK_ID_SIZE];
  uint8_t id_n, path_n;
  char id[MOCK_REQUEST_ID_MAX];
  char path[MOCK_PATH_MAX];
  enum ocf_h1_method method;
};

/* conn.c */
void ocf_mock_conn_accept(struct mock *m, struct ocf_sock *s);
/* Gives the connection up; memory stays until the entry point that is under way returns. */
void ocf_mock_conn_end(struct conn *c, enum ocf_chan_end how);
void ocf_mock_conn_end_all(struct mock *m);
/* Writes views, or ends the connection when they cannot be taken. */
void ocf_mock_conn_write(struct conn *c, const struct ocf_bytes *v, size_t n);
/* The answer is complete: says so, cleans the request up, reads on. `outcome`: "finished". */
void ocf_mock_conn_finish(struct conn *c);
void ocf_mock_conn_alarm_in(struct conn *c, uint64_t ns);

/* route.c */
void ocf_mock_route_head(struct conn *c, const struct ocf_h1_head *h);
/* The request is complete. */
void ocf_mock_route_body_end(struct conn *c);
/* Time to begin the answer. */
void ocf_mock_route_answer(struct conn *c);
/* A complete answer; `type` NULL: no body. Ends the request. */
void ocf_mock_reply(struct conn *c, unsigned status, const char *type, struct ocf_bytes body);
void ocf_mock_reply_problem(struct conn *c, unsigned status, const char *type, const char *code,
                            const char *param, const char *message);
/* The head of an answer. False when the connection was ended. */
bool ocf_mock_send_head(struct conn *c, unsigned status, const char *type,
                        enum ocf_h1_framing framing, uint64_t length);
/* Payload of an answer whose head was sent, and its end, which ends the request. */
void ocf_mock_send_data(struct conn *c, struct ocf_bytes data);
void ocf_mock_send_end(struct conn *c);

/* gen.c */
/* Begins what was asked for: c->ask is filled. */
void ocf_mock_gen_start(struct conn *c);
void ocf_mock_gen_head(struct conn *c);
void ocf_mock_gen_step(struct conn *c);
void ocf_mock_gen_bytes(struct conn *c);
/* True when a knob ended or silenced the answer at this point. */
bool ocf_mock_gen_broke(struct conn *c, bool whole);
/* Resets the connection once all that was said has left. */
void ocf_mock_gen_die(struct conn *c);
/* While silent: the next comment. */
void ocf_mock_gen_silent(struct conn *c);

/* mock.c */
void ocf_mock_report(struct conn *c, const char *outcome);

#endif
