/* What the files of store/lmdb share: folder.c knows names and locks, checkpoint.c the checkpoint
 * and the meta pages, open.c finds the newest whole state, lmdb.c is the key-value store, sync.c
 * makes checkpoints while it runs. */
#ifndef OCF_STORE_LMDB_LMDB_INT_H
#define OCF_STORE_LMDB_LMDB_INT_H

#include <lmdb.h>

#include "store/lmdb/format.h"
#include "store/lmdb/lmdb.h"

enum { OCF_LMDB_BOOT_LEN = 40 };

enum { OCF_LMDB_WHOLE_MAX = 16 };

struct ocf_lmdb {
  struct ocf_kv kv; /* first */
  struct ocf_alloc *a;
  char path[OCF_LMDB_PATH_MAX];
  char boot[OCF_LMDB_BOOT_LEN]; /* "": not known, never the same as another */
  int lock_fd, dir_fd;
  MDB_env *env; /* NULL: not open */
  MDB_dbi table;
  MDB_txn *txn;    /* the owner's; NULL: none begun */
  MDB_cursor *cur; /* of txn, for seeks; NULL: none yet */
  MDB_txn *pin;    /* a reader at the checkpoint: keeps its pages */
  bool failed;     /* the transaction broke: until the abort */
  bool dead;       /* the store broke: until the close */
  size_t page_size, map_bytes;
  void *map; /* where LMDB has the file; NULL: not found */
  uint64_t max_bytes;
  uint64_t used_bytes;                        /* by the last commit; may count free pages, */
  bool used_exact;                            /* or not */
  size_t txn_changes, txn_bytes;              /* of the owner's transaction */
  struct ocf_bytes whole[OCF_LMDB_WHOLE_MAX]; /* large values of it that were found undamaged */
  size_t pin_last_page;
  uint64_t seq; /* of the last checkpoint */
  uint64_t n_commits, n_unsynced;
  struct ocf_lmdb_sync *sync; /* under way; NULL: none */
};

/* ---- folder.c ---- */

/* 0, or `err` says why the path cannot be the store's. */
OCF_NODISCARD int ocf_lmdb_check_path(const char *path, struct ocf_err *err);
/* Takes the lock of `path`: a descriptor, or a negative error with `err`. */
OCF_NODISCARD int ocf_lmdb_lock(const char *path, struct ocf_err *err);
/* Makes the folder when missing, with its rights; a descriptor of it, or a negative error. */
OCF_NODISCARD int ocf_lmdb_open_dir(const char *path, struct ocf_err *err);
/* Renames the folder to <path>.corrupt-<time>, and removes what is too many of those. */
OCF_NODISCARD int ocf_lmdb_set_aside(const char *path, char *aside, size_t cap,
                                     struct ocf_err *err);
/* An error of the operating system as ours: "cannot <what> <path>: <text>" and a cure. */
int ocf_lmdb_os_error(struct ocf_err *err, int e, const char *what, const char *path);
/* Removes the files of the store in folder `path`, and the folder. */
OCF_NODISCARD int ocf_lmdb_remove_files(const char *path, struct ocf_err *err);
/* Whether the file system of `fd` takes no more bytes at the end of a file of `size` bytes. */
bool ocf_lmdb_is_full(int fd, uint64_t size);

/* Where this process has mapped the file `fd`; NULL when that cannot be told. */
void *ocf_lmdb_find_map(int fd);

/* ---- checkpoint.c ---- */

struct ocf_lmdb_checkpoint {
  uint64_t seq; /* the larger one of two counts */
  char boot[OCF_LMDB_BOOT_LEN];
  struct ocf_lmdb_meta meta;
};

/* The id of this boot; "" when the system tells none. */
void ocf_lmdb_boot_id(char out[OCF_LMDB_BOOT_LEN]);
/* The newest one; false: there is none that is whole. */
bool ocf_lmdb_checkpoint_read(int dir_fd, struct ocf_lmdb_checkpoint *out);
/* Waits for the file `data_fd` to be on the disk, then writes the checkpoint over the older one of
 * two, and waits for that: takes no room on the disk but at the first time. 0 or errno. Any thread.
 */
OCF_NODISCARD int ocf_lmdb_checkpoint_write(int dir_fd, int data_fd,
                                            const struct ocf_lmdb_checkpoint *c);
/* Makes `m` the state that LMDB will see, whatever the meta pages say now. 0 or errno. */
OCF_NODISCARD int ocf_lmdb_write_metas(int data_fd, const struct ocf_lmdb_meta *m);

/* ---- open.c ---- */

/* Makes sure that the folder has a whole file or none, setting aside what is not whole. */
OCF_NODISCARD int ocf_lmdb_recover(struct ocf_lmdb *db, struct ocf_lmdb_report *rep,
                                   struct ocf_err *err);

/* ---- sync.c ---- */

/* The store closes: what is under way ends or will do nothing. */
void ocf_lmdb_sync_detach(struct ocf_lmdb *db);
/* The last page of the last commit. */
size_t ocf_lmdb_last_page(const struct ocf_lmdb *db);

#endif
