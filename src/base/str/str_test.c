#include "base/str/str.h"
#include "base/str/units.h"
#include "testing/test.h"

static void test_case_matters_only_where_asked(void **state)
{
  (void)state;
  assert_true(ocf_str_is(OCF_STR("abc"), "abc"));
  assert_false(ocf_str_is(OCF_STR("abc"), "abC"));
  assert_true(ocf_str_is_nocase(OCF_STR("Content-Length"), "cONTENT-lENGTH"));
  assert_false(ocf_str_is_nocase(OCF_STR("a"), "ab"));
  assert_false(ocf_str_is_nocase(OCF_STR("a@["), "a`{")); /* only letters fold */
  assert_false(ocf_str_is_nocase(OCF_STR("\xc4"), "\xe4"));
  assert_true(ocf_str_starts(OCF_STR("/ip4/1"), OCF_STR("/ip4")));
  assert_false(ocf_str_starts(OCF_STR("/ip"), OCF_STR("/ip4")));
  assert_true(ocf_str_starts_nocase(OCF_STR("BEARER x"), OCF_STR("bearer ")));
  assert_false(ocf_str_starts_nocase(OCF_STR("BEAR"), OCF_STR("bearer ")));
  assert_true(ocf_str_ends(OCF_STR("x.json"), OCF_STR(".json")));
  assert_false(ocf_str_ends(OCF_STR("json"), OCF_STR(".json")));
  assert_true(ocf_str_ends(ocf_bytes(NULL, 0), OCF_STR("")));
  assert_true(ocf_str_starts(ocf_bytes(NULL, 0), OCF_STR("")));
}

static void test_trimming_takes_spaces_and_tabs_only(void **state)
{
  (void)state;
  assert_true(ocf_str_is(ocf_str_trim(OCF_STR(" \t a b\t ")), "a b"));
  assert_true(ocf_str_is(ocf_str_trim(OCF_STR(" \t ")), ""));
  assert_true(ocf_str_is(ocf_str_trim(OCF_STR("\na\r")), "\na\r"));
  assert_int_equal(ocf_str_trim(ocf_bytes(NULL, 0)).n, 0);
}

static size_t parts_of(const char *s, char *joined)
{
  struct ocf_bytes rest = ocf_str(s), part;
  size_t n = 0;
  *joined = '\0';
  for (; ocf_str_split(&rest, ',', &part); n++) {
    (void)strncat(joined, (const char *)part.p, part.n);
    (void)strcat(joined, "|");
  }
  return n;
}

static void test_splitting_keeps_empty_parts(void **state)
{
  (void)state;
  char j[32];
  assert_int_equal(parts_of("a,,b", j), 3);
  assert_string_equal(j, "a||b|");
  assert_int_equal(parts_of("", j), 1);
  assert_int_equal(parts_of("a,", j), 2);
  assert_string_equal(j, "a||");
  assert_int_equal(parts_of(",", j), 2);
  assert_int_equal(ocf_str_find(OCF_STR("abc"), 'c'), 2);
  assert_int_equal(ocf_str_find(OCF_STR("abc"), 'x'), 3);
  assert_int_equal(ocf_str_find(ocf_bytes(NULL, 0), 'x'), 0);
}

static void test_decimal_is_digits_within_the_bound_and_nothing_else(void **state)
{
  (void)state;
  static const char *const bad[] = { "",   "-1", "+1", " 1",  "1 ",   "0x1",
                                     "1a", "1.", "a",  "1,0", "\xb2", "99999999999999999999z" };
  uint64_t v = 42;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_int_equal(ocf_str_u64(ocf_str(bad[i]), UINT64_MAX, &v), OCF_EINVAL);
  assert_int_equal(ocf_str_u64(OCF_STR("1\0"), UINT64_MAX, &v), OCF_EINVAL);
  assert_int_equal(ocf_str_u64(OCF_STR("18446744073709551616"), UINT64_MAX, &v), OCF_ERANGE);
  assert_int_equal(ocf_str_u64(OCF_STR("36893488147419103232"), UINT64_MAX, &v), OCF_ERANGE);
  assert_int_equal(ocf_str_u64(OCF_STR("65536"), 65535, &v), OCF_ERANGE);
  assert_int_equal(v, 42);
  assert_int_equal(ocf_str_u64(OCF_STR("65535"), 65535, &v), 0);
  assert_int_equal(v, 65535);
  assert_int_equal(ocf_str_u64(OCF_STR("18446744073709551615"), UINT64_MAX, &v), 0);
  assert_true(v == UINT64_MAX);
  assert_int_equal(ocf_str_u64(OCF_STR("000000000000000000000000000007"), 9, &v), 0);
  assert_int_equal(v, 7);
}

static void test_hex_numbers_and_bytes_take_both_cases(void **state)
{
  (void)state;
  uint64_t v = 1;
  uint8_t out[3];
  assert_int_equal(ocf_str_hex_u64(OCF_STR("fFfFffFFffffFFFF"), UINT64_MAX, &v), 0);
  assert_true(v == UINT64_MAX);
  assert_int_equal(ocf_str_hex_u64(OCF_STR("10000000000000000"), UINT64_MAX, &v), OCF_ERANGE);
  assert_int_equal(ocf_str_hex_u64(OCF_STR("0x1"), UINT64_MAX, &v), OCF_EINVAL);
  assert_int_equal(ocf_str_hex_u64(OCF_STR("g"), UINT64_MAX, &v), OCF_EINVAL);
  assert_int_equal(ocf_hex_decode(OCF_STR("00aBFf"), out, 3), 3);
  assert_memory_equal(out, "\x00\xab\xff", 3);
  assert_int_equal(ocf_hex_decode(OCF_STR(""), out, 0), 0);
  assert_int_equal(ocf_hex_decode(OCF_STR("0"), out, 3), OCF_EINVAL);
  assert_int_equal(ocf_hex_decode(OCF_STR("0g"), out, 3), OCF_EINVAL);
  assert_int_equal(ocf_hex_decode(OCF_STR("g0"), out, 3), OCF_EINVAL);
  assert_int_equal(ocf_hex_decode(OCF_STR("00112233"), out, 3), OCF_ELIMIT);
}

static void test_sizes_parse_in_both_kinds_of_units(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int err;
    uint64_t want;
  } cases[] = {
    { "0", 0, 0 },
    { "512", 0, 512 },
    { "512B", 0, 512 },
    { "64KiB", 0, 65536 },
    { "64kib", 0, 65536 },
    { "10MB", 0, 10000000 },
    { "10kB", 0, 10000 },
    { "1GiB", 0, UINT64_C(1) << 30 },
    { "2TiB", 0, UINT64_C(2) << 40 },
    { "3GB", 0, UINT64_C(3000000000) },
    { "3TB", 0, UINT64_C(3000000000000) },
    { "7MiB", 0, 7 << 20 },
    { "18446744073709551615", 0, UINT64_MAX },
    { "16777216TiB", OCF_ERANGE, 0 },
    { "99999999999999999999", OCF_ERANGE, 0 },
    { "", OCF_EINVAL, 0 },
    { "KiB", OCF_EINVAL, 0 },
    { "64 KiB", OCF_EINVAL, 0 },
    { "64K", OCF_EINVAL, 0 },
    { "-1", OCF_EINVAL, 0 },
    { "1.5MiB", OCF_EINVAL, 0 },
    { "1MiB2", OCF_EINVAL, 0 },
    { "1KiB ", OCF_EINVAL, 0 },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    uint64_t v = 77;
    assert_int_equal(ocf_size_parse(ocf_str(cases[i].text), &v), cases[i].err);
    assert_true(v == (cases[i].err == 0 ? cases[i].want : 77));
  }
}

static void test_durations_parse_as_descending_units(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int err;
    uint64_t want;
  } cases[] = {
    { "0", 0, 0 },
    { "0s", 0, 0 },
    { "10s", 0, UINT64_C(10000000000) },
    { "500ms", 0, 500000000 },
    { "250us", 0, 250000 },
    { "9ns", 0, 9 },
    { "1m30s", 0, UINT64_C(90000000000) },
    { "1h1ms", 0, UINT64_C(3600001000000) },
    { "2d", 0, UINT64_C(172800000000000) },
    { "90m", 0, UINT64_C(5400000000000) },
    { "18446744073709551614ns", 0, UINT64_MAX - 1 },
    { "18446744073709551615ns", OCF_ERANGE, 0 },
    { "18446744073s709551615ns", OCF_ERANGE, 0 },
    { "1000000d", OCF_ERANGE, 0 },
    { "99999999999999999999d1s", OCF_ERANGE, 0 },
    { "", OCF_EINVAL, 0 },
    { "10", OCF_EINVAL, 0 },
    { "s", OCF_EINVAL, 0 },
    { "1s1m", OCF_EINVAL, 0 },
    { "1s1s", OCF_EINVAL, 0 },
    { "1.5s", OCF_EINVAL, 0 },
    { "1 s", OCF_EINVAL, 0 },
    { "-1s", OCF_EINVAL, 0 },
    { "1S", OCF_EINVAL, 0 },
    { "1s5", OCF_EINVAL, 0 },
    { "1000000d1x", OCF_EINVAL, 0 },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    uint64_t v = 77;
    assert_int_equal(ocf_duration_parse(ocf_str(cases[i].text), &v), cases[i].err);
    assert_true(v == (cases[i].err == 0 ? cases[i].want : 77));
  }
}

static const char *size_text(uint64_t v, char text[OCF_UNITS_TEXT_MAX])
{
  struct ocf_fmt f;
  ocf_fmt_init(&f, text, OCF_UNITS_TEXT_MAX);
  ocf_size_format(&f, v);
  assert_false(f.cut);
  return text;
}

static const char *duration_text(uint64_t v, char text[OCF_UNITS_TEXT_MAX])
{
  struct ocf_fmt f;
  ocf_fmt_init(&f, text, OCF_UNITS_TEXT_MAX);
  ocf_duration_format(&f, v);
  assert_false(f.cut);
  return text;
}

static void test_what_is_formatted_reads_back(void **state)
{
  (void)state;
  char t[OCF_UNITS_TEXT_MAX];
  uint64_t v = 0;
  assert_string_equal(size_text(0, t), "0B");
  assert_string_equal(size_text(1000, t), "1000B");
  assert_string_equal(size_text(65536, t), "64KiB");
  assert_string_equal(size_text(UINT64_C(3) << 40, t), "3TiB");
  assert_string_equal(duration_text(0, t), "0s");
  assert_string_equal(duration_text(UINT64_C(90000000000), t), "1m30s");
  assert_string_equal(duration_text(1500000, t), "1ms500us");
  for (uint64_t x = 1; x != 0; x <<= 1) {
    for (uint64_t d = 0; d < 3; d++) {
      assert_int_equal(ocf_size_parse(ocf_str(size_text(x - 1 + d, t)), &v), 0);
      assert_true(v == x - 1 + d);
      assert_int_equal(ocf_duration_parse(ocf_str(duration_text(x - 1 + d, t)), &v), 0);
      assert_true(v == x - 1 + d);
    }
  }
  (void)duration_text(UINT64_MAX, t); /* fits its text too */
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_case_matters_only_where_asked),
  cmocka_unit_test(test_trimming_takes_spaces_and_tabs_only),
  cmocka_unit_test(test_splitting_keeps_empty_parts),
  cmocka_unit_test(test_decimal_is_digits_within_the_bound_and_nothing_else),
  cmocka_unit_test(test_hex_numbers_and_bytes_take_both_cases),
  cmocka_unit_test(test_sizes_parse_in_both_kinds_of_units),
  cmocka_unit_test(test_durations_parse_as_descending_units),
  cmocka_unit_test(test_what_is_formatted_reads_back),
};
OCF_TEST_MAIN(tests)
