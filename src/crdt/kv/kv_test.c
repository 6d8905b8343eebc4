/* The store in memory: the contract of every store, its limit, its memory. */
#include "crdt/kv/kv.h"
#include "testing/test.h"

#include "crdt/kv/kv_contract.h"
#include "testing/oom.h"

static struct ocf_alloc heap;

static struct ocf_kv *open_mem(const struct ocf_kv_contract *c, bool again)
{
  struct ocf_kv *kv = NULL;
  (void)c;
  assert_false(again);
  assert_int_equal(ocf_kv_mem_open(&heap, 0, &kv), 0);
  return kv;
}

static void close_mem(const struct ocf_kv_contract *c, struct ocf_kv *kv)
{
  (void)c;
  ocf_kv_mem_close(kv);
}

static struct ocf_kv_contract contract = { open_mem, close_mem, false };

static int setup(void **state)
{
  ocf_alloc_init(&heap);
  *state = &contract;
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  assert_int_equal(heap.live_bytes, 0);
  return 0;
}

/* Goal: over the limit a put fails and changes nothing; room given back can be used again. */
static void test_the_limit_refuses_and_changes_nothing(void **state)
{
  (void)state;
  struct ocf_kv *kv;
  struct ocf_bytes v;
  char key[16];
  int n = 0, err = 0;
  assert_int_equal(ocf_kv_mem_open(&heap, 8192, &kv), 0);
  for (; err == 0 && n < 1000; n++) {
    (void)snprintf(key, sizeof(key), "key %03d", n);
    err = ocf_kv_put(kv, kvc_str(key), kvc_str("some value of a few bytes"));
  }
  assert_int_equal(err, OCF_ELIMIT);
  assert_true(n > 10 && ocf_kv_bytes(kv) <= 8192);
  assert_int_equal(ocf_kv_get(kv, kvc_str(key), &v), OCF_ENOENT);
  assert_int_equal(ocf_kv_commit(kv), 0);
  kvc_expect(kv, "key 000", "some value of a few bytes");
  assert_int_equal(ocf_kv_del(kv, kvc_str("key 000")), 0);
  assert_int_equal(ocf_kv_commit(kv), 0);
  kvc_put(kv, "key 000", "some value of a few bytes");
  ocf_kv_mem_close(kv);
  ocf_kv_mem_close(NULL);
}

/* Goal: ten thousand keys in rising, falling and mixed order are all found, and can all go. */
static void test_any_order_of_insertion_is_fine(void **state)
{
  (void)state;
  for (int order = 0; order < 3; order++) {
    struct ocf_kv *kv;
    char key[16];
    struct ocf_bytes k, v;
    assert_int_equal(ocf_kv_mem_open(&heap, 0, &kv), 0);
    for (int i = 0; i < 10000; i++) {
      int j = order == 0 ? i : order == 1 ? 9999 - i : i * 7919 % 10000;
      (void)snprintf(key, sizeof(key), "%05d", j);
      kvc_put(kv, key, key);
    }
    assert_int_equal(ocf_kv_commit(kv), 0);
    for (int i = 0; i < 10000; i++) {
      (void)snprintf(key, sizeof(key), "%05d", i);
      kvc_expect(kv, key, key);
      if (i % 3 != 0)
        assert_int_equal(ocf_kv_del(kv, kvc_str(key)), 0);
      if (i % 1000 == 0)
        assert_int_equal(ocf_kv_commit(kv), 0);
    }
    assert_int_equal(ocf_kv_commit(kv), 0);
    kvc_expect_seek(kv, "00001", "00003", "00003");
    kvc_expect_seek(kv, "09999", "09999", "09999");
    assert_int_equal(ocf_kv_seek(kv, kvc_str("0999a"), &k, &v), OCF_ENOENT);
    ocf_kv_mem_close(kv);
  }
}

static int changes(struct ocf_alloc *a, void *ctx)
{
  (void)ctx;
  struct ocf_kv *kv;
  int err = ocf_kv_mem_open(a, 0, &kv);
  if (err != 0)
    return err;
  static const char *const keys[] = { "c", "a", "b", "a", "d", "e" };
  for (size_t i = 0; err == 0 && i < OCF_ARRAY_LEN(keys); i++) {
    err = ocf_kv_put(kv, kvc_str(keys[i]), kvc_str("value"));
    if (i == 2 && err == 0)
      err = ocf_kv_commit(kv);
  }
  size_t n = (size_t)ocf_kv_bytes(kv);
  ocf_kv_abort(kv);
  assert_true(ocf_kv_bytes(kv) <= n);
  ocf_kv_mem_close(kv);
  return err;
}

static void test_out_of_memory_anywhere_leaks_nothing(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(changes, NULL) > 5);
}

static const struct CMUnitTest tests[] = {
  OCF_KV_CONTRACT_TESTS(setup, teardown),
  cmocka_unit_test_setup_teardown(test_the_limit_refuses_and_changes_nothing, setup, teardown),
  cmocka_unit_test_setup_teardown(test_any_order_of_insertion_is_fine, setup, teardown),
  cmocka_unit_test(test_out_of_memory_anywhere_leaks_nothing),
};

OCF_TEST_MAIN(tests)
