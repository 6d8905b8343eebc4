/* What every store behind struct ocf_kv must do, as test bodies. A store's own test file says how
 * one is opened, closed and opened again, and includes the list:
 *
 *   static const struct ocf_kv_contract ops = { open_it, close_it, true };
 *   static int setup(void **state) { *state = (void *)&ops; … }
 *   … OCF_KV_CONTRACT_TESTS(setup, teardown) …
 *
 * Tests only. Include after testing/test.h. */
#ifndef OCF_CRDT_KV_KV_CONTRACT_H
#define OCF_CRDT_KV_KV_CONTRACT_H

#include "base/rng/rng.h"
#include "crdt/kv/kv.h"
#include "testing/test.h"

/* The test's state is a `struct ocf_kv_contract *`. */
struct ocf_kv_contract {
  /* An empty store, or with `again` the one that close() left. */
  struct ocf_kv *(*open)(const struct ocf_kv_contract *c, bool again);
  void (*close)(const struct ocf_kv_contract *c, struct ocf_kv *kv);
  bool lasting; /* commits outlive close() */
};

static const struct ocf_kv_contract *kvc_of(void **state)
{
  return *state;
}

static struct ocf_bytes kvc_str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

static void kvc_put(struct ocf_kv *kv, const char *key, const char *val)
{
  assert_int_equal(ocf_kv_put(kv, kvc_str(key), kvc_str(val)), 0);
}

static void kvc_expect(struct ocf_kv *kv, const char *key, const char *val)
{
  struct ocf_bytes got = { NULL, 0 };
  int err = ocf_kv_get(kv, kvc_str(key), &got);
  if (val == NULL) {
    assert_int_equal(err, OCF_ENOENT);
    return;
  }
  assert_int_equal(err, 0);
  assert_true(ocf_bytes_eq(got, kvc_str(val)));
}

static void kvc_expect_seek(struct ocf_kv *kv, const char *from, const char *key, const char *val)
{
  struct ocf_bytes k = { NULL, 0 }, v = { NULL, 0 };
  int err = ocf_kv_seek(kv, kvc_str(from), &k, &v);
  if (key == NULL) {
    assert_int_equal(err, OCF_ENOENT);
    return;
  }
  assert_int_equal(err, 0);
  assert_true(ocf_bytes_eq(k, kvc_str(key)));
  assert_true(ocf_bytes_eq(v, kvc_str(val)));
}

/* Goal: a change is seen at once by the same owner. */
static void kvc_reads_see_the_running_transaction(void **state)
{
  const struct ocf_kv_contract *c = kvc_of(state);
  struct ocf_kv *kv = c->open(c, false);
  kvc_expect(kv, "a", NULL);
  kvc_put(kv, "a", "1");
  kvc_expect(kv, "a", "1");
  kvc_put(kv, "a", "two");
  kvc_expect(kv, "a", "two");
  assert_int_equal(ocf_kv_del(kv, kvc_str("a")), 0);
  kvc_expect(kv, "a", NULL);
  assert_int_equal(ocf_kv_del(kv, kvc_str("a")), 0); /* not there is fine */
  c->close(c, kv);
}

/* Goal: abort goes back exactly to the last commit. Method: each kind of change on each kind of
 * key. */
static void kvc_abort_goes_back_to_the_last_commit(void **state)
{
  const struct ocf_kv_contract *c = kvc_of(state);
  struct ocf_kv *kv = c->open(c, false);
  kvc_put(kv, "changed", "old");
  kvc_put(kv, "deleted", "old");
  kvc_put(kv, "deleted and put", "old");
  assert_int_equal(ocf_kv_commit(kv), 0);
  kvc_put(kv, "changed", "new");
  kvc_put(kv, "changed", "newer");
  kvc_put(kv, "added", "new");
  kvc_put(kv, "added and deleted", "new");
  assert_int_equal(ocf_kv_del(kv, kvc_str("added and deleted")), 0);
  assert_int_equal(ocf_kv_del(kv, kvc_str("deleted")), 0);
  assert_int_equal(ocf_kv_del(kv, kvc_str("deleted and put")), 0);
  kvc_put(kv, "deleted and put", "new");
  ocf_kv_abort(kv);
  kvc_expect(kv, "changed", "old");
  kvc_expect(kv, "deleted", "old");
  kvc_expect(kv, "deleted and put", "old");
  kvc_expect(kv, "added", NULL);
  kvc_expect(kv, "added and deleted", NULL);
  ocf_kv_abort(kv); /* nothing to go back from */
  kvc_expect(kv, "changed", "old");
  c->close(c, kv);
}

/* Goal: committed changes stand through later aborts; uncommitted ones die with the handle. */
static void kvc_a_commit_stands_and_the_rest_does_not(void **state)
{
  const struct ocf_kv_contract *c = kvc_of(state);
  struct ocf_kv *kv = c->open(c, false);
  kvc_put(kv, "a", "1");
  kvc_put(kv, "b", "1");
  assert_int_equal(ocf_kv_commit(kv), 0);
  assert_int_equal(ocf_kv_commit(kv), 0); /* nothing changed */
  assert_int_equal(ocf_kv_del(kv, kvc_str("b")), 0);
  kvc_put(kv, "c", "1");
  assert_int_equal(ocf_kv_commit(kv), 0);
  ocf_kv_abort(kv);
  kvc_put(kv, "a", "2");
  kvc_put(kv, "d", "1");
  if (c->lasting) {
    c->close(c, kv);
    kv = c->open(c, true);
  } else {
    ocf_kv_abort(kv);
  }
  kvc_expect(kv, "a", "1");
  kvc_expect(kv, "b", NULL);
  kvc_expect(kv, "c", "1");
  kvc_expect(kv, "d", NULL);
  c->close(c, kv);
}

/* Goal: seek finds the least key that is not smaller, in unsigned byte order, deleted ones left
 * out. */
static void kvc_seek_follows_the_byte_order(void **state)
{
  const struct ocf_kv_contract *c = kvc_of(state);
  struct ocf_kv *kv = c->open(c, false);
  kvc_expect_seek(kv, "", NULL, NULL);
  kvc_put(kv, "b", "2");
  kvc_put(kv, "ab", "1");
  kvc_put(kv, "b\xff", "4");
  kvc_put(kv, "b\x01", "3");
  kvc_put(kv, "\xff", "5");
  kvc_expect_seek(kv, "", "ab", "1");
  kvc_expect_seek(kv, "ab", "ab", "1");
  kvc_expect_seek(kv, "abc", "b", "2");
  kvc_expect_seek(kv, "b\x01\x01", "b\xff", "4");
  kvc_expect_seek(kv, "b\x7f", "b\xff", "4");
  kvc_expect_seek(kv, "c", "\xff", "5");
  kvc_expect_seek(kv, "\xff\x01", NULL, NULL);
  assert_int_equal(ocf_kv_commit(kv), 0);
  assert_int_equal(ocf_kv_del(kv, kvc_str("b")), 0);
  assert_int_equal(ocf_kv_del(kv, kvc_str("b\x01")), 0);
  kvc_expect_seek(kv, "abc", "b\xff", "4");
  ocf_kv_abort(kv);
  kvc_expect_seek(kv, "abc", "b", "2");
  c->close(c, kv);
}

/* Goal: the bounds of keys and values are the contract's, and what is refused changes nothing. */
static void kvc_bounds_are_kept(void **state)
{
  const struct ocf_kv_contract *c = kvc_of(state);
  struct ocf_kv *kv = c->open(c, false);
  uint8_t key[OCF_KV_KEY_MAX + 2];
  uint8_t *val = calloc(1, OCF_KV_VALUE_MAX + 1);
  struct ocf_bytes k, v;
  assert_non_null(val);
  memset(key, 'k', sizeof(key));
  val[OCF_KV_VALUE_MAX - 1] = 7;
  assert_int_equal(ocf_kv_put(kv, ocf_bytes(key, 0), kvc_str("x")), OCF_EINVAL);
  assert_int_equal(ocf_kv_put(kv, ocf_bytes(key, OCF_KV_KEY_MAX + 1), kvc_str("x")), OCF_EINVAL);
  assert_int_equal(ocf_kv_put(kv, kvc_str("x"), ocf_bytes(val, OCF_KV_VALUE_MAX + 1)), OCF_EINVAL);
  assert_int_equal(ocf_kv_get(kv, ocf_bytes(NULL, 0), &v), OCF_EINVAL);
  assert_int_equal(ocf_kv_get(kv, ocf_bytes(key, OCF_KV_KEY_MAX + 1), &v), OCF_EINVAL);
  assert_int_equal(ocf_kv_del(kv, ocf_bytes(NULL, 0)), OCF_EINVAL);
  assert_int_equal(ocf_kv_del(kv, ocf_bytes(key, OCF_KV_KEY_MAX + 1)), OCF_EINVAL);
  assert_int_equal(ocf_kv_seek(kv, ocf_bytes(key, OCF_KV_KEY_MAX + 2), &k, &v), OCF_EINVAL);
  assert_int_equal(ocf_kv_seek(kv, ocf_bytes(NULL, 0), &k, &v), OCF_ENOENT);

  assert_int_equal(ocf_kv_put(kv, ocf_bytes(key, OCF_KV_KEY_MAX), ocf_bytes(NULL, 0)), 0);
  assert_int_equal(ocf_kv_put(kv, ocf_bytes(key, 1), ocf_bytes(val, OCF_KV_VALUE_MAX)), 0);
  assert_int_equal(ocf_kv_commit(kv), 0);
  assert_int_equal(ocf_kv_get(kv, ocf_bytes(key, OCF_KV_KEY_MAX), &v), 0);
  assert_int_equal(v.n, 0);
  assert_int_equal(ocf_kv_get(kv, ocf_bytes(key, 1), &v), 0);
  assert_true(ocf_bytes_eq(v, ocf_bytes(val, OCF_KV_VALUE_MAX)));
  assert_true(ocf_kv_bytes(kv) >= OCF_KV_VALUE_MAX + OCF_KV_KEY_MAX);
  memset(key + OCF_KV_KEY_MAX, 0, 1); /* "the one after" a key of full length */
  assert_int_equal(ocf_kv_seek(kv, ocf_bytes(key, OCF_KV_KEY_MAX + 1), &k, &v), OCF_ENOENT);
  assert_int_equal(ocf_kv_seek(kv, ocf_bytes(key, OCF_KV_KEY_MAX), &k, &v), 0);
  assert_int_equal(k.n, OCF_KV_KEY_MAX);
  free(val);
  c->close(c, kv);
}

/* Goal: keys and values are any bytes, zero bytes among them. */
static void kvc_zero_bytes_are_bytes(void **state)
{
  const struct ocf_kv_contract *c = kvc_of(state);
  struct ocf_kv *kv = c->open(c, false);
  struct ocf_bytes k, v;
  assert_int_equal(ocf_kv_put(kv, ocf_bytes("\0", 1), ocf_bytes("\0\0", 2)), 0);
  assert_int_equal(ocf_kv_put(kv, ocf_bytes("\0\0", 2), ocf_bytes("x", 1)), 0);
  assert_int_equal(ocf_kv_seek(kv, ocf_bytes(NULL, 0), &k, &v), 0);
  assert_true(ocf_bytes_eq(k, ocf_bytes("\0", 1)));
  assert_true(ocf_bytes_eq(v, ocf_bytes("\0\0", 2)));
  assert_int_equal(ocf_kv_seek(kv, ocf_bytes("\0\0", 2), &k, &v), 0);
  assert_true(ocf_bytes_eq(k, ocf_bytes("\0\0", 2)));
  assert_true(ocf_bytes_eq(v, ocf_bytes("x", 1)));
  c->close(c, kv);
}

enum { KVC_KEYS = 300, KVC_ROUNDS = 6000 };

struct kvc_model {
  uint32_t now[KVC_KEYS], then[KVC_KEYS]; /* 0: not there */
};

static struct ocf_bytes kvc_key(size_t i, uint8_t dst[8])
{
  size_t n = 1 + i % 3;
  uint64_t h = i * UINT64_C(0x9E3779B97F4A7C15);
  for (size_t j = 0; j < n; j++)
    dst[j] = (uint8_t)(h >> (56 - 8 * j));
  dst[n] = (uint8_t)i;
  dst[n + 1] = (uint8_t)(i >> 8);
  return ocf_bytes(dst, n + 2);
}

static void kvc_compare_all(struct ocf_kv *kv, const struct kvc_model *m)
{
  size_t live = 0, seen = 0;
  uint8_t key[8], at[16] = { 0 };
  size_t at_n = 0;
  struct ocf_bytes k, v;
  for (size_t i = 0; i < KVC_KEYS; i++) {
    int err = ocf_kv_get(kv, kvc_key(i, key), &v);
    assert_int_equal(err, m->now[i] == 0 ? OCF_ENOENT : 0);
    live += m->now[i] != 0;
    if (err == 0) {
      assert_int_equal(v.n, 4 + m->now[i] % 90);
      assert_memory_equal(v.p, &m->now[i], 4);
    }
  }
  while (ocf_kv_seek(kv, ocf_bytes(at, at_n), &k, &v) == 0) {
    assert_true(k.n < sizeof(at));
    assert_true(at_n == 0 || memcmp(at, k.p, OCF_MIN(at_n - 1, k.n)) <= 0);
    memcpy(at, k.p, k.n);
    at[k.n] = 0;
    at_n = k.n + 1;
    seen++;
  }
  assert_int_equal(seen, live);
}

/* Goal: any sequence of changes, commits, aborts and reopenings gives what a naive table gives.
 * Method: seeded random calls; everything compared now and then. */
static void kvc_agrees_with_a_table(void **state)
{
  const struct ocf_kv_contract *c = kvc_of(state);
  struct ocf_kv *kv = c->open(c, false);
  static struct kvc_model m;
  uint8_t key[8], val[100] = { 0 };
  struct ocf_rng rng;
  ocf_rng_seed(&rng, 7);
  memset(&m, 0, sizeof(m));
  for (uint32_t round = 1; round <= KVC_ROUNDS; round++) {
    size_t i = (size_t)ocf_rng_below(&rng, KVC_KEYS);
    uint64_t what = ocf_rng_below(&rng, 100);
    if (what < 60) {
      memcpy(val, &round, 4);
      assert_int_equal(ocf_kv_put(kv, kvc_key(i, key), ocf_bytes(val, 4 + round % 90)), 0);
      m.now[i] = round;
    } else if (what < 96) {
      assert_int_equal(ocf_kv_del(kv, kvc_key(i, key)), 0);
      m.now[i] = 0;
    } else if (what < 98) {
      assert_int_equal(ocf_kv_commit(kv), 0);
      memcpy(m.then, m.now, sizeof(m.now));
    } else {
      if (c->lasting && what == 99) {
        c->close(c, kv);
        kv = c->open(c, true);
      } else {
        ocf_kv_abort(kv);
      }
      memcpy(m.now, m.then, sizeof(m.now));
    }
    if (round % 97 == 0)
      kvc_compare_all(kv, &m);
  }
  kvc_compare_all(kv, &m);
  c->close(c, kv);
}

/* Goal: a lent view stands while nothing is changed, whatever is read meanwhile. */
static void kvc_views_stand_until_the_next_change(void **state)
{
  const struct ocf_kv_contract *c = kvc_of(state);
  struct ocf_kv *kv = c->open(c, false);
  struct ocf_bytes a, b, k;
  char key[16];
  for (int i = 0; i < 200; i++) {
    (void)snprintf(key, sizeof(key), "key %03d", i);
    kvc_put(kv, key, key);
  }
  assert_int_equal(ocf_kv_get(kv, kvc_str("key 050"), &a), 0);
  for (int i = 0; i < 200; i++) {
    (void)snprintf(key, sizeof(key), "key %03d", i);
    assert_int_equal(ocf_kv_get(kv, kvc_str(key), &b), 0);
    assert_int_equal(ocf_kv_seek(kv, kvc_str(key), &k, &b), 0);
    assert_int_equal(ocf_kv_seek(kv, k, &k, &b), 0); /* a lent view as the key */
  }
  assert_true(ocf_bytes_eq(a, kvc_str("key 050")));
  c->close(c, kv);
}

#define OCF_KV_CONTRACT_TEST(f, setup, teardown) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* The entries for the test array. */
#define OCF_KV_CONTRACT_TESTS(setup, teardown)                                                     \
  OCF_KV_CONTRACT_TEST(kvc_reads_see_the_running_transaction, setup, teardown),                    \
      OCF_KV_CONTRACT_TEST(kvc_abort_goes_back_to_the_last_commit, setup, teardown),               \
      OCF_KV_CONTRACT_TEST(kvc_a_commit_stands_and_the_rest_does_not, setup, teardown),            \
      OCF_KV_CONTRACT_TEST(kvc_seek_follows_the_byte_order, setup, teardown),                      \
      OCF_KV_CONTRACT_TEST(kvc_bounds_are_kept, setup, teardown),                                  \
      OCF_KV_CONTRACT_TEST(kvc_zero_bytes_are_bytes, setup, teardown),                             \
      OCF_KV_CONTRACT_TEST(kvc_agrees_with_a_table, setup, teardown),                              \
      OCF_KV_CONTRACT_TEST(kvc_views_stand_until_the_next_change, setup, teardown)

#endif
