#include "reg.h"

#include <stdio.h>
#include <string.h>

#include "base/str/str.h"

#define POLL_NS (20 * OCF_NS_PER_MS)

static void default_group(size_t i, char out[64])
{
  (void)snprintf(out, 64, "model=m%zu", i);
}

void reg_hosts(struct stage *st, size_t n, size_t heads, bool disk)
{
  char group[64];
  size_t from = st->n_hosts;
  stage_hosts(st, n);
  for (size_t i = from; i < from + n; i++) {
    bool head = i - from < heads;
    ocf_sim_host_mesh(st->hosts[i], head ? "head" : "worker", disk);
    if (head)
      continue;
    stage_service(st, i, "");
    default_group(i, group);
    ocf_sim_host_group(st->hosts[i], group);
  }
}

void reg_start(struct stage *st, size_t i, size_t boot)
{
  stage_start(st, i);
  if (!st->w.failed && boot != i)
    ocf_sim_host_knows(st->hosts[i], st->hosts[boot], true);
}

void reg_start_all(struct stage *st)
{
  for (size_t i = 0; i < st->n_hosts; i++) {
    ALIVE(st);
    reg_start(st, i, 0);
  }
}

void reg_offer(struct stage *st, size_t i, const char *group)
{
  struct ocf_sim_host *h = st->hosts[i];
  ocf_sim_host_group(h, group);
  struct ocf_bytes g = ocf_str(group);
  struct ocf_node_service s = { .relay = h->services[0].cfg, .groups = &g, .n_groups = 1 };
  if (h->node == NULL)
    return;
  if (ocf_node_add_service(h->node, &s) != 0)
    ocf_sim_fail(&st->w, "%s cannot offer %s", h->name, group);
  ocf_sim_proc_touch(&h->proc);
}

struct ocf_mesh_stats reg_stats(const struct stage *st, size_t at)
{
  struct ocf_mesh_stats s;
  ocf_mesh_stats(ocf_node_mesh(st->hosts[at]->node), &s);
  return s;
}

const struct ocf_table_row *reg_row(const struct stage *st, size_t at, size_t of)
{
  struct ocf_table *t = ocf_mesh_table(ocf_node_mesh(st->hosts[at]->node));
  const struct ocf_table_row *row = ocf_table_find(t, &st->hosts[of]->id);
  if (row == NULL || row->claims.c == NULL || ocf_table_is_hidden(t, row, st->w.now_ns))
    return NULL;
  return row;
}

bool reg_routes(const struct stage *st, size_t at, size_t of)
{
  struct ocf_table *t = ocf_mesh_table(ocf_node_mesh(st->hosts[at]->node));
  const struct ocf_table_row *row = reg_row(st, at, of);
  return row != NULL && ocf_table_is_routable(t, row, st->w.now_ns, NULL);
}

/* The group stands in the record's text, which nobody else writes. */
static bool says(const struct ocf_claims *c, const char *group)
{
  char quoted[70];
  int n = snprintf(quoted, sizeof(quoted), "\"%s\"", group);
  for (size_t i = 0; i + (size_t)n <= c->value.n; i++) {
    if (memcmp(c->value.p + i, quoted, (size_t)n) == 0)
      return true;
  }
  return false;
}

bool reg_shows(const struct stage *st, size_t at, size_t of, const char *group, bool routable)
{
  const struct ocf_table_row *row = reg_row(st, at, of);
  if (row == NULL || (group[0] != '\0' && !says(row->claims.c, group)))
    return false;
  return !routable || reg_routes(st, at, of);
}

bool reg_wait(struct stage *st, bool (*done)(struct stage *st), uint64_t ns)
{
  uint64_t until = st->w.now_ns + ns;
  while (!st->w.failed && !done(st)) {
    if (st->w.now_ns >= until)
      return false;
    stage_sleep(st, POLL_NS);
  }
  return !st->w.failed;
}

/* The first pair that is not as it should be. */
static bool lacking(struct stage *st, size_t *at, size_t *of)
{
  for (size_t i = 0; i < st->n_hosts; i++) {
    for (size_t k = 0; k < st->n_hosts; k++) {
      const struct ocf_sim_host *h = st->hosts[k];
      *at = i;
      *of = k;
      if (i == k || st->hosts[i]->node == NULL || h->node == NULL)
        continue;
      if (!reg_shows(st, i, k, h->n_services > 0 ? h->services[0].group : "", false))
        return true;
    }
  }
  return false;
}

bool reg_converged(struct stage *st)
{
  size_t at, of;
  return !lacking(st, &at, &of);
}

uint64_t reg_converge(struct stage *st, uint64_t ns)
{
  uint64_t begin = st->w.now_ns;
  size_t at, of;
  if (!reg_wait(st, reg_converged, ns) && !st->w.failed) {
    (void)lacking(st, &at, &of);
    const struct ocf_table_row *row = reg_row(st, at, of);
    ocf_sim_fail(&st->w, "after %.3f s h%zu does not show what h%zu offers: %.*s", (double)ns / 1e9,
                 at, of, row == NULL ? 0 : (int)row->claims.c->value.n,
                 row == NULL ? "" : (const char *)row->claims.c->value.p);
  }
  return st->w.now_ns - begin;
}

uint64_t reg_wire_bytes(const struct stage *st)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < st->n_hosts; i++) {
    struct ocf_swarm_stats s;
    if (st->hosts[i]->node == NULL)
      continue;
    ocf_swarm_stats(ocf_node_swarm(st->hosts[i]->node), &s);
    sum += s.tx_bytes;
  }
  return sum;
}

void reg_stop_all(struct stage *st)
{
  for (size_t i = 0; i < st->n_hosts; i++)
    ocf_sim_host_stop(st->hosts[i]);
}

struct ocf_sim_plan reg_plan(struct stage *st, size_t at, const char *path)
{
  struct ocf_sim_plan p = { .method = OCF_H1_GET };
  p.to = ocf_sim_host_http(st->hosts[at], true);
  (void)snprintf(p.target, sizeof(p.target), "/v1/service/svc%s", path);
  return p;
}
