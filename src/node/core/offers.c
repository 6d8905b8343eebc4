/* What this node offers: its services that are well, with their identity groups. A service named
 * "llm" is asked for its models, each of which is a group; the mesh writes the record. */
#include <stdio.h>
#include <string.h>

#include "fmt/jscan/jscan.h"
#include "node/core/node_int.h"

enum {
  GROUPS_MAX = 256,
  GROUP_TEXT_MAX = 64 * 1024,
  MODELS_BODY_MAX = 1024 * 1024,
  MODELS_TIMEOUT_S = 5,
  MODELS_RETRY_MS = 500,
  OFFERS_MAX = 64,
  FIRST_WAIT_MS = 500,
};

/* Identity groups as texts, one behind the other, each with a NUL. */
struct groups {
  struct ocf_buf text;
  size_t n;
};

struct offer {
  struct ocf_list link; /* in node.offers */
  struct ocf_node *node;
  struct ocf_service *sv;
  struct ocf_ask ask;     /* for the models */
  struct ocf_alarm again; /* the next time it is asked */
  struct groups given, models;
  bool wants_models, has_models;
};

static void groups_init(struct groups *g, struct ocf_alloc *a)
{
  ocf_buf_init(&g->text, a, GROUP_TEXT_MAX);
  g->n = 0;
}

/* One that is too long or too many is left out: a record has its bounds. */
static void groups_add(struct groups *g, struct ocf_bytes prefix, struct ocf_bytes text)
{
  size_t before = g->text.n;
  if (g->n == GROUPS_MAX || text.n == 0 || prefix.n + text.n > OCF_RECORD_STR_MAX ||
      memchr(text.p, '\0', text.n) != NULL)
    return;
  if (ocf_buf_add(&g->text, prefix.p, prefix.n) != 0 ||
      ocf_buf_add(&g->text, text.p, text.n) != 0 || ocf_buf_add(&g->text, "", 1) != 0)
    g->text.n = before;
  else
    g->n++;
}

static size_t groups_views(const struct groups *g, struct ocf_bytes *out, size_t cap)
{
  const char *p = (const char *)g->text.p;
  size_t n = 0;
  for (; n < g->n && n < cap; n++) {
    out[n] = ocf_bytes(p, strlen(p));
    p += out[n].n + 1;
  }
  return n;
}

/* ---- telling the mesh ---- */

static bool offered(const struct offer *o)
{
  return ocf_service_health(o->sv) == OCF_SERVICE_WELL && (!o->wants_models || o->has_models);
}

/* At the start services answer their first check within moments: one record instead of two. */
static bool wait_for_first(struct ocf_node *n)
{
  uint64_t until = ocf_time_add(n->started_ns, FIRST_WAIT_MS * OCF_NS_PER_MS);
  bool unknown = false;
  OCF_LIST_FOREACH (it, &n->offers) {
    const struct offer *o = OCF_LIST_ENTRY(it, struct offer, link);
    enum ocf_service_health h = ocf_service_health(o->sv);
    unknown = unknown || h == OCF_SERVICE_UNKNOWN || (h == OCF_SERVICE_WELL && !offered(o));
  }
  if (!unknown || n->loop.now_ns >= until)
    return false;
  if (!ocf_timer_pending(&n->offers_later.timer))
    ocf_alarm_start(&n->loop, &n->offers_later, until - n->loop.now_ns);
  return true;
}

static void tell_later(struct ocf_alarm *a)
{
  ocf_node_offers_changed(OCF_CONTAINER_OF(a, struct ocf_node, offers_later));
}

static void tell(struct ocf_deferred *d)
{
  struct ocf_node *n = OCF_CONTAINER_OF(d, struct ocf_node, offers_changed);
  struct ocf_mesh_service v[OFFERS_MAX];
  struct ocf_bytes *groups;
  size_t count = 0;
  if (n->mesh == NULL || wait_for_first(n))
    return;
  groups = ocf_alloc_get(n->loop.alloc, OFFERS_MAX * GROUPS_MAX * sizeof(*groups));
  if (groups == NULL) {
    ocf_alarm_start(&n->loop, &n->offers_later, OCF_NS_PER_S);
    return;
  }
  OCF_LIST_FOREACH (it, &n->offers) {
    const struct offer *o = OCF_LIST_ENTRY(it, struct offer, link);
    struct ocf_bytes *g = groups + count * GROUPS_MAX;
    const struct ocf_endpoint *at = ocf_service_at(o->sv);
    if (!offered(o) || count == OFFERS_MAX)
      continue;
    size_t ng = groups_views(&o->given, g, GROUPS_MAX);
    ng += groups_views(&o->models, g + ng, GROUPS_MAX - ng);
    v[count++] = (struct ocf_mesh_service){ .name = ocf_service_name(o->sv),
                                            .host = "localhost",
                                            .port = at->ip.family != 0 ? at->ip.port : 0,
                                            .groups = g,
                                            .n_groups = ng };
  }
  int err = ocf_mesh_offer(n->mesh, v, count);
  if (err != 0)
    OCF_LOGF(n->loop.log, "registry", OCF_LOG_ERROR, "what this node offers cannot be told",
             OCF_LOG_ERR("why", err));
  if (err == OCF_ENOMEM)
    ocf_alarm_start(&n->loop, &n->offers_later, OCF_NS_PER_S);
  ocf_alloc_put(n->loop.alloc, groups, OFFERS_MAX * GROUPS_MAX * sizeof(*groups));
}

void ocf_node_offers_changed(struct ocf_node *n)
{
  ocf_defer(&n->loop, &n->offers_changed);
}

/* ---- models ---- */

/* Reads {"data":[{"id":"..."}]}: whatever else stands there is passed over. 0 or OCF_EINVAL. */
static int read_models(struct ocf_bytes body, struct groups *out)
{
  uint8_t text[OCF_RECORD_STR_MAX];
  struct ocf_jscan s;
  struct ocf_jscan_token t;
  bool in_data = false, is_id = false;
  int rc;
  ocf_jscan_init(&s, text, sizeof(text), OCF_JSCAN_DEPTH_DEFAULT);
  while ((rc = ocf_jscan_pull(&s, &body, &t)) > 0 && t.kind != OCF_JSCAN_END) {
    if (t.kind == OCF_JSCAN_KEY && t.depth == 1) {
      in_data = ocf_jscan_key_is(t.text, "data");
      if (!in_data)
        ocf_jscan_skip(&s);
    } else if (t.kind == OCF_JSCAN_KEY && t.depth == 3) {
      is_id = in_data && ocf_jscan_key_is(t.text, "id");
      if (!is_id)
        ocf_jscan_skip(&s);
    } else if (t.kind == OCF_JSCAN_STRING && is_id && t.depth == 3 && !t.truncated) {
      groups_add(out, OCF_STR("model="), t.text);
    }
  }
  return rc > 0 && ocf_jscan_is_blank(body) ? 0 : OCF_EINVAL;
}

static void ask_again(struct offer *o, uint64_t after_ns)
{
  ocf_alarm_start(&o->node->loop, &o->again, after_ns);
}

static void on_models(struct ocf_ask *a, unsigned status, struct ocf_bytes body, int err)
{
  struct offer *o = OCF_CONTAINER_OF(a, struct offer, ask);
  struct groups next;
  groups_init(&next, o->node->loop.alloc);
  bool ok = err == 0 && status == 200 && read_models(body, &next) == 0;
  if (ok) {
    struct groups old = o->models;
    o->models = next;
    next = old;
    o->has_models = true;
    ocf_node_offers_changed(o->node);
  } else {
    OCF_LOGF(o->node->loop.log, "registry", o->has_models ? OCF_LOG_DEBUG : OCF_LOG_WARN,
             "the service did not tell its models; asked again",
             OCF_LOG_STR("service", ocf_service_name(o->sv)), OCF_LOG_U64("status", status),
             OCF_LOG_ERR("why", err));
  }
  ocf_buf_fini(&next.text);
  ask_again(o, ok ? ocf_service_check_interval(o->sv) : MODELS_RETRY_MS * OCF_NS_PER_MS);
}

static void ask_models(struct ocf_alarm *alarm)
{
  struct offer *o = OCF_CONTAINER_OF(alarm, struct offer, again);
  if (ocf_service_health(o->sv) != OCF_SERVICE_WELL || ocf_ask_busy(&o->ask))
    return;
  if (ocf_ask_service(&o->ask, o->node->relay, o->sv, "/v1/models", MODELS_BODY_MAX,
                      MODELS_TIMEOUT_S * OCF_NS_PER_S) != 0)
    ask_again(o, MODELS_RETRY_MS * OCF_NS_PER_MS);
}

void ocf_node_on_health(void *ctx, struct ocf_service *sv)
{
  struct ocf_node *n = ctx;
  OCF_LIST_FOREACH (it, &n->offers) {
    struct offer *o = OCF_LIST_ENTRY(it, struct offer, link);
    if (o->sv != sv)
      continue;
    /* The engine may have come back with another model; until it tells, the old ones stand. */
    if (o->wants_models && ocf_service_health(sv) == OCF_SERVICE_WELL)
      ask_again(o, 0);
  }
  ocf_node_offers_changed(n);
}

/* ---- which ones there are ---- */

static struct offer *find(struct ocf_node *n, const struct ocf_service *sv)
{
  OCF_LIST_FOREACH (it, &n->offers) {
    struct offer *o = OCF_LIST_ENTRY(it, struct offer, link);
    if (o->sv == sv)
      return o;
  }
  return NULL;
}

static struct offer *offer_for(struct ocf_node *n, struct ocf_service *sv)
{
  struct offer *o = find(n, sv);
  if (o != NULL)
    return o;
  o = OCF_NEW(n->loop.alloc, struct offer);
  if (o == NULL)
    return NULL;
  o->node = n;
  o->sv = sv;
  o->ask.done = on_models;
  o->again.fire = ask_models;
  groups_init(&o->given, n->loop.alloc);
  groups_init(&o->models, n->loop.alloc);
  ocf_list_push_back(&n->offers, &o->link);
  return o;
}

/* A service that is there already moves; its pool of connections to the old place goes. */
static int ensure_service(struct ocf_node *n, const struct ocf_service_config *cfg,
                          struct ocf_service **out)
{
  struct ocf_bytes name = ocf_bytes(cfg->name, strlen(cfg->name));
  int r = 0;
  *out = ocf_relay_find_service(n->relay, name);
  if (*out != NULL)
    return ocf_service_move(*out, &cfg->at, cfg->host_header);
  r = ocf_relay_add_service(n->relay, cfg);
  *out = ocf_relay_find_service(n->relay, name);
  return r;
}

int ocf_node_add_service(struct ocf_node *n, const struct ocf_node_service *s)
{
  struct ocf_service *sv;
  int r = ensure_service(n, &s->relay, &sv);
  if (r != 0)
    return r;
  struct offer *o = offer_for(n, sv);
  if (o == NULL)
    return OCF_ENOMEM;
  ocf_buf_clear(&o->given.text);
  o->given.n = 0;
  for (size_t i = 0; i < s->n_groups; i++)
    groups_add(&o->given, ocf_bytes(NULL, 0), s->groups[i]);
  o->wants_models = s->ask_models;
  if (o->wants_models && ocf_service_health(sv) == OCF_SERVICE_WELL)
    ask_again(o, 0);
  ocf_node_offers_changed(n);
  return 0;
}

void ocf_node_offers_init(struct ocf_node *n)
{
  ocf_list_init(&n->offers);
  n->offers_changed.run = tell;
  n->offers_later.fire = tell_later;
}

/* Before the relay goes. */
void ocf_node_offers_free(struct ocf_node *n)
{
  OCF_LIST_FOREACH_SAFE (it, &n->offers) {
    struct offer *o = OCF_LIST_ENTRY(it, struct offer, link);
    ocf_ask_cancel(&o->ask);
    ocf_alarm_stop(&n->loop, &o->again);
    ocf_buf_fini(&o->given.text);
    ocf_buf_fini(&o->models.text);
    ocf_list_remove(it);
    OCF_DELETE(n->loop.alloc, o);
  }
  ocf_defer_cancel(&n->offers_changed);
  ocf_alarm_stop(&n->loop, &n->offers_later);
}
