/* Hierarchical timer wheel: O(1) start, stop and re-start of many timers with 1 ms resolution.
 * A timer never fires early; it fires in the first ocf_wheel_pop() at or after its deadline.
 * Belongs to one loop; holds no memory of its own. */
#ifndef OCF_BASE_TIME_WHEEL_H
#define OCF_BASE_TIME_WHEEL_H

#include "base/core/core.h"
#include "base/ds/list.h"
#include "base/time/time.h"

struct ocf_timer {
  struct ocf_list link;
  uint64_t deadline_ns; /* meaningful while pending */
  int kind;             /* the owner's: which timer this is */
};

enum { OCF_WHEEL_LEVELS = 6, OCF_WHEEL_SLOTS = 64 }; /* 64^6 ms: about 2 years; later ones are clamped */

struct ocf_wheel {
  struct ocf_list slots[OCF_WHEEL_LEVELS][OCF_WHEEL_SLOTS];
  uint64_t bits[OCF_WHEEL_LEVELS]; /* bit s set = slots[l][s] not empty */
  struct ocf_list due;             /* expired, waiting for ocf_wheel_pop */
  uint64_t tick;                   /* last processed time in ms */
};

void ocf_wheel_init(struct ocf_wheel *w, uint64_t now_ns);
/* (Re)starts `t`. A deadline in the past fires at the next pop. */
void ocf_wheel_start(struct ocf_wheel *w, struct ocf_timer *t, uint64_t deadline_ns);
/* Stops `t`; no effect when it is not pending. */
void ocf_wheel_stop(struct ocf_wheel *w, struct ocf_timer *t);
static inline bool ocf_timer_pending(const struct ocf_timer *t)
{
  return ocf_list_linked(&t->link);
}
/* The next expired timer, unlinked, in deadline order up to the resolution; NULL when none. */
struct ocf_timer *ocf_wheel_pop(struct ocf_wheel *w, uint64_t now_ns);
/* A time at or before the earliest deadline (never after it); OCF_TIME_NEVER when empty. */
uint64_t ocf_wheel_next(const struct ocf_wheel *w);

#endif
