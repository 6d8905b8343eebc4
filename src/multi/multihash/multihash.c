#include "multi/multihash/multihash.h"

#include <string.h>

#include "crypto/hash/hash.h"
#include "fmt/varint/varint.h"

int ocf_multihash_parse(struct ocf_bytes in, struct ocf_multihash *mh, size_t *used)
{
  uint64_t code, len;
  int a = ocf_varint_get(in.p, in.n, &code);
  if (a < 0)
    return OCF_EINVAL;
  size_t at = (size_t)a;
  int b = ocf_varint_get(in.p + at, in.n - at, &len);
  if (b < 0)
    return OCF_EINVAL;
  at += (size_t)b;
  if (len > in.n - at)
    return OCF_EINVAL;
  mh->code = code;
  mh->digest = ocf_bytes(in.p + at, (size_t)len);
  *used = at + (size_t)len;
  return 0;
}

int ocf_multihash_cast(struct ocf_bytes in, struct ocf_multihash *mh)
{
  struct ocf_multihash got;
  size_t used;
  if (ocf_multihash_parse(in, &got, &used) != 0 || used != in.n)
    return OCF_EINVAL;
  *mh = got;
  return 0;
}

int ocf_multihash_encode(struct ocf_multihash mh, uint8_t *dst, size_t cap, size_t *n)
{
  if (mh.code > INT64_MAX)
    return OCF_ERANGE;
  size_t head = ocf_varint_len(mh.code) + ocf_varint_len(mh.digest.n);
  if (cap < head || cap - head < mh.digest.n)
    return OCF_EAGAIN;
  dst += ocf_varint_put(dst, mh.code);
  dst += ocf_varint_put(dst, mh.digest.n);
  if (mh.digest.n > 0)
    memcpy(dst, mh.digest.p, mh.digest.n);
  *n = head + mh.digest.n;
  return 0;
}

/* The digest of `data` as a view of `room`, or of `data` itself. */
static int compute(uint64_t code, struct ocf_bytes data, uint8_t room[OCF_SHA512_LEN],
                   struct ocf_bytes *digest)
{
  switch (code) {
  case OCF_MULTIHASH_IDENTITY: *digest = data; return 0;
  case OCF_MULTIHASH_SHA2_256:
    ocf_sha256(data.p, data.n, room);
    *digest = ocf_bytes(room, OCF_SHA256_LEN);
    return 0;
  case OCF_MULTIHASH_SHA2_512:
    ocf_sha512(data.p, data.n, room);
    *digest = ocf_bytes(room, OCF_SHA512_LEN);
    return 0;
  default: return OCF_EUNSUPP;
  }
}

int ocf_multihash_sum(uint64_t code, struct ocf_bytes data, uint8_t *dst, size_t cap, size_t *n)
{
  uint8_t room[OCF_SHA512_LEN];
  struct ocf_multihash mh = { .code = code };
  int rc = compute(code, data, room, &mh.digest);
  return rc != 0 ? rc : ocf_multihash_encode(mh, dst, cap, n);
}

int ocf_multihash_verify(const struct ocf_multihash *mh, struct ocf_bytes data)
{
  uint8_t room[OCF_SHA512_LEN];
  struct ocf_bytes want;
  int rc = compute(mh->code, data, room, &want);
  if (rc != 0)
    return rc;
  return ocf_bytes_eq(want, mh->digest) ? 0 : OCF_ECRYPTO;
}
