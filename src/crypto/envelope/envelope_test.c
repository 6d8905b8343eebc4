/* Goal: envelopes are those of go-libp2p, byte for byte where the signature is deterministic, and
 * what was signed for one purpose opens for no other. Method: recorded envelopes of four key types,
 * damage everywhere, allocation failing at every point. */
#include "crypto/envelope/envelope.h"

#include "testing/test.h"

#define B(s, n)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), (n)                                                                      \
  }

static const struct {
  const char *name;
  struct ocf_bytes in, signer, domain, type, payload;
  bool valid, deterministic;
} vectors[] = {
#include "../../../tests/vectors/gen/envelope.inc"
};

static struct ocf_alloc alloc;

static int setup(void **state)
{
  (void)state;
  ocf_alloc_init(&alloc);
  return 0;
}

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

static void test_recorded_envelopes_as_go_judges_them(void **state)
{
  (void)state;
  assert_true(OCF_ARRAY_LEN(vectors) == 24);
  for (size_t i = 0; i < OCF_ARRAY_LEN(vectors); i++) {
    struct ocf_envelope e;
    struct ocf_key k;
    int rc = ocf_envelope_open(&e, &alloc, vectors[i].in, vectors[i].domain, vectors[i].type);
    if (rc != (vectors[i].valid ? 0 : OCF_ECRYPTO))
      fail_msg("%s: %s", vectors[i].name, ocf_errname(rc));
    if (rc == 0) {
      assert_bytes(e.payload, vectors[i].payload);
      assert_int_equal(ocf_key_unmarshal_private(&k, &alloc, vectors[i].signer), 0);
      assert_true(ocf_pubkey_eq(&e.key, ocf_key_public(&k)));
      ocf_key_fini(&k);
    }
    ocf_envelope_fini(&e);
  }
}

static void test_sealing_makes_the_recorded_envelopes(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(vectors); i++) {
    struct ocf_envelope e;
    struct ocf_key k;
    struct ocf_buf out;
    if (!vectors[i].valid)
      continue;
    ocf_buf_init(&out, &alloc, OCF_ENVELOPE_MAX);
    assert_int_equal(ocf_key_unmarshal_private(&k, &alloc, vectors[i].signer), 0);
    assert_int_equal(
        ocf_envelope_seal(&k, vectors[i].domain, vectors[i].type, vectors[i].payload, &out), 0);
    if (vectors[i].deterministic)
      assert_bytes(ocf_buf_view(&out), vectors[i].in);
    assert_int_equal(
        ocf_envelope_open(&e, &alloc, ocf_buf_view(&out), vectors[i].domain, vectors[i].type), 0);
    assert_bytes(e.payload, vectors[i].payload);
    ocf_envelope_fini(&e);
    ocf_key_fini(&k);
    ocf_buf_fini(&out);
  }
}

/* V-03: another purpose, by domain or by type. */
static void test_another_purpose_does_not_open(void **state)
{
  struct ocf_envelope e;
  struct ocf_bytes in = vectors[0].in;
  (void)state;

  assert_int_equal(ocf_envelope_open(&e, &alloc, in, OCF_ENVELOPE_PEER_RECORD_DOMAIN,
                                     OCF_ENVELOPE_PEER_RECORD_TYPE),
                   0);
  ocf_envelope_fini(&e);
  assert_int_equal(
      ocf_envelope_open(&e, &alloc, in, OCF_ENVELOPE_RELAY_DOMAIN, OCF_ENVELOPE_PEER_RECORD_TYPE),
      OCF_ECRYPTO);
  assert_int_equal(
      ocf_envelope_open(&e, &alloc, in, OCF_ENVELOPE_PEER_RECORD_DOMAIN, OCF_ENVELOPE_RELAY_TYPE),
      OCF_EINVAL);
  assert_int_equal(
      ocf_envelope_open(&e, &alloc, in, OCF_STR("libp2p-peer-recor"), OCF_STR("d\x02\x03\x01")),
      OCF_EINVAL);
}

/* The golden record of an Ed25519 key that other implementations accepted. */
static void test_the_golden_peer_record_opens(void **state)
{
  static const char hex[] =
      "0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e120203011a360a26"
      "0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e10011a0a0a08047f"
      "00000106ab812a40179237677e7b25b48d76192ec64c309469f81ee4070ffa04383d2f25075b1b9f9a6dad3f723e"
      "6cbec9ed255bc473b8579508e793d8b278837529fe06374d8602";
  uint8_t bin[sizeof(hex) / 2];
  struct ocf_envelope e;
  (void)state;

  for (size_t i = 0; i < sizeof(bin); i++) {
    char two[3] = { hex[2 * i], hex[2 * i + 1], 0 };
    bin[i] = (uint8_t)strtoul(two, NULL, 16);
  }
  assert_int_equal(ocf_envelope_open(&e, &alloc, ocf_bytes(bin, sizeof(bin)),
                                     OCF_ENVELOPE_PEER_RECORD_DOMAIN,
                                     OCF_ENVELOPE_PEER_RECORD_TYPE),
                   0);
  assert_int_equal(e.payload.n, 0x36);
  ocf_envelope_fini(&e);
}

/* Cut anywhere, every bit flipped: refused, except where the flip is in the number of a field that
 * then is unknown and was not needed, which no field of an envelope is. */
static void test_damage_anywhere_is_refused(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(vectors); i++) {
    struct ocf_bytes in = vectors[i].in;
    uint8_t bad[2048];
    struct ocf_envelope e;
    if (!vectors[i].valid || !vectors[i].deterministic)
      continue; /* ECDSA has two good S for one message, but those differ in many bits: skipped as
                   slow */
    memcpy(bad, in.p, in.n);
    for (size_t n = 0; n < in.n; n++)
      assert_true(
          ocf_envelope_open(&e, &alloc, ocf_bytes(bad, n), vectors[i].domain, vectors[i].type) < 0);
    for (size_t bit = 0; bit < in.n * 8; bit++) {
      bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
      assert_true(ocf_envelope_open(&e, &alloc, ocf_bytes(bad, in.n), vectors[i].domain,
                                    vectors[i].type) < 0);
      bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
  }
}

static void test_sizes_are_bounded(void **state)
{
  static uint8_t big[OCF_ENVELOPE_MAX + 1];
  uint8_t seed[32] = { 5 };
  struct ocf_envelope e;
  struct ocf_key k;
  struct ocf_buf out;
  (void)state;

  assert_int_equal(
      ocf_envelope_open(&e, &alloc, ocf_bytes(big, sizeof(big)), OCF_STR("d"), OCF_STR("t")),
      OCF_ELIMIT);
  assert_int_equal(ocf_key_from_seed(&k, &alloc, seed), 0);
  ocf_buf_init(&out, &alloc, 2 * OCF_ENVELOPE_MAX);
  assert_int_equal(
      ocf_envelope_seal(&k, OCF_STR("d"), OCF_STR("t"), ocf_bytes(big, sizeof(big)), &out),
      OCF_ELIMIT);
  assert_int_equal(
      ocf_envelope_seal(&k, OCF_STR("d"), OCF_STR("t"), ocf_bytes(big, OCF_ENVELOPE_MAX), &out),
      OCF_ELIMIT);
  assert_int_equal(out.n, 0);
  assert_int_equal(ocf_envelope_seal(&k, OCF_STR("d"), OCF_STR("t"), ocf_bytes(NULL, 0), &out), 0);
  assert_int_equal(ocf_envelope_open(&e, &alloc, ocf_buf_view(&out), OCF_STR("d"), OCF_STR("t")),
                   0);
  assert_int_equal(e.payload.n, 0);
  ocf_envelope_fini(&e);
  ocf_buf_fini(&out);
  ocf_key_fini(&k);
}

static void test_out_of_memory_leaves_nothing_behind(void **state)
{
  struct ocf_envelope e;
  struct ocf_buf out;
  struct ocf_key k;
  int rc = OCF_ENOMEM;
  (void)state;

  assert_int_equal(ocf_key_unmarshal_private(&k, &alloc, vectors[0].signer), 0);
  size_t before = alloc.live_bytes;
  for (uint64_t at = 1; rc != 0; at++) {
    assert_true(at < 20);
    alloc.n_calls = 0;
    alloc.fail_at = at;
    ocf_buf_init(&out, &alloc, OCF_ENVELOPE_MAX);
    rc = ocf_envelope_seal(&k, vectors[0].domain, vectors[0].type, vectors[0].payload, &out);
    if (rc == 0)
      rc = ocf_envelope_open(&e, &alloc, ocf_buf_view(&out), vectors[0].domain, vectors[0].type);
    else
      memset(&e, 0, sizeof(e));
    assert_true(rc == 0 || rc == OCF_ENOMEM);
    ocf_envelope_fini(&e);
    ocf_buf_fini(&out);
    assert_int_equal(alloc.live_bytes, before);
  }
  alloc.fail_at = 0;
  ocf_key_fini(&k);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct CMUnitTest tests[] = {
  T(test_recorded_envelopes_as_go_judges_them), T(test_sealing_makes_the_recorded_envelopes),
  T(test_another_purpose_does_not_open),        T(test_the_golden_peer_record_opens),
  T(test_damage_anywhere_is_refused),           T(test_sizes_are_bounded),
  T(test_out_of_memory_leaves_nothing_behind),
};

OCF_TEST_MAIN(tests)
