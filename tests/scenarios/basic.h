/* The scenarios by file; each is described where it is written. */
#ifndef OCF_TESTS_SCENARIOS_BASIC_H
#define OCF_TESTS_SCENARIOS_BASIC_H

#include "stage.h"

void scenario_pair(struct stage *st);
void scenario_echo(struct stage *st);

#endif
