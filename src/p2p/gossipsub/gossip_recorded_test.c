/* Goal: to what a peer says we answer what Go nodes answered. Method: sessions that were recorded
 * from live OCF and OpenTela nodes (tests/vectors/pubsub.json, probe-*) are said to an engine at
 * the recorded times: subscriptions, GRAFT, messages small and large, IHAVE of an unknown id,
 * PRUNE, GRAFT during the back-off, an empty RPC, GRAFT of an unknown topic, a damaged message.
 * IHAVE of ours, and IDONTWANT, which tells a sender of its own message in Go, are not compared. */
#include "p2p/gossipsub/gossip_one.h"

#include "testing/vectors.h"

enum { STEPS_MAX = 16, HEX_CHUNKS = 2, LARGE = 2000, SMALL = 4 };
struct pubsub_step {
  unsigned at_ms;
  const char *hex[HEX_CHUNKS], *answer;
};
struct pubsub_probe {
  const char *name;
  struct pubsub_step steps[STEPS_MAX];
};
#include "tests/vectors/gen/pubsub_probes.inc"

static void until_ms(unsigned ms)
{
  const uint64_t at = RIG_START + ms * OCF_NS_PER_MS;
  assert_true(at >= r->now);
  rig_run(r, at - r->now);
}

static void say(const struct pubsub_step *s)
{
  static uint8_t raw[1 << 16];
  size_t n = 0;
  for (size_t i = 0; i < HEX_CHUNKS && s->hex[i] != NULL; i++)
    n += ocf_test_hex(s->hex[i], raw + n, sizeof(raw) - n);
  rig_rx(r, 0, raw, n);
}

/* What the engine wrote at once is the recorded answer, or has neither IWANT nor PRUNE in it. */
static void check_answer(const struct pubsub_probe *p, const struct pubsub_step *s)
{
  uint8_t want[256];
  const size_t n = ocf_test_hex(s->answer, want, sizeof(want));
  const struct ocf_bytes got = ocf_buf_view(&r->peers[0].got);
  if (n > 0) {
    if (!ocf_bytes_eq(got, ocf_bytes(want, n)))
      fail_msg("%s, %u ms: %zu bytes, recorded %zu or other ones", p->name, s->at_ms, got.n, n);
    ocf_buf_clear(&r->peers[0].got);
    return;
  }
  const struct rig_got g = rig_got(r, 0);
  if (g.iwant_ids + g.prunes > 0)
    fail_msg("%s, %u ms: %u ids wanted, %u prunes", p->name, s->at_ms, g.iwant_ids, g.prunes);
}

static void test_recorded_sessions_are_answered_alike(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(pubsub_probes); i++) {
    const struct pubsub_probe *p = &pubsub_probes[i];
    unsigned answers = 0;
    begin(NULL);
    join(topic);
    join(other);
    rig_up(r, 0, false);
    const struct rig_got hello = rig_got(r, 0);
    assert_int_equal(hello.subs, 2);
    assert_true(hello.first_has_subs);
    for (const struct pubsub_step *s = p->steps; s < p->steps + STEPS_MAX && s->hex[0] != NULL;
         s++) {
      until_ms(s->at_ms);
      const struct rig_got between = rig_got(r, 0);
      assert_int_equal(between.iwant_ids + between.prunes, 0);
      say(s);
      answers += s->answer[0] != '\0';
      check_answer(p, s);
    }
    assert_int_equal(answers, 2);
    end();
  }
}

/* The two sound messages arrive, once each and in order; the damaged one does not. */
static void test_recorded_sessions_deliver_what_was_sound(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(pubsub_probes); i++) {
    static const size_t sizes[] = { SMALL, LARGE };
    size_t n = 0;
    begin(NULL);
    join(topic);
    join(other);
    rig_up(r, 0, false);
    for (const struct pubsub_step *s = pubsub_probes[i].steps;
         s < pubsub_probes[i].steps + STEPS_MAX && s->hex[0] != NULL; s++) {
      until_ms(s->at_ms);
      say(s);
    }
    for (size_t k = 0; k < r->n_events; k++) {
      if (r->events[k].type != OCF_GOSSIP_MESSAGE)
        continue;
      assert_true(n < OCF_ARRAY_LEN(sizes));
      assert_int_equal(r->events[k].n_data, sizes[n]);
      n++;
    }
    assert_int_equal(n, OCF_ARRAY_LEN(sizes));
    assert_int_equal(r->peers[0].resets + r->peers[0].disconnects, 0);
    end();
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_recorded_sessions_are_answered_alike),
    cmocka_unit_test(test_recorded_sessions_deliver_what_was_sound),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
