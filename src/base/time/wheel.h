/* Hierarchical timer wheel: O(1) start, stop and re-start of many timers.
 *
 * A timer never fires early, not by one ns; it fires in the first ocf_wheel_pop() at or after its
 * deadline. Slots are 1 ms wide; timers that share the present ms are kept sorted, so starting one
 * with a deadline that is already past or within this ms costs a walk over those after it.
 *
 * Belongs to one loop; holds no memory of its own; timers are the owner's, zeroed before first use,
 * and must be stopped or popped before they go away. */
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

enum { OCF_WHEEL_LEVELS = 6, OCF_WHEEL_SLOTS = 64 }; /* 64^6 ms: about 2 years */

struct ocf_wheel {
  struct ocf_list slots[OCF_WHEEL_LEVELS][OCF_WHEEL_SLOTS];
  uint64_t bits[OCF_WHEEL_LEVELS]; /* bit s set = slots[l][s] not empty */
  struct ocf_list due;             /* this ms or earlier, sorted by deadline, for ocf_wheel_pop */
  struct ocf_list far;             /* beyond the span of the levels */
  uint64_t tick;                   /* last processed time in ms */
};

void ocf_wheel_init(struct ocf_wheel *w, uint64_t now_ns);
/* (Re)starts `t`. A deadline in the past fires at the next pop; OCF_TIME_NEVER stays pending. */
void ocf_wheel_start(struct ocf_wheel *w, struct ocf_timer *t, uint64_t deadline_ns);
/* Stops `t`; no effect when it is not pending. */
void ocf_wheel_stop(struct ocf_wheel *w, struct ocf_timer *t);
static inline bool ocf_timer_pending(const struct ocf_timer *t)
{
  return ocf_list_linked(&t->link);
}
/* The next expired timer, unlinked, in deadline order, the older start first among equals; NULL
 * when none. A `now_ns` that goes backwards expires nothing new and does no harm. */
struct ocf_timer *ocf_wheel_pop(struct ocf_wheel *w, uint64_t now_ns);
/* A time at or before the earliest deadline (never after it); OCF_TIME_NEVER when empty. It may be
 * early, since a slot's start stands for the timers in it: the caller then finds nothing to pop and
 * asks again, at most OCF_WHEEL_LEVELS + 1 times for one timer (and once in 2 years). O(levels). */
uint64_t ocf_wheel_next(const struct ocf_wheel *w);

#endif
