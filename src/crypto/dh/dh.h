/* X25519 key agreement (RFC 7748).
 *
 * Values in the caller's memory; pure functions; any thread. */
#ifndef OCF_CRYPTO_DH_DH_H
#define OCF_CRYPTO_DH_DH_H

#include "base/core/core.h"
#include "base/rng/rng.h"

enum { OCF_DH_LEN = 32 };

struct ocf_dh_key {
  uint8_t priv[OCF_DH_LEN]; /* as drawn; clamped where it is used */
  uint8_t pub[OCF_DH_LEN];
};

/* A fresh pair; the private half comes from ocf_rng_secret(). */
void ocf_dh_generate(struct ocf_dh_key *k, struct ocf_rng *rng);
/* The pair that belongs to `priv`. */
void ocf_dh_from_private(struct ocf_dh_key *k, const uint8_t priv[OCF_DH_LEN]);
/* Overwrites both halves. */
void ocf_dh_wipe(struct ocf_dh_key *k);

/* The shared secret with `peer`. 0, or OCF_ECRYPTO when it would be all zero (a small-order
 * `peer`); `out` is then zeroed. The caller wipes `out`. */
OCF_NODISCARD int ocf_dh_agree(const struct ocf_dh_key *k, const uint8_t peer[OCF_DH_LEN],
                               uint8_t out[OCF_DH_LEN]);

#endif
