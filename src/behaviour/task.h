/* task.h - what the sources of tasks share: starting one, and understanding what comes of it. */
#ifndef COPI_TASK_H
#define COPI_TASK_H

#include <coppice/task.h>

#include "table.h"

/* ---- starting ---------------------------------------------------------------------- */

/* The work: what to run.  Bytes that are copied for it follow, then who its callers are. */
struct task_work {
    _Alignas(16) cop_task_function *function;   /* NULL: the owner hands it over */
    const void *argument;
    size_t argument_size;
    cop_pid owner;
};

/* What a task runs; its argument is a struct task_work. */
void copi_task_main(void *argument);

/* Whether this can be a task's: 0, COP_EINVAL, COP_EOUTSIDE. */
int copi_task_check_work(cop_task_function *function, const void *argument, size_t size);

/* The work with its argument, as one block of *ret_size bytes. */
struct task_work *copi_task_pack(cop_task_function *function, const void *argument, size_t size,
                                 size_t *ret_size);

/* Gives its work to a task that was started without. */
void copi_task_hand_over(cop_task task, cop_task_function *function, const void *argument,
                         size_t size);

static inline cop_task copi_task_not_started(int error)
{
    return (cop_task){ error, COP_NO_PID, COP_NO_REF };
}

/* ---- what comes of it -------------------------------------------------------------- */

/* Whether the caller may wait for it, as far as the task itself tells: 0, its error, COP_EINVAL. */
int copi_task_check(cop_task task);

/* A task's result or its end, taken over: 0 or COP_EDOWN. */
int copi_task_outcome(cop_message *message, cop_message **ret_result,
                      const cop_reason **ret_reason);

/* Whether it is the result of a function that returned none. */
bool copi_task_is_none(const cop_message *message);

/* Those of a table, by the serials of their references, whom a message is about; or NULL. */
struct table_node *copi_task_find(const struct table *by_ref, const cop_message *message);

/* Unlinks it and kills it; does not wait. */
void copi_task_kill(cop_pid task);

/* ---- deadlines --------------------------------------------------------------------- */

/* On the clock of cop_now_ns; INT64_MAX is never. */
int64_t copi_task_deadline(int64_t timeout_ms);

/* What is left of it as a timeout, rounded up; 0 when it has passed. */
int64_t copi_task_left_ms(int64_t deadline);

#endif
