/* Intrusive cache of bounded size that forgets what was used longest ago. A map for finding, a list
 * for the order.
 *
 * The elements are the owner's: ocf_lru_put() hands back the one that must go, and the owner frees
 * it. Belongs to one loop. */
#ifndef OCF_BASE_DS_LRU_H
#define OCF_BASE_DS_LRU_H

#include "base/core/core.h"
#include "base/ds/list.h"
#include "base/ds/map.h"

struct ocf_lru_node {
  struct ocf_map_node map; /* its key bytes are borrowed from the element, as in a map */
  struct ocf_list link;
};

struct ocf_lru {
  struct ocf_map map;
  struct ocf_list order; /* most recently used first */
};

/* At most `max` > 0 elements. */
void ocf_lru_init(struct ocf_lru *c, struct ocf_alloc *a, const uint64_t seed[2], size_t max);
/* Frees the table; first take the elements out with ocf_lru_pop_oldest(), or forget them. */
void ocf_lru_fini(struct ocf_lru *c);
/* Inserts `node` as the most recent. When the cache was full, `*evicted` is the oldest element,
 * already unlinked; otherwise NULL. 0, OCF_EEXIST, OCF_ENOMEM; on an error nothing changed and
 * `*evicted` is NULL. */
OCF_NODISCARD int ocf_lru_put(struct ocf_lru *c, struct ocf_lru_node *node, struct ocf_bytes key,
                              struct ocf_lru_node **evicted);
/* Finds and makes it the most recent; NULL when absent. */
struct ocf_lru_node *ocf_lru_get(struct ocf_lru *c, struct ocf_bytes key);
/* Finds without touching the order. */
struct ocf_lru_node *ocf_lru_peek(const struct ocf_lru *c, struct ocf_bytes key);
/* Unlinks `node`, which is in the cache. */
void ocf_lru_remove(struct ocf_lru *c, struct ocf_lru_node *node);
/* The oldest, unlinked; NULL when empty. */
struct ocf_lru_node *ocf_lru_pop_oldest(struct ocf_lru *c);

static inline size_t ocf_lru_count(const struct ocf_lru *c)
{
  return c->map.n;
}

#endif
