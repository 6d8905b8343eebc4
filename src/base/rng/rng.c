#include "base/rng/rng.h"

#include <string.h>

#include "base/core/endian.h"

static uint64_t splitmix64(uint64_t *x)
{
  uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, unsigned n)
{
  return x << n | x >> (64 - n);
}

void ocf_rng_seed(struct ocf_rng *r, uint64_t seed)
{
  *r = (struct ocf_rng){ .fill = NULL };
  for (size_t i = 0; i < 4; i++)
    r->s[i] = splitmix64(&seed);
}

/* Blackman and Vigna's xoshiro256**. */
uint64_t ocf_rng_u64(struct ocf_rng *r)
{
  uint64_t *s = r->s;
  uint64_t out = rotl(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotl(s[3], 45);
  return out;
}

uint64_t ocf_rng_below(struct ocf_rng *r, uint64_t n)
{
  OCF_ASSERT(n > 0);
  /* 2^64 mod n values would fall on some results once more than on others: they are drawn again. */
  uint64_t surplus = (UINT64_MAX - n + 1) % n;
  uint64_t x;
  do
    x = ocf_rng_u64(r);
  while (x < surplus);
  return x % n;
}

void ocf_rng_secret(struct ocf_rng *r, void *p, size_t n)
{
  if (r->fill != NULL) {
    r->fill(r->ctx, p, n);
    return;
  }
  uint8_t *dst = p, word[8];
  for (size_t at = 0; at < n; at += sizeof(word)) {
    ocf_put_le64(word, ocf_rng_u64(r));
    memcpy(dst + at, word, OCF_MIN(n - at, sizeof(word)));
  }
}
