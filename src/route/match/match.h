/* Which providers may serve a request: the rules of OpenTela (ocf-network.md 2.5) on a snapshot.
 *
 * A provider is a routable row that claims the service. Its claims are matched with the request's
 * fields (from the JSON body, or from X-Otela-Identity-Group, which replaces the body):
 *   exact     a group `key=value` where the body has the string `value` in its top-level field
 * `key` wildcard  a group `key=*` where the body has the field `key`, of any type all       the
 * group `all` Groups are split at the first '=', so values may hold '='. All exact ones are the
 * candidates; if there is none and the client allows it (X-Otela-Fallback: 1) all wildcard ones; if
 * there is none and it is 2, the `all` ones. An exact provider is thus never mixed with a lesser
 * one.
 *
 * Where we go further (fault 23 of ocf-network.md):
 *   - a request without a body and without X-Otela-Identity-Group (GET /v1/models) may go to every
 *     provider of the service;
 *   - when no provider of the service claims any group, every request may go to every one of them.
 * Where we differ: several services of one name in one record count as one service with all their
 * groups (OpenTela lets the first that matches at all decide); OCF's split at every '=' is not
 * followed.
 *
 * Pure functions over the snapshot; any thread that holds a reference. No allocation.
 * O(candidates).
 */
#ifndef OCF_ROUTE_MATCH_MATCH_H
#define OCF_ROUTE_MATCH_MATCH_H

#include "base/core/core.h"
#include "base/rng/rng.h"
#include "registry/table/snapshot.h"
#include "route/body/body.h"

enum {
  OCF_MATCH_CANDIDATES_MAX = 1024, /* a candidate array need not be larger */
  OCF_MATCH_FIELDS_MAX = 16,
  OCF_MATCH_ALLOWED_MAX = 1024, /* peers in X-Otela-Allowed-Peers */
};

/* A top-level field of the body. */
struct ocf_match_field {
  struct ocf_bytes name;
  struct ocf_bytes value; /* when is_string */
  bool is_string;         /* false: present, but nothing that an exact group could equal */
};

/* What the request says; views are borrowed for the call. Header views have p NULL when the header
 * is not there. */
struct ocf_match_query {
  struct ocf_bytes service;
  bool has_body;
  const struct ocf_match_field *fields;
  size_t n_fields;                 /* more than OCF_MATCH_FIELDS_MAX are not looked at */
  struct ocf_bytes fallback;       /* X-Otela-Fallback: "1" or "2"; anything else is 0 */
  struct ocf_bytes identity_group; /* X-Otela-Identity-Group: "key=value" */
  struct ocf_bytes allowed_peers;  /* X-Otela-Allowed-Peers: "id,id" */
};

/* The fields that the scanner found, for a query; views lent from `b`. Returns the count. None when
 * the body is not JSON. */
size_t ocf_match_fields(const struct ocf_body *b, struct ocf_match_field out[OCF_MATCH_FIELDS_MAX]);

enum ocf_match_outcome {
  OCF_MATCH_OK,
  OCF_MATCH_BAD_SERVICE,     /* the name is not one (2.3) */
  OCF_MATCH_BAD_IDENTITY,    /* X-Otela-Identity-Group is not key=value */
  OCF_MATCH_BAD_ALLOWED,     /* X-Otela-Allowed-Peers lists too many */
  OCF_MATCH_UNKNOWN_SERVICE, /* no row claims it */
  OCF_MATCH_NO_PROVIDER,     /* rows claim it, none is routable now */
  OCF_MATCH_NO_MATCH,        /* providers, but none for these fields */
  OCF_MATCH_NOT_ALLOWED,     /* candidates, but none of the allowed peers */
  OCF_MATCH_N_OUTCOMES,
};

enum ocf_match_tier {
  OCF_MATCH_TIER_NONE,
  OCF_MATCH_TIER_ALL,
  OCF_MATCH_TIER_WILDCARD,
  OCF_MATCH_TIER_EXACT,
  OCF_MATCH_TIER_OPEN, /* no groups were asked for: no body, or a service without groups */
};

struct ocf_match_result {
  enum ocf_match_tier tier; /* of the candidates; NONE unless OCF_MATCH_OK */
  size_t n;                 /* candidates written: row numbers of the snapshot, each once */
  size_t n_total;           /* before sampling; > n when there were more than `cap` */
  const struct ocf_snapshot_service *service; /* NULL when unknown */
};

/* Writes the candidates to `out` (room for `cap` > 0); when there are more, a uniform sample drawn
 * with `rng`. The order of `out` is ascending when nothing was sampled away. `*res` is always set.
 */
enum ocf_match_outcome ocf_match(const struct ocf_snapshot *s, const struct ocf_match_query *q,
                                 struct ocf_rng *rng, uint32_t *out, size_t cap,
                                 struct ocf_match_result *res);

/* What to answer when there is no candidate: by the error contract (design.md point 14), and by the
 * texts that clients of OCF and OpenTela read on the old routes, as {"error":"<compat_text>"}. */
struct ocf_match_answer {
  uint16_t status;
  const char *code, *text;
  uint16_t retry_after_s; /* 0 = no Retry-After */
  uint16_t compat_status;
  const char *compat_text;
};
/* Not for OCF_MATCH_OK. Never NULL. */
const struct ocf_match_answer *ocf_match_answer(enum ocf_match_outcome o);

#endif
