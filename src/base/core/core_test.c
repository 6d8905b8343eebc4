#define _POSIX_C_SOURCE 200809L
#include "base/core/core.h"
#include "base/core/endian.h"
#include "base/core/err.h"
#include "testing/panic.h"
#include "testing/test.h"

/* Goal: no code lacks a text or shares its number. Method: walk the one list. */
static void test_every_error_has_a_text_and_a_name(void **state)
{
  (void)state;
  static const int codes[] = {
#define X(name, value, text) name,
    OCF_ERRORS(X)
#undef X
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(codes); i++) {
    assert_int_equal(codes[i], -1 - (int)i); /* dense, so that tables may be indexed by -code */
    assert_string_not_equal(ocf_strerror(codes[i]), "unknown error");
    assert_memory_equal(ocf_errname(codes[i]), "OCF_E", 5);
    for (size_t j = 0; j < i; j++)
      assert_string_not_equal(ocf_strerror(codes[i]), ocf_strerror(codes[j]));
  }
  assert_string_equal(ocf_strerror(0), "ok");
  assert_string_equal(ocf_errname(0), "OCF_OK");
  assert_string_equal(ocf_strerror(-1000), "unknown error");
  assert_string_equal(ocf_errname(1), "OCF_E?");
  assert_string_equal(ocf_errname(OCF_EPROTO), "OCF_EPROTO");
}

static void test_views_compare_by_content(void **state)
{
  (void)state;
  assert_true(ocf_bytes_eq(OCF_STR("abc"), ocf_bytes("abcd", 3)));
  assert_false(ocf_bytes_eq(OCF_STR("abc"), OCF_STR("abd")));
  assert_false(ocf_bytes_eq(OCF_STR("abc"), OCF_STR("abcd")));
  assert_true(ocf_bytes_eq(ocf_bytes(NULL, 0), OCF_STR("")));
}

static void test_integers_keep_their_byte_order(void **state)
{
  (void)state;
  const uint8_t p[9] = { 0xff, 1, 2, 3, 4, 5, 6, 7, 8 };
  uint8_t out[8];
  assert_int_equal(ocf_get_be16(p + 1), 0x0102);
  assert_int_equal(ocf_get_be32(p + 1), 0x01020304);
  assert_true(ocf_get_be64(p + 1) == UINT64_C(0x0102030405060708));
  assert_int_equal(ocf_get_le16(p + 1), 0x0201);
  assert_int_equal(ocf_get_le32(p + 1), 0x04030201);
  assert_true(ocf_get_le64(p + 1) == UINT64_C(0x0807060504030201));
  ocf_put_be64(out, UINT64_C(0x0102030405060708));
  assert_memory_equal(out, p + 1, 8);
  ocf_put_le64(out, UINT64_C(0x0807060504030201));
  assert_memory_equal(out, p + 1, 8);
  ocf_put_be32(out, 0x01020304);
  ocf_put_be16(out + 4, 0x0506);
  assert_memory_equal(out, p + 1, 6);
  ocf_put_le32(out, 0x04030201);
  ocf_put_le16(out + 4, 0x0605);
  assert_memory_equal(out, p + 1, 6);
}

static void test_an_error_for_people_carries_code_message_and_cure(void **state)
{
  (void)state;
  struct ocf_err e;
  assert_int_equal(ocf_err_set(&e, OCF_EINUSE, "choose another port", "port %d is taken", 8092),
                   OCF_EINUSE);
  assert_int_equal(e.code, OCF_EINUSE);
  assert_string_equal(e.msg, "port 8092 is taken");
  assert_string_equal(e.cure, "choose another port");
  assert_int_equal(ocf_err_set(&e, OCF_EIO, NULL, "x"), OCF_EIO);
  assert_string_equal(e.cure, "");
  assert_int_equal(ocf_err_set(NULL, OCF_EIO, NULL, "x"), OCF_EIO);
}

static void test_an_error_text_longer_than_its_field_is_cut(void **state)
{
  (void)state;
  struct ocf_err e;
  char text[1000];
  memset(text, 'x', sizeof(text) - 1);
  text[sizeof(text) - 1] = '\0';
  (void)ocf_err_set(&e, OCF_EIO, text, "%s", text);
  assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
  assert_int_equal(strlen(e.cure), sizeof(e.cure) - 1);
}

static void break_a_promise(void *ctx)
{
  OCF_ASSERT(ctx != NULL);
}

static void test_a_failed_assertion_names_itself_and_aborts(void **state)
{
  (void)state;
  ocf_assert_panics(break_a_promise, NULL, "assertion failed: ctx != NULL");
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_every_error_has_a_text_and_a_name),
  cmocka_unit_test(test_views_compare_by_content),
  cmocka_unit_test(test_integers_keep_their_byte_order),
  cmocka_unit_test(test_an_error_for_people_carries_code_message_and_cure),
  cmocka_unit_test(test_an_error_text_longer_than_its_field_is_cut),
  cmocka_unit_test(test_a_failed_assertion_names_itself_and_aborts),
};
OCF_TEST_MAIN(tests)
