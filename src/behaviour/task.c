/* task.c - tasks: a function in a process of its own, its result sent to whoever awaits it.
 *
 * The result goes to the reference of the owner's monitor, which is an alias too, so that it finds
 * nobody once the owner has stopped waiting.  A task that the owner spawns has it from birth
 * (cop_parent_alias).  One that a supervisor starts cannot: it begins by waiting for its
 * owner to hand over the work, with the reference, and ends if the owner dies before that.
 * So the work is copied once and not through the supervisor. */
#include <coppice/task.h>

#include <string.h>

#include <coppice/memory.h>

#include "callers.h"

enum { HANDOVER_MS = 5000 };   /* how long a task waits for its work, as in Elixir */

/* The work: what to run.  Bytes that are copied for it follow, then who its callers are. */
struct work {
    _Alignas(16) cop_task_function *function;   /* NULL: the owner hands it over */
    const void *argument;
    size_t argument_size;
    cop_pid owner;
};

/* The work that is handed over, and where the result goes. */
typedef struct copi_task_work {
    struct work work;
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

static void run(const struct work *work, void *argument, cop_ref reply_to)
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
    struct work work = received->work;
    cop_ref reply_to = received->reply_to;
    void *argument = (void *)(uintptr_t)work.argument;
    copi_callers_take((const char *)(received + 1) + argument_room(work.argument_size));
    if (work.argument_size > 0)
        argument = memcpy(cop_alloc(work.argument_size), received + 1, work.argument_size);
    run(&work, argument, reply_to);
}

static void task_main(void *argument)
{
    struct work *work = argument;
    if (work->function == NULL) {
        run_handed_over(work->owner);
        return;
    }
    copi_callers_take((const char *)(work + 1) + argument_room(work->argument_size));
    void *own = work->argument_size > 0 ? work + 1 : (void *)(uintptr_t)work->argument;
    run(work, own, cop_parent_alias());
}

/* ---- starting it ------------------------------------------------------------------- */

static cop_task not_started(int error)
{
    return (cop_task){ error, COP_NO_PID, COP_NO_REF };
}

static int check(cop_task_function *function, const void *argument, size_t size)
{
    if (cop_pid_is_none(cop_self())) return COP_EOUTSIDE;
    return function == NULL || (argument == NULL && size > 0) ? COP_EINVAL : COP_OK;
}

/* The work with its argument as one block; *ret_size is the block's. */
static struct work *pack(cop_task_function *function, const void *argument, size_t size,
                         size_t *ret_size)
{
    *ret_size = sizeof(struct work) + argument_room(size) + copi_callers_size();
    struct work *work = cop_alloc(*ret_size);
    *work = (struct work){ function, argument, size, cop_self() };
    append((char *)(work + 1), argument, size);
    return work;
}

cop_task cop_task_async(cop_task_function *function, const void *argument, size_t size)
{
    int error = check(function, argument, size);
    if (error != COP_OK) return not_started(error);
    size_t block_size;
    struct work *work = pack(function, argument, size, &block_size);
    cop_task task = { .error = COP_OK };
    task.pid = cop_spawn_opt(task_main, work, block_size, &(cop_spawn_options){
        .link = true, .monitor = true, .alias = true, .ret_ref = &task.ref, .label = "task" });
    cop_free(work);
    return cop_pid_is_none(task.pid) ? not_started(COP_ENOMEM) : task;
}

/* A child's start function, in the supervisor.  It does not wait: there is nothing to fail. */
static cop_started start_task(const void *module, const void *argument, size_t argument_size)
{
    (void)module;
    cop_pid pid = cop_spawn_opt(task_main, argument, argument_size,
                                &(cop_spawn_options){ .link = true, .label = "task" });
    return (cop_started){ cop_pid_is_none(pid) ? COP_ENOMEM : COP_OK, pid, NULL };
}

static cop_started start_under(cop_dest supervisor, const struct work *work, size_t size)
{
    const cop_child_spec spec = {
        .id = "task",
        .start = start_task,
        .argument = work,
        .argument_size = size,
        .restart = COP_TEMPORARY,
    };
    return cop_dynamic_supervisor_start_child(supervisor, &spec);
}

static void hand_over(cop_task task, cop_task_function *function, const void *argument, size_t size)
{
    size_t behind = argument_room(size) + copi_callers_size();
    cop_message *message = cop_message_new(COP_TYPE(copi_task_work), NULL, behind);
    copi_task_work *payload = cop_payload(message);
    payload->work = (struct work){ function, argument, size, cop_self() };
    payload->reply_to = task.ref;
    append((char *)(payload + 1), argument, size);
    cop_send_message(cop_to(task.pid), message);
}

static cop_task async_under(cop_dest supervisor, cop_task_function *function, const void *argument,
                            size_t size, bool link)
{
    int error = check(function, argument, size);
    if (error != COP_OK) return not_started(error);
    struct work blocked = { .owner = cop_self() };
    cop_started started = start_under(supervisor, &blocked, sizeof blocked);
    cop_reason_unref(started.reason);
    if (started.error != COP_OK) return not_started(started.error);

    if (link) error = cop_link(started.pid);
    if (error != COP_OK) return not_started(error);
    cop_ref ref = cop_monitor_opt(cop_to(started.pid), COP_ALIAS_DEMONITOR);
    cop_task task = { COP_OK, started.pid, ref };
    hand_over(task, function, argument, size);
    return task;
}

cop_task cop_task_supervisor_async(cop_dest supervisor, cop_task_function *function,
                                   const void *argument, size_t size)
{
    return async_under(supervisor, function, argument, size, true);
}

cop_task cop_task_supervisor_async_nolink(cop_dest supervisor, cop_task_function *function,
                                          const void *argument, size_t size)
{
    return async_under(supervisor, function, argument, size, false);
}

cop_started cop_task_supervisor_start_child(cop_dest supervisor, cop_task_function *function,
                                            const void *argument, size_t size)
{
    int error = check(function, argument, size);
    if (error != COP_OK) return (cop_started){ error, COP_NO_PID, NULL };
    size_t block_size;
    struct work *work = pack(function, argument, size, &block_size);
    cop_started started = start_under(supervisor, work, block_size);
    cop_free(work);
    return started;
}

/* ---- awaiting it ------------------------------------------------------------------- */

/* The end or the result of a task; takes the message over. */
static int result_of(cop_message *message, cop_message **ret_result, const cop_reason **ret_reason)
{
    if (message->kind == COP_REPLY) {
        bool none = cop_is(message, copi_task_none);
        if (ret_result != NULL) *ret_result = none ? NULL : message;
        if (ret_result == NULL || none) cop_message_free(message);
        return COP_OK;
    }
    const cop_reason *reason = cop_expect(message, cop_down_message)->reason;
    if (ret_reason != NULL) *ret_reason = cop_reason_ref(reason);
    cop_message_free(message);
    return COP_EDOWN;
}

int cop_task_await(cop_task task, int64_t timeout_ms, cop_message **ret_result,
                   const cop_reason **ret_reason)
{
    if (task.error != COP_OK) return task.error;
    if (task.ref.serial == 0 || !cop_pid_equal(task.ref.owner, cop_self())) return COP_EINVAL;

    const cop_match match = { .ref = task.ref };
    cop_message *message = cop_take(&match, timeout_ms < 0 ? COP_INFINITY : timeout_ms);
    cop_demonitor_flush(task.ref);
    if (message == NULL) message = cop_take(&match, 0);   /* the result came just now */
    if (message == NULL) return COP_ETIMEOUT;
    return result_of(message, ret_result, ret_reason);
}

/* ---- a supervisor of tasks --------------------------------------------------------- */

cop_started cop_task_supervisor_start_opt(const cop_task_supervisor *supervisor,
                                          const cop_start_options *options)
{
    if (supervisor == NULL) return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    const cop_dynamic_supervisor dynamic = {
        .name = supervisor->name,
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
