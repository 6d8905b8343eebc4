/* What a head says, once it is accepted, and where the limits lie exactly.
 *
 * Method: literal heads; limits are tried at the last good value and one past it, in the scanner
 * and in the parser alike. */
#include "testing/test.h"

#include "http/h1/h1.h"

static const struct ocf_h1_limits defaults = OCF_H1_LIMITS_DEFAULT;

static int parse(struct ocf_h1_head *h, const char *text)
{
  return ocf_h1_parse_request(h, (const uint8_t *)text, strlen(text), &defaults);
}

static int parse_answer(struct ocf_h1_head *h, const char *text, enum ocf_h1_method to)
{
  return ocf_h1_parse_response(h, (const uint8_t *)text, strlen(text), to, &defaults);
}

static void assert_bytes(struct ocf_bytes got, const char *want)
{
  if (got.n != strlen(want) || memcmp(got.p, want, got.n) != 0)
    fail_msg("got '%.*s', want '%s'", (int)got.n, (const char *)got.p, want);
}

static void test_a_request_is_taken_apart(void **state)
{
  (void)state;
  struct ocf_h1_head h;
  const char *text = "POST /v1/_service/llm/v1/chat?stream=true&x=%2F HTTP/1.1\r\n"
                     "Host: 12D3KooW:8092\r\nContent-Type:application/json\r\nX-Empty:\r\n"
                     "X-Wide: \t padded \t \r\ncontent-length: 0058\r\nx-request-ID: r-1\r\n\r\n";

  assert_int_equal(parse(&h, text), 0);
  assert_int_equal(h.method, OCF_H1_POST);
  assert_bytes(h.method_text, "POST");
  assert_bytes(h.target, "/v1/_service/llm/v1/chat?stream=true&x=%2F");
  assert_bytes(h.path, "/v1/_service/llm/v1/chat");
  assert_bytes(h.query, "stream=true&x=%2F");
  assert_bytes(h.host, "12D3KooW:8092");
  assert_int_equal(h.minor, 1);
  assert_true(h.keep_alive && !h.expect_continue && !h.upgrade && h.status == 0);
  assert_int_equal(h.framing, OCF_H1_FRAMING_LENGTH);
  assert_true(h.has_length && h.content_length == 58);
  assert_int_equal(h.n_fields, 6);
  assert_bytes(ocf_h1_name(&h, 1), "Content-Type");
  assert_bytes(ocf_h1_value(&h, 1), "application/json");
  assert_int_equal(h.fields[1].id, OCF_H1_F_CONTENT_TYPE);
  assert_bytes(ocf_h1_value(&h, 2), "");
  assert_bytes(ocf_h1_value(&h, 3), "padded");
  assert_bytes(ocf_h1_get(&h, OCF_H1_F_X_REQUEST_ID), "r-1");
  assert_bytes(ocf_h1_get_name(&h, OCF_STR("x-WIDE")), "padded");
  assert_null(ocf_h1_get_name(&h, OCF_STR("x-none")).p);
  assert_null(ocf_h1_get(&h, OCF_H1_F_COOKIE).p);
  assert_false(h.fields[0].hop);
  assert_true(h.fields[4].hop);
}

static void test_a_field_that_decides_must_be_single(void **state)
{
  (void)state;
  struct ocf_h1_head h;
  struct ocf_bytes v = OCF_STR("untouched");

  assert_int_equal(parse(&h, "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n"
                             "Cookie: z\r\n\r\n"),
                   0);
  assert_int_equal(ocf_h1_get_one(&h, OCF_H1_F_AUTHORIZATION, &v), OCF_EPROTO);
  assert_int_equal(ocf_h1_get_one(&h, OCF_H1_F_VIA, &v), OCF_ENOENT);
  assert_bytes(v, "untouched");
  assert_int_equal(ocf_h1_get_one(&h, OCF_H1_F_COOKIE, &v), 0);
  assert_bytes(v, "z");
}

static void test_target_forms(void **state)
{
  (void)state;
  struct ocf_h1_head h;

  assert_int_equal(parse(&h, "GET http://h:1/p/q?x HTTP/1.1\r\nHost: H:1\r\n\r\n"), 0);
  assert_bytes(h.path, "/p/q");
  assert_bytes(h.query, "x");
  assert_bytes(h.host, "H:1");
  assert_int_equal(parse(&h, "GET HTTPS://h?x HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
  assert_bytes(h.path, "/");
  assert_bytes(h.query, "x");
  assert_int_equal(parse(&h, "GET http://h HTTP/1.0\r\n\r\n"), 0);
  assert_bytes(h.path, "/");
  assert_bytes(h.host, "h");
  assert_int_equal(parse(&h, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
  assert_bytes(h.path, "*");
  assert_int_equal(parse(&h, "GET /? HTTP/1.1\r\nHost:\r\n\r\n"), 0);
  assert_true(h.query.p != NULL && h.query.n == 0);
  assert_int_equal(h.host.n, 0);
  assert_int_equal(parse(&h, "GET /a%2Fb//c;d/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), 0);
  assert_bytes(h.path, "/a%2Fb//c;d/");
  assert_null(h.query.p);
  assert_int_equal(parse(&h, "GET /?a\\b|{} HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
}

static void test_versions_and_persistence(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    uint8_t minor;
    bool keep;
  } rows[] = {
    { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, true },
    { "GET / HTTP/1.9\r\nHost: a\r\n\r\n", 1, true },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", 1, false },
    { "GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nconnection: keep-alive , close\r\n\r\n", 1,
      false },
    { "GET / HTTP/1.0\r\n\r\n", 0, false },
    { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, true },
    { "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", 0, false },
  };
  struct ocf_h1_head h;

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    assert_int_equal(parse(&h, rows[i].text), 0);
    assert_int_equal(h.minor, rows[i].minor);
    assert_int_equal(h.keep_alive, rows[i].keep);
  }
}

static void test_expect_and_upgrade(void **state)
{
  (void)state;
  struct ocf_h1_head h;

  assert_int_equal(
      parse(&h, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"),
      0);
  assert_true(h.expect_continue);
  assert_int_equal(
      parse(&h, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n"),
      0);
  assert_false(h.expect_continue);
  assert_int_equal(parse(&h, "POST / HTTP/1.0\r\nExpect: whatever\r\nContent-Length: 2\r\n\r\n"),
                   0);
  assert_false(h.expect_continue);
  assert_int_equal(
      parse(&h, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
      0);
  assert_true(h.upgrade && h.keep_alive);
  assert_int_equal(parse(&h, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"), 0);
  assert_false(h.upgrade);
}

static bool is_hop(const struct ocf_h1_head *h, const char *name)
{
  for (size_t i = 0; i < h->n_fields; i++) {
    if (ocf_h1_eq_nocase(ocf_h1_name(h, i), ocf_bytes(name, strlen(name))))
      return h->fields[i].hop;
  }
  fail_msg("no field %s", name);
  return false;
}

static void test_connection_names_fields_that_stay_here(void **state)
{
  (void)state;
  struct ocf_h1_head h;

  assert_int_equal(
      parse(&h, "GET / HTTP/1.1\r\nHost: a\r\nX-Own: 1\r\nx-own: 2\r\nX-Other: 3\r\nAccept: */*\r\n"
                "X-Forwarded-For: 1.2.3.4\r\nAuthorization: t\r\nTE: trailers\r\nKeep-Alive: 5\r\n"
                "X_Forwarded_For: evil\r\ncontent_length: 5\r\nX_Own_Thing: fine\r\n"
                "Connection: X-OWN, accept, X-Forwarded-For, authorization, host\r\n\r\n"),
      0);
  assert_true(is_hop(&h, "X-Own") && h.fields[2].hop && is_hop(&h, "Accept") && is_hop(&h, "TE"));
  assert_true(is_hop(&h, "Keep-Alive") && is_hop(&h, "Connection"));
  assert_false(is_hop(&h, "X-Other") || is_hop(&h, "Host"));
  assert_false(is_hop(&h, "X-Forwarded-For") || is_hop(&h, "Authorization"));
  /* '_' for '-' in a known name is not forwarded, and means nothing here. */
  assert_true(is_hop(&h, "X_Forwarded_For") && is_hop(&h, "content_length"));
  assert_false(is_hop(&h, "X_Own_Thing"));
  assert_int_equal(h.framing, OCF_H1_FRAMING_NONE);
}

static void test_known_names_are_found_in_any_case_and_nothing_else(void **state)
{
  (void)state;

  for (unsigned id = 1; id < OCF_H1_F_SHADOW; id++) {
    char name[64];
    const char *usual = ocf_h1_field_name((enum ocf_h1_field_id)id);
    const size_t n = strlen(usual);
    memcpy(name, usual, n + 1);
    assert_int_equal(ocf_h1_field_find(ocf_bytes(name, n)), id);
    for (size_t i = 0; i < n; i++)
      name[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
    assert_int_equal(ocf_h1_field_find(ocf_bytes(name, n)), id);
    for (size_t i = 0; i < n; i++)
      name[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    assert_int_equal(ocf_h1_field_find(ocf_bytes(name, n)), id);
    assert_int_equal(ocf_h1_field_find(ocf_bytes(name, n - 1)) == id, 0);
    for (size_t i = 0; i < n; i++) { /* one letter off is another name */
      const char was = name[i];
      name[i] = was == 'q' ? 'x' : 'q';
      assert_int_equal(ocf_h1_field_find(ocf_bytes(name, n)) == id, 0);
      name[i] = was;
    }
    char *dash = strchr(name, '-');
    if (dash != NULL) {
      *dash = '_';
      assert_int_equal(ocf_h1_field_find(ocf_bytes(name, n)), OCF_H1_F_SHADOW);
    }
  }
  assert_int_equal(ocf_h1_field_find(OCF_STR("")), OCF_H1_F_UNKNOWN);
  assert_int_equal(ocf_h1_field_find(OCF_STR("ho3t")), OCF_H1_F_UNKNOWN); /* 's' but for one bit */
  assert_int_equal(ocf_h1_field_find(OCF_STR("x_y")), OCF_H1_F_UNKNOWN);
  assert_int_equal(ocf_h1_field_find(OCF_STR("a_name_longer_than_every_name_that_is_known_here")),
                   OCF_H1_F_UNKNOWN);
  assert_string_equal(ocf_h1_field_name(OCF_H1_F_UNKNOWN), "");
}

static void test_tables(void **state)
{
  (void)state;

  assert_string_equal(ocf_h1_reason(200), "OK");
  assert_string_equal(ocf_h1_reason(431), "Request Header Fields Too Large");
  assert_string_equal(ocf_h1_reason(100), "Continue");
  assert_string_equal(ocf_h1_reason(511), "Network Authentication Required");
  assert_string_equal(ocf_h1_reason(299), "Unknown");
  assert_string_equal(ocf_h1_reason(0), "Unknown");
  assert_string_equal(ocf_h1_error_name(OCF_H1_E_BARE_LF), "bare_lf");
  assert_string_equal(ocf_h1_error_name(OCF_H1_E_COUNT), "unknown");
  assert_int_equal(ocf_h1_error_status(OCF_H1_E_HEAD_TOO_LARGE), 431);
  assert_int_equal(ocf_h1_error_status(OCF_H1_E_TARGET_TOO_LONG), 414);
  assert_int_equal(ocf_h1_error_status(OCF_H1_E_BODY_TOO_LARGE), 413);
  assert_int_equal(ocf_h1_error_status(OCF_H1_E_EXPECT), 417);
  assert_int_equal(ocf_h1_error_status(OCF_H1_E_TE_UNKNOWN), 501);
  assert_int_equal(ocf_h1_error_status(OCF_H1_E_VERSION_UNSUPPORTED), 505);
  assert_int_equal(ocf_h1_error_status(OCF_H1_E_NONE), 500);
  for (unsigned m = 0; m < OCF_H1_METHOD_COUNT; m++) {
    const char *name = ocf_h1_method_name((enum ocf_h1_method)m);
    assert_int_equal(ocf_h1_method_find(ocf_bytes(name, strlen(name))), m);
  }
  assert_int_equal(ocf_h1_method_find(OCF_STR("get")), OCF_H1_OTHER);
  assert_string_equal(ocf_h1_method_name(OCF_H1_METHOD_COUNT), "OTHER");
  assert_true(ocf_h1_method_idempotent(OCF_H1_PUT) && !ocf_h1_method_idempotent(OCF_H1_POST));
  assert_true(ocf_h1_list_has(OCF_STR(" ,a, B ,"), OCF_STR("b")));
  assert_false(ocf_h1_list_has(OCF_STR("ab, c"), OCF_STR("a")));
}

static void test_answers_and_their_framing(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    enum ocf_h1_method to;
    enum ocf_h1_framing framing;
    uint64_t length;
    bool keep;
  } rows[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_LENGTH, 7, true },
    { "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", OCF_H1_HEAD, OCF_H1_FRAMING_NONE, 7, true },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_CHUNKED,
      0, true },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", OCF_H1_HEAD, OCF_H1_FRAMING_NONE, 0,
      true },
    { "HTTP/1.1 200 OK\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_CLOSE, 0, false },
    { "HTTP/1.1 200\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_CLOSE, 0, false },
    { "HTTP/1.1 200 \r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_CLOSE, 0, false },
    { "HTTP/1.1 204 No Content\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_NONE, 0, true },
    { "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_NONE, 0,
      true },
    { "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_NONE, 3,
      false },
    { "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_NONE, 0,
      false },
    { "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_NONE, 9,
      true },
    { "HTTP/1.1 100 Continue\r\n\r\n", OCF_H1_POST, OCF_H1_FRAMING_NONE, 0, true },
    { "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", OCF_H1_GET, OCF_H1_FRAMING_LENGTH, 7, false },
    { "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 7\r\n\r\n", OCF_H1_GET,
      OCF_H1_FRAMING_LENGTH, 7, true },
    { "HTTP/1.1 500 Oh d\xc3\xa9"
      "ar\r\nConnection: close\r\nContent-Length: 9223372036854775807\r\n\r\n",
      OCF_H1_GET, OCF_H1_FRAMING_LENGTH, INT64_MAX, false },
  };
  struct ocf_h1_head h;

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    assert_int_equal(parse_answer(&h, rows[i].text, rows[i].to), 0);
    assert_int_equal(h.framing, rows[i].framing);
    assert_true(h.content_length == rows[i].length);
    assert_int_equal(h.keep_alive, rows[i].keep);
  }
  assert_int_equal(h.status, 500);
  assert_bytes(h.reason, "Oh d\xc3\xa9"
                         "ar");
}

/* ---- limits ---- */

static enum ocf_h1_error scan_and_parse(const char *text, size_t n, const struct ocf_h1_limits *lim)
{
  static struct ocf_h1_head h;
  struct ocf_h1_scan s = { 0 };

  if (ocf_h1_scan_head(&s, (const uint8_t *)text, n, true, lim) != 0)
    return s.error;
  (void)!ocf_h1_parse_request(&h, (const uint8_t *)text + s.begin, s.end - s.begin, lim);
  return h.error;
}

static enum ocf_h1_error only_parse(const char *text, size_t n, const struct ocf_h1_limits *lim)
{
  static struct ocf_h1_head h;

  (void)!ocf_h1_parse_request(&h, (const uint8_t *)text, n, lim);
  return h.error;
}

static void test_target_limit(void **state)
{
  (void)state;
  static char text[9000];

  for (int extra = 0; extra < 2; extra++) {
    const int len = 8191 + extra; /* after the slash */
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    const int tail = snprintf(text + 5 + len, 40, " HTTP/1.1\r\nHost: a\r\n\r\n");
    const size_t n = (size_t)(5 + len + tail);
    const enum ocf_h1_error want = extra > 0 ? OCF_H1_E_TARGET_TOO_LONG : OCF_H1_E_NONE;
    assert_int_equal(scan_and_parse(text, n, &defaults), want);
    assert_int_equal(only_parse(text, n, &defaults), want);
  }
  memset(text, 'a', sizeof(text)); /* seen before the line ends */
  memcpy(text, "GET /", 5);
  assert_int_equal(scan_and_parse(text, sizeof(text), &defaults), OCF_H1_E_TARGET_TOO_LONG);
}

static void test_head_limit(void **state)
{
  (void)state;
  static char text[40000];
  const char *start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";

  for (size_t extra = 0; extra < 2; extra++) {
    const size_t n = 32768 + extra;
    memset(text, 'a', sizeof(text));
    memcpy(text, start, strlen(start));
    memcpy(text + n - 4, "\r\n\r\n", 4);
    const enum ocf_h1_error want = extra > 0 ? OCF_H1_E_HEAD_TOO_LARGE : OCF_H1_E_NONE;
    assert_int_equal(scan_and_parse(text, n, &defaults), want);
    assert_int_equal(only_parse(text, n, &defaults), want);
  }
}

static void test_the_hard_caps_hold_whatever_the_options_say(void **state)
{
  (void)state;
  static char text[70000];
  struct ocf_h1_limits lim = { UINT32_MAX, UINT32_MAX, UINT32_MAX, 9, 9, 9, 9, 9, 9, 9 };
  size_t n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");

  for (unsigned i = 0; i < OCF_H1_FIELDS_MAX; i++)
    n += (size_t)snprintf(text + n, sizeof(text) - n, "a:\r\n");
  n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
  assert_int_equal(scan_and_parse(text, n, &lim), OCF_H1_E_TOO_MANY_FIELDS);
  assert_int_equal(only_parse(text, n, &lim), OCF_H1_E_TOO_MANY_FIELDS);
  memset(text + n - 2, 'a', sizeof(text) - n + 2);
  lim.fields_max = 1000;
  memcpy(text, "GET / HTTP/1.1\r\nHost: a\r\nB: bbbbbbbbbbbbbb", 41);
  memset(text + 41, 'b', sizeof(text) - 45);
  memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
  assert_int_equal(scan_and_parse(text, sizeof(text), &lim), OCF_H1_E_HEAD_TOO_LARGE);
  assert_int_equal(only_parse(text, sizeof(text), &lim), OCF_H1_E_HEAD_TOO_LARGE);
}

static enum ocf_h1_error with_repeats(const char *start, const char *part, int n, const char *last)
{
  static char text[20000];
  size_t at = (size_t)snprintf(text, sizeof(text), "%s", start);

  for (int i = 0; i < n; i++)
    at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", part);
  at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", last);
  const enum ocf_h1_error e = scan_and_parse(text, at, &defaults);
  assert_int_equal(only_parse(text, at, &defaults), e);
  return e;
}

static void test_count_limits(void **state)
{
  (void)state;
  const char *line = "GET / HTTP/1.1\r\nHost: a\r\n",
             *cookie = "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b";
  const char *end = " HTTP/1.1\r\nHost: a\r\n\r\n";

  assert_int_equal(with_repeats(line, "a:b\r\n", 99, "\r\n"), OCF_H1_E_NONE);
  assert_int_equal(with_repeats(line, "a:b\r\n", 100, "\r\n"), OCF_H1_E_TOO_MANY_FIELDS);
  assert_int_equal(with_repeats(cookie, ";a=b", 63, "\r\n\r\n"), OCF_H1_E_NONE);
  assert_int_equal(with_repeats(cookie, ";a=b", 64, "\r\n\r\n"), OCF_H1_E_TOO_MANY_COOKIES);
  assert_int_equal(with_repeats(line, "Cookie: a; b\r\n", 32, "\r\n"), OCF_H1_E_NONE);
  assert_int_equal(with_repeats(line, "Cookie: a; b\r\n", 33, "\r\n"), OCF_H1_E_TOO_MANY_COOKIES);
  assert_int_equal(with_repeats("GET /?a", "&a", 255, end), OCF_H1_E_NONE);
  assert_int_equal(with_repeats("GET /?a", "&a", 256, end), OCF_H1_E_TOO_MANY_PARAMS);
  assert_int_equal(with_repeats("GET /?a", ";a", 256, end), OCF_H1_E_TOO_MANY_PARAMS);
}

static void test_leading_crlfs_are_skipped(void **state)
{
  (void)state;
  struct ocf_h1_scan s = { 0 };
  const char *text = "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nBODY";

  assert_int_equal(ocf_h1_scan_head(&s, (const uint8_t *)text, strlen(text), true, &defaults), 0);
  assert_int_equal(s.begin, 4);
  assert_int_equal(s.end, strlen(text) - 4);
}

static void test_the_parser_refuses_what_the_scanner_would_not_delimit(void **state)
{
  (void)state;
  static const char *const bad[] = {
    "",
    "\r\n\r\n",
    "GET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nx",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "A B\r\n\r\n",
    "GET / H\r\n\r\n",
    "GET / HTTP/1.1\n\r\n\r\n",
    "GET / HTTP/1.1\r\nA: b\nHost: x\r\n\r\n",
    "GET\r\n\r\n",
    "GET \r\n\r\n",
    "GET /\r\n\r\n",
    "GET / \r\n\r\n",
    "GET / HTTP/1.1\rX\r\n\r\n",
  };
  struct ocf_h1_head h;

  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    assert_int_equal(parse(&h, bad[i]), OCF_EPROTO);
    assert_int_not_equal(h.error, OCF_H1_E_NONE);
    assert_int_equal(parse_answer(&h, bad[i], OCF_H1_GET), OCF_EPROTO);
  }
  static const char *const bad_answers[] = {
    "HTTP/1.1 200 OK\r\n",       "HTTP/1.1 \r\n\r\n",
    "HTTP/1.1\r\n\r\n",          "HTTP/\r\n\r\n",
    "HTTP/1.1 2\r\n\r\n",        "HTTP/1.1 200\rX\r\n\r\n",
    "HTTP/1.1 200 \001\r\n\r\n", "HTTP/1.1 200\n\r\n\r\n",
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad_answers); i++)
    assert_int_equal(parse_answer(&h, bad_answers[i], OCF_H1_GET), OCF_EPROTO);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_request_is_taken_apart),
  cmocka_unit_test(test_a_field_that_decides_must_be_single),
  cmocka_unit_test(test_target_forms),
  cmocka_unit_test(test_versions_and_persistence),
  cmocka_unit_test(test_expect_and_upgrade),
  cmocka_unit_test(test_connection_names_fields_that_stay_here),
  cmocka_unit_test(test_known_names_are_found_in_any_case_and_nothing_else),
  cmocka_unit_test(test_tables),
  cmocka_unit_test(test_answers_and_their_framing),
  cmocka_unit_test(test_target_limit),
  cmocka_unit_test(test_head_limit),
  cmocka_unit_test(test_the_hard_caps_hold_whatever_the_options_say),
  cmocka_unit_test(test_count_limits),
  cmocka_unit_test(test_leading_crlfs_are_skipped),
  cmocka_unit_test(test_the_parser_refuses_what_the_scanner_would_not_delimit),
};

OCF_TEST_MAIN(tests)
