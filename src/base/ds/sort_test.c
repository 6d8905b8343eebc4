/* Goal: any array comes out ascending, with the elements it had. Method: random arrays of all small
 * lengths and several element sizes, against qsort(). */
#include "testing/test.h"

#include "base/ds/sort.h"

enum { N_MAX = 70, SIZE_MAX_TESTED = 150 };

static int by_first_byte(const void *a, const void *b)
{
  return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* Small and repeatable; which values come does not matter. */
static uint8_t next(uint32_t *state)
{
  *state = *state * 1664525u + 1013904223u;
  return (uint8_t)(*state >> 24);
}

static void test_arrays_come_out_sorted_with_their_elements(void **state)
{
  static uint8_t a[N_MAX * SIZE_MAX_TESTED], b[sizeof(a)];
  static const size_t sizes[] = { 1, 4, 63, 64, 65, SIZE_MAX_TESTED };
  uint32_t seed = 1;
  (void)state;
  for (size_t s = 0; s < OCF_ARRAY_LEN(sizes); s++) {
    for (size_t n = 0; n <= N_MAX; n++) {
      size_t size = sizes[s];
      uint8_t range = (uint8_t)(1 + n % 7 * 40);
      for (size_t i = 0; i < n; i++) /* the whole element follows from its first byte */
        memset(a + i * size, next(&seed) % range, size);
      memcpy(b, a, n * size);
      ocf_sort(a, n, size, by_first_byte);
      qsort(b, n, size, by_first_byte);
      assert_memory_equal(a, b, n * size);
    }
  }
  ocf_sort(NULL, 0, 1, by_first_byte);
}

static void test_ascending_and_descending_inputs(void **state)
{
  uint8_t a[N_MAX];
  (void)state;
  for (int way = 0; way < 2; way++) {
    for (size_t i = 0; i < N_MAX; i++)
      a[i] = (uint8_t)(way == 0 ? i : N_MAX - 1 - i);
    ocf_sort(a, N_MAX, 1, by_first_byte);
    for (size_t i = 0; i < N_MAX; i++)
      assert_int_equal(a[i], i);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_arrays_come_out_sorted_with_their_elements),
    cmocka_unit_test(test_ascending_and_descending_inputs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
