#include "p2p/gossipsub/gossip_int.h"

const struct ocf_bytes *ocf_gossip_protocols(void)
{
  static const struct ocf_bytes names[OCF_GOSSIP_PROTO_N] = {
    [OCF_GOSSIP_V12] = { (const uint8_t *)"/meshsub/1.2.0", 14 },
    [OCF_GOSSIP_V11] = { (const uint8_t *)"/meshsub/1.1.0", 14 },
    [OCF_GOSSIP_V10] = { (const uint8_t *)"/meshsub/1.0.0", 14 },
    [OCF_GOSSIP_FLOODSUB] = { (const uint8_t *)"/floodsub/1.0.0", 15 },
  };
  return names;
}

/* ---- configuration ---- */

static const struct ocf_gossip_params params_default = {
  .d = 6,
  .d_lo = 5,
  .d_hi = 12,
  .d_out = 2,
  .d_score = 4,
  .d_lazy = 6,
  .gossip_percent = 25,
  .history = 5,
  .history_gossip = 3,
  .idontwant_min_bytes = 1024,
  .idontwant_heartbeats = 3,
  .heartbeat_ns = OCF_NS_PER_S,
  .first_heartbeat_ns = 100 * OCF_NS_PER_MS,
  .fanout_ttl_ns = 60 * OCF_NS_PER_S,
  .prune_backoff_ns = 60 * OCF_NS_PER_S,
  .unsubscribe_backoff_ns = 10 * OCF_NS_PER_S,
  .backoff_max_ns = 3600 * OCF_NS_PER_S,
  .seen_ttl_ns = 120 * OCF_NS_PER_S,
  .promise_ns = 5 * OCF_NS_PER_S,
  .iwant_again_ns = 500 * OCF_NS_PER_MS,
  .publish_burst = 24,
  .publish_refill_ns = 100 * OCF_NS_PER_MS / 24,
  .reopen_min_ns = 100 * OCF_NS_PER_MS,
  .reopen_max_ns = 10 * OCF_NS_PER_S,
  .reopen_tries = 4,
};

static const struct ocf_gossip_limits limits_default = {
  .peers_max = 256,
  .topics_max = 512,
  .topics_per_peer_max = 100,
  .data_max = 786432,
  .rx_bytes_max = 16 << 20,
  .queue_msgs_max = 1024,
  .queue_bytes_max = 2 << 20,
  .queue_total_bytes_max = 64 << 20,
  .publish_wait_max = 1024,
  .mcache_bytes_max = 16 << 20,
  .seen_max = 131072,
  .verify_max = 2048,
  .verify_bytes_max = 8 << 20,
  .jobs_max = 4,
  .events_max = 256,
  .backoffs_max = 8192,
  .promises_max = 8192,
  .retained_max = 1024,
  .ihave_ids_max = 5000,
  .ihave_msgs_max = 10,
  .iwant_answers_max = 3,
  .iwant_ids_max = 5000,
  .idontwant_ids_max = 10,
  .idontwant_kept_max = 1000,
};

static const struct ocf_gossip_score_params score_default = {
  .on = true,
  .first_weight = 0.5,
  .first_cap = 10,
  .first_decay = 0.98,
  .invalid_weight = 10,
  .invalid_decay = 0.99,
  .colocation_weight = 0,
  .colocation_free = 10,
  .behaviour_weight = 5,
  .behaviour_decay = 0.95,
  .behaviour_free = 6,
  .decay_to_zero = 0.01,
  .gossip_below = -20,
  .publish_below = -40,
  .graylist_below = -80,
  .disconnect_below = -120,
  .retain_ns = 3600 * OCF_NS_PER_S,
};

void ocf_gossip_config_init(struct ocf_gossip_config *cfg)
{
  *cfg = (struct ocf_gossip_config){ .params = params_default,
                                     .limits = limits_default,
                                     .score = score_default };
}

void ocf_gossip_params_ocf(struct ocf_gossip_params *p)
{
  *p = params_default;
  p->d = 128;
  p->d_lo = 16;
  p->d_hi = 256;
}

static bool params_valid(const struct ocf_gossip_params *p)
{
  return p->d_lo <= p->d && p->d <= p->d_hi && p->d > 0 && p->d_score <= p->d && p->d_out <= p->d &&
         p->heartbeat_ns > 0 && p->history_gossip <= p->history && p->history > 0 &&
         p->publish_burst > 0 && p->publish_refill_ns > 0 && p->reopen_min_ns > 0 &&
         p->reopen_min_ns <= p->reopen_max_ns;
}

static bool limits_valid(const struct ocf_gossip_limits *l)
{
  return l->peers_max > 0 && l->peers_max <= 65536 && l->topics_max > 0 &&
         l->topics_per_peer_max > 0 && l->data_max > 0 && l->data_max <= limits_default.data_max &&
         l->rx_bytes_max > 0 && l->queue_msgs_max > 0 && l->queue_bytes_max > 0 &&
         l->queue_total_bytes_max > 0 && l->publish_wait_max > 0 && l->mcache_bytes_max > 0 &&
         l->seen_max > 0 && l->verify_max > 0 && l->verify_bytes_max > 0 && l->jobs_max > 0 &&
         l->jobs_max <= 256 && l->events_max > 0 && l->backoffs_max > 0 && l->promises_max > 0 &&
         l->retained_max > 0 && l->idontwant_kept_max > 0;
}

static bool score_valid(const struct ocf_gossip_score_params *s)
{
  return s->gossip_below <= 0 && s->publish_below <= s->gossip_below &&
         s->graylist_below <= s->publish_below && s->disconnect_below <= s->graylist_below;
}

/* ---- life ---- */

static void init_tables(struct ocf_gossip *g)
{
  const struct ocf_gossip_limits *l = &g->cfg.limits;
  ocf_map_init(&g->peers, g->a, g->seed, l->peers_max);
  ocf_map_init(&g->topics, g->a, g->seed, l->topics_max + SLOTS);
  ocf_lru_init(&g->backoffs, g->a, g->seed, l->backoffs_max);
  ocf_lru_init(&g->retained, g->a, g->seed, l->retained_max);
  ocf_gossip_ids_init(&g->seen, g->a, g->seed, l->seen_max);
  ocf_map_init(&g->mcache, g->a, g->seed, SIZE_MAX / 2); /* bounded in bytes */
  ocf_map_init(&g->promises, g->a, g->seed, l->promises_max);
  ocf_map_init(&g->pending, g->a, g->seed, l->verify_max);
  ocf_buf_init(&g->body, g->a, OCF_GOSSIP_RPC_MAX);
  ocf_buf_init(&g->control, g->a, OCF_GOSSIP_RPC_MAX);
  ocf_list_init(&g->peer_list);
  ocf_list_init(&g->topic_list);
  ocf_list_init(&g->effects);
  ocf_list_init(&g->notes);
  ocf_list_init(&g->ready);
  ocf_list_init(&g->publishing);
  ocf_list_init(&g->mcache_order);
  ocf_list_init(&g->promise_order);
  ocf_list_init(&g->verify);
  ocf_list_init(&g->jobs_free);
}

static int init_arrays(struct ocf_gossip *g)
{
  const struct ocf_gossip_limits *l = &g->cfg.limits;
  g->picked = ocf_alloc_zero(g->a, l->peers_max * sizeof(*g->picked));
  g->jobs = ocf_alloc_zero(g->a, l->jobs_max * sizeof(*g->jobs));
  if (g->picked == NULL || g->jobs == NULL)
    return OCF_ENOMEM;
  for (size_t i = 0; i < l->jobs_max; i++) {
    ocf_alloc_init(&g->jobs[i].memory);
    g->jobs[i].memory.limit_bytes = 4 * OCF_GOSSIP_RPC_MAX;
    ocf_list_push_back(&g->jobs_free, &g->jobs[i].link);
  }
  return 0;
}

int ocf_gossip_new(const struct ocf_gossip_config *cfg, uint64_t now_ns, struct ocf_gossip **out)
{
  if (cfg->alloc == NULL || cfg->rng == NULL || cfg->key == NULL || !params_valid(&cfg->params) ||
      !limits_valid(&cfg->limits) || !score_valid(&cfg->score))
    return OCF_EINVAL;
  struct ocf_gossip *g = OCF_NEW(cfg->alloc, struct ocf_gossip);
  if (g == NULL)
    return OCF_ENOMEM;
  g->a = cfg->alloc;
  g->cfg = *cfg;
  g->seqno = cfg->wall_ns;
  ocf_peerid_from_key(ocf_pubkey_bytes(ocf_key_public(cfg->key)), &g->self);
  ocf_rng_secret(cfg->rng, g->seed, sizeof(g->seed));
  init_tables(g);
  if (init_arrays(g) != 0) {
    ocf_gossip_free(g);
    return OCF_ENOMEM;
  }
  ocf_wheel_init(&g->wheel, now_ns);
  g->heartbeat_timer.kind = TIMER_HEARTBEAT;
  g->publish_timer.kind = TIMER_PUBLISH;
  ocf_wheel_start(&g->wheel, &g->heartbeat_timer,
                  ocf_time_add(now_ns, cfg->params.first_heartbeat_ns));
  g->tokens = cfg->params.publish_burst;
  g->tokens_ns = now_ns;
  *out = g;
  return 0;
}

static void free_messages(struct ocf_gossip *g, struct ocf_list *list)
{
  struct ocf_list *it;
  while ((it = ocf_list_pop_front(list)) != NULL)
    ocf_gossip_msg_put(g, OCF_LIST_ENTRY(it, struct msg, ready_link));
}

static void free_caches(struct ocf_gossip *g)
{
  struct ocf_lru_node *n;
  struct ocf_list *it;
  while (!ocf_list_empty(&g->mcache_order))
    ocf_gossip_kept_free(g, OCF_LIST_ENTRY(g->mcache_order.next, struct kept, link));
  while ((it = ocf_list_pop_front(&g->promise_order)) != NULL)
    ocf_alloc_put(g->a, OCF_LIST_ENTRY(it, struct promise, link), sizeof(struct promise));
  while (!ocf_list_empty(&g->verify))
    ocf_gossip_pending_free(g, OCF_LIST_ENTRY(g->verify.next, struct pending, link));
  while ((n = ocf_lru_pop_oldest(&g->backoffs)) != NULL)
    ocf_alloc_put(g->a, OCF_CONTAINER_OF(n, struct backoff, node), sizeof(struct backoff));
  while ((n = ocf_lru_pop_oldest(&g->retained)) != NULL)
    ocf_alloc_put(g->a, OCF_CONTAINER_OF(n, struct retained, node), sizeof(struct retained));
  free_messages(g, &g->ready);
  free_messages(g, &g->publishing);
  ocf_gossip_msg_put(g, g->told);
  ocf_gossip_ids_fini(&g->seen);
}

static void free_topics(struct ocf_gossip *g)
{
  while (!ocf_list_empty(&g->topic_list)) {
    struct topic *t = OCF_LIST_ENTRY(g->topic_list.next, struct topic, all);
    t->joined = false;
    t->slot = -1;
    ocf_gossip_topic_settle(g, t);
  }
}

void ocf_gossip_free(struct ocf_gossip *g)
{
  if (g == NULL)
    return;
  for (size_t i = 0; g->jobs != NULL && i < g->cfg.limits.jobs_max; i++)
    OCF_ASSERT(!g->jobs[i].out);
  while (!ocf_list_empty(&g->peer_list))
    ocf_gossip_peer_free(g, OCF_LIST_ENTRY(g->peer_list.next, struct peer, all));
  free_caches(g);
  free_topics(g);
  ocf_map_fini(&g->peers);
  ocf_map_fini(&g->topics);
  ocf_map_fini(&g->mcache);
  ocf_map_fini(&g->promises);
  ocf_map_fini(&g->pending);
  ocf_lru_fini(&g->backoffs);
  ocf_lru_fini(&g->retained);
  ocf_buf_fini(&g->body);
  ocf_buf_fini(&g->control);
  ocf_alloc_put(g->a, g->picked, g->cfg.limits.peers_max * sizeof(*g->picked));
  ocf_alloc_put(g->a, g->jobs, g->cfg.limits.jobs_max * sizeof(*g->jobs));
  OCF_DELETE(g->a, g);
}

/* ---- messages ---- */

struct msg *ocf_gossip_msg_new(struct ocf_gossip *g, size_t n)
{
  struct msg *m = ocf_alloc_get(g->a, sizeof(*m) + n);
  if (m == NULL)
    return NULL;
  memset(m, 0, sizeof(*m));
  m->refs = 1;
  m->n = n;
  return m;
}

void ocf_gossip_msg_put(struct ocf_gossip *g, struct msg *m)
{
  if (m == NULL || --m->refs > 0)
    return;
  ocf_alloc_put(g->a, m, sizeof(*m) + m->n);
}

bool ocf_gossip_token(const struct ocf_gossip *g, uint64_t now_ns, uint32_t *tokens,
                      uint64_t *at_ns)
{
  const struct ocf_gossip_params *c = &g->cfg.params;
  uint64_t fresh = now_ns > *at_ns ? (now_ns - *at_ns) / c->publish_refill_ns : 0;
  if (fresh >= c->publish_burst - *tokens) {
    *tokens = c->publish_burst;
    *at_ns = now_ns;
  } else {
    *tokens += (uint32_t)fresh;
    *at_ns += fresh * c->publish_refill_ns;
  }
  if (*tokens == 0)
    return false;
  --*tokens;
  return true;
}

/* ---- events ---- */

void ocf_gossip_note(struct ocf_gossip *g, struct sub *s)
{
  if (!ocf_list_linked(&s->note_link))
    ocf_list_push_back(&g->notes, &s->note_link);
}

void ocf_gossip_sub_free(struct ocf_gossip *g, struct sub *s)
{
  struct topic *t = s->t;
  ocf_gossip_mesh_set(g, s, false);
  if (s->fanout)
    t->n_fanout--;
  t->n_subs--;
  s->p->n_subs--;
  ocf_list_remove(&s->note_link);
  ocf_list_remove(&s->topic_link);
  ocf_list_remove(&s->peer_link);
  OCF_DELETE(g->a, s);
  ocf_gossip_topic_settle(g, t);
}

/* One difference between what is and what was told, which then is no more; false when none. */
static bool difference(struct sub *s, struct ocf_gossip_event *ev)
{
  if (s->subscribed && !s->told_subscribed) {
    s->told_subscribed = true;
    ev->type = OCF_GOSSIP_SUBSCRIBED;
  } else if (s->mesh != s->told_mesh) {
    s->told_mesh = s->mesh;
    ev->type = s->mesh ? OCF_GOSSIP_MESH_JOINED : OCF_GOSSIP_MESH_LEFT;
  } else if (!s->subscribed && s->told_subscribed) {
    s->told_subscribed = false;
    ev->type = OCF_GOSSIP_UNSUBSCRIBED;
  } else {
    return false;
  }
  return true;
}

static bool next_note(struct ocf_gossip *g, struct ocf_gossip_event *ev)
{
  while (!ocf_list_empty(&g->notes)) {
    struct sub *s = OCF_LIST_ENTRY(g->notes.next, struct sub, note_link);
    if (difference(s, ev)) {
      g->fx_id = s->p->id;
      g->n_told_topic = s->t->n_name;
      memcpy(g->told_topic, s->t->name, s->t->n_name);
      ev->peer = &g->fx_id;
      ev->topic = ocf_bytes(g->told_topic, g->n_told_topic);
      return true;
    }
    ocf_list_remove(&s->note_link);
    if (!s->subscribed)
      ocf_gossip_sub_free(g, s);
  }
  return false;
}

bool ocf_gossip_event(struct ocf_gossip *g, uint64_t now_ns, struct ocf_gossip_event *ev)
{
  (void)now_ns;
  *ev = (struct ocf_gossip_event){ 0 };
  ocf_gossip_msg_put(g, g->told);
  g->told = NULL;
  if (next_note(g, ev))
    return true;
  struct ocf_list *it = ocf_list_pop_front(&g->ready);
  if (it == NULL)
    return false;
  struct msg *m = g->told = OCF_LIST_ENTRY(it, struct msg, ready_link);
  g->n_ready--;
  ev->type = OCF_GOSSIP_MESSAGE;
  ev->peer = &m->from_id;
  ev->author = &m->author;
  ev->topic = m->wire.topic;
  ev->data = m->wire.data;
  ev->id = ocf_gossip_msg_id(m);
  return true;
}

/* ---- time ---- */

uint64_t ocf_gossip_deadline(const struct ocf_gossip *g)
{
  return ocf_wheel_next(&g->wheel);
}

static void fire(struct ocf_gossip *g, uint64_t now_ns, struct ocf_timer *t)
{
  struct peer *p;
  switch ((enum gossip_timer)t->kind) {
  case TIMER_HEARTBEAT:
    ocf_gossip_heartbeat(g, now_ns);
    ocf_wheel_start(&g->wheel, t, ocf_time_add(now_ns, g->cfg.params.heartbeat_ns));
    break;
  case TIMER_PUBLISH: ocf_gossip_publish_tick(g, now_ns); break;
  case TIMER_REOPEN:
    p = OCF_CONTAINER_OF(t, struct peer, reopen_timer);
    p->out = OUT_OPENING;
    ocf_gossip_fx(g, p, FX_OPEN);
    break;
  case TIMER_TOKENS: ocf_gossip_tx_wake(g, OCF_CONTAINER_OF(t, struct peer, token_timer)); break;
  }
}

void ocf_gossip_tick(struct ocf_gossip *g, uint64_t now_ns)
{
  struct ocf_timer *t;
  while ((t = ocf_wheel_pop(&g->wheel, now_ns)) != NULL)
    fire(g, now_ns, t);
}
