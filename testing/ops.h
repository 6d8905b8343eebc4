/* Fuzz input as a sequence of choices: each call takes bytes off the front, zeros when none are
 * left. */
#ifndef OCF_TESTING_OPS_H
#define OCF_TESTING_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ocf_ops {
  const uint8_t *p;
  size_t n;
};

static inline bool ocf_ops_more(const struct ocf_ops *o)
{
  return o->n > 0;
}

static inline uint8_t ocf_ops_u8(struct ocf_ops *o)
{
  if (o->n == 0)
    return 0;
  o->n--;
  return *o->p++;
}

static inline uint16_t ocf_ops_u16(struct ocf_ops *o)
{
  unsigned high = ocf_ops_u8(o);
  return (uint16_t)(high << 8 | ocf_ops_u8(o));
}

static inline uint64_t ocf_ops_u64(struct ocf_ops *o)
{
  uint64_t v = 0;
  for (int i = 0; i < 4; i++)
    v = v << 16 | ocf_ops_u16(o);
  return v;
}

#endif
