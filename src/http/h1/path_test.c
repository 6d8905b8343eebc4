/* Router and back end read a path alike: what the check lets through decodes in one way only.
 *
 * Method: literal paths, and the three readers (check, decode, compare) held against each other. */
#include "testing/test.h"

#include "http/h1/path.h"

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

static void test_good_and_bad_paths(void **state)
{
  (void)state;
  static const char *const good[] = {
    "/",        "/a/b",          "//",        "/a//b/",   "/.../..a/a..",   "/%41%2d%C3%A9",
    "/a%2Fb",   "/x;y=1/z",      "/a%25",     "/100%25!", "/~:@!$&'()*+,=", "/%20",
    "/a%2F%2F", "/%F0%9F%98%80", "/a%25zz/b", "/a%25a"
  };
  static const char *const bad[] = {
    "",       "a",        "*",       "/.",         "/..",        "/../a",
    "/a/./b", "/%2e",     "/%2E.",   "/a%2f..",    "/..%2Fa",    "/a%2f.%2fb",
    "/a\\b",  "/a%5Cb",   "/%00",    "/%7f",       "/%0a",       "/%",
    "/%4",    "/%4g",     "/%g4",    "/a?b",       "/a#b",       "/a b",
    "/\x80",  "/%80",     "/%c0%af", "/%e0%80%af", "/%ed%a0%80", "/%f4%90%80%80",
    "/%c3",   "/%c3/%a9", "/%2541",  "/%25%34%31", "/%252e"
  };

  for (size_t i = 0; i < OCF_ARRAY_LEN(good); i++) {
    if (ocf_h1_path_check(str(good[i])) != 0)
      fail_msg("refused: %s", good[i]);
  }
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    if (ocf_h1_path_check(str(bad[i])) != OCF_EINVAL)
      fail_msg("accepted: %s", bad[i]);
  }
}

static void test_segments_in_order(void **state)
{
  (void)state;
  static const char *const want[] = { "v1", "", "a%2Fb", "" };
  struct ocf_bytes rest = str("/v1//a%2Fb/"), seg = { NULL, 0 };
  size_t n = 0;

  while (ocf_h1_path_next(&rest, &seg)) {
    assert_true(n < OCF_ARRAY_LEN(want));
    assert_true(ocf_bytes_eq(seg, str(want[n])));
    n++;
  }
  assert_int_equal(n, OCF_ARRAY_LEN(want));
  rest = str("no-slash");
  assert_false(ocf_h1_path_next(&rest, &seg));
}

static void test_decode_and_compare_agree(void **state)
{
  (void)state;
  uint8_t out[64];
  size_t n = 0;

  assert_int_equal(ocf_h1_path_decode(str("%5fservice"), out, sizeof(out), &n), 0);
  assert_true(ocf_bytes_eq(ocf_bytes(out, n), OCF_STR("_service")));
  assert_true(ocf_h1_path_eq(str("%5fservice"), OCF_STR("_service")));
  assert_true(ocf_h1_path_eq(str("_service"), OCF_STR("_service")));
  assert_false(ocf_h1_path_eq(str("_service"), OCF_STR("_servic")));
  assert_false(ocf_h1_path_eq(str("_servic"), OCF_STR("_service")));
  assert_false(ocf_h1_path_eq(str("_Service"), OCF_STR("_service")));
  assert_false(ocf_h1_path_eq(str("%"), OCF_STR("%")));
  assert_int_equal(ocf_h1_path_decode(str("meta%2Fllama"), out, sizeof(out), &n), 0);
  assert_true(ocf_bytes_eq(ocf_bytes(out, n), OCF_STR("meta/llama")));
  assert_int_equal(ocf_h1_path_decode(str("abc"), out, 3, &n), 0);
  assert_int_equal(ocf_h1_path_decode(str("abcd"), out, 3, &n), OCF_ELIMIT);
  assert_int_equal(ocf_h1_path_decode(str("a/b"), out, sizeof(out), &n), OCF_EINVAL);
  assert_int_equal(ocf_h1_path_decode(str("%2e%2e"), out, sizeof(out), &n), OCF_EINVAL);
  assert_int_equal(ocf_h1_path_decode(ocf_bytes(NULL, 0), out, sizeof(out), &n), 0);
  assert_int_equal(n, 0);
}

/* Every two-byte escape: decoded once it is that byte, and no path with it is accepted that decodes
 * to a control character, a backslash or half of a UTF-8 sequence. */
static void test_every_escape(void **state)
{
  (void)state;

  for (unsigned c = 0; c < 256; c++) {
    char text[8];
    uint8_t out[4], as_byte = (uint8_t)c;
    size_t n = 0;
    (void)snprintf(text, sizeof(text), "x%%%02X", c);
    const bool ok = c >= 0x20 && c < 0x7f && c != '\\';
    assert_int_equal(ocf_h1_path_decode(str(text), out, sizeof(out), &n), ok ? 0 : OCF_EINVAL);
    if (ok) {
      assert_int_equal(n, 2);
      assert_int_equal(out[1], as_byte);
    }
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_good_and_bad_paths),
  cmocka_unit_test(test_segments_in_order),
  cmocka_unit_test(test_decode_and_compare_agree),
  cmocka_unit_test(test_every_escape),
};

OCF_TEST_MAIN(tests)
