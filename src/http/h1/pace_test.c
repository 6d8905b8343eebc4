/* Slow senders meet the deadline, honest ones never do.
 *
 * Method: a simulated clock; rates just over and just under the minimum for an hour. */
#include "testing/test.h"

#include "base/time/time.h"
#include "http/h1/pace.h"

static const uint64_t s = OCF_NS_PER_S;

static void test_a_sender_at_the_rate_is_never_late(void **state)
{
  (void)state;
  struct ocf_h1_pace p;

  ocf_h1_pace_start(&p, 5 * s, 500, 10 * s);
  for (uint64_t t = 5; t < 3600; t++) {
    assert_false(ocf_h1_pace_late(&p, t * s));
    ocf_h1_pace_add(&p, t * s, 500);
  }
}

static void test_a_slow_sender_is_late_once_its_grace_is_used(void **state)
{
  (void)state;
  struct ocf_h1_pace p;
  uint64_t t = 0;

  ocf_h1_pace_start(&p, 0, 500, 10 * s);
  assert_false(ocf_h1_pace_late(&p, 10 * s - 1));
  assert_true(ocf_h1_pace_late(&p, 10 * s));
  for (; !ocf_h1_pace_late(&p, t * s) && t < 3600; t++)
    ocf_h1_pace_add(&p, t * s, 250);
  assert_true(t >= 19 && t <= 21);
}

static void test_a_burst_does_not_pay_for_silence(void **state)
{
  (void)state;
  struct ocf_h1_pace p;

  ocf_h1_pace_start(&p, 0, 500, 10 * s);
  ocf_h1_pace_add(&p, 2 * s, UINT64_MAX);
  assert_false(ocf_h1_pace_late(&p, 12 * s - 1));
  assert_true(ocf_h1_pace_late(&p, 12 * s));
}

static void test_time_that_we_waste_is_not_counted(void **state)
{
  (void)state;
  struct ocf_h1_pace p;

  ocf_h1_pace_start(&p, 0, 500, 10 * s);
  ocf_h1_pace_pause(&p, 4 * s);
  assert_false(ocf_h1_pace_late(&p, 4000 * s));
  ocf_h1_pace_add(&p, 5 * s, 100); /* what was under way */
  ocf_h1_pace_pause(&p, 5 * s);
  ocf_h1_pace_resume(&p, 1000 * s);
  ocf_h1_pace_resume(&p, 2000 * s);
  assert_false(ocf_h1_pace_late(&p, 1006 * s - 1));
  assert_true(ocf_h1_pace_late(&p, 1006 * s));
  ocf_h1_pace_pause(&p, 1007 * s);
  ocf_h1_pace_resume(&p, 1008 * s);
  assert_true(ocf_h1_pace_late(&p, 1008 * s));
}

static void test_rate_zero_switches_it_off(void **state)
{
  (void)state;
  struct ocf_h1_pace p;

  ocf_h1_pace_start(&p, 0, 0, 10 * s);
  ocf_h1_pace_add(&p, s, 1);
  ocf_h1_pace_pause(&p, s);
  ocf_h1_pace_resume(&p, s);
  assert_false(ocf_h1_pace_late(&p, OCF_TIME_NEVER - 1));
  ocf_h1_pace_start(&p, 0, UINT64_MAX, s);
  ocf_h1_pace_add(&p, 0, 5);
  assert_true(ocf_h1_pace_late(&p, s));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_sender_at_the_rate_is_never_late),
  cmocka_unit_test(test_a_slow_sender_is_late_once_its_grace_is_used),
  cmocka_unit_test(test_a_burst_does_not_pay_for_silence),
  cmocka_unit_test(test_time_that_we_waste_is_not_counted),
  cmocka_unit_test(test_rate_zero_switches_it_off),
};

OCF_TEST_MAIN(tests)
