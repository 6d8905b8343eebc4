/* Minimum transfer rate as a deadline: what turns a slow sender away without timing honest pauses.
 *
 * A transfer begins with `grace` to spare; every byte buys 1/rate seconds, and no more than `grace`
 * can be saved up. So a peer at or above the rate never meets the deadline, one below it does after
 * its grace is used up, and a burst does not pay for a long silence. A value; time is passed in. */
#ifndef OCF_HTTP_H1_PACE_H
#define OCF_HTTP_H1_PACE_H

#include "base/core/core.h"

struct ocf_h1_pace {
  uint64_t deadline_ns; /* the transfer is too slow at this time; OCF_TIME_NEVER while paused */
  uint64_t grace_ns, ns_per_byte;
  uint64_t saved_ns; /* what was left when paused */
};

/* `bytes_per_s` 0 switches the check off. Usual values: 500 B/s, 10 s. */
void ocf_h1_pace_start(struct ocf_h1_pace *p, uint64_t now_ns, uint64_t bytes_per_s,
                       uint64_t grace_ns);
/* `n` bytes came at `now_ns`. */
void ocf_h1_pace_add(struct ocf_h1_pace *p, uint64_t now_ns, uint64_t n);
/* Stops the clock while we are the ones who do not read; resume restores what was left. */
void ocf_h1_pace_pause(struct ocf_h1_pace *p, uint64_t now_ns);
void ocf_h1_pace_resume(struct ocf_h1_pace *p, uint64_t now_ns);

static inline bool ocf_h1_pace_late(const struct ocf_h1_pace *p, uint64_t now_ns)
{
  return now_ns >= p->deadline_ns;
}

#endif
