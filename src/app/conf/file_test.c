/* The file on disk: which one is read, and what happens when it cannot be. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "testing/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "app/conf/conf.h"

static struct ocf_conf_report r;
static struct ocf_alloc heap;
static char dir[64], home[96];

static void put(const char *name, const char *text)
{
  char path[256];
  (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
  static const char *const dirs[] = { ".config", ".config/ocf", "other" };
  (void)state;
  (void)snprintf(dir, sizeof(dir), "/tmp/ocf-conf-XXXXXX");
  assert_non_null(mkdtemp(dir));
  (void)snprintf(home, sizeof(home), "HOME=%s", dir);
  for (size_t i = 0; i < OCF_ARRAY_LEN(dirs); i++) {
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, dirs[i]);
    assert_int_equal(mkdir(path, 0700), 0);
  }
  put(".config/ocf/cfg.yaml", "port: 1\n");
  put("other/cfg.yaml", "port: 2\nservice: {port: 9}\n");
  put("named.yaml", "port: 3\n");
  return 0;
}

static int teardown(void **state)
{
  char command[128];
  (void)state;
  (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
  return system(command);
}

static int load(struct ocf_conf *c, const char *env, const char *arg0, const char *arg1)
{
  const char *const e[] = { home, env, NULL };
  const char *const args[] = { arg0, arg1 };
  ocf_alloc_init(&heap);
  return ocf_conf_load(c, &heap, e, args, arg1 != NULL ? 2 : arg0 != NULL ? 1 : 0, &r);
}

static void loads_port(unsigned port, const char *env, const char *arg0, const char *arg1)
{
  struct ocf_conf c;
  if (load(&c, env, arg0, arg1) != 0)
    fail_msg("%s", r.errors);
  assert_int_equal(c.port, port);
  ocf_conf_fini(&c);
  assert_int_equal(heap.live_bytes, 0);
}

static void test_the_file_is_found_by_flag_environment_folder_or_home(void **state)
{
  (void)state;
  char flag[128], folder[128], env[128];
  (void)snprintf(flag, sizeof(flag), "--config=%s/named.yaml", dir);
  (void)snprintf(folder, sizeof(folder), "--config-dir=%s/other", dir);
  (void)snprintf(env, sizeof(env), "OCF_CONFIG=%s/other/cfg.yaml", dir);
  loads_port(1, NULL, NULL, NULL);
  loads_port(2, NULL, folder, NULL);
  loads_port(2, env, NULL, NULL);
  loads_port(3, env, flag, NULL);
  loads_port(3, NULL, "--config=~/named.yaml", NULL);
  loads_port(8092, "XDG_CONFIG_HOME=/nowhere", NULL, NULL);
}

static void test_an_empty_file_sets_nothing(void **state)
{
  char flag[128];
  (void)state;
  put("empty.yaml", "");
  (void)snprintf(flag, sizeof(flag), "--config=%s/empty.yaml", dir);
  loads_port(8092, NULL, flag, NULL);
}

static void test_flags_and_file_are_judged_together(void **state)
{
  (void)state;
  struct ocf_conf c;
  char folder[128];
  (void)snprintf(folder, sizeof(folder), "--config-dir=%s/other", dir);
  /* The name comes from a flag and the port from the file: neither is an error alone. */
  if (load(&c, NULL, "--service.name=llm", folder) != 0)
    fail_msg("%s", r.errors);
  assert_int_equal(c.n_services, 1);
  assert_int_equal(c.services[0].port, 9);
  ocf_conf_fini(&c);
}

static void test_a_named_file_must_be_readable(void **state)
{
  (void)state;
  struct ocf_conf c;
  char flag[128];
  assert_int_equal(load(&c, NULL, "--config=/nowhere/x.yaml", NULL), OCF_EIO);
  assert_non_null(strstr(r.errors, "cannot read the configuration file /nowhere/x.yaml: No such"));
  (void)snprintf(flag, sizeof(flag), "--config=%s", dir);
  assert_int_equal(load(&c, NULL, flag, NULL), OCF_EIO);
  assert_non_null(strstr(r.errors, "Is a directory"));
  assert_int_equal(r.n_errors, 1);
  ocf_conf_fini(&c);
  assert_int_equal(heap.live_bytes, 0);
}

static void test_an_endless_file_is_refused_by_its_length(void **state)
{
  (void)state;
  struct ocf_conf c;
  assert_int_equal(load(&c, NULL, "--config=/dev/zero", NULL), OCF_EINVAL);
  assert_non_null(strstr(r.errors, "longer than 1048576 bytes"));
}

static void test_errors_name_the_files_path_and_are_told_once(void **state)
{
  (void)state;
  struct ocf_conf c;
  char flag[128], words[160];
  put("bad.yaml", "\nprot: 1\n");
  (void)snprintf(flag, sizeof(flag), "--config=%s/bad.yaml", dir);
  (void)snprintf(words, sizeof(words), "%s/bad.yaml:2: unknown key \"prot\"; did you mean \"port\"",
                 dir);
  assert_int_equal(load(&c, NULL, flag, "--planes=x"), OCF_EINVAL);
  assert_non_null(strstr(r.errors, words));
  assert_int_equal(r.n_errors, 2);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_the_file_is_found_by_flag_environment_folder_or_home),
    cmocka_unit_test(test_an_empty_file_sets_nothing),
    cmocka_unit_test(test_flags_and_file_are_judged_together),
    cmocka_unit_test(test_a_named_file_must_be_readable),
    cmocka_unit_test(test_an_endless_file_is_refused_by_its_length),
    cmocka_unit_test(test_errors_name_the_files_path_and_are_told_once),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
