#include <stdalign.h>

#include "base/mem/arena.h"
#include "base/mem/pool.h"
#include "testing/oom.h"
#include "testing/test.h"

/* Goal: blocks never overlap and are aligned. Method: fill each with its own byte, check them all.
 */
static void test_blocks_are_aligned_and_apart(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_arena ar;
  uint8_t *p[200];
  ocf_alloc_init(&a);
  ocf_arena_init(&ar, &a, 256, SIZE_MAX);
  for (size_t i = 0; i < 200; i++) {
    p[i] = ocf_arena_get(&ar, i + 1);
    assert_non_null(p[i]);
    assert_int_equal((uintptr_t)p[i] % alignof(max_align_t), 0);
    memset(p[i], (int)i, i + 1);
  }
  for (size_t i = 0; i < 200; i++)
    assert_true(p[i][0] == i && p[i][i] == i);
  assert_int_equal(ar.held_bytes, a.live_bytes);
  ocf_arena_fini(&ar);
  assert_int_equal(a.live_bytes, 0);
}

static void test_the_bound_counts_every_byte_taken(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_arena ar;
  ocf_alloc_init(&a);
  ocf_arena_init(&ar, &a, 128, 1000);
  while (ocf_arena_get(&ar, 40) != NULL)
    assert_true(a.live_bytes <= 1000);
  assert_true(a.live_bytes > 1000 - 128);
  assert_null(ocf_arena_get(&ar, 900));
  assert_null(ocf_arena_get(&ar, SIZE_MAX));
  assert_null(ocf_arena_get(&ar, SIZE_MAX - 40));
  assert_null(ocf_arena_zero(&ar, 900));
  assert_null(ocf_arena_str(&ar, ocf_bytes("", SIZE_MAX)));
  ocf_arena_fini(&ar);
  assert_int_equal(a.live_bytes, 0);
}

static void test_reset_keeps_one_ordinary_block(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_arena ar;
  ocf_alloc_init(&a);
  ocf_arena_init(&ar, &a, 128, 10000);
  ocf_arena_reset(&ar);
  assert_non_null(ocf_arena_get(&ar, 3000));
  ocf_arena_reset(&ar); /* only a large block was there */
  assert_int_equal(a.live_bytes, 0);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 10; i++)
      assert_non_null(ocf_arena_get(&ar, 60));
    assert_non_null(ocf_arena_get(&ar, 3000));
    ocf_arena_reset(&ar);
    assert_int_equal(a.live_bytes, 128);
  }
  uint64_t calls = a.n_calls;
  assert_non_null(ocf_arena_get(&ar, 60));
  assert_int_equal(a.n_calls, calls);
  ocf_arena_fini(&ar);
  assert_int_equal(a.live_bytes, 0);
}

static void test_strings_end_in_a_nul(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_arena ar;
  ocf_alloc_init(&a);
  ocf_arena_init(&ar, &a, 64, 1000);
  assert_string_equal(ocf_arena_str(&ar, ocf_bytes("abcdef", 3)), "abc");
  assert_string_equal(ocf_arena_str(&ar, ocf_bytes(NULL, 0)), "");
  int *n = OCF_ARENA_NEW(&ar, int);
  assert_non_null(n);
  assert_int_equal(*n, 0);
  ocf_arena_fini(&ar);
}

static int arena_body(struct ocf_alloc *a, void *ctx)
{
  struct ocf_arena ar;
  int err = 0;
  (void)ctx;
  ocf_arena_init(&ar, a, 64, SIZE_MAX);
  for (size_t n = 1; n < 300 && err == 0; n += 17)
    err =
        ocf_arena_zero(&ar, n) == NULL || ocf_arena_str(&ar, OCF_STR("x")) == NULL ? OCF_ENOMEM : 0;
  ocf_arena_fini(&ar);
  return err;
}

static void test_arena_survives_any_failed_allocation(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(arena_body, NULL) > 10);
}

static void test_a_pool_reuses_up_to_its_stock(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_pool p;
  void *obj[4];
  ocf_alloc_init(&a);
  ocf_pool_init(&p, &a, 1, 4, 2);
  for (size_t i = 0; i < 4; i++) {
    obj[i] = ocf_pool_get(&p);
    assert_non_null(obj[i]);
    *(uint8_t *)obj[i] = (uint8_t)i;
  }
  assert_null(ocf_pool_get(&p)); /* max_used */
  for (size_t i = 0; i < 4; i++)
    ocf_pool_put(&p, obj[i]);
  ocf_pool_put(&p, NULL);
  assert_int_equal(p.n_free, 2);
  assert_int_equal(a.live_bytes, 2 * sizeof(void *));
  assert_ptr_equal(ocf_pool_get(&p), obj[1]); /* the latest is the warmest */
  assert_int_equal(a.n_calls, 4);
  ocf_pool_put(&p, obj[1]);
  ocf_pool_trim(&p);
  assert_int_equal(a.live_bytes, 0);
  assert_int_equal(p.n_free, 0);
  ocf_pool_fini(&p);
}

static int pool_body(struct ocf_alloc *a, void *ctx)
{
  struct ocf_pool p;
  void *obj[5] = { NULL };
  int err = 0;
  (void)ctx;
  ocf_pool_init(&p, a, 100, 5, 3);
  for (size_t i = 0; i < 5 && err == 0; i++)
    err = (obj[i] = ocf_pool_get(&p)) == NULL ? OCF_ENOMEM : 0;
  for (size_t i = 0; i < 5; i++)
    ocf_pool_put(&p, obj[i]);
  ocf_pool_fini(&p);
  return err;
}

static void test_pool_survives_any_failed_allocation(void **state)
{
  (void)state;
  assert_int_equal(ocf_oom_sweep(pool_body, NULL), 5);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_blocks_are_aligned_and_apart),
  cmocka_unit_test(test_the_bound_counts_every_byte_taken),
  cmocka_unit_test(test_reset_keeps_one_ordinary_block),
  cmocka_unit_test(test_strings_end_in_a_nul),
  cmocka_unit_test(test_arena_survives_any_failed_allocation),
  cmocka_unit_test(test_a_pool_reuses_up_to_its_stock),
  cmocka_unit_test(test_pool_survives_any_failed_allocation),
};
OCF_TEST_MAIN(tests)
