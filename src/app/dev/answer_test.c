/* A streamed answer as text. Goal: the same text for any split of the bytes; errors and cuts are
 * told and never taken for an end. */
#include "testing/test.h"

#include "app/dev/answer.h"
#include "base/str/str.h"

static const char stream[] = ": hello\r\n\r\n"
                             "data: "
                             "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                             "\"finish_reason\":null}]}\n\n"
                             "event: x\ndata:{\"choices\":[{\"delta\":{\"content\":\"One "
                             "\\u20ac\"},\"finish_reason\":null}]}\r\n\r\n"
                             "data: {\"choices\":[{\"delta\":{\"content\":\" two\"}}]}\n\n"
                             "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                             "data: {\"choices\":[],\"usage\":{\"completion_tokens\":9}}\n\n"
                             "data: [DONE]\n\n";

struct reader {
  struct ocf_alloc al;
  struct ocf_buf text;
  struct ocf_dev_answer a;
};

static void begin(struct reader *r)
{
  ocf_alloc_init(&r->al);
  ocf_buf_init(&r->text, &r->al, 1 << 16);
  ocf_dev_answer_init(&r->a, &r->al);
}

static void end(struct reader *r)
{
  ocf_dev_answer_fini(&r->a);
  ocf_buf_fini(&r->text);
  assert_int_equal(r->al.live_bytes, 0);
}

static void test_any_split_gives_the_same_text(void **state)
{
  const size_t n = sizeof(stream) - 1;
  (void)state;
  for (size_t cut = 0; cut <= n; cut++) {
    struct reader r;
    begin(&r);
    assert_int_equal(ocf_dev_answer_feed(&r.a, ocf_bytes(stream, cut), &r.text), 0);
    assert_int_equal(ocf_dev_answer_feed(&r.a, ocf_bytes(stream + cut, n - cut), &r.text), 0);
    assert_true(ocf_str_is(ocf_buf_view(&r.text), "One \xe2\x82\xac two"));
    assert_true(r.a.done && r.a.finished);
    assert_int_equal(r.a.n_events, 2);
    assert_int_equal(r.a.n_tokens, 9);
    end(&r);
  }
}

static void test_a_cut_stream_is_not_done(void **state)
{
  const size_t n = sizeof(stream) - 1 - strlen("\n\n"); /* [DONE] without its line's end */
  struct reader r;
  (void)state;
  begin(&r);
  assert_int_equal(ocf_dev_answer_feed(&r.a, ocf_bytes(stream, n), &r.text), 0);
  assert_false(r.a.done);
  end(&r);
}

static void test_an_error_event_fails_with_its_message(void **state)
{
  static const struct {
    const char *in, *error;
  } rows[] = {
    { "data: {\"error\":{\"message\":\"upstream died\",\"code\":\"x\"}}\n\n", "upstream died" },
    { "data: {\"error\":{}}\n\n", "an error event without a message" },
    { "data: nonsense\n\n", "an event that is no JSON object" },
    { "data: [1]\n\n", "an event that is no JSON object" },
    { "data:\n\n", "an event that is no JSON object" },
  };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct reader r;
    begin(&r);
    assert_int_equal(ocf_dev_answer_feed(&r.a, ocf_str(rows[i].in), &r.text), OCF_EPROTO);
    assert_string_equal(r.a.error, rows[i].error);
    end(&r);
  }
}

static void test_a_line_without_end_is_bounded(void **state)
{
  static uint8_t x[4096];
  struct reader r;
  int err = 0;
  (void)state;
  begin(&r);
  memset(x, 'x', sizeof(x));
  for (int i = 0; err == 0 && i < 100; i++)
    err = ocf_dev_answer_feed(&r.a, ocf_bytes(x, sizeof(x)), &r.text);
  assert_int_equal(err, OCF_EPROTO);
  assert_true(r.al.peak_bytes <= 2 * OCF_DEV_LINE_MAX);
  end(&r);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_any_split_gives_the_same_text),
  cmocka_unit_test(test_a_cut_stream_is_not_done),
  cmocka_unit_test(test_an_error_event_fails_with_its_message),
  cmocka_unit_test(test_a_line_without_end_is_bounded),
};
OCF_TEST_MAIN(tests)
