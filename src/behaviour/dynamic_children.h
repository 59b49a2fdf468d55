/* dynamic_children.h - the children of a dynamic supervisor: found by pid, and stopped all at
 * once. */
#ifndef COPI_DYNAMIC_CHILDREN_H
#define COPI_DYNAMIC_CHILDREN_H

#include "child.h"
#include "table.h"
#include "upkeep.h"

/* by_pid's key is the pid; while restarting, the one that it had.  There can be a million of them:
 * one that is started from the template alone is no more than this. */
struct dynamic_child {
    struct table_node by_pid;
    uint32_t argument_size;
    bool restarting;
    bool particular;                 /* a struct particular_child */
};

/* One with a spec, an argument or upkeep of its own. */
struct particular_child {
    struct dynamic_child child;
    const cop_child_spec *spec;      /* the template, or its own, behind it */
    const void *argument;            /* in place of the spec's; of bytes, behind it */
    struct upkeep *upkeep;           /* owned; or NULL if the spec does not need it */
};

struct dynamic_children {
    struct table by_pid;
    cop_child_spec *template_;       /* with its defaults, or NULL */
    size_t restarting;
    size_t supervisors;              /* of type supervisor */
};

static inline cop_pid copi_dynamic_pid(const struct dynamic_child *child)
{
    return (cop_pid){ child->by_pid.key };
}

static inline const cop_child_spec *copi_dynamic_spec(const struct dynamic_children *children,
                                                      const struct dynamic_child *child)
{
    if (!child->particular) return children->template_;
    return ((const struct particular_child *)child)->spec;
}

static inline struct upkeep *copi_dynamic_upkeep(const struct dynamic_child *child)
{
    return child->particular ? ((const struct particular_child *)child)->upkeep : NULL;
}

/* A template is copied. */
void copi_dynamic_init(struct dynamic_children *children, const cop_child_spec *template_);

/* Adds a child that runs: with its own spec, or from the template with an argument.  Both are
 * copied, without the argument of a child that is never started again. */
struct dynamic_child *copi_dynamic_add(struct dynamic_children *children,
                                       const cop_child_spec *spec, cop_pid pid);
struct dynamic_child *copi_dynamic_add_from(struct dynamic_children *children, const void *argument,
                                            size_t argument_size, cop_pid pid);

void copi_dynamic_remove(struct dynamic_children *children, struct dynamic_child *child);

struct dynamic_child *copi_dynamic_find(const struct dynamic_children *children, cop_pid pid);

/* All, in no order. */
struct dynamic_child *copi_dynamic_first(const struct dynamic_children *children);
struct dynamic_child *copi_dynamic_next(const struct dynamic_children *children,
                                        const struct dynamic_child *child);

/* What to start the child with: its spec, with its argument. */
cop_child_spec copi_dynamic_start_spec(const struct dynamic_children *children,
                                       const struct dynamic_child *child);

void copi_dynamic_set_restarting(struct dynamic_children *children, struct dynamic_child *child,
                                 bool restarting);

/* It runs again, as pid. */
void copi_dynamic_set_pid(struct dynamic_children *children, struct dynamic_child *child,
                          cop_pid pid);

/* When the process ends, and its memory with it: gives back the reasons that upkeep holds. */
void copi_dynamic_release_reasons(const struct dynamic_children *children);

/* At the supervisor's end: stops and removes all, in parallel; each has the time of its own
 * spec, and all together that of the tree's deadline (dynamic_stop.c). */
void copi_dynamic_stop_all(struct dynamic_children *children, struct keeper *keeper);

#endif
