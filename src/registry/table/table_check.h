/* A naive table beside the real one, for the unit tests and the fuzz target: the rules of table.h
 * written down once more, over plain arrays, without indexes, timers or classes. Random operations
 * go to both, and every row, and every list of every snapshot, must be the same.
 *
 * Not for programs. */
#ifndef OCF_REGISTRY_TABLE_TABLE_CHECK_H
#define OCF_REGISTRY_TABLE_TABLE_CHECK_H

#include <stdio.h>
#include <string.h>

#include "base/time/time.h"
#include "registry/table/table.h"
#include "testing/ops.h"

enum {
  CHECK_PEERS = 7, /* the last one is ourselves */
  CHECK_SELF = CHECK_PEERS - 1,
  CHECK_VARIANTS = 18,
  CHECK_MALFORMED = 16,
  CHECK_WRONG_ID = 17,
  CHECK_JSON_MAX = 512,
  CHECK_GROUPS = 4,
};

/* ---- values: variant v of peer p's record ---- */

static const char *const check_services[] = { "echo", "llm", "tts" };
static const char *const check_groups[] = { "all",     "lora=x",  "model=*",
                                            "model=a", "model=b", "model=a=b" };

/* Which services with which groups a variant claims, as the indexes see them (duplicates and
 * groups without '=' gone, services of one name together). */
struct check_claim {
  const char *service;
  const char *groups[CHECK_GROUPS];
};

static const struct check_claim check_claims[4][2] = {
  { { NULL, { NULL } }, { NULL, { NULL } } },
  { { "llm", { "model=a", "model=a=b" } }, { NULL, { NULL } } },
  { { "llm", { "model=b", "model=*", "all" } }, { "echo", { NULL } } },
  { { "llm", { "model=a", "lora=x", "model=b" } }, { "tts", { "model=a" } } },
};

static const char *const check_texts[4] = {
  "null",
  "[{\"name\":\"llm\",\"identity_group\":[\"model=a\",\"nonsense\",\"model=a\",\"model=a=b\"]}]",
  "[{\"name\":\"llm\",\"identity_group\":[\"model=b\",\"model=*\",\"all\"]},{\"name\":\"bad "
  "name\"},"
  "{\"name\":\"echo\",\"identity_group\":null}]",
  "[{\"name\":\"llm\",\"identity_group\":[\"model=a\",\"lora=x\"]},{\"name\":\"tts\","
  "\"identity_group\":[\"model=a\"]},{\"name\":\"llm\",\"identity_group\":[\"model=b\",\"lora=x\"]}"
  "]",
};

static inline struct ocf_peerid check_peer(unsigned i)
{
  static struct ocf_peerid ids[CHECK_PEERS];
  struct ocf_peerid id;
  char key[16];
  if (i < CHECK_PEERS && !ocf_peerid_is_none(&ids[i]))
    return ids[i];
  int n = snprintf(key, sizeof(key), "peer%03u", i);
  ocf_peerid_from_key(ocf_bytes(key, (size_t)n), &id);
  if (i < CHECK_PEERS)
    ids[i] = id;
  return id;
}

static inline struct ocf_bytes check_key(const struct ocf_peerid *id,
                                         char to[OCF_PEERID_TEXT_SIZE + 1])
{
  to[0] = '/';
  (void)ocf_peerid_text(id, to + 1);
  return ocf_bytes(to, strlen(to));
}

/* What a variant says besides its services. */
static inline unsigned check_mode(unsigned v)
{
  return v >> 2 & 3u; /* 0 plain, 1 left, 2 left and evicted by p+1, 3 head with relay p+2 */
}

static inline struct ocf_bytes check_make_value(unsigned p, unsigned v, char to[CHECK_JSON_MAX])
{
  char id[OCF_PEERID_TEXT_SIZE], other[OCF_PEERID_TEXT_SIZE];
  unsigned step = check_mode(v) == 2 ? 1 : 2;
  struct ocf_peerid a = check_peer(v == CHECK_WRONG_ID ? (p + 1) % CHECK_PEERS : p);
  struct ocf_peerid b = check_peer((p + step) % CHECK_PEERS);
  static const char *const modes[] = { "", ",\"status\":\"left\"", ",\"status\":\"left\"",
                                       ",\"role\":[\"head\"]" };
  if (v == CHECK_MALFORMED)
    return OCF_STR("[1,2]");
  (void)ocf_peerid_text(&a, id);
  (void)ocf_peerid_text(&b, other);
  int n = snprintf(to, CHECK_JSON_MAX, "{\"id\":\"%s\",\"service\":%s%s%s%s%s}", id,
                   check_texts[v & 3u], modes[check_mode(v) & 3u],
                   check_mode(v) == 2 ? ",\"evicted_by\":\"" : "",
                   check_mode(v) == 3 ? ",\"relay_peer\":\"" : "", check_mode(v) >= 2 ? other : "");
  if (check_mode(v) >= 2) { /* close the string that was opened last */
    n--;
    n += snprintf(to + n, CHECK_JSON_MAX - (size_t)n, "\"}");
  }
  return ocf_bytes(to, (size_t)n);
}

/* The same, made once: the comparison asks for them again and again. */
static inline struct ocf_bytes check_value(unsigned p, unsigned v)
{
  static char texts[CHECK_PEERS][CHECK_VARIANTS][CHECK_JSON_MAX];
  static struct ocf_bytes values[CHECK_PEERS][CHECK_VARIANTS];
  OCF_ASSERT(p < CHECK_PEERS && v < CHECK_VARIANTS);
  if (values[p][v].n == 0)
    values[p][v] = check_make_value(p, v, texts[p][v]);
  return values[p][v];
}

/* ---- the model ---- */

struct check_row {
  int shown, held; /* variants; -1 = none */
  bool vouched, held_delete, dialable;
  uint64_t since_ns;      /* when the shown value came to the table, */
  uint64_t held_at_ns;    /* the held one, */
  uint64_t held_since_ns; /* and the first one that was held */
  uint64_t evidence_ns;
  unsigned n_direct, n_relayed;
};

struct check {
  struct ocf_table *t;
  struct ocf_table_options opt;
  struct check_row rows[CHECK_PEERS];
  uint64_t now_ns;
  unsigned n_published;
};

static inline bool check_connected(const struct check_row *m)
{
  return m->n_direct + m->n_relayed > 0;
}

static inline bool check_alive(const struct check *c, unsigned p)
{
  const struct check_row *m = &c->rows[p];
  return p == CHECK_SELF || check_connected(m) ||
         (m->evidence_ns != 0 && c->now_ns - m->evidence_ns < c->opt.alive_ns);
}

static inline bool check_exists(const struct check *c, unsigned p)
{
  const struct check_row *m = &c->rows[p];
  return p == CHECK_SELF || m->shown >= 0 || check_connected(m);
}

static inline bool check_hidden(const struct check *c, unsigned p)
{
  const struct check_row *m = &c->rows[p];
  unsigned by = (p + 1) % CHECK_PEERS;
  if (p == CHECK_SELF || m->shown < 0)
    return false;
  if (check_mode((unsigned)m->shown) == 1)
    return m->vouched || (m->n_direct == 0 && m->evidence_ns <= m->since_ns + c->opt.left_grace_ns);
  if (check_mode((unsigned)m->shown) == 2)
    return m->n_direct == 0 && (by == CHECK_SELF || (c->rows[by].shown >= 0 &&
                                                     check_mode((unsigned)c->rows[by].shown) == 3));
  return false;
}

static inline bool check_routable(const struct check *c, unsigned p, bool *by_relay)
{
  const struct check_row *m = &c->rows[p];
  *by_relay = false;
  if (m->shown < 0 || (m->shown & 3) == 0 || check_hidden(c, p) || !check_alive(c, p))
    return false;
  if (p == CHECK_SELF || check_connected(m) || m->dialable)
    return true;
  *by_relay = check_mode((unsigned)m->shown) == 3 && c->rows[(p + 2) % CHECK_PEERS].n_direct > 0;
  return *by_relay;
}

static inline void check_drop_held(struct check_row *m)
{
  m->held = -1;
  m->held_delete = false;
}

static inline void check_show(struct check *c, unsigned p, int v, bool vouched)
{
  struct check_row *m = &c->rows[p];
  check_drop_held(m);
  m->shown = v;
  m->vouched = vouched && v >= 0;
  m->since_ns = c->now_ns;
  if (!check_exists(c, p))
    *m = (struct check_row){ .shown = -1, .held = -1 };
}

static inline void check_release(struct check *c, unsigned p)
{
  struct check_row *m = &c->rows[p];
  if (m->held < 0 && !m->held_delete)
    return;
  check_show(c, p, m->held, false);
  m->since_ns = m->held_at_ns;
}

static inline bool check_guarded(const struct check_row *m, bool by_owner)
{
  return m->shown >= 0 && m->vouched && m->n_direct > 0 && !by_owner;
}

static inline void check_hold(struct check *c, unsigned p, int v)
{
  struct check_row *m = &c->rows[p];
  if (m->held < 0 && !m->held_delete)
    m->held_since_ns = c->now_ns;
  if (m->held != v)
    m->held_at_ns = c->now_ns;
  m->held = v;
  m->held_delete = v < 0;
}

/* What the real table must answer to a put. */
static inline int check_put(struct check *c, unsigned p, unsigned v, bool by_owner)
{
  struct check_row *m = &c->rows[p];
  if (p == CHECK_SELF)
    return OCF_TABLE_OWN;
  if (m->shown == (int)v) {
    m->vouched = m->vouched || by_owner;
    check_drop_held(m);
    return OCF_TABLE_SAME;
  }
  if (v == CHECK_MALFORMED || v == CHECK_WRONG_ID) {
    check_drop_held(m);
    if (!check_guarded(m, by_owner))
      check_show(c, p, -1, false);
    return v == CHECK_MALFORMED ? OCF_TABLE_MALFORMED : OCF_TABLE_WRONG_ID;
  }
  if (check_guarded(m, by_owner)) {
    check_hold(c, p, (int)v);
    return OCF_TABLE_HELD;
  }
  check_show(c, p, (int)v, by_owner);
  return OCF_TABLE_SHOWN;
}

static inline int check_delete(struct check *c, unsigned p, bool by_owner)
{
  struct check_row *m = &c->rows[p];
  if (p == CHECK_SELF)
    return OCF_TABLE_OWN;
  if (m->shown < 0)
    return OCF_TABLE_SAME;
  if (check_guarded(m, by_owner)) {
    check_hold(c, p, -1);
    return OCF_TABLE_HELD;
  }
  check_show(c, p, -1, false);
  return OCF_TABLE_SHOWN;
}

static inline bool check_vouch(struct check *c, unsigned p, unsigned v)
{
  struct check_row *m = &c->rows[p];
  if (!check_exists(c, p))
    return false;
  if (m->held == (int)v && m->shown != (int)v) {
    check_show(c, p, (int)v, true);
    return true;
  }
  check_drop_held(m);
  m->vouched = m->vouched || m->shown == (int)v;
  return m->shown == (int)v;
}

static inline void check_conns(struct check *c, unsigned p, unsigned n_direct, unsigned n_relayed)
{
  struct check_row *m = &c->rows[p];
  bool was_direct = m->n_direct > 0, was = check_connected(m);
  m->n_direct = n_direct;
  m->n_relayed = n_relayed;
  if (was && !check_connected(m))
    m->evidence_ns = 0;
  if (was_direct && n_direct == 0)
    check_release(c, p);
  if (!check_exists(c, p))
    *m = (struct check_row){ .shown = -1, .held = -1 };
}

static inline void check_tick(struct check *c)
{
  for (unsigned p = 0; p < CHECK_PEERS; p++) {
    struct check_row *m = &c->rows[p];
    if ((m->held >= 0 || m->held_delete) && m->held_since_ns + c->opt.hold_ns <= c->now_ns)
      check_release(c, p);
  }
}

/* ---- comparison ---- */

static inline void check_rows(const struct check *c)
{
  size_t n = 0, n_held = 0;
  struct ocf_table_stats st;
  for (unsigned p = 0; p < CHECK_PEERS; p++) {
    const struct check_row *m = &c->rows[p];
    struct ocf_peerid id = check_peer(p), relay;
    bool by_relay;
    const struct ocf_table_row *r = ocf_table_find(c->t, &id);
    OCF_ASSERT((r != NULL) == check_exists(c, p));
    if (r == NULL)
      continue;
    n++;
    n_held += r->claims.held;
    OCF_ASSERT((r->claims.c != NULL) == (m->shown >= 0));
    if (r->claims.c != NULL)
      OCF_ASSERT(ocf_bytes_eq(r->claims.c->value, check_value(p, (unsigned)m->shown)));
    OCF_ASSERT(r->claims.held == (m->held >= 0 || m->held_delete));
    OCF_ASSERT(p == CHECK_SELF || r->claims.vouched == m->vouched);
    OCF_ASSERT(r->liveness.n_direct == m->n_direct && r->liveness.n_relayed == m->n_relayed);
    OCF_ASSERT(ocf_table_is_alive(c->t, r, c->now_ns) == check_alive(c, p));
    OCF_ASSERT(ocf_table_is_hidden(c->t, r, c->now_ns) == check_hidden(c, p));
    OCF_ASSERT(ocf_table_is_routable(c->t, r, c->now_ns, &relay) ==
               check_routable(c, p, &by_relay));
    OCF_ASSERT(ocf_peerid_is_none(&relay) == !by_relay);
  }
  ocf_table_stats(c->t, &st);
  OCF_ASSERT(st.n_rows == n && st.n_held == n_held);
}

static inline bool check_has(const struct ocf_snapshot_list *l, uint32_t row)
{
  for (uint32_t i = 0; i < l->n; i++) {
    OCF_ASSERT(i == 0 || l->rows[i - 1] < l->rows[i]);
    if (l->rows[i] == row)
      return true;
  }
  return false;
}

static inline const struct check_claim *check_claim_of(const struct check_row *m, const char *svc)
{
  for (unsigned i = 0; m->shown >= 0 && i < 2; i++) {
    const struct check_claim *cc = &check_claims[m->shown & 3][i];
    if (cc->service != NULL && strcmp(cc->service, svc) == 0)
      return cc;
  }
  return NULL;
}

static inline bool check_claims_group(const struct check_claim *cc, const char *g)
{
  for (unsigned i = 0; i < CHECK_GROUPS && cc->groups[i] != NULL; i++) {
    if (strcmp(cc->groups[i], g) == 0)
      return true;
  }
  return false;
}

/* The list that the group's kind is looked up by. */
static inline struct ocf_snapshot_list
check_list(const struct ocf_snapshot *s, const struct ocf_snapshot_service *svc, const char *g)
{
  const char *eq = strchr(g, '=');
  if (eq == NULL)
    return svc->all;
  struct ocf_bytes key = ocf_bytes(g, (size_t)(eq - g)), value = ocf_bytes(eq + 1, strlen(eq + 1));
  if (strcmp(eq, "=*") == 0)
    OCF_ASSERT(ocf_snapshot_exact(s, svc, key, value).n == 0);
  return strcmp(eq, "=*") == 0 ? ocf_snapshot_wildcard(s, svc, key)
                               : ocf_snapshot_exact(s, svc, key, value);
}

/* Every visible peer's part in every list of one service. */
static inline void check_service(const struct check *c, const struct ocf_snapshot *s,
                                 const char *name)
{
  const struct ocf_snapshot_service *svc = ocf_snapshot_service(s, ocf_bytes(name, strlen(name)));
  uint32_t n_known = 0, n_listed[OCF_ARRAY_LEN(check_groups)] = { 0 }, n_providers = 0, n_open = 0;
  for (unsigned p = 0; p < CHECK_PEERS; p++) {
    struct ocf_peerid id = check_peer(p);
    bool by_relay, routable = check_routable(c, p, &by_relay);
    const struct check_claim *cc = check_claim_of(&c->rows[p], name);
    if (cc == NULL || check_hidden(c, p))
      continue;
    n_known++;
    OCF_ASSERT(svc != NULL);
    uint32_t row = ocf_snapshot_row_number(s, ocf_snapshot_find(s, &id));
    OCF_ASSERT(check_has(&svc->providers, row) == routable);
    OCF_ASSERT(check_has(&svc->open, row) == (routable && cc->groups[0] == NULL));
    n_providers += routable;
    n_open += routable && cc->groups[0] == NULL;
    for (size_t g = 0; g < OCF_ARRAY_LEN(check_groups); g++) {
      struct ocf_snapshot_list l = check_list(s, svc, check_groups[g]);
      bool want = routable && check_claims_group(cc, check_groups[g]);
      OCF_ASSERT(check_has(&l, row) == want);
      n_listed[g] += want;
    }
  }
  OCF_ASSERT((svc != NULL) == (n_known > 0));
  if (svc == NULL)
    return;
  OCF_ASSERT(svc->n_known == n_known && svc->providers.n == n_providers && svc->open.n == n_open);
  for (size_t g = 0; g < OCF_ARRAY_LEN(check_groups); g++)
    OCF_ASSERT(check_list(s, svc, check_groups[g]).n == n_listed[g]);
  OCF_ASSERT(svc->n_keys <= 2 && svc->n_keys_more == 0);
}

static inline void check_snapshot(const struct check *c, const struct ocf_snapshot *s)
{
  size_t n = 0;
  for (unsigned p = 0; p < CHECK_PEERS; p++) {
    struct ocf_peerid id = check_peer(p);
    bool by_relay, shown = check_exists(c, p) && !check_hidden(c, p);
    const struct ocf_snapshot_row *r = ocf_snapshot_find(s, &id);
    OCF_ASSERT((r != NULL) == shown);
    if (r == NULL)
      continue;
    n++;
    OCF_ASSERT(ocf_snapshot_row(s, ocf_snapshot_row_number(s, r)) == r);
    OCF_ASSERT(r->routable == check_routable(c, p, &by_relay));
    OCF_ASSERT(r->alive == check_alive(c, p) && r->self == (p == CHECK_SELF));
    OCF_ASSERT(r->direct == (c->rows[p].n_direct > 0));
    OCF_ASSERT(ocf_peerid_is_none(&r->relay) == !by_relay);
    OCF_ASSERT((r->claims != NULL) == (c->rows[p].shown >= 0));
  }
  OCF_ASSERT(ocf_snapshot_n_rows(s) == n);
  for (size_t i = 0; i < OCF_ARRAY_LEN(check_services); i++)
    check_service(c, s, check_services[i]);
  OCF_ASSERT(ocf_snapshot_n_services(s) <= OCF_ARRAY_LEN(check_services));
}

/* ---- one operation, on both ---- */

static inline void check_init(struct check *c, struct ocf_table *t,
                              const struct ocf_table_options *o)
{
  struct ocf_peerid self = check_peer(CHECK_SELF);
  *c = (struct check){ .t = t, .opt = *o, .now_ns = 1000 * OCF_NS_PER_S };
  for (unsigned p = 0; p < CHECK_PEERS; p++)
    c->rows[p].shown = c->rows[p].held = -1;
  c->rows[CHECK_SELF].shown = 2;
  int err = ocf_table_set_self(t, c->now_ns, &self, check_value(CHECK_SELF, 2));
  OCF_ASSERT(err == 0);
}

static inline void check_op_put(struct check *c, struct ocf_ops *o, unsigned p,
                                const struct ocf_peerid *id)
{
  char key[OCF_PEERID_TEXT_SIZE + 1];
  uint8_t who = ocf_ops_u8(o);
  unsigned v = ocf_ops_u8(o) % CHECK_VARIANTS;
  struct ocf_peerid other = check_peer((p + 1) % CHECK_PEERS);
  struct ocf_table_origin origin = { who % 4 == 0   ? NULL
                                     : who % 4 == 1 ? &other
                                                    : id,
                                     (who & 16) == 0 };
  bool by_owner = who % 4 >= 2 && origin.head;
  struct ocf_bytes k = check_key(id, key);
  int got = who & 128 ? ocf_table_delete(c->t, c->now_ns, k, &origin)
                      : ocf_table_put(c->t, c->now_ns, k, check_value(p, v), 7, &origin);
  int want = who & 128 ? check_delete(c, p, by_owner) : check_put(c, p, v, by_owner);
  OCF_ASSERT(got == want);
}

static inline void check_op_publish(struct check *c)
{
  int err = ocf_table_publish(c->t, c->now_ns);
  OCF_ASSERT(err == 0 && !ocf_table_dirty(c->t));
  struct ocf_snapshot *s = ocf_snapshot_take(ocf_table_slot(c->t));
  OCF_ASSERT(ocf_snapshot_generation(s) == ++c->n_published);
  OCF_ASSERT(ocf_snapshot_slot_generation(ocf_table_slot(c->t)) == c->n_published);
  check_snapshot(c, s);
  ocf_snapshot_unref(s);
}

static inline void check_op_life(struct check *c, struct ocf_ops *o, uint8_t op, unsigned p,
                                 const struct ocf_peerid *id)
{
  uint8_t x = ocf_ops_u8(o);
  bool exists = check_exists(c, p);
  struct check_row *m = &c->rows[p];
  switch (op) {
  case 3:
    OCF_ASSERT(ocf_table_set_conns(c->t, c->now_ns, id, x & 1u, x >> 1 & 1u) == 0);
    check_conns(c, p, x & 1u, x >> 1 & 1u);
    break;
  case 4:
    ocf_table_heard(c->t, c->now_ns, id, (enum ocf_table_evidence)(x % OCF_TABLE_N_EVIDENCE));
    m->evidence_ns = exists ? c->now_ns : 0;
    break;
  case 5:
    ocf_table_failed(c->t, c->now_ns, id);
    m->evidence_ns = 0;
    break;
  case 6:
    ocf_table_set_dialable(c->t, id, x & 1u);
    m->dialable = exists && (x & 1u);
    break;
  default:
    ocf_table_set_rtt(c->t, id, (uint64_t)x * OCF_NS_PER_MS);
    ocf_table_set_load(c->t, id, x);
    break;
  }
}

/* Takes one operation off the input and does it to both. */
static inline void check_step(struct check *c, struct ocf_ops *o)
{
  uint8_t op = ocf_ops_u8(o);
  unsigned p = op / 16u % CHECK_PEERS;
  struct ocf_peerid id = check_peer(p);
  op %= 16;
  if (op < 3) {
    check_op_put(c, o, p, &id);
  } else if (op < 8) {
    check_op_life(c, o, op, p, &id);
  } else if (op < 10 && p != CHECK_SELF) {
    unsigned v = ocf_ops_u8(o) % CHECK_MALFORMED;
    bool got = ocf_table_vouch(c->t, c->now_ns, &id, check_value(p, v));
    OCF_ASSERT(got == check_vouch(c, p, v));
  } else if (op < 13) {
    c->now_ns += ocf_ops_u8(o) * OCF_NS_PER_S / 4;
    ocf_table_tick(c->t, c->now_ns);
    check_tick(c);
    OCF_ASSERT(ocf_table_deadline(c->t) > c->now_ns);
  } else {
    check_op_publish(c);
  }
  check_rows(c);
}

/* A whole run; everything must be given back at the end. */
static inline void check_run(struct ocf_bytes input)
{
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_table_options opt;
  struct ocf_ops o = { input.p, input.n };
  struct ocf_table_event ev;
  struct check c;
  ocf_alloc_init(&a);
  ocf_rng_seed(&rng, 1);
  ocf_table_options_default(&opt);
  struct ocf_table *t = ocf_table_new(&a, &rng, &opt);
  OCF_ASSERT(t != NULL);
  check_init(&c, t, &opt);
  while (ocf_ops_more(&o))
    check_step(&c, &o);
  check_op_publish(&c);
  while (ocf_table_event(t, &ev))
    OCF_ASSERT((unsigned)ev.verdict < OCF_TABLE_N_VERDICTS && ev.at_ns <= c.now_ns);
  ocf_table_free(t);
  OCF_ASSERT(a.live_bytes == 0 && a.live_blocks == 0);
}

#endif
