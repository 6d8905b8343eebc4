/* Big- and little-endian integers in byte arrays, without alignment demands. */
#ifndef OCF_BASE_CORE_ENDIAN_H
#define OCF_BASE_CORE_ENDIAN_H

#include <stdint.h>

static inline uint16_t ocf_get_be16(const uint8_t *p)
{
  return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static inline uint32_t ocf_get_be32(const uint8_t *p)
{
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t ocf_get_be64(const uint8_t *p)
{
  return (uint64_t)ocf_get_be32(p) << 32 | ocf_get_be32(p + 4);
}

static inline void ocf_put_be16(uint8_t *p, uint16_t v)
{
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

static inline void ocf_put_be32(uint8_t *p, uint32_t v)
{
  ocf_put_be16(p, (uint16_t)(v >> 16));
  ocf_put_be16(p + 2, (uint16_t)v);
}

static inline void ocf_put_be64(uint8_t *p, uint64_t v)
{
  ocf_put_be32(p, (uint32_t)(v >> 32));
  ocf_put_be32(p + 4, (uint32_t)v);
}

static inline void ocf_put_le64(uint8_t *p, uint64_t v)
{
  for (unsigned i = 0; i < 8; i++)
    p[i] = (uint8_t)(v >> (8 * i));
}

static inline uint64_t ocf_get_le64(const uint8_t *p)
{
  uint64_t v = 0;
  for (unsigned i = 0; i < 8; i++)
    v |= (uint64_t)p[i] << (8 * i);
  return v;
}

#endif
