#include "base/buf/buf.h"
#include "testing/oom.h"
#include "testing/test.h"

static void test_appending_keeps_order_and_bound(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf b;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 1000);
  for (unsigned i = 0; i < 1000; i++)
    assert_int_equal(ocf_buf_add_u8(&b, (uint8_t)i), 0);
  assert_int_equal(ocf_buf_add_u8(&b, 0), OCF_ELIMIT);
  assert_int_equal(b.n, 1000);
  assert_true(a.peak_bytes <= 1000 + 512);
  assert_int_equal(a.live_bytes, 1000);
  for (unsigned i = 0; i < 1000; i++)
    assert_int_equal(b.p[i], (uint8_t)i);
  ocf_buf_clear(&b);
  assert_int_equal(ocf_buf_view(&b).n, 0);
  assert_int_equal(a.live_bytes, 1000);
  ocf_buf_reset(&b);
  assert_int_equal(a.live_bytes, 0);
  assert_int_equal(ocf_buf_add_str(&b, "again"), 0);
  assert_true(ocf_bytes_eq(ocf_buf_view(&b), OCF_STR("again")));
  ocf_buf_fini(&b);
  assert_int_equal(a.live_bytes, 0);
}

static void test_a_refused_append_changes_nothing(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf b;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 10);
  assert_int_equal(ocf_buf_add_str(&b, "12345"), 0);
  assert_int_equal(ocf_buf_add_str(&b, "678901"), OCF_ELIMIT);
  assert_int_equal(ocf_buf_reserve(&b, SIZE_MAX), OCF_ELIMIT);
  assert_int_equal(ocf_buf_printf(&b, "%s", "678901"), OCF_ELIMIT);
  assert_true(ocf_bytes_eq(ocf_buf_view(&b), OCF_STR("12345")));
  assert_int_equal(ocf_buf_add(&b, NULL, 0), 0);
  assert_int_equal(ocf_buf_add_str(&b, "67890"), 0);
  ocf_buf_fini(&b);
}

/* Goal: printf works at every distance from the bound, with room for no NUL too. */
static void test_printf_may_fill_the_buffer_to_the_brim(void **state)
{
  (void)state;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  for (size_t max = 0; max < 20; max++) {
    struct ocf_buf b;
    ocf_buf_init(&b, &a, max);
    int err = ocf_buf_printf(&b, "%s-%d", "abc", 123456);
    assert_int_equal(err, max < 10 ? OCF_ELIMIT : 0);
    if (err == 0)
      assert_true(ocf_bytes_eq(ocf_buf_view(&b), OCF_STR("abc-123456")));
    assert_int_equal(ocf_buf_printf(&b, "%s", ""), 0);
    ocf_buf_fini(&b);
  }
  assert_int_equal(a.live_bytes, 0);
}

static void test_consuming_keeps_the_rest(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf b;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 100);
  assert_int_equal(ocf_buf_add_str(&b, "hello world"), 0);
  ocf_buf_consume(&b, 0);
  ocf_buf_consume(&b, 6);
  assert_true(ocf_bytes_eq(ocf_buf_view(&b), OCF_STR("world")));
  ocf_buf_consume(&b, 5);
  assert_int_equal(b.n, 0);
  ocf_buf_fini(&b);
}

static int buf_body(struct ocf_alloc *a, void *ctx)
{
  struct ocf_buf b;
  (void)ctx;
  ocf_buf_init(&b, a, 500);
  int err = ocf_buf_add_str(&b, "0123456789");
  for (int i = 0; i < 30 && err == 0; i++) {
    size_t before = b.n;
    err = ocf_buf_printf(&b, "%05d, %s", i, "text");
    assert_int_equal(b.n, err == 0 ? before + 11 : before);
  }
  if (err == 0)
    err = ocf_buf_printf(&b, "%0160d", 7); /* to the brim */
  ocf_buf_fini(&b);
  return err;
}

static void test_buf_survives_any_failed_allocation(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(buf_body, NULL) > 3);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_appending_keeps_order_and_bound),
  cmocka_unit_test(test_a_refused_append_changes_nothing),
  cmocka_unit_test(test_printf_may_fill_the_buffer_to_the_brim),
  cmocka_unit_test(test_consuming_keeps_the_rest),
  cmocka_unit_test(test_buf_survives_any_failed_allocation),
};
OCF_TEST_MAIN(tests)
