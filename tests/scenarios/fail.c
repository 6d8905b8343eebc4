/* Things that break in the middle: the client sees a failure, and never an answer that only looks
 * complete. */
#include "basic.h"

#include <stdio.h>

#define SECOND OCF_NS_PER_S
#define MS OCF_NS_PER_MS

/* A service that dies at any point of an answer. */
void scenario_service_dies(struct stage *st)
{
  static const struct {
    const char *path;
    enum ocf_sim_outcome outcome;
    unsigned status;
    bool error_event;
  } cases[] = {
    { "/diehead/0", OCF_SIM_COMPLETE, 502, false },
    { "/diehead/1", OCF_SIM_COMPLETE, 502, false },
    { "/diebody/1000/0", OCF_SIM_CUT, 200, false },
    { "/diebody/1000/1", OCF_SIM_CUT, 200, false },
    { "/diebody/100000/0", OCF_SIM_CUT, 200, false },
    { "/diesse/10/0", OCF_SIM_CUT, 200, true },
    { "/diesse/10/1", OCF_SIM_CUT, 200, true },
    { "/diesse/0/0", OCF_SIM_CUT, 200, true },
  };
  stage_pair(st);
  for (size_t i = 0; i < 2 * OCF_ARRAY_LEN(cases); i++) {
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 1, cases[i / 2].path);
    p.expect = cases[i / 2].error_event ? OCF_SIM_EVENTS : OCF_SIM_ANY;
    if (i % 2 == 1) {
      p.method = OCF_H1_POST;
      p.body_n = 20000;
    }
    struct ocf_sim_client *c = stage_ask(st, &p, 30 * SECOND);
    ALIVE(st);
    stage_expect(st, c, cases[i / 2].outcome, cases[i / 2].status);
    CLAIM(st, c->error_event == cases[i / 2].error_event, "%s: error event: %d", cases[i / 2].path,
          c->error_event);
    stage_sleep(st, 15 * SECOND); /* the retry budget fills again */
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* The worker is killed, loses power, or the path to it breaks, in the middle of streams. */
void scenario_worker_dies(struct stage *st)
{
  for (unsigned how = 0; how < 4; how++) {
    ALIVE(st);
    if (how == 0)
      stage_pair(st);
    ALIVE(st);
    struct ocf_sim_client *c[6];
    unsigned n = how == 3 ? 5 : 6; /* after a reset the request without an answer is repeated */
    for (unsigned i = 0; i < n; i++) {
      struct ocf_sim_plan p = stage_plan(st, 1,
                                         i < 3   ? "/sse/1000000/20000"
                                         : i < 5 ? "/bytes/2000000000/1"
                                                 : "/never");
      p.expect = i < 3 ? OCF_SIM_EVENTS : OCF_SIM_ANY;
      c[i] = stage_client(st, &p);
    }
    stage_sleep(st, ocf_sim_between(&st->w, 100 * MS, SECOND));
    ALIVE(st);
    struct ocf_sim_machine *head = st->hosts[0]->machine, *worker = st->hosts[1]->machine;
    switch (how) {
    case 0: ocf_sim_host_crash(st->hosts[1], false); break;
    case 1: ocf_sim_host_crash(st->hosts[1], true); break;
    case 2: ocf_sim_partition(&st->net, &head, 1, &worker, 1, true); break;
    case 3: (void)ocf_sim_reset_between(&st->net, head, worker); break;
    default: break;
    }
    stage_finish(st, 120 * SECOND);
    ALIVE(st);
    for (unsigned i = 0; i < n; i++) {
      stage_expect(st, c[i], i < 5 ? OCF_SIM_CUT : OCF_SIM_COMPLETE, i < 5 ? 200 : 0);
      CLAIM(st, i >= 3 || c[i]->error_event, "way %u: no error event", how);
      CLAIM(st, i < 5 || c[i]->status >= 500, "way %u: status %u", how, c[i]->status);
    }
    stage_forget_clients(st);
    if (how == 1)
      ocf_sim_machine_power(&st->net, worker, true);
    if (how == 2)
      ocf_sim_partition(&st->net, &head, 1, &worker, 1, false);
    if (how < 2)
      stage_start(st, 1);
    stage_sleep(st, 200 * SECOND); /* the static peer is dialled again in this time */
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 1, "/bytes/1000/1");
    struct ocf_sim_client *again = stage_ask(st, &p, 30 * SECOND);
    ALIVE(st);
    stage_expect(st, again, OCF_SIM_COMPLETE, 200);
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* The service's process is killed under running answers. */
void scenario_service_killed(struct stage *st)
{
  struct ocf_sim_client *c[4];
  stage_pair(st);
  ALIVE(st);
  for (unsigned i = 0; i < 4; i++) {
    struct ocf_sim_plan p = stage_plan(st, 1,
                                       i < 2    ? "/sse/1000000/5000"
                                       : i == 2 ? "/chunks/2000000000/1"
                                                : "/never");
    p.expect = i < 2 ? OCF_SIM_EVENTS : OCF_SIM_ANY;
    c[i] = stage_client(st, &p);
  }
  stage_sleep(st, ocf_sim_between(&st->w, 100 * MS, SECOND));
  ALIVE(st);
  ocf_sim_service_kill(st->services[1]);
  stage_finish(st, SECOND);
  ALIVE(st);
  for (unsigned i = 0; i < 4; i++)
    stage_expect(st, c[i], i < 3 ? OCF_SIM_CUT : OCF_SIM_COMPLETE, i < 3 ? 200 : 502);
  CLAIM(st, c[0]->error_event && c[1]->error_event, "no error event");
  struct ocf_sim_plan p = stage_plan(st, 1, "/bytes/10/1");
  struct ocf_sim_client *late = stage_ask(st, &p, 10 * SECOND);
  ALIVE(st);
  stage_expect(st, late, OCF_SIM_COMPLETE, 502);
  stage_forget_clients(st);
  stage_settle(st);
}

/* Silence of the service is ended by the time-outs: 60 s between chunks, which comments do not
 * extend, and 600 s before an answer. */
void scenario_silent(struct stage *st)
{
  struct ocf_sim_plan p;
  struct ocf_sim_client *c[3];
  stage_pair(st);
  ALIVE(st);
  p = stage_plan(st, 1, "/silent/5");
  p.expect = OCF_SIM_EVENTS;
  c[0] = stage_client(st, &p);
  p = stage_plan(st, 1, "/comments/5");
  p.expect = OCF_SIM_EVENTS;
  c[1] = stage_client(st, &p);
  p = stage_plan(st, 1, "/never");
  c[2] = stage_client(st, &p);
  uint64_t begin = st->w.now_ns;
  stage_finish(st, 700 * SECOND);
  ALIVE(st);
  for (unsigned i = 0; i < 2; i++) {
    uint64_t took = c[i]->end_ns - begin;
    stage_expect(st, c[i], OCF_SIM_CUT, 200);
    CLAIM(st, c[i]->error_event && c[i]->n_events == 5, "no error event");
    CLAIM(st, took > 59 * SECOND && took < 65 * SECOND, "cut after %.3f s", (double)took / 1e9);
  }
  stage_expect(st, c[2], OCF_SIM_COMPLETE, 504);
  stage_sleep(st, 100 * MS);
  CLAIM(st, st->services[1]->n_active == 0, "the service still works");
  stage_forget_clients(st);
  stage_settle(st);
}
