#include "fmt/jscan/jscan.h"

#include "fmt/jscan/jscan_check.h"

#include "testing/test.h"

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

static char line_memory[2][JSCAN_CHECK_OUT];

/* The lexer's answer to `text`, all at once; its tokens as lines in line_memory[0]. */
static int read_all(struct ocf_bytes text, size_t cap, uint64_t *offset)
{
  struct jscan_lines l = { line_memory[0], 0 };
  int rc = jscan_lines(text, 0, cap, OCF_JSCAN_DEPTH_DEFAULT, &l, offset);
  line_memory[0][l.n] = '\0';
  return rc;
}

static const char *const good[] = {
  "{}",
  "[]",
  " \t\r\n{ } ",
  "0",
  "-0",
  "12",
  "-1.5e+10",
  "1E-2 ",
  "0.25",
  "1e3",
  "true",
  "false",
  "null",
  "\"\"",
  "\"a\"",
  "[1,2 , 3]",
  "[[],{},[{}]]",
  "{\"a\":1,\"b\":[true,false,null]}",
  "{\"a\":{\"b\":{\"c\":\"d\"}},\"a\":2}",
  "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
  "\"\\u0041\\u00e9\\u20AC\"",
  "\"\\ud83d\\ude00\"",
  "\"\\uD83D\\uDE00\"",
  "\"\\ud83d\"",
  "\"\\ude00\"",
  "\"\\ud83dx\"",
  "\"\\ud83d\\n\"",
  "\"\\ud83d\\ud83d\\ude00\"",
  "\"\\ud83d\\u0041\"",
  "\"\\u0000\"",
  "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
  "\"\xff\"",
  "\"a\xc3\"",
  "\"\xc3(\"",
  "\"\xe2\x82\"",
  "\"\xe2\x82\xc3\xa9\"",
  "\"\xed\xa0\x80\"",
  "\"\xf4\x90\x80\x80\"",
  "\"\xf0\x8f\xbf\xbf\"",
  "\"\xc0\x80\"",
  "\"\xe0\x9f\xbf\"",
  "\"\xf0\x9f\x98\\n\"",
  "\"\xf0\x9f\\u0041\"",
  "\"\\ud83d\xc3\xa9\"",
  ("{\"\\u006bey\":\"a long enough text to be read a word at a time, and "
   "more of it\\n and on to the end of it all \xe2\x82\xac\"}"),
  "[\"0123456789abcdef0123456789abcdef\\u00e9\",\"x\",123456789012345678901234567890]",
  "{\"a\":1}garbage",
  "[1] 2",
  "1 ",
  "\"x\"\"y\"",
};

static const char *const bad[] = {
  "",
  " ",
  "{",
  "[",
  "\"",
  "\"a",
  "[1",
  "[1,",
  "[1,]",
  "[,1]",
  "{\"a\"",
  "{\"a\":",
  "{\"a\":1",
  "{\"a\":1,",
  "{\"a\":1,}",
  "{a:1}",
  "{\"a\" 1}",
  "{\"a\":}",
  "{1:2}",
  "{,}",
  "[1 2]",
  "[1}",
  "{\"a\":1]",
  "-",
  "+1",
  "[01]",
  "[1.]",
  "[.5]",
  "[1e]",
  "[1e+]",
  "[--1]",
  "1.",
  "1e",
  "tru",
  "truE",
  "[nulL]",
  "[True]",
  "nul",
  "\"\\x\"",
  "\"\\u12g4\"",
  "\"\\u12\"",
  "\"\\",
  "\"\n\"",
  "\"\x01\"",
  ("\"0123456789abcdef0123456\x1f"
   "89\""),
  "\xef\xbb\xbf{}",
  "]",
  "}",
  ",",
  ":",
  "[\"a\":1]",
  "{\"a\":1:2}",
  "NaN",
  "// x\n1",
  "'a'",
};

/* Goal: the same tokens and the same verdict however the text is cut. Method: chunks of one byte,
 * of every other size, and the independent reader beside. */
static void same_however_cut(struct ocf_bytes text, size_t cap)
{
  struct jscan_lines naive = { line_memory[1], 0 };
  uint64_t offset, cut_offset;
  int rc = read_all(text, cap, &offset);
  size_t n = strlen(line_memory[0]);
  assert_int_equal(jscan_check(text, cap, OCF_JSCAN_DEPTH_DEFAULT, &naive), rc == 1);
  if (rc == 1) {
    assert_int_equal(naive.n, n);
    assert_memory_equal(line_memory[1], line_memory[0], n);
  }
  for (size_t step = 1; step <= text.n; step++) {
    struct jscan_lines l = { line_memory[1], 0 };
    assert_int_equal(jscan_lines(text, step, cap, OCF_JSCAN_DEPTH_DEFAULT, &l, &cut_offset), rc);
    assert_int_equal(cut_offset, offset);
    assert_int_equal(l.n, n);
    assert_memory_equal(line_memory[1], line_memory[0], n);
  }
}

static void test_any_split_gives_the_same_tokens(void **state)
{
  (void)state;
  static const size_t caps[] = { 512, 40, 5, 1, 0 };
  for (size_t c = 0; c < OCF_ARRAY_LEN(caps); c++) {
    for (size_t i = 0; i < OCF_ARRAY_LEN(good); i++)
      same_however_cut(str(good[i]), caps[c]);
    for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
      same_however_cut(str(bad[i]), caps[c]);
  }
}

static void test_json_is_accepted_and_nothing_else(void **state)
{
  (void)state;
  uint64_t offset;
  for (size_t i = 0; i < OCF_ARRAY_LEN(good); i++)
    assert_int_equal(read_all(str(good[i]), 64, &offset), 1);
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_int_equal(read_all(str(bad[i]), 64, &offset), OCF_EINVAL);
}

/* Goal: every byte of the alphabet, alone and where a value, a key and a comma stand, is judged as
 * the independent reader judges it. */
static void test_every_byte_everywhere_is_judged_alike(void **state)
{
  (void)state;
  static const char *const around[] = { "@",         "[@]",   "{@}",     "[1@]",
                                        "{\"a\"@1}", "\"@\"", "\"\\@\"", "\"\\u00@0\"",
                                        "-@",        "1.@",   "1e@",     "t@ue" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(around); i++)
    for (unsigned c = 0; c < 256; c++) {
      char text[16];
      size_t n = strlen(around[i]);
      memcpy(text, around[i], n);
      text[strcspn(around[i], "@")] = (char)c;
      same_however_cut(ocf_bytes(text, n), 64);
    }
}

struct pulled {
  struct ocf_jscan s;
  struct ocf_bytes in;
  uint8_t buf[64];
  struct ocf_jscan_token t;
};

static void begin(struct pulled *p, const char *text)
{
  ocf_jscan_init(&p->s, p->buf, sizeof(p->buf), OCF_JSCAN_DEPTH_DEFAULT);
  p->in = str(text);
}

static enum ocf_jscan_kind pull(struct pulled *p)
{
  assert_int_equal(ocf_jscan_pull(&p->s, &p->in, &p->t), 1);
  return p->t.kind;
}

static void pull_text(struct pulled *p, enum ocf_jscan_kind kind, const char *text)
{
  assert_int_equal(pull(p), kind);
  assert_true(ocf_bytes_eq(p->t.text, str(text)));
}

static void test_tokens_tell_their_text_depth_and_place(void **state)
{
  (void)state;
  struct pulled p;
  begin(&p, " {\"a\\n\" : [ -1.50 ]}  ");
  assert_int_equal(pull(&p), OCF_JSCAN_OBJECT);
  assert_true(p.t.depth == 0 && p.t.begin == 1 && p.t.end == 2 && p.t.text.n == 0);
  pull_text(&p, OCF_JSCAN_KEY, "a\n");
  assert_true(p.t.depth == 1 && p.t.begin == 2 && p.t.end == 7 && !p.t.truncated);
  assert_int_equal(pull(&p), OCF_JSCAN_ARRAY);
  assert_true(p.t.depth == 1 && p.t.begin == 10);
  pull_text(&p, OCF_JSCAN_NUMBER, "-1.50");
  assert_true(p.t.depth == 2 && p.t.begin == 12 && p.t.end == 17);
  assert_int_equal(pull(&p), OCF_JSCAN_ARRAY_END);
  assert_true(p.t.depth == 1 && p.t.begin == 18 && p.t.end == 19);
  assert_int_equal(pull(&p), OCF_JSCAN_OBJECT_END);
  assert_true(p.t.depth == 0 && p.t.end == 20);
  assert_int_equal(pull(&p), OCF_JSCAN_END);
  assert_true(p.t.end == 20 && p.in.n == 2 && ocf_jscan_is_blank(p.in));
  assert_int_equal(pull(&p), OCF_JSCAN_END); /* and again */
}

/* Goal: ill-formed text becomes what Go's decoder makes of it. The expected texts were read off a
 * Go program. */
static void test_ill_formed_text_becomes_replacement_characters(void **state)
{
  (void)state;
#define R "\xef\xbf\xbd"
  static const char *const cases[][2] = {
    { "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80" },
    { "\"\\ud83d\"", R },
    { "\"\\ude00x\"", R "x" },
    { "\"\\ud83d\\ud83d\\ude00\"", R "\xf0\x9f\x98\x80" },
    { "\"\\ud83d\\u0041\"", R "A" },
    { "\"\\ud83d\\n\"", R "\n" },
    { "\"\xff\xfe\"", R R },
    { "\"\xe2\x82\"", R R },
    { "\"\xed\xa0\x80\"", R R R },
    { "\"\xf0\x9f\x98z\"", R R R "z" },
    { "\"\xc3\xa9\"", "\xc3\xa9" },
    { "\"\xe2\x82\\u0042\"", R R "B" },
    { "\"\\ud83d\xc3\xa9\"", R "\xc3\xa9" },
  };
#undef R
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    struct pulled p;
    begin(&p, cases[i][0]);
    pull_text(&p, OCF_JSCAN_STRING, cases[i][1]);
  }
}

static void test_a_long_string_is_cut_between_characters(void **state)
{
  (void)state;
  struct pulled p;
  ocf_jscan_init(&p.s, p.buf, 4, 1);
  p.in = OCF_STR("[\"abc\xc3\xa9 and more\",\"abcd\",\"abcde\",12345]");
  assert_int_equal(pull(&p), OCF_JSCAN_ARRAY);
  pull_text(&p, OCF_JSCAN_STRING, "abc");
  assert_true(p.t.truncated);
  pull_text(&p, OCF_JSCAN_STRING, "abcd");
  assert_false(p.t.truncated);
  pull_text(&p, OCF_JSCAN_STRING, "abcd");
  assert_true(p.t.truncated);
  pull_text(&p, OCF_JSCAN_NUMBER, "1234");
  assert_true(p.t.truncated);
  assert_int_equal(pull(&p), OCF_JSCAN_ARRAY_END);
}

/* Goal: values are passed over whole, after a key and inside a container, with their place told;
 * however cut. */
static void test_a_skipped_value_is_one_token(void **state)
{
  (void)state;
  static const char text[] =
      "{\"a\": {\"x\":[1,{}],\"\\\"}\":\"\\u00e9]\"} ,\"b\":-12 ,\"c\":[1,[2]],"
      "\"d\":\"s\",\"e\":true}";
  static const char *const values[] = { "{\"x\":[1,{}],\"\\\"}\":\"\\u00e9]\"}", "-12", "[1,[2]]",
                                        "\"s\"", "true" };
  for (size_t step = 1; step < sizeof(text); step++)
    for (unsigned inside = 0; inside < 2; inside++) {
      struct pulled p;
      size_t at = 0, n_skipped = 0;
      int rc = 0;
      begin(&p, text);
      do {
        struct ocf_bytes in = ocf_bytes(text + at, OCF_MIN(step, sizeof(text) - 1 - at));
        size_t had = in.n;
        rc = ocf_jscan_next(&p.s, &in, &p.t);
        at += had - in.n;
        if (rc <= 0)
          continue;
        bool open = p.t.kind == OCF_JSCAN_OBJECT || p.t.kind == OCF_JSCAN_ARRAY;
        if ((p.t.kind == OCF_JSCAN_KEY && inside == 0) || (open && p.t.depth == 1))
          ocf_jscan_skip(&p.s);
        if (p.t.kind == OCF_JSCAN_SKIPPED) {
          size_t i = inside == 0 ? n_skipped : n_skipped * 2;
          assert_true(
              ocf_bytes_eq(ocf_bytes(text + p.t.begin, p.t.end - p.t.begin), str(values[i])));
          assert_int_equal(p.t.depth, 1);
          n_skipped++;
        }
      } while (rc >= 0 && p.t.kind != OCF_JSCAN_END);
      assert_int_equal(rc, 1);
      assert_int_equal(n_skipped, inside == 0 ? 5 : 2);
    }
}

static void test_the_whole_document_can_be_skipped_and_is_still_checked(void **state)
{
  (void)state;
  struct pulled p;
  begin(&p, "[1,\"\\uzzzz\"]");
  assert_int_equal(pull(&p), OCF_JSCAN_ARRAY);
  ocf_jscan_skip(&p.s);
  assert_int_equal(ocf_jscan_pull(&p.s, &p.in, &p.t), OCF_EINVAL);
  assert_int_equal(ocf_jscan_offset(&p.s), 6);
  begin(&p, "[1,[\"x\"],{}] ");
  assert_int_equal(pull(&p), OCF_JSCAN_ARRAY);
  ocf_jscan_skip(&p.s);
  assert_int_equal(pull(&p), OCF_JSCAN_SKIPPED);
  assert_true(p.t.begin == 0 && p.t.end == 12);
  assert_int_equal(pull(&p), OCF_JSCAN_END);
}

static void test_nesting_is_bounded(void **state)
{
  (void)state;
  static char deep[2 * OCF_JSCAN_DEPTH_MAX + 2];
  struct jscan_lines l = { line_memory[0], 0 };
  uint64_t offset;
  for (unsigned max = 1; max <= OCF_JSCAN_DEPTH_MAX; max += max < 70 ? 1 : 63) {
    memset(deep, '[', max);
    memset(deep + max, ']', max);
    assert_int_equal(jscan_lines(ocf_bytes(deep, 2 * max), 0, 0, max, &l, &offset), 1);
    l.n = 0;
    deep[max] = '{';
    assert_int_equal(jscan_lines(ocf_bytes(deep, 2 * max), 0, 0, max, &l, &offset), OCF_ELIMIT);
    assert_int_equal(offset, max);
    l.n = 0;
  }
}

/* Goal: deep mixtures of both containers come apart in the right order. */
static void test_the_bit_stack_remembers_what_is_open(void **state)
{
  (void)state;
  char text[4096];
  size_t n = 0;
  enum { DEPTH = 200 };
  for (unsigned i = 0; i < DEPTH; i++)
    n += (size_t)snprintf(text + n, 8, "%s", i % 3 == 0 ? "[" : "{\"k\":");
  text[n++] = '0';
  for (unsigned i = DEPTH; i-- > 0;)
    text[n++] = i % 3 == 0 ? ']' : '}';
  struct jscan_lines l = { line_memory[0], 0 }, naive = { line_memory[1], 0 };
  uint64_t offset;
  assert_int_equal(jscan_lines(ocf_bytes(text, n), 0, 8, DEPTH, &l, &offset), 1);
  assert_true(jscan_check(ocf_bytes(text, n), 8, DEPTH, &naive));
  assert_true(l.n == naive.n && memcmp(l.p, naive.p, l.n) == 0);
  text[n - 2] = text[n - 2] == ']' ? '}' : ']';
  l.n = 0;
  assert_int_equal(jscan_lines(ocf_bytes(text, n), 0, 8, DEPTH, &l, &offset), OCF_EINVAL);
}

static void test_an_error_stays(void **state)
{
  (void)state;
  struct pulled p;
  begin(&p, "[1,x]");
  assert_int_equal(pull(&p), OCF_JSCAN_ARRAY);
  assert_int_equal(pull(&p), OCF_JSCAN_NUMBER);
  assert_int_equal(ocf_jscan_next(&p.s, &p.in, &p.t), OCF_EINVAL);
  assert_int_equal(ocf_jscan_offset(&p.s), 3);
  p.in = OCF_STR("1]");
  assert_int_equal(ocf_jscan_next(&p.s, &p.in, &p.t), OCF_EINVAL);
  assert_int_equal(ocf_jscan_finish(&p.s, &p.t), OCF_EINVAL);
  assert_int_equal(p.t.kind, OCF_JSCAN_NUMBER); /* untouched */
}

static void test_a_text_cut_short_is_an_error_at_its_end(void **state)
{
  (void)state;
  struct pulled p;
  begin(&p, "{\"a\":1");
  assert_int_equal(pull(&p), OCF_JSCAN_OBJECT);
  assert_int_equal(pull(&p), OCF_JSCAN_KEY);
  assert_int_equal(ocf_jscan_next(&p.s, &p.in, &p.t), 0);
  assert_int_equal(ocf_jscan_finish(&p.s, &p.t), OCF_EINVAL);
  assert_int_equal(ocf_jscan_finish(&p.s, &p.t), OCF_EINVAL);
}

/* Goal: plain bytes of any kind at any distance from a special one are told from it. */
static void test_runs_of_every_length_end_where_they_should(void **state)
{
  (void)state;
  static const uint8_t fills[] = { 'a', 0x20, '#', '!', '[', ']', 0x7f };
  char text[128];
  for (size_t f = 0; f < sizeof(fills); f++)
    for (size_t n = 0; n < 80; n++)
      for (unsigned special = 0; special < 5; special++) {
        static const char *const ends[] = { "\"", "\\n\"", "\x1f\"", "\xc3\xa9\"", "\x80\"" };
        text[0] = '"';
        memset(text + 1, fills[f], n);
        memcpy(text + 1 + n, ends[special], strlen(ends[special]));
        struct jscan_lines l = { line_memory[0], 0 }, naive = { line_memory[1], 0 };
        struct ocf_bytes b = ocf_bytes(text, 1 + n + strlen(ends[special]));
        uint64_t offset;
        int rc = jscan_lines(b, 0, 100, 1, &l, &offset);
        assert_int_equal(jscan_check(b, 100, 1, &naive), rc == 1);
        if (rc == 1)
          assert_true(l.n == naive.n && memcmp(l.p, naive.p, l.n) == 0);
        else
          assert_int_equal(offset, n + 1);
      }
}

static void test_integers_are_exact_or_refused(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int rc;
    int64_t v;
  } cases[] = {
    { "0", 0, 0 },
    { "-0", 0, 0 },
    { "7", 0, 7 },
    { "-12", 0, -12 },
    { "9223372036854775807", 0, INT64_MAX },
    { "-9223372036854775808", 0, INT64_MIN },
    { "9223372036854775808", OCF_ERANGE, 0 },
    { "-9223372036854775809", OCF_ERANGE, 0 },
    { "99999999999999999999", OCF_ERANGE, 0 },
    { "1.5", OCF_EINVAL, 0 },
    { "1.0", OCF_EINVAL, 0 },
    { "1e3", OCF_EINVAL, 0 },
    { "", OCF_EINVAL, 0 },
    { "-", OCF_EINVAL, 0 },
    { "+1", OCF_EINVAL, 0 },
    { "01", OCF_EINVAL, 0 },
    { "1 ", OCF_EINVAL, 0 },
    { "x", OCF_EINVAL, 0 },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    int64_t v = 42;
    assert_int_equal(ocf_jscan_i64(str(cases[i].text), &v), cases[i].rc);
    assert_true(v == (cases[i].rc == 0 ? cases[i].v : 42));
  }
}

static void test_doubles_are_read_or_refused(void **state)
{
  (void)state;
  double v = 0;
  assert_int_equal(ocf_jscan_double(str("1.5"), &v), 0);
  assert_true(v > 1.49 && v < 1.51);
  assert_int_equal(ocf_jscan_double(str("-2e-3"), &v), 0);
  assert_true(v > -0.0021 && v < -0.0019);
  assert_int_equal(ocf_jscan_double(str("1e-400"), &v), 0);
  assert_int_equal(ocf_jscan_double(str("1e400"), &v), OCF_ERANGE);
  assert_int_equal(ocf_jscan_double(str("-1e400"), &v), OCF_ERANGE);
  static const char *const no[] = { "", "1.", "inf", "nan", "0x10", "1e", " 1" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(no); i++)
    assert_int_equal(ocf_jscan_double(str(no[i]), &v), OCF_EINVAL);
  char huge[OCF_JSCAN_NUMBER_MAX + 1];
  memset(huge, '1', sizeof(huge));
  assert_int_equal(ocf_jscan_double(ocf_bytes(huge, sizeof(huge)), &v), OCF_EINVAL);
  assert_int_equal(ocf_jscan_double(ocf_bytes(huge, sizeof(huge) - 1), &v), 0);
}

static void test_names_match_as_in_go(void **state)
{
  (void)state;
  assert_true(ocf_jscan_key_is(str("service"), "service"));
  assert_true(ocf_jscan_key_is(str("SerVice"), "service"));
  assert_true(ocf_jscan_key_is(str("\xc5\xbf"
                                   "ervice"),
                               "service"));
  assert_true(ocf_jscan_key_is(str("\xe2\x84\xaa"
                                   "ey_s"),
                               "key_s"));
  assert_false(ocf_jscan_key_is(str("services"), "service"));
  assert_false(ocf_jscan_key_is(str("servic"), "service"));
  assert_false(ocf_jscan_key_is(str("service\xc3"), "service"));
  assert_false(ocf_jscan_key_is(str("s\xc3\xa9rvice"), "service"));
  assert_false(ocf_jscan_key_is(str(""), "id"));
  assert_true(ocf_jscan_key_is(str(""), ""));
  assert_false(ocf_jscan_key_is(str("last-seen"), "last_seen"));
}

static void test_blank_is_white_space_only(void **state)
{
  (void)state;
  assert_true(ocf_jscan_is_blank(OCF_STR(" \t\r\n")));
  assert_true(ocf_jscan_is_blank(ocf_bytes(NULL, 0)));
  assert_false(ocf_jscan_is_blank(OCF_STR(" \f")));
  assert_false(ocf_jscan_is_blank(OCF_STR("\0")));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_any_split_gives_the_same_tokens),
  cmocka_unit_test(test_json_is_accepted_and_nothing_else),
  cmocka_unit_test(test_every_byte_everywhere_is_judged_alike),
  cmocka_unit_test(test_tokens_tell_their_text_depth_and_place),
  cmocka_unit_test(test_ill_formed_text_becomes_replacement_characters),
  cmocka_unit_test(test_a_long_string_is_cut_between_characters),
  cmocka_unit_test(test_a_skipped_value_is_one_token),
  cmocka_unit_test(test_the_whole_document_can_be_skipped_and_is_still_checked),
  cmocka_unit_test(test_nesting_is_bounded),
  cmocka_unit_test(test_the_bit_stack_remembers_what_is_open),
  cmocka_unit_test(test_an_error_stays),
  cmocka_unit_test(test_a_text_cut_short_is_an_error_at_its_end),
  cmocka_unit_test(test_runs_of_every_length_end_where_they_should),
  cmocka_unit_test(test_integers_are_exact_or_refused),
  cmocka_unit_test(test_doubles_are_read_or_refused),
  cmocka_unit_test(test_names_match_as_in_go),
  cmocka_unit_test(test_blank_is_white_space_only),
};

OCF_TEST_MAIN(tests)
