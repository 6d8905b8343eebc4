#include "base/time/backoff.h"

void ocf_backoff_init(struct ocf_backoff *b, uint64_t base_ns, uint64_t cap_ns,
                      enum ocf_backoff_jitter jitter)
{
  OCF_ASSERT(base_ns > 0 && base_ns <= cap_ns && cap_ns < OCF_TIME_NEVER);
  *b = (struct ocf_backoff){ .base_ns = base_ns, .cap_ns = cap_ns, .jitter = jitter };
}

void ocf_backoff_reset(struct ocf_backoff *b)
{
  b->n_attempts = 0;
}

uint64_t ocf_backoff_next(struct ocf_backoff *b, struct ocf_rng *rng)
{
  unsigned n = b->n_attempts;
  bool capped = n >= 64 || b->base_ns > b->cap_ns >> n;
  uint64_t d = capped ? b->cap_ns : b->base_ns << n;
  if (!capped)
    b->n_attempts++; /* from the cap on, more attempts make no difference */
  switch (b->jitter) {
  case OCF_BACKOFF_FULL: return ocf_rng_below(rng, d + 1);
  case OCF_BACKOFF_PARTIAL: return d / 2 + ocf_rng_below(rng, d - d / 2 + 1);
  case OCF_BACKOFF_NONE: break;
  }
  return d;
}
