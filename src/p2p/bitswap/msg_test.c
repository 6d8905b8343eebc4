/* Goal: messages are read as boxo reads them and written as it writes them. Method: every recorded
 * message against its decoded form, then rebuilt byte for byte; one mutation per rule of the
 * reader; every cut. */
#include "p2p/bitswap/msg.h"

#include "testing/test.h"
#include "testing/vectors.h"

struct bitswap_rec {
  const char *name, *from, *hex, *items;
};
#include "tests/vectors/gen/bitswap_vectors.inc"

struct bytes {
  uint8_t b[8192];
  size_t n;
};

static struct bytes hex(const char *text)
{
  struct bytes k = { .n = 0 };
  k.n = ocf_test_hex(text, k.b, sizeof(k.b));
  return k;
}

/* The message behind its length. */
static struct ocf_bytes body(const struct bytes *k)
{
  uint64_t len = 0;
  size_t head = 1;
  while (k->b[head - 1] & 0x80)
    head++;
  for (size_t i = head; i-- > 0;)
    len = len << 7 | (k->b[i] & 0x7f);
  assert_int_equal(k->n, head + len);
  return ocf_bytes(k->b + head, (size_t)len);
}

struct text {
  char s[16384];
  size_t n;
};

static void add(struct text *t, const char *fmt, ...) OCF_PRINTF(2, 3);
static void add(struct text *t, const char *fmt, ...)
{
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(t->s + t->n, sizeof(t->s) - t->n, fmt, ap);
  va_end(ap);
  assert_true(n >= 0 && (size_t)n < sizeof(t->s) - t->n);
  t->n += (size_t)n;
}

static void add_hex(struct text *t, struct ocf_bytes b)
{
  for (size_t i = 0; i < b.n; i++)
    add(t, "%02x", b.p[i]);
}

static void describe_entry(struct text *t, const struct ocf_bitswap_item *e)
{
  add(t, "want ");
  add_hex(t, e->cid.bytes);
  add(t, " %s %d%s\n",
      e->cancel ? "cancel"
      : e->have ? "have"
                : "block",
      (int)e->priority, e->send_dont ? " dh" : "");
}

static void describe(struct text *t, struct ocf_bytes msg)
{
  struct ocf_bitswap_walk w = ocf_bitswap_walk(msg);
  struct ocf_bitswap_item i;
  bool full = false;
  assert_int_equal(ocf_bitswap_msg_check(msg, &full), 0);
  while (ocf_bitswap_walk_next(&w, &i) > 0) {
    switch (i.type) {
    case OCF_BITSWAP_ITEM_ENTRY: describe_entry(t, &i); break;
    case OCF_BITSWAP_ITEM_BLOCK:
      add(t, "block ");
      add_hex(t, i.prefix);
      add(t, "%s ", i.prefix.p == NULL ? "-" : "");
      add_hex(t, i.data);
      add(t, "\n");
      break;
    case OCF_BITSWAP_ITEM_PRESENCE:
      add(t, "%s ", i.dont_have ? "dont" : "have");
      add_hex(t, i.cid.bytes);
      add(t, "\n");
      break;
    }
  }
  if (full)
    add(t, "full\n");
}

static void test_every_recorded_message_is_understood(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bitswap_recs); i++) {
    struct bytes k = hex(bitswap_recs[i].hex);
    struct text t = { .n = 0 };
    describe(&t, body(&k));
    assert_string_equal(t.s, bitswap_recs[i].items);
  }
}

/* Writes again what the walk shows. */
static void rebuild(struct ocf_bytes msg, struct ocf_buf *out, struct ocf_buf *tmp)
{
  bool full = false, list_done = false;
  assert_int_equal(ocf_bitswap_msg_check(msg, &full), 0);
  struct ocf_pb_writer list = ocf_pb_write_buf(tmp), w = ocf_pb_write_buf(out);
  struct ocf_bitswap_walk walk = ocf_bitswap_walk(msg);
  struct ocf_bitswap_item i = { .type = OCF_BITSWAP_ITEM_ENTRY };
  while (ocf_bitswap_walk_next(&walk, &i) > 0) {
    if (i.type == OCF_BITSWAP_ITEM_ENTRY) {
      struct ocf_bitswap_entry e = { i.cid.bytes, i.priority, i.cancel, i.have, i.send_dont };
      ocf_bitswap_put_entry(&list, &e);
      continue;
    }
    if (!list_done)
      ocf_bitswap_put_wantlist(&w, ocf_buf_view(tmp), full);
    list_done = true;
    if (i.type == OCF_BITSWAP_ITEM_PRESENCE) {
      ocf_bitswap_put_presence(&w, i.cid.bytes, i.dont_have);
      continue;
    }
    uint8_t name[OCF_CID_BLOCK_SIZE];
    struct ocf_cid cid;
    ocf_cid_of_block(i.prefix.p == NULL ? OCF_CID_DAG_PB : i.prefix.p[1], i.data, name);
    assert_int_equal(ocf_cid_cast(ocf_bytes(name, sizeof(name)), &cid), 0);
    ocf_bitswap_put_block(&w, &cid, i.data, i.prefix.p == NULL);
  }
  if (!list_done)
    ocf_bitswap_put_wantlist(&w, ocf_buf_view(tmp), full);
  assert_int_equal(ocf_pb_end(&list, NULL), 0);
  assert_int_equal(ocf_pb_end(&w, NULL), 0);
}

/* Those of the Go nodes; the hand-written ones of the probes choose their own field order. */
static void test_what_go_wrote_is_written_alike(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf out, tmp;
  size_t n = 0;
  ocf_alloc_init(&a);
  ocf_buf_init(&out, &a, 1 << 16);
  ocf_buf_init(&tmp, &a, 1 << 16);
  for (size_t i = 0; i < OCF_ARRAY_LEN(bitswap_recs); i++) {
    if (strncmp(bitswap_recs[i].name, "probe", 5) == 0)
      continue;
    struct bytes k = hex(bitswap_recs[i].hex);
    struct ocf_bytes msg = body(&k);
    ocf_buf_clear(&out);
    ocf_buf_clear(&tmp);
    rebuild(msg, &out, &tmp);
    assert_int_equal(out.n, msg.n);
    assert_memory_equal(out.p, msg.p, msg.n);
    n++;
  }
  assert_true(n > 50);
  ocf_buf_fini(&out);
  ocf_buf_fini(&tmp);
  assert_int_equal(a.live_bytes, 0);
}

#define CID "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CID0 "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_odd_messages_are_understood(void **state)
{
  (void)state;
  static const struct {
    const char *hex, *items;
  } good[] = {
    { "", "" },
    { "0a00", "" },
    { "2864", "" },                                                   /* pending bytes */
    { "0a280a260a24" CID, "want " CID " block 0\n" },                 /* only a CID */
    { "0a260a240a22" CID0, "want " CID0 " block 0\n" },               /* version 0 */
    { "0a2e0a2c0a24" CID "10ffffffff0f", "want " CID " block -1\n" }, /* 32 bits of a negative */
    { "0a330a310a24" CID "10ffffffffffffffffff01", "want " CID " block -1\n" },
    { "0a2a0a280a24" CID "2002", "want " CID " have 0\n" },      /* an unknown kind of want */
    { "0a2c0a2a0a24" CID "20012000", "want " CID " block 0\n" }, /* the last one wins */
    { "0a021001", "full\n" },
    { "0a0210010a021000", "" }, /* merged lists */
    { "0a0210010a00", "full\n" },
    { "0a280a260a24" CID "22260a24" CID, "want " CID " block 0\nhave " CID "\n" },
    { "22280a24" CID "1001", "dont " CID "\n" },
    { "22280a24" CID "1007", "dont " CID "\n" },
    { "12026162", "block - 6162\n" },
    { "1a0a0a04015512201202"
      "6162",
      "block 01551220 6162\n" },
    { "1a060a0401551220", "block 01551220 \n" },         /* no data is empty data */
    { "1a080a0601551220ffff", "block 01551220ffff \n" }, /* bytes behind a prefix */
    { "720161", "" },                                    /* an unknown field */
    { "0801", "" },                                      /* a known one as a varint */
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(good); i++) {
    struct bytes k = hex(good[i].hex);
    struct text t = { .n = 0 };
    describe(&t, ocf_bytes(k.b, k.n));
    assert_string_equal(t.s, good[i].items);
  }
}

static void test_what_boxo_refuses_is_refused(void **state)
{
  (void)state;
  static const char *const bad[] = {
    "0a",                     /* cut */
    "0a020a00",               /* an entry without a CID */
    "0a040a020a00",           /* with an empty one */
    "0a050a030a0101",         /* half a one */
    "0a290a270a25" CID "00",  /* more than one */
    "0a270a260a24" CID,       /* over the end of its list */
    "2200",                   /* a presence of nothing */
    "22021001",               /* likewise */
    "22270a25" CID "00",      /* a CID and a byte */
    "1a00",                   /* a block without a prefix */
    "1a021200",               /* likewise */
    "1a050a03015512",         /* a prefix of three numbers */
    "1a080a06015580001220",   /* one that is not minimal */
    "0b0c",                   /* a group */
    "ffffffffffffffffffff01", /* not a key */
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++) {
    struct bytes k = hex(bad[i]);
    bool full = true;
    if (ocf_bitswap_msg_check(ocf_bytes(k.b, k.n), &full) != OCF_EINVAL)
      fail_msg("%s was read", bad[i]);
    assert_true(full); /* untouched */
  }
}

/* Every prefix of every recorded message is read or refused within its own bytes. */
static void test_no_cut_reads_past_its_end(void **state)
{
  (void)state;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bitswap_recs); i++) {
    struct bytes k = hex(bitswap_recs[i].hex);
    struct ocf_bytes msg = body(&k);
    for (size_t n = 0; n < msg.n; n++) {
      uint8_t *copy = malloc(n + 1);
      bool full;
      assert_non_null(copy);
      memcpy(copy, msg.p, n);
      if (ocf_bitswap_msg_check(ocf_bytes(copy, n), &full) == 0) {
        struct text t = { .n = 0 };
        describe(&t, ocf_bytes(copy, n));
      }
      free(copy);
    }
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_every_recorded_message_is_understood),
  cmocka_unit_test(test_what_go_wrote_is_written_alike),
  cmocka_unit_test(test_odd_messages_are_understood),
  cmocka_unit_test(test_what_boxo_refuses_is_refused),
  cmocka_unit_test(test_no_cut_reads_past_its_end),
};

OCF_TEST_MAIN(tests)
