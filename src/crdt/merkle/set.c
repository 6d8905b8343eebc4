/* The observed-remove set: which elements live, which value of a key wins. */
#include <string.h>

#include "crdt/merkle/merkle_int.h"
#include "crypto/hash/hash.h"
#include "fmt/basex/basex.h"
#include "multi/multihash/multihash.h"

enum { MH_SIZE = OCF_MULTIHASH_SHA2_256_SIZE, MH_TEXT = 55 };

/* ---- names ---- */

/* Appends the parts of `text` to the rooted path in `dst`, in the way of Go's path.Clean. */
static int clean_more(struct ocf_buf *dst, struct ocf_bytes text)
{
  int err = ocf_buf_reserve(dst, text.n + 1);
  for (size_t i = 0; err == 0 && i < text.n;) {
    size_t n = 0;
    while (i + n < text.n && text.p[i + n] != '/')
      n++;
    struct ocf_bytes part = ocf_bytes(text.p + i, n);
    i += n + 1;
    if (n == 0 || ocf_bytes_eq(part, OCF_STR(".")))
      continue;
    if (ocf_bytes_eq(part, OCF_STR(".."))) {
      while (dst->n > 0 && dst->p[--dst->n] != '/')
        ;
      continue;
    }
    err = ocf_buf_add_u8(dst, '/');
    if (err == 0)
      err = ocf_buf_add(dst, part.p, part.n);
  }
  return err;
}

int ocf_merkle_clean(struct ocf_buf *dst, struct ocf_bytes text)
{
  ocf_buf_clear(dst);
  int err = clean_more(dst, text);
  return err == 0 && dst->n == 0 ? ocf_buf_add_u8(dst, '/') : err;
}

void ocf_merkle_digest(struct ocf_bytes key, uint8_t out[ID])
{
  ocf_sha256(key.p, key.n, out);
}

void ocf_merkle_tomb_id(const uint8_t id[ID], char out[64])
{
  uint8_t mh[MH_SIZE] = { OCF_MULTIHASH_SHA2_256, ID };
  memcpy(mh + 2, id, ID);
  out[0] = '/';
  int err = ocf_basex_encode(OCF_BASEX_32_UPPER, ocf_bytes(mh, sizeof(mh)), out + 1, 63, NULL);
  OCF_ASSERT(err == 0);
}

/* Whether `text` is a block's name exactly as Go writes it. */
static bool is_block_name(struct ocf_bytes text, uint8_t id[ID])
{
  uint8_t mh[MH_TEXT];
  size_t n = 0;
  if (text.n != MH_TEXT)
    return false;
  for (size_t i = 0; i < text.n; i++)
    if (text.p[i] >= 'a' && text.p[i] <= 'z')
      return false;
  if (ocf_basex_decode(OCF_BASEX_32_UPPER, text, mh, sizeof(mh), &n) != 0 || n != MH_SIZE ||
      mh[0] != OCF_MULTIHASH_SHA2_256 || mh[1] != ID)
    return false;
  memcpy(id, mh + 2, ID);
  return true;
}

/* What a tombstone names. */
struct tomb {
  struct ocf_bytes key; /* in m->key */
  uint8_t kd[ID], id[ID];
  uint8_t kind;
};

/* Go keeps tombstones under the path key/id, so the last part is the id, wherever the slashes came
 * from. OCF_ENOENT: it names nothing. */
static int tomb_read(struct ocf_merkle *m, const struct ocf_merkle_element *e, struct tomb *t)
{
  ocf_buf_clear(&m->key);
  int err = clean_more(&m->key, e->key);
  if (err == 0)
    err = clean_more(&m->key, e->id);
  if (err != 0)
    return err;
  if (m->key.n == 0)
    return OCF_ENOENT;
  size_t cut = m->key.n;
  while (m->key.p[--cut] != '/')
    ;
  struct ocf_bytes name = ocf_bytes(m->key.p + cut + 1, m->key.n - cut - 1);
  t->key = cut == 0 ? OCF_STR("/") : ocf_bytes(m->key.p, cut);
  t->kind = is_block_name(name, t->id) ? 0 : 1;
  if (t->kind == 1)
    ocf_merkle_digest(name, t->id);
  ocf_merkle_digest(t->key, t->kd);
  return 0;
}

/* ---- winners ---- */

/* What one merge works on. */
struct merge {
  const uint8_t *id;
  struct ocf_bytes block;
  uint64_t priority;
  const struct origin *origin;
};

static int compare_bytes(struct ocf_bytes a, struct ocf_bytes b)
{
  size_t n = OCF_MIN(a.n, b.n);
  int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
  return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static int note_change(struct ocf_merkle *m, const struct merge *g, const uint8_t kd[ID],
                       struct ocf_bytes key)
{
  const struct origin *o = g->origin;
  struct change c = { .key = key };
  c.flags = (uint8_t)((o->direct ? CHANGE_DIRECT : 0) | (o->local ? CHANGE_LOCAL : 0));
  memcpy(c.block, g->id, ID);
  if (o->by != NULL)
    c.announcer = ocf_bytes(o->by->id, o->by->n);
  return ocf_merkle_put_change(m, kd, &c);
}

static bool has_value(const struct winner *w)
{
  return (w->flags & WINNER_EMPTY) == 0;
}

/* Replaces the winner of a key. `old` and `now` may be NULL: there was, there is none. */
static int set_winner(struct ocf_merkle *m, const struct merge *g, const uint8_t kd[ID],
                      const struct winner *old, const struct winner *now, struct ocf_bytes key)
{
  struct row_key k = ocf_merkle_row1('v', kd);
  m->n.rows -= old != NULL && has_value(old);
  m->n.rows += now != NULL && has_value(now);
  int err = now != NULL ? ocf_merkle_put_winner(m, kd, now) : ocf_merkle_del_row(m, &k);
  return err != 0 ? err : note_change(m, g, kd, key);
}

/* The best of the live elements of a key: highest priority, then greatest value. OCF_ENOENT: none
 * lives. */
static int best_element(struct ocf_merkle *m, const uint8_t kd[ID], struct value_ref *out)
{
  uint8_t at[2 * ID] = { 0 };
  struct ocf_bytes rest, val, best_value = { NULL, 0 }, value;
  struct value_ref r;
  bool any = false, more = true;
  memcpy(at, kd, ID);
  while (more) {
    int err = ocf_merkle_seek(m, 'e', at, sizeof(at), &rest, &val);
    if (err == OCF_ENOENT || (err == 0 && memcmp(rest.p, kd, OCF_MIN(rest.n, (size_t)ID)) != 0))
      break;
    if (err == 0)
      err = rest.n == sizeof(at) ? ocf_merkle_read_ref(val, rest.p + ID, &r) : OCF_EIO;
    if (err != 0)
      return err;
    memcpy(at + ID, r.block, ID);
    more = ocf_merkle_id_after(at + ID);
    if (any && r.priority < out->priority)
      continue;
    err = ocf_merkle_value(m, &r, &value);
    if (err != 0)
      return err;
    if (!any || r.priority > out->priority || compare_bytes(value, best_value) > 0) {
      *out = r;
      best_value = value;
      any = true;
    }
  }
  return any ? 0 : OCF_ENOENT;
}

/* The winner of `key` was tombstoned: the next best takes over. An empty value that wins here means
 * that the key has no value (Go's rule; it is kept as such, so that this need not be asked again).
 */
static int recount(struct ocf_merkle *m, const struct merge *g, const struct winner *old,
                   const uint8_t kd[ID], struct ocf_bytes key)
{
  struct winner now = { .key = key };
  int err = best_element(m, kd, &now.ref);
  if (err != 0 && err != OCF_ENOENT)
    return err;
  now.flags = now.ref.n == 0 ? WINNER_EMPTY : 0;
  return set_winner(m, g, kd, old, err == 0 ? &now : NULL, key);
}

int ocf_merkle_part(struct ocf_merkle *m, const uint8_t id[ID], size_t limit)
{
  struct row_key p = ocf_merkle_row1('p', id);
  if (m->n_changes < limit)
    return 0;
  m->unfinished = true;
  int err = ocf_merkle_put_row(m, &p, ocf_bytes(NULL, 0));
  return err != 0 ? err : ocf_merkle_relieve(m, 0);
}

/* ---- tombstones ---- */

/* Records one. A known element dies by it. */
static int bury(struct ocf_merkle *m, const struct tomb *t)
{
  struct row_key k = ocf_merkle_row_tomb(t->kd, t->kind, t->id);
  struct row_key e = ocf_merkle_row2('e', t->kd, t->id);
  uint8_t known = 0;
  int err = ocf_merkle_has(m, &k);
  if (err != OCF_ENOENT)
    return err; /* recorded before */
  err = t->kind == 0 ? ocf_merkle_has(m, &e) : OCF_ENOENT;
  if (err != 0 && err != OCF_ENOENT)
    return err;
  if (err == 0) {
    known = 1;
    m->n.elements--;
    err = ocf_merkle_del_row(m, &e);
    if (err != 0)
      return err;
  }
  m->n.tombstones++;
  return ocf_merkle_put_row(m, &k, ocf_bytes(&known, 1));
}

static int recount_if_won(struct ocf_merkle *m, const struct merge *g, const struct tomb *t)
{
  struct winner old;
  if (t->kind != 0)
    return 0;
  int err = ocf_merkle_get_winner(m, t->kd, &old);
  if (err == OCF_ENOENT || (err == 0 && memcmp(old.ref.block, t->id, ID) != 0))
    return 0;
  return err != 0 ? err : recount(m, g, &old, t->kd, t->key);
}

/* All are recorded before any key is looked at again, so that a delta that removes a long history
 * costs one recount and not one per tombstone. The result is the same. */
static int merge_tombstones(struct ocf_merkle *m, const struct merge *g,
                            const struct ocf_merkle_delta *d)
{
  for (int pass = 0; pass < 2; pass++) {
    struct ocf_merkle_delta_iter it = ocf_merkle_delta_iter(d, OCF_MERKLE_TOMBSTONES);
    struct ocf_merkle_element e;
    struct tomb t;
    while (ocf_merkle_delta_next(&it, &e)) {
      int err = tomb_read(m, &e, &t);
      if (err == OCF_ENOENT)
        continue;
      if (err == 0)
        err = pass == 0 ? bury(m, &t) : recount_if_won(m, g, &t);
      if (err == 0)
        err = ocf_merkle_part(m, g->id, BLOCK_CHANGES);
      if (err != 0)
        return err;
    }
  }
  return 0;
}

/* ---- elements ---- */

/* Whether (key, block) is tombstoned; the tombstone then learns that its element is known. 1, 0 or
 * an error. */
static int is_buried(struct ocf_merkle *m, const uint8_t kd[ID], const uint8_t id[ID])
{
  static const uint8_t known = 1;
  struct row_key k = ocf_merkle_row_tomb(kd, 0, id);
  struct ocf_bytes v;
  int err = ocf_kv_get(m->cfg.kv, row_view(&k), &v);
  if (err == OCF_ENOENT)
    return 0;
  if (err != 0)
    return err;
  if (v.n != 1 || v.p[0] != 0)
    return 1;
  err = ocf_merkle_put_row(m, &k, ocf_bytes(&known, 1));
  return err != 0 ? err : 1;
}

/* Records the live element. One key twice in a block: the greater value stands for it. */
static int record_element(struct ocf_merkle *m, const struct merge *g, const uint8_t kd[ID],
                          const struct value_ref *r, struct ocf_bytes value)
{
  struct row_key k = ocf_merkle_row2('e', kd, g->id);
  struct value_ref old;
  int err = ocf_merkle_get_ref(m, &k, &old);
  if (err == 0 && (old.at > g->block.n || old.n > g->block.n - old.at))
    return OCF_EIO;
  if (err == 0 && compare_bytes(ocf_bytes(g->block.p + old.at, old.n), value) >= 0)
    return 0;
  if (err != 0 && err != OCF_ENOENT)
    return err;
  m->n.elements += err == OCF_ENOENT;
  return ocf_merkle_put_ref(m, &k, r);
}

/* Whether the new value loses against what the key has: 1, 0 or an error. Without a value the key
 * counts as priority 0 with an empty one. */
static int loses(struct ocf_merkle *m, uint64_t priority, struct ocf_bytes value,
                 const struct winner *old)
{
  struct ocf_bytes present = { NULL, 0 };
  bool any = old != NULL && has_value(old);
  uint64_t at = any ? old->ref.priority : 0;
  if (priority != at)
    return priority < at;
  int err = any ? ocf_merkle_value(m, &old->ref, &present) : 0;
  return err != 0 ? err : compare_bytes(present, value) >= 0;
}

static void note_loser(struct ocf_merkle *m, const struct merge *g)
{
  const struct announcer *by = g->origin->by;
  if (by == NULL)
    return;
  struct loser *l = &m->losers[m->n_losers++ % LOSERS_MAX];
  memcpy(l->id, g->id, ID);
  l->flags = g->origin->direct ? CHANGE_DIRECT : 0;
  l->n_announcer = by->n;
  memcpy(l->announcer, by->id, by->n);
}

const struct loser *ocf_merkle_loser(const struct ocf_merkle *m, const uint8_t id[ID])
{
  for (size_t i = 0; i < OCF_MIN(m->n_losers, (size_t)LOSERS_MAX); i++) {
    if (memcmp(m->losers[i].id, id, ID) == 0)
      return &m->losers[i];
  }
  return NULL;
}

static int merge_element(struct ocf_merkle *m, const struct merge *g,
                         const struct ocf_merkle_element *e)
{
  uint8_t kd[ID];
  struct winner old, now = { .ref = { .priority = g->priority, .n = (uint32_t)e->value.n } };
  memcpy(now.ref.block, g->id, ID);
  if (e->value.n > 0)
    now.ref.at = (uint32_t)(e->value.p - g->block.p);
  int err = ocf_merkle_clean(&m->key, e->key);
  if (err != 0)
    return err;
  now.key = ocf_buf_view(&m->key);
  ocf_merkle_digest(now.key, kd);
  err = is_buried(m, kd, g->id);
  if (err != 0)
    return err < 0 ? err : 0;
  err = record_element(m, g, kd, &now.ref, e->value);
  if (err != 0)
    return err;
  err = ocf_merkle_get_winner(m, kd, &old);
  if (err != 0 && err != OCF_ENOENT)
    return err;
  const struct winner *before = err == 0 ? &old : NULL;
  err = loses(m, g->priority, e->value, before);
  if (err > 0)
    note_loser(m, g);
  return err != 0 ? OCF_MIN(err, 0) : set_winner(m, g, kd, before, &now, now.key);
}

int ocf_merkle_merge(struct ocf_merkle *m, const uint8_t id[ID], struct ocf_bytes block,
                     const struct ocf_merkle_delta *d, const struct origin *o)
{
  struct merge g = { id, block, d->priority, o };
  struct ocf_merkle_delta_iter it = ocf_merkle_delta_iter(d, OCF_MERKLE_ELEMENTS);
  struct ocf_merkle_element e;
  int err = d->n[OCF_MERKLE_TOMBSTONES] > 0 ? merge_tombstones(m, &g, d) : 0;
  while (err == 0 && ocf_merkle_delta_next(&it, &e)) {
    err = merge_element(m, &g, &e);
    if (err == 0)
      err = ocf_merkle_part(m, id, BLOCK_CHANGES);
  }
  return err;
}
