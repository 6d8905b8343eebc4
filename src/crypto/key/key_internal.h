/* The three kinds of key behind key.h. Private to crypto/key.
 *
 * Each kind turns the Data field of a PublicKey or PrivateKey into a library object, after a strict
 * structural check of our own, so that the library's ASN.1 code only ever sees bytes of a shape and
 * size that were agreed here. */
#ifndef OCF_CRYPTO_KEY_KEY_INTERNAL_H
#define OCF_CRYPTO_KEY_KEY_INTERNAL_H

#include <openssl/evp.h>

#include "crypto/key/key.h"

/* Secrets and public halves on their way between the kinds and key.c; wiped by whoever made one. */
struct ocf_key_parts {
  uint8_t secret[OCF_KEY_PRIVATE_MAX]; /* the PrivateKey's Data */
  size_t n_secret;
  uint8_t raw[OCF_KEY_PUBLIC_MAX]; /* the PublicKey's Data */
  size_t n_raw;
  EVP_PKEY *impl; /* NULL for Ed25519 */
};

/* Ed25519. */
int ocf_key_ed25519_check_public(struct ocf_bytes raw);
int ocf_key_ed25519_private(struct ocf_bytes data, struct ocf_key_parts *out);
void ocf_key_ed25519_from_seed(const uint8_t *seed, struct ocf_key_parts *out);
int ocf_key_ed25519_verify(struct ocf_bytes raw, struct ocf_bytes msg, struct ocf_bytes sig);
void ocf_key_ed25519_sign(const uint8_t *secret, struct ocf_bytes msg, uint8_t *sig);

/* RSA. */
int ocf_key_rsa_public(struct ocf_bytes spki, EVP_PKEY **out);
int ocf_key_rsa_private(struct ocf_bytes pkcs1, struct ocf_key_parts *out);
int ocf_key_rsa_generate(struct ocf_key_parts *out);

/* The two curves: `type` is OCF_KEY_ECDSA (P-256) or OCF_KEY_SECP256K1. */
int ocf_key_ec_public(enum ocf_key_type type, struct ocf_bytes raw, EVP_PKEY **out);
int ocf_key_ec_private(enum ocf_key_type type, struct ocf_bytes data, struct ocf_key_parts *out);
int ocf_key_ec_generate(enum ocf_key_type type, struct ocf_rng *rng, struct ocf_key_parts *out);
/* Turns S into its smaller twin where needed: some secp256k1 verifiers take no other. `sig` is one
 * that we just made, `*n` bytes of it; the new one is never longer. */
int ocf_key_ec_low_s(uint8_t *sig, size_t *n);

#endif
