/* drainer.h - for stories of drains: servers that finish when they are to, and tell of it. */
#ifndef TEST_DRAINER_H
#define TEST_DRAINER_H

#include "timed.h"

COP_MESSAGE(job, { int64_t ms; });
COP_MESSAGE(finish, COP_EMPTY);
COP_CALL(ask, { char cop_empty; }, { char cop_empty; });

struct plan {
    const char *name;
    int64_t finishes_ms;       /* so long after the drain has begun; COP_INFINITY: never */
    const cop_reason *with;    /* what it ends with then; NULL: normal */
    int64_t lingers_ms;        /* terminate takes that long */
    int64_t timeout_ms;        /* of its waits; 0: none */
    int64_t new_timeout_ms;    /* the drain sets that one; 0: none */
};

struct life {
    const struct plan *plan;
};

static inline cop_next waits(const struct plan *plan)
{
    return plan->timeout_ms > 0 ? cop_then_timeout(cop_noreply(), plan->timeout_ms)
                                : cop_noreply();
}

static inline cop_next init(void *state, const void *argument)
{
    struct life *life = state;
    life->plan = argument;
    cop_trap_exit(true);
    cop_next next = waits(life->plan);
    next.kind = COP_NEXT_OK;
    return next;
}

static inline cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    cop_expect(request, ask);
    tell("%s answers", ((struct life *)state)->plan->name);
    return cop_reply(ask, 0);
}

static inline cop_next handle_info(void *state, const cop_message *message)
{
    const struct plan *plan = ((struct life *)state)->plan;
    if (cop_is(message, finish)) {
        tell("%s has finished", plan->name);
        return cop_stop(plan->with != NULL ? plan->with : COP_NORMAL);
    }
    if (cop_is(message, cop_timeout_message)) {
        tell("%s times out", plan->name);
        return cop_noreply();
    }
    cop_sleep(cop_expect(message, job)->ms);
    tell("%s did a job", plan->name);
    return waits(plan);
}

static inline cop_next handle_drain(void *state)
{
    const struct plan *plan = ((struct life *)state)->plan;
    tell("%s drains", plan->name);
    if (plan->finishes_ms == 0) return cop_stop(plan->with != NULL ? plan->with : COP_NORMAL);
    if (plan->finishes_ms > 0)
        cop_send_after(cop_self(), plan->finishes_ms, finish, 0);
    return plan->new_timeout_ms != 0 ? cop_then_timeout(cop_noreply(), plan->new_timeout_ms)
                                     : cop_noreply();
}

static inline void terminate(void *state, const cop_reason *reason)
{
    const struct plan *plan = ((struct life *)state)->plan;
    tell("%s stops: %s", plan->name, reason_text(reason));
    if (plan->lingers_ms != 0) cop_sleep(plan->lingers_ms);
}

__attribute__((unused)) static const cop_gen_server drainer = {
    .state_size = sizeof(struct life), .init = init, .handle_call = handle_call,
    .handle_info = handle_info, .terminate = terminate, .handle_drain = handle_drain };
/* The same without handle_drain. */
__attribute__((unused)) static const cop_gen_server simple = {
    .state_size = sizeof(struct life), .init = init, .handle_call = handle_call,
    .handle_info = handle_info, .terminate = terminate };

#define DRAINER(plan_, ...)                                                              \
    { .id = #plan_, .start = cop_child_server, .module = &drainer, .argument = &(plan_), \
      __VA_ARGS__ }
#define SIMPLE(plan_, ...)                                                               \
    { .id = #plan_, .start = cop_child_server, .module = &simple, .argument = &(plan_),  \
      __VA_ARGS__ }

static inline cop_pid pid_of(const char *id)
{
    cop_child_status status;
    ck_assert_int_eq(cop_supervisor_which_child(TOP, id, &status), COP_OK);
    ck_assert_int_eq(status.state, COP_CHILD_UP);
    ck_assert_ptr_null(status.last_end);
    return status.pid;
}

static inline void stop_child(const char *id)
{
    tell_error(id, cop_supervisor_terminate_child(TOP, id));
}

#endif
