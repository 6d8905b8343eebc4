/* The input is a script: peers come and go, streams open, fail, and carry well-formed items or raw
 * bytes; the owner wants, cancels, stores, writes a little or all; time passes; memory may run out.
 * Oracle: the module's own assertions, its bounds, that a block event is the block of a standing
 * want, once, and that all memory comes back. */
#include <string.h>

#include "base/buf/buf.h"
#include "fmt/varint/varint.h"
#include "multi/cid/cid.h"
#include "p2p/bitswap/bitswap.h"
#include "p2p/bitswap/msg.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { PEERS = 6, BLOCKS = 24, INS = 4, CID_N = OCF_CID_BLOCK_SIZE };

struct block {
  uint8_t cid[CID_N];
  uint8_t data[2100];
  size_t n;
  bool stored, wanted;
};

struct fpeer {
  struct ocf_peerid id;
  bool up, opening, open;
  bool writable; /* a WRITE came */
  struct ocf_bitswap_in *in[INS];
};

static struct fuzz {
  struct ocf_alloc a;
  struct ocf_rng rng;
  uint64_t now_ns;
  struct ocf_bitswap *bs;
  struct block blocks[BLOCKS];
  struct fpeer peers[PEERS];
  bool made;
} f;

static int get(void *ctx, struct ocf_bytes hash, struct ocf_bytes *block)
{
  (void)ctx;
  for (size_t i = 0; i < BLOCKS; i++) {
    if (f.blocks[i].stored && ocf_bytes_eq(hash, ocf_bytes(f.blocks[i].cid + 2, CID_N - 2))) {
      *block = ocf_bytes(f.blocks[i].data, f.blocks[i].n);
      return 0;
    }
  }
  return OCF_ENOENT;
}

static void make_blocks(void)
{
  for (size_t i = 0; i < BLOCKS; i++) {
    struct block *b = &f.blocks[i];
    b->n = i < BLOCKS / 2 ? 5 + i : 1500 + i;
    memset(b->data, (int)i, b->n);
    ocf_cid_of_block(OCF_CID_DAG_PB, ocf_bytes(b->data, b->n), b->cid);
  }
  for (size_t i = 0; i < PEERS; i++) {
    f.peers[i].id.n = 3;
    memcpy(f.peers[i].id.b, (uint8_t[]){ 0, 1, (uint8_t)('a' + i) }, 3);
  }
  f.made = true;
}

static struct fpeer *peer_of(const struct ocf_peerid *id)
{
  for (size_t i = 0; i < PEERS; i++) {
    if (ocf_peerid_eq(&f.peers[i].id, id))
      return &f.peers[i];
  }
  OCF_ASSERT(false);
  return NULL;
}

static struct block *block_of(struct ocf_bytes cid)
{
  for (size_t i = 0; i < BLOCKS; i++) {
    if (ocf_bytes_eq(cid, ocf_bytes(f.blocks[i].cid, CID_N)))
      return &f.blocks[i];
  }
  OCF_ASSERT(false);
  return NULL;
}

/* ---- what comes out ---- */

static void on_event(const struct ocf_bitswap_event *ev)
{
  if (ev->type == OCF_BITSWAP_OFFENCE) {
    OCF_ASSERT(peer_of(&ev->peer)->up && ev->count > 0 && ev->what < OCF_BITSWAP_N_OFFENCES);
    return;
  }
  struct block *b = block_of(ev->cid);
  OCF_ASSERT(b->wanted && ev->user == b);
  if (ev->type == OCF_BITSWAP_WANT_SLOW)
    return;
  OCF_ASSERT(ocf_bytes_eq(ev->data, ocf_bytes(b->data, b->n)));
  b->wanted = false;
}

static void on_effect(const struct ocf_bitswap_effect *fx)
{
  struct fpeer *p = peer_of(&fx->peer);
  switch (fx->type) {
  case OCF_BITSWAP_OPEN:
    OCF_ASSERT(p->up && !p->open && !p->opening && fx->stream == NULL);
    p->opening = true;
    break;
  case OCF_BITSWAP_WRITE:
    OCF_ASSERT(p->up && p->open && fx->stream == p);
    p->writable = true;
    break;
  case OCF_BITSWAP_CLOSE_OUT:
  case OCF_BITSWAP_RESET_OUT:
    OCF_ASSERT(p->up && p->open && fx->stream == p);
    p->open = p->writable = false;
    break;
  case OCF_BITSWAP_RESET_IN: {
    struct ocf_bitswap_in **in = fx->stream;
    OCF_ASSERT(*in != NULL);
    *in = NULL;
    break;
  }
  }
}

static void pump(void)
{
  struct ocf_bitswap_event ev;
  struct ocf_bitswap_effect fx;
  while (ocf_bitswap_event(f.bs, f.now_ns, &ev))
    on_event(&ev);
  while (ocf_bitswap_effect(f.bs, f.now_ns, &fx))
    on_effect(&fx);
}

static void write_some(struct fpeer *p, size_t at_most)
{
  struct ocf_bytes iov[2];
  size_t k;
  while (p->writable && at_most > 0) {
    k = ocf_bitswap_tx(f.bs, f.now_ns, &p->id, iov, 2);
    p->writable = k > 0;
    if (k == 0)
      return;
    size_t take = OCF_MIN(iov[0].n, at_most);
    OCF_ASSERT(take > 0);
    ocf_bitswap_tx_done(f.bs, f.now_ns, &p->id, take);
    at_most -= take;
  }
}

/* ---- what goes in ---- */

static void rx(struct fpeer *p, size_t i, struct ocf_bytes bytes, size_t cut)
{
  while (p->in[i] != NULL && bytes.n > 0) {
    size_t k = cut > 0 ? OCF_MIN(cut, bytes.n) : bytes.n;
    if (ocf_bitswap_rx(f.bs, f.now_ns, p->in[i], ocf_bytes(bytes.p, k)) != 0)
      p->in[i] = NULL;
    bytes = ocf_bytes(bytes.p + k, bytes.n - k);
  }
}

static struct ocf_bytes fuzz_cid(struct ocf_ops *o)
{
  static const uint8_t identity[] = { 1, 0x55, 0, 1, 'x' };
  uint8_t k = ocf_ops_u8(o);
  const struct block *b = &f.blocks[k % BLOCKS];
  if (k >= 250)
    return ocf_bytes(identity, sizeof(identity));
  return k >= 220 ? ocf_bytes(b->cid + 2, CID_N - 2) : ocf_bytes(b->cid, CID_N);
}

static void put_item(struct ocf_ops *o, struct ocf_pb_writer *list, struct ocf_pb_writer *rest)
{
  uint8_t k = ocf_ops_u8(o);
  struct ocf_bytes cid = fuzz_cid(o);
  struct ocf_cid c;
  const struct block *b = &f.blocks[k % BLOCKS];
  switch (k / 64) {
  case 0:
  case 1: {
    struct ocf_bitswap_entry e = { cid, k, k % 8 == 7, k & 1, k & 2 };
    ocf_bitswap_put_entry(list, &e);
    break;
  }
  case 2:
    OCF_ASSERT(ocf_cid_cast(ocf_bytes(b->cid, CID_N), &c) == 0);
    ocf_bitswap_put_block(rest, &c, ocf_bytes(b->data, b->n), cid.n == 5);
    break;
  default: ocf_bitswap_put_presence(rest, cid, k & 1); break;
  }
}

static void send_message(struct ocf_ops *o, struct fpeer *p, size_t i)
{
  static uint8_t list[8192], rest[65536], msg[80000];
  struct ocf_pb_writer l = ocf_pb_write_array(list, sizeof(list));
  struct ocf_pb_writer r = ocf_pb_write_array(rest, sizeof(rest));
  struct ocf_pb_writer w = ocf_pb_write_array(msg, sizeof(msg));
  uint8_t k = ocf_ops_u8(o);
  for (unsigned n = k % 16; n > 0 && ocf_ops_more(o); n--)
    put_item(o, &l, &r);
  size_t len = 0, n_rest = 0;
  if (ocf_pb_end(&l, &len) != 0 || ocf_pb_end(&r, &n_rest) != 0)
    return;
  bool full = k >= 240;
  struct ocf_pb_writer c = ocf_pb_count();
  ocf_bitswap_put_wantlist(&c, ocf_bytes(list, len), full);
  ocf_pb_put_uvarint(&w, c.n + n_rest);
  ocf_bitswap_put_wantlist(&w, ocf_bytes(list, len), full);
  ocf_pb_put_raw(&w, ocf_bytes(rest, n_rest));
  OCF_ASSERT(ocf_pb_end(&w, &len) == 0);
  rx(p, i, ocf_bytes(msg, len), k & 16 ? 1 + k % 7 : 0);
}

static void peer_down(struct fpeer *p, bool streams_first)
{
  for (size_t i = 0; streams_first && i < INS; i++) {
    if (p->in[i] != NULL)
      ocf_bitswap_in_end(f.bs, f.now_ns, p->in[i]);
    p->in[i] = NULL;
  }
  ocf_bitswap_peer_down(f.bs, f.now_ns, &p->id);
  p->up = p->open = p->opening = p->writable = false;
}

static void stream_op(struct ocf_ops *o, struct fpeer *p)
{
  uint8_t k = ocf_ops_u8(o);
  size_t i = k % INS;
  if (p->in[i] == NULL) {
    int err = ocf_bitswap_in_open(f.bs, f.now_ns, &p->id, k / 64, &p->in[i], &p->in[i]);
    OCF_ASSERT(err == 0 || err == OCF_ENOMEM || (err == OCF_ESTATE && !p->up));
    return;
  }
  if (k < 200) {
    send_message(o, p, i);
  } else if (k < 230) {
    size_t n = OCF_MIN(o->n, (size_t)k % 32);
    rx(p, i, ocf_bytes(o->p, n), 0);
    *o = (struct ocf_ops){ o->p + n, o->n - n };
  } else {
    ocf_bitswap_in_end(f.bs, f.now_ns, p->in[i]);
    p->in[i] = NULL;
  }
}

static void open_op(struct ocf_ops *o, struct fpeer *p)
{
  uint8_t k = ocf_ops_u8(o);
  static const int errs[] = { OCF_EUNSUPP, OCF_ETIME, OCF_ERESET };
  if (p->opening) {
    int err = k < 192 ? 0 : errs[k % 3];
    bool wanted = ocf_bitswap_opened(f.bs, f.now_ns, &p->id, err, k % OCF_BITSWAP_N_PROTOCOLS, p);
    OCF_ASSERT(wanted == (err == 0));
    p->opening = false;
    p->open = wanted;
  } else if (p->open && k < 32) {
    p->open = p->writable = false;
    ocf_bitswap_out_gone(f.bs, f.now_ns, &p->id);
  } else {
    write_some(p, k < 128 ? SIZE_MAX : k);
  }
}

static void want_op(struct ocf_ops *o)
{
  uint8_t k = ocf_ops_u8(o), h = ocf_ops_u8(o);
  struct block *b = &f.blocks[k % BLOCKS];
  struct ocf_bytes cid = ocf_bytes(b->cid, CID_N);
  if (k >= 224) {
    OCF_ASSERT(ocf_bitswap_cancel(f.bs, f.now_ns, cid) == b->wanted);
    b->wanted = false;
    return;
  }
  struct ocf_peerid hints[2] = { f.peers[h % PEERS].id, f.peers[h / 16 % PEERS].id };
  int err = ocf_bitswap_want(f.bs, f.now_ns, cid, hints, h % 3, b);
  OCF_ASSERT(b->wanted ? err == OCF_EEXIST : err != OCF_EEXIST);
  OCF_ASSERT(err == 0 || err == OCF_EEXIST || err == OCF_ENOMEM || err == OCF_ELIMIT);
  b->wanted |= err == 0;
}

static void store_op(struct ocf_ops *o)
{
  uint8_t k = ocf_ops_u8(o);
  struct block *b = &f.blocks[k % BLOCKS];
  b->stored = k < 200;
  if (b->stored)
    ocf_bitswap_stored(f.bs, f.now_ns, ocf_bytes(b->cid, CID_N));
}

static void time_op(struct ocf_ops *o)
{
  uint8_t k = ocf_ops_u8(o);
  uint64_t at = ocf_bitswap_deadline(f.bs);
  if (k < 128 && at != OCF_TIME_NEVER)
    f.now_ns = OCF_MAX(f.now_ns, at);
  else
    f.now_ns += (uint64_t)1 << (k % 36);
  ocf_bitswap_tick(f.bs, f.now_ns);
}

static void peer_op(struct ocf_ops *o, struct fpeer *p)
{
  uint8_t k = ocf_ops_u8(o);
  if (k < 220) {
    int err = ocf_bitswap_peer_up(f.bs, f.now_ns, &p->id);
    OCF_ASSERT(err == 0 || (!p->up && (err == OCF_ENOMEM || err == OCF_ELIMIT)));
    p->up |= err == 0;
  } else {
    peer_down(p, k & 1);
  }
}

static void check_bounds(const struct ocf_bitswap_config *c)
{
  struct ocf_bitswap_stats s;
  size_t n_wanted = 0, n_up = 0;
  ocf_bitswap_stats(f.bs, &s);
  for (size_t i = 0; i < BLOCKS; i++)
    n_wanted += f.blocks[i].wanted;
  for (size_t i = 0; i < PEERS; i++)
    n_up += f.peers[i].up;
  OCF_ASSERT(s.wants == n_wanted && s.wants <= c->wants_max);
  OCF_ASSERT(s.peers == n_up && s.asks <= c->asks_max && s.ledger <= c->ledger_max);
  OCF_ASSERT(s.ledger <= s.peers * c->wants_per_peer_max);
  OCF_ASSERT(s.rx_bytes <= c->rx_max);
}

static void one_op(struct ocf_ops *o)
{
  uint8_t k = ocf_ops_u8(o);
  struct fpeer *p = &f.peers[(k >> 4) % PEERS];
  switch (k % 16) {
  case 0: peer_op(o, p); break;
  case 1:
  case 2:
  case 3:
  case 4:
  case 5: stream_op(o, p); break;
  case 6:
  case 7:
  case 8: open_op(o, p); break;
  case 9:
  case 10:
  case 11: want_op(o); break;
  case 12: store_op(o); break;
  case 13:
  case 14: time_op(o); break;
  default: pump(); break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_ops o = { d, n };
  struct ocf_bitswap_config c;
  if (!f.made)
    make_blocks();
  for (size_t i = 0; i < BLOCKS; i++)
    f.blocks[i].stored = f.blocks[i].wanted = false;
  ocf_alloc_init(&f.a);
  ocf_rng_seed(&f.rng, ocf_ops_u8(&o));
  f.now_ns = OCF_NS_PER_S;
  ocf_bitswap_config_init(&c);
  c.a = &f.a;
  c.rng = &f.rng;
  c.store.get = get;
  c.peers_max = PEERS - 1;
  c.wants_max = 16;
  c.asks_max = 24;
  c.asks_per_want_max = 5;
  c.asks_per_peer_max = 6;
  c.wants_per_peer_max = 8;
  c.ledger_max = 20;
  c.rx_per_peer_max = 3000;
  c.rx_max = 5000;
  c.events_bytes_max = 4000;
  if (ocf_bitswap_new(&c, f.now_ns, &f.bs) != 0)
    return 0;
  uint8_t fail = ocf_ops_u8(&o);
  f.a.fail_at = fail >= 128 ? f.a.n_calls + 1 + (fail & 127) : 0;
  size_t n_ops = 0;
  while (ocf_ops_more(&o)) {
    one_op(&o);
    check_bounds(&c);
    if (++n_ops % 64 == 0)
      f.a.fail_at = 0;
  }
  pump();
  ocf_bitswap_free(f.bs);
  OCF_ASSERT(f.a.live_bytes == 0 && f.a.live_blocks == 0);
  for (size_t i = 0; i < PEERS; i++)
    f.peers[i] = (struct fpeer){ .id = f.peers[i].id };
  return 0;
}
