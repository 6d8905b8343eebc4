#include "base/log/log.h"
#include "testing/test.h"

static char out[8192];
static size_t n_out, n_lines;

static void keep(void *ctx, const char *line, size_t n)
{
  (void)ctx;
  assert_true(n <= OCF_LOG_LINE_MAX && line[n - 1] == '\n');
  assert_null(memchr(line, '\n', n - 1));
  memcpy(out, line, n);
  out[n] = '\0';
  n_out = n;
  n_lines++;
}

static uint64_t noon(void *ctx)
{
  (void)ctx;
  return UINT64_C(1748779200123456789); /* 2025-06-01T12:00:00.123456789Z */
}

static struct ocf_log logger(enum ocf_log_format format)
{
  struct ocf_log l;
  ocf_log_init(&l);
  l.format = format;
  l.write = keep;
  n_lines = 0;
  out[0] = '\0';
  return l;
}

static void emit_each_type(const struct ocf_log *l)
{
  OCF_LOGF(l, "swarm", OCF_LOG_INFO, "peer connected", OCF_LOG_STR("peer", "12D3"),
           OCF_LOG_STR("none", NULL), OCF_LOG_BYTES("text", OCF_STR("a \"b\"\n\xff")),
           OCF_LOG_HEX("id", OCF_STR("\x01\xfe")), OCF_LOG_U64("n", UINT64_MAX),
           OCF_LOG_I64("d", INT64_MIN), OCF_LOG_BOOL("ok", true), OCF_LOG_BOOL("no", 0),
           OCF_LOG_MS("rtt", 1234567), OCF_LOG_ERR("err", OCF_ETIME),
           OCF_LOG_SECRET("key", OCF_STR("hunter2")), OCF_LOG_STR("Bad Key\"", ""));
}

static void test_logfmt_prints_each_type_in_its_form(void **state)
{
  (void)state;
  struct ocf_log l = logger(OCF_LOG_LOGFMT);
  l.wall_ns = noon;
  emit_each_type(&l);
  assert_string_equal(out,
                      "ts=2025-06-01T12:00:00.123Z level=info module=swarm "
                      "msg=\"peer connected\" peer=12D3 none=null text=\"a \\\"b\\\"\\n\\ufffd\" "
                      "id=\"01fe\" n=18446744073709551615 d=-9223372036854775808 ok=true "
                      "no=false rtt=1.234 err=\"deadline passed\" key=\"[redacted 7 bytes]\" "
                      "_ad__ey_=\"\"\n");
}

static void test_json_prints_each_type_in_its_form(void **state)
{
  (void)state;
  struct ocf_log l = logger(OCF_LOG_JSON);
  l.wall_ns = noon;
  emit_each_type(&l);
  assert_string_equal(
      out, "{\"ts\":\"2025-06-01T12:00:00.123Z\",\"level\":\"info\",\"module\":\"swarm\","
           "\"msg\":\"peer connected\",\"peer\":\"12D3\",\"none\":null,"
           "\"text\":\"a \\\"b\\\"\\n\\ufffd\",\"id\":\"01fe\",\"n\":18446744073709551615,"
           "\"d\":-9223372036854775808,\"ok\":true,\"no\":false,\"rtt\":1.234,"
           "\"err\":\"deadline passed\",\"key\":\"[redacted 7 bytes]\",\"_ad__ey_\":\"\"}\n");
}

static void test_without_a_clock_there_is_no_stamp(void **state)
{
  (void)state;
  struct ocf_log l = logger(OCF_LOG_JSON);
  OCF_LOG(&l, "x", OCF_LOG_ERROR, "m");
  assert_string_equal(out, "{\"level\":\"error\",\"module\":\"x\",\"msg\":\"m\"}\n");
  l.format = OCF_LOG_LOGFMT;
  OCF_LOG(&l, "x", OCF_LOG_WARN, "m");
  assert_string_equal(out, "level=warn module=x msg=m\n");
}

static uint64_t stamp_ns;

static uint64_t chosen(void *ctx)
{
  (void)ctx;
  return stamp_ns;
}

/* Method: days around leap years and century rules, from `date -u -d @…`. */
static void test_stamps_are_gregorian_dates(void **state)
{
  (void)state;
  static const struct {
    uint64_t s;
    const char *want;
  } cases[] = {
    { 0, "ts=1970-01-01T00:00:00.000Z" },           { 68169599, "ts=1972-02-28T23:59:59.000Z" },
    { 68169600, "ts=1972-02-29T00:00:00.000Z" },    { 951782400, "ts=2000-02-29T00:00:00.000Z" },
    { 951868800, "ts=2000-03-01T00:00:00.000Z" },   { 1767225599, "ts=2025-12-31T23:59:59.000Z" },
    { 4107542399, "ts=2100-02-28T23:59:59.000Z" },  { 4107542400, "ts=2100-03-01T00:00:00.000Z" },
    { 18446744073, "ts=2554-07-21T23:34:33.000Z" },
  };
  struct ocf_log l = logger(OCF_LOG_LOGFMT);
  l.wall_ns = chosen;
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    stamp_ns = cases[i].s * 1000000000;
    OCF_LOG(&l, "x", OCF_LOG_INFO, "m");
    assert_memory_equal(out, cases[i].want, strlen(cases[i].want));
  }
}

static void test_a_long_value_is_cut_and_marked(void **state)
{
  (void)state;
  static const enum ocf_log_format formats[] = { OCF_LOG_LOGFMT, OCF_LOG_JSON };
  uint8_t big[1000];
  memset(big, 'a', sizeof(big));
  for (size_t i = 0; i < 2; i++) {
    struct ocf_log l = logger(formats[i]);
    OCF_LOGF(&l, "x", OCF_LOG_INFO, "m", OCF_LOG_BYTES("v", ocf_bytes(big, OCF_LOG_VALUE_MAX)));
    assert_null(strstr(out, "cut"));
    OCF_LOGF(&l, "x", OCF_LOG_INFO, "m", OCF_LOG_BYTES("v", ocf_bytes(big, 513)),
             OCF_LOG_U64("n", 1));
    assert_non_null(strstr(out, "aaa...[cut 1 bytes]\""));
    assert_non_null(strstr(out, i == 0 ? " n=1\n" : ",\"n\":1}\n")); /* the next field is there */
    OCF_LOGF(&l, "x", OCF_LOG_INFO, "m", OCF_LOG_HEX("v", ocf_bytes(big, 257)));
    assert_non_null(strstr(out, "616161...[cut 1 bytes]\""));
    big[511] = '\n'; /* two characters when escaped: it would stick out */
    OCF_LOGF(&l, "x", OCF_LOG_INFO, "m", OCF_LOG_BYTES("v", ocf_bytes(big, OCF_LOG_VALUE_MAX)));
    assert_non_null(strstr(out, "aaa...[cut 1 bytes]\""));
    big[511] = 'a';
  }
}

static void test_fields_that_do_not_fit_are_left_out_and_that_is_said(void **state)
{
  (void)state;
  char big[501];
  memset(big, 'b', sizeof(big) - 1);
  big[500] = '\0';
  struct ocf_log l = logger(OCF_LOG_LOGFMT);
  for (int i = 0; i < 2; i++) {
    l.format = i == 0 ? OCF_LOG_LOGFMT : OCF_LOG_JSON;
    OCF_LOGF(&l, "x", OCF_LOG_INFO, "m", OCF_LOG_STR("a", big), OCF_LOG_STR("b", big),
             OCF_LOG_STR("c", big), OCF_LOG_STR("d", big), OCF_LOG_U64("last", 7));
    const char *end = i == 0 ? " last=7 cut=true\n" : ",\"last\":7,\"cut\":true}\n";
    assert_true(n_out > strlen(end) && n_out <= OCF_LOG_LINE_MAX);
    assert_string_equal(out + n_out - strlen(end), end);
    assert_null(strstr(out, i == 0 ? " d=" : "\"d\":"));
  }
}

/* Goal: at every length of the last field the line stays whole and bounded. */
static void test_a_line_ends_properly_at_every_length(void **state)
{
  (void)state;
  char big[513], last[513];
  memset(big, 'b', sizeof(big));
  memset(last, 'c', sizeof(last));
  big[450] = '\0';
  for (size_t n = 0; n < sizeof(last); n++) {
    struct ocf_log l = logger(OCF_LOG_JSON);
    OCF_LOGF(&l, "x", OCF_LOG_INFO, big, OCF_LOG_STR("a", big), OCF_LOG_STR("b", big),
             OCF_LOG_STR("c", big), OCF_LOG_BYTES("d", ocf_bytes(last, n)));
    assert_int_equal(n_lines, 1);
    assert_string_equal(out + n_out - 2, "}\n");
    bool cut = strstr(out, "\"cut\":true") != NULL;
    assert_true(cut != (strstr(out, "\"d\":") != NULL));
  }
}

static void test_levels_are_set_from_a_list_or_not_at_all(void **state)
{
  (void)state;
  static const char *const bad[] = { "",
                                     "loud",
                                     "info,",
                                     "info,debug",
                                     "=debug",
                                     "x=",
                                     "x=loud",
                                     "x=debug,x=info",
                                     "info,,x=debug",
                                     "a_name_too_long_=debug",
                                     "x=debug=info" };
  struct ocf_log l = logger(OCF_LOG_LOGFMT);
  assert_int_equal(ocf_log_set_levels(&l, "warn,swarm=debug, http = off "), 0);
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    assert_int_equal(ocf_log_set_levels(&l, bad[i]), OCF_EINVAL);
  assert_false(ocf_log_on(&l, "other", OCF_LOG_INFO));
  assert_true(ocf_log_on(&l, "other", OCF_LOG_WARN));
  assert_true(ocf_log_on(&l, "swarm", OCF_LOG_DEBUG));
  assert_false(ocf_log_on(&l, "swarm", OCF_LOG_TRACE));
  assert_false(ocf_log_on(&l, "http", OCF_LOG_ERROR));
  assert_int_equal(ocf_log_level_of(&l, "swarm"), OCF_LOG_DEBUG);
  assert_int_equal(ocf_log_set_levels(&l, "x=trace"), 0); /* the bare level stays, pairs do not */
  assert_true(ocf_log_on(&l, "x", OCF_LOG_TRACE));
  assert_false(ocf_log_on(&l, "swarm", OCF_LOG_INFO));
  for (int i = OCF_LOG_TRACE; i <= OCF_LOG_OFF; i++) {
    assert_int_equal(ocf_log_set_levels(&l, ocf_log_level_name((enum ocf_log_level)i)), 0);
    assert_int_equal(l.level, i);
  }
  assert_false(ocf_log_on(&l, "x", OCF_LOG_OFF)); /* "off" is no level to log at */
}

static void test_no_more_modules_than_there_is_room_for(void **state)
{
  (void)state;
  char spec[1024] = "info";
  struct ocf_log l = logger(OCF_LOG_LOGFMT);
  for (size_t i = 0, n = 4; i <= OCF_LOG_MODULES_MAX; i++) {
    assert_int_equal(ocf_log_set_levels(&l, spec), 0);
    assert_int_equal(l.n_modules, i);
    n += (size_t)snprintf(spec + n, sizeof(spec) - n, ",m%02zu=debug", i);
  }
  assert_int_equal(ocf_log_set_levels(&l, spec), OCF_EINVAL);
}

static const char *must_not_run(void)
{
  fail_msg("evaluated although the level is off");
  return "";
}

static void test_a_line_that_is_off_costs_nothing(void **state)
{
  (void)state;
  struct ocf_log l = logger(OCF_LOG_LOGFMT);
  OCF_LOGF(&l, "x", OCF_LOG_DEBUG, "m", OCF_LOG_STR("k", must_not_run()));
  OCF_LOGF((struct ocf_log *)NULL, "x", OCF_LOG_ERROR, "m", OCF_LOG_STR("k", must_not_run()));
  ocf_log_emit(&l, "x", OCF_LOG_DEBUG, "m", NULL);
  ocf_log_emit(NULL, "x", OCF_LOG_ERROR, "m", NULL);
  l.write = NULL;
  OCF_LOGF(&l, "x", OCF_LOG_ERROR, "m", OCF_LOG_STR("k", must_not_run()));
  assert_int_equal(n_lines, 0);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_logfmt_prints_each_type_in_its_form),
  cmocka_unit_test(test_json_prints_each_type_in_its_form),
  cmocka_unit_test(test_without_a_clock_there_is_no_stamp),
  cmocka_unit_test(test_stamps_are_gregorian_dates),
  cmocka_unit_test(test_a_long_value_is_cut_and_marked),
  cmocka_unit_test(test_fields_that_do_not_fit_are_left_out_and_that_is_said),
  cmocka_unit_test(test_a_line_ends_properly_at_every_length),
  cmocka_unit_test(test_levels_are_set_from_a_list_or_not_at_all),
  cmocka_unit_test(test_no_more_modules_than_there_is_room_for),
  cmocka_unit_test(test_a_line_that_is_off_costs_nothing),
};
OCF_TEST_MAIN(tests)
