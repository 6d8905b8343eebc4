/* What is forwarded is built from the parsed form: it parses to the same head, has one framing
 * field, nothing hop-by-hop, and no way to smuggle a line into it.
 *
 * Method: literal heads through parse, write and parse again; every edit with bytes it must not
 * have. */
#include "testing/test.h"
#include "testing/oom.h"

#include "http/h1/write.h"

static const struct ocf_h1_limits defaults = OCF_H1_LIMITS_DEFAULT;

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

static void assert_wire(const struct ocf_buf *b, const char *want)
{
  if (b->n != strlen(want) || memcmp(b->p, want, b->n) != 0)
    fail_msg("got:\n%.*s\nwant:\n%s", (int)b->n, (const char *)b->p, want);
}

static struct ocf_buf area(void)
{
  static uint8_t bytes[40000];
  return ocf_h1_fixed(bytes, sizeof(bytes));
}

static void parse(struct ocf_h1_head *h, const char *text)
{
  assert_int_equal(ocf_h1_parse_request(h, (const uint8_t *)text, strlen(text), &defaults), 0);
}

static void test_a_request_is_forwarded_without_what_is_ours(void **state)
{
  (void)state;
  struct ocf_h1_head h;
  struct ocf_buf b = area();
  const struct ocf_h1_edit edits[] = {
    OCF_H1_EDIT(OCF_H1_SET, "Host", OCF_STR("127.0.0.1:9000")),
    OCF_H1_EDIT(OCF_H1_SET, "x-request-id", OCF_STR("r-2")),
    OCF_H1_EDIT(OCF_H1_ADD, "X-Forwarded-For", OCF_STR("1.2.3.4")),
    OCF_H1_EDIT(OCF_H1_DROP, "Authorization", OCF_STR("")),
    OCF_H1_EDIT(OCF_H1_SET, "x-custom", OCF_STR("new")),
    OCF_H1_EDIT(OCF_H1_DEFAULT, "Accept", OCF_STR("text/html")),
    OCF_H1_EDIT(OCF_H1_DEFAULT, "traceparent", OCF_STR("00-1")),
    OCF_H1_EDIT(OCF_H1_DEFAULT, "X-Mine", OCF_STR("theirs went")),
  };

  parse(&h,
        "POST /v1/p2p/Qm/v1/x?q=1 HTTP/1.1\r\nHost: node\r\nX-Request-Id: r-1\r\nAccept:*/*\r\n"
        "Connection: keep-alive, X-Mine\r\nX-Mine: secret\r\nKeep-Alive: timeout=5\r\nX-CUSTOM: "
        "old\r\n"
        "Proxy-Authorization: Basic x\r\nTE: trailers\r\nUser-Agent: c/1\r\nContent-Type: a/b\r\n"
        "X_Forwarded_For: 6.6.6.6\r\nTransfer-Encoding: chunked\r\nAuthorization: Bearer t\r\n"
        "X-Forwarded-For: 9.9.9.9\r\nExpect: 100-continue\r\nUpgrade: h2c\r\nHTTP2-Settings: "
        "x\r\n\r\n");
  const struct ocf_h1_rewrite rw = { .target = OCF_STR("/v1/x?q=1"),
                                     .framing = h.framing,
                                     .edits = edits,
                                     .n_edits = OCF_ARRAY_LEN(edits) };
  assert_int_equal(ocf_h1_write_request(&b, &h, &rw), 0);
  assert_wire(
      &b,
      "POST /v1/x?q=1 HTTP/1.1\r\nAccept: */*\r\nUser-Agent: c/1\r\nContent-Type: a/b\r\n"
      "X-Forwarded-For: 9.9.9.9\r\nHost: 127.0.0.1:9000\r\nx-request-id: r-2\r\n"
      "X-Forwarded-For: 1.2.3.4\r\nx-custom: new\r\ntraceparent: 00-1\r\nX-Mine: theirs went\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
}

static void test_forms_of_target_and_host(void **state)
{
  (void)state;
  struct ocf_h1_head h;
  struct ocf_buf b = area();
  struct ocf_h1_rewrite rw = { .framing = OCF_H1_FRAMING_NONE };

  parse(&h, "GET http://h/p?x HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_int_equal(ocf_h1_write_request(&b, &h, &rw), 0);
  assert_wire(&b, "GET /p?x HTTP/1.1\r\nHost: h\r\n\r\n");
  b.n = 0;
  parse(&h, "FOO http://h? HTTP/1.0\r\n\r\n");
  assert_int_equal(ocf_h1_write_request(&b, &h, &rw), 0);
  assert_wire(&b, "FOO /? HTTP/1.1\r\nHost: h\r\n\r\n");
  b.n = 0;
  parse(&h, "GET / HTTP/1.0\r\n\r\n");
  rw.connection = OCF_H1_CONN_CLOSE;
  assert_int_equal(ocf_h1_write_request(&b, &h, &rw), 0);
  assert_wire(&b, "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n");
  b.n = 0;
  rw = (struct ocf_h1_rewrite){ .framing = OCF_H1_FRAMING_LENGTH, .content_length = UINT64_MAX };
  assert_int_equal(ocf_h1_make_request(&b, OCF_H1_PUT, OCF_STR("/a?b"), OCF_STR("x:1"), &rw), 0);
  assert_wire(&b, "PUT /a?b HTTP/1.1\r\nHost: x:1\r\nContent-Length: 18446744073709551615\r\n\r\n");
  b.n = 0;
  assert_int_equal(ocf_h1_make_request(&b, OCF_H1_OPTIONS, OCF_STR("*"), OCF_STR("x"), &rw), 0);
  b.n = 0;
  assert_int_equal(ocf_h1_make_request(&b, OCF_H1_OTHER, OCF_STR("/"), OCF_STR("x"), &rw),
                   OCF_EINVAL);
  assert_int_equal(ocf_h1_make_request(&b, OCF_H1_GET, ocf_bytes(NULL, 0), OCF_STR("x"), &rw),
                   OCF_EINVAL);
  assert_int_equal(ocf_h1_make_request(&b, OCF_H1_GET, OCF_STR("/"), OCF_STR("x y"), &rw),
                   OCF_EINVAL);
  rw.framing = OCF_H1_FRAMING_CLOSE;
  assert_int_equal(ocf_h1_make_request(&b, OCF_H1_GET, OCF_STR("/"), OCF_STR("x"), &rw),
                   OCF_EINVAL);
  assert_int_equal(b.n, 0);
}

/* Whatever is accepted and written again parses to the same fields, less those that stay here. */
static void test_what_is_written_parses_to_the_same_head(void **state)
{
  (void)state;
  static const char *const texts[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /a/b%20c?d=e&f HTTP/1.1\r\nA:1\r\nB: 2\r\nHost: a\r\nC:  3\r\nD: 4 \r\nE:\r\nF: \t\r\nG: "
    "7\r\n\r\n",
    "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 000012\r\naccept: x\r\naccept: y\r\n\r\n",
    "PATCH /x HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\nConnection: a, b\r\nA: 1\r\nC: 2\r\nB: "
    "3\r\nHost: z\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9\r\n\r\n",
  };

  for (size_t i = 0; i < OCF_ARRAY_LEN(texts); i++) {
    struct ocf_h1_head h, again;
    struct ocf_buf b = area();
    parse(&h, texts[i]);
    const struct ocf_h1_rewrite rw = { .framing = h.framing, .content_length = h.content_length };
    assert_int_equal(ocf_h1_write_request(&b, &h, &rw), 0);
    assert_int_equal(ocf_h1_parse_request(&again, b.p, b.n, &defaults), 0);
    assert_true(h.method == again.method && ocf_bytes_eq(h.path, again.path) &&
                ocf_bytes_eq(h.query, again.query));
    assert_true(h.framing == again.framing && h.content_length == again.content_length);
    assert_true(ocf_bytes_eq(h.host, again.host));
    size_t k = 0;
    for (size_t j = 0; j < h.n_fields; j++) {
      if (h.fields[j].hop)
        continue;
      assert_true(ocf_bytes_eq(ocf_h1_name(&h, j), ocf_h1_name(&again, k)));
      assert_true(ocf_bytes_eq(ocf_h1_value(&h, j), ocf_h1_value(&again, k)));
      k++;
    }
    assert_int_equal(again.n_fields, k + (h.framing != OCF_H1_FRAMING_NONE));
    struct ocf_buf twice = { .a = NULL, .p = b.p + b.n, .cap = b.cap - b.n, .max = b.cap - b.n };
    assert_int_equal(ocf_h1_write_request(&twice, &again, &rw), 0);
    assert_true(ocf_bytes_eq(ocf_buf_view(&b), ocf_buf_view(&twice)));
  }
}

static void test_no_edit_can_break_a_head(void **state)
{
  (void)state;
  const struct {
    enum ocf_h1_edit_op op;
    struct ocf_bytes name, value;
  } rows[] = {
    { OCF_H1_ADD, OCF_STR("X"), OCF_STR("a\r\nY: b") },
    { OCF_H1_ADD, OCF_STR("X"), OCF_STR("a\nb") },
    { OCF_H1_ADD, OCF_STR("X"), OCF_STR("a\rb") },
    { OCF_H1_SET, OCF_STR("X"), OCF_STR("a\0b") },
    { OCF_H1_SET, OCF_STR("X"), OCF_STR("\x7f") },
    { OCF_H1_SET, OCF_STR("X"), OCF_STR(" a") },
    { OCF_H1_SET, OCF_STR("X"), OCF_STR("a\t") },
    { OCF_H1_ADD, OCF_STR(""), OCF_STR("a") },
    { OCF_H1_ADD, OCF_STR("X Y"), OCF_STR("a") },
    { OCF_H1_ADD, OCF_STR("X:"), OCF_STR("a") },
    { OCF_H1_DROP, OCF_STR("X\r\n"), OCF_STR("") },
    { OCF_H1_ADD, OCF_STR("Content-Length"), OCF_STR("1") },
    { OCF_H1_SET, OCF_STR("transfer-encoding"), OCF_STR("chunked") },
    { OCF_H1_ADD, OCF_STR("Connection"), OCF_STR("x") },
    { OCF_H1_ADD, OCF_STR("Keep-Alive"), OCF_STR("x") },
    { OCF_H1_ADD, OCF_STR("content_length"), OCF_STR("1") },
    { OCF_H1_ADD, OCF_STR("Host"), OCF_STR("b") },
    { OCF_H1_SET, OCF_STR("Host"), OCF_STR("b c") },
    { OCF_H1_DROP, OCF_STR("Host"), OCF_STR("") },
  };
  struct ocf_h1_head h;

  parse(&h, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct ocf_buf b = area();
    const struct ocf_h1_edit e = { rows[i].op, rows[i].name, rows[i].value };
    struct ocf_h1_rewrite rw = { .edits = &e, .n_edits = 1 };
    if (ocf_h1_write_request(&b, &h, &rw) != OCF_EINVAL)
      fail_msg("row %zu was written", i);
    rw.status = 200;
    assert_int_equal(ocf_h1_write_response(&b, NULL, &rw), OCF_EINVAL);
    assert_int_equal(b.n, 0);
  }
  const struct ocf_h1_edit hosts[] = { OCF_H1_EDIT(OCF_H1_SET, "Host", OCF_STR("b")),
                                       OCF_H1_EDIT(OCF_H1_SET, "Host", OCF_STR("c")) };
  struct ocf_buf b = area();
  struct ocf_h1_rewrite rw = { .edits = hosts, .n_edits = 2 };
  assert_int_equal(ocf_h1_write_request(&b, &h, &rw), OCF_EINVAL);
  static const char *const targets[] = { "",      "x",     "/a b", "/a\r\nX: y", "/#",
                                         "/\x80", "/../x", "/%00", "**" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(targets); i++) {
    rw = (struct ocf_h1_rewrite){ .target = str(targets[i]) };
    assert_int_equal(ocf_h1_write_request(&b, &h, &rw), OCF_EINVAL);
  }
}

static void test_answers(void **state)
{
  (void)state;
  struct ocf_h1_head h;
  struct ocf_buf b = area();
  const char *text =
      "HTTP/1.0 200 Fine\r\nServer: x\r\nContent-Length: 3\r\nConnection: close, X-Y\r\nX-Y: z\r\n"
      "Proxy-Authenticate: q\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n";
  const struct ocf_h1_edit e = OCF_H1_EDIT(OCF_H1_SET, "X-Computing-Node", OCF_STR("12D3"));
  struct ocf_h1_rewrite rw = { .framing = OCF_H1_FRAMING_CHUNKED, .edits = &e, .n_edits = 1 };

  assert_int_equal(
      ocf_h1_parse_response(&h, (const uint8_t *)text, strlen(text), OCF_H1_GET, &defaults), 0);
  assert_int_equal(ocf_h1_write_response(&b, &h, &rw), 0);
  assert_wire(&b, "HTTP/1.1 200 Fine\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: "
                  "b\r\nX-Computing-Node: 12D3\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n");
  b.n = 0;
  rw = (struct ocf_h1_rewrite){ .status = 502, .framing = OCF_H1_FRAMING_CLOSE };
  assert_int_equal(ocf_h1_write_response(&b, &h, &rw), 0);
  assert_wire(&b, "HTTP/1.1 502 Bad Gateway\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: "
                  "b\r\nConnection: close\r\n\r\n");
  b.n = 0;
  rw = (struct ocf_h1_rewrite){ .status = 204, .connection = OCF_H1_CONN_KEEP_ALIVE };
  assert_int_equal(ocf_h1_write_response(&b, NULL, &rw), 0);
  assert_wire(&b, "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
  b.n = 0;
  static const struct {
    uint16_t status;
    enum ocf_h1_framing framing;
  } bad[] = { { 0, OCF_H1_FRAMING_NONE },      { 99, OCF_H1_FRAMING_NONE },
              { 600, OCF_H1_FRAMING_NONE },    { 100, OCF_H1_FRAMING_LENGTH },
              { 204, OCF_H1_FRAMING_CHUNKED }, { 304, OCF_H1_FRAMING_CHUNKED } };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    rw = (struct ocf_h1_rewrite){ .status = bad[i].status, .framing = bad[i].framing };
    assert_int_equal(ocf_h1_write_response(&b, NULL, &rw), OCF_EINVAL);
  }
}

static void test_a_full_buffer_is_left_as_it_was(void **state)
{
  (void)state;
  struct ocf_h1_head h;
  uint8_t small[64];
  struct ocf_buf b = ocf_h1_fixed(small, sizeof(small));
  const struct ocf_h1_rewrite rw = { .status = 200 };
  const struct ocf_h1_problem p = { .status = 500, .message = "x" };

  parse(&h, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  b.n = 7;
  assert_int_equal(ocf_h1_write_request(&b, &h, &rw), OCF_ELIMIT);
  assert_int_equal(ocf_h1_write_response(&b, NULL, &rw), OCF_ELIMIT);
  assert_int_equal(ocf_h1_problem_json(&b, &p), OCF_ELIMIT);
  assert_int_equal(ocf_h1_write_problem(&b, &p, false, NULL), OCF_ELIMIT);
  assert_int_equal(b.n, 7);
  uint8_t fits_head[320];
  b = ocf_h1_fixed(fits_head, sizeof(fits_head));
  b.n = 3;
  char long_text[300];
  memset(long_text, 'a', sizeof(long_text) - 1);
  long_text[sizeof(long_text) - 1] = '\0';
  const struct ocf_h1_problem q = { .status = 500, .message = long_text };
  assert_int_equal(ocf_h1_write_problem(&b, &q, false, NULL), OCF_ELIMIT);
  assert_int_equal(b.n, 3);
}

static void test_problems(void **state)
{
  (void)state;
  struct ocf_buf b = area();
  const struct ocf_h1_edit e = OCF_H1_EDIT(OCF_H1_ADD, "Retry-After", OCF_STR("1"));
  const struct ocf_h1_rewrite rw = { .connection = OCF_H1_CONN_CLOSE, .edits = &e, .n_edits = 1 };
  struct ocf_h1_problem p = {
    .status = 503, .message = "nobody can serve", .code = "no_worker", .request_id = OCF_STR("r-1")
  };
  const char *json =
      "{\"error\":{\"message\":\"nobody can serve\",\"type\":\"server_error\",\"param\":null,"
      "\"code\":\"no_worker\",\"request_id\":\"r-1\"}}";
  char want[512];

  assert_int_equal(ocf_h1_write_problem(&b, &p, false, &rw), 0);
  (void)snprintf(
      want, sizeof(want),
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nX-Request-Id: r-1\r\n"
      "Retry-After: 1\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
      strlen(json), json);
  assert_wire(&b, want);
  const size_t head = b.n - strlen(json);
  b.n = 0;
  assert_int_equal(ocf_h1_write_problem(&b, &p, true, &rw), 0);
  assert_int_equal(b.n, head);
  static const struct {
    unsigned status;
    const char *type;
  } types[] = { { 400, "invalid_request_error" }, { 401, "authentication_error" },
                { 403, "permission_error" },      { 404, "not_found_error" },
                { 429, "rate_limit_error" },      { 500, "server_error" } };
  for (size_t i = 0; i < OCF_ARRAY_LEN(types); i++) {
    b.n = 0;
    p = (struct ocf_h1_problem){ .status = types[i].status };
    assert_int_equal(ocf_h1_problem_json(&b, &p), 0);
    (void)snprintf(want, sizeof(want),
                   "{\"error\":{\"message\":null,\"type\":\"%s\",\"param\":null,\"code\":null,"
                   "\"request_id\":null}}",
                   types[i].type);
    assert_wire(&b, want);
  }
  struct ocf_h1_edit many[31];
  for (size_t i = 0; i < OCF_ARRAY_LEN(many); i++)
    many[i] = e;
  const struct ocf_h1_rewrite too_many = { .edits = many, .n_edits = OCF_ARRAY_LEN(many) };
  assert_int_equal(ocf_h1_write_problem(&b, &p, false, &too_many), OCF_EINVAL);
}

/* V-85: nothing in an error body acts on a terminal, a log line or a JSON reader. */
static void test_problem_texts_are_escaped(void **state)
{
  (void)state;
  struct ocf_buf b = area();
  const struct ocf_h1_problem p = {
    .status = 400,
    .type = "t\"\\/",
    .message = "\033[31m\r\n\t\x7f\xc2\x85\xe2\x80\xa8 \xc3\xa9 \xf0\x9f\x98\x80 "
               "\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80 \xe2\x82",
    .param = "",
    .request_id = OCF_STR("a\0b\r\nX: y"),
  };

  assert_int_equal(ocf_h1_write_problem(&b, &p, false, NULL), 0);
  b.p[b.n] = 0;
  const char *body = strstr((const char *)b.p, "\r\n\r\n");
  assert_non_null(body);
  assert_null(strstr((const char *)b.p, "X-Request-Id"));
  assert_string_equal(
      body + 4,
      "{\"error\":{\"message\":\"\\u001b[31m\\u000d\\u000a\\u0009\\u007f\\u0085\\u2028 \xc3\xa9 "
      "\xf0\x9f\x98\x80 \\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd "
      "\\ufffd\\ufffd\",\"type\":\"t\\\"\\\\/\",\"param\":\"\",\"code\":null,"
      "\"request_id\":\"a\\u0000b\\u000d\\u000aX: y\"}}");
}

static int grow_and_write(struct ocf_alloc *a, void *ctx)
{
  struct ocf_h1_head h;
  struct ocf_buf b;
  const struct ocf_h1_rewrite rw = { .framing = OCF_H1_FRAMING_NONE };
  const struct ocf_h1_problem p = { .status = 500, .message = "x" };

  (void)ctx;
  parse(&h, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ocf_buf_init(&b, a, 4096);
  int rc = ocf_h1_write_request(&b, &h, &rw);
  if (rc == 0)
    rc = ocf_h1_write_problem(&b, &p, false, NULL);
  ocf_buf_fini(&b);
  return rc;
}

static void test_out_of_memory_is_an_error(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(grow_and_write, NULL) >= 2);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_request_is_forwarded_without_what_is_ours),
  cmocka_unit_test(test_forms_of_target_and_host),
  cmocka_unit_test(test_what_is_written_parses_to_the_same_head),
  cmocka_unit_test(test_no_edit_can_break_a_head),
  cmocka_unit_test(test_answers),
  cmocka_unit_test(test_a_full_buffer_is_left_as_it_was),
  cmocka_unit_test(test_problems),
  cmocka_unit_test(test_problem_texts_are_escaped),
  cmocka_unit_test(test_out_of_memory_is_an_error),
};

OCF_TEST_MAIN(tests)
