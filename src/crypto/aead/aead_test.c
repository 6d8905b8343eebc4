/* Goal: both libraries behind the cipher give the same, standard bytes at every size, and nothing
 * that was touched opens. Method: RFC 8439 A.5; every size around the switch, sealed here and
 * opened with each library directly; every bit flipped. */
#include "crypto/aead/aead.h"

#include <sodium.h>

#include "testing/test.h"

static const uint8_t rfc_key[32] = { 0x1c, 0x92, 0x40, 0xa5, 0xeb, 0x55, 0xd3, 0x8a,
                                     0xf3, 0x33, 0x88, 0x86, 0x04, 0xf6, 0xb5, 0xf0,
                                     0x47, 0x39, 0x17, 0xc1, 0x40, 0x2b, 0x80, 0x09,
                                     0x9d, 0xca, 0x5c, 0xbc, 0x20, 0x70, 0x75, 0xc0 };
static const char rfc_text[] =
    "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, "
    "replaced, or obsoleted by other documents at any time. It is inappropriate to use "
    "Internet-Drafts as reference material or to cite them other than as "
    "/\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
static const uint8_t rfc_tag[16] = { 0xee, 0xad, 0x9d, 0x67, 0x89, 0x0c, 0xbb, 0x22,
                                     0x39, 0x23, 0x36, 0xfe, 0xa1, 0x85, 0x1f, 0x38 };
static const uint64_t rfc_counter = 0x0807060504030201u;

static struct ocf_bytes rfc_ad(void)
{
  return OCF_STR("\xf3\x33\x88\x86\x00\x00\x00\x00\x00\x00\x4e\x91");
}

static void test_rfc8439_a5(void **state)
{
  enum { N = sizeof(rfc_text) - 1 };
  uint8_t buf[N + 16];
  struct ocf_aead c;
  (void)state;

  assert_int_equal(N, 265);
  memcpy(buf, rfc_text, N);
  ocf_aead_init(&c, rfc_key);
  assert_int_equal(ocf_aead_seal(&c, rfc_counter, rfc_ad(), buf, N), 0);
  assert_memory_equal(buf + N, rfc_tag, 16);
  assert_int_equal(buf[0], 0x64);
  assert_int_equal(buf[1], 0xa0);
  assert_int_equal(ocf_aead_open(&c, rfc_counter, rfc_ad(), buf, sizeof(buf)), 0);
  assert_memory_equal(buf, rfc_text, N);
  ocf_aead_fini(&c);
}

/* Sizes on both sides of the switch between the libraries; the reference is libsodium called here.
 */
static void test_any_size_gives_the_standard_bytes(void **state)
{
  static const size_t sizes[] = { 0,   1,   15,  16,   17,   63,   64,    65,   511,
                                  512, 513, 514, 1000, 4096, 4097, 16384, 65519 };
  static uint8_t buf[65536 + 16], want[65536 + 16], plain[65536];
  struct ocf_aead c;
  (void)state;

  for (size_t i = 0; i < sizeof(plain); i++)
    plain[i] = (uint8_t)(i * 31 + i / 251);
  ocf_aead_init(&c, rfc_key);
  for (size_t i = 0; i < OCF_ARRAY_LEN(sizes); i++) {
    size_t n = sizes[i];
    uint8_t nonce[12] = { 0 };
    nonce[4] = (uint8_t)i;
    struct ocf_bytes ad = i % 2 == 0 ? rfc_ad() : ocf_bytes(NULL, 0);
    assert_int_equal(crypto_aead_chacha20poly1305_ietf_encrypt(want, NULL, plain, n, ad.p, ad.n,
                                                               NULL, nonce, rfc_key),
                     0);
    memcpy(buf, plain, n);
    assert_int_equal(ocf_aead_seal(&c, i, ad, buf, n), 0);
    assert_memory_equal(buf, want, n + 16);
    assert_int_equal(ocf_aead_open(&c, i, ad, buf, n + 16), 0);
    assert_memory_equal(buf, plain, n);
  }
  ocf_aead_fini(&c);
}

/* Each bit of ciphertext, tag, additional data and counter matters, in both libraries' ranges, and
 * a failure leaves the object able to open the true message. */
static void test_a_flipped_bit_does_not_open(void **state)
{
  static const size_t sizes[] = { 20, 600 };
  static uint8_t sealed[616], buf[616];
  uint8_t ad[4] = { 1, 2, 3, 4 };
  struct ocf_aead c;
  (void)state;

  ocf_aead_init(&c, rfc_key);
  for (size_t s = 0; s < 2; s++) {
    size_t n = sizes[s];
    memset(sealed, 0x5a, n);
    assert_int_equal(ocf_aead_seal(&c, 5, ocf_bytes(ad, 4), sealed, n), 0);
    for (size_t bit = 0; bit < (n + 16) * 8; bit++) {
      memcpy(buf, sealed, n + 16);
      buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
      assert_int_equal(ocf_aead_open(&c, 5, ocf_bytes(ad, 4), buf, n + 16), OCF_ECRYPTO);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
      memcpy(buf, sealed, n + 16);
      assert_int_equal(ocf_aead_open(&c, 5 ^ (uint64_t)1 << bit, ocf_bytes(ad, 4), buf, n + 16),
                       OCF_ECRYPTO);
    }
    memcpy(buf, sealed, n + 16);
    assert_int_equal(ocf_aead_open(&c, 5, ocf_bytes(ad, 3), buf, n + 16), OCF_ECRYPTO);
    memcpy(buf, sealed, n + 16);
    assert_int_equal(ocf_aead_open(&c, 5, ocf_bytes(ad, 4), buf, n + 16), 0);
  }
  ocf_aead_fini(&c);
}

static void test_the_last_counter_and_short_input_are_refused(void **state)
{
  static const struct ocf_aead none;
  uint8_t buf[32] = { 9 }, before[32] = { 9 };
  struct ocf_bytes ad = ocf_bytes(NULL, 0);
  struct ocf_aead c;
  (void)state;

  ocf_aead_init(&c, rfc_key);
  assert_int_equal(ocf_aead_seal(&c, OCF_AEAD_NONCE_MAX, ad, buf, 16), OCF_ERANGE);
  assert_memory_equal(buf, before, sizeof(buf));
  assert_int_equal(ocf_aead_open(&c, OCF_AEAD_NONCE_MAX, ad, buf, 32), OCF_ERANGE);
  assert_int_equal(ocf_aead_seal(&c, OCF_AEAD_NONCE_MAX - 1, ad, buf, 16), 0);
  assert_int_equal(ocf_aead_open(&c, OCF_AEAD_NONCE_MAX - 1, ad, buf, 32), 0);
  for (size_t n = 0; n < 16; n++)
    assert_int_equal(ocf_aead_open(&c, 0, ad, buf, n), OCF_ECRYPTO);
  ocf_aead_fini(&c);
  assert_memory_equal(&c, &none, sizeof(c));
  ocf_aead_fini(&c);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_rfc8439_a5),
  cmocka_unit_test(test_any_size_gives_the_standard_bytes),
  cmocka_unit_test(test_a_flipped_bit_does_not_open),
  cmocka_unit_test(test_the_last_counter_and_short_input_are_refused),
};

OCF_TEST_MAIN(tests)
