/* Windows, credit, fairness, and time. */
#include "p2p/yamux/yamux_test.h"

/* ---- receive windows --------------------------------------------------------------------------
 */

/* Attack 10: updates are sent for half a window at least. */
static void test_credit_is_offered_once_half_the_window_is_consumed(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  (void)flush(&r);
  (void)feed(&r, TYPE_DATA, 0, 1, OCF_YAMUX_WINDOW);
  assert_int_equal(ocf_yamux_held(s), OCF_YAMUX_WINDOW);
  ocf_yamux_consumed(r.y, r.now, s, OCF_YAMUX_WINDOW / 2 - 1);
  assert_int_equal(flush(&r), 0);
  ocf_yamux_consumed(r.y, r.now, s, 1);
  expect_only(&r, TYPE_WINDOW, 0, 1, OCF_YAMUX_WINDOW / 2);
  ocf_yamux_consumed(r.y, r.now, s, OCF_YAMUX_WINDOW / 2);
  expect_only(&r, TYPE_WINDOW, 0, 1, OCF_YAMUX_WINDOW / 2);
  assert_int_equal(ocf_yamux_held(s), 0);
  assert_int_equal(ocf_yamux_stats(r.y)->held_bytes, 0);
  rig_fini(&r);
}

static void test_no_credit_is_offered_after_the_end(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1), *t = accept_stream(&r, 3);
  (void)flush(&r);
  (void)feed(&r, TYPE_DATA, 0, 1, 200000);
  (void)feed(&r, TYPE_DATA, 0, 3, 200000);
  ocf_yamux_consumed(r.y, r.now, t, 200000);
  (void)feed(&r, TYPE_WINDOW, FLAG_FIN, 1, 0);
  (void)feed(&r, TYPE_WINDOW, FLAG_FIN, 3, 0); /* with the update already due */
  ocf_yamux_consumed(r.y, r.now, s, 200000);
  assert_int_equal(flush(&r), 0);
  rig_fini(&r);
}

static void make_rtt(struct rig *r, uint64_t rtt_ns)
{
  ocf_yamux_tick(r->y, r->now);
  (void)flush(r);
  assert_int_equal(r->area[1], TYPE_PING);
  uint32_t value = ocf_get_be32(r->area + 8);
  r->now += rtt_ns;
  struct ocf_yamux_event ev = feed(r, TYPE_PING, FLAG_ACK, 0, value);
  assert_int_equal(ev.kind, OCF_YAMUX_EV_RTT);
  assert_int_equal(ev.rtt_ns, rtt_ns);
  assert_int_equal(ocf_yamux_rtt(r->y), rtt_ns);
}

/* Fills and drains the window of `s` once, `age` after the last update; returns the credit. */
static uint32_t refill(struct rig *r, struct ocf_yamux_stream *s, uint64_t age)
{
  uint32_t left = s->recv_max / 2;
  while (left != 0) {
    uint32_t n = OCF_MIN(left, 262144);
    assert_int_equal(feed(r, TYPE_DATA, 0, s->id, n).kind, OCF_YAMUX_EV_DATA);
    ocf_yamux_consumed(r->y, r->now, s, n);
    left -= n;
  }
  r->now += age;
  assert_true(flush(r) == 12);
  return ocf_get_be32(r->area + 8);
}

static void test_window_doubles_when_used_up_within_four_round_trips(void **state)
{
  struct rig r;
  struct ocf_yamux_config c = rig_config(false);
  (void)state;
  c.rtt_interval_ns = 3600 * SEC;
  c.keepalive_ns = 0;
  c.growth_max = 64 << 20;
  rig_init(&r, &c);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  (void)flush(&r); /* pings and acknowledges */
  uint32_t value = ocf_get_be32(r.area + 8);
  r.now += SEC;
  assert_int_equal(refill(&r, s, 0), 131072); /* no round trip known yet */
  assert_int_equal(feed(&r, TYPE_PING, FLAG_ACK, 0, value).kind, OCF_YAMUX_EV_RTT);
  assert_int_equal(refill(&r, s, 4 * SEC), 131072); /* too slow */
  assert_int_equal(refill(&r, s, 4 * SEC - 1), 131072 + 262144);
  assert_int_equal(s->recv_max, 524288);
  assert_int_equal(refill(&r, s, SEC), 262144 + 524288);
  while (s->recv_max < c.window_max)
    (void)refill(&r, s, 1);
  assert_int_equal(s->recv_max, 16 << 20);
  assert_int_equal(refill(&r, s, 1), 8 << 20); /* not beyond */
  assert_int_equal(ocf_yamux_stats(r.y)->growth_bytes, (16 << 20) - OCF_YAMUX_WINDOW);
  ocf_yamux_reset(r.y, r.now, s, 0);
  (void)flush(&r);
  assert_int_equal(ocf_yamux_stats(r.y)->growth_bytes, 0);
  rig_fini(&r);
}

static void test_all_windows_share_the_growth_of_the_connection(void **state)
{
  struct rig r;
  struct ocf_yamux_config c = rig_config(false);
  (void)state;
  c.rtt_interval_ns = 3600 * SEC;
  c.keepalive_ns = 0;
  c.growth_max = 1000000;
  rig_init(&r, &c);
  make_rtt(&r, SEC);
  for (uint32_t id = 1; id < 20; id += 2) {
    struct ocf_yamux_stream *s = accept_stream(&r, id);
    (void)flush(&r);
    for (int i = 0; i < 5; i++)
      (void)refill(&r, s, 1);
    assert_true(ocf_yamux_stats(r.y)->growth_bytes <= c.growth_max);
  }
  assert_int_equal(ocf_yamux_stats(r.y)->growth_bytes, c.growth_max);
  rig_fini(&r);
}

static void test_what_slow_readers_hold_leaves_no_room_for_growth(void **state)
{
  struct rig r;
  struct ocf_yamux_config c = rig_config(false);
  (void)state;
  c.rtt_interval_ns = 3600 * SEC;
  c.keepalive_ns = 0;
  c.growth_max = 3 * OCF_YAMUX_WINDOW;
  rig_init(&r, &c);
  make_rtt(&r, SEC);
  struct ocf_yamux_stream *slow[3], *fast = accept_stream(&r, 1);
  for (uint32_t i = 0; i < OCF_ARRAY_LEN(slow); i++) {
    slow[i] = accept_stream(&r, 3 + 2 * i);
    (void)flush(&r);
    (void)feed(&r, TYPE_DATA, 0, slow[i]->id, OCF_YAMUX_WINDOW);
  }
  assert_int_equal(refill(&r, fast, 1), OCF_YAMUX_WINDOW / 2);
  assert_int_equal(ocf_yamux_stats(r.y)->growth_bytes, 0);
  r.now += 4 * SEC; /* it took its time, so its own window does not grow */
  ocf_yamux_consumed(r.y, r.now, slow[0], OCF_YAMUX_WINDOW);
  (void)flush(&r);
  assert_int_equal(refill(&r, fast, 0), OCF_YAMUX_WINDOW / 2);
  assert_int_equal(refill(&r, fast, 1), OCF_YAMUX_WINDOW / 2 + OCF_YAMUX_WINDOW);
  rig_fini(&r);
}

static void test_a_grown_window_shrinks_when_the_reader_has_become_slow(void **state)
{
  struct rig r;
  struct ocf_yamux_config c = rig_config(false);
  (void)state;
  c.rtt_interval_ns = 3600 * SEC;
  c.keepalive_ns = 0;
  c.growth_max = 64 << 20;
  rig_init(&r, &c);
  make_rtt(&r, SEC);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  (void)flush(&r);
  while (s->recv_max < 4 << 20)
    (void)refill(&r, s, 1);
  assert_int_equal(refill(&r, s, 64 * SEC - 1), 2 << 20);
  assert_int_equal(refill(&r, s, 64 * SEC), 1 << 20); /* half of the credit is kept back */
  assert_int_equal(s->recv_max, 3 << 20);
  assert_int_equal(ocf_yamux_stats(r.y)->growth_bytes, (3 << 20) - OCF_YAMUX_WINDOW);
  for (int i = 0; i < 20; i++)
    (void)refill(&r, s, 64 * SEC);
  assert_int_equal(s->recv_max, OCF_YAMUX_WINDOW);
  assert_int_equal(ocf_yamux_stats(r.y)->growth_bytes, 0);
  assert_int_equal(refill(&r, s, 64 * SEC), OCF_YAMUX_WINDOW / 2); /* and no further */
  rig_fini(&r);
}

static void test_window_of_a_reader_that_does_not_drain_stays(void **state)
{
  struct rig r;
  struct ocf_yamux_config c = rig_config(false);
  (void)state;
  c.rtt_interval_ns = 3600 * SEC;
  rig_init(&r, &c);
  make_rtt(&r, SEC);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  (void)flush(&r);
  (void)feed(&r, TYPE_DATA, 0, 1, OCF_YAMUX_WINDOW);
  ocf_yamux_consumed(r.y, r.now, s, 1000);
  assert_int_equal(flush(&r), 0);
  assert_int_equal(s->recv_max, OCF_YAMUX_WINDOW);
  expect_death(&r, feed(&r, TYPE_DATA, 0, 1, 1), OCF_EPROTO, 1, true);
  rig_fini(&r);
}

/* ---- send windows -----------------------------------------------------------------------------
 */

/* Gotcha 2, seen from the sender. */
static void test_writer_stops_exactly_at_the_window(void **state)
{
  struct rig r;
  size_t sent = 0, n;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r);
  (void)flush(&r);
  do {
    r.out.n = 0;
    n = write_n(&r, s, 1000000);
    assert_true(n <= OCF_YAMUX_BODY_MAX);
    assert_true(r.out.n <= 65519);
    sent += n;
  } while (n != 0);
  assert_int_equal(sent, OCF_YAMUX_WINDOW);
  assert_int_equal(ocf_yamux_blocked_since(s), r.now);
  assert_null(ocf_yamux_next_writable(r.y, &r.out));
  r.now += SEC;
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_ACK, 1, 8126464).kind, 99); /* an ACK is credit too */
  assert_ptr_equal(ocf_yamux_next_writable(r.y, &r.out), s);
  assert_true(ocf_yamux_blocked_since(s) == OCF_TIME_NEVER);
  assert_int_equal(ocf_yamux_send_window(s), 8126464);
  rig_fini(&r);
}

/* Attack 10: one-byte updates must not become one-byte frames. */
static void test_updates_of_one_byte_do_not_wake_the_writer(void **state)
{
  struct rig r;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r);
  (void)flush(&r);
  while (write_n(&r, s, 65000) != 0)
    r.out.n = 0;
  for (int i = 1; i < 1024; i++) {
    (void)feed(&r, TYPE_WINDOW, 0, 1, 1);
    assert_false(ocf_yamux_has_writable(r.y));
    assert_int_equal(write_n(&r, s, 1000), 0);
  }
  (void)feed(&r, TYPE_WINDOW, 0, 1, 1);
  r.out.n = 0;
  assert_ptr_equal(ocf_yamux_next_writable(r.y, &r.out), s);
  assert_int_equal(write_n(&r, s, 65000), 1024);
  rig_fini(&r);
}

static void test_writer_without_room_is_called_when_there_is_room(void **state)
{
  struct rig r;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r);
  (void)flush(&r);
  r.out.n = 0;
  r.out.cap = 1000;
  assert_int_equal(write_n(&r, s, 5000), 988);
  assert_int_equal(write_n(&r, s, 4012), 0);
  assert_null(ocf_yamux_next_writable(r.y, &r.out));
  assert_true(ocf_yamux_has_writable(r.y));
  r.out.n = 0;
  assert_int_equal(write_n(&r, s, 4012), 0); /* it waits for its turn now */
  assert_ptr_equal(ocf_yamux_next_writable(r.y, &r.out), s);
  assert_int_equal(write_n(&r, s, 4012), 988);
  r.out.n = 0;
  r.out.cap = OCF_YAMUX_OUT_MIN; /* the smallest area is enough, SYN included */
  struct ocf_yamux_stream *t = open_stream(&r);
  assert_true(write_n(&r, t, 5000) > 0);
  r.out.n = 600; /* a crumb of room is not worth a header, unless it holds all there is */
  r.out.cap = 700;
  struct ocf_yamux_stream *u = open_stream(&r);
  assert_int_equal(write_n(&r, u, 10), 10);
  assert_int_equal(write_n(&r, u, 1000), 0);
  rig_fini(&r);
}

/* Goal: equal shares. Method: three streams with endless data and areas of all sizes. */
static void test_streams_that_wait_take_turns_of_a_quantum(void **state)
{
  struct rig r;
  struct ocf_yamux_stream *s[3];
  size_t sent[3] = { 0 };
  (void)state;
  rig_dialler(&r);
  for (uint32_t i = 0; i < 3; i++) {
    s[i] = open_stream(&r);
    ocf_yamux_set_user(s[i], &sent[i]);
  }
  (void)flush(&r);
  for (uint32_t i = 0; i < 3; i++)
    (void)feed(&r, TYPE_WINDOW, FLAG_ACK, 1 + 2 * i, 100 << 20);
  r.out = (struct ocf_yamux_out){ r.area, 0, 512 };
  for (uint32_t i = 0; i < 3; i++) { /* all start blocked for room */
    size_t n;
    while ((n = write_n(&r, s[i], 65000)) != 0)
      sent[i] += n;
  }
  for (int round = 0; round < 3000; round++) {
    struct ocf_yamux_stream *t;
    r.out.n = 0;
    r.out.cap = 512 + (size_t)(round * 7919) % 65000;
    while ((t = ocf_yamux_next_writable(r.y, &r.out)) != NULL) {
      size_t n;
      while ((n = write_n(&r, t, 65000)) != 0)
        *(size_t *)ocf_yamux_user(t) += n;
    }
    assert_true(ocf_yamux_has_writable(r.y));
  }
  for (int i = 0; i < 3; i++) {
    size_t most = OCF_MAX(sent[0], OCF_MAX(sent[1], sent[2]));
    assert_true(sent[i] > 20 << 20);
    assert_true(most - sent[i] < most / 10);
  }
  rig_fini(&r);
}

static void test_newcomer_queues_behind_those_who_wait(void **state)
{
  struct rig r;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r), *t = open_stream(&r);
  (void)flush(&r);
  r.out = (struct ocf_yamux_out){ r.area, 0, 600 };
  while (write_n(&r, s, 5000) != 0)
    continue;
  r.out = (struct ocf_yamux_out){ r.area, 0, 65519 };
  assert_int_equal(write_n(&r, t, 5000), 0);
  assert_ptr_equal(ocf_yamux_next_writable(r.y, &r.out), s);
  assert_int_equal(write_n(&r, s, 50000), 16384); /* its turn, as t waits */
  assert_int_equal(write_n(&r, s, 50000), 0);
  assert_ptr_equal(ocf_yamux_next_writable(r.y, &r.out), t);
  assert_int_equal(write_n(&r, t, 5000), 5000);
  ocf_yamux_finish(r.y, s); /* leaves the queue */
  assert_null(ocf_yamux_next_writable(r.y, &r.out));
  assert_int_equal(write_n(&r, t, 20000), 20000);
  rig_fini(&r);
}

static void test_begin_and_commit_make_the_frame_that_write_makes(void **state)
{
  struct rig r, q;
  uint8_t body[300];
  struct ocf_bytes iov[3] = { { body, 100 }, { NULL, 0 }, { body + 100, 200 } };
  size_t room;
  (void)state;
  for (size_t k = 0; k < sizeof(body); k++)
    body[k] = (uint8_t)k;
  rig_listener(&r);
  rig_listener(&q);
  struct ocf_yamux_stream *s = accept_stream(&r, 1), *t = accept_stream(&q, 1);
  assert_int_equal(ocf_yamux_write(r.y, r.now, s, iov, 3, &r.out), 300);
  assert_non_null(ocf_yamux_begin(q.y, q.now, t, 1000, &q.out, &room)); /* given up: no harm */
  uint8_t *to = ocf_yamux_begin(q.y, q.now, t, 1000, &q.out, &room);
  assert_int_equal(room, 1000);
  memcpy(to, body, 300);
  ocf_yamux_commit(q.y, t, 300, &q.out);
  assert_int_equal(r.out.n, 312);
  assert_int_equal(q.out.n, 312);
  assert_memory_equal(r.area, q.area, 312);
  assert_int_equal(ocf_yamux_send_window(t), OCF_YAMUX_WINDOW - 300);
  assert_null(ocf_yamux_begin(q.y, q.now, t, 0, &q.out, &room));
  rig_fini(&r);
  rig_fini(&q);
}

static void test_control_that_finds_no_room_waits(void **state)
{
  struct rig r;
  size_t at = 0, n = 0;
  (void)state;
  rig_listener(&r);
  for (uint32_t i = 0; i < 100; i++)
    (void)accept_stream(&r, 1 + 2 * i);
  (void)feed(&r, TYPE_PING, FLAG_SYN, 0, 1);
  r.out.cap = 11;
  assert_int_equal(flush(&r), 0);
  assert_true(ocf_yamux_has_output(r.y));
  r.out.cap = 12 * 10 + 5;
  assert_int_equal(flush(&r), 120);
  expect(&r, &at, TYPE_PING, FLAG_ACK, 0, 1);
  for (n = 9; ocf_yamux_has_output(r.y); n += r.out.n / 12)
    assert_true(flush(&r) > 0);
  assert_int_equal(n, 100);
  rig_fini(&r);
}

/* Goal: who fills every area with data, and never calls output, starves nobody. */
static void test_control_goes_ahead_of_data_unasked(void **state)
{
  struct rig r;
  size_t at = 0;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1), *t = accept_stream(&r, 3);
  (void)flush(&r);
  (void)feed(&r, TYPE_DATA, 0, 1, 200000);
  ocf_yamux_consumed(r.y, r.now, s, 200000);
  (void)feed(&r, TYPE_PING, FLAG_SYN, 0, 7);
  ocf_yamux_finish(r.y, t);
  r.out.n = 0;
  assert_int_equal(write_n(&r, s, 100), 100); /* its own credit, too */
  (void)feed(&r, TYPE_PING, FLAG_SYN, 0, 8);
  struct ocf_yamux_stream *u = accept_stream(&r, 5);
  assert_int_equal(write_n(&r, u, 100), 100);
  expect(&r, &at, TYPE_PING, FLAG_ACK, 0, 7);
  expect(&r, &at, TYPE_WINDOW, 0, 1, 200000);
  expect(&r, &at, TYPE_WINDOW, FLAG_FIN, 3, 0);
  expect(&r, &at, TYPE_DATA, 0, 1, 100);
  expect(&r, &at, TYPE_PING, FLAG_ACK, 0, 8);
  expect(&r, &at, TYPE_DATA, FLAG_ACK, 5, 100);
  assert_int_equal(at, r.out.n);
  assert_false(ocf_yamux_has_output(r.y));
  rig_fini(&r);
}

/* ---- time -------------------------------------------------------------------------------------
 */

static void test_first_output_is_a_ping_and_measures_the_round_trip(void **state)
{
  struct rig r;
  struct ocf_yamux_config c;
  (void)state;
  ocf_yamux_config_default(&c, true);
  rig_init(&r, &c);
  (void)open_stream(&r);
  assert_int_equal(flush(&r), 24);
  assert_int_equal(r.area[1], TYPE_PING);
  assert_int_equal(r.area[3], FLAG_SYN);
  uint32_t value = ocf_get_be32(r.area + 8);
  r.now += 1000;
  assert_int_equal(feed(&r, TYPE_PING, FLAG_ACK, 0, value + 1).kind, 99); /* not ours */
  struct ocf_yamux_event ev = feed(&r, TYPE_PING, FLAG_ACK, 0, value);
  assert_int_equal(ev.kind, OCF_YAMUX_EV_RTT);
  assert_int_equal(ev.rtt_ns, 1000);
  assert_int_equal(feed(&r, TYPE_PING, FLAG_ACK, 0, value).kind, 99);
  assert_int_equal(ocf_yamux_deadline(r.y), 31 * SEC); /* and every 30 s */
  r.now = 31 * SEC - 1;
  (void)feed(&r, TYPE_WINDOW, 0, 99, 1); /* traffic makes no difference to that */
  ocf_yamux_tick(r.y, r.now);
  assert_int_equal(flush(&r), 0);
  r.now = 31 * SEC;
  ocf_yamux_tick(r.y, r.now);
  assert_int_equal(flush(&r), 12);
  value = ocf_get_be32(r.area + 8);
  r.now += 3000;
  assert_int_equal(feed(&r, TYPE_PING, FLAG_ACK, 0, value).rtt_ns, 3000);
  assert_int_equal(ocf_yamux_rtt(r.y), 2000);
  rig_fini(&r);
}

static void test_silent_peer_is_pinged_and_then_given_up(void **state)
{
  struct rig r;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r);
  (void)flush(&r);
  assert_int_equal(ocf_yamux_deadline(r.y), 31 * SEC);
  r.now = 31 * SEC;
  ocf_yamux_tick(r.y, r.now);
  assert_int_equal(flush(&r), 12);
  assert_int_equal(ocf_yamux_deadline(r.y), 41 * SEC);
  r.now = 41 * SEC - 1;
  ocf_yamux_tick(r.y, r.now);
  assert_int_equal(next(&r).kind, 99);
  r.now = 41 * SEC;
  ocf_yamux_tick(r.y, r.now);
  struct ocf_yamux_event ev = next(&r);
  assert_ptr_equal(ev.stream, s);
  assert_int_equal(ev.err, OCF_ETIME);
  expect_death(&r, next(&r), OCF_ETIME, 0, false);
  assert_true(ocf_yamux_deadline(r.y) == OCF_TIME_NEVER);
  ocf_yamux_tick(r.y, r.now + SEC);
  rig_fini(&r);
}

static void test_peer_that_talks_without_answering_pings_is_alive(void **state)
{
  struct rig r;
  (void)state;
  rig_dialler(&r);
  r.now = 31 * SEC;
  ocf_yamux_tick(r.y, r.now);
  assert_int_equal(flush(&r), 12);
  r.now = 33 * SEC;
  (void)feed(&r, TYPE_WINDOW, 0, 1, 1);
  r.now = 41 * SEC;
  ocf_yamux_tick(r.y, r.now);
  assert_false(ocf_yamux_is_dead(r.y));
  assert_int_equal(ocf_yamux_deadline(r.y), 63 * SEC); /* 30 s after the last byte */
  r.now = 63 * SEC;
  ocf_yamux_tick(r.y, r.now);
  assert_int_equal(flush(&r), 12);
  r.now = 73 * SEC;
  ocf_yamux_tick(r.y, r.now);
  assert_true(ocf_yamux_is_dead(r.y));
  rig_fini(&r);
}

static void test_answered_keepalives_go_on_for_ever(void **state)
{
  struct rig r;
  uint32_t last = 0;
  (void)state;
  rig_dialler(&r);
  for (int i = 0; i < 1000; i++) {
    r.now = ocf_yamux_deadline(r.y);
    ocf_yamux_tick(r.y, r.now);
    assert_int_equal(flush(&r), 12);
    uint32_t value = ocf_get_be32(r.area + 8);
    assert_true(i == 0 || value != last);
    last = value;
    r.now += 1000;
    assert_int_equal(feed(&r, TYPE_PING, FLAG_ACK, 0, value).kind, OCF_YAMUX_EV_RTT);
  }
  assert_true(r.now > 30000 * SEC);
  rig_fini(&r);
}

static void test_deadline_without_keepalive_is_the_next_measurement(void **state)
{
  struct rig r;
  struct ocf_yamux_config c = rig_config(true);
  (void)state;
  c.keepalive_ns = 0;
  rig_init(&r, &c);
  assert_true(ocf_yamux_deadline(r.y) == OCF_TIME_NEVER);
  rig_fini(&r);
  c.rtt_interval_ns = 5 * SEC;
  rig_init(&r, &c);
  make_rtt(&r, SEC);
  assert_int_equal(ocf_yamux_deadline(r.y), 6 * SEC);
  rig_fini(&r);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_credit_is_offered_once_half_the_window_is_consumed),
    cmocka_unit_test(test_no_credit_is_offered_after_the_end),
    cmocka_unit_test(test_window_doubles_when_used_up_within_four_round_trips),
    cmocka_unit_test(test_all_windows_share_the_growth_of_the_connection),
    cmocka_unit_test(test_what_slow_readers_hold_leaves_no_room_for_growth),
    cmocka_unit_test(test_a_grown_window_shrinks_when_the_reader_has_become_slow),
    cmocka_unit_test(test_window_of_a_reader_that_does_not_drain_stays),
    cmocka_unit_test(test_writer_stops_exactly_at_the_window),
    cmocka_unit_test(test_updates_of_one_byte_do_not_wake_the_writer),
    cmocka_unit_test(test_writer_without_room_is_called_when_there_is_room),
    cmocka_unit_test(test_streams_that_wait_take_turns_of_a_quantum),
    cmocka_unit_test(test_newcomer_queues_behind_those_who_wait),
    cmocka_unit_test(test_begin_and_commit_make_the_frame_that_write_makes),
    cmocka_unit_test(test_control_that_finds_no_room_waits),
    cmocka_unit_test(test_control_goes_ahead_of_data_unasked),
    cmocka_unit_test(test_deadline_without_keepalive_is_the_next_measurement),
    cmocka_unit_test(test_first_output_is_a_ping_and_measures_the_round_trip),
    cmocka_unit_test(test_silent_peer_is_pinged_and_then_given_up),
    cmocka_unit_test(test_peer_that_talks_without_answering_pings_is_alive),
    cmocka_unit_test(test_answered_keepalives_go_on_for_ever),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
