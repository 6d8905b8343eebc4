#include "base/ds/lru.h"

void ocf_lru_init(struct ocf_lru *c, struct ocf_alloc *a, const uint64_t seed[2], size_t max)
{
  OCF_ASSERT(max > 0);
  ocf_map_init(&c->map, a, seed, max);
  ocf_list_init(&c->order);
}

void ocf_lru_fini(struct ocf_lru *c)
{
  ocf_map_fini(&c->map);
  ocf_list_init(&c->order);
}

static struct ocf_lru_node *from_map(struct ocf_map_node *n)
{
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct ocf_lru_node, map);
}

int ocf_lru_put(struct ocf_lru *c, struct ocf_lru_node *node, struct ocf_bytes key,
                struct ocf_lru_node **evicted)
{
  *evicted = NULL;
  if (ocf_map_find(&c->map, key) != NULL)
    return OCF_EEXIST;
  if (c->map.n == c->map.max)
    *evicted = ocf_lru_pop_oldest(c);
  int err = ocf_map_insert(&c->map, &node->map, key);
  /* After an eviction the table has room, so an error implies that nothing was evicted. */
  OCF_ASSERT(err == 0 || *evicted == NULL);
  if (err == 0)
    ocf_list_push_front(&c->order, &node->link);
  return err;
}

struct ocf_lru_node *ocf_lru_peek(const struct ocf_lru *c, struct ocf_bytes key)
{
  return from_map(ocf_map_find(&c->map, key));
}

struct ocf_lru_node *ocf_lru_get(struct ocf_lru *c, struct ocf_bytes key)
{
  struct ocf_lru_node *n = ocf_lru_peek(c, key);
  if (n != NULL) {
    ocf_list_remove(&n->link);
    ocf_list_push_front(&c->order, &n->link);
  }
  return n;
}

void ocf_lru_remove(struct ocf_lru *c, struct ocf_lru_node *node)
{
  ocf_map_remove(&c->map, &node->map);
  ocf_list_remove(&node->link);
}

struct ocf_lru_node *ocf_lru_pop_oldest(struct ocf_lru *c)
{
  if (ocf_list_empty(&c->order))
    return NULL;
  struct ocf_lru_node *n = OCF_LIST_ENTRY(c->order.prev, struct ocf_lru_node, link);
  ocf_lru_remove(c, n);
  return n;
}
