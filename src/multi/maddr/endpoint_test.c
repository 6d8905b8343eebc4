/* Addresses as endpoints: what is dialled and bound, and of what kind it is. */
#include "testing/test.h"

#include "multi/maddr/maddr.h"

#define ID_A "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

static struct ocf_maddr addr(const char *text)
{
  struct ocf_maddr m;
  assert_int_equal(ocf_maddr_parse(str(text), &m), 0);
  return m;
}

static struct ocf_ip_addr ip(const char *text)
{
  struct ocf_ip_addr a;
  assert_int_equal(ocf_ip_addr_parse_host(str(text), &a), 0);
  return a;
}

/* Goal: endpoint to address and back, text and all. */
static void test_endpoints_become_addresses_and_come_back(void **state)
{
  (void)state;
  static const struct {
    const char *endpoint, *maddr;
    uint32_t transport;
  } rows[] = {
    { "127.0.0.1:43905", "/ip4/127.0.0.1/tcp/43905", OCF_MADDR_TCP },
    { "0.0.0.0:0", "/ip4/0.0.0.0/udp/0", OCF_MADDR_UDP },
    { "[::1]:65535", "/ip6/::1/tcp/65535", OCF_MADDR_TCP },
    { "[2001:db8::1]:1", "/ip6/2001:db8::1/udp/1", OCF_MADDR_UDP },
    { "[::ffff:1.2.3.4]:5", "/ip6/::ffff:1.2.3.4/tcp/5", OCF_MADDR_TCP },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct ocf_ip_addr a, back;
    struct ocf_maddr m, want = addr(rows[i].maddr);
    struct ocf_bytes rest;
    char t[OCF_IP_ADDR_TEXT_SIZE];
    assert_int_equal(ocf_ip_addr_parse(str(rows[i].endpoint), &a), 0);
    assert_string_equal(ocf_ip_addr_text(&a, t), rows[i].endpoint);
    ocf_maddr_from_ip(&a, rows[i].transport, &m);
    assert_true(ocf_maddr_eq(&m, &want));
    assert_int_equal(ocf_maddr_to_ip(&m, rows[i].transport, &back, &rest), 0);
    assert_true(ocf_ip_addr_eq(&a, &back));
    assert_int_equal(rest.n, 0);
    uint32_t other = rows[i].transport == OCF_MADDR_TCP ? OCF_MADDR_UDP : OCF_MADDR_TCP;
    assert_int_equal(ocf_maddr_to_ip(&m, other, &back, NULL), OCF_EUNSUPP);
  }
}

static void test_a_zone_is_kept(void **state)
{
  (void)state;
  struct ocf_ip_addr a = ip("fe80::1"), back;
  struct ocf_maddr m;
  struct ocf_bytes rest;
  char t[OCF_IP_ADDR_TEXT_SIZE];
  a.port = 7;
  (void)snprintf(a.zone, sizeof(a.zone), "eth0");
  ocf_maddr_from_ip(&a, OCF_MADDR_TCP, &m);
  struct ocf_maddr want = addr("/ip6zone/eth0/ip6/fe80::1/tcp/7");
  assert_true(ocf_maddr_eq(&m, &want));
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &back, &rest), 0);
  assert_true(ocf_ip_addr_eq(&a, &back));
  assert_string_equal(ocf_ip_addr_text(&a, t), "[fe80::1%eth0]:7");
  assert_string_equal(ocf_ip_addr_host_text(&a, t), "fe80::1");
  assert_true(ocf_maddr_is_private(&m));
  back.zone[0] = 'E';
  assert_false(ocf_ip_addr_eq(&a, &back));

  m = addr("/ip6zone/abcdefghijklmno/ip6/fe80::1/tcp/7"); /* 15 bytes fit */
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &back, NULL), 0);
  m = addr("/ip6zone/abcdefghijklmnop/ip6/fe80::1/tcp/7");
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &back, NULL), OCF_ELIMIT);
  m = addr("/ip6zone/eth0/ip4/1.2.3.4/tcp/7");
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &back, NULL), OCF_EUNSUPP);
  m = addr("/ip6zone/eth0");
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &back, NULL), OCF_EUNSUPP);
  assert_int_equal(ocf_maddr_parse(OCF_STR("/ip6zone/e\0h/ip6/fe80::1/tcp/7"), &m), 0);
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &back, NULL), OCF_EUNSUPP);
}

static void test_suffixes_are_the_callers_to_judge(void **state)
{
  (void)state;
  struct ocf_maddr m = addr("/ip4/1.2.3.4/tcp/80/ws/p2p/" ID_A), none = { 0 };
  struct ocf_ip_addr a = { .family = 77 };
  struct ocf_bytes rest;
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &a, &rest), 0);
  assert_true(rest.n == m.n - 8u && rest.p == m.b + 8);
  assert_int_equal(ocf_maddr_to_ip(&none, OCF_MADDR_TCP, &a, &rest), OCF_EUNSUPP);
  m = addr("/ip4/1.2.3.4");
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &a, &rest), OCF_EUNSUPP);
  m = addr("/dns4/x/tcp/1");
  assert_int_equal(ocf_maddr_to_ip(&m, OCF_MADDR_TCP, &a, &rest), OCF_EUNSUPP);
  assert_int_equal(a.family, 4); /* untouched since the success */
}

static void test_what_plain_tcp_can_dial(void **state)
{
  (void)state;
  struct ocf_maddr_tcp t;
  struct ocf_peerid id;
  assert_int_equal(ocf_peerid_parse(str(ID_A), &id), 0);

  struct ocf_maddr m = addr("/ip4/10.0.0.1/tcp/43905/p2p/" ID_A);
  assert_int_equal(ocf_maddr_to_tcp(&m, &t), 0);
  assert_true(t.ip.family == 4 && t.ip.port == 43905 && t.host.n == 0 && t.host_code == 0);
  assert_true(ocf_peerid_eq(&t.peer, &id));
  m = addr("/ip6zone/eth0/ip6/fe80::1/tcp/1");
  assert_int_equal(ocf_maddr_to_tcp(&m, &t), 0);
  assert_true(t.ip.family == 6 && ocf_peerid_is_none(&t.peer));
  assert_string_equal(t.ip.zone, "eth0");
  m = addr("/dns6/Head-1.example_x.org./tcp/443");
  assert_int_equal(ocf_maddr_to_tcp(&m, &t), 0);
  assert_true(t.ip.family == 0 && t.ip.port == 443 && t.host_code == OCF_MADDR_DNS6);
  assert_true(ocf_bytes_eq(t.host, OCF_STR("Head-1.example_x.org.")));

  static const char *const other[] = {
    "/ip4/1.2.3.4/tcp/1/ws",
    "/ip4/1.2.3.4/tcp/1/tls/ws",
    "/ip4/1.2.3.4/udp/1/quic-v1",
    "/ip4/1.2.3.4",
    "/dnsaddr/example.org",
    "/dns4/example.org",
    "/dns4/example.org/udp/1",
    "/unix/a",
    "/memory/1",
    "/ip6zone/eth0/dns4/x/tcp/1",
    "/ip6zone/eth0",
    "/tcp/1",
    "/ip4/1.2.3.4/tcp/1/p2p/" ID_A "/p2p-circuit",
    "/p2p/" ID_A,
    "/p2p-circuit",
    "/ip4/1.2.3.4/tcp/1/p2p/" ID_A "/p2p/" ID_A,
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(other); i++) {
    m = addr(other[i]);
    assert_int_equal(ocf_maddr_to_tcp(&m, &t), OCF_EUNSUPP);
  }
  m = addr("/ip6zone/abcdefghijklmnop/ip6/fe80::1/tcp/7");
  assert_int_equal(ocf_maddr_to_tcp(&m, &t), OCF_ELIMIT);
}

/* Goal: a name that could confuse a resolver or a log never reaches one. */
static void test_host_names_are_checked(void **state)
{
  (void)state;
  static const char *const bad[] = { "a b", "a%2f", "a:b", "[::1]", "\xc3\xa4", "a\nb", "a@b" };
  struct ocf_maddr_tcp t;
  struct ocf_maddr m;
  char text[600];
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    (void)snprintf(text, sizeof(text), "/dns4/%s/tcp/1", bad[i]);
    m = addr(text);
    assert_int_equal(ocf_maddr_to_tcp(&m, &t), OCF_EINVAL);
  }
  assert_int_equal(ocf_maddr_parse(OCF_STR("/dns4/a\0b/tcp/1"), &m), 0);
  assert_int_equal(ocf_maddr_to_tcp(&m, &t), OCF_EINVAL);
  for (int len = 253; len <= 254; len++) {
    memset(text, 'a', sizeof(text));
    memcpy(text, "/dns/", 5);
    memcpy(text + 5 + len, "/tcp/1", 7);
    m = addr(text);
    assert_int_equal(ocf_maddr_to_tcp(&m, &t), len == 253 ? 0 : OCF_EINVAL);
  }
}

static void test_kinds_of_ips(void **state)
{
  (void)state;
  enum { LOOP = 1, PRIV = 2, PUB = 4, UNSPEC = 8 };
  static const struct {
    const char *ip;
    int kind;
  } rows[] = {
    { "127.0.0.1", LOOP },
    { "127.255.255.255", LOOP },
    { "128.0.0.0", PUB },
    { "126.255.255.255", PUB },
    { "10.0.0.0", PRIV },
    { "10.255.255.255", PRIV },
    { "9.255.255.255", PUB },
    { "11.0.0.0", PUB },
    { "172.15.255.255", PUB },
    { "172.16.0.0", PRIV },
    { "172.31.255.255", PRIV },
    { "172.32.0.0", PUB },
    { "192.168.0.1", PRIV },
    { "192.169.0.0", PUB },
    { "100.63.255.255", PUB },
    { "100.64.0.0", PRIV },
    { "100.127.255.255", PRIV },
    { "100.128.0.0", PUB },
    { "169.254.1.1", PRIV },
    { "0.0.0.0", UNSPEC },
    { "0.0.0.1", 0 },
    { "192.0.2.1", 0 },
    { "198.51.100.9", 0 },
    { "203.0.113.0", 0 },
    { "198.18.0.1", 0 },
    { "198.20.0.0", PUB },
    { "192.88.99.1", 0 },
    { "192.0.0.8", 0 },
    { "224.0.0.1", 0 },
    { "240.0.0.1", 0 },
    { "255.255.255.255", 0 },
    { "223.255.255.255", PUB },
    { "8.8.8.8", PUB },
    { "::1", LOOP },
    { "::", UNSPEC },
    { "::2", 0 },
    { "fc00::1", PRIV },
    { "fdff::1", PRIV },
    { "fe80::1", PRIV },
    { "febf::1", PRIV },
    { "fec0::1", 0 },
    { "ff02::1", 0 },
    { "2001:db8::1", 0 },
    { "2001:db9::1", PUB },
    { "2a00::1", PUB },
    { "3fff:ffff::1", PUB },
    { "4000::1", 0 },
    { "64:ff9b::102:304", PUB },
    { "64:ff9b:1::1", 0 },
    { "::ffff:127.0.0.1", LOOP },
    { "::ffff:10.1.1.1", PRIV },
    { "::ffff:8.8.8.8", PUB },
    { "::ffff:0.0.0.0", UNSPEC },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct ocf_ip_addr a = ip(rows[i].ip);
    struct ocf_maddr m;
    ocf_maddr_from_ip(&a, OCF_MADDR_TCP, &m);
    assert_int_equal(ocf_ip_addr_is_loopback(&a), rows[i].kind == LOOP);
    assert_int_equal(ocf_ip_addr_is_private(&a), rows[i].kind == PRIV);
    assert_int_equal(ocf_ip_addr_is_public(&a), rows[i].kind == PUB);
    assert_int_equal(ocf_ip_addr_is_unspecified(&a), rows[i].kind == UNSPEC);
    assert_int_equal(ocf_maddr_is_loopback(&m), rows[i].kind == LOOP);
    assert_int_equal(ocf_maddr_is_private(&m), rows[i].kind == PRIV);
    assert_int_equal(ocf_maddr_is_public(&m), rows[i].kind == PUB);
    assert_int_equal(ocf_maddr_is_unspecified(&m), rows[i].kind == UNSPEC);
  }
  struct ocf_ip_addr none = { 0 };
  assert_false(ocf_ip_addr_is_loopback(&none) || ocf_ip_addr_is_private(&none) ||
               ocf_ip_addr_is_public(&none) || ocf_ip_addr_is_unspecified(&none));
}

static void test_kinds_of_names(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    char kind; /* l, p, g; '-' none */
  } rows[] = {
    { "/dns/localhost/tcp/1", 'l' },
    { "/dns4/LocalHost./tcp/1", 'l' },
    { "/dns6/a.localhost", 'l' },
    { "/dns/xlocalhost", 'g' },
    { "/dns/printer.local/tcp/1", 'p' },
    { "/dns/a.LAN", 'p' },
    { "/dns/a.home.arpa", 'p' },
    { "/dnsaddr/a.internal", 'p' },
    { "/dns4/example.org/tcp/443/wss", 'g' },
    { "/dnsaddr/boot.example.org", 'g' },
    { "/dns/local", 'g' },
    { "/dns/a.test", 'p' },
    { "/unix/a", '-' },
    { "/p2p/" ID_A, '-' },
    { "/p2p-circuit", '-' },
    { "/ip6zone/eth0/dns/localhost", '-' },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct ocf_maddr m = addr(rows[i].text);
    assert_int_equal(ocf_maddr_is_loopback(&m), rows[i].kind == 'l');
    assert_int_equal(ocf_maddr_is_private(&m), rows[i].kind == 'p');
    assert_int_equal(ocf_maddr_is_public(&m), rows[i].kind == 'g');
    assert_false(ocf_maddr_is_unspecified(&m));
  }
  struct ocf_maddr none = { 0 };
  assert_false(ocf_maddr_is_loopback(&none) || ocf_maddr_is_private(&none) ||
               ocf_maddr_is_public(&none) || ocf_maddr_is_unspecified(&none));
}

static void test_endpoint_texts(void **state)
{
  (void)state;
  static const char *const bad[] = {
    "",
    ":",
    ":80",
    "1.2.3.4",
    "1.2.3.4:",
    "1.2.3.4:65536",
    "1.2.3.4:000080",
    "1.2.3.4:+1",
    "::1:80",
    "[::1]",
    "[::1]80",
    "[::1:80",
    "::1]:80",
    "[1.2.3.4]:80",
    "[]:80",
    "[fe80::1%eth0]:80",
    "host:80",
    " 1.2.3.4:80",
    "1.2.3.4:80 ",
    "80",
  };
  struct ocf_ip_addr a = { .family = 77 }, b;
  char t[OCF_IP_ADDR_TEXT_SIZE];
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_int_equal(ocf_ip_addr_parse(str(bad[i]), &a), OCF_EINVAL);
  assert_int_equal(ocf_ip_addr_parse_host(str("1.2.3.4:80"), &a), OCF_EINVAL);
  assert_int_equal(a.family, 77);
  assert_int_equal(ocf_ip_addr_parse(str("1.2.3.4:80"), &a), 0);
  b = a;
  b.port = 81;
  assert_false(ocf_ip_addr_eq(&a, &b));
  b = a;
  b.ip[3]++;
  assert_false(ocf_ip_addr_eq(&a, &b));
  struct ocf_ip_addr none = { 0 };
  assert_string_equal(ocf_ip_addr_text(&none, t), "none");
  assert_string_equal(ocf_ip_addr_host_text(&none, t), "none");
  /* The longest of all fits. */
  struct ocf_ip_addr big = ip("2001:1111:2222:3333:4444:5555:6666:7777");
  big.port = 65535;
  memset(big.zone, 'z', sizeof(big.zone) - 1);
  assert_string_equal(ocf_ip_addr_text(&big, t),
                      "[2001:1111:2222:3333:4444:5555:6666:7777%zzzzzzzzzzzzzzz]:65535");
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_endpoints_become_addresses_and_come_back),
  cmocka_unit_test(test_a_zone_is_kept),
  cmocka_unit_test(test_suffixes_are_the_callers_to_judge),
  cmocka_unit_test(test_what_plain_tcp_can_dial),
  cmocka_unit_test(test_host_names_are_checked),
  cmocka_unit_test(test_kinds_of_ips),
  cmocka_unit_test(test_kinds_of_names),
  cmocka_unit_test(test_endpoint_texts),
};

OCF_TEST_MAIN(tests)
