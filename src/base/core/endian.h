/* Big- and little-endian integers in byte arrays, without alignment demands. Each compiles to one
 * load or store, swapped where the machine's order differs. */
#ifndef OCF_BASE_CORE_ENDIAN_H
#define OCF_BASE_CORE_ENDIAN_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OCF_BE(bits, v) __builtin_bswap##bits(v)
#define OCF_LE(bits, v) (v)
#else
#define OCF_BE(bits, v) (v)
#define OCF_LE(bits, v) __builtin_bswap##bits(v)
#endif

#define OCF_ENDIAN_PAIR(order, ORDER, bits)                                                        \
  static inline uint##bits##_t ocf_get_##order##bits(const uint8_t *p)                             \
  {                                                                                                \
    uint##bits##_t v;                                                                              \
    memcpy(&v, p, sizeof(v));                                                                      \
    return ORDER(bits, v);                                                                         \
  }                                                                                                \
  static inline void ocf_put_##order##bits(uint8_t *p, uint##bits##_t v)                           \
  {                                                                                                \
    v = ORDER(bits, v);                                                                            \
    memcpy(p, &v, sizeof(v));                                                                      \
  }

/* ocf_get_be16(p), ocf_put_be16(p, v), and so on for 16, 32 and 64 bits in both orders. */
OCF_ENDIAN_PAIR(be, OCF_BE, 16)
OCF_ENDIAN_PAIR(be, OCF_BE, 32)
OCF_ENDIAN_PAIR(be, OCF_BE, 64)
OCF_ENDIAN_PAIR(le, OCF_LE, 16)
OCF_ENDIAN_PAIR(le, OCF_LE, 32)
OCF_ENDIAN_PAIR(le, OCF_LE, 64)

#endif
