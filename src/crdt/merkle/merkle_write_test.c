/* Own writes: the blocks are Go's, they win, and they keep their bounds. */
#include "testing/test.h"

#include "crdt/merkle/merkle_harness.h"

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
  assert_true(h_was_cast(&h, head.cid + CID_HEAD));
  assert_int_equal(h.n_stored, 1);
  assert_int_equal(ocf_merkle_get(h.m, OCF_STR("/k"), &v, &priority), 0);
  assert_int_equal(priority, 1);

  h_clear_casts(&h);
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
  assert_int_equal(h_stats(&h).blocks, 2);
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
  assert_int_equal(h_stats(&h).blocks, 0);
  assert_int_equal(h_stats(&h).rollbacks, 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes(big, (1 << 20) - 200)), 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, ocf_bytes(big, 200000), OCF_STR("long key")), 0);
  h.no_table = true;
  h_turn(&h);
  struct ocf_bytes v;
  assert_int_equal(ocf_merkle_get(h.m, ocf_bytes(big, 200000), &v, NULL), 0);
  assert_true(ocf_bytes_eq(v, OCF_STR("long key")));
  assert_int_equal(h_stats(&h).rows, 2);
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
  h_world(&w);
  h_new(&h, 1);
  h_new(&other, 2);
  struct h_block *evil = h_block(&w, NULL, "/me", "zzz", UINT64_MAX);
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
  assert_int_equal(h_stats(&h).heads, 1);
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

/* Goal: of a put's two blocks the newer may come first. It loses against the hostile value, and
 * wins when the older one removes that: by then it is still known who announced it. */
static void test_a_value_that_comes_back_keeps_its_announcer(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  const struct h_block *evil = h_block(&w, NULL, "/me", "zzz", UINT64_MAX);
  struct h_block *removal = h_make_block(&w, &evil, 1, "/me", NULL, evil, UINT64_MAX);
  struct h_block *mine = h_block(&w, removal, "/me", "mine", UINT64_MAX);
  h_say1(&h, evil, "bad");
  h_sync(&h, &w, 0);
  assert_true(ocf_bytes_eq(h.last.announcer, OCF_STR("bad")));
  removal->dark = true;
  h_say1(&h, mine, "owner");
  h_sync(&h, &w, 0);
  h_expect(&h, "/me", "zzz");
  removal->dark = false;
  h_sync(&h, &w, 0);
  h_expect(&h, "/me", "mine");
  assert_true(ocf_bytes_eq(h.last.announcer, OCF_STR("owner")) && h.last.direct);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: a put wins over an older record of higher priority that is no head any more (a history
 * whose priorities are no heights). */
static void test_a_put_is_above_the_key_itself(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  struct h_block *a = h_block(&w, NULL, "/k", "old", 10), *b = h_block(&w, a, "/x", "1", 5);
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
  assert_int_equal(h_stats(&h).elements, 200);
  assert_int_equal(ocf_merkle_delete(h.m, h.now, OCF_STR("/k")), 0);
  h_turn(&h);
  assert_true(h_stats(&h).deletes > 3);
  assert_int_equal(h_stats(&h).elements, 0);
  assert_int_equal(h_stats(&h).tombstones, 200);
  h_expect(&h, "/k", NULL);
  assert_int_equal(h_stats(&h).heads, 1);
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
  char key[32];
  (void)state;
  h_world(&w);
  h_init(&h, 1);
  h.cfg.links_max = 10;
  h_open(&h);
  for (int i = 0; i < 30; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    all[i] = h_block(&w, NULL, key, "x", 1);
  }
  h_say(&h, all, 30, "p");
  h_sync(&h, &w, 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  assert_int_equal(h_stats(&h).heads, 21);
  for (int i = 0; i < 3; i++)
    assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  assert_int_equal(h_stats(&h).heads, 1);
  h_turn(&h);
  h_free(&h);
  h_world_fini(&w);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_put_and_delete_give_go_blocks),
  cmocka_unit_test(test_bad_writes_are_refused),
  cmocka_unit_test(test_own_writes_win_over_the_highest_priority),
  cmocka_unit_test(test_a_value_that_comes_back_keeps_its_announcer),
  cmocka_unit_test(test_a_put_is_above_the_key_itself),
  cmocka_unit_test(test_a_long_history_is_deleted_in_parts),
  cmocka_unit_test(test_links_are_bounded),
};

OCF_TEST_MAIN(tests)
