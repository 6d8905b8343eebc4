/* What the tests of store/lmdb share: a folder of their own, files as bytes, and contents that can
 * be compared. Tests only. */
#ifndef OCF_STORE_LMDB_LMDB_FIXTURE_H
#define OCF_STORE_LMDB_LMDB_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng/rng.h"
#include "store/lmdb/lmdb.h"
#include "testing/test.h"

struct fixture {
  char dir[64];   /* the test's */
  char store[96]; /* dir/registry */
  struct ocf_alloc alloc;
};

static inline void fx_begin(struct fixture *f)
{
  const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  (void)snprintf(f->dir, sizeof(f->dir), "%s/ocf-lmdb-XXXXXX", base);
  assert_non_null(mkdtemp(f->dir));
  (void)snprintf(f->store, sizeof(f->store), "%s/registry", f->dir);
  ocf_alloc_init(&f->alloc);
}

/* Removes `dir` with up to two levels of folders. */
static inline void fx_remove(const char *dir)
{
  char name[600];
  DIR *d = opendir(dir);
  if (d == NULL)
    return;
  (void)chmod(dir, 0700);
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    int n = snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || (size_t)n >= sizeof(name))
      continue;
    if (unlink(name) != 0)
      fx_remove(name);
  }
  (void)closedir(d);
  (void)rmdir(dir);
}

static inline void fx_end(struct fixture *f)
{
  assert_int_equal(f->alloc.live_blocks, 0);
  fx_remove(f->dir);
}

static inline struct ocf_lmdb *fx_open_as(struct fixture *f, const char *boot,
                                          struct ocf_lmdb_report *rep)
{
  struct ocf_lmdb_config cfg = { .path = f->store, .boot_id = boot };
  struct ocf_lmdb *db = NULL;
  struct ocf_err err = { .code = 0 };
  if (ocf_lmdb_open(&cfg, &f->alloc, &db, rep, &err) != 0)
    fail_msg("open: %s (%s)", err.msg, err.cure);
  return db;
}

static inline struct ocf_lmdb *fx_open(struct fixture *f)
{
  struct ocf_lmdb_report rep;
  struct ocf_lmdb *db = fx_open_as(f, NULL, &rep);
  if (rep.set_aside || rep.went_back)
    fail_msg("opened with: %s", rep.note.msg);
  return db;
}

static inline void fx_close(struct ocf_lmdb *db)
{
  assert_int_equal(ocf_lmdb_close(db, NULL), 0);
}

/* Row `i` of version `v`: its length and bytes follow from both. */
static inline struct ocf_bytes fx_value(uint32_t i, uint32_t v, uint8_t *dst)
{
  size_t n = 8 + (i * 37 + v * 11) % 300 + (i % 23 == 5 ? 5000 : 0);
  memcpy(dst, &i, 4);
  memcpy(dst + 4, &v, 4);
  for (size_t j = 8; j < n; j++)
    dst[j] = (uint8_t)(i + v * 7 + j);
  return ocf_bytes(dst, n);
}

static inline struct ocf_bytes fx_key(uint32_t i, uint8_t *dst)
{
  int n = snprintf((char *)dst, 32, "row/%u/%u", i % 7, i);
  return ocf_bytes(dst, (size_t)n);
}

/* Writes rows [from, to) in version `v` and commits. */
static inline void fx_write(struct ocf_lmdb *db, uint32_t from, uint32_t to, uint32_t v)
{
  uint8_t key[32], val[6000];
  for (uint32_t i = from; i < to; i++)
    assert_int_equal(ocf_kv_put(ocf_lmdb_kv(db), fx_key(i, key), fx_value(i, v, val)), 0);
  assert_int_equal(ocf_kv_commit(ocf_lmdb_kv(db)), 0);
}

/* Rows [0, n) are of version `v`, and there are no others. */
static inline bool fx_holds(struct ocf_lmdb *db, uint32_t n, uint32_t v)
{
  uint8_t key[32], val[6000];
  struct ocf_bytes got;
  struct ocf_lmdb_stats st;
  for (uint32_t i = 0; i < n; i++) {
    if (ocf_kv_get(ocf_lmdb_kv(db), fx_key(i, key), &got) != 0 ||
        !ocf_bytes_eq(got, fx_value(i, v, val)))
      return false;
  }
  ocf_lmdb_stats(db, &st);
  return st.rows == n;
}

/* Walks all rows; false when one does not read. */
static inline bool fx_walks(struct ocf_lmdb *db, uint64_t *n)
{
  uint8_t at[OCF_KV_KEY_MAX + 1];
  size_t at_n = 0;
  struct ocf_bytes k, v;
  int r;
  *n = 0;
  while ((r = ocf_kv_seek(ocf_lmdb_kv(db), ocf_bytes(at, at_n), &k, &v)) == 0) {
    memcpy(at, k.p, k.n);
    at[k.n] = 0;
    at_n = k.n + 1;
    (*n)++;
  }
  return r == OCF_ENOENT;
}

struct image {
  uint8_t *p;
  size_t n;
};

static inline struct image fx_load(const struct fixture *f, const char *file)
{
  char name[200];
  struct image m = { NULL, 0 };
  struct stat st;
  (void)snprintf(name, sizeof(name), "%s/%s", f->store, file);
  int fd = open(name, O_RDONLY);
  assert_true(fd >= 0 && fstat(fd, &st) == 0);
  m.n = (size_t)st.st_size;
  m.p = malloc(m.n + 1);
  assert_non_null(m.p);
  assert_int_equal(read(fd, m.p, m.n), m.n);
  (void)close(fd);
  return m;
}

static inline void fx_save(const struct fixture *f, const char *file, const void *p, size_t n)
{
  char name[200];
  (void)mkdir(f->store, 0700);
  (void)snprintf(name, sizeof(name), "%s/%s", f->store, file);
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, p, n), n);
  (void)close(fd);
}

#endif
