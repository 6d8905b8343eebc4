#include "multi/peerid/peerid.h"

#include "testing/test.h"

#define B(s, n)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), (n)                                                                      \
  }

static const struct {
  struct ocf_bytes text;
  bool valid;
  struct ocf_bytes bytes;
  const char *canonical;
} texts[] = {
#include "tests/vectors/gen/peerid_texts.inc"
};

static const struct {
  struct ocf_bytes bytes;
  bool valid;
  const char *text;
} raws[] = {
#include "tests/vectors/gen/peerid_bytes.inc"
};

static void assert_text(const struct ocf_peerid *id, const char *want)
{
  char t[OCF_PEERID_TEXT_SIZE];
  assert_string_equal(ocf_peerid_text(id, t), want);
}

static void test_recorded_texts(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(texts); i++) {
    struct ocf_peerid id = { .n = 99 };
    int rc = ocf_peerid_parse(texts[i].text, &id);
    assert_int_equal(rc == 0, texts[i].valid);
    if (rc != 0) {
      assert_int_equal(id.n, 99);
      continue;
    }
    assert_true(ocf_bytes_eq(ocf_peerid_view(&id), texts[i].bytes));
    assert_text(&id, texts[i].canonical);
  }
}

static void test_recorded_bytes(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(raws); i++) {
    struct ocf_peerid id = { .n = 99 };
    int rc = ocf_peerid_from_bytes(raws[i].bytes, &id);
    assert_int_equal(rc == 0, raws[i].valid);
    if (rc == 0)
      assert_text(&id, raws[i].text);
    else
      assert_int_equal(id.n, 99);
  }
}

/* The Ed25519 key of the peer id specification's test vector, as a public key message. */
static const uint8_t key_pb[] = {
  0x08, 0x01, 0x12, 0x20, 0x1e, 0xd1, 0xe8, 0xfa, 0xe2, 0xc4, 0xa1, 0x44,
  0xb8, 0xbe, 0x8f, 0xd4, 0xb4, 0x7b, 0xf3, 0xd3, 0xb3, 0x4b, 0x87, 0x1c,
  0x3c, 0xac, 0xf6, 0x01, 0x0f, 0x0e, 0x42, 0xd4, 0x74, 0xfc, 0xe2, 0x7e,
};

static void test_a_short_key_is_inlined(void **state)
{
  (void)state;
  struct ocf_peerid id, back;
  struct ocf_bytes inner;
  char t[OCF_PEERID_CID_TEXT_SIZE];
  ocf_peerid_from_key(ocf_bytes(key_pb, sizeof(key_pb)), &id);
  assert_text(&id, "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq");
  assert_int_equal(ocf_peerid_cid_text(&id, 0, t), 0);
  assert_string_equal(t, "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6");
  assert_int_equal(ocf_peerid_parse(ocf_bytes(t, strlen(t)), &back), 0);
  assert_true(ocf_peerid_eq(&id, &back));
  assert_int_equal(ocf_peerid_cid_text(&id, '0', t), OCF_EUNSUPP);
  assert_string_equal(t, "");
  assert_true(ocf_peerid_inline_key(&id, &inner));
  assert_true(ocf_bytes_eq(inner, ocf_bytes(key_pb, sizeof(key_pb))));
  assert_int_equal(ocf_peerid_matches_key(&id, inner), 0);
  assert_int_equal(ocf_peerid_matches_key(&id, OCF_STR("other")), OCF_EAUTH);
  ocf_peerid_from_key(inner, &id); /* the key lies in the id itself */
  assert_true(ocf_peerid_eq(&id, &back));
}

/* Goal: the border between inlined and hashed keys, 42 bytes. */
static void test_a_long_key_is_hashed(void **state)
{
  (void)state;
  uint8_t key[OCF_PEERID_INLINE_MAX + 1];
  struct ocf_peerid id, identity;
  struct ocf_bytes inner;
  memset(key, 0xaa, sizeof(key));
  ocf_peerid_from_key(ocf_bytes(key, OCF_PEERID_INLINE_MAX), &id);
  assert_true(id.n == OCF_PEERID_INLINE_MAX + 2 && ocf_peerid_inline_key(&id, &inner));
  ocf_peerid_from_key(ocf_bytes(key, sizeof(key)), &id);
  assert_true(id.n == 34 && id.b[0] == 0x12 && id.b[1] == 0x20);
  assert_false(ocf_peerid_inline_key(&id, &inner));
  assert_int_equal(ocf_peerid_matches_key(&id, ocf_bytes(key, sizeof(key))), 0);
  assert_int_equal(ocf_peerid_matches_key(&id, ocf_bytes(key, sizeof(key) - 1)), OCF_EAUTH);
  /* A longer key that is inlined all the same is an id of that key, too: its own hash says so. */
  uint8_t raw[sizeof(key) + 2] = { 0, sizeof(key) };
  memcpy(raw + 2, key, sizeof(key));
  assert_int_equal(ocf_peerid_from_bytes(ocf_bytes(raw, sizeof(raw)), &identity), 0);
  assert_int_equal(ocf_peerid_matches_key(&identity, ocf_bytes(key, sizeof(key))), 0);
  assert_false(ocf_peerid_eq(&id, &identity));
}

static void test_no_id_is_nobody(void **state)
{
  (void)state;
  struct ocf_peerid none = { 0 }, id;
  struct ocf_bytes inner;
  assert_true(ocf_peerid_is_none(&none));
  assert_text(&none, "");
  assert_false(ocf_peerid_inline_key(&none, &inner));
  assert_int_equal(ocf_peerid_matches_key(&none, OCF_STR("")), OCF_EAUTH);
  assert_int_equal(ocf_peerid_from_bytes(OCF_STR("\x11\x01z"), &id), 0); /* sha1: carried only */
  assert_false(ocf_peerid_is_none(&id));
  assert_int_equal(ocf_peerid_matches_key(&id, OCF_STR("")), OCF_EUNSUPP);
}

static void test_ids_have_an_order(void **state)
{
  (void)state;
  struct ocf_peerid a, b, c;
  assert_int_equal(ocf_peerid_from_bytes(OCF_STR("\x00\x01"
                                                 "a"),
                                         &a),
                   0);
  assert_int_equal(ocf_peerid_from_bytes(OCF_STR("\x00\x01"
                                                 "b"),
                                         &b),
                   0);
  assert_int_equal(ocf_peerid_from_bytes(OCF_STR("\x00\x00"), &c), 0);
  assert_true(ocf_peerid_cmp(&a, &a) == 0);
  assert_true(ocf_peerid_cmp(&a, &b) < 0 && ocf_peerid_cmp(&b, &a) > 0);
  assert_true(ocf_peerid_cmp(&c, &a) < 0);
  struct ocf_peerid none = { 0 };
  assert_true(ocf_peerid_cmp(&none, &c) < 0 && ocf_peerid_cmp(&c, &none) > 0);
}

/* Goal: the largest id works in every form, one byte more is refused, and so is text that is too
 * long to be an id, before it is decoded. */
static void test_ids_are_bounded(void **state)
{
  (void)state;
  static const char prefixes[] = "fFbBcCvVtTkKzZmMuU";
  uint8_t raw[OCF_PEERID_MAX + 1];
  char t[OCF_PEERID_CID_TEXT_SIZE], longest[200];
  struct ocf_peerid id, back;
  memset(raw, 0xff, sizeof(raw));
  raw[0] = 0;
  raw[1] = OCF_PEERID_MAX - 2;
  assert_int_equal(ocf_peerid_from_bytes(ocf_bytes(raw, OCF_PEERID_MAX), &id), 0);
  for (size_t i = 0; i < sizeof(prefixes) - 1; i++) {
    assert_int_equal(ocf_peerid_cid_text(&id, prefixes[i], t), 0);
    assert_int_equal(ocf_peerid_parse(ocf_bytes(t, strlen(t)), &back), 0);
    assert_true(ocf_peerid_eq(&id, &back));
  }
  (void)ocf_peerid_text(&id, t);
  assert_int_equal(ocf_peerid_parse(ocf_bytes(t, strlen(t)), &back), 0);
  assert_true(ocf_peerid_eq(&id, &back));
  raw[1]++;
  assert_int_equal(ocf_peerid_from_bytes(ocf_bytes(raw, sizeof(raw)), &id), OCF_ELIMIT);
  memset(longest, '1', sizeof(longest));
  assert_int_equal(ocf_peerid_parse(ocf_bytes(longest, sizeof(longest)), &id), OCF_ELIMIT);
  longest[0] = 'f';
  assert_int_equal(ocf_peerid_parse(ocf_bytes(longest, sizeof(longest)), &id), OCF_ELIMIT);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_recorded_texts),         cmocka_unit_test(test_recorded_bytes),
  cmocka_unit_test(test_a_short_key_is_inlined), cmocka_unit_test(test_a_long_key_is_hashed),
  cmocka_unit_test(test_no_id_is_nobody),        cmocka_unit_test(test_ids_have_an_order),
  cmocka_unit_test(test_ids_are_bounded),
};

OCF_TEST_MAIN(tests)
