/* The payload of Noise messages 2 and 3. Private to p2p/noise.
 *
 *   message NoiseHandshakePayload { bytes identity_key = 1; bytes identity_sig = 2;
 *                                   NoiseExtensions extensions = 4; }
 *   message NoiseExtensions { repeated bytes webtransport_certhashes = 1;
 *                             repeated string stream_muxers = 2; } */
#ifndef OCF_P2P_NOISE_PAYLOAD_H
#define OCF_P2P_NOISE_PAYLOAD_H

#include "p2p/noise/noise.h"

/* Views into the decrypted message. */
struct ocf_noise_payload {
  struct ocf_bytes identity_key, identity_sig;
  size_t n_muxers; /* 0: no list, an empty one, or one of more than OCF_NOISE_MUXERS_MAX entries */
  struct ocf_bytes muxers[OCF_NOISE_MUXERS_MAX];
};

/* Reads a payload. Unknown fields are skipped, the last of a repeated scalar counts, repeated
 * extensions are merged, as every protobuf reader does. 0, or OCF_EPROTO. */
OCF_NODISCARD int ocf_noise_payload_read(struct ocf_bytes in, struct ocf_noise_payload *out);

/* Appends our payload to `out`: no extensions field when `muxers` is NULL. 0, OCF_ENOMEM,
 * OCF_ELIMIT. */
OCF_NODISCARD int ocf_noise_payload_write(const struct ocf_noise_static *self,
                                          const struct ocf_bytes *muxers, size_t n_muxers,
                                          struct ocf_buf *out);

/* The early muxer by both lists: the initiator's first entry that the responder has too. Returns
 * its index in `ours`, or -1: to be negotiated by multistream. */
int ocf_noise_match_muxers(enum ocf_noise_role role, const struct ocf_bytes *ours, size_t n_ours,
                           const struct ocf_bytes *theirs, size_t n_theirs);

#endif
