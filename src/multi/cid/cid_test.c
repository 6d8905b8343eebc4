#include "multi/cid/cid.h"

#include "testing/test.h"

#define B(s, n)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), (n)                                                                      \
  }

static const struct {
  struct ocf_bytes bytes;
  const char *text[5];
} v1_rows[] = {
#include "tests/vectors/gen/cid_v1.inc"
};
static const char v1_prefix[] = "fbkzu";

static const struct {
  struct ocf_bytes bytes;
  const char *text;
} v0_rows[] = {
#include "tests/vectors/gen/cid_v0.inc"
};

static const struct {
  struct ocf_bytes in;
  bool valid;
  uint8_t version;
  uint64_t codec;
  const char *text;
  size_t prefix_n; /* what parsing takes when more may follow; 0: refused */
  const char *prefix_text;
} byte_rows[] = {
#include "tests/vectors/gen/cid_bytes.inc"
};

static const struct {
  struct ocf_bytes text;
  bool valid;
  struct ocf_bytes bytes;
  const char *canonical;
} text_rows[] = {
#include "tests/vectors/gen/cid_texts.inc"
};

static void assert_text(const struct ocf_cid *cid, char prefix, const char *want)
{
  char t[600];
  size_t n;
  assert_int_equal(ocf_cid_text(cid, prefix, t, sizeof(t), &n), 0);
  assert_string_equal(t, want);
  assert_int_equal(n, strlen(want));
}

static void test_recorded_version_1(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(v1_rows); i++) {
    struct ocf_cid cid, back;
    uint8_t b[600], made[600];
    size_t n;
    assert_int_equal(ocf_cid_cast(v1_rows[i].bytes, &cid), 0);
    assert_int_equal(cid.version, 1);
    for (size_t k = 0; k < 5; k++) {
      const char *text = v1_rows[i].text[k];
      assert_text(&cid, v1_prefix[k], text);
      assert_int_equal(ocf_cid_decode(ocf_bytes(text, strlen(text)), b, sizeof(b), &back), 0);
      assert_true(ocf_cid_eq(&cid, &back));
    }
    assert_text(&cid, 0, v1_rows[i].text[1]);
    assert_int_equal(ocf_cid_encode(cid.codec, cid.hash_bytes, made, sizeof(made), &n), 0);
    assert_true(ocf_bytes_eq(ocf_bytes(made, n), v1_rows[i].bytes));
    assert_int_equal(ocf_cid_encode(cid.codec, cid.hash_bytes, made, n - 1, &n), OCF_EAGAIN);
  }
}

static void test_recorded_version_0(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(v0_rows); i++) {
    struct ocf_cid cid, back;
    uint8_t b[64];
    assert_int_equal(ocf_cid_cast(v0_rows[i].bytes, &cid), 0);
    assert_true(cid.version == 0 && cid.codec == OCF_CID_DAG_PB);
    assert_text(&cid, 0, v0_rows[i].text);
    assert_text(&cid, 'b', v0_rows[i].text); /* a prefix means nothing to version 0 */
    assert_int_equal(ocf_cid_decode(ocf_bytes(v0_rows[i].text, 46), b, sizeof(b), &back), 0);
    assert_true(ocf_cid_eq(&cid, &back));
  }
}

static void test_recorded_bytes(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(byte_rows); i++) {
    struct ocf_cid cid;
    int rc = ocf_cid_cast(byte_rows[i].in, &cid);
    assert_int_equal(rc == 0, byte_rows[i].valid);
    if (rc == 0) {
      assert_int_equal(cid.version, byte_rows[i].version);
      assert_true(cid.codec == byte_rows[i].codec);
      assert_text(&cid, 0, byte_rows[i].text);
    }
    rc = ocf_cid_parse(byte_rows[i].in, &cid);
    assert_int_equal(rc == 0, byte_rows[i].prefix_n > 0);
    if (rc == 0) {
      assert_int_equal(cid.bytes.n, byte_rows[i].prefix_n);
      assert_text(&cid, 0, byte_rows[i].prefix_text);
    }
  }
}

static void test_recorded_texts(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(text_rows); i++) {
    struct ocf_cid cid;
    uint8_t b[128];
    int rc = ocf_cid_decode(text_rows[i].text, b, sizeof(b), &cid);
    assert_int_equal(rc == 0, text_rows[i].valid);
    if (rc != 0)
      continue;
    assert_true(ocf_bytes_eq(cid.bytes, text_rows[i].bytes));
    assert_text(&cid, 0, text_rows[i].canonical);
  }
}

/* Goal: the name of the first CRDT block of the reference, made from its bytes. */
static void test_the_name_of_a_block(void **state)
{
  (void)state;
  static const uint8_t block[] =
      "\x0a\x1e\x0a\x1a\x0a\x07/QmTest\x1a\x0f{\"id\":\"QmTest\"}\x18\x01";
  uint8_t b[OCF_CID_BLOCK_SIZE];
  struct ocf_cid cid, v0;
  ocf_cid_of_block(OCF_CID_DAG_PB, ocf_bytes(block, sizeof(block) - 1), b);
  assert_int_equal(ocf_cid_cast(ocf_bytes(b, sizeof(b)), &cid), 0);
  assert_text(&cid, 0, "bafybeibrqojcq2hg5bmzynn4kayljuowzzm5ttjsikqdkkztlzdsaccz34");
  assert_int_equal(ocf_multihash_verify(&cid.hash, ocf_bytes(block, sizeof(block) - 1)), 0);
  assert_int_equal(ocf_cid_cast(cid.hash_bytes, &v0), 0); /* the same block's version 0 name */
  assert_int_equal(v0.version, 0);
  assert_false(ocf_cid_eq(&cid, &v0));
  assert_true(ocf_bytes_eq(cid.hash_bytes, v0.hash_bytes));
}

static void test_what_cannot_be_a_cid(void **state)
{
  (void)state;
  /* 46 characters that begin with Qm and decode to 34 bytes of another hash, or to 33 bytes. */
  static const char *const bad[] = { "QmInvalid0OIlxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                                     "Qm11111111111111111111111111111111111111111111",
                                     "Qmzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz" };
  struct ocf_cid cid;
  uint8_t b[64];
  size_t n;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_true(ocf_cid_decode(ocf_bytes(bad[i], strlen(bad[i])), b, sizeof(b), &cid) < 0);
  assert_int_equal(ocf_cid_decode(OCF_STR("f0155000361626364"), b, 3, &cid), OCF_EAGAIN);
  assert_int_equal(ocf_cid_encode(OCF_CID_RAW, OCF_STR("\x12\x02z"), b, sizeof(b), &n), OCF_EINVAL);
  assert_int_equal(ocf_cid_encode((uint64_t)1 << 63, OCF_STR("\x12\x01z"), b, sizeof(b), &n),
                   OCF_ERANGE);
  assert_int_equal(ocf_cid_encode(OCF_CID_RAW, OCF_STR("\x12\x01z"), b, 0, &n), OCF_EAGAIN);
  assert_int_equal(ocf_cid_cast(OCF_STR("\x01\x55\x00\x00"), &cid), 0);
  assert_int_equal(ocf_cid_text(&cid, '9', (char *)b, sizeof(b), NULL), OCF_EUNSUPP);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_recorded_version_1),  cmocka_unit_test(test_recorded_version_0),
  cmocka_unit_test(test_recorded_bytes),      cmocka_unit_test(test_recorded_texts),
  cmocka_unit_test(test_the_name_of_a_block), cmocka_unit_test(test_what_cannot_be_a_cid),
};

OCF_TEST_MAIN(tests)
