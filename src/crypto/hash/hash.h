/* SHA-256, SHA-512, HMAC-SHA-256 and the HKDF that Noise uses. libsodium is behind it: these calls
 * allocate nothing and cannot fail.
 *
 * Pure functions over caller's memory; safe from any thread as long as each struct belongs to one.
 * Inputs of length 0 may be NULL. Specs: FIPS 180-4, RFC 2104, RFC 5869, Noise rev 34 section 4.3.
 */
#ifndef OCF_CRYPTO_HASH_HASH_H
#define OCF_CRYPTO_HASH_HASH_H

#include "base/core/core.h"

enum { OCF_SHA256_LEN = 32, OCF_SHA512_LEN = 64 };

/* Picks the fastest code for this processor in the library behind crypto/. To be called once at the
 * start of a program, by the program (layer 6) and not by a core: everything works without it, only
 * slower. May be called again. 0, or OCF_EIO when the library refuses. */
OCF_NODISCARD int ocf_crypto_init(void);

void ocf_sha256(const void *p, size_t n, uint8_t out[OCF_SHA256_LEN]);
void ocf_sha512(const void *p, size_t n, uint8_t out[OCF_SHA512_LEN]);

/* SHA-256 over several pieces: init, add…, final. A plain value: copying it forks the hash. After
 * final it must be initialised again. */
struct ocf_sha256 {
  uint64_t opaque[16];
};

void ocf_sha256_init(struct ocf_sha256 *h);
void ocf_sha256_add(struct ocf_sha256 *h, const void *p, size_t n);
void ocf_sha256_final(struct ocf_sha256 *h, uint8_t out[OCF_SHA256_LEN]);

/* HMAC with SHA-256; keys of any length. Working memory is wiped. */
void ocf_hmac_sha256(const uint8_t *key, size_t key_len, const void *p, size_t n,
                     uint8_t out[OCF_SHA256_LEN]);

/* The HKDF of Noise with two outputs: temp = HMAC(ck, ikm), out1 = HMAC(temp, 1),
 * out2 = HMAC(temp, out1 || 2). `out1` and `out2` may be `ck` itself, which is read first. Working
 * memory is wiped. */
void ocf_hkdf2(const uint8_t ck[OCF_SHA256_LEN], const uint8_t *ikm, size_t ikm_len,
               uint8_t out1[OCF_SHA256_LEN], uint8_t out2[OCF_SHA256_LEN]);
/* As ocf_hkdf2 with a third output, HMAC(temp, out2 || 3). */
void ocf_hkdf3(const uint8_t ck[OCF_SHA256_LEN], const uint8_t *ikm, size_t ikm_len,
               uint8_t out1[OCF_SHA256_LEN], uint8_t out2[OCF_SHA256_LEN],
               uint8_t out3[OCF_SHA256_LEN]);

/* Overwrites secrets in a way that the compiler does not remove. p may be NULL when n is 0. */
void ocf_wipe(void *p, size_t n);
/* Whether `a` and `b` hold the same `n` bytes, in time that depends on `n` only. */
bool ocf_ct_eq(const void *a, const void *b, size_t n);

#endif
