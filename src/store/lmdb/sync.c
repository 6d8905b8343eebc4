/* Checkpoints while the store is in use. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/lmdb/check.h"
#include "store/lmdb/lmdb_int.h"

enum state { WAITS, RUNS, DONE, CANCELLED };

/* Lives from begin to end, which the store may not: what `run` needs is its own. */
struct ocf_lmdb_sync {
  struct ocf_alloc *a;
  struct ocf_lmdb *db; /* NULL: closed meanwhile */
  int data_fd, dir_fd;
  struct ocf_lmdb_checkpoint ckpt;
  MDB_txn *pin; /* the next one of the store */
  uint64_t n_commits;
  char path[OCF_LMDB_PATH_MAX];
  pthread_mutex_t lock;
  pthread_cond_t ended;
  enum state state; /* under `lock` */
  int err;          /* errno of the run; under `lock` */
};

size_t ocf_lmdb_last_page(const struct ocf_lmdb *db)
{
  MDB_envinfo info;
  OCF_ASSERT(mdb_env_info(db->env, &info) == 0);
  return info.me_last_pgno;
}

/* The reader, and the meta page of the transaction that it reads. */
static bool pin_newest(struct ocf_lmdb *db, struct ocf_lmdb_sync *s, int fd)
{
  if (mdb_txn_begin(db->env, NULL, MDB_RDONLY, &s->pin) != 0)
    return false;
  size_t txn = mdb_txn_id(s->pin);
  s->ckpt.seq = db->seq + 1;
  memcpy(s->ckpt.boot, db->boot, sizeof(s->ckpt.boot));
  if (ocf_lmdb_read_meta(fd, txn & 1, db->page_size, &s->ckpt.meta) && s->ckpt.meta.txn == txn)
    return true;
  mdb_txn_abort(s->pin);
  return false;
}

static bool own_descriptors(struct ocf_lmdb *db, struct ocf_lmdb_sync *s, int fd)
{
  s->data_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  s->dir_fd = fcntl(db->dir_fd, F_DUPFD_CLOEXEC, 0);
  if (s->data_fd >= 0 && s->dir_fd >= 0)
    return true;
  if (s->data_fd >= 0)
    (void)close(s->data_fd);
  if (s->dir_fd >= 0)
    (void)close(s->dir_fd);
  return false;
}

/* Pages of the file that this process has looked at count as its memory. They stay in the page
 * cache; the process forgets that it saw them. Views stay valid. */
static void forget_pages(const struct ocf_lmdb *db)
{
  if (db->map != NULL)
    (void)madvise(db->map, db->map_bytes, MADV_DONTNEED);
}

/* 0, OCF_ENOMEM, or OCF_EIO when the store lets no reader in. */
static int begin(struct ocf_lmdb *db, struct ocf_lmdb_sync **out)
{
  int fd;
  struct ocf_lmdb_sync *s = OCF_NEW(db->a, struct ocf_lmdb_sync);
  if (s == NULL)
    return OCF_ENOMEM;
  s->a = db->a;
  s->db = db;
  s->n_commits = db->n_unsynced;
  memcpy(s->path, db->path, sizeof(s->path));
  OCF_ASSERT(mdb_env_get_fd(db->env, &fd) == 0);
  bool ok = own_descriptors(db, s, fd);
  if (ok && !pin_newest(db, s, fd)) {
    (void)close(s->data_fd);
    (void)close(s->dir_fd);
    ok = false;
  }
  if (!ok) {
    OCF_DELETE(db->a, s);
    return OCF_EIO;
  }
  OCF_ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
  OCF_ASSERT(pthread_cond_init(&s->ended, NULL) == 0);
  db->sync = s;
  *out = s;
  return 0;
}

struct ocf_lmdb_sync *ocf_lmdb_sync_begin(struct ocf_lmdb *db)
{
  struct ocf_lmdb_sync *s = NULL;
  if (db->n_unsynced == 0)
    forget_pages(db);
  if (db->sync != NULL || db->n_unsynced == 0 || db->dead || begin(db, &s) != 0)
    return NULL;
  return s;
}

void ocf_lmdb_sync_run(void *sync)
{
  struct ocf_lmdb_sync *s = sync;
  OCF_ASSERT(pthread_mutex_lock(&s->lock) == 0);
  bool go = s->state == WAITS;
  if (go)
    s->state = RUNS;
  OCF_ASSERT(pthread_mutex_unlock(&s->lock) == 0);
  if (!go)
    return;
  int e = ocf_lmdb_checkpoint_write(s->dir_fd, s->data_fd, &s->ckpt);
  OCF_ASSERT(pthread_mutex_lock(&s->lock) == 0);
  s->err = e;
  s->state = DONE;
  OCF_ASSERT(pthread_cond_broadcast(&s->ended) == 0);
  OCF_ASSERT(pthread_mutex_unlock(&s->lock) == 0);
}

/* The newer checkpoint stands: its pages are kept, the older one's need not be any more. */
static void take_over(struct ocf_lmdb *db, struct ocf_lmdb_sync *s)
{
  mdb_txn_abort(db->pin);
  db->pin = s->pin;
  db->pin_last_page = s->ckpt.meta.last_page;
  db->n_unsynced -= s->n_commits;
  db->seq = s->ckpt.seq;
  forget_pages(db);
}

/* With the store still there. */
static void settle(struct ocf_lmdb_sync *s)
{
  struct ocf_lmdb *db = s->db;
  if (s->state == DONE && s->err == 0)
    take_over(db, s);
  else
    mdb_txn_abort(s->pin);
  db->sync = NULL;
  s->db = NULL;
}

void ocf_lmdb_sync_detach(struct ocf_lmdb *db)
{
  struct ocf_lmdb_sync *s = db->sync;
  if (s == NULL)
    return;
  OCF_ASSERT(pthread_mutex_lock(&s->lock) == 0);
  while (s->state == RUNS)
    OCF_ASSERT(pthread_cond_wait(&s->ended, &s->lock) == 0);
  settle(s);
  s->state = CANCELLED;
  OCF_ASSERT(pthread_mutex_unlock(&s->lock) == 0);
}

int ocf_lmdb_sync_end(struct ocf_lmdb_sync *s, struct ocf_err *err)
{
  OCF_ASSERT(s->state == DONE || s->state == CANCELLED);
  bool closed = s->db == NULL;
  if (!closed)
    settle(s);
  int r = closed ? OCF_ECANCELED : 0;
  if (!closed && s->err != 0)
    r = ocf_lmdb_os_error(err, s->err, "write a checkpoint of", s->path);
  (void)close(s->data_fd);
  (void)close(s->dir_fd);
  OCF_ASSERT(pthread_cond_destroy(&s->ended) == 0);
  OCF_ASSERT(pthread_mutex_destroy(&s->lock) == 0);
  OCF_DELETE(s->a, s);
  return r;
}

int ocf_lmdb_sync_now(struct ocf_lmdb *db, struct ocf_err *err)
{
  if (db->n_unsynced == 0 || db->sync != NULL)
    return 0;
  struct ocf_lmdb_sync *s = NULL;
  int r = db->dead ? OCF_EIO : begin(db, &s);
  if (r != 0)
    return ocf_err_set(err, r, "check the disk", "cannot begin a checkpoint of %s: %s", db->path,
                       ocf_strerror(r));
  ocf_lmdb_sync_run(s);
  return ocf_lmdb_sync_end(s, err);
}
