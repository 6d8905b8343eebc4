/* The route table: the same for TCP clients and for streams of peers. */
#include <string.h>

#include "fmt/json/json.h"
#include "node/core/node_int.h"
#include "http/h1/path.h"

enum { SELF_MAX = 512 * 1024 };

/* ---- policy: one place decides who may do what ---- */

enum action {
  ACT_LOOK,    /* health and the like */
  ACT_INSPECT, /* what this node is and counts */
  ACT_REACH,   /* use this node to reach peers */
  ACT_USE,     /* use a service of this node */
  ACT_ROUTE,   /* have this node find a service in the mesh */
  ACT_TABLE,   /* see who is in the mesh */
  ACT_CHANGE,  /* say what this node offers */
};

static bool allowed(const struct ocf_node *n, const struct ocf_caller *c, enum action a)
{
  switch (a) {
  case ACT_LOOK: return true;
  case ACT_INSPECT: return c->kind == OCF_CALLER_LOCAL || n->cfg.p2p_route_open;
  case ACT_REACH:
    return c->kind == OCF_CALLER_LOCAL || n->cfg.p2p_route_open ||
           (c->kind == OCF_CALLER_PEER && strcmp(n->cfg.role, "relay") == 0);
  case ACT_ROUTE: return c->kind != OCF_CALLER_PEER || n->cfg.p2p_route_open;
  case ACT_TABLE: return true;
  case ACT_CHANGE: return c->kind == OCF_CALLER_LOCAL;
  case ACT_USE:
    return c->kind == OCF_CALLER_LOCAL || c->kind == OCF_CALLER_PEER || n->cfg.p2p_route_open;
  }
  return false;
}

/* ---- answers made here ---- */

static struct ocf_h1_edit no_store(void)
{
  return OCF_H1_EDIT(OCF_H1_SET, "Cache-Control", OCF_STR("no-store"));
}

static void reply_json(struct ocf_request *rq, unsigned status, struct ocf_bytes body)
{
  struct ocf_h1_edit e = no_store();
  ocf_request_reply(rq, status, "application/json; charset=utf-8", body, &e, 1);
}

static void get_health(struct ocf_node *n, struct ocf_request *rq)
{
  (void)n;
  reply_json(rq, 200, OCF_STR("{\"status\":\"ok\"}"));
}

/* Ready: takes new requests, and if it has services, one of them at least is well. */
static void get_ready(struct ocf_node *n, struct ocf_request *rq)
{
  struct ocf_service *sv = ocf_relay_next_service(n->relay, NULL);
  bool ok = sv == NULL;
  for (; sv != NULL && !ok; sv = ocf_relay_next_service(n->relay, sv))
    ok = ocf_service_health(sv) == OCF_SERVICE_WELL;
  if (n->draining)
    reply_json(rq, 503, OCF_STR("{\"status\":\"draining\"}"));
  else if (!ok)
    reply_json(rq, 503, OCF_STR("{\"status\":\"no service is well\"}"));
  else
    reply_json(rq, 200, OCF_STR("{\"status\":\"ready\"}"));
}

static const char *health_name(enum ocf_service_health h)
{
  switch (h) {
  case OCF_SERVICE_WELL: return "connected";
  case OCF_SERVICE_UNWELL: return "disconnected";
  case OCF_SERVICE_UNKNOWN: return "unknown";
  }
  return "unknown";
}

static void write_services(struct ocf_node *n, struct ocf_json *w)
{
  ocf_json_array(w);
  for (struct ocf_service *sv = ocf_relay_next_service(n->relay, NULL); sv != NULL;
       sv = ocf_relay_next_service(n->relay, sv)) {
    ocf_json_object(w);
    ocf_json_key(w, "name");
    ocf_json_cstr(w, ocf_service_name(sv));
    ocf_json_key(w, "status");
    ocf_json_cstr(w, health_name(ocf_service_health(sv)));
    ocf_json_object_end(w);
  }
  ocf_json_array_end(w);
}

static void write_addrs(struct ocf_node *n, struct ocf_json *w)
{
  const struct ocf_maddr *addrs;
  size_t count = ocf_swarm_addrs(n->swarm, &addrs);
  char text[OCF_MADDR_TEXT_SIZE];
  ocf_json_array(w);
  for (size_t i = 0; i < count; i++) {
    if (ocf_maddr_text(&addrs[i], text, sizeof(text), NULL) == 0)
      ocf_json_cstr(w, text);
  }
  ocf_json_array_end(w);
}

static void write_peers(struct ocf_node *n, struct ocf_json *w)
{
  const void *cursor = NULL;
  struct ocf_swarm_peer_info info;
  char text[OCF_PEERID_TEXT_SIZE];
  ocf_json_array(w);
  for (size_t i = 0; i < 256 && ocf_swarm_peer_next(n->swarm, &cursor, &info); i++)
    ocf_json_cstr(w, ocf_peerid_text(info.id, text));
  ocf_json_array_end(w);
}

/* What the record does not say. `alone`: there is no record. */
static int write_about(struct ocf_node *n, bool alone, struct ocf_buf *b)
{
  struct ocf_json w = ocf_json_to(b);
  ocf_json_object(&w);
  if (alone) {
    ocf_json_key(&w, "id");
    ocf_json_cstr(&w, n->id_text);
    ocf_json_key(&w, "role");
    ocf_json_array(&w);
    ocf_json_cstr(&w, n->cfg.role);
    ocf_json_array_end(&w);
    ocf_json_key(&w, "version");
    ocf_json_cstr(&w, n->cfg.version);
  }
  ocf_json_key(&w, "uptime_seconds");
  ocf_json_u64(&w, (n->loop.now_ns - n->started_ns) / OCF_NS_PER_S);
  ocf_json_key(&w, "addresses");
  write_addrs(n, &w);
  ocf_json_key(&w, "connected_peers");
  write_peers(n, &w);
  ocf_json_key(&w, "health");
  write_services(n, &w);
  ocf_json_object_end(&w);
  return ocf_json_end(&w);
}

/* The record, as the Go nodes show theirs, with more behind it. */
static void get_self(struct ocf_node *n, struct ocf_request *rq)
{
  struct ocf_bytes record = n->mesh != NULL ? ocf_mesh_record(n->mesh) : ocf_bytes(NULL, 0);
  struct ocf_buf b, about;
  ocf_buf_init(&b, n->loop.alloc, SELF_MAX);
  ocf_buf_init(&about, n->loop.alloc, SELF_MAX);
  int r = write_about(n, record.n == 0, &about);
  if (r == 0 && record.n > 0) {
    r = ocf_buf_add(&b, record.p, record.n - 1); /* two objects made one */
    if (r == 0)
      r = ocf_buf_add(&b, ",", 1);
  }
  if (r == 0)
    r = ocf_buf_add(&b, about.p + (record.n > 0 ? 1 : 0), about.n - (record.n > 0 ? 1 : 0));
  if (r == 0)
    reply_json(rq, 200, ocf_buf_view(&b));
  else
    ocf_request_fail(rq, 503, "out_of_memory", "no memory for the answer", 1);
  ocf_buf_fini(&b);
  ocf_buf_fini(&about);
}

/* ---- forwarding ---- */

/* From the first byte of `rest` to the end of path and query, as the client sent it. */
static struct ocf_bytes target_from(const struct ocf_h1_head *h, struct ocf_bytes rest)
{
  const uint8_t *end = h->query.p != NULL ? h->query.p + h->query.n : rest.p + rest.n;
  return rest.n == 0 ? OCF_STR("/") : ocf_bytes(rest.p, (size_t)(end - rest.p));
}

static void dispatch(struct ocf_node *n, struct ocf_request *rq, struct ocf_bytes path,
                     unsigned depth);

/* What a relay passes on for a peer ends at the next node: no loops, no chains. */
static bool one_hop(struct ocf_bytes rest)
{
  static const char direct[] = "/v1/_service/";
  return rest.n >= sizeof(direct) - 1 && memcmp(rest.p, direct, sizeof(direct) - 1) == 0;
}

static void to_peer(struct ocf_node *n, struct ocf_request *rq, struct ocf_bytes rest,
                    unsigned depth)
{
  const struct ocf_h1_head *h = ocf_request_head(rq);
  struct ocf_peerid peer;
  struct ocf_bytes seg = { NULL, 0 };
  bool has = ocf_h1_path_next(&rest, &seg);
  if (!has || ocf_peerid_parse(seg, &peer) != 0)
    ocf_request_fail(
        rq, 400, "bad_peer_id",
        "the path must be /v1/p2p/{peer id}/{path}, the id as 12D3Koo..., Qm... or a CID", 0);
  else if (ocf_request_caller(rq)->kind == OCF_CALLER_PEER && !one_hop(rest))
    ocf_request_fail(rq, 400, "too_many_hops",
                     "a peer may be led to another one only to use a service of it", 0);
  else if (ocf_peerid_eq(&peer, ocf_node_id(n)))
    dispatch(n, rq, rest.n > 0 ? rest : OCF_STR("/"), depth + 1);
  else
    ocf_request_to_peer(rq, &peer, target_from(h, rest));
}

static void to_service(struct ocf_node *n, struct ocf_request *rq, struct ocf_bytes rest,
                       unsigned depth)
{
  struct ocf_bytes seg = { NULL, 0 };
  uint8_t name[64];
  size_t len;
  (void)depth;
  struct ocf_service *sv = NULL;
  if (ocf_h1_path_next(&rest, &seg) && ocf_h1_path_decode(seg, name, sizeof(name), &len) == 0)
    sv = ocf_relay_find_service(n->relay, ocf_bytes(name, len));
  if (sv == NULL)
    ocf_request_fail(rq, 404, "service_not_found", "this node has no service of that name", 0);
  else
    ocf_request_to_service(rq, sv, target_from(ocf_request_head(rq), rest));
}

/* ---- the table ---- */

struct route {
  const char *path; /* exact; with `prefix` it ends before the '/' that must follow */
  bool prefix;
  enum action action;
  unsigned label;
  void (*get)(struct ocf_node *n, struct ocf_request *rq);
  void (*post)(struct ocf_node *n, struct ocf_request *rq);
  void (*del)(struct ocf_node *n, struct ocf_request *rq);
  void (*forward)(struct ocf_node *n, struct ocf_request *rq, struct ocf_bytes rest,
                  unsigned depth);
};

#define GET(path, act, label, fn)                                                                  \
  {                                                                                                \
    path, false, act, OCF_METRIC_ROUTE_##label, fn, NULL, NULL, NULL                               \
  }
#define FORWARD(path, act, label, fn)                                                              \
  {                                                                                                \
    path, true, act, OCF_METRIC_ROUTE_##label, NULL, NULL, NULL, fn                                \
  }
static const struct route routes[] = {
  FORWARD("/v1/service", ACT_ROUTE, PROVIDER, ocf_node_to_provider),
  FORWARD("/v1/_service", ACT_USE, SERVICE, to_service),
  FORWARD("/v1/p2p", ACT_REACH, P2P, to_peer),
  GET("/v1/health", ACT_LOOK, HEALTH, get_health),
  GET("/healthz", ACT_LOOK, HEALTHZ, get_health),
  GET("/readyz", ACT_LOOK, READYZ, get_ready),
  GET("/metrics", ACT_INSPECT, METRICS, ocf_node_get_metrics),
  GET("/v1/self", ACT_INSPECT, SELF, get_self),
  GET("/v1/dnt/table", ACT_TABLE, DNT, ocf_node_get_table),
  GET("/v1/dnt/peers", ACT_TABLE, DNT, ocf_node_get_peers),
  GET("/v1/dnt/peers_status", ACT_TABLE, DNT, ocf_node_get_peers_status),
  GET("/v1/dnt/stats", ACT_TABLE, DNT, ocf_node_get_stats),
  GET("/v1/dnt/bootstraps", ACT_TABLE, DNT, ocf_node_get_bootstraps),
  GET("/v1/dnt/refused", ACT_INSPECT, DNT, ocf_node_get_refused),
  { "/v1/dnt/_node", false, ACT_CHANGE, OCF_METRIC_ROUTE_DNT, NULL, ocf_node_post_node,
    ocf_node_delete_node, NULL },
};

static const struct route *find_route(struct ocf_bytes path, struct ocf_bytes *rest)
{
  for (size_t i = 0; i < OCF_ARRAY_LEN(routes); i++) {
    size_t len = strlen(routes[i].path);
    if (path.n < len || memcmp(path.p, routes[i].path, len) != 0)
      continue;
    *rest = ocf_bytes(path.p + len, path.n - len);
    if (routes[i].prefix ? rest->n > 0 && rest->p[0] == '/' : rest->n == 0)
      return &routes[i];
  }
  return NULL;
}

static void (*method_of(const struct route *r, enum ocf_h1_method m))(struct ocf_node *,
                                                                      struct ocf_request *)
{
  if (m == OCF_H1_GET || m == OCF_H1_HEAD)
    return r->get;
  return m == OCF_H1_POST ? r->post : m == OCF_H1_DELETE ? r->del : NULL;
}

static void call(struct ocf_node *n, struct ocf_request *rq, const struct route *r)
{
  enum ocf_h1_method m = ocf_request_head(rq)->method;
  void (*fn)(struct ocf_node *, struct ocf_request *) = method_of(r, m);
  if (fn != NULL) {
    fn(n, rq);
    return;
  }
  struct ocf_bytes allow = r->get != NULL ? OCF_STR("GET, HEAD") : OCF_STR("POST, DELETE");
  struct ocf_h1_edit e = OCF_H1_EDIT(OCF_H1_SET, "Allow", allow);
  if (m == OCF_H1_OPTIONS)
    ocf_request_reply(rq, 204, NULL, ocf_bytes(NULL, 0), &e, 1);
  else
    ocf_request_fail_with(rq, 405, "method_not_allowed",
                          r->get != NULL ? "this path answers GET and HEAD"
                                         : "this path answers POST and DELETE",
                          &e, 1);
}

/* `/v1/p2p/{this node}/…` is the rest of the path here, so one request may pass the table a few
 * times; a path that names this node again and again is refused. */
static void dispatch(struct ocf_node *n, struct ocf_request *rq, struct ocf_bytes path,
                     unsigned depth)
{
  struct ocf_bytes rest;
  const struct route *r = find_route(path, &rest);
  if (r == NULL || depth > 4) {
    ocf_request_fail(rq, 404, "not_found", "no such path", 0);
    return;
  }
  ocf_request_set_route(rq, r->label);
  if (!allowed(n, ocf_request_caller(rq), r->action))
    ocf_request_fail(rq, 403, "forbidden",
                     "callers from elsewhere may not use this path (option p2p_route_open)", 0);
  else if (r->forward != NULL && ocf_node_pressure(n) >= OCF_NODE_SHED_REQUESTS)
    ocf_request_fail(rq, 503, "overloaded", "this node is short of memory, try again", 1);
  else if (r->forward != NULL)
    r->forward(n, rq, rest, depth);
  else
    call(n, rq, r);
}

void ocf_node_route(void *ctx, struct ocf_request *rq)
{
  dispatch(ctx, rq, ocf_request_head(rq)->path, 0);
}
