#include "base/rng/rng.h"
#include "testing/test.h"

/* Method: published first outputs of xoshiro256** for state {1,2,3,4} and for SplitMix64 seeding.
 */
static void test_the_generator_is_xoshiro256ss_seeded_by_splitmix64(void **state)
{
  (void)state;
  static const uint64_t want[] = { 11520,
                                   0,
                                   1509978240,
                                   UINT64_C(1215971899390074240),
                                   UINT64_C(1216172134540287360),
                                   UINT64_C(607988272756665600) };
  struct ocf_rng r = { .s = { 1, 2, 3, 4 } };
  for (size_t i = 0; i < OCF_ARRAY_LEN(want); i++)
    assert_true(ocf_rng_u64(&r) == want[i]);
  ocf_rng_seed(&r, 1234567);
  assert_true(r.s[0] == UINT64_C(6457827717110365317));
  assert_true(r.s[1] == UINT64_C(3203168211198807973));
  ocf_rng_seed(&r, 0);
  assert_true(ocf_rng_u64(&r) == UINT64_C(0x99ec5f36cb75f2b4));
}

/* Goal: every value occurs about equally often. Method: 60,000 draws below 6; each within 4 sigma.
 */
static void test_draws_below_n_are_even_and_below_n(void **state)
{
  (void)state;
  struct ocf_rng r;
  unsigned count[6] = { 0 };
  ocf_rng_seed(&r, 7);
  for (int i = 0; i < 60000; i++)
    count[ocf_rng_below(&r, 6)]++;
  for (size_t i = 0; i < 6; i++)
    assert_in_range(count[i], 9635, 10365);
  for (int i = 0; i < 100; i++) {
    assert_int_equal(ocf_rng_below(&r, 1), 0);
    assert_true(ocf_rng_below(&r, UINT64_MAX) < UINT64_MAX);
  }
}

/* Goal: no modulo bias. Method: with n = 3 * 2^62 a plain modulo would land below 2^62 half of the
 * time instead of a third. */
static void test_large_bounds_are_not_biased(void **state)
{
  (void)state;
  struct ocf_rng r;
  unsigned low = 0;
  ocf_rng_seed(&r, 8);
  for (int i = 0; i < 30000; i++)
    low += ocf_rng_below(&r, UINT64_C(3) << 62) < UINT64_C(1) << 62 ? 1 : 0;
  assert_in_range(low, 9673, 10327);
}

static void count_fill(void *ctx, void *p, size_t n)
{
  *(size_t *)ctx += n;
  memset(p, 0xcc, n);
}

static void test_secrets_come_from_the_source_when_there_is_one(void **state)
{
  (void)state;
  struct ocf_rng r, same;
  uint8_t a[21], b[21], guard[23];
  size_t n = 0;
  ocf_rng_seed(&r, 1);
  same = r;
  for (size_t len = 0; len <= sizeof(a); len++) { /* without: the generator, repeatable */
    ocf_rng_secret(&r, a, len);
    ocf_rng_secret(&same, b, len);
    assert_memory_equal(a, b, len);
  }
  memset(guard, 0x11, sizeof(guard));
  r.fill = count_fill;
  r.ctx = &n;
  ocf_rng_secret(&r, guard + 1, 21);
  assert_int_equal(n, 21);
  assert_true(guard[0] == 0x11 && guard[22] == 0x11 && guard[1] == 0xcc && guard[21] == 0xcc);
  assert_memory_equal(r.s, same.s, sizeof(r.s)); /* and it leaves the generator alone */
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_the_generator_is_xoshiro256ss_seeded_by_splitmix64),
  cmocka_unit_test(test_draws_below_n_are_even_and_below_n),
  cmocka_unit_test(test_large_bounds_are_not_biased),
  cmocka_unit_test(test_secrets_come_from_the_source_when_there_is_one),
};
OCF_TEST_MAIN(tests)
