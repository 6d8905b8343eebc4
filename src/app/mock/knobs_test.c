/* The knobs. Goal: each is read where it stands, and a bad value is told and not guessed. */
#include "testing/test.h"

#include "app/mock/knobs.h"
#include "base/str/str.h"

static int read(struct ocf_mock_knobs *k, const char *text)
{
  struct ocf_bytes bad;
  ocf_mock_knobs_init(k);
  return ocf_mock_knobs_read(k, ocf_str(text), &bad);
}

static void test_all_knobs_are_read(void **state)
{
  struct ocf_mock_knobs k;
  (void)state;
  assert_int_equal(read(&k, "delay_ms=1&gap_ms=2&chunks=3&size=4&n=5&die_after=6&close_after=7&"
                            "silent_after=8&comment_ms=9&status=503&framing=chunked&head_first=1&"
                            "die_early=1"),
                   0);
  assert_int_equal(k.delay_ms, 1);
  assert_int_equal(k.gap_ms, 2);
  assert_int_equal(k.chunks, 3);
  assert_int_equal(k.size, 4);
  assert_int_equal(k.n, 5);
  assert_int_equal(k.die_after, 6);
  assert_int_equal(k.close_after, 7);
  assert_int_equal(k.silent_after, 8);
  assert_int_equal(k.comment_ms, 9);
  assert_int_equal(k.status, 503);
  assert_int_equal(k.framing, OCF_H1_FRAMING_CHUNKED);
  assert_true(k.head_first && k.die_early);
}

static void test_nothing_asked_for_changes_nothing(void **state)
{
  static const char *const none[] = { "",  "api-version=3", "&&", "chunk=5&delay=3",
                                      "=", "die_afterr=1" };
  struct ocf_mock_knobs k;
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(none); i++) {
    assert_int_equal(read(&k, none[i]), 0);
    assert_true(k.die_after == OCF_MOCK_NEVER && k.gap_ms == OCF_MOCK_NEVER);
    assert_int_equal(k.chunks + k.delay_ms + k.status + k.size, 0);
    assert_int_equal(k.framing, OCF_H1_FRAMING_LENGTH);
  }
}

static void test_a_bad_value_is_told(void **state)
{
  static const char *const bad[] = { "delay_ms",         "delay_ms=",      "delay_ms=-1",
                                     "delay_ms=3600001", "chunks=1000001", "size=65537",
                                     "status=199",       "status=600",     "framing=carrier",
                                     "head_first=yes",   "die_early=",     "n=1e9" };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct ocf_mock_knobs k;
    struct ocf_bytes pair;
    char text[64];
    (void)snprintf(text, sizeof(text), "a=1&%s&chunks=2", bad[i]);
    ocf_mock_knobs_init(&k);
    assert_int_equal(ocf_mock_knobs_read(&k, ocf_str(text), &pair), OCF_EINVAL);
    assert_true(ocf_str_is(pair, bad[i]));
  }
}

static void test_the_second_text_wins(void **state)
{
  struct ocf_mock_knobs k;
  struct ocf_bytes bad;
  (void)state;
  assert_int_equal(read(&k, "chunks=1&size=7"), 0);
  assert_int_equal(ocf_mock_knobs_read(&k, ocf_str(" chunks=2 "), &bad), 0);
  assert_int_equal(k.chunks, 2);
  assert_int_equal(k.size, 7);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_all_knobs_are_read),
  cmocka_unit_test(test_nothing_asked_for_changes_nothing),
  cmocka_unit_test(test_a_bad_value_is_told),
  cmocka_unit_test(test_the_second_text_wins),
};
OCF_TEST_MAIN(tests)
