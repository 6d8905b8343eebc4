#include "p2p/swarm/swarm_int.h"

#include <string.h>

/* --- which address next --- */

static bool usable(const struct peer *p, const struct addr *a, bool force)
{
  return a->expires_ns > p->sw->now_ns && (force || a->retry_ns <= p->sw->now_ns);
}

/* Lower is better: what failed comes last; the near before the far; IPv6 first; names last. */
static unsigned rank(const struct addr *a)
{
  struct ocf_maddr m;
  if (ocf_maddr_from_bytes(ocf_bytes(a->b, a->n), &m) != 0)
    return UINT32_MAX;
  bool name = !ocf_maddr_find(&m, OCF_MADDR_IP4, NULL) && !ocf_maddr_find(&m, OCF_MADDR_IP6, NULL);
  unsigned far = name ? 3 : ocf_maddr_is_loopback(&m) ? 0 : ocf_maddr_is_private(&m) ? 1 : 2;
  unsigned v4 = ocf_maddr_find(&m, OCF_MADDR_IP4, NULL) ? 1 : 0;
  return OCF_MIN(a->backoff.n_attempts, 1000u) * 16 + far * 2 + v4;
}

static struct addr *best_untried(const struct peer *p)
{
  struct addr *best = NULL;
  unsigned best_rank = 0;
  OCF_LIST_FOREACH (it, &p->addrs) {
    struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    if (a->tried || a->resolving)
      continue;
    unsigned r = rank(a);
    if (best == NULL || r < best_rank) {
      best = a;
      best_rank = r;
    }
  }
  return best;
}

static bool resolving(const struct peer *p)
{
  OCF_LIST_FOREACH (it, &p->addrs) {
    if (OCF_LIST_ENTRY(it, struct addr, link)->resolving)
      return true;
  }
  return false;
}

/* --- one attempt --- */

static void attempt(struct peer *p, struct addr *a, const struct ocf_ip_addr *ip)
{
  struct ocf_swarm *sw = p->sw;
  struct ocf_link *l = ocf_swarm_link_new(sw);
  if (l == NULL) {
    p->dial_err = OCF_ENOMEM;
    return;
  }
  l->peer = p;
  l->addr = a;
  l->remote = *ip;
  l->state = LINK_DIALLING;
  l->fx = FX_DIAL;
  ocf_list_push_back(&sw->effects, &l->fx_link);
  ocf_wheel_start(&sw->wheel, &l->timer, ocf_time_add(sw->now_ns, sw->cfg.connect_ns));
  p->n_attempts++;
  sw->n_dials++;
  sw->st.dials++;
}

static void ask(struct peer *p, struct addr *a)
{
  struct ocf_swarm *sw = p->sw;
  a->resolving = true;
  a->ticket = sw->next_ticket++;
  ocf_list_push_back(&sw->asks, &a->ask_link);
}

/* Begins with `a`: its IP, or the next of the addresses that its name stands for. */
static void try_addr(struct peer *p, struct addr *a)
{
  struct ocf_maddr m;
  struct ocf_maddr_tcp tcp;
  int err = ocf_maddr_from_bytes(ocf_bytes(a->b, a->n), &m);
  if (err == 0)
    err = ocf_maddr_to_tcp(&m, &tcp);
  OCF_ASSERT(err == 0); /* it was checked when it entered the book */
  if (tcp.ip.family != 0) {
    a->tried = true;
    attempt(p, a, &tcp.ip);
  } else if (a->n_ips == 0) {
    ask(p, a);
  } else {
    struct ocf_ip_addr ip = a->ips[a->next_ip++];
    ip.port = tcp.ip.port;
    a->tried = a->next_ip == a->n_ips;
    attempt(p, a, &ip);
  }
}

/* --- the dial of a peer --- */

static void redial_later(struct peer *p)
{
  struct ocf_swarm *sw = p->sw;
  if (!p->is_static || sw->draining || p->n_links > 0)
    return;
  p->redial_ns = ocf_time_add(sw->now_ns, ocf_backoff_next(&p->redial, sw->cfg.rng));
  ocf_wheel_start(&sw->wheel, &p->timer, p->redial_ns);
}

/* Gives up the peer's attempts, except `keep`. */
static void drop_attempts(struct peer *p, const struct ocf_link *keep)
{
  OCF_LIST_FOREACH_SAFE (it, &p->sw->links) {
    struct ocf_link *l = LINK_OF(it, all);
    if (l->peer != p || l == keep || l->inbound || l->state >= LINK_UP)
      continue;
    p->n_attempts--;
    p->sw->n_dials--;
    if (l->state == LINK_DIALLING)
      p->sw->st.dial_results[OCF_SWARM_RES_CANCELLED]++;
    else
      p->sw->st.handshake_results[0][OCF_SWARM_RES_CANCELLED]++;
    ocf_swarm_link_finish(l);
  }
}

static void dial_end(struct peer *p, int err)
{
  p->dialling = false;
  ocf_wheel_stop(&p->sw->wheel, &p->timer);
  drop_attempts(p, NULL);
  if (p->n_links == 0) {
    p->sw->st.dials_failed++;
    ocf_swarm_note(p, err);
    ocf_swarm_opens_fail(p, err);
  }
  redial_later(p);
}

int ocf_swarm_dial_start(struct peer *p, bool force)
{
  struct ocf_swarm *sw = p->sw;
  bool any = false;
  if (sw->draining)
    return OCF_ESTATE;
  if (p->dialling)
    return 0;
  if (sw->n_dials >= sw->cfg.dials_max)
    return OCF_ELIMIT;
  ocf_swarm_peer_expire_addrs(p);
  OCF_LIST_FOREACH (it, &p->addrs) {
    struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    a->tried = !usable(p, a, force);
    a->resolving = false;
    a->n_ips = a->next_ip = 0;
    ocf_list_remove(&a->ask_link);
    any = any || !a->tried;
  }
  if (!any)
    return OCF_EUNREACH;
  p->dialling = true;
  p->dial_err = OCF_EUNREACH;
  p->dial_deadline_ns = ocf_time_add(sw->now_ns, sw->cfg.dial_ns);
  p->stagger_ns = sw->now_ns;
  ocf_list_remove(&p->idle_link);
  ocf_swarm_dial_step(p);
  return 0;
}

void ocf_swarm_dial_step(struct peer *p)
{
  struct ocf_swarm *sw = p->sw;
  struct addr *a = NULL;
  if (!p->dialling)
    return;
  if (sw->now_ns >= p->dial_deadline_ns) {
    dial_end(p, OCF_ETIME);
    return;
  }
  while ((a = best_untried(p)) != NULL && p->n_attempts < sw->cfg.dials_per_peer_max &&
         sw->n_dials < sw->cfg.dials_max && (p->n_attempts == 0 || sw->now_ns >= p->stagger_ns)) {
    size_t before = p->n_attempts;
    try_addr(p, a);
    if (p->n_attempts > before)
      p->stagger_ns = ocf_time_add(sw->now_ns, sw->cfg.stagger_ns);
  }
  if (p->n_attempts == 0 && a == NULL && !resolving(p)) {
    dial_end(p, p->dial_err);
    return;
  }
  uint64_t next = p->dial_deadline_ns;
  if (a != NULL && sw->n_dials >= sw->cfg.dials_max)
    next = ocf_time_min(next, sw->now_ns + 100 * OCF_NS_PER_MS); /* others must end first */
  else if (a != NULL && p->n_attempts < sw->cfg.dials_per_peer_max)
    next = ocf_time_min(next, p->stagger_ns);
  ocf_wheel_start(&sw->wheel, &p->timer, next);
}

void ocf_swarm_dial_failed(struct ocf_link *l, int err)
{
  struct peer *p = l->peer;
  struct ocf_swarm *sw = p->sw;
  OCF_ASSERT(p->n_attempts > 0);
  p->n_attempts--;
  sw->n_dials--;
  if (l->addr != NULL)
    l->addr->retry_ns = ocf_time_add(sw->now_ns, ocf_backoff_next(&l->addr->backoff, sw->cfg.rng));
  l->peer = NULL;
  p->dial_err = err;
  p->stagger_ns = sw->now_ns; /* the next one need not wait */
  ocf_swarm_dial_step(p);
}

void ocf_swarm_dial_won(struct peer *p, struct ocf_link *winner)
{
  if (!winner->inbound && winner->addr != NULL) {
    ocf_backoff_reset(&winner->addr->backoff);
    winner->addr->retry_ns = 0;
  }
  ocf_backoff_reset(&p->redial);
  p->dialling = false;
  ocf_wheel_stop(&p->sw->wheel, &p->timer);
  drop_attempts(p, winner);
}

void ocf_swarm_dial_cancel(struct peer *p)
{
  if (p->dialling)
    dial_end(p, OCF_ECANCELED);
  ocf_wheel_stop(&p->sw->wheel, &p->timer);
}

void ocf_swarm_dial_peer_down(struct peer *p)
{
  redial_later(p);
}

void ocf_swarm_dial_timer(struct peer *p)
{
  if (p->dialling)
    ocf_swarm_dial_step(p);
  else if (p->is_static && p->n_links == 0 && ocf_swarm_dial_start(p, true) != 0)
    redial_later(p);
}

/* --- for the node --- */

int ocf_swarm_dial(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_peerid *peer)
{
  sw->now_ns = now_ns;
  if (ocf_peerid_is_none(peer) || ocf_peerid_eq(peer, &sw->self))
    return OCF_EINVAL;
  struct peer *p = ocf_swarm_peer_find(sw, peer);
  if (p == NULL)
    return OCF_EUNREACH;
  return ocf_swarm_peer_best(p) != NULL ? OCF_EEXIST : ocf_swarm_dial_start(p, false);
}

int ocf_swarm_add_static(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_peerid *peer,
                         const struct ocf_maddr *addr)
{
  struct peer *p;
  sw->now_ns = now_ns;
  if (ocf_peerid_is_none(peer) || ocf_peerid_eq(peer, &sw->self))
    return OCF_EINVAL;
  int err = ocf_swarm_peer_get(sw, peer, &p);
  if (err != 0)
    return err;
  err = ocf_swarm_peer_add_addr(p, addr, OCF_SWARM_SRC_CONFIG, OCF_TIME_NEVER);
  if (err == 0)
    p->is_static = true;
  if (err == 0 && p->n_links == 0 && ocf_swarm_dial_start(p, true) != 0)
    redial_later(p);
  ocf_swarm_peer_settle(p);
  return err;
}

int ocf_swarm_remove_static(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_peerid *peer)
{
  sw->now_ns = now_ns;
  struct peer *p = ocf_swarm_peer_find(sw, peer);
  if (p == NULL || !p->is_static)
    return OCF_ENOENT;
  p->is_static = false;
  if (!p->dialling)
    ocf_wheel_stop(&sw->wheel, &p->timer);
  ocf_backoff_reset(&p->redial);
  OCF_LIST_FOREACH (it, &p->addrs) {
    struct addr *a = OCF_LIST_ENTRY(it, struct addr, link);
    if (a->src == OCF_SWARM_SRC_CONFIG)
      a->expires_ns = ocf_time_min(a->expires_ns, ocf_time_add(now_ns, SWARM_AFTER_DOWN_NS));
  }
  ocf_swarm_peer_settle(p);
  return 0;
}

/* --- names --- */

bool ocf_swarm_dial_effect(struct ocf_swarm *sw, struct ocf_swarm_effect *fx)
{
  struct ocf_list *n = ocf_list_pop_front(&sw->asks);
  struct ocf_maddr m;
  struct ocf_maddr_tcp tcp;
  if (n == NULL)
    return false;
  const struct addr *a = OCF_LIST_ENTRY(n, struct addr, ask_link);
  int err = ocf_maddr_from_bytes(ocf_bytes(a->b, a->n), &m);
  if (err == 0)
    err = ocf_maddr_to_tcp(&m, &tcp);
  OCF_ASSERT(err == 0);
  OCF_ASSERT(tcp.host.n < sizeof(sw->ask_host));
  memcpy(sw->ask_host, tcp.host.p, tcp.host.n);
  sw->ask_host[tcp.host.n] = '\0';
  *fx = (struct ocf_swarm_effect){
    .type = OCF_SWARM_RESOLVE,
    .ticket = a->ticket,
    .host = sw->ask_host,
    .family = tcp.host_code == OCF_MADDR_DNS4   ? 4
              : tcp.host_code == OCF_MADDR_DNS6 ? 6
                                                : 0,
  };
  return true;
}

static struct addr *find_ticket(struct ocf_swarm *sw, uint64_t ticket, struct peer **owner)
{
  OCF_LIST_FOREACH (it, &sw->peers_all) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    if (!p->dialling)
      continue;
    OCF_LIST_FOREACH (jt, &p->addrs) {
      struct addr *a = OCF_LIST_ENTRY(jt, struct addr, link);
      if (a->resolving && a->ticket == ticket) {
        *owner = p;
        return a;
      }
    }
  }
  return NULL;
}

static int keep_ips(struct ocf_swarm *sw, struct addr *a, const struct ocf_ip_addr *ips, size_t n)
{
  if (a->ips == NULL)
    a->ips = ocf_alloc_zero(sw->cfg.a, SWARM_RESOLVED_MAX * sizeof(*ips));
  if (a->ips == NULL)
    return OCF_ENOMEM;
  a->n_ips = (uint8_t)OCF_MIN(n, (size_t)SWARM_RESOLVED_MAX);
  a->next_ip = 0;
  memcpy(a->ips, ips, a->n_ips * sizeof(*ips));
  return 0;
}

void ocf_swarm_resolved(struct ocf_swarm *sw, uint64_t now_ns, uint64_t ticket, int err,
                        const struct ocf_ip_addr *ips, size_t n)
{
  struct peer *p;
  sw->now_ns = now_ns;
  struct addr *a = find_ticket(sw, ticket, &p);
  if (a == NULL)
    return;
  a->resolving = false;
  if (err == 0)
    err = n > 0 ? keep_ips(sw, a, ips, n) : OCF_ENOENT;
  if (err != 0) {
    sw->st.dial_results[OCF_SWARM_RES_NAME]++;
    a->tried = true;
    a->retry_ns = ocf_time_add(now_ns, ocf_backoff_next(&a->backoff, sw->cfg.rng));
    p->dial_err = err;
  }
  ocf_swarm_dial_step(p);
}
