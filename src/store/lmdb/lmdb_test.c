/* Goal: the store keeps the contract of crdt/kv and its own: bounds, rights, locks, room, and
 * checkpoints beside other work. Method: real folders and processes; damage and kills have files of
 * their own (damage_test.c, kill_test.c). */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "testing/test.h"

#include "crdt/kv/kv_contract.h"
#include "store/lmdb/lmdb_fixture.h"
#include "testing/oom.h"

static struct fixture fx;

static int setup(void **state)
{
  (void)state;
  fx_begin(&fx);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  fx_end(&fx);
  return 0;
}

/* ---- the contract of crdt/kv ---- */

static struct ocf_lmdb *open_db;

static struct ocf_kv *contract_open(const struct ocf_kv_contract *c, bool again)
{
  (void)c;
  (void)again;
  open_db = fx_open(&fx);
  return ocf_lmdb_kv(open_db);
}

static void contract_close(const struct ocf_kv_contract *c, struct ocf_kv *kv)
{
  (void)c;
  assert_ptr_equal(kv, ocf_lmdb_kv(open_db));
  fx_close(open_db);
}

static const struct ocf_kv_contract contract = { contract_open, contract_close, true };

static int contract_setup(void **state)
{
  *state = (void *)(uintptr_t)&contract;
  fx_begin(&fx);
  return 0;
}

/* ---- opening ---- */

static int try_open(const char *path, struct ocf_err *err)
{
  struct ocf_lmdb_config cfg = { .path = path };
  struct ocf_lmdb *db = NULL;
  err->code = 0;
  int r = ocf_lmdb_open(&cfg, &fx.alloc, &db, NULL, err);
  if (r == 0)
    fx_close(db);
  assert_int_equal(err->code, r);
  return r;
}

static void test_folders_and_files_are_for_their_owner_alone(void **state)
{
  static const char *const files[] = { "/data.mdb", "/checkpoint", "/lock.mdb", ".lock" };
  char name[128];
  struct stat st;
  (void)state;
  (void)umask(0);
  assert_int_equal(mkdir(fx.store, 0755), 0); /* someone made it, with too many rights */
  struct ocf_lmdb *db = fx_open(&fx);
  assert_int_equal(stat(fx.store, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  for (size_t i = 0; i < OCF_ARRAY_LEN(files); i++) {
    (void)snprintf(name, sizeof(name), "%s%s", fx.store, files[i]);
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
  }
  fx_close(db);
  (void)umask(022);
}

static void test_a_second_process_is_refused_and_told_the_first(void **state)
{
  struct ocf_err err;
  char pid[32];
  (void)state;
  struct ocf_lmdb *db = fx_open(&fx);
  (void)snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
  pid_t child = fork();
  if (child == 0) {
    bool ok = try_open(fx.store, &err) == OCF_EINUSE && strstr(err.msg, pid) != NULL &&
              strstr(err.msg, fx.store) != NULL && err.cure[0] != '\0' &&
              ocf_lmdb_remove(fx.store, &err) == OCF_EINUSE;
    _exit(ok ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  fx_write(db, 0, 10, 1);
  fx_close(db);
  assert_int_equal(try_open(fx.store, &err), 0);
}

static void test_paths_that_cannot_be_say_why(void **state)
{
  struct ocf_err err;
  char longest[OCF_LMDB_PATH_MAX + 10], name[128];
  (void)state;
  memset(longest, 'a', sizeof(longest) - 1);
  longest[sizeof(longest) - 1] = '\0';
  assert_int_equal(try_open("", &err), OCF_EINVAL);
  assert_int_equal(try_open("/dev/shm/", &err), OCF_EINVAL);
  assert_int_equal(try_open(longest, &err), OCF_EINVAL);
  (void)snprintf(name, sizeof(name), "%s/no/registry", fx.dir);
  assert_int_equal(try_open(name, &err), OCF_EIO);
  assert_non_null(strstr(err.msg, name));
  int fd = open(fx.store, O_CREAT | O_WRONLY, 0600); /* a file where the folder should be */
  (void)close(fd);
  assert_int_equal(try_open(fx.store, &err), OCF_EIO);
  (void)unlink(fx.store);
}

static void test_a_folder_of_somebody_else_is_not_permitted(void **state)
{
  struct ocf_err err;
  int status;
  (void)state;
  if (geteuid() != 0) {
    assert_int_equal(chmod(fx.dir, 0500), 0);
    assert_int_equal(try_open(fx.store, &err), OCF_EPERM);
    return;
  }
  assert_int_equal(chmod(fx.dir, 0755), 0);
  pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0)
      _exit(2);
    _exit(try_open(fx.store, &err) == OCF_EPERM && strstr(err.cure, "own") != NULL ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static int open_and_close(struct ocf_alloc *a, void *ctx)
{
  struct ocf_lmdb_config cfg = { .path = ctx };
  struct ocf_lmdb *db = NULL;
  uint8_t key[32], val[6000];
  int r = ocf_lmdb_open(&cfg, a, &db, NULL, NULL);
  if (r != 0)
    return r;
  for (uint32_t i = 0; i < 50 && r == 0; i++)
    r = ocf_kv_put(ocf_lmdb_kv(db), fx_key(i, key), fx_value(i, 1, val));
  r = r == 0 ? ocf_kv_commit(ocf_lmdb_kv(db)) : r;
  struct ocf_lmdb_sync *s = ocf_lmdb_sync_begin(db); /* NULL without memory: later, then */
  if (s != NULL) {
    ocf_lmdb_sync_run(s);
    r = ocf_lmdb_sync_end(s, NULL);
  }
  (void)ocf_lmdb_close(db, NULL);
  return r;
}

static void test_out_of_memory_at_any_point_leaks_and_breaks_nothing(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(open_and_close, fx.store) > 4);
  struct ocf_lmdb *db = fx_open(&fx);
  assert_true(fx_holds(db, 50, 1));
  fx_close(db);
}

static void test_a_removed_store_is_gone_and_begins_anew(void **state)
{
  struct ocf_err err;
  struct stat st;
  (void)state;
  assert_int_equal(ocf_lmdb_remove(fx.store, &err), 0); /* there is none */
  struct ocf_lmdb *db = fx_open(&fx);
  fx_write(db, 0, 10, 1);
  fx_close(db);
  assert_int_equal(ocf_lmdb_remove(fx.store, &err), 0);
  assert_int_equal(stat(fx.store, &st), -1);
  db = fx_open(&fx);
  assert_true(fx_holds(db, 0, 0));
  fx_close(db);
}

/* ---- room ---- */

static void test_a_store_grows_far_beyond_its_beginning(void **state)
{
  struct ocf_lmdb_stats st;
  (void)state;
  struct ocf_lmdb *db = fx_open(&fx);
  fx_write(db, 0, 100, 1);
  ocf_lmdb_stats(db, &st);
  uint64_t small = st.file_bytes;
  for (uint32_t i = 0; i < 20; i++)
    fx_write(db, i * 1000, (i + 1) * 1000, 1);
  ocf_lmdb_stats(db, &st);
  assert_true(st.file_bytes > 10 * small);
  assert_true(ocf_kv_bytes(ocf_lmdb_kv(db)) >= st.used_bytes);
  assert_true(fx_holds(db, 20000, 1));
  fx_close(db);
  db = fx_open(&fx);
  assert_true(fx_holds(db, 20000, 1));
  fx_close(db);
}

/* Method: the same rows again and again, with checkpoints as a node makes them. */
static void test_pages_are_used_again_after_checkpoints(void **state)
{
  struct ocf_lmdb_stats st;
  uint64_t after_10 = 0;
  (void)state;
  struct ocf_lmdb *db = fx_open(&fx);
  for (uint32_t v = 1; v <= 200; v++) {
    fx_write(db, 0, 200, v);
    if (v % 3 == 0)
      assert_int_equal(ocf_lmdb_sync_now(db, NULL), 0);
    ocf_lmdb_stats(db, &st);
    after_10 = v == 10 ? st.file_bytes : after_10;
  }
  assert_true(st.file_bytes <= after_10 + after_10 / 2);
  assert_true(fx_holds(db, 200, 200));
  fx_close(db);
}

static void test_without_checkpoints_a_commit_makes_one_before_the_file_runs_away(void **state)
{
  struct ocf_lmdb_stats st;
  (void)state;
  struct ocf_lmdb *db = fx_open(&fx);
  for (uint32_t v = 1; v <= 300; v++)
    fx_write(db, 0, 1500, v);
  ocf_lmdb_stats(db, &st);
  assert_true(st.commits_unsynced < 300);
  assert_true(st.file_bytes < (uint64_t)256 << 20);
  fx_close(db);
}

static void test_a_full_store_refuses_what_is_new_and_goes_on(void **state)
{
  struct ocf_lmdb_config cfg = { .path = fx.store, .max_bytes = 1 << 20 };
  struct ocf_lmdb *db;
  struct ocf_kv *kv;
  uint8_t key[32], val[6000];
  uint32_t n = 0;
  int r = 0;
  (void)state;
  assert_int_equal(ocf_lmdb_open(&cfg, &fx.alloc, &db, NULL, NULL), 0);
  kv = ocf_lmdb_kv(db);
  while (n < 100000 && (r = ocf_kv_put(kv, fx_key(n, key), fx_value(n, 1, val))) == 0) {
    if (++n % 50 == 0)
      assert_int_equal(ocf_kv_commit(kv), 0);
  }
  assert_int_equal(r, OCF_ELIMIT);
  assert_in_range(n, 500, 4000);
  assert_int_equal(ocf_kv_commit(kv), 0); /* what was taken is kept */
  assert_true(fx_holds(db, n, 1));
  for (uint32_t i = 0; i < n / 4 * 3; i++)
    assert_int_equal(ocf_kv_del(kv, fx_key(i, key)), 0);
  assert_int_equal(ocf_kv_commit(kv), 0);
  assert_int_equal(ocf_kv_put(kv, fx_key(0, key), fx_value(0, 1, val)), 0); /* room again */
  assert_int_equal(ocf_kv_commit(kv), 0);
  fx_close(db);
}

static void test_a_transaction_has_bounds_and_stands_at_them(void **state)
{
  uint8_t key[32], *big = calloc(1, OCF_KV_VALUE_MAX);
  struct ocf_lmdb_stats st;
  uint32_t n = 0;
  int r = 0;
  (void)state;
  assert_non_null(big);
  struct ocf_lmdb *db = fx_open(&fx);
  struct ocf_kv *kv = ocf_lmdb_kv(db);
  while (n < 100 && r == 0)
    r = ocf_kv_put(kv, fx_key(n++, key), ocf_bytes(big, OCF_KV_VALUE_MAX));
  assert_int_equal(r, OCF_ELIMIT);
  assert_in_range(n, OCF_LMDB_TXN_BYTES / OCF_KV_VALUE_MAX - 1,
                  OCF_LMDB_TXN_BYTES / OCF_KV_VALUE_MAX + 1);
  assert_int_equal(ocf_kv_commit(kv), 0);
  ocf_lmdb_stats(db, &st);
  assert_int_equal(st.rows, n - 1);
  for (n = 0, r = 0; r == 0; n++)
    r = ocf_kv_put(kv, fx_key(1000 + n, key), ocf_bytes(big, 1));
  assert_int_equal(r, OCF_ELIMIT);
  assert_int_equal(n - 1, OCF_LMDB_TXN_CHANGES);
  ocf_kv_abort(kv);
  ocf_lmdb_stats(db, &st);
  assert_int_equal(st.rows, OCF_LMDB_TXN_BYTES / OCF_KV_VALUE_MAX - 1);
  free(big);
  fx_close(db);
}

/* Writes until a commit finds no room; then all of the last commit is there, and nothing else. */
static void fill_the_disk(void)
{
  struct ocf_lmdb_report rep;
  uint8_t key[32], val[6000];
  uint32_t v = 0;
  int r = 0;
  struct ocf_lmdb *db = fx_open(&fx);
  while (r == 0 && v < 10000) {
    v++;
    for (uint32_t i = 0; i < 20; i++)
      r = r == 0 ? ocf_kv_put(ocf_lmdb_kv(db), fx_key(i, key), fx_value(i, v, val)) : r;
    r = r == 0 ? ocf_kv_commit(ocf_lmdb_kv(db)) : r;
  }
  assert_int_equal(r, OCF_ELIMIT);
  assert_true(fx_holds(db, 20, v - 1));
  for (uint32_t i = 0; i < 20; i++) /* and again: it stays so */
    assert_int_equal(ocf_kv_put(ocf_lmdb_kv(db), fx_key(i, key), fx_value(i, v, val)), 0);
  assert_int_equal(ocf_kv_commit(ocf_lmdb_kv(db)), OCF_ELIMIT);
  assert_true(fx_holds(db, 20, v - 1));
  (void)ocf_lmdb_close(db, NULL); /* its checkpoint may find no room either */
  db = fx_open_as(&fx, NULL, &rep);
  assert_true(fx_holds(db, 20, v - 1));
  fx_close(db);
}

/* In a child: limits and mounts are for good. */
static void in_a_child(void (*fn)(void))
{
  int status;
  pid_t child = fork();
  if (child == 0) {
    fn();
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static void limited(void)
{
  struct rlimit rl = { 1 << 20, 1 << 21 };
  (void)signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
  fill_the_disk();
}

static void test_a_file_size_limit_is_a_full_disk(void **state)
{
  (void)state;
  in_a_child(limited);
}

/* A disk of 6 MiB: the store must find room again for its checkpoint once there is some. */
static void test_a_full_disk_loses_no_commit(void **state)
{
  (void)state;
  if (geteuid() != 0 || mount("none", fx.dir, "tmpfs", 0, "size=6m") != 0)
    return; /* no right to mount: the file size limit above stands for it */
  in_a_child(fill_the_disk);
  assert_int_equal(umount(fx.dir), 0);
}

/* ---- checkpoints ---- */

static void *run_sync(void *s)
{
  ocf_lmdb_sync_run(s);
  return NULL;
}

static void test_checkpoints_run_beside_commits(void **state)
{
  struct ocf_lmdb_stats st;
  pthread_t t = pthread_self();
  (void)state;
  struct ocf_lmdb *db = fx_open(&fx);
  assert_null(ocf_lmdb_sync_begin(db)); /* nothing new */
  for (uint32_t v = 1; v <= 50; v++) {
    fx_write(db, 0, 50, v);
    struct ocf_lmdb_sync *s = ocf_lmdb_sync_begin(db);
    assert_non_null(s);
    assert_null(ocf_lmdb_sync_begin(db)); /* one at a time */
    assert_int_equal(ocf_lmdb_sync_now(db, NULL), 0);
    assert_int_equal(pthread_create(&t, NULL, run_sync, s), 0);
    fx_write(db, 0, 50, v + 1000);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(ocf_lmdb_sync_end(s, NULL), 0);
    ocf_lmdb_stats(db, &st);
    assert_int_equal(st.commits_unsynced, 1);
    assert_int_equal(ocf_lmdb_unsynced(db), 1);
    assert_int_equal(ocf_lmdb_sync_now(db, NULL), 0);
  }
  assert_true(fx_holds(db, 50, 1050));
  fx_close(db);
}

/* Bytes of files that count as this process's memory. */
static size_t mapped_now(void)
{
  unsigned long resident = 0, shared = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%*u %lu %lu", &resident, &shared), 2);
  (void)fclose(f);
  return shared * (size_t)sysconf(_SC_PAGESIZE);
}

static void test_what_was_looked_at_does_not_stay_the_processes_memory(void **state)
{
  enum { LOOKED_AT = 8 << 20 };
  struct ocf_bytes view;
  uint8_t key[32], val[6000];
  uint64_t n;
  (void)state;
  struct ocf_lmdb *db = fx_open(&fx);
  size_t before = mapped_now();
  for (uint32_t i = 0; i < 30; i++)
    fx_write(db, i * 1000, (i + 1) * 1000, 1);
  assert_true(fx_walks(db, &n));
  assert_int_equal(ocf_kv_get(ocf_lmdb_kv(db), fx_key(7, key), &view), 0);
  assert_true(mapped_now() > before + LOOKED_AT);
  assert_int_equal(ocf_lmdb_sync_now(db, NULL), 0);
  assert_true(mapped_now() < before + LOOKED_AT / 2);
  assert_true(ocf_bytes_eq(view, fx_value(7, 1, val))); /* still there to be seen */
  assert_true(fx_walks(db, &n));                        /* reading alone counts too, */
  assert_true(mapped_now() > before + LOOKED_AT);
  assert_null(ocf_lmdb_sync_begin(db)); /* and is forgotten, though there is nothing to write */
  assert_true(mapped_now() < before + LOOKED_AT / 2);
  fx_close(db);
}

static void test_a_store_may_be_closed_under_a_checkpoint(void **state)
{
  pthread_t t = pthread_self();
  (void)state;
  for (uint32_t v = 1; v <= 40; v++) {
    struct ocf_lmdb *db = fx_open(&fx);
    fx_write(db, 0, 50, v);
    struct ocf_lmdb_sync *s = ocf_lmdb_sync_begin(db);
    assert_non_null(s);
    bool early = v % 2 == 0; /* the job may have begun, or not */
    if (early)
      assert_int_equal(pthread_create(&t, NULL, run_sync, s), 0);
    (void)usleep(v * 20);
    fx_close(db);
    if (!early)
      assert_int_equal(pthread_create(&t, NULL, run_sync, s), 0);
    struct ocf_lmdb *again = fx_open(&fx);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(ocf_lmdb_sync_end(s, NULL), OCF_ECANCELED);
    assert_true(fx_holds(again, 50, v));
    fx_close(again);
  }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
  OCF_KV_CONTRACT_TESTS(contract_setup, teardown),
  T(test_folders_and_files_are_for_their_owner_alone),
  T(test_a_second_process_is_refused_and_told_the_first),
  T(test_paths_that_cannot_be_say_why),
  T(test_a_folder_of_somebody_else_is_not_permitted),
  T(test_out_of_memory_at_any_point_leaks_and_breaks_nothing),
  T(test_a_removed_store_is_gone_and_begins_anew),
  T(test_a_store_grows_far_beyond_its_beginning),
  T(test_pages_are_used_again_after_checkpoints),
  T(test_without_checkpoints_a_commit_makes_one_before_the_file_runs_away),
  T(test_a_full_store_refuses_what_is_new_and_goes_on),
  T(test_a_transaction_has_bounds_and_stands_at_them),
  T(test_a_file_size_limit_is_a_full_disk),
  T(test_a_full_disk_loses_no_commit),
  T(test_checkpoints_run_beside_commits),
  T(test_what_was_looked_at_does_not_stay_the_processes_memory),
  T(test_a_store_may_be_closed_under_a_checkpoint),
};

OCF_TEST_MAIN(tests)
