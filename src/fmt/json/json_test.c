#include "fmt/json/json.h"

#include "base/mem/alloc.h"
#include "fmt/json/json_check.h"
#include "testing/test.h"

static void assert_text(const struct ocf_buf *b, const char *want)
{
  assert_int_equal(b->n, strlen(want));
  assert_memory_equal(b->p, want, b->n);
}

static void write_sample(struct ocf_json *w)
{
  ocf_json_object(w);
  ocf_json_key(w, "id");
  ocf_json_cstr(w, "12D3");
  ocf_json_key(w, "list");
  ocf_json_array(w);
  ocf_json_u64(w, UINT64_MAX);
  ocf_json_i64(w, INT64_MIN);
  ocf_json_array(w);
  ocf_json_array_end(w);
  ocf_json_object(w);
  ocf_json_object_end(w);
  ocf_json_array_end(w);
  ocf_json_key(w, "a\"b");
  ocf_json_object(w);
  ocf_json_key(w, "t");
  ocf_json_bool(w, true);
  ocf_json_key(w, "f");
  ocf_json_bool(w, false);
  ocf_json_key(w, "n");
  ocf_json_null(w);
  ocf_json_object_end(w);
  ocf_json_key(w, "raw");
  ocf_json_raw(w, OCF_STR("1.5e3"));
  ocf_json_object_end(w);
}

static const char sample[] =
    "{\"id\":\"12D3\",\"list\":[18446744073709551615,-9223372036854775808,[],{}],"
    "\"a\\\"b\":{\"t\":true,\"f\":false,\"n\":null},\"raw\":1.5e3}";

static void test_a_document_with_every_kind_of_value(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf b;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 4096);
  struct ocf_json w = ocf_json_to(&b);
  write_sample(&w);
  assert_int_equal(ocf_json_end(&w), 0);
  assert_text(&b, sample);
  ocf_buf_fini(&b);
}

static void check_string(const char *bytes, size_t n, const char *want)
{
  struct ocf_alloc a;
  struct ocf_buf b;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 4096);
  struct ocf_json w = ocf_json_to(&b);
  ocf_json_str(&w, ocf_bytes(bytes, n));
  assert_int_equal(ocf_json_end(&w), 0);
  assert_text(&b, want);
  assert_true(json_check(ocf_buf_view(&b)));
  ocf_buf_fini(&b);
}

#define FFFD "\xef\xbf\xbd"

/* Goal: escapes and the replacement of bad UTF-8. The ill-formed rows follow the "maximal subpart"
 * practice of Unicode 3.9 (its table 3-8 is the row before the last). */
static void test_strings_are_escaped_and_repaired(void **state)
{
  (void)state;
  static const struct {
    const char *in;
    size_t n;
    const char *want;
  } rows[] = {
#define ROW(in, want) { in, sizeof(in) - 1, "\"" want "\"" }
    ROW("", ""),
    ROW("plain", "plain"),
    ROW("\"\\/", "\\\"\\\\/"),
    ROW("\b\t\n\v\f\r\x01\x1f\x7f", "\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\x7f"),
    ROW("a\0b", "a\\u0000b"),
    ROW("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
    ROW("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80"),
    ROW("\x80", FFFD),
    ROW("x\xffy", "x" FFFD "y"),
    ROW("\xc0\xaf", FFFD FFFD), /* overlong '/' */
    ROW("\xc1\xbf", FFFD FFFD),
    ROW("\xe0\x9f\xbf", FFFD FFFD FFFD),          /* overlong */
    ROW("\xed\xa0\x80", FFFD FFFD FFFD),          /* surrogate */
    ROW("\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD), /* overlong */
    ROW("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD), /* above U+10FFFF */
    ROW("\xf5\x80", FFFD FFFD),
    ROW("\xe2\x82", FFFD), /* cut short at the end */
    ROW("\xe2\x82"
        "a",
        FFFD "a"),
    ROW("\xf0\x9f\x98", FFFD),
    ROW("\xf0\x9f\x98\"", FFFD "\\\""),
    ROW("a\xf1\x80\x80\xe1\x80\xc2"
        "b\x80"
        "c\x80\xbf"
        "d",
        "a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d"),
    ROW("\xc2", FFFD),
#undef ROW
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++)
    check_string(rows[i].in, rows[i].n, rows[i].want);
}

static void test_the_deepest_document(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf b;
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 4096);
  struct ocf_json w = ocf_json_to(&b);
  for (int i = 0; i < OCF_JSON_DEPTH_MAX; i++) {
    if (i % 2 == 0) {
      ocf_json_object(&w);
      ocf_json_key_bytes(&w, OCF_STR("k"));
    } else {
      ocf_json_array(&w);
      ocf_json_null(&w);
    }
  }
  for (int i = OCF_JSON_DEPTH_MAX; i-- > 0;) {
    if (i % 2 == 0)
      ocf_json_object_end(&w);
    else
      ocf_json_array_end(&w);
  }
  assert_int_equal(ocf_json_end(&w), 0);
  assert_true(json_check(ocf_buf_view(&b)));
  ocf_buf_fini(&b);
}

/* Goal: a bound or a failing allocator gives one error at the end and an unchanged buffer. */
static void test_a_writer_without_room_leaves_nothing(void **state)
{
  (void)state;
  for (size_t max = 3; max < 3 + sizeof(sample) - 1; max++) {
    struct ocf_alloc a;
    struct ocf_buf b;
    ocf_alloc_init(&a);
    ocf_buf_init(&b, &a, max);
    assert_int_equal(ocf_buf_add_str(&b, "pre"), 0);
    struct ocf_json w = ocf_json_to(&b);
    write_sample(&w);
    assert_int_equal(ocf_json_end(&w), OCF_ELIMIT);
    assert_text(&b, "pre");
    ocf_buf_fini(&b);
    assert_int_equal(a.live_bytes, 0);
  }
}

static void test_out_of_memory_at_every_call(void **state)
{
  (void)state;
  for (uint64_t fail = 1;; fail++) {
    struct ocf_alloc a;
    struct ocf_buf b;
    ocf_alloc_init(&a);
    a.fail_at = fail;
    ocf_buf_init(&b, &a, 100000);
    struct ocf_json w = ocf_json_to(&b);
    ocf_json_array(&w);
    for (int i = 0; i < 50; i++)
      write_sample(&w);
    ocf_json_array_end(&w);
    int rc = ocf_json_end(&w);
    assert_true(rc == 0 ? b.n == 50 * (sizeof(sample) - 1) + 51 : b.n == 0);
    ocf_buf_fini(&b);
    assert_int_equal(a.live_bytes, 0);
    if (rc == 0)
      return;
    assert_int_equal(rc, OCF_ENOMEM);
  }
}

/* Goal: the checker that the other tests and the fuzz target trust says no. */
static void test_the_checker_refuses_bad_json(void **state)
{
  (void)state;
  static const char *const bad[] = {
    "",        "{",           "[1,]",         "{\"a\"}",  "{\"a\":}",     "{\"a\":1,}",
    "{a:1}",   "[1 2]",       "01",           "-",        "tru",          "\"",
    "\"\\x\"", "\"\\u12g4\"", "\"\x01\"",     "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"",
    "[]]",     "1,2",         "\"\xe2\x82\"",
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_false(json_check(ocf_bytes(bad[i], strlen(bad[i]))));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_document_with_every_kind_of_value),
  cmocka_unit_test(test_strings_are_escaped_and_repaired),
  cmocka_unit_test(test_the_deepest_document),
  cmocka_unit_test(test_a_writer_without_room_leaves_nothing),
  cmocka_unit_test(test_out_of_memory_at_every_call),
  cmocka_unit_test(test_the_checker_refuses_bad_json),
};

OCF_TEST_MAIN(tests)
