/* Intrusive hash map with a secret seed (SipHash-1-3 over the key bytes), so that peers cannot
 * choose colliding keys. Iteration order depends on seed and insertion history only: a seeded
 * simulation repeats exactly. Belongs to one loop. */
#ifndef OCF_BASE_DS_MAP_H
#define OCF_BASE_DS_MAP_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

/* Embedded in the element. The key bytes are borrowed from the element and must not change or move
 * while it is in a map. */
struct ocf_map_node {
  struct ocf_map_node *next;
  struct ocf_bytes key;
  uint64_t hash;
};

struct ocf_map {
  struct ocf_alloc *a;
  struct ocf_map_node **slots;
  size_t n_slots; /* a power of two, or 0 before the first insert */
  size_t n, max;  /* elements; n <= max */
  uint64_t seed[2];
};

void ocf_map_init(struct ocf_map *m, struct ocf_alloc *a, const uint64_t seed[2], size_t max);
/* Frees the table; the elements stay the owner's. */
void ocf_map_fini(struct ocf_map *m);
/* 0, OCF_EEXIST (nothing changed), OCF_ELIMIT at `max`, OCF_ENOMEM. */
OCF_NODISCARD int ocf_map_insert(struct ocf_map *m, struct ocf_map_node *node,
                                 struct ocf_bytes key);
struct ocf_map_node *ocf_map_find(const struct ocf_map *m, struct ocf_bytes key);
/* Unlinks `node`, which must be in the map. */
void ocf_map_remove(struct ocf_map *m, struct ocf_map_node *node);
/* Makes a table that holds few elements for its size fit them again; nothing happens when there is
 * no memory for that. Not during a walk. */
void ocf_map_trim(struct ocf_map *m);
/* Visits every element: `*it` starts zeroed; false at the end. The element just returned may be
 * removed before the next call; nothing may be inserted during the walk. */
struct ocf_map_iter {
  size_t slot;
  struct ocf_map_node *next;
};
bool ocf_map_next(const struct ocf_map *m, struct ocf_map_iter *it, struct ocf_map_node **out);

uint64_t ocf_siphash13(const uint64_t seed[2], const void *p, size_t n);

#endif
