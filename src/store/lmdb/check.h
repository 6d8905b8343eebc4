/* Whether a tree of LMDB's file is what it should be, read without LMDB.
 *
 * LMDB trusts its file: a page number out of range is a bus error, a bad offset a wild read. So
 * before LMDB sees a file, this reads all that is reachable from a meta page, with pread (a file
 * cut short is then an error, and no signal) and no more memory than a page for each level, a bit
 * for each page and the largest value. After it, LMDB finds nothing outside the file, no page
 * reached twice or free as well, keys in order, offsets inside their pages, and counts that are
 * true; and every row has its checksum. What it costs: docs/decisions/0006.
 *
 * Not safe against a file that changes meanwhile: the store's lock is held. */
#ifndef OCF_STORE_LMDB_CHECK_H
#define OCF_STORE_LMDB_CHECK_H

#include "base/core/core.h"
#include "base/mem/alloc.h"
#include "store/lmdb/format.h"

struct ocf_lmdb_found {
  uint64_t rows, used_pages, free_pages;
  const char *why; /* of OCF_EINVAL; static */
  size_t page;     /* where */
};

/* Reads meta page `slot`, 0 or 1, and judges it by itself; the one in slot 0 may state any page
 * size when `page_size` is 0. False: damaged. */
bool ocf_lmdb_read_meta(int fd, size_t slot, size_t page_size, struct ocf_lmdb_meta *out);

/* Checks all that `m` reaches in the file `fd`. 0, OCF_EINVAL (damaged), OCF_ENOMEM. `found` is
 * always filled. */
OCF_NODISCARD int ocf_lmdb_check(int fd, const struct ocf_lmdb_meta *m, struct ocf_alloc *a,
                                 struct ocf_lmdb_found *found);

/* As ocf_lmdb_read_meta judges. */
bool ocf_lmdb_meta_ok(const struct ocf_lmdb_meta *m);

#endif
