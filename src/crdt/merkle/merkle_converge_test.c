/* Several replicas that write, exchange announcements and blocks in any order, lose and repeat
 * messages and are restarted, against the definition of the set. All must end equal, and equal to
 * what the naive model computes from all blocks: a key's value is that of the element with the
 * highest priority, then the greatest bytes, among the elements that no tombstone names. */
#include "testing/test.h"

#include "crdt/merkle/merkle_harness.h"
#include "crdt/merkle/merkle_naive.h"

enum { NODES = 4, KEYS = 6, STEPS = 400 };

static const char *const keys[KEYS] = { "/a", "/a/b", "/ab", "/peer/x", "/z", "/a/b/c" };

/* ---- the net ---- */

struct net {
  struct h_world w;
  struct h_node *nodes[NODES];
  struct ocf_rng rng;
};

/* Announcements reach some of the others, some of them twice. */
static void deliver(struct net *t, size_t from, bool lossy)
{
  struct h_node *h = t->nodes[from];
  for (size_t c = 0; c < h->n_casts; c++) {
    for (size_t i = 0; i < NODES; i++) {
      uint64_t luck = lossy ? ocf_rng_below(&t->rng, 4) : 1;
      for (; i != from && luck % 3 > 0; luck--)
        assert_int_equal(ocf_merkle_broadcast(t->nodes[i]->m, t->nodes[i]->now,
                                              ocf_bytes(h->casts[c].p, h->casts[c].n),
                                              OCF_STR("node")),
                         0);
    }
    free(h->casts[c].p);
  }
  h->n_casts = 0;
}

static void write_something(struct net *t, struct h_node *h)
{
  const char *key = keys[ocf_rng_below(&t->rng, KEYS)];
  char value[24];
  if (ocf_rng_below(&t->rng, 4) == 0) {
    assert_int_equal(ocf_merkle_delete(h->m, h->now, ocf_bytes(key, strlen(key))), 0);
  } else {
    (void)snprintf(value, sizeof(value), "%c%llu", (char)('a' + ocf_rng_below(&t->rng, 26)),
                   (unsigned long long)ocf_rng_below(&t->rng, 1000));
    assert_int_equal(
        ocf_merkle_put(h->m, h->now, ocf_bytes(key, strlen(key)), ocf_bytes(value, strlen(value))),
        0);
  }
  h_turn(h);
  naive_copy_blocks(&t->w, h);
}

static void step(struct net *t)
{
  size_t i = (size_t)ocf_rng_below(&t->rng, NODES);
  struct h_node *h = t->nodes[i];
  switch (ocf_rng_below(&t->rng, 8)) {
  case 0:
  case 1: write_something(t, h); break;
  case 2: deliver(t, i, true); break;
  case 3: /* kill -9, perhaps with work that was not committed */
    (void)h_answer(h, &t->w, 2);
    h_restart(h);
    h_turn(h);
    break;
  case 4: h_tick(h, 3 * HS); break;
  default:
    h_work(h);
    h_turn(h);
    (void)h_answer(h, &t->w, 2);
    break;
  }
}

static bool all_equal(struct net *t)
{
  for (size_t i = 0; i < NODES; i++)
    if (t->nodes[i]->m->n.blocks != t->w.n || t->nodes[i]->m->n.incomplete > 0)
      return false;
  return true;
}

static void settle(struct net *t)
{
  for (int round = 0; round < 300 && !all_equal(t); round++) {
    for (size_t i = 0; i < NODES; i++) {
      h_tick(t->nodes[i], 4 * HS);
      deliver(t, i, false);
    }
    for (size_t i = 0; i < NODES; i++)
      h_sync(t->nodes[i], &t->w, 2);
  }
  assert_true(all_equal(t));
}

static void check(struct net *t)
{
  for (size_t i = 0; i < NODES; i++) {
    naive_check(t->nodes[i], &t->w, keys, KEYS);
    h_check_rows(t->nodes[i]);
    h_check_counts(t->nodes[i]);
  }
}

static void test_replicas_converge_to_the_definition(void **state)
{
  (void)state;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    static struct h_node nodes[NODES];
    struct net t = { .w = { 0 } };
    ocf_rng_seed(&t.rng, seed);
    for (size_t i = 0; i < NODES; i++) {
      t.nodes[i] = &nodes[i];
      h_new(&nodes[i], seed * 10 + i);
    }
    for (int s = 0; s < STEPS; s++)
      step(&t);
    settle(&t);
    check(&t);
    for (size_t i = 0; i < NODES; i++)
      h_free(&nodes[i]);
    h_world_fini(&t.w);
  }
}

/* Goal: a restart at every commit point, and at every turn that was not committed, loses nothing.
 * Method: one replica follows a history with joins; after k blocks it is killed, with the k-th
 * committed or not. */
static void test_a_kill_at_any_point_loses_nothing(void **state)
{
  struct h_world w = { .cap = 64 };
  const struct h_block *links[2];
  (void)state;
  w.b = malloc(w.cap * sizeof(w.b[0]));
  assert_non_null(w.b);
  for (size_t i = 0; i < 24; i++) {
    size_t n = i < 2 ? 0 : 1 + i % 2;
    links[0] = n > 0 ? &w.b[i - 1 - i % 2] : NULL;
    links[1] = n > 1 ? &w.b[i - 2] : NULL;
    (void)h_make_block(&w, links, links[0] == links[1] ? OCF_MIN(n, (size_t)1) : n,
                       i % 3 ? "/a" : "/b", i % 5 == 4 ? NULL : "some value", &w.b[i / 2], i + 1);
  }
  const struct h_block *heads[24];
  size_t n_heads = naive_heads(&w, heads, 24);
  for (size_t kill = 0; kill < 24; kill++) {
    for (int committed = 0; committed < 2; committed++) {
      struct h_node h;
      h_new(&h, 1);
      h_say(&h, heads, n_heads, "p");
      h_turn(&h);
      for (size_t k = 0; k < kill; k++) {
        (void)h_answer(&h, &w, (int)k % 3);
        if (k + 1 < kill || committed)
          h_turn(&h);
      }
      h_restart(&h);
      h_say(&h, heads, n_heads, "p");
      h_sync(&h, &w, 0);
      h_expect_heads(&h, heads, n_heads);
      assert_int_equal(h.m->n.blocks, w.n);
      h_check_rows(&h);
      h_check_counts(&h);
      h_free(&h);
    }
  }
  h_world_fini(&w);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_replicas_converge_to_the_definition),
  cmocka_unit_test(test_a_kill_at_any_point_loses_nothing),
};

OCF_TEST_MAIN(tests)
