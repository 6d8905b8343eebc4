/* Raw HTTP of live Go nodes is read as they meant it, and refused only where we are stricter on
 * purpose.
 *
 * Method: every recorded exchange of tests/vectors/http*.json runs through a server (the request)
 * and a client (the answers to it), whole and byte by byte; the exceptions are listed by name with
 * what we say instead. */
#include "testing/test.h"

#include "http/h1/client.h"
#include "http/h1/server.h"

struct exchange {
  const char *name;
  struct ocf_bytes request, answer;
};

#define EXCHANGE(name_, request_, answer_)                                                         \
  { (name_),                                                                                       \
    { (const uint8_t *)(request_), sizeof(request_) - 1 },                                         \
    { (const uint8_t *)(answer_), sizeof(answer_) - 1 } },
#define REQUEST(name_, request_)                                                                   \
  { (name_), { (const uint8_t *)(request_), sizeof(request_) - 1 }, { NULL, 0 } },

static const struct exchange exchanges[] = {
#include "tests/vectors/gen/http_vectors.inc"
};

/* Requests that we refuse, or whose recording stops short (TRUNCATED). */
static const struct {
  const char *name;
  enum ocf_h1_error want;
} refused[] = {
  { "host header missing", OCF_H1_E_NO_HOST },
  { "dot segments", OCF_H1_E_PATH }, /* Go redirects */
  { "malformed request line", OCF_H1_E_METHOD },
  { "binary garbage", OCF_H1_E_NUL },
  { "bad content-length", OCF_H1_E_CL_INVALID },
  { "content-length and chunked", OCF_H1_E_CL_AND_TE }, /* Go lets chunked win */
  { "two content-lengths", OCF_H1_E_CL_DUPLICATE },
  { "header with a space before the colon", OCF_H1_E_SPACE_BEFORE_COLON },
  { "folded header", OCF_H1_E_OBS_FOLD },      /* Go unfolds */
  { "bare LF line ends", OCF_H1_E_BARE_LF },   /* Go accepts */
  { "absolute form", OCF_H1_E_HOST_MISMATCH }, /* Go lets the target win */
  { "bad chunk size", OCF_H1_E_CHUNK_SIZE },
  { "truncated body then half-close", OCF_H1_E_TRUNCATED },
  { "header block of 1.1 MiB", OCF_H1_E_TRUNCATED }, /* the recording has its beginning only */
};

static const struct ocf_h1_limits limits = OCF_H1_LIMITS_DEFAULT;
static struct ocf_alloc alloc;
static struct ocf_h1_pool pool;

enum { METHODS_MAX = 16 };

static const char *short_name(const struct exchange *x)
{
  return strstr(x->name, ": ") + 2;
}

static enum ocf_h1_error want_of(const struct exchange *x)
{
  for (size_t i = 0; i < OCF_ARRAY_LEN(refused); i++) {
    if (strcmp(short_name(x), refused[i].name) == 0)
      return refused[i].want;
  }
  return OCF_H1_E_NONE;
}

/* Parsed, written and parsed again, nothing changes that is to be forwarded. */
static void check_rewrite(const struct ocf_h1_head *h)
{
  static uint8_t bytes[32768];
  struct ocf_buf b = ocf_h1_fixed(bytes, sizeof(bytes));
  const struct ocf_h1_rewrite rw = { .framing = h->framing, .content_length = h->content_length };
  struct ocf_h1_head again;
  size_t k = 0;

  assert_int_equal(ocf_h1_write_request(&b, h, &rw), 0);
  assert_int_equal(ocf_h1_parse_request(&again, b.p, b.n, &limits), 0);
  assert_true(ocf_bytes_eq(h->path, again.path) && ocf_bytes_eq(h->query, again.query));
  assert_true(h->framing == again.framing && h->content_length == again.content_length);
  for (size_t i = 0; i < h->n_fields; i++) {
    if (h->fields[i].hop)
      continue;
    assert_true(ocf_bytes_eq(ocf_h1_name(h, i), ocf_h1_name(&again, k)));
    assert_true(ocf_bytes_eq(ocf_h1_value(h, i), ocf_h1_value(&again, k)));
    k++;
  }
}

static void answer_empty(struct ocf_h1_server *s)
{
  struct ocf_h1_rewrite rw = { 0 };
  struct ocf_h1_frame f;

  assert_int_equal(ocf_h1_server_respond(s, 200, OCF_H1_FRAMING_NONE, 0, &rw), 0);
  assert_int_equal(ocf_h1_server_end(s, &f), 0);
}

/* Reads the requests; their methods go to `methods`. Returns the error that ended it, if any. */
static enum ocf_h1_error serve(const struct exchange *x, size_t step, enum ocf_h1_method *methods,
                               size_t *n)
{
  struct ocf_h1_server s;
  enum ocf_h1_error e = OCF_H1_E_NONE;

  *n = 0;
  ocf_h1_server_init(&s, &pool, &limits);
  for (size_t at = 0, used = 0; e == OCF_H1_E_NONE; at += used) {
    struct ocf_bytes data;
    const size_t k = OCF_MIN(step, x->request.n - at);
    const enum ocf_h1_event ev = ocf_h1_server_input(&s, x->request.p + at, k, &used, &data);
    if (ev == OCF_H1_EV_HEAD) {
      assert_true(*n < METHODS_MAX);
      methods[(*n)++] = ocf_h1_server_head(&s)->method;
      check_rewrite(ocf_h1_server_head(&s));
    } else if (ev == OCF_H1_EV_END) {
      answer_empty(&s);
    } else if (ev == OCF_H1_EV_ERROR) {
      e = s.error;
    } else if (ev == OCF_H1_EV_CLOSE || (ev == OCF_H1_EV_MORE && k == 0)) {
      break;
    }
  }
  if (e == OCF_H1_E_NONE && ocf_h1_server_eof(&s) != 0)
    e = s.error;
  ocf_h1_server_fini(&s);
  return e;
}

/* Reads the answers to `n` requests. Returns the error that ended it, if any. */
static enum ocf_h1_error receive(const struct exchange *x, size_t step,
                                 const enum ocf_h1_method *methods, size_t n)
{
  struct ocf_h1_client c;
  size_t at = 0;
  enum ocf_h1_error e = OCF_H1_E_NONE;

  ocf_h1_client_init(&c, &pool, &limits);
  for (size_t i = 0; i < n && e == OCF_H1_E_NONE && ocf_h1_client_reusable(&c); i++) {
    enum ocf_h1_event ev = OCF_H1_EV_MORE;
    assert_int_equal(ocf_h1_client_start(&c, methods[i], OCF_H1_FRAMING_NONE, 0), 0);
    while (ev != OCF_H1_EV_END && ev != OCF_H1_EV_ERROR) {
      struct ocf_bytes data;
      size_t used;
      const size_t k = OCF_MIN(step, x->answer.n - at);
      ev = ocf_h1_client_input(&c, x->answer.p + at, k, &used, &data);
      at += used;
      if (ev == OCF_H1_EV_MORE && k == 0)
        ev = ocf_h1_client_eof(&c);
    }
    e = c.error;
  }
  if (e == OCF_H1_E_NONE)
    assert_int_equal(at, x->answer.n);
  ocf_h1_client_fini(&c);
  return e;
}

/* Answers that were cut when they were recorded. */
static bool is_cut(const struct exchange *x)
{
  return strcmp(short_name(x), "engine cuts the body") == 0 ||
         strcmp(x->name, "http-head-ocf: worker answers with short body then reset") == 0;
}

static void test_recorded_exchanges(void **state)
{
  (void)state;
  size_t n_answers = 0;

  ocf_alloc_init(&alloc);
  ocf_h1_pool_init(&pool, &alloc, 4);
  for (size_t i = 0; i < OCF_ARRAY_LEN(exchanges); i++) {
    const struct exchange *x = &exchanges[i];
    for (size_t step = 1; step < 100000; step *= 40) {
      enum ocf_h1_method methods[METHODS_MAX] = { OCF_H1_GET };
      size_t n;
      const enum ocf_h1_error e = serve(x, step, methods, &n);
      if (e != want_of(x))
        fail_msg("%s: request: got %s, want %s", x->name, ocf_h1_error_name(e),
                 ocf_h1_error_name(want_of(x)));
      if (x->answer.n == 0)
        continue;
      const enum ocf_h1_error ea = receive(x, step, methods, n > 0 ? n : 1);
      if (ea != (is_cut(x) ? OCF_H1_E_TRUNCATED : OCF_H1_E_NONE))
        fail_msg("%s: answer: %s", x->name, ocf_h1_error_name(ea));
      n_answers++;
    }
  }
  assert_true(n_answers > 300);
  ocf_h1_pool_fini(&pool);
  assert_int_equal(alloc.live_bytes, 0);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_recorded_exchanges),
};

OCF_TEST_MAIN(tests)
