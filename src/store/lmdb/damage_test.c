/* Goal: whatever happens to the files, opening gives a state that was committed, whole, or sets the
 * store aside and begins empty; and after a power cut it gives the last checkpoint. Method: images
 * of a store with three versions, damaged in every page, every byte of the headers, and as a disk
 * leaves them that wrote some of the pages. */
#define _GNU_SOURCE
#include "store/lmdb/lmdb_image.h"
#include "testing/test.h"

enum { PAGE = 4096, CUTS = 80 };

static struct fixture fx;
static struct left whole;

static int setup(void **state)
{
  (void)state;
  fx_begin(&fx);
  whole = img_make(&fx);
  return 0;
}

static int teardown(void **state)
{
  (void)state;
  img_free(&whole);
  fx_end(&fx);
  return 0;
}

struct tally {
  size_t n, of[4]; /* how often it opened as which version; [0]: empty */
};

/* Opens a damaged copy, in the same boot. */
static uint32_t open_damaged(const struct left *x, struct tally *t)
{
  struct ocf_lmdb_report rep;
  img_save(&fx, x);
  uint32_t v = img_open(&fx, IMAGE_BOOT, &rep);
  t->n++;
  t->of[v]++;
  return v;
}

static void test_a_whole_image_opens_as_its_newest_version(void **state)
{
  struct tally t = { 0 };
  struct ocf_lmdb_report rep;
  (void)state;
  assert_int_equal(open_damaged(&whole, &t), 3);
  img_save(&fx, &whole);
  struct ocf_lmdb *db = fx_open_as(&fx, IMAGE_BOOT, &rep);
  assert_int_equal(rep.rows, IMAGE_ROWS);
  assert_false(rep.created || rep.went_back || rep.set_aside);
  assert_int_equal(rep.file_bytes, whole.data.n);
  fx_close(db);
}

static void test_a_flipped_bit_in_any_page_is_seen_or_harmless(void **state)
{
  struct tally t = { 0 };
  struct ocf_rng rng;
  (void)state;
  ocf_rng_seed(&rng, 1);
  for (size_t page = 0; page < whole.data.n / PAGE; page++) {
    for (size_t i = 0; i < 4; i++) {
      uint8_t *p = whole.data.p + page * PAGE + ocf_rng_below(&rng, i < 2 ? 64 : PAGE);
      uint8_t was = *p;
      *p ^= (uint8_t)(1u << ocf_rng_below(&rng, 8));
      (void)open_damaged(&whole, &t);
      *p = was;
    }
  }
  assert_true(t.of[3] > 0 && t.of[2] > 0 && t.of[3] + t.of[2] > t.n / 2);
}

static void test_every_bit_of_the_meta_pages_may_flip(void **state)
{
  struct tally t = { 0 };
  (void)state;
  for (size_t page = 0; page < 2; page++) {
    for (size_t bit = 0; bit < 8 * (16 + 136); bit += 5) {
      uint8_t *p = whole.data.p + page * PAGE + bit / 8;
      *p ^= (uint8_t)(1u << (bit % 8));
      assert_int_not_equal(open_damaged(&whole, &t), 0); /* the other one is whole */
      *p ^= (uint8_t)(1u << (bit % 8));
    }
  }
}

static void test_lost_and_misplaced_pages_are_seen_or_harmless(void **state)
{
  struct tally t = { 0 };
  uint8_t was[PAGE];
  size_t n = whole.data.n / PAGE;
  (void)state;
  for (size_t page = 0; page < n; page++) {
    memcpy(was, whole.data.p + page * PAGE, PAGE);
    memset(whole.data.p + page * PAGE, 0, PAGE);
    (void)open_damaged(&whole, &t);
    memcpy(whole.data.p + page * PAGE, whole.data.p + (page * 7 + 3) % n * PAGE, PAGE);
    (void)open_damaged(&whole, &t);
    memcpy(whole.data.p + page * PAGE, was, PAGE);
  }
  assert_true(t.of[3] > 0);
}

static void test_a_file_cut_anywhere_opens(void **state)
{
  struct tally t = { 0 };
  (void)state;
  size_t n = whole.data.n;
  for (size_t at = 0; at < n; at += at < 2 * PAGE ? 509 : PAGE + 1021) {
    struct left x = { { whole.data.p, at }, whole.ckpt };
    (void)open_damaged(&x, &t);
  }
  assert_true(t.of[0] > 0);
  struct left grown = { { calloc(1, n + 3 * PAGE + 5), n + 3 * PAGE + 5 }, whole.ckpt };
  memcpy(grown.data.p, whole.data.p, n);
  assert_int_equal(open_damaged(&grown, &t), 3); /* more is harmless */
  free(grown.data.p);
}

static void test_a_broken_checkpoint_costs_nothing_in_the_same_boot(void **state)
{
  struct tally t = { 0 };
  (void)state;
  for (size_t i = 0; i < whole.ckpt.n; i += i % 4096 < 400 ? 3 : 397) {
    whole.ckpt.p[i] ^= 0x10;
    assert_int_equal(open_damaged(&whole, &t), 3);
    whole.ckpt.p[i] ^= 0x10;
  }
  struct left x = { whole.data, { whole.ckpt.p, 0 } };
  assert_int_equal(open_damaged(&x, &t), 3);
}

static void test_garbage_is_set_aside(void **state)
{
  struct tally t = { 0 };
  struct ocf_rng rng;
  (void)state;
  ocf_rng_seed(&rng, 2);
  for (size_t i = 0; i < whole.data.n; i++)
    whole.data.p[i] = (uint8_t)ocf_rng_u64(&rng);
  assert_int_equal(open_damaged(&whole, &t), 0);
  struct left nothing = { { whole.data.p, 0 }, { whole.ckpt.p, 0 } };
  assert_int_equal(open_damaged(&nothing, &t), 0);
}

static size_t count_aside(void)
{
  size_t n = 0;
  DIR *d = opendir(fx.dir);
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d)) != NULL;)
    n += strncmp(e->d_name, "registry.corrupt-", 17) == 0 ? 1 : 0;
  (void)closedir(d);
  return n;
}

static void test_the_last_two_damaged_stores_are_kept_and_named(void **state)
{
  struct ocf_lmdb_report rep;
  char first[200] = "";
  (void)state;
  memset(whole.data.p, 0xff, whole.data.n);
  memset(whole.ckpt.p, 0, whole.ckpt.n);
  for (size_t i = 1; i <= 4; i++) {
    img_save(&fx, &whole);
    assert_int_equal(img_open(&fx, IMAGE_BOOT, &rep), 0);
    assert_int_equal(count_aside(), OCF_MIN(i, OCF_LMDB_ASIDE_MAX));
    assert_non_null(strstr(rep.note.msg, "registry.corrupt-"));
    assert_true(rep.note.cure[0] != '\0');
    if (i == 1)
      (void)snprintf(first, sizeof(first), "%s", strstr(rep.note.msg, fx.dir));
  }
  assert_true(strncmp(first, fx.store, strlen(fx.store)) == 0);
}

/* ---- power cuts ---- */

/* What the disk has: each page as of the checkpoint, or as of later. */
static struct left some_written(const struct left *then, const struct left *later,
                                struct ocf_rng *rng, uint64_t permille)
{
  struct left x = { { calloc(1, later->data.n), later->data.n }, { NULL, 0 } };
  assert_non_null(x.data.p);
  memcpy(x.data.p, then->data.p, then->data.n);
  for (size_t at = 0; at < later->data.n; at += PAGE) {
    if (ocf_rng_below(rng, 1000) < permille)
      memcpy(x.data.p + at, later->data.p + at, OCF_MIN((size_t)PAGE, later->data.n - at));
  }
  return x;
}

/* Method: images at the checkpoint of version 1 and some commits later; any pages of the later one
 * may have reached the disk, the meta pages too. */
static void test_after_a_power_cut_the_checkpoint_stands(void **state)
{
  struct ocf_rng rng;
  (void)state;
  ocf_rng_seed(&rng, 3);
  fx_remove(fx.store);
  struct ocf_lmdb *db = fx_open_as(&fx, IMAGE_BOOT, NULL);
  fx_write(db, 0, IMAGE_ROWS, 7);
  fx_write(db, 0, IMAGE_ROWS, 8);
  fx_write(db, 0, IMAGE_ROWS, 1);
  assert_int_equal(ocf_lmdb_sync_now(db, NULL), 0);
  struct left then = img_load(&fx);
  for (uint32_t v = 20; v < 26; v++)
    fx_write(db, 0, IMAGE_ROWS, v);
  struct left later = img_load(&fx);
  fx_close(db);
  for (size_t i = 0; i < CUTS; i++) {
    struct ocf_lmdb_report rep;
    struct left x = some_written(&then, &later, &rng, i * 1000 / (CUTS - 1));
    x.ckpt = then.ckpt;
    img_save(&fx, &x);
    assert_int_equal(img_open(&fx, "boot two", &rep), 1);
    assert_false(rep.set_aside);
    free(x.data.p);
  }
  img_free(&then);
  img_free(&later);
}

/* Method: as above, with the next checkpoint's record on the disk in part. */
static void test_a_torn_checkpoint_leaves_the_one_before(void **state)
{
  struct ocf_rng rng;
  (void)state;
  ocf_rng_seed(&rng, 4);
  fx_remove(fx.store);
  struct ocf_lmdb *db = fx_open_as(&fx, IMAGE_BOOT, NULL);
  fx_write(db, 0, IMAGE_ROWS, 1);
  assert_int_equal(ocf_lmdb_sync_now(db, NULL), 0);
  struct left then = img_load(&fx);
  fx_write(db, 0, IMAGE_ROWS, 2);
  assert_int_equal(ocf_lmdb_sync_now(db, NULL), 0);
  struct left later = img_load(&fx);
  fx_close(db);
  assert_int_equal(then.ckpt.n, later.ckpt.n);
  for (size_t torn = 0; torn <= 2 * PAGE; torn += torn % PAGE < 320 ? 16 : 512) {
    struct ocf_lmdb_report rep;
    struct left x = some_written(&then, &later, &rng, 1000); /* awaited before the record */
    x.ckpt = (struct image){ malloc(then.ckpt.n), then.ckpt.n };
    memcpy(x.ckpt.p, then.ckpt.p, then.ckpt.n);
    memcpy(x.ckpt.p, later.ckpt.p, OCF_MIN(torn, then.ckpt.n));
    img_save(&fx, &x);
    uint32_t v = img_open(&fx, "boot two", &rep);
    assert_true(v == 1 || v == 2);
    assert_true(torn > 0 || v == 1);
    assert_true(torn < 2 * PAGE || v == 2);
    img_free(&x);
  }
  img_free(&then);
  img_free(&later);
}

/* Method: the first opening after the restart is killed before its first checkpoint. */
static void test_commits_after_a_restart_survive_a_kill(void **state)
{
  struct ocf_lmdb_report rep;
  (void)state;
  img_save(&fx, &whole);
  struct ocf_lmdb *db = fx_open_as(&fx, "boot two", &rep);
  assert_true(rep.went_back);
  assert_int_equal(rep.note.code, OCF_EIO);
  assert_true(fx_holds(db, IMAGE_ROWS, 1));
  fx_write(db, 0, IMAGE_ROWS, 2);
  struct left x = img_load(&fx);
  fx_close(db);
  img_save(&fx, &x);
  assert_int_equal(img_open(&fx, "boot two", &rep), 2);
  assert_false(rep.went_back);
  img_free(&x);
}

static void test_where_boots_have_no_id_only_the_checkpoint_counts(void **state)
{
  struct ocf_lmdb_report rep;
  (void)state;
  img_save(&fx, &whole);
  assert_int_equal(img_open(&fx, "", &rep), 1);
  assert_true(rep.went_back);
}

/* ---- while it runs ---- */

static void test_a_row_that_rots_while_in_use_is_an_error_and_later_repaired(void **state)
{
  struct ocf_lmdb_report rep;
  uint8_t key[32], val[6000];
  struct ocf_bytes got;
  uint64_t n;
  (void)state;
  img_save(&fx, &whole);
  struct ocf_lmdb *db = fx_open_as(&fx, IMAGE_BOOT, &rep);
  struct ocf_kv *kv = ocf_lmdb_kv(db);
  assert_int_equal(ocf_kv_get(kv, fx_key(10, key), &got), 0);
  struct ocf_bytes want = fx_value(10, 3, val);
  char name[200];
  (void)snprintf(name, sizeof(name), "%s/data.mdb", fx.store);
  int fd = open(name, O_RDWR);
  assert_true(fd >= 0);
  for (size_t at = 0; at + want.n < whole.data.n; at++) { /* where LMDB has the row of version 3 */
    if (memcmp(whole.data.p + at, want.p, want.n) == 0)
      assert_int_equal(pwrite(fd, "\xfe\xfe", 2, (off_t)at + 20), 2);
  }
  (void)close(fd);
  assert_int_equal(ocf_kv_get(kv, fx_key(10, key), &got), OCF_EIO);
  assert_int_equal(ocf_kv_put(kv, fx_key(1, key), want), OCF_EIO); /* it has failed */
  assert_int_equal(ocf_kv_commit(kv), OCF_EIO);
  ocf_kv_abort(kv);
  assert_int_equal(ocf_kv_get(kv, fx_key(1, key), &got), OCF_EIO);
  assert_false(fx_walks(db, &n));
  assert_int_equal(ocf_lmdb_close(db, NULL), OCF_EIO);
  uint32_t v = img_open(&fx, IMAGE_BOOT, &rep);
  assert_true(v < 3);
  assert_true(rep.went_back || rep.set_aside);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
  T(test_a_whole_image_opens_as_its_newest_version),
  T(test_a_flipped_bit_in_any_page_is_seen_or_harmless),
  T(test_every_bit_of_the_meta_pages_may_flip),
  T(test_lost_and_misplaced_pages_are_seen_or_harmless),
  T(test_a_file_cut_anywhere_opens),
  T(test_a_broken_checkpoint_costs_nothing_in_the_same_boot),
  T(test_garbage_is_set_aside),
  T(test_the_last_two_damaged_stores_are_kept_and_named),
  T(test_after_a_power_cut_the_checkpoint_stands),
  T(test_a_torn_checkpoint_leaves_the_one_before),
  T(test_commits_after_a_restart_survive_a_kill),
  T(test_where_boots_have_no_id_only_the_checkpoint_counts),
  T(test_a_row_that_rots_while_in_use_is_an_error_and_later_repaired),
};

OCF_TEST_MAIN(tests)
