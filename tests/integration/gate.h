/* gate.h - a group in which b gets ready 50 ms after its start, and must within 100; at first all
 * runs, and the lines so far are forgotten. */
#ifndef TEST_GATE_H
#define TEST_GATE_H

#include "top.h"

static struct worker a, b, c, d;

static const cop_child_spec children[] = { WORKER(a), WORKER(b, .ready_ms = 100), WORKER(c),
                                           WORKER(d) };

static inline void start_with(const cop_supervisor *supervisor)
{
    b.ready_ms = AT_ONCE;
    start_it(supervisor);
    b.ready_ms = 50;
    settle();
    trace_reset();
}

static inline void start_group(enum cop_strategy strategy)
{
    start_with(&(cop_supervisor){ .strategy = strategy, .intensity = COP_MAX_RESTARTS(3, 5),
                                  COP_CHILDREN(children) });
}

#endif
