/* live.c - the tree that runs: each worker does what the plan says of it, and tells. */
#include "live.h"

#include <coppice/coppice.h>

#include <stdio.h>
#include <string.h>

/* ---- workers --------------------------------------------------------------------------- */

struct plan live_plan;
struct story live_story;
struct live live[NODES_MAX];

COP_MESSAGE(leave, { enum ending ending; });
COP_MESSAGE(get_ready, COP_EMPTY);
COP_MESSAGE(drained, COP_EMPTY);

struct worker { int node; bool leaves; };

static void worker_gone(void *argument)
{
    int node = ((const struct worker *)argument)->node;
    live[node].running--;
    live[node].ends++;
    story_add(&live_story, cop_now_ns(), '-', node);
}

static cop_next worker_init(void *state, const void *argument)
{
    struct worker *self = state;
    int node = self->node = *(const int *)argument;
    struct planned *planned = &live_plan.nodes[node];
    bool never_ready = false;
    if (planned->unlucky > 0) {
        planned->unlucky--;
        switch (planned->luck) {
        case FAILS: return cop_stop(cop_reason_atom("boom"));
        case HANGS: cop_sleep(COP_INFINITY); break;
        case IS_IGNORED: return cop_ignore();
        case IS_NEVER_READY: never_ready = planned->ready_ms > 0;
        }
    }
    if (planned->init_ms > 0) cop_sleep(planned->init_ms);
    cop_trap_exit(planned->end_ms > 0);
    cop_defer(worker_gone, state);
    live[node].pid = cop_self();
    live[node].running++;
    live[node].starts++;
    story_add(&live_story, cop_now_ns(), '+', node);
    if (planned->ready_ms > 0 && !never_ready)
        cop_send_after(cop_self(), planned->ready_after_ms, get_ready, 0);
    return cop_ok();
}

static cop_next worker_info(void *state, const cop_message *message)
{
    const leave *told = cop_get(message, leave);
    if (cop_is(message, get_ready)) cop_ready();
    if (told == NULL && !cop_is(message, drained)) return cop_noreply();
    ((struct worker *)state)->leaves = true;
    switch (told == NULL ? ENDS_SHUTDOWN : told->ending) {
    case ENDS_NORMAL: return cop_stop(COP_NORMAL);
    case ENDS_SHUTDOWN: return cop_stop(COP_SHUTDOWN);
    default: cop_raise("boom");
    }
}

static cop_next worker_drain(void *state)
{
    cop_send_after(cop_self(), live_plan.nodes[((struct worker *)state)->node].drained_after_ms,
                   drained, 0);
    return cop_noreply();
}

static void worker_terminate(void *state, const cop_reason *reason)
{
    const struct worker *self = state;
    int end_ms = live_plan.nodes[self->node].end_ms;
    (void)reason;
    if (end_ms > 0 && !self->leaves) cop_sleep(end_ms);
}

static const cop_gen_server worker = { .state_size = sizeof(struct worker), .init = worker_init,
                                       .handle_info = worker_info,
                                       .handle_drain = worker_drain,
                                       .terminate = worker_terminate };

void live_leave(int node, enum ending ending)
{
    cop_send(live[node].pid, leave, .ending = ending);
}

/* ---- building -------------------------------------------------------------------------- */

static cop_started start_node(const void *module, const void *argument, size_t size)
{
    struct live *self = (struct live *)(uintptr_t)module;
    cop_started started;
    (void)argument;
    (void)size;
    if (live_plan.nodes[self->node].kind == A_WORKER)
        return cop_gen_server_start_link(&worker, .argument = &self->node,
                                         .timeout_ms = START_LIMIT_MS);
    if (live_plan.nodes[self->node].kind == A_DYNAMIC)
        started = cop_dynamic_supervisor_start_link(&self->dynamic);
    else
        started = cop_supervisor_start_link(&self->supervisor);
    if (started.error == COP_OK) self->pid = started.pid;
    return started;
}

cop_child_spec live_spec(int node)
{
    const struct planned *planned = &live_plan.nodes[node];
    return (cop_child_spec){
        .id = live[node].id,
        .start = start_node,
        .module = &live[node],
        .restart = planned->restart,
        .significant = planned->significant,
        .type = planned->kind == A_WORKER ? COP_WORKER : COP_SUPERVISOR,
        .shutdown = planned->shutdown,
        .backoff = { .initial_ms = planned->backoff_ms,
                     .factor = (uint32_t)planned->backoff_factor,
                     .max_ms = planned->backoff_max_ms,
                     .reset_ms = planned->backoff_reset_ms },
        .budget = { planned->budget_seconds > 0, (uint32_t)planned->budget,
                    (uint32_t)planned->budget_seconds, false },
        .when_spent = planned->when_spent,
        .ready_ms = planned->ready_ms,
        .drain_ms = planned->drain_ms,
    };
}

void live_build(void)
{
    memset(live, 0, sizeof live);
    for (int i = live_plan.count - 1; i >= 0; i--) {
        const struct planned *planned = &live_plan.nodes[i];
        struct live *self = &live[i];
        cop_intensity intensity = { true, (uint32_t)planned->intensity,
                                    (uint32_t)planned->seconds, false };
        self->node = i;
        snprintf(self->id, sizeof self->id, "%d", i);
        for (int j = 0; j < planned->child_count; j++)
            self->specs[j] = live_spec(planned->children[j]);
        if (planned->kind == A_DYNAMIC)
            self->dynamic = (cop_dynamic_supervisor){
                .intensity = intensity, .max_children = (size_t)planned->max_children };
        else
            self->supervisor = (cop_supervisor){
                .strategy = planned->strategy,
                .intensity = intensity,
                .auto_shutdown = planned->auto_shutdown,
                .children = self->specs,
                .child_count = (size_t)planned->child_count,
            };
    }
}

cop_started live_start(void)
{
    return start_node(&live[0], NULL, 0);
}
