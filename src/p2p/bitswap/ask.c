#include "p2p/bitswap/bitswap_int.h"

enum { RTT_UNKNOWN_MS = 100, STALL_UNKNOWN_MS = 250, MISSES_COUNTED = 8 };

/* ---- peers as sources ---- */

bool ocf_bitswap_peer_is_full(const struct peer *p)
{
  return p->n_open >= p->bs->cfg.asks_per_peer_max;
}

bool ocf_bitswap_peer_is_usable(const struct peer *p)
{
  if (p->out == OUT_NONE)
    return p->bs->now_ns >= p->retry_ns;
  return p->out != OUT_DEAF;
}

uint64_t ocf_bitswap_peer_cost(const struct peer *p)
{
  uint64_t rtt = p->srtt_ns != 0 ? p->srtt_ns : RTT_UNKNOWN_MS * OCF_NS_PER_MS;
  rtt = OCF_MIN(rtt, OCF_NS_PER_S * 60); /* keeps the product in range */
  uint64_t load = 1 + p->n_blocks;
  return (rtt * load) << OCF_MIN(p->n_misses, MISSES_COUNTED);
}

static uint64_t stall_ns(const struct peer *p)
{
  const struct ocf_bitswap_config *c = &p->bs->cfg;
  uint64_t d = p->srtt_ns != 0 ? 2 * p->srtt_ns : STALL_UNKNOWN_MS * OCF_NS_PER_MS;
  return OCF_MIN(OCF_MAX(d, c->stall_min_ns), c->stall_max_ns);
}

/* ---- asks ---- */

struct ask *ocf_bitswap_ask_find(const struct want *w, const struct peer *p)
{
  OCF_LIST_FOREACH (it, &w->asks) {
    struct ask *a = OCF_LIST_ENTRY(it, struct ask, in_want);
    if (a->p == p)
      return a;
  }
  return NULL;
}

struct ask *ocf_bitswap_ask_new(struct want *w, struct peer *p)
{
  struct ocf_bitswap *bs = p->bs;
  OCF_ASSERT(w->state == WANT_LIVE);
  if (bs->n_asks >= bs->cfg.asks_max)
    return NULL;
  struct ask *a = OCF_NEW(bs->cfg.a, struct ask);
  if (a == NULL)
    return NULL;
  a->w = w;
  a->p = p;
  a->state = ASK_HAS;
  ocf_list_push_back(&w->asks, &a->in_want);
  ocf_list_push_back(&p->asks, &a->in_peer);
  w->n_asks++;
  bs->n_asks++;
  return a;
}

void ocf_bitswap_ask_set(struct ask *a, enum ask_state state)
{
  struct peer *p = a->p;
  if (a->state == ASK_OPEN) {
    p->n_open--;
    p->n_blocks -= a->block;
    ocf_bitswap_room(p->bs);
  }
  if (a->state != ASK_CANCEL && state == ASK_CANCEL)
    a->w->n_asks--;
  if (a->state == ASK_CANCEL && state != ASK_CANCEL)
    a->w->n_asks++;
  a->state = state;
  if (state == ASK_OPEN) {
    p->n_open++;
    p->n_blocks += a->block;
  }
}

void ocf_bitswap_ask_free(struct ask *a)
{
  struct ocf_bitswap *bs = a->p->bs;
  ocf_bitswap_ask_set(a, ASK_CANCEL);
  ocf_list_remove(&a->in_want);
  ocf_list_remove(&a->in_peer);
  ocf_list_remove(&a->say);
  bs->n_asks--;
  OCF_DELETE(bs->cfg.a, a);
}

static void say(struct ask *a)
{
  if (!ocf_list_linked(&a->say))
    ocf_list_push_back(&a->p->to_say, &a->say);
  ocf_bitswap_kick(a->p);
}

static void give_credit(struct peer *p)
{
  if (p->credit < BS_CREDIT_MAX)
    p->credit++;
}

void ocf_bitswap_ask_send(struct ask *a, bool block)
{
  struct ocf_bitswap *bs = a->p->bs;
  if (a->told) /* the former question may be answered too */
    give_credit(a->p);
  ocf_bitswap_ask_set(a, ASK_HAS);
  a->block = block;
  a->said_ns = 0;
  a->stall_ns = ocf_time_add(bs->now_ns, stall_ns(a->p));
  a->due_ns = ocf_time_add(bs->now_ns, bs->cfg.ask_ns);
  ocf_bitswap_ask_set(a, ASK_OPEN);
  say(a);
}

void ocf_bitswap_ask_end(struct ask *a, bool quiet)
{
  if (!a->told || quiet) {
    ocf_bitswap_ask_free(a);
    return;
  }
  give_credit(a->p);
  ocf_bitswap_ask_set(a, ASK_CANCEL);
  say(a);
}

void ocf_bitswap_ask_answered(struct ask *a)
{
  struct peer *p = a->p;
  p->n_misses = 0;
  if (a->state != ASK_OPEN || a->said_ns == 0)
    return;
  uint64_t rtt = OCF_MAX(p->bs->now_ns - a->said_ns, 1);
  p->srtt_ns = p->srtt_ns == 0 ? rtt : p->srtt_ns - p->srtt_ns / 8 + rtt / 8;
  a->said_ns = 0;
}

void ocf_bitswap_asks_drop(struct peer *p)
{
  while (!ocf_list_empty(&p->asks)) {
    struct ask *a = OCF_LIST_ENTRY(p->asks.next, struct ask, in_peer);
    struct want *w = a->w;
    if (a->told)
      give_credit(p);
    ocf_bitswap_ask_free(a);
    if (w->state == WANT_LIVE)
      ocf_bitswap_want_mark(w);
    else
      ocf_bitswap_want_settle(w);
  }
}

/* ---- what goes into a message ---- */

static void write_ask(struct ask *a, struct ocf_pb_writer *w)
{
  struct peer *p = a->p;
  struct ocf_bitswap *bs = p->bs;
  bool knows_haves = p->proto == 0;
  struct ocf_bitswap_entry e = {
    .cid = a->w->cid.bytes,
    .priority = bs->priority,
    .have = knows_haves && !a->block,
    .send_dont = knows_haves,
  };
  bs->priority = bs->priority > 1 ? bs->priority - 1 : INT32_MAX;
  bs->stats.want_haves_out += e.have;
  bs->stats.want_blocks_out += !e.have;
  ocf_bitswap_put_entry(w, &e);
  a->told = true;
  a->said_ns = bs->now_ns;
}

static void write_cancel(struct ask *a, struct ocf_pb_writer *w)
{
  struct want *want = a->w;
  a->p->bs->stats.cancels_out++;
  ocf_bitswap_put_entry(w, &(struct ocf_bitswap_entry){ .cid = want->cid.bytes, .cancel = true });
  ocf_bitswap_ask_free(a);
  ocf_bitswap_want_settle(want);
}

/* Everything that stands; what is not named is thereby cancelled. */
static size_t say_all(struct peer *p, struct ocf_pb_writer *w)
{
  size_t n = 0;
  OCF_LIST_FOREACH_SAFE (it, &p->asks) {
    struct ask *a = OCF_LIST_ENTRY(it, struct ask, in_peer);
    struct want *want = a->w;
    ocf_list_remove(&a->say);
    if (a->state == ASK_CANCEL) {
      ocf_bitswap_ask_free(a);
      ocf_bitswap_want_settle(want);
    } else if (a->state != ASK_HAS) {
      if (a->told)
        give_credit(p);
      write_ask(a, w);
      n++;
    }
  }
  return n;
}

size_t ocf_bitswap_asks_say(struct peer *p, struct ocf_pb_writer *w)
{
  size_t n = 0;
  if (p->say_all)
    return say_all(p, w);
  while (n < BS_ENTRIES_MAX && !ocf_list_empty(&p->to_say)) {
    struct ask *a = OCF_LIST_ENTRY(ocf_list_pop_front(&p->to_say), struct ask, say);
    if (a->state == ASK_CANCEL)
      write_cancel(a, w);
    else
      write_ask(a, w);
    n++;
  }
  return n;
}
