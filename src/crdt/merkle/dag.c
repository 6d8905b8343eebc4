/* Blocks: storing them, following their links, and finding out when all below one is there. */
#include <string.h>

#include "crdt/merkle/merkle_int.h"

static const uint8_t cid_head[CID_HEAD] = { 1, OCF_CID_DAG_PB, OCF_MULTIHASH_SHA2_256, ID };

void ocf_merkle_cid(const uint8_t id[ID], uint8_t cid[OCF_CID_BLOCK_SIZE])
{
  memcpy(cid, cid_head, CID_HEAD);
  memcpy(cid + CID_HEAD, id, ID);
}

bool ocf_merkle_link_id(const struct ocf_cid *cid, uint8_t id[ID])
{
  if (cid->codec != OCF_CID_DAG_PB || cid->hash.code != OCF_MULTIHASH_SHA2_256 ||
      cid->hash.digest.n != ID)
    return false;
  memcpy(id, cid->hash.digest.p, ID);
  return true;
}

/* ---- links ---- */

/* Has a missing block fetched, on the account of who announced the block that links it. */
static int want_child(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID],
                      struct announcer *by)
{
  struct fetch *f = ocf_merkle_fetch_find(m, id);
  int err = f == NULL ? ocf_merkle_unwanted(m, id) : 0;
  if (err < 0)
    return err;
  if (err > 0) {
    m->dirty = true;
    return 0;
  }
  if (f != NULL)
    f->child = true;
  else if (ocf_merkle_fetch_add(m, now_ns, id, by, true) == NULL)
    ocf_merkle_search_again(m);
  return 0;
}

/* One link of the stored block `id`. Counts into `*missing` when the child is not complete. */
static int follow(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID],
                  const struct ocf_cid *cid, struct announcer *by, uint64_t *missing)
{
  uint8_t child[ID];
  struct block_state s = { 0 };
  if (!ocf_merkle_link_id(cid, child)) { /* cannot be fetched: never complete */
    m->stats.links_unsupported++;
    m->dirty = true;
    ++*missing;
    return 0;
  }
  int err = ocf_merkle_get_state(m, child, &s);
  bool stored = err == 0;
  if (err != 0 && err != OCF_ENOENT)
    return err;
  if ((s.flags & BLOCK_COMPLETE) != 0)
    return 0;
  struct row_key k = ocf_merkle_row2('w', child, id);
  err = ocf_merkle_has(m, &k);
  if (err != OCF_ENOENT)
    return err; /* the same link twice */
  ++*missing;
  err = ocf_merkle_put_row(m, &k, ocf_bytes(NULL, 0));
  return err != 0 || stored ? err : want_child(m, now_ns, child, by);
}

static int follow_links(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID],
                        const struct ocf_dagpb_node *node, struct announcer *by, uint64_t *missing)
{
  struct ocf_dagpb_iter it = ocf_dagpb_iter(node);
  struct ocf_dagpb_link link;
  int err = 0;
  while (err == 0 && ocf_dagpb_next(&it, &link))
    err = follow(m, now_ns, id, &link.cid, by, missing);
  return err;
}

/* ---- completion ---- */

bool ocf_merkle_completing(const struct ocf_merkle *m)
{
  return m->n_ready > 0 || m->ready_stored;
}

static int push_ready(struct ocf_merkle *m, const uint8_t id[ID])
{
  if (m->n_ready < READY_MAX) {
    memcpy(m->ready[m->n_ready++], id, ID);
    return 0;
  }
  struct row_key k = ocf_merkle_row1('q', id);
  m->ready_stored = true;
  return ocf_merkle_put_row(m, &k, ocf_bytes(NULL, 0));
}

/* 1 and an id, 0 when none is left, or an error. */
static int pop_ready(struct ocf_merkle *m, uint8_t id[ID])
{
  struct ocf_bytes rest, val;
  if (m->n_ready > 0) {
    memcpy(id, m->ready[--m->n_ready], ID);
    return 1;
  }
  if (!m->ready_stored)
    return 0;
  int err = ocf_merkle_seek(m, 'q', NULL, 0, &rest, &val);
  if (err == OCF_ENOENT) {
    m->ready_stored = false;
    return 0;
  }
  if (err != 0 || rest.n != ID)
    return err != 0 ? err : OCF_EIO;
  memcpy(id, rest.p, ID);
  struct row_key k = ocf_merkle_row1('q', id);
  err = ocf_merkle_del_row(m, &k);
  return err != 0 ? err : 1;
}

/* What waits in memory must be in the store before a commit. */
static int keep_ready(struct ocf_merkle *m)
{
  int err = 0;
  while (err == 0 && m->n_ready > 0) {
    struct row_key k = ocf_merkle_row1('q', m->ready[--m->n_ready]);
    m->ready_stored = true;
    err = ocf_merkle_put_row(m, &k, ocf_bytes(NULL, 0));
  }
  return err;
}

/* `parent` links a block that is complete now. Sets `*covered` when it thereby becomes complete
 * too. */
static int tell_parent(struct ocf_merkle *m, const uint8_t parent[ID], bool *covered)
{
  struct block_state s;
  int err = ocf_merkle_get_state(m, parent, &s);
  if (err != 0 || s.missing == 0)
    return err == OCF_ENOENT || err == 0 ? OCF_EIO : err;
  s.missing--;
  err = ocf_merkle_put_state(m, parent, &s);
  if (err != 0 || s.missing > 0)
    return err;
  *covered = true;
  return push_ready(m, parent);
}

/* Tells all parents that wait for `id`, each of which costs one of `*budget`. OCF_EAGAIN: there are
 * more. */
static int tell_parents(struct ocf_merkle *m, const uint8_t id[ID], size_t *budget, bool *covered)
{
  struct ocf_bytes rest, val;
  for (;;) {
    uint8_t parent[ID];
    int err = ocf_merkle_seek(m, 'w', id, ID, &rest, &val);
    if (err == OCF_ENOENT || (err == 0 && memcmp(rest.p, id, OCF_MIN(rest.n, (size_t)ID)) != 0))
      return 0;
    if (err != 0 || rest.n != 2 * ID)
      return err != 0 ? err : OCF_EIO;
    if (*budget == 0)
      return OCF_EAGAIN;
    --*budget;
    memcpy(parent, rest.p + ID, ID);
    struct row_key k = ocf_merkle_row2('w', id, parent);
    err = ocf_merkle_del_row(m, &k);
    if (err == 0)
      err = tell_parent(m, parent, covered);
    if (err != 0)
      return err;
  }
}

static int drop_adopted(struct ocf_merkle *m, const uint8_t id[ID])
{
  struct row_key k = ocf_merkle_row1('a', id);
  int err = m->n.adopted > 0 ? ocf_merkle_has(m, &k) : OCF_ENOENT;
  if (err != 0)
    return err == OCF_ENOENT ? 0 : err;
  m->n.adopted--;
  return ocf_merkle_del_row(m, &k);
}

/* All links of `id` are complete: it is complete itself, and a head unless a parent follows at
 * once. The heads that it links are none any more. */
static int complete(struct ocf_merkle *m, const uint8_t id[ID], size_t *budget)
{
  struct block_state s;
  int err = ocf_merkle_get_state(m, id, &s);
  if (err != 0)
    return err == OCF_ENOENT ? OCF_EIO : err;
  bool covered = (s.flags & BLOCK_COVERED) != 0;
  int rest = tell_parents(m, id, budget, &covered);
  if (rest != 0 && rest != OCF_EAGAIN)
    return rest;
  s.flags |= (uint8_t)((covered ? BLOCK_COVERED : 0) | (rest == 0 ? BLOCK_COMPLETE : 0));
  err = ocf_merkle_put_state(m, id, &s);
  if (err != 0 || rest != 0)
    return err != 0 ? err : push_ready(m, id);
  m->n.incomplete--;
  err = drop_adopted(m, id);
  if (err == 0 && !covered)
    err = ocf_merkle_head_add(m, id, s.priority);
  return err != 0 ? err : ocf_merkle_heads_unlink(m, id);
}

int ocf_merkle_complete_some(struct ocf_merkle *m, size_t budget)
{
  uint8_t id[ID];
  int rc = 0;
  while (budget > 0 && (rc = pop_ready(m, id)) > 0) {
    budget--;
    rc = complete(m, id, &budget);
    if (rc == 0 && m->n_changes >= TURN_CHANGES && (rc = keep_ready(m)) == 0)
      rc = ocf_merkle_relieve(m, TURN_CHANGES);
    if (rc != 0)
      return rc;
  }
  if (rc < 0)
    return rc;
  if (m->n.incomplete == 0)
    m->dirty = false;
  return keep_ready(m);
}

/* ---- storing ---- */

int ocf_merkle_store(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID],
                     const struct ocf_dagpb_node *node, const struct ocf_merkle_delta *d,
                     const struct origin *o)
{
  struct row_key b = ocf_merkle_row1('b', id), a = ocf_merkle_row1('a', id);
  struct row_key p = ocf_merkle_row1('p', id);
  struct block_state s = { 0, d->priority, 0 };
  int err = ocf_merkle_put_row(m, &b, node->block);
  if (err == 0)
    err = ocf_merkle_merge(m, id, node->block, d, o);
  if (err == 0) /* following links cannot be cut */
    err = ocf_merkle_part(m, id, BLOCK_CHANGES - OCF_MIN(node->n_links, (size_t)BLOCK_CHANGES - 1));
  if (err == 0)
    err = follow_links(m, now_ns, id, node, o->by, &s.missing);
  if (err == 0)
    err = ocf_merkle_put_state(m, id, &s);
  if (err == 0 && m->unfinished)
    err = ocf_merkle_del_row(m, &p);
  if (err != 0)
    return err;
  m->n.blocks++;
  m->n.block_bytes += node->block.n;
  m->n.incomplete++;
  m->stats.blocks_merged++;
  if (s.missing == 0) {
    err = push_ready(m, id);
  } else if (o->adopt && m->n.heads == 0) {
    m->n.adopted++;
    err = ocf_merkle_put_height(m, &a, d->priority);
  }
  if (err != 0)
    return err;
  if (ocf_ring_full(&m->stored)) {
    (void)ocf_ring_pop(&m->stored, NULL);
    m->n_stored_ready -= m->n_stored_ready > 0;
  }
  err = ocf_ring_push(&m->stored, id);
  OCF_ASSERT(err == 0);
  return ocf_merkle_complete_some(m, m->cfg.work_max);
}
