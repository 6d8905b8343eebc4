/* Unsigned LEB128 integers ("uvarint"), under the two rules that the network uses.
 *
 *   ocf_varint_get     multiformats rule: multistream, message framing, CID, multihash, multiaddr.
 *                      Minimal length only, at most 9 bytes and 63 bits.
 *   ocf_varint_get_pb  protobuf rule: keys, values and lengths inside a message. Any length up to
 *                      10 bytes and 64 bits; a padded zero is legal.
 *
 * No allocation, no state; safe from any thread. Spec: multiformats/unsigned-varint,
 * protobuf "Encoding". */
#ifndef OCF_FMT_VARINT_VARINT_H
#define OCF_FMT_VARINT_VARINT_H

#include "base/core/core.h"

enum {
  OCF_VARINT_MAX = 10,      /* bytes of the longest encoding of 64 bits */
  OCF_VARINT_MULTI_MAX = 9, /* bytes of the longest encoding that the multiformats rule takes */
};

/* The slow paths of the two inline decoders: any input, same results. */
OCF_NODISCARD int ocf_varint_get_long(const uint8_t *p, size_t n, uint64_t *v);
OCF_NODISCARD int ocf_varint_get_pb_long(const uint8_t *p, size_t n, uint64_t *v);

/* Reads one integer from the first of `n` bytes (p may be NULL when n is 0). Returns the number of
 * bytes it took, 1..9, and sets `*v`; bytes after it are not looked at. Otherwise `*v` is
 * untouched: OCF_EAGAIN  the bytes so far are a proper beginning: call again with more. At the end
 * of all input this means truncated. OCF_EINVAL  not of minimal length. OCF_ERANGE  more than 63
 * bits; known at the ninth byte, without waiting for the tenth. */
OCF_NODISCARD static inline int ocf_varint_get(const uint8_t *p, size_t n, uint64_t *v)
{
  if (__builtin_expect(n > 0 && p[0] < 0x80, 1)) {
    *v = p[0];
    return 1;
  }
  return ocf_varint_get_long(p, n, v);
}

/* As ocf_varint_get under the protobuf rule: takes 1..10 bytes, never OCF_EINVAL, and OCF_ERANGE
 * when the tenth byte holds more than the 64th bit or asks for an eleventh. */
OCF_NODISCARD static inline int ocf_varint_get_pb(const uint8_t *p, size_t n, uint64_t *v)
{
  if (__builtin_expect(n > 0 && p[0] < 0x80, 1)) {
    *v = p[0];
    return 1;
  }
  return ocf_varint_get_pb_long(p, n, v);
}

/* Bytes of the minimal encoding of `v`: 1..10. */
static inline size_t ocf_varint_len(uint64_t v)
{
  unsigned bits = 64u - (unsigned)__builtin_clzll(v | 1);
  return (bits + 6) / 7;
}

/* Writes the minimal encoding of `v`; `dst` has room for ocf_varint_len(v), at most OCF_VARINT_MAX.
 * Returns the number of bytes. Values above 63 bits are legal in protobuf messages only. */
static inline size_t ocf_varint_put(uint8_t *dst, uint64_t v)
{
  size_t n = 0;
  for (; v >= 0x80; v >>= 7)
    dst[n++] = (uint8_t)(v | 0x80);
  dst[n++] = (uint8_t)v;
  return n;
}

#endif
