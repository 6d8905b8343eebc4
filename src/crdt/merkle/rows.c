#include <string.h>

#include "base/core/endian.h"
#include "crdt/merkle/merkle_int.h"

enum {
  LAYOUT = 1,
  STATE_SIZE = 17,
  REF_SIZE = 16,
  WINNER_HEAD = 8 + ID + 4 + 4 + 1,
  CHANGE_HEAD = 1 + ID + 1,
  N_COUNTS = sizeof(struct ocf_merkle_counts) / sizeof(uint64_t),
};

/* ---- keys ---- */

struct row_key ocf_merkle_row1(char what, const uint8_t id[ID])
{
  struct row_key k = { .n = 1 + ID };
  k.b[0] = (uint8_t)what;
  memcpy(k.b + 1, id, ID);
  return k;
}

struct row_key ocf_merkle_row2(char what, const uint8_t a[ID], const uint8_t b[ID])
{
  struct row_key k = { .n = 1 + 2 * ID };
  k.b[0] = (uint8_t)what;
  memcpy(k.b + 1, a, ID);
  memcpy(k.b + 1 + ID, b, ID);
  return k;
}

struct row_key ocf_merkle_row_tomb(const uint8_t key[ID], uint8_t kind, const uint8_t id[ID])
{
  struct row_key k = { .n = ROW_MAX };
  k.b[0] = 't';
  memcpy(k.b + 1, key, ID);
  k.b[1 + ID] = kind;
  memcpy(k.b + 2 + ID, id, ID);
  return k;
}

bool ocf_merkle_id_after(uint8_t id[ID])
{
  for (size_t i = ID; i-- > 0;)
    if (++id[i] != 0)
      return true;
  return false;
}

/* ---- the store ---- */

int ocf_merkle_has(struct ocf_merkle *m, const struct row_key *k)
{
  struct ocf_bytes val;
  return ocf_kv_get(m->cfg.kv, row_view(k), &val);
}

int ocf_merkle_put_row(struct ocf_merkle *m, const struct row_key *k, struct ocf_bytes val)
{
  m->changed = true;
  m->n_changes++;
  return ocf_kv_put(m->cfg.kv, row_view(k), val);
}

int ocf_merkle_del_row(struct ocf_merkle *m, const struct row_key *k)
{
  m->changed = true;
  m->n_changes++;
  return ocf_kv_del(m->cfg.kv, row_view(k));
}

int ocf_merkle_seek(struct ocf_merkle *m, char what, const uint8_t *from, size_t n,
                    struct ocf_bytes *rest, struct ocf_bytes *val)
{
  struct row_key k = { .n = 1 + n };
  struct ocf_bytes got;
  OCF_ASSERT(k.n <= sizeof(k.b));
  k.b[0] = (uint8_t)what;
  if (n > 0)
    memcpy(k.b + 1, from, n);
  int err = ocf_kv_seek(m->cfg.kv, row_view(&k), &got, val);
  if (err != 0)
    return err;
  if (got.p[0] != (uint8_t)what)
    return OCF_ENOENT;
  *rest = ocf_bytes(got.p + 1, got.n - 1);
  return 0;
}

/* ---- blocks ---- */

int ocf_merkle_get_state(struct ocf_merkle *m, const uint8_t id[ID], struct block_state *out)
{
  struct row_key k = ocf_merkle_row1('s', id);
  struct ocf_bytes v;
  int err = ocf_kv_get(m->cfg.kv, row_view(&k), &v);
  if (err != 0)
    return err;
  if (v.n != STATE_SIZE)
    return OCF_EIO;
  *out = (struct block_state){ v.p[0], ocf_get_be64(v.p + 1), ocf_get_be64(v.p + 9) };
  return 0;
}

int ocf_merkle_put_state(struct ocf_merkle *m, const uint8_t id[ID], const struct block_state *s)
{
  struct row_key k = ocf_merkle_row1('s', id);
  uint8_t v[STATE_SIZE];
  v[0] = s->flags;
  ocf_put_be64(v + 1, s->priority);
  ocf_put_be64(v + 9, s->missing);
  return ocf_merkle_put_row(m, &k, ocf_bytes(v, sizeof(v)));
}

int ocf_merkle_put_height(struct ocf_merkle *m, const struct row_key *k, uint64_t height)
{
  uint8_t v[8];
  ocf_put_be64(v, height);
  return ocf_merkle_put_row(m, k, ocf_bytes(v, sizeof(v)));
}

int ocf_merkle_read_height(struct ocf_bytes val, uint64_t *height)
{
  if (val.n != 8)
    return OCF_EIO;
  *height = ocf_get_be64(val.p);
  return 0;
}

/* ---- values ---- */

int ocf_merkle_read_ref(struct ocf_bytes val, const uint8_t block[ID], struct value_ref *out)
{
  if (val.n != REF_SIZE)
    return OCF_EIO;
  out->priority = ocf_get_be64(val.p);
  out->at = ocf_get_be32(val.p + 8);
  out->n = ocf_get_be32(val.p + 12);
  memcpy(out->block, block, ID);
  return 0;
}

int ocf_merkle_get_ref(struct ocf_merkle *m, const struct row_key *k, struct value_ref *out)
{
  struct ocf_bytes v;
  int err = ocf_kv_get(m->cfg.kv, row_view(k), &v);
  return err != 0 ? err : ocf_merkle_read_ref(v, k->b + k->n - ID, out);
}

int ocf_merkle_put_ref(struct ocf_merkle *m, const struct row_key *k, const struct value_ref *r)
{
  uint8_t v[REF_SIZE];
  ocf_put_be64(v, r->priority);
  ocf_put_be32(v + 8, r->at);
  ocf_put_be32(v + 12, r->n);
  return ocf_merkle_put_row(m, k, ocf_bytes(v, sizeof(v)));
}

int ocf_merkle_value(struct ocf_merkle *m, const struct value_ref *r, struct ocf_bytes *out)
{
  struct row_key k = ocf_merkle_row1('b', r->block);
  struct ocf_bytes v;
  int err = ocf_kv_get(m->cfg.kv, row_view(&k), &v);
  if (err != 0)
    return err == OCF_ENOENT ? OCF_EIO : err;
  if (r->at > v.n || r->n > v.n - r->at)
    return OCF_EIO;
  *out = ocf_bytes(v.p + r->at, r->n);
  return 0;
}

int ocf_merkle_read_winner(struct ocf_bytes val, struct winner *out)
{
  if (val.n < WINNER_HEAD)
    return OCF_EIO;
  out->ref.priority = ocf_get_be64(val.p);
  memcpy(out->ref.block, val.p + 8, ID);
  out->ref.at = ocf_get_be32(val.p + 8 + ID);
  out->ref.n = ocf_get_be32(val.p + 12 + ID);
  out->flags = val.p[16 + ID];
  out->key = ocf_bytes(val.p + WINNER_HEAD, val.n - WINNER_HEAD);
  return 0;
}

int ocf_merkle_get_winner(struct ocf_merkle *m, const uint8_t kd[ID], struct winner *out)
{
  struct row_key k = ocf_merkle_row1('v', kd);
  struct ocf_bytes v;
  int err = ocf_kv_get(m->cfg.kv, row_view(&k), &v);
  return err != 0 ? err : ocf_merkle_read_winner(v, out);
}

/* Puts a row of a fixed beginning and a text behind it. The text may be long, hence the buffer. */
static int put_with_text(struct ocf_merkle *m, const struct row_key *k, const uint8_t *head,
                         size_t n, struct ocf_bytes text)
{
  ocf_buf_clear(&m->row);
  int err = ocf_buf_add(&m->row, head, n);
  if (err == 0)
    err = ocf_buf_add(&m->row, text.p, text.n);
  return err != 0 ? err : ocf_merkle_put_row(m, k, ocf_buf_view(&m->row));
}

int ocf_merkle_put_winner(struct ocf_merkle *m, const uint8_t kd[ID], const struct winner *w)
{
  struct row_key k = ocf_merkle_row1('v', kd);
  uint8_t v[WINNER_HEAD];
  ocf_put_be64(v, w->ref.priority);
  memcpy(v + 8, w->ref.block, ID);
  ocf_put_be32(v + 8 + ID, w->ref.at);
  ocf_put_be32(v + 12 + ID, w->ref.n);
  v[16 + ID] = w->flags;
  return put_with_text(m, &k, v, sizeof(v), w->key);
}

/* ---- changes to be told ---- */

int ocf_merkle_read_change(struct ocf_bytes val, struct change *out)
{
  if (val.n < CHANGE_HEAD || val.n - CHANGE_HEAD < val.p[1 + ID])
    return OCF_EIO;
  size_t n = val.p[1 + ID];
  out->flags = val.p[0];
  memcpy(out->block, val.p + 1, ID);
  out->announcer = ocf_bytes(val.p + CHANGE_HEAD, n);
  out->key = ocf_bytes(val.p + CHANGE_HEAD + n, val.n - CHANGE_HEAD - n);
  return 0;
}

int ocf_merkle_put_change(struct ocf_merkle *m, const uint8_t kd[ID], const struct change *c)
{
  struct row_key k = ocf_merkle_row1('n', kd);
  uint8_t v[CHANGE_HEAD + OCF_MERKLE_ANNOUNCER_MAX];
  OCF_ASSERT(c->announcer.n <= OCF_MERKLE_ANNOUNCER_MAX);
  v[0] = c->flags;
  memcpy(v + 1, c->block, ID);
  v[1 + ID] = (uint8_t)c->announcer.n;
  if (c->announcer.n > 0)
    memcpy(v + CHANGE_HEAD, c->announcer.p, c->announcer.n);
  return put_with_text(m, &k, v, CHANGE_HEAD + c->announcer.n, c->key);
}

/* ---- counts ---- */

static void counts_as_array(struct ocf_merkle_counts *n, uint64_t *v[N_COUNTS])
{
  uint64_t *all[N_COUNTS] = { &n->blocks,     &n->block_bytes, &n->rows,    &n->elements,
                              &n->tombstones, &n->heads,       &n->adopted, &n->incomplete };
  memcpy(v, all, sizeof(all));
}

int ocf_merkle_load_counts(struct ocf_merkle *m)
{
  struct ocf_bytes val, key;
  uint64_t *v[N_COUNTS];
  int err = ocf_kv_get(m->cfg.kv, OCF_STR("m"), &val);
  m->n = (struct ocf_merkle_counts){ 0 };
  if (err == OCF_ENOENT) { /* a new store has no other row either */
    err = ocf_kv_seek(m->cfg.kv, ocf_bytes(NULL, 0), &key, &val);
    return err == 0 ? OCF_EUNSUPP : err == OCF_ENOENT ? 0 : err;
  }
  if (err != 0)
    return err;
  if (val.n < 1 || val.p[0] != LAYOUT)
    return OCF_EUNSUPP;
  if (val.n != 1 + 8 * N_COUNTS)
    return OCF_EIO;
  counts_as_array(&m->n, v);
  for (size_t i = 0; i < N_COUNTS; i++)
    *v[i] = ocf_get_be64(val.p + 1 + 8 * i);
  return 0;
}

int ocf_merkle_save_counts(struct ocf_merkle *m)
{
  uint8_t val[1 + 8 * N_COUNTS] = { LAYOUT };
  uint64_t *v[N_COUNTS];
  counts_as_array(&m->n, v);
  for (size_t i = 0; i < N_COUNTS; i++)
    ocf_put_be64(val + 1 + 8 * i, *v[i]);
  return ocf_kv_put(m->cfg.kv, OCF_STR("m"), ocf_bytes(val, sizeof(val)));
}
