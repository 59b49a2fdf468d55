/* victim.h - the gen_server that the supervision cases start, crash and count. */
#ifndef BENCH_VICTIM_H
#define BENCH_VICTIM_H

#include <coppice/coppice.h>

/* Its argument.  With an owner it takes the time as the last thing in init, and sends its owner a
 * child_started once its supervisor has been acknowledged, so that a kill can't hit a start under
 * way.  With a counter it adds one to it in init. */
struct victim_argument {
    cop_pid owner;       /* or no process */
    long tag;            /* comes back in child_started */
    _Atomic long *counter;   /* or NULL */
};

COP_MESSAGE(child_started, { cop_pid pid; long tag; int64_t time; });

extern const cop_gen_server victim;

/* The ways to end one, from another process. */
enum way { WAY_CRASH, WAY_KILL, WAY_SEGV };
void victim_strike(cop_pid pid, enum way way);

/* An intensity that is never reached. */
#define VICTIM_INTENSITY COP_MAX_RESTARTS(1000000000, 1)

/* [process] A table of `count` specs for victims with the ids "1", "2", ... and a zeroed argument
 * each (victim_argument_of), in memory of the caller. */
cop_child_spec *victim_specs(size_t count);
struct victim_argument *victim_argument_of(cop_child_spec *spec);

#endif
