/* Goal: each promise of the check is kept by itself: order, ranges, free pages, flags, counts. What
 * random damage never reaches, since a checksum or a bound fails first, is made by hand here.
 * Method: a whole store, one field of one page changed, the reason compared. */
#define _GNU_SOURCE
#include "store/lmdb/check.h"
#include "store/lmdb/lmdb_image.h"
#include "testing/test.h"

enum { PAGE = 4096, HEAD = sizeof(struct ocf_lmdb_page) };

static struct fixture fx;
static struct left whole;
static struct ocf_lmdb_meta meta; /* the newest */
static char file[128];

static uint8_t *page_at(size_t number)
{
  assert_true((number + 1) * PAGE <= whole.data.n);
  return whole.data.p + number * PAGE;
}

static int group_setup(void **state)
{
  (void)state;
  fx_begin(&fx);
  whole = img_make(&fx);
  (void)snprintf(file, sizeof(file), "%s/checked", fx.dir);
  for (size_t slot = 0; slot < 2; slot++) {
    struct ocf_lmdb_meta_page p;
    memcpy(&p, page_at(slot), sizeof(p));
    meta = p.meta.txn >= meta.txn ? p.meta : meta;
  }
  return 0;
}

static int group_teardown(void **state)
{
  (void)state;
  img_free(&whole);
  fx_end(&fx);
  return 0;
}

static int check_now(const struct ocf_lmdb_meta *m, struct ocf_lmdb_found *found)
{
  int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, whole.data.p, whole.data.n), whole.data.n);
  int r = ocf_lmdb_check(fd, m, &fx.alloc, found);
  (void)close(fd);
  assert_int_equal(fx.alloc.live_blocks, 0);
  return r;
}

static void expect(const struct ocf_lmdb_meta *m, const char *why)
{
  struct ocf_lmdb_found found;
  int r = check_now(m, &found);
  assert_int_equal(r, why == NULL ? 0 : OCF_EINVAL);
  if (why != NULL && strstr(found.why, why) == NULL)
    fail_msg("\"%s\", wanted \"%s\"", found.why, why);
}

/* With `n` bytes at `p` of the image changed, and then put back. */
static void expect_with(void *p, const void *bytes, size_t n, const char *why)
{
  uint8_t was[512];
  assert_true(n <= sizeof(was));
  memcpy(was, p, n);
  memcpy(p, bytes, n);
  expect(&meta, why);
  memcpy(p, was, n);
}

static uint16_t offset_of(const uint8_t *page, size_t i)
{
  uint16_t at;
  memcpy(&at, page + HEAD + 2 * i, 2);
  return at;
}

static struct ocf_lmdb_node node_of(const uint8_t *page, size_t i)
{
  struct ocf_lmdb_node n;
  memcpy(&n, page + offset_of(page, i), sizeof(n));
  return n;
}

static const uint8_t *value_of(const uint8_t *page, size_t i)
{
  return page + offset_of(page, i) + sizeof(struct ocf_lmdb_node) + node_of(page, i).key_len;
}

static uint8_t *rows_root(void)
{
  struct ocf_lmdb_tree rows;
  memcpy(&rows, value_of(page_at(meta.main.root), 0), sizeof(rows));
  assert_int_equal(rows.depth, 2); /* a branch over leaves */
  return page_at(rows.root);
}

static uint8_t *child(const uint8_t *branch, size_t i)
{
  struct ocf_lmdb_node n = node_of(branch, i);
  return page_at((size_t)n.low[0] | (size_t)n.low[1] << 16);
}

/* Swaps the offsets of two nodes of a page. */
static void expect_swapped(uint8_t *page, size_t i, const char *why)
{
  uint16_t two[2] = { offset_of(page, i + 1), offset_of(page, i) };
  expect_with(page + HEAD + 2 * i, two, sizeof(two), why);
}

static void test_a_whole_store_is_whole(void **state)
{
  struct ocf_lmdb_found found;
  (void)state;
  assert_int_equal(check_now(&meta, &found), 0);
  assert_int_equal(found.rows, IMAGE_ROWS);
  assert_true(found.free_pages > 0);
  assert_int_equal(found.used_pages + found.free_pages, meta.last_page + 1); /* none is lost */
}

static void test_keys_out_of_order_are_seen(void **state)
{
  (void)state;
  expect_swapped(child(rows_root(), 1), 2, "keys are out of order");
  expect_swapped(rows_root(), 1, "order");
  expect_swapped(page_at(meta.free.root), 0, "keys are out of order");
}

static void test_a_leaf_in_anothers_place_is_seen(void **state)
{
  (void)state;
  uint8_t *root = rows_root();
  uint8_t *a = root + offset_of(root, 1), *b = root + offset_of(root, 2);
  uint16_t was[2], other[2];
  memcpy(was, a, sizeof(was));
  memcpy(other, b, sizeof(other));
  memcpy(a, other, sizeof(other));
  expect_with(b, was, sizeof(was), "keys are out of order");
  expect(&meta, "keys are out of order"); /* and twice the same leaf */
  memcpy(a, was, sizeof(was));
}

static void test_free_pages_in_use_are_seen(void **state)
{
  (void)state;
  uint8_t *page = page_at(meta.free.root);
  uint8_t *list = page + (value_of(page, 0) - page);
  size_t count, first;
  memcpy(&count, list, sizeof(count));
  memcpy(&first, list + 8, sizeof(first));
  assert_true(count >= 2);
  size_t in_use = meta.main.root, beyond = meta.last_page + 1, more = SIZE_MAX / 8, meta_page = 1;
  expect_with(list + 8, &in_use, 8, "names a page in use");
  expect_with(list + 8, &beyond, 8, "names a page in use");
  expect_with(list + 8 * count, &meta_page, 8, "names a page in use");
  expect_with(list + 16, &first, 8, "names a page in use"); /* twice */
  expect_with(list, &more, 8, "list of free pages has a wrong size");
  count--;
  expect_with(list, &count, 8, NULL); /* a page that nobody has is lost, and does no harm */
}

static void test_counts_must_be_true(void **state)
{
  (void)state;
  struct ocf_lmdb_meta m = meta;
  m.free.n_entries++;
  expect(&m, "more or fewer");
  m = meta;
  m.main.n_leaf++;
  expect(&m, "more or fewer");
  m = meta;
  m.last_page = m.main.root - 1;
  m.main.root = 2;
  expect(&m, "");
  m = meta;
  m.last_page += (size_t)1 << 30;
  expect(&m, "too short");
  m = meta;
  m.main.depth = 2;
  expect(&m, "not what it should be");
  m.main = (struct ocf_lmdb_tree){ .root = OCF_LMDB_NO_PAGE }; /* a new file has no table */
  expect(&m, NULL);
}

static void test_flags_of_rows_and_pages_must_be_known(void **state)
{
  (void)state;
  uint8_t *leaf = child(rows_root(), 0);
  struct ocf_lmdb_node n = node_of(leaf, 0);
  n.flags |= 0x04; /* LMDB's duplicates: not ours */
  expect_with(leaf + offset_of(leaf, 0), &n, sizeof(n), "flags");
  struct ocf_lmdb_page head;
  memcpy(&head, leaf, HEAD);
  head.flags |= 0x20;
  expect_with(leaf, &head, HEAD, "not what it should be");
  memcpy(&head, leaf, HEAD);
  head.number++;
  expect_with(leaf, &head, HEAD, "not what it should be");
  uint8_t *root = rows_root();
  memcpy(&head, root, HEAD);
  head.u.space.lower = HEAD + 2;
  expect_with(root, &head, HEAD, "overlap"); /* entries that the page does not show */
}

static void test_values_on_pages_of_their_own_are_followed(void **state)
{
  (void)state;
  uint8_t *root = rows_root(), *leaf = NULL;
  size_t at = 0;
  struct ocf_lmdb_page head;
  memcpy(&head, root, HEAD);
  for (size_t i = 0; leaf == NULL && i < (head.u.space.lower - (size_t)HEAD) / 2; i++) {
    uint8_t *p = child(root, i);
    struct ocf_lmdb_page h;
    memcpy(&h, p, HEAD);
    for (size_t j = 0; leaf == NULL && j < (h.u.space.lower - (size_t)HEAD) / 2; j++) {
      leaf = node_of(p, j).flags == OCF_LMDB_F_BIG ? p : NULL;
      at = j;
    }
  }
  assert_non_null(leaf);
  uint8_t *number = leaf + (value_of(leaf, at) - leaf);
  size_t run, other = meta.main.root, beyond = meta.last_page + 1;
  memcpy(&run, number, sizeof(run));
  expect_with(number, &other, 8, "value's page is not what it should be");
  expect_with(number, &beyond, 8, "value's page is out of range");
  memcpy(&head, page_at(run), HEAD);
  head.u.n_pages = 1; /* too short for its value */
  expect_with(page_at(run), &head, HEAD, "value's page is not what it should be");
  head.u.n_pages = 1 << 20;
  expect_with(page_at(run), &head, HEAD, "used twice");
  uint8_t flipped = (uint8_t)(page_at(run)[HEAD + 100] ^ 1);
  expect_with(page_at(run) + HEAD + 100, &flipped, 1, "checksum");
}

static void test_only_our_table_is_known(void **state)
{
  (void)state;
  uint8_t *main_page = page_at(meta.main.root);
  uint8_t *key = main_page + offset_of(main_page, 0) + sizeof(struct ocf_lmdb_node);
  assert_memory_equal(key, OCF_LMDB_TABLE, 4);
  expect_with(key, "kv.2", 4, "another version");
  uint8_t flags[2] = { 0x04, 0 }; /* a table with duplicates */
  expect_with(key + 4 + offsetof(struct ocf_lmdb_tree, flags), flags, 2, "root is wrong");
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_whole_store_is_whole),
  cmocka_unit_test(test_keys_out_of_order_are_seen),
  cmocka_unit_test(test_a_leaf_in_anothers_place_is_seen),
  cmocka_unit_test(test_free_pages_in_use_are_seen),
  cmocka_unit_test(test_counts_must_be_true),
  cmocka_unit_test(test_flags_of_rows_and_pages_must_be_known),
  cmocka_unit_test(test_values_on_pages_of_their_own_are_followed),
  cmocka_unit_test(test_only_our_table_is_known),
};

int main(void)
{
  return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
