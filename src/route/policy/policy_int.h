/* What the algorithms share; not for others. */
#ifndef OCF_ROUTE_POLICY_POLICY_INT_H
#define OCF_ROUTE_POLICY_POLICY_INT_H

#include "route/policy/policy.h"

/* One algorithm. `pick` returns an index below `n` (> 0) of the candidates left: row numbers that
 * were not tried. */
struct ocf_policy_ops {
  const char *name;
  size_t (*pick)(struct ocf_policy *p, const struct ocf_policy_choice *c, const uint32_t *rows,
                 size_t n);
};

extern const struct ocf_policy_ops ocf_policy_random, ocf_policy_round_robin,
    ocf_policy_shortest_queue;

/* round_robin.c: forgets every turn. */
void ocf_policy_forget_turns(struct ocf_policy *p);

#endif
