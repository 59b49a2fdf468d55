/* history.c - a random tree and a random history in a simulation, held against the model. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "live.h"
#include "story.h"

enum { STEPS = 12, MS = 1000000 };

const cop_sim_options history_options = { .chance = { COP_SIM_ANY_ORDER }, .max_steps = 100000 };

static struct model model;
FILE *history_told;

/* ---- comparing ------------------------------------------------------------------------- */

static bool stands(int node)
{
    while (node > 0 && model.nodes[node].state == IS_UP) node = live_plan.nodes[node].parent;
    return node == 0 && model.nodes[0].state == IS_UP;
}

static void compare_counts(const char *what)
{
    for (int i = 0; i < live_plan.count; i++) {
        const struct modelled *expected = &model.nodes[i];
        bool up = expected->state == IS_UP;
        if (live_plan.nodes[i].kind != A_WORKER) {
            if (cop_is_alive(live[i].pid) != up)
                cop_sim_fail("the model", "%s: supervisor %d is %s", what, i, up ? "down" : "up");
        } else if (live[i].running != up || live[i].starts != expected->starts ||
                   live[i].ends != expected->ends) {
            cop_sim_fail("the model", "%s: worker %d: %d run, started %d, ended %d; not %d, %d, %d",
                         what, i, live[i].running, live[i].starts, live[i].ends, up,
                         expected->starts, expected->ends);
        }
    }
}

static int by_time(const void *a, const void *b)
{
    const struct event *one = a, *other = b;
    if (one->ns != other->ns) return one->ns < other->ns ? -1 : 1;
    if (one->node != other->node) return one->node - other->node;
    return one->sign - other->sign;
}

/* What happened side by side has no order but that of time. */
static void compare_stories(const char *what)
{
    if (model.parallel) {
        qsort(live_story.events, (size_t)live_story.count, sizeof *live_story.events, by_time);
        qsort(model.story.events, (size_t)model.story.count, sizeof *live_story.events, by_time);
    }
    int at = 0;
    while (at < live_story.count && at < model.story.count &&
           by_time(&live_story.events[at], &model.story.events[at]) == 0)
        at++;
    if (at < live_story.count || at < model.story.count) {
        static const struct event none = { 0, -1, ' ' };
        struct event got = at < live_story.count ? live_story.events[at] : none;
        struct event expected = at < model.story.count ? model.story.events[at] : none;
        cop_sim_fail("the model", "%s: event %d is %c%d at %lld us, not %c%d at %lld us", what, at,
                     got.sign, got.node, (long long)got.ns / 1000, expected.sign, expected.node,
                     (long long)expected.ns / 1000);
    }
    live_story.count = model.story.count = 0;
    model.parallel = false;
}

/* What a supervisor says of its children. */
static void compare_children(int node)
{
    static const enum cop_child_state states[] = { COP_CHILD_DOWN, COP_CHILD_UP,
                                                   COP_CHILD_RESTARTING };
    const struct modelled *self = &model.nodes[node];
    cop_child_info *children;
    size_t count, up = 0, model_up = 0;
    bool dynamic = live_plan.nodes[node].kind == A_DYNAMIC;
    int error = dynamic
        ? cop_dynamic_supervisor_which_children(cop_to(live[node].pid), &children, &count)
        : cop_supervisor_which_children(cop_to(live[node].pid), &children, &count);
    if (error != COP_OK || (int)count != self->count) {
        cop_sim_fail("the model", "supervisor %d has not %d children", node, self->count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct modelled *child = &model.nodes[self->order[count - 1 - i]];
        up += children[i].state == COP_CHILD_UP;
        model_up += child->state == IS_UP;
        if (!dynamic && children[i].state != states[child->state])
            cop_sim_fail("the model", "%s: its supervisor says %d, not %d", children[i].id,
                         children[i].state, states[child->state]);
    }
    if (up != model_up)
        cop_sim_fail("the model", "of %d %zu children are up, not %zu", node, up, model_up);
    cop_free(children);
}

static void retell(const char *what, const struct story *of)
{
    fprintf(history_told, "  %s:", what);
    for (int i = 0; i < of->count; i++)
        fprintf(history_told, " %c%d@%lld", of->events[i].sign, of->events[i].node,
                (long long)of->events[i].ns / MS);
    fputc('\n', history_told);
}

static void compare(const char *what)
{
    if (history_told != NULL) {
        fprintf(history_told, "%s%s\n", what, model.unsure ? " (unsure)" : "");
        retell("model", &model.story);
        retell("run", &live_story);
    }
    if (model.unsure) return;
    compare_counts(what);
    compare_stories(what);
    int node = below(live_plan.count);
    if (live_plan.nodes[node].kind != A_WORKER && stands(node)) compare_children(node);
}

/* Until then, and on for as long as something is under way or happens at that very moment; whether
 * the model could follow. */
static bool rest_until(int64_t ns)
{
    for (;;) {
        model_advance(&model, ns);
        if (model.unsure) return false;
        int64_t busy = model.now_ns > model.settled_ns ? model.now_ns : model.settled_ns;
        if (busy + MS <= ns) break;
        ns = busy + MS;
    }
    cop_sleep((ns - cop_now_ns()) / MS);
    model.now_ns = ns;
    return true;
}

/* ---- what happens ---------------------------------------------------------------------- */

/* One monitor, one down message; of others there are only exits, of the top. */
static void expect_one_down(cop_ref ref, int node)
{
    int downs = 0;
    const cop_message *message;
    while ((message = cop_receive(0)) != NULL)
        downs += cop_is(message, cop_down_message) && message->ref == ref.serial;
    if (downs != 1)
        cop_sim_fail("every monitor fires exactly once", "%d down messages of %d", downs, node);
}

/* Some of the starts to come go wrong. */
static void draw_bad_luck(void)
{
    static const char *const names[] = { "fail", "hang", "are ignored", "are never ready" };
    int node = 1 + below(live_plan.count - 1);
    if (live_plan.nodes[node].kind != A_WORKER) return;
    live_plan.nodes[node].unlucky = 1 + below(2);
    live_plan.nodes[node].luck = (enum luck)below(4);
    model.plan.nodes[node].unlucky = live_plan.nodes[node].unlucky;
    model.plan.nodes[node].luck = live_plan.nodes[node].luck;
    if (history_told != NULL)
        fprintf(history_told, "the next %d starts of %d %s\n", live_plan.nodes[node].unlucky, node,
                names[live_plan.nodes[node].luck]);
}

static void end_one(int node, enum ending ending)
{
    bool supervisor = live_plan.nodes[node].kind != A_WORKER;
    if (below(4) == 0) draw_bad_luck();
    cop_ref ref = cop_monitor(live[node].pid);
    model_end(&model, node, ending);
    if (ending == ENDS_KILLED) cop_exit_process(live[node].pid, COP_KILL);
    else if (supervisor) cop_supervisor_stop(cop_to(live[node].pid), COP_SHUTDOWN);
    else live_leave(node, ending);
    if (rest_until(cop_now_ns() + MS)) expect_one_down(ref, node);
}

static int started_error(cop_started started)
{
    cop_reason_unref(started.reason);
    return started.error;
}

enum call { TERMINATE, RESTART, DELETE, START, CALLS };
static const char *const call_names[] = { "terminate", "restart", "delete", "start" };

static int call_model(enum call call, int parent, int child)
{
    switch (call) {
    case TERMINATE: return model_terminate(&model, parent, child);
    case RESTART: return model_restart(&model, parent, child);
    case DELETE: return model_delete(&model, parent, child);
    default: return model_start_child(&model, parent, child);
    }
}

static int call_supervisor(enum call call, cop_dest to, int child, bool dynamic)
{
    cop_child_spec spec = live_spec(child);
    if (dynamic)
        return call == TERMINATE
            ? cop_dynamic_supervisor_terminate_child(to, live[child].pid)
            : started_error(cop_dynamic_supervisor_start_child(to, &spec));
    switch (call) {
    case TERMINATE: return cop_supervisor_terminate_child(to, live[child].id);
    case RESTART: return started_error(cop_supervisor_restart_child(to, live[child].id));
    case DELETE: return cop_supervisor_delete_child(to, live[child].id);
    default: return started_error(cop_supervisor_start_child(to, &spec));
    }
}

/* A dynamic child is known by its pid, and started only when it is not there. */
static enum call draw_call(int parent, int child)
{
    if (live_plan.nodes[parent].kind != A_DYNAMIC) return (enum call)below(CALLS);
    bool present = model.nodes[child].state != IS_DOWN;
    if (!present && cop_pid_is_none(live[child].pid)) return START;
    return present || below(3) == 0 ? TERMINATE : START;
}

static void call_one(enum call call, int parent, int child)
{
    bool dynamic = live_plan.nodes[parent].kind == A_DYNAMIC;
    int expected = call_model(call, parent, child);
    int got = call_supervisor(call, cop_to(live[parent].pid), child, dynamic);
    if (got != expected && !model.unsure)
        cop_sim_fail("the model", "%s %d answers %s, not %s", call_names[call], child,
                     cop_error_name(got), cop_error_name(expected));
    rest_until(cop_now_ns() + MS);
}

/* Often near the last one, where something may still be under way. */
static int draw_node(int last)
{
    const struct planned *above = &live_plan.nodes[live_plan.nodes[last].parent];
    if (below(3) == 0) return above->children[below(above->child_count)];
    return below(8) == 0 ? below(live_plan.count) : 1 + below(live_plan.count - 1);
}

/* Returns the node that it was about. */
static int step(int last)
{
    static const char *const endings[] = { "normal", "shutdown", "error", "killed" };
    char what[48];
    int node = draw_node(last);
    int parent = live_plan.nodes[node].parent;
    if (stands(node) && below(3) > 0) {
        enum ending ending = (enum ending)below(4);
        if (live_plan.nodes[node].kind != A_WORKER)
            ending = below(2) == 0 ? ENDS_KILLED : ENDS_SHUTDOWN;
        snprintf(what, sizeof what, "the end of %d, %s", node, endings[ending]);
        end_one(node, ending);
    } else if (node > 0 && stands(parent)) {
        enum call call = draw_call(parent, node);
        snprintf(what, sizeof what, "a call to %s %d", call_names[call], node);
        call_one(call, parent, node);
    } else {
        return node;
    }
    compare(what);
    return node;
}

void history(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    grow(&live_plan);
    live_build();
    if (history_told != NULL) describe(&live_plan, history_told);
    model_init(&model, &live_plan);
    model.now_ns = cop_now_ns();
    live_story.count = 0;
    model_start(&model);
    cop_started top = live_start();
    live[0].pid = top.pid;
    cop_reason_unref(top.reason);
    rest_until(cop_now_ns() + MS);
    compare("the start");
    int last = 0;
    for (int i = 0; i < STEPS && model.nodes[0].state == IS_UP && !model.unsure; i++) {
        static const int pauses[] = { 0, 0, 300, 999, 1500, 4000 };
        last = step(last);
        if (rest_until(cop_now_ns() + (int64_t)pauses[below(6)] * MS)) compare("a pause");
    }
}
