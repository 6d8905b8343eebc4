/* One value: from text, to text, and its memory. */
#include "app/conf/internal.h"

#include <string.h>

#include "base/log/log.h"
#include "base/str/str.h"
#include "base/str/units.h"
#include "base/time/time.h"

/* The field of a row, as the row's type has it. */
static void *at(const struct ocf_conf_row *row, void *base)
{
  return (char *)base + row->offset;
}

static const void *at_const(const struct ocf_conf_row *row, const void *base)
{
  return (const char *)base + row->offset;
}

/* ---- text and lists ---- */

char *ocf_conf_strdup(struct ocf_alloc *a, struct ocf_bytes s)
{
  char *p = ocf_alloc_get(a, s.n + 1);
  if (p == NULL)
    return NULL;
  if (s.n > 0)
    memcpy(p, s.p, s.n);
  p[s.n] = '\0';
  return p;
}

void ocf_conf_strfree(struct ocf_alloc *a, char *s)
{
  if (s != NULL)
    ocf_alloc_put(a, s, strlen(s) + 1);
}

int ocf_conf_list_add(struct ocf_alloc *a, struct ocf_conf_list *l, struct ocf_bytes s)
{
  char *copy = ocf_conf_strdup(a, s);
  if (copy == NULL)
    return OCF_ENOMEM;
  char **v = ocf_alloc_resize(a, l->v, l->n * sizeof(*v), (l->n + 1) * sizeof(*v));
  if (v == NULL) {
    ocf_conf_strfree(a, copy);
    return OCF_ENOMEM;
  }
  v[l->n++] = copy;
  l->v = v;
  return 0;
}

void ocf_conf_list_fini(struct ocf_alloc *a, struct ocf_conf_list *l)
{
  for (size_t i = 0; i < l->n; i++)
    ocf_conf_strfree(a, l->v[i]);
  ocf_alloc_put(a, l->v, l->n * sizeof(*l->v));
  *l = (struct ocf_conf_list){ NULL, 0 };
}

/* ---- what is expected ---- */

static void expect_range(const struct ocf_conf_row *row, struct ocf_fmt *f,
                         void (*show)(struct ocf_fmt *f, uint64_t v))
{
  if (row->max == UINT64_MAX && row->min == 0)
    return;
  ocf_fmt_str(f, row->max == UINT64_MAX ? " of at least " : " from ");
  show(f, row->min);
  if (row->max == UINT64_MAX)
    return;
  ocf_fmt_str(f, " to ");
  show(f, row->max);
}

void ocf_conf_expect(const struct ocf_conf_row *row, struct ocf_fmt *f)
{
  switch (row->type) {
  case OCF_CONF_T_BOOL: ocf_fmt_str(f, "true or false"); break;
  case OCF_CONF_T_U64:
    ocf_fmt_str(f, "a whole number");
    expect_range(row, f, ocf_fmt_u64);
    break;
  case OCF_CONF_T_PORT: ocf_fmt_str(f, "a port from 0 to 65535"); break;
  case OCF_CONF_T_SIZE:
    ocf_fmt_str(f, "a size such as 64KiB");
    expect_range(row, f, ocf_size_format);
    break;
  case OCF_CONF_T_DUR:
  case OCF_CONF_T_SECS:
    ocf_fmt_str(f, "a duration such as 10s");
    expect_range(row, f, ocf_duration_format);
    break;
  case OCF_CONF_T_STR:
  case OCF_CONF_T_SECRET: ocf_fmt_str(f, "text without control characters"); break;
  case OCF_CONF_T_PATH: ocf_fmt_str(f, "a path"); break;
  case OCF_CONF_T_LEVELS: ocf_fmt_str(f, "levels such as info or info,swarm=debug"); break;
  case OCF_CONF_T_LIST: ocf_fmt_str(f, "a list of texts without control characters"); break;
  case OCF_CONF_T_ENUM:
    for (size_t i = 0; row->choices[i] != NULL; i++) {
      ocf_fmt_str(f, i == 0 ? "" : row->choices[i + 1] == NULL ? " or " : ", ");
      ocf_fmt_str(f, row->choices[i]);
    }
    break;
  }
}

/* ---- from text ---- */

static bool parse_bool(struct ocf_bytes s, bool *out)
{
  static const struct {
    const char *text;
    bool value;
  } words[] = { { "true", true }, { "false", false }, { "yes", true }, { "no", false },
                { "on", true },   { "off", false },   { "1", true },   { "0", false } };
  for (size_t i = 0; i < OCF_ARRAY_LEN(words); i++)
    if (ocf_str_is_nocase(s, words[i].text)) {
      *out = words[i].value;
      return true;
    }
  return false;
}

static bool is_text(struct ocf_bytes s)
{
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] < 0x20 || s.p[i] == 0x7F)
      return false;
  return s.n <= OCF_CONF_VALUE_MAX;
}

static int parse_number(const struct ocf_conf_row *row, struct ocf_bytes s, uint64_t *out)
{
  uint64_t v = 0;
  int err;
  if (row->type == OCF_CONF_T_SIZE)
    err = ocf_size_parse(s, &v);
  else if (row->type == OCF_CONF_T_U64 || row->type == OCF_CONF_T_PORT)
    err = ocf_str_u64(s, UINT64_MAX, &v);
  else
    err = ocf_duration_parse(s, &v);
  if (err != 0 && row->type == OCF_CONF_T_SECS) {
    err = ocf_str_u64(s, UINT32_MAX, &v);
    v *= OCF_NS_PER_S;
  }
  if (err != 0 || v < row->min || v > row->max)
    return OCF_EINVAL;
  *out = v;
  return 0;
}

static int set_text(struct ocf_alloc *a, char **field, struct ocf_bytes s)
{
  char *copy = ocf_conf_strdup(a, s);
  if (copy == NULL)
    return OCF_ENOMEM;
  ocf_conf_strfree(a, *field);
  *field = copy;
  return 0;
}

/* "~" and "~/…" begin at home; everything else is kept as it is. */
static int set_path(struct ocf_alloc *a, char **field, struct ocf_bytes s, const char *home)
{
  bool tilde = s.n > 0 && s.p[0] == '~' && (s.n == 1 || s.p[1] == '/');
  if (!tilde)
    return set_text(a, field, s);
  if (home[0] == '\0')
    return OCF_EINVAL;
  char path[OCF_CONF_VALUE_MAX + 1];
  struct ocf_fmt f;
  ocf_fmt_init(&f, path, sizeof(path));
  ocf_fmt_str(&f, home);
  ocf_fmt_bytes(&f, s.p + 1, s.n - 1);
  return f.cut ? OCF_EINVAL : set_text(a, field, ocf_fmt_view(&f));
}

static bool levels_ok(struct ocf_bytes s)
{
  struct ocf_log probe;
  char text[OCF_CONF_VALUE_MAX + 1];
  struct ocf_fmt f;
  ocf_fmt_init(&f, text, sizeof(text));
  ocf_fmt_bytes(&f, s.p, s.n);
  ocf_log_init(&probe);
  return !f.cut && ocf_log_set_levels(&probe, text) == 0;
}

static bool is_separator(uint8_t c)
{
  return c == ',' || c == ';' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A JSON array or object, which is one entry of a list whatever it holds. "[::1]:80" is none. */
static bool is_json(struct ocf_bytes s)
{
  size_t at = 1;
  if (s.n == 0 || s.p[0] != '[')
    return s.n > 0 && s.p[0] == '{';
  while (at < s.n && is_separator(s.p[at]))
    at++;
  return at < s.n && (s.p[at] == '"' || s.p[at] == ']');
}

static int add_part(struct ocf_alloc *a, struct ocf_conf_list *l, struct ocf_bytes part)
{
  if (part.n == 0)
    return 0;
  if (l->n >= OCF_CONF_LIST_MAX || !is_text(part))
    return OCF_EINVAL;
  return ocf_conf_list_add(a, l, part) == 0 ? 0 : OCF_ENOMEM;
}

static int add_parts(struct ocf_alloc *a, struct ocf_conf_list *l, struct ocf_bytes s)
{
  if (is_json(s))
    return add_part(a, l, s);
  for (size_t i = 0, begin = 0; i <= s.n; i++) {
    if (i < s.n && !is_separator(s.p[i]))
      continue;
    struct ocf_bytes part = ocf_bytes(s.p + begin, i - begin);
    begin = i + 1;
    int r = add_part(a, l, part);
    if (r != 0)
      return r;
  }
  return 0;
}

static int set_choice(const struct ocf_conf_row *row, int *field, struct ocf_bytes s)
{
  for (int i = 0; row->choices[i] != NULL; i++)
    if (ocf_str_is(s, row->choices[i])) {
      *field = i;
      return 0;
    }
  return OCF_EINVAL;
}

static int set_number(const struct ocf_conf_row *row, void *field, struct ocf_bytes s)
{
  uint64_t v = 0;
  int err = parse_number(row, s, &v);
  if (err != 0)
    return err;
  if (row->type == OCF_CONF_T_PORT)
    *(uint16_t *)field = (uint16_t)v;
  else
    *(uint64_t *)field = v;
  return 0;
}

static int set(struct ocf_alloc *a, const struct ocf_conf_row *row, void *base, struct ocf_bytes s,
               const char *home)
{
  void *field = at(row, base);
  switch (row->type) {
  case OCF_CONF_T_BOOL: return parse_bool(s, field) ? 0 : OCF_EINVAL;
  case OCF_CONF_T_U64:
  case OCF_CONF_T_PORT:
  case OCF_CONF_T_SIZE:
  case OCF_CONF_T_DUR:
  case OCF_CONF_T_SECS: return set_number(row, field, s);
  case OCF_CONF_T_STR:
  case OCF_CONF_T_SECRET: return is_text(s) ? set_text(a, field, s) : OCF_EINVAL;
  case OCF_CONF_T_PATH: return is_text(s) ? set_path(a, field, s, home) : OCF_EINVAL;
  case OCF_CONF_T_LEVELS: return is_text(s) && levels_ok(s) ? set_text(a, field, s) : OCF_EINVAL;
  case OCF_CONF_T_LIST: return add_parts(a, field, s);
  case OCF_CONF_T_ENUM: return set_choice(row, field, s);
  }
  return OCF_EINVAL;
}

int ocf_conf_set(struct ocf_alloc *a, const struct ocf_conf_row *row, void *base,
                 struct ocf_bytes text, const char *home, struct ocf_fmt *want)
{
  int err = set(a, row, base, text, home);
  if (err != OCF_EINVAL)
    return err;
  ocf_conf_expect(row, want);
  if (text.n > OCF_CONF_VALUE_MAX && row->type != OCF_CONF_T_LIST)
    ocf_fmt_printf(want, " of at most %d bytes", OCF_CONF_VALUE_MAX);
  if (row->type == OCF_CONF_T_LIST)
    ocf_fmt_printf(want, ", at most %d of at most %d bytes each", OCF_CONF_LIST_MAX,
                   OCF_CONF_VALUE_MAX);
  if (row->type == OCF_CONF_T_PATH && home[0] == '\0' && text.p[0] == '~')
    ocf_fmt_str(want, " without ~, since HOME is not set");
  return OCF_EINVAL;
}

int ocf_conf_set_default(struct ocf_alloc *a, const struct ocf_conf_row *row, void *base,
                         const char *home)
{
  int err = set(a, row, base, ocf_str(row->def), home);
  OCF_ASSERT(err == 0 || err == OCF_ENOMEM); /* a default that its own row refuses */
  return err;
}

/* ---- whole fields ---- */

static bool is_string(enum ocf_conf_type t)
{
  return t == OCF_CONF_T_STR || t == OCF_CONF_T_SECRET || t == OCF_CONF_T_PATH ||
         t == OCF_CONF_T_LEVELS;
}

static size_t field_size(enum ocf_conf_type t)
{
  switch (t) {
  case OCF_CONF_T_BOOL: return sizeof(bool);
  case OCF_CONF_T_PORT: return sizeof(uint16_t);
  case OCF_CONF_T_U64:
  case OCF_CONF_T_SIZE:
  case OCF_CONF_T_DUR:
  case OCF_CONF_T_SECS: return sizeof(uint64_t);
  case OCF_CONF_T_STR:
  case OCF_CONF_T_PATH:
  case OCF_CONF_T_LEVELS:
  case OCF_CONF_T_SECRET: return sizeof(char *);
  case OCF_CONF_T_LIST: return sizeof(struct ocf_conf_list);
  case OCF_CONF_T_ENUM: return sizeof(int);
  }
  return 0;
}

void ocf_conf_clear(struct ocf_alloc *a, const struct ocf_conf_row *row, void *base)
{
  void *field = at(row, base);
  if (is_string(row->type))
    ocf_conf_strfree(a, *(char **)field);
  else if (row->type == OCF_CONF_T_LIST)
    ocf_conf_list_fini(a, field);
  memset(field, 0, field_size(row->type));
}

static bool same_list(const struct ocf_conf_list *a, const struct ocf_conf_list *b)
{
  if (a->n != b->n)
    return false;
  for (size_t i = 0; i < a->n; i++)
    if (strcmp(a->v[i], b->v[i]) != 0)
      return false;
  return true;
}

bool ocf_conf_same(const struct ocf_conf_row *row, const void *base_a, const void *base_b)
{
  const void *a = at_const(row, base_a), *b = at_const(row, base_b);
  if (is_string(row->type))
    return strcmp(*(char *const *)a, *(char *const *)b) == 0;
  if (row->type == OCF_CONF_T_LIST)
    return same_list(a, b);
  return memcmp(a, b, field_size(row->type)) == 0;
}

void ocf_conf_swap(const struct ocf_conf_row *row, void *base_a, void *base_b)
{
  unsigned char hold[sizeof(struct ocf_conf_list)];
  size_t n = field_size(row->type);
  memcpy(hold, at(row, base_a), n);
  memcpy(at(row, base_a), at(row, base_b), n);
  memcpy(at(row, base_b), hold, n);
}

/* ---- to text ---- */

static int print_list(const struct ocf_conf_list *l, struct ocf_buf *out)
{
  int err = 0;
  for (size_t i = 0; err == 0 && i < l->n; i++)
    err = ocf_buf_printf(out, "%s%s", i > 0 ? "," : "", l->v[i]);
  return err;
}

int ocf_conf_print(const struct ocf_conf_row *row, const void *base, struct ocf_buf *out)
{
  const void *field = at_const(row, base);
  char text[OCF_UNITS_TEXT_MAX];
  struct ocf_fmt f;
  ocf_fmt_init(&f, text, sizeof(text));
  switch (row->type) {
  case OCF_CONF_T_BOOL: ocf_fmt_str(&f, *(const bool *)field ? "true" : "false"); break;
  case OCF_CONF_T_U64: ocf_fmt_u64(&f, *(const uint64_t *)field); break;
  case OCF_CONF_T_PORT: ocf_fmt_u64(&f, *(const uint16_t *)field); break;
  case OCF_CONF_T_SIZE: ocf_size_format(&f, *(const uint64_t *)field); break;
  case OCF_CONF_T_DUR:
  case OCF_CONF_T_SECS: ocf_duration_format(&f, *(const uint64_t *)field); break;
  case OCF_CONF_T_STR:
  case OCF_CONF_T_PATH:
  case OCF_CONF_T_LEVELS: return ocf_buf_add_str(out, *(char *const *)field);
  case OCF_CONF_T_SECRET:
    return ocf_buf_add_str(out, (*(char *const *)field)[0] == '\0' ? "" : "[redacted]");
  case OCF_CONF_T_LIST: return print_list(field, out);
  case OCF_CONF_T_ENUM: ocf_fmt_str(&f, row->choices[*(const int *)field]); break;
  }
  return ocf_buf_add_str(out, text);
}
