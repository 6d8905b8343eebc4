#include "base/mem/alloc.h"
#include "testing/test.h"

static void test_live_bytes_follow_every_call(void **state)
{
  (void)state;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  void *p = ocf_alloc_get(&a, 100);
  uint8_t *q = ocf_alloc_zero(&a, 10);
  assert_non_null(p);
  assert_non_null(q);
  assert_int_equal(a.live_bytes, 110);
  assert_int_equal(a.live_blocks, 2);
  for (size_t i = 0; i < 10; i++)
    assert_int_equal(q[i], 0);
  p = ocf_alloc_resize(&a, p, 100, 300);
  assert_non_null(p);
  assert_int_equal(a.live_bytes, 310);
  p = ocf_alloc_resize(&a, p, 300, 50);
  assert_non_null(p);
  assert_int_equal(a.live_bytes, 60);
  assert_int_equal(a.peak_bytes, 310);
  ocf_alloc_put(&a, p, 50);
  ocf_alloc_put(&a, q, 10);
  ocf_alloc_put(&a, NULL, 7);
  assert_int_equal(a.live_bytes, 0);
  assert_int_equal(a.live_blocks, 0);
  assert_int_equal(a.n_calls, 3); /* shrinking is no demand */
}

static void test_contents_survive_a_resize(void **state)
{
  (void)state;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  char *p = ocf_alloc_resize(&a, NULL, 0, 4); /* NULL: a new block */
  assert_non_null(p);
  memcpy(p, "abc", 4);
  p = ocf_alloc_resize(&a, p, 4, 4);
  assert_non_null(p);
  p = ocf_alloc_resize(&a, p, 4, 5000);
  assert_non_null(p);
  assert_string_equal(p, "abc");
  p = ocf_alloc_resize(&a, p, 5000, 4);
  assert_non_null(p);
  assert_string_equal(p, "abc");
  ocf_alloc_put(&a, p, 4);
}

static void test_the_limit_is_never_passed(void **state)
{
  (void)state;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  a.limit_bytes = 100;
  void *p = ocf_alloc_get(&a, 60);
  assert_non_null(p);
  assert_null(ocf_alloc_get(&a, 41));
  assert_null(ocf_alloc_resize(&a, p, 60, 101));
  assert_int_equal(a.live_bytes, 60);
  p = ocf_alloc_resize(&a, p, 60, 100); /* exactly the limit */
  assert_non_null(p);
  assert_null(ocf_alloc_get(&a, 1));
  ocf_alloc_put(&a, p, 100);
  assert_int_equal(a.peak_bytes, 100);
}

static void test_a_demand_that_overflows_fails(void **state)
{
  (void)state;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  void *p = ocf_alloc_get(&a, 16);
  assert_non_null(p);
  assert_null(ocf_alloc_get(&a, SIZE_MAX));
  a.limit_bytes = SIZE_MAX;
  assert_null(ocf_alloc_get(&a, SIZE_MAX - 8));
  ocf_alloc_put(&a, p, 16);
}

static void test_from_the_chosen_call_on_all_fail(void **state)
{
  (void)state;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  a.fail_at = 3;
  void *p = ocf_alloc_get(&a, 8), *q = ocf_alloc_zero(&a, 8);
  assert_non_null(p);
  assert_non_null(q);
  assert_null(ocf_alloc_get(&a, 8));
  assert_null(ocf_alloc_resize(&a, p, 8, 16));
  p = ocf_alloc_resize(&a, p, 8, 4); /* what gives memory back is not failed */
  assert_non_null(p);
  ocf_alloc_put(&a, p, 4);
  ocf_alloc_put(&a, q, 8);
  assert_int_equal(a.live_bytes, 0);
}

static void *broken_heap(struct ocf_alloc *a, void *p, size_t old_size, size_t new_size)
{
  (void)a;
  (void)p;
  (void)old_size;
  (void)new_size;
  return NULL;
}

static void test_a_heap_without_memory_changes_no_counter(void **state)
{
  (void)state;
  struct ocf_alloc a;
  char block[8];
  ocf_alloc_init(&a);
  a.fn = broken_heap;
  assert_null(ocf_alloc_get(&a, 8));
  assert_null(ocf_alloc_zero(&a, 8));
  a.live_bytes = 8;
  a.live_blocks = 1;
  assert_null(ocf_alloc_resize(&a, block, 8, 16));
  assert_int_equal(a.live_bytes, 8);
  assert_int_equal(a.peak_bytes, 0);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_live_bytes_follow_every_call),
  cmocka_unit_test(test_contents_survive_a_resize),
  cmocka_unit_test(test_the_limit_is_never_passed),
  cmocka_unit_test(test_a_demand_that_overflows_fails),
  cmocka_unit_test(test_from_the_chosen_call_on_all_fail),
  cmocka_unit_test(test_a_heap_without_memory_changes_no_counter),
};
OCF_TEST_MAIN(tests)
