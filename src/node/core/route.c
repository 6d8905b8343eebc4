/* /v1/service/{service}/...: the request goes to a provider of the service that the registry knows
 * and that matches it, and to another one when that fails. */
#include <stdio.h>
#include <string.h>

#include "http/h1/path.h"
#include "base/buf/buf.h"
#include "registry/table/snapshot.h"
#include "node/core/node_int.h"
#include "route/body/body.h"
#include "route/match/match.h"

enum { CANDIDATES_MAX = 128, TARGET_MAX = 64 * 1024, AVOID_MS = 1000 };

/* One request that is being routed. */
struct routed {
  struct ocf_chooser chooser;
  struct ocf_body_reader reader;
  struct ocf_node *node;
  struct ocf_snapshot *snapshot;
  struct ocf_buf target;  /* for the hop under way */
  struct ocf_bytes rest;  /* of the path, behind the service; a view into the head */
  struct ocf_bytes query; /* the same, with its '?' */
  const struct ocf_snapshot_service *service;
  struct ocf_peerid tried[OCF_POLICY_TRIED_MAX];
  size_t n_tried;
  bool counted; /* the hop under way is in node.inflight */
  bool reading; /* the request knows its reader, who frees this */
  size_t n_candidates;
  uint32_t candidates[CANDIDATES_MAX];
  size_t name_n;
  char name[OCF_SERVICE_NAME_MAX];
  struct ocf_body body;
};

static void uncount(struct routed *q)
{
  if (q->counted)
    ocf_inflight_end(&q->node->inflight, &q->tried[(q->n_tried - 1) % OCF_POLICY_TRIED_MAX]);
  q->counted = false;
}

static void routed_free(struct routed *q)
{
  uncount(q);
  ocf_snapshot_unref(q->snapshot);
  ocf_buf_fini(&q->target);
  ocf_pool_put(&q->node->routed, q);
}

/* ---- choosing ---- */

/* "/v1/_service/{name}{rest}{query}", behind what leads to the worker when a relay passes it on. */
static int build_target(struct routed *q, const struct ocf_snapshot_row *row, bool relayed)
{
  struct ocf_buf *b = &q->target;
  char text[OCF_PEERID_TEXT_SIZE];
  int r = 0;
  ocf_buf_clear(b);
  if (relayed) {
    (void)ocf_peerid_text(&row->peer, text);
    r = ocf_buf_add(b, "/v1/p2p/", 8);
    if (r == 0)
      r = ocf_buf_add(b, text, strlen(text));
  }
  if (r == 0 && !row->self) {
    r = ocf_buf_add(b, "/v1/_service/", 13);
    if (r == 0)
      r = ocf_buf_add(b, q->name, q->name_n);
  }
  if (r == 0)
    r = q->rest.n > 0 ? ocf_buf_add(b, q->rest.p, q->rest.n) : ocf_buf_add(b, "/", 1);
  return r != 0 || q->query.n == 0 ? r : ocf_buf_add(b, q->query.p, q->query.n);
}

/* A peer that fails fast has few requests under way, and would draw all others to it. */
static void avoid(struct ocf_node *n, const struct ocf_peerid *peer)
{
  struct avoided *a = &n->avoided[n->n_avoided++ % AVOIDED_MAX];
  a->peer = *peer;
  a->until_ns = ocf_time_add(n->loop.now_ns, AVOID_MS * OCF_NS_PER_MS);
}

/* Somebody who was not tried and has not just failed, else somebody who was not tried. */
static const struct ocf_snapshot_row *pick(struct routed *q)
{
  struct ocf_node *n = q->node;
  size_t n_tried = OCF_MIN(q->n_tried, (size_t)OCF_POLICY_TRIED_MAX), k = 0;
  struct ocf_peerid not [AVOIDED_MAX + OCF_POLICY_TRIED_MAX];
  struct ocf_policy_choice choice = { .snapshot = q->snapshot,
                                      .service = q->service,
                                      .rows = q->candidates,
                                      .n = q->n_candidates,
                                      .tried = not,
                                      .inflight = &n->inflight };
  for (size_t i = 0; i < AVOIDED_MAX; i++) {
    if (n->avoided[i].until_ns > n->loop.now_ns)
      not [k++] = n->avoided[i].peer;
  }
  memcpy(&not [k], q -> tried, n_tried * sizeof(not [0])); /* the last ones count most */
  choice.n_tried = k + n_tried;
  const struct ocf_snapshot_row *row = ocf_policy_pick(&n->policy, &choice);
  if (row != NULL || k == 0)
    return row;
  choice.tried = q->tried;
  choice.n_tried = n_tried;
  return ocf_policy_pick(&n->policy, &choice);
}

static bool next(struct ocf_chooser *c, struct ocf_hop *out)
{
  struct routed *q = OCF_CONTAINER_OF(c, struct routed, chooser);
  struct ocf_node *n = q->node;
  const struct ocf_snapshot_row *row = pick(q);
  if (row == NULL)
    return false;
  uncount(q); /* an attempt whose answer was not the last word */
  q->tried[q->n_tried++ % OCF_POLICY_TRIED_MAX] = row->peer;
  q->counted = ocf_inflight_begin(&n->inflight, &row->peer);
  out->service = NULL;
  out->passes_on = !row->self && row->relay.n > 0;
  out->peer = out->passes_on ? row->relay : row->peer;
  if (row->self)
    out->service = ocf_relay_find_service(n->relay, ocf_bytes(q->name, q->name_n));
  if (row->self && out->service == NULL)
    return next(c, out); /* withdrawn since the snapshot was made */
  if (build_target(q, row, out->passes_on) != 0)
    return false;
  out->target = ocf_buf_view(&q->target);
  return true;
}

static void result(struct ocf_chooser *c, unsigned status, int err)
{
  struct routed *q = OCF_CONTAINER_OF(c, struct routed, chooser);
  const struct ocf_peerid *peer = &q->tried[(q->n_tried - 1) % OCF_POLICY_TRIED_MAX];
  if (status == 502 || status == 503 || (err != 0 && err != OCF_ETIME))
    avoid(q->node, peer);
  if (err == OCF_EUNREACH && q->node->mesh != NULL)
    ocf_mesh_unreachable(q->node->mesh, peer);
  if (err != 0)
    uncount(q);
}

static void done(struct ocf_chooser *c)
{
  routed_free(OCF_CONTAINER_OF(c, struct routed, chooser));
}

static const struct ocf_chooser_ops chooser_ops = { next, result, done };

/* ---- deciding ---- */

/* Clients of the Go nodes read status and text, so both are theirs. */
static void refuse(struct ocf_request *rq, enum ocf_match_outcome o)
{
  const struct ocf_match_answer *a = ocf_match_answer(o);
  ocf_request_fail(rq, a->compat_status, a->code, a->compat_text, a->retry_after_s);
}

/* What was looked for may stand behind the part of the body that was read. */
static void refuse_bound(struct ocf_request *rq)
{
  ocf_request_fail(rq, 413, "body_scan_limit",
                   "what the route is chosen by was not found in the first bytes of the body: put "
                   "\"model\" first, or raise the option route.body_scan",
                   0);
}

static bool has_body(const struct ocf_h1_head *h)
{
  return h->framing == OCF_H1_FRAMING_CHUNKED ||
         (h->framing == OCF_H1_FRAMING_LENGTH && h->content_length > 0);
}

static void count(struct ocf_node *n, enum ocf_match_outcome o)
{
  static const unsigned labels[OCF_MATCH_N_OUTCOMES] = {
    [OCF_MATCH_OK] = OCF_METRIC_MATCH_OK,
    [OCF_MATCH_BAD_SERVICE] = OCF_METRIC_MATCH_BAD_SERVICE,
    [OCF_MATCH_BAD_IDENTITY] = OCF_METRIC_MATCH_BAD_IDENTITY,
    [OCF_MATCH_BAD_ALLOWED] = OCF_METRIC_MATCH_BAD_ALLOWED,
    [OCF_MATCH_UNKNOWN_SERVICE] = OCF_METRIC_MATCH_UNKNOWN_SERVICE,
    [OCF_MATCH_NO_PROVIDER] = OCF_METRIC_MATCH_NO_PROVIDER,
    [OCF_MATCH_NO_MATCH] = OCF_METRIC_MATCH_NO_MATCH,
    [OCF_MATCH_NOT_ALLOWED] = OCF_METRIC_MATCH_NOT_ALLOWED,
  };
  ocf_metric_inc1(n->loop.metrics, OCF_METRIC_ROUTED, labels[o]);
}

/* Everything that can be known is known. */
static void decide(struct routed *q, struct ocf_request *rq, bool scanned)
{
  const struct ocf_h1_head *h = ocf_request_head(rq);
  struct ocf_match_field fields[OCF_MATCH_FIELDS_MAX];
  struct ocf_match_result res;
  struct ocf_match_query query = {
    .service = ocf_bytes(q->name, q->name_n),
    .has_body = has_body(h),
    .fields = fields,
    .n_fields = scanned ? ocf_match_fields(&q->body, fields) : 0,
    .fallback = ocf_h1_get_name(h, OCF_STR("X-Otela-Fallback")),
    .identity_group = ocf_h1_get_name(h, OCF_STR("X-Otela-Identity-Group")),
    .allowed_peers = ocf_h1_get_name(h, OCF_STR("X-Otela-Allowed-Peers")),
  };
  enum ocf_match_outcome o =
      ocf_match(q->snapshot, &query, q->node->loop.rng, q->candidates, CANDIDATES_MAX, &res);
  count(q->node, o);
  q->service = res.service;
  q->n_candidates = res.n;
  if (o == OCF_MATCH_OK) {
    ocf_request_to_chosen(rq, &q->chooser);
    return;
  }
  bool bound = o == OCF_MATCH_NO_MATCH && scanned && q->body.state == OCF_BODY_BOUND;
  if (!q->reading)
    routed_free(q);
  if (bound)
    refuse_bound(rq);
  else
    refuse(rq, o);
}

static void piece(struct ocf_body_reader *b, struct ocf_request *rq, struct ocf_bytes data,
                  bool end)
{
  struct routed *q = OCF_CONTAINER_OF(b, struct routed, reader);
  enum ocf_body_state s = ocf_body_feed(&q->body, data);
  if (end)
    s = ocf_body_end(&q->body);
  if (s != OCF_BODY_MORE)
    decide(q, rq, true);
}

static void gone(struct ocf_body_reader *b)
{
  routed_free(OCF_CONTAINER_OF(b, struct routed, reader));
}

static const struct ocf_body_reader_ops reader_ops = { piece, gone };

/* ---- the route ---- */

static struct routed *routed_new(struct ocf_node *n, const struct ocf_h1_head *h,
                                 struct ocf_bytes rest)
{
  struct routed *q = ocf_pool_get(&n->routed);
  if (q == NULL)
    return NULL;
  memset(q, 0, offsetof(struct routed, body));
  q->chooser.ops = &chooser_ops;
  q->reader.ops = &reader_ops;
  q->node = n;
  q->rest = rest;
  if (h->query.p != NULL)
    q->query = ocf_bytes(h->query.p - 1, h->query.n + 1);
  ocf_buf_init(&q->target, n->loop.alloc, TARGET_MAX);
  q->snapshot = ocf_snapshot_take(n->slot);
  return q;
}

/* Reads the body when what it says decides, else goes on at once. */
static void begin(struct routed *q, struct ocf_request *rq)
{
  const struct ocf_h1_head *h = ocf_request_head(rq);
  const struct ocf_snapshot_service *s =
      ocf_snapshot_service(q->snapshot, ocf_bytes(q->name, q->name_n));
  bool by_header = ocf_h1_get_name(h, OCF_STR("X-Otela-Identity-Group")).p != NULL;
  if (!has_body(h) || by_header || s == NULL || s->n_keys == 0) {
    decide(q, rq, false);
    return;
  }
  q->reading = true;
  ocf_body_init(&q->body, s->keys, s->n_keys, q->node->cfg.body_scan_max);
  ocf_request_read_body(rq, &q->reader);
}

void ocf_node_to_provider(struct ocf_node *n, struct ocf_request *rq, struct ocf_bytes rest,
                          unsigned depth)
{
  struct ocf_bytes seg = { NULL, 0 };
  uint8_t name[OCF_SERVICE_NAME_MAX];
  size_t len;
  (void)depth;
  if (n->slot == NULL) {
    ocf_request_fail(rq, 503, "no_registry", "this node takes no part in the registry", 0);
    return;
  }
  if (!ocf_h1_path_next(&rest, &seg) || ocf_h1_path_decode(seg, name, sizeof(name), &len) != 0 ||
      !ocf_service_name_ok(ocf_bytes(name, len))) {
    count(n, OCF_MATCH_BAD_SERVICE);
    refuse(rq, OCF_MATCH_BAD_SERVICE);
    return;
  }
  struct routed *q = routed_new(n, ocf_request_head(rq), rest);
  if (q == NULL || q->snapshot == NULL) {
    if (q != NULL)
      routed_free(q);
    ocf_request_fail(rq, 503, "overloaded", "this node has too much to do, try again", 1);
    return;
  }
  memcpy(q->name, name, len);
  q->name_n = len;
  begin(q, rq);
}

void ocf_node_route_init(struct ocf_node *n)
{
  uint64_t seed[2];
  ocf_rng_secret(n->loop.rng, seed, sizeof(seed));
  ocf_inflight_init(&n->inflight, n->loop.alloc, seed, 4096);
  ocf_policy_init(&n->policy, n->loop.alloc, n->loop.rng, n->cfg.policy);
  ocf_pool_init(&n->routed, n->loop.alloc, sizeof(struct routed), SIZE_MAX, 64);
}

/* After the relay, whose requests have ended by then. */
void ocf_node_route_fini(struct ocf_node *n)
{
  ocf_pool_fini(&n->routed);
  ocf_policy_fini(&n->policy);
  ocf_inflight_fini(&n->inflight);
}
