/* Replicas for tests: each on a store in memory, with the blocks of a small world to fetch from, a
 * list of what it asked for, and a table kept from its events alone. Tests only; include after
 * testing/test.h. */
#ifndef OCF_CRDT_MERKLE_MERKLE_HARNESS_H
#define OCF_CRDT_MERKLE_MERKLE_HARNESS_H

#include "crdt/merkle/merkle_int.h"
#include "crypto/hash/hash.h"
#include "testing/test.h"

#define HS OCF_NS_PER_S

/* ---- blocks by their id ---- */

struct h_block {
  uint8_t id[ID];
  uint8_t *p;
  size_t n;
  bool dark; /* nobody gives it */
};

struct h_world {
  struct h_block *b;
  size_t n, cap;
  bool unique; /* the test adds no block twice: saves the search */
};

static inline struct h_block *h_find(const struct h_world *w, const uint8_t id[ID])
{
  for (size_t i = w->n; i-- > 0;)
    if (memcmp(w->b[i].id, id, ID) == 0)
      return &w->b[i];
  return NULL;
}

static inline struct h_block *h_add_block(struct h_world *w, struct ocf_bytes bytes)
{
  uint8_t id[ID];
  ocf_sha256(bytes.p, bytes.n, id);
  struct h_block *old = w->unique ? NULL : h_find(w, id);
  if (old != NULL)
    return old;
  if (w->n == w->cap) {
    w->cap = w->cap == 0 ? 64 : 2 * w->cap;
    w->b = realloc(w->b, w->cap * sizeof(w->b[0]));
    assert_non_null(w->b);
  }
  struct h_block *b = &w->b[w->n++];
  memcpy(b->id, id, ID);
  b->p = malloc(bytes.n + 1);
  assert_non_null(b->p);
  if (bytes.n > 0)
    memcpy(b->p, bytes.p, bytes.n);
  b->n = bytes.n;
  b->dark = false;
  return b;
}

static inline void h_world_fini(struct h_world *w)
{
  for (size_t i = 0; i < w->n; i++)
    free(w->b[i].p);
  free(w->b);
  *w = (struct h_world){ 0 };
}

/* A block of one element (value NULL: a tombstone that names `target`), linking `links`. */
static inline struct h_block *h_make_block(struct h_world *w, const struct h_block *const *links,
                                           size_t n, const char *key, const char *value,
                                           const struct h_block *target, uint64_t priority)
{
  struct ocf_alloc a;
  struct ocf_buf delta, block;
  struct ocf_bytes views[16];
  uint8_t cids[16][OCF_CID_BLOCK_SIZE];
  char text[64];
  ocf_alloc_init(&a);
  ocf_buf_init(&delta, &a, 1 << 20);
  ocf_buf_init(&block, &a, 1 << 20);
  assert_true(n <= 16);
  for (size_t i = 0; i < n; i++) {
    ocf_merkle_cid(links[i]->id, cids[i]);
    views[i] = ocf_bytes(cids[i], OCF_CID_BLOCK_SIZE);
  }
  struct ocf_merkle_element e = { ocf_bytes(key, strlen(key)), { NULL, 0 }, { NULL, 0 } };
  if (value != NULL) {
    e.value = ocf_bytes(value, strlen(value));
  } else {
    ocf_merkle_tomb_id(target->id, text);
    e.id = ocf_bytes(text, strlen(text));
  }
  assert_int_equal(ocf_merkle_delta_add(&delta, value != NULL ? 1 : 2, &e), 0);
  assert_int_equal(ocf_merkle_delta_end(&delta, priority), 0);
  assert_int_equal(ocf_dagpb_encode(views, n, ocf_buf_view(&delta), &block), 0);
  struct h_block *b = h_add_block(w, ocf_buf_view(&block));
  ocf_buf_fini(&delta);
  ocf_buf_fini(&block);
  return b;
}

/* ---- replicas ---- */

enum { H_ROWS = 64, H_KEY = 96, H_CASTS = 64 };

struct h_row {
  char key[H_KEY];
  uint8_t value[256];
  size_t key_n, value_n;
};

struct h_cast {
  uint8_t *p;
  size_t n;
};

struct h_node {
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_kv *kv;
  struct ocf_merkle_config cfg;
  struct ocf_merkle *m;
  uint64_t now;
  uint8_t (*asked)[ID]; /* fetches without an answer, oldest first */
  size_t n_asked, cap_asked;
  struct h_row rows[H_ROWS]; /* what the events told */
  size_t n_rows;
  struct h_cast casts[H_CASTS]; /* what it published, to be taken by the test */
  size_t n_casts, n_puts, n_deletes, n_synced, n_stored;
  bool no_table; /* does not keep rows */
  struct ocf_merkle_event last;
  uint8_t last_announcer[OCF_MERKLE_ANNOUNCER_MAX];
};

static inline void h_open(struct h_node *h)
{
  assert_int_equal(ocf_merkle_open(&h->cfg, h->now, &h->m), 0);
}

static inline void h_init(struct h_node *h, uint64_t seed)
{
  memset(h, 0, sizeof(*h));
  ocf_alloc_init(&h->a);
  ocf_rng_seed(&h->rng, seed);
  h->now = 1000 * HS;
  assert_int_equal(ocf_kv_mem_open(&h->a, 0, &h->kv), 0);
  ocf_merkle_config_init(&h->cfg);
  h->cfg.a = &h->a;
  h->cfg.rng = &h->rng;
  h->cfg.kv = h->kv;
}

static inline void h_new(struct h_node *h, uint64_t seed)
{
  h_init(h, seed);
  h_open(h);
}

static inline void h_free(struct h_node *h)
{
  ocf_merkle_free(h->m);
  ocf_kv_mem_close(h->kv);
  assert_int_equal(h->a.live_bytes, 0);
  for (size_t i = 0; i < h->n_casts; i++)
    free(h->casts[i].p);
  free(h->asked);
}

/* As after a kill: what was not committed is lost, and so is what waited. */
static inline void h_restart(struct h_node *h)
{
  ocf_merkle_free(h->m);
  h->n_asked = 0;
  h_open(h);
}

static inline void h_told(struct h_node *h, const struct ocf_merkle_event *ev)
{
  size_t i = 0;
  if (h->no_table)
    return;
  while (i < h->n_rows && !ocf_bytes_eq(ocf_bytes(h->rows[i].key, h->rows[i].key_n), ev->key))
    i++;
  if (ev->type == OCF_MERKLE_DELETE) {
    if (i < h->n_rows)
      h->rows[i] = h->rows[--h->n_rows];
    return;
  }
  if (i == h->n_rows) {
    assert_true(i < H_ROWS && ev->key.n < H_KEY);
    memcpy(h->rows[i].key, ev->key.p, ev->key.n);
    h->rows[i].key_n = ev->key.n;
    h->n_rows++;
  }
  assert_true(ev->value.n <= sizeof(h->rows[i].value));
  if (ev->value.n > 0)
    memcpy(h->rows[i].value, ev->value.p, ev->value.n);
  h->rows[i].value_n = ev->value.n;
}

static inline void h_events(struct h_node *h)
{
  struct ocf_merkle_event ev;
  while (ocf_merkle_event(h->m, &ev)) {
    if (ev.type == OCF_MERKLE_SYNCED) {
      h->n_synced++;
      continue;
    }
    h->n_puts += ev.type == OCF_MERKLE_PUT;
    h->n_deletes += ev.type == OCF_MERKLE_DELETE;
    h_told(h, &ev);
    h->last = ev;
    if (ev.announcer.n > 0)
      memcpy(h->last_announcer, ev.announcer.p, ev.announcer.n);
    h->last.announcer.p = h->last_announcer;
  }
}

static inline void h_forget(struct h_node *h, const uint8_t id[ID])
{
  for (size_t i = 0; i < h->n_asked; i++)
    if (memcmp(h->asked[i], id, ID) == 0) {
      memmove(h->asked[i], h->asked[i + 1], (h->n_asked - i - 1) * ID);
      h->n_asked--;
      return;
    }
}

static inline void h_effect(struct h_node *h, const struct ocf_merkle_effect *fx)
{
  switch (fx->type) {
  case OCF_MERKLE_FETCH:
    if (h->n_asked == h->cap_asked) {
      h->cap_asked = h->cap_asked == 0 ? 64 : 2 * h->cap_asked;
      h->asked = realloc(h->asked, h->cap_asked * ID);
      assert_non_null(h->asked);
    }
    memcpy(h->asked[h->n_asked++], fx->cid + CID_HEAD, ID);
    break;
  case OCF_MERKLE_UNFETCH: h_forget(h, fx->cid + CID_HEAD); break;
  case OCF_MERKLE_STORED: h->n_stored++; break;
  case OCF_MERKLE_BROADCAST:
    assert_true(fx->payload.n > 0 && h->n_casts < H_CASTS);
    h->casts[h->n_casts].p = malloc(fx->payload.n);
    assert_non_null(h->casts[h->n_casts].p);
    memcpy(h->casts[h->n_casts].p, fx->payload.p, fx->payload.n);
    h->casts[h->n_casts++].n = fx->payload.n;
    break;
  }
}

/* The end of a turn, as the owner does it. */
static inline void h_turn(struct h_node *h)
{
  struct ocf_merkle_effect fx;
  h_events(h);
  assert_int_equal(ocf_merkle_commit(h->m, h->now), 0);
  while (ocf_merkle_effect(h->m, h->now, &fx))
    h_effect(h, &fx);
}

/* Answers one fetch: the oldest, the newest or any. False when there is none that can be answered.
 */
static inline bool h_answer(struct h_node *h, const struct h_world *w, int order)
{
  for (size_t tries = 0; tries < h->n_asked; tries++) {
    size_t i = order == 0   ? tries
               : order == 1 ? h->n_asked - 1 - tries
                            : (size_t)ocf_rng_below(&h->rng, h->n_asked);
    uint8_t cid[OCF_CID_BLOCK_SIZE];
    const struct h_block *b = h_find(w, h->asked[i]);
    if (b == NULL || b->dark)
      continue;
    ocf_merkle_cid(b->id, cid);
    h_forget(h, b->id);
    int err = ocf_merkle_block(h->m, h->now, cid, ocf_bytes(b->p, b->n));
    assert_true(err == 0 || err == OCF_EINVAL);
    return true;
  }
  return false;
}

/* Ticks while there is work that needs no time. */
static inline void h_work(struct h_node *h)
{
  while (ocf_merkle_deadline(h->m) == 0)
    assert_int_equal(ocf_merkle_tick(h->m, h->now), 0);
}

/* Turns until nothing more can be fetched. */
static inline void h_sync(struct h_node *h, const struct h_world *w, int order)
{
  do {
    h_work(h);
    h_turn(h);
  } while (h_answer(h, w, order));
}

static inline void h_tick(struct h_node *h, uint64_t d_ns)
{
  h->now += d_ns;
  assert_int_equal(ocf_merkle_tick(h->m, h->now), 0);
  h_turn(h);
}

/* Announces blocks to the replica. */
static inline void h_say(struct h_node *h, const struct h_block *const *b, size_t n,
                         const char *author)
{
  struct ocf_buf buf;
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  ocf_buf_init(&buf, &a, 1 << 20);
  for (size_t i = 0; i < n; i++) {
    ocf_merkle_cid(b[i]->id, cid);
    assert_int_equal(ocf_merkle_heads_add(&buf, ocf_bytes(cid, sizeof(cid))), 0);
  }
  assert_int_equal(
      ocf_merkle_broadcast(h->m, h->now, ocf_buf_view(&buf), ocf_bytes(author, strlen(author))), 0);
  ocf_buf_fini(&buf);
}

static inline void h_say1(struct h_node *h, const struct h_block *b, const char *author)
{
  h_say(h, &b, 1, author);
}

static inline void h_expect(struct h_node *h, const char *key, const char *value)
{
  struct ocf_bytes got = { NULL, 0 };
  int err = ocf_merkle_get(h->m, ocf_bytes(key, strlen(key)), &got, NULL);
  assert_int_equal(err, value == NULL ? OCF_ENOENT : 0);
  if (value != NULL)
    assert_true(ocf_bytes_eq(got, ocf_bytes(value, strlen(value))));
}

/* Heads, complete ones only, as the test names them. */
static inline void h_expect_heads(struct h_node *h, const struct h_block *const *b, size_t n)
{
  struct ocf_merkle_head head;
  size_t found = 0;
  int err = ocf_merkle_head_next(h->m, NULL, &head);
  for (; err == 0 && head.complete; err = ocf_merkle_head_next(h->m, &head, &head)) {
    size_t i = 0;
    while (i < n && memcmp(b[i]->id, head.cid + CID_HEAD, ID) != 0)
      i++;
    assert_true(i < n);
    found++;
  }
  assert_int_equal(found, n);
}

static inline void h_expect_head(struct h_node *h, const struct h_block *b)
{
  h_expect_heads(h, &b, 1);
}

/* All rows by cursor; checks that they agree with the table kept from events, and with get. */
static inline void h_check_rows(struct h_node *h)
{
  struct ocf_merkle_cursor c = { .begun = false };
  struct ocf_merkle_row row;
  size_t n = 0;
  int err;
  struct ocf_merkle_stats st;
  while ((err = ocf_merkle_next(h->m, &c, &row)) == 0) {
    size_t i = 0;
    n++;
    if (h->no_table)
      continue;
    while (i < h->n_rows && !ocf_bytes_eq(ocf_bytes(h->rows[i].key, h->rows[i].key_n), row.key))
      i++;
    assert_true(i < h->n_rows);
    assert_true(ocf_bytes_eq(ocf_bytes(h->rows[i].value, h->rows[i].value_n), row.value));
  }
  assert_int_equal(err, OCF_ENOENT);
  ocf_merkle_stats(h->m, &st);
  assert_int_equal(n, st.rows);
  if (!h->no_table)
    assert_int_equal(n, h->n_rows);
}

/* Rows of one kind in the store. */
static inline size_t h_count_rows(struct h_node *h, char what)
{
  uint8_t at[ROW_MAX + 2] = { (uint8_t)what };
  size_t n = 0, at_n = 1;
  struct ocf_bytes k, v;
  while (ocf_kv_seek(h->kv, ocf_bytes(at, at_n), &k, &v) == 0 && k.p[0] == (uint8_t)what) {
    memcpy(at, k.p, k.n);
    at[k.n] = 0;
    at_n = k.n + 1;
    n++;
  }
  return n;
}

/* Whether the counts say what the store holds. */
static inline void h_check_counts(struct h_node *h)
{
  struct ocf_merkle_stats st;
  ocf_merkle_stats(h->m, &st);
  assert_int_equal(h_count_rows(h, 'b'), st.blocks);
  assert_int_equal(h_count_rows(h, 's'), st.blocks);
  assert_int_equal(h_count_rows(h, 'e'), st.elements);
  assert_int_equal(h_count_rows(h, 't'), st.tombstones);
  assert_int_equal(h_count_rows(h, 'h'), st.heads);
  assert_int_equal(h_count_rows(h, 'a'), st.adopted);
  assert_int_equal(h_count_rows(h, 'q'), 0);
  if (st.incomplete == 0)
    assert_int_equal(h_count_rows(h, 'w'), 0);
}

/* ---- small words ---- */

static inline struct h_block *h_block(struct h_world *w, const struct h_block *link,
                                      const char *key, const char *value, uint64_t priority)
{
  return h_make_block(w, &link, link != NULL, key, value, NULL, priority);
}

static inline struct h_block *h_join(struct h_world *w, const struct h_block *a,
                                     const struct h_block *b, const char *key, const char *value,
                                     uint64_t priority)
{
  const struct h_block *links[2] = { a, b };
  return h_make_block(w, links, 2, key, value, NULL, priority);
}

/* Worlds move their blocks as they grow; these tests keep pointers, so room is made first. */
static inline void h_world(struct h_world *w)
{
  *w = (struct h_world){ .cap = 256 };
  w->b = malloc(w->cap * sizeof(w->b[0]));
  assert_non_null(w->b);
}

static inline struct ocf_merkle_stats h_stats(struct h_node *h)
{
  struct ocf_merkle_stats st;
  ocf_merkle_stats(h->m, &st);
  return st;
}

static inline bool h_asked_for(const struct h_node *h, const struct h_block *b)
{
  for (size_t i = 0; i < h->n_asked; i++)
    if (memcmp(h->asked[i], b->id, ID) == 0)
      return true;
  return false;
}

/* Whether one of the published payloads names the block. */
static inline bool h_was_cast(const struct h_node *h, const uint8_t id[ID])
{
  for (size_t i = 0; i < h->n_casts; i++) {
    struct ocf_merkle_heads heads;
    struct ocf_cid cid;
    uint8_t got[ID];
    assert_int_equal(ocf_merkle_heads_parse(ocf_bytes(h->casts[i].p, h->casts[i].n), &heads), 0);
    while (ocf_merkle_heads_next(&heads, &cid))
      if (ocf_merkle_link_id(&cid, got) && memcmp(got, id, ID) == 0)
        return true;
  }
  return false;
}

static inline void h_clear_casts(struct h_node *h)
{
  while (h->n_casts > 0)
    free(h->casts[--h->n_casts].p);
}

static inline int h_give(struct h_node *h, const struct h_block *b)
{
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  ocf_merkle_cid(b->id, cid);
  h_forget(h, b->id);
  return ocf_merkle_block(h->m, h->now, cid, ocf_bytes(b->p, b->n));
}

static inline void h_fail_fetch(struct h_node *h, const struct h_block *b, bool permanent)
{
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  ocf_merkle_cid(b->id, cid);
  h_forget(h, b->id);
  ocf_merkle_fetch_failed(h->m, h->now, cid, permanent);
}

#endif
