/* Goal: who does wrong is found out, nobody else is, and what peers make us hold is bounded.
 * Method: peers played by hand send RPCs, and what comes back is read again. */
#include "p2p/gossipsub/gossip_one.h"

/* ---- scores ---- */

static void test_bad_signatures_lead_to_the_door_and_are_not_forgotten(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  for (uint64_t k = 0; k < 4; k++)
    rig_send_msg(r, 0, 1, k, topic, OCF_STR("x"), true);
  assert_int_equal(r->peers[0].disconnects, 0);
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_SIGNATURE], 3); /* the 4th was not heard */
  assert_int_equal(rig_stats(r).graylisted_rpcs, 1);
  assert_true(rig_score(r, 0) < -80);
  ocf_gossip_peer_down(r->g, r->now, &r->peers[0].id);
  rig_run(r, 10 * OCF_NS_PER_S);
  crowd(0, 1, true);
  assert_true(rig_score(r, 0) < -60); /* ten seconds of healing, no more */
  assert_false(in_mesh(0));
  rig_run(r, 300 * OCF_NS_PER_S); /* and one that behaves is taken again */
  assert_true(rig_score(r, 0) > -10);
  end();
}

static void test_a_burst_of_forgeries_in_one_rpc_disconnects_once(void **state)
{
  (void)state;
  static struct rig_rpc rpc;
  uint8_t msg[512];
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rpc.n = 0;
  for (uint64_t k = 0; k < 30; k++)
    rig_put(&rpc, 2,
            ocf_bytes(msg, rig_message(r, 1, k, topic, OCF_STR("x"), true, msg, sizeof(msg))));
  rig_send(r, 0, &rpc);
  assert_int_equal(r->peers[0].disconnects, 1);
  end();
}

static void test_a_graft_flood_leads_to_the_door(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_send_graft(r, 0, topic);
  rig_send_prune(r, 0, topic, 60);
  for (int i = 0; i < 10; i++)
    rig_send_graft(r, 0, topic);
  assert_int_equal(r->peers[0].disconnects, 1);
  end();
}

static void no_scores(struct ocf_gossip_config *cfg)
{
  cfg->score.on = false;
}

static void test_without_scores_nothing_is_punished(void **state)
{
  (void)state;
  begin(no_scores);
  join(topic);
  crowd(0, 1, true);
  for (uint64_t k = 0; k < 50; k++)
    rig_send_msg(r, 0, 1, k, topic, OCF_STR("x"), true);
  assert_true(rig_score(r, 0) >= 0);
  assert_int_equal(r->peers[0].disconnects, 0);
  end();
}

static void crowded(struct ocf_gossip_config *cfg)
{
  cfg->score.colocation_weight = 1;
  cfg->score.colocation_free = 2;
}

static void test_peers_on_one_address_weigh_on_each_other(void **state)
{
  (void)state;
  begin(crowded);
  for (unsigned i = 0; i < 5; i++)
    assert_int_equal(ocf_gossip_peer_up(r->g, r->now, &r->peers[i].id, false, 77), 0);
  assert_int_equal(ocf_gossip_peer_up(r->g, r->now, &r->peers[5].id, false, 0), 0);
  assert_true(rig_score(r, 0) < -8 && rig_score(r, 5) >= 0);
  for (unsigned i = 1; i < 5; i++)
    ocf_gossip_peer_down(r->g, r->now, &r->peers[i].id);
  assert_true(rig_score(r, 0) >= 0);
  end();
}

/* ---- limits ---- */

static void test_announced_but_unsent_bytes_cost_no_memory(void **state)
{
  (void)state;
  begin(NULL);
  for (unsigned i = 0; i < 20; i++)
    rig_up(r, i, true);
  size_t before = r->heap.live_bytes;
  for (unsigned i = 0; i < 20; i++)
    rig_rx(r, i, (const uint8_t *)"\x80\x80\x40\x12", 4);
  assert_true(r->heap.live_bytes - before < 20 * 100);
  end();
}

static void small_rx(struct ocf_gossip_config *cfg)
{
  cfg->limits.rx_bytes_max = 100000;
}

static void test_half_received_rpcs_of_all_peers_are_bounded(void **state)
{
  (void)state;
  static uint8_t junk[40000];
  begin(small_rx);
  unsigned resets = 0;
  for (unsigned i = 0; i < 10; i++) {
    rig_up(r, i, true);
    rig_rx(r, i, (const uint8_t *)"\x80\x80\x40", 3);
    rig_rx(r, i, junk, sizeof(junk));
    resets += r->peers[i].resets;
    assert_true(rig_stats(r).rx_bytes_held <= 100000);
  }
  assert_int_equal(resets, 8);
  assert_true(rig_score(r, 9) >= 0);
  end();
}

static void small_queue(struct ocf_gossip_config *cfg)
{
  cfg->limits.queue_msgs_max = 50;
  cfg->limits.queue_bytes_max = 100000;
}

static void test_a_peer_that_does_not_read_has_a_bounded_queue(void **state)
{
  (void)state;
  static uint8_t data[900];
  begin(small_queue);
  join(topic);
  crowd(0, 2, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  (void)rig_got(r, 1);
  r->peers[1].stuck = true;
  for (uint64_t k = 0; k < 500; k++)
    rig_send_msg(r, 0, 5, k, topic, ocf_bytes(data, sizeof(data)), false);
  assert_int_equal(rig_stats(r).queued_msgs, 50);
  assert_int_equal(rig_stats(r).dropped_forward, 450);
  for (int i = 0; i < 10; i++)
    assert_int_equal(publish("important"), 0); /* displaces forwards */
  assert_int_equal(rig_stats(r).dropped_own, 0);
  assert_int_equal(rig_stats(r).queued_msgs, 50);
  leave(topic);
  r->peers[1].stuck = false;
  rig_pump(r, &r->peers[1]);
  struct rig_got got = rig_got(r, 1);
  assert_int_equal(got.msgs, 50);
  assert_true(got.prunes == 1 && got.unsubs == 1);
  end();
}

static void small_verify(struct ocf_gossip_config *cfg)
{
  cfg->limits.verify_max = 10;
}

static void test_when_verification_is_full_the_worst_peer_gives_way(void **state)
{
  (void)state;
  begin(small_verify);
  join(topic);
  crowd(0, 2, true);
  rig_send_msg(r, 0, 4, 1, topic, OCF_STR("x"), true); /* 0 is a bad one */
  r->hold_jobs = true;
  for (uint64_t k = 10; k < 42; k++) /* the first job takes them one by one until jobs are out */
    rig_send_msg(r, 0, 4, k, topic, OCF_STR("x"), false);
  assert_int_equal(rig_stats(r).verify_waiting, 10);
  uint64_t full = rig_stats(r).rejected[OCF_GOSSIP_REJ_FULL];
  assert_int_equal(full, 22);
  rig_send_msg(r, 1, 4, 50, topic, OCF_STR("x"), false);
  assert_int_equal(rig_stats(r).verify_waiting, 10);
  r->hold_jobs = false;
  while (r->n_held > 0) {
    ocf_gossip_job_run(r->held[--r->n_held]);
    ocf_gossip_job_done(r->g, r->now, r->held[r->n_held]);
  }
  rig_settle(r);
  bool from_1 = false;
  for (size_t i = 0; i < r->n_events; i++)
    from_1 |= r->events[i].type == OCF_GOSSIP_MESSAGE && r->events[i].peer == 1;
  assert_true(from_1);
  rig_send_msg(r, 1, 4, 41, topic, OCF_STR("x"), false); /* a dropped one was not seen */
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 11);
  end();
}

static void few_events(struct ocf_gossip_config *cfg)
{
  cfg->limits.events_max = 5;
}

static void test_no_verified_message_is_lost_for_want_of_room_for_events(void **state)
{
  (void)state;
  struct ocf_gossip_effect fx;
  struct ocf_gossip_event ev;
  begin(few_events);
  join(topic);
  crowd(0, 1, true);
  rig_settle(r);
  unsigned told = 0;
  static struct rig_rpc rpc;
  uint8_t msg[512];
  rpc.n = 0;
  for (uint64_t k = 0; k < 30; k++)
    rig_put(&rpc, 2,
            ocf_bytes(msg, rig_message(r, 1, k, topic, OCF_STR("x"), false, msg, sizeof(msg))));
  uint8_t head[OCF_VARINT_MAX];
  size_t n = ocf_varint_put(head, rpc.n);
  ocf_gossip_rx(r->g, r->now, &r->peers[0].id, rig_handle(r, 0), ocf_bytes(head, n));
  ocf_gossip_rx(r->g, r->now, &r->peers[0].id, rig_handle(r, 0), ocf_bytes(rpc.b, rpc.n));
  for (bool any = true; any;) { /* an owner that lets effects pile up before events */
    any = false;
    while (ocf_gossip_effect(r->g, r->now, &fx)) {
      any = true;
      rig_effect(r, &fx);
    }
    while (ocf_gossip_event(r->g, r->now, &ev)) {
      any = true;
      told += ev.type == OCF_GOSSIP_MESSAGE;
    }
  }
  assert_int_equal(told, 30);
  end();
}

static void test_a_job_that_is_given_back_without_run_forgets_its_messages(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  r->hold_jobs = true;
  rig_send_msg(r, 0, 4, 1, topic, OCF_STR("x"), false);
  ocf_gossip_peer_down(r->g, r->now, &r->peers[0].id); /* meanwhile */
  ocf_gossip_job_done(r->g, r->now, r->held[--r->n_held]);
  r->hold_jobs = false;
  crowd(0, 1, true);
  rig_send_msg(r, 0, 4, 1, topic, OCF_STR("x"), false);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 1);
  end();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_bad_signatures_lead_to_the_door_and_are_not_forgotten),
    cmocka_unit_test(test_a_burst_of_forgeries_in_one_rpc_disconnects_once),
    cmocka_unit_test(test_a_graft_flood_leads_to_the_door),
    cmocka_unit_test(test_without_scores_nothing_is_punished),
    cmocka_unit_test(test_peers_on_one_address_weigh_on_each_other),
    cmocka_unit_test(test_announced_but_unsent_bytes_cost_no_memory),
    cmocka_unit_test(test_half_received_rpcs_of_all_peers_are_bounded),
    cmocka_unit_test(test_a_peer_that_does_not_read_has_a_bounded_queue),
    cmocka_unit_test(test_when_verification_is_full_the_worst_peer_gives_way),
    cmocka_unit_test(test_no_verified_message_is_lost_for_want_of_room_for_events),
    cmocka_unit_test(test_a_job_that_is_given_back_without_run_forgets_its_messages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
