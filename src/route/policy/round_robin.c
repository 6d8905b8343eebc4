/* The turn is remembered as a peer, not as a count: rows move when the table changes, and a count
 * modulo the candidates (as OpenTela keeps it) is a different place each time. */
#include <string.h>

#include "route/policy/policy_int.h"

struct turn {
  struct ocf_lru_node node;
  struct ocf_peerid last;
  uint8_t n;
  char service[OCF_SERVICE_NAME_MAX];
};

static struct turn *turn_of(struct ocf_lru_node *n)
{
  return OCF_CONTAINER_OF(n, struct turn, node);
}

void ocf_policy_forget_turns(struct ocf_policy *p)
{
  for (struct ocf_lru_node *n; (n = ocf_lru_pop_oldest(&p->turns)) != NULL;)
    OCF_DELETE(p->a, turn_of(n));
}

static void begin_turns(struct ocf_policy *p, struct ocf_bytes service,
                        const struct ocf_peerid *last)
{
  struct turn *t = OCF_NEW(p->a, struct turn);
  struct ocf_lru_node *evicted;
  if (t == NULL)
    return; /* the next one begins at a random place again */
  OCF_ASSERT(service.n <= sizeof(t->service));
  memcpy(t->service, service.p, service.n);
  t->n = (uint8_t)service.n;
  t->last = *last;
  if (ocf_lru_put(&p->turns, &t->node, ocf_bytes(t->service, t->n), &evicted) != 0)
    OCF_DELETE(p->a, t);
  else if (evicted != NULL)
    OCF_DELETE(p->a, turn_of(evicted));
}

/* The index of the first candidate behind `last` in the order of peer ids, from the start again
 * when there is none. Row numbers are in that order, but a sample of candidates is in none. */
static size_t behind(const struct ocf_snapshot *s, const uint32_t *rows, size_t n,
                     const struct ocf_peerid *last)
{
  size_t first = 0, next = n;
  for (size_t i = 0; i < n; i++) {
    if (rows[i] < rows[first])
      first = i;
    if ((next == n || rows[i] < rows[next]) &&
        ocf_peerid_cmp(&ocf_snapshot_row(s, rows[i])->peer, last) > 0)
      next = i;
  }
  return next < n ? next : first;
}

static size_t pick(struct ocf_policy *p, const struct ocf_policy_choice *c, const uint32_t *rows,
                   size_t n)
{
  struct ocf_lru_node *found = ocf_lru_get(&p->turns, c->service->name);
  size_t i = found != NULL ? behind(c->snapshot, rows, n, &turn_of(found)->last)
                           : (size_t)ocf_rng_below(p->rng, n);
  const struct ocf_peerid *peer = &ocf_snapshot_row(c->snapshot, rows[i])->peer;
  if (found != NULL)
    turn_of(found)->last = *peer;
  else
    begin_turns(p, c->service->name, peer);
  return i;
}

const struct ocf_policy_ops ocf_policy_round_robin = { "round-robin", pick };
