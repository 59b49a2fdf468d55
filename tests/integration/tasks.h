/* tasks.h - tasks for stories of tasks, and what comes of them as lines of the trace. */
#ifndef TEST_TASKS_H
#define TEST_TASKS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"
#include "worker.h"

COP_MESSAGE(number, { int value; });
COP_MESSAGE(stray, COP_EMPTY);

/* ---- what came of a task ----------------------------------------------------------- */

/* Traces "what: 5", "what: nothing", "what: down: boom" or "what: timeout"; takes it over. */
static inline void trace_outcome(const char *what, int error, cop_message *message,
                                 const cop_reason *reason)
{
    ck_assert(reason == NULL || error == COP_EDOWN);
    ck_assert(message == NULL || error == COP_OK);
    if (error == COP_EDOWN) trace("%s: down: %s", what, reason_text(reason));
    else if (error != COP_OK) trace("%s: %s", what, cop_error_name(error));
    else if (message == NULL) trace("%s: nothing", what);
    else trace("%s: %d", what, cop_expect(message, number)->value);
    cop_message_free(message);
    cop_reason_unref(reason);
}

/* Calls one of await, yield, shutdown, ignore and traces what it says. */
#define TRACE_OUTCOME(what_, function_, ...)                                             \
    do {                                                                                 \
        cop_message *message_ = NULL;                                                    \
        const cop_reason *reason_ = NULL;                                                \
        int error_ = function_(__VA_ARGS__, &message_, &reason_);                        \
        trace_outcome((what_), error_, message_, reason_);                               \
    } while (0)

static inline void trace_results(cop_task_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char what[16];
        snprintf(what, sizeof what, "%zu", i);
        cop_task_result result = results[i];
        results[i] = (cop_task_result){ 0 };
        trace_outcome(what, result.error, result.message, result.reason);
    }
}

/* ---- tasks ------------------------------------------------------------------------- */

static inline cop_message *squares(void *argument)
{
    int n = *(int *)argument;
    return cop_new(number, .value = n * n);
}

static inline cop_message *returns_none(void *argument)
{
    (void)argument;
    return NULL;
}

static inline cop_message *exits_boom(void *argument)
{
    (void)argument;
    cop_exit(cop_reason_atom("boom"));
}

static inline cop_message *exits_normal(void *argument)
{
    (void)argument;
    cop_exit(COP_NORMAL);
}

static inline cop_message *exits_shutdown(void *argument)
{
    (void)argument;
    cop_exit(COP_SHUTDOWN);
}

/* Sleeps as many ms as its argument says, and returns that number. */
static inline cop_message *sleeps(void *argument)
{
    int ms = *(int *)argument;
    cop_sleep(ms);
    return cop_new(number, .value = ms);
}

static inline cop_message *sleeps_for_ever(void *argument)
{
    (void)argument;
    cop_sleep(COP_INFINITY);
    return NULL;
}

/* Does not end by an exit signal except kill. */
static inline cop_message *traps(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_sleep(COP_INFINITY);
    return NULL;
}

/* Its result comes when it is told to shut down. */
static inline cop_message *answers_at_shutdown(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    cop_receive_type(cop_exit_message, COP_INFINITY);
    return cop_new(number, .value = 99);
}

/* Returns its result, and its process ends with another reason. */
static inline void ends_badly(void *argument)
{
    (void)argument;
    cop_exit(cop_reason_atom("boom"));
}

static inline cop_message *answers_and_ends_badly(void *argument)
{
    (void)argument;
    cop_defer(ends_badly, NULL);
    return cop_new(number, .value = 7);
}

static inline cop_task start_sleeper(int ms)
{
    return cop_task_async(sleeps, &ms, sizeof ms);
}

static inline cop_task start_square(int n)
{
    return cop_task_async(squares, &n, sizeof n);
}

/* ---- after the story --------------------------------------------------------------- */

/* Drops the exit messages of linked tasks; nothing else may have stayed, and nobody. */
static inline void expect_nothing_left(size_t processes)
{
    settle();
    cop_message *message;
    while ((message = cop_take(&(cop_match){ .type = COP_TYPE(cop_exit_message) }, 0)) != NULL)
        cop_message_free(message);
    expect_empty_mailbox();
    ck_assert_uint_eq(cop_process_count(), processes);
}

#endif
