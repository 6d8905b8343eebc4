#include "app/conf/internal.h"

#include <string.h>

#include "base/str/str.h"

#define V(name, text) text,
static const char *const choices_MODE[] = { OCF_CONF_CHOICES_MODE(V) NULL };
static const char *const choices_ROLE[] = { OCF_CONF_CHOICES_ROLE(V) NULL };
static const char *const choices_LEAVE[] = { OCF_CONF_CHOICES_LEAVE(V) NULL };
static const char *const choices_DEGREE[] = { OCF_CONF_CHOICES_DEGREE(V) NULL };
static const char *const choices_POLICY[] = { OCF_CONF_CHOICES_POLICY(V) NULL };
static const char *const choices_LOG_FORMAT[] = { OCF_CONF_CHOICES_LOG_FORMAT(V) NULL };
#undef V

enum { RESTART = 0, LIVE = 1 };

static const struct ocf_conf_row rows[OCF_CONF_OPT_N] = {
#define OPT(type, field, key, def, min, max, unit, when, group, help)                              \
  { OCF_CONF_T_##type,                                                                             \
    #field,                                                                                        \
    key,                                                                                           \
    def,                                                                                           \
    min,                                                                                           \
    max,                                                                                           \
    unit,                                                                                          \
    when,                                                                                          \
    group,                                                                                         \
    help,                                                                                          \
    NULL,                                                                                          \
    offsetof(struct ocf_conf, field) },
#define OPT_ENUM(choices, field, key, def, when, group, help)                                      \
  { OCF_CONF_T_ENUM,                                                                               \
    #field,                                                                                        \
    key,                                                                                           \
    def,                                                                                           \
    0,                                                                                             \
    0,                                                                                             \
    "",                                                                                            \
    when,                                                                                          \
    group,                                                                                         \
    help,                                                                                          \
    choices_##choices,                                                                             \
    offsetof(struct ocf_conf, field) },
#include "../../../config/options.inc"
};

static const struct ocf_conf_row service_rows[] = {
#define SERVICE(type, field, key, def, min, max, unit, help)                                       \
  { OCF_CONF_T_##type,                                                                             \
    #field,                                                                                        \
    key,                                                                                           \
    def,                                                                                           \
    min,                                                                                           \
    max,                                                                                           \
    unit,                                                                                          \
    false,                                                                                         \
    "services",                                                                                    \
    help,                                                                                          \
    NULL,                                                                                          \
    offsetof(struct ocf_conf_service, field) },
#include "../../../config/options.inc"
};

static const struct {
  const char *key, *of;
} aliases[] = {
#define ALIAS(key, of) { key, of },
#include "../../../config/options.inc"
};

static const struct ocf_conf_ignored ignored[] = {
#define IGNORED(type, key, def, why) { OCF_CONF_T_##type, key, def, why },
#include "../../../config/options.inc"
};

const struct ocf_conf_row *ocf_conf_rows(void)
{
  return rows;
}

const struct ocf_conf_row *ocf_conf_service_rows(size_t *n)
{
  *n = OCF_ARRAY_LEN(service_rows);
  return service_rows;
}

const struct ocf_conf_ignored *ocf_conf_ignored_rows(size_t *n)
{
  *n = OCF_ARRAY_LEN(ignored);
  return ignored;
}

bool ocf_conf_alias(size_t i, const char **key, const char **of)
{
  if (i >= OCF_ARRAY_LEN(aliases))
    return false;
  *key = aliases[i].key;
  *of = aliases[i].of;
  return true;
}

void ocf_conf_env_name(const char *prefix, const char *key, char *dst, size_t cap)
{
  struct ocf_fmt f;
  ocf_fmt_init(&f, dst, cap);
  ocf_fmt_str(&f, prefix);
  for (; *key != '\0'; key++) {
    char c = *key;
    ocf_fmt_char(&f, c == '.' || c == '-' ? '_' : (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
  }
}

/* One character as look-ups compare it. */
static char fold(uint8_t c, bool env)
{
  if (c == '-' || (env && c == '.'))
    return '_';
  return (char)(env ? ocf_ascii_lower(c) : c);
}

/* Whether `key` is `known`; a known name that ends in '*' stands for all that continue it. */
static bool matches(struct ocf_bytes key, const char *known, bool env)
{
  size_t i = 0;
  for (; i < key.n && known[i] != '\0' && known[i] != '*'; i++)
    if (fold(key.p[i], env) != fold((uint8_t)known[i], env))
      return false;
  return known[i] == '*' ? i < key.n : i == key.n && known[i] == '\0';
}

static bool find_option(struct ocf_bytes key, bool env, enum ocf_conf_opt *out)
{
  for (size_t i = 0; i < OCF_CONF_OPT_N; i++)
    if (matches(key, rows[i].key, env)) {
      *out = (enum ocf_conf_opt)i;
      return true;
    }
  return false;
}

struct ocf_conf_found ocf_conf_find(struct ocf_bytes key, bool env)
{
  struct ocf_conf_found f = { OCF_CONF_OPTION, OCF_CONF_OPT_N, NULL };
  if (find_option(key, env, &f.opt))
    return f;
  for (size_t i = 0; i < OCF_ARRAY_LEN(aliases); i++)
    if (matches(key, aliases[i].key, env)) {
      bool known = find_option(ocf_str(aliases[i].of), false, &f.opt);
      OCF_ASSERT(known);
      return f;
    }
  f.kind = OCF_CONF_SERVICES;
  if (matches(key, "services", env))
    return f;
  f.kind = OCF_CONF_IGNORED;
  for (size_t i = 0; i < OCF_ARRAY_LEN(ignored); i++)
    if (matches(key, ignored[i].key, env)) {
      f.ignored = &ignored[i];
      return f;
    }
  f.kind = OCF_CONF_UNKNOWN;
  return f;
}

/* The i-th name of any kind; NULL at the end. */
static const char *name_at(size_t i)
{
  if (i < OCF_CONF_OPT_N)
    return rows[i].key;
  i -= OCF_CONF_OPT_N;
  if (i < OCF_ARRAY_LEN(aliases))
    return aliases[i].key;
  i -= OCF_ARRAY_LEN(aliases);
  if (i < OCF_ARRAY_LEN(ignored))
    return ignored[i].key;
  return i == OCF_ARRAY_LEN(ignored) ? "services" : NULL;
}

bool ocf_conf_is_section(struct ocf_bytes key)
{
  const char *name;
  for (size_t i = 0; key.n > 0 && (name = name_at(i)) != NULL; i++) {
    struct ocf_bytes known = ocf_str(name);
    if (known.n > key.n && known.p[key.n] == '.') {
      char head[OCF_CONF_KEY_MAX];
      struct ocf_fmt f;
      ocf_fmt_init(&f, head, sizeof(head));
      ocf_fmt_bytes(&f, known.p, key.n);
      if (matches(key, head, false))
        return true;
    }
  }
  return false;
}

/* Levenshtein's distance of two short texts; a large number for long ones and for those that are
 * further apart than `most`: a file of nothing but mistakes is compared with every name. */
static size_t distance(struct ocf_bytes a, struct ocf_bytes b, size_t most)
{
  size_t row[OCF_CONF_KEY_MAX];
  if (a.n >= OCF_CONF_KEY_MAX || b.n >= OCF_CONF_KEY_MAX)
    return SIZE_MAX;
  if (OCF_MAX(a.n, b.n) - OCF_MIN(a.n, b.n) > most)
    return SIZE_MAX;
  for (size_t j = 0; j <= b.n; j++)
    row[j] = j;
  for (size_t i = 1; i <= a.n; i++) {
    size_t diagonal = row[0], near = i;
    const char c = fold(a.p[i - 1], false);
    row[0] = i;
    for (size_t j = 1; j <= b.n; j++) {
      size_t change = diagonal + (c != fold(b.p[j - 1], false));
      diagonal = row[j];
      row[j] = OCF_MIN(change, OCF_MIN(row[j], row[j - 1]) + 1);
      near = OCF_MIN(near, row[j]);
    }
    if (near > most) /* the rows' least values never fall */
      return SIZE_MAX;
  }
  return row[b.n];
}

/* How far two names may be apart for one to be what was meant by the other. */
static size_t reach(size_t n)
{
  return n < 4 ? 1 : n < 9 ? 2 : 3;
}

const char *ocf_conf_nearest(struct ocf_bytes key)
{
  const char *best = NULL, *name;
  size_t least = reach(key.n) + 1;
  for (size_t i = 0; (name = name_at(i)) != NULL; i++) {
    struct ocf_bytes known = ocf_str(name);
    size_t dot = known.n;
    if (known.p[known.n - 1] == '*')
      continue;
    size_t d = distance(key, known, least - 1);
    while (dot > 0 && known.p[dot - 1] != '.')
      dot--;
    /* The section was left out: "header_timeout" for "http.header_timeout". */
    if (dot > 0 && distance(key, ocf_bytes(known.p + dot, known.n - dot), 0) == 0)
      d = 1;
    if (d < least) {
      least = d;
      best = name;
    }
  }
  return best;
}

const char *ocf_conf_nearest_service_key(struct ocf_bytes key)
{
  const char *best = NULL;
  size_t least = reach(key.n) + 1;
  for (size_t i = 0; i < OCF_ARRAY_LEN(service_rows); i++) {
    size_t d = distance(key, ocf_str(service_rows[i].key), least - 1);
    if (d < least) {
      least = d;
      best = service_rows[i].key;
    }
  }
  return best;
}
