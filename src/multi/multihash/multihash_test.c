#include "multi/multihash/multihash.h"

#include "testing/test.h"

#define B(s, n)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), (n)                                                                      \
  }

static const struct {
  struct ocf_bytes bytes;
  uint64_t code;
  struct ocf_bytes input;
  const char *base58; /* for the tests of the text forms elsewhere */
} rows[] = {
#include "tests/vectors/gen/multihash.inc"
};

/* Goal: recorded multihashes are computed alike, parsed, and verified; sha1 is carried but not
 * made. */
static void test_recorded_hashes(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    uint8_t b[512];
    size_t n = 0;
    struct ocf_multihash mh;
    bool ours = rows[i].code != OCF_MULTIHASH_SHA1;
    assert_int_equal(ocf_multihash_cast(rows[i].bytes, &mh), 0);
    assert_true(mh.code == rows[i].code);
    assert_int_equal(ocf_multihash_verify(&mh, rows[i].input), ours ? 0 : OCF_EUNSUPP);
    assert_int_equal(ocf_multihash_encode(mh, b, sizeof(b), &n), 0);
    assert_true(ocf_bytes_eq(ocf_bytes(b, n), rows[i].bytes));
    int rc = ocf_multihash_sum(rows[i].code, rows[i].input, b, sizeof(b), &n);
    assert_int_equal(rc, ours ? 0 : OCF_EUNSUPP);
    if (ours)
      assert_true(ocf_bytes_eq(ocf_bytes(b, n), rows[i].bytes));
  }
}

static void test_a_wrong_input_or_digest_is_noticed(void **state)
{
  (void)state;
  uint8_t b[80];
  size_t n;
  struct ocf_multihash mh;
  static const uint64_t codes[] = { OCF_MULTIHASH_IDENTITY, OCF_MULTIHASH_SHA2_256,
                                    OCF_MULTIHASH_SHA2_512 };
  for (size_t i = 0; i < OCF_ARRAY_LEN(codes); i++) {
    assert_int_equal(ocf_multihash_sum(codes[i], OCF_STR("data"), b, sizeof(b), &n), 0);
    assert_int_equal(ocf_multihash_cast(ocf_bytes(b, n), &mh), 0);
    assert_int_equal(ocf_multihash_verify(&mh, OCF_STR("data")), 0);
    assert_int_equal(ocf_multihash_verify(&mh, OCF_STR("Data")), OCF_ECRYPTO);
    assert_int_equal(ocf_multihash_verify(&mh, OCF_STR("")), OCF_ECRYPTO);
    mh.digest.n--; /* a truncated digest proves less than it says */
    assert_int_equal(ocf_multihash_verify(&mh, OCF_STR("data")), OCF_ECRYPTO);
    mh.digest.n++;
    b[n - 1] ^= 1;
    assert_int_equal(ocf_multihash_verify(&mh, OCF_STR("data")), OCF_ECRYPTO);
  }
}

/* Goal: parsing takes exactly the announced bytes, and every shorter input is refused. */
static void test_every_cut_is_refused(void **state)
{
  (void)state;
  static const uint8_t in[] = { 0x80, 0x24, 0x03, 'a', 'b', 'c', 'd' }; /* code 0x1200 */
  struct ocf_multihash mh = { 0 };
  size_t used = 0;
  for (size_t cut = 0; cut < 6; cut++)
    assert_int_equal(ocf_multihash_parse(ocf_bytes(in, cut), &mh, &used), OCF_EINVAL);
  assert_int_equal(used, 0);
  assert_int_equal(ocf_multihash_parse(ocf_bytes(in, 7), &mh, &used), 0);
  assert_true(used == 6 && mh.code == 0x1200 && mh.digest.n == 3 && mh.digest.p == in + 3);
  assert_int_equal(ocf_multihash_cast(ocf_bytes(in, 7), &mh), OCF_EINVAL);
  assert_int_equal(ocf_multihash_cast(ocf_bytes(in, 6), &mh), 0);
  assert_int_equal(ocf_multihash_cast(OCF_STR("\x92\x00\x00"), &mh), OCF_EINVAL); /* padded code */
  assert_int_equal(ocf_multihash_cast(OCF_STR("\x12\x81\x00z"), &mh),
                   OCF_EINVAL); /* padded length */
  assert_int_equal(ocf_multihash_cast(OCF_STR("\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7fz"), &mh),
                   OCF_EINVAL);
}

static void test_encoding_needs_room(void **state)
{
  (void)state;
  uint8_t b[8];
  size_t n = 0;
  struct ocf_multihash mh = { 0x55, OCF_STR("abc") };
  for (size_t cap = 0; cap < 5; cap++)
    assert_int_equal(ocf_multihash_encode(mh, b, cap, &n), OCF_EAGAIN);
  assert_int_equal(ocf_multihash_encode(mh, b, 5, &n), 0);
  assert_memory_equal(b,
                      "\x55\x03"
                      "abc",
                      5);
  mh.code = (uint64_t)1 << 63;
  assert_int_equal(ocf_multihash_encode(mh, b, 5, &n), OCF_ERANGE);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_recorded_hashes),
  cmocka_unit_test(test_a_wrong_input_or_digest_is_noticed),
  cmocka_unit_test(test_every_cut_is_refused),
  cmocka_unit_test(test_encoding_needs_room),
};

OCF_TEST_MAIN(tests)
