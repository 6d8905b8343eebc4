/* The input is read as binary and as text. Oracle: a parsed CID is made of exactly the bytes it
 * took, is rebuilt from its parts, and comes back from its text in several bases. */
#include <string.h>

#include "multi/cid/cid.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_text(const struct ocf_cid *cid)
{
  static const char prefixes[] = "bfkzuMV";
  static char text[4096];
  static uint8_t b[4096];
  struct ocf_cid back;
  for (size_t i = 0; i < sizeof(prefixes) - 1; i++) {
    size_t n = 0;
    int rc = ocf_cid_text(cid, prefixes[i], text, sizeof(text), &n);
    OCF_ASSERT(rc == 0 || (rc == OCF_ELIMIT && cid->bytes.n > 512));
    if (rc != 0)
      continue;
    OCF_ASSERT(ocf_cid_decode(ocf_bytes(text, n), b, sizeof(b), &back) == 0);
    OCF_ASSERT(ocf_cid_eq(cid, &back) && back.version == cid->version && back.codec == cid->codec);
  }
}

static void check_cid(const struct ocf_cid *cid)
{
  static uint8_t b[4096];
  size_t n = 0;
  OCF_ASSERT(cid->hash_bytes.n >= 2 && cid->hash_bytes.n <= cid->bytes.n);
  OCF_ASSERT(cid->hash_bytes.p + cid->hash_bytes.n == cid->bytes.p + cid->bytes.n);
  if (cid->version == 0) {
    OCF_ASSERT(cid->bytes.n == OCF_MULTIHASH_SHA2_256_SIZE && cid->codec == OCF_CID_DAG_PB);
  } else {
    OCF_ASSERT(cid->version == 1);
    OCF_ASSERT(ocf_cid_encode(cid->codec, cid->hash_bytes, b, sizeof(b), &n) == 0);
    OCF_ASSERT(ocf_bytes_eq(ocf_bytes(b, n), cid->bytes));
  }
  check_text(cid);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static uint8_t b[2048];
  uint8_t name[OCF_CID_BLOCK_SIZE];
  struct ocf_cid cid, whole;
  if (n > 1024)
    return 0;
  if (ocf_cid_parse(ocf_bytes(d, n), &cid) == 0) {
    OCF_ASSERT(cid.bytes.p == d && cid.bytes.n <= n);
    OCF_ASSERT((ocf_cid_cast(ocf_bytes(d, n), &whole) == 0) == (cid.bytes.n == n));
    OCF_ASSERT(ocf_cid_cast(cid.bytes, &whole) == 0);
    check_cid(&cid);
  }
  if (ocf_cid_decode(ocf_bytes(d, n), b, sizeof(b), &cid) == 0)
    check_cid(&cid);
  ocf_cid_of_block(OCF_CID_RAW, ocf_bytes(d, n), name);
  OCF_ASSERT(ocf_cid_cast(ocf_bytes(name, sizeof(name)), &whole) == 0);
  OCF_ASSERT(ocf_multihash_verify(&whole.hash, ocf_bytes(d, n)) == 0);
  return 0;
}
