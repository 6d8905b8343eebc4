/* Goal: messages are checked, delivered once, passed on, paced and repaired by gossip. Method:
 * peers played by hand send RPCs, and what comes back is read again. */
#include "p2p/gossipsub/gossip_one.h"

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
  assert_true(rig_stats(r).broken_promises > 10);
  assert_int_equal(r->peers[1].disconnects, 1);
  assert_false(in_mesh(1));
  assert_true(rig_score(r, 0) > 0);
  end();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
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
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
