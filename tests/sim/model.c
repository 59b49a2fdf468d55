/* model.c - see model.h. */
#include "model.h"

#include <stdio.h>

void model_init(struct model *model, const struct plan *plan)
{
    *model = (struct model){ .plan = *plan };
}

static void tell(struct model *model, char sign, int node)
{
    if (model->story_size + 8 < sizeof model->story)
        model->story_size += (size_t)snprintf(model->story + model->story_size, 8, "%c%d ", sign,
                                              node);
}

static int place_of(const struct modelled *supervisor, int child)
{
    for (int i = 0; i < supervisor->count; i++)
        if (supervisor->order[i] == child)
            return i;
    return -1;
}

static void forget(struct modelled *supervisor, int place)
{
    supervisor->count--;
    for (int i = place; i < supervisor->count; i++)
        supervisor->order[i] = supervisor->order[i + 1];
}

/* ---- stopping -------------------------------------------------------------------------- */

static void stop(struct model *model, int node);

/* From the youngest down to that place; temporary ones are forgotten. */
static void stop_from(struct model *model, int supervisor, int place)
{
    struct modelled *self = &model->nodes[supervisor];
    for (int i = self->count - 1; i >= place; i--) {
        int child = self->order[i];
        stop(model, child);
        if (model->plan.nodes[child].restart == COP_TEMPORARY)
            forget(self, i);
    }
}

static void stop(struct model *model, int node)
{
    struct modelled *self = &model->nodes[node];
    if (!self->up)
        return;
    self->up = false;
    if (model->plan.nodes[node].is_supervisor) {
        stop_from(model, node, 0);
        return;
    }
    self->ends++;
    tell(model, '-', node);
}

/* ---- starting -------------------------------------------------------------------------- */

bool model_start(struct model *model, int node)
{
    struct planned *planned = &model->plan.nodes[node];
    struct modelled *self = &model->nodes[node];
    if (!planned->is_supervisor) {
        if (planned->failing > 0) {
            planned->failing--;
            return false;
        }
        self->up = true;
        self->starts++;
        tell(model, '+', node);
        return true;
    }
    self->count = planned->child_count;
    for (int i = 0; i < self->count; i++) self->order[i] = planned->children[i];
    self->restart_count = 0;
    for (int i = 0; i < self->count; i++) {
        if (model_start(model, self->order[i]))
            continue;
        stop_from(model, node, 0);
        return false;
    }
    self->up = true;
    return true;
}

/* ---- ending ---------------------------------------------------------------------------- */

/* Whether one more restart is allowed now: fewer than `intensity` in the last `seconds`. */
static bool may_restart(struct model *model, int supervisor)
{
    struct modelled *self = &model->nodes[supervisor];
    const struct planned *planned = &model->plan.nodes[supervisor];
    int64_t since = model->now_ns - (int64_t)planned->seconds * 1000000000;
    uint32_t recent = 0;
    for (int i = 0; i < self->restart_count; i++) recent += self->restarts[i] >= since;
    if (recent >= planned->intensity || self->restart_count == RESTARTS_MAX)
        return false;
    self->restarts[self->restart_count++] = model->now_ns;
    return true;
}

/* Starts all from a place on; -1, or the one that failed. */
static int start_from(struct model *model, int supervisor, int place)
{
    struct modelled *self = &model->nodes[supervisor];
    for (int i = place; i < self->count; i++)
        if (!model_start(model, self->order[i]))
            return self->order[i];
    return -1;
}

static void restart(struct model *model, int supervisor, int child)
{
    struct modelled *self = &model->nodes[supervisor];
    enum cop_strategy strategy = model->plan.nodes[supervisor].strategy;
    while (child >= 0) {
        if (!may_restart(model, supervisor)) {
            stop(model, supervisor);
            model_end(model, supervisor, ENDS_SHUTDOWN);
            return;
        }
        if (strategy == COP_ONE_FOR_ONE) {
            child = model_start(model, child) ? -1 : child;
            continue;
        }
        int place = strategy == COP_ONE_FOR_ALL ? 0 : place_of(self, child);
        stop_from(model, supervisor, place);
        child = start_from(model, supervisor, place);
    }
}

/* A supervisor that is killed takes those below it along. */
void model_end(struct model *model, int node, enum ending ending)
{
    struct planned *planned = &model->plan.nodes[node];
    bool abnormal = ending == ENDS_ERROR || ending == ENDS_KILLED;
    stop(model, node);
    if (node == 0)
        return;
    if (planned->restart == COP_TEMPORARY) {
        struct modelled *parent = &model->nodes[planned->parent];
        forget(parent, place_of(parent, node));
    } else if (planned->restart == COP_PERMANENT || abnormal) {
        restart(model, planned->parent, node);
    }
}

/* ---- calls ----------------------------------------------------------------------------- */

int model_terminate(struct model *model, int parent, int child)
{
    int place = place_of(&model->nodes[parent], child);
    if (place < 0)
        return COP_ENOT_FOUND;
    stop(model, child);
    if (model->plan.nodes[child].restart == COP_TEMPORARY)
        forget(&model->nodes[parent], place);
    return COP_OK;
}

int model_restart(struct model *model, int parent, int child)
{
    if (place_of(&model->nodes[parent], child) < 0)
        return COP_ENOT_FOUND;
    if (model->nodes[child].up)
        return COP_ERUNNING;
    return model_start(model, child) ? COP_OK : COP_EFAILED;
}

int model_delete(struct model *model, int parent, int child)
{
    int place = place_of(&model->nodes[parent], child);
    if (place < 0)
        return COP_ENOT_FOUND;
    if (model->nodes[child].up)
        return COP_ERUNNING;
    forget(&model->nodes[parent], place);
    return COP_OK;
}

int model_start_child(struct model *model, int parent, int child)
{
    struct modelled *self = &model->nodes[parent];
    if (place_of(self, child) >= 0)
        return model->nodes[child].up ? COP_EALREADY_STARTED : COP_EALREADY_PRESENT;
    if (!model_start(model, child))
        return COP_EFAILED;
    self->order[self->count++] = child;
    return COP_OK;
}
