#include "crypto/aead/aead.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "base/core/endian.h"
#include "crypto/hash/hash.h"

/* Up to here libsodium is faster, above it OpenSSL: docs/decisions/0003-aead-library.md. */
enum { SMALL_MAX = 512 };

enum { NONCE_LEN = 12 };

static void nonce_make(uint64_t counter, uint8_t out[NONCE_LEN])
{
  memset(out, 0, 4);
  ocf_put_le64(out + 4, counter);
}

void ocf_aead_init(struct ocf_aead *c, const uint8_t key[OCF_AEAD_KEY_LEN])
{
  c->seal_ctx = NULL;
  c->open_ctx = NULL;
  memcpy(c->key, key, OCF_AEAD_KEY_LEN);
}

void ocf_aead_fini(struct ocf_aead *c)
{
  EVP_CIPHER_CTX_free(c->seal_ctx);
  EVP_CIPHER_CTX_free(c->open_ctx);
  ocf_wipe(c, sizeof(*c));
}

/* The OpenSSL context of one direction, made when first needed. NULL when that fails, which is no
 * error: libsodium then does the work. */
static EVP_CIPHER_CTX *context(void **slot, const uint8_t *key, int encrypt)
{
  if (*slot == NULL) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL &&
        EVP_CipherInit_ex(ctx, EVP_chacha20_poly1305(), NULL, key, NULL, encrypt) != 1) {
      EVP_CIPHER_CTX_free(ctx);
      ctx = NULL;
      ERR_clear_error();
    }
    *slot = ctx;
  }
  return *slot;
}

static int large_seal(EVP_CIPHER_CTX *ctx, const uint8_t nonce[NONCE_LEN], struct ocf_bytes ad,
                      uint8_t *buf, size_t n)
{
  int k;

  /* The library can only fail here when it is broken or misused; its half-written output must then
   * not be sent, and trying the other library would seal other bytes under the same counter. */
  OCF_ASSERT(EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1);
  OCF_ASSERT(ad.n == 0 || EVP_EncryptUpdate(ctx, NULL, &k, ad.p, (int)ad.n) == 1);
  OCF_ASSERT(EVP_EncryptUpdate(ctx, buf, &k, buf, (int)n) == 1);
  OCF_ASSERT((size_t)k == n);
  OCF_ASSERT(EVP_EncryptFinal_ex(ctx, buf + n, &k) == 1);
  OCF_ASSERT(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, OCF_AEAD_TAG_LEN, buf + n) == 1);
  return 0;
}

static int large_open(EVP_CIPHER_CTX *ctx, const uint8_t nonce[NONCE_LEN], struct ocf_bytes ad,
                      uint8_t *buf, size_t n)
{
  int k;
  bool ok = EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, OCF_AEAD_TAG_LEN, buf + n) == 1 &&
            (ad.n == 0 || EVP_DecryptUpdate(ctx, NULL, &k, ad.p, (int)ad.n) == 1) &&
            EVP_DecryptUpdate(ctx, buf, &k, buf, (int)n) == 1 &&
            EVP_DecryptFinal_ex(ctx, buf + n, &k) == 1;

  if (!ok)
    ERR_clear_error();
  return ok ? 0 : OCF_ECRYPTO;
}

int ocf_aead_seal(struct ocf_aead *c, uint64_t counter, struct ocf_bytes ad, uint8_t *buf, size_t n)
{
  uint8_t nonce[NONCE_LEN];
  EVP_CIPHER_CTX *ctx;

  OCF_ASSERT(n <= INT32_MAX && ad.n <= INT32_MAX);
  if (counter == OCF_AEAD_NONCE_MAX)
    return OCF_ERANGE;
  nonce_make(counter, nonce);
  ctx = n > SMALL_MAX ? context(&c->seal_ctx, c->key, 1) : NULL;
  if (ctx != NULL)
    return large_seal(ctx, nonce, ad, buf, n);
  (void)crypto_aead_chacha20poly1305_ietf_encrypt_detached(buf, buf + n, NULL, buf, n, ad.p, ad.n,
                                                           NULL, nonce, c->key);
  return 0;
}

int ocf_aead_open(struct ocf_aead *c, uint64_t counter, struct ocf_bytes ad, uint8_t *buf, size_t n)
{
  uint8_t nonce[NONCE_LEN];
  EVP_CIPHER_CTX *ctx;

  OCF_ASSERT(n <= INT32_MAX && ad.n <= INT32_MAX);
  if (counter == OCF_AEAD_NONCE_MAX)
    return OCF_ERANGE;
  if (n < OCF_AEAD_TAG_LEN)
    return OCF_ECRYPTO;
  n -= OCF_AEAD_TAG_LEN;
  nonce_make(counter, nonce);
  ctx = n > SMALL_MAX ? context(&c->open_ctx, c->key, 0) : NULL;
  if (ctx != NULL)
    return large_open(ctx, nonce, ad, buf, n);
  return crypto_aead_chacha20poly1305_ietf_decrypt_detached(buf, NULL, buf, n, buf + n, ad.p, ad.n,
                                                            nonce, c->key) == 0
             ? 0
             : OCF_ECRYPTO;
}
