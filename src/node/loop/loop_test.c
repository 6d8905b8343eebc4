/* Goal: alarms fire once, in time and in order; deferred work runs once per turn. */
#include "node/loop/loop.h"
#include "testing/test.h"

struct probe {
  struct ocf_alarm alarm;
  struct ocf_deferred deferred;
  struct ocf_loop *loop;
  int n_fired, n_run, again;
};

static void on_fire(struct ocf_alarm *a)
{
  OCF_CONTAINER_OF(a, struct probe, alarm)->n_fired++;
}

static void on_run(struct ocf_deferred *d)
{
  struct probe *p = OCF_CONTAINER_OF(d, struct probe, deferred);
  p->n_run++;
  if (p->again-- > 0)
    ocf_defer(p->loop, d);
}

static struct ocf_alloc alloc;
static struct ocf_rng rng;
static struct ocf_env env;

static void start(struct ocf_loop *l, struct probe *p)
{
  ocf_alloc_init(&alloc);
  ocf_rng_seed(&rng, 1);
  assert_int_equal(ocf_loop_init(l, &env, &alloc, &rng, NULL, NULL, 1000), 0);
  *p = (struct probe){ .loop = l };
  p->alarm.fire = on_fire;
  p->deferred.run = on_run;
}

static void stop(struct ocf_loop *l)
{
  ocf_loop_fini(l);
  assert_int_equal(alloc.live_bytes, 0);
}

static void test_an_alarm_fires_once_and_not_early(void **state)
{
  struct ocf_loop l;
  struct probe p;
  (void)state;
  start(&l, &p);
  ocf_alarm_start(&l, &p.alarm, 5 * OCF_NS_PER_MS);
  l.now_ns += 5 * OCF_NS_PER_MS - 1;
  ocf_loop_fire(&l);
  assert_int_equal(p.n_fired, 0);
  l.now_ns += 1;
  ocf_loop_fire(&l);
  ocf_loop_fire(&l);
  assert_int_equal(p.n_fired, 1);
  stop(&l);
}

static void test_a_stopped_alarm_is_silent_and_a_restarted_one_moves(void **state)
{
  struct ocf_loop l;
  struct probe p;
  (void)state;
  start(&l, &p);
  ocf_alarm_start(&l, &p.alarm, OCF_NS_PER_MS);
  ocf_alarm_stop(&l, &p.alarm);
  l.now_ns += OCF_NS_PER_S;
  ocf_loop_fire(&l);
  assert_int_equal(p.n_fired, 0);
  ocf_alarm_start(&l, &p.alarm, OCF_NS_PER_MS);
  ocf_alarm_start(&l, &p.alarm, OCF_NS_PER_S);
  l.now_ns += 500 * OCF_NS_PER_MS;
  ocf_loop_fire(&l);
  assert_int_equal(p.n_fired, 0);
  l.now_ns += OCF_NS_PER_S;
  ocf_loop_fire(&l);
  assert_int_equal(p.n_fired, 1);
  stop(&l);
}

static void test_deferred_work_runs_once_however_often_it_was_asked_for(void **state)
{
  struct ocf_loop l;
  struct probe p;
  (void)state;
  start(&l, &p);
  ocf_defer(&l, &p.deferred);
  ocf_defer(&l, &p.deferred);
  ocf_loop_run_deferred(&l);
  ocf_loop_run_deferred(&l);
  assert_int_equal(p.n_run, 1);
  ocf_defer(&l, &p.deferred);
  ocf_defer_cancel(&p.deferred);
  ocf_loop_run_deferred(&l);
  assert_int_equal(p.n_run, 1);
  stop(&l);
}

static void test_work_that_defers_itself_runs_in_the_same_turn(void **state)
{
  struct ocf_loop l;
  struct probe p;
  (void)state;
  start(&l, &p);
  p.again = 2;
  ocf_defer(&l, &p.deferred);
  ocf_loop_run_deferred(&l);
  assert_int_equal(p.n_run, 3);
  stop(&l);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_an_alarm_fires_once_and_not_early),
    cmocka_unit_test(test_a_stopped_alarm_is_silent_and_a_restarted_one_moves),
    cmocka_unit_test(test_deferred_work_runs_once_however_often_it_was_asked_for),
    cmocka_unit_test(test_work_that_defers_itself_runs_in_the_same_turn),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
