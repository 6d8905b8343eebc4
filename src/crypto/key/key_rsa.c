#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "crypto/hash/hash.h"
#include "crypto/key/der.h"
#include "crypto/key/key_internal.h"

/* SEQUENCE { OID rsaEncryption, NULL }: the only algorithm that a key of type RSA may name. */
static const uint8_t rsa_algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                         0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };

enum { MODULUS_BYTES_MAX = OCF_KEY_RSA_BITS_MAX / 8, EXPONENT_BITS_MAX = 31 };

/* Judged by length and last bit alone: no arithmetic before the sizes are known to be sane. */
static int check_sizes(struct ocf_bytes n, struct ocf_bytes e)
{
  size_t bits = ocf_der_bits(n), e_bits = ocf_der_bits(e);

  if (bits < OCF_KEY_RSA_BITS_MIN || bits > OCF_KEY_RSA_BITS_MAX)
    return OCF_ELIMIT;
  if ((n.p[n.n - 1] & 1) == 0)
    return OCF_EINVAL;
  /* Odd and from 3 to 2^31-1, as Go has it. */
  if (e_bits < 2 || e_bits > EXPONENT_BITS_MAX || (e.p[e.n - 1] & 1) == 0)
    return OCF_EINVAL;
  return 0;
}

/* SubjectPublicKeyInfo down to the two numbers; nothing may follow anywhere. */
static int parse_spki(struct ocf_bytes in, struct ocf_bytes *n, struct ocf_bytes *e)
{
  struct ocf_bytes spki, bits, key;

  if (ocf_der_take(&in, OCF_DER_SEQUENCE, &spki) != 0 || in.n != 0)
    return OCF_EINVAL;
  if (spki.n < sizeof(rsa_algorithm))
    return OCF_EINVAL;
  if (memcmp(spki.p, rsa_algorithm, sizeof(rsa_algorithm)) != 0)
    return OCF_EUNSUPP;
  spki = ocf_bytes(spki.p + sizeof(rsa_algorithm), spki.n - sizeof(rsa_algorithm));
  if (ocf_der_take(&spki, OCF_DER_BIT_STRING, &bits) != 0 || spki.n != 0)
    return OCF_EINVAL;
  if (bits.n < 1 || bits.p[0] != 0) /* the count of unused bits */
    return OCF_EINVAL;
  bits = ocf_bytes(bits.p + 1, bits.n - 1);
  if (ocf_der_take(&bits, OCF_DER_SEQUENCE, &key) != 0 || bits.n != 0)
    return OCF_EINVAL;
  if (ocf_der_take_uint(&key, n) != 0 || ocf_der_take_uint(&key, e) != 0 || key.n != 0)
    return OCF_EINVAL;
  return 0;
}

/* A big-endian magnitude as the library's parameter, which wants the byte order of the machine. */
static OSSL_PARAM number_param(const char *name, struct ocf_bytes mag, uint8_t *room, size_t cap,
                               BIGNUM *scratch)
{
  int len = (int)OCF_MIN(mag.n, cap);

  if (BN_bin2bn(mag.p, (int)mag.n, scratch) == NULL || BN_bn2nativepad(scratch, room, len) != len)
    return OSSL_PARAM_construct_end();
  return OSSL_PARAM_construct_BN(name, room, (size_t)len);
}

static int public_from_numbers(struct ocf_bytes n, struct ocf_bytes e, EVP_PKEY **out)
{
  uint8_t n_room[MODULUS_BYTES_MAX], e_room[8];
  BIGNUM *scratch = BN_new();
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
  int rc = OCF_ENOMEM;

  *out = NULL;
  if (scratch != NULL && ctx != NULL) {
    OSSL_PARAM params[3] = {
      number_param(OSSL_PKEY_PARAM_RSA_N, n, n_room, sizeof(n_room), scratch),
      number_param(OSSL_PKEY_PARAM_RSA_E, e, e_room, sizeof(e_room), scratch),
      OSSL_PARAM_construct_end(),
    };
    if (EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) == 1)
      rc = 0;
  }
  if (rc != 0)
    ERR_clear_error();
  EVP_PKEY_CTX_free(ctx);
  BN_free(scratch);
  return rc;
}

int ocf_key_rsa_public(struct ocf_bytes spki, EVP_PKEY **out)
{
  struct ocf_bytes n, e;
  int rc = parse_spki(spki, &n, &e);

  if (rc == 0)
    rc = check_sizes(n, e);
  return rc != 0 ? rc : public_from_numbers(n, e, out);
}

/* RSAPrivateKey of PKCS#1 with two primes: version 0 and eight numbers, none longer than the
 * modulus. What they have to do with each other is checked by the caller. */
static int check_pkcs1(struct ocf_bytes in, struct ocf_bytes *n, struct ocf_bytes *p,
                       struct ocf_bytes *q)
{
  struct ocf_bytes seq, v[9];
  int rc;

  if (ocf_der_take(&in, OCF_DER_SEQUENCE, &seq) != 0 || in.n != 0)
    return OCF_EINVAL;
  for (size_t i = 0; i < OCF_ARRAY_LEN(v); i++)
    if (ocf_der_take_uint(&seq, &v[i]) != 0)
      return OCF_EINVAL;
  if (seq.n != 0 || v[0].n != 0)
    return OCF_EINVAL;
  rc = check_sizes(v[1], v[2]);
  for (size_t i = 3; rc == 0 && i < OCF_ARRAY_LEN(v); i++)
    if (v[i].n == 0 || v[i].n > v[1].n)
      rc = OCF_EINVAL;
  *n = v[1];
  *p = v[4];
  *q = v[5];
  return rc;
}

/* Whether n = p q. With the trial signature this shows that the file holds one key and not parts of
 * two; that p and q are prime is the business of whoever made it. */
static int check_product(struct ocf_bytes n, struct ocf_bytes p, struct ocf_bytes q)
{
  BN_CTX *ctx = BN_CTX_new();
  BIGNUM *bn = BN_bin2bn(n.p, (int)n.n, NULL), *bp = BN_bin2bn(p.p, (int)p.n, NULL);
  BIGNUM *bq = BN_bin2bn(q.p, (int)q.n, NULL), *pq = BN_new();
  int rc = OCF_ENOMEM;

  if (ctx != NULL && bn != NULL && bp != NULL && bq != NULL && pq != NULL &&
      BN_mul(pq, bp, bq, ctx) == 1)
    rc = !BN_is_one(bp) && !BN_is_one(bq) && BN_cmp(pq, bn) == 0 ? 0 : OCF_EAUTH;
  BN_clear_free(bp);
  BN_clear_free(bq);
  BN_free(pq);
  BN_free(bn);
  BN_CTX_free(ctx);
  return rc;
}

/* Fills the public half of `out` from its library object. */
static int fill_public(struct ocf_key_parts *out)
{
  uint8_t *w = out->raw;
  int len = i2d_PUBKEY(out->impl, NULL);

  if (len <= 0 || (size_t)len > sizeof(out->raw))
    return OCF_EINVAL;
  out->n_raw = (size_t)i2d_PUBKEY(out->impl, &w);
  return 0;
}

/* Signs something and checks it with the public half: a damaged file must not become a node that
 * nobody believes. */
static int trial(EVP_PKEY *key)
{
  static const uint8_t msg[] = "trial";
  uint8_t sig[OCF_KEY_SIG_MAX];
  size_t n = sizeof(sig);
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
            EVP_DigestSign(ctx, sig, &n, msg, sizeof(msg)) == 1 && EVP_MD_CTX_reset(ctx) == 1 &&
            EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
            EVP_DigestVerify(ctx, sig, n, msg, sizeof(msg)) == 1;

  EVP_MD_CTX_free(ctx);
  return ok ? 0 : OCF_EAUTH;
}

int ocf_key_rsa_private(struct ocf_bytes pkcs1, struct ocf_key_parts *out)
{
  struct ocf_bytes n = { NULL, 0 }, p = n, q = n;
  const uint8_t *r = pkcs1.p;
  int rc = pkcs1.n > sizeof(out->secret) ? OCF_ELIMIT : check_pkcs1(pkcs1, &n, &p, &q);

  if (rc == 0)
    rc = check_product(n, p, q);
  if (rc != 0)
    return rc;
  out->impl = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &r, (long)pkcs1.n);
  rc = out->impl == NULL ? OCF_EINVAL : trial(out->impl);
  if (rc == 0)
    rc = fill_public(out);
  if (rc != 0) {
    ERR_clear_error();
    return rc;
  }
  memcpy(out->secret, pkcs1.p, pkcs1.n);
  out->n_secret = pkcs1.n;
  return 0;
}

int ocf_key_rsa_generate(struct ocf_key_parts *out)
{
  uint8_t *w = out->secret;
  int len;

  out->impl = EVP_RSA_gen(OCF_KEY_RSA_BITS_MIN);
  len = out->impl == NULL ? 0 : i2d_PrivateKey(out->impl, NULL);
  if (len <= 0 || (size_t)len > sizeof(out->secret)) {
    ERR_clear_error();
    return OCF_EIO;
  }
  out->n_secret = (size_t)i2d_PrivateKey(out->impl, &w);
  return fill_public(out);
}
