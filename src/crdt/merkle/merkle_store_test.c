/* The replica and its store: transactions, large turns, kills, failures, lack of memory, damage. */
#include "testing/test.h"

#include "crdt/merkle/merkle_harness.h"
#include "testing/oom.h"

/* Goal: nothing is told of a write before its commit, and nothing of it is left without one. */
static void test_nothing_is_promised_before_the_commit(void **state)
{
  struct h_node h;
  struct ocf_merkle_effect fx;
  (void)state;
  h_new(&h, 1);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  assert_false(ocf_merkle_effect(h.m, h.now, &fx));
  h_restart(&h);
  h_expect(&h, "/k", NULL);
  h_turn(&h);
  assert_int_equal(h.n_casts, 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  assert_int_equal(ocf_merkle_commit(h.m, h.now), 0); /* the event is not pulled */
  h_restart(&h);
  h_expect(&h, "/k", "v");
  h_turn(&h);
  assert_int_equal(h.n_puts, 1); /* told after the restart */
  h_tick(&h, 7 * HS);
  assert_int_equal(h.n_casts, 1);
  h_free(&h);
}

/* Goal: what was rolled back is not told, and heads of a running turn are not either. */
static void test_a_rolled_back_write_is_not_told(void **state)
{
  struct h_node h;
  struct ocf_merkle_effect fx;
  (void)state;
  h_new(&h, 1);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  h.a.fail_at = h.a.n_calls + 1;
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/l"), OCF_STR("v")), OCF_ENOMEM);
  h.a.fail_at = 0;
  assert_int_equal(ocf_merkle_commit(h.m, h.now), 0);
  assert_false(ocf_merkle_effect(h.m, h.now, &fx));
  h_expect(&h, "/k", NULL);

  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), 0);
  h_turn(&h);
  h_clear_casts(&h);
  h.now += 7 * HS;
  assert_int_equal(ocf_merkle_tick(h.m, h.now), 0);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/l"), OCF_STR("v")), 0);
  assert_false(ocf_merkle_effect(h.m, h.now, &fx)); /* a round is due, of uncommitted heads */
  h_turn(&h);
  assert_int_equal(h.n_casts, 2);
  assert_int_equal(h_stats(&h).heads, 1);
  h_free(&h);
}

/* Goal: a full store rolls the turn back and the replica goes on when there is room again. */
static void test_a_full_store_is_no_end(void **state)
{
  struct h_node h;
  char value[1024];
  int err = 0, n = 0;
  (void)state;
  h_init(&h, 1);
  ocf_kv_mem_close(h.kv);
  assert_int_equal(ocf_kv_mem_open(&h.a, 20000, &h.kv), 0);
  h.cfg.kv = h.kv;
  h_open(&h);
  memset(value, 'v', sizeof(value));
  for (; err == 0 && n < 100; n++) {
    value[0] = (char)n;
    err = ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes(value, sizeof(value)));
    if (err == 0)
      err = ocf_merkle_commit(h.m, h.now);
  }
  assert_int_equal(err, OCF_ELIMIT);
  assert_true(n > 5 && h_stats(&h).rollbacks == 1);
  assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), ocf_bytes("small", 5)), 0);
  h.no_table = true;
  h_turn(&h);
  h_expect(&h, "/k", "small");
  h_check_counts(&h);
  h_free(&h);
}

/* A store that takes so many changes in a transaction, as store/lmdb does, and counts commits. */
struct narrow_kv {
  struct ocf_kv kv;
  struct ocf_kv *real;
  size_t n, most, n_commits, kill_at; /* kill_at: this commit and all later ones fail */
};

static struct narrow_kv *narrow(struct ocf_kv *kv)
{
  return OCF_CONTAINER_OF(kv, struct narrow_kv, kv);
}

static int n_get(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val)
{
  return ocf_kv_get(narrow(kv)->real, key, val);
}

static int n_put(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val)
{
  return ++narrow(kv)->n > 32768 ? OCF_ELIMIT : ocf_kv_put(narrow(kv)->real, key, val);
}

static int n_del(struct ocf_kv *kv, struct ocf_bytes key)
{
  return ++narrow(kv)->n > 32768 ? OCF_ELIMIT : ocf_kv_del(narrow(kv)->real, key);
}

static int n_seek(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
                  struct ocf_bytes *val)
{
  return ocf_kv_seek(narrow(kv)->real, from, key, val);
}

static void n_abort(struct ocf_kv *kv)
{
  narrow(kv)->n = 0;
  ocf_kv_abort(narrow(kv)->real);
}

static int n_commit(struct ocf_kv *kv)
{
  struct narrow_kv *s = narrow(kv);
  s->most = OCF_MAX(s->most, s->n);
  s->n = 0;
  if (s->kill_at != 0 && s->n_commits + 1 >= s->kill_at) {
    n_abort(kv);
    return OCF_EIO;
  }
  s->n_commits++;
  return ocf_kv_commit(s->real);
}

static uint64_t n_bytes(const struct ocf_kv *kv)
{
  return ocf_kv_bytes(OCF_CONTAINER_OF_CONST(kv, struct narrow_kv, kv)->real);
}

static const struct ocf_kv_ops narrow_ops = { n_get,    n_put,   n_del,  n_seek,
                                              n_commit, n_abort, n_bytes };

enum { MANY = 20000 };

/* A block of MANY elements and as many tombstones of another one's. */
static struct h_block *huge_block(struct h_world *w, const struct h_block *link, const char *value)
{
  struct ocf_alloc a;
  struct ocf_buf delta, block;
  char key[16], text[64];
  uint8_t cid[OCF_CID_BLOCK_SIZE] = { 0 };
  struct ocf_bytes view = ocf_bytes(cid, sizeof(cid));
  ocf_alloc_init(&a);
  ocf_buf_init(&delta, &a, 8 << 20);
  ocf_buf_init(&block, &a, 8 << 20);
  for (int i = 0; i < MANY; i++) {
    (void)snprintf(key, sizeof(key), "/%d", i);
    struct ocf_merkle_element e = { ocf_bytes(key, strlen(key)), { NULL, 0 }, { NULL, 0 } };
    e.value = ocf_bytes(value, strlen(value));
    assert_int_equal(ocf_merkle_delta_add(&delta, OCF_MERKLE_ELEMENTS, &e), 0);
    if (link == NULL || i % 4 != 0)
      continue;
    ocf_merkle_tomb_id(link->id, text);
    e = (struct ocf_merkle_element){ e.key, ocf_bytes(text, strlen(text)), { NULL, 0 } };
    assert_int_equal(ocf_merkle_delta_add(&delta, OCF_MERKLE_TOMBSTONES, &e), 0);
  }
  assert_int_equal(ocf_merkle_delta_end(&delta, link != NULL ? 2 : 1), 0);
  if (link != NULL)
    ocf_merkle_cid(link->id, cid);
  assert_int_equal(ocf_dagpb_encode(&view, link != NULL, ocf_buf_view(&delta), &block), 0);
  struct h_block *b = h_add_block(w, ocf_buf_view(&block));
  ocf_buf_fini(&delta);
  ocf_buf_fini(&block);
  return b;
}

/* Goal: a block with more elements than a transaction takes is merged in parts; whichever part a
 * kill comes after, the next run ends it, without being told of the block again. */
static void test_a_huge_block_is_merged_in_parts(void **state)
{
  static struct h_node h;
  struct h_world w;
  (void)state;
  h_world(&w);
  size_t n_killed = 0;
  struct h_block *a = huge_block(&w, NULL, "1"), *b = huge_block(&w, a, "2");
  for (size_t kill = 0; kill < 8; kill++) {
    struct narrow_kv s = { .kv = { &narrow_ops }, .kill_at = kill };
    h_init(&h, 1);
    s.real = h.kv;
    h.cfg.kv = &s.kv;
    h.cfg.block_bytes_max = 2 << 20;
    h.no_table = true;
    h_open(&h);
    h_say1(&h, b, "p");
    struct ocf_merkle_effect fx;
    assert_true(ocf_merkle_effect(h.m, h.now, &fx));
    int err = h_give(&h, b);
    assert_int_equal(err, h.m->err);
    n_killed += err != 0;
    if (err == 0)
      n_killed += h_give(&h, a) != 0;
    s.kill_at = 0;
    h_restart(&h);
    if (kill == 0)
      h_say1(&h, b, "p");
    h_sync(&h, &w, 0);
    h_tick(&h, 1 * HS);
    if (h_stats(&h).blocks < 2) { /* killed before the first part was kept */
      h_say1(&h, b, "p");
      h_sync(&h, &w, 0);
    }
    h_expect_head(&h, b);
    h_expect(&h, "/19999", "2");
    assert_int_equal(h_stats(&h).rows, MANY);
    assert_int_equal(h_stats(&h).elements, 2 * MANY - MANY / 4);
    assert_int_equal(h_count_rows(&h, 'p'), 0);
    assert_true(s.most > 8192 && s.most <= 32768);
    h_check_counts(&h);
    h_free(&h);
  }
  assert_true(n_killed >= 3);
  h_world_fini(&w);
}

/* Goal: so is a block with many elements and many links, of which none is there. */
static void test_a_block_of_many_links_fits_a_transaction(void **state)
{
  static struct h_node h;
  struct h_world w;
  struct narrow_kv s = { .kv = { &narrow_ops } };
  struct ocf_buf delta, block;
  struct ocf_alloc a;
  char key[32];
  enum { LINKS = 20000 };
  static struct ocf_bytes views[LINKS];
  static uint8_t cids[LINKS][OCF_CID_BLOCK_SIZE];
  (void)state;
  h_world(&w);
  ocf_alloc_init(&a);
  ocf_buf_init(&delta, &a, 4 << 20);
  ocf_buf_init(&block, &a, 4 << 20);
  for (int i = 0; i < 10900; i++) { /* three rows each: a part is just not full */
    (void)snprintf(key, sizeof(key), "/%d", i);
    struct ocf_merkle_element e = { ocf_bytes(key, strlen(key)), { NULL, 0 }, OCF_STR("v") };
    assert_int_equal(ocf_merkle_delta_add(&delta, OCF_MERKLE_ELEMENTS, &e), 0);
  }
  for (int i = 0; i < LINKS; i++) {
    uint8_t id[ID] = { (uint8_t)i, (uint8_t)(i >> 8) };
    ocf_merkle_cid(id, cids[i]);
    views[i] = ocf_bytes(cids[i], OCF_CID_BLOCK_SIZE);
  }
  assert_int_equal(ocf_merkle_delta_end(&delta, 1), 0);
  assert_int_equal(ocf_dagpb_encode(views, LINKS, ocf_buf_view(&delta), &block), 0);
  struct h_block *b = h_add_block(&w, ocf_buf_view(&block));
  h_init(&h, 1);
  s.real = h.kv;
  h.cfg.kv = &s.kv;
  h.cfg.block_bytes_max = 2 << 20;
  h.no_table = true;
  h_open(&h);
  h_say1(&h, b, "p");
  h_turn(&h);
  assert_int_equal(h_give(&h, b), 0);
  h_turn(&h);
  assert_int_equal(h_count_rows(&h, 'w'), LINKS);
  assert_int_equal(h_stats(&h).rows, 10900);
  assert_true(h_stats(&h).fetches + 2 >= h.cfg.per_announcer_max);
  ocf_buf_fini(&delta);
  ocf_buf_fini(&block);
  h_free(&h);
  h_world_fini(&w);
}

/* Goal: so do many blocks in one turn. */
static void test_a_large_turn_is_committed_in_parts(void **state)
{
  static struct h_node h;
  struct h_world w = { .unique = true };
  struct narrow_kv s = { .kv = { &narrow_ops } };
  const struct h_block *links[16];
  char value[16];
  (void)state;
  w.cap = 9000;
  w.b = malloc(w.cap * sizeof(w.b[0]));
  assert_non_null(w.b);
  h_init(&h, 1);
  s.real = h.kv;
  h.cfg.kv = &s.kv;
  h.cfg.fetches_max = h.cfg.active_max = h.cfg.per_announcer_max = 20000;
  h.no_table = true;
  h_open(&h);
  for (int i = 0; i < 8000; i++) {
    (void)snprintf(value, sizeof(value), "/%d", i);
    links[0] = h_make_block(&w, NULL, 0, value, value, NULL, 1);
    h_say1(&h, links[0], "p");
  }
  struct ocf_merkle_effect fx;
  while (ocf_merkle_effect(h.m, h.now, &fx))
    h_effect(&h, &fx);
  for (size_t i = 0; i < w.n; i++) { /* no turn in between */
    uint8_t cid[OCF_CID_BLOCK_SIZE];
    ocf_merkle_cid(w.b[i].id, cid);
    assert_int_equal(ocf_merkle_block(h.m, h.now, cid, ocf_bytes(w.b[i].p, w.b[i].n)), 0);
  }
  h_events(&h);
  assert_int_equal(h.n_puts, 8000);
  assert_int_equal(h_stats(&h).heads, 8000);
  assert_int_equal(h_stats(&h).rollbacks, 0);
  assert_true(s.n_commits > 3 && s.most <= 32768);
  h.n_asked = 0;
  h_turn(&h);
  h_check_counts(&h);
  h_free(&h);
  h_world_fini(&w);
}

/* A store that fails on demand. */
struct broken_kv {
  struct ocf_kv kv;
  struct ocf_kv *real;
  uint64_t n_calls, fail_at;
};

static bool broken(struct ocf_kv *kv)
{
  struct broken_kv *b = OCF_CONTAINER_OF(kv, struct broken_kv, kv);
  return b->fail_at != 0 && ++b->n_calls >= b->fail_at;
}

static struct ocf_kv *real(struct ocf_kv *kv)
{
  return OCF_CONTAINER_OF(kv, struct broken_kv, kv)->real;
}

static int b_get(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes *val)
{
  return broken(kv) ? OCF_EIO : ocf_kv_get(real(kv), key, val);
}

static int b_put(struct ocf_kv *kv, struct ocf_bytes key, struct ocf_bytes val)
{
  return broken(kv) ? OCF_EIO : ocf_kv_put(real(kv), key, val);
}

static int b_del(struct ocf_kv *kv, struct ocf_bytes key)
{
  return broken(kv) ? OCF_EIO : ocf_kv_del(real(kv), key);
}

static int b_seek(struct ocf_kv *kv, struct ocf_bytes from, struct ocf_bytes *key,
                  struct ocf_bytes *val)
{
  return broken(kv) ? OCF_EIO : ocf_kv_seek(real(kv), from, key, val);
}

static int b_commit(struct ocf_kv *kv)
{
  return broken(kv) ? OCF_EIO : ocf_kv_commit(real(kv));
}

static void b_abort(struct ocf_kv *kv)
{
  ocf_kv_abort(real(kv));
}

static uint64_t b_bytes(const struct ocf_kv *kv)
{
  return ocf_kv_bytes(OCF_CONTAINER_OF_CONST(kv, struct broken_kv, kv)->real);
}

static const struct ocf_kv_ops broken_ops = { b_get,    b_put,   b_del,  b_seek,
                                              b_commit, b_abort, b_bytes };

/* A small life that touches everything. The first error ends it. */
static int life(struct h_node *h, const struct h_world *w)
{
  struct ocf_merkle_event ev;
  struct ocf_merkle_effect fx;
  struct ocf_merkle_head head;
  struct ocf_merkle_cursor c = { .begun = false };
  struct ocf_merkle_row row;
  uint8_t payload[40] = { 0x0a, 0x26, 0x0a, 0x24 }, cid[OCF_CID_BLOCK_SIZE];
  ocf_merkle_cid(w->b[w->n - 1].id, payload + 4);
  int err = ocf_merkle_open(&h->cfg, h->now, &h->m);
  if (err != 0)
    return err;
  err = ocf_merkle_broadcast(h->m, h->now, ocf_bytes(payload, sizeof(payload)), OCF_STR("p"));
  for (size_t i = w->n; err == 0 && i-- > 0;) {
    while (ocf_merkle_event(h->m, &ev))
      ;
    err = ocf_merkle_commit(h->m, h->now);
    while (err == 0 && ocf_merkle_effect(h->m, h->now, &fx))
      ;
    ocf_merkle_cid(w->b[i].id, cid);
    if (err == 0)
      err = ocf_merkle_block(h->m, h->now, cid, ocf_bytes(w->b[i].p, w->b[i].n));
    err = err == OCF_ENOENT ? 0 : err;
  }
  if (err == 0)
    err = ocf_merkle_put(h->m, h->now, OCF_STR("/own"), OCF_STR("x"));
  if (err == 0)
    err = ocf_merkle_delete(h->m, h->now, OCF_STR("/k"));
  if (err == 0)
    err = ocf_merkle_tick(h->m, h->now + 100 * HS);
  if (err == 0)
    err = ocf_merkle_commit(h->m, h->now + 100 * HS);
  while (err == 0 && ocf_merkle_effect(h->m, h->now, &fx))
    ;
  for (int got = 0; err == 0 && (got = ocf_merkle_next(h->m, &c, &row)) != OCF_ENOENT;)
    err = got;
  if (err == 0)
    err = ocf_merkle_head_next(h->m, NULL, &head);
  return err == OCF_ENOENT ? OCF_ENOMEM : err; /* the announcement was lost for lack of memory */
}

static void small_world(struct h_world *w)
{
  h_world(w);
  struct h_block *a = h_block(w, NULL, "/k", "1", 1), *b = h_block(w, NULL, "/k", "2", 1);
  struct h_block *c = h_join(w, a, b, "/l", "3", 2);
  const struct h_block *links[1] = { c };
  struct h_block *d = h_make_block(w, links, 1, "/k", NULL, b, 3);
  (void)h_block(w, d, "/m", "5", 4);
}

/* Goal: whichever call of the store fails, the replica answers OCF_EIO from then on, crashes never,
 * and leaks nothing. */
static void test_a_failing_store_ends_the_replica(void **state)
{
  struct h_world w;
  (void)state;
  small_world(&w);
  for (uint64_t at = 1;; at++) {
    struct h_node h;
    struct broken_kv b = { .kv = { &broken_ops }, .fail_at = at };
    struct ocf_bytes v;
    h_init(&h, 1);
    b.real = h.kv;
    h.cfg.kv = &b.kv;
    int err = life(&h, &w);
    if (h.m != NULL && err != 0) {
      assert_int_equal(err, OCF_EIO);
      assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/k"), OCF_STR("v")), OCF_EIO);
      assert_int_equal(ocf_merkle_get(h.m, OCF_STR("/k"), &v, NULL), OCF_EIO);
      assert_int_equal(ocf_merkle_tick(h.m, h.now), OCF_EIO);
    }
    h_free(&h);
    if (b.n_calls < at) {
      assert_int_equal(err, 0);
      assert_true(at > 100);
      break;
    }
  }
  h_world_fini(&w);
}

static int life_on(struct ocf_alloc *a, void *ctx)
{
  struct h_node h = { .now = 1000 * HS };
  ocf_rng_seed(&h.rng, 1);
  int err = ocf_kv_mem_open(a, 0, &h.kv);
  if (err != 0)
    return err;
  ocf_merkle_config_init(&h.cfg);
  h.cfg.a = a;
  h.cfg.rng = &h.rng;
  h.cfg.kv = h.kv;
  err = life(&h, ctx);
  ocf_merkle_free(h.m);
  ocf_kv_mem_close(h.kv);
  return err;
}

static void test_out_of_memory_anywhere_is_an_error_and_leaks_nothing(void **state)
{
  struct h_world w;
  (void)state;
  small_world(&w);
  assert_true(ocf_oom_sweep(life_on, &w) > 50);
  h_world_fini(&w);
}

/* Goal: memory comes back after a failure and so does the replica: what was rolled back is fetched
 * again. */
static void test_a_replica_recovers_from_lack_of_memory(void **state)
{
  struct h_world w;
  (void)state;
  small_world(&w);
  for (uint64_t skip = 0; skip < 60; skip++) {
    struct h_node h;
    h_new(&h, skip);
    h_say1(&h, &w.b[4], "p");
    h_turn(&h);
    h.a.fail_at = h.a.n_calls + 1 + skip;
    for (size_t i = 5; i-- > 0;)
      (void)h_give(&h, &w.b[i]);
    h.a.fail_at = 0;
    for (int i = 0; i < 50; i++) {
      h_say1(&h, &w.b[4], "p");
      h_tick(&h, 5 * HS);
      h_sync(&h, &w, 0);
    }
    h_expect_head(&h, &w.b[4]);
    h_expect(&h, "/k", "1");
    h_expect(&h, "/m", "5");
    h_check_rows(&h);
    h_check_counts(&h);
    h_free(&h);
  }
  h_world_fini(&w);
}

static void test_a_foreign_store_is_refused(void **state)
{
  struct h_node h;
  (void)state;
  h_init(&h, 1);
  assert_int_equal(ocf_kv_put(h.kv, OCF_STR("other"), OCF_STR("x")), 0);
  assert_int_equal(ocf_merkle_open(&h.cfg, h.now, &h.m), OCF_EUNSUPP);
  assert_int_equal(ocf_kv_put(h.kv, OCF_STR("m"), OCF_STR("\x07")), 0);
  assert_int_equal(ocf_merkle_open(&h.cfg, h.now, &h.m), OCF_EUNSUPP);
  assert_int_equal(ocf_kv_put(h.kv, OCF_STR("m"), OCF_STR("\x01")), 0);
  assert_int_equal(ocf_merkle_open(&h.cfg, h.now, &h.m), OCF_EIO);
  h.cfg.links_max = 0;
  assert_int_equal(ocf_merkle_open(&h.cfg, h.now, &h.m), OCF_EINVAL);
  h_free(&h);
}

/* Goal: rows that no version of ours wrote are OCF_EIO, not trusted. */
static void test_damaged_rows_are_errors(void **state)
{
  static const char kinds[] = "bsehv";
  struct h_world w;
  (void)state;
  small_world(&w);
  for (size_t i = 0; kinds[i] != 0; i++) {
    struct h_node h;
    struct ocf_bytes k, v;
    uint8_t at[ROW_MAX + 2] = { (uint8_t)kinds[i] };
    h_new(&h, 1);
    h_say1(&h, &w.b[4], "p");
    h_sync(&h, &w, 0);
    for (size_t n = 1;
         ocf_kv_seek(h.kv, ocf_bytes(at, n), &k, &v) == 0 && k.p[0] == (uint8_t)kinds[i];) {
      memcpy(at, k.p, k.n);
      n = k.n;
      assert_int_equal(ocf_kv_put(h.kv, ocf_bytes(at, n), OCF_STR("xx")), 0);
      at[n++] = 0;
    }
    int err = ocf_merkle_get(h.m, OCF_STR("/k"), &v, NULL);
    if (err == 0)
      err = ocf_merkle_delete(h.m, h.now, OCF_STR("/k"));
    assert_int_equal(err, OCF_EIO);
    h_free(&h);
  }
  h_world_fini(&w);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_nothing_is_promised_before_the_commit),
  cmocka_unit_test(test_a_rolled_back_write_is_not_told),
  cmocka_unit_test(test_a_full_store_is_no_end),
  cmocka_unit_test(test_a_huge_block_is_merged_in_parts),
  cmocka_unit_test(test_a_block_of_many_links_fits_a_transaction),
  cmocka_unit_test(test_a_large_turn_is_committed_in_parts),
  cmocka_unit_test(test_a_failing_store_ends_the_replica),
  cmocka_unit_test(test_out_of_memory_anywhere_is_an_error_and_leaks_nothing),
  cmocka_unit_test(test_a_replica_recovers_from_lack_of_memory),
  cmocka_unit_test(test_a_foreign_store_is_refused),
  cmocka_unit_test(test_damaged_rows_are_errors),
};

OCF_TEST_MAIN(tests)
