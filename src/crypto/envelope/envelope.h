/* Signed envelopes (libp2p RFC 0002): a payload, its type, and a signature that also binds the
 * domain, so that what was signed for one purpose proves nothing for another. Carries the peer
 * records of identify and the vouchers of relays.
 *
 * Pure functions; any thread. */
#ifndef OCF_CRYPTO_ENVELOPE_ENVELOPE_H
#define OCF_CRYPTO_ENVELOPE_ENVELOPE_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "base/mem/alloc.h"
#include "crypto/key/key.h"

enum { OCF_ENVELOPE_MAX = 65536 }; /* longest envelope that is opened or sealed, in bytes */

/* The two uses of today. The types are the multicodecs 0x0301 and 0x0302 as the bytes that
 * go-libp2p writes. */
#define OCF_ENVELOPE_PEER_RECORD_DOMAIN OCF_STR("libp2p-peer-record")
#define OCF_ENVELOPE_PEER_RECORD_TYPE OCF_STR("\x03\x01")
#define OCF_ENVELOPE_RELAY_DOMAIN OCF_STR("libp2p-relay-rsvp")
#define OCF_ENVELOPE_RELAY_TYPE OCF_STR("\x03\x02")

struct ocf_envelope {
  struct ocf_pubkey key;    /* who signed; owned by this object */
  struct ocf_bytes payload; /* view of the input */
};

/* Appends the envelope around `payload` to `out`, which nothing else changes. 0, OCF_ENOMEM,
 * OCF_ELIMIT (over OCF_ENVELOPE_MAX or the bound of `out`), OCF_EIO. */
OCF_NODISCARD int ocf_envelope_seal(const struct ocf_key *k, struct ocf_bytes domain,
                                    struct ocf_bytes type, struct ocf_bytes payload,
                                    struct ocf_buf *out);

/* Opens `in`, which must carry `type` and a signature that holds under `domain`. The caller still
 * checks that `e->key` is the key it expects: an envelope only proves who made it.
 * 0; OCF_EINVAL malformed or another payload type; OCF_ECRYPTO bad signature or other domain;
 * OCF_ELIMIT too long; errors of ocf_pubkey_unmarshal(); OCF_ENOMEM. On failure `e` holds nothing.
 */
OCF_NODISCARD int ocf_envelope_open(struct ocf_envelope *e, struct ocf_alloc *a,
                                    struct ocf_bytes in, struct ocf_bytes domain,
                                    struct ocf_bytes type);
/* Harmless on a zeroed object. */
void ocf_envelope_fini(struct ocf_envelope *e);

#endif
