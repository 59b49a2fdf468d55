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

enum { COPI_SIM_HUNG_MAX = 64 };

struct sim {
    cop_sim_options options;
    struct sim_dice dice[SIM_DICE];
    struct random random;           /* of the decisions; the processes' is the scheduler's */
    struct sim_record *record;
    size_t next[COP_SIM_KINDS];     /* of options.plan: all of that kind before it are past */
    bool quiet;                     /* within a decision: the next moments do not count */
    bool over;                      /* has failed, or ends: no more checks and faults */
    bool stepped;                   /* a turn was had since the last check */
    struct sim_hung {
        struct process *process;
        int64_t until_ns;
    } hung[COPI_SIM_HUNG_MAX];      /* taken out of the run queue until then */
    size_t hung_count;
    struct sim_check checks[COP_SIM_CHECKS_MAX];
    size_t check_count;
};

extern struct sim copi_sim;

/* ---- sim.c's, for sim_fault.c ---- */

/* Whether it is decided at this moment; its value is below `values`, or one from the plan. */
bool copi_sim_draw(enum cop_sim_kind kind, uint64_t values, int64_t *ret_value);
void copi_sim_note(enum cop_sim_kind kind, int64_t value, cop_pid process);

/* Whether faults may strike the process; which one is `index` places behind the first that they
 * may, around in a circle, or NULL. */
bool copi_sim_strikes(const struct process *process);
struct process *copi_sim_victim(uint64_t index);

/* ---- sim_fault.c's, for sim.c ---- */

/* Between two turns: the clock jumps, messages arrive. */
void copi_sim_strike(void);

/* Whether the process, which is in no queue, stays away instead of having a turn. */
bool copi_sim_hangs(struct process *process);

/* Those who have been away for long enough, or are to be killed, can run again. */
void copi_sim_return(struct scheduler *scheduler);

#endif
