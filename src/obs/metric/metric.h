/* Metrics: one table (config/metrics.inc), one array of numbers per loop, one page in Prometheus'
 * text format 0.0.4.
 *
 * struct ocf_metrics belongs to one loop and takes no lock: counting is an addition to an array
 * slot whose place the compiler knows. A page over k loops is made from copies: each loop copies
 * its own struct (plain assignment or memcpy), the copies are summed with ocf_metrics_merge(), and
 * the sum is written. It allocates nothing; the page grows a buffer that the caller bounds.
 *
 * A call names the metric by its id and its labels by the enumerators of their sets, in the order
 * of the table's row; an unused position is 0:
 *
 *   ocf_metric_inc3(m, OCF_METRIC_HTTP_REQUESTS, OCF_METRIC_ROUTE_P2P, OCF_METRIC_METHOD_GET,
 *                   OCF_METRIC_CODE_2XX);
 *
 * A label out of its set's range is our bug and asserted. Histograms keep 64-bit sums. */
#ifndef OCF_OBS_METRIC_METRIC_H
#define OCF_OBS_METRIC_METRIC_H

#include "base/buf/buf.h"
#include "base/core/core.h"

#include "../../../config/metrics.inc"

enum {
  OCF_METRIC_SERIES_MAX = 1000,  /* of one metric */
  OCF_METRIC_TEXT_MAX = 128,     /* bytes of a dynamic label's value, NUL included */
  OCF_METRIC_PAGE_MAX = 4 << 20, /* a buffer bound that every page fits in */
};

/* ---- made from the table ---- */

/* OCF_METRIC_ROUTE_HEALTH, … and OCF_METRIC_ROUTE_N, per label set. A dynamic set has no
 * enumerators but OCF_METRIC_SERVICE_OTHER = 0 and OCF_METRIC_SERVICE_N. */
#define OCF_METRIC_V(set, id, text) OCF_METRIC_##set##_##id,
#define OCF_METRIC_S(set, name)                                                                    \
  enum { OCF_METRIC_##set##_VALUES(OCF_METRIC_V) OCF_METRIC_##set##_N };
#define OCF_METRIC_D(set, name, cap)                                                               \
  enum { OCF_METRIC_##set##_OTHER, OCF_METRIC_##set##_N = (cap) + 1 };
OCF_METRIC_LABEL_SETS(OCF_METRIC_S, OCF_METRIC_D)
#undef OCF_METRIC_S
#undef OCF_METRIC_D

/* OCF_METRIC_SET_ROUTE, … */
#define OCF_METRIC_S(set, name) OCF_METRIC_SET_##set,
#define OCF_METRIC_D(set, name, cap) OCF_METRIC_SET_##set,
enum ocf_metric_set { OCF_METRIC_LABEL_SETS(OCF_METRIC_S, OCF_METRIC_D) OCF_METRIC_SET_N };
#undef OCF_METRIC_S
#undef OCF_METRIC_D

/* OCF_METRIC_HTTP_REQUESTS, … */
enum ocf_metric_id {
#define METRIC(kind, id, name, unit, l1, l2, l3, buckets, help) OCF_METRIC_##id,
#include "../../../config/metrics.inc"
  OCF_METRIC_N
};

/* Slots of one series: 1, or a histogram's buckets, +Inf and sum. */
#define OCF_METRIC_B(name, ...)                                                                    \
  enum { OCF_METRIC_BUCKETS_##name = sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t) };
OCF_METRIC_BUCKET_SETS(OCF_METRIC_B)
#undef OCF_METRIC_B
enum { OCF_METRIC_BUCKETS_NONE = -1 };

#define OCF_METRIC_SERIES(l1, l2, l3)                                                              \
  (OCF_METRIC_##l1##_N * OCF_METRIC_##l2##_N * OCF_METRIC_##l3##_N)
/* Gives each metric its place in one array of uint64_t. */
struct ocf_metric_layout {
#define METRIC(kind, id, name, unit, l1, l2, l3, buckets, help)                                    \
  uint64_t id[OCF_METRIC_SERIES(l1, l2, l3) * (OCF_METRIC_BUCKETS_##buckets + 2)];                 \
  _Static_assert(OCF_METRIC_SERIES(l1, l2, l3) <= OCF_METRIC_SERIES_MAX, "too many "               \
                                                                         "series: " name);
#include "../../../config/metrics.inc"
};

/* What the inline functions need of a row; constant-folded where the id is known. */
struct ocf_metric_place {
  uint16_t base, n1, n2, n3, slots;
};
static const struct ocf_metric_place ocf_metric_places[OCF_METRIC_N] = {
#define METRIC(kind, id, name, unit, l1, l2, l3, buckets, help)                                    \
  { offsetof(struct ocf_metric_layout, id) / sizeof(uint64_t), OCF_METRIC_##l1##_N,                \
    OCF_METRIC_##l2##_N, OCF_METRIC_##l3##_N, OCF_METRIC_BUCKETS_##buckets + 2 },
#include "../../../config/metrics.inc"
};

enum { OCF_METRIC_SLOTS = sizeof(struct ocf_metric_layout) / sizeof(uint64_t) };
_Static_assert(OCF_METRIC_SLOTS <= UINT16_MAX, "ocf_metric_place.base is too small");

/* ---- a loop's numbers ---- */

struct ocf_metrics {
  uint64_t v[OCF_METRIC_SLOTS]; /* gauges in two's complement */
  /* Values of the dynamic label sets; value i counts in position i + 1, 0 is "other". */
#define OCF_METRIC_S(set, name)
#define OCF_METRIC_D(set, name, cap)                                                               \
  uint16_t n_##set;                                                                                \
  char names_##set[cap][OCF_METRIC_TEXT_MAX];
  OCF_METRIC_LABEL_SETS(OCF_METRIC_S, OCF_METRIC_D)
#undef OCF_METRIC_S
#undef OCF_METRIC_D
};

/* All zero. */
void ocf_metrics_init(struct ocf_metrics *m);

/* The index of `text` in the dynamic set `set`, registered when new; OCF_METRIC_x_OTHER (0) when
 * the set is full or the text is empty or too long (never cut: two names would become one). */
unsigned ocf_metrics_label(struct ocf_metrics *m, enum ocf_metric_set set, const char *text);

/* Adds `src` to `dst`: counters, histograms and gauges are summed, GAUGE_MAX takes the larger.
 * Dynamic labels are matched by text, so loops may have registered them in different orders. */
void ocf_metrics_merge(struct ocf_metrics *dst, const struct ocf_metrics *src);

static inline size_t ocf_metric_index(enum ocf_metric_id id, unsigned l1, unsigned l2, unsigned l3)
{
  const struct ocf_metric_place *p = &ocf_metric_places[id];
  OCF_ASSERT(l1 < p->n1 && l2 < p->n2 && l3 < p->n3);
  return p->base + (((size_t)l1 * p->n2 + l2) * p->n3 + l3) * p->slots;
}

/* Counters. */
static inline void ocf_metric_add3(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                                   unsigned l2, unsigned l3, uint64_t n)
{
  m->v[ocf_metric_index(id, l1, l2, l3)] += n;
}
static inline void ocf_metric_add1(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                                   uint64_t n)
{
  ocf_metric_add3(m, id, l1, 0, 0, n);
}
static inline void ocf_metric_add(struct ocf_metrics *m, enum ocf_metric_id id, uint64_t n)
{
  ocf_metric_add3(m, id, 0, 0, 0, n);
}
static inline void ocf_metric_inc3(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                                   unsigned l2, unsigned l3)
{
  ocf_metric_add3(m, id, l1, l2, l3, 1);
}
static inline void ocf_metric_inc2(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                                   unsigned l2)
{
  ocf_metric_add3(m, id, l1, l2, 0, 1);
}
static inline void ocf_metric_inc1(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1)
{
  ocf_metric_add3(m, id, l1, 0, 0, 1);
}
static inline void ocf_metric_inc(struct ocf_metrics *m, enum ocf_metric_id id)
{
  ocf_metric_add3(m, id, 0, 0, 0, 1);
}

/* Gauges: set, or move by `n`, which may be negative. */
static inline void ocf_metric_set3(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                                   unsigned l2, unsigned l3, int64_t value)
{
  m->v[ocf_metric_index(id, l1, l2, l3)] = (uint64_t)value;
}
static inline void ocf_metric_move3(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                                    unsigned l2, unsigned l3, int64_t n)
{
  m->v[ocf_metric_index(id, l1, l2, l3)] += (uint64_t)n;
}

/* Histograms: one observation, in the row's own unit (ns for NS). */
void ocf_metric_observe3(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1, unsigned l2,
                         unsigned l3, uint64_t value);
static inline void ocf_metric_observe1(struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                                       uint64_t value)
{
  ocf_metric_observe3(m, id, l1, 0, 0, value);
}

/* The slot's number: a counter's or gauge's value, or a histogram's count of observations. For
 * tests and for a node that tells about itself. */
uint64_t ocf_metric_get3(const struct ocf_metrics *m, enum ocf_metric_id id, unsigned l1,
                         unsigned l2, unsigned l3);

/* ---- the page ---- */

/* The Content-Type of the page. */
#define OCF_METRIC_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* One name=value of the ocf_build_info series. */
struct ocf_metric_info {
  const char *name, *value;
};

/* Appends the page. Every metric has its HELP and TYPE; series that were never counted are told
 * only for metrics with few lines (40), so that the page stays short. `info` (n_info pairs, may
 * be 0) becomes ocf_build_info{…} 1. 0; OCF_ENOMEM or OCF_ELIMIT from the buffer, which then holds
 * a part. */
OCF_NODISCARD int ocf_metrics_write(const struct ocf_metrics *m, const struct ocf_metric_info *info,
                                    size_t n_info, struct ocf_buf *out);

/* The status class's enumerator, OCF_METRIC_CODE_2XX for 200; OCF_METRIC_CODE_NONE outside
 * 100..599. */
static inline unsigned ocf_metric_code(unsigned status)
{
  return status >= 100 && status <= 599 ? status / 100 : OCF_METRIC_CODE_NONE;
}

#endif
