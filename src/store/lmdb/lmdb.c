#include "store/lmdb/lmdb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/lmdb/lmdb_int.h"

/* Beyond `max_bytes`: room for the largest transaction, and for pages that the pin keeps. */
#define RESERVE_BYTES ((size_t)1 << 30)
#define TXN_ROOM_BYTES ((size_t)768 << 20)
/* Once the file has grown so far without a checkpoint, a commit waits for one. */
#define UNSYNCED_BYTES ((size_t)64 << 20)
enum { ROW_BYTES = 64 }; /* of a change, beside key and value */

static struct ocf_lmdb *lmdb_of(struct ocf_kv *kv)
{
  return OCF_CONTAINER_OF(kv, struct ocf_lmdb, kv);
}

/* What LMDB cannot go on from ends the transaction; some of it ends the store. */
static int broke(struct ocf_lmdb *db, int rc)
{
  db->failed = true;
  db->dead = db->dead || rc == MDB_PANIC || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND;
  return OCF_EIO;
}

static int need_txn(struct ocf_lmdb *db)
{
  if (db->failed || db->dead)
    return OCF_EIO;
  if (db->txn != NULL)
    return 0;
  int rc = mdb_txn_begin(db->env, NULL, 0, &db->txn);
  if (rc == 0)
    return 0;
  db->txn = NULL;
  return broke(db, rc);
}

/* ---- reading ---- */

/* Where a large value is remembered that was checked in this transaction, so that thousands of
 * small reads out of it cost one check. It stays where it is until a large value is written, or the
 * transaction ends. NULL: too small for that. */
static struct ocf_bytes *whole_slot(struct ocf_lmdb *db, struct ocf_bytes v)
{
  if (v.n < db->page_size)
    return NULL;
  return &db->whole[(uintptr_t)v.p / db->page_size % OCF_LMDB_WHOLE_MAX];
}

static void forget_whole(struct ocf_lmdb *db)
{
  memset(db->whole, 0, sizeof(db->whole));
}

/* A row as it is stored: the value, then its tag. */
static int show(struct ocf_lmdb *db, const MDB_val *k, const MDB_val *d, struct ocf_bytes *val)
{
  uint64_t tag;
  struct ocf_bytes key = ocf_bytes(k->mv_data, k->mv_size);
  if (d->mv_size < OCF_LMDB_TAG_LEN)
    return broke(db, MDB_CORRUPTED);
  struct ocf_bytes v = ocf_bytes(d->mv_data, d->mv_size - OCF_LMDB_TAG_LEN);
  struct ocf_bytes *slot = whole_slot(db, v);
  memcpy(&tag, v.p + v.n, sizeof(tag));
  if (slot == NULL || slot->p != v.p || slot->n != v.n) {
    if (tag != ocf_lmdb_tag(key, v))
      return broke(db, MDB_CORRUPTED);
    if (slot != NULL)
      *slot = v;
  }
  *val = v;
  return 0;
}

static MDB_val mdb_view(struct ocf_bytes b)
{
  return (MDB_val){ .mv_size = b.n, .mv_data = (void *)(uintptr_t)b.p };
}

static int op_get(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val)
{
  struct ocf_lmdb *db = lmdb_of(kv);
  MDB_val k = mdb_view(key), d;
  int r = need_txn(db);
  if (r != 0)
    return r;
  int rc = mdb_get(db->txn, db->table, &k, &d);
  if (rc == MDB_NOTFOUND)
    return OCF_ENOENT;
  return rc == 0 ? show(db, &k, &d, val) : broke(db, rc);
}

static int op_seek(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
                   struct ocf_bytes *val)
{
  struct ocf_lmdb *db = lmdb_of(kv);
  MDB_val k = mdb_view(from), d;
  int r = need_txn(db);
  if (r != 0)
    return r;
  int rc = db->cur != NULL ? 0 : mdb_cursor_open(db->txn, db->table, &db->cur);
  if (rc == 0)
    rc = mdb_cursor_get(db->cur, &k, &d, from.n > 0 ? MDB_SET_RANGE : MDB_FIRST);
  if (rc == MDB_NOTFOUND)
    return OCF_ENOENT;
  r = rc == 0 ? show(db, &k, &d, val) : broke(db, rc);
  if (r == 0)
    *key = ocf_bytes(k.mv_data, k.mv_size);
  return r;
}

/* ---- room ---- */

static uint64_t file_bytes(const struct ocf_lmdb *db)
{
  return ((uint64_t)ocf_lmdb_last_page(db) + 1) * db->page_size;
}

/* Pages that the last commit left free, from LMDB's list of them, which it shows to readers only.
 * No memory for one: none. */
static uint64_t free_bytes(struct ocf_lmdb *db)
{
  MDB_txn *reader;
  MDB_cursor *c;
  MDB_val k, d;
  uint64_t n = 0;
  if (mdb_txn_begin(db->env, NULL, MDB_RDONLY, &reader) != 0)
    return 0;
  if (mdb_cursor_open(reader, 0, &c) == 0) {
    while (mdb_cursor_get(c, &k, &d, MDB_NEXT) == 0) {
      size_t count;
      memcpy(&count, d.mv_data, sizeof(count));
      n += count;
    }
    mdb_cursor_close(c);
  }
  mdb_txn_abort(reader);
  return n * db->page_size;
}

/* Once for each commit, by those who need it. */
static void count_used(struct ocf_lmdb *db)
{
  if (db->used_exact)
    return;
  db->used_bytes = file_bytes(db) - OCF_MIN(free_bytes(db), file_bytes(db));
  db->used_exact = true;
}

/* Whether a change of `n` bytes may join the transaction. Asked before LMDB is, since a full map
 * would cost the whole transaction. Removing needs no room of its own. */
static int room(struct ocf_lmdb *db, size_t n, bool removes)
{
  if (db->txn_changes >= OCF_LMDB_TXN_CHANGES || n > OCF_LMDB_TXN_BYTES - db->txn_bytes)
    return OCF_ELIMIT;
  if (file_bytes(db) + TXN_ROOM_BYTES > db->map_bytes)
    return OCF_ELIMIT;
  if (removes || db->used_bytes + db->txn_bytes + n <= db->max_bytes)
    return 0;
  count_used(db);
  return db->used_bytes + db->txn_bytes + n <= db->max_bytes ? 0 : OCF_ELIMIT;
}

/* What a row takes in the file, about: large values have pages of their own. */
static size_t row_bytes(const struct ocf_lmdb *db, size_t key, size_t val)
{
  size_t n = key + val + ROW_BYTES;
  return n < db->page_size / 2 ? n : (n / db->page_size + 1) * db->page_size;
}

/* ---- writing ---- */

static int op_put(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val)
{
  struct ocf_lmdb *db = lmdb_of(kv);
  MDB_val k = mdb_view(key), d = { .mv_size = val.n + OCF_LMDB_TAG_LEN };
  size_t n = row_bytes(db, key.n, val.n);
  int r = need_txn(db);
  if (r == 0)
    r = room(db, n, false);
  if (r != 0)
    return r;
  if (val.n >= db->page_size)
    forget_whole(db);
  int rc = mdb_put(db->txn, db->table, &k, &d, MDB_RESERVE);
  if (rc != 0)
    return broke(db, rc);
  uint64_t tag = ocf_lmdb_tag(key, val);
  uint8_t *p = d.mv_data;
  if (val.n > 0)
    memcpy(p, val.p, val.n);
  memcpy(p + val.n, &tag, sizeof(tag));
  db->txn_changes++;
  db->txn_bytes += n;
  return 0;
}

static int op_del(struct ocf_kv *kv, struct ocf_bytes key)
{
  struct ocf_lmdb *db = lmdb_of(kv);
  MDB_val k = mdb_view(key);
  int r = need_txn(db);
  if (r == 0)
    r = room(db, ROW_BYTES, true);
  if (r != 0)
    return r;
  int rc = mdb_del(db->txn, db->table, &k, NULL);
  if (rc == MDB_NOTFOUND)
    return 0;
  if (rc != 0)
    return broke(db, rc);
  db->txn_changes++;
  db->txn_bytes += ROW_BYTES;
  return 0;
}

/* ---- the transaction's end ---- */

static void forget_txn(struct ocf_lmdb *db)
{
  db->txn = NULL;
  db->cur = NULL; /* went with it */
  db->txn_changes = db->txn_bytes = 0;
  forget_whole(db);
  db->failed = false;
}

static void op_abort(struct ocf_kv *kv)
{
  struct ocf_lmdb *db = lmdb_of(kv);
  if (db->cur != NULL)
    mdb_cursor_close(db->cur);
  if (db->txn != NULL)
    mdb_txn_abort(db->txn);
  forget_txn(db);
}

/* A write that the kernel cut short comes as EIO: no room is then told from a broken disk by
 * looking. */
static int commit_error(struct ocf_lmdb *db, int rc)
{
  int fd;
  db->dead = db->dead || rc == MDB_PANIC || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND;
  if (rc == ENOMEM)
    return OCF_ENOMEM;
  if (rc == ENOSPC || rc == EDQUOT || rc == EFBIG || rc == MDB_MAP_FULL)
    return OCF_ELIMIT;
  if (rc == EIO && mdb_env_get_fd(db->env, &fd) == 0 && ocf_lmdb_is_full(fd, file_bytes(db)))
    return OCF_ELIMIT;
  return OCF_EIO;
}

static void note_commit(struct ocf_lmdb *db)
{
  db->n_commits++;
  db->n_unsynced++;
  db->used_bytes = file_bytes(db);
  db->used_exact = false;
  size_t grown = ocf_lmdb_last_page(db) - OCF_MIN(db->pin_last_page, ocf_lmdb_last_page(db));
  if (grown * db->page_size > UNSYNCED_BYTES)
    (void)!ocf_lmdb_sync_now(db, NULL); /* without it the file grows on; nothing else is lost */
}

static int op_commit(struct ocf_kv *kv)
{
  struct ocf_lmdb *db = lmdb_of(kv);
  if (db->failed || db->dead) {
    op_abort(kv);
    return OCF_EIO;
  }
  if (db->txn_changes == 0)
    return 0;
  if (db->cur != NULL)
    mdb_cursor_close(db->cur);
  int rc = mdb_txn_commit(db->txn); /* frees it, whatever it says */
  forget_txn(db);
  if (rc != 0)
    return commit_error(db, rc);
  note_commit(db);
  return 0;
}

static uint64_t op_bytes(const struct ocf_kv *kv)
{
  const struct ocf_lmdb *db = OCF_CONTAINER_OF_CONST(kv, struct ocf_lmdb, kv);
  return file_bytes(db) + db->txn_bytes;
}

static const struct ocf_kv_ops kv_ops = {
  .get = op_get,
  .put = op_put,
  .del = op_del,
  .seek = op_seek,
  .commit = op_commit,
  .abort = op_abort,
  .bytes = op_bytes,
};

struct ocf_kv *ocf_lmdb_kv(struct ocf_lmdb *db)
{
  return &db->kv;
}

/* ---- opening and closing ---- */

static int lmdb_error(struct ocf_lmdb *db, int rc, const char *what, struct ocf_err *err)
{
  if (rc > 0) /* LMDB gives errno where it has one */
    return ocf_lmdb_os_error(err, rc, what, db->path);
  return ocf_err_set(err, OCF_EIO, "start with --cleanslate, or remove that folder",
                     "cannot %s %s: %s", what, db->path, mdb_strerror(rc));
}

/* Our own lock keeps other processes out; LMDB's table of readers is used for the pin. */
static int open_env(struct ocf_lmdb *db, uint64_t file, struct ocf_err *err)
{
  enum { FLAGS = MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD };
  uint64_t map = OCF_MAX(db->max_bytes, file) + RESERVE_BYTES;
  db->map_bytes = (size_t)OCF_MIN(map, (uint64_t)SIZE_MAX / 4) & ~(size_t)0xffff;
  int rc = mdb_env_create(&db->env);
  if (rc != 0)
    return lmdb_error(db, rc, "open", err);
  if ((rc = mdb_env_set_mapsize(db->env, db->map_bytes)) != 0 ||
      (rc = mdb_env_set_maxdbs(db->env, 1)) != 0 ||
      (rc = mdb_env_set_maxreaders(db->env, 8)) != 0 ||
      (rc = mdb_env_open(db->env, db->path, FLAGS, 0600)) != 0)
    return lmdb_error(db, rc, "open", err);
  int fd;
  OCF_ASSERT(mdb_env_get_fd(db->env, &fd) == 0);
  db->map = ocf_lmdb_find_map(fd);
  OCF_ASSERT((size_t)mdb_env_get_maxkeysize(db->env) >= OCF_KV_KEY_MAX);
  return 0;
}

static int open_table(struct ocf_lmdb *db, struct ocf_err *err)
{
  MDB_stat st;
  int r = need_txn(db);
  if (r != 0)
    return ocf_err_set(err, r, NULL, "cannot begin a transaction in %s", db->path);
  int rc = mdb_dbi_open(db->txn, OCF_LMDB_TABLE, MDB_CREATE, &db->table);
  if (rc == 0)
    rc = mdb_stat(db->txn, db->table, &st);
  if (rc == 0) {
    db->page_size = st.ms_psize;
    rc = mdb_txn_commit(db->txn);
    db->txn = NULL;
  }
  return rc == 0 ? 0 : lmdb_error(db, rc, "open the table of", err);
}

/* From here on the checkpoint names a state that is on the disk, and a reader keeps it. */
static int first_checkpoint(struct ocf_lmdb *db, struct ocf_err *err)
{
  struct ocf_lmdb_checkpoint c;
  MDB_envinfo info;
  int rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->pin);
  if (rc != 0) {
    db->pin = NULL;
    return lmdb_error(db, rc, "read", err);
  }
  (void)mdb_env_info(db->env, &info);
  db->pin_last_page = info.me_last_pgno;
  db->used_bytes = file_bytes(db);
  bool has = ocf_lmdb_checkpoint_read(db->dir_fd, &c);
  db->seq = has ? c.seq : 0;
  if (has && c.meta.txn == info.me_last_txnid && strcmp(c.boot, db->boot) == 0)
    return 0;
  db->n_unsynced = 1;
  return ocf_lmdb_sync_now(db, err);
}

/* Closes what is open, which may be little. */
static void close_all(struct ocf_lmdb *db)
{
  if (db->env != NULL) {
    op_abort(&db->kv);
    if (db->pin != NULL)
      mdb_txn_abort(db->pin);
    mdb_env_close(db->env);
  }
  if (db->dir_fd >= 0)
    (void)close(db->dir_fd);
  if (db->lock_fd >= 0)
    (void)close(db->lock_fd);
  OCF_DELETE(db->a, db);
}

static int open_all(struct ocf_lmdb *db, struct ocf_lmdb_report *rep, struct ocf_err *err)
{
  db->lock_fd = ocf_lmdb_lock(db->path, err);
  if (db->lock_fd < 0)
    return db->lock_fd;
  db->dir_fd = ocf_lmdb_open_dir(db->path, err);
  if (db->dir_fd < 0)
    return db->dir_fd;
  int r = ocf_lmdb_recover(db, rep, err);
  if (r == 0)
    r = open_env(db, rep->file_bytes, err);
  if (r == 0)
    r = open_table(db, err);
  if (r == 0)
    r = first_checkpoint(db, err);
  return r;
}

int ocf_lmdb_open(const struct ocf_lmdb_config *cfg, struct ocf_alloc *a, struct ocf_lmdb **out,
                  struct ocf_lmdb_report *rep, struct ocf_err *err)
{
  struct ocf_lmdb_report ignored;
  rep = rep != NULL ? rep : &ignored;
  *rep = (struct ocf_lmdb_report){ .created = false };
  int r = ocf_lmdb_check_path(cfg->path, err);
  if (r != 0)
    return r;
  struct ocf_lmdb *db = OCF_NEW(a, struct ocf_lmdb);
  if (db == NULL)
    return ocf_err_set(err, OCF_ENOMEM, NULL, "out of memory");
  db->kv.ops = &kv_ops;
  db->a = a;
  db->lock_fd = db->dir_fd = -1;
  db->max_bytes = cfg->max_bytes > 0 ? cfg->max_bytes : OCF_LMDB_MAX_BYTES;
  (void)snprintf(db->path, sizeof(db->path), "%s", cfg->path);
  if (cfg->boot_id != NULL)
    (void)snprintf(db->boot, sizeof(db->boot), "%s", cfg->boot_id);
  else
    ocf_lmdb_boot_id(db->boot);
  r = open_all(db, rep, err);
  if (r != 0) {
    close_all(db);
    return r;
  }
  *out = db;
  return 0;
}

int ocf_lmdb_close(struct ocf_lmdb *db, struct ocf_err *err)
{
  if (db == NULL)
    return 0;
  op_abort(&db->kv);
  ocf_lmdb_sync_detach(db);
  int r = db->dead ? ocf_err_set(err, OCF_EIO, "check the disk", "the store %s failed", db->path)
                   : ocf_lmdb_sync_now(db, err);
  close_all(db);
  return r;
}

void ocf_lmdb_stats(struct ocf_lmdb *db, struct ocf_lmdb_stats *out)
{
  MDB_stat st = { .ms_entries = 0 };
  *out = (struct ocf_lmdb_stats){ .commits = db->n_commits, .commits_unsynced = db->n_unsynced };
  out->file_bytes = file_bytes(db);
  count_used(db);
  out->used_bytes = db->used_bytes;
  if (need_txn(db) != 0)
    return;
  (void)mdb_stat(db->txn, db->table, &st);
  out->rows = st.ms_entries;
}

uint64_t ocf_lmdb_unsynced(const struct ocf_lmdb *db)
{
  return db->n_unsynced;
}
