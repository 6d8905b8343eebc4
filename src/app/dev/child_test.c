/* Child processes. Goal: their lines are read whole, their ends are known, and none outlives its
 * parent. Method: this program starts itself; what a child does is in its arguments. */
#define _GNU_SOURCE
#include "testing/test.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/dev/child.h"

/* ---- the child's side ---- */

static int be_child(const char *what)
{
  if (strcmp(what, "lines") == 0) {
    (void)fputs("one\ntwo\nno end", stdout);
    (void)fputs("err one\n", stderr);
    return 3;
  }
  if (strcmp(what, "env") == 0) {
    char cwd[512];
    (void)printf("%s %s %s %s\n", getenv("HOME"), getcwd(cwd, sizeof(cwd)),
                 getenv("OCF_PORT") == NULL ? "clean" : "dirty", getenv("OTHER"));
    (void)printf("%d\n", getpgrp() == getpid() ? 1 : 0);
    return 0;
  }
  if (strcmp(what, "long") == 0) {
    for (int i = 0; i < 3 * OCF_CHILD_LINE_MAX; i++)
      (void)putchar('x');
    (void)fputs("\nafter\n", stdout);
    return 0;
  }
  (void)puts("up");
  (void)fflush(stdout);
  for (;;)
    (void)pause();
}

/* ---- the parent's ---- */

struct seen {
  char out[8][64], err[8][64];
  size_t n_out, n_err, out_bytes;
};

static void on_line(void *user, struct ocf_child *c, bool is_err, char *line)
{
  struct seen *s = user;
  size_t *n = is_err ? &s->n_err : &s->n_out;
  (void)c;
  s->out_bytes += is_err ? 0 : strlen(line);
  if (*n < 8)
    (void)snprintf(is_err ? s->err[*n] : s->out[*n], 64, "%s", line);
  (*n)++;
}

static void start(struct ocf_child *c, const char *what)
{
  const char *const args[] = { "child", what, NULL };
  struct ocf_err e = { .code = 0 };
  memset(c, 0, sizeof(*c));
  c->name = "test";
  (void)snprintf(c->home, sizeof(c->home), "/tmp");
  assert_int_equal(ocf_child_start(c, args, false, &e), 0);
  assert_true(c->pid > 0);
}

/* Reads until both pipes are closed, or until `n_out` lines have come. */
static void drain(struct ocf_child *c, struct seen *s, size_t n_out)
{
  struct pollfd p[2];
  for (size_t n; s->n_out < n_out && (n = ocf_child_poll(c, p)) > 0;) {
    assert_true(poll(p, n, 10000) > 0);
    ocf_child_read(c, on_line, s);
  }
}

static void wait_gone(struct ocf_child *c)
{
  for (int i = 0; i < 1000 && !ocf_child_gone(c); i++)
    (void)nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
  assert_true(ocf_child_gone(c));
}

static void test_lines_and_status_are_known(void **state)
{
  struct ocf_child c;
  struct seen s = { .n_out = 0 };
  char text[64];
  (void)state;
  start(&c, "lines");
  drain(&c, &s, SIZE_MAX);
  wait_gone(&c);
  assert_int_equal(s.n_out, 3);
  assert_string_equal(s.out[0], "one");
  assert_string_equal(s.out[2], "no end");
  assert_int_equal(s.n_err, 1);
  assert_string_equal(c.last[0], "err one");
  assert_string_equal(ocf_child_ending(&c, text, sizeof(text)), "ended with status 3");
  ocf_child_fini(&c);
}

static void test_the_environment_is_clean(void **state)
{
  struct ocf_child c;
  struct seen s = { .n_out = 0 };
  (void)state;
  (void)setenv("OCF_PORT", "1", 1);
  (void)setenv("OTHER", "kept", 1);
  start(&c, "env");
  drain(&c, &s, SIZE_MAX);
  wait_gone(&c);
  assert_string_equal(s.out[0], "/tmp /tmp clean kept");
  assert_string_equal(s.out[1], "1"); /* a process group of its own */
  ocf_child_fini(&c);
}

static void test_a_long_line_comes_in_pieces(void **state)
{
  struct ocf_child c;
  struct seen s = { .n_out = 0 };
  (void)state;
  start(&c, "long");
  drain(&c, &s, SIZE_MAX);
  wait_gone(&c);
  assert_int_equal(s.out_bytes, 3 * OCF_CHILD_LINE_MAX + strlen("after"));
  assert_true(s.n_out > 3);
  ocf_child_fini(&c);
}

static void test_a_signal_ends_it_and_is_told(void **state)
{
  struct ocf_child c;
  struct seen s = { .n_out = 0 };
  char text[64];
  (void)state;
  start(&c, "wait");
  drain(&c, &s, 1);
  assert_false(ocf_child_gone(&c));
  ocf_child_signal(&c, SIGTERM);
  wait_gone(&c);
  assert_string_equal(ocf_child_ending(&c, text, sizeof(text)), "was killed by signal 15");
  ocf_child_signal(&c, SIGKILL); /* nobody is there: no process with that id may be hit */
  ocf_child_fini(&c);
}

/* Whether a process is alive: a zombie that nobody has waited for is not. */
static bool alive(pid_t pid)
{
  char path[64], line[256], flag = 'X';
  (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
  FILE *f = fopen(path, "r");
  if (f == NULL)
    return false;
  if (fgets(line, sizeof(line), f) != NULL && strrchr(line, ')') != NULL)
    flag = strrchr(line, ')')[2];
  (void)fclose(f);
  return flag != 'Z' && flag != 'X';
}

static void test_it_dies_with_a_parent_that_is_killed(void **state)
{
  int p[2], status;
  pid_t grandchild = 0;
  (void)state;
  assert_int_equal(pipe(p), 0);
  pid_t parent = fork();
  if (parent == 0) {
    struct ocf_child c;
    struct seen s = { .n_out = 0 };
    start(&c, "wait");
    drain(&c, &s, 1);
    (void)!write(p[1], &c.pid, sizeof(c.pid));
    for (;;)
      (void)pause();
  }
  assert_int_equal(read(p[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
  assert_true(alive(grandchild));
  (void)kill(parent, SIGKILL);
  assert_int_equal(waitpid(parent, &status, 0), parent);
  for (int i = 0; i < 1000 && alive(grandchild); i++)
    (void)nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
  assert_false(alive(grandchild));
  (void)close(p[0]);
  (void)close(p[1]);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_lines_and_status_are_known),
  cmocka_unit_test(test_the_environment_is_clean),
  cmocka_unit_test(test_a_long_line_comes_in_pieces),
  cmocka_unit_test(test_a_signal_ends_it_and_is_told),
  cmocka_unit_test(test_it_dies_with_a_parent_that_is_killed),
};

int main(int argc, char **argv)
{
  if (argc == 3 && strcmp(argv[1], "child") == 0)
    return be_child(argv[2]);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
