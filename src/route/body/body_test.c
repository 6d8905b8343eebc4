/* Goal: the fields are found wherever they stand, as early as can be, and however the body is cut.
 * Method: bodies as clients write them, cut at every byte, against a naive reading. */
#include "testing/test.h"

#include "route/body/body_check.h"

static const char *const bodies[] = {
  "{\"model\":\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true}",
  "{\"messages\":[{\"role\":\"user\",\"content\":\"{\\\"model\\\":\\\"no\\\"}\"}],\"model\":\"org/"
  "m-7b\","
  "\"max_tokens\":128,\"user\":\"u1\"}",
  " {\n\t\"lora\" : \"x=y\" , \"model\" : \"a\" }\r\n ",
  "{\"model\":\"first\",\"model\":\"last\"}",
  "{\"model\":\"text\",\"model\":7}",
  "{\"model\":null,\"lora\":[1,{\"model\":\"deep\"}],\"stream\":\"true\",\"user\":{}}",
  "{\"m\\u006fdel\":\"\\u00e9\\ud83d\\ude00\",\"\\u00e9\":\"e\"}",
  "{\"Model\":\"other\",\"MODEL\":\"case\"}",
  "{\"max_tokens\":5,\"max_completion_tokens\":9}",
  "{\"max_tokens\":5,\"max_completion_tokens\":-9}",
  "{\"max_tokens\":1.5,\"max_completion_tokens\":\"9\"}",
  "{\"max_tokens\":99999999999999999999}",
  "{\"model\":\"\",\"stream\":false,\"user\":\"\"}",
  "{}",
  "{\"a\":{\"b\":[[[]]]},\"model\":\"z\"}",
  /* not JSON, or no object */
  "",
  " ",
  "[]",
  "\"model\"",
  "7",
  "null",
  "{\"model\":\"a\"",
  "{\"model\":\"a\"}}",
  "{\"model\":\"a\"} x",
  "model=a&b=c",
  "{\"model\":'a'}",
  "{\"model\":\"a\",}",
  "--boundary\r\n\r\n",
  "{\"model\":\"a\nb\"}",
};

static void begin(struct ocf_body *b, size_t scan_max)
{
  ocf_body_init(b, body_check_keys, BODY_CHECK_KEYS, scan_max);
}

static struct ocf_bytes text(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

static void test_any_split_gives_what_the_whole_gives(void **state)
{
  static struct ocf_body whole, cut;
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bodies); i++) {
    struct ocf_bytes b = text(bodies[i]);
    begin(&whole, OCF_BODY_SCAN_MAX);
    (void)ocf_body_feed(&whole, b);
    (void)ocf_body_end(&whole);
    body_check(&whole, b);
    for (size_t at = 0; at <= b.n; at++) {
      begin(&cut, OCF_BODY_SCAN_MAX);
      (void)ocf_body_feed(&cut, ocf_bytes(b.p, at));
      (void)ocf_body_feed(&cut, ocf_bytes(b.p + at, b.n - at));
      (void)ocf_body_end(&cut);
      body_check_same(&whole, &cut);
    }
  }
}

static void test_it_says_so_as_soon_as_everything_is_known(void **state)
{
  const struct ocf_bytes model = OCF_STR("model");
  const char b[] = "{\"x\":1,\"model\":\"m\",\"messages\":[";
  struct ocf_body s;
  (void)state;
  ocf_body_init(&s, &model, 1, OCF_BODY_SCAN_MAX);
  for (size_t i = 0; i < strlen(b); i++) {
    enum ocf_body_state st = ocf_body_feed(&s, ocf_bytes(b + i, 1));
    assert_int_equal(st, i < 17 ? OCF_BODY_MORE : OCF_BODY_KNOWN); /* at the closing quote */
  }
  assert_true(ocf_bytes_eq(ocf_body_model(&s), OCF_STR("m")));
  assert_int_equal(ocf_body_feed(&s, OCF_STR("],\"stream\":true")), OCF_BODY_KNOWN);
  assert_int_equal(ocf_body_feed(&s, OCF_STR("}")), OCF_BODY_DONE);
  assert_true(ocf_body_stream(&s));
  assert_int_equal(ocf_body_feed(&s, OCF_STR(" \n")), OCF_BODY_DONE);
  assert_int_equal(ocf_body_end(&s), OCF_BODY_DONE);
  assert_int_equal(ocf_body_feed(&s, OCF_STR("x")), OCF_BODY_NOT_JSON);
  assert_int_equal(ocf_body_feed(&s, OCF_STR("{}")), OCF_BODY_NOT_JSON);
}

static void test_several_keys_are_known_when_the_last_one_is(void **state)
{
  struct ocf_body s;
  (void)state;
  begin(&s, OCF_BODY_SCAN_MAX);
  assert_int_equal(ocf_body_feed(&s, OCF_STR("{\"model\":\"a\",\"model\":\"b\",")), OCF_BODY_MORE);
  assert_int_equal(ocf_body_feed(&s, OCF_STR("\"lora\":3,")), OCF_BODY_MORE);
  assert_int_equal(ocf_body_feed(&s, OCF_STR("\"\xc3\xa9\":{\"a\":")), OCF_BODY_KNOWN);
  assert_int_equal(ocf_body_keyed(&s, 0)->kind, OCF_BODY_STRING);
  assert_int_equal(ocf_body_keyed(&s, 1)->kind, OCF_BODY_OTHER);
  assert_int_equal(ocf_body_keyed(&s, 2)->kind, OCF_BODY_OTHER);
  assert_true(ocf_bytes_eq(ocf_body_model(&s), OCF_STR("b")));
}

static void test_without_keys_nothing_needs_to_be_waited_for(void **state)
{
  struct ocf_body s;
  (void)state;
  ocf_body_init(&s, NULL, 0, 100);
  assert_int_equal(s.state, OCF_BODY_KNOWN);
  assert_int_equal(ocf_body_feed(&s, OCF_STR("{\"model\":\"a\",\"us")), OCF_BODY_KNOWN);
  assert_int_equal(ocf_body_feed(&s, OCF_STR("er\":\"u\"}")), OCF_BODY_DONE);
  assert_true(ocf_bytes_eq(ocf_body_user(&s), OCF_STR("u")));
}

static void test_keys_are_taken_once_and_within_their_bounds(void **state)
{
  static char names[40][16], big[80];
  struct ocf_bytes keys[44];
  struct ocf_body s;
  size_t n = 0;
  (void)state;
  memset(big, 'k', sizeof(big));
  keys[n++] = OCF_STR("");
  keys[n++] = ocf_bytes(big, OCF_BODY_KEY_MAX + 1);
  keys[n++] = ocf_bytes(big, OCF_BODY_KEY_MAX);
  for (int i = 0; i < 40; i++) {
    (void)snprintf(names[i], sizeof(names[i]), "k%d", i / 2);
    keys[n++] = text(names[i]);
  }
  ocf_body_init(&s, keys, n, 100);
  assert_int_equal(s.n_keys, OCF_BODY_KEYS_MAX);
  assert_int_equal(ocf_body_key(&s, 0).n, OCF_BODY_KEY_MAX);
  assert_true(ocf_bytes_eq(ocf_body_key(&s, 1), OCF_STR("k0")));
  assert_true(ocf_bytes_eq(ocf_body_key(&s, 2), OCF_STR("k1")));
}

static void test_long_strings_are_present_but_not_kept(void **state)
{
  static char b[2000];
  struct ocf_body s;
  (void)state;
  for (size_t n = OCF_BODY_VALUE_MAX - 1; n <= OCF_BODY_VALUE_MAX + 1; n++) {
    memset(b, 'v', sizeof(b));
    memcpy(b, "{\"model\":\"", 10);
    memcpy(b + 10 + n, "\"}", 2);
    begin(&s, OCF_BODY_SCAN_MAX);
    assert_int_equal(ocf_body_feed(&s, ocf_bytes(b, 12 + n)), OCF_BODY_DONE);
    assert_int_equal(s.model.kind, n <= OCF_BODY_VALUE_MAX ? OCF_BODY_STRING : OCF_BODY_LONG);
    assert_int_equal(ocf_body_model(&s).n, n <= OCF_BODY_VALUE_MAX ? n : 0);
  }
  /* A name that only begins like one of ours is another. */
  memset(b, 'x', sizeof(b));
  memcpy(b, "{\"model", 7);
  memcpy(b + 1000, "\":\"a\"}", 6);
  begin(&s, OCF_BODY_SCAN_MAX);
  assert_int_equal(ocf_body_feed(&s, ocf_bytes(b, 1006)), OCF_BODY_DONE);
  assert_int_equal(s.model.kind, OCF_BODY_ABSENT);
}

static void test_the_bound_ends_the_scan_with_what_was_seen(void **state)
{
  const char b[] = "{\"model\":\"m\",\"lora\":\"l\",\"user\":\"u\"}";
  static struct ocf_body whole, cut;
  (void)state;
  for (size_t max = 1; max <= sizeof(b); max++) {
    begin(&whole, max);
    (void)ocf_body_feed(&whole, text(b));
    assert_int_equal(ocf_body_end(&whole), max < sizeof(b) - 1 ? OCF_BODY_BOUND : OCF_BODY_DONE);
    assert_int_equal(ocf_body_model(&whole).n, max >= 12);
    assert_int_equal(ocf_body_user(&whole).n, max >= 34);
    for (size_t step = 1; step < sizeof(b); step++) {
      begin(&cut, max);
      for (size_t at = 0; at < sizeof(b) - 1; at += step)
        (void)ocf_body_feed(&cut, ocf_bytes(b + at, OCF_MIN(step, sizeof(b) - 1 - at)));
      body_check_same(&whole, &cut);
    }
  }
}

static void test_nesting_without_end_is_not_json(void **state)
{
  static char b[300];
  struct ocf_body s;
  (void)state;
  memset(b, '[', sizeof(b));
  memcpy(b, "{\"model\":\"a\",\"x\":", 17);
  begin(&s, OCF_BODY_SCAN_MAX);
  assert_int_equal(ocf_body_feed(&s, ocf_bytes(b, sizeof(b))), OCF_BODY_NOT_JSON);
  assert_int_equal(s.model.kind, OCF_BODY_ABSENT);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_any_split_gives_what_the_whole_gives),
    cmocka_unit_test(test_it_says_so_as_soon_as_everything_is_known),
    cmocka_unit_test(test_several_keys_are_known_when_the_last_one_is),
    cmocka_unit_test(test_without_keys_nothing_needs_to_be_waited_for),
    cmocka_unit_test(test_keys_are_taken_once_and_within_their_bounds),
    cmocka_unit_test(test_long_strings_are_present_but_not_kept),
    cmocka_unit_test(test_the_bound_ends_the_scan_with_what_was_seen),
    cmocka_unit_test(test_nesting_without_end_is_not_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
