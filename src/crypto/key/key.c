#include "crypto/key/key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "crypto/hash/hash.h"
#include "crypto/key/key_internal.h"
#include "fmt/pb/pb.h"

/* Both messages: 1 Type (enum), 2 Data (bytes), required in the sense of proto2. */
enum { FIELD_TYPE = 1, FIELD_DATA = 2 };

const char *ocf_key_type_name(enum ocf_key_type type)
{
  switch (type) {
  case OCF_KEY_RSA: return "rsa";
  case OCF_KEY_ED25519: return "ed25519";
  case OCF_KEY_SECP256K1: return "secp256k1";
  case OCF_KEY_ECDSA: return "ecdsa";
  }
  return "unknown";
}

/* The two fields, in any order, the last of each counting, unknown ones skipped. */
static int split(struct ocf_bytes pb, enum ocf_key_type *type, struct ocf_bytes *data)
{
  struct ocf_pb_reader r = ocf_pb_read(pb);
  struct ocf_pb_field f;
  uint64_t t = 0;
  bool has_type = false;
  int rc;

  *data = ocf_bytes(NULL, 0);
  while ((rc = ocf_pb_next(&r, &f)) > 0) {
    if (ocf_pb_is(&f, FIELD_TYPE, OCF_PB_VARINT)) {
      t = f.value;
      has_type = true;
    } else if (ocf_pb_is(&f, FIELD_DATA, OCF_PB_BYTES)) {
      *data = f.bytes;
    }
  }
  if (rc != 0 || !has_type || data->p == NULL)
    return OCF_EINVAL;
  if (t > OCF_KEY_ECDSA)
    return OCF_EUNSUPP;
  *type = (enum ocf_key_type)t;
  return 0;
}

static size_t message_size(enum ocf_key_type type, size_t n_data)
{
  return ocf_pb_size_u64(FIELD_TYPE, (uint64_t)type) + ocf_pb_size_bytes(FIELD_DATA, n_data);
}

static void message_put(struct ocf_pb_writer *w, enum ocf_key_type type, struct ocf_bytes data)
{
  ocf_pb_put_u64(w, FIELD_TYPE, (uint64_t)type); /* also when it is 0 (RSA): required */
  ocf_pb_put_bytes(w, FIELD_DATA, data);
}

/* ---- public keys ---- */

/* Makes `k` from checked parts and takes `impl`, which is freed on failure. */
static int pub_make(struct ocf_pubkey *k, struct ocf_alloc *a, enum ocf_key_type type,
                    struct ocf_bytes raw, EVP_PKEY *impl)
{
  size_t n = message_size(type, raw.n);
  uint8_t *pb = ocf_alloc_get(a, n);
  struct ocf_pb_writer w;

  if (pb == NULL) {
    EVP_PKEY_free(impl);
    return OCF_ENOMEM;
  }
  w = ocf_pb_write_array(pb, n);
  message_put(&w, type, raw);
  OCF_ASSERT(ocf_pb_end(&w, NULL) == 0);
  *k = (struct ocf_pubkey){
    .type = type, .a = a, .pb = pb, .n_pb = n, .raw_at = n - raw.n, .impl = impl
  };
  return 0;
}

int ocf_pubkey_unmarshal(struct ocf_pubkey *k, struct ocf_alloc *a, struct ocf_bytes pb)
{
  enum ocf_key_type type = OCF_KEY_ED25519;
  struct ocf_bytes raw;
  EVP_PKEY *impl = NULL;
  int rc;

  memset(k, 0, sizeof(*k));
  if (pb.n > OCF_KEY_PUBLIC_MAX)
    return OCF_ELIMIT;
  rc = split(pb, &type, &raw);
  if (rc != 0)
    return rc;
  switch (type) {
  case OCF_KEY_RSA: rc = ocf_key_rsa_public(raw, &impl); break;
  case OCF_KEY_ED25519: rc = ocf_key_ed25519_check_public(raw); break;
  case OCF_KEY_SECP256K1:
  case OCF_KEY_ECDSA: rc = ocf_key_ec_public(type, raw, &impl); break;
  }
  return rc != 0 ? rc : pub_make(k, a, type, raw, impl);
}

int ocf_pubkey_copy(struct ocf_pubkey *dst, struct ocf_alloc *a, const struct ocf_pubkey *src)
{
  EVP_PKEY *impl = src->impl;

  memset(dst, 0, sizeof(*dst));
  if (impl != NULL && EVP_PKEY_up_ref(impl) != 1)
    return OCF_ENOMEM;
  return pub_make(dst, a, src->type, ocf_pubkey_raw(src), impl);
}

void ocf_pubkey_fini(struct ocf_pubkey *k)
{
  EVP_PKEY_free(k->impl);
  if (k->pb != NULL)
    ocf_alloc_put(k->a, k->pb, k->n_pb);
  memset(k, 0, sizeof(*k));
}

struct ocf_bytes ocf_pubkey_bytes(const struct ocf_pubkey *k)
{
  return ocf_bytes(k->pb, k->n_pb);
}

struct ocf_bytes ocf_pubkey_raw(const struct ocf_pubkey *k)
{
  OCF_ASSERT(k->pb != NULL);
  return ocf_bytes(k->pb + k->raw_at, k->n_pb - k->raw_at);
}

bool ocf_pubkey_eq(const struct ocf_pubkey *a, const struct ocf_pubkey *b)
{
  return ocf_bytes_eq(ocf_pubkey_bytes(a), ocf_pubkey_bytes(b));
}

int ocf_pubkey_verify(const struct ocf_pubkey *k, struct ocf_bytes msg, struct ocf_bytes sig)
{
  EVP_MD_CTX *ctx;
  bool ok;

  OCF_ASSERT(k->pb != NULL);
  if (sig.n == 0 || sig.n > OCF_KEY_SIG_MAX)
    return OCF_ECRYPTO;
  if (k->type == OCF_KEY_ED25519)
    return ocf_key_ed25519_verify(ocf_pubkey_raw(k), msg, sig);
  ctx = EVP_MD_CTX_new();
  if (ctx == NULL)
    return OCF_ENOMEM;
  ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, k->impl) == 1 &&
       EVP_DigestVerify(ctx, sig.p, sig.n, msg.p, msg.n) == 1;
  EVP_MD_CTX_free(ctx);
  if (!ok)
    ERR_clear_error();
  return ok ? 0 : OCF_ECRYPTO;
}

/* ---- private keys ---- */

/* Makes `k` from `rc` and `parts`, and empties the parts. */
static int key_make(struct ocf_key *k, struct ocf_alloc *a, enum ocf_key_type type, int rc,
                    struct ocf_key_parts *parts)
{
  EVP_PKEY *impl = parts->impl;

  memset(k, 0, sizeof(*k));
  if (rc == 0 && impl != NULL && EVP_PKEY_up_ref(impl) != 1)
    rc = OCF_ENOMEM;
  if (rc == 0)
    rc = pub_make(&k->pub, a, type, ocf_bytes(parts->raw, parts->n_raw), impl);
  if (rc == 0) {
    k->secret = ocf_alloc_get(a, parts->n_secret);
    if (k->secret == NULL)
      rc = OCF_ENOMEM;
  }
  if (rc == 0) {
    memcpy(k->secret, parts->secret, parts->n_secret);
    k->n_secret = parts->n_secret;
    k->impl = impl;
  } else {
    ocf_pubkey_fini(&k->pub);
    EVP_PKEY_free(impl);
  }
  ocf_wipe(parts, sizeof(*parts));
  return rc;
}

int ocf_key_generate(struct ocf_key *k, struct ocf_alloc *a, enum ocf_key_type type,
                     struct ocf_rng *rng)
{
  struct ocf_key_parts parts = { .impl = NULL };
  uint8_t seed[OCF_KEY_ED25519_SEED_LEN];
  int rc = 0;

  switch (type) {
  case OCF_KEY_RSA: rc = ocf_key_rsa_generate(&parts); break;
  case OCF_KEY_ED25519:
    ocf_rng_secret(rng, seed, sizeof(seed));
    ocf_key_ed25519_from_seed(seed, &parts);
    ocf_wipe(seed, sizeof(seed));
    break;
  case OCF_KEY_SECP256K1:
  case OCF_KEY_ECDSA: rc = ocf_key_ec_generate(type, rng, &parts); break;
  }
  return key_make(k, a, type, rc, &parts);
}

int ocf_key_from_seed(struct ocf_key *k, struct ocf_alloc *a,
                      const uint8_t seed[OCF_KEY_ED25519_SEED_LEN])
{
  struct ocf_key_parts parts = { .impl = NULL };

  ocf_key_ed25519_from_seed(seed, &parts);
  return key_make(k, a, OCF_KEY_ED25519, 0, &parts);
}

int ocf_key_unmarshal_private(struct ocf_key *k, struct ocf_alloc *a, struct ocf_bytes pb)
{
  enum ocf_key_type type = OCF_KEY_ED25519;
  struct ocf_key_parts parts = { .impl = NULL };
  struct ocf_bytes data = { NULL, 0 };
  int rc = pb.n > OCF_KEY_PRIVATE_MAX ? OCF_ELIMIT : split(pb, &type, &data);

  memset(k, 0, sizeof(*k));
  if (rc != 0)
    return rc;
  switch (type) {
  case OCF_KEY_RSA: rc = ocf_key_rsa_private(data, &parts); break;
  case OCF_KEY_ED25519: rc = ocf_key_ed25519_private(data, &parts); break;
  case OCF_KEY_SECP256K1:
  case OCF_KEY_ECDSA: rc = ocf_key_ec_private(type, data, &parts); break;
  }
  return key_make(k, a, type, rc, &parts);
}

size_t ocf_key_marshal_size(const struct ocf_key *k)
{
  return message_size(k->pub.type, k->n_secret);
}

int ocf_key_marshal_private(const struct ocf_key *k, struct ocf_buf *out)
{
  struct ocf_pb_writer w;
  int rc;

  OCF_ASSERT(k->secret != NULL);
  rc = ocf_buf_reserve(out,
                       ocf_key_marshal_size(k)); /* so that no half-written copy is left behind */
  if (rc != 0)
    return rc;
  w = ocf_pb_write_buf(out);
  message_put(&w, k->pub.type, ocf_bytes(k->secret, k->n_secret));
  return ocf_pb_end(&w, NULL);
}

void ocf_key_fini(struct ocf_key *k)
{
  if (k->secret != NULL) {
    ocf_wipe(k->secret, k->n_secret);
    ocf_alloc_put(k->pub.a, k->secret, k->n_secret);
  }
  EVP_PKEY_free(k->impl);
  ocf_pubkey_fini(&k->pub);
  memset(k, 0, sizeof(*k));
}

const struct ocf_pubkey *ocf_key_public(const struct ocf_key *k)
{
  return &k->pub;
}

/* RSA and the curves. */
static int sign_by_library(const struct ocf_key *k, struct ocf_bytes msg, uint8_t *sig, size_t *n)
{
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool ok;

  if (ctx == NULL)
    return OCF_ENOMEM;
  *n = OCF_KEY_SIG_MAX;
  ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->impl) == 1 &&
       EVP_DigestSign(ctx, sig, n, msg.p, msg.n) == 1;
  EVP_MD_CTX_free(ctx);
  if (!ok) {
    ERR_clear_error();
    return OCF_EIO;
  }
  return k->pub.type == OCF_KEY_SECP256K1 ? ocf_key_ec_low_s(sig, n) : 0;
}

int ocf_key_sign(const struct ocf_key *k, struct ocf_bytes msg, uint8_t *sig, size_t cap, size_t *n)
{
  uint8_t buf[OCF_KEY_SIG_MAX];
  size_t len = 64;
  int rc = 0;

  OCF_ASSERT(k->secret != NULL);
  if (k->pub.type == OCF_KEY_ED25519)
    ocf_key_ed25519_sign(k->secret, msg, buf);
  else
    rc = sign_by_library(k, msg, buf, &len);
  if (rc == 0 && len > cap)
    rc = OCF_EAGAIN;
  if (rc != 0)
    return rc;
  memcpy(sig, buf, len);
  *n = len;
  return 0;
}
