#include "base/sm/sm.h"

#include <stdio.h>

static bool is_state(const struct ocf_sm *sm, int state)
{
  return state >= 0 && state < sm->n_states && sm->n_states <= OCF_SM_STATES_MAX;
}

bool ocf_sm_may(const struct ocf_sm *sm, int from, int to)
{
  return is_state(sm, from) && is_state(sm, to) && (sm->states[from].to & OCF_SM_TO(to)) != 0;
}

const char *ocf_sm_name(const struct ocf_sm *sm, int state)
{
  return is_state(sm, state) && sm->states[state].name != NULL ? sm->states[state].name : "?";
}

void ocf_sm_move(const struct ocf_sm *sm, int *state, int to)
{
  if (!ocf_sm_may(sm, *state, to)) {
    char text[160];
    (void)snprintf(text, sizeof(text), "%s may not move from %s to %s", sm->name,
                   ocf_sm_name(sm, *state), ocf_sm_name(sm, to));
    ocf_panic(__FILE__, __LINE__, text);
  }
  *state = to;
}

bool ocf_sm_is_final(const struct ocf_sm *sm, int state)
{
  OCF_ASSERT(is_state(sm, state));
  return (sm->states[state].to & ~OCF_SM_TO(state)) == 0;
}

bool ocf_sm_check(const struct ocf_sm *sm, int start)
{
  if (!is_state(sm, start))
    return false;
  uint32_t all = UINT32_MAX >> (OCF_SM_STATES_MAX - sm->n_states), reached = OCF_SM_TO(start);
  for (uint32_t before = 0; before != reached;) {
    before = reached;
    for (int s = 0; s < sm->n_states; s++) {
      if (sm->states[s].name == NULL || (sm->states[s].to & ~all) != 0)
        return false;
      if ((reached & OCF_SM_TO(s)) != 0)
        reached |= sm->states[s].to;
    }
  }
  return reached == all;
}
