#include "p2p/bitswap/msg.h"

#include "fmt/varint/varint.h"

enum { MSG_WANTLIST = 1, MSG_BLOCKS = 2, MSG_PAYLOAD = 3, MSG_PRESENCES = 4 };
enum { LIST_ENTRIES = 1, LIST_FULL = 2 };
enum { ENTRY_CID = 1, ENTRY_PRIORITY = 2, ENTRY_CANCEL = 3, ENTRY_TYPE = 4, ENTRY_SEND_DONT = 5 };
enum { BLOCK_PREFIX = 1, BLOCK_DATA = 2 };
enum { PRESENCE_CID = 1, PRESENCE_TYPE = 2 };

/* ---- reading ---- */

static int read_entry(struct ocf_bytes msg, struct ocf_bitswap_item *out)
{
  struct ocf_bitswap_item e = { .type = OCF_BITSWAP_ITEM_ENTRY };
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_bytes cid = { NULL, 0 };
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, ENTRY_CID, OCF_PB_BYTES))
      cid = f.bytes;
    else if (ocf_pb_is(&f, ENTRY_PRIORITY, OCF_PB_VARINT))
      e.priority = (int32_t)(uint32_t)f.value;
    else if (ocf_pb_is(&f, ENTRY_CANCEL, OCF_PB_VARINT))
      e.cancel = f.value != 0;
    else if (ocf_pb_is(&f, ENTRY_TYPE, OCF_PB_VARINT))
      e.have = (uint32_t)f.value != 0;
    else if (ocf_pb_is(&f, ENTRY_SEND_DONT, OCF_PB_VARINT))
      e.send_dont = f.value != 0;
  }
  if (rc != 0 || ocf_cid_cast(cid, &e.cid) != 0)
    return OCF_EINVAL;
  *out = e;
  return 0;
}

static bool take_uvarint(struct ocf_bytes *in, uint64_t *v)
{
  int n = ocf_varint_get(in->p, in->n, v);
  if (n <= 0)
    return false;
  in->p += n;
  in->n -= (size_t)n;
  return true;
}

static bool read_prefix(struct ocf_bytes in, struct ocf_bitswap_item *b)
{
  uint64_t version = 0, codec = 0;
  return take_uvarint(&in, &version) && take_uvarint(&in, &codec) &&
         take_uvarint(&in, &b->hash_code) && take_uvarint(&in, &b->hash_bytes);
}

static int read_block(struct ocf_bytes msg, struct ocf_bitswap_item *out)
{
  struct ocf_bitswap_item b = { .type = OCF_BITSWAP_ITEM_BLOCK };
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, BLOCK_PREFIX, OCF_PB_BYTES))
      b.prefix = f.bytes;
    else if (ocf_pb_is(&f, BLOCK_DATA, OCF_PB_BYTES))
      b.data = f.bytes;
  }
  if (rc != 0 || !read_prefix(b.prefix, &b))
    return OCF_EINVAL;
  *out = b;
  return 0;
}

static int read_presence(struct ocf_bytes msg, struct ocf_bitswap_item *out)
{
  struct ocf_bitswap_item p = { .type = OCF_BITSWAP_ITEM_PRESENCE };
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_bytes cid = { NULL, 0 };
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, PRESENCE_CID, OCF_PB_BYTES))
      cid = f.bytes;
    else if (ocf_pb_is(&f, PRESENCE_TYPE, OCF_PB_VARINT))
      p.dont_have = (uint32_t)f.value != 0;
  }
  if (rc != 0 || ocf_cid_cast(cid, &p.cid) != 0)
    return OCF_EINVAL;
  *out = p;
  return 0;
}

/* 1 and an entry; 0 at the end of the wantlist. */
static int next_entry(struct ocf_pb_reader *list, struct ocf_bitswap_item *out)
{
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_pb_next(list, &f)) > 0) {
    if (!ocf_pb_is(&f, LIST_ENTRIES, OCF_PB_BYTES))
      continue;
    rc = read_entry(f.bytes, out);
    return rc == 0 ? 1 : rc;
  }
  return rc;
}

int ocf_bitswap_walk_next(struct ocf_bitswap_walk *w, struct ocf_bitswap_item *out)
{
  struct ocf_pb_field f;
  for (;;) {
    int rc = next_entry(&w->list, out);
    if (rc != 0)
      return rc;
    rc = ocf_pb_next(&w->msg, &f);
    if (rc <= 0)
      return rc;
    if (ocf_pb_is(&f, MSG_WANTLIST, OCF_PB_BYTES)) {
      w->list = ocf_pb_read(f.bytes);
      continue;
    }
    if (ocf_pb_is(&f, MSG_PAYLOAD, OCF_PB_BYTES)) {
      rc = read_block(f.bytes, out);
    } else if (ocf_pb_is(&f, MSG_PRESENCES, OCF_PB_BYTES)) {
      rc = read_presence(f.bytes, out);
    } else if (ocf_pb_is(&f, MSG_BLOCKS, OCF_PB_BYTES)) {
      *out = (struct ocf_bitswap_item){ .type = OCF_BITSWAP_ITEM_BLOCK,
                                        .hash_code = OCF_MULTIHASH_SHA2_256,
                                        .hash_bytes = OCF_MULTIHASH_SHA2_256_SIZE - 2,
                                        .data = f.bytes };
    } else {
      continue;
    }
    return rc == 0 ? 1 : rc;
  }
}

static void read_full(struct ocf_bytes wantlist, bool *full)
{
  struct ocf_pb_reader r = ocf_pb_read(wantlist);
  struct ocf_pb_field f;
  while (ocf_pb_next(&r, &f) > 0) {
    if (ocf_pb_is(&f, LIST_FULL, OCF_PB_VARINT))
      *full = f.value != 0;
  }
}

int ocf_bitswap_msg_check(struct ocf_bytes msg, bool *full)
{
  struct ocf_bitswap_walk w = ocf_bitswap_walk(msg);
  struct ocf_bitswap_item item;
  int rc;
  while ((rc = ocf_bitswap_walk_next(&w, &item)) > 0)
    continue;
  if (rc != 0)
    return OCF_EINVAL;
  bool is_full = false;
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_pb_field f;
  while (ocf_pb_next(&r, &f) > 0) {
    if (ocf_pb_is(&f, MSG_WANTLIST, OCF_PB_BYTES))
      read_full(f.bytes, &is_full);
  }
  *full = is_full;
  return 0;
}

/* ---- writing ---- */

static void write_entry(struct ocf_pb_writer *w, const struct ocf_bitswap_entry *e)
{
  ocf_pb_put_bytes(w, ENTRY_CID, e->cid);
  if (e->priority != 0)
    ocf_pb_put_i64(w, ENTRY_PRIORITY, e->priority);
  if (e->cancel)
    ocf_pb_put_bool(w, ENTRY_CANCEL, true);
  if (e->have)
    ocf_pb_put_u64(w, ENTRY_TYPE, 1);
  if (e->send_dont)
    ocf_pb_put_bool(w, ENTRY_SEND_DONT, true);
}

void ocf_bitswap_put_entry(struct ocf_pb_writer *w, const struct ocf_bitswap_entry *e)
{
  struct ocf_pb_writer len = ocf_pb_count();
  write_entry(&len, e);
  ocf_pb_put_head(w, LIST_ENTRIES, len.n);
  write_entry(w, e);
}

void ocf_bitswap_put_wantlist(struct ocf_pb_writer *w, struct ocf_bytes entries, bool full)
{
  ocf_pb_put_head(w, MSG_WANTLIST, entries.n + (full ? ocf_pb_size_u64(LIST_FULL, 1) : 0));
  ocf_pb_put_raw(w, entries);
  if (full)
    ocf_pb_put_bool(w, LIST_FULL, true);
}

static size_t write_prefix(const struct ocf_cid *cid, uint8_t dst[4 * OCF_VARINT_MAX])
{
  size_t n = ocf_varint_put(dst, cid->version);
  n += ocf_varint_put(dst + n, cid->codec);
  n += ocf_varint_put(dst + n, cid->hash.code);
  return n + ocf_varint_put(dst + n, cid->hash.digest.n);
}

void ocf_bitswap_put_block(struct ocf_pb_writer *w, const struct ocf_cid *cid,
                           struct ocf_bytes data, bool old_form)
{
  if (old_form) {
    ocf_pb_put_bytes(w, MSG_BLOCKS, data);
    return;
  }
  uint8_t prefix[4 * OCF_VARINT_MAX];
  size_t n = write_prefix(cid, prefix);
  ocf_pb_put_head(w, MSG_PAYLOAD,
                  ocf_pb_size_bytes(BLOCK_PREFIX, n) + ocf_pb_size_bytes(BLOCK_DATA, data.n));
  ocf_pb_put_bytes(w, BLOCK_PREFIX, ocf_bytes(prefix, n));
  ocf_pb_put_bytes(w, BLOCK_DATA, data);
}

void ocf_bitswap_put_presence(struct ocf_pb_writer *w, struct ocf_bytes cid, bool dont_have)
{
  size_t type = dont_have ? ocf_pb_size_u64(PRESENCE_TYPE, 1) : 0;
  ocf_pb_put_head(w, MSG_PRESENCES, ocf_pb_size_bytes(PRESENCE_CID, cid.n) + type);
  ocf_pb_put_bytes(w, PRESENCE_CID, cid);
  if (dont_have)
    ocf_pb_put_u64(w, PRESENCE_TYPE, 1);
}
