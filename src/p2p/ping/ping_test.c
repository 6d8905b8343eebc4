#include "testing/test.h"

#include "p2p/ping/ping.h"

struct ping_rec {
  const char *name, *opener, *responder; /* hex, behind the negotiation */
};
#include "tests/vectors/gen/ping_vectors.inc"

static const uint8_t rnd[OCF_PING_LEN] = { 1, 2, 3 };

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

static struct ocf_pong new_pong(uint64_t now_ns)
{
  struct ocf_pong_config c;
  struct ocf_pong p;
  ocf_pong_config_default(&c);
  ocf_pong_init(&p, &c, now_ns);
  return p;
}

/* Offers `n` bytes in pieces of `step`, and drains every echo in pieces of `step`. */
static size_t echo(struct ocf_pong *p, const uint8_t *d, size_t n, size_t step, uint8_t *out)
{
  size_t n_out = 0, at = 0;
  while (at < n) {
    struct ocf_bytes in = ocf_bytes(d + at, OCF_MIN(step, n - at));
    size_t before = in.n, got;
    ocf_pong_input(p, 0, &in);
    at += before - in.n;
    got = ocf_pong_output(p, 0, out + n_out, step);
    n_out += got;
    assert_true(before > in.n || got > 0); /* it always gets on */
  }
  for (size_t got; (got = ocf_pong_output(p, 0, out + n_out, step)) > 0;)
    n_out += got;
  return n_out;
}

/* Goal: our responder gives the recorded echoes, however bytes are cut (a peer may have reset
 * before the last echo of the recording). */
static void test_recorded_rounds_are_echoed(void **state)
{
  uint8_t in[512], want[512], out[512];
  (void)state;
  for (size_t r = 0; r < OCF_ARRAY_LEN(ping_recs); r++) {
    size_t n = from_hex(ping_recs[r].opener, in, sizeof(in));
    size_t n_want = from_hex(ping_recs[r].responder, want, sizeof(want));
    for (size_t step = 1; step <= n; step++) {
      struct ocf_pong p = new_pong(0);
      size_t n_out = echo(&p, in, n, step, out);
      assert_int_equal(n_out, n / OCF_PING_LEN * OCF_PING_LEN);
      assert_true(n_want <= n_out);
      assert_memory_equal(out, want, n_want);
      assert_true(ocf_pong_is_clear(&p));
    }
  }
}

/* Goal: our initiator takes Go's recorded echoes as answers to the recorded payloads. */
static void test_recorded_echoes_are_accepted(void **state)
{
  uint8_t sent[512], back[512], out[OCF_PING_LEN];
  (void)state;
  for (size_t r = 0; r < OCF_ARRAY_LEN(ping_recs); r++) {
    (void)from_hex(ping_recs[r].opener, sent, sizeof(sent));
    size_t n = from_hex(ping_recs[r].responder, back, sizeof(back));
    struct ocf_ping p;
    struct ocf_ping_event ev;
    ocf_ping_init(&p, 1000);
    for (size_t at = 0; at < n; at += OCF_PING_LEN) {
      assert_int_equal(ocf_ping_start(&p, 5, sent + at), 0);
      assert_int_equal(ocf_ping_output(&p, 10, out, sizeof(out)), OCF_PING_LEN);
      assert_memory_equal(out, sent + at, OCF_PING_LEN);
      assert_int_equal(ocf_ping_input(&p, 30, ocf_bytes(back + at, OCF_PING_LEN)), 0);
      assert_true(ocf_ping_event(&p, &ev));
      assert_int_equal(ev.err, 0);
      assert_int_equal(ev.rtt_ns, 20);
    }
  }
}

/* Goal: fragmentation never changes the outcome. Method: every place to cut the echo. */
static void test_any_split_gives_the_same_event(void **state)
{
  (void)state;
  for (size_t cut = 0; cut <= OCF_PING_LEN; cut++) {
    struct ocf_ping p;
    struct ocf_ping_event ev;
    uint8_t wire[OCF_PING_LEN];
    ocf_ping_init(&p, 1000);
    assert_int_equal(ocf_ping_start(&p, 5, rnd), 0);
    assert_int_equal(ocf_ping_output(&p, 6, wire, cut), cut);
    assert_int_equal(ocf_ping_output(&p, 10, wire + cut, 64), OCF_PING_LEN - cut);
    assert_int_equal(ocf_ping_output(&p, 11, wire, 64), 0);
    assert_int_equal(ocf_ping_input(&p, 35, ocf_bytes(wire, cut)), 0);
    assert_int_equal(ocf_ping_input(&p, 36, ocf_bytes(wire + cut, OCF_PING_LEN - cut)), 0);
    assert_true(ocf_ping_event(&p, &ev));
    assert_int_equal(ev.err, 0);
    assert_int_equal(ev.rtt_ns, cut == OCF_PING_LEN ? 29 : 25 + (cut < OCF_PING_LEN));
    assert_false(ocf_ping_event(&p, &ev));
    assert_true(ocf_ping_is_idle(&p));
  }
}

static void test_no_answer_in_time_is_an_error(void **state)
{
  struct ocf_ping p;
  struct ocf_ping_event ev;
  (void)state;
  ocf_ping_init(&p, 1000);
  assert_true(ocf_ping_deadline(&p) == OCF_TIME_NEVER);
  assert_int_equal(ocf_ping_start(&p, 5, rnd), 0);
  assert_int_equal(ocf_ping_start(&p, 6, rnd), OCF_ESTATE);
  assert_int_equal(ocf_ping_deadline(&p), 1005);
  ocf_ping_tick(&p, 1004);
  assert_false(ocf_ping_event(&p, &ev));
  ocf_ping_tick(&p, 1005);
  assert_int_equal(ocf_ping_start(&p, 1006, rnd), OCF_ESTATE);
  assert_true(ocf_ping_event(&p, &ev));
  assert_int_equal(ev.err, OCF_ETIME);
  assert_int_equal(ocf_ping_start(&p, 1006, rnd), OCF_ESTATE); /* a late echo would be mistaken */
}

static void test_wrong_early_or_unasked_bytes_are_errors(void **state)
{
  struct ocf_ping p;
  struct ocf_ping_event ev;
  uint8_t wire[OCF_PING_LEN];
  (void)state;
  ocf_ping_init(&p, 1000);
  assert_int_equal(ocf_ping_start(&p, 5, rnd), 0);
  assert_int_equal(ocf_ping_output(&p, 6, wire, 4), 4);
  assert_int_equal(ocf_ping_input(&p, 7, ocf_bytes(rnd, 5)), OCF_EPROTO); /* more than was sent */
  assert_true(ocf_ping_event(&p, &ev) && ev.err == OCF_EPROTO);

  ocf_ping_init(&p, 1000);
  assert_int_equal(ocf_ping_start(&p, 5, rnd), 0);
  assert_int_equal(ocf_ping_output(&p, 6, wire, 32), 32);
  wire[31] ^= 1;
  assert_int_equal(ocf_ping_input(&p, 7, ocf_bytes(wire, 32)), OCF_EPROTO);

  ocf_ping_init(&p, 1000);
  assert_int_equal(ocf_ping_input(&p, 7, ocf_bytes(wire, 0)), 0);
  assert_int_equal(ocf_ping_input(&p, 7, ocf_bytes(wire, 1)), OCF_EPROTO);
  assert_int_equal(ocf_ping_start(&p, 8, rnd), OCF_ESTATE);
  assert_false(ocf_ping_event(&p, &ev));
}

/* Go's server ends its stream after 10 s idle and 30 s in any case. */
static void test_end_of_stream_loses_the_round_under_way(void **state)
{
  struct ocf_ping p;
  struct ocf_ping_event ev;
  (void)state;
  ocf_ping_init(&p, 1000);
  ocf_ping_eof(&p);
  assert_false(ocf_ping_event(&p, &ev));
  assert_false(ocf_ping_is_idle(&p));
  ocf_ping_init(&p, 1000);
  assert_int_equal(ocf_ping_start(&p, 5, rnd), 0);
  ocf_ping_eof(&p);
  assert_true(ocf_ping_event(&p, &ev));
  assert_int_equal(ev.err, OCF_EEOF);
}

static void test_statistics(void **state)
{
  struct ocf_ping_stats st = { 0 };
  (void)state;
  ocf_ping_stats_add(&st, 800);
  assert_int_equal(st.ewma_ns, 800);
  ocf_ping_stats_add(&st, 1600);
  assert_int_equal(st.ewma_ns, 900);
  ocf_ping_stats_add(&st, 400);
  ocf_ping_stats_lost(&st);
  assert_int_equal(st.last_ns, 400);
  assert_int_equal(st.min_ns, 400);
  assert_int_equal(st.max_ns, 1600);
  assert_int_equal(st.n_ok, 3);
  assert_int_equal(st.n_lost, 1);
}

static void test_responder_ends_after_the_idle_limit(void **state)
{
  struct ocf_pong p = new_pong(1000);
  struct ocf_bytes in = ocf_bytes(rnd, sizeof(rnd));
  const uint64_t s = OCF_NS_PER_S;
  (void)state;
  assert_int_equal(ocf_pong_deadline(&p), 1000 + 60 * s);
  ocf_pong_input(&p, 50 * s, &in);
  assert_false(ocf_pong_is_clear(&p));
  assert_int_equal(ocf_pong_tick(&p, 61 * s), 0);
  in = ocf_bytes(rnd, 31); /* a part of a round does not count */
  ocf_pong_input(&p, 100 * s, &in);
  assert_int_equal(ocf_pong_tick(&p, 110 * s - 1), 0);
  assert_int_equal(ocf_pong_tick(&p, 110 * s), OCF_ETIME);
}

/* Goal: a flood is slowed to the stated rate, and nothing is dropped. */
static void test_rounds_beyond_the_rate_are_delayed(void **state)
{
  struct ocf_pong_config c = { .idle_ns = 60 * OCF_NS_PER_S, .burst = 4, .per_s = 10 };
  struct ocf_pong p;
  uint8_t out[OCF_PING_LEN];
  uint64_t now = 0;
  int rounds = 0;
  (void)state;
  ocf_pong_init(&p, &c, 0);
  while (rounds < 104) {
    struct ocf_bytes in = ocf_bytes(rnd, sizeof(rnd));
    ocf_pong_input(&p, now, &in);
    if (in.n == 0) {
      assert_int_equal(ocf_pong_output(&p, now, out, sizeof(out)), OCF_PING_LEN);
      rounds++;
      continue;
    }
    assert_int_equal(in.n, sizeof(rnd));
    assert_true(ocf_pong_deadline(&p) > now);
    now = ocf_pong_deadline(&p);
    assert_int_equal(ocf_pong_tick(&p, now), 0);
  }
  assert_true(now >= 99 * OCF_NS_PER_S / 10 && now <= 11 * OCF_NS_PER_S);
}

static void test_echo_waits_for_the_reader(void **state)
{
  struct ocf_pong p = new_pong(0);
  uint8_t two[64], out[64];
  (void)state;
  memset(two, 7, sizeof(two));
  struct ocf_bytes in = ocf_bytes(two, sizeof(two));
  ocf_pong_input(&p, 0, &in);
  ocf_pong_input(&p, 0, &in);
  assert_int_equal(in.n, 32); /* bounded: one round in hand */
  assert_int_equal(ocf_pong_output(&p, 0, out, 5), 5);
  ocf_pong_input(&p, 0, &in);
  assert_int_equal(in.n, 32);
  assert_int_equal(ocf_pong_output(&p, 0, out, 64), 27);
  ocf_pong_input(&p, 0, &in);
  assert_int_equal(in.n, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_recorded_rounds_are_echoed),
    cmocka_unit_test(test_recorded_echoes_are_accepted),
    cmocka_unit_test(test_any_split_gives_the_same_event),
    cmocka_unit_test(test_no_answer_in_time_is_an_error),
    cmocka_unit_test(test_wrong_early_or_unasked_bytes_are_errors),
    cmocka_unit_test(test_end_of_stream_loses_the_round_under_way),
    cmocka_unit_test(test_statistics),
    cmocka_unit_test(test_responder_ends_after_the_idle_limit),
    cmocka_unit_test(test_rounds_beyond_the_rate_are_delayed),
    cmocka_unit_test(test_echo_waits_for_the_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
