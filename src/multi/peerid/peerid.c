#include "multi/peerid/peerid.h"

#include "fmt/basex/basex.h"
#include "multi/cid/cid.h"
#include "multi/multihash/multihash.h"

void ocf_peerid_from_key(struct ocf_bytes key_pb, struct ocf_peerid *out)
{
  size_t n = 0;
  uint64_t code =
      key_pb.n <= OCF_PEERID_INLINE_MAX ? OCF_MULTIHASH_IDENTITY : OCF_MULTIHASH_SHA2_256;
  struct ocf_peerid id = { 0 }; /* the key may lie in *out */
  int rc = ocf_multihash_sum(code, key_pb, id.b, sizeof(id.b), &n);
  OCF_ASSERT(rc == 0 && n <= OCF_PEERID_MAX);
  id.n = (uint8_t)n;
  *out = id;
}

int ocf_peerid_from_bytes(struct ocf_bytes mh, struct ocf_peerid *out)
{
  struct ocf_multihash parsed;
  if (ocf_multihash_cast(mh, &parsed) != 0)
    return OCF_EINVAL;
  if (mh.n > OCF_PEERID_MAX)
    return OCF_ELIMIT;
  struct ocf_peerid id = { .n = (uint8_t)mh.n };
  memcpy(id.b, mh.p, mh.n);
  *out = id;
  return 0;
}

static int parse_base58(struct ocf_bytes text, struct ocf_peerid *out)
{
  uint8_t bytes[OCF_PEERID_TEXT_SIZE]; /* text.n bytes always suffice */
  size_t n;
  if (text.n > sizeof(bytes))
    return OCF_ELIMIT;
  int rc = ocf_basex_decode(OCF_BASEX_58, text, bytes, sizeof(bytes), &n);
  return rc != 0 ? rc : ocf_peerid_from_bytes(ocf_bytes(bytes, n), out);
}

static int parse_cid(struct ocf_bytes text, struct ocf_peerid *out)
{
  uint8_t bytes[OCF_PEERID_CID_TEXT_SIZE];
  struct ocf_cid cid;
  if (text.n > sizeof(bytes))
    return OCF_ELIMIT;
  int rc = ocf_cid_decode(text, bytes, sizeof(bytes), &cid);
  if (rc != 0)
    return rc;
  if (cid.version != 1 || cid.codec != OCF_CID_LIBP2P_KEY)
    return OCF_EINVAL;
  return ocf_peerid_from_bytes(cid.hash_bytes, out);
}

int ocf_peerid_parse(struct ocf_bytes text, struct ocf_peerid *out)
{
  bool base58 =
      (text.n >= 1 && text.p[0] == '1') || (text.n >= 2 && text.p[0] == 'Q' && text.p[1] == 'm');
  return base58 ? parse_base58(text, out) : parse_cid(text, out);
}

char *ocf_peerid_text(const struct ocf_peerid *id, char dst[OCF_PEERID_TEXT_SIZE])
{
  int rc = ocf_basex_encode(OCF_BASEX_58, ocf_peerid_view(id), dst, OCF_PEERID_TEXT_SIZE, NULL);
  OCF_ASSERT(rc == 0);
  return dst;
}

int ocf_peerid_cid_text(const struct ocf_peerid *id, char prefix,
                        char dst[OCF_PEERID_CID_TEXT_SIZE])
{
  uint8_t bytes[2 + OCF_PEERID_MAX];
  size_t n;
  struct ocf_cid cid;
  OCF_ASSERT(!ocf_peerid_is_none(id));
  int rc = ocf_cid_encode(OCF_CID_LIBP2P_KEY, ocf_peerid_view(id), bytes, sizeof(bytes), &n);
  OCF_ASSERT(rc == 0);
  rc = ocf_cid_cast(ocf_bytes(bytes, n), &cid);
  OCF_ASSERT(rc == 0);
  return ocf_cid_text(&cid, prefix, dst, OCF_PEERID_CID_TEXT_SIZE, NULL);
}

int ocf_peerid_cmp(const struct ocf_peerid *a, const struct ocf_peerid *b)
{
  int c = memcmp(a->b, b->b, OCF_MIN(a->n, b->n));
  return c != 0 ? c : (int)a->n - (int)b->n;
}

bool ocf_peerid_inline_key(const struct ocf_peerid *id, struct ocf_bytes *key_pb)
{
  struct ocf_multihash mh;
  if (ocf_multihash_cast(ocf_peerid_view(id), &mh) != 0 || mh.code != OCF_MULTIHASH_IDENTITY)
    return false;
  *key_pb = mh.digest;
  return true;
}

int ocf_peerid_matches_key(const struct ocf_peerid *id, struct ocf_bytes key_pb)
{
  struct ocf_multihash mh;
  if (ocf_multihash_cast(ocf_peerid_view(id), &mh) != 0)
    return OCF_EAUTH; /* no id is nobody's */
  int rc = ocf_multihash_verify(&mh, key_pb);
  return rc == OCF_ECRYPTO ? OCF_EAUTH : rc;
}
