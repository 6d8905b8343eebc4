#include "p2p/bitswap/bitswap_int.h"

void ocf_bitswap_say_debug(const struct peer *p, const char *what, int err)
{
  const struct ocf_log *log = p->bs->cfg.log;
  char text[OCF_PEERID_TEXT_SIZE];
  if (!ocf_log_on(log, "bitswap", OCF_LOG_DEBUG))
    return;
  const char *peer = ocf_peerid_text(&p->id, text);
  if (err == 0)
    OCF_LOGF(log, "bitswap", OCF_LOG_DEBUG, what, OCF_LOG_STR("peer", peer));
  else
    OCF_LOGF(log, "bitswap", OCF_LOG_DEBUG, what, OCF_LOG_STR("peer", peer),
             OCF_LOG_ERR("err", err));
}

struct peer *ocf_bitswap_peer_find(const struct ocf_bitswap *bs, const struct ocf_peerid *id)
{
  struct ocf_map_node *n = ocf_map_find(&bs->peers, ocf_peerid_view(id));
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct peer, node);
}

void ocf_bitswap_peer_rise(struct peer *p)
{
  struct ocf_bitswap *bs = p->bs;
  ocf_list_remove(&p->all);
  p->seq = ++bs->next_seq;
  ocf_list_push_back(&bs->peer_order, &p->all);
  if (bs->n_wants == 0)
    return;
  struct ocf_map_iter it = { 0 };
  struct ocf_map_node *n;
  while (ocf_map_next(&bs->wants, &it, &n)) {
    struct want *w = OCF_CONTAINER_OF(n, struct want, node);
    if (w->step == STEP_ALL)
      ocf_bitswap_want_mark(w);
  }
}

static struct peer *peer_new(struct ocf_bitswap *bs, const struct ocf_peerid *id)
{
  struct peer *p = OCF_NEW(bs->cfg.a, struct peer);
  if (p == NULL)
    return NULL;
  p->bs = bs;
  p->id = *id;
  p->timer.kind = TIMER_PEER;
  p->used_ns = bs->now_ns;
  ocf_buf_init(&p->tx, bs->cfg.a, OCF_BITSWAP_MESSAGE_MAX);
  ocf_list_init(&p->sending);
  ocf_list_init(&p->asks);
  ocf_list_init(&p->to_say);
  ocf_list_init(&p->ready);
  ocf_list_init(&p->waiting);
  ocf_list_init(&p->ins);
  ocf_map_init(&p->ledger, bs->cfg.a, bs->peers.seed, bs->cfg.wants_per_peer_max);
  ocf_backoff_init(&p->backoff, bs->cfg.reopen_min_ns, bs->cfg.reopen_max_ns, OCF_BACKOFF_PARTIAL);
  return p;
}

int ocf_bitswap_peer_up(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer)
{
  ocf_bitswap_now(bs, now_ns);
  if (ocf_bitswap_peer_find(bs, peer) != NULL)
    return 0;
  if (bs->peers.n >= bs->cfg.peers_max)
    return OCF_ELIMIT;
  struct peer *p = peer_new(bs, peer);
  if (p == NULL)
    return OCF_ENOMEM;
  int err = ocf_map_insert(&bs->peers, &p->node, ocf_peerid_view(&p->id));
  if (err != 0) {
    OCF_DELETE(bs->cfg.a, p);
    return err;
  }
  ocf_bitswap_peer_rise(p);
  ocf_bitswap_work(bs);
  return 0;
}

void ocf_bitswap_peer_free(struct peer *p)
{
  struct ocf_bitswap *bs = p->bs;
  OCF_ASSERT(ocf_list_empty(&p->asks) && ocf_list_empty(&p->to_say));
  OCF_ASSERT(p->n_open == 0 && p->n_blocks == 0 && p->ledger.n == 0 && p->n_ins == 0);
  ocf_wheel_stop(&bs->wheel, &p->timer);
  ocf_list_remove(&p->all);
  ocf_list_remove(&p->fx_link);
  ocf_list_remove(&p->offence_link);
  ocf_map_remove(&bs->peers, &p->node);
  ocf_map_fini(&p->ledger);
  ocf_buf_fini(&p->tx);
  OCF_DELETE(bs->cfg.a, p);
}

void ocf_bitswap_peer_down(struct ocf_bitswap *bs, uint64_t now_ns, const struct ocf_peerid *peer)
{
  ocf_bitswap_now(bs, now_ns);
  struct peer *p = ocf_bitswap_peer_find(bs, peer);
  if (p == NULL)
    return;
  if (p->out == OUT_DEAF)
    bs->n_deaf--;
  ocf_bitswap_asks_drop(p);
  ocf_bitswap_wishes_drop(p);
  struct ocf_list *n;
  while ((n = ocf_list_pop_front(&p->ins)) != NULL) {
    struct ocf_bitswap_in *in = OCF_LIST_ENTRY(n, struct ocf_bitswap_in, link);
    in->p = NULL;
    p->n_ins--;
    ocf_wheel_stop(&bs->wheel, &in->timer);
    bs->rx_bytes -= in->buf.cap;
    ocf_buf_reset(&in->buf);
    ocf_list_push_back(&bs->lost_ins, &in->link);
  }
  ocf_bitswap_peer_free(p);
  ocf_bitswap_work(bs);
}

void ocf_bitswap_offend(struct peer *p, enum ocf_bitswap_offence what)
{
  static const char *const names[OCF_BITSWAP_N_OFFENCES] = {
    [OCF_BITSWAP_MALFORMED] = "malformed message",
    [OCF_BITSWAP_IDENTITY_WANT] = "wants an identity CID",
    [OCF_BITSWAP_UNREQUESTED] = "block not asked for",
    [OCF_BITSWAP_WANT_FLOOD] = "too many wants",
    [OCF_BITSWAP_SLOW_MESSAGE] = "message not completed",
  };
  struct ocf_bitswap *bs = p->bs;
  bs->stats.offences[what]++;
  if (p->offences[what] == 0) /* one line for as many as one event tells of */
    ocf_bitswap_say_debug(p, names[what], 0);
  p->offences[what]++;
  if (!ocf_list_linked(&p->offence_link))
    ocf_list_push_back(&bs->offenders, &p->offence_link);
}
