/* Multihash: uvarint code, uvarint digest length, digest.
 *
 * Parsing takes every code, because ids and CIDs with hashes unknown to us must still be carried;
 * making and verifying know identity, sha2-256 and sha2-512. A digest length that is not the hash's
 * own is well-formed here (truncated digests are legal); verifying compares what is there, so a
 * caller that demands full strength checks `digest.n`. No allocation, no state; safe from any
 * thread. Spec: multiformats/multihash. */
#ifndef OCF_MULTI_MULTIHASH_MULTIHASH_H
#define OCF_MULTI_MULTIHASH_MULTIHASH_H

#include "base/core/core.h"

enum {
  OCF_MULTIHASH_IDENTITY = 0x00,
  OCF_MULTIHASH_SHA1 = 0x11, /* parsed only */
  OCF_MULTIHASH_SHA2_256 = 0x12,
  OCF_MULTIHASH_SHA2_512 = 0x13,
  OCF_MULTIHASH_SHA2_256_SIZE = 34, /* bytes of a whole sha2-256 multihash */
};

/* A view into the parsed bytes. */
struct ocf_multihash {
  uint64_t code;
  struct ocf_bytes digest;
};

/* Reads the multihash at the start of `in`; `*used` is its whole length. 0; OCF_EINVAL when it is
 * malformed or longer than `in`. */
OCF_NODISCARD int ocf_multihash_parse(struct ocf_bytes in, struct ocf_multihash *mh, size_t *used);
/* As ocf_multihash_parse, and nothing may follow it. */
OCF_NODISCARD int ocf_multihash_cast(struct ocf_bytes in, struct ocf_multihash *mh);

/* Writes code, length and digest; `*n` is the length of the whole. 0, OCF_EAGAIN when `cap` is too
 * small, OCF_ERANGE for a code over 63 bits. `mh.digest` must not overlap `dst`. */
OCF_NODISCARD int ocf_multihash_encode(struct ocf_multihash mh, uint8_t *dst, size_t cap,
                                       size_t *n);

/* Hashes `data` and writes the multihash. 0, OCF_EUNSUPP for a code we cannot compute, OCF_EAGAIN.
 */
OCF_NODISCARD int ocf_multihash_sum(uint64_t code, struct ocf_bytes data, uint8_t *dst, size_t cap,
                                    size_t *n);

/* Whether `mh` is the hash of `data`: 0; OCF_ECRYPTO when it is not (a sha2 digest must have its
 * full length); OCF_EUNSUPP for a code we cannot compute. */
OCF_NODISCARD int ocf_multihash_verify(const struct ocf_multihash *mh, struct ocf_bytes data);

#endif
