#include "registry/table/table.h"

#include <string.h>

#include "base/time/time.h"
#include "registry/table/table_int.h"

enum { SORTED_MIN = 64 };

void ocf_table_options_default(struct ocf_table_options *o)
{
  *o = (struct ocf_table_options){
    .rows_max = 16384,
    .bytes_max = (size_t)48 * 1024 * 1024,
    .value_bytes_max = OCF_RECORD_JSON_MAX,
    .hold_ns = 60 * OCF_NS_PER_S,
    .alive_ns = 120 * OCF_NS_PER_S,
    .left_grace_ns = 10 * OCF_NS_PER_S,
  };
}

const char *ocf_table_verdict_text(enum ocf_table_verdict v)
{
  static const char *const texts[OCF_TABLE_N_VERDICTS] = {
    [OCF_TABLE_SHOWN] = "shown",         [OCF_TABLE_SAME] = "same",
    [OCF_TABLE_HELD] = "held",           [OCF_TABLE_OWN] = "own",
    [OCF_TABLE_BAD_KEY] = "bad key",     [OCF_TABLE_TOO_LARGE] = "too large",
    [OCF_TABLE_MALFORMED] = "malformed", [OCF_TABLE_WRONG_ID] = "wrong id",
    [OCF_TABLE_FOREIGN] = "foreign",     [OCF_TABLE_FULL] = "full",
  };
  return (unsigned)v < OCF_TABLE_N_VERDICTS ? texts[v] : "?";
}

static bool due_sooner(const struct ocf_heap_node *a, const struct ocf_heap_node *b)
{
  return OCF_CONTAINER_OF_CONST(a, struct table_row, timer)->due_ns <
         OCF_CONTAINER_OF_CONST(b, struct table_row, timer)->due_ns;
}

static void init_maps(struct ocf_table *t, struct ocf_rng *rng)
{
  uint64_t seed[2];
  ocf_rng_secret(rng, seed, sizeof(seed));
  ocf_map_init(&t->rows, t->a, seed, t->opt.rows_max);
  ocf_atoms_init(&t->groups, t->a, seed);
  ocf_atoms_init(&t->keys, t->a, seed);
  ocf_atoms_init(&t->names, t->a, seed);
}

struct ocf_table *ocf_table_new(struct ocf_alloc *a, struct ocf_rng *rng,
                                const struct ocf_table_options *o)
{
  struct ocf_table *t = OCF_NEW(a, struct ocf_table);
  if (t == NULL)
    return NULL;
  OCF_ASSERT(o->rows_max > 0 && o->value_bytes_max <= OCF_RECORD_JSON_MAX);
  t->a = a;
  t->opt = *o;
  init_maps(t, rng);
  for (size_t i = 0; i < CLASS_N; i++)
    ocf_list_init(&t->classes[i]);
  ocf_heap_init(&t->timers, due_sooner);
  atomic_flag_clear(&t->slot.lock);
  const size_t size = sizeof(struct ocf_table_event);
  int err = ocf_ring_init(&t->events, a, size, OCF_TABLE_EVENTS_MAX);
  int err2 = ocf_ring_init(&t->refusals, a, size, OCF_TABLE_REFUSALS_MAX);
  if (err != 0 || err2 != 0) {
    ocf_table_free(t);
    return NULL;
  }
  return t;
}

void ocf_table_free(struct ocf_table *t)
{
  if (t == NULL)
    return;
  ocf_snapshot_unref(t->slot.newest);
  ocf_table_reap(t);
  OCF_ASSERT(t->n_snapshots == 0); /* a reader still holds one */
  while (t->rows.n > 0)
    ocf_table_row_free(t, t->sorted[t->rows.n - 1]);
  ocf_alloc_put(t->a, t->sorted, t->sorted_cap * sizeof(struct table_row *));
  ocf_publish_fini(t);
  ocf_map_fini(&t->rows);
  ocf_atoms_fini(&t->groups);
  ocf_atoms_fini(&t->keys);
  ocf_atoms_fini(&t->names);
  ocf_ring_fini(&t->events);
  ocf_ring_fini(&t->refusals);
  OCF_DELETE(t->a, t);
}

/* ---- rows ---- */

struct table_row *ocf_table_row_find(const struct ocf_table *t, const struct ocf_peerid *peer)
{
  struct ocf_map_node *n = ocf_map_find(&t->rows, ocf_peerid_view(peer));
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct table_row, node);
}

/* Where `peer` stands, or would, among the sorted rows. */
static size_t sorted_at(const struct ocf_table *t, const struct ocf_peerid *peer)
{
  size_t lo = 0, hi = t->rows.n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (ocf_peerid_cmp(&t->sorted[mid]->pub.peer, peer) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static int sorted_reserve(struct ocf_table *t)
{
  if (t->rows.n < t->sorted_cap)
    return 0;
  const size_t each = sizeof(struct table_row *);
  size_t cap = t->sorted_cap == 0 ? SORTED_MIN : t->sorted_cap * 2;
  void *p = ocf_alloc_resize(t->a, t->sorted, t->sorted_cap * each, cap * each);
  if (p == NULL)
    return OCF_ENOMEM;
  t->sorted = p;
  t->sorted_cap = cap;
  return 0;
}

int ocf_table_row_new(struct ocf_table *t, const struct ocf_peerid *peer, enum table_class cls,
                      uint64_t now_ns, struct table_row **out)
{
  if (!ocf_table_make_room(t, cls, 1, now_ns))
    return OCF_ELIMIT;
  int err = sorted_reserve(t);
  struct table_row *r = err == 0 ? OCF_NEW(t->a, struct table_row) : NULL;
  if (r == NULL)
    return OCF_ENOMEM;
  r->pub.peer = *peer;
  size_t at = sorted_at(t, peer), n = t->rows.n;
  err = ocf_map_insert(&t->rows, &r->node, ocf_peerid_view(&r->pub.peer));
  if (err != 0) {
    OCF_DELETE(t->a, r);
    return err;
  }
  memmove(t->sorted + at + 1, t->sorted + at, (n - at) * sizeof(struct table_row *));
  t->sorted[at] = r;
  r->cls = (uint8_t)cls;
  ocf_list_push_back(&t->classes[cls], &r->link);
  *out = r;
  return 0;
}

void ocf_table_row_free(struct ocf_table *t, struct table_row *r)
{
  size_t at = sorted_at(t, &r->pub.peer), n = t->rows.n;
  OCF_ASSERT(t->sorted[at] == r);
  if (r->claims != NULL) {
    ocf_claims_unuse(t, r->claims);
    ocf_claims_unref(t, r->claims);
  }
  ocf_table_drop_held(t, r);
  memmove(t->sorted + at, t->sorted + at + 1, (n - at - 1) * sizeof(struct table_row *));
  ocf_map_remove(&t->rows, &r->node);
  ocf_list_remove(&r->link);
  if (r->in_heap)
    ocf_heap_remove(&t->timers, &r->timer);
  if (t->self == r)
    t->self = NULL;
  t->dirty = true;
  OCF_DELETE(t->a, r);
}

static struct table_row *worst_row(const struct ocf_table *t, enum table_class better_than)
{
  for (unsigned c = CLASS_N - 1; c > (unsigned)better_than; c--) {
    if (!ocf_list_empty(&t->classes[c]))
      return OCF_LIST_ENTRY(t->classes[c].next, struct table_row, link);
  }
  return NULL;
}

bool ocf_table_make_room(struct ocf_table *t, enum table_class cls, size_t n_rows, uint64_t now_ns)
{
  while (t->rows.n + n_rows > t->opt.rows_max || t->n_bytes > t->opt.bytes_max) {
    struct table_row *worst = worst_row(t, cls);
    if (worst == NULL)
      return false;
    ocf_table_emit(t, OCF_TABLE_EVICTED, now_ns, &worst->pub.peer);
    t->n_evicted++;
    ocf_table_row_free(t, worst);
  }
  return true;
}

/* ---- views ---- */

const struct ocf_table_row *ocf_table_find(const struct ocf_table *t, const struct ocf_peerid *peer)
{
  const struct table_row *r = ocf_table_row_find(t, peer);
  return r == NULL ? NULL : &r->pub;
}

bool ocf_table_next(const struct ocf_table *t, struct ocf_table_iter *it,
                    const struct ocf_table_row **row)
{
  struct ocf_map_node *n;
  if (!ocf_map_next(&t->rows, &it->it, &n))
    return false;
  *row = &OCF_CONTAINER_OF(n, struct table_row, node)->pub;
  return true;
}

void ocf_table_stats(const struct ocf_table *t, struct ocf_table_stats *out)
{
  *out = (struct ocf_table_stats){
    .n_rows = t->rows.n,
    .n_bytes = t->n_bytes,
    .n_groups = t->groups.map.n,
    .n_held = t->n_held,
    .n_snapshots = t->n_snapshots,
    .n_evicted = t->n_evicted,
    .n_events_lost = t->n_events_lost,
  };
  memcpy(out->verdicts, t->verdicts, sizeof(out->verdicts));
}

bool ocf_table_dirty(const struct ocf_table *t)
{
  return t->dirty;
}

struct ocf_snapshot_slot *ocf_table_slot(struct ocf_table *t)
{
  return &t->slot;
}

/* ---- news ---- */

static void push_event(struct ocf_table *t, const struct ocf_table_event *ev)
{
  t->n_events_lost += ocf_ring_full(&t->events);
  ocf_ring_push_over(&t->events, ev);
}

void ocf_table_emit(struct ocf_table *t, enum ocf_table_event_kind kind, uint64_t now_ns,
                    const struct ocf_peerid *peer)
{
  struct ocf_table_event ev = { .kind = kind, .peer = *peer, .at_ns = now_ns };
  push_event(t, &ev);
}

void ocf_table_refuse(struct ocf_table *t, uint64_t now_ns, enum ocf_table_verdict v,
                      const struct ocf_peerid *peer, const struct ocf_peerid *author,
                      uint64_t priority)
{
  struct ocf_table_event ev = {
    .kind = OCF_TABLE_REFUSED, .verdict = v, .at_ns = now_ns, .priority = priority
  };
  if (peer != NULL)
    ev.peer = *peer;
  if (author != NULL)
    ev.author = *author;
  push_event(t, &ev);
  ocf_ring_push_over(&t->refusals, &ev);
}

bool ocf_table_event(struct ocf_table *t, struct ocf_table_event *out)
{
  return ocf_ring_pop(&t->events, out);
}

bool ocf_table_refusal(const struct ocf_table *t, size_t i, struct ocf_table_event *out)
{
  if (i >= t->refusals.n)
    return false;
  memcpy(out, ocf_ring_at(&t->refusals, t->refusals.n - 1 - i), sizeof(*out));
  return true;
}
