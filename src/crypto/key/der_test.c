/* Goal: one value has one encoding, and no length reaches past its container. Method: each rule of
 * DER that the reader enforces, on both sides of its edge. */
#include "crypto/key/der.h"

#include "testing/test.h"

static int take(const char *in, size_t n, size_t *body)
{
  struct ocf_bytes rest = ocf_bytes(in, n), b = { NULL, 0 };
  int rc = ocf_der_take(&rest, OCF_DER_SEQUENCE, &b);

  *body = b.n;
  if (rc != 0)
    assert_int_equal(rest.n, n); /* nothing is taken on failure */
  else
    assert_ptr_equal(b.p + b.n, rest.p);
  return rc;
}

static void test_lengths_are_minimal_and_inside(void **state)
{
  static char big[70000];
  static const struct {
    const char *head;
    size_t n_head, n, body;
    bool ok;
  } cases[] = {
    { "\x30\x00", 2, 2, 0, true },
    { "\x30\x05", 2, 7, 5, true },
    { "\x30\x05", 2, 6, 0, false },
    { "\x30\x7f", 2, 129, 127, true },
    { "\x30\x81\x80", 3, 131, 128, true },
    { "\x30\x81\x7f", 3, 130, 0, false }, /* one octet too many */
    { "\x30\x81\xff", 3, 257, 0, false }, /* one byte too few */
    { "\x30\x82\x01\x00", 4, 260, 256, true },
    { "\x30\x82\x00\xff", 4, 259, 0, false }, /* padded */
    { "\x30\x82\xff\xff", 4, 65539, 65535, true },
    { "\x30\x83\x01\x00\x00", 5, 65541, 0, false }, /* longer than anything here */
    { "\x30\x80\x00\x00", 4, 4, 0, false },         /* indefinite */
    { "\x30\x81", 2, 2, 0, false },
    { "\x30\x82\x01", 3, 3, 0, false },
    { "\x30", 1, 1, 0, false },
    { "\x31\x00", 2, 2, 0, false }, /* another tag */
    { "", 0, 0, 0, false },
  };
  (void)state;

  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    size_t body;
    memset(big, 0, sizeof(big));
    memcpy(big, cases[i].head, cases[i].n_head);
    assert_int_equal(take(big, cases[i].n, &body), cases[i].ok ? 0 : OCF_EINVAL);
    assert_int_equal(body, cases[i].body);
  }
}

static void test_integers_are_minimal_and_not_negative(void **state)
{
  static const struct {
    const char *in;
    size_t n;
    int rc;
    size_t mag, bits;
  } cases[] = {
    { "\x02\x01\x00", 3, 0, 0, 0 },          { "\x02\x01\x01", 3, 0, 1, 1 },
    { "\x02\x01\x7f", 3, 0, 1, 7 },          { "\x02\x02\x00\x80", 4, 0, 1, 8 },
    { "\x02\x02\x01\x00", 4, 0, 2, 9 },      { "\x02\x02\x00\x7f", 4, OCF_EINVAL, 0, 0 },
    { "\x02\x01\x80", 3, OCF_EINVAL, 0, 0 }, { "\x02\x00", 2, OCF_EINVAL, 0, 0 },
    { "\x03\x01\x01", 3, OCF_EINVAL, 0, 0 }, { "\x02\x02\x01", 3, OCF_EINVAL, 0, 0 },
  };
  (void)state;

  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    struct ocf_bytes in = ocf_bytes(cases[i].in, cases[i].n), mag = { NULL, 0 };
    assert_int_equal(ocf_der_take_uint(&in, &mag), cases[i].rc);
    assert_int_equal(in.n, cases[i].rc == 0 ? 0 : cases[i].n);
    assert_int_equal(mag.n, cases[i].mag);
    assert_int_equal(ocf_der_bits(mag), cases[i].bits);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_lengths_are_minimal_and_inside),
  cmocka_unit_test(test_integers_are_minimal_and_not_negative),
};

OCF_TEST_MAIN(tests)
