/* Goal: a message counts only under its author's own key, wherever the key stands. Method: messages
 * in another's name, signed well, with the signer's key in the message. */
#include "p2p/gossipsub/gossip_one.h"

enum { FORGER, AUTHOR };

/* FORGER brings message `seqno` of AUTHOR, signed by `signer`, with `key` in the message. */
static void send(unsigned signer, uint64_t seqno, struct ocf_bytes key)
{
  static struct rig_rpc rpc;
  uint8_t msg[1024];
  size_t n_key = 0;
  struct ocf_key own = r->peers[AUTHOR].key;
  r->peers[AUTHOR].key = r->peers[signer].key;
  size_t n = rig_message(r, AUTHOR, seqno, topic, OCF_STR("x"), false, msg, sizeof(msg));
  r->peers[AUTHOR].key = own;
  struct ocf_pb_writer w = ocf_pb_write_array(msg + n, sizeof(msg) - n);
  if (key.p != NULL)
    ocf_pb_put_bytes(&w, 6, key);
  assert_int_equal(ocf_pb_end(&w, &n_key), 0);
  rpc.n = 0;
  rig_put(&rpc, 2, ocf_bytes(msg, n + n_key));
  rig_send(r, FORGER, &rpc);
}

static struct ocf_bytes key_of(unsigned i)
{
  return ocf_pubkey_bytes(ocf_key_public(&r->peers[i].key));
}

static void test_a_good_signature_of_another_is_refused(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 2, true);
  send(FORGER, 1, key_of(FORGER));
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_KEY], 1);
  send(FORGER, 2, key_of(AUTHOR));
  send(FORGER, 3, ocf_bytes(NULL, 0)); /* the author's key is in its id */
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_SIGNATURE], 2);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 0);
  assert_true(rig_score(r, FORGER) < 0);
  end();
}

static void test_the_authors_own_key_may_stand_in_the_message(void **state)
{
  (void)state;
  begin(NULL);
  join(topic);
  crowd(0, 2, true);
  send(AUTHOR, 1, key_of(AUTHOR));
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 1);
  send(AUTHOR, 2, OCF_STR("no key"));
  assert_int_equal(rig_stats(r).rejected[OCF_GOSSIP_REJ_KEY], 1);
  assert_int_equal(rig_count_events(r, OCF_GOSSIP_MESSAGE), 1);
  end();
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_good_signature_of_another_is_refused),
  cmocka_unit_test(test_the_authors_own_key_may_stand_in_the_message),
};
OCF_TEST_MAIN(tests)
