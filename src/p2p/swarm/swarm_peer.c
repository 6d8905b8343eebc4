#include "p2p/swarm/swarm_int.h"

#include <string.h>

#include "base/core/endian.h"

struct peer *ocf_swarm_peer_find(const struct ocf_swarm *sw, const struct ocf_peerid *id)
{
  struct ocf_map_node *n = ocf_map_find(&sw->peers, ocf_peerid_view(id));
  return n != NULL ? OCF_CONTAINER_OF(n, struct peer, node) : NULL;
}

static bool peer_in_use(const struct peer *p)
{
  return p->n_links > 0 || p->dialling || p->is_static || p->protect != 0 || p->n_attempts > 0 ||
         p->n_opens > 0 || ocf_list_linked(&p->note_link);
}

int ocf_swarm_peer_get(struct ocf_swarm *sw, const struct ocf_peerid *id, struct peer **out)
{
  *out = ocf_swarm_peer_find(sw, id);
  if (*out != NULL)
    return 0;
  if (sw->n_book_peers >= sw->cfg.book_peers_max) {
    if (ocf_list_empty(&sw->peers_idle))
      return OCF_ELIMIT;
    ocf_swarm_peer_free(OCF_LIST_ENTRY(sw->peers_idle.next, struct peer, idle_link));
  }
  struct peer *p = OCF_NEW(sw->cfg.a, struct peer);
  if (p == NULL)
    return OCF_ENOMEM;
  p->sw = sw;
  p->id = *id;
  ocf_list_init(&p->links);
  ocf_list_init(&p->opens);
  ocf_list_init(&p->addrs);
  p->timer.kind = TIMER_PEER;
  ocf_backoff_init(&p->redial, sw->cfg.static_min_ns, sw->cfg.static_max_ns, OCF_BACKOFF_PARTIAL);
  int err = ocf_map_insert(&sw->peers, &p->node, ocf_peerid_view(&p->id));
  if (err != 0) {
    OCF_DELETE(sw->cfg.a, p);
    return err;
  }
  ocf_list_push_back(&sw->peers_all, &p->all);
  sw->n_book_peers++;
  *out = p;
  return 0;
}

void ocf_swarm_addr_free(struct peer *p, struct addr *a)
{
  struct ocf_swarm *sw = p->sw;
  OCF_LIST_FOREACH (it, &sw->links) {
    struct ocf_link *l = LINK_OF(it, all);
    if (l->addr == a)
      l->addr = NULL;
  }
  ocf_list_remove(&a->link);
  ocf_list_remove(&a->ask_link);
  p->n_addrs--;
  sw->n_book_addrs--;
  ocf_alloc_put(sw->cfg.a, a->ips,
                a->ips != NULL ? SWARM_RESOLVED_MAX * sizeof(struct ocf_ip_addr) : 0);
  ocf_alloc_put(sw->cfg.a, a, sizeof(*a) + a->n);
}

void ocf_swarm_peer_free(struct peer *p)
{
  struct ocf_swarm *sw = p->sw;
  OCF_ASSERT(ocf_list_empty(&p->links));
  OCF_ASSERT(p->n_opens == 0);
  while (!ocf_list_empty(&p->addrs))
    ocf_swarm_addr_free(p, OCF_LIST_ENTRY(p->addrs.next, struct addr, link));
  ocf_wheel_stop(&sw->wheel, &p->timer);
  ocf_list_remove(&p->idle_link);
  ocf_list_remove(&p->note_link);
  ocf_list_remove(&p->all);
  ocf_map_remove(&sw->peers, &p->node);
  ocf_alloc_put(sw->cfg.a, p->info, p->n_info);
  sw->n_book_peers--;
  OCF_DELETE(sw->cfg.a, p);
}

void ocf_swarm_peer_settle(struct peer *p)
{
  ocf_list_remove(&p->idle_link);
  if (peer_in_use(p))
    return;
  ocf_swarm_peer_expire_addrs(p);
  if (p->n_addrs == 0)
    ocf_swarm_peer_free(p);
  else
    ocf_list_push_back(&p->sw->peers_idle, &p->idle_link);
}

/* --- the address book --- */

void ocf_swarm_peer_expire_addrs(struct peer *p)
{
  OCF_LIST_FOREACH_SAFE (it, &p->addrs) {
    struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    if (a->expires_ns <= p->sw->now_ns)
      ocf_swarm_addr_free(p, a);
  }
}

/* The address without its /p2p ending, which must name the peer; only plain TCP can be dialled. */
static int addr_check(const struct peer *p, const struct ocf_maddr *in, struct ocf_maddr *out)
{
  struct ocf_maddr_tcp tcp;
  struct ocf_peerid id;
  *out = *in;
  if (ocf_maddr_peer(in, &id)) {
    if (!ocf_peerid_eq(&id, &p->id))
      return OCF_EINVAL;
    ocf_maddr_drop_peer(out);
  }
  int err = ocf_maddr_to_tcp(out, &tcp);
  if (err != 0)
    return err;
  return tcp.ip.port == 0 || ocf_maddr_is_unspecified(out) ? OCF_EINVAL : 0;
}

/* The entry that a new one may push out: the worst source, then the one that failed most. */
static struct addr *addr_worst(const struct peer *p)
{
  struct addr *worst = NULL;
  OCF_LIST_FOREACH (it, &p->addrs) {
    struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    if (worst == NULL || a->src > worst->src ||
        (a->src == worst->src && a->backoff.n_attempts > worst->backoff.n_attempts))
      worst = a;
  }
  return worst;
}

static int addr_room(struct peer *p, enum ocf_swarm_source src)
{
  ocf_swarm_peer_expire_addrs(p);
  if (p->n_addrs < p->sw->cfg.addrs_per_peer_max && p->sw->n_book_addrs < SWARM_BOOK_ADDRS_MAX)
    return 0;
  struct addr *worst = addr_worst(p);
  if (worst == NULL || worst->src < src)
    return OCF_ELIMIT;
  ocf_swarm_addr_free(p, worst);
  return 0;
}

int ocf_swarm_peer_add_addr(struct peer *p, const struct ocf_maddr *addr, enum ocf_swarm_source src,
                            uint64_t ttl_ns)
{
  struct ocf_swarm *sw = p->sw;
  struct ocf_maddr m;
  uint64_t expires = ocf_time_add(sw->now_ns, ttl_ns);
  int err = addr_check(p, addr, &m);
  if (err != 0)
    return err;
  OCF_LIST_FOREACH (it, &p->addrs) {
    struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    if (!ocf_bytes_eq(ocf_bytes(a->b, a->n), ocf_maddr_view(&m)))
      continue;
    a->expires_ns = OCF_MAX(a->expires_ns, expires);
    a->src = OCF_MIN(a->src, src);
    return 0;
  }
  err = addr_room(p, src);
  if (err != 0)
    return err;
  struct addr *a = ocf_alloc_zero(sw->cfg.a, sizeof(*a) + m.n);
  if (a == NULL)
    return OCF_ENOMEM;
  a->src = src;
  a->expires_ns = expires;
  a->n = m.n;
  memcpy(a->b, m.b, m.n);
  ocf_backoff_init(&a->backoff, sw->cfg.backoff_min_ns, sw->cfg.backoff_max_ns,
                   OCF_BACKOFF_PARTIAL);
  ocf_list_push_back(&p->addrs, &a->link);
  p->n_addrs++;
  sw->n_book_addrs++;
  return 0;
}

int ocf_swarm_add_addr(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_peerid *peer,
                       const struct ocf_maddr *addr, enum ocf_swarm_source src, uint64_t ttl_ns)
{
  struct peer *p;
  sw->now_ns = now_ns;
  if (ocf_peerid_is_none(peer) || ocf_peerid_eq(peer, &sw->self))
    return OCF_EINVAL;
  int err = ocf_swarm_peer_get(sw, peer, &p);
  if (err != 0)
    return err;
  err = ocf_swarm_peer_add_addr(p, addr, src, ttl_ns);
  ocf_swarm_peer_settle(p);
  return err;
}

size_t ocf_swarm_peer_addrs(const struct ocf_swarm *sw, uint64_t now_ns,
                            const struct ocf_peerid *peer, struct ocf_maddr *out, size_t cap)
{
  const struct peer *p = ocf_swarm_peer_find(sw, peer);
  size_t n = 0;
  if (p == NULL)
    return 0;
  OCF_LIST_FOREACH (it, &p->addrs) {
    const struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    if (n < cap && a->expires_ns > now_ns &&
        ocf_maddr_from_bytes(ocf_bytes(a->b, a->n), &out[n]) == 0)
      n++;
  }
  return n;
}

/* --- what is known of a peer --- */

bool ocf_swarm_entry_speaks(const struct peer *p, struct ocf_bytes proto)
{
  for (size_t at = p->n_agent; at + 2 <= p->n_info;) {
    size_t n = ocf_get_be16(p->info + at);
    if (ocf_bytes_eq(ocf_bytes(p->info + at + 2, n), proto))
      return true;
    at += 2 + n;
  }
  return false;
}

bool ocf_swarm_peer_speaks(const struct ocf_swarm *sw, const struct ocf_peerid *peer,
                           struct ocf_bytes proto)
{
  const struct peer *p = ocf_swarm_peer_find(sw, peer);
  return p != NULL && ocf_swarm_entry_speaks(p, proto);
}

struct ocf_link *ocf_swarm_peer_best(const struct peer *p)
{
  OCF_LIST_FOREACH (it, &p->links) {
    struct ocf_link *l = LINK_OF(it, peer_link);
    if (!l->closing && ocf_conn_is_up(l->conn))
      return l;
  }
  return NULL;
}

static void fill(const struct peer *p, struct ocf_swarm_peer_info *out)
{
  const struct ocf_link *first = LINK_OF(p->links.next, peer_link);
  *out = (struct ocf_swarm_peer_info){
    .id = &p->id,
    .n_conns = p->n_links,
    .identified = p->identified,
    .inbound = first->inbound,
    .is_static = p->is_static,
    .since_ns = first->since_ns,
    .rtt_ns = p->ping.ewma_ns != 0 ? p->ping.ewma_ns : ocf_conn_rtt_ns(first->conn),
    .agent = ocf_bytes(p->info, p->n_agent),
    .remote = first->remote,
    .protect = p->protect,
  };
  OCF_LIST_FOREACH (it, &p->links) {
    const struct ocf_link *l = LINK_OF(it, peer_link);
    out->n_streams += ocf_swarm_link_node_streams(l);
    out->last_rx_ns = OCF_MAX(out->last_rx_ns, ocf_conn_last_rx_ns(l->conn));
    out->since_ns = OCF_MIN(out->since_ns, l->since_ns);
  }
}

bool ocf_swarm_peer_next(const struct ocf_swarm *sw, const void **cursor,
                         struct ocf_swarm_peer_info *out)
{
  const struct ocf_list *at =
      *cursor != NULL ? ((const struct peer *)*cursor)->all.next : sw->peers_all.next;
  for (; at != &sw->peers_all; at = at->next) {
    const struct peer *p = (const void *)((const char *)at - offsetof(struct peer, all));
    if (p->n_links == 0)
      continue;
    *cursor = p;
    fill(p, out);
    return true;
  }
  return false;
}

bool ocf_swarm_peer_info(const struct ocf_swarm *sw, const struct ocf_peerid *peer,
                         struct ocf_swarm_peer_info *out)
{
  const struct peer *p = ocf_swarm_peer_find(sw, peer);
  if (p == NULL || p->n_links == 0)
    return false;
  fill(p, out);
  return true;
}

void ocf_swarm_protect(struct ocf_swarm *sw, const struct ocf_peerid *peer, uint32_t set,
                       uint32_t clear)
{
  struct peer *p = NULL;
  if (set != 0) {
    if (ocf_swarm_peer_get(sw, peer, &p) != 0)
      return; /* without memory it stays as trimmable as it was */
  } else {
    p = ocf_swarm_peer_find(sw, peer);
  }
  if (p == NULL)
    return;
  p->protect = (p->protect | set) & ~clear;
  ocf_swarm_peer_settle(p);
}
