/* Bytes that tell where they belong: byte `at` of the stream `seed`. */
#ifndef OCF_SIM_PATTERN_H
#define OCF_SIM_PATTERN_H

#include "base/core/core.h"
#include "base/core/endian.h"

/* Bytes 8 i to 8 i + 7, the first in the low bits. */
static inline uint64_t ocf_sim_pattern_word(uint64_t seed, uint64_t i)
{
  uint64_t z = ((seed << 32) + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
  return z ^ z >> 29;
}

static inline uint8_t ocf_sim_pattern(uint64_t seed, uint64_t at)
{
  return (uint8_t)(ocf_sim_pattern_word(seed, at >> 3) >> (8 * (at & 7)));
}

static inline void ocf_sim_pattern_fill(uint64_t seed, uint64_t at, uint8_t *p, size_t n)
{
  size_t i = 0;
  for (; i < n && (at + i) % 8 != 0; i++)
    p[i] = ocf_sim_pattern(seed, at + i);
  for (; n - i >= 8; i += 8)
    ocf_put_le64(p + i, ocf_sim_pattern_word(seed, (at + i) >> 3));
  for (; i < n; i++)
    p[i] = ocf_sim_pattern(seed, at + i);
}

static inline bool ocf_sim_pattern_ok(uint64_t seed, uint64_t at, const uint8_t *p, size_t n)
{
  size_t i = 0;
  bool ok = true;
  for (; i < n && (at + i) % 8 != 0; i++)
    ok = ok && p[i] == ocf_sim_pattern(seed, at + i);
  for (; n - i >= 8; i += 8)
    ok = ok && ocf_get_le64(p + i) == ocf_sim_pattern_word(seed, (at + i) >> 3);
  for (; i < n; i++)
    ok = ok && p[i] == ocf_sim_pattern(seed, at + i);
  return ok;
}

#endif
