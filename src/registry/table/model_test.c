/* Goal: the table does what table.h says, whatever the order of events. Method: long random runs of
 * operations on the table and on a naive model of the rules; see table_check.h. */
#include "testing/test.h"

#include "registry/table/table_check.h"

static void test_random_histories_match_the_naive_table(void **state)
{
  uint8_t input[1500];
  struct ocf_rng rng;
  (void)state;
  ocf_rng_seed(&rng, 42);
  for (unsigned run = 0; run < 400; run++) {
    ocf_rng_secret(&rng, input, sizeof(input));
    check_run(ocf_bytes(input, sizeof(input)));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_random_histories_match_the_naive_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
