/* Map and LRU against arrays: the bytes choose calls, a model of 64 possible keys says what must
 * come of them. */
#include <string.h>

#include "base/ds/lru.h"
#include "base/ds/map.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

enum { KEYS = 64, MAP_MAX = 40, LRU_MAX = 5 };

struct item {
  struct ocf_map_node node;
  struct ocf_lru_node lru;
  uint8_t key[9];
  size_t key_n;
  bool in_map, seen;
};

static struct item items[KEYS];
static size_t order[LRU_MAX], n_order; /* the LRU's model: most recent first */

static struct ocf_bytes key_of(const struct item *it)
{
  return ocf_bytes(it->key, it->key_n);
}

static void insert_into_map(struct ocf_map *m, struct item *it, bool oom)
{
  size_t before = m->n;
  m->a->fail_at = oom ? m->a->n_calls + 1 : 0;
  int err = ocf_map_insert(m, &it->node, key_of(it));
  m->a->fail_at = 0;
  if (it->in_map)
    OCF_ASSERT(err == OCF_EEXIST);
  else if (before == MAP_MAX)
    OCF_ASSERT(err == OCF_ELIMIT);
  else
    OCF_ASSERT(err == 0 || (oom && err == OCF_ENOMEM));
  it->in_map = it->in_map || err == 0;
  OCF_ASSERT(m->n == before + (err == 0 ? 1 : 0));
}

static void walk_map(struct ocf_map *m, uint8_t drop)
{
  struct ocf_map_node *n = NULL;
  for (size_t i = 0; i < KEYS; i++)
    items[i].seen = false;
  for (struct ocf_map_iter it = { .slot = 0 }; ocf_map_next(m, &it, &n);) {
    struct item *e = OCF_CONTAINER_OF(n, struct item, node);
    OCF_ASSERT(e->in_map && !e->seen);
    e->seen = true;
    if (drop > 0 && (e - items) % drop == 0) {
      ocf_map_remove(m, n);
      e->in_map = false;
    }
  }
  for (size_t i = 0; i < KEYS; i++)
    OCF_ASSERT(items[i].seen || !items[i].in_map);
}

static void move_to_front(size_t at, size_t key)
{
  memmove(order + 1, order, at * sizeof(order[0]));
  order[0] = key;
}

static size_t place_in_order(size_t key)
{
  size_t at = 0;
  while (at < n_order && order[at] != key)
    at++;
  return at;
}

static void use_lru(struct ocf_lru *c, size_t key, bool put)
{
  struct item *it = &items[key];
  struct ocf_lru_node *gone = NULL;
  size_t at = place_in_order(key);
  bool inside = at < n_order;
  if (!put) {
    OCF_ASSERT((ocf_lru_peek(c, key_of(it)) == &it->lru) == inside);
    OCF_ASSERT((ocf_lru_get(c, key_of(it)) == &it->lru) == inside);
    if (inside)
      move_to_front(at, key);
    return;
  }
  int err = ocf_lru_put(c, &it->lru, key_of(it), &gone);
  OCF_ASSERT(err == (inside ? OCF_EEXIST : 0));
  if (inside)
    return;
  OCF_ASSERT(gone == (n_order == LRU_MAX ? &items[order[LRU_MAX - 1]].lru : NULL));
  n_order = OCF_MIN(n_order + 1, (size_t)LRU_MAX);
  move_to_front(n_order - 1, key);
}

static void remove_from_lru(struct ocf_lru *c, size_t key)
{
  size_t at = place_in_order(key);
  if (at == n_order)
    return;
  ocf_lru_remove(c, &items[key].lru);
  n_order--;
  memmove(order + at, order + at + 1, (n_order - at) * sizeof(order[0]));
}

static void step(struct ocf_map *m, struct ocf_lru *c, struct ocf_ops *o)
{
  uint8_t op = ocf_ops_u8(o);
  size_t key = ocf_ops_u8(o) % KEYS;
  struct item *it = &items[key];
  switch (op % 8) {
  case 0:
  case 1: insert_into_map(m, it, op >= 0xc0); break;
  case 2:
    if (it->in_map)
      ocf_map_remove(m, &it->node);
    it->in_map = false;
    break;
  case 3: walk_map(m, op / 8 % 4); break;
  case 4: use_lru(c, key, false); break;
  case 5: use_lru(c, key, true); break;
  case 6: remove_from_lru(c, key); break;
  default:
    OCF_ASSERT(ocf_lru_pop_oldest(c) == (n_order == 0 ? NULL : &items[order[n_order - 1]].lru));
    n_order -= n_order > 0 ? 1 : 0;
    break;
  }
  OCF_ASSERT(ocf_map_find(m, key_of(it)) == (it->in_map ? &it->node : NULL));
  OCF_ASSERT(ocf_lru_count(c) == n_order);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_ops o = { d, n };
  struct ocf_alloc a;
  struct ocf_map m;
  struct ocf_lru c;
  uint64_t seed[2] = { ocf_ops_u8(&o), ocf_ops_u8(&o) };
  for (size_t i = 0; i < KEYS; i++) { /* lengths 0 to 9, all different */
    items[i] = (struct item){ .key_n = i % 10 };
    memset(items[i].key, (int)(i / 10) + 1, items[i].key_n);
    if (items[i].key_n == 0 && i > 0)
      items[i] = (struct item){ .key_n = 2, .key = { 0xff, (uint8_t)i } };
  }
  n_order = 0;
  ocf_alloc_init(&a);
  ocf_map_init(&m, &a, seed, MAP_MAX);
  ocf_lru_init(&c, &a, seed, LRU_MAX);
  while (ocf_ops_more(&o))
    step(&m, &c, &o);
  ocf_lru_fini(&c);
  ocf_map_fini(&m);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
