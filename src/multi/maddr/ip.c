/* IP endpoints: text, and what kind of address one is. */
#include <stdio.h>

#include "multi/maddr/maddr.h"

/* ---- text to address ---- */

static int hex_digit(uint8_t c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four decimal numbers without leading zeros, exactly `t`. */
static bool parse_ip4(struct ocf_bytes t, uint8_t out[4])
{
  size_t at = 0;
  for (unsigned i = 0; i < 4; i++) {
    unsigned v = 0;
    size_t from = at;
    for (; at < t.n && t.p[at] >= '0' && t.p[at] <= '9' && at - from < 3; at++)
      v = v * 10 + (unsigned)(t.p[at] - '0');
    if (at == from || v > 255 || (t.p[from] == '0' && at - from > 1))
      return false;
    out[i] = (uint8_t)v;
    if (i < 3 && (at == t.n || t.p[at++] != '.'))
      return false;
  }
  return at == t.n;
}

/* One group of up to four hex digits at *at. */
static bool parse_group(struct ocf_bytes t, size_t *at, unsigned *v)
{
  size_t from = *at;
  *v = 0;
  for (; *at < t.n && *at - from < 4; (*at)++) {
    int d = hex_digit(t.p[*at]);
    if (d < 0)
      break;
    *v = *v << 4 | (unsigned)d;
  }
  return *at > from;
}

/* Moves what stands behind the "::" to the end. */
static bool fill_gap(uint8_t out[16], size_t n, size_t gap)
{
  if (gap > n) /* no "::" */
    return n == 16;
  if (n == 16) /* it stands for at least one group */
    return false;
  memmove(out + 16 - (n - gap), out + gap, n - gap);
  memset(out + gap, 0, 16 - n);
  return true;
}

static bool parse_ip6(struct ocf_bytes t, uint8_t out[16])
{
  size_t n = 0, at = 0, gap = SIZE_MAX;
  if (t.n >= 2 && t.p[0] == ':' && t.p[1] == ':') {
    gap = 0;
    at = 2;
  }
  while (at < t.n) {
    size_t from = at;
    unsigned v;
    if (n == 16 || !parse_group(t, &at, &v))
      return false;
    if (at < t.n && t.p[at] == '.') {
      if (n > 12 || !parse_ip4(ocf_bytes(t.p + from, t.n - from), out + n))
        return false;
      return fill_gap(out, n + 4, gap);
    }
    out[n++] = (uint8_t)(v >> 8);
    out[n++] = (uint8_t)v;
    if (at == t.n)
      break;
    if (t.p[at++] != ':' || at == t.n)
      return false;
    if (t.p[at] != ':')
      continue;
    if (gap != SIZE_MAX)
      return false;
    gap = n;
    at++;
  }
  return fill_gap(out, n, gap);
}

int ocf_ip_addr_parse_host(struct ocf_bytes text, struct ocf_ip_addr *out)
{
  struct ocf_ip_addr v4 = { .family = 4 }, v6 = { .family = 6 };
  if (parse_ip4(text, v4.ip))
    *out = v4;
  else if (parse_ip6(text, v6.ip))
    *out = v6;
  else
    return OCF_EINVAL;
  return 0;
}

int ocf_ip_addr_parse(struct ocf_bytes text, struct ocf_ip_addr *out)
{
  struct ocf_ip_addr ip;
  size_t colon = text.n;
  unsigned port = 0;
  while (colon > 0 && text.p[colon - 1] >= '0' && text.p[colon - 1] <= '9')
    colon--;
  if (colon < 2 || text.p[colon - 1] != ':' || colon == text.n || text.n - colon > 5)
    return OCF_EINVAL;
  for (size_t i = colon; i < text.n; i++)
    port = port * 10 + (unsigned)(text.p[i] - '0');
  struct ocf_bytes host = ocf_bytes(text.p, colon - 1);
  bool brackets = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
  if (brackets)
    host = ocf_bytes(host.p + 1, host.n - 2);
  if (port > UINT16_MAX || ocf_ip_addr_parse_host(host, &ip) != 0 || brackets != (ip.family == 6))
    return OCF_EINVAL;
  ip.port = (uint16_t)port;
  *out = ip;
  return 0;
}

/* ---- address to text ---- */

static bool is_mapped(const struct ocf_ip_addr *ip)
{
  static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };
  return ip->family == 6 && memcmp(ip->ip, prefix, sizeof(prefix)) == 0;
}

/* The longest run of two or more zero groups, the first of equals: RFC 5952. */
static void longest_zeros(const uint8_t ip[16], unsigned *from, unsigned *len)
{
  *from = 8;
  *len = 1;
  for (unsigned i = 0; i < 8; i++) {
    unsigned n = 0;
    while (i + n < 8 && ip[2 * (i + n)] == 0 && ip[2 * (i + n) + 1] == 0)
      n++;
    if (n > *len) {
      *from = i;
      *len = n;
    }
  }
}

static void text_ip6(const uint8_t ip[16], char *dst, size_t cap)
{
  unsigned gap, gap_len;
  size_t n = 0;
  longest_zeros(ip, &gap, &gap_len);
  for (unsigned i = 0; i < 8; i++) {
    if (i == gap) {
      dst[n++] = ':';
      dst[n++] = ':';
      i += gap_len - 1;
      continue;
    }
    if (n > 0 && dst[n - 1] != ':')
      dst[n++] = ':';
    unsigned v = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
    n += (size_t)snprintf(dst + n, cap - n, "%x", v);
  }
  dst[n] = '\0';
}

char *ocf_ip_addr_host_text(const struct ocf_ip_addr *ip, char dst[OCF_IP_ADDR_TEXT_SIZE])
{
  const uint8_t *b = is_mapped(ip) ? ip->ip + 12 : ip->ip;
  if (ip->family == 4 || is_mapped(ip))
    (void)snprintf(dst, OCF_IP_ADDR_TEXT_SIZE, "%s%u.%u.%u.%u", ip->family == 6 ? "::ffff:" : "",
                   b[0], b[1], b[2], b[3]);
  else if (ip->family == 6)
    text_ip6(ip->ip, dst, OCF_IP_ADDR_TEXT_SIZE);
  else
    (void)snprintf(dst, OCF_IP_ADDR_TEXT_SIZE, "none");
  return dst;
}

char *ocf_ip_addr_text(const struct ocf_ip_addr *ip, char dst[OCF_IP_ADDR_TEXT_SIZE])
{
  char host[OCF_IP_ADDR_TEXT_SIZE];
  (void)ocf_ip_addr_host_text(ip, host);
  if (ip->family == 4)
    (void)snprintf(dst, OCF_IP_ADDR_TEXT_SIZE, "%.15s:%u", host, ip->port);
  else if (ip->family == 6)
    (void)snprintf(dst, OCF_IP_ADDR_TEXT_SIZE, "[%.45s%s%.15s]:%u", host,
                   ip->zone[0] != '\0' ? "%" : "", ip->zone, ip->port);
  else
    (void)snprintf(dst, OCF_IP_ADDR_TEXT_SIZE, "none");
  return dst;
}

/* ---- kinds ---- */

enum ip_kind { KIND_OTHER, KIND_LOOPBACK, KIND_PRIVATE, KIND_PUBLIC };

struct range {
  uint8_t prefix[12];
  uint8_t bits;
  enum ip_kind kind;
};

/* The first match counts; the IANA special-purpose registries. */
static const struct range ranges4[] = {
  { { 127 }, 8, KIND_LOOPBACK },
  { { 10 }, 8, KIND_PRIVATE },
  { { 172, 16 }, 12, KIND_PRIVATE },
  { { 192, 168 }, 16, KIND_PRIVATE },
  { { 100, 64 }, 10, KIND_PRIVATE },  /* carrier-grade NAT */
  { { 169, 254 }, 16, KIND_PRIVATE }, /* link-local */
  { { 0 }, 8, KIND_OTHER },           /* this network */
  { { 192, 0, 0 }, 24, KIND_OTHER },  /* protocol assignments */
  { { 192, 0, 2 }, 24, KIND_OTHER },  /* documentation, here and below */
  { { 198, 51, 100 }, 24, KIND_OTHER },
  { { 203, 0, 113 }, 24, KIND_OTHER },
  { { 192, 88, 99 }, 24, KIND_OTHER }, /* 6to4 relays, gone */
  { { 198, 18 }, 15, KIND_OTHER },     /* benchmarks */
  { { 224 }, 3, KIND_OTHER },          /* multicast, reserved, broadcast */
  { { 0 }, 0, KIND_PUBLIC },
};

static const struct range ranges6[] = {
  { { 0xfc }, 7, KIND_PRIVATE },
  { { 0xfe, 0x80 }, 10, KIND_PRIVATE },
  { { 0x20, 0x01, 0x0d, 0xb8 }, 32, KIND_OTHER },  /* documentation */
  { { 0x20 }, 3, KIND_PUBLIC },                    /* all that is assigned as global */
  { { 0x00, 0x64, 0xff, 0x9b }, 96, KIND_PUBLIC }, /* NAT64 */
  { { 0 }, 0, KIND_OTHER },
};

static bool in_range(const uint8_t *ip, const struct range *r)
{
  unsigned whole = r->bits / 8, part = r->bits % 8;
  if (memcmp(ip, r->prefix, whole) != 0)
    return false;
  return part == 0 || (ip[whole] ^ r->prefix[whole]) >> (8 - part) == 0;
}

static enum ip_kind kind_of(const struct ocf_ip_addr *ip)
{
  static const uint8_t one[16] = { [15] = 1 };
  bool v4 = ip->family == 4 || is_mapped(ip);
  const uint8_t *b = is_mapped(ip) ? ip->ip + 12 : ip->ip;
  if (!v4 && ip->family != 6)
    return KIND_OTHER;
  if (!v4 && memcmp(b, one, sizeof(one)) == 0)
    return KIND_LOOPBACK;
  const struct range *r = v4 ? ranges4 : ranges6;
  while (!in_range(b, r)) /* the last row matches everything */
    r++;
  return r->kind;
}

bool ocf_ip_addr_is_loopback(const struct ocf_ip_addr *ip)
{
  return kind_of(ip) == KIND_LOOPBACK;
}

bool ocf_ip_addr_is_private(const struct ocf_ip_addr *ip)
{
  return kind_of(ip) == KIND_PRIVATE;
}

bool ocf_ip_addr_is_public(const struct ocf_ip_addr *ip)
{
  return kind_of(ip) == KIND_PUBLIC;
}

bool ocf_ip_addr_is_unspecified(const struct ocf_ip_addr *ip)
{
  static const uint8_t zero[16];
  if (is_mapped(ip))
    return memcmp(ip->ip + 12, zero, 4) == 0;
  return ip->family != 0 && memcmp(ip->ip, zero, sizeof(zero)) == 0;
}

bool ocf_ip_addr_eq(const struct ocf_ip_addr *a, const struct ocf_ip_addr *b)
{
  return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 &&
         strncmp(a->zone, b->zone, sizeof(a->zone)) == 0;
}
