#include "p2p/gossipsub/gossip_int.h"

static double square(double x)
{
  return x > 0 ? x * x : 0;
}

double ocf_gossip_score(const struct ocf_gossip *g, const struct peer *p)
{
  const struct ocf_gossip_score_params *c = &g->cfg.score;
  if (!c->on)
    return 0;
  double crowd = (double)p->n_same_ip - (double)c->colocation_free;
  return c->first_weight * p->score.first - c->invalid_weight * square(p->score.invalid) -
         c->colocation_weight * square(crowd) -
         c->behaviour_weight * square(p->score.behaviour - c->behaviour_free);
}

bool ocf_gossip_is_condemned(const struct ocf_gossip *g, const struct peer *p)
{
  return ocf_gossip_score(g, p) < g->cfg.score.disconnect_below;
}

static void judge(struct ocf_gossip *g, struct peer *p)
{
  double score = ocf_gossip_score(g, p);
  if (score >= g->cfg.score.graylist_below)
    p->disconnect_told = false; /* the owner has not done it: it may be asked again one day */
  if (p->disconnect_told || !ocf_gossip_is_condemned(g, p))
    return;
  char text[OCF_PEERID_TEXT_SIZE];
  p->disconnect_told = true;
  OCF_LOGF(g->cfg.log, "gossip", OCF_LOG_DEBUG, "peer is to be disconnected",
           OCF_LOG_STR("peer", ocf_peerid_text(&p->id, text)),
           OCF_LOG_U64("invalid", p->score.invalid), OCF_LOG_U64("misdeeds", p->score.behaviour));
  g->stats.disconnects++;
  ocf_gossip_fx(g, p, FX_DISCONNECT);
}

void ocf_gossip_penalize(struct ocf_gossip *g, struct peer *p, double invalid, double behaviour)
{
  if (!g->cfg.score.on)
    return;
  p->score.invalid += invalid;
  p->score.behaviour += behaviour;
  judge(g, p);
}

void ocf_gossip_credit(struct ocf_gossip *g, struct peer *p)
{
  p->score.first = OCF_MIN(p->score.first + 1, g->cfg.score.first_cap);
}

static double decay(const struct ocf_gossip *g, double v, double by)
{
  v *= by;
  return v < g->cfg.score.decay_to_zero ? 0 : v;
}

/* x to the n, by squaring. */
static double power(double x, uint64_t n)
{
  double r = 1;
  for (; n > 0; n /= 2, x *= x)
    if (n % 2 == 1)
      r *= x;
  return r;
}

void ocf_gossip_score_heartbeat(struct ocf_gossip *g)
{
  const struct ocf_gossip_score_params *c = &g->cfg.score;
  OCF_LIST_FOREACH (it, &g->peer_list) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    p->score.first = decay(g, p->score.first, c->first_decay);
    p->score.invalid = decay(g, p->score.invalid, c->invalid_decay);
    p->score.behaviour = decay(g, p->score.behaviour, c->behaviour_decay);
    judge(g, p);
  }
}

/* Only faults are worth remembering, and time heals them as if the peer had stayed. Without memory
 * for them the peer is lucky. */
void ocf_gossip_score_retain(struct ocf_gossip *g, uint64_t now_ns, struct peer *p)
{
  struct ocf_lru_node *old = NULL;
  if (p->score.invalid <= 0 && p->score.behaviour <= 0)
    return;
  struct retained *r = OCF_NEW(g->a, struct retained);
  if (r == NULL)
    return;
  r->id = p->id;
  r->score = p->score;
  r->score.first = 0;
  r->since_ns = now_ns;
  if (ocf_lru_put(&g->retained, &r->node, ocf_peerid_view(&r->id), &old) != 0)
    OCF_DELETE(g->a, r);
  if (old != NULL)
    ocf_alloc_put(g->a, OCF_CONTAINER_OF(old, struct retained, node), sizeof(struct retained));
}

void ocf_gossip_score_restore(struct ocf_gossip *g, uint64_t now_ns, struct peer *p)
{
  struct ocf_lru_node *n = ocf_lru_peek(&g->retained, ocf_peerid_view(&p->id));
  if (n == NULL)
    return;
  struct retained *r = OCF_CONTAINER_OF(n, struct retained, node);
  ocf_lru_remove(&g->retained, n);
  uint64_t away = now_ns - r->since_ns;
  uint64_t beats = away / g->cfg.params.heartbeat_ns;
  if (away < g->cfg.score.retain_ns) {
    p->score.invalid = decay(g, r->score.invalid, power(g->cfg.score.invalid_decay, beats));
    p->score.behaviour = decay(g, r->score.behaviour, power(g->cfg.score.behaviour_decay, beats));
  }
  OCF_DELETE(g->a, r);
}

void ocf_gossip_score_colocate(struct ocf_gossip *g, uint64_t ip_key)
{
  uint32_t n = 0;
  OCF_LIST_FOREACH (it, &g->peer_list)
    n += OCF_LIST_ENTRY(it, struct peer, all)->ip_key == ip_key;
  OCF_LIST_FOREACH (it, &g->peer_list) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    if (p->ip_key == ip_key)
      p->n_same_ip = ip_key == 0 ? 1 : n;
  }
}
