/* task.h - one computation in a process of its own, and its result.
 *
 * Concept.  cop_task_async starts a function; cop_task_await waits for what it
 * returned.  A Task.Supervisor owns the processes, so that a crash of one is contained
 * and all are stopped with the tree.  OTP: Elixir's Task and Task.Supervisor.
 *
 * Life cycle.  started -> returned, awaited or crashed.  Each task is awaited at most once, by
 * the process that started it.  A reply that comes too late never reaches its mailbox.
 *
 * Threads.  [process] all of it. */
#ifndef COPPICE_TASK_H
#define COPPICE_TASK_H

#include <coppice/dynamic_supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a task runs: returns its result, a message made with cop_new, or NULL for none. */
typedef cop_message *cop_task_function(void *argument);

typedef struct cop_task {
    int error;       /* 0, or why it was not started (COP_ENOMEM, COP_EMAX_CHILDREN, ...) */
    cop_pid pid;
    cop_ref ref;     /* of the monitor; its owner may await */
} cop_task;

/* [may block] Starts function(argument) linked to the caller; the argument is copied when
 * size > 0.  With a supervisor the process is its child (temporary), and async_nolink
 * leaves the link to the caller out. Elixir: Task.async, Task.Supervisor.async, async_nolink. */
cop_task cop_task_async(cop_task_function *function, const void *argument, size_t size);
cop_task cop_task_supervisor_async(cop_dest supervisor, cop_task_function *function,
                                   const void *argument, size_t size);
cop_task cop_task_supervisor_async_nolink(cop_dest supervisor, cop_task_function *function,
                                          const void *argument, size_t size);

/* [may block] Waits for the result.  0: *ret_result is the message (or NULL), owned by the
 * caller; ret_result NULL drops it.  COP_EDOWN: it ended without one; *ret_reason, if not NULL, is owned by the caller.
 * COP_ETIMEOUT: the task goes on, its result is dropped.  COP_EINVAL: not the caller's.
 * Also returns task.error if the task was never started.  Elixir: Task.await (which exits). */
int cop_task_await(cop_task task, int64_t timeout_ms, cop_message **ret_result,
                   const cop_reason **ret_reason);

/* In a task: who asked for it, who asked for that one if it was a task, and so on, whether they live or
 * not; none in any other process.  The first `room` of them go to ret_pids; returns how many there
 * are.  Elixir: $callers. */
size_t cop_callers(cop_pid *ret_pids, size_t room);

/* A supervisor for tasks: a dynamic supervisor whose children are temporary. */
typedef struct cop_task_supervisor {
    const char *name;
    size_t max_children;      /* 0: no limit */
} cop_task_supervisor;

cop_started cop_task_supervisor_start_opt(const cop_task_supervisor *supervisor,
                                          const cop_start_options *options);
#define cop_task_supervisor_start_link(supervisor_, ...)                                 \
    cop_task_supervisor_start_opt((supervisor_),                                         \
                                  &(cop_start_options){ .link = true, __VA_ARGS__ })
cop_started cop_child_task_supervisor(const void *module, const void *argument,
                                      size_t argument_size);
#define COP_CHILD_TASK_SUPERVISOR(supervisor_, ...)                                      \
    { .id = #supervisor_, .start = cop_child_task_supervisor, .module = &(supervisor_),  \
      .type = COP_SUPERVISOR, __VA_ARGS__ }

/* [may block] Starts a task whose result nobody awaits; not linked to the caller.
 * Elixir: Task.Supervisor.start_child. */
cop_started cop_task_supervisor_start_child(cop_dest supervisor, cop_task_function *function,
                                            const void *argument, size_t size);

#ifdef __cplusplus
}
#endif
#endif
