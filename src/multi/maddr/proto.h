/* The table of multiaddr protocols and the binary walker. Internal to multi/maddr. */
#ifndef OCF_MULTI_MADDR_PROTO_H
#define OCF_MULTI_MADDR_PROTO_H

#include "multi/maddr/maddr.h"

/* How a value is written, in text and in binary. */
enum ocf_maddr_kind {
  OCF_MADDR_KIND_FLAG, /* no value */
  OCF_MADDR_KIND_IP4,
  OCF_MADDR_KIND_IP6,
  OCF_MADDR_KIND_PORT,
  OCF_MADDR_KIND_BYTE,
  OCF_MADDR_KIND_NAME, /* bytes without '/' */
  OCF_MADDR_KIND_PEER,
  OCF_MADDR_KIND_HASH,
  OCF_MADDR_KIND_PATH, /* the rest of the text; always the last component */
  OCF_MADDR_KIND_HTTP_PATH,
  OCF_MADDR_KIND_ONION, /* service id and port; both versions */
  OCF_MADDR_KIND_GARLIC,
  OCF_MADDR_KIND_U64,
};

struct ocf_maddr_proto {
  uint32_t code;
  enum ocf_maddr_kind kind;
  int size; /* bytes of the value, or -1: a uvarint length comes before it */
  const char *name;
};

/* NULL when unknown. */
const struct ocf_maddr_proto *ocf_maddr_proto_by_code(uint64_t code);
const struct ocf_maddr_proto *ocf_maddr_proto_by_name(struct ocf_bytes name);

/* Takes one component off the front of unvalidated bytes. 0, OCF_EINVAL, OCF_EUNSUPP, OCF_ELIMIT.
 */
OCF_NODISCARD int ocf_maddr_take(struct ocf_bytes *in, const struct ocf_maddr_proto **proto,
                                 struct ocf_bytes *value);

#endif
