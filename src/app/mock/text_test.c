/* What the mock says. Goal: it follows from the request alone, as text.h describes it. */
#include "testing/test.h"

#include "app/mock/text.h"
#include "base/str/str.h"

static void join(const char *prompt, uint64_t n, char *dst, size_t cap)
{
  struct ocf_mock_text t;
  size_t at = 0;
  ocf_mock_text_init(&t, ocf_str(prompt));
  for (uint64_t i = 0; i < n; i++) {
    struct ocf_bytes w = ocf_mock_text_next(&t);
    assert_true(w.n > 0);
    at += (size_t)snprintf(dst + at, cap - at, "%s%.*s", i > 0 ? " " : "", (int)w.n,
                           (const char *)w.p);
  }
  assert_int_equal(t.n_given, n);
}

static void test_the_answer_names_the_prompt_and_then_the_passage(void **state)
{
  char got[2048];
  (void)state;
  join("  what\tis  it? ", ocf_mock_text_length(ocf_str("  what\tis  it? ")), got, sizeof(got));
  assert_string_equal(got, "You asked: what is it? " OCF_MOCK_PASSAGE);
  join("", ocf_mock_text_length(ocf_str("")), got, sizeof(got));
  assert_string_equal(got, "You asked: " OCF_MOCK_PASSAGE);
}

static void test_the_passage_begins_again(void **state)
{
  char got[4096];
  uint64_t n = ocf_mock_text_length(ocf_str("x"));
  (void)state;
  join("x", n + 3, got, sizeof(got));
  assert_string_equal(got, "You asked: x " OCF_MOCK_PASSAGE " OCF joins machines");
}

static void test_words_are_counted_between_blanks(void **state)
{
  (void)state;
  assert_int_equal(ocf_mock_text_words(ocf_str("")), 0);
  assert_int_equal(ocf_mock_text_words(ocf_str(" \n\t")), 0);
  assert_int_equal(ocf_mock_text_words(ocf_str("one")), 1);
  assert_int_equal(ocf_mock_text_words(ocf_str(" one  two\nthree ")), 3);
}

static void test_hashes_are_those_of_fnv1a(void **state)
{
  (void)state; /* from the algorithm's published test vectors */
  assert_true(ocf_mock_fnv1a(OCF_MOCK_FNV_BASIS, "", 0) == UINT64_C(0xcbf29ce484222325));
  assert_true(ocf_mock_fnv1a(OCF_MOCK_FNV_BASIS, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
  assert_true(ocf_mock_fnv1a(OCF_MOCK_FNV_BASIS, "foobar", 6) == UINT64_C(0x85944171f73967e8));
}

static void test_vectors_have_unit_length_and_differ(void **state)
{
  static float a[4096], b[4096];
  (void)state;
  for (size_t dims = 1; dims <= 4096; dims = dims * 3 + 1) {
    double sum = 0;
    ocf_mock_vector(1, a, dims);
    ocf_mock_vector(1, b, dims);
    assert_memory_equal(a, b, dims * sizeof(float));
    for (size_t i = 0; i < dims; i++)
      sum += (double)a[i] * (double)a[i];
    assert_true(sum > 0.999999 && sum < 1.000001);
  }
  ocf_mock_vector(2, b, 64);
  assert_memory_not_equal(a, b, 64 * sizeof(float));
}

static void test_the_pattern_does_not_depend_on_how_it_is_cut(void **state)
{
  static uint8_t whole[200000], part[200000];
  const uint64_t base = 65536 * 3 - 1000;
  (void)state;
  ocf_mock_pattern(base, whole, sizeof(whole));
  for (size_t i = 0; i < sizeof(whole); i++) {
    uint64_t at = base + i;
    assert_int_equal(whole[i], (uint8_t)(at * 131 + (at >> 8) + (at >> 16)));
  }
  for (size_t done = 0, n = 1; done < sizeof(whole); done += n, n = n * 5 % 8191 + 1) {
    n = OCF_MIN(n, sizeof(whole) - done);
    ocf_mock_pattern(base + done, part + done, n);
  }
  assert_memory_equal(whole, part, sizeof(whole));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_the_answer_names_the_prompt_and_then_the_passage),
  cmocka_unit_test(test_the_passage_begins_again),
  cmocka_unit_test(test_words_are_counted_between_blanks),
  cmocka_unit_test(test_hashes_are_those_of_fnv1a),
  cmocka_unit_test(test_vectors_have_unit_length_and_differ),
  cmocka_unit_test(test_the_pattern_does_not_depend_on_how_it_is_cut),
};
OCF_TEST_MAIN(tests)
