/* Members of a mesh that keep the rules: what each of them offers is known to all of them, whatever
 * the network and the processes do. */
#include "reg.h"

#include <stdio.h>
#include <string.h>

#define SECOND OCF_NS_PER_S
#define MS OCF_NS_PER_MS

/* ---- joining ---- */

/* `n` nodes that start at once and know one of them. */
static void join(struct stage *st, size_t n, uint64_t within_ns, uint64_t bytes_each)
{
  reg_hosts(st, n, 1, false);
  reg_start_all(st);
  ALIVE(st);
  uint64_t took = reg_converge(st, within_ns);
  ALIVE(st);
  uint64_t joined = reg_wire_bytes(st);
  stage_sleep(st, 60 * SECOND);
  ALIVE(st);
  uint64_t minute = reg_wire_bytes(st) - joined;
  (void)snprintf(
      st->note, sizeof(st->note),
      "%zu nodes: all rows on all after %.3f s, %llu bytes sent each; %llu in the minute after", n,
      (double)took / 1e9, (unsigned long long)(joined / n), (unsigned long long)(minute / n));
  CLAIM(st, joined / n <= bytes_each, "joining cost %llu bytes a node",
        (unsigned long long)(joined / n));
  CLAIM(st, reg_converged(st), "rows were lost in the minute after");
  for (size_t i = 0; i < n; i++) {
    struct ocf_mesh_stats s = reg_stats(st, i);
    CLAIM(st, s.replica.rows == n, "h%zu has %llu rows", i, (unsigned long long)s.replica.rows);
    CLAIM(st, s.replica.incomplete == 0 && s.replica.fetches == 0, "h%zu waits for blocks", i);
    CLAIM(st, s.replica.blocks <= 3 * n, "%llu blocks were written for %zu records",
          (unsigned long long)s.replica.blocks, n);
    CLAIM(st, !s.store_failed, "h%zu: the store failed", i);
  }
  for (size_t i = 1; i < n; i++)
    CLAIM(st, reg_routes(st, 0, i), "the head does not route to h%zu", i);
  reg_offer(st, n - 1, "model=new");
  took = reg_converge(st, 3 * SECOND);
  ALIVE(st);
  reg_stop_all(st);
}

void scenario_reg_join(struct stage *st)
{
  join(st, 3, SECOND, 8000);
}

void scenario_reg_join_10(struct stage *st)
{
  join(st, 10, 2 * SECOND, 30000);
}

void scenario_reg_join_30(struct stage *st)
{
  join(st, 30, 2 * SECOND, 60000);
}

/* Ten nodes in a row, each knowing the one before it: a record passes through all of them. */
void scenario_reg_chain(struct stage *st)
{
  enum { N = 10 };
  reg_hosts(st, N, 0, false);
  for (size_t i = 0; i < N; i++) {
    ALIVE(st);
    reg_start(st, i, i > 0 ? i - 1 : 0);
  }
  ALIVE(st);
  uint64_t took = reg_converge(st, 20 * SECOND);
  ALIVE(st);
  reg_offer(st, N - 1, "model=far");
  uint64_t update = reg_converge(st, 10 * SECOND);
  (void)snprintf(st->note, sizeof(st->note), "joined after %.3f s, an update passed in %.3f s",
                 (double)took / 1e9, (double)update / 1e9);
  ALIVE(st);
  reg_stop_all(st);
}

/* ---- going and coming ---- */

static bool nobody_shows_1(struct stage *st)
{
  return reg_row(st, 0, 1) == NULL && reg_row(st, 3, 1) == NULL && reg_row(st, 4, 1) == NULL;
}

static bool head_leaves_2(struct stage *st)
{
  return !reg_routes(st, 0, 2);
}

static bool nobody_routes_to_2(struct stage *st)
{
  return !reg_routes(st, 0, 2) && !reg_routes(st, 3, 2);
}

/* Ends a node as SIGTERM does. */
static void leave(struct stage *st, size_t i, enum ocf_mesh_leave_style style)
{
  struct ocf_sim_host *h = st->hosts[i];
  ocf_sim_host_drain(h, 10 * SECOND);
  for (unsigned k = 0; k < 100 && !ocf_node_drained(h->node); k++)
    stage_sleep(st, 100 * MS);
  ALIVE(st);
  CLAIM(st, ocf_node_drained(h->node), "h%zu (style %d) does not end", i, (int)style);
  ocf_sim_host_stop(h);
}

/* A worker leaves in each of the ways there are; the others know it within a second or two. */
void scenario_reg_leave(struct stage *st)
{
  reg_hosts(st, 5, 1, false);
  st->hosts[4]->cfg.mesh.leave = OCF_MESH_LEAVE_LEFT;
  reg_start_all(st);
  (void)reg_converge(st, 5 * SECOND);
  stage_sleep(st, 30 * SECOND);
  ALIVE(st);
  leave(st, 1, OCF_MESH_LEAVE_DELETE);
  CLAIM(st, reg_wait(st, nobody_shows_1, 2 * SECOND), "a deleted record is still shown");
  for (size_t i = 0; i < 5; i++)
    CLAIM(st, i == 1 || reg_stats(st, i).replica.rows == 4, "h%zu keeps the deleted row", i);
  /* Killed, or without power: whoever had a connection knows it when that ends, others when they
   * have not heard of it for two minutes. */
  bool power = st->w.seed % 2 == 1;
  ocf_sim_host_crash(st->hosts[2], power);
  CLAIM(st, reg_wait(st, head_leaves_2, (power ? 60 : 1) * SECOND),
        "the head routes to a killed node");
  CLAIM(st, reg_wait(st, nobody_routes_to_2, 130 * SECOND), "a killed node counts as alive");
  leave(st, 4, OCF_MESH_LEAVE_LEFT);
  ALIVE(st);
  stage_sleep(st, 2 * SECOND);
  ALIVE(st);
  CLAIM(st, reg_row(st, 0, 4) == NULL && reg_row(st, 3, 4) == NULL,
        "a row that says \"left\" is shown");
  CLAIM(st, reg_routes(st, 0, 3), "who stayed is not routed to any more");
  reg_stop_all(st);
}

/* Killed, and started again: with the store as it was, and without any. What the node offers after
 * that is what all show, although they know a record of its earlier life. */
void scenario_reg_restart(struct stage *st)
{
  reg_hosts(st, 4, 1, true);
  reg_start_all(st);
  (void)reg_converge(st, 5 * SECOND);
  for (unsigned round = 0; round < 4; round++) {
    char group[32];
    bool wipe = round % 2 == 1;
    stage_sleep(st, ocf_sim_between(&st->w, SECOND, 20 * SECOND));
    ALIVE(st);
    ocf_sim_host_crash(st->hosts[1], false);
    if (wipe)
      ocf_sim_host_wipe(st->hosts[1]);
    stage_sleep(st, ocf_sim_between(&st->w, 100 * MS, 5 * SECOND));
    (void)snprintf(group, sizeof(group), "model=life%u", round);
    reg_offer(st, 1, group);
    reg_start(st, 1, 0);
    ALIVE(st);
    (void)reg_converge(st, 10 * SECOND);
    stage_sleep(st, 20 * SECOND);
    ALIVE(st);
    CLAIM(st, reg_converged(st), "round %u: the record did not stand", round);
    CLAIM(st, reg_routes(st, 0, 1), "round %u: the head does not route to it", round);
  }
  /* All at once, as after a power cut: the stores bring everything back. */
  for (size_t i = 0; i < 4; i++)
    ocf_sim_host_crash(st->hosts[i], false);
  stage_sleep(st, SECOND);
  reg_start_all(st);
  (void)reg_converge(st, 10 * SECOND);
  ALIVE(st);
  CLAIM(st, reg_stats(st, 0).replica.blocks < 40, "%llu blocks were written",
        (unsigned long long)reg_stats(st, 0).replica.blocks);
  reg_stop_all(st);
}

/* ---- partition ---- */

static void cut(struct stage *st, bool on)
{
  struct ocf_sim_machine *a[3], *b[3];
  for (size_t i = 0; i < 3; i++) {
    a[i] = st->hosts[i]->machine;
    b[i] = st->hosts[i + 3]->machine;
  }
  ocf_sim_partition(&st->net, a, 3, b, 3, on);
}

/* Two halves that cannot hear each other, each with a bootstrap of its own. Both write; after
 * healing all show the last word of each. */
void scenario_reg_partition(struct stage *st)
{
  char group[32];
  reg_hosts(st, 6, 1, false);
  reg_start_all(st);
  ALIVE(st);
  ocf_sim_host_knows(st->hosts[4], st->hosts[3], true);
  ocf_sim_host_knows(st->hosts[5], st->hosts[3], true);
  (void)reg_converge(st, 5 * SECOND);
  cut(st, true);
  for (unsigned round = 0; round < 10; round++) {
    for (size_t i = 1; i < 6; i++) {
      (void)snprintf(group, sizeof(group), "model=r%u-%zu", round, i);
      reg_offer(st, i, group);
    }
    stage_sleep(st, ocf_sim_between(&st->w, SECOND, 15 * SECOND));
    ALIVE(st);
  }
  CLAIM(st, reg_shows(st, 1, 2, "model=r9-2", false), "writes do not pass within a side");
  CLAIM(st, reg_shows(st, 4, 5, "model=r9-5", false), "writes do not pass within the other side");
  CLAIM(st, !reg_shows(st, 1, 4, "model=r9-4", false), "the cut is none");
  cut(st, false);
  uint64_t took = reg_converge(st, 150 * SECOND); /* the longest re-dial distance */
  ALIVE(st);
  (void)snprintf(st->note, sizeof(st->note), "healed and whole after %.3f s", (double)took / 1e9);
  stage_sleep(st, 10 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < 6; i++) {
    struct ocf_mesh_stats s = reg_stats(st, i), s0 = reg_stats(st, 0);
    CLAIM(st, s.replica.blocks == s0.replica.blocks && s.replica.incomplete == 0,
          "h%zu has %llu blocks, h0 %llu", i, (unsigned long long)s.replica.blocks,
          (unsigned long long)s0.replica.blocks);
  }
  reg_stop_all(st);
}

/* ---- history ---- */

static bool caught_up(struct stage *st)
{
  struct ocf_mesh_stats s = reg_stats(st, 2), s0 = reg_stats(st, 0);
  return s.replica.blocks >= s0.replica.blocks && s.replica.incomplete == 0 && reg_converged(st);
}

/* A thousand blocks of history, and a node that knows none of them. */
void scenario_reg_newcomer(struct stage *st)
{
  enum { UPDATES = 1000 };
  char group[32];
  reg_hosts(st, 3, 1, false);
  reg_start(st, 0, 0);
  reg_start(st, 1, 0);
  for (unsigned i = 0; i < UPDATES; i++) {
    ALIVE(st);
    (void)snprintf(group, sizeof(group), "model=u%u", i);
    reg_offer(st, 1, group);
    stage_sleep(st, 50 * MS);
  }
  ALIVE(st);
  (void)reg_converge(st, 5 * SECOND);
  ALIVE(st);
  uint64_t blocks = reg_stats(st, 0).replica.blocks, begin = st->w.now_ns;
  CLAIM(st, blocks >= UPDATES, "only %llu blocks", (unsigned long long)blocks);
  uint64_t before = reg_wire_bytes(st);
  reg_start(st, 2, 0);
  CLAIM(st, reg_wait(st, caught_up, 20 * SECOND), "the newcomer has %llu of %llu blocks",
        (unsigned long long)reg_stats(st, 2).replica.blocks, (unsigned long long)blocks);
  uint64_t bytes = reg_wire_bytes(st) - before;
  (void)snprintf(st->note, sizeof(st->note), "%llu blocks in %.3f s, %llu bytes each",
                 (unsigned long long)blocks, (double)(st->w.now_ns - begin) / 1e9,
                 (unsigned long long)(bytes / blocks));
  CLAIM(st, bytes / blocks < 4000, "%llu bytes for each block of history",
        (unsigned long long)(bytes / blocks));
  reg_stop_all(st);
}

/* Two nodes with one key say different things. Each is right in its own eyes; they must not fill
 * everybody's history over it. */
void scenario_reg_twins(struct stage *st)
{
  reg_hosts(st, 4, 1, false);
  ocf_sim_host_clone_key(st->hosts[3], st->hosts[2]);
  for (size_t i = 0; i < 4; i++) {
    ALIVE(st);
    reg_start(st, i, i == 3 ? 1 : 0); /* none of the others is connected to both at first */
  }
  reg_offer(st, 3, "model=twin"); /* they do not say the same */
  stage_sleep(st, 60 * SECOND);
  ALIVE(st);
  uint64_t early = reg_stats(st, 0).replica.blocks;
  stage_sleep(st, 600 * SECOND);
  ALIVE(st);
  uint64_t blocks = reg_stats(st, 0).replica.blocks;
  (void)snprintf(st->note, sizeof(st->note), "%llu blocks in the first minute, %llu in ten more",
                 (unsigned long long)early, (unsigned long long)(blocks - early));
  CLAIM(st, early <= 40, "%llu blocks in the first minute", (unsigned long long)early);
  CLAIM(st, blocks - early <= 60, "%llu blocks in ten minutes",
        (unsigned long long)(blocks - early));
  CLAIM(st, reg_routes(st, 0, 1), "the third is not routed to");
  reg_stop_all(st);
}

/* ---- routing ---- */

enum { HEADS = 2, WORKERS = 3, ASKED_EACH = 4 };

static void ask_all(struct stage *st, unsigned round)
{
  static const char model[] = "{\"stream\":true,\"model\":\"shared\",\"messages\":[]}";
  for (size_t head = 0; head < HEADS; head++) {
    for (unsigned i = 0; i < ASKED_EACH; i++) {
      struct ocf_sim_plan p = reg_plan(st, head, i % 2 == 0 ? "/bytes/3000/7" : "/sse/20/30000");
      p.method = OCF_H1_POST;
      p.body = model;
      p.body_n = sizeof(model) - 1;
      p.patience_ns = 60 * SECOND;
      p.expect = i % 2 == 0 ? OCF_SIM_PATTERN : OCF_SIM_EVENTS;
      p.want_n = i % 2 == 0 ? 3000 : 20;
      p.want_seed = 7;
      (void)stage_client_at(st, head, &p);
    }
  }
  (void)round;
}

/* Two heads, three workers that serve one model. Workers are killed and come back while clients
 * ask; no client sees a failure whose answer had not begun. */
void scenario_reg_route(struct stage *st)
{
  unsigned n_cut = 0, n = 0;
  reg_hosts(st, HEADS + WORKERS, HEADS, true);
  for (size_t i = HEADS; i < HEADS + WORKERS; i++)
    ocf_sim_host_group(st->hosts[i], "model=shared");
  reg_start_all(st);
  (void)reg_converge(st, 5 * SECOND);
  stage_sleep(st, 2 * SECOND);
  for (unsigned round = 0; round < 40; round++) {
    ALIVE(st);
    size_t victim = HEADS + round / 8 % WORKERS;
    if (round % 8 == 2)
      ocf_sim_host_crash(st->hosts[victim], false);
    if (round % 8 == 5)
      reg_start(st, victim, 0);
    ALIVE(st);
    ask_all(st, round);
    stage_sleep(st, ocf_sim_between(&st->w, 20 * MS, SECOND));
  }
  ALIVE(st);
  stage_finish(st, 60 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < st->n_clients; i++) {
    struct ocf_sim_client *c = st->clients[i];
    n++;
    if (c->outcome == OCF_SIM_CUT && c->head_seen) {
      n_cut++;
      continue;
    }
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
    ALIVE(st);
  }
  (void)snprintf(st->note, sizeof(st->note), "%u requests, %u were under way when a worker died", n,
                 n_cut);
  stage_forget_clients(st);
  struct ocf_sim_plan p = reg_plan(st, 1, "/bytes/10/1");
  p.ask = "model=nobody";
  struct ocf_sim_client *c = stage_client_at(st, 1, &p);
  stage_finish(st, 5 * SECOND);
  ALIVE(st);
  CLAIM(st, c->outcome == OCF_SIM_COMPLETE && c->status >= 400, "a model of nobody gave %u",
        c->status);
  stage_settle(st);
  reg_stop_all(st);
}

/* ---- memory ---- */

static void offer_if_possible(struct stage *st, size_t i, const char *group)
{
  struct ocf_sim_host *h = st->hosts[i];
  struct ocf_bytes g = ocf_bytes(group, strlen(group));
  struct ocf_node_service s = { .relay = h->services[0].cfg, .groups = &g, .n_groups = 1 };
  ocf_sim_host_group(h, group);
  if (ocf_node_add_service(h->node, &s) == OCF_ENOMEM) /* its owner asks again */
    (void)!ocf_node_add_service(h->node, &s);
  ocf_sim_proc_touch(&h->proc);
}

/* One life of a member in which the n-th allocation fails, or all from the n-th on. Returns how
 * many there were. */
static uint64_t starved_life(struct stage *st, size_t i, uint64_t n, bool once)
{
  struct ocf_sim_host *h = st->hosts[i];
  char group[32];
  h->fail_at = n;
  h->fail_once = once;
  int r = ocf_sim_host_start(h);
  if (r != 0 && r != OCF_ENOMEM)
    ocf_sim_fail(&st->w, "start: %s", ocf_errname(r));
  if (r == 0) {
    ocf_sim_host_knows(h, st->hosts[0], true);
    stage_sleep(st, SECOND);
    if (!ocf_sim_host_sees(h, st->hosts[0])) /* it may not have taken it in */
      ocf_sim_host_knows(h, st->hosts[0], true);
    (void)snprintf(group, sizeof(group), "model=n%llu", (unsigned long long)n);
    offer_if_possible(st, i, group);
    reg_offer(st, 1, group);
    stage_sleep(st, SECOND);
    if (once) /* a refused dial is tried again after 5 s, a broadcast comes every 5 s */
      (void)reg_converge(st, 30 * SECOND);
  }
  uint64_t calls = h->alloc.n_calls;
  ocf_sim_host_crash(h, false); /* checks for leaks */
  stage_sleep(st, 100 * MS);
  return calls;
}

/* Any allocation of a member may fail. It goes on, and the others do not notice; one failure alone
 * has been made up for in half a minute. */
void scenario_reg_oom(struct stage *st)
{
  bool once = st->w.seed % 2 == 1;
  uint64_t step = st->steps > 0 ? st->steps : 23, n = 1 + st->w.seed % step, calls;
  unsigned spared = 0; /* lives that needed no more; in a row, as not all are alike */
  reg_hosts(st, 3, 1, true);
  reg_start(st, 0, 0);
  reg_start(st, 1, 0);
  (void)reg_converge(st, 5 * SECOND);
  do {
    ALIVE(st);
    calls = starved_life(st, 2, n, once);
    if (n % 4 == 0)
      ocf_sim_host_wipe(st->hosts[2]);
    ALIVE(st);
    CLAIM(st, reg_routes(st, 0, 1) && reg_converged(st), "the others have noticed");
    spared = calls < n ? spared + 1 : 0;
    n += step;
  } while (spared < 3 && n < 400); /* a wiped disk is filled again, by more each time */
  (void)snprintf(st->note, sizeof(st->note), "%llu allocations in the last life",
                 (unsigned long long)calls);
  st->hosts[2]->fail_at = 0;
  reg_start(st, 2, 0);
  (void)reg_converge(st, 30 * SECOND);
  ALIVE(st);
  reg_stop_all(st);
}
