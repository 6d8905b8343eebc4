/* Goal: we read what Go nodes say as they mean it, write what they would, and no message costs more
 * than its bounds. Method: recorded messages (tests/vectors/identify.json), every cut, hostile
 * lengths and counts, an OOM sweep. */
#include "testing/test.h"

#include "crypto/envelope/envelope.h"
#include "p2p/identify/identify.h"
#include "testing/oom.h"
#include "testing/split.h"
#include "testing/vectors.h"

struct identify_rec {
  const char *name, *hex, *key, *addrs, *protos, *observed, *agent, *record, *version;
};
#include "tests/vectors/gen/identify_vectors.inc"

static struct ocf_alloc heap;

static void take(struct ocf_identify_reader *r, const uint8_t *p, size_t n, struct ocf_bytes *msg)
{
  ocf_identify_reader_init(r, &heap);
  assert_int_equal(ocf_identify_reader_input(r, ocf_bytes(p, n)), 0);
  assert_int_equal(ocf_identify_reader_end(r, msg), 0);
}

/* The next line of `*s`, which is advanced; false at the end. */
static bool line(const char **s, struct ocf_bytes *out)
{
  const char *end = strchr(*s, '\n');
  if (end == NULL)
    return false;
  *out = ocf_bytes(*s, (size_t)(end - *s));
  *s = end + 1;
  return true;
}

static void assert_addr(const struct ocf_maddr *m, struct ocf_bytes text)
{
  char got[OCF_MADDR_TEXT_SIZE];
  size_t n;
  assert_int_equal(ocf_maddr_text(m, got, sizeof(got), &n), 0);
  assert_int_equal(n, text.n);
  assert_memory_equal(got, text.p, n);
}

static void assert_message(const struct identify_rec *rec, const struct ocf_identify_msg *m)
{
  static uint8_t want[8192];
  const char *at = rec->addrs;
  struct ocf_bytes text, proto;
  struct ocf_maddr addr;
  struct ocf_identify_iter it = ocf_identify_iter(m);
  while (line(&at, &text)) {
    assert_true(ocf_identify_next_addr(&it, &addr));
    assert_addr(&addr, text);
  }
  assert_false(ocf_identify_next_addr(&it, &addr));
  it = ocf_identify_iter(m);
  at = rec->protos;
  while (line(&at, &text)) {
    assert_true(ocf_identify_next_proto(&it, &proto));
    assert_true(ocf_bytes_eq(proto, text));
  }
  assert_false(ocf_identify_next_proto(&it, &proto));
  assert_true(ocf_bytes_eq(m->agent, ocf_bytes(rec->agent, strlen(rec->agent))));
  assert_true(ocf_bytes_eq(m->protocol_version, ocf_bytes(rec->version, strlen(rec->version))));
  size_t n = ocf_test_hex(rec->key, want, sizeof(want));
  assert_true(ocf_bytes_eq(m->key, ocf_bytes(want, n)));
  if (rec->observed[0] != '\0') {
    assert_int_equal(ocf_maddr_from_bytes(m->observed, &addr), 0);
    assert_addr(&addr, ocf_bytes(rec->observed, strlen(rec->observed)));
  }
}

static void test_recorded_messages_are_read_as_go_means_them(void **state)
{
  (void)state;
  static uint8_t raw[16384], want[8192];
  for (size_t i = 0; i < OCF_ARRAY_LEN(identify_recs); i++) {
    const struct identify_rec *rec = &identify_recs[i];
    struct ocf_identify_reader r;
    struct ocf_identify_msg m;
    struct ocf_identify_record pr;
    struct ocf_bytes msg;
    struct ocf_peerid id;
    take(&r, raw, ocf_test_hex(rec->hex, raw, sizeof(raw)), &msg);
    assert_int_equal(ocf_identify_decode(msg, &m), 0);
    assert_message(rec, &m);
    assert_int_equal(ocf_identify_record_open(&heap, m.record, &pr), 0);
    assert_true(
        ocf_bytes_eq(pr.payload, ocf_bytes(want, ocf_test_hex(rec->record, want, sizeof(want)))));
    ocf_peerid_from_key(m.key, &id);
    assert_true(ocf_peerid_eq(&id, &pr.id));
    struct ocf_maddr a, b; /* Go's record lists what the message does, and loopback addresses */
    struct ocf_identify_iter plain = ocf_identify_iter(&m);
    while (ocf_identify_next_addr(&plain, &b)) {
      bool found = false;
      struct ocf_identify_iter it = ocf_identify_record_iter(&pr);
      while (ocf_identify_record_next(&it, &a))
        found = found || ocf_maddr_eq(&a, &b);
      assert_true(found);
    }
    ocf_identify_reader_fini(&r);
  }
  assert_int_equal(heap.live_bytes, 0);
}

/* What is re-encoded from a recorded message is that message, byte for byte, when it has one part:
 * the order and presence of fields are Go's. */
static void test_our_encoding_is_gos(void **state)
{
  (void)state;
  static uint8_t raw[16384];
  size_t n_same = 0;
  for (size_t i = 0; i < OCF_ARRAY_LEN(identify_recs); i++) {
    struct ocf_identify_reader r;
    struct ocf_identify_msg m;
    struct ocf_bytes msg;
    struct ocf_maddr addrs[64], observed;
    struct ocf_bytes protos[64];
    size_t n = ocf_test_hex(identify_recs[i].hex, raw, sizeof(raw));
    take(&r, raw, n, &msg);
    assert_int_equal(ocf_identify_decode(msg, &m), 0);
    struct ocf_identify_self self = { .key = m.key,
                                      .addrs = addrs,
                                      .protos = protos,
                                      .loopback = true,
                                      .agent = m.agent,
                                      .record = m.record };
    struct ocf_identify_iter it = ocf_identify_iter(&m);
    while (ocf_identify_next_addr(&it, &addrs[self.n_addrs]))
      self.n_addrs++;
    it = ocf_identify_iter(&m);
    while (ocf_identify_next_proto(&it, &protos[self.n_protos]))
      self.n_protos++;
    assert_int_equal(ocf_maddr_from_bytes(m.observed, &observed), 0);
    self.observed = &observed;
    struct ocf_buf out;
    ocf_buf_init(&out, &heap, 65536);
    assert_int_equal(ocf_identify_encode(&self, &out), 0);
    assert_int_equal(out.n, n);
    n_same += memcmp(out.p, raw, n) == 0;
    ocf_buf_fini(&out);
    ocf_identify_reader_fini(&r);
  }
  assert_int_equal(n_same, OCF_ARRAY_LEN(identify_recs));
}

struct split_ctx {
  struct ocf_identify_reader r;
  size_t want;
};

static void split_begin(void *ctx)
{
  ocf_identify_reader_init(&((struct split_ctx *)ctx)->r, &heap);
}

static int split_feed(void *ctx, const uint8_t *p, size_t n)
{
  return ocf_identify_reader_input(&((struct split_ctx *)ctx)->r, ocf_bytes(p, n));
}

static void split_end(void *ctx, int err)
{
  struct split_ctx *s = ctx;
  struct ocf_bytes msg;
  struct ocf_identify_msg m;
  assert_int_equal(err, 0);
  assert_int_equal(ocf_identify_reader_end(&s->r, &msg), 0);
  assert_int_equal(ocf_identify_decode(msg, &m), 0);
  assert_int_equal(m.n_protos, s->want);
  ocf_identify_reader_fini(&s->r);
}

static void test_any_split_gives_the_same_message(void **state)
{
  (void)state;
  struct ocf_bytes protos[40];
  for (size_t i = 0; i < 40; i++)
    protos[i] = OCF_STR("/proto/with/a/name/of/some/length/1.0.0");
  struct ocf_identify_self self = { .protos = protos,
                                    .n_protos = 40,
                                    .agent = OCF_STR("a"),
                                    .record = OCF_STR("not a record, but long enough to split"
                                                      "................................") };
  struct ocf_buf one;
  ocf_buf_init(&one, &heap, 65536);
  self.agent = ocf_bytes(NULL, 0);
  assert_int_equal(ocf_identify_encode(&self, &one), 0);
  struct split_ctx ctx = { .want = 40 };
  struct ocf_split s = { &ctx, split_begin, split_feed, split_end };
  ocf_split_sweep(&s, one.p, one.n);
  ocf_buf_fini(&one);
}

static void test_a_long_message_sends_its_record_as_a_second_part(void **state)
{
  (void)state;
  struct ocf_bytes protos[60];
  for (size_t i = 0; i < 60; i++)
    protos[i] = OCF_STR("/a/protocol/name/of/35/characters/1");
  struct ocf_identify_self self = { .protos = protos, .n_protos = 60, .record = OCF_STR("record") };
  struct ocf_buf out;
  ocf_buf_init(&out, &heap, 65536);
  assert_int_equal(ocf_identify_encode(&self, &out), 0);
  struct ocf_identify_reader r;
  struct ocf_bytes msg;
  struct ocf_identify_msg m;
  take(&r, out.p, out.n, &msg);
  assert_int_equal(r.n_parts, 2);
  assert_int_equal(ocf_identify_decode(msg, &m), 0);
  assert_true(ocf_bytes_eq(m.record, OCF_STR("record")));
  assert_int_equal(m.n_protos, 60);
  ocf_identify_reader_fini(&r);
  ocf_buf_clear(&out);
  self.n_protos = 10;
  assert_int_equal(ocf_identify_encode(&self, &out), 0);
  take(&r, out.p, out.n, &msg);
  assert_int_equal(r.n_parts, 1);
  ocf_identify_reader_fini(&r);
  ocf_buf_fini(&out);
}

static int feed_whole(const uint8_t *p, size_t n)
{
  struct ocf_identify_reader r;
  struct ocf_bytes msg;
  ocf_identify_reader_init(&r, &heap);
  int err = ocf_identify_reader_input(&r, ocf_bytes(p, n));
  if (err == 0)
    err = ocf_identify_reader_end(&r, &msg);
  ocf_identify_reader_fini(&r);
  return err;
}

static void test_hostile_lengths_are_refused_before_they_cost_memory(void **state)
{
  (void)state;
  static uint8_t big[OCF_IDENTIFY_PART_MAX + 8];
  const uint8_t over[] = { 0x81, 0x40 };       /* 8193 */
  const uint8_t huge[] = { 0xff, 0xff, 0xff }; /* three bytes of length */
  const uint8_t padded[] = { 0x81, 0x00 };     /* not minimal */
  const uint8_t cut[] = { 0x05, 1, 2 };        /* ends inside the part */
  const uint8_t cut_len[] = { 0x80 };          /* ends inside the length */
  assert_int_equal(feed_whole(over, sizeof(over)), OCF_ELIMIT);
  assert_int_equal(feed_whole(huge, sizeof(huge)), OCF_ELIMIT);
  assert_int_equal(feed_whole(padded, sizeof(padded)), OCF_EPROTO);
  assert_int_equal(feed_whole(cut, sizeof(cut)), OCF_EPROTO);
  assert_int_equal(feed_whole(cut_len, sizeof(cut_len)), OCF_EPROTO);
  assert_int_equal(feed_whole(NULL, 0), OCF_EPROTO);
  big[0] = 0x80;
  big[1] = 0x40; /* 8192: the longest */
  assert_int_equal(feed_whole(big, 2 + OCF_IDENTIFY_PART_MAX), 0);
}

static void test_ten_parts_are_merged_and_the_eleventh_is_refused(void **state)
{
  (void)state;
  const uint8_t part[] = { 4, 0x1a, 2, '/', 'x' };
  uint8_t msg[11 * sizeof(part)];
  for (size_t i = 0; i < 11; i++)
    memcpy(msg + i * sizeof(part), part, sizeof(part));
  struct ocf_identify_reader r;
  struct ocf_bytes raw;
  struct ocf_identify_msg m;
  take(&r, msg, 10 * sizeof(part), &raw);
  assert_int_equal(ocf_identify_decode(raw, &m), 0);
  assert_int_equal(m.n_protos, 10);
  ocf_identify_reader_fini(&r);
  assert_int_equal(feed_whole(msg, sizeof(msg)), OCF_ELIMIT);
}

static void test_the_last_scalar_wins_across_parts(void **state)
{
  (void)state;
  const uint8_t two[] = { 3, 0x32, 1, 'a', 3, 0x32, 1, 'b' };
  struct ocf_identify_reader r;
  struct ocf_bytes raw;
  struct ocf_identify_msg m;
  take(&r, two, sizeof(two), &raw);
  assert_int_equal(ocf_identify_decode(raw, &m), 0);
  assert_true(ocf_bytes_eq(m.agent, OCF_STR("b")));
  ocf_identify_reader_fini(&r);
}

/* A hundred thousand protocols and addresses, empty ones, wrong wire types (V-22). */
static void test_a_flood_of_protocols_and_addresses_is_cut(void **state)
{
  (void)state;
  static uint8_t raw[OCF_IDENTIFY_TOTAL_MAX];
  struct ocf_identify_msg m;
  for (size_t i = 0; i + 3 <= sizeof(raw); i += 3)
    memcpy(raw + i, (const uint8_t[]){ 0x1a, 1, 'p' }, 3);
  assert_int_equal(ocf_identify_decode(ocf_bytes(raw, sizeof(raw) / 3 * 3), &m), 0);
  assert_int_equal(m.n_protos, OCF_IDENTIFY_PROTOS_MAX);
  for (size_t i = 0; i + 2 <= sizeof(raw); i += 2)
    memcpy(raw + i, (const uint8_t[]){ 0x12, 0 }, 2);
  assert_int_equal(ocf_identify_decode(ocf_bytes(raw, sizeof(raw)), &m), 0);
  assert_int_equal(m.n_addrs, 0);
  const uint8_t wrong[] = { 0x18, 7, 0x30, 1, 0x1a, 0 }; /* varints where bytes are due; empty */
  assert_int_equal(ocf_identify_decode(ocf_bytes(wrong, sizeof(wrong)), &m), 0);
  assert_int_equal(m.n_protos, 0);
  assert_int_equal(m.agent.n, 0);
}

static void key_of(struct ocf_key *k, uint8_t seed, struct ocf_peerid *id)
{
  uint8_t s[OCF_KEY_ED25519_SEED_LEN] = { seed };
  assert_int_equal(ocf_key_from_seed(k, &heap, s), 0);
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(k)), id);
}

static void test_a_record_of_another_peer_is_not_believed(void **state)
{
  (void)state;
  struct ocf_key k1, k2;
  struct ocf_peerid id1, id2;
  struct ocf_identify_record rec;
  struct ocf_maddr addr;
  struct ocf_buf b;
  key_of(&k1, 1, &id1);
  key_of(&k2, 2, &id2);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip4/10.0.0.1/tcp/1"), &addr), 0);
  ocf_buf_init(&b, &heap, 65536);
  assert_int_equal(ocf_identify_record_seal(&k1, &id1, 7, &addr, 1, false, &b), 0);
  assert_int_equal(ocf_identify_record_open(&heap, ocf_buf_view(&b), &rec), 0);
  assert_true(ocf_peerid_eq(&rec.id, &id1));
  assert_int_equal(rec.seq, 7);
  for (size_t i = 0; i < b.n; i++) { /* any damage is noticed */
    b.p[i] ^= 0x10;
    assert_true(ocf_identify_record_open(&heap, ocf_buf_view(&b), &rec) < 0);
    b.p[i] ^= 0x10;
  }
  ocf_buf_clear(&b);
  assert_int_equal(ocf_identify_record_seal(&k1, &id2, 7, &addr, 1, false, &b), 0);
  assert_int_equal(ocf_identify_record_open(&heap, ocf_buf_view(&b), &rec), OCF_EAUTH);
  ocf_buf_fini(&b);
  ocf_key_fini(&k1);
  ocf_key_fini(&k2);
}

static size_t n_addrs_shown(bool loopback, struct ocf_buf *record)
{
  struct ocf_key k;
  struct ocf_peerid id;
  struct ocf_maddr addrs[3];
  key_of(&k, 3, &id);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip4/10.0.0.1/tcp/1"), &addrs[0]), 0);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip4/127.0.0.1/tcp/1"), &addrs[1]), 0);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip6/::1/tcp/1"), &addrs[2]), 0);
  struct ocf_identify_self self = { .addrs = addrs, .n_addrs = 3, .loopback = loopback };
  struct ocf_buf b;
  ocf_buf_init(&b, &heap, 65536);
  assert_int_equal(ocf_identify_encode(&self, &b), 0);
  struct ocf_identify_reader r;
  struct ocf_bytes raw;
  struct ocf_identify_msg m;
  take(&r, b.p, b.n, &raw);
  assert_int_equal(ocf_identify_decode(raw, &m), 0);
  size_t n = m.n_addrs;
  ocf_identify_reader_fini(&r);
  ocf_buf_fini(&b);
  assert_int_equal(ocf_identify_record_seal(&k, &id, 1, addrs, 3, loopback, record), 0);
  ocf_key_fini(&k);
  return n;
}

static void test_loopback_addresses_are_shown_to_loopback_peers_only(void **state)
{
  (void)state;
  struct ocf_buf rec;
  struct ocf_identify_record r;
  struct ocf_maddr addr;
  ocf_buf_init(&rec, &heap, 65536);
  assert_int_equal(n_addrs_shown(true, &rec), 3);
  ocf_buf_clear(&rec);
  assert_int_equal(n_addrs_shown(false, &rec), 1);
  assert_int_equal(ocf_identify_record_open(&heap, ocf_buf_view(&rec), &r), 0);
  struct ocf_identify_iter it = ocf_identify_record_iter(&r);
  assert_true(ocf_identify_record_next(&it, &addr));
  assert_false(ocf_maddr_is_loopback(&addr));
  assert_false(ocf_identify_record_next(&it, &addr));
  ocf_buf_fini(&rec);
}

static int oom_body(struct ocf_alloc *a, void *ctx)
{
  struct ocf_key *k = ctx;
  struct ocf_peerid id;
  struct ocf_maddr addr;
  struct ocf_buf rec, msg;
  struct ocf_identify_reader r;
  struct ocf_bytes raw;
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(k)), &id);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip4/10.0.0.1/tcp/1"), &addr), 0);
  ocf_buf_init(&rec, a, 65536);
  ocf_buf_init(&msg, a, 65536);
  ocf_identify_reader_init(&r, a);
  int err = ocf_identify_record_seal(k, &id, 1, &addr, 1, false, &rec);
  struct ocf_identify_self self = { .addrs = &addr, .n_addrs = 1, .record = ocf_buf_view(&rec) };
  if (err == 0)
    err = ocf_identify_encode(&self, &msg);
  if (err == 0)
    err = ocf_identify_reader_input(&r, ocf_buf_view(&msg));
  struct ocf_identify_msg m;
  struct ocf_identify_record got;
  if (err == 0 && ocf_identify_reader_end(&r, &raw) == 0 && ocf_identify_decode(raw, &m) == 0)
    err = ocf_identify_record_open(a, m.record, &got);
  ocf_identify_reader_fini(&r);
  ocf_buf_fini(&msg);
  ocf_buf_fini(&rec);
  return err;
}

static void test_every_failed_allocation_is_reported_without_a_leak(void **state)
{
  (void)state;
  struct ocf_key k;
  struct ocf_peerid id;
  key_of(&k, 9, &id);
  assert_true(ocf_oom_sweep(oom_body, &k) >= 4);
  ocf_key_fini(&k);
}

int main(void)
{
  ocf_alloc_init(&heap);
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_recorded_messages_are_read_as_go_means_them),
    cmocka_unit_test(test_our_encoding_is_gos),
    cmocka_unit_test(test_any_split_gives_the_same_message),
    cmocka_unit_test(test_a_long_message_sends_its_record_as_a_second_part),
    cmocka_unit_test(test_hostile_lengths_are_refused_before_they_cost_memory),
    cmocka_unit_test(test_ten_parts_are_merged_and_the_eleventh_is_refused),
    cmocka_unit_test(test_the_last_scalar_wins_across_parts),
    cmocka_unit_test(test_a_flood_of_protocols_and_addresses_is_cut),
    cmocka_unit_test(test_a_record_of_another_peer_is_not_believed),
    cmocka_unit_test(test_loopback_addresses_are_shown_to_loopback_peers_only),
    cmocka_unit_test(test_every_failed_allocation_is_reported_without_a_leak),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
