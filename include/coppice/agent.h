/* agent.h - state that others share by asking.
 *
 * Concept.  A process that holds one value and runs small functions on it for its callers, one at a
 * time.  The functions run in the agent: keep them short.  Elixir: Agent.
 *
 *     static void add(void *state, const void *argument, void *result)
 *     {
 *         *(int *)state += *(const int *)argument;
 *     }
 *     cop_pid agent = cop_agent_start_link(&zero, sizeof zero, NULL).pid;
 *     cop_agent_update(cop_to(agent), add, &n, sizeof n, COP_CALL_TIMEOUT_MS);
 *
 * Threads.  [process] [may block].  Errors as cop_call. */
#ifndef COPPICE_AGENT_H
#define COPPICE_AGENT_H

#include <coppice/gen_server.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs in the agent.  argument is a copy; result is zeroed memory of the size that the caller
 * gave, whose bytes go back to it (NULL for update and cast). */
typedef void cop_agent_function(void *state, const void *argument, void *result);

/* The state starts as a copy of `size` bytes at initial. name NULL: none. */
cop_started cop_agent_start(const void *initial, size_t size, const char *name);
cop_started cop_agent_start_link(const void *initial, size_t size, const char *name);

/* get: a result is wanted; get_and_update: the same, and the function may change the state; update:
 * waits until it is done; cast does not wait.  A function that crashes ends the agent. */
int cop_agent_get(cop_dest agent, cop_agent_function *function, const void *argument,
                  size_t argument_size, void *ret_result, size_t result_size, int64_t timeout_ms);
int cop_agent_get_and_update(cop_dest agent, cop_agent_function *function, const void *argument,
                             size_t argument_size, void *ret_result, size_t result_size,
                             int64_t timeout_ms);
int cop_agent_update(cop_dest agent, cop_agent_function *function, const void *argument,
                     size_t argument_size, int64_t timeout_ms);
int cop_agent_cast(cop_dest agent, cop_agent_function *function, const void *argument,
                   size_t argument_size);
int cop_agent_stop(cop_dest agent, const cop_reason *reason, int64_t timeout_ms);

/* For spec tables: module is a cop_agent. */
typedef struct cop_agent { const char *name; const void *initial; size_t size; } cop_agent;
cop_started cop_child_agent(const void *module, const void *argument, size_t argument_size);
#define COP_CHILD_AGENT(agent_, ...)                                                     \
    { .id = #agent_, .start = cop_child_agent,                                           \
      .module = COP_MODULE(cop_agent, agent_), __VA_ARGS__ }

#ifdef __cplusplus
}
#endif
#endif
