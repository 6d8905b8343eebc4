/* Goal: what the configuration says is what the node gets: addresses in all the forms that users
 * write, errors that name their place, peers that are dialled, limits under their own names.
 * Method: configurations parsed from flags as a user would give them; a whole node on a loop that
 * is never run where a swarm is needed. */
#include "app/daemon/setup.h"
#include "base/rng/rng.h"
#include "crypto/hash/hash.h"
#include "io/uv/uv.h"
#include "testing/test.h"

static struct ocf_alloc heap;
static struct ocf_conf conf;
static struct ocf_conf_report report;
static struct ocf_setup_addrs addrs;
static struct ocf_err err;

static void parse(const char *const *args, size_t n)
{
  struct ocf_conf_input in = { .args = args, .n_args = n };
  ocf_conf_fini(&conf);
  ocf_alloc_init(&heap);
  int r = ocf_conf_parse(&conf, &heap, &in, &report);
  assert_string_equal(report.errors, "");
  assert_int_equal(r, 0);
}
#define PARSE(...)                                                                                 \
  parse((const char *const[]){ __VA_ARGS__ },                                                      \
        sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static int teardown(void **state)
{
  (void)state;
  ocf_conf_fini(&conf);
  return heap.live_bytes != 0;
}

static void assert_ip(const struct ocf_ip_addr *a, const char *text)
{
  char t[OCF_IP_ADDR_TEXT_SIZE];
  assert_string_equal(ocf_ip_addr_text(a, t), text);
}

static void test_without_listen_both_families_are_taken_and_only_then_one_may_lack(void **state)
{
  (void)state;
  PARSE("--tcpport=5000");
  assert_int_equal(ocf_setup_addrs(&conf, &addrs, &err), 0);
  assert_int_equal(addrs.n_p2p, 2);
  assert_ip(&addrs.p2p[0], "0.0.0.0:5000");
  assert_ip(&addrs.p2p[1], "[::]:5000");
  assert_true(addrs.p2p_default);
  assert_ip(&addrs.http, "127.0.0.1:8092");
  PARSE("--listen=/ip6/::/tcp/5000");
  assert_int_equal(ocf_setup_addrs(&conf, &addrs, &err), 0);
  assert_int_equal(addrs.n_p2p, 1);
  assert_false(addrs.p2p_default);
  PARSE("--listen=");
  assert_int_equal(ocf_setup_addrs(&conf, &addrs, &err), 0);
  assert_int_equal(addrs.n_p2p, 2);
  assert_true(addrs.p2p_default);
}

static void test_the_http_address_takes_every_family_and_localhost(void **state)
{
  (void)state;
  PARSE("--host=localhost", "--port=80");
  assert_int_equal(ocf_setup_addrs(&conf, &addrs, &err), 0);
  assert_ip(&addrs.http, "127.0.0.1:80");
  PARSE("--host=::1");
  assert_int_equal(ocf_setup_addrs(&conf, &addrs, &err), 0);
  assert_ip(&addrs.http, "[::1]:8092");
}

static void test_a_bad_address_is_refused_with_its_option_its_place_and_a_cure(void **state)
{
  (void)state;
  static const struct {
    const char *arg, *key, *where;
  } bad[] = {
    { "--listen=/ip4/127.0.0.1/udp/1/quic-v1", "listen", "--listen" },
    { "--listen=/ip4/127.0.0.1/tcp/1/ws", "listen", "--listen" },
    { "--listen=/dns4/example.com/tcp/1", "listen", "--listen" },
    { "--host=example.com", "host", "--host" },
    { "--public-addr=/ip4/1.2.3/tcp/1", "public-addr", "--public-addr" },
    { "--public-addr=a/b", "public-addr", "--public-addr" },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    PARSE(bad[i].arg);
    assert_int_equal(ocf_setup_addrs(&conf, &addrs, &err), OCF_EINVAL);
    assert_int_equal(err.code, OCF_EINVAL);
    assert_non_null(strstr(err.msg, bad[i].key));
    assert_non_null(strstr(err.msg, bad[i].where));
    assert_non_null(strstr(err.msg, strchr(bad[i].arg, '=') + 1));
    assert_true(err.cure[0] != '\0');
  }
}

static void test_a_public_address_may_be_an_ip_a_name_a_pair_or_a_multiaddr(void **state)
{
  static const struct {
    const char *given, *told;
  } forms[] = {
    { "203.0.113.7", "/ip4/203.0.113.7/tcp/4000" },
    { "2001:db8::7", "/ip6/2001:db8::7/tcp/4000" },
    { "203.0.113.7:9", "/ip4/203.0.113.7/tcp/9" },
    { "[2001:db8::7]:9", "/ip6/2001:db8::7/tcp/9" },
    { "node.example.com", "/dns/node.example.com/tcp/4000" },
    { "/dns4/node.example.com/tcp/443", "/dns4/node.example.com/tcp/443" },
    { "/ip4/203.0.113.7/tcp/1", "/ip4/203.0.113.7/tcp/1" },
  };
  char text[OCF_MADDR_TEXT_SIZE];
  struct ocf_maddr m;
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(forms); i++) {
    assert_int_equal(ocf_setup_public_addr(forms[i].given, 4000, &m), 0);
    assert_int_equal(ocf_maddr_text(&m, text, sizeof(text), NULL), 0);
    assert_string_equal(text, forms[i].told);
  }
  char lengthy[300];
  memset(lengthy, 'a', sizeof(lengthy) - 1);
  lengthy[sizeof(lengthy) - 1] = '\0';
  const char *bad[] = { "", "/", "/ip4/1", "http://x", lengthy };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_int_not_equal(ocf_setup_public_addr(bad[i], 4000, &m), 0);
}

static void test_limits_reach_the_part_that_they_are_named_for(void **state)
{
  struct ocf_node_config c;
  (void)state;
  PARSE("--http.stream_buffer=8KiB", "--p2p.stream_window=1MiB", "--p2p.conn_window=2MiB",
        "--http.connections=10", "--planes=4", "--http.idle_timeout=7s", "--role=head",
        "--http.write_stall_timeout=0", "--p2p.streams_in=3");
  ocf_setup_node(&conf, &c);
  assert_int_equal(c.relay.sock.window_bytes, 8192);
  assert_int_equal(c.swarm.conn.rx_stream_bytes_max, 1 << 20);
  assert_int_equal(c.swarm.conn.rx_window_bytes_max, 2 << 20);
  assert_int_equal(c.relay.clients_max, 3); /* of each of the four planes */
  assert_int_equal(c.relay.idle_timeout_ns, 7000000000);
  assert_true(c.relay.sock.write_stall_ns > UINT64_C(1) << 60);
  assert_int_equal(c.swarm.conn.streams_in_max, 3);
  assert_string_equal(c.role, "head");
}

/* ---- with a node ---- */

static struct ocf_alloc node_heap;
static struct ocf_rng rng;
static struct ocf_log node_log;
static struct ocf_metrics metrics;
static struct ocf_key key;
static struct ocf_uv *uv;
static struct ocf_node *node;
static char lines[8192];

static void on_line(void *ctx, const char *line, size_t n)
{
  size_t have = strlen(lines);
  (void)ctx;
  assert_true(have + n < sizeof(lines));
  memcpy(lines + have, line, n);
  lines[have + n] = '\0';
}

static int make_node(void **state)
{
  struct ocf_node_config c;
  (void)state;
  assert_int_equal(ocf_crypto_init(), 0);
  ocf_alloc_init(&node_heap);
  ocf_rng_seed(&rng, 7);
  ocf_log_init(&node_log);
  node_log.write = on_line;
  lines[0] = '\0';
  ocf_metrics_init(&metrics);
  assert_int_equal(ocf_key_generate(&key, &node_heap, OCF_KEY_ED25519, &rng), 0);
  uv = ocf_uv_new(16);
  assert_non_null(uv);
  ocf_node_config_init(&c);
  c.key = &key;
  c.swarm.agent = "test";
  return ocf_node_new(&c, ocf_uv_env(uv), &node_heap, &rng, &node_log, &metrics, ocf_uv_now(),
                      &node);
}

static int free_node(void **state)
{
  ocf_node_free(node);
  ocf_key_fini(&key);
  ocf_uv_free(uv);
  return teardown(state) != 0 || node_heap.live_bytes != 0;
}

/* A name that no resolver asks about: labels have at most 63 bytes. */
#define LONG_LABEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

static size_t n_book_addrs(void)
{
  struct ocf_swarm_stats st;
  ocf_swarm_stats(ocf_node_swarm(node), &st);
  return st.n_book_addrs;
}

static int bootstrap(void)
{
  return ocf_setup_bootstrap(&conf, node, NULL, &node_log, ocf_uv_now());
}

static void test_good_bootstrap_entries_are_dialled_and_bad_ones_named(void **state)
{
  char self[OCF_PEERID_TEXT_SIZE], mine[128];
  (void)state;
  (void)snprintf(mine, sizeof(mine), "--bootstrap.static=/ip4/127.0.0.1/tcp/9/p2p/%s",
                 ocf_peerid_text(ocf_node_id(node), self));
  PARSE("--bootstrap.static=/ip4/127.0.0.1/tcp/1/p2p/" ID,
        "--bootstrap.static=/ip4/127.0.0.1/tcp/2",
        "--bootstrap.source=/ip4/127.0.0.1/tcp/3/p2p/" ID ",/ip4/127.0.0.1/tcp/4/p2p/" ID,
        "--bootstrap.source=[\"/ip4/127.0.0.1/tcp/5/p2p/" ID "\", \"x\"]",
        "--bootstrap.addr=/ip4/127.0.0.1/udp/4/quic-v1/p2p/" ID, mine);
  assert_int_equal(bootstrap(), 0);
  assert_int_equal(n_book_addrs(), 4);
  assert_non_null(strstr(lines, "/ip4/127.0.0.1/tcp/2"));
  assert_non_null(strstr(lines, "ends in /p2p/"));
  assert_non_null(strstr(lines, "quic-v1"));
  assert_null(strstr(lines, self)); /* a list that all nodes share names each of them */
  lines[0] = '\0';
  assert_int_equal(bootstrap(), 0); /* nothing is new */
  assert_string_equal(lines, "");
}

static void test_peers_that_left_the_configuration_are_static_no_more(void **state)
{
  struct ocf_node_boot_stats st;
  (void)state;
  PARSE("--bootstrap.static=/ip4/127.0.0.1/tcp/1/p2p/" ID);
  assert_int_equal(bootstrap(), 0);
  ocf_node_boot_stats(node, &st);
  assert_int_equal(st.n_peers, 1);
  PARSE("--bootstrap.static=");
  assert_int_equal(bootstrap(), 0);
  ocf_node_boot_stats(node, &st);
  assert_int_equal(st.n_peers, 0);
}

static void test_mode_local_says_why_it_finds_nobody(void **state)
{
  (void)state;
  PARSE("--mode=local");
  assert_int_equal(bootstrap(), 0);
  assert_non_null(strstr(lines, "mode local"));
  assert_non_null(strstr(lines, "--bootstrap.static="));
}

static void test_the_drivers_options_are_checked(void **state)
{
  static const char *const bad[] = { "--dns.server=x", "--dns.server=::1",
                                     "--dns.server=1.2.3.4:x" };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    PARSE(bad[i]);
    assert_int_equal(ocf_setup_driver(&conf, "test", uv, &err), OCF_EINVAL);
    assert_non_null(strstr(err.msg, "dns.server"));
  }
  PARSE("--dns.server=127.0.0.1:53", "--fetch.ca_file=/x.pem");
  assert_int_equal(ocf_setup_driver(&conf, "test", uv, &err), 0);
}

static void test_a_standalone_node_dials_nobody(void **state)
{
  (void)state;
  PARSE("--mode=standalone", "--bootstrap.static=/ip4/127.0.0.1/tcp/1/p2p/" ID);
  assert_int_equal(bootstrap(), 0);
  assert_int_equal(n_book_addrs(), 0);
}

static void test_services_are_added_with_their_defaults_and_unknown_hosts_named(void **state)
{
  struct ocf_relay *r = ocf_node_relay(node);
  (void)state;
  PARSE("--services=name=a,url=http://127.0.0.1:8000;name=b,url=unix:/tmp/b.sock",
        "--service.name=c", "--service.port=9000");
  assert_int_equal(ocf_setup_services(&conf, node, &err), 0);
  assert_non_null(ocf_relay_find_service(r, OCF_STR("a")));
  assert_non_null(ocf_relay_find_service(r, OCF_STR("b")));
  assert_non_null(ocf_relay_find_service(r, OCF_STR("c")));
  assert_int_equal(ocf_setup_services(&conf, node, &err), 0); /* twice is once */
  PARSE("--services=name=d,url=http://" LONG_LABEL ":1");
  assert_int_equal(ocf_setup_services(&conf, node, &err), OCF_EINVAL);
  assert_non_null(strstr(err.msg, LONG_LABEL));
}

#define T(name) cmocka_unit_test_teardown(name, teardown)
#define N(name) cmocka_unit_test_setup_teardown(name, make_node, free_node)
static const struct CMUnitTest tests[] = {
  T(test_without_listen_both_families_are_taken_and_only_then_one_may_lack),
  T(test_the_http_address_takes_every_family_and_localhost),
  T(test_a_bad_address_is_refused_with_its_option_its_place_and_a_cure),
  T(test_a_public_address_may_be_an_ip_a_name_a_pair_or_a_multiaddr),
  T(test_limits_reach_the_part_that_they_are_named_for),
  N(test_good_bootstrap_entries_are_dialled_and_bad_ones_named),
  N(test_a_standalone_node_dials_nobody),
  N(test_peers_that_left_the_configuration_are_static_no_more),
  N(test_mode_local_says_why_it_finds_nobody),
  N(test_the_drivers_options_are_checked),
  N(test_services_are_added_with_their_defaults_and_unknown_hosts_named),
};

OCF_TEST_MAIN(tests)
