#include "registry/record/record.h"

#include "testing/test.h"

struct record_vector {
  const char *name;
  const char *given;
  size_t n_given;
  const char *made;
  size_t n_made;
  bool valid, mistyped;
};

struct record_text {
  const char *p;
  size_t n;
};

#include "tests/vectors/gen/record_vectors.inc"

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

struct fixture {
  struct ocf_alloc a;
  struct ocf_buf out;
  struct ocf_record r;
};

static void setup(struct fixture *f)
{
  *f = (struct fixture){ 0 };
  ocf_alloc_init(&f->a);
  ocf_buf_init(&f->out, &f->a, 1 << 20);
  ocf_record_init(&f->r, &f->a);
}

static void teardown(struct fixture *f)
{
  ocf_record_fini(&f->r);
  ocf_buf_fini(&f->out);
  assert_int_equal(f->a.live_bytes, 0);
}

static int parse(struct fixture *f, struct ocf_bytes json)
{
  ocf_record_fini(&f->r);
  return ocf_record_parse(&f->r, &f->a, json);
}

static void read_text(struct fixture *f, const char *json)
{
  assert_int_equal(parse(f, str(json)), 0);
}

static void assert_written(struct fixture *f, unsigned flags, struct ocf_bytes want)
{
  ocf_buf_clear(&f->out);
  assert_int_equal(ocf_record_write(&f->r, flags, &f->out), 0);
  assert_int_equal(f->out.n, want.n);
  assert_memory_equal(f->out.p, want.p, want.n);
}

static void assert_bytes(struct ocf_bytes got, const char *want)
{
  assert_int_equal(got.n, strlen(want));
  assert_true(ocf_bytes_eq(got, str(want)));
}

/* Goal: a record that a Go node wrote comes out as the bytes that went in. Method: every record in
 * the recorded blocks. */
static void test_records_of_go_nodes_come_out_as_they_went_in(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  assert_true(OCF_ARRAY_LEN(node_records) >= 3);
  for (size_t i = 0; i < OCF_ARRAY_LEN(node_records); i++) {
    struct ocf_bytes json = ocf_bytes(node_records[i].p, node_records[i].n);
    assert_int_equal(parse(&f, json), 0);
    assert_true(f.r.n_unknown == 0 && f.r.n_mistyped == 0 && f.r.n_dropped == 0);
    assert_written(&f, 0, json);
  }
  teardown(&f);
}

/* Goal: whatever Go's decoder makes of an odd record, we make of it: what it writes again is what
 * we write. */
static void test_odd_records_read_as_in_go(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(record_vectors); i++) {
    const struct record_vector *v = &record_vectors[i];
    int rc = parse(&f, ocf_bytes(v->given, v->n_given));
    if (!v->valid) {
      assert_int_equal(rc, OCF_EINVAL);
      continue;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(f.r.n_mistyped > 0, v->mistyped);
    assert_written(&f, OCF_RECORD_GO_ONLY, ocf_bytes(v->made, v->n_made));
  }
  teardown(&f);
}

static void test_every_field_is_read(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  const struct record_vector *v = &record_vectors[1];
  assert_string_equal(v->name, "whole");
  assert_int_equal(parse(&f, ocf_bytes(v->given, v->n_given)), 0);
  const struct ocf_record *r = &f.r;
  assert_bytes(r->id, "12D3KooWx");
  assert_true(r->latency == -3 && r->privileged && r->connected && r->last_seen == 1795367725);
  assert_bytes(r->owner, "w");
  assert_bytes(r->provider_id, "otela-w");
  assert_true(r->current_offering.n == 1 && r->role.n == 2 && r->available_offering.n == 0);
  assert_true(ocf_record_strs_have(&r->role, OCF_STR("relay")));
  assert_false(ocf_record_strs_have(&r->role, OCF_STR("head")));
  assert_bytes(r->status, "left");
  assert_bytes(r->version, "v");
  assert_bytes(r->public_address, "192.0.2.1");
  assert_bytes(r->public_port, "43905");
  assert_bytes(r->relay_peer, "Qmr");
  assert_bytes(r->evicted_by, "Qme");
  assert_true(r->hardware.host_memory == INT64_MAX && !r->hardware.has_gpus);
  assert_true(r->n_load == 3 && r->load[1] == -2);
  assert_bytes(r->build_attestation.commit, "c");
  assert_true(r->identity_attestation.is_set && r->identity_attestation.timestamp == 17);
  assert_bytes(r->capabilities.v[0], "service-policy-v2");
  assert_int_equal(r->n_service_name_counts, 2);
  assert_bytes(r->service_name_counts[0].name, "a"); /* sorted */
  const struct ocf_record_service *s = ocf_record_find_service(r, OCF_STR("llm"));
  assert_non_null(s);
  assert_bytes(s->port, "8000");
  assert_bytes(s->host, "localhost");
  assert_bytes(s->status, "connected");
  assert_int_equal(s->identity_group.n, 3);
  assert_true(s->hardware.n_gpus == 1 && s->hardware.gpus[0].total_memory == 143771);
  assert_null(ocf_record_find_service(r, OCF_STR("other")));
  assert_string_equal((const char *)s->identity_group.v[0].p, "model=a/b:c"); /* a NUL follows */
  teardown(&f);
}

static void test_our_fields_follow_those_of_go(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  read_text(&f, "{\"price\": {\"in\": [1.50, null]} "
                ",\"region\":\"eu\",\"capacity\":7,\"signature\":\"s\",\"id\":\"a\"}");
  assert_bytes(f.r.region, "eu");
  assert_bytes(f.r.price, "{\"in\": [1.50, null]}");
  assert_bytes(f.r.capacity, "7");
  assert_bytes(f.r.signature, "\"s\"");
  assert_int_equal(f.r.n_unknown, 0);
  ocf_buf_clear(&f.out);
  assert_int_equal(ocf_record_write(&f.r, 0, &f.out), 0);
  const char *tail =
      ",\"load\":null,\"region\":\"eu\",\"price\":{\"in\": [1.50, null]},\"capacity\":7,"
      "\"signature\":\"s\"}";
  assert_true(f.out.n > strlen(tail));
  assert_memory_equal(f.out.p + f.out.n - strlen(tail), tail, strlen(tail));
  assert_int_equal(ocf_record_write(&f.r, OCF_RECORD_GO_ONLY, &f.out), 0);
  assert_memory_equal(f.out.p + f.out.n - 12, "\"load\":null}", 12);
  teardown(&f);
}

static void test_a_field_kept_as_json_is_bounded_and_well_formed(void **state)
{
  (void)state;
  struct fixture f;
  char text[OCF_RECORD_RAW_MAX + 64];
  setup(&f);
  read_text(&f, "{\"price\":\"\xff\",\"capacity\":[\"\xed\xa0\x80\"],\"signature\":\"\xe2\x82\"}");
  assert_true(f.r.n_dropped == 3 && f.r.price.n == 0 && f.r.capacity.n == 0 &&
              f.r.signature.n == 0);
  read_text(&f, "{\"price\":\"\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9\",\"capacity\":null}");
  assert_true(f.r.n_dropped == 0 && f.r.price.n == 11 && f.r.capacity.n == 0);
  for (size_t over = 0; over < 2; over++) {
    size_t n = (size_t)snprintf(text, sizeof(text), "{\"price\":\"");
    memset(text + n, 'x', OCF_RECORD_RAW_MAX - 2 + over);
    n += OCF_RECORD_RAW_MAX - 2 + over;
    memcpy(text + n, "\"}", 2);
    assert_int_equal(parse(&f, ocf_bytes(text, n + 2)), 0);
    assert_int_equal(f.r.price.n, over == 0 ? OCF_RECORD_RAW_MAX : 0);
    assert_int_equal(f.r.n_dropped, over);
  }
  teardown(&f);
}

static void test_unknown_fields_are_counted_and_passed_over(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  read_text(&f, "{\"x\":{\"id\":\"no\"},\"id\":\"a\",\"service\":[{\"name\":\"s\",\"y\":[1]}],"
                "\"hardware\":{\"z\":1}}");
  assert_int_equal(f.r.n_unknown, 3);
  assert_bytes(f.r.id, "a");
  assert_int_equal(f.r.n_services, 1);
  teardown(&f);
}

/* What repeats `item` n times between `head` and `tail`, separated by commas; "#" in it becomes the
 * number. */
static struct ocf_bytes repeated(char *to, size_t size, const char *head, const char *item,
                                 size_t n, const char *tail)
{
  size_t at = (size_t)snprintf(to, size, "%s", head);
  for (size_t i = 0; i < n; i++) {
    if (i > 0)
      to[at++] = ',';
    for (const char *c = item; *c != '\0'; c++)
      if (*c == '#')
        at += (size_t)snprintf(to + at, size - at, "%zu", i);
      else
        to[at++] = *c;
  }
  at += (size_t)snprintf(to + at, size - at, "%s", tail);
  assert_true(at < size);
  return ocf_bytes(to, at);
}

static void test_numbers_of_elements_are_bounded(void **state)
{
  (void)state;
  static char text[65536];
  struct fixture f;
  setup(&f);
  for (size_t over = 0; over < 3; over++) {
    size_t lists = OCF_RECORD_LIST_MAX, groups = OCF_RECORD_GROUPS_MAX;
#define PARSE(head, item, n, tail)                                                                 \
  assert_int_equal(parse(&f, repeated(text, sizeof(text), head, item, (n) + over, tail)), 0);      \
  assert_int_equal(f.r.n_dropped, over)
    PARSE("{\"service\":[", "{\"name\":\"s#\"}", (size_t)OCF_RECORD_SERVICES_MAX, "]}");
    assert_int_equal(f.r.n_services, OCF_RECORD_SERVICES_MAX);
    assert_bytes(f.r.service[63].name, "s63");
    PARSE("{\"service\":[{\"name\":\"s\",\"identity_group\":[", "\"model=#\"", groups, "]}]}");
    assert_int_equal(f.r.service[0].identity_group.n, groups);
    PARSE("{\"role\":[", "\"r#\"", lists, "]}");
    assert_int_equal(f.r.role.n, lists);
    PARSE("{\"load\":[", "#", lists, "]}");
    assert_true(f.r.n_load == lists && f.r.load[63] == 63);
    PARSE("{\"hardware\":{\"gpus\":[", "{\"name\":\"#\"}", lists, "]}}");
    assert_int_equal(f.r.hardware.n_gpus, lists);
    PARSE("{\"service_name_counts\":{", "\"n#\":#", lists, "}}");
    assert_int_equal(f.r.n_service_name_counts, lists);
#undef PARSE
  }
  teardown(&f);
}

static void test_texts_are_bounded(void **state)
{
  (void)state;
  static char text[4096];
  struct fixture f;
  char id[OCF_RECORD_STR_MAX + 2];
  setup(&f);
  for (size_t n = OCF_RECORD_STR_MAX; n <= OCF_RECORD_STR_MAX + 1; n++) {
    bool fits = n == OCF_RECORD_STR_MAX;
    memset(id, 'i', n);
    id[n] = '\0';
    (void)snprintf(text, sizeof(text),
                   "{\"id\":\"%s\",\"owner\":\"o\",\"%s\":1,\"service_name_counts\":{\"%s\":1}}",
                   id, id, id);
    read_text(&f, text);
    assert_int_equal(f.r.id.n, fits ? n : 0);
    assert_bytes(f.r.owner, "o");
    assert_int_equal(f.r.n_dropped, fits ? 0 : 2);
    assert_int_equal(f.r.n_unknown, 1);
    assert_int_equal(f.r.n_service_name_counts, fits);
  }
  teardown(&f);
}

static void test_a_record_that_is_too_much_is_refused_whole(void **state)
{
  (void)state;
  static char text[OCF_RECORD_JSON_MAX + 1];
  struct fixture f;
  setup(&f);
  memset(text, ' ', sizeof(text));
  memcpy(text, "{\"id\":\"a\"}", 10);
  assert_int_equal(parse(&f, ocf_bytes(text, OCF_RECORD_JSON_MAX)), 0);
  assert_int_equal(parse(&f, ocf_bytes(text, OCF_RECORD_JSON_MAX + 1)), OCF_ELIMIT);
  assert_true(f.r.id.n == 0 && ocf_record_mem(&f.r) == 0);
  memset(text, '[', 100);
  memcpy(text, "{\"id\":", 6);
  assert_int_equal(parse(&f, ocf_bytes(text, 100)), OCF_ELIMIT);
  /* The same array over and over: each takes memory, though only the last one counts. */
  size_t n = 1;
  char many[256] = "\"service\":[{}";
  while (strlen(many) + 5 < 210)
    memcpy(many + strlen(many), ",{}", 4);
  memcpy(many + strlen(many), "],", 3);
  text[0] = '{';
  for (; n + strlen(many) + 8 < OCF_RECORD_JSON_MAX; n += strlen(many))
    memcpy(text + n, many, strlen(many));
  memcpy(text + n, "\"x\":1}", 6);
  assert_int_equal(parse(&f, ocf_bytes(text, n + 6)), OCF_ELIMIT);
  assert_true(f.a.peak_bytes < 5u << 20);
  teardown(&f);
}

static void test_a_table_row_shows_the_readers_view(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  read_text(&f, "{\"connected\":true}");
  static const struct {
    unsigned flags;
    const char *want;
  } cases[] = { { 0, "true" },
                { OCF_RECORD_CONNECTED, "true" },
                { OCF_RECORD_DISCONNECTED, "false" } };
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    ocf_buf_clear(&f.out);
    assert_int_equal(ocf_record_write(&f.r, cases[i].flags, &f.out), 0);
    assert_int_equal(ocf_buf_add_u8(&f.out, 0), 0);
    const char *at = strstr((const char *)f.out.p, "\"connected\":");
    assert_non_null(at);
    assert_memory_equal(at + 12, cases[i].want, strlen(cases[i].want));
  }
  teardown(&f);
}

static void test_texts_are_escaped_as_in_go(void **state)
{
  (void)state;
  static const char *const cases[][2] = {
    { "", "\"\"" },
    { "a<b>&c", "\"a\\u003cb\\u003e\\u0026c\"" },
    { "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\\u2028\\u2029\xe2\x80\xaa\"" },
    { "\x01\b\t\n\x0b\f\r\x1f\x7f", "\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\"" },
    { "\"\\/", "\"\\\"\\\\/\"" },
    { "a\xff\xe2\x82z", "\"a\\ufffd\\ufffd\\ufffdz\"" },
    { "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
    { "\xe0\x9f\xbf\xf0\x8f\xbf\xbf\xf4\x90\x80\x80",
      "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"" },
    { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3",
      "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\ufffd\"" },
  };
  struct fixture f;
  setup(&f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    ocf_buf_clear(&f.out);
    assert_int_equal(ocf_record_write_str(str(cases[i][0]), &f.out), 0);
    assert_bytes(ocf_buf_view(&f.out), cases[i][1]);
  }
  teardown(&f);
}

static void test_a_full_buffer_leaves_nothing_behind(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  const struct record_vector *v = &record_vectors[1];
  assert_int_equal(parse(&f, ocf_bytes(v->given, v->n_given)), 0);
  for (size_t max = 0; max < v->n_made; max++) {
    struct ocf_buf b;
    ocf_buf_init(&b, &f.a, max + 1);
    assert_int_equal(ocf_buf_add_u8(&b, 'x'), 0);
    assert_int_equal(ocf_record_write(&f.r, 0, &b), OCF_ELIMIT);
    assert_int_equal(b.n, 1);
    assert_int_equal(ocf_record_write_str(OCF_STR("<"), &b), max < 8 ? OCF_ELIMIT : 0);
    ocf_buf_fini(&b);
  }
  teardown(&f);
}

static void test_a_record_can_be_built(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  const struct ocf_bytes groups[] = { OCF_STR("model=a"), OCF_STR("model=b") };
  struct ocf_record_gpu gpu = { OCF_STR("g"), 2, 1 };
  struct ocf_record_service s = {
    .name = OCF_STR("llm"),
    .status = OCF_STR("connected"),
    .host = OCF_STR("localhost"),
    .port = OCF_STR("8000"),
    .identity_group = { groups, 2, true },
    .hardware = { .gpus = &gpu, .n_gpus = 1, .has_gpus = true },
  };
  assert_int_equal(ocf_record_str(&f.r, &f.r.id, OCF_STR("me")), 0);
  assert_int_equal(ocf_record_strs(&f.r, &f.r.role, groups, 1), 0);
  assert_int_equal(ocf_record_put_service(&f.r, &s), 0);
  s.name = OCF_STR("other");
  s.identity_group = (struct ocf_record_strs){ 0 };
  s.hardware = (struct ocf_record_hardware){ 0 };
  assert_int_equal(ocf_record_put_service(&f.r, &s), 0);
  assert_written(&f, 0,
                 OCF_STR("{\"id\":\"me\",\"latency\":0,\"privileged\":false,\"owner\":\"\","
                         "\"current_offering\":null,"
                         "\"role\":[\"model=a\"],\"status\":\"\",\"available_offering\":null,"
                         "\"service\":[{\"name\":\"llm\",\"hardware\":{\"gpus\":"
                         "[{\"name\":\"g\",\"total_memory\":2,\"used_memory\":1}],\"host_memory\":"
                         "0,\"host_memory_bandwidth\":0,\"host_memory_used\":0},"
                         "\"status\":\"connected\",\"host\":\"localhost\",\"port\":\"8000\","
                         "\"identity_group\":[\"model=a\",\"model=b\"]},"
                         "{\"name\":\"other\",\"hardware\":{\"gpus\":null,\"host_memory\":0,\"host_"
                         "memory_bandwidth\":0,\"host_memory_used\":0},"
                         "\"status\":\"connected\",\"host\":\"localhost\",\"port\":\"8000\","
                         "\"identity_group\":null}],\"last_seen\":0,\"version\":\"\","
                         "\"public_address\":\"\",\"hardware\":{\"gpus\":null,\"host_memory\":0,"
                         "\"host_memory_bandwidth\":0,\"host_memory_used\":0},"
                         "\"connected\":false,\"load\":null}"));
  teardown(&f);
}

static void test_a_service_is_replaced_in_its_place_and_dropped_by_name(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  read_text(&f, "{\"service\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"a\"}]}");
  struct ocf_record_service s = { .name = OCF_STR("b"), .port = OCF_STR("1") };
  assert_int_equal(ocf_record_put_service(&f.r, &s), 0);
  assert_int_equal(f.r.n_services, 3);
  assert_bytes(f.r.service[1].port, "1");
  assert_int_equal(ocf_record_drop_service(&f.r, OCF_STR("a")), 2);
  assert_int_equal(f.r.n_services, 1);
  assert_bytes(f.r.service[0].name, "b");
  assert_int_equal(ocf_record_drop_service(&f.r, OCF_STR("b")), 1);
  assert_int_equal(ocf_record_drop_service(&f.r, OCF_STR("b")), 0);
  assert_true(f.r.n_services == 0 && f.r.has_service); /* now an empty list */
  s.name = OCF_STR("");
  assert_int_equal(ocf_record_put_service(&f.r, &s), OCF_EINVAL);
  teardown(&f);
}

static void test_building_is_bounded(void **state)
{
  (void)state;
  static struct ocf_bytes many[OCF_RECORD_GROUPS_MAX + 1];
  static struct ocf_record_gpu gpus[OCF_RECORD_LIST_MAX + 1];
  char name[OCF_RECORD_STR_MAX + 8];
  struct fixture f;
  setup(&f);
  assert_int_equal(ocf_record_strs(&f.r, &f.r.role, many, OCF_ARRAY_LEN(many)), OCF_ELIMIT);
  assert_int_equal(ocf_record_strs(&f.r, &f.r.role, many, OCF_ARRAY_LEN(many) - 1), 0);
  struct ocf_record_service s = { .name = OCF_STR("s"),
                                  .hardware = { .gpus = gpus, .n_gpus = OCF_ARRAY_LEN(gpus) } };
  assert_int_equal(ocf_record_put_service(&f.r, &s), OCF_ELIMIT);
  s.hardware.n_gpus = 0;
  for (size_t i = 0; i <= OCF_RECORD_SERVICES_MAX; i++) {
    s.name = ocf_bytes(name, (size_t)snprintf(name, sizeof(name), "s%zu", i));
    assert_int_equal(ocf_record_put_service(&f.r, &s),
                     i < OCF_RECORD_SERVICES_MAX ? 0 : OCF_ELIMIT);
  }
  memset(name, 'x', sizeof(name));
  memcpy(name + OCF_RECORD_STR_MAX - 1, "\xe2\x82\xac", 3); /* does not fit whole, so not at all */
  assert_int_equal(ocf_record_str(&f.r, &f.r.id, ocf_bytes(name, sizeof(name))), 0);
  assert_int_equal(f.r.id.n, OCF_RECORD_STR_MAX - 1);
  teardown(&f);
}

/* Goal: no allocation's failure loses memory or leaves a half-made record. */
static void test_out_of_memory_at_every_call(void **state)
{
  (void)state;
  struct fixture f;
  struct ocf_record_gpu gpu = { OCF_STR("g"), 2, 1 };
  struct ocf_bytes group = OCF_STR("model=a");
  static char big[2000];
  memset(big, 'x', sizeof(big));
  for (size_t i = 0; i < OCF_ARRAY_LEN(record_vectors); i++) {
    const struct record_vector *v = &record_vectors[i];
    if (!v->valid)
      continue;
    bool done = false;
    for (uint64_t at = 1; !done; at++) {
      setup(&f);
      f.a.fail_at = at;
      int rc = parse(&f, ocf_bytes(v->given, v->n_given));
      assert_true(rc == 0 || rc == OCF_ENOMEM);
      if (rc != 0)
        assert_int_equal(ocf_record_mem(&f.r), 0);
      if (rc == 0)
        rc = ocf_record_write(&f.r, 0, &f.out);
      assert_true(rc == 0 || (rc == OCF_ENOMEM && f.out.n == 0));
      done = rc == 0;
      f.a.fail_at = 0;
      teardown(&f);
    }
  }
  bool done = false;
  for (uint64_t at = 1; !done; at++) {
    setup(&f);
    f.a.fail_at = at;
    struct ocf_record_service s = { .name = OCF_STR("s"),
                                    .status = ocf_bytes(big, sizeof(big)),
                                    .host = ocf_bytes(big, sizeof(big)),
                                    .port = ocf_bytes(big, sizeof(big)),
                                    .identity_group = { &group, 1, true },
                                    .hardware = { .gpus = &gpu, .n_gpus = 1 } };
    int rc = ocf_record_put_service(&f.r, &s);
    s.name = OCF_STR("t");
    if (rc == 0)
      rc = ocf_record_put_service(&f.r, &s);
    assert_true(rc == 0 || rc == OCF_ENOMEM);
    assert_true(rc == 0 || f.r.n_services < 2);
    done = rc == 0;
    teardown(&f);
  }
}

static void test_identity_groups_split_at_the_first_equals_sign(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    enum ocf_record_group_kind kind;
    const char *key, *value;
  } cases[] = {
    { "model=a", OCF_RECORD_GROUP_EXACT, "model", "a" },
    { "a=b=c", OCF_RECORD_GROUP_EXACT, "a", "b=c" },
    { "model=", OCF_RECORD_GROUP_EXACT, "model", "" },
    { "model=*", OCF_RECORD_GROUP_ANY, "model", "" },
    { "model=**", OCF_RECORD_GROUP_EXACT, "model", "**" },
    { "all", OCF_RECORD_GROUP_ALL, "", "" },
    { "all=x", OCF_RECORD_GROUP_EXACT, "all", "x" },
    { "ALL", OCF_RECORD_GROUP_INVALID, "", "" },
    { "model", OCF_RECORD_GROUP_INVALID, "", "" },
    { "=x", OCF_RECORD_GROUP_INVALID, "", "" },
    { "", OCF_RECORD_GROUP_INVALID, "", "" },
    { "*", OCF_RECORD_GROUP_INVALID, "", "" },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    struct ocf_record_group g = ocf_record_group(str(cases[i].text));
    assert_int_equal(g.kind, cases[i].kind);
    assert_bytes(g.key, cases[i].key);
    assert_bytes(g.value, cases[i].value);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_records_of_go_nodes_come_out_as_they_went_in),
  cmocka_unit_test(test_odd_records_read_as_in_go),
  cmocka_unit_test(test_every_field_is_read),
  cmocka_unit_test(test_our_fields_follow_those_of_go),
  cmocka_unit_test(test_a_field_kept_as_json_is_bounded_and_well_formed),
  cmocka_unit_test(test_unknown_fields_are_counted_and_passed_over),
  cmocka_unit_test(test_numbers_of_elements_are_bounded),
  cmocka_unit_test(test_texts_are_bounded),
  cmocka_unit_test(test_a_record_that_is_too_much_is_refused_whole),
  cmocka_unit_test(test_a_table_row_shows_the_readers_view),
  cmocka_unit_test(test_texts_are_escaped_as_in_go),
  cmocka_unit_test(test_a_full_buffer_leaves_nothing_behind),
  cmocka_unit_test(test_a_record_can_be_built),
  cmocka_unit_test(test_a_service_is_replaced_in_its_place_and_dropped_by_name),
  cmocka_unit_test(test_building_is_bounded),
  cmocka_unit_test(test_out_of_memory_at_every_call),
  cmocka_unit_test(test_identity_groups_split_at_the_first_equals_sign),
};

OCF_TEST_MAIN(tests)
