/* The services of this node, and whether they are well. */
#include <stdio.h>
#include <string.h>

#include "node/relay/relay_int.h"

enum { PROBE_TIMEOUT_S = 5, EAGER_MS = 250 };

static struct ocf_relay *relay_of(const struct ocf_service *sv)
{
  return sv->target.relay;
}

static void set_health(struct ocf_service *sv, enum ocf_service_health h)
{
  if (sv->health == h)
    return;
  sv->health = h;
  if (relay_of(sv)->on_health != NULL)
    ocf_defer(relay_of(sv)->loop, &sv->changed);
  struct ocf_metrics *m = relay_of(sv)->loop->metrics;
  ocf_metric_set3(m, OCF_METRIC_SERVICE_UP, sv->label, 0, 0, h == OCF_SERVICE_WELL ? 1 : 0);
  OCF_LOGF(relay_of(sv)->loop->log, "service", h == OCF_SERVICE_WELL ? OCF_LOG_INFO : OCF_LOG_WARN,
           h == OCF_SERVICE_WELL ? "service is well" : "service is unwell",
           OCF_LOG_STR("service", sv->name), OCF_LOG_STR("at", sv->target.host));
}

/* Until a service has answered well once it is asked often: a node and its engine start together.
 * So is one that cannot be reached, since each request to it is lost. */
static void again_later(struct ocf_service *sv)
{
  uint64_t after = sv->health_interval_ns;
  if (sv->health != OCF_SERVICE_WELL || sv->doubted)
    after = OCF_MIN(after, EAGER_MS * OCF_NS_PER_MS);
  ocf_alarm_start(relay_of(sv)->loop, &sv->alarm, after);
}

static void tell_health(struct ocf_deferred *d)
{
  struct ocf_service *sv = OCF_CONTAINER_OF(d, struct ocf_service, changed);
  relay_of(sv)->on_health(relay_of(sv)->health_ctx, sv);
}

static void checked(struct ocf_service *sv, unsigned status, int err)
{
  struct ocf_metrics *m = relay_of(sv)->loop->metrics;
  bool ok = status >= 200 && status < 300;
  unsigned result = ok                 ? OCF_METRIC_CHECK_OK
                    : status != 0      ? OCF_METRIC_CHECK_STATUS
                    : err == OCF_ETIME ? OCF_METRIC_CHECK_TIMEOUT
                                       : OCF_METRIC_CHECK_CONNECT;
  ocf_metric_inc2(m, OCF_METRIC_SERVICE_CHECKS, sv->label, result);
  sv->n_failures = ok ? 0 : sv->n_failures + 1;
  sv->doubted = !ok && (sv->doubted || result == OCF_METRIC_CHECK_CONNECT);
  if (ok)
    set_health(sv, OCF_SERVICE_WELL);
  else if (sv->n_failures >= sv->failures_max)
    set_health(sv, OCF_SERVICE_UNWELL);
  again_later(sv);
}

static void on_checked(struct ocf_ask *a, unsigned status, struct ocf_bytes body, int err)
{
  (void)body;
  checked(OCF_CONTAINER_OF(a, struct ocf_service, check), status, err);
}

void ocf_relay_service_doubt(struct ocf_service *sv)
{
  struct ocf_loop *l = relay_of(sv)->loop;
  if (sv->health_path[0] == '\0' || sv->doubted)
    return;
  sv->doubted = true;
  if (!ocf_ask_busy(&sv->check))
    ocf_alarm_start(l, &sv->alarm, OCF_MIN(sv->health_interval_ns, EAGER_MS * OCF_NS_PER_MS));
}

static void on_alarm(struct ocf_alarm *a)
{
  struct ocf_service *sv = OCF_CONTAINER_OF(a, struct ocf_service, alarm);
  int r = ocf_ask_service(&sv->check, relay_of(sv), sv, sv->health_path, 0,
                          PROBE_TIMEOUT_S * OCF_NS_PER_S);
  if (r != 0)
    checked(sv, 0, r);
}

int ocf_relay_add_service(struct ocf_relay *r, const struct ocf_service_config *cfg)
{
  struct ocf_bytes name = ocf_bytes(cfg->name, strlen(cfg->name));
  if (name.n == 0 || name.n > 64 || strlen(cfg->health_path) > 256 ||
      strlen(cfg->host_header) >= sizeof(((struct target *)0)->host))
    return OCF_EINVAL;
  if (ocf_relay_find_service(r, name) != NULL)
    return OCF_EEXIST;
  struct ocf_service *sv = OCF_NEW(r->loop->alloc, struct ocf_service);
  if (sv == NULL)
    return OCF_ENOMEM;
  ocf_relay_target_init(&sv->target, r);
  sv->target.service = sv;
  (void)snprintf(sv->target.host, sizeof(sv->target.host), "%s", cfg->host_header);
  (void)snprintf(sv->name, sizeof(sv->name), "%s", cfg->name);
  (void)snprintf(sv->health_path, sizeof(sv->health_path), "%s", cfg->health_path);
  sv->at = cfg->at;
  sv->label = ocf_metrics_label(r->loop->metrics, OCF_METRIC_SET_SERVICE, sv->name);
  sv->health_interval_ns = cfg->health_interval_ns;
  sv->failures_max = cfg->health_failures > 0 ? cfg->health_failures : 1;
  sv->alarm.fire = on_alarm;
  sv->check.done = on_checked;
  sv->changed.run = tell_health;
  ocf_list_push_back(&r->services, &sv->link);
  if (sv->health_path[0] == '\0')
    set_health(sv, OCF_SERVICE_WELL);
  else
    ocf_alarm_start(r->loop, &sv->alarm, 0);
  return 0;
}

struct ocf_service *ocf_relay_find_service(struct ocf_relay *r, struct ocf_bytes name)
{
  OCF_LIST_FOREACH (n, &r->services) {
    struct ocf_service *sv = OCF_LIST_ENTRY(n, struct ocf_service, link);
    if (ocf_bytes_eq(name, ocf_bytes(sv->name, strlen(sv->name))))
      return sv;
  }
  return NULL;
}

struct ocf_service *ocf_relay_next_service(struct ocf_relay *r, struct ocf_service *after)
{
  struct ocf_list *n = after == NULL ? r->services.next : after->link.next;
  return n == &r->services ? NULL : OCF_LIST_ENTRY(n, struct ocf_service, link);
}

const char *ocf_service_name(const struct ocf_service *s)
{
  return s->name;
}

const struct ocf_endpoint *ocf_service_at(const struct ocf_service *s)
{
  return &s->at;
}

uint64_t ocf_service_check_interval(const struct ocf_service *s)
{
  return s->health_interval_ns;
}

int ocf_service_move(struct ocf_service *s, const struct ocf_endpoint *at, const char *host)
{
  if (strlen(host) >= sizeof(s->target.host))
    return OCF_EINVAL;
  (void)snprintf(s->target.host, sizeof(s->target.host), "%s", host);
  s->at = *at;
  ocf_relay_upstream_close_idle(&s->target);
  return 0;
}

void ocf_relay_on_health(struct ocf_relay *r, ocf_service_health_fn fn, void *ctx)
{
  r->on_health = fn;
  r->health_ctx = ctx;
}

enum ocf_service_health ocf_service_health(const struct ocf_service *s)
{
  return s->health;
}

void ocf_relay_service_free_all(struct ocf_relay *r)
{
  OCF_LIST_FOREACH_SAFE (n, &r->services) {
    struct ocf_service *sv = OCF_LIST_ENTRY(n, struct ocf_service, link);
    ocf_alarm_stop(r->loop, &sv->alarm);
    ocf_defer_cancel(&sv->changed);
    ocf_list_remove(n);
    OCF_DELETE(r->loop->alloc, sv);
  }
}
