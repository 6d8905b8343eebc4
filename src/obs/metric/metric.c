#include "obs/metric/metric.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the table, as data ---- */

enum kind { COUNTER, GAUGE, GAUGE_MAX, HISTOGRAM };
enum unit { COUNT, BYTES, NS };

struct row {
  enum kind kind;
  enum unit unit;
  const char *name, *help;
  enum ocf_metric_set label[3];
  const uint64_t *bounds; /* histograms: slots - 2 of them */
};

struct label_set {
  const char *name;
  const char *const *values; /* NULL for a dynamic set */
};

#define OCF_METRIC_B(name, ...) static const uint64_t bounds_##name[] = { __VA_ARGS__ };
OCF_METRIC_BUCKET_SETS(OCF_METRIC_B)
#undef OCF_METRIC_B
#define bounds_NONE NULL

#define VALUE_TEXT(set, id, text) text,
#define OCF_METRIC_S(set, name)                                                                    \
  static const char *const values_##set[] = { OCF_METRIC_##set##_VALUES(VALUE_TEXT) };
#define OCF_METRIC_D(set, name, cap)
OCF_METRIC_LABEL_SETS(OCF_METRIC_S, OCF_METRIC_D)
#undef OCF_METRIC_S
#undef OCF_METRIC_D

#define OCF_METRIC_S(set, name) { name, values_##set },
#define OCF_METRIC_D(set, name, cap) { name, NULL },
static const struct label_set sets[OCF_METRIC_SET_N] = { OCF_METRIC_LABEL_SETS(OCF_METRIC_S,
                                                                               OCF_METRIC_D) };
#undef OCF_METRIC_S
#undef OCF_METRIC_D

static const struct row rows[OCF_METRIC_N] = {
#define METRIC(kind, id, name, unit, l1, l2, l3, buckets, help)                                    \
  { kind,                                                                                          \
    unit,                                                                                          \
    name,                                                                                          \
    help,                                                                                          \
    { OCF_METRIC_SET_##l1, OCF_METRIC_SET_##l2, OCF_METRIC_SET_##l3 },                             \
    bounds_##buckets },
#include "../../../config/metrics.inc"
};

static size_t n_series(enum ocf_metric_id id)
{
  const struct ocf_metric_place *p = &ocf_metric_places[id];
  return (size_t)p->n1 * p->n2 * p->n3;
}

/* ---- dynamic labels ---- */

struct names {
  uint16_t *n;
  size_t cap;
  char (*v)[OCF_METRIC_TEXT_MAX];
};

/* The registered values of a dynamic set; cap 0 for a fixed one. */
static struct names names_of(struct ocf_metrics *m, enum ocf_metric_set set)
{
#define OCF_METRIC_S(set_id, name)
#define OCF_METRIC_D(set_id, name, max)                                                            \
  if (set == OCF_METRIC_SET_##set_id)                                                              \
    return (struct names){ &m->n_##set_id, max, m->names_##set_id };
  OCF_METRIC_LABEL_SETS(OCF_METRIC_S, OCF_METRIC_D)
#undef OCF_METRIC_S
#undef OCF_METRIC_D
  return (struct names){ NULL, 0, NULL };
}

static unsigned find_name(const struct names *names, const char *text)
{
  for (unsigned i = 0; i < *names->n; i++)
    if (strcmp(names->v[i], text) == 0)
      return i + 1;
  return 0;
}

void ocf_metrics_init(struct ocf_metrics *m)
{
  memset(m, 0, sizeof(*m));
}

unsigned ocf_metrics_label(struct ocf_metrics *m, enum ocf_metric_set set, const char *text)
{
  struct names names = names_of(m, set);
  OCF_ASSERT(names.cap > 0); /* only dynamic sets have names */
  size_t n = strlen(text);
  if (n == 0 || n >= OCF_METRIC_TEXT_MAX)
    return 0;
  unsigned i = find_name(&names, text);
  if (i != 0 || *names.n >= names.cap)
    return i;
  memcpy(names.v[*names.n], text, n + 1);
  return ++*names.n;
}

/* ---- counting ---- */

void ocf_metric_observe3(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1, unsigned l2,
                         unsigned l3, uint64_t value)
{
  size_t at = ocf_metric_index(id, l1, l2, l3), slots = ocf_metric_places[id].slots, b = 0;
  OCF_ASSERT(rows[id].kind == HISTOGRAM);
  while (b < slots - 2 && value > rows[id].bounds[b])
    b++;
  m->v[at + b]++;
  m->v[at + slots - 1] += value;
}

static uint64_t sum_of(const uint64_t *v, size_t n)
{
  uint64_t total = 0;
  for (size_t i = 0; i < n; i++)
    total += v[i];
  return total;
}

uint64_t ocf_metric_get3(const struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                         unsigned l2, unsigned l3)
{
  size_t at = ocf_metric_index(id, l1, l2, l3);
  if (rows[id].kind != HISTOGRAM)
    return m->v[at];
  return sum_of(&m->v[at], ocf_metric_places[id].slots - 1u);
}

/* ---- merging ---- */

/* Where value `l` of a label in `src` stands in `dst`, which learns the name where it is new. */
static unsigned translate(struct ocf_metrics *dst, const struct ocf_metrics *src,
                          enum ocf_metric_set set, unsigned l)
{
#define OCF_METRIC_S(set_id, name)
#define OCF_METRIC_D(set_id, name, max)                                                            \
  if (set == OCF_METRIC_SET_##set_id)                                                              \
    return l == 0 || l > src->n_##set_id                                                           \
               ? 0                                                                                 \
               : ocf_metrics_label(dst, set, src->names_##set_id[l - 1]);
  OCF_METRIC_LABEL_SETS(OCF_METRIC_S, OCF_METRIC_D)
#undef OCF_METRIC_S
#undef OCF_METRIC_D
  return l;
}

static void merge_series(enum ocf_metric_id id, uint64_t *dst, const uint64_t *src)
{
  if (rows[id].kind == GAUGE_MAX) {
    if ((int64_t)*src > (int64_t)*dst)
      *dst = *src;
    return;
  }
  for (size_t i = 0; i < ocf_metric_places[id].slots; i++)
    dst[i] += src[i];
}

static void merge_metric(struct ocf_metrics *dst, const struct ocf_metrics *src,
                         enum ocf_metric_id id)
{
  const struct ocf_metric_place *p = &ocf_metric_places[id];
  for (unsigned a = 0; a < p->n1; a++)
    for (unsigned b = 0; b < p->n2; b++)
      for (unsigned c = 0; c < p->n3; c++) {
        size_t to = ocf_metric_index(id, translate(dst, src, rows[id].label[0], a),
                                     translate(dst, src, rows[id].label[1], b),
                                     translate(dst, src, rows[id].label[2], c));
        merge_series(id, &dst->v[to], &src->v[ocf_metric_index(id, a, b, c)]);
      }
}

void ocf_metrics_merge(struct ocf_metrics *dst, const struct ocf_metrics *src)
{
  for (int id = 0; id < OCF_METRIC_N; id++)
    merge_metric(dst, src, (enum ocf_metric_id)id);
}

/* ---- the page ---- */

enum { SHORT_LINES = 40 }; /* metrics with at most so many lines show those at zero too */

/* A help text's or label value's escapes: backslash and newline, in values the quote too. */
static int add_escaped(struct ocf_buf *out, const char *s, bool quoted)
{
  int err = 0;
  for (; err == 0 && *s != '\0'; s++) {
    if (*s == '\n')
      err = ocf_buf_add_str(out, "\\n");
    else if (*s == '\\' || (quoted && *s == '"'))
      err = ocf_buf_printf(out, "\\%c", *s);
    else
      err = ocf_buf_add_u8(out, (uint8_t)*s);
  }
  return err;
}

/* Nanoseconds as seconds with all their digits and no more; other units as they are. */
static void number(enum unit unit, bool is_signed, uint64_t v, char *dst, size_t cap)
{
  bool minus = is_signed && (int64_t)v < 0;
  if (minus)
    v = 0 - v;
  if (unit != NS) {
    (void)snprintf(dst, cap, "%s%" PRIu64, minus ? "-" : "", v);
    return;
  }
  int n = snprintf(dst, cap, "%s%" PRIu64 ".%09" PRIu64, minus ? "-" : "", v / 1000000000,
                   v % 1000000000);
  while (n > 0 && dst[n - 1] == '0')
    n--;
  dst[dst[n - 1] == '.' ? n - 1 : n] = '\0';
}

static const char *label_text(const struct ocf_metrics *m, enum ocf_metric_set set, unsigned l)
{
#define OCF_METRIC_S(set_id, name)
#define OCF_METRIC_D(set_id, name, max)                                                            \
  if (set == OCF_METRIC_SET_##set_id)                                                              \
    return l == 0 ? "other" : l <= m->n_##set_id ? m->names_##set_id[l - 1] : NULL;
  OCF_METRIC_LABEL_SETS(OCF_METRIC_S, OCF_METRIC_D)
#undef OCF_METRIC_S
#undef OCF_METRIC_D
  return sets[set].values[l];
}

static int add_label(struct ocf_buf *out, const char *name, const char *value, bool *any)
{
  int err = ocf_buf_printf(out, "%s%s=\"", *any ? "," : "{", name);
  *any = true;
  if (err == 0)
    err = add_escaped(out, value, true);
  return err != 0 ? err : ocf_buf_add_u8(out, '"');
}

/* One line: ocf_<name><suffix>{labels,le="…"} value. `le` may be NULL. */
static int add_sample(const struct ocf_metrics *m, const struct row *r, const char *suffix,
                      const unsigned l[3], const char *le, const char *value, struct ocf_buf *out)
{
  bool any = false;
  int err = ocf_buf_printf(out, "ocf_%s%s", r->name, suffix);
  for (size_t i = 0; err == 0 && i < 3; i++)
    if (r->label[i] != OCF_METRIC_SET_NONE)
      err = add_label(out, sets[r->label[i]].name, label_text(m, r->label[i], l[i]), &any);
  if (err == 0 && le != NULL)
    err = add_label(out, "le", le, &any);
  return err != 0 ? err : ocf_buf_printf(out, "%s %s\n", any ? "}" : "", value);
}

static int add_histogram(const struct ocf_metrics *m, enum ocf_metric_id id, const uint64_t *v,
                         const unsigned l[3], struct ocf_buf *out)
{
  const struct row *r = &rows[id];
  size_t n_bounds = ocf_metric_places[id].slots - 2u;
  uint64_t total = 0;
  char le[48], text[48];
  int err = 0;
  for (size_t b = 0; err == 0 && b <= n_bounds; b++) {
    total += v[b];
    if (b < n_bounds)
      number(r->unit, false, r->bounds[b], le, sizeof(le));
    number(COUNT, false, total, text, sizeof(text));
    err = add_sample(m, r, "_bucket", l, b < n_bounds ? le : "+Inf", text, out);
  }
  if (err != 0)
    return err;
  number(r->unit, false, v[n_bounds + 1], text, sizeof(text));
  err = add_sample(m, r, "_sum", l, NULL, text, out);
  number(COUNT, false, total, text, sizeof(text));
  return err != 0 ? err : add_sample(m, r, "_count", l, NULL, text, out);
}

/* Whether a series belongs on the page. A registered service shows at zero: "service_up 0" is the
 * line that matters most. */
static bool shown(const struct ocf_metrics *m, enum ocf_metric_id id, const uint64_t *v,
                  const unsigned l[3])
{
  bool counted = false, unnamed = false;
  for (size_t i = 0; i < 3; i++) {
    if (label_text(m, rows[id].label[i], l[i]) == NULL)
      return false; /* not registered */
    unnamed = unnamed || (sets[rows[id].label[i]].values == NULL && l[i] == 0);
  }
  for (size_t i = 0; !counted && i < ocf_metric_places[id].slots; i++)
    counted = v[i] != 0;
  return counted || (!unnamed && (n_series(id) * ocf_metric_places[id].slots <= SHORT_LINES ||
                                  rows[id].kind == GAUGE_MAX));
}

static int add_series(const struct ocf_metrics *m, enum ocf_metric_id id, const unsigned l[3],
                      struct ocf_buf *out)
{
  const uint64_t *v = &m->v[ocf_metric_index(id, l[0], l[1], l[2])];
  const struct row *r = &rows[id];
  char text[48];
  if (!shown(m, id, v, l))
    return 0;
  if (r->kind == HISTOGRAM)
    return add_histogram(m, id, v, l, out);
  number(r->unit, r->kind != COUNTER, *v, text, sizeof(text));
  return add_sample(m, r, "", l, NULL, text, out);
}

static int add_head(struct ocf_buf *out, const char *name, const char *type, const char *help)
{
  int err = ocf_buf_printf(out, "# HELP ocf_%s ", name);
  if (err == 0)
    err = add_escaped(out, help, false);
  return err != 0 ? err : ocf_buf_printf(out, "\n# TYPE ocf_%s %s\n", name, type);
}

static int add_metric(const struct ocf_metrics *m, enum ocf_metric_id id, struct ocf_buf *out)
{
  static const char *const types[] = { "counter", "gauge", "gauge", "histogram" };
  const struct ocf_metric_place *p = &ocf_metric_places[id];
  unsigned l[3];
  int err = add_head(out, rows[id].name, types[rows[id].kind], rows[id].help);
  for (l[0] = 0; l[0] < p->n1; l[0]++)
    for (l[1] = 0; l[1] < p->n2; l[1]++)
      for (l[2] = 0; err == 0 && l[2] < p->n3; l[2]++)
        err = add_series(m, id, l, out);
  return err;
}

int ocf_metrics_write(const struct ocf_metrics *m, const struct ocf_metric_info *info,
                      size_t n_info, struct ocf_buf *out)
{
  bool any = false;
  int err = 0;
  if (n_info > 0) {
    err = add_head(out, "build_info", "gauge", "What this program was made from; the value is 1.");
    if (err == 0)
      err = ocf_buf_add_str(out, "ocf_build_info");
    for (size_t i = 0; err == 0 && i < n_info; i++)
      err = add_label(out, info[i].name, info[i].value, &any);
    if (err == 0)
      err = ocf_buf_add_str(out, "} 1\n");
  }
  for (int id = 0; err == 0 && id < OCF_METRIC_N; id++)
    err = add_metric(m, (enum ocf_metric_id)id, out);
  return err;
}
