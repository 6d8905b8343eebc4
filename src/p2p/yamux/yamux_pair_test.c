/* Two sessions against each other, and ours against the recorded frames of go-yamux. */
#include "p2p/yamux/yamux_test.h"

#include "p2p/yamux/yamux_pair.h"

struct rec {
  int from_harness;
  uint8_t type;
  uint16_t flags;
  uint32_t id, length;
  const char *hex; /* the header, and the body when it is short */
};
struct rec_conn {
  const char *name;
  int harness_dials;
  size_t n;
  const struct rec *recs;
};
#include "tests/vectors/gen/yamux_vectors.inc"

/* ---- pairs ------------------------------------------------------------------------------------
 */

static struct pair the_pair;

static struct ocf_yamux_config pair_config(void)
{
  struct ocf_yamux_config c;
  ocf_yamux_config_default(&c, false);
  c.ping_timeout_ns = 3600 * SEC; /* the pipe may stand still for long */
  c.resets.burst = 0;
  c.max_inbound = 9; /* fewer than the other end may open */
  return c;
}

static uint64_t rnd_state;

static uint32_t rnd(void)
{
  rnd_state ^= rnd_state << 13;
  rnd_state ^= rnd_state >> 7;
  rnd_state ^= rnd_state << 17;
  return (uint32_t)(rnd_state >> 11);
}

static void random_ops(struct pair *p, uint64_t seed, int n)
{
  rnd_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (int i = 0; i < n; i++) {
    uint8_t op = (uint8_t)rnd();
    if ((op % 16 == 5 || op % 16 == 6) && rnd() % 8 != 0)
      continue; /* let streams live long enough to carry something */
    pair_op(p, op, (uint8_t)rnd(), (uint16_t)rnd());
  }
}

/* Goal: whatever honest users do, in whatever pieces bytes travel, streams keep their promise. */
static void test_random_pairs_deliver_every_byte_in_order_and_once(void **state)
{
  struct ocf_yamux_config c = pair_config();
  uint64_t bytes = 0, opened = 0, resets = 0;
  (void)state;
  for (uint64_t seed = 1; seed <= 25; seed++) {
    assert_true(pair_init(&the_pair, &c, 0));
    random_ops(&the_pair, seed, 1500);
    pair_settle(&the_pair);
    bytes += the_pair.n_bytes;
    opened += the_pair.n_opened;
    resets += the_pair.n_resets;
    pair_fini(&the_pair);
  }
  assert_true(bytes > 3 << 20);
  assert_true(opened > 100 && resets > 20);
}

static void test_sessions_that_are_ended_at_any_time_report_it_once(void **state)
{
  struct ocf_yamux_config c = pair_config();
  (void)state;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    assert_true(pair_init(&the_pair, &c, 0));
    random_ops(&the_pair, seed, 10 * (int)seed);
    the_pair.may_die = true;
    pair_op(&the_pair, 15, seed % 2, 0xdead);
    random_ops(&the_pair, seed + 1000, 200);
    pair_settle(&the_pair);
    assert_true(the_pair.end[0].dead && the_pair.end[1].dead);
    pair_fini(&the_pair);
  }
}

/* Goal: no allocation failure breaks a promise or leaks. Method: fail the n-th and all later ones.
 */
static void test_out_of_memory_at_every_allocation(void **state)
{
  struct ocf_yamux_config c = pair_config();
  uint64_t n_calls = 1;
  (void)state;
  for (uint64_t k = 1; k <= n_calls; k++) {
    if (!pair_init(&the_pair, &c, k)) {
      n_calls = OCF_MAX(n_calls, k + 1);
      continue;
    }
    random_ops(&the_pair, 7, 500);
    pair_settle(&the_pair);
    n_calls = OCF_MAX(n_calls, the_pair.end[0].a.n_calls < k ? 0 : k + 1);
    pair_fini(&the_pair);
    if (k > 200)
      break;
  }
  assert_true(n_calls > 10);
}

/* Goal: nothing is allocated on the data path. */
static void test_open_streams_carry_data_without_allocating(void **state)
{
  struct ocf_yamux_config c = pair_config();
  (void)state;
  assert_true(pair_init(&the_pair, &c, 0));
  pair_open(&the_pair, 0);
  pair_open(&the_pair, 0);
  pair_settle(&the_pair);
  uint64_t before = the_pair.end[0].a.n_calls + the_pair.end[1].a.n_calls;
  for (int i = 0; i < 120; i++) {
    pair_op(&the_pair, 3, 0, 60000);
    pair_op(&the_pair, 3, 3, 50000);
    pair_settle(&the_pair);
  }
  assert_true(the_pair.n_bytes > 40 << 20);
  assert_int_equal(the_pair.end[0].a.n_calls + the_pair.end[1].a.n_calls, before);
  pair_fini(&the_pair);
}

/* ---- recordings -------------------------------------------------------------------------------
 */

static size_t rec_bytes(const struct rec *f, uint8_t *to, size_t cap)
{
  size_t n = strlen(f->hex) / 2, whole = 12 + (f->type == TYPE_DATA ? f->length : 0);
  assert_true(n <= cap && whole <= cap);
  for (size_t i = 0; i < n; i++) {
    unsigned v;
    assert_int_equal(sscanf(f->hex + 2 * i, "%2x", &v), 1);
    to[i] = (uint8_t)v;
  }
  memset(to + n, 0, whole - n); /* bodies that were left out of the recording */
  return whole;
}

enum { IDS = 512 };

/* Our session in the place of one side of a recording. */
struct stage {
  struct rig r;
  bool harness; /* which side we play */
  struct ocf_yamux_stream *s[IDS];
  uint64_t got[IDS], want[IDS];
  bool fin[IDS], reset[IDS];
  uint32_t code[IDS];
  int n_acks[IDS], n_syn[IDS];
  uint32_t pongs_owed, pongs_sent;
};

static void stage_event(struct stage *g, const struct ocf_yamux_event *ev)
{
  uint32_t id = ev->stream != NULL ? ocf_yamux_id(ev->stream) : 0;
  assert_true(id < IDS);
  if (ev->kind == OCF_YAMUX_EV_OPENED)
    g->s[id] = ev->stream;
  if (ev->kind == OCF_YAMUX_EV_DATA) {
    g->got[id] += ev->data.n;
    ocf_yamux_consumed(g->r.y, g->r.now, ev->stream, ev->data.n);
  }
  if (ev->kind == OCF_YAMUX_EV_FIN)
    g->fin[id] = true;
  if (ev->kind == OCF_YAMUX_EV_RESET) {
    g->reset[id] = true;
    g->code[id] = ev->code;
  }
  assert_int_not_equal(ev->kind, OCF_YAMUX_EV_DEAD);
}

static void stage_flush(struct stage *g)
{
  ocf_yamux_output(g->r.y, g->r.now, &g->r.out);
  for (size_t at = 0; at < g->r.out.n;) {
    const uint8_t *p = g->r.area + at;
    uint32_t id = ocf_get_be32(p + 4), flags = ocf_get_be16(p + 2);
    if (p[1] == TYPE_PING)
      g->pongs_sent += (flags & FLAG_ACK) != 0;
    else if ((flags & FLAG_ACK) != 0)
      g->n_acks[id]++;
    if (p[1] != TYPE_PING && (flags & FLAG_SYN) != 0)
      g->n_syn[id]++;
    at += 12 + (p[1] == TYPE_DATA ? ocf_get_be32(p + 8) : 0);
  }
  g->r.out.n = 0;
}

/* Opens up to `id`: SYNs overtook each other in the recordings too. */
static void stage_open(struct stage *g, uint32_t id)
{
  assert_true(id < IDS);
  while (g->s[id] == NULL && g->want[id] != UINT64_MAX) {
    struct ocf_yamux_stream *s = open_stream(&g->r);
    g->s[ocf_yamux_id(s)] = s;
    assert_true(ocf_yamux_id(s) <= id);
  }
}

/* What our side did in the recording, by our API. */
static void stage_act(struct stage *g, const struct rec *f)
{
  if (f->type > TYPE_WINDOW)
    return;
  if ((f->flags & FLAG_SYN) != 0)
    stage_open(g, f->id);
  struct ocf_yamux_stream *s = g->s[f->id];
  if (s == NULL)
    return;
  if (f->type == TYPE_DATA && !g->reset[f->id])
    assert_int_equal(write_n(&g->r, s, f->length), f->length);
  if ((f->flags & FLAG_FIN) != 0)
    ocf_yamux_finish(g->r.y, s);
  if ((f->flags & FLAG_RST) != 0) {
    ocf_yamux_reset(g->r.y, g->r.now, s, f->length);
    g->s[f->id] = NULL;
    g->want[f->id] = UINT64_MAX; /* what comes now is dropped */
  }
}

static void stage_feed(struct stage *g, const struct rec *f)
{
  static uint8_t buf[70000];
  struct ocf_yamux_event ev;
  struct ocf_bytes in = ocf_bytes(buf, rec_bytes(f, buf, sizeof(buf)));
  bool ours = (f->id & 1) == (g->r.y->cfg.dialler ? 1 : 0);
  if (f->type <= TYPE_WINDOW && ours)
    stage_open(g, f->id); /* two clocks: our SYN may be recorded behind its answer */
  g->pongs_owed += f->type == TYPE_PING && (f->flags & FLAG_SYN) != 0;
  while (ocf_yamux_next(g->r.y, g->r.now, &in, &ev))
    stage_event(g, &ev);
  if (f->type == TYPE_DATA && g->want[f->id] != UINT64_MAX)
    g->want[f->id] += f->length;
  if (f->type <= TYPE_WINDOW && g->s[f->id] != NULL) {
    assert_int_equal(g->got[f->id], g->want[f->id]);
    if ((f->flags & FLAG_FIN) != 0)
      assert_true(g->fin[f->id]);
    if ((f->flags & FLAG_RST) != 0) {
      assert_true(g->reset[f->id]);
      assert_int_equal(g->code[f->id], f->length);
    }
  }
}

/* Goal: we understand what go-yamux 4 and 5 really send, in both roles. */
static void test_recorded_sessions_replay_in_both_roles(void **state)
{
  static struct stage g;
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(yamux_conns); i++) {
    for (int harness = 0; harness < 2; harness++) {
      const struct rec_conn *conn = &yamux_conns[i];
      struct ocf_yamux_config c;
      memset(&g, 0, sizeof(g));
      ocf_yamux_config_default(&c, (conn->harness_dials != 0) == (harness != 0));
      rig_init(&g.r, &c);
      for (size_t k = 0; k < conn->n; k++) {
        if (conn->recs[k].from_harness == harness)
          stage_act(&g, &conn->recs[k]);
        else
          stage_feed(&g, &conn->recs[k]);
        stage_flush(&g);
      }
      assert_false(ocf_yamux_is_dead(g.r.y));
      assert_int_equal(g.pongs_sent, g.pongs_owed);
      for (uint32_t id = 1; id < IDS; id++) {
        bool ours = (id & 1) == (c.dialler ? 1 : 0);
        if (g.s[id] != NULL) {
          assert_int_equal(g.n_acks[id], ours ? 0 : 1);
          assert_int_equal(g.n_syn[id], ours ? 1 : 0);
        }
      }
      rig_fini(&g.r);
    }
  }
}

/* A digest of the events that `n` bytes cause when cut at `cut`, or into pieces of `step`. */
static uint64_t digest(bool dialler, const uint8_t *p, size_t n, size_t cut, size_t step)
{
  struct rig r;
  uint64_t h = 14695981039346656037u;
  struct ocf_yamux_config c = rig_config(dialler);
  rig_init(&r, &c);
  for (size_t at = 0; at < n;) {
    size_t end = at < cut ? OCF_MIN(cut, at + step) : OCF_MIN(n, at + step);
    struct ocf_bytes in = ocf_bytes(p + at, end - at);
    struct ocf_yamux_event ev;
    while (ocf_yamux_next(r.y, r.now, &in, &ev)) {
      bool data = ev.kind == OCF_YAMUX_EV_DATA;
      for (size_t k = 0; k < (data ? ev.data.n : 1); k++) {
        h = (h ^ (uint64_t)ev.kind) * 1099511628211u;
        h = (h ^ (ev.stream != NULL ? ocf_yamux_id(ev.stream) : 0)) * 1099511628211u;
        h = (h ^ (data ? ev.data.p[k] : ev.code)) * 1099511628211u;
      }
    }
    at = end;
  }
  while (flush(&r) != 0) {
    for (size_t k = 0; k < r.out.n; k++)
      h = (h ^ r.area[k]) * 1099511628211u;
  }
  rig_fini(&r);
  return h;
}

/* Goal: cutting the input anywhere changes nothing. Method: recorded bytes, one cut at every place
 * for a few connections, all pieces of one to 13 bytes for all. */
static void test_any_split_gives_the_same_events(void **state)
{
  static uint8_t p[200000];
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(yamux_conns); i++) {
    const struct rec_conn *conn = &yamux_conns[i];
    size_t n = 0;
    for (size_t k = 0; k < conn->n; k++) {
      if (conn->recs[k].from_harness == 0)
        n += rec_bytes(&conn->recs[k], p + n, sizeof(p) - n);
    }
    bool dialler = conn->harness_dials != 0;
    uint64_t want = digest(dialler, p, n, n, n);
    for (size_t cut = 0; i % 14 == 0 && cut <= n; cut++)
      assert_true(digest(dialler, p, n, cut, n) == want);
    for (size_t step = 1; step <= 13; step++)
      assert_true(digest(dialler, p, n, n, step) == want);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_random_pairs_deliver_every_byte_in_order_and_once),
    cmocka_unit_test(test_sessions_that_are_ended_at_any_time_report_it_once),
    cmocka_unit_test(test_out_of_memory_at_every_allocation),
    cmocka_unit_test(test_open_streams_carry_data_without_allocating),
    cmocka_unit_test(test_recorded_sessions_replay_in_both_roles),
    cmocka_unit_test(test_any_split_gives_the_same_events),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
