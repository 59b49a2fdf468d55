/* sim.h - where the runtime asks a simulation (coppice/sim.h) what is to happen.
 *
 * Nothing of it costs anything when none runs: while one does, options.shuffle is set, processes do
 * not switch to each other directly, and the limit of every stack is such that copi_enter takes
 * its slow way, which leads here.
 *
 * Threads: the one of a deterministic run. */
#ifndef COPI_SIM_H
#define COPI_SIM_H

#include <coppice/memory.h>
#include <coppice/sim.h>

#include "../base/scarcity.h"
#include "scheduler.h"

extern bool copi_sim_runs;

/* Between two turns: checks, decides, takes the process that is to run next; NULL: none. */
struct process *copi_sim_next(struct scheduler *scheduler);

/* In a process, about to begin the runtime's own work: may interrupt or end it. */
void copi_sim_moment(void);

/* Whether that fails here. */
bool copi_sim_decides(enum cop_sim_kind kind);
static inline bool copi_sim_fails(enum cop_sim_kind kind)
{
    return __builtin_expect(copi_sim_runs, 0) && copi_sim_decides(kind);
}

/* The process's own dice: what others draw, or do not, when a plan is made shorter is not to change
 * what it draws. */
struct random *copi_sim_random(const struct process *process);

/* Nothing can go on before the next timer: checks; returns how late that one is to be, in
 * nanoseconds. */
int64_t copi_sim_settled(void);

/* The system is asked for something by the library: scarcity.h's hook. */
bool copi_sim_refuses(enum scarce what, bool needed);

/* Whether there is no stack for the process, which then ends. */
bool copi_sim_stackless(struct process *process);

/* Nothing can go on before that time: whether somebody who is away comes back before it. */
bool copi_sim_returns(struct scheduler *scheduler, int64_t first_ns);

/* Whether a deferred action of the process, which has been taken off, crashes. */
bool copi_sim_cleanup_crashes(struct process *process, cop_cleanup *action);

/* Nothing will ever go on. */
void copi_sim_standstill(void);

/* The end of a process is about to be told: what others may see now must be right. */
void copi_sim_told(void);

/* The node has ended: what it has not given back. */
void copi_sim_left(size_t stacks, size_t blocks);

#endif
