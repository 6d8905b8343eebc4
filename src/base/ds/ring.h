/* FIFO of a fixed number of elements of one size, in memory taken once at init: events that wait to
 * be pulled, recent samples. Full means full: the caller decides what to do then.
 *
 * Belongs to one loop. Elements are plain data, copied in and out. */
#ifndef OCF_BASE_DS_RING_H
#define OCF_BASE_DS_RING_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

struct ocf_ring {
  struct ocf_alloc *a;
  uint8_t *p;
  size_t size;          /* bytes of an element */
  size_t first, n, cap; /* elements; first < cap, n <= cap */
};

/* cap and size > 0. 0, OCF_EINVAL when cap * size overflows, OCF_ENOMEM. */
OCF_NODISCARD int ocf_ring_init(struct ocf_ring *r, struct ocf_alloc *a, size_t size, size_t cap);
void ocf_ring_fini(struct ocf_ring *r);
void ocf_ring_clear(struct ocf_ring *r);

/* Copies an element to the end. 0, or OCF_ELIMIT when full. */
OCF_NODISCARD int ocf_ring_push(struct ocf_ring *r, const void *elem);
/* The same, dropping the oldest element when full: a window of the latest `cap`. */
void ocf_ring_push_over(struct ocf_ring *r, const void *elem);
/* Moves the oldest element into `out`, which may be NULL to drop it. False when empty. */
bool ocf_ring_pop(struct ocf_ring *r, void *out);
/* The i-th oldest, i < n; lent until the next push or pop. */
void *ocf_ring_at(const struct ocf_ring *r, size_t i);

static inline bool ocf_ring_full(const struct ocf_ring *r)
{
  return r->n == r->cap;
}

#endif
