/* victim.c - see victim.h. */
#include "victim.h"

#include <stdio.h>

#include "harness.h"

COP_MESSAGE(raise_now, COP_EMPTY);
COP_MESSAGE(fault_now, COP_EMPTY);
COP_MESSAGE(report_start, COP_EMPTY);

static int *volatile nowhere;

struct state {
    cop_pid owner;
    long tag;
    int64_t time;
};

static cop_next init(void *state, const void *argument)
{
    const struct victim_argument *given = argument;
    struct state *self = state;
    if (given->counter != NULL)
        ++*given->counter;
    if (cop_pid_is_none(given->owner))
        return cop_ok();
    *self = (struct state){ given->owner, given->tag, bench_now() };
    return cop_then_continue(cop_ok(), report_start);
}

static cop_next handle_continue(void *state, const cop_message *message)
{
    const struct state *self = state;
    (void)message;
    cop_send(self->owner, child_started, .pid = cop_self(), .tag = self->tag, .time = self->time);
    return cop_noreply();
}

static cop_next handle_info(void *state, const cop_message *message)
{
    (void)state;
    if (cop_is(message, fault_now))
        *nowhere = 1;
    cop_raise("crash");
}

const cop_gen_server victim = {
    .label = "victim", .state_size = sizeof(struct state),
    .init = init, .handle_continue = handle_continue, .handle_info = handle_info,
};

void victim_strike(cop_pid pid, enum way way)
{
    switch (way) {
    case WAY_CRASH: cop_send(pid, raise_now); break;
    case WAY_KILL: cop_exit_process(pid, COP_KILL); break;
    case WAY_SEGV: cop_send(pid, fault_now); break;
    }
}

cop_child_spec *victim_specs(size_t count)
{
    cop_child_spec *specs = cop_alloc(count * sizeof *specs);
    for (size_t i = 0; i < count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", i + 1);
        specs[i] = (cop_child_spec){ .id = cop_strdup(id), .start = cop_child_server,
                                     .module = &victim,
                                     .argument = cop_alloc(sizeof(struct victim_argument)),
                                     .argument_size = sizeof(struct victim_argument) };
    }
    return specs;
}

struct victim_argument *victim_argument_of(cop_child_spec *spec)
{
    return (struct victim_argument *)spec->argument;    /* cop_alloc's, see above */
}
