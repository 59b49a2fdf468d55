/* abc.h - for stories of three workers under a supervisor named "top". */
#ifndef TEST_ABC_H
#define TEST_ABC_H

#include "top.h"

static struct worker a, b, c, d;      /* d is for those who come later */

#define ABC_START "a.1 starts\nb.1 starts\nc.1 starts\n--\n"

static inline void start_abc(enum cop_strategy strategy)
{
    static const cop_child_spec children[] = { WORKER(a), WORKER(b), WORKER(c) };
    start_top(&(cop_supervisor){ .strategy = strategy, COP_CHILDREN(children) });
}

static inline void raise_in(const char *name)
{
    worker_raise(name, "failed");
    settle();
}

#endif
