/* node.h - the running node: what all schedulers share. */
#ifndef COPI_NODE_H
#define COPI_NODE_H

#include <stdatomic.h>
#include <sys/types.h>

#include <coppice/runtime.h>

#include "scheduler.h"

struct node {
    cop_run_options options;
    int schedulers;
    int all;                             /* schedulers and their spares */
    bool spins;                          /* an idle scheduler looks around before it parks */
    struct scheduler *scheduler;         /* all of them */
    pid_t pid;
    int64_t start_ns;
    int64_t virtual_ns;                  /* deterministic: the clock, scheduler 0's */
    _Atomic bool running;
    _Atomic bool stopping;               /* every process is killed, also at its birth */
    _Atomic int idle;                    /* schedulers that are parked or about to be */
    _Atomic int standing_in;             /* spares that are not parked */
    _Atomic int watchers;                /* those of them that look again by themselves */
    _Atomic unsigned core_files;         /* tried so far */
    cop_pid main;
    int status;                          /* what cop_run returns */
    _Atomic int halt_status;             /* given to cop_halt, or -1 */
};

extern struct node copi_node;

/* Whether this run is one of the hostile build's that keeps no order. */
static inline bool copi_hostile(void)
{
    return COPI_HOSTILE && (!copi_node.options.deterministic || copi_node.options.shuffle);
}

/* In a process, at the beginning of a function that it calls: the hostile build gives the others a
 * turn. */
void copi_give_turn(void);
static inline void copi_turn(void)
{
    if (COPI_HOSTILE)
        copi_give_turn();
}

/* The runtime's time. */
int64_t copi_now(void);

/* By the monitor: the spare's thread runs, or is started now; false if the system refuses. */
bool copi_spare_start(struct scheduler *spare);

/* By the process table: the last process has gone; by process.c: the first one ends. */
void copi_node_empty(void);
void copi_node_main_ended(const cop_reason *reason);

#endif
