#include "node/relay/relay.h"

#include <stdio.h>

#include "node/relay/relay_int.h"

enum { MAX_PEERS = 65536, MAX_FREE_HEADS = 64, SCRATCH_MAX = 128 * 1024 };

struct ocf_relay *ocf_relay_new(struct ocf_loop *loop, const struct ocf_relay_config *cfg,
                                ocf_route_fn route, const struct ocf_relay_peer_ops *peer_ops,
                                void *ctx)
{
  struct ocf_relay *r = OCF_NEW(loop->alloc, struct ocf_relay);
  uint64_t seed[2];
  if (r == NULL)
    return NULL;
  OCF_ASSERT(loop->metrics != NULL);
  ocf_rng_secret(loop->rng, seed, sizeof(seed));
  r->loop = loop;
  r->cfg = *cfg;
  r->route = route;
  r->peer_ops = peer_ops;
  r->ctx = ctx;
  r->reaper.fire = ocf_relay_upstream_reap;
  ocf_h1_pool_init(&r->pool, loop->alloc, MAX_FREE_HEADS);
  ocf_list_init(&r->sessions);
  ocf_list_init(&r->upstreams);
  ocf_list_init(&r->services);
  ocf_list_init(&r->peer_ages);
  ocf_list_init(&r->service_ages);
  ocf_map_init(&r->peers, loop->alloc, seed, MAX_PEERS);
  ocf_buf_init(&r->scratch, loop->alloc, SCRATCH_MAX);
  return r;
}

void ocf_relay_free(struct ocf_relay *r)
{
  if (r == NULL)
    return;
  r->draining = true;
  ocf_relay_session_free_all(r);
  ocf_relay_upstream_free_all(r);
  ocf_relay_service_free_all(r);
  ocf_alarm_stop(r->loop, &r->reaper);
  ocf_map_fini(&r->peers);
  ocf_buf_fini(&r->scratch);
  ocf_h1_pool_fini(&r->pool);
  OCF_DELETE(r->loop->alloc, r);
}

/* Sessions and channels read their limits here each time, so all of them see the new ones. */
void ocf_relay_set_config(struct ocf_relay *r, const struct ocf_relay_config *cfg)
{
  r->cfg = *cfg;
}

void ocf_relay_set_self(struct ocf_relay *r, const char *peer_id)
{
  (void)snprintf(r->self, sizeof(r->self), "%s", peer_id);
}

void ocf_relay_drain(struct ocf_relay *r)
{
  r->draining = true;
  ocf_relay_session_drain_all(r);
}

void ocf_relay_trim(struct ocf_relay *r, bool spare)
{
  ocf_buf_reset(&r->scratch);
  ocf_h1_pool_trim(&r->pool, spare);
  ocf_map_trim(&r->peers);
}

bool ocf_relay_keeps(const struct ocf_relay *r)
{
  return r->scratch.cap > 0 || r->pool.n_free > 0;
}

size_t ocf_relay_n_sessions(const struct ocf_relay *r)
{
  return r->n_sessions;
}

size_t ocf_relay_n_requests(const struct ocf_relay *r)
{
  return r->n_requests;
}
