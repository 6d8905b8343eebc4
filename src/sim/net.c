/* Machines, processes, connecting, look-ups and faults. */
#include "sim/net_int.h"

#include <stdio.h>
#include <string.h>

enum { SYN_TRIES = 7, FIRST_PORT = 32768 };

void ocf_sim_net_config_init(struct ocf_sim_net_config *cfg)
{
  *cfg = (struct ocf_sim_net_config){
    .latency_min_ns = 200 * OCF_NS_PER_US,
    .latency_max_ns = 2 * OCF_NS_PER_MS,
    .jitter_ns = 50 * OCF_NS_PER_US,
    .local_ns = 10 * OCF_NS_PER_US,
    .bytes_per_s = 1250 * 1000 * 1000,
    .sndbuf_min = 64 * 1024,
    .sndbuf_max = 256 * 1024,
    .rcvbuf_min = 64 * 1024,
    .rcvbuf_max = 256 * 1024,
    .segment_max = 64 * 1024,
    .short_permille = 300,
    .wake_ns = 20 * OCF_NS_PER_US,
    .give_up_ns = 900 * OCF_NS_PER_S,
  };
}

static void reap(struct ocf_sim *w, struct ocf_sim_event *e);

void ocf_sim_net_init(struct ocf_sim_net *n, struct ocf_sim *w,
                      const struct ocf_sim_net_config *cfg)
{
  *n = (struct ocf_sim_net){ .w = w, .cfg = *cfg };
  ocf_chunk_pool_init(&n->chunks, &w->alloc, 1024);
  ocf_list_init(&n->conns);
  ocf_list_init(&n->dead);
  n->reaper.fn = reap;
  n->latency_salt = ocf_rng_u64(&w->rng);
  n->cut = ocf_alloc_zero(&w->alloc, (size_t)OCF_SIM_MACHINES_MAX * OCF_SIM_MACHINES_MAX);
  OCF_ASSERT(n->cut != NULL);
}

static void conn_free(struct conn *c)
{
  struct ocf_sim *w = c->net->w;
  for (int i = 0; i < 2; i++) {
    pipe_fini(&c->pipe[i]);
    ocf_sim_cancel(w, &c->end[i].read);
    ocf_sim_cancel(w, &c->end[i].write);
    ocf_sim_cancel(w, &c->end[i].reset);
  }
  ocf_sim_cancel(w, &c->step);
  ocf_list_remove(&c->link);
  OCF_DELETE(&w->alloc, c);
}

static void reap(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sim_net *n = OCF_CONTAINER_OF(e, struct ocf_sim_net, reaper);
  (void)w;
  OCF_LIST_FOREACH_SAFE (it, &n->dead) {
    conn_free(OCF_LIST_ENTRY(it, struct conn, link));
  }
}

void ocf_sim_net_fini(struct ocf_sim_net *n)
{
  struct ocf_alloc *a = &n->w->alloc;
  reap(n->w, &n->reaper);
  ocf_sim_cancel(n->w, &n->reaper);
  OCF_ASSERT(ocf_list_empty(&n->conns));
  for (size_t i = 0; i < n->n_machines; i++) {
    OCF_ASSERT(ocf_list_empty(&n->machines[i]->procs));
    OCF_DELETE(a, n->machines[i]);
  }
  ocf_alloc_put(a, n->cut, (size_t)OCF_SIM_MACHINES_MAX * OCF_SIM_MACHINES_MAX);
  ocf_chunk_pool_fini(&n->chunks);
}

/* ---- machines and paths ---- */

struct ocf_sim_machine *ocf_sim_machine_new(struct ocf_sim_net *n)
{
  OCF_ASSERT(n->n_machines < OCF_SIM_MACHINES_MAX);
  struct ocf_sim_machine *m = OCF_NEW(&n->w->alloc, struct ocf_sim_machine);
  OCF_ASSERT(m != NULL);
  m->id = (uint32_t)n->n_machines + 1;
  m->powered = true;
  m->next_port = FIRST_PORT;
  m->ip4 = (struct ocf_ip_addr){ .family = 4 };
  m->ip4.ip[0] = 10;
  m->ip4.ip[2] = (uint8_t)(m->id >> 8);
  m->ip4.ip[3] = (uint8_t)m->id;
  m->ip6 = (struct ocf_ip_addr){ .family = 6 };
  m->ip6.ip[0] = 0xfd;
  m->ip6.ip[4] = (uint8_t)(m->id >> 8); /* a /48 of its own */
  m->ip6.ip[5] = (uint8_t)m->id;
  m->ip6.ip[15] = 1;
  ocf_list_init(&m->procs);
  ocf_list_init(&m->listeners);
  n->machines[n->n_machines++] = m;
  return m;
}

static uint8_t *cut_of(const struct ocf_sim_net *n, const struct ocf_sim_machine *from,
                       const struct ocf_sim_machine *to)
{
  return &n->cut[(size_t)(from->id - 1) * OCF_SIM_MACHINES_MAX + (to->id - 1)];
}

bool path_open(const struct ocf_sim_net *n, const struct ocf_sim_machine *from,
               const struct ocf_sim_machine *to)
{
  return from->powered && to->powered && *cut_of(n, from, to) == 0;
}

uint64_t path_latency(struct ocf_sim_net *n, const struct ocf_sim_machine *from,
                      const struct ocf_sim_machine *to)
{
  const struct ocf_sim_net_config *cfg = &n->cfg;
  if (from == to)
    return cfg->local_ns;
  uint64_t pair = (uint64_t)OCF_MIN(from->id, to->id) << 32 | OCF_MAX(from->id, to->id);
  uint64_t seed[2] = { n->latency_salt, 0 };
  uint64_t span = cfg->latency_max_ns - cfg->latency_min_ns + 1;
  uint64_t base = cfg->latency_min_ns + ocf_siphash13(seed, &pair, sizeof(pair)) % span;
  return base + ocf_sim_between(n->w, 0, cfg->jitter_ns);
}

uint64_t wake_delay(struct ocf_sim_net *n)
{
  return ocf_sim_chance(n->w, 1, 2) ? 0 : ocf_sim_between(n->w, 0, n->cfg.wake_ns);
}

static bool same_host(const struct ocf_ip_addr *a, const struct ocf_ip_addr *b)
{
  return a->family == b->family && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

static struct ocf_sim_machine *find_machine(struct ocf_sim_net *n, struct ocf_sim_machine *self,
                                            const struct ocf_ip_addr *ip)
{
  if (ocf_ip_addr_is_loopback(ip))
    return self;
  for (size_t i = 0; i < n->n_machines; i++) {
    if (same_host(&n->machines[i]->ip4, ip) || same_host(&n->machines[i]->ip6, ip))
      return n->machines[i];
  }
  return NULL;
}

/* ---- processes ---- */

static void on_turn(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct ocf_sim_proc *p = OCF_CONTAINER_OF(e, struct ocf_sim_proc, turn_event);
  ocf_sim_trace(w, OCF_SIM_TRACE_TURN, p->machine->id, 0, NULL, 0);
  p->turn(p->user);
}

void ocf_sim_proc_init(struct ocf_sim_proc *p, struct ocf_sim_net *n, struct ocf_sim_machine *m)
{
  *p = (struct ocf_sim_proc){
    .env.ops = &sock_env_ops, .net = n, .machine = m, .max_socks = SIZE_MAX
  };
  p->turn_event.fn = on_turn;
  ocf_list_init(&p->socks);
  ocf_list_init(&p->zombies);
  ocf_list_init(&p->lookups);
  ocf_list_init(&p->work);
  ocf_list_push_back(&m->procs, &p->link);
}

void ocf_sim_proc_touch(struct ocf_sim_proc *p)
{
  if (p->turn != NULL && !p->turn_event.pending)
    ocf_sim_after(p->net->w, &p->turn_event, wake_delay(p->net));
}

static void lookups_drop(struct ocf_sim_proc *p);

static void close_listeners(struct ocf_sim_proc *p)
{
  OCF_LIST_FOREACH_SAFE (it, &p->machine->listeners) {
    struct ocf_sim_listener *l = OCF_LIST_ENTRY(it, struct ocf_sim_listener, link);
    if (l->proc == p)
      ocf_sim_listener_close(l);
  }
}

void ocf_sim_proc_kill(struct ocf_sim_proc *p, bool power)
{
  close_listeners(p);
  work_freeze(p);
  ocf_sim_cancel(p->net->w, &p->turn_event);
  p->turn = NULL;
  OCF_LIST_FOREACH_SAFE (it, &p->socks) {
    struct ocf_sock *s = OCF_LIST_ENTRY(it, struct ocf_sock, link);
    s->zombie = true; /* before the close, which would let go of the connection */
    if (power) {
      s->vanished = true;
      sock_detach(s);
      pipe_kill(&s->conn->pipe[s->side]);
    } else {
      sock_close(s, false);
    }
    ocf_list_push_back(&p->zombies, &s->link);
  }
}

void ocf_sim_proc_fini(struct ocf_sim_proc *p)
{
  ocf_sim_proc_kill(p, false);
  OCF_LIST_FOREACH_SAFE (it, &p->zombies) {
    struct ocf_sock *s = OCF_LIST_ENTRY(it, struct ocf_sock, link);
    ocf_list_remove(&s->link);
    s->zombie = false;
    s->proc = NULL;
    conn_put(s->conn);
  }
  lookups_drop(p);
  work_drop(p);
  ocf_list_remove(&p->link);
}

/* ---- listening and connecting ---- */

static bool same_place(const struct ocf_endpoint *a, const struct ocf_endpoint *b)
{
  if (a->unix_path[0] != '\0' || b->unix_path[0] != '\0')
    return strcmp(a->unix_path, b->unix_path) == 0;
  return a->ip.port == b->ip.port && a->ip.family == b->ip.family &&
         (same_host(&a->ip, &b->ip) || ocf_ip_addr_is_unspecified(&a->ip) ||
          ocf_ip_addr_is_unspecified(&b->ip));
}

static struct ocf_sim_listener *find_listener(struct ocf_sim_machine *m,
                                              const struct ocf_endpoint *to)
{
  OCF_LIST_FOREACH (it, &m->listeners) {
    struct ocf_sim_listener *l = OCF_LIST_ENTRY(it, struct ocf_sim_listener, link);
    if (same_place(&l->at, to))
      return l;
  }
  return NULL;
}

int ocf_sim_listen(struct ocf_sim_listener *l, struct ocf_sim_proc *p,
                   const struct ocf_endpoint *at, ocf_sim_accept_fn fn, void *user)
{
  if (find_listener(p->machine, at) != NULL)
    return OCF_EINUSE;
  *l = (struct ocf_sim_listener){ .proc = p, .at = *at, .fn = fn, .user = user };
  ocf_list_push_back(&p->machine->listeners, &l->link);
  return 0;
}

void ocf_sim_listener_close(struct ocf_sim_listener *l)
{
  ocf_list_remove(&l->link);
}

static void on_step(struct ocf_sim *w, struct ocf_sim_event *e);

static void set_addresses(struct conn *c, struct ocf_sim_machine *m)
{
  if (c->to.unix_path[0] != '\0')
    return;
  bool loopback = ocf_ip_addr_is_loopback(&c->to.ip);
  c->addr[1] = c->to.ip;
  c->addr[0] = loopback ? c->to.ip : c->to.ip.family == 4 ? m->ip4 : m->ip6;
  c->addr[0].port = m->next_port++;
  if (m->next_port < FIRST_PORT)
    m->next_port = FIRST_PORT;
}

struct conn *conn_new(struct ocf_sim_proc *p, const struct ocf_endpoint *to)
{
  struct ocf_sim_net *n = p->net;
  struct conn *c = OCF_NEW(&n->w->alloc, struct conn);
  OCF_ASSERT(c != NULL);
  c->net = n;
  c->id = ++n->next_conn;
  c->to = *to;
  c->step.fn = on_step;
  c->machine[0] = p->machine;
  c->machine[1] = to->unix_path[0] != '\0' ? p->machine : find_machine(n, p->machine, &to->ip);
  set_addresses(c, p->machine);
  for (int i = 0; i < 2; i++) {
    sock_init(c, i);
    pipe_init(c, i);
  }
  ocf_list_push_back(&n->conns, &c->link);
  sock_attach(&c->end[0], p);
  ocf_sim_trace(n->w, OCF_SIM_TRACE_CONNECT, c->id, p->machine->id, NULL, 0);
  if (c->machine[1] == NULL) {
    c->machine[1] = c->machine[0];
    c->state = CONN_REFUSED;
    c->err = OCF_EUNREACH;
  }
  ocf_sim_after(n->w, &c->step, path_latency(n, c->machine[0], c->machine[1]));
  return c;
}

void conn_put(struct conn *c)
{
  struct ocf_sim_net *n = c->net;
  for (int i = 0; i < 2; i++) {
    if (c->end[i].open || c->end[i].zombie)
      return;
  }
  if (c->accept_pending)
    return;
  ocf_list_remove(&c->link);
  ocf_list_push_back(&n->dead, &c->link);
  ocf_sim_cancel(n->w, &c->step);
  if (!n->reaper.pending)
    ocf_sim_after(n->w, &n->reaper, 0);
}

static void try_syn_again(struct ocf_sim *w, struct conn *c)
{
  c->n_syn++;
  if (c->n_syn == SYN_TRIES) {
    c->state = CONN_REFUSED;
    c->err = OCF_ETIME;
  }
  ocf_sim_after(w, &c->step, OCF_NS_PER_S << (c->n_syn - 1));
}

static void syn_arrives(struct ocf_sim *w, struct conn *c)
{
  struct ocf_sim_machine *to = c->machine[1];
  bool there = path_open(c->net, c->machine[0], to) && path_open(c->net, to, c->machine[0]);
  if (!there || (to->swallows && to != c->machine[0])) {
    try_syn_again(w, c);
    return;
  }
  bool listens = find_listener(to, &c->to) != NULL;
  c->state = listens ? CONN_ANSWERED : CONN_REFUSED;
  c->err = c->to.unix_path[0] != '\0' ? OCF_ENOENT : OCF_EREFUSED;
  ocf_sim_after(w, &c->step, path_latency(c->net, to, c->machine[0]));
}

static void answer_arrives(struct ocf_sim *w, struct conn *c)
{
  struct ocf_sock *s = &c->end[0];
  c->state = CONN_UP;
  c->accept_pending = true;
  ocf_sim_after(w, &c->step, path_latency(c->net, c->machine[0], c->machine[1]));
  ocf_sim_trace(w, OCF_SIM_TRACE_UP, c->id, 0, NULL, 0);
  sock_start(s);
  ocf_sim_proc_touch(s->proc);
  s->ops->connected(s->user, w->now_ns);
}

static void tell_listener(struct ocf_sim *w, struct conn *c)
{
  struct ocf_sim_listener *l = find_listener(c->machine[1], &c->to);
  struct ocf_sock *s = &c->end[1];
  c->accept_pending = false;
  if (l == NULL || !c->machine[1]->powered || l->proc->n_socks >= l->proc->max_socks) {
    pipe_kill(&c->pipe[0]);
    sock_send_reset(c, 0, false);
    conn_put(c);
    return;
  }
  if (s->was_reset || s->reset.pending) { /* gone before it was taken */
    conn_put(c);
    return;
  }
  sock_attach(s, l->proc);
  s->up = true;
  ocf_sim_proc_touch(l->proc);
  l->fn(l->user, w->now_ns, s, &c->addr[0]);
  if (s->open && s->ops == NULL)
    ocf_sim_fail(w, "an accepted socket was neither adopted nor closed");
}

static void on_step(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct conn *c = OCF_CONTAINER_OF(e, struct conn, step);
  switch (c->state) {
  case CONN_SYN: syn_arrives(w, c); break;
  case CONN_ANSWERED: answer_arrives(w, c); break;
  case CONN_REFUSED: sock_fail(&c->end[0], c->err); break;
  case CONN_UP: tell_listener(w, c); break;
  }
}

/* ---- names ---- */

struct lookup {
  struct ocf_list link;
  struct ocf_sim_event event;
  struct ocf_sim_proc *proc;
  struct ocf_sim_name answer;
  ocf_resolved_fn fn;
  void *user;
};

void ocf_sim_name_set(struct ocf_sim_net *n, const char *host, const struct ocf_ip_addr *ips,
                      size_t n_ips, int err, uint64_t after_ns)
{
  OCF_ASSERT(n->n_names < OCF_SIM_NAMES_MAX && n_ips <= OCF_RESOLVE_MAX);
  struct ocf_sim_name *x = &n->names[n->n_names++];
  (void)snprintf(x->host, sizeof(x->host), "%s", host);
  if (n_ips > 0)
    memcpy(x->ips, ips, n_ips * sizeof(*ips));
  x->n = n_ips;
  x->err = err;
  x->after_ns = after_ns;
}

static void lookup_free(struct lookup *q)
{
  ocf_sim_cancel(q->proc->net->w, &q->event);
  ocf_list_remove(&q->link);
  OCF_DELETE(&q->proc->net->w->alloc, q);
}

static void lookups_drop(struct ocf_sim_proc *p)
{
  OCF_LIST_FOREACH_SAFE (it, &p->lookups) {
    lookup_free(OCF_LIST_ENTRY(it, struct lookup, link));
  }
}

static void on_lookup(struct ocf_sim *w, struct ocf_sim_event *e)
{
  struct lookup *q = OCF_CONTAINER_OF(e, struct lookup, event);
  struct lookup copy = *q;
  lookup_free(q);
  ocf_sim_proc_touch(copy.proc);
  copy.fn(copy.user, w->now_ns, copy.answer.err, copy.answer.ips,
          copy.answer.err == 0 ? copy.answer.n : 0);
}

int net_resolve(struct ocf_env *env, const char *host, uint16_t port, ocf_resolved_fn fn,
                void *user)
{
  struct ocf_sim_proc *p = OCF_CONTAINER_OF(env, struct ocf_sim_proc, env);
  struct ocf_sim_net *n = p->net;
  struct lookup *q = OCF_NEW(&n->w->alloc, struct lookup);
  OCF_ASSERT(q != NULL);
  *q = (struct lookup){ .proc = p, .fn = fn, .user = user };
  q->answer = (struct ocf_sim_name){ .err = OCF_ENOENT, .after_ns = 5 * OCF_NS_PER_MS };
  q->event.fn = on_lookup;
  for (size_t i = 0; i < n->n_names; i++) {
    if (strcmp(n->names[i].host, host) == 0)
      q->answer = n->names[i];
  }
  for (size_t i = 0; i < q->answer.n; i++)
    q->answer.ips[i].port = port;
  ocf_list_push_back(&p->lookups, &q->link);
  ocf_sim_after(n->w, &q->event, q->answer.after_ns);
  return 0;
}

/* ---- faults ---- */

void ocf_sim_cut(struct ocf_sim_net *n, const struct ocf_sim_machine *from,
                 const struct ocf_sim_machine *to, bool cut)
{
  OCF_ASSERT(from != to);
  *cut_of(n, from, to) = cut ? 1 : 0;
  ocf_sim_trace(n->w, OCF_SIM_TRACE_FAULT, from->id, (uint64_t)to->id << 1 | (cut ? 1 : 0), NULL,
                0);
}

void ocf_sim_partition(struct ocf_sim_net *n, struct ocf_sim_machine *const *a, size_t n_a,
                       struct ocf_sim_machine *const *b, size_t n_b, bool cut)
{
  for (size_t i = 0; i < n_a; i++) {
    for (size_t k = 0; k < n_b; k++) {
      if (a[i] == b[k])
        continue;
      ocf_sim_cut(n, a[i], b[k], cut);
      ocf_sim_cut(n, b[k], a[i], cut);
    }
  }
}

size_t ocf_sim_reset_between(struct ocf_sim_net *n, const struct ocf_sim_machine *a,
                             const struct ocf_sim_machine *b)
{
  size_t count = 0;
  ocf_sim_trace(n->w, OCF_SIM_TRACE_FAULT, a->id, (uint64_t)b->id << 32, NULL, 0);
  OCF_LIST_FOREACH (it, &n->conns) {
    struct conn *c = OCF_LIST_ENTRY(it, struct conn, link);
    bool match =
        (c->machine[0] == a && c->machine[1] == b) || (c->machine[0] == b && c->machine[1] == a);
    if (!match || c->state != CONN_UP)
      continue;
    sock_send_reset(c, 0, true);
    sock_send_reset(c, 1, true);
    count++;
  }
  return count;
}

void ocf_sim_machine_swallow(struct ocf_sim_net *n, const struct ocf_sim_machine *m, bool on)
{
  n->machines[m->id - 1]->swallows = on;
  ocf_sim_trace(n->w, OCF_SIM_TRACE_FAULT, m->id, on ? 3 : 2, NULL, 0);
}

void ocf_sim_machine_power(struct ocf_sim_net *n, struct ocf_sim_machine *m, bool on)
{
  m->powered = on;
  ocf_sim_trace(n->w, OCF_SIM_TRACE_FAULT, m->id, on ? 5 : 4, NULL, 0);
}

/* ---- looking ---- */

size_t ocf_sim_net_n_conns(const struct ocf_sim_net *n)
{
  size_t count = 0;
  OCF_LIST_FOREACH (it, &n->conns) {
    count++;
  }
  return count;
}

size_t ocf_sim_net_bytes(const struct ocf_sim_net *n)
{
  size_t bytes = 0;
  OCF_LIST_FOREACH (it, &n->conns) {
    const struct conn *c = OCF_CONTAINER_OF_CONST(it, struct conn, link);
    bytes += ocf_queue_len(&c->pipe[0].bytes) + ocf_queue_len(&c->pipe[1].bytes);
  }
  return bytes;
}
