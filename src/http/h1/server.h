/* The server side of one HTTP/1.1 connection or stream: bytes in, events out.
 *
 * The owner reads bytes, feeds them, and obeys the events; it writes its answers itself (write.h)
 * but asks here how they must be framed for this client, and tells when they end. The machine keeps
 * requests in order: a pipelined request stays unread until the answer before it has ended.
 *
 *   do {
 *     ev = ocf_h1_server_input(&s, p, n, &used, &data);
 *     p += used; n -= used;
 *     …
 *   } while (ev != OCF_H1_EV_MORE && ev != OCF_H1_EV_HOLD && ev != OCF_H1_EV_CLOSE && ev !=
 * OCF_H1_EV_ERROR);
 *
 * One request:  HEAD  BODY*  END   from input;   respond  data*  end   from the owner, who may
 * begin and even finish before END: what is left of the request body is then read away without
 * events, up to limits.drain_bytes_max, or the connection closes.
 *
 * No I/O, no clock, no callback. Belongs to one loop. Memory: one block of the pool from the first
 * byte of a head until the answer ended (or ocf_h1_server_drop_head()); none while idle. */
#ifndef OCF_HTTP_H1_SERVER_H
#define OCF_HTTP_H1_SERVER_H

#include "base/core/core.h"
#include "http/h1/body.h"
#include "http/h1/h1.h"
#include "http/h1/pool.h"
#include "http/h1/write.h"

/* What input brings; shared with client.h. */
enum ocf_h1_event {
  OCF_H1_EV_MORE,    /* everything given was consumed; nothing to do until more arrives */
  OCF_H1_EV_HEAD,    /* a head is complete: ocf_h1_server_head() / ocf_h1_client_head() */
  OCF_H1_EV_INTERIM, /* client: a 1xx answer, to be forwarded or ignored */
  OCF_H1_EV_BODY,    /* `*data` is body, lent as long as the input */
  OCF_H1_EV_END,     /* the message is complete */
  OCF_H1_EV_HOLD,    /* server: the rest of the input belongs to the next request; keep it, stop
                        reading,    and feed it again after ocf_h1_server_end() */
  OCF_H1_EV_CLOSE,   /* nothing more is read here: flush what is queued and close */
  OCF_H1_EV_ERROR,   /* the peer broke the rules: see `error`. A server answers with
                        ocf_h1_error_status(error) unless an answer has begun, and closes */
};

/* What the connection is waiting for: the owner keeps one timer and chooses its length by this. */
enum ocf_h1_phase {
  OCF_H1_PHASE_IDLE,  /* between requests: idle time-out (60 s; 120 s on streams) */
  OCF_H1_PHASE_HEAD,  /* part of a head has come: 10 s in total from its first byte */
  OCF_H1_PHASE_BODY,  /* request body is expected: minimum rate, see pace.h */
  OCF_H1_PHASE_WAIT,  /* the request is complete, the answer is ours to give */
  OCF_H1_PHASE_DRAIN, /* the answer has ended, the rest of the request is read away: pace.h too */
  OCF_H1_PHASE_CLOSED,
};

struct ocf_h1_server {
  struct ocf_h1_pool *pool;
  const struct ocf_h1_limits *lim;
  struct ocf_h1_block *block;
  struct ocf_h1_scan scan;
  struct ocf_h1_body body;
  struct ocf_h1_sender sender;
  enum ocf_h1_error error;
  uint8_t reading;     /* private */
  uint8_t writing;     /* private */
  bool keep_alive;     /* of the current request, lowered by whoever wants to close */
  bool close_after;    /* private: ocf_h1_server_close_after() was called */
  bool expects;        /* the client waits for 100 (Continue) before its body */
  bool is_head, is_10; /* method HEAD; HTTP/1.0 */
  uint32_t n_requests; /* heads seen on this connection */
  uint64_t drained;
};

/* Borrows `pool` and `lim` for its life. */
void ocf_h1_server_init(struct ocf_h1_server *s, struct ocf_h1_pool *pool,
                        const struct ocf_h1_limits *lim);
/* Gives the block back. The machine may be initialised again. */
void ocf_h1_server_fini(struct ocf_h1_server *s);

/* Reads on in p[0..n) up to the next event; `*used` bytes were consumed. n may be 0: an event may
 * be waiting. After HEAD the fields of ocf_h1_server_head() hold until the answer has ended.
 * `*data` is set for BODY, else empty. */
enum ocf_h1_event ocf_h1_server_input(struct ocf_h1_server *s, const uint8_t *p, size_t n,
                                      size_t *used, struct ocf_bytes *data);
/* The client closed its side. 0: nothing was cut (idle, or closed anyway). OCF_EEOF: in the middle
 * of a head or body; the request is void, the machine is closed. OCF_EAGAIN: the request was
 * complete and its answer has not ended: the owner decides whether a client that half-closes has
 * left. */
OCF_NODISCARD int ocf_h1_server_eof(struct ocf_h1_server *s);

/* The current request's head; NULL before HEAD, after the end of the answer or after drop_head. */
const struct ocf_h1_head *ocf_h1_server_head(const struct ocf_h1_server *s);
/* Gives the head's memory back early, for answers that stream for long. */
void ocf_h1_server_drop_head(struct ocf_h1_server *s);

/* True when sending OCF_H1_CONTINUE is due: the client asked, has sent nothing of the body, and no
 * answer has begun. Once true, the owner is taken to send it: later calls return false. */
bool ocf_h1_server_take_continue(struct ocf_h1_server *s);

/* Begins the final answer (status >= 200). `framing` and `length` describe the payload the owner
 * has: NONE for no payload. Fills rw->framing, rw->content_length and rw->connection with what this
 * client must be sent (HTTP/1.0: no chunks; HEAD, 204, 304: no body; close where the connection
 * cannot go on); the other members are the owner's. Then write the head, for instance by
 * ocf_h1_write_response(). May be called once per request, after HEAD. After ERROR it may be called
 * too, when no answer had begun. 0, or OCF_ESTATE. */
OCF_NODISCARD int ocf_h1_server_respond(struct ocf_h1_server *s, unsigned status,
                                        enum ocf_h1_framing framing, uint64_t length,
                                        struct ocf_h1_rewrite *rw);
/* Frames `n` payload bytes of the answer; as ocf_h1_sender_data(). */
OCF_NODISCARD int ocf_h1_server_data(struct ocf_h1_server *s, uint64_t n, struct ocf_h1_frame *f);
/* Ends the answer; as ocf_h1_sender_end(), after which the next request is read (call input again
 * for what was held) or ocf_h1_server_closing() is true. */
OCF_NODISCARD int ocf_h1_server_end(struct ocf_h1_server *s, struct ocf_h1_frame *f);

/* Asks that the connection close after the current answer (drain, shutdown). Before
 * ocf_h1_server_respond() the client is told by Connection: close. An idle machine closes at once.
 */
void ocf_h1_server_close_after(struct ocf_h1_server *s);
/* Gives up on the answer: nothing may be sent any more. True when the owner must reset the
 * transport rather than close it in order: the body ends by close, so an orderly end would look
 * complete. */
bool ocf_h1_server_abort(struct ocf_h1_server *s);
/* True when the machine is closed: flush, half-close, linger for the peer's last bytes, close. */
bool ocf_h1_server_closing(const struct ocf_h1_server *s);

enum ocf_h1_phase ocf_h1_server_phase(const struct ocf_h1_server *s);
/* True between respond and end. */
bool ocf_h1_server_answering(const struct ocf_h1_server *s);

#endif
