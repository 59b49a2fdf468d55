/* table.c - the table of processes: slots, pids, counting. */
#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/hostile.h"
#include "../platform/platform.h"
#include "limit.h"
#include "node.h"
#include "table.h"

enum {
    BATCH = COPI_LIMIT(64, 1),   /* slots moved between a scheduler and the common list at once */
    KEPT_MAX = 3 * BATCH,  /* a scheduler's list stays below */
    INDICES = 1 << COPI_INDEX_BITS
};

static struct {
    size_t limit;                   /* of processes */
    size_t capacity;                /* slots: the limit, and what may lie in schedulers' lists */
    _Atomic size_t foreign;         /* born on threads that are no scheduler's */
    _Atomic bool open;              /* there is a node */
    pthread_mutex_t lock;           /* of free */
    struct process *free;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct process_slots copi_processes;

bool copi_processes_init(size_t limit)
{
    size_t capacity = limit + (size_t)copi_node.schedulers * KEPT_MAX;
    table.limit = limit;
    table.capacity = capacity < INDICES ? capacity : INDICES;
    copi_processes.slots = copi_memory_reserve(table.capacity * sizeof(struct process));
    table.free = NULL;
    atomic_store(&copi_processes.used, 0);
    atomic_store(&table.foreign, 0);
    atomic_store(&table.open, true);
    return copi_processes.slots != NULL;
}

struct extras *copi_extras_made(struct process *process)
{
    struct extras *extras = copi_extras(process);
    if (extras == NULL && (extras = calloc(1, sizeof *extras)) != NULL)
        atomic_store_explicit(&process->extras, extras, memory_order_release);
    return extras;
}

static void extras_free(struct process *slot)
{
    free(copi_limits(slot));
    free(copi_extras(slot));
    atomic_store_explicit(&slot->extras, NULL, memory_order_relaxed);
}

void copi_processes_deinit(void)
{
    COP_ASSERT(copi_slots_in_use() == 0);
    atomic_store(&table.open, false);
    atomic_store(&table.foreign, 0);
    size_t used = atomic_load(&copi_processes.used);
    for (size_t i = 0; i < used; i++) extras_free(&copi_processes.slots[i]);
    atomic_store(&copi_processes.used, 0);       /* from now on no pid leads anywhere */
    copi_memory_release(copi_processes.slots, table.capacity * sizeof(struct process));
    copi_processes.slots = NULL;
}

/* ---- finding --------------------------------------------------------------------------- */

void copi_processes_each(void (*visit)(struct process *))
{
    size_t used = atomic_load(&copi_processes.used);
    for (size_t i = 0; i < used; i++)
        if (atomic_load(&copi_processes.slots[i].pid) != 0)
            visit(&copi_processes.slots[i]);
}

cop_pid copi_processes_next(size_t *cursor)
{
    size_t used = atomic_load_explicit(&copi_processes.used, memory_order_acquire);
    cop_pid pid = COP_NO_PID;
    while (cop_pid_is_none(pid) && *cursor < used) {
        const struct process *slot = &copi_processes.slots[(*cursor)++];
        pid.bits = atomic_load_explicit(&slot->pid, memory_order_acquire);
    }
    return pid;
}

/* ---- counting --------------------------------------------------------------------------
 *
 * Each scheduler counts what happens on its thread, with plain adds; who wants to know sums up.
 * The ends are read before the births, so that no end is counted without its birth. */

static size_t sum(size_t offset)
{
    size_t total = 0;
    for (int i = 0; atomic_load(&table.open) && i < copi_node.all; i++) {
        char *lives = (char *)&copi_node.scheduler[i].lives;
        total += atomic_load_explicit((_Atomic size_t *)(void *)(lives + offset),
                                      memory_order_acquire);
    }
    return total;
}

static void count(_Atomic size_t *counter)
{
    size_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + 1, memory_order_release);
}

static size_t born(void)
{
    return sum(offsetof(struct life_counts, born)) +
           atomic_load_explicit(&table.foreign, memory_order_acquire);
}

size_t copi_processes_count(void)
{
    size_t ended = sum(offsetof(struct life_counts, ended));
    return born() - ended;
}

/* The acquire pairs with the release in copi_slot_retire: who sees the count without a process sees
 * all that it has told. */
size_t copi_slots_in_use(void)
{
    size_t gone = sum(offsetof(struct life_counts, gone));
    return born() - gone;
}

/* ---- slots ----------------------------------------------------------------------------- */

/* Moves up to BATCH slots from one list to another; returns how many. */
static uint32_t move(struct process **from, struct process **to)
{
    uint32_t moved = 0;
    for (; moved < BATCH && *from != NULL; moved++) {
        struct process *slot = *from;
        *from = slot->next;
        slot->next = *to;
        *to = slot;
    }
    return moved;
}

/* Puts up to BATCH fresh slots on a list; returns how many.  With the lock held. */
static uint32_t extend(struct process **to)
{
    size_t used = atomic_load_explicit(&copi_processes.used, memory_order_relaxed);
    size_t end = used + BATCH < table.capacity ? used + BATCH : table.capacity;
    for (size_t i = end; i > used; i--) {
        struct process *slot = &copi_processes.slots[i - 1];
        atomic_init(&slot->incoming, COPI_CLOSED);
        slot->generation = 1;
        slot->next = *to;
        *to = slot;
    }
    atomic_store(&copi_processes.used, end);
    return (uint32_t)(end - used);
}

static struct process *pop(struct process **list)
{
    struct process *slot = *list;
    if (slot != NULL)
        *list = slot->next;
    return slot;
}

/* A thread without a scheduler takes from the common list. */
static struct process *take_common(void)
{
    pthread_mutex_lock(&table.lock);
    if (table.free == NULL)
        extend(&table.free);
    struct process *slot = pop(&table.free);
    pthread_mutex_unlock(&table.lock);
    return slot;
}

/* Whether there may be one more.  A scheduler may let some be born before it sums up again: so few
 * that all of them together stay below the limit, and none when the limit is near. */
static bool below_limit(struct scheduler *scheduler)
{
    if (scheduler != NULL && scheduler->headroom > 0) {
        scheduler->headroom--;
        return true;
    }
    size_t alive = copi_processes_count();
    if (alive >= table.limit)
        return false;
    if (scheduler != NULL)
        scheduler->headroom = (table.limit - alive) / (2 * (size_t)copi_node.all);
    return true;
}

/* Threads that spawn at the very same time may go over the limit by one each. */
struct process *copi_slot_take(struct scheduler *scheduler)
{
    if (!below_limit(scheduler))
        return NULL;
    if (scheduler == NULL)
        return take_common();
    if (scheduler->free_slots == NULL) {
        pthread_mutex_lock(&table.lock);
        scheduler->free_count += move(&table.free, &scheduler->free_slots);
        if (scheduler->free_slots == NULL)
            scheduler->free_count += extend(&scheduler->free_slots);
        pthread_mutex_unlock(&table.lock);
    }
    struct process *slot = pop(&scheduler->free_slots);
    if (slot != NULL)
        scheduler->free_count--;
    return slot;
}

void copi_slot_give(struct scheduler *scheduler, struct process *slot)
{
    struct process **list = scheduler == NULL ? &table.free : &scheduler->free_slots;
    bool overflow = scheduler != NULL && ++scheduler->free_count >= KEPT_MAX;
    if (scheduler == NULL || overflow)
        pthread_mutex_lock(&table.lock);
    slot->next = *list;
    *list = slot;
    if (overflow)
        scheduler->free_count -= move(&scheduler->free_slots, &table.free);
    if (scheduler == NULL || overflow)
        pthread_mutex_unlock(&table.lock);
}

cop_pid copi_slot_pid(const struct process *slot)
{
    uint64_t index = (uint64_t)(slot - copi_processes.slots);
    cop_pid pid = { slot->generation << COPI_INDEX_BITS | index };
    return pid;
}

void copi_slot_publish(struct scheduler *scheduler, struct process *slot)
{
    uint64_t pid = copi_slot_pid(slot).bits;
    slot->parent_alias = 0;                     /* in the generation's place */
    if (scheduler != NULL)
        count(&scheduler->lives.born);
    else
        atomic_fetch_add(&table.foreign, 1);
    atomic_store_explicit(&slot->incoming, NULL, memory_order_relaxed);
    atomic_store_explicit(&slot->pid, pid, memory_order_release);
}

/* Before anybody hears of the end, so that whoever hears counts one less. */
void copi_slot_unpublish(struct scheduler *scheduler, struct process *slot)
{
    atomic_store_explicit(&slot->pid, 0, memory_order_release);
    count(&scheduler->lives.ended);
}

/* The last one of a node that is being stopped says so.  Who retires counts and then reads stopping
 * and the others' counts; the node's end sets stopping and then, with the heavy fence between,
 * reads counts (its own first process is retired after that).  Two that are the last at once make
 * a full fence each, so one of them sees the other's. */
void copi_slot_retire(struct scheduler *scheduler, struct process *slot, cop_pid pid)
{
    COP_ASSERT(slot->relations.count == 0 && slot->mailbox == NULL && slot->arena == NULL &&
               slot->wait == NULL);
    slot->generation = (pid.bits >> COPI_INDEX_BITS) + 1;
    copi_slot_give(scheduler, slot);
    count(&scheduler->lives.gone);
    copi_fence_light();
    if (__builtin_expect(atomic_load(&copi_node.stopping), 0)) {
        copi_fence_full();
        if (copi_slots_in_use() == 0)
            copi_node_empty();
    }
}
