#include "fmt/pb/pb.h"

#include "base/mem/alloc.h"

#include "testing/test.h"

#define MSG(...)                                                                                   \
  ocf_bytes((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static int count_fields(struct ocf_bytes msg, size_t *n)
{
  struct ocf_pb_reader r = ocf_pb_read(msg);
  struct ocf_pb_field f;
  int rc;
  for (*n = 0; (rc = ocf_pb_next(&r, &f)) > 0;)
    (*n)++;
  return rc;
}

/* Goal: a proto2 message with its required zero comes apart as it was made. The bytes are the head
 * of an RSA public key message: type 0 written explicitly, then data. */
static void test_fields_of_every_wire_type(void **state)
{
  (void)state;
  struct ocf_pb_reader r = ocf_pb_read(MSG(0x08, 0x00, 0x12, 0x02, 0xaa, 0xbb, 0x19, 1, 2, 3, 4, 5,
                                           6, 7, 8, 0x25, 9, 10, 11, 12, 0x2a, 0x00));
  struct ocf_pb_field f;
  assert_int_equal(ocf_pb_next(&r, &f), 1);
  assert_true(ocf_pb_is(&f, 1, OCF_PB_VARINT) && f.value == 0 && f.bytes.p == NULL);
  assert_int_equal(ocf_pb_next(&r, &f), 1);
  assert_true(ocf_pb_is(&f, 2, OCF_PB_BYTES) && f.bytes.n == 2 && f.bytes.p[1] == 0xbb);
  assert_false(ocf_pb_is(&f, 2, OCF_PB_VARINT));
  assert_int_equal(ocf_pb_next(&r, &f), 1);
  assert_true(ocf_pb_is(&f, 3, OCF_PB_FIXED64) && f.value == 0x0807060504030201u);
  assert_int_equal(ocf_pb_next(&r, &f), 1);
  assert_true(ocf_pb_is(&f, 4, OCF_PB_FIXED32) && f.value == 0x0c0b0a09u);
  assert_int_equal(ocf_pb_next(&r, &f), 1); /* present though empty */
  assert_true(ocf_pb_is(&f, 5, OCF_PB_BYTES) && f.bytes.n == 0 && f.bytes.p != NULL);
  assert_int_equal(ocf_pb_next(&r, &f), 0);
  assert_int_equal(ocf_pb_next(&r, &f), 0);
  assert_int_equal(f.number, 5); /* untouched at the end */
}

/* Goal: what no writer makes is refused, and stays refused. */
static void test_malformed_messages_are_refused(void **state)
{
  (void)state;
  const struct ocf_bytes bad[] = {
    MSG(0x00, 0x00),                                                       /* field 0 */
    MSG(0x0b),                                                             /* start of a group */
    MSG(0x0c),                                                             /* end of a group */
    MSG(0x0e, 0x00),                                                       /* wire type 6 */
    MSG(0x0f, 0x00),                                                       /* wire type 7 */
    MSG(0x80, 0x80, 0x80, 0x80, 0x10, 0x00),                               /* field 2^29 */
    MSG(0x08),                                                             /* no value */
    MSG(0x08, 0x80),                                                       /* half a value */
    MSG(0x80),                                                             /* half a key */
    MSG(0x12),                                                             /* no length */
    MSG(0x12, 0x01),                                                       /* no bytes */
    MSG(0x12, 0x03, 1, 2),                                                 /* too few */
    MSG(0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), /* length 2^64 - 1 */
    MSG(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), /* 65 bits */
    MSG(0x19, 1, 2, 3, 4, 5, 6, 7),                                        /* short fixed64 */
    MSG(0x25, 1, 2, 3),                                                    /* short fixed32 */
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct ocf_pb_reader r = ocf_pb_read(bad[i]);
    struct ocf_pb_field f = { .number = 99 };
    assert_int_equal(ocf_pb_next(&r, &f), OCF_EINVAL);
    assert_int_equal(ocf_pb_next(&r, &f), OCF_EINVAL);
    assert_int_equal(f.number, 99);
  }
  size_t n;
  assert_int_equal(count_fields(ocf_bytes(NULL, 0), &n), 0);
  assert_int_equal(n, 0);
  /* Padded integers are legal here, in keys, values and lengths. */
  assert_int_equal(count_fields(MSG(0x88, 0x00, 0x81, 0x00, 0x12, 0x81, 0x80, 0x00, 7), &n), 0);
  assert_int_equal(n, 2);
  /* The largest field number. */
  assert_int_equal(count_fields(MSG(0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01), &n), 0);
  assert_int_equal(n, 1);
}

/* Goal: a message cut between fields ends cleanly, cut elsewhere is refused. */
static void test_every_cut_is_noticed(void **state)
{
  (void)state;
  struct ocf_bytes msg = MSG(0x08, 0x96, 0x01, 0x12, 0x03, 'a', 'b', 'c', 0x25, 1, 2, 3, 4);
  for (size_t cut = 0; cut <= msg.n; cut++) {
    size_t n;
    bool between = cut == 0 || cut == 3 || cut == 8 || cut == 13;
    assert_int_equal(count_fields(ocf_bytes(msg.p, cut), &n), between ? 0 : OCF_EINVAL);
  }
}

/* One message, for every kind of sink. */
static void put_message(struct ocf_pb_writer *w)
{
  struct ocf_pb_writer inner = ocf_pb_count();
  size_t inner_n = 0;
  for (int pass = 0; pass < 2; pass++) {
    struct ocf_pb_writer *to = pass == 0 ? &inner : w;
    if (pass == 1)
      ocf_pb_put_head(w, 4, inner_n);
    ocf_pb_put_str(to, 1, "hello");
    ocf_pb_put_bool(to, 2, false);
    if (pass == 0)
      assert_int_equal(ocf_pb_end(&inner, &inner_n), 0);
  }
  ocf_pb_put_u64(w, 1, 0);
  ocf_pb_put_u64(w, 16, UINT64_MAX);
  ocf_pb_put_i64(w, 3, -1);
  ocf_pb_put_bool(w, 5, true);
  ocf_pb_put_bytes(w, OCF_PB_FIELD_MAX, ocf_bytes(NULL, 0));
  ocf_pb_put_raw(w, OCF_STR("\x30\x07"));
  ocf_pb_put_uvarint(w, 0x78);
  ocf_pb_put_uvarint(w, 300);
}

static const uint8_t message[] = {
  0x22, 0x09, 0x0a, 0x05, 'h',  'e',  'l',  'l',  'o',  0x10, 0x00,       /* 4: {1, 2} */
  0x08, 0x00,                                                             /* 1: 0 */
  0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, /* 16: max */
  0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,       /* 3: -1 */
  0x28, 0x01,                                                             /* 5: true */
  0xfa, 0xff, 0xff, 0xff, 0x0f, 0x00,                                     /* max: "" */
  0x30, 0x07, 0x78, 0xac, 0x02,                                           /* raw, integers */
};

static void test_all_sinks_make_the_same_bytes(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf buf;
  uint8_t room[sizeof(message)];
  size_t n = 0;

  struct ocf_pb_writer w = ocf_pb_count();
  put_message(&w);
  assert_int_equal(ocf_pb_end(&w, &n), 0);
  assert_int_equal(n, sizeof(message));

  w = ocf_pb_write_array(room, sizeof(room));
  put_message(&w);
  assert_int_equal(ocf_pb_end(&w, &n), 0);
  assert_int_equal(n, sizeof(message));
  assert_memory_equal(room, message, sizeof(message));

  ocf_alloc_init(&a);
  ocf_buf_init(&buf, &a, 4096);
  assert_int_equal(ocf_buf_add_str(&buf, "before"), 0);
  w = ocf_pb_write_buf(&buf);
  put_message(&w);
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
  assert_int_equal(buf.n, 6 + sizeof(message));
  assert_memory_equal(buf.p + 6, message, sizeof(message));
  ocf_buf_fini(&buf);
  assert_int_equal(a.live_bytes, 0);
}

/* Goal: an array one byte short, a buffer at its bound and a failing allocator all give the error
 * once, and leave a buffer as it was. */
static void test_a_full_sink_fails_whole(void **state)
{
  (void)state;
  uint8_t room[sizeof(message)];
  size_t n = 4711;
  for (size_t cap = 0; cap < sizeof(message); cap++) {
    struct ocf_pb_writer w = ocf_pb_write_array(room, cap);
    put_message(&w);
    assert_int_equal(ocf_pb_end(&w, &n), OCF_ELIMIT);
    assert_int_equal(n, 4711);

    struct ocf_alloc a;
    struct ocf_buf buf;
    ocf_alloc_init(&a);
    ocf_buf_init(&buf, &a, cap + 2);
    assert_int_equal(ocf_buf_add_str(&buf, "xy"), 0);
    w = ocf_pb_write_buf(&buf);
    put_message(&w);
    assert_int_equal(ocf_pb_end(&w, &n), OCF_ELIMIT);
    assert_int_equal(buf.n, 2);
    ocf_buf_fini(&buf);
    assert_int_equal(a.live_bytes, 0);
  }
}

static void test_out_of_memory_at_every_call(void **state)
{
  (void)state;
  for (uint64_t fail = 1;; fail++) {
    struct ocf_alloc a;
    struct ocf_buf buf;
    size_t n = 0;
    ocf_alloc_init(&a);
    a.fail_at = fail;
    ocf_buf_init(&buf, &a, 100000);
    struct ocf_pb_writer w = ocf_pb_write_buf(&buf);
    for (int i = 0; i < 100; i++)
      put_message(&w);
    int rc = ocf_pb_end(&w, &n);
    assert_int_equal(buf.n, rc == 0 ? n : 0);
    ocf_buf_fini(&buf);
    assert_int_equal(a.live_bytes, 0);
    if (rc == 0)
      return;
    assert_int_equal(rc, OCF_ENOMEM);
  }
}

static void test_sizes_known_first_are_right(void **state)
{
  (void)state;
  static const uint32_t numbers[] = { 1, 15, 16, 2047, 2048, OCF_PB_FIELD_MAX };
  static const uint8_t data[300];
  for (size_t i = 0; i < OCF_ARRAY_LEN(numbers); i++) {
    size_t n;
    struct ocf_pb_writer w = ocf_pb_count();
    ocf_pb_put_u64(&w, numbers[i], 300);
    assert_int_equal(ocf_pb_end(&w, &n), 0);
    assert_int_equal(n, ocf_pb_size_u64(numbers[i], 300));
    w = ocf_pb_count();
    ocf_pb_put_bytes(&w, numbers[i], ocf_bytes(data, sizeof(data)));
    assert_int_equal(ocf_pb_end(&w, &n), 0);
    assert_int_equal(n, ocf_pb_size_bytes(numbers[i], sizeof(data)));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_fields_of_every_wire_type),
  cmocka_unit_test(test_malformed_messages_are_refused),
  cmocka_unit_test(test_every_cut_is_noticed),
  cmocka_unit_test(test_all_sinks_make_the_same_bytes),
  cmocka_unit_test(test_a_full_sink_fails_whole),
  cmocka_unit_test(test_out_of_memory_at_every_call),
  cmocka_unit_test(test_sizes_known_first_are_right),
};

OCF_TEST_MAIN(tests)
