#include "registry/table/snapshot.h"

#include <string.h>

#include "registry/table/table_int.h"

/* ---- counting, on any thread ---- */

struct ocf_snapshot *ocf_snapshot_take(struct ocf_snapshot_slot *slot)
{
  while (atomic_flag_test_and_set_explicit(&slot->lock, memory_order_acquire)) {
  }
  struct ocf_snapshot *s = slot->newest;
  if (s != NULL)
    (void)ocf_snapshot_ref(s);
  atomic_flag_clear_explicit(&slot->lock, memory_order_release);
  return s;
}

uint64_t ocf_snapshot_slot_generation(const struct ocf_snapshot_slot *slot)
{
  return atomic_load_explicit(&slot->generation, memory_order_relaxed);
}

struct ocf_snapshot *ocf_snapshot_ref(struct ocf_snapshot *s)
{
  uint32_t before = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  OCF_ASSERT(before > 0 && before < UINT32_MAX);
  return s;
}

void ocf_snapshot_unref(struct ocf_snapshot *s)
{
  if (s == NULL)
    return;
  uint32_t before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel);
  OCF_ASSERT(before > 0);
  if (before > 1)
    return;
  struct ocf_snapshot_slot *slot = s->slot;
  s->next_retired = atomic_load_explicit(&slot->retired, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(&slot->retired, &s->next_retired, s,
                                                memory_order_release, memory_order_relaxed)) {
  }
}

static void snapshot_free(struct ocf_table *t, struct ocf_snapshot *s)
{
  for (uint32_t i = 0; i < s->n_rows; i++)
    ocf_claims_unref(t, (struct ocf_claims *)(uintptr_t)s->rows[i].claims);
  ocf_alloc_put(t->a, s, s->alloc_bytes);
  OCF_ASSERT(t->n_snapshots > 0);
  t->n_snapshots--;
}

void ocf_table_reap(struct ocf_table *t)
{
  struct ocf_snapshot *s = atomic_exchange_explicit(&t->slot.retired, NULL, memory_order_acquire);
  while (s != NULL) {
    struct ocf_snapshot *next = s->next_retired;
    snapshot_free(t, s);
    s = next;
  }
}

/* ---- reading ---- */

uint64_t ocf_snapshot_generation(const struct ocf_snapshot *s)
{
  return s->generation;
}

uint64_t ocf_snapshot_made_ns(const struct ocf_snapshot *s)
{
  return s->made_ns;
}

size_t ocf_snapshot_n_rows(const struct ocf_snapshot *s)
{
  return s->n_rows;
}

const struct ocf_snapshot_row *ocf_snapshot_row(const struct ocf_snapshot *s, size_t i)
{
  OCF_ASSERT(i < s->n_rows);
  return &s->rows[i];
}

const struct ocf_snapshot_row *ocf_snapshot_find(const struct ocf_snapshot *s,
                                                 const struct ocf_peerid *peer)
{
  size_t lo = 0, hi = s->n_rows;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    int c = ocf_peerid_cmp(&s->rows[mid].peer, peer);
    if (c == 0)
      return &s->rows[mid];
    if (c < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return NULL;
}

uint32_t ocf_snapshot_row_number(const struct ocf_snapshot *s, const struct ocf_snapshot_row *row)
{
  OCF_ASSERT(row >= s->rows && row < s->rows + s->n_rows);
  return (uint32_t)(row - s->rows);
}

size_t ocf_snapshot_n_services(const struct ocf_snapshot *s)
{
  return s->n_services;
}

const struct ocf_snapshot_service *ocf_snapshot_service_at(const struct ocf_snapshot *s, size_t i)
{
  OCF_ASSERT(i < s->n_services);
  return &s->services[i];
}

static int compare(struct ocf_bytes a, struct ocf_bytes b)
{
  int c = memcmp(a.p, b.p, OCF_MIN(a.n, b.n)); /* neither is empty */
  return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

const struct ocf_snapshot_service *ocf_snapshot_service(const struct ocf_snapshot *s,
                                                        struct ocf_bytes name)
{
  size_t lo = 0, hi = name.n > 0 ? s->n_services : 0;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    int c = compare(s->services[mid].name, name);
    if (c == 0)
      return &s->services[mid];
    if (c < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return NULL;
}

/* The entry of the group that reads `key=value`; NULL when no provider of the service claims it. */
static const struct ocf_snapshot_entry *find_entry(const struct ocf_snapshot *s,
                                                   const struct ocf_snapshot_service *svc,
                                                   struct ocf_bytes key, struct ocf_bytes value)
{
  uint8_t text[OCF_GROUP_MAX];
  size_t n = key.n + 1 + value.n;
  if (key.n == 0 || key.n > OCF_SNAPSHOT_KEY_MAX || value.n > OCF_GROUP_MAX || n > sizeof(text) ||
      s->n_entries == 0)
    return NULL;
  memcpy(text, key.p, key.n);
  text[key.n] = '=';
  if (value.n > 0)
    memcpy(text + key.n + 1, value.p, value.n);
  uint32_t at = ocf_snapshot_slot_of(s, ocf_siphash13(s->seed, text, n), svc->index);
  for (; s->slots[at] != 0; at = (at + 1) & s->slots_mask) {
    const struct ocf_snapshot_entry *e = &s->entries[s->slots[at] - 1];
    if (e->service == svc->index && e->group->n == n && memcmp(e->group->text, text, n) == 0)
      return e->group->key->n == key.n ? e : NULL; /* `key` may hold an '=' itself */
  }
  return NULL;
}

static struct ocf_snapshot_list list_of(const struct ocf_snapshot *s,
                                        const struct ocf_snapshot_entry *e,
                                        enum ocf_record_group_kind kind)
{
  if (e == NULL || e->group->kind != (uint8_t)kind)
    return (struct ocf_snapshot_list){ NULL, 0 };
  return (struct ocf_snapshot_list){ s->lists + e->first, e->n };
}

struct ocf_snapshot_list ocf_snapshot_exact(const struct ocf_snapshot *s,
                                            const struct ocf_snapshot_service *svc,
                                            struct ocf_bytes key, struct ocf_bytes value)
{
  return list_of(s, find_entry(s, svc, key, value), OCF_RECORD_GROUP_EXACT);
}

struct ocf_snapshot_list ocf_snapshot_wildcard(const struct ocf_snapshot *s,
                                               const struct ocf_snapshot_service *svc,
                                               struct ocf_bytes key)
{
  return list_of(s, find_entry(s, svc, key, OCF_STR("*")), OCF_RECORD_GROUP_ANY);
}

bool ocf_snapshot_next_group(const struct ocf_snapshot *s, const struct ocf_snapshot_service *svc,
                             size_t *it, struct ocf_bytes *key, struct ocf_bytes *value,
                             struct ocf_snapshot_list *providers)
{
  while (*it < svc->n_entries) {
    const struct ocf_snapshot_entry *e = &s->entries[svc->first_entry + (*it)++];
    const struct ocf_group *g = e->group;
    if (g->kind != OCF_RECORD_GROUP_EXACT)
      continue;
    *key = ocf_bytes(g->key->text, g->key->n);
    *value = ocf_bytes(g->text + g->key->n + 1, (size_t)g->n - g->key->n - 1);
    *providers = list_of(s, e, OCF_RECORD_GROUP_EXACT);
    return true;
  }
  return false;
}

int ocf_snapshot_write_row(const struct ocf_snapshot *s, const struct ocf_snapshot_row *row,
                           struct ocf_buf *to)
{
  char id[OCF_PEERID_TEXT_SIZE];
  bool connected = row->alive;
  (void)s;
  if (row->claims != NULL)
    return ocf_claims_write(row->claims, connected, to);
  struct ocf_record r;
  ocf_record_init(&r, to->a); /* takes no memory */
  r.id = ocf_bytes(id, strlen(ocf_peerid_text(&row->peer, id)));
  return ocf_record_write(&r, connected ? OCF_RECORD_CONNECTED : OCF_RECORD_DISCONNECTED, to);
}
