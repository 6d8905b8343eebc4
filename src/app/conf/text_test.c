/* Goal: the generated texts are true. Method: every row is in each of them, and the sample file,
 * with its comment signs taken away, is a valid file that changes nothing. */
#include "testing/test.h"

#include "app/conf/conf.h"
#include "app/conf/internal.h"
#include "testing/oom.h"

static struct ocf_alloc heap;

static char *made(int (*make)(struct ocf_buf *out))
{
  struct ocf_buf b;
  ocf_alloc_init(&heap);
  ocf_buf_init(&b, &heap, 1 << 20);
  assert_int_equal(make(&b), 0);
  char *text = malloc(b.n + 1);
  assert_non_null(text);
  memcpy(text, b.p, b.n);
  text[b.n] = '\0';
  ocf_buf_fini(&b);
  return text;
}

static void test_every_option_is_in_the_help_and_on_the_reference_page(void **state)
{
  (void)state;
  char *help = made(ocf_conf_write_help), *page = made(ocf_conf_write_reference);
  for (int i = 0; i < OCF_CONF_OPT_N; i++) {
    const struct ocf_conf_row *row = &ocf_conf_rows()[i];
    char words[OCF_CONF_KEY_MAX + 8], env[OCF_CONF_KEY_MAX];
    (void)snprintf(words, sizeof(words), "%s%s%s", row->type == OCF_CONF_T_BOOL ? "--[no-]" : "--",
                   row->key, row->type == OCF_CONF_T_BOOL ? "" : "=<");
    if (strstr(help, words) == NULL)
      fail_msg("%s is not in the help", words);
    ocf_conf_env_name("OCF_", row->key, env, sizeof(env));
    (void)snprintf(words, sizeof(words), "| `%s` |", row->key);
    if (strstr(page, words) == NULL || strstr(page, env) == NULL)
      fail_msg("%s is not on the page", row->key);
  }
  free(help);
  free(page);
}

static void test_no_line_of_the_help_is_too_wide(void **state)
{
  (void)state;
  char *help = made(ocf_conf_write_help);
  for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n"))
    assert_true(strlen(line) <= 100);
  free(help);
}

/* Takes '#' away before "key: value" lines; prose has a blank after it. */
static void uncomment(char *s)
{
  char *to = s;
  for (bool begin = true; *s != '\0'; s++) {
    if (!(begin && s[0] == '#' && s[1] != ' ' && s[1] != '\n'))
      *to++ = *s;
    begin = *s == '\n';
  }
  *to = '\0';
}

static int parse(struct ocf_conf *c, struct ocf_alloc *a, const char *yaml,
                 struct ocf_conf_report *r)
{
  static const char *const env[] = { "HOME=/h", NULL };
  struct ocf_conf_input in = { ocf_bytes(yaml, strlen(yaml)), "sample", env, NULL, 0 };
  return ocf_conf_parse(c, a, &in, r);
}

static void test_the_sample_sets_nothing_and_without_its_signs_nothing_new(void **state)
{
  (void)state;
  static struct ocf_conf_report r;
  struct ocf_alloc a;
  struct ocf_conf plain, sample;
  char *text = made(ocf_conf_write_sample);
  ocf_alloc_init(&a);
  assert_int_equal(parse(&plain, &a, "", &r), 0);
  for (int pass = 0; pass < 2; pass++) {
    if (parse(&sample, &a, text, &r) != 0)
      fail_msg("%s", r.errors);
    assert_int_equal(r.n_notes, 0);
    for (int i = 0; i < OCF_CONF_OPT_N; i++) {
      assert_true(ocf_conf_same(&ocf_conf_rows()[i], &plain, &sample));
      if (pass == 0)
        assert_int_equal(sample.origin[i].source, OCF_CONF_DEFAULT);
      if (pass == 1 && ocf_conf_rows()[i].def[0] != '\0')
        assert_int_equal(sample.origin[i].source, OCF_CONF_FILE);
    }
    ocf_conf_fini(&sample);
    uncomment(text);
  }
  assert_non_null(strstr(text, "\nservices:"));
  ocf_conf_fini(&plain);
  free(text);
}

static void test_the_sample_names_every_option_a_file_may_hold(void **state)
{
  (void)state;
  char *text = made(ocf_conf_write_sample);
  for (int i = 0; i < OCF_CONF_OPT_N; i++) {
    char words[OCF_CONF_KEY_MAX + 8];
    (void)snprintf(words, sizeof(words), "\n#%s: ", ocf_conf_rows()[i].key);
    bool here = strstr(text, words) != NULL;
    assert_int_equal(here, i != OCF_CONF_OPT_config && i != OCF_CONF_OPT_config_dir);
  }
  free(text);
}

static int all_texts(struct ocf_alloc *a, void *ctx)
{
  static int (*const make[])(struct ocf_buf *) = { ocf_conf_write_help, ocf_conf_write_reference,
                                                   ocf_conf_write_sample, ocf_conf_write_schema };
  int err = 0;
  (void)ctx;
  for (size_t i = 0; err == 0 && i < OCF_ARRAY_LEN(make); i++) {
    struct ocf_buf b;
    ocf_buf_init(&b, a, 1 << 20);
    err = make[i](&b);
    ocf_buf_fini(&b);
  }
  return err;
}

static void test_running_out_of_memory_is_an_error_and_no_more(void **state)
{
  (void)state;
  assert_true(ocf_oom_sweep(all_texts, NULL) > 4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_option_is_in_the_help_and_on_the_reference_page),
    cmocka_unit_test(test_no_line_of_the_help_is_too_wide),
    cmocka_unit_test(test_the_sample_sets_nothing_and_without_its_signs_nothing_new),
    cmocka_unit_test(test_the_sample_names_every_option_a_file_may_hold),
    cmocka_unit_test(test_running_out_of_memory_is_an_error_and_no_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
