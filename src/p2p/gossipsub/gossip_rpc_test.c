/* Goal: we read what Go nodes send as they mean it, and sign and check what they do. Method: RPCs
 * recorded from live OCF and OpenTela nodes (tests/vectors/pubsub.json), and made ones for what was
 * not seen. */
#include "testing/test.h"

#include "p2p/gossipsub/gossip_int.h"
#include "testing/vectors.h"

enum { HEX_CHUNKS = 2 };
struct pubsub_rec {
  const char *name, *hex[HEX_CHUNKS];
  unsigned counts[7];
};
struct pubsub_msg {
  unsigned rpc, at;
  int valid;
  const char *id, *signed_bytes[HEX_CHUNKS];
};
#include "tests/vectors/gen/pubsub_vectors.inc"

static struct ocf_alloc heap;
static uint8_t raw[1 << 18], want[1 << 18];

static size_t from_hex(const char *const hex[HEX_CHUNKS], uint8_t *out, size_t cap)
{
  size_t n = 0;
  for (size_t i = 0; i < HEX_CHUNKS && hex[i] != NULL; i++)
    n += ocf_test_hex(hex[i], out + n, cap - n);
  return n;
}

/* The RPC of a recording, without the length before it. */
static struct ocf_bytes recorded(const struct pubsub_rec *rec)
{
  size_t n = from_hex(rec->hex, raw, sizeof(raw));
  size_t at = 0;
  while ((raw[at] & 0x80) != 0)
    at++;
  return ocf_bytes(raw + at + 1, n - at - 1);
}

static void count_parts(struct ocf_bytes rpc, unsigned counts[7])
{
  static const int column[] = {
    [PART_SUB] = 0,    [PART_MSG] = 1,      [PART_IHAVE] = -1,     [PART_IHAVE_ID] = 2,
    [PART_IWANT] = -1, [PART_IWANT_ID] = 3, [PART_IDONTWANT] = -1, [PART_IDONTWANT_ID] = 4,
    [PART_GRAFT] = 5,  [PART_PRUNE] = 6
  };
  memset(counts, 0, 7 * sizeof(*counts));
  for (int pass = PASS_SUBS; pass < PASS_N; pass++) {
    struct rpc_reader r = ocf_gossip_rpc_read(rpc, (enum rpc_pass)pass);
    struct rpc_part part;
    while (ocf_gossip_rpc_next(&r, &part) > 0)
      if (column[part.kind] >= 0)
        counts[column[part.kind]]++;
  }
}

static void test_recorded_rpcs_have_the_parts_that_go_saw(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(pubsub_recs); i++) {
    unsigned counts[7];
    struct ocf_bytes rpc = recorded(&pubsub_recs[i]);
    assert_int_equal(ocf_gossip_rpc_check(rpc), 0);
    count_parts(rpc, counts);
    for (size_t k = 0; k < 7; k++)
      if (counts[k] != pubsub_recs[i].counts[k])
        fail_msg("%s: part %zu: %u, not %u", pubsub_recs[i].name, k, counts[k],
                 pubsub_recs[i].counts[k]);
  }
}

static struct wire_msg nth_message(struct ocf_bytes rpc, unsigned at)
{
  struct rpc_reader r = ocf_gossip_rpc_read(rpc, PASS_MSGS);
  struct rpc_part part;
  for (unsigned i = 0; i <= at; i++)
    assert_int_equal(ocf_gossip_rpc_next(&r, &part), 1);
  return part.msg;
}

static int verify(const struct wire_msg *m, struct ocf_bytes text)
{
  struct ocf_peerid author;
  struct ocf_pubkey key;
  struct ocf_bytes pb = m->key;
  assert_int_equal(ocf_peerid_from_bytes(m->from, &author), 0);
  if (pb.n == 0)
    assert_true(ocf_peerid_inline_key(&author, &pb));
  assert_int_equal(ocf_peerid_matches_key(&author, pb), 0);
  assert_int_equal(ocf_pubkey_unmarshal(&key, &heap, pb), 0);
  int err = ocf_pubkey_verify(&key, text, m->signature);
  ocf_pubkey_fini(&key);
  return err;
}

static void test_recorded_messages_sign_the_same_bytes_and_verify(void **state)
{
  (void)state;
  size_t n_damaged = 0;
  for (size_t i = 0; i < OCF_ARRAY_LEN(pubsub_msgs); i++) {
    const struct pubsub_msg *pm = &pubsub_msgs[i];
    struct wire_msg m = nth_message(recorded(&pubsub_recs[pm->rpc]), pm->at);
    struct ocf_buf text;
    ocf_buf_init(&text, &heap, 1 << 20);
    assert_int_equal(ocf_gossip_msg_signed(&m, &text), 0);
    size_t n = from_hex(pm->signed_bytes, want, sizeof(want));
    assert_true(ocf_bytes_eq(ocf_buf_view(&text), ocf_bytes(want, n)));
    n = ocf_test_hex(pm->id, want, sizeof(want));
    assert_int_equal(n, m.from.n + m.seqno.n);
    assert_memory_equal(want, m.from.p, m.from.n);
    assert_memory_equal(want + m.from.n, m.seqno.p, m.seqno.n);
    assert_int_equal(verify(&m, ocf_buf_view(&text)), pm->valid ? 0 : OCF_ECRYPTO);
    n_damaged += !pm->valid;
    ocf_buf_fini(&text);
  }
  assert_int_equal(n_damaged, 4);
}

/* Every prefix of a recorded RPC is refused or is an RPC itself; nothing is read beyond it. */
static void test_any_prefix_is_read_without_harm(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(pubsub_recs); i += 7) {
    struct ocf_bytes rpc = recorded(&pubsub_recs[i]);
    for (size_t n = 0; n < OCF_MIN(rpc.n, (size_t)600); n++) {
      uint8_t *copy = malloc(n + 1);
      unsigned counts[7];
      memcpy(copy, rpc.p, n);
      if (ocf_gossip_rpc_check(ocf_bytes(copy, n)) == 0)
        count_parts(ocf_bytes(copy, n), counts);
      free(copy);
    }
  }
}

static struct rpc_part only_part(const char *hex, enum rpc_pass pass)
{
  struct rpc_part part;
  size_t n = ocf_test_hex(hex, raw, sizeof(raw));
  struct rpc_reader r = ocf_gossip_rpc_read(ocf_bytes(raw, n), pass);
  assert_int_equal(ocf_gossip_rpc_next(&r, &part), 1);
  return part;
}

static void test_the_topic_of_an_ihave_may_follow_its_ids(void **state)
{
  (void)state;
  struct rpc_part part = only_part("1a090a071201780a026162", PASS_CONTROL);
  assert_int_equal(part.kind, PART_IHAVE);
  assert_true(ocf_bytes_eq(part.topic, OCF_STR("ab")));
}

static void test_a_prune_without_backoff_says_so(void **state)
{
  (void)state;
  struct rpc_part part = only_part("1a0522030a0161", PASS_CONTROL);
  assert_int_equal(part.kind, PART_PRUNE);
  assert_false(part.has_backoff);
  part = only_part("1a0722050a0161183c", PASS_CONTROL);
  assert_true(part.has_backoff && part.backoff_s == 60);
}

static void test_unknown_fields_are_signed_behind_the_known_ones(void **state)
{
  (void)state;
  struct wire_msg m;
  struct ocf_buf text;
  size_t n = ocf_test_hex("b8060722016e0a016112002a0173", raw, sizeof(raw));
  ocf_buf_init(&text, &heap, 256);
  assert_int_equal(ocf_gossip_msg_decode(ocf_bytes(raw, n), &m), 0);
  assert_true(m.data.p != NULL && m.data.n == 0);
  assert_int_equal(ocf_gossip_msg_signed(&m, &text), 0);
  static const char expect[] = "libp2p-pubsub:\x0a\x01"
                               "a\x12\x00\x22\x01n\xb8\x06\x07";
  assert_true(ocf_bytes_eq(ocf_buf_view(&text), ocf_bytes(expect, sizeof(expect) - 1)));
  ocf_buf_fini(&text);
}

static void test_extensions_and_unknown_control_are_skipped(void **state)
{
  (void)state;
  unsigned counts[7];
  size_t n = ocf_test_hex("1a0432020801"
                          "1a021a00"
                          "a2060101",
                          raw, sizeof(raw));
  assert_int_equal(ocf_gossip_rpc_check(ocf_bytes(raw, n)), 0);
  count_parts(ocf_bytes(raw, n), counts);
  assert_int_equal(counts[5], 1); /* the GRAFT without a topic */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_recorded_rpcs_have_the_parts_that_go_saw),
    cmocka_unit_test(test_recorded_messages_sign_the_same_bytes_and_verify),
    cmocka_unit_test(test_any_prefix_is_read_without_harm),
    cmocka_unit_test(test_the_topic_of_an_ihave_may_follow_its_ids),
    cmocka_unit_test(test_a_prune_without_backoff_says_so),
    cmocka_unit_test(test_unknown_fields_are_signed_behind_the_known_ones),
    cmocka_unit_test(test_extensions_and_unknown_control_are_skipped),
  };
  ocf_alloc_init(&heap);
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  return failed != 0 || heap.live_bytes != 0;
}
