/* Goal: one engine tells what it subscribes to and builds the meshes that the protocol asks for.
 * Method: peers played by hand send RPCs, and what comes back is read again. */
#include "p2p/gossipsub/gossip_one.h"

/* ---- hello and subscriptions ---- */

static void test_the_first_rpc_tells_all_subscriptions(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  join(other);
  rig_up(r, 0, true);
  struct rig_got got = rig_got(r, 0);
  assert_int_equal(got.rpcs, 1);
  assert_int_equal(got.subs, 2);
  end();
}

static void test_later_changes_are_told_to_every_peer(void **state)
{
  (void)state;
  begin(NULL);
  rig_up(r, 0, true);
  rig_up(r, 1, false);
  assert_int_equal(rig_got(r, 0).rpcs, 0);
  join(topic);
  assert_int_equal(rig_got(r, 0).subs, 1);
  assert_int_equal(rig_got(r, 1).subs, 1);
  leave(topic);
  assert_int_equal(rig_got(r, 0).unsubs, 1);
  end();
}

static void test_join_and_leave_before_a_peer_hears_of_it_tell_nothing(void **state)
{
  (void)state;
  begin(NULL);
  rig_up(r, 0, true);
  assert_int_equal(ocf_gossip_join(r->g, r->now, OCF_STR("x")), 0);
  leave("x");
  assert_int_equal(rig_got(r, 0).rpcs, 0);
  end();
}

static void test_subscriptions_of_peers_are_events_once(void **state)
{
  (void)state;
  begin(NULL);
  rig_up(r, 0, true);
  rig_send_sub(r, 0, topic, true);
  rig_send_sub(r, 0, topic, true);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_SUBSCRIBED), 1);
  rig_send_sub(r, 0, topic, false);
  rig_send_sub(r, 0, other, false);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_UNSUBSCRIBED), 1);
  assert_int_equal(rig_stats(r).n_topics, 0);
  end();
}

static void test_a_peer_may_subscribe_to_so_many_topics(void **state)
{
  (void)state;
  begin(NULL);
  rig_up(r, 0, true);
  for (int i = 0; i < 300; i++) {
    char name[32];
    (void)snprintf(name, sizeof(name), "t%d", i);
    rig_send_sub(r, 0, name, true);
  }
  assert_int_equal(rig_stats(r).n_topics, 100);
  assert_int_equal(ocf_gossip_join(r->g, r->now, OCF_STR("mine")), 0);
  ocf_gossip_peer_down(r->g, r->now, &r->peers[0].id);
  assert_int_equal(rig_stats(r).n_topics, 1);
  end();
}

static void test_topics_of_ours_are_bounded_and_come_free_again(void **state)
{
  (void)state;
  char name[32];
  begin(NULL);
  for (int i = 0; i < OCF_GOSSIP_JOINED_MAX; i++) {
    (void)snprintf(name, sizeof(name), "t%d", i);
    join(name);
  }
  assert_int_equal(ocf_gossip_join(r->g, r->now, OCF_STR("more")), OCF_ELIMIT);
  assert_int_equal(ocf_gossip_join(r->g, r->now, OCF_STR("t3")), 0);
  assert_int_equal(ocf_gossip_join(r->g, r->now, ocf_bytes("", 0)), OCF_EINVAL);
  leave("t3");
  rig_run(r, 2 * OCF_NS_PER_S);
  assert_int_equal(ocf_gossip_join(r->g, r->now, OCF_STR("more")), 0);
  end();
}

/* ---- the mesh ---- */

static void test_the_first_heartbeat_grafts_up_to_d(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 20, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  assert_int_equal(rig_stats(r).n_mesh, 6);
  unsigned grafts = 0;
  for (unsigned i = 0; i < 20; i++) {
    unsigned n = rig_got(r, i).grafts;
    assert_int_equal(n, in_mesh(i));
    grafts += n;
  }
  assert_int_equal(grafts, 6);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESH_JOINED), 6);
  end();
}

static void test_a_mesh_below_d_grafts_without_waiting_for_the_heartbeat(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 8, true);
  assert_int_equal(rig_stats(r).n_mesh, 6);
  assert_int_equal(rig_got(r, 0).grafts, 1);
  join(other); /* a topic joined with peers at hand */
  rig_send_sub(r, 7, other, true);
  assert_int_equal(rig_got(r, 7).grafts, 1);
  leave(other);
  end();
}

static void test_a_prune_that_waits_for_the_stream_is_void_after_a_graft(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  assert_true(in_mesh(0));
  (void)rig_got(r, 0);
  r->peers[0].stuck = true;
  leave(topic); /* the PRUNE and the unsubscription wait */
  rig_run(r, 12 * OCF_NS_PER_S);
  join(topic);
  rig_send_graft(r, 0, topic);
  assert_true(in_mesh(0));
  r->peers[0].stuck = false;
  rig_pump(r, &r->peers[0]);
  struct rig_got got = rig_got(r, 0);
  assert_int_equal(got.prunes + got.unsubs, 0);
  end();
}

static void test_a_full_mesh_takes_only_peers_that_we_dialled(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 14, false);
  crowd(14, 1, true);
  for (unsigned i = 0; i < 15; i++)
    rig_send_graft(r, i, topic);
  assert_true(in_mesh(11) && !in_mesh(12) && in_mesh(14));
  struct rig_got got = rig_got(r, 13);
  assert_int_equal(got.prunes, 1);
  assert_int_equal(got.backoff_s, 60);
  end();
}

static void test_a_mesh_over_the_most_is_cut_to_d_with_outbound_peers_kept(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 11, false);
  crowd(11, 2, true);
  for (unsigned i = 0; i < 13; i++)
    rig_send_graft(r, i, topic);
  assert_int_equal(rig_stats(r).n_mesh, 13);
  rig_run(r, 200 * OCF_NS_PER_MS);
  assert_int_equal(rig_stats(r).n_mesh, 6);
  assert_true(in_mesh(11) && in_mesh(12));
  end();
}

static void test_graft_of_a_topic_that_we_are_not_in_is_ignored(void **state)
{
  (void)state;
  begin(NULL);
  crowd(0, 1, true);
  rig_send_graft(r, 0, topic);
  rig_send_graft(r, 0, "nobody knows it");
  assert_int_equal(rig_got(r, 0).rpcs, 0);
  assert_true(rig_score(r, 0) >= 0);
  end();
}

static void test_graft_within_a_backoff_is_pruned_and_punished(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_send_graft(r, 0, topic);
  rig_send_prune(r, 0, topic, 60);
  assert_false(in_mesh(0));
  (void)rig_got(r, 0);
  rig_send_graft(r, 0, topic);
  assert_false(in_mesh(0));
  assert_int_equal(rig_got(r, 0).prunes, 1);
  assert_int_equal(rig_stats(r).backoff_violations, 1);
  end();
}

static void test_a_received_backoff_is_honoured_and_then_over(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  assert_true(in_mesh(0));
  rig_send_prune(r, 0, topic, 20);
  (void)rig_got(r, 0);
  rig_run(r, 20 * OCF_NS_PER_S);
  assert_int_equal(rig_got(r, 0).grafts, 0);
  rig_run(r, 3 * OCF_NS_PER_S);
  assert_int_equal(rig_got(r, 0).grafts, 1);
  end();
}

static void test_an_absurd_backoff_is_cut(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_send_graft(r, 0, topic);
  rig_send_prune(r, 0, topic, UINT64_MAX);
  rig_run(r, 3603 * OCF_NS_PER_S);
  assert_true(in_mesh(0));
  end();
}

static void test_a_backoff_outlives_a_reconnection(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_send_graft(r, 0, topic);
  rig_send_prune(r, 0, topic, 30);
  ocf_gossip_peer_down(r->g, r->now, &r->peers[0].id);
  crowd(0, 1, true);
  rig_run(r, 29 * OCF_NS_PER_S);
  assert_false(in_mesh(0));
  rig_run(r, 4 * OCF_NS_PER_S);
  assert_true(in_mesh(0));
  end();
}

static void test_leaving_prunes_with_the_short_backoff_and_rejoining_waits_for_it(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  (void)rig_got(r, 0);
  leave(topic);
  struct rig_got got = rig_got(r, 0);
  assert_int_equal(got.prunes, 1);
  assert_int_equal(got.backoff_s, 10);
  assert_int_equal(got.unsubs, 1);
  assert_int_equal(got.rpcs, 1);
  rig_run(r, 2 * OCF_NS_PER_S); /* long enough for the topic to be forgotten here */
  join(topic);
  rig_run(r, 7 * OCF_NS_PER_S);
  assert_int_equal(rig_got(r, 0).grafts, 0);
  rig_run(r, 4 * OCF_NS_PER_S);
  assert_int_equal(rig_got(r, 0).grafts, 1);
  end();
}

static void test_peers_of_version_1_0_get_no_backoff_and_floodsub_no_control(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  r->peers[0].proto = OCF_GOSSIP_V10;
  r->peers[1].proto = OCF_GOSSIP_FLOODSUB;
  crowd(0, 2, true);
  rig_send_graft(r, 1, topic);
  rig_run(r, 200 * OCF_NS_PER_MS);
  assert_true(in_mesh(0) && !in_mesh(1));
  assert_int_equal(publish("x"), 0);
  leave(topic);
  struct rig_got got = rig_got(r, 0);
  assert_int_equal(got.prunes, 1);
  assert_int_equal(got.backoff_s, 0);
  got = rig_got(r, 1);
  assert_int_equal(got.msgs, 1);
  assert_int_equal(got.grafts + got.prunes, 0);
  end();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_the_first_rpc_tells_all_subscriptions),
    cmocka_unit_test(test_later_changes_are_told_to_every_peer),
    cmocka_unit_test(test_join_and_leave_before_a_peer_hears_of_it_tell_nothing),
    cmocka_unit_test(test_subscriptions_of_peers_are_events_once),
    cmocka_unit_test(test_a_peer_may_subscribe_to_so_many_topics),
    cmocka_unit_test(test_topics_of_ours_are_bounded_and_come_free_again),
    cmocka_unit_test(test_the_first_heartbeat_grafts_up_to_d),
    cmocka_unit_test(test_a_mesh_below_d_grafts_without_waiting_for_the_heartbeat),
    cmocka_unit_test(test_a_prune_that_waits_for_the_stream_is_void_after_a_graft),
    cmocka_unit_test(test_a_full_mesh_takes_only_peers_that_we_dialled),
    cmocka_unit_test(test_a_mesh_over_the_most_is_cut_to_d_with_outbound_peers_kept),
    cmocka_unit_test(test_graft_of_a_topic_that_we_are_not_in_is_ignored),
    cmocka_unit_test(test_graft_within_a_backoff_is_pruned_and_punished),
    cmocka_unit_test(test_a_received_backoff_is_honoured_and_then_over),
    cmocka_unit_test(test_an_absurd_backoff_is_cut),
    cmocka_unit_test(test_a_backoff_outlives_a_reconnection),
    cmocka_unit_test(test_leaving_prunes_with_the_short_backoff_and_rejoining_waits_for_it),
    cmocka_unit_test(test_peers_of_version_1_0_get_no_backoff_and_floodsub_no_control),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
