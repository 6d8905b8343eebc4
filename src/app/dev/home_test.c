/* The folder of a run. Goal: gone at the end, kept when asked, and a killed run's is removed by the
 * next one, but nobody else's. Method: TMPDIR is a folder of the test's own. */
#define _GNU_SOURCE
#include "testing/test.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/dev/home.h"

static char root[64];

static int make_root(void **state)
{
  (void)state;
  (void)snprintf(root, sizeof(root), "/tmp/ocf-home-test-XXXXXX");
  return mkdtemp(root) != NULL && setenv("TMPDIR", root, 1) == 0 ? 0 : -1;
}

static int drop_root(void **state)
{
  (void)state;
  return rmdir(root); /* fails when a test left something */
}

static void fill(const struct ocf_dev_home *h)
{
  char dir[512], file[600];
  struct ocf_err e;
  assert_int_equal(ocf_dev_home_add(h, "node", dir, sizeof(dir), &e), 0);
  (void)snprintf(file, sizeof(file), "%s/key", dir);
  FILE *f = fopen(file, "w");
  assert_non_null(f);
  (void)fclose(f);
  (void)snprintf(file, sizeof(file), "%s/link", dir);
  assert_int_equal(symlink("/etc", file), 0); /* must be removed, not followed */
}

static void test_it_is_gone_at_the_end(void **state)
{
  struct ocf_dev_home h;
  struct ocf_err e;
  struct stat st;
  char path[sizeof(h.path)];
  (void)state;
  assert_int_equal(ocf_dev_home_make(&h, false, &e), 0);
  (void)snprintf(path, sizeof(path), "%s", h.path);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  fill(&h);
  ocf_dev_home_end(&h);
  assert_int_equal(stat(path, &st), -1);
  assert_int_equal(stat("/etc", &st), 0);
}

static void test_one_in_use_is_not_swept(void **state)
{
  struct ocf_dev_home h;
  struct ocf_err e;
  struct stat st;
  (void)state;
  assert_int_equal(ocf_dev_home_make(&h, false, &e), 0);
  assert_int_equal(ocf_dev_home_sweep(), 0);
  assert_int_equal(stat(h.path, &st), 0);
  ocf_dev_home_end(&h);
}

static void test_a_killed_runs_folder_is_swept(void **state)
{
  pid_t pid = fork();
  int status;
  (void)state;
  if (pid == 0) {
    struct ocf_dev_home h;
    struct ocf_err e;
    if (ocf_dev_home_make(&h, false, &e) == 0)
      fill(&h);
    (void)kill(getpid(), SIGKILL);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(ocf_dev_home_sweep(), 1);
  assert_int_equal(ocf_dev_home_sweep(), 0);
}

static void test_kept_and_foreign_folders_stay(void **state)
{
  struct ocf_dev_home h;
  struct ocf_err e;
  struct stat st;
  char link[96];
  (void)state;
  assert_int_equal(ocf_dev_home_make(&h, true, &e), 0);
  (void)snprintf(link, sizeof(link), "%s/ocf-dev-link", root);
  assert_int_equal(symlink(h.path, link), 0);
  ocf_dev_home_end(&h);
  assert_int_equal(ocf_dev_home_sweep(), 0); /* no lock: not a run's that died */
  assert_int_equal(stat(h.path, &st), 0);
  assert_int_equal(unlink(link), 0);
  assert_int_equal(rmdir(h.path), 0);
}

static void test_a_folder_that_cannot_be_made_is_told(void **state)
{
  struct ocf_dev_home h;
  struct ocf_err e;
  (void)state;
  (void)setenv("TMPDIR", "/proc/none", 1);
  assert_int_equal(ocf_dev_home_make(&h, false, &e), OCF_EIO);
  assert_non_null(strstr(e.msg, "/proc/none"));
  ocf_dev_home_end(&h);
  (void)setenv("TMPDIR", root, 1);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_it_is_gone_at_the_end),
  cmocka_unit_test(test_one_in_use_is_not_swept),
  cmocka_unit_test(test_a_killed_runs_folder_is_swept),
  cmocka_unit_test(test_kept_and_foreign_folders_stay),
  cmocka_unit_test(test_a_folder_that_cannot_be_made_is_told),
};

int main(void)
{
  return cmocka_run_group_tests(tests, make_root, drop_root);
}
