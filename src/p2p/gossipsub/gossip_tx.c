#include "p2p/gossipsub/gossip_int.h"

#include "fmt/varint/varint.h"

enum { RPC_SUB = 1, RPC_PUBLISH = 2, RPC_CONTROL = 3 };
enum { CTL_IHAVE = 1, CTL_IWANT = 2, CTL_GRAFT = 3, CTL_PRUNE = 4, CTL_IDONTWANT = 5 };

/* ---- queues ---- */

static void item_free(struct ocf_gossip *g, struct peer *p, enum queue_kind kind, struct item *it)
{
  ocf_list_remove(&it->link);
  p->n_queue[kind]--;
  p->queue_bytes -= it->m->n;
  g->queue_bytes -= it->m->n;
  g->queue_msgs--;
  ocf_gossip_msg_put(g, it->m);
  OCF_DELETE(g->a, it);
}

static struct item *first_item(const struct peer *p, enum queue_kind kind)
{
  if (ocf_list_empty(&p->queue[kind]))
    return NULL;
  return OCF_LIST_ENTRY(p->queue[kind].next, struct item, link);
}

static void count_drop(struct ocf_gossip *g, enum queue_kind kind)
{
  switch (kind) {
  case Q_OWN: g->stats.dropped_own++; break;
  case Q_ANSWER:
  case Q_FORWARD: g->stats.dropped_forward++; break;
  case Q_IHAVE:
  case Q_N: g->stats.dropped_ihave++; break;
  }
}

static bool fits(const struct ocf_gossip *g, const struct peer *p, size_t n)
{
  const struct ocf_gossip_limits *lim = &g->cfg.limits;
  size_t msgs =
      p->n_queue[Q_OWN] + p->n_queue[Q_ANSWER] + p->n_queue[Q_FORWARD] + p->n_queue[Q_IHAVE];
  return msgs < lim->queue_msgs_max && n <= lim->queue_bytes_max - p->queue_bytes &&
         n <= lim->queue_total_bytes_max - g->queue_bytes;
}

/* Drops what waits for `p` and is worth less than `kind`, the least first, until `n` bytes fit. */
static bool make_room(struct ocf_gossip *g, struct peer *p, enum queue_kind kind, size_t n)
{
  for (enum queue_kind k = Q_IHAVE; k > kind; k--) {
    struct item *it;
    while (!fits(g, p, n) && (it = first_item(p, k)) != NULL) {
      count_drop(g, k);
      item_free(g, p, k, it);
    }
  }
  return fits(g, p, n);
}

int ocf_gossip_queue(struct ocf_gossip *g, struct peer *p, enum queue_kind kind, struct msg *m)
{
  struct item *it = make_room(g, p, kind, m->n) ? OCF_NEW(g->a, struct item) : NULL;
  if (it == NULL) {
    count_drop(g, kind);
    return OCF_ELIMIT;
  }
  it->m = m;
  m->refs++;
  ocf_list_push_back(&p->queue[kind], &it->link);
  p->n_queue[kind]++;
  p->queue_bytes += m->n;
  g->queue_bytes += m->n;
  g->queue_msgs++;
  ocf_gossip_tx_wake(g, p);
  return 0;
}

void ocf_gossip_queue_drop(struct ocf_gossip *g, struct peer *p, enum queue_kind kind)
{
  while (!ocf_list_empty(&p->queue[kind]))
    item_free(g, p, kind, first_item(p, kind));
}

void ocf_gossip_queue_clear(struct ocf_gossip *g, struct peer *p)
{
  for (enum queue_kind k = Q_OWN; k < Q_N; k++)
    ocf_gossip_queue_drop(g, p, k);
}

void ocf_gossip_tx_restart(struct ocf_gossip *g, struct peer *p)
{
  ocf_gossip_msg_put(g, p->tail);
  p->tail = NULL;
  p->tx_at = p->tail_at = 0;
  ocf_buf_reset(&p->tx);
  p->announced = p->graft = p->prune = p->prune_leave = 0;
  p->write_told = false;
}

void ocf_gossip_tx_reset(struct ocf_gossip *g, struct peer *p)
{
  ocf_gossip_tx_restart(g, p);
  ocf_gossip_queue_clear(g, p);
  ocf_buf_reset(&p->iwant);
  ocf_buf_reset(&p->idontwant);
}

/* ---- making an RPC ---- */

/* Whether a message may go now: own ones and answers are paced, so that a Go node's validation
 * queue of 32 is never filled by us; forwards come in the pace of their authors. */
static bool may_send(struct ocf_gossip *g, uint64_t now_ns, struct peer *p, enum queue_kind kind)
{
  if (kind == Q_FORWARD) {
    (void)ocf_gossip_token(g, now_ns, &p->tokens, &p->tokens_ns);
    return true;
  }
  if (ocf_gossip_token(g, now_ns, &p->tokens, &p->tokens_ns))
    return true;
  ocf_wheel_start(&g->wheel, &p->token_timer,
                  ocf_time_add(p->tokens_ns, g->cfg.params.publish_refill_ns));
  return false;
}

static bool stalled(const struct peer *p)
{
  return ocf_timer_pending(&p->token_timer);
}

bool ocf_gossip_tx_waits(const struct ocf_gossip *g, const struct peer *p)
{
  if (p->tx_at < p->tx.n || p->tail != NULL || p->announced != g->joined)
    return true;
  if ((p->graft | p->prune) != 0 || p->iwant.n > 0 || p->idontwant.n > 0)
    return true;
  if (p->n_queue[Q_FORWARD] + p->n_queue[Q_IHAVE] > 0)
    return true;
  return p->n_queue[Q_OWN] + p->n_queue[Q_ANSWER] > 0 && !stalled(p);
}

void ocf_gossip_tx_wake(struct ocf_gossip *g, struct peer *p)
{
  if (p->out == OUT_UP && !p->write_told && ocf_gossip_tx_waits(g, p))
    ocf_gossip_fx(g, p, FX_WRITE);
}

static void put_subs(struct ocf_gossip *g, struct peer *p, struct ocf_pb_writer *w)
{
  uint32_t due = p->announced ^ g->joined;
  for (unsigned slot = 0; slot < SLOTS; slot++) {
    const struct topic *t = g->slots[slot];
    if ((due >> slot & 1) == 0)
      continue;
    ocf_pb_put_head(w, RPC_SUB, ocf_pb_size_u64(1, t->joined) + ocf_pb_size_bytes(2, t->n_name));
    ocf_pb_put_bool(w, 1, t->joined);
    ocf_pb_put_bytes(w, 2, ocf_gossip_topic_name(t));
    g->stats.tx[OCF_GOSSIP_K_SUBSCRIBE]++;
  }
}

static uint64_t backoff_s(const struct ocf_gossip *g, const struct peer *p, unsigned slot)
{
  const struct ocf_gossip_params *c = &g->cfg.params;
  bool leave = (p->prune_leave >> slot & 1) != 0;
  return (leave ? c->unsubscribe_backoff_ns : c->prune_backoff_ns) / OCF_NS_PER_S;
}

static void put_mesh_control(struct ocf_gossip *g, struct peer *p, struct ocf_pb_writer *w)
{
  for (unsigned slot = 0; slot < SLOTS; slot++) {
    const struct topic *t = g->slots[slot];
    if (((p->graft | p->prune) >> slot & 1) == 0)
      continue;
    size_t name = ocf_pb_size_bytes(1, t->n_name);
    if ((p->graft >> slot & 1) != 0) {
      ocf_pb_put_head(w, CTL_GRAFT, name);
      ocf_pb_put_bytes(w, 1, ocf_gossip_topic_name(t));
      g->stats.tx[OCF_GOSSIP_K_GRAFT]++;
    } else {
      bool with = p->proto <= OCF_GOSSIP_V11; /* 1.0 knows no back-off */
      uint64_t s = backoff_s(g, p, slot);
      ocf_pb_put_head(w, CTL_PRUNE, name + (with ? ocf_pb_size_u64(3, s) : 0));
      ocf_pb_put_bytes(w, 1, ocf_gossip_topic_name(t));
      if (with)
        ocf_pb_put_u64(w, 3, s);
      g->stats.tx[OCF_GOSSIP_K_PRUNE]++;
    }
  }
}

/* How many of the bytes of encoded ids in `b` make whole ids within `max`. */
static size_t whole_ids(const struct ocf_buf *b, size_t max, uint64_t *n_ids)
{
  struct ocf_pb_reader r = ocf_pb_read(ocf_buf_view(b));
  struct ocf_pb_field f;
  size_t at = 0;
  while (ocf_pb_next(&r, &f) > 0 && b->n - r.rest.n <= max) {
    at = b->n - r.rest.n;
    ++*n_ids;
  }
  return at;
}

static size_t put_ids(const struct ocf_buf *ids, uint32_t number, struct ocf_pb_writer *w,
                      uint64_t *n_ids)
{
  size_t n = whole_ids(ids, CTL_IDS_MAX, n_ids);
  if (n == 0)
    return 0;
  ocf_pb_put_head(w, number, n);
  ocf_pb_put_raw(w, ocf_bytes(ids->p, n));
  return n;
}

/* Small IHAVE parts are copied in; the first long one is left for the end of an RPC of its own. */
static int put_control(struct ocf_gossip *g, struct peer *p)
{
  uint64_t n_wants = 0, n_donts = 0;
  size_t iwant, idontwant;
  struct item *it;
  ocf_buf_clear(&g->control);
  struct ocf_pb_writer w = ocf_pb_write_buf(&g->control);
  put_mesh_control(g, p, &w);
  iwant = put_ids(&p->iwant, CTL_IWANT, &w, &n_wants);
  idontwant = put_ids(&p->idontwant, CTL_IDONTWANT, &w, &n_donts);
  for (it = first_item(p, Q_IHAVE); it != NULL && it->m->n <= COPY_MAX && w.n < RPC_SOFT;
       it = first_item(p, Q_IHAVE)) {
    ocf_pb_put_bytes(&w, CTL_IHAVE, ocf_bytes(it->m->raw, it->m->n));
    item_free(g, p, Q_IHAVE, it);
    g->stats.tx[OCF_GOSSIP_K_IHAVE]++;
  }
  int err = ocf_pb_end(&w, NULL);
  if (err != 0)
    return err;
  g->stats.tx[OCF_GOSSIP_K_IWANT] += iwant > 0;
  g->stats.tx[OCF_GOSSIP_K_IWANT_IDS] += n_wants;
  g->stats.tx[OCF_GOSSIP_K_IDONTWANT] += idontwant > 0;
  ocf_buf_consume(&p->iwant, iwant);
  ocf_buf_consume(&p->idontwant, idontwant);
  p->graft = p->prune = p->prune_leave = 0;
  return 0;
}

/* Takes the next message that may go, or NULL. One reference passes to the caller. */
static struct msg *take_message(struct ocf_gossip *g, uint64_t now_ns, struct peer *p)
{
  for (enum queue_kind k = Q_OWN; k <= Q_FORWARD; k++) {
    struct item *it;
    while ((it = first_item(p, k)) != NULL) {
      struct msg *m = it->m;
      bool unwanted = k == Q_FORWARD && ocf_gossip_ids_has(&p->dontwant, ocf_gossip_msg_id(m));
      if (!unwanted && !may_send(g, now_ns, p, k))
        break;
      if (!unwanted)
        m->refs++;
      item_free(g, p, k, it);
      if (!unwanted)
        return m;
      g->stats.suppressed++;
    }
  }
  return NULL;
}

/* Messages until the RPC is long enough; one that is not worth copying ends it, as *tail. */
static void put_messages(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                         struct ocf_pb_writer *w, struct msg **tail)
{
  struct msg *m;
  while (*tail == NULL && w->n < RPC_SOFT && (m = take_message(g, now_ns, p)) != NULL) {
    g->stats.tx[OCF_GOSSIP_K_MESSAGE]++;
    if (m->n > COPY_MAX) {
      ocf_pb_put_head(w, RPC_PUBLISH, m->n);
      *tail = m;
    } else {
      ocf_pb_put_bytes(w, RPC_PUBLISH, ocf_bytes(m->raw, m->n));
      ocf_gossip_msg_put(g, m);
    }
  }
}

static void put_long_ihave(struct ocf_gossip *g, struct peer *p, struct ocf_pb_writer *w,
                           struct msg **tail)
{
  struct item *it = first_item(p, Q_IHAVE);
  if (*tail != NULL || it == NULL || it->m->n <= COPY_MAX || w->n > 0)
    return;
  ocf_pb_put_head(w, RPC_CONTROL, ocf_pb_size_bytes(CTL_IHAVE, it->m->n));
  ocf_pb_put_head(w, CTL_IHAVE, it->m->n);
  *tail = it->m;
  it->m->refs++;
  item_free(g, p, Q_IHAVE, it);
  g->stats.tx[OCF_GOSSIP_K_IHAVE]++;
}

/* Puts the RPC in g->body, with the first part of its frame, where it waits to be written. */
static int frame(struct ocf_gossip *g, struct peer *p, struct msg *tail)
{
  uint8_t head[OCF_VARINT_MAX];
  size_t n = g->body.n + (tail != NULL ? tail->n : 0);
  OCF_ASSERT(n <= OCF_GOSSIP_RPC_MAX);
  size_t n_head = ocf_varint_put(head, n);
  int err = ocf_buf_reserve(&p->tx, n_head + g->body.n);
  if (err == 0)
    err = ocf_buf_add(&p->tx, head, n_head);
  if (err == 0)
    err = ocf_buf_add(&p->tx, g->body.p, g->body.n);
  if (err != 0)
    return err;
  g->stats.tx[OCF_GOSSIP_K_RPC]++;
  g->stats.tx[OCF_GOSSIP_K_BYTES] += n_head + n;
  return 0;
}

/* Makes the next RPC of what waits. Without memory what it had taken is lost, as on a bad line;
 * subscriptions stay due. */
static int make_rpc(struct ocf_gossip *g, uint64_t now_ns, struct peer *p)
{
  uint32_t announced = g->joined;
  struct msg *tail = NULL;
  ocf_buf_clear(&g->body);
  int err = put_control(g, p);
  if (err != 0)
    return err;
  struct ocf_pb_writer w = ocf_pb_write_buf(&g->body);
  put_subs(g, p, &w);
  if (g->control.n > 0)
    ocf_pb_put_bytes(&w, RPC_CONTROL, ocf_buf_view(&g->control));
  put_messages(g, now_ns, p, &w, &tail);
  put_long_ihave(g, p, &w, &tail);
  err = ocf_pb_end(&w, NULL);
  if (err == 0 && g->body.n > 0)
    err = frame(g, p, tail);
  if (err != 0) {
    ocf_gossip_msg_put(g, tail);
    return err;
  }
  p->announced = announced;
  p->tail = tail;
  return 0;
}

size_t ocf_gossip_tx(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                     struct ocf_bytes *iov, size_t cap)
{
  struct peer *p = ocf_gossip_peer_find(g, peer);
  size_t n = 0;
  OCF_ASSERT(cap >= 1);
  if (p == NULL || p->out != OUT_UP)
    return 0;
  if (p->tx.n == 0 && p->tail == NULL && ocf_gossip_tx_waits(g, p))
    (void)make_rpc(g, now_ns, p); /* without memory the next heartbeat wakes it */
  if (p->tx_at < p->tx.n)
    iov[n++] = ocf_bytes(p->tx.p + p->tx_at, p->tx.n - p->tx_at);
  if (p->tail != NULL && n < cap)
    iov[n++] = ocf_bytes(p->tail->raw + p->tail_at, p->tail->n - p->tail_at);
  if (n == 0)
    p->write_told = false;
  return n;
}

void ocf_gossip_tx_done(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                        size_t n)
{
  (void)now_ns;
  struct peer *p = ocf_gossip_peer_find(g, peer);
  if (p == NULL || p->out != OUT_UP)
    return;
  size_t first = OCF_MIN(n, p->tx.n - p->tx_at);
  p->tx_at += first;
  if (p->tail != NULL) {
    p->tail_at += n - first;
    OCF_ASSERT(p->tail_at <= p->tail->n);
  }
  if (p->tx_at < p->tx.n || (p->tail != NULL && p->tail_at < p->tail->n))
    return;
  ocf_gossip_msg_put(g, p->tail);
  p->tail = NULL;
  p->tx_at = p->tail_at = 0;
  if (p->tx.cap > RPC_SOFT / 4)
    ocf_buf_reset(&p->tx);
  else
    ocf_buf_clear(&p->tx);
}
