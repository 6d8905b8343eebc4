/* An ordered key-value store with one implicit transaction: what a replica keeps its history in.
 *
 * Two stores stand behind it: the one in memory here (ocf_kv_mem_open: tests, simulation, nodes
 * without a disk) and store/lmdb. `kv_contract.h` holds the tests that both pass.
 *
 * Transactions. Every change since the last commit (or since opening) belongs to one transaction of
 * the owner. Reads see it. ocf_kv_commit makes all of it durable together: after a kill at any
 * point either all or none is there. ocf_kv_abort goes back to the last commit. Closing without a
 * commit is an abort.
 *
 * Order. Keys are compared as unsigned bytes, a prefix before its extensions. Iteration is
 * ocf_kv_seek to a prefix, then to the last key with a zero byte behind it.
 *
 * Bounds. Keys are 1..OCF_KV_KEY_MAX bytes, values 0..OCF_KV_VALUE_MAX; others are OCF_EINVAL and
 * change nothing (ocf_kv_get and ocf_kv_seek included; ocf_kv_seek also takes the empty key, which
 * is before every key, and a key one byte over the maximum, for "the one after").
 *
 * Errors. OCF_EIO says that the store failed: the owner stops using it (only ocf_kv_abort and the
 * store's own close are still allowed). OCF_ELIMIT says that it is full and OCF_ENOMEM that memory
 * ran out: the call changed nothing, and the transaction may go on, be aborted or be committed.
 *
 * One owner, one thread. */
#ifndef OCF_CRDT_KV_KV_H
#define OCF_CRDT_KV_KV_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

#define OCF_KV_KEY_MAX ((size_t)511)
#define OCF_KV_VALUE_MAX ((size_t)4 << 20)

struct ocf_kv;

/* What a store provides. The calls below check the bounds first, so an implementation may rely on
 * them. */
struct ocf_kv_ops {
  int (*get)(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val);
  int (*put)(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val);
  int (*del)(struct ocf_kv *kv, struct ocf_bytes key);
  int (*seek)(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
              struct ocf_bytes *val);
  int (*commit)(struct ocf_kv *kv);
  void (*abort)(struct ocf_kv *kv);
  uint64_t (*bytes)(const struct ocf_kv *kv);
};

/* Embedded first in a store's own struct. */
struct ocf_kv {
  const struct ocf_kv_ops *ops;
};

/* `*val` shows the value of `key`: a view lent until the next put, del, commit or abort (reads do
 * not end it). 0, OCF_ENOENT, OCF_EINVAL or OCF_EIO; `*val` is set only on 0. */
OCF_NODISCARD int ocf_kv_get(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val);

/* Sets `key` to `val`, new or not. Both are copied; they may not be views lent by this store. 0,
 * OCF_EINVAL, OCF_ELIMIT, OCF_ENOMEM or OCF_EIO. */
OCF_NODISCARD int ocf_kv_put(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val);

/* Removes `key`; one that is not there is fine. `key` may not be a view lent by this store. 0,
 * OCF_EINVAL, OCF_ELIMIT, OCF_ENOMEM or OCF_EIO. */
OCF_NODISCARD int ocf_kv_del(struct ocf_kv *kv, struct ocf_bytes key);

/* The smallest key >= `from` and its value, lent as by ocf_kv_get. OCF_ENOENT when there is none;
 * `*key` and `*val` are set only on 0. `from` may be a lent view. */
OCF_NODISCARD int ocf_kv_seek(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
                              struct ocf_bytes *val);

/* Makes the transaction durable and begins the next. 0, or the transaction is aborted and OCF_EIO,
 * OCF_ELIMIT (no room) or OCF_ENOMEM says why. Nothing changed: 0, for free. */
OCF_NODISCARD int ocf_kv_commit(struct ocf_kv *kv);

/* Back to the last commit. Cannot fail. */
void ocf_kv_abort(struct ocf_kv *kv);

/* Bytes that the store takes now, for reports and limits: about, and at least keys and values. */
uint64_t ocf_kv_bytes(const struct ocf_kv *kv);

/* ---- the store in memory ---- */

/* A store that lasts as long as its memory: sorted, transactional, gone at close. `max_bytes` of
 * keys, values and bookkeeping (the undo of the running transaction included), 0 = none; over it a
 * put is OCF_ELIMIT. The allocator outlives the store. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_kv_mem_open(struct ocf_alloc *a, size_t max_bytes, struct ocf_kv **out);

/* Frees it; NULL is fine. */
void ocf_kv_mem_close(struct ocf_kv *kv);

#endif
