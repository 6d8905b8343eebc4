#include "p2p/yamux/yamux.h"

#include "p2p/yamux/yamux_int.h"

static uint32_t slot_of(const struct table *t, uint32_t id)
{
  return (uint32_t)((id * t->mult) >> (64 - t->log2_slots));
}

static uint32_t mask(const struct table *t)
{
  return (UINT32_C(1) << t->log2_slots) - 1;
}

struct ocf_yamux_stream *ocf_yamux_table_find(const struct table *t, uint32_t id)
{
  if (t->n == 0)
    return NULL;
  for (uint32_t i = slot_of(t, id);; i = (i + 1) & mask(t)) {
    if (t->slots[i] == NULL || t->slots[i]->id == id)
      return t->slots[i];
  }
}

static void put(struct table *t, struct ocf_yamux_stream *s)
{
  uint32_t i = slot_of(t, s->id);
  while (t->slots[i] != NULL)
    i = (i + 1) & mask(t);
  t->slots[i] = s;
}

static size_t table_bytes(const struct table *t)
{
  return t->slots == NULL ? 0 : sizeof(*t->slots) << t->log2_slots;
}

static int grow(struct table *t, struct ocf_alloc *a)
{
  struct table big = *t;
  big.log2_slots = t->slots == NULL ? 4 : t->log2_slots + 1;
  big.slots = ocf_alloc_zero(a, sizeof(*big.slots) << big.log2_slots);
  if (big.slots == NULL)
    return OCF_ENOMEM;
  for (uint32_t i = 0; t->slots != NULL && i <= mask(t); i++) {
    if (t->slots[i] != NULL)
      put(&big, t->slots[i]);
  }
  ocf_yamux_table_fini(t, a);
  *t = big;
  return 0;
}

int ocf_yamux_table_insert(struct table *t, struct ocf_alloc *a, struct ocf_yamux_stream *s)
{
  OCF_ASSERT(ocf_yamux_table_find(t, s->id) == NULL);
  if (t->slots == NULL || 2 * (t->n + 1) > mask(t) + 1) {
    if (grow(t, a) != 0)
      return OCF_ENOMEM;
  }
  put(t, s);
  t->n++;
  return 0;
}

void ocf_yamux_table_remove(struct table *t, const struct ocf_yamux_stream *s)
{
  uint32_t i = slot_of(t, s->id);
  while (t->slots[i] != s) {
    OCF_ASSERT(t->slots[i] != NULL);
    i = (i + 1) & mask(t);
  }
  t->slots[i] = NULL;
  t->n--;
  /* Close the gap: an entry behind it that is not at its own slot may have probed across it. */
  for (uint32_t j = (i + 1) & mask(t); t->slots[j] != NULL; j = (j + 1) & mask(t)) {
    struct ocf_yamux_stream *moved = t->slots[j];
    t->slots[j] = NULL;
    put(t, moved);
  }
}

void ocf_yamux_table_fini(struct table *t, struct ocf_alloc *a)
{
  ocf_alloc_put(a, t->slots, table_bytes(t));
  t->slots = NULL;
}

bool ocf_yamux_seen_add(struct seen *seen, uint32_t id)
{
  uint32_t n = id >> 1;
  if (!seen->any || n > seen->high) {
    uint32_t from = seen->any ? seen->high + 1 : n;
    if (n - from >= SEEN_IDS)
      from = n - SEEN_IDS + 1;
    for (uint32_t i = from; i != n; i++) /* skipped ids may still come */
      seen->bits[i % SEEN_IDS / 64] &= ~(UINT64_C(1) << (i % 64));
    seen->high = n;
    seen->any = true;
  } else if (seen->high - n >= SEEN_IDS || (seen->bits[n % SEEN_IDS / 64] >> (n % 64) & 1) != 0) {
    return false;
  }
  seen->bits[n % SEEN_IDS / 64] |= UINT64_C(1) << (n % 64);
  return true;
}

bool ocf_yamux_bucket_take(struct bucket *b, uint64_t now_ns)
{
  if (b->rate.burst == 0)
    return true;
  if (b->tokens == 0) {
    uint64_t age_ms = (now_ns - b->refill_ns) / OCF_NS_PER_MS;
    uint64_t n = OCF_MIN(age_ms, 1000 * 3600) * b->rate.per_s / 1000;
    if (n == 0)
      return false;
    b->tokens = (uint32_t)OCF_MIN(n, b->rate.burst);
    b->refill_ns = now_ns;
  }
  b->tokens--;
  return true;
}
