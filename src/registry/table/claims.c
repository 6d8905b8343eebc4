#include "registry/table/claims.h"

#include <string.h>

#include "registry/table/table_int.h"

enum { JSON_MAX = 6 * OCF_RECORD_JSON_MAX + 64 * 1024 }; /* every byte of a value as \u003c */

static const char disconnected[] = "\"connected\":false";

static bool is_alnum(uint8_t c)
{
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool ocf_service_name_ok(struct ocf_bytes name)
{
  if (name.n == 0 || name.n > OCF_SERVICE_NAME_MAX || !is_alnum(name.p[0]))
    return false;
  for (size_t i = 1; i < name.n; i++) {
    uint8_t c = name.p[i];
    if (!is_alnum(c) && c != '.' && c != '_' && c != '-')
      return false;
  }
  return true;
}

/* ---- interned texts ---- */

void ocf_atoms_init(struct ocf_atoms *m, struct ocf_alloc *a, const uint64_t seed[2])
{
  m->a = a;
  ocf_map_init(&m->map, a, seed, SIZE_MAX);
}

void ocf_atoms_fini(struct ocf_atoms *m)
{
  OCF_ASSERT(m->map.n == 0);
  ocf_map_fini(&m->map);
}

static size_t atom_size(const struct ocf_group *g)
{
  return sizeof(*g) + g->n;
}

/* One more reference to the object of `text`; NULL when out of memory. */
static struct ocf_group *atom_ref(struct ocf_atoms *m, struct ocf_bytes text)
{
  struct ocf_map_node *found = ocf_map_find(&m->map, text);
  struct ocf_group *g;
  if (found != NULL) {
    g = OCF_CONTAINER_OF(found, struct ocf_group, node);
    g->refs++;
    return g;
  }
  g = ocf_alloc_zero(m->a, sizeof(*g) + text.n);
  if (g == NULL)
    return NULL;
  g->refs = 1;
  g->n = (uint16_t)text.n;
  memcpy(g->text, text.p, text.n);
  if (ocf_map_insert(&m->map, &g->node, ocf_bytes(g->text, text.n)) != 0) {
    ocf_alloc_put(m->a, g, atom_size(g));
    return NULL;
  }
  return g;
}

static void atom_unref(struct ocf_atoms *m, struct ocf_group *g)
{
  OCF_ASSERT(g->refs > 0);
  if (--g->refs > 0)
    return;
  OCF_ASSERT(g->uses == 0);
  ocf_map_remove(&m->map, &g->node);
  ocf_alloc_put(m->a, g, atom_size(g));
}

static void group_unref(struct ocf_table *t, struct ocf_group *g)
{
  struct ocf_group *key = g->key;
  bool last = g->refs == 1;
  atom_unref(&t->groups, g);
  if (last && key != NULL)
    atom_unref(&t->keys, key);
}

/* As atom_ref for an identity group, with its key; the first reference holds one of the key. */
static struct ocf_group *group_ref(struct ocf_table *t, struct ocf_bytes text,
                                   const struct ocf_record_group *parsed)
{
  struct ocf_group *g = atom_ref(&t->groups, text);
  if (g == NULL || g->refs > 1)
    return g;
  g->kind = (uint8_t)parsed->kind;
  if (parsed->kind == OCF_RECORD_GROUP_ALL)
    return g;
  g->key = atom_ref(&t->keys, parsed->key);
  if (g->key == NULL) {
    atom_unref(&t->groups, g);
    return NULL;
  }
  return g;
}

static void atom_use(struct ocf_table *t, struct ocf_group *g)
{
  if (g->uses++ == 0)
    t->n_bytes += atom_size(g);
}

static void atom_unuse(struct ocf_table *t, struct ocf_group *g)
{
  OCF_ASSERT(g->uses > 0);
  if (--g->uses == 0)
    t->n_bytes -= atom_size(g);
}

void ocf_claims_use(struct ocf_table *t, struct ocf_claims *c)
{
  t->n_bytes += c->alloc_bytes;
  for (uint32_t i = 0; i < c->n_services; i++) {
    atom_use(t, c->services[i].atom);
    for (uint32_t k = 0; k < c->services[i].n_groups; k++)
      atom_use(t, c->services[i].groups[k]);
  }
}

void ocf_claims_unuse(struct ocf_table *t, struct ocf_claims *c)
{
  OCF_ASSERT(t->n_bytes >= c->alloc_bytes);
  t->n_bytes -= c->alloc_bytes;
  for (uint32_t i = 0; i < c->n_services; i++) {
    atom_unuse(t, c->services[i].atom);
    for (uint32_t k = 0; k < c->services[i].n_groups; k++)
      atom_unuse(t, c->services[i].groups[k]);
  }
}

/* ---- making them ---- */

/* The block behind the claims is carved from here. */
struct carve {
  uint8_t *at, *end;
};

static void *carve(struct carve *v, size_t n)
{
  void *p = v->at;
  OCF_ASSERT(n <= (size_t)(v->end - v->at));
  v->at += n;
  return p;
}

static struct ocf_bytes carve_copy(struct carve *v, struct ocf_bytes s)
{
  void *p = carve(v, s.n);
  if (s.n > 0)
    memcpy(p, s.p, s.n);
  return ocf_bytes(p, s.n);
}

static bool matchable(struct ocf_bytes text, struct ocf_record_group *g)
{
  if (text.n > OCF_GROUP_MAX)
    return false;
  *g = ocf_record_group(text);
  return g->kind != OCF_RECORD_GROUP_INVALID && g->key.n <= OCF_SNAPSHOT_KEY_MAX;
}

/* Adds the groups of one service of the record, each text once per claimed service (`stamp`). */
static int add_groups(struct ocf_table *t, const struct ocf_record_service *rs, uint64_t stamp,
                      struct ocf_claims_service *cs, struct ocf_group **to)
{
  for (uint32_t i = 0; i < rs->identity_group.n; i++) {
    struct ocf_record_group parsed;
    struct ocf_bytes text = rs->identity_group.v[i];
    if (!matchable(text, &parsed))
      continue;
    struct ocf_group *g = group_ref(t, text, &parsed);
    if (g == NULL)
      return OCF_ENOMEM;
    if (g->stamp == stamp) {
      group_unref(t, g);
      continue;
    }
    g->stamp = stamp;
    to[cs->n_groups++] = g;
  }
  return 0;
}

static bool seen_before(const struct ocf_record *r, uint32_t i)
{
  for (uint32_t k = 0; k < i; k++) {
    if (ocf_bytes_eq(r->service[k].name, r->service[i].name))
      return true;
  }
  return false;
}

static int add_services(struct ocf_table *t, const struct ocf_record *r, struct ocf_claims *c,
                        struct ocf_claims_service *services, struct ocf_group **groups)
{
  int err = 0;
  for (uint32_t i = 0; i < r->n_services && err == 0; i++) {
    if (!ocf_service_name_ok(r->service[i].name) || seen_before(r, i))
      continue;
    struct ocf_claims_service *cs = &services[c->n_services];
    struct ocf_group *name = atom_ref(&t->names, r->service[i].name);
    if (name == NULL)
      return OCF_ENOMEM;
    *cs = (struct ocf_claims_service){ ocf_bytes(name->text, name->n), name, groups, 0 };
    c->n_services++;
    uint64_t stamp = ++t->stamp;
    for (uint32_t k = i; k < r->n_services && err == 0; k++) {
      if (ocf_bytes_eq(r->service[k].name, cs->name))
        err = add_groups(t, &r->service[k], stamp, cs, groups);
    }
    groups += cs->n_groups;
  }
  return err;
}

static void set_peer(struct ocf_bytes text, struct ocf_peerid *out)
{
  if (text.n > 0 && ocf_peerid_parse(text, out) != 0)
    *out = (struct ocf_peerid){ 0 };
}

static uint16_t port_of(struct ocf_bytes text)
{
  uint32_t v = 0;
  for (size_t i = 0; i < text.n; i++) {
    if (text.p[i] < '0' || text.p[i] > '9' || (v = v * 10 + (text.p[i] - '0')) > UINT16_MAX)
      return 0;
  }
  return (uint16_t)v;
}

static void set_fields(struct ocf_claims *c, const struct ocf_record *r)
{
  set_peer(r->relay_peer, &c->relay_peer);
  set_peer(r->evicted_by, &c->evicted_by);
  c->has_evicted_by = r->evicted_by.n > 0;
  c->public_port = port_of(r->public_port);
  c->left = ocf_bytes_eq(r->status, OCF_STR("left"));
  c->role_head = ocf_record_strs_have(&r->role, OCF_STR("head"));
  c->role_relay = ocf_record_strs_have(&r->role, OCF_STR("relay"));
}

/* Quotes inside of strings are escaped, so the text of the field stands nowhere else before it. */
static size_t find_connected(struct ocf_bytes json)
{
  const size_t n = sizeof(disconnected) - 1, word = sizeof("false") - 1;
  for (size_t i = 0; i + n <= json.n; i++) {
    if (memcmp(json.p + i, disconnected, n) == 0)
      return i + n - word;
  }
  OCF_ASSERT(false); /* ocf_record_write() writes it always */
  return 0;
}

static int from_record(struct ocf_table *t, const struct ocf_record *r, struct ocf_bytes value,
                       struct ocf_bytes json, struct ocf_claims **out)
{
  size_t n_groups = 0;
  for (uint32_t i = 0; i < r->n_services; i++)
    n_groups += r->service[i].identity_group.n;
  size_t size = sizeof(**out) + r->n_services * sizeof(struct ocf_claims_service) +
                n_groups * sizeof(struct ocf_group *) + value.n + json.n + r->public_address.n;
  struct ocf_claims *c = ocf_alloc_zero(t->a, size);
  if (c == NULL)
    return OCF_ENOMEM;
  struct carve v = { (uint8_t *)(c + 1), (uint8_t *)c + size };
  struct ocf_claims_service *services = carve(&v, r->n_services * sizeof(*services));
  struct ocf_group **groups = carve(&v, n_groups * sizeof(struct ocf_group *));
  c->refs = 1;
  c->alloc_bytes = (uint32_t)size;
  c->services = services;
  c->value = carve_copy(&v, value);
  c->json = carve_copy(&v, json);
  c->public_address = carve_copy(&v, r->public_address);
  c->connected_at = find_connected(c->json);
  set_fields(c, r);
  int err = add_services(t, r, c, services, groups);
  if (err != 0)
    ocf_claims_unref(t, c);
  else
    *out = c;
  return err;
}

static bool is_about(const struct ocf_record *r, const struct ocf_peerid *peer)
{
  struct ocf_peerid id;
  return ocf_peerid_parse(r->id, &id) == 0 && ocf_peerid_eq(&id, peer);
}

int ocf_claims_new(struct ocf_table *t, const struct ocf_peerid *peer, struct ocf_bytes value,
                   uint64_t priority, uint64_t now_ns, struct ocf_claims **out)
{
  struct ocf_record r;
  struct ocf_buf json;
  int err = ocf_record_parse(&r, t->a, value);
  if (err != 0)
    return err == OCF_ENOMEM ? err : OCF_EINVAL;
  ocf_buf_init(&json, t->a, JSON_MAX);
  err = is_about(&r, peer) ? 0 : OCF_EAUTH;
  if (err == 0)
    err = ocf_record_write(&r, OCF_RECORD_DISCONNECTED, &json);
  if (err == 0)
    err = from_record(t, &r, value, ocf_buf_view(&json), out);
  if (err == 0) {
    (*out)->priority = priority;
    (*out)->since_ns = now_ns;
  }
  ocf_buf_fini(&json);
  ocf_record_fini(&r);
  return err == OCF_ELIMIT ? OCF_EINVAL : err;
}

void ocf_claims_unref(struct ocf_table *t, struct ocf_claims *c)
{
  if (c == NULL)
    return;
  OCF_ASSERT(c->refs > 0);
  if (--c->refs > 0)
    return;
  for (uint32_t i = 0; i < c->n_services; i++) {
    for (uint32_t k = 0; k < c->services[i].n_groups; k++)
      group_unref(t, c->services[i].groups[k]);
    atom_unref(&t->names, c->services[i].atom);
  }
  ocf_alloc_put(t->a, c, c->alloc_bytes);
}

int ocf_claims_write(const struct ocf_claims *c, bool connected, struct ocf_buf *to)
{
  const size_t word = sizeof("false") - 1;
  size_t before = to->n;
  int err = ocf_buf_add(to, c->json.p, c->connected_at);
  if (err == 0)
    err = ocf_buf_add_str(to, connected ? "true" : "false");
  if (err == 0)
    err = ocf_buf_add(to, c->json.p + c->connected_at + word, c->json.n - c->connected_at - word);
  if (err != 0)
    to->n = before;
  return err;
}
