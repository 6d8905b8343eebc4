/* The store on disk: struct ocf_kv over LMDB, one folder for each store.
 *
 *     <path>.lock           held while the store is open; says the pid
 *     <path>/data.mdb       LMDB's file
 *     <path>/lock.mdb       LMDB's table of readers; of no worth while nobody has the store open
 *     <path>/checkpoint     the last state known to be on the disk (below)
 *     <path>.corrupt-<t>    what was damaged, set aside at Unix time t; the last two are kept
 *
 * What survives what. A commit is handed to the kernel, not awaited from the disk (MDB_NOSYNC), so
 * it costs microseconds and survives the end of the process in any way, kill -9 included. A power
 * cut goes back, whole, to the last checkpoint: ocf_lmdb_sync_begin and its two sisters make one,
 * and the owner runs them as a job every few seconds and when it ends. What is lost in between is a
 * replica's newest history, which the other replicas still have and announce again, and at worst
 * a few seconds of our own writes that nobody had fetched yet, which their writer repeats.
 *
 * How a checkpoint stays whole: LMDB never writes over a page that a reader may still see. A reader
 * stands at the checkpoint's transaction for as long as it is the newest one, so all its pages stay
 * in place; the file `checkpoint` holds copies of its meta page and of the one before, each with
 * the id of the boot in which it was made, so that a torn write costs nothing. Opened in the same
 * boot, the store's newest transaction counts, for the kernel has all of it. After another boot,
 * only the checkpoint counts.
 *
 * Damage. Opening reads the whole tree before LMDB does: every page that it could reach must be
 * where and what it should be, each row must match its checksum, and no page may be used twice
 * (check.h). What fails is tried again at the transaction before it and at the checkpoint; if none
 * is whole, the folder is set aside and an empty store begins. A row that does not match its
 * checksum while running is OCF_EIO. A file that another program cuts short while we run kills
 * the process (SIGBUS); the next start sets it aside.
 *
 * Size. `max_bytes` bounds the file's pages in use; a put over it is OCF_ELIMIT and changes
 * nothing. All of it is mapped at once, as address space that costs no memory, so that the map
 * never has to grow under a transaction. A transaction holds at most OCF_LMDB_TXN_BYTES and
 * OCF_LMDB_TXN_CHANGES (OCF_ELIMIT). A commit without room on the disk is OCF_ELIMIT too: SIGXFSZ
 * must be ignored by the process for the case of a file size limit.
 *
 * Threading: one owner, one thread, except ocf_lmdb_sync_run. Not usable in a forked child. */
#ifndef OCF_STORE_LMDB_LMDB_H
#define OCF_STORE_LMDB_LMDB_H

#include "base/core/core.h"
#include "base/core/err.h"
#include "base/mem/alloc.h"
#include "crdt/kv/kv.h"

#define OCF_LMDB_MAX_BYTES ((uint64_t)4 << 30)
#define OCF_LMDB_TXN_BYTES ((size_t)128 << 20)
#define OCF_LMDB_TXN_CHANGES ((size_t)32768)
enum { OCF_LMDB_ASIDE_MAX = 2, OCF_LMDB_PATH_MAX = 1024 };

struct ocf_lmdb;

struct ocf_lmdb_config {
  const char *path;    /* the store's folder; made when missing, its parent must exist */
  uint64_t max_bytes;  /* 0: OCF_LMDB_MAX_BYTES */
  const char *boot_id; /* tests: which boot this is; NULL: the kernel's word */
};

/* What opening found; `note` is for the operator's log unless its code is 0. */
struct ocf_lmdb_report {
  bool created;   /* the store is new and empty, whatever the reason */
  bool set_aside; /* a damaged one was there */
  bool went_back; /* the newest state was not whole or not on disk: an older one stands */
  uint64_t rows, file_bytes, check_ns; /* of the check at opening */
  struct ocf_err note;
};

/* Opens or creates. Blocks: reads the whole store (50-100 ms for 100 MB in the page cache), and
 * writes a checkpoint when there was none of this state. `rep` may be NULL. 0 or, with `err` saying
 * what and the cure, OCF_EINUSE (another process has it), OCF_EPERM, OCF_ELIMIT (no room on the
 * disk), OCF_ENOMEM, OCF_EINVAL (the path), OCF_EIO. The allocator outlives the store; LMDB itself
 * takes from the C library's heap. */
OCF_NODISCARD int ocf_lmdb_open(const struct ocf_lmdb_config *cfg, struct ocf_alloc *a,
                                struct ocf_lmdb **out, struct ocf_lmdb_report *rep,
                                struct ocf_err *err);
/* Aborts what is not committed, makes a last checkpoint (waits for a running one), closes. NULL is
 * fine. 0, or OCF_EIO/OCF_ELIMIT when the last checkpoint could not be written: the store is closed
 * all the same. */
int ocf_lmdb_close(struct ocf_lmdb *db, struct ocf_err *err);

/* The store as the owner's key-value store; valid until the close. */
struct ocf_kv *ocf_lmdb_kv(struct ocf_lmdb *db);

/* The three parts of a checkpoint, in the shape of a job of node/env: begin on the owner's thread,
 * run (of any thread) does the waiting, end on the owner's thread frees it. The store may be closed
 * in between: run then does nothing. */
struct ocf_lmdb_sync;
/* A checkpoint of the last commit; also gives back what the process has mapped of the file. NULL
 * when there is nothing new, one is under way, or memory ran out: try again later. */
struct ocf_lmdb_sync *ocf_lmdb_sync_begin(struct ocf_lmdb *db);
void ocf_lmdb_sync_run(void *sync);
/* 0, OCF_ECANCELED when the store was closed meanwhile, or OCF_EIO/OCF_ELIMIT: the older checkpoint
 * stands, `err` (may be NULL) says why. */
int ocf_lmdb_sync_end(struct ocf_lmdb_sync *sync, struct ocf_err *err);
/* All three at once; blocks. Nothing new: 0. */
OCF_NODISCARD int ocf_lmdb_sync_now(struct ocf_lmdb *db, struct ocf_err *err);

struct ocf_lmdb_stats {
  uint64_t rows;
  uint64_t file_bytes, used_bytes; /* used: without free pages */
  uint64_t commits;                /* since opening */
  uint64_t commits_unsynced;       /* since the checkpoint */
};
/* The first call after a commit reads the list of free pages. */
void ocf_lmdb_stats(struct ocf_lmdb *db, struct ocf_lmdb_stats *out);
/* `commits_unsynced` alone, for every turn. */
uint64_t ocf_lmdb_unsynced(const struct ocf_lmdb *db);

/* Removes the store (for `--cleanslate`), not what was set aside. 0 also when there is none;
 * OCF_EINUSE, OCF_EPERM or OCF_EIO with `err` filled. */
OCF_NODISCARD int ocf_lmdb_remove(const char *path, struct ocf_err *err);

#endif
