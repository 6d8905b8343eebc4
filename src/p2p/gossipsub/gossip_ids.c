#include "p2p/gossipsub/gossip_int.h"

void ocf_gossip_ids_init(struct id_set *s, struct ocf_alloc *a, const uint64_t seed[2], size_t max)
{
  s->a = a;
  s->max = max;
  ocf_map_init(&s->map, a, seed, max);
  ocf_list_init(&s->order);
}

static void drop(struct id_set *s, struct id_entry *e)
{
  ocf_map_remove(&s->map, &e->node);
  ocf_list_remove(&e->link);
  ocf_alloc_put(s->a, e, sizeof(*e) + e->n);
}

static struct id_entry *oldest(const struct id_set *s)
{
  return OCF_LIST_ENTRY(s->order.next, struct id_entry, link);
}

void ocf_gossip_ids_fini(struct id_set *s)
{
  while (!ocf_list_empty(&s->order))
    drop(s, oldest(s));
  ocf_map_fini(&s->map);
}

int ocf_gossip_ids_add(struct id_set *s, struct ocf_bytes id, uint64_t until_ns)
{
  if (ocf_gossip_ids_has(s, id))
    return OCF_EEXIST;
  OCF_ASSERT(id.n <= OCF_GOSSIP_ID_MAX);
  struct id_entry *e = ocf_alloc_zero(s->a, sizeof(*e) + id.n);
  if (e == NULL)
    return OCF_ENOMEM;
  if (s->map.n == s->max)
    drop(s, oldest(s));
  e->n = (uint8_t)id.n;
  e->until_ns = until_ns;
  if (id.n > 0)
    memcpy(e->b, id.p, id.n);
  int err = ocf_map_insert(&s->map, &e->node, ocf_bytes(e->b, e->n));
  if (err != 0) {
    ocf_alloc_put(s->a, e, sizeof(*e) + e->n);
    return err;
  }
  ocf_list_push_back(&s->order, &e->link);
  return 0;
}

bool ocf_gossip_ids_has(const struct id_set *s, struct ocf_bytes id)
{
  return ocf_map_find(&s->map, id) != NULL;
}

void ocf_gossip_ids_expire(struct id_set *s, uint64_t now_ns)
{
  while (!ocf_list_empty(&s->order) && oldest(s)->until_ns <= now_ns)
    drop(s, oldest(s));
}
