/* live.h - the tree of a history as it runs.
 *
 * One run at a time has it. */
#ifndef SIM_LIVE_H
#define SIM_LIVE_H

#include "model.h"

extern struct plan live_plan;
extern struct story live_story;

extern struct live {
    union {
        cop_supervisor supervisor;
        cop_dynamic_supervisor dynamic;
    };
    cop_child_spec specs[CHILDREN_MAX];
    char id[12];
    int node;
    cop_pid pid;                        /* of the newest */
    int running, starts, ends;          /* of a worker */
} live[NODES_MAX];

/* [process] From live_plan; starts the top. */
void live_build(void);
cop_started live_start(void);

cop_child_spec live_spec(int node);

/* [process] Has a worker end by itself. */
void live_leave(int node, enum ending ending);

#endif
