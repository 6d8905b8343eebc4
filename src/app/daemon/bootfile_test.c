/* Goal: the stored bootstrap list is replaced as a whole or not at all, and nothing but a regular
 * file of bounded size is read. Method: the two functions on files in a folder of their own. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/daemon/daemon_int.h"
#include "testing/test.h"

enum { CAP = 64 };

static char dir[] = "/tmp/ocf_bootfile_test.XXXXXX";
static char folder[64];
static struct ocf_bootfile file;
static struct ocf_node_boot_store *store;

static int setup(void **state)
{
  struct ocf_peerid id;
  (void)state;
  (void)memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
  if (mkdtemp(dir) == NULL)
    return 1;
  (void)snprintf(folder, sizeof(folder), "%s/a/b", dir);
  if (ocf_peerid_parse(OCF_STR("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"), &id) != 0)
    return 1;
  store = ocf_bootfile_init(&file, folder, &id);
  return store == NULL;
}

static int teardown(void **state)
{
  char up[64];
  (void)state;
  (void)unlink(file.path);
  (void)rmdir(file.path);
  (void)snprintf(up, sizeof(up), "%s/a", dir);
  return rmdir(folder) != 0 || rmdir(up) != 0 || rmdir(dir) != 0; /* nothing else was left */
}

static void test_what_is_saved_is_loaded_and_the_folder_is_made(void **state)
{
  uint8_t buf[CAP];
  size_t n = 9;
  struct stat st;
  (void)state;
  assert_non_null(strstr(file.path, "/a/b/bootstrap.12D3KooWD3"));
  assert_int_equal(store->load(store, buf, sizeof(buf), &n), 0);
  assert_int_equal(n, 0); /* there is none yet */
  assert_int_equal(store->save(store, OCF_STR("one list, a longer one")), 0);
  assert_int_equal(store->save(store, OCF_STR("another")), 0);
  assert_int_equal(store->load(store, buf, sizeof(buf), &n), 0);
  assert_int_equal(n, 7);
  assert_memory_equal(buf, "another", 7);
  assert_int_equal(stat(file.path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_a_file_without_bound_or_of_another_kind_is_not_read(void **state)
{
  uint8_t buf[CAP];
  char text[CAP];
  size_t n;
  (void)state;
  memset(text, 'x', sizeof(text));
  assert_int_equal(store->save(store, ocf_bytes(text, CAP)), 0);
  assert_int_equal(store->load(store, buf, sizeof(buf), &n), OCF_ELIMIT);
  assert_int_equal(store->save(store, ocf_bytes(text, CAP - 1)), 0);
  assert_int_equal(store->load(store, buf, sizeof(buf), &n), 0);
  assert_int_equal(n, CAP - 1);
  assert_int_equal(unlink(file.path), 0);
  assert_int_equal(mkfifo(file.path, 0600), 0); /* nobody writes: it must not wait */
  assert_int_equal(store->load(store, buf, sizeof(buf), &n), OCF_EIO);
  assert_int_equal(unlink(file.path), 0);
  assert_int_equal(mkdir(file.path, 0700), 0);
  assert_int_equal(store->load(store, buf, sizeof(buf), &n), OCF_EIO);
}

static void test_a_failed_save_leaves_nothing_behind(void **state)
{
  (void)state;
  assert_int_equal(mkdir(file.path, 0700), 0); /* a folder cannot be replaced by a file */
  assert_int_equal(store->save(store, OCF_STR("x")), OCF_EIO);
}

static void test_a_folder_that_cannot_be_has_no_file(void **state)
{
  struct ocf_bootfile f;
  struct ocf_peerid id = { .n = 0 };
  char longest[OCF_LMDB_PATH_MAX + 1];
  (void)state;
  assert_null(ocf_bootfile_init(&f, "/proc/nowhere/x", &id));
  memset(longest, '/', sizeof(longest) - 1);
  longest[sizeof(longest) - 1] = '\0';
  assert_null(ocf_bootfile_init(&f, longest, &id));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
  T(test_what_is_saved_is_loaded_and_the_folder_is_made),
  T(test_a_file_without_bound_or_of_another_kind_is_not_read),
  T(test_a_failed_save_leaves_nothing_behind),
  T(test_a_folder_that_cannot_be_has_no_file),
};

OCF_TEST_MAIN(tests)
