/* Goal: one engine does what the protocol asks towards one peer at a time. Method: peers played by
 * hand send RPCs and what comes back is read again. */
#include "p2p/gossipsub/gossip_rig.h"

#include "testing/split.h"

static struct rig rig;
static struct rig *const r = &rig;
static const char topic[] = "ocf-crdt", other[] = "ocf-crdt-net";

static void begin(void (*tune)(struct ocf_gossip_config *cfg))
{
  assert_int_equal(rig_init(r, NULL, tune), 0);
}

static void end(void)
{
  rig_fini(r);
}

static void join(const char *name)
{
  assert_int_equal(ocf_gossip_join(r->g, r->now, ocf_bytes(name, strlen(name))), 0);
  rig_settle(r);
}

static void leave(const char *name)
{
  ocf_gossip_leave(r->g, r->now, ocf_bytes(name, strlen(name)));
  rig_settle(r);
}

static bool in_mesh(unsigned i)
{
  return ocf_gossip_in_mesh(r->g, &r->peers[i].id, OCF_STR("ocf-crdt"));
}

static int publish(const char *text)
{
  int err = ocf_gossip_publish(r->g, r->now, OCF_STR("ocf-crdt"), ocf_bytes(text, strlen(text)));
  rig_settle(r);
  return err;
}

/* `n` peers from `first` on, subscribed. */
static void crowd(unsigned first, unsigned n, bool outbound)
{
  for (unsigned i = first; i < first + n; i++) {
    rig_up(r, i, outbound);
    rig_send_sub(r, i, topic, true);
  }
}

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

/* ---- messages ---- */

static void test_a_message_is_delivered_once_and_forwarded_to_others(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 4, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  for (unsigned i = 0; i < 4; i++)
    (void)rig_got(r, i);
  rig_send_msg(r, 0, 2, 5, topic, OCF_STR("hello"), false); /* 0 brings it, 2 is its author */
  rig_send_msg(r, 1, 2, 5, topic, OCF_STR("hello"), false);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 1);
  assert_int_equal(r->events[r->n_events - 1].peer, 0);
  assert_int_equal(rig_got(r, 0).msgs, 0);
  assert_int_equal(rig_got(r, 1).msgs, 1);
  assert_int_equal(rig_got(r, 2).msgs, 0);
  assert_int_equal(rig_got(r, 3).msgs, 1);
  assert_int_equal(rig_stats(r).duplicates, 1);
  assert_true(rig_score(r, 1) >= 0);
  end();
}

static void test_bad_messages_are_told_apart(void **state)
{
  (void)state;
  static struct rig_rpc rpc;
  uint8_t msg[512];
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_send_msg(r, 0, 1, 1, topic, OCF_STR("x"), true);
  rig_send_msg(r, 0, 1, 2, "elsewhere", OCF_STR("x"), true);
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_SIGNATURE], 1);
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_TOPIC], 1);
  assert_true(rig_score(r, 0) < 0);
  /* unsigned: cut off the signature, the last field of 66 bytes */
  size_t n = rig_message(r, 1, 3, topic, OCF_STR("x"), false, msg, sizeof(msg));
  rpc.n = 0;
  rig_put(&rpc, 2, ocf_bytes(msg, n - 66));
  rig_send(r, 0, &rpc);
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_UNSIGNED], 1);
  /* an author of which we have no key */
  static const char author[] =
      "0a221220aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "1a080000000000000001"
      "22086f63662d63726474"
      "2a0173";
  rpc.n = 0;
  size_t len = 0;
  for (const char *h = author; *h != '\0'; h += 2) {
    unsigned v = 0;
    assert_int_equal(sscanf(h, "%2x", &v), 1);
    msg[len++] = (uint8_t)v;
  }
  rig_put(&rpc, 2, ocf_bytes(msg, len));
  rig_send(r, 0, &rpc);
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_KEY], 1);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 0);
  end();
}

static void test_a_forged_copy_does_not_keep_the_real_message_away(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 2, true);
  r->hold_jobs = true;
  rig_send_msg(r, 0, 2, 9, topic, OCF_STR("x"), true);
  rig_send_msg(r, 1, 2, 9, topic, OCF_STR("x"), false);
  assert_true(r->n_held > 0);
  while (r->n_held > 0) {
    ocf_gossip_job_run(r->held[--r->n_held]);
    ocf_gossip_job_done(r->g, r->now, r->held[r->n_held]);
  }
  rig_settle(r);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 1);
  assert_true(rig_score(r, 0) < 0 && rig_score(r, 1) > 0);
  end();
}

static void test_our_own_messages_come_back_for_nothing(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  (void)rig_got(r, 0);
  assert_int_equal(publish("mine"), 0);
  struct ocf_buf echo;
  ocf_buf_init(&echo, &r->heap, 4096);
  assert_int_equal(ocf_buf_add(&echo, r->peers[0].got.p, r->peers[0].got.n), 0);
  rig_rx(r, 0, echo.p, echo.n);
  ocf_buf_fini(&echo);
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_SELF], 1);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 0);
  assert_true(rig_score(r, 0) >= 0);
  end();
}

static void test_what_we_publish_verifies(void **state)
{
  (void)state;
  static struct rig far;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  (void)rig_got(r, 0);
  assert_int_equal(ocf_gossip_publish(r->g, r->now, OCF_STR("ocf-crdt"), ocf_bytes(NULL, 0)), 0);
  rig_settle(r);
  assert_int_equal(rig_init(&far, NULL, NULL), 0);
  ocf_gossip_free(far.g); /* the same rig, but another identity */
  struct ocf_gossip_config cfg;
  ocf_gossip_config_init(&cfg);
  cfg.alloc = &far.heap;
  cfg.rng = &far.rng;
  cfg.key = &far.peers[39].key;
  assert_int_equal(ocf_gossip_new(&cfg, far.now, &far.g), 0);
  assert_int_equal(ocf_gossip_join(far.g, far.now, OCF_STR("ocf-crdt")), 0);
  rig_up(&far, 0, true);
  rig_rx(&far, 0, r->peers[0].got.p, r->peers[0].got.n);
  assert_int_equal(rig_count_events(&far, OCF_GOSSIP_MESSAGE), 1);
  rig_fini(&far);
  end();
}

static void test_a_publish_without_a_mesh_goes_to_subscribers(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 10, true);
  assert_int_equal(publish("early"), 0); /* before the first heartbeat */
  unsigned n = 0;
  for (unsigned i = 0; i < 10; i++)
    n += rig_got(r, i).msgs;
  assert_int_equal(n, 6);
  end();
}

static void test_a_topic_that_is_not_joined_has_a_fanout_that_ends(void **state)
{
  (void)state;
  begin(NULL);
  crowd(0, 10, true);
  assert_int_equal(publish("1"), 0);
  assert_int_equal(publish("2"), 0);
  unsigned n = 0, twice = 0;
  for (unsigned i = 0; i < 10; i++) {
    unsigned m = rig_got(r, i).msgs;
    n += m;
    twice += m == 2;
  }
  assert_int_equal(n, 12);
  assert_int_equal(twice, 6);
  struct ocf_gossip_topic_info info;
  const void *at = NULL;
  assert_true(ocf_gossip_topic_next(r->g, &at, &info));
  assert_int_equal(info.n_fanout, 6);
  rig_run(r, 62 * OCF_NS_PER_S);
  at = NULL;
  assert_true(ocf_gossip_topic_next(r->g, &at, &info));
  assert_int_equal(info.n_fanout, 0);
  end();
}

static void test_a_burst_of_publishes_is_paced(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  (void)rig_got(r, 0);
  for (int i = 0; i < 200; i++)
    assert_int_equal(publish("x"), 0);
  assert_int_equal(rig_got(r, 0).msgs, 24);
  unsigned total = 24;
  for (int i = 0; i < 9; i++) {
    rig_run(r, 100 * OCF_NS_PER_MS);
    unsigned n = rig_got(r, 0).msgs;
    assert_true(n <= 25);
    total += n;
  }
  assert_int_equal(total, 200);
  end();
}

static void test_publishes_that_cannot_wait_are_refused(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  for (int i = 0; i < 24 + 1024; i++)
    assert_int_equal(publish("x"), 0);
  assert_int_equal(publish("x"), OCF_EAGAIN);
  rig_run(r, OCF_NS_PER_S);
  assert_int_equal(publish("x"), 0);
  end();
}

/* ---- gossip ---- */

static void test_ihave_is_asked_for_and_answered_at_most_three_times(void **state)
{
  (void)state;
  uint8_t id[OCF_GOSSIP_ID_MAX];
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  assert_int_equal(publish("x"), 0);
  (void)rig_got(r, 0);
  struct ocf_bytes want = rig_id(&r->self, UINT64_C(1700000000) * OCF_NS_PER_S, id);
  for (int i = 0; i < 5; i++)
    rig_send_ids(r, 0, 2, NULL, &want, 1);
  assert_int_equal(rig_got(r, 0).msgs, 3);
  rig_run(r, 7 * OCF_NS_PER_S);
  assert_int_equal(rig_stats(r).mcache_msgs, 0);
  end();
}

static void test_an_unknown_id_is_wanted_and_a_known_one_not(void **state)
{
  (void)state;
  uint8_t a[OCF_GOSSIP_ID_MAX], b[OCF_GOSSIP_ID_MAX], c[OCF_GOSSIP_ID_MAX];
  begin(NULL);
  join(topic);
  crowd(0, 2, true);
  (void)rig_got(r, 0);
  rig_send_msg(r, 1, 2, 4, topic, OCF_STR("x"), false);
  struct ocf_bytes ids[3] = { rig_id(&r->peers[2].id, 4, a), rig_id(&r->peers[2].id, 5, b),
                              rig_id(&r->self, 5, c) };
  rig_send_ids(r, 0, 1, topic, ids, 3);
  struct rig_got got = rig_got(r, 0);
  assert_int_equal(got.iwant_ids, 1);
  assert_memory_equal(got.iwant_id, b, got.n_iwant_id);
  rig_send_ids(r, 1, 1, topic, ids, 3); /* it is asked for already */
  assert_int_equal(rig_got(r, 1).iwant_ids, 0);
  rig_run(r, 600 * OCF_NS_PER_MS);
  rig_send_ids(r, 1, 1, topic, ids, 3);
  assert_int_equal(rig_got(r, 1).iwant_ids, 1);
  rig_send_ids(r, 1, 1, other, ids, 3); /* a topic of which we are not */
  assert_int_equal(rig_got(r, 1).iwant_ids, 0);
  end();
}

static void test_non_mesh_peers_hear_of_messages_for_three_heartbeats(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 7, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  unsigned lazy = 0;
  while (in_mesh(lazy))
    lazy++;
  (void)rig_got(r, lazy);
  assert_int_equal(publish("x"), 0);
  unsigned n = 0;
  for (int i = 0; i < 10; i++) {
    rig_run(r, OCF_NS_PER_S);
    n += rig_got(r, lazy).ihave_ids;
  }
  assert_int_equal(n, 3);
  end();
}

static void test_quiet_heartbeats_send_nothing(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 20, true);
  rig_run(r, 2 * OCF_NS_PER_S);
  uint64_t before = rig_stats(r).tx[OCF_GOSSIP_K_BYTES];
  rig_run(r, 60 * OCF_NS_PER_S);
  assert_int_equal(rig_stats(r).tx[OCF_GOSSIP_K_BYTES], before);
  end();
}

static void test_large_messages_are_announced_and_unwanted_ones_not_sent(void **state)
{
  (void)state;
  static uint8_t big[20000];
  uint8_t id[OCF_GOSSIP_ID_MAX];
  begin(NULL);
  join(topic);
  r->peers[2].proto = OCF_GOSSIP_V11;
  crowd(0, 4, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  for (unsigned i = 0; i < 4; i++)
    (void)rig_got(r, i);
  struct ocf_bytes none = rig_id(&r->peers[9].id, 1, id);
  rig_send_ids(r, 3, 5, NULL, &none, 1);
  rig_send_msg(r, 0, 9, 1, topic, ocf_bytes(big, sizeof(big)), false);
  struct rig_got got = rig_got(r, 1);
  assert_int_equal(got.idontwant_ids, 1);
  assert_int_equal(got.msgs, 1);
  assert_int_equal(rig_got(r, 2).idontwant_ids, 0);
  assert_int_equal(rig_got(r, 3).msgs, 0);
  assert_int_equal(rig_stats(r).suppressed, 1);
  rig_run(r, 5 * OCF_NS_PER_S); /* its wish has an end */
  assert_int_equal(rig_got(r, 3).msgs, 0);
  end();
}

static void test_ihave_spam_is_bounded(void **state)
{
  (void)state;
  static struct ocf_bytes ids[1000];
  static uint8_t store[1000][OCF_GOSSIP_ID_MAX];
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  (void)rig_got(r, 0);
  for (unsigned m = 0; m < 20; m++) {
    for (size_t i = 0; i < 1000; i++)
      ids[i] = rig_id(&r->peers[1].id, m * 1000 + i, store[i]);
    rig_send_ids(r, 0, 1, topic, ids, 1000);
  }
  assert_int_equal(rig_got(r, 0).iwant_ids, 5000);
  assert_true(rig_stats(r).promises <= 8192);
  end();
}

static void test_broken_promises_lower_the_score_and_late_answers_do_not(void **state)
{
  (void)state;
  uint8_t id[OCF_GOSSIP_ID_MAX];
  begin(NULL);
  join(topic);
  crowd(0, 2, true);
  struct ocf_bytes one = rig_id(&r->peers[5].id, 1, id);
  rig_send_ids(r, 0, 1, topic, &one, 1);
  rig_run(r, 4500 * OCF_NS_PER_MS);
  rig_send_msg(r, 0, 5, 1, topic, OCF_STR("late"), false);
  rig_run(r, 5 * OCF_NS_PER_S);
  assert_int_equal(rig_stats(r).broken_promises, 0);
  for (uint64_t k = 2; k < 40; k++) {
    one = rig_id(&r->peers[5].id, k, id);
    rig_send_ids(r, 1, 1, topic, &one, 1);
    rig_run(r, OCF_NS_PER_S);
  }
  assert_true(rig_stats(r).broken_promises > 20);
  assert_true(rig_score(r, 1) < 0);
  assert_false(in_mesh(1));
  assert_true(rig_score(r, 0) > 0);
  end();
}

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
  double before = rig_score(r, 0);
  ocf_gossip_peer_down(r->g, r->now, &r->peers[0].id);
  rig_run(r, 10 * OCF_NS_PER_S);
  crowd(0, 1, true);
  assert_true(rig_score(r, 0) <= before + 6); /* only the credit is gone */
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
  end();
}

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
    cmocka_unit_test(test_the_first_rpc_tells_all_subscriptions),
    cmocka_unit_test(test_later_changes_are_told_to_every_peer),
    cmocka_unit_test(test_join_and_leave_before_a_peer_hears_of_it_tell_nothing),
    cmocka_unit_test(test_subscriptions_of_peers_are_events_once),
    cmocka_unit_test(test_a_peer_may_subscribe_to_so_many_topics),
    cmocka_unit_test(test_topics_of_ours_are_bounded_and_come_free_again),
    cmocka_unit_test(test_the_first_heartbeat_grafts_up_to_d),
    cmocka_unit_test(test_a_full_mesh_takes_only_peers_that_we_dialled),
    cmocka_unit_test(test_a_mesh_over_the_most_is_cut_to_d_with_outbound_peers_kept),
    cmocka_unit_test(test_graft_of_a_topic_that_we_are_not_in_is_ignored),
    cmocka_unit_test(test_graft_within_a_backoff_is_pruned_and_punished),
    cmocka_unit_test(test_a_received_backoff_is_honoured_and_then_over),
    cmocka_unit_test(test_an_absurd_backoff_is_cut),
    cmocka_unit_test(test_a_backoff_outlives_a_reconnection),
    cmocka_unit_test(test_leaving_prunes_with_the_short_backoff_and_rejoining_waits_for_it),
    cmocka_unit_test(test_peers_of_version_1_0_get_no_backoff_and_floodsub_no_control),
    cmocka_unit_test(test_a_message_is_delivered_once_and_forwarded_to_others),
    cmocka_unit_test(test_bad_messages_are_told_apart),
    cmocka_unit_test(test_a_forged_copy_does_not_keep_the_real_message_away),
    cmocka_unit_test(test_our_own_messages_come_back_for_nothing),
    cmocka_unit_test(test_what_we_publish_verifies),
    cmocka_unit_test(test_a_publish_without_a_mesh_goes_to_subscribers),
    cmocka_unit_test(test_a_topic_that_is_not_joined_has_a_fanout_that_ends),
    cmocka_unit_test(test_a_burst_of_publishes_is_paced),
    cmocka_unit_test(test_publishes_that_cannot_wait_are_refused),
    cmocka_unit_test(test_ihave_is_asked_for_and_answered_at_most_three_times),
    cmocka_unit_test(test_an_unknown_id_is_wanted_and_a_known_one_not),
    cmocka_unit_test(test_non_mesh_peers_hear_of_messages_for_three_heartbeats),
    cmocka_unit_test(test_quiet_heartbeats_send_nothing),
    cmocka_unit_test(test_large_messages_are_announced_and_unwanted_ones_not_sent),
    cmocka_unit_test(test_ihave_spam_is_bounded),
    cmocka_unit_test(test_broken_promises_lower_the_score_and_late_answers_do_not),
    cmocka_unit_test(test_bad_signatures_lead_to_the_door_and_are_not_forgotten),
    cmocka_unit_test(test_a_burst_of_forgeries_in_one_rpc_disconnects_once),
    cmocka_unit_test(test_a_graft_flood_leads_to_the_door),
    cmocka_unit_test(test_without_scores_nothing_is_punished),
    cmocka_unit_test(test_peers_on_one_address_weigh_on_each_other),
    cmocka_unit_test(test_a_second_inbound_stream_replaces_the_first),
    cmocka_unit_test(test_an_inbound_stream_takes_an_unknown_peer_up),
    cmocka_unit_test(test_our_stream_is_opened_again_and_then_given_up),
    cmocka_unit_test(test_a_peer_that_speaks_nothing_of_ours_is_not_asked_again),
    cmocka_unit_test(test_rpcs_that_are_too_long_or_do_not_parse_reset_the_stream),
    cmocka_unit_test(test_announced_but_unsent_bytes_cost_no_memory),
    cmocka_unit_test(test_half_received_rpcs_of_all_peers_are_bounded),
    cmocka_unit_test(test_a_peer_that_does_not_read_has_a_bounded_queue),
    cmocka_unit_test(test_when_verification_is_full_the_worst_peer_gives_way),
    cmocka_unit_test(test_a_job_that_is_given_back_without_run_forgets_its_messages),
    cmocka_unit_test(test_any_split_of_a_stream_gives_the_same_outcome),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
