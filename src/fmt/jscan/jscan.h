/* An incremental JSON lexer: bytes go in as they come, tokens are pulled out.
 *
 * Any split of a text into chunks gives the same tokens. No allocation and no recursion: nesting is
 * a bit stack of at most OCF_JSCAN_DEPTH_MAX levels, strings are decoded into a buffer of the
 * caller's, and what does not fit is cut (and said so) while the lexer goes on. A value that nobody
 * wants is skipped whole by ocf_jscan_skip(), at memory speed. A scanner belongs to one loop.
 *
 * Spec: RFC 8259 for the grammar (no comments, no trailing commas, no byte order mark, no raw
 * control characters in strings). Where the RFC leaves a choice it follows Go's encoding/json, as
 * the peers' programs read with it: an ill-formed UTF-8 byte and an unpaired \u surrogate each
 * become U+FFFD; names may repeat; numbers are passed on as text.
 *
 * A text that streams in:                        A text that is all there:
 *
 *   while ((rc = ocf_jscan_next(&s, &in, &t)) > 0)    while ((rc = ocf_jscan_pull(&s, &in, &t)) > 0
 *     handle(&t);                                            && t.kind != OCF_JSCAN_END)
 *   rc == 0: wait for more; rc < 0: not JSON            handle(&t);
 *   at the end of input: ocf_jscan_finish()
 */
#ifndef OCF_FMT_JSCAN_JSCAN_H
#define OCF_FMT_JSCAN_JSCAN_H

#include "base/core/core.h"

enum {
  OCF_JSCAN_DEPTH_MAX = 512,
  OCF_JSCAN_DEPTH_DEFAULT = 64,
  OCF_JSCAN_NUMBER_MAX = 64, /* room that holds any number worth reading */
};

enum ocf_jscan_kind {
  OCF_JSCAN_OBJECT,     /* '{' */
  OCF_JSCAN_OBJECT_END, /* '}' */
  OCF_JSCAN_ARRAY,      /* '[' */
  OCF_JSCAN_ARRAY_END,  /* ']' */
  OCF_JSCAN_KEY,        /* a member's name; its value is the next token */
  OCF_JSCAN_STRING,
  OCF_JSCAN_NUMBER, /* `text` is as written; see ocf_jscan_i64() */
  OCF_JSCAN_TRUE,
  OCF_JSCAN_FALSE,
  OCF_JSCAN_NULL,
  OCF_JSCAN_SKIPPED, /* the value, or rest of a container, that ocf_jscan_skip() asked to skip */
  OCF_JSCAN_END,     /* the top-level value is complete; what is left of `in` follows it */
};

struct ocf_jscan_token {
  enum ocf_jscan_kind kind;
  bool truncated; /* KEY, STRING, NUMBER: `text` holds only the beginning, whole characters of it */
  unsigned depth; /* open containers around the token: 0 for the top-level value and its brackets */
  struct ocf_bytes text; /* KEY, STRING: decoded UTF-8, which may hold NULs; NUMBER: as written;
                            else empty. Lent from the caller's buffer until the next call */
  uint64_t begin, end;   /* bytes of the text before the token's first byte, and up to its last one.
                            A container's value lies between its bracket's `begin` and the end
                            bracket's `end`; quotes belong to a string */
};

/* Embedded by the caller. Private fields; use the calls below. */
struct ocf_jscan {
  uint8_t *buf; /* borrowed; strings and numbers are decoded into it */
  size_t cap, n;
  uint64_t offset; /* bytes consumed so far */
  uint64_t begin;  /* where the token that is being read began */
  uint64_t skip_begin;
  uint32_t code; /* hex digits of \uXXXX so far */
  uint32_t high; /* a high surrogate that waits for its other half; 0 = none */
  uint32_t depth, depth_max;
  uint32_t skip_depth; /* the skipped value ends when `depth` is back here */
  int err;             /* sticky */
  uint8_t state;       /* where in the grammar; jscan.c */
  uint8_t part;        /* where in a string, number or word; jscan.c */
  uint8_t more;        /* hex digits or letters still to come */
  uint8_t utf8[4];     /* the beginning of a character that a chunk's end has cut */
  uint8_t n_utf8;
  bool is_key, truncated, skipping, can_skip;
  uint64_t is_object[OCF_JSCAN_DEPTH_MAX / 64]; /* bit d: level d is an object, else an array */
};

/* Begins a text. `buf` is borrowed until the scanner is no longer used; `cap` bounds what of each
 * string and number is kept (OCF_JSCAN_NUMBER_MAX or more is sensible; 0 keeps nothing, and then
 * `buf` may be NULL). `depth_max` in 1..OCF_JSCAN_DEPTH_MAX: containers that may be open at once.
 */
void ocf_jscan_init(struct ocf_jscan *s, uint8_t *buf, size_t cap, unsigned depth_max);

/* Takes bytes off the front of `*in` until one token is complete. 1: `*t` is set. 0: all of `*in`
 * is taken and more is needed. OCF_EINVAL: not JSON, at ocf_jscan_offset(); OCF_ELIMIT: nested too
 * deep; both are final and are the answer to every later call. A number is complete only when a
 * byte follows it or ocf_jscan_finish() is called. After the top-level value comes END, again at
 * every call, and nothing more is taken: whether anything but white space may follow is the
 * caller's to say. `*t` is untouched unless 1 is returned. */
OCF_NODISCARD int ocf_jscan_next(struct ocf_jscan *s, struct ocf_bytes *in,
                                 struct ocf_jscan_token *t);
/* Says that no more input comes. 1: `*t` is the last token, a NUMBER, SKIPPED or END; call again
 * until END. OCF_EINVAL when the text is cut short (or was never JSON), OCF_ELIMIT as above. */
OCF_NODISCARD int ocf_jscan_finish(struct ocf_jscan *s, struct ocf_jscan_token *t);
/* ocf_jscan_next() for a text whose rest is all in `*in`: 1 and a token, up to END; never 0; a text
 * that is cut short is OCF_EINVAL. */
OCF_NODISCARD int ocf_jscan_pull(struct ocf_jscan *s, struct ocf_bytes *in,
                                 struct ocf_jscan_token *t);

/* Directly after a KEY: the member's value is passed over. Directly after OBJECT or ARRAY: the rest
 * of that container, its end included. Either way one SKIPPED token comes in its place, whose
 * begin..end is the whole value (from the opening bracket on). Skipped bytes are checked as JSON
 * like all others. Asserted: not called at any other time. */
void ocf_jscan_skip(struct ocf_jscan *s);

/* Bytes of the text taken so far; after an error, those before the one that was wrong. */
static inline uint64_t ocf_jscan_offset(const struct ocf_jscan *s)
{
  return s->offset;
}

/* True when nothing but JSON's white space is in `b`: what may follow a document. */
bool ocf_jscan_is_blank(struct ocf_bytes b);

/* ---- what tokens hold ---- */

/* The number `text` (as a NUMBER token holds it, not truncated) as an integer, by Go's rule: digits
 * with at most a sign in front. 0; OCF_EINVAL for "1.5", "1e3" and what is no number; OCF_ERANGE
 * outside of int64_t. `*out` is untouched on failure. */
OCF_NODISCARD int ocf_jscan_i64(struct ocf_bytes text, int64_t *out);
/* The same as a double, correctly rounded. OCF_ERANGE when it would be infinite; OCF_EINVAL when it
 * is no JSON number or longer than OCF_JSCAN_NUMBER_MAX bytes. */
OCF_NODISCARD int ocf_jscan_double(struct ocf_bytes text, double *out);
/* Whether Go's encoding/json would store a member named `key` in the field named `name` (ASCII, no
 * K or S outside of letters' own case): equal without regard to case, where U+017F counts as "s"
 * and U+212A as "k". */
bool ocf_jscan_key_is(struct ocf_bytes key, const char *name);

#endif
