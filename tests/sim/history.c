/* history.c - a random tree and a random history in a simulation, held against the model. */
#include <coppice/coppice.h>

#include <stdio.h>
#include <string.h>

#include "model.h"
#include "story.h"

enum { STEPS = 12, DEPTH_MAX = 2 };

const cop_sim_options history_options = { .chance = { COP_SIM_ANY_ORDER }, .max_steps = 100000 };

/* ---- the tree that runs ---------------------------------------------------------------- */

/* One run at a time has them. */
static struct plan plan;
static struct live {
    cop_supervisor supervisor;
    cop_child_spec specs[CHILDREN_MAX];
    char id[12];
    cop_pid pid;
    int running, starts, ends;
} live[NODES_MAX];
static struct model model;
static char story[STORY_MAX];
static size_t story_size;

struct leave { enum ending ending; };
typedef struct leave leave;
COP_MESSAGE(leave);

static void tell(char sign, int node)
{
    if (story_size + 8 < sizeof story)
        story_size += (size_t)snprintf(story + story_size, 8, "%c%d ", sign, node);
}

static void worker_gone(void *argument)
{
    int node = *(const int *)argument;
    live[node].running--;
    live[node].ends++;
    tell('-', node);
}

static cop_next worker_init(void *state, const void *argument)
{
    int node = *(const int *)argument;
    *(int *)state = node;
    if (plan.nodes[node].failing > 0) {
        plan.nodes[node].failing--;
        return cop_stop(cop_reason_atom("boom"));
    }
    cop_defer(worker_gone, state);
    live[node].pid = cop_self();
    live[node].running++;
    live[node].starts++;
    tell('+', node);
    return cop_ok();
}

static cop_next worker_info(void *state, const cop_message *message)
{
    (void)state;
    switch (cop_expect(message, leave)->ending) {
    case ENDS_NORMAL: return cop_stop(COP_NORMAL);
    case ENDS_SHUTDOWN: return cop_stop(COP_SHUTDOWN);
    default: cop_raise("boom");
    }
}

static const cop_gen_server worker = { .state_size = sizeof(int), .init = worker_init,
                                       .handle_info = worker_info };

static cop_started start_supervisor(const void *module, const void *argument, size_t size)
{
    int node = *(const int *)argument;
    (void)size;
    cop_started started = cop_supervisor_start_link((const cop_supervisor *)module);
    if (started.error == COP_OK) live[node].pid = started.pid;
    return started;
}

/* ---- generating ------------------------------------------------------------------------ */

static int below(int n)
{
    return (int)cop_random_below((uint64_t)n);
}

static void grow(int node, int depth)
{
    struct planned *self = &plan.nodes[node];
    self->is_supervisor = true;
    self->strategy = (enum cop_strategy)below(3);
    self->intensity = (uint32_t)below(4);
    self->seconds = (uint32_t)(1 + below(5));
    int wanted = 1 + below(CHILDREN_MAX - 1);
    while (self->child_count < wanted && plan.count < NODES_MAX) {
        int child = plan.count++;
        self->children[self->child_count++] = child;
        plan.nodes[child] = (struct planned){ .parent = node };
        int chance = below(6);
        plan.nodes[child].restart = chance < 4   ? COP_PERMANENT
                                    : chance < 5 ? COP_TRANSIENT
                                                 : COP_TEMPORARY;
        if (depth < DEPTH_MAX && below(3) == 0) grow(child, depth + 1);
    }
}

static cop_child_spec spec_of(int node)
{
    struct live *self = &live[node];
    bool is_supervisor = plan.nodes[node].is_supervisor;
    return (cop_child_spec){
        .id = self->id,
        .start = is_supervisor ? start_supervisor : cop_child_server,
        .module = is_supervisor ? (const void *)&self->supervisor : &worker,
        .argument = &node,
        .argument_size = sizeof node,
        .restart = plan.nodes[node].restart,
        .type = is_supervisor ? COP_SUPERVISOR : COP_WORKER,
    };
}

static void build(void)
{
    static int numbers[NODES_MAX];
    memset(live, 0, sizeof live);
    for (int i = plan.count - 1; i >= 0; i--) {
        const struct planned *planned = &plan.nodes[i];
        numbers[i] = i;
        snprintf(live[i].id, sizeof live[i].id, "%d", i);
        for (int j = 0; j < planned->child_count; j++) {
            live[i].specs[j] = spec_of(planned->children[j]);
            live[i].specs[j].argument = &numbers[planned->children[j]];
        }
        live[i].supervisor = (cop_supervisor){
            .strategy = planned->strategy,
            .intensity = (cop_intensity){ true, planned->intensity, planned->seconds, false },
            .children = live[i].specs,
            .child_count = (size_t)planned->child_count,
        };
    }
}

/* ---- comparing ------------------------------------------------------------------------- */

static bool stands(int node)
{
    while (node > 0 && model.nodes[node].up) node = plan.nodes[node].parent;
    return node == 0 && model.nodes[0].up;
}

/* ordered: nothing of what was told happened side by side. */
static void compare(const char *what, bool ordered)
{
    for (int i = 0; i < plan.count; i++) {
        const struct modelled *expected = &model.nodes[i];
        if (plan.nodes[i].is_supervisor) {
            if (cop_is_alive(live[i].pid) != expected->up)
                cop_sim_fail("the model", "%s: supervisor %d is %s", what, i,
                             expected->up ? "down" : "up");
        } else if (live[i].running != expected->up || live[i].starts != expected->starts ||
                   live[i].ends != expected->ends) {
            cop_sim_fail("the model", "%s: worker %d: %d run, started %d, ended %d; not %d, %d, %d",
                         what, i, live[i].running, live[i].starts, live[i].ends, expected->up,
                         expected->starts, expected->ends);
        }
    }
    if (ordered && strcmp(story, model.story) != 0)
        cop_sim_fail("the model", "%s: %.60s, not %.60s", what, story, model.story);
    story_size = model.story_size = 0;
    story[0] = model.story[0] = '\0';
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

static void end_one(int node, bool *ret_ordered)
{
    enum ending ending = (enum ending)below(4);
    if (plan.nodes[node].is_supervisor) ending = ENDS_KILLED;
    if (below(4) == 0) {
        struct planned *planned = &plan.nodes[1 + below(plan.count - 1)];
        if (!planned->is_supervisor)
            planned->failing = model.plan.nodes[planned - plan.nodes].failing = 1 + below(2);
    }
    cop_ref ref = cop_monitor(live[node].pid);
    if (ending == ENDS_KILLED) cop_exit_process(live[node].pid, COP_KILL);
    else cop_send(live[node].pid, leave, .ending = ending);
    cop_sleep(1);
    *ret_ordered = !plan.nodes[node].is_supervisor;
    model.now_ns = cop_now_ns() - 1000000;
    model_end(&model, node, ending);
    expect_one_down(ref, node);
}

static int started_error(cop_started started)
{
    cop_reason_unref(started.reason);
    return started.error;
}

static void call_one(int parent, int child)
{
    static const char *const names[] = { "terminate", "restart", "delete", "start" };
    int call = below(4), expected, got;
    cop_dest to = cop_to(live[parent].pid);
    model.now_ns = cop_now_ns();
    switch (call) {
    case 0:
        expected = model_terminate(&model, parent, child);
        got = cop_supervisor_terminate_child(to, live[child].id);
        break;
    case 1:
        expected = model_restart(&model, parent, child);
        got = started_error(cop_supervisor_restart_child(to, live[child].id));
        break;
    case 2:
        expected = model_delete(&model, parent, child);
        got = cop_supervisor_delete_child(to, live[child].id);
        break;
    default: {
        cop_child_spec spec = spec_of(child);
        spec.argument = &child;
        expected = model_start_child(&model, parent, child);
        got = started_error(cop_supervisor_start_child(to, &spec));
    }
    }
    if (got != expected)
        cop_sim_fail("the model", "%s %d answers %s, not %s", names[call], child,
                     cop_error_name(got), cop_error_name(expected));
    cop_sleep(1);
}

static void step(void)
{
    bool ordered = true;
    char what[32];
    int node = below(8) == 0 ? below(plan.count) : 1 + below(plan.count - 1);
    if (below(3) > 0 && stands(node)) {
        snprintf(what, sizeof what, "the end of %d", node);
        end_one(node, &ordered);
    } else if (node > 0 && stands(plan.nodes[node].parent)) {
        snprintf(what, sizeof what, "a call for %d", node);
        call_one(plan.nodes[node].parent, node);
    } else {
        return;
    }
    compare(what, ordered);
}

void history(void *argument)
{
    (void)argument;
    cop_trap_exit(true);
    memset(&plan, 0, sizeof plan);
    plan.count = 1;
    grow(0, 0);
    build();
    model_init(&model, &plan);
    story_size = 0;
    story[0] = '\0';
    cop_started top = cop_supervisor_start_link(&live[0].supervisor);
    live[0].pid = top.pid;
    cop_reason_unref(top.reason);
    model_start(&model, 0);
    compare("the start", true);
    for (int i = 0; i < STEPS && model.nodes[0].up; i++) {
        static const int pauses[] = { 0, 0, 300, 999, 1500, 4000 };
        step();
        cop_sleep(pauses[below(6)]);
    }
}
