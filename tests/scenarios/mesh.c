/* Many nodes, and what the network does to them. */
#include "basic.h"

#include <stdio.h>

#define SECOND OCF_NS_PER_S
#define MS OCF_NS_PER_MS

static struct ocf_sim_client *get(struct stage *st, size_t from, size_t to, const char *path)
{
  struct ocf_sim_plan p = stage_plan(st, to, path);
  return stage_client_at(st, from, &p);
}

static size_t n_conns(const struct ocf_sim_host *h)
{
  struct ocf_swarm_stats s;
  ocf_swarm_stats(ocf_node_swarm(h->node), &s);
  return s.n_conns;
}

/* Two nodes that dial each other at the same moment both succeed, and keep one connection. */
void scenario_simultaneous(struct stage *st)
{
  stage_hosts(st, 2);
  for (size_t i = 0; i < 2; i++)
    stage_service(st, i, "");
  for (unsigned round = 0; round < 5; round++) {
    ALIVE(st);
    for (size_t i = 0; i < 2; i++)
      stage_start(st, i);
    ALIVE(st);
    ocf_sim_host_knows(st->hosts[0], st->hosts[1], false);
    ocf_sim_host_knows(st->hosts[1], st->hosts[0], false);
    for (unsigned i = 0; i < 10; i++) {
      (void)get(st, 0, 1, "/bytes/1000/1");
      (void)get(st, 1, 0, "/sse/20/1000");
    }
    stage_finish(st, 20 * SECOND);
    ALIVE(st);
    for (size_t i = 0; i < st->n_clients; i++)
      stage_expect(st, st->clients[i], OCF_SIM_COMPLETE, 200);
    stage_forget_clients(st);
    stage_settle(st);
    ALIVE(st);
    CLAIM(st, n_conns(st->hosts[0]) == 1 && n_conns(st->hosts[1]) == 1,
          "%zu and %zu connections are kept", n_conns(st->hosts[0]), n_conns(st->hosts[1]));
    for (size_t i = 0; i < 2; i++)
      ocf_sim_host_stop(st->hosts[i]);
    stage_sleep(st, SECOND);
  }
}

/* A partition, in both directions or one: requests fail visibly, the peer is noticed as lost, and
 * after healing it is found again within the longest re-dial distance. */
void scenario_partition(struct stage *st)
{
  stage_pair(st);
  ALIVE(st);
  struct ocf_sim_machine *a = st->hosts[0]->machine, *b = st->hosts[1]->machine;
  for (unsigned how = 0; how < 3; how++) {
    ALIVE(st);
    ocf_sim_cut(&st->net, a, b, how != 1);
    ocf_sim_cut(&st->net, b, a, how != 2);
    stage_sleep(st, how == 0 ? SECOND : 100 * MS);
    struct ocf_sim_client *c = get(st, 0, 1, "/bytes/10/1");
    stage_finish(st, 120 * SECOND);
    ALIVE(st);
    CLAIM(st, c->outcome == OCF_SIM_COMPLETE && c->status >= 500, "way %u: %s %u", how,
          ocf_sim_outcome_name(c->outcome), c->status);
    stage_forget_clients(st);
    stage_sleep(st, ocf_sim_between(&st->w, 60 * SECOND, 300 * SECOND));
    ALIVE(st);
    CLAIM(st, !ocf_sim_host_sees(st->hosts[0], st->hosts[1]), "the head has not noticed");
    CLAIM(st, !ocf_sim_host_sees(st->hosts[1], st->hosts[0]), "the worker has not noticed");
    ocf_sim_cut(&st->net, a, b, false);
    ocf_sim_cut(&st->net, b, a, false);
    stage_sleep(st, 150 * SECOND);
    ALIVE(st);
    CLAIM(st, ocf_sim_host_sees(st->hosts[0], st->hosts[1]), "way %u: not found again", how);
    c = get(st, 0, 1, "/bytes/10/1");
    stage_finish(st, 20 * SECOND);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
    stage_forget_clients(st);
  }
  stage_settle(st);
}

/* A short break of the path, shorter than any time-out, is survived by everything. */
void scenario_hiccup(struct stage *st)
{
  stage_pair(st);
  ALIVE(st);
  struct ocf_sim_machine *a = st->hosts[0]->machine, *b = st->hosts[1]->machine;
  for (unsigned i = 0; i < 10; i++) {
    struct ocf_sim_plan p = stage_plan(st, 1, i < 5 ? "/sse/2000/10000" : "/bytes/10000000/1");
    p.expect = i < 5 ? OCF_SIM_EVENTS : OCF_SIM_PATTERN;
    p.want_n = i < 5 ? 2000 : 10000000;
    p.want_seed = 1;
    (void)stage_client(st, &p);
  }
  for (unsigned i = 0; i < 4; i++) {
    stage_sleep(st, SECOND);
    ocf_sim_partition(&st->net, &a, 1, &b, 1, true);
    stage_sleep(st, ocf_sim_between(&st->w, 10 * MS, 5 * SECOND));
    ocf_sim_partition(&st->net, &a, 1, &b, 1, false);
  }
  stage_finish(st, 300 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < st->n_clients; i++)
    stage_expect(st, st->clients[i], OCF_SIM_COMPLETE, 200);
  stage_forget_clients(st);
  stage_settle(st);
}

/* SIGTERM: what is in flight finishes, new clients are refused, an idle node is gone at once, and
 * the grace bounds it all. */
void scenario_drain(struct stage *st)
{
  stage_pair(st);
  ALIVE(st);
  struct ocf_sim_plan p = stage_plan(st, 1, "/sse/50/100000"); /* 5 s */
  p.expect = OCF_SIM_EVENTS;
  p.want_n = 50;
  struct ocf_sim_client *in_time = stage_client(st, &p);
  p = stage_plan(st, 1, "/sse/1000/100000"); /* 100 s */
  p.expect = OCF_SIM_EVENTS;
  p.want_n = 1000;
  struct ocf_sim_client *too_long = stage_client(st, &p);
  stage_sleep(st, SECOND);
  ALIVE(st);
  size_t which = st->w.seed % 2; /* the head or the worker */
  struct ocf_sim_host *h = st->hosts[which];
  ocf_sim_host_drain(h, 10 * SECOND);
  stage_sleep(st, 500 * MS);
  ALIVE(st);
  CLAIM(st, !ocf_node_drained(h->node), "drained with requests in flight");
  p = stage_plan(st, 1, "/bytes/10/1");
  struct ocf_sim_client *late = stage_client(st, &p);
  stage_sleep(st, 6 * SECOND);
  ALIVE(st);
  stage_expect(st, in_time, OCF_SIM_COMPLETE, 200);
  CLAIM(st, ocf_sim_client_done(late), "a late request hangs");
  CLAIM(st, late->outcome == OCF_SIM_NO_ANSWER || late->status >= 500, "a late request got %u",
        late->status);
  CLAIM(st, !ocf_node_drained(h->node), "drained with a request in flight");
  stage_sleep(st, 5 * SECOND);
  ALIVE(st);
  CLAIM(st, ocf_node_drained(h->node), "not drained after the grace");
  ocf_sim_host_stop(h);
  stage_sleep(st, SECOND);
  stage_expect(st, too_long, OCF_SIM_CUT, 200);
  stage_forget_clients(st);
  stage_start(st, which); /* a node without work */
  stage_sleep(st, 200 * SECOND);
  ALIVE(st);
  ocf_sim_host_drain(h, 10 * SECOND);
  stage_sleep(st, 100 * MS);
  CLAIM(st, ocf_node_drained(h->node), "an idle node takes its time");
  ocf_sim_host_stop(h);
  stage_settle(st);
}

/* ---- many ---- */

static void one_fault(struct stage *st)
{
  size_t n = st->n_hosts;
  size_t i = (size_t)ocf_sim_between(&st->w, 0, n - 1),
         k = (size_t)ocf_sim_between(&st->w, 1, n - 1);
  struct ocf_sim_host *a = st->hosts[i], *b = st->hosts[(i + k) % n];
  switch (ocf_sim_between(&st->w, 0, 5)) {
  case 0: (void)ocf_sim_reset_between(&st->net, a->machine, b->machine); break;
  case 1: ocf_sim_cut(&st->net, a->machine, b->machine, true); break;
  case 2:
    for (size_t x = 0; x < n; x++) {
      if (st->hosts[x] != a)
        ocf_sim_cut(&st->net, st->hosts[x]->machine, a->machine, true);
    }
    break;
  case 3: ocf_sim_host_crash(a, false); break;
  case 4:
    ocf_sim_host_crash(a, true);
    for (size_t x = 0; x < st->n_clients; x++) {
      if (st->clients[x]->proc->machine == a->machine)
        ocf_sim_client_leave(st->clients[x]);
    }
    break;
  default: ocf_sim_machine_swallow(&st->net, a->machine, true); break;
  }
}

static void start_with_book(struct stage *st, size_t i)
{
  if (!st->hosts[i]->machine->powered)
    ocf_sim_machine_power(&st->net, st->hosts[i]->machine, true);
  if (st->hosts[i]->node != NULL)
    return;
  stage_start(st, i);
  for (size_t k = 0; k < st->n_hosts && !st->w.failed; k++) {
    if (k != i)
      ocf_sim_host_knows(st->hosts[i], st->hosts[k], false);
  }
}

static void heal_all(struct stage *st)
{
  for (size_t i = 0; i < st->n_hosts; i++) {
    ocf_sim_machine_swallow(&st->net, st->hosts[i]->machine, false);
    for (size_t k = 0; k < st->n_hosts; k++) {
      if (i != k)
        ocf_sim_cut(&st->net, st->hosts[i]->machine, st->hosts[k]->machine, false);
    }
    start_with_book(st, i);
  }
}

static void random_request(struct stage *st)
{
  static const struct {
    const char *path;
    enum ocf_sim_expect expect;
    uint64_t n;
  } kinds[] = { { "/bytes/11/1", OCF_SIM_PATTERN, 11 },
                { "/bytes/100000/1", OCF_SIM_PATTERN, 100000 },
                { "/sse/50/20000", OCF_SIM_EVENTS, 50 },
                { "/chunks/5000/1", OCF_SIM_PATTERN, 5000 },
                { "/echo", OCF_SIM_ECHO, 0 } };
  size_t n = st->n_hosts, from = (size_t)ocf_sim_between(&st->w, 0, n - 1);
  size_t to = (from + (size_t)ocf_sim_between(&st->w, 1, n - 1)) % n;
  size_t kind = (size_t)ocf_sim_between(&st->w, 0, OCF_ARRAY_LEN(kinds) - 1);
  struct ocf_sim_plan p = stage_plan(st, to, kinds[kind].path);
  p.expect = kinds[kind].expect;
  p.want_n = kinds[kind].n;
  p.want_seed = 1;
  if (p.expect == OCF_SIM_ECHO) {
    p.method = OCF_H1_POST;
    p.body_n = ocf_sim_between(&st->w, 1, 100000);
    p.body_seed = 9;
  }
  if (ocf_sim_chance(&st->w, 1, 10))
    p.leave_after_ns = ocf_sim_between(&st->w, MS, SECOND);
  (void)stage_client_at(st, from, &p);
}

/* Everybody asks everybody while machines die, paths break and ports go deaf: each request ends
 * with a whole answer or a failure that shows. When the faults are over, all requests succeed, and
 * nothing is left behind. */
static void mesh(struct stage *st, bool calm_end)
{
  size_t n = st->nodes > 0 ? st->nodes : 100, steps = st->steps > 0 ? st->steps : 60;
  size_t n_ok = 0, n_all = 0;
  stage_hosts(st, n);
  for (size_t i = 0; i < n; i++) {
    stage_service(st, i, "");
    start_with_book(st, i);
  }
  stage_sleep(st, SECOND);
  for (size_t s = 0; s < steps; s++) {
    ALIVE(st);
    for (size_t k = 0; k < 10; k++)
      random_request(st);
    if (s % 3 == 1)
      one_fault(st);
    stage_sleep(st, ocf_sim_between(&st->w, 0, 2 * SECOND));
    if (s % 20 == 19)
      heal_all(st);
  }
  heal_all(st);
  stage_finish(st, 1000 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < st->n_clients; i++) {
    n_all++;
    n_ok += st->clients[i]->outcome == OCF_SIM_COMPLETE && st->clients[i]->status == 200 ? 1 : 0;
    CLAIM(st, st->clients[i]->outcome != OCF_SIM_TIMEOUT, "a request hangs");
  }
  CLAIM(st, n < 10 || n_ok > n_all / (calm_end ? 2 : 10), "only %zu of %zu requests went well",
        n_ok, n_all);
  stage_forget_clients(st);
  st->net.cfg.reset_ppm = 0;
  stage_sleep(st, 400 * SECOND); /* the longest back-off of a dial */
  ALIVE(st);
  for (size_t i = 0; i < n; i++)
    (void)get(st, i, (i + 1 + (size_t)ocf_sim_between(&st->w, 0, n - 2)) % n, "/bytes/100/1");
  stage_finish(st, 60 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < st->n_clients; i++)
    stage_expect(st, st->clients[i], OCF_SIM_COMPLETE, 200);
  stage_forget_clients(st);
  stage_settle(st);
}

void scenario_mesh(struct stage *st)
{
  mesh(st, true);
}

void scenario_mesh_wild(struct stage *st)
{
  mesh(st, false);
}

/* 150 nodes dial one at the same moment, from other machines and so more than it takes handshakes
 * of at once: none is lost, the refused ones come back, and all are served. */
void scenario_rush(struct stage *st)
{
  size_t n = st->nodes > 0 ? st->nodes : 150;
  stage_hosts(st, n + 1);
  stage_service(st, 0, "");
  for (size_t i = 0; i <= n && !st->w.failed; i++)
    stage_start(st, i);
  ALIVE(st);
  for (size_t i = 1; i <= n; i++)
    ocf_sim_host_knows(st->hosts[i], st->hosts[0], true);
  stage_sleep(st, 150 * SECOND); /* the longest distance of re-dials, and a bit */
  ALIVE(st);
  CLAIM(st, n_conns(st->hosts[0]) >= n, "only %zu of %zu are connected", n_conns(st->hosts[0]), n);
  for (size_t i = 1; i <= n; i++)
    (void)get(st, i, 0, "/bytes/100/1");
  stage_finish(st, 60 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < st->n_clients; i++)
    stage_expect(st, st->clients[i], OCF_SIM_COMPLETE, 200);
  stage_forget_clients(st);
  stage_settle(st);
}

/* The end of an answer waits in the node for a slow client when SIGTERM comes: it is sent before
 * the node goes. */
void scenario_drain_tail(struct stage *st)
{
  stage_pair(st);
  ALIVE(st);
  struct ocf_sim_client *c[8];
  for (unsigned i = 0; i < 8; i++) {
    struct ocf_sim_plan p = stage_plan(st, 1, i % 2 == 0 ? "/bytes/150000/1" : "/chunks/250000/1");
    p.expect = OCF_SIM_PATTERN;
    p.want_n = i % 2 == 0 ? 150000 : 250000;
    p.want_seed = 1;
    p.stall_after_bytes = 1000;
    p.stall_ns = 5 * SECOND;
    c[i] = stage_client(st, &p);
  }
  stage_sleep(st, SECOND);
  ALIVE(st);
  struct ocf_sim_host *h = st->hosts[st->w.seed % 2];
  ocf_sim_host_drain(h, 30 * SECOND);
  for (unsigned i = 0; i < 300 && !ocf_node_drained(h->node); i++)
    stage_sleep(st, 100 * MS);
  ALIVE(st);
  CLAIM(st, ocf_node_drained(h->node), "not drained after the grace");
  ocf_sim_host_stop(h);
  stage_finish(st, 10 * SECOND);
  ALIVE(st);
  for (unsigned i = 0; i < 8; i++)
    stage_expect(st, c[i], OCF_SIM_COMPLETE, 200);
  stage_forget_clients(st);
  stage_settle(st);
}
