/* Time values: uint64_t nanoseconds on a monotonic clock whose zero means nothing. Wall-clock time
 * is passed separately where a format needs it. No clock is read here. */
#ifndef OCF_BASE_TIME_TIME_H
#define OCF_BASE_TIME_TIME_H

#include <stdint.h>

#define OCF_TIME_NEVER UINT64_MAX
#define OCF_NS_PER_US UINT64_C(1000)
#define OCF_NS_PER_MS UINT64_C(1000000)
#define OCF_NS_PER_S UINT64_C(1000000000)

/* now + d, saturating at OCF_TIME_NEVER. */
static inline uint64_t ocf_time_add(uint64_t now_ns, uint64_t d_ns)
{
  return d_ns > OCF_TIME_NEVER - now_ns ? OCF_TIME_NEVER : now_ns + d_ns;
}

static inline uint64_t ocf_time_min(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

#endif
