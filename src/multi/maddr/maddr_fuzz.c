/* The input is read as text, as binary and as an endpoint. Oracle: whatever is accepted has one
 * text and one binary form, each read back as the other; components rebuild the address; the kinds
 * exclude one another; an endpoint taken out of an address makes the same address. */
#include "multi/maddr/maddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static void check_components(const struct ocf_maddr *m)
{
  struct ocf_maddr built = { 0 };
  struct ocf_maddr_iter it = ocf_maddr_iter(m);
  struct ocf_maddr_part part, first;
  while (ocf_maddr_next(&it, &part)) {
    OCF_ASSERT(ocf_maddr_find(m, part.code, &first) && first.value.p <= part.value.p);
    OCF_ASSERT(ocf_maddr_append(&built, part.code, part.value) == 0);
  }
  OCF_ASSERT(ocf_maddr_eq(&built, m));
}

static void check_endpoint(const struct ocf_maddr *m)
{
  struct ocf_ip_addr ip;
  struct ocf_maddr_tcp tcp;
  struct ocf_maddr made;
  struct ocf_bytes rest;
  static const uint32_t transports[] = { OCF_MADDR_TCP, OCF_MADDR_UDP };
  for (size_t i = 0; i < 2; i++) {
    if (ocf_maddr_to_ip(m, transports[i], &ip, &rest) != 0)
      continue;
    ocf_maddr_from_ip(&ip, transports[i], &made);
    OCF_ASSERT(made.n + rest.n == m->n && memcmp(made.b, m->b, made.n) == 0);
  }
  if (ocf_maddr_to_tcp(m, &tcp) == 0) {
    OCF_ASSERT((tcp.ip.family == 0) == (tcp.host.n > 0));
    OCF_ASSERT(ocf_peerid_is_none(&tcp.peer) == !ocf_maddr_peer(m, NULL));
    OCF_ASSERT(!ocf_maddr_is_relayed(m));
  }
  OCF_ASSERT(ocf_maddr_is_loopback(m) + ocf_maddr_is_private(m) + ocf_maddr_is_public(m) +
                 ocf_maddr_is_unspecified(m) <=
             1);
}

static void check_peer(const struct ocf_maddr *m)
{
  struct ocf_maddr other = *m;
  struct ocf_peerid id;
  if (!ocf_maddr_peer(m, &id))
    return;
  OCF_ASSERT(ocf_maddr_add_peer(&other, &id) == 0 && ocf_maddr_eq(&other, m));
  ocf_maddr_drop_peer(&other);
  OCF_ASSERT(other.n < m->n);
  if (!ocf_maddr_peer(&other, NULL))
    OCF_ASSERT(ocf_maddr_add_peer(&other, &id) == 0 && ocf_maddr_eq(&other, m));
}

static void check_addr(const struct ocf_maddr *m)
{
  char t[OCF_MADDR_TEXT_SIZE];
  struct ocf_maddr back;
  size_t n = 0;
  OCF_ASSERT(m->n > 0 && m->n <= OCF_MADDR_MAX);
  OCF_ASSERT(ocf_maddr_text(m, t, sizeof(t), &n) == 0 && n < sizeof(t));
  OCF_ASSERT(ocf_maddr_parse(ocf_bytes(t, n), &back) == 0 && ocf_maddr_eq(m, &back));
  OCF_ASSERT(ocf_maddr_from_bytes(ocf_maddr_view(m), &back) == 0 && ocf_maddr_eq(m, &back));
  check_components(m);
  check_endpoint(m);
  check_peer(m);
}

static void check_ip(struct ocf_bytes in)
{
  struct ocf_ip_addr ip, back;
  char t[OCF_IP_ADDR_TEXT_SIZE];
  if (ocf_ip_addr_parse(in, &ip) != 0)
    return;
  OCF_ASSERT(ip.family == 4 || ip.family == 6);
  (void)ocf_ip_addr_text(&ip, t);
  OCF_ASSERT(ocf_ip_addr_parse(ocf_bytes(t, strlen(t)), &back) == 0);
  OCF_ASSERT(ocf_ip_addr_eq(&ip, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  struct ocf_maddr m;
  if (ocf_maddr_parse(ocf_bytes(d, n), &m) == 0)
    check_addr(&m);
  if (ocf_maddr_from_bytes(ocf_bytes(d, n), &m) == 0) {
    OCF_ASSERT(m.n == n);
    check_addr(&m);
  }
  check_ip(ocf_bytes(d, n));
  return 0;
}
