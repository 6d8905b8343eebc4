#include "base/str/escape.h"
#include "testing/test.h"

static const char *escaped(struct ocf_bytes s)
{
  static char text[512];
  struct ocf_fmt f;
  ocf_fmt_init(&f, text, sizeof(text));
  assert_int_equal(ocf_escape(&f, s), s.n);
  assert_false(f.cut);
  return text;
}

static void test_text_is_a_prefix_of_what_was_meant(void **state)
{
  (void)state;
  for (size_t cap = 1; cap < 24; cap++) {
    char text[24];
    struct ocf_fmt f;
    memset(text, '#', sizeof(text));
    ocf_fmt_init(&f, text, cap);
    ocf_fmt_str(&f, "ab");
    ocf_fmt_printf(&f, "%s-%d", "cd", 12);
    ocf_fmt_char(&f, 'x');
    ocf_fmt_u64(&f, 0);
    ocf_fmt_bytes(&f, "yz", 2);
    assert_int_equal(f.cut, cap < 12);
    assert_int_equal(f.n, cap < 12 ? cap - 1 : 11);
    assert_memory_equal(text, "abcd-12x0yz", f.n);
    assert_int_equal(text[f.n], 0);
    if (cap < sizeof(text))
      assert_int_equal(text[cap], '#'); /* nothing behind the end */
  }
}

static void test_numbers_and_hex_are_never_halved(void **state)
{
  (void)state;
  char text[6];
  struct ocf_fmt f;
  ocf_fmt_init(&f, text, sizeof(text));
  ocf_fmt_u64(&f, 123456);
  assert_true(f.cut && f.n == 0);
  ocf_fmt_char(&f, 'x'); /* nothing after a cut */
  ocf_fmt_printf(&f, "x");
  assert_int_equal(f.n, 0);
  ocf_fmt_rewind(&f, 0);
  ocf_fmt_hex(&f, OCF_STR("\x01\xab\xff"));
  assert_string_equal(text, "01ab");
  assert_true(f.cut);
  ocf_fmt_rewind(&f, 2);
  assert_string_equal(text, "01");
  assert_true(ocf_bytes_eq(ocf_fmt_view(&f), OCF_STR("01")));
  char wide[21];
  ocf_fmt_init(&f, wide, sizeof(wide));
  ocf_fmt_u64(&f, UINT64_MAX);
  assert_string_equal(wide, "18446744073709551615");
  ocf_fmt_rewind(&f, 0);
  ocf_fmt_padded(&f, 7, 3);
  ocf_fmt_padded(&f, 12345, 2);
  ocf_fmt_padded(&f, 1, 15);
  assert_string_equal(wide, "00745000000000000001");
  ocf_fmt_padded(&f, 1, 1);
  assert_true(f.cut && f.n == 20);
}

/* Goal: RFC 3629 exactly. Method: its boundary characters, and each way to break the rules. */
static void test_utf8_is_accepted_only_when_well_formed(void **state)
{
  (void)state;
  static const char *const good[] = { "\x7f",         "\xc2\x80",         "\xdf\xbf",
                                      "\xe0\xa0\x80", "\xed\x9f\xbf",     "\xee\x80\x80",
                                      "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
  static const uint32_t cps[] = { 0x7f,   0x80,   0x7ff,   0x800,   0xd7ff,
                                  0xe000, 0xffff, 0x10000, 0x10ffff };
  static const char *const bad[] = { "\x80",
                                     "\xbf",
                                     "\xc0\x80",
                                     "\xc1\xbf",
                                     "\xc2",
                                     "\xc2z",
                                     "\xe0\x9f\xbf",
                                     "\xe2\x82",
                                     "\xe2z\x82",
                                     "\xed\xa0\x80",
                                     "\xed\xbf\xbf",
                                     "\xf0\x8f\xbf\xbf",
                                     "\xf0\x90\x80",
                                     "\xf5\x80\x80\x80",
                                     "\xf4\x90\x80\x80",
                                     "\xff" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(good); i++) {
    uint32_t cp = 0;
    struct ocf_bytes s = ocf_bytes(good[i], strlen(good[i]));
    assert_int_equal(ocf_utf8_next(s, &cp), s.n);
    assert_int_equal(cp, cps[i]);
    assert_true(ocf_utf8_ok(s));
  }
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    uint32_t cp = 0;
    assert_int_equal(ocf_utf8_next(ocf_bytes(bad[i], strlen(bad[i])), &cp), 0);
    assert_false(ocf_utf8_ok(ocf_bytes(bad[i], strlen(bad[i]))));
  }
  assert_true(ocf_utf8_ok(ocf_bytes(NULL, 0)));
}

static void test_escapes_are_those_of_json(void **state)
{
  (void)state;
  assert_string_equal(escaped(OCF_STR("plain text/")), "plain text/");
  assert_string_equal(escaped(OCF_STR("a\"b\\c")), "a\\\"b\\\\c");
  assert_string_equal(escaped(OCF_STR("\b\f\n\r\t")), "\\b\\f\\n\\r\\t");
  assert_string_equal(escaped(OCF_STR("\0\x1f\x7f")), "\\u0000\\u001f\\u007f");
  assert_string_equal(escaped(OCF_STR("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")),
                      "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
}

static void test_bytes_that_are_no_text_are_replaced_one_by_one(void **state)
{
  (void)state;
  assert_string_equal(escaped(OCF_STR("a\xff"
                                      "b")),
                      "a\\ufffdb");
  assert_string_equal(escaped(OCF_STR("\xe2\x82")), "\\ufffd\\ufffd");
  assert_string_equal(escaped(OCF_STR("\xed\xa0\x80")), "\\ufffd\\ufffd\\ufffd");
}

static void test_marks_that_could_forge_what_a_terminal_shows_are_escaped(void **state)
{
  (void)state;
  assert_string_equal(escaped(OCF_STR("\x1b[31m")), "\\u001b[31m");
  assert_string_equal(escaped(OCF_STR("\xc2\x9b")), "\\u009b");     /* C1 CSI */
  assert_string_equal(escaped(OCF_STR("\xe2\x80\xae")), "\\u202e"); /* right-to-left override */
  assert_string_equal(escaped(OCF_STR("\xe2\x80\xa8")), "\\u2028"); /* line separator */
  assert_string_equal(escaped(OCF_STR("\xe2\x81\xa6")), "\\u2066"); /* isolate */
  assert_string_equal(escaped(OCF_STR("\xe2\x80\x8f")), "\\u200f"); /* right-to-left mark */
  assert_string_equal(escaped(OCF_STR("\xef\xbb\xbf")), "\\ufeff"); /* byte order mark */
}

static void test_a_full_text_is_cut_between_characters(void **state)
{
  (void)state;
  const struct ocf_bytes s = OCF_STR("ab\n\xc3\xbc\x01z");
  static const size_t done[] = { 0, 1, 2, 2, 3, 3, 5, 5, 5, 5, 5, 5, 6, 7 }; /* by room */
  for (size_t room = 0; room < OCF_ARRAY_LEN(done); room++) {
    char text[32];
    struct ocf_fmt f;
    ocf_fmt_init(&f, text, room + 1);
    assert_int_equal(ocf_escape(&f, s), done[room]);
    assert_memory_equal(text, "ab\\n\xc3\xbc\\u0001z", f.n);
    assert_true(ocf_utf8_ok(ocf_fmt_view(&f)));
    assert_int_equal(f.cut, done[room] < s.n);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_text_is_a_prefix_of_what_was_meant),
  cmocka_unit_test(test_numbers_and_hex_are_never_halved),
  cmocka_unit_test(test_utf8_is_accepted_only_when_well_formed),
  cmocka_unit_test(test_escapes_are_those_of_json),
  cmocka_unit_test(test_bytes_that_are_no_text_are_replaced_one_by_one),
  cmocka_unit_test(test_marks_that_could_forge_what_a_terminal_shows_are_escaped),
  cmocka_unit_test(test_a_full_text_is_cut_between_characters),
};
OCF_TEST_MAIN(tests)
