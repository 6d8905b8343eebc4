#include "multi/maddr/maddr.h"

#include "fmt/varint/varint.h"
#include "multi/maddr/proto.h"
#include "multi/multihash/multihash.h"

/* The common ones first: the table is searched from the top. */
static const struct ocf_maddr_proto protos[] = {
  { OCF_MADDR_IP4, OCF_MADDR_KIND_IP4, 4, "ip4" },
  { OCF_MADDR_TCP, OCF_MADDR_KIND_PORT, 2, "tcp" },
  { OCF_MADDR_P2P, OCF_MADDR_KIND_PEER, -1, "p2p" },
  { OCF_MADDR_IP6, OCF_MADDR_KIND_IP6, 16, "ip6" },
  { OCF_MADDR_UDP, OCF_MADDR_KIND_PORT, 2, "udp" },
  { OCF_MADDR_QUIC_V1, OCF_MADDR_KIND_FLAG, 0, "quic-v1" },
  { OCF_MADDR_P2P_CIRCUIT, OCF_MADDR_KIND_FLAG, 0, "p2p-circuit" },
  { OCF_MADDR_DNS, OCF_MADDR_KIND_NAME, -1, "dns" },
  { OCF_MADDR_DNS4, OCF_MADDR_KIND_NAME, -1, "dns4" },
  { OCF_MADDR_DNS6, OCF_MADDR_KIND_NAME, -1, "dns6" },
  { OCF_MADDR_DNSADDR, OCF_MADDR_KIND_NAME, -1, "dnsaddr" },
  { OCF_MADDR_WS, OCF_MADDR_KIND_FLAG, 0, "ws" },
  { OCF_MADDR_WSS, OCF_MADDR_KIND_FLAG, 0, "wss" },
  { OCF_MADDR_TLS, OCF_MADDR_KIND_FLAG, 0, "tls" },
  { OCF_MADDR_SNI, OCF_MADDR_KIND_NAME, -1, "sni" },
  { OCF_MADDR_QUIC, OCF_MADDR_KIND_FLAG, 0, "quic" },
  { OCF_MADDR_WEBTRANSPORT, OCF_MADDR_KIND_FLAG, 0, "webtransport" },
  { OCF_MADDR_CERTHASH, OCF_MADDR_KIND_HASH, -1, "certhash" },
  { OCF_MADDR_WEBRTC_DIRECT, OCF_MADDR_KIND_FLAG, 0, "webrtc-direct" },
  { OCF_MADDR_WEBRTC, OCF_MADDR_KIND_FLAG, 0, "webrtc" },
  { OCF_MADDR_P2P_WEBRTC_DIRECT, OCF_MADDR_KIND_FLAG, 0, "p2p-webrtc-direct" },
  { OCF_MADDR_IP6ZONE, OCF_MADDR_KIND_NAME, -1, "ip6zone" },
  { OCF_MADDR_IPCIDR, OCF_MADDR_KIND_BYTE, 1, "ipcidr" },
  { OCF_MADDR_NOISE, OCF_MADDR_KIND_FLAG, 0, "noise" },
  { OCF_MADDR_PLAINTEXTV2, OCF_MADDR_KIND_FLAG, 0, "plaintextv2" },
  { OCF_MADDR_HTTP, OCF_MADDR_KIND_FLAG, 0, "http" },
  { OCF_MADDR_HTTPS, OCF_MADDR_KIND_FLAG, 0, "https" },
  { OCF_MADDR_HTTP_PATH, OCF_MADDR_KIND_HTTP_PATH, -1, "http-path" },
  { OCF_MADDR_UNIX, OCF_MADDR_KIND_PATH, -1, "unix" },
  { OCF_MADDR_DCCP, OCF_MADDR_KIND_PORT, 2, "dccp" },
  { OCF_MADDR_SCTP, OCF_MADDR_KIND_PORT, 2, "sctp" },
  { OCF_MADDR_UDT, OCF_MADDR_KIND_FLAG, 0, "udt" },
  { OCF_MADDR_UTP, OCF_MADDR_KIND_FLAG, 0, "utp" },
  { OCF_MADDR_ONION, OCF_MADDR_KIND_ONION, 12, "onion" },
  { OCF_MADDR_ONION3, OCF_MADDR_KIND_ONION, 37, "onion3" },
  { OCF_MADDR_GARLIC32, OCF_MADDR_KIND_GARLIC, -1, "garlic32" },
  { OCF_MADDR_MEMORY, OCF_MADDR_KIND_U64, 8, "memory" },
};

const struct ocf_maddr_proto *ocf_maddr_proto_by_code(uint64_t code)
{
  for (size_t i = 0; i < OCF_ARRAY_LEN(protos); i++)
    if (protos[i].code == code)
      return &protos[i];
  return NULL;
}

const struct ocf_maddr_proto *ocf_maddr_proto_by_name(struct ocf_bytes name)
{
  if (ocf_bytes_eq(name, OCF_STR("ipfs"))) /* what /p2p was called once */
    return ocf_maddr_proto_by_code(OCF_MADDR_P2P);
  for (size_t i = 0; i < OCF_ARRAY_LEN(protos); i++)
    if (ocf_bytes_eq(name, ocf_bytes(protos[i].name, strlen(protos[i].name))))
      return &protos[i];
  return NULL;
}

/* ---- binary ---- */

static int check_hash(struct ocf_bytes v)
{
  struct ocf_multihash mh;
  return ocf_multihash_cast(v, &mh);
}

static int check_peer(struct ocf_bytes v)
{
  struct ocf_peerid id;
  int rc = ocf_peerid_from_bytes(v, &id);
  /* Ids of other hashes have a base58 text that nobody reads back, and no key makes them. */
  bool readable = v.n >= 2 && (v.p[0] == OCF_MULTIHASH_IDENTITY ||
                               (v.p[0] == OCF_MULTIHASH_SHA2_256 && v.p[1] == 32));
  return rc == 0 && !readable ? OCF_EINVAL : rc;
}

/* Whether `v`, of the right size, is a value that text can hold and read back. */
static int check_value(const struct ocf_maddr_proto *proto, struct ocf_bytes v)
{
  switch (proto->kind) {
  case OCF_MADDR_KIND_FLAG:
  case OCF_MADDR_KIND_IP4:
  case OCF_MADDR_KIND_IP6:
  case OCF_MADDR_KIND_PORT:
  case OCF_MADDR_KIND_BYTE:
  case OCF_MADDR_KIND_HTTP_PATH:
  case OCF_MADDR_KIND_U64: return 0;
  case OCF_MADDR_KIND_NAME: return memchr(v.p, '/', v.n) == NULL ? 0 : OCF_EINVAL;
  case OCF_MADDR_KIND_PEER: return check_peer(v);
  case OCF_MADDR_KIND_HASH: return check_hash(v);
  case OCF_MADDR_KIND_PATH:
    /* Text drops slashes at the end, so a path that ends in one has no text of its own. */
    return v.p[0] == '/' && v.p[v.n - 1] != '/' ? 0 : OCF_EINVAL;
  case OCF_MADDR_KIND_ONION: return (v.p[v.n - 2] | v.p[v.n - 1]) != 0 ? 0 : OCF_EINVAL;
  case OCF_MADDR_KIND_GARLIC: return v.n == 32 || v.n >= 35 ? 0 : OCF_EINVAL;
  }
  return OCF_EINVAL;
}

static int take_value(struct ocf_bytes *in, const struct ocf_maddr_proto *proto,
                      struct ocf_bytes *value)
{
  uint64_t n = proto->size < 0 ? 0 : (uint64_t)proto->size;
  if (proto->size < 0) {
    int used = ocf_varint_get(in->p, in->n, &n);
    if (used < 0 || n == 0)
      return OCF_EINVAL;
    *in = ocf_bytes(in->p + used, in->n - (size_t)used);
  }
  if (n > in->n)
    return OCF_EINVAL;
  *value = ocf_bytes(in->p, (size_t)n);
  *in = ocf_bytes(in->p + n, in->n - (size_t)n);
  return 0;
}

int ocf_maddr_take(struct ocf_bytes *in, const struct ocf_maddr_proto **proto,
                   struct ocf_bytes *value)
{
  struct ocf_bytes rest = *in;
  uint64_t code;
  int n = ocf_varint_get(rest.p, rest.n, &code);
  if (n < 0)
    return OCF_EINVAL;
  *proto = ocf_maddr_proto_by_code(code);
  if (*proto == NULL)
    return OCF_EUNSUPP;
  rest = ocf_bytes(rest.p + n, rest.n - (size_t)n);
  int rc = take_value(&rest, *proto, value);
  if (rc == 0)
    rc = check_value(*proto, *value);
  if (rc == 0 && (*proto)->kind == OCF_MADDR_KIND_PATH && rest.n > 0)
    rc = OCF_EINVAL;
  if (rc == 0)
    *in = rest;
  return rc;
}

int ocf_maddr_from_bytes(struct ocf_bytes bin, struct ocf_maddr *out)
{
  const struct ocf_maddr_proto *proto;
  struct ocf_bytes rest = bin, value;
  if (bin.n == 0)
    return OCF_EINVAL;
  if (bin.n > OCF_MADDR_MAX)
    return OCF_ELIMIT;
  while (rest.n > 0) {
    int rc = ocf_maddr_take(&rest, &proto, &value);
    if (rc != 0)
      return rc;
  }
  memmove(out->b, bin.p, bin.n); /* a view of *out itself may be given */
  out->n = (uint16_t)bin.n;
  return 0;
}

bool ocf_maddr_eq(const struct ocf_maddr *a, const struct ocf_maddr *b)
{
  return a->n == b->n && memcmp(a->b, b->b, a->n) == 0;
}

/* ---- components ---- */

bool ocf_maddr_next(struct ocf_maddr_iter *it, struct ocf_maddr_part *part)
{
  const struct ocf_maddr_proto *proto;
  uint64_t code = 0;
  if (it->rest.n == 0)
    return false;
  int n = ocf_varint_get(it->rest.p, it->rest.n, &code);
  OCF_ASSERT(n > 0);
  proto = ocf_maddr_proto_by_code(code);
  OCF_ASSERT(proto != NULL);
  it->rest = ocf_bytes(it->rest.p + n, it->rest.n - (size_t)n);
  int rc = take_value(&it->rest, proto, &part->value);
  OCF_ASSERT(rc == 0);
  part->code = proto->code;
  part->name = proto->name;
  return true;
}

bool ocf_maddr_find(const struct ocf_maddr *m, uint32_t code, struct ocf_maddr_part *part)
{
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  struct ocf_maddr_part p;
  while (ocf_maddr_next(&it, &p)) {
    if (p.code != code)
      continue;
    if (part != NULL)
      *part = p;
    return true;
  }
  return false;
}

static bool ends_in_path(const struct ocf_maddr *m)
{
  return ocf_maddr_find(m, OCF_MADDR_UNIX, NULL);
}

static int append_bytes(struct ocf_maddr *m, struct ocf_bytes tail)
{
  if (tail.n > 0 && ends_in_path(m))
    return OCF_EINVAL;
  if (tail.n > (size_t)(OCF_MADDR_MAX - m->n))
    return OCF_ELIMIT;
  memmove(m->b + m->n, tail.p, tail.n);
  m->n = (uint16_t)(m->n + tail.n);
  return 0;
}

int ocf_maddr_append(struct ocf_maddr *m, uint32_t code, struct ocf_bytes value)
{
  uint8_t b[OCF_MADDR_MAX + 2 * OCF_VARINT_MAX];
  const struct ocf_maddr_proto *proto = ocf_maddr_proto_by_code(code);
  if (proto == NULL)
    return OCF_EUNSUPP;
  if (proto->size < 0 ? value.n == 0 : value.n != (size_t)proto->size)
    return OCF_EINVAL;
  if (value.n > OCF_MADDR_MAX)
    return OCF_ELIMIT;
  int rc = check_value(proto, value);
  if (rc != 0)
    return rc;
  size_t n = ocf_varint_put(b, code);
  if (proto->size < 0)
    n += ocf_varint_put(b + n, value.n);
  if (value.n > 0)
    memcpy(b + n, value.p, value.n);
  return append_bytes(m, ocf_bytes(b, n + value.n));
}

int ocf_maddr_join(struct ocf_maddr *m, const struct ocf_maddr *tail)
{
  struct ocf_maddr t = *tail; /* `tail` may be `m` */
  return append_bytes(m, ocf_maddr_view(&t));
}

/* ---- peers ---- */

/* The last component and where it begins; false for an empty address. */
static bool last_part(const struct ocf_maddr *m, struct ocf_maddr_part *part, size_t *at)
{
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  size_t here = 0;
  bool any = false;
  while (ocf_maddr_next(&it, part)) {
    *at = here;
    here = m->n - it.rest.n;
    any = true;
  }
  return any;
}

bool ocf_maddr_peer(const struct ocf_maddr *m, struct ocf_peerid *id)
{
  struct ocf_maddr_part part;
  size_t at;
  if (!last_part(m, &part, &at) || part.code != OCF_MADDR_P2P)
    return false;
  if (id != NULL) {
    int rc = ocf_peerid_from_bytes(part.value, id);
    OCF_ASSERT(rc == 0);
  }
  return true;
}

int ocf_maddr_add_peer(struct ocf_maddr *m, const struct ocf_peerid *id)
{
  struct ocf_peerid have;
  OCF_ASSERT(!ocf_peerid_is_none(id));
  if (ocf_maddr_peer(m, &have))
    return ocf_peerid_eq(&have, id) ? 0 : OCF_EINVAL;
  return ocf_maddr_append(m, OCF_MADDR_P2P, ocf_peerid_view(id));
}

void ocf_maddr_drop_peer(struct ocf_maddr *m)
{
  struct ocf_maddr_part part;
  size_t at;
  if (last_part(m, &part, &at) && part.code == OCF_MADDR_P2P)
    m->n = (uint16_t)at;
}

bool ocf_maddr_is_relayed(const struct ocf_maddr *m)
{
  return ocf_maddr_find(m, OCF_MADDR_P2P_CIRCUIT, NULL);
}
