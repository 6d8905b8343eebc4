#include "route/policy/policy.h"

#include <string.h>

#include "route/policy/policy_int.h"

static const struct ocf_policy_ops *const policies[OCF_POLICY_N_KINDS] = {
  [OCF_POLICY_RANDOM] = &ocf_policy_random,
  [OCF_POLICY_ROUND_ROBIN] = &ocf_policy_round_robin,
  [OCF_POLICY_SHORTEST_QUEUE] = &ocf_policy_shortest_queue,
};

int ocf_policy_parse(struct ocf_bytes name, enum ocf_policy_kind *out)
{
  for (unsigned k = 0; k < OCF_POLICY_N_KINDS; k++) {
    const char *s = policies[k]->name;
    if (ocf_bytes_eq(name, ocf_bytes(s, strlen(s)))) {
      *out = (enum ocf_policy_kind)k;
      return 0;
    }
  }
  return OCF_EINVAL;
}

const char *ocf_policy_name(enum ocf_policy_kind kind)
{
  OCF_ASSERT((unsigned)kind < OCF_POLICY_N_KINDS);
  return policies[kind]->name;
}

void ocf_policy_init(struct ocf_policy *p, struct ocf_alloc *a, struct ocf_rng *rng,
                     enum ocf_policy_kind kind)
{
  uint64_t seed[2];
  OCF_ASSERT((unsigned)kind < OCF_POLICY_N_KINDS);
  ocf_rng_secret(rng, seed, sizeof(seed));
  *p = (struct ocf_policy){ .kind = kind, .rng = rng, .a = a };
  ocf_lru_init(&p->turns, a, seed, OCF_POLICY_SERVICES_MAX);
}

void ocf_policy_fini(struct ocf_policy *p)
{
  ocf_policy_forget_turns(p);
  ocf_lru_fini(&p->turns);
}

void ocf_policy_set(struct ocf_policy *p, enum ocf_policy_kind kind)
{
  OCF_ASSERT((unsigned)kind < OCF_POLICY_N_KINDS);
  p->kind = kind;
}

/* The row numbers of the tried peers, to be compared with instead of their ids. */
static size_t tried_rows(const struct ocf_policy_choice *c, uint32_t out[OCF_POLICY_TRIED_MAX])
{
  size_t first = c->n_tried > OCF_POLICY_TRIED_MAX ? c->n_tried - OCF_POLICY_TRIED_MAX : 0, n = 0;
  for (size_t i = first; i < c->n_tried; i++) {
    const struct ocf_snapshot_row *row = ocf_snapshot_find(c->snapshot, &c->tried[i]);
    if (row != NULL)
      out[n++] = ocf_snapshot_row_number(c->snapshot, row);
  }
  return n;
}

static bool is_in(const uint32_t *rows, size_t n, uint32_t row)
{
  for (size_t i = 0; i < n; i++) {
    if (rows[i] == row)
      return true;
  }
  return false;
}

const struct ocf_snapshot_row *ocf_policy_pick(struct ocf_policy *p,
                                               const struct ocf_policy_choice *c)
{
  uint32_t tried[OCF_POLICY_TRIED_MAX], left[OCF_POLICY_CANDIDATES_MAX];
  const uint32_t *rows = c->rows;
  size_t n = OCF_MIN(c->n, OCF_POLICY_CANDIDATES_MAX), n_left = 0;
  size_t n_tried = tried_rows(c, tried);
  if (n_tried > 0) {
    for (size_t i = 0; i < n; i++) {
      if (!is_in(tried, n_tried, rows[i]))
        left[n_left++] = rows[i];
    }
    rows = left;
    n = n_left;
  }
  if (n == 0)
    return NULL;
  size_t i = policies[p->kind]->pick(p, c, rows, n);
  OCF_ASSERT(i < n);
  return ocf_snapshot_row(c->snapshot, rows[i]);
}
