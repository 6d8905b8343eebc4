#include "fmt/varint/varint.h"

int ocf_varint_get_long(const uint8_t *p, size_t n, uint64_t *v)
{
  uint64_t x = 0;
  for (size_t i = 0; i < n && i < OCF_VARINT_MULTI_MAX; i++) {
    x |= (uint64_t)(p[i] & 0x7f) << (7 * i);
    if (p[i] >= 0x80)
      continue;
    if (p[i] == 0 && i > 0)
      return OCF_EINVAL;
    *v = x;
    return (int)i + 1;
  }
  return n < OCF_VARINT_MULTI_MAX ? OCF_EAGAIN : OCF_ERANGE;
}

int ocf_varint_get_pb_long(const uint8_t *p, size_t n, uint64_t *v)
{
  uint64_t x = 0;
  for (size_t i = 0; i < n && i < OCF_VARINT_MAX; i++) {
    if (i == OCF_VARINT_MAX - 1 && p[i] > 1) /* the tenth byte has room for the 64th bit only */
      return OCF_ERANGE;
    x |= (uint64_t)(p[i] & 0x7f) << (7 * i);
    if (p[i] < 0x80) {
      *v = x;
      return (int)i + 1;
    }
  }
  return OCF_EAGAIN;
}
