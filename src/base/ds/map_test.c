#include "base/ds/list.h"
#include "base/ds/lru.h"
#include "base/ds/map.h"
#include "testing/oom.h"
#include "testing/test.h"

static const uint64_t seed[2] = { 1, 2 };

struct item {
  struct ocf_map_node node;
  uint32_t key;
  bool seen;
};

static struct ocf_bytes key_of(const uint32_t *k)
{
  return ocf_bytes(k, sizeof(*k));
}

static struct item *item_of(struct ocf_map_node *n)
{
  return OCF_CONTAINER_OF(n, struct item, node);
}

/* Method: CPython 3.11 hashes bytes with SipHash-1-3; hash(bytes(range(n))) under PYTHONHASHSEED=0
 * (a zero key) and 42 (the key below, from its LCG) gave these. */
static void test_siphash13_agrees_with_cpython(void **state)
{
  (void)state;
  static const struct {
    size_t n;
    uint64_t zero, k42;
  } want[] = {
    { 1, UINT64_C(0x68a914128e01e473), UINT64_C(0xce880c366bcf3489) },
    { 7, UINT64_C(0x2f098ab0c751325a), UINT64_C(0xce280fabc397fbda) },
    { 8, UINT64_C(0xead411e67ebe2eea), UINT64_C(0x60866c3c108c6afb) },
    { 9, UINT64_C(0x75927f9d95124362), UINT64_C(0x68814005f7469e03) },
    { 15, UINT64_C(0xf30eb725bb91c9ea), UINT64_C(0x94ace24d68c18cf8) },
    { 16, UINT64_C(0x8972188433a5c5b7), UINT64_C(0x339176f3ac59ce05) },
    { 31, UINT64_C(0x169739443111d49b), UINT64_C(0x06f3af51bda71c61) },
    { 40, UINT64_C(0x95bc321ab41d8206), UINT64_C(0xde03d697bf20e38a) },
  };
  static const uint64_t zero[2] = { 0, 0 };
  static const uint64_t k42[2] = { UINT64_C(0xdc504fd368cd90af), UINT64_C(0xb920bb9ffe99e9c1) };
  uint8_t text[40];
  for (size_t i = 0; i < sizeof(text); i++)
    text[i] = (uint8_t)i;
  for (size_t i = 0; i < OCF_ARRAY_LEN(want); i++) {
    assert_true(ocf_siphash13(zero, text, want[i].n) == want[i].zero);
    assert_true(ocf_siphash13(k42, text, want[i].n) == want[i].k42);
  }
}

static void test_what_was_inserted_is_found_until_removed(void **state)
{
  (void)state;
  enum { N = 1000 };
  static struct item items[N];
  struct ocf_alloc a;
  struct ocf_map m;
  ocf_alloc_init(&a);
  ocf_map_init(&m, &a, seed, N);
  assert_null(ocf_map_find(&m, OCF_STR("none")));
  for (uint32_t i = 0; i < N; i++) {
    items[i].key = i * 7;
    assert_int_equal(ocf_map_insert(&m, &items[i].node, key_of(&items[i].key)), 0);
  }
  assert_true(m.n_slots >= N && m.n_slots < 4 * (size_t)N);
  for (uint32_t i = 0; i < N; i += 2)
    ocf_map_remove(&m, &items[i].node);
  for (uint32_t i = 0; i < N; i++) {
    struct ocf_map_node *got = ocf_map_find(&m, key_of(&items[i].key));
    assert_ptr_equal(got, i % 2 == 0 ? NULL : &items[i].node);
  }
  assert_int_equal(m.n, N / 2);
  ocf_map_fini(&m);
  assert_int_equal(a.live_bytes, 0);
}

static void test_a_trimmed_map_holds_the_same_in_a_table_that_fits(void **state)
{
  (void)state;
  enum { N = 1000 };
  static struct item items[N];
  struct ocf_alloc a;
  struct ocf_map m;
  ocf_alloc_init(&a);
  ocf_map_init(&m, &a, seed, N);
  for (uint32_t i = 0; i < N; i++) {
    items[i].key = i;
    assert_int_equal(ocf_map_insert(&m, &items[i].node, key_of(&items[i].key)), 0);
  }
  size_t most = a.live_bytes;
  for (uint32_t i = 10; i < N; i++)
    ocf_map_remove(&m, &items[i].node);
  a.fail_at = a.n_calls + 1;
  ocf_map_trim(&m);
  assert_int_equal(a.live_bytes, most); /* no memory for a smaller one: the old one stands */
  a.fail_at = 0;
  ocf_map_trim(&m);
  assert_true(a.live_bytes * 16 < most);
  for (uint32_t i = 0; i < N; i++)
    assert_ptr_equal(ocf_map_find(&m, key_of(&i)), i < 10 ? &items[i].node : NULL);
  for (uint32_t i = 0; i < 10; i++)
    ocf_map_remove(&m, &items[i].node);
  ocf_map_trim(&m);
  assert_int_equal(a.live_bytes, 0);
  assert_int_equal(ocf_map_insert(&m, &items[0].node, key_of(&items[0].key)), 0);
  ocf_map_fini(&m);
}

static void test_a_key_is_held_once_and_the_bound_is_kept(void **state)
{
  (void)state;
  struct item it[3] = { { .key = 1 }, { .key = 1 }, { .key = 2 } };
  struct ocf_alloc a;
  struct ocf_map m;
  ocf_alloc_init(&a);
  ocf_map_init(&m, &a, seed, 1);
  assert_int_equal(ocf_map_insert(&m, &it[0].node, key_of(&it[0].key)), 0);
  assert_int_equal(ocf_map_insert(&m, &it[1].node, key_of(&it[1].key)), OCF_EEXIST);
  assert_int_equal(ocf_map_insert(&m, &it[2].node, key_of(&it[2].key)), OCF_ELIMIT);
  assert_ptr_equal(ocf_map_find(&m, key_of(&it[1].key)), &it[0].node);
  ocf_map_fini(&m);
  ocf_map_init(&m, &a, seed, 0);
  assert_int_equal(ocf_map_insert(&m, &it[0].node, key_of(&it[0].key)), OCF_ELIMIT);
  ocf_map_fini(&m);
}

/* Goal: a walk sees each element once, also when it removes what it sees. */
static void test_a_walk_visits_each_once_and_may_remove(void **state)
{
  (void)state;
  enum { N = 300 };
  static struct item items[N];
  struct ocf_alloc a;
  struct ocf_map m;
  struct ocf_map_node *n = NULL;
  size_t seen = 0;
  ocf_alloc_init(&a);
  ocf_map_init(&m, &a, seed, N);
  assert_false(ocf_map_next(&m, &(struct ocf_map_iter){ .slot = 0 }, &n));
  for (uint32_t i = 0; i < N; i++) {
    items[i] = (struct item){ .key = i };
    assert_int_equal(ocf_map_insert(&m, &items[i].node, key_of(&items[i].key)), 0);
  }
  for (struct ocf_map_iter it = { .slot = 0 }; ocf_map_next(&m, &it, &n); seen++) {
    assert_false(item_of(n)->seen);
    item_of(n)->seen = true;
    if (seen % 3 != 0)
      ocf_map_remove(&m, n);
  }
  assert_int_equal(seen, N);
  assert_int_equal(m.n, N / 3);
  ocf_map_fini(&m);
}

/* Goal: a seeded simulation repeats. Method: same seed and history, same order; other seed, other.
 */
static void test_order_depends_on_seed_and_history_only(void **state)
{
  (void)state;
  enum { N = 50 };
  static struct item items[3][N];
  uint32_t order[3][N];
  for (size_t run = 0; run < 3; run++) {
    struct ocf_alloc a;
    struct ocf_map m;
    struct ocf_map_node *n = NULL;
    size_t at = 0;
    ocf_alloc_init(&a);
    ocf_map_init(&m, &a, (const uint64_t[2]){ 5, run / 2 }, N);
    for (uint32_t i = 0; i < N; i++) {
      items[run][i].key = i;
      assert_int_equal(ocf_map_insert(&m, &items[run][i].node, key_of(&items[run][i].key)), 0);
    }
    for (struct ocf_map_iter it = { .slot = 0 }; ocf_map_next(&m, &it, &n);)
      order[run][at++] = item_of(n)->key;
    ocf_map_fini(&m);
  }
  assert_memory_equal(order[0], order[1], sizeof(order[0]));
  assert_memory_not_equal(order[0], order[2], sizeof(order[0]));
}

static int map_body(struct ocf_alloc *a, void *ctx)
{
  static struct item items[100];
  struct ocf_map m;
  int err = 0;
  (void)ctx;
  ocf_map_init(&m, a, seed, SIZE_MAX);
  for (uint32_t i = 0; i < 100 && err == 0; i++) {
    items[i].key = i;
    err = ocf_map_insert(&m, &items[i].node, key_of(&items[i].key));
    assert_int_equal(m.n, err == 0 ? i + 1 : i);
    for (uint32_t j = 0; j <= i; j++)
      assert_true((ocf_map_find(&m, key_of(&items[j].key)) != NULL) == (err == 0 || j < i));
  }
  ocf_map_fini(&m);
  return err;
}

static void test_map_survives_any_failed_allocation(void **state)
{
  (void)state;
  assert_int_equal(ocf_oom_sweep(map_body, NULL), 5); /* 8, 16, 32, 64, 128 slots */
}

struct entry {
  struct ocf_lru_node node;
  uint32_t key;
};

static void test_the_one_used_longest_ago_goes_first(void **state)
{
  (void)state;
  struct entry e[5];
  struct ocf_lru_node *gone = NULL;
  struct ocf_alloc a;
  struct ocf_lru c;
  ocf_alloc_init(&a);
  ocf_lru_init(&c, &a, seed, 3);
  for (uint32_t i = 0; i < 5; i++)
    e[i] = (struct entry){ .key = i };
  for (uint32_t i = 0; i < 3; i++) {
    assert_int_equal(ocf_lru_put(&c, &e[i].node, key_of(&e[i].key), &gone), 0);
    assert_null(gone);
  }
  assert_int_equal(ocf_lru_put(&c, &e[4].node, key_of(&e[0].key), &gone), OCF_EEXIST);
  assert_null(gone);
  assert_ptr_equal(ocf_lru_get(&c, key_of(&e[0].key)), &e[0].node);  /* now 1 is the oldest */
  assert_ptr_equal(ocf_lru_peek(&c, key_of(&e[1].key)), &e[1].node); /* still */
  assert_int_equal(ocf_lru_put(&c, &e[3].node, key_of(&e[3].key), &gone), 0);
  assert_ptr_equal(gone, &e[1].node);
  assert_int_equal(ocf_lru_count(&c), 3);
  assert_null(ocf_lru_get(&c, key_of(&e[1].key)));
  ocf_lru_remove(&c, &e[0].node);
  assert_ptr_equal(ocf_lru_pop_oldest(&c), &e[2].node);
  assert_ptr_equal(ocf_lru_pop_oldest(&c), &e[3].node);
  assert_null(ocf_lru_pop_oldest(&c));
  ocf_lru_fini(&c);
  assert_int_equal(a.live_bytes, 0);
}

static int lru_body(struct ocf_alloc *a, void *ctx)
{
  struct entry e[40];
  struct ocf_lru c;
  int err = 0;
  (void)ctx;
  ocf_lru_init(&c, a, seed, 20);
  for (uint32_t i = 0; i < 40 && err == 0; i++) {
    struct ocf_lru_node *gone = NULL;
    e[i].key = i;
    err = ocf_lru_put(&c, &e[i].node, key_of(&e[i].key), &gone);
    assert_true((gone != NULL) == (err == 0 && i >= 20));
  }
  ocf_lru_fini(&c);
  return err;
}

static void test_lru_survives_any_failed_allocation(void **state)
{
  (void)state;
  assert_int_equal(ocf_oom_sweep(lru_body, NULL), 3);
}

static void test_a_list_keeps_order_and_unlinks(void **state)
{
  (void)state;
  struct ocf_list head, n[3] = { { NULL, NULL } };
  size_t i = 0;
  ocf_list_init(&head);
  assert_true(ocf_list_empty(&head));
  assert_null(ocf_list_pop_front(&head));
  ocf_list_push_back(&head, &n[1]);
  ocf_list_push_back(&head, &n[2]);
  ocf_list_push_front(&head, &n[0]);
  OCF_LIST_FOREACH (it, &head)
    assert_ptr_equal(it, &n[i++]);
  assert_int_equal(i, 3);
  OCF_LIST_FOREACH_SAFE (it, &head)
    ocf_list_remove(it);
  assert_true(ocf_list_empty(&head));
  assert_false(ocf_list_linked(&n[1]));
  ocf_list_remove(&n[1]); /* no effect */
  ocf_list_push_back(&head, &n[1]);
  assert_ptr_equal(ocf_list_pop_front(&head), &n[1]);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_siphash13_agrees_with_cpython),
  cmocka_unit_test(test_what_was_inserted_is_found_until_removed),
  cmocka_unit_test(test_a_trimmed_map_holds_the_same_in_a_table_that_fits),
  cmocka_unit_test(test_a_key_is_held_once_and_the_bound_is_kept),
  cmocka_unit_test(test_a_walk_visits_each_once_and_may_remove),
  cmocka_unit_test(test_order_depends_on_seed_and_history_only),
  cmocka_unit_test(test_map_survives_any_failed_allocation),
  cmocka_unit_test(test_the_one_used_longest_ago_goes_first),
  cmocka_unit_test(test_lru_survives_any_failed_allocation),
  cmocka_unit_test(test_a_list_keeps_order_and_unlinks),
};
OCF_TEST_MAIN(tests)
