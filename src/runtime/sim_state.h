/* sim_state.h - a simulation under way: what sim.c and sim_run.c share. */
#ifndef COPI_SIM_STATE_H
#define COPI_SIM_STATE_H

#include "sim.h"

/* What a run leaves: in memory that a child of fork shares with who reads it. */
struct sim_record {
    bool ended;                     /* cop_run has returned; else the child died */
    int status;
    uint64_t steps, trace;
    uint64_t moments[COP_SIM_KINDS];
    int64_t virtual_ns;
    char failure[COP_SIM_NAME_MAX + 1];
    char detail[192];
    uint64_t failed_step;
    int64_t failed_ns;
    size_t decisions;
    cop_sim_decision plan[COP_SIM_PLAN_MAX];
};

struct sim_check {
    const char *name;
    cop_sim_holds *holds;
    void *context;
    bool settled;                   /* checked only then */
};

/* A process's own, from its first cop_random on. */
struct sim_dice { cop_pid pid; struct random random; };
enum { SIM_DICE = 256 };

struct sim {
    cop_sim_options options;
    struct sim_dice dice[SIM_DICE];
    struct random random;           /* of the decisions; the processes' is the scheduler's */
    struct sim_record *record;
    size_t next[COP_SIM_KINDS];     /* of options.plan: all of that kind before it are past */
    bool quiet;                     /* within a decision: the next moments do not count */
    bool over;                      /* has failed, or ends: no more checks and faults */
    bool stepped;                   /* a turn was had since the last check */
    struct sim_check checks[COP_SIM_CHECKS_MAX];
    size_t check_count;
};

extern struct sim copi_sim;

#endif
