/* family.h - where a process comes from: its parent, its group. */
#ifndef COPI_FAMILY_H
#define COPI_FAMILY_H

#include "process.h"

/* Before it is published: the child of parent, or of nobody (NULL).  The releases are for those who
 * read without a lock: family.c. */
static inline void copi_family_init(struct process *child, const struct process *parent)
{
    uint64_t pid = 0;
    uint16_t group = 0;
    if (parent != NULL) {
        pid = copi_pid(parent).bits;
        group = atomic_load_explicit(&parent->group, memory_order_relaxed);
    }
    atomic_store_explicit(&child->parent, pid, memory_order_release);
    atomic_store_explicit(&child->group, group, memory_order_release);
}

#endif
