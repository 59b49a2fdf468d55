/* obedient.h - a server that does what it is told, and tells what it did: for stories of servers.
 *
 * It gets an `ask` by call and a `tell` by all other ways; `what` says what to do (see obey). */
#ifndef TEST_OBEDIENT_H
#define TEST_OBEDIENT_H

#include <stdlib.h>
#include <string.h>

#include "story.h"

COP_CALL(ask, { const char *what; }, { int total; });
COP_MESSAGE(tell, { const char *what; });

#define TELL(to_, what_) cop_cast((to_), tell, what_)
#define SAY(to_, what_) cop_send((to_), tell, what_)

struct obedient {
    int total;
    int64_t padding[3];
};

static inline cop_next obey(struct obedient *state, const char *what)
{
    state->total++;
    if (strcmp(what, "wait") == 0) return cop_then_timeout(cop_noreply(), 100);
    if (strcmp(what, "poll") == 0) return cop_then_timeout(cop_noreply(), 0);
    if (strcmp(what, "never") == 0) return cop_then_timeout(cop_noreply(), COP_INFINITY);
    if (strcmp(what, "continue") == 0) return cop_then_continue(cop_noreply(), tell, "one more");
    if (strcmp(what, "one more") == 0) return cop_then_continue(cop_noreply(), tell, "the last");
    if (strncmp(what, "continue and ", 13) == 0)
        return cop_then_continue(cop_noreply(), tell, what + 13);
    if (strcmp(what, "stop") == 0) return cop_stop(cop_reason_atom("told_to"));
    if (strcmp(what, "stop normal") == 0) return cop_stop(COP_NORMAL);
    if (strcmp(what, "stop shutdown") == 0)
        return cop_stop(cop_reason_tuple("shutdown", cop_reason_atom("done")));
    if (strcmp(what, "stop for nothing") == 0) return cop_stop(NULL);
    if (strcmp(what, "ok") == 0) return cop_ok();
    if (strcmp(what, "ignore") == 0) return cop_ignore();
    if (strcmp(what, "fail") == 0) return cop_fail(cop_reason_atom("why"));
    if (strcmp(what, "reply") == 0) return cop_reply(ask, .total = state->total);
    if (strcmp(what, "reply nothing") == 0) return cop_reply_message(NULL);
    if (strcmp(what, "nothing") == 0) return cop_next_make(COP_NEXT_NONE, NULL, NULL);
    if (strcmp(what, "stop and reply") == 0)
        return cop_stop_reply(cop_reason_atom("told_to"), ask, .total = state->total);
    if (strcmp(what, "stop and continue") == 0)
        return cop_then_continue(cop_stop(cop_reason_atom("told_to")), tell, "no");
    if (strcmp(what, "raise") == 0) cop_raise("clumsy");
    if (strcmp(what, "exit") == 0) cop_exit(cop_reason_atom("gone"));
    return cop_noreply();
}

static inline cop_next obedient_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    const char *what = cop_expect(request, ask)->what;
    trace("call: %s", what);
    return obey(state, what);
}

static inline cop_next obedient_cast(void *state, const cop_message *message)
{
    trace("cast: %s", cop_expect(message, tell)->what);
    return obey(state, cop_get(message, tell)->what);
}

static inline cop_next obedient_info(void *state, const cop_message *message)
{
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    if (cop_is(message, cop_timeout_message)) trace("timeout at %d ms", (int)cop_now_ms());
    else if (gone != NULL) trace("exit: %s", show(gone->reason));
    else trace("info: %s", cop_expect(message, tell)->what);
    return cop_is(message, tell) ? obey(state, cop_get(message, tell)->what) : cop_noreply();
}

static inline cop_next obedient_continue(void *state, const cop_message *message)
{
    trace("continue: %s", cop_expect(message, tell)->what);
    return obey(state, cop_get(message, tell)->what);
}

static inline void obedient_terminate(void *state, const cop_reason *reason)
{
    trace("terminate: %s, %d done", show(reason), ((struct obedient *)state)->total);
}

static inline cop_next obedient_init(void *state, const void *argument)
{
    return argument != NULL ? obey(state, argument) : cop_ok();
}

__attribute__((unused)) static const cop_gen_server obedient = {
    .label = "obedient",
    .state_size = sizeof(struct obedient),
    .init = obedient_init,
    .handle_call = obedient_call,
    .handle_cast = obedient_cast,
    .handle_info = obedient_info,
    .handle_continue = obedient_continue,
    .terminate = obedient_terminate,
};

/* Starts a server and monitors it. */
static inline cop_pid start(const cop_gen_server *server, cop_ref *ret_ref)
{
    cop_started started = cop_gen_server_start(server);
    ck_assert_int_eq(started.error, COP_OK);
    *ret_ref = cop_monitor(started.pid);
    return started.pid;
}

/* Takes lines out of the trace: those that are told many times over. */
static inline void drop_lines(const char *start_of_line)
{
    char *told = strdup(trace_text()), *rest = NULL;
    ck_assert_ptr_nonnull(told);
    trace_reset();
    for (char *line = strtok_r(told, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, start_of_line, strlen(start_of_line)) != 0) trace("%s", line);
    free(told);
}

#endif
