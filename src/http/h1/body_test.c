/* Bodies: the payload found is the payload sent, however the bytes were cut, and what frames it is
 * bounded; the sender promises no more and no less than it sends.
 *
 * Method: literal chunked bodies through every split, limits at their last good value, and sender
 * and reader against each other. */
#include "testing/test.h"
#include "testing/split.h"

#include "http/h1/body.h"

static const struct ocf_h1_limits defaults = OCF_H1_LIMITS_DEFAULT;

struct reading {
  struct ocf_h1_body b;
  enum ocf_h1_framing framing;
  uint64_t length;
  const char *want;
  size_t want_left; /* bytes behind the body */
  char got[256];
  size_t n_got, n_left;
};

static void begin(void *ctx)
{
  struct reading *r = ctx;

  ocf_h1_body_init(&r->b, r->framing, r->length, &defaults);
  r->n_got = r->n_left = 0;
}

static int feed(void *ctx, const uint8_t *p, size_t n)
{
  struct reading *r = ctx;

  while (!r->b.done && n > 0) {
    struct ocf_bytes data;
    size_t used;
    if (ocf_h1_body_read(&r->b, p, n, &used, &data) != 0)
      return OCF_EPROTO;
    assert_true(used > 0 && used <= n);
    if (data.n > 0)
      memcpy(r->got + r->n_got, data.p, data.n);
    r->n_got += data.n;
    p += used;
    n -= used;
  }
  r->n_left += n;
  return 0;
}

static void end(void *ctx, int err)
{
  struct reading *r = ctx;

  assert_int_equal(err, 0);
  assert_int_equal(r->n_got, strlen(r->want));
  assert_memory_equal(r->got, r->want, r->n_got);
  assert_true(r->b.total == r->n_got);
  assert_int_equal(r->b.done, r->framing != OCF_H1_FRAMING_CLOSE);
  assert_int_equal(r->n_left, r->want_left);
  assert_int_equal(ocf_h1_body_eof(&r->b), 0);
  assert_true(r->b.done);
}

static void test_any_split_gives_the_same_payload(void **state)
{
  (void)state;
  static const struct {
    enum ocf_h1_framing framing;
    uint64_t length;
    const char *in, *want;
    size_t left;
  } rows[] = {
    { OCF_H1_FRAMING_NONE, 9, "next", "", 4 },
    { OCF_H1_FRAMING_LENGTH, 0, "next", "", 4 },
    { OCF_H1_FRAMING_LENGTH, 5, "hellonext", "hello", 4 },
    { OCF_H1_FRAMING_CLOSE, 0, "all of it", "all of it", 0 },
    { OCF_H1_FRAMING_CHUNKED, 0, "0\r\n\r\n", "", 0 },
    { OCF_H1_FRAMING_CHUNKED, 0, "5\r\nhello\r\n0\r\n\r\nnext", "hello", 4 },
    { OCF_H1_FRAMING_CHUNKED, 0, "5;a=b;c=\"d\"\r\nhello\r\n00A;x\r\n, you all.\r\n000;z\r\n\r\n",
      "hello, you all.", 0 },
    { OCF_H1_FRAMING_CHUNKED, 0,
      "1\r\na\r\n1\r\nb\r\n2\r\ncd\r\n0\r\nX-A: b\r\nTrailer:\r\n\r\nnext", "abcd", 4 },
    { OCF_H1_FRAMING_CHUNKED, 0, "e\r\n\r\n\r\n0\r\n\r\n12345\r\n0\r\n\r\n",
      "\r\n\r\n0\r\n\r\n12345", 0 },
  };

  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct reading r = { .framing = rows[i].framing,
                         .length = rows[i].length,
                         .want = rows[i].want,
                         .want_left = rows[i].left };
    const struct ocf_split s = { .ctx = &r, .begin = begin, .feed = feed, .end = end };
    ocf_split_sweep(&s, (const uint8_t *)rows[i].in, strlen(rows[i].in));
  }
}

static void test_eof_inside_a_body_is_a_failure(void **state)
{
  (void)state;
  const char *text = "5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";

  for (size_t n = 0; n < strlen(text); n++) {
    struct reading r = { .framing = OCF_H1_FRAMING_CHUNKED };
    begin(&r);
    assert_int_equal(feed(&r, (const uint8_t *)text, n), 0);
    assert_int_equal(ocf_h1_body_eof(&r.b), OCF_EEOF);
    assert_false(r.b.done);
  }
  struct ocf_h1_body b;
  ocf_h1_body_init(&b, OCF_H1_FRAMING_LENGTH, 1, &defaults);
  assert_int_equal(ocf_h1_body_eof(&b), OCF_EEOF);
}

static enum ocf_h1_error read_all(const char *text, size_t n, const struct ocf_h1_limits *lim)
{
  struct ocf_h1_body b;
  struct ocf_bytes data;
  size_t used = 0;

  ocf_h1_body_init(&b, OCF_H1_FRAMING_CHUNKED, 0, lim);
  for (size_t at = 0; at < n && !b.done; at += used) {
    if (ocf_h1_body_read(&b, (const uint8_t *)text + at, n - at, &used, &data) != 0) {
      assert_int_equal(ocf_h1_body_read(&b, (const uint8_t *)"0\r\n\r\n", 5, &used, &data),
                       OCF_EPROTO);
      assert_int_equal(ocf_h1_body_eof(&b), OCF_EEOF);
      return b.error;
    }
  }
  assert_true(b.done);
  return OCF_H1_E_NONE;
}

static void test_extension_and_trailer_bounds(void **state)
{
  (void)state;
  static char text[200000];

  for (int extra = 0; extra < 2; extra++) {
    const enum ocf_h1_error want = extra > 0 ? OCF_H1_E_CHUNK_EXT : OCF_H1_E_NONE;
    int n = snprintf(text, sizeof(text), "1;%0*d\r\na\r\n0\r\n\r\n", 256 + extra, 0);
    assert_int_equal(read_all(text, (size_t)n, &defaults), want);
    n = 0; /* 64 * 256 bytes of extensions in all, in chunks of 255 */
    for (int i = 0; i < 64; i++)
      n += snprintf(text + n, sizeof(text) - (size_t)n, "1;%0255d\r\na\r\n", 0);
    n += snprintf(text + n, sizeof(text) - (size_t)n, "1;%0*d\r\na\r\n0\r\n\r\n", 63 + extra, 0);
    assert_int_equal(read_all(text, (size_t)n, &defaults), want);
    n = snprintf(text, sizeof(text), "0\r\nA:%0*d\r\n\r\n", 8192 - 6 + extra, 0);
    assert_int_equal(read_all(text, (size_t)n, &defaults),
                     extra > 0 ? OCF_H1_E_TRAILER_TOO_LARGE : OCF_H1_E_NONE);
  }
}

static void test_the_largest_chunk_size(void **state)
{
  (void)state;
  struct ocf_h1_body b;
  struct ocf_bytes data;
  size_t used;

  ocf_h1_body_init(&b, OCF_H1_FRAMING_CHUNKED, 0, &defaults);
  assert_int_equal(
      ocf_h1_body_read(&b, (const uint8_t *)"7fffffffffffffff\r\nabc", 21, &used, &data), 0);
  assert_int_equal(used, 21);
  assert_int_equal(data.n, 3);
  assert_true(b.left == (uint64_t)INT64_MAX - 3);
  assert_int_equal(read_all("8000000000000000\r\n", 18, &defaults), OCF_H1_E_CHUNK_SIZE);
}

static void put(char *out, size_t *n, const void *p, size_t k)
{
  if (k > 0)
    memcpy(out + *n, p, k);
  *n += k;
}

static void test_what_the_sender_frames_the_reader_reads(void **state)
{
  (void)state;
  static const size_t sizes[] = { 1, 0, 15, 16, 255, 256, 4096 };
  static char wire[8192], payload[8192];
  struct ocf_h1_sender s;
  struct ocf_h1_frame f;
  size_t n = 0, total = 0;

  for (size_t i = 0; i < sizeof(payload); i++)
    payload[i] = (char)(i * 7);
  ocf_h1_sender_init(&s, OCF_H1_FRAMING_CHUNKED, 0, false);
  for (size_t i = 0; i < OCF_ARRAY_LEN(sizes); i++) {
    assert_int_equal(ocf_h1_sender_data(&s, sizes[i], &f), 0);
    put(wire, &n, f.pre, f.n_pre);
    put(wire, &n, payload + total, sizes[i]);
    put(wire, &n, OCF_H1_CRLF, f.n_suf);
    assert_int_equal(f.n_suf, sizes[i] > 0 ? 2 : 0);
    total += sizes[i];
  }
  assert_false(ocf_h1_sender_complete(&s));
  assert_int_equal(ocf_h1_sender_end(&s, &f), 0);
  assert_true(ocf_h1_sender_complete(&s));
  put(wire, &n, f.pre, f.n_pre);
  assert_int_equal(ocf_h1_sender_data(&s, 1, &f), OCF_ESTATE);
  assert_int_equal(ocf_h1_sender_end(&s, &f), OCF_ESTATE);

  struct ocf_h1_body b;
  struct ocf_bytes data;
  size_t used, got = 0;
  ocf_h1_body_init(&b, OCF_H1_FRAMING_CHUNKED, 0, &defaults);
  for (size_t at = 0; !b.done; at += used) {
    assert_int_equal(ocf_h1_body_read(&b, (const uint8_t *)wire + at, n - at, &used, &data), 0);
    assert_true(used > 0);
    if (data.n > 0)
      assert_memory_equal(data.p, payload + got, data.n);
    got += data.n;
  }
  assert_int_equal(got, total);
}

static void test_chunk_prefixes(void **state)
{
  (void)state;
  static const struct {
    uint64_t n;
    const char *want;
  } rows[] = { { 1, "1\r\n" },
               { 15, "f\r\n" },
               { 16, "10\r\n" },
               { 0xabcdef, "abcdef\r\n" },
               { UINT64_MAX, "ffffffffffffffff\r\n" } };
  struct ocf_h1_sender s;
  struct ocf_h1_frame f;

  ocf_h1_sender_init(&s, OCF_H1_FRAMING_CHUNKED, 0, false);
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    assert_int_equal(ocf_h1_sender_data(&s, rows[i].n, &f), 0);
    assert_int_equal(f.n_pre, strlen(rows[i].want));
    assert_memory_equal(f.pre, rows[i].want, f.n_pre);
  }
}

static void test_a_promised_length_is_kept(void **state)
{
  (void)state;
  struct ocf_h1_sender s;
  struct ocf_h1_frame f;

  ocf_h1_sender_init(&s, OCF_H1_FRAMING_LENGTH, 5, false);
  assert_int_equal(ocf_h1_sender_data(&s, 6, &f), OCF_ELIMIT);
  assert_int_equal(ocf_h1_sender_data(&s, 3, &f), 0);
  assert_true(f.n_pre == 0 && f.n_suf == 0 && !f.drop_payload);
  assert_int_equal(ocf_h1_sender_end(&s, &f), OCF_ESTATE);
  assert_false(ocf_h1_sender_complete(&s));
  assert_int_equal(ocf_h1_sender_data(&s, 2, &f), 0);
  assert_true(ocf_h1_sender_complete(&s));
  assert_int_equal(ocf_h1_sender_end(&s, &f), 0);
  assert_int_equal(f.n_pre, 0);

  ocf_h1_sender_init(&s, OCF_H1_FRAMING_CHUNKED, 0, true); /* an answer to HEAD */
  assert_int_equal(ocf_h1_sender_data(&s, 3, &f), 0);
  assert_true(f.drop_payload && f.n_pre == 0 && f.n_suf == 0);
  assert_int_equal(ocf_h1_sender_end(&s, &f), 0);
  assert_int_equal(f.n_pre, 0);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_any_split_gives_the_same_payload),
  cmocka_unit_test(test_eof_inside_a_body_is_a_failure),
  cmocka_unit_test(test_extension_and_trailer_bounds),
  cmocka_unit_test(test_the_largest_chunk_size),
  cmocka_unit_test(test_what_the_sender_frames_the_reader_reads),
  cmocka_unit_test(test_chunk_prefixes),
  cmocka_unit_test(test_a_promised_length_is_kept),
};

OCF_TEST_MAIN(tests)
