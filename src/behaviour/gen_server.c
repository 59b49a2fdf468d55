/* gen_server.c - the server's side of gen_server: init, the handling of messages, the end.
 *
 * A server is one block of memory, made by whoever starts it and copied by the spawn: the
 * control block, the state, and init's argument if it was to be copied.
 *
 *     server_main --init--> ok -----> cop_become(dispatch) --message--> callback --+
 *                            |                  ^                                  |
 *                            |                  +---------- carry_out <------------+
 *                            |                                 |
 *                            +--> ignore, fail, stop           +--> end: terminate, report,
 *                                 nonsense: cop_init_fail           reply, exit
 *
 * A callback may crash, and whatever blocks may be killed: the process's memory and messages die
 * with it; what else has to be done then is given to cop_defer first (finish). */
#include "gen_server.h"

#include <assert.h>
#include <string.h>

#include <coppice/child.h>
#include <coppice/log.h>
#include <coppice/memory.h>

#include "clock.h"

static const char behind_state = 0;

static size_t state_room(const cop_gen_server *callbacks)
{
    const size_t unit = _Alignof(struct server);
    return (callbacks->state_size + unit - 1) / unit * unit;
}

static const void *argument_of(struct server *server)
{
    if (server->argument != &behind_state)
        return server->argument;
    return (char *)(server + 1) + state_room(server->callbacks);
}

/* ---- the end --------------------------------------------------------------------------- */

/* What is left to do when terminate has run, or has crashed. */
struct ending {
    const cop_reason *reason;
    cop_message *reply;         /* or NULL */
    cop_from from;
    struct observer *observer;  /* or NULL */
};

static void finish(void *argument)
{
    struct ending *ending = argument;
    if (ending->observer != NULL && ending->reply != NULL)
        copi_observe_out(ending->observer, ending->from, ending->reply);
    cop_answer_message(ending->from, ending->reply);
    cop_reason_unref(ending->reason);
}

/* Ends the server: terminate, the report, the reply, the exit, in OTP's order.  finish is
 * deferred, so that a crash of terminate, whose reason is then the exit reason, does not keep
 * the caller waiting.  Takes the reason and the reply over. */
static _Noreturn void end(struct server *server, const cop_message_type *last,
                          const cop_reason *reason, cop_message *reply, const cop_from *from)
{
    assert(reason != NULL && (reply == NULL || from != NULL));
    struct ending *ending = cop_alloc(sizeof *ending);
    *ending = (struct ending){ reason, reply, { COP_NO_REF }, server->observer };
    if (from != NULL)
        ending->from = *from;
    cop_deferred *deferred = cop_defer(finish, ending);
    if (server->callbacks->terminate != NULL)
        server->callbacks->terminate(copi_server_state(server), reason);
    if (cop_reason_abnormal(reason)) {
        cop_log(&(cop_log_event){ .level = COP_LOG_ERROR, .kind = COP_LOG_SERVER,
                                  .message_type = last->name, .reason = reason });
    }
    cop_reason_ref(reason);
    cop_undefer(deferred, true);
    cop_exit(reason);
}

static _Noreturn void end_for(struct server *server, const cop_message *message,
                              const cop_reason *reason)
{
    end(server, message->type, reason, NULL, NULL);
}

static _Noreturn void end_undefined(struct server *server, const cop_message *message,
                                    const char *callback)
{
    end_for(server, message, cop_reason_error("undef: %s", callback));
}

/* ---- what a callback returned ---------------------------------------------------------- */

static bool makes_sense(const cop_next *next, bool in_call)
{
    switch (next->kind) {
    case COP_NEXT_NOREPLY:
        return next->reply == NULL && next->reason == NULL;
    case COP_NEXT_REPLY:
        return next->reply != NULL && next->reason == NULL && in_call;
    case COP_NEXT_STOP:
        return next->reason != NULL && next->continuation == NULL &&
               (next->reply == NULL || in_call);
    default:
        return false;
    }
}

/* Frees what came with a return value that makes no sense; returns why the server ends. */
static const cop_reason *reject(const cop_next *next, const char *callback)
{
    cop_message_free(next->reply);
    cop_message_free(next->continuation);
    cop_reason_unref(next->reason);
    return cop_reason_error("bad_return_value: %s", callback);
}

static cop_next continue_with(struct server *server, cop_message *message)
{
    if (server->callbacks->handle_continue == NULL)
        end_undefined(server, message, "handle_continue");
    cop_next next = server->callbacks->handle_continue(copi_server_state(server), message);
    cop_message_free(message);
    return next;
}

static void answer(struct server *server, cop_from from, cop_message *reply)
{
    if (server->observer != NULL)
        copi_observe_out(server->observer, from, reply);
    cop_answer_message(from, reply);
}

/* The wait for the next message begins. */
static void wait_anew(struct server *server, int64_t timeout_ms)
{
    if (timeout_ms != NO_TIMEOUT && server->wait == NULL)
        server->wait = cop_alloc(sizeof *server->wait);
    if (server->wait != NULL)
        *server->wait = (struct wait){ timeout_ms, copi_after_ms(timeout_ms) };
    if (timeout_ms != NO_TIMEOUT)
        cop_become_timeout(timeout_ms);
}

/* It goes on: what came in between does not count. */
static void wait_on(const struct server *server)
{
    if (server->wait != NULL && server->wait->timeout_ms != NO_TIMEOUT)
        cop_become_timeout(copi_ms_until(server->wait->until_ns));
}

/* Does what a callback wants, and what the continuations after it want.  `last` is the type of
 * the message that the callback had, for the report; `from` is the caller if it was a call. */
static void carry_out(struct server *server, const char *callback, const cop_message_type *last,
                      cop_next next, const cop_from *from)
{
    for (;;) {
        if (!makes_sense(&next, from != NULL))
            end(server, last, reject(&next, callback), NULL, NULL);
        if (next.kind == COP_NEXT_STOP)
            end(server, last, next.reason, next.reply, from);
        if (next.kind == COP_NEXT_REPLY)
            answer(server, *from, next.reply);
        if (next.continuation == NULL)
            break;

        callback = "handle_continue";
        last = next.continuation->type;
        from = NULL;
        next = continue_with(server, next.continuation);
    }
    wait_anew(server, next.has_timeout && next.timeout_ms >= 0 ? next.timeout_ms : NO_TIMEOUT);
}

/* ---- messages -------------------------------------------------------------------------- */

static void handle_call(struct server *server, const cop_message *request)
{
    if (server->callbacks->handle_call == NULL)
        end_undefined(server, request, "handle_call");
    const cop_from from = { { request->from, request->ref } };
    cop_next next = server->callbacks->handle_call(copi_server_state(server), request, from);
    carry_out(server, "handle_call", request->type, next, &from);
}

static void handle_cast(struct server *server, const cop_message *message)
{
    if (server->callbacks->handle_cast == NULL)
        end_undefined(server, message, "handle_cast");
    cop_next next = server->callbacks->handle_cast(copi_server_state(server), message);
    carry_out(server, "handle_cast", message->type, next, NULL);
}

static void log_unexpected(const cop_message *message)
{
    cop_log(&(cop_log_event){ .level = COP_LOG_WARNING, .kind = COP_LOG_TEXT,
                              .message_type = message->type->name,
                              .text = "unexpected message" });
}

static bool is_parents_end(const struct server *server, const cop_message *message)
{
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    return gone != NULL && cop_pid_equal(gone->from, server->parent) &&
           !cop_pid_is_none(server->parent);
}

static _Noreturn void end_with_parent(struct server *server, const cop_message *message)
{
    end_for(server, message, cop_reason_ref(cop_expect(message, cop_exit_message)->reason));
}

static void handle_info(struct server *server, const cop_message *message)
{
    if (is_parents_end(server, message))
        end_with_parent(server, message);

    cop_next next = cop_noreply();
    if (server->callbacks->handle_info != NULL)
        next = server->callbacks->handle_info(copi_server_state(server), message);
    else
        log_unexpected(message);
    carry_out(server, "handle_info", message->type, next, NULL);
}

/* What a suspended server does not leave in the mailbox.  A drain waits there: its callback does
 * not run before the server is resumed. */
static bool is_urgent(const cop_message *message, void *server)
{
    if (message->kind == COP_SYSTEM)
        return !cop_is(message, cop_drain_message);
    return is_parents_end(server, message);
}

/* The supervisor wants it to finish.  The wait under way goes on unless the callback sets
 * another. */
static void drain(struct server *server, const cop_message *message)
{
    struct wait before = { NO_TIMEOUT, 0 };
    if (server->wait != NULL)
        before = *server->wait;
    cop_next next = cop_stop(COP_SHUTDOWN);
    if (server->callbacks->handle_drain != NULL)
        next = server->callbacks->handle_drain(copi_server_state(server));
    const bool sets = next.has_timeout || next.continuation != NULL;
    carry_out(server, "handle_drain", message->type, next, NULL);
    if (sets || server->wait == NULL)
        return;
    *server->wait = before;
    wait_on(server);
}

static bool obey(struct server *server, const cop_message *message, bool suspended)
{
    if (is_parents_end(server, message))
        end_with_parent(server, message);
    const cop_terminate_message *request = cop_get(message, cop_terminate_message);
    if (request != NULL)
        end_for(server, message, cop_reason_ref(request->reason));
    if (cop_is(message, cop_probe_message)) {
        cop_probe_answer(message);
        return suspended;
    }
    return copi_server_system(server, message, suspended);
}

/* A request to the process rather than to its callbacks: does not count as a message.  The wait
 * under way goes on after what a supervisor asks for, which may come all the time, and begins anew
 * after any other request.  A suspended server waits in here, on a stack of its own. */
static void handle_system(struct server *server, const cop_message *message)
{
    if (cop_is(message, cop_drain_message)) {
        drain(server, message);
        return;
    }
    const cop_match urgent = { .accept = is_urgent, .context = server };
    bool suspended = obey(server, message, false);
    if (cop_is(message, cop_probe_message)) {
        wait_on(server);
        return;
    }
    while (suspended) {
        cop_message *next = cop_take(&urgent, COP_INFINITY);
        suspended = obey(server, next, true);
        cop_message_free(next);
    }
    if (server->wait != NULL)
        wait_anew(server, server->wait->timeout_ms);
}

static void handle_timeout(struct server *server)
{
    static const struct {
        cop_message message;
        cop_timeout_message payload;
    } timeout = { { .type = COP_TYPE(cop_timeout_message), .size = sizeof(cop_timeout_message) },
                  { 0 } };
    if (server->observer != NULL)
        copi_observe_in(server->observer, &timeout.message);
    handle_info(server, &timeout.message);
}

static void dispatch(void *argument, cop_message *message)
{
    struct server *server = argument;
    if (message == NULL) {
        handle_timeout(server);
        return;
    }
    if (server->observer != NULL && message->kind != COP_SYSTEM)
        copi_observe_in(server->observer, message);
    switch ((enum cop_message_kind)message->kind) {
    case COP_CALL_REQUEST:
        handle_call(server, message);
        break;
    case COP_CAST:
        handle_cast(server, message);
        break;
    case COP_SYSTEM:
        handle_system(server, message);
        break;
    case COP_INFO:
    case COP_REPLY:      /* through an alias that a callback made */
        handle_info(server, message);
        break;
    }
}

/* ---- the start ------------------------------------------------------------------------- */

static _Noreturn void refuse_start(cop_next next)
{
    const bool bare = next.reply == NULL && next.continuation == NULL;
    if (bare && next.kind == COP_NEXT_IGNORE && next.reason == NULL)
        cop_init_fail(COP_EIGNORED, COP_NO_PID, NULL, COP_NORMAL);
    if (bare && next.kind == COP_NEXT_FAIL && next.reason != NULL)
        cop_init_fail(COP_EFAILED, COP_NO_PID, next.reason, COP_NORMAL);
    if (!bare || next.kind != COP_NEXT_STOP || next.reason == NULL)
        next.reason = reject(&next, "init");
    cop_init_fail(COP_EFAILED, COP_NO_PID, cop_reason_ref(next.reason), next.reason);
}

static void server_main(void *argument)
{
    struct server *server = argument;
    const void *init_argument = argument_of(server);
    server->observer = NULL;
    cop_next next = cop_ok();
    if (server->callbacks->init != NULL)
        next = server->callbacks->init(copi_server_state(server), init_argument);
    if (next.kind != COP_NEXT_OK || next.reply != NULL || next.reason != NULL)
        refuse_start(next);

    cop_init_ack();
    next.kind = COP_NEXT_NOREPLY;
    /* It makes sense and does not stop: no type is asked for. */
    carry_out(server, "init", NULL, next, NULL);
    cop_become(dispatch, server);
}

cop_started cop_gen_server_start_opt(const cop_gen_server *server, const cop_start_options *options)
{
    const bool sound = server != NULL && options != NULL &&
                       (options->argument != NULL || options->argument_size == 0);
    if (!sound)
        return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    if (cop_pid_is_none(cop_self()))
        return (cop_started){ COP_EOUTSIDE, COP_NO_PID, NULL };

    size_t behind = sizeof(struct server) + state_room(server);
    struct server *block = cop_alloc(behind + options->argument_size);
    block->callbacks = server;
    block->parent = options->link ? cop_self() : COP_NO_PID;
    block->argument = options->argument;
    if (options->argument_size > 0) {
        memcpy((char *)block + behind, options->argument, options->argument_size);
        block->argument = &behind_state;
    }

    cop_start_options start = *options;
    start.argument = block;
    start.argument_size = behind + options->argument_size;
    if (start.name == NULL)
        start.name = server->name;
    if (start.label == NULL)
        start.label = server->label != NULL ? server->label : server->name;
    if (start.stack_bytes == 0)
        start.stack_bytes = server->stack_bytes;
    if (start.max_memory == 0)
        start.max_memory = server->max_memory;
    if (start.mailbox.limit == 0)
        start.mailbox = server->mailbox;
    cop_started started = cop_start(server_main, &start);
    cop_free(block);
    return started;
}
