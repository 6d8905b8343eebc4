#include "crypto/hash/hash.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(struct ocf_sha256) >= sizeof(crypto_hash_sha256_state), "room for the state");
_Static_assert(_Alignof(struct ocf_sha256) >= _Alignof(crypto_hash_sha256_state), "alignment");

int ocf_crypto_init(void)
{
  return sodium_init() < 0 ? OCF_EIO : 0;
}

/* The library's prototypes want a pointer even for nothing. */
static const unsigned char *bytes_of(const void *p)
{
  return p != NULL ? (const unsigned char *)p : (const unsigned char *)"";
}

void ocf_sha256(const void *p, size_t n, uint8_t out[OCF_SHA256_LEN])
{
  (void)crypto_hash_sha256(out, bytes_of(p), n);
}

void ocf_sha512(const void *p, size_t n, uint8_t out[OCF_SHA512_LEN])
{
  (void)crypto_hash_sha512(out, bytes_of(p), n);
}

static crypto_hash_sha256_state *state_of(struct ocf_sha256 *h)
{
  return (crypto_hash_sha256_state *)(void *)h->opaque;
}

void ocf_sha256_init(struct ocf_sha256 *h)
{
  (void)crypto_hash_sha256_init(state_of(h));
}

void ocf_sha256_add(struct ocf_sha256 *h, const void *p, size_t n)
{
  (void)crypto_hash_sha256_update(state_of(h), bytes_of(p), n);
}

void ocf_sha256_final(struct ocf_sha256 *h, uint8_t out[OCF_SHA256_LEN])
{
  (void)crypto_hash_sha256_final(state_of(h), out);
}

void ocf_hmac_sha256(const uint8_t *key, size_t key_len, const void *p, size_t n,
                     uint8_t out[OCF_SHA256_LEN])
{
  crypto_auth_hmacsha256_state st;

  (void)crypto_auth_hmacsha256_init(&st, bytes_of(key), key_len);
  (void)crypto_auth_hmacsha256_update(&st, bytes_of(p), n);
  (void)crypto_auth_hmacsha256_final(&st, out);
  sodium_memzero(&st, sizeof(st));
}

/* One step of the expansion: HMAC(temp, prev || i), where prev is absent in the first step. */
static void expand(const uint8_t temp[OCF_SHA256_LEN], const uint8_t *prev, uint8_t i,
                   uint8_t out[OCF_SHA256_LEN])
{
  uint8_t in[OCF_SHA256_LEN + 1];
  size_t n = 0;

  if (prev != NULL) {
    memcpy(in, prev, OCF_SHA256_LEN);
    n = OCF_SHA256_LEN;
  }
  in[n++] = i;
  ocf_hmac_sha256(temp, OCF_SHA256_LEN, in, n, out);
  sodium_memzero(in, sizeof(in));
}

void ocf_hkdf2(const uint8_t ck[OCF_SHA256_LEN], const uint8_t *ikm, size_t ikm_len,
               uint8_t out1[OCF_SHA256_LEN], uint8_t out2[OCF_SHA256_LEN])
{
  uint8_t temp[OCF_SHA256_LEN];

  ocf_hmac_sha256(ck, OCF_SHA256_LEN, ikm, ikm_len, temp);
  expand(temp, NULL, 1, out1);
  expand(temp, out1, 2, out2);
  sodium_memzero(temp, sizeof(temp));
}

void ocf_hkdf3(const uint8_t ck[OCF_SHA256_LEN], const uint8_t *ikm, size_t ikm_len,
               uint8_t out1[OCF_SHA256_LEN], uint8_t out2[OCF_SHA256_LEN],
               uint8_t out3[OCF_SHA256_LEN])
{
  uint8_t temp[OCF_SHA256_LEN];

  ocf_hmac_sha256(ck, OCF_SHA256_LEN, ikm, ikm_len, temp);
  expand(temp, NULL, 1, out1);
  expand(temp, out1, 2, out2);
  expand(temp, out2, 3, out3);
  sodium_memzero(temp, sizeof(temp));
}

void ocf_wipe(void *p, size_t n)
{
  if (n > 0)
    sodium_memzero(p, n);
}

bool ocf_ct_eq(const void *a, const void *b, size_t n)
{
  return n == 0 || sodium_memcmp(a, b, n) == 0;
}
