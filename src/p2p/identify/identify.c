#include "p2p/identify/identify.h"

#include "crypto/envelope/envelope.h"
#include "fmt/varint/varint.h"

/* Identify */
enum {
  F_KEY = 1,
  F_ADDR = 2,
  F_PROTO = 3,
  F_OBSERVED = 4,
  F_PROTOCOL_VERSION = 5,
  F_AGENT = 6,
  F_RECORD = 8,
};
/* PeerRecord, and the AddressInfo inside */
enum { R_ID = 1, R_SEQ = 2, R_ADDR = 3, R_ADDR_BYTES = 1 };

/* --- reading --- */

void ocf_identify_reader_init(struct ocf_identify_reader *r, struct ocf_alloc *a)
{
  *r = (struct ocf_identify_reader){ 0 };
  ocf_buf_init(&r->buf, a, OCF_IDENTIFY_TOTAL_MAX);
}

void ocf_identify_reader_fini(struct ocf_identify_reader *r)
{
  ocf_buf_fini(&r->buf);
}

/* One byte of a part's length. A second byte is the last that a legal length has. */
static int take_len(struct ocf_identify_reader *r, uint8_t b)
{
  r->len |= (uint64_t)(b & 0x7f) << (7 * r->n_len);
  r->n_len++;
  if ((b & 0x80) != 0)
    return r->n_len < 2 ? 0 : OCF_ELIMIT;
  if (b == 0 && r->n_len > 1)
    return OCF_EPROTO; /* not of minimal length */
  if (r->len > OCF_IDENTIFY_PART_MAX || r->n_parts == OCF_IDENTIFY_PARTS_MAX)
    return OCF_ELIMIT;
  r->left = (size_t)r->len;
  r->len = 0;
  r->n_len = 0;
  r->n_parts++;
  return 0;
}

int ocf_identify_reader_input(struct ocf_identify_reader *r, struct ocf_bytes in)
{
  while (in.n > 0) {
    int err;
    size_t n = 1;
    if (r->left == 0) {
      err = take_len(r, in.p[0]);
    } else {
      n = OCF_MIN(in.n, r->left);
      err = ocf_buf_add(&r->buf, in.p, n);
      r->left -= n;
    }
    if (err != 0)
      return err;
    in = ocf_bytes(in.p + n, in.n - n);
  }
  return 0;
}

int ocf_identify_reader_end(const struct ocf_identify_reader *r, struct ocf_bytes *msg)
{
  if (r->n_parts == 0 || r->left > 0 || r->n_len > 0)
    return OCF_EPROTO;
  *msg = ocf_buf_view(&r->buf);
  return 0;
}

static struct ocf_bytes cut(struct ocf_bytes b)
{
  return ocf_bytes(b.p, OCF_MIN(b.n, (size_t)OCF_IDENTIFY_AGENT_MAX));
}

int ocf_identify_decode(struct ocf_bytes raw, struct ocf_identify_msg *out)
{
  struct ocf_identify_msg m = { .raw = raw };
  struct ocf_pb_reader r = ocf_pb_read(raw);
  struct ocf_pb_field f;
  int rc;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (f.wire != OCF_PB_BYTES)
      continue;
    switch (f.number) {
    case F_KEY: m.key = f.bytes; break;
    case F_OBSERVED: m.observed = f.bytes; break;
    case F_PROTOCOL_VERSION: m.protocol_version = cut(f.bytes); break;
    case F_AGENT: m.agent = cut(f.bytes); break;
    case F_RECORD: m.record = f.bytes; break;
    default: break;
    }
  }
  if (rc < 0)
    return rc;
  struct ocf_bytes name;
  struct ocf_maddr addr;
  struct ocf_identify_iter it = ocf_identify_iter(&m);
  while (ocf_identify_next_proto(&it, &name))
    m.n_protos++;
  it = ocf_identify_iter(&m);
  while (ocf_identify_next_addr(&it, &addr))
    m.n_addrs++;
  *out = m;
  return 0;
}

struct ocf_identify_iter ocf_identify_iter(const struct ocf_identify_msg *m)
{
  return (struct ocf_identify_iter){ ocf_pb_read(m->raw), 0 };
}

/* The next bytes field `number`; false at the end or after `max` of them. */
static bool next_field(struct ocf_identify_iter *it, uint32_t number, size_t max,
                       struct ocf_bytes *out)
{
  struct ocf_pb_field f;
  while (it->n < max && ocf_pb_next(&it->r, &f) > 0) {
    if (!ocf_pb_is(&f, number, OCF_PB_BYTES))
      continue;
    it->n++;
    *out = f.bytes;
    return true;
  }
  return false;
}

bool ocf_identify_next_proto(struct ocf_identify_iter *it, struct ocf_bytes *out)
{
  while (next_field(it, F_PROTO, OCF_IDENTIFY_PROTOS_MAX, out))
    if (out->n > 0 && out->n <= OCF_IDENTIFY_PROTO_MAX)
      return true;
  return false;
}

bool ocf_identify_next_addr(struct ocf_identify_iter *it, struct ocf_maddr *out)
{
  struct ocf_bytes b;
  while (next_field(it, F_ADDR, OCF_IDENTIFY_ADDRS_MAX, &b))
    if (ocf_maddr_from_bytes(b, out) == 0)
      return true;
  return false;
}

/* --- writing --- */

static bool may_show(const struct ocf_maddr *addr, bool loopback)
{
  return loopback || !ocf_maddr_is_loopback(addr);
}

/* The fields in the order in which Go writes them. */
static void put_message(struct ocf_pb_writer *w, const struct ocf_identify_self *self)
{
  if (self->key.n > 0)
    ocf_pb_put_bytes(w, F_KEY, self->key);
  for (size_t i = 0; i < self->n_addrs; i++)
    if (may_show(&self->addrs[i], self->loopback))
      ocf_pb_put_bytes(w, F_ADDR, ocf_maddr_view(&self->addrs[i]));
  for (size_t i = 0; i < self->n_protos; i++)
    ocf_pb_put_bytes(w, F_PROTO, self->protos[i]);
  if (self->observed != NULL)
    ocf_pb_put_bytes(w, F_OBSERVED, ocf_maddr_view(self->observed));
  ocf_pb_put_bytes(w, F_PROTOCOL_VERSION, ocf_bytes(NULL, 0));
  ocf_pb_put_bytes(w, F_AGENT, self->agent);
}

static void put_record(struct ocf_pb_writer *w, const struct ocf_identify_self *self)
{
  if (self->record.n > 0)
    ocf_pb_put_bytes(w, F_RECORD, self->record);
}

int ocf_identify_encode(const struct ocf_identify_self *self, struct ocf_buf *out)
{
  size_t n_main = 0, n_record = 0;
  struct ocf_pb_writer count = ocf_pb_count();
  put_message(&count, self);
  int err = ocf_pb_end(&count, &n_main);
  count = ocf_pb_count();
  put_record(&count, self);
  if (err == 0)
    err = ocf_pb_end(&count, &n_record);
  if (err != 0)
    return err;
  bool split = n_record > 0 && n_main + n_record > OCF_IDENTIFY_SPLIT;
  size_t n_first = split ? n_main : n_main + n_record;
  if (n_first > OCF_IDENTIFY_PART_MAX || n_record > OCF_IDENTIFY_PART_MAX)
    return OCF_ELIMIT;
  struct ocf_pb_writer w = ocf_pb_write_buf(out);
  ocf_pb_put_uvarint(&w, n_first);
  put_message(&w, self);
  if (split)
    ocf_pb_put_uvarint(&w, n_record);
  put_record(&w, self);
  return ocf_pb_end(&w, NULL);
}

/* --- the signed peer record --- */

static void put_peer_record(struct ocf_pb_writer *w, const struct ocf_peerid *id, uint64_t seq,
                            const struct ocf_maddr *addrs, size_t n_addrs, bool loopback)
{
  ocf_pb_put_bytes(w, R_ID, ocf_peerid_view(id));
  ocf_pb_put_u64(w, R_SEQ, seq);
  for (size_t i = 0; i < n_addrs; i++) {
    if (!may_show(&addrs[i], loopback))
      continue;
    ocf_pb_put_head(w, R_ADDR, ocf_pb_size_bytes(R_ADDR_BYTES, addrs[i].n));
    ocf_pb_put_bytes(w, R_ADDR_BYTES, ocf_maddr_view(&addrs[i]));
  }
}

int ocf_identify_record_seal(const struct ocf_key *key, const struct ocf_peerid *id, uint64_t seq,
                             const struct ocf_maddr *addrs, size_t n_addrs, bool loopback,
                             struct ocf_buf *out)
{
  struct ocf_buf payload;
  ocf_buf_init(&payload, out->a, OCF_ENVELOPE_MAX);
  struct ocf_pb_writer w = ocf_pb_write_buf(&payload);
  put_peer_record(&w, id, seq, addrs, n_addrs, loopback);
  int err = ocf_pb_end(&w, NULL);
  if (err == 0)
    err = ocf_envelope_seal(key, OCF_ENVELOPE_PEER_RECORD_DOMAIN, OCF_ENVELOPE_PEER_RECORD_TYPE,
                            ocf_buf_view(&payload), out);
  ocf_buf_fini(&payload);
  return err;
}

static int read_record(struct ocf_bytes payload, struct ocf_identify_record *rec)
{
  struct ocf_pb_reader r = ocf_pb_read(payload);
  struct ocf_pb_field f;
  struct ocf_bytes id = ocf_bytes(NULL, 0);
  int rc;
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, R_ID, OCF_PB_BYTES))
      id = f.bytes;
    else if (ocf_pb_is(&f, R_SEQ, OCF_PB_VARINT))
      rec->seq = f.value;
  }
  if (rc == 0)
    rc = ocf_peerid_from_bytes(id, &rec->id);
  return rc == 0 ? 0 : OCF_EINVAL;
}

int ocf_identify_record_open(struct ocf_alloc *a, struct ocf_bytes envelope,
                             struct ocf_identify_record *out)
{
  struct ocf_envelope e = { 0 };
  struct ocf_identify_record rec = { 0 };
  int err = ocf_envelope_open(&e, a, envelope, OCF_ENVELOPE_PEER_RECORD_DOMAIN,
                              OCF_ENVELOPE_PEER_RECORD_TYPE);
  if (err != 0)
    return err;
  rec.payload = e.payload;
  err = read_record(e.payload, &rec);
  if (err == 0)
    err = ocf_peerid_matches_key(&rec.id, ocf_pubkey_bytes(&e.key)) == 0 ? 0 : OCF_EAUTH;
  ocf_envelope_fini(&e);
  if (err == 0)
    *out = rec;
  return err;
}

struct ocf_identify_iter ocf_identify_record_iter(const struct ocf_identify_record *rec)
{
  return (struct ocf_identify_iter){ ocf_pb_read(rec->payload), 0 };
}

bool ocf_identify_record_next(struct ocf_identify_iter *it, struct ocf_maddr *out)
{
  struct ocf_bytes info;
  while (next_field(it, R_ADDR, OCF_IDENTIFY_ADDRS_MAX, &info)) {
    struct ocf_pb_reader r = ocf_pb_read(info);
    struct ocf_pb_field f;
    struct ocf_bytes b = ocf_bytes(NULL, 0);
    while (ocf_pb_next(&r, &f) > 0)
      if (ocf_pb_is(&f, R_ADDR_BYTES, OCF_PB_BYTES))
        b = f.bytes;
    if (ocf_maddr_from_bytes(b, out) == 0)
      return true;
  }
  return false;
}
