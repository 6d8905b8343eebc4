#include "multi/multibase/multibase.h"

#include "testing/test.h"

#define B(s, n)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), (n)                                                                      \
  }

static const struct {
  char prefix;
  struct ocf_bytes bytes, text;
} pairs[] = {
#include "tests/vectors/gen/multibase.inc"
};

static const struct {
  struct ocf_bytes text;
  bool valid;
  struct ocf_bytes bytes;
} texts[] = {
#include "tests/vectors/gen/multibase_texts.inc"
};

static void test_recorded_pairs(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(pairs); i++) {
    char t[128];
    uint8_t b[128];
    size_t n = 0;
    assert_int_equal(ocf_multibase_encode(pairs[i].prefix, pairs[i].bytes, t, sizeof(t), &n), 0);
    assert_int_equal(n, pairs[i].text.n);
    assert_memory_equal(t, pairs[i].text.p, n + 1);
    assert_true(n < ocf_multibase_text_size(pairs[i].prefix, pairs[i].bytes.n));
    assert_int_equal(ocf_multibase_encode(pairs[i].prefix, pairs[i].bytes, t, n, NULL), OCF_EAGAIN);
    assert_true(t[0] == '\0');
    int rc = ocf_multibase_decode(pairs[i].text, b, sizeof(b), &n);
    if (pairs[i].text.n == 1 && strchr("kz", pairs[i].prefix) != NULL) {
      assert_int_equal(rc, OCF_EINVAL); /* a number without digits; Go refuses it, too */
      continue;
    }
    assert_int_equal(rc, 0);
    assert_true(ocf_bytes_eq(ocf_bytes(b, n), pairs[i].bytes));
  }
}

static void test_recorded_texts(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(texts); i++) {
    uint8_t b[128];
    size_t n = 0;
    int rc = ocf_multibase_decode(texts[i].text, b, sizeof(b), &n);
    assert_int_equal(rc == 0, texts[i].valid);
    if (rc == 0)
      assert_true(ocf_bytes_eq(ocf_bytes(b, n), texts[i].bytes));
  }
}

/* Goal: each known prefix reads what it writes, and no two share a base. */
static void test_every_prefix_comes_back(void **state)
{
  (void)state;
  static const uint8_t src[] = { 0, 0, 1, 0xfe, 0x80, 0x7f, 0x33 };
  unsigned seen = 0;
  int known = 0;
  for (int c = 0; c < 256; c++) {
    enum ocf_basex base;
    char t[64];
    uint8_t b[64];
    size_t n = 0;
    if (ocf_multibase_lookup((char)c, &base) != 0) {
      assert_int_equal(ocf_multibase_text_size((char)c, 3), 0);
      assert_int_equal(ocf_multibase_encode((char)c, ocf_bytes(src, 1), t, sizeof(t), &n),
                       OCF_EUNSUPP);
      t[0] = (char)c;
      assert_int_equal(ocf_multibase_decode(ocf_bytes(t, 1), b, sizeof(b), &n), OCF_EUNSUPP);
      continue;
    }
    known++;
    assert_false(seen & 1u << base);
    seen |= 1u << base;
    assert_int_equal(ocf_multibase_encode((char)c, ocf_bytes(src, sizeof(src)), t, sizeof(t), &n),
                     0);
    assert_int_equal(t[0], c);
    assert_int_equal(ocf_multibase_decode(ocf_bytes(t, n), b, sizeof(b), &n), 0);
    assert_int_equal(n, sizeof(src));
    assert_memory_equal(b, src, n);
  }
  assert_int_equal(known, OCF_BASEX_N);
}

static void test_room_and_bounds(void **state)
{
  (void)state;
  static const uint8_t big[OCF_BASEX_RADIX_MAX + 1];
  char t[8] = "x";
  uint8_t b[1];
  size_t n;
  assert_int_equal(ocf_multibase_decode(ocf_bytes(NULL, 0), b, 1, &n), OCF_EINVAL);
  assert_int_equal(ocf_multibase_decode(OCF_STR("f0102"), b, 1, &n), OCF_EAGAIN);
  assert_int_equal(ocf_multibase_encode('f', OCF_STR(""), t, 1, NULL), OCF_EAGAIN);
  assert_true(t[0] == '\0');
  t[0] = 'x';
  assert_int_equal(ocf_multibase_encode('f', OCF_STR(""), t, 0, NULL), OCF_EAGAIN);
  assert_true(t[0] == 'x');
  assert_int_equal(ocf_multibase_encode('f', OCF_STR(""), t, 2, NULL), 0);
  assert_string_equal(t, "f");
  assert_int_equal(ocf_multibase_encode('z', ocf_bytes(big, sizeof(big)), t, sizeof(t), NULL),
                   OCF_ELIMIT);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_recorded_pairs),
  cmocka_unit_test(test_recorded_texts),
  cmocka_unit_test(test_every_prefix_comes_back),
  cmocka_unit_test(test_room_and_bounds),
};

OCF_TEST_MAIN(tests)
