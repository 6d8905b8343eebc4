#include "p2p/gossipsub/gossip_int.h"

enum { IHAVE_TOPIC = 1, IHAVE_IDS = 2, IDS = 1 };

/* ---- the message cache ---- */

/* What keeping `m` takes. */
static size_t cost(const struct msg *m)
{
  return sizeof(*m) + sizeof(struct kept) + m->n;
}

void ocf_gossip_kept_free(struct ocf_gossip *g, struct kept *k)
{
  ocf_map_remove(&g->mcache, &k->node);
  ocf_list_remove(&k->link);
  g->mcache_bytes -= cost(k->m);
  ocf_gossip_msg_put(g, k->m);
  ocf_buf_fini(&k->answers);
  OCF_DELETE(g->a, k);
}

static struct kept *oldest_kept(const struct ocf_gossip *g)
{
  return OCF_LIST_ENTRY(g->mcache_order.next, struct kept, link);
}

/* Without memory the message is not kept: peers of the mesh get it all the same. */
void ocf_gossip_keep(struct ocf_gossip *g, struct msg *m)
{
  size_t max = g->cfg.limits.mcache_bytes_max;
  if (cost(m) > max)
    return;
  while (cost(m) > max - g->mcache_bytes)
    ocf_gossip_kept_free(g, oldest_kept(g));
  struct kept *k = OCF_NEW(g->a, struct kept);
  if (k == NULL)
    return;
  if (ocf_map_insert(&g->mcache, &k->node, ocf_gossip_msg_id(m)) != 0) {
    OCF_DELETE(g->a, k);
    return;
  }
  k->m = m;
  m->refs++;
  k->heartbeat = g->heartbeat;
  g->mcache_bytes += cost(m);
  ocf_buf_init(&k->answers, g->a, g->cfg.limits.peers_max * sizeof(struct answer));
  ocf_list_push_back(&g->mcache_order, &k->link);
}

static struct kept *find_kept(const struct ocf_gossip *g, struct ocf_bytes id)
{
  struct ocf_map_node *n = ocf_map_find(&g->mcache, id);
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct kept, node);
}

/* ---- IHAVE, from us ---- */

static void put_ihave(const struct topic *t, const struct ocf_gossip *g, size_t skip, size_t n,
                      struct ocf_pb_writer *w)
{
  size_t at = 0;
  ocf_pb_put_bytes(w, IHAVE_TOPIC, ocf_gossip_topic_name(t));
  OCF_LIST_FOREACH (it, &g->mcache_order) {
    const struct kept *k = OCF_LIST_ENTRY(it, struct kept, link);
    if (g->heartbeat - k->heartbeat > g->cfg.params.history_gossip ||
        !ocf_bytes_eq(k->m->wire.topic, ocf_gossip_topic_name(t)))
      continue;
    if (at >= skip && at - skip < n)
      ocf_pb_put_bytes(w, IHAVE_IDS, ocf_gossip_msg_id(k->m));
    at++;
  }
}

static size_t count_fresh(const struct ocf_gossip *g, const struct topic *t)
{
  size_t n = 0;
  OCF_LIST_FOREACH (it, &g->mcache_order) {
    const struct kept *k = OCF_LIST_ENTRY(it, struct kept, link);
    n += g->heartbeat - k->heartbeat <= g->cfg.params.history_gossip &&
         ocf_bytes_eq(k->m->wire.topic, ocf_gossip_topic_name(t));
  }
  return n;
}

/* An IHAVE part of `n` ids of `t` after the first `skip`; NULL without memory. */
static struct msg *make_ihave(struct ocf_gossip *g, const struct topic *t, size_t skip, size_t n)
{
  struct ocf_pb_writer count = ocf_pb_count();
  size_t len = 0;
  put_ihave(t, g, skip, n, &count);
  if (ocf_pb_end(&count, &len) != 0)
    return NULL;
  struct msg *m = ocf_gossip_msg_new(g, len);
  if (m == NULL)
    return NULL;
  struct ocf_pb_writer w = ocf_pb_write_array(m->raw, len);
  put_ihave(t, g, skip, n, &w);
  OCF_ASSERT(ocf_pb_end(&w, &len) == 0 && len == m->n);
  return m;
}

static bool is_gossip_peer(struct ocf_gossip *g, uint64_t now_ns, const struct sub *s)
{
  (void)now_ns;
  return !s->mesh && !s->fanout && ocf_gossip_peer_meshes(s->p) &&
         ocf_gossip_score(g, s->p) >= g->cfg.score.gossip_below;
}

static size_t count_gossip_peers(struct ocf_gossip *g, uint64_t now_ns, const struct topic *t)
{
  size_t n = 0;
  OCF_LIST_FOREACH (it, &t->subs) {
    const struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    n += s->subscribed && is_gossip_peer(g, now_ns, s);
  }
  return n;
}

static void emit_topic(struct ocf_gossip *g, uint64_t now_ns, struct topic *t)
{
  size_t n_ids = OCF_MIN(count_fresh(g, t), g->cfg.limits.ihave_ids_max);
  if (n_ids == 0)
    return;
  size_t part = IHAVE_PART_BYTES / (OCF_GOSSIP_ID_MAX + 2);
  size_t want = count_gossip_peers(g, now_ns, t) * g->cfg.params.gossip_percent / 100;
  want = OCF_MIN(OCF_MAX(want, g->cfg.params.d_lazy), g->cfg.limits.peers_max);
  size_t n = ocf_gossip_pick(g, now_ns, t, is_gossip_peer, g->picked, want);
  for (size_t skip = 0; n > 0 && skip < n_ids; skip += part) {
    size_t ids = OCF_MIN(part, n_ids - skip);
    struct msg *m = make_ihave(g, t, skip, ids);
    if (m == NULL)
      return;
    for (size_t i = 0; i < n; i++)
      if (ocf_gossip_queue(g, g->picked[i]->p, Q_IHAVE, m) == 0)
        g->stats.tx[OCF_GOSSIP_K_IHAVE_IDS] += ids;
    ocf_gossip_msg_put(g, m);
  }
}

/* An IHAVE that still waits is out of date: the new one has what is in it and is still kept. */
static void drop_old_ihaves(struct ocf_gossip *g)
{
  OCF_LIST_FOREACH (it, &g->peer_list)
    ocf_gossip_queue_drop(g, OCF_LIST_ENTRY(it, struct peer, all), Q_IHAVE);
}

void ocf_gossip_emit(struct ocf_gossip *g, uint64_t now_ns)
{
  drop_old_ihaves(g);
  OCF_LIST_FOREACH (it, &g->topic_list) {
    struct topic *t = OCF_LIST_ENTRY(it, struct topic, all);
    if (t->joined || t->n_fanout > 0)
      emit_topic(g, now_ns, t);
  }
}

/* ---- promises ---- */

static struct promise *find_promise(const struct ocf_gossip *g, struct ocf_bytes id)
{
  struct ocf_map_node *n = ocf_map_find(&g->promises, id);
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct promise, node);
}

static void promise_free(struct ocf_gossip *g, struct promise *pr)
{
  ocf_map_remove(&g->promises, &pr->node);
  ocf_list_remove(&pr->link);
  OCF_DELETE(g->a, pr);
}

void ocf_gossip_promise_kept(struct ocf_gossip *g, struct ocf_bytes id)
{
  struct promise *pr = find_promise(g, id);
  if (pr != NULL)
    promise_free(g, pr);
}

static void drop_asker(struct promise *pr, unsigned i)
{
  pr->n_askers--;
  for (; i < pr->n_askers; i++)
    pr->askers[i] = pr->askers[i + 1];
}

void ocf_gossip_promise_excuse(struct ocf_gossip *g, struct ocf_bytes id, uint64_t uid)
{
  struct promise *pr = find_promise(g, id);
  for (unsigned i = 0; pr != NULL && i < pr->n_askers; i++) {
    if (pr->askers[i].uid != uid)
      continue;
    drop_asker(pr, i);
    if (pr->n_askers == 0)
      promise_free(g, pr);
    return;
  }
}

static struct promise *new_promise(struct ocf_gossip *g, struct ocf_bytes id)
{
  struct promise *pr = OCF_NEW(g->a, struct promise);
  if (pr == NULL)
    return NULL;
  pr->n = (uint8_t)id.n;
  memcpy(pr->id, id.p, id.n);
  if (ocf_map_insert(&g->promises, &pr->node, ocf_bytes(pr->id, pr->n)) != 0) {
    OCF_DELETE(g->a, pr);
    return NULL;
  }
  ocf_list_push_back(&g->promise_order, &pr->link);
  return pr;
}

/* Whether `id` is to be asked of `p` now; remembers that it is. */
static bool promise_ask(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, struct ocf_bytes id)
{
  struct promise *pr = find_promise(g, id);
  if (pr == NULL)
    pr = new_promise(g, id);
  else if (pr->n_askers == ASKERS_MAX ||
           now_ns - pr->askers[pr->n_askers - 1].asked_ns < g->cfg.params.iwant_again_ns)
    return false;
  if (pr == NULL)
    return false;
  for (unsigned i = 0; i < pr->n_askers; i++)
    if (pr->askers[i].uid == p->uid)
      return false;
  pr->askers[pr->n_askers].uid = p->uid;
  pr->askers[pr->n_askers].asked_ns = now_ns;
  pr->n_askers++;
  return true;
}

static void broken(struct ocf_gossip *g, uint64_t uid)
{
  OCF_LIST_FOREACH (it, &g->peer_list) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    if (p->uid != uid || p->broke_promise)
      continue;
    p->broke_promise = true;
    g->stats.broken_promises++;
    ocf_gossip_penalize(g, p, 0, 1);
  }
}

/* The list is in the order of the first askings; an id that was asked of others too goes to its
 * end, so that theirs may be found broken a little late. */
static void expire_promises(struct ocf_gossip *g, uint64_t now_ns)
{
  while (!ocf_list_empty(&g->promise_order)) {
    struct promise *pr = OCF_LIST_ENTRY(g->promise_order.next, struct promise, link);
    if (now_ns - pr->askers[0].asked_ns < g->cfg.params.promise_ns)
      return;
    broken(g, pr->askers[0].uid);
    drop_asker(pr, 0);
    ocf_list_remove(&pr->link);
    ocf_list_push_back(&g->promise_order, &pr->link);
    if (pr->n_askers == 0)
      promise_free(g, pr);
  }
}

/* ---- IHAVE, IWANT and IDONTWANT, from peers ---- */

static bool is_ours(const struct ocf_gossip *g, struct ocf_bytes id)
{
  return id.n == g->self.n + (size_t)SEQNO_LEN && memcmp(id.p, g->self.b, g->self.n) == 0;
}

static void rx_ihave_id(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, struct ocf_bytes id)
{
  if (p->ihave_ids >= g->cfg.limits.ihave_ids_max || id.n == 0 || id.n > OCF_GOSSIP_ID_MAX)
    return;
  p->ihave_ids++;
  if (is_ours(g, id) || ocf_gossip_ids_has(&g->seen, id) || p->out != OUT_UP ||
      p->iwant.n + id.n + 2 > p->iwant.max || !promise_ask(g, now_ns, p, id))
    return;
  struct ocf_pb_writer w = ocf_pb_write_buf(&p->iwant);
  ocf_pb_put_bytes(&w, IDS, id);
  if (ocf_pb_end(&w, NULL) != 0)
    ocf_gossip_promise_excuse(g, id, p->uid);
}

/* One more answer to `p` for `k`; false when it has had its share (or there is no memory). */
static bool count_answer(struct ocf_gossip *g, const struct peer *p, struct kept *k)
{
  size_t n = k->answers.n / sizeof(struct answer);
  struct answer *a = (struct answer *)(void *)k->answers.p;
  for (size_t i = 0; i < n; i++)
    if (a[i].uid == p->uid)
      return a[i].n++ < g->cfg.limits.iwant_answers_max;
  struct answer fresh = { p->uid, 1 };
  return ocf_buf_add(&k->answers, &fresh, sizeof(fresh)) == 0;
}

static void rx_iwant_id(struct ocf_gossip *g, struct peer *p, struct ocf_bytes id)
{
  struct kept *k = find_kept(g, id);
  if (k != NULL && ocf_gossip_peer_reachable(p) && count_answer(g, p, k))
    (void)ocf_gossip_queue(g, p, Q_ANSWER, k->m);
}

static void rx_idontwant_id(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                            struct ocf_bytes id)
{
  uint64_t for_ns = g->cfg.params.idontwant_heartbeats * g->cfg.params.heartbeat_ns;
  if (id.n == 0 || id.n > OCF_GOSSIP_ID_MAX)
    return;
  (void)!ocf_gossip_ids_add(&p->dontwant, id, ocf_time_add(now_ns, for_ns));
}

/* Where we are in an RPC's control part. */
struct walk {
  bool ihave_topic;   /* the IHAVE being read is of a topic that we are in */
  bool ihave_counted; /* this RPC counts as one that bears IHAVE */
  uint32_t topics;    /* parts with a topic so far */
  uint32_t iwants, idontwants;
};

static bool takes_gossip(const struct ocf_gossip *g, const struct peer *p)
{
  return ocf_gossip_score(g, p) >= g->cfg.score.gossip_below;
}

static void begin_ihave(struct ocf_gossip *g, struct peer *p, struct ocf_bytes topic,
                        struct walk *w)
{
  const struct topic *t = ocf_gossip_topic_find(g, topic);
  g->stats.rx[OCF_GOSSIP_K_IHAVE]++;
  if (!w->ihave_counted)
    p->ihave_msgs++;
  w->ihave_counted = true;
  w->ihave_topic =
      t != NULL && t->joined && takes_gossip(g, p) && p->ihave_msgs <= g->cfg.limits.ihave_msgs_max;
}

static void rx_part(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                    const struct rpc_part *part, struct walk *w)
{
  bool heeded = part->topic.p == NULL || w->topics++ < PARTS_MAX;
  switch (part->kind) {
  case PART_IHAVE: begin_ihave(g, p, part->topic, w); break;
  case PART_IHAVE_ID:
    g->stats.rx[OCF_GOSSIP_K_IHAVE_IDS]++;
    if (w->ihave_topic)
      rx_ihave_id(g, now_ns, p, part->id);
    break;
  case PART_IWANT: g->stats.rx[OCF_GOSSIP_K_IWANT]++; break;
  case PART_IWANT_ID:
    g->stats.rx[OCF_GOSSIP_K_IWANT_IDS]++;
    if (w->iwants++ < g->cfg.limits.iwant_ids_max && takes_gossip(g, p))
      rx_iwant_id(g, p, part->id);
    break;
  case PART_IDONTWANT:
    g->stats.rx[OCF_GOSSIP_K_IDONTWANT]++;
    w->idontwants = 0;
    break;
  case PART_IDONTWANT_ID:
    if (w->idontwants++ < g->cfg.limits.idontwant_ids_max)
      rx_idontwant_id(g, now_ns, p, part->id);
    break;
  case PART_GRAFT:
    g->stats.rx[OCF_GOSSIP_K_GRAFT]++;
    if (heeded)
      ocf_gossip_grafted(g, now_ns, p, part->topic);
    break;
  case PART_PRUNE:
    g->stats.rx[OCF_GOSSIP_K_PRUNE]++;
    if (heeded)
      ocf_gossip_pruned(g, now_ns, p, part);
    break;
  case PART_SUB:
  case PART_MSG: break;
  }
}

void ocf_gossip_rx_control(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                           struct ocf_bytes rpc)
{
  struct rpc_reader r = ocf_gossip_rpc_read(rpc, PASS_CONTROL);
  struct rpc_part part;
  struct walk w = { 0 };
  while (!ocf_gossip_is_condemned(g, p) && ocf_gossip_rpc_next(&r, &part) > 0)
    rx_part(g, now_ns, p, &part, &w);
  ocf_gossip_tx_wake(g, p);
}

/* ---- IDONTWANT, from us ---- */

/* After verification, not before as Go does it: a forged copy cannot keep the real one away. */
void ocf_gossip_send_idontwant(struct ocf_gossip *g, struct topic *t, const struct msg *m,
                               const struct pending *q)
{
  size_t min = g->cfg.params.idontwant_min_bytes;
  if (min == 0 || m->wire.data.n < min)
    return;
  OCF_LIST_FOREACH (it, &t->subs) {
    const struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    struct peer *p = s->p;
    if (!s->mesh || p->out != OUT_UP || p->proto != OCF_GOSSIP_V12 || ocf_gossip_brought(q, p))
      continue;
    struct ocf_pb_writer w = ocf_pb_write_buf(&p->idontwant);
    ocf_pb_put_bytes(&w, IDS, ocf_gossip_msg_id(m));
    (void)!ocf_pb_end(&w, NULL); /* it only saves bytes */
    ocf_gossip_tx_wake(g, p);
  }
}

/* ---- time ---- */

void ocf_gossip_lazy_heartbeat(struct ocf_gossip *g, uint64_t now_ns)
{
  OCF_LIST_FOREACH (it, &g->peer_list) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    p->ihave_msgs = p->ihave_ids = 0;
    p->broke_promise = false;
    ocf_gossip_ids_expire(&p->dontwant, now_ns);
  }
  expire_promises(g, now_ns);
  while (!ocf_list_empty(&g->mcache_order) &&
         g->heartbeat - oldest_kept(g)->heartbeat > g->cfg.params.history)
    ocf_gossip_kept_free(g, oldest_kept(g));
}
