#include "basic.h"

static void rough(struct ocf_sim_net_config *cfg, struct ocf_rng *rng)
{
  cfg->short_permille = 800;
  cfg->late_permille = 5;
  cfg->sndbuf_min = 512;
  cfg->sndbuf_max = 65536;
  cfg->rcvbuf_min = 1024;
  cfg->rcvbuf_max = 65536;
  cfg->segment_max = (size_t)(1 + ocf_rng_below(rng, 16384));
  cfg->jitter_ns = ocf_rng_below(rng, 2 * OCF_NS_PER_MS);
  cfg->wake_ns = ocf_rng_below(rng, OCF_NS_PER_MS);
}

const struct scenario scenarios[] = {
  { "pair", scenario_pair, NULL, "every kind of answer crosses two nodes", 3 },
  { "pair-rough", scenario_pair, rough, "the same on a rough network", 3 },
  { "echo", scenario_echo, NULL, "bodies come back as they went", 2 },
  { "echo-rough", scenario_echo, rough, "the same on a rough network", 3 },
};
const size_t n_scenarios = OCF_ARRAY_LEN(scenarios);
