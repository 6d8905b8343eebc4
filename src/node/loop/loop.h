/* What everything on one loop shares: memory, time, timers, buffers, log, metrics, the driver.
 *
 * One per loop, owned by the node of that loop and passed down; nothing here is global. The driver
 * calls into the node with the current time; the node stores it in `now_ns` at each entry, so that
 * code below reads one consistent time per event. */
#ifndef OCF_NODE_LOOP_LOOP_H
#define OCF_NODE_LOOP_LOOP_H

#include "base/buf/queue.h"
#include "base/core/core.h"
#include "base/ds/list.h"
#include "base/log/log.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "base/time/wheel.h"
#include "node/env/env.h"

struct ocf_metrics;

/* A timer with its handler. Embedded in its owner; init once, then start and stop at will. */
struct ocf_alarm {
  struct ocf_timer timer;
  void (*fire)(struct ocf_alarm *alarm);
};

/* Something to do once at the end of the current turn, before the loop sleeps: flush a socket,
 * start the next pipelined request. Embedded in its owner. */
struct ocf_deferred {
  struct ocf_list link;
  void (*run)(struct ocf_deferred *d);
};

enum { OCF_LOOP_RX_SIZE = 128 * 1024 }; /* bytes of the shared receive buffer */

struct ocf_loop {
  struct ocf_env *env;
  struct ocf_alloc *alloc;
  struct ocf_rng *rng;
  const struct ocf_log *log;
  struct ocf_metrics *metrics; /* may be NULL in tests */
  uint64_t now_ns;
  struct ocf_wheel wheel;
  struct ocf_chunk_pool chunks;
  struct ocf_list deferred; /* of ocf_deferred.link */
  struct ocf_list closing;  /* node/chan's: given up by their users, still sending or waiting */
  uint8_t *rx_memory;
  uint8_t *rx; /* OCF_LOOP_RX_SIZE bytes in it, aligned, lent to one read at a time */
};

/* Borrows every pointer for its own lifetime. 0 or OCF_ENOMEM. */
OCF_NODISCARD int ocf_loop_init(struct ocf_loop *l, struct ocf_env *env, struct ocf_alloc *alloc,
                                struct ocf_rng *rng, const struct ocf_log *log,
                                struct ocf_metrics *metrics, uint64_t now_ns);
/* Every alarm must be stopped and every queue empty. */
void ocf_loop_fini(struct ocf_loop *l);

/* (Re)starts `a` to fire `after_ns` from now; `fire` must be set. */
void ocf_alarm_start(struct ocf_loop *l, struct ocf_alarm *a, uint64_t after_ns);
void ocf_alarm_stop(struct ocf_loop *l, struct ocf_alarm *a);
/* Fires everything that is due at l->now_ns. */
void ocf_loop_fire(struct ocf_loop *l);

/* Runs `d` once in this turn's end; scheduling it twice is one run. */
void ocf_defer(struct ocf_loop *l, struct ocf_deferred *d);
void ocf_defer_cancel(struct ocf_deferred *d);
/* Runs what is deferred, including what that defers in turn. */
void ocf_loop_run_deferred(struct ocf_loop *l);

#endif
