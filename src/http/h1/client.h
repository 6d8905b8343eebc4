/* The client side of one HTTP/1.1 connection or stream: one request in flight, its answer as
 * events.
 *
 * The owner writes request heads (write.h), frames request bodies by ocf_h1_client_data() and feeds
 * what comes back. An answer may begin and end before the request was sent in full; that is no
 * error. Answers are read as strictly as requests: a peer that breaks the rules costs its
 * connection, and what it sent is never forwarded (the caller's own client gets 502).
 *
 * No I/O, no clock, no callback. Belongs to one loop. Memory: one block of the pool from the first
 * byte of an answer's head until its end (or ocf_h1_client_drop_head()). */
#ifndef OCF_HTTP_H1_CLIENT_H
#define OCF_HTTP_H1_CLIENT_H

#include "base/core/core.h"
#include "http/h1/body.h"
#include "http/h1/h1.h"
#include "http/h1/pool.h"
#include "http/h1/server.h"

struct ocf_h1_client {
  struct ocf_h1_pool *pool;
  const struct ocf_h1_limits *lim;
  struct ocf_h1_block *block;
  struct ocf_h1_scan scan;
  struct ocf_h1_body body;
  struct ocf_h1_sender sender;
  enum ocf_h1_error error;
  enum ocf_h1_method method;
  uint8_t reading; /* private */
  bool keep_alive; /* what the answers so far allow */
  bool got_bytes; /* a byte of an answer came: the request must not be repeated elsewhere blindly */
  uint32_t n_interim;
  uint32_t n_requests;
};

/* Borrows `pool` and `lim` for its life. */
void ocf_h1_client_init(struct ocf_h1_client *c, struct ocf_h1_pool *pool,
                        const struct ocf_h1_limits *lim);
void ocf_h1_client_fini(struct ocf_h1_client *c);

/* Begins a request with the given body framing (what its head says; CLOSE is not valid). The owner
 * sends the head. 0, OCF_ESTATE unless ocf_h1_client_reusable(), OCF_EINVAL. */
OCF_NODISCARD int ocf_h1_client_start(struct ocf_h1_client *c, enum ocf_h1_method method,
                                      enum ocf_h1_framing framing, uint64_t length);
/* Frames request payload and its end; as ocf_h1_sender_data() and ocf_h1_sender_end(). A request
 * without body (NONE) is ended by start. */
OCF_NODISCARD int ocf_h1_client_data(struct ocf_h1_client *c, uint64_t n, struct ocf_h1_frame *f);
OCF_NODISCARD int ocf_h1_client_end(struct ocf_h1_client *c, struct ocf_h1_frame *f);

/* Reads on in p[0..n) up to the next event; call it as ocf_h1_server_input(). INTERIM (1xx, at most
 * limits.interim_max; 101 is an error), then HEAD, BODY*, END. Bytes that nobody asked for are an
 * ERROR: feed an idle connection too, or drop it when it becomes readable. */
enum ocf_h1_event ocf_h1_client_input(struct ocf_h1_client *c, const uint8_t *p, size_t n,
                                      size_t *used, struct ocf_bytes *data);
/* The peer closed. END: the answer was delimited by that. CLOSE: nothing was in flight. ERROR: the
 * answer is missing or cut (error TRUNCATED); got_bytes tells whether any of it had come. */
enum ocf_h1_event ocf_h1_client_eof(struct ocf_h1_client *c);

/* The head of INTERIM (until the next input) or of HEAD (until END); else NULL. */
const struct ocf_h1_head *ocf_h1_client_head(const struct ocf_h1_client *c);
void ocf_h1_client_drop_head(struct ocf_h1_client *c);

/* True when another request may be started: none so far, or the last one was sent and answered in
 * full and both sides keep the connection. */
bool ocf_h1_client_reusable(const struct ocf_h1_client *c);
/* HEAD: waiting for the answer's head; BODY: reading it; IDLE: reusable; WAIT: answered, but the
 * request is not sent in full (finish it or close); CLOSED. */
enum ocf_h1_phase ocf_h1_client_phase(const struct ocf_h1_client *c);

#endif
