/* node.c - running a node in a test, its log in the trace if asked for. */
#include "node.h"

#include <stdatomic.h>
#include <string.h>

#include "trace.h"

static atomic_bool log_is_traced;

void node_trace_log(bool on)
{
    atomic_store(&log_is_traced, on);
}

static void log_to_trace(const cop_log_event *event, void *context)
{
    (void)context;
    if (!atomic_load(&log_is_traced))
        return;
    char text[1024];
    cop_log_format(event, text, sizeof text);
    trace("%.*s", (int)strcspn(text, "\n"), text);
}

int run_node(cop_function *main_function, void *argument)
{
    return cop_run(main_function, argument,
                   &(cop_run_options){ .deterministic = true, .seed = 1, .log = log_to_trace });
}

int run_node_seeded(cop_function *main_function, void *argument, uint64_t seed)
{
    return cop_run(main_function, argument,
                   &(cop_run_options){ .deterministic = true, .seed = seed, .shuffle = true,
                                       .log = log_to_trace });
}

int run_node_threads(cop_function *main_function, void *argument, int schedulers)
{
    return cop_run(main_function, argument,
                   &(cop_run_options){ .schedulers = schedulers, .log = log_to_trace });
}
