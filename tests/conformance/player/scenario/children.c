/* children.c - the processes of a scenario.
 *
 * Each is started with a copy of its node as the argument; what the node points to lives as long
 * as the scenario. */
#include "children.h"

#include <coppice/memory.h>

#include "../common/lines.h"
#include "play.h"

/* ---- workers ----------------------------------------------------------------------------- */

struct worker {
    struct node node;
    int n;                 /* which start of its place it is */
    bool by_itself;        /* it was asked to exit: its ending has no say */
};

COP_MESSAGE(please_exit, { const char *reason; });

static cop_next worker_init(void *state, const void *argument)
{
    struct worker *worker = state;
    worker->node = *(const struct node *)argument;
    cop_trap_exit(worker->node.ending != ENDING_EXIT);
    struct begun begun = recorder_starting(&worker->node);
    worker->n = begun.n;
    switch (begun.outcome) {
    case OUTCOME_OK: return cop_ok();
    case OUTCOME_IGNORE: return cop_ignore();
    case OUTCOME_ERROR: return cop_stop(cop_reason_atom("boom"));
    case OUTCOME_CRASH: cop_exit(cop_reason_atom("boom"));
    }
    return cop_ok();
}

static cop_next worker_handle_info(void *state, const cop_message *message)
{
    struct worker *worker = state;
    const please_exit *request = cop_get(message, please_exit);
    if (request == NULL) return cop_noreply();
    worker->by_itself = true;
    return cop_stop(reason_from_word(request->reason));
}

static void worker_terminate(void *state, const cop_reason *reason)
{
    struct worker *worker = state;
    enum ending how = worker->by_itself ? ENDING_TRAP : worker->node.ending;
    recorder_terminating(&worker->node, worker->n, reason, how);
    switch (how) {
    case ENDING_EXIT:
    case ENDING_TRAP: break;
    case ENDING_HANG: cop_sleep(COP_INFINITY); break;
    case ENDING_LATE: cop_sleep(worker->node.late_ms + OTP_TICK_MS); break;
    case ENDING_REASON: cop_exit(cop_reason_atom(worker->node.reason));
    }
}

static const cop_gen_server any_worker = {
    .label = "worker", .state_size = sizeof(struct worker), .init = worker_init,
    .handle_info = worker_handle_info, .terminate = worker_terminate };

void child_ask_to_exit(cop_pid worker, const char *reason)
{
    cop_send(worker, please_exit, .reason = reason);
}

/* ---- supervisors ------------------------------------------------------------------------- */

static cop_next supervisor_init(cop_supervisor *flags, const void *argument)
{
    const struct node *node = argument;
    recorder_starting(node);
    flags->strategy = node->strategy;
    flags->intensity = node->intensity;
    flags->auto_shutdown = node->auto_shutdown;
    size_t count = 0;
    for (const struct node *child = node->children; child != NULL; child = child->sibling) count++;
    cop_child_spec *specs = cop_alloc((count + 1) * sizeof *specs);
    flags->children = specs;
    flags->child_count = count;
    for (const struct node *child = node->children; child != NULL; child = child->sibling)
        *specs++ = child_spec_of(child);
    return cop_ok();
}

static cop_next dynamic_supervisor_init(cop_dynamic_supervisor *flags, const void *argument)
{
    const struct node *node = argument;
    recorder_starting(node);
    flags->intensity = node->intensity;
    cop_child_spec *child = cop_alloc(sizeof *child);
    *child = (cop_child_spec){ .id = "dyn", .start = cop_child_server, .module = &any_worker,
                               .restart = node->child_restart, .shutdown = node->child_shutdown };
    flags->template_ = child;
    return cop_ok();
}

static const cop_supervisor any_supervisor = { .init = supervisor_init };
static const cop_dynamic_supervisor any_dynamic_supervisor = { .init = dynamic_supervisor_init };

/* ---- all of them ------------------------------------------------------------------------- */

cop_child_spec child_spec_of(const struct node *node)
{
    cop_child_spec spec = {
        .id = node->id, .argument = node, .argument_size = sizeof *node,
        .restart = node->restart, .shutdown = node->shutdown, .significant = node->significant };
    switch (node->kind) {
    case NODE_SUP:
        spec.start = cop_child_supervisor;
        spec.module = &any_supervisor;
        spec.type = COP_SUPERVISOR;
        break;
    case NODE_DYN:
        spec.start = cop_child_dynamic_supervisor;
        spec.module = &any_dynamic_supervisor;
        spec.type = COP_SUPERVISOR;
        break;
    case NODE_WORKER:
        spec.start = cop_child_server;
        spec.module = &any_worker;
        spec.type = COP_WORKER;
        break;
    }
    return spec;
}

cop_started child_start(const struct node *node)
{
    cop_child_spec spec = child_spec_of(node);
    return spec.start(spec.module, spec.argument, spec.argument_size);
}

cop_started child_start_dynamic(cop_dest supervisor, const struct node *node)
{
    return cop_dynamic_supervisor_start_from(supervisor, node, sizeof *node);
}
