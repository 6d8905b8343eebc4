/* Goal: blocks are fetched over a network, fast when peers are well and in bounded time when they
 * are not. Method: instances joined in virtual time (bitswap_world.h); the clock and the counters
 * of the instances are the measure. */
#include "testing/test.h"

#include "p2p/bitswap/bitswap_world.h"

#define MS OCF_NS_PER_MS
#define S OCF_NS_PER_S

enum { SIZE = 400 };

/* A chain of blocks: whoever gets number i stores it, and wants i + 1 of the peer that sent it. */
struct chain {
  uint32_t n;
  size_t size;
};

static void chain_event(struct wnode *n, const struct ocf_bitswap_event *ev)
{
  const struct chain *c = n->user;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  uint32_t i = 0;
  if (ev->type != OCF_BITSWAP_BLOCK)
    return;
  assert_true(ev->data.n >= 4);
  memcpy(&i, ev->data.p, 4);
  world_put(n, ev->data, cid);
  assert_memory_equal(cid, ev->cid.p, sizeof(cid));
  ocf_bitswap_stored(n->bs, n->w->now_ns, ev->cid);
  if (c == NULL || i + 1 >= c->n)
    return;
  (void)world_block(i + 1, c->size, cid);
  assert_int_equal(
      ocf_bitswap_want(n->bs, n->w->now_ns, ocf_bytes(cid, sizeof(cid)), &ev->peer, 1, NULL), 0);
}

static void store_chain(struct wnode *n, const struct chain *c)
{
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  for (uint32_t i = 0; i < c->n; i++)
    world_put(n, world_block(i, c->size, cid), cid);
}

static void join_all(struct world *w)
{
  for (size_t i = 0; i < w->n; i++) {
    for (size_t j = i + 1; j < w->n; j++)
      assert_int_equal(world_join(&w->nodes[i], &w->nodes[j]), 0);
  }
}

static void begin(struct world *w, size_t n, uint64_t latency_ns)
{
  world_init(w, n, latency_ns);
  assert_int_equal(world_start(w, NULL), 0);
  for (size_t i = 0; i < n; i++)
    w->nodes[i].on_event = chain_event;
  join_all(w);
}

static bool first_is_idle(struct world *w)
{
  return world_stats(&w->nodes[0]).wants == 0;
}

static void test_a_chain_costs_one_round_trip_per_block(void **state)
{
  (void)state;
  struct world w;
  struct chain c = { .n = 5000, .size = SIZE };
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 5, 1 * MS);
  for (size_t i = 1; i < 5; i++)
    store_chain(&w.nodes[i], &c);
  w.nodes[0].user = &c;
  (void)world_block(0, c.size, cid);
  world_want(&w.nodes[0], cid, &w.nodes[1]);
  uint64_t t0 = w.now_ns;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_int_equal(w.nodes[0].n_blocks, c.n);
  assert_true(w.now_ns - t0 <= (2 * (uint64_t)c.n + 10) * MS);
  struct ocf_bitswap_stats st = world_stats(&w.nodes[0]);
  assert_int_equal(st.blocks_dup, 0);
  assert_int_equal(st.want_blocks_out, c.n);
  assert_int_equal(st.want_haves_out, 0);
  assert_int_equal(st.opens, 1);
  world_fini(&w);
}

static void test_a_dark_peer_delays_a_chain_by_little(void **state)
{
  (void)state;
  struct world w;
  struct chain c = { .n = 100, .size = SIZE };
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 5, 1 * MS);
  for (size_t i = 2; i < 5; i++)
    store_chain(&w.nodes[i], &c);
  w.nodes[1].dark = true;
  w.nodes[0].user = &c;
  (void)world_block(0, c.size, cid);
  world_want(&w.nodes[0], cid, &w.nodes[1]); /* said to have it */
  uint64_t t0 = w.now_ns;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_int_equal(w.nodes[0].n_blocks, c.n);
  assert_true(w.now_ns - t0 <= 1 * S + 2 * (uint64_t)c.n * MS);
  world_fini(&w);
}

static void test_a_peer_that_goes_dark_midway_costs_at_most_a_second(void **state)
{
  (void)state;
  struct world w;
  struct chain c = { .n = 200, .size = 3000 }; /* too large to answer a want-have */
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 4, 1 * MS);
  for (size_t i = 1; i < 4; i++)
    store_chain(&w.nodes[i], &c);
  w.nodes[0].user = &c;
  (void)world_block(0, c.size, cid);
  world_want(&w.nodes[0], cid, &w.nodes[1]);
  uint64_t t0 = w.now_ns;
  world_run(&w, t0 + 100 * MS, NULL);
  assert_in_range(w.nodes[0].n_blocks, 40, 60);
  w.nodes[1].dark = true;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_int_equal(w.nodes[0].n_blocks, c.n);
  assert_true(w.now_ns - t0 <= 1 * S + 2 * (uint64_t)c.n * MS);
  world_fini(&w);
}

static void test_without_a_hint_the_block_is_found_anywhere(void **state)
{
  (void)state;
  for (size_t holder = 1; holder < 40; holder += 6) {
    struct world w;
    uint8_t cid[OCF_CID_BLOCK_SIZE];
    begin(&w, 40, 1 * MS);
    world_put(&w.nodes[holder], world_block(7, 3000, cid), cid);
    world_want(&w.nodes[0], cid, NULL);
    uint64_t t0 = w.now_ns;
    world_run(&w, OCF_TIME_NEVER, first_is_idle);
    assert_int_equal(w.nodes[0].n_blocks, 1);
    assert_true(w.now_ns - t0 <= 12 * MS);
    assert_int_equal(w.nodes[0].n_slow, 0);
    world_fini(&w);
  }
}

static void test_dont_have_moves_on_to_the_next_at_once(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 4, 1 * MS);
  world_put(&w.nodes[3], world_block(7, 3000, cid), cid);
  struct ocf_peerid hints[] = { w.nodes[1].id, w.nodes[2].id, w.nodes[3].id };
  assert_int_equal(
      ocf_bitswap_want(w.nodes[0].bs, w.now_ns, ocf_bytes(cid, sizeof(cid)), hints, 3, NULL), 0);
  uint64_t t0 = w.now_ns;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_true(w.now_ns - t0 <= 6 * MS);
  assert_int_equal(world_stats(&w.nodes[0]).want_haves_out, 0);
  world_fini(&w);
}

static void test_a_block_that_nobody_has_is_reported_and_comes_when_somebody_stores_it(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 12, 1 * MS);
  (void)world_block(7, SIZE, cid);
  world_want(&w.nodes[0], cid, NULL);
  world_run(&w, w.now_ns + 100 * MS, NULL);
  assert_int_equal(w.nodes[0].n_slow, 1);
  assert_int_equal(w.nodes[0].n_blocks, 0);
  world_run(&w, w.now_ns + 60 * S, NULL);
  assert_in_range(w.nodes[0].n_slow, 2, 7); /* once per round of 10 to 30 s */
  world_put(&w.nodes[11], world_block(7, SIZE, cid), cid);
  ocf_bitswap_stored(w.nodes[11].bs, w.now_ns, ocf_bytes(cid, sizeof(cid)));
  uint64_t t0 = w.now_ns;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_true(w.now_ns - t0 <= 3 * MS);
  world_fini(&w);
}

static void test_a_new_peer_is_asked_for_what_nobody_had(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  world_init(&w, 4, 1 * MS);
  assert_int_equal(world_start(&w, NULL), 0);
  w.nodes[0].on_event = chain_event;
  world_put(&w.nodes[3], world_block(7, SIZE, cid), cid);
  world_want(&w.nodes[0], cid, NULL);
  world_run(&w, w.now_ns + 10 * MS, NULL);
  assert_int_equal(w.nodes[0].n_slow, 1); /* nobody to ask */
  assert_int_equal(world_join(&w.nodes[0], &w.nodes[1]), 0);
  world_run(&w, w.now_ns + 10 * MS, NULL);
  assert_int_equal(world_join(&w.nodes[0], &w.nodes[3]), 0);
  world_run(&w, w.now_ns + 10 * MS, NULL);
  assert_int_equal(w.nodes[0].n_blocks, 1);
  world_fini(&w);
}

static void test_a_cancel_reaches_all_who_were_asked(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 6, 1 * MS);
  (void)world_block(7, SIZE, cid);
  world_want(&w.nodes[0], cid, NULL);
  world_run(&w, w.now_ns + 100 * MS, NULL);
  for (size_t i = 1; i < 6; i++)
    assert_int_equal(world_stats(&w.nodes[i]).ledger, 1);
  assert_true(ocf_bitswap_cancel(w.nodes[0].bs, w.now_ns, ocf_bytes(cid, sizeof(cid))));
  assert_false(ocf_bitswap_cancel(w.nodes[0].bs, w.now_ns, ocf_bytes(cid, sizeof(cid))));
  world_run(&w, w.now_ns + 100 * MS, NULL);
  for (size_t i = 1; i < 6; i++)
    assert_int_equal(world_stats(&w.nodes[i]).ledger, 0);
  assert_int_equal(world_stats(&w.nodes[0]).asks, 0);
  world_fini(&w);
}

static void test_a_found_block_is_cancelled_everywhere_else(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 8, 1 * MS);
  for (size_t i = 3; i < 8; i++)
    world_put(&w.nodes[i], world_block(7, 3000, cid), cid);
  world_want(&w.nodes[0], cid, NULL);
  world_run(&w, w.now_ns + 1 * S, NULL);
  assert_int_equal(w.nodes[0].n_blocks, 1);
  assert_int_equal(world_stats(&w.nodes[0]).blocks_dup, 0);
  for (size_t i = 1; i < 8; i++)
    assert_int_equal(world_stats(&w.nodes[i]).ledger, 0);
  world_fini(&w);
}

/* Many wants at once go to several peers, each block comes once, and little more is sent. */
static void test_many_wants_are_spread_over_the_peers(void **state)
{
  (void)state;
  enum { N = 4000 };
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 5, 1 * MS);
  struct chain c = { .n = N, .size = SIZE };
  struct ocf_peerid hints[4];
  for (size_t i = 1; i < 5; i++) {
    store_chain(&w.nodes[i], &c);
    hints[i - 1] = w.nodes[i].id;
  }
  for (uint32_t i = 0; i < N; i++) {
    (void)world_block(i, SIZE, cid);
    assert_int_equal(
        ocf_bitswap_want(w.nodes[0].bs, w.now_ns, ocf_bytes(cid, sizeof(cid)), hints, 4, NULL), 0);
  }
  uint64_t t0 = w.now_ns;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_int_equal(w.nodes[0].n_blocks, N);
  assert_true(w.now_ns - t0 <= 100 * MS);
  struct ocf_bitswap_stats st = world_stats(&w.nodes[0]);
  assert_in_range(st.blocks_dup, 0, N / 50);
  for (size_t i = 1; i < 5; i++)
    assert_in_range(world_stats(&w.nodes[i]).blocks_out, N / 8, N / 2);
  world_fini(&w);
}

/* More wants than a peer may be asked at once wait their turn, and are not asked of others. */
static void test_one_peer_serves_more_wants_than_it_may_be_asked(void **state)
{
  (void)state;
  enum { N = 4000 };
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 3, 1 * MS);
  struct chain c = { .n = N, .size = SIZE };
  store_chain(&w.nodes[1], &c);
  for (uint32_t i = 0; i < N; i++) {
    (void)world_block(i, SIZE, cid);
    world_want(&w.nodes[0], cid, &w.nodes[1]);
  }
  uint64_t t0 = w.now_ns;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_int_equal(w.nodes[0].n_blocks, N);
  assert_true(w.now_ns - t0 <= 100 * MS);
  assert_int_equal(world_stats(&w.nodes[2]).wants_in, 0);
  world_fini(&w);
}

static void test_a_deaf_peer_is_asked_again_only_after_it_spoke(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 2, 1 * MS);
  world_put(&w.nodes[1], world_block(7, SIZE, cid), cid);
  w.nodes[1].deaf = true;
  world_want(&w.nodes[0], cid, &w.nodes[1]);
  world_run(&w, w.now_ns + 100 * S, NULL);
  struct ocf_bitswap_stats st = world_stats(&w.nodes[0]);
  assert_int_equal(st.opens, 1);
  assert_int_equal(st.peers_unresponsive, 1);
  assert_true(w.nodes[0].n_slow > 0);
  w.nodes[1].deaf = false;
  uint8_t other[OCF_CID_BLOCK_SIZE];
  (void)world_block(8, SIZE, other);
  world_want(&w.nodes[1], other, &w.nodes[0]);
  world_run(&w, w.now_ns + 100 * MS, NULL);
  assert_int_equal(w.nodes[0].n_blocks, 1);
  assert_int_equal(world_stats(&w.nodes[0]).peers_unresponsive, 0);
  world_fini(&w);
}

static void test_failed_opens_are_repeated_with_back_off(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 2, 1 * MS);
  world_put(&w.nodes[1], world_block(7, SIZE, cid), cid);
  w.nodes[1].fails = 3;
  world_want(&w.nodes[0], cid, &w.nodes[1]);
  uint64_t t0 = w.now_ns;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_int_equal(w.nodes[0].n_blocks, 1);
  assert_int_equal(world_stats(&w.nodes[0]).opens, 4);
  assert_in_range((w.now_ns - t0) / MS, 1750 * 2, 7100);
  world_fini(&w);
}

/* Old peers are spoken to in their own way, and understood. */
static void test_every_protocol_version_fetches_and_serves(void **state)
{
  (void)state;
  for (unsigned proto = 0; proto < OCF_BITSWAP_N_PROTOCOLS; proto++) {
    for (size_t size = 100; size <= 3000; size += 2900) {
      struct world w;
      struct chain c = { .n = 20, .size = size };
      uint8_t cid[OCF_CID_BLOCK_SIZE];
      begin(&w, 3, 1 * MS);
      for (size_t i = 0; i < 3; i++)
        w.nodes[i].proto = proto;
      store_chain(&w.nodes[2], &c);
      w.nodes[0].user = &c;
      (void)world_block(0, c.size, cid);
      world_want(&w.nodes[0], cid, NULL);
      uint64_t t0 = w.now_ns;
      world_run(&w, OCF_TIME_NEVER, first_is_idle);
      assert_int_equal(w.nodes[0].n_blocks, c.n);
      assert_true(w.now_ns - t0 <= 2 * S);
      struct ocf_bitswap_stats st = world_stats(&w.nodes[0]);
      assert_true(proto == 0 || st.want_haves_out == 0);
      assert_true(proto == 0 || world_stats(&w.nodes[1]).dont_haves_out == 0);
      world_fini(&w);
    }
  }
}

static void test_an_idle_stream_is_closed_and_opened_again(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 2, 1 * MS);
  for (uint32_t i = 0; i < 3; i++) {
    world_put(&w.nodes[1], world_block(i, SIZE, cid), cid);
    world_want(&w.nodes[0], cid, &w.nodes[1]);
    world_run(&w, w.now_ns + 59 * S, NULL);
    assert_non_null(w.nodes[0].out[1]);
    world_run(&w, w.now_ns + 3 * S, NULL);
    assert_null(w.nodes[0].out[1]);
    assert_int_equal(w.nodes[0].n_opened, i + 1);
    assert_int_equal(w.nodes[0].n_blocks, i + 1);
    assert_int_equal(world_stats(&w.nodes[1]).ins, 0);
  }
  world_fini(&w);
}

static void test_a_stuck_stream_is_reset_and_its_wants_are_said_again(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 2, 1 * MS);
  w.nodes[0].holds = true;
  world_put(&w.nodes[1], world_block(7, SIZE, cid), cid);
  world_want(&w.nodes[0], cid, &w.nodes[1]);
  world_run(&w, w.now_ns + 1 * MS, NULL);
  struct ocf_bytes iov[1];
  assert_int_equal(ocf_bitswap_tx(w.nodes[0].bs, w.now_ns, &w.nodes[1].id, iov, 1), 1);
  world_run(&w, w.now_ns + 29 * S, NULL);
  struct wstream *first = w.nodes[0].out[1];
  assert_non_null(first);
  w.nodes[0].holds = false;
  world_run(&w, OCF_TIME_NEVER, first_is_idle);
  assert_true(first->ended);
  assert_int_equal(w.nodes[0].n_blocks, 1);
  assert_int_equal(world_stats(&w.nodes[0]).outs_gone, 1);
  world_fini(&w);
}

/* After a reset the next message is a full one: the peer's ledger is what stands, nothing else. */
static void test_a_lost_stream_is_made_good_by_a_full_message(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[3][OCF_CID_BLOCK_SIZE];
  begin(&w, 2, 1 * MS);
  for (uint32_t i = 0; i < 3; i++) {
    (void)world_block(i, SIZE, cid[i]);
    world_want(&w.nodes[0], cid[i], &w.nodes[1]);
  }
  world_run(&w, w.now_ns + 100 * MS, NULL);
  assert_int_equal(world_stats(&w.nodes[1]).ledger, 3);
  struct wstream *s = w.nodes[0].out[1];
  w.nodes[0].out[1] = NULL;
  world_kill_in(s, true);
  ocf_bitswap_out_gone(w.nodes[0].bs, w.now_ns, &w.nodes[1].id);
  assert_true(ocf_bitswap_cancel(w.nodes[0].bs, w.now_ns, ocf_bytes(cid[1], sizeof(cid[1]))));
  world_run(&w, w.now_ns + 2 * S, NULL);
  assert_int_equal(world_stats(&w.nodes[1]).ledger, 2);
  assert_int_equal(world_stats(&w.nodes[0]).cancels_out, 0);
  assert_int_equal(w.nodes[0].n_opened, 2);
  world_fini(&w);
}

/* Peers come and go at random while a chain is fetched; it arrives whole, and nothing is left. */
static void test_a_chain_survives_churn(void **state)
{
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    struct world w;
    struct ocf_rng rng;
    struct chain c = { .n = 300, .size = seed % 2 == 0 ? SIZE : 2000 };
    uint8_t cid[OCF_CID_BLOCK_SIZE];
    ocf_rng_seed(&rng, seed);
    begin(&w, 6, 2 * MS);
    w.cut = 1 + (size_t)ocf_rng_below(&rng, 2000);
    for (size_t i = 1; i < 6; i++)
      store_chain(&w.nodes[i], &c);
    w.nodes[0].user = &c;
    (void)world_block(0, c.size, cid);
    world_want(&w.nodes[0], cid, &w.nodes[1]);
    for (int k = 0; k < 400 && !first_is_idle(&w); k++) {
      struct wnode *p = &w.nodes[1 + ocf_rng_below(&rng, 5)];
      if (w.joined[0][p->i])
        world_part(&w.nodes[0], p);
      else
        assert_int_equal(world_join(&w.nodes[0], p), 0);
      world_run(&w, w.now_ns + ocf_rng_below(&rng, 40 * MS), NULL);
    }
    join_all(&w);
    world_run(&w, w.now_ns + 60 * S, first_is_idle);
    assert_int_equal(w.nodes[0].n_blocks, c.n);
    world_run(&w, w.now_ns + 10 * S, NULL);
    assert_int_equal(world_stats(&w.nodes[0]).asks, 0);
    for (size_t i = 1; i < 6; i++)
      assert_int_equal(world_stats(&w.nodes[i]).ledger, 0);
    world_fini(&w);
  }
}

static void test_large_blocks_arrive_in_any_cut(void **state)
{
  (void)state;
  static const size_t sizes[] = { 1023, 1024, 1025, 16384, 70000, OCF_BITSWAP_BLOCK_MAX };
  for (size_t k = 0; k < OCF_ARRAY_LEN(sizes); k++) {
    struct world w;
    uint8_t cid[OCF_CID_BLOCK_SIZE];
    begin(&w, 2, 1 * MS);
    w.cut = 1000 + k;
    world_put(&w.nodes[1], world_block(7, sizes[k], cid), cid);
    world_want(&w.nodes[0], cid, NULL);
    world_run(&w, OCF_TIME_NEVER, first_is_idle);
    assert_int_equal(w.nodes[0].n_blocks, 1);
    assert_int_equal(world_stats(&w.nodes[0]).rx_bytes, 0);
    world_fini(&w);
  }
}

static void test_a_block_over_the_limit_is_not_served(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 2, 1 * MS);
  world_put(&w.nodes[1], world_block(7, OCF_BITSWAP_BLOCK_MAX + 1, cid), cid);
  world_want(&w.nodes[0], cid, &w.nodes[1]);
  world_run(&w, w.now_ns + 1 * S, NULL);
  assert_int_equal(w.nodes[0].n_slow, 1);
  assert_int_equal(world_stats(&w.nodes[1]).dont_haves_out, 1);
  world_fini(&w);
}

/* Wanting anew what was just cancelled, before the cancel was said, leaves one want standing. */
static void test_a_want_may_follow_its_own_cancel(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 3, 1 * MS);
  (void)world_block(7, SIZE, cid);
  world_want(&w.nodes[0], cid, NULL);
  world_run(&w, w.now_ns + 100 * MS, NULL);
  assert_true(ocf_bitswap_cancel(w.nodes[0].bs, w.now_ns, ocf_bytes(cid, sizeof(cid))));
  world_want(&w.nodes[0], cid, &w.nodes[1]);
  world_run(&w, w.now_ns + 100 * MS, NULL);
  assert_int_equal(world_stats(&w.nodes[1]).ledger, 1);
  assert_int_equal(world_stats(&w.nodes[2]).ledger, 1);
  world_put(&w.nodes[2], world_block(7, SIZE, cid), cid);
  ocf_bitswap_stored(w.nodes[2].bs, w.now_ns, ocf_bytes(cid, sizeof(cid)));
  world_run(&w, w.now_ns + 100 * MS, NULL);
  assert_int_equal(w.nodes[0].n_blocks, 1);
  assert_int_equal(world_stats(&w.nodes[1]).ledger, 0);
  world_fini(&w);
}

static void few_asks(struct ocf_bitswap_config *c)
{
  c->asks_per_want_max = 4;
  c->spread = 2;
}

/* With few peers asked at a time everybody gets its turn, and none keeps a want that is not ours.
 */
static void test_a_want_goes_round_in_small_groups(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  world_init(&w, 30, 1 * MS);
  assert_int_equal(world_start(&w, few_asks), 0);
  for (size_t i = 1; i < 30; i++)
    assert_int_equal(world_join(&w.nodes[0], &w.nodes[i]), 0);
  w.nodes[0].on_event = chain_event;
  world_put(&w.nodes[29], world_block(7, 3000, cid), cid);
  world_want(&w.nodes[0], cid, NULL);
  world_run(&w, w.now_ns + 10 * S, first_is_idle);
  assert_int_equal(w.nodes[0].n_blocks, 1);
  assert_int_equal(w.nodes[0].n_slow, 0);
  world_run(&w, w.now_ns + 1 * S, NULL);
  for (size_t i = 1; i < 30; i++)
    assert_int_equal(world_stats(&w.nodes[i]).ledger, 0);
  world_fini(&w);
}

/* Without hints the peer that served the last block is asked alone: no copies from the others. */
static void test_a_serving_peer_is_asked_alone(void **state)
{
  (void)state;
  struct world w;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  begin(&w, 6, 1 * MS);
  for (uint32_t k = 0; k < 20; k++) {
    for (size_t i = 1; i < 6; i++)
      world_put(&w.nodes[i], world_block(k, SIZE, cid), cid);
    world_want(&w.nodes[0], cid, NULL);
    world_run(&w, OCF_TIME_NEVER, first_is_idle);
  }
  world_run(&w, w.now_ns + 1 * S, NULL);
  struct ocf_bitswap_stats st = world_stats(&w.nodes[0]);
  assert_int_equal(st.blocks_in, 20);
  assert_in_range(st.blocks_dup, 0, 5); /* of the first one, when nobody was known */
  world_fini(&w);
}

/* The same network with every allocation failing in turn ends with the block, or without, but
 * consistent; here and there the failure is survived. */
static void few_rounds(struct ocf_bitswap_config *c)
{
  c->rebroadcast_ns = 1 * S;
}

static void test_any_allocation_may_fail(void **state)
{
  (void)state;
  enum { N = 4 };
  uint64_t n_calls = 1000;
  for (uint64_t at = 0; at <= n_calls; at++) {
    struct world w;
    struct chain c = { .n = N, .size = 700 };
    uint8_t cid[N + 1][OCF_CID_BLOCK_SIZE];
    world_init(&w, 3, 1 * MS);
    w.cut = 300;
    assert_int_equal(world_start(&w, few_rounds), 0);
    w.a.n_calls = 0;
    w.a.fail_at = at;
    w.nodes[0].on_event = chain_event;
    store_chain(&w.nodes[1], &c);
    store_chain(&w.nodes[2], &c);
    for (size_t i = 1; i < 3; i++)
      (void)world_join(&w.nodes[0], &w.nodes[i]);
    int err[N + 1];
    for (uint32_t i = 0; i <= N; i++) { /* number N is not there */
      (void)world_block(i, c.size, cid[i]);
      err[i] = ocf_bitswap_want(w.nodes[0].bs, w.now_ns, ocf_bytes(cid[i], sizeof(cid[i])),
                                &w.nodes[1].id, i % 2, NULL);
      assert_true(err[i] == 0 || err[i] == OCF_ENOMEM);
      world_run(&w, w.now_ns + 1 * MS, NULL);
    }
    world_run(&w, w.now_ns + 1 * S, NULL);
    if (at == 0)
      n_calls = w.a.n_calls;
    w.a.fail_at = 0; /* memory is back: all heals by itself */
    for (size_t i = 1; i < 3; i++) {
      assert_int_equal(ocf_bitswap_peer_up(w.nodes[0].bs, w.now_ns, &w.nodes[i].id), 0);
      assert_int_equal(ocf_bitswap_peer_up(w.nodes[i].bs, w.now_ns, &w.nodes[0].id), 0);
    }
    world_run(&w, w.now_ns + 1 * MS, NULL);
    for (size_t i = 0; i <= N; i++) {
      if (err[i] != 0)
        world_want(&w.nodes[0], cid[i], NULL);
    }
    world_run(&w, w.now_ns + 60 * S, NULL);
    assert_int_equal(w.nodes[0].n_blocks, N);
    assert_int_equal(world_stats(&w.nodes[0]).wants, 1);
    assert_true(ocf_bitswap_cancel(w.nodes[0].bs, w.now_ns, ocf_bytes(cid[N], sizeof(cid[N]))));
    world_fini(&w);
  }
  if (n_calls < 50 || n_calls >= 1000)
    fail_msg("%llu allocations", (unsigned long long)n_calls);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_chain_costs_one_round_trip_per_block),
  cmocka_unit_test(test_a_dark_peer_delays_a_chain_by_little),
  cmocka_unit_test(test_a_peer_that_goes_dark_midway_costs_at_most_a_second),
  cmocka_unit_test(test_without_a_hint_the_block_is_found_anywhere),
  cmocka_unit_test(test_dont_have_moves_on_to_the_next_at_once),
  cmocka_unit_test(test_a_block_that_nobody_has_is_reported_and_comes_when_somebody_stores_it),
  cmocka_unit_test(test_a_new_peer_is_asked_for_what_nobody_had),
  cmocka_unit_test(test_a_cancel_reaches_all_who_were_asked),
  cmocka_unit_test(test_a_found_block_is_cancelled_everywhere_else),
  cmocka_unit_test(test_many_wants_are_spread_over_the_peers),
  cmocka_unit_test(test_one_peer_serves_more_wants_than_it_may_be_asked),
  cmocka_unit_test(test_a_deaf_peer_is_asked_again_only_after_it_spoke),
  cmocka_unit_test(test_failed_opens_are_repeated_with_back_off),
  cmocka_unit_test(test_every_protocol_version_fetches_and_serves),
  cmocka_unit_test(test_an_idle_stream_is_closed_and_opened_again),
  cmocka_unit_test(test_a_stuck_stream_is_reset_and_its_wants_are_said_again),
  cmocka_unit_test(test_a_lost_stream_is_made_good_by_a_full_message),
  cmocka_unit_test(test_a_chain_survives_churn),
  cmocka_unit_test(test_large_blocks_arrive_in_any_cut),
  cmocka_unit_test(test_a_block_over_the_limit_is_not_served),
  cmocka_unit_test(test_a_want_may_follow_its_own_cancel),
  cmocka_unit_test(test_a_want_goes_round_in_small_groups),
  cmocka_unit_test(test_a_serving_peer_is_asked_alone),
  cmocka_unit_test(test_any_allocation_may_fail),
};

OCF_TEST_MAIN(tests)
