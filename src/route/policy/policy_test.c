/* Goal: each policy spreads requests as it says, avoids what was tried, and repeats with the seed.
 * Method: snapshots of a small table; counts against what chance allows. */
#include "testing/test.h"

#include "registry/table/table.h"
#include "route/policy/policy.h"
#include "testing/oom.h"

enum { PEERS = 8 };

struct world {
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_table *t;
  struct ocf_snapshot *s;
  struct ocf_policy p;
  struct ocf_inflight f;
  uint32_t rows[PEERS];
  struct ocf_policy_choice c;
};

static struct ocf_peerid peer(unsigned i)
{
  struct ocf_peerid id;
  char key[16];
  int n = snprintf(key, sizeof(key), "peer%u", i);
  ocf_peerid_from_key(ocf_bytes(key, (size_t)n), &id);
  return id;
}

static void put(struct ocf_table *t, unsigned i, bool self)
{
  char key[OCF_PEERID_TEXT_SIZE + 1] = "/", json[300];
  struct ocf_peerid id = peer(i);
  (void)ocf_peerid_text(&id, key + 1);
  int n = snprintf(json, sizeof(json),
                   "{\"id\":\"%s\",\"service\":[{\"name\":\"llm\"},{\"name\":\"tts\"}]}", key + 1);
  struct ocf_bytes v = ocf_bytes(json, (size_t)n);
  if (self) {
    assert_int_equal(ocf_table_set_self(t, 1, &id, v), 0);
    return;
  }
  assert_int_equal(ocf_table_put(t, 1, ocf_bytes(key, strlen(key)), v, 1, NULL), OCF_TABLE_SHOWN);
  assert_int_equal(ocf_table_set_conns(t, 1, &id, 1, 0), 0);
}

/* A new snapshot; every provider of "llm" is a candidate. */
static void publish(struct world *w)
{
  ocf_snapshot_unref(w->s);
  assert_int_equal(ocf_table_publish(w->t, 1), 0);
  w->s = ocf_snapshot_take(ocf_table_slot(w->t));
  w->c.snapshot = w->s;
  w->c.service = ocf_snapshot_service(w->s, OCF_STR("llm"));
  w->c.n = w->c.service->providers.n;
  w->c.rows = w->c.service->providers.rows;
}

static void start(struct world *w, enum ocf_policy_kind kind)
{
  static const uint64_t seed[2] = { 1, 2 };
  struct ocf_table_options opt;
  memset(w, 0, sizeof(*w));
  ocf_alloc_init(&w->a);
  ocf_rng_seed(&w->rng, 21);
  ocf_table_options_default(&opt);
  w->t = ocf_table_new(&w->a, &w->rng, &opt);
  for (unsigned i = 0; i < PEERS; i++)
    put(w->t, i, i == 0);
  ocf_policy_init(&w->p, &w->a, &w->rng, kind);
  ocf_inflight_init(&w->f, &w->a, seed, 64);
  w->c.inflight = &w->f;
  publish(w);
}

static void finish(struct world *w)
{
  ocf_snapshot_unref(w->s);
  ocf_policy_fini(&w->p);
  ocf_inflight_fini(&w->f);
  ocf_table_free(w->t);
  assert_int_equal(w->a.live_bytes, 0);
}

static unsigned pick(struct world *w)
{
  const struct ocf_snapshot_row *r = ocf_policy_pick(&w->p, &w->c);
  assert_non_null(r);
  for (unsigned i = 0; i < PEERS; i++) {
    struct ocf_peerid id = peer(i);
    if (ocf_peerid_eq(&id, &r->peer))
      return i;
  }
  fail_msg("a peer that is no candidate");
  return PEERS;
}

static void test_names_are_those_of_the_option(void **state)
{
  enum ocf_policy_kind k = OCF_POLICY_N_KINDS;
  (void)state;
  for (int i = 0; i < OCF_POLICY_N_KINDS; i++) {
    const char *name = ocf_policy_name((enum ocf_policy_kind)i);
    assert_int_equal(ocf_policy_parse(ocf_bytes(name, strlen(name)), &k), 0);
    assert_int_equal(k, i);
  }
  assert_int_equal(ocf_policy_parse(OCF_STR("shortest-queue"), &k), 0);
  assert_int_equal(ocf_policy_parse(OCF_STR("weighted"), &k), OCF_EINVAL);
  assert_int_equal(k, OCF_POLICY_SHORTEST_QUEUE);
}

static void test_random_is_uniform(void **state)
{
  struct world w;
  unsigned seen[PEERS] = { 0 };
  (void)state;
  start(&w, OCF_POLICY_RANDOM);
  for (unsigned i = 0; i < 8000; i++)
    seen[pick(&w)]++;
  for (unsigned i = 0; i < PEERS; i++) /* 1,000 expected, standard deviation 30 */
    assert_in_range(seen[i], 820, 1180);
  finish(&w);
}

static void test_every_policy_avoids_what_was_tried(void **state)
{
  struct world w;
  (void)state;
  for (int k = 0; k < OCF_POLICY_N_KINDS; k++) {
    struct ocf_peerid tried[PEERS + 1];
    unsigned seen = 0;
    start(&w, (enum ocf_policy_kind)k);
    tried[0] = peer(1000); /* gone from the table meanwhile */
    w.c.tried = tried;
    for (w.c.n_tried = 1; w.c.n_tried <= PEERS; w.c.n_tried++) {
      unsigned i = pick(&w);
      assert_false(seen >> i & 1u);
      seen |= 1u << i;
      tried[w.c.n_tried] = peer(i);
    }
    assert_null(ocf_policy_pick(&w.p, &w.c));
    w.c.n = w.c.n_tried = 0;
    assert_null(ocf_policy_pick(&w.p, &w.c));
    finish(&w);
  }
}

static void test_of_many_tried_the_latest_count(void **state)
{
  struct world w;
  struct ocf_peerid tried[OCF_POLICY_TRIED_MAX + 1];
  (void)state;
  start(&w, OCF_POLICY_ROUND_ROBIN);
  for (unsigned i = 0; i <= OCF_POLICY_TRIED_MAX; i++)
    tried[i] = i == 0 ? peer(0) : peer(i < PEERS ? i : i + 1000);
  w.c.tried = tried;
  w.c.n_tried = OCF_POLICY_TRIED_MAX + 1;
  assert_int_equal(pick(&w), 0); /* forgotten; the others are not */
  finish(&w);
}

static void test_round_robin_takes_turns(void **state)
{
  struct world w;
  unsigned order[PEERS];
  (void)state;
  start(&w, OCF_POLICY_ROUND_ROBIN);
  for (unsigned i = 0; i < PEERS; i++)
    order[i] = pick(&w);
  for (unsigned i = 0; i < 3 * PEERS; i++) {
    assert_int_equal(pick(&w), order[i % PEERS]);
    for (unsigned k = 0; k < i % PEERS; k++)
      assert_int_not_equal(order[k], order[i % PEERS]);
  }
  /* Another service has turns of its own. */
  struct ocf_policy_choice llm = w.c;
  w.c.service = ocf_snapshot_service(w.s, OCF_STR("tts"));
  (void)pick(&w);
  (void)pick(&w);
  w.c = llm;
  assert_int_equal(pick(&w), order[0]);
  finish(&w);
}

static void test_round_robin_goes_on_where_it_was_when_the_table_changes(void **state)
{
  struct world w;
  unsigned order[PEERS];
  (void)state;
  start(&w, OCF_POLICY_ROUND_ROBIN);
  for (unsigned i = 0; i < PEERS; i++)
    order[i] = pick(&w);
  /* The last one chosen goes (or, being ourselves, stays): the one behind it is next. */
  (void)pick(&w);
  (void)pick(&w);
  struct ocf_peerid gone = peer(order[1]);
  assert_int_equal(ocf_table_set_conns(w.t, 1, &gone, 0, 0), 0);
  publish(&w);
  assert_int_equal(pick(&w), order[2]);
  /* It comes back: its turn is where it always was. */
  assert_int_equal(ocf_table_set_conns(w.t, 1, &gone, 1, 0), 0);
  publish(&w);
  assert_int_equal(pick(&w), order[3]);
  for (unsigned i = 4; i < PEERS; i++)
    (void)pick(&w);
  assert_int_equal(pick(&w), order[0]);
  assert_int_equal(pick(&w), order[1]);
  finish(&w);
}

static void test_round_robin_remembers_a_bounded_number_of_services(void **state)
{
  struct world w;
  struct ocf_snapshot_service svc;
  char name[16];
  (void)state;
  start(&w, OCF_POLICY_ROUND_ROBIN);
  svc = *w.c.service;
  w.c.service = &svc;
  for (unsigned i = 0; i < OCF_POLICY_SERVICES_MAX + 50; i++) {
    int n = snprintf(name, sizeof(name), "s%u", i);
    svc.name = ocf_bytes(name, (size_t)n);
    (void)pick(&w);
  }
  assert_int_equal(ocf_lru_count(&w.p.turns), OCF_POLICY_SERVICES_MAX);
  finish(&w);
}

static void test_shortest_queue_prefers_the_less_loaded_then_the_nearer(void **state)
{
  struct world w;
  struct ocf_peerid one = peer(1), two = peer(2);
  uint32_t rows[2];
  (void)state;
  start(&w, OCF_POLICY_SHORTEST_QUEUE);
  ocf_table_set_rtt(w.t, &one, 5000);
  ocf_table_set_rtt(w.t, &two, 4000);
  publish(&w);
  rows[0] = ocf_snapshot_row_number(w.s, ocf_snapshot_find(w.s, &one));
  rows[1] = ocf_snapshot_row_number(w.s, ocf_snapshot_find(w.s, &two));
  w.c.rows = rows;
  w.c.n = 2;
  assert_int_equal(pick(&w), 2); /* equal load: nearer */
  assert_true(ocf_inflight_begin(&w.f, &two));
  assert_int_equal(pick(&w), 1);
  assert_true(ocf_inflight_begin(&w.f, &one));
  assert_int_equal(pick(&w), 2);
  /* What other loops have under way counts when it is more. */
  ocf_table_set_load(w.t, &two, 9);
  publish(&w);
  w.c.rows = rows;
  w.c.n = 2;
  assert_int_equal(pick(&w), 1);
  /* We are near to ourselves; a peer never measured is far. */
  struct ocf_peerid self = peer(0), three = peer(3);
  rows[0] = ocf_snapshot_row_number(w.s, ocf_snapshot_find(w.s, &three));
  rows[1] = ocf_snapshot_row_number(w.s, ocf_snapshot_find(w.s, &self));
  assert_int_equal(pick(&w), 0);
  assert_true(ocf_inflight_begin(&w.f, &self)); /* but not preferred under load */
  assert_int_equal(pick(&w), 3);
  w.c.inflight = NULL;
  assert_int_equal(pick(&w), 0);
  finish(&w);
}

static void test_shortest_queue_levels_the_load(void **state)
{
  struct world w;
  uint32_t least = UINT32_MAX, most = 0;
  (void)state;
  start(&w, OCF_POLICY_SHORTEST_QUEUE);
  for (unsigned i = 0; i < 800; i++) {
    struct ocf_peerid id = peer(pick(&w));
    assert_true(ocf_inflight_begin(&w.f, &id));
  }
  for (unsigned i = 0; i < PEERS; i++) {
    struct ocf_peerid id = peer(i);
    least = OCF_MIN(least, ocf_inflight_get(&w.f, &id));
    most = OCF_MAX(most, ocf_inflight_get(&w.f, &id));
  }
  assert_true(most - least <= 8); /* random would differ by about 30 */
  finish(&w);
}

static void test_equal_ones_have_equal_chances(void **state)
{
  struct world w;
  unsigned seen[PEERS] = { 0 };
  uint32_t rows[OCF_POLICY_FEW];
  (void)state;
  start(&w, OCF_POLICY_SHORTEST_QUEUE);
  for (unsigned i = 0; i < OCF_POLICY_FEW; i++) {
    struct ocf_peerid id = peer(i + 1); /* all idle, and never measured */
    rows[i] = ocf_snapshot_row_number(w.s, ocf_snapshot_find(w.s, &id));
  }
  w.c.rows = rows;
  w.c.n = OCF_POLICY_FEW;
  for (unsigned i = 0; i < 4000; i++)
    seen[pick(&w)]++;
  for (unsigned i = 1; i <= OCF_POLICY_FEW; i++)
    assert_in_range(seen[i], 820, 1180);
  finish(&w);
}

static void test_the_same_seed_makes_the_same_choices(void **state)
{
  struct world a, b;
  (void)state;
  for (int k = 0; k < OCF_POLICY_N_KINDS; k++) {
    start(&a, (enum ocf_policy_kind)k);
    start(&b, (enum ocf_policy_kind)k);
    for (unsigned i = 0; i < 50; i++)
      assert_int_equal(pick(&a), pick(&b));
    finish(&a);
    finish(&b);
  }
}

static void test_the_policy_can_be_changed_while_running(void **state)
{
  struct world w;
  (void)state;
  start(&w, OCF_POLICY_ROUND_ROBIN);
  unsigned first = pick(&w), second = pick(&w);
  ocf_policy_set(&w.p, OCF_POLICY_RANDOM);
  (void)pick(&w);
  ocf_policy_set(&w.p, OCF_POLICY_ROUND_ROBIN);
  for (unsigned i = 2; i < PEERS; i++)
    (void)pick(&w);
  assert_int_equal(pick(&w), first); /* turns were kept */
  assert_int_equal(pick(&w), second);
  finish(&w);
}

static int oom_body(struct ocf_alloc *a, void *ctx)
{
  static const uint64_t seed[2] = { 1, 2 };
  struct world *w = ctx;
  struct ocf_policy p;
  struct ocf_inflight f;
  ocf_policy_init(&p, a, &w->rng, OCF_POLICY_ROUND_ROBIN);
  ocf_inflight_init(&f, a, seed, 4);
  for (unsigned i = 0; i < 6; i++) {
    const struct ocf_snapshot_row *r = ocf_policy_pick(&p, &w->c);
    assert_non_null(r);
    if (ocf_inflight_begin(&f, &r->peer))
      assert_int_equal(ocf_inflight_get(&f, &r->peer), 1);
  }
  ocf_policy_fini(&p);
  ocf_inflight_fini(&f);
  return 0;
}

static void test_without_memory_a_choice_is_made_all_the_same(void **state)
{
  struct world w;
  (void)state;
  start(&w, OCF_POLICY_RANDOM);
  assert_true(ocf_oom_sweep(oom_body, &w) > 4);
  finish(&w);
}

/* ---- requests under way ---- */

static void test_requests_under_way_are_counted_per_peer(void **state)
{
  struct world w;
  struct ocf_peerid one = peer(1), two = peer(2);
  (void)state;
  start(&w, OCF_POLICY_RANDOM);
  assert_int_equal(ocf_inflight_get(&w.f, &one), 0);
  for (unsigned i = 1; i <= 3; i++) {
    assert_true(ocf_inflight_begin(&w.f, &one));
    assert_int_equal(ocf_inflight_get(&w.f, &one), i);
  }
  assert_true(ocf_inflight_begin(&w.f, &two));
  assert_int_equal(w.f.n_total, 4);
  for (unsigned i = 3; i > 0; i--) {
    ocf_inflight_end(&w.f, &one);
    assert_int_equal(ocf_inflight_get(&w.f, &one), i - 1);
  }
  assert_int_equal(w.f.map.n, 1); /* idle peers take no room */
  assert_int_equal(ocf_inflight_get(&w.f, &two), 1);
  finish(&w);
}

static void test_only_so_many_peers_are_counted(void **state)
{
  static const uint64_t seed[2] = { 3, 4 };
  struct ocf_alloc a;
  struct ocf_inflight f;
  struct ocf_peerid one = peer(1), two = peer(2), three = peer(3);
  (void)state;
  ocf_alloc_init(&a);
  ocf_inflight_init(&f, &a, seed, 2);
  assert_true(ocf_inflight_begin(&f, &one));
  assert_true(ocf_inflight_begin(&f, &two));
  assert_false(ocf_inflight_begin(&f, &three));
  assert_int_equal(f.n_uncounted, 1);
  assert_true(ocf_inflight_begin(&f, &one));
  ocf_inflight_end(&f, &two);
  assert_true(ocf_inflight_begin(&f, &three));
  ocf_inflight_fini(&f);
  assert_int_equal(a.live_bytes, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_names_are_those_of_the_option),
    cmocka_unit_test(test_random_is_uniform),
    cmocka_unit_test(test_every_policy_avoids_what_was_tried),
    cmocka_unit_test(test_of_many_tried_the_latest_count),
    cmocka_unit_test(test_round_robin_takes_turns),
    cmocka_unit_test(test_round_robin_goes_on_where_it_was_when_the_table_changes),
    cmocka_unit_test(test_round_robin_remembers_a_bounded_number_of_services),
    cmocka_unit_test(test_shortest_queue_prefers_the_less_loaded_then_the_nearer),
    cmocka_unit_test(test_shortest_queue_levels_the_load),
    cmocka_unit_test(test_equal_ones_have_equal_chances),
    cmocka_unit_test(test_the_same_seed_makes_the_same_choices),
    cmocka_unit_test(test_the_policy_can_be_changed_while_running),
    cmocka_unit_test(test_without_memory_a_choice_is_made_all_the_same),
    cmocka_unit_test(test_requests_under_way_are_counted_per_peer),
    cmocka_unit_test(test_only_so_many_peers_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
