#include "p2p/gossipsub/gossip_int.h"

enum { RAW_OVERHEAD_MAX = 4096 }; /* of a message beyond its data: ids, topic, signature, key */

/* ---- waiting ---- */

static void leave_queue(struct pending *q)
{
  if (!ocf_list_linked(&q->link))
    return;
  ocf_list_remove(&q->link);
  if (ocf_list_linked(&q->peer_link))
    q->p->n_waiting--;
  ocf_list_remove(&q->peer_link);
  q->p = NULL;
}

void ocf_gossip_pending_free(struct ocf_gossip *g, struct pending *q)
{
  leave_queue(q);
  ocf_map_remove(&g->pending, &q->node);
  g->n_verify--;
  g->verify_bytes -= q->m->n;
  ocf_gossip_msg_put(g, q->m);
  OCF_DELETE(g->a, q);
}

/* Its messages are verified all the same, but are nobody's. */
void ocf_gossip_verify_forget_peer(struct peer *p)
{
  OCF_LIST_FOREACH_SAFE (it, &p->waiting) {
    ocf_list_remove(it);
    OCF_LIST_ENTRY(it, struct pending, peer_link)->p = NULL;
  }
  p->n_waiting = 0;
}

static bool has_room(const struct ocf_gossip *g, size_t n)
{
  const struct ocf_gossip_limits *lim = &g->cfg.limits;
  return g->n_verify < lim->verify_max && n <= lim->verify_bytes_max - g->verify_bytes;
}

/* Whether `a` has to give way to `b` when there is no room for the messages of both. */
static bool gives_way(const struct ocf_gossip *g, const struct peer *a, const struct peer *b)
{
  double sa = ocf_gossip_score(g, a), sb = ocf_gossip_score(g, b);
  return sa < sb || (sa <= sb && a->n_waiting > b->n_waiting + 1);
}

static struct peer *worst_waiting(const struct ocf_gossip *g)
{
  struct peer *worst = NULL;
  OCF_LIST_FOREACH (it, &g->peer_list) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    if (p->n_waiting > 0 && (worst == NULL || gives_way(g, p, worst)))
      worst = p;
  }
  return worst;
}

/* Room for `n` bytes from `p`, made by dropping the newest messages of worse peers. */
static bool make_room(struct ocf_gossip *g, const struct peer *p, size_t n)
{
  while (!has_room(g, n)) {
    struct peer *worst = worst_waiting(g);
    if (worst == NULL || worst == p || !gives_way(g, worst, p))
      return false;
    g->stats.rejected[OCF_GOSSIP_REJ_FULL]++;
    ocf_gossip_pending_free(g, OCF_LIST_ENTRY(worst->waiting.prev, struct pending, peer_link));
  }
  return true;
}

/* ---- a message comes in ---- */

static int reject(struct ocf_gossip *g, struct peer *p, enum ocf_gossip_reject why)
{
  g->stats.rejected[why]++;
  if (p != NULL && why >= OCF_GOSSIP_REJ_UNSIGNED)
    ocf_gossip_penalize(g, p, 1, 0);
  return OCF_EREFUSED;
}

/* What can be said without cryptography. 0 with the author, or OCF_EREFUSED. */
static int screen(struct ocf_gossip *g, struct peer *p, const struct wire_msg *w,
                  struct ocf_peerid *author)
{
  const struct topic *t = ocf_gossip_topic_find(g, w->topic);
  size_t max = g->cfg.limits.data_max;
  if (t == NULL || !t->joined)
    return reject(g, p, OCF_GOSSIP_REJ_TOPIC);
  if (w->data.n > max || w->raw.n > max + RAW_OVERHEAD_MAX)
    return reject(g, p, OCF_GOSSIP_REJ_SIZE);
  if (ocf_peerid_from_bytes(w->from, author) != 0)
    return reject(g, p, OCF_GOSSIP_REJ_AUTHOR);
  if (ocf_peerid_eq(author, &g->self))
    return reject(g, p, OCF_GOSSIP_REJ_SELF);
  if (w->signature.n == 0)
    return reject(g, p, OCF_GOSSIP_REJ_UNSIGNED);
  if (w->seqno.n != SEQNO_LEN)
    return reject(g, p, OCF_GOSSIP_REJ_SEQNO);
  return 0;
}

static struct pending *find_pending(const struct ocf_gossip *g, struct ocf_bytes raw)
{
  struct ocf_map_node *n = ocf_map_find(&g->pending, raw);
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct pending, node);
}

static void add_bringer(struct pending *q, const struct peer *p)
{
  if (q->n_bringers < BRINGERS_MAX && !ocf_gossip_brought(q, p))
    q->bringers[q->n_bringers++] = p->uid;
}

static struct msg *copy_message(struct ocf_gossip *g, const struct peer *p,
                                const struct wire_msg *w, const struct ocf_peerid *author)
{
  struct msg *m = ocf_gossip_msg_new(g, w->raw.n);
  if (m == NULL)
    return NULL;
  memcpy(m->raw, w->raw.p, w->raw.n);
  OCF_ASSERT(ocf_gossip_msg_decode(ocf_bytes(m->raw, m->n), &m->wire) == 0);
  m->from_id = p->id;
  m->author = *author;
  m->n_id = (uint8_t)(author->n + SEQNO_LEN);
  memcpy(m->id, author->b, author->n);
  memcpy(m->id + author->n, w->seqno.p, SEQNO_LEN);
  return m;
}

static int add_pending(struct ocf_gossip *g, struct peer *p, struct msg *m)
{
  struct pending *q = OCF_NEW(g->a, struct pending);
  if (q == NULL)
    return OCF_ENOMEM;
  int err = ocf_map_insert(&g->pending, &q->node, ocf_bytes(m->raw, m->n));
  if (err != 0) {
    OCF_DELETE(g->a, q);
    return err;
  }
  q->m = m;
  q->p = p;
  add_bringer(q, p);
  ocf_list_push_back(&g->verify, &q->link);
  ocf_list_push_back(&p->waiting, &q->peer_link);
  p->n_waiting++;
  g->n_verify++;
  g->verify_bytes += m->n;
  return 0;
}

static void begin_verify(struct ocf_gossip *g, struct peer *p, const struct wire_msg *w,
                         const struct ocf_peerid *author)
{
  if (!make_room(g, p, w->raw.n)) {
    (void)reject(g, p, OCF_GOSSIP_REJ_FULL);
    return;
  }
  struct msg *m = copy_message(g, p, w, author);
  if (m != NULL && add_pending(g, p, m) == 0)
    return;
  ocf_gossip_msg_put(g, m);
  (void)reject(g, p, OCF_GOSSIP_REJ_MEMORY);
}

void ocf_gossip_rx_message(struct ocf_gossip *g, uint64_t now_ns, struct peer *p,
                           const struct wire_msg *w)
{
  (void)now_ns;
  struct ocf_peerid author;
  uint8_t id[OCF_GOSSIP_ID_MAX];
  if (w->from.n == 0 || w->seqno.n == 0 || w->from.n + w->seqno.n > sizeof(id)) {
    (void)screen(g, p, w, &author);
    return;
  }
  memcpy(id, w->from.p, w->from.n);
  memcpy(id + w->from.n, w->seqno.p, w->seqno.n);
  struct ocf_bytes view = ocf_bytes(id, w->from.n + w->seqno.n);
  ocf_gossip_promise_excuse(g, view, p->uid); /* it came, whatever we think of it */
  if (screen(g, p, w, &author) != 0)
    return;
  struct pending *q = find_pending(g, w->raw);
  if (q != NULL)
    add_bringer(q, p);
  if (q != NULL || ocf_gossip_ids_has(&g->seen, view))
    g->stats.duplicates++;
  else
    begin_verify(g, p, w, &author);
}

/* ---- jobs ---- */

/* No more messages are out, or verified and not told, than there is room for as events. */
bool ocf_gossip_job_take(struct ocf_gossip *g, struct ocf_gossip_job **out)
{
  size_t room = g->cfg.limits.events_max - g->n_ready - g->n_in_jobs;
  if (ocf_list_empty(&g->verify) || ocf_list_empty(&g->jobs_free) || room == 0)
    return false;
  struct ocf_gossip_job *job =
      OCF_LIST_ENTRY(ocf_list_pop_front(&g->jobs_free), struct ocf_gossip_job, link);
  job->n = 0;
  job->out = true;
  while (job->n < OCF_MIN(room, (size_t)OCF_GOSSIP_JOB_MAX) && !ocf_list_empty(&g->verify)) {
    struct pending *q = OCF_LIST_ENTRY(g->verify.next, struct pending, link);
    leave_queue(q);
    job->results[job->n] = JOB_NOT_RUN;
    job->items[job->n++] = q;
  }
  g->n_in_jobs += job->n;
  *out = job;
  return true;
}

/* The author's key: field 6, which must be the author's, or inlined in its id. */
static int author_key(struct ocf_alloc *a, const struct msg *m, struct ocf_pubkey *key)
{
  struct ocf_bytes pb = m->wire.key;
  if (pb.n > 0 && ocf_peerid_matches_key(&m->author, pb) != 0)
    return OCF_EAUTH;
  if (pb.n == 0 && !ocf_peerid_inline_key(&m->author, &pb))
    return OCF_EAUTH;
  return ocf_pubkey_unmarshal(key, a, pb);
}

static int check(struct ocf_alloc *a, const struct msg *m)
{
  struct ocf_pubkey key = { 0 };
  struct ocf_buf text;
  int err = author_key(a, m, &key);
  if (err != 0)
    return err == OCF_ENOMEM ? OCF_GOSSIP_REJ_MEMORY : OCF_GOSSIP_REJ_KEY;
  ocf_buf_init(&text, a, m->n + 64);
  err = ocf_buf_reserve(&text, m->n + 64);
  if (err == 0)
    err = ocf_gossip_msg_signed(&m->wire, &text);
  if (err == 0)
    err = ocf_pubkey_verify(&key, ocf_buf_view(&text), m->wire.signature);
  ocf_buf_fini(&text);
  ocf_pubkey_fini(&key);
  if (err == 0)
    return JOB_OK;
  return err == OCF_ECRYPTO ? OCF_GOSSIP_REJ_SIGNATURE : OCF_GOSSIP_REJ_MEMORY;
}

void ocf_gossip_job_run(struct ocf_gossip_job *job)
{
  for (size_t i = 0; i < job->n; i++)
    job->results[i] = check(&job->memory, job->items[i]->m);
}

/* ---- delivering and forwarding ---- */

bool ocf_gossip_brought(const struct pending *q, const struct peer *p)
{
  for (unsigned i = 0; i < q->n_bringers; i++)
    if (q->bringers[i] == p->uid)
      return true;
  return false;
}

static bool takes_forward(const struct ocf_gossip *g, const struct sub *s)
{
  if (s->mesh)
    return true;
  return s->subscribed && s->p->out == OUT_UP && s->p->proto == OCF_GOSSIP_FLOODSUB &&
         ocf_gossip_score(g, s->p) >= g->cfg.score.publish_below;
}

static void forward(struct ocf_gossip *g, struct topic *t, struct msg *m, const struct pending *q)
{
  OCF_LIST_FOREACH (it, &t->subs) {
    const struct sub *s = OCF_LIST_ENTRY(it, struct sub, topic_link);
    if (!takes_forward(g, s) || ocf_gossip_brought(q, s->p) || ocf_peerid_eq(&s->p->id, &m->author))
      continue;
    if (ocf_gossip_ids_has(&s->p->dontwant, ocf_gossip_msg_id(m)))
      g->stats.suppressed++;
    else if (ocf_gossip_queue(g, s->p, Q_FORWARD, m) == 0)
      g->stats.forwarded++;
  }
}

static struct peer *peer_of(const struct ocf_gossip *g, uint64_t uid)
{
  OCF_LIST_FOREACH (it, &g->peer_list) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    if (p->uid == uid)
      return p;
  }
  return NULL;
}

static void deliver(struct ocf_gossip *g, struct msg *m)
{
  OCF_ASSERT(g->n_ready < g->cfg.limits.events_max);
  m->refs++;
  g->n_ready++;
  ocf_list_push_back(&g->ready, &m->ready_link);
  g->stats.delivered++;
}

static void accept(struct ocf_gossip *g, uint64_t now_ns, struct pending *q)
{
  struct msg *m = q->m;
  struct topic *t = ocf_gossip_topic_find(g, m->wire.topic);
  if (t == NULL || !t->joined)
    return;
  int err = ocf_gossip_ids_add(&g->seen, ocf_gossip_msg_id(m),
                               ocf_time_add(now_ns, g->cfg.params.seen_ttl_ns));
  if (err != 0) {
    g->stats.duplicates += err == OCF_EEXIST;
    g->stats.rejected[OCF_GOSSIP_REJ_MEMORY] += err != OCF_EEXIST;
    return;
  }
  struct peer *first = peer_of(g, q->bringers[0]);
  if (first != NULL)
    ocf_gossip_credit(g, first);
  ocf_gossip_promise_kept(g, ocf_gossip_msg_id(m));
  ocf_gossip_keep(g, m);
  ocf_gossip_send_idontwant(g, t, m, q);
  forward(g, t, m, q);
  deliver(g, m);
}

static void conclude(struct ocf_gossip *g, uint64_t now_ns, struct pending *q, int result)
{
  if (result == JOB_OK)
    accept(g, now_ns, q);
  for (unsigned i = 0; result >= 0 && i < q->n_bringers; i++)
    (void)reject(g, peer_of(g, q->bringers[i]), (enum ocf_gossip_reject)result);
  ocf_gossip_pending_free(g, q);
}

void ocf_gossip_job_done(struct ocf_gossip *g, uint64_t now_ns, struct ocf_gossip_job *job)
{
  OCF_ASSERT(job->out && job->n <= g->n_in_jobs);
  g->n_in_jobs -= job->n;
  for (size_t i = 0; i < job->n; i++)
    conclude(g, now_ns, job->items[i], job->results[i]);
  job->n = 0;
  job->out = false;
  ocf_list_push_back(&g->jobs_free, &job->link);
}
