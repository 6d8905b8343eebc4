#include "base/str/units.h"

#include <string.h>

#include "base/str/str.h"

struct unit {
  const char *name;
  uint64_t value;
};

/* Formatting uses the binary ones, largest first. */
static const struct unit sizes[] = {
  { "TiB", UINT64_C(1) << 40 },
  { "GiB", UINT64_C(1) << 30 },
  { "MiB", UINT64_C(1) << 20 },
  { "KiB", UINT64_C(1) << 10 },
  { "B", 1 },
  { "", 1 },
  { "TB", UINT64_C(1000000000000) },
  { "GB", UINT64_C(1000000000) },
  { "MB", 1000000 },
  { "KB", 1000 },
};
enum { BINARY_SIZES = 5 };

/* Largest first. */
static const struct unit durations[] = {
  { "d", UINT64_C(86400000000000) },
  { "h", UINT64_C(3600000000000) },
  { "m", UINT64_C(60000000000) },
  { "s", UINT64_C(1000000000) },
  { "ms", UINT64_C(1000000) },
  { "us", UINT64_C(1000) },
  { "ns", UINT64_C(1) },
};

static bool is_digit(uint8_t c)
{
  return c >= '0' && c <= '9';
}

/* Splits digits and the letters behind them off the front of `*s`. */
static int next_part(struct ocf_bytes *s, uint64_t *n, struct ocf_bytes *letters)
{
  size_t d = 0, end;
  while (d < s->n && is_digit(s->p[d]))
    d++;
  for (end = d; end < s->n && !is_digit(s->p[end]);)
    end++;
  int err = ocf_str_u64(ocf_bytes(s->p, d), UINT64_MAX, n);
  *letters = ocf_bytes(s->p + d, end - d);
  *s = ocf_bytes(s->p + end, s->n - end);
  return err;
}

int ocf_size_parse(struct ocf_bytes s, uint64_t *out)
{
  uint64_t n = 0;
  struct ocf_bytes letters;
  if (s.n == 0)
    return OCF_EINVAL;
  int err = next_part(&s, &n, &letters);
  if (err == OCF_EINVAL || s.n > 0)
    return OCF_EINVAL;
  for (size_t i = 0; i < OCF_ARRAY_LEN(sizes); i++) {
    if (!ocf_str_is_nocase(letters, sizes[i].name))
      continue;
    if (err != 0 || n > UINT64_MAX / sizes[i].value)
      return OCF_ERANGE;
    *out = n * sizes[i].value;
    return 0;
  }
  return OCF_EINVAL;
}

void ocf_size_format(struct ocf_fmt *f, uint64_t n_bytes)
{
  size_t i = 0;
  while (i + 1 < BINARY_SIZES && (n_bytes == 0 || n_bytes % sizes[i].value != 0))
    i++;
  ocf_fmt_u64(f, n_bytes / sizes[i].value);
  ocf_fmt_str(f, sizes[i].name);
}

static size_t duration_unit(struct ocf_bytes name)
{
  size_t i = 0;
  while (i < OCF_ARRAY_LEN(durations) && !ocf_str_is(name, durations[i].name))
    i++;
  return i;
}

int ocf_duration_parse(struct ocf_bytes s, uint64_t *out_ns)
{
  uint64_t sum = 0;
  bool over = false;
  if (s.n == 0)
    return OCF_EINVAL;
  if (ocf_str_is(s, "0")) {
    *out_ns = 0;
    return 0;
  }
  for (size_t floor = 0; s.n > 0;) {
    uint64_t n = 0;
    struct ocf_bytes letters;
    int err = next_part(&s, &n, &letters);
    size_t unit = duration_unit(letters);
    if (err == OCF_EINVAL || unit < floor || unit >= OCF_ARRAY_LEN(durations))
      return OCF_EINVAL;
    floor = unit + 1;
    /* UINT64_MAX itself means "never", so the sum stays below it */
    over = over || err != 0 || n > (UINT64_MAX - 1 - sum) / durations[unit].value;
    sum += over ? 0 : n * durations[unit].value;
  }
  if (over)
    return OCF_ERANGE;
  *out_ns = sum;
  return 0;
}

void ocf_duration_format(struct ocf_fmt *f, uint64_t ns)
{
  if (ns == 0)
    ocf_fmt_str(f, "0s");
  for (size_t i = 0; i < OCF_ARRAY_LEN(durations); i++) {
    uint64_t n = ns / durations[i].value;
    if (n == 0)
      continue;
    ocf_fmt_u64(f, n);
    ocf_fmt_str(f, durations[i].name);
    ns -= n * durations[i].value;
  }
}
