/* Which of the candidates gets the request. One algorithm per file behind a small table of
 * functions; deterministic with an injected generator.
 *
 *   random          uniform
 *   round-robin     per service, in the order of peer ids, stable while the table changes: the next
 *                   one is the first candidate behind the peer that was chosen last
 *   shortest-queue  the least loaded of two drawn at random (of all when there are few); on equal
 *                   load the shorter round trip, a peer never measured counting as the slowest; our
 *                   own node is treated like any other, with a round trip of 0
 *
 * Load is what this loop has under way (struct ocf_inflight), or what the snapshot says when that
 * is larger. Belongs to one loop. */
#ifndef OCF_ROUTE_POLICY_POLICY_H
#define OCF_ROUTE_POLICY_POLICY_H

#include "base/core/core.h"
#include "base/ds/lru.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "registry/table/snapshot.h"
#include "route/policy/inflight.h"

enum {
  OCF_POLICY_CANDIDATES_MAX = 1024, /* only so many candidates are looked at */
  OCF_POLICY_TRIED_MAX = 16,        /* attempts of one request that can be told apart */
  OCF_POLICY_SERVICES_MAX = 256, /* services whose turn is remembered; the least used goes first */
  OCF_POLICY_FEW = 4,            /* shortest-queue looks at all of so few candidates */
};

/* The values of option lb-policy. */
enum ocf_policy_kind {
  OCF_POLICY_RANDOM,
  OCF_POLICY_ROUND_ROBIN,
  OCF_POLICY_SHORTEST_QUEUE,
  OCF_POLICY_N_KINDS,
};

/* "random", "round-robin", "shortest-queue" (as in OpenTela). 0, or OCF_EINVAL. */
OCF_NODISCARD int ocf_policy_parse(struct ocf_bytes name, enum ocf_policy_kind *out);
const char *ocf_policy_name(enum ocf_policy_kind kind);

/* What a policy chooses from; borrowed for the call. */
struct ocf_policy_choice {
  const struct ocf_snapshot *snapshot;
  const struct ocf_snapshot_service *service;
  const uint32_t *rows; /* candidates, row numbers of the snapshot */
  size_t n;
  const struct ocf_peerid *tried; /* not to be chosen again */
  size_t n_tried;                 /* only the last OCF_POLICY_TRIED_MAX count */
  const struct ocf_inflight *inflight;
};

/* Embedded by the caller; one per loop. */
struct ocf_policy {
  enum ocf_policy_kind kind;
  struct ocf_rng *rng;
  struct ocf_alloc *a;
  struct ocf_lru turns; /* round-robin: service name -> the peer chosen last */
};

/* Borrows `a` and `rng` for its life; takes no memory yet. */
void ocf_policy_init(struct ocf_policy *p, struct ocf_alloc *a, struct ocf_rng *rng,
                     enum ocf_policy_kind kind);
void ocf_policy_fini(struct ocf_policy *p);
/* From the next pick on; turns are kept. */
void ocf_policy_set(struct ocf_policy *p, enum ocf_policy_kind kind);

/* The chosen row, or NULL when every candidate was tried. Never fails for want of memory (a turn
 * that cannot be remembered begins at a random place). Does not count the request: the caller does,
 * with ocf_inflight_begin(). */
const struct ocf_snapshot_row *ocf_policy_pick(struct ocf_policy *p,
                                               const struct ocf_policy_choice *c);

#endif
