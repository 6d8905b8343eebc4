/* Identity keys of libp2p: Ed25519, RSA, ECDSA on P-256, secp256k1, and their protobuf form.
 *
 * Spec: libp2p peer-ids, "Keys". The serialized PublicKey is what peer ids are made of, so a key
 * has exactly one form here: input whose inner encoding is not that form (DER that is not minimal,
 * other curves, points that are not compressed for secp256k1) is refused, while the order of the
 * two protobuf fields and unknown fields do not matter.
 *
 * Ed25519 is what our nodes generate. RSA is limited to 2048..8192 bits, judged by the length of
 * the modulus before any arithmetic. Sizes of everything are bounded by the enum below.
 *
 * A key object owns heap memory (from the given allocator, plus the libraries' own for types other
 * than Ed25519), is freed with _fini, and may be read by several threads once it is made. Nothing
 * here reads files: a key file's content is exactly the serialized PrivateKey.
 *
 * Randomness: Ed25519, ECDSA and secp256k1 keys come from the given ocf_rng. RSA generation and the
 * per-signature nonce of ECDSA and secp256k1 come from OpenSSL's own generator, so a simulation
 * that must be reproducible uses Ed25519. */
#ifndef OCF_CRYPTO_KEY_KEY_H
#define OCF_CRYPTO_KEY_KEY_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"

/* The values are those of the wire. */
enum ocf_key_type {
  OCF_KEY_RSA = 0,
  OCF_KEY_ED25519 = 1,
  OCF_KEY_SECP256K1 = 2,
  OCF_KEY_ECDSA = 3,
};

enum {
  OCF_KEY_RSA_BITS_MIN = 2048,
  OCF_KEY_RSA_BITS_MAX = 8192,
  OCF_KEY_SIG_MAX = 1024,     /* bytes of the longest signature: RSA with 8192 bits */
  OCF_KEY_PUBLIC_MAX = 1536,  /* longest serialized PublicKey that is looked at */
  OCF_KEY_PRIVATE_MAX = 8192, /* longest serialized PrivateKey that is looked at */
  OCF_KEY_ED25519_SEED_LEN = 32,
};

/* "rsa", "ed25519", "secp256k1", "ecdsa"; never NULL. */
const char *ocf_key_type_name(enum ocf_key_type type);

/* ---- public keys ---- */

struct ocf_pubkey {
  enum ocf_key_type type;
  struct ocf_alloc *a;
  uint8_t *pb; /* the serialized PublicKey, n_pb bytes */
  size_t n_pb;
  size_t raw_at; /* where in pb the Data field begins; it runs to the end */
  void *impl;    /* library object; NULL for Ed25519 */
};

/* Reads a serialized PublicKey. Copies. 0; OCF_EINVAL when malformed, OCF_EUNSUPP for an unknown
 * type or curve, OCF_ELIMIT for an RSA size outside the limits or input longer than
 * OCF_KEY_PUBLIC_MAX, OCF_EAUTH for Ed25519 keys of small order or not in canonical form,
 * OCF_ENOMEM. On failure `k` holds nothing; ocf_pubkey_fini() on it is harmless. */
OCF_NODISCARD int ocf_pubkey_unmarshal(struct ocf_pubkey *k, struct ocf_alloc *a,
                                       struct ocf_bytes pb);
/* A second, independent object. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_pubkey_copy(struct ocf_pubkey *dst, struct ocf_alloc *a,
                                  const struct ocf_pubkey *src);
/* Frees; harmless on a zeroed or already freed object. */
void ocf_pubkey_fini(struct ocf_pubkey *k);

/* The serialized PublicKey: what peer ids, Noise payloads, identify and envelopes carry. Lent until
 * fini. */
struct ocf_bytes ocf_pubkey_bytes(const struct ocf_pubkey *k);
/* The Data field alone: 32 bytes for Ed25519, SPKI DER for RSA and ECDSA. Lent until fini. */
struct ocf_bytes ocf_pubkey_raw(const struct ocf_pubkey *k);
bool ocf_pubkey_eq(const struct ocf_pubkey *a, const struct ocf_pubkey *b);

/* Checks a signature over `msg`. RSA: PKCS#1 v1.5 with SHA-256; ECDSA and secp256k1: DER over
 * SHA-256; Ed25519: RFC 8032, refusing non-canonical S and small-order R. 0; OCF_ECRYPTO when it
 * does not hold, whatever the reason; OCF_ENOMEM. */
OCF_NODISCARD int ocf_pubkey_verify(const struct ocf_pubkey *k, struct ocf_bytes msg,
                                    struct ocf_bytes sig);

/* ---- private keys ---- */

struct ocf_key {
  struct ocf_pubkey pub;
  uint8_t *secret; /* the Data field of the serialized PrivateKey, n_secret bytes; wiped by fini */
  size_t n_secret;
  void *impl; /* library object; NULL for Ed25519 */
};

/* A fresh key. RSA gets 2048 bits and takes up to a second. 0, OCF_ENOMEM, OCF_EIO when the
 * library's generator fails. On failure `k` holds nothing. */
OCF_NODISCARD int ocf_key_generate(struct ocf_key *k, struct ocf_alloc *a, enum ocf_key_type type,
                                   struct ocf_rng *rng);
/* The Ed25519 key of a seed. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_key_from_seed(struct ocf_key *k, struct ocf_alloc *a,
                                    const uint8_t seed[OCF_KEY_ED25519_SEED_LEN]);
/* Reads a serialized PrivateKey: the content of a key file. The public half is derived, or where
 * the encoding has it, checked against the private one: a pair that does not belong together is
 * OCF_EAUTH. The old 96-byte Ed25519 form is accepted. Other errors as in ocf_pubkey_unmarshal().
 */
OCF_NODISCARD int ocf_key_unmarshal_private(struct ocf_key *k, struct ocf_alloc *a,
                                            struct ocf_bytes pb);
/* Appends the serialized PrivateKey to `out`: secret, so the caller wipes (ocf_wipe) what it no
 * longer needs before freeing. The length is known beforehand (ocf_key_marshal_size), so that a
 * buffer reserved with it is not moved. 0, OCF_ENOMEM, OCF_ELIMIT. */
OCF_NODISCARD int ocf_key_marshal_private(const struct ocf_key *k, struct ocf_buf *out);
size_t ocf_key_marshal_size(const struct ocf_key *k);
/* Wipes and frees; harmless on a zeroed or already freed object. */
void ocf_key_fini(struct ocf_key *k);

/* Lent until fini. */
const struct ocf_pubkey *ocf_key_public(const struct ocf_key *k);

/* Signs `msg`, which is given whole and not hashed. `cap` of OCF_KEY_SIG_MAX suits every key.
 * 0 and the length in `*n`; OCF_EAGAIN when `cap` is too small; OCF_ENOMEM; OCF_EIO when the
 * library fails. */
OCF_NODISCARD int ocf_key_sign(const struct ocf_key *k, struct ocf_bytes msg, uint8_t *sig,
                               size_t cap, size_t *n);

#endif
