/* Multiaddrs: self-describing network addresses, text "/ip4/1.2.3.4/tcp/43905" and binary.
 *
 * `struct ocf_maddr` is an owned value whose bytes were validated when it was made, so reading it
 * cannot fail; wire input comes in through ocf_maddr_from_bytes, text through ocf_maddr_parse. One
 * unknown code makes the whole address unusable (its length cannot be known), as in go-multiaddr.
 * No allocation, no state, no <sys/socket.h>; safe from any thread.
 *
 * Known protocols: ip4 ip6 ip6zone ipcidr dns dns4 dns6 dnsaddr tcp udp dccp sctp udt utp p2p (also
 * read as ipfs) p2p-circuit p2p-webrtc-direct webrtc webrtc-direct webtransport certhash quic
 * quic-v1 tls sni noise plaintextv2 ws wss http https http-path unix onion onion3 garlic32 memory.
 * Stricter than go-multiaddr: an id behind /p2p must be an identity or full sha2-256 multihash,
 * /unix must be last, /ip4 and /ip6 take only text of their own family; so text and bytes always
 * name one thing. Spec: multiformats/multiaddr, libp2p/specs addressing. */
#ifndef OCF_MULTI_MADDR_MADDR_H
#define OCF_MULTI_MADDR_MADDR_H

#include "base/core/core.h"
#include "multi/peerid/peerid.h"

enum {
  OCF_MADDR_MAX = 382,        /* bytes of a binary address: a 253-byte DNS name, ws, two peer ids */
  OCF_MADDR_TEXT_SIZE = 4096, /* room for the text of any address, NUL included */
  OCF_MADDR_TEXT_MAX = 4095,  /* longest text that is read */
};

enum ocf_maddr_code {
  OCF_MADDR_IP4 = 4,
  OCF_MADDR_TCP = 6,
  OCF_MADDR_DCCP = 33,
  OCF_MADDR_IP6 = 41,
  OCF_MADDR_IP6ZONE = 42,
  OCF_MADDR_IPCIDR = 43,
  OCF_MADDR_DNS = 53,
  OCF_MADDR_DNS4 = 54,
  OCF_MADDR_DNS6 = 55,
  OCF_MADDR_DNSADDR = 56,
  OCF_MADDR_SCTP = 132,
  OCF_MADDR_UDP = 273,
  OCF_MADDR_P2P_WEBRTC_DIRECT = 276,
  OCF_MADDR_WEBRTC_DIRECT = 280,
  OCF_MADDR_WEBRTC = 281,
  OCF_MADDR_P2P_CIRCUIT = 290,
  OCF_MADDR_UDT = 301,
  OCF_MADDR_UTP = 302,
  OCF_MADDR_UNIX = 400,
  OCF_MADDR_P2P = 421,
  OCF_MADDR_HTTPS = 443,
  OCF_MADDR_ONION = 444,
  OCF_MADDR_ONION3 = 445,
  OCF_MADDR_GARLIC32 = 447,
  OCF_MADDR_TLS = 448,
  OCF_MADDR_SNI = 449,
  OCF_MADDR_NOISE = 454,
  OCF_MADDR_QUIC = 460,
  OCF_MADDR_QUIC_V1 = 461,
  OCF_MADDR_WEBTRANSPORT = 465,
  OCF_MADDR_CERTHASH = 466,
  OCF_MADDR_WS = 477,
  OCF_MADDR_WSS = 478,
  OCF_MADDR_HTTP = 480,
  OCF_MADDR_HTTP_PATH = 481,
  OCF_MADDR_MEMORY = 777,
  OCF_MADDR_PLAINTEXTV2 = 7367777,
};

/* A value: copied by assignment. `n` 0 is "no address". */
struct ocf_maddr {
  uint16_t n;
  uint8_t b[OCF_MADDR_MAX];
};

/* An IP endpoint without the operating system's headers; drivers translate it. A value. */
struct ocf_ip_addr {
  uint8_t family; /* 4 or 6; 0 is "none" */
  uint16_t port;  /* host order */
  uint8_t ip[16]; /* network order; family 4 uses the first four, the rest is zero */
  char zone[16];  /* IPv6 scope as a C string, or "" */
};

/* ---- text, bytes ---- */

/* Reads text, canonicalising it (trailing slashes dropped, "ipfs" becomes p2p, ids to bytes). 0;
 * OCF_EINVAL malformed; OCF_EUNSUPP unknown protocol; OCF_ELIMIT over OCF_MADDR_MAX bytes or
 * OCF_MADDR_TEXT_MAX characters. `*out` is untouched on failure. */
OCF_NODISCARD int ocf_maddr_parse(struct ocf_bytes text, struct ocf_maddr *out);
/* Validates and copies binary. Errors as ocf_maddr_parse; empty input is OCF_EINVAL. */
OCF_NODISCARD int ocf_maddr_from_bytes(struct ocf_bytes bin, struct ocf_maddr *out);
/* Canonical text with a NUL; `*n` (may be NULL) is its length. 0, or OCF_EAGAIN when `cap` is too
 * small (OCF_MADDR_TEXT_SIZE never is, 256 suffices for ordinary addresses): then dst is "". A DNS
 * name from the wire may hold a NUL or control bytes; use `*n`, and escape before showing. */
OCF_NODISCARD int ocf_maddr_text(const struct ocf_maddr *m, char *dst, size_t cap, size_t *n);

static inline struct ocf_bytes ocf_maddr_view(const struct ocf_maddr *m)
{
  return ocf_bytes(m->b, m->n);
}

bool ocf_maddr_eq(const struct ocf_maddr *a, const struct ocf_maddr *b);

/* ---- components ---- */

struct ocf_maddr_part {
  uint32_t code;          /* enum ocf_maddr_code */
  const char *name;       /* "ip4"; static */
  struct ocf_bytes value; /* without its length prefix, lent from the address; empty for flags */
};

struct ocf_maddr_iter {
  struct ocf_bytes rest;
};

/* Walks the components of `m` (borrowed, a valid address) from the left. */
static inline struct ocf_maddr_iter ocf_maddr_iter(const struct ocf_maddr *m)
{
  return (struct ocf_maddr_iter){ ocf_maddr_view(m) };
}
/* The next component; false at the end. */
bool ocf_maddr_next(struct ocf_maddr_iter *it, struct ocf_maddr_part *part);
/* The first component with this code; false when there is none. `part` may be NULL. */
bool ocf_maddr_find(const struct ocf_maddr *m, uint32_t code, struct ocf_maddr_part *part);

/* Appends a component; `value` as in ocf_maddr_part. 0, OCF_EINVAL (not a valid value),
 * OCF_EUNSUPP, OCF_ELIMIT; `*m` is untouched on failure. */
OCF_NODISCARD int ocf_maddr_append(struct ocf_maddr *m, uint32_t code, struct ocf_bytes value);
/* Appends all of `tail`. 0, OCF_ELIMIT, OCF_EINVAL when `m` ends in a /unix path. */
OCF_NODISCARD int ocf_maddr_join(struct ocf_maddr *m, const struct ocf_maddr *tail);

/* ---- endpoints ---- */

/* /ip4|ip6/<transport>: `transport` is OCF_MADDR_TCP or OCF_MADDR_UDP, `ip->family` 4 or 6. A zone
 * is written as /ip6zone in front. Never fails. */
void ocf_maddr_from_ip(const struct ocf_ip_addr *ip, uint32_t transport, struct ocf_maddr *out);
/* The endpoint at the start of `m`: [/ip6zone]/ip4|ip6/tcp|udp. `transport` as above; what follows
 * it goes to `*rest` (a view, may be NULL), so that the caller decides which suffixes it takes. 0;
 * OCF_EUNSUPP when `m` does not begin so; OCF_ELIMIT when the zone is too long. */
OCF_NODISCARD int ocf_maddr_to_ip(const struct ocf_maddr *m, uint32_t transport,
                                  struct ocf_ip_addr *ip, struct ocf_bytes *rest);

/* What a plain TCP dialer needs of an address. */
struct ocf_maddr_tcp {
  struct ocf_ip_addr ip; /* family 0 when `host` is to be resolved; the port is set in both cases */
  struct ocf_bytes host; /* DNS name, lent from the address; empty for an IP address */
  uint32_t host_code;    /* OCF_MADDR_DNS, _DNS4 or _DNS6, which families to ask for; else 0 */
  struct ocf_peerid peer; /* the id behind /p2p, or none */
};
/* Accepts exactly [/ip6zone]/ip4|ip6|dns|dns4|dns6/tcp[/p2p]: an address that plain TCP with an
 * in-band upgrade reaches. 0; OCF_EUNSUPP for any other shape (ws, quic, circuit, dnsaddr, ...);
 * OCF_EINVAL for a host name with a byte that is not a letter, digit, '-', '_' or '.', or longer
 * than 253. */
OCF_NODISCARD int ocf_maddr_to_tcp(const struct ocf_maddr *m, struct ocf_maddr_tcp *out);

/* ---- peers ---- */

/* The id when the LAST component is /p2p; false otherwise. `id` may be NULL. */
bool ocf_maddr_peer(const struct ocf_maddr *m, struct ocf_peerid *id);
/* Makes /p2p/<id> the last component: appends it, or leaves an equal one. 0; OCF_EINVAL when
 * another id is already there, or `id` is of a hash that no key has; OCF_ELIMIT. `id` is not none.
 */
OCF_NODISCARD int ocf_maddr_add_peer(struct ocf_maddr *m, const struct ocf_peerid *id);
/* Drops a last /p2p component, if there is one. `m` may become empty. */
void ocf_maddr_drop_peer(struct ocf_maddr *m);
/* True when a relay is part of the path (/p2p-circuit anywhere). */
bool ocf_maddr_is_relayed(const struct ocf_maddr *m);

/* ---- what kind of address ---- */

/* Each speaks of the IP at the start of `m`; for names, "localhost" and "*.localhost" are loopback,
 * other names ending in ".local", ".lan", ".home.arpa", ".internal" or ".test" are private, the
 * rest public (as nobody asked DNS yet). An address that begins otherwise is none of these. */
bool ocf_maddr_is_loopback(const struct ocf_maddr *m);
bool ocf_maddr_is_private(const struct ocf_maddr *m);
bool ocf_maddr_is_public(const struct ocf_maddr *m);
bool ocf_maddr_is_unspecified(const struct ocf_maddr *m);

/* Of an IP, an IPv4-mapped IPv6 address counting as its IPv4 address. Exactly one of these is true,
 * or none: reserved, documentation, multicast and unspecified ranges are neither private nor
 * public. */
bool ocf_ip_addr_is_loopback(const struct ocf_ip_addr *ip); /* 127/8, ::1 */
/* 10/8, 172.16/12, 192.168/16, 100.64/10, 169.254/16, fc00::/7, fe80::/10 */
bool ocf_ip_addr_is_private(const struct ocf_ip_addr *ip);
bool ocf_ip_addr_is_public(const struct ocf_ip_addr *ip);
bool ocf_ip_addr_is_unspecified(const struct ocf_ip_addr *ip); /* 0.0.0.0, :: */
/* Same family, address, port and zone. */
bool ocf_ip_addr_eq(const struct ocf_ip_addr *a, const struct ocf_ip_addr *b);

enum { OCF_IP_ADDR_TEXT_SIZE = 72 }; /* room for any text below, NUL included */
/* "1.2.3.4:80", "[fe80::1%eth0]:80"; "none" for family 0. Returns `dst`. */
char *ocf_ip_addr_text(const struct ocf_ip_addr *ip, char dst[OCF_IP_ADDR_TEXT_SIZE]);
/* The address alone, without brackets, zone or port. Returns `dst`. */
char *ocf_ip_addr_host_text(const struct ocf_ip_addr *ip, char dst[OCF_IP_ADDR_TEXT_SIZE]);
/* Reads an address alone: dotted quad or RFC 4291 IPv6 text, no zone, no brackets; the port becomes
 * 0. 0 or OCF_EINVAL. */
OCF_NODISCARD int ocf_ip_addr_parse_host(struct ocf_bytes text, struct ocf_ip_addr *out);
/* Reads "1.2.3.4:80" or "[::1]:80". 0 or OCF_EINVAL. */
OCF_NODISCARD int ocf_ip_addr_parse(struct ocf_bytes text, struct ocf_ip_addr *out);

#endif
