/* task.h - one computation in a process of its own, and its result.
 *
 * Concept.  cop_task_async starts a function; cop_task_await waits for what it
 * returned.  A Task.Supervisor owns the processes, so that a crash of one is contained
 * and all are stopped with the tree.  A stream runs a function on each of many inputs, a few at a
 * time.  OTP: Elixir's Task and Task.Supervisor.
 *
 *     cop_task tasks[2] = { cop_task_async(fetch, &this_one, sizeof this_one),
 *                           cop_task_async(fetch, &that_one, sizeof that_one) };
 *     cop_message *pages[2];
 *     if (cop_task_await_many(tasks, 2, 5000, pages, NULL) == COP_OK) ...
 *
 * Life cycle.  started -> its outcome taken by await, yield, shutdown or ignore, once, by the
 * process that started it.  From then on the task is spent: those functions return COP_EINVAL for
 * it at once.  A reply that comes too late never reaches the owner's mailbox.
 *
 * Threads.  [process] all of it. */
#ifndef COPPICE_TASK_H
#define COPPICE_TASK_H

#include <coppice/dynamic_supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- one task ------------------------------------------------------------------------------ */

/* What a task runs: returns its result, a message made with cop_new, or NULL for none. */
typedef cop_message *cop_task_function(void *argument);

typedef struct cop_task {
    int error;       /* 0, or why it was not started (COP_ENOMEM, COP_EMAX_CHILDREN, ...) */
    cop_pid pid;
    cop_ref ref;     /* of the monitor; its owner may await */
} cop_task;

/* [may block] Starts function(argument) linked to the caller; the argument is copied when
 * size > 0.  Elixir: Task.async. */
cop_task cop_task_async(cop_task_function *function, const void *argument, size_t size);

/* [may block] Waits for the result.  0: *ret_result is the message (or NULL), owned by the
 * caller; ret_result NULL drops it.  COP_EDOWN: it ended without one; *ret_reason, if not NULL, is
 * owned by the caller.  COP_ETIMEOUT: the task goes on, its result is dropped.  COP_EINVAL: not the
 * caller's, or spent.  Also returns task.error if the task was never started.
 * Elixir: Task.await (which exits). */
int cop_task_await(cop_task task, int64_t timeout_ms, cop_message **ret_result,
                   const cop_reason **ret_reason);

/* [may block] As cop_task_await, but after COP_ETIMEOUT the task may be asked again.
 * Elixir: Task.yield. */
int cop_task_yield(cop_task task, int64_t timeout_ms, cop_message **ret_result,
                   const cop_reason **ret_reason);

/* [may block] Unlinks the task, ends it and waits until it is down: with exit reason shutdown, and
 * killed if that takes longer than `how` allows (the zero value: 5,000 ms), or killed at once with
 * (cop_shutdown)COP_BRUTAL_KILL.
 *   0             it had a result already
 *   COP_ETIMEOUT  it had none, and ended as it was told to
 *   COP_EDOWN     it ended with another reason: killed for being too slow, a crash;
 *                 noproc when the task was spent
 * and as cop_task_await.  Elixir: Task.shutdown (nil for COP_ETIMEOUT). */
int cop_task_shutdown(cop_task task, cop_shutdown how, cop_message **ret_result,
                      const cop_reason **ret_reason);

/* Unlinks the task and lets it go on alone, its result dropped: COP_ETIMEOUT.  When it has ended or
 * has a result already, that is what it returns, as cop_task_await.  Elixir: Task.ignore. */
int cop_task_ignore(cop_task task, cop_message **ret_result, const cop_reason **ret_reason);

/* In a task: who asked for it, who asked for that one if it was a task, and so on, whether they
 * live or not; none in any other process.  The first `room` of them go to ret_pids; returns how
 * many there are.  Elixir: $callers. */
size_t cop_callers(cop_pid *ret_pids, size_t room);

/* ---- many tasks ---------------------------------------------------------------------------- */

/* [may block] Waits for the results of all tasks, timeout_ms in all.  0: ret_results[i] is that
 * of tasks[i], owned by the caller; ret_results NULL drops them.  Otherwise no results are given,
 * and it is the error, as cop_task_await's, of the first task that failed, whose reason goes to
 * *ret_reason.  Whatever it returns, all of the tasks are spent; those that run go on.
 * Elixir: Task.await_many (which exits). */
int cop_task_await_many(const cop_task *tasks, size_t count, int64_t timeout_ms,
                        cop_message **ret_results, const cop_reason **ret_reason);

/* What became of one of several tasks.  Owns its message and its reason. */
typedef struct cop_task_result {
    int error;                    /* as cop_task_yield returns it */
    cop_message *message;         /* of error 0; NULL if the function returned none */
    const cop_reason *reason;     /* of COP_EDOWN */
} cop_task_result;

/* Frees what it owns. */
void cop_task_result_deinit(cop_task_result *result);

/* What happens to the tasks that have not ended when the time is over. */
enum cop_yield_on_timeout {
    COP_YIELD_NOTHING = 0,        /* they may be asked again */
    COP_YIELD_IGNORE,             /* cop_task_ignore */
    COP_YIELD_KILL_TASK           /* cop_task_shutdown, brutally */
};

typedef struct cop_yield_options {
    size_t limit;                 /* returns when that many have ended; 0: all */
    enum cop_yield_on_timeout on_timeout;
} cop_yield_options;

/* [may block] Waits until all tasks have ended (or options->limit of them), timeout_ms in all.
 * ret_results[i] is then what became of tasks[i]; COP_ETIMEOUT: it has not ended, and unless
 * on_timeout took care of it, it may be asked again.  When the limit was reached in time,
 * on_timeout is not looked at.  Options NULL: all defaults.
 * Returns 0, or COP_EINVAL for a missing array, COP_EOUTSIDE.  Elixir: Task.yield_many. */
int cop_task_yield_many(const cop_task *tasks, size_t count, int64_t timeout_ms,
                        const cop_yield_options *options, cop_task_result *ret_results);

/* ---- a supervisor of tasks ----------------------------------------------------------------- */

/* A dynamic supervisor whose children are temporary unless start_child_opt says otherwise. */
typedef struct cop_task_supervisor {
    const char *name;
    size_t max_children;      /* 0: no limit */
    cop_intensity intensity;
} cop_task_supervisor;

cop_started cop_task_supervisor_start_opt(const cop_task_supervisor *supervisor,
                                          const cop_start_options *options);
#define cop_task_supervisor_start_link(supervisor_, ...)                                 \
    cop_task_supervisor_start_opt((supervisor_),                                         \
                                  &(cop_start_options){ .link = true, __VA_ARGS__ })
cop_started cop_child_task_supervisor(const void *module, const void *argument,
                                      size_t argument_size);
#define COP_CHILD_TASK_SUPERVISOR(supervisor_, ...)                                      \
    { .id = #supervisor_, .start = cop_child_task_supervisor,                            \
      .module = COP_MODULE(cop_task_supervisor, supervisor_),                            \
      .type = COP_SUPERVISOR, __VA_ARGS__ }

/* [may block] As cop_task_async, in a process that is the supervisor's child; async_nolink leaves
 * the link to the caller out.  When the supervisor ends, it gives the task the time that `shutdown`
 * says (the zero value: 5,000 ms), of which only a task that traps exits makes use.
 * Elixir: Task.Supervisor.async, async_nolink. */
cop_task cop_task_supervisor_async(cop_dest supervisor, cop_task_function *function,
                                   const void *argument, size_t size);
cop_task cop_task_supervisor_async_nolink(cop_dest supervisor, cop_task_function *function,
                                          const void *argument, size_t size);
cop_task cop_task_supervisor_async_opt(cop_dest supervisor, cop_task_function *function,
                                       const void *argument, size_t size, cop_shutdown shutdown);
cop_task cop_task_supervisor_async_nolink_opt(cop_dest supervisor, cop_task_function *function,
                                              const void *argument, size_t size,
                                              cop_shutdown shutdown);

/* [may block] Starts a task whose result nobody awaits; not linked to the caller.  It is temporary;
 * with _opt it is restarted as `restart` says, with the same argument.
 * Elixir: Task.Supervisor.start_child. */
cop_started cop_task_supervisor_start_child(cop_dest supervisor, cop_task_function *function,
                                            const void *argument, size_t size);
cop_started cop_task_supervisor_start_child_opt(cop_dest supervisor, cop_task_function *function,
                                                const void *argument, size_t size,
                                                enum cop_restart restart, cop_shutdown shutdown);

/* [may block] Stops a task.  COP_ENOT_FOUND: it is not this supervisor's, or not any more.
 * Elixir: Task.Supervisor.terminate_child. */
int cop_task_supervisor_terminate_child(cop_dest supervisor, cop_pid task);

/* [may block] The tasks that run, in no order, in one block that the caller frees with cop_free.
 * COP_ENOPROC, COP_EDOWN.  Elixir: Task.Supervisor.children. */
int cop_task_supervisor_children(cop_dest supervisor, cop_pid **ret_pids, size_t *ret_count);

/* ---- streams ------------------------------------------------------------------------------- */

/* A stream runs a function on each input in a task of its own, at most max_concurrency of them at a
 * time, and gives the results one by one:
 *
 *     cop_task_stream *stream = cop_task_async_stream(&(cop_task_stream_options){
 *         .function = fetch, .input = next_address, .context = &addresses,
 *         .input_size = sizeof(struct address), .max_concurrency = 8 });
 *     cop_task_item item;
 *     while (cop_task_stream_next(stream, &item)) {
 *         if (item.error == COP_OK) show(item.message);
 *     }
 *     int error = cop_task_stream_close(stream);
 *
 * Nothing runs before the first cop_task_stream_next.  Tasks start within it only, so that no
 * input is asked for unless a task can have it at once.  In order, results that wait for an
 * earlier one are kept, and do not hold up new tasks.  The tasks of a stream die with the process
 * that opened it, however it ends; it alone may use the stream, and the tasks' messages are in its
 * mailbox between the calls. */
typedef struct cop_task_stream cop_task_stream;

enum cop_stream_on_timeout {
    COP_STREAM_EXIT = 0,          /* the calling process exits, {timeout, cop_task_stream_next} */
    COP_STREAM_KILL_TASK          /* the item has error COP_ETIMEOUT */
};

typedef struct cop_task_stream_options {
    cop_task_function *function;  /* gets a copy of its input */
    /* Writes the next input to ret_input, zeroed bytes aligned for any type; false: there are no
     * more, and it is not called again.  Runs in the process that asks for results. */
    bool (*input)(void *context, void *ret_input);
    void *context;
    size_t input_size;            /* bytes of an input */
    size_t max_concurrency;       /* 0: cop_schedulers() */
    bool unordered;               /* results in the order of their coming, not of the inputs */
    int64_t timeout_ms;           /* of each task, from its start; 0: 5,000; COP_INFINITY: none.
                                   * It is enforced while the stream is asked for results */
    enum cop_stream_on_timeout on_timeout;
    cop_shutdown shutdown;        /* under a supervisor, as cop_task_supervisor_async_opt */
} cop_task_stream_options;

/* A result.  What it points to is the stream's until the next call with it. */
typedef struct cop_task_item {
    int error;                    /* 0, COP_EDOWN or COP_ETIMEOUT */
    cop_message *message;         /* of error 0; NULL if the function returned none */
    const cop_reason *reason;     /* of COP_EDOWN */
    const void *input;            /* what the function was given */
    size_t index;                 /* of the input; the first is 0 */
} cop_task_item;

/* Opens a stream; *options is copied.  Its tasks are linked to the caller, so that a crash of one
 * ends a caller that does not trap exits; with a supervisor they are its children, and _nolink
 * leaves the link out.  NULL: no function, no input, or not in a process.
 * Elixir: Task.async_stream, Task.Supervisor.async_stream, async_stream_nolink. */
cop_task_stream *cop_task_async_stream(const cop_task_stream_options *options);
cop_task_stream *cop_task_supervisor_async_stream(cop_dest supervisor,
                                                  const cop_task_stream_options *options);
cop_task_stream *cop_task_supervisor_async_stream_nolink(cop_dest supervisor,
                                                         const cop_task_stream_options *options);

/* [may block] Starts what tasks it may and waits for the next result.  False: there is none,
 * because all inputs are done or because a task could not be started, after which the others are
 * killed; cop_task_stream_close tells.  NULL, or not the caller's: false. */
bool cop_task_stream_next(cop_task_stream *stream, cop_task_item *ret_item);

/* The message of the item that came last is now the caller's, to free or to send; NULL if it has
 * none. */
cop_message *cop_task_stream_take(cop_task_stream *stream);

/* [may block] Kills the tasks that run, waits for their ends and frees the stream; nothing of it
 * stays in the mailbox.  Returns 0, or why a task could not be started: COP_EMAX_CHILDREN,
 * COP_ENOPROC, COP_EDOWN, COP_ENOMEM; COP_EINVAL: NULL, or not the caller's. */
int cop_task_stream_close(cop_task_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
