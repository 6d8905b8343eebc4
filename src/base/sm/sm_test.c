#define _POSIX_C_SOURCE 200809L
#include "base/sm/sm.h"
#include "testing/panic.h"
#include "testing/test.h"

enum { IDLE, BUSY, DONE, N_STATES };

static const struct ocf_sm sm = {
  "demo",
  N_STATES,
  { [IDLE] = { "idle", OCF_SM_TO(BUSY) },
    [BUSY] = { "busy", OCF_SM_TO(BUSY) | OCF_SM_TO(IDLE) | OCF_SM_TO(DONE) },
    [DONE] = { "done", OCF_SM_TO(DONE) } },
};

static void test_only_moves_of_the_table_are_allowed(void **state)
{
  (void)state;
  static const bool want[N_STATES][N_STATES] = { { 0, 1, 0 }, { 1, 1, 1 }, { 0, 0, 1 } };
  for (int from = -1; from <= OCF_SM_STATES_MAX; from++) {
    for (int to = -1; to <= OCF_SM_STATES_MAX; to++) {
      bool inside = from >= 0 && from < N_STATES && to >= 0 && to < N_STATES;
      assert_int_equal(ocf_sm_may(&sm, from, to), inside && want[from][to]);
    }
  }
}

static void test_a_move_changes_the_state(void **state)
{
  (void)state;
  int s = IDLE;
  ocf_sm_move(&sm, &s, BUSY);
  ocf_sm_move(&sm, &s, BUSY);
  ocf_sm_move(&sm, &s, DONE);
  assert_int_equal(s, DONE);
  assert_true(ocf_sm_is_final(&sm, DONE));
  assert_false(ocf_sm_is_final(&sm, IDLE));
}

static void move_wrongly(void *ctx)
{
  int s = IDLE;
  ocf_sm_move(&sm, &s, ctx == NULL ? DONE : 99);
}

static void test_an_illegal_move_ends_the_process_and_names_it(void **state)
{
  (void)state;
  int x = 0;
  ocf_assert_panics(move_wrongly, NULL, "demo may not move from idle to done");
  ocf_assert_panics(move_wrongly, &x, "demo may not move from idle to ?");
}

static void test_states_have_names(void **state)
{
  (void)state;
  assert_string_equal(ocf_sm_name(&sm, BUSY), "busy");
  assert_string_equal(ocf_sm_name(&sm, N_STATES), "?");
  assert_string_equal(ocf_sm_name(&sm, -1), "?");
}

static void test_an_unsound_table_is_found(void **state)
{
  (void)state;
  struct ocf_sm bad = sm;
  assert_true(ocf_sm_check(&sm, IDLE));
  assert_false(ocf_sm_check(&sm, DONE)); /* the others cannot be reached */
  assert_false(ocf_sm_check(&sm, -1));
  bad.states[BUSY].to |= OCF_SM_TO(5);
  assert_false(ocf_sm_check(&bad, IDLE));
  bad = sm;
  bad.states[BUSY].name = NULL;
  assert_false(ocf_sm_check(&bad, IDLE));
  assert_string_equal(ocf_sm_name(&bad, BUSY), "?");
  bad = sm;
  bad.n_states = OCF_SM_STATES_MAX + 1;
  assert_false(ocf_sm_check(&bad, IDLE));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_only_moves_of_the_table_are_allowed),
  cmocka_unit_test(test_a_move_changes_the_state),
  cmocka_unit_test(test_an_illegal_move_ends_the_process_and_names_it),
  cmocka_unit_test(test_states_have_names),
  cmocka_unit_test(test_an_unsound_table_is_found),
};
OCF_TEST_MAIN(tests)
