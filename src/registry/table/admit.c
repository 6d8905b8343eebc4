#include <string.h>

#include "base/time/time.h"
#include "registry/table/table_int.h"

/* One call's news about one key, with what follows from who told it. */
struct news {
  uint64_t now_ns, priority;
  struct ocf_peerid peer;
  const struct ocf_peerid *author; /* NULL: not known */
  bool by_owner;                   /* the owner announced this very value */
};

static int verdict(struct ocf_table *t, enum ocf_table_verdict v)
{
  t->verdicts[v]++;
  return (int)v;
}

static int refuse(struct ocf_table *t, const struct news *w, enum ocf_table_verdict v)
{
  ocf_table_refuse(t, w->now_ns, v, &w->peer, w->author, w->priority);
  return verdict(t, v);
}

/* "/<peer id>" in the one text that the id has: a second key for the same peer is nobody's. */
static bool parse_key(struct ocf_bytes key, struct ocf_peerid *peer)
{
  char text[OCF_PEERID_TEXT_SIZE];
  if (key.n < 2 || key.p[0] != '/')
    return false;
  struct ocf_bytes id = ocf_bytes(key.p + 1, key.n - 1);
  if (id.n >= sizeof(text) || ocf_peerid_parse(id, peer) != 0)
    return false;
  (void)ocf_peerid_text(peer, text);
  return strlen(text) == id.n && memcmp(text, id.p, id.n) == 0;
}

static bool read_key(struct ocf_bytes key, const struct ocf_table_origin *o, struct news *w)
{
  bool ok = parse_key(key, &w->peer);
  w->author = o != NULL ? o->author : NULL;
  w->by_owner = ok && w->author != NULL && o->head && ocf_peerid_eq(w->author, &w->peer);
  if (!ok)
    w->peer = (struct ocf_peerid){ 0 };
  return ok;
}

static bool shows(const struct table_row *r, struct ocf_bytes value)
{
  return r->claims != NULL && ocf_bytes_eq(r->claims->value, value);
}

static bool holds(const struct table_row *r)
{
  return r->held != NULL || r->held_delete;
}

/* Whether somebody else's word about this row must wait for the owner's. */
static bool is_guarded(const struct table_row *r, const struct news *w)
{
  return r != NULL && r->claims != NULL && r->pub.claims.vouched && r->pub.liveness.n_direct > 0 &&
         !w->by_owner;
}

void ocf_table_drop_held(struct ocf_table *t, struct table_row *r)
{
  if (!holds(r))
    return;
  if (r->held != NULL) {
    ocf_claims_unuse(t, r->held);
    ocf_claims_unref(t, r->held);
  }
  r->held = NULL;
  r->held_delete = r->pub.claims.held = false;
  t->n_held--;
}

void ocf_table_show(struct ocf_table *t, uint64_t now_ns, struct table_row *r, struct ocf_claims *c,
                    bool vouched)
{
  struct ocf_claims *old = r->claims;
  if (c == NULL && old == NULL)
    return;
  r->claims = c;
  r->pub.claims.c = c;
  r->pub.claims.vouched = vouched;
  if (c != NULL)
    ocf_claims_use(t, c);
  if (old != NULL) {
    ocf_claims_unuse(t, old);
    ocf_claims_unref(t, old);
  }
  t->dirty = true;
  ocf_table_emit(t, c != NULL ? OCF_TABLE_CHANGED : OCF_TABLE_GONE, now_ns, &r->pub.peer);
}

/* The held claims, no longer held; the caller has their reference. */
static struct ocf_claims *take_held(struct ocf_table *t, struct table_row *r)
{
  struct ocf_claims *c = r->held;
  if (c != NULL)
    c->refs++;
  ocf_table_drop_held(t, r);
  return c;
}

void ocf_table_release_held(struct ocf_table *t, uint64_t now_ns, struct table_row *r)
{
  if (!holds(r))
    return;
  struct ocf_claims *c = take_held(t, r);
  ocf_table_show(t, now_ns, r, c, false);
  (void)verdict(t, OCF_TABLE_SHOWN);
}

/* The owner stands by `value`, so what is held against it is not the owner's. */
static void contradict(struct ocf_table *t, const struct news *w, struct table_row *r,
                       struct ocf_bytes value)
{
  if (!holds(r) || (r->held != NULL && ocf_bytes_eq(r->held->value, value)))
    return;
  ocf_table_refuse(t, w->now_ns, OCF_TABLE_FOREIGN, &w->peer, &r->held_author,
                   r->held != NULL ? r->held->priority : w->priority);
  (void)verdict(t, OCF_TABLE_FOREIGN);
  ocf_table_drop_held(t, r);
}

static bool is_held(const struct table_row *r, const struct ocf_claims *c)
{
  if (c == NULL)
    return r->held_delete;
  return r->held != NULL && ocf_bytes_eq(r->held->value, c->value);
}

/* Holds `c` (the reference is taken), or a delete when it is NULL. The time runs from the first
 * one, so that nobody puts it off by writing again and again. */
static int hold(struct ocf_table *t, const struct news *w, struct table_row *r,
                struct ocf_claims *c)
{
  if (is_held(r, c)) {
    ocf_claims_unref(t, c);
    return verdict(t, OCF_TABLE_HELD);
  }
  uint64_t since_ns = holds(r) ? r->held_since_ns : w->now_ns;
  ocf_table_drop_held(t, r);
  r->held = c;
  r->held_delete = c == NULL;
  r->held_since_ns = since_ns;
  r->held_author = w->author != NULL ? *w->author : (struct ocf_peerid){ 0 };
  r->pub.claims.held = true;
  t->n_held++;
  if (c != NULL)
    ocf_claims_use(t, c);
  if (!ocf_table_make_room(t, (enum table_class)r->cls, 0, w->now_ns)) {
    ocf_table_drop_held(t, r);
    return refuse(t, w, OCF_TABLE_FULL);
  }
  ocf_table_emit(t, OCF_TABLE_WAITING, w->now_ns, &w->peer);
  ocf_table_settle(t, w->now_ns, r);
  return verdict(t, OCF_TABLE_HELD);
}

/* Shows `c` (the reference is taken) in `r`, which may be NULL: a new row is made. */
static int show(struct ocf_table *t, const struct news *w, struct table_row *r,
                struct ocf_claims *c)
{
  if (r == NULL) {
    enum table_class cls = c->n_services > 0 ? CLASS_SERVES : CLASS_REST;
    int err = ocf_table_row_new(t, &w->peer, cls, w->now_ns, &r);
    if (err != 0) {
      ocf_claims_unref(t, c);
      return err == OCF_ELIMIT ? refuse(t, w, OCF_TABLE_FULL) : err;
    }
  }
  if (w->by_owner)
    contradict(t, w, r, c->value);
  ocf_table_drop_held(t, r);
  ocf_table_show(t, w->now_ns, r, c, w->by_owner);
  ocf_table_settle(t, w->now_ns, r);
  if (ocf_table_make_room(t, (enum table_class)r->cls, 0, w->now_ns))
    return verdict(t, OCF_TABLE_SHOWN);
  ocf_table_show(t, w->now_ns, r, NULL, false);
  ocf_table_settle(t, w->now_ns, r);
  return refuse(t, w, OCF_TABLE_FULL);
}

/* The registry now holds something that is never shown. */
static int refuse_value(struct ocf_table *t, const struct news *w, struct table_row *r,
                        enum ocf_table_verdict v)
{
  if (r != NULL) {
    ocf_table_drop_held(t, r);
    if (!is_guarded(r, w))
      ocf_table_show(t, w->now_ns, r, NULL, false);
    ocf_table_settle(t, w->now_ns, r);
  }
  return refuse(t, w, v);
}

static int same(struct ocf_table *t, const struct news *w, struct table_row *r)
{
  if (w->by_owner) {
    contradict(t, w, r, r->claims->value);
    r->pub.claims.vouched = true;
    t->dirty = t->dirty || r->claims->left; /* its word to leave may count now */
  }
  ocf_table_drop_held(t, r); /* the registry came back to what is visible */
  ocf_table_settle(t, w->now_ns, r);
  return verdict(t, OCF_TABLE_SAME);
}

static int own(struct ocf_table *t, const struct news *w, bool differs)
{
  if (differs)
    ocf_table_emit(t, OCF_TABLE_USURPED, w->now_ns, &w->peer);
  return verdict(t, OCF_TABLE_OWN);
}

int ocf_table_put(struct ocf_table *t, uint64_t now_ns, struct ocf_bytes key,
                  struct ocf_bytes value, uint64_t priority, const struct ocf_table_origin *origin)
{
  struct news w = { .now_ns = now_ns, .priority = priority };
  struct ocf_claims *c = NULL;
  if (!read_key(key, origin, &w))
    return refuse(t, &w, OCF_TABLE_BAD_KEY);
  struct table_row *r = ocf_table_row_find(t, &w.peer);
  if (r != NULL && r->self)
    return own(t, &w, !shows(r, value));
  if (value.n > t->opt.value_bytes_max)
    return refuse_value(t, &w, r, OCF_TABLE_TOO_LARGE);
  if (r != NULL && shows(r, value))
    return same(t, &w, r);
  int err = ocf_claims_new(t, &w.peer, value, priority, now_ns, &c);
  if (err == OCF_ENOMEM)
    return err;
  if (err != 0)
    return refuse_value(t, &w, r, err == OCF_EAUTH ? OCF_TABLE_WRONG_ID : OCF_TABLE_MALFORMED);
  return is_guarded(r, &w) ? hold(t, &w, r, c) : show(t, &w, r, c);
}

int ocf_table_delete(struct ocf_table *t, uint64_t now_ns, struct ocf_bytes key,
                     const struct ocf_table_origin *origin)
{
  struct news w = { .now_ns = now_ns };
  if (!read_key(key, origin, &w))
    return refuse(t, &w, OCF_TABLE_BAD_KEY);
  struct table_row *r = ocf_table_row_find(t, &w.peer);
  if (r == NULL || (r->claims == NULL && !r->self))
    return verdict(t, OCF_TABLE_SAME);
  if (r->self)
    return own(t, &w, true);
  if (is_guarded(r, &w))
    return hold(t, &w, r, NULL);
  ocf_table_drop_held(t, r);
  ocf_table_show(t, now_ns, r, NULL, false);
  ocf_table_settle(t, now_ns, r);
  return verdict(t, OCF_TABLE_SHOWN);
}

bool ocf_table_vouch(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *peer,
                     struct ocf_bytes value)
{
  struct news w = { .now_ns = now_ns, .peer = *peer, .author = peer, .by_owner = true };
  struct table_row *r = ocf_table_row_find(t, peer);
  if (r == NULL)
    return false;
  contradict(t, &w, r, value);
  bool found = shows(r, value);
  if (found) {
    r->pub.claims.vouched = true;
    t->dirty = t->dirty || r->claims->left;
  } else if (r->held != NULL) {
    struct ocf_claims *c = take_held(t, r);
    ocf_table_show(t, now_ns, r, c, true);
    (void)verdict(t, OCF_TABLE_SHOWN);
    found = true;
  }
  ocf_table_settle(t, now_ns, r);
  return found;
}

int ocf_table_set_self(struct ocf_table *t, uint64_t now_ns, const struct ocf_peerid *self,
                       struct ocf_bytes value)
{
  struct table_row *r = ocf_table_row_find(t, self);
  struct ocf_claims *c = NULL;
  OCF_ASSERT(t->self == NULL || t->self == r);
  if (value.n > t->opt.value_bytes_max)
    return OCF_ELIMIT;
  if (t->self != NULL && shows(r, value))
    return 0;
  int err = ocf_claims_new(t, self, value, 0, now_ns, &c);
  if (err != 0)
    return err == OCF_ENOMEM ? err : OCF_EINVAL;
  if (r == NULL)
    err = ocf_table_row_new(t, self, CLASS_KEEP, now_ns, &r);
  if (err != 0) {
    ocf_claims_unref(t, c);
    return err;
  }
  r->self = true;
  t->self = r;
  ocf_table_drop_held(t, r);
  ocf_table_show(t, now_ns, r, c, true);
  ocf_table_settle(t, now_ns, r);
  (void)ocf_table_make_room(t, CLASS_KEEP, 0, now_ns); /* ours is shown, whatever it takes */
  return 0;
}
