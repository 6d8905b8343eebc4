/* Bytes as text and back: hex, base32, base64 (RFC 4648) and the radix conversions base36 and
 * base58. Encoding writes into the caller's array; decoding is strict.
 *
 * Bounds: the RFC 4648 forms are linear and take any length. Base36 and base58 treat the bytes as
 * one big number, which is quadratic, so they take at most OCF_BASEX_RADIX_MAX bytes and
 * OCF_BASEX_RADIX_TEXT_MAX characters and answer OCF_ELIMIT above that. No allocation, no state;
 * safe from any thread; not constant-time: not for secrets. */
#ifndef OCF_FMT_BASEX_BASEX_H
#define OCF_FMT_BASEX_BASEX_H

#include "base/core/core.h"

enum {
  OCF_BASEX_RADIX_MAX = 512,      /* bytes that base36/58 encode, and that they decode to */
  OCF_BASEX_RADIX_TEXT_MAX = 800, /* characters that they decode */
};

enum ocf_basex {
  OCF_BASEX_HEX,          /* lower case; decoding takes either case */
  OCF_BASEX_HEX_UPPER,    /* likewise */
  OCF_BASEX_32,           /* a-z2-7, no padding; decoding takes either case */
  OCF_BASEX_32_UPPER,     /* likewise */
  OCF_BASEX_32_PAD,       /* padding required */
  OCF_BASEX_32_PAD_UPPER, /* likewise */
  OCF_BASEX_32HEX,        /* 0-9a-v */
  OCF_BASEX_32HEX_UPPER,
  OCF_BASEX_32HEX_PAD,
  OCF_BASEX_32HEX_PAD_UPPER,
  OCF_BASEX_36,         /* 0-9a-z; decoding takes either case */
  OCF_BASEX_36_UPPER,   /* likewise */
  OCF_BASEX_58,         /* Bitcoin's alphabet (base58btc) */
  OCF_BASEX_58_FLICKR,  /* lower case before upper case */
  OCF_BASEX_64,         /* +/ without padding */
  OCF_BASEX_64_PAD,     /* padding required */
  OCF_BASEX_64_URL,     /* -_ without padding */
  OCF_BASEX_64_URL_PAD, /* padding required */
  OCF_BASEX_N
};

/* Room that `n` bytes need as text, NUL included: exact for RFC 4648 forms, an upper bound for
 * base36/58. `n` up to SIZE_MAX / 16. */
size_t ocf_basex_text_size(enum ocf_basex base, size_t n);

/* Encodes `src` into `dst` with a NUL at the end; `*n` (may be NULL) is the length without it.
 * 0; OCF_EAGAIN when `cap` is too small (ocf_basex_text_size is always enough); OCF_ELIMIT for a
 * radix form over its bound. On failure `dst` holds an empty string when cap > 0. */
OCF_NODISCARD int ocf_basex_encode(enum ocf_basex base, struct ocf_bytes src, char *dst, size_t cap,
                                   size_t *n);

/* Decodes exactly `text`. 0 and `*n` is the number of bytes; OCF_EINVAL for a character outside the
 * alphabet (white space included), a length that no encoder makes, missing or surplus padding, or
 * non-zero spare bits at the end; OCF_ELIMIT for a radix form over its bound; OCF_EAGAIN when `cap`
 * is too small (text.n is always enough). Empty text is zero bytes. On failure `dst` is undefined
 * and `*n` untouched. */
OCF_NODISCARD int ocf_basex_decode(enum ocf_basex base, struct ocf_bytes text, uint8_t *dst,
                                   size_t cap, size_t *n);

#endif
