/* Two nodes on a calm or a rough network: requests, streams, bodies, clients that leave. */
#include "basic.h"

#include <stdio.h>
#include <string.h>

#define SECOND OCF_NS_PER_S
#define MS OCF_NS_PER_MS

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
    struct ocf_sim_plan p = stage_plan(st, 1, cases[i].path);
    p.expect = cases[i].expect;
    p.want_n = cases[i].want_n;
    p.want_seed = cases[i].want_seed;
    p.n_requests = 3;
    struct ocf_sim_client *c = stage_ask(st, &p, 20 * SECOND);
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
    struct ocf_sim_plan p = stage_plan(st, 1, "/echo");
    p.method = OCF_H1_POST;
    p.body_n = sizes[i / 2];
    p.body_seed = i + 10;
    p.chunked = i % 2 == 1;
    p.expect = OCF_SIM_ECHO;
    struct ocf_sim_client *c = stage_ask(st, &p, 60 * SECOND);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* Events pass as they are made: none waits for the next one, whatever their distance. */
void scenario_sse(struct stage *st)
{
  static const uint64_t gaps_us[] = { 0, 500, 20000, 1000000, 30000000 };
  stage_pair(st);
  for (size_t i = 0; i < OCF_ARRAY_LEN(gaps_us); i++) {
    ALIVE(st);
    char path[64];
    (void)snprintf(path, sizeof(path), "/sse/30/%llu", (unsigned long long)gaps_us[i]);
    struct ocf_sim_plan p = stage_plan(st, 1, path);
    p.expect = OCF_SIM_EVENTS;
    p.want_n = 30;
    p.patience_ns = 2000 * SECOND;
    struct ocf_sim_client *c = stage_ask(st, &p, 2000 * SECOND);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
    uint64_t most =
        gaps_us[i] * OCF_NS_PER_US + 3 * st->net.cfg.jitter_ns + 20 * st->net.cfg.wake_ns + 10 * MS;
    CLAIM(st, c->gap_max_ns <= most, "%s: a gap of %.3f ms", path, (double)c->gap_max_ns / 1e6);
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* A client that goes away, in any way and at any time, ends the work at the service within 100 ms
 * and what the network adds. */
void scenario_leave(struct stage *st)
{
  stage_pair(st);
  for (unsigned i = 0; i < 12; i++) {
    static const char *const paths[] = { "/never", "/sse/100000/1000", "/bytes/2000000000/1" };
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 1, paths[i % 3]);
    struct ocf_sim_service *s = st->services[1];
    uint64_t left = s->n_left;
    p.leave_after_ns = ocf_sim_between(&st->w, 20 * MS, 2 * SECOND);
    p.leave_by_reset = i % 2 == 1;
    struct ocf_sim_client *c = stage_ask(st, &p, 20 * SECOND);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_LEFT, 0);
    stage_sleep(st, SECOND);
    CLAIM(st, s->n_left == left + 1, "%s: the service was not told", paths[i % 3]);
    CLAIM(st, s->left_at_ns - c->end_ns <= 100 * MS, "%s: the service was told %.3f ms later",
          paths[i % 3], (double)(s->left_at_ns - c->end_ns) / 1e6);
    CLAIM(st, s->n_active == 0, "the service still works");
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* The same in the middle of an upload that the service does not take: the head does not read from
 * the client then, and must hear of it all the same. */
void scenario_leave_upload(struct stage *st)
{
  stage_pair(st);
  for (unsigned i = 0; i < 6; i++) {
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 1, "/nap/7/25000");
    struct ocf_sim_service *s = st->services[1];
    uint64_t left = s->n_left;
    p.method = OCF_H1_POST;
    p.body_n = 20000000;
    p.body_seed = 7;
    p.chunked = i % 2 == 1;
    p.leave_after_ns = ocf_sim_between(&st->w, 500 * MS, 5 * SECOND);
    p.leave_by_reset = true;
    struct ocf_sim_client *c = stage_ask(st, &p, 20 * SECOND);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_LEFT, 0);
    stage_sleep(st, 100 * MS);
    CLAIM(st, ocf_relay_n_requests(ocf_node_relay(st->hosts[0]->node)) == 0,
          "the head goes on without its client");
    CLAIM(st, ocf_relay_n_requests(ocf_node_relay(st->hosts[1]->node)) == 0,
          "the worker goes on without its client");
    stage_sleep(st, 30 * SECOND); /* the service wakes up and sees it too */
    CLAIM(st, s->n_left == left + 1, "the service was not told");
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* Uploads: fast ones, slow ones, ones that the service is slow to take, and one that the service
 * does not read for almost half a minute (the limit is 30 s): the client is not to blame and must
 * not be cut. */
void scenario_upload(struct stage *st)
{
  static const struct {
    const char *path;
    uint64_t n, gap_ns;
    size_t piece;
  } cases[] = {
    { "/sum/7", 3000000, 0, 0 },
    { "/sum/7", 3000, 10 * MS, 10 },
    { "/slowread/7", 500000, 0, 0 },
    { "/nap/7/45000", 10, 0, 0 },
    { "/nap/7/25000", 2000000, 0, 0 },
    { "/nap/7/25000", 100000, 0, 0 },
    { "/nap/7/25000", 100000, 2 * MS, 100 },
  };
  stage_pair(st);
  for (size_t i = 0; i < 2 * OCF_ARRAY_LEN(cases); i++) {
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 1, cases[i / 2].path);
    p.method = OCF_H1_POST;
    p.body_n = cases[i / 2].n;
    p.body_seed = 7;
    p.chunked = i % 2 == 1;
    p.send_piece = cases[i / 2].piece;
    p.send_gap_ns = cases[i / 2].gap_ns;
    p.expect = OCF_SIM_TEXT;
    (void)snprintf(p.want_text, sizeof(p.want_text), "%llu ok", (unsigned long long)p.body_n);
    struct ocf_sim_client *c = stage_ask(st, &p, 300 * SECOND);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
  }
  stage_forget_clients(st);
  stage_settle(st);
}

/* 10,000 answers that come before the request was read, over connections that live on or end: none
 * is short, and on a calm network none fails. */
static void early(struct stage *st, bool calm)
{
  size_t each = st->steps > 0 ? st->steps / 20 : 500, ok = 0;
  stage_pair(st);
  ALIVE(st);
  for (unsigned i = 0; i < 20; i++) {
    struct ocf_sim_plan p = stage_plan(st, 1, i % 4 == 3 ? "/earlyclose/3000/5" : "/early/3000/5");
    p.method = OCF_H1_POST;
    p.body_n = 1 + 5000 * (uint64_t)i;
    p.chunked = i % 2 == 1;
    p.n_requests = (unsigned)each;
    p.expect = OCF_SIM_PATTERN;
    p.want_n = 3000;
    p.want_seed = 5;
    (void)stage_client(st, &p);
  }
  stage_finish(st, 10000 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < st->n_clients; i++) {
    stage_expect(st, st->clients[i], OCF_SIM_COMPLETE, 0);
    CLAIM(st, !calm || st->clients[i]->n_ok == each, "client %zu: %u of %zu answers", i,
          st->clients[i]->n_ok, each);
    ok += st->clients[i]->n_ok;
  }
  /* A body that takes more than 5 s to be read away costs its connection, by drain_timeout. */
  CLAIM(st, ok >= 20 * each * 9 / 10, "only %zu of %zu answers", ok, 20 * each);
  stage_forget_clients(st);
  stage_settle(st);
}

void scenario_early(struct stage *st)
{
  early(st, true);
}

void scenario_early_rough(struct stage *st)
{
  early(st, false);
}

/* An early answer to a long request, for a client that takes its time: nothing of it is lost. */
void scenario_early_slow(struct stage *st)
{
  stage_pair(st);
  ALIVE(st);
  for (unsigned i = 0; i < 40; i++) {
    struct ocf_sim_plan p =
        stage_plan(st, 1, i % 2 == 1 ? "/earlyclose/2000000/5" : "/early/2000000/5");
    p.method = OCF_H1_POST;
    p.body_n = i < 30 ? 1000000 : 150000;
    p.chunked = i % 4 >= 2;
    p.expect = OCF_SIM_PATTERN;
    p.want_n = 2000000;
    p.want_seed = 5;
    p.stall_after_bytes = 1000000 + 25000 * (uint64_t)i;
    p.stall_ns = 10 * SECOND;
    (void)stage_client(st, &p);
  }
  stage_finish(st, 100 * SECOND);
  ALIVE(st);
  for (size_t i = 0; i < st->n_clients; i++)
    stage_expect(st, st->clients[i], OCF_SIM_COMPLETE, 200);
  stage_forget_clients(st);
  stage_settle(st);
}

/* The service drops its idle connections just when the worker uses them again: no client notices.
 */
void scenario_stale(struct stage *st)
{
  stage_pair(st);
  ALIVE(st);
  st->services[1]->idle_close_ns = 50 * MS;
  for (unsigned i = 0; i < 200; i++) {
    ALIVE(st);
    struct ocf_sim_plan p = stage_plan(st, 1, i % 5 == 4 ? "/once/100/1" : "/bytes/100/1");
    if (i % 3 == 0) {
      p.method = OCF_H1_POST;
      p.body_n = 1000;
    }
    p.expect = OCF_SIM_PATTERN;
    p.want_n = 100;
    p.want_seed = 1;
    struct ocf_sim_client *c = stage_ask(st, &p, 20 * SECOND);
    ALIVE(st);
    stage_expect(st, c, OCF_SIM_COMPLETE, 200);
    stage_sleep(st, ocf_sim_between(&st->w, 49 * MS, 51 * MS) - 5 * MS +
                        ocf_sim_between(&st->w, 0, 5 * MS));
  }
  stage_forget_clients(st);
  stage_settle(st);
}
