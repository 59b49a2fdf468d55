/* model_restart.c - what follows from an end, a delay that is over, or a call. */
#include "model_parts.h"

static const int64_t SECOND = 1000000000;

/* ---- restarts -------------------------------------------------------------------------- */

/* Whether one more is allowed now: fewer than `limit` in the last `seconds`. */
static bool allows(struct window *window, int limit, int seconds, int64_t now_ns)
{
    int recent = 0;
    for (int i = 0; i < window->count; i++) recent += window->ns[i] >= now_ns - seconds * SECOND;
    if (recent >= limit) return false;
    if (window->count == INTENSITY_MAX) {
        window->count--;
        for (int i = 0; i < window->count; i++) window->ns[i] = window->ns[i + 1];
    }
    window->ns[window->count++] = now_ns;
    return true;
}

/* Its restart waits: initial, and each time that follows longer, up to max. */
static void delay(struct model *model, int child)
{
    const struct planned *planned = &model->plan.nodes[child];
    struct modelled *self = &model->nodes[child];
    int64_t ms = planned->backoff_ms;
    for (int i = 0; i < self->in_a_row && ms < planned->backoff_max_ms; i++)
        ms *= planned->backoff_factor;
    if (ms > planned->backoff_max_ms) ms = planned->backoff_max_ms;
    self->in_a_row++;
    self->state = IS_RESTARTING;
    self->due_ns = model->now_ns + ms * MS;
}

/* Starts those that wait, up to one that is not ready; the one that failed and is to be tried
 * again at once, or 0. */
static int start_waiting(struct model *model, int supervisor)
{
    struct modelled *self = &model->nodes[supervisor];
    for (int i = 0; i < self->count; i++) {
        int child = self->order[i];
        if (!model->nodes[child].waits) continue;
        enum outcome outcome = model_start_node(model, child);
        if (outcome == FAILED && model->plan.nodes[child].backoff_ms == 0) {
            model->nodes[child].state = IS_RESTARTING;
            for (i++; i < self->count; i++) {
                struct modelled *behind = &model->nodes[self->order[i]];
                if (behind->waits) behind->state = IS_DOWN;
                behind->waits = false;
            }
            return child;
        }
        if (outcome == FAILED) delay(model, child);
        if (outcome == IGNORED) model_put_down(model, supervisor, child);
        if (outcome == FAILED || (outcome == STARTED && !model->nodes[child].ready)) {
            self->gate = child;
            return 0;
        }
    }
    return 0;
}

/* Ends the group of a child, youngest first; all of it waits then.  Whether for an older one. */
static bool hold_group(struct model *model, int supervisor, int child)
{
    struct modelled *self = &model->nodes[supervisor];
    bool all = model->plan.nodes[supervisor].strategy == COP_ONE_FOR_ALL;
    int place = all ? 0 : model_place_of(self, child);
    model_stop_from(model, supervisor, place);
    for (int i = place; i < self->count; i++) {
        if (self->order[i] == self->gate) self->gate = 0;
        model->nodes[self->order[i]].state = IS_RESTARTING;
        model->nodes[self->order[i]].waits = true;
    }
    return self->gate != 0;
}

static void ended(struct model *model, int child, bool abnormal);

/* The supervisor itself ends with reason shutdown. */
static void give_up(struct model *model, int supervisor)
{
    model_stop(model, supervisor);
    ended(model, supervisor, false);
}

/* A child will not run any more by itself. */
static void rest(struct model *model, int supervisor, int child);

/* A restart is counted when it is tried; one that fails is tried again. */
static void retry(struct model *model, int supervisor, int child)
{
    struct modelled *self = &model->nodes[supervisor];
    const struct planned *planned = &model->plan.nodes[supervisor];
    while (child != 0) {
        const struct planned *what = &model->plan.nodes[child];
        if (what->budget_seconds > 0 && !allows(&model->nodes[child].budget, what->budget,
                                                what->budget_seconds, model->now_ns)) {
            if (what->when_spent == COP_GIVE_UP) give_up(model, supervisor);
            else rest(model, supervisor, child);
            return;
        }
        if (!allows(&self->restarts, planned->intensity, planned->seconds, model->now_ns)) {
            give_up(model, supervisor);
            return;
        }
        if (planned->kind == A_SUPERVISOR && planned->strategy != COP_ONE_FOR_ONE) {
            bool held = hold_group(model, supervisor, child);
            child = held ? 0 : start_waiting(model, supervisor);
            continue;
        }
        model->nodes[child].state = IS_RESTARTING;
        enum outcome outcome = model_start_node(model, child);
        if (outcome == IGNORED) model_put_down(model, supervisor, child);
        if (outcome == FAILED && what->backoff_ms > 0) delay(model, child);
        if (outcome != FAILED || what->backoff_ms > 0) child = 0;
    }
}

static void open_gate(struct model *model, int supervisor, int child)
{
    struct modelled *self = &model->nodes[supervisor];
    if (self->gate != child) return;
    self->gate = 0;
    retry(model, supervisor, start_waiting(model, supervisor));
}

static bool shuts_down(const struct model *model, int supervisor, int child)
{
    const struct modelled *self = &model->nodes[supervisor];
    enum cop_auto_shutdown rule = model->plan.nodes[supervisor].auto_shutdown;
    if (!model->plan.nodes[child].significant || rule == COP_NEVER) return false;
    for (int i = 0; rule == COP_ALL_SIGNIFICANT && i < self->count; i++) {
        int other = self->order[i];
        if (other != child && model->plan.nodes[other].significant &&
            model->nodes[other].state != IS_DOWN)
            return false;
    }
    return true;
}

static void rest(struct model *model, int supervisor, int child)
{
    bool over = shuts_down(model, supervisor, child);
    model_put_down(model, supervisor, child);
    if (over) give_up(model, supervisor);
    else open_gate(model, supervisor, child);
}

/* A child has ended by itself. */
static void ended(struct model *model, int child, bool abnormal)
{
    const struct planned *planned = &model->plan.nodes[child];
    struct modelled *self = &model->nodes[child];
    int supervisor = planned->parent;
    if (child == 0) return;
    if (model->now_ns - self->since_ns >= planned->backoff_reset_ms * MS) self->in_a_row = 0;
    if (planned->restart == COP_TEMPORARY || (planned->restart == COP_TRANSIENT && !abnormal)) {
        rest(model, supervisor, child);
        return;
    }
    if (planned->backoff_ms == 0) {
        retry(model, supervisor, child);
        return;
    }
    const struct planned *above = &model->plan.nodes[supervisor];
    if (above->kind == A_SUPERVISOR && above->strategy != COP_ONE_FOR_ONE) {
        if (hold_group(model, supervisor, child)) return;
        model->nodes[supervisor].gate = child;
        self->waits = false;
    }
    delay(model, child);
}

/* ---- what happens ---------------------------------------------------------------------- */

void model_end(struct model *model, int node, enum ending ending)
{
    if (model->plan.nodes[node].kind == A_WORKER) {
        model_end_worker(model, node);
    } else if (ending == ENDS_KILLED) {
        model->nodes[node].state = IS_DOWN;
        model_abandon(model, node);
    } else {
        model_stop(model, node);
    }
    ended(model, node, ending == ENDS_ERROR || ending == ENDS_KILLED);
}

void model_advance(struct model *model, int64_t until_ns)
{
    int next;
    while ((next = model_next_due(model)) != 0 && model->nodes[next].due_ns <= until_ns) {
        struct modelled *self = &model->nodes[next];
        int supervisor = model->plan.nodes[next].parent;
        bool late = self->state == IS_UP && model_is_late(model, next);
        if (self->due_ns < model->now_ns) model->unsure = true;
        if (model->unsure) return;
        model->now_ns = self->due_ns;
        self->due_ns = 0;
        model_pass(model, 0);
        if (self->state == IS_RESTARTING) {
            retry(model, supervisor, next);
        } else if (late) {
            model_end(model, next, ENDS_KILLED);
        } else {
            self->ready = true;
            open_gate(model, supervisor, next);
        }
    }
}

/* ---- calls ----------------------------------------------------------------------------- */

int model_terminate(struct model *model, int parent, int child)
{
    if (model_place_of(&model->nodes[parent], child) < 0) return COP_ENOT_FOUND;
    model_stop(model, child);
    model_put_down(model, parent, child);
    if (model->plan.nodes[parent].kind == A_SUPERVISOR) open_gate(model, parent, child);
    return COP_OK;
}

static int why_not_down(const struct model *model, int parent, int child)
{
    if (model_place_of(&model->nodes[parent], child) < 0) return COP_ENOT_FOUND;
    if (model->nodes[child].state == IS_UP) return COP_ERUNNING;
    return model->nodes[child].state == IS_RESTARTING ? COP_ERESTARTING : COP_OK;
}

int model_restart(struct model *model, int parent, int child)
{
    int error = why_not_down(model, parent, child);
    if (error != COP_OK) return error;
    enum outcome outcome = model_start_node(model, child);
    if (outcome == IGNORED) model_put_down(model, parent, child);
    return outcome == FAILED ? COP_EFAILED : COP_OK;
}

int model_delete(struct model *model, int parent, int child)
{
    int error = why_not_down(model, parent, child);
    if (error == COP_OK) model_forget(model, parent, child);
    return error;
}

int model_start_child(struct model *model, int parent, int child)
{
    const struct planned *planned = &model->plan.nodes[parent];
    struct modelled *self = &model->nodes[parent], *new = &model->nodes[child];
    bool dynamic = planned->kind == A_DYNAMIC;
    if (!dynamic && model_place_of(self, child) >= 0)
        return new->state == IS_UP ? COP_EALREADY_STARTED : COP_EALREADY_PRESENT;
    if (dynamic && planned->max_children > 0 && self->count >= planned->max_children)
        return COP_EMAX_CHILDREN;
    new->budget.count = new->in_a_row = 0;
    enum outcome outcome = model_start_node(model, child);
    if (outcome == FAILED) return COP_EFAILED;
    if (outcome == IGNORED && dynamic) return COP_EIGNORED;
    self->order[self->count++] = child;
    if (outcome == IGNORED) model_put_down(model, parent, child);
    return COP_OK;
}
