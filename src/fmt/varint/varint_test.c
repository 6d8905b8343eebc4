#include "fmt/varint/varint.h"

#include "testing/test.h"

#define B(s, n)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), (n)                                                                      \
  }

static const struct {
  const char *name;
  struct ocf_bytes in;
  int multi_n; /* bytes taken under the multiformats rule; 0: refused */
  uint64_t multi_value;
  int pb_n; /* the same of Go's protobuf rule; 0: too short, <0: overflow */
  uint64_t pb_value;
  bool encode;
} rows[] = {
#include "tests/vectors/gen/varint.inc"
};

/* Goal: both rules judge every recorded input as Go does. */
static void test_recorded_integers(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    uint64_t v = 77;
    int n = ocf_varint_get(rows[i].in.p, rows[i].in.n, &v);
    if (rows[i].multi_n > 0)
      assert_true(n == rows[i].multi_n && v == rows[i].multi_value);
    else
      assert_true(n < 0 && v == 77);
    v = 77;
    n = ocf_varint_get_pb(rows[i].in.p, rows[i].in.n, &v);
    if (rows[i].pb_n > 0)
      assert_true(n == rows[i].pb_n && v == rows[i].pb_value);
    else
      assert_true(v == 77 && n == (rows[i].pb_n == 0 ? OCF_EAGAIN : OCF_ERANGE));
  }
}

static void test_recorded_integers_are_written_alike(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    uint8_t b[OCF_VARINT_MAX];
    if (!rows[i].encode)
      continue;
    assert_int_equal(ocf_varint_len(rows[i].multi_value), rows[i].in.n);
    assert_int_equal(ocf_varint_put(b, rows[i].multi_value), rows[i].in.n);
    assert_memory_equal(b, rows[i].in.p, rows[i].in.n);
  }
}

/* Goal: an integer cut anywhere asks for more, never errs, and then reads as the whole. Method:
 * both sides of every power of two, cut at every byte, under both rules. */
static void test_any_cut_asks_for_more(void **state)
{
  (void)state;
  for (unsigned bit = 0; bit < 64; bit++) {
    for (int off = -1; off <= 1; off++) {
      uint8_t b[OCF_VARINT_MAX];
      uint64_t want = ((uint64_t)1 << bit) + (uint64_t)(int64_t)off, v = 1;
      size_t n = ocf_varint_put(b, want);
      assert_int_equal(n, ocf_varint_len(want));
      for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(ocf_varint_get_pb(b, cut, &v), OCF_EAGAIN);
        assert_int_equal(ocf_varint_get(b, cut, &v),
                         cut < OCF_VARINT_MULTI_MAX ? OCF_EAGAIN : OCF_ERANGE);
      }
      assert_int_equal(ocf_varint_get_pb(b, n, &v), n);
      assert_true(v == want);
      if (want > INT64_MAX) {
        assert_int_equal(ocf_varint_get(b, n, &v), OCF_ERANGE);
      } else {
        assert_int_equal(ocf_varint_get(b, n, &v), n);
        assert_true(v == want);
      }
    }
  }
}

/* Goal: over-long input is refused at the ninth byte, padded input with its own code, and neither
 * touches the value. */
static void test_errors_are_told_apart(void **state)
{
  (void)state;
  static const uint8_t long9[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01 };
  static const uint8_t padded[] = { 0x85, 0x80, 0x00 };
  static const uint8_t bit65[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02 };
  uint64_t v = 5;
  assert_int_equal(ocf_varint_get(NULL, 0, &v), OCF_EAGAIN);
  assert_int_equal(ocf_varint_get_pb(NULL, 0, &v), OCF_EAGAIN);
  assert_int_equal(ocf_varint_get(long9, 8, &v), OCF_EAGAIN);
  assert_int_equal(ocf_varint_get(long9, 9, &v), OCF_ERANGE);
  assert_int_equal(ocf_varint_get(padded, 3, &v), OCF_EINVAL);
  assert_int_equal(ocf_varint_get(padded, 2, &v), OCF_EAGAIN);
  assert_int_equal(ocf_varint_get_pb(bit65, 10, &v), OCF_ERANGE);
  assert_true(v == 5);
  assert_int_equal(ocf_varint_get_pb(padded, 3, &v), 3);
  assert_true(v == 5);
  assert_int_equal(ocf_varint_get_pb(long9, 10, &v), 10);
  assert_true(v == (uint64_t)1 << 63);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_recorded_integers),
  cmocka_unit_test(test_recorded_integers_are_written_alike),
  cmocka_unit_test(test_any_cut_asks_for_more),
  cmocka_unit_test(test_errors_are_told_apart),
};

OCF_TEST_MAIN(tests)
