/* Goal: whatever a stranger sends, the connection ends with the right error, within its bounds of
 * memory and time, and never touches what it should not. Method: a connection of ours against a
 * script: raw bytes before the handshake, and a hand-made Noise and yamux peer after it. */
#include "testing/test.h"

#include "base/core/endian.h"
#include "p2p/conn/conn_pair.h"

static const char HEADER[] = "\x13/multistream/1.0.0\n";
static const char NOISE[] = "\x07/noise\n";

/* Ours, and what a stranger needs to speak to it. */
struct fix {
  struct ocf_alloc a;
  struct pair_side us;
  struct pair_side them; /* its key and static key only */
  struct ocf_noise hs;
  struct ocf_noise_result ch;
  struct pair_pipe out; /* what we said */
  uint64_t now;
  bool up;
};

static struct fix *fix_new(enum ocf_conn_role role, const struct ocf_peerid *expect)
{
  struct fix *f = calloc(1, sizeof(*f));
  assert_non_null(f);
  ocf_alloc_init(&f->a);
  f->now = OCF_NS_PER_S;
  assert_int_equal(side_init(&f->us, &f->a, 1), 0);
  assert_int_equal(side_init(&f->them, &f->a, 2), 0);
  assert_int_equal(ocf_conn_new(&f->us.cfg, f->now, role, expect, &f->us.c), 0);
  return f;
}

static void fix_free(struct fix *f)
{
  ocf_noise_fini(&f->hs);
  if (f->up)
    ocf_noise_result_fini(&f->ch);
  side_fini(&f->us);
  side_fini(&f->them);
  free(f->out.p);
  assert_int_equal(f->a.live_bytes, 0);
  free(f);
}

/* The stranger says `n` bytes; what we answer is appended to f->out. */
static void say(struct fix *f, const void *p, size_t n)
{
  pipe_add(&f->us.rx, p, n);
  f->now += OCF_NS_PER_US;
  side_rx(&f->us, f->now, SIZE_MAX);
  side_tx(&f->us, f->now, &f->out, SIZE_MAX);
}

static void say_str(struct fix *f, const char *s)
{
  say(f, s, strlen(s));
}

static void expect_down(struct fix *f, int err)
{
  assert_true(f->us.down);
  assert_int_equal(f->us.down_err, err);
  assert_true(f->us.why[0] != '\0');
}

/* A listener of ours, led through the whole handshake by an honest stranger. */
static struct fix *fix_secured(size_t n_muxers)
{
  static const struct ocf_bytes muxers[] = { { (const uint8_t *)"/yamux/1.0.0", 12 } };
  static uint8_t buf[OCF_NOISE_HANDSHAKE_MAX];
  struct fix *f = fix_new(OCF_CONN_LISTENER, NULL);
  struct ocf_noise_config nc = {
    .role = OCF_NOISE_INITIATOR, .self = &f->them.st, .muxers = muxers, .n_muxers = n_muxers
  };
  size_t used;
  say_str(f, HEADER);
  say_str(f, NOISE);
  assert_int_equal(f->out.n, strlen(HEADER) + strlen(NOISE));
  pipe_take(&f->out, f->out.n);
  assert_int_equal(ocf_noise_init(&f->hs, &f->a, &f->them.rng, &nc), 0);
  say(f, buf, ocf_noise_output(&f->hs, buf, sizeof(buf)));
  assert_int_equal(ocf_noise_input(&f->hs, f->out.p, f->out.n, &used), 0);
  assert_int_equal(used, f->out.n);
  pipe_take(&f->out, f->out.n);
  assert_true(ocf_noise_is_done(&f->hs));
  assert_int_equal(ocf_noise_take(&f->hs, &f->ch), 0);
  f->up = true;
  say(f, buf, ocf_noise_output(&f->hs, buf, sizeof(buf)));
  assert_int_equal(f->us.up, n_muxers > 0);
  return f;
}

/* The stranger says `n` bytes inside the channel, as one frame. */
static void say_sealed(struct fix *f, const void *p, size_t n)
{
  static uint8_t frame[OCF_NOISE_FRAME_MAX];
  memcpy(frame + OCF_NOISE_HEADER_LEN, p, n);
  assert_int_equal(ocf_noise_seal_frame(&f->ch.tx, frame, n), 0);
  say(f, frame, n + OCF_NOISE_OVERHEAD);
}

enum { DATA = 0, WINDOW = 1, PING = 2, GOAWAY = 3, SYN = 1, ACK = 2, FIN = 4, RST = 8 };

static void put_frame(uint8_t *p, uint8_t type, uint16_t flags, uint32_t id, uint32_t length)
{
  p[0] = 0;
  p[1] = type;
  ocf_put_be16(p + 2, flags);
  ocf_put_be32(p + 4, id);
  ocf_put_be32(p + 8, length);
}

static void say_frame(struct fix *f, uint8_t type, uint16_t flags, uint32_t id, uint32_t length,
                      const void *body)
{
  static uint8_t b[70000];
  put_frame(b, type, flags, id, length);
  size_t n = type == DATA ? length : 0;
  if (n > 0)
    memcpy(b + 12, body, n);
  say_sealed(f, b, 12 + n);
}

/* What we said in the channel, opened; `*n` bytes. */
static const uint8_t *heard(struct fix *f, size_t *n)
{
  static uint8_t plain[1 << 20];
  *n = 0;
  while (f->out.n > 0) {
    struct ocf_bytes p;
    int len = ocf_noise_frame_len(f->out.p, f->out.n);
    assert_true(len > 0 && (size_t)len <= f->out.n);
    assert_int_equal(ocf_noise_open_frame(&f->ch.rx, f->out.p, (size_t)len, &p), 0);
    memcpy(plain + *n, p.p, p.n);
    *n += p.n;
    pipe_take(&f->out, (size_t)len);
  }
  return plain;
}

/* --- before the handshake --- */

static void test_garbage_instead_of_a_handshake_is_a_protocol_error(void **state)
{
  (void)state;
  static const char *const bad[] = { "GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
                                     "\x16\x03\x01\x02",       "\xff\xff\xff\xff",
                                     "\x01\n\x01\n",           "\x13/multistream/2.0.0\n" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct fix *f = fix_new(OCF_CONN_LISTENER, NULL);
    say_str(f, bad[i]);
    say_str(f, "................................................................................");
    expect_down(f, OCF_EPROTO);
    fix_free(f);
  }
}

static void test_an_oversized_token_is_refused_at_its_length(void **state)
{
  (void)state;
  struct fix *f = fix_new(OCF_CONN_LISTENER, NULL);
  size_t before = f->a.live_bytes;
  say_str(f, HEADER);
  say(f, "\x81\x08", 2); /* 1025 */
  expect_down(f, OCF_EPROTO);
  assert_true(f->a.peak_bytes - before < 1024 + sizeof(HEADER) + 2 * (OCF_CONN_RX_SIZE + 64));
  fix_free(f);
}

static void
test_an_unknown_security_protocol_is_answered_na_and_may_be_followed_by_noise(void **state)
{
  (void)state;
  struct fix *f = fix_new(OCF_CONN_LISTENER, NULL);
  say_str(f, HEADER);
  say_str(f, "\x0b/tls/1.0.0\n");
  say_str(f, NOISE);
  assert_false(f->us.down);
  pipe_add(&f->out, "", 1);
  assert_non_null(strstr((const char *)f->out.p, "\x03na\n\x07/noise\n"));
  fix_free(f);
}

static void test_a_listener_that_speaks_no_noise_ends_the_dial(void **state)
{
  (void)state;
  struct fix *f = fix_new(OCF_CONN_DIALLER, NULL);
  say_str(f, HEADER);
  say_str(f, "\x03na\n");
  expect_down(f, OCF_EUNSUPP);
  fix_free(f);
}

static void test_two_diallers_on_one_socket_are_told_apart_from_a_stranger(void **state)
{
  (void)state;
  struct fix *f = fix_new(OCF_CONN_DIALLER, NULL);
  say_str(f, HEADER);
  say_str(f, "\x0b/tls/1.0.0\n");
  expect_down(f, OCF_EINUSE);
  fix_free(f);
}

static void test_a_slow_loris_handshake_ends_after_15_seconds_and_holds_little(void **state)
{
  (void)state;
  struct fix *f = fix_new(OCF_CONN_LISTENER, NULL);
  uint64_t start = f->now;
  size_t i = 0, worst = 0;
  while (!f->us.down && f->now < start + 60 * OCF_NS_PER_S) {
    f->now += OCF_NS_PER_S;
    if (i < strlen(HEADER))
      say(f, HEADER + i++, 1);
    ocf_conn_tick(f->us.c, f->now);
    side_events(&f->us, f->now);
    worst = OCF_MAX(worst, f->us.pool.n_rx_used);
  }
  expect_down(f, OCF_ETIME);
  assert_true(f->now - start <= 16 * OCF_NS_PER_S);
  assert_int_equal(worst, 0); /* no receive buffer is held between two bytes */
  fix_free(f);
}

static void test_a_half_open_connection_costs_under_4_kib_and_15_seconds(void **state)
{
  (void)state;
  struct fix *f = fix_new(OCF_CONN_LISTENER, NULL);
  assert_int_equal(ocf_conn_deadline(f->us.c), f->now + 15 * OCF_NS_PER_S);
  ocf_conn_free(f->us.c);
  size_t before = f->a.live_bytes;
  assert_int_equal(ocf_conn_new(&f->us.cfg, f->now, OCF_CONN_LISTENER, NULL, &f->us.c), 0);
  assert_true(f->a.live_bytes - before <= 4096);
  fix_free(f);
}

static void test_a_truncated_handshake_ends_cleanly_at_every_byte(void **state)
{
  (void)state;
  for (size_t cut = 0; cut < 600; cut++) {
    struct ocf_alloc a;
    struct pair p;
    ocf_alloc_init(&a);
    assert_int_equal(pair_init(&p, &a), 0);
    assert_int_equal(pair_connect(&p, &p.l.id), 0);
    size_t left = cut;
    for (int round = 0; round < 8; round++) {
      p.now += OCF_NS_PER_US;
      side_tx(&p.d, p.now, &p.l.rx, SIZE_MAX);
      left -= side_rx(&p.l, p.now, OCF_MIN(left, p.l.rx.n));
      side_tx(&p.l, p.now, &p.d.rx, SIZE_MAX);
      side_rx(&p.d, p.now, SIZE_MAX);
    }
    ocf_conn_rx_end(p.l.c, p.now, 0);
    side_events(&p.l, p.now);
    assert_true(p.l.down);
    assert_int_equal(p.l.down_err, OCF_EEOF);
    pair_fini(&p);
    assert_int_equal(a.live_bytes, 0);
  }
}

/* Runs a handshake with one bit of what the listener receives flipped, at byte `at`. Returns how
 * many bytes it took until the listener was up; 0 when it never was. */
static size_t flipped(size_t at)
{
  struct ocf_alloc a;
  struct pair p;
  ocf_alloc_init(&a);
  assert_int_equal(pair_init(&p, &a), 0);
  assert_int_equal(pair_connect(&p, &p.l.id), 0);
  size_t seen = 0, up_at = 0;
  for (int round = 0; round < 8 && up_at == 0; round++) {
    p.now += OCF_NS_PER_US;
    side_tx(&p.d, p.now, &p.l.rx, SIZE_MAX);
    for (; p.l.rx.n > 0 && up_at == 0 && !p.l.down; seen++) {
      if (seen == at)
        p.l.rx.p[0] ^= 1;
      side_rx(&p.l, p.now, 1);
      up_at = p.l.up ? seen + 1 : 0;
    }
    side_tx(&p.l, p.now, &p.d.rx, SIZE_MAX);
    side_rx(&p.d, p.now, SIZE_MAX);
  }
  pair_fini(&p);
  assert_int_equal(a.live_bytes, 0);
  return up_at;
}

static void test_a_bit_flipped_anywhere_in_the_handshake_never_connects_the_listener(void **state)
{
  (void)state;
  size_t n = flipped(SIZE_MAX);
  assert_in_range(n, 200, 600);
  for (size_t at = 0; at < n; at++)
    assert_int_equal(flipped(at), 0);
}

static void test_a_wrong_peer_is_refused_before_we_say_who_we_are(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct pair p;
  ocf_alloc_init(&a);
  assert_int_equal(pair_init(&p, &a), 0);
  assert_int_equal(pair_connect(&p, &p.d.id), 0); /* expects itself */
  pair_run(&p, SIZE_MAX);
  assert_true(p.d.down);
  assert_int_equal(p.d.down_err, OCF_EAUTH);
  assert_false(p.d.up || p.l.up);
  assert_false(p.l.down); /* it only ever saw message 1 */
  pair_fini(&p);
}

/* --- inside the channel --- */

static void test_a_muxer_is_negotiated_inside_when_it_was_not_settled_early(void **state)
{
  (void)state;
  struct fix *f = fix_secured(0);
  size_t n;
  assert_false(f->us.up);
  say_sealed(f, HEADER, strlen(HEADER));
  say_sealed(f, "\x0d/mplex/6.7.0\n", 14);
  say_sealed(f, "\x0d/yamux/1.0.0\n", 14);
  assert_true(f->us.up);
  const uint8_t *p = heard(f, &n);
  assert_true(n >= 20 + 4 + 14);
  assert_memory_equal(p, HEADER, 20);
  assert_memory_equal(p + 20, "\x03na\n\x0d/yamux/1.0.0\n", 18);
  fix_free(f);
}

static void test_the_muxer_negotiation_may_be_cut_over_frames(void **state)
{
  (void)state;
  static const char all[] = "\x13/multistream/1.0.0\n\x0d/yamux/1.0.0\n";
  for (size_t cut = 1; cut < sizeof(all) - 1; cut++) {
    struct fix *f = fix_secured(0);
    say_sealed(f, all, cut);
    say_sealed(f, all + cut, sizeof(all) - 1 - cut);
    assert_true(f->us.up);
    fix_free(f);
  }
}

static void test_a_damaged_frame_ends_the_connection_at_once(void **state)
{
  (void)state;
  uint8_t frame[64] = { 0 };
  struct fix *f = fix_secured(1);
  ocf_put_be16(frame, 40);
  say(f, frame, 42);
  expect_down(f, OCF_ECRYPTO);
  fix_free(f);
  f = fix_secured(1);
  ocf_put_be16(frame, 15); /* too short for a tag */
  say(f, frame, 17);
  expect_down(f, OCF_EPROTO);
  fix_free(f);
}

static void test_a_truncated_frame_is_an_ordinary_end_at_every_byte(void **state)
{
  (void)state;
  for (size_t cut = 0; cut < 40; cut++) {
    uint8_t frame[64];
    struct fix *f = fix_secured(1);
    put_frame(frame + 2, PING, SYN, 0, 7);
    memset(frame + 14, 0, 10);
    assert_int_equal(ocf_noise_seal_frame(&f->ch.tx, frame, 12), 0);
    say(f, frame, OCF_MIN(cut, (size_t)30));
    ocf_conn_rx_end(f->us.c, f->now, 0);
    side_events(&f->us, f->now);
    expect_down(f, OCF_EEOF);
    fix_free(f);
  }
}

static void test_a_window_overrun_ends_the_connection_with_a_go_away(void **state)
{
  (void)state;
  static uint8_t body[65000];
  struct fix *f = fix_secured(1);
  size_t n;
  f->us.hold = true;
  say_frame(f, WINDOW, SYN, 1, 0, NULL);
  say_frame(f, DATA, 0, 1, 28, "\x13/multistream/1.0.0\n\x08/sink/1\n");
  say_frame(f, DATA, 0, 1, 1, "\n");
  (void)heard(f, &n);
  size_t sent = 29;
  while (!f->us.down && sent < 400000) {
    say_frame(f, DATA, 0, 1, sizeof(body), body);
    sent += sizeof(body);
  }
  expect_down(f, OCF_EPROTO);
  assert_true(sent >= 262144);
  assert_true(sent <= 262144 + 2 * sizeof(body) + 29);
  const uint8_t *p = heard(f, &n);
  assert_true(n >= 12);
  assert_int_equal(p[n - 11], GOAWAY);
  assert_int_equal(ocf_get_be32(p + n - 4), 1);
  fix_free(f);
}

static void expect_rule(uint8_t type, uint16_t flags, uint32_t id, uint32_t length, int err)
{
  struct fix *f = fix_secured(1);
  say_frame(f, WINDOW, SYN, 1, 0, NULL);
  say_frame(f, type, flags, id, length, "");
  expect_down(f, err);
  fix_free(f);
}

static void test_a_duplicate_syn_ends_the_connection(void **state)
{
  (void)state;
  expect_rule(WINDOW, SYN, 1, 0, OCF_EPROTO);
}

static void test_a_syn_on_stream_0_ends_the_connection(void **state)
{
  (void)state;
  expect_rule(WINDOW, SYN, 0, 0, OCF_EPROTO);
}

static void test_a_syn_of_the_wrong_parity_ends_the_connection(void **state)
{
  (void)state;
  expect_rule(WINDOW, SYN, 2, 0, OCF_EPROTO);
}

static void test_a_go_away_ends_the_connection_whatever_its_code(void **state)
{
  (void)state;
  expect_rule(GOAWAY, 0, 0, 0, OCF_EEOF);
  expect_rule(GOAWAY, 0, 0, 0x1001, OCF_EEOF);
}

static void test_an_unknown_frame_type_or_version_ends_the_connection(void **state)
{
  (void)state;
  expect_rule(9, 0, 1, 0, OCF_EPROTO);
  uint8_t b[12];
  struct fix *f = fix_secured(1);
  put_frame(b, PING, SYN, 0, 1);
  b[0] = 1;
  say_sealed(f, b, sizeof(b));
  expect_down(f, OCF_EPROTO);
  fix_free(f);
}

/* One stream that is opened and then negotiates in the given way: the stream is reset, and the
 * connection goes on. */
static void expect_stream_reset(const void *body, size_t n, bool fin)
{
  struct fix *f = fix_secured(1);
  size_t heard_n, resets = 0;
  say_frame(f, WINDOW, SYN, 1, 0, NULL);
  if (n > 0)
    say_frame(f, DATA, 0, 1, (uint32_t)n, body);
  if (fin)
    say_frame(f, WINDOW, FIN, 1, 0, NULL);
  assert_false(f->us.down);
  assert_int_equal(f->us.n_streams, 0);
  assert_int_equal(ocf_conn_n_streams(f->us.c), 0);
  const uint8_t *p = heard(f, &heard_n);
  for (size_t at = 0; at + 12 <= heard_n;) {
    uint32_t len = ocf_get_be32(p + at + 8);
    if (p[at + 1] == WINDOW && (ocf_get_be16(p + at + 2) & RST) != 0) {
      resets++;
      assert_int_equal(ocf_get_be32(p + at + 4), 1);
      assert_int_equal(len, OCF_STREAM_NEGOTIATION_FAILED);
    }
    at += 12 + (p[at + 1] == DATA ? len : 0);
  }
  assert_int_equal(resets, 1);
  fix_free(f);
}

static void test_malformed_stream_negotiation_resets_that_stream_only(void **state)
{
  (void)state;
  static uint8_t long_token[2000] = { 0xff, 0x0f }, line[100];
  expect_stream_reset("\x13/multistream/1.0.0\n\x81\x08", 22, false);          /* over 1024 */
  expect_stream_reset("\x13/multistream/1.0.0\n\x07/sink/1", 28, false);       /* no newline */
  expect_stream_reset("\x13/multistream/1.0.0\n\x88\x00/sink/1\n", 30, false); /* not minimal */
  expect_stream_reset(long_token, sizeof(long_token), false);
  memset(line, '.', sizeof(line));
  memcpy(line, "GET / HTTP/1.1", 14);
  expect_stream_reset(line, sizeof(line), false); /* "G" announces 71 bytes */
  expect_stream_reset(NULL, 0, true);             /* half-closed before a proposal */
  expect_stream_reset("\x13/multistream/1.0.0\n", 20, true);
}

static void test_a_negotiation_that_stalls_is_reset_after_10_seconds(void **state)
{
  (void)state;
  struct fix *f = fix_secured(1);
  say_frame(f, WINDOW, SYN, 1, 0, NULL);
  say_frame(f, DATA, 0, 1, 1, "\x13");
  assert_int_equal(ocf_conn_n_streams(f->us.c), 1);
  f->now += 10 * OCF_NS_PER_S;
  assert_true(ocf_conn_deadline(f->us.c) <= f->now);
  ocf_conn_tick(f->us.c, f->now);
  side_events(&f->us, f->now);
  assert_int_equal(ocf_conn_n_streams(f->us.c), 0);
  assert_false(f->us.down);
  fix_free(f);
}

static void test_our_own_stream_times_out_when_nobody_answers_its_proposal(void **state)
{
  (void)state;
  struct ocf_bytes name = OCF_STR("/sink/1");
  struct ocf_stream *s;
  struct fix *f = fix_secured(1);
  f->us.cfg.negotiate_ns = 5 * OCF_NS_PER_S; /* sooner than the unanswered ping is noticed */
  assert_int_equal(ocf_conn_open(f->us.c, f->now, &name, 1, false, NULL, &s), 0);
  struct pair_stream *t = side_track(&f->us, s);
  f->now += 5 * OCF_NS_PER_S;
  ocf_conn_tick(f->us.c, f->now);
  side_events(&f->us, f->now);
  assert_true(t->gone);
  assert_int_equal(t->err, OCF_ETIME);
  assert_false(f->us.down);
  fix_free(f);
}

static void test_the_echo_is_sent_although_the_peer_has_half_closed(void **state)
{
  (void)state;
  struct fix *f = fix_secured(1);
  size_t n, at;
  f->us.echo = true;
  say_frame(f, WINDOW, SYN, 1, 0, NULL);
  say_frame(f, DATA, FIN, 1, 20 + 9 + 2, "\x13/multistream/1.0.0\n\x08/echo/1\nhi");
  const uint8_t *p = heard(f, &n);
  static const char want[] = "\x13/multistream/1.0.0\n\x08/echo/1\nhi";
  uint8_t got[64];
  size_t n_got = 0;
  for (at = 0; at + 12 <= n;) {
    uint32_t len = p[at + 1] == DATA ? ocf_get_be32(p + at + 8) : 0;
    assert_true(n_got + len <= sizeof(got));
    memcpy(got + n_got, p + at + 12, len);
    n_got += len;
    at += 12 + len;
  }
  assert_int_equal(n_got, sizeof(want) - 1);
  assert_memory_equal(got, want, n_got);
  assert_true(f->us.streams[0].gone);
  assert_int_equal(f->us.streams[0].err, 0);
  fix_free(f);
}

static void test_empty_frames_are_tolerated(void **state)
{
  (void)state;
  struct fix *f = fix_secured(1);
  uint8_t frame[OCF_NOISE_OVERHEAD];
  size_t n;
  (void)heard(f, &n);
  ocf_put_be16(frame, OCF_AEAD_TAG_LEN);
  assert_int_equal(ocf_aead_seal(&f->ch.tx.aead, f->ch.tx.n, ocf_bytes(NULL, 0),
                                 frame + OCF_NOISE_HEADER_LEN, 0),
                   0);
  f->ch.tx.n++;
  say(f, frame, sizeof(frame));
  assert_false(f->us.down);
  say_frame(f, PING, SYN, 0, 99, NULL);
  const uint8_t *p = heard(f, &n);
  assert_int_equal(n, 12);
  assert_int_equal(p[1], PING);
  assert_int_equal(ocf_get_be32(p + 8), 99);
  fix_free(f);
}

static void test_a_peer_that_stops_reading_the_socket_is_given_up(void **state)
{
  (void)state;
  struct fix *f = fix_secured(1);
  static uint8_t big[100000];
  say_frame(f, WINDOW, SYN, 1, 1 << 20, NULL);
  say_frame(f, DATA, 0, 1, 29, "\x13/multistream/1.0.0\n\x08/sink/1\n");
  (void)ocf_stream_write(f->us.streams[0].s, big, sizeof(big));
  ocf_conn_flush(f->us.c, f->now); /* and nothing is ever written */
  uint64_t start = f->now;
  while (!f->us.down && f->now < start + 100 * OCF_NS_PER_S) {
    f->now = OCF_MAX(ocf_conn_deadline(f->us.c), f->now + 1);
    ocf_conn_tick(f->us.c, f->now);
    side_events(&f->us, f->now);
  }
  expect_down(f, OCF_ETIME);
  assert_true(f->now - start <= 21 * OCF_NS_PER_S);
  fix_free(f);
}

static void test_a_flood_of_opens_and_resets_ends_the_connection(void **state)
{
  (void)state;
  struct fix *f = fix_secured(1);
  uint8_t b[2400];
  uint32_t id = 1;
  size_t base = f->a.live_bytes;
  for (int i = 0; i < 1000 && !f->us.down; i++) {
    for (size_t at = 0; at < sizeof(b); at += 24, id += 2) {
      put_frame(b + at, WINDOW, SYN, id, 0);
      put_frame(b + at + 12, WINDOW, RST, id, 0);
    }
    say_sealed(f, b, sizeof(b));
    pipe_take(&f->out, f->out.n);
  }
  expect_down(f, OCF_ELIMIT);
  assert_true(f->a.live_bytes < base + 64 * 1024);
  fix_free(f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_garbage_instead_of_a_handshake_is_a_protocol_error),
    cmocka_unit_test(test_an_oversized_token_is_refused_at_its_length),
    cmocka_unit_test(test_an_unknown_security_protocol_is_answered_na_and_may_be_followed_by_noise),
    cmocka_unit_test(test_a_listener_that_speaks_no_noise_ends_the_dial),
    cmocka_unit_test(test_two_diallers_on_one_socket_are_told_apart_from_a_stranger),
    cmocka_unit_test(test_a_slow_loris_handshake_ends_after_15_seconds_and_holds_little),
    cmocka_unit_test(test_a_half_open_connection_costs_under_4_kib_and_15_seconds),
    cmocka_unit_test(test_a_truncated_handshake_ends_cleanly_at_every_byte),
    cmocka_unit_test(test_a_bit_flipped_anywhere_in_the_handshake_never_connects_the_listener),
    cmocka_unit_test(test_a_wrong_peer_is_refused_before_we_say_who_we_are),
    cmocka_unit_test(test_a_muxer_is_negotiated_inside_when_it_was_not_settled_early),
    cmocka_unit_test(test_the_muxer_negotiation_may_be_cut_over_frames),
    cmocka_unit_test(test_a_damaged_frame_ends_the_connection_at_once),
    cmocka_unit_test(test_a_truncated_frame_is_an_ordinary_end_at_every_byte),
    cmocka_unit_test(test_a_window_overrun_ends_the_connection_with_a_go_away),
    cmocka_unit_test(test_a_duplicate_syn_ends_the_connection),
    cmocka_unit_test(test_a_syn_on_stream_0_ends_the_connection),
    cmocka_unit_test(test_a_syn_of_the_wrong_parity_ends_the_connection),
    cmocka_unit_test(test_a_go_away_ends_the_connection_whatever_its_code),
    cmocka_unit_test(test_an_unknown_frame_type_or_version_ends_the_connection),
    cmocka_unit_test(test_malformed_stream_negotiation_resets_that_stream_only),
    cmocka_unit_test(test_a_negotiation_that_stalls_is_reset_after_10_seconds),
    cmocka_unit_test(test_our_own_stream_times_out_when_nobody_answers_its_proposal),
    cmocka_unit_test(test_the_echo_is_sent_although_the_peer_has_half_closed),
    cmocka_unit_test(test_empty_frames_are_tolerated),
    cmocka_unit_test(test_a_peer_that_stops_reading_the_socket_is_given_up),
    cmocka_unit_test(test_a_flood_of_opens_and_resets_ends_the_connection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
