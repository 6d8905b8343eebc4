/* The rules of the protocol, one test each; windows and time are in yamux_flow_test.c. */
#include "p2p/yamux/yamux_test.h"

static void test_open_sends_window_update_with_syn_before_data(void **state)
{
  struct rig r;
  size_t at = 0;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r);
  assert_int_equal(write_n(&r, s, 100), 100); /* no ocf_yamux_output() before */
  expect(&r, &at, TYPE_WINDOW, FLAG_SYN, 1, 0);
  expect(&r, &at, TYPE_DATA, 0, 1, 100);
  assert_int_equal(at, r.out.n);
  assert_false(ocf_yamux_has_output(r.y));
  (void)open_stream(&r);
  expect_only(&r, TYPE_WINDOW, FLAG_SYN, 3, 0);
  rig_fini(&r);
  rig_listener(&r);
  (void)open_stream(&r);
  expect_only(&r, TYPE_WINDOW, FLAG_SYN, 2, 0);
  rig_fini(&r);
}

/* Gotcha 1. Either alone, on the first data, with credit, or with FIN: exactly once. */
static void test_ack_goes_out_exactly_once(void **state)
{
  struct rig r;
  size_t at = 0;
  (void)state;
  rig_listener(&r);
  (void)accept_stream(&r, 1);
  expect_only(&r, TYPE_WINDOW, FLAG_ACK, 1, 0);
  assert_int_equal(flush(&r), 0);

  struct ocf_yamux_stream *s = accept_stream(&r, 3);
  assert_int_equal(write_n(&r, s, 10), 10);
  assert_int_equal(write_n(&r, s, 10), 10);
  ocf_yamux_output(r.y, r.now, &r.out);
  expect(&r, &at, TYPE_DATA, FLAG_ACK, 3, 10);
  expect(&r, &at, TYPE_DATA, 0, 3, 10);
  assert_int_equal(at, r.out.n);

  s = accept_stream(&r, 5);
  (void)feed(&r, TYPE_DATA, 0, 5, 200000);
  ocf_yamux_consumed(r.y, r.now, s, 200000);
  expect_only(&r, TYPE_WINDOW, FLAG_ACK, 5, 200000);

  s = accept_stream(&r, 7);
  ocf_yamux_finish(r.y, s);
  ocf_yamux_finish(r.y, s);
  expect_only(&r, TYPE_WINDOW, FLAG_ACK | FLAG_FIN, 7, 0);
  rig_fini(&r);
}

/* The owner can make the peer's limit of unacknowledged opens its own. */
static void test_ack_waits_for_the_call_when_asked_to(void **state)
{
  struct rig r;
  size_t at = 0;
  (void)state;
  struct ocf_yamux_config c = rig_config(false);
  c.ack_on_call = true;
  rig_init(&r, &c);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  assert_int_equal(flush(&r), 0);
  assert_int_equal(write_n(&r, s, 10), 10);
  ocf_yamux_output(r.y, r.now, &r.out);
  expect(&r, &at, TYPE_DATA, 0, 1, 10);
  assert_int_equal(at, r.out.n);
  r.out.n = at = 0;
  ocf_yamux_ack(r.y, s);
  ocf_yamux_ack(r.y, s);
  assert_int_equal(write_n(&r, s, 10), 10);
  ocf_yamux_output(r.y, r.now, &r.out);
  expect(&r, &at, TYPE_DATA, FLAG_ACK, 1, 10);
  assert_int_equal(at, r.out.n);
  s = accept_stream(&r, 3);
  ocf_yamux_ack(r.y, s);
  expect_only(&r, TYPE_WINDOW, FLAG_ACK, 3, 0);
  s = accept_stream(&r, 5);
  ocf_yamux_reset(r.y, r.now, s, 7);
  expect_only(&r, TYPE_WINDOW, FLAG_RST, 5, 7);
  rig_fini(&r);
}

/* Gotcha 2, seen from the receiver: the last byte of the window is fine, the next one is death. */
static void test_window_overrun_kills_the_session(void **state)
{
  (void)state;
  for (uint32_t over = 0; over < 2; over++) {
    struct rig r;
    rig_listener(&r);
    struct ocf_yamux_stream *s = accept_stream(&r, 1);
    (void)flush(&r);
    (void)feed(&r, TYPE_DATA, 0, 1, 200000);
    ocf_yamux_consumed(r.y, r.now, s, 100000); /* less than half: not offered again */
    struct ocf_yamux_event ev = feed(&r, TYPE_DATA, 0, 1, OCF_YAMUX_WINDOW - 200000 + over);
    if (over == 0)
      assert_int_equal(ev.kind, OCF_YAMUX_EV_DATA);
    else
      expect_death(&r, ev, OCF_EPROTO, OCF_YAMUX_PROTOCOL_ERROR, true);
    rig_fini(&r);
  }
}

/* Gotcha 3. */
static void test_any_go_away_ends_the_session_and_its_streams(void **state)
{
  static const uint32_t codes[] = { 0, 1, 2, 0x1003, 0xffffffff };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(codes); i++) {
    struct rig r;
    rig_dialler(&r);
    struct ocf_yamux_stream *s = open_stream(&r), *t = accept_stream(&r, 2);
    int err = codes[i] == 0 ? OCF_EEOF : OCF_ERESET;
    ocf_yamux_set_user(s, &r);
    struct ocf_yamux_event ev = feed(&r, TYPE_GOAWAY, 0, 0, codes[i]);
    assert_int_equal(ev.kind, OCF_YAMUX_EV_RESET);
    assert_ptr_equal(ev.stream, s);
    assert_ptr_equal(ev.user, &r);
    assert_int_equal(ev.err, err);
    assert_int_equal(ev.code, codes[i]);
    ev = next(&r);
    assert_ptr_equal(ev.stream, t);
    expect_death(&r, next(&r), err, codes[i], false);
    assert_int_equal(write_n(&r, s, 1), 0);
    ocf_yamux_finish(r.y, s);
    ocf_yamux_close(r.y, r.now, s);
    ocf_yamux_reset(r.y, r.now, t, 0);
    assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &s), OCF_ESTATE);
    assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_SYN, 4, 0).kind, 99);
    rig_fini(&r);
  }
}

/* Gotcha 4. */
static void test_pong_goes_ahead_of_everything_with_the_same_value(void **state)
{
  struct rig r;
  size_t at = 0;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  assert_int_equal(feed(&r, TYPE_PING, FLAG_SYN, 0, 0xdeadbeef).kind, 99);
  assert_int_equal(feed(&r, TYPE_PING, FLAG_SYN, 0, 7).kind, 99);
  ocf_yamux_finish(r.y, s);
  (void)flush(&r);
  expect(&r, &at, TYPE_PING, FLAG_ACK, 0, 0xdeadbeef);
  expect(&r, &at, TYPE_PING, FLAG_ACK, 0, 7);
  expect(&r, &at, TYPE_WINDOW, FLAG_ACK | FLAG_FIN, 1, 0);
  assert_int_equal(at, r.out.n);
  rig_fini(&r);
}

/* Gotcha 5: the number in a reset's length is an error code and never credit. */
static void test_reset_code_is_not_credit(void **state)
{
  struct rig r;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r);
  (void)flush(&r);
  while (write_n(&r, s, 60000) != 0)
    r.out.n = 0;
  struct ocf_yamux_event ev = feed(&r, TYPE_WINDOW, FLAG_RST, 1, 4097);
  assert_int_equal(ev.kind, OCF_YAMUX_EV_RESET);
  assert_int_equal(ev.err, OCF_ERESET);
  assert_int_equal(ev.code, 4097);
  assert_int_equal(ocf_yamux_send_window(s), 0);
  assert_int_equal(write_n(&r, s, 1), 0);
  assert_null(ocf_yamux_next_writable(r.y, &r.out));
  ocf_yamux_close(r.y, r.now, s);
  assert_int_equal(flush(&r), 0); /* a reset is not answered */
  rig_fini(&r);
}

static void test_our_reset_carries_its_code_and_nothing_else(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  ocf_yamux_finish(r.y, s);
  ocf_yamux_reset(r.y, r.now, s, OCF_YAMUX_STREAM_NEGOTIATION_FAILED);
  expect_only(&r, TYPE_WINDOW, FLAG_RST, 1, 0x1001);
  assert_int_equal(ocf_yamux_stats(r.y)->n_inbound, 0);
  rig_fini(&r);
  rig_dialler(&r);
  s = open_stream(&r);
  ocf_yamux_reset(r.y, r.now, s, 5); /* never announced: the peer need not know */
  assert_int_equal(flush(&r), 0);
  assert_int_equal(ocf_yamux_stats(r.y)->n_unacked, 0);
  rig_fini(&r);
}

/* Gotcha 6. */
static void test_fin_is_a_half_close(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  (void)flush(&r);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_FIN, 1, 0).kind, OCF_YAMUX_EV_FIN);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_FIN, 1, 0).kind, 99);
  assert_int_equal(write_n(&r, s, 50), 50);
  ocf_yamux_finish(r.y, s);
  assert_int_equal(write_n(&r, s, 50), 0);
  expect_only(&r, TYPE_WINDOW, FLAG_FIN, 1, 0);
  assert_int_equal(ocf_yamux_stats(r.y)->n_inbound, 0);
  ocf_yamux_close(r.y, r.now, s);

  s = accept_stream(&r, 3); /* the other way round */
  ocf_yamux_finish(r.y, s);
  expect_only(&r, TYPE_WINDOW, FLAG_ACK | FLAG_FIN, 3, 0);
  assert_int_equal(feed(&r, TYPE_DATA, 0, 3, 9).kind, OCF_YAMUX_EV_DATA);
  assert_int_equal(feed(&r, TYPE_DATA, FLAG_FIN, 3, 0).kind, OCF_YAMUX_EV_FIN); /* rust's form */
  ocf_yamux_reset(r.y, r.now, s, 1); /* both ended: only gives the handle back */
  assert_int_equal(flush(&r), 0);
  rig_fini(&r);
}

static void test_data_comes_before_the_fin_of_the_same_frame(void **state)
{
  struct rig r;
  uint8_t buf[64];
  struct ocf_yamux_event ev;
  (void)state;
  rig_listener(&r);
  (void)accept_stream(&r, 1);
  size_t n = make_frame(buf, TYPE_DATA, FLAG_FIN, 1, 20, 20);
  struct ocf_bytes in = ocf_bytes(buf, n - 1);
  assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_DATA);
  assert_int_equal(ev.data.n, 19);
  /* Our side may end, and be flushed, in the middle of it; nothing may get lost. */
  ocf_yamux_finish(r.y, ev.stream);
  (void)flush(&r);
  in = ocf_bytes(buf + n - 1, 1);
  assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_DATA);
  assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_FIN);
  assert_int_equal(ocf_yamux_stats(r.y)->n_inbound, 0);
  rig_fini(&r);
}

static void test_death_in_the_middle_of_the_last_frame_is_reported(void **state)
{
  struct rig r;
  uint8_t buf[64];
  struct ocf_yamux_event ev;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  struct ocf_bytes in = ocf_bytes(buf, make_frame(buf, TYPE_DATA, FLAG_FIN, 1, 20, 20) - 1);
  ocf_yamux_finish(r.y, s);
  (void)flush(&r);
  assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_DATA);
  ocf_yamux_abort(r.y, OCF_YAMUX_SHUTDOWN);
  ev = next(&r);
  assert_int_equal(ev.kind, OCF_YAMUX_EV_RESET);
  assert_ptr_equal(ev.stream, s);
  expect_death(&r, next(&r), OCF_ECANCELED, OCF_YAMUX_SHUTDOWN, true);
  rig_fini(&r);
}

/* Gotcha 7. */
static void test_frames_for_unknown_streams_are_drained(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 5);
  (void)flush(&r);
  assert_int_equal(feed(&r, TYPE_DATA, 0, 9, 1000).kind, 99); /* never opened */
  assert_int_equal(feed(&r, TYPE_DATA, 0, 2, 1000).kind, 99); /* ours, not opened yet */
  assert_int_equal(feed(&r, TYPE_WINDOW, 0, 9, 0xffffffff).kind, 99);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_FIN, 9, 0).kind, 99);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_RST, 9, 3).kind, 99);
  ocf_yamux_reset(r.y, r.now, s, 0);
  assert_int_equal(feed(&r, TYPE_DATA, 0, 5, 1000).kind, 99); /* our reset is still to be sent */
  expect_only(&r, TYPE_WINDOW, FLAG_RST, 5, 0);
  assert_int_equal(feed(&r, TYPE_DATA, 0, 5, 1000).kind, 99);
  assert_int_equal(feed(&r, TYPE_WINDOW, 0, 5, 1000).kind, 99); /* late updates are normal */
  assert_int_equal(ocf_yamux_stats(r.y)->unknown_bytes, 4000);
  assert_int_equal(accept_stream(&r, 11)->id, 11); /* still in step */
  /* A body longer than any window we ever offer is not a late one. */
  expect_death(&r, feed(&r, TYPE_DATA, 0, 5, (16 << 20) + 1), OCF_EPROTO, 1, true);
  rig_fini(&r);
}

/* Gotcha 8, V-12. */
static void test_bad_syn_kills_the_session(void **state)
{
  static const struct {
    bool dialler;
    uint32_t id;
  } bad[] = { { false, 2 }, { true, 3 }, { false, 0 }, { true, 0 }, { false, 1 }, { true, 2 } };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    for (uint8_t type = TYPE_DATA; type <= TYPE_WINDOW; type++) {
      struct rig r;
      struct ocf_yamux_config c = rig_config(bad[i].dialler);
      rig_init(&r, &c);
      if (i >= 4) /* a good one first, so that this is its double */
        (void)accept_stream(&r, bad[i].id);
      (void)flush(&r);
      expect_death(&r, feed(&r, type, FLAG_SYN, bad[i].id, 0), OCF_EPROTO, 1, true);
      rig_fini(&r);
    }
  }
}

static void test_ids_are_never_used_again(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 7);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_RST, 7, 0).kind, OCF_YAMUX_EV_RESET);
  ocf_yamux_close(r.y, r.now, s);
  (void)flush(&r);
  expect_death(&r, feed(&r, TYPE_WINDOW, FLAG_SYN, 7, 0), OCF_EPROTO, 1, true);
  rig_fini(&r);
}

/* Go opens from many threads: SYNs overtake each other by less than 256 streams. */
static void test_syns_may_overtake_each_other(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  (void)accept_stream(&r, 513);
  for (uint32_t id = 1; id < 513; id += 2)
    (void)accept_stream(&r, id);
  (void)accept_stream(&r, 0x7fffffff);
  (void)accept_stream(&r, 0xffffffff);
  (void)accept_stream(&r, 0xffffffff - 2 * (SEEN_IDS - 1));
  (void)flush(&r);
  expect_death(&r, feed(&r, TYPE_WINDOW, FLAG_SYN, 0xffffffff - 2 * SEEN_IDS, 0), OCF_EPROTO, 1,
               true);
  rig_fini(&r);
}

/* Gotcha 9. */
static void test_syn_may_ride_on_data_or_window_update(void **state)
{
  struct rig r;
  uint8_t buf[64];
  struct ocf_yamux_event ev;
  (void)state;
  rig_listener(&r);
  struct ocf_bytes in = ocf_bytes(buf, make_frame(buf, TYPE_DATA, FLAG_SYN | FLAG_FIN, 1, 5, 5));
  assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_OPENED);
  assert_int_equal(ocf_yamux_send_window(ev.stream), OCF_YAMUX_WINDOW);
  assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_DATA);
  assert_int_equal(ev.data.n, 5);
  assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_FIN);
  ev = feed(&r, TYPE_WINDOW, FLAG_SYN, 3, 8126464); /* OpenTela's initial window */
  assert_int_equal(ocf_yamux_send_window(ev.stream), 8 << 20);
  assert_true(ocf_yamux_is_inbound(ev.stream));
  rig_fini(&r);
}

/* V-10: one packet must not be able to promise more than the window, accepted or refused. */
static void test_data_with_syn_longer_than_the_window_kills_the_session(void **state)
{
  (void)state;
  for (uint32_t max_inbound = 0; max_inbound < 2; max_inbound++) {
    struct rig r;
    struct ocf_yamux_config c = rig_config(false);
    c.max_inbound = max_inbound;
    rig_init(&r, &c);
    expect_death(&r, feed(&r, TYPE_DATA, FLAG_SYN, 1, OCF_YAMUX_WINDOW + 1), OCF_EPROTO, 1, true);
    rig_fini(&r);
  }
}

/* V-11 and section 10.10: saturates, does not wrap, is no offence. */
static void test_window_update_overflow_saturates(void **state)
{
  struct rig r;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r);
  (void)flush(&r);
  for (int i = 0; i < 3; i++)
    assert_int_equal(feed(&r, TYPE_WINDOW, 0, 1, 0xffffffff).kind, 99);
  assert_int_equal(ocf_yamux_send_window(s), 0xffffffff);
  assert_int_equal(write_n(&r, s, 1000), 1000);
  assert_int_equal(ocf_yamux_send_window(s), 0xffffffff - 1000);
  rig_fini(&r);
}

/* V-12. */
static void test_unknown_version_or_type_kills_the_session(void **state)
{
  (void)state;
  for (int i = 0; i < 4; i++) {
    struct rig r;
    struct ocf_yamux_event ev = none();
    uint8_t buf[12];
    rig_listener(&r);
    (void)make_frame(buf, TYPE_WINDOW, FLAG_SYN, 1, 0, 0);
    if (i == 0)
      buf[0] = 1;
    else if (i == 1)
      buf[1] = 4;
    else if (i == 2)
      memset(buf, 0xff, sizeof(buf));
    else
      memcpy(buf, "GET / HTTP/1", 12);
    struct ocf_bytes in = ocf_bytes(buf, sizeof(buf));
    (void)ocf_yamux_next(r.y, r.now, &in, &ev);
    expect_death(&r, ev, OCF_EPROTO, 1, true);
    rig_fini(&r);
  }
}

static void test_stream_frames_and_pings_keep_to_their_ids(void **state)
{
  static const uint8_t types[] = { TYPE_DATA, TYPE_WINDOW, TYPE_PING };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(types); i++) {
    struct rig r;
    rig_listener(&r);
    struct ocf_yamux_event ev = feed(&r, types[i], 0, types[i] == TYPE_PING ? 1 : 0, 5);
    expect_death(&r, ev, OCF_EPROTO, 1, true);
    rig_fini(&r);
  }
}

static void test_data_after_fin_resets_that_stream_only(void **state)
{
  struct rig r;
  size_t at = 0;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_FIN, 1, 0).kind, OCF_YAMUX_EV_FIN);
  struct ocf_yamux_event ev = feed(&r, TYPE_DATA, 0, 1, 100);
  assert_int_equal(ev.kind, OCF_YAMUX_EV_RESET);
  assert_int_equal(ev.err, OCF_EPROTO);
  (void)flush(&r);
  expect(&r, &at, TYPE_WINDOW, FLAG_RST, 1, OCF_YAMUX_STREAM_PROTOCOL_VIOLATION);
  ocf_yamux_close(r.y, r.now, s);
  (void)accept_stream(&r, 3);
  rig_fini(&r);
}

static void test_reset_on_a_data_frame_drops_its_body(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  struct ocf_yamux_event ev = feed(&r, TYPE_DATA, FLAG_RST, 1, 100);
  assert_int_equal(ev.kind, OCF_YAMUX_EV_RESET);
  assert_int_equal(ev.code, 0);
  assert_int_equal(ocf_yamux_held(s), 0);
  assert_int_equal(accept_stream(&r, 3)->id, 3);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_SYN | FLAG_RST, 5, 1).kind, 99);
  expect_death(&r, feed(&r, TYPE_DATA, FLAG_RST, 3, OCF_YAMUX_WINDOW + 1), OCF_EPROTO, 1, true);
  rig_fini(&r);
}

static void test_handle_given_back_in_the_middle_of_a_body_stays_in_step(void **state)
{
  (void)state;
  for (int how = 0; how < 4; how++) {
    struct rig r;
    uint8_t buf[128];
    struct ocf_yamux_event ev;
    rig_listener(&r);
    size_t n = make_frame(buf, TYPE_DATA, FLAG_SYN | FLAG_FIN, 1, 50, 50);
    n += make_frame(buf + n, TYPE_WINDOW, FLAG_SYN, 3, 0, 0);
    struct ocf_bytes in = ocf_bytes(buf, 30);
    assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_OPENED);
    struct ocf_yamux_stream *s = ev.stream;
    if (how < 2)
      assert_true(ocf_yamux_next(r.y, r.now, &in, &ev) && ev.kind == OCF_YAMUX_EV_DATA);
    if (how % 2 == 0)
      ocf_yamux_reset(r.y, r.now, s, 9);
    else
      ocf_yamux_close(r.y, r.now, s);
    in = ocf_bytes(in.p, (size_t)(buf + n - in.p));
    assert_true(ocf_yamux_next(r.y, r.now, &in, &ev));
    assert_int_equal(ev.kind, OCF_YAMUX_EV_OPENED);
    assert_int_equal(ocf_yamux_id(ev.stream), 3);
    assert_int_equal(ocf_yamux_stats(r.y)->held_bytes, 0);
    (void)flush(&r);
    assert_int_equal(ocf_yamux_stats(r.y)->n_inbound, 1);
    rig_fini(&r);
  }
}

/* Gotcha 1 from the other side: at most 256 of our opens may be without an answer. */
static void test_open_waits_while_256_are_unacknowledged(void **state)
{
  struct rig r;
  struct ocf_yamux_stream *s[OCF_YAMUX_UNACKED_MAX], *t;
  (void)state;
  rig_dialler(&r);
  for (size_t i = 0; i < OCF_ARRAY_LEN(s); i++)
    s[i] = open_stream(&r);
  (void)flush(&r);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), OCF_EAGAIN);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_ACK, 1, 0).kind, OCF_YAMUX_EV_CAN_OPEN);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_ACK, 1, 0).kind, 99); /* a second one means nothing */
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), 0);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), OCF_EAGAIN);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_RST, 3, 0).kind, OCF_YAMUX_EV_RESET);
  assert_int_equal(next(&r).kind, OCF_YAMUX_EV_CAN_OPEN);
  ocf_yamux_reset(r.y, r.now, s[10], 0); /* frees its place once the peer has been told */
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), 0);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), OCF_EAGAIN);
  (void)flush(&r);
  assert_int_equal(next(&r).kind, OCF_YAMUX_EV_CAN_OPEN);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), 0);
  rig_fini(&r);
}

static void test_stream_limits_hold_in_both_directions(void **state)
{
  struct rig r;
  struct ocf_yamux_config c = rig_config(false);
  struct ocf_yamux_stream *s[2], *t;
  size_t at = 0;
  (void)state;
  c.max_inbound = 2;
  c.max_outbound = 1;
  rig_init(&r, &c);
  s[0] = accept_stream(&r, 1);
  (void)accept_stream(&r, 3);
  (void)flush(&r);
  assert_int_equal(feed(&r, TYPE_DATA, FLAG_SYN, 5, 100).kind, 99);
  (void)flush(&r);
  expect(&r, &at, TYPE_WINDOW, FLAG_RST, 5, OCF_YAMUX_STREAM_RESOURCE_LIMIT);
  assert_int_equal(at, r.out.n);
  ocf_yamux_reset(r.y, r.now, s[0], 0);
  (void)flush(&r);
  (void)accept_stream(&r, 7);

  s[1] = open_stream(&r);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), OCF_EAGAIN);
  (void)feed(&r, TYPE_WINDOW, FLAG_ACK, 2, 0);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), OCF_EAGAIN);
  ocf_yamux_reset(r.y, r.now, s[1], 0);
  assert_int_equal(next(&r).kind, OCF_YAMUX_EV_CAN_OPEN); /* it was not even announced */
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), 0);
  rig_fini(&r);
}

static void test_ids_run_out_without_wrapping(void **state)
{
  struct rig r;
  struct ocf_yamux_stream *s;
  struct ocf_yamux_config c = rig_config(true);
  (void)state;
  c.first_id = UINT32_MAX - 2;
  rig_init(&r, &c);
  assert_int_equal(open_stream(&r)->id, UINT32_MAX - 2);
  assert_int_equal(open_stream(&r)->id, UINT32_MAX);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &s), OCF_ERANGE);
  rig_fini(&r);
  c = rig_config(false);
  c.first_id = UINT32_MAX - 1;
  rig_init(&r, &c);
  assert_int_equal(open_stream(&r)->id, UINT32_MAX - 1);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &s), OCF_ERANGE);
  rig_fini(&r);
}

static void test_draining_refuses_streams_and_reports_the_end(void **state)
{
  struct rig r;
  struct ocf_yamux_stream *s, *t;
  (void)state;
  rig_listener(&r);
  s = accept_stream(&r, 1);
  (void)flush(&r);
  ocf_yamux_drain(r.y);
  assert_int_equal(next(&r).kind, 99);
  assert_int_equal(flush(&r), 0); /* no polite go-away: it would end all streams */
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &t), OCF_ESTATE);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_SYN, 3, 0).kind, 99);
  expect_only(&r, TYPE_WINDOW, FLAG_RST, 3, OCF_YAMUX_STREAM_SHUTDOWN);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_FIN, 1, 0).kind, OCF_YAMUX_EV_FIN);
  ocf_yamux_close(r.y, r.now, s);
  assert_int_equal(next(&r).kind, 99);
  (void)flush(&r);
  assert_int_equal(next(&r).kind, OCF_YAMUX_EV_DRAINED);
  assert_int_equal(next(&r).kind, 99);
  ocf_yamux_abort(r.y, OCF_YAMUX_SHUTDOWN);
  expect_death(&r, next(&r), OCF_ECANCELED, OCF_YAMUX_SHUTDOWN, true);
  rig_fini(&r);
  rig_listener(&r);
  ocf_yamux_drain(r.y);
  assert_int_equal(next(&r).kind, OCF_YAMUX_EV_DRAINED);
  rig_fini(&r);
}

static void test_streams_that_ended_cleanly_are_not_reset_by_the_death(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1);
  (void)feed(&r, TYPE_DATA, 0, 1, 10);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_FIN, 1, 0).kind, OCF_YAMUX_EV_FIN);
  ocf_yamux_finish(r.y, s);
  (void)flush(&r);
  struct ocf_yamux_stream *t = accept_stream(&r, 3);
  ocf_yamux_close(r.y, r.now, t); /* lingers: nobody to tell */
  ocf_yamux_abort(r.y, 0);
  assert_int_equal(next(&r).kind, OCF_YAMUX_EV_DEAD);
  ocf_yamux_consumed(r.y, r.now, s, 10);
  ocf_yamux_close(r.y, r.now, s);
  rig_fini(&r);
}

static void test_lingering_stream_is_reset_in_the_end(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  struct ocf_yamux_stream *s = accept_stream(&r, 1), *t = accept_stream(&r, 3);
  ocf_yamux_close(r.y, r.now, s);
  r.now += SEC;
  ocf_yamux_close(r.y, r.now, t);
  (void)flush(&r);
  assert_int_equal(feed(&r, TYPE_DATA, 0, 1, 100).kind, 99); /* dropped, not credited */
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_FIN, 3, 0).kind, 99);
  assert_int_equal(ocf_yamux_stats(r.y)->n_inbound, 1);
  assert_int_equal(ocf_yamux_deadline(r.y), 31 * SEC);
  r.now = 31 * SEC - 1;
  (void)feed(&r, TYPE_PING, FLAG_ACK, 0, 0);
  ocf_yamux_tick(r.y, r.now);
  assert_int_equal(flush(&r), 0);
  r.now = 31 * SEC;
  ocf_yamux_tick(r.y, r.now);
  expect_only(&r, TYPE_WINDOW, FLAG_RST, 1, 0);
  assert_int_equal(ocf_yamux_stats(r.y)->n_inbound, 0);
  rig_fini(&r);
}

/* ---- V-13: floods -----------------------------------------------------------------------------
 */

/* Feeds the frame up to `max` times; returns after how many the session died. */
static uint32_t flood(struct rig *r, uint8_t type, uint16_t flags, uint32_t id, uint32_t step,
                      uint32_t length, uint32_t max)
{
  uint32_t n = 0;
  size_t live = r->a.live_bytes;
  while (n < max && !ocf_yamux_is_dead(r->y)) {
    struct ocf_yamux_event ev = feed(r, type, flags, id, length);
    if (ev.kind == OCF_YAMUX_EV_OPENED)
      ocf_yamux_reset(r->y, r->now, ev.stream, 0);
    if ((n & 127) == 127)
      (void)flush(r);
    assert_true(r->a.live_bytes <= live + 200 * sizeof(struct ocf_yamux_stream));
    id += step;
    n++;
  }
  return n;
}

static void test_ping_flood_ends_the_session_and_costs_no_memory(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  assert_int_equal(flood(&r, TYPE_PING, FLAG_SYN, 0, 0, 7, 1000000), 513);
  expect_death(&r, r.last, OCF_ELIMIT, OCF_YAMUX_PROTOCOL_VIOLATION, true);
  rig_fini(&r);

  struct ocf_yamux_config c = rig_config(false);
  c.pings.burst = 0; /* without the bound: still no memory, and at most a few answers at a time */
  rig_init(&r, &c);
  size_t live = r.a.live_bytes;
  for (uint32_t i = 0; i < 1000000; i++)
    (void)feed(&r, TYPE_PING, FLAG_SYN, 0, i);
  assert_int_equal(r.a.live_bytes, live);
  assert_int_equal(flush(&r), 12 * PONGS_MAX);
  assert_int_equal(ocf_get_be32(r.area + r.out.n - 4), 999999);
  rig_fini(&r);
}

static void test_flood_of_empty_data_frames_ends_the_session(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  (void)accept_stream(&r, 1);
  assert_int_equal(flood(&r, TYPE_DATA, 0, 1, 0, 0, 1000000), 4097);
  expect_death(&r, r.last, OCF_ELIMIT, OCF_YAMUX_PROTOCOL_VIOLATION, true);
  rig_fini(&r);
}

static void test_flood_of_opens_that_are_reset_ends_the_session(void **state)
{
  (void)state;
  struct rig r; /* in one frame, in two, and refused */
  rig_listener(&r);
  assert_int_equal(flood(&r, TYPE_WINDOW, FLAG_SYN | FLAG_RST, 1, 2, 0, 1000000), 4097);
  expect_death(&r, r.last, OCF_ELIMIT, OCF_YAMUX_PROTOCOL_VIOLATION, true);
  rig_fini(&r);

  rig_listener(&r);
  uint32_t n = 0;
  for (; !ocf_yamux_is_dead(r.y); n++) {
    struct ocf_yamux_stream *s = accept_stream(&r, 1 + 2 * n);
    (void)feed(&r, TYPE_WINDOW, FLAG_RST, 1 + 2 * n, 0);
    ocf_yamux_close(r.y, r.now, s);
  }
  assert_int_equal(n, 4097);
  rig_fini(&r);

  struct ocf_yamux_config c = rig_config(false);
  c.max_inbound = 0;
  rig_init(&r, &c);
  assert_int_equal(flood(&r, TYPE_WINDOW, FLAG_SYN, 1, 2, 0, 1000000), 4097);
  rig_fini(&r);
  rig_init(&r, &c); /* and never more than an honest peer can have under way without our answers */
  for (n = 0; !ocf_yamux_is_dead(r.y); n++)
    (void)feed(&r, TYPE_WINDOW, FLAG_SYN, 1 + 2 * n, 0);
  assert_int_equal(n, OCF_YAMUX_UNACKED_MAX + 1);
  rig_fini(&r);
}

static void test_flood_of_data_after_fin_ends_the_session(void **state)
{
  struct rig r;
  uint32_t id = 1;
  (void)state;
  rig_listener(&r);
  for (; !ocf_yamux_is_dead(r.y); id += 2) {
    (void)feed(&r, TYPE_WINDOW, FLAG_SYN | FLAG_FIN, id, 0);
    struct ocf_yamux_stream *s = r.last.stream;
    (void)feed(&r, TYPE_DATA, 0, id, 1);
    ocf_yamux_close(r.y, r.now, s);
    (void)flush(&r);
  }
  assert_int_equal(id / 2, 4097);
  rig_fini(&r);
}

/* A hostile peer may name a stream of ours whose opening we have not even sent. */
static void test_frames_for_a_stream_not_announced_yet_do_no_harm(void **state)
{
  struct rig r;
  (void)state;
  rig_dialler(&r);
  struct ocf_yamux_stream *s = open_stream(&r);
  assert_int_equal(feed(&r, TYPE_DATA, FLAG_FIN, 1, 5).kind, OCF_YAMUX_EV_DATA);
  assert_int_equal(next(&r).kind, OCF_YAMUX_EV_FIN);
  assert_int_equal(feed(&r, TYPE_DATA, 0, 1, 5).kind, OCF_YAMUX_EV_RESET);
  ocf_yamux_close(r.y, r.now, s);
  assert_int_equal(flush(&r), 0);
  s = open_stream(&r);
  assert_int_equal(feed(&r, TYPE_WINDOW, FLAG_RST | FLAG_ACK, 3, 5).kind, OCF_YAMUX_EV_RESET);
  ocf_yamux_reset(r.y, r.now, s, 0);
  assert_int_equal(flush(&r), 0);
  assert_int_equal(ocf_yamux_stats(r.y)->n_unacked, 0);
  rig_fini(&r);
}

static void test_a_long_rest_saves_up_no_more_than_the_burst(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  assert_int_equal(flood(&r, TYPE_PING, FLAG_SYN, 0, 0, 7, 512), 512);
  r.now += 86400 * SEC;
  assert_int_equal(flood(&r, TYPE_PING, FLAG_SYN, 0, 0, 7, 1000000), 513);
  rig_fini(&r);
}

static void test_stated_rates_are_allowed_for_ever(void **state)
{
  struct rig r;
  (void)state;
  rig_listener(&r);
  (void)accept_stream(&r, 1);
  for (int i = 0; i < 20000; i++) {
    r.now += SEC / 64;
    (void)feed(&r, TYPE_PING, FLAG_SYN, 0, 1);
    for (int k = 0; k < 16; k++)
      (void)feed(&r, TYPE_DATA, 0, 1, 0);
    (void)flush(&r);
  }
  assert_false(ocf_yamux_is_dead(r.y));
  rig_fini(&r);
}

static void test_inbound_stream_without_memory_is_refused(void **state)
{
  struct rig r;
  struct ocf_yamux_stream *s;
  (void)state;
  rig_listener(&r);
  r.a.fail_at = r.a.n_calls + 1;
  assert_int_equal(feed(&r, TYPE_DATA, FLAG_SYN, 1, 100).kind, 99);
  expect_only(&r, TYPE_WINDOW, FLAG_RST, 1, OCF_YAMUX_STREAM_RESOURCE_LIMIT);
  assert_int_equal(ocf_yamux_open(r.y, r.now, NULL, &s), OCF_ENOMEM);
  r.a.fail_at = 0;
  (void)accept_stream(&r, 3);
  assert_int_equal(open_stream(&r)->id, 2);
  rig_fini(&r);
}

static void test_stream_is_small(void **state)
{
  (void)state;
  assert_true(sizeof(struct ocf_yamux_stream) <= 200);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_open_sends_window_update_with_syn_before_data),
    cmocka_unit_test(test_ack_goes_out_exactly_once),
    cmocka_unit_test(test_ack_waits_for_the_call_when_asked_to),
    cmocka_unit_test(test_window_overrun_kills_the_session),
    cmocka_unit_test(test_any_go_away_ends_the_session_and_its_streams),
    cmocka_unit_test(test_pong_goes_ahead_of_everything_with_the_same_value),
    cmocka_unit_test(test_reset_code_is_not_credit),
    cmocka_unit_test(test_our_reset_carries_its_code_and_nothing_else),
    cmocka_unit_test(test_fin_is_a_half_close),
    cmocka_unit_test(test_data_comes_before_the_fin_of_the_same_frame),
    cmocka_unit_test(test_death_in_the_middle_of_the_last_frame_is_reported),
    cmocka_unit_test(test_frames_for_unknown_streams_are_drained),
    cmocka_unit_test(test_bad_syn_kills_the_session),
    cmocka_unit_test(test_ids_are_never_used_again),
    cmocka_unit_test(test_syns_may_overtake_each_other),
    cmocka_unit_test(test_syn_may_ride_on_data_or_window_update),
    cmocka_unit_test(test_data_with_syn_longer_than_the_window_kills_the_session),
    cmocka_unit_test(test_window_update_overflow_saturates),
    cmocka_unit_test(test_unknown_version_or_type_kills_the_session),
    cmocka_unit_test(test_stream_frames_and_pings_keep_to_their_ids),
    cmocka_unit_test(test_data_after_fin_resets_that_stream_only),
    cmocka_unit_test(test_reset_on_a_data_frame_drops_its_body),
    cmocka_unit_test(test_handle_given_back_in_the_middle_of_a_body_stays_in_step),
    cmocka_unit_test(test_open_waits_while_256_are_unacknowledged),
    cmocka_unit_test(test_stream_limits_hold_in_both_directions),
    cmocka_unit_test(test_ids_run_out_without_wrapping),
    cmocka_unit_test(test_draining_refuses_streams_and_reports_the_end),
    cmocka_unit_test(test_streams_that_ended_cleanly_are_not_reset_by_the_death),
    cmocka_unit_test(test_lingering_stream_is_reset_in_the_end),
    cmocka_unit_test(test_ping_flood_ends_the_session_and_costs_no_memory),
    cmocka_unit_test(test_flood_of_empty_data_frames_ends_the_session),
    cmocka_unit_test(test_flood_of_opens_that_are_reset_ends_the_session),
    cmocka_unit_test(test_flood_of_data_after_fin_ends_the_session),
    cmocka_unit_test(test_frames_for_a_stream_not_announced_yet_do_no_harm),
    cmocka_unit_test(test_a_long_rest_saves_up_no_more_than_the_burst),
    cmocka_unit_test(test_stated_rates_are_allowed_for_ever),
    cmocka_unit_test(test_inbound_stream_without_memory_is_refused),
    cmocka_unit_test(test_stream_is_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
