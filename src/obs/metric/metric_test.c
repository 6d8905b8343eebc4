/* Goal: what is counted is told, exactly once, in a page that Prometheus reads. Method: a small
 * strict reader of the text format walks every page; tools/check/metrics.sh gives the same page to
 * promtool. */
#include "testing/test.h"

#include <ctype.h>

#include "obs/metric/metric.h"
#include "testing/oom.h"

static struct ocf_alloc heap;

static char *page_of(const struct ocf_metrics *m, const struct ocf_metric_info *info, size_t n)
{
  static char text[OCF_METRIC_PAGE_MAX + 1];
  struct ocf_buf b;
  ocf_alloc_init(&heap);
  ocf_buf_init(&b, &heap, OCF_METRIC_PAGE_MAX);
  assert_int_equal(ocf_metrics_write(m, info, n, &b), 0);
  memcpy(text, b.p, b.n);
  text[b.n] = '\0';
  ocf_buf_fini(&b);
  assert_int_equal(heap.live_bytes, 0);
  return text;
}

static struct ocf_metrics *fresh(void)
{
  static struct ocf_metrics m[2];
  static unsigned i;
  ocf_metrics_init(&m[++i % 2]);
  return &m[i % 2];
}

static void assert_line(const char *page, const char *line)
{
  const char *at = page;
  size_t n = strlen(line);
  while ((at = strstr(at, line)) != NULL) {
    if ((at == page || at[-1] == '\n') && at[n] == '\n')
      return;
    at++;
  }
  fail_msg("no line \"%s\" in:\n%s", line, page);
}

static size_t count(const char *page, const char *words)
{
  size_t n = 0;
  for (; (page = strstr(page, words)) != NULL; page++)
    n++;
  return n;
}

/* ---- a reader of the format ---- */

static const char *name_end(const char *s)
{
  assert_true(isalpha((unsigned char)*s) || *s == '_' || *s == ':');
  while (isalnum((unsigned char)*s) || *s == '_' || *s == ':')
    s++;
  return s;
}

/* name="value",… up to and past the closing brace. */
static const char *labels_end(const char *s)
{
  while (*s != '}') {
    s = name_end(s);
    assert_memory_equal(s, "=\"", 2);
    for (s += 2; *s != '"'; s++) {
      assert_true(*s != '\n' && *s != '\0');
      if (*s == '\\') {
        s++;
        assert_non_null(strchr("\\\"n", *s));
      }
    }
    s++;
    if (*s == ',')
      s++;
  }
  return s + 1;
}

struct family {
  char name[128], type[16];
};

/* Reads one sample of the family that was announced last; returns the start of the next line. */
static const char *read_sample(const char *s, const struct family *f)
{
  const char *end = name_end(s);
  size_t n = strlen(f->name);
  assert_true((size_t)(end - s) >= n);
  assert_memory_equal(s, f->name, n);
  if (strcmp(f->type, "histogram") == 0)
    assert_true(strncmp(s + n, "_bucket{", 8) == 0 || strncmp(s + n, "_sum", 4) == 0 ||
                strncmp(s + n, "_count", 6) == 0);
  else
    assert_ptr_equal(end, s + n);
  if (*end == '{')
    end = labels_end(end + 1);
  assert_int_equal(*end, ' ');
  char *after;
  double v = strtod(end + 1, &after);
  assert_true(after > end + 1 && *after == '\n');
  assert_true(strcmp(f->type, "gauge") == 0 || v >= 0);
  return after + 1;
}

/* Fails on anything that the format does not allow; returns the number of families. */
static size_t read_page(const char *page)
{
  struct family f = { "", "" };
  size_t n = 0;
  for (const char *s = page; *s != '\0';) {
    if (*s != '#') {
      s = read_sample(s, &f);
      continue;
    }
    int used = 0;
    char again[128];
    assert_int_equal(sscanf(s, "# HELP %127s %*[^\n]%n", f.name, &used), 1);
    s += used + 1;
    assert_int_equal(sscanf(s, "# TYPE %127s %15[a-z]%n", again, f.type, &used), 2);
    assert_string_equal(again, f.name);
    assert_int_equal(s[used], '\n');
    s += used + 1;
    /* A family is announced once. */
    char head[160];
    (void)snprintf(head, sizeof(head), "# TYPE %s ", f.name);
    assert_int_equal(count(page, head), 1);
    n++;
  }
  return n;
}

/* ---- the tests ---- */

static void test_every_row_is_on_the_page_even_before_anything_was_counted(void **state)
{
  (void)state;
  const struct ocf_metric_info info[] = { { "version", "0.1.0" }, { "commit", "a\"b\\c\nd" } };
  const char *page = page_of(fresh(), info, 2);
  assert_int_equal(read_page(page), OCF_METRIC_N + 1);
  assert_line(page, "ocf_build_info{version=\"0.1.0\",commit=\"a\\\"b\\\\c\\nd\"} 1");
  assert_line(page, "ocf_p2p_connections{dir=\"in\"} 0");
  assert_line(page, "ocf_http_retries_total 0");
  assert_line(page, "ocf_p2p_ping_rtt_seconds_bucket{le=\"+Inf\"} 0");
  assert_null(strstr(page, "ocf_http_requests_total{")); /* many series: only those counted */
}

static void test_names_follow_the_conventions(void **state)
{
  (void)state;
#define METRIC(kind, id, name, unit, l1, l2, l3, buckets, help)                                    \
  {                                                                                                \
    const char *end = strlen(name) > 6 ? (name) + strlen(name) - 6 : (name);                       \
    assert_int_equal(strcmp(#kind, "COUNTER") == 0, strcmp(end, "_total") == 0);                   \
    if (strcmp(#unit, "NS") == 0)                                                                  \
      assert_non_null(strstr(name, "_seconds"));                                                   \
    if (strcmp(#unit, "BYTES") == 0)                                                               \
      assert_non_null(strstr(name, "bytes"));                                                      \
    assert_true((help)[strlen(help) - 1] == '.');                                                  \
  }
#include "../../../config/metrics.inc"
}

static void test_each_series_is_one_slot_of_its_own(void **state)
{
  (void)state;
  struct ocf_metrics *m = fresh();
  static uint8_t used[OCF_METRIC_SLOTS];
  memset(used, 0, sizeof(used));
  (void)m;
  for (int id = 0; id < OCF_METRIC_N; id++) {
    const struct ocf_metric_place *p = &ocf_metric_places[id];
    for (unsigned a = 0; a < p->n1; a++)
      for (unsigned b = 0; b < p->n2; b++)
        for (unsigned c = 0; c < p->n3; c++)
          for (size_t s = 0; s < p->slots; s++)
            used[ocf_metric_index((enum ocf_metric_id)id, a, b, c) + s]++;
  }
  for (size_t i = 0; i < OCF_METRIC_SLOTS; i++)
    assert_int_equal(used[i], 1);
}

static void test_counters_and_gauges_tell_what_was_counted(void **state)
{
  (void)state;
  struct ocf_metrics *m = fresh();
  ocf_metric_inc3(m, OCF_METRIC_HTTP_REQUESTS, OCF_METRIC_ROUTE_P2P, OCF_METRIC_METHOD_POST,
                  ocf_metric_code(204));
  ocf_metric_add3(m, OCF_METRIC_HTTP_REQUESTS, OCF_METRIC_ROUTE_P2P, OCF_METRIC_METHOD_POST,
                  OCF_METRIC_CODE_2XX, 41);
  ocf_metric_inc3(m, OCF_METRIC_HTTP_REQUESTS, OCF_METRIC_ROUTE_OTHER, OCF_METRIC_METHOD_OTHER,
                  ocf_metric_code(0));
  ocf_metric_add1(m, OCF_METRIC_HTTP_BYTES_IN, OCF_METRIC_LISTENER_P2P, UINT64_MAX);
  ocf_metric_move3(m, OCF_METRIC_HTTP_IN_FLIGHT, 0, 0, 0, 3);
  ocf_metric_move3(m, OCF_METRIC_HTTP_IN_FLIGHT, 0, 0, 0, -5);
  ocf_metric_set3(m, OCF_METRIC_START_TIME, 0, 0, 0, 1700000000123000000);
  const char *page = page_of(m, NULL, 0);
  assert_int_equal(read_page(page), OCF_METRIC_N);
  assert_line(page, "ocf_http_requests_total{route=\"p2p\",method=\"POST\",code=\"2xx\"} 42");
  assert_line(page, "ocf_http_requests_total{route=\"other\",method=\"other\",code=\"none\"} 1");
  assert_int_equal(count(page, "ocf_http_requests_total{"), 2);
  assert_line(page, "ocf_http_received_bytes_total{listener=\"p2p\"} 18446744073709551615");
  assert_line(page, "ocf_http_requests_in_flight{listener=\"http\"} -2");
  assert_line(page, "ocf_process_start_time_seconds 1700000000.123");
  assert_int_equal(ocf_metric_get3(m, OCF_METRIC_HTTP_REQUESTS, OCF_METRIC_ROUTE_P2P,
                                   OCF_METRIC_METHOD_POST, OCF_METRIC_CODE_2XX),
                   42);
}

static void test_status_codes_fall_into_their_class(void **state)
{
  (void)state;
  assert_int_equal(ocf_metric_code(99), OCF_METRIC_CODE_NONE);
  assert_int_equal(ocf_metric_code(100), OCF_METRIC_CODE_1XX);
  assert_int_equal(ocf_metric_code(599), OCF_METRIC_CODE_5XX);
  assert_int_equal(ocf_metric_code(600), OCF_METRIC_CODE_NONE);
}

static void test_histograms_are_cumulative_with_sum_and_count(void **state)
{
  (void)state;
  struct ocf_metrics *m = fresh();
  /* Bounds are inclusive: 100 us falls into the first bucket, one more ns into the second. */
  ocf_metric_observe1(m, OCF_METRIC_P2P_HANDSHAKE_TIME, OCF_METRIC_DIR_OUT, 100000);
  ocf_metric_observe1(m, OCF_METRIC_P2P_HANDSHAKE_TIME, OCF_METRIC_DIR_OUT, 100001);
  ocf_metric_observe1(m, OCF_METRIC_P2P_HANDSHAKE_TIME, OCF_METRIC_DIR_OUT, 20000000000);
  const char *page = page_of(m, NULL, 0);
  (void)read_page(page);
  assert_line(page, "ocf_p2p_handshake_seconds_bucket{dir=\"out\",le=\"0.0001\"} 1");
  assert_line(page, "ocf_p2p_handshake_seconds_bucket{dir=\"out\",le=\"0.00025\"} 2");
  assert_line(page, "ocf_p2p_handshake_seconds_bucket{dir=\"out\",le=\"15\"} 2");
  assert_line(page, "ocf_p2p_handshake_seconds_bucket{dir=\"out\",le=\"+Inf\"} 3");
  assert_line(page, "ocf_p2p_handshake_seconds_sum{dir=\"out\"} 20.000200001");
  assert_line(page, "ocf_p2p_handshake_seconds_count{dir=\"out\"} 3");
  assert_line(page, "ocf_p2p_handshake_seconds_count{dir=\"in\"} 0");
  assert_int_equal(ocf_metric_get3(m, OCF_METRIC_P2P_HANDSHAKE_TIME, OCF_METRIC_DIR_OUT, 0, 0), 3);
}

static void test_a_dynamic_label_is_bounded_and_the_rest_is_other(void **state)
{
  (void)state;
  struct ocf_metrics *m = fresh();
  char name[OCF_METRIC_TEXT_MAX + 1];
  unsigned l = ocf_metrics_label(m, OCF_METRIC_SET_SERVICE, "llm \"x\"\n");
  assert_int_equal(l, 1);
  assert_int_equal(ocf_metrics_label(m, OCF_METRIC_SET_SERVICE, "llm \"x\"\n"), 1);
  assert_int_equal(ocf_metrics_label(m, OCF_METRIC_SET_SERVICE, ""), 0);
  memset(name, 'a', sizeof(name));
  name[OCF_METRIC_TEXT_MAX] = '\0';
  assert_int_equal(ocf_metrics_label(m, OCF_METRIC_SET_SERVICE, name), 0);
  name[OCF_METRIC_TEXT_MAX - 1] = '\0';
  assert_int_equal(ocf_metrics_label(m, OCF_METRIC_SET_SERVICE, name), 2);
  for (unsigned i = 2; i < 200; i++) {
    (void)snprintf(name, sizeof(name), "s%u", i);
    l = ocf_metrics_label(m, OCF_METRIC_SET_SERVICE, name);
    assert_int_equal(l, i < OCF_METRIC_SERVICE_N - 1 ? i + 1 : OCF_METRIC_SERVICE_OTHER);
    ocf_metric_inc2(m, OCF_METRIC_SERVICE_CHECKS, l, OCF_METRIC_CHECK_OK);
  }
  const char *page = page_of(m, NULL, 0);
  (void)read_page(page);
  assert_line(page, "ocf_service_up{service=\"llm \\\"x\\\"\\n\"} 0");
  assert_line(page, "ocf_service_checks_total{service=\"s2\",result=\"ok\"} 1");
  assert_line(page, "ocf_service_checks_total{service=\"other\",result=\"ok\"} 136");
}

static void test_loops_are_summed_by_the_names_of_their_labels(void **state)
{
  (void)state;
  static struct ocf_metrics a, b;
  ocf_metrics_init(&a);
  ocf_metrics_init(&b);
  unsigned ax = ocf_metrics_label(&a, OCF_METRIC_SET_SERVICE, "x");
  unsigned by = ocf_metrics_label(&b, OCF_METRIC_SET_SERVICE, "y");
  unsigned bx = ocf_metrics_label(&b, OCF_METRIC_SET_SERVICE, "x");
  assert_int_not_equal(ax, bx);
  ocf_metric_move3(&a, OCF_METRIC_SERVICE_CONNS, ax, 0, 0, 5);
  ocf_metric_move3(&b, OCF_METRIC_SERVICE_CONNS, bx, 0, 0, -2);
  ocf_metric_move3(&b, OCF_METRIC_SERVICE_CONNS, by, 0, 0, 1);
  ocf_metric_set3(&a, OCF_METRIC_SERVICE_UP, ax, 0, 0, 1);
  ocf_metric_set3(&b, OCF_METRIC_SERVICE_UP, bx, 0, 0, 1);
  ocf_metric_observe1(&a, OCF_METRIC_LOOP_LAG, 0, 1);
  ocf_metric_observe1(&b, OCF_METRIC_LOOP_LAG, 0, 2);
  ocf_metric_add(&a, OCF_METRIC_RETRIES, 1);
  ocf_metric_add(&b, OCF_METRIC_RETRIES, 2);
  ocf_metrics_merge(&a, &b);
  const char *page = page_of(&a, NULL, 0);
  (void)read_page(page);
  assert_line(page, "ocf_service_connections{service=\"x\"} 3");
  assert_line(page, "ocf_service_connections{service=\"y\"} 1");
  assert_line(page, "ocf_service_up{service=\"x\"} 1");
  assert_line(page, "ocf_loop_lag_seconds_count 2");
  assert_line(page, "ocf_loop_lag_seconds_sum 0.000000003");
  assert_line(page, "ocf_http_retries_total 3");
}

static void fill(struct ocf_metrics *m)
{
  char name[32];
  for (int i = 0; i < 64; i++) {
    (void)snprintf(name, sizeof(name), "service-%d", i);
    (void)ocf_metrics_label(m, OCF_METRIC_SET_SERVICE, name);
  }
  for (size_t i = 0; i < OCF_METRIC_SLOTS; i++)
    m->v[i] = 1000000007ull * (i + 1);
}

static void test_the_fullest_page_fits_its_bound(void **state)
{
  (void)state;
  struct ocf_metrics *m = fresh();
  fill(m);
  char *page = page_of(m, NULL, 0);
  assert_int_equal(read_page(page), OCF_METRIC_N);
  assert_true(strlen(page) < OCF_METRIC_PAGE_MAX / 2);
  const char *path = getenv("OCF_METRICS_PAGE"); /* tools/check/metrics.sh reads it */
  if (path != NULL) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(page, f) >= 0);
    assert_int_equal(fclose(f), 0);
  }
}

static int write_page(struct ocf_alloc *a, void *ctx)
{
  struct ocf_buf b;
  ocf_buf_init(&b, a, OCF_METRIC_PAGE_MAX);
  int err = ocf_metrics_write(ctx, NULL, 0, &b);
  ocf_buf_fini(&b);
  return err;
}

static void test_a_page_survives_lack_of_memory_and_of_room(void **state)
{
  (void)state;
  struct ocf_metrics *m = fresh();
  struct ocf_buf b;
  fill(m);
  assert_true(ocf_oom_sweep(write_page, m) > 1);
  ocf_alloc_init(&heap);
  ocf_buf_init(&b, &heap, 1000);
  assert_int_equal(ocf_metrics_write(m, NULL, 0, &b), OCF_ELIMIT);
  assert_true(b.n <= 1000);
  ocf_buf_fini(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_row_is_on_the_page_even_before_anything_was_counted),
    cmocka_unit_test(test_names_follow_the_conventions),
    cmocka_unit_test(test_each_series_is_one_slot_of_its_own),
    cmocka_unit_test(test_counters_and_gauges_tell_what_was_counted),
    cmocka_unit_test(test_status_codes_fall_into_their_class),
    cmocka_unit_test(test_histograms_are_cumulative_with_sum_and_count),
    cmocka_unit_test(test_a_dynamic_label_is_bounded_and_the_rest_is_other),
    cmocka_unit_test(test_loops_are_summed_by_the_names_of_their_labels),
    cmocka_unit_test(test_the_fullest_page_fits_its_bound),
    cmocka_unit_test(test_a_page_survives_lack_of_memory_and_of_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
