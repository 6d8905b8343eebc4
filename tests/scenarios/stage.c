#include "stage.h"

#include <stdio.h>
#include <string.h>

#define STEP_NS (10 * OCF_NS_PER_MS)

void stage_hosts(struct stage *st, size_t n)
{
  char name[16];
  OCF_ASSERT(st->n_hosts + n <= STAGE_HOSTS_MAX);
  for (size_t i = 0; i < n; i++) {
    (void)snprintf(name, sizeof(name), "h%zu", st->n_hosts);
    st->hosts[st->n_hosts] = ocf_sim_host_new(&st->net, name);
    ocf_sim_proc_init(&st->people[st->n_hosts], &st->net, st->hosts[st->n_hosts]->machine);
    st->n_hosts++;
  }
}

void stage_service(struct stage *st, size_t i, const char *health)
{
  struct ocf_sim_service *s = OCF_NEW(&st->w.alloc, struct ocf_sim_service);
  OCF_ASSERT(s != NULL && st->services[i] == NULL);
  ocf_sim_service_init(s, &st->net, st->hosts[i]->machine, SERVICE_PORT, NULL);
  st->services[i] = s;
  if (st->hosts[i]->n_services == 0)
    ocf_sim_host_service(st->hosts[i], "svc", SERVICE_PORT, NULL, health);
}

void stage_start(struct stage *st, size_t i)
{
  int r = ocf_sim_host_start(st->hosts[i]);
  if (r != 0)
    ocf_sim_fail(&st->w, "%s does not start: %s", st->hosts[i]->name, ocf_errname(r));
}

void stage_pair(struct stage *st)
{
  stage_hosts(st, 2);
  stage_service(st, 1, "");
  stage_start(st, 0);
  stage_start(st, 1);
  if (st->w.failed)
    return;
  ocf_sim_host_knows(st->hosts[0], st->hosts[1], true);
  stage_sleep(st, 500 * OCF_NS_PER_MS);
  CLAIM(st, ocf_sim_host_sees(st->hosts[0], st->hosts[1]), "the head has not met the worker");
  CLAIM(st, ocf_sim_host_sees(st->hosts[1], st->hosts[0]), "the worker has not met the head");
}

struct ocf_sim_plan stage_plan(struct stage *st, size_t to, const char *path)
{
  struct ocf_sim_plan p = { .method = OCF_H1_GET };
  p.to = ocf_sim_host_http(st->hosts[0], true);
  (void)snprintf(p.target, sizeof(p.target), "/v1/p2p/%s/v1/_service/svc%s", st->hosts[to]->id_text,
                 path);
  return p;
}

struct ocf_sim_client *stage_client_at(struct stage *st, size_t at, const struct ocf_sim_plan *plan)
{
  struct ocf_alloc *a = &st->w.alloc;
  if (st->n_clients == st->cap_clients) {
    size_t cap = st->cap_clients > 0 ? 2 * st->cap_clients : 64;
    st->clients = ocf_alloc_resize(a, st->clients, st->cap_clients * sizeof(*st->clients),
                                   cap * sizeof(*st->clients));
    OCF_ASSERT(st->clients != NULL);
    st->cap_clients = cap;
  }
  struct ocf_sim_client *c = OCF_NEW(a, struct ocf_sim_client);
  OCF_ASSERT(c != NULL);
  st->clients[st->n_clients++] = c;
  ocf_sim_client_start(c, &st->people[at], plan);
  return c;
}

struct ocf_sim_client *stage_client(struct stage *st, const struct ocf_sim_plan *plan)
{
  return stage_client_at(st, 0, plan);
}

struct ocf_sim_client *stage_ask(struct stage *st, const struct ocf_sim_plan *plan, uint64_t ns)
{
  struct ocf_sim_client *c = stage_client(st, plan);
  stage_finish(st, ns);
  return c;
}

void stage_sleep(struct stage *st, uint64_t ns)
{
  (void)ocf_sim_run(&st->w, ns); /* a failure is in the world */
}

static bool all_done(void *ctx)
{
  struct stage *st = ctx;
  for (size_t i = st->n_clients; i > 0; i--) {
    if (!ocf_sim_client_done(st->clients[i - 1]))
      return false;
  }
  return true;
}

void stage_finish(struct stage *st, uint64_t ns)
{
  size_t open = 0;
  const struct ocf_sim_client *one = NULL;
  if (ocf_sim_run_until(&st->w, all_done, st, ns) || st->w.failed)
    return;
  for (size_t i = 0; i < st->n_clients; i++) {
    if (ocf_sim_client_done(st->clients[i]))
      continue;
    open++;
    one = one == NULL ? st->clients[i] : one;
  }
  ocf_sim_fail(&st->w, "%zu clients are not done after %.3f s; client %llu waits for %s", open,
               (double)ns / 1e9, one != NULL ? (unsigned long long)one->id : 0,
               one != NULL ? one->plan.target : "nothing");
}

void stage_forget_clients(struct stage *st)
{
  for (size_t i = 0; i < st->n_clients; i++) {
    ocf_sim_client_fini(st->clients[i]);
    OCF_DELETE(&st->w.alloc, st->clients[i]);
  }
  st->n_clients = 0;
}

void stage_settle(struct stage *st)
{
  stage_sleep(st, 200 * OCF_NS_PER_S);
  for (size_t i = 0; i < st->n_hosts && !st->w.failed; i++)
    ocf_sim_check_quiet(st->hosts[i]);
}

void stage_check_memory(struct stage *st, const struct ocf_sim_host *h, size_t base)
{
  for (int i = 0; i < 5 && !st->w.failed && h->alloc.live_bytes > base + base / 20; i++)
    stage_sleep(st, OCF_NS_PER_S);
  ocf_sim_check_memory(h, base);
}

void stage_expect(struct stage *st, const struct ocf_sim_client *c, enum ocf_sim_outcome o,
                  unsigned status)
{
  if (c->outcome != o || (status != 0 && c->status != status))
    ocf_sim_fail(&st->w, "client %llu, %s: %s with status %u, not %s with %u; \"%s\"",
                 (unsigned long long)c->id, c->plan.target, ocf_sim_outcome_name(c->outcome),
                 c->status, ocf_sim_outcome_name(o), status, c->text);
}

/* ---- one run ---- */

static void print_line(void *ctx, const char *host, const char *line, size_t n)
{
  struct stage *st = ctx;
  (void)fprintf(stderr, "%12.6f %-5s %.*s", (double)(st->w.now_ns - OCF_SIM_START_NS) / 1e9, host,
                (int)n, line);
}

static void stage_fini(struct stage *st)
{
  stage_forget_clients(st);
  ocf_alloc_put(&st->w.alloc, st->clients, st->cap_clients * sizeof(*st->clients));
  for (size_t i = 0; i < st->n_hosts; i++)
    ocf_sim_host_free(st->hosts[i]);
  for (size_t i = 0; i < STAGE_HOSTS_MAX; i++) {
    if (st->services[i] != NULL) {
      ocf_sim_service_fini(st->services[i]);
      OCF_DELETE(&st->w.alloc, st->services[i]);
    }
  }
  for (size_t i = 0; i < st->n_hosts; i++)
    ocf_sim_proc_fini(&st->people[i]);
  ocf_sim_net_fini(&st->net);
  ocf_sim_fini(&st->w);
}

void stage_run(const struct scenario *s, uint64_t seed, size_t nodes, size_t steps, bool verbose,
               struct result *out)
{
  static struct stage st; /* large; one run at a time */
  struct ocf_sim_net_config cfg;
  memset(&st, 0, sizeof(st));
  ocf_sim_init(&st.w, seed);
  ocf_sim_net_config_init(&cfg);
  if (s->tune != NULL)
    s->tune(&cfg, &st.w.rng);
  ocf_sim_net_init(&st.net, &st.w, &cfg);
  st.nodes = nodes;
  st.steps = steps;
  if (verbose) {
    st.w.log = print_line;
    st.w.log_ctx = &st;
  }
  s->run(&st);
  *out = (struct result){ .n_events = st.w.n_events, .virtual_ns = st.w.now_ns - OCF_SIM_START_NS };
  ocf_sim_hash(&st.w, out->hash);
  stage_fini(&st);
  out->failed = st.w.failed;
  memcpy(out->why, st.w.why, sizeof(out->why));
  memcpy(out->note, st.note, sizeof(out->note));
}
