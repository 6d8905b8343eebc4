/* A single instance for tests, whose only peers are the test: it feeds messages and reads what the
 * instance writes to each. Include after testing/test.h. */
#ifndef OCF_P2P_BITSWAP_BITSWAP_SOLO_H
#define OCF_P2P_BITSWAP_BITSWAP_SOLO_H

#include "base/buf/buf.h"
#include "fmt/varint/varint.h"
#include "p2p/bitswap/bitswap_world.h"
#include "p2p/bitswap/msg.h"

#define MS OCF_NS_PER_MS
#define S OCF_NS_PER_S
enum { CID_N = OCF_CID_BLOCK_SIZE, N_PEERS = 4 };

/* The instance is w.nodes[0]; the others are names only. */
struct solo {
  struct world w;
  struct ocf_bitswap *bs;
  struct ocf_bitswap_in *in[N_PEERS];
  bool open[N_PEERS];          /* its outgoing stream to the peer */
  struct ocf_buf msg, tmp;     /* a message under construction */
  struct ocf_buf out[N_PEERS]; /* what it wrote */
  bool stuck;
  unsigned proto;
  size_t n_resets_in, n_closes;
  uint64_t n_blocks, offences[OCF_BITSWAP_N_OFFENCES];
};

static inline const struct ocf_peerid *peer(const struct solo *s, size_t i)
{
  return &s->w.nodes[i + 1].id;
}

static inline void begin(struct solo *s, void (*change)(struct ocf_bitswap_config *c))
{
  memset(s, 0, sizeof(*s));
  world_init(&s->w, 1 + N_PEERS, 1 * MS);
  assert_int_equal(world_start(&s->w, change), 0);
  s->bs = s->w.nodes[0].bs;
  ocf_buf_init(&s->msg, &s->w.test_a, 8 << 20);
  ocf_buf_init(&s->tmp, &s->w.test_a, 8 << 20);
  for (size_t i = 0; i < N_PEERS; i++) {
    ocf_buf_init(&s->out[i], &s->w.test_a, 16 << 20);
    assert_int_equal(ocf_bitswap_peer_up(s->bs, s->w.now_ns, peer(s, i)), 0);
    assert_int_equal(ocf_bitswap_in_open(s->bs, s->w.now_ns, peer(s, i), 0, &s->in[i], &s->in[i]),
                     0);
  }
}

static inline void end(struct solo *s)
{
  ocf_buf_fini(&s->msg);
  ocf_buf_fini(&s->tmp);
  for (size_t i = 0; i < N_PEERS; i++)
    ocf_buf_fini(&s->out[i]);
  world_fini(&s->w);
}

static inline size_t index_of(const struct solo *s, const struct ocf_peerid *id)
{
  for (size_t i = 0; i < N_PEERS; i++) {
    if (ocf_peerid_eq(peer(s, i), id))
      return i;
  }
  fail_msg("an effect for a stranger");
  return 0;
}

static inline void write_to(struct solo *s, size_t i)
{
  struct ocf_bytes iov[1];
  while (!s->stuck && ocf_bitswap_tx(s->bs, s->w.now_ns, peer(s, i), iov, 1) > 0) {
    assert_int_equal(ocf_buf_add(&s->out[i], iov[0].p, iov[0].n), 0);
    ocf_bitswap_tx_done(s->bs, s->w.now_ns, peer(s, i), iov[0].n);
  }
}

static inline void pump(struct solo *s)
{
  struct ocf_bitswap_event ev;
  struct ocf_bitswap_effect fx;
  while (ocf_bitswap_event(s->bs, s->w.now_ns, &ev)) {
    s->n_blocks += ev.type == OCF_BITSWAP_BLOCK;
    if (ev.type == OCF_BITSWAP_OFFENCE)
      s->offences[ev.what] += ev.count;
  }
  while (ocf_bitswap_effect(s->bs, s->w.now_ns, &fx)) {
    size_t i = index_of(s, &fx.peer);
    if (fx.type == OCF_BITSWAP_OPEN) {
      assert_false(s->open[i]);
      s->open[i] = ocf_bitswap_opened(s->bs, s->w.now_ns, &fx.peer, 0, s->proto, &s->out[i]);
      assert_true(s->open[i]);
    } else if (fx.type == OCF_BITSWAP_WRITE) {
      assert_ptr_equal(fx.stream, &s->out[i]);
      write_to(s, i);
    } else if (fx.type == OCF_BITSWAP_RESET_IN) {
      assert_ptr_equal(fx.stream, &s->in[i]);
      s->in[i] = NULL;
      s->n_resets_in++;
    } else {
      assert_true(s->open[i]);
      s->open[i] = false;
      s->n_closes++;
    }
  }
}

static inline void sleep_ns(struct solo *s, uint64_t d)
{
  for (uint64_t until = s->w.now_ns + d; s->w.now_ns < until;) {
    uint64_t at = ocf_bitswap_deadline(s->bs);
    s->w.now_ns = OCF_MIN(OCF_MAX(at, s->w.now_ns), until);
    ocf_bitswap_tick(s->bs, s->w.now_ns);
    pump(s);
  }
}

/* ---- saying something to it ---- */

static inline int feed(struct solo *s, size_t i, struct ocf_bytes bytes)
{
  int err = ocf_bitswap_rx(s->bs, s->w.now_ns, s->in[i], bytes);
  if (err != 0)
    s->in[i] = NULL;
  pump(s);
  return err;
}

static inline int feed_body(struct solo *s, size_t i, struct ocf_bytes body)
{
  uint8_t len[OCF_VARINT_MAX];
  struct ocf_pb_writer w = ocf_pb_write_array(len, sizeof(len));
  ocf_pb_put_uvarint(&w, body.n);
  int err = feed(s, i, ocf_bytes(len, w.n));
  return err != 0 ? err : feed(s, i, body);
}

static inline void put_want(struct solo *s, struct ocf_bytes cid, bool have, bool send_dont)
{
  struct ocf_pb_writer w = ocf_pb_write_buf(&s->tmp);
  struct ocf_bitswap_entry e = { .cid = cid, .have = have, .send_dont = send_dont, .priority = 1 };
  ocf_bitswap_put_entry(&w, &e);
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
}

static inline void put_cancel(struct solo *s, struct ocf_bytes cid)
{
  struct ocf_pb_writer w = ocf_pb_write_buf(&s->tmp);
  ocf_bitswap_put_entry(&w, &(struct ocf_bitswap_entry){ .cid = cid, .cancel = true });
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
}

/* Sends the entries put so far. */
static inline void send_list(struct solo *s, size_t i, bool full)
{
  ocf_buf_clear(&s->msg);
  struct ocf_pb_writer w = ocf_pb_write_buf(&s->msg);
  ocf_bitswap_put_wantlist(&w, ocf_buf_view(&s->tmp), full);
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
  ocf_buf_clear(&s->tmp);
  assert_int_equal(feed_body(s, i, ocf_buf_view(&s->msg)), 0);
}

static inline void ask(struct solo *s, size_t i, const uint8_t cid[CID_N], bool have,
                       bool send_dont)
{
  put_want(s, ocf_bytes(cid, CID_N), have, send_dont);
  send_list(s, i, false);
}

static inline void send_block(struct solo *s, size_t i, struct ocf_bytes data)
{
  uint8_t name[CID_N];
  struct ocf_cid cid;
  ocf_cid_of_block(OCF_CID_DAG_PB, data, name);
  assert_int_equal(ocf_cid_cast(ocf_bytes(name, sizeof(name)), &cid), 0);
  ocf_buf_clear(&s->msg);
  struct ocf_pb_writer w = ocf_pb_write_buf(&s->msg);
  ocf_bitswap_put_block(&w, &cid, data, false);
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
  assert_int_equal(feed_body(s, i, ocf_buf_view(&s->msg)), 0);
}

static inline void send_presence(struct solo *s, size_t i, const uint8_t cid[CID_N], bool dont_have)
{
  ocf_buf_clear(&s->msg);
  struct ocf_pb_writer w = ocf_pb_write_buf(&s->msg);
  ocf_bitswap_put_presence(&w, ocf_bytes(cid, CID_N), dont_have);
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
  assert_int_equal(feed_body(s, i, ocf_buf_view(&s->msg)), 0);
}

/* ---- what it said ---- */

struct said {
  size_t n_msgs, n_wants, n_want_blocks, n_cancels, n_blocks, n_haves, n_dont_haves, n_full;
  size_t largest; /* bytes of blocks in one message */
};

static inline void count_message(struct said *d, struct ocf_bytes msg)
{
  struct ocf_bitswap_walk w = ocf_bitswap_walk(msg);
  struct ocf_bitswap_item i;
  bool full = false;
  size_t bytes = 0;
  assert_int_equal(ocf_bitswap_msg_check(msg, &full), 0);
  while (ocf_bitswap_walk_next(&w, &i) > 0) {
    d->n_wants += i.type == OCF_BITSWAP_ITEM_ENTRY && !i.cancel;
    d->n_want_blocks += i.type == OCF_BITSWAP_ITEM_ENTRY && !i.cancel && !i.have;
    d->n_cancels += i.type == OCF_BITSWAP_ITEM_ENTRY && i.cancel;
    d->n_blocks += i.type == OCF_BITSWAP_ITEM_BLOCK;
    d->n_haves += i.type == OCF_BITSWAP_ITEM_PRESENCE && !i.dont_have;
    d->n_dont_haves += i.type == OCF_BITSWAP_ITEM_PRESENCE && i.dont_have;
    bytes += i.data.n;
  }
  d->n_full += full;
  d->n_msgs++;
  d->largest = OCF_MAX(d->largest, bytes);
}

/* Reads and forgets what was written to peer `i`. */
static inline struct said said(struct solo *s, size_t i)
{
  struct said d = { 0 };
  struct ocf_bytes in = ocf_buf_view(&s->out[i]);
  while (in.n > 0) {
    uint64_t len = 0;
    int head = ocf_varint_get(in.p, in.n, &len);
    assert_true(head > 0 && in.n - (size_t)head >= len);
    count_message(&d, ocf_bytes(in.p + head, (size_t)len));
    in = ocf_bytes(in.p + head + len, in.n - (size_t)head - (size_t)len);
  }
  ocf_buf_clear(&s->out[i]);
  return d;
}

#endif
