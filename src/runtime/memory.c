/* memory.c - what a process owns: memory, deferred actions; and shared buffers. */
#include "memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/memory.h>

#include "../base/assert.h"
#include "limit.h"
#include "reason.h"
#include "scheduler.h"
#include "sim.h"

/* A wrong block is the process's own fault, before it comes to the arena's. */
static void check_block(struct process *self, const void *block, const char *function)
{
    if (block != NULL && !copi_arena_has(self->arena, block))
        cop_raise("badarg: %s: no block of this process, or freed already", function);
}

static bool is_allowed(struct process *self, const void *block, size_t size)
{
    return copi_limits(self) == NULL || size <= copi_arena_size(block) ||
           copi_limit_allows(self, size - copi_arena_size(block));
}

/* NULL without memory. */
static void *resize(struct process *self, void *block, size_t size)
{
    copi_enter(copi_scheduler);
    void *result = block == NULL
                       ? copi_arena_alloc(&self->arena, copi_slab(), size)
                       : copi_arena_realloc(&self->arena, copi_slab(), block, size);
    copi_leave(copi_scheduler);
    return result;
}

void *cop_realloc(void *block, size_t size)
{
    struct process *self = copi_self_checked("cop_alloc");
    check_block(self, block, "cop_realloc");
    if (!is_allowed(self, block, size))
        cop_raise("enomem: max_memory");
    void *result = copi_sim_fails(COP_SIM_NO_MEMORY) ? NULL : resize(self, block, size);
    if (result == NULL)
        copi_exit(&copi_reason_enomem);
    return result;
}

void *cop_alloc(size_t size)
{
    return cop_realloc(NULL, size);
}

char *cop_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(cop_alloc(size), text, size);
}

void cop_free(void *block)
{
    struct process *self = copi_self_checked("cop_free");
    check_block(self, block, "cop_free");
    copi_enter(copi_scheduler);
    copi_arena_free(self->arena, block);
    copi_leave(copi_scheduler);
}

size_t cop_memory_used(void)
{
    return copi_arena_used(copi_self_checked("cop_memory_used")->arena);
}

/* ---- deferred actions ------------------------------------------------------------------ */

struct cop_deferred {
    struct cop_deferred *older, *newer;
    cop_cleanup *action;
    void *argument;
};

cop_deferred *cop_defer(cop_cleanup *action, void *argument)
{
    struct process *self = copi_self_checked("cop_defer");
    bool allowed = is_allowed(self, NULL, sizeof(cop_deferred));
    cop_deferred *deferred = allowed ? resize(self, NULL, sizeof *deferred) : NULL;
    if (deferred == NULL) {
        action(argument);                /* the newest, so the first */
        if (!allowed)
            cop_raise("enomem: max_memory");
        copi_exit(&copi_reason_enomem);
    }
    deferred->action = action;
    deferred->argument = argument;
    deferred->older = self->deferred;
    if (self->deferred != NULL)
        self->deferred->newer = deferred;
    self->deferred = deferred;
    return deferred;
}

static void take_off(struct process *process, cop_deferred *deferred)
{
    if (deferred->newer != NULL)
        deferred->newer->older = deferred->older;
    else
        process->deferred = deferred->older;
    if (deferred->older != NULL)
        deferred->older->newer = deferred->newer;
}

/* A process that ends in here, of too little stack, either has the action still or has had it. */
void cop_undefer(cop_deferred *deferred, bool run)
{
    struct process *self = copi_self_checked("cop_undefer");
    check_block(self, deferred, "cop_undefer");
    cop_cleanup *action = deferred->action;
    void *argument = deferred->argument;
    copi_enter(copi_scheduler);
    take_off(self, deferred);
    copi_arena_free(self->arena, deferred);
    copi_leave(copi_scheduler);
    if (run)
        action(argument);
}

cop_cleanup *copi_deferred_action(cop_deferred *deferred, void **ret_argument)
{
    check_block(copi_self(), deferred, "cop_blocking_lend");
    *ret_argument = deferred->argument;
    return deferred->action;
}

void copi_deferred_run(struct process *process)
{
    while (process->deferred != NULL) {
        cop_cleanup *action = process->deferred->action;
        bool crashes = copi_sim_runs && copi_sim_cleanup_crashes(process, action);
        cop_undefer(process->deferred, !crashes);
        if (crashes)
            cop_raise("simulated crash");
    }
}

/* ---- shared buffers -------------------------------------------------------------------- */

struct cop_buffer {
    _Atomic size_t references;
    size_t size;
    char bytes[];
};

cop_buffer *cop_buffer_new(const void *bytes, size_t size)
{
    cop_buffer *buffer = malloc(sizeof *buffer + size);
    if (buffer == NULL)
        return NULL;
    atomic_init(&buffer->references, 1);
    buffer->size = size;
    if (size > 0)
        memcpy(buffer->bytes, bytes, size);
    return buffer;
}

cop_buffer *cop_buffer_ref(cop_buffer *buffer)
{
    atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

/* Release on the way down, acquire at zero: as cop_reason_unref. */
void cop_buffer_unref(cop_buffer *buffer)
{
    if (buffer != NULL &&
        atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) == 1)
        free(buffer);
}

const void *cop_buffer_bytes(const cop_buffer *buffer)
{
    return buffer->bytes;
}

size_t cop_buffer_size(const cop_buffer *buffer)
{
    return buffer->size;
}

static void unref(void *buffer)
{
    cop_buffer_unref(buffer);
}

cop_deferred *cop_own_buffer(cop_buffer *buffer)
{
    return cop_defer(unref, buffer);
}

void cop_buffer_drop(void *payload)
{
    cop_buffer_unref(*(cop_buffer **)payload);
}
