/* Bytes that tell where they belong: byte `at` of the stream `seed`. */
#ifndef OCF_SIM_PATTERN_H
#define OCF_SIM_PATTERN_H

#include "base/core/core.h"

static inline uint8_t ocf_sim_pattern(uint64_t seed, uint64_t at)
{
  uint64_t z = (seed << 32) + (at >> 3) + 1;
  z *= UINT64_C(0x9e3779b97f4a7c15);
  z ^= z >> 29;
  return (uint8_t)(z >> (8 * (at & 7)));
}

static inline void ocf_sim_pattern_fill(uint64_t seed, uint64_t at, uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    p[i] = ocf_sim_pattern(seed, at + i);
}

static inline bool ocf_sim_pattern_ok(uint64_t seed, uint64_t at, const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    if (p[i] != ocf_sim_pattern(seed, at + i))
      return false;
  }
  return true;
}

#endif
