#include "base/log/log.h"

#include <string.h>

#include "base/str/escape.h"
#include "base/str/fmt.h"
#include "base/str/str.h"

static const char *const level_names[] = { "trace", "debug", "info", "warn", "error", "off" };

/* What a line ends with, kept free while fields are added. */
static const char json_end[] = "}\n", json_cut_end[] = ",\"cut\":true}\n";
static const char logfmt_end[] = "\n", logfmt_cut_end[] = " cut=true\n";

void ocf_log_init(struct ocf_log *l)
{
  *l = (struct ocf_log){ .format = OCF_LOG_LOGFMT, .level = OCF_LOG_INFO };
}

const char *ocf_log_level_name(enum ocf_log_level level)
{
  return level_names[level];
}

static bool parse_level(struct ocf_bytes s, enum ocf_log_level *out)
{
  for (size_t i = 0; i < OCF_ARRAY_LEN(level_names); i++) {
    if (ocf_str_is(s, level_names[i])) {
      *out = (enum ocf_log_level)i;
      return true;
    }
  }
  return false;
}

static bool add_module(struct ocf_log *l, struct ocf_bytes name, enum ocf_log_level level)
{
  if (name.n == 0 || name.n >= sizeof(l->modules[0].name) || l->n_modules >= OCF_LOG_MODULES_MAX)
    return false;
  for (size_t i = 0; i < l->n_modules; i++) {
    if (ocf_str_is(name, l->modules[i].name))
      return false;
  }
  memset(l->modules[l->n_modules].name, 0, sizeof(l->modules[0].name));
  memcpy(l->modules[l->n_modules].name, name.p, name.n);
  l->modules[l->n_modules++].level = level;
  return true;
}

/* One item of a level list: "debug" or "swarm=debug". `*had_bare` is set by the first kind. */
static bool set_item(struct ocf_log *l, struct ocf_bytes item, bool *had_bare)
{
  const uint8_t *eq = item.n == 0 ? NULL : memchr(item.p, '=', item.n);
  enum ocf_log_level level = OCF_LOG_OFF;
  if (eq == NULL) {
    if (*had_bare || !parse_level(item, &l->level))
      return false;
    *had_bare = true;
    return true;
  }
  size_t n = (size_t)(eq - item.p);
  return parse_level(ocf_str_trim(ocf_bytes(eq + 1, item.n - n - 1)), &level) &&
         add_module(l, ocf_str_trim(ocf_bytes(item.p, n)), level);
}

int ocf_log_set_levels(struct ocf_log *l, const char *spec)
{
  struct ocf_log next = *l;
  bool had_bare = false;
  next.n_modules = 0;
  for (const char *s = spec;; s++) {
    size_t n = strcspn(s, ",");
    if (!set_item(&next, ocf_str_trim(ocf_bytes(s, n)), &had_bare))
      return OCF_EINVAL;
    s += n;
    if (*s == '\0')
      break;
  }
  *l = next;
  return 0;
}

enum ocf_log_level ocf_log_level_of(const struct ocf_log *l, const char *module)
{
  for (size_t i = 0; i < l->n_modules; i++) {
    if (strcmp(l->modules[i].name, module) == 0)
      return l->modules[i].level;
  }
  return l->level;
}

/* The day count from 1970-01-01 as a Gregorian date, by the 400-year cycle that starts in March. */
static void date_of(uint64_t days, unsigned *y, unsigned *m, unsigned *d)
{
  uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
  uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  uint64_t mp = (5 * doy + 2) / 153;
  *d = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
  *m = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
  *y = (unsigned)(yoe + era * 400 + (*m <= 2 ? 1 : 0));
}

static void add_stamp(struct ocf_fmt *f, uint64_t unix_ns)
{
  uint64_t ms = unix_ns / 1000000, s = ms / 1000;
  unsigned y = 0, mon = 0, d = 0, sod = (unsigned)(s % 86400);
  date_of(s / 86400, &y, &mon, &d);
  const struct {
    uint64_t v;
    size_t width;
    char after;
  } parts[] = { { y, 4, '-' },          { mon, 2, '-' },           { d, 2, 'T' },
                { sod / 3600, 2, ':' }, { sod / 60 % 60, 2, ':' }, { sod % 60, 2, '.' },
                { ms % 1000, 3, 'Z' } };
  for (size_t i = 0; i < OCF_ARRAY_LEN(parts); i++) {
    ocf_fmt_padded(f, parts[i].v, parts[i].width);
    ocf_fmt_char(f, parts[i].after);
  }
}

static void add_key(struct ocf_fmt *f, enum ocf_log_format format, const char *key)
{
  if (format == OCF_LOG_JSON)
    ocf_fmt_str(f, f->n == 1 ? "\"" : ",\"");
  else if (f->n > 0)
    ocf_fmt_char(f, ' ');
  for (const char *c = key; *c != '\0'; c++) {
    bool plain = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_' || *c == '.';
    ocf_fmt_char(f, plain ? *c : '_');
  }
  ocf_fmt_str(f, format == OCF_LOG_JSON ? "\":" : "=");
}

/* Whether logfmt readers take `s` for one word as it stands. */
static bool is_word(struct ocf_bytes s)
{
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
      return false;
  }
  return s.n > 0 && s.n <= OCF_LOG_VALUE_MAX;
}

static void add_mark(struct ocf_fmt *f, size_t n_left)
{
  ocf_fmt_str(f, "...[cut ");
  ocf_fmt_u64(f, n_left);
  ocf_fmt_str(f, " bytes]");
}

static void add_text(struct ocf_fmt *f, enum ocf_log_format format, struct ocf_bytes s)
{
  if (format == OCF_LOG_LOGFMT && is_word(s)) {
    ocf_fmt_whole(f, s.p, s.n);
    return;
  }
  char value[OCF_LOG_VALUE_MAX + 1];
  struct ocf_fmt v;
  ocf_fmt_init(&v, value, sizeof(value));
  size_t done = ocf_escape(&v, s);
  ocf_fmt_char(f, '"');
  ocf_fmt_whole(f, v.p, v.n);
  if (done < s.n)
    add_mark(f, s.n - done);
  ocf_fmt_char(f, '"');
}

static void add_hex(struct ocf_fmt *f, struct ocf_bytes b)
{
  size_t shown = OCF_MIN(b.n, (size_t)OCF_LOG_VALUE_MAX / 2);
  ocf_fmt_char(f, '"');
  ocf_fmt_hex(f, ocf_bytes(b.p, shown));
  if (shown < b.n)
    add_mark(f, b.n - shown);
  ocf_fmt_char(f, '"');
}

static void add_i64(struct ocf_fmt *f, int64_t v)
{
  if (v < 0)
    ocf_fmt_char(f, '-');
  ocf_fmt_u64(f, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static void add_value(struct ocf_fmt *f, enum ocf_log_format format,
                      const struct ocf_log_field *field)
{
  switch (field->type) {
  case OCF_LOG_T_STR:
    if (field->v.s == NULL)
      ocf_fmt_str(f, "null");
    else
      add_text(f, format, ocf_str(field->v.s));
    break;
  case OCF_LOG_T_BYTES: add_text(f, format, field->v.b); break;
  case OCF_LOG_T_HEX: add_hex(f, field->v.b); break;
  case OCF_LOG_T_U64: ocf_fmt_u64(f, field->v.u); break;
  case OCF_LOG_T_I64: add_i64(f, field->v.i); break;
  case OCF_LOG_T_BOOL: ocf_fmt_str(f, field->v.u != 0 ? "true" : "false"); break;
  case OCF_LOG_T_MS:
    ocf_fmt_u64(f, field->v.u / 1000000);
    ocf_fmt_char(f, '.');
    ocf_fmt_padded(f, field->v.u / 1000, 3);
    break;
  case OCF_LOG_T_ERR: add_text(f, format, ocf_str(ocf_strerror((int)field->v.i))); break;
  case OCF_LOG_T_SECRET: ocf_fmt_printf(f, "\"[redacted %zu bytes]\"", field->v.b.n); break;
  case OCF_LOG_END: break;
  }
}

/* Stamp, level, module, message: together well under the line's bound. */
static void add_front(const struct ocf_log *l, struct ocf_fmt *f, const char *module,
                      enum ocf_log_level level, const char *msg)
{
  const struct ocf_log_field front[] = { OCF_LOG_STR("level", ocf_log_level_name(level)),
                                         OCF_LOG_STR("module", module), OCF_LOG_STR("msg", msg) };
  if (l->format == OCF_LOG_JSON)
    ocf_fmt_char(f, '{');
  if (l->wall_ns != NULL) {
    add_key(f, l->format, "ts");
    ocf_fmt_str(f, l->format == OCF_LOG_JSON ? "\"" : "");
    add_stamp(f, l->wall_ns(l->ctx));
    ocf_fmt_str(f, l->format == OCF_LOG_JSON ? "\"" : "");
  }
  for (size_t i = 0; i < OCF_ARRAY_LEN(front); i++) {
    add_key(f, l->format, front[i].key);
    add_value(f, l->format, &front[i]);
  }
}

void ocf_log_emit(const struct ocf_log *l, const char *module, enum ocf_log_level level,
                  const char *msg, const struct ocf_log_field *fields)
{
  char line[OCF_LOG_LINE_MAX + 1];
  struct ocf_fmt f;
  bool json, cut = false;
  if (!ocf_log_on(l, module, level))
    return;
  json = l->format == OCF_LOG_JSON;
  ocf_fmt_init(&f, line, sizeof(line) - sizeof(json_cut_end)); /* the longest end */
  add_front(l, &f, module, level, msg);
  for (; fields != NULL && fields->type != OCF_LOG_END; fields++) {
    size_t before = f.n;
    add_key(&f, l->format, fields->key);
    add_value(&f, l->format, fields);
    cut = cut || f.cut;
    if (f.cut)
      ocf_fmt_rewind(&f, before); /* a later, shorter one may still fit */
  }
  f.cap = sizeof(line);
  if (json)
    ocf_fmt_str(&f, cut ? json_cut_end : json_end);
  else
    ocf_fmt_str(&f, cut ? logfmt_cut_end : logfmt_end);
  l->write(l->ctx, f.p, f.n);
}
