/* Goal: a peer's wishes hold where they meet something else: IDONTWANT that comes while the message
 * waits, a PRUNE after a longer one. Method: peers played by hand. */
#include "p2p/gossipsub/gossip_one.h"

static void test_idontwant_reaches_a_message_that_waits(void **state)
{
  (void)state;
  static uint8_t big[20000];
  uint8_t id[OCF_GOSSIP_ID_MAX];
  begin(NULL);
  join(topic);
  crowd(0, 4, true);
  rig_run(r, 200 * OCF_NS_PER_MS);
  for (unsigned i = 0; i < 4; i++)
    (void)rig_got(r, i);
  struct rig_peer *slow = &r->peers[3];
  slow->stuck = true;
  rig_send_msg(r, 0, 9, 1, topic, ocf_bytes(big, sizeof(big)), false); /* fills its RPC */
  rig_send_msg(r, 0, 9, 2, topic, ocf_bytes(big, sizeof(big)), false);
  rig_send_msg(r, 0, 9, 3, topic, ocf_bytes(big, sizeof(big)), false);
  struct ocf_bytes none = rig_id(&r->peers[9].id, 3, id);
  rig_send_ids(r, 3, 5, NULL, &none, 1);
  slow->stuck = false;
  rig_pump(r, slow);
  rig_settle(r);
  assert_int_equal(rig_got(r, 3).msgs, 2);
  assert_int_equal(rig_got(r, 1).msgs, 3);
  assert_int_equal(rig_stats(r).suppressed, 1);
  end();
}

static void test_a_later_prune_does_not_shorten_the_back_off(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 1, true);
  assert_true(in_mesh(0));
  rig_send_prune(r, 0, topic, 600);
  rig_send_prune(r, 0, topic, 10);
  rig_run(r, 60 * OCF_NS_PER_S);
  assert_false(in_mesh(0));
  rig_send_graft(r, 0, topic);
  assert_false(in_mesh(0));
  assert_int_equal(rig_stats(r).backoff_violations, 1);
  rig_run(r, 700 * OCF_NS_PER_S);
  assert_true(in_mesh(0));
  end();
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_idontwant_reaches_a_message_that_waits),
  cmocka_unit_test(test_a_later_prune_does_not_shorten_the_back_off),
};
OCF_TEST_MAIN(tests)
