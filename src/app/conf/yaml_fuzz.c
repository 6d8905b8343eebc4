/* A configuration file of any bytes. Oracle: a load succeeds, or fails with a message; a loaded
 * configuration holds its own invariants and, printed and read again, is the same. */
#include <string.h>

#include "app/conf/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);

static struct ocf_conf_report report;

static void check_value(const struct ocf_conf *c, struct ocf_alloc *a, enum ocf_conf_opt o)
{
  const struct ocf_conf_row *row = &ocf_conf_rows()[o];
  const char *home = c->home;
  struct ocf_buf b;
  struct ocf_conf again = { .a = a };
  char want[256];
  struct ocf_fmt f;
  ocf_fmt_init(&f, want, sizeof(want));
  ocf_buf_init(&b, a, 4u << 20);
  OCF_ASSERT(ocf_conf_show(c, o, &b) == 0);
  if (b.n > 0 && row->type != OCF_CONF_T_SECRET) {
    OCF_ASSERT(ocf_conf_set(a, row, &again, ocf_buf_view(&b), home, &f) == 0);
    OCF_ASSERT(row->type == OCF_CONF_T_LIST || ocf_conf_same(row, c, &again));
  }
  ocf_conf_clear(a, row, &again);
  ocf_buf_fini(&b);
}

static void check(const struct ocf_conf *c, struct ocf_alloc *a)
{
  OCF_ASSERT(c->listen.n >= 1 && c->listen.n <= OCF_CONF_LIST_MAX);
  OCF_ASSERT(c->n_services <= OCF_CONF_SERVICES_MAX);
  OCF_ASSERT(c->p2p_conn_low <= c->p2p_conn_high);
  for (size_t i = 0; i < c->n_services; i++) {
    const struct ocf_conf_service *s = &c->services[i];
    OCF_ASSERT(s->name[0] != '\0' && strchr(s->name, '/') == NULL);
    OCF_ASSERT((s->unix_path[0] == '/') != (s->host[0] != '\0' && s->port != 0));
    OCF_ASSERT(s->health_path[0] == '/' && s->health_interval_ns > 0 && s->health_failures > 0);
  }
  for (int i = 0; i < OCF_CONF_OPT_N; i++)
    check_value(c, a, (enum ocf_conf_opt)i);
}

int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n)
{
  static const char *const env[] = { "HOME=/h", NULL };
  struct ocf_conf_input in = { ocf_bytes(d, n), "cfg.yaml", env, NULL, 0 };
  struct ocf_alloc a;
  struct ocf_conf c;
  ocf_alloc_init(&a);
  int err = ocf_conf_parse(&c, &a, &in, &report);
  OCF_ASSERT(err == 0 || err == OCF_EINVAL);
  OCF_ASSERT((err == 0) == (report.n_errors == 0));
  OCF_ASSERT(err == 0 || report.errors[0] != '\0');
  if (err == 0)
    check(&c, &a);
  ocf_conf_fini(&c);
  OCF_ASSERT(a.live_bytes == 0);
  return 0;
}
