#include "app/conf/internal.h"

#include <string.h>

#include "base/str/str.h"

/* ---- values from a place ---- */

int ocf_conf_take(struct ocf_conf_load *l, enum ocf_conf_opt o, struct ocf_bytes text,
                  const struct ocf_conf_place *p)
{
  struct ocf_conf *c = l->c;
  const struct ocf_conf_row *row = &ocf_conf_rows()[o];
  struct ocf_conf_quote q;
  char want[256];
  struct ocf_fmt f;
  if (row->type == OCF_CONF_T_LIST && c->origin[o].source != p->source)
    ocf_conf_clear(c->a, row, c);
  ocf_fmt_init(&f, want, sizeof(want));
  int err = text.n == 0 ? ocf_conf_set_default(c->a, row, c, l->home)
                        : ocf_conf_set(c->a, row, c, text, l->home, &f);
  c->origin[o].source = (uint8_t)p->source;
  c->origin[o].line = (uint32_t)p->line;
  if (err != OCF_EINVAL)
    return err;
  bool kubernetes = p->source == OCF_CONF_ENV && ocf_str_starts(text, OCF_STR("tcp://"));
  ocf_conf_error(l->r, p, "%s%sexpected %s, got %s%s", p->source == OCF_CONF_FILE ? row->key : "",
                 p->source == OCF_CONF_FILE ? ": " : "", want,
                 row->type == OCF_CONF_T_SECRET ? "something else" : ocf_conf_quote(&q, text),
                 kubernetes ? " (Kubernetes sets this variable for a Service of that name: rename "
                              "the Service or set enableServiceLinks: false)"
                            : "");
  return 0;
}

void ocf_conf_take_ignored(struct ocf_conf_load *l, const struct ocf_conf_ignored *row,
                           struct ocf_bytes text)
{
  bool section = strchr(row->key, '*') != NULL;
  if (text.n == 0 || (!section && ocf_str_is(text, row->def)))
    return;
  for (size_t i = 0; i < l->n_ignored; i++)
    if (l->ignored[i].key == row->key)
      return;
  if (l->n_ignored == OCF_ARRAY_LEN(l->ignored))
    return;
  l->ignored[l->n_ignored++].key = row->key;
  ocf_conf_note(l->r, "%s is accepted and has no effect: %s", row->key, row->why);
}

void ocf_conf_unknown(struct ocf_conf_load *l, const char *what, struct ocf_bytes key,
                      const char *shown, const struct ocf_conf_place *p)
{
  const char *near = ocf_conf_nearest(key);
  struct ocf_conf_quote q;
  struct ocf_conf_place nowhere = { OCF_CONF_DEFAULT, NULL, 0 };
  if (near != NULL)
    ocf_conf_error(l->r, p->source == OCF_CONF_FLAG ? &nowhere : p,
                   "unknown %s %s; did you mean \"%s%s\"?", what,
                   shown[0] != '\0' ? shown : ocf_conf_quote(&q, key),
                   p->source == OCF_CONF_FLAG ? "--" : "", near);
  else
    ocf_conf_error(l->r, p->source == OCF_CONF_FLAG ? &nowhere : p,
                   "unknown %s %s; \"ocf start --help\" lists the options", what,
                   shown[0] != '\0' ? shown : ocf_conf_quote(&q, key));
}

static int take_found(struct ocf_conf_load *l, const struct ocf_conf_found *f,
                      struct ocf_bytes text, const struct ocf_conf_place *p)
{
  OCF_ASSERT(f->kind != OCF_CONF_UNKNOWN);
  if (f->kind == OCF_CONF_OPTION)
    return ocf_conf_take(l, f->opt, text, p);
  if (f->kind == OCF_CONF_SERVICES)
    return ocf_conf_services_text(l, text, p);
  ocf_conf_take_ignored(l, f->ignored, text);
  return 0;
}

/* ---- environment ---- */

static struct ocf_bytes env_get(const char *const *env, const char *name)
{
  size_t n = strlen(name);
  for (; env != NULL && *env != NULL; env++)
    if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
      return ocf_str(*env + n + 1);
  return ocf_bytes("", 0);
}

/* One variable that begins with the prefix. Empty ones count as not set. */
static int take_env(struct ocf_conf_load *l, struct ocf_bytes entry, size_t n_prefix)
{
  size_t eq = ocf_str_find(entry, '=');
  char name[OCF_CONF_KEY_MAX];
  struct ocf_fmt f;
  struct ocf_conf_quote q;
  if (eq <= n_prefix || eq + 1 >= entry.n)
    return 0;
  struct ocf_conf_found found = ocf_conf_find(ocf_bytes(entry.p + n_prefix, eq - n_prefix), true);
  if (found.kind == OCF_CONF_UNKNOWN) {
    ocf_conf_note(l->r, "environment variable %s is not an option of ocf",
                  ocf_conf_quote(&q, ocf_bytes(entry.p, eq)));
    return 0;
  }
  ocf_fmt_init(&f, name, sizeof(name));
  ocf_fmt_bytes(&f, entry.p, eq);
  struct ocf_conf_place p = { OCF_CONF_ENV, name, 0 };
  struct ocf_bytes value = ocf_bytes(entry.p + eq + 1, entry.n - eq - 1);
  if (found.kind == OCF_CONF_OPTION && l->c->origin[found.opt].source == OCF_CONF_ENV)
    l->c->origin[found.opt].source = OCF_CONF_DEFAULT; /* OCF_ after OF_: a list is replaced */
  if (found.kind == OCF_CONF_SERVICES && l->services_from == OCF_CONF_ENV)
    l->services_from = OCF_CONF_DEFAULT;
  return take_found(l, &found, value, &p);
}

static int read_env(struct ocf_conf_load *l, const char *const *env)
{
  static const char *const prefixes[] = { "OF_", "OCF_" };
  int err = 0;
  for (size_t pass = 0; pass < OCF_ARRAY_LEN(prefixes); pass++)
    for (const char *const *e = env; err == 0 && e != NULL && *e != NULL; e++)
      if (ocf_str_starts(ocf_str(*e), ocf_str(prefixes[pass])))
        err = take_env(l, ocf_str(*e), strlen(prefixes[pass]));
  return err;
}

/* ---- flags ---- */

static enum ocf_conf_type type_of(const struct ocf_conf_found *f)
{
  if (f->kind == OCF_CONF_OPTION)
    return ocf_conf_rows()[f->opt].type;
  return f->kind == OCF_CONF_IGNORED ? f->ignored->type : OCF_CONF_T_STR;
}

/* A flag's name and value, as they stand in the arguments. */
struct flag {
  struct ocf_bytes name, value;
  bool has_value, no; /* no: --no-<name> */
  struct ocf_conf_found found;
};

static void find_flag(struct flag *f)
{
  f->found = ocf_conf_find(f->name, false);
  if (f->found.kind != OCF_CONF_UNKNOWN || !ocf_str_starts(f->name, OCF_STR("no-")))
    return;
  struct ocf_bytes rest = ocf_bytes(f->name.p + 3, f->name.n - 3);
  struct ocf_conf_found found = ocf_conf_find(rest, false);
  if (found.kind != OCF_CONF_UNKNOWN && type_of(&found) == OCF_CONF_T_BOOL) {
    f->found = found;
    f->name = rest;
    f->no = true;
  }
}

static int take_flag(struct ocf_conf_load *l, const struct flag *f)
{
  char name[OCF_CONF_KEY_MAX];
  struct ocf_fmt fmt;
  ocf_fmt_init(&fmt, name, sizeof(name));
  ocf_fmt_bytes(&fmt, f->name.p, f->name.n);
  struct ocf_conf_place p = { OCF_CONF_FLAG, name, 0 };
  if (f->no && f->has_value) {
    ocf_conf_error(l->r, &p, "--no-%s takes no value", name);
    return 0;
  }
  struct ocf_bytes value = f->value;
  if (!f->has_value)
    value = f->no ? OCF_STR("false") : OCF_STR("true");
  return take_found(l, &f->found, value, &p);
}

/* Reads the argument at `*i` and the value after it where the flag needs one. */
static int read_arg(struct ocf_conf_load *l, const char *const *args, size_t n_args, size_t *i)
{
  struct ocf_bytes arg = ocf_str(args[*i]);
  struct flag f = { .name = arg };
  struct ocf_conf_place p = { OCF_CONF_FLAG, NULL, 0 };
  struct ocf_conf_quote q;
  if (!ocf_str_starts(arg, OCF_STR("--")) || arg.n == 2) {
    ocf_conf_error(l->r, &p, "unexpected argument %s; options are written --name=value",
                   ocf_conf_quote(&q, arg));
    return 0;
  }
  size_t eq = ocf_str_find(arg, '=');
  f.name = ocf_bytes(arg.p + 2, OCF_MAX(eq, (size_t)2) - 2);
  f.has_value = eq < arg.n;
  if (f.has_value)
    f.value = ocf_bytes(arg.p + eq + 1, arg.n - eq - 1);
  find_flag(&f);
  if (f.found.kind == OCF_CONF_UNKNOWN) {
    ocf_conf_unknown(l, "option", f.name, ocf_conf_quote(&q, ocf_bytes(arg.p, eq)), &p);
    /* Its value, if the next argument is one, would only be a second error. */
    if (!f.has_value && *i + 1 < n_args && strncmp(args[*i + 1], "--", 2) != 0)
      ++*i;
    return 0;
  }
  if (!f.has_value && type_of(&f.found) != OCF_CONF_T_BOOL) {
    if (*i + 1 >= n_args || strncmp(args[*i + 1], "--", 2) == 0) {
      ocf_conf_error(l->r, &p, "%s needs a value", ocf_conf_quote(&q, arg));
      return 0;
    }
    f.has_value = true;
    f.value = ocf_str(args[++*i]);
  }
  return take_flag(l, &f);
}

/* ---- what follows from the values ---- */

static int set_derived(struct ocf_conf *c, char **field, const char *base, const char *tail)
{
  char path[2 * OCF_CONF_VALUE_MAX];
  struct ocf_fmt f;
  if ((*field)[0] != '\0')
    return 0;
  ocf_fmt_init(&f, path, sizeof(path));
  ocf_fmt_str(&f, base);
  ocf_fmt_str(&f, tail);
  char *copy = ocf_conf_strdup(c->a, ocf_fmt_view(&f));
  if (copy == NULL)
    return OCF_ENOMEM;
  ocf_conf_strfree(c->a, *field);
  *field = copy;
  return 0;
}

/* <$var>/ocf, or ~/<fallback>/ocf; the XDG specification wants relative values ignored. */
static int derive_dir(struct ocf_conf *c, char **field, const char *const *env, const char *var,
                      const char *fallback)
{
  char base[OCF_CONF_VALUE_MAX];
  struct ocf_fmt f;
  struct ocf_bytes xdg = env_get(env, var);
  ocf_fmt_init(&f, base, sizeof(base));
  if (xdg.n > 0 && xdg.p[0] == '/') {
    ocf_fmt_bytes(&f, xdg.p, xdg.n);
  } else {
    ocf_fmt_str(&f, c->home);
    ocf_fmt_str(&f, fallback);
  }
  return set_derived(c, field, base, "/ocf");
}

static int derive_listen(struct ocf_conf *c)
{
  static const char *const any[] = { "/ip4/0.0.0.0/tcp/", "/ip6/::/tcp/" };
  char text[64];
  int err = 0;
  if (c->listen.n > 0)
    return 0;
  c->origin[OCF_CONF_OPT_listen].source = OCF_CONF_DEFAULT; /* an empty list was given, if any */
  for (size_t i = 0; err == 0 && i < OCF_ARRAY_LEN(any); i++) {
    struct ocf_fmt f;
    ocf_fmt_init(&f, text, sizeof(text));
    ocf_fmt_str(&f, any[i]);
    ocf_fmt_u64(&f, c->tcpport);
    err = ocf_conf_list_add(c->a, &c->listen, ocf_fmt_view(&f));
  }
  return err;
}

/* What else a bootstrap peer may be given as; registry/bootlist reads it. */
static bool is_source(struct ocf_bytes s)
{
  return ocf_str_starts_nocase(s, OCF_STR("http://")) ||
         ocf_str_starts_nocase(s, OCF_STR("https://")) ||
         ocf_str_starts_nocase(s, OCF_STR("dnsaddr://")) || s.p[0] == '[' || s.p[0] == '{';
}

static void check_prefix(struct ocf_conf_load *l, enum ocf_conf_opt o,
                         const struct ocf_conf_list *v, bool urls)
{
  struct ocf_conf_quote q;
  char where[OCF_CONF_KEY_MAX + 32];
  for (size_t i = 0; i < v->n; i++) {
    struct ocf_bytes s = ocf_str(v->v[i]);
    bool ok = s.p[0] == '/' || (urls && is_source(s));
    if (!ok)
      ocf_conf_error(l->r, NULL, "%s: expected a multiaddr such as %s%s, got %s",
                     ocf_conf_where(l->c, o, where, sizeof(where)),
                     urls ? "/ip4/192.0.2.1/tcp/43905/p2p/12D3..." : "/ip4/0.0.0.0/tcp/43905",
                     urls ? ", a URL, dnsaddr://host, or a JSON array" : "", ocf_conf_quote(&q, s));
  }
}

static void check_order(struct ocf_conf_load *l, uint64_t low, uint64_t high, enum ocf_conf_opt a,
                        enum ocf_conf_opt b)
{
  char where[OCF_CONF_KEY_MAX + 32];
  if (low > high)
    ocf_conf_error(l->r, NULL, "%s: %s must not be more than %s",
                   ocf_conf_where(l->c, a, where, sizeof(where)), ocf_conf_rows()[a].key,
                   ocf_conf_rows()[b].key);
}

static void check_together(struct ocf_conf_load *l)
{
  struct ocf_conf *c = l->c;
  char where[OCF_CONF_KEY_MAX + 32];
  struct ocf_conf_quote q;
  check_prefix(l, OCF_CONF_OPT_listen, &c->listen, false);
  check_prefix(l, OCF_CONF_OPT_bootstrap_static, &c->bootstrap_static, true);
  check_prefix(l, OCF_CONF_OPT_bootstrap_source, &c->bootstrap_source, true);
  check_prefix(l, OCF_CONF_OPT_bootstrap_addr, &c->bootstrap_addr, true);
  check_order(l, c->p2p_conn_low, c->p2p_conn_high, OCF_CONF_OPT_p2p_conn_low,
              OCF_CONF_OPT_p2p_conn_high);
  check_order(l, c->p2p_redial_min_ns, c->p2p_redial_max_ns, OCF_CONF_OPT_p2p_redial_min_ns,
              OCF_CONF_OPT_p2p_redial_max_ns);
  check_order(l, c->http_target_bytes_max, c->http_header_bytes_max,
              OCF_CONF_OPT_http_target_bytes_max, OCF_CONF_OPT_http_header_bytes_max);
  check_order(l, c->p2p_stream_window_bytes, c->p2p_conn_window_bytes,
              OCF_CONF_OPT_p2p_stream_window_bytes, OCF_CONF_OPT_p2p_conn_window_bytes);
  if (c->service_health_path[0] != '/')
    ocf_conf_error(l->r, NULL, "%s: expected a path that begins with /, got %s",
                   ocf_conf_where(c, OCF_CONF_OPT_service_health_path, where, sizeof(where)),
                   ocf_conf_quote(&q, ocf_str(c->service_health_path)));
}

static int derive_paths(struct ocf_conf *c, const char *const *env)
{
  int err = derive_dir(c, &c->config_dir, env, "XDG_CONFIG_HOME", "/.config");
  if (err == 0)
    err = set_derived(c, &c->config, c->config_dir, "/cfg.yaml");
  return err != 0 ? err : derive_dir(c, &c->datadir, env, "XDG_DATA_HOME", "/.local/share");
}

static int finish(struct ocf_conf_load *l)
{
  int err = derive_listen(l->c);
  if (err == 0)
    err = ocf_conf_services_finish(l);
  if (err == 0)
    check_together(l);
  return err;
}

/* ---- a whole load ---- */

static int set_defaults(struct ocf_conf *c)
{
  int err = 0;
  for (size_t i = 0; err == 0 && i < OCF_CONF_OPT_N; i++)
    err = ocf_conf_set_default(c->a, &ocf_conf_rows()[i], c, c->home);
  return err;
}

static int read_all(struct ocf_conf_load *l, const struct ocf_conf_input *in)
{
  struct ocf_conf *c = l->c;
  c->home = ocf_conf_strdup(c->a, env_get(in->env, "HOME"));
  c->file_name = ocf_conf_strdup(c->a, ocf_str(in->yaml_name != NULL ? in->yaml_name : ""));
  if (c->home == NULL || c->file_name == NULL)
    return OCF_ENOMEM;
  l->home = c->home;
  int err = set_defaults(c);
  if (err == 0 && in->yaml_name != NULL)
    err = ocf_conf_read_yaml(l, in->yaml, in->yaml_name);
  if (err == 0)
    err = read_env(l, in->env);
  for (size_t i = 0; err == 0 && i < in->n_args; i++)
    err = read_arg(l, in->args, in->n_args, &i);
  return err != 0 ? err : derive_paths(c, in->env);
}

static void report_init(struct ocf_conf_report *r)
{
  r->errors[0] = r->notes[0] = '\0';
  r->n_errors = r->n_notes = 0;
}

int ocf_conf_parse(struct ocf_conf *c, struct ocf_alloc *a, const struct ocf_conf_input *in,
                   struct ocf_conf_report *r)
{
  struct ocf_conf_load l = { .c = c, .r = r, .home = "" };
  memset(c, 0, sizeof(*c));
  c->a = a;
  report_init(r);
  int err = read_all(&l, in);
  if (err == 0)
    err = finish(&l);
  if (err == 0 && r->n_errors > 0)
    err = OCF_EINVAL;
  if (err != 0)
    ocf_conf_fini(c);
  return err;
}

int ocf_conf_parse_paths(struct ocf_conf *c, struct ocf_alloc *a, const struct ocf_conf_input *in,
                         struct ocf_conf_report *r)
{
  struct ocf_conf_load l = { .c = c, .r = r, .home = "" };
  memset(c, 0, sizeof(*c));
  c->a = a;
  report_init(r);
  int err = read_all(&l, in);
  if (err != 0)
    ocf_conf_fini(c);
  return err;
}

void ocf_conf_fini(struct ocf_conf *c)
{
  if (c->a == NULL)
    return;
  for (size_t i = 0; i < OCF_CONF_OPT_N; i++)
    ocf_conf_clear(c->a, &ocf_conf_rows()[i], c);
  ocf_conf_services_clear(c);
  ocf_conf_strfree(c->a, c->home);
  ocf_conf_strfree(c->a, c->file_name);
  memset(c, 0, sizeof(*c));
}

/* ---- about a finished one ---- */

const char *ocf_conf_where(const struct ocf_conf *c, enum ocf_conf_opt o, char *dst, size_t cap)
{
  const char *key = ocf_conf_rows()[o].key;
  char name[OCF_CONF_KEY_MAX];
  struct ocf_fmt f;
  ocf_fmt_init(&f, dst, cap);
  switch ((enum ocf_conf_source)c->origin[o].source) {
  case OCF_CONF_DEFAULT: ocf_fmt_printf(&f, "the default of %s", key); break;
  case OCF_CONF_FILE: ocf_fmt_printf(&f, "%s:%u", c->file_name, (unsigned)c->origin[o].line); break;
  case OCF_CONF_ENV:
    ocf_conf_env_name("OCF_", key, name, sizeof(name));
    ocf_fmt_str(&f, name);
    break;
  case OCF_CONF_FLAG: ocf_fmt_printf(&f, "--%s", key); break;
  }
  return dst;
}

int ocf_conf_show(const struct ocf_conf *c, enum ocf_conf_opt o, struct ocf_buf *out)
{
  return ocf_conf_print(&ocf_conf_rows()[o], c, out);
}

size_t ocf_conf_reload(struct ocf_conf *c, struct ocf_conf *next, struct ocf_conf_report *r)
{
  size_t n_changed = 0;
  report_init(r);
  for (size_t i = 0; i < OCF_CONF_OPT_N; i++) {
    const struct ocf_conf_row *row = &ocf_conf_rows()[i];
    if (ocf_conf_same(row, c, next))
      continue;
    if (!row->live) {
      ocf_conf_note(r, "%s changed; restart the node to use the new value", row->key);
      continue;
    }
    ocf_conf_swap(row, c, next);
    c->origin[i] = next->origin[i];
    n_changed++;
  }
  return n_changed;
}
