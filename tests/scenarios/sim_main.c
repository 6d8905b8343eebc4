/* The runner for many seeds:  ocf-sim [--scenario NAME] [--seed N] [--seeds N] [--nodes N]
 * [--steps N] [--verbose] [--twice] [--list]. Without a scenario it runs all of them. Exit 0 when
 * every run held, 1 when one failed, 2 on a wrong use. */
#include "stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *now_scenario = "none";
static uint64_t now_seed;

/* An assertion of ours failed: the seed goes out before the process does. */
static void on_abort(int signum)
{
  (void)signum;
  (void)fprintf(stderr, "aborted; replay with: ocf-sim --scenario %s --seed %llu\n", now_scenario,
                (unsigned long long)now_seed);
}

struct options {
  const char *scenario;
  uint64_t seed, n_seeds;
  size_t nodes, steps;
  bool verbose, twice;
};

static void hex(const uint8_t *p, char out[17])
{
  for (size_t i = 0; i < 8; i++)
    (void)snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static bool run_one(const struct scenario *s, uint64_t seed, const struct options *o)
{
  struct result r, again;
  char text[17];
  now_scenario = s->name;
  now_seed = seed;
  stage_run(s, seed, o->nodes, o->steps, o->verbose, &r);
  hex(r.hash, text);
  if (!r.failed && o->twice) {
    stage_run(s, seed, o->nodes, o->steps, false, &again);
    if (memcmp(r.hash, again.hash, sizeof(r.hash)) != 0) {
      r.failed = true;
      (void)snprintf(r.why, sizeof(r.why), "a second run took another course");
    }
  }
  (void)printf("%s %-16s seed %-6llu %10llu events %10.3f s  trace %s%s%s\n",
               r.failed ? "FAIL" : "ok  ", s->name, (unsigned long long)seed,
               (unsigned long long)r.n_events, (double)r.virtual_ns / 1e9, text,
               r.failed ? "  " : "", r.failed ? r.why : "");
  if (r.note[0] != '\0')
    (void)printf("     %s\n", r.note);
  if (r.failed)
    (void)printf("     replay with: ocf-sim --scenario %s --seed %llu --verbose\n", s->name,
                 (unsigned long long)seed);
  (void)fflush(stdout);
  return !r.failed;
}

static int usage(const char *bad)
{
  (void)fprintf(stderr, "ocf-sim: \"%s\" is not understood\n", bad);
  return 2;
}

static int list(void)
{
  for (size_t i = 0; i < n_scenarios; i++)
    (void)printf("%-18s %s\n", scenarios[i].name, scenarios[i].claim);
  return 0;
}

int main(int argc, char **argv)
{
  struct options o = { .seed = 1, .n_seeds = 1 };
  size_t n_run = 0, n_failed = 0;
  for (int i = 1; i < argc; i++) {
    const char *next = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(argv[i], "--list") == 0)
      return list();
    if (strcmp(argv[i], "--verbose") == 0) {
      o.verbose = true;
      continue;
    }
    if (strcmp(argv[i], "--twice") == 0) {
      o.twice = true;
      continue;
    }
    if (next == NULL)
      return usage(argv[i]);
    if (strcmp(argv[i], "--scenario") == 0)
      o.scenario = next;
    else if (strcmp(argv[i], "--seed") == 0)
      o.seed = strtoull(next, NULL, 10);
    else if (strcmp(argv[i], "--seeds") == 0)
      o.n_seeds = strtoull(next, NULL, 10);
    else if (strcmp(argv[i], "--nodes") == 0)
      o.nodes = strtoul(next, NULL, 10);
    else if (strcmp(argv[i], "--steps") == 0)
      o.steps = strtoul(next, NULL, 10);
    else
      return usage(argv[i]);
    i++;
  }
  (void)signal(SIGABRT, on_abort);
  for (size_t i = 0; i < n_scenarios; i++) {
    if (o.scenario != NULL && strcmp(o.scenario, scenarios[i].name) != 0)
      continue;
    for (uint64_t k = 0; k < o.n_seeds; k++) {
      n_run++;
      n_failed += run_one(&scenarios[i], o.seed + k, &o) ? 0 : 1;
    }
  }
  if (n_run == 0)
    return usage(o.scenario);
  if (n_run > 1)
    (void)printf("%zu runs, %zu failed\n", n_run, n_failed);
  return n_failed == 0 ? 0 : 1;
}
