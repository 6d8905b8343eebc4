/* Who was heard of late. A node's pings may come before its record does, and a node that has just
 * come has heard nobody: whoever hears a new one gives a sign of life of its own. */
#include "node/mesh/mesh_int.h"
#include "base/rng/rng.h"

enum { HEARD_MAX = 4096, NEW_AFTER_S = 120, ANSWER_MS = 500, ANSWER_EVERY_S = 2 };

struct heard {
  struct ocf_lru_node node;
  struct ocf_peerid id;
  uint64_t at_ns;
};

static struct heard *of(struct ocf_lru_node *n)
{
  return OCF_CONTAINER_OF(n, struct heard, node);
}

void ocf_mesh_heard_init(struct ocf_mesh *m, const uint64_t seed[2])
{
  ocf_lru_init(&m->heard, m->loop->alloc, seed, HEARD_MAX);
}

void ocf_mesh_heard_free(struct ocf_mesh *m)
{
  struct ocf_lru_node *n;
  while ((n = ocf_lru_pop_oldest(&m->heard)) != NULL)
    OCF_DELETE(m->loop->alloc, of(n));
  ocf_lru_fini(&m->heard);
}

/* Without memory somebody is not remembered. */
static void add(struct ocf_mesh *m, const struct ocf_peerid *id)
{
  struct ocf_lru_node *oldest = NULL;
  struct heard *h = OCF_NEW(m->loop->alloc, struct heard);
  if (h == NULL)
    return;
  h->id = *id;
  h->at_ns = mesh_now(m);
  if (ocf_lru_put(&m->heard, &h->node, ocf_peerid_view(&h->id), &oldest) != 0)
    OCF_DELETE(m->loop->alloc, h);
  if (oldest != NULL)
    OCF_DELETE(m->loop->alloc, of(oldest));
}

/* Soon, but not all nodes at once, and not again and again when many come together. */
static void answer(struct ocf_mesh *m)
{
  uint64_t now = mesh_now(m), gap = ANSWER_EVERY_S * OCF_NS_PER_S;
  uint64_t wait = ocf_rng_below(m->loop->rng, ANSWER_MS * OCF_NS_PER_MS);
  if (m->cfg.ping_ns == 0)
    return;
  if (m->pinged_ns != 0 && now < ocf_time_add(m->pinged_ns, gap))
    wait = OCF_MAX(wait, ocf_time_add(m->pinged_ns, gap) - now);
  if (!ocf_timer_pending(&m->ping.timer) || m->ping.timer.deadline_ns > ocf_time_add(now, wait))
    ocf_alarm_start(m->loop, &m->ping, wait);
}

void ocf_mesh_heard(struct ocf_mesh *m, const struct ocf_peerid *author)
{
  struct ocf_lru_node *n = ocf_lru_get(&m->heard, ocf_peerid_view(author));
  uint64_t now = mesh_now(m);
  bool is_new = n == NULL || now > ocf_time_add(of(n)->at_ns, NEW_AFTER_S * OCF_NS_PER_S);
  if (n == NULL)
    add(m, author);
  else
    of(n)->at_ns = now;
  ocf_table_heard(m->table, now, author, OCF_TABLE_GOSSIP);
  if (is_new)
    answer(m);
}

void ocf_mesh_heard_before(struct ocf_mesh *m, const struct ocf_peerid *peer)
{
  struct ocf_lru_node *n = ocf_lru_peek(&m->heard, ocf_peerid_view(peer));
  if (n != NULL)
    ocf_table_heard(m->table, of(n)->at_ns, peer, OCF_TABLE_GOSSIP);
}
