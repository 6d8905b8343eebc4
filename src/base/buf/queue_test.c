#include "base/buf/queue.h"
#include "testing/oom.h"
#include "testing/test.h"

enum { TOTAL = 5 * OCF_CHUNK_SIZE };

static struct ocf_alloc heap;
static struct ocf_chunk_pool pool;
static uint8_t pattern[TOTAL];

static int setup(void **state)
{
  (void)state;
  ocf_alloc_init(&heap);
  ocf_chunk_pool_init(&pool, &heap, 2);
  for (size_t i = 0; i < TOTAL; i++)
    pattern[i] = (uint8_t)(i * 31 + i / 256);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  ocf_chunk_pool_fini(&pool);
  assert_int_equal(heap.live_bytes, 0);
  return 0;
}

/* Checks that the queue holds exactly p[0..n), through views of at most `cap` pieces. */
static void check_holds(const struct ocf_queue *q, const uint8_t *p, size_t n)
{
  struct ocf_bytes v[16];
  size_t pieces = ocf_queue_peek(q, v, OCF_ARRAY_LEN(v)), at = 0;
  assert_int_equal(ocf_queue_len(q), n);
  for (size_t i = 0; i < pieces; i++) {
    assert_true(v[i].n > 0 && v[i].n <= n - at);
    assert_memory_equal(v[i].p, p + at, v[i].n);
    at += v[i].n;
  }
  assert_int_equal(at, n);
}

/* Goal: no size of addition or consumption loses or repeats a byte, chunk borders included. */
static void test_bytes_come_out_as_they_went_in(void **state)
{
  (void)state;
  static const size_t sizes[] = {
    1, 7, 100, 4096, 8000, OCF_CHUNK_SIZE - 16, OCF_CHUNK_SIZE, 20000
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(sizes); i++) {
    for (size_t j = 0; j < OCF_ARRAY_LEN(sizes); j++) {
      struct ocf_queue q;
      size_t in = 0, out = 0;
      ocf_queue_init(&q, &pool);
      while (out < TOTAL) {
        size_t n = OCF_MIN(sizes[i], TOTAL - in);
        assert_int_equal(ocf_queue_add(&q, pattern + in, n), 0);
        in += n;
        if (in < TOTAL && in - out < sizes[j])
          continue;
        n = OCF_MIN(sizes[j], in - out);
        ocf_queue_consume(&q, n);
        out += n;
        check_holds(&q, pattern + out, in - out);
      }
      assert_int_equal(pool.n_used, 0); /* an empty queue holds no chunk */
    }
  }
}

static void test_peek_fills_no_more_views_than_given(void **state)
{
  (void)state;
  struct ocf_queue q;
  struct ocf_bytes v[2];
  ocf_queue_init(&q, &pool);
  assert_int_equal(ocf_queue_peek(&q, v, 2), 0);
  assert_int_equal(ocf_queue_add(&q, NULL, 0), 0);
  assert_int_equal(pool.n_used, 0);
  assert_int_equal(ocf_queue_add(&q, pattern, TOTAL), 0);
  assert_int_equal(ocf_queue_peek(&q, v, 0), 0);
  assert_int_equal(ocf_queue_peek(&q, v, 2), 2);
  assert_memory_equal(v[1].p, pattern + v[0].n, v[1].n);
  ocf_queue_consume(&q, 0);
  assert_int_equal(ocf_queue_len(&q), TOTAL);
  ocf_queue_clear(&q);
  assert_int_equal(ocf_queue_len(&q), 0);
  assert_int_equal(pool.n_used, 0);
  assert_int_equal(ocf_queue_add(&q, "x", 1), 0); /* a cleared queue goes on */
  ocf_queue_consume(&q, 1);
}

static void test_the_pool_keeps_no_more_than_its_stock(void **state)
{
  (void)state;
  struct ocf_queue q;
  ocf_queue_init(&q, &pool);
  assert_int_equal(ocf_queue_add(&q, pattern, TOTAL), 0);
  ocf_queue_consume(&q, TOTAL);
  assert_int_equal(pool.n_free, 2);
  assert_int_equal(heap.live_bytes, 2 * OCF_CHUNK_SIZE);
  uint64_t calls = heap.n_calls;
  for (int i = 0; i < 100; i++) {
    assert_int_equal(ocf_queue_add(&q, pattern, 12000), 0);
    ocf_queue_consume(&q, 12000);
  }
  assert_int_equal(heap.n_calls, calls); /* no allocation on a warm path */
}

static void test_what_nobody_needed_since_the_last_trim_goes_back(void **state)
{
  (void)state;
  struct ocf_queue q;
  ocf_queue_init(&q, &pool);
  assert_int_equal(ocf_queue_add(&q, pattern, 2 * OCF_CHUNK_SIZE - 100), 0);
  ocf_queue_consume(&q, 2 * OCF_CHUNK_SIZE - 100);
  ocf_chunk_pool_trim(&pool, true);
  assert_int_equal(pool.n_free, 2); /* both were in use a moment ago */
  assert_int_equal(ocf_queue_add(&q, "x", 1), 0);
  ocf_queue_consume(&q, 1);
  ocf_chunk_pool_trim(&pool, true);
  assert_int_equal(pool.n_free, 1);
  assert_int_equal(heap.live_bytes, OCF_CHUNK_SIZE);
  assert_int_equal(ocf_queue_add(&q, "x", 1), 0);
  ocf_queue_consume(&q, 1);
  ocf_chunk_pool_trim(&pool, true);
  assert_int_equal(pool.n_free, 1);
  ocf_chunk_pool_trim(&pool, true);
  assert_int_equal(heap.live_bytes, 0);
  assert_int_equal(ocf_queue_add(&q, "x", 1), 0);
  ocf_queue_consume(&q, 1);
  ocf_chunk_pool_trim(&pool, false);
  assert_int_equal(heap.live_bytes, 0);
}

static int queue_body(struct ocf_alloc *a, void *ctx)
{
  struct ocf_chunk_pool p;
  struct ocf_queue q;
  int err = 0;
  (void)ctx;
  ocf_chunk_pool_init(&p, a, 1);
  ocf_queue_init(&q, &p);
  for (size_t n = 5000; n <= 30000 && err == 0; n += 5000) {
    size_t before = ocf_queue_len(&q), chunks = p.n_used;
    err = ocf_queue_add(&q, pattern, n);
    assert_int_equal(ocf_queue_len(&q), err == 0 ? before + n : before);
    if (err != 0)
      assert_int_equal(p.n_used, chunks);
  }
  ocf_queue_clear(&q);
  ocf_chunk_pool_fini(&p);
  return err;
}

static void test_queue_survives_any_failed_allocation(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(queue_body, NULL) > 10);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test_setup_teardown(test_bytes_come_out_as_they_went_in, setup, teardown),
  cmocka_unit_test_setup_teardown(test_peek_fills_no_more_views_than_given, setup, teardown),
  cmocka_unit_test_setup_teardown(test_the_pool_keeps_no_more_than_its_stock, setup, teardown),
  cmocka_unit_test_setup_teardown(test_what_nobody_needed_since_the_last_trim_goes_back, setup,
                                  teardown),
  cmocka_unit_test_setup_teardown(test_queue_survives_any_failed_allocation, setup, teardown),
};
OCF_TEST_MAIN(tests)
