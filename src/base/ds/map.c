#include "base/ds/map.h"

#include <string.h>

#include "base/core/endian.h"

enum { SLOTS_MIN = 8 };

static inline uint64_t rotl(uint64_t x, unsigned n)
{
  return x << n | x >> (64 - n);
}

struct sip {
  uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
  s->v0 += s->v1;
  s->v2 += s->v3;
  s->v1 = rotl(s->v1, 13) ^ s->v0;
  s->v3 = rotl(s->v3, 16) ^ s->v2;
  s->v0 = rotl(s->v0, 32);
  s->v2 += s->v1;
  s->v0 += s->v3;
  s->v1 = rotl(s->v1, 17) ^ s->v2;
  s->v3 = rotl(s->v3, 21) ^ s->v0;
  s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
  s->v3 ^= m;
  sip_round(s);
  s->v0 ^= m;
}

/* Aumasson and Bernstein's SipHash with one round per word and three at the end. */
uint64_t ocf_siphash13(const uint64_t seed[2], const void *p, size_t n)
{
  const uint8_t *d = p;
  struct sip s = { seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                   seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573) };
  uint64_t last = (uint64_t)n << 56;
  size_t left = n;
  for (; left >= 8; left -= 8, d += 8)
    sip_word(&s, ocf_get_le64(d));
  for (size_t i = 0; i < left; i++)
    last |= (uint64_t)d[i] << (8 * i);
  sip_word(&s, last);
  s.v2 ^= 0xff;
  sip_round(&s);
  sip_round(&s);
  sip_round(&s);
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void ocf_map_init(struct ocf_map *m, struct ocf_alloc *a, const uint64_t seed[2], size_t max)
{
  *m = (struct ocf_map){ .a = a, .max = max, .seed = { seed[0], seed[1] } };
}

void ocf_map_fini(struct ocf_map *m)
{
  ocf_alloc_put(m->a, m->slots, m->n_slots * sizeof(struct ocf_map_node *));
  m->slots = NULL;
  m->n_slots = m->n = 0;
}

static inline struct ocf_map_node **slot_of(const struct ocf_map *m, uint64_t hash)
{
  return &m->slots[hash & (m->n_slots - 1)];
}

static struct ocf_map_node *find_hashed(const struct ocf_map *m, uint64_t hash,
                                        struct ocf_bytes key)
{
  for (struct ocf_map_node *n = *slot_of(m, hash); n != NULL; n = n->next) {
    if (n->hash == hash && ocf_bytes_eq(n->key, key))
      return n;
  }
  return NULL;
}

/* Moves the elements into a table of `n` slots, a power of two. */
static int rehash(struct ocf_map *m, size_t n)
{
  if (n > SIZE_MAX / sizeof(struct ocf_map_node *))
    return OCF_ENOMEM;
  struct ocf_map_node **old = m->slots;
  size_t n_old = m->n_slots;
  struct ocf_map_node **slots = ocf_alloc_zero(m->a, n * sizeof(struct ocf_map_node *));
  if (slots == NULL)
    return OCF_ENOMEM;
  m->slots = slots;
  m->n_slots = n;
  for (size_t i = 0; i < n_old; i++) {
    for (struct ocf_map_node *e = old[i], *next; e != NULL; e = next) {
      next = e->next;
      struct ocf_map_node **s = slot_of(m, e->hash);
      e->next = *s;
      *s = e;
    }
  }
  ocf_alloc_put(m->a, old, n_old * sizeof(struct ocf_map_node *));
  return 0;
}

int ocf_map_insert(struct ocf_map *m, struct ocf_map_node *node, struct ocf_bytes key)
{
  uint64_t hash = ocf_siphash13(m->seed, key.p, key.n);
  if (m->n > 0 && find_hashed(m, hash, key) != NULL)
    return OCF_EEXIST;
  if (m->n >= m->max)
    return OCF_ELIMIT;
  if (m->n >= m->n_slots) {
    int err = rehash(m, m->n_slots == 0 ? SLOTS_MIN : m->n_slots * 2); /* load factor <= 1 */
    if (err != 0)
      return err;
  }
  struct ocf_map_node **s = slot_of(m, hash);
  *node = (struct ocf_map_node){ .next = *s, .key = key, .hash = hash };
  *s = node;
  m->n++;
  return 0;
}

void ocf_map_trim(struct ocf_map *m)
{
  if (m->n == 0) {
    ocf_map_fini(m);
    return;
  }
  size_t n = SLOTS_MIN;
  while (n < m->n)
    n *= 2;
  if (n <= m->n_slots / 4) /* not for little: it would soon grow again */
    (void)rehash(m, n);
}

struct ocf_map_node *ocf_map_find(const struct ocf_map *m, struct ocf_bytes key)
{
  if (m->n == 0)
    return NULL;
  return find_hashed(m, ocf_siphash13(m->seed, key.p, key.n), key);
}

void ocf_map_remove(struct ocf_map *m, struct ocf_map_node *node)
{
  OCF_ASSERT(m->n > 0);
  struct ocf_map_node **at = slot_of(m, node->hash);
  while (*at != node) {
    OCF_ASSERT(*at != NULL); /* the node is in this map */
    at = &(*at)->next;
  }
  *at = node->next;
  node->next = NULL;
  m->n--;
}

bool ocf_map_next(const struct ocf_map *m, struct ocf_map_iter *it, struct ocf_map_node **out)
{
  while (it->next == NULL) {
    if (it->slot >= m->n_slots)
      return false;
    it->next = m->slots[it->slot++];
  }
  *out = it->next;
  it->next = it->next->next;
  return true;
}
