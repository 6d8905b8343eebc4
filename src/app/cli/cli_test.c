/* The command line, in this process, with streams that the test reads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "testing/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "app/cli/cli.h"

static char dir[64], home[96];

static struct {
  int result, calls;
  unsigned port;
  size_t n_dev_args;
  char id[64];
} called;

static int fake_start(struct ocf_conf *conf, const struct ocf_key *key,
                      const struct ocf_cli_from *from, struct ocf_err *err)
{
  struct ocf_conf again;
  struct ocf_conf_report report;
  /* What it was loaded from loads the same again. */
  assert_int_equal(ocf_conf_load(&again, conf->a, from->env, from->args, from->n_args, &report), 0);
  assert_int_equal(again.port, conf->port);
  ocf_conf_fini(&again);
  called.calls++;
  called.port = conf->port;
  assert_int_equal(ocf_key_public(key)->type, OCF_KEY_ED25519);
  if (called.result == 0)
    return 0;
  return ocf_err_set(err, called.result, "the cure", "what happened");
}

static int fake_dev(const char *const *args, size_t n_args)
{
  (void)args;
  called.n_dev_args = n_args;
  return 7;
}

static const struct ocf_cli_ops ops = { fake_start, fake_dev, "the help of dev\n" };

struct result {
  int rc;
  char *out, *err; /* freed by the next run */
};

static struct result run_to(FILE *out, const char *const *args, size_t n)
{
  static struct result r;
  size_t size[2];
  const char *const env[] = { home, NULL };
  free(r.out);
  free(r.err);
  r.out = r.err = NULL;
  FILE *own = open_memstream(&r.out, &size[0]);
  struct ocf_cli cli = { &ops, env, out != NULL ? out : own, open_memstream(&r.err, &size[1]) };
  r.rc = ocf_cli_run(&cli, args, n);
  (void)fclose(own);
  (void)fclose(cli.err);
  return r;
}

#define RUN(...)                                                                                   \
  run_to(NULL, (const char *const[]){ __VA_ARGS__ },                                               \
         sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static int setup(void **state)
{
  (void)state;
  memset(&called, 0, sizeof(called));
  (void)snprintf(dir, sizeof(dir), "/tmp/ocf-cli-XXXXXX");
  if (mkdtemp(dir) == NULL)
    return 1;
  (void)snprintf(home, sizeof(home), "HOME=%s", dir);
  return 0;
}

static int teardown(void **state)
{
  char command[128];
  (void)state;
  (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
  return system(command);
}

static void put(const char *name, const char *text)
{
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

static bool exists(const char *name)
{
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
  return access(path, F_OK) == 0;
}

static void test_help_goes_to_standard_output_and_is_no_failure(void **state)
{
  (void)state;
  struct result r = RUN("--help");
  assert_int_equal(r.rc, OCF_EXIT_OK);
  assert_non_null(strstr(r.out, "usage: ocf <command>"));
  assert_string_equal(r.err, "");
  assert_int_equal(RUN("-h").rc, OCF_EXIT_OK);
  assert_int_equal(RUN("help").rc, OCF_EXIT_OK);
  r = RUN("start", "--help");
  assert_int_equal(r.rc, OCF_EXIT_OK);
  assert_non_null(strstr(r.out, "--tcpport=<port>  (default 43905)"));
  r = RUN("help", "start");
  assert_non_null(strstr(r.out, "--tcpport=<port>"));
  static const char *const others[] = { "init", "peer-id", "config", "dev", "version" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(others); i++) {
    char usage[64];
    (void)snprintf(usage, sizeof(usage), "usage: ocf %s", others[i]);
    r = RUN(others[i], "--help");
    assert_int_equal(r.rc, OCF_EXIT_OK);
    assert_non_null(strstr(r.out, usage));
  }
  assert_int_equal(called.calls, 0);
  assert_false(exists(".config"));
}

static void test_wrong_usage_is_exit_2_and_says_what_was_meant(void **state)
{
  (void)state;
  struct result r = run_to(NULL, NULL, 0);
  assert_int_equal(r.rc, OCF_EXIT_USAGE);
  assert_non_null(strstr(r.err, "usage: ocf"));
  r = RUN("strat");
  assert_int_equal(r.rc, OCF_EXIT_USAGE);
  assert_non_null(strstr(r.err, "unknown command \"strat\"; did you mean \"start\"?"));
  r = RUN("peerid");
  assert_non_null(strstr(r.err, "did you mean \"peer-id\"?"));
  r = RUN("help", "x");
  assert_int_equal(r.rc, OCF_EXIT_USAGE);
  r = RUN("version", "--jason");
  assert_int_equal(r.rc, OCF_EXIT_USAGE);
}

static void test_start_gives_the_node_its_configuration_and_key(void **state)
{
  (void)state;
  struct result r = RUN("start", "--port=77");
  assert_int_equal(r.rc, OCF_EXIT_OK);
  assert_int_equal(called.calls, 1);
  assert_int_equal(called.port, 77);
  assert_true(exists(".config/ocf/keys/id"));
  assert_non_null(strstr(r.err, "made a new key"));
  assert_string_equal(r.out, "");
  r = RUN("start", "--seed=1", "--log.format=json");
  assert_null(strstr(r.err, "made a new key"));
  assert_non_null(strstr(r.err, "seed is accepted and has no effect"));
  assert_int_equal(r.err[0], '{');
}

static void test_start_ends_with_the_documented_codes(void **state)
{
  (void)state;
  static const struct {
    int err, rc;
  } cases[] = { { 0, OCF_EXIT_OK },
                { OCF_EINUSE, OCF_EXIT_IN_USE },
                { OCF_EINVAL, OCF_EXIT_CONFIG },
                { OCF_EIO, OCF_EXIT_FAILURE } };
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    called.result = cases[i].err;
    struct result r = RUN("start");
    assert_int_equal(r.rc, cases[i].rc);
    if (cases[i].err != 0)
      assert_non_null(strstr(r.err, "ocf: what happened\n     the cure\n"));
  }
  called.calls = 0;
  struct result r = RUN("start", "--tcport=1");
  assert_int_equal(r.rc, OCF_EXIT_CONFIG);
  assert_non_null(strstr(r.err, "did you mean \"--tcpport\"?"));
  r = RUN("start", "--key-file=/dev/null");
  assert_int_equal(r.rc, OCF_EXIT_KEY);
  r = RUN("start", "--config=/nowhere.yaml");
  assert_int_equal(r.rc, OCF_EXIT_CONFIG);
  assert_int_equal(called.calls, 0);
}

static void test_init_makes_what_is_missing_and_nothing_twice(void **state)
{
  (void)state;
  char first[128];
  struct result r = RUN("init");
  assert_int_equal(r.rc, OCF_EXIT_OK);
  assert_non_null(strstr(r.out, "made configuration"));
  assert_non_null(strstr(r.out, "made key"));
  (void)snprintf(first, sizeof(first), "%s", strstr(r.out, "peer id"));
  assert_true(exists(".config/ocf/cfg.yaml"));
  r = RUN("init");
  assert_int_equal(r.rc, OCF_EXIT_OK);
  assert_non_null(strstr(r.out, "kept configuration"));
  assert_non_null(strstr(r.out, "kept key"));
  assert_non_null(strstr(r.out, first));
  /* What init wrote is a valid file, and start takes it. */
  assert_int_equal(RUN("start").rc, OCF_EXIT_OK);
  assert_int_equal(called.calls, 1);
}

static void test_init_follows_its_options(void **state)
{
  (void)state;
  char config[128], key[128];
  (void)snprintf(config, sizeof(config), "--config=%s/deep/er/my.yaml", dir);
  (void)snprintf(key, sizeof(key), "--key-file=%s/my/key", dir);
  assert_int_equal(RUN("init", config, key).rc, OCF_EXIT_OK);
  assert_true(exists("deep/er/my.yaml"));
  assert_true(exists("my/key"));
  assert_false(exists(".config"));
}

static void test_init_keeps_a_users_file_and_says_what_is_wrong_in_it(void **state)
{
  (void)state;
  char config[128];
  put("my.yaml", "prot: 1\n");
  (void)snprintf(config, sizeof(config), "--config=%s/my.yaml", dir);
  struct result r = RUN("init", config);
  assert_int_equal(r.rc, OCF_EXIT_CONFIG);
  assert_non_null(strstr(r.err, "my.yaml:1: unknown key \"prot\""));
}

static void test_peer_id_is_alone_on_its_line(void **state)
{
  (void)state;
  struct result r = RUN("peer-id");
  assert_int_equal(r.rc, OCF_EXIT_KEY); /* it does not make one */
  assert_string_equal(r.out, "");
  assert_non_null(strstr(r.err, "ocf init"));
  assert_int_equal(RUN("init").rc, OCF_EXIT_OK);
  r = RUN("peer-id");
  assert_int_equal(r.rc, OCF_EXIT_OK);
  assert_int_equal(strlen(r.out), 53);
  assert_memory_equal(r.out, "12D3KooW", 8);
  assert_int_equal(r.out[52], '\n');
}

static void test_the_printed_configuration_read_again_is_the_same(void **state)
{
  (void)state;
  char config[128], *first;
  put("my.yaml", "services:\n  - {name: a, url: \"http://h:1\", identity_group: [x, \"y z\"]}\n"
                 "listen: [/ip4/127.0.0.1/tcp/0]\nhost: \"::1\"\n");
  (void)snprintf(config, sizeof(config), "--config=%s/my.yaml", dir);
  struct result r =
      RUN("config", config, "--service.name=b", "--service.port=2", "--http.idle_timeout=1500ms");
  assert_int_equal(r.rc, OCF_EXIT_OK);
  assert_non_null(strstr(r.out, "\nhttp.idle_timeout: 1s500ms  # --http.idle_timeout\n"));
  assert_non_null(strstr(r.out, "my.yaml:3\n"));
  put("again.yaml", r.out);
  (void)snprintf(config, sizeof(config), "--config=%s/again.yaml", dir);
  first = strdup(r.out);
  r = RUN("config", config);
  assert_int_equal(r.rc, OCF_EXIT_OK);
  /* The same but for the comments. */
  char *a = first, *b = r.out;
  while (*a != '\0' || *b != '\0') {
    size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");
    char *ca = memmem(a, na, "# ", 2), *cb = memmem(b, nb, "# ", 2);
    size_t va = ca != NULL ? (size_t)(ca - a) : na, vb = cb != NULL ? (size_t)(cb - b) : nb;
    while (va > 0 && a[va - 1] == ' ')
      va--;
    while (vb > 0 && b[vb - 1] == ' ')
      vb--;
    assert_int_equal(va, vb);
    assert_memory_equal(a, b, va);
    a += na + (a[na] == '\n');
    b += nb + (b[nb] == '\n');
  }
  free(first);
}

static void test_config_prints_sample_schema_and_reference(void **state)
{
  (void)state;
  assert_non_null(strstr(RUN("config", "--sample").out, "#tcpport: 43905"));
  assert_non_null(strstr(RUN("config", "--schema").out, "\"tcpport\": {"));
  assert_non_null(strstr(RUN("config", "--reference").out, "| `tcpport` |"));
}

static void test_version_comes_in_both_forms(void **state)
{
  (void)state;
  struct result r = RUN("version");
  assert_int_equal(r.rc, OCF_EXIT_OK);
  assert_memory_equal(r.out, "ocf ", 4);
  assert_non_null(strstr(r.out, "\ncommit "));
  r = RUN("version", "--json");
  assert_memory_equal(r.out, "{\"version\":\"", 12);
  assert_non_null(strstr(r.out, "\"libuv\":\""));
  assert_int_equal(RUN("--version").rc, OCF_EXIT_OK);
}

static void test_dev_gets_its_arguments_untouched(void **state)
{
  (void)state;
  assert_int_equal(RUN("dev", "--anything", "at", "all").rc, 7);
  assert_int_equal(called.n_dev_args, 3);
  assert_non_null(strstr(RUN("dev", "--help").out, "the help of dev"));
}

static void test_output_that_cannot_be_written_is_a_failure(void **state)
{
  (void)state;
  FILE *full = fopen("/dev/full", "w");
  assert_non_null(full);
  struct result r = run_to(full, (const char *const[]){ "version" }, 1);
  assert_int_equal(r.rc, OCF_EXIT_FAILURE);
  assert_non_null(strstr(r.err, "cannot be written"));
  (void)fclose(full);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(test_help_goes_to_standard_output_and_is_no_failure),
    T(test_wrong_usage_is_exit_2_and_says_what_was_meant),
    T(test_start_gives_the_node_its_configuration_and_key),
    T(test_start_ends_with_the_documented_codes),
    T(test_init_makes_what_is_missing_and_nothing_twice),
    T(test_init_follows_its_options),
    T(test_init_keeps_a_users_file_and_says_what_is_wrong_in_it),
    T(test_peer_id_is_alone_on_its_line),
    T(test_the_printed_configuration_read_again_is_the_same),
    T(test_config_prints_sample_schema_and_reference),
    T(test_version_comes_in_both_forms),
    T(test_dev_gets_its_arguments_untouched),
    T(test_output_that_cannot_be_written_is_a_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
