#include "fmt/pb/pb.h"

#include <string.h>

#include "base/core/endian.h"
#include "fmt/varint/varint.h"

/* ---- reading ---- */

static bool take_varint(struct ocf_bytes *in, uint64_t *v)
{
  int n = ocf_varint_get_pb(in->p, in->n, v);
  if (n < 0)
    return false;
  *in = ocf_bytes(in->p + n, in->n - (size_t)n);
  return true;
}

static bool take_bytes(struct ocf_bytes *in, uint64_t n, struct ocf_bytes *out)
{
  if (n > in->n)
    return false;
  *out = ocf_bytes(in->p, (size_t)n);
  *in = ocf_bytes(in->p + n, in->n - (size_t)n);
  return true;
}

static bool take_value(struct ocf_bytes *in, unsigned wire, struct ocf_pb_field *f)
{
  struct ocf_bytes raw;
  uint64_t n = 0;
  switch (wire) {
  case OCF_PB_VARINT: f->wire = OCF_PB_VARINT; return take_varint(in, &f->value);
  case OCF_PB_BYTES:
    f->wire = OCF_PB_BYTES;
    return take_varint(in, &n) && take_bytes(in, n, &f->bytes);
  case OCF_PB_FIXED64:
    f->wire = OCF_PB_FIXED64;
    if (!take_bytes(in, 8, &raw))
      return false;
    f->value = ocf_get_le64(raw.p);
    return true;
  case OCF_PB_FIXED32:
    f->wire = OCF_PB_FIXED32;
    if (!take_bytes(in, 4, &raw))
      return false;
    f->value = (uint32_t)raw.p[0] | (uint32_t)raw.p[1] << 8 | (uint32_t)raw.p[2] << 16 |
               (uint32_t)raw.p[3] << 24;
    return true;
  default: return false; /* groups, and the two numbers that nobody assigned */
  }
}

int ocf_pb_next(struct ocf_pb_reader *r, struct ocf_pb_field *f)
{
  struct ocf_pb_field got = { 0 };
  struct ocf_bytes rest = r->rest;
  uint64_t key;

  if (r->err != 0 || rest.n == 0)
    return r->err;
  if (!take_varint(&rest, &key) || key >> 3 == 0 || key >> 3 > OCF_PB_FIELD_MAX)
    return r->err = OCF_EINVAL;
  got.number = (uint32_t)(key >> 3);
  if (!take_value(&rest, (unsigned)(key & 7), &got))
    return r->err = OCF_EINVAL;
  r->rest = rest;
  *f = got;
  return 1;
}

/* ---- writing ---- */

struct ocf_pb_writer ocf_pb_write_buf(struct ocf_buf *buf)
{
  OCF_ASSERT(buf != NULL);
  return (struct ocf_pb_writer){ .buf = buf, .start = buf->n };
}

struct ocf_pb_writer ocf_pb_write_array(uint8_t *p, size_t cap)
{
  OCF_ASSERT(p != NULL || cap == 0);
  return (struct ocf_pb_writer){ .p = p, .cap = cap };
}

struct ocf_pb_writer ocf_pb_count(void)
{
  return (struct ocf_pb_writer){ .cap = SIZE_MAX };
}

static void emit(struct ocf_pb_writer *w, const void *p, size_t n)
{
  if (w->err != 0 || n == 0)
    return;
  if (w->buf != NULL) {
    w->err = ocf_buf_add(w->buf, p, n);
  } else if (n > w->cap - w->n) {
    w->err = OCF_ELIMIT;
  } else if (w->p != NULL) {
    memcpy(w->p + w->n, p, n);
  }
  if (w->err == 0)
    w->n += n;
}

void ocf_pb_put_uvarint(struct ocf_pb_writer *w, uint64_t v)
{
  uint8_t b[OCF_VARINT_MAX];
  emit(w, b, ocf_varint_put(b, v));
}

/* One emit for key and value: most fields are small, and a growing buffer checks its bound once. */
static void put_pair(struct ocf_pb_writer *w, uint32_t number, enum ocf_pb_wire wire, uint64_t v)
{
  uint8_t b[2 * OCF_VARINT_MAX];
  OCF_ASSERT(number >= 1 && number <= OCF_PB_FIELD_MAX);
  size_t n = ocf_varint_put(b, (uint64_t)number << 3 | (uint64_t)wire);
  emit(w, b, n + ocf_varint_put(b + n, v));
}

void ocf_pb_put_u64(struct ocf_pb_writer *w, uint32_t number, uint64_t v)
{
  put_pair(w, number, OCF_PB_VARINT, v);
}

void ocf_pb_put_i64(struct ocf_pb_writer *w, uint32_t number, int64_t v)
{
  put_pair(w, number, OCF_PB_VARINT, (uint64_t)v);
}

void ocf_pb_put_bool(struct ocf_pb_writer *w, uint32_t number, bool v)
{
  put_pair(w, number, OCF_PB_VARINT, v ? 1 : 0);
}

void ocf_pb_put_head(struct ocf_pb_writer *w, uint32_t number, size_t len)
{
  put_pair(w, number, OCF_PB_BYTES, len);
}

void ocf_pb_put_raw(struct ocf_pb_writer *w, struct ocf_bytes v)
{
  emit(w, v.p, v.n);
}

void ocf_pb_put_bytes(struct ocf_pb_writer *w, uint32_t number, struct ocf_bytes v)
{
  ocf_pb_put_head(w, number, v.n);
  ocf_pb_put_raw(w, v);
}

void ocf_pb_put_str(struct ocf_pb_writer *w, uint32_t number, const char *s)
{
  ocf_pb_put_bytes(w, number, ocf_bytes(s, strlen(s)));
}

int ocf_pb_end(struct ocf_pb_writer *w, size_t *n)
{
  if (w->err != 0) {
    if (w->buf != NULL)
      w->buf->n = w->start;
    return w->err;
  }
  if (n != NULL)
    *n = w->n;
  return 0;
}

size_t ocf_pb_size_u64(uint32_t number, uint64_t v)
{
  return ocf_varint_len((uint64_t)number << 3) + ocf_varint_len(v);
}

size_t ocf_pb_size_bytes(uint32_t number, size_t n)
{
  return ocf_pb_size_u64(number, n) + n;
}
