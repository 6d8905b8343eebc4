#include "route/match/match.h"

#include <stdlib.h>
#include <string.h>

#include "base/ds/sort.h"
#include "multi/peerid/peerid.h"

/* ---- the query's headers ---- */

static unsigned fallback_of(struct ocf_bytes h)
{
  if (ocf_bytes_eq(h, OCF_STR("1")))
    return 1;
  return ocf_bytes_eq(h, OCF_STR("2")) ? 2 : 0;
}

static struct ocf_bytes trim(struct ocf_bytes s)
{
  while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
    s = ocf_bytes(s.p + 1, s.n - 1);
  while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
    s.n--;
  return s;
}

/* "key=value", split at the first '='. */
static bool split_identity(struct ocf_bytes h, struct ocf_match_field *out)
{
  struct ocf_bytes s = trim(h);
  const uint8_t *eq = s.n > 0 ? memchr(s.p, '=', s.n) : NULL;
  if (eq == NULL || eq == s.p)
    return false;
  size_t n = (size_t)(eq - s.p);
  *out = (struct ocf_match_field){
    .name = ocf_bytes(s.p, n),
    .value = ocf_bytes(eq + 1, s.n - n - 1),
    .is_string = true,
  };
  return true;
}

/* Row numbers of the allowed peers, ascending. Names that are no peer of the snapshot count for
 * nothing. */
struct allowed {
  bool any; /* no such header: everybody */
  size_t n;
  uint32_t rows[OCF_MATCH_ALLOWED_MAX];
};

static int by_number(const void *a, const void *b)
{
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void allow(const struct ocf_snapshot *s, struct ocf_bytes name, struct allowed *to)
{
  struct ocf_peerid id;
  const struct ocf_snapshot_row *row;
  if (name.n == 0 || ocf_peerid_parse(name, &id) != 0)
    return;
  row = ocf_snapshot_find(s, &id);
  if (row != NULL)
    to->rows[to->n++] = ocf_snapshot_row_number(s, row);
}

/* False when the header names more peers than are looked at. */
static bool parse_allowed(const struct ocf_snapshot *s, struct ocf_bytes h, struct allowed *to)
{
  size_t n_names = 0;
  to->any = h.p == NULL;
  to->n = 0;
  while (h.n > 0) {
    const uint8_t *comma = memchr(h.p, ',', h.n);
    size_t n = comma == NULL ? h.n : (size_t)(comma - h.p);
    if (++n_names > OCF_MATCH_ALLOWED_MAX)
      return false;
    allow(s, trim(ocf_bytes(h.p, n)), to);
    n = OCF_MIN(n + 1, h.n);
    h = ocf_bytes(h.p + n, h.n - n);
  }
  ocf_sort(to->rows, to->n, sizeof(to->rows[0]), by_number);
  return true;
}

static bool is_allowed(const struct allowed *al, uint32_t row)
{
  return al->any || (al->n > 0 && bsearch(&row, al->rows, al->n, sizeof(row), by_number) != NULL);
}

/* ---- candidates ---- */

/* Several ascending lists whose union, each row once, are the candidates. */
struct lists {
  struct ocf_snapshot_list l[OCF_MATCH_FIELDS_MAX];
  uint32_t at[OCF_MATCH_FIELDS_MAX];
  size_t n;
};

static void add_list(struct lists *ls, struct ocf_snapshot_list l)
{
  if (l.n == 0)
    return;
  ls->l[ls->n] = l;
  ls->at[ls->n++] = 0;
}

/* The least row that was not taken yet; UINT32_MAX at the end. Rows that stand in several lists
 * come once. */
static uint32_t next_row(struct lists *ls)
{
  uint32_t least = UINT32_MAX;
  for (size_t i = 0; i < ls->n; i++) {
    if (ls->at[i] < ls->l[i].n)
      least = OCF_MIN(least, ls->l[i].rows[ls->at[i]]);
  }
  for (size_t i = 0; i < ls->n; i++)
    ls->at[i] += ls->at[i] < ls->l[i].n && ls->l[i].rows[ls->at[i]] == least;
  return least;
}

/* Reservoir sampling: when more come than there is room for, each has the same chance to stay. */
static void put(struct ocf_match_result *res, uint32_t row, struct ocf_rng *rng, uint32_t *out,
                size_t cap)
{
  res->n_total++;
  if (res->n < cap) {
    out[res->n++] = row;
    return;
  }
  uint64_t at = ocf_rng_below(rng, res->n_total);
  if (at < cap)
    out[at] = row;
}

static void choose_exact(const struct ocf_snapshot *s, const struct ocf_snapshot_service *svc,
                         const struct ocf_match_field *f, size_t n, struct lists *ls)
{
  for (size_t i = 0; i < n; i++) {
    if (f[i].is_string)
      add_list(ls, ocf_snapshot_exact(s, svc, f[i].name, f[i].value));
  }
}

static void choose_wildcard(const struct ocf_snapshot *s, const struct ocf_snapshot_service *svc,
                            const struct ocf_match_field *f, size_t n, struct lists *ls)
{
  for (size_t i = 0; i < n; i++)
    add_list(ls, ocf_snapshot_wildcard(s, svc, f[i].name));
}

/* The lists of the best tier that has any, as far as the client falls back. */
static enum ocf_match_tier choose(const struct ocf_snapshot *s,
                                  const struct ocf_snapshot_service *svc,
                                  const struct ocf_match_query *q, const struct ocf_match_field *f,
                                  size_t n, struct lists *ls)
{
  const unsigned fallback = fallback_of(q->fallback);
  bool asks = q->has_body || q->identity_group.p != NULL;
  if (!asks || svc->open.n == svc->providers.n) {
    add_list(ls, svc->providers);
    return OCF_MATCH_TIER_OPEN;
  }
  choose_exact(s, svc, f, n, ls);
  if (ls->n > 0)
    return OCF_MATCH_TIER_EXACT;
  if (fallback >= 1)
    choose_wildcard(s, svc, f, n, ls);
  if (ls->n > 0)
    return OCF_MATCH_TIER_WILDCARD;
  if (fallback >= 2)
    add_list(ls, svc->all);
  return ls->n > 0 ? OCF_MATCH_TIER_ALL : OCF_MATCH_TIER_NONE;
}

static enum ocf_match_outcome match_in(const struct ocf_snapshot *s,
                                       const struct ocf_match_query *q, struct ocf_rng *rng,
                                       uint32_t *out, size_t cap, struct ocf_match_result *res)
{
  struct lists ls = { .n = 0 };
  struct allowed al;
  struct ocf_match_field header;
  const struct ocf_match_field *f = q->fields;
  size_t n = OCF_MIN(q->n_fields, OCF_MATCH_FIELDS_MAX);
  if (q->identity_group.p != NULL) {
    if (!split_identity(q->identity_group, &header))
      return OCF_MATCH_BAD_IDENTITY;
    f = &header;
    n = 1;
  }
  if (!parse_allowed(s, q->allowed_peers, &al))
    return OCF_MATCH_BAD_ALLOWED;
  enum ocf_match_tier tier = choose(s, res->service, q, f, n, &ls);
  if (tier == OCF_MATCH_TIER_NONE)
    return OCF_MATCH_NO_MATCH;
  for (uint32_t row; (row = next_row(&ls)) != UINT32_MAX;) {
    if (is_allowed(&al, row))
      put(res, row, rng, out, cap);
  }
  if (res->n == 0)
    return OCF_MATCH_NOT_ALLOWED;
  res->tier = tier;
  return OCF_MATCH_OK;
}

enum ocf_match_outcome ocf_match(const struct ocf_snapshot *s, const struct ocf_match_query *q,
                                 struct ocf_rng *rng, uint32_t *out, size_t cap,
                                 struct ocf_match_result *res)
{
  OCF_ASSERT(cap > 0);
  *res = (struct ocf_match_result){ .tier = OCF_MATCH_TIER_NONE };
  if (!ocf_service_name_ok(q->service))
    return OCF_MATCH_BAD_SERVICE;
  res->service = ocf_snapshot_service(s, q->service);
  if (res->service == NULL)
    return OCF_MATCH_UNKNOWN_SERVICE;
  if (res->service->providers.n == 0)
    return OCF_MATCH_NO_PROVIDER;
  return match_in(s, q, rng, out, cap, res);
}

size_t ocf_match_fields(const struct ocf_body *b, struct ocf_match_field out[OCF_MATCH_FIELDS_MAX])
{
  size_t n = 0;
  for (unsigned i = 0; i < b->n_keys && n < OCF_MATCH_FIELDS_MAX; i++) {
    const struct ocf_body_field *f = ocf_body_keyed(b, i);
    if (f->kind == OCF_BODY_ABSENT)
      continue;
    out[n++] = (struct ocf_match_field){
      .name = ocf_body_key(b, i),
      .value = ocf_bytes(f->value, f->n),
      .is_string = f->kind == OCF_BODY_STRING,
    };
  }
  return n;
}

const struct ocf_match_answer *ocf_match_answer(enum ocf_match_outcome o)
{
  static const struct ocf_match_answer answers[OCF_MATCH_N_OUTCOMES] = {
    [OCF_MATCH_BAD_SERVICE] = { 400, "invalid_service_name", "The service name is not a valid one.",
                                0, 400, "invalid service name" },
    [OCF_MATCH_BAD_IDENTITY] = { 400, "invalid_identity_group",
                                 "X-Otela-Identity-Group must be key=value.", 0, 400,
                                 "invalid X-Otela-Identity-Group" },
    [OCF_MATCH_BAD_ALLOWED] = { 400, "invalid_allowed_peers",
                                "X-Otela-Allowed-Peers lists too many peers.", 0, 400,
                                "invalid X-Otela-Allowed-Peers" },
    [OCF_MATCH_UNKNOWN_SERVICE] = { 404, "unknown_service",
                                    "No node of the network offers this service.", 0, 400,
                                    "no providers found" },
    [OCF_MATCH_NO_PROVIDER] = { 503, "no_provider_connected",
                                "Nodes offer this service, but none can be reached now.", 5, 400,
                                "no providers found" },
    [OCF_MATCH_NO_MATCH] = { 503, "no_matching_provider",
                             "No node that offers this service serves what the request asks for "
                             "(for language models: the model).",
                             5, 503, "No provider found for the requested service." },
    [OCF_MATCH_NOT_ALLOWED] = { 503, "no_allowed_provider",
                                "None of the nodes in X-Otela-Allowed-Peers can serve the request.",
                                5, 503,
                                "no billing-affordable provider for the requested service." },
  };
  OCF_ASSERT(o > OCF_MATCH_OK && o < OCF_MATCH_N_OUTCOMES);
  return &answers[o];
}
