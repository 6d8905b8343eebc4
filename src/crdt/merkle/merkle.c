#include "crdt/merkle/merkle.h"

#include <string.h>

#include "crdt/merkle/merkle_int.h"
#include "crypto/hash/hash.h"

enum {
  BLOCK_BYTES_LIMIT = 2 << 20, /* what block_bytes_max may be: a key must fit a row */
  TOLD_MAX = 4 << 20,
  NUDGE_S = 15, /* announcements end back-offs no more often */
};

void ocf_merkle_config_init(struct ocf_merkle_config *cfg)
{
  const uint64_t s = OCF_NS_PER_S;
  *cfg = (struct ocf_merkle_config){
    .block_bytes_max = 1 << 20,
    .fetches_max = 4096,
    .active_max = 1024,
    .per_announcer_max = 512,
    .seen_max = 8192,
    .bad_max = 1024,
    .links_max = 1024,
    .round_max = 4096,
    .work_max = 512,
    .rebroadcast_ns = 5 * s,
    .fetch_ns = 60 * s,
    .stall_ns = 10 * s,
    .retry_min_ns = 5 * s,
    .retry_max_ns = 480 * s,
    .repair_ns = 3600 * s,
    .ban_failures = 50,
    .ban_age_ns = 6 * 3600 * s,
  };
}

static bool config_ok(const struct ocf_merkle_config *c)
{
  size_t least = OCF_MIN(
      OCF_MIN(OCF_MIN(c->fetches_max, c->active_max), OCF_MIN(c->per_announcer_max, c->seen_max)),
      OCF_MIN(OCF_MIN(c->bad_max, c->links_max), OCF_MIN(c->round_max, c->work_max)));
  return c->a != NULL && c->rng != NULL && c->kv != NULL && least > 0 &&
         c->block_bytes_max >= 1024 && c->block_bytes_max <= BLOCK_BYTES_LIMIT &&
         c->rebroadcast_ns > 0 && c->fetch_ns > 0 && c->retry_min_ns > 0 && c->repair_ns > 0;
}

/* The next rebroadcast: the interval +-30 %. */
static uint64_t next_round(struct ocf_merkle *m, uint64_t now_ns)
{
  uint64_t d = m->cfg.rebroadcast_ns, spread = d / 10 * 6;
  return ocf_time_add(now_ns, d - d / 10 * 3 + ocf_rng_below(m->cfg.rng, spread + 1));
}

static void init(struct ocf_merkle *m, const struct ocf_merkle_config *cfg, uint64_t now_ns)
{
  uint64_t seed[2];
  m->cfg = *cfg;
  ocf_rng_secret(cfg->rng, seed, sizeof(seed));
  ocf_merkle_fetch_init(m, seed);
  ocf_buf_init(&m->key, cfg->a, 2 * cfg->block_bytes_max + 16);
  ocf_buf_init(&m->own_key, cfg->a, cfg->block_bytes_max);
  ocf_buf_init(&m->row, cfg->a, OCF_KV_VALUE_MAX);
  ocf_buf_init(&m->delta, cfg->a, cfg->block_bytes_max);
  ocf_buf_init(&m->block, cfg->a, BLOCK_BYTES_LIMIT);
  ocf_buf_init(&m->tx, cfg->a, 64 * (cfg->round_max + OWN_MAX));
  ocf_buf_init(&m->told, cfg->a, TOLD_MAX);
  m->opened_ns = now_ns;
  m->round_ns = next_round(m, now_ns);
  m->repair_ns = ocf_time_add(now_ns, cfg->repair_ns);
}

/* What the store says about the work that waits. */
static int load(struct ocf_merkle *m)
{
  struct ocf_bytes rest, val;
  int err = ocf_merkle_load_counts(m);
  int part = err == 0 ? ocf_merkle_seek(m, 'p', NULL, 0, &rest, &val) : err;
  m->n_ready = 0;
  m->ready_stored = m->n.incomplete > 0;
  m->more_missing = m->n.incomplete > 0;
  m->more_again = false;
  m->search_ns = 0;
  memset(m->search_at, 0, ID);
  m->dirty = m->n.incomplete > 0;
  m->changed = false;
  m->n_changes = 0;
  m->unfinished = part == 0;
  m->finish_ns = 0;
  return part == OCF_ENOENT ? err : part;
}

int ocf_merkle_open(const struct ocf_merkle_config *cfg, uint64_t now_ns, struct ocf_merkle **out)
{
  if (!config_ok(cfg))
    return OCF_EINVAL;
  struct ocf_merkle *m = OCF_NEW(cfg->a, struct ocf_merkle);
  if (m == NULL)
    return OCF_ENOMEM;
  init(m, cfg, now_ns);
  int err = ocf_ring_init(&m->stored, cfg->a, ID, STORED_MAX);
  if (err == 0)
    err = load(m);
  if (err != 0) {
    ocf_merkle_free(m);
    return err;
  }
  *out = m;
  return 0;
}

void ocf_merkle_free(struct ocf_merkle *m)
{
  if (m == NULL)
    return;
  ocf_kv_abort(m->cfg.kv);
  ocf_merkle_fetch_fini(m);
  ocf_ring_fini(&m->stored);
  ocf_buf_fini(&m->key);
  ocf_buf_fini(&m->own_key);
  ocf_buf_fini(&m->row);
  ocf_buf_fini(&m->delta);
  ocf_buf_fini(&m->block);
  ocf_buf_fini(&m->tx);
  ocf_buf_fini(&m->told);
  OCF_DELETE(m->cfg.a, m);
}

/* ---- transactions ---- */

/* Back to the last commit; what was promised since then is taken back. */
static void roll_back(struct ocf_merkle *m)
{
  ocf_kv_abort(m->cfg.kv);
  m->stats.rollbacks++;
  m->n_own = m->n_own_ready;
  m->stored.n = m->n_stored_ready;
  if (load(m) != 0)
    m->err = OCF_EIO;
}

int ocf_merkle_settle(struct ocf_merkle *m, int err)
{
  if (err == 0)
    return 0;
  roll_back(m);
  if (err != OCF_ENOMEM && err != OCF_ELIMIT)
    m->err = OCF_EIO;
  return m->err != 0 ? m->err : err;
}

static int commit(struct ocf_merkle *m)
{
  OCF_ASSERT(m->n_ready == 0);
  int err = ocf_merkle_save_counts(m);
  if (err == 0)
    err = ocf_kv_commit(m->cfg.kv);
  if (err != 0)
    return err;
  m->stats.commits++;
  m->changed = false;
  m->n_changes = 0;
  return 0;
}

int ocf_merkle_relieve(struct ocf_merkle *m, size_t limit)
{
  return m->changed && m->n_changes >= limit ? commit(m) : 0;
}

int ocf_merkle_commit(struct ocf_merkle *m, uint64_t now_ns)
{
  (void)now_ns;
  if (m->err != 0)
    return m->err;
  int err = ocf_merkle_relieve(m, 0);
  if (err != 0)
    return ocf_merkle_settle(m, err);
  m->n_own_ready = m->n_own;
  m->n_stored_ready = m->stored.n;
  return 0;
}

/* ---- synced ---- */

static uint64_t silence_until(const struct ocf_merkle *m)
{
  return ocf_time_add(m->opened_ns, m->cfg.rebroadcast_ns / 10 * 13);
}

static void look_whether_synced(struct ocf_merkle *m, uint64_t now_ns)
{
  if (m->synced)
    return;
  while (!ocf_list_empty(&m->fresh)) {
    struct fetch *f = OCF_LIST_ENTRY(m->fresh.next, struct fetch, fresh);
    if (now_ns < ocf_time_add(f->born_ns, m->cfg.stall_ns))
      return;
    ocf_list_remove(&f->fresh);
  }
  if (ocf_merkle_completing(m) || m->unfinished || (m->more_missing && m->search_ns <= now_ns))
    return;
  m->synced = m->n.heads > 0 || m->heard || now_ns >= silence_until(m);
}

bool ocf_merkle_synced(const struct ocf_merkle *m)
{
  return m->synced;
}

/* ---- inputs ---- */

/* Somebody who is there now names a block that we lack, or whose ancestry we lack: what is in
 * back-off may be had from it. */
static void nudge(struct ocf_merkle *m, uint64_t now_ns)
{
  if (m->n_retrying == 0 || now_ns < m->nudge_ns)
    return;
  m->nudge_ns = ocf_time_add(now_ns, NUDGE_S * OCF_NS_PER_S);
  ocf_merkle_retry_all(m);
}

/* One announced head. 0 or the store's error. */
static int hear(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID], struct announcer *by)
{
  struct block_state s;
  struct fetch *f = ocf_merkle_fetch_find(m, id);
  m->stats.heads_rx++;
  ocf_merkle_note(m, &m->seen, id);
  if (f == NULL) {
    int err = ocf_merkle_get_state(m, id, &s);
    if (err == 0) {
      m->stats.heads_known++;
      if ((s.flags & BLOCK_COMPLETE) == 0)
        nudge(m, now_ns);
      return 0;
    }
    err = err == OCF_ENOENT ? ocf_merkle_unwanted(m, id) : err;
    if (err != 0)
      return OCF_MIN(err, 0);
    f = ocf_merkle_fetch_add(m, now_ns, id, by, false);
    if (f == NULL) {
      m->stats.heads_dropped++;
      return 0;
    }
  }
  if (f->state == FETCH_RETRY)
    nudge(m, now_ns);
  if (!f->announced) {
    ocf_merkle_fetch_account(m, f, by);
    f->announced = true;
    m->n_announced++;
  }
  f->adopt = f->adopt || m->n.heads == 0;
  return 0;
}

int ocf_merkle_broadcast(struct ocf_merkle *m, uint64_t now_ns, struct ocf_bytes payload,
                         struct ocf_bytes author)
{
  struct ocf_merkle_heads h;
  struct ocf_cid cid;
  uint8_t id[ID];
  int err = 0;
  if (m->err != 0)
    return m->err;
  m->stats.broadcasts_rx++;
  if (ocf_merkle_heads_parse(payload, &h) != 0) {
    m->stats.broadcasts_bad++;
    return OCF_EINVAL;
  }
  struct announcer *by = ocf_merkle_announcer(m, author);
  while (err == 0 && ocf_merkle_heads_next(&h, &cid)) {
    if (ocf_merkle_link_id(&cid, id)) {
      err = hear(m, now_ns, id, by);
      m->heard = true;
    } else {
      m->stats.heads_unsupported++;
    }
  }
  ocf_merkle_announcer_put(m, by);
  look_whether_synced(m, now_ns);
  return ocf_merkle_settle(m, err);
}

/* The block cannot be merged, ever. */
static void give_up(struct ocf_merkle *m, const uint8_t id[ID], struct fetch *f)
{
  m->stats.blocks_bad++;
  ocf_merkle_note(m, &m->bad, id);
  if (f != NULL) {
    m->dirty = m->dirty || f->child;
    ocf_merkle_fetch_drop(m, f);
  }
}

/* Whether somebody waits for the block although it is not in the table. */
static int is_missing(struct ocf_merkle *m, const uint8_t id[ID])
{
  struct ocf_bytes rest, val;
  int err = ocf_merkle_seek(m, 'w', id, ID, &rest, &val);
  return err == 0 && memcmp(rest.p, id, OCF_MIN(rest.n, (size_t)ID)) != 0 ? OCF_ENOENT : err;
}

static bool is_block_cid(const uint8_t cid[OCF_CID_BLOCK_SIZE])
{
  uint8_t same[OCF_CID_BLOCK_SIZE];
  ocf_merkle_cid(cid + CID_HEAD, same);
  return memcmp(cid, same, sizeof(same)) == 0;
}

static int take_block(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID],
                      struct ocf_bytes bytes, struct fetch *f)
{
  struct ocf_dagpb_node node;
  struct ocf_merkle_delta d;
  struct origin o = { 0 };
  if (bytes.n > m->cfg.block_bytes_max || ocf_dagpb_decode(bytes, &node) != 0 ||
      ocf_merkle_delta_parse(node.data, &d) != 0) {
    give_up(m, id, f);
    return OCF_EINVAL;
  }
  if (f != NULL)
    o = (struct origin){ f->by, f->announced, false, f->adopt };
  if (o.by != NULL)
    o.by->n_fetches++; /* room made for children may take `f`, and its announcer with it */
  int err = ocf_merkle_relieve(m, TURN_CHANGES);
  if (err == 0)
    err = ocf_merkle_store(m, now_ns, id, &node, &d, &o);
  err = ocf_merkle_settle(m, err);
  if (o.by != NULL)
    o.by->n_fetches--;
  ocf_merkle_announcer_put(m, o.by);
  f = ocf_merkle_fetch_find(m, id);
  if (f != NULL && err == 0)
    ocf_merkle_fetch_drop(m, f);
  else if (f != NULL && m->err == 0)
    err = ocf_merkle_fetch_fail(m, now_ns, f) != 0 ? OCF_EIO : err;
  return err;
}

int ocf_merkle_block(struct ocf_merkle *m, uint64_t now_ns, const uint8_t cid[OCF_CID_BLOCK_SIZE],
                     struct ocf_bytes bytes)
{
  const uint8_t *id = cid + CID_HEAD;
  struct row_key s = ocf_merkle_row1('s', id);
  uint8_t digest[ID];
  if (m->err != 0)
    return m->err;
  struct fetch *f = ocf_merkle_fetch_find(m, id);
  int err = is_block_cid(cid) ? ocf_merkle_has(m, &s) : 0;
  if (err == OCF_ENOENT && f == NULL)
    err = is_missing(m, id) == 0 ? OCF_ENOENT : 0;
  if (err == 0) {
    m->stats.blocks_unasked++;
    return OCF_ENOENT;
  }
  if (err != OCF_ENOENT)
    return ocf_merkle_settle(m, err);
  ocf_sha256(bytes.p, bytes.n, digest);
  if (memcmp(digest, id, ID) != 0)
    return OCF_ECRYPTO;
  err = take_block(m, now_ns, id, bytes, f);
  look_whether_synced(m, now_ns);
  return err;
}

void ocf_merkle_fetch_failed(struct ocf_merkle *m, uint64_t now_ns,
                             const uint8_t cid[OCF_CID_BLOCK_SIZE], bool permanent)
{
  struct fetch *f = ocf_merkle_fetch_find(m, cid + CID_HEAD);
  if (m->err != 0 || f == NULL || f->state != FETCH_ACTIVE)
    return;
  if (permanent) {
    m->stats.fetch_failures++;
    give_up(m, cid + CID_HEAD, f);
  } else {
    (void)ocf_merkle_settle(m, ocf_merkle_fetch_fail(m, now_ns, f)); /* the next call tells */
  }
  look_whether_synced(m, now_ns);
}

/* ---- time ---- */

uint64_t ocf_merkle_deadline(const struct ocf_merkle *m)
{
  uint64_t at = ocf_time_min(m->round_ns, m->repair_ns);
  if (ocf_merkle_completing(m))
    return 0;
  if (m->unfinished)
    at = ocf_time_min(at, m->finish_ns);
  at = ocf_time_min(at, ocf_merkle_fetch_deadline(m));
  if (m->more_missing)
    at = ocf_time_min(at, m->search_ns);
  if (m->synced)
    return at;
  if (!ocf_list_empty(&m->fresh)) {
    const struct fetch *f = OCF_LIST_ENTRY(m->fresh.next, struct fetch, fresh);
    return ocf_time_min(at, ocf_time_add(f->born_ns, m->cfg.stall_ns));
  }
  return ocf_time_min(at, silence_until(m));
}

static void repair(struct ocf_merkle *m)
{
  ocf_merkle_retry_all(m);
  m->more_missing = true;
  m->search_ns = 0;
  memset(m->search_at, 0, ID);
}

int ocf_merkle_tick(struct ocf_merkle *m, uint64_t now_ns)
{
  if (m->err != 0)
    return m->err;
  if (now_ns >= m->round_ns) {
    m->round_due = true;
    m->round_ns = next_round(m, now_ns);
  }
  if (now_ns >= m->repair_ns) {
    m->repair_ns = ocf_time_add(now_ns, m->cfg.repair_ns);
    if (m->n.incomplete > 0)
      repair(m);
  }
  int err = ocf_merkle_relieve(m, TURN_CHANGES);
  if (err == 0)
    err = ocf_merkle_fetch_tick(m, now_ns);
  if (err == 0)
    err = ocf_merkle_finish(m, now_ns);
  if (err == 0 && ocf_merkle_completing(m))
    err = ocf_merkle_complete_some(m, m->cfg.work_max);
  if (err == 0)
    err = ocf_merkle_search(m, now_ns, m->cfg.work_max);
  err = ocf_merkle_settle(m, err);
  if (err != 0) /* not at once again */
    m->finish_ns = m->search_ns = ocf_time_add(now_ns, OCF_NS_PER_S);
  look_whether_synced(m, now_ns);
  return err;
}

/* ---- outputs ---- */

/* Takes the first change out of the store; its texts are kept in m->told. 0 or an error. */
static int pop_change(struct ocf_merkle *m, uint8_t kd[ID], struct change *c)
{
  struct ocf_bytes rest, val;
  int err = ocf_merkle_seek(m, 'n', NULL, 0, &rest, &val);
  if (err == 0)
    err = rest.n == ID ? ocf_merkle_read_change(val, c) : OCF_EIO;
  if (err != 0)
    return err;
  memcpy(kd, rest.p, ID);
  ocf_buf_clear(&m->told);
  err = ocf_buf_reserve(&m->told, c->key.n + c->announcer.n);
  if (err != 0)
    return err;
  err = ocf_buf_add(&m->told, c->key.p, c->key.n);
  if (err == 0 && c->announcer.n > 0)
    err = ocf_buf_add(&m->told, c->announcer.p, c->announcer.n);
  OCF_ASSERT(err == 0);
  c->key = ocf_bytes(m->told.p, c->key.n);
  c->announcer = ocf_bytes(m->told.p + c->key.n, c->announcer.n);
  struct row_key k = ocf_merkle_row1('n', kd);
  return ocf_merkle_del_row(m, &k);
}

static int next_change(struct ocf_merkle *m, struct ocf_merkle_event *ev)
{
  struct change c;
  struct winner w;
  uint8_t kd[ID];
  int err = pop_change(m, kd, &c);
  if (err != 0)
    return err;
  *ev = (struct ocf_merkle_event){ .type = OCF_MERKLE_DELETE,
                                   .key = c.key,
                                   .announcer = c.announcer,
                                   .direct = (c.flags & CHANGE_DIRECT) != 0,
                                   .local = (c.flags & CHANGE_LOCAL) != 0 };
  err = ocf_merkle_get_winner(m, kd, &w);
  if (err == OCF_ENOENT || (err == 0 && (w.flags & WINNER_EMPTY) != 0))
    return 0;
  if (err == 0)
    err = ocf_merkle_value(m, &w.ref, &ev->value);
  if (err != 0)
    return err;
  ev->type = OCF_MERKLE_PUT;
  ev->priority = w.ref.priority;
  memcpy(ev->block, w.ref.block, ID);
  if (memcmp(w.ref.block, c.block, ID) != 0) { /* an older value came back */
    const struct loser *l = ocf_merkle_loser(m, w.ref.block);
    ev->announcer = l != NULL ? ocf_bytes(l->announcer, l->n_announcer) : ocf_bytes(NULL, 0);
    ev->direct = l != NULL && (l->flags & CHANGE_DIRECT) != 0;
    ev->local = false;
  }
  return 0;
}

bool ocf_merkle_event(struct ocf_merkle *m, struct ocf_merkle_event *ev)
{
  if (m->err != 0)
    return false;
  int err = ocf_merkle_relieve(m, TURN_CHANGES);
  if (err != 0) {
    (void)ocf_merkle_settle(m, err); /* the next call tells */
    return false;
  }
  err = next_change(m, ev);
  if (err == 0)
    return true;
  if (err == OCF_ENOMEM || err == OCF_ELIMIT) /* nothing changed; told later */
    return false;
  if (err != OCF_ENOENT) {
    (void)ocf_merkle_settle(m, err); /* the next call tells */
    return false;
  }
  if (!m->synced || m->synced_told)
    return false;
  m->synced_told = true;
  *ev = (struct ocf_merkle_event){ .type = OCF_MERKLE_SYNCED };
  return true;
}

/* The next payload to publish into m->tx. True when there is one. */
static bool next_broadcast(struct ocf_merkle *m)
{
  int err = 0;
  if (m->changed) /* heads of this turn may not be told yet */
    return false;
  ocf_buf_clear(&m->tx);
  if (m->n_own_ready > 0)
    err = ocf_merkle_announce_own(m);
  if (err == 0 && m->tx.n == 0 && m->round_due) {
    m->round_due = false;
    err = ocf_merkle_announce_round(m);
  }
  if (err != 0 && err != OCF_ENOMEM && err != OCF_ELIMIT) /* without memory: next round */
    (void)ocf_merkle_settle(m, err);
  m->stats.broadcasts_tx += err == 0 && m->tx.n > 0;
  return err == 0 && m->tx.n > 0;
}

bool ocf_merkle_effect(struct ocf_merkle *m, uint64_t now_ns, struct ocf_merkle_effect *fx)
{
  uint8_t id[ID];
  *fx = (struct ocf_merkle_effect){ 0 };
  if (m->err != 0)
    return false;
  if (ocf_merkle_fetch_effect(m, now_ns, fx))
    return true;
  if (m->n_stored_ready > 0 && ocf_ring_pop(&m->stored, id)) {
    m->n_stored_ready--;
    fx->type = OCF_MERKLE_STORED;
    ocf_merkle_cid(id, fx->cid);
    return true;
  }
  if (!next_broadcast(m))
    return false;
  fx->type = OCF_MERKLE_BROADCAST;
  fx->payload = ocf_buf_view(&m->tx);
  return true;
}

/* ---- looking ---- */

int ocf_merkle_get(struct ocf_merkle *m, struct ocf_bytes key, struct ocf_bytes *value,
                   uint64_t *priority)
{
  uint8_t kd[ID];
  struct winner w;
  if (m->err != 0)
    return m->err;
  if (key.n > OCF_KV_VALUE_MAX)
    return OCF_EINVAL;
  int err = ocf_merkle_clean(&m->key, key);
  if (err != 0)
    return err == OCF_ELIMIT ? OCF_EINVAL : err;
  ocf_merkle_digest(ocf_buf_view(&m->key), kd);
  err = ocf_merkle_get_winner(m, kd, &w);
  if (err == 0 && (w.flags & WINNER_EMPTY) != 0)
    return OCF_ENOENT;
  if (err == 0)
    err = ocf_merkle_value(m, &w.ref, value);
  if (err == 0 && priority != NULL)
    *priority = w.ref.priority;
  return err;
}

int ocf_merkle_next(struct ocf_merkle *m, struct ocf_merkle_cursor *c, struct ocf_merkle_row *row)
{
  struct ocf_bytes rest, val;
  struct winner w;
  if (m->err != 0)
    return m->err;
  for (;;) {
    uint8_t at[ID];
    memcpy(at, c->at, ID);
    if (c->begun && !ocf_merkle_id_after(at))
      return OCF_ENOENT;
    int err = ocf_merkle_seek(m, 'v', at, ID, &rest, &val);
    if (err == 0)
      err = rest.n == ID ? ocf_merkle_read_winner(val, &w) : OCF_EIO;
    if (err != 0)
      return err;
    memcpy(c->at, rest.p, ID);
    c->begun = true;
    if ((w.flags & WINNER_EMPTY) != 0)
      continue;
    row->key = w.key;
    row->priority = w.ref.priority;
    memcpy(row->block, w.ref.block, ID);
    return ocf_merkle_value(m, &w.ref, &row->value);
  }
}

int ocf_merkle_get_block(struct ocf_merkle *m, struct ocf_bytes multihash, struct ocf_bytes *bytes)
{
  if (m->err != 0)
    return m->err;
  if (multihash.n != OCF_MULTIHASH_SHA2_256_SIZE || multihash.p[0] != OCF_MULTIHASH_SHA2_256 ||
      multihash.p[1] != ID)
    return OCF_ENOENT;
  struct row_key k = ocf_merkle_row1('b', multihash.p + 2);
  return ocf_kv_get(m->cfg.kv, row_view(&k), bytes);
}

int ocf_merkle_head_next(struct ocf_merkle *m, const struct ocf_merkle_head *prev,
                         struct ocf_merkle_head *out)
{
  bool complete = prev == NULL || prev->complete;
  uint8_t at[ID] = { 0 };
  struct ocf_bytes rest = { NULL, 0 }, val = { NULL, 0 };
  int err = m->err;
  if (err != 0)
    return err;
  if (prev != NULL)
    memcpy(at, prev->cid + CID_HEAD, ID);
  err = prev == NULL || ocf_merkle_id_after(at)
            ? ocf_merkle_seek(m, complete ? 'h' : 'a', at, ID, &rest, &val)
            : OCF_ENOENT;
  if (err == OCF_ENOENT && complete) {
    memset(at, 0, ID);
    complete = false;
    err = ocf_merkle_seek(m, 'a', at, ID, &rest, &val);
  }
  if (err == 0)
    err = rest.n == ID ? ocf_merkle_read_height(val, &out->height) : OCF_EIO;
  if (err != 0)
    return err;
  out->complete = complete;
  ocf_merkle_cid(rest.p, out->cid);
  return 0;
}

void ocf_merkle_stats(const struct ocf_merkle *m, struct ocf_merkle_stats *out)
{
  *out = m->stats;
  out->blocks = m->n.blocks;
  out->block_bytes = m->n.block_bytes;
  out->rows = m->n.rows;
  out->elements = m->n.elements;
  out->tombstones = m->n.tombstones;
  out->heads = m->n.heads;
  out->adopted = m->n.adopted;
  out->incomplete = m->n.incomplete;
  out->fetches = m->fetches.n;
  out->active = m->n_active;
  out->retrying = m->n_retrying;
  out->announced = m->n_announced;
  out->dirty = m->dirty;
  out->synced = m->synced;
}
