/* Goal: what a delete leaves, and what it names. Method: blocks made by hand, many keys, so that
 * their elements lie in the store in any order. */
#include "crdt/merkle/merkle_harness.h"

enum { KEYS = 8 };

static void take(struct h_node *h, struct h_world *w, const struct h_block *b)
{
  h_say1(h, b, "p");
  h_sync(h, w, 0);
}

static void test_of_what_a_delete_leaves_the_greatest_value_takes_over(void **state)
{
  struct h_world w;
  struct h_node h;
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  for (int i = 0; i < KEYS; i++) {
    const char key[] = { '/', (char)('a' + i), '\0' };
    const struct h_block *b[3];
    for (int k = 0; k < 3; k++) {
      const char value[] = { (char)('x' + k), '\0' };
      b[k] = h_block(&w, NULL, key, value, 1);
      take(&h, &w, b[k]);
    }
    h_expect(&h, key, "z");
    take(&h, &w, h_make_block(&w, &b[2], 1, key, NULL, b[2], 2));
    h_expect(&h, key, "y");
    take(&h, &w, h_make_block(&w, &b[1], 1, key, NULL, b[1], 2));
    h_expect(&h, key, "x");
    take(&h, &w, h_make_block(&w, &b[0], 1, key, NULL, b[0], 2));
    h_expect(&h, key, NULL);
  }
  h_check_rows(&h);
  h_check_counts(&h);
  h_free(&h);
  h_world_fini(&w);
}

/* A block that deletes the element `id` of "/k". */
static struct h_block *delete_named(struct h_world *w, const char *id)
{
  struct ocf_alloc a;
  struct ocf_buf delta, block;
  struct ocf_merkle_element e = { OCF_STR("/k"), ocf_bytes(id, strlen(id)), { NULL, 0 } };
  ocf_alloc_init(&a);
  ocf_buf_init(&delta, &a, 4096);
  ocf_buf_init(&block, &a, 4096);
  assert_int_equal(ocf_merkle_delta_add(&delta, OCF_MERKLE_TOMBSTONES, &e), 0);
  assert_int_equal(ocf_merkle_delta_end(&delta, 2), 0);
  assert_int_equal(ocf_dagpb_encode(NULL, 0, ocf_buf_view(&delta), &block), 0);
  struct h_block *b = h_add_block(w, ocf_buf_view(&block));
  ocf_buf_fini(&delta);
  ocf_buf_fini(&block);
  return b;
}

/* Names are compared as text in Go, where they are written in capitals. */
static void test_a_block_is_named_in_capitals_only(void **state)
{
  struct h_world w;
  struct h_node h;
  char name[65] = { 0 }, small[65] = { 0 };
  (void)state;
  h_world(&w);
  h_new(&h, 1);
  const struct h_block *b = h_block(&w, NULL, "/k", "v", 1);
  take(&h, &w, b);
  ocf_merkle_tomb_id(b->id, name);
  for (size_t i = 0; name[i] != '\0'; i++)
    small[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 'a' - 'A') : name[i];
  take(&h, &w, delete_named(&w, small));
  h_expect(&h, "/k", "v");
  take(&h, &w, delete_named(&w, name));
  h_expect(&h, "/k", NULL);
  h_check_counts(&h);
  h_free(&h);
  h_world_fini(&w);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_of_what_a_delete_leaves_the_greatest_value_takes_over),
    cmocka_unit_test(test_a_block_is_named_in_capitals_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
