/* The processes' lines. Goal: ready lines and both halves of a request are read, joined by id in
 * either order, and never lost or made up. */
#include "testing/test.h"

#include "app/dev/lines.h"
#include "base/time/time.h"

#define NODE(id)                                                                                   \
  "{\"ts\":\"x\",\"level\":\"info\",\"module\":\"http\",\"msg\":\"request\",\"id\":\"" id          \
  "\",\"method\":\"POST\",\"path\":\"/v1/p2p/12D3/v1/_service/llm/v1/chat/completions\","          \
  "\"status\":200,\"outcome\":\"ok\",\"to\":\"12D3\",\"first_byte_ms\":22.5,\"ms\":1081.25}"
#define MOCK(id)                                                                                   \
  "{\"event\":\"request\",\"id\":\"" id                                                            \
  "\",\"method\":\"POST\",\"path\":\"/v1/chat/completions\","                                      \
  "\"status\":200,\"outcome\":\"finished\",\"model\":\"m\",\"completion_tokens\":54,"              \
  "\"first_token_ms\":20.1,\"tokens_per_s\":48.5,\"ms\":1080}"

static void test_ready_lines_are_read(void **state)
{
  struct ocf_dev_ready r;
  (void)state;
  assert_true(ocf_dev_read_ready("{\"event\":\"ready\",\"peer_id\":\"12D3\",\"http\":\"http://"
                                 "127.0.0.1:1\",\"p2p\":[\"/ip4/a\",\"/ip4/b\"],\"pid\":3}",
                                 &r));
  assert_string_equal(r.peer_id, "12D3");
  assert_string_equal(r.http, "http://127.0.0.1:1");
  assert_string_equal(r.p2p, "/ip4/a");
  assert_true(ocf_dev_read_ready("{\"event\":\"ready\",\"http\":\"h\"}", &r)); /* the mock's */
  assert_string_equal(r.peer_id, "");
}

static void test_other_lines_are_nothing(void **state)
{
  static const char *const lines[] = { "",
                                       "hello",
                                       "{",
                                       "[]",
                                       "{}",
                                       "{\"event\":1}",
                                       "{\"event\":\"x\"}",
                                       "{\"msg\":\"peer connected\"}",
                                       "null",
                                       "{\"msg\":null}" };
  struct ocf_dev_ready ready;
  struct ocf_dev_row row;
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(lines); i++) {
    assert_false(ocf_dev_read_ready(lines[i], &ready));
    assert_false(ocf_dev_read_mock(lines[i], &row));
    assert_false(ocf_dev_read_node(lines[i], &row));
  }
}

static void test_fields_of_a_wrong_type_are_not_there(void **state)
{
  struct ocf_dev_row row;
  (void)state;
  assert_true(ocf_dev_read_node(
      "{\"msg\":\"request\",\"id\":7,\"status\":-5,\"ms\":\"x\",\"to\":null}", &row));
  assert_string_equal(row.id, "");
  assert_int_equal(row.status, 0);
  assert_true(row.ms < 0 && row.first_ms < 0);
}

static void check_joined(const struct ocf_dev_row *row)
{
  assert_string_equal(row->id, "a");
  assert_string_equal(row->to, "12D3");
  assert_string_equal(row->outcome, "ok"); /* the client's side, not the mock's "finished" */
  assert_string_equal(row->model, "m");
  assert_int_equal(row->tokens, 54);
  assert_true(row->first_ms > 22.4 && row->first_ms < 22.6);
  assert_true(row->tokens_per_s > 48.4 && row->tokens_per_s < 48.6);
}

static void test_halves_are_joined_in_either_order(void **state)
{
  static struct ocf_dev_join j;
  struct ocf_dev_row node, mock, other, row;
  (void)state;
  assert_true(ocf_dev_read_node(NODE("a"), &node));
  assert_true(ocf_dev_read_mock(MOCK("a"), &mock));
  assert_true(ocf_dev_read_mock(MOCK("b"), &other));
  memset(&j, 0, sizeof(j));
  assert_false(ocf_dev_join_add(&j, &node, true, false, 1, &row));
  assert_false(ocf_dev_join_add(&j, &other, false, false, 2, &row));
  assert_true(ocf_dev_join_add(&j, &mock, false, false, 3, &row));
  check_joined(&row);
  assert_true(ocf_dev_join_deadline(&j, 10) == OCF_TIME_NEVER); /* b is the mock's: no hurry */
  assert_false(ocf_dev_join_add(&j, &mock, false, false, 4, &row));
  assert_true(ocf_dev_join_add(&j, &node, true, false, 5, &row));
  check_joined(&row);
}

static void test_a_half_without_another_is_told_after_a_while(void **state)
{
  static struct ocf_dev_join j;
  struct ocf_dev_row node, row;
  (void)state;
  assert_true(ocf_dev_read_node(NODE("a"), &node));
  memset(&j, 0, sizeof(j));
  assert_false(ocf_dev_join_add(&j, &node, true, false, 100, &row));
  assert_int_equal(ocf_dev_join_deadline(&j, 10), 110);
  assert_false(ocf_dev_join_late(&j, 109, 10, &row));
  assert_true(ocf_dev_join_late(&j, 110, 10, &row));
  assert_string_equal(row.id, "a");
  assert_string_equal(row.model, "");
  assert_false(ocf_dev_join_late(&j, 1000, 10, &row));             /* once */
  assert_true(ocf_dev_join_add(&j, &node, true, true, 120, &row)); /* alone: at once */
}

static void test_halves_of_the_mock_are_dropped_in_the_end(void **state)
{
  static struct ocf_dev_join j;
  struct ocf_dev_row node, mock, row;
  (void)state;
  assert_true(ocf_dev_read_node(NODE("a"), &node));
  assert_true(ocf_dev_read_mock(MOCK("a"), &mock));
  memset(&j, 0, sizeof(j));
  assert_false(ocf_dev_join_add(&j, &mock, false, false, 0, &row));
  assert_false(ocf_dev_join_late(&j, 499, 10, &row));
  assert_true(j.slot[0].used);
  assert_false(ocf_dev_join_late(&j, 500, 10, &row));
  assert_false(j.slot[0].used);
}

static void test_the_oldest_half_gives_way(void **state)
{
  static struct ocf_dev_join j;
  struct ocf_dev_row node, mock, row;
  (void)state;
  memset(&j, 0, sizeof(j));
  for (unsigned i = 0; i <= OCF_DEV_JOIN_MAX; i++) {
    assert_true(ocf_dev_read_node(NODE("a"), &node));
    (void)snprintf(node.id, sizeof(node.id), "n%u", i);
    assert_false(ocf_dev_join_add(&j, &node, true, false, i, &row));
  }
  assert_true(ocf_dev_read_mock(MOCK("n0"), &mock));
  assert_false(ocf_dev_join_add(&j, &mock, false, false, 999, &row)); /* its half is gone */
  assert_true(ocf_dev_read_mock(MOCK("n2"), &mock));
  assert_true(ocf_dev_join_add(&j, &mock, false, false, 999, &row));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_ready_lines_are_read),
  cmocka_unit_test(test_other_lines_are_nothing),
  cmocka_unit_test(test_fields_of_a_wrong_type_are_not_there),
  cmocka_unit_test(test_halves_are_joined_in_either_order),
  cmocka_unit_test(test_a_half_without_another_is_told_after_a_while),
  cmocka_unit_test(test_halves_of_the_mock_are_dropped_in_the_end),
  cmocka_unit_test(test_the_oldest_half_gives_way),
};
OCF_TEST_MAIN(tests)
