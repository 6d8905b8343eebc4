#include "multi/dagpb/dagpb.h"

enum { NODE_DATA = 1, NODE_LINK = 2 };
enum { LINK_HASH = 1, LINK_NAME = 2, LINK_TSIZE = 3 };

/* Which wire type a link's field must have. */
static bool link_field_is_legal(const struct ocf_pb_field *f)
{
  if (f->number == LINK_HASH || f->number == LINK_NAME)
    return f->wire == OCF_PB_BYTES;
  return f->number == LINK_TSIZE && f->wire == OCF_PB_VARINT;
}

static int decode_link(struct ocf_bytes msg, struct ocf_dagpb_link *out)
{
  struct ocf_dagpb_link l = { .name = { NULL, 0 } };
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_pb_field f;
  uint32_t last = 0; /* fields come once and in order, so each number is above the one before */
  bool has_hash = false;
  int rc;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (!link_field_is_legal(&f) || f.number <= last)
      return OCF_EINVAL;
    last = f.number;
    if (f.number == LINK_HASH) {
      /* Like Go's reader, which takes the CID off the front and does not ask what follows it. */
      if (ocf_cid_parse(f.bytes, &l.cid) != 0)
        return OCF_EINVAL;
      has_hash = true;
    } else if (f.number == LINK_NAME) {
      l.name = f.bytes;
    } else {
      l.tsize = f.value;
      l.has_tsize = true;
    }
  }
  if (rc != 0 || !has_hash)
    return OCF_EINVAL;
  *out = l;
  return 0;
}

int ocf_dagpb_decode(struct ocf_bytes block, struct ocf_dagpb_node *out)
{
  struct ocf_dagpb_node node = { .block = block };
  struct ocf_dagpb_link link;
  struct ocf_pb_reader r = ocf_pb_read(block);
  struct ocf_pb_field f;
  bool links_ended = false;
  int rc;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, NODE_DATA, OCF_PB_BYTES)) {
      if (node.data.p != NULL)
        return OCF_EINVAL;
      node.data = f.bytes;
      links_ended = node.n_links > 0;
    } else if (ocf_pb_is(&f, NODE_LINK, OCF_PB_BYTES)) {
      if (links_ended || decode_link(f.bytes, &link) != 0)
        return OCF_EINVAL;
      node.n_links++;
    } else {
      return OCF_EINVAL;
    }
  }
  if (rc != 0)
    return OCF_EINVAL;
  *out = node;
  return 0;
}

bool ocf_dagpb_next(struct ocf_dagpb_iter *it, struct ocf_dagpb_link *link)
{
  struct ocf_pb_field f;
  while (ocf_pb_next(&it->r, &f) > 0) {
    if (f.number == NODE_LINK)
      return decode_link(f.bytes, link) == 0;
  }
  return false;
}

static void put_link(struct ocf_pb_writer *w, struct ocf_bytes cid)
{
  ocf_pb_put_bytes(w, LINK_HASH, cid);
  ocf_pb_put_str(w, LINK_NAME, "");
  ocf_pb_put_u64(w, LINK_TSIZE, 0);
}

int ocf_dagpb_encode(const struct ocf_bytes *links, size_t n_links, struct ocf_bytes data,
                     struct ocf_buf *out)
{
  struct ocf_pb_writer w = ocf_pb_write_buf(out);
  struct ocf_cid cid;
  for (size_t i = 0; i < n_links; i++) {
    if (ocf_cid_cast(links[i], &cid) != 0)
      w.err = OCF_EINVAL;
    struct ocf_pb_writer len = ocf_pb_count();
    put_link(&len, links[i]);
    ocf_pb_put_head(&w, NODE_LINK, len.n);
    put_link(&w, links[i]);
  }
  if (data.p != NULL)
    ocf_pb_put_bytes(&w, NODE_DATA, data);
  return ocf_pb_end(&w, NULL);
}
