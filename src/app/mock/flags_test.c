/* The flags of the small commands. Goal: every type is read in both spellings, and what cannot be
 * read is refused by name. Method: one table with a row of each type. */
#include "testing/test.h"

#include "app/mock/flags.h"

struct values {
  bool quiet, given;
  uint16_t port;
  uint64_t n, ns;
  const char *name;
  const char *models[2];
  struct ocf_flag_list list;
  struct ocf_flag rows[6];
};

static void fill(struct values *v)
{
  *v = (struct values){ .name = "none", .models = { "first" } };
  v->list = (struct ocf_flag_list){ v->models, 1, 2, false };
  const struct ocf_flag rows[6] = {
    { .type = OCF_FLAG_BOOL, .name = "quiet", .out = &v->quiet, .help = "Says less." },
    { .type = OCF_FLAG_PORT,
      .name = "port",
      .out = &v->port,
      .given = &v->given,
      .value = "PORT",
      .help = "Where." },
    { .type = OCF_FLAG_U64, .name = "n", .out = &v->n, .min = 2, .max = 9, .help = "How many." },
    { .type = OCF_FLAG_DUR, .name = "delay", .out = &v->ns, .help = "How long." },
    { .type = OCF_FLAG_STR, .name = "name", .out = &v->name, .help = "Which." },
    { .type = OCF_FLAG_LIST, .name = "model", .out = &v->list, .help = "Which ones." },
  };
  memcpy(v->rows, rows, sizeof(rows));
}

static int parse(struct values *v, const char *const *args, size_t n, struct ocf_err *err)
{
  fill(v);
  return ocf_flags_parse(v->rows, 6, args, n, err);
}
#define PARSE(v, err, ...)                                                                         \
  parse((v), (const char *const[]){ __VA_ARGS__ },                                                 \
        sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), (err))

static void test_every_type_is_read_in_both_spellings(void **state)
{
  struct values v;
  struct ocf_err e;
  (void)state;
  assert_int_equal(PARSE(&v, &e, "--quiet", "--port", "65535", "--n=9", "--delay", "20ms",
                         "--name=a=b", "--model", "x", "--model=y"),
                   0);
  assert_true(v.quiet && v.given);
  assert_int_equal(v.port, 65535);
  assert_int_equal(v.n, 9);
  assert_int_equal(v.ns, 20000000);
  assert_string_equal(v.name, "a=b");
  assert_int_equal(v.list.n, 2);
  assert_string_equal(v.models[0], "x");
  assert_string_equal(v.models[1], "y");
  assert_int_equal(PARSE(&v, &e, "--quiet=false"), 0);
  assert_false(v.quiet);
  assert_false(v.given);
}

static void test_what_is_not_given_keeps_its_default(void **state)
{
  struct values v;
  struct ocf_err e;
  (void)state;
  fill(&v);
  assert_int_equal(ocf_flags_parse(v.rows, 6, NULL, 0, &e), 0);
  assert_string_equal(v.name, "none");
  assert_int_equal(v.list.n, 1);
  assert_string_equal(v.models[0], "first");
}

static void test_bad_values_are_refused_by_name(void **state)
{
  static const char *const bad[][2] = {
    { "--port", "65536" }, { "--port", "" },        { "--port", "-1" },    { "--n", "1" },
    { "--n", "10" },       { "--n", "x" },          { "--delay", "20" },   { "--delay", "fast" },
    { "--name", "" },      { "--quiet=maybe", "" }, { "--nonsense", "1" }, { "stray", "1" },
    { "-q", "1" },         { "--model", "" },       { "--", "1" },
  };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct values v;
    struct ocf_err e = { .code = 0 };
    fill(&v);
    assert_int_equal(ocf_flags_parse(v.rows, 6, bad[i], 2, &e), OCF_EINVAL);
    size_t n = strcspn(bad[i][0], "=");
    char name[32];
    (void)snprintf(name, sizeof(name), "%.*s", (int)n, bad[i][0]);
    assert_non_null(strstr(e.msg, name));
  }
}

static void test_a_missing_value_and_too_many_are_refused(void **state)
{
  struct values v;
  struct ocf_err e;
  (void)state;
  assert_int_equal(PARSE(&v, &e, "--port"), OCF_EINVAL);
  assert_non_null(strstr(e.msg, "needs a value"));
  assert_int_equal(PARSE(&v, &e, "--model=a", "--model=b", "--model=c"), OCF_EINVAL);
}

static void test_help_wins_over_everything_else(void **state)
{
  struct values v;
  struct ocf_err e;
  char text[512];
  (void)state;
  assert_int_equal(PARSE(&v, &e, "--nonsense", "--help"), OCF_ECANCELED);
  assert_int_equal(PARSE(&v, &e, "-h"), OCF_ECANCELED);
  ocf_flags_help(v.rows, 6, text, sizeof(text));
  assert_non_null(strstr(text, "--port PORT"));
  assert_non_null(strstr(text, "Which ones."));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_every_type_is_read_in_both_spellings),
  cmocka_unit_test(test_what_is_not_given_keeps_its_default),
  cmocka_unit_test(test_bad_values_are_refused_by_name),
  cmocka_unit_test(test_a_missing_value_and_too_many_are_refused),
  cmocka_unit_test(test_help_wins_over_everything_else),
};
OCF_TEST_MAIN(tests)
