/* The replica's rules, one test each: heads and completeness, whom a failure delays, retries and
 * bans, rebroadcast, SYNCED, own writes, restarts, limits. */
#include "testing/test.h"

#include "crdt/merkle/merkle_harness.h"
#include "testing/oom.h"

#define NONE NULL, 0

static struct h_block *block(struct h_world *w, const struct h_block *link, const char *key,
                             const char *value, uint64_t priority)
{
  return h_make_block(w, &link, link != NULL, key, value, NULL, priority);
}

static struct h_block *join(struct h_world *w, const struct h_block *a, const struct h_block *b,
                            const char *key, const char *value, uint64_t priority)
{
  const struct h_block *links[2] = { a, b };
  return h_make_block(w, links, 2, key, value, NULL, priority);
}

/* Worlds move their blocks as they grow; these tests keep pointers, so room is made first. */
static void world(struct h_world *w)
{
  *w = (struct h_world){ .cap = 256 };
  w->b = malloc(w->cap * sizeof(w->b[0]));
  assert_non_null(w->b);
}

static struct ocf_merkle_stats stats(struct h_node *h)
{
  struct ocf_merkle_stats st;
  ocf_merkle_stats(h->m, &st);
  return st;
}

static bool asked_for(const struct h_node *h, const struct h_block *b)
{
  for (size_t i = 0; i < h->n_asked; i++)
    if (memcmp(h->asked[i], b->id, ID) == 0)
      return true;
  return false;
}

/* Whether one of the published payloads names the block. */
static bool was_cast(const struct h_node *h, const uint8_t id[ID])
{
  for (size_t i = 0; i < h->n_casts; i++) {
    struct ocf_merkle_heads heads;
    struct ocf_cid cid;
    uint8_t got[ID];
    assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(h->casts[i].p, h->casts[i].n), &heads), 0);
    while (ocf_merkle_heads_next(&heads, &cid))
      if (ocf_merkle_link_id(&cid, got) && memcmp(got, id, ID) == 0)
        return true;
  }
  return false;
}

static void clear_casts(struct h_node *h)
{
  while (h->n_casts > 0)
    free(h->casts[--h->n_casts].p);
}

static int give(struct h_node *h, const struct h_block *b)
{
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  ocf_merkle_cid(b->id, cid);
  h_forget(h, b->id);
  return ocf_merkle_block(h->m, h->now, cid, ocf_bytes(b->p, b->n));
}

static void fail_fetch(struct h_node *h, const struct h_block *b, bool permanent)
{
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  ocf_merkle_cid(b->id, cid);
  h_forget(h, b->id);
  ocf_merkle_fetch_failed(h->m, h->now, cid, permanent);
}

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
  world(&w);
  h_new(&h, 1);
  struct h_block *old = block(&w, NULL, "/a", "1", 1);
  struct h_block *tip = block(&w, old, "/b", "2", 2);
  old->dark = true;
  h_say1(&h, tip, "p");
  h_sync(&h, &w, 0);
  h_expect(&h, "/b", "2");
  h_expect_heads(&h, NONE);
  assert_int_equal(ocf_merkle_head_next(h.m, NULL, &head), 0);
  assert_false(head.complete);
  assert_int_equal(head.height, 2);
  assert_memory_equal(head.cid + CID_HEAD, tip->id, ID);
  assert_int_equal(stats(&h).adopted, 1);
  for (int i = 0; i < 4; i++)
    h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 0);

  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/own"), OCF_STR("x")), 0);
  h_turn(&h);
  assert_int_equal(ocf_merkle_get(h.m, OCF_STR("/own"), &v, &priority), 0);
  assert_int_equal(priority, 3);
  assert_int_equal(h.n_casts, 1);
  assert_int_equal(stats(&h).heads, 1);

  old->dark = false;
  for (int i = 0; i < 200 && stats(&h).incomplete > 0; i++) {
    h_tick(&h, 7 * HS);
    h_sync(&h, &w, 0);
  }
  assert_int_equal(stats(&h).heads, 2);
  assert_int_equal(stats(&h).adopted, 0);
  assert_false(stats(&h).dirty);
  clear_casts(&h);
  h_tick(&h, 7 * HS);
  assert_true(was_cast(&h, tip->id));
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
  world(&w);
  h_new(&h, 1);
  struct h_block *root = block(&w, NULL, "/a", "1", 1);
  struct h_block *honest = block(&w, root, "/a", "2", 2);
  struct h_block *dark = block(&w, NULL, "/x", "x", 1);
  struct h_block *hostile = join(&w, honest, dark, "/x", "y", 9);
  struct h_block *next = block(&w, honest, "/a", "3", 3);
  dark->dark = true;
  h_say1(&h, hostile, "bad");
  h_sync(&h, &w, 0);
  h_expect_head(&h, honest);
  h_say1(&h, next, "good");
  h_sync(&h, &w, 0);
  h_expect_head(&h, next);
  h_expect(&h, "/a", "3");
  h_expect(&h, "/x", "y"); /* merged as in Go */
  assert_int_equal(stats(&h).incomplete, 1);
  h_tick(&h, 7 * HS); /* they were heard in this interval, not in the next */
  h_tick(&h, 7 * HS);
  assert_true(was_cast(&h, next->id));
  assert_false(was_cast(&h, hostile->id));
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: heads that nobody gives, that are empty or garbage, change nothing and hold nothing up. */
static void test_bad_heads_change_nothing(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  world(&w);
  h_new(&h, 1);
  struct h_block *good = block(&w, NULL, "/a", "1", 1);
  struct h_block *dark = block(&w, NULL, "/d", "1", 1);
  struct h_block *empty = h_add_block(&w, ocf_bytes(NULL, 0));
  struct h_block *garbage = h_add_block(&w, OCF_STR("\x0a\x03\xff\xff\xff"));
  struct h_block *no_node = h_add_block(&w, OCF_STR("hello"));
  struct h_block *bad_text = block(&w, NULL, "/\xff\xfe", "1", 1);
  const struct h_block *all[] = { dark, garbage, no_node, bad_text, good };
  dark->dark = true;
  h_say(&h, all, 5, "p");
  h_sync(&h, &w, 0);
  h_expect_head(&h, good);
  assert_int_equal(stats(&h).blocks, 1);
  assert_int_equal(stats(&h).blocks_bad, 3);
  assert_int_equal(h.n_asked, 1);
  h_say(&h, all, 5, "p"); /* remembered: not asked for again */
  h_turn(&h);
  assert_int_equal(h.n_asked, 1);
  /* The empty block is a node without links: a head of height 0 as in Go. */
  h_say1(&h, empty, "p");
  h_sync(&h, &w, 0);
  assert_int_equal(stats(&h).heads, 2);
  assert_int_equal(stats(&h).rows, 1);
  assert_false(stats(&h).dirty);
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
  world(&w);
  h_new(&h, 1);
  struct h_block *a = block(&w, NULL, "/a", "1", 1), *b = block(&w, a, "/a", "2", 2);
  assert_int_equal(give(&h, a), OCF_ENOENT);
  h_say1(&h, b, "p");
  h_turn(&h);
  ocf_merkle_cid(b->id, cid);
  assert_int_equal(ocf_merkle_block(h.m, h.now, cid, ocf_bytes(a->p, a->n)), OCF_ECRYPTO);
  cid[1] = OCF_CID_RAW;
  assert_int_equal(ocf_merkle_block(h.m, h.now, cid, ocf_bytes(b->p, b->n)), OCF_ENOENT);
  assert_int_equal(give(&h, b), 0);
  assert_int_equal(give(&h, b), OCF_ENOENT); /* stored already */
  h_turn(&h);
  assert_int_equal(give(&h, a), 0);
  assert_int_equal(stats(&h).blocks_unasked, 3);
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
  world(&w);
  h_new(&h, 1);
  struct h_block *a = block(&w, NULL, "/a", "1", 1), *b = block(&w, NULL, "/b", "1", 1);
  struct h_block *c = join(&w, a, b, "/c", "1", 2);
  h_say1(&h, c, "peer one");
  h_turn(&h);
  assert_int_equal(give(&h, c), 0);
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
  assert_int_equal(give(&h, a), 0);
  h_turn(&h);
  assert_true(h.last.direct);
  assert_true(ocf_bytes_eq(h.last.announcer, OCF_STR("peer two")));
  assert_int_equal(give(&h, b), 0);
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
    assert_int_equal(give(&h, b), 0);
  }
  assert_true(most < 1 << 20);
  assert_true(ocf_merkle_deadline(h.m) == 0);
  h_turn(&h);
  assert_int_equal(stats(&h).heads, 0);
  for (int i = 0; i < 10; i++)
    h_tick(&h, 1);
  h_restart(&h);
  assert_false(ocf_merkle_synced(h.m));
  h_work(&h);
  h_turn(&h);
  h_expect_head(&h, &w.b[DEEP - 1]);
  assert_int_equal(stats(&h).incomplete, 0);
  h_expect(&h, "/odd", "19999");
  h_tick(&h, 7 * HS);
  assert_true(was_cast(&h, w.b[DEEP - 1].id));
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
  world(&w);
  h_init(&h, 1);
  h.cfg.work_max = 5;
  h_open(&h);
  struct h_block *root = block(&w, NULL, "/r", "r", 1);
  for (int i = 0; i < 200; i++) {
    (void)snprintf(value, sizeof(value), "%d", i);
    struct h_block *b = block(&w, root, "/k", value, 2);
    h_say1(&h, b, "p");
    h_turn(&h);
    assert_int_equal(give(&h, b), 0);
  }
  h_turn(&h);
  assert_int_equal(give(&h, root), 0);
  h_turn(&h);
  h_restart(&h);
  int ticks = 0;
  for (; ocf_merkle_deadline(h.m) == 0; ticks++)
    assert_int_equal(ocf_merkle_tick(h.m, h.now), 0);
  assert_true(ticks > 20);
  assert_int_equal(stats(&h).heads, 200);
  assert_int_equal(stats(&h).incomplete, 0);
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
  world(&w);
  h_init(&h, 1);
  h.cfg.ban_failures = 10;
  h.cfg.ban_age_ns = 3600 * HS;
  h_open(&h);
  struct h_block *dark = block(&w, NULL, "/a", "1", 1), *tip = block(&w, dark, "/b", "1", 2);
  dark->dark = true;
  h_say1(&h, tip, "p");
  h_sync(&h, &w, 0);
  assert_true(asked_for(&h, dark));
  assert_false(stats(&h).dirty);
  uint64_t began = h.now;
  h_tick(&h, 59 * HS);
  assert_true(asked_for(&h, dark));
  h_tick(&h, HS);
  assert_false(asked_for(&h, dark)); /* UNFETCH */
  assert_true(stats(&h).dirty);
  assert_int_equal(stats(&h).retrying, 1);
  h_tick(&h, 5 * HS);
  assert_true(asked_for(&h, dark));
  while (stats(&h).bans == 0) {
    h_tick(&h, 10 * HS);
    assert_true(h.now < began + 20000 * HS);
  }
  assert_true(stats(&h).fetch_failures >= 10 && h.now - began >= 3600 * HS);
  assert_false(asked_for(&h, dark));
  h_restart(&h);
  h_say1(&h, dark, "p");
  h_tick(&h, 4000 * HS); /* past a repair */
  h_work(&h);
  h_turn(&h);
  assert_false(asked_for(&h, dark));
  assert_true(stats(&h).dirty);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: the repair tries missing blocks at once, whatever their back-off. */
static void test_repair_tries_everything_again(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  world(&w);
  h_init(&h, 1);
  h.cfg.retry_min_ns = h.cfg.retry_max_ns = 100000 * HS;
  h_open(&h);
  struct h_block *dark = block(&w, NULL, "/a", "1", 1), *tip = block(&w, dark, "/b", "1", 2);
  dark->dark = true;
  h_say1(&h, tip, "p");
  h_sync(&h, &w, 0);
  fail_fetch(&h, dark, false);
  h_tick(&h, 3000 * HS);
  assert_false(asked_for(&h, dark));
  h_tick(&h, 601 * HS);
  assert_true(asked_for(&h, dark));
  fail_fetch(&h, dark, true); /* bad: not by a repair either */
  h_tick(&h, 3601 * HS);
  h_work(&h);
  h_turn(&h);
  assert_false(asked_for(&h, dark));
  fail_fetch(&h, dark, true); /* unknown by now */
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: one announcer's many heads do not keep out another's; the table is bounded; what was given
 * up makes room. */
static void test_announcers_share_the_table(void **state)
{
  struct h_world w;
  struct h_node h;
  char key[16];
  const struct h_block *many[60];
  (void)state;
  world(&w);
  h_init(&h, 1);
  h.cfg.fetches_max = 20;
  h.cfg.per_announcer_max = 10;
  h.cfg.active_max = 12;
  h_open(&h);
  for (int i = 0; i < 60; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    struct h_block *b = block(&w, NULL, key, "x", 1);
    b->dark = i < 50;
    many[i] = b;
  }
  h_say(&h, many, 50, "bad");
  h_turn(&h);
  assert_int_equal(h.n_asked, 10);
  assert_int_equal(stats(&h).heads_dropped, 40);
  h_say(&h, many + 10, 40, "worse");
  h_turn(&h);
  assert_int_equal(h.n_asked, 12);
  assert_int_equal(stats(&h).fetches, 20);
  h_say(&h, many + 50, 10, "good"); /* no room yet */
  h_turn(&h);
  assert_int_equal(stats(&h).fetches, 20);
  h_tick(&h, 10 * HS); /* stalled: their places go to those who wait */
  while (ocf_merkle_deadline(h.m) <= h.now)
    h_tick(&h, 0);
  assert_int_equal(stats(&h).retrying, 8);
  h_say(&h, many + 50, 10, "good");
  h_sync(&h, &w, 0);
  h_tick(&h, 10 * HS);
  h_sync(&h, &w, 0);
  assert_int_equal(stats(&h).blocks, 10);
  assert_true(stats(&h).fetches <= 20);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: children over the table's bound are found again in the store. */
static void test_children_without_room_are_fetched_later(void **state)
{
  struct h_world w;
  struct h_node h;
  const struct h_block *links[16];
  char key[16];
  (void)state;
  world(&w);
  h_init(&h, 1);
  h.cfg.fetches_max = 6;
  h.cfg.per_announcer_max = 3;
  h_open(&h);
  for (int i = 0; i < 16; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    links[i] = block(&w, NULL, key, "x", 1);
  }
  struct h_block *tip = h_make_block(&w, links, 16, "/tip", "x", NULL, 2);
  h_say1(&h, tip, "p");
  for (int i = 0; i < 100 && stats(&h).incomplete + (stats(&h).blocks == 0) > 0; i++) {
    h_sync(&h, &w, i % 3);
    assert_true(stats(&h).fetches <= 6);
    h_tick(&h, 1 * HS);
  }
  h_expect_head(&h, tip);
  assert_int_equal(stats(&h).rows, 17);
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
  world(&w);
  h_new(&h, 1);
  struct h_block *a = block(&w, NULL, "/a", "1", 1), *b = block(&w, NULL, "/b", "1", 1);
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
  assert_true(was_cast(&h, b->id) && !was_cast(&h, a->id));
  h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 2);
  assert_true(was_cast(&h, a->id));
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: more heads than fit one round are all announced in turn. */
static void test_many_heads_take_turns(void **state)
{
  struct h_world w;
  struct h_node h;
  const struct h_block *all[30];
  char key[16];
  (void)state;
  world(&w);
  h_init(&h, 1);
  h.cfg.round_max = 8;
  h_open(&h);
  for (int i = 0; i < 30; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    all[i] = block(&w, NULL, key, "x", 1);
  }
  h_say(&h, all, 30, "p");
  h_sync(&h, &w, 0);
  h_tick(&h, 7 * HS);
  clear_casts(&h);
  for (int i = 0; i < 5; i++)
    h_tick(&h, 7 * HS);
  for (int i = 0; i < 30; i++)
    assert_true(was_cast(&h, all[i]->id));
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
  world(&w);
  for (int dark = 0; dark < 2; dark++) {
    h_new(&h, 1);
    struct h_block *a = block(&w, NULL, "/a", "1", 1), *b = block(&w, a, "/b", "1", 2);
    struct h_block *d = block(&w, NULL, "/d", "1", 1);
    d->dark = true;
    h_say1(&h, b, "p");
    if (dark)
      h_say1(&h, d, "q");
    h_turn(&h);
    assert_int_equal(give(&h, b), 0);
    h_turn(&h);
    assert_false(ocf_merkle_synced(h.m));
    assert_int_equal(give(&h, a), 0);
    h_turn(&h);
    assert_int_equal(ocf_merkle_synced(h.m), !dark);
    h_tick(&h, 10 * HS);
    assert_true(ocf_merkle_synced(h.m));
    assert_int_equal(h.n_synced, 1);
    h_free(&h);
  }
  h_world_fini(&w);
}

/* ---- own writes ---- */

static void test_put_and_delete_give_go_blocks(void **state)
{
  struct h_node h;
  struct ocf_bytes v, bytes;
  struct ocf_merkle_head head;
  uint64_t priority = 0;
  uint8_t mh[34] = { 0x12, 0x20 };
  /* "put" and "put-delete" of the recorded histories */
  static const char put[] = "\x0a\x0b\x0a\x07\x0a\x02/k\x1a\x01v\x18\x01";
  (void)state;
  h_new(&h, 1);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("k"), OCF_STR("v")), 0);
  h_turn(&h);
  assert_true(h.last.local && !h.last.direct && h.last.announcer.n == 0);
  assert_int_equal(ocf_merkle_head_next(h.m, NULL, &head), 0);
  memcpy(mh + 2, head.cid + CID_HEAD, ID);
  assert_int_equal(ocf_merkle_get_block(h.m, ocf_bytes(mh, 34), &bytes), 0);
  assert_true(ocf_bytes_eq(bytes, ocf_bytes(put, sizeof(put) - 1)));
  assert_true(was_cast(&h, head.cid + CID_HEAD));
  assert_int_equal(h.n_stored, 1);
  assert_int_equal(ocf_merkle_get(h.m, OCF_STR("/k"), &v, &priority), 0);
  assert_int_equal(priority, 1);

  clear_casts(&h);
  assert_int_equal(ocf_merkle_delete(h.m, h.now, OCF_STR("//k/./")), 0);
  h_turn(&h);
  h_expect(&h, "/k", NULL);
  assert_int_equal(h.n_deletes, 1);
  assert_int_equal(h.n_casts, 1);
  assert_int_equal(ocf_merkle_head_next(h.m, NULL, &head), 0);
  assert_int_equal(head.height, 2);
  static const uint8_t put_delete[ID] = { 0xbf, 0xa3, 0xf7, 0xa2, 0x49, 0x3f, 0x23, 0x52,
                                          0x63, 0x87, 0x23, 0xf6, 0x7e, 0xfa, 0x7a, 0x1e,
                                          0x63, 0xd5, 0xc1, 0xc3, 0x7c, 0x39, 0xad, 0xf1,
                                          0xc0, 0x2e, 0x5f, 0x0b, 0x30, 0x4f, 0xe9, 0xe8 };
  assert_memory_equal(head.cid + CID_HEAD, put_delete, ID);
  assert_int_equal(ocf_merkle_delete(h.m, h.now, OCF_STR("/k")), 0); /* nothing known any more */
  assert_int_equal(ocf_merkle_delete(h.m, h.now, OCF_STR("/other")), 0);
  h_turn(&h);
  assert_int_equal(h.n_casts, 1);
  assert_int_equal(stats(&h).blocks, 2);
  mh[0] = 0;
  assert_int_equal(ocf_merkle_get_block(h.m, ocf_bytes(mh, 34), &bytes), OCF_ENOENT);
  assert_int_equal(ocf_merkle_get_block(h.m, ocf_bytes(mh, 3), &bytes), OCF_ENOENT);
  h_check_rows(&h);
  h_free(&h);
}

static void test_bad_writes_are_refused(void **state)
{
  struct h_node h;
  uint8_t *big = calloc(1, 2 << 20);
  (void)state;
  assert_non_null(big);
  h_new(&h, 1);
  memset(big, 'x', 2 << 20);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes(NULL, 0)), OCF_EINVAL);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR(""), OCF_STR("v")), OCF_EINVAL);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/../."), OCF_STR("v")), OCF_EINVAL);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("\xff"), OCF_STR("v")), OCF_EINVAL);
  assert_int_equal(ocf_merkle_delete(h.m, h.now, OCF_STR("/")), OCF_EINVAL);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes(big, 1 << 20)), OCF_ELIMIT);
  assert_int_equal(ocf_merkle_put(h.m, h.now, ocf_bytes(big, 1 << 20), OCF_STR("v")), OCF_ELIMIT);
  assert_int_equal(stats(&h).blocks, 0);
  assert_int_equal(stats(&h).rollbacks, 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes(big, (1 << 20) - 200)), 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, ocf_bytes(big, 200000), OCF_STR("long key")), 0);
  h.no_table = true;
  h_turn(&h);
  struct ocf_bytes v;
  assert_int_equal(ocf_merkle_get(h.m, ocf_bytes(big, 200000), &v, NULL), 0);
  assert_true(ocf_bytes_eq(v, OCF_STR("long key")));
  assert_int_equal(stats(&h).rows, 2);
  free(big);
  h_free(&h);
}

/* Goal: a hostile record at priority 2^64-1 with greater bytes does not outlast an own write, here
 * or on another replica that hears only of the end. */
static void test_own_writes_win_over_the_highest_priority(void **state)
{
  struct h_world w;
  struct h_node h, other;
  struct ocf_merkle_head head;
  (void)state;
  world(&w);
  h_new(&h, 1);
  h_new(&other, 2);
  struct h_block *evil = block(&w, NULL, "/me", "zzz", UINT64_MAX);
  h_say1(&h, evil, "bad");
  h_sync(&h, &w, 0);
  h_expect(&h, "/me", "zzz");
  for (int i = 0; i < 3; i++) {
    char value[] = "mine 0";
    value[5] = (char)('2' - i); /* smaller and smaller bytes */
    assert_int_equal(
        ocf_merkle_put(h.m, h.now, OCF_STR("/me"), ocf_bytes(value, sizeof(value) - 1)), 0);
    h_turn(&h);
    h_expect(&h, "/me", value);
  }
  assert_int_equal(stats(&h).heads, 1);
  assert_int_equal(ocf_merkle_head_next(h.m, NULL, &head), 0);
  assert_true(head.height == UINT64_MAX);

  h_say1(&other, evil, "bad");
  h_sync(&other, &w, 0);
  struct ocf_bytes k, v;
  uint8_t at[ID + 2] = { 'b' };
  for (size_t n = 1; ocf_kv_seek(h.kv, ocf_bytes(at, n), &k, &v) == 0 && k.p[0] == 'b';) {
    (void)h_add_block(&w, v);
    memcpy(at, k.p, k.n);
    at[k.n] = 0;
    n = k.n + 1;
  }
  h_say1(&other, h_find(&w, head.cid + CID_HEAD), "p");
  h_sync(&other, &w, 0);
  h_expect(&other, "/me", "mine 0");
  h_check_rows(&other);
  h_free(&h);
  h_free(&other);
  h_world_fini(&w);
}

/* Goal: a put wins over an older record of higher priority that is no head any more (a history
 * whose priorities are no heights). */
static void test_a_put_is_above_the_key_itself(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  world(&w);
  h_new(&h, 1);
  struct h_block *a = block(&w, NULL, "/k", "old", 10), *b = block(&w, a, "/x", "1", 5);
  h_say1(&h, b, "p");
  h_sync(&h, &w, 0);
  h_expect_head(&h, b);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("new")), 0);
  h_turn(&h);
  h_expect(&h, "/k", "new");
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: a key with a long history is deleted by several blocks, each within the limit. */
static void test_a_long_history_is_deleted_in_parts(void **state)
{
  struct h_node h;
  char value[16];
  (void)state;
  h_init(&h, 1);
  h.cfg.block_bytes_max = 4096;
  h_open(&h);
  for (int i = 0; i < 200; i++) {
    (void)snprintf(value, sizeof(value), "%d", i);
    assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes(value, strlen(value))), 0);
  }
  h_turn(&h);
  assert_int_equal(h.n_puts, 1); /* told once, as it stands */
  assert_int_equal(h.n_casts, 1);
  assert_int_equal(stats(&h).elements, 200);
  assert_int_equal(ocf_merkle_delete(h.m, h.now, OCF_STR("/k")), 0);
  h_turn(&h);
  assert_true(stats(&h).deletes > 3);
  assert_int_equal(stats(&h).elements, 0);
  assert_int_equal(stats(&h).tombstones, 200);
  h_expect(&h, "/k", NULL);
  assert_int_equal(stats(&h).heads, 1);
  h_check_counts(&h);
  h_free(&h);
}

/* Goal: a write links at most links_max heads; the others remain heads, and go with later writes.
 */
static void test_links_are_bounded(void **state)
{
  struct h_world w;
  struct h_node h;
  const struct h_block *all[30];
  char key[16];
  (void)state;
  world(&w);
  h_init(&h, 1);
  h.cfg.links_max = 10;
  h_open(&h);
  for (int i = 0; i < 30; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    all[i] = block(&w, NULL, key, "x", 1);
  }
  h_say(&h, all, 30, "p");
  h_sync(&h, &w, 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  assert_int_equal(stats(&h).heads, 21);
  for (int i = 0; i < 3; i++)
    assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  assert_int_equal(stats(&h).heads, 1);
  h_turn(&h);
  h_free(&h);
  h_world_fini(&w);
}

/* ---- transactions ---- */

/* Goal: nothing is told of a write before its commit, and nothing of it is left without one. */
static void test_nothing_is_promised_before_the_commit(void **state)
{
  struct h_node h;
  struct ocf_merkle_effect fx;
  (void)state;
  h_new(&h, 1);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  assert_false(ocf_merkle_effect(h.m, h.now, &fx));
  h_restart(&h);
  h_expect(&h, "/k", NULL);
  h_turn(&h);
  assert_int_equal(h.n_casts, 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  assert_int_equal(ocf_merkle_commit(h.m, h.now), 0); /* the event is not pulled */
  h_restart(&h);
  h_expect(&h, "/k", "v");
  h_turn(&h);
  assert_int_equal(h.n_puts, 1); /* told after the restart */
  h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 1);
  h_free(&h);
}

/* Goal: a full store rolls the turn back and the replica goes on when there is room again. */
static void test_a_full_store_is_no_end(void **state)
{
  struct h_node h;
  char value[1024];
  int err = 0, n = 0;
  (void)state;
  h_init(&h, 1);
  ocf_kv_mem_close(h.kv);
  assert_int_equal(ocf_kv_mem_open(&h.a, 20000, &h.kv), 0);
  h.cfg.kv = h.kv;
  h_open(&h);
  memset(value, 'v', sizeof(value));
  for (; err == 0 && n < 100; n++) {
    value[0] = (char)n;
    err = ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes(value, sizeof(value)));
    if (err == 0)
      err = ocf_merkle_commit(h.m, h.now);
  }
  assert_int_equal(err, OCF_ELIMIT);
  assert_true(n > 5 && stats(&h).rollbacks == 1);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes("small", 5)), 0);
  h.no_table = true;
  h_turn(&h);
  h_expect(&h, "/k", "small");
  h_check_counts(&h);
  h_free(&h);
}

/* A store that takes so many changes in a transaction, as store/lmdb does, and counts commits. */
struct narrow_kv {
  struct ocf_kv kv;
  struct ocf_kv *real;
  size_t n, most, n_commits, kill_at; /* kill_at: this commit and all later ones fail */
};

static struct narrow_kv *narrow(struct ocf_kv *kv)
{
  return OCF_CONTAINER_OF(kv, struct narrow_kv, kv);
}

static int n_get(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val)
{
  return ocf_kv_get(narrow(kv)->real, key, val);
}

static int n_put(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val)
{
  return ++narrow(kv)->n > 32768 ? OCF_ELIMIT : ocf_kv_put(narrow(kv)->real, key, val);
}

static int n_del(struct ocf_kv *kv, struct ocf_bytes key)
{
  return ++narrow(kv)->n > 32768 ? OCF_ELIMIT : ocf_kv_del(narrow(kv)->real, key);
}

static int n_seek(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
                  struct ocf_bytes *val)
{
  return ocf_kv_seek(narrow(kv)->real, from, key, val);
}

static void n_abort(struct ocf_kv *kv)
{
  narrow(kv)->n = 0;
  ocf_kv_abort(narrow(kv)->real);
}

static int n_commit(struct ocf_kv *kv)
{
  struct narrow_kv *s = narrow(kv);
  s->most = OCF_MAX(s->most, s->n);
  s->n = 0;
  if (s->kill_at != 0 && s->n_commits + 1 >= s->kill_at) {
    n_abort(kv);
    return OCF_EIO;
  }
  s->n_commits++;
  return ocf_kv_commit(s->real);
}

static uint64_t n_bytes(const struct ocf_kv *kv)
{
  return ocf_kv_bytes(OCF_CONTAINER_OF_CONST(kv, struct narrow_kv, kv)->real);
}

static const struct ocf_kv_ops narrow_ops = { n_get,    n_put,   n_del,  n_seek,
                                              n_commit, n_abort, n_bytes };

enum { MANY = 20000 };

/* A block of MANY elements and as many tombstones of another one's. */
static struct h_block *huge_block(struct h_world *w, const struct h_block *link, const char *value)
{
  struct ocf_alloc a;
  struct ocf_buf delta, block;
  char key[16], text[64];
  uint8_t cid[OCF_CID_BLOCK_SIZE] = { 0 };
  struct ocf_bytes view = ocf_bytes(cid, sizeof(cid));
  ocf_alloc_init(&a);
  ocf_buf_init(&delta, &a, 8 << 20);
  ocf_buf_init(&block, &a, 8 << 20);
  for (int i = 0; i < MANY; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    struct ocf_merkle_element e = { ocf_bytes(key, strlen(key)), { NULL, 0 }, { NULL, 0 } };
    e.value = ocf_bytes(value, strlen(value));
    assert_int_equal(ocf_merkle_delta_add(&delta, OCF_MERKLE_ELEMENTS, &e), 0);
    if (link == NULL || i % 4 != 0)
      continue;
    ocf_merkle_tomb_id(link->id, text);
    e = (struct ocf_merkle_element){ e.key, ocf_bytes(text, strlen(text)), { NULL, 0 } };
    assert_int_equal(ocf_merkle_delta_add(&delta, OCF_MERKLE_TOMBSTONES, &e), 0);
  }
  assert_int_equal(ocf_merkle_delta_end(&delta, link != NULL ? 2 : 1), 0);
  if (link != NULL)
    ocf_merkle_cid(link->id, cid);
  assert_int_equal(ocf_dagpb_encode(&view, link != NULL, ocf_buf_view(&delta), &block), 0);
  struct h_block *b = h_add_block(w, ocf_buf_view(&block));
  ocf_buf_fini(&delta);
  ocf_buf_fini(&block);
  return b;
}

/* Goal: a block with more elements than a transaction takes is merged in parts; whichever part a
 * kill comes after, the next run ends it, without being told of the block again. */
static void test_a_huge_block_is_merged_in_parts(void **state)
{
  static struct h_node h;
  struct h_world w;
  (void)state;
  world(&w);
  size_t n_killed = 0;
  struct h_block *a = huge_block(&w, NULL, "1"), *b = huge_block(&w, a, "2");
  for (size_t kill = 0; kill < 8; kill++) {
    struct narrow_kv s = { .kv = { &narrow_ops }, .kill_at = kill };
    h_init(&h, 1);
    s.real = h.kv;
    h.cfg.kv = &s.kv;
    h.cfg.block_bytes_max = 2 << 20;
    h.no_table = true;
    h_open(&h);
    h_say1(&h, b, "p");
    struct ocf_merkle_effect fx;
    assert_true(ocf_merkle_effect(h.m, h.now, &fx));
    int err = give(&h, b);
    assert_int_equal(err, h.m->err);
    n_killed += err != 0;
    if (err == 0)
      n_killed += give(&h, a) != 0;
    s.kill_at = 0;
    h_restart(&h);
    if (kill == 0)
      h_say1(&h, b, "p");
    h_sync(&h, &w, 0);
    h_tick(&h, 1 * HS);
    if (stats(&h).blocks < 2) { /* killed before the first part was kept */
      h_say1(&h, b, "p");
      h_sync(&h, &w, 0);
    }
    h_expect_head(&h, b);
    h_expect(&h, "/19999", "2");
    assert_int_equal(stats(&h).rows, MANY);
    assert_int_equal(stats(&h).elements, 2 * MANY - MANY / 4);
    assert_int_equal(h_count_rows(&h, 'p'), 0);
    assert_true(s.most > 8192 && s.most <= 32768);
    h_check_counts(&h);
    h_free(&h);
  }
  assert_true(n_killed >= 3);
  h_world_fini(&w);
}

/* Goal: so do many blocks in one turn, and blocks with as many links as fit. */
static void test_a_large_turn_is_committed_in_parts(void **state)
{
  static struct h_node h;
  struct h_world w = { .unique = true };
  struct narrow_kv s = { .kv = { &narrow_ops } };
  const struct h_block *links[16];
  char value[16];
  (void)state;
  w.cap = 9000;
  w.b = malloc(w.cap * sizeof(w.b[0]));
  assert_non_null(w.b);
  h_init(&h, 1);
  s.real = h.kv;
  h.cfg.kv = &s.kv;
  h.cfg.fetches_max = h.cfg.active_max = h.cfg.per_announcer_max = 20000;
  h.no_table = true;
  h_open(&h);
  for (int i = 0; i < 8000; i++) {
    (void)snprintf(value, sizeof(value), "/%d", i);
    links[0] = h_make_block(&w, NULL, 0, value, value, NULL, 1);
    h_say1(&h, links[0], "p");
  }
  struct ocf_merkle_effect fx;
  while (ocf_merkle_effect(h.m, h.now, &fx))
    h_effect(&h, &fx);
  for (size_t i = 0; i < w.n; i++) { /* no turn in between */
    uint8_t cid[OCF_CID_BLOCK_SIZE];
    ocf_merkle_cid(w.b[i].id, cid);
    assert_int_equal(ocf_merkle_block(h.m, h.now, cid, ocf_bytes(w.b[i].p, w.b[i].n)), 0);
  }
  h_events(&h);
  assert_int_equal(h.n_puts, 8000);
  assert_int_equal(stats(&h).heads, 8000);
  assert_int_equal(stats(&h).rollbacks, 0);
  assert_true(s.n_commits > 3 && s.most <= 32768);
  h.n_asked = 0;
  h_turn(&h);
  h_check_counts(&h);
  h_free(&h);
  h_world_fini(&w);
}

/* A store that fails on demand. */
struct broken_kv {
  struct ocf_kv kv;
  struct ocf_kv *real;
  uint64_t n_calls, fail_at;
};

static bool broken(struct ocf_kv *kv)
{
  struct broken_kv *b = OCF_CONTAINER_OF(kv, struct broken_kv, kv);
  return b->fail_at != 0 && ++b->n_calls >= b->fail_at;
}

static struct ocf_kv *real(struct ocf_kv *kv)
{
  return OCF_CONTAINER_OF(kv, struct broken_kv, kv)->real;
}

static int b_get(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val)
{
  return broken(kv) ? OCF_EIO : ocf_kv_get(real(kv), key, val);
}

static int b_put(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val)
{
  return broken(kv) ? OCF_EIO : ocf_kv_put(real(kv), key, val);
}

static int b_del(struct ocf_kv *kv, struct ocf_bytes key)
{
  return broken(kv) ? OCF_EIO : ocf_kv_del(real(kv), key);
}

static int b_seek(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
                  struct ocf_bytes *val)
{
  return broken(kv) ? OCF_EIO : ocf_kv_seek(real(kv), from, key, val);
}

static int b_commit(struct ocf_kv *kv)
{
  return broken(kv) ? OCF_EIO : ocf_kv_commit(real(kv));
}

static void b_abort(struct ocf_kv *kv)
{
  ocf_kv_abort(real(kv));
}

static uint64_t b_bytes(const struct ocf_kv *kv)
{
  return ocf_kv_bytes(OCF_CONTAINER_OF_CONST(kv, struct broken_kv, kv)->real);
}

static const struct ocf_kv_ops broken_ops = { b_get,    b_put,   b_del,  b_seek,
                                              b_commit, b_abort, b_bytes };

/* A small life that touches everything. The first error ends it. */
static int life(struct h_node *h, const struct h_world *w)
{
  struct ocf_merkle_event ev;
  struct ocf_merkle_effect fx;
  struct ocf_merkle_head head;
  struct ocf_merkle_cursor c = { .begun = false };
  struct ocf_merkle_row row;
  uint8_t payload[40] = { 0x0a, 0x26, 0x0a, 0x24 }, cid[OCF_CID_BLOCK_SIZE];
  ocf_merkle_cid(w->b[w->n - 1].id, payload + 4);
  int err = ocf_merkle_open(&h->cfg, h->now, &h->m);
  if (err != 0)
    return err;
  err = ocf_merkle_broadcast(h->m, h->now, ocf_bytes(payload, sizeof(payload)), OCF_STR("p"));
  for (size_t i = w->n; err == 0 && i-- > 0;) {
    while (ocf_merkle_event(h->m, &ev))
      ;
    err = ocf_merkle_commit(h->m, h->now);
    while (err == 0 && ocf_merkle_effect(h->m, h->now, &fx))
      ;
    ocf_merkle_cid(w->b[i].id, cid);
    if (err == 0)
      err = ocf_merkle_block(h->m, h->now, cid, ocf_bytes(w->b[i].p, w->b[i].n));
    err = err == OCF_ENOENT ? 0 : err;
  }
  if (err == 0)
    err = ocf_merkle_put(h->m, h->now, OCF_STR("/own"), OCF_STR("x"));
  if (err == 0)
    err = ocf_merkle_delete(h->m, h->now, OCF_STR("/k"));
  if (err == 0)
    err = ocf_merkle_tick(h->m, h->now + 100 * HS);
  if (err == 0)
    err = ocf_merkle_commit(h->m, h->now + 100 * HS);
  while (err == 0 && ocf_merkle_effect(h->m, h->now, &fx))
    ;
  for (int got = 0; err == 0 && (got = ocf_merkle_next(h->m, &c, &row)) != OCF_ENOENT;)
    err = got;
  if (err == 0)
    err = ocf_merkle_head_next(h->m, NULL, &head);
  return err == OCF_ENOENT ? OCF_ENOMEM : err; /* the announcement was lost for lack of memory */
}

static void small_world(struct h_world *w)
{
  world(w);
  struct h_block *a = block(w, NULL, "/k", "1", 1), *b = block(w, NULL, "/k", "2", 1);
  struct h_block *c = join(w, a, b, "/l", "3", 2);
  const struct h_block *links[1] = { c };
  struct h_block *d = h_make_block(w, links, 1, "/k", NULL, b, 3);
  (void)block(w, d, "/m", "5", 4);
}

/* Goal: whichever call of the store fails, the replica answers OCF_EIO from then on, crashes never,
 * and leaks nothing. */
static void test_a_failing_store_ends_the_replica(void **state)
{
  struct h_world w;
  (void)state;
  small_world(&w);
  for (uint64_t at = 1;; at++) {
    struct h_node h;
    struct broken_kv b = { .kv = { &broken_ops }, .fail_at = at };
    struct ocf_bytes v;
    h_init(&h, 1);
    b.real = h.kv;
    h.cfg.kv = &b.kv;
    int err = life(&h, &w);
    if (h.m != NULL && err != 0) {
      assert_int_equal(err, OCF_EIO);
      assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), OCF_EIO);
      assert_int_equal(ocf_merkle_get(h.m, OCF_STR("/k"), &v, NULL), OCF_EIO);
      assert_int_equal(ocf_merkle_tick(h.m, h.now), OCF_EIO);
    }
    h_free(&h);
    if (b.n_calls < at) {
      assert_int_equal(err, 0);
      assert_true(at > 100);
      break;
    }
  }
  h_world_fini(&w);
}

static int life_on(struct ocf_alloc *a, void *ctx)
{
  struct h_node h = { .now = 1000 * HS };
  ocf_rng_seed(&h.rng, 1);
  int err = ocf_kv_mem_open(a, 0, &h.kv);
  if (err != 0)
    return err;
  ocf_merkle_config_init(&h.cfg);
  h.cfg.a = a;
  h.cfg.rng = &h.rng;
  h.cfg.kv = h.kv;
  err = life(&h, ctx);
  ocf_merkle_free(h.m);
  ocf_kv_mem_close(h.kv);
  return err;
}

static void test_out_of_memory_anywhere_is_an_error_and_leaks_nothing(void **state)
{
  struct h_world w;
  (void)state;
  small_world(&w);
  assert_true(ocf_oom_sweep(life_on, &w) > 50);
  h_world_fini(&w);
}

/* Goal: memory comes back after a failure and so does the replica: what was rolled back is fetched
 * again. */
static void test_a_replica_recovers_from_lack_of_memory(void **state)
{
  struct h_world w;
  (void)state;
  small_world(&w);
  for (uint64_t skip = 0; skip < 60; skip++) {
    struct h_node h;
    h_new(&h, skip);
    h_say1(&h, &w.b[4], "p");
    h_turn(&h);
    h.a.fail_at = h.a.n_calls + 1 + skip;
    for (size_t i = 5; i-- > 0;)
      (void)give(&h, &w.b[i]);
    h.a.fail_at = 0;
    for (int i = 0; i < 50; i++) {
      h_say1(&h, &w.b[4], "p");
      h_tick(&h, 5 * HS);
      h_sync(&h, &w, 0);
    }
    h_expect_head(&h, &w.b[4]);
    h_expect(&h, "/k", "1");
    h_expect(&h, "/m", "5");
    h_check_rows(&h);
    h_check_counts(&h);
    h_free(&h);
  }
  h_world_fini(&w);
}

static void test_a_foreign_store_is_refused(void **state)
{
  struct h_node h;
  (void)state;
  h_init(&h, 1);
  assert_int_equal(ocf_kv_put(h.kv, OCF_STR("other"), OCF_STR("x")), 0);
  assert_int_equal(ocf_merkle_open(&h.cfg, h.now, &h.m), OCF_EUNSUPP);
  assert_int_equal(ocf_kv_put(h.kv, OCF_STR("m"), OCF_STR("\x07")), 0);
  assert_int_equal(ocf_merkle_open(&h.cfg, h.now, &h.m), OCF_EUNSUPP);
  assert_int_equal(ocf_kv_put(h.kv, OCF_STR("m"), OCF_STR("\x01")), 0);
  assert_int_equal(ocf_merkle_open(&h.cfg, h.now, &h.m), OCF_EIO);
  h.cfg.links_max = 0;
  assert_int_equal(ocf_merkle_open(&h.cfg, h.now, &h.m), OCF_EINVAL);
  h_free(&h);
}

/* Goal: rows that no version of ours wrote are OCF_EIO, not trusted. */
static void test_damaged_rows_are_errors(void **state)
{
  static const char kinds[] = "bsehv";
  struct h_world w;
  (void)state;
  small_world(&w);
  for (size_t i = 0; kinds[i] != 0; i++) {
    struct h_node h;
    struct ocf_bytes k, v;
    uint8_t at[ROW_MAX + 2] = { (uint8_t)kinds[i] };
    h_new(&h, 1);
    h_say1(&h, &w.b[4], "p");
    h_sync(&h, &w, 0);
    for (size_t n = 1;
         ocf_kv_seek(h.kv, ocf_bytes(at, n), &k, &v) == 0 && k.p[0] == (uint8_t)kinds[i];) {
      memcpy(at, k.p, k.n);
      n = k.n;
      assert_int_equal(ocf_kv_put(h.kv, ocf_bytes(at, n), OCF_STR("xx")), 0);
      at[n++] = 0;
    }
    int err = ocf_merkle_get(h.m, OCF_STR("/k"), &v, NULL);
    if (err == 0)
      err = ocf_merkle_delete(h.m, h.now, OCF_STR("/k"));
    assert_int_equal(err, OCF_EIO);
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
  cmocka_unit_test(test_repair_tries_everything_again),
  cmocka_unit_test(test_announcers_share_the_table),
  cmocka_unit_test(test_children_without_room_are_fetched_later),
  cmocka_unit_test(test_rebroadcast_names_unseen_heads),
  cmocka_unit_test(test_many_heads_take_turns),
  cmocka_unit_test(test_synced_after_silence),
  cmocka_unit_test(test_synced_after_the_announced_history),
  cmocka_unit_test(test_put_and_delete_give_go_blocks),
  cmocka_unit_test(test_bad_writes_are_refused),
  cmocka_unit_test(test_own_writes_win_over_the_highest_priority),
  cmocka_unit_test(test_a_put_is_above_the_key_itself),
  cmocka_unit_test(test_a_long_history_is_deleted_in_parts),
  cmocka_unit_test(test_links_are_bounded),
  cmocka_unit_test(test_nothing_is_promised_before_the_commit),
  cmocka_unit_test(test_a_full_store_is_no_end),
  cmocka_unit_test(test_a_huge_block_is_merged_in_parts),
  cmocka_unit_test(test_a_large_turn_is_committed_in_parts),
  cmocka_unit_test(test_a_failing_store_ends_the_replica),
  cmocka_unit_test(test_out_of_memory_anywhere_is_an_error_and_leaks_nothing),
  cmocka_unit_test(test_a_replica_recovers_from_lack_of_memory),
  cmocka_unit_test(test_a_foreign_store_is_refused),
  cmocka_unit_test(test_damaged_rows_are_errors),
};

OCF_TEST_MAIN(tests)
