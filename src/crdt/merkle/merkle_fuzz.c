/* A replica against the definition of the set. The bytes make blocks (any elements, tombstones,
 * links and priorities), announce them, answer or fail fetches in any order, write, let time pass,
 * take memory away and kill. Whenever the bytes say so, and at the end, the replica must hold what
 * the naive model computes from the blocks it stores. */
#include "testing/test.h"

#include "crdt/merkle/merkle_harness.h"
#include "crdt/merkle/merkle_naive.h"
#include "testing/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { KEYS = 4, BLOCKS_MAX = 30, OPS_MAX = 300, CHECKS_MAX = 3 /* they are slow */ };

static const char *const keys[KEYS] = { "/a", "/b", "/a/b", "/c" };

struct script {
  struct ocf_ops ops;
  struct h_world w; /* all blocks there are */
  struct h_node h;
  int n_checks;
};

static const struct h_block *any_block(struct script *s)
{
  return s->w.n == 0 ? NULL : &s->w.b[ocf_ops_u8(&s->ops) % s->w.n];
}

static void add_element(struct script *s, struct ocf_buf *delta)
{
  uint8_t what = ocf_ops_u8(&s->ops);
  const char *key = keys[what % KEYS];
  uint8_t value[2] = { (uint8_t)('a' + what / 16 % 4), what };
  char text[64];
  struct ocf_merkle_element e = { ocf_bytes(key, strlen(key)), { NULL, 0 }, { NULL, 0 } };
  if ((what & 8) != 0) /* without its slash: the same key */
    e.key = ocf_bytes(key + 1, strlen(key + 1));
  if (what < 0x60 && s->w.n > 0) {
    ocf_merkle_tomb_id(any_block(s)->id, text);
    e.id = ocf_bytes(text + (what & 1), strlen(text) - (what & 1));
    assert_int_equal(ocf_merkle_delta_add(delta, OCF_MERKLE_TOMBSTONES, &e), 0);
    return;
  }
  e.value = ocf_bytes(value, 1 + what % 2);
  assert_int_equal(ocf_merkle_delta_add(delta, OCF_MERKLE_ELEMENTS, &e), 0);
}

static void make_block(struct script *s)
{
  struct ocf_alloc a;
  struct ocf_buf delta, block;
  struct ocf_bytes views[4];
  uint8_t cids[4][OCF_CID_BLOCK_SIZE], what = ocf_ops_u8(&s->ops);
  size_t n = s->w.n == 0 ? 0 : what % 4;
  if (s->w.n == BLOCKS_MAX)
    return;
  ocf_alloc_init(&a);
  ocf_buf_init(&delta, &a, 4096);
  ocf_buf_init(&block, &a, 4096);
  for (size_t i = 0; i < n; i++) {
    ocf_merkle_cid(any_block(s)->id, cids[i]);
    views[i] = ocf_bytes(cids[i], OCF_CID_BLOCK_SIZE);
  }
  for (int i = what / 4 % 4; i > 0; i--)
    add_element(s, &delta);
  uint8_t priority = ocf_ops_u8(&s->ops);
  assert_int_equal(ocf_merkle_delta_end(&delta, priority == 255 ? UINT64_MAX : priority % 16), 0);
  assert_int_equal(ocf_dagpb_encode(views, n, ocf_buf_view(&delta), &block), 0);
  (void)h_add_block(&s->w, ocf_buf_view(&block));
  ocf_buf_fini(&delta);
  ocf_buf_fini(&block);
}

/* The blocks that the replica stores, as a world of their own. */
static void check(struct script *s)
{
  struct h_world stored = { 0 };
  h_work(&s->h);
  h_turn(&s->h);
  naive_copy_blocks(&stored, &s->h);
  naive_check(&s->h, &stored, keys, KEYS);
  h_check_counts(&s->h);
  h_world_fini(&stored);
}

static void write_something(struct script *s)
{
  uint8_t what = ocf_ops_u8(&s->ops);
  const char *key = keys[what % KEYS];
  struct ocf_bytes k = ocf_bytes(key, strlen(key)), v, want = ocf_bytes(&what, 1);
  int err = (what & 4) != 0 ? ocf_merkle_put(s->h.m, s->h.now, k, want)
                            : ocf_merkle_delete(s->h.m, s->h.now, k);
  OCF_ASSERT(err == 0 || err == OCF_ENOMEM);
  s->h.a.fail_at = 0;
  int got = ocf_merkle_get(s->h.m, k, &v, NULL);
  if (err == 0 && (what & 4) != 0)
    OCF_ASSERT(got == 0 && ocf_bytes_eq(v, want));
  if (err == 0 && (what & 4) == 0)
    OCF_ASSERT(got == OCF_ENOENT);
}

/* Answers or fails one fetch. */
static void answer(struct script *s, uint8_t how)
{
  uint8_t cid[OCF_CID_BLOCK_SIZE];
  if (s->h.n_asked == 0)
    return;
  size_t i = ocf_ops_u8(&s->ops) % s->h.n_asked;
  const struct h_block *b = h_find(&s->w, s->h.asked[i]);
  ocf_merkle_cid(s->h.asked[i], cid);
  h_forget(&s->h, cid + CID_HEAD);
  if (b == NULL || how == 1) {
    ocf_merkle_fetch_failed(s->h.m, s->h.now, cid, false);
    return;
  }
  int err = ocf_merkle_block(s->h.m, s->h.now, cid, ocf_bytes(b->p, b->n));
  OCF_ASSERT(err == 0 || err == OCF_ENOMEM || err == OCF_ENOENT);
}

static void turn(struct script *s, bool commit)
{
  struct ocf_merkle_event ev;
  struct ocf_merkle_effect fx;
  while (ocf_merkle_event(s->h.m, &ev))
    ;
  int err = commit ? ocf_merkle_commit(s->h.m, s->h.now) : 0;
  OCF_ASSERT(err == 0 || err == OCF_ENOMEM);
  while (ocf_merkle_effect(s->h.m, s->h.now, &fx))
    if (fx.type != OCF_MERKLE_BROADCAST)
      h_effect(&s->h, &fx);
}

static void op(struct script *s)
{
  uint8_t what = ocf_ops_u8(&s->ops);
  int err = 0;
  s->h.a.fail_at = what >= 0xf0 ? s->h.a.n_calls + 1 + ocf_ops_u8(&s->ops) % 8 : 0;
  switch (what % 12) {
  case 0:
  case 1: make_block(s); break;
  case 2:
  case 3:
    if (s->w.n > 0)
      h_say1(&s->h, any_block(s), what & 16 ? "p" : "");
    break;
  case 4: write_something(s); break;
  case 5:
    s->h.a.fail_at = 0;
    h_restart(&s->h);
    break;
  case 6:
    s->h.now += (uint64_t)ocf_ops_u8(&s->ops) * HS;
    err = ocf_merkle_tick(s->h.m, s->h.now);
    OCF_ASSERT(err == 0 || err == OCF_ENOMEM);
    break;
  case 7:
    s->h.a.fail_at = 0;
    if (s->n_checks++ < CHECKS_MAX)
      check(s);
    break;
  case 8: turn(s, what & 16); break;
  default:
    turn(s, what & 32);
    answer(s, what % 12 == 11 ? 1 : 0);
    break;
  }
  s->h.a.fail_at = 0;
}

static void drop_casts(struct h_node *h)
{
  while (h->n_casts > 0)
    free(h->casts[--h->n_casts].p);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
  static struct script s;
  memset(&s, 0, sizeof(s));
  s.ops = (struct ocf_ops){ p, n };
  h_init(&s.h, ocf_ops_u8(&s.ops));
  s.h.no_table = true;
  s.h.cfg.fetches_max = 6;
  s.h.cfg.per_announcer_max = 3;
  s.h.cfg.active_max = 4;
  s.h.cfg.work_max = 3;
  s.h.cfg.links_max = 3;
  s.h.cfg.ban_failures = UINT32_MAX;
  h_open(&s.h);
  for (int i = 0; i < OPS_MAX && ocf_ops_more(&s.ops); i++) {
    op(&s);
    drop_casts(&s.h);
  }
  /* All that is announced and there is fetched in the end. */
  for (int i = 0; i < 60 && s.h.m->fetches.n + s.h.m->n.incomplete > 0; i++) {
    h_tick(&s.h, 60 * HS);
    h_sync(&s.h, &s.w, i % 3);
    drop_casts(&s.h);
  }
  check(&s);
  OCF_ASSERT(s.h.m->n.incomplete == 0);
  h_free(&s.h);
  h_world_fini(&s.w);
  return 0;
}
