#include "p2p/swarm/swarm_int.h"

#include <string.h>

/* Tries every connection, the preferred one first. */
static int open_on(struct peer *p, const struct ocf_bytes *protos, size_t n, void *user,
                   struct ocf_stream **out)
{
  struct ocf_swarm *sw = p->sw;
  int err = OCF_ENOENT;
  bool lazy = ocf_swarm_entry_speaks(p, protos[0]);
  OCF_LIST_FOREACH (it, &p->links) {
    struct ocf_link *l = LINK_OF(it, peer_link);
    if (l->closing)
      continue;
    err = ocf_conn_open(l->conn, sw->now_ns, protos, n, lazy, user, out);
    if (err == 0) {
      l->used_ns = sw->now_ns;
      return 0;
    }
    if (err != OCF_ESTATE && err != OCF_ERANGE)
      return err;
    err = OCF_ENOENT;
  }
  return err;
}

static bool valid(const struct ocf_bytes *protos, size_t n, size_t *total)
{
  *total = 0;
  for (size_t i = 0; i < n; i++) {
    if (protos[i].n == 0 || protos[i].n > OCF_CONN_PROTO_MAX)
      return false;
    *total += protos[i].n;
  }
  return n > 0 && n <= OCF_CONN_PROPOSALS_MAX;
}

static int wait_for(struct peer *p, const struct ocf_bytes *protos, size_t n, size_t total,
                    uint64_t deadline_ns, void *user, uint64_t *ticket)
{
  struct ocf_swarm *sw = p->sw;
  size_t at = 0;
  if (sw->n_opens >= sw->cfg.opens_max)
    return OCF_ELIMIT;
  struct open *o = ocf_alloc_zero(sw->cfg.a, sizeof(*o) + total);
  if (o == NULL)
    return OCF_ENOMEM;
  o->peer = p;
  o->user = user;
  o->ticket = sw->next_ticket++;
  o->n_protos = n;
  o->n_bytes = total;
  o->timer.kind = TIMER_OPEN;
  for (size_t i = 0; i < n; i++) {
    memcpy(o->b + at, protos[i].p, protos[i].n);
    o->protos[i] = ocf_bytes(o->b + at, protos[i].n);
    at += protos[i].n;
  }
  ocf_list_push_back(&p->opens, &o->link);
  ocf_list_remove(&p->idle_link);
  ocf_wheel_start(&sw->wheel, &o->timer, deadline_ns);
  sw->n_opens++;
  p->n_opens++;
  *ticket = o->ticket;
  return 0;
}

int ocf_swarm_open(struct ocf_swarm *sw, uint64_t now_ns, const struct ocf_peerid *peer,
                   const struct ocf_bytes *protos, size_t n, uint64_t deadline_ns, void *user,
                   struct ocf_stream **out, uint64_t *ticket)
{
  size_t total;
  sw->now_ns = now_ns;
  *out = NULL;
  *ticket = 0;
  if (!valid(protos, n, &total) || ocf_peerid_eq(peer, &sw->self))
    return OCF_EINVAL;
  struct peer *p = ocf_swarm_peer_find(sw, peer);
  if (p == NULL)
    return OCF_EUNREACH;
  int err = open_on(p, protos, n, user, out);
  if (err != OCF_ENOENT && err != OCF_EAGAIN)
    return err;
  uint64_t t = 0;
  bool dial = err == OCF_ENOENT;
  err = wait_for(p, protos, n, total, deadline_ns, user, &t);
  if (err == 0 && dial)
    err = ocf_swarm_dial_start(p, false);
  if (err != 0) {
    ocf_swarm_open_cancel(sw, t);
    return err;
  }
  *ticket = t;
  return OCF_EAGAIN;
}

void ocf_swarm_open_free(struct ocf_swarm *sw, struct open *o)
{
  struct peer *p = o->peer;
  ocf_list_remove(&o->link);
  ocf_wheel_stop(&sw->wheel, &o->timer);
  ocf_alloc_put(sw->cfg.a, o, sizeof(*o) + o->n_bytes);
  sw->n_opens--;
  p->n_opens--;
  ocf_swarm_peer_settle(p);
}

static struct open *find_in(struct ocf_list *head, uint64_t ticket)
{
  OCF_LIST_FOREACH (it, head) {
    struct open *o = OCF_LIST_ENTRY(it, struct open, link);
    if (o->ticket == ticket)
      return o;
  }
  return NULL;
}

void ocf_swarm_open_cancel(struct ocf_swarm *sw, uint64_t ticket)
{
  struct open *o = ticket != 0 ? find_in(&sw->open_done, ticket) : NULL;
  if (ticket == 0)
    return;
  OCF_LIST_FOREACH (it, &sw->peers_all) {
    if (o != NULL)
      break;
    o = find_in(&OCF_LIST_ENTRY(it, struct peer, all)->opens, ticket);
  }
  if (o != NULL)
    ocf_swarm_open_free(sw, o);
}

/* The request waits for its event; it keeps the peer alive no longer than that. */
static void finish(struct open *o, int err)
{
  o->err = err;
  ocf_list_remove(&o->link);
  ocf_list_push_back(&o->peer->sw->open_done, &o->link);
}

void ocf_swarm_opens_wake(struct peer *p)
{
  while (!ocf_list_empty(&p->opens))
    finish(OCF_LIST_ENTRY(p->opens.next, struct open, link), 0);
}

void ocf_swarm_opens_fail(struct peer *p, int err)
{
  while (!ocf_list_empty(&p->opens))
    finish(OCF_LIST_ENTRY(p->opens.next, struct open, link), err);
}

void ocf_swarm_open_timer(struct open *o)
{
  finish(o, OCF_ETIME);
}

bool ocf_swarm_open_next(struct ocf_swarm *sw, struct ocf_swarm_event *ev)
{
  while (!ocf_list_empty(&sw->open_done)) {
    struct open *o = OCF_LIST_ENTRY(sw->open_done.next, struct open, link);
    struct ocf_stream *s = NULL;
    int err = o->err;
    if (err == 0)
      err = open_on(o->peer, o->protos, o->n_protos, o->user, &s);
    if (err == OCF_EAGAIN) { /* CAN_OPEN will wake it again */
      ocf_list_remove(&o->link);
      ocf_list_push_back(&o->peer->opens, &o->link);
      continue;
    }
    ocf_swarm_show_peer(sw, &o->peer->id, ev);
    ev->type = err == 0 ? OCF_SWARM_OPENED : OCF_SWARM_OPEN_FAILED;
    ev->stream = s;
    ev->user = o->user;
    ev->err = err == OCF_ENOENT ? OCF_EUNREACH : err;
    ocf_swarm_open_free(sw, o);
    return true;
  }
  return false;
}
