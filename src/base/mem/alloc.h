/* Memory through a value: every module allocates from the `struct ocf_alloc` it was given, so that
 * live bytes are counted, capped, and the n-th call can be made to fail in tests.
 *
 * One allocator belongs to one loop (thread); it takes no lock. Frees name the size, so no header
 * is kept per block. */
#ifndef OCF_BASE_MEM_ALLOC_H
#define OCF_BASE_MEM_ALLOC_H

#include "base/core/core.h"

struct ocf_alloc {
  /* realloc-shaped: p NULL allocates, new_size 0 frees. Returns NULL when it cannot (or on a free).
   */
  void *(*fn)(struct ocf_alloc *a, void *p, size_t old_size, size_t new_size);
  size_t live_bytes, live_blocks, peak_bytes;
  size_t limit_bytes; /* live_bytes never passes it; 0 = none */
  uint64_t n_calls;   /* allocations and growths so far; the failing allocator counts with it */
  uint64_t
      fail_at; /* tests: the call with this number (from 1) and all later ones fail; 0 = never */
};

/* An allocator on the C library's heap. */
void ocf_alloc_init(struct ocf_alloc *a);

/* `n` bytes, uninitialised (0xA5 in debug builds); NULL when out of memory or over the limit. n >
 * 0. */
OCF_NODISCARD void *ocf_alloc_get(struct ocf_alloc *a, size_t n);
/* As ocf_alloc_get, zeroed. */
OCF_NODISCARD void *ocf_alloc_zero(struct ocf_alloc *a, size_t n);
/* Grows or shrinks a block in the way of realloc; on NULL the old block stands. */
OCF_NODISCARD void *ocf_alloc_resize(struct ocf_alloc *a, void *p, size_t old_n, size_t new_n);
/* Returns a block of exactly `n` bytes. p may be NULL. */
void ocf_alloc_put(struct ocf_alloc *a, void *p, size_t n);

#define OCF_NEW(a, type) ((type *)ocf_alloc_zero((a), sizeof(type)))
#define OCF_DELETE(a, p) ocf_alloc_put((a), (p), sizeof(*(p)))

#endif
