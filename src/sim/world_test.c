/* Goal: the world's clock, order, randomness and trace are exact. Method: events that note when
 * they ran. */
#include "testing/test.h"

#include "sim/world.h"

struct note {
  struct ocf_sim_event e;
  int id;
};

static int order[16];
static size_t n_order;

static void on_note(struct ocf_sim *w, struct ocf_sim_event *e)
{
  (void)w;
  order[n_order++] = OCF_CONTAINER_OF(e, struct note, e)->id;
}

static void test_events_run_in_order_of_time_then_of_scheduling(void **state)
{
  struct ocf_sim w;
  struct note n[5];
  static const uint64_t at[5] = { 30, 10, 20, 10, 0 };
  (void)state;
  ocf_sim_init(&w, 1);
  n_order = 0;
  for (int i = 0; i < 5; i++) {
    n[i] = (struct note){ .e.fn = on_note, .id = i };
    ocf_sim_after(&w, &n[i].e, at[i]);
  }
  ocf_sim_cancel(&w, &n[2].e);
  assert_true(ocf_sim_run(&w, 15));
  assert_int_equal(n_order, 3);
  assert_int_equal(order[0], 4);
  assert_int_equal(order[1], 1);
  assert_int_equal(order[2], 3);
  assert_int_equal(w.now_ns, OCF_SIM_START_NS + 15);
  ocf_sim_at(&w, &n[1].e, 0); /* the past is now */
  assert_true(ocf_sim_step(&w));
  assert_int_equal(w.now_ns, OCF_SIM_START_NS + 15);
  assert_true(ocf_sim_run(&w, 100));
  assert_int_equal(order[4], 0);
  ocf_sim_fini(&w);
  assert_false(w.failed);
}

static void test_the_first_failure_counts_and_stops_the_world(void **state)
{
  struct ocf_sim w;
  struct note n = { .e.fn = on_note };
  (void)state;
  ocf_sim_init(&w, 1);
  ocf_sim_after(&w, &n.e, 5);
  ocf_sim_fail(&w, "one %d", 1);
  ocf_sim_fail(&w, "two");
  assert_string_equal(w.why, "at 0.000000 s: one 1");
  assert_false(ocf_sim_run(&w, 10));
  assert_true(n.e.pending);
  ocf_sim_cancel(&w, &n.e);
}

static void test_what_is_left_at_the_end_is_a_failure(void **state)
{
  struct ocf_sim w;
  struct note n = { .e.fn = on_note };
  (void)state;
  ocf_sim_init(&w, 1);
  ocf_sim_after(&w, &n.e, 5);
  ocf_sim_fini(&w);
  assert_true(w.failed);
  ocf_sim_init(&w, 1);
  void *p = ocf_alloc_get(&w.alloc, 10);
  ocf_sim_fini(&w);
  assert_true(w.failed);
  ocf_alloc_put(&w.alloc, p, 10);
}

static void hash_of(uint64_t seed, uint64_t a, const char *data, uint8_t out[OCF_SHA256_LEN])
{
  struct ocf_sim w;
  ocf_sim_init(&w, seed);
  ocf_sim_trace(&w, OCF_SIM_TRACE_READ, a, 2, data, strlen(data));
  ocf_sim_hash(&w, out);
}

static void test_the_trace_tells_any_difference(void **state)
{
  uint8_t one[OCF_SHA256_LEN], two[OCF_SHA256_LEN];
  char long_one[2000], long_two[2000];
  (void)state;
  hash_of(1, 1, "abc", one);
  hash_of(2, 1, "abc", two); /* the seed alone is no event */
  assert_memory_equal(one, two, sizeof(one));
  hash_of(1, 1, "abd", two);
  assert_memory_not_equal(one, two, sizeof(one));
  hash_of(1, 2, "abc", two);
  assert_memory_not_equal(one, two, sizeof(one));
  memset(long_one, 'a', sizeof(long_one) - 1);
  long_one[sizeof(long_one) - 1] = '\0';
  memcpy(long_two, long_one, sizeof(long_two));
  long_two[sizeof(long_two) - 2] = 'b';
  hash_of(1, 1, long_one, one);
  hash_of(1, 1, long_two, two);
  assert_memory_not_equal(one, two, sizeof(one));
}

static void test_each_purpose_has_a_generator_of_its_own(void **state)
{
  struct ocf_sim w;
  struct ocf_rng a, b, again;
  (void)state;
  ocf_sim_init(&w, 7);
  ocf_sim_rng(&w, 1, &a);
  ocf_sim_rng(&w, 2, &b);
  ocf_sim_rng(&w, 1, &again);
  uint64_t x = ocf_rng_u64(&a);
  assert_int_equal(x, ocf_rng_u64(&again));
  assert_int_not_equal(x, ocf_rng_u64(&b));
  for (int i = 0; i < 1000; i++) {
    uint64_t v = ocf_sim_between(&w, 3, 5);
    assert_true(v >= 3 && v <= 5);
  }
  assert_false(ocf_sim_chance(&w, 0, 10));
  assert_true(ocf_sim_chance(&w, 10, 10));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_events_run_in_order_of_time_then_of_scheduling),
  cmocka_unit_test(test_the_first_failure_counts_and_stops_the_world),
  cmocka_unit_test(test_what_is_left_at_the_end_is_a_failure),
  cmocka_unit_test(test_the_trace_tells_any_difference),
  cmocka_unit_test(test_each_purpose_has_a_generator_of_its_own),
};

OCF_TEST_MAIN(tests)
