/* task.c - tasks: a function in a process of its own, its result sent to whoever awaits it.
 *
 * The result goes to the reference of the owner's monitor, which is an alias too, so that it finds
 * nobody once the owner has stopped waiting.  A task that the owner spawns has it from birth
 * (cop_parent_alias).  One that a supervisor starts cannot: it begins by waiting for its
 * owner to hand over the work, with the reference, and ends if the owner dies before that.
 * So the work is copied once and not through the supervisor. */
#include "task.h"

#include <assert.h>
#include <string.h>

#include <coppice/memory.h>
#include <coppice/timer.h>

#include "callers.h"

enum { HANDOVER_MS = 5000 };   /* how long a task waits for its work, as in Elixir */

/* The work that is handed over, and where the result goes. */
typedef struct copi_task_work {
    struct task_work work;
    cop_ref reply_to;
} copi_task_work;

/* The result of a function that has none. */
typedef struct copi_task_none { char cop_empty; } copi_task_none;

static const cop_message_type cop_type_copi_task_work = {
    "task_work", sizeof(copi_task_work), NULL };
static const cop_message_type cop_type_copi_task_none = {
    "task_none", sizeof(copi_task_none), NULL };

/* ---- the task ---------------------------------------------------------------------- */

/* The argument's bytes, up to where the callers begin. */
static size_t argument_room(size_t size)
{
    return (size + sizeof(cop_pid) - 1) / sizeof(cop_pid) * sizeof(cop_pid);
}

/* Appends the bytes and the callers to a work whose last byte is before room. */
static void append(char *room, const void *argument, size_t size)
{
    if (size > 0) memcpy(room, argument, size);
    copi_callers_write(room + argument_room(size));
}

static void run(const struct task_work *work, void *argument, cop_ref reply_to)
{
    cop_message *result = work->function(argument);
    if (reply_to.serial == 0) {
        cop_message_free(result);
        return;
    }
    if (result == NULL) result = cop_new(copi_task_none, 0);
    result->kind = COP_REPLY;
    result->ref = reply_to.serial;
    cop_send_message(cop_to(reply_to), result);
}

/* Waits for the work.  The message is the runtime's until the next receive, which the function may
 * do: what it needs is copied. */
static void run_handed_over(cop_pid owner)
{
    cop_ref monitor = cop_monitor(owner);
    const cop_message *message = cop_receive_match(&(cop_match){ .from = owner }, HANDOVER_MS);
    if (message == NULL) cop_exit(COP_TIMEOUT);
    const cop_down_message *down = cop_get(message, cop_down_message);
    if (down != NULL) cop_exit(cop_reason_tuple("shutdown", cop_reason_ref(down->reason)));
    cop_demonitor_flush(monitor);

    const copi_task_work *received = cop_expect(message, copi_task_work);
    struct task_work work = received->work;
    cop_ref reply_to = received->reply_to;
    void *argument = (void *)(uintptr_t)work.argument;
    copi_callers_take((const char *)(received + 1) + argument_room(work.argument_size));
    if (work.argument_size > 0)
        argument = memcpy(cop_alloc(work.argument_size), received + 1, work.argument_size);
    run(&work, argument, reply_to);
}

void copi_task_main(void *argument)
{
    struct task_work *work = argument;
    if (work->function == NULL) {
        run_handed_over(work->owner);
        return;
    }
    copi_callers_take((const char *)(work + 1) + argument_room(work->argument_size));
    void *own = work->argument_size > 0 ? work + 1 : (void *)(uintptr_t)work->argument;
    run(work, own, cop_parent_alias());
}

/* ---- starting it ------------------------------------------------------------------- */

int copi_task_check_work(cop_task_function *function, const void *argument, size_t size)
{
    if (cop_pid_is_none(cop_self())) return COP_EOUTSIDE;
    return function == NULL || (argument == NULL && size > 0) ? COP_EINVAL : COP_OK;
}

struct task_work *copi_task_pack(cop_task_function *function, const void *argument, size_t size,
                                 size_t *ret_size)
{
    assert(function != NULL);
    *ret_size = sizeof(struct task_work) + argument_room(size) + copi_callers_size();
    struct task_work *work = cop_alloc(*ret_size);
    *work = (struct task_work){ function, argument, size, cop_self() };
    append((char *)(work + 1), argument, size);
    return work;
}

void copi_task_hand_over(cop_task task, cop_task_function *function, const void *argument,
                         size_t size)
{
    size_t behind = argument_room(size) + copi_callers_size();
    cop_message *message = cop_message_new(COP_TYPE(copi_task_work), NULL, behind);
    copi_task_work *payload = cop_payload(message);
    payload->work = (struct task_work){ function, argument, size, cop_self() };
    payload->reply_to = task.ref;
    append((char *)(payload + 1), argument, size);
    cop_send_message(cop_to(task.pid), message);
}

cop_task cop_task_async(cop_task_function *function, const void *argument, size_t size)
{
    int error = copi_task_check_work(function, argument, size);
    if (error != COP_OK) return copi_task_not_started(error);
    size_t block_size;
    struct task_work *work = copi_task_pack(function, argument, size, &block_size);
    cop_task task = { .error = COP_OK };
    task.pid = cop_spawn_opt(copi_task_main, work, block_size, &(cop_spawn_options){
        .link = true, .monitor = true, .alias_mode = COP_ALIAS_DEMONITOR,
        .ret_ref = &task.ref, .label = "task" });
    cop_free(work);
    return cop_pid_is_none(task.pid) ? copi_task_not_started(COP_ENOMEM) : task;
}

/* ---- what comes of it -------------------------------------------------------------- */

int copi_task_check(cop_task task)
{
    if (task.error != COP_OK) return task.error;
    bool mine = task.ref.serial != 0 && cop_pid_equal(task.ref.owner, cop_self());
    return mine ? COP_OK : COP_EINVAL;
}

bool copi_task_is_none(const cop_message *message)
{
    return cop_is(message, copi_task_none);
}

int copi_task_outcome(cop_message *message, cop_message **ret_result,
                      const cop_reason **ret_reason)
{
    if (message->kind == COP_REPLY) {
        bool none = copi_task_is_none(message);
        if (ret_result != NULL) *ret_result = none ? NULL : message;
        if (ret_result == NULL || none) cop_message_free(message);
        return COP_OK;
    }
    const cop_reason *reason = cop_expect(message, cop_down_message)->reason;
    if (ret_reason != NULL) *ret_reason = cop_reason_ref(reason);
    cop_message_free(message);
    return COP_EDOWN;
}

struct table_node *copi_task_find(const struct table *by_ref, const cop_message *message)
{
    bool about_mine = message->kind != COP_CALL_REQUEST && message->kind != COP_SYSTEM;
    return message->ref != 0 && about_mine ? copi_table_find(by_ref, message->ref) : NULL;
}

int64_t copi_task_deadline(int64_t timeout_ms)
{
    enum { NS_PER_MS = 1000000 };
    int64_t now = cop_now_ns();
    if (timeout_ms < 0 || timeout_ms > (INT64_MAX - now) / NS_PER_MS) return INT64_MAX;
    return now + timeout_ms * NS_PER_MS;
}

int64_t copi_task_left_ms(int64_t deadline)
{
    if (deadline == INT64_MAX) return COP_INFINITY;
    int64_t left = deadline - cop_now_ns();
    return left <= 0 ? 0 : (left - 1) / 1000000 + 1;
}

/* ---- taking it --------------------------------------------------------------------- */

/* Waits for the result or the end.  With the monitor off, what there is lies in the mailbox; if
 * nothing does, the task is spent. */
static int wait_for(cop_task task, int64_t timeout_ms, cop_message **ret_message)
{
    bool on = cop_is_monitoring(task.ref);
    int64_t limit = timeout_ms < 0 ? COP_INFINITY : timeout_ms;
    cop_message *message = cop_take(&(cop_match){ .ref = task.ref }, on ? limit : 0);
    if (message == NULL) return on ? COP_ETIMEOUT : COP_EINVAL;
    *ret_message = message;
    return COP_OK;
}

int cop_task_await(cop_task task, int64_t timeout_ms, cop_message **ret_result,
                   const cop_reason **ret_reason)
{
    int error = copi_task_check(task);
    if (error != COP_OK) return error;
    cop_message *message;
    error = wait_for(task, timeout_ms, &message);
    cop_demonitor_flush(task.ref);
    return error != COP_OK ? error : copi_task_outcome(message, ret_result, ret_reason);
}

int cop_task_yield(cop_task task, int64_t timeout_ms, cop_message **ret_result,
                   const cop_reason **ret_reason)
{
    int error = copi_task_check(task);
    if (error != COP_OK) return error;
    cop_message *message;
    error = wait_for(task, timeout_ms, &message);
    if (error != COP_OK) return error;
    cop_demonitor_flush(task.ref);
    return copi_task_outcome(message, ret_result, ret_reason);
}

int cop_task_ignore(cop_task task, cop_message **ret_result, const cop_reason **ret_reason)
{
    int error = copi_task_check(task);
    if (error != COP_OK) return error;
    cop_unlink(task.pid);
    return cop_task_await(task, 0, ret_result, ret_reason);
}

/* ---- ending it --------------------------------------------------------------------- */

/* Unlinked first: its death is no news.  Nothing comes between the two, as signals take effect
 * only where the caller waits. */
void copi_task_kill(cop_pid task)
{
    cop_unlink(task);
    cop_exit_process(task, COP_KILL);
}

/* Waits until a task that was told to is down, and kills it if that takes too long. */
static cop_message *wait_down(cop_task task, int64_t limit_ms)
{
    const cop_match down = { .type = COP_TYPE(cop_down_message), .ref = task.ref };
    cop_message *message = cop_take(&down, limit_ms);
    if (message != NULL) return message;
    cop_exit_process(task.pid, COP_KILL);
    return cop_take(&down, COP_INFINITY);
}

static int64_t limit_of(cop_shutdown how)
{
    enum { DEFAULT_MS = 5000 };
    switch (how.mode) {
    case COP_SHUTDOWN_WAIT: return how.ms;
    case COP_SHUTDOWN_DEFAULT: return DEFAULT_MS;
    case COP_SHUTDOWN_KILL:
    case COP_SHUTDOWN_FOREVER: break;
    }
    return COP_INFINITY;
}

/* The end as the one who asked for it sees it. */
static int end_of(cop_message *down, const char *asked_for, const cop_reason **ret_reason)
{
    bool obeyed = cop_reason_is(cop_expect(down, cop_down_message)->reason, asked_for);
    int error = copi_task_outcome(down, NULL, obeyed ? NULL : ret_reason);
    return obeyed ? COP_ETIMEOUT : error;
}

int cop_task_shutdown(cop_task task, cop_shutdown how, cop_message **ret_result,
                      const cop_reason **ret_reason)
{
    int error = copi_task_check(task);
    if (error != COP_OK) return error;
    bool kill = how.mode == COP_SHUTDOWN_KILL;
    cop_message *down = NULL;
    cop_unlink(task.pid);
    if (cop_is_monitoring(task.ref)) {
        cop_exit_process(task.pid, kill ? COP_KILL : COP_SHUTDOWN);
        down = wait_down(task, limit_of(how));
    }
    cop_message *first = cop_take(&(cop_match){ .ref = task.ref }, 0);
    if (first != NULL && first->kind == COP_REPLY) {
        cop_message_free(down);
        cop_demonitor_flush(task.ref);
        return copi_task_outcome(first, ret_result, ret_reason);
    }
    if (down == NULL) down = first;
    if (down != NULL) return end_of(down, kill ? "killed" : "shutdown", ret_reason);
    if (ret_reason != NULL) *ret_reason = COP_NOPROC;
    return COP_EDOWN;
}
