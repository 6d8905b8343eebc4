/* Finds the few top-level fields of a JSON request body that routing needs, while the body streams
 * by. Looks only; the bytes are the caller's to hold and forward.
 *
 * Feed the body as it comes, in any fragmentation: all splits give the same result. The scan is one
 * pass, without allocation. Values of other fields are skipped at the speed of the lexer.
 *
 * Repeated fields: the last one that was scanned wins, as in Go's encoding/json. A caller that acts
 * on OCF_BODY_KNOWN before the end of the body has thereby taken the first; it must then stop
 * feeding, or ignore what changes.
 * Names are compared exactly (case matters), after escapes in the body were undone.
 *
 * Belongs to one loop. Sans-IO, nothing to free. */
#ifndef OCF_ROUTE_BODY_BODY_H
#define OCF_ROUTE_BODY_BODY_H

#include "base/core/core.h"
#include "fmt/jscan/jscan.h"

enum {
  OCF_BODY_KEYS_MAX = 16,
  OCF_BODY_KEY_MAX = 64,         /* bytes of a name that can be looked for */
  OCF_BODY_VALUE_MAX = 256,      /* bytes of a string value that is kept */
  OCF_BODY_SCAN_MAX = 64 * 1024, /* default bound; see ocf_body_init */
};

enum ocf_body_state {
  OCF_BODY_MORE,     /* not every looked-for field was seen yet */
  OCF_BODY_KNOWN,    /* every looked-for field was seen; the body goes on */
  OCF_BODY_DONE,     /* the JSON value is complete: what was not seen is not there */
  OCF_BODY_BOUND,    /* scan_max bytes went by before that; the fields are as seen until there */
  OCF_BODY_NOT_JSON, /* broken, cut short, followed by other bytes, or not an object; no field
                        counts (every one reads as absent) */
};

enum ocf_body_kind {
  OCF_BODY_ABSENT,
  OCF_BODY_STRING, /* `value` is the whole string */
  OCF_BODY_OTHER,  /* present, but null, a number, a boolean, an object, an array */
  OCF_BODY_LONG,   /* a string longer than OCF_BODY_VALUE_MAX */
};

struct ocf_body_field {
  enum ocf_body_kind kind;
  uint16_t n; /* bytes of `value` when kind is OCF_BODY_STRING, else 0 */
  char value[OCF_BODY_VALUE_MAX];
};

/* Read through the calls below; embedded by the caller (about 5.5 KiB; nothing to free). */
struct ocf_body {
  struct ocf_jscan js;
  enum ocf_body_state state;
  size_t n_fed, scan_max;
  unsigned n_keys, n_seen; /* n_seen: distinct keys seen so far; n_seen <= n_keys */
  unsigned wanted;         /* which fields the next token is the value of; private bits */
  uint8_t key_len[OCF_BODY_KEYS_MAX];
  char key[OCF_BODY_KEYS_MAX][OCF_BODY_KEY_MAX];
  struct ocf_body_field keyed[OCF_BODY_KEYS_MAX];
  struct ocf_body_field model, user;
  bool opened, ended, stream;
  int64_t max_tokens, max_completion_tokens; /* -1 = not there */
  uint8_t scratch[OCF_BODY_VALUE_MAX];
};

/* Looks for `keys` (copied; at most OCF_BODY_KEYS_MAX are taken, longer names than OCF_BODY_KEY_MAX
 * and repeated ones are not), beside model, stream, user, max_tokens and max_completion_tokens.
 * Only `keys` decide about OCF_BODY_KNOWN: with none, the state is KNOWN from the start.
 * scan_max > 0: how many bytes are looked at. Many clients write `messages` before `model` (the
 * Python SDK does), so a caller that can hold more should say so here. */
void ocf_body_init(struct ocf_body *b, const struct ocf_bytes *keys, size_t n_keys,
                   size_t scan_max);
/* Scans the next bytes of the body. After DONE only white space may follow; after BOUND and
 * NOT_JSON bytes are ignored. Returns the state. */
enum ocf_body_state ocf_body_feed(struct ocf_body *b, struct ocf_bytes chunk);
/* The body ended: DONE, BOUND or NOT_JSON (an empty body is NOT_JSON). */
enum ocf_body_state ocf_body_end(struct ocf_body *b);

/* ---- results; lent from `b`, valid until the next feed ---- */

/* i < b->n_keys, in the order taken at init. */
struct ocf_bytes ocf_body_key(const struct ocf_body *b, unsigned i);
const struct ocf_body_field *ocf_body_keyed(const struct ocf_body *b, unsigned i);
/* The string value of a field, or a view of 0 bytes with p NULL when it is not a (short) string. */
struct ocf_bytes ocf_body_model(const struct ocf_body *b);
struct ocf_bytes ocf_body_user(const struct ocf_body *b);
/* `"stream": true`. */
bool ocf_body_stream(const struct ocf_body *b);
/* max_completion_tokens, else max_tokens, when it is an integer >= 0; -1 otherwise. */
int64_t ocf_body_max_tokens(const struct ocf_body *b);

#endif
