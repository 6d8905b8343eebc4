/* Goal: two of our connections agree about every stream and every byte, in any fragmentation, and
 * end in the way the contract says. Method: a pair over an in-memory pipe; the hostile cases are in
 * conn_hostile_test.c. */
#include "testing/test.h"

#include "base/core/endian.h"
#include "p2p/conn/conn_pair.h"
#include "testing/oom.h"

static const struct ocf_bytes ECHO[] = { { (const uint8_t *)"/echo/1", 7 } };
static const struct ocf_bytes SINK[] = { { (const uint8_t *)"/sink/1", 7 } };

struct fix {
  struct ocf_alloc a;
  struct pair p;
};

static struct fix *fix_new(void)
{
  struct fix *f = calloc(1, sizeof(*f));
  assert_non_null(f);
  ocf_alloc_init(&f->a);
  assert_int_equal(pair_init(&f->p, &f->a), 0);
  return f;
}

static struct fix *fix_up(size_t piece)
{
  struct fix *f = fix_new();
  assert_int_equal(pair_connect(&f->p, &f->p.l.id), 0);
  pair_run(&f->p, piece);
  assert_true(f->p.d.up);
  assert_true(f->p.l.up);
  return f;
}

static void fix_free(struct fix *f)
{
  pair_fini(&f->p);
  assert_int_equal(f->a.live_bytes, 0);
  free(f);
}

static struct pair_stream *open_stream(struct fix *f, struct pair_side *s,
                                       const struct ocf_bytes *protos, size_t n, bool lazy)
{
  struct ocf_stream *st = NULL;
  assert_int_equal(ocf_conn_open(s->c, f->p.now, protos, n, lazy, NULL, &st), 0);
  return side_track(s, st);
}

static void test_a_handshake_proves_both_peers(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  assert_true(ocf_peerid_eq(ocf_conn_peer(f->p.d.c), &f->p.l.id));
  assert_true(ocf_peerid_eq(ocf_conn_peer(f->p.l.c), &f->p.d.id));
  assert_true(
      ocf_bytes_eq(ocf_conn_peer_key(f->p.l.c), ocf_pubkey_bytes(ocf_key_public(&f->p.d.key))));
  assert_true(ocf_conn_is_up(f->p.d.c));
  assert_true(ocf_conn_rtt_ns(f->p.d.c) > 0);
  fix_free(f);
}

static void test_an_idle_connection_holds_no_buffer(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  assert_int_equal(f->p.d.pool.n_rx_used, 0);
  assert_int_equal(f->p.d.pool.n_tx_used, 0);
  assert_int_equal(f->p.l.pool.n_rx_used, 0);
  assert_int_equal(f->p.l.pool.n_tx_used, 0);
  fix_free(f);
}

static void echo_once(struct fix *f, bool lazy, size_t piece)
{
  f->p.l.echo = true;
  struct pair_stream *t = open_stream(f, &f->p.d, ECHO, 1, lazy);
  if (!lazy)
    pair_run(&f->p, piece);
  assert_int_equal(t->up, !lazy);
  assert_int_equal(ocf_stream_write(t->s, "hello, stream", 13), 13);
  ocf_stream_fin(t->s);
  pair_run(&f->p, piece);
  assert_true(t->up);
  assert_true(t->fin);
  assert_true(t->gone);
  assert_int_equal(t->err, 0);
  assert_int_equal(t->n_rx, 13);
  assert_int_equal(t->sum, pair_sum(0, 0, (const uint8_t *)"hello, stream", 13));
  struct pair_stream *r = &f->p.l.streams[f->p.l.n_streams - 1];
  assert_true(r->in && r->fin && r->gone);
  assert_int_equal(r->err, 0);
  assert_int_equal(ocf_conn_n_streams(f->p.d.c), 0);
  assert_int_equal(ocf_conn_n_streams(f->p.l.c), 0);
}

static void test_a_stream_echoes_after_sequential_negotiation(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  echo_once(f, false, SIZE_MAX);
  fix_free(f);
}

static void test_a_lazy_stream_sends_its_data_with_the_proposal(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  uint64_t frames = ocf_conn_stats(f->p.d.c)->tx_frames;
  struct pair_stream *t = open_stream(f, &f->p.d, SINK, 1, true);
  assert_int_equal(ocf_stream_write(t->s, "abc", 3), 3);
  side_tx(&f->p.d, f->p.now, &f->p.l.rx, SIZE_MAX);
  assert_int_equal(ocf_conn_stats(f->p.d.c)->tx_frames, frames + 1);
  side_rx(&f->p.l, f->p.now, SIZE_MAX);
  assert_int_equal(f->p.l.streams[0].n_rx, 3);
  assert_int_equal(f->p.l.streams[0].proto, 1);
  fix_free(f);
  f = fix_up(SIZE_MAX);
  echo_once(f, true, SIZE_MAX);
  fix_free(f);
}

static void test_any_piece_size_gives_the_same_result(void **state)
{
  (void)state;
  for (size_t piece = 1; piece <= 40; piece++) {
    struct fix *f = fix_up(piece);
    echo_once(f, piece % 2 == 0, piece);
    fix_free(f);
  }
}

/* Cuts each direction once, at every byte of a handshake and a stream's life. */
static void test_a_cut_at_every_byte_of_a_whole_exchange_changes_nothing(void **state)
{
  (void)state;
  for (size_t cut = 0; cut < 700; cut++) {
    struct fix *f = fix_new();
    assert_int_equal(pair_connect(&f->p, &f->p.l.id), 0);
    f->p.l.echo = true;
    struct pair_stream *t = NULL;
    size_t to_l = cut, to_d = cut;
    for (int round = 0; round < 12; round++) {
      f->p.now += OCF_NS_PER_US;
      side_tx(&f->p.d, f->p.now, &f->p.l.rx, SIZE_MAX);
      size_t n = OCF_MIN(to_l, f->p.l.rx.n);
      to_l -= n;
      if (n > 0)
        side_rx(&f->p.l, f->p.now, n);
      if (to_l == 0 && f->p.l.rx.n > 0)
        side_rx(&f->p.l, f->p.now, SIZE_MAX);
      side_tx(&f->p.l, f->p.now, &f->p.d.rx, SIZE_MAX);
      n = OCF_MIN(to_d, f->p.d.rx.n);
      to_d -= n;
      if (n > 0)
        side_rx(&f->p.d, f->p.now, n);
      if (to_d == 0 && f->p.d.rx.n > 0)
        side_rx(&f->p.d, f->p.now, SIZE_MAX);
      if (f->p.d.up && t == NULL) {
        t = open_stream(f, &f->p.d, ECHO, 1, true);
        assert_int_equal(ocf_stream_write(t->s, "0123456789", 10), 10);
        ocf_stream_fin(t->s);
      }
    }
    assert_non_null(t);
    assert_true(t->gone);
    assert_int_equal(t->err, 0);
    assert_int_equal(t->n_rx, 10);
    fix_free(f);
  }
}

static void test_the_second_proposal_is_taken_when_the_first_is_unknown(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  struct ocf_bytes names[] = { OCF_STR("/none/1"), OCF_STR("/sink/1") };
  struct pair_stream *t = open_stream(f, &f->p.d, names, 2, false);
  pair_run(&f->p, SIZE_MAX);
  assert_true(t->up);
  assert_int_equal(t->proto, 1);
  assert_true(ocf_bytes_eq(ocf_stream_proto(t->s), OCF_STR("/sink/1")));
  fix_free(f);
}

static void test_a_refused_protocol_ends_the_stream_with_unsupported(void **state)
{
  (void)state;
  for (int lazy = 0; lazy < 2; lazy++) {
    struct fix *f = fix_up(SIZE_MAX);
    struct ocf_bytes names[] = { OCF_STR("/none/1") };
    struct pair_stream *t = open_stream(f, &f->p.d, names, 1, lazy != 0);
    pair_run(&f->p, SIZE_MAX);
    assert_true(t->gone);
    assert_int_equal(t->err, OCF_EUNSUPP);
    assert_int_equal(f->p.l.n_streams, 0);
    assert_int_equal(ocf_conn_n_streams(f->p.l.c), 0);
    fix_free(f);
  }
}

static void test_a_reset_carries_its_code_and_ends_both_sides(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  struct pair_stream *t = open_stream(f, &f->p.d, SINK, 1, true);
  pair_run(&f->p, SIZE_MAX);
  ocf_stream_reset(t->s, OCF_STREAM_SHUTDOWN);
  t->s = NULL;
  pair_run(&f->p, SIZE_MAX);
  assert_true(f->p.l.streams[0].gone);
  assert_int_equal(f->p.l.streams[0].err, OCF_ERESET);
  assert_int_equal(f->p.l.streams[0].code, OCF_STREAM_SHUTDOWN);
  assert_false(t->gone);
  fix_free(f);
}

static void test_half_close_leaves_the_other_direction_open(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  struct pair_stream *t = open_stream(f, &f->p.d, SINK, 1, true);
  ocf_stream_fin(t->s);
  pair_run(&f->p, SIZE_MAX);
  struct pair_stream *r = &f->p.l.streams[0];
  assert_true(r->fin);
  assert_false(r->gone);
  assert_int_equal(ocf_stream_write(t->s, "x", 1), 0);
  assert_int_equal(ocf_stream_write(r->s, "late", 4), 4);
  ocf_stream_fin(r->s);
  pair_run(&f->p, SIZE_MAX);
  assert_int_equal(t->n_rx, 4);
  assert_true(t->gone && r->gone);
  assert_int_equal(t->err, 0);
  assert_int_equal(r->err, 0);
  fix_free(f);
}

static uint8_t pattern(size_t i)
{
  return (uint8_t)(i * 31 + (i >> 8));
}

/* Writes `total` bytes as the connection takes them. */
static void pump(struct fix *f, struct pair_stream *t, size_t *sent, size_t total)
{
  static uint8_t buf[100000];
  while (*sent < total) {
    size_t n = OCF_MIN(total - *sent, sizeof(buf));
    for (size_t i = 0; i < n; i++)
      buf[i] = pattern(*sent + i);
    size_t k = ocf_stream_write(t->s, buf, n);
    *sent += k;
    if (k < n)
      break;
  }
  (void)f;
}

static void test_bulk_arrives_whole_and_the_queue_stays_bounded(void **state)
{
  (void)state;
  enum { TOTAL = 6 * 1024 * 1024 };
  struct fix *f = fix_up(SIZE_MAX);
  struct pair_stream *t = open_stream(f, &f->p.d, SINK, 1, true);
  size_t sent = 0, rounds = 0;
  while (sent < TOTAL && rounds++ < 10000) {
    pump(f, t, &sent, TOTAL);
    assert_true(f->p.d.pool.n_tx_used <= 5);
    f->p.now += 10 * OCF_NS_PER_US;
    pair_run(&f->p, 50000);
  }
  assert_int_equal(sent, TOTAL);
  ocf_stream_fin(t->s);
  pair_run(&f->p, SIZE_MAX);
  uint64_t want = 0;
  for (size_t i = 0; i < TOTAL; i++)
    want += (pattern(i) + UINT64_C(1)) * (i + 1);
  assert_int_equal(f->p.l.streams[0].n_rx, TOTAL);
  assert_int_equal(f->p.l.streams[0].sum, want);
  fix_free(f);
}

static void test_a_full_queue_reports_writable_to_every_waiting_stream_in_turn(void **state)
{
  (void)state;
  enum { N = 20 };
  static uint8_t big[200000];
  struct fix *f = fix_up(SIZE_MAX);
  struct pair_stream *t[N];
  for (size_t i = 0; i < N; i++)
    t[i] = open_stream(f, &f->p.d, SINK, 1, true);
  size_t blocked = 0;
  for (size_t i = 0; i < N; i++)
    blocked += ocf_stream_write(t[i]->s, big, sizeof(big)) < sizeof(big);
  assert_true(blocked >= N - 2); /* the queue is shorter than two of them */
  size_t most = 0, least = SIZE_MAX;
  for (size_t round = 0; round < 200; round++) {
    side_tx(&f->p.d, f->p.now, &f->p.l.rx, 20000);
    for (size_t i = 0; i < N; i++)
      if (t[i]->writable) {
        t[i]->writable = false;
        (void)ocf_stream_write(t[i]->s, big, 50000);
      }
  }
  pair_run(&f->p, SIZE_MAX);
  for (size_t i = 0; i < N; i++) {
    most = OCF_MAX(most, f->p.l.streams[i].n_rx);
    least = OCF_MIN(least, f->p.l.streams[i].n_rx);
  }
  assert_true(least > 0);
  (void)most;
  fix_free(f);
}

static void test_a_reader_that_holds_stops_only_its_stream(void **state)
{
  (void)state;
  static uint8_t big[400000];
  struct fix *f = fix_up(SIZE_MAX);
  f->p.l.hold = true;
  struct pair_stream *t = open_stream(f, &f->p.d, SINK, 1, true);
  size_t sent = 0;
  for (int i = 0; i < 10; i++) {
    sent += ocf_stream_write(t->s, big, sizeof(big) - sent);
    pair_run(&f->p, SIZE_MAX);
  }
  size_t agreed = 7 + 1 + 1 + 20; /* negotiation also counts against the window, once */
  assert_true(sent <= 262144);
  assert_true(sent >= 262144 - agreed - 1);
  assert_true(ocf_stream_blocked_since(t->s) != OCF_TIME_NEVER);
  f->p.l.hold = false;
  struct pair_stream *u = open_stream(f, &f->p.d, SINK, 1, true);
  assert_int_equal(ocf_stream_write(u->s, "go", 2), 2);
  pair_run(&f->p, SIZE_MAX);
  assert_int_equal(f->p.l.streams[1].n_rx, 2);
  ocf_stream_consumed(f->p.l.streams[0].s, f->p.l.streams[0].n_rx);
  pair_run(&f->p, SIZE_MAX);
  assert_true(t->writable);
  sent += ocf_stream_write(t->s, big, sizeof(big) - sent);
  pair_run(&f->p, SIZE_MAX);
  assert_int_equal(sent, sizeof(big));
  fix_free(f);
}

static void test_many_small_writes_of_a_turn_leave_as_one_frame(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  struct pair_stream *t[50];
  for (size_t i = 0; i < 50; i++)
    t[i] = open_stream(f, &f->p.d, SINK, 1, true);
  uint64_t before = ocf_conn_stats(f->p.d.c)->tx_frames;
  for (size_t i = 0; i < 50; i++)
    assert_int_equal(ocf_stream_write(t[i]->s, "GET / HTTP/1.1\r\n\r\n", 18), 18);
  pair_run(&f->p, SIZE_MAX);
  assert_int_equal(ocf_conn_stats(f->p.d.c)->tx_frames, before + 1);
  for (size_t i = 0; i < 50; i++)
    assert_int_equal(f->p.l.streams[i].n_rx, 18);
  fix_free(f);
}

static void test_no_allocation_on_the_data_path(void **state)
{
  (void)state;
  static uint8_t buf[3000];
  struct fix *f = fix_up(SIZE_MAX);
  f->p.l.echo = true;
  struct pair_stream *t = open_stream(f, &f->p.d, ECHO, 1, true);
  assert_int_equal(ocf_stream_write(t->s, buf, sizeof(buf)), sizeof(buf));
  pair_run(&f->p, SIZE_MAX);
  uint64_t calls = f->a.n_calls;
  for (int i = 0; i < 100; i++) {
    assert_int_equal(ocf_stream_write(t->s, buf, sizeof(buf)), sizeof(buf));
    pair_run(&f->p, SIZE_MAX);
  }
  assert_int_equal(t->n_rx, 101 * sizeof(buf));
  assert_int_equal(f->a.n_calls, calls);
  fix_free(f);
}

static void test_300_opens_wait_for_acknowledgements_and_all_succeed(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  f->p.l.echo = true;
  size_t n = 0;
  for (;;) {
    struct ocf_stream *s;
    int err = ocf_conn_open(f->p.d.c, f->p.now, ECHO, 1, true, NULL, &s);
    if (err == OCF_EAGAIN)
      break;
    assert_int_equal(err, 0);
    side_track(&f->p.d, s);
    ocf_stream_fin(s);
    n++;
  }
  assert_int_equal(n, 256);
  pair_run(&f->p, SIZE_MAX);
  assert_true(f->p.d.can_open);
  while (n < 300) {
    struct pair_stream *t = open_stream(f, &f->p.d, ECHO, 1, true);
    ocf_stream_fin(t->s);
    n++;
  }
  pair_run(&f->p, SIZE_MAX);
  for (size_t i = 0; i < 300; i++)
    assert_true(f->p.d.streams[i].gone && f->p.d.streams[i].err == 0);
  fix_free(f);
}

static void test_inbound_streams_over_the_limit_are_reset(void **state)
{
  (void)state;
  struct fix *f = fix_new();
  f->p.l.cfg.streams_in_max = 3;
  assert_int_equal(pair_connect(&f->p, NULL), 0);
  pair_run(&f->p, SIZE_MAX);
  struct pair_stream *t[5];
  for (size_t i = 0; i < 5; i++)
    t[i] = open_stream(f, &f->p.d, SINK, 1, false);
  pair_run(&f->p, SIZE_MAX);
  size_t up = 0, gone = 0;
  for (size_t i = 0; i < 5; i++) {
    up += t[i]->up && !t[i]->gone;
    gone += t[i]->gone && t[i]->err == OCF_ERESET && t[i]->code == OCF_STREAM_RESOURCE_LIMIT;
  }
  assert_int_equal(up, 3);
  assert_int_equal(gone, 2);
  fix_free(f);
}

static void test_streams_negotiating_at_once_are_limited(void **state)
{
  (void)state;
  struct fix *f = fix_new();
  f->p.l.cfg.negotiating_in_max = 2;
  f->p.d.cfg.keepalive_ns = 0;
  assert_int_equal(pair_connect(&f->p, NULL), 0);
  pair_run(&f->p, SIZE_MAX);
  struct pair_stream *t[4];
  for (size_t i = 0; i < 4; i++) { /* each proposes something unknown and then waits */
    struct ocf_bytes names[] = { OCF_STR("/none/1"), OCF_STR("/none/2") };
    t[i] = open_stream(f, &f->p.d, names, 2, false);
  }
  side_tx(&f->p.d, f->p.now, &f->p.l.rx, SIZE_MAX);
  side_rx(&f->p.l, f->p.now, SIZE_MAX);
  side_tx(&f->p.l, f->p.now, &f->p.d.rx, SIZE_MAX);
  side_rx(&f->p.d, f->p.now, SIZE_MAX);
  size_t reset = 0;
  for (size_t i = 0; i < 4; i++)
    reset += t[i]->gone && t[i]->code == OCF_STREAM_RESOURCE_LIMIT;
  assert_int_equal(reset, 2);
  fix_free(f);
}

/* A burst of opens from a peer that keeps to the muxer's 256 unacknowledged ones is slowed down,
 * not refused: a stream is acknowledged when its protocol is agreed. */
static void test_a_peer_cannot_open_more_than_may_negotiate(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  struct ocf_bytes names[] = { OCF_STR("/none/1"), ECHO[0] };
  struct ocf_stream *st = NULL;
  size_t n = 0;
  for (; ocf_conn_open(f->p.d.c, f->p.now, names, 2, false, NULL, &st) == 0; n++)
    (void)side_track(&f->p.d, st);
  assert_int_equal(n, 256);
  side_tx(&f->p.d, f->p.now, &f->p.l.rx, SIZE_MAX); /* all propose something unknown … */
  side_rx(&f->p.l, f->p.now, SIZE_MAX);
  side_tx(&f->p.l, f->p.now, &f->p.d.rx, SIZE_MAX); /* … and hear that it is */
  side_rx(&f->p.d, f->p.now, SIZE_MAX);
  assert_int_equal(ocf_conn_open(f->p.d.c, f->p.now, ECHO, 1, false, NULL, &st), OCF_EAGAIN);
  pair_run(&f->p, SIZE_MAX);
  struct pair_stream *t = open_stream(f, &f->p.d, ECHO, 1, false);
  pair_run(&f->p, SIZE_MAX);
  assert_true(t->up && !t->gone);
  for (size_t i = 0; i < n; i++)
    assert_true(f->p.d.streams[i].up && !f->p.d.streams[i].gone);
  fix_free(f);
}

static void test_close_waits_for_streams_and_then_goes_down_without_error(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  f->p.l.echo = true;
  struct pair_stream *t = open_stream(f, &f->p.d, ECHO, 1, true);
  pair_run(&f->p, SIZE_MAX);
  ocf_conn_close(f->p.d.c, f->p.now, 5 * OCF_NS_PER_S);
  struct ocf_stream *s;
  assert_int_equal(ocf_conn_open(f->p.d.c, f->p.now, ECHO, 1, true, NULL, &s), OCF_ESTATE);
  pair_run(&f->p, SIZE_MAX);
  assert_false(f->p.d.down);
  assert_int_equal(ocf_stream_write(t->s, "bye", 3), 3);
  ocf_stream_fin(t->s);
  pair_run(&f->p, SIZE_MAX);
  assert_int_equal(t->n_rx, 3);
  assert_true(f->p.d.down);
  assert_int_equal(f->p.d.down_err, 0);
  assert_true(f->p.l.down); /* told by a go-away */
  assert_int_equal(f->p.l.down_err, OCF_EEOF);
  fix_free(f);
}

static void test_close_gives_up_after_its_grace(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  struct pair_stream *t = open_stream(f, &f->p.d, SINK, 1, true);
  pair_run(&f->p, SIZE_MAX);
  ocf_conn_close(f->p.d.c, f->p.now, 5 * OCF_NS_PER_S);
  assert_true(ocf_conn_deadline(f->p.d.c) <= f->p.now + 5 * OCF_NS_PER_S);
  f->p.now += 5 * OCF_NS_PER_S;
  ocf_conn_tick(f->p.d.c, f->p.now);
  pair_run(&f->p, SIZE_MAX);
  assert_true(f->p.d.down);
  assert_true(t->gone);
  assert_int_equal(t->err, OCF_EEOF);
  assert_int_equal(f->p.d.down_err, 0);
  fix_free(f);
}

static void test_the_end_of_the_transport_delivers_what_came_before(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  struct pair_stream *t = open_stream(f, &f->p.d, SINK, 1, true);
  assert_int_equal(ocf_stream_write(t->s, "last words", 10), 10);
  side_tx(&f->p.d, f->p.now, &f->p.l.rx, SIZE_MAX);
  size_t cap;
  uint8_t *p = ocf_conn_rx_space(f->p.l.c, &cap);
  memcpy(p, f->p.l.rx.p, f->p.l.rx.n);
  ocf_conn_rx(f->p.l.c, f->p.now, f->p.l.rx.n);
  ocf_conn_rx_end(f->p.l.c, f->p.now, OCF_ERESET);
  side_events(&f->p.l, f->p.now);
  assert_int_equal(f->p.l.streams[0].n_rx, 10);
  assert_true(f->p.l.streams[0].gone);
  assert_int_equal(f->p.l.streams[0].err, OCF_EEOF);
  assert_true(f->p.l.down);
  assert_int_equal(f->p.l.down_err, OCF_EEOF);
  fix_free(f);
}

static void test_abort_ends_at_once_and_sends_nothing(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  struct pair_stream *t = open_stream(f, &f->p.d, SINK, 1, true);
  ocf_conn_abort(f->p.d.c, OCF_ECANCELED, NULL);
  assert_int_equal(side_tx(&f->p.d, f->p.now, &f->p.l.rx, SIZE_MAX), 0);
  assert_true(t->gone);
  assert_true(f->p.d.down);
  assert_int_equal(f->p.d.down_err, OCF_ECANCELED);
  fix_free(f);
}

static void test_a_silent_peer_is_noticed_by_the_keep_alive(void **state)
{
  (void)state;
  struct fix *f = fix_up(SIZE_MAX);
  uint64_t start = f->p.now;
  while (!f->p.d.down && f->p.now < start + 100 * OCF_NS_PER_S) {
    uint64_t t = ocf_conn_deadline(f->p.d.c);
    assert_true(t != OCF_TIME_NEVER);
    f->p.now = OCF_MAX(t, f->p.now + 1);
    ocf_conn_tick(f->p.d.c, f->p.now);
    side_tx(&f->p.d, f->p.now, &f->p.l.rx, SIZE_MAX); /* nobody reads it */
  }
  assert_true(f->p.d.down);
  assert_int_equal(f->p.d.down_err, OCF_ETIME);
  assert_true(f->p.now - start <= 41 * OCF_NS_PER_S);
  fix_free(f);
}

static int whole_life(struct ocf_alloc *a, void *ctx)
{
  struct pair *p = ctx;
  static uint8_t big[100000];
  int err = pair_init(p, a);
  if (err == 0)
    err = pair_connect(p, &p->l.id);
  if (err == 0) {
    p->l.echo = true;
    pair_run(p, SIZE_MAX);
    err = p->d.up ? 0 : OCF_ENOMEM;
  }
  struct ocf_stream *s = NULL;
  if (err == 0 && !p->d.down)
    err = ocf_conn_open(p->d.c, p->now, ECHO, 1, false, NULL, &s);
  if (err == 0 && s != NULL) {
    side_track(&p->d, s);
    pair_run(p, SIZE_MAX);
    if (p->d.streams[0].up && !p->d.streams[0].gone && !p->d.down)
      (void)ocf_stream_write(s, big, sizeof(big));
    if (!p->d.streams[0].gone)
      ocf_stream_fin(s);
    pair_run(p, SIZE_MAX);
  }
  pair_fini(p);
  return err == OCF_ESTATE ? OCF_ENOMEM : err; /* the connection went down for want of memory */
}

static void test_every_failed_allocation_is_survived_without_a_leak(void **state)
{
  (void)state;
  struct pair *p = calloc(1, sizeof(*p));
  assert_non_null(p);
  assert_true(ocf_oom_sweep(whole_life, p) > 10);
  free(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_handshake_proves_both_peers),
    cmocka_unit_test(test_an_idle_connection_holds_no_buffer),
    cmocka_unit_test(test_a_stream_echoes_after_sequential_negotiation),
    cmocka_unit_test(test_a_lazy_stream_sends_its_data_with_the_proposal),
    cmocka_unit_test(test_any_piece_size_gives_the_same_result),
    cmocka_unit_test(test_a_cut_at_every_byte_of_a_whole_exchange_changes_nothing),
    cmocka_unit_test(test_the_second_proposal_is_taken_when_the_first_is_unknown),
    cmocka_unit_test(test_a_refused_protocol_ends_the_stream_with_unsupported),
    cmocka_unit_test(test_a_reset_carries_its_code_and_ends_both_sides),
    cmocka_unit_test(test_half_close_leaves_the_other_direction_open),
    cmocka_unit_test(test_bulk_arrives_whole_and_the_queue_stays_bounded),
    cmocka_unit_test(test_a_full_queue_reports_writable_to_every_waiting_stream_in_turn),
    cmocka_unit_test(test_a_reader_that_holds_stops_only_its_stream),
    cmocka_unit_test(test_many_small_writes_of_a_turn_leave_as_one_frame),
    cmocka_unit_test(test_no_allocation_on_the_data_path),
    cmocka_unit_test(test_300_opens_wait_for_acknowledgements_and_all_succeed),
    cmocka_unit_test(test_inbound_streams_over_the_limit_are_reset),
    cmocka_unit_test(test_streams_negotiating_at_once_are_limited),
    cmocka_unit_test(test_a_peer_cannot_open_more_than_may_negotiate),
    cmocka_unit_test(test_close_waits_for_streams_and_then_goes_down_without_error),
    cmocka_unit_test(test_close_gives_up_after_its_grace),
    cmocka_unit_test(test_the_end_of_the_transport_delivers_what_came_before),
    cmocka_unit_test(test_abort_ends_at_once_and_sends_nothing),
    cmocka_unit_test(test_a_silent_peer_is_noticed_by_the_keep_alive),
    cmocka_unit_test(test_every_failed_allocation_is_survived_without_a_leak),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
