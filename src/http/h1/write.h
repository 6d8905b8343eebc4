/* Heads that we send: forwarded from a parsed one or made here.
 *
 * What leaves is always built from the parsed form: hop-by-hop fields (those that Connection names
 * too), framing fields and shadow names are left out, exactly one framing is written, and every
 * name and value that is added is checked, so a head with an injected line cannot be produced.
 *
 * Everything appends to an ocf_buf, all or nothing: 0, OCF_EINVAL (a name, value, target or status
 * that would break the head), OCF_ELIMIT or OCF_ENOMEM from the buffer. ocf_h1_fixed() makes a
 * buffer of a caller's array. */
#ifndef OCF_HTTP_H1_WRITE_H
#define OCF_HTTP_H1_WRITE_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "http/h1/h1.h"

/* A buffer over caller memory: OCF_ELIMIT once `cap` is full; needs no fini. */
static inline struct ocf_buf ocf_h1_fixed(uint8_t *p, size_t cap)
{
  return (struct ocf_buf){ .a = NULL, .p = p, .n = 0, .cap = cap, .max = cap };
}

enum ocf_h1_edit_op {
  OCF_H1_SET,     /* replaces every field of that name by one */
  OCF_H1_ADD,     /* one more, what is there stays */
  OCF_H1_DROP,    /* removes every field of that name; `value` is not read */
  OCF_H1_DEFAULT, /* one more, unless the name is already there */
};

/* One change to the forwarded fields. Connection, the framing fields and other hop-by-hop names are
 * refused here (OCF_EINVAL): they are ours. Borrowed for the call. */
struct ocf_h1_edit {
  enum ocf_h1_edit_op op;
  struct ocf_bytes name, value;
};
#define OCF_H1_EDIT(op_, name_, value_)                                                            \
  (struct ocf_h1_edit)                                                                             \
  {                                                                                                \
    .op = (op_), .name = OCF_STR(name_), .value = (value_)                                         \
  }

enum ocf_h1_connection {
  OCF_H1_CONN_DEFAULT,    /* write no Connection field */
  OCF_H1_CONN_CLOSE,      /* "Connection: close" */
  OCF_H1_CONN_KEEP_ALIVE, /* "Connection: keep-alive", for clients that speak HTTP/1.0 */
};

/* How a head differs from the one it is made from. Zero it: an all-zero value writes a request
 * without body or an answer without framing field, so set `framing` (or take it from
 * ocf_h1_server_respond() or the parsed head). */
struct ocf_h1_rewrite {
  struct ocf_bytes
      target;      /* requests: replaces path and query; p NULL keeps them (in origin-form) */
  uint16_t status; /* answers: replaces status and reason; 0 keeps them */
  enum ocf_h1_framing framing;
  uint64_t content_length; /* for OCF_H1_FRAMING_LENGTH */
  enum ocf_h1_connection connection;
  const struct ocf_h1_edit *edits;
  size_t n_edits;
};

/* A request as HTTP/1.1. Host is kept unless an edit SETs it; when the client sent none it is
 * written from h->host. */
OCF_NODISCARD int ocf_h1_write_request(struct ocf_buf *out, const struct ocf_h1_head *h,
                                       const struct ocf_h1_rewrite *rw);
/* A request made here. `target` begins with '/' or is "*". */
OCF_NODISCARD int ocf_h1_make_request(struct ocf_buf *out, enum ocf_h1_method method,
                                      struct ocf_bytes target, struct ocf_bytes host,
                                      const struct ocf_h1_rewrite *rw);
/* An answer as HTTP/1.1. `h` NULL: made here, rw->status is needed. */
OCF_NODISCARD int ocf_h1_write_response(struct ocf_buf *out, const struct ocf_h1_head *h,
                                        const struct ocf_h1_rewrite *rw);

/* True when `v` may stand in a field value: no control character except HT, no outer whitespace. */
bool ocf_h1_value_ok(struct ocf_bytes v);
/* True when `v` is a token and not empty. */
bool ocf_h1_token_ok(struct ocf_bytes v);

/* An error as clients of the OpenAI API know it. NULL strings become null, except `type`, which
 * then follows from `status`. Borrowed for the call. */
struct ocf_h1_problem {
  unsigned status;
  const char *message; /* for people */
  const char *type;    /* NULL: "invalid_request_error", "server_error", … from the status */
  const char *param;
  const char *code;            /* for machines, such as "bare_lf" */
  struct ocf_bytes request_id; /* p NULL: null */
};

/* Appends {"error":{"message","type","param","code","request_id"}}, any bytes escaped to plain JSON
 * in UTF-8 without control characters. */
OCF_NODISCARD int ocf_h1_problem_json(struct ocf_buf *out, const struct ocf_h1_problem *p);
/* A complete answer with that body: Content-Type, Content-Length, X-Request-Id and the edits of
 * `rw` (NULL: none). rw->framing and rw->status are not read; rw->connection is. `head_only`:
 * without the body, for HEAD. */
OCF_NODISCARD int ocf_h1_write_problem(struct ocf_buf *out, const struct ocf_h1_problem *p,
                                       bool head_only, const struct ocf_h1_rewrite *rw);

#endif
