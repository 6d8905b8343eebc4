/* The options of `ocf dev`. Goal: defaults, ranges and what excludes what. */
#include "testing/test.h"

#include "app/dev/options.h"

#define PARSE(o, e, ...)                                                                           \
  ocf_dev_options_parse((o), (const char *const[]){ __VA_ARGS__ },                                 \
                        sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), (e))

static void test_nothing_given_is_two_nodes_on_the_usual_port(void **state)
{
  struct ocf_dev_options o;
  struct ocf_err e;
  (void)state;
  assert_int_equal(ocf_dev_options_parse(&o, NULL, 0, &e), 0);
  assert_int_equal(o.n_nodes, 2);
  assert_int_equal(o.port, 8092);
  assert_false(o.port_given || o.once || o.stay || o.keep || o.verbose);
  assert_string_equal(o.model, "tiny-mock");
}

static void test_each_option_is_taken(void **state)
{
  struct ocf_dev_options o;
  struct ocf_err e;
  (void)state;
  assert_int_equal(PARSE(&o, &e, "--once", "--port=0", "--nodes", "16", "--model", "m-1",
                         "--prompt", "two words", "--token-delay", "0", "--timeout=5s", "--keep",
                         "--verbose", "--color", "never"),
                   0);
  assert_true(o.once && o.port_given && o.port == 0 && o.n_nodes == 16 && o.keep && o.verbose);
  assert_string_equal(o.prompt, "two words");
  assert_int_equal(o.timeout_ns, 5000000000);
}

static void test_what_cannot_be_is_refused(void **state)
{
  static const char *const bad[][2] = {
    { "--nodes", "1" },     { "--nodes", "17" },   { "--color", "blue" }, { "--model", "a b" },
    { "--model", "it's" },  { "--model", "$(x)" }, { "--port", "70000" }, { "--timeout", "soon" },
    { "--once", "--stay" }, { "--prompt", "" },
  };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct ocf_dev_options o;
    struct ocf_err e = { .code = 0 };
    assert_int_equal(ocf_dev_options_parse(&o, bad[i], 2, &e), OCF_EINVAL);
    assert_non_null(strstr(e.msg, bad[i][0]));
  }
}

static void test_help_names_every_flag(void **state)
{
  static const char *const flags[] = { "--once",  "--stay",    "--port",        "--nodes",
                                       "--model", "--prompt",  "--token-delay", "--timeout",
                                       "--keep",  "--verbose", "--color" };
  char text[OCF_DEV_HELP_SIZE];
  struct ocf_dev_options o;
  struct ocf_err e;
  (void)state;
  assert_int_equal(PARSE(&o, &e, "--help"), OCF_ECANCELED);
  for (size_t i = 0; i < OCF_ARRAY_LEN(flags); i++)
    assert_non_null(strstr(ocf_dev_options_help(text), flags[i]));
  assert_true(strlen(text) < sizeof(text) - 1); /* not cut */
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_nothing_given_is_two_nodes_on_the_usual_port),
  cmocka_unit_test(test_each_option_is_taken),
  cmocka_unit_test(test_what_cannot_be_is_refused),
  cmocka_unit_test(test_help_names_every_flag),
};
OCF_TEST_MAIN(tests)
