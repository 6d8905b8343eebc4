/* Histories recorded from go-ds-crdt: an empty replica hears what a Go replica heard, fetches the
 * blocks, and must end with the same map, priorities, heads and heights, elements and tombstones.
 * Blocks come in several orders, and with a restart after every block. */
#include "testing/test.h"

#include "crdt/merkle/merkle_harness.h"
#include "fmt/basex/basex.h"

struct replay {
  const char *name;
  const char *const *says, *const *map, *const *heads, *const *elements, *const *tombs;
  int has_set, dirty;
};
struct history {
  const char *name;
  int all_equal;
  const char *const *blocks;
  const struct replay *replicas;
  size_t n_replicas;
};

#include "tests/vectors/gen/crdt_random.inc"
#include "tests/vectors/gen/crdt_scenarios.inc"

static uint8_t scratch[1 << 20];

static struct ocf_bytes unhex(const char *s, size_t n)
{
  size_t got = 0;
  if (n == 1 && s[0] == '-')
    n = 0;
  assert_int_equal(ocf_basex_decode(OCF_BASEX_HEX, ocf_bytes(s, n), scratch, sizeof(scratch), &got),
                   0);
  return ocf_bytes(scratch, got);
}

static void load(struct h_world *w, const struct history *s)
{
  for (size_t i = 0; s->blocks[i] != NULL; i++)
    (void)h_add_block(w, unhex(s->blocks[i], strlen(s->blocks[i])));
  if (strcmp(s->name, "missing-ancestor") == 0)
    w->b[0].dark = true;
}

/* "B payload" as it was sent, or "H cid cid": a payload is made of them. */
static void say(struct h_node *h, const char *line)
{
  struct ocf_buf buf;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  ocf_buf_init(&buf, &a, 1 << 20);
  if (line[0] == 'B') {
    struct ocf_bytes p = unhex(line + 2, strlen(line + 2));
    assert_int_equal(ocf_buf_add(&buf, p.p, p.n), 0);
  }
  for (const char *p = line + 2; line[0] == 'H' && *p != 0;) {
    size_t n = strcspn(p, " ");
    assert_int_equal(ocf_merkle_heads_add(&buf, unhex(p, n)), 0);
    p += n + (p[n] == ' ');
  }
  int err = ocf_merkle_broadcast(h->m, h->now, ocf_buf_view(&buf), OCF_STR("peer"));
  assert_true(err == 0 || err == OCF_EINVAL);
  ocf_buf_fini(&buf);
}

static bool listed(const char *const *list, const char *line)
{
  for (; *list != NULL; list++)
    if (strcmp(*list, line) == 0)
      return true;
  return false;
}

static size_t length(const char *const *list)
{
  size_t n = 0;
  while (list[n] != NULL)
    n++;
  return n;
}

static char *hex(struct ocf_bytes b, char *dst, size_t cap)
{
  assert_int_equal(ocf_basex_encode(OCF_BASEX_HEX, b, dst, cap, NULL), 0);
  return dst;
}

static bool same_map(struct h_node *h, const struct replay *r)
{
  struct ocf_merkle_cursor c = { .begun = false };
  struct ocf_merkle_row row;
  size_t n = 0;
  for (; ocf_merkle_next(h->m, &c, &row) == 0; n++) {
    static char line[4096], value[2048];
    const char *v = row.value.n == 0 ? "-" : hex(row.value, value, sizeof(value));
    (void)snprintf(line, sizeof(line), "%.*s %s %llu", (int)row.key.n, (const char *)row.key.p, v,
                   (unsigned long long)row.priority);
    if (!listed(r->map, line))
      return false;
  }
  return n == length(r->map);
}

/* Heads, with those that Go adopts before their ancestry is there. */
static bool same_heads(struct h_node *h, const struct replay *r)
{
  struct ocf_merkle_head head;
  char line[128], id[80];
  size_t n = 0;
  int err = ocf_merkle_head_next(h->m, NULL, &head);
  for (; err == 0; err = ocf_merkle_head_next(h->m, &head, &head), n++) {
    (void)snprintf(line, sizeof(line), "%s %llu",
                   hex(ocf_bytes(head.cid + CID_HEAD, ID), id, sizeof(id)),
                   (unsigned long long)head.height);
    if (!listed(r->heads, line))
      return false;
  }
  return n == length(r->heads);
}

/* Whether the store has exactly the elements, live or not, and the tombstones of the record. */
static bool same_set(struct h_node *h, const struct replay *r)
{
  size_t n_live = 0, n_dead = 0;
  for (int tombs = 0; tombs < 2; tombs++) {
    for (const char *const *l = tombs ? r->tombs : r->elements; *l != NULL; l++) {
      const char *id = strchr(*l, ' ') + 1;
      uint8_t kd[ID], bid[ID];
      ocf_merkle_digest(ocf_bytes(*l, (size_t)(id - 1 - *l)), kd);
      if (id[0] == '!')
        ocf_merkle_digest(ocf_bytes(id + 1, strlen(id + 1)), bid);
      else
        memcpy(bid, unhex(id, strlen(id)).p, ID);
      struct row_key e = ocf_merkle_row2('e', kd, bid);
      struct row_key t = ocf_merkle_row_tomb(kd, id[0] == '!', bid);
      struct ocf_bytes v;
      bool dead = ocf_kv_get(h->kv, row_view(&t), &v) == 0;
      bool live = ocf_merkle_has(h->m, &e) == 0;
      if (tombs ? !dead : !(live != dead || (dead && v.p[0] == 1)))
        return false;
      n_dead += (size_t)tombs;
      n_live += !tombs && live;
    }
  }
  struct ocf_merkle_stats st;
  ocf_merkle_stats(h->m, &st);
  return st.elements == n_live && st.tombstones == n_dead;
}

static bool same(struct h_node *h, const struct replay *r)
{
  return same_map(h, r) && same_heads(h, r) && (!r->has_set || same_set(h, r));
}

/* Recorded keys are not cleaned: "k" beside "/k" is one key to us, as it is in Go's store. */
static bool writes_itself(const struct replay *r)
{
  return (r->name[0] == 'r' && r->name[1] >= '0' && r->name[1] <= '9' && r->name[2] == 0) ||
         strcmp(r->name, "restarted") == 0;
}

enum { ORDERS = 4, RESTARTS = 3 /* this order restarts after every block */ };

static void play(struct h_node *h, const struct h_world *w, const struct replay *r, int order)
{
  uint64_t n_blocks = 0;
  for (size_t i = 0; r->says[i] != NULL; i++) {
    say(h, r->says[i]);
    do {
      h_work(h);
      h_turn(h);
      if (order == RESTARTS && h->m->n.blocks > n_blocks) {
        n_blocks = h->m->n.blocks;
        h_restart(h);
        say(h, r->says[i]);
        h_work(h);
        h_turn(h);
      }
    } while (h_answer(h, w, order % 3));
  }
  h_sync(h, w, order % 3);
}

static void fail_fetches(struct h_node *h)
{
  while (h->n_asked > 0) {
    uint8_t cid[OCF_CID_BLOCK_SIZE];
    ocf_merkle_cid(h->asked[0], cid);
    h_forget(h, h->asked[0]);
    ocf_merkle_fetch_failed(h->m, h->now, cid, false);
  }
  h_turn(h);
}

static size_t replay_all(const struct history *all, size_t n)
{
  size_t played = 0;
  for (size_t i = 0; i < n; i++) {
    struct h_world w = { 0 };
    load(&w, &all[i]);
    for (size_t j = 0; j < all[i].n_replicas; j++) {
      const struct replay *r = &all[i].replicas[j];
      if (writes_itself(r))
        continue;
      played++;
      for (int order = 0; order < ORDERS; order++) {
        struct h_node h;
        struct ocf_merkle_stats st;
        h_new(&h, i * 100 + j);
        play(&h, &w, r, order);
        if (strcmp(all[i].name, "priority-not-height") == 0) { /* this one wrote at the end */
          assert_int_equal(ocf_merkle_put(h.m, h.now, OCF_STR("/n"), OCF_STR("1")), 0);
          h_turn(&h);
        }
        fail_fetches(&h);
        bool ok = same(&h, r);
        for (size_t k = 0; !ok && !all[i].all_equal && k < all[i].n_replicas; k++)
          ok = same(&h, &all[i].replicas[k]);
        if (!ok)
          fail_msg("%s, replica %s, order %d: map %d heads %d set %d", all[i].name, r->name, order,
                   same_map(&h, r), same_heads(&h, r), !r->has_set || same_set(&h, r));
        ocf_merkle_stats(h.m, &st);
        assert_int_equal(st.dirty, r->dirty);
        assert_int_equal(st.incomplete, r->dirty ? 1 : 0);
        h_check_rows(&h);
        h_check_counts(&h);
        h_free(&h);
      }
    }
    h_world_fini(&w);
  }
  return played;
}

static void test_scripted_histories_end_as_in_go(void **state)
{
  (void)state;
  assert_int_equal(replay_all(scripted_histories, OCF_ARRAY_LEN(scripted_histories)), 38);
}

static void test_random_histories_end_as_in_go(void **state)
{
  (void)state;
  assert_int_equal(replay_all(random_histories, OCF_ARRAY_LEN(random_histories)), 84);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_scripted_histories_end_as_in_go),
  cmocka_unit_test(test_random_histories_end_as_in_go),
};

OCF_TEST_MAIN(tests)
