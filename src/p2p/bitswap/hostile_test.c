/* Goal: a hostile or broken peer gets nowhere: bounds hold, offences are told, fragments do not
 * matter. Method: an instance whose only peers are this file. */
#include "testing/test.h"

#include "p2p/bitswap/bitswap_solo.h"
#include "testing/split.h"
#include "testing/vectors.h"

static void test_an_identity_want_is_an_offence_and_the_others_are_served(void **state)
{
  (void)state;
  static const uint8_t identity[] = { 1, 0x55, 0, 3, 'a', 'b', 'c' };
  struct solo s;
  uint8_t cid[CID_N], b[170] = { 1, 0x55, 0x12, 0xa5, 1 };
  begin(&s, NULL);
  world_put(&s.w.nodes[0], world_block(1, 10, cid), cid);
  put_want(&s, ocf_bytes(identity, sizeof(identity)), false, true);
  put_want(&s, ocf_bytes(b, 170), false, true); /* a CID that is too long */
  put_want(&s, ocf_bytes(cid, CID_N), false, true);
  send_list(&s, 0, false);
  assert_int_equal(s.offences[OCF_BITSWAP_IDENTITY_WANT], 1);
  assert_int_equal(s.offences[OCF_BITSWAP_WANT_FLOOD], 1);
  struct said d = said(&s, 0);
  assert_int_equal(d.n_blocks, 1);
  assert_int_equal(d.n_dont_haves, 0);
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 0);
  end(&s);
}

static void small_ledgers(struct ocf_bitswap_config *c)
{
  c->wants_per_peer_max = 100;
  c->ledger_max = 150;
}

static void flood(struct solo *s, size_t i, uint32_t from, uint32_t n)
{
  for (uint32_t k = 0; k < n; k++) {
    uint8_t cid[CID_N];
    (void)world_block(from + k, 10, cid);
    put_want(s, ocf_bytes(cid, CID_N), true, false);
  }
  send_list(s, i, false);
}

static void test_a_flood_of_wants_is_bounded_and_hurts_the_flooder(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, small_ledgers);
  flood(&s, 1, 1000000, 30);
  flood(&s, 0, 0, 5000);
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 130);
  assert_int_equal(s.offences[OCF_BITSWAP_WANT_FLOOD], 4900);
  flood(&s, 0, 10000, 100); /* newer ones take the place of its own */
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 130);
  flood(&s, 2, 20000, 50); /* when all is full, the longest ledger gives */
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 150);
  for (uint32_t k = 0; k < 30; k++) {
    world_put(&s.w.nodes[0], world_block(1000000 + k, 10, cid), cid);
    ocf_bitswap_stored(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N));
  }
  pump(&s);
  assert_int_equal(said(&s, 1).n_blocks, 30); /* the modest one lost nothing */
  end(&s);
}

static void test_unasked_blocks_are_counted_and_not_believed(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  (void)world_block(1, 10, cid);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N), NULL, 0, NULL), 0);
  pump(&s);
  for (uint32_t i = 100; i < 110; i++)
    send_block(&s, 0, world_block(i, 10, cid));
  assert_int_equal(s.n_blocks, 0);
  assert_int_equal(s.offences[OCF_BITSWAP_UNREQUESTED], 10);
  /* A late copy of what it was asked for is none. */
  send_block(&s, 0, world_block(1, 10, cid));
  send_block(&s, 1, world_block(1, 10, cid));
  assert_int_equal(s.n_blocks, 1);
  assert_int_equal(s.offences[OCF_BITSWAP_UNREQUESTED], 10);
  send_block(&s, 1, world_block(1, 10, cid)); /* but a second one is */
  assert_int_equal(s.offences[OCF_BITSWAP_UNREQUESTED], 11);
  assert_int_equal(world_stats(&s.w.nodes[0]).blocks_dup, 12);
  end(&s);
}

static void test_a_message_full_of_junk_costs_few_hashes(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  static const uint8_t junk[] = { 0x1a, 8, 0x0a, 4, 1, 0x55, 0x12, 0x20, 0x12, 0 };
  begin(&s, NULL);
  (void)world_block(1, 10, cid);
  assert_int_equal(ocf_bitswap_want(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N), NULL, 0, NULL), 0);
  ocf_buf_clear(&s.msg);
  for (int i = 0; i < 100000; i++)
    assert_int_equal(ocf_buf_add(&s.msg, junk, sizeof(junk)), 0);
  assert_int_equal(feed_body(&s, 0, ocf_buf_view(&s.msg)), 0);
  assert_int_equal(s.offences[OCF_BITSWAP_UNREQUESTED], 64);
  end(&s);
}

static void test_bad_bytes_end_the_stream(void **state)
{
  (void)state;
  static const struct {
    const char *hex;
    int err;
  } bad[] = {
    { "8000", OCF_EPROTO },                 /* a length that is not minimal */
    { "ffffffffffffffffffff", OCF_EPROTO }, /* no number */
    { "81808002", OCF_ELIMIT },             /* 4 MiB and a byte */
    { "ffffffffffffffff7f", OCF_ELIMIT },   /* 63 bits */
    { "0201ff", OCF_EPROTO },               /* not a message */
    { "000201ff", OCF_EPROTO },             /* an empty one, then not one */
    { "060a040a020a00", OCF_EPROTO },       /* an entry without a CID */
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    for (int step = 0; step < 2; step++) {
      struct solo s;
      uint8_t b[64];
      begin(&s, NULL);
      size_t n = ocf_test_hex(bad[i].hex, b, sizeof(b));
      int err = step == 0 ? feed(&s, 0, ocf_bytes(b, n)) : 0;
      for (size_t k = 0; step == 1 && err == 0 && k < n; k++)
        err = feed(&s, 0, ocf_bytes(b + k, 1));
      assert_int_equal(err, bad[i].err);
      assert_int_equal(s.offences[OCF_BITSWAP_MALFORMED], 1);
      assert_int_equal(world_stats(&s.w.nodes[0]).ins, N_PEERS - 1);
      end(&s);
    }
  }
}

static void test_an_unfinished_message_is_given_up(void **state)
{
  (void)state;
  struct solo s;
  static const uint8_t start[] = { 0x80, 0x80, 0x40, 0x12 };
  begin(&s, NULL);
  assert_int_equal(feed(&s, 0, ocf_bytes(start, sizeof(start))), 0);
  sleep_ns(&s, 40 * S);
  assert_int_equal(feed(&s, 0, ocf_bytes(start, sizeof(start))), 0); /* no new time for a byte */
  sleep_ns(&s, 21 * S);
  assert_int_equal(s.n_resets_in, 1);
  assert_int_equal(s.offences[OCF_BITSWAP_SLOW_MESSAGE], 1);
  assert_int_equal(world_stats(&s.w.nodes[0]).rx_bytes, 0);
  sleep_ns(&s, 300 * S);
  assert_int_equal(s.n_resets_in, 1); /* those between messages may be silent */
  end(&s);
}

static void small_rx(struct ocf_bitswap_config *c)
{
  c->rx_per_peer_max = 3 << 20;
  c->rx_max = 5 << 20;
  c->ins_per_peer_max = 3;
}

static void test_unfinished_messages_are_bounded(void **state)
{
  (void)state;
  struct solo s;
  struct ocf_bitswap_in *in[3] = { NULL };
  uint8_t *b = calloc(1, 1 << 20);
  assert_non_null(b);
  begin(&s, small_rx);
  memcpy(b, (uint8_t[]){ 0x80, 0x80, 0x80, 0x02 }, 4); /* the beginning of 4 MiB */
  for (size_t i = 0; i < 3; i++) {
    int err = ocf_bitswap_in_open(s.bs, s.w.now_ns, peer(&s, 0), 0, NULL, &in[i]);
    assert_int_equal(err, i < 2 ? 0 : OCF_ELIMIT);
  }
  assert_int_equal(ocf_bitswap_rx(s.bs, s.w.now_ns, in[0], ocf_bytes(b, 1 << 20)), 0);
  assert_int_equal(ocf_bitswap_rx(s.bs, s.w.now_ns, in[1], ocf_bytes(b, 1 << 20)), 0);
  assert_int_equal(ocf_bitswap_rx(s.bs, s.w.now_ns, in[0], ocf_bytes(b, 1 << 20)), 0);
  assert_int_equal(ocf_bitswap_rx(s.bs, s.w.now_ns, in[1], ocf_bytes(b, 1 << 20)), OCF_ELIMIT);
  assert_int_equal(feed(&s, 1, ocf_bytes(b, 1 << 20)), 0);
  assert_int_equal(feed(&s, 2, ocf_bytes(b, 1 << 20)), 0);
  assert_int_equal(feed(&s, 2, ocf_bytes(b, 1 << 20)), 0);
  assert_int_equal(feed(&s, 3, ocf_bytes(b, 1 << 20)), OCF_ELIMIT);
  assert_true(world_stats(&s.w.nodes[0]).rx_bytes <= 5 << 20);
  assert_int_equal(s.offences[OCF_BITSWAP_MALFORMED], 0);
  ocf_bitswap_in_end(s.bs, s.w.now_ns, in[0]);
  free(b);
  end(&s);
}

static void test_streams_end_in_any_order_with_their_peer(void **state)
{
  (void)state;
  struct solo s;
  static const uint8_t start[] = { 0x80, 0x80, 0x40, 0x12 };
  struct ocf_bitswap_in *in = NULL;
  begin(&s, NULL);
  struct ocf_peerid none = *peer(&s, 0);
  none.b[5] = 'z';
  assert_int_equal(ocf_bitswap_in_open(s.bs, s.w.now_ns, &none, 0, NULL, &in), OCF_ESTATE);
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(feed(&s, i, ocf_bytes(start, sizeof(start))), 0);
  ocf_bitswap_in_end(s.bs, s.w.now_ns, s.in[0]);
  for (size_t i = 0; i < N_PEERS; i++)
    ocf_bitswap_peer_down(s.bs, s.w.now_ns, peer(&s, i));
  assert_int_equal(world_stats(&s.w.nodes[0]).rx_bytes, 0);
  ocf_bitswap_in_end(s.bs, s.w.now_ns, s.in[1]);
  assert_int_equal(feed(&s, 2, ocf_bytes(start, 1)), OCF_ESTATE);
  assert_int_equal(world_stats(&s.w.nodes[0]).ins, 1); /* freed with the rest */
  struct ocf_bytes iov[1];
  assert_int_equal(ocf_bitswap_tx(s.bs, s.w.now_ns, peer(&s, 0), iov, 1), 0);
  ocf_bitswap_tx_done(s.bs, s.w.now_ns, peer(&s, 0), 0);
  ocf_bitswap_out_gone(s.bs, s.w.now_ns, peer(&s, 0));
  assert_false(ocf_bitswap_opened(s.bs, s.w.now_ns, peer(&s, 0), 0, 0, &s));
  end(&s);
}

/* ---- fragmentation ---- */

struct split_ctx {
  struct solo s;
  struct ocf_buf wire;
};

static void split_begin(void *ctx)
{
  struct split_ctx *c = ctx;
  uint8_t cid[CID_N];
  begin(&c->s, NULL);
  world_put(&c->s.w.nodes[0], world_block(1, 200, cid), cid);
  world_put(&c->s.w.nodes[0], world_block(2, 2000, cid), cid);
}

static int split_feed(void *ctx, const uint8_t *p, size_t n)
{
  struct split_ctx *c = ctx;
  return feed(&c->s, 0, ocf_bytes(p, n));
}

static void split_end(void *ctx, int err)
{
  struct split_ctx *c = ctx;
  assert_int_equal(err, 0);
  struct said d = said(&c->s, 0);
  assert_int_equal(d.n_blocks, 1);
  assert_int_equal(d.n_haves, 1);
  assert_int_equal(d.n_dont_haves, 1);
  assert_int_equal(world_stats(&c->s.w.nodes[0]).ledger, 1);
  assert_int_equal(world_stats(&c->s.w.nodes[0]).msgs_in, 4);
  assert_int_equal(world_stats(&c->s.w.nodes[0]).rx_bytes, 0);
  end(&c->s);
}

static void put_message(struct split_ctx *c, const uint8_t *cid, bool have)
{
  struct ocf_pb_writer w = ocf_pb_write_buf(&c->wire);
  struct ocf_bitswap_entry e = { .cid = ocf_bytes(cid, CID_N), .have = have, .send_dont = true };
  struct ocf_pb_writer len = ocf_pb_count(), list = ocf_pb_count();
  uint8_t b[128];
  if (cid == NULL) {
    ocf_pb_put_uvarint(&w, 0); /* an empty message */
  } else {
    struct ocf_pb_writer entry = ocf_pb_write_array(b, sizeof(b));
    ocf_bitswap_put_entry(&entry, &e);
    ocf_bitswap_put_entry(&list, &e);
    ocf_bitswap_put_wantlist(&len, ocf_bytes(b, list.n), false);
    ocf_pb_put_uvarint(&w, len.n);
    ocf_bitswap_put_wantlist(&w, ocf_bytes(b, list.n), false);
  }
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
}

static void test_any_split_gives_the_same_answers(void **state)
{
  (void)state;
  static struct split_ctx c;
  struct ocf_alloc a;
  uint8_t cid[CID_N];
  ocf_alloc_init(&a);
  ocf_buf_init(&c.wire, &a, 4096);
  for (uint32_t i = 1; i <= 3; i++) {
    (void)world_block(i, i == 1 ? 200 : 2000, cid);
    put_message(&c, cid, true);
    if (i == 1)
      put_message(&c, NULL, false);
  }
  struct ocf_split split = { &c, split_begin, split_feed, split_end };
  ocf_split_sweep(&split, c.wire.p, c.wire.n);
  ocf_buf_fini(&c.wire);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_an_identity_want_is_an_offence_and_the_others_are_served),
  cmocka_unit_test(test_a_flood_of_wants_is_bounded_and_hurts_the_flooder),
  cmocka_unit_test(test_unasked_blocks_are_counted_and_not_believed),
  cmocka_unit_test(test_a_message_full_of_junk_costs_few_hashes),
  cmocka_unit_test(test_bad_bytes_end_the_stream),
  cmocka_unit_test(test_an_unfinished_message_is_given_up),
  cmocka_unit_test(test_unfinished_messages_are_bounded),
  cmocka_unit_test(test_streams_end_in_any_order_with_their_peer),
  cmocka_unit_test(test_any_split_gives_the_same_answers),
};

OCF_TEST_MAIN(tests)
