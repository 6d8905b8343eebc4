#include "p2p/gossipsub/gossip_int.h"

#include "base/core/endian.h"

/* ---- topics ---- */

struct topic *ocf_gossip_topic_find(const struct ocf_gossip *g, struct ocf_bytes name)
{
  struct ocf_map_node *n = name.n == 0 ? NULL : ocf_map_find(&g->topics, name);
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct topic, node);
}

/* Finds or makes it, the latter while there are less than `max`. */
static int get_topic(struct ocf_gossip *g, struct ocf_bytes name, size_t max, struct topic **out)
{
  if (name.n == 0 || name.n > OCF_GOSSIP_TOPIC_MAX)
    return OCF_EINVAL;
  *out = ocf_gossip_topic_find(g, name);
  if (*out != NULL)
    return 0;
  if (g->topics.n >= max)
    return OCF_ELIMIT;
  struct topic *t = ocf_alloc_zero(g->a, sizeof(*t) + name.n);
  if (t == NULL)
    return OCF_ENOMEM;
  ocf_list_init(&t->subs);
  t->slot = -1;
  t->n_name = (uint16_t)name.n;
  memcpy(t->name, name.p, name.n);
  int err = ocf_map_insert(&g->topics, &t->node, ocf_gossip_topic_name(t));
  if (err != 0) {
    ocf_alloc_put(g->a, t, sizeof(*t) + name.n);
    return err;
  }
  ocf_list_push_back(&g->topic_list, &t->all);
  *out = t;
  return 0;
}

/* Frees `t` when neither we nor any peer have to do with it. */
void ocf_gossip_topic_settle(struct ocf_gossip *g, struct topic *t)
{
  if (t->joined || t->slot >= 0 || !ocf_list_empty(&t->subs))
    return;
  ocf_map_remove(&g->topics, &t->node);
  ocf_list_remove(&t->all);
  ocf_alloc_put(g->a, t, sizeof(*t) + t->n_name);
}

static int take_slot(struct ocf_gossip *g, struct topic *t)
{
  for (int i = 0; i < SLOTS && t->slot < 0; i++) {
    if (g->slots[i] != NULL)
      continue;
    g->slots[i] = t;
    t->slot = i;
  }
  return t->slot < 0 ? OCF_ELIMIT : 0;
}

/* The slot of a topic that we have left is free when every peer has been told. */
static void release_slots(struct ocf_gossip *g)
{
  uint32_t busy = g->joined;
  OCF_LIST_FOREACH (it, &g->peer_list) {
    const struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    busy |= p->announced | p->prune;
  }
  for (int i = 0; i < SLOTS; i++) {
    struct topic *t = g->slots[i];
    if (t == NULL || (busy >> i & 1) != 0)
      continue;
    g->slots[i] = NULL;
    t->slot = -1;
    ocf_gossip_topic_settle(g, t);
  }
}

static void wake_all(struct ocf_gossip *g)
{
  OCF_LIST_FOREACH (it, &g->peer_list)
    ocf_gossip_tx_wake(g, OCF_LIST_ENTRY(it, struct peer, all));
}

/* ---- subscriptions of peers ---- */

struct sub *ocf_gossip_sub_find(const struct peer *p, const struct topic *t)
{
  OCF_LIST_FOREACH (it, &p->subs) {
    struct sub *s = OCF_LIST_ENTRY(it, struct sub, peer_link);
    if (s->t == t)
      return s;
  }
  return NULL;
}

static struct sub *new_sub(struct ocf_gossip *g, struct peer *p, struct ocf_bytes name)
{
  const struct ocf_gossip_limits *lim = &g->cfg.limits;
  struct topic *t;
  if (p->n_subs >= lim->topics_per_peer_max || get_topic(g, name, lim->topics_max, &t) != 0)
    return NULL;
  struct sub *s = OCF_NEW(g->a, struct sub);
  if (s == NULL) {
    ocf_gossip_topic_settle(g, t);
    return NULL;
  }
  s->t = t;
  s->p = p;
  ocf_list_push_back(&t->subs, &s->topic_link);
  ocf_list_push_back(&p->subs, &s->peer_link);
  t->n_subs++;
  p->n_subs++;
  return s;
}

int ocf_gossip_subscribe(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                         struct ocf_bytes name, bool on)
{
  struct topic *t = ocf_gossip_topic_find(g, name);
  struct sub *s = t == NULL ? NULL : ocf_gossip_sub_find(p, t);
  if (s == NULL && on)
    s = new_sub(g, p, name);
  if (s == NULL) /* a topic of ours is one that we have room for */
    return on && t != NULL && t->joined && p->n_subs < g->cfg.limits.topics_per_peer_max
               ? OCF_ENOMEM
               : 0;
  if (s->subscribed == on)
    return 0;
  if (!on)
    ocf_gossip_mesh_set(g, s, false);
  if (!on && s->fanout) {
    s->fanout = false;
    s->t->n_fanout--;
  }
  s->subscribed = on;
  ocf_gossip_note(g, s);
  ocf_gossip_graft_early(g, now_ns, s);
  return 0;
}

/* ---- mesh membership ---- */

static uint32_t slot_bit(const struct topic *t)
{
  return UINT32_C(1) << t->slot;
}

void ocf_gossip_mesh_set(struct ocf_gossip *g, struct sub *s, bool on)
{
  if (s->mesh == on)
    return;
  size_t d = on ? 1 : (size_t)-1;
  s->mesh = on;
  if (on) /* a PRUNE that waits for the stream is void */
    s->p->prune &= ~slot_bit(s->t);
  s->t->n_mesh += d;
  if (s->p->outbound)
    s->t->n_mesh_out += d;
  ocf_gossip_note(g, s);
}

void ocf_gossip_mesh_drop_peer(struct ocf_gossip *g, struct peer *p)
{
  OCF_LIST_FOREACH (it, &p->subs)
    ocf_gossip_mesh_set(g, OCF_LIST_ENTRY(it, struct sub, peer_link), false);
}

static void graft(struct ocf_gossip *g, struct sub *s)
{
  ocf_gossip_mesh_set(g, s, true);
  s->p->graft |= slot_bit(s->t);
  ocf_gossip_tx_wake(g, s->p);
}

/* ---- back-off ---- */

static struct ocf_bytes backoff_key(const struct peer *p, const struct topic *t,
                                    uint8_t key[8 + OCF_PEERID_MAX])
{
  ocf_put_be64(key, t->node.hash);
  memcpy(key + 8, p->id.b, p->id.n);
  return ocf_bytes(key, 8u + p->id.n);
}

static struct backoff *find_backoff(const struct ocf_gossip *g, const struct peer *p,
                                    const struct topic *t)
{
  uint8_t key[8 + OCF_PEERID_MAX];
  struct ocf_lru_node *n = ocf_lru_peek(&g->backoffs, backoff_key(p, t, key));
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct backoff, node);
}

uint64_t ocf_gossip_backoff_until(const struct ocf_gossip *g, const struct peer *p,
                                  const struct topic *t)
{
  const struct backoff *b = find_backoff(g, p, t);
  return b == NULL ? 0 : b->until_ns;
}

/* Never shortens one. Without memory for it none is kept: the other side still has its own. */
static void add_backoff(struct ocf_gossip *g, uint64_t now_ns, const struct peer *p,
                        const struct topic *t, uint64_t for_ns)
{
  struct ocf_lru_node *old = NULL;
  struct backoff *b = find_backoff(g, p, t);
  if (b == NULL) {
    b = OCF_NEW(g->a, struct backoff);
    if (b == NULL)
      return;
    b->n = (uint8_t)backoff_key(p, t, b->key).n;
    if (ocf_lru_put(&g->backoffs, &b->node, ocf_bytes(b->key, b->n), &old) != 0) {
      OCF_DELETE(g->a, b);
      return;
    }
  } else {
    (void)ocf_lru_get(&g->backoffs, ocf_bytes(b->key, b->n));
  }
  if (old != NULL)
    ocf_alloc_put(g->a, OCF_CONTAINER_OF(old, struct backoff, node), sizeof(struct backoff));
  b->since_ns = now_ns;
  b->until_ns = OCF_MAX(b->until_ns, ocf_time_add(now_ns, for_ns));
}

/* Those that are over and were not touched for long. */
static void expire_backoffs(struct ocf_gossip *g, uint64_t now_ns)
{
  while (!ocf_list_empty(&g->backoffs.order)) {
    struct ocf_lru_node *n = OCF_CONTAINER_OF(g->backoffs.order.prev, struct ocf_lru_node, link);
    struct backoff *b = OCF_CONTAINER_OF(n, struct backoff, node);
    if (now_ns < ocf_time_add(b->until_ns, BACKOFF_SLACK_NS))
      return;
    ocf_lru_remove(&g->backoffs, n);
    OCF_DELETE(g->a, b);
  }
}

static void prune(struct ocf_gossip *g, uint64_t now_ns, struct sub *s, uint64_t backoff_ns)
{
  const struct ocf_gossip_params *c = &g->cfg.params;
  uint32_t bit = slot_bit(s->t);
  ocf_gossip_mesh_set(g, s, false);
  add_backoff(g, now_ns, s->p, s->t, backoff_ns);
  if (s->p->out == OUT_NONE || s->p->out == OUT_LOST)
    return;
  s->p->graft &= ~bit;
  s->p->prune |= bit;
  s->p->prune_leave &= ~bit;
  if (backoff_ns == c->unsubscribe_backoff_ns)
    s->p->prune_leave |= bit;
  ocf_gossip_tx_wake(g, s->p);
}

/* ---- choosing peers ---- */

size_t ocf_gossip_pick(struct ocf_gossip *g, uint64_t now_ns, struct topic *t,
                       bool (*ok)(struct ocf_gossip *g, uint64_t now_ns, const struct sub *s),
                       struct sub **out, size_t want)
{
  size_t n = 0, met = 0;
  if (want == 0)
    return 0;
  OCF_LIST_FOREACH (it, &t->subs) {
    struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    if (!s->subscribed || !ok(g, now_ns, s))
      continue;
    met++;
    if (n < want) {
      out[n++] = s;
      continue;
    }
    uint64_t at = ocf_rng_below(g->cfg.rng, met);
    if (at < want)
      out[at] = s;
  }
  return n;
}

static bool is_candidate(struct ocf_gossip *g, uint64_t now_ns, const struct sub *s)
{
  if (s->mesh || !ocf_gossip_peer_meshes(s->p) || ocf_gossip_score(g, s->p) < 0)
    return false;
  return now_ns >= ocf_time_add(ocf_gossip_backoff_until(g, s->p, s->t), BACKOFF_SLACK_NS);
}

static bool is_candidate_out(struct ocf_gossip *g, uint64_t now_ns, const struct sub *s)
{
  return s->p->outbound && is_candidate(g, now_ns, s);
}

static void graft_some(struct ocf_gossip *g, uint64_t now_ns, struct topic *t, size_t want,
                       bool (*ok)(struct ocf_gossip *g, uint64_t now_ns, const struct sub *s))
{
  size_t n = ocf_gossip_pick(g, now_ns, t, ok, g->picked, OCF_MIN(want, g->cfg.limits.peers_max));
  for (size_t i = 0; i < n; i++)
    graft(g, g->picked[i]);
}

void ocf_gossip_graft_early(struct ocf_gossip *g, uint64_t now_ns, struct sub *s)
{
  if (s->subscribed && s->t->joined && s->t->n_mesh < g->cfg.params.d && is_candidate(g, now_ns, s))
    graft(g, s);
}

/* ---- joining and leaving ---- */

int ocf_gossip_join(struct ocf_gossip *g, uint64_t now_ns, struct ocf_bytes topic)
{
  struct topic *t;
  int err = get_topic(g, topic, SIZE_MAX, &t); /* its slot bounds it */
  if (err != 0)
    return err;
  err = take_slot(g, t);
  if (err != 0) {
    ocf_gossip_topic_settle(g, t);
    return err;
  }
  if (t->joined)
    return 0;
  t->joined = true;
  g->joined |= slot_bit(t);
  OCF_LIST_FOREACH (it, &t->subs)
    OCF_LIST_ENTRY(it, struct sub, topic_link)->fanout = false;
  t->n_fanout = 0;
  graft_some(g, now_ns, t, g->cfg.params.d, is_candidate);
  wake_all(g);
  return 0;
}

void ocf_gossip_leave(struct ocf_gossip *g, uint64_t now_ns, struct ocf_bytes topic)
{
  struct topic *t = ocf_gossip_topic_find(g, topic);
  if (t == NULL || !t->joined)
    return;
  OCF_LIST_FOREACH (it, &t->subs) {
    struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    if (s->mesh)
      prune(g, now_ns, s, g->cfg.params.unsubscribe_backoff_ns);
    s->told_mesh = false;
  }
  t->joined = false;
  g->joined &= ~slot_bit(t);
  wake_all(g);
}

/* ---- what peers ask ---- */

/* Whether `p` may be in the mesh because it asks; false after counting it as a misdeed if it is
 * one. */
static bool may_graft(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, struct topic *t)
{
  const struct backoff *b = find_backoff(g, p, t);
  if (b != NULL && ocf_time_add(now_ns, BACKOFF_SLACK_NS) < b->until_ns) {
    g->stats.backoff_violations++;
    ocf_gossip_penalize(g, p, 0, now_ns - b->since_ns < GRAFT_FLOOD_NS ? 2 : 1);
    return false;
  }
  if (ocf_gossip_score(g, p) < 0 || !ocf_gossip_peer_reachable(p))
    return false;
  return t->n_mesh < g->cfg.params.d_hi || p->outbound;
}

void ocf_gossip_grafted(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                        struct ocf_bytes name)
{
  struct topic *t = ocf_gossip_topic_find(g, name);
  struct sub *s = t == NULL || !t->joined ? NULL : ocf_gossip_sub_find(p, t);
  if (s == NULL || s->mesh || !s->subscribed)
    return;
  if (p->out == OUT_UP && p->proto == OCF_GOSSIP_FLOODSUB)
    return; /* knows of no mesh, or should not */
  if (may_graft(g, now_ns, p, t))
    ocf_gossip_mesh_set(g, s, true);
  else
    prune(g, now_ns, s, g->cfg.params.prune_backoff_ns);
}

void ocf_gossip_pruned(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                       const struct rpc_part *part)
{
  struct topic *t = ocf_gossip_topic_find(g, part->topic);
  struct sub *s = t == NULL || !t->joined ? NULL : ocf_gossip_sub_find(p, t);
  if (t == NULL || !t->joined)
    return;
  uint64_t for_ns = g->cfg.params.prune_backoff_ns;
  uint64_t max_s = g->cfg.params.backoff_max_ns / OCF_NS_PER_S;
  if (part->has_backoff && part->backoff_s > 0)
    for_ns = OCF_MIN(part->backoff_s, max_s) * OCF_NS_PER_S;
  add_backoff(g, now_ns, p, t, for_ns);
  p->graft &= ~slot_bit(t);
  if (s != NULL)
    ocf_gossip_mesh_set(g, s, false);
}

/* ---- the heartbeat ---- */

/* Puts the mesh of `t` into g->picked, best score first after the shuffle among equals. */
static size_t ranked_mesh(struct ocf_gossip *g, const struct topic *t)
{
  size_t n = 0;
  OCF_LIST_FOREACH (it, &t->subs) {
    struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    if (!s->mesh)
      continue;
    size_t at = (size_t)ocf_rng_below(g->cfg.rng, n + 1);
    g->picked[n] = g->picked[at];
    g->picked[at] = s;
    n++;
  }
  for (size_t i = 0; i < OCF_MIN(n, g->cfg.params.d_score); i++) {
    size_t best = i;
    for (size_t k = i + 1; k < n; k++)
      if (ocf_gossip_score(g, g->picked[k]->p) > ocf_gossip_score(g, g->picked[best]->p))
        best = k;
    struct sub *s = g->picked[i];
    g->picked[i] = g->picked[best];
    g->picked[best] = s;
  }
  return n;
}

/* Moves outbound peers from behind `keep` before it, in the place of inbound ones behind d_score,
 * until there are d_out of them. */
static void favour_outbound(struct ocf_gossip *g, size_t n, size_t keep)
{
  size_t n_out = 0;
  for (size_t i = 0; i < keep; i++)
    n_out += g->picked[i]->p->outbound;
  size_t at = keep;
  for (size_t i = keep; i < n && n_out < g->cfg.params.d_out; i++) {
    if (!g->picked[i]->p->outbound)
      continue;
    while (at > g->cfg.params.d_score && g->picked[at - 1]->p->outbound)
      at--;
    if (at <= g->cfg.params.d_score)
      return;
    struct sub *s = g->picked[--at];
    g->picked[at] = g->picked[i];
    g->picked[i] = s;
    n_out++;
  }
}

static void cut_mesh(struct ocf_gossip *g, uint64_t now_ns, struct topic *t)
{
  size_t n = ranked_mesh(g, t), keep = g->cfg.params.d;
  favour_outbound(g, n, keep);
  for (size_t i = keep; i < n; i++)
    prune(g, now_ns, g->picked[i], g->cfg.params.prune_backoff_ns);
}

static void tend_mesh(struct ocf_gossip *g, uint64_t now_ns, struct topic *t)
{
  const struct ocf_gossip_params *c = &g->cfg.params;
  OCF_LIST_FOREACH (it, &t->subs) {
    struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    if (s->mesh && ocf_gossip_score(g, s->p) < 0)
      prune(g, now_ns, s, c->prune_backoff_ns);
  }
  if (t->n_mesh < c->d_lo)
    graft_some(g, now_ns, t, c->d - t->n_mesh, is_candidate);
  if (t->n_mesh > c->d_hi)
    cut_mesh(g, now_ns, t);
  if (t->n_mesh >= c->d_lo && t->n_mesh_out < c->d_out)
    graft_some(g, now_ns, t, c->d_out - t->n_mesh_out, is_candidate_out);
}

static void expire_fanout(uint64_t now_ns, struct topic *t)
{
  if (t->n_fanout == 0 || now_ns < t->fanout_until_ns)
    return;
  OCF_LIST_FOREACH (it, &t->subs)
    OCF_LIST_ENTRY(it, struct sub, topic_link)->fanout = false;
  t->n_fanout = 0;
}

static void tend_fanouts(struct ocf_gossip *g, uint64_t now_ns)
{
  OCF_LIST_FOREACH (it, &g->topic_list)
    expire_fanout(now_ns, OCF_LIST_ENTRY(it, struct topic, all));
}

void ocf_gossip_heartbeat(struct ocf_gossip *g, uint64_t now_ns)
{
  g->heartbeat++;
  g->stats.heartbeats++;
  ocf_gossip_lazy_heartbeat(g, now_ns);
  ocf_gossip_score_heartbeat(g);
  expire_backoffs(g, now_ns);
  ocf_gossip_ids_expire(&g->seen, now_ns);
  for (int i = 0; i < SLOTS; i++)
    if (g->slots[i] != NULL && g->slots[i]->joined)
      tend_mesh(g, now_ns, g->slots[i]);
  tend_fanouts(g, now_ns);
  ocf_gossip_emit(g, now_ns);
  release_slots(g);
  wake_all(g);
}
