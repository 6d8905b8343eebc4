/* Multiaddrs as endpoints: what a driver binds or dials, and what kind of address it is. */
#include "base/core/endian.h"
#include "multi/maddr/maddr.h"

enum { HOST_MAX = 253 };

void ocf_maddr_from_ip(const struct ocf_ip_addr *ip, uint32_t transport, struct ocf_maddr *out)
{
  uint8_t port[2];
  struct ocf_maddr m = { 0 };
  int rc = 0;
  OCF_ASSERT(ip->family == 4 || ip->family == 6);
  OCF_ASSERT(transport == OCF_MADDR_TCP || transport == OCF_MADDR_UDP);
  ocf_put_be16(port, ip->port);
  /* An interface name never holds a '/': the kernel refuses it. */
  if (ip->family == 6 && ip->zone[0] != '\0')
    rc = ocf_maddr_append(&m, OCF_MADDR_IP6ZONE, ocf_bytes(ip->zone, strlen(ip->zone)));
  if (rc == 0)
    rc = ip->family == 4 ? ocf_maddr_append(&m, OCF_MADDR_IP4, ocf_bytes(ip->ip, 4))
                         : ocf_maddr_append(&m, OCF_MADDR_IP6, ocf_bytes(ip->ip, 16));
  if (rc == 0)
    rc = ocf_maddr_append(&m, transport, ocf_bytes(port, 2));
  OCF_ASSERT(rc == 0);
  *out = m;
}

static int read_zone(struct ocf_bytes v, struct ocf_ip_addr *ip)
{
  if (v.n >= sizeof(ip->zone))
    return OCF_ELIMIT;
  if (memchr(v.p, 0, v.n) != NULL)
    return OCF_EUNSUPP;
  memcpy(ip->zone, v.p, v.n);
  return 0;
}

/* [ip6zone] ip4|ip6 off the front of `it`; OCF_EUNSUPP when it begins otherwise. A component that
 * is no IP is left in `*part`. */
static int take_ip(struct ocf_maddr_iter *it, struct ocf_ip_addr *ip, struct ocf_maddr_part *part)
{
  *ip = (struct ocf_ip_addr){ 0 };
  if (!ocf_maddr_next(it, part))
    return OCF_EUNSUPP;
  bool zone = part->code == OCF_MADDR_IP6ZONE;
  if (zone) {
    int rc = read_zone(part->value, ip);
    if (rc != 0)
      return rc;
    if (!ocf_maddr_next(it, part) || part->code != OCF_MADDR_IP6)
      return OCF_EUNSUPP;
  }
  if (part->code != OCF_MADDR_IP4 && part->code != OCF_MADDR_IP6)
    return OCF_EUNSUPP;
  ip->family = part->code == OCF_MADDR_IP4 ? 4 : 6;
  memcpy(ip->ip, part->value.p, part->value.n);
  return 0;
}

int ocf_maddr_to_ip(const struct ocf_maddr *m, uint32_t transport, struct ocf_ip_addr *ip,
                    struct ocf_bytes *rest)
{
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  struct ocf_maddr_part part = { 0 };
  struct ocf_ip_addr got;
  int rc = take_ip(&it, &got, &part);
  if (rc != 0)
    return rc;
  if (!ocf_maddr_next(&it, &part) || part.code != transport)
    return OCF_EUNSUPP;
  got.port = ocf_get_be16(part.value.p);
  *ip = got;
  if (rest != NULL)
    *rest = it.rest;
  return 0;
}

static bool is_host_name(struct ocf_bytes v)
{
  if (v.n > HOST_MAX)
    return false;
  for (size_t i = 0; i < v.n; i++) {
    uint8_t c = v.p[i], l = c | 0x20;
    if (!(l >= 'a' && l <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
      return false;
  }
  return true;
}

static bool is_dns(uint32_t code)
{
  return code == OCF_MADDR_DNS || code == OCF_MADDR_DNS4 || code == OCF_MADDR_DNS6;
}

int ocf_maddr_to_tcp(const struct ocf_maddr *m, struct ocf_maddr_tcp *out)
{
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  struct ocf_maddr_part part = { 0 };
  struct ocf_maddr_tcp t = { 0 };
  int rc = take_ip(&it, &t.ip, &part);
  if (rc != 0 && is_dns(part.code) && t.ip.zone[0] == '\0') {
    if (!is_host_name(part.value))
      return OCF_EINVAL;
    t.host = part.value;
    t.host_code = part.code;
    rc = 0;
  }
  if (rc != 0)
    return rc;
  if (!ocf_maddr_next(&it, &part) || part.code != OCF_MADDR_TCP)
    return OCF_EUNSUPP;
  t.ip.port = ocf_get_be16(part.value.p);
  if (ocf_maddr_next(&it, &part)) {
    if (part.code != OCF_MADDR_P2P || it.rest.n > 0)
      return OCF_EUNSUPP;
    rc = ocf_peerid_from_bytes(part.value, &t.peer);
    OCF_ASSERT(rc == 0);
  }
  *out = t;
  return 0;
}

/* ---- kinds ---- */

static bool ends_with(struct ocf_bytes name, struct ocf_bytes suffix)
{
  if (name.n < suffix.n)
    return false;
  for (size_t i = 0; i < suffix.n; i++) {
    uint8_t c = name.p[name.n - suffix.n + i];
    if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != suffix.p[i])
      return false;
  }
  return true;
}

/* The name with one final dot dropped, when `m` begins with one. */
static bool leading_name(const struct ocf_maddr *m, struct ocf_bytes *name)
{
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  struct ocf_maddr_part part;
  if (!ocf_maddr_next(&it, &part) || (!is_dns(part.code) && part.code != OCF_MADDR_DNSADDR))
    return false;
  *name = part.value;
  if (name->p[name->n - 1] == '.')
    name->n--;
  return true;
}

static bool is_loopback_name(struct ocf_bytes n)
{
  return (n.n == 9 && ends_with(n, OCF_STR("localhost"))) || ends_with(n, OCF_STR(".localhost"));
}

static bool is_private_name(struct ocf_bytes n)
{
  return ends_with(n, OCF_STR(".local")) || ends_with(n, OCF_STR(".lan")) ||
         ends_with(n, OCF_STR(".home.arpa")) || ends_with(n, OCF_STR(".internal")) ||
         ends_with(n, OCF_STR(".test"));
}

static bool leading_ip(const struct ocf_maddr *m, struct ocf_ip_addr *ip)
{
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  struct ocf_maddr_part part = { 0 };
  return take_ip(&it, ip, &part) == 0;
}

bool ocf_maddr_is_loopback(const struct ocf_maddr *m)
{
  struct ocf_ip_addr ip;
  struct ocf_bytes name;
  if (leading_ip(m, &ip))
    return ocf_ip_addr_is_loopback(&ip);
  return leading_name(m, &name) && is_loopback_name(name);
}

bool ocf_maddr_is_private(const struct ocf_maddr *m)
{
  struct ocf_ip_addr ip;
  struct ocf_bytes name;
  if (leading_ip(m, &ip))
    return ocf_ip_addr_is_private(&ip);
  return leading_name(m, &name) && is_private_name(name);
}

bool ocf_maddr_is_public(const struct ocf_maddr *m)
{
  struct ocf_ip_addr ip;
  struct ocf_bytes name;
  if (leading_ip(m, &ip))
    return ocf_ip_addr_is_public(&ip);
  return leading_name(m, &name) && !is_loopback_name(name) && !is_private_name(name);
}

bool ocf_maddr_is_unspecified(const struct ocf_maddr *m)
{
  struct ocf_ip_addr ip;
  return leading_ip(m, &ip) && ocf_ip_addr_is_unspecified(&ip);
}
