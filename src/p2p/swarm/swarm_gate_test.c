/* Goal: the table of who connected of late is bounded, and forgetting never lets in too many.
 * Method: the gates by themselves, with more prefixes than there is room for. */
#include "p2p/swarm/swarm_int.h"
#include "p2p/swarm/swarm_world.h"
#include "testing/test.h"

static struct ocf_ip_addr address(uint32_t i)
{
  return w_ip(11, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 1);
}

static int enter(struct ocf_swarm *sw, uint32_t i)
{
  struct ocf_ip_addr ip = address(i);
  return ocf_swarm_gate_enter(sw, &ip);
}

static void leave(struct ocf_swarm *sw, uint32_t i)
{
  struct ocf_ip_addr ip = address(i);
  ocf_swarm_gate_leave(sw, &ip);
}

static struct world *begin(void)
{
  struct world *w = w_new(1);
  w_start_all(w);
  return w;
}

static void test_idle_prefixes_make_room_the_longest_unused_first(void **state)
{
  (void)state;
  struct world *w = begin();
  struct ocf_swarm *sw = w->n[0].sw;
  for (uint32_t i = 0; i < SWARM_GATES_MAX; i++) {
    assert_int_equal(enter(sw, i), 0);
    leave(sw, i);
  }
  for (uint32_t k = 1; k < w->n[0].cfg.ip_burst; k++) { /* 1 uses up its burst */
    assert_int_equal(enter(sw, 1), 0);
    leave(sw, 1);
  }
  assert_int_equal(enter(sw, 1), OCF_ELIMIT);
  for (uint32_t i = 0; i < 10; i++) {
    assert_int_equal(enter(sw, SWARM_GATES_MAX + i), 0);
    leave(sw, SWARM_GATES_MAX + i);
    assert_int_equal(sw->gates.n, SWARM_GATES_MAX);
  }
  assert_int_equal(enter(sw, 1), OCF_ELIMIT); /* used of late: remembered */
  w_free(w);
}

static void test_a_prefix_with_connections_is_not_forgotten(void **state)
{
  (void)state;
  struct world *w = begin();
  struct ocf_swarm *sw = w->n[0].sw;
  size_t most = w->n[0].cfg.per_ip_max;
  for (size_t k = 0; k < most; k++)
    assert_int_equal(enter(sw, 0), 0);
  for (uint32_t i = 1; i < SWARM_GATES_MAX + 10; i++) {
    assert_int_equal(enter(sw, i), 0);
    leave(sw, i);
  }
  assert_int_equal(sw->gates.n, SWARM_GATES_MAX);
  assert_int_equal(enter(sw, 0), OCF_ELIMIT);
  assert_int_equal(sw->st.refused_ip, 1);
  w_free(w);
}

static void test_without_a_rate_only_the_number_counts(void **state)
{
  (void)state;
  struct world *w = w_new(1);
  w->n[0].cfg.ip_refill_ns = 0;
  w_start_all(w);
  for (uint32_t k = 0; k < 1000; k++) {
    assert_int_equal(enter(w->n[0].sw, 0), 0);
    leave(w->n[0].sw, 0);
  }
  w_free(w);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_idle_prefixes_make_room_the_longest_unused_first),
  cmocka_unit_test(test_a_prefix_with_connections_is_not_forgotten),
  cmocka_unit_test(test_without_a_rate_only_the_number_counts),
};
OCF_TEST_MAIN(tests)
