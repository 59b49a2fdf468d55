/* children.h - the children of a supervisor: in the order of their start, and found by id and by
 * pid in constant time. */
#ifndef COPI_CHILDREN_H
#define COPI_CHILDREN_H

#include <coppice/supervisor.h>

#include "table.h"
#include "upkeep.h"

struct child {
    struct child *older, *younger;
    struct table_node by_id, by_pid;    /* by_pid: while UP */
    cop_child_spec spec;
    cop_pid pid;                        /* while UP; else the last one */
    enum cop_child_state state;
    bool waits;                         /* RESTARTING: for the gate (supervisor_restart.c) */
    bool retry_sent;                    /* the message of a retry without delay is on its way */
    struct upkeep upkeep;
    struct waiter *waiters, **waiters_end;      /* of await_restart (supervisor_calls.c) */
    size_t waiter_count, waiters_kept;  /* kept: when they were last looked through */
    _Alignas(16) char room[];           /* of the spec */
};

/* All zeroes: none. */
struct children {
    struct child *oldest, *youngest;
    struct table by_id, by_pid;
    size_t significant;                 /* significant children that are not DOWN */
};

struct child *copi_children_by_id(const struct children *children, const char *id);
struct child *copi_children_by_pid(const struct children *children, cop_pid pid);

/* Adds a child, DOWN, as the youngest; its id must be new. */
struct child *copi_children_add(struct children *children, const cop_child_spec *spec);

void copi_children_remove(struct children *children, struct child *child);

/* set_state is for DOWN and RESTARTING, and stops the child's timer.  set_up; again: as a
 * restart. */
void copi_children_set_up(struct children *children, struct child *child, cop_pid pid, bool again);
void copi_children_set_state(struct children *children, struct child *child,
                             enum cop_child_state state);

#endif
