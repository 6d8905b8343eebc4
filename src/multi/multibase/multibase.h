/* Multibase: text whose first character says how the rest is encoded.
 *
 * Known prefixes: f F (hex), b B c C v V t T (base32 in its eight forms), k K (base36), z Z
 * (base58), m M u U (base64). Not supported, as nothing on this network sends them: identity,
 * base2, base8, base10, base32z, proquint, base45, emoji. Bounds of base36/58: fmt/basex. No
 * allocation, no state; safe from any thread. Spec: multiformats/multibase. */
#ifndef OCF_MULTI_MULTIBASE_MULTIBASE_H
#define OCF_MULTI_MULTIBASE_MULTIBASE_H

#include "base/core/core.h"
#include "fmt/basex/basex.h"

/* The encoding behind a prefix. 0 or OCF_EUNSUPP. */
OCF_NODISCARD int ocf_multibase_lookup(char prefix, enum ocf_basex *base);

/* Room for the text of `n` bytes in the base of `prefix`, prefix and NUL included; 0 for an unknown
 * prefix. */
size_t ocf_multibase_text_size(char prefix, size_t n);

/* Writes prefix and text with a NUL; `*n` (may be NULL) is the length without it. 0, OCF_EUNSUPP,
 * OCF_EAGAIN (cap too small), OCF_ELIMIT. On failure `dst` is an empty string when cap > 0. */
OCF_NODISCARD int ocf_multibase_encode(char prefix, struct ocf_bytes src, char *dst, size_t cap,
                                       size_t *n);

/* Decodes `text`, prefix included. 0 and `*n`; OCF_EUNSUPP for an unknown prefix; OCF_EINVAL for
 * empty text, for base36/58 with nothing behind the prefix, and as ocf_basex_decode; OCF_EAGAIN
 * (text.n bytes of room are always enough), OCF_ELIMIT. On failure `dst` is undefined, `*n`
 * untouched. */
OCF_NODISCARD int ocf_multibase_decode(struct ocf_bytes text, uint8_t *dst, size_t cap, size_t *n);

#endif
