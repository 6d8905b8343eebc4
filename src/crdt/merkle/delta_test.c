/* The codec of deltas and broadcasts: what Go takes and refuses, and that what we write is what it
 * writes. */
#include "crdt/merkle/delta.h"

#include "testing/test.h"

#define BYTES(s) ocf_bytes((s), sizeof(s) - 1)

static int parse(struct ocf_bytes b, struct ocf_merkle_delta *d)
{
  return ocf_merkle_delta_parse(b, d);
}

static void test_a_delta_is_read_and_written_alike(void **state)
{
  static const char put[] = "\x0a\x07\x0a\x02/k\x1a\x01v\x12\x06\x0a\x02/k\x12\x00\x18\x03";
  struct ocf_merkle_delta d;
  struct ocf_merkle_element e;
  struct ocf_alloc a;
  struct ocf_buf b;
  (void)state;
  assert_int_equal(parse(BYTES(put), &d), 0);
  assert_int_equal(d.priority, 3);
  assert_int_equal(d.n[1], 1);
  assert_int_equal(d.n[2], 1);
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 1000);
  for (uint32_t which = 1; which <= 2; which++) {
    struct ocf_merkle_delta_iter it = ocf_merkle_delta_iter(&d, which);
    assert_true(ocf_merkle_delta_next(&it, &e));
    assert_true(ocf_bytes_eq(e.key, OCF_STR("/k")));
    assert_true(which == 2 ? e.value.p == NULL && e.id.p != NULL : e.id.p == NULL);
    assert_int_equal(ocf_merkle_delta_add(&b, which, &e), 0);
    assert_false(ocf_merkle_delta_next(&it, &e));
  }
  assert_int_equal(ocf_merkle_delta_end(&b, 3), 0);
  assert_true(ocf_bytes_eq(ocf_buf_view(&b), BYTES(put)));
  assert_int_equal(ocf_merkle_delta_end(&b, 0), 0); /* a zero is left out */
  assert_int_equal(b.n, sizeof(put) - 1);
  ocf_buf_fini(&b);
}

static void test_unknown_fields_are_skipped_groups_too(void **state)
{
  struct ocf_merkle_delta d;
  struct ocf_merkle_element e;
  /* field 9 varint, 4 text, group 5 { group 6 {} varint 1 }, an element with a group in it,
     priority as text (unknown), priority 7 then 8: the last one counts */
  static const char odd[] = "\x48\x05\x22\x03"
                            "dag\x2b\x33\x34\x08\x01\x2c"
                            "\x0a\x07\x3b\x3c\x0a\x03/kk\x1a\x01z\x18\x07\x18\x08";
  (void)state;
  assert_int_equal(parse(BYTES(odd), &d), 0);
  assert_int_equal(d.priority, 8);
  struct ocf_merkle_delta_iter it = ocf_merkle_delta_iter(&d, OCF_MERKLE_ELEMENTS);
  assert_true(ocf_merkle_delta_next(&it, &e));
  assert_true(ocf_bytes_eq(e.key, OCF_STR("/kk")));
  assert_int_equal(parse(ocf_bytes(NULL, 0), &d), 0);
  assert_int_equal(d.priority, 0);
}

static void test_malformed_deltas_are_refused(void **state)
{
  static const struct ocf_bytes bad[] = {
    { (const uint8_t *)"\xff\xff\xff", 3 },
    { (const uint8_t *)"\x0a\x05\x0a\x02/k", 6 },   /* cut */
    { (const uint8_t *)"\x0a\x03\x0a\x01\xff", 5 }, /* key not UTF-8 */
    { (const uint8_t *)"\x12\x03\x12\x01\xc0", 5 }, /* id not UTF-8 */
    { (const uint8_t *)"\x2b\x08\x01", 3 },         /* group without an end */
    { (const uint8_t *)"\x2b\x34", 2 },             /* group with another's end */
    { (const uint8_t *)"\x2c", 1 },                 /* an end alone */
    { (const uint8_t *)"\x2b\x0a\x05\x2c", 4 },     /* malformed inside a group */
    { (const uint8_t *)"\x03\x04", 2 },             /* group of field 0 */
    { (const uint8_t *)"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11 },
  };
  struct ocf_merkle_delta d = { .priority = 77 };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_int_equal(parse(bad[i], &d), OCF_EINVAL);
  assert_int_equal(d.priority, 77);
}

/* Goal: groups nest as deep as Go lets them, without recursion. */
static void test_deep_groups_are_bounded(void **state)
{
  static uint8_t deep[2 * 10001];
  struct ocf_merkle_delta d;
  (void)state;
  for (size_t n = 10000; n <= 10001; n++) {
    memset(deep, 0x2b, n);
    memset(deep + n, 0x2c, n);
    assert_int_equal(parse(ocf_bytes(deep, 2 * n), &d), n == 10000 ? 0 : OCF_EINVAL);
  }
}

/* Every cut of a delta is refused or is itself a delta; no cut reads beyond its end. */
static void test_every_cut_is_safe(void **state)
{
  static const char put[] = "\x0a\x07\x0a\x02/k\x1a\x01v\x2b\x33\x34\x2c\x12\x06\x0a\x02/k\x12\x00"
                            "\x18\x03";
  struct ocf_merkle_delta d;
  (void)state;
  for (size_t n = 0; n < sizeof(put); n++) {
    uint8_t *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, put, n);
    int err = parse(ocf_bytes(copy, n), &d);
    assert_true(err == 0 || err == OCF_EINVAL);
    free(copy);
  }
}

/* ---- broadcasts ---- */

enum { CID_N = OCF_CID_BLOCK_SIZE };

static size_t head(uint8_t *dst, uint8_t fill)
{
  static const uint8_t begin[8] = { 0x0a, 0x26, 0x0a, 0x24, 0x01, 0x70, 0x12, 0x20 };
  memcpy(dst, begin, 8);
  memset(dst + 8, fill, 32);
  return 40;
}

static void test_heads_are_read_and_written_alike(void **state)
{
  uint8_t msg[100];
  struct ocf_merkle_heads h;
  struct ocf_cid cid;
  struct ocf_alloc a;
  struct ocf_buf b;
  (void)state;
  size_t n = head(msg, 1);
  n += head(msg + n, 2);
  ocf_alloc_init(&a);
  ocf_buf_init(&b, &a, 1000);
  assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(msg, n), &h), 0);
  for (uint8_t i = 1; i <= 2; i++) {
    assert_true(ocf_merkle_heads_next(&h, &cid));
    assert_int_equal(cid.hash.digest.p[0], i);
    assert_int_equal(ocf_merkle_heads_add(&b, cid.bytes), 0);
  }
  assert_false(ocf_merkle_heads_next(&h, &cid));
  assert_true(ocf_bytes_eq(ocf_buf_view(&b), ocf_bytes(msg, n)));
  assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(NULL, 0), &h), 0);
  assert_false(ocf_merkle_heads_next(&h, &cid));
  ocf_buf_fini(&b);
}

/* Goal: unknown bytes at the top stand for one CID of version 0, alone or beside heads; anything
 * else unknown there drops the message. Inside a head unknown fields are nothing. */
static void test_the_legacy_rule(void **state)
{
  uint8_t msg[200];
  struct ocf_merkle_heads h;
  struct ocf_cid cid;
  (void)state;
  memset(msg, 5, sizeof(msg));
  msg[0] = 0x12;
  msg[1] = 0x20;
  for (int beside = 0; beside < 2; beside++) {
    size_t n = beside ? 34 + head(msg + 34, 9) : 34;
    assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(msg, n), &h), 0);
    assert_true(ocf_merkle_heads_next(&h, &cid));
    assert_int_equal(cid.version, 0);
    assert_int_equal(cid.hash.digest.p[0], 5);
    assert_false(ocf_merkle_heads_next(&h, &cid));
  }
  assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(msg, 33), &h), OCF_EINVAL);
  memcpy(msg + 34, msg, 34); /* twice */
  assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(msg, 68), &h), OCF_EINVAL);
  assert_int_equal(ocf_merkle_heads_parse(BYTES("\x12\x01x"), &h), OCF_EINVAL);
  assert_int_equal(ocf_merkle_heads_parse(BYTES("\x2b\x2c"), &h), OCF_EINVAL);
  assert_int_equal(ocf_merkle_heads_parse(BYTES("\x08\x01"), &h), OCF_EINVAL);

  size_t n = head(msg, 1); /* with field 2 inside the head */
  memcpy(msg + n,
         "\x12\x03"
         "dag",
         5);
  msg[1] += 5;
  assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(msg, n + 5), &h), 0);
  assert_true(ocf_merkle_heads_next(&h, &cid));
  assert_int_equal(cid.bytes.n, CID_N);
}

static void test_bad_heads_drop_the_message(void **state)
{
  uint8_t msg[100];
  struct ocf_merkle_heads h;
  (void)state;
  size_t n = head(msg, 1);
  memcpy(msg + n, "\x0a\x00", 2); /* a head without a CID */
  assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(msg, n + 2), &h), OCF_EINVAL);
  for (size_t cut = 1; cut < n; cut++)
    assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(msg, cut), &h), OCF_EINVAL);
  msg[7] = 0x1f; /* digest shorter than what follows */
  assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(msg, n), &h), OCF_EINVAL);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_delta_is_read_and_written_alike),
  cmocka_unit_test(test_unknown_fields_are_skipped_groups_too),
  cmocka_unit_test(test_malformed_deltas_are_refused),
  cmocka_unit_test(test_deep_groups_are_bounded),
  cmocka_unit_test(test_every_cut_is_safe),
  cmocka_unit_test(test_heads_are_read_and_written_alike),
  cmocka_unit_test(test_the_legacy_rule),
  cmocka_unit_test(test_bad_heads_drop_the_message),
};

OCF_TEST_MAIN(tests)
