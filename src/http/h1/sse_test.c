/* Event streams are understood whatever line ends and cuts they have, and a cut stream ends in an
 * event of its own.
 *
 * Method: literal streams, whole and byte by byte; what is inserted is read back by the watcher. */
#include "testing/test.h"

#include "http/h1/sse.h"

struct seen {
  bool content, boundary, done;
  uint64_t n_events;
};

static struct seen watch(const char *text, size_t step)
{
  struct ocf_h1_sse s;
  struct seen r = { false, false, false, 0 };
  const size_t n = strlen(text);

  ocf_h1_sse_init(&s);
  for (size_t at = 0; at < n; at += step)
    r.content = ocf_h1_sse_feed(&s, (const uint8_t *)text + at, OCF_MIN(step, n - at)) || r.content;
  r.boundary = ocf_h1_sse_at_boundary(&s);
  r.done = s.done;
  r.n_events = s.n_events;
  return r;
}

static void test_streams_in_any_split(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    struct seen want;
  } rows[] = {
    { "", { false, true, false, 0 } },
    { "data: a\n\n", { true, true, false, 1 } },
    { "data: a\r\n\r\n", { true, true, false, 1 } },
    { "data: a\r\r", { true, true, false, 1 } },
    { "data: a\n\r\n", { true, true, false, 1 } },
    { "data: a", { true, false, false, 0 } },
    { "data: a\n", { true, false, false, 0 } },
    { "data: a\r\n", { true, false, false, 0 } },
    { "data: a\n\ndata: b\ndata: c\nevent: x\n\n", { true, true, false, 2 } },
    { ": ping\n\n", { false, true, false, 0 } },
    { ":\n:\n\n\n", { false, true, false, 0 } },
    { ": half a com", { false, false, false, 0 } },
    { "data: a\n\n: ping\n", { true, true, false, 1 } },
    { "data: a\n: ping\n", { true, false, false, 0 } },
    { "\n\n\r\n\r\r", { false, true, false, 0 } },
    { "data: a\n\ndata: [DONE]\n\n", { true, true, true, 2 } },
    { "data:[DONE]\r\n\r\n", { true, true, true, 1 } },
    { "data: [DONE]", { true, false, false, 0 } },
    { "data: [DONE] \n\n", { true, true, false, 1 } },
    { "data: [DONE]x\n\n", { true, true, false, 1 } },
    { ": data: [DONE]\n\n", { false, true, false, 0 } },
    { "data: [DON\n\n", { true, true, false, 1 } },
    { "event: response.failed\nretry: 5\nid: 7\n\n", { true, true, false, 1 } },
  };

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    for (size_t step = 1; step < 20; step++) {
      const struct seen got = watch(rows[i].text, step);
      const struct seen *w = &rows[i].want;
      if (got.content != w->content || got.boundary != w->boundary || got.done != w->done ||
          got.n_events != w->n_events)
        fail_msg("row %zu, step %zu: content %d boundary %d done %d events %d", i, step,
                 got.content, got.boundary, got.done, (int)got.n_events);
    }
  }
}

static void test_a_comment_alone_is_no_sign_of_life(void **state)
{
  (void)state;
  struct ocf_h1_sse s;

  ocf_h1_sse_init(&s);
  assert_true(ocf_h1_sse_feed(&s, (const uint8_t *)"data: a\n\n", 9));
  assert_false(ocf_h1_sse_feed(&s, (const uint8_t *)": keep", 6));
  assert_false(ocf_h1_sse_feed(&s, (const uint8_t *)"-alive\n\n", 8));
  assert_false(ocf_h1_sse_feed(&s, (const uint8_t *)"\r", 1));
  assert_false(ocf_h1_sse_feed(&s, (const uint8_t *)"\n", 1));
  assert_true(ocf_h1_sse_feed(&s, (const uint8_t *)": x\n\nd", 6));
}

static void test_the_error_event_stands_alone(void **state)
{
  (void)state;
  static const char *const before[] = { "",       "data: a\n\n", "data: a\n",   "data: {\"hal",
                                        ": comm", "data: a\r",   "data: a\n: c" };
  const struct ocf_h1_problem p = { .status = 502,
                                    .message = "the worker\nbroke off",
                                    .code = "upstream_cut",
                                    .request_id = OCF_STR("r-1") };
  const char *event = "data: {\"error\":{\"message\":\"the worker\\u000abroke "
                      "off\",\"type\":\"server_error\",\"param\":null,"
                      "\"code\":\"upstream_cut\",\"request_id\":\"r-1\"}}\n\n";

  for (size_t i = 0; i < OCF_ARRAY_LEN(before); i++) {
    uint8_t bytes[512];
    struct ocf_buf b = ocf_h1_fixed(bytes, sizeof(bytes));
    struct ocf_h1_sse s;
    ocf_h1_sse_init(&s);
    (void)ocf_h1_sse_feed(&s, (const uint8_t *)before[i], strlen(before[i]));
    const uint64_t n_before = s.n_events;
    const bool clean = ocf_h1_sse_at_boundary(&s),
               open = s.open || (s.line_n > 0 && s.line[0] != ':');
    assert_int_equal(ocf_h1_sse_error(&b, &s, &p), open ? OCF_ESTATE : 0);
    assert_int_equal(b.n, open ? 0 : strlen(event) + (clean ? 0 : 1));
    if (open) /* a reader would take what it has for a whole event */
      continue;
    assert_memory_equal(b.p + b.n - strlen(event), event, strlen(event));
    assert_true(ocf_h1_sse_feed(&s, b.p, b.n));
    assert_true(ocf_h1_sse_at_boundary(&s) && !s.done);
    assert_int_equal(s.n_events, n_before + 1);
  }
  uint8_t small[64];
  for (size_t cap = 0; cap < sizeof(small); cap++) {
    struct ocf_buf b = ocf_h1_fixed(small, cap);
    assert_int_equal(ocf_h1_sse_error(&b, NULL, &p), OCF_ELIMIT);
    assert_int_equal(b.n, 0);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_streams_in_any_split),
  cmocka_unit_test(test_a_comment_alone_is_no_sign_of_life),
  cmocka_unit_test(test_the_error_event_stands_alone),
};

OCF_TEST_MAIN(tests)
