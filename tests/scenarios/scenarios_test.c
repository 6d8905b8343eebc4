/* Goal: every scenario of the simulator holds, and every run repeats exactly.
 * Method: each scenario with a few fixed seeds, in worlds of their own; the first seed twice, with
 * equal traces. An argument names one scenario. `ocf-sim` runs any seed, and replays a failed one.
 */
#include "testing/test.h"

#include "stage.h"

enum { TESTS_MAX = 512 };

struct run {
  const struct scenario *s;
  uint64_t seed;
  char name[64];
};

static void run_one(const struct run *r, struct result *out)
{
  stage_run(r->s, r->seed, 0, 0, false, out);
  if (out->failed)
    fail_msg("%s\nreplay with: ocf-sim --scenario %s --seed %llu --verbose", out->why, r->s->name,
             (unsigned long long)r->seed);
}

static void test_a_scenario_holds(void **state)
{
  const struct run *r = *state;
  struct result first, second;
  run_one(r, &first);
  if (r->seed != 1)
    return;
  run_one(r, &second);
  assert_memory_equal(first.hash, second.hash, sizeof(first.hash));
  assert_int_equal(first.n_events, second.n_events);
}

int main(int argc, char **argv)
{
  static struct run runs[TESTS_MAX];
  static struct CMUnitTest tests[TESTS_MAX];
  size_t n = 0;
  for (size_t i = 0; i < n_scenarios; i++) {
    if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0)
      continue;
    for (unsigned k = 1; k <= scenarios[i].n_seeds && n < TESTS_MAX; k++) {
      struct run *r = &runs[n];
      *r = (struct run){ .s = &scenarios[i], .seed = k };
      (void)snprintf(r->name, sizeof(r->name), "%s, seed %u", scenarios[i].name, k);
      tests[n++] = (struct CMUnitTest){ r->name, test_a_scenario_holds, NULL, NULL, r };
    }
  }
  if (n == 0) {
    (void)fprintf(stderr, "no scenario \"%s\"\n", argc > 1 ? argv[1] : "");
    return 2;
  }
  return _cmocka_run_group_tests("scenarios", tests, n, NULL, NULL);
}
