/* Reading DER, as little of it as RSA keys need: SEQUENCE, INTEGER, BIT STRING with definite,
 * minimal lengths. Private to crypto/key. Views into the input; no state. Spec: X.690 (DER). */
#ifndef OCF_CRYPTO_KEY_DER_H
#define OCF_CRYPTO_KEY_DER_H

#include "base/core/core.h"

enum { OCF_DER_INTEGER = 0x02, OCF_DER_BIT_STRING = 0x03, OCF_DER_SEQUENCE = 0x30 };

/* Takes one element with this tag from the front of `*in`; `*body` is its content. 0, or OCF_EINVAL
 * when the tag is another, the length is not minimal, or more than is there. */
OCF_NODISCARD int ocf_der_take(struct ocf_bytes *in, uint8_t tag, struct ocf_bytes *body);
/* Takes a non-negative INTEGER in minimal form; `*mag` is its magnitude without the sign byte,
 * empty for zero. 0 or OCF_EINVAL. */
OCF_NODISCARD int ocf_der_take_uint(struct ocf_bytes *in, struct ocf_bytes *mag);
/* Bits of a magnitude: 0 for zero. */
size_t ocf_der_bits(struct ocf_bytes mag);

#endif
