/* Makes snapshots. Every pass is linear in what it counts: rows, services of rows, groups of
 * services. Texts are interned, so a group is told apart by its address; which service and row
 * last saw it is marked in the object itself (`stamp`, `index`), and nothing is hashed but the
 * number of distinct groups. */
#include <string.h>

#include "base/ds/sort.h"
#include "registry/table/table_int.h"

enum { ARRAY_MIN = 64 };

/* What the passes find out, for the next ones. */
struct build {
  struct ocf_table *t;
  uint64_t now_ns;
  struct ocf_snapshot_row *rows; /* scratch; copied */
  struct publish_service *services;
  struct publish_pair *pairs;
  size_t n_rows, n_services, n_list;
};

/* ---- scratch ---- */

static int array_reserve(struct ocf_table *t, struct publish_array *v, size_t size, size_t n)
{
  size_t cap = OCF_MAX(v->cap, ARRAY_MIN);
  v->size = size;
  if (n <= v->cap)
    return 0;
  while (cap < n)
    cap *= 2;
  void *p = ocf_alloc_resize(t->a, v->p, v->cap * size, cap * size);
  if (p == NULL)
    return OCF_ENOMEM;
  v->p = p;
  v->cap = cap;
  return 0;
}

static void array_fini(struct ocf_table *t, struct publish_array *v)
{
  ocf_alloc_put(t->a, v->p, v->cap * v->size);
  *v = (struct publish_array){ 0 };
}

void ocf_publish_fini(struct ocf_table *t)
{
  array_fini(t, &t->pub_rows);
  array_fini(t, &t->pub_services);
  array_fini(t, &t->pub_pairs);
  array_fini(t, &t->pub_entries);
  array_fini(t, &t->pub_keys);
}

/* ---- 1: the visible rows ---- */

static void fill_row(const struct build *b, const struct table_row *r, struct ocf_snapshot_row *to)
{
  *to = (struct ocf_snapshot_row){
    .peer = r->pub.peer,
    .claims = r->claims,
    .rtt_ns = r->self ? 0 : r->pub.local.rtt_ns,
    .last_alive_ns = r->evidence_ns,
    .in_flight = r->pub.local.in_flight,
    .self = r->self,
    .direct = r->pub.liveness.n_direct > 0,
    .alive = ocf_table_row_alive(b->t, r, b->now_ns),
  };
  to->routable = ocf_table_is_routable(b->t, &r->pub, b->now_ns, &to->relay);
}

static int collect_rows(struct build *b)
{
  struct ocf_table *t = b->t;
  if (array_reserve(t, &t->pub_rows, sizeof(*b->rows), t->rows.n) != 0)
    return OCF_ENOMEM;
  b->rows = t->pub_rows.p;
  for (size_t i = 0; i < t->rows.n; i++) {
    struct table_row *r = t->sorted[i];
    if (!ocf_table_is_hidden(t, &r->pub, b->now_ns))
      fill_row(b, r, &b->rows[b->n_rows++]);
  }
  return 0;
}

/* ---- 2: the services ---- */

static struct publish_service *service_seen(struct build *b, struct ocf_group *name, uint64_t stamp)
{
  if (name->stamp != stamp) {
    name->stamp = stamp;
    name->index = (uint32_t)b->n_services;
    b->services[b->n_services++] = (struct publish_service){ .name = name };
  }
  return &b->services[name->index];
}

static bool has_all(const struct ocf_claims_service *cs)
{
  for (uint32_t i = 0; i < cs->n_groups; i++) {
    if (cs->groups[i]->kind == OCF_RECORD_GROUP_ALL)
      return true;
  }
  return false;
}

static int by_providers(const void *a, const void *b)
{
  const struct publish_service *x = a, *y = b;
  if (x->n_providers != y->n_providers)
    return x->n_providers < y->n_providers ? 1 : -1;
  if (x->n_known != y->n_known)
    return x->n_known < y->n_known ? 1 : -1;
  return 0;
}

static int compare_text(const struct ocf_group *a, const struct ocf_group *b)
{
  int c = memcmp(a->text, b->text, OCF_MIN(a->n, b->n));
  return c != 0 ? c : (a->n > b->n) - (a->n < b->n);
}

static int by_name(const void *a, const void *b)
{
  return compare_text(((const struct publish_service *)a)->name,
                      ((const struct publish_service *)b)->name);
}

static int by_providers_and_name(const void *a, const void *b)
{
  int c = by_providers(a, b);
  return c != 0 ? c : by_name(a, b);
}

static void count_services(struct build *b)
{
  uint64_t stamp = ++b->t->stamp;
  for (size_t i = 0; i < b->n_rows; i++) {
    const struct ocf_claims *c = b->rows[i].claims;
    for (uint32_t k = 0; c != NULL && k < c->n_services; k++) {
      struct publish_service *ps = service_seen(b, c->services[k].atom, stamp);
      ps->n_known++;
      if (!b->rows[i].routable)
        continue;
      ps->n_providers++;
      ps->n_open += c->services[k].n_groups == 0;
      ps->n_all += has_all(&c->services[k]);
    }
  }
}

static int collect_services(struct build *b)
{
  struct ocf_table *t = b->t;
  size_t n = t->names.map.n;
  if (array_reserve(t, &t->pub_services, sizeof(*b->services), n) != 0)
    return OCF_ENOMEM;
  b->services = t->pub_services.p;
  count_services(b);
  if (b->n_services > OCF_SNAPSHOT_SERVICES_MAX) {
    ocf_sort(b->services, b->n_services, sizeof(*b->services), by_providers_and_name);
    b->n_services = OCF_SNAPSHOT_SERVICES_MAX;
  }
  ocf_sort(b->services, b->n_services, sizeof(*b->services), by_name);
  return 0;
}

/* ---- 3: which rows provide which service ---- */

static int collect_pairs(struct build *b)
{
  struct ocf_table *t = b->t;
  uint64_t stamp = ++t->stamp;
  size_t n = 0;
  for (size_t i = 0; i < b->n_services; i++) {
    struct publish_service *ps = &b->services[i];
    ps->name->stamp = stamp;
    ps->name->index = (uint32_t)i;
    ps->first_pair = (uint32_t)n;
    n += ps->n_providers;
    b->n_list += (size_t)ps->n_providers + ps->n_open + ps->n_all;
  }
  if (array_reserve(t, &t->pub_pairs, sizeof(*b->pairs), n) != 0)
    return OCF_ENOMEM;
  b->pairs = t->pub_pairs.p;
  for (size_t i = 0; i < b->n_rows; i++) {
    const struct ocf_claims *c = b->rows[i].routable ? b->rows[i].claims : NULL;
    for (uint32_t k = 0; c != NULL && k < c->n_services; k++) {
      const struct ocf_claims_service *cs = &c->services[k];
      if (cs->atom->stamp != stamp)
        continue;
      struct publish_service *ps = &b->services[cs->atom->index];
      b->pairs[ps->first_pair + ps->n_pairs++] = (struct publish_pair){ cs, (uint32_t)i };
    }
  }
  return 0;
}

/* ---- 4: their groups and keys ---- */

static int add_key(struct build *b, struct publish_service *ps, struct ocf_group *key,
                   uint64_t stamp, uint64_t row_stamp)
{
  struct ocf_table *t = b->t;
  struct publish_array *v = &t->pub_keys;
  if (key->stamp != stamp) {
    if (array_reserve(t, v, sizeof(struct publish_key), v->n + 1) != 0)
      return OCF_ENOMEM;
    key->stamp = stamp;
    key->index = (uint32_t)v->n;
    ((struct publish_key *)v->p)[v->n++] = (struct publish_key){ key, 0 };
    ps->n_keys++;
  }
  if (key->row_stamp != row_stamp)
    ((struct publish_key *)v->p)[key->index].n++;
  key->row_stamp = row_stamp;
  return 0;
}

static int add_group(struct build *b, struct publish_service *ps, struct ocf_group *g,
                     uint64_t stamp, uint64_t row_stamp)
{
  struct ocf_table *t = b->t;
  struct publish_array *v = &t->pub_entries;
  if (g->kind == OCF_RECORD_GROUP_ALL)
    return 0; /* it has a list of its own */
  if (g->stamp != stamp) {
    if (array_reserve(t, v, sizeof(struct publish_entry), v->n + 1) != 0)
      return OCF_ENOMEM;
    g->stamp = stamp;
    g->index = (uint32_t)v->n;
    ((struct publish_entry *)v->p)[v->n++] = (struct publish_entry){ g, 0 };
    ps->n_entries++;
  }
  ((struct publish_entry *)v->p)[g->index].n++;
  b->n_list++;
  return add_key(b, ps, g->key, stamp, row_stamp);
}

static bool is_model(const struct ocf_group *key)
{
  return ocf_bytes_eq(ocf_bytes(key->text, key->n), OCF_STR("model"));
}

static int by_use(const void *a, const void *b)
{
  const struct publish_key *x = a, *y = b;
  if (is_model(x->key) != is_model(y->key))
    return is_model(x->key) ? -1 : 1;
  if (x->n != y->n)
    return x->n < y->n ? 1 : -1;
  return compare_text(x->key, y->key);
}

/* Keeps the keys that are told, at the end of the array of all services' keys. */
static void choose_keys(struct build *b, struct publish_service *ps)
{
  struct publish_array *v = &b->t->pub_keys;
  if (ps->n_keys > 1)
    ocf_sort((struct publish_key *)v->p + ps->first_key, ps->n_keys, sizeof(struct publish_key),
             by_use);
  if (ps->n_keys > OCF_SNAPSHOT_KEYS_MAX) {
    ps->n_keys_more = ps->n_keys - OCF_SNAPSHOT_KEYS_MAX;
    ps->n_keys = OCF_SNAPSHOT_KEYS_MAX;
    v->n = (size_t)ps->first_key + ps->n_keys;
  }
}

static int collect_groups_of(struct build *b, struct publish_service *ps)
{
  struct ocf_table *t = b->t;
  uint64_t stamp = ++t->stamp;
  int err = 0;
  ps->first_entry = (uint32_t)t->pub_entries.n;
  ps->first_key = (uint32_t)t->pub_keys.n;
  for (uint32_t i = 0; i < ps->n_pairs; i++) {
    const struct ocf_claims_service *cs = b->pairs[ps->first_pair + i].service;
    uint64_t row_stamp = ++t->stamp;
    for (uint32_t k = 0; k < cs->n_groups && err == 0; k++)
      err = add_group(b, ps, cs->groups[k], stamp, row_stamp);
  }
  choose_keys(b, ps);
  return err;
}

static int collect_groups(struct build *b)
{
  int err = 0;
  b->t->pub_entries.n = b->t->pub_keys.n = 0;
  for (size_t i = 0; i < b->n_services && err == 0; i++)
    err = collect_groups_of(b, &b->services[i]);
  return err;
}

/* ---- 5: one block of memory ---- */

static size_t carve(size_t *at, size_t n, size_t size)
{
  size_t here = *at;
  *at += n * size;
  *at = (*at + 7) & ~(size_t)7;
  return here;
}

static struct ocf_snapshot *snapshot_new(const struct build *b)
{
  struct ocf_table *t = b->t;
  size_t n_slots = 1, at = 0;
  while (n_slots < 2 * t->pub_entries.n)
    n_slots *= 2;
  (void)carve(&at, 1, sizeof(struct ocf_snapshot));
  size_t rows = carve(&at, b->n_rows, sizeof(struct ocf_snapshot_row));
  size_t services = carve(&at, b->n_services, sizeof(struct ocf_snapshot_service));
  size_t entries = carve(&at, t->pub_entries.n, sizeof(struct ocf_snapshot_entry));
  size_t keys = carve(&at, t->pub_keys.n, sizeof(struct ocf_bytes));
  size_t lists = carve(&at, b->n_list, sizeof(uint32_t));
  size_t slots = carve(&at, n_slots, sizeof(uint32_t));
  uint8_t *p = ocf_alloc_get(t->a, at);
  if (p == NULL)
    return NULL;
  struct ocf_snapshot *s = (struct ocf_snapshot *)(void *)p;
  *s = (struct ocf_snapshot){
    .slot = &t->slot,
    .alloc_bytes = at,
    .generation = ++t->generation,
    .made_ns = b->now_ns,
    .seed = { t->groups.map.seed[0], t->groups.map.seed[1] },
    .rows = (void *)(p + rows),
    .services = (void *)(p + services),
    .entries = (void *)(p + entries),
    .keys = (void *)(p + keys),
    .lists = (void *)(p + lists),
    .slots = (void *)(p + slots),
    .n_rows = (uint32_t)b->n_rows,
    .n_services = (uint32_t)b->n_services,
    .n_entries = (uint32_t)t->pub_entries.n,
    .slots_mask = (uint32_t)n_slots - 1,
  };
  atomic_init(&s->refs, 1);
  memset(s->slots, 0, n_slots * sizeof(uint32_t));
  t->n_snapshots++;
  return s;
}

/* ---- 6: filled ---- */

static struct ocf_snapshot_list take_list(struct ocf_snapshot *s, size_t *n_list, uint32_t n)
{
  struct ocf_snapshot_list l = { s->lists + *n_list, n };
  *n_list += n;
  return l;
}

static void fill_service(const struct build *b, struct ocf_snapshot *s, uint32_t i, size_t *n_list)
{
  const struct publish_service *ps = &b->services[i];
  struct ocf_snapshot_service *to = &s->services[i];
  const struct publish_key *keys = b->t->pub_keys.p;
  *to = (struct ocf_snapshot_service){
    .name = ocf_bytes(ps->name->text, ps->name->n),
    .n_known = ps->n_known,
    .keys = s->keys + ps->first_key,
    .n_keys = ps->n_keys,
    .n_keys_more = ps->n_keys_more,
    .index = i,
    .first_entry = ps->first_entry,
    .n_entries = ps->n_entries,
  };
  to->providers = take_list(s, n_list, ps->n_providers);
  to->open = take_list(s, n_list, ps->n_open);
  to->all = take_list(s, n_list, ps->n_all);
  for (uint32_t k = 0; k < ps->n_keys; k++) {
    const struct ocf_group *key = keys[ps->first_key + k].key;
    s->keys[ps->first_key + k] = ocf_bytes(key->text, key->n);
  }
}

static void fill_entry(const struct build *b, struct ocf_snapshot *s, uint32_t service, uint32_t i,
                       size_t *n_list)
{
  const struct publish_entry *pe = (const struct publish_entry *)b->t->pub_entries.p + i;
  s->entries[i] = (struct ocf_snapshot_entry){ pe->group, service, (uint32_t)*n_list, 0 };
  *n_list += pe->n;
  pe->group->index = i;
  uint32_t at = ocf_snapshot_slot_of(s, pe->group->node.hash, service);
  while (s->slots[at] != 0)
    at = (at + 1) & s->slots_mask;
  s->slots[at] = i + 1;
}

static uint32_t *tail(struct ocf_snapshot *s, struct ocf_snapshot_list l, uint32_t n)
{
  return s->lists + (l.rows - s->lists) + n;
}

static void fill_lists(const struct build *b, struct ocf_snapshot *s, uint32_t i)
{
  const struct publish_service *ps = &b->services[i];
  const struct ocf_snapshot_service *svc = &s->services[i];
  uint32_t n_open = 0, n_all = 0;
  for (uint32_t p = 0; p < ps->n_pairs; p++) {
    const struct publish_pair *pair = &b->pairs[ps->first_pair + p];
    *tail(s, svc->providers, p) = pair->row;
    if (pair->service->n_groups == 0)
      *tail(s, svc->open, n_open++) = pair->row;
    for (uint32_t k = 0; k < pair->service->n_groups; k++) {
      const struct ocf_group *g = pair->service->groups[k];
      if (g->kind == OCF_RECORD_GROUP_ALL) {
        *tail(s, svc->all, n_all++) = pair->row;
        continue;
      }
      struct ocf_snapshot_entry *e = &s->entries[g->index];
      s->lists[e->first + e->n++] = pair->row;
    }
  }
  OCF_ASSERT(ps->n_pairs == ps->n_providers && n_open == ps->n_open && n_all == ps->n_all);
}

static void fill(const struct build *b, struct ocf_snapshot *s)
{
  size_t n_list = 0;
  if (b->n_rows > 0)
    memcpy(s->rows, b->rows, b->n_rows * sizeof(*s->rows));
  for (size_t i = 0; i < b->n_rows; i++) {
    if (s->rows[i].claims != NULL)
      ((struct ocf_claims *)(uintptr_t)s->rows[i].claims)->refs++;
  }
  for (uint32_t i = 0; i < s->n_services; i++) {
    const struct publish_service *ps = &b->services[i];
    fill_service(b, s, i, &n_list);
    for (uint32_t k = 0; k < ps->n_entries; k++)
      fill_entry(b, s, i, ps->first_entry + k, &n_list);
    fill_lists(b, s, i);
  }
  OCF_ASSERT(n_list == b->n_list);
}

static void put_in_slot(struct ocf_table *t, struct ocf_snapshot *s)
{
  struct ocf_snapshot_slot *slot = &t->slot;
  while (atomic_flag_test_and_set_explicit(&slot->lock, memory_order_acquire)) {
  }
  struct ocf_snapshot *old = slot->newest;
  slot->newest = s;
  atomic_flag_clear_explicit(&slot->lock, memory_order_release);
  atomic_store_explicit(&slot->generation, s->generation, memory_order_relaxed);
  ocf_snapshot_unref(old);
}

int ocf_table_publish(struct ocf_table *t, uint64_t now_ns)
{
  struct build b = { .t = t, .now_ns = now_ns };
  ocf_table_reap(t);
  int err = collect_rows(&b);
  if (err == 0)
    err = collect_services(&b);
  if (err == 0)
    err = collect_pairs(&b);
  if (err == 0)
    err = collect_groups(&b);
  struct ocf_snapshot *s = err == 0 ? snapshot_new(&b) : NULL;
  if (s == NULL)
    return OCF_ENOMEM;
  fill(&b, s);
  for (size_t i = 0; i < t->rows.n; i++)
    t->sorted[i]->shown_rtt_ns = t->sorted[i]->pub.local.rtt_ns;
  put_in_slot(t, s);
  t->dirty = false;
  ocf_table_reap(t);
  return 0;
}
