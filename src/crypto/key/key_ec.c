#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <string.h>

#include "crypto/hash/hash.h"
#include "crypto/key/key_internal.h"

enum { SCALAR_LEN = 32, POINT_LEN = 65, COMPRESSED_LEN = 33 };

/* The DER around a P-256 key is the same for every key: a fixed frame, checked byte for byte. */
static const uint8_t p256_spki[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                     0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };
static const uint8_t p256_sec1_head[] = { 0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20 };
static const uint8_t p256_sec1_mid[] = { 0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                         0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00 };

enum {
  P256_SPKI_LEN = sizeof(p256_spki) + POINT_LEN,
  P256_SCALAR_AT = sizeof(p256_sec1_head),
  P256_MID_AT = P256_SCALAR_AT + SCALAR_LEN,
  P256_POINT_AT = P256_MID_AT + sizeof(p256_sec1_mid),
  P256_SEC1_LEN = P256_POINT_AT + POINT_LEN,
};

static int nid_of(enum ocf_key_type type)
{
  return type == OCF_KEY_ECDSA ? NID_X9_62_prime256v1 : NID_secp256k1;
}

/* A library key from a point and, when `scalar` is not NULL, its private number (big-endian). The
 * library refuses points that are not on the curve. */
static int make(enum ocf_key_type type, struct ocf_bytes point, const uint8_t *scalar,
                EVP_PKEY **out)
{
  char group[16];
  uint8_t native[SCALAR_LEN], pub[POINT_LEN];
  BIGNUM *bn = scalar != NULL ? BN_bin2bn(scalar, SCALAR_LEN, NULL) : NULL;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
  int rc = ctx == NULL || (scalar != NULL && bn == NULL) ? OCF_ENOMEM : 0;
  OSSL_PARAM params[4];
  size_t n = 0;

  *out = NULL;
  (void)snprintf(group, sizeof(group), "%s", OBJ_nid2sn(nid_of(type)));
  memcpy(pub, point.p, point.n);
  params[n++] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
  params[n++] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, pub, point.n);
  if (rc == 0 && bn != NULL && BN_bn2nativepad(bn, native, SCALAR_LEN) == SCALAR_LEN)
    params[n++] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, SCALAR_LEN);
  params[n] = OSSL_PARAM_construct_end();
  if (rc == 0 &&
      (EVP_PKEY_fromdata_init(ctx) != 1 ||
       EVP_PKEY_fromdata(ctx, out, scalar != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                         params) != 1))
    rc = OCF_EINVAL;
  if (rc != 0)
    ERR_clear_error();
  ocf_wipe(native, sizeof(native));
  EVP_PKEY_CTX_free(ctx);
  BN_clear_free(bn);
  return rc;
}

int ocf_key_ec_public(enum ocf_key_type type, struct ocf_bytes raw, EVP_PKEY **out)
{
  if (type == OCF_KEY_SECP256K1) {
    if (raw.n != COMPRESSED_LEN || (raw.p[0] != 2 && raw.p[0] != 3))
      return OCF_EINVAL;
    return make(type, raw, NULL, out);
  }
  if (raw.n < sizeof(p256_spki) || memcmp(raw.p, p256_spki, sizeof(p256_spki)) != 0)
    return OCF_EUNSUPP; /* another curve, explicit parameters, or no key at all */
  if (raw.n != P256_SPKI_LEN || raw.p[sizeof(p256_spki)] != 4)
    return OCF_EINVAL;
  return make(type, ocf_bytes(raw.p + sizeof(p256_spki), POINT_LEN), NULL, out);
}

/* The point of `scalar` in uncompressed and compressed form. OCF_ERANGE unless 0 < scalar < order.
 */
static int derive(enum ocf_key_type type, const uint8_t scalar[SCALAR_LEN],
                  uint8_t point[POINT_LEN], uint8_t compressed[COMPRESSED_LEN])
{
  EC_GROUP *g = EC_GROUP_new_by_curve_name(nid_of(type));
  EC_POINT *pt = g != NULL ? EC_POINT_new(g) : NULL;
  BN_CTX *ctx = BN_CTX_secure_new();
  BIGNUM *d = BN_bin2bn(scalar, SCALAR_LEN, BN_secure_new());
  int rc = OCF_ENOMEM;

  if (pt == NULL || ctx == NULL || d == NULL)
    goto out;
  BN_set_flags(d, BN_FLG_CONSTTIME);
  rc = OCF_ERANGE;
  if (BN_is_zero(d) || BN_cmp(d, EC_GROUP_get0_order(g)) >= 0)
    goto out;
  rc = OCF_EIO;
  if (EC_POINT_mul(g, pt, d, NULL, NULL, ctx) == 1 &&
      EC_POINT_point2oct(g, pt, POINT_CONVERSION_UNCOMPRESSED, point, POINT_LEN, ctx) ==
          POINT_LEN &&
      EC_POINT_point2oct(g, pt, POINT_CONVERSION_COMPRESSED, compressed, COMPRESSED_LEN, ctx) ==
          COMPRESSED_LEN)
    rc = 0;
out:
  BN_clear_free(d);
  BN_CTX_free(ctx);
  EC_POINT_free(pt);
  EC_GROUP_free(g);
  return rc;
}

/* Fills all of `out` from the private number. */
static int from_scalar(enum ocf_key_type type, const uint8_t scalar[SCALAR_LEN],
                       struct ocf_key_parts *out)
{
  uint8_t point[POINT_LEN], compressed[COMPRESSED_LEN];
  int rc = derive(type, scalar, point, compressed);

  if (rc != 0)
    return rc;
  if (type == OCF_KEY_SECP256K1) {
    memcpy(out->raw, compressed, COMPRESSED_LEN);
    out->n_raw = COMPRESSED_LEN;
    memcpy(out->secret, scalar, SCALAR_LEN);
    out->n_secret = SCALAR_LEN;
  } else {
    memcpy(out->raw, p256_spki, sizeof(p256_spki));
    memcpy(out->raw + sizeof(p256_spki), point, POINT_LEN);
    out->n_raw = P256_SPKI_LEN;
    memcpy(out->secret, p256_sec1_head, sizeof(p256_sec1_head));
    memcpy(out->secret + P256_SCALAR_AT, scalar, SCALAR_LEN);
    memcpy(out->secret + P256_MID_AT, p256_sec1_mid, sizeof(p256_sec1_mid));
    memcpy(out->secret + P256_POINT_AT, point, POINT_LEN);
    out->n_secret = P256_SEC1_LEN;
  }
  return make(type, ocf_bytes(point, POINT_LEN), scalar, &out->impl);
}

/* The private number inside the SEC 1 form, which carries the point too. */
static int p256_private(struct ocf_bytes data, struct ocf_key_parts *out)
{
  int rc;

  if (data.n != P256_SEC1_LEN || memcmp(data.p, p256_sec1_head, sizeof(p256_sec1_head)) != 0 ||
      memcmp(data.p + P256_MID_AT, p256_sec1_mid, sizeof(p256_sec1_mid)) != 0)
    return OCF_EUNSUPP;
  rc = from_scalar(OCF_KEY_ECDSA, data.p + P256_SCALAR_AT, out);
  if (rc == OCF_ERANGE)
    rc = OCF_EINVAL;
  if (rc == 0 && memcmp(data.p + P256_POINT_AT, out->secret + P256_POINT_AT, POINT_LEN) != 0)
    rc = OCF_EAUTH;
  return rc;
}

int ocf_key_ec_private(enum ocf_key_type type, struct ocf_bytes data, struct ocf_key_parts *out)
{
  int rc;

  if (type == OCF_KEY_ECDSA)
    return p256_private(data, out);
  if (data.n != SCALAR_LEN)
    return OCF_EINVAL;
  rc = from_scalar(type, data.p, out);
  return rc == OCF_ERANGE ? OCF_EINVAL : rc;
}

int ocf_key_ec_generate(enum ocf_key_type type, struct ocf_rng *rng, struct ocf_key_parts *out)
{
  uint8_t scalar[SCALAR_LEN];
  int rc = OCF_ERANGE;

  /* A draw outside the range has a chance of 2^-32 (P-256) or 2^-128: eight in a row are a broken
   * source. */
  for (int i = 0; i < 8 && rc == OCF_ERANGE; i++) {
    ocf_rng_secret(rng, scalar, sizeof(scalar));
    rc = from_scalar(type, scalar, out);
  }
  ocf_wipe(scalar, sizeof(scalar));
  return rc == OCF_ERANGE ? OCF_EIO : rc;
}

int ocf_key_ec_low_s(uint8_t *sig, size_t *n)
{
  const uint8_t *r = sig;
  uint8_t *w = sig;
  ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &r, (long)*n);
  EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_secp256k1);
  BIGNUM *s = BN_new(), *er = NULL;
  int len, rc = OCF_ENOMEM;

  if (es == NULL || g == NULL || s == NULL)
    goto out;
  if (BN_sub(s, EC_GROUP_get0_order(g), ECDSA_SIG_get0_s(es)) != 1)
    goto out;
  rc = 0;
  if (BN_cmp(s, ECDSA_SIG_get0_s(es)) >= 0)
    goto out;
  rc = OCF_ENOMEM;
  er = BN_dup(ECDSA_SIG_get0_r(es));
  if (er == NULL || ECDSA_SIG_set0(es, er, s) != 1)
    goto out;
  er = s = NULL; /* the signature owns them now */
  len = i2d_ECDSA_SIG(es, &w);
  if (len > 0) {
    *n = (size_t)len;
    rc = 0;
  }
out:
  BN_free(er);
  BN_free(s);
  EC_GROUP_free(g);
  ECDSA_SIG_free(es);
  return rc;
}
