/* Oracle: every view lies inside the message, the reader ends after at most one field per two
 * bytes, and what was read, written again and read again is the same; a message in minimal form
 * even comes out byte for byte. All three sinks agree on the length. */
#include <string.h>

#include "base/mem/alloc.h"
#include "fmt/pb/pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void put_field(struct ocf_pb_writer *w, const struct ocf_pb_field *f)
{
  uint8_t fixed[8];
  for (unsigned i = 0; i < 8; i++)
    fixed[i] = (uint8_t)(f->value >> (8 * i));
  switch (f->wire) {
  case OCF_PB_VARINT: ocf_pb_put_u64(w, f->number, f->value); return;
  case OCF_PB_BYTES: ocf_pb_put_bytes(w, f->number, f->bytes); return;
  case OCF_PB_FIXED64:
  case OCF_PB_FIXED32:
    ocf_pb_put_uvarint(w, (uint64_t)f->number << 3 | (uint64_t)f->wire);
    ocf_pb_put_raw(w, ocf_bytes(fixed, f->wire == OCF_PB_FIXED64 ? 8 : 4));
    return;
  }
}

static void write_all(struct ocf_bytes msg, struct ocf_pb_writer *w)
{
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_pb_field f;
  while (ocf_pb_next(&r, &f) > 0)
    put_field(w, &f);
}

static void check_same(struct ocf_bytes a, struct ocf_bytes b)
{
  struct ocf_pb_reader ra = ocf_pb_read(a), rb = ocf_pb_read(b);
  struct ocf_pb_field fa, fb;
  while (ocf_pb_next(&ra, &fa) > 0) {
    int rc = ocf_pb_next(&rb, &fb);
    OCF_ASSERT(rc == 1 && fa.number == fb.number && fa.wire == fb.wire);
    OCF_ASSERT(fa.value == fb.value && ocf_bytes_eq(fa.bytes, fb.bytes));
  }
  OCF_ASSERT(rb.rest.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_pb_reader r = ocf_pb_read(ocf_bytes(d, n));
  struct ocf_pb_field f;
  struct ocf_alloc a;
  struct ocf_buf buf;
  size_t n_fields = 0, len = 0, counted = 0;
  int rc;

  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    n_fields++;
    OCF_ASSERT(f.number >= 1 && f.number <= OCF_PB_FIELD_MAX);
    if (f.wire == OCF_PB_BYTES)
      OCF_ASSERT(f.bytes.p > d && f.bytes.p + f.bytes.n <= d + n);
    else
      OCF_ASSERT(f.bytes.p == NULL);
  }
  OCF_ASSERT(n_fields <= n / 2);
  OCF_ASSERT(ocf_pb_next(&r, &f) == rc);

  size_t good = n - r.rest.n; /* the part before an error is a message of its own */
  struct ocf_bytes msg = ocf_bytes(d, good);
  struct ocf_pb_writer w = ocf_pb_count();
  write_all(msg, &w);
  OCF_ASSERT(ocf_pb_end(&w, &counted) == 0 && counted <= good);
  ocf_alloc_init(&a);
  ocf_buf_init(&buf, &a, good + 1);
  w = ocf_pb_write_buf(&buf);
  write_all(msg, &w);
  OCF_ASSERT(ocf_pb_end(&w, &len) == 0 && len == counted && buf.n == len);
  check_same(msg, ocf_buf_view(&buf));
  if (len == good)
    OCF_ASSERT(ocf_bytes_eq(msg, ocf_buf_view(&buf)));
  if (len > 0) { /* an array that is a byte short fails, an exact one does not */
    w = ocf_pb_write_array(buf.p, len - 1);
    write_all(msg, &w);
    OCF_ASSERT(ocf_pb_end(&w, NULL) == OCF_ELIMIT);
    w = ocf_pb_write_array(buf.p, len);
    write_all(msg, &w);
    OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  }
  ocf_buf_fini(&buf);
  return 0;
}
