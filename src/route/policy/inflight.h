/* Requests under way per peer, as one loop counts its own. Bounded: when too many peers are busy at
 * once further ones are not counted, and read as idle.
 *
 * Belongs to one loop. Peers without requests take no memory. */
#ifndef OCF_ROUTE_POLICY_INFLIGHT_H
#define OCF_ROUTE_POLICY_INFLIGHT_H

#include "base/core/core.h"
#include "base/ds/map.h"
#include "base/mem/alloc.h"
#include "base/mem/pool.h"
#include "multi/peerid/peerid.h"

struct ocf_inflight {
  struct ocf_map map;
  struct ocf_pool pool;
  uint64_t n_total;     /* requests counted now */
  uint64_t n_uncounted; /* begins that found no room, ever */
};

/* At most peers_max > 0 peers are counted at once. */
void ocf_inflight_init(struct ocf_inflight *f, struct ocf_alloc *a, const uint64_t seed[2],
                       size_t peers_max);
/* Forgets all counts. */
void ocf_inflight_fini(struct ocf_inflight *f);
/* A request goes to `peer`. False when it could not be counted: then ocf_inflight_end() must not be
 * called for it. */
bool ocf_inflight_begin(struct ocf_inflight *f, const struct ocf_peerid *peer);
/* A request that was counted has ended. */
void ocf_inflight_end(struct ocf_inflight *f, const struct ocf_peerid *peer);
uint32_t ocf_inflight_get(const struct ocf_inflight *f, const struct ocf_peerid *peer);

#endif
