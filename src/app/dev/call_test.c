/* The request of `ocf dev`. Goal: whole answers are told from cut ones, and the fields that it
 * prints are the answer's. Method: the mock serves in a child process. */
#define _GNU_SOURCE
#include "testing/test.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/dev/call.h"
#include "app/dev/lines.h"
#include "app/mock/mock.h"

static pid_t server;
static uint16_t port;

static int start(void **state)
{
  static const char *const args[] = { "--token-delay", "0", "--first-token-delay", "0", "--quiet" };
  int p[2];
  char line[512] = "";
  struct ocf_dev_ready ready;
  (void)state;
  assert_int_equal(pipe(p), 0);
  server = fork();
  if (server == 0) {
    struct ocf_mock_options o;
    struct ocf_err e;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(p[1], STDOUT_FILENO);
    _exit(ocf_mock_options_parse(&o, args, OCF_ARRAY_LEN(args), &e) == 0 ? -ocf_mock_run(&o, &e)
                                                                         : 99);
  }
  (void)close(p[1]);
  FILE *f = fdopen(p[0], "r");
  assert_non_null(f);
  assert_non_null(fgets(line, sizeof(line), f));
  (void)fclose(f);
  assert_true(ocf_dev_read_ready(line, &ready));
  port = (uint16_t)strtoul(strrchr(ready.http, ':') + 1, NULL, 10);
  return 0;
}

static int stop(void **state)
{
  int status;
  (void)state;
  (void)kill(server, SIGTERM);
  return waitpid(server, &status, 0) == server && WIFEXITED(status) && WEXITSTATUS(status) == 0
             ? 0
             : -1;
}

struct got {
  size_t n;
  size_t stop_at; /* the payload is refused from here on; 0: never */
};

static int on_body(void *user, struct ocf_bytes data)
{
  struct got *g = user;
  g->n += data.n;
  return g->stop_at > 0 && g->n >= g->stop_at ? OCF_EPROTO : 0;
}

/* Works on the call until it is complete or fails. */
static int run(struct ocf_call *c, uint16_t to, const char *path, const char *body, struct got *g)
{
  struct pollfd p;
  int r = ocf_call_start(c, to, path, body);
  while (r == 0 && ocf_call_poll(c, &p)) {
    assert_true(poll(&p, 1, 10000) > 0);
    r = ocf_call_work(c, on_body, g);
  }
  return r;
}

#define WITH_CALL(c)                                                                               \
  struct ocf_alloc al;                                                                             \
  struct ocf_call c;                                                                               \
  struct got g = { 0, 0 };                                                                         \
  ocf_alloc_init(&al);                                                                             \
  ocf_call_init(&c, &al)
#define END_CALL(c)                                                                                \
  ocf_call_fini(&c);                                                                               \
  assert_int_equal(al.live_bytes, 0)

static void test_a_whole_answer_is_complete(void **state)
{
  (void)state;
  WITH_CALL(c);
  assert_int_equal(run(&c, port, "/mock/bytes?n=1000000", NULL, &g), 0);
  assert_true(c.complete);
  assert_int_equal(c.status, 200);
  assert_int_equal(g.n, 1000000);
  assert_memory_equal(c.id, "req-", 4);
  assert_string_equal(c.node, "");
  END_CALL(c);
}

static void test_a_body_is_sent(void **state)
{
  (void)state;
  WITH_CALL(c);
  assert_int_equal(run(&c, port, "/mock/sink", "0123456789", &g), 0);
  assert_true(c.complete && g.n == strlen("{\"bytes\":10,\"fnv1a64\":\"0123456789abcdef\"}"));
  END_CALL(c);
}

static void test_errors_are_answers_too(void **state)
{
  (void)state;
  WITH_CALL(c);
  assert_int_equal(run(&c, port, "/nothing", NULL, &g), 0);
  assert_true(c.complete);
  assert_int_equal(c.status, 404);
  END_CALL(c);
}

static void test_a_cut_answer_fails(void **state)
{
  static const char *const paths[] = { "/mock/bytes?n=1000000&close_after=3",
                                       "/mock/bytes?n=1000000&die_after=3",
                                       "/mock/bytes?n=1000000&framing=chunked&close_after=3",
                                       "/mock/early?die_early=1" };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(paths); i++) {
    WITH_CALL(c);
    assert_true(run(&c, port, paths[i], NULL, &g) < 0);
    assert_false(c.complete);
    assert_true(c.error[0] != '\0');
    END_CALL(c);
  }
}

static void test_a_refused_payload_ends_it(void **state)
{
  (void)state;
  WITH_CALL(c);
  g.stop_at = 100000;
  assert_int_equal(run(&c, port, "/mock/bytes?n=1000000", NULL, &g), OCF_EPROTO);
  assert_true(g.n < 1000000 && !c.complete);
  END_CALL(c);
}

static void test_a_port_where_nobody_listens_fails(void **state)
{
  (void)state;
  WITH_CALL(c);
  assert_true(run(&c, 1, "/", NULL, &g) < 0); /* tcpmux: nobody has it */
  assert_non_null(strstr(c.error, "refused"));
  END_CALL(c);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_whole_answer_is_complete),
  cmocka_unit_test(test_a_body_is_sent),
  cmocka_unit_test(test_errors_are_answers_too),
  cmocka_unit_test(test_a_cut_answer_fails),
  cmocka_unit_test(test_a_refused_payload_ends_it),
  cmocka_unit_test(test_a_port_where_nobody_listens_fails),
};

int main(void)
{
  return cmocka_run_group_tests(tests, start, stop);
}
