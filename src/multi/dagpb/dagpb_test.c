/* Goal: blocks are read as Go's strict reader does, and written as Go's registry writes them.
 * Method: every block of the recorded histories, one small mutation per rule of the reader, and
 * fragments cut at every byte. */
#include "multi/dagpb/dagpb.h"

#include "testing/oom.h"
#include "testing/test.h"
#include "testing/vectors.h"

struct dagpb_rec {
  const char *cid, *hex, *links; /* links: their CIDs of 36 bytes one behind the other */
};
#include "tests/vectors/gen/dagpb_blocks.inc"

enum { LINKS_MAX = 64 };

struct block {
  uint8_t b[4096];
  size_t n;
};

static struct block hex(const char *text)
{
  struct block k = { .n = 0 };
  k.n = ocf_test_hex(text, k.b, sizeof(k.b));
  return k;
}

static struct ocf_bytes view(const struct block *k)
{
  return ocf_bytes(k->b, k->n);
}

static void test_every_recorded_block_is_read_and_written_alike(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf out;
  ocf_alloc_init(&a);
  ocf_buf_init(&out, &a, 1 << 16);
  for (size_t i = 0; i < OCF_ARRAY_LEN(dagpb_recs); i++) {
    struct block k = hex(dagpb_recs[i].hex), want = hex(dagpb_recs[i].links);
    struct block cid = hex(dagpb_recs[i].cid);
    struct ocf_bytes links[LINKS_MAX];
    struct ocf_dagpb_node node;
    struct ocf_dagpb_link l;
    uint8_t name[OCF_CID_BLOCK_SIZE];
    size_t n = 0;
    assert_int_equal(ocf_dagpb_decode(view(&k), &node), 0);
    assert_int_equal(node.n_links * OCF_CID_BLOCK_SIZE, want.n);
    assert_true(node.n_links <= LINKS_MAX);
    struct ocf_dagpb_iter it = ocf_dagpb_iter(&node);
    for (; ocf_dagpb_next(&it, &l); n++) {
      assert_memory_equal(l.cid.bytes.p, want.b + n * OCF_CID_BLOCK_SIZE, OCF_CID_BLOCK_SIZE);
      assert_true(l.name.p != NULL && l.name.n == 0 && l.has_tsize && l.tsize == 0);
      links[n] = l.cid.bytes;
    }
    assert_int_equal(n, node.n_links);
    ocf_buf_clear(&out);
    assert_int_equal(ocf_dagpb_encode(links, n, node.data, &out), 0);
    assert_int_equal(out.n, k.n);
    assert_memory_equal(out.p, k.b, k.n);
    ocf_dagpb_cid(view(&k), name);
    assert_int_equal(cid.n, sizeof(name));
    assert_memory_equal(name, cid.b, sizeof(name));
  }
  ocf_buf_fini(&out);
  assert_int_equal(a.live_bytes, 0);
}

#define CID "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CID0 "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void check(const char *text, bool valid)
{
  struct block k = hex(text);
  struct ocf_dagpb_node node = { .n_links = 77 };
  int rc = ocf_dagpb_decode(view(&k), &node);
  if (rc != (valid ? 0 : OCF_EINVAL))
    fail_msg("%s: %s", text, ocf_errname(rc));
  if (!valid)
    assert_int_equal(node.n_links, 77);
}

static void test_what_go_takes_is_taken(void **state)
{
  (void)state;
  static const char *const valid[] = {
    "",                        /* an empty node */
    "0a00",                    /* empty data */
    "12260a24" CID,            /* a link alone */
    "12240a22" CID0,           /* a version 0 name */
    "12260a24" CID "0a0161",   /* links, then data */
    "0a016112260a24" CID,      /* the old order, which the specification still lets in */
    "12280a24" CID "1200",     /* an empty name */
    "12280a24" CID "1805",     /* a size without a name */
    "122a0a24" CID "12001800", /* as Go writes it */
    "122a0a24" CID "188080"
    "01",                          /* a size of three bytes */
    "12290a25" CID "ff1200",       /* bytes behind the CID: Go does not look at them */
    "12a8000a24" CID "1200",       /* a padded length */
    "12260a24" CID "12260a24" CID, /* the same link twice */
    "12290a24" CID "1201ff",       /* a name that is not UTF-8 */
    "8a000161",                    /* a padded key */
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(valid); i++)
    check(valid[i], true);
}

static void test_what_go_refuses_is_refused(void **state)
{
  (void)state;
  static const char *const bad[] = {
    "0a000a00",                              /* two data */
    "12260a24" CID "0a0012260a24" CID,       /* two runs of links */
    "0801",                                  /* data as a varint */
    "1001",                                  /* links as a varint */
    "1a00",                                  /* field 3 */
    "0a",                                    /* truncated */
    "0a0261",                                /* data over the end */
    "1200",                                  /* a link without a hash */
    "12021200",                              /* only a name */
    "12021800",                              /* only a size */
    "12020a00",                              /* an empty hash */
    "12030a0101",                            /* half a CID */
    "12280a24" CID "0a00",                   /* two hashes */
    "122812000a24" CID,                      /* name first */
    "122818000a24" CID,                      /* size first */
    "122a0a24" CID "18001200",               /* size before name */
    "122a0a24" CID "12001200",               /* two names */
    "122a0a24" CID "18001800",               /* two sizes */
    "12280a24" CID "1000",                   /* name as a varint */
    "12280a24" CID "1a00",                   /* size as bytes */
    "12280a24" CID "2000",                   /* field 4 of a link */
    "12270a24" CID "12",                     /* a key without its value */
    "12310a24" CID "18ffffffffffffffffff02", /* a size over 64 bits */
    "12250a24" CID,                          /* a hash over the end of its link */
    "0a80808080808080808080"
    "01",   /* a length of 11 bytes */
    "00",   /* field 0 */
    "0b0c", /* a group */
  };
  for (size_t i = 0; i < OCF_ARRAY_LEN(bad); i++)
    check(bad[i], false);
}

/* A cut block is read only where the cut falls between two fields. */
static void test_a_cut_block_is_refused_or_shorter(void **state)
{
  (void)state;
  struct block k = hex("122a0a24" CID "12001800"
                       "122a0a24" CID "12001800"
                       "0a0161");
  struct ocf_dagpb_node node;
  size_t n_read = 0;
  for (size_t n = 0; n <= k.n; n++) {
    uint8_t *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, k.b, n);
    if (ocf_dagpb_decode(ocf_bytes(copy, n), &node) == 0) {
      assert_int_equal(node.n_links, n_read < 2 ? n_read : 2);
      n_read++;
    }
    free(copy);
  }
  assert_int_equal(n_read, 4);
}

static void test_absent_and_empty_are_told_apart(void **state)
{
  (void)state;
  struct block none = hex("12260a24" CID), empty = hex("0a00");
  struct ocf_dagpb_node node;
  struct ocf_dagpb_link l;
  assert_int_equal(ocf_dagpb_decode(view(&none), &node), 0);
  assert_null(node.data.p);
  struct ocf_dagpb_iter it = ocf_dagpb_iter(&node);
  assert_true(ocf_dagpb_next(&it, &l));
  assert_null(l.name.p);
  assert_false(l.has_tsize);
  assert_false(ocf_dagpb_next(&it, &l));
  assert_int_equal(ocf_dagpb_decode(view(&empty), &node), 0);
  assert_non_null(node.data.p);
}

static void test_only_cids_are_written_as_links(void **state)
{
  (void)state;
  struct ocf_alloc a;
  struct ocf_buf out;
  struct block good = hex(CID), bad = hex(CID "00");
  struct ocf_bytes links[2] = { view(&good), view(&bad) };
  ocf_alloc_init(&a);
  ocf_buf_init(&out, &a, 100);
  assert_int_equal(ocf_buf_add_str(&out, "x"), 0);
  assert_int_equal(ocf_dagpb_encode(links, 2, ocf_bytes(NULL, 0), &out), OCF_EINVAL);
  assert_int_equal(out.n, 1);
  links[1] = links[0];
  assert_int_equal(ocf_dagpb_encode(links, 2, OCF_STR("0123456789ab"), &out), OCF_ELIMIT);
  assert_int_equal(out.n, 1);
  assert_int_equal(ocf_dagpb_encode(links, 2, ocf_bytes(NULL, 0), &out), 0);
  assert_int_equal(out.n, 1 + 2 * 44);
  ocf_buf_fini(&out);
}

static int encode_body(struct ocf_alloc *a, void *ctx)
{
  const struct ocf_bytes *link = ctx;
  struct ocf_buf out;
  ocf_buf_init(&out, a, 4096);
  int err = ocf_dagpb_encode(link, 1, OCF_STR("data"), &out);
  ocf_buf_fini(&out);
  return err;
}

static void test_no_memory_is_an_error(void **state)
{
  (void)state;
  struct block good = hex(CID);
  struct ocf_bytes link = view(&good);
  assert_true(ocf_oom_sweep(encode_body, &link) > 0);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(test_every_recorded_block_is_read_and_written_alike),
  cmocka_unit_test(test_what_go_takes_is_taken),
  cmocka_unit_test(test_what_go_refuses_is_refused),
  cmocka_unit_test(test_a_cut_block_is_refused_or_shorter),
  cmocka_unit_test(test_absent_and_empty_are_told_apart),
  cmocka_unit_test(test_only_cids_are_written_as_links),
  cmocka_unit_test(test_no_memory_is_an_error),
};

OCF_TEST_MAIN(tests)
