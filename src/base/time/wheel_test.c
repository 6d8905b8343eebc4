#include "base/time/backoff.h"
#include "base/time/wheel.h"
#include "testing/test.h"

static const uint64_t MS = OCF_NS_PER_MS;

static void test_a_timer_fires_at_its_deadline_and_not_a_ns_before(void **state)
{
  (void)state;
  static const uint64_t starts[] = {
    0,
    1,
    999999,
    12345678901,
    UINT64_C(1750000000123456789),
    (UINT64_C(1) << 36) * 1000000 - 5000000
  }; /* before the span ends */
  static const uint64_t waits[] = { 0,           1,
                                    2,           999999,
                                    1000000,     1000001,
                                    63999999,    64000000,
                                    4096000000,  UINT64_C(262144000000),
                                    100,         777777777,
                                    86400000000, UINT64_C(80000000000000000) };
  for (size_t i = 0; i < OCF_ARRAY_LEN(starts); i++) {
    for (size_t j = 0; j < OCF_ARRAY_LEN(waits); j++) {
      struct ocf_wheel w;
      struct ocf_timer t = { .kind = 1 };
      uint64_t at = starts[i] + waits[j];
      ocf_wheel_init(&w, starts[i]);
      ocf_wheel_start(&w, &t, at);
      assert_true(ocf_timer_pending(&t));
      if (waits[j] > 0)
        assert_null(ocf_wheel_pop(&w, at - 1));
      assert_true(ocf_wheel_next(&w) <= at);
      assert_ptr_equal(ocf_wheel_pop(&w, at), &t);
      assert_false(ocf_timer_pending(&t));
      assert_null(ocf_wheel_pop(&w, at));
      assert_true(ocf_wheel_next(&w) == OCF_TIME_NEVER);
    }
  }
}

/* Goal: a loop that sleeps until `next` makes progress. Method: count its wake-ups per timer. */
static void test_sleeping_until_next_reaches_every_timer_in_few_steps(void **state)
{
  (void)state;
  for (uint64_t wait = 1; wait < UINT64_C(1) << 55; wait = wait * 3 + 1) {
    struct ocf_wheel w;
    struct ocf_timer t = { .kind = 1 };
    uint64_t now = 987654321;
    int wakes = 0;
    ocf_wheel_init(&w, now);
    ocf_wheel_start(&w, &t, now + wait);
    for (struct ocf_timer *got = NULL; got == NULL; wakes++) {
      uint64_t next = ocf_wheel_next(&w);
      assert_true(next >= now || wakes == 0);
      now = OCF_MAX(now, next);
      got = ocf_wheel_pop(&w, now);
    }
    assert_true(now == 987654321 + wait);
    assert_true(wakes <= OCF_WHEEL_LEVELS + 2);
  }
}

static void test_timers_fire_in_deadline_order(void **state)
{
  (void)state;
  enum { N = 2000 };
  static struct ocf_timer t[N];
  struct ocf_wheel w;
  uint64_t last = 0;
  ocf_wheel_init(&w, 5 * MS);
  for (unsigned i = 0; i < N; i++)
    ocf_wheel_start(&w, &t[i], (uint64_t)i * 7919 % 2000 * 300011);
  for (unsigned i = 0; i < N; i++) {
    struct ocf_timer *got = ocf_wheel_pop(&w, 10000 * MS);
    assert_non_null(got);
    assert_true(got->deadline_ns >= last);
    last = got->deadline_ns;
  }
  assert_null(ocf_wheel_pop(&w, 10000 * MS));
}

static void test_equal_deadlines_fire_in_the_order_of_their_start(void **state)
{
  (void)state;
  struct ocf_timer t[4] = { { .kind = 0 } };
  struct ocf_wheel w;
  ocf_wheel_init(&w, 0);
  for (size_t i = 0; i < 4; i++)
    ocf_wheel_start(&w, &t[i], 100 * MS + 7);
  for (size_t i = 0; i < 4; i++)
    assert_ptr_equal(ocf_wheel_pop(&w, 200 * MS), &t[i]);
}

static void test_stop_and_restart_leave_no_trace(void **state)
{
  (void)state;
  static const uint64_t at[] = { 0,      1,        50,         3000,
                                 200000, 20000000, 2000000000, UINT64_C(100000000000) };
  for (size_t i = 0; i < OCF_ARRAY_LEN(at); i++) {
    struct ocf_timer t = { .kind = 1 }, u = { .kind = 2 };
    struct ocf_wheel w;
    ocf_wheel_init(&w, 0);
    ocf_wheel_stop(&w, &t); /* not pending: no effect */
    ocf_wheel_start(&w, &t, at[i] * MS);
    ocf_wheel_start(&w, &u, at[i] * MS);
    ocf_wheel_stop(&w, &t);
    assert_false(ocf_timer_pending(&t));
    assert_true(ocf_wheel_next(&w) <= at[i] * MS);
    ocf_wheel_start(&w, &u, (at[i] + 10) * MS); /* moved */
    assert_null(ocf_wheel_pop(&w, (at[i] + 9) * MS));
    assert_ptr_equal(ocf_wheel_pop(&w, (at[i] + 10) * MS), &u);
    ocf_wheel_start(&w, &u, (at[i] + 20) * MS);
    ocf_wheel_stop(&w, &u);
    assert_true(ocf_wheel_next(&w) == OCF_TIME_NEVER);
    for (size_t l = 0; l < OCF_WHEEL_LEVELS; l++)
      assert_true(w.bits[l] == 0);
  }
}

static void test_a_timer_for_never_stays_pending(void **state)
{
  (void)state;
  struct ocf_timer t = { .kind = 1 };
  struct ocf_wheel w;
  ocf_wheel_init(&w, 1);
  ocf_wheel_start(&w, &t, OCF_TIME_NEVER);
  assert_null(ocf_wheel_pop(&w, OCF_TIME_NEVER - 1));
  assert_true(ocf_timer_pending(&t));
  ocf_wheel_stop(&w, &t);
  assert_true(ocf_wheel_next(&w) == OCF_TIME_NEVER);
}

static void test_a_clock_that_steps_back_does_no_harm(void **state)
{
  (void)state;
  struct ocf_timer t = { .kind = 1 };
  struct ocf_wheel w;
  ocf_wheel_init(&w, 100 * MS);
  assert_null(ocf_wheel_pop(&w, 200 * MS));
  assert_null(ocf_wheel_pop(&w, 50 * MS));
  ocf_wheel_start(&w, &t, 120 * MS);
  assert_null(ocf_wheel_pop(&w, 50 * MS));
  assert_ptr_equal(ocf_wheel_pop(&w, 120 * MS), &t);
}

static void test_time_arithmetic_saturates(void **state)
{
  (void)state;
  assert_true(ocf_time_add(1, 2) == 3);
  assert_true(ocf_time_add(2, OCF_TIME_NEVER - 1) == OCF_TIME_NEVER);
  assert_true(ocf_time_min(OCF_TIME_NEVER, 4) == 4);
}

static void test_backoff_doubles_up_to_its_cap(void **state)
{
  (void)state;
  struct ocf_backoff b;
  struct ocf_rng r;
  static const uint64_t want[] = { 10, 20, 40, 80, 100, 100, 100 };
  ocf_rng_seed(&r, 1);
  ocf_backoff_init(&b, 10, 100, OCF_BACKOFF_NONE);
  for (size_t i = 0; i < OCF_ARRAY_LEN(want); i++)
    assert_true(ocf_backoff_next(&b, &r) == want[i]);
  ocf_backoff_reset(&b);
  assert_true(ocf_backoff_next(&b, &r) == 10);
  ocf_backoff_init(&b, 1, OCF_TIME_NEVER - 1, OCF_BACKOFF_NONE); /* no overflow on the way */
  for (int i = 0; i < 64; i++)
    assert_true(ocf_backoff_next(&b, &r) == UINT64_C(1) << i);
  for (int i = 0; i < 1000; i++)
    assert_true(ocf_backoff_next(&b, &r) == OCF_TIME_NEVER - 1);
}

/* Goal: jitter covers its whole range and never leaves it. Method: the extremes of many draws. */
static void test_jitter_spreads_over_its_range(void **state)
{
  (void)state;
  static const enum ocf_backoff_jitter kinds[] = { OCF_BACKOFF_FULL, OCF_BACKOFF_PARTIAL };
  struct ocf_rng r;
  ocf_rng_seed(&r, 2);
  for (size_t k = 0; k < 2; k++) {
    uint64_t least = UINT64_MAX, most = 0;
    struct ocf_backoff b;
    ocf_backoff_init(&b, 100, 100, kinds[k]);
    for (int i = 0; i < 5000; i++) {
      uint64_t d = ocf_backoff_next(&b, &r);
      least = OCF_MIN(least, d);
      most = OCF_MAX(most, d);
    }
    assert_int_equal(least, kinds[k] == OCF_BACKOFF_FULL ? 0 : 50);
    assert_int_equal(most, 100);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_timer_fires_at_its_deadline_and_not_a_ns_before),
  cmocka_unit_test(test_sleeping_until_next_reaches_every_timer_in_few_steps),
  cmocka_unit_test(test_timers_fire_in_deadline_order),
  cmocka_unit_test(test_equal_deadlines_fire_in_the_order_of_their_start),
  cmocka_unit_test(test_stop_and_restart_leave_no_trace),
  cmocka_unit_test(test_a_timer_for_never_stays_pending),
  cmocka_unit_test(test_a_clock_that_steps_back_does_no_harm),
  cmocka_unit_test(test_time_arithmetic_saturates),
  cmocka_unit_test(test_backoff_doubles_up_to_its_cap),
  cmocka_unit_test(test_jitter_spreads_over_its_range),
};
OCF_TEST_MAIN(tests)
