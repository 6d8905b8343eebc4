#include "crdt/merkle/delta.h"

#include "base/str/escape.h"
#include "fmt/varint/varint.h"

enum { GROUP_BEGIN = 3, GROUP_END = 4, GROUP_DEPTH_MAX = 10000 /* Go's */ };
enum { ELEMENT_KEY = 1, ELEMENT_ID = 2, ELEMENT_VALUE = 3 };
enum { DELTA_PRIORITY = 3, HEADS_HEAD = 1, HEAD_CID = 1 };

/* ---- groups ---- */

/* The tag at the front, not taken. */
static bool peek_tag(const struct ocf_pb_reader *r, uint64_t *tag, size_t *n)
{
  int got = ocf_varint_get_pb(r->rest.p, r->rest.n, tag);
  *n = got > 0 ? (size_t)got : 0;
  return got > 0;
}

static bool is_group(uint64_t tag, unsigned kind)
{
  return (tag & 7) == kind && tag >> 3 >= 1 && tag >> 3 <= OCF_PB_FIELD_MAX;
}

static void take(struct ocf_pb_reader *r, size_t n)
{
  r->rest.p += n;
  r->rest.n -= n;
}

/* Skips a group whose first tag is at the front. Groups nest, and each ends with its own number. */
static int skip_group(struct ocf_pb_reader *r)
{
  uint32_t open[GROUP_DEPTH_MAX];
  size_t depth = 0;
  do {
    struct ocf_pb_field f;
    uint64_t tag;
    size_t n;
    if (!peek_tag(r, &tag, &n))
      return OCF_EINVAL;
    if (is_group(tag, GROUP_BEGIN)) {
      if (depth == GROUP_DEPTH_MAX)
        return OCF_EINVAL;
      open[depth++] = (uint32_t)(tag >> 3);
      take(r, n);
    } else if (is_group(tag, GROUP_END)) {
      if (open[--depth] != tag >> 3)
        return OCF_EINVAL;
      take(r, n);
    } else if (ocf_pb_next(r, &f) != 1) {
      return OCF_EINVAL;
    }
  } while (depth > 0);
  return 0;
}

int ocf_merkle_pb_next(struct ocf_pb_reader *r, struct ocf_pb_field *f)
{
  uint64_t tag;
  size_t n;
  while (r->err == 0 && peek_tag(r, &tag, &n) && is_group(tag, GROUP_BEGIN)) {
    r->err = skip_group(r);
  }
  return ocf_pb_next(r, f);
}

/* ---- deltas ---- */

static int element_parse(struct ocf_bytes msg, struct ocf_merkle_element *out)
{
  struct ocf_merkle_element e = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_merkle_pb_next(&r, &f)) > 0) {
    if (f.wire != OCF_PB_BYTES)
      continue;
    if (f.number == ELEMENT_VALUE)
      e.value = f.bytes;
    if (f.number != ELEMENT_KEY && f.number != ELEMENT_ID)
      continue;
    if (!ocf_utf8_ok(f.bytes))
      return OCF_EINVAL;
    *(f.number == ELEMENT_KEY ? &e.key : &e.id) = f.bytes;
  }
  if (rc == 0)
    *out = e;
  return rc;
}

static bool is_element(const struct ocf_pb_field *f)
{
  return f->wire == OCF_PB_BYTES &&
         (f->number == OCF_MERKLE_ELEMENTS || f->number == OCF_MERKLE_TOMBSTONES);
}

int ocf_merkle_delta_parse(struct ocf_bytes bytes, struct ocf_merkle_delta *out)
{
  struct ocf_merkle_delta d = { .bytes = bytes };
  struct ocf_merkle_element e;
  struct ocf_pb_reader r = ocf_pb_read(bytes);
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_merkle_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, DELTA_PRIORITY, OCF_PB_VARINT)) {
      d.priority = f.value;
    } else if (is_element(&f)) {
      if (element_parse(f.bytes, &e) != 0)
        return OCF_EINVAL;
      d.n[f.number]++;
    }
  }
  if (rc == 0)
    *out = d;
  return rc;
}

bool ocf_merkle_delta_next(struct ocf_merkle_delta_iter *it, struct ocf_merkle_element *out)
{
  struct ocf_pb_field f;
  while (ocf_merkle_pb_next(&it->r, &f) > 0)
    if (is_element(&f) && f.number == it->which && element_parse(f.bytes, out) == 0)
      return true;
  return false;
}

static void put_element(struct ocf_pb_writer *w, const struct ocf_merkle_element *e)
{
  if (e->key.p != NULL)
    ocf_pb_put_bytes(w, ELEMENT_KEY, e->key);
  if (e->id.p != NULL)
    ocf_pb_put_bytes(w, ELEMENT_ID, e->id);
  if (e->value.p != NULL)
    ocf_pb_put_bytes(w, ELEMENT_VALUE, e->value);
}

int ocf_merkle_delta_add(struct ocf_buf *b, uint32_t which, const struct ocf_merkle_element *e)
{
  struct ocf_pb_writer count = ocf_pb_count(), w = ocf_pb_write_buf(b);
  size_t n = 0;
  put_element(&count, e);
  int err = ocf_pb_end(&count, &n);
  OCF_ASSERT(err == 0);
  ocf_pb_put_head(&w, which, n);
  put_element(&w, e);
  return ocf_pb_end(&w, NULL);
}

int ocf_merkle_delta_end(struct ocf_buf *b, uint64_t priority)
{
  struct ocf_pb_writer w = ocf_pb_write_buf(b);
  if (priority != 0)
    ocf_pb_put_u64(&w, DELTA_PRIORITY, priority);
  return ocf_pb_end(&w, NULL);
}

/* ---- broadcasts ---- */

/* The CID of a Head message; the last one wins. Go refuses an absent one like a malformed one. */
static int head_parse(struct ocf_bytes msg, struct ocf_cid *cid)
{
  struct ocf_bytes bytes = { NULL, 0 };
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_merkle_pb_next(&r, &f)) > 0)
    if (ocf_pb_is(&f, HEAD_CID, OCF_PB_BYTES))
      bytes = f.bytes;
  return rc < 0 ? rc : ocf_cid_cast(bytes, cid);
}

int ocf_merkle_heads_parse(struct ocf_bytes payload, struct ocf_merkle_heads *out)
{
  struct ocf_merkle_heads h = { .r = ocf_pb_read(payload) };
  struct ocf_pb_reader r = ocf_pb_read(payload);
  struct ocf_pb_field f;
  struct ocf_cid cid;
  size_t n_unknown = 0;
  int rc;
  bool bad_head = false;
  struct ocf_bytes unknown = { NULL, 0 };
  for (;;) {
    struct ocf_bytes before = r.rest;
    if ((rc = ocf_pb_next(&r, &f)) <= 0)
      break;
    if (ocf_pb_is(&f, HEADS_HEAD, OCF_PB_BYTES)) {
      bad_head = head_parse(f.bytes, &cid) != 0 || bad_head;
    } else {
      unknown = ocf_bytes(before.p, before.n - r.rest.n);
      n_unknown++;
    }
  }
  /* A group at the top is an unknown field like others, and never a CID: refused by the reader
   * here, dropped by Go. So are several unknown fields: a version 0 CID has the form of exactly one
   * (field 2, 32 bytes), and no other CID has the form of a field. */
  if (rc != 0 || n_unknown > 1)
    return OCF_EINVAL;
  h.is_legacy = n_unknown == 1;
  if (h.is_legacy ? ocf_cid_cast(unknown, &h.legacy) != 0 : bad_head)
    return OCF_EINVAL;
  *out = h;
  return 0;
}

bool ocf_merkle_heads_next(struct ocf_merkle_heads *h, struct ocf_cid *cid)
{
  struct ocf_pb_field f;
  if (h->is_legacy) {
    *cid = h->legacy;
    h->is_legacy = false;
    h->r.rest.n = 0;
    return true;
  }
  while (ocf_pb_next(&h->r, &f) > 0)
    if (ocf_pb_is(&f, HEADS_HEAD, OCF_PB_BYTES) && head_parse(f.bytes, cid) == 0)
      return true;
  return false;
}

int ocf_merkle_heads_add(struct ocf_buf *b, struct ocf_bytes cid)
{
  struct ocf_pb_writer w = ocf_pb_write_buf(b);
  ocf_pb_put_head(&w, HEADS_HEAD, ocf_pb_size_bytes(HEAD_CID, cid.n));
  ocf_pb_put_bytes(&w, HEAD_CID, cid);
  return ocf_pb_end(&w, NULL);
}
