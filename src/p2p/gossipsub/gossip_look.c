#include "p2p/gossipsub/gossip_int.h"

static size_t bucket(const struct ocf_gossip *g, double score)
{
  const struct ocf_gossip_score_params *c = &g->cfg.score;
  const double below[] = { c->disconnect_below, c->graylist_below, c->publish_below,
                           c->gossip_below, 0 };
  size_t i = 0;
  while (i < OCF_ARRAY_LEN(below) && score >= below[i])
    i++;
  return i;
}

void ocf_gossip_stats(const struct ocf_gossip *g, struct ocf_gossip_stats *out)
{
  *out = g->stats;
  out->n_peers = g->peers.n;
  out->n_topics = g->topics.n;
  for (int i = 0; i < SLOTS; i++) {
    out->n_joined += g->slots[i] != NULL && g->slots[i]->joined;
    out->n_mesh += g->slots[i] != NULL ? g->slots[i]->n_mesh : 0;
  }
  OCF_LIST_FOREACH (it, &g->peer_list) {
    const struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    out->scores[bucket(g, ocf_gossip_score(g, p))]++;
    if (p->out == OUT_UP)
      out->n_by_proto[p->proto]++;
  }
  out->queued_msgs = g->queue_msgs;
  out->queued_bytes = g->queue_bytes;
  out->rx_bytes_held = g->rx_bytes;
  out->verify_waiting = g->n_verify;
  out->publish_waiting = g->n_publishing;
  out->mcache_msgs = g->mcache.n;
  out->mcache_bytes = g->mcache_bytes;
  out->seen = g->seen.map.n;
  out->backoffs = ocf_lru_count(&g->backoffs);
  out->promises = g->promises.n;
  out->retained = ocf_lru_count(&g->retained);
}

static void fill_peer(const struct ocf_gossip *g, const struct peer *p,
                      struct ocf_gossip_peer_info *out)
{
  *out = (struct ocf_gossip_peer_info){
    .id = &p->id,
    .outbound = p->outbound,
    .has_in = p->in != NULL,
    .has_out = p->out == OUT_UP,
    .proto = p->proto,
    .queued_bytes = p->queue_bytes,
    .score = ocf_gossip_score(g, p),
    .first = p->score.first,
    .invalid = p->score.invalid,
    .behaviour = p->score.behaviour,
  };
  for (int i = 0; i < Q_N; i++)
    out->queued_msgs += p->n_queue[i];
  OCF_LIST_FOREACH (it, &p->subs) {
    const struct sub *s = OCF_LIST_ENTRY(it, struct sub, peer_link);
    out->n_topics += s->subscribed;
    out->n_mesh += s->mesh;
  }
}

bool ocf_gossip_peer_next(const struct ocf_gossip *g, const void **cursor,
                          struct ocf_gossip_peer_info *out)
{
  const struct ocf_list *at = *cursor == NULL ? &g->peer_list : (const struct ocf_list *)*cursor;
  *cursor = at->next;
  if (at->next == &g->peer_list)
    return false;
  fill_peer(g, OCF_CONTAINER_OF_CONST(at->next, struct peer, all), out);
  return true;
}

bool ocf_gossip_peer_info(const struct ocf_gossip *g, const struct ocf_peerid *peer,
                          struct ocf_gossip_peer_info *out)
{
  const struct peer *p = ocf_gossip_peer_find(g, peer);
  if (p != NULL)
    fill_peer(g, p, out);
  return p != NULL;
}

static void fill_topic(const struct topic *t, struct ocf_gossip_topic_info *out)
{
  *out = (struct ocf_gossip_topic_info){
    .name = ocf_gossip_topic_name(t),
    .joined = t->joined,
    .n_mesh = t->n_mesh,
    .n_mesh_outbound = t->n_mesh_out,
    .n_fanout = t->n_fanout,
  };
  OCF_LIST_FOREACH (it, &t->subs)
    out->n_peers += OCF_LIST_ENTRY(it, struct sub, topic_link)->subscribed;
}

bool ocf_gossip_topic_next(const struct ocf_gossip *g, const void **cursor,
                           struct ocf_gossip_topic_info *out)
{
  const struct ocf_list *at = *cursor == NULL ? &g->topic_list : (const struct ocf_list *)*cursor;
  *cursor = at->next;
  if (at->next == &g->topic_list)
    return false;
  fill_topic(OCF_CONTAINER_OF_CONST(at->next, struct topic, all), out);
  return true;
}

bool ocf_gossip_in_mesh(const struct ocf_gossip *g, const struct ocf_peerid *peer,
                        struct ocf_bytes topic)
{
  const struct peer *p = ocf_gossip_peer_find(g, peer);
  const struct topic *t = ocf_gossip_topic_find(g, topic);
  const struct sub *s = p == NULL || t == NULL ? NULL : ocf_gossip_sub_find(p, t);
  return s != NULL && s->mesh;
}
