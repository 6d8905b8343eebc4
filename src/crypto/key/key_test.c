/* Goal: keys are read, written, signed with and checked as go-libp2p does it, and nothing that a
 * peer sends can pass for a key that it is not. Method: recorded key files and signatures of every
 * type, each damaged in every way that has a name, and allocation failing at every point. */
#include "crypto/key/key.h"

#include "crypto/hash/hash.h"
#include "testing/test.h"

#define B(s, n)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), (n)                                                                      \
  }

struct whole {
  const char *name;
  enum ocf_key_type type;
  struct ocf_bytes private_pb, public_pb, raw, msg, sig;
  bool deterministic;
};

static const struct whole wholes[] = {
#include "../../../tests/vectors/gen/keys.inc"
};

static const struct {
  const char *name;
  struct ocf_bytes in;
  bool valid;
  struct ocf_bytes again;
} publics[] = {
#include "../../../tests/vectors/gen/key_publics.inc"
};

static const struct {
  const char *name;
  struct ocf_bytes in;
  bool valid;
} privates[] = {
#include "../../../tests/vectors/gen/key_privates.inc"
};

static struct ocf_alloc alloc;

static int setup(void **state)
{
  (void)state;
  ocf_alloc_init(&alloc);
  return 0;
}

/* Every test gives back what it took. */
static int teardown(void **state)
{
  (void)state;
  return alloc.live_bytes == 0 && alloc.live_blocks == 0 ? 0 : -1;
}

static void assert_bytes(struct ocf_bytes a, struct ocf_bytes b)
{
  assert_int_equal(a.n, b.n);
  assert_memory_equal(a.p, b.p, a.n);
}

static const struct whole *whole_of(enum ocf_key_type type)
{
  for (size_t i = 0; i < OCF_ARRAY_LEN(wholes); i++)
    if (wholes[i].type == type)
      return &wholes[i];
  fail();
  return NULL;
}

static void test_recorded_keys_read_sign_and_verify(void **state)
{
  uint8_t sig[OCF_KEY_SIG_MAX];
  size_t n;
  (void)state;

  assert_true(OCF_ARRAY_LEN(wholes) == 6);
  for (size_t i = 0; i < OCF_ARRAY_LEN(wholes); i++) {
    const struct whole *v = &wholes[i];
    struct ocf_key k;
    struct ocf_buf out;
    assert_int_equal(ocf_key_unmarshal_private(&k, &alloc, v->private_pb), 0);
    assert_int_equal(ocf_key_public(&k)->type, v->type);
    assert_bytes(ocf_pubkey_bytes(ocf_key_public(&k)), v->public_pb);
    assert_bytes(ocf_pubkey_raw(ocf_key_public(&k)), v->raw);
    assert_int_equal(ocf_pubkey_verify(ocf_key_public(&k), v->msg, v->sig), 0);
    assert_int_equal(ocf_key_sign(&k, v->msg, sig, sizeof(sig), &n), 0);
    if (v->deterministic)
      assert_bytes(ocf_bytes(sig, n), v->sig);
    assert_int_equal(ocf_pubkey_verify(ocf_key_public(&k), v->msg, ocf_bytes(sig, n)), 0);
    ocf_buf_init(&out, &alloc, OCF_KEY_PRIVATE_MAX);
    assert_int_equal(ocf_key_marshal_private(&k, &out), 0);
    assert_bytes(ocf_buf_view(&out), v->private_pb);
    assert_int_equal(ocf_key_marshal_size(&k), v->private_pb.n);
    ocf_buf_fini(&out);
    ocf_key_fini(&k);
    ocf_key_fini(&k);
  }
}

/* The files beside the vectors hold the same keys, as hex text. */
static void test_key_files_hold_the_recorded_keys(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(wholes); i++) {
    char path[1024], two[3] = { 0 };
    uint8_t bin[OCF_KEY_PRIVATE_MAX];
    size_t n = 0;
    (void)snprintf(path, sizeof(path), "%s/tests/vectors/keys/%s", OCF_SOURCE_DIR, wholes[i].name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (n < sizeof(bin) && fscanf(f, " %2[0-9a-f]", two) == 1)
      bin[n++] = (uint8_t)strtoul(two, NULL, 16);
    (void)fclose(f);
    assert_bytes(ocf_bytes(bin, n), wholes[i].private_pb);
  }
}

static void test_public_encodings_as_go_judges_them(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(publics); i++) {
    struct ocf_pubkey k;
    int rc = ocf_pubkey_unmarshal(&k, &alloc, publics[i].in);
    if ((rc == 0) != publics[i].valid)
      fail_msg("%s: %s", publics[i].name, ocf_errname(rc));
    if (rc == 0)
      assert_bytes(ocf_pubkey_bytes(&k), publics[i].again);
    ocf_pubkey_fini(&k);
  }
}

static void test_legacy_private_encodings_as_go_judges_them(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(privates); i++) {
    struct ocf_key k;
    int rc = ocf_key_unmarshal_private(&k, &alloc, privates[i].in);
    if ((rc == 0) != privates[i].valid)
      fail_msg("%s: %s", privates[i].name, ocf_errname(rc));
    if (rc == 0) /* written in the form of today */
      assert_int_equal(ocf_key_marshal_size(&k), 4 + 64);
    ocf_key_fini(&k);
  }
}

/* No other key of any type accepts a signature, and no other message does. */
static void test_a_signature_holds_for_one_key_and_message(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(wholes); i++) {
    struct ocf_pubkey k;
    assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, wholes[i].public_pb), 0);
    for (size_t j = 0; j < OCF_ARRAY_LEN(wholes); j++)
      assert_int_equal(ocf_pubkey_verify(&k, wholes[j].msg, wholes[j].sig),
                       i == j ? 0 : OCF_ECRYPTO);
    struct ocf_bytes shorter = ocf_bytes(wholes[i].msg.p, wholes[i].msg.n - 1);
    assert_int_equal(ocf_pubkey_verify(&k, shorter, wholes[i].sig), OCF_ECRYPTO);
    ocf_pubkey_fini(&k);
  }
}

/* V-02: every flipped bit, every length. */
static void test_a_damaged_signature_never_verifies(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(wholes); i++) {
    const struct whole *v = &wholes[i];
    uint8_t sig[OCF_KEY_SIG_MAX + 8] = { 0 };
    struct ocf_pubkey k;
    assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, v->public_pb), 0);
    memcpy(sig, v->sig.p, v->sig.n);
    for (size_t bit = 0; bit < v->sig.n * 8; bit++) {
      sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
      assert_int_equal(ocf_pubkey_verify(&k, v->msg, ocf_bytes(sig, v->sig.n)), OCF_ECRYPTO);
      sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < v->sig.n + 8; n++)
      assert_int_equal(ocf_pubkey_verify(&k, v->msg, ocf_bytes(sig, n)),
                       n == v->sig.n ? 0 : OCF_ECRYPTO);
    assert_int_equal(ocf_pubkey_verify(&k, v->msg, ocf_bytes(sig, sizeof(sig))), OCF_ECRYPTO);
    ocf_pubkey_fini(&k);
  }
}

/* V-02: S + L is a second spelling of S, which RFC 8032 forbids. */
static void test_ed25519_s_has_one_spelling(void **state)
{
  static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                     0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                     0,    0,    0,    0,    0,    0,    0,    0,
                                     0,    0,    0,    0,    0,    0,    0,    0x10 };
  const struct whole *v = whole_of(OCF_KEY_ED25519);
  struct ocf_pubkey k;
  uint8_t sig[64];
  unsigned carry = 0;
  (void)state;

  memcpy(sig, v->sig.p, 64);
  for (size_t i = 0; i < 32; i++) {
    carry += (unsigned)sig[32 + i] + order[i];
    sig[32 + i] = (uint8_t)carry;
    carry >>= 8;
  }
  assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, v->public_pb), 0);
  assert_int_equal(ocf_pubkey_verify(&k, v->msg, ocf_bytes(sig, 64)), OCF_ECRYPTO);
  ocf_pubkey_fini(&k);
}

/* V-02: for a point of small order anybody makes signatures; a y >= p is another key's second name.
 */
static void test_weak_ed25519_keys_are_refused(void **state)
{
  static const uint8_t weak[][32] = {
    { 0 },
    { 1 },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0xf3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
      0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
      0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
      0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
      0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
  };
  uint8_t pb[36] = { 0x08, 0x01, 0x12, 0x20 };
  struct ocf_pubkey k;
  (void)state;

  for (size_t i = 0; i < 2 * OCF_ARRAY_LEN(weak); i++) {
    memcpy(pb + 4, weak[i / 2], 32);
    pb[35] |= (uint8_t)(i % 2 * 0x80);
    assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(pb, 36)), OCF_EAUTH);
  }
  memcpy(pb + 4, weak[2], 32); /* the largest y of all, less 1: canonical and harmless */
  pb[4] = 0xeb;
  assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(pb, 36)), 0);
  ocf_pubkey_fini(&k);
}

/* A PublicKey message around an RSA key with a modulus of `bits`, all ones, and exponent `e`. */
static size_t rsa_public(uint8_t *dst, size_t bits, const char *e, size_t n_e)
{
  static const uint8_t alg[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
  size_t mag = (bits + 7) / 8, sign = bits % 8 == 0 ? 1 : 0;
  size_t n_int = 4 + sign + mag, n_key = n_int + 2 + n_e, n_bits = 4 + 1 + 4 + n_key;
  size_t n_spki = sizeof(alg) + n_bits, n = 0;
  size_t n_data = 4 + n_spki;

  dst[n++] = 0x08;
  dst[n++] = 0x00;
  dst[n++] = 0x12;
  dst[n++] = (uint8_t)(n_data | 0x80);
  dst[n++] = (uint8_t)(n_data >> 7);
#define HEAD(tag, len)                                                                             \
  dst[n++] = (tag);                                                                                \
  dst[n++] = 0x82;                                                                                 \
  dst[n++] = (uint8_t)((len) >> 8);                                                                \
  dst[n++] = (uint8_t)(len)
  HEAD(0x30, n_spki);
  memcpy(dst + n, alg, sizeof(alg));
  n += sizeof(alg);
  HEAD(0x03, 1 + 4 + n_key);
  dst[n++] = 0;
  HEAD(0x30, n_key);
  HEAD(0x02, sign + mag);
#undef HEAD
  if (sign)
    dst[n++] = 0;
  memset(dst + n, 0xff, mag);
  if (!sign)
    dst[n] = (uint8_t)(0xff >> (8 - bits % 8));
  n += mag;
  dst[n++] = 0x02;
  dst[n++] = (uint8_t)n_e;
  memcpy(dst + n, e, n_e);
  return n + n_e;
}

/* V-04: judged by size alone; the bounds themselves are inside. */
static void test_rsa_sizes_are_bounded(void **state)
{
  static const struct {
    size_t bits;
    int want;
  } cases[] = { { 2041, OCF_ELIMIT }, { 2047, OCF_ELIMIT }, { 2048, 0 },          { 8192, 0 },
                { 8193, OCF_ELIMIT }, { 8200, OCF_ELIMIT }, { 11000, OCF_ELIMIT } };
  uint8_t pb[OCF_KEY_PUBLIC_MAX + 1] = { 0 };
  struct ocf_pubkey k;
  (void)state;

  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    size_t n = rsa_public(pb, cases[i].bits, "\x01\x00\x01", 3);
    assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(pb, n)), cases[i].want);
    ocf_pubkey_fini(&k);
  }
  assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(pb, sizeof(pb))), OCF_ELIMIT);
}

/* An even modulus is no RSA key, and the library's arithmetic wants odd ones. */
static void test_an_even_rsa_modulus_is_refused(void **state)
{
  uint8_t pb[OCF_KEY_PUBLIC_MAX];
  size_t n = rsa_public(pb, 2048, "\x01\x00\x01", 3);
  struct ocf_pubkey k;
  (void)state;

  pb[n - 6] = 0xfe; /* the modulus ends before the 5 bytes of the exponent */
  assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(pb, n)), OCF_EINVAL);
}

static void test_rsa_exponents_are_bounded(void **state)
{
  static const struct {
    struct ocf_bytes e;
    int want;
  } cases[] = {
    { B("\x03", 1), 0 },
    { B("\x01", 1), OCF_EINVAL },
    { B("\x00", 1), OCF_EINVAL },
    { B("\x04", 1), OCF_EINVAL },
    { B("\x7f\xff\xff\xff", 4), 0 },
    { B("\x00\x80\x00\x00\x01", 5), OCF_EINVAL },
    { B("\x01\x00\x00\x00\x01", 5), OCF_EINVAL },
    { B("\xff", 1), OCF_EINVAL },             /* negative */
    { B("\x00\x01\x00\x01", 4), OCF_EINVAL }, /* padded */
    { B("", 0), OCF_EINVAL },
  };
  uint8_t pb[OCF_KEY_PUBLIC_MAX];
  struct ocf_pubkey k;
  (void)state;

  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    size_t n = rsa_public(pb, 2048, (const char *)cases[i].e.p, cases[i].e.n);
    assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(pb, n)), cases[i].want);
    ocf_pubkey_fini(&k);
  }
}

/* For every key type: cut anywhere, one byte more, and every byte changed. What is still accepted
 * must be another key, never the same one from other bytes. */
static void test_one_key_has_one_encoding(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(wholes); i++) {
    struct ocf_bytes pb = wholes[i].public_pb;
    uint8_t bad[OCF_KEY_PUBLIC_MAX];
    struct ocf_pubkey k;
    memcpy(bad, pb.p, pb.n);
    for (size_t n = 0; n < pb.n; n++)
      assert_true(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(bad, n)) < 0);
    bad[pb.n] = 0;
    assert_true(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(bad, pb.n + 1)) < 0);
    for (size_t at = 0; at < pb.n; at++) {
      for (unsigned x = 1; x < 256; x <<= 1) {
        bad[at] = (uint8_t)(pb.p[at] ^ x);
        if (ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(bad, pb.n)) == 0)
          assert_bytes(ocf_pubkey_bytes(&k), ocf_bytes(bad, pb.n));
        ocf_pubkey_fini(&k);
      }
      bad[at] = pb.p[at];
    }
  }
}

/* V-04: curves other than the two, and points that are not on them. */
static void test_other_curves_and_points_are_refused(void **state)
{
  const struct whole *p256 = whole_of(OCF_KEY_ECDSA), *k1 = whole_of(OCF_KEY_SECP256K1);
  uint8_t bad[128];
  struct ocf_pubkey k;
  (void)state;

  memcpy(bad, p256->public_pb.p, p256->public_pb.n);
  bad[p256->public_pb.n - 1] ^= 1;
  assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(bad, p256->public_pb.n)), OCF_EINVAL);
  bad[p256->public_pb.n - 1] ^= 1;
  bad[4 + 22] ^= 1; /* the last byte of the curve's name */
  assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(bad, p256->public_pb.n)),
                   OCF_EUNSUPP);
  memcpy(bad, k1->public_pb.p, k1->public_pb.n);
  bad[4] = 5;
  assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(bad, k1->public_pb.n)), OCF_EINVAL);
  bad[4] = 2;
  memset(bad + 5, 0xff, 32); /* x over the field */
  assert_int_equal(ocf_pubkey_unmarshal(&k, &alloc, ocf_bytes(bad, k1->public_pb.n)), OCF_EINVAL);
}

/* V-05: a private half with somebody else's public half must never sign. Every bit of every private
 * key file flipped: what still loads must be a pair that belongs together. */
static void test_damaged_private_keys_do_not_load_as_something_else(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(wholes); i++) {
    struct ocf_bytes pb = wholes[i].private_pb;
    uint8_t bad[OCF_KEY_PRIVATE_MAX], sig[OCF_KEY_SIG_MAX];
    size_t step = wholes[i].type == OCF_KEY_RSA ? 67 : 1; /* RSA is slow: one bit in 67 */
    memcpy(bad, pb.p, pb.n);
    for (size_t bit = 0; bit < pb.n * 8; bit += step) {
      struct ocf_key k;
      size_t n;
      bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
      if (ocf_key_unmarshal_private(&k, &alloc, ocf_bytes(bad, pb.n)) == 0) {
        assert_int_equal(ocf_key_sign(&k, OCF_STR("m"), sig, sizeof(sig), &n), 0);
        assert_int_equal(ocf_pubkey_verify(&k.pub, OCF_STR("m"), ocf_bytes(sig, n)), 0);
        assert_true(wholes[i].type == OCF_KEY_SECP256K1 || wholes[i].type == OCF_KEY_RSA);
      }
      ocf_key_fini(&k);
      bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < pb.n; n++) {
      struct ocf_key k;
      assert_true(ocf_key_unmarshal_private(&k, &alloc, ocf_bytes(bad, n)) < 0);
    }
  }
}

static void test_out_of_range_scalars_are_refused(void **state)
{
  uint8_t pb[36] = { 0x08, 0x02, 0x12, 0x20 };
  struct ocf_key k;
  (void)state;

  assert_int_equal(ocf_key_unmarshal_private(&k, &alloc, ocf_bytes(pb, 36)), OCF_EINVAL);
  memset(pb + 4, 0xff, 32);
  assert_int_equal(ocf_key_unmarshal_private(&k, &alloc, ocf_bytes(pb, 36)), OCF_EINVAL);
}

static void test_generated_keys_survive_their_own_encoding(void **state)
{
  static const enum ocf_key_type types[] = { OCF_KEY_RSA, OCF_KEY_ED25519, OCF_KEY_SECP256K1,
                                             OCF_KEY_ECDSA };
  struct ocf_rng rng;
  (void)state;

  ocf_rng_seed(&rng, 3);
  for (size_t i = 0; i < OCF_ARRAY_LEN(types); i++) {
    struct ocf_key k, again;
    struct ocf_pubkey copy;
    struct ocf_buf out;
    uint8_t sig[OCF_KEY_SIG_MAX];
    size_t n;
    assert_int_equal(ocf_key_generate(&k, &alloc, types[i], &rng), 0);
    ocf_buf_init(&out, &alloc, OCF_KEY_PRIVATE_MAX);
    assert_int_equal(ocf_key_marshal_private(&k, &out), 0);
    assert_int_equal(ocf_key_unmarshal_private(&again, &alloc, ocf_buf_view(&out)), 0);
    assert_true(ocf_pubkey_eq(&k.pub, &again.pub));
    assert_int_equal(ocf_pubkey_copy(&copy, &alloc, &k.pub), 0);
    assert_int_equal(ocf_key_sign(&again, OCF_STR("m"), sig, sizeof(sig), &n), 0);
    ocf_key_fini(&k);
    ocf_key_fini(&again);
    assert_int_equal(ocf_pubkey_verify(&copy, OCF_STR("m"), ocf_bytes(sig, n)), 0);
    ocf_pubkey_fini(&copy);
    ocf_buf_fini(&out);
  }
}

/* Same seed, same key; for the types whose randomness is ours. */
static void test_generation_is_a_function_of_the_generator(void **state)
{
  static const enum ocf_key_type types[] = { OCF_KEY_ED25519, OCF_KEY_SECP256K1, OCF_KEY_ECDSA };
  (void)state;

  for (size_t i = 0; i < OCF_ARRAY_LEN(types); i++) {
    struct ocf_key k[3];
    for (uint64_t j = 0; j < 3; j++) {
      struct ocf_rng rng;
      ocf_rng_seed(&rng, j / 2);
      assert_int_equal(ocf_key_generate(&k[j], &alloc, types[i], &rng), 0);
    }
    assert_true(ocf_pubkey_eq(&k[0].pub, &k[1].pub));
    assert_false(ocf_pubkey_eq(&k[0].pub, &k[2].pub));
    for (size_t j = 0; j < 3; j++)
      ocf_key_fini(&k[j]);
  }
}

/* Verifiers built on libsecp256k1 take the smaller of the two possible S only. */
static void test_secp256k1_signatures_have_the_low_s(void **state)
{
  const struct whole *v = whole_of(OCF_KEY_SECP256K1);
  struct ocf_key k;
  (void)state;

  assert_int_equal(ocf_key_unmarshal_private(&k, &alloc, v->private_pb), 0);
  for (int i = 0; i < 64; i++) {
    uint8_t sig[OCF_KEY_SIG_MAX];
    size_t n;
    assert_int_equal(ocf_key_sign(&k, v->msg, sig, sizeof(sig), &n), 0);
    assert_int_equal(ocf_pubkey_verify(&k.pub, v->msg, ocf_bytes(sig, n)), 0);
    const uint8_t *s = sig + 4 + sig[3]; /* 30 len 02 len r 02 len s */
    assert_int_equal(s[0], 2);
    assert_true(s[1] < 32 || (s[1] == 32 && s[2] <= 0x7f));
  }
  ocf_key_fini(&k);
}

static void test_a_short_signature_buffer_says_so(void **state)
{
  uint8_t seed[32] = { 1 }, sig[64];
  struct ocf_key k;
  size_t n = 99;
  (void)state;

  assert_int_equal(ocf_key_from_seed(&k, &alloc, seed), 0);
  assert_int_equal(ocf_key_sign(&k, OCF_STR("m"), sig, 63, &n), OCF_EAGAIN);
  assert_int_equal(n, 99);
  assert_int_equal(ocf_key_sign(&k, ocf_bytes(NULL, 0), sig, 64, &n), 0);
  assert_int_equal(ocf_pubkey_verify(&k.pub, ocf_bytes(NULL, 0), ocf_bytes(sig, 64)), 0);
  ocf_key_fini(&k);
}

/* Allocation 1, 2, … fails: an error, nothing held, and in the end success. */
static void test_out_of_memory_leaves_nothing_behind(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(wholes); i++) {
    int rc = OCF_ENOMEM;
    for (uint64_t at = 1; rc == OCF_ENOMEM; at++) {
      struct ocf_key k;
      struct ocf_pubkey p, copy;
      assert_true(at < 20);
      alloc.n_calls = 0;
      alloc.fail_at = at;
      memset(&copy, 0, sizeof(copy));
      rc = ocf_key_unmarshal_private(&k, &alloc, wholes[i].private_pb);
      int rc2 = ocf_pubkey_unmarshal(&p, &alloc, wholes[i].public_pb);
      rc = rc == 0 ? rc2 : rc;
      if (rc2 == 0)
        rc2 = ocf_pubkey_copy(&copy, &alloc, &p);
      rc = rc == 0 ? rc2 : rc;
      ocf_key_fini(&k);
      ocf_pubkey_fini(&p);
      ocf_pubkey_fini(&copy);
      assert_int_equal(alloc.live_bytes, 0);
    }
    alloc.fail_at = 0;
    assert_int_equal(rc, 0);
  }
}

static void test_type_names(void **state)
{
  (void)state;
  assert_string_equal(ocf_key_type_name(OCF_KEY_RSA), "rsa");
  assert_string_equal(ocf_key_type_name(OCF_KEY_ED25519), "ed25519");
  assert_string_equal(ocf_key_type_name(OCF_KEY_SECP256K1), "secp256k1");
  assert_string_equal(ocf_key_type_name(OCF_KEY_ECDSA), "ecdsa");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct CMUnitTest tests[] = {
  T(test_recorded_keys_read_sign_and_verify),
  T(test_key_files_hold_the_recorded_keys),
  T(test_public_encodings_as_go_judges_them),
  T(test_legacy_private_encodings_as_go_judges_them),
  T(test_a_signature_holds_for_one_key_and_message),
  T(test_a_damaged_signature_never_verifies),
  T(test_ed25519_s_has_one_spelling),
  T(test_weak_ed25519_keys_are_refused),
  T(test_rsa_sizes_are_bounded),
  T(test_an_even_rsa_modulus_is_refused),
  T(test_rsa_exponents_are_bounded),
  T(test_one_key_has_one_encoding),
  T(test_other_curves_and_points_are_refused),
  T(test_damaged_private_keys_do_not_load_as_something_else),
  T(test_out_of_range_scalars_are_refused),
  T(test_generated_keys_survive_their_own_encoding),
  T(test_generation_is_a_function_of_the_generator),
  T(test_secp256k1_signatures_have_the_low_s),
  T(test_a_short_signature_buffer_says_so),
  T(test_out_of_memory_leaves_nothing_behind),
  T(test_type_names),
};

OCF_TEST_MAIN(tests)
