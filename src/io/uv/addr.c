/* Addresses, interfaces and name look-ups. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/uv/uv_int.h"

int ocf_uv_to_sockaddr(const struct ocf_ip_addr *a, struct sockaddr_storage *out)
{
  memset(out, 0, sizeof(*out));
  if (a->family == 4) {
    struct sockaddr_in *sin = (struct sockaddr_in *)out;
    sin->sin_family = AF_INET;
    sin->sin_port = htons(a->port);
    memcpy(&sin->sin_addr, a->ip, 4);
    return 0;
  }
  if (a->family != 6)
    return OCF_EINVAL;
  struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;
  sin6->sin6_family = AF_INET6;
  sin6->sin6_port = htons(a->port);
  memcpy(&sin6->sin6_addr, a->ip, 16);
  if (a->zone[0] != '\0')
    sin6->sin6_scope_id = if_nametoindex(a->zone);
  return 0;
}

void ocf_uv_from_sockaddr(const struct sockaddr *sa, struct ocf_ip_addr *out)
{
  *out = (struct ocf_ip_addr){ .family = 0 };
  if (sa->sa_family == AF_INET) {
    struct sockaddr_in sin;
    memcpy(&sin, sa, sizeof(sin));
    out->family = 4;
    out->port = ntohs(sin.sin_port);
    memcpy(out->ip, &sin.sin_addr, 4);
  } else if (sa->sa_family == AF_INET6) {
    struct sockaddr_in6 sin6;
    memcpy(&sin6, sa, sizeof(sin6));
    out->family = 6;
    out->port = ntohs(sin6.sin6_port);
    memcpy(out->ip, &sin6.sin6_addr, 16);
    char name[IF_NAMESIZE];
    if (sin6.sin6_scope_id != 0 && if_indextoname(sin6.sin6_scope_id, name) != NULL)
      (void)snprintf(out->zone, sizeof(out->zone), "%s", name);
  }
}

size_t ocf_uv_interfaces(struct ocf_ip_addr *out, size_t cap)
{
  uv_interface_address_t *ifs;
  int count;
  size_t n = 0;
  if (uv_interface_addresses(&ifs, &count) != 0)
    return 0;
  for (int i = 0; i < count && n < cap; i++) {
    ocf_uv_from_sockaddr((const struct sockaddr *)&ifs[i].address, &out[n]);
    out[n].port = 0;
    if (out[n].family != 0 && out[n].zone[0] == '\0') /* link-local ones are of no use to others */
      n++;
  }
  uv_free_interface_addresses(ifs, count);
  return n;
}

struct lookup {
  uv_getaddrinfo_t req;
  ocf_resolved_fn fn;
  void *user;
  uint16_t port;
};

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
  struct lookup *q = OCF_CONTAINER_OF(req, struct lookup, req);
  struct ocf_ip_addr ips[OCF_RESOLVE_MAX];
  size_t n = 0;
  for (struct addrinfo *ai = res; ai != NULL && n < OCF_RESOLVE_MAX; ai = ai->ai_next) {
    ocf_uv_from_sockaddr(ai->ai_addr, &ips[n]);
    ips[n].port = q->port;
    n += ips[n].family != 0 ? 1 : 0;
  }
  uv_freeaddrinfo(res);
  int err = status == 0 && n > 0 ? 0 : status == UV_EAI_AGAIN ? OCF_ETIME : OCF_ENOENT;
  if (status != UV_ECANCELED)
    q->fn(q->user, ocf_uv_now(), err, ips, n);
  free(q);
}

int ocf_uv_resolve(struct ocf_env *env, const char *host, uint16_t port, ocf_resolved_fn fn,
                   void *user)
{
  struct ocf_uv *u = (struct ocf_uv *)env;
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
  struct lookup *q = calloc(1, sizeof(*q));
  if (q == NULL)
    return OCF_ENOMEM;
  *q = (struct lookup){ .fn = fn, .user = user, .port = port };
  if (uv_getaddrinfo(&u->loop, &q->req, on_resolved, host, NULL, &hints) != 0) {
    free(q);
    return OCF_EIO;
  }
  return 0;
}
