/* Goal: what is remembered of a peer's wants at the edges: the ledger when it is full, and peers of
 * older protocols. Method: an instance whose only peers are this file. */
#include "testing/test.h"

#include "p2p/bitswap/bitswap_solo.h"

enum { WANTS = 4 };

static void few_wants(struct ocf_bitswap_config *c)
{
  c->wants_per_peer_max = WANTS;
}

static void name(uint32_t i, uint8_t cid[CID_N])
{
  (void)world_block(i, 10, cid);
}

static void store(struct solo *s, uint32_t i)
{
  uint8_t cid[CID_N];
  world_put(&s->w.nodes[0], world_block(i, 10, cid), cid);
  ocf_bitswap_stored(s->bs, s->w.now_ns, ocf_bytes(cid, CID_N));
  pump(s);
}

/* One over the bound is the case that counts: the new want is taken, and the oldest alone goes. */
static void test_in_a_full_ledger_the_oldest_want_makes_room(void **state)
{
  (void)state;
  struct solo s;
  uint8_t cid[CID_N];
  begin(&s, few_wants);
  for (uint32_t i = 0; i <= WANTS; i++) {
    name(i, cid);
    ask(&s, 0, cid, false, false);
    assert_int_equal(world_stats(&s.w.nodes[0]).ledger, i < WANTS ? i + 1 : WANTS);
  }
  store(&s, 0);
  assert_int_equal(said(&s, 0).n_blocks, 0);
  for (uint32_t i = 1; i <= WANTS; i++) {
    store(&s, i);
    assert_int_equal(said(&s, 0).n_blocks, 1);
  }
  assert_int_equal(world_stats(&s.w.nodes[0]).ledger, 0);
  assert_int_equal(s.offences[OCF_BITSWAP_WANT_FLOOD], 0);
  end(&s);
}

static void test_presences_are_for_those_who_know_of_them(void **state)
{
  (void)state;
  for (unsigned proto = 0; proto < OCF_BITSWAP_N_PROTOCOLS; proto++) {
    struct solo s;
    uint8_t cid[CID_N];
    struct said d;
    begin(&s, NULL);
    s.proto = proto;
    name(1, cid);
    ask(&s, 0, cid, false, true); /* not there */
    d = said(&s, 0);
    assert_int_equal(d.n_dont_haves, proto == 0);
    assert_int_equal(d.n_haves + d.n_blocks, 0);
    world_put(&s.w.nodes[0], world_block(2, 100000, cid), cid);
    ask(&s, 0, cid, true, true); /* there, and large */
    d = said(&s, 0);
    assert_int_equal(d.n_haves, proto == 0);
    assert_int_equal(d.n_dont_haves + d.n_blocks, 0);
    store(&s, 1);
    assert_int_equal(said(&s, 0).n_blocks, 1);
    end(&s);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_in_a_full_ledger_the_oldest_want_makes_room),
  cmocka_unit_test(test_presences_are_for_those_who_know_of_them),
};
OCF_TEST_MAIN(tests)
