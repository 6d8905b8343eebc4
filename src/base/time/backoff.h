/* Exponential back-off with jitter: how long to wait before the next attempt. A value; no clock. */
#ifndef OCF_BASE_TIME_BACKOFF_H
#define OCF_BASE_TIME_BACKOFF_H

#include "base/core/core.h"
#include "base/rng/rng.h"
#include "base/time/time.h"

/* With d = min(cap, base * 2^attempt), the wait is … */
enum ocf_backoff_jitter {
  OCF_BACKOFF_NONE,    /* d */
  OCF_BACKOFF_FULL,    /* uniform in [0, d] */
  OCF_BACKOFF_PARTIAL, /* uniform in [d / 2, d] */
};

struct ocf_backoff {
  uint64_t base_ns, cap_ns;
  enum ocf_backoff_jitter jitter;
  unsigned n_attempts; /* since init or reset; saturates */
};

/* base_ns > 0, base_ns <= cap_ns. */
void ocf_backoff_init(struct ocf_backoff *b, uint64_t base_ns, uint64_t cap_ns,
                      enum ocf_backoff_jitter jitter);
/* After a success: the next wait is a first one again. */
void ocf_backoff_reset(struct ocf_backoff *b);
/* The wait in ns before the next attempt; every call makes the following one longer. */
uint64_t ocf_backoff_next(struct ocf_backoff *b, struct ocf_rng *rng);

#endif
