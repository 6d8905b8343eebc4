/* Worlds of mesh members: what the scenarios of the registry share. Host 0 is the bootstrap that
 * the others know, unless a scenario links them otherwise. */
#ifndef OCF_TESTS_SCENARIOS_REG_H
#define OCF_TESTS_SCENARIOS_REG_H

#include "basic.h"

/* `n` hosts that are members: the first `heads` as heads, the others as workers, each with a
 * scripted service "svc" of the identity group "model=m<index>". None runs. */
void reg_hosts(struct stage *st, size_t n, size_t heads, bool disk);
/* Starts host `i` and tells it of host `boot` (itself: of nobody), which it keeps dialling. */
void reg_start(struct stage *st, size_t i, size_t boot);
/* All of them, each knowing host 0. */
void reg_start_all(struct stage *st);
/* From now on host `i` offers `group` instead. */
void reg_offer(struct stage *st, size_t i, const char *group);

struct ocf_mesh_stats reg_stats(const struct stage *st, size_t at);
/* What `at` shows of `of`; NULL: no row, or none that is visible. */
const struct ocf_table_row *reg_row(const struct stage *st, size_t at, size_t of);
/* Whether `at` shows that `of` offers svc with `group`, and would route there if `routable`. */
bool reg_shows(const struct stage *st, size_t at, size_t of, const char *group, bool routable);
/* Whether `at` would route to `of` at all. */
bool reg_routes(const struct stage *st, size_t at, size_t of);

/* Asks `done` every 20 ms. False when `ns` passed first (that is no failure by itself). */
bool reg_wait(struct stage *st, bool (*done)(struct stage *st), uint64_t ns);
/* Every running host shows every other running one with its own group. */
bool reg_converged(struct stage *st);
/* Claims that it comes within `ns`, names a pair that lacks it, and tells how long it took. */
uint64_t reg_converge(struct stage *st, uint64_t ns);
/* Bytes that all running nodes have sent. */
uint64_t reg_wire_bytes(const struct stage *st);
/* Stops all hosts in order; what leaks is a failure. */
void reg_stop_all(struct stage *st);

/* GET or POST /v1/service/svc<path> through the head `at`, asking for `group`. */
struct ocf_sim_plan reg_plan(struct stage *st, size_t at, const char *path);

#endif
