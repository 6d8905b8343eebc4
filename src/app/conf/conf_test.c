/* The loader, fed from memory. Goal: every option can be set from every place and nothing wrong
 * gets through unnoticed. Method: walk the table itself, then name the cases that a table cannot.
 */
#include "testing/test.h"

#include "app/conf/conf.h"
#include "app/conf/internal.h"
#include "base/str/str.h"
#include "testing/oom.h"

static struct ocf_alloc heap;
static struct ocf_conf_report report;

struct given {
  const char *yaml;
  const char *env[8];
  const char *args[8];
};

static int parse_with(struct ocf_conf *c, struct ocf_alloc *a, const struct given *g)
{
  struct ocf_conf_input in = { .env = g->env, .args = g->args };
  if (g->yaml != NULL) {
    in.yaml = ocf_str(g->yaml);
    in.yaml_name = "cfg.yaml";
  }
  while (in.n_args < OCF_ARRAY_LEN(g->args) && g->args[in.n_args] != NULL)
    in.n_args++;
  return ocf_conf_parse(c, a, &in, &report);
}

static int parse(struct ocf_conf *c, struct given g)
{
  ocf_alloc_init(&heap);
  return parse_with(c, &heap, &g);
}

/* Parses what must be refused, with exactly one error that contains `words`. */
static void refuse(struct given g, const char *words)
{
  struct ocf_conf c;
  assert_int_equal(parse(&c, g), OCF_EINVAL);
  if (strstr(report.errors, words) == NULL)
    fail_msg("no \"%s\" in \"%s\"", words, report.errors);
  if (report.n_errors != 1)
    fail_msg("more than one error: %s", report.errors);
  assert_int_equal(heap.live_bytes, 0);
  ocf_conf_fini(&c);
}

static const char *shown(const struct ocf_conf *c, enum ocf_conf_opt o)
{
  static char text[OCF_CONF_VALUE_MAX];
  struct ocf_buf b;
  ocf_buf_init(&b, &heap, sizeof(text));
  assert_int_equal(ocf_conf_show(c, o, &b), 0);
  assert_true(b.n < sizeof(text));
  if (b.n > 0)
    memcpy(text, b.p, b.n);
  text[b.n] = '\0';
  ocf_buf_fini(&b);
  return text;
}

static bool derived(enum ocf_conf_opt o)
{
  return o == OCF_CONF_OPT_config || o == OCF_CONF_OPT_config_dir || o == OCF_CONF_OPT_listen;
}

static void test_without_anything_the_defaults_hold(void **state)
{
  (void)state;
  struct ocf_conf c, again;
  char set[512];
  assert_int_equal(parse(&c, (struct given){ .env = { "HOME=/home/ada" } }), 0);
  assert_int_equal(report.n_errors + report.n_notes, 0);
  for (int i = 0; i < OCF_CONF_OPT_N; i++) {
    const struct ocf_conf_row *row = &ocf_conf_rows()[i];
    assert_int_equal(c.origin[i].source, OCF_CONF_DEFAULT);
    if (derived((enum ocf_conf_opt)i) || row->def[0] == '\0')
      continue;
    /* The default's own text, given as a flag, is the same value. */
    struct ocf_alloc before = heap;
    (void)snprintf(set, sizeof(set), "--%s=%s", row->key, row->def);
    assert_int_equal(parse(&again, (struct given){ .args = { set } }), 0);
    assert_true(ocf_conf_same(row, &c, &again));
    ocf_conf_fini(&again);
    heap = before;
  }
  assert_string_equal(c.config, "/home/ada/.config/ocf/cfg.yaml");
  assert_string_equal(c.config_dir, "/home/ada/.config/ocf");
  assert_string_equal(c.key_file, "");
  assert_string_equal(c.host, "127.0.0.1");
  assert_int_equal(c.port, 8092);
  assert_int_equal(c.listen.n, 2);
  assert_string_equal(c.listen.v[0], "/ip4/0.0.0.0/tcp/43905");
  assert_string_equal(c.listen.v[1], "/ip6/::/tcp/43905");
  assert_int_equal(c.http_header_timeout_ns, 10000000000);
  assert_int_equal(c.http_header_bytes_max, 32768);
  assert_int_equal(c.http_body_limit_bytes, 0);
  assert_int_equal(c.http_request_timeout_ns, 0);
  assert_int_equal(c.mode, OCF_CONF_MODE_NODE);
  assert_int_equal(c.n_services, 0);
  ocf_conf_fini(&c);
  assert_int_equal(heap.live_bytes, 0);
}

/* A valid text other than the default. */
static void other_value(const struct ocf_conf *defaults, enum ocf_conf_opt o, char *dst, size_t cap)
{
  const struct ocf_conf_row *row = &ocf_conf_rows()[o];
  const void *field = (const char *)defaults + row->offset;
  uint64_t v = 0;
  if (o == OCF_CONF_OPT_service_name) {
    (void)snprintf(dst, cap, "llm");
    return;
  }
  switch (row->type) {
  case OCF_CONF_T_BOOL:
    (void)snprintf(dst, cap, "%s", *(const bool *)field ? "false" : "true");
    return;
  case OCF_CONF_T_PORT: v = *(const uint16_t *)field; break;
  case OCF_CONF_T_U64:
  case OCF_CONF_T_SIZE:
  case OCF_CONF_T_DUR:
  case OCF_CONF_T_SECS: v = *(const uint64_t *)field; break;
  case OCF_CONF_T_STR:
  case OCF_CONF_T_SECRET:
  case OCF_CONF_T_PATH:
  case OCF_CONF_T_LIST: (void)snprintf(dst, cap, "/ip4/192.0.2.7/tcp/1"); return;
  case OCF_CONF_T_LEVELS: (void)snprintf(dst, cap, "warn,swarm=debug"); return;
  case OCF_CONF_T_ENUM: (void)snprintf(dst, cap, "%s", row->choices[1]); return;
  }
  bool most = v == row->max || o == OCF_CONF_OPT_p2p_stream_window_bytes; /* <= p2p.conn_window */
  v = most ? v - 1 : v + 1;
  bool time = row->type == OCF_CONF_T_DUR || row->type == OCF_CONF_T_SECS;
  (void)snprintf(dst, cap, "%llu%s", (unsigned long long)v, time ? "ns" : "");
}

static void check_set(struct given *g, enum ocf_conf_opt o, const char *text,
                      const struct ocf_conf *defaults, enum ocf_conf_source source)
{
  const struct ocf_conf_row *row = &ocf_conf_rows()[o];
  struct ocf_conf c;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  if (parse_with(&c, &a, g) != 0)
    fail_msg("%s = %s: %s", row->key, text, report.errors);
  /* A port without a name is noted. */
  assert_int_equal(report.n_notes, o == OCF_CONF_OPT_service_port ? 1 : 0);
  assert_int_equal(c.origin[o].source, source);
  assert_false(ocf_conf_same(row, &c, defaults));
  for (int i = 0; i < OCF_CONF_OPT_N; i++)
    if (i != (int)o && !derived((enum ocf_conf_opt)i) && i != OCF_CONF_OPT_service_port)
      assert_true(ocf_conf_same(&ocf_conf_rows()[i], &c, defaults));
  if (row->type != OCF_CONF_T_U64 && row->type != OCF_CONF_T_SIZE && row->type != OCF_CONF_T_DUR &&
      row->type != OCF_CONF_T_SECS)
    assert_string_equal(shown(&c, o), text);
  ocf_conf_fini(&c);
  assert_int_equal(a.live_bytes, 0);
}

static void nested_yaml(const char *key, const char *value, char *dst, size_t cap)
{
  size_t n = 0, depth = 0;
  for (;;) {
    const char *dot = strchr(key, '.');
    size_t len = dot != NULL ? (size_t)(dot - key) : strlen(key);
    n += (size_t)snprintf(dst + n, cap - n, "%*s%.*s:%s", (int)(2 * depth), "", (int)len, key,
                          dot != NULL ? "\n" : " ");
    if (dot == NULL)
      break;
    key = dot + 1;
    depth++;
  }
  (void)snprintf(dst + n, cap - n, "\"%s\"\n", value);
}

static void test_every_option_is_set_by_flag_environment_and_file(void **state)
{
  (void)state;
  struct ocf_conf defaults;
  assert_int_equal(parse(&defaults, (struct given){ .env = { "HOME=/h" } }), 0);
  for (int i = 0; i < OCF_CONF_OPT_N; i++) {
    enum ocf_conf_opt o = (enum ocf_conf_opt)i;
    const char *key = ocf_conf_rows()[i].key;
    /* A named service needs a port, from a place that none of the cases below sets it in. */
    const char *port = o == OCF_CONF_OPT_service_name ? "OF_SERVICE_PORT=1" : NULL;
    char value[128], joined[256], flag[160], name[128], env[300], old[300], yaml[512], dotted[300];
    other_value(&defaults, o, value, sizeof(value));
    (void)snprintf(flag, sizeof(flag), "--%s", key);
    (void)snprintf(joined, sizeof(joined), "--%s=%s", key, value);
    struct given g = { .env = { "HOME=/h", port }, .args = { joined } };
    check_set(&g, o, value, &defaults, OCF_CONF_FLAG);
    g = (struct given){ .env = { "HOME=/h", port }, .args = { flag, value } };
    if (ocf_conf_rows()[i].type != OCF_CONF_T_BOOL)
      check_set(&g, o, value, &defaults, OCF_CONF_FLAG);

    ocf_conf_env_name("OCF_", key, name, sizeof(name));
    (void)snprintf(env, sizeof(env), "%s=%s", name, value);
    g = (struct given){ .env = { "HOME=/h", env, port } };
    check_set(&g, o, value, &defaults, OCF_CONF_ENV);
    ocf_conf_env_name("OF_", key, name, sizeof(name));
    (void)snprintf(old, sizeof(old), "%s=%s", name, value);
    g = (struct given){ .env = { "HOME=/h", old, port } };
    check_set(&g, o, value, &defaults, OCF_CONF_ENV);

    if (o == OCF_CONF_OPT_config || o == OCF_CONF_OPT_config_dir)
      continue;
    nested_yaml(key, value, yaml, sizeof(yaml));
    g = (struct given){ .yaml = yaml, .env = { "HOME=/h", port } };
    check_set(&g, o, value, &defaults, OCF_CONF_FILE);
    (void)snprintf(dotted, sizeof(dotted), "%s: %s\n", key, value);
    g = (struct given){ .yaml = dotted, .env = { "HOME=/h", port } };
    check_set(&g, o, value, &defaults, OCF_CONF_FILE);
  }
  ocf_conf_fini(&defaults);
}

static void test_every_bool_has_a_bare_and_a_no_form(void **state)
{
  (void)state;
  for (int i = 0; i < OCF_CONF_OPT_N; i++) {
    const struct ocf_conf_row *row = &ocf_conf_rows()[i];
    struct ocf_conf c;
    char flag[160];
    if (row->type != OCF_CONF_T_BOOL)
      continue;
    (void)snprintf(flag, sizeof(flag), "--%s", row->key);
    assert_int_equal(parse(&c, (struct given){ .args = { flag } }), 0);
    assert_string_equal(shown(&c, (enum ocf_conf_opt)i), "true");
    ocf_conf_fini(&c);
    (void)snprintf(flag, sizeof(flag), "--no-%s", row->key);
    assert_int_equal(parse(&c, (struct given){ .args = { flag } }), 0);
    assert_string_equal(shown(&c, (enum ocf_conf_opt)i), "false");
    ocf_conf_fini(&c);
  }
  refuse((struct given){ .args = { "--no-retry.enabled=true" } }, "takes no value");
  refuse((struct given){ .args = { "--no-tcpport" } }, "unknown option");
}

static void test_every_range_is_held_at_both_ends(void **state)
{
  (void)state;
  for (int i = 0; i < OCF_CONF_OPT_N; i++) {
    const struct ocf_conf_row *row = &ocf_conf_rows()[i];
    bool time = row->type == OCF_CONF_T_DUR || row->type == OCF_CONF_T_SECS;
    char flag[160];
    if (!time && row->type != OCF_CONF_T_U64 && row->type != OCF_CONF_T_SIZE &&
        row->type != OCF_CONF_T_PORT)
      continue;
    if (row->min > 0) {
      (void)snprintf(flag, sizeof(flag), "--%s=%llu%s", row->key, (unsigned long long)row->min - 1,
                     time ? "ns" : "");
      refuse((struct given){ .args = { flag } }, "expected");
    }
    if (row->max < UINT64_MAX) {
      (void)snprintf(flag, sizeof(flag), "--%s=%llu%s", row->key, (unsigned long long)row->max + 1,
                     time ? "ns" : "");
      refuse((struct given){ .args = { flag } }, "expected");
    }
    (void)snprintf(flag, sizeof(flag), "--%s=-1", row->key);
    refuse((struct given){ .args = { flag } }, "got \"-1\"");
    (void)snprintf(flag, sizeof(flag), "--%s=99999999999999999999999", row->key);
    refuse((struct given){ .args = { flag } }, "expected");
  }
}

static void test_flag_beats_environment_beats_file_beats_default(void **state)
{
  (void)state;
  struct ocf_conf c;
  struct given g = { .yaml = "port: 1\n" };
  char where[64];
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.port, 1);
  assert_string_equal(ocf_conf_where(&c, OCF_CONF_OPT_port, where, sizeof(where)), "cfg.yaml:1");
  ocf_conf_fini(&c);
  g.env[0] = "OF_PORT=2";
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.port, 2);
  ocf_conf_fini(&c);
  g.env[0] = "OCF_PORT=3";
  g.env[1] = "OF_PORT=2"; /* the order in the environment does not matter */
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.port, 3);
  assert_string_equal(ocf_conf_where(&c, OCF_CONF_OPT_port, where, sizeof(where)), "OCF_PORT");
  ocf_conf_fini(&c);
  g.args[0] = "--port=4";
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.port, 4);
  assert_string_equal(ocf_conf_where(&c, OCF_CONF_OPT_port, where, sizeof(where)), "--port");
  ocf_conf_fini(&c);
  g.args[1] = "--port=5"; /* the last of two flags */
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.port, 5);
  ocf_conf_fini(&c);
  g.args[1] = "--port="; /* back to the default */
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.port, 8092);
  ocf_conf_fini(&c);
}

static void test_a_list_of_a_higher_place_replaces_the_lower_one(void **state)
{
  (void)state;
  struct ocf_conf c;
  struct given g = { .yaml = "listen:\n  - /a\n  - /b\n" };
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.listen.n, 2);
  ocf_conf_fini(&c);
  g.env[0] = "OF_LISTEN=/c";
  g.env[1] = "OCF_LISTEN=/d /e,/f;/g";
  assert_int_equal(parse(&c, g), 0);
  assert_string_equal(shown(&c, OCF_CONF_OPT_listen), "/d,/e,/f,/g");
  ocf_conf_fini(&c);
  g.args[0] = "--listen=/h";
  g.args[1] = "--listen";
  g.args[2] = "/i";
  assert_int_equal(parse(&c, g), 0);
  assert_string_equal(shown(&c, OCF_CONF_OPT_listen), "/h,/i");
  ocf_conf_fini(&c);
  /* --tcpport fills in for a list that is not given, and only then. */
  assert_int_equal(parse(&c, (struct given){ .yaml = "listen: []", .args = { "--tcpport=0" } }), 0);
  assert_string_equal(shown(&c, OCF_CONF_OPT_listen), "/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0");
  assert_int_equal(c.origin[OCF_CONF_OPT_listen].source, OCF_CONF_DEFAULT);
  ocf_conf_fini(&c);
}

static void test_unknown_keys_are_named_with_their_place_and_the_nearest(void **state)
{
  (void)state;
  refuse((struct given){ .yaml = "port: 1\n\ntcport: 5\n" },
         "cfg.yaml:3: unknown key \"tcport\"; did you mean \"tcpport\"?");
  refuse((struct given){ .yaml = "http:\n  header_timeuot: 5s\n" },
         "cfg.yaml:2: unknown key \"http.header_timeuot\"; did you mean \"http.header_timeout\"?");
  refuse((struct given){ .yaml = "zebra:\n  stripes: [1, {a: b}]\n  x: 1\n" },
         "cfg.yaml:1: unknown key \"zebra\"; \"ocf start --help\" lists");
  refuse((struct given){ .args = { "--tcport", "7" } },
         "unknown option \"--tcport\"; did you mean \"--tcpport\"?");
  refuse((struct given){ .args = { "--header-timeout=7s" } },
         "did you mean \"--http.header_timeout\"?");
  refuse((struct given){ .args = { "llm" } }, "unexpected argument \"llm\"");
  refuse((struct given){ .args = { "--" } }, "unexpected argument");
  refuse((struct given){ .args = { "-p" } }, "unexpected argument");
  refuse((struct given){ .args = { "--tcpport" } }, "\"--tcpport\" needs a value");
  refuse((struct given){ .args = { "--tcpport", "--port=1" } }, "\"--tcpport\" needs a value");
  refuse((struct given){ .yaml = "config: x\n" }, "cannot be set in the file itself");
  struct ocf_conf c;
  assert_int_equal(parse(&c, (struct given){ .env = { "OCF_TCPORT=1", "OCF_=2", "OCF=3" } }), 0);
  assert_non_null(strstr(report.notes, "\"OCF_TCPORT\" is not an option"));
  assert_int_equal(report.n_notes, 1);
  ocf_conf_fini(&c);
}

static void test_bad_values_say_what_was_expected(void **state)
{
  (void)state;
  refuse((struct given){ .yaml = "http: {header_timeout: 10}" },
         "cfg.yaml:1: http.header_timeout: expected a duration such as 10s from 10ms to 1d, got "
         "\"10\"");
  refuse((struct given){ .env = { "OCF_HTTP_IDLE_TIMEOUT=soon" } },
         "OCF_HTTP_IDLE_TIMEOUT: expected a duration such as 10s");
  refuse((struct given){ .args = { "--http.header_bytes=1" } },
         "--http.header_bytes: expected a size such as 64KiB from 1KiB to 1MiB, got \"1\"");
  refuse((struct given){ .args = { "--role=king" } },
         "--role: expected worker, head or relay, got \"king\"");
  refuse((struct given){ .args = { "--retry.enabled=maybe" } }, "expected true or false");
  refuse((struct given){ .args = { "--log.level=info,loud" } }, "expected levels such as");
  refuse((struct given){ .args = { "--tcpport=65536" } }, "expected a port from 0 to 65535");
  refuse((struct given){ .args = { "--host=a\nb" } }, "got \"a\\nb\"");
  refuse((struct given){ .args = { "--listen=tcp/5" } }, "--listen: expected a multiaddr");
  refuse((struct given){ .args = { "--key-file=~/id" } }, "HOME is not set");
  refuse((struct given){ .env = { "OCF_PORT=tcp://10.0.0.1:80" } }, "enableServiceLinks");
  refuse((struct given){ .yaml = "port: [1]\n" }, "cfg.yaml:1: port: expected a port");
  refuse((struct given){ .yaml = "port: {a: 1}\n" }, "got a section");
  refuse((struct given){ .yaml = "http: 5\n" }, "expected a section");
  refuse((struct given){ .yaml = "port: 1\nport: 2\n" },
         "cfg.yaml:2: port is given twice, first in line 1");
  refuse((struct given){ .yaml = "loglevel: info\nlog.level: warn\n" }, "given twice");
  refuse((struct given){ .args = { "--p2p.conn_low=500" } },
         "--p2p.conn_low: p2p.conn_low must not be more than p2p.conn_high");
  refuse((struct given){ .args = { "--service.health_path=x" } }, "begins with /");
}

static void test_all_errors_are_told_at_once_up_to_a_bound(void **state)
{
  (void)state;
  struct ocf_conf c;
  char yaml[8192] = "";
  struct given g = { .yaml = "port: x\nrole: y\nnope: 1\n", .args = { "--planes=0" } };
  assert_int_equal(parse(&c, g), OCF_EINVAL);
  assert_int_equal(report.n_errors, 4);
  assert_non_null(strstr(report.errors, "cfg.yaml:1: "));
  assert_non_null(strstr(report.errors, "cfg.yaml:2: "));
  assert_non_null(strstr(report.errors, "cfg.yaml:3: "));
  assert_non_null(strstr(report.errors, "--planes: "));
  for (int i = 0; i < 500; i++)
    (void)snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "k%d: 1\n", i);
  assert_int_equal(parse(&c, (struct given){ .yaml = yaml }), OCF_EINVAL);
  assert_int_equal(report.n_errors, 500);
  assert_null(strstr(report.errors, "cfg.yaml:17:"));
  assert_non_null(strstr(report.errors, "cfg.yaml:16:"));
}

static void test_yaml_that_could_surprise_is_refused(void **state)
{
  (void)state;
  char deep[64] = "";
  refuse((struct given){ .yaml = "a: &x 1\n" }, "anchors, aliases and tags");
  refuse((struct given){ .yaml = "port: *x\n" }, "anchors, aliases and tags");
  refuse((struct given){ .yaml = "port: !!str 1\n" }, "anchors, aliases and tags");
  refuse((struct given){ .yaml = "port: 1\n---\nport: 2\n" }, "a second document");
  refuse((struct given){ .yaml = "- port\n" }, "cfg.yaml:1: expected lines of the form");
  refuse((struct given){ .yaml = "port\n" }, "expected lines of the form");
  refuse((struct given){ .yaml = "port: \"1\n" }, "not valid YAML");
  refuse((struct given){ .yaml = "host: b: c\n" }, "cfg.yaml:1: not valid YAML");
  refuse((struct given){ .yaml = "? [a]\n: 1\n" }, "expected a key");
  refuse((struct given){ .yaml = "port: 1\n\x01\n" }, "not valid YAML");
  memset(deep, '[', 32);
  char nested[80];
  (void)snprintf(nested, sizeof(nested), "wallet: {x: %s\n", deep);
  refuse((struct given){ .yaml = nested }, "nested more than 8 deep");
}

static void test_yaml_without_content_is_no_error(void **state)
{
  (void)state;
  static const char *const empties[] = { "",
                                         "# only a comment\n",
                                         "---\n",
                                         "{}\n",
                                         "~\n",
                                         "http:\n",
                                         "http: {}\n",
                                         "http: ~\n",
                                         "port:\n",
                                         "port: null\n",
                                         "port: \"\"\n",
                                         "services:\n",
                                         "services: []\n",
                                         "\xEF\xBB\xBFport: 8092\n" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(empties); i++) {
    struct ocf_conf c;
    if (parse(&c, (struct given){ .yaml = empties[i] }) != 0)
      fail_msg("%zu: %s", i, report.errors);
    assert_int_equal(c.port, 8092);
    ocf_conf_fini(&c);
  }
}

static void test_a_go_nodes_file_loads_with_notes_only(void **state)
{
  (void)state;
  struct ocf_conf c;
  struct given g = { .yaml = "account:\n  wallet: \"\"\nbootstrap:\n  addr: \"\"\n  source: []\n"
                             "  static:\n    - http://192.0.2.1:8092/v1/dnt/bootstraps\n"
                             "cleanslate: true\ncrdt:\n  tombstone_retention: 24h\n"
                             "  tombstone_compaction_batch: 512\nmode: node\nname: relay\n"
                             "p2p:\n  port: \"8093\"\npath: /root/.ocfcore\nport: \"8092\"\n"
                             "public-addr: \"\"\nqueue:\n  port: \"8094\"\nseed: \"7\"\n"
                             "security:\n  require_signed_binary: true\n  access_control:\n"
                             "    policy: any\n    whitelist: []\n"
                             "service:\n  name: llm\n  port: \"8000\"\n  health_interval: 30\n"
                             "solana:\n  skip_verification: false\ntcpport: \"43905\"\n"
                             "trusted_wallets: []\nudpport: \"59820\"\nvacuum:\n  interval: 10\n" };
  int err = parse(&c, g);
  if (err != 0)
    fail_msg("%s", report.errors);
  assert_int_equal(c.n_services, 1);
  assert_string_equal(c.services[0].name, "llm");
  assert_string_equal(c.services[0].host, "localhost");
  assert_int_equal(c.services[0].port, 8000);
  assert_int_equal(c.services[0].health_interval_ns, 30000000000);
  assert_int_equal(c.bootstrap_static.n, 1);
  assert_non_null(strstr(report.notes, "seed is accepted and has no effect"));
  assert_null(strstr(report.notes, "udpport"));
  ocf_conf_fini(&c);
}

static void test_bootstrap_peers_may_be_given_in_every_form_of_a_list(void **state)
{
  static const struct {
    const char *arg;
    size_t n;
    const char *first;
  } forms[] = {
    { "--bootstrap.source=/ip4/192.0.2.1/tcp/1/p2p/a", 1, "/ip4/192.0.2.1/tcp/1/p2p/a" },
    { "--bootstrap.source=/a,/b; /c\t/d\n", 4, "/a" },
    { "--bootstrap.source=HTTPS://x/y,dnsaddr://z", 2, "HTTPS://x/y" },
    { "--bootstrap.source=[\"/a\", \"/b\"]", 1, "[\"/a\", \"/b\"]" },
    { "--bootstrap.source=[ \"/a\" ]", 1, "[ \"/a\" ]" },
    { "--bootstrap.source={\"bootstraps\":[\"/a\",\"/b\"]}", 1,
      "{\"bootstraps\":[\"/a\",\"/b\"]}" },
  };
  struct ocf_conf c;
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(forms); i++) {
    if (parse(&c, (struct given){ .args = { forms[i].arg } }) != 0)
      fail_msg("%s: %s", forms[i].arg, report.errors);
    assert_int_equal(c.bootstrap_source.n, forms[i].n);
    assert_string_equal(c.bootstrap_source.v[0], forms[i].first);
    ocf_conf_fini(&c);
  }
  refuse((struct given){ .args = { "--bootstrap.source=ftp://x" } },
         "--bootstrap.source: expected a multiaddr");
  refuse((struct given){ .args = { "--bootstrap.addr=/a,host:1" } }, "got \"host:1\"");
  refuse((struct given){ .args = { "--listen=[\"/ip4/0.0.0.0/tcp/1\"]" } }, "--listen: expected");
  /* an address in brackets is no JSON */
  assert_int_equal(parse(&c, (struct given){ .args = { "--public-addr=[::1]:9,192.0.2.1" } }), 0);
  assert_int_equal(c.public_addrs.n, 2);
  ocf_conf_fini(&c);
}

static void test_services_come_from_all_places_and_are_checked(void **state)
{
  (void)state;
  struct ocf_conf c;
  struct given g = { .yaml = "services:\n"
                             "  - name: llm\n    url: http://127.0.0.1:8000\n"
                             "    health_path: /ready\n    health_interval: 2s\n"
                             "    identity_group: [model=a, model=b]\n"
                             "  - {name: sock, url: \"unix:/run/x.sock\"}\n"
                             "  - {name: six, url: \"http://[::1]:81/\"}\n"
                             "  - {name: plain, url: \"http://box\"}\n",
                     .env = { "OCF_SERVICE_HEALTH_FAILURES=9" } };
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.n_services, 4);
  assert_string_equal(c.services[0].health_path, "/ready");
  assert_int_equal(c.services[0].health_interval_ns, 2000000000);
  assert_int_equal(c.services[0].health_failures, 9);
  assert_int_equal(c.services[0].identity_groups.n, 2);
  assert_string_equal(c.services[0].identity_groups.v[1], "model=b");
  assert_string_equal(c.services[1].unix_path, "/run/x.sock");
  assert_string_equal(c.services[1].health_path, "/health");
  assert_int_equal(c.services[1].port, 0);
  assert_string_equal(c.services[2].host, "::1");
  assert_int_equal(c.services[2].port, 81);
  assert_int_equal(c.services[3].port, 80);
  ocf_conf_fini(&c);
  g.env[1] = "OCF_SERVICES=name=e,url=http://h:1;name=f,url=http://h:2";
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.n_services, 2);
  ocf_conf_fini(&c);
  g.args[0] = "--services=name=g,url=http://h:1,health_path=/x";
  g.args[1] = "--services";
  g.args[2] = "name=h,url=http://h:2";
  g.args[3] = "--service.name=i";
  g.args[4] = "--service.port=9";
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.n_services, 3);
  assert_string_equal(c.services[2].url, "http://localhost:9");
  ocf_conf_fini(&c);
}

static void test_wrong_services_are_refused(void **state)
{
  (void)state;
  static const char *const bad[] = {
    "url=http://h:1",
    "name=a",
    "name=..,url=http://h:1",
    "name=a/b,url=http://h:1",
    "name=a,url=https://h:1",
    "name=a,url=http://h:1/path",
    "name=a,url=http://h:0",
    "name=a,url=http://h:65536",
    "name=a,url=http://h:",
    "name=a,url=http://",
    "name=a,url=http://[::1",
    "name=a,url=http://[::1]x",
    "name=a,url=http://u@h:1",
    "name=a,url=http://h h:1",
    "name=a,url=unix:x.sock",
    "name=a,url=unix:/",
    "name=a,url=http://h:1,health_path=x",
    "name=a,url=http://h:1,nmae=b",
    "name=a,url=http://h:1,health_interval=x",
    "name=a,url=http://h:1;name=a,url=http://h:2",
    "name=a,url=http://h:1,x",
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct ocf_conf c;
    if (parse(&c, (struct given){ .args = { "--services", bad[i] } }) != OCF_EINVAL)
      fail_msg("accepted: %s", bad[i]);
    assert_int_equal(report.n_errors, 1);
    assert_int_equal(heap.live_bytes, 0);
  }
  refuse((struct given){ .args = { "--service.name=llm" } },
         "--service.name: a service needs a port");
  refuse((struct given){ .yaml = "services:\n  - name: a\n    url: http://h:1\n    urll: x\n" },
         "cfg.yaml:4: unknown key \"urll\" in an entry of services; did you mean \"url\"?");
  refuse((struct given){ .yaml = "services: 5\n" }, "expected a list of entries");
  refuse((struct given){ .yaml = "services: [5]\n" }, "expected entries with name and url");
}

static void test_bounds_on_text_lists_and_files_hold(void **state)
{
  (void)state;
  static char text[OCF_CONF_FILE_MAX + 64];
  struct ocf_conf c;
  memset(text, 'a', sizeof(text));
  memcpy(text, "--host=", 7);
  text[7 + OCF_CONF_VALUE_MAX] = '\0';
  assert_int_equal(parse(&c, (struct given){ .args = { text } }), 0);
  ocf_conf_fini(&c);
  text[7 + OCF_CONF_VALUE_MAX] = 'a';
  text[8 + OCF_CONF_VALUE_MAX] = '\0';
  refuse((struct given){ .args = { text } }, "of at most 4096 bytes");

  memcpy(text, "--listen=", 9);
  for (size_t i = 0; i < OCF_CONF_LIST_MAX; i++)
    memcpy(text + 9 + 3 * i, "/a,", 4);
  assert_int_equal(parse(&c, (struct given){ .args = { text } }), 0);
  assert_int_equal(c.listen.n, OCF_CONF_LIST_MAX);
  ocf_conf_fini(&c);
  memcpy(text + 9 + 3 * OCF_CONF_LIST_MAX, "/a", 3);
  refuse((struct given){ .args = { text } }, "at most 256");

  memset(text, '#', sizeof(text) - 1);
  text[OCF_CONF_FILE_MAX] = '\0';
  assert_int_equal(parse(&c, (struct given){ .yaml = text }), 0);
  ocf_conf_fini(&c);
  text[OCF_CONF_FILE_MAX] = '#';
  text[OCF_CONF_FILE_MAX + 1] = '\0';
  refuse((struct given){ .yaml = text }, "longer than 1048576 bytes");

  memcpy(text, "--services=", 12);
  for (size_t i = 0; i <= OCF_CONF_SERVICES_MAX; i++)
    (void)snprintf(text + strlen(text), 64, "name=s%zu,url=http://h:1;", i);
  refuse((struct given){ .args = { text } }, "more than 64 services");
}

static void test_paths_follow_home_and_xdg(void **state)
{
  (void)state;
  struct ocf_conf c;
  struct given g = { .env = { "HOME=/h", "XDG_CONFIG_HOME=/xc" }, .args = { "--key-file=~/k" } };
  assert_int_equal(parse(&c, g), 0);
  assert_string_equal(c.config, "/xc/ocf/cfg.yaml");
  assert_string_equal(c.key_file, "/h/k");
  ocf_conf_fini(&c);
  g.args[1] = "--config-dir=/etc/ocf";
  assert_int_equal(parse(&c, g), 0);
  assert_string_equal(c.config, "/etc/ocf/cfg.yaml");
  ocf_conf_fini(&c);
  g.env[1] = "XDG_CONFIG_HOME=relative"; /* not a folder by its specification */
  g.args[1] = NULL;
  assert_int_equal(parse(&c, g), 0);
  assert_string_equal(c.config, "/h/.config/ocf/cfg.yaml");
  ocf_conf_fini(&c);
}

static void test_dash_underscore_and_case_of_variables_do_not_matter(void **state)
{
  (void)state;
  struct ocf_conf c;
  struct given g = { .yaml = "key_file: /a\nhttp: {header-timeout: 3s}\n",
                     .env = { "OF_PUBLIC-ADDR=192.0.2.1", "OCF_http_idle_timeout=4s" },
                     .args = { "--http.chunk-timeout=5s", "--bootstrap.sources=/x" } };
  assert_int_equal(parse(&c, g), 0);
  assert_string_equal(c.key_file, "/a");
  assert_int_equal(c.http_header_timeout_ns, 3000000000);
  assert_int_equal(c.http_idle_timeout_ns, 4000000000);
  assert_int_equal(c.http_chunk_timeout_ns, 5000000000);
  assert_string_equal(shown(&c, OCF_CONF_OPT_public_addrs), "192.0.2.1");
  assert_string_equal(shown(&c, OCF_CONF_OPT_bootstrap_source), "/x");
  ocf_conf_fini(&c);
}

static void test_names_are_unique_in_every_spelling(void **state)
{
  (void)state;
  for (int i = 0; i < OCF_CONF_OPT_N; i++) {
    char name[OCF_CONF_KEY_MAX];
    const struct ocf_conf_row *row = &ocf_conf_rows()[i];
    ocf_conf_env_name("", row->key, name, sizeof(name));
    struct ocf_conf_found f = ocf_conf_find(ocf_str(name), true);
    assert_int_equal(f.kind, OCF_CONF_OPTION);
    assert_int_equal(f.opt, i);
    f = ocf_conf_find(ocf_str(row->key), false);
    assert_int_equal(f.opt, i);
    assert_true(strlen(row->help) > 10 && row->help[strlen(row->help) - 1] == '.');
  }
}

static void test_ignored_flags_take_their_values(void **state)
{
  (void)state;
  struct ocf_conf c;
  struct given g = { .args = { "--cleanslate", "--seed", "5", "--solana.rpc=x", "--wallet.account",
                               "me", "--port=7" } };
  assert_int_equal(parse(&c, g), 0);
  assert_int_equal(c.port, 7);
  assert_int_equal(report.n_notes, 3); /* cleanslate has the Go node's own value */
  ocf_conf_fini(&c);
}

static void test_reload_takes_live_options_and_notes_the_others(void **state)
{
  (void)state;
  struct ocf_conf a, b;
  struct ocf_alloc h;
  ocf_alloc_init(&h);
  struct given g = { .args = { "--log.level=warn", "--tcpport=1", "--http.cookies=3" } };
  assert_int_equal(parse_with(&a, &h, &(struct given){ .yaml = NULL }), 0);
  assert_int_equal(parse_with(&b, &h, &g), 0);
  assert_int_equal(ocf_conf_reload(&a, &b, &report), 2);
  assert_string_equal(a.log_level, "warn");
  assert_int_equal(a.http_cookies_max, 3);
  assert_int_equal(a.tcpport, 43905);
  assert_non_null(strstr(report.notes, "tcpport changed; restart"));
  ocf_conf_fini(&b);
  ocf_conf_fini(&a);
  assert_int_equal(h.live_bytes, 0);
}

static int load_everything(struct ocf_alloc *a, void *ctx)
{
  (void)ctx;
  struct ocf_conf c;
  struct given g = {
    .yaml = "services:\n - {name: a, url: \"http://h:1\", identity_group: [x, y]}\n"
            "listen: [/a, /b]\nlog: {level: warn}\n",
    .env = { "HOME=/h", "OCF_HOST=::1", "OCF_SERVICES=name=b,url=unix:/x" },
    .args = { "--service.name=s", "--service.port=1", "--listen=/c,/d", "--key-file=~/k" }
  };
  int err = parse_with(&c, a, &g);
  ocf_conf_fini(&c);
  return err;
}

static void test_running_out_of_memory_loses_nothing(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(load_everything, NULL) > 50);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_without_anything_the_defaults_hold),
    cmocka_unit_test(test_every_option_is_set_by_flag_environment_and_file),
    cmocka_unit_test(test_every_bool_has_a_bare_and_a_no_form),
    cmocka_unit_test(test_every_range_is_held_at_both_ends),
    cmocka_unit_test(test_flag_beats_environment_beats_file_beats_default),
    cmocka_unit_test(test_a_list_of_a_higher_place_replaces_the_lower_one),
    cmocka_unit_test(test_unknown_keys_are_named_with_their_place_and_the_nearest),
    cmocka_unit_test(test_bad_values_say_what_was_expected),
    cmocka_unit_test(test_all_errors_are_told_at_once_up_to_a_bound),
    cmocka_unit_test(test_yaml_that_could_surprise_is_refused),
    cmocka_unit_test(test_yaml_without_content_is_no_error),
    cmocka_unit_test(test_a_go_nodes_file_loads_with_notes_only),
    cmocka_unit_test(test_bootstrap_peers_may_be_given_in_every_form_of_a_list),
    cmocka_unit_test(test_services_come_from_all_places_and_are_checked),
    cmocka_unit_test(test_wrong_services_are_refused),
    cmocka_unit_test(test_bounds_on_text_lists_and_files_hold),
    cmocka_unit_test(test_paths_follow_home_and_xdg),
    cmocka_unit_test(test_dash_underscore_and_case_of_variables_do_not_matter),
    cmocka_unit_test(test_names_are_unique_in_every_spelling),
    cmocka_unit_test(test_ignored_flags_take_their_values),
    cmocka_unit_test(test_reload_takes_live_options_and_notes_the_others),
    cmocka_unit_test(test_running_out_of_memory_loses_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
