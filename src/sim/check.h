/* What must hold of every node once the dust has settled. */
#ifndef OCF_SIM_CHECK_H
#define OCF_SIM_CHECK_H

#include "sim/host.h"

/* Nothing is in flight on `h`: no request, no session, no stream but the swarm's own short ones, no
 * socket besides those of its links. Call it when every pool has had time to empty. Fails the
 * world. */
void ocf_sim_check_quiet(const struct ocf_sim_host *h);
/* Live bytes are within 5 % (and 32 KiB) of `baseline`. Fails the world. */
void ocf_sim_check_memory(const struct ocf_sim_host *h, size_t baseline);
/* The node's live bytes never pass `baseline` + `n` times `each` + 1 MiB while something runs. */
bool ocf_sim_within(const struct ocf_sim_host *h, size_t baseline, size_t n, size_t each);

#endif
