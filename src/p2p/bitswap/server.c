#include "p2p/bitswap/bitswap_int.h"

/* ---- the ledger ---- */

static void unlink_missing(struct wish *w)
{
  struct missing *m = w->m;
  if (m == NULL)
    return;
  ocf_list_remove(&w->same);
  w->m = NULL;
  if (!ocf_list_empty(&m->wishes))
    return;
  struct ocf_bitswap *bs = w->p->bs;
  ocf_map_remove(&bs->missing, &m->node);
  ocf_alloc_put(bs->cfg.a, m, sizeof(*m) + m->n);
}

static void wish_free(struct wish *w)
{
  struct ocf_bitswap *bs = w->p->bs;
  unlink_missing(w);
  ocf_list_remove(&w->link);
  ocf_map_remove(&w->p->ledger, &w->node);
  bs->n_wishes--;
  ocf_alloc_put(bs->cfg.a, w, sizeof(*w) + w->n);
}

static struct wish *first(struct ocf_list *list)
{
  return ocf_list_empty(list) ? NULL : OCF_LIST_ENTRY(list->next, struct wish, link);
}

void ocf_bitswap_wishes_drop(struct peer *p)
{
  struct ocf_list *lists[] = { &p->ready, &p->waiting, &p->sending };
  for (size_t i = 0; i < OCF_ARRAY_LEN(lists); i++) {
    struct wish *w;
    while ((w = first(lists[i])) != NULL)
      wish_free(w);
  }
}

static struct wish *wish_find(const struct peer *p, struct ocf_bytes cid)
{
  struct ocf_map_node *n = ocf_map_find(&p->ledger, cid);
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct wish, node);
}

/* The peer with the longest ledger. */
static struct peer *greediest(struct ocf_bitswap *bs)
{
  struct peer *most = NULL;
  OCF_LIST_FOREACH (it, &bs->peer_order) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    if (most == NULL || p->ledger.n > most->ledger.n)
      most = p;
  }
  return most;
}

/* Room for one more of `p`'s wishes: its own oldest unanswered one goes; when all ledgers together
 * are full, the longest one's. */
static bool make_room(struct peer *p)
{
  struct ocf_bitswap *bs = p->bs;
  struct peer *from = NULL;
  if (p->ledger.n >= bs->cfg.wants_per_peer_max)
    from = p;
  else if (bs->n_wishes >= bs->cfg.ledger_max)
    from = greediest(bs);
  if (from == NULL)
    return true;
  struct wish *oldest = first(&from->waiting);
  if (oldest == NULL)
    return false;
  wish_free(oldest);
  return true;
}

static struct wish *wish_new(struct peer *p, const struct ocf_cid *cid)
{
  struct ocf_bitswap *bs = p->bs;
  size_t n = cid->bytes.n;
  if (!make_room(p)) {
    ocf_bitswap_offend(p, OCF_BITSWAP_WANT_FLOOD);
    return NULL;
  }
  struct wish *w = ocf_alloc_zero(bs->cfg.a, sizeof(*w) + n);
  if (w == NULL) {
    bs->stats.dropped++;
    return NULL;
  }
  w->p = p;
  w->n = (uint16_t)n;
  memcpy(w->b, cid->bytes.p, n);
  int err = ocf_cid_cast(ocf_bytes(w->b, n), &w->cid);
  OCF_ASSERT(err == 0);
  if (ocf_map_insert(&p->ledger, &w->node, w->cid.bytes) != 0) {
    bs->stats.dropped++;
    ocf_alloc_put(bs->cfg.a, w, sizeof(*w) + n);
    return NULL;
  }
  bs->n_wishes++;
  return w;
}

static void make_ready(struct wish *w)
{
  unlink_missing(w);
  w->sending = false;
  ocf_list_remove(&w->link);
  ocf_list_push_back(&w->p->ready, &w->link);
}

static struct missing *missing_of(struct ocf_bitswap *bs, struct ocf_bytes hash)
{
  struct ocf_map_node *n = ocf_map_find(&bs->missing, hash);
  if (n != NULL)
    return OCF_CONTAINER_OF(n, struct missing, node);
  struct missing *m = ocf_alloc_zero(bs->cfg.a, sizeof(*m) + hash.n);
  if (m == NULL)
    return NULL;
  m->n = (uint16_t)hash.n;
  memcpy(m->b, hash.p, hash.n);
  ocf_list_init(&m->wishes);
  if (ocf_map_insert(&bs->missing, &m->node, ocf_bytes(m->b, m->n)) != 0) {
    ocf_alloc_put(bs->cfg.a, m, sizeof(*m) + hash.n);
    return NULL;
  }
  return m;
}

/* The block is not there: remembered until it is. */
static void make_waiting(struct wish *w)
{
  struct ocf_bitswap *bs = w->p->bs;
  w->sending = false;
  ocf_list_remove(&w->link);
  ocf_list_push_back(&w->p->waiting, &w->link);
  if (w->m != NULL)
    return;
  struct missing *m = missing_of(bs, w->cid.hash_bytes);
  if (m == NULL) {
    bs->stats.dropped++;
    wish_free(w);
    return;
  }
  w->m = m;
  ocf_list_push_back(&m->wishes, &w->same);
}

/* ---- what they want ---- */

static int look_up(struct ocf_bitswap *bs, const struct ocf_cid *cid, struct ocf_bytes *block)
{
  int err = bs->cfg.store.get(bs->cfg.store.ctx, cid->hash_bytes, block);
  if (err == 0 && block->n > OCF_BITSWAP_BLOCK_MAX)
    return OCF_ENOENT;
  return err;
}

void ocf_bitswap_wish(struct peer *p, const struct ocf_bitswap_item *e)
{
  struct ocf_bitswap *bs = p->bs;
  struct ocf_bytes block = { NULL, 0 };
  if (e->cid.bytes.n > OCF_BITSWAP_CID_MAX) {
    ocf_bitswap_offend(p, OCF_BITSWAP_WANT_FLOOD);
    return;
  }
  if (e->cid.hash.code == OCF_MULTIHASH_IDENTITY) {
    ocf_bitswap_offend(p, OCF_BITSWAP_IDENTITY_WANT);
    return;
  }
  struct wish *w = wish_find(p, e->cid.bytes);
  if (e->cancel) {
    bs->stats.cancels_in++;
    if (w != NULL)
      wish_free(w);
    return;
  }
  bs->stats.wants_in++;
  if (w == NULL && (w = wish_new(p, &e->cid)) == NULL)
    return;
  /* A want-have does not take back a want-block; what is on its way already is asked anew. */
  w->block = !e->have || (w->block && !w->sending);
  w->send_dont = e->send_dont;
  int err = look_up(bs, &w->cid, &block);
  if (err == 0 || (err == OCF_ENOENT && w->send_dont))
    make_ready(w);
  else
    make_waiting(w);
}

void ocf_bitswap_stored(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bytes cid)
{
  struct ocf_cid c;
  ocf_bitswap_now(bs, now_ns);
  if (ocf_cid_cast(cid, &c) != 0)
    return;
  struct ocf_map_node *n = ocf_map_find(&bs->missing, c.hash_bytes);
  if (n == NULL)
    return;
  struct missing *m = OCF_CONTAINER_OF(n, struct missing, node);
  for (bool more = true; more;) { /* the last one frees `m` */
    struct wish *w = OCF_LIST_ENTRY(m->wishes.next, struct wish, same);
    more = w->same.next != &m->wishes;
    make_ready(w);
    ocf_bitswap_kick(w->p);
  }
}

/* ---- answering ---- */

struct answer {
  struct peer *p;
  struct ocf_pb_writer *tx, *presences;
  size_t n, n_bytes;
};

static void answer_presence(struct answer *a, struct wish *w, bool dont_have)
{
  struct ocf_bitswap *bs = a->p->bs;
  if (a->p->proto == 0) { /* older protocols know of none */
    ocf_bitswap_put_presence(a->presences, w->cid.bytes, dont_have);
    a->n++;
    bs->stats.dont_haves_out += dont_have;
    bs->stats.haves_out += !dont_have;
  }
  if (dont_have) {
    make_waiting(w);
    return;
  }
  w->sending = true;
  ocf_list_remove(&w->link);
  ocf_list_push_back(&a->p->sending, &w->link);
}

static void answer_block(struct answer *a, struct wish *w, struct ocf_bytes block)
{
  struct ocf_bitswap *bs = a->p->bs;
  ocf_bitswap_put_block(a->tx, &w->cid, block, a->p->proto >= 2);
  a->n++;
  a->n_bytes += block.n;
  bs->stats.blocks_out++;
  bs->stats.block_bytes_out += block.n;
  w->sending = true;
  ocf_list_remove(&w->link);
  ocf_list_push_back(&a->p->sending, &w->link);
}

/* False when it has to go into the next message. */
static bool answer(struct answer *a, struct wish *w)
{
  struct ocf_bytes block = { NULL, 0 };
  int err = look_up(a->p->bs, &w->cid, &block);
  if (err != 0 && (err != OCF_ENOENT || !w->send_dont)) {
    make_waiting(w);
  } else if (err != 0) {
    answer_presence(a, w, true);
  } else if (!w->block && block.n > OCF_BITSWAP_SMALL) {
    answer_presence(a, w, false);
  } else {
    if (a->n_bytes > 0 && a->n_bytes + block.n > OCF_BITSWAP_MESSAGE_TARGET)
      return false;
    answer_block(a, w, block);
  }
  return true;
}

size_t ocf_bitswap_wishes_answer(struct peer *p, struct ocf_pb_writer *tx,
                                 struct ocf_pb_writer *presences)
{
  struct answer a = { .p = p, .tx = tx, .presences = presences };
  struct wish *w;
  for (size_t i = 0; i < OCF_BITSWAP_BUILD_MAX && (w = first(&p->ready)) != NULL; i++) {
    if (!answer(&a, w))
      break;
  }
  return a.n;
}

void ocf_bitswap_wishes_sent(struct peer *p)
{
  struct wish *w;
  while ((w = first(&p->sending)) != NULL)
    wish_free(w);
}

void ocf_bitswap_wishes_unsent(struct peer *p)
{
  while (!ocf_list_empty(&p->sending)) {
    struct wish *w = OCF_LIST_ENTRY(p->sending.prev, struct wish, link);
    w->sending = false;
    ocf_list_remove(&w->link);
    ocf_list_push_front(&p->ready, &w->link);
  }
}
