#include "route/policy/inflight.h"

enum { FREE_MAX = 64 };

struct busy_peer {
  struct ocf_map_node node;
  struct ocf_peerid peer;
  uint32_t n; /* > 0 */
};

void ocf_inflight_init(struct ocf_inflight *f, struct ocf_alloc *a, const uint64_t seed[2],
                       size_t peers_max)
{
  OCF_ASSERT(peers_max > 0);
  *f = (struct ocf_inflight){ .n_total = 0 };
  ocf_map_init(&f->map, a, seed, peers_max);
  ocf_pool_init(&f->pool, a, sizeof(struct busy_peer), peers_max, FREE_MAX);
}

void ocf_inflight_fini(struct ocf_inflight *f)
{
  struct ocf_map_iter it = { 0 };
  struct ocf_map_node *n;
  while (ocf_map_next(&f->map, &it, &n)) {
    ocf_map_remove(&f->map, n);
    ocf_pool_put(&f->pool, OCF_CONTAINER_OF(n, struct busy_peer, node));
  }
  f->n_total = 0;
  ocf_map_fini(&f->map);
  ocf_pool_fini(&f->pool);
}

static struct busy_peer *find(const struct ocf_inflight *f, const struct ocf_peerid *peer)
{
  struct ocf_map_node *n = ocf_map_find(&f->map, ocf_peerid_view(peer));
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct busy_peer, node);
}

static struct busy_peer *add(struct ocf_inflight *f, const struct ocf_peerid *peer)
{
  struct busy_peer *p = ocf_pool_get(&f->pool);
  if (p == NULL)
    return NULL;
  *p = (struct busy_peer){ .peer = *peer };
  if (ocf_map_insert(&f->map, &p->node, ocf_peerid_view(&p->peer)) != 0) {
    ocf_pool_put(&f->pool, p);
    return NULL;
  }
  return p;
}

bool ocf_inflight_begin(struct ocf_inflight *f, const struct ocf_peerid *peer)
{
  struct busy_peer *p = find(f, peer);
  if (p == NULL)
    p = add(f, peer);
  if (p == NULL || p->n == UINT32_MAX) {
    f->n_uncounted++;
    return false;
  }
  p->n++;
  f->n_total++;
  return true;
}

void ocf_inflight_end(struct ocf_inflight *f, const struct ocf_peerid *peer)
{
  struct busy_peer *p = find(f, peer);
  OCF_ASSERT(p != NULL && p->n > 0 && f->n_total > 0);
  f->n_total--;
  if (--p->n > 0)
    return;
  ocf_map_remove(&f->map, &p->node);
  ocf_pool_put(&f->pool, p);
}

uint32_t ocf_inflight_get(const struct ocf_inflight *f, const struct ocf_peerid *peer)
{
  const struct busy_peer *p = find(f, peer);
  return p == NULL ? 0 : p->n;
}
