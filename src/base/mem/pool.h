/* Pool of objects of one size: a bounded stock of free ones saves the way to the allocator.
 *
 * Bounded twice: at most `max_used` objects exist outside, at most `max_free` wait inside. Belongs
 * to one loop. */
#ifndef OCF_BASE_MEM_POOL_H
#define OCF_BASE_MEM_POOL_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

struct ocf_pool {
  struct ocf_alloc *a;
  void *free; /* a chain through the first word of each free object */
  size_t size;
  size_t n_used, max_used, n_free, max_free;
};

/* `size` > 0 is rounded up to hold a pointer. */
void ocf_pool_init(struct ocf_pool *p, struct ocf_alloc *a, size_t size, size_t max_used,
                   size_t max_free);
/* Every object must be back. */
void ocf_pool_fini(struct ocf_pool *p);
/* An uninitialised object; NULL at `max_used` or when out of memory. */
OCF_NODISCARD void *ocf_pool_get(struct ocf_pool *p);
/* Takes an object of this pool back; NULL is fine. */
void ocf_pool_put(struct ocf_pool *p, void *obj);
/* Gives the free objects back to the allocator. */
void ocf_pool_trim(struct ocf_pool *p);

#endif
