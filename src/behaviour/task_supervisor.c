/* task_supervisor.c - a supervisor of tasks: a dynamic supervisor, and the tasks that are its
 * children. */
#include "task.h"

#include <assert.h>

#include <coppice/memory.h>

/* ---- starting a task --------------------------------------------------------------- */

/* A child's start function, in the supervisor.  It does not wait: there is nothing to fail. */
static cop_started start_task(const void *module, const void *argument, size_t argument_size)
{
    (void)module;
    cop_pid pid = cop_spawn_opt(copi_task_main, argument, argument_size,
                                &(cop_spawn_options){ .link = true, .label = "task" });
    return (cop_started){ cop_pid_is_none(pid) ? COP_ENOMEM : COP_OK, pid, NULL };
}

static cop_started start_under(cop_dest supervisor, const struct task_work *work, size_t size,
                               enum cop_restart restart, cop_shutdown shutdown)
{
    const cop_child_spec spec = {
        .id = "task",
        .start = start_task,
        .argument = work,
        .argument_size = size,
        .restart = restart,
        .shutdown = shutdown,
    };
    return cop_dynamic_supervisor_start_child(supervisor, &spec);
}

static cop_task async_under(cop_dest supervisor, cop_task_function *function, const void *argument,
                            size_t size, bool link, cop_shutdown shutdown)
{
    int error = copi_task_check_work(function, argument, size);
    if (error != COP_OK) return copi_task_not_started(error);
    struct task_work blocked = { .owner = cop_self() };
    cop_started started =
        start_under(supervisor, &blocked, sizeof blocked, COP_TEMPORARY, shutdown);
    cop_reason_unref(started.reason);
    if (started.error != COP_OK) return copi_task_not_started(started.error);

    if (link) error = cop_link(started.pid);
    if (error != COP_OK) return copi_task_not_started(error);
    cop_ref ref = cop_monitor_opt(cop_to(started.pid), COP_ALIAS_DEMONITOR);
    cop_task task = { COP_OK, started.pid, ref };
    copi_task_hand_over(task, function, argument, size);
    return task;
}

cop_task cop_task_supervisor_async(cop_dest supervisor, cop_task_function *function,
                                   const void *argument, size_t size)
{
    return async_under(supervisor, function, argument, size, true, (cop_shutdown){ 0 });
}

cop_task cop_task_supervisor_async_nolink(cop_dest supervisor, cop_task_function *function,
                                          const void *argument, size_t size)
{
    return async_under(supervisor, function, argument, size, false, (cop_shutdown){ 0 });
}

cop_task cop_task_supervisor_async_opt(cop_dest supervisor, cop_task_function *function,
                                       const void *argument, size_t size, cop_shutdown shutdown)
{
    return async_under(supervisor, function, argument, size, true, shutdown);
}

cop_task cop_task_supervisor_async_nolink_opt(cop_dest supervisor, cop_task_function *function,
                                              const void *argument, size_t size,
                                              cop_shutdown shutdown)
{
    return async_under(supervisor, function, argument, size, false, shutdown);
}

cop_started cop_task_supervisor_start_child_opt(cop_dest supervisor, cop_task_function *function,
                                                const void *argument, size_t size,
                                                enum cop_restart restart, cop_shutdown shutdown)
{
    int error = copi_task_check_work(function, argument, size);
    if (error != COP_OK) return (cop_started){ error, COP_NO_PID, NULL };
    size_t block_size;
    struct task_work *work = copi_task_pack(function, argument, size, &block_size);
    cop_started started = start_under(supervisor, work, block_size, restart, shutdown);
    cop_free(work);
    return started;
}

cop_started cop_task_supervisor_start_child(cop_dest supervisor, cop_task_function *function,
                                            const void *argument, size_t size)
{
    return cop_task_supervisor_start_child_opt(supervisor, function, argument, size,
                                               COP_TEMPORARY, (cop_shutdown){ 0 });
}

/* ---- the children ------------------------------------------------------------------ */

int cop_task_supervisor_terminate_child(cop_dest supervisor, cop_pid task)
{
    return cop_dynamic_supervisor_terminate_child(supervisor, task);
}

int cop_task_supervisor_children(cop_dest supervisor, cop_pid **ret_pids, size_t *ret_count)
{
    cop_child_info *children;
    size_t count;
    int error = cop_dynamic_supervisor_which_children(supervisor, &children, &count);
    if (error != COP_OK) return error;
    cop_pid *pids = cop_alloc(count * sizeof *pids);
    size_t running = 0;
    for (size_t i = 0; i < count; i++) {
        if (children[i].state == COP_CHILD_UP) pids[running++] = children[i].pid;
    }
    assert(running <= count);
    cop_free(children);
    *ret_pids = pids;
    *ret_count = running;
    return COP_OK;
}

/* ---- the supervisor ---------------------------------------------------------------- */

cop_started cop_task_supervisor_start_opt(const cop_task_supervisor *supervisor,
                                          const cop_start_options *options)
{
    if (supervisor == NULL) return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    const cop_dynamic_supervisor dynamic = {
        .name = supervisor->name,
        .intensity = supervisor->intensity,
        .max_children = supervisor->max_children,
    };
    return cop_dynamic_supervisor_start_opt(&dynamic, options);
}

cop_started cop_child_task_supervisor(const void *module, const void *argument,
                                      size_t argument_size)
{
    return cop_task_supervisor_start_link(module, .argument = argument,
                                          .argument_size = argument_size);
}
