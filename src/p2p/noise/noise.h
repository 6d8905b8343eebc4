/* The libp2p Noise handshake, Noise_XX_25519_ChaChaPoly_SHA256, in both roles, and the frames of
 * the channel that it makes.
 *
 * Sans-IO: bytes in any fragmentation go in, bytes to send are pulled, the result is taken once.
 * The caller keeps the deadline. One handshake belongs to one loop. Specs: libp2p/specs
 * noise/README.md; Noise rev 34 (XX).
 *
 *   initiator  -> e                                  frame: 2-byte big-endian length, then the
 * message
 *              <- e, ee, s, es, payload
 *              -> s, se, payload                     payload: identity key, its signature of the
 * static key, and the muxers that the sender offers
 *
 * The initiator checks the peer's identity before it says its own: when the peer is not the
 * expected one, message 3 is never made. */
#ifndef OCF_P2P_NOISE_NOISE_H
#define OCF_P2P_NOISE_NOISE_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "crypto/aead/aead.h"
#include "crypto/dh/dh.h"
#include "crypto/hash/hash.h"
#include "crypto/key/key.h"
#include "multi/peerid/peerid.h"

enum {
  OCF_NOISE_HEADER_LEN = 2,
  OCF_NOISE_OVERHEAD = OCF_NOISE_HEADER_LEN + OCF_AEAD_TAG_LEN, /* of a transport frame */
  OCF_NOISE_PLAIN_MAX = 65519, /* plaintext of one transport frame */
  OCF_NOISE_FRAME_MAX = OCF_NOISE_OVERHEAD + OCF_NOISE_PLAIN_MAX,
  OCF_NOISE_HANDSHAKE_MAX = 16384, /* longest handshake message that is taken or made */
  OCF_NOISE_MUXERS_MAX = 100,      /* a longer list counts as no list */
};

/* ---- the process's own side ---- */

/* The Noise static key pair with the identity's proof for it. Made once per process (one
 * signature), then shared, constant, by every handshake; any thread may read it. */
struct ocf_noise_static {
  struct ocf_dh_key dh;
  struct ocf_alloc *a;
  uint8_t *identity; /* serialized PublicKey, n_identity bytes */
  size_t n_identity;
  uint8_t sig[OCF_KEY_SIG_MAX]; /* identity_sig, n_sig bytes */
  size_t n_sig;
};

/* A fresh static key from ocf_rng_secret(), signed by `identity`, which is not kept. 0, OCF_ENOMEM,
 * OCF_EIO (signing failed). On failure `s` holds nothing. */
OCF_NODISCARD int ocf_noise_static_init(struct ocf_noise_static *s, struct ocf_alloc *a,
                                        const struct ocf_key *identity, struct ocf_rng *rng);
/* As above with a static key pair that the caller gives (tests, vectors). Copies it. */
OCF_NODISCARD int ocf_noise_static_init_with(struct ocf_noise_static *s, struct ocf_alloc *a,
                                             const struct ocf_key *identity,
                                             const struct ocf_dh_key *dh);
/* Wipes and frees; harmless on a zeroed object. No handshake may be using it. */
void ocf_noise_static_fini(struct ocf_noise_static *s);

/* ---- the channel ---- */

/* One direction of the channel each. The nonce counter is inside. */
struct ocf_noise_tx {
  struct ocf_aead aead;
  uint64_t n; /* next counter */
};

struct ocf_noise_rx {
  struct ocf_aead aead;
  uint64_t n;
};

/* Makes a frame in place: the caller has put `n` bytes, 1..OCF_NOISE_PLAIN_MAX, at
 * frame + OCF_NOISE_HEADER_LEN, with room for OCF_AEAD_TAG_LEN after them; the frame is then
 * n + OCF_NOISE_OVERHEAD bytes. Allocates nothing. 0; OCF_EINVAL for another `n`; OCF_ERANGE when
 * the counter is used up: the connection must end. On failure nothing is changed. */
OCF_NODISCARD int ocf_noise_seal_frame(struct ocf_noise_tx *tx, uint8_t *frame, size_t n);

/* The whole length of the frame that begins at `buf`, header included (18..65537), which may be
 * more than the `n` bytes that are there. OCF_EAGAIN when n < 2; OCF_EPROTO when it could not hold
 * a tag. */
OCF_NODISCARD int ocf_noise_frame_len(const uint8_t *buf, size_t n);

/* Opens a whole frame of `len` bytes (as told by ocf_noise_frame_len) in place; `plain` then views
 * its inside, frame + 2, and may be empty: empty frames are legal and to be skipped. 0; OCF_ECRYPTO
 * when it was not sealed by the peer at this place: the counter has not moved, the bytes are of no
 * use, and the connection must end; OCF_EINVAL when `len` is not the length the header gives;
 * OCF_ERANGE when the counter is used up. */
OCF_NODISCARD int ocf_noise_open_frame(struct ocf_noise_rx *rx, uint8_t *frame, size_t len,
                                       struct ocf_bytes *plain);

/* Wipe the keys and free. Harmless on zeroed objects. */
void ocf_noise_tx_fini(struct ocf_noise_tx *tx);
void ocf_noise_rx_fini(struct ocf_noise_rx *rx);

/* ---- the handshake ---- */

enum ocf_noise_role { OCF_NOISE_INITIATOR, OCF_NOISE_RESPONDER };

/* All borrowed, and alive until ocf_noise_fini(). */
struct ocf_noise_config {
  enum ocf_noise_role role;
  const struct ocf_noise_static *self;
  const struct ocf_bytes *muxers;    /* names to offer, best first; NULL: say nothing */
  size_t n_muxers;                   /* <= OCF_NOISE_MUXERS_MAX; 0 with a list: an empty one */
  const struct ocf_peerid *expected; /* the only acceptable peer, or NULL for any */
};

enum ocf_noise_state {
  OCF_NOISE_WAIT_1, /* responder: message 1 is awaited */
  OCF_NOISE_WAIT_2, /* initiator: message 1 is made, 2 is awaited */
  OCF_NOISE_WAIT_3, /* responder: message 2 is made, 3 is awaited */
  OCF_NOISE_DONE,   /* the result is ready, or was taken */
  OCF_NOISE_DEAD,   /* failed, or freed */
};

/* In the caller's memory; fields are private. Half a KiB, plus buffers of up to
 * OCF_NOISE_HANDSHAKE_MAX each way while a handshake is under way. */
struct ocf_noise {
  struct ocf_noise_config cfg;
  struct ocf_alloc *a;
  enum ocf_noise_state state;
  int err;         /* why DEAD */
  const char *why; /* static text for it */
  struct ocf_buf in, out;
  size_t out_at; /* bytes of `out` already pulled */
  struct ocf_dh_key e;
  uint8_t re[OCF_DH_LEN], rs[OCF_DH_LEN];
  uint8_t h[OCF_SHA256_LEN], ck[OCF_SHA256_LEN];
  struct ocf_aead aead; /* current handshake key; keyed tells whether there is one */
  uint64_t aead_n;
  bool keyed, taken;
  struct ocf_pubkey key; /* of the remote, once proved */
  struct ocf_peerid peer;
  int muxer;
};

/* What a finished handshake leaves. The taker owns it: ocf_noise_result_fini(), or the parts'. */
struct ocf_noise_result {
  struct ocf_pubkey key;  /* the remote identity key, proved */
  struct ocf_peerid peer; /* its peer id */
  int muxer;              /* index into cfg->muxers, agreed early; -1: negotiate by multistream */
  struct ocf_noise_tx tx;
  struct ocf_noise_rx rx;
  uint8_t hash[OCF_SHA256_LEN]; /* handshake hash, for channel binding */
};

/* Begins. The ephemeral key comes from ocf_rng_secret(). An initiator has message 1 to send at
 * once. 0, OCF_ENOMEM; on failure nothing is held. */
OCF_NODISCARD int ocf_noise_init(struct ocf_noise *hs, struct ocf_alloc *a, struct ocf_rng *rng,
                                 const struct ocf_noise_config *cfg);
/* Wipes and frees, in any state; harmless on a zeroed object. */
void ocf_noise_fini(struct ocf_noise *hs);

/* Takes bytes from the peer; `*used` says how many. All of them, unless the handshake ends with an
 * earlier byte: the rest belongs to the channel (the initiator is done with the last byte of
 * message 2, the responder with the last of message 3). 0 also when more is needed. Errors are
 * final, and nothing that was not yet pulled is sent after one: OCF_EPROTO malformed; OCF_ECRYPTO a
 * message does not decrypt; OCF_EAUTH identity not proved or not the expected one; OCF_EUNSUPP and
 * OCF_ELIMIT a key of a kind or size that is refused, or an overlong message; OCF_ENOMEM. After an
 * error, or when done, further calls use nothing and return that error, or 0. */
OCF_NODISCARD int ocf_noise_input(struct ocf_noise *hs, const uint8_t *p, size_t n, size_t *used);

/* Moves up to `cap` bytes to send into `dst`; 0 means none. Also after DONE: the initiator's
 * message 3 must go out before anything sealed by the channel. */
size_t ocf_noise_output(struct ocf_noise *hs, uint8_t *dst, size_t cap);
/* How many bytes ocf_noise_output() still has. */
size_t ocf_noise_output_len(const struct ocf_noise *hs);

/* True when the result may be taken, or was. Bytes may still be waiting for output. */
bool ocf_noise_is_done(const struct ocf_noise *hs);
/* A static phrase for what failed; "" before a failure. */
const char *ocf_noise_why(const struct ocf_noise *hs);

/* Hands the result over, once. 0, or OCF_ESTATE when not done or already taken. The handshake
 * object keeps only its pending output. */
OCF_NODISCARD int ocf_noise_take(struct ocf_noise *hs, struct ocf_noise_result *r);
void ocf_noise_result_fini(struct ocf_noise_result *r);

#endif
