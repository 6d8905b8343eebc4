/* Checked state machines: the states of a module and the moves between them as a table, and one
 * function through which every move goes.
 *
 *   enum { IDLE, DIALING, OPEN, N_STATES };
 *   static const struct ocf_sm conn_sm = {
 *     "conn", N_STATES, {
 *       [IDLE] = { "idle", OCF_SM_TO(DIALING) },
 *       [DIALING] = { "dialing", OCF_SM_TO(OPEN) | OCF_SM_TO(IDLE) },
 *       [OPEN] = { "open", OCF_SM_TO(IDLE) } } };
 *   ocf_sm_move(&conn_sm, &c->state, OPEN);
 *
 * A move that the table does not allow is a bug of ours and ends the process with the names of
 * machine and states. What a peer may cause is asked first, with ocf_sm_may(). The table is
 * constant and shared; the state is an int of the owner. */
#ifndef OCF_BASE_SM_SM_H
#define OCF_BASE_SM_SM_H

#include "base/core/core.h"

enum { OCF_SM_STATES_MAX = 32 };

#define OCF_SM_TO(state) (UINT32_C(1) << (state))

struct ocf_sm {
  const char *name;
  int n_states; /* 1 to OCF_SM_STATES_MAX, numbered from 0 */
  struct {
    const char *name;
    uint32_t to; /* OCF_SM_TO of every state that may follow; itself too, if staying is a move */
  } states[OCF_SM_STATES_MAX];
};

/* Whether `from` may be followed by `to`. Staying in a state is a move like any other. */
bool ocf_sm_may(const struct ocf_sm *sm, int from, int to);
/* Sets `*state` to `to`; panics when that is not allowed. */
void ocf_sm_move(const struct ocf_sm *sm, int *state, int to);
/* The state's name; "?" for a number that is no state. Never NULL. */
const char *ocf_sm_name(const struct ocf_sm *sm, int state);
/* Whether `state` can be left at all. */
bool ocf_sm_is_final(const struct ocf_sm *sm, int state);
/* Whether the table itself is sound: each state named, moves only to states that exist, and every
 * state reachable from `start`. For a test of the module that owns the table. */
bool ocf_sm_check(const struct ocf_sm *sm, int start);

#endif
