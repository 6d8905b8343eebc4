/* Goal: what one instance answers to what a peer wants, byte by byte where there are recorded
 * answers, else item by item. Method: an instance whose only peers are this file. */
#include "testing/test.h"

#include "p2p/bitswap/bitswap_solo.h"
#include "testing/vectors.h"

struct bitswap_rec {
  const char *name, *from, *hex, *items;
};
#include "tests/vectors/gen/bitswap_vectors.inc"

/* ---- serving ---- */

/* Every recorded answer of a Go node that holds one block comes out of us byte for byte. */
static void test_recorded_answers_are_given_alike(void **state)
{
  (void)state;
  size_t n = 0;
  for (size_t k = 0; k < OCF_ARRAY_LEN(bitswap_recs); k++) {
    static uint8_t b[8192], data[8192];
    struct solo s;
    uint8_t cid[CID_N];
    const char *items = bitswap_recs[k].items;
    if (strncmp(items, "block 01701220 ", 15) != 0 || strchr(items, '\n')[1] != '\0')
      continue;
    size_t len = ocf_test_hex(bitswap_recs[k].hex, b, sizeof(b));
    size_t size = ocf_test_hex(items + 15, data, sizeof(data));
    for (int have = 0; have < 2; have++) {
      begin(&s, NULL);
      world_put(&s.w.nodes[0], ocf_bytes(data, size), cid);
      ask(&s, 0, cid, have == 1, true);
      assert_int_equal(s.out[0].n, len);
      assert_memory_equal(s.out[0].p, b, len);
      end(&s);
    }
    n++;
  }
  assert_true(n >= 5);
}

static void test_small_blocks_answer_a_want_have_and_large_ones_do_not(void **state)
{
  (void)state;
  static const size_t sizes[] = { 4, 1023, 1024, 1025, 100000 };
  for (size_t k = 0; k < OCF_ARRAY_LEN(sizes); k++) {
    struct solo s;
    uint8_t cid[CID_N];
    begin(&s, NULL);
    world_put(&s.w.nodes[0], world_block(1, sizes[k], cid), cid);
    ask(&s, 0, cid, true, true);
    struct said d = said(&s, 0);
    assert_int_equal(d.n_blocks, sizes[k] <= 1024);
    assert_int_equal(d.n_haves, sizes[k] > 1024);
    ask(&s, 0, cid, false, true);
    assert_int_equal(said(&s, 0).n_blocks, 1);
    assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 0);
    end(&s);
  }
}

static void test_a_missing_block_is_denied_if_asked_to_and_remembered_anyway(void **state)
{
  (void)state;
  for (int bits = 0; bits < 4; bits++) {
    struct solo s;
    uint8_t cid[CID_N];
    begin(&s, NULL);
    struct ocf_bytes data = world_block(1, 3000, cid);
    bool have = bits & 1, send_dont = bits & 2;
    ask(&s, 0, cid, have, send_dont);
    struct said d = said(&s, 0);
    assert_int_equal(d.n_dont_haves, send_dont);
    assert_int_equal(d.n_msgs, send_dont);
    assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 1);
    world_put(&s.w.nodes[0], data, cid);
    ocf_bitswap_stored(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N));
    pump(&s);
    d = said(&s, 0);
    assert_int_equal(d.n_blocks, !have);
    assert_int_equal(d.n_haves, have);
    assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 0);
    end(&s);
  }
}

/* A version 0 name of the same block: another want, answered under its own name. */
static void test_both_names_of_a_block_are_served(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  world_put(&s.w.nodes[0], world_block(1, 10, cid), cid);
  put_want(&s, ocf_bytes(cid + 2, CID_N - 2), false, true);
  put_want(&s, ocf_bytes(cid, CID_N), false, true);
  send_list(&s, 0, false);
  static const uint8_t v0[] = { 0x0a, 4, 0, 0x70, 0x12, 0x20 }, v1[] = { 0x0a, 4, 1, 0x70, 0x12 };
  bool has_v0 = false, has_v1 = false;
  for (size_t i = 0; i + sizeof(v0) <= s.out[0].n; i++) {
    has_v0 |= memcmp(s.out[0].p + i, v0, sizeof(v0)) == 0;
    has_v1 |= memcmp(s.out[0].p + i, v1, sizeof(v1)) == 0;
  }
  assert_true(has_v0 && has_v1);
  assert_int_equal(said(&s, 0).n_blocks, 2);
  end(&s);
}

static void test_cancels_and_full_lists_take_wants_back(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[3][CID_N];
  begin(&s, NULL);
  for (uint32_t i = 0; i < 3; i++) {
    (void)world_block(i, 10, cid[i]);
    put_want(&s, ocf_bytes(cid[i], CID_N), false, false);
  }
  send_list(&s, 0, false);
  put_cancel(&s, ocf_bytes(cid[1], CID_N));
  send_list(&s, 0, false);
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 2);
  put_want(&s, ocf_bytes(cid[2], CID_N), false, false);
  send_list(&s, 0, true);
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 1);
  for (uint32_t i = 0; i < 3; i++) {
    world_put(&s.w.nodes[0], world_block(i, 10, cid[i]), cid[i]);
    ocf_bitswap_stored(s.bs, s.w.now_ns, ocf_bytes(cid[i], CID_N));
  }
  pump(&s);
  assert_int_equal(said(&s, 0).n_blocks, 1);
  end(&s);
}

/* HAVE is written but not sent when the peer asks for the block itself. */
static void test_a_want_may_be_raised_while_its_answer_is_on_its_way(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  world_put(&s.w.nodes[0], world_block(1, 3000, cid), cid);
  ask(&s, 1, cid, true, true); /* opens nothing yet to peer 0 */
  (void)said(&s, 1);
  s.stuck = true;
  ask(&s, 0, cid, true, true);
  struct ocf_bytes iov[1];
  assert_int_equal(ocf_bitswap_tx(s.bs, s.w.now_ns, peer(&s, 0), iov, 1), 1);
  ask(&s, 0, cid, false, true);
  s.stuck = false;
  write_to(&s, 0);
  struct said d = said(&s, 0);
  assert_int_equal(d.n_haves, 1);
  assert_int_equal(d.n_blocks, 1);
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 0);
  end(&s);
}

static void test_answers_are_packed_to_the_target_size(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  for (uint32_t i = 0; i < 200; i++) {
    world_put(&s.w.nodes[0], world_block(i, 1000, cid), cid);
    put_want(&s, ocf_bytes(cid, CID_N), false, true);
  }
  world_put(&s.w.nodes[0], world_block(999, 100000, cid), cid);
  put_want(&s, ocf_bytes(cid, CID_N), false, true);
  send_list(&s, 0, false);
  struct said d = said(&s, 0);
  assert_int_equal(d.n_blocks, 201);
  assert_int_equal(d.largest, 100000); /* alone */
  assert_int_equal(d.n_msgs, 200 / 16 + 1 + 1);
  end(&s);
}

static void test_an_answer_that_was_lost_is_given_again(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, NULL);
  world_put(&s.w.nodes[0], world_block(1, 3000, cid), cid);
  s.stuck = true;
  ask(&s, 0, cid, false, true);
  struct ocf_bytes iov[1];
  assert_int_equal(ocf_bitswap_tx(s.bs, s.w.now_ns, peer(&s, 0), iov, 1), 1);
  ocf_bitswap_tx_done(s.bs, s.w.now_ns, peer(&s, 0), 100);
  ocf_bitswap_out_gone(s.bs, s.w.now_ns, peer(&s, 0));
  s.open[0] = s.stuck = false;
  sleep_ns(&s, 5 * S);
  assert_int_equal(said(&s, 0).n_blocks, 1);
  end(&s);
}

static int failing_get(void *ctx, struct ocf_bytes hash, struct ocf_bytes *block)
{
  (void)ctx, (void)hash, (void)block;
  return OCF_EIO;
}

static void use_failing_store(struct ocf_bitswap_config *c)
{
  c->store.get = failing_get;
}

static void test_a_failing_store_denies_nothing(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, use_failing_store);
  (void)world_block(1, 10, cid);
  ask(&s, 0, cid, false, true);
  assert_int_equal(said(&s, 0).n_msgs, 0);
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 1);
  ocf_bitswap_stored(s.bs, s.w.now_ns, ocf_bytes(cid, CID_N)); /* it was told so, and fails again */
  pump(&s);
  assert_int_equal(said(&s, 0).n_msgs, 0);
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 1);
  end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_recorded_answers_are_given_alike),
  cmocka_unit_test(test_small_blocks_answer_a_want_have_and_large_ones_do_not),
  cmocka_unit_test(test_a_missing_block_is_denied_if_asked_to_and_remembered_anyway),
  cmocka_unit_test(test_both_names_of_a_block_are_served),
  cmocka_unit_test(test_cancels_and_full_lists_take_wants_back),
  cmocka_unit_test(test_a_want_may_be_raised_while_its_answer_is_on_its_way),
  cmocka_unit_test(test_answers_are_packed_to_the_target_size),
  cmocka_unit_test(test_an_answer_that_was_lost_is_given_again),
  cmocka_unit_test(test_a_failing_store_denies_nothing),
};

OCF_TEST_MAIN(tests)
