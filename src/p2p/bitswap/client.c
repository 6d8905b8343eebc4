#include "multi/multihash/multihash.h"
#include "p2p/bitswap/bitswap_int.h"

#define SERVING_NS (10 * OCF_NS_PER_S)

/* ---- life of a want ---- */

void ocf_bitswap_want_mark(struct want *w)
{
  if (w->state == WANT_LIVE && !ocf_list_linked(&w->work))
    ocf_list_push_back(&w->bs->work, &w->work);
}

static struct want *want_find(const struct ocf_bitswap *bs, struct ocf_bytes hash)
{
  struct ocf_map_node *n = ocf_map_find(&bs->wants, hash);
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct want, node);
}

static void found_free(struct ocf_bitswap *bs, struct found *f)
{
  ocf_list_remove(&f->link);
  bs->found_bytes -= f->n;
  ocf_alloc_put(bs->cfg.a, f, sizeof(*f) + f->n);
}

void ocf_bitswap_want_free(struct want *w)
{
  struct ocf_bitswap *bs = w->bs;
  while (!ocf_list_empty(&w->asks))
    ocf_bitswap_ask_free(OCF_LIST_ENTRY(w->asks.next, struct ask, in_want));
  if (w->found != NULL)
    found_free(bs, w->found);
  ocf_wheel_stop(&bs->wheel, &w->timer);
  ocf_list_remove(&w->work);
  ocf_list_remove(&w->starved);
  ocf_list_remove(&w->slow);
  ocf_map_remove(&bs->wants, &w->node);
  ocf_alloc_put(bs->cfg.a, w, sizeof(*w) + w->n);
}

void ocf_bitswap_want_settle(struct want *w)
{
  if (w->state == WANT_OVER && ocf_list_empty(&w->asks))
    ocf_bitswap_want_free(w);
}

/* Nobody works on it any more; all who were asked are told, but for `from`, whose block took the
 * want off its ledger. */
static void stop(struct want *w, const struct peer *from)
{
  struct ocf_bitswap *bs = w->bs;
  ocf_wheel_stop(&bs->wheel, &w->timer);
  ocf_list_remove(&w->work);
  ocf_list_remove(&w->starved);
  ocf_list_remove(&w->slow);
  OCF_LIST_FOREACH_SAFE (it, &w->asks) {
    struct ask *a = OCF_LIST_ENTRY(it, struct ask, in_want);
    ocf_bitswap_ask_end(a, a->p == from);
  }
}

static void start_round(struct want *w)
{
  struct ocf_bitswap *bs = w->bs;
  uint64_t d = bs->cfg.rebroadcast_ns;
  w->round_ns = ocf_time_add(bs->now_ns, d / 2 + ocf_rng_below(bs->cfg.rng, d + 1));
  w->slow_told = false;
  w->cursor = 0;
}

static void begin(struct want *w, void *user)
{
  struct ocf_bitswap *bs = w->bs;
  w->user = user;
  w->state = WANT_LIVE;
  w->step = STEP_FIRST;
  w->starve_ns = ocf_time_add(bs->now_ns, bs->cfg.ask_ns);
  bs->n_wants++;
  start_round(w);
  OCF_LIST_FOREACH (it, &w->asks) /* wanted anew before all heard that it was over */
    ocf_bitswap_ask_send(OCF_LIST_ENTRY(it, struct ask, in_want), false);
  ocf_bitswap_want_mark(w);
}

static int want_new(struct ocf_bitswap *bs, const struct ocf_cid *cid, struct want **out)
{
  size_t n = cid->bytes.n;
  struct want *w = ocf_alloc_zero(bs->cfg.a, sizeof(*w) + n);
  if (w == NULL)
    return OCF_ENOMEM;
  w->bs = bs;
  w->n = (uint16_t)n;
  w->timer.kind = TIMER_WANT;
  ocf_list_init(&w->asks);
  memcpy(w->b, cid->bytes.p, n);
  int err = ocf_cid_cast(ocf_bytes(w->b, n), &w->cid);
  OCF_ASSERT(err == 0);
  err = ocf_map_insert(&bs->wants, &w->node, w->cid.hash_bytes);
  if (err != 0) {
    ocf_alloc_put(bs->cfg.a, w, sizeof(*w) + n);
    return err;
  }
  *out = w;
  return 0;
}

/* Those who are said to have it stand first in line for a want-block. */
static void take_hints(struct want *w, const struct ocf_peerid *hints, size_t n)
{
  for (size_t i = 0; i < n && w->n_asks < w->bs->cfg.asks_per_want_max; i++) {
    struct peer *p = ocf_bitswap_peer_find(w->bs, &hints[i]);
    if (p == NULL || !ocf_bitswap_peer_is_usable(p))
      continue;
    struct ask *a = ocf_bitswap_ask_find(w, p);
    if (a == NULL)
      (void)ocf_bitswap_ask_new(w, p); /* without it the want goes to others */
    else if (a->state == ASK_NONE)
      ocf_bitswap_ask_set(a, ASK_HAS);
  }
  ocf_bitswap_want_mark(w);
}

static int check_hash(const struct ocf_cid *cid)
{
  switch (cid->hash.code) {
  case OCF_MULTIHASH_IDENTITY: return OCF_EINVAL;
  case OCF_MULTIHASH_SHA2_256: return cid->hash.digest.n == 32 ? 0 : OCF_EUNSUPP;
  case OCF_MULTIHASH_SHA2_512: return cid->hash.digest.n == 64 ? 0 : OCF_EUNSUPP;
  }
  return OCF_EUNSUPP;
}

int ocf_bitswap_want(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bytes cid,
                     const struct ocf_peerid *hints, size_t n_hints, void *user)
{
  struct ocf_cid c;
  ocf_bitswap_now(bs, now_ns);
  if (cid.n > OCF_BITSWAP_CID_MAX || ocf_cid_cast(cid, &c) != 0)
    return OCF_EINVAL;
  int err = check_hash(&c);
  if (err != 0)
    return err;
  struct want *w = want_find(bs, c.hash_bytes);
  if (w != NULL && w->state != WANT_OVER) {
    if (w->state == WANT_LIVE)
      take_hints(w, hints, n_hints);
    return OCF_EEXIST;
  }
  if (bs->n_wants >= bs->cfg.wants_max)
    return OCF_ELIMIT;
  if (w == NULL && (err = want_new(bs, &c, &w)) != 0)
    return err;
  begin(w, user);
  take_hints(w, hints, n_hints);
  return 0;
}

bool ocf_bitswap_cancel(struct ocf_bitswap *bs, uint64_t now_ns, struct ocf_bytes cid)
{
  struct ocf_cid c;
  ocf_bitswap_now(bs, now_ns);
  struct want *w = ocf_cid_cast(cid, &c) == 0 ? want_find(bs, c.hash_bytes) : NULL;
  if (w == NULL || w->state == WANT_OVER)
    return false;
  stop(w, NULL);
  if (w->found != NULL)
    found_free(bs, w->found);
  w->found = NULL;
  w->state = WANT_OVER;
  bs->n_wants--;
  ocf_bitswap_want_settle(w);
  return true;
}

/* ---- whom to ask next ---- */

struct tally {
  struct ask *best;   /* the cheapest that has it and is not full */
  bool has_full;      /* one that has it is full */
  unsigned n_open;    /* answers awaited */
  unsigned n_fresh;   /* and of these not late yet */
  unsigned n_blocks;  /* want-blocks in flight */
  unsigned n_on_time; /* and of these not late yet */
  uint64_t next_ns;   /* when one of them becomes late or is given up */
};

static void count_open(struct ask *a, struct tally *t)
{
  bool fresh = a->stall_ns > a->w->bs->now_ns;
  t->n_open++;
  t->n_fresh += fresh;
  t->n_blocks += a->block;
  t->n_on_time += a->block && fresh;
  t->next_ns = ocf_time_min(t->next_ns, fresh ? a->stall_ns : a->due_ns);
}

static struct tally take_stock(struct want *w)
{
  struct ocf_bitswap *bs = w->bs;
  struct tally t = { .next_ns = OCF_TIME_NEVER };
  OCF_LIST_FOREACH (it, &w->asks) {
    struct ask *a = OCF_LIST_ENTRY(it, struct ask, in_want);
    if (a->state == ASK_OPEN && a->due_ns <= bs->now_ns) {
      a->p->n_misses++;
      bs->stats.asks_timed_out++;
      ocf_bitswap_ask_set(a, ASK_NONE);
    }
    if (a->state == ASK_OPEN)
      count_open(a, &t);
    if (a->state != ASK_HAS)
      continue;
    if (ocf_bitswap_peer_is_full(a->p))
      t.has_full = true;
    else if (t.best == NULL || ocf_bitswap_peer_cost(a->p) < ocf_bitswap_peer_cost(t.best->p))
      t.best = a;
  }
  return t;
}

/* So many peers may stand asked for one want, for all wants to fit. */
static size_t asks_allowed(const struct ocf_bitswap *bs)
{
  size_t share = bs->cfg.asks_max / 4 * 3 / OCF_MAX(bs->n_wants, 1);
  return OCF_MIN(OCF_MAX(share, BS_ASKS_MIN), bs->cfg.asks_per_want_max);
}

/* Takes a peer that had none off the want, so that another one can be asked. */
static bool drop_one(struct want *w)
{
  OCF_LIST_FOREACH (it, &w->asks) {
    struct ask *a = OCF_LIST_ENTRY(it, struct ask, in_want);
    if (a->state == ASK_NONE) {
      ocf_bitswap_ask_end(a, false);
      return true;
    }
  }
  return false;
}

static bool can_be_asked(const struct want *w, const struct peer *p)
{
  return ocf_bitswap_peer_is_usable(p) && !ocf_bitswap_peer_is_full(p) &&
         ocf_bitswap_ask_find(w, p) == NULL;
}

/* The peer to be sent want-block without knowing anything: the cheapest of those that were useful,
 * else of all. */
static struct peer *best_guess(const struct want *w)
{
  struct peer *best = NULL;
  OCF_LIST_FOREACH (it, &w->bs->peer_order) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    if (!can_be_asked(w, p))
      continue;
    bool more_useful = best != NULL && (p->useful_ns != 0) && best->useful_ns == 0;
    bool as_useful = best != NULL && (p->useful_ns != 0) == (best->useful_ns != 0);
    if (best == NULL || more_useful ||
        (as_useful && ocf_bitswap_peer_cost(p) < ocf_bitswap_peer_cost(best)))
      best = p;
  }
  return best;
}

static bool ask_peer(struct want *w, struct peer *p, bool block)
{
  struct ask *a = ocf_bitswap_ask_new(w, p);
  if (a == NULL)
    return false;
  ocf_bitswap_ask_send(a, block);
  return true;
}

/* The first peer behind the cursor; NULL when all were considered. */
static struct ocf_list *behind_cursor(const struct want *w)
{
  struct ocf_list *head = &w->bs->peer_order, *it = head;
  while (it->prev != head && OCF_LIST_ENTRY(it->prev, struct peer, all)->seq > w->cursor)
    it = it->prev;
  return it == head ? NULL : it;
}

/* Sends want-have to up to `n` peers behind the cursor. Returns how many; `*room` false: a bound
 * was met, with peers left. */
static size_t ask_around(struct want *w, size_t n, bool *room)
{
  struct ocf_bitswap *bs = w->bs;
  struct ocf_list *it;
  size_t asked = 0;
  *room = true;
  while (asked < n && (it = behind_cursor(w)) != NULL) {
    struct peer *p = OCF_LIST_ENTRY(it, struct peer, all);
    if (can_be_asked(w, p)) {
      if ((w->n_asks >= asks_allowed(bs) && !drop_one(w)) || !ask_peer(w, p, false)) {
        *room = false;
        return asked;
      }
      asked++;
    }
    w->cursor = p->seq;
  }
  return asked;
}

/* Whether it sends us blocks these seconds: then it is good for the next one too, and is asked
 * alone. */
static bool is_serving(const struct peer *p)
{
  return p->useful_ns != 0 && p->bs->now_ns - p->useful_ns < SERVING_NS;
}

/* Widens the circle by one step. Returns how many peers were asked. */
static size_t ask_more(struct want *w, bool *room)
{
  size_t asked = 0;
  *room = true;
  if (w->step == STEP_FIRST) {
    if (w->n_asks == 0) {
      struct peer *p = best_guess(w);
      asked += p != NULL && ask_peer(w, p, true);
      if (asked > 0 && is_serving(p))
        return asked;
    }
    w->step = STEP_SOME;
    asked += ask_around(w, w->bs->cfg.spread, room);
    if (asked > 0)
      return asked;
  }
  w->step = STEP_ALL;
  return ask_around(w, SIZE_MAX, room);
}

static void report_slow(struct want *w)
{
  struct ocf_bitswap *bs = w->bs;
  if (w->slow_told)
    return;
  w->slow_told = true;
  bs->stats.wants_slow++;
  if (!ocf_list_linked(&w->slow))
    ocf_list_push_back(&bs->slow, &w->slow);
}

static void ask_again(struct want *w)
{
  start_round(w);
  OCF_LIST_FOREACH (it, &w->asks) {
    struct ask *a = OCF_LIST_ENTRY(it, struct ask, in_want);
    if (a->state == ASK_NONE && ocf_bitswap_peer_is_usable(a->p) && !ocf_bitswap_peer_is_full(a->p))
      ocf_bitswap_ask_send(a, false);
  }
}

/* Waits in line for a peer that has it and is full. */
static void starve(struct want *w)
{
  if (!ocf_list_linked(&w->starved))
    ocf_list_push_back(&w->bs->starved, &w->starved);
}

static void work_on(struct want *w)
{
  struct ocf_bitswap *bs = w->bs;
  if (bs->now_ns >= w->round_ns)
    ask_again(w);
  struct tally t = take_stock(w);
  if (t.n_on_time == 0 && t.best != NULL && t.n_blocks < bs->cfg.parallel) {
    ocf_bitswap_ask_send(t.best, true);
    count_open(t.best, &t);
  }
  bool room = true;
  if (t.n_open == 0 && t.has_full && bs->now_ns < w->starve_ns) {
    starve(w);
    t.next_ns = w->starve_ns;
  } else if (t.n_fresh == 0) {
    if (ask_more(w, &room) > 0)
      t = take_stock(w);
    else if (t.n_open == 0 && room && behind_cursor(w) == NULL)
      report_slow(w);
  }
  if (!room) /* peers are left that could not be asked now */
    t.next_ns = ocf_time_min(t.next_ns, ocf_time_add(bs->now_ns, bs->cfg.stall_max_ns));
  ocf_wheel_start(&bs->wheel, &w->timer, ocf_time_min(t.next_ns, w->round_ns));
}

void ocf_bitswap_work(struct ocf_bitswap *bs)
{
  struct ocf_list *n;
  while ((n = ocf_list_pop_front(&bs->work)) != NULL)
    work_on(OCF_LIST_ENTRY(n, struct want, work));
}

void ocf_bitswap_room(struct ocf_bitswap *bs)
{
  struct ocf_list *n = ocf_list_pop_front(&bs->starved);
  if (n != NULL)
    ocf_bitswap_want_mark(OCF_LIST_ENTRY(n, struct want, starved));
}

/* ---- what comes ---- */

void ocf_bitswap_got_presence(struct peer *p, const struct ocf_bitswap_item *item)
{
  struct ocf_bitswap *bs = p->bs;
  bs->stats.dont_haves_in += item->dont_have;
  bs->stats.haves_in += !item->dont_have;
  struct want *w = want_find(bs, item->cid.hash_bytes);
  if (w == NULL || w->state != WANT_LIVE)
    return;
  struct ask *a = ocf_bitswap_ask_find(w, p);
  if (a == NULL || !a->told)
    return;
  ocf_bitswap_ask_answered(a);
  if (item->dont_have)
    ocf_bitswap_ask_set(a, ASK_NONE);
  else if (a->state != ASK_OPEN || !a->block) /* with a want-block out, the block is to follow */
    ocf_bitswap_ask_set(a, ASK_HAS);
  ocf_bitswap_want_mark(w);
}

/* The want that `data` is the block of, or NULL. */
static struct want *want_of(struct ocf_bitswap *bs, const struct ocf_bitswap_item *item)
{
  uint8_t hash[2 + 64];
  size_t n = 0;
  if (bs->n_wants == 0 || item->data.n > OCF_BITSWAP_BLOCK_MAX ||
      item->hash_code == OCF_MULTIHASH_IDENTITY)
    return NULL;
  if (ocf_multihash_sum(item->hash_code, item->data, hash, sizeof(hash), &n) != 0)
    return NULL;
  struct want *w = want_find(bs, ocf_bytes(hash, n));
  return w != NULL && w->state == WANT_LIVE ? w : NULL;
}

static bool got_unwanted(struct peer *p, const struct ocf_bitswap_item *item)
{
  p->bs->stats.blocks_dup++;
  p->bs->stats.block_bytes_dup += item->data.n;
  if (p->credit > 0) {
    p->credit--;
    return true;
  }
  ocf_bitswap_offend(p, OCF_BITSWAP_UNREQUESTED);
  return false;
}

static struct found *found_new(struct ocf_bitswap *bs, const struct peer *p, struct ocf_bytes data)
{
  if (bs->found_bytes > bs->cfg.events_bytes_max ||
      data.n > bs->cfg.events_bytes_max - bs->found_bytes)
    return NULL;
  struct found *f = ocf_alloc_get(bs->cfg.a, sizeof(*f) + data.n);
  if (f == NULL)
    return NULL;
  *f = (struct found){ .from = p->id, .n = data.n };
  if (data.n > 0)
    memcpy(f->data, data.p, data.n);
  bs->found_bytes += data.n;
  ocf_list_push_back(&bs->found, &f->link);
  return f;
}

bool ocf_bitswap_got_block(struct peer *p, const struct ocf_bitswap_item *item)
{
  struct ocf_bitswap *bs = p->bs;
  struct want *w = want_of(bs, item);
  if (w == NULL)
    return got_unwanted(p, item);
  struct ask *a = ocf_bitswap_ask_find(w, p);
  if (a != NULL)
    ocf_bitswap_ask_answered(a);
  struct found *f = found_new(bs, p, item->data);
  if (f == NULL) { /* asked again in the next round, or of another peer before */
    bs->stats.dropped++;
    if (a != NULL)
      ocf_bitswap_ask_set(a, ASK_NONE);
    return true;
  }
  bs->stats.blocks_in++;
  bs->stats.block_bytes_in += item->data.n;
  p->useful_ns = OCF_MAX(bs->now_ns, 1);
  f->w = w;
  w->found = f;
  w->state = WANT_FOUND;
  stop(w, p);
  return true;
}
