/* The table of blocks that are wanted: queued, asked for, or waiting for a retry. Bounded in all
 * and per announcer. Children that find no room are left to the store (repair.c). */
#include <string.h>

#include "crdt/merkle/merkle_int.h"

static struct fetch *of_retry(struct ocf_heap_node *n)
{
  return OCF_CONTAINER_OF(n, struct fetch, retry);
}

static bool sooner(const struct ocf_heap_node *a, const struct ocf_heap_node *b)
{
  return OCF_CONTAINER_OF_CONST(a, struct fetch, retry)->retry_ns <
         OCF_CONTAINER_OF_CONST(b, struct fetch, retry)->retry_ns;
}

/* ---- blocks known by name ---- */

bool ocf_merkle_noted(const struct ocf_lru *c, const uint8_t id[ID])
{
  return ocf_lru_peek(c, ocf_bytes(id, ID)) != NULL;
}

/* Best effort: without memory it is not remembered. */
void ocf_merkle_note(struct ocf_merkle *m, struct ocf_lru *c, const uint8_t id[ID])
{
  struct ocf_lru_node *out = NULL;
  struct noted *e =
      ocf_lru_get(c, ocf_bytes(id, ID)) == NULL ? OCF_NEW(m->cfg.a, struct noted) : NULL;
  if (e == NULL)
    return;
  memcpy(e->id, id, ID);
  if (ocf_lru_put(c, &e->node, ocf_bytes(e->id, ID), &out) != 0)
    out = &e->node;
  if (out != NULL) {
    struct noted *old = OCF_CONTAINER_OF(out, struct noted, node);
    OCF_DELETE(m->cfg.a, old);
  }
}

void ocf_merkle_notes_clear(struct ocf_merkle *m, struct ocf_lru *c)
{
  struct ocf_lru_node *n;
  while ((n = ocf_lru_pop_oldest(c)) != NULL) {
    struct noted *e = OCF_CONTAINER_OF(n, struct noted, node);
    OCF_DELETE(m->cfg.a, e);
  }
}

/* ---- announcers ---- */

struct announcer *ocf_merkle_announcer(struct ocf_merkle *m, struct ocf_bytes peer)
{
  if (peer.n == 0 || peer.n > OCF_MERKLE_ANNOUNCER_MAX)
    return NULL;
  struct ocf_map_node *n = ocf_map_find(&m->announcers, peer);
  if (n != NULL)
    return OCF_CONTAINER_OF(n, struct announcer, node);
  struct announcer *by = OCF_NEW(m->cfg.a, struct announcer);
  if (by == NULL)
    return NULL;
  by->n = (uint8_t)peer.n;
  memcpy(by->id, peer.p, peer.n);
  if (ocf_map_insert(&m->announcers, &by->node, ocf_bytes(by->id, by->n)) == 0)
    return by;
  OCF_DELETE(m->cfg.a, by);
  return NULL;
}

/* Forgets an announcer on whose account nothing is fetched. NULL is fine. */
void ocf_merkle_announcer_put(struct ocf_merkle *m, struct announcer *by)
{
  if (by == NULL || by->n_fetches > 0)
    return;
  ocf_map_remove(&m->announcers, &by->node);
  OCF_DELETE(m->cfg.a, by);
}

/* ---- the table ---- */

void ocf_merkle_fetch_init(struct ocf_merkle *m, const uint64_t seed[2])
{
  struct ocf_alloc *a = m->cfg.a;
  ocf_map_init(&m->fetches, a, seed, m->cfg.fetches_max);
  ocf_map_init(&m->announcers, a, seed, m->cfg.fetches_max + 1);
  ocf_list_init(&m->queued);
  ocf_list_init(&m->active);
  ocf_list_init(&m->unfetch);
  ocf_list_init(&m->fresh);
  ocf_heap_init(&m->retries, sooner);
  ocf_lru_init(&m->seen, a, seed, m->cfg.seen_max);
  ocf_lru_init(&m->bad, a, seed, m->cfg.bad_max);
}

struct fetch *ocf_merkle_fetch_find(const struct ocf_merkle *m, const uint8_t id[ID])
{
  struct ocf_map_node *n = ocf_map_find(&m->fetches, ocf_bytes(id, ID));
  return n == NULL ? NULL : OCF_CONTAINER_OF(n, struct fetch, node);
}

/* Leaves the state that `f` is in. */
static void leave_state(struct ocf_merkle *m, struct fetch *f)
{
  if (f->state == FETCH_ACTIVE)
    m->n_active--;
  if (f->state == FETCH_RETRY) {
    m->n_retrying--;
    ocf_heap_remove(&m->retries, &f->retry);
  }
  ocf_list_remove(&f->link);
}

static void enter_queue(struct ocf_merkle *m, struct fetch *f)
{
  leave_state(m, f);
  f->state = FETCH_QUEUED;
  ocf_list_push_back(&m->queued, &f->link);
}

static void release_account(struct ocf_merkle *m, struct fetch *f)
{
  if (f->by == NULL) {
    m->n_unknown--;
    return;
  }
  f->by->n_fetches--;
  ocf_merkle_announcer_put(m, f->by);
  f->by = NULL;
}

/* Puts a fetch on the account of another announcer, who is the one that named this very block. */
void ocf_merkle_fetch_account(struct ocf_merkle *m, struct fetch *f, struct announcer *by)
{
  if (by == f->by || by == NULL)
    return;
  by->n_fetches++;
  release_account(m, f);
  f->by = by;
}

/* Out of the table; freed, unless an UNFETCH of it is to be told first. */
static void remove_fetch(struct ocf_merkle *m, struct fetch *f)
{
  leave_state(m, f);
  ocf_list_remove(&f->fresh);
  ocf_map_remove(&m->fetches, &f->node);
  m->n_announced -= f->announced;
  release_account(m, f);
  f->state = FETCH_GONE;
  if (!ocf_list_linked(&f->tell))
    OCF_DELETE(m->cfg.a, f);
}

/* The block came: nothing is told. */
void ocf_merkle_fetch_drop(struct ocf_merkle *m, struct fetch *f)
{
  ocf_list_remove(&f->tell);
  remove_fetch(m, f);
}

/* The block is here by another way. */
void ocf_merkle_fetch_end(struct ocf_merkle *m, struct fetch *f)
{
  if (f->state == FETCH_ACTIVE)
    ocf_list_push_back(&m->unfetch, &f->tell);
  remove_fetch(m, f);
}

/* Makes room for one more: the one in back-off whose turn is next goes, or one that was asked for
 * too long ago. Children among them are found again in the store. */
static bool make_room(struct ocf_merkle *m, uint64_t now_ns)
{
  struct fetch *f = NULL;
  if (m->fetches.n < m->cfg.fetches_max)
    return true;
  if (ocf_heap_peek(&m->retries) != NULL) {
    f = of_retry(ocf_heap_peek(&m->retries));
  } else if (!ocf_list_empty(&m->active)) {
    f = OCF_LIST_ENTRY(m->active.next, struct fetch, link);
    if (now_ns < ocf_time_add(f->active_ns, m->cfg.stall_ns))
      return false;
    ocf_list_push_back(&m->unfetch, &f->tell);
  }
  if (f == NULL)
    return false;
  if (f->child)
    ocf_merkle_search_again(m);
  remove_fetch(m, f);
  return true;
}

static bool has_room(struct ocf_merkle *m, uint64_t now_ns, const struct announcer *by)
{
  if (by != NULL && by->n_fetches > m->cfg.per_announcer_max) /* the one to be made counts */
    return false;
  if (by == NULL && m->n_unknown >= OCF_MAX(m->cfg.fetches_max / 2, (size_t)1))
    return false;
  return make_room(m, now_ns);
}

struct fetch *ocf_merkle_fetch_add(struct ocf_merkle *m, uint64_t now_ns, const uint8_t id[ID],
                                   struct announcer *by, bool child)
{
  if (by != NULL)
    by->n_fetches++; /* for the new one; it also holds `by` while room is made */
  bool room = has_room(m, now_ns, by);
  struct fetch *f = room ? OCF_NEW(m->cfg.a, struct fetch) : NULL;
  if (f != NULL) {
    memcpy(f->id, id, ID);
    if (ocf_map_insert(&m->fetches, &f->node, ocf_bytes(f->id, ID)) != 0) {
      OCF_DELETE(m->cfg.a, f);
      f = NULL;
    }
  }
  if (f == NULL) {
    if (by != NULL)
      by->n_fetches--;
    return NULL;
  }
  f->by = by;
  m->n_unknown += by == NULL;
  f->child = child;
  f->born_ns = now_ns;
  f->wait_ns = m->cfg.retry_min_ns;
  ocf_list_push_back(&m->fresh, &f->fresh);
  enter_queue(m, f);
  return f;
}

/* ---- failure and retry ---- */

static int ban(struct ocf_merkle *m, struct fetch *f)
{
  struct row_key k = ocf_merkle_row1('x', f->id);
  m->stats.bans++;
  remove_fetch(m, f);
  return ocf_merkle_put_row(m, &k, ocf_bytes(NULL, 0));
}

/* A back-off of wait_ns less up to a half, doubling. */
static void back_off(struct ocf_merkle *m, uint64_t now_ns, struct fetch *f)
{
  uint64_t half = f->wait_ns / 2;
  leave_state(m, f);
  f->state = FETCH_RETRY;
  f->retry_ns = ocf_time_add(now_ns, half + ocf_rng_below(m->cfg.rng, half + 1));
  f->wait_ns = OCF_MIN(f->wait_ns * 2, m->cfg.retry_max_ns);
  m->n_retrying++;
  ocf_heap_push(&m->retries, &f->retry);
}

int ocf_merkle_fetch_fail(struct ocf_merkle *m, uint64_t now_ns, struct fetch *f)
{
  m->stats.fetch_failures++;
  m->dirty = m->dirty || f->child;
  ocf_list_remove(&f->fresh);
  if (f->n_failures == 0)
    f->first_failure_ns = now_ns;
  if (f->n_failures < UINT32_MAX)
    f->n_failures++;
  if (f->n_failures >= m->cfg.ban_failures && now_ns - f->first_failure_ns >= m->cfg.ban_age_ns)
    return ban(m, f);
  back_off(m, now_ns, f);
  return 0;
}

void ocf_merkle_retry_all(struct ocf_merkle *m)
{
  struct ocf_heap_node *n;
  while ((n = ocf_heap_peek(&m->retries)) != NULL)
    enter_queue(m, of_retry(n));
}

/* How long the oldest one may go on: less while others wait for its place. */
static uint64_t active_until(const struct ocf_merkle *m, const struct fetch *f)
{
  bool crowded = m->n_active >= m->cfg.active_max && !ocf_list_empty(&m->queued);
  return ocf_time_add(f->active_ns, crowded ? m->cfg.stall_ns : m->cfg.fetch_ns);
}

int ocf_merkle_fetch_tick(struct ocf_merkle *m, uint64_t now_ns)
{
  struct ocf_heap_node *n;
  int err = 0;
  while (err == 0 && !ocf_list_empty(&m->active)) {
    struct fetch *f = OCF_LIST_ENTRY(m->active.next, struct fetch, link);
    if (now_ns < active_until(m, f))
      break;
    ocf_list_push_back(&m->unfetch, &f->tell);
    err = ocf_merkle_fetch_fail(m, now_ns, f);
  }
  while ((n = ocf_heap_peek(&m->retries)) != NULL && of_retry(n)->retry_ns <= now_ns)
    enter_queue(m, of_retry(n));
  return err;
}

uint64_t ocf_merkle_fetch_deadline(const struct ocf_merkle *m)
{
  uint64_t at = OCF_TIME_NEVER;
  if (!ocf_list_empty(&m->active))
    at = active_until(m, OCF_LIST_ENTRY(m->active.next, struct fetch, link));
  if (ocf_heap_peek(&m->retries) != NULL)
    at = ocf_time_min(at, of_retry(ocf_heap_peek(&m->retries))->retry_ns);
  return at;
}

/* ---- telling ---- */

static bool tell_unfetch(struct ocf_merkle *m, struct ocf_merkle_effect *fx)
{
  struct ocf_list *l = ocf_list_pop_front(&m->unfetch);
  if (l == NULL)
    return false;
  struct fetch *f = OCF_LIST_ENTRY(l, struct fetch, tell);
  fx->type = OCF_MERKLE_UNFETCH;
  ocf_merkle_cid(f->id, fx->cid);
  if (f->state == FETCH_GONE)
    OCF_DELETE(m->cfg.a, f);
  return true;
}

bool ocf_merkle_fetch_effect(struct ocf_merkle *m, uint64_t now_ns, struct ocf_merkle_effect *fx)
{
  if (tell_unfetch(m, fx))
    return true;
  if (m->n_active >= m->cfg.active_max || ocf_list_empty(&m->queued))
    return false;
  struct fetch *f = OCF_LIST_ENTRY(m->queued.next, struct fetch, link);
  leave_state(m, f);
  f->state = FETCH_ACTIVE;
  f->active_ns = now_ns;
  m->n_active++;
  ocf_list_push_back(&m->active, &f->link);
  fx->type = OCF_MERKLE_FETCH;
  ocf_merkle_cid(f->id, fx->cid);
  if (f->by != NULL)
    fx->hint = ocf_bytes(f->by->id, f->by->n);
  return true;
}

void ocf_merkle_fetch_fini(struct ocf_merkle *m)
{
  struct ocf_map_iter it = { .slot = 0 };
  struct ocf_map_node *n;
  struct ocf_merkle_effect fx;
  while (ocf_map_next(&m->fetches, &it, &n))
    remove_fetch(m, OCF_CONTAINER_OF(n, struct fetch, node));
  while (tell_unfetch(m, &fx))
    ;
  ocf_merkle_notes_clear(m, &m->seen);
  ocf_merkle_notes_clear(m, &m->bad);
  ocf_map_fini(&m->fetches);
  ocf_map_fini(&m->announcers);
  ocf_lru_fini(&m->seen);
  ocf_lru_fini(&m->bad);
}
