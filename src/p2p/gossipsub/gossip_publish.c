#include "p2p/gossipsub/gossip_int.h"

#include "base/core/endian.h"

enum { MSG_FROM = 1, MSG_DATA = 2, MSG_SEQNO = 3, MSG_TOPIC = 4, MSG_SIGNATURE = 5, MSG_KEY = 6 };

/* ---- making a message ---- */

/* The key travels only where the peer id does not hold it. */
static struct ocf_bytes key_field(const struct ocf_gossip *g)
{
  struct ocf_bytes inlined;
  if (ocf_peerid_inline_key(&g->self, &inlined))
    return ocf_bytes(NULL, 0);
  return ocf_pubkey_bytes(ocf_key_public(g->cfg.key));
}

static void put_message(struct ocf_pb_writer *w, const struct wire_msg *m)
{
  const struct ocf_bytes fields[] = { m->from, m->data, m->seqno, m->topic, m->signature, m->key };
  for (uint32_t i = 0; i < OCF_ARRAY_LEN(fields); i++)
    if (fields[i].p != NULL)
      ocf_pb_put_bytes(w, MSG_FROM + i, fields[i]);
}

static int sign(struct ocf_gossip *g, struct wire_msg *m, uint8_t sig[OCF_KEY_SIG_MAX])
{
  size_t n = 0;
  ocf_buf_clear(&g->body);
  int err = ocf_gossip_msg_signed(m, &g->body);
  if (err == 0)
    err = ocf_key_sign(g->cfg.key, ocf_buf_view(&g->body), sig, OCF_KEY_SIG_MAX, &n);
  m->signature = ocf_bytes(sig, n);
  return err;
}

static struct msg *encode(struct ocf_gossip *g, const struct wire_msg *wire)
{
  struct ocf_pb_writer count = ocf_pb_count();
  size_t n = 0;
  put_message(&count, wire);
  if (ocf_pb_end(&count, &n) != 0)
    return NULL;
  struct msg *m = ocf_gossip_msg_new(g, n);
  if (m == NULL)
    return NULL;
  struct ocf_pb_writer w = ocf_pb_write_array(m->raw, n);
  put_message(&w, wire);
  OCF_ASSERT(ocf_pb_end(&w, &n) == 0 && n == m->n);
  OCF_ASSERT(ocf_gossip_msg_decode(ocf_bytes(m->raw, n), &m->wire) == 0);
  return m;
}

static int make_message(struct ocf_gossip *g, struct ocf_bytes topic, struct ocf_bytes data,
                        struct msg **out)
{
  uint8_t seqno[SEQNO_LEN], sig[OCF_KEY_SIG_MAX];
  struct wire_msg wire = { .from = ocf_peerid_view(&g->self),
                           .data = data,
                           .seqno = ocf_bytes(seqno, sizeof(seqno)),
                           .topic = topic,
                           .key = key_field(g) };
  if (wire.data.p == NULL)
    wire.data.p = seqno; /* empty, but there: Go writes it so */
  ocf_put_be64(seqno, g->seqno);
  int err = sign(g, &wire, sig);
  if (err != 0)
    return err;
  struct msg *m = encode(g, &wire);
  if (m == NULL)
    return OCF_ENOMEM;
  g->seqno++;
  m->author = m->from_id = g->self;
  m->n_id = (uint8_t)(g->self.n + SEQNO_LEN);
  memcpy(m->id, g->self.b, g->self.n);
  memcpy(m->id + g->self.n, seqno, SEQNO_LEN);
  *out = m;
  return 0;
}

/* ---- sending it ---- */

static bool takes_publish(const struct ocf_gossip *g, const struct sub *s)
{
  return s->subscribed && ocf_gossip_peer_reachable(s->p) &&
         ocf_gossip_score(g, s->p) >= g->cfg.score.publish_below;
}

static bool is_flood(const struct peer *p)
{
  return p->out == OUT_UP && p->proto == OCF_GOSSIP_FLOODSUB;
}

static bool is_filler(struct ocf_gossip *g, uint64_t now_ns, const struct sub *s)
{
  (void)now_ns;
  return takes_publish(g, s) && !s->mesh && !s->fanout && !is_flood(s->p);
}

/* Peers beyond mesh (or fanout) and floodsub peers, which get it anyway. */
static void fill_up(struct ocf_gossip *g, uint64_t now_ns, struct topic *t, struct msg *m)
{
  const struct ocf_gossip_params *c = &g->cfg.params;
  size_t have = t->joined ? t->n_mesh : t->n_fanout;
  if (have >= c->d_lo)
    return;
  size_t want = OCF_MIN(c->d - have, g->cfg.limits.peers_max);
  size_t n = ocf_gossip_pick(g, now_ns, t, is_filler, g->picked, want);
  for (size_t i = 0; i < n; i++) {
    (void)ocf_gossip_queue(g, g->picked[i]->p, Q_OWN, m);
    if (t->joined)
      continue;
    g->picked[i]->fanout = true;
    t->n_fanout++;
  }
}

static void send_own(struct ocf_gossip *g, uint64_t now_ns, struct msg *m)
{
  struct topic *t = ocf_gossip_topic_find(g, m->wire.topic);
  (void)!ocf_gossip_ids_add(&g->seen, ocf_gossip_msg_id(m),
                            ocf_time_add(now_ns, g->cfg.params.seen_ttl_ns));
  ocf_gossip_keep(g, m);
  g->stats.published++;
  if (t == NULL)
    return;
  OCF_LIST_FOREACH (it, &t->subs) {
    const struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    if (s->mesh || ((s->fanout || is_flood(s->p)) && takes_publish(g, s)))
      (void)ocf_gossip_queue(g, s->p, Q_OWN, m);
  }
  fill_up(g, now_ns, t, m);
  if (!t->joined)
    t->fanout_until_ns = ocf_time_add(now_ns, g->cfg.params.fanout_ttl_ns);
}

/* ---- pacing ---- */

void ocf_gossip_publish_tick(struct ocf_gossip *g, uint64_t now_ns)
{
  while (!ocf_list_empty(&g->publishing)) {
    if (!ocf_gossip_token(g, now_ns, &g->tokens, &g->tokens_ns)) {
      ocf_wheel_start(&g->wheel, &g->publish_timer,
                      ocf_time_add(g->tokens_ns, g->cfg.params.publish_refill_ns));
      return;
    }
    struct msg *m = OCF_LIST_ENTRY(ocf_list_pop_front(&g->publishing), struct msg, ready_link);
    g->n_publishing--;
    send_own(g, now_ns, m);
    ocf_gossip_msg_put(g, m);
  }
}

int ocf_gossip_publish(struct ocf_gossip *g, uint64_t now_ns, struct ocf_bytes topic,
                       struct ocf_bytes data)
{
  struct msg *m;
  if (topic.n == 0 || topic.n > OCF_GOSSIP_TOPIC_MAX)
    return OCF_EINVAL;
  if (data.n > g->cfg.limits.data_max)
    return OCF_ELIMIT;
  if (g->n_publishing >= g->cfg.limits.publish_wait_max)
    return OCF_EAGAIN;
  int err = make_message(g, topic, data, &m);
  if (err != 0)
    return err;
  ocf_list_push_back(&g->publishing, &m->ready_link);
  g->n_publishing++;
  ocf_gossip_publish_tick(g, now_ns);
  return 0;
}
