/* Heads: the complete blocks that no complete block links; and what is announced of them. */
#include <string.h>

#include "crdt/merkle/merkle_int.h"

enum {
  UNLINK_BATCH = 64,
  HEIGHTS_MAX = 65536, /* heads that a write looks at for its priority */
};

static int node_of(struct ocf_merkle *m, const uint8_t id[ID], struct ocf_dagpb_node *node)
{
  struct row_key k = ocf_merkle_row1('b', id);
  struct ocf_bytes block;
  int err = ocf_kv_get(m->cfg.kv, row_view(&k), &block);
  if (err != 0)
    return err == OCF_ENOENT ? OCF_EIO : err;
  return ocf_dagpb_decode(block, node) != 0 ? OCF_EIO : 0;
}

/* The height of a head is its priority. Go takes that of the block below when there is none. */
static int height_of(struct ocf_merkle *m, const uint8_t id[ID], uint64_t priority, uint64_t *out)
{
  struct ocf_dagpb_node node;
  struct ocf_dagpb_link link;
  struct block_state s;
  uint8_t child[ID];
  *out = priority;
  if (priority != 0)
    return 0;
  int err = node_of(m, id, &node);
  if (err != 0)
    return err;
  struct ocf_dagpb_iter it = ocf_dagpb_iter(&node);
  if (!ocf_dagpb_next(&it, &link) || !ocf_merkle_link_id(&link.cid, child))
    return 0;
  err = ocf_merkle_get_state(m, child, &s);
  if (err == 0)
    *out = s.priority;
  return err == OCF_ENOENT ? 0 : err;
}

int ocf_merkle_head_add(struct ocf_merkle *m, const uint8_t id[ID], uint64_t priority)
{
  struct row_key k = ocf_merkle_row1('h', id);
  uint64_t height;
  int err = height_of(m, id, priority, &height);
  if (err != 0)
    return err;
  m->n.heads++;
  return ocf_merkle_put_height(m, &k, height);
}

/* Finds up to UNLINK_BATCH heads among the links of `id`. Deleting ends the views, so it comes
 * after. */
static int linked_heads(struct ocf_merkle *m, const uint8_t id[ID],
                        struct row_key found[UNLINK_BATCH], size_t *n)
{
  struct ocf_dagpb_node node;
  struct ocf_dagpb_link link;
  uint8_t child[ID];
  int err = node_of(m, id, &node);
  *n = 0;
  if (err != 0)
    return err;
  struct ocf_dagpb_iter it = ocf_dagpb_iter(&node);
  while (*n < UNLINK_BATCH && ocf_dagpb_next(&it, &link)) {
    if (!ocf_merkle_link_id(&link.cid, child))
      continue;
    found[*n] = ocf_merkle_row1('h', child);
    err = ocf_merkle_has(m, &found[*n]);
    if (err == 0 && (*n == 0 || memcmp(found[*n - 1].b, found[*n].b, 1 + ID) != 0))
      ++*n;
    if (err != 0 && err != OCF_ENOENT)
      return err;
  }
  return 0;
}

int ocf_merkle_heads_unlink(struct ocf_merkle *m, const uint8_t id[ID])
{
  struct row_key found[UNLINK_BATCH];
  size_t n = UNLINK_BATCH;
  while (n == UNLINK_BATCH && m->n.heads > 0) {
    int err = linked_heads(m, id, found, &n);
    if (err != 0)
      return err;
    for (size_t i = 0; i < n; i++) {
      if (ocf_merkle_has(m, &found[i]) != 0) /* the same link twice, apart */
        continue;
      m->n.heads--;
      err = ocf_merkle_del_row(m, &found[i]);
      if (err != 0)
        return err;
    }
  }
  return 0;
}

static int greatest_height(struct ocf_merkle *m, char what, uint64_t *out)
{
  uint8_t at[ID] = { 0 };
  struct ocf_bytes rest, val;
  bool more = true;
  for (size_t i = 0; more && i < HEIGHTS_MAX; i++) {
    uint64_t height = 0;
    int err = ocf_merkle_seek(m, what, at, ID, &rest, &val);
    if (err != 0)
      return err == OCF_ENOENT ? 0 : err;
    if (rest.n != ID || ocf_merkle_read_height(val, &height) != 0)
      return OCF_EIO;
    *out = OCF_MAX(*out, height);
    memcpy(at, rest.p, ID);
    more = ocf_merkle_id_after(at);
  }
  return 0;
}

int ocf_merkle_height(struct ocf_merkle *m, uint64_t *out)
{
  uint64_t height = 0;
  int err = m->n.heads > 0 ? greatest_height(m, 'h', &height) : 0;
  if (err == 0 && m->n.adopted > 0)
    err = greatest_height(m, 'a', &height);
  if (err == 0)
    *out = height;
  return err;
}

/* ---- announcing ---- */

static int announce(struct ocf_merkle *m, const uint8_t id[ID])
{
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  ocf_merkle_cid(id, cid);
  int err = ocf_merkle_heads_add(&m->tx, ocf_bytes(cid, sizeof(cid)));
  m->stats.heads_tx += err == 0;
  return err;
}

/* Own blocks since the last time, those that are heads still. */
int ocf_merkle_announce_own(struct ocf_merkle *m)
{
  int err = 0;
  size_t n = m->n_own_ready;
  ocf_buf_clear(&m->tx);
  for (size_t i = 0; err == 0 && i < n; i++) {
    struct row_key k = ocf_merkle_row1('h', m->own[i]);
    err = ocf_merkle_has(m, &k);
    err = err == OCF_ENOENT ? 0 : err == 0 ? announce(m, m->own[i]) : err;
  }
  m->n_own = m->n_own_ready = 0;
  return err;
}

/* The heads that nobody else announced since the last round, beginning where that ended. */
int ocf_merkle_announce_round(struct ocf_merkle *m)
{
  struct ocf_bytes rest, val;
  uint8_t id[ID];
  int err = 0;
  ocf_buf_clear(&m->tx);
  for (size_t i = 0; i < m->cfg.round_max && m->n.heads > 0; i++) {
    err = ocf_merkle_seek(m, 'h', m->round_at, ID, &rest, &val);
    if (err == 0 && rest.n != ID)
      err = OCF_EIO;
    if (err != 0)
      break;
    memcpy(id, rest.p, ID);
    memcpy(m->round_at, id, ID);
    if (!ocf_merkle_noted(&m->seen, id) && (err = announce(m, id)) != 0)
      break;
    if (!ocf_merkle_id_after(m->round_at)) {
      err = OCF_ENOENT;
      break;
    }
  }
  if (err == OCF_ENOENT)
    memset(m->round_at, 0, ID);
  ocf_merkle_notes_clear(m, &m->seen);
  return err == OCF_ENOENT ? 0 : err;
}
