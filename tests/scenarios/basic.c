/* Two nodes on a calm or a rough network: requests, streams, clients that leave, services that
 * fail.
 */
#include "basic.h"

#include <stdio.h>
#include <string.h>

/* Every kind of answer crosses head and worker complete and unchanged, and says who computed it. */
void scenario_pair(struct stage *st)
{
  static const struct {
    const char *path;
    enum ocf_sim_expect expect;
    uint64_t want_n, want_seed;
  } cases[] = {
    { "/bytes/11/1", OCF_SIM_PATTERN, 11, 1 },
    { "/bytes/0/1", OCF_SIM_PATTERN, 0, 1 },
    { "/bytes/300000/2", OCF_SIM_PATTERN, 300000, 2 },
    { "/chunks/70000/3", OCF_SIM_PATTERN, 70000, 3 },
    { "/tillclose/50000/4", OCF_SIM_PATTERN, 50000, 4 },
    { "/sse/20/1000", OCF_SIM_EVENTS, 20, 0 },
  };
  stage_pair(st);
  for (size_t i = 0; i < OCF_ARRAY_LEN(cases); i++) {
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 0, 1, cases[i].path);
    p.expect = cases[i].expect;
    p.want_n = cases[i].want_n;
    p.want_seed = cases[i].want_seed;
    p.n_requests = 3;
    struct ocf_sim_client *c = stage_client(st, &p);
    stage_finish(st, 20 * OCF_NS_PER_S);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
    CLAIM(st, c->n_ok == 3, "%s: %u of 3 answers", cases[i].path, c->n_ok);
    CLAIM(st, strcmp(c->node, st->hosts[1]->id_text) == 0, "computed by \"%s\"", c->node);
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* Bodies of both framings and many sizes come back as they went. */
void scenario_echo(struct stage *st)
{
  static const uint64_t sizes[] = { 1, 100, 8191, 8192, 65536, 65537, 400000 };
  stage_pair(st);
  for (size_t i = 0; i < 2 * OCF_ARRAY_LEN(sizes); i++) {
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 0, 1, "/echo");
    p.method = OCF_H1_POST;
    p.body_n = sizes[i / 2];
    p.body_seed = i + 10;
    p.chunked = i % 2 == 1;
    p.expect = OCF_SIM_ECHO;
    struct ocf_sim_client *c = stage_client(st, &p);
    stage_finish(st, 60 * OCF_NS_PER_S);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
  }
  stage_forget_clients(st);
  stage_settle(st);
}
