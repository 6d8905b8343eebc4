/* The forms of addresses: recorded vectors, bounds, components. Endpoints: endpoint_test.c. */
#include "multi/maddr/maddr.h"

#include "testing/test.h"

#define B(s, n)                                                                                    \
  {                                                                                                \
    (const uint8_t *)(s), (n)                                                                      \
  }

static const struct {
  struct ocf_bytes text;
  bool valid;
  struct ocf_bytes bytes, canonical;
  const char *names;
} texts[] = {
#include "tests/vectors/gen/maddr_texts.inc"
};

static const struct {
  struct ocf_bytes bytes;
  bool valid;
  struct ocf_bytes text;
} raws[] = {
#include "tests/vectors/gen/maddr_bytes.inc"
};

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

static void assert_text(const struct ocf_maddr *m, struct ocf_bytes want)
{
  char t[OCF_MADDR_TEXT_SIZE];
  size_t n = 0;
  assert_int_equal(ocf_maddr_text(m, t, sizeof(t), &n), 0);
  assert_true(ocf_bytes_eq(ocf_bytes(t, n), want));
  assert_int_equal(t[n], 0);
  /* Exactly this much room, and not a byte less. */
  assert_int_equal(ocf_maddr_text(m, t, n + 1, NULL), 0);
  assert_int_equal(ocf_maddr_text(m, t, n, NULL), OCF_EAGAIN);
  assert_int_equal(t[0], 0);
}

static void assert_names(const struct ocf_maddr *m, const char *want)
{
  char got[256] = "";
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  struct ocf_maddr_part part;
  while (ocf_maddr_next(&it, &part)) {
    strcat(got, "/");
    strcat(got, part.name);
    assert_true(ocf_maddr_find(m, part.code, NULL));
  }
  assert_string_equal(got, want);
}

static void test_recorded_texts(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(texts); i++) {
    struct ocf_maddr m = { .n = 999 }, back;
    int rc = ocf_maddr_parse(texts[i].text, &m);
    assert_int_equal(rc == 0, texts[i].valid);
    if (rc != 0) {
      assert_int_equal(m.n, 999);
      continue;
    }
    assert_true(ocf_bytes_eq(ocf_maddr_view(&m), texts[i].bytes));
    assert_text(&m, texts[i].canonical);
    assert_names(&m, texts[i].names);
    assert_int_equal(ocf_maddr_from_bytes(texts[i].bytes, &back), 0);
    assert_true(ocf_maddr_eq(&m, &back));
  }
}

static void test_recorded_bytes(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(raws); i++) {
    struct ocf_maddr m = { .n = 999 };
    int rc = ocf_maddr_from_bytes(raws[i].bytes, &m);
    assert_int_equal(rc == 0, raws[i].valid);
    if (rc == 0)
      assert_text(&m, raws[i].text);
    else
      assert_int_equal(m.n, 999);
  }
}

/* Goal: binary cut between components is an address, cut inside one is refused. */
static void test_every_cut_is_noticed(void **state)
{
  (void)state;
  struct ocf_maddr m, part;
  assert_int_equal(ocf_maddr_parse(str("/dns4/example.org/tcp/443/tls/sni/example.org/ws/p2p/"
                                       "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"),
                                   &m),
                   0);
  for (size_t cut = 0; cut <= m.n; cut++) {
    bool between = cut == 13 || cut == 16 || cut == 18 || cut == 32 || cut == 34 || cut == m.n;
    assert_int_equal(ocf_maddr_from_bytes(ocf_bytes(m.b, cut), &part) == 0, between);
  }
}

/* What the recorded vectors do not hold. */
static void test_more_texts(void **state)
{
  (void)state;
  static const struct {
    const char *text, *canonical; /* NULL: the same */
  } good[] = {
    { "/ip6/1:2:3:4:5:6:7:8", NULL },
    { "/ip6/1:2:3:4:5:6:7::", "/ip6/1:2:3:4:5:6:7:0" },
    { "/ip6/::2:3:4:5:6:7:8", "/ip6/0:2:3:4:5:6:7:8" },
    { "/ip6/::", NULL },
    { "/ip6/0:0:1:0:0:0:1:0", "/ip6/0:0:1::1:0" },
    { "/ip6/1:0:0:2:0:0:3:4", "/ip6/1::2:0:0:3:4" },
    { "/ip6/64:ff9b::1.2.3.4", "/ip6/64:ff9b::102:304" },
    { "/ip6/ABCD::EF", "/ip6/abcd::ef" },
    { "/memory/18446744073709551615", NULL },
    { "/memory/0", NULL },
    { "/http-path/a+b%2fc%7E%00", "/http-path/a+b%2Fc~%00" },
    { "/onion/aaimaq4ygg2iegci:80", NULL },
    { "/p2p-webrtc-direct/https//", "/p2p-webrtc-direct/https" },
    { "/tcp/000000000000000000000080", "/tcp/80" },
    { "/unix/a//b/", "/unix/a//b" },
    { "/certhash/f0000", "/certhash/uAAA" },
  };
  static const struct {
    const char *text;
    int rc;
  } bad[] = {
    { "/ip6/1:2:3:4:5:6:7", OCF_EINVAL },
    { "/ip6/1:2:3:4:5:6:7:8:9", OCF_EINVAL },
    { "/ip6/1:2:3:4::5:6:7:8", OCF_EINVAL },
    { "/ip6/:1::2", OCF_EINVAL },
    { "/ip6/1::2:", OCF_EINVAL },
    { "/ip6/12345::", OCF_EINVAL },
    { "/ip6/1:2:3:4:5:6:7:1.2.3.4", OCF_EINVAL },
    { "/ip6/::1.2.3", OCF_EINVAL },
    { "/ip6/:::", OCF_EINVAL },
    { "/ip6/1.2.3.4", OCF_EINVAL },
    { "/ip6/:", OCF_EINVAL },
    { "/ip6/1;2::", OCF_EINVAL },
    { "/ip4/::1", OCF_EINVAL },
    { "/ip4/1.2.3.4.5", OCF_EINVAL },
    { "/ip4/1..3.4", OCF_EINVAL },
    { "/ip4/1.2.3.4000", OCF_EINVAL },
    { "/memory/18446744073709551616", OCF_EINVAL },
    { "/memory/1x", OCF_EINVAL },
    { "/http-path/%2", OCF_EINVAL },
    { "/http-path/%zz", OCF_EINVAL },
    { "/onion/aaimaq4ygg2iegci:0", OCF_EINVAL },
    { "/onion/aaimaq4ygg2iegci", OCF_EINVAL },
    { "/onion/aaimaq4ygg2iegc:80", OCF_EINVAL },
    { "/onion/aaimaq4ygg2iegci:", OCF_EINVAL },
    { "/onion3/aaimaq4ygg2iegci:80", OCF_EINVAL },
    { "/garlic32/aaaa", OCF_EINVAL },
    { "/garlic32/!", OCF_EINVAL },
    { "/certhash/!!", OCF_EINVAL },
    { "/certhash/f1220", OCF_EINVAL },
    { "/ipcidr/-1", OCF_EINVAL },
    { "/p2p/9123", OCF_EINVAL },
    { "/quic-v2", OCF_EUNSUPP },
    { "/IP4/1.2.3.4", OCF_EUNSUPP },
    { "/ip4x/1.2.3.4", OCF_EUNSUPP },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(good); i++) {
    struct ocf_maddr m, back;
    const char *want = good[i].canonical != NULL ? good[i].canonical : good[i].text;
    assert_int_equal(ocf_maddr_parse(str(good[i].text), &m), 0);
    assert_text(&m, str(want));
    assert_int_equal(ocf_maddr_parse(str(want), &back), 0);
    assert_true(ocf_maddr_eq(&m, &back));
  }
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct ocf_maddr m;
    assert_int_equal(ocf_maddr_parse(str(bad[i].text), &m), bad[i].rc);
  }
}

/* Goal: binary that has no text of its own is refused, so that text and bytes name the same thing.
 */
static void test_bytes_without_a_text_are_refused(void **state)
{
  (void)state;
  struct ocf_maddr m;
  static const struct ocf_bytes bad[] = {
    B("\x90\x03\x02/a\x04\x01\x02\x03\x04", 10), /* something behind a unix path */
    B("\x90\x03\x01/", 4), /* unix paths that end in a slash, or begin without */
    B("\x90\x03\x03/a/", 6),
    B("\x90\x03\x01"
      "a",
      4),
    B("\xbc\x03"
      "0123456789\0\0",
      14), /* onion port 0 */
    B("\xbf\x03\x03"
      "abc",
      6), /* short garlic */
    B("\xa5\x03\x03\x11\x01"
      "a",
      6), /* ids of a hash that no key has, or cut */
    B("\xa5\x03\x03\x12\x01"
      "a",
      6),
    B("\xd2\x03\x02\x12\x20", 5), /* certhash that is no multihash */
    B("\x2a\x03"
      "a/b",
      5),                 /* zone with a slash */
    B("\xe1\x03\x00", 3), /* empty http path */
    B("\x36\x81\x00"
      "a",
      4), /* padded length */
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_int_equal(ocf_maddr_from_bytes(bad[i], &m), OCF_EINVAL);
  assert_int_equal(ocf_maddr_from_bytes(OCF_STR("\x05"), &m), OCF_EUNSUPP);
}

static void test_addresses_are_bounded(void **state)
{
  (void)state;
  uint8_t raw[OCF_MADDR_MAX + 1];
  char text[OCF_MADDR_TEXT_MAX + 1];
  struct ocf_maddr m, tail;
  raw[0] = OCF_MADDR_DNS;
  raw[1] = 0x80 | ((OCF_MADDR_MAX - 3) & 0x7f);
  raw[2] = (OCF_MADDR_MAX - 3) >> 7;
  memset(raw + 3, 'x', sizeof(raw) - 3);
  assert_int_equal(ocf_maddr_from_bytes(ocf_bytes(raw, OCF_MADDR_MAX), &m), 0);
  char t[OCF_MADDR_TEXT_SIZE];
  size_t n;
  assert_int_equal(ocf_maddr_text(&m, t, sizeof(t), &n), 0);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(t, n), &tail), 0); /* the longest is read back */
  assert_true(ocf_maddr_eq(&m, &tail));
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_WS, ocf_bytes(NULL, 0)), OCF_ELIMIT);
  assert_int_equal(ocf_maddr_join(&m, &tail), OCF_ELIMIT);
  raw[1]++;
  assert_int_equal(ocf_maddr_from_bytes(ocf_bytes(raw, sizeof(raw)), &m), OCF_ELIMIT);

  memset(text, '/', sizeof(text));
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, sizeof(text)), &m), OCF_ELIMIT);
  memset(text, 'x', sizeof(text));
  memcpy(text, "/dns/", 5);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, 5 + OCF_MADDR_MAX), &m), OCF_ELIMIT);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, 1000), &m), OCF_ELIMIT);
  memcpy(text, "/http-path/", 11);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, 1000), &m), OCF_ELIMIT);
  memcpy(text, "/certhash/f", 11);
  memset(text + 11, '0', 1000);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, 1001), &m), OCF_ELIMIT);
  memcpy(text, "/garlic32/", 10);
  memset(text + 10, 'a', 1000);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, 1010), &m), OCF_ELIMIT);
  memset(text, '1', sizeof(text));
  memcpy(text, "/p2p/", 5);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, 1000), &m), OCF_ELIMIT);
  /* Many short components. */
  for (size_t i = 0; i + 18 <= sizeof(text); i += 18)
    memcpy(text + i, "/p2p-webrtc-direct", 18);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, 18 * 192), &m), OCF_ELIMIT);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, 18 * 191), &m), 0);
  assert_text(&m, ocf_bytes(text, 18 * 191)); /* the longest text fits OCF_MADDR_TEXT_SIZE */
}

static void test_addresses_are_built_from_components(void **state)
{
  (void)state;
  struct ocf_maddr m = { 0 }, unix_path, tail;
  struct ocf_maddr_part part;
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_IP4, OCF_STR("\x01\x02\x03\x04")), 0);
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_TCP, OCF_STR("\x00\x50")), 0);
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_WS, ocf_bytes(NULL, 0)), 0);
  assert_text(&m, str("/ip4/1.2.3.4/tcp/80/ws"));
  struct ocf_maddr before = m;
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_TCP, OCF_STR("\x00")), OCF_EINVAL);
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_WS, OCF_STR("x")), OCF_EINVAL);
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_DNS, OCF_STR("")), OCF_EINVAL);
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_DNS, OCF_STR("a/b")), OCF_EINVAL);
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_P2P, OCF_STR("\x12\x20")), OCF_EINVAL);
  assert_int_equal(ocf_maddr_append(&m, 5, OCF_STR("")), OCF_EUNSUPP);
  static const uint8_t big[OCF_MADDR_MAX + 1];
  assert_int_equal(ocf_maddr_append(&m, OCF_MADDR_DNS, ocf_bytes(big, sizeof(big))), OCF_ELIMIT);
  assert_true(ocf_maddr_eq(&m, &before));
  assert_true(ocf_maddr_find(&m, OCF_MADDR_TCP, &part) && part.value.n == 2);
  assert_false(ocf_maddr_find(&m, OCF_MADDR_UDP, &part));

  assert_int_equal(ocf_maddr_parse(str("/p2p-circuit"), &tail), 0);
  assert_int_equal(ocf_maddr_join(&m, &tail), 0);
  assert_text(&m, str("/ip4/1.2.3.4/tcp/80/ws/p2p-circuit"));
  assert_int_equal(ocf_maddr_join(&tail, &tail), 0);
  assert_text(&tail, str("/p2p-circuit/p2p-circuit"));

  assert_int_equal(ocf_maddr_parse(str("/unix/a"), &unix_path), 0);
  assert_int_equal(ocf_maddr_append(&unix_path, OCF_MADDR_WS, ocf_bytes(NULL, 0)), OCF_EINVAL);
  assert_int_equal(ocf_maddr_join(&unix_path, &tail), OCF_EINVAL);
  assert_int_equal(ocf_maddr_join(&m, &unix_path), 0);
  assert_text(&m, str("/ip4/1.2.3.4/tcp/80/ws/p2p-circuit/unix/a"));
}

#define ID_A "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
#define ID_B "QmNNJEUd5dtxhQpZErjp52AMMD6kzwbrgkMaYCs562dH9u"

static void test_the_peer_is_the_last_component(void **state)
{
  (void)state;
  struct ocf_maddr m, empty = { 0 };
  struct ocf_peerid a, b, got;
  assert_int_equal(ocf_peerid_parse(str(ID_A), &a), 0);
  assert_int_equal(ocf_peerid_parse(str(ID_B), &b), 0);

  assert_int_equal(ocf_maddr_parse(str("/ip4/1.2.3.4/tcp/1"), &m), 0);
  assert_false(ocf_maddr_peer(&m, &got));
  assert_int_equal(ocf_maddr_add_peer(&m, &a), 0);
  assert_text(&m, str("/ip4/1.2.3.4/tcp/1/p2p/" ID_A));
  assert_true(ocf_maddr_peer(&m, &got) && ocf_peerid_eq(&got, &a));
  assert_true(ocf_maddr_peer(&m, NULL));
  assert_int_equal(ocf_maddr_add_peer(&m, &a), 0); /* once is enough */
  assert_text(&m, str("/ip4/1.2.3.4/tcp/1/p2p/" ID_A));
  assert_int_equal(ocf_maddr_add_peer(&m, &b), OCF_EINVAL);
  assert_false(ocf_maddr_is_relayed(&m));
  ocf_maddr_drop_peer(&m);
  ocf_maddr_drop_peer(&m); /* nothing left to drop */
  assert_text(&m, str("/ip4/1.2.3.4/tcp/1"));

  assert_int_equal(ocf_maddr_parse(str("/ip4/1.2.3.4/tcp/1/p2p/" ID_A "/p2p-circuit"), &m), 0);
  assert_true(ocf_maddr_is_relayed(&m));
  assert_false(ocf_maddr_peer(&m, &got)); /* the relay's id is not the peer's */
  assert_int_equal(ocf_maddr_add_peer(&m, &b), 0);
  assert_true(ocf_maddr_peer(&m, &got) && ocf_peerid_eq(&got, &b));

  assert_false(ocf_maddr_peer(&empty, &got));
  ocf_maddr_drop_peer(&empty);
  assert_int_equal(ocf_maddr_add_peer(&empty, &a), 0);
  assert_text(&empty, str("/p2p/" ID_A));
  ocf_maddr_drop_peer(&empty);
  assert_int_equal(empty.n, 0);
  assert_text(&empty, str(""));
  char t[1] = "x";
  assert_int_equal(ocf_maddr_text(&empty, t, 0, NULL), OCF_EAGAIN);
  assert_int_equal(t[0], 'x');
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_recorded_texts),
  cmocka_unit_test(test_recorded_bytes),
  cmocka_unit_test(test_every_cut_is_noticed),
  cmocka_unit_test(test_more_texts),
  cmocka_unit_test(test_bytes_without_a_text_are_refused),
  cmocka_unit_test(test_addresses_are_bounded),
  cmocka_unit_test(test_addresses_are_built_from_components),
  cmocka_unit_test(test_the_peer_is_the_last_component),
};

OCF_TEST_MAIN(tests)
