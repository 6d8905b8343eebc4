#include "route/policy/policy_int.h"

static size_t pick(struct ocf_policy *p, const struct ocf_policy_choice *c, const uint32_t *rows,
                   size_t n)
{
  (void)c;
  (void)rows;
  return (size_t)ocf_rng_below(p->rng, n);
}

const struct ocf_policy_ops ocf_policy_random = { "random", pick };
