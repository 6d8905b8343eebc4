/* What the scenarios share: a world with hosts, services and clients, and ways to say what must
 * hold. */
#ifndef OCF_TESTS_SCENARIOS_STAGE_H
#define OCF_TESTS_SCENARIOS_STAGE_H

#include "sim/check.h"
#include "sim/client.h"
#include "sim/host.h"
#include "sim/net.h"
#include "sim/service.h"
#include "sim/world.h"

enum { STAGE_HOSTS_MAX = 256, SERVICE_PORT = 8000 };

struct stage {
  struct ocf_sim w;
  struct ocf_sim_net net;
  struct ocf_sim_host *hosts[STAGE_HOSTS_MAX];
  struct ocf_sim_service *services[STAGE_HOSTS_MAX]; /* of the host with the same index, or NULL */
  size_t n_hosts;
  struct ocf_sim_proc people[STAGE_HOSTS_MAX]; /* the clients' process beside each host */
  struct ocf_sim_client **clients;             /* owned here */
  size_t n_clients, cap_clients;
  char note[160];      /* what the scenario measured, for people */
  size_t nodes, steps; /* what the runner asked for; 0: the scenario's own choice */
};

typedef void (*scenario_fn)(struct stage *st);

struct scenario {
  const char *name;
  scenario_fn run;
  void (*tune)(struct ocf_sim_net_config *cfg, struct ocf_rng *rng); /* may be NULL */
  const char *claim;
  unsigned n_seeds; /* how many ctest runs */
};
extern const struct scenario scenarios[];
extern const size_t n_scenarios;

struct result {
  bool failed;
  char why[512], note[160];
  uint8_t hash[OCF_SHA256_LEN];
  uint64_t n_events, virtual_ns;
};

/* Runs one scenario in a world of its own. */
void stage_run(const struct scenario *s, uint64_t seed, size_t nodes, size_t steps, bool verbose,
               struct result *out);

/* Fails the world unless `cond`, and leaves the scenario. */
#define CLAIM(st, cond, ...)                                                                       \
  do {                                                                                             \
    if (!(cond)) {                                                                                 \
      ocf_sim_fail(&(st)->w, __VA_ARGS__);                                                         \
      return;                                                                                      \
    }                                                                                              \
  } while (0)
#define ALIVE(st)                                                                                  \
  do {                                                                                             \
    if ((st)->w.failed)                                                                            \
      return;                                                                                      \
  } while (0)

/* ---- setting up ---- */

/* `n` hosts "h0", "h1", …; none runs. */
void stage_hosts(struct stage *st, size_t n);
/* A scripted service "svc" beside host `i`, which knows it from its next start on. */
void stage_service(struct stage *st, size_t i, const char *health);
/* Starts host `i` and lets it listen. */
void stage_start(struct stage *st, size_t i);
/* head (host 0) and worker (host 1 with service), connected; the common beginning. */
void stage_pair(struct stage *st);
/* The plan of a GET to the service of host `to` through a head on the client's own machine. */
struct ocf_sim_plan stage_plan(struct stage *st, size_t to, const char *path);
/* Starts a client beside host `at`. */
struct ocf_sim_client *stage_client_at(struct stage *st, size_t at,
                                       const struct ocf_sim_plan *plan);
/* The same beside host 0. */
struct ocf_sim_client *stage_client(struct stage *st, const struct ocf_sim_plan *plan);
/* One client beside host 0 from beginning to end, within `ns`. */
struct ocf_sim_client *stage_ask(struct stage *st, const struct ocf_sim_plan *plan, uint64_t ns);

/* ---- running ---- */

void stage_sleep(struct stage *st, uint64_t ns);
/* Until every client is done; claims that it happens within `ns`. */
void stage_finish(struct stage *st, uint64_t ns);
/* Frees the clients that are done. */
void stage_forget_clients(struct stage *st);
/* ocf_sim_check_memory(), a few seconds later when that is what it takes: a ping may just have been
 * there, whose buffers go back when nobody has needed them for a second. */
void stage_check_memory(struct stage *st, const struct ocf_sim_host *h, size_t base);
/* Long enough for every pool to empty, then ocf_sim_check_quiet() on all hosts. */
void stage_settle(struct stage *st);
/* Claims the outcome of a finished client. */
void stage_expect(struct stage *st, const struct ocf_sim_client *c, enum ocf_sim_outcome o,
                  unsigned status);

#endif
