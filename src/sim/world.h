/* The simulated world: a virtual clock, a queue of events, randomness from one seed, and a hash of
 * everything that happened.
 *
 * One process, one thread, no real time: an event runs at its virtual time, events of one time run
 * in the order in which they were scheduled, and every choice comes from generators seeded by
 * (seed, purpose). So a seed repeats a run exactly, whatever the compiler, and the hash of the
 * trace shows it. Failures are told by ocf_sim_fail(), which stops the run; the first one counts.
 *
 * The simulator's own memory comes from `alloc` and must never run out (asserted); each simulated
 * node has an allocator of its own. */
#ifndef OCF_SIM_WORLD_H
#define OCF_SIM_WORLD_H

#include "base/core/core.h"
#include "base/ds/heap.h"
#include "base/ds/list.h"
#include "base/mem/alloc.h"
#include "base/rng/rng.h"
#include "base/time/time.h"
#include "crypto/hash/hash.h"

struct ocf_sim;

/* Something that will happen. Embedded in its owner, zeroed before first use; `fn` set before it is
 * scheduled. Not pending any more when `fn` runs. */
struct ocf_sim_event {
  struct ocf_heap_node node;
  uint64_t at_ns, seq;
  void (*fn)(struct ocf_sim *w, struct ocf_sim_event *e);
  bool pending;
};

/* What the trace records are about; the numbers are part of the hash. */
enum ocf_sim_trace_kind {
  OCF_SIM_TRACE_CONNECT = 1, /* a connection attempt: connection, machine */
  OCF_SIM_TRACE_UP,          /* it succeeded: connection */
  OCF_SIM_TRACE_READ,        /* bytes were read: connection and side, their offset, the bytes */
  OCF_SIM_TRACE_EOF,         /* the end of a stream was read */
  OCF_SIM_TRACE_CLOSED,      /* a socket failed: connection and side, error */
  OCF_SIM_TRACE_TURN,        /* a node's turn: machine */
  OCF_SIM_TRACE_FAULT,       /* a fault was injected: what, where */
  OCF_SIM_TRACE_RESULT,      /* a scripted client finished: number, outcome */
};

struct ocf_sim {
  uint64_t seed, now_ns;
  uint64_t seq, n_events;
  struct ocf_heap events; /* of ocf_sim_event.node */
  struct ocf_alloc alloc;
  struct ocf_rng rng; /* the network's choices */
  struct ocf_sha256 trace;
  uint64_t n_trace;
  bool failed;
  char why[512]; /* of the first failure */
  /* Log lines of the nodes; NULL: not wanted. Not part of the trace. */
  void (*log)(void *ctx, const char *host, const char *line, size_t n);
  void *log_ctx;
  /* Called after every event when not NULL: invariants that must hold at any time. */
  void (*check)(struct ocf_sim *w, void *ctx);
  void *check_ctx;
};

/* The virtual time at which every world begins; not 0, which code may take for "never". */
#define OCF_SIM_START_NS (100 * OCF_NS_PER_S)
/* The Unix time of that moment. */
#define OCF_SIM_WALL_NS (UINT64_C(1735689600) * OCF_NS_PER_S)

void ocf_sim_init(struct ocf_sim *w, uint64_t seed);
/* Every event must be cancelled and all memory given back: what is left is told by
 * ocf_sim_fail(). */
void ocf_sim_fini(struct ocf_sim *w);

/* A generator of its own for `purpose`, any number: independent of every other one. */
void ocf_sim_rng(const struct ocf_sim *w, uint64_t purpose, struct ocf_rng *out);

/* (Re)schedules `e`; a time in the past is now. */
void ocf_sim_at(struct ocf_sim *w, struct ocf_sim_event *e, uint64_t at_ns);
void ocf_sim_after(struct ocf_sim *w, struct ocf_sim_event *e, uint64_t delay_ns);
void ocf_sim_cancel(struct ocf_sim *w, struct ocf_sim_event *e);

/* Runs the next event. False when there is none or the world has failed. */
bool ocf_sim_step(struct ocf_sim *w);
/* Runs all events of the next `for_ns`; the clock ends there. False when the world has failed. */
bool ocf_sim_run(struct ocf_sim *w, uint64_t for_ns);
/* Runs until `done(ctx)`, which is asked after each event; false when the world failed first or
 * `for_ns` passed (that is no failure by itself). */
bool ocf_sim_run_until(struct ocf_sim *w, bool (*done)(void *ctx), void *ctx, uint64_t for_ns);

/* Notes the first failure, with the virtual time; later ones are dropped. */
void ocf_sim_fail(struct ocf_sim *w, const char *fmt, ...) OCF_PRINTF(2, 3);

/* Adds a record to the trace. Of more than 512 bytes the first and the last 256 count: a change
 * between them shows in the seals of the frames, in lengths and in times. */
void ocf_sim_trace(struct ocf_sim *w, enum ocf_sim_trace_kind kind, uint64_t a, uint64_t b,
                   const void *p, size_t n);
/* The hash of the trace so far. */
void ocf_sim_hash(const struct ocf_sim *w, uint8_t out[OCF_SHA256_LEN]);

/* True with a chance of `n` in `of`. */
bool ocf_sim_chance(struct ocf_sim *w, uint64_t n, uint64_t of);
/* Uniform in [lo, hi]. */
uint64_t ocf_sim_between(struct ocf_sim *w, uint64_t lo, uint64_t hi);

#endif
