/* One server connection: requests come out in order, answers are framed for the client that asked,
 * and a connection goes on only where both sides agree on the next byte.
 *
 * Method: scripts of bytes in and calls out, written down as a transcript; every transcript is held
 * for every split of the input. */
#include "testing/test.h"
#include "testing/oom.h"
#include "testing/split.h"

#include "http/h1/server.h"

static struct ocf_h1_limits defaults = OCF_H1_LIMITS_DEFAULT;

struct conn {
  struct ocf_alloc a;
  struct ocf_h1_pool pool;
  struct ocf_h1_server s;
  uint8_t held[1024];
  size_t n_held;
  char log[1024]; /* "H <path>", "B<bytes>" (runs of body are joined), "E", "err <code>", "close" */
  size_t n_log;
  bool answers; /* answer every request with 200 and no body as soon as it is complete */
  const char *want;
};

static void note(struct conn *c, const char *text, size_t n)
{
  assert_true(c->n_log + n < sizeof(c->log));
  memcpy(c->log + c->n_log, text, n);
  c->n_log += n;
  c->log[c->n_log] = '\0';
}

static void open_conn(struct conn *c)
{
  ocf_alloc_init(&c->a);
  ocf_h1_pool_init(&c->pool, &c->a, 4);
  ocf_h1_server_init(&c->s, &c->pool, &defaults);
  c->n_held = c->n_log = 0;
  c->log[0] = '\0';
}

static void close_conn(struct conn *c)
{
  ocf_h1_server_fini(&c->s);
  ocf_h1_pool_fini(&c->pool);
  assert_int_equal(c->a.live_bytes, 0);
}

static int respond(struct conn *c, unsigned status, enum ocf_h1_framing framing, uint64_t length,
                   struct ocf_h1_rewrite *rw)
{
  *rw = (struct ocf_h1_rewrite){ 0 };
  return ocf_h1_server_respond(&c->s, status, framing, length, rw);
}

static void answer_empty(struct conn *c)
{
  struct ocf_h1_rewrite rw;
  struct ocf_h1_frame f;

  assert_int_equal(respond(c, 200, OCF_H1_FRAMING_NONE, 0, &rw), 0);
  assert_int_equal(rw.framing, OCF_H1_FRAMING_LENGTH);
  assert_int_equal(ocf_h1_server_end(&c->s, &f), 0);
}

static bool one_event(struct conn *c, const uint8_t **p, size_t *n)
{
  struct ocf_bytes data;
  size_t used;
  const enum ocf_h1_event ev = ocf_h1_server_input(&c->s, *p, *n, &used, &data);

  *p += used;
  *n -= used;
  switch (ev) {
  case OCF_H1_EV_HEAD: {
    const struct ocf_h1_head *h = ocf_h1_server_head(&c->s);
    note(c, "H ", 2);
    note(c, (const char *)h->path.p, h->path.n);
    note(c, h->framing == OCF_H1_FRAMING_NONE ? "\n" : "\nB",
         h->framing == OCF_H1_FRAMING_NONE ? 1 : 2);
    return true;
  }
  case OCF_H1_EV_BODY: note(c, (const char *)data.p, data.n); return true;
  case OCF_H1_EV_END:
    note(c, "E\n", 2);
    if (c->answers)
      answer_empty(c);
    return true;
  case OCF_H1_EV_ERROR: {
    const char *code = ocf_h1_error_name(c->s.error);
    note(c, "err ", 4);
    note(c, code, strlen(code));
    return false;
  }
  case OCF_H1_EV_CLOSE: note(c, "close", 5); return false;
  case OCF_H1_EV_HOLD:
    memcpy(c->held, *p, *n);
    c->n_held = *n;
    return false;
  case OCF_H1_EV_MORE:
  case OCF_H1_EV_INTERIM: break;
  }
  assert_int_equal(ev, OCF_H1_EV_MORE);
  assert_int_equal(*n, 0);
  return false;
}

static void input(struct conn *c, const void *bytes, size_t n)
{
  const uint8_t *p = bytes;

  while (one_event(c, &p, &n))
    ;
}

static void input_str(struct conn *c, const char *text)
{
  input(c, text, strlen(text));
}

static void begin(void *ctx)
{
  open_conn(ctx);
}

static int feed(void *ctx, const uint8_t *p, size_t n)
{
  struct conn *c = ctx;

  if (n > 0 && !ocf_h1_server_closing(&c->s))
    input(c, p, n);
  return 0;
}

static void end(void *ctx, int err)
{
  struct conn *c = ctx;

  assert_int_equal(err, 0);
  if (strcmp(c->log, c->want) != 0)
    fail_msg("got:\n%s\nwant:\n%s", c->log, c->want);
  close_conn(c);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void test_pipelined_requests_come_in_order_in_any_split(void **state)
{
  (void)state;
  struct conn c = { .answers = true };
  const struct ocf_split s = { .ctx = &c, .begin = begin, .feed = feed, .end = end };
  const char *in =
      GET("/1") "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\r\n" GET(
          "/3") "POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                "chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n"
                "GET /5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nPOST /6 HTTP/1.1\r\nHost: "
                "a\r\nContent-Length: 0\r\n\r\n" GET("/7") "nonsense\r\n\r\n";
  c.want =
      "H /1\nE\nH /2\nBhelloE\nH /3\nE\nH /4\nBabcdeE\nH /5\nE\nH /6\nBE\nH /7\nE\nerr bad_method";

  ocf_split_sweep(&s, (const uint8_t *)in, strlen(in));
}

static void test_the_next_request_waits_for_the_answer(void **state)
{
  (void)state;
  struct conn c = { .answers = false };
  struct ocf_h1_rewrite rw;
  struct ocf_h1_frame f;

  open_conn(&c);
  input_str(&c, GET("/1") GET("/2"));
  assert_string_equal(c.log, "H /1\nE\n");
  assert_int_equal(c.n_held, strlen(GET("/2")));
  assert_int_equal(ocf_h1_server_phase(&c.s), OCF_H1_PHASE_WAIT);
  assert_int_equal(respond(&c, 200, OCF_H1_FRAMING_LENGTH, 3, &rw), 0);
  assert_true(ocf_h1_server_answering(&c.s));
  assert_int_equal(respond(&c, 200, OCF_H1_FRAMING_LENGTH, 3, &rw), OCF_ESTATE);
  assert_int_equal(ocf_h1_server_end(&c.s, &f), OCF_ESTATE); /* three bytes are owed */
  assert_int_equal(ocf_h1_server_data(&c.s, 4, &f), OCF_ELIMIT);
  assert_int_equal(ocf_h1_server_data(&c.s, 3, &f), 0);
  assert_int_equal(ocf_h1_server_end(&c.s, &f), 0);
  assert_int_equal(ocf_h1_server_phase(&c.s), OCF_H1_PHASE_IDLE);
  assert_int_equal(c.pool.n_used, 0);
  assert_int_equal(respond(&c, 200, OCF_H1_FRAMING_NONE, 0, &rw), OCF_ESTATE);
  input(&c, c.held, c.n_held);
  assert_string_equal(c.log, "H /1\nE\nH /2\nE\n");
  assert_int_equal(c.s.n_requests, 2);
  close_conn(&c);
}

static void test_answers_are_framed_for_the_client(void **state)
{
  (void)state;
  enum {
    N = OCF_H1_FRAMING_NONE,
    L = OCF_H1_FRAMING_LENGTH,
    C = OCF_H1_FRAMING_CHUNKED,
    U = OCF_H1_FRAMING_CLOSE
  };
  enum { D = OCF_H1_CONN_DEFAULT, X = OCF_H1_CONN_CLOSE, K = OCF_H1_CONN_KEEP_ALIVE };
  static const char *const g11 = GET("/"), *const h11 = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
                           *const g10 = "GET / HTTP/1.0\r\n\r\n",
                           *const k10 = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                           *const x11 = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const struct {
    const char *in;
    unsigned status;
    int have, framing;
    uint64_t length;
    int connection;
    bool drop;
  } rows[] = {
    { g11, 200, L, L, 5, D, false }, { g11, 200, C, C, 0, D, false },
    { g11, 200, U, C, 0, D, false }, { g11, 200, N, L, 0, D, false },
    { g11, 204, N, N, 0, D, true },  { g11, 204, L, N, 5, D, true },
    { g11, 204, C, N, 0, D, true },  { g11, 304, L, L, 5, D, true },
    { g11, 304, N, N, 0, D, true },  { g11, 304, C, N, 0, D, true },
    { h11, 200, L, L, 5, D, true },  { h11, 200, C, N, 0, D, true },
    { h11, 200, N, N, 0, D, true },  { g10, 200, L, L, 5, X, false },
    { g10, 200, C, U, 0, X, false }, { k10, 200, L, L, 5, K, false },
    { k10, 200, C, U, 0, X, false }, { k10, 200, U, U, 0, X, false },
    { x11, 200, L, L, 5, X, false }, { x11, 200, C, C, 0, X, false },
    { g11, 404, L, L, 5, D, false },
  };

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct conn c = { .answers = false };
    struct ocf_h1_rewrite rw;
    struct ocf_h1_frame f;
    open_conn(&c);
    input_str(&c, rows[i].in);
    assert_int_equal(
        respond(&c, rows[i].status, (enum ocf_h1_framing)rows[i].have, rows[i].length, &rw), 0);
    if ((int)rw.framing != rows[i].framing || (int)rw.connection != rows[i].connection)
      fail_msg("row %zu: framing %d, connection %d", i, (int)rw.framing, (int)rw.connection);
    assert_true(rw.framing != OCF_H1_FRAMING_LENGTH || rw.content_length == rows[i].length);
    assert_int_equal(ocf_h1_server_data(&c.s, rows[i].length, &f), 0);
    assert_int_equal(f.drop_payload, rows[i].drop);
    assert_int_equal(ocf_h1_server_end(&c.s, &f), 0);
    assert_int_equal(f.n_pre, rows[i].framing == C ? 5 : 0);
    assert_int_equal(ocf_h1_server_closing(&c.s), rows[i].connection == X);
    close_conn(&c);
  }
}

static void test_status_below_200_is_no_answer(void **state)
{
  (void)state;
  struct conn c = { .answers = false };
  struct ocf_h1_rewrite rw;

  open_conn(&c);
  assert_int_equal(respond(&c, 200, OCF_H1_FRAMING_NONE, 0, &rw), OCF_ESTATE);
  input_str(&c, GET("/"));
  assert_int_equal(respond(&c, 100, OCF_H1_FRAMING_NONE, 0, &rw), OCF_ESTATE);
  assert_int_equal(respond(&c, 600, OCF_H1_FRAMING_NONE, 0, &rw), OCF_ESTATE);
  close_conn(&c);
}

#define EXPECT "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"

static void test_expect_100_continue(void **state)
{
  (void)state;
  struct conn c = { .answers = false };
  struct ocf_h1_rewrite rw;
  struct ocf_h1_frame f;

  open_conn(&c); /* told to go on */
  input_str(&c, EXPECT);
  assert_true(ocf_h1_server_take_continue(&c.s));
  assert_false(ocf_h1_server_take_continue(&c.s));
  input_str(&c, "abc");
  assert_string_equal(c.log, "H /e\nBabcE\n");
  answer_empty(&c);
  assert_false(ocf_h1_server_closing(&c.s));
  close_conn(&c);

  open_conn(&c); /* a body that comes unasked makes 100 pointless */
  input_str(&c, EXPECT "a");
  assert_false(ocf_h1_server_take_continue(&c.s));
  input_str(&c, "bc");
  answer_empty(&c);
  assert_false(ocf_h1_server_closing(&c.s));
  close_conn(&c);

  open_conn(&c); /* refused without 100: the next bytes may be body or request */
  input_str(&c, EXPECT);
  assert_int_equal(respond(&c, 413, OCF_H1_FRAMING_NONE, 0, &rw), 0);
  assert_false(ocf_h1_server_take_continue(&c.s));
  assert_int_equal(rw.connection, OCF_H1_CONN_CLOSE);
  assert_int_equal(ocf_h1_server_end(&c.s, &f), 0);
  assert_true(ocf_h1_server_closing(&c.s));
  input_str(&c, GET("/smuggled"));
  assert_string_equal(c.log, "H /e\nBclose");
  close_conn(&c);
}

static void test_an_unread_body_is_drained_or_the_connection_closes(void **state)
{
  (void)state;
  struct conn c = { .answers = false };

  open_conn(&c); /* small: read away, and the next request is found behind it */
  input_str(&c, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\nGET /no HTTP/1.1");
  answer_empty(&c);
  assert_int_equal(ocf_h1_server_phase(&c.s), OCF_H1_PHASE_DRAIN);
  assert_int_equal(c.pool.n_used, 0);
  c.n_log = 0;
  input_str(&c, "\r\nHost: b\r\n\r\n12345678901" GET("/2"));
  assert_string_equal(c.log, "H /2\nE\n");
  close_conn(&c);

  open_conn(&c); /* the same, cut right behind the body */
  input_str(&c, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
  answer_empty(&c);
  c.n_log = 0;
  input_str(&c, "1234");
  assert_int_equal(ocf_h1_server_phase(&c.s), OCF_H1_PHASE_IDLE);
  input_str(&c, GET("/2"));
  assert_string_equal(c.log, "H /2\nE\n");
  close_conn(&c);

  open_conn(&c); /* announced as too long to drain */
  input_str(&c, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n");
  answer_empty(&c);
  assert_true(ocf_h1_server_closing(&c.s));
  close_conn(&c);

  open_conn(&c); /* chunked: nobody knows how much is left, so no next request is promised */
  input_str(&c, "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  struct ocf_h1_rewrite rw = { .status = 0 };
  assert_int_equal(ocf_h1_server_respond(&c.s, 200, OCF_H1_FRAMING_LENGTH, 0, &rw), 0);
  assert_int_equal(rw.connection, OCF_H1_CONN_CLOSE);
  struct ocf_h1_frame f;
  assert_int_equal(ocf_h1_server_end(&c.s, &f), 0);
  assert_true(ocf_h1_server_closing(&c.s));
  close_conn(&c);
}

static void test_body_limit(void **state)
{
  (void)state;
  struct conn c = { .answers = true };

  defaults.body_bytes_max = 4;
  open_conn(&c);
  input_str(&c, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd"
                "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde");
  assert_string_equal(c.log, "H /1\nBabcdE\nerr body_too_large");
  assert_int_equal(ocf_h1_error_status(c.s.error), 413);
  answer_empty(&c);
  assert_true(ocf_h1_server_closing(&c.s));
  close_conn(&c);
  open_conn(&c);
  input_str(&c, "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
                "chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n");
  assert_string_equal(c.log, "H /1\nBaberr body_too_large");
  close_conn(&c);
  defaults.body_bytes_max = 0;
}

static void test_errors_are_answered_once_and_close(void **state)
{
  (void)state;
  struct conn c = { .answers = false };
  struct ocf_h1_rewrite rw;
  struct ocf_h1_frame f;

  open_conn(&c);
  input_str(&c, "GET / HTTP/1.1\r\n\r\n");
  assert_string_equal(c.log, "err host_missing");
  assert_null(ocf_h1_server_head(&c.s));
  assert_false(ocf_h1_server_closing(&c.s));
  assert_int_equal(ocf_h1_server_phase(&c.s), OCF_H1_PHASE_WAIT);
  assert_int_equal(respond(&c, 400, OCF_H1_FRAMING_LENGTH, 2, &rw), 0);
  assert_int_equal(rw.connection, OCF_H1_CONN_CLOSE);
  assert_int_equal(ocf_h1_server_data(&c.s, 2, &f), 0);
  assert_int_equal(ocf_h1_server_end(&c.s, &f), 0);
  assert_true(ocf_h1_server_closing(&c.s));
  assert_int_equal(ocf_h1_server_phase(&c.s), OCF_H1_PHASE_CLOSED);
  close_conn(&c);

  open_conn(&c); /* in a body, after the answer has begun: only abort is left */
  input_str(&c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  assert_int_equal(respond(&c, 200, OCF_H1_FRAMING_CHUNKED, 0, &rw), 0);
  input_str(&c, "x\r\n");
  assert_int_equal(respond(&c, 400, OCF_H1_FRAMING_LENGTH, 2, &rw), OCF_ESTATE);
  assert_false(ocf_h1_server_abort(&c.s));
  assert_true(ocf_h1_server_closing(&c.s));
  assert_int_equal(ocf_h1_server_data(&c.s, 1, &f), OCF_ESTATE);
  assert_int_equal(ocf_h1_server_end(&c.s, &f), OCF_ESTATE);
  close_conn(&c);
}

static void test_abort_says_when_only_a_reset_shows_it(void **state)
{
  (void)state;
  static const struct {
    const char *in;
    enum ocf_h1_framing framing;
    bool reset;
  } rows[] = { { GET("/"), OCF_H1_FRAMING_CHUNKED, false },
               { GET("/"), OCF_H1_FRAMING_LENGTH, false },
               { "GET / HTTP/1.0\r\n\r\n", OCF_H1_FRAMING_CHUNKED, true },
               { "HEAD / HTTP/1.0\r\n\r\n", OCF_H1_FRAMING_CHUNKED, false } };

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct conn c = { .answers = false };
    struct ocf_h1_rewrite rw;
    open_conn(&c);
    input_str(&c, rows[i].in);
    assert_int_equal(respond(&c, 200, rows[i].framing, 9, &rw), 0);
    assert_int_equal(ocf_h1_server_abort(&c.s), rows[i].reset);
    assert_true(ocf_h1_server_closing(&c.s));
    close_conn(&c);
  }
}

static void test_end_of_input_in_every_phase(void **state)
{
  (void)state;
  static const struct {
    const char *in;
    int want;
  } rows[] = {
    { "", 0 },
    { "GET", OCF_EEOF },
    { GET("/"), OCF_EAGAIN },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", OCF_EEOF },
    { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", OCF_EAGAIN },
    { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", OCF_EEOF },
  };

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct conn c = { .answers = false };
    open_conn(&c);
    input_str(&c, rows[i].in);
    assert_int_equal(ocf_h1_server_eof(&c.s), rows[i].want);
    if (rows[i].want == OCF_EAGAIN) {
      answer_empty(&c);
    } else if (rows[i].want == OCF_EEOF) {
      assert_int_equal(c.s.error, OCF_H1_E_TRUNCATED);
    }
    assert_true(ocf_h1_server_closing(&c.s));
    assert_int_equal(ocf_h1_server_eof(&c.s), 0);
    close_conn(&c);
  }
  struct conn c = { .answers = false }; /* while draining, and with END not yet pulled */
  struct ocf_bytes data;
  size_t used;
  open_conn(&c);
  input_str(&c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
  answer_empty(&c);
  assert_int_equal(ocf_h1_server_eof(&c.s), 0);
  close_conn(&c);
  open_conn(&c);
  assert_int_equal(
      ocf_h1_server_input(&c.s, (const uint8_t *)GET("/"), strlen(GET("/")), &used, &data),
      OCF_H1_EV_HEAD);
  assert_int_equal(ocf_h1_server_phase(&c.s), OCF_H1_PHASE_WAIT);
  assert_int_equal(ocf_h1_server_eof(&c.s), OCF_EAGAIN);
  close_conn(&c);
}

static void test_close_after(void **state)
{
  (void)state;
  struct conn c = { .answers = false };
  struct ocf_h1_rewrite rw;
  struct ocf_h1_frame f;

  open_conn(&c); /* idle: at once */
  ocf_h1_server_close_after(&c.s);
  assert_true(ocf_h1_server_closing(&c.s));
  close_conn(&c);
  open_conn(&c); /* in a head: that request is still served */
  input_str(&c, "GET / HT");
  assert_int_equal(ocf_h1_server_phase(&c.s), OCF_H1_PHASE_HEAD);
  ocf_h1_server_close_after(&c.s);
  input_str(&c, "TP/1.1\r\nHost: a\r\n\r\n");
  assert_int_equal(respond(&c, 200, OCF_H1_FRAMING_NONE, 0, &rw), 0);
  assert_int_equal(rw.connection, OCF_H1_CONN_CLOSE);
  assert_int_equal(ocf_h1_server_end(&c.s, &f), 0);
  assert_true(ocf_h1_server_closing(&c.s));
  close_conn(&c);
  open_conn(&c); /* in an answer: after it */
  input_str(&c, GET("/"));
  assert_int_equal(respond(&c, 200, OCF_H1_FRAMING_CHUNKED, 0, &rw), 0);
  ocf_h1_server_close_after(&c.s);
  assert_int_equal(ocf_h1_server_data(&c.s, 9, &f), 0);
  assert_int_equal(ocf_h1_server_end(&c.s, &f), 0);
  assert_true(ocf_h1_server_closing(&c.s));
  close_conn(&c);
  open_conn(&c); /* draining: at once */
  input_str(&c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
  answer_empty(&c);
  ocf_h1_server_close_after(&c.s);
  assert_true(ocf_h1_server_closing(&c.s));
  close_conn(&c);
}

static void test_an_idle_connection_holds_no_memory_and_a_busy_one_allocates_once(void **state)
{
  (void)state;
  struct conn c = { .answers = true };

  open_conn(&c);
  input_str(&c, GET("/"));
  const uint64_t calls = c.a.n_calls;
  for (int i = 0; i < 100; i++) {
    c.n_log = 0;
    input_str(&c, GET("/a"));
    input_str(&c, "GET / HTTP/1.1\r\nHo");
    input_str(&c, "st: a\r\n\r\n");
  }
  assert_true(c.a.n_calls == calls);
  assert_int_equal(c.pool.n_used, 0);
  assert_true(c.a.live_bytes <= OCF_H1_BLOCK_SIZE);
  close_conn(&c);
  open_conn(&c);
  c.answers = false;
  input_str(&c, GET("/"));
  assert_non_null(ocf_h1_server_head(&c.s));
  ocf_h1_server_drop_head(&c.s);
  assert_null(ocf_h1_server_head(&c.s));
  assert_int_equal(c.pool.n_used, 0);
  answer_empty(&c);
  close_conn(&c);
}

static void test_a_large_head_in_small_pieces(void **state)
{
  (void)state;
  static char text[32768];
  struct conn c = { .answers = true };
  const size_t n_start = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: ");

  memset(text + n_start, 'x', sizeof(text) - n_start);
  memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
  for (size_t step = 1; step < 3000; step = 3 * step + 1) {
    open_conn(&c);
    for (size_t at = 0; at < sizeof(text); at += step)
      input(&c, text + at, OCF_MIN(step, sizeof(text) - at));
    assert_string_equal(c.log, "H /\nE\n");
    assert_true(c.a.n_calls < 16);
    assert_true(c.a.peak_bytes < 2 * 65536 + OCF_H1_BLOCK_SIZE);
    close_conn(&c);
  }
}

static int serve(struct ocf_alloc *a, void *ctx)
{
  static char large[5000];
  struct ocf_h1_pool pool;
  struct ocf_h1_server s;
  struct ocf_bytes data;
  size_t used;
  int rc = 0;

  (void)ctx;
  (void)snprintf(large, sizeof(large), "GET /%04000d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
  ocf_h1_pool_init(&pool, a, 1);
  ocf_h1_server_init(&s, &pool, &defaults);
  for (size_t at = 0; at < strlen(large) && rc == 0; at += used) {
    const enum ocf_h1_event ev = ocf_h1_server_input(
        &s, (const uint8_t *)large + at, OCF_MIN(strlen(large) - at, (size_t)900), &used, &data);
    if (ev == OCF_H1_EV_ERROR) {
      assert_int_equal(s.error, OCF_H1_E_NO_MEMORY);
      rc = OCF_ENOMEM;
    }
  }
  ocf_h1_server_fini(&s);
  ocf_h1_server_init(&s, &pool, &defaults);
  if (rc == 0 && ocf_h1_server_input(&s, (const uint8_t *)large, strlen(large), &used, &data) !=
                     OCF_H1_EV_HEAD)
    rc = OCF_ENOMEM;
  ocf_h1_server_fini(&s);
  ocf_h1_pool_fini(&pool);
  return rc;
}

static void test_out_of_memory_is_an_error_event(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(serve, NULL) >= 3);
}

static void test_the_pool_keeps_no_more_than_it_may(void **state)
{
  (void)state;
  enum { N = 5, KEPT = 2 };
  struct ocf_alloc a;
  struct ocf_h1_pool pool;
  struct ocf_h1_block *b[N];
  static const uint8_t text[OCF_H1_BLOCK_SIZE];

  ocf_alloc_init(&a);
  ocf_h1_pool_init(&pool, &a, KEPT);
  for (size_t i = 0; i < N; i++) {
    b[i] = ocf_h1_block_get(&pool);
    assert_non_null(b[i]);
  }
  assert_int_equal(ocf_h1_block_add(&pool, &b[0], text, sizeof(text), sizeof(text) - 1),
                   OCF_ELIMIT);
  assert_int_equal(ocf_h1_block_add(&pool, &b[0], text, sizeof(text), sizeof(text)), 0);
  for (size_t i = 0; i < N; i++)
    ocf_h1_block_put(&pool, b[i]);
  assert_int_equal(pool.n_free, KEPT);
  assert_true(a.live_bytes <= KEPT * OCF_H1_BLOCK_SIZE); /* and none that has grown */
  ocf_h1_pool_trim(&pool, true); /* those that are left were in use a moment ago */
  assert_int_equal(pool.n_free, KEPT);
  ocf_h1_block_put(&pool, ocf_h1_block_get(&pool));
  ocf_h1_pool_trim(&pool, true);
  assert_int_equal(pool.n_free, 1);
  ocf_h1_pool_trim(&pool, true);
  assert_int_equal(a.live_bytes, 0);
  ocf_h1_pool_fini(&pool);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_the_pool_keeps_no_more_than_it_may),
  cmocka_unit_test(test_pipelined_requests_come_in_order_in_any_split),
  cmocka_unit_test(test_the_next_request_waits_for_the_answer),
  cmocka_unit_test(test_answers_are_framed_for_the_client),
  cmocka_unit_test(test_status_below_200_is_no_answer),
  cmocka_unit_test(test_expect_100_continue),
  cmocka_unit_test(test_an_unread_body_is_drained_or_the_connection_closes),
  cmocka_unit_test(test_body_limit),
  cmocka_unit_test(test_errors_are_answered_once_and_close),
  cmocka_unit_test(test_abort_says_when_only_a_reset_shows_it),
  cmocka_unit_test(test_end_of_input_in_every_phase),
  cmocka_unit_test(test_close_after),
  cmocka_unit_test(test_an_idle_connection_holds_no_memory_and_a_busy_one_allocates_once),
  cmocka_unit_test(test_a_large_head_in_small_pieces),
  cmocka_unit_test(test_out_of_memory_is_an_error_event),
};

OCF_TEST_MAIN(tests)
