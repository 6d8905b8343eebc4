/* The `services` list: entries from a file, a flag or the environment, and their checks. */
#include "app/conf/internal.h"

#include <string.h>

#include "base/str/str.h"

enum { NAME_MAX_BYTES = 64, UNIX_PATH_MAX_BYTES = 107 };

static const struct ocf_conf_row *find_row(struct ocf_bytes key)
{
  size_t n;
  const struct ocf_conf_row *rows = ocf_conf_service_rows(&n);
  for (size_t i = 0; i < n; i++)
    if (ocf_str_is(key, rows[i].key))
      return &rows[i];
  return NULL;
}

static void service_fini(struct ocf_alloc *a, struct ocf_conf_service *s)
{
  size_t n;
  const struct ocf_conf_row *rows = ocf_conf_service_rows(&n);
  for (size_t i = 0; i < n; i++)
    ocf_conf_clear(a, &rows[i], s);
  ocf_conf_strfree(a, s->host);
  ocf_conf_strfree(a, s->unix_path);
}

void ocf_conf_services_clear(struct ocf_conf *c)
{
  for (size_t i = 0; i < c->n_services; i++)
    service_fini(c->a, &c->services[i]);
  ocf_alloc_put(c->a, c->services, c->n_services * sizeof(*c->services));
  c->services = NULL;
  c->n_services = 0;
}

static int service_init(struct ocf_alloc *a, struct ocf_conf_service *s)
{
  size_t n;
  const struct ocf_conf_row *rows = ocf_conf_service_rows(&n);
  int err = 0;
  memset(s, 0, sizeof(*s));
  for (size_t i = 0; err == 0 && i < n; i++)
    err = ocf_conf_set_default(a, &rows[i], s, "");
  s->host = ocf_conf_strdup(a, OCF_STR(""));
  s->unix_path = ocf_conf_strdup(a, OCF_STR(""));
  return err != 0 || s->host == NULL || s->unix_path == NULL ? OCF_ENOMEM : 0;
}

struct ocf_conf_service *ocf_conf_service_add(struct ocf_conf_load *l,
                                              const struct ocf_conf_place *p, int *err)
{
  struct ocf_conf *c = l->c;
  *err = 0;
  if (l->services_from != p->source) { /* a higher place replaces the whole list */
    ocf_conf_services_clear(c);
    l->services_from = p->source;
  }
  if (c->n_services >= OCF_CONF_SERVICES_MAX) {
    ocf_conf_error(l->r, p, "more than %d services", OCF_CONF_SERVICES_MAX);
    return NULL;
  }
  size_t size = sizeof(*c->services);
  struct ocf_conf_service *v =
      ocf_alloc_resize(c->a, c->services, c->n_services * size, (c->n_services + 1) * size);
  *err = OCF_ENOMEM;
  if (v == NULL)
    return NULL;
  c->services = v;
  c->n_services++; /* the half-built entry is freed with the rest */
  *err = service_init(c->a, &v[c->n_services - 1]);
  return *err == 0 ? &v[c->n_services - 1] : NULL;
}

int ocf_conf_service_take(struct ocf_conf_load *l, struct ocf_conf_service *s, struct ocf_bytes key,
                          struct ocf_bytes text, const struct ocf_conf_place *p)
{
  const struct ocf_conf_row *row = find_row(key);
  struct ocf_conf_quote q;
  char want[256];
  struct ocf_fmt f;
  if (row == NULL) {
    const char *near = ocf_conf_nearest_service_key(key);
    ocf_conf_error(l->r, p, "unknown key %s in an entry of services%s%s%s", ocf_conf_quote(&q, key),
                   near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
    return 0;
  }
  if (text.n == 0)
    return 0;
  ocf_fmt_init(&f, want, sizeof(want));
  int err = ocf_conf_set(l->c->a, row, s, text, l->home, &f);
  if (err == OCF_EINVAL)
    ocf_conf_error(l->r, p, "%s: expected %s, got %s", row->key, want, ocf_conf_quote(&q, text));
  return err == OCF_ENOMEM ? err : 0;
}

/* "key=value,key=value" */
static int one_text(struct ocf_conf_load *l, struct ocf_bytes text, const struct ocf_conf_place *p)
{
  struct ocf_bytes part;
  struct ocf_conf_quote q;
  int err = 0;
  struct ocf_conf_service *s = ocf_conf_service_add(l, p, &err);
  if (s == NULL)
    return err;
  while (err == 0 && ocf_str_split(&text, ',', &part)) {
    part = ocf_str_trim(part);
    size_t eq = ocf_str_find(part, '=');
    if (eq == part.n)
      ocf_conf_error(l->r, p, "expected name=...,url=..., got %s", ocf_conf_quote(&q, part));
    else
      err = ocf_conf_service_take(l, s, ocf_bytes(part.p, eq),
                                  ocf_bytes(part.p + eq + 1, part.n - eq - 1), p);
  }
  return err != 0 ? err : ocf_conf_service_check(l, s, p);
}

int ocf_conf_services_text(struct ocf_conf_load *l, struct ocf_bytes text,
                           const struct ocf_conf_place *p)
{
  struct ocf_bytes part;
  int err = 0;
  while (err == 0 && ocf_str_split(&text, ';', &part))
    if (ocf_str_trim(part).n > 0)
      err = one_text(l, ocf_str_trim(part), p);
  return err;
}

/* ---- checks ---- */

static bool is_name_byte(uint8_t c)
{
  uint8_t low = ocf_ascii_lower(c);
  return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool name_ok(struct ocf_bytes s)
{
  bool dots = true;
  for (size_t i = 0; i < s.n; i++) {
    if (!is_name_byte(s.p[i]))
      return false;
    dots = dots && s.p[i] == '.';
  }
  return s.n > 0 && s.n <= NAME_MAX_BYTES && !dots; /* "." and ".." mean something in a path */
}

static int replace(struct ocf_alloc *a, char **field, struct ocf_bytes s)
{
  char *copy = ocf_conf_strdup(a, s);
  if (copy == NULL)
    return OCF_ENOMEM;
  ocf_conf_strfree(a, *field);
  *field = copy;
  return 0;
}

static bool host_ok(struct ocf_bytes h, bool bracketed)
{
  for (size_t i = 0; i < h.n; i++)
    if (bracketed ? ocf_hex_digit(h.p[i]) < 0 && h.p[i] != ':' && h.p[i] != '.'
                  : !is_name_byte(h.p[i]))
      return false;
  return h.n > 0 && h.n <= 253;
}

/* host[:port] or [v6][:port]; the port is 80 where it is left out. */
static bool split_authority(struct ocf_bytes s, struct ocf_bytes *host, uint16_t *port)
{
  uint64_t number = 80;
  bool bracketed = s.n > 0 && s.p[0] == '[';
  size_t end = ocf_str_find(s, bracketed ? ']' : ':');
  if (bracketed && end == s.n)
    return false;
  *host = bracketed ? ocf_bytes(s.p + 1, end - 1) : ocf_bytes(s.p, end);
  struct ocf_bytes rest =
      bracketed ? ocf_bytes(s.p + end + 1, s.n - end - 1) : ocf_bytes(s.p + end, s.n - end);
  if (rest.n > 0 &&
      (rest.p[0] != ':' || ocf_str_u64(ocf_bytes(rest.p + 1, rest.n - 1), 65535, &number) != 0))
    return false;
  *port = (uint16_t)number;
  return number > 0 && host_ok(*host, bracketed);
}

/* 0; OCF_EINVAL when the URL is none of ours; OCF_ENOMEM. */
static int split_url(struct ocf_alloc *a, struct ocf_conf_service *s)
{
  struct ocf_bytes url = ocf_str(s->url), host;
  if (ocf_str_starts(url, OCF_STR("unix:"))) {
    struct ocf_bytes path = ocf_bytes(url.p + 5, url.n - 5);
    if (path.n < 2 || path.p[0] != '/' || path.n > UNIX_PATH_MAX_BYTES)
      return OCF_EINVAL;
    return replace(a, &s->unix_path, path);
  }
  if (!ocf_str_starts(url, OCF_STR("http://")))
    return OCF_EINVAL;
  struct ocf_bytes authority = ocf_bytes(url.p + 7, url.n - 7);
  if (authority.n > 0 && authority.p[authority.n - 1] == '/')
    authority.n--;
  if (!split_authority(authority, &host, &s->port))
    return OCF_EINVAL;
  return replace(a, &s->host, host);
}

int ocf_conf_service_check(struct ocf_conf_load *l, struct ocf_conf_service *s,
                           const struct ocf_conf_place *p)
{
  struct ocf_conf_quote q;
  if (!name_ok(ocf_str(s->name)))
    ocf_conf_error(
        l->r, p, "a service needs a name of letters, digits, '.', '_' and '-', at most %d; got %s",
        NAME_MAX_BYTES, ocf_conf_quote(&q, ocf_str(s->name)));
  for (struct ocf_conf_service *o = l->c->services; o < s; o++)
    if (strcmp(o->name, s->name) == 0 && s->name[0] != '\0')
      ocf_conf_error(l->r, p, "a second service named %s", ocf_conf_quote(&q, ocf_str(s->name)));
  if (s->health_path[0] != '\0' && s->health_path[0] != '/')
    ocf_conf_error(l->r, p, "health_path: expected a path that begins with /, got %s",
                   ocf_conf_quote(&q, ocf_str(s->health_path)));
  int err = split_url(l->c->a, s);
  if (err == OCF_EINVAL)
    ocf_conf_error(l->r, p,
                   "url: expected http://host:port without a path, or unix:/path.sock of "
                   "at most %d bytes; got %s",
                   UNIX_PATH_MAX_BYTES, ocf_conf_quote(&q, ocf_str(s->url)));
  return err == OCF_ENOMEM ? err : 0;
}

/* ---- after all places were read ---- */

static int add_single(struct ocf_conf_load *l)
{
  struct ocf_conf *c = l->c;
  char where[64], url[64];
  struct ocf_fmt f;
  struct ocf_conf_place p = { OCF_CONF_DEFAULT, NULL, 0 };
  int err = 0;
  if (c->service_name[0] == '\0') {
    if (c->service_port != 0)
      ocf_conf_note(l->r, "%s has no effect without service.name",
                    ocf_conf_where(c, OCF_CONF_OPT_service_port, where, sizeof(where)));
    return 0;
  }
  (void)ocf_conf_where(c, OCF_CONF_OPT_service_name, where, sizeof(where));
  if (c->service_port == 0) {
    ocf_conf_error(l->r, &p, "%s: a service needs a port too: give service.port", where);
    return 0;
  }
  l->services_from = p.source;
  struct ocf_conf_service *s = ocf_conf_service_add(l, &p, &err);
  if (s == NULL)
    return err;
  ocf_fmt_init(&f, url, sizeof(url));
  ocf_fmt_printf(&f, "http://localhost:%u", (unsigned)c->service_port);
  err = replace(c->a, &s->name, ocf_str(c->service_name));
  if (err == 0)
    err = replace(c->a, &s->url, ocf_fmt_view(&f));
  return err != 0 ? err : ocf_conf_service_check(l, s, &p);
}

int ocf_conf_services_finish(struct ocf_conf_load *l)
{
  struct ocf_conf *c = l->c;
  int err = add_single(l);
  for (size_t i = 0; err == 0 && i < c->n_services; i++) {
    struct ocf_conf_service *s = &c->services[i];
    if (s->health_path[0] == '\0')
      err = replace(c->a, &s->health_path, ocf_str(c->service_health_path));
    if (s->health_interval_ns == 0)
      s->health_interval_ns = c->service_health_interval_ns;
    if (s->health_failures == 0)
      s->health_failures = c->service_health_failures;
  }
  return err;
}
