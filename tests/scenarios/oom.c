/* Memory that runs out: a node fails single requests or connections, never as a whole, and leaves
 * the others alone. */
#include "basic.h"

#include <stdio.h>

#define SECOND OCF_NS_PER_S
#define MS OCF_NS_PER_MS

/* The work that is repeated with failing allocations. */
static void some_work(struct stage *st, size_t i)
{
  struct ocf_sim_plan p = stage_plan(st, 1, i % 2 == 0 ? "/bytes/20000/1" : "/sse/10/1000");
  p.expect = i % 2 == 0 ? OCF_SIM_PATTERN : OCF_SIM_EVENTS;
  p.want_n = i % 2 == 0 ? 20000 : 10;
  p.want_seed = 1;
  (void)stage_client(st, &p);
  p = stage_plan(st, 1, "/echo");
  p.method = OCF_H1_POST;
  p.body_n = 10000;
  p.body_seed = 2;
  p.expect = OCF_SIM_ECHO;
  (void)stage_client(st, &p);
}

static void check_outcomes(struct stage *st)
{
  stage_finish(st, 300 * SECOND);
  for (size_t i = 0; i < st->n_clients && !st->w.failed; i++) {
    if (st->clients[i]->outcome == OCF_SIM_TIMEOUT)
      ocf_sim_fail(&st->w, "a request hangs");
  }
  stage_forget_clients(st);
}

/* The other pair of nodes, which must not notice anything. */
static void others_are_well(struct stage *st)
{
  struct ocf_sim_plan p = stage_plan(st, 3, "/bytes/1000/1");
  struct ocf_sim_client *c = stage_client_at(st, 2, &p);
  stage_finish(st, 30 * SECOND);
  if (!st->w.failed)
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
  stage_forget_clients(st);
}

/* The n-th allocation of one node fails, and either that one alone or all later ones too; for every
 * n until the work needs no more. The node starts, meets its peer, works and ends under that. */
void scenario_oom(struct stage *st)
{
  size_t which = st->w.seed % 2;       /* the head or the worker */
  bool once = st->w.seed / 2 % 2 == 0; /* one failure, or memory is gone for good */
  uint64_t limit = st->steps > 0 ? st->steps : 2000;
  stage_hosts(st, 4);
  stage_service(st, 1, "");
  stage_service(st, 3, "");
  stage_start(st, 1 - which);
  stage_start(st, 2);
  stage_start(st, 3);
  ALIVE(st);
  ocf_sim_host_knows(st->hosts[2], st->hosts[3], true);
  struct ocf_sim_host *h = st->hosts[which];
  for (uint64_t n = 1; n <= limit; n++) {
    ALIVE(st);
    h->fail_at = n;
    h->fail_once = once;
    int r = ocf_sim_host_start(h);
    CLAIM(st, r == 0 || r == OCF_ENOMEM, "start: %s", ocf_errname(r));
    if (r == 0) {
      /* The fresh node dials: the other one may be in back-off from its last life. */
      ocf_sim_host_knows(h, st->hosts[1 - which], true);
      stage_sleep(st, SECOND);
      for (size_t i = 0; i < 2; i++)
        some_work(st, i);
      check_outcomes(st);
    }
    uint64_t calls = h->alloc.n_calls; /* of this run */
    others_are_well(st);
    ocf_sim_host_stop(h); /* checks for leaks */
    stage_sleep(st, 10 * SECOND);
    if (calls < n)
      break;
    CLAIM(st, n < limit, "the work still allocates at %llu", (unsigned long long)calls);
  }
  h->fail_at = 0;
  ALIVE(st);
  stage_start(st, which);
  ALIVE(st);
  ocf_sim_host_knows(h, st->hosts[1 - which], true);
  stage_sleep(st, SECOND);
  struct ocf_sim_plan p = stage_plan(st, 1, "/bytes/10/1");
  struct ocf_sim_client *c = stage_ask(st, &p, 20 * SECOND);
  ALIVE(st);
  stage_expect(st, c, OCF_SIM_COMPLETE, 200);
  stage_forget_clients(st);
  stage_settle(st);
}

/* A limit that is far too small for the crowd that comes: some are served, the others are told, and
 * afterwards all is as before. */
void scenario_tight(struct stage *st)
{
  stage_hosts(st, 2);
  stage_service(st, 1, "");
  for (size_t i = 0; i < 2; i++)
    st->hosts[i]->mem_limit = 12 << 20;
  stage_start(st, 0);
  stage_start(st, 1);
  ALIVE(st);
  ocf_sim_host_knows(st->hosts[0], st->hosts[1], true);
  stage_sleep(st, SECOND);
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < 300; i++) {
      struct ocf_sim_plan p = stage_plan(st, 1, "/bytes/300000/4");
      p.expect = OCF_SIM_PATTERN;
      p.want_n = 300000;
      p.want_seed = 4;
      p.stall_after_bytes = 1;
      p.stall_ns = 10 * SECOND;
      (void)stage_client(st, &p);
    }
    check_outcomes(st);
    stage_sleep(st, 200 * SECOND);
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 1, "/bytes/10/1");
    struct ocf_sim_client *c = stage_ask(st, &p, 20 * SECOND);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
    stage_forget_clients(st);
  }
  stage_settle(st);
}
