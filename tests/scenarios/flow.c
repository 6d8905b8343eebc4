/* Back-pressure and memory: what a client does not read stays with the service. */
#include "basic.h"

#include <stdio.h>

#define SECOND OCF_NS_PER_S
#define MS OCF_NS_PER_MS

enum { STREAM_BYTES = 256 * 1024 };

void tune_small_buffers(struct ocf_sim_net_config *cfg, struct ocf_rng *rng)
{
  cfg->local_buf_max = 8 * 1024 + (size_t)ocf_rng_below(rng, 8 * 1024);
  cfg->short_permille = 100;
}

/* One client reads a little of a large answer and stops: the service is held back, both nodes hold
 * 256 KiB at most, and when the client reads on it gets everything. */
void scenario_slow_reader(struct stage *st)
{
  size_t base[2];
  stage_pair(st);
  ALIVE(st);
  for (unsigned i = 0; i < 2; i++)
    base[i] = st->hosts[i]->alloc.live_bytes;
  struct ocf_sim_plan p = stage_plan(st, 1, "/bytes/20000000/3");
  p.expect = OCF_SIM_PATTERN;
  p.want_n = 20000000;
  p.want_seed = 3;
  p.stall_after_bytes = 100000;
  p.stall_ns = 25 * SECOND;
  struct ocf_sim_client *c = stage_client(st, &p);
  stage_sleep(st, 20 * SECOND);
  ALIVE(st);
  CLAIM(st, st->services[1]->bytes_out < 5000000, "the service was let go on: %llu bytes",
        (unsigned long long)st->services[1]->bytes_out);
  for (unsigned i = 0; i < 2; i++)
    CLAIM(st, ocf_sim_within(st->hosts[i], base[i], 1, STREAM_BYTES), "%s holds %zu bytes more",
          st->hosts[i]->name, st->hosts[i]->alloc.live_bytes - base[i]);
  stage_finish(st, 60 * SECOND);
  ALIVE(st);
  stage_expect(st, c, OCF_SIM_COMPLETE, 200);
  stage_forget_clients(st);
  stage_settle(st);
}

/* A client that stops reading for good is given up after the write stall limit, and the service is
 * told. */
void scenario_stalled_reader(struct stage *st)
{
  stage_pair(st);
  ALIVE(st);
  for (unsigned i = 0; i < 4; i++) {
    struct ocf_sim_plan p =
        stage_plan(st, 1, i % 2 == 0 ? "/bytes/20000000/3" : "/sse/10000000/10");
    p.expect = i % 2 == 0 ? OCF_SIM_PATTERN : OCF_SIM_EVENTS;
    p.want_n = 20000000;
    p.want_seed = 3;
    p.stall_after_bytes = 1000;
    p.stall_ns = OCF_TIME_NEVER;
    (void)stage_client(st, &p);
  }
  stage_sleep(st, 60 * SECOND);
  ALIVE(st);
  CLAIM(st, st->services[1]->n_active == 0, "the service still works for %zu",
        st->services[1]->n_active);
  CLAIM(st, ocf_relay_n_requests(ocf_node_relay(st->hosts[0]->node)) == 0, "the head holds on");
  stage_forget_clients(st);
  stage_settle(st);
}

/* `n` clients that stop reading at once; every tenth reads on after 20 s, the others leave. */
static void crowd(struct stage *st, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    struct ocf_sim_plan p = stage_plan(st, 1, "/bytes/1500000/4");
    p.expect = OCF_SIM_PATTERN;
    p.want_n = 1500000;
    p.want_seed = 4;
    p.stall_after_bytes = 1;
    p.stall_ns = 25 * SECOND;
    p.leave_after_ns = i % 10 != 0 ? 24 * SECOND : 0;
    (void)stage_client(st, &p);
  }
}

static void crowd_is_done(struct stage *st)
{
  stage_finish(st, 100 * SECOND);
  for (size_t i = 0; i < st->n_clients && !st->w.failed; i++) {
    bool left = st->clients[i]->plan.leave_after_ns > 0;
    stage_expect(st, st->clients[i], left ? OCF_SIM_LEFT : OCF_SIM_COMPLETE, 200);
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* 1,000 clients that do not read share one connection between the nodes: each costs at most 256 KiB
 * on each node, others are served meanwhile, and all memory comes back. */
void scenario_crowd(struct stage *st)
{
  size_t n = st->steps > 0 ? st->steps : 1000, base[2];
  stage_pair(st);
  crowd(st, OCF_MIN(n, 100)); /* fills the pools */
  crowd_is_done(st);
  ALIVE(st);
  for (unsigned i = 0; i < 2; i++)
    base[i] = st->hosts[i]->alloc.live_bytes;
  crowd(st, n);
  stage_sleep(st, 20 * SECOND);
  ALIVE(st);
  CLAIM(st, st->services[1]->n_active == n, "%zu requests reached the service",
        st->services[1]->n_active);
  for (unsigned i = 0; i < 2; i++)
    CLAIM(st, ocf_sim_within(st->hosts[i], base[i], n, STREAM_BYTES), "%s holds %zu bytes more",
          st->hosts[i]->name, st->hosts[i]->alloc.live_bytes - base[i]);
  struct ocf_sim_plan p = stage_plan(st, 1, "/bytes/10/1");
  struct ocf_sim_client *quick = stage_client(st, &p);
  stage_sleep(st, SECOND);
  CLAIM(st, ocf_sim_client_done(quick), "the stalled ones hold up the others");
  stage_expect(st, quick, OCF_SIM_COMPLETE, 200);
  crowd_is_done(st);
  for (unsigned i = 0; i < 2 && !st->w.failed; i++)
    stage_check_memory(st, st->hosts[i], base[i]);
}
