/* One client connection: answers are read in any split, early ones too, and a connection is used
 * again only when nothing is left that could be taken for the next answer.
 *
 * Method: as in server_test.c, transcripts over every split. */
#include "testing/test.h"
#include "testing/oom.h"
#include "testing/split.h"

#include "http/h1/client.h"

static const struct ocf_h1_limits defaults = OCF_H1_LIMITS_DEFAULT;

struct conn {
  struct ocf_alloc a;
  struct ocf_h1_pool pool;
  struct ocf_h1_client c;
  enum ocf_h1_method method;
  char log[512];
  size_t n_log;
  const char *want;
  bool reusable; /* wanted at the end */
};

static void note(struct conn *c, const char *text)
{
  const size_t n = strlen(text);

  assert_true(c->n_log + n < sizeof(c->log));
  memcpy(c->log + c->n_log, text, n + 1);
  c->n_log += n;
}

static void open_conn(struct conn *c)
{
  ocf_alloc_init(&c->a);
  ocf_h1_pool_init(&c->pool, &c->a, 4);
  ocf_h1_client_init(&c->c, &c->pool, &defaults);
  c->n_log = 0;
  c->log[0] = '\0';
}

static void close_conn(struct conn *c)
{
  ocf_h1_client_fini(&c->c);
  ocf_h1_pool_fini(&c->pool);
  assert_int_equal(c->a.live_bytes, 0);
}

static void input(struct conn *c, const uint8_t *p, size_t n)
{
  for (;;) {
    struct ocf_bytes data;
    size_t used;
    char text[64];
    const enum ocf_h1_event ev = ocf_h1_client_input(&c->c, p, n, &used, &data);
    p += used;
    n -= used;
    switch (ev) {
    case OCF_H1_EV_INTERIM:
    case OCF_H1_EV_HEAD:
      (void)snprintf(text, sizeof(text), "%c%u ", ev == OCF_H1_EV_HEAD ? 'H' : 'I',
                     ocf_h1_client_head(&c->c)->status);
      break;
    case OCF_H1_EV_BODY:
      (void)snprintf(text, sizeof(text), "%.*s", (int)data.n, (const char *)data.p);
      break;
    case OCF_H1_EV_END: (void)snprintf(text, sizeof(text), " E "); break;
    case OCF_H1_EV_ERROR:
      (void)snprintf(text, sizeof(text), "err %s", ocf_h1_error_name(c->c.error));
      break;
    case OCF_H1_EV_CLOSE: (void)snprintf(text, sizeof(text), "close"); break;
    case OCF_H1_EV_HOLD: fail_msg("a client holds nothing"); break;
    case OCF_H1_EV_MORE: assert_int_equal(n, 0); return;
    }
    note(c, text);
    if (ev == OCF_H1_EV_ERROR || ev == OCF_H1_EV_CLOSE)
      return;
  }
}

static void input_str(struct conn *c, const char *text)
{
  input(c, (const uint8_t *)text, strlen(text));
}

static void begin(void *ctx)
{
  struct conn *c = ctx;

  open_conn(c);
  assert_int_equal(ocf_h1_client_start(&c->c, c->method, OCF_H1_FRAMING_NONE, 0), 0);
}

static int feed(void *ctx, const uint8_t *p, size_t n)
{
  struct conn *c = ctx;

  if (n > 0)
    input(c, p, n);
  return 0;
}

static void end(void *ctx, int err)
{
  struct conn *c = ctx;

  assert_int_equal(err, 0);
  if (c->c.body.framing == OCF_H1_FRAMING_CLOSE) {
    assert_int_equal(ocf_h1_client_eof(&c->c), OCF_H1_EV_END);
    note(c, " E ");
  }
  if (strcmp(c->log, c->want) != 0)
    fail_msg("got '%s', want '%s'", c->log, c->want);
  assert_int_equal(ocf_h1_client_reusable(&c->c), c->reusable);
  assert_true(c->c.got_bytes);
  close_conn(c);
}

static void test_answers_in_any_split(void **state)
{
  (void)state;
  static const struct {
    enum ocf_h1_method method;
    const char *in, *want;
    bool reusable;
  } rows[] = {
    { OCF_H1_GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "H200 hello E ", true },
    { OCF_H1_GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "H200  E ", true },
    { OCF_H1_GET,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
      "H200 abcde E ", true },
    { OCF_H1_GET, "HTTP/1.1 200 OK\r\n\r\nto the end", "H200 to the end E ", false },
    { OCF_H1_GET, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "H200 ok E ", false },
    { OCF_H1_GET, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
      "H200 ok E ", false },
    { OCF_H1_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "H200  E ", true },
    { OCF_H1_GET, "HTTP/1.1 204 No Content\r\n\r\n", "H204  E ", true },
    { OCF_H1_GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "H304  E ", true },
    { OCF_H1_POST,
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
      "Content-Length: 1\r\n\r\nx",
      "I100 I103 H200 x E ", true },
  };

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct conn c = { .method = rows[i].method,
                      .want = rows[i].want,
                      .reusable = rows[i].reusable };
    const struct ocf_split s = { .ctx = &c, .begin = begin, .feed = feed, .end = end };
    ocf_split_sweep(&s, (const uint8_t *)rows[i].in, strlen(rows[i].in));
  }
}

static void test_a_connection_is_used_again(void **state)
{
  (void)state;
  struct conn c = { .method = OCF_H1_GET };

  open_conn(&c);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ocf_h1_client_phase(&c.c), OCF_H1_PHASE_IDLE);
    assert_int_equal(ocf_h1_client_start(&c.c, OCF_H1_GET, OCF_H1_FRAMING_NONE, 0), 0);
    assert_int_equal(ocf_h1_client_phase(&c.c), OCF_H1_PHASE_HEAD);
    assert_false(c.c.got_bytes);
    assert_int_equal(ocf_h1_client_start(&c.c, OCF_H1_GET, OCF_H1_FRAMING_NONE, 0), OCF_ESTATE);
    input_str(&c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(ocf_h1_client_phase(&c.c), OCF_H1_PHASE_BODY);
    assert_non_null(ocf_h1_client_head(&c.c));
    ocf_h1_client_drop_head(&c.c);
    assert_null(ocf_h1_client_head(&c.c));
    input_str(&c, "ok");
    assert_int_equal(c.pool.n_used, 0);
  }
  assert_int_equal(c.c.n_requests, 3);
  input_str(&c, "x");
  assert_string_equal(c.log, "H200 ok E H200 ok E H200 ok E err unsolicited_bytes");
  assert_false(ocf_h1_client_reusable(&c.c));
  assert_int_equal(ocf_h1_client_phase(&c.c), OCF_H1_PHASE_CLOSED);
  close_conn(&c);
  open_conn(&c);
  input_str(&c, "HTTP/1.1 408 Request Timeout\r\n\r\n");
  assert_string_equal(c.log, "err unsolicited_bytes");
  close_conn(&c);
}

static void test_an_early_answer_loses_nothing(void **state)
{
  (void)state;
  struct conn c = { .method = OCF_H1_POST };
  struct ocf_h1_frame f;

  open_conn(&c); /* answered in full before the request was sent */
  assert_int_equal(ocf_h1_client_start(&c.c, OCF_H1_POST, OCF_H1_FRAMING_LENGTH, 10), 0);
  assert_int_equal(ocf_h1_client_data(&c.c, 4, &f), 0);
  input_str(&c, "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
  assert_string_equal(c.log, "H413 no E ");
  assert_int_equal(ocf_h1_client_phase(&c.c), OCF_H1_PHASE_WAIT);
  assert_false(ocf_h1_client_reusable(&c.c));
  assert_int_equal(ocf_h1_client_start(&c.c, OCF_H1_GET, OCF_H1_FRAMING_NONE, 0), OCF_ESTATE);
  assert_int_equal(ocf_h1_client_data(&c.c, 7, &f), OCF_ELIMIT);
  assert_int_equal(ocf_h1_client_data(&c.c, 6, &f), 0);
  assert_true(ocf_h1_client_reusable(&c.c)); /* once it was sent after all */
  close_conn(&c);

  open_conn(&c);
  assert_int_equal(ocf_h1_client_start(&c.c, OCF_H1_POST, OCF_H1_FRAMING_CHUNKED, 0), 0);
  input_str(&c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assert_false(ocf_h1_client_reusable(&c.c));
  assert_int_equal(ocf_h1_client_data(&c.c, 3, &f), 0);
  assert_int_equal(f.n_pre, 3);
  assert_int_equal(ocf_h1_client_end(&c.c, &f), 0);
  assert_int_equal(f.n_pre, 5);
  assert_true(ocf_h1_client_reusable(&c.c));
  close_conn(&c);
}

static void test_end_of_input_in_every_phase(void **state)
{
  (void)state;
  static const struct {
    const char *in;
    enum ocf_h1_event want;
    bool got;
  } rows[] = {
    { "", OCF_H1_EV_ERROR, false },
    { "HTTP/1.1 2", OCF_H1_EV_ERROR, true },
    { "HTTP/1.1 100 C\r\n\r\n", OCF_H1_EV_ERROR, true },
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", OCF_H1_EV_ERROR, true },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", OCF_H1_EV_ERROR, true },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", OCF_H1_EV_ERROR,
      true },
    { "HTTP/1.1 200 OK\r\n\r\nab", OCF_H1_EV_END, true },
    { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", OCF_H1_EV_CLOSE, true },
  };

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct conn c = { .method = OCF_H1_GET };
    struct ocf_h1_frame f;
    begin(&c);
    input_str(&c, rows[i].in);
    assert_int_equal(ocf_h1_client_eof(&c.c), rows[i].want);
    assert_int_equal(c.c.error == OCF_H1_E_TRUNCATED, rows[i].want == OCF_H1_EV_ERROR);
    assert_int_equal(c.c.got_bytes, rows[i].got);
    assert_false(ocf_h1_client_reusable(&c.c));
    assert_int_equal(ocf_h1_client_eof(&c.c), OCF_H1_EV_CLOSE);
    assert_int_equal(ocf_h1_client_data(&c.c, 1, &f), OCF_ESTATE);
    assert_int_equal(ocf_h1_client_end(&c.c, &f), OCF_ESTATE);
    close_conn(&c);
  }
  struct conn c = { .method = OCF_H1_GET };
  open_conn(&c);
  assert_int_equal(ocf_h1_client_eof(&c.c), OCF_H1_EV_CLOSE);
  close_conn(&c);
}

static void test_words_after_a_goodbye_are_ignored(void **state)
{
  (void)state;
  struct conn c = { .method = OCF_H1_GET };

  begin(&c);
  input_str(
      &c,
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n");
  assert_string_equal(c.log, "H200 ok E close");
  close_conn(&c);
}

static void test_starts_that_make_no_sense(void **state)
{
  (void)state;
  struct conn c = { .method = OCF_H1_GET };

  open_conn(&c);
  assert_int_equal(ocf_h1_client_start(&c.c, OCF_H1_POST, OCF_H1_FRAMING_CLOSE, 0), OCF_EINVAL);
  assert_int_equal(ocf_h1_client_start(&c.c, OCF_H1_CONNECT, OCF_H1_FRAMING_NONE, 0), OCF_EINVAL);
  assert_true(ocf_h1_client_reusable(&c.c));
  close_conn(&c);
}

static int ask(struct ocf_alloc *a, void *ctx)
{
  static char large[5000];
  struct ocf_h1_pool pool;
  struct ocf_h1_client c;
  struct ocf_bytes data;
  size_t used;
  int rc = 0;

  (void)ctx;
  (void)snprintf(large, sizeof(large), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: %04000d\r\n\r\n",
                 0);
  ocf_h1_pool_init(&pool, a, 1);
  ocf_h1_client_init(&c, &pool, &defaults);
  assert_int_equal(ocf_h1_client_start(&c, OCF_H1_GET, OCF_H1_FRAMING_NONE, 0), 0);
  for (size_t at = 0; at < strlen(large) && rc == 0; at += used) {
    const enum ocf_h1_event ev = ocf_h1_client_input(
        &c, (const uint8_t *)large + at, OCF_MIN(strlen(large) - at, (size_t)900), &used, &data);
    if (ev == OCF_H1_EV_ERROR) {
      assert_int_equal(c.error, OCF_H1_E_NO_MEMORY);
      rc = OCF_ENOMEM;
    }
  }
  ocf_h1_client_fini(&c);
  ocf_h1_pool_fini(&pool);
  return rc;
}

static void test_out_of_memory_is_an_error_event(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(ask, NULL) >= 2);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_answers_in_any_split),
  cmocka_unit_test(test_a_connection_is_used_again),
  cmocka_unit_test(test_an_early_answer_loses_nothing),
  cmocka_unit_test(test_end_of_input_in_every_phase),
  cmocka_unit_test(test_words_after_a_goodbye_are_ignored),
  cmocka_unit_test(test_starts_that_make_no_sense),
  cmocka_unit_test(test_out_of_memory_is_an_error_event),
};

OCF_TEST_MAIN(tests)
