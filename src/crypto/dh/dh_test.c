/* Goal: X25519 as in RFC 7748, and no shared secret that an attacker can choose. */
#include "crypto/dh/dh.h"

#include "testing/test.h"

static void unhex(const char *hex, uint8_t out[32])
{
  for (size_t i = 0; i < 32; i++) {
    char two[3] = { hex[2 * i], hex[2 * i + 1], 0 };
    out[i] = (uint8_t)strtoul(two, NULL, 16);
  }
}

static void test_rfc7748_section_6_1(void **state)
{
  uint8_t priv[32], pub[32], alice[32], want[32], got[32];
  struct ocf_dh_key k;
  (void)state;

  unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", priv);
  unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", pub);
  unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", alice);
  unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", want);
  ocf_dh_from_private(&k, priv);
  assert_memory_equal(k.pub, pub, 32);
  assert_int_equal(ocf_dh_agree(&k, alice, got), 0);
  assert_memory_equal(got, want, 32);
}

/* Every point whose order divides 8, in all the spellings of its coordinate, on either side of the
 * sign bit. */
static void test_small_order_points_are_refused(void **state)
{
  static const char *const points[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  };
  static const uint8_t zero[32];
  struct ocf_rng rng;
  struct ocf_dh_key k;
  (void)state;

  ocf_rng_seed(&rng, 1);
  ocf_dh_generate(&k, &rng);
  for (size_t i = 0; i < 2 * OCF_ARRAY_LEN(points); i++) {
    uint8_t peer[32], out[32];
    unhex(points[i / 2], peer);
    peer[31] |= (uint8_t)(i % 2 * 0x80);
    memset(out, 7, sizeof(out));
    assert_int_equal(ocf_dh_agree(&k, peer, out), OCF_ECRYPTO);
    assert_memory_equal(out, zero, 32);
  }
}

static void test_both_sides_agree_and_wipe_wipes(void **state)
{
  static const struct ocf_dh_key none;
  struct ocf_dh_key a, b;
  struct ocf_rng rng;
  uint8_t ab[32], ba[32];
  (void)state;

  ocf_rng_seed(&rng, 2);
  ocf_dh_generate(&a, &rng);
  ocf_dh_generate(&b, &rng);
  assert_memory_not_equal(a.priv, b.priv, 32);
  assert_int_equal(ocf_dh_agree(&a, b.pub, ab), 0);
  assert_int_equal(ocf_dh_agree(&b, a.pub, ba), 0);
  assert_memory_equal(ab, ba, 32);
  ocf_dh_wipe(&a);
  assert_memory_equal(&a, &none, sizeof(a));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_rfc7748_section_6_1),
  cmocka_unit_test(test_small_order_points_are_refused),
  cmocka_unit_test(test_both_sides_agree_and_wipe_wipes),
};

OCF_TEST_MAIN(tests)
