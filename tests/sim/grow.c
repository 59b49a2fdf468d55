/* grow.c - a random tree. */
#include "grow.h"

#include <stdio.h>

#include <coppice/runtime.h>

enum { DEPTH_MAX = 2 };

int below(int n)
{
    return (int)cop_random_below((uint64_t)n);
}

/* Times are primes, so that few things fall due at the same moment. */
static int one_of(const int *times, int count)
{
    return times[below(count)];
}
#define ONE_OF(...)                                                                      \
    one_of((const int[]){ __VA_ARGS__ }, (int)(sizeof((const int[]){ __VA_ARGS__ }) /    \
                                               sizeof(int)))

static void grow_worker(struct planned *self, bool dynamic)
{
    if (below(4) == 0) self->end_ms = ONE_OF(31, 73, 409);
    if (below(6) == 0) self->init_ms = ONE_OF(7, 29);
    if (!dynamic && below(6) == 0) {
        self->ready_after_ms = ONE_OF(13, 61);
        self->ready_ms = 103;
    }
    if (below(8) == 0) {
        self->drain_ms = 67;
        self->drained_after_ms = ONE_OF(11, 83);
    }
    switch (below(4)) {
    case 0: self->shutdown = (cop_shutdown)COP_BRUTAL_KILL; break;
    case 1: self->shutdown = (cop_shutdown)COP_SHUTDOWN_MS(53); break;
    case 2: self->shutdown = (cop_shutdown)COP_SHUTDOWN_INFINITY; break;
    }
}

/* What its supervisor does when it ends. */
static void grow_child(struct planned *self, const struct planned *parent)
{
    int chance = below(6);
    self->restart = chance < 4 ? COP_PERMANENT : chance < 5 ? COP_TRANSIENT : COP_TEMPORARY;
    if (parent->auto_shutdown != COP_NEVER && below(3) > 0) {
        self->significant = true;
        self->restart = below(2) == 0 ? COP_TRANSIENT : COP_TEMPORARY;
    }
    if (self->restart == COP_TEMPORARY) return;
    if (below(4) == 0) {
        self->backoff_ms = ONE_OF(37, 211);
        self->backoff_factor = ONE_OF(1, 2, 3);
        self->backoff_max_ms = ONE_OF(211, 499, 1009);
        self->backoff_reset_ms = ONE_OF(307, 1511);
    }
    if (below(6) == 0) {
        self->budget = below(3);
        self->budget_seconds = 1 + below(3);
        if ((parent->kind == A_DYNAMIC || parent->strategy == COP_ONE_FOR_ONE) && below(2) == 0)
            self->when_spent = COP_STAY_DOWN;
    }
}

static void grow_below(struct plan *plan, int node, int depth)
{
    struct planned *self = &plan->nodes[node];
    int wanted = 1 + below(CHILDREN_MAX - 1);
    while (self->child_count < wanted && plan->count < NODES_MAX) {
        int child = plan->count++;
        struct planned *new = &plan->nodes[child];
        self->children[self->child_count++] = child;
        *new = (struct planned){ .parent = node };
        grow_child(new, self);
        if (depth == DEPTH_MAX || self->kind == A_DYNAMIC || below(3) > 0) {
            grow_worker(new, self->kind == A_DYNAMIC);
            continue;
        }
        new->kind = below(4) == 0 ? A_DYNAMIC : A_SUPERVISOR;
        new->strategy = new->kind == A_DYNAMIC ? COP_ONE_FOR_ONE : (enum cop_strategy)below(3);
        new->intensity = below(INTENSITY_MAX);
        new->seconds = 1 + below(5);
        if (new->kind == A_DYNAMIC) new->max_children = below(4);
        else if (below(3) == 0)
            new->auto_shutdown = below(2) == 0 ? COP_ANY_SIGNIFICANT : COP_ALL_SIGNIFICANT;
        grow_below(plan, child, depth + 1);
    }
}

void grow(struct plan *plan)
{
    *plan = (struct plan){ .count = 1 };
    plan->nodes[0] = (struct planned){ .kind = A_SUPERVISOR,
                                       .strategy = (enum cop_strategy)below(3),
                                       .intensity = 1 + below(INTENSITY_MAX - 1),
                                       .seconds = 1 + below(3) };
    grow_below(plan, 0, 0);
}

/* ---- text ------------------------------------------------------------------------------ */

static void describe_child(const struct planned *self, FILE *file)
{
    static const char *const restarts[] = { "permanent", "transient", "temporary" };
    fprintf(file, " %s%s", restarts[self->restart], self->significant ? " significant" : "");
    if (self->backoff_ms > 0)
        fprintf(file, " backoff=%d*%d<=%d,reset=%d", self->backoff_ms, self->backoff_factor,
                self->backoff_max_ms, self->backoff_reset_ms);
    if (self->budget_seconds > 0)
        fprintf(file, " budget=%d/%ds%s", self->budget, self->budget_seconds,
                self->when_spent == COP_STAY_DOWN ? ",stays_down" : "");
}

static void describe_worker(const struct planned *self, FILE *file)
{
    static const char *const shutdowns[] = { "", " killed", " shutdown=53", " shutdown=infinity" };
    fprintf(file, "%s", shutdowns[self->shutdown.mode]);
    if (self->init_ms > 0) fprintf(file, " init=%d", self->init_ms);
    if (self->end_ms > 0) fprintf(file, " end=%d", self->end_ms);
    if (self->ready_ms > 0) fprintf(file, " ready=%d<%d", self->ready_after_ms, self->ready_ms);
    if (self->drain_ms > 0) fprintf(file, " drain=%d<%d", self->drained_after_ms, self->drain_ms);
}

void describe(const struct plan *plan, FILE *file)
{
    static const char *const strategies[] = { "one_for_one", "rest_for_one", "one_for_all" };
    static const char *const rules[] = { "", " any_significant", " all_significant" };
    for (int i = 0; i < plan->count; i++) {
        const struct planned *self = &plan->nodes[i];
        if (i > 0) fprintf(file, "%d below %d:", i, self->parent);
        else fprintf(file, "0:");
        if (i > 0) describe_child(self, file);
        if (self->kind == A_WORKER) {
            describe_worker(self, file);
        } else {
            fprintf(file, " %s", self->kind == A_DYNAMIC ? "dynamic" : strategies[self->strategy]);
            fprintf(file, " %d/%ds%s", self->intensity, self->seconds, rules[self->auto_shutdown]);
            if (self->max_children > 0) fprintf(file, " max=%d", self->max_children);
        }
        fputc('\n', file);
    }
}
