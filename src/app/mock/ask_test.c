/* Request bodies. Goal: what the API accepts is read, and what it refuses is refused with its
 * status, code and parameter. Method: tables of bodies; every allocation of the JSON parser failed
 * in turn. */
#include "testing/test.h"

#include <jansson.h>

#include "app/mock/ask.h"
#include "app/mock/text.h"
#include "base/str/str.h"

static const char *const models[] = { "tiny-mock", "org/other" };

static int parse(enum ocf_mock_kind kind, const char *body, struct ocf_mock_ask *ask,
                 struct ocf_mock_refusal *why)
{
  return ocf_mock_ask_parse(kind, ocf_str(body), models, 2, ask, why);
}

static void test_a_chat_request_is_read(void **state)
{
  struct ocf_mock_ask a;
  struct ocf_mock_refusal why;
  (void)state;
  assert_int_equal(
      parse(OCF_MOCK_CHAT,
            "{\"model\":\"org/other\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
            "\"max_completion_tokens\":7,\"temperature\":0.5,\"unknown\":[1],\"user\":null,"
            "\"messages\":[{\"role\":\"system\",\"content\":\"be kind\"},"
            "{\"role\":\"user\",\"content\":\"first\"},{\"role\":\"assistant\",\"content\":null},"
            "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"line\\none\"},"
            "{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]}]}",
            &a, &why),
      0);
  assert_int_equal(a.model, 1);
  assert_true(a.stream && a.include_usage);
  assert_int_equal(a.max_tokens, 7);
  assert_int_equal(a.prompt_tokens, 4 * 4 + 2 + 1 + 2);
  assert_string_equal(a.prompt, "line one");
  ocf_mock_ask_fini(&a);
}

static void test_prompts_are_texts_lists_or_token_ids(void **state)
{
  static const struct {
    const char *prompt;
    size_t n;
    uint64_t tokens;
  } rows[] = { { "\"a b\"", 1, 2 },
               { "[\"a\",\"b c\"]", 2, 3 },
               { "[1,2,3]", 1, 3 },
               { "[[1,2],[3]]", 2, 3 },
               { "[\"a\",[1]]", 2, 2 } };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(rows); i++) {
    struct ocf_mock_ask a;
    struct ocf_mock_refusal why;
    char body[128];
    (void)snprintf(body, sizeof(body), "{\"model\":\"tiny-mock\",\"prompt\":%s}", rows[i].prompt);
    assert_int_equal(parse(OCF_MOCK_COMPLETION, body, &a, &why), 0);
    assert_int_equal(a.n_inputs, rows[i].n);
    assert_int_equal(a.prompt_tokens, rows[i].tokens);
    assert_false(a.stream);
    ocf_mock_ask_fini(&a);
  }
}

static void test_equal_inputs_have_equal_hashes(void **state)
{
  struct ocf_mock_ask a;
  struct ocf_mock_refusal why;
  (void)state;
  assert_int_equal(parse(OCF_MOCK_EMBEDDING,
                         "{\"model\":\"tiny-mock\",\"input\":[\"a\",\"b\",\"a\"],\"dimensions\":8,"
                         "\"encoding_format\":\"base64\"}",
                         &a, &why),
                   0);
  assert_int_equal(a.n_inputs, 3);
  assert_true(a.inputs[0] == a.inputs[2] && a.inputs[0] != a.inputs[1]);
  assert_true(a.inputs[0] == ocf_mock_fnv1a(OCF_MOCK_FNV_BASIS, "a", 1));
  assert_int_equal(a.dims, 8);
  assert_true(a.base64);
  ocf_mock_ask_fini(&a);
}

#define M "\"model\":\"tiny-mock\","
#define MSG "\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
static const struct {
  enum ocf_mock_kind kind;
  const char *body;
  unsigned status;
  const char *code, *param;
} refused[] = {
  { OCF_MOCK_CHAT, "", 400, "invalid_json", "" },
  { OCF_MOCK_CHAT, "{", 400, "invalid_json", "" },
  { OCF_MOCK_CHAT, "[]", 400, "invalid_type", "" },
  { OCF_MOCK_CHAT, "{\"model\":\"tiny-mock\",\"model\":\"tiny-mock\"," MSG "}", 400, "invalid_json",
    "" },
  { OCF_MOCK_CHAT, "{" MSG "}", 400, "missing_required_parameter", "model" },
  { OCF_MOCK_CHAT, "{\"model\":1," MSG "}", 400, "invalid_type", "model" },
  { OCF_MOCK_CHAT, "{\"model\":\"gpt\"," MSG "}", 404, "model_not_found", "" },
  { OCF_MOCK_CHAT, "{\"model\":\"tiny-mock\"}", 400, "missing_required_parameter", "messages" },
  { OCF_MOCK_CHAT, "{" M "\"messages\":{}}", 400, "invalid_type", "messages" },
  { OCF_MOCK_CHAT, "{" M "\"messages\":[]}", 400, "empty_array", "messages" },
  { OCF_MOCK_CHAT, "{" M "\"messages\":[1]}", 400, "invalid_type", "messages" },
  { OCF_MOCK_CHAT, "{" M "\"messages\":[{\"content\":\"x\"}]}", 400, "invalid_value", "messages" },
  { OCF_MOCK_CHAT, "{" M "\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]}", 400,
    "invalid_value", "messages" },
  { OCF_MOCK_CHAT, "{" M "\"messages\":[{\"role\":\"user\"}]}", 400, "invalid_type", "messages" },
  { OCF_MOCK_CHAT, "{" M "\"messages\":[{\"role\":\"user\",\"content\":[]}]}", 400, "invalid_value",
    "messages" },
  { OCF_MOCK_CHAT, "{" M "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
    400, "missing_required_parameter", "messages" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"stream\":\"yes\"}", 400, "invalid_type", "stream" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"stream_options\":{}}", 400, "invalid_value", "stream_options" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"stream\":true,\"stream_options\":3}", 400, "invalid_type",
    "stream_options" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"max_tokens\":0}", 400, "integer_out_of_range", "max_tokens" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"max_tokens\":-1}", 400, "integer_out_of_range", "max_tokens" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"max_tokens\":1.5}", 400, "invalid_type", "max_tokens" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"n\":2}", 400, "integer_out_of_range", "n" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"temperature\":2.1}", 400, "decimal_out_of_range", "temperature" },
  { OCF_MOCK_CHAT, "{" M MSG ",\"top_p\":\"1\"}", 400, "invalid_type", "top_p" },
  { OCF_MOCK_COMPLETION, "{\"model\":\"tiny-mock\"}", 400, "missing_required_parameter", "prompt" },
  { OCF_MOCK_COMPLETION, "{" M "\"prompt\":[]}", 400, "invalid_value", "prompt" },
  { OCF_MOCK_COMPLETION, "{" M "\"prompt\":[{}]}", 400, "invalid_type", "prompt" },
  { OCF_MOCK_EMBEDDING, "{" M "\"input\":\"\"}", 400, "invalid_value", "input" },
  { OCF_MOCK_EMBEDDING, "{" M "\"input\":\"x\",\"dimensions\":4097}", 400, "integer_out_of_range",
    "dimensions" },
  { OCF_MOCK_EMBEDDING, "{" M "\"input\":\"x\",\"encoding_format\":\"int8\"}", 400, "invalid_value",
    "encoding_format" },
  { OCF_MOCK_EMBEDDING, "{" M "\"input\":\"x\\u0000y\"}", 400, "invalid_json", "" },
};

static void test_what_the_api_refuses_is_refused(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(refused); i++) {
    struct ocf_mock_ask a;
    struct ocf_mock_refusal why;
    print_message("%s\n", refused[i].body);
    assert_int_equal(parse(refused[i].kind, refused[i].body, &a, &why), OCF_EINVAL);
    assert_int_equal(why.status, refused[i].status);
    assert_string_equal(why.code, refused[i].code);
    assert_string_equal(why.param, refused[i].param);
    assert_string_equal(why.type, "invalid_request_error");
    assert_true(why.message[0] != '\0');
  }
}

static void test_deep_nesting_is_refused_before_it_is_parsed(void **state)
{
  static char body[200000];
  struct ocf_mock_ask a;
  struct ocf_mock_refusal why;
  (void)state;
  memset(body, '[', sizeof(body) - 1);
  assert_int_equal(parse(OCF_MOCK_CHAT, body, &a, &why), OCF_EINVAL);
  assert_non_null(strstr(why.message, "deep"));
  (void)snprintf(body, sizeof(body),
                 "{" M "\"messages\":[{\"role\":\"user\",\"content\":\"%0*d\"}]}", 100, 0);
  for (char *p = body; (p = strchr(p, '0')) != NULL;)
    *p = '['; /* brackets in a text are not nesting */
  assert_int_equal(parse(OCF_MOCK_CHAT, body, &a, &why), 0);
  ocf_mock_ask_fini(&a);
}

static void test_a_long_prompt_is_cut_between_characters(void **state)
{
  char body[1024] = "{" M "\"messages\":[{\"role\":\"user\",\"content\":\"";
  struct ocf_mock_ask a;
  struct ocf_mock_refusal why;
  (void)state;
  for (int i = 0; i < 50; i++)
    strcat(body, "\xe2\x82\xac.."); /* 5 bytes a time: 120 is in the middle of none */
  strcat(body, "\"}]}");
  assert_int_equal(parse(OCF_MOCK_CHAT, body, &a, &why), 0);
  assert_int_equal(strlen(a.prompt), 120);
  ocf_mock_ask_fini(&a);
  char *p = strstr(body, "\xe2");
  memmove(p + 3, p, strlen(p) + 1);
  memcpy(p, "xxx", 3); /* now the 119th byte is the first of a character's three */
  assert_int_equal(parse(OCF_MOCK_CHAT, body, &a, &why), 0);
  assert_int_equal(strlen(a.prompt), 118);
  ocf_mock_ask_fini(&a);
}

/* ---- out of memory ---- */

static long budget, n_live;

static void *count_malloc(size_t n)
{
  if (budget-- <= 0)
    return NULL;
  n_live++;
  return malloc(n);
}

static void count_free(void *p)
{
  n_live -= p != NULL;
  free(p);
}

static void test_every_failed_allocation_is_an_error_and_leaks_nothing(void **state)
{
  static const char body[] = "{" M MSG ",\"stream\":true,\"temperature\":0.5,\"max_tokens\":3}";
  int r = OCF_ENOMEM;
  long at = 0;
  (void)state;
  json_set_alloc_funcs(count_malloc, count_free);
  for (; r != 0 && at < 1000; at++) {
    struct ocf_mock_ask a;
    struct ocf_mock_refusal why;
    budget = at;
    r = parse(OCF_MOCK_CHAT, body, &a, &why);
    /* jansson takes some failures of its tokenizer for bad JSON, and cannot be asked which. */
    assert_true(r == 0 || r == OCF_ENOMEM ||
                (r == OCF_EINVAL && strcmp(why.code, "invalid_json") == 0));
    if (r == 0)
      ocf_mock_ask_fini(&a);
    assert_int_equal(n_live, 0);
  }
  json_set_alloc_funcs(malloc, free);
  assert_true(at > 10 && at < 1000);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_a_chat_request_is_read),
  cmocka_unit_test(test_prompts_are_texts_lists_or_token_ids),
  cmocka_unit_test(test_equal_inputs_have_equal_hashes),
  cmocka_unit_test(test_what_the_api_refuses_is_refused),
  cmocka_unit_test(test_deep_nesting_is_refused_before_it_is_parsed),
  cmocka_unit_test(test_a_long_prompt_is_cut_between_characters),
  cmocka_unit_test(test_every_failed_allocation_is_an_error_and_leaks_nothing),
};
OCF_TEST_MAIN(tests)
