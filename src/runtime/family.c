/* family.c - see family.h.
 *
 * A process's parent and group are read by others without a lock, while it may end and its slot be
 * given to another process.  Reader: pid, field, pid again; the field counts if both pids are the
 * one that is meant.  Partner: the birth of a successor, which writes the field after the old pid
 * was cleared.  The field's store is a release and its load an acquire, so whoever reads a
 * successor's value also sees, in the second look, that the old pid is gone; with anything weaker
 * the second look could still give the old pid. */
#include "family.h"

#include "../base/assert.h"
#include "scheduler.h"

/* ---- ancestors ------------------------------------------------------------------------- */

cop_pid cop_parent(void)
{
    const struct process *self = copi_self_checked("cop_parent");
    return (cop_pid){ atomic_load_explicit(&self->parent, memory_order_relaxed) };
}

/* The parent of a living process; no process if it has none or does not live. */
static cop_pid parent_of(cop_pid pid)
{
    const struct process *process = copi_process_alive(pid);
    if (process == NULL)
        return COP_NO_PID;
    cop_pid parent = { atomic_load_explicit(&process->parent, memory_order_acquire) };
    return copi_process_alive(pid) == process ? parent : COP_NO_PID;
}

size_t cop_ancestors(cop_pid *ret_pids, size_t room)
{
    size_t count = 0;
    cop_pid pid = cop_parent();
    for (; !cop_pid_is_none(pid); pid = parent_of(pid)) {
        if (count < room)
            ret_pids[count] = pid;
        count++;
    }
    return count;
}

/* Walks up from a process, a few steps for each: trees are flat. */
static bool descends_from(cop_pid pid, cop_pid ancestor)
{
    do
        pid = parent_of(pid);
    while (!cop_pid_is_none(pid) && !cop_pid_equal(pid, ancestor));
    return !cop_pid_is_none(pid);
}

size_t cop_descendants(cop_pid ancestor, cop_pid *ret_pids, size_t room)
{
    size_t count = 0;
    size_t cursor = 0;
    cop_pid pid;
    if (cop_pid_is_none(ancestor))
        return 0;
    while (!cop_pid_is_none(pid = copi_processes_next(&cursor))) {
        if (!descends_from(pid, ancestor))
            continue;
        if (count < room)
            ret_pids[count] = pid;
        count++;
    }
    return count;
}

/* ---- groups ---------------------------------------------------------------------------- */

unsigned cop_group(void)
{
    const struct process *self = copi_self_checked("cop_group");
    return atomic_load_explicit(&self->group, memory_order_relaxed);
}

int cop_join_group(unsigned group)
{
    struct process *self = copi_self_checked("cop_join_group");
    if (group > COP_GROUP_MAX)
        return COP_EINVAL;
    atomic_store_explicit(&self->group, (uint16_t)group, memory_order_release);
    return COP_OK;
}

size_t cop_group_members(unsigned group, cop_pid *ret_pids, size_t room)
{
    size_t count = 0;
    size_t cursor = 0;
    cop_pid pid;
    while (!cop_pid_is_none(pid = copi_processes_next(&cursor))) {
        const struct process *process = copi_process_slot(pid);
        if (atomic_load_explicit(&process->group, memory_order_acquire) != group ||
            copi_process_alive(pid) != process)
            continue;
        if (count < room)
            ret_pids[count] = pid;
        count++;
    }
    return count;
}
