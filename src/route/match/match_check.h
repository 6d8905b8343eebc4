/* A table of named providers to match on, and the rules of match.h written down once more, provider
 * by provider over plain strings. For the unit tests and the fuzz target. Not for programs. */
#ifndef OCF_ROUTE_MATCH_MATCH_CHECK_H
#define OCF_ROUTE_MATCH_MATCH_CHECK_H

#include <stdio.h>
#include <string.h>

#include "registry/table/table.h"
#include "route/match/match.h"

enum { MATCH_PEERS = 12, MATCH_GROUPS = 4, MATCH_JSON = 2048 };

/* One peer's offer of the service "llm". */
struct match_offer {
  bool offers, connected;
  const char *groups[MATCH_GROUPS]; /* up to the first NULL */
};

struct match_world {
  struct ocf_alloc a;
  struct ocf_rng rng;
  struct ocf_table *t;
  struct ocf_snapshot *s;
  struct match_offer offers[MATCH_PEERS];
};

static inline struct ocf_peerid match_peer(unsigned i)
{
  struct ocf_peerid id;
  char key[16];
  int n = snprintf(key, sizeof(key), "peer%03u", i);
  ocf_peerid_from_key(ocf_bytes(key, (size_t)n), &id);
  return id;
}

static inline void match_put(struct match_world *w, unsigned i)
{
  char key[OCF_PEERID_TEXT_SIZE + 1] = "/", json[MATCH_JSON];
  const struct match_offer *o = &w->offers[i];
  struct ocf_peerid id = match_peer(i);
  (void)ocf_peerid_text(&id, key + 1);
  int n = snprintf(json, sizeof(json), "{\"id\":\"%s\",\"service\":[%s", key + 1,
                   o->offers ? "{\"name\":\"llm\",\"identity_group\":[" : "");
  for (unsigned g = 0; o->offers && g < MATCH_GROUPS && o->groups[g] != NULL; g++)
    n += snprintf(json + n, sizeof(json) - (size_t)n, "%s\"%s\"", g > 0 ? "," : "", o->groups[g]);
  n += snprintf(json + n, sizeof(json) - (size_t)n, "%s]}", o->offers ? "]}" : "");
  int v = ocf_table_put(w->t, 1, ocf_bytes(key, strlen(key)), ocf_bytes(json, (size_t)n), 1, NULL);
  OCF_ASSERT(v == OCF_TABLE_SHOWN);
  if (o->connected)
    OCF_ASSERT(ocf_table_set_conns(w->t, 1, &id, 1, 0) == 0);
}

/* `w->offers` is set. */
static inline void match_world_init(struct match_world *w)
{
  struct ocf_table_options opt;
  ocf_alloc_init(&w->a);
  ocf_rng_seed(&w->rng, 11);
  ocf_table_options_default(&opt);
  w->t = ocf_table_new(&w->a, &w->rng, &opt);
  OCF_ASSERT(w->t != NULL);
  for (unsigned i = 0; i < MATCH_PEERS; i++)
    match_put(w, i);
  OCF_ASSERT(ocf_table_publish(w->t, 1) == 0);
  w->s = ocf_snapshot_take(ocf_table_slot(w->t));
}

static inline void match_world_fini(struct match_world *w)
{
  ocf_snapshot_unref(w->s);
  ocf_table_free(w->t);
  OCF_ASSERT(w->a.live_bytes == 0);
}

/* ---- the naive rules ---- */

static inline bool match_eq(struct ocf_bytes b, const char *s, size_t n)
{
  return b.n == n && (n == 0 || memcmp(b.p, s, n) == 0);
}

/* 3 exact, 2 wildcard, 1 all, 0 none. */
static inline unsigned match_score_group(const char *g, const struct ocf_match_field *f, size_t n)
{
  const char *eq = strchr(g, '=');
  unsigned best = 0;
  if (strcmp(g, "all") == 0)
    return 1;
  if (eq == NULL || eq == g)
    return 0;
  for (size_t i = 0; i < n; i++) {
    if (!match_eq(f[i].name, g, (size_t)(eq - g)))
      continue;
    if (strcmp(eq, "=*") == 0)
      best = OCF_MAX(best, 2u);
    else if (f[i].is_string && match_eq(f[i].value, eq + 1, strlen(eq + 1)))
      best = 3;
  }
  return best;
}

static inline unsigned match_score(const struct match_offer *o, const struct ocf_match_field *f,
                                   size_t n)
{
  unsigned best = 0;
  for (unsigned g = 0; g < MATCH_GROUPS && o->groups[g] != NULL; g++)
    best = OCF_MAX(best, match_score_group(o->groups[g], f, n));
  return best;
}

/* Whether the peer's text stands between commas, blanks aside. */
static inline bool match_is_allowed(struct ocf_bytes list, unsigned peer)
{
  char id[OCF_PEERID_TEXT_SIZE];
  struct ocf_peerid p = match_peer(peer);
  size_t len = strlen(ocf_peerid_text(&p, id));
  if (list.p == NULL)
    return true;
  for (size_t at = 0; at < list.n;) {
    size_t end = at;
    while (end < list.n && list.p[end] != ',')
      end++;
    size_t b = at, e = end;
    while (b < e && (list.p[b] == ' ' || list.p[b] == '\t'))
      b++;
    while (e > b && (list.p[e - 1] == ' ' || list.p[e - 1] == '\t'))
      e--;
    if (e - b == len && memcmp(list.p + b, id, len) == 0)
      return true;
    at = end + 1;
  }
  return false;
}

/* Whether any group of the offer can match something at all. */
static inline bool match_has_groups(const struct match_offer *o)
{
  for (unsigned g = 0; g < MATCH_GROUPS && o->groups[g] != NULL; g++) {
    const char *eq = strchr(o->groups[g], '=');
    if (strcmp(o->groups[g], "all") == 0 || (eq != NULL && eq != o->groups[g]))
      return true;
  }
  return false;
}

/* Which peers (bits) are candidates, and of what tier. */
static inline unsigned match_naive(const struct match_world *w, const struct ocf_match_query *q,
                                   enum ocf_match_tier *tier)
{
  static const enum ocf_match_tier tiers[] = { OCF_MATCH_TIER_NONE, OCF_MATCH_TIER_ALL,
                                               OCF_MATCH_TIER_WILDCARD, OCF_MATCH_TIER_EXACT };
  unsigned sets[4] = { 0 }, providers = 0, open = 0;
  unsigned least = match_eq(q->fallback, "1", 1) ? 2 : match_eq(q->fallback, "2", 1) ? 1 : 3;
  for (unsigned i = 0; i < MATCH_PEERS; i++) {
    const struct match_offer *o = &w->offers[i];
    if (!o->offers || !o->connected)
      continue;
    providers |= 1u << i;
    open |= (unsigned)!match_has_groups(o) << i;
    sets[match_score(o, q->fields, q->n_fields)] |= 1u << i;
  }
  *tier = OCF_MATCH_TIER_OPEN;
  if (!q->has_body || open == providers)
    return providers;
  for (unsigned k = 3; k >= least; k--) {
    *tier = tiers[k];
    if (sets[k] != 0)
      return sets[k];
  }
  *tier = OCF_MATCH_TIER_NONE;
  return 0;
}

/* Matches `q` (no X-Otela-Identity-Group) and compares. */
static inline enum ocf_match_outcome match_check(struct match_world *w,
                                                 const struct ocf_match_query *q)
{
  uint32_t out[MATCH_PEERS];
  struct ocf_match_result res;
  enum ocf_match_tier tier;
  unsigned want = match_naive(w, q, &tier), got = 0, n = 0;
  bool none = want == 0;
  enum ocf_match_outcome o = ocf_match(w->s, q, &w->rng, out, MATCH_PEERS, &res);
  if (o == OCF_MATCH_UNKNOWN_SERVICE || o == OCF_MATCH_NO_PROVIDER || o == OCF_MATCH_BAD_ALLOWED)
    return o;
  for (unsigned i = 0; i < MATCH_PEERS; i++) {
    struct ocf_peerid id = match_peer(i);
    const struct ocf_snapshot_row *row = ocf_snapshot_find(w->s, &id);
    if (!match_is_allowed(q->allowed_peers, i))
      want &= ~(1u << i);
    for (size_t k = 0; k < res.n; k++)
      got |= (unsigned)(out[k] == ocf_snapshot_row_number(w->s, row)) << i;
    n += want >> i & 1u;
  }
  OCF_ASSERT(got == want && res.n == n && res.n_total == n);
  OCF_ASSERT(o == (n > 0 ? OCF_MATCH_OK : none ? OCF_MATCH_NO_MATCH : OCF_MATCH_NOT_ALLOWED));
  OCF_ASSERT(res.tier == (n > 0 ? tier : OCF_MATCH_TIER_NONE));
  return o;
}

#endif
