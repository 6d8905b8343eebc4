#include "base/time/time.h"
#include "registry/table/table_int.h"

static bool is_connected(const struct table_row *r)
{
  return r->pub.liveness.n_direct > 0 || r->pub.liveness.n_relayed > 0;
}

static bool has_evidence(const struct ocf_table *t, const struct table_row *r, uint64_t now_ns)
{
  return r->evidence_ns != 0 && now_ns < ocf_time_add(r->evidence_ns, t->opt.alive_ns);
}

bool ocf_table_row_alive(const struct ocf_table *t, const struct table_row *r, uint64_t now_ns)
{
  return r->self || is_connected(r) || has_evidence(t, r, now_ns);
}

static const struct table_row *row_of(const struct ocf_table_row *row)
{
  return OCF_CONTAINER_OF_CONST(row, struct table_row, pub);
}

bool ocf_table_is_alive(const struct ocf_table *t, const struct ocf_table_row *row, uint64_t now_ns)
{
  return ocf_table_row_alive(t, row_of(row), now_ns);
}

/* Only heads retire others (OpenTela), and only whom we cannot see ourselves. */
static bool is_evicted(const struct ocf_table *t, const struct table_row *r)
{
  if (r->pub.liveness.n_direct > 0 || ocf_peerid_is_none(&r->claims->evicted_by))
    return false;
  const struct table_row *by = ocf_table_row_find(t, &r->claims->evicted_by);
  if (by == NULL || by->claims == NULL)
    return false;
  return by->self || (by->claims->role_head && !by->claims->left);
}

bool ocf_table_is_hidden(const struct ocf_table *t, const struct ocf_table_row *row,
                         uint64_t now_ns)
{
  const struct table_row *r = row_of(row);
  (void)now_ns;
  if (r->self || r->claims == NULL || !r->claims->left)
    return false;
  if (r->claims->has_evicted_by)
    return is_evicted(t, r);
  if (r->pub.claims.vouched)
    return true;
  return r->pub.liveness.n_direct == 0 &&
         r->evidence_ns <= ocf_time_add(r->claims->since_ns, t->opt.left_grace_ns);
}

static bool relay_is_up(const struct ocf_table *t, const struct table_row *r)
{
  if (ocf_peerid_is_none(&r->claims->relay_peer))
    return false;
  const struct table_row *relay = ocf_table_row_find(t, &r->claims->relay_peer);
  return relay != NULL && relay->pub.liveness.n_direct > 0;
}

bool ocf_table_is_routable(const struct ocf_table *t, const struct ocf_table_row *row,
                           uint64_t now_ns, struct ocf_peerid *relay)
{
  const struct table_row *r = row_of(row);
  if (relay != NULL)
    *relay = (struct ocf_peerid){ 0 };
  if (r->claims == NULL || r->claims->n_services == 0 || ocf_table_is_hidden(t, row, now_ns))
    return false;
  if (r->self || is_connected(r))
    return true;
  if (!has_evidence(t, r, now_ns))
    return false;
  if (r->pub.local.dialable)
    return true;
  if (!relay_is_up(t, r))
    return false;
  if (relay != NULL)
    *relay = r->claims->relay_peer;
  return true;
}

static enum table_class class_of(const struct table_row *r, bool alive)
{
  if (r->self || r->pub.liveness.n_direct > 0)
    return CLASS_KEEP;
  if (r->claims == NULL || r->claims->n_services == 0)
    return CLASS_REST;
  return alive ? CLASS_ALIVE : CLASS_SERVES;
}

static uint64_t due_of(const struct ocf_table *t, const struct table_row *r, uint64_t now_ns)
{
  uint64_t due = OCF_TIME_NEVER;
  if (r->pub.claims.held)
    due = ocf_time_add(r->held_since_ns, t->opt.hold_ns);
  if (!r->self && !is_connected(r) && has_evidence(t, r, now_ns))
    due = ocf_time_min(due, ocf_time_add(r->evidence_ns, t->opt.alive_ns));
  return due;
}

/* A timer that is too early is left as it is: each ping would otherwise move it. */
static void arm(struct ocf_table *t, struct table_row *r, uint64_t due)
{
  if (r->in_heap && due >= r->due_ns && due != OCF_TIME_NEVER)
    return;
  if (r->in_heap)
    ocf_heap_remove(&t->timers, &r->timer);
  r->in_heap = due != OCF_TIME_NEVER;
  r->due_ns = due;
  if (r->in_heap)
    ocf_heap_push(&t->timers, &r->timer);
}

void ocf_table_settle(struct ocf_table *t, uint64_t now_ns, struct table_row *r)
{
  bool alive = ocf_table_row_alive(t, r, now_ns);
  if (r->claims == NULL && !r->pub.claims.held && !r->self && !is_connected(r)) {
    ocf_table_row_free(t, r);
    return;
  }
  enum table_class cls = class_of(r, alive);
  if (cls != (enum table_class)r->cls) {
    ocf_list_remove(&r->link);
    ocf_list_push_back(&t->classes[cls], &r->link);
    r->cls = (uint8_t)cls;
  }
  t->dirty = t->dirty || alive != r->was_alive;
  r->was_alive = alive;
  arm(t, r, due_of(t, r, now_ns));
}

static int new_connected(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *peer,
                         bool direct, struct table_row **r)
{
  return ocf_table_row_new(t, peer, direct ? CLASS_KEEP : CLASS_REST, now_ns, r);
}

int ocf_table_set_conns(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *peer,
                        uint32_t n_direct, uint32_t n_relayed)
{
  struct table_row *r = ocf_table_row_find(t, peer);
  if (r == NULL && n_direct + n_relayed == 0)
    return 0;
  int err = r == NULL ? new_connected(t, now_ns, peer, n_direct > 0, &r) : 0;
  if (err != 0)
    return err;
  bool was_direct = r->pub.liveness.n_direct > 0, was_connected = is_connected(r);
  r->pub.liveness.n_direct = n_direct;
  r->pub.liveness.n_relayed = n_relayed;
  bool connected = is_connected(r);
  t->dirty = t->dirty || was_direct != (n_direct > 0) || was_connected != connected;
  if (was_direct && n_direct == 0)
    ocf_table_release_held(t, now_ns, r);
  if (was_connected && !connected)
    r->evidence_ns = 0;
  if (!was_connected && connected && r->claims == NULL)
    ocf_table_emit(t, OCF_TABLE_WANTED, now_ns, peer);
  ocf_table_settle(t, now_ns, r);
  return 0;
}

void ocf_table_heard(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *peer,
                     enum ocf_table_evidence kind)
{
  struct table_row *r = ocf_table_row_find(t, peer);
  OCF_ASSERT((unsigned)kind < OCF_TABLE_N_EVIDENCE);
  if (r == NULL)
    return;
  uint64_t at = OCF_MAX(now_ns, 1); /* 0 says "never" */
  r->pub.liveness.last_ns[kind] = at;
  r->evidence_ns = at;
  t->dirty = t->dirty || (r->claims != NULL && r->claims->left); /* it may belie that */
  ocf_table_settle(t, now_ns, r);
}

void ocf_table_failed(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *peer)
{
  struct table_row *r = ocf_table_row_find(t, peer);
  if (r == NULL)
    return;
  r->evidence_ns = 0;
  ocf_table_settle(t, now_ns, r);
}

void ocf_table_set_rtt(struct ocf_table *t, const struct ocf_peerid *peer, uint64_t rtt_ns)
{
  struct table_row *r = ocf_table_row_find(t, peer);
  if (r == NULL)
    return;
  uint64_t shown = r->shown_rtt_ns, gap = rtt_ns > shown ? rtt_ns - shown : shown - rtt_ns;
  r->pub.local.rtt_ns = rtt_ns;
  t->dirty = t->dirty || gap > shown / 8;
}

void ocf_table_set_dialable(struct ocf_table *t, const struct ocf_peerid *peer, bool dialable)
{
  struct table_row *r = ocf_table_row_find(t, peer);
  if (r == NULL || r->pub.local.dialable == dialable)
    return;
  r->pub.local.dialable = dialable;
  t->dirty = true;
}

void ocf_table_set_load(struct ocf_table *t, const struct ocf_peerid *peer, uint32_t in_flight)
{
  struct table_row *r = ocf_table_row_find(t, peer);
  if (r != NULL)
    r->pub.local.in_flight = in_flight;
}

uint64_t ocf_table_deadline(const struct ocf_table *t)
{
  const struct ocf_heap_node *n = ocf_heap_peek(&t->timers);
  return n == NULL ? OCF_TIME_NEVER : OCF_CONTAINER_OF_CONST(n, struct table_row, timer)->due_ns;
}

void ocf_table_tick(struct ocf_table *t, uint64_t now_ns)
{
  while (ocf_table_deadline(t) <= now_ns && t->timers.n > 0) {
    struct table_row *r = OCF_CONTAINER_OF(ocf_heap_pop(&t->timers), struct table_row, timer);
    r->in_heap = false;
    if (r->pub.claims.held && ocf_time_add(r->held_since_ns, t->opt.hold_ns) <= now_ns)
      ocf_table_release_held(t, now_ns, r);
    ocf_table_settle(t, now_ns, r);
  }
  ocf_table_reap(t);
}
