/* Randomness as a value: a seeded generator (xoshiro256**) for jitter and ids, and a source for key
 * material. Production seeds it from the kernel in io/; the simulator from (seed, node).
 *
 * Anything an attacker must not guess (keys, nonces, hash seeds, ping payloads) comes from
 * ocf_rng_secret(); in production that is a ChaCha20-based or kernel source behind `fill`. */
#ifndef OCF_BASE_RNG_RNG_H
#define OCF_BASE_RNG_RNG_H

#include "base/core/core.h"

struct ocf_rng {
  uint64_t s[4];
  void (*fill)(void *ctx, void *p, size_t n); /* NULL: ocf_rng_secret uses the generator itself */
  void *ctx;
};

/* Seeds the generator by SplitMix64; `fill` stays NULL. */
void ocf_rng_seed(struct ocf_rng *r, uint64_t seed);
uint64_t ocf_rng_u64(struct ocf_rng *r);
/* Uniform in [0, n), n > 0, without modulo bias. */
uint64_t ocf_rng_below(struct ocf_rng *r, uint64_t n);
/* `n` unpredictable bytes. */
void ocf_rng_secret(struct ocf_rng *r, void *p, size_t n);

#endif
