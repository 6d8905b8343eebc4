#include "multi/cid/cid.h"

#include <string.h>

#include "fmt/basex/basex.h"
#include "fmt/varint/varint.h"
#include "multi/multibase/multibase.h"

enum { V0_TEXT_LEN = 46 };

static int parse_v0(struct ocf_bytes in, struct ocf_cid *cid)
{
  if (in.n < OCF_MULTIHASH_SHA2_256_SIZE)
    return OCF_EINVAL;
  struct ocf_bytes whole = ocf_bytes(in.p, OCF_MULTIHASH_SHA2_256_SIZE);
  *cid = (struct ocf_cid){
    .bytes = whole,
    .version = 0,
    .codec = OCF_CID_DAG_PB,
    .hash = { OCF_MULTIHASH_SHA2_256, ocf_bytes(in.p + 2, 32) },
    .hash_bytes = whole,
  };
  return 0;
}

int ocf_cid_parse(struct ocf_bytes in, struct ocf_cid *cid)
{
  uint64_t version, codec;
  struct ocf_multihash hash;
  size_t hash_n;

  if (in.n > 2 && in.p[0] == OCF_MULTIHASH_SHA2_256 && in.p[1] == 32)
    return parse_v0(in, cid);
  int a = ocf_varint_get(in.p, in.n, &version);
  if (a < 0 || version != 1)
    return OCF_EINVAL;
  size_t at = (size_t)a;
  int b = ocf_varint_get(in.p + at, in.n - at, &codec);
  if (b < 0)
    return OCF_EINVAL;
  at += (size_t)b;
  if (ocf_multihash_parse(ocf_bytes(in.p + at, in.n - at), &hash, &hash_n) != 0)
    return OCF_EINVAL;
  *cid = (struct ocf_cid){
    .bytes = ocf_bytes(in.p, at + hash_n),
    .version = 1,
    .codec = codec,
    .hash = hash,
    .hash_bytes = ocf_bytes(in.p + at, hash_n),
  };
  return 0;
}

int ocf_cid_cast(struct ocf_bytes in, struct ocf_cid *cid)
{
  struct ocf_cid got;
  if (ocf_cid_parse(in, &got) != 0 || got.bytes.n != in.n)
    return OCF_EINVAL;
  *cid = got;
  return 0;
}

int ocf_cid_decode(struct ocf_bytes text, uint8_t *dst, size_t cap, struct ocf_cid *cid)
{
  struct ocf_cid got;
  size_t n;
  bool v0 = text.n == V0_TEXT_LEN && text.p[0] == 'Q' && text.p[1] == 'm';
  int rc = v0 ? ocf_basex_decode(OCF_BASEX_58, text, dst, cap, &n)
              : ocf_multibase_decode(text, dst, cap, &n);
  if (rc != 0)
    return rc;
  if (ocf_cid_cast(ocf_bytes(dst, n), &got) != 0 || (v0 && got.version != 0))
    return OCF_EINVAL;
  *cid = got;
  return 0;
}

int ocf_cid_text(const struct ocf_cid *cid, char prefix, char *dst, size_t cap, size_t *n)
{
  if (cid->version == 0)
    return ocf_basex_encode(OCF_BASEX_58, cid->bytes, dst, cap, n);
  return ocf_multibase_encode(prefix != 0 ? prefix : 'b', cid->bytes, dst, cap, n);
}

int ocf_cid_encode(uint64_t codec, struct ocf_bytes hash_bytes, uint8_t *dst, size_t cap, size_t *n)
{
  struct ocf_multihash mh;
  if (ocf_multihash_cast(hash_bytes, &mh) != 0)
    return OCF_EINVAL;
  if (codec > INT64_MAX)
    return OCF_ERANGE;
  size_t head = 1 + ocf_varint_len(codec);
  if (cap < head || cap - head < hash_bytes.n)
    return OCF_EAGAIN;
  dst[0] = 1;
  (void)ocf_varint_put(dst + 1, codec);
  memcpy(dst + head, hash_bytes.p, hash_bytes.n);
  *n = head + hash_bytes.n;
  return 0;
}

void ocf_cid_of_block(uint8_t codec, struct ocf_bytes data, uint8_t dst[OCF_CID_BLOCK_SIZE])
{
  size_t n = 0;
  OCF_ASSERT(codec < 0x80);
  dst[0] = 1;
  dst[1] = codec;
  int rc = ocf_multihash_sum(OCF_MULTIHASH_SHA2_256, data, dst + 2, OCF_CID_BLOCK_SIZE - 2, &n);
  OCF_ASSERT(rc == 0 && n == OCF_MULTIHASH_SHA2_256_SIZE);
}

bool ocf_cid_eq(const struct ocf_cid *a, const struct ocf_cid *b)
{
  return ocf_bytes_eq(a->bytes, b->bytes);
}
