/* Message bodies: a reader that finds the payload in received bytes, and a sender that says which
 * bytes go around the payload that is sent (RFC 9112 sections 6 and 7).
 *
 * Both are small values without memory of their own; payload is never copied. Chunk extensions and
 * trailers are checked, bounded and dropped. Not thread-safe. */
#ifndef OCF_HTTP_H1_BODY_H
#define OCF_HTTP_H1_BODY_H

#include "base/core/core.h"
#include "http/h1/h1.h"

struct ocf_h1_body {
  enum ocf_h1_framing framing;
  uint8_t state; /* private */
  bool done;     /* the whole body was read */
  enum ocf_h1_error error;
  uint64_t left;    /* payload bytes to come, of the body or of the chunk */
  uint64_t total;   /* payload bytes delivered so far */
  uint32_t ext_n;   /* bytes of extensions in this chunk's line, then bytes of trailers */
  uint32_t ext_sum; /* bytes of extensions in all chunk lines */
  uint8_t n_digits; /* of the chunk size */
  uint32_t ext_max, trailer_max;
};

/* `length` is read for OCF_H1_FRAMING_LENGTH only. A body without bytes is done at once. */
void ocf_h1_body_init(struct ocf_h1_body *b, enum ocf_h1_framing framing, uint64_t length,
                      const struct ocf_h1_limits *lim);
/* Reads on in p[0..n): sets `*used` to the bytes consumed and `*payload` to at most one run of body
 * bytes among them, lent as long as `p` (empty when there is none). Call again with the rest until
 * `*used` is 0 or b->done; bytes after the body are never consumed. 0, or OCF_EPROTO with b->error.
 */
OCF_NODISCARD int ocf_h1_body_read(struct ocf_h1_body *b, const uint8_t *p, size_t n, size_t *used,
                                   struct ocf_bytes *payload);
/* The connection ended: 0 when that completes the body (b->done is then true), else OCF_EEOF. */
OCF_NODISCARD int ocf_h1_body_eof(struct ocf_h1_body *b);

/* What goes to the wire before and after one run of payload. */
struct ocf_h1_frame {
  uint8_t pre[20];
  uint8_t n_pre;
  uint8_t n_suf;     /* 0 or 2: OCF_H1_CRLF */
  bool drop_payload; /* send nothing of the payload: the answer has no body (HEAD, 204, 304) */
};
#define OCF_H1_CRLF "\r\n"
#define OCF_H1_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

struct ocf_h1_sender {
  enum ocf_h1_framing framing;
  uint64_t left; /* promised bytes not sent yet (LENGTH) */
  bool mute;     /* head only: payload is dropped */
  bool ended;
};

void ocf_h1_sender_init(struct ocf_h1_sender *s, enum ocf_h1_framing framing, uint64_t length,
                        bool mute);
/* True when the receiver needs nothing more to know that the body is complete. */
static inline bool ocf_h1_sender_complete(const struct ocf_h1_sender *s)
{
  return s->ended || s->mute || (s->framing == OCF_H1_FRAMING_LENGTH && s->left == 0);
}
/* Frames `n` payload bytes. 0 with `*f` filled; OCF_ELIMIT when more is sent than was promised and
 * OCF_ESTATE after the end (nothing changed: the owner must abort). n == 0 frames nothing: it never
 * ends a chunked body. */
OCF_NODISCARD int ocf_h1_sender_data(struct ocf_h1_sender *s, uint64_t n, struct ocf_h1_frame *f);
/* Ends the body: f->pre is what closes it. 0; OCF_ESTATE when promised bytes are missing or it has
 * ended already: the owner must abort, so that the receiver sees the failure. */
OCF_NODISCARD int ocf_h1_sender_end(struct ocf_h1_sender *s, struct ocf_h1_frame *f);

#endif
