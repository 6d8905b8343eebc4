/* Protobuf wire format without generated code: a pull reader over borrowed bytes and a writer into
 * a growing buffer, a fixed array, or nothing (to learn a length).
 *
 * Neither half knows a schema: a message type is one loop with a switch over field numbers, and one
 * straight-line function of writes. Depth is therefore the caller's: nothing here recurses. No
 * allocation except through the caller's struct ocf_buf; safe from any thread as long as one reader
 * or writer stays on one. Spec: protobuf "Encoding"; both proto2 (presence, required zeros) and
 * proto3 messages are made of these calls.
 *
 *   struct ocf_pb_reader r = ocf_pb_read(msg);
 *   struct ocf_pb_field f;
 *   int rc;
 *   while ((rc = ocf_pb_next(&r, &f)) > 0) {
 *     if (ocf_pb_is(&f, 1, OCF_PB_VARINT))
 *       ...f.value...
 *     else if (ocf_pb_is(&f, 2, OCF_PB_BYTES))
 *       key->data = f.bytes;      // data.p stays NULL when the field never came
 *   }
 *   return rc;                    // 0 at a clean end
 */
#ifndef OCF_FMT_PB_PB_H
#define OCF_FMT_PB_PB_H

#include "base/buf/buf.h"
#include "base/core/core.h"

enum { OCF_PB_FIELD_MAX = (1 << 29) - 1 }; /* the largest legal field number; the smallest is 1 */

/* Wire types. Groups (3, 4) and the unassigned 6 and 7 are refused by the reader. */
enum ocf_pb_wire { OCF_PB_VARINT = 0, OCF_PB_FIXED64 = 1, OCF_PB_BYTES = 2, OCF_PB_FIXED32 = 5 };

/* ---- reading ---- */

struct ocf_pb_field {
  uint32_t number; /* 1..OCF_PB_FIELD_MAX */
  enum ocf_pb_wire wire;
  uint64_t value;         /* VARINT, FIXED64, FIXED32; 0 for BYTES */
  struct ocf_bytes bytes; /* BYTES: a view into the message, `p` never NULL, even of length 0, so
                             that "p != NULL" can stand for presence; {NULL, 0} for the others */
};

struct ocf_pb_reader {
  struct ocf_bytes rest;
  int err; /* sticky */
};

/* A reader over `msg`, which is borrowed for as long as the reader and the views it hands out. */
static inline struct ocf_pb_reader ocf_pb_read(struct ocf_bytes msg)
{
  return (struct ocf_pb_reader){ msg, 0 };
}

/* The next field in wire order into `*f`. Returns 1, 0 at the end of the message, or OCF_EINVAL:
 * truncated, a length over what is left, a varint over 64 bits, field number 0 or over the maximum,
 * a group, an unknown wire type. An error is final; `*f` is untouched by it and at the end.
 * Unknown fields and repeated ones are the caller's to skip, refuse or collect (the last one wins
 * in protobuf's own readers). */
OCF_NODISCARD int ocf_pb_next(struct ocf_pb_reader *r, struct ocf_pb_field *f);

/* True when `f` has this number and wire type. A known number with another wire type is thereby an
 * unknown field, as Go's and C++'s readers treat it. */
static inline bool ocf_pb_is(const struct ocf_pb_field *f, uint32_t number, enum ocf_pb_wire wire)
{
  return f->number == number && f->wire == wire;
}

/* ---- writing ---- */

/* Collects the first error, so that a message is written straight through and asked about once.
 * Private fields; use the calls below. */
struct ocf_pb_writer {
  struct ocf_buf *buf;
  uint8_t *p;
  size_t cap;
  size_t n;     /* bytes written so far */
  size_t start; /* length of `buf` when the writer began */
  int err;
};

/* Appends to `buf` (borrowed; not to be touched by others until ocf_pb_end). */
struct ocf_pb_writer ocf_pb_write_buf(struct ocf_buf *buf);
/* Writes into the `cap` bytes at `p`. Going over is OCF_ELIMIT. */
struct ocf_pb_writer ocf_pb_write_array(uint8_t *p, size_t cap);
/* Writes nothing and only counts: run the same message function over it to learn the length that
 * ocf_pb_put_head of the real run needs. */
struct ocf_pb_writer ocf_pb_count(void);

/* Each appends one field, also when its value is zero, false or empty: leaving a field out is the
 * caller's `if` (proto3 drops zeros, proto2 required fields must not). `number` is 1..MAX. */
void ocf_pb_put_u64(struct ocf_pb_writer *w, uint32_t number, uint64_t v); /* uint32/64, enum */
void ocf_pb_put_i64(struct ocf_pb_writer *w, uint32_t number,
                    int64_t v); /* int32/64: negatives 10 bytes */
void ocf_pb_put_bool(struct ocf_pb_writer *w, uint32_t number, bool v);
void ocf_pb_put_bytes(struct ocf_pb_writer *w, uint32_t number, struct ocf_bytes v);
/* `s` is a C string; for `string` fields, whose UTF-8 is the caller's promise. */
void ocf_pb_put_str(struct ocf_pb_writer *w, uint32_t number, const char *s);
/* Begins a nested message (or bytes) of exactly `len` bytes, which the caller writes next. */
void ocf_pb_put_head(struct ocf_pb_writer *w, uint32_t number, size_t len);
/* Bytes as they are: already encoded fields, or the content announced by ocf_pb_put_head. */
void ocf_pb_put_raw(struct ocf_pb_writer *w, struct ocf_bytes v);
/* A bare uvarint: the length before a delimited message. */
void ocf_pb_put_uvarint(struct ocf_pb_writer *w, uint64_t v);

/* Ends the message. 0 and `*n` (may be NULL) is its length; or OCF_ELIMIT (array full, buffer over
 * its max), OCF_ENOMEM: `*n` untouched, and the buffer is cut back to where the writer began. */
OCF_NODISCARD int ocf_pb_end(struct ocf_pb_writer *w, size_t *n);

/* Encoded sizes, for callers that know their lengths first. */
size_t ocf_pb_size_u64(uint32_t number, uint64_t v);
size_t ocf_pb_size_bytes(uint32_t number, size_t n);

#endif
