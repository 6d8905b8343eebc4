/* Own writes: a delta, its block, and the same merge that everybody does. */
#include <string.h>

#include "base/str/escape.h"
#include "crdt/merkle/merkle_int.h"
#include "crypto/hash/hash.h"

enum {
  LINK_BYTES = 2 + 2 + OCF_CID_BLOCK_SIZE + 2 + 2, /* of a link in a block */
  BLOCK_SPARE = 128, /* what else a block holds beside its links, key and value */
};

/* The heads to link, in the order of their CIDs, which is that of the rows. */
struct links {
  struct ocf_bytes *views;
  uint8_t (*cids)[OCF_CID_BLOCK_SIZE];
  size_t n, cap;
};

static void links_free(struct ocf_merkle *m, struct links *l)
{
  ocf_alloc_put(m->cfg.a, l->views, l->cap * sizeof(l->views[0]));
  ocf_alloc_put(m->cfg.a, l->cids, l->cap * sizeof(l->cids[0]));
}

static size_t links_cap(const struct ocf_merkle *m)
{
  return (size_t)OCF_MIN(m->n.heads, (uint64_t)m->cfg.links_max);
}

static int links_collect(struct ocf_merkle *m, struct links *l)
{
  uint8_t at[ID] = { 0 };
  struct ocf_bytes rest, val;
  bool more = true;
  *l = (struct links){ .cap = links_cap(m) };
  if (l->cap == 0)
    return 0;
  l->views = ocf_alloc_get(m->cfg.a, l->cap * sizeof(l->views[0]));
  l->cids = ocf_alloc_get(m->cfg.a, l->cap * sizeof(l->cids[0]));
  if (l->views == NULL || l->cids == NULL)
    return OCF_ENOMEM;
  while (more && l->n < l->cap) {
    int err = ocf_merkle_seek(m, 'h', at, ID, &rest, &val);
    if (err != 0 || rest.n != ID)
      return err == 0 || err == OCF_ENOENT ? OCF_EIO : err;
    memcpy(at, rest.p, ID);
    ocf_merkle_cid(at, l->cids[l->n]);
    l->views[l->n] = ocf_bytes(l->cids[l->n], OCF_CID_BLOCK_SIZE);
    l->n++;
    more = ocf_merkle_id_after(at);
  }
  return 0;
}

/* To be announced after the commit. The oldest may go when too many wait: later own blocks link it.
 */
static void announce_later(struct ocf_merkle *m, const uint8_t id[ID])
{
  if (m->n_own == OWN_MAX) {
    memmove(m->own[0], m->own[1], sizeof(m->own) - sizeof(m->own[0]));
    m->n_own--;
    m->n_own_ready -= m->n_own_ready > 0;
  }
  memcpy(m->own[m->n_own++], id, ID);
}

/* Makes a block of the elements and tombstones in m->delta and merges it. */
static int write_block(struct ocf_merkle *m, uint64_t now_ns, uint64_t priority)
{
  struct origin o = { .local = true };
  struct ocf_dagpb_node node;
  struct ocf_merkle_delta d;
  struct block_state s;
  struct links l;
  uint8_t id[ID];
  ocf_buf_clear(&m->block);
  int err = ocf_merkle_relieve(m, TURN_CHANGES);
  if (err != 0)
    return err;
  err = links_collect(m, &l);
  if (err == 0)
    err = ocf_merkle_delta_end(&m->delta, priority);
  if (err == 0)
    err = ocf_dagpb_encode(l.views, l.n, ocf_buf_view(&m->delta), &m->block);
  links_free(m, &l);
  if (err != 0)
    return err;
  ocf_sha256(m->block.p, m->block.n, id);
  err = ocf_dagpb_decode(ocf_buf_view(&m->block), &node);
  OCF_ASSERT(err == 0);
  err = ocf_merkle_delta_parse(node.data, &d);
  OCF_ASSERT(err == 0);
  err = ocf_merkle_get_state(m, id, &s); /* heads are linked, so it is new; a hash could collide */
  if (err != OCF_ENOENT)
    return err == 0 ? OCF_EIO : err;
  struct fetch *f = ocf_merkle_fetch_find(m, id); /* it may be announced from a former life */
  if (f != NULL)
    ocf_merkle_fetch_end(m, f);
  err = ocf_merkle_store(m, now_ns, id, &node, &d, &o);
  if (err == 0)
    announce_later(m, id);
  return err;
}

static int next_priority(struct ocf_merkle *m, const uint8_t kd[ID], uint64_t *out)
{
  struct winner w;
  uint64_t p;
  int err = ocf_merkle_height(m, &p);
  if (err != 0)
    return err;
  err = ocf_merkle_get_winner(m, kd, &w);
  if (err != 0 && err != OCF_ENOENT)
    return err;
  if (err == 0)
    p = OCF_MAX(p, w.ref.priority);
  *out = p == UINT64_MAX ? p : p + 1;
  return 0;
}

/* Fills m->delta with tombstones for live elements of the key from `at` on whose priority is at
 * least `floor`, up to half a block. `*n` of them. */
static int add_tombstones(struct ocf_merkle *m, const uint8_t kd[ID], uint8_t at[2 * ID],
                          uint64_t floor, size_t *n)
{
  struct ocf_bytes rest, val;
  struct value_ref r;
  bool more = true;
  char text[64];
  *n = 0;
  while (more && m->delta.n < m->cfg.block_bytes_max / 2) {
    int err = ocf_merkle_seek(m, 'e', at, 2 * ID, &rest, &val);
    if (err == OCF_ENOENT || (err == 0 && memcmp(rest.p, kd, OCF_MIN(rest.n, (size_t)ID)) != 0))
      return 0;
    if (err == 0)
      err = rest.n == 2 * ID ? ocf_merkle_read_ref(val, rest.p + ID, &r) : OCF_EIO;
    if (err != 0)
      return err;
    memcpy(at + ID, r.block, ID);
    more = ocf_merkle_id_after(at + ID);
    if (r.priority < floor)
      continue;
    ocf_merkle_tomb_id(r.block, text);
    struct ocf_merkle_element e = { ocf_buf_view(&m->own_key),
                                    ocf_bytes(text, strlen(text)),
                                    { NULL, 0 } };
    err = ocf_merkle_delta_add(&m->delta, OCF_MERKLE_TOMBSTONES, &e);
    if (err != 0)
      return err;
    ++*n;
  }
  return 0;
}

/* Removes the live elements of the key in m->own_key whose priority is at least `floor`. */
static int remove_elements(struct ocf_merkle *m, uint64_t now_ns, const uint8_t kd[ID],
                           uint64_t floor)
{
  uint8_t at[2 * ID] = { 0 };
  uint64_t priority = 0;
  size_t n;
  memcpy(at, kd, ID);
  for (;;) {
    ocf_buf_clear(&m->delta);
    int err = add_tombstones(m, kd, at, floor, &n);
    if (err == 0 && n > 0)
      err = next_priority(m, kd, &priority);
    if (err != 0 || n == 0)
      return err;
    err = write_block(m, now_ns, priority);
    if (err != 0)
      return err;
    m->stats.deletes++;
  }
}

/* Cleans the key of a write into m->own_key. */
static int own_key(struct ocf_merkle *m, struct ocf_bytes key, uint8_t kd[ID])
{
  if (!ocf_utf8_ok(key))
    return OCF_EINVAL;
  if (key.n > m->cfg.block_bytes_max / 4)
    return OCF_ELIMIT;
  int err = ocf_merkle_clean(&m->own_key, key);
  if (err != 0)
    return err;
  ocf_merkle_digest(ocf_buf_view(&m->own_key), kd);
  return m->own_key.n == 1 ? OCF_EINVAL : 0;
}

int ocf_merkle_put(struct ocf_merkle *m, uint64_t now_ns, struct ocf_bytes key,
                   struct ocf_bytes value)
{
  uint8_t kd[ID];
  uint64_t priority = 0;
  size_t room = m->cfg.block_bytes_max;
  if (m->err != 0)
    return m->err;
  if (value.n == 0)
    return OCF_EINVAL;
  int err = own_key(m, key, kd);
  if (err != 0)
    return err;
  size_t rest = m->own_key.n + links_cap(m) * LINK_BYTES + BLOCK_SPARE;
  if (rest > room || value.n > room - rest)
    return OCF_ELIMIT;
  err = next_priority(m, kd, &priority);
  if (err == 0 && priority == UINT64_MAX) /* no priority is above: what is there must go */
    err = remove_elements(m, now_ns, kd, priority);
  ocf_buf_clear(&m->delta);
  struct ocf_merkle_element e = { ocf_buf_view(&m->own_key), { NULL, 0 }, value };
  if (err == 0)
    err = ocf_merkle_delta_add(&m->delta, OCF_MERKLE_ELEMENTS, &e);
  if (err == 0)
    err = write_block(m, now_ns, priority);
  m->stats.puts += err == 0;
  return ocf_merkle_settle(m, err);
}

int ocf_merkle_delete(struct ocf_merkle *m, uint64_t now_ns, struct ocf_bytes key)
{
  uint8_t kd[ID];
  if (m->err != 0)
    return m->err;
  int err = own_key(m, key, kd);
  if (err != 0)
    return err;
  return ocf_merkle_settle(m, remove_elements(m, now_ns, kd, 0));
}
