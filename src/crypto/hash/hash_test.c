/* Goal: the hashes are the ones that everybody else computes. Method: published vectors (FIPS 180-4
 * examples, RFC 4231), and the pieces of the HKDF against their definition. */
#include "crypto/hash/hash.h"

#include "testing/test.h"

static void assert_hex(const uint8_t *p, size_t n, const char *hex)
{
  char text[2 * 64 + 1];

  for (size_t i = 0; i < n; i++)
    (void)snprintf(text + 2 * i, 3, "%02x", p[i]);
  assert_string_equal(text, hex);
}

static void test_sha2_examples(void **state)
{
  uint8_t out[OCF_SHA512_LEN];
  (void)state;

  ocf_sha256("abc", 3, out);
  assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ocf_sha256(NULL, 0, out);
  assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  ocf_sha512("abc", 3, out);
  assert_hex(out, 64,
             "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
             "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

/* A hash in two pieces, cut everywhere around the block size, is the hash of the whole. */
static void test_pieces_hash_like_the_whole(void **state)
{
  uint8_t in[200], whole[32], parts[32];
  struct ocf_sha256 h, fork;
  (void)state;

  for (size_t i = 0; i < sizeof(in); i++)
    in[i] = (uint8_t)(i * 7);
  ocf_sha256(in, sizeof(in), whole);
  for (size_t cut = 0; cut <= sizeof(in); cut++) {
    ocf_sha256_init(&h);
    ocf_sha256_add(&h, in, cut);
    fork = h;
    ocf_sha256_add(&h, "x", 1);
    ocf_sha256_add(&fork, in + cut, sizeof(in) - cut);
    ocf_sha256_final(&fork, parts);
    assert_memory_equal(whole, parts, 32);
  }
}

static void test_hmac_rfc4231(void **state)
{
  uint8_t key[131], out[32];
  static const char what[] = "what do ya want for nothing?";
  static const char large[] = "Test Using Larger Than Block-Size Key - Hash Key First";
  (void)state;

  ocf_hmac_sha256((const uint8_t *)"Jefe", 4, what, sizeof(what) - 1, out);
  assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(key, 0xaa, sizeof(key));
  ocf_hmac_sha256(key, sizeof(key), large, sizeof(large) - 1, out);
  assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* Against the definition in Noise 4.3, with the outputs overwriting the chaining key. */
static void test_hkdf_is_its_definition(void **state)
{
  uint8_t ck[32], ikm[32], temp[32], want[3][32], in[33], out[3][32];
  (void)state;

  memset(ck, 1, sizeof(ck));
  memset(ikm, 2, sizeof(ikm));
  ocf_hmac_sha256(ck, 32, ikm, 32, temp);
  ocf_hmac_sha256(temp, 32, "\x01", 1, want[0]);
  for (uint8_t i = 1; i < 3; i++) {
    memcpy(in, want[i - 1], 32);
    in[32] = (uint8_t)(i + 1);
    ocf_hmac_sha256(temp, 32, in, 33, want[i]);
  }
  ocf_hkdf3(ck, ikm, 32, out[0], out[1], out[2]);
  assert_memory_equal(out, want, sizeof(want));
  ocf_hkdf2(ck, ikm, 32, ck, ikm);
  assert_memory_equal(ck, want[0], 32);
  assert_memory_equal(ikm, want[1], 32);
}

static void test_wipe_and_compare(void **state)
{
  uint8_t a[4] = { 1, 2, 3, 4 }, z[4] = { 0 };
  (void)state;

  assert_false(ocf_ct_eq(a, z, 4));
  ocf_wipe(a, 4);
  assert_true(ocf_ct_eq(a, z, 4));
  ocf_wipe(NULL, 0);
  assert_true(ocf_ct_eq(NULL, NULL, 0));
  assert_int_equal(ocf_crypto_init(), 0);
  assert_int_equal(ocf_crypto_init(), 0);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_sha2_examples),    cmocka_unit_test(test_pieces_hash_like_the_whole),
  cmocka_unit_test(test_hmac_rfc4231),     cmocka_unit_test(test_hkdf_is_its_definition),
  cmocka_unit_test(test_wipe_and_compare),
};

OCF_TEST_MAIN(tests)
