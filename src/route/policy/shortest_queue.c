/* Two choices are nearly as good as looking at all queues, and many heads that all see the same
 * queues do not then all fall upon the same shortest one. */
#include "route/policy/policy_int.h"

struct load {
  uint32_t in_flight;
  uint64_t rtt_ns;
};

static struct load load_of(const struct ocf_policy_choice *c, uint32_t row)
{
  const struct ocf_snapshot_row *r = ocf_snapshot_row(c->snapshot, row);
  uint32_t here = c->inflight != NULL ? ocf_inflight_get(c->inflight, &r->peer) : 0;
  uint64_t rtt_ns = r->rtt_ns == 0 && !r->self ? UINT64_MAX : r->rtt_ns;
  return (struct load){ OCF_MAX(here, r->in_flight), rtt_ns };
}

static bool is_less(struct load a, struct load b)
{
  return a.in_flight != b.in_flight ? a.in_flight < b.in_flight : a.rtt_ns < b.rtt_ns;
}

static bool is_equal(struct load a, struct load b)
{
  return a.in_flight == b.in_flight && a.rtt_ns == b.rtt_ns;
}

/* Of few candidates the least loaded; equal ones have equal chances. */
static size_t least_of_all(struct ocf_policy *p, const struct ocf_policy_choice *c,
                           const uint32_t *rows, size_t n)
{
  size_t best = 0, n_equal = 1;
  struct load least = load_of(c, rows[0]);
  for (size_t i = 1; i < n; i++) {
    struct load l = load_of(c, rows[i]);
    if (is_less(l, least)) {
      least = l;
      best = i;
      n_equal = 1;
    } else if (is_equal(l, least) && ocf_rng_below(p->rng, ++n_equal) == 0) {
      best = i;
    }
  }
  return best;
}

static size_t pick(struct ocf_policy *p, const struct ocf_policy_choice *c, const uint32_t *rows,
                   size_t n)
{
  if (n <= OCF_POLICY_FEW)
    return least_of_all(p, c, rows, n);
  size_t a = (size_t)ocf_rng_below(p->rng, n), b = (size_t)ocf_rng_below(p->rng, n - 1);
  b += b >= a; /* two different ones */
  return is_less(load_of(c, rows[b]), load_of(c, rows[a])) ? b : a;
}

const struct ocf_policy_ops ocf_policy_shortest_queue = { "shortest-queue", pick };
