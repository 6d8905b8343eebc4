/* A JSON writer into a struct ocf_buf. It keeps the commas and the nesting; the output of a
 * finished writer is always one valid JSON text, whatever bytes the strings hold.
 *
 * Errors collect in the writer, so that a document is written straight through and asked about
 * once. One writer belongs to one loop; the buffer is borrowed and must not be touched by others
 * until ocf_json_end. Spec: RFC 8259. Misuse (a value where a key belongs, an end without its
 * begin, more than OCF_JSON_DEPTH_MAX levels) is our own bug and is asserted.
 *
 *   struct ocf_json w = ocf_json_to(&buf);
 *   ocf_json_object(&w);
 *   ocf_json_key(&w, "error");
 *   ocf_json_str(&w, OCF_STR("no such peer"));
 *   ocf_json_object_end(&w);
 *   rc = ocf_json_end(&w);
 */
#ifndef OCF_FMT_JSON_JSON_H
#define OCF_FMT_JSON_JSON_H

#include "base/buf/buf.h"
#include "base/core/core.h"

enum { OCF_JSON_DEPTH_MAX = 32 };

/* Private fields; use the calls below. */
struct ocf_json {
  struct ocf_buf *buf;
  size_t start; /* length of `buf` when the writer began */
  int err;
  uint8_t depth;
  bool after_key;     /* a key was written; its value must follow */
  bool done;          /* the top-level value is complete */
  uint32_t is_object; /* bit d: level d is an object, else an array */
  uint32_t has_item;  /* bit d: level d already holds an item */
};

/* A writer that appends one JSON text to `buf`. */
struct ocf_json ocf_json_to(struct ocf_buf *buf);

void ocf_json_object(struct ocf_json *w);
void ocf_json_object_end(struct ocf_json *w);
void ocf_json_array(struct ocf_json *w);
void ocf_json_array_end(struct ocf_json *w);

/* The name of the next value; inside an object only. Escaped like a string. Names are not checked
 * for being unique. */
void ocf_json_key(struct ocf_json *w, const char *name);
void ocf_json_key_bytes(struct ocf_json *w, struct ocf_bytes name);

/* `s` as a string: quote, backslash and control characters escaped, each maximal part of an
 * ill-formed UTF-8 sequence replaced by U+FFFD. */
void ocf_json_str(struct ocf_json *w, struct ocf_bytes s);
void ocf_json_cstr(struct ocf_json *w, const char *s);
void ocf_json_u64(struct ocf_json *w, uint64_t v);
void ocf_json_i64(struct ocf_json *w, int64_t v);
void ocf_json_bool(struct ocf_json *w, bool v);
void ocf_json_null(struct ocf_json *w);
/* One complete JSON value that the caller vouches for (or digits that no call above makes). */
void ocf_json_raw(struct ocf_json *w, struct ocf_bytes value);

/* Ends the text; every level must be closed and a value written. 0, or the first error (OCF_ELIMIT,
 * OCF_ENOMEM): then the buffer is cut back to where the writer began. */
OCF_NODISCARD int ocf_json_end(struct ocf_json *w);

#endif
