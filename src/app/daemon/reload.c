/* SIGHUP: the configuration is loaded again, checked as a whole, and what may change without a
 * restart is applied to each plane in its own loop. */
#include <string.h>

#include "app/daemon/daemon_int.h"
#include "base/buf/buf.h"

enum { SHOWN_MAX = 4096 };

static const struct ocf_log *log_of(struct ocf_daemon *d)
{
  return &d->planes[0].log;
}

/* One log line for each line of `text`. */
static void log_lines(struct ocf_daemon *d, enum ocf_log_level level, const char *msg,
                      const char *text)
{
  while (*text != '\0') {
    size_t n = strcspn(text, "\n");
    OCF_LOGF(log_of(d), "config", level, msg, OCF_LOG_BYTES("text", ocf_bytes(text, n)));
    text += n + (text[n] == '\n' ? 1 : 0);
  }
}

static bool same_service(const struct ocf_conf_service *a, const struct ocf_conf_service *b)
{
  return strcmp(a->name, b->name) == 0 && strcmp(a->url, b->url) == 0 &&
         strcmp(a->health_path, b->health_path) == 0 &&
         a->health_interval_ns == b->health_interval_ns && a->health_failures == b->health_failures;
}

static bool same_services(const struct ocf_conf *a, const struct ocf_conf *b)
{
  bool same = a->n_services == b->n_services;
  for (size_t i = 0; same && i < a->n_services; i++)
    same = same_service(&a->services[i], &b->services[i]);
  return same;
}

/* After the swap `old` holds what was replaced. */
static void log_change(struct ocf_daemon *d, const struct ocf_conf *old, enum ocf_conf_opt o)
{
  struct ocf_buf was, is;
  ocf_buf_init(&was, d->conf->a, SHOWN_MAX);
  ocf_buf_init(&is, d->conf->a, SHOWN_MAX);
  int r = ocf_conf_show(old, o, &was);
  if (r == 0)
    r = ocf_conf_show(d->conf, o, &is);
  if (r != 0 || !ocf_bytes_eq(ocf_buf_view(&was), ocf_buf_view(&is)))
    OCF_LOGF(log_of(d), "config", OCF_LOG_INFO, "option changed",
             OCF_LOG_STR("option", ocf_conf_rows()[o].key),
             OCF_LOG_BYTES("from", ocf_buf_view(&was)), OCF_LOG_BYTES("to", ocf_buf_view(&is)));
  ocf_buf_fini(&was);
  ocf_buf_fini(&is);
}

/* In the plane's own loop. */
static void apply(void *arg)
{
  struct ocf_plane *p = arg;
  struct ocf_daemon *d = p->d;
  struct ocf_node_config cfg;
  if (p->node == NULL || p->draining)
    return;
  OCF_ASSERT(pthread_mutex_lock(&d->lock) == 0);
  ocf_setup_node(d->conf, &cfg);
  ocf_node_set_config(p->node, ocf_uv_now(), &cfg);
  p->log.level = OCF_LOG_INFO; /* a list without a bare level means the default one */
  int r = ocf_log_set_levels(&p->log, d->conf->log_level);
  OCF_ASSERT(r == 0); /* checked when it was loaded */
  ocf_daemon_bootstrap(p);
  r = ocf_daemon_tell_addrs(p);
  OCF_ASSERT(pthread_mutex_unlock(&d->lock) == 0);
  if (r != 0)
    OCF_LOGF(&p->log, "config", OCF_LOG_WARN, "our new addresses cannot be announced",
             OCF_LOG_ERR("err", r));
}

/* Whether all of `next` can be used, not only its form. */
static bool usable(struct ocf_daemon *d, const struct ocf_conf *next, struct ocf_setup_addrs *addrs)
{
  struct ocf_err e;
  if (ocf_setup_addrs(next, addrs, &e) == 0)
    return true;
  OCF_LOGF(log_of(d), "config", OCF_LOG_ERROR, "configuration not reloaded",
           OCF_LOG_STR("text", e.msg), OCF_LOG_STR("cure", e.cure));
  return false;
}

static void take_over(struct ocf_daemon *d, struct ocf_conf *next,
                      const struct ocf_setup_addrs *addrs, struct ocf_conf_report *r)
{
  bool services = same_services(d->conf, next);
  OCF_ASSERT(pthread_mutex_lock(&d->lock) == 0);
  size_t n = ocf_conf_reload(d->conf, next, r);
  memcpy(d->addrs.public_addrs, addrs->public_addrs, sizeof(addrs->public_addrs));
  d->addrs.n_public = addrs->n_public;
  OCF_ASSERT(pthread_mutex_unlock(&d->lock) == 0);
  OCF_LOGF(log_of(d), "config", OCF_LOG_INFO, "configuration reloaded", OCF_LOG_U64("changed", n),
           OCF_LOG_U64("need_restart", r->n_notes + (services ? 0 : 1)));
  for (int o = 0; o < OCF_CONF_OPT_N; o++) {
    if (ocf_conf_rows()[o].live)
      log_change(d, next, (enum ocf_conf_opt)o);
  }
  log_lines(d, OCF_LOG_WARN, "option needs a restart", r->notes);
  if (!services)
    OCF_LOGF(log_of(d), "config", OCF_LOG_WARN, "option needs a restart",
             OCF_LOG_STR("text", "services changed; restart the node to use the new ones"));
  for (size_t i = 0; i < d->n_planes; i++) {
    if (ocf_uv_post(d->planes[i].uv, apply, &d->planes[i]) != 0)
      OCF_LOGF(log_of(d), "config", OCF_LOG_ERROR, "out of memory: a plane keeps its old options",
               OCF_LOG_U64("plane", i));
  }
}

void ocf_daemon_reload(struct ocf_daemon *d)
{
  struct ocf_conf_report r;
  struct ocf_setup_addrs addrs;
  struct ocf_conf next = { .a = NULL };
  const struct ocf_daemon_info *in = d->info;
  int err = ocf_conf_load(&next, d->conf->a, in->env, in->args, in->n_args, &r);
  if (err != 0) {
    log_lines(d, OCF_LOG_ERROR, "configuration not reloaded",
              r.errors[0] != '\0' ? r.errors : ocf_strerror(err));
  } else {
    log_lines(d, OCF_LOG_WARN, "note", r.notes);
    if (usable(d, &next, &addrs))
      take_over(d, &next, &addrs, &r);
  }
  ocf_conf_fini(&next);
}
