/* start.c - the synchronous start protocol, and the orderly stop.
 *
 * The starter spawns with a monitor whose reference is an alias too, and then waits for that
 * reference alone; the started process finds it with cop_parent_alias.  Three messages can come:
 *
 *     start_ack    it is ready              the start succeeds; a reply, which ended the monitor
 *     start_nack   it won't run             wait until it is down, then the start fails
 *     down         it ended before either   the start fails
 *
 * A start that fails returns only after the down message: by then the process has released its
 * name and its memory, and an exit message, if the starter traps exits, is in the mailbox
 * and can be taken out.  A linked starter that does not trap exits has met its end by then,
 * because a process tells its links before its monitors.
 *
 * An answer after the starter's time-out goes nowhere.
 *
 * Whoever waits here may be killed meanwhile: the messages that it holds die with it, a reason
 * is given to cop_defer first. */
#include <assert.h>
#include <string.h>

#include <coppice/memory.h>
#include <coppice/start.h>

#include "clock.h"

/* Declared by hand, not by COP_MESSAGE, so that their descriptors are this file's alone. */
typedef struct start_ack { char cop_empty; } start_ack;
typedef struct start_nack { int error; cop_pid pid; const cop_reason *result; } start_nack;

static void drop_nack(void *payload)
{
    start_nack *nack = payload;
    cop_reason_unref(nack->result);
}

static const cop_message_type cop_type_start_ack = { "start_ack", sizeof(start_ack), NULL };
static const cop_message_type cop_type_start_nack = {
    "start_nack", sizeof(start_nack), drop_nack };

static void drop_terminate(void *payload)
{
    cop_terminate_message *request = payload;
    cop_reason_unref(request->reason);
}

const cop_message_type cop_type_cop_terminate_message = {
    "cop_terminate_message", sizeof(cop_terminate_message), drop_terminate };

static void release_reason(void *reason)
{
    cop_reason_unref(reason);
}

static cop_started failed(int error, cop_pid pid)
{
    assert(error < 0);
    cop_started started = { error, pid, NULL };
    return started;
}

/* ---- the starter ----------------------------------------------------------------------- */

/* What a process with a name is started with; `argument_size` bytes of argument and the name
 * follow, or the key of a name in another directory.  The size of this struct keeps the argument
 * aligned. */
struct named {
    _Alignas(16) cop_function *function;
    const void *argument;               /* if no bytes follow */
    size_t argument_size;
    cop_via_name via;                   /* take is NULL for one of the runtime's own */
};

static void named_main(void *argument);

static bool has_name(const cop_start_options *options)
{
    return options->via != NULL || options->name != NULL;
}

static bool is_name(const cop_start_options *options)
{
    if (options->via != NULL)
        return options->via->resolve != NULL && options->via->take != NULL;
    size_t length = strnlen(options->name, COP_NAME_MAX + 1);
    return length > 0 && length <= COP_NAME_MAX;
}

static cop_pid holder_of(const cop_start_options *options)
{
    return options->via != NULL ? options->via->resolve(options->via) : cop_whereis(options->name);
}

static int check(cop_function *function, const cop_start_options *options)
{
    if (cop_pid_is_none(cop_self()))
        return COP_EOUTSIDE;
    if (function == NULL || options == NULL)
        return COP_EINVAL;
    if (options->argument == NULL && options->argument_size > 0)
        return COP_EINVAL;
    if ((unsigned)options->mailbox.when_full > COP_MAILBOX_BLOCK)
        return COP_EINVAL;
    return has_name(options) && !is_name(options) ? COP_EINVAL : COP_OK;
}

static cop_pid spawn_named(cop_function *function, const cop_start_options *options,
                           const cop_spawn_options *spawn)
{
    const char *name = options->via != NULL ? options->via->key : options->name;
    size_t name_size = name != NULL ? strlen(name) + 1 : 0;
    size_t size = sizeof(struct named) + options->argument_size + name_size;
    struct named *named = cop_alloc(size);
    *named = (struct named){ function, options->argument, options->argument_size,
                             { .take = NULL } };
    if (options->via != NULL)
        named->via = *options->via;
    char *bytes = (char *)(named + 1);
    if (options->argument_size > 0)
        memcpy(bytes, options->argument, options->argument_size);
    if (name_size > 0)
        memcpy(bytes + options->argument_size, name, name_size);

    cop_pid pid = cop_spawn_opt(named_main, named, size, spawn);
    cop_free(named);
    return pid;
}

static cop_pid spawn(cop_function *function, const cop_start_options *options, cop_ref *ret_ref)
{
    cop_spawn_options spawn = {
        .link = options->link,
        .monitor = true,
        .alias_mode = COP_ALIAS_ACK,
        .ret_ref = ret_ref,
        .trap_exit = options->trap_exit,
        .label = options->label,
        .stack_bytes = options->stack_bytes,
        .max_memory = options->max_memory,
        .mailbox = options->mailbox,
    };
    if (has_name(options))
        return spawn_named(function, options, &spawn);
    return cop_spawn_opt(function, options->argument, options->argument_size, &spawn);
}

/* Waits for the process's end; answers that come before it are too late.  A reply has taken the
 * monitor off. */
static void await_down(cop_pid pid, cop_ref ref)
{
    for (bool down = false; !down;) {
        cop_message *message = cop_take(&(cop_match){ .ref = ref }, COP_INFINITY);
        down = cop_is(message, cop_down_message);
        if (message->kind == COP_REPLY)
            ref = cop_monitor(pid);
        cop_message_free(message);
    }
}

/* After this the dead process's exit message is neither in the mailbox nor on its way.  Done
 * without a link too: the process may have made one itself. */
static void unlink_flush(cop_pid pid)
{
    cop_unlink(pid);
    const cop_match its_exit = { .type = COP_TYPE(cop_exit_message), .from = pid };
    cop_message_free(cop_take(&its_exit, 0));
}

/* The time is over, or it has said what means nothing.  Unlinked first, or the kill would strike
 * the starter too. */
static cop_started give_up(cop_pid pid, cop_ref ref, int error)
{
    cop_unlink(pid);
    cop_exit_process(pid, COP_KILL);
    await_down(pid, ref);
    unlink_flush(pid);
    return failed(error, COP_NO_PID);
}

static cop_started refused(cop_pid pid, cop_ref ref, cop_message *message)
{
    const start_nack *nack = cop_expect(message, start_nack);
    await_down(pid, ref);
    unlink_flush(pid);
    cop_started started = failed(nack->error, nack->pid);
    if (nack->result != NULL)
        started.reason = cop_reason_ref(nack->result);
    cop_message_free(message);
    return started;
}

/* Of what comes by the reference, only these count: the process may send there what it likes. */
static bool is_answer(const cop_message *message)
{
    return cop_is(message, start_nack) || cop_is(message, cop_down_message) ||
           message->kind == COP_REPLY;
}

static cop_started await(cop_pid pid, cop_ref ref, int64_t timeout_ms)
{
    const cop_match by_ref = { .ref = ref };
    const int64_t until_ns = timeout_ms < 0 ? 0 : copi_after_ms(timeout_ms);
    cop_message *message = cop_take(&by_ref, timeout_ms);
    while (message != NULL && !is_answer(message)) {
        cop_message_free(message);
        int64_t left_ms = timeout_ms < 0 ? COP_INFINITY : copi_ms_until(until_ns);
        message = left_ms == 0 ? NULL : cop_take(&by_ref, left_ms);
    }
    if (message == NULL)
        return give_up(pid, ref, COP_ETIMEOUT);
    if (cop_is(message, start_nack))
        return refused(pid, ref, message);

    cop_started started = { COP_OK, pid, NULL };
    const cop_down_message *down = cop_get(message, cop_down_message);
    if (down != NULL) {
        unlink_flush(pid);
        started = failed(COP_EFAILED, COP_NO_PID);
        started.reason = cop_reason_ref(down->reason);
    } else if (!cop_is(message, start_ack)) {
        started = give_up(pid, cop_monitor(pid), COP_EREPLY);
    }
    cop_message_free(message);
    return started;
}

cop_started cop_start(cop_function *function, const cop_start_options *options)
{
    int error = check(function, options);
    if (error != COP_OK)
        return failed(error, COP_NO_PID);
    if (has_name(options)) {
        cop_pid holder = holder_of(options);
        if (!cop_pid_is_none(holder))
            return failed(COP_EALREADY_STARTED, holder);
    }
    cop_ref ref;
    cop_pid pid = spawn(function, options, &ref);
    if (cop_pid_is_none(pid))
        return failed(COP_ENOMEM, COP_NO_PID);
    return await(pid, ref, options->timeout_ms > 0 ? options->timeout_ms : COP_INFINITY);
}

cop_started cop_start_link(cop_function *function, const void *argument, size_t argument_size)
{
    return cop_start(function, &(cop_start_options){
        .argument = argument, .argument_size = argument_size, .link = true });
}

/* ---- the started process --------------------------------------------------------------- */

/* Registers, or ends like one that came too late.  The starter has looked already; this is
 * for those who start at the same time. */
static void take_name(const char *name)
{
    int error = cop_register(name);
    while (error == COP_ENAME) {
        cop_pid holder = cop_whereis(name);
        if (!cop_pid_is_none(holder))
            cop_init_fail(COP_EALREADY_STARTED, holder, NULL, COP_NORMAL);
        error = cop_register(name);     /* its holder has just ended */
    }
    if (error != COP_OK)
        cop_init_fail(error, COP_NO_PID, NULL, COP_NORMAL);
}

static void take_via(cop_via_name *via, const char *key)
{
    if (via->key != NULL)
        via->key = key;
    cop_pid holder = COP_NO_PID;
    int error = via->take(via, &holder);
    if (error != COP_OK)
        cop_init_fail(error, holder, NULL, COP_NORMAL);
}

static void named_main(void *argument)
{
    struct named *named = argument;
    char *bytes = (char *)(named + 1);
    if (named->via.take != NULL)
        take_via(&named->via, bytes + named->argument_size);
    else
        take_name(bytes + named->argument_size);
    named->function(named->argument_size > 0 ? bytes : (void *)(uintptr_t)named->argument);
}

/* Sends what the starter waits for; nowhere if the process was not started but spawned. */
static void answer_starter(cop_message *message, enum cop_message_kind kind)
{
    cop_ref starter = cop_parent_alias();
    if (starter.serial == 0) {
        cop_message_free(message);
        return;
    }
    message->kind = (uint8_t)kind;
    message->ref = starter.serial;
    cop_send_message(cop_to_alias(starter), message);
}

void cop_init_ack(void)
{
    answer_starter(cop_new(start_ack, 0), COP_REPLY);
}

/* Without memory for what is to be said the process ends here, and neither reason may be in its
 * frames alone then.  Most who fail give the same one twice; a guard that cannot be made gives it
 * back. */
void cop_init_fail(int error, cop_pid pid, const cop_reason *result, const cop_reason *exit)
{
    assert(error < 0);
    char name[COP_NAME_MAX + 1];
    if (cop_name_of(cop_self(), name, sizeof name))
        cop_unregister(name);
    if (exit == NULL) exit = COP_NORMAL;
    if (result == exit) cop_reason_unref(result);
    cop_deferred *exit_guard = cop_defer(release_reason, (void *)(uintptr_t)exit);
    cop_deferred *guard =
        result != exit ? cop_defer(release_reason, (void *)(uintptr_t)result) : NULL;
    cop_message *nack = cop_new(start_nack, .error = error, .pid = pid);
    if (guard != NULL) cop_undefer(guard, false);
    ((start_nack *)cop_payload(nack))->result = guard != NULL ? result : cop_reason_ref(exit);
    cop_undefer(exit_guard, false);
    answer_starter(nack, COP_INFO);
    cop_exit(exit);
}

/* ---- stopping -------------------------------------------------------------------------- */

/* The reason is the caller's. */
static int stop(cop_pid pid, const cop_reason *reason, int64_t timeout_ms)
{
    cop_ref ref = cop_monitor(pid);
    cop_message *request = cop_new(cop_terminate_message, 0);
    ((cop_terminate_message *)cop_payload(request))->reason = cop_reason_ref(reason);
    request->kind = COP_SYSTEM;
    cop_send_message(cop_to_pid(pid), request);

    cop_message *message = cop_take(&(cop_match){ .ref = ref },
                                    timeout_ms < 0 ? COP_INFINITY : timeout_ms);
    if (message == NULL) {
        cop_demonitor_flush(ref);
        return COP_ETIMEOUT;
    }
    const cop_reason *end = cop_expect(message, cop_down_message)->reason;
    int error = cop_reason_equal(end, reason)      ? COP_OK
                : cop_reason_is(end, "noproc")     ? COP_ENOPROC
                                                   : COP_EDOWN;
    cop_message_free(message);
    return error;
}

int cop_stop_process(cop_dest process, const cop_reason *reason, int64_t timeout_ms)
{
    if (reason == NULL)
        return COP_EINVAL;
    cop_pid self = cop_self();
    cop_pid pid = cop_resolve(process);
    int error = cop_pid_is_none(self)         ? COP_EOUTSIDE
                : cop_pid_is_none(pid)        ? COP_ENOPROC
                : cop_pid_equal(pid, self)    ? COP_ESELF
                                              : COP_OK;
    if (error != COP_OK) {
        cop_reason_unref(reason);
        return error;
    }
    cop_deferred *guard = cop_defer(release_reason, (void *)(uintptr_t)reason);
    error = stop(pid, reason, timeout_ms);
    cop_undefer(guard, true);
    return error;
}
