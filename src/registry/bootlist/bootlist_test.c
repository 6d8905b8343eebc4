#include "registry/bootlist/bootlist.h"

#include "testing/test.h"

#define A "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
#define B "QmYNKue8EkbVMD2b13qRbBFPV2hpr14gZPPWGDGZu2jjpL"
#define ADDR_A "/ip4/192.0.2.1/tcp/43905/p2p/" A
#define ADDR_B "/dns4/boot.example.org/tcp/43905/p2p/" B
#define ADDR_W "/dns4/boot.example.org/tcp/443/wss/p2p/" B

static struct ocf_bytes str(const char *s)
{
  return ocf_bytes(s, strlen(s));
}

struct fixture {
  struct ocf_alloc a;
  struct ocf_bootlist b;
  struct ocf_buf out;
};

static void setup(struct fixture *f)
{
  ocf_alloc_init(&f->a);
  ocf_bootlist_init(&f->b, &f->a);
  ocf_buf_init(&f->out, &f->a, 1 << 20);
}

static void teardown(struct fixture *f)
{
  ocf_bootlist_fini(&f->b);
  ocf_buf_fini(&f->out);
  assert_int_equal(f->a.live_bytes, 0);
}

static void add_text(struct fixture *f, const char *text)
{
  assert_int_equal(ocf_bootlist_add(&f->b, str(text)), 0);
}

static void assert_entry(const struct fixture *f, size_t i, const char *addr, const char *peer)
{
  char text[OCF_MADDR_TEXT_SIZE], id[OCF_PEERID_TEXT_SIZE];
  assert_true(i < f->b.n);
  assert_int_equal(ocf_maddr_text(&f->b.v[i].addr, text, sizeof(text), NULL), 0);
  assert_string_equal(text, addr);
  assert_string_equal(ocf_peerid_text(&f->b.v[i].peer, id), peer);
}

static void assert_a_and_b(const struct fixture *f)
{
  assert_int_equal(f->b.n, 2);
  assert_entry(f, 0, ADDR_A, A);
  assert_entry(f, 1, ADDR_B, B);
}

/* Goal: all forms of the same list read as the same. */
static void test_every_form_gives_the_same_list(void **state)
{
  (void)state;
  static const char *const forms[] = {
    ADDR_A "," ADDR_B,
    ADDR_A ";" ADDR_B,
    ADDR_A " " ADDR_B,
    ADDR_A "\t" ADDR_B,
    ADDR_A "\n" ADDR_B "\n",
    "  " ADDR_A ",,; \r\n " ADDR_B " , ",
    "[\"" ADDR_A "\",\"" ADDR_B "\"]",
    " [ \" " ADDR_A "\" , \"\", \"" ADDR_B "/\" ] \n",
    "{\"bootstraps\":[\"" ADDR_A "\",\"" ADDR_B "\"]}\n",
    "{\"x\":[1],\"Bootstraps\":[\"\\/ip4\\/192.0.2.1\\/tcp\\/43905\\/p2p\\/" A "\",\"" ADDR_B
    "\"],\"y\":{\"bootstraps\":[]}}",
    "/ip4/192.0.2.1/tcp/43905/ipfs/" A " " ADDR_B " " ADDR_A,
  };
  struct fixture f;
  setup(&f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(forms); i++) {
    ocf_bootlist_clear(&f.b);
    add_text(&f, forms[i]);
    assert_int_equal(f.b.n_errors, 0);
    assert_a_and_b(&f);
  }
  teardown(&f);
}

static void test_nothing_is_no_error(void **state)
{
  (void)state;
  static const char *const forms[] = {
    "", " \n", ",;", "[]", "{\"bootstraps\":[]}", "{\"bootstraps\":null}"
  };
  struct fixture f;
  setup(&f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(forms); i++)
    add_text(&f, forms[i]);
  assert_true(f.b.n == 0 && f.b.n_errors == 0 && f.a.live_bytes == 0);
  teardown(&f);
}

/* Goal: each bad entry is told by its text and code, and the good ones around it stay. */
static void test_one_bad_entry_never_spoils_the_rest(void **state)
{
  (void)state;
  static const struct {
    const char *entry;
    int code;
    const char *says;
  } bad[] = {
    { "nonsense", OCF_EINVAL, "\"nonsense\": not an address" },
    { "/ip4/300.1.1.1/tcp/1/p2p/" A, OCF_EINVAL, "not an address" },
    { "/ip4/192.0.2.1/tcp/43905", OCF_ENOENT, "\"/ip4/192.0.2.1/tcp/43905\": names no peer" },
    { "/ip4/192.0.2.1/tcp/43905/p2p/" A "/p2p-circuit", OCF_ENOENT, "names no peer" },
    { "/ip4/192.0.2.1/tcp/43905/p2p/xyz", OCF_EINVAL, "not an address" },
    { "/quux/1/p2p/" A, OCF_EUNSUPP, "protocol that is not known" },
    { "http://192.0.2.1/list", OCF_EINVAL, "not an address" },
  };
  char text[1024];
  struct fixture f;
  setup(&f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    for (unsigned json = 0; json < 2; json++) {
      const char *q = json ? "\"" : "";
      (void)snprintf(text, sizeof(text), "%s%s%s%s,%s%s%s,%s%s%s%s", json ? "[" : "", q, ADDR_A, q,
                     q, bad[i].entry, q, q, ADDR_B, q, json ? "]" : "");
      ocf_bootlist_clear(&f.b);
      add_text(&f, text);
      assert_a_and_b(&f);
      assert_int_equal(f.b.n_errors, 1);
      assert_int_equal(f.b.errors[0].code, bad[i].code);
      assert_non_null(strstr(f.b.errors[0].text, bad[i].says));
    }
  teardown(&f);
}

static void test_json_of_another_shape_is_told(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    size_t n;
    const char *says;
  } cases[] = {
    { "[1,\"" ADDR_A "\",null,[\"" ADDR_B "\"],{\"a\":1}]", 1, "no text" },
    { "{\"peers\":[]}", 0, "without \"bootstraps\"" },
    { "{}", 0, "without \"bootstraps\"" },
    { "{\"bootstraps\":\"" ADDR_A "\"}", 0, "is no array" },
    { "{\"bootstraps\":{\"a\":[1]},\"bootstraps\":[\"" ADDR_A "\"]}", 1, "is no array" },
    { "[\"" ADDR_A "\",\"" ADDR_B, 1, "not JSON from here" },
    { "[\"" ADDR_A "\",]", 1, "\"]\": not JSON from here" },
    { "[\"" ADDR_A "\"] x", 1, "\" x\": not JSON from here" },
    { "{\"bootstraps\":[\"" ADDR_A "\"]", 1, "not JSON from here" },
    { "{\"bootstraps\":", 0, "not JSON from here" },
    { "{\"bootstraps\":{\"a\":", 0, "is no array" },
    { "{\"x\":[}", 0, "not JSON from here" },
    { "{", 0, "not JSON from here" },
    { "<html>", 0, "not an address" },
  };
  struct fixture f;
  setup(&f);
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    ocf_bootlist_clear(&f.b);
    add_text(&f, cases[i].text);
    assert_int_equal(f.b.n, cases[i].n);
    assert_true(f.b.n_errors >= 1);
    assert_non_null(strstr(f.b.errors[0].text, cases[i].says));
  }
  teardown(&f);
}

static void test_too_long_is_told(void **state)
{
  (void)state;
  static char text[OCF_BOOTLIST_TEXT_MAX + 1];
  struct fixture f;
  setup(&f);
  memset(text, ' ', sizeof(text));
  memcpy(text, ADDR_A, strlen(ADDR_A));
  assert_int_equal(ocf_bootlist_add(&f.b, ocf_bytes(text, sizeof(text))), 0);
  assert_true(f.b.n == 0 && f.b.n_errors == 1 && f.b.errors[0].code == OCF_ELIMIT);
  assert_int_equal(ocf_bootlist_add(&f.b, ocf_bytes(text, sizeof(text) - 1)), 0);
  assert_int_equal(f.b.n, 1);
  memset(text, 'x', 5000);
  memcpy(text, "[\"/dns4/", 8);
  memcpy(text + 4998, "\"]", 2);
  assert_int_equal(ocf_bootlist_add(&f.b, ocf_bytes(text, 5000)), 0);
  assert_int_equal(f.b.errors[1].code, OCF_ELIMIT);
  assert_int_equal(ocf_bootlist_add(&f.b, ocf_bytes(text + 2, 4996)), 0);
  assert_int_equal(f.b.errors[2].code, OCF_ELIMIT);
  assert_non_null(strstr(f.b.errors[2].text, "xxx...\": too long"));
  teardown(&f);
}

static void test_entries_and_errors_are_bounded(void **state)
{
  (void)state;
  char text[128];
  struct fixture f;
  setup(&f);
  for (unsigned i = 0; i < OCF_BOOTLIST_MAX + 3; i++) {
    (void)snprintf(text, sizeof(text), "/ip4/192.0.2.1/tcp/%u/p2p/" A, i + 1);
    add_text(&f, text);
  }
  assert_int_equal(f.b.n, OCF_BOOTLIST_MAX);
  assert_true(f.b.n_errors == 3 && f.b.errors[2].code == OCF_ELIMIT);
  add_text(&f, "/ip4/192.0.2.1/tcp/1/p2p/" A); /* known: no error */
  assert_int_equal(f.b.n_errors, 3);
  for (unsigned i = 0; i < 40; i++)
    add_text(&f, "x");
  assert_int_equal(f.b.n_errors, 43);
  assert_int_equal(ocf_bootlist_errors(&f.b), OCF_BOOTLIST_ERRORS_MAX);
  teardown(&f);
}

static void test_errors_show_hostile_text_escaped(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  add_text(&f, "[\"a\\u001b[2J\\u0000\\\"b\"]");
  assert_int_equal(f.b.n_errors, 1);
  assert_non_null(strstr(f.b.errors[0].text, "a\\u001b[2J\\u0000\\\"b"));
  teardown(&f);
}

static void test_a_source_is_classified_by_its_scheme(void **state)
{
  (void)state;
  static const struct {
    const char *source;
    enum ocf_bootlist_source kind;
    const char *what;
  } cases[] = {
    { "", OCF_BOOTLIST_EMPTY, "" },
    { " \t\r\n", OCF_BOOTLIST_EMPTY, "" },
    { " http://a/b?c ", OCF_BOOTLIST_URL, "http://a/b?c" },
    { "HTTPS://a", OCF_BOOTLIST_URL, "HTTPS://a" },
    { "dnsaddr://boot.example.org", OCF_BOOTLIST_DNSADDR, "boot.example.org" },
    { "DnsAddr://boot.example.org/ ", OCF_BOOTLIST_DNSADDR, "boot.example.org" },
    { "dnsaddr://", OCF_BOOTLIST_DNSADDR, "" },
    { "http:/a", OCF_BOOTLIST_LITERAL, "http:/a" },
    { " " ADDR_A " ", OCF_BOOTLIST_LITERAL, ADDR_A },
    { "[]", OCF_BOOTLIST_LITERAL, "[]" },
    { "/dnsaddr/x/p2p/" A, OCF_BOOTLIST_LITERAL, "/dnsaddr/x/p2p/" A },
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    struct ocf_bytes what;
    assert_int_equal(ocf_bootlist_classify(str(cases[i].source), &what), cases[i].kind);
    assert_true(ocf_bytes_eq(what, str(cases[i].what)));
  }
}

/* Goal: a log never shows a password. */
static void test_a_source_is_shown_without_user_and_password(void **state)
{
  static const struct {
    const char *source, *shown;
  } cases[] = {
    { "https://me:secret@h.example/list?x=a@b", "https://***@h.example/list?x=a@b" },
    { "http://secret@h", "http://***@h" },
    { "https://a:se@cret@h:8092/", "https://***@h:8092/" },
    { "https://h.example/p@q", "https://h.example/p@q" },
    { "https://h.example?a@b", "https://h.example?a@b" },
    { "https://@h", "https://***@h" },
    { "ftp://me:secret@h/", "ftp://***@h/" },
    { "dnsaddr://h.example", "dnsaddr://h.example" },
    { "/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1" },
    { "://", "://" },
    { "", "" },
  };
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    char buf[OCF_BOOTLIST_SHOWN_SIZE], small[8];
    struct ocf_bytes v = ocf_bytes(cases[i].source, strlen(cases[i].source));
    assert_string_equal(ocf_bootlist_shown(v, buf, sizeof(buf)), cases[i].shown);
    assert_true(strlen(ocf_bootlist_shown(v, small, sizeof(small))) < sizeof(small));
  }
}

static void test_an_entry_is_blamed_without_its_password(void **state)
{
  struct ocf_alloc a;
  struct ocf_bootlist l;
  (void)state;
  ocf_alloc_init(&a);
  ocf_bootlist_init(&l, &a);
  assert_int_equal(ocf_bootlist_add(&l, OCF_STR("ftp://me:secret@h/")), 0);
  assert_int_equal(ocf_bootlist_errors(&l), 1);
  assert_null(strstr(l.errors[0].text, "secret"));
  assert_non_null(strstr(l.errors[0].text, "ftp://***@h/"));
  ocf_bootlist_fini(&l);
}

static void test_txt_records_of_others_are_passed_over(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  assert_int_equal(ocf_bootlist_add_txt(&f.b, OCF_STR("v=spf1 -all")), 0);
  assert_int_equal(ocf_bootlist_add_txt(&f.b, OCF_STR("dnsaddr")), 0);
  assert_int_equal(ocf_bootlist_add_txt(&f.b, OCF_STR("dnsaddr=" ADDR_A)), 0);
  assert_int_equal(ocf_bootlist_add_txt(&f.b, OCF_STR("dnsaddr=" ADDR_B)), 0);
  assert_int_equal(f.b.n_errors, 0);
  assert_a_and_b(&f);
  assert_int_equal(ocf_bootlist_add_txt(&f.b, OCF_STR("dnsaddr=/ip4/1.2.3.4")), 0);
  assert_int_equal(f.b.errors[0].code, OCF_ENOENT);
  teardown(&f);
}

static void test_what_is_written_is_read_back(void **state)
{
  (void)state;
  struct fixture f;
  setup(&f);
  assert_int_equal(ocf_bootlist_write(NULL, 0, &f.out), 0);
  assert_true(ocf_bytes_eq(ocf_buf_view(&f.out), OCF_STR("{\"bootstraps\":[]}")));
  add_text(&f, ADDR_A " " ADDR_W);
  ocf_buf_clear(&f.out);
  assert_int_equal(ocf_bootlist_write_list(&f.b, &f.out), 0);
  assert_true(ocf_bytes_eq(ocf_buf_view(&f.out),
                           OCF_STR("{\"bootstraps\":[\"" ADDR_A "\",\"" ADDR_W "\"]}")));
  struct ocf_maddr addrs[2] = { f.b.v[0].addr, f.b.v[1].addr };
  size_t n = f.out.n;
  assert_int_equal(ocf_bootlist_write(addrs, 2, &f.out), 0);
  assert_memory_equal(f.out.p, f.out.p + n, n);
  ocf_bootlist_clear(&f.b);
  assert_int_equal(ocf_bootlist_add(&f.b, ocf_bytes(f.out.p, n)), 0);
  assert_int_equal(f.b.n, 2);
  assert_entry(&f, 1, ADDR_W, B);
  teardown(&f);
}

static void test_an_address_made_elsewhere_is_judged_alike(void **state)
{
  (void)state;
  struct ocf_maddr addr;
  struct fixture f;
  setup(&f);
  assert_int_equal(ocf_maddr_parse(str(ADDR_A), &addr), 0);
  assert_int_equal(ocf_bootlist_add_addr(&f.b, &addr), 0);
  assert_int_equal(ocf_bootlist_add_addr(&f.b, &addr), 0);
  assert_true(f.b.n == 1 && f.b.n_errors == 0);
  ocf_maddr_drop_peer(&addr);
  assert_int_equal(ocf_bootlist_add_addr(&f.b, &addr), 0);
  assert_true(f.b.n == 1 && f.b.errors[0].code == OCF_ENOENT);
  assert_non_null(strstr(f.b.errors[0].text, "\"/ip4/192.0.2.1/tcp/43905\""));
  teardown(&f);
}

static void test_out_of_memory_at_every_call(void **state)
{
  (void)state;
  static const char *const forms[] = { ADDR_A "," ADDR_B, "[\"" ADDR_A "\"]",
                                       "{\"bootstraps\":[\"" ADDR_A "\"]}" };
  char text[128];
  struct fixture f;
  for (size_t i = 0; i < OCF_ARRAY_LEN(forms); i++)
    for (uint64_t at = 1; at < 3; at++) {
      setup(&f);
      f.a.fail_at = at;
      int rc = ocf_bootlist_add(&f.b, str(forms[i]));
      assert_int_equal(rc, at == 1 ? OCF_ENOMEM : 0);
      rc = ocf_bootlist_write_list(&f.b, &f.out);
      assert_true(rc == OCF_ENOMEM && f.out.n == 0);
      teardown(&f);
    }
  setup(&f);
  for (unsigned n = 0; n < 8; n++) {
    (void)snprintf(text, sizeof(text), "/ip4/192.0.2.1/tcp/%u/p2p/" A, n + 1);
    add_text(&f, text);
  }
  f.a.fail_at = f.a.n_calls + 1;
  assert_int_equal(ocf_bootlist_add(&f.b, str(ADDR_B)), OCF_ENOMEM);
  assert_int_equal(f.b.n, 8); /* what was there stays */
  f.a.fail_at = 0;
  add_text(&f, ADDR_B);
  assert_int_equal(f.b.n, 9);
  teardown(&f);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_every_form_gives_the_same_list),
  cmocka_unit_test(test_nothing_is_no_error),
  cmocka_unit_test(test_one_bad_entry_never_spoils_the_rest),
  cmocka_unit_test(test_json_of_another_shape_is_told),
  cmocka_unit_test(test_too_long_is_told),
  cmocka_unit_test(test_entries_and_errors_are_bounded),
  cmocka_unit_test(test_errors_show_hostile_text_escaped),
  cmocka_unit_test(test_a_source_is_classified_by_its_scheme),
  cmocka_unit_test(test_a_source_is_shown_without_user_and_password),
  cmocka_unit_test(test_an_entry_is_blamed_without_its_password),
  cmocka_unit_test(test_txt_records_of_others_are_passed_over),
  cmocka_unit_test(test_what_is_written_is_read_back),
  cmocka_unit_test(test_an_address_made_elsewhere_is_judged_alike),
  cmocka_unit_test(test_out_of_memory_at_every_call),
};

OCF_TEST_MAIN(tests)
