/* multistream-select 1.0: two ends agree on the name of the protocol that follows on a channel (a
 * raw connection or a stream). Spec: multiformats/multistream-select, as go-libp2p runs it.
 *
 * A token is a uvarint length, the text, and a newline that the length counts. Both ends first send
 * `/multistream/1.0.0`; the initiator proposes names, the responder echoes one or answers `na`.
 *
 * Sans-IO, no clock: the caller bounds the time (10 s for a stream, the upgrade's 15 s for a
 * connection) and resets the stream or closes the connection on any error here; nothing is sent to
 * explain it. Belongs to one loop. About 64 bytes; memory is taken only while a token is split over
 * two inputs (at most OCF_MSS_TOKEN_MAX bytes) and is given back when the token is complete.
 *
 * Byte-exact: input stops right behind the token that ends the negotiation; what follows belongs to
 * the agreed protocol. */
#ifndef OCF_P2P_MSS_MSS_H
#define OCF_P2P_MSS_MSS_H

#include "base/core/core.h"
#include "base/mem/alloc.h"

enum {
  OCF_MSS_TOKEN_MAX = 1024, /* with its newline; what go-multistream accepts */
  OCF_MSS_ROUNDS_MAX = 32,  /* proposals in one negotiation */
};

/* Both ends proposed: a TCP simultaneous open made two initiators of one connection. Close it and
 * dial again after a random delay. Returned by ocf_mss_input() and by nothing else. */
#define OCF_MSS_EBOTHDIAL OCF_EINUSE

/* Fields are private. */
struct ocf_mss {
  struct ocf_alloc *a;
  const struct ocf_bytes *protos; /* borrowed */
  uint8_t *gather;                /* a split token, `need` bytes, or NULL */
  uint16_t n_protos, at;          /* initiator: proposal under way; responder: the accepted one */
  uint16_t need, got;            /* token length with newline, 0 = not known yet; bytes in gather */
  uint16_t out_off;              /* bytes already given out of the token being sent */
  uint8_t len_byte;              /* first byte of a two-byte length, 0 = none yet */
  uint8_t state, n_rounds, n_na; /* n_na: refusals waiting to be sent */
  bool responder, header_in, header_out, name_out;
};

/* Proposes `protos` in order, the first together with our header. `protos`, 1 <= n <=
 * OCF_MSS_ROUNDS_MAX, is borrowed until fini, names without length or newline, each shorter than
 * OCF_MSS_TOKEN_MAX.
 *
 * Lazy mode: with a single proposal that the peer is known to speak, the caller may send
 * application bytes right behind ocf_mss_output() without waiting; answers to them come only after
 * AGREED. */
void ocf_mss_init_initiator(struct ocf_mss *m, struct ocf_alloc *a, const struct ocf_bytes *protos,
                            size_t n);
/* Accepts the first proposal that is in `protos` (any n up to 65535, borrowed until fini) and
 * answers `na` to others, `ls` included. */
void ocf_mss_init_responder(struct ocf_mss *m, struct ocf_alloc *a, const struct ocf_bytes *protos,
                            size_t n);
/* Frees what a half-received token holds. Safe at any time, repeatedly. */
void ocf_mss_fini(struct ocf_mss *m);

enum { OCF_MSS_MORE = 0, OCF_MSS_AGREED = 1 };

/* Takes bytes from the front of `*in`. OCF_MSS_AGREED: done, ocf_mss_agreed() is the index of the
 * protocol, and `*in` is what follows the negotiation (still send ocf_mss_output(), also when the
 * peer has half-closed). OCF_MSS_MORE: all of `*in` is taken. Errors, after which only fini is
 * allowed: OCF_EPROTO (malformed length, no newline, token too long, not multistream, an answer
 * that was not asked for), OCF_EUNSUPP (initiator: all proposals refused), OCF_MSS_EBOTHDIAL,
 * OCF_ELIMIT (responder: too many proposals), OCF_ENOMEM. */
OCF_NODISCARD int ocf_mss_input(struct ocf_mss *m, struct ocf_bytes *in);
/* The channel's other end sent its last byte. 0 when the negotiation is done, else OCF_EPROTO. */
OCF_NODISCARD int ocf_mss_eof(const struct ocf_mss *m);

/* Moves up to `cap` pending bytes to `dst`; returns the count, 0 when there is nothing to send. All
 * that is pending comes in one call when `cap` allows it. */
size_t ocf_mss_output(struct ocf_mss *m, uint8_t *dst, size_t cap);
bool ocf_mss_has_output(const struct ocf_mss *m);

bool ocf_mss_is_done(const struct ocf_mss *m);
/* Index into `protos` of what was agreed. Only after OCF_MSS_AGREED. */
size_t ocf_mss_agreed(const struct ocf_mss *m);

#endif
