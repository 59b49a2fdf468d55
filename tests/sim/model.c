/* model.c - the model's clock, how children start and how they stop. */
#include "model_parts.h"

void story_add(struct story *story, int64_t ns, char sign, int node)
{
    if (story->count < EVENTS_MAX)
        story->events[story->count++] = (struct event){ ns, node, sign };
}

void model_init(struct model *model, const struct plan *plan)
{
    *model = (struct model){ .plan = *plan };
}

int model_place_of(const struct modelled *supervisor, int child)
{
    for (int i = 0; i < supervisor->count; i++)
        if (supervisor->order[i] == child)
            return i;
    return -1;
}

void model_forget(struct model *model, int supervisor, int child)
{
    struct modelled *self = &model->nodes[supervisor];
    int place = model_place_of(self, child);
    self->count--;
    for (int i = place; i < self->count; i++) self->order[i] = self->order[i + 1];
}

void model_put_down(struct model *model, int supervisor, int child)
{
    struct modelled *self = &model->nodes[child];
    self->state = IS_DOWN;
    self->waits = false;
    self->due_ns = 0;
    if (model->plan.nodes[child].restart == COP_TEMPORARY ||
        model->plan.nodes[supervisor].kind == A_DYNAMIC)
        model_forget(model, supervisor, child);
}

/* ---- the clock ------------------------------------------------------------------------- */

int model_next_due(const struct model *model)
{
    int next = 0;
    for (int i = 1; i < model->plan.count; i++) {
        int64_t due = model->nodes[i].due_ns;
        if (due != 0 && (next == 0 || due < model->nodes[next].due_ns)) next = i;
    }
    return next;
}

int64_t model_next_ns(const struct model *model)
{
    int next = model_next_due(model);
    return next == 0 ? INT64_MAX : model->nodes[next].due_ns;
}

void model_pass(struct model *model, int64_t ms)
{
    model->now_ns += ms * MS;
    if (model_next_ns(model) <= model->now_ns) model->unsure = true;
}

/* ---- stopping -------------------------------------------------------------------------- */

void model_end_worker(struct model *model, int node)
{
    model->nodes[node].state = IS_DOWN;
    model->nodes[node].due_ns = 0;
    model->nodes[node].ends++;
    story_add(&model->story, model->now_ns, '-', node);
}

void model_stop_from(struct model *model, int supervisor, int place)
{
    struct modelled *self = &model->nodes[supervisor];
    for (int i = self->count - 1; i >= place; i--) {
        int child = self->order[i];
        model_stop(model, child);
        model_put_down(model, supervisor, child);
    }
}

/* Side by side; it takes as long as the slowest. */
static void stop_dynamic(struct model *model, int supervisor)
{
    struct modelled *self = &model->nodes[supervisor];
    int64_t begin = model->now_ns, end = begin;
    if (self->count > 1) model->parallel = true;
    while (self->count > 0) {
        int child = self->order[0];
        model->now_ns = begin;
        model_stop(model, child);
        model_put_down(model, supervisor, child);
        if (model->now_ns > end) end = model->now_ns;
    }
    model->now_ns = end;
}

static void stop_children(struct model *model, int supervisor)
{
    struct modelled *self = &model->nodes[supervisor];
    for (int i = 0; i < self->count; i++) model->nodes[self->order[i]].due_ns = 0;
    if (model->plan.nodes[supervisor].kind == A_DYNAMIC) stop_dynamic(model, supervisor);
    else model_stop_from(model, supervisor, 0);
}

void model_stop(struct model *model, int node)
{
    const struct planned *planned = &model->plan.nodes[node];
    struct modelled *self = &model->nodes[node];
    bool was_up = self->state == IS_UP;
    self->state = IS_DOWN;
    self->due_ns = 0;
    if (!was_up) return;
    if (planned->kind != A_WORKER) {
        stop_children(model, node);
        return;
    }
    bool drained = planned->drain_ms > planned->drained_after_ms;
    int64_t ms = planned->end_ms;
    if (planned->shutdown.mode == COP_SHUTDOWN_KILL) ms = 0;
    if (planned->shutdown.mode == COP_SHUTDOWN_WAIT && planned->shutdown.ms < ms)
        ms = planned->shutdown.ms;
    model_pass(model, drained ? planned->drained_after_ms : planned->drain_ms + ms);
    model_end_worker(model, node);
}

void model_abandon(struct model *model, int supervisor)
{
    struct modelled *self = &model->nodes[supervisor];
    int64_t begin = model->now_ns;
    model->parallel = true;
    for (int i = 0; i < self->count; i++) model->nodes[self->order[i]].due_ns = 0;
    for (; self->count > 0; model_forget(model, supervisor, self->order[0])) {
        int child = self->order[0];
        const struct planned *planned = &model->plan.nodes[child];
        if (model->nodes[child].state == IS_UP && planned->kind == A_WORKER) {
            model_pass(model, planned->end_ms);
            model_end_worker(model, child);
        }
        model_stop(model, child);
        if (model->now_ns > model->settled_ns) model->settled_ns = model->now_ns;
        model->now_ns = begin;
    }
}

/* ---- starting -------------------------------------------------------------------------- */

static enum outcome start_worker(struct model *model, int node)
{
    struct planned *planned = &model->plan.nodes[node];
    struct modelled *self = &model->nodes[node];
    bool never_ready = false;
    if (planned->unlucky > 0) {
        planned->unlucky--;
        if (planned->luck == IS_IGNORED) return IGNORED;
        if (planned->luck == HANGS) model_pass(model, START_LIMIT_MS);
        if (planned->luck != IS_NEVER_READY) return FAILED;
        never_ready = planned->ready_ms > 0;
    }
    model_pass(model, planned->init_ms);
    self->starts++;
    story_add(&model->story, model->now_ns, '+', node);
    self->state = IS_UP;
    self->since_ns = model->now_ns;
    self->ready = planned->ready_ms == 0;
    if (!self->ready)
        self->due_ns = model->now_ns +
                       (never_ready ? planned->ready_ms : planned->ready_after_ms) * MS;
    return STARTED;
}

bool model_is_late(const struct model *model, int node)
{
    const struct modelled *self = &model->nodes[node];
    return self->due_ns - self->since_ns == model->plan.nodes[node].ready_ms * MS;
}

/* A supervisor that starts waits for the readiness of each child. */
static enum outcome await_ready(struct model *model, int node)
{
    struct modelled *self = &model->nodes[node];
    if (self->ready) return STARTED;
    bool late = model_is_late(model, node);
    int64_t ms = (self->due_ns - model->now_ns) / MS;
    self->due_ns = 0;
    model_pass(model, ms);
    if (late) model_stop(model, node);
    self->ready = !late;
    return late ? FAILED : STARTED;
}

enum outcome model_start_node(struct model *model, int node)
{
    const struct planned *planned = &model->plan.nodes[node];
    struct modelled *self = &model->nodes[node];
    self->waits = false;
    if (planned->kind == A_WORKER) return start_worker(model, node);
    self->restarts.count = self->count = self->gate = 0;
    for (int i = 0; planned->kind == A_SUPERVISOR && i < planned->child_count; i++) {
        int child = planned->children[i];
        struct modelled *new = &model->nodes[child];
        new->budget.count = new->in_a_row = 0;
        new->waits = false;
        self->order[self->count++] = child;
    }
    for (int i = 0; i < self->count; i++) {
        int child = self->order[i];
        enum outcome outcome = model_start_node(model, child);
        if (outcome == STARTED) outcome = await_ready(model, child);
        if (outcome == FAILED) {
            model_stop_from(model, node, 0);
            return FAILED;
        }
        int before = self->count;
        if (outcome == IGNORED) model_put_down(model, node, child);
        i -= before - self->count;
    }
    self->state = IS_UP;
    self->ready = true;
    self->since_ns = model->now_ns;
    return STARTED;
}

bool model_start(struct model *model)
{
    return model_start_node(model, 0) == STARTED;
}
