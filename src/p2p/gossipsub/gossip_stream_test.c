/* Goal: streams may come, go, be cut and be replaced at any time. Method: peers played by hand
 * send RPCs, and what comes back is read again. */
#include "p2p/gossipsub/gossip_one.h"

#include "testing/split.h"

/* ---- streams ---- */

static void test_a_second_inbound_stream_replaces_the_first(void **state)
{
  (void)state;
  int second = 0;
  begin(NULL);
  rig_up(r, 0, true);
  assert_int_equal(ocf_gossip_in(r->g, r->now, &r->peers[0].id, &second), 0);
  struct ocf_gossip_effect fx;
  assert_true(ocf_gossip_effect(r->g, r->now, &fx));
  assert_int_equal(fx.type, OCF_GOSSIP_RESET_IN);
  assert_ptr_equal(fx.handle, rig_handle(r, 0));
  assert_int_equal(fx.reason, OCF_GOSSIP_REASON_REPLACED);
  rig_send_sub(r, 0, topic, true); /* on the old stream: not heard */
  assert_int_equal(r->n_events, 0);
  end();
}

static void test_an_inbound_stream_takes_an_unknown_peer_up(void **state)
{
  (void)state;
  begin(NULL);
  assert_int_equal(ocf_gossip_in(r->g, r->now, &r->peers[0].id, rig_handle(r, 0)), 0);
  rig_settle(r);
  assert_int_equal(r->peers[0].opens, 1);
  assert_int_equal(ocf_gossip_in(r->g, r->now, &r->self, rig_handle(r, 0)), OCF_EINVAL);
  end();
}

static void test_our_stream_is_opened_again_and_then_given_up(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  rig_up(r, 0, true);
  (void)rig_got(r, 0);
  ocf_gossip_out_gone(r->g, r->now, &r->peers[0].id);
  rig_run(r, 300 * OCF_NS_PER_MS);
  assert_int_equal(r->peers[0].opens, 2);
  assert_int_equal(rig_got(r, 0).subs, 1);
  r->peers[0].open_err = OCF_ERESET;
  ocf_gossip_out_gone(r->g, r->now, &r->peers[0].id);
  rig_run(r, 60 * OCF_NS_PER_S);
  unsigned opens = r->peers[0].opens;
  assert_int_equal(opens, 5);
  r->peers[0].open_err = 0;
  rig_run(r, 60 * OCF_NS_PER_S);
  assert_int_equal(r->peers[0].opens, opens);
  assert_int_equal(ocf_gossip_peer_up(r->g, r->now, &r->peers[0].id, true, 0), 0);
  rig_settle(r);
  assert_int_equal(r->peers[0].opens, opens + 1);
  assert_int_equal(rig_got(r, 0).subs, 1);
  end();
}

static void test_what_waits_outlives_our_stream(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  (void)rig_got(r, 0);
  r->peers[0].stuck = true;
  assert_int_equal(publish("kept"), 0);
  ocf_gossip_out_gone(r->g, r->now, &r->peers[0].id);
  r->peers[0].stuck = false;
  rig_run(r, 300 * OCF_NS_PER_MS);
  struct rig_got got = rig_got(r, 0);
  assert_true(got.first_has_subs);
  assert_int_equal(got.msgs, 1);
  assert_int_equal(got.grafts, 1);
  end();
}

static void test_a_peer_that_speaks_nothing_of_ours_is_not_asked_again(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  r->peers[0].open_err = OCF_EUNSUPP;
  rig_up(r, 0, true);
  rig_run(r, 60 * OCF_NS_PER_S);
  assert_int_equal(r->peers[0].opens, 1);
  end();
}

static void test_rpcs_that_are_too_long_or_do_not_parse_reset_the_stream(void **state)
{
  (void)state;
  begin(NULL);
  rig_up(r, 0, true);
  rig_rx(r, 0, (const uint8_t *)"\x81\x80\x40", 3); /* 1 MiB + 1 */
  assert_int_equal(r->peers[0].resets, 1);
  assert_int_equal(r->peers[0].reset_reason, OCF_GOSSIP_REASON_PROTOCOL);
  assert_int_equal(ocf_gossip_in(r->g, r->now, &r->peers[0].id, rig_handle(r, 0)), 0);
  rig_rx(r, 0, (const uint8_t *)"\x02\x0a\x05", 3);
  assert_int_equal(r->peers[0].resets, 2);
  assert_int_equal(ocf_gossip_in(r->g, r->now, &r->peers[0].id, rig_handle(r, 0)), 0);
  rig_rx(r, 0, (const uint8_t *)"\x00\x00", 2); /* empty RPCs are fine */
  assert_int_equal(r->peers[0].resets, 2);
  rig_rx(r, 0, (const uint8_t *)"\x80\x00", 2); /* but not in two bytes */
  assert_int_equal(r->peers[0].resets, 3);
  assert_int_equal(r->peers[0].reset_reason, OCF_GOSSIP_REASON_PROTOCOL);
  end();
}

/* ---- sweeps ---- */

/* What a fresh engine makes of a stream of bytes: its events and what it answers. */
struct sweep {
  uint8_t bytes[8192];
  size_t n;
  size_t events, got_n;
  uint64_t hash;
  bool known;
};

static void sweep_begin(void *ctx)
{
  (void)ctx;
  begin(NULL);
  join(topic);
  rig_up(r, 0, true);
}

static int sweep_feed(void *ctx, const uint8_t *p, size_t n)
{
  (void)ctx;
  rig_rx(r, 0, p, n);
  return 0;
}

static void sweep_end(void *ctx, int err)
{
  struct sweep *s = ctx;
  static const uint64_t seed[2] = { 1, 2 };
  assert_int_equal(err, 0);
  rig_run(r, 300 * OCF_NS_PER_MS);
  struct ocf_buf *got = &r->peers[0].got;
  struct rig_got parts = rig_got(r, 0);
  got->n = 0;
  uint64_t h = ocf_siphash13(seed, &parts, offsetof(struct rig_got, backoff_s));
  parts.rpcs = 0;
  h = ocf_siphash13(seed, &parts.subs, offsetof(struct rig_got, backoff_s) - sizeof(unsigned));
  if (!s->known) {
    s->events = r->n_events;
    s->hash = h;
    s->known = true;
    assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 2);
  }
  assert_int_equal(r->n_events, s->events);
  assert_true(h == s->hash);
  end();
}

/* Writes what peer 0 says in the sweeps: subscriptions, messages, gossip, GRAFT. */
static void sweep_script(struct sweep *s)
{
  static struct rig_rpc rpc, ctl;
  uint8_t msg[700], id[OCF_GOSSIP_ID_MAX];
  memset(s, 0, sizeof(*s));
  begin(NULL);
  for (int step = 0; step < 4; step++) {
    rpc.n = ctl.n = 0;
    if (step == 0) {
      rig_put(&rpc, 1, OCF_STR("\x08\x01\x12\x08ocf-crdt"));
      rig_put(&ctl, 3, OCF_STR("\x0a\x08ocf-crdt"));
    } else if (step < 3) {
      size_t n = rig_message(r, 3, (uint64_t)step, topic, ocf_bytes(msg, 100u * (unsigned)step),
                             false, msg + 300, 400);
      rig_put(&rpc, 2, ocf_bytes(msg + 300, n));
    } else {
      uint8_t body[80] = "\x0a\x08ocf-crdt\x12\x2e";
      struct ocf_bytes i = rig_id(&r->peers[7].id, 1, id);
      memcpy(body + 12, i.p, i.n);
      rig_put(&ctl, 1, ocf_bytes(body, 12 + i.n));
    }
    if (ctl.n > 0)
      rig_put(&rpc, 3, ocf_bytes(ctl.b, ctl.n));
    s->n += ocf_varint_put(s->bytes + s->n, rpc.n);
    memcpy(s->bytes + s->n, rpc.b, rpc.n);
    s->n += rpc.n;
  }
  end();
}

static void test_any_split_of_a_stream_gives_the_same_outcome(void **state)
{
  (void)state;
  static struct sweep s;
  sweep_script(&s);
  struct ocf_split split = { &s, sweep_begin, sweep_feed, sweep_end };
  ocf_split_run(&split, s.bytes, s.n, s.n, s.n);
  ocf_split_sweep(&split, s.bytes, s.n);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_second_inbound_stream_replaces_the_first),
    cmocka_unit_test(test_an_inbound_stream_takes_an_unknown_peer_up),
    cmocka_unit_test(test_our_stream_is_opened_again_and_then_given_up),
    cmocka_unit_test(test_what_waits_outlives_our_stream),
    cmocka_unit_test(test_a_peer_that_speaks_nothing_of_ours_is_not_asked_again),
    cmocka_unit_test(test_rpcs_that_are_too_long_or_do_not_parse_reset_the_stream),
    cmocka_unit_test(test_any_split_of_a_stream_gives_the_same_outcome),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
