/* The replica's rules, one test each: heads and completeness, whom a failure delays, retries and
 * bans, rebroadcast, SYNCED. Writes are in merkle_write_test.c, the store in merkle_store_test.c.
 */
#include "testing/test.h"

#include "crdt/merkle/merkle_harness.h"

#define NONE NULL, 0

/* ---- heads ---- */

/* Goal: an incomplete head is merged at once, but neither a head nor announced nor linked until its
 * ancestry is there; on an empty replica it counts for the priority of own writes. */
static void test_an_incomplete_head_is_adopted_but_not_told(void **state)
{
  struct h_world w;
  struct h_node h;
  struct ocf_merkle_head head;
  uint64_t priority = 0;
  struct ocf_bytes v;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  struct h_block *old = h_block(&w, NULL, "/a", "1", 1);
  struct h_block *tip = h_block(&w, old, "/b", "2", 2);
  old->dark = true;
  h_say1(&h, tip, "p");
  h_sync(&h, &w, 0);
  h_expect(&h, "/b", "2");
  h_expect_heads(&h, NONE);
  assert_int_equal(ocf_merkle_head_next(h.m, NULL, &head), 0);
  assert_false(head.complete);
  assert_int_equal(head.height, 2);
  assert_memory_equal(head.cid + CID_HEAD, tip->id, ID);
  assert_int_equal(h_stats(&h).adopted, 1);
  for (int i = 0; i < 4; i++)
    h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 0);

  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/own"), OCF_STR("x")), 0);
  h_turn(&h);
  assert_int_equal(ocf_merkle_get(h.m, OCF_STR("/own"), &v, &priority), 0);
  assert_int_equal(priority, 3);
  assert_int_equal(h.n_casts, 1);
  assert_int_equal(h_stats(&h).heads, 1);

  old->dark = false;
  for (int i = 0; i < 200 && h_stats(&h).incomplete > 0; i++) {
    h_tick(&h, 7 * HS);
    h_sync(&h, &w, 0);
  }
  assert_int_equal(h_stats(&h).heads, 2);
  assert_int_equal(h_stats(&h).adopted, 0);
  assert_false(h_stats(&h).dirty);
  h_clear_casts(&h);
  h_tick(&h, 7 * HS);
  assert_true(h_was_cast(&h, tip->id));
  h_check_rows(&h);
  h_check_counts(&h);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: a head whose ancestor cannot be had delays no other, not even one whose history it shares.
 * Method: a hostile head links the honest history and a missing block, and comes first. */
static void test_an_unfetchable_ancestor_delays_nobody_else(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  struct h_block *root = h_block(&w, NULL, "/a", "1", 1);
  struct h_block *honest = h_block(&w, root, "/a", "2", 2);
  struct h_block *dark = h_block(&w, NULL, "/x", "x", 1);
  struct h_block *hostile = h_join(&w, honest, dark, "/x", "y", 9);
  struct h_block *next = h_block(&w, honest, "/a", "3", 3);
  dark->dark = true;
  h_say1(&h, hostile, "bad");
  h_sync(&h, &w, 0);
  h_expect_head(&h, honest);
  h_say1(&h, next, "good");
  h_sync(&h, &w, 0);
  h_expect_head(&h, next);
  h_expect(&h, "/a", "3");
  h_expect(&h, "/x", "y"); /* merged as in Go */
  assert_int_equal(h_stats(&h).incomplete, 1);
  h_tick(&h, 7 * HS); /* they were heard in this interval, not in the next */
  h_tick(&h, 7 * HS);
  assert_true(h_was_cast(&h, next->id));
  assert_false(h_was_cast(&h, hostile->id));
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: heads that nobody gives, that are empty or garbage, change nothing and hold nothing up. */
static void test_bad_heads_change_nothing(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  struct h_block *good = h_block(&w, NULL, "/a", "1", 1);
  struct h_block *dark = h_block(&w, NULL, "/d", "1", 1);
  struct h_block *empty = h_add_block(&w, ocf_bytes(NULL, 0));
  struct h_block *garbage = h_add_block(&w, OCF_STR("\x0a\x03\xff\xff\xff"));
  struct h_block *no_node = h_add_block(&w, OCF_STR("hello"));
  struct h_block *bad_text = h_block(&w, NULL, "/\xff\xfe", "1", 1);
  const struct h_block *all[] = { dark, garbage, no_node, bad_text, good };
  dark->dark = true;
  h_say(&h, all, 5, "p");
  h_sync(&h, &w, 0);
  h_expect_head(&h, good);
  assert_int_equal(h_stats(&h).blocks, 1);
  assert_int_equal(h_stats(&h).blocks_bad, 3);
  assert_int_equal(h.n_asked, 1);
  h_say(&h, all, 5, "p"); /* remembered: not asked for again */
  h_turn(&h);
  assert_int_equal(h.n_asked, 1);
  /* The empty block is a node without links: a head of height 0 as in Go. */
  h_say1(&h, empty, "p");
  h_sync(&h, &w, 0);
  assert_int_equal(h_stats(&h).heads, 2);
  assert_int_equal(h_stats(&h).rows, 1);
  assert_false(h_stats(&h).dirty);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: what is no block of ours is refused without a change. */
static void test_unasked_and_false_blocks_are_refused(void **state)
{
  struct h_world w;
  struct h_node h;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  struct h_block *a = h_block(&w, NULL, "/a", "1", 1), *b = h_block(&w, a, "/a", "2", 2);
  assert_int_equal(h_give(&h, a), OCF_ENOENT);
  h_say1(&h, b, "p");
  h_turn(&h);
  ocf_merkle_cid(b->id, cid);
  assert_int_equal(ocf_merkle_block(h.m, h.now, cid, ocf_bytes(a->p, a->n)), OCF_ECRYPTO);
  cid[1] = OCF_CID_RAW;
  assert_int_equal(ocf_merkle_block(h.m, h.now, cid, ocf_bytes(b->p, b->n)), OCF_ENOENT);
  assert_int_equal(h_give(&h, b), 0);
  assert_int_equal(h_give(&h, b), OCF_ENOENT); /* stored already */
  h_turn(&h);
  assert_int_equal(h_give(&h, a), 0);
  assert_int_equal(h_stats(&h).blocks_unasked, 3);
  h_expect_head(&h, b);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: all links of a block are asked for as soon as it is there, with who announced it. */
static void test_children_are_fetched_at_once_for_the_announcer(void **state)
{
  struct h_world w;
  struct h_node h;
  struct ocf_merkle_effect fx;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  struct h_block *a = h_block(&w, NULL, "/a", "1", 1), *b = h_block(&w, NULL, "/b", "1", 1);
  struct h_block *c = h_join(&w, a, b, "/c", "1", 2);
  h_say1(&h, c, "peer one");
  h_turn(&h);
  assert_int_equal(h_give(&h, c), 0);
  for (int i = 0; i < 2; i++) {
    assert_true(ocf_merkle_effect(h.m, h.now, &fx));
    assert_int_equal(fx.type, OCF_MERKLE_FETCH);
    assert_true(ocf_bytes_eq(fx.hint, OCF_STR("peer one")));
    assert_true(memcmp(fx.cid + 4, a->id, ID) == 0 || memcmp(fx.cid + 4, b->id, ID) == 0);
  }
  h_turn(&h);
  assert_true(h.last.direct);
  assert_true(ocf_bytes_eq(h.last.announcer, OCF_STR("peer one")));
  h_say1(&h, a, "peer two"); /* named itself meanwhile, by another */
  assert_int_equal(h_give(&h, a), 0);
  h_turn(&h);
  assert_true(h.last.direct);
  assert_true(ocf_bytes_eq(h.last.announcer, OCF_STR("peer two")));
  assert_int_equal(h_give(&h, b), 0);
  h_turn(&h);
  assert_false(h.last.direct);
  assert_true(ocf_bytes_eq(h.last.announcer, OCF_STR("peer one")));
  h_expect_head(&h, c);
  h_free(&h);
  h_world_fini(&w);
}

/* ---- chains ---- */

enum { DEEP = 20000 };

/* Goal: a chain of any length is walked with one fetch at a time and completed in bounded steps,
 * and only its tip is ever announced. Method: the owner's turns, a restart in mid-walk and one in
 * mid-completion. */
static void test_a_deep_chain_is_bounded_work(void **state)
{
  static struct h_node h;
  struct h_world w = { .unique = true };
  char value[16];
  (void)state;
  h_init(&h, 1);
  h.cfg.work_max = 64;
  h_open(&h);
  for (size_t i = 0; i < DEEP; i++) {
    (void)snprintf(value, sizeof(value), "%zu", i);
    const struct h_block *link = i > 0 ? &w.b[i - 1] : NULL;
    /* The world may move while it grows, so the link's id is copied by the maker first. */
    struct h_block copy = link != NULL ? *link : (struct h_block){ .n = 0 };
    link = &copy;
    (void)h_make_block(&w, &link, i > 0, i % 2 ? "/odd" : "/even", value, NULL, i + 1);
  }
  h_say1(&h, &w.b[DEEP - 1], "p");
  size_t most = 0, turns = 0;
  while (h.m->n.blocks < DEEP) {
    h_turn(&h);
    most = OCF_MAX(most, h.a.live_bytes - (size_t)ocf_kv_bytes(h.kv));
    assert_int_equal(h.n_asked, 1);
    if (turns++ == DEEP / 2) {
      h_restart(&h);
      h_work(&h);
      h_turn(&h);
    }
    struct h_block *b = &w.b[DEEP - 1 - h.m->n.blocks];
    assert_memory_equal(b->id, h.asked[0], ID);
    h.n_asked = 0;
    assert_int_equal(h_give(&h, b), 0);
  }
  assert_true(most < 1 << 20);
  assert_true(ocf_merkle_deadline(h.m) == 0);
  h_turn(&h);
  assert_int_equal(h_stats(&h).heads, 0);
  for (int i = 0; i < 10; i++)
    h_tick(&h, 1);
  h_restart(&h);
  assert_false(ocf_merkle_synced(h.m));
  h_work(&h);
  h_turn(&h);
  h_expect_head(&h, &w.b[DEEP - 1]);
  assert_int_equal(h_stats(&h).incomplete, 0);
  h_expect(&h, "/odd", "19999");
  h_tick(&h, 7 * HS);
  assert_true(h_was_cast(&h, w.b[DEEP - 1].id));
  h_check_counts(&h);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: many blocks that wait for one missing block become complete in bounded steps too. */
static void test_many_parents_of_one_block_are_bounded_work(void **state)
{
  static struct h_node h;
  struct h_world w;
  char value[16];
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.work_max = 5;
  h_open(&h);
  struct h_block *root = h_block(&w, NULL, "/r", "r", 1);
  for (int i = 0; i < 200; i++) {
    (void)snprintf(value, sizeof(value), "%d", i);
    struct h_block *b = h_block(&w, root, "/k", value, 2);
    h_say1(&h, b, "p");
    h_turn(&h);
    assert_int_equal(h_give(&h, b), 0);
  }
  h_turn(&h);
  assert_int_equal(h_give(&h, root), 0);
  h_turn(&h);
  h_restart(&h);
  int ticks = 0;
  for (; ocf_merkle_deadline(h.m) == 0; ticks++)
    assert_int_equal(ocf_merkle_tick(h.m, h.now), 0);
  assert_true(ticks > 20);
  assert_int_equal(h_stats(&h).heads, 200);
  assert_int_equal(h_stats(&h).incomplete, 0);
  h_check_counts(&h);
  h_free(&h);
  h_world_fini(&w);
}

/* ---- retries, limits ---- */

/* Goal: a fetch is given up after its time, told again after a back-off, and banned only after many
 * failures over a long time; bans last. */
static void test_fetches_are_retried_and_banned(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.ban_failures = 10;
  h.cfg.ban_age_ns = 3600 * HS;
  h_open(&h);
  struct h_block *dark = h_block(&w, NULL, "/a", "1", 1), *tip = h_block(&w, dark, "/b", "1", 2);
  dark->dark = true;
  h_say1(&h, tip, "p");
  h_sync(&h, &w, 0);
  assert_true(h_asked_for(&h, dark));
  assert_false(h_stats(&h).dirty);
  uint64_t began = h.now;
  h_tick(&h, 59 * HS);
  assert_true(h_asked_for(&h, dark));
  h_tick(&h, HS);
  assert_false(h_asked_for(&h, dark)); /* UNFETCH */
  assert_true(h_stats(&h).dirty);
  assert_int_equal(h_stats(&h).retrying, 1);
  h_tick(&h, 5 * HS);
  assert_true(h_asked_for(&h, dark));
  while (h_stats(&h).bans == 0) {
    h_tick(&h, 10 * HS);
    assert_true(h.now < began + 20000 * HS);
  }
  assert_true(h_stats(&h).fetch_failures >= 10 && h.now - began >= 3600 * HS);
  assert_false(h_asked_for(&h, dark));
  h_restart(&h);
  h_say1(&h, dark, "p");
  h_tick(&h, 4000 * HS); /* past a repair */
  h_work(&h);
  h_turn(&h);
  assert_false(h_asked_for(&h, dark));
  assert_true(h_stats(&h).dirty);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: each failure doubles the wait, less up to a half of it, up to the longest one. */
static void test_back_offs_grow(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  struct h_block *dark = h_block(&w, NULL, "/a", "1", 1);
  h_say1(&h, dark, "p");
  h_turn(&h);
  for (uint64_t wait = 5 * HS; wait < 1000 * HS; wait *= 2) {
    uint64_t most = OCF_MIN(wait, 480 * HS);
    h_fail_fetch(&h, dark, false);
    h_tick(&h, most / 2 - 1);
    assert_int_equal(h.n_asked, 0);
    h_tick(&h, most / 2 + 1);
    assert_int_equal(h.n_asked, 1);
  }
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: missing blocks that were driven out of the table are found again in the store, also behind
 * the place that the search has reached. Method: a tiny table, heads that nobody gives, and all
 * within less than the hour of a repair. */
static void test_evicted_children_are_found_again(void **state)
{
  (void)state;
  for (uint64_t seed = 0; seed < 8; seed++) {
    struct h_world w;
    struct h_node h;
    const struct h_block *links[8];
    char key[32];
    h_world(&w);
    h_init(&h, seed);
    h.cfg.fetches_max = 4;
    h.cfg.per_announcer_max = 2;
    h_open(&h);
    for (int i = 0; i < 8; i++) {
      (void)snprintf(key, sizeof(key), "/%d-%d", (int)seed, i);
      struct h_block *b = h_block(&w, NULL, key, "x", 1);
      b->dark = true;
      links[i] = b;
    }
    struct h_block *tip = h_make_block(&w, links, 8, "/tip", "x", NULL, 2);
    h_say1(&h, tip, "p");
    h_sync(&h, &w, 0);
    for (int i = 0; i < 12; i++) { /* failing, and driven out by others */
      (void)snprintf(key, sizeof(key), "/other %d", i);
      struct h_block *other = h_block(&w, NULL, key, "x", 1);
      other->dark = true;
      h_tick(&h, 61 * HS);
      h_say1(&h, other, i % 2 ? "q" : "r");
      h_sync(&h, &w, 0);
    }
    for (int i = 0; i < 8; i++)
      w.b[i].dark = false;
    for (int i = 0; i < 40 && h_stats(&h).incomplete > 0; i++) {
      h_tick(&h, 60 * HS);
      h_sync(&h, &w, (int)(seed % 3));
    }
    assert_true(h.now < 1000 * HS + 3600 * HS);
    h_expect_head(&h, tip);
    h_free(&h);
    h_world_fini(&w);
  }
}

static void test_an_evicted_child_starts_a_search(void **state)
{
  struct h_world w;
  struct h_node h;
  char key[32];
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.fetches_max = h.cfg.per_announcer_max = 4;
  h_open(&h);
  struct h_block *child = h_block(&w, NULL, "/a", "1", 1);
  struct h_block *tip = h_block(&w, child, "/b", "1", 2);
  child->dark = true;
  h_say1(&h, tip, "p");
  h_sync(&h, &w, 0);
  h_tick(&h, 60 * HS);
  assert_int_equal(h_stats(&h).retrying, 1);
  for (int i = 0; i < 4; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    struct h_block *other = h_block(&w, NULL, key, "1", 1);
    other->dark = true;
    h_say1(&h, other, "q");
  }
  assert_int_equal(h_stats(&h).retrying, 0);
  child->dark = false;
  for (int i = 0; i < 10; i++) {
    h_tick(&h, 60 * HS);
    h_sync(&h, &w, 0);
  }
  h_expect_head(&h, tip);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: after a long outage what is missing is asked for as soon as somebody announces a head above
 * it, not when a back-off of minutes ends; announcements cannot make it faster than that. */
static void test_an_announcement_ends_back_offs(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.retry_min_ns = h.cfg.retry_max_ns = 100000 * HS;
  h_open(&h);
  struct h_block *dark = h_block(&w, NULL, "/a", "1", 1), *tip = h_block(&w, dark, "/b", "1", 2);
  struct h_block *other = h_block(&w, NULL, "/c", "1", 1);
  dark->dark = other->dark = true;
  h_say1(&h, tip, "p");
  h_say1(&h, other, "p");
  h_sync(&h, &w, 0);
  h_tick(&h, 60 * HS);
  assert_int_equal(h.n_asked, 0);
  h_say1(&h, tip, "q");
  h_turn(&h);
  assert_true(h_asked_for(&h, dark));
  h_fail_fetch(&h, dark, false);
  h_fail_fetch(&h, other, false);
  h_say1(&h, tip, "q");
  h_say1(&h, other, "q");
  h_turn(&h);
  assert_int_equal(h.n_asked, 0);
  h_tick(&h, 15 * HS);
  h_say1(&h, other, "q");
  h_turn(&h);
  assert_int_equal(h.n_asked, 2);
  dark->dark = false;
  h_sync(&h, &w, 0);
  h_expect_head(&h, tip);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: the repair tries missing blocks at once, whatever their back-off. */
static void test_repair_tries_everything_again(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.retry_min_ns = h.cfg.retry_max_ns = 100000 * HS;
  h_open(&h);
  struct h_block *dark = h_block(&w, NULL, "/a", "1", 1), *tip = h_block(&w, dark, "/b", "1", 2);
  dark->dark = true;
  h_say1(&h, tip, "p");
  h_sync(&h, &w, 0);
  h_fail_fetch(&h, dark, false);
  h_tick(&h, 3000 * HS);
  assert_false(h_asked_for(&h, dark));
  h_tick(&h, 601 * HS);
  assert_true(h_asked_for(&h, dark));
  h_fail_fetch(&h, dark, true); /* bad: not by a repair either */
  h_tick(&h, 3601 * HS);
  h_work(&h);
  h_turn(&h);
  assert_false(h_asked_for(&h, dark));
  h_fail_fetch(&h, dark, true); /* unknown by now */
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: one announcer's many heads do not keep out another's; the table is bounded; what was given
 * up makes room. */
static void test_announcers_share_the_table(void **state)
{
  struct h_world w;
  struct h_node h;
  char key[32];
  const struct h_block *many[60];
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.fetches_max = 20;
  h.cfg.per_announcer_max = 10;
  h.cfg.active_max = 12;
  h_open(&h);
  for (int i = 0; i < 60; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    struct h_block *b = h_block(&w, NULL, key, "x", 1);
    b->dark = i < 50;
    many[i] = b;
  }
  h_say(&h, many, 50, "bad");
  h_turn(&h);
  assert_int_equal(h.n_asked, 10);
  assert_int_equal(h_stats(&h).heads_dropped, 40);
  h_say(&h, many + 10, 40, "worse");
  h_turn(&h);
  assert_int_equal(h.n_asked, 12);
  assert_int_equal(h_stats(&h).fetches, 20);
  h_say(&h, many + 50, 10, "good"); /* no room yet */
  h_turn(&h);
  assert_int_equal(h_stats(&h).fetches, 20);
  h_tick(&h, 10 * HS); /* stalled: their places go to those who wait */
  while (ocf_merkle_deadline(h.m) <= h.now)
    h_tick(&h, 0);
  assert_int_equal(h_stats(&h).retrying, 8);
  h_say(&h, many + 50, 10, "good");
  h_sync(&h, &w, 0);
  h_tick(&h, 10 * HS);
  h_sync(&h, &w, 0);
  assert_int_equal(h_stats(&h).blocks, 10);
  assert_true(h_stats(&h).fetches <= 20);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: children over the table's bound are found again in the store. */
static void test_children_without_room_are_fetched_later(void **state)
{
  struct h_world w;
  struct h_node h;
  const struct h_block *links[16];
  char key[32];
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.fetches_max = 6;
  h.cfg.per_announcer_max = 3;
  h_open(&h);
  for (int i = 0; i < 16; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    links[i] = h_block(&w, NULL, key, "x", 1);
  }
  struct h_block *tip = h_make_block(&w, links, 16, "/tip", "x", NULL, 2);
  h_say1(&h, tip, "p");
  for (int i = 0; i < 100 && h_stats(&h).incomplete + (h_stats(&h).blocks == 0) > 0; i++) {
    h_sync(&h, &w, i % 3);
    assert_true(h_stats(&h).fetches <= 6);
    h_tick(&h, 1 * HS);
  }
  h_expect_head(&h, tip);
  assert_int_equal(h_stats(&h).rows, 17);
  h_check_rows(&h);
  h_check_counts(&h);
  h_free(&h);
  h_world_fini(&w);
}

/* ---- rebroadcast ---- */

/* Goal: heads that nobody else announced since the last round are announced, in one message, at
 * intervals of 5 s +- 30 %. */
static void test_rebroadcast_names_unseen_heads(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  struct h_block *a = h_block(&w, NULL, "/a", "1", 1), *b = h_block(&w, NULL, "/b", "1", 1);
  const struct h_block *both[] = { a, b };
  uint64_t first = h.m->round_ns;
  assert_true(first >= h.now + 3500 * OCF_NS_PER_MS && first <= h.now + 6500 * OCF_NS_PER_MS);
  h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 0); /* nothing to say */
  h_say(&h, both, 2, "p");
  h_sync(&h, &w, 0);
  h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 0); /* both were just heard */
  h_say1(&h, a, "q");
  h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 1);
  assert_true(h_was_cast(&h, b->id) && !h_was_cast(&h, a->id));
  h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 2);
  assert_true(h_was_cast(&h, a->id));
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: more heads than fit one round are all announced in turn. */
static void test_many_heads_take_turns(void **state)
{
  struct h_world w;
  struct h_node h;
  const struct h_block *all[30];
  char key[32];
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.round_max = 8;
  h_open(&h);
  for (int i = 0; i < 30; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    all[i] = h_block(&w, NULL, key, "x", 1);
  }
  h_say(&h, all, 30, "p");
  h_sync(&h, &w, 0);
  h_tick(&h, 7 * HS);
  h_clear_casts(&h);
  for (int i = 0; i < 5; i++)
    h_tick(&h, 7 * HS);
  for (int i = 0; i < 30; i++)
    assert_true(h_was_cast(&h, all[i]->id));
  h_free(&h);
  h_world_fini(&w);
}

/* ---- synced ---- */

static void test_synced_after_silence(void **state)
{
  struct h_node h;
  (void)state;
  h_new(&h, 1);
  h_tick(&h, 6 * HS);
  assert_false(ocf_merkle_synced(h.m));
  assert_true(ocf_merkle_deadline(h.m) <= 1000 * HS + 6500 * OCF_NS_PER_MS);
  h_tick(&h, 1 * HS);
  assert_true(ocf_merkle_synced(h.m));
  h_tick(&h, 10 * HS);
  assert_int_equal(h.n_synced, 1);
  h_free(&h);
}

/* Goal: SYNCED comes when the announced history is merged; a head that nobody gives holds it back
 * for stall_ns only. */
static void test_synced_after_the_announced_history(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  for (int dark = 0; dark < 2; dark++) {
    h_new(&h, 1);
    struct h_block *a = h_block(&w, NULL, "/a", "1", 1), *b = h_block(&w, a, "/b", "1", 2);
    struct h_block *d = h_block(&w, NULL, "/d", "1", 1);
    d->dark = true;
    h_say1(&h, b, "p");
    if (dark)
      h_say1(&h, d, "q");
    h_turn(&h);
    assert_int_equal(h_give(&h, b), 0);
    h_turn(&h);
    assert_false(ocf_merkle_synced(h.m));
    assert_int_equal(h_give(&h, a), 0);
    h_turn(&h);
    assert_int_equal(ocf_merkle_synced(h.m), !dark);
    h_tick(&h, 10 * HS);
    assert_true(ocf_merkle_synced(h.m));
    assert_int_equal(h.n_synced, 1);
    h_free(&h);
  }
  h_world_fini(&w);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_an_incomplete_head_is_adopted_but_not_told),
  cmocka_unit_test(test_an_unfetchable_ancestor_delays_nobody_else),
  cmocka_unit_test(test_bad_heads_change_nothing),
  cmocka_unit_test(test_unasked_and_false_blocks_are_refused),
  cmocka_unit_test(test_children_are_fetched_at_once_for_the_announcer),
  cmocka_unit_test(test_a_deep_chain_is_bounded_work),
  cmocka_unit_test(test_many_parents_of_one_block_are_bounded_work),
  cmocka_unit_test(test_fetches_are_retried_and_banned),
  cmocka_unit_test(test_back_offs_grow),
  cmocka_unit_test(test_evicted_children_are_found_again),
  cmocka_unit_test(test_an_evicted_child_starts_a_search),
  cmocka_unit_test(test_an_announcement_ends_back_offs),
  cmocka_unit_test(test_repair_tries_everything_again),
  cmocka_unit_test(test_announcers_share_the_table),
  cmocka_unit_test(test_children_without_room_are_fetched_later),
  cmocka_unit_test(test_rebroadcast_names_unseen_heads),
  cmocka_unit_test(test_many_heads_take_turns),
  cmocka_unit_test(test_synced_after_silence),
  cmocka_unit_test(test_synced_after_the_announced_history),
};

OCF_TEST_MAIN(tests)
