/* Goal: a proved peer that misuses identify, push and ping, or a driver that answers late, costs a
 * stream at most. Method: a bare connection with protocols of its own against a swarm. */
#include "testing/test.h"

#include "p2p/identify/identify.h"
#include "p2p/swarm/swarm_world.h"

enum { ID, PUSH, PING, N_PROTOS };
static const struct ocf_bytes PROTOS[N_PROTOS] = {
  { (const uint8_t *)"/ipfs/id/1.0.0", 14 },
  { (const uint8_t *)"/ipfs/id/push/1.0.0", 19 },
  { (const uint8_t *)"/ipfs/ping/1.0.0", 16 },
};

/* Node 0 is the swarm; the stranger has the keys of node 1. */
struct rig {
  struct world *w;
  struct wnode *n;
  struct ocf_conn_pool pool;
  struct ocf_conn_config cc;
  struct ocf_conn *c;
  struct ocf_link *l;
  struct ocf_stream *asked; /* its identify request to us */
  size_t n_rx, n_fin, n_gone, n_up;
  int gone_err;
  uint32_t gone_code;
  bool down;
  uint8_t rx[4096];
};

static struct rig *rig_bare(const struct ocf_ip_addr *from)
{
  struct rig *r = calloc(1, sizeof(*r));
  assert_non_null(r);
  r->w = w_new(2);
  r->n = &r->w->n[0];
  r->n->cfg.ping_every_ns = OCF_NS_PER_S;
  w_start(r->n);
  struct wnode *s = &r->w->n[1];
  ocf_conn_pool_init(&r->pool, &s->a, 2);
  ocf_conn_config_init(&r->cc);
  r->cc.a = &s->a;
  r->cc.rng = &s->rng;
  r->cc.pool = &r->pool;
  r->cc.noise = &s->st;
  r->cc.protos = PROTOS;
  r->cc.n_protos = N_PROTOS;
  assert_int_equal(ocf_conn_new(&r->cc, r->w->now, OCF_CONN_DIALLER, NULL, &r->c), 0);
  assert_int_equal(ocf_swarm_accept(r->n->sw, r->w->now, NULL, from, &r->n->ip, &r->l), 0);
  return r;
}

static void on_event(struct rig *r, const struct ocf_conn_event *ev)
{
  switch (ev->type) {
  case OCF_CONN_STREAM_IN:
    if (ev->proto == ID)
      r->asked = ev->stream;
    break;
  case OCF_CONN_DATA:
    for (size_t i = 0; i < ev->data.n && r->n_rx < sizeof(r->rx); i++)
      r->rx[r->n_rx++] = ev->data.p[i];
    ocf_stream_consumed(ev->stream, ev->data.n);
    break;
  case OCF_CONN_FIN: r->n_fin++; break;
  case OCF_CONN_STREAM_GONE:
    r->n_gone++;
    r->gone_err = ev->err;
    r->gone_code = ev->code;
    if (ev->stream == r->asked)
      r->asked = NULL;
    break;
  case OCF_CONN_DOWN: r->down = true; break;
  case OCF_CONN_UP:
  case OCF_CONN_STREAM_UP:
  case OCF_CONN_WRITABLE:
  case OCF_CONN_CAN_OPEN: break;
  }
}

static void drain_conn(struct rig *r)
{
  struct ocf_conn_event ev;
  while (ocf_conn_event(r->c, r->w->now, &ev))
    on_event(r, &ev);
  ocf_conn_flush(r->c, r->w->now);
}

static size_t to_swarm(struct rig *r)
{
  struct ocf_bytes v;
  size_t cap, done = 0;
  drain_conn(r);
  while (r->l != NULL && ocf_conn_tx(r->c, &v, 1) > 0) {
    uint8_t *p = ocf_link_rx_space(r->l, &cap);
    size_t k = OCF_MIN(cap, v.n);
    if (k == 0)
      break;
    memcpy(p, v.p, k);
    ocf_link_rx(r->l, r->w->now, k);
    ocf_conn_tx_done(r->c, r->w->now, k);
    done += k;
    struct ocf_swarm_event ev;
    while (ocf_swarm_event(r->n->sw, r->w->now, &ev))
      w_event(r->n, &ev);
    drain_conn(r);
  }
  return done;
}

static size_t to_stranger(struct rig *r)
{
  struct ocf_swarm_event ev;
  struct ocf_swarm_effect fx;
  struct ocf_link *l;
  struct ocf_bytes v;
  size_t cap, done = 0;
  while (ocf_swarm_event(r->n->sw, r->w->now, &ev))
    w_event(r->n, &ev);
  while (ocf_swarm_effect(r->n->sw, r->w->now, &fx))
    if (fx.type == OCF_SWARM_CLOSE && fx.link == r->l) {
      r->l = NULL;
      ocf_conn_rx_end(r->c, r->w->now, 0);
      drain_conn(r);
    }
  while ((l = ocf_swarm_tx_next(r->n->sw, r->w->now)) != NULL)
    while (!r->down && ocf_link_tx(l, &v, 1) > 0) {
      uint8_t *p = ocf_conn_rx_space(r->c, &cap);
      size_t k = OCF_MIN(cap, v.n);
      if (k == 0)
        break;
      memcpy(p, v.p, k);
      ocf_conn_rx(r->c, r->w->now, k);
      ocf_link_tx_done(l, r->w->now, k);
      done += k;
      drain_conn(r);
    }
  return done;
}

static void settle(struct rig *r)
{
  do
    r->w->now += OCF_NS_PER_US;
  while (to_swarm(r) + to_stranger(r) > 0);
}

static void pass(struct rig *r, uint64_t ns)
{
  uint64_t end = r->w->now + ns;
  while (r->w->now < end) {
    r->w->now = OCF_MIN(end, r->w->now + 500 * OCF_NS_PER_MS);
    ocf_swarm_tick(r->n->sw, r->w->now);
    ocf_conn_tick(r->c, r->w->now);
    settle(r);
  }
}

static struct rig *rig_new(void)
{
  struct ocf_ip_addr from = w_ip(192, 0, 2, 9, 1234);
  struct rig *r = rig_bare(&from);
  settle(r);
  assert_int_equal(r->n->n_up, 1);
  assert_non_null(r->asked);
  return r;
}

static void rig_free(struct rig *r)
{
  ocf_conn_free(r->c);
  ocf_conn_pool_fini(&r->pool);
  w_free(r->w);
  free(r);
}

static struct ocf_swarm_stats stats(const struct rig *r)
{
  struct ocf_swarm_stats st;
  ocf_swarm_stats(r->n->sw, &st);
  return st;
}

static struct ocf_stream *open_stream(struct rig *r, size_t proto)
{
  struct ocf_stream *s;
  assert_int_equal(ocf_conn_open(r->c, r->w->now, &PROTOS[proto], 1, true, NULL, &s), 0);
  return s;
}

static void answer(struct rig *r, const void *p, size_t n)
{
  assert_int_equal(ocf_stream_write(r->asked, p, n), n);
  ocf_stream_fin(r->asked);
  settle(r);
}

static void test_garbage_as_identify_costs_only_its_stream(void **state)
{
  (void)state;
  static const char *const bad[] = { "\x05\x0a\x7fgar", "\xff\xff\xff", "\x20short", "" };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct rig *r = rig_new();
    answer(r, bad[i], strlen(bad[i]));
    assert_int_equal(stats(r).identify_failed, 1);
    assert_int_equal(r->n->n_identified, 0);
    assert_false(r->down);
    assert_int_equal(stats(r).n_conns, 1);
    rig_free(r);
  }
}

static void test_an_identify_that_never_comes_is_given_up_after_5_seconds(void **state)
{
  (void)state;
  struct rig *r = rig_new();
  pass(r, 6 * OCF_NS_PER_S);
  assert_int_equal(stats(r).identify_failed, 1);
  assert_null(r->asked);
  assert_int_equal(r->gone_err, OCF_ERESET);
  assert_false(r->down);
  rig_free(r);
}

/* What we answer: a message whose record is by `key` about `id`, at `addr`. */
static void answer_record(struct rig *r, const struct ocf_key *key, const struct ocf_peerid *id,
                          uint64_t seq, const char *in_record, const char *plain)
{
  struct ocf_maddr a, b;
  struct ocf_buf rec, msg;
  assert_int_equal(ocf_maddr_parse(ocf_bytes(in_record, strlen(in_record)), &a), 0);
  assert_int_equal(ocf_maddr_parse(ocf_bytes(plain, strlen(plain)), &b), 0);
  ocf_buf_init(&rec, &r->n->a, 65536);
  ocf_buf_init(&msg, &r->n->a, 65536);
  assert_int_equal(ocf_identify_record_seal(key, id, seq, &a, 1, true, &rec), 0);
  struct ocf_identify_self self = {
    .addrs = &b, .n_addrs = 1, .loopback = true, .record = ocf_buf_view(&rec)
  };
  assert_int_equal(ocf_identify_encode(&self, &msg), 0);
  struct ocf_stream *s = r->asked != NULL ? r->asked : open_stream(r, PUSH);
  assert_int_equal(ocf_stream_write(s, msg.p, msg.n), msg.n);
  ocf_stream_fin(s);
  ocf_buf_fini(&rec);
  ocf_buf_fini(&msg);
  settle(r);
}

static bool knows_only(const struct rig *r, const char *text)
{
  struct ocf_maddr got[8], want;
  size_t n = ocf_swarm_peer_addrs(r->n->sw, r->w->now, &r->w->n[1].id, got, 8);
  if (text == NULL)
    return n == 0;
  assert_int_equal(ocf_maddr_parse(ocf_bytes(text, strlen(text)), &want), 0);
  return n == 1 && ocf_maddr_eq(&got[0], &want);
}

static void test_a_signed_record_overrules_plain_addresses_and_only_grows(void **state)
{
  (void)state;
  struct rig *r = rig_new();
  const struct ocf_key *key = &r->w->n[1].key;
  const struct ocf_peerid *id = &r->w->n[1].id;
  answer_record(r, key, id, 10, "/ip4/10.9.9.9/tcp/1", "/ip4/10.8.8.8/tcp/1");
  assert_int_equal(r->n->n_identified, 1);
  assert_true(knows_only(r, "/ip4/10.9.9.9/tcp/1"));
  answer_record(r, key, id, 9, "/ip4/10.7.7.7/tcp/1", "/ip4/10.8.8.8/tcp/1"); /* a replay */
  assert_true(knows_only(r, "/ip4/10.9.9.9/tcp/1"));
  answer_record(r, key, id, 11, "/ip4/10.7.7.7/tcp/1", "/ip4/10.8.8.8/tcp/1");
  assert_true(knows_only(r, "/ip4/10.7.7.7/tcp/1"));
  answer_record(r, key, id, 12, "/ip4/127.0.0.1/tcp/1", "/ip4/10.8.8.8/tcp/1");
  assert_true(knows_only(r, NULL)); /* loopback means nothing from afar */
  rig_free(r);
}

static void test_a_record_of_another_peer_leaves_no_address(void **state)
{
  (void)state;
  struct rig *r = rig_new();
  answer_record(r, &r->n->key, &r->n->id, 10, "/ip4/10.9.9.9/tcp/1", "/ip4/10.8.8.8/tcp/1");
  assert_int_equal(r->n->n_identified, 1);
  assert_true(knows_only(r, NULL));
  rig_free(r);
  r = rig_new(); /* signed by the peer, about somebody else */
  answer_record(r, &r->w->n[1].key, &r->n->id, 10, "/ip4/10.9.9.9/tcp/1", "/ip4/10.8.8.8/tcp/1");
  assert_true(knows_only(r, NULL));
  rig_free(r);
}

static void test_a_flood_of_protocols_is_kept_within_its_bound(void **state)
{
  (void)state;
  static uint8_t msg[80000];
  struct rig *r = rig_new();
  size_t at = 0;
  for (int part = 0; part < 9; part++) {
    msg[at++] = 0x80;
    msg[at++] = 0x40; /* 8192 */
    for (int i = 0; i < 32; i++, at += 256) {
      memset(msg + at, 'p', 256);
      msg[at] = 0x1a;
      msg[at + 1] = 0xfd; /* 253 */
      msg[at + 2] = 0x01;
    }
  }
  size_t before = r->n->a.live_bytes;
  answer(r, msg, at);
  assert_int_equal(r->n->n_identified, 1);
  assert_true(r->n->a.live_bytes < before + 40000);
  rig_free(r);
}

static void test_pings_are_echoed_back_to_back_and_after_a_half_close(void **state)
{
  (void)state;
  struct rig *r = rig_new();
  uint8_t b[64];
  size_t before = r->n_rx;
  for (size_t i = 0; i < sizeof(b); i++)
    b[i] = (uint8_t)i;
  struct ocf_stream *s = open_stream(r, PING);
  assert_int_equal(ocf_stream_write(s, b, 40), 40);
  settle(r);
  assert_int_equal(r->n_rx - before, 32);
  assert_int_equal(ocf_stream_write(s, b + 40, 24), 24);
  ocf_stream_fin(s);
  settle(r);
  assert_int_equal(r->n_rx - before, 64);
  assert_memory_equal(r->rx + before, b, 64);
  assert_int_equal(r->gone_err, 0);
  rig_free(r);
}

static void test_a_ping_flood_is_reset_and_an_idle_ping_stream_too(void **state)
{
  (void)state;
  static uint8_t b[200000];
  struct rig *r = rig_new();
  struct ocf_stream *s = open_stream(r, PING);
  size_t gone = r->n_gone, base = r->n->a.live_bytes;
  for (int i = 0; i < 20 && r->n_gone == gone; i++) {
    (void)ocf_stream_write(s, b, sizeof(b));
    settle(r);
  }
  assert_int_equal(r->n_gone, gone + 1);
  assert_int_equal(r->gone_code, OCF_STREAM_RATE_LIMITED);
  assert_true(r->n->a.live_bytes < base + 1024 * 1024);
  assert_false(r->down);
  gone = r->n_gone;
  s = open_stream(r, PING);
  settle(r);
  pass(r, 70 * OCF_NS_PER_S);
  assert_true(r->n_gone > gone);
  assert_int_equal(r->gone_err, OCF_ERESET);
  assert_false(r->down);
  rig_free(r);
}

static void test_a_ninth_stream_of_our_own_protocols_is_refused(void **state)
{
  (void)state;
  struct rig *r = rig_new();
  for (int i = 0; i < 9; i++)
    (void)open_stream(r, PING);
  settle(r);
  assert_int_equal(r->n_gone, 1);
  assert_int_equal(r->gone_code, OCF_STREAM_RESOURCE_LIMIT);
  rig_free(r);
}

static void test_a_peer_that_does_not_list_ping_is_not_pinged(void **state)
{
  (void)state;
  struct rig *r = rig_new();
  struct ocf_swarm_peer_info info;
  answer(r, "\x02\x1a\x00", 3); /* identified, without ping in its list: it is not asked */
  pass(r, 3 * OCF_NS_PER_S);
  assert_true(ocf_swarm_peer_info(r->n->sw, &r->w->n[1].id, &info));
  assert_true(info.identified);
  assert_int_equal(stats(r).pings + stats(r).pings_failed, 0);
  rig_free(r);
}

static void test_a_peer_with_our_own_key_is_not_a_peer(void **state)
{
  (void)state;
  struct ocf_ip_addr from = w_ip(127, 0, 0, 1, 99);
  struct rig *r = rig_bare(&from);
  ocf_conn_free(r->c);
  r->cc.noise = &r->n->st;
  assert_int_equal(ocf_conn_new(&r->cc, r->w->now, OCF_CONN_DIALLER, NULL, &r->c), 0);
  settle(r);
  assert_int_equal(r->n->n_up, 0);
  assert_int_equal(stats(r).n_conns, 0);
  assert_true(r->down);
  rig_free(r);
}

static size_t n_lines;

static void count_line(void *ctx, const char *line, size_t n)
{
  (void)ctx;
  assert_true(n > 0 && line[n - 1] == '\n');
  n_lines++;
}

static void test_connections_are_logged_at_debug(void **state)
{
  (void)state;
  struct ocf_log log;
  struct world *w = w_new(2);
  ocf_log_init(&log);
  log.write = count_line;
  assert_int_equal(ocf_log_set_levels(&log, "swarm=debug"), 0);
  w->n[0].cfg.log = &log;
  w_start_all(w);
  w_knows(&w->n[0], &w->n[1]);
  n_lines = 0;
  assert_int_equal(ocf_swarm_dial(w->n[0].sw, w->now, &w->n[1].id), 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(n_lines, 1);
  ocf_swarm_disconnect(w->n[0].sw, w->now, &w->n[1].id, 0);
  w_run(w, OCF_NS_PER_S);
  assert_int_equal(n_lines, 2);
  w_free(w);
}

/* The driver's answer to a connect that the swarm has already given up. */
static void late_answer(bool shown, int err)
{
  struct world *w = w_new(2);
  struct wnode *n = &w->n[0];
  struct ocf_swarm_effect fx;
  struct ocf_swarm_event ev;
  w_start_all(w);
  w_knows(n, &w->n[1]);
  assert_int_equal(ocf_swarm_dial(n->sw, w->now, &w->n[1].id), 0);
  if (shown) {
    assert_true(ocf_swarm_effect(n->sw, w->now, &fx));
    assert_int_equal(fx.type, OCF_SWARM_DIAL);
  }
  w->now += 6 * OCF_NS_PER_S;
  ocf_swarm_tick(n->sw, w->now);
  while (ocf_swarm_event(n->sw, w->now, &ev))
    w_event(n, &ev);
  assert_int_equal(n->n_dial_failed, 1);
  if (shown) {
    struct ocf_link *l = fx.link;
    ocf_swarm_dialled(n->sw, w->now, l, err, &w->n[1].ip, &n->ip);
    bool close = ocf_swarm_effect(n->sw, w->now, &fx);
    assert_int_equal(close, err == 0); /* an error was the link's end already */
    if (close)
      assert_int_equal(fx.type, OCF_SWARM_CLOSE);
  }
  assert_false(ocf_swarm_effect(n->sw, w->now, &fx)); /* one never shown leaves no trace */
  w_free(w);
}

static void test_a_connect_that_was_given_up_may_still_be_answered(void **state)
{
  (void)state;
  late_answer(true, 0);
  late_answer(true, OCF_EREFUSED);
  late_answer(false, 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_garbage_as_identify_costs_only_its_stream),
    cmocka_unit_test(test_an_identify_that_never_comes_is_given_up_after_5_seconds),
    cmocka_unit_test(test_a_signed_record_overrules_plain_addresses_and_only_grows),
    cmocka_unit_test(test_a_record_of_another_peer_leaves_no_address),
    cmocka_unit_test(test_a_flood_of_protocols_is_kept_within_its_bound),
    cmocka_unit_test(test_pings_are_echoed_back_to_back_and_after_a_half_close),
    cmocka_unit_test(test_a_ping_flood_is_reset_and_an_idle_ping_stream_too),
    cmocka_unit_test(test_a_ninth_stream_of_our_own_protocols_is_refused),
    cmocka_unit_test(test_a_peer_that_does_not_list_ping_is_not_pinged),
    cmocka_unit_test(test_a_peer_with_our_own_key_is_not_a_peer),
    cmocka_unit_test(test_connections_are_logged_at_debug),
    cmocka_unit_test(test_a_connect_that_was_given_up_may_still_be_answered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
