#include "testing/test.h"

#include "p2p/mss/mss.h"

struct mss_rec {
  const char *name, *opener, *responder; /* hex; the responder's only as far as the negotiation */
  size_t opener_end;                     /* where the opener's negotiation ends */
  const char *agreed;                    /* or "" */
  int n_refused, well_formed, n_props;
  const char *props[8];
};
#include "tests/vectors/gen/multistream_vectors.inc"

#define H "\x13/multistream/1.0.0\n"

static size_t from_hex(const char *hex, uint8_t *to, size_t cap)
{
  size_t n = strlen(hex) / 2;
  assert_true(n <= cap);
  for (size_t i = 0; i < n; i++) {
    unsigned v;
    assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
    to[i] = (uint8_t)v;
  }
  return n;
}

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

/* Feeds `n` bytes cut at `cut`; returns the last result and the number of bytes taken. */
static int feed(struct ocf_mss *m, const void *p, size_t n, size_t cut, size_t *taken)
{
  const uint8_t *b = p;
  struct ocf_bytes in = ocf_bytes(b, cut);
  int rc = ocf_mss_input(m, &in);
  *taken = cut - in.n;
  if (rc != OCF_MSS_MORE || cut == n)
    return rc;
  assert_int_equal(in.n, 0);
  in = ocf_bytes(b + cut, n - cut);
  rc = ocf_mss_input(m, &in);
  *taken = n - in.n;
  return rc;
}

/* All pending output, taken in pieces of `step` bytes. */
static size_t drain(struct ocf_mss *m, uint8_t *to, size_t cap, size_t step)
{
  size_t n = 0, got;
  while ((got = ocf_mss_output(m, to + n, OCF_MIN(step, cap - n))) > 0)
    n += got;
  assert_false(ocf_mss_has_output(m));
  return n;
}

/* Goal: our responder answers what Go did. Method: the opener's recorded bytes, cut everywhere; the
 * output must be the recorded negotiation, the rest of the input must be left alone. */
static void test_recorded_openers_get_the_recorded_answers(void **state)
{
  uint8_t in[2048], want[2048], out[2048];
  (void)state;
  for (size_t r = 0; r < OCF_ARRAY_LEN(mss_recs); r++) {
    const struct mss_rec *rec = &mss_recs[r];
    size_t n = from_hex(rec->opener, in, sizeof(in));
    size_t n_want = from_hex(rec->responder, want, sizeof(want));
    struct ocf_bytes proto = str(rec->agreed);
    for (size_t cut = 0; cut <= n; cut++) {
      struct ocf_alloc a;
      struct ocf_mss m;
      size_t taken;
      ocf_alloc_init(&a);
      ocf_mss_init_responder(&m, &a, &proto, proto.n != 0);
      int rc = feed(&m, in, n, cut, &taken);
      if (proto.n != 0) {
        assert_int_equal(rc, OCF_MSS_AGREED);
        assert_int_equal(taken, rec->opener_end);
        assert_true(ocf_mss_is_done(&m));
        assert_int_equal(ocf_mss_agreed(&m), 0);
        assert_int_equal(ocf_mss_eof(&m), 0);
      } else if (rec->well_formed) {
        assert_int_equal(rc, OCF_MSS_MORE);
      } else {
        assert_true(rc == OCF_EPROTO || (rc == OCF_MSS_MORE && ocf_mss_eof(&m) == OCF_EPROTO));
      }
      if (rc >= 0) {
        assert_int_equal(drain(&m, out, sizeof(out), cut % 7 + 1), n_want);
        assert_memory_equal(out, want, n_want);
      }
      ocf_mss_fini(&m);
      assert_int_equal(a.live_bytes, 0);
    }
  }
}

/* Goal: our initiator says what Go's did and understands its answers, however they are cut. */
static void test_recorded_responders_are_understood(void **state)
{
  uint8_t in[2048], want[2048], out[2048];
  (void)state;
  for (size_t r = 0; r < OCF_ARRAY_LEN(mss_recs); r++) {
    const struct mss_rec *rec = &mss_recs[r];
    if (rec->n_props == 0)
      continue;
    struct ocf_bytes props[8];
    for (int i = 0; i < rec->n_props; i++)
      props[i] = str(rec->props[i]);
    size_t n = from_hex(rec->responder, in, sizeof(in));
    (void)from_hex(rec->opener, want, sizeof(want));
    for (size_t step = 1; step <= n; step++) {
      struct ocf_alloc a;
      struct ocf_mss m;
      size_t n_out, at = 0;
      int rc = OCF_MSS_MORE;
      ocf_alloc_init(&a);
      ocf_mss_init_initiator(&m, &a, props, (size_t)rec->n_props);
      n_out = drain(&m, out, sizeof(out), step);
      while (at < n && rc == OCF_MSS_MORE) {
        /* An answer comes only after its question. */
        size_t end = OCF_MIN(n, at + 1);
        struct ocf_bytes b = ocf_bytes(in + at, end - at);
        rc = ocf_mss_input(&m, &b);
        at = end - b.n;
        if (rc >= 0)
          n_out += drain(&m, out + n_out, sizeof(out) - n_out, step);
      }
      assert_int_equal(rc, rec->agreed[0] != '\0' ? OCF_MSS_AGREED : OCF_EUNSUPP);
      assert_int_equal(at, n);
      if (rc == OCF_MSS_AGREED)
        assert_int_equal(ocf_mss_agreed(&m), rec->n_props - 1);
      if (rec->agreed[0] != '\0')
        assert_int_equal(n_out, rec->opener_end);
      assert_memory_equal(out, want, n_out);
      ocf_mss_fini(&m);
      assert_int_equal(a.live_bytes, 0);
    }
  }
}

/* Feeds a responder that knows /ping; returns the result, *left = bytes not taken. */
static int respond(const void *p, size_t n, size_t *left, uint8_t *out, size_t *n_out)
{
  struct ocf_bytes ping = OCF_STR("/ping");
  struct ocf_alloc a;
  struct ocf_mss m;
  struct ocf_bytes in = ocf_bytes(p, n);
  ocf_alloc_init(&a);
  ocf_mss_init_responder(&m, &a, &ping, 1);
  int rc = ocf_mss_input(&m, &in);
  *left = in.n;
  *n_out = ocf_mss_output(&m, out, 256);
  ocf_mss_fini(&m);
  assert_int_equal(a.live_bytes, 0);
  return rc;
}

/* Goal: lazy mode. Header, proposal and application bytes in one piece, then the peer half-closes:
 * we stop exactly behind the proposal and still answer. */
static void test_application_bytes_behind_the_proposal_are_left_alone(void **state)
{
  static const char in[] = H "\x06/ping\n" H "data";
  size_t left, n_out;
  uint8_t out[256];
  (void)state;
  assert_int_equal(respond(in, sizeof(in) - 1, &left, out, &n_out), OCF_MSS_AGREED);
  assert_int_equal(left, 24);
  assert_int_equal(n_out, 27);
  assert_memory_equal(out, H "\x06/ping\n", n_out);
}

static void test_ls_and_pipelined_unknown_names_are_refused_in_order(void **state)
{
  static const char in[] = H "\x03ls\n\x03/a\n\x03/b\n\x06/ping\nx";
  size_t left, n_out;
  uint8_t out[256];
  (void)state;
  assert_int_equal(respond(in, sizeof(in) - 1, &left, out, &n_out), OCF_MSS_AGREED);
  assert_int_equal(left, 1);
  assert_int_equal(n_out, 39);
  assert_memory_equal(out, H "\x03na\n\x03na\n\x03na\n\x06/ping\n", n_out);
}

/* V-08 and the probes of Go: every malformed token is an error, and nothing is said about it. */
static void test_malformed_tokens_end_the_negotiation(void **state)
{
  static const struct {
    const char *p;
    size_t n;
  } bad[] = {
#define BAD(s) { s, sizeof(s) - 1 }
    BAD(H "\x06/pingx"),             /* no newline */
    BAD(H "\x86\x00/ping\n"),        /* length not minimal */
    BAD(H "\x81\x08"),               /* 1025 */
    BAD(H "\xff\xff\xff\xff\x01"),   /* 2^28 and more */
    BAD(H "\x80\x80\x80\x80\x80"),   /* endless length */
    BAD(H "\x80\x00"),               /* zero in two bytes */
    BAD(H "\x00"),                   /* empty: not even a newline */
    BAD("\x06/ping\n"),              /* no header */
    BAD("\x13/multistream/1.0.1\n"), /* another version */
    BAD("\x04/ab\n"),                /* something else */
    BAD("GET / HTTP/1.1\r\n"),       /* a wrong port */
    BAD("\x13/multistream/1.0.0\r"), /* not a newline */
#undef BAD
  };
  size_t left, n_out;
  uint8_t out[256];
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    int rc = respond(bad[i].p, bad[i].n, &left, out, &n_out);
    if (rc != OCF_EPROTO && !(rc == OCF_MSS_MORE && bad[i].p[0] == 'G'))
      fail_msg("case %zu: %d", i, rc);
    if (rc < 0)
      assert_int_equal(n_out, 0);
  }
}

static void test_longest_token_is_taken_and_one_more_is_not(void **state)
{
  uint8_t name[OCF_MSS_TOKEN_MAX], in[OCF_MSS_TOKEN_MAX + 64], out[OCF_MSS_TOKEN_MAX + 64];
  (void)state;
  memset(name, 'a', sizeof(name));
  name[0] = '/';
  struct ocf_bytes proto = ocf_bytes(name, sizeof(name) - 1);
  struct ocf_alloc a;
  struct ocf_mss i, r;
  ocf_alloc_init(&a);
  ocf_mss_init_initiator(&i, &a, &proto, 1);
  ocf_mss_init_responder(&r, &a, &proto, 1);
  size_t n = drain(&i, in, sizeof(in), sizeof(in));
  assert_int_equal(n, 20 + 2 + OCF_MSS_TOKEN_MAX);
  for (size_t at = 0; at < n; at++) { /* byte by byte: one gather, never larger than the token */
    struct ocf_bytes b = ocf_bytes(in + at, 1);
    assert_int_equal(ocf_mss_input(&r, &b), at + 1 == n ? OCF_MSS_AGREED : OCF_MSS_MORE);
    assert_true(a.live_bytes <= OCF_MSS_TOKEN_MAX);
  }
  n = drain(&r, out, sizeof(out), 100);
  struct ocf_bytes b = ocf_bytes(out, n);
  assert_int_equal(ocf_mss_input(&i, &b), OCF_MSS_AGREED);
  ocf_mss_fini(&i);
  ocf_mss_fini(&r);
  assert_int_equal(a.live_bytes, 0);
}

/* Goal: V-08, endless proposals end after a fixed number of refusals. */
static void test_number_of_refusals_is_bounded(void **state)
{
  struct ocf_alloc a;
  struct ocf_mss m;
  uint8_t out[64];
  int rc = OCF_MSS_MORE, n = 0;
  (void)state;
  ocf_alloc_init(&a);
  ocf_mss_init_responder(&m, &a, NULL, 0);
  struct ocf_bytes in = OCF_STR(H);
  assert_int_equal(ocf_mss_input(&m, &in), OCF_MSS_MORE);
  while (rc == OCF_MSS_MORE) {
    in = OCF_STR("\x03/x\n");
    rc = ocf_mss_input(&m, &in);
    n++;
    (void)drain(&m, out, sizeof(out), sizeof(out));
  }
  assert_int_equal(rc, OCF_ELIMIT);
  assert_int_equal(n, OCF_MSS_ROUNDS_MAX);
  ocf_mss_fini(&m);
}

static int initiate(const char *answer, size_t n)
{
  static const struct ocf_bytes props[] = { { (const uint8_t *)"/noise", 6 } };
  struct ocf_alloc a;
  struct ocf_mss m;
  uint8_t out[64];
  struct ocf_bytes in = ocf_bytes(answer, n);
  ocf_alloc_init(&a);
  ocf_mss_init_initiator(&m, &a, props, 1);
  (void)drain(&m, out, sizeof(out), sizeof(out));
  int rc = ocf_mss_input(&m, &in);
  ocf_mss_fini(&m);
  return rc;
}

/* Goal: two diallers on one connection are told apart from an ordinary refusal or rubbish. */
static void test_proposal_instead_of_an_answer_is_a_simultaneous_open(void **state)
{
#define ANSWER(s) initiate(s, sizeof(s) - 1)
  (void)state;
  assert_int_equal(ANSWER(H "\x0b/tls/1.0.0\n"), OCF_MSS_EBOTHDIAL);
  assert_int_equal(ANSWER(H "\x03na\n"), OCF_EUNSUPP);
  assert_int_equal(ANSWER(H "\x03no\n"), OCF_EPROTO);
  assert_int_equal(ANSWER(H "\x03ls\n"), OCF_EPROTO);
  assert_int_equal(ANSWER(H "\x01\n"), OCF_EPROTO);
  assert_int_equal(ANSWER("\x03na\n"), OCF_EPROTO);
  assert_int_equal(ANSWER(H "\x07/noise\n"), OCF_MSS_AGREED);
#undef ANSWER
}

/* Goal: an answer cannot come before its question was sent. */
static void test_premature_answer_is_an_error(void **state)
{
  static const struct ocf_bytes props[] = { { (const uint8_t *)"/a", 2 },
                                            { (const uint8_t *)"/b", 2 } };
  struct ocf_alloc a;
  struct ocf_mss m;
  uint8_t out[64];
  (void)state;
  ocf_alloc_init(&a);
  ocf_mss_init_initiator(&m, &a, props, 2);
  (void)drain(&m, out, sizeof(out), sizeof(out));
  struct ocf_bytes in = OCF_STR(H "\x03na\n\x03na\n");
  assert_int_equal(ocf_mss_input(&m, &in), OCF_EPROTO);
  ocf_mss_fini(&m);
}

/* Goal: out of memory is an error, never a leak. Method: the only allocation is for a split token.
 */
static void test_out_of_memory_is_reported(void **state)
{
  struct ocf_alloc a;
  struct ocf_mss m;
  (void)state;
  ocf_alloc_init(&a);
  a.fail_at = 1;
  ocf_mss_init_responder(&m, &a, NULL, 0);
  struct ocf_bytes in = OCF_STR(H "\x03/x\n"); /* whole tokens need none */
  assert_int_equal(ocf_mss_input(&m, &in), OCF_MSS_MORE);
  in = OCF_STR("\x03/");
  assert_int_equal(ocf_mss_input(&m, &in), OCF_ENOMEM);
  ocf_mss_fini(&m);
  assert_int_equal(a.live_bytes, 0);
}

static void test_state_is_small(void **state)
{
  (void)state;
  assert_true(sizeof(struct ocf_mss) <= 64);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_recorded_openers_get_the_recorded_answers),
    cmocka_unit_test(test_recorded_responders_are_understood),
    cmocka_unit_test(test_application_bytes_behind_the_proposal_are_left_alone),
    cmocka_unit_test(test_ls_and_pipelined_unknown_names_are_refused_in_order),
    cmocka_unit_test(test_malformed_tokens_end_the_negotiation),
    cmocka_unit_test(test_longest_token_is_taken_and_one_more_is_not),
    cmocka_unit_test(test_number_of_refusals_is_bounded),
    cmocka_unit_test(test_proposal_instead_of_an_answer_is_a_simultaneous_open),
    cmocka_unit_test(test_premature_answer_is_an_error),
    cmocka_unit_test(test_out_of_memory_is_reported),
    cmocka_unit_test(test_state_is_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
