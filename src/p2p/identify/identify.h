/* identify and identify/push: what two peers tell each other about themselves, and the signed peer
 * record inside. Spec: libp2p/specs identify/README.md, RFC 0003; as go-libp2p sends and reads it.
 *
 * On a stream of either protocol the speaker writes one or more messages, each behind its uvarint
 * length, and half-closes; the parts together are one message (repeated fields append, the last
 * scalar wins). Codecs only: who speaks when is p2p/swarm's.
 *
 * No clock, no I/O; memory through the given allocator, at most OCF_IDENTIFY_TOTAL_MAX per reader.
 * Belongs to one loop. */
#ifndef OCF_P2P_IDENTIFY_IDENTIFY_H
#define OCF_P2P_IDENTIFY_IDENTIFY_H

#include "base/buf/buf.h"
#include "base/core/core.h"
#include "base/mem/alloc.h"
#include "crypto/key/key.h"
#include "fmt/pb/pb.h"
#include "multi/maddr/maddr.h"
#include "multi/peerid/peerid.h"

#define OCF_IDENTIFY_PROTOCOL "/ipfs/id/1.0.0"
#define OCF_IDENTIFY_PUSH_PROTOCOL "/ipfs/id/push/1.0.0"

enum {
  OCF_IDENTIFY_PART_MAX = 8192, /* bytes of one message, its length not counted */
  OCF_IDENTIFY_PARTS_MAX = 10,
  OCF_IDENTIFY_TOTAL_MAX = OCF_IDENTIFY_PART_MAX * OCF_IDENTIFY_PARTS_MAX,
  OCF_IDENTIFY_SPLIT = 2048, /* a longer message sends its signed record as a part of its own */
  OCF_IDENTIFY_PROTOS_MAX = 1024, /* protocols that are looked at; later ones are ignored */
  OCF_IDENTIFY_PROTO_MAX = 256,   /* bytes of a protocol name; longer and empty ones are ignored */
  OCF_IDENTIFY_ADDRS_MAX = 500,   /* addresses that are looked at */
  OCF_IDENTIFY_AGENT_MAX = 256,   /* bytes of agentVersion and protocolVersion; the rest is cut */
};

/* --- reading --- */

/* Gathers the parts. Fields are private. */
struct ocf_identify_reader {
  struct ocf_buf buf; /* bodies of the complete parts, then the beginning of the next */
  size_t n_parts;
  size_t left;    /* bytes of the part under way still to come */
  uint64_t len;   /* its length as far as known */
  unsigned n_len; /* bytes of that length so far */
};

void ocf_identify_reader_init(struct ocf_identify_reader *r, struct ocf_alloc *a);
void ocf_identify_reader_fini(struct ocf_identify_reader *r);
/* Takes all of `in`, in any fragmentation. 0; OCF_EPROTO (bad length), OCF_ELIMIT (part too long,
 * too many parts), OCF_ENOMEM: then only fini is allowed, and the stream is to be reset. */
OCF_NODISCARD int ocf_identify_reader_input(struct ocf_identify_reader *r, struct ocf_bytes in);
/* The stream ended: `*msg` views the merged message, lent until fini. 0, or OCF_EPROTO when a part
 * is incomplete or there was none. */
OCF_NODISCARD int ocf_identify_reader_end(const struct ocf_identify_reader *r,
                                          struct ocf_bytes *msg);

/* A message, as views of its bytes. Absent fields are empty. Nothing in it is proved. */
struct ocf_identify_msg {
  struct ocf_bytes raw;
  struct ocf_bytes key;      /* serialized PublicKey */
  struct ocf_bytes observed; /* our address as the peer sees it, a binary multiaddr */
  struct ocf_bytes protocol_version, agent; /* any bytes, cut to OCF_IDENTIFY_AGENT_MAX */
  struct ocf_bytes record;                  /* a signed envelope */
  size_t n_protos, n_addrs;                 /* usable ones, within the limits above */
};

/* 0 or OCF_EINVAL (not protobuf). */
OCF_NODISCARD int ocf_identify_decode(struct ocf_bytes raw, struct ocf_identify_msg *out);

/* Walks the usable protocols, respectively addresses, of a message or record. */
struct ocf_identify_iter {
  struct ocf_pb_reader r;
  size_t n;
};
struct ocf_identify_iter ocf_identify_iter(const struct ocf_identify_msg *m);
bool ocf_identify_next_proto(struct ocf_identify_iter *it, struct ocf_bytes *out);
/* Skips what is not a well-formed multiaddr. */
bool ocf_identify_next_addr(struct ocf_identify_iter *it, struct ocf_maddr *out);

/* --- writing --- */

/* All borrowed for the call. */
struct ocf_identify_self {
  struct ocf_bytes key;
  const struct ocf_maddr *addrs;
  size_t n_addrs;
  bool loopback; /* the reader is reached over loopback: it may see loopback addresses */
  const struct ocf_bytes *protos;
  size_t n_protos;
  const struct ocf_maddr *observed; /* NULL: leave out */
  struct ocf_bytes agent;
  struct ocf_bytes record; /* a sealed record, or empty */
};

/* Appends the message, with its lengths, in as many parts as it takes. 0; OCF_ELIMIT when a part
 * would be longer than readers take, or `out` is full; OCF_ENOMEM. On failure `out` is unchanged.
 */
OCF_NODISCARD int ocf_identify_encode(const struct ocf_identify_self *self, struct ocf_buf *out);

/* --- the signed peer record --- */

/* Appends an envelope that says "peer `id` is at these addresses", as of `seq` (which must grow;
 * unix time in ns serves). `loopback` as above. 0, OCF_ENOMEM, OCF_ELIMIT, OCF_EIO. */
OCF_NODISCARD int ocf_identify_record_seal(const struct ocf_key *key, const struct ocf_peerid *id,
                                           uint64_t seq, const struct ocf_maddr *addrs,
                                           size_t n_addrs, bool loopback, struct ocf_buf *out);

struct ocf_identify_record {
  struct ocf_peerid id; /* who signed, and whom it speaks of */
  uint64_t seq;
  struct ocf_bytes payload; /* view of the input */
};

/* Opens and checks an envelope. 0; OCF_EINVAL or OCF_ECRYPTO (malformed, badly signed: to be
 * ignored), OCF_EAUTH (well signed, but by another peer than it speaks of), OCF_ENOMEM, and the
 * errors of ocf_envelope_open(). The caller compares `id` with the peer. */
OCF_NODISCARD int ocf_identify_record_open(struct ocf_alloc *a, struct ocf_bytes envelope,
                                           struct ocf_identify_record *out);
/* Walks its addresses with ocf_identify_record_next(). */
struct ocf_identify_iter ocf_identify_record_iter(const struct ocf_identify_record *rec);
bool ocf_identify_record_next(struct ocf_identify_iter *it, struct ocf_maddr *out);

#endif
