/* Goal: without memory nothing breaks, and nothing leaks. Method: a life of an engine in which
 * every allocation in turn is the last that works, and lives under a cap on bytes. */
#include "p2p/gossipsub/gossip_rig.h"

#include "testing/oom.h"

static struct rig rig;
static struct rig *const r = &rig;
static const char topic[] = "ocf-crdt";

/* As rig_up() and the like, but refusals are taken. */
static void appear(unsigned i)
{
  struct rig_peer *p = &r->peers[i];
  if (ocf_gossip_peer_up(r->g, r->now, &p->id, i % 2 == 0, i) == 0)
    (void)!ocf_gossip_in(r->g, r->now, &p->id, rig_handle(r, i));
  rig_settle(r);
}

static void talk(void)
{
  static uint8_t big[9000];
  uint8_t id[OCF_GOSSIP_ID_MAX];
  struct ocf_bytes one = rig_id(&r->peers[7].id, 77, id);
  for (unsigned i = 0; i < 8; i++)
    rig_send_sub(r, i, topic, true);
  rig_send_graft(r, 0, topic);
  rig_run(r, 300 * OCF_NS_PER_MS);
  rig_send_msg(r, 1, 5, 1, topic, OCF_STR("x"), false);
  rig_send_msg(r, 2, 5, 2, topic, ocf_bytes(big, sizeof(big)), false);
  rig_send_msg(r, 3, 5, 3, topic, OCF_STR("x"), true);
  rig_send_ids(r, 4, 1, topic, &one, 1);
  one = rig_id(&r->peers[5].id, 1, id);
  rig_send_ids(r, 4, 2, NULL, &one, 1);
  rig_send_ids(r, 5, 5, NULL, &one, 1);
  rig_send_prune(r, 0, topic, 5);
  (void)!ocf_gossip_publish(r->g, r->now, OCF_STR("ocf-crdt"), ocf_bytes(big, 5000));
  (void)!ocf_gossip_publish(r->g, r->now, OCF_STR("elsewhere"), OCF_STR("y"));
  rig_run(r, 2 * OCF_NS_PER_S);
}

static int life(struct ocf_alloc *a, void *ctx)
{
  (void)ctx;
  int err = rig_init(r, a, NULL);
  if (err == 0)
    err = ocf_gossip_join(r->g, r->now, OCF_STR("ocf-crdt"));
  if (err == 0) {
    for (unsigned i = 0; i < 8; i++)
      appear(i);
    talk();
    rig_rx(r, 6, (const uint8_t *)"\x80\x10", 2); /* half an RPC */
    rig_rx(r, 6, (const uint8_t *)"\x12\x99\x10yyyyyyyy", 10);
    ocf_gossip_out_gone(r->g, r->now, &r->peers[1].id);
    ocf_gossip_peer_down(r->g, r->now, &r->peers[3].id);
    appear(3);
    ocf_gossip_leave(r->g, r->now, OCF_STR("ocf-crdt"));
    rig_run(r, 15 * OCF_NS_PER_S);
  }
  rig_fini(r);
  return err;
}

static void test_every_allocation_may_be_the_last(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(life, NULL) > 100);
}

/* Memory that comes and goes is a harder life than memory that ended. */
static void test_a_cap_on_memory_at_any_place_is_survived(void **state)
{
  (void)state;
  struct ocf_alloc a;
  ocf_alloc_init(&a);
  assert_int_equal(life(&a, NULL), 0);
  for (size_t cap = 2000; cap < a.peak_bytes; cap += a.peak_bytes / 300 + 1) {
    struct ocf_alloc b;
    ocf_alloc_init(&b);
    b.limit_bytes = cap;
    int err = life(&b, NULL);
    assert_true(err == 0 || err == OCF_ENOMEM);
    assert_int_equal(b.live_bytes, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_allocation_may_be_the_last),
    cmocka_unit_test(test_a_cap_on_memory_at_any_place_is_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
