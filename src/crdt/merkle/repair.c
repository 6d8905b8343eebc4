/* Work that only the store knows of: missing blocks that found no room in the table of fetches, or
 * were wanted by a run before, or given up long ago; blocks that were merged in part. */
#include <string.h>

#include "crdt/merkle/merkle_int.h"

void ocf_merkle_search_again(struct ocf_merkle *m)
{
  m->more_again = m->more_missing;
  m->more_missing = true;
}

int ocf_merkle_unwanted(struct ocf_merkle *m, const uint8_t id[ID])
{
  struct row_key k = ocf_merkle_row1('x', id);
  if (ocf_merkle_noted(&m->bad, id))
    return 1;
  int err = ocf_merkle_has(m, &k);
  return err == OCF_ENOENT ? 0 : err == 0 ? 1 : err;
}

/* A block that stored ones link: fetched unless it is there, or fetched already. 0; OCF_ELIMIT: no
 * room; or an error of the store. */
static int search_one(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID])
{
  struct row_key s = ocf_merkle_row1('s', id);
  int err = ocf_merkle_has(m, &s);
  if (err != OCF_ENOENT || ocf_merkle_fetch_find(m, id) != NULL)
    return err == OCF_ENOENT ? 0 : err;
  err = ocf_merkle_unwanted(m, id);
  if (err != 0) {
    m->dirty = true;
    return OCF_MIN(err, 0);
  }
  return ocf_merkle_fetch_add(m, now_ns, id, NULL, true) != NULL ? 0 : OCF_ELIMIT;
}

/* The whole way is done: again from the start when something was added behind. */
static void search_ended(struct ocf_merkle *m, uint64_t now_ns)
{
  memset(m->search_at, 0, ID);
  m->more_missing = m->more_again;
  m->more_again = false;
  m->search_ns = ocf_time_add(now_ns, OCF_NS_PER_S);
}

int ocf_merkle_search(struct ocf_merkle *m, uint64_t now_ns, size_t budget)
{
  struct ocf_bytes rest, val;
  uint8_t id[ID];
  if (!m->more_missing || now_ns < m->search_ns)
    return 0;
  for (; budget > 0; budget--) {
    int err = ocf_merkle_seek(m, 'w', m->search_at, ID, &rest, &val);
    if (err == OCF_ENOENT) {
      search_ended(m, now_ns);
      return 0;
    }
    if (err != 0 || rest.n != 2 * ID)
      return err != 0 ? err : OCF_EIO;
    memcpy(id, rest.p, ID);
    err = search_one(m, now_ns, id);
    if (err == OCF_ELIMIT) { /* later, from here */
      memcpy(m->search_at, id, ID);
      m->search_ns = ocf_time_add(now_ns, OCF_NS_PER_S);
      return 0;
    }
    if (err != 0)
      return err;
    memcpy(m->search_at, id, ID);
    if (!ocf_merkle_id_after(m->search_at)) {
      search_ended(m, now_ns);
      return 0;
    }
  }
  return 0;
}

/* One block whose delta was cut by a commit and never came to its end: from the start again. */
int ocf_merkle_finish(struct ocf_merkle *m, uint64_t now_ns)
{
  struct ocf_bytes rest, val;
  struct ocf_dagpb_node node;
  struct ocf_merkle_delta d;
  struct block_state s;
  struct origin o = { .by = NULL };
  uint8_t id[ID];
  if (!m->unfinished || now_ns < m->finish_ns)
    return 0;
  int err = ocf_merkle_seek(m, 'p', NULL, 0, &rest, &val);
  m->unfinished = err != OCF_ENOENT;
  if (err != 0 || rest.n != ID)
    return err == OCF_ENOENT ? 0 : err != 0 ? err : OCF_EIO;
  memcpy(id, rest.p, ID);
  struct row_key b = ocf_merkle_row1('b', id), p = ocf_merkle_row1('p', id);
  if (ocf_merkle_get_state(m, id, &s) == 0)
    return ocf_merkle_del_row(m, &p);
  err = ocf_kv_get(m->cfg.kv, row_view(&b), &val);
  ocf_buf_clear(&m->block);
  if (err == 0)
    err = ocf_buf_add(&m->block, val.p, val.n);
  if (err != 0)
    return err == OCF_ENOENT ? OCF_EIO : err;
  if (ocf_dagpb_decode(ocf_buf_view(&m->block), &node) != 0 ||
      ocf_merkle_delta_parse(node.data, &d) != 0)
    return OCF_EIO;
  err = ocf_merkle_store(m, now_ns, id, &node, &d, &o);
  struct fetch *f = err == 0 ? ocf_merkle_fetch_find(m, id) : NULL;
  if (f != NULL)
    ocf_merkle_fetch_end(m, f);
  return err;
}
