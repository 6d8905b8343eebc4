#include "base/ds/heap.h"
#include "base/ds/ring.h"
#include "testing/oom.h"
#include "testing/test.h"

struct num {
  struct ocf_heap_node node;
  unsigned v;
};

static unsigned value(const struct ocf_heap_node *n)
{
  return OCF_CONTAINER_OF_CONST(n, struct num, node)->v;
}

static bool less(const struct ocf_heap_node *a, const struct ocf_heap_node *b)
{
  return value(a) < value(b);
}

static void test_elements_come_out_sorted(void **state)
{
  (void)state;
  enum { N = 500 };
  static struct num nums[N];
  struct ocf_heap h;
  ocf_heap_init(&h, less);
  assert_null(ocf_heap_pop(&h));
  assert_null(ocf_heap_peek(&h));
  for (unsigned i = 0; i < N; i++) {
    nums[i].v = i * 7919 % 257; /* with repetitions */
    ocf_heap_push(&h, &nums[i].node);
  }
  for (unsigned i = 0, last = 0; i < N; i++) {
    struct ocf_heap_node *top = ocf_heap_peek(&h), *n = ocf_heap_pop(&h);
    assert_non_null(n);
    assert_ptr_equal(top, n);
    assert_true(value(n) >= last);
    last = value(n);
  }
  assert_int_equal(h.n, 0);
}

/* Goal: any element can leave, wherever it stands. Method: for each of 20, build, pop a few to give
 * the tree a shape, remove it, and check that the others come out sorted. */
static void test_any_element_can_be_removed(void **state)
{
  (void)state;
  enum { N = 20 };
  for (unsigned victim = 3; victim < N; victim++) {
    struct num nums[N];
    struct ocf_heap h;
    unsigned left = N - 4;
    ocf_heap_init(&h, less);
    for (unsigned i = 0; i < N; i++) {
      nums[(i * 7) % N].v = (i * 7) % N;
      ocf_heap_push(&h, &nums[(i * 7) % N].node);
    }
    for (unsigned i = 0; i < 3; i++)
      assert_ptr_equal(ocf_heap_pop(&h), &nums[i].node);
    ocf_heap_remove(&h, &nums[victim].node);
    for (unsigned i = 3; i < N; i++) {
      if (i == victim)
        continue;
      assert_ptr_equal(ocf_heap_pop(&h), &nums[i].node);
      left--;
    }
    assert_int_equal(left, 0);
    assert_null(ocf_heap_pop(&h));
  }
}

static void test_a_ring_is_first_in_first_out_across_its_seam(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_ring r;
  uint16_t in = 0, out = 0, v = 0;
  ocf_alloc_init(&a);
  assert_int_equal(ocf_ring_init(&r, &a, sizeof(v), 5), 0);
  assert_false(ocf_ring_pop(&r, &v));
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < round % 6; i++) {
      int err = ocf_ring_push(&r, &in);
      assert_int_equal(err, in - out == 5 ? OCF_ELIMIT : 0);
      in = (uint16_t)(in + (err == 0 ? 1 : 0));
    }
    for (size_t i = 0; i < r.n; i++)
      assert_int_equal(*(uint16_t *)ocf_ring_at(&r, i), out + i);
    for (int i = 0; i < round % 4 && ocf_ring_pop(&r, &v); i++)
      assert_int_equal(v, out++);
  }
  ocf_ring_clear(&r);
  assert_false(ocf_ring_pop(&r, NULL));
  ocf_ring_fini(&r);
  ocf_ring_fini(&r); /* harmless */
  assert_int_equal(a.live_bytes, 0);
}

static void test_pushing_over_keeps_the_latest(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_ring r;
  ocf_alloc_init(&a);
  assert_int_equal(ocf_ring_init(&r, &a, 1, 3), 0);
  for (uint8_t i = 0; i < 10; i++)
    ocf_ring_push_over(&r, &i);
  assert_true(ocf_ring_full(&r));
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(*(uint8_t *)ocf_ring_at(&r, i), 7 + i);
  ocf_ring_fini(&r);
}

static int ring_body(struct ocf_alloc *a, void *ctx)
{
  struct ocf_ring r;
  (void)ctx;
  int err = ocf_ring_init(&r, a, 100, 10);
  ocf_ring_fini(&r);
  return err;
}

static void test_a_ring_that_cannot_be_had_is_an_error(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_ring r;
  ocf_alloc_init(&a);
  assert_int_equal(ocf_ring_init(&r, &a, 16, SIZE_MAX / 8), OCF_EINVAL);
  ocf_ring_fini(&r);
  assert_int_equal(ocf_oom_sweep(ring_body, NULL), 1);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_elements_come_out_sorted),
  cmocka_unit_test(test_any_element_can_be_removed),
  cmocka_unit_test(test_a_ring_is_first_in_first_out_across_its_seam),
  cmocka_unit_test(test_pushing_over_keeps_the_latest),
  cmocka_unit_test(test_a_ring_that_cannot_be_had_is_an_error),
};
OCF_TEST_MAIN(tests)
