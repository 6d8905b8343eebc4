#include "p2p/gossipsub/gossip_int.h"

struct peer *ocf_gossip_peer_find(const struct ocf_gossip *g, const struct ocf_peerid *id)
{
  struct ocf_map_node *n = ocf_map_find(&g->peers, ocf_peerid_view(id));
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct peer, node);
}

void ocf_gossip_fx(struct ocf_gossip *g, struct peer *p, enum fx_bit bit)
{
  if (p->fx == 0)
    ocf_list_push_back(&g->effects, &p->fx_link);
  p->fx |= bit;
}

static void init_buffers(struct ocf_gossip *g, struct peer *p)
{
  const struct ocf_gossip_limits *lim = &g->cfg.limits;
  ocf_buf_init(&p->rx, g->a, OCF_GOSSIP_RPC_MAX);
  ocf_buf_init(&p->tx, g->a, OCF_GOSSIP_RPC_MAX + FRAME_LEN_MAX);
  ocf_buf_init(&p->iwant, g->a, IWANT_BYTES_MAX);
  ocf_buf_init(&p->idontwant, g->a, DONTWANT_BYTES_MAX);
  ocf_gossip_ids_init(&p->dontwant, g->a, g->seed, lim->idontwant_kept_max);
  for (int i = 0; i < Q_N; i++)
    ocf_list_init(&p->queue[i]);
  ocf_list_init(&p->subs);
  ocf_list_init(&p->waiting);
}

static int new_peer(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *id,
                    struct peer **out)
{
  if (ocf_peerid_is_none(id) || ocf_peerid_eq(id, &g->self))
    return OCF_EINVAL;
  if (g->peers.n == g->cfg.limits.peers_max)
    return OCF_ELIMIT;
  struct peer *p = OCF_NEW(g->a, struct peer);
  if (p == NULL)
    return OCF_ENOMEM;
  p->id = *id;
  int err = ocf_map_insert(&g->peers, &p->node, ocf_peerid_view(&p->id));
  if (err != 0) {
    OCF_DELETE(g->a, p);
    return err;
  }
  p->uid = ++g->next_uid;
  p->n_same_ip = 1;
  p->tokens = g->cfg.params.publish_burst;
  p->tokens_ns = now_ns;
  p->reopen_timer.kind = TIMER_REOPEN;
  p->token_timer.kind = TIMER_TOKENS;
  ocf_backoff_init(&p->reopen, g->cfg.params.reopen_min_ns, g->cfg.params.reopen_max_ns,
                   OCF_BACKOFF_PARTIAL);
  ocf_list_push_back(&g->peer_list, &p->all);
  init_buffers(g, p);
  ocf_gossip_score_restore(g, now_ns, p);
  *out = p;
  return 0;
}

static void ask_to_open(struct ocf_gossip *g, struct peer *p)
{
  p->out = OUT_OPENING;
  ocf_gossip_fx(g, p, FX_OPEN);
}

/* A sign of life: an engine that had given up on it tries again. */
static void encourage(struct ocf_gossip *g, struct peer *p)
{
  if (p->out != OUT_NONE && p->out != OUT_LOST)
    return;
  ocf_backoff_reset(&p->reopen);
  ask_to_open(g, p);
}

static void set_address(struct ocf_gossip *g, struct peer *p, uint64_t ip_key)
{
  uint64_t old = p->ip_key;
  if (old == ip_key)
    return;
  p->ip_key = ip_key;
  ocf_gossip_score_colocate(g, old);
  ocf_gossip_score_colocate(g, ip_key);
}

static int take_up(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *id,
                   struct peer **out)
{
  *out = ocf_gossip_peer_find(g, id);
  int err = *out == NULL ? new_peer(g, now_ns, id, out) : 0;
  if (err == 0)
    encourage(g, *out);
  return err;
}

static void recount_outbound(struct peer *p, bool outbound)
{
  OCF_LIST_FOREACH (it, &p->subs) {
    struct sub *s = OCF_LIST_ENTRY(it, struct sub, peer_link);
    if (s->mesh && outbound != p->outbound)
      s->t->n_mesh_out += outbound ? 1 : (size_t)-1;
  }
  p->outbound = outbound;
}

int ocf_gossip_peer_up(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                       bool outbound, uint64_t ip_key)
{
  struct peer *p;
  int err = take_up(g, now_ns, peer, &p);
  if (err != 0)
    return err;
  recount_outbound(p, outbound);
  set_address(g, p, ip_key);
  return 0;
}

void ocf_gossip_peer_free(struct ocf_gossip *g, struct peer *p)
{
  ocf_gossip_verify_forget_peer(p);
  ocf_gossip_tx_reset(g, p);
  while (!ocf_list_empty(&p->subs))
    ocf_gossip_sub_free(g, OCF_LIST_ENTRY(p->subs.next, struct sub, peer_link));
  ocf_gossip_ids_fini(&p->dontwant);
  g->rx_bytes -= p->rx.cap;
  ocf_buf_fini(&p->rx);
  ocf_buf_fini(&p->tx);
  ocf_buf_fini(&p->iwant);
  ocf_buf_fini(&p->idontwant);
  ocf_wheel_stop(&g->wheel, &p->reopen_timer);
  ocf_wheel_stop(&g->wheel, &p->token_timer);
  ocf_map_remove(&g->peers, &p->node);
  ocf_list_remove(&p->all);
  ocf_list_remove(&p->fx_link);
  ocf_gossip_score_colocate(g, p->ip_key);
  OCF_DELETE(g->a, p);
}

void ocf_gossip_peer_down(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer)
{
  struct peer *p = ocf_gossip_peer_find(g, peer);
  if (p == NULL)
    return;
  ocf_gossip_score_retain(g, now_ns, p);
  ocf_gossip_peer_free(g, p);
}

/* ---- our stream ---- */

static void give_up(struct ocf_gossip *g, struct peer *p, enum out_state state)
{
  p->out = state;
  ocf_gossip_mesh_drop_peer(g, p);
  ocf_gossip_tx_reset(g, p);
}

void ocf_gossip_opened(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                       int err, enum ocf_gossip_proto proto)
{
  struct peer *p = ocf_gossip_peer_find(g, peer);
  if (p == NULL || p->out != OUT_OPENING || (p->fx & FX_OPEN) != 0)
    return;
  if (err == OCF_EUNSUPP || (unsigned)proto >= OCF_GOSSIP_PROTO_N) {
    give_up(g, p, OUT_LOST);
    return;
  }
  if (err != 0) {
    ocf_gossip_peer_reopen(g, now_ns, p);
    return;
  }
  p->out = OUT_UP;
  p->out_since_ns = now_ns;
  p->proto = proto;
  if (proto == OCF_GOSSIP_FLOODSUB)
    ocf_gossip_mesh_drop_peer(g, p);
  OCF_LIST_FOREACH (it, &p->subs) { /* after a death: what the peer may have missed */
    struct sub *s = OCF_LIST_ENTRY(it, struct sub, peer_link);
    if (s->mesh)
      p->graft |= UINT32_C(1) << s->t->slot;
    else
      ocf_gossip_graft_early(g, now_ns, s);
  }
  ocf_gossip_tx_wake(g, p);
}

void ocf_gossip_peer_reopen(struct ocf_gossip *g, uint64_t now_ns, struct peer *p)
{
  if (p->reopen.n_attempts >= g->cfg.params.reopen_tries) {
    give_up(g, p, OUT_LOST);
    return;
  }
  p->out = OUT_WAIT;
  ocf_wheel_start(&g->wheel, &p->reopen_timer,
                  ocf_time_add(now_ns, ocf_backoff_next(&p->reopen, g->cfg.rng)));
}

void ocf_gossip_out_gone(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer)
{
  struct peer *p = ocf_gossip_peer_find(g, peer);
  if (p == NULL || p->out != OUT_UP)
    return;
  ocf_gossip_tx_restart(g, p);
  if (now_ns - p->out_since_ns >= g->cfg.params.reopen_max_ns)
    ocf_backoff_reset(&p->reopen); /* it was a good one */
  ocf_gossip_peer_reopen(g, now_ns, p);
}

/* ---- its stream ---- */

static void clear_rx(struct ocf_gossip *g, struct peer *p)
{
  g->rx_bytes -= p->rx.cap;
  ocf_buf_reset(&p->rx);
  p->n_rx_head = 0;
  p->rx_left = 0;
}

void ocf_gossip_reset_in(struct ocf_gossip *g, struct peer *p, enum ocf_gossip_reason reason)
{
  OCF_ASSERT(p->in != NULL && p->n_resets < OCF_ARRAY_LEN(p->resets));
  p->resets[p->n_resets].handle = p->in;
  p->resets[p->n_resets].reason = reason;
  p->n_resets++;
  p->in = NULL;
  clear_rx(g, p);
  ocf_gossip_fx(g, p, FX_RESET_IN);
}

/* While a reset is owed no further stream is taken, so that two are the most: the stream that was
 * replaced, and the one that replaced it. */
int ocf_gossip_in(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                  void *handle)
{
  struct peer *p;
  OCF_ASSERT(handle != NULL);
  int err = take_up(g, now_ns, peer, &p);
  if (err != 0)
    return err;
  if (p->n_resets > 0)
    return OCF_ELIMIT;
  if (p->in != NULL)
    ocf_gossip_reset_in(g, p, OCF_GOSSIP_REASON_REPLACED);
  p->in = handle;
  return 0;
}

static void clear_fx(struct peer *p, unsigned bit)
{
  p->fx &= ~bit;
  if (p->fx == 0)
    ocf_list_remove(&p->fx_link);
}

static void forget_reset(struct peer *p, unsigned i)
{
  p->resets[i] = p->resets[1];
  if (--p->n_resets == 0)
    clear_fx(p, FX_RESET_IN);
}

void ocf_gossip_in_gone(struct ocf_gossip *g, uint64_t now_ns, const struct ocf_peerid *peer,
                        void *handle)
{
  (void)now_ns;
  struct peer *p = ocf_gossip_peer_find(g, peer);
  if (p == NULL)
    return;
  if (p->in == handle) {
    p->in = NULL;
    clear_rx(g, p);
  }
  for (unsigned i = 0; i < p->n_resets; i++)
    if (p->resets[i].handle == handle)
      forget_reset(p, i--);
}

/* ---- effects ---- */

/* Takes the first due bit of `p`; false when what is due has no ground any more. */
static bool take_bit(struct ocf_gossip *g, struct peer *p, struct ocf_gossip_effect *fx)
{
  unsigned bit = p->fx & (0u - p->fx);
  if (bit == FX_RESET_IN) {
    fx->type = OCF_GOSSIP_RESET_IN;
    fx->handle = p->resets[0].handle;
    fx->reason = p->resets[0].reason;
    forget_reset(p, 0);
    return true;
  }
  clear_fx(p, bit);
  switch ((enum fx_bit)bit) {
  case FX_DISCONNECT:
    fx->type = OCF_GOSSIP_DISCONNECT;
    fx->reason = OCF_GOSSIP_REASON_SCORE;
    return true;
  case FX_OPEN: fx->type = OCF_GOSSIP_OPEN; return p->out == OUT_OPENING;
  case FX_WRITE:
    fx->type = OCF_GOSSIP_WRITE;
    p->write_told = p->out == OUT_UP && ocf_gossip_tx_waits(g, p);
    return p->write_told;
  case FX_RESET_IN: break;
  }
  return false;
}

static bool peer_effect(struct ocf_gossip *g, struct ocf_gossip_effect *fx)
{
  while (!ocf_list_empty(&g->effects)) {
    struct peer *p = OCF_LIST_ENTRY(g->effects.next, struct peer, fx_link);
    if (!take_bit(g, p, fx))
      continue;
    g->fx_id = p->id;
    fx->peer = &g->fx_id;
    return true;
  }
  return false;
}

bool ocf_gossip_effect(struct ocf_gossip *g, uint64_t now_ns, struct ocf_gossip_effect *fx)
{
  (void)now_ns;
  *fx = (struct ocf_gossip_effect){ 0 };
  if (peer_effect(g, fx))
    return true;
  fx->type = OCF_GOSSIP_VERIFY;
  return ocf_gossip_job_take(g, &fx->job);
}
