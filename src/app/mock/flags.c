#include "app/mock/flags.h"

#include <stdlib.h>
#include <string.h>

#include "base/str/fmt.h"
#include "base/str/str.h"
#include "base/str/units.h"

static const struct ocf_flag *find(const struct ocf_flag *flags, size_t n, struct ocf_bytes name)
{
  for (size_t i = 0; i < n; i++) {
    if (ocf_str_is(name, flags[i].name))
      return &flags[i];
  }
  return NULL;
}

static int bad(struct ocf_err *err, const struct ocf_flag *f, const char *value, const char *want)
{
  return ocf_err_set(err, OCF_EINVAL, "see --help", "--%s: \"%s\" is not %s", f->name, value, want);
}

static int take_bool(const struct ocf_flag *f, const char *value, struct ocf_err *err)
{
  bool yes = value == NULL || strcmp(value, "true") == 0;
  if (!yes && strcmp(value, "false") != 0)
    return bad(err, f, value, "true or false");
  *(bool *)f->out = yes;
  return 0;
}

static int take_u64(const struct ocf_flag *f, const char *value, struct ocf_err *err)
{
  uint64_t v;
  if (ocf_str_u64(ocf_str(value), f->max, &v) != 0 || v < f->min)
    return ocf_err_set(err, OCF_EINVAL, "see --help",
                       "--%s: \"%s\" is not a number from %llu to %llu", f->name, value,
                       (unsigned long long)f->min, (unsigned long long)f->max);
  *(uint64_t *)f->out = v;
  return 0;
}

static int take_port(const struct ocf_flag *f, const char *value, struct ocf_err *err)
{
  uint64_t v;
  if (ocf_str_u64(ocf_str(value), UINT16_MAX, &v) != 0)
    return bad(err, f, value, "a port (0 to 65535, 0 for any)");
  *(uint16_t *)f->out = (uint16_t)v;
  return 0;
}

static int take_list(const struct ocf_flag *f, const char *value, struct ocf_err *err)
{
  struct ocf_flag_list *l = f->out;
  if (!l->given)
    l->n = 0;
  l->given = true;
  if (l->n == l->max)
    return ocf_err_set(err, OCF_EINVAL, "see --help", "--%s: given more than %zu times", f->name,
                       l->max);
  l->v[l->n++] = value;
  return 0;
}

static int take(const struct ocf_flag *f, const char *value, struct ocf_err *err)
{
  switch (f->type) {
  case OCF_FLAG_BOOL: return take_bool(f, value, err);
  case OCF_FLAG_PORT: return take_port(f, value, err);
  case OCF_FLAG_U64: return take_u64(f, value, err);
  case OCF_FLAG_DUR:
    return ocf_duration_parse(ocf_str(value), f->out) == 0
               ? 0
               : bad(err, f, value, "a duration such as 20ms, 1m30s or 0");
  case OCF_FLAG_STR:
    if (value[0] == '\0')
      return bad(err, f, value, "a text");
    *(const char **)f->out = value;
    return 0;
  case OCF_FLAG_LIST:
    return value[0] == '\0' ? bad(err, f, value, "a text") : take_list(f, value, err);
  }
  return OCF_EINVAL;
}

static bool asks_for_help(const char *const *args, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    if (strcmp(args[i], "--help") == 0 || strcmp(args[i], "-h") == 0)
      return true;
  }
  return false;
}

/* One flag at args[0]; sets how many arguments it took. */
static int parse_one(const struct ocf_flag *flags, size_t n_flags, const char *const *args,
                     size_t n_args, size_t *taken, struct ocf_err *err)
{
  const char *eq = strchr(args[0], '=');
  size_t name_n = eq != NULL ? (size_t)(eq - args[0]) : strlen(args[0]);
  if (strncmp(args[0], "--", 2) != 0)
    return ocf_err_set(err, OCF_EINVAL, "see --help", "unexpected argument \"%s\"", args[0]);
  const struct ocf_flag *f = find(flags, n_flags, ocf_bytes(args[0] + 2, name_n - 2));
  if (f == NULL)
    return ocf_err_set(err, OCF_EINVAL, "see --help", "unknown flag \"%.*s\"", (int)name_n,
                       args[0]);
  const char *value = eq != NULL ? eq + 1 : NULL;
  *taken = 1;
  if (value == NULL && f->type != OCF_FLAG_BOOL) {
    if (n_args < 2)
      return ocf_err_set(err, OCF_EINVAL, "see --help", "--%s needs a value", f->name);
    value = args[1];
    *taken = 2;
  }
  int r = take(f, value, err);
  if (r == 0 && f->given != NULL)
    *f->given = true;
  return r;
}

int ocf_flags_parse(const struct ocf_flag *flags, size_t n_flags, const char *const *args,
                    size_t n_args, struct ocf_err *err)
{
  if (asks_for_help(args, n_args))
    return OCF_ECANCELED;
  for (size_t i = 0, taken = 0; i < n_args; i += taken) {
    int r = parse_one(flags, n_flags, args + i, n_args - i, &taken, err);
    if (r != 0)
      return r;
  }
  return 0;
}

void ocf_flags_help(const struct ocf_flag *flags, size_t n_flags, char *dst, size_t cap)
{
  struct ocf_fmt f;
  ocf_fmt_init(&f, dst, cap);
  for (size_t i = 0; i < n_flags; i++) {
    char left[64];
    struct ocf_fmt l;
    ocf_fmt_init(&l, left, sizeof(left));
    ocf_fmt_printf(&l, "--%s%s%s", flags[i].name, flags[i].value != NULL ? " " : "",
                   flags[i].value != NULL ? flags[i].value : "");
    ocf_fmt_printf(&f, "  %-30s %s\n", left, flags[i].help);
  }
}
