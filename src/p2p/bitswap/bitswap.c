#include "p2p/bitswap/bitswap_int.h"

const struct ocf_bytes ocf_bitswap_protocols[OCF_BITSWAP_N_PROTOCOLS] = {
  { (const uint8_t *)"/ipfs/bitswap/1.2.0", 19 },
  { (const uint8_t *)"/ipfs/bitswap/1.1.0", 19 },
  { (const uint8_t *)"/ipfs/bitswap/1.0.0", 19 },
  { (const uint8_t *)"/ipfs/bitswap", 13 },
};

void ocf_bitswap_config_init(struct ocf_bitswap_config *cfg)
{
  *cfg = (struct ocf_bitswap_config){
    .peers_max = 512,
    .wants_max = 4096,
    .asks_max = 65536,
    .asks_per_want_max = 64,
    .asks_per_peer_max = 512,
    .wants_per_peer_max = 1024,
    .ledger_max = 65536,
    .ins_per_peer_max = 256,
    .rx_per_peer_max = 8 << 20,
    .rx_max = 32 << 20,
    .events_bytes_max = 16 << 20,
    .spread = 8,
    .parallel = 3,
    .stall_min_ns = 50 * OCF_NS_PER_MS,
    .stall_max_ns = 1 * OCF_NS_PER_S,
    .ask_ns = 5 * OCF_NS_PER_S,
    .rebroadcast_ns = 20 * OCF_NS_PER_S,
    .idle_ns = 60 * OCF_NS_PER_S,
    .stuck_ns = 30 * OCF_NS_PER_S,
    .partial_ns = 60 * OCF_NS_PER_S,
    .reopen_min_ns = 1 * OCF_NS_PER_S,
    .reopen_max_ns = 60 * OCF_NS_PER_S,
  };
}

static bool config_is_valid(const struct ocf_bitswap_config *c)
{
  const size_t bounds[] = {
    c->peers_max,          c->wants_max,        c->asks_max,        c->asks_per_want_max,
    c->asks_per_peer_max,  c->ledger_max,       c->rx_per_peer_max, c->ins_per_peer_max,
    c->wants_per_peer_max, c->events_bytes_max, c->rx_max,          c->parallel,
  };
  const uint64_t times[] = {
    c->stall_min_ns, c->ask_ns,     c->rebroadcast_ns, c->idle_ns,
    c->stuck_ns,     c->partial_ns, c->reopen_min_ns,
  };
  bool ok = c->a != NULL && c->rng != NULL && c->store.get != NULL;
  for (size_t i = 0; i < OCF_ARRAY_LEN(bounds); i++)
    ok = ok && bounds[i] > 0;
  for (size_t i = 0; i < OCF_ARRAY_LEN(times); i++)
    ok = ok && times[i] > 0 && times[i] < OCF_TIME_NEVER;
  return ok && c->stall_min_ns <= c->stall_max_ns && c->reopen_min_ns <= c->reopen_max_ns &&
         c->reopen_max_ns < OCF_TIME_NEVER;
}

int ocf_bitswap_new(const struct ocf_bitswap_config *cfg, uint64_t now_ns, struct ocf_bitswap **out)
{
  uint64_t seed[2];
  if (!config_is_valid(cfg))
    return OCF_EINVAL;
  struct ocf_bitswap *bs = OCF_NEW(cfg->a, struct ocf_bitswap);
  if (bs == NULL)
    return OCF_ENOMEM;
  bs->cfg = *cfg;
  bs->now_ns = now_ns;
  bs->priority = INT32_MAX;
  ocf_wheel_init(&bs->wheel, now_ns);
  ocf_rng_secret(cfg->rng, seed, sizeof(seed));
  ocf_map_init(&bs->peers, cfg->a, seed, cfg->peers_max);
  ocf_map_init(&bs->wants, cfg->a, seed, SIZE_MAX);   /* bounded by n_wants and n_asks */
  ocf_map_init(&bs->missing, cfg->a, seed, SIZE_MAX); /* bounded by n_wishes */
  struct ocf_list *lists[] = { &bs->peer_order, &bs->work,     &bs->starved,
                               &bs->slow,       &bs->found,    &bs->fx_peers,
                               &bs->dead_ins,   &bs->lost_ins, &bs->offenders };
  for (size_t i = 0; i < OCF_ARRAY_LEN(lists); i++)
    ocf_list_init(lists[i]);
  ocf_buf_init(&bs->scratch, cfg->a, OCF_BITSWAP_MESSAGE_MAX);
  *out = bs;
  return 0;
}

static void free_ins(struct ocf_list *list)
{
  while (!ocf_list_empty(list))
    ocf_bitswap_in_free(OCF_LIST_ENTRY(list->next, struct ocf_bitswap_in, link));
}

static void free_lent(struct ocf_bitswap *bs)
{
  if (bs->lent == NULL)
    return;
  bs->found_bytes -= bs->lent->n;
  ocf_alloc_put(bs->cfg.a, bs->lent, sizeof(*bs->lent) + bs->lent->n);
  bs->lent = NULL;
}

void ocf_bitswap_free(struct ocf_bitswap *bs)
{
  if (bs == NULL)
    return;
  struct ocf_map_iter it = { 0 };
  struct ocf_map_node *n;
  while (ocf_map_next(&bs->wants, &it, &n))
    ocf_bitswap_want_free(OCF_CONTAINER_OF(n, struct want, node));
  while (!ocf_list_empty(&bs->peer_order)) {
    struct peer *p = OCF_LIST_ENTRY(bs->peer_order.next, struct peer, all);
    free_ins(&p->ins);
    ocf_bitswap_wishes_drop(p);
    ocf_bitswap_peer_free(p);
  }
  free_ins(&bs->lost_ins);
  free_ins(&bs->dead_ins);
  free_lent(bs);
  OCF_ASSERT(bs->n_asks == 0 && bs->n_wishes == 0 && bs->n_ins == 0);
  OCF_ASSERT(bs->rx_bytes == 0 && bs->found_bytes == 0);
  OCF_ASSERT(bs->peers.n == 0 && bs->wants.n == 0 && bs->missing.n == 0);
  ocf_map_fini(&bs->peers);
  ocf_map_fini(&bs->wants);
  ocf_map_fini(&bs->missing);
  ocf_buf_fini(&bs->scratch);
  OCF_DELETE(bs->cfg.a, bs);
}

void ocf_bitswap_now(struct ocf_bitswap *bs, uint64_t now_ns)
{
  bs->now_ns = OCF_MAX(bs->now_ns, now_ns);
}

/* ---- events ---- */

/* Copied, as the want need not live as long as the event. */
static struct ocf_bytes lend_cid(struct ocf_bitswap *bs, const struct want *w)
{
  memcpy(bs->ev_cid, w->b, w->n);
  return ocf_bytes(bs->ev_cid, w->n);
}

static bool block_event(struct ocf_bitswap *bs, struct ocf_bitswap_event *ev)
{
  struct ocf_list *n = ocf_list_pop_front(&bs->found);
  if (n == NULL)
    return false;
  struct found *f = OCF_LIST_ENTRY(n, struct found, link);
  struct want *w = f->w;
  *ev = (struct ocf_bitswap_event){
    .type = OCF_BITSWAP_BLOCK,
    .cid = lend_cid(bs, w),
    .data = ocf_bytes(f->data, f->n),
    .peer = f->from,
    .user = w->user,
  };
  bs->lent = f;
  f->w = NULL;
  w->found = NULL;
  w->state = WANT_OVER;
  bs->n_wants--;
  ocf_bitswap_want_settle(w);
  return true;
}

static bool slow_event(struct ocf_bitswap *bs, struct ocf_bitswap_event *ev)
{
  struct ocf_list *n = ocf_list_pop_front(&bs->slow);
  if (n == NULL)
    return false;
  struct want *w = OCF_LIST_ENTRY(n, struct want, slow);
  *ev = (struct ocf_bitswap_event){
    .type = OCF_BITSWAP_WANT_SLOW,
    .cid = lend_cid(bs, w),
    .user = w->user,
  };
  return true;
}

static bool offence_event(struct ocf_bitswap *bs, struct ocf_bitswap_event *ev)
{
  struct ocf_list *n = ocf_list_pop_front(&bs->offenders);
  if (n == NULL)
    return false;
  struct peer *p = OCF_LIST_ENTRY(n, struct peer, offence_link);
  unsigned what = 0, more = 0;
  for (unsigned i = OCF_BITSWAP_N_OFFENCES; i-- > 0;) {
    if (p->offences[i] == 0)
      continue;
    what = i;
    more++;
  }
  *ev = (struct ocf_bitswap_event){
    .type = OCF_BITSWAP_OFFENCE,
    .peer = p->id,
    .what = (enum ocf_bitswap_offence)what,
    .count = p->offences[what],
  };
  p->offences[what] = 0;
  if (more > 1)
    ocf_list_push_back(&bs->offenders, &p->offence_link);
  return true;
}

bool ocf_bitswap_event(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bitswap_event *ev)
{
  ocf_bitswap_now(bs, now_ns);
  free_lent(bs);
  return block_event(bs, ev) || slow_event(bs, ev) || offence_event(bs, ev);
}

/* ---- time and figures ---- */

uint64_t ocf_bitswap_deadline(const struct ocf_bitswap *bs)
{
  const struct ocf_list *due[] = { &bs->work,     &bs->slow,     &bs->found,
                                   &bs->fx_peers, &bs->dead_ins, &bs->offenders };
  for (size_t i = 0; i < OCF_ARRAY_LEN(due); i++) {
    if (!ocf_list_empty(due[i]))
      return bs->now_ns;
  }
  return ocf_wheel_next(&bs->wheel);
}

void ocf_bitswap_tick(struct ocf_bitswap *bs, uint64_t now_ns)
{
  ocf_bitswap_now(bs, now_ns);
  struct ocf_timer *t;
  while ((t = ocf_wheel_pop(&bs->wheel, bs->now_ns)) != NULL) {
    switch ((enum bs_timer)t->kind) {
    case TIMER_WANT: ocf_bitswap_want_mark(OCF_CONTAINER_OF(t, struct want, timer)); break;
    case TIMER_PEER: ocf_bitswap_out_timer(OCF_CONTAINER_OF(t, struct peer, timer)); break;
    case TIMER_IN: ocf_bitswap_in_timer(OCF_CONTAINER_OF(t, struct ocf_bitswap_in, timer)); break;
    }
  }
  ocf_bitswap_work(bs);
}

void ocf_bitswap_stats(const struct ocf_bitswap *bs, struct ocf_bitswap_stats *out)
{
  *out = bs->stats;
  out->peers = bs->peers.n;
  out->peers_unresponsive = bs->n_deaf;
  out->wants = bs->n_wants;
  out->asks = bs->n_asks;
  out->ledger = bs->n_wishes;
  out->ins = bs->n_ins;
  out->rx_bytes = bs->rx_bytes;
  out->event_bytes = bs->found_bytes;
}
