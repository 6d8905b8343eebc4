/* Goal: SIGHUP changes what may change in every plane, says what changed and what waits for a
 * restart, and a configuration with any error changes nothing. Method: a real daemon of two planes
 * with a file that is rewritten under it; its log goes to a file that is read along. */
#define _GNU_SOURCE
#include "app/daemon/daemon_test.h"

enum { PATIENCE = 500, EVERY_US = 20000, IN_A_ROW = 20 };

static char dir[] = "/tmp/ocf-reload-XXXXXX", file[64], log_file[64];
static int old_stderr;

static void write_file(const char *text)
{
  FILE *f = fopen(file, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

static size_t n_in_log(const char *word)
{
  static char text[1 << 16];
  FILE *f = fopen(log_file, "r");
  assert_non_null(f);
  text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
  (void)fclose(f);
  size_t n = 0;
  for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
    n++;
  return n;
}

static bool wait_for_log(const char *word, size_t n)
{
  for (int i = 0; i < PATIENCE && n_in_log(word) < n; i++)
    (void)usleep(EVERY_US);
  return n_in_log(word) == n;
}

static int post_100_bytes(uint16_t port)
{
  char req[256], buf[4096];
  (void)snprintf(req, sizeof(req),
                 "POST /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n"
                 "\r\n%0100d",
                 0);
  return exchange(port, req, buf, sizeof(buf));
}

/* Connections are spread over the planes, so a row of equal answers is the answer of all. */
static bool all_answer(uint16_t port, int status)
{
  for (int tries = 0, good = 0; tries < PATIENCE; tries++) {
    good = post_100_bytes(port) == status ? good + 1 : 0;
    if (good == IN_A_ROW)
      return true;
    if (good == 0)
      (void)usleep(EVERY_US);
  }
  return false;
}

static int setup(void **state)
{
  (void)state;
  if (mkdtemp(dir) == NULL)
    return 1;
  (void)snprintf(file, sizeof(file), "%s/cfg.yaml", dir);
  (void)snprintf(log_file, sizeof(log_file), "%s/log", dir);
  old_stderr = dup(STDERR_FILENO);
  return freopen(log_file, "a", stderr) == NULL;
}

static int teardown(void **state)
{
  (void)state;
  (void)fflush(stderr);
  (void)dup2(old_stderr, STDERR_FILENO);
  (void)close(old_stderr);
  (void)unlink(file);
  (void)unlink(log_file);
  return rmdir(dir);
}

static void test_a_hangup_applies_good_files_and_ignores_bad_ones(void **state)
{
  static struct run node;
  static char buf[1 << 16];
  char port_text[8], config[80];
  uint16_t port = free_port();
  (void)state;
  (void)snprintf(port_text, sizeof(port_text), "%u", port);
  (void)snprintf(config, sizeof(config), "--config=%s", file);
  write_file("http:\n  body_limit: 0\n");
  const char *args[] = { config,     "--port", port_text, "--listen", "/ip4/127.0.0.1/tcp/0",
                         "--planes", "2" };
  start(&node, 1, args, OCF_ARRAY_LEN(args));
  assert_true(all_answer(port, 404));

  write_file("http:\n  body_limit: 10\npublic-addr: 203.0.113.9\np2p:\n  conn_high: 777\n"
             "services:\n  - {name: new, url: \"http://127.0.0.1:1\"}\n");
  assert_int_equal(kill(getpid(), SIGHUP), 0);
  assert_true(all_answer(port, 413));
  assert_int_equal(get(port, "/v1/self", buf, sizeof(buf)), 200);
  assert_non_null(strstr(buf, "/ip4/203.0.113.9/tcp/43905"));
  assert_int_equal(get(port, "/v1/dnt/bootstraps", buf, sizeof(buf)), 200);
  assert_non_null(strstr(buf, "{\"bootstraps\":[\"/ip4/203.0.113.9/tcp/43905/p2p/12D3Koo"));
  assert_true(wait_for_log("option changed", 2));
  assert_int_equal(n_in_log("option=http.body_limit from=0B to=10B"), 1);
  assert_int_equal(n_in_log("option=public-addr"), 1);
  assert_int_equal(n_in_log("p2p.conn_high changed; restart"), 1);
  assert_int_equal(n_in_log("services changed; restart"), 1);

  write_file("http:\n  body_limit: lots\n  idle_timeout: 1s\n"); /* a bad value */
  assert_int_equal(kill(getpid(), SIGHUP), 0);
  assert_true(wait_for_log("not reloaded", 1));
  write_file("http:\n  body_limit: 0\npublic-addr: a/b\n"); /* good form, of no use */
  assert_int_equal(kill(getpid(), SIGHUP), 0);
  assert_true(wait_for_log("not reloaded", 2));
  assert_int_equal(unlink(file), 0); /* --config names it, so it must be there */
  assert_int_equal(kill(getpid(), SIGHUP), 0);
  assert_true(wait_for_log("not reloaded", 3));
  assert_true(all_answer(port, 413));
  assert_int_equal(n_in_log("option changed"), 2);

  write_file("");
  assert_int_equal(kill(getpid(), SIGHUP), 0);
  assert_true(all_answer(port, 404));
  assert_int_equal(get(port, "/v1/self", buf, sizeof(buf)), 200);
  assert_null(strstr(buf, "203.0.113.9"));
  assert_int_equal(get(port, "/v1/dnt/bootstraps", buf, sizeof(buf)), 200);
  assert_non_null(strstr(buf, "{\"bootstraps\":[]}"));
  assert_int_equal(kill(getpid(), SIGTERM), 0);
  join(&node);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test_setup_teardown(test_a_hangup_applies_good_files_and_ignores_bad_ones, setup,
                                  teardown),
};

OCF_TEST_MAIN(tests)
