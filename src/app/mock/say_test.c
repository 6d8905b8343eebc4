/* The mock's answers. Goal: each event and each whole answer is JSON of the API's shape, with the
 * text and numbers that went in. Method: read back with jansson. */
#include "testing/test.h"

#include <jansson.h>

#include "app/mock/say.h"
#include "app/mock/text.h"
#include "base/str/str.h"
#include "fmt/basex/basex.h"
#include "testing/oom.h"

static const uint8_t rnd[29] = { 0, 61, 62, 255 };

static json_t *event(struct ocf_buf *b)
{
  assert_true(b->n > 8 && memcmp(b->p, "data: ", 6) == 0);
  assert_memory_equal(b->p + b->n - 2, "\n\n", 2);
  json_t *o = json_loadb((const char *)b->p + 6, b->n - 8, 0, NULL);
  assert_non_null(o);
  ocf_buf_clear(b);
  return o;
}

static const char *str(const json_t *o, const char *key)
{
  return json_string_value(json_object_get(o, key));
}

static void test_stream_events_have_the_shape_of_the_api(void **state)
{
  struct ocf_alloc al;
  struct ocf_buf b;
  const struct ocf_mock_answer a = { OCF_MOCK_CHAT, "chatcmpl-1", "m", 5, true };
  (void)state;
  ocf_alloc_init(&al);
  ocf_buf_init(&b, &al, 4096);
  assert_int_equal(ocf_mock_say_role(&b, &a), 0);
  json_t *o = event(&b), *c = json_array_get(json_object_get(o, "choices"), 0);
  assert_string_equal(str(o, "object"), "chat.completion.chunk");
  assert_string_equal(str(json_object_get(c, "delta"), "role"), "assistant");
  assert_true(json_is_null(json_object_get(o, "usage")));
  json_decref(o);
  assert_int_equal(ocf_mock_say_token(&b, &a, ocf_str(" \"q\"\n")), 0);
  o = event(&b);
  c = json_array_get(json_object_get(o, "choices"), 0);
  assert_string_equal(str(json_object_get(c, "delta"), "content"), " \"q\"\n");
  assert_true(json_is_null(json_object_get(c, "finish_reason")));
  json_decref(o);
  assert_int_equal(ocf_mock_say_finish(&b, &a, "stop"), 0);
  o = event(&b);
  c = json_array_get(json_object_get(o, "choices"), 0);
  assert_string_equal(str(c, "finish_reason"), "stop");
  assert_int_equal(json_object_size(json_object_get(c, "delta")), 0);
  json_decref(o);
  assert_int_equal(ocf_mock_say_stream_usage(&b, &a, &(struct ocf_mock_usage){ 3, 4 }), 0);
  o = event(&b);
  assert_int_equal(json_array_size(json_object_get(o, "choices")), 0);
  assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "usage"), "total_tokens")),
                   7);
  json_decref(o);
  assert_int_equal(ocf_mock_say_done(&b), 0);
  assert_true(ocf_str_is(ocf_buf_view(&b), "data: [DONE]\n\n"));
  ocf_buf_fini(&b);
}

static void test_text_completions_have_theirs(void **state)
{
  struct ocf_alloc al;
  struct ocf_buf b;
  const struct ocf_mock_answer a = { OCF_MOCK_COMPLETION, "cmpl-1", "m", 5, false };
  (void)state;
  ocf_alloc_init(&al);
  ocf_buf_init(&b, &al, 4096);
  assert_int_equal(ocf_mock_say_role(&b, &a), 0);
  assert_int_equal(b.n, 0); /* text completions have no roles */
  assert_int_equal(ocf_mock_say_token(&b, &a, ocf_str("x")), 0);
  json_t *o = event(&b);
  assert_string_equal(str(o, "object"), "text_completion");
  assert_string_equal(str(json_array_get(json_object_get(o, "choices"), 0), "text"), "x");
  assert_null(json_object_get(o, "usage"));
  json_decref(o);
  assert_int_equal(
      ocf_mock_say_whole(&b, &a, ocf_str("xy"), "length", &(struct ocf_mock_usage){ 1, 2 }), 0);
  o = json_loadb((const char *)b.p, b.n, 0, NULL);
  assert_string_equal(str(json_array_get(json_object_get(o, "choices"), 0), "text"), "xy");
  assert_string_equal(str(json_array_get(json_object_get(o, "choices"), 0), "finish_reason"),
                      "length");
  json_decref(o);
  ocf_buf_fini(&b);
}

static void test_both_forms_of_an_embedding_are_the_same_floats(void **state)
{
  struct ocf_alloc al;
  struct ocf_buf b;
  uint64_t h = 7;
  struct ocf_mock_ask ask = { .n_inputs = 1, .dims = 100, .inputs = &h };
  float want[100], got[100];
  size_t n;
  (void)state;
  ocf_mock_vector(h, want, 100);
  ocf_alloc_init(&al);
  ocf_buf_init(&b, &al, 65536);
  assert_int_equal(ocf_mock_say_embeddings(&b, "m", &ask), 0);
  json_t *o = json_loadb((const char *)b.p, b.n, 0, NULL);
  json_t *e = json_object_get(json_array_get(json_object_get(o, "data"), 0), "embedding");
  assert_int_equal(json_array_size(e), 100);
  for (size_t i = 0; i < 100; i++)
    got[i] = (float)json_real_value(json_array_get(e, i));
  assert_memory_equal(got, want, sizeof(want));
  json_decref(o);
  ask.base64 = true;
  ocf_buf_clear(&b);
  assert_int_equal(ocf_mock_say_embeddings(&b, "m", &ask), 0);
  o = json_loadb((const char *)b.p, b.n, 0, NULL);
  e = json_object_get(json_array_get(json_object_get(o, "data"), 0), "embedding");
  assert_int_equal(ocf_basex_decode(OCF_BASEX_64_PAD, ocf_str(json_string_value(e)), (uint8_t *)got,
                                    sizeof(got), &n),
                   0);
  assert_int_equal(n, sizeof(got));
  assert_memory_equal(got, want, sizeof(want)); /* on a little-endian machine */
  json_decref(o);
  ocf_buf_fini(&b);
}

static void test_ids_are_letters_and_digits(void **state)
{
  char id[OCF_MOCK_ID_SIZE];
  (void)state;
  ocf_mock_say_id(OCF_MOCK_CHAT, rnd, id);
  assert_int_equal(strlen(id), 9 + 29);
  assert_memory_equal(id, "chatcmpl-A9AH", 13);
  ocf_mock_say_id(OCF_MOCK_COMPLETION, rnd, id);
  assert_memory_equal(id, "cmpl-A9AH", 9);
}

/* Appends everything there is; a failure must leave no half event. */
static int say_all(struct ocf_alloc *al, void *ctx)
{
  const struct ocf_mock_answer a = { OCF_MOCK_CHAT, "i", "m", 5, true };
  struct ocf_buf b;
  size_t before;
  (void)ctx;
  ocf_buf_init(&b, al, 1 << 20);
  int r = 0;
  for (int i = 0; r == 0 && i < 50; i++) {
    before = b.n;
    r = i % 2 == 0 ? ocf_mock_say_token(&b, &a, ocf_str("word"))
                   : ocf_mock_say_stream_usage(&b, &a, &(struct ocf_mock_usage){ 1, 2 });
    assert_true(r == 0 ? b.n > before : b.n == before);
  }
  ocf_buf_fini(&b);
  return r;
}

static void test_a_full_buffer_or_no_memory_leaves_no_half_event(void **state)
{
  struct ocf_alloc al;
  const struct ocf_mock_answer a = { OCF_MOCK_CHAT, "i", "m", 5, true };
  (void)state;
  assert_true(ocf_oom_sweep(say_all, NULL) > 1);
  for (size_t max = 1; max < 300; max++) {
    struct ocf_buf b;
    ocf_alloc_init(&al);
    ocf_buf_init(&b, &al, max);
    int r = ocf_mock_say_token(&b, &a, ocf_str("word"));
    assert_true(r == 0 || (r == OCF_ELIMIT && b.n == 0));
    ocf_buf_fini(&b);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_stream_events_have_the_shape_of_the_api),
  cmocka_unit_test(test_text_completions_have_theirs),
  cmocka_unit_test(test_both_forms_of_an_embedding_are_the_same_floats),
  cmocka_unit_test(test_ids_are_letters_and_digits),
  cmocka_unit_test(test_a_full_buffer_or_no_memory_leaves_no_half_event),
};
OCF_TEST_MAIN(tests)
