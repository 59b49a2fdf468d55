/* story.h - the two stories that `make sim` tells, each a first process for cop_sim_run. */
#ifndef SIM_STORY_H
#define SIM_STORY_H

#include <stdio.h>

#include <coppice/sim.h>

/* A random tree, a random history, one thing after another: held against the model. */
void history(void *argument);
extern const cop_sim_options history_options;
extern FILE *history_told;      /* where to tell it as it goes on; NULL: nowhere */

/* A random tree whose processes talk while faults strike anywhere: invariants hold. */
void chaos(void *argument);
extern const cop_sim_options chaos_options;

#endif
