/* agent.c - a gen_server that runs its callers' functions on its state. */
#include <coppice/agent.h>

#include <string.h>

#include <coppice/memory.h>

/* The request carries the function's argument in the bytes behind the struct, the reply its result.
 * Declared by hand, not by COP_MESSAGE, so that their descriptors are this file's alone. */
typedef struct agent_run {
    cop_agent_function *function;
    size_t result_size;
} agent_run;
typedef struct agent_result { char cop_empty; } agent_result;

static const cop_message_type cop_type_agent_run = { "agent_run", sizeof(agent_run), NULL };
static const cop_message_type cop_type_agent_result = { "agent_result", sizeof(agent_result),
                                                        NULL };

/* The first bytes behind the struct that are aligned for any type. */
enum { HEAD = 16 };

static void *behind(cop_message *message)
{
    return (char *)cop_payload(message) + HEAD;
}

static cop_message *message_new(const cop_message_type *type, size_t size)
{
    return cop_message_new(type, NULL, HEAD - type->size + size);
}

/* ---- the agent ----------------------------------------------------------------------- */

/* How it is started: the size of the state, and its first bytes. */
struct agent {
    size_t size;
    void *state;
};

struct initial {
    size_t size;
    _Alignas(16) char bytes[];
};

static cop_next init(void *state, const void *argument)
{
    struct agent *agent = state;
    const struct initial *initial = argument;
    agent->size = initial->size;
    agent->state = cop_alloc(initial->size > 0 ? initial->size : 1);
    memcpy(agent->state, initial->bytes, initial->size);
    return cop_ok();
}

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    struct agent *agent = state;
    const agent_run *run = cop_expect(request, agent_run);
    (void)from;
    cop_message *reply = message_new(COP_TYPE(agent_result), run->result_size);
    const void *argument = (const char *)run + HEAD;
    run->function(agent->state, argument, run->result_size > 0 ? behind(reply) : NULL);
    return cop_reply_message(reply);
}

static cop_next handle_cast(void *state, const cop_message *message)
{
    struct agent *agent = state;
    const agent_run *run = cop_expect(message, agent_run);
    run->function(agent->state, (const char *)run + HEAD, NULL);
    return cop_noreply();
}

static const cop_gen_server agent_server = {
    .label = "agent", .state_size = sizeof(struct agent),
    .init = init, .handle_call = handle_call, .handle_cast = handle_cast,
};

static cop_started start(const void *initial, size_t size, const char *name, bool link)
{
    if (cop_pid_is_none(cop_self()))
        return (cop_started){ COP_EOUTSIDE, COP_NO_PID, NULL };
    if (initial == NULL && size > 0)
        return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    struct initial *copy = cop_alloc(sizeof *copy + size);
    copy->size = size;
    if (size > 0)
        memcpy(copy->bytes, initial, size);
    cop_start_options options = { .argument = copy, .argument_size = sizeof *copy + size,
                                  .name = name, .link = link };
    cop_started started = cop_gen_server_start_opt(&agent_server, &options);
    cop_free(copy);
    return started;
}

cop_started cop_agent_start(const void *initial, size_t size, const char *name)
{
    return start(initial, size, name, false);
}

cop_started cop_agent_start_link(const void *initial, size_t size, const char *name)
{
    return start(initial, size, name, true);
}

cop_started cop_child_agent(const void *module, const void *argument, size_t argument_size)
{
    const cop_agent *agent = module;
    (void)argument;
    (void)argument_size;
    return cop_agent_start_link(agent->initial, agent->size, agent->name);
}

/* ---- its callers --------------------------------------------------------------------- */

static cop_message *run_new(cop_agent_function *function, const void *argument,
                            size_t argument_size, size_t result_size)
{
    cop_message *message = message_new(COP_TYPE(agent_run), argument_size);
    agent_run *run = cop_payload(message);
    run->function = function;
    run->result_size = result_size;
    if (argument_size > 0)
        memcpy(behind(message), argument, argument_size);
    return message;
}

int cop_agent_get_and_update(cop_dest agent, cop_agent_function *function, const void *argument,
                             size_t argument_size, void *ret_result, size_t result_size,
                             int64_t timeout_ms)
{
    cop_message *reply;
    if (function == NULL || (argument == NULL && argument_size > 0) ||
        (ret_result == NULL && result_size > 0))
        return COP_EINVAL;
    int error = cop_call_message(agent, run_new(function, argument, argument_size, result_size),
                                 timeout_ms, &reply, NULL);
    if (error != COP_OK)
        return error;
    if (!cop_is(reply, agent_result))
        error = COP_EREPLY;              /* some other server has that name */
    else if (result_size > 0)
        memcpy(ret_result, behind(reply), result_size);
    cop_message_free(reply);
    return error;
}

int cop_agent_get(cop_dest agent, cop_agent_function *function, const void *argument,
                  size_t argument_size, void *ret_result, size_t result_size, int64_t timeout_ms)
{
    return cop_agent_get_and_update(agent, function, argument, argument_size, ret_result,
                                    result_size, timeout_ms);
}

int cop_agent_update(cop_dest agent, cop_agent_function *function, const void *argument,
                     size_t argument_size, int64_t timeout_ms)
{
    return cop_agent_get_and_update(agent, function, argument, argument_size, NULL, 0, timeout_ms);
}

int cop_agent_cast(cop_dest agent, cop_agent_function *function, const void *argument,
                   size_t argument_size)
{
    if (function == NULL || (argument == NULL && argument_size > 0))
        return COP_EINVAL;
    return cop_cast_message(agent, run_new(function, argument, argument_size, 0));
}

int cop_agent_stop(cop_dest agent, const cop_reason *reason, int64_t timeout_ms)
{
    return cop_stop_process(agent, reason, timeout_ms);
}
