/* ChaCha20-Poly1305 (RFC 8439) in place, with the nonce form of Noise: 4 zero bytes, then a 64-bit
 * little-endian counter that the caller gives and keeps.
 *
 * One object holds one key and serves both sealing and opening; it belongs to one thread at a time.
 * Sealing and opening allocate nothing. Which library does the work for which message size, and the
 * figures behind it: docs/decisions/0003-aead-library.md. */
#ifndef OCF_CRYPTO_AEAD_AEAD_H
#define OCF_CRYPTO_AEAD_AEAD_H

#include "base/core/core.h"

enum { OCF_AEAD_KEY_LEN = 32, OCF_AEAD_TAG_LEN = 16 };

/* The counter that is never used: Noise reserves it, and a second use of any counter would give the
 * key away. */
#define OCF_AEAD_NONCE_MAX UINT64_MAX

struct ocf_aead {
  void *seal_ctx, *open_ctx; /* made at the first large message; NULL until then */
  uint8_t key[OCF_AEAD_KEY_LEN];
};

/* Copies the key. Nothing to free but the key itself until a large message passes. */
void ocf_aead_init(struct ocf_aead *c, const uint8_t key[OCF_AEAD_KEY_LEN]);
/* Wipes the key and frees; twice, or on a zeroed object, is harmless. */
void ocf_aead_fini(struct ocf_aead *c);

/* Encrypts the `n` bytes at `buf` in place and writes the 16-byte tag behind them: `buf` has room
 * for n + OCF_AEAD_TAG_LEN. `ad` (may be empty) is authenticated only. A counter must never be
 * given twice for one key. 0; OCF_ERANGE for counter 2^64-1; `buf` is then untouched. */
OCF_NODISCARD int ocf_aead_seal(struct ocf_aead *c, uint64_t counter, struct ocf_bytes ad,
                                uint8_t *buf, size_t n);

/* Decrypts in place. `n` counts the tag. On success the first n - OCF_AEAD_TAG_LEN bytes are the
 * plaintext. 0; OCF_ECRYPTO when the tag does not fit or n is shorter than a tag; OCF_ERANGE for
 * counter 2^64-1. After a failure the bytes at `buf` are of no use, and the object is as before. */
OCF_NODISCARD int ocf_aead_open(struct ocf_aead *c, uint64_t counter, struct ocf_bytes ad,
                                uint8_t *buf, size_t n);

#endif
