/* The swarm's sockets: the driver's callbacks on one side, struct ocf_link on the other. */
#include "node/links/links.h"

enum { MAX_VIEWS = 32 };

/* One socket of the swarm's. Dies with the swarm's CLOSE effect, or with a dial that failed. */
struct plink {
  struct ocf_list link;
  struct ocf_links *owner;
  struct ocf_link *l;
  struct ocf_sock *sock; /* NULL once it is dead */
  size_t sending;        /* bytes of the views that the driver sends in the background */
  bool dialling, lost_rx;
  bool lingering; /* `l` is dead; our half has ended */
};

static void plink_free(struct plink *p)
{
  if (p->sock != NULL)
    p->owner->loop->env->ops->close(p->sock, false);
  ocf_list_remove(&p->link);
  OCF_DELETE(p->owner->loop->alloc, p);
}

static struct plink *plink_new(struct ocf_links *ls)
{
  struct plink *p = OCF_NEW(ls->loop->alloc, struct plink);
  if (p == NULL)
    return NULL;
  p->owner = ls;
  ocf_list_push_back(&ls->list, &p->link);
  return p;
}

static void pump(struct ocf_links *ls);

static void on_rx_space(void *user, uint8_t **p, size_t *cap)
{
  struct plink *k = user;
  *cap = 0;
  if (!k->lingering)
    *p = ocf_link_rx_space(k->l, cap);
  k->lost_rx = *cap == 0;
  if (k->lost_rx) { /* the link is going down: what still comes is thrown away */
    *p = k->owner->loop->rx;
    *cap = OCF_LOOP_RX_SIZE;
  }
}

static void on_rx(void *user, uint64_t now_ns, size_t n)
{
  struct plink *k = user;
  k->owner->loop->now_ns = now_ns;
  if (k->lost_rx)
    return;
  ocf_link_rx(k->l, now_ns, n);
  if (n > 0)
    pump(k->owner);
}

static void on_eof(void *user, uint64_t now_ns)
{
  struct plink *k = user;
  k->owner->loop->now_ns = now_ns;
  if (k->lingering) {
    plink_free(k);
    return;
  }
  ocf_link_rx_end(k->l, now_ns, 0);
  pump(k->owner);
}

static void on_closed(void *user, uint64_t now_ns, int err)
{
  struct plink *k = user;
  struct ocf_links *ls = k->owner;
  ls->loop->now_ns = now_ns;
  k->sock = NULL;
  if (k->lingering) {
    plink_free(k);
    return;
  }
  if (k->dialling) {
    struct ocf_link *l = k->l;
    plink_free(k);
    ocf_swarm_dialled(ls->swarm, now_ns, l, err, NULL, NULL);
  } else {
    ocf_link_rx_end(k->l, now_ns, err);
  }
  pump(ls);
}

static void on_connected(void *user, uint64_t now_ns)
{
  struct plink *k = user;
  struct ocf_ip_addr local, remote;
  k->owner->loop->now_ns = now_ns;
  k->dialling = false;
  k->owner->loop->env->ops->names(k->sock, &local, &remote);
  ocf_swarm_dialled(k->owner->swarm, now_ns, k->l, 0, &remote, &local);
}

/* Writes what the link shows until the socket is full; the views stay untouched while the driver
 * sends them in the background. */
static void write_link(struct plink *k)
{
  struct ocf_links *ls = k->owner;
  struct ocf_bytes v[MAX_VIEWS];
  size_t count;
  while (k->sock != NULL && !k->dialling && k->sending == 0 &&
         (count = ocf_link_tx(k->l, v, MAX_VIEWS)) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
      total += v[i].n;
    if (ls->loop->env->ops->send(k->sock, v, count, true) == total)
      ocf_link_tx_done(k->l, ls->loop->now_ns, total);
    else
      k->sending = total;
  }
}

static void on_sent(void *user, uint64_t now_ns, size_t n)
{
  struct plink *k = user;
  (void)n;
  k->owner->loop->now_ns = now_ns;
  ocf_link_tx_done(k->l, now_ns, k->sending);
  k->sending = 0;
  write_link(k);
  pump(k->owner);
}

static const struct ocf_sock_user_ops sock_ops = { on_rx_space, on_rx,     on_eof, on_connected,
                                                   on_sent,     on_closed, NULL };

void ocf_links_accept(struct ocf_links *ls, uint64_t now_ns, struct ocf_sock *s,
                      const struct ocf_ip_addr *remote)
{
  struct ocf_ip_addr local, ignored;
  struct plink *k = plink_new(ls);
  ls->loop->now_ns = now_ns;
  if (k == NULL) {
    ls->loop->env->ops->close(s, true);
    return;
  }
  k->sock = s;
  ls->loop->env->ops->names(s, &local, &ignored);
  if (ocf_swarm_accept(ls->swarm, now_ns, k, remote, &local, &k->l) != 0) {
    plink_free(k);
    return;
  }
  ls->loop->env->ops->adopt(s, &sock_ops, k);
}

static void dial(struct ocf_links *ls, const struct ocf_swarm_effect *fx)
{
  struct ocf_endpoint to = { .ip = fx->ip };
  struct plink *k = plink_new(ls);
  int err = OCF_ENOMEM;
  if (k != NULL) {
    k->l = fx->link;
    k->dialling = true;
    k->sock = ls->loop->env->ops->connect(ls->loop->env, &to, &sock_ops, k, &err);
    if (k->sock != NULL) {
      ocf_link_set_handle(fx->link, k);
      return;
    }
    plink_free(k);
  }
  ocf_swarm_dialled(ls->swarm, ls->loop->now_ns, fx->link, err, NULL, NULL);
}

struct lookup {
  struct ocf_links *owner;
  uint64_t ticket;
};

static void on_resolved(void *user, uint64_t now_ns, int err, const struct ocf_ip_addr *ips,
                        size_t n)
{
  struct lookup *q = user;
  struct ocf_links *owner = q->owner;
  owner->loop->now_ns = now_ns;
  ocf_swarm_resolved(owner->swarm, now_ns, q->ticket, err, ips, n);
  OCF_DELETE(owner->loop->alloc, q);
  owner->n_lookups--;
}

static void resolve(struct ocf_links *ls, const struct ocf_swarm_effect *fx)
{
  struct lookup *q = OCF_NEW(ls->loop->alloc, struct lookup);
  int err = OCF_ENOMEM;
  if (q != NULL) {
    *q = (struct lookup){ ls, fx->ticket };
    err = ls->loop->env->ops->resolve(ls->loop->env, fx->host, 0, on_resolved, q);
    if (err == 0) {
      ls->n_lookups++;
      return;
    }
    OCF_DELETE(ls->loop->alloc, q);
  }
  ocf_swarm_resolved(ls->swarm, ls->loop->now_ns, fx->ticket, err, NULL, 0);
}

static void close_link(struct plink *k)
{
  struct ocf_links *ls = k->owner;
  if (!ls->lingers || k->sock == NULL || k->dialling || k->sending > 0) {
    plink_free(k);
    return;
  }
  k->lingering = true;
  k->l = NULL;
  ls->loop->env->ops->shutdown(k->sock);
}

static void effects(struct ocf_links *ls)
{
  struct ocf_swarm_effect fx;
  while (ocf_swarm_effect(ls->swarm, ls->loop->now_ns, &fx)) {
    switch (fx.type) {
    case OCF_SWARM_DIAL: dial(ls, &fx); break;
    case OCF_SWARM_RESOLVE: resolve(ls, &fx); break;
    case OCF_SWARM_CLOSE:
      if (fx.handle != NULL)
        close_link(fx.handle);
      break;
    }
  }
}

static void hand_out(struct ocf_links *ls, const struct ocf_swarm_event *ev)
{
  struct ocf_stream_user *u = ev->user;
  switch (ev->type) {
  case OCF_SWARM_PEER_UP:
  case OCF_SWARM_PEER_IDENTIFIED:
  case OCF_SWARM_PEER_DOWN:
  case OCF_SWARM_DIAL_FAILED:
  case OCF_SWARM_STREAM_IN: ls->on_event(ls->user, ev); break;
  case OCF_SWARM_OPENED:
  case OCF_SWARM_OPEN_FAILED:
  case OCF_SWARM_STREAM_UP:
  case OCF_SWARM_DATA:
  case OCF_SWARM_FIN:
  case OCF_SWARM_WRITABLE:
  case OCF_SWARM_STREAM_GONE:
    if (u != NULL)
      u->on_event(u, ev);
    break;
  }
}

/* Runs events until there is none. A call from inside an event's handler is left to the outer one.
 */
static void pump(struct ocf_links *ls)
{
  struct ocf_swarm_event ev;
  if (ls->pumping)
    return;
  ls->pumping = true;
  while (ocf_swarm_event(ls->swarm, ls->loop->now_ns, &ev))
    hand_out(ls, &ev);
  ls->pumping = false;
}

void ocf_links_run(struct ocf_links *ls)
{
  struct ocf_link *l;
  do {
    pump(ls);
    ocf_loop_run_deferred(ls->loop);
    pump(ls);
    effects(ls);
    while ((l = ocf_swarm_tx_next(ls->swarm, ls->loop->now_ns)) != NULL)
      write_link(ocf_link_handle(l));
  } while (ocf_swarm_busy(ls->swarm) || !ocf_list_empty(&ls->loop->deferred));
}

void ocf_links_init(struct ocf_links *ls, struct ocf_loop *loop, struct ocf_swarm *swarm,
                    ocf_links_event_fn on_event, void *user)
{
  *ls = (struct ocf_links){ .loop = loop, .swarm = swarm, .on_event = on_event, .user = user };
  ocf_list_init(&ls->list);
}

void ocf_links_fini(struct ocf_links *ls)
{
  OCF_LIST_FOREACH_SAFE (it, &ls->list) {
    plink_free(OCF_LIST_ENTRY(it, struct plink, link));
  }
}

void ocf_links_linger(struct ocf_links *ls)
{
  ls->lingers = true;
}

bool ocf_links_gone(const struct ocf_links *ls)
{
  return ocf_list_empty(&ls->list);
}

bool ocf_links_sending(const struct ocf_links *ls)
{
  OCF_LIST_FOREACH (it, &ls->list) {
    if (OCF_LIST_ENTRY(it, struct plink, link)->sending > 0)
      return true;
  }
  return false;
}
