/* The store in memory: an AVL tree of entries. Each entry changed by the running transaction keeps
 * its committed value beside the present one and hangs in a list, so that commit and abort need no
 * memory and cannot fail. */
#include <string.h>

#include "base/core/core.h"
#include "base/mem/alloc.h"
#include "crdt/kv/kv.h"

enum { DEPTH_MAX = 64 }; /* an AVL tree of this height has over 2^44 entries */

struct value {
  uint8_t *p; /* NULL when n is 0 */
  size_t n;
  bool live;
};

struct entry {
  struct entry *kid[2];
  struct entry *next_changed;
  struct value now, old; /* `old` means something only while `changed` */
  bool changed;
  bool any_live; /* this one or one below, so that seeks pass over what the transaction deleted */
  int8_t height;
  uint16_t key_n;
  uint8_t key[];
};

struct mem {
  struct ocf_kv kv;
  struct ocf_alloc *a;
  struct entry *root;
  struct entry *changed;
  size_t bytes, max_bytes;
};

static struct mem *mem_of(struct ocf_kv *kv)
{
  return OCF_CONTAINER_OF(kv, struct mem, kv);
}

static int compare(struct ocf_bytes a, const struct entry *e)
{
  size_t n = OCF_MIN(a.n, (size_t)e->key_n);
  int c = n == 0 ? 0 : memcmp(a.p, e->key, n);
  return c != 0 ? c : (a.n > e->key_n) - (a.n < e->key_n);
}

/* ---- the tree ---- */

/* The way from the root to an entry: where each pointer is kept, so that it can be turned. */
struct path {
  struct entry **at[DEPTH_MAX];
  size_t n;
};

static int height(const struct entry *e)
{
  return e == NULL ? 0 : e->height;
}

static bool any_live(const struct entry *e)
{
  return e != NULL && e->any_live;
}

static void measure(struct entry *e)
{
  e->height = (int8_t)(OCF_MAX(height(e->kid[0]), height(e->kid[1])) + 1);
  e->any_live = e->now.live || any_live(e->kid[0]) || any_live(e->kid[1]);
}

/* Lifts the kid on `side` above its parent. */
static void rotate(struct entry **at, int side)
{
  struct entry *top = *at, *kid = top->kid[side];
  top->kid[side] = kid->kid[!side];
  kid->kid[!side] = top;
  measure(top);
  measure(kid);
  *at = kid;
}

static void balance(struct entry **at)
{
  struct entry *e = *at;
  int lean = height(e->kid[1]) - height(e->kid[0]);
  if (lean >= -1 && lean <= 1) {
    measure(e);
    return;
  }
  int side = lean > 0;
  struct entry *kid = e->kid[side];
  if (height(kid->kid[!side]) > height(kid->kid[side]))
    rotate(&e->kid[side], !side);
  rotate(at, side);
}

static void balance_path(struct path *w)
{
  while (w->n > 0)
    balance(w->at[--w->n]);
}

static struct entry **step(struct path *w, struct entry **at, int side)
{
  OCF_ASSERT(w->n < DEPTH_MAX);
  w->at[w->n++] = at;
  return &(*at)->kid[side];
}

/* Where `key` is or would hang; `w` is the way there, the place itself not included. */
static struct entry **locate(struct mem *m, struct ocf_bytes key, struct path *w)
{
  struct entry **at = &m->root;
  int c;
  w->n = 0;
  while (*at != NULL && (c = compare(key, *at)) != 0)
    at = step(w, at, c > 0);
  return at;
}

static struct entry *find(const struct mem *m, struct ocf_bytes key)
{
  struct entry *e = m->root;
  int c;
  while (e != NULL && (c = compare(key, e)) != 0)
    e = e->kid[c > 0];
  return e;
}

/* The least live entry in the tree of `e`, which has one. */
static struct entry *first_live(struct entry *e)
{
  for (;;) {
    if (any_live(e->kid[0]))
      e = e->kid[0];
    else if (e->now.live)
      return e;
    else
      e = e->kid[1];
  }
}

/* The least live entry whose key is >= `key`: among those on the way down that are not smaller,
 * from the last one up, it or what is right of it. */
static struct entry *least_from(const struct mem *m, struct ocf_bytes key)
{
  struct entry *way[DEPTH_MAX];
  size_t n = 0;
  int c = 1;
  for (struct entry *e = m->root; e != NULL && c != 0; e = e->kid[c > 0]) {
    OCF_ASSERT(n < DEPTH_MAX);
    c = compare(key, e);
    if (c <= 0)
      way[n++] = e;
  }
  while (n > 0) {
    struct entry *e = way[--n];
    if (e->now.live)
      return e;
    if (any_live(e->kid[1]))
      return first_live(e->kid[1]);
  }
  return NULL;
}

/* Takes the entry at the end of `w` out of the tree. With two kids its successor takes its place.
 */
static void unlink_entry(struct entry **at, struct path *w)
{
  struct entry *e = *at;
  if (e->kid[0] == NULL || e->kid[1] == NULL) {
    *at = e->kid[e->kid[0] == NULL];
    balance_path(w);
    return;
  }
  size_t own = w->n; /* index of `at` in the way */
  struct entry **next = step(w, at, 1);
  while ((*next)->kid[0] != NULL)
    next = step(w, next, 0);
  struct entry *s = *next;
  *next = s->kid[1];
  s->kid[0] = e->kid[0];
  s->kid[1] = e->kid[1];
  *at = s;
  if (w->n > own + 1) /* the way went through e->kid[1], whose pointer moved into `s` */
    w->at[own + 1] = &s->kid[1];
  balance_path(w);
}

/* ---- values ---- */

static int charge(struct mem *m, size_t n)
{
  if (m->max_bytes != 0 && n > m->max_bytes - m->bytes)
    return OCF_ELIMIT;
  m->bytes += n;
  return 0;
}

static int value_make(struct mem *m, struct ocf_bytes from, struct value *out)
{
  struct value v = { NULL, from.n, true };
  if (from.n > 0) {
    int err = charge(m, from.n);
    if (err != 0)
      return err;
    v.p = ocf_alloc_get(m->a, from.n);
    if (v.p == NULL) {
      m->bytes -= from.n;
      return OCF_ENOMEM;
    }
    memcpy(v.p, from.p, from.n);
  }
  *out = v;
  return 0;
}

static void value_drop(struct mem *m, struct value *v)
{
  ocf_alloc_put(m->a, v->p, v->n);
  m->bytes -= v->n;
  *v = (struct value){ NULL, 0, false };
}

static void entry_free(struct mem *m, struct entry *e)
{
  size_t size = sizeof(*e) + e->key_n;
  value_drop(m, &e->now);
  if (e->changed)
    value_drop(m, &e->old);
  m->bytes -= size;
  ocf_alloc_put(m->a, e, size);
}

static void forget(struct mem *m, struct entry *e)
{
  struct path w;
  struct entry **at = locate(m, ocf_bytes(e->key, e->key_n), &w);
  OCF_ASSERT(*at == e);
  unlink_entry(at, &w);
  entry_free(m, e);
}

/* The entry of `key`, made dead and empty when there is none. */
static int entry_get(struct mem *m, struct ocf_bytes key, struct entry **out)
{
  struct path w;
  struct entry **at = locate(m, key, &w);
  if (*at == NULL) {
    size_t size = sizeof(struct entry) + key.n;
    int err = charge(m, size);
    if (err != 0)
      return err;
    struct entry *e = ocf_alloc_zero(m->a, size);
    if (e == NULL) {
      m->bytes -= size;
      return OCF_ENOMEM;
    }
    e->height = 1;
    e->key_n = (uint16_t)key.n;
    memcpy(e->key, key.p, key.n);
    *at = e;
    balance_path(&w);
    *out = e;
    return 0;
  }
  *out = *at;
  return 0;
}

/* `e` lives or died: those above it must know. */
static void tell_above(struct mem *m, struct entry *e)
{
  struct path w;
  struct entry **at = locate(m, ocf_bytes(e->key, e->key_n), &w);
  OCF_ASSERT(*at == e);
  measure(e);
  while (w.n > 0)
    measure(*w.at[--w.n]);
}

/* Gives `e` another present value, keeping the committed one for an abort. */
static void entry_set(struct mem *m, struct entry *e, struct value v)
{
  bool flips = e->now.live != v.live;
  if (e->changed) {
    value_drop(m, &e->now);
  } else {
    e->old = e->now;
    e->changed = true;
    e->next_changed = m->changed;
    m->changed = e;
  }
  e->now = v;
  if (flips)
    tell_above(m, e);
}

/* ---- the operations ---- */

static int mem_get(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val)
{
  struct entry *e = find(mem_of(kv), key);
  if (e == NULL || !e->now.live)
    return OCF_ENOENT;
  *val = ocf_bytes(e->now.p, e->now.n);
  return 0;
}

static int mem_put(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val)
{
  struct mem *m = mem_of(kv);
  struct value v = { NULL, 0, false };
  struct entry *e;
  int err = value_make(m, val, &v);
  if (err != 0)
    return err;
  err = entry_get(m, key, &e);
  if (err != 0) {
    value_drop(m, &v);
    return err;
  }
  entry_set(m, e, v);
  return 0;
}

static int mem_del(struct ocf_kv *kv, struct ocf_bytes key)
{
  struct mem *m = mem_of(kv);
  struct entry *e = find(m, key);
  if (e != NULL && e->now.live)
    entry_set(m, e, (struct value){ NULL, 0, false });
  return 0;
}

static int mem_seek(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
                    struct ocf_bytes *val)
{
  struct mem *m = mem_of(kv);
  struct entry *e = least_from(m, from);
  if (e == NULL)
    return OCF_ENOENT;
  *key = ocf_bytes(e->key, e->key_n);
  *val = ocf_bytes(e->now.p, e->now.n);
  return 0;
}

/* Ends the transaction: every changed entry keeps its present or its committed value. */
static void settle(struct mem *m, bool commit)
{
  struct entry *e;
  while ((e = m->changed) != NULL) {
    m->changed = e->next_changed;
    if (!commit) {
      struct value v = e->now;
      e->now = e->old;
      e->old = v;
      if (e->now.live != v.live)
        tell_above(m, e);
    }
    value_drop(m, &e->old);
    e->changed = false;
    if (!e->now.live)
      forget(m, e);
  }
}

static int mem_commit(struct ocf_kv *kv)
{
  settle(mem_of(kv), true);
  return 0;
}

static void mem_abort(struct ocf_kv *kv)
{
  settle(mem_of(kv), false);
}

static uint64_t mem_bytes(const struct ocf_kv *kv)
{
  return OCF_CONTAINER_OF_CONST(kv, struct mem, kv)->bytes;
}

static const struct ocf_kv_ops mem_ops = {
  mem_get, mem_put, mem_del, mem_seek, mem_commit, mem_abort, mem_bytes,
};

int ocf_kv_mem_open(struct ocf_alloc *a, size_t max_bytes, struct ocf_kv **out)
{
  struct mem *m = OCF_NEW(a, struct mem);
  if (m == NULL)
    return OCF_ENOMEM;
  m->kv.ops = &mem_ops;
  m->a = a;
  m->max_bytes = max_bytes;
  *out = &m->kv;
  return 0;
}

/* Frees the tree without recursion: right turns until there is no left kid. */
void ocf_kv_mem_close(struct ocf_kv *kv)
{
  if (kv == NULL)
    return;
  struct mem *m = mem_of(kv);
  while (m->root != NULL) {
    struct entry *e = m->root;
    if (e->kid[0] != NULL) {
      rotate(&m->root, 0);
    } else {
      m->root = e->kid[1];
      entry_free(m, e);
    }
  }
  OCF_DELETE(m->a, m);
}
