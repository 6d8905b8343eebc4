/* Intrusive pairing heap: the least element first. Push and peek O(1), pop and remove O(log n)
 * amortised. No memory of its own, hence no failure and no bound: the elements are the owner's.
 *
 * Belongs to one loop. Elements that compare equal come out in an order that depends only on the
 * sequence of calls. */
#ifndef OCF_BASE_DS_HEAP_H
#define OCF_BASE_DS_HEAP_H

#include "base/core/core.h"

/* Embedded in the element, zeroed before first use. */
struct ocf_heap_node {
  struct ocf_heap_node *child, *next; /* the first child; the next sibling */
  struct ocf_heap_node *prev;         /* the former sibling, or the parent of a first child */
};

struct ocf_heap {
  struct ocf_heap_node *root;
  size_t n;
  /* Whether `a` comes before `b`; a strict weak order that does not change while they are inside.
   */
  bool (*less)(const struct ocf_heap_node *a, const struct ocf_heap_node *b);
};

void ocf_heap_init(struct ocf_heap *h,
                   bool (*less)(const struct ocf_heap_node *a, const struct ocf_heap_node *b));
/* `node` is in no heap. */
void ocf_heap_push(struct ocf_heap *h, struct ocf_heap_node *node);
/* The least, unlinked; NULL when empty. */
struct ocf_heap_node *ocf_heap_pop(struct ocf_heap *h);
/* Unlinks `node`, which is in this heap. To change a key: remove, change, push. */
void ocf_heap_remove(struct ocf_heap *h, struct ocf_heap_node *node);

static inline struct ocf_heap_node *ocf_heap_peek(const struct ocf_heap *h)
{
  return h->root;
}

#endif
