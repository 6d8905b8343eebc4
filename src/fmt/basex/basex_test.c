#include "fmt/basex/basex.h"

#include "testing/test.h"

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

static void check_pair(enum ocf_basex base, const char *bytes, const char *text)
{
  char t[256];
  uint8_t b[256];
  size_t n = 0;
  assert_int_equal(ocf_basex_encode(base, str(bytes), t, sizeof(t), &n), 0);
  assert_string_equal(t, text);
  assert_int_equal(n, strlen(text));
  assert_int_equal(ocf_basex_decode(base, str(text), b, sizeof(b), &n), 0);
  assert_int_equal(n, strlen(bytes));
  assert_memory_equal(b, bytes, n);
}

/* The examples of RFC 4648 section 10. */
static void test_rfc4648_examples(void **state)
{
  (void)state;
  static const struct {
    enum ocf_basex base;
    const char *text[7]; /* of "", "f", "fo", "foo", "foob", "fooba", "foobar" */
  } rows[] = {
    { OCF_BASEX_64_PAD, { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" } },
    { OCF_BASEX_64, { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" } },
    { OCF_BASEX_64_URL_PAD, { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" } },
    { OCF_BASEX_32_PAD_UPPER,
      { "", "MY======", "MZXQ====", "MZXW6===", "MZXW6YQ=", "MZXW6YTB", "MZXW6YTBOI======" } },
    { OCF_BASEX_32_PAD,
      { "", "my======", "mzxq====", "mzxw6===", "mzxw6yq=", "mzxw6ytb", "mzxw6ytboi======" } },
    { OCF_BASEX_32, { "", "my", "mzxq", "mzxw6", "mzxw6yq", "mzxw6ytb", "mzxw6ytboi" } },
    { OCF_BASEX_32HEX_PAD_UPPER,
      { "", "CO======", "CPNG====", "CPNMU===", "CPNMUOG=", "CPNMUOJ1", "CPNMUOJ1E8======" } },
    { OCF_BASEX_HEX_UPPER,
      { "", "66", "666F", "666F6F", "666F6F62", "666F6F6261", "666F6F626172" } },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    for (size_t len = 0; len <= 6; len++) {
      char bytes[8] = "foobar";
      bytes[len] = '\0';
      check_pair(rows[i].base, bytes, rows[i].text[len]);
    }
  }
}

/* The examples of the base58 draft, and a flickr one computed apart. */
static void test_base58_examples(void **state)
{
  (void)state;
  check_pair(OCF_BASEX_58, "Hello World!", "2NEpo7TZRRrLZSi2U");
  check_pair(OCF_BASEX_58, "The quick brown fox jumps over the lazy dog.",
             "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z");
  check_pair(OCF_BASEX_58, "", "");
  check_pair(OCF_BASEX_58_FLICKR, "Hello World!", "2nePN7syqqRkyrH2t");
  char t[32];
  uint8_t b[32];
  size_t n;
  assert_int_equal(
      ocf_basex_encode(OCF_BASEX_58, OCF_STR("\0\0\x28\x7f\xb4\xcd"), t, sizeof(t), &n), 0);
  assert_string_equal(t, "11233QC4");
  assert_int_equal(ocf_basex_decode(OCF_BASEX_58, str(t), b, sizeof(b), &n), 0);
  assert_int_equal(n, 6);
  assert_memory_equal(b, "\0\0\x28\x7f\xb4\xcd", 6);
}

/* Goal: every base gives back what it was given, at every length, in exactly the room it asks for
 * and not in one byte less. Method: patterned bytes with zeros in front, all lengths to 70. */
static void test_every_base_and_length_comes_back(void **state)
{
  (void)state;
  for (int base = 0; base < OCF_BASEX_N; base++) {
    for (size_t len = 0; len <= 70; len++) {
      uint8_t src[70], back[128];
      char t[256];
      size_t n = 0, m = 0;
      for (size_t i = 0; i < len; i++)
        src[i] = i < len % 3 ? 0 : (uint8_t)(i * 37 + len * 11);
      size_t room = ocf_basex_text_size((enum ocf_basex)base, len);
      assert_true(room <= sizeof(t));
      assert_int_equal(ocf_basex_encode((enum ocf_basex)base, ocf_bytes(src, len), t, room, &n), 0);
      assert_int_equal(strlen(t), n);
      assert_int_equal(ocf_basex_encode((enum ocf_basex)base, ocf_bytes(src, len), t, n + 1, NULL),
                       0);
      assert_int_equal(ocf_basex_decode((enum ocf_basex)base, ocf_bytes(t, n), back, len, &m), 0);
      assert_int_equal(m, len);
      if (len > 0) {
        assert_memory_equal(back, src, len);
        assert_int_equal(ocf_basex_decode((enum ocf_basex)base, ocf_bytes(t, n), back, len - 1, &m),
                         OCF_EAGAIN);
      }
      assert_int_equal(ocf_basex_encode((enum ocf_basex)base, ocf_bytes(src, len), t, n, NULL),
                       OCF_EAGAIN);
      assert_true(n == 0 || t[0] == '\0');
    }
  }
}

static void test_what_no_encoder_makes_is_refused(void **state)
{
  (void)state;
  static const struct {
    enum ocf_basex base;
    const char *text;
  } bad[] = {
    { OCF_BASEX_HEX, "0" },
    { OCF_BASEX_HEX, "0g" },
    { OCF_BASEX_HEX, "00 " },
    { OCF_BASEX_32, "m" },
    { OCF_BASEX_32, "mzx" },
    { OCF_BASEX_32, "mzxw6y" },
    { OCF_BASEX_32, "mz" }, /* spare bits */
    { OCF_BASEX_32, "my======" },
    { OCF_BASEX_32, "m1" },
    { OCF_BASEX_32_PAD, "my" },
    { OCF_BASEX_32_PAD, "my=====" },
    { OCF_BASEX_32_PAD, "my=======" },
    { OCF_BASEX_32_PAD, "========" },
    { OCF_BASEX_32_PAD, "mzxw6ytb========" },
    { OCF_BASEX_32_PAD, "my=====a" },
    { OCF_BASEX_64, "Z" },
    { OCF_BASEX_64, "Zg==" },
    { OCF_BASEX_64, "Zh" }, /* spare bits */
    { OCF_BASEX_64, "Zm9-" },
    { OCF_BASEX_64_URL, "Zm9+" },
    { OCF_BASEX_64_PAD, "Zg" },
    { OCF_BASEX_64_PAD, "Zg=" },
    { OCF_BASEX_64_PAD, "====" },
    { OCF_BASEX_64_PAD, "Zg==Zg==" },
    { OCF_BASEX_64, "Zm9\n" },
    { OCF_BASEX_58, "0" },
    { OCF_BASEX_58, "I" },
    { OCF_BASEX_58, "O" },
    { OCF_BASEX_58, "l" },
    { OCF_BASEX_58, "11 " },
    { OCF_BASEX_58, "\xff" },
    { OCF_BASEX_36, "_" },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    uint8_t b[64];
    size_t n = 99;
    assert_int_equal(ocf_basex_decode(bad[i].base, str(bad[i].text), b, sizeof(b), &n), OCF_EINVAL);
    assert_int_equal(n, 99);
  }
}

static void test_case_matters_only_where_an_alphabet_has_both(void **state)
{
  (void)state;
  uint8_t b[16];
  size_t n;
  assert_int_equal(ocf_basex_decode(OCF_BASEX_32, str("mZxW6YtB"), b, sizeof(b), &n), 0);
  assert_memory_equal(b, "fooba", 5);
  assert_int_equal(ocf_basex_decode(OCF_BASEX_HEX_UPPER, str("6f6F"), b, sizeof(b), &n), 0);
  assert_memory_equal(b, "oo", 2);
  assert_int_equal(ocf_basex_decode(OCF_BASEX_36, str("K01EDC"), b, sizeof(b), &n), 0);
  assert_int_equal(ocf_basex_decode(OCF_BASEX_58, str("a"), b, sizeof(b), &n), 0);
  assert_int_equal(b[0], 33);
  assert_int_equal(ocf_basex_decode(OCF_BASEX_58, str("A"), b, sizeof(b), &n), 0);
  assert_int_equal(b[0], 9);
}

/* Goal: the quadratic forms end at their bound, both ways, and work right up to it. */
static void test_radix_forms_are_bounded(void **state)
{
  (void)state;
  static uint8_t src[OCF_BASEX_RADIX_MAX + 1], back[OCF_BASEX_RADIX_TEXT_MAX];
  static char t[OCF_BASEX_RADIX_TEXT_MAX + 100];
  static const enum ocf_basex bases[] = { OCF_BASEX_36, OCF_BASEX_58 };
  size_t n, m;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bases); i++) {
    memset(src, 0xff, sizeof(src));
    assert_int_equal(ocf_basex_encode(bases[i], ocf_bytes(src, sizeof(src)), t, sizeof(t), &n),
                     OCF_ELIMIT);
    assert_int_equal(
        ocf_basex_encode(bases[i], ocf_bytes(src, OCF_BASEX_RADIX_MAX), t, sizeof(t), &n), 0);
    assert_true(n <= OCF_BASEX_RADIX_TEXT_MAX);
    assert_int_equal(ocf_basex_decode(bases[i], ocf_bytes(t, n), back, sizeof(back), &m), 0);
    assert_int_equal(m, OCF_BASEX_RADIX_MAX);
    assert_memory_equal(back, src, m);
    memset(t, 'z', sizeof(t)); /* the largest digit */
    assert_int_equal(
        ocf_basex_decode(bases[i], ocf_bytes(t, OCF_BASEX_RADIX_TEXT_MAX), back, sizeof(back), &m),
        OCF_ELIMIT);
    assert_int_equal(ocf_basex_decode(bases[i], ocf_bytes(t, OCF_BASEX_RADIX_TEXT_MAX + 1), back,
                                      sizeof(back), &m),
                     OCF_ELIMIT);
    memset(t, bases[i] == OCF_BASEX_36 ? '0' : '1', sizeof(t)); /* nothing but zero bytes */
    assert_int_equal(
        ocf_basex_decode(bases[i], ocf_bytes(t, OCF_BASEX_RADIX_MAX), back, sizeof(back), &m), 0);
    assert_int_equal(m, OCF_BASEX_RADIX_MAX);
    assert_int_equal(
        ocf_basex_decode(bases[i], ocf_bytes(t, OCF_BASEX_RADIX_MAX + 1), back, sizeof(back), &m),
        OCF_ELIMIT);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_rfc4648_examples),
  cmocka_unit_test(test_base58_examples),
  cmocka_unit_test(test_every_base_and_length_comes_back),
  cmocka_unit_test(test_what_no_encoder_makes_is_refused),
  cmocka_unit_test(test_case_matters_only_where_an_alphabet_has_both),
  cmocka_unit_test(test_radix_forms_are_bounded),
};

OCF_TEST_MAIN(tests)
