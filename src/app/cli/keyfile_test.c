/* The key file. Goal: a node's identity is never lost, never shared and never made twice. Method:
 * real files in a folder of the test's own; many processes that start at once. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "testing/test.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/cli/keyfile.h"
#include "multi/peerid/peerid.h"
#include "testing/oom.h"

static char dir[64];
static struct ocf_alloc heap;
static struct ocf_err e;

static int setup(void **state)
{
  (void)state;
  (void)snprintf(dir, sizeof(dir), "/tmp/ocf-key-XXXXXX");
  ocf_alloc_init(&heap);
  memset(&e, 0, sizeof(e));
  return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
  char command[256];
  (void)state;
  (void)snprintf(command, sizeof(command), "chmod -R u+rwX %s; rm -rf %s", dir, dir);
  return system(command);
}

static const char *in_dir(const char *name)
{
  static char path[4][256];
  static unsigned i;
  i = (i + 1) % 4;
  (void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
  return path[i];
}

static void put(const char *path, const void *p, size_t n, mode_t mode)
{
  char folder[256];
  (void)snprintf(folder, sizeof(folder), "%s", path);
  *strrchr(folder, '/') = '\0';
  assert_int_equal(ocf_keyfile_mkdirs(folder, &e), 0);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(p, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
  assert_int_equal(chmod(path, mode), 0);
}

static size_t get(const char *path, uint8_t *p, size_t cap)
{
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  size_t n = fread(p, 1, cap, f);
  (void)fclose(f);
  return n;
}

static mode_t mode_of(const char *path)
{
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  return st.st_mode & 07777;
}

static size_t files_in(const char *path)
{
  DIR *d = opendir(path);
  size_t n = 0;
  assert_non_null(d);
  for (struct dirent *f; (f = readdir(d)) != NULL;)
    n += f->d_name[0] != '.';
  (void)closedir(d);
  return n;
}

static int make(const char *path, struct ocf_key *key)
{
  struct ocf_rng rng;
  ocf_rng_seed(&rng, 7);
  return ocf_keyfile_create(path, &heap, &rng, key, &e);
}

/* A configuration whose home is the test's folder. */
static void configure(struct ocf_conf *c, const char *flag)
{
  static struct ocf_conf_report r;
  char home[96];
  const char *env[] = { home, NULL };
  struct ocf_conf_input in = { .env = env, .args = &flag, .n_args = flag != NULL ? 1 : 0 };
  (void)snprintf(home, sizeof(home), "HOME=%s", dir);
  assert_int_equal(ocf_conf_parse(c, &heap, &in, &r), 0);
}

static void test_a_new_key_is_private_whole_and_read_back(void **state)
{
  (void)state;
  struct ocf_key made, read;
  const char *path = in_dir("a/b/keys/id");
  assert_int_equal(make(path, &made), 0);
  assert_int_equal(mode_of(path), 0600);
  assert_int_equal(mode_of(in_dir("a")), 0700);
  assert_int_equal(mode_of(in_dir("a/b/keys")), 0700);
  assert_int_equal(files_in(in_dir("a/b/keys")), 1); /* no temporary file is left */
  assert_int_equal(ocf_keyfile_load(path, &heap, &read, &e), 0);
  assert_true(ocf_pubkey_eq(ocf_key_public(&made), ocf_key_public(&read)));
  assert_int_equal(ocf_key_public(&read)->type, OCF_KEY_ED25519);
  ocf_key_fini(&made);
  ocf_key_fini(&read);
  assert_int_equal(heap.live_bytes, 0);
}

static void test_the_umask_does_not_matter(void **state)
{
  (void)state;
  struct ocf_key made;
  mode_t old = umask(0);
  assert_int_equal(make(in_dir("id"), &made), 0);
  (void)umask(0277);
  ocf_key_fini(&made);
  assert_int_equal(make(in_dir("id2"), &made), 0);
  (void)umask(old);
  assert_int_equal(mode_of(in_dir("id")), 0600);
  assert_int_equal(mode_of(in_dir("id2")), 0600);
  ocf_key_fini(&made);
}

static void test_nothing_is_ever_replaced(void **state)
{
  (void)state;
  struct ocf_key made;
  uint8_t have[16];
  put(in_dir("id"), "precious", 8, 0600);
  assert_int_equal(make(in_dir("id"), &made), OCF_EEXIST);
  assert_int_equal(get(in_dir("id"), have, sizeof(have)), 8);
  assert_memory_equal(have, "precious", 8);
  assert_int_equal(symlink("/nowhere", in_dir("link")), 0);
  assert_int_equal(make(in_dir("link"), &made), OCF_EEXIST);
  assert_int_equal(files_in(dir), 2);
  assert_int_equal(heap.live_bytes, 0);
}

static void test_a_file_that_others_may_use_is_refused_with_the_cure(void **state)
{
  (void)state;
  static const mode_t modes[] = { 0640, 0620, 0610, 0604, 0602, 0601, 0644, 0666, 0777 };
  struct ocf_key key;
  char cure[300];
  assert_int_equal(make(in_dir("id"), &key), 0);
  ocf_key_fini(&key);
  (void)snprintf(cure, sizeof(cure), "run: chmod 600 %s", in_dir("id"));
  for (size_t i = 0; i < OCF_ARRAY_LEN(modes); i++) {
    assert_int_equal(chmod(in_dir("id"), modes[i]), 0);
    assert_int_equal(ocf_keyfile_load(in_dir("id"), &heap, &key, &e), OCF_EPERM);
    assert_string_equal(e.cure, cure);
  }
  assert_int_equal(chmod(in_dir("id"), 0400), 0);
  assert_int_equal(ocf_keyfile_load(in_dir("id"), &heap, &key, &e), 0);
  ocf_key_fini(&key);
}

static void test_a_folder_that_others_may_write_to_gets_no_key(void **state)
{
  (void)state;
  struct ocf_key key;
  assert_int_equal(chmod(dir, 0770), 0);
  assert_int_equal(make(in_dir("id"), &key), OCF_EPERM);
  assert_non_null(strstr(e.cure, "chmod 700"));
  assert_int_equal(files_in(dir), 0);
  assert_int_equal(chmod(dir, 0755), 0);
  assert_int_equal(make(in_dir("id"), &key), 0);
  ocf_key_fini(&key);
}

static void test_wrong_content_is_named_and_left_alone(void **state)
{
  (void)state;
  static const uint8_t unknown_type[] = { 0x08, 0x09, 0x12, 0x01, 0x00 };
  static uint8_t big[OCF_KEY_PRIVATE_MAX + 100];
  const struct {
    const void *p;
    size_t n;
    const char *words;
  } bad[] = {
    { "", 0, "is empty" },
    { "-----BEGIN PRIVATE KEY-----\n", 28, "not a libp2p private key" },
    { unknown_type, sizeof(unknown_type), "its key type is not" },
    { big, sizeof(big), "too large" },
  };
  struct ocf_key key;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    uint8_t have[sizeof(big)];
    put(in_dir("id"), bad[i].p, bad[i].n, 0600);
    assert_int_equal(ocf_keyfile_load(in_dir("id"), &heap, &key, &e), OCF_EINVAL);
    if (strstr(e.msg, bad[i].words) == NULL)
      fail_msg("%s", e.msg);
    assert_true(e.cure[0] != '\0');
    assert_int_equal(get(in_dir("id"), have, sizeof(have)), bad[i].n);
    assert_memory_equal(have, bad[i].p, bad[i].n);
  }
  assert_int_equal(heap.live_bytes, 0);
}

static void test_every_cut_of_a_key_is_refused(void **state)
{
  (void)state;
  struct ocf_key key;
  uint8_t have[256];
  assert_int_equal(make(in_dir("id"), &key), 0);
  ocf_key_fini(&key);
  size_t n = get(in_dir("id"), have, sizeof(have));
  assert_int_equal(n, 68); /* as the Go nodes write Ed25519: tag, type, tag, length, 64 bytes */
  for (size_t cut = 0; cut < n; cut++) {
    put(in_dir("cut"), have, cut, 0600);
    assert_int_equal(ocf_keyfile_load(in_dir("cut"), &heap, &key, &e), OCF_EINVAL);
  }
}

static void test_what_is_no_file_is_refused_without_waiting(void **state)
{
  (void)state;
  struct ocf_key key;
  assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
  assert_int_equal(ocf_keyfile_load(in_dir("fifo"), &heap, &key, &e), OCF_EINVAL);
  assert_int_equal(ocf_keyfile_load(dir, &heap, &key, &e), OCF_EINVAL);
  assert_int_equal(ocf_keyfile_load(in_dir("none"), &heap, &key, &e), OCF_ENOENT);
  assert_non_null(strstr(e.cure, "ocf init"));
  put(in_dir("plain"), "x", 1, 0600);
  assert_int_equal(make(in_dir("plain/keys/id"), &key), OCF_EIO);
}

static void test_the_places_are_tried_in_order(void **state)
{
  (void)state;
  static const char *const places[] = { ".config/opentela/keys/id", ".ocfcore/keys/id",
                                        ".config/ocf/keys/id" };
  char path[OCF_KEYFILE_PATH_MAX], flag[128];
  bool exists;
  struct ocf_conf c;
  configure(&c, NULL);
  assert_int_equal(ocf_keyfile_find(&c, path, &exists, &e), 0);
  assert_false(exists);
  assert_string_equal(path, in_dir(".config/ocf/keys/id"));
  for (size_t i = 0; i < OCF_ARRAY_LEN(places); i++) {
    put(in_dir(places[i]), "x", 1, 0600);
    assert_int_equal(ocf_keyfile_find(&c, path, &exists, &e), 0);
    assert_true(exists);
    assert_string_equal(path, in_dir(places[i]));
  }
  ocf_conf_fini(&c);
  (void)snprintf(flag, sizeof(flag), "--key-file=%s/mine", dir);
  configure(&c, flag);
  assert_int_equal(ocf_keyfile_find(&c, path, &exists, &e), 0);
  assert_false(exists);
  assert_string_equal(path, in_dir("mine"));
  ocf_conf_fini(&c);
}

static void test_an_old_key_that_is_broken_is_no_reason_for_a_new_one(void **state)
{
  (void)state;
  char path[OCF_KEYFILE_PATH_MAX];
  struct ocf_key key;
  struct ocf_conf c;
  bool created;
  put(in_dir(".ocfcore/keys/id"), "damaged", 7, 0600);
  configure(&c, NULL);
  assert_int_equal(ocf_keyfile_open(&c, &heap, true, &key, path, &created, &e), OCF_EINVAL);
  assert_false(created);
  assert_int_not_equal(access(in_dir(".config/ocf/keys/id"), F_OK), 0);
  ocf_conf_fini(&c);
}

static void test_open_makes_a_key_once(void **state)
{
  (void)state;
  char path[OCF_KEYFILE_PATH_MAX];
  struct ocf_key first, second;
  struct ocf_conf c;
  bool created;
  configure(&c, NULL);
  assert_int_equal(ocf_keyfile_open(&c, &heap, false, &first, path, &created, &e), OCF_ENOENT);
  assert_int_equal(ocf_keyfile_open(&c, &heap, true, &first, path, &created, &e), 0);
  assert_true(created);
  assert_int_equal(ocf_keyfile_open(&c, &heap, true, &second, path, &created, &e), 0);
  assert_false(created);
  assert_true(ocf_pubkey_eq(ocf_key_public(&first), ocf_key_public(&second)));
  ocf_key_fini(&first);
  ocf_key_fini(&second);
  ocf_conf_fini(&c);
  assert_int_equal(heap.live_bytes, 0);
}

/* Waits for the gate, opens the key and writes its id to the pipe. */
static void child(int gate, int out)
{
  char path[OCF_KEYFILE_PATH_MAX], text[OCF_PEERID_TEXT_SIZE] = "", byte;
  struct ocf_key key;
  struct ocf_conf c;
  struct ocf_peerid id;
  bool created;
  configure(&c, NULL);
  (void)!read(gate, &byte, 1);
  if (ocf_keyfile_open(&c, &heap, true, &key, path, &created, &e) != 0)
    _exit(1);
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(&key)), &id);
  (void)ocf_peerid_text(&id, text);
  _exit(write(out, text, 52) == 52 ? 0 : 2);
}

static void test_processes_that_start_at_once_agree_on_one_key(void **state)
{
  (void)state;
  enum { N = 12 };
  int gate[2], out[2], status = 0;
  char first[53] = "", next[53] = "";
  assert_int_equal(pipe(gate) | pipe(out), 0);
  for (int i = 0; i < N; i++) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
      (void)close(gate[1]);
      child(gate[0], out[1]);
    }
  }
  (void)close(gate[0]);
  (void)close(gate[1]); /* all begin */
  (void)close(out[1]);
  for (int i = 0; i < N; i++) {
    assert_int_equal(read(out[0], next, 52), 52);
    if (i == 0)
      memcpy(first, next, sizeof(first));
    assert_string_equal(next, first);
    assert_true(wait(&status) > 0);
    assert_int_equal(status, 0);
  }
  (void)close(out[0]);
  assert_int_equal(files_in(in_dir(".config/ocf/keys")), 1);
}

static int load_or_make(struct ocf_alloc *a, void *ctx)
{
  struct ocf_rng rng;
  struct ocf_key key;
  const char *path = ctx;
  ocf_rng_seed(&rng, 1);
  (void)unlink(path);
  int err = ocf_keyfile_create(path, a, &rng, &key, &e);
  if (err != 0)
    return err;
  ocf_key_fini(&key);
  err = ocf_keyfile_load(path, a, &key, &e);
  if (err == 0)
    ocf_key_fini(&key);
  return err;
}

static void test_running_out_of_memory_leaves_no_half_file(void **state)
{
  (void)state;
  char path[256];
  (void)snprintf(path, sizeof(path), "%s", in_dir("id"));
  (void)ocf_oom_sweep(load_or_make, path);
  assert_int_equal(files_in(dir), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(test_a_new_key_is_private_whole_and_read_back),
    T(test_the_umask_does_not_matter),
    T(test_nothing_is_ever_replaced),
    T(test_a_file_that_others_may_use_is_refused_with_the_cure),
    T(test_a_folder_that_others_may_write_to_gets_no_key),
    T(test_wrong_content_is_named_and_left_alone),
    T(test_every_cut_of_a_key_is_refused),
    T(test_what_is_no_file_is_refused_without_waiting),
    T(test_the_places_are_tried_in_order),
    T(test_an_old_key_that_is_broken_is_no_reason_for_a_new_one),
    T(test_open_makes_a_key_once),
    T(test_processes_that_start_at_once_agree_on_one_key),
    T(test_running_out_of_memory_leaves_no_half_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
