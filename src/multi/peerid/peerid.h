/* Peer ids: the multihash of a peer's public key message, as a value of fixed size.
 *
 * A key message of up to 42 bytes is inlined (identity multihash: Ed25519, secp256k1:
 * "12D3KooW...", "16Uiu2..."), a longer one is hashed (sha2-256: RSA, ECDSA: "Qm..."). Any
 * well-formed multihash that fits is accepted as an id, as go-libp2p does; only proving it against
 * a key tells whether a peer can own it. No allocation, no state; safe from any thread. Spec:
 * libp2p/specs peer-ids. */
#ifndef OCF_MULTI_PEERID_PEERID_H
#define OCF_MULTI_PEERID_PEERID_H

#include <string.h>

#include "base/core/core.h"

enum {
  OCF_PEERID_MAX = 71,            /* bytes; a sha2-512 multihash has 66 */
  OCF_PEERID_INLINE_MAX = 42,     /* longest key message that is inlined */
  OCF_PEERID_TEXT_SIZE = 100,     /* room for the base58 text of any id, NUL included */
  OCF_PEERID_CID_TEXT_SIZE = 152, /* room for the CID text in any base, NUL included */
};

/* A value: copied by assignment. `n` 0 is "no id"; bytes after `n` are zero. */
struct ocf_peerid {
  uint8_t n;
  uint8_t b[OCF_PEERID_MAX];
};

/* The id of the peer whose serialised PublicKey message is `key_pb`. Never fails. */
void ocf_peerid_from_key(struct ocf_bytes key_pb, struct ocf_peerid *out);
/* From multihash bytes. 0, OCF_EINVAL when not exactly one multihash, OCF_ELIMIT over
 * OCF_PEERID_MAX. */
OCF_NODISCARD int ocf_peerid_from_bytes(struct ocf_bytes mh, struct ocf_peerid *out);
/* From text: base58btc when it begins with "Qm" or "1", else a CID of codec libp2p-key in any
 * multibase. 0, OCF_EINVAL, OCF_EUNSUPP (unknown base), OCF_ELIMIT. `*out` is untouched on failure.
 */
OCF_NODISCARD int ocf_peerid_parse(struct ocf_bytes text, struct ocf_peerid *out);

/* The canonical text (base58btc) with a NUL; "" for no id. Returns `dst`. */
char *ocf_peerid_text(const struct ocf_peerid *id, char dst[OCF_PEERID_TEXT_SIZE]);
/* The CID text in the base of `prefix` (0 means 'b'); `id` is not none. 0, or OCF_EUNSUPP, and then
 * dst is "". */
OCF_NODISCARD int ocf_peerid_cid_text(const struct ocf_peerid *id, char prefix,
                                      char dst[OCF_PEERID_CID_TEXT_SIZE]);

/* The bytes: a map key, or what goes on the wire. Lends from `*id`. */
static inline struct ocf_bytes ocf_peerid_view(const struct ocf_peerid *id)
{
  return ocf_bytes(id->b, id->n);
}

static inline bool ocf_peerid_is_none(const struct ocf_peerid *id)
{
  return id->n == 0;
}

static inline bool ocf_peerid_eq(const struct ocf_peerid *a, const struct ocf_peerid *b)
{
  return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

/* Order of the bytes, shorter first on a tie: <0, 0, >0. For sorting and tie-breaking. */
int ocf_peerid_cmp(const struct ocf_peerid *a, const struct ocf_peerid *b);

/* The key message inside an inlined id, lent from `*id`; false when the id is a digest. */
bool ocf_peerid_inline_key(const struct ocf_peerid *id, struct ocf_bytes *key_pb);
/* Whether `key_pb` is the key of this id: recomputed with the id's own hash. 0, OCF_EAUTH when it
 * is not, OCF_EUNSUPP for a hash we cannot compute. */
OCF_NODISCARD int ocf_peerid_matches_key(const struct ocf_peerid *id, struct ocf_bytes key_pb);

#endif
