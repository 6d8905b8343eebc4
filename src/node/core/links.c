/* The swarm's sockets: the driver's callbacks on one side, struct ocf_link on the other. */
#include <stdio.h>

#include "node/core/node_int.h"

enum { MAX_VIEWS = 32 };

/* One socket of the swarm's. Dies with the swarm's CLOSE effect, or with a dial that failed. */
struct plink {
  struct ocf_list link;
  struct ocf_node *node;
  struct ocf_link *l;
  struct ocf_sock *sock; /* NULL once it is dead */
  size_t sending;        /* bytes of the views that the driver sends in the background */
  bool dialling, lost_rx;
};

static void plink_free(struct plink *p)
{
  if (p->sock != NULL)
    p->node->loop.env->ops->close(p->sock, false);
  ocf_list_remove(&p->link);
  OCF_DELETE(p->node->loop.alloc, p);
}

static struct plink *plink_new(struct ocf_node *n)
{
  struct plink *p = OCF_NEW(n->loop.alloc, struct plink);
  if (p == NULL)
    return NULL;
  p->node = n;
  ocf_list_push_back(&n->links, &p->link);
  return p;
}

static void on_rx_space(void *user, uint8_t **p, size_t *cap)
{
  struct plink *k = user;
  *p = ocf_link_rx_space(k->l, cap);
  k->lost_rx = *cap == 0;
  if (k->lost_rx) { /* the link is going down: what still comes is thrown away */
    *p = k->node->loop.rx;
    *cap = OCF_LOOP_RX_SIZE;
  }
}

static void on_rx(void *user, uint64_t now_ns, size_t n)
{
  struct plink *k = user;
  k->node->loop.now_ns = now_ns;
  if (k->lost_rx)
    return;
  ocf_link_rx(k->l, now_ns, n);
  if (n > 0)
    node_pump(k->node);
}

static void on_eof(void *user, uint64_t now_ns)
{
  struct plink *k = user;
  k->node->loop.now_ns = now_ns;
  ocf_link_rx_end(k->l, now_ns, 0);
  node_pump(k->node);
}

static void on_closed(void *user, uint64_t now_ns, int err)
{
  struct plink *k = user;
  struct ocf_node *n = k->node;
  n->loop.now_ns = now_ns;
  k->sock = NULL;
  if (k->dialling) {
    struct ocf_link *l = k->l;
    plink_free(k);
    ocf_swarm_dialled(n->swarm, now_ns, l, err, NULL, NULL);
  } else {
    ocf_link_rx_end(k->l, now_ns, err);
  }
  node_pump(n);
}

static void on_connected(void *user, uint64_t now_ns)
{
  struct plink *k = user;
  struct ocf_ip_addr local, remote;
  k->node->loop.now_ns = now_ns;
  k->dialling = false;
  k->node->loop.env->ops->names(k->sock, &local, &remote);
  ocf_swarm_dialled(k->node->swarm, now_ns, k->l, 0, &remote, &local);
}

/* Writes what the link shows until the socket is full; the views stay untouched while the driver
 * sends them in the background. */
static void write_link(struct plink *k)
{
  struct ocf_node *n = k->node;
  struct ocf_bytes v[MAX_VIEWS];
  size_t count;
  while (k->sock != NULL && !k->dialling && k->sending == 0 &&
         (count = ocf_link_tx(k->l, v, MAX_VIEWS)) > 0) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
      total += v[i].n;
    if (n->loop.env->ops->send(k->sock, v, count, true) == total)
      ocf_link_tx_done(k->l, n->loop.now_ns, total);
    else
      k->sending = total;
  }
}

static void on_sent(void *user, uint64_t now_ns, size_t n)
{
  struct plink *k = user;
  (void)n;
  k->node->loop.now_ns = now_ns;
  ocf_link_tx_done(k->l, now_ns, k->sending);
  k->sending = 0;
  write_link(k);
  node_pump(k->node);
}

static const struct ocf_sock_user_ops sock_ops = { on_rx_space,  on_rx,   on_eof,
                                                   on_connected, on_sent, on_closed };

void ocf_node_accept_p2p(struct ocf_node *n, uint64_t now_ns, struct ocf_sock *s,
                         const struct ocf_ip_addr *remote)
{
  struct ocf_ip_addr local, ignored;
  struct plink *k = plink_new(n);
  n->loop.now_ns = now_ns;
  if (k == NULL) {
    n->loop.env->ops->close(s, true);
    return;
  }
  k->sock = s;
  n->loop.env->ops->names(s, &local, &ignored);
  if (ocf_swarm_accept(n->swarm, now_ns, k, remote, &local, &k->l) != 0) {
    plink_free(k);
    return;
  }
  n->loop.env->ops->adopt(s, &sock_ops, k);
}

static void dial(struct ocf_node *n, const struct ocf_swarm_effect *fx)
{
  struct ocf_endpoint to = { .ip = fx->ip };
  struct plink *k = plink_new(n);
  int err = OCF_ENOMEM;
  if (k != NULL) {
    k->l = fx->link;
    k->dialling = true;
    k->sock = n->loop.env->ops->connect(n->loop.env, &to, &sock_ops, k, &err);
    if (k->sock != NULL) {
      ocf_link_set_handle(fx->link, k);
      return;
    }
    plink_free(k);
  }
  ocf_swarm_dialled(n->swarm, n->loop.now_ns, fx->link, err, NULL, NULL);
}

struct lookup {
  struct ocf_node *node;
  uint64_t ticket;
};

static void on_resolved(void *user, uint64_t now_ns, int err, const struct ocf_ip_addr *ips,
                        size_t n)
{
  struct lookup *q = user;
  struct ocf_node *node = q->node;
  node->loop.now_ns = now_ns;
  ocf_swarm_resolved(node->swarm, now_ns, q->ticket, err, ips, n);
  OCF_DELETE(node->loop.alloc, q);
  node->n_lookups--;
}

static void resolve(struct ocf_node *n, const struct ocf_swarm_effect *fx)
{
  struct lookup *q = OCF_NEW(n->loop.alloc, struct lookup);
  int err = OCF_ENOMEM;
  if (q != NULL) {
    *q = (struct lookup){ n, fx->ticket };
    err = n->loop.env->ops->resolve(n->loop.env, fx->host, 0, on_resolved, q);
    if (err == 0) {
      n->n_lookups++;
      return;
    }
    OCF_DELETE(n->loop.alloc, q);
  }
  ocf_swarm_resolved(n->swarm, n->loop.now_ns, fx->ticket, err, NULL, 0);
}

static void effects(struct ocf_node *n)
{
  struct ocf_swarm_effect fx;
  while (ocf_swarm_effect(n->swarm, n->loop.now_ns, &fx)) {
    switch (fx.type) {
    case OCF_SWARM_DIAL: dial(n, &fx); break;
    case OCF_SWARM_RESOLVE: resolve(n, &fx); break;
    case OCF_SWARM_CLOSE:
      if (fx.handle != NULL)
        plink_free(fx.handle);
      break;
    }
  }
}

static void log_peer(struct ocf_node *n, const struct ocf_swarm_event *ev, const char *what)
{
  char text[OCF_PEERID_TEXT_SIZE];
  OCF_LOGF(n->loop.log, "swarm", OCF_LOG_INFO, what,
           OCF_LOG_STR("peer", ocf_peerid_text(ev->peer, text)), OCF_LOG_ERR("why", ev->err));
}

void node_pump(struct ocf_node *n)
{
  struct ocf_swarm_event ev;
  if (n->pumping)
    return;
  n->pumping = true;
  while (ocf_swarm_event(n->swarm, n->loop.now_ns, &ev)) {
    switch (ev.type) {
    case OCF_SWARM_PEER_UP: log_peer(n, &ev, "peer connected"); break;
    case OCF_SWARM_PEER_DOWN: log_peer(n, &ev, "peer lost"); break;
    case OCF_SWARM_DIAL_FAILED: log_peer(n, &ev, "peer cannot be dialled"); break;
    case OCF_SWARM_PEER_IDENTIFIED: break;
    case OCF_SWARM_OPENED:
    case OCF_SWARM_OPEN_FAILED:
    case OCF_SWARM_STREAM_IN:
    case OCF_SWARM_STREAM_UP:
    case OCF_SWARM_DATA:
    case OCF_SWARM_FIN:
    case OCF_SWARM_WRITABLE:
    case OCF_SWARM_STREAM_GONE: node_stream_event(n, &ev); break;
    }
  }
  n->pumping = false;
}

void node_run_swarm(struct ocf_node *n)
{
  struct ocf_link *l;
  do {
    node_pump(n);
    ocf_loop_run_deferred(&n->loop);
    node_pump(n);
    effects(n);
    while ((l = ocf_swarm_tx_next(n->swarm, n->loop.now_ns)) != NULL)
      write_link(ocf_link_handle(l));
  } while (ocf_swarm_busy(n->swarm) || !ocf_list_empty(&n->loop.deferred));
}

void node_links_free(struct ocf_node *n)
{
  OCF_LIST_FOREACH_SAFE (it, &n->links) {
    plink_free(OCF_LIST_ENTRY(it, struct plink, link));
  }
}
