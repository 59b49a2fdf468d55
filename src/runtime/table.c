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
    KEPT_MAX = 2 * COPI_SLOT_BATCH,     /* a scheduler has no more */
    INDICES = 1 << COPI_INDEX_BITS,
    HUGE_FROM = 16 * 1024 * 1024        /* bytes of slots, from which on there are huge pages */
};

static struct {
    size_t limit;                   /* of processes */
    size_t capacity;                /* slots: the limit, and what may lie in schedulers' lists */
    _Atomic size_t foreign;         /* born on threads that are no scheduler's */
    _Atomic bool open;              /* there is a node */
    pthread_mutex_t lock;           /* of free, and of what was never used */
    struct process *free;           /* magazines of free slots */
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

/* ---- slots -----------------------------------------------------------------------------
 *
 * Free slots go from one scheduler to another by the magazine: a list of at most COPI_SLOT_BATCH
 * of them, which nobody walks through.  A scheduler has one that it takes from and gives to, and at
 * most a full one to spare (as slab.c's caches do).  On the common list a magazine's first slot has
 * the next one's in `argument`, and its number of slots in `last_serial`. */

/* With the lock held. */
static void shelve(struct process *magazine, uint32_t count)
{
    magazine->argument = table.free;
    magazine->last_serial = count;
    table.free = magazine;
}

/* Many slots are used one after the other, and then in any order: huge pages spare them a fault for
 * each 21 and most of the misses when their addresses are looked up.  Few slots stay small. */
static void use_huge_pages(size_t before, size_t used)
{
    const size_t limit = HUGE_FROM / sizeof(struct process);
    if (before < limit && used >= limit)
        copi_memory_prefer_huge(&copi_processes.slots[used],
                                (table.capacity - used) * sizeof(struct process));
}

/* The slots that were never used come in the order of their addresses.  With the lock held. */
static struct process *extend(uint32_t *ret_count)
{
    size_t used = atomic_load_explicit(&copi_processes.used, memory_order_relaxed);
    size_t end = used + COPI_SLOT_BATCH < table.capacity ? used + COPI_SLOT_BATCH : table.capacity;
    struct process *magazine = NULL;
    for (size_t i = end; i > used; i--) {
        struct process *slot = &copi_processes.slots[i - 1];
        atomic_init(&slot->incoming, COPI_CLOSED);
        slot->mailbox_end = &slot->mailbox;
        slot->next_pid = (uint64_t)1 << COPI_INDEX_BITS | (i - 1);
        slot->next = magazine;
        magazine = slot;
    }
    use_huge_pages(used, end);
    atomic_store(&copi_processes.used, end);
    *ret_count = (uint32_t)(end - used);
    return magazine;
}

/* A magazine, or NULL. */
static struct process *fetch(uint32_t *ret_count)
{
    pthread_mutex_lock(&table.lock);
    struct process *magazine = table.free;
    if (magazine != NULL) {
        table.free = magazine->argument;
        *ret_count = (uint32_t)magazine->last_serial;
    } else {
        magazine = extend(ret_count);
    }
    pthread_mutex_unlock(&table.lock);
    return magazine;
}

bool copi_slots_refill(struct free_slots *free)
{
    if (free->spare != NULL) {
        free->head = free->spare;
        free->count = COPI_SLOT_BATCH;
        free->spare = NULL;
    } else {
        free->head = fetch(&free->count);
    }
    return free->head != NULL;
}

void copi_slots_turn_over(struct free_slots *free)
{
    if (free->spare != NULL) {
        pthread_mutex_lock(&table.lock);
        shelve(free->spare, COPI_SLOT_BATCH);
        pthread_mutex_unlock(&table.lock);
    }
    free->spare = free->head;
    free->head = NULL;
    free->count = 0;
}

/* A scheduler may let some be born before it sums up again: so few that all of them together stay
 * below the limit, and none when the limit is near. */
bool copi_slots_below_limit(struct scheduler *scheduler)
{
    size_t alive = copi_processes_count();
    if (alive >= table.limit)
        return false;
    if (scheduler != NULL)
        scheduler->headroom = 1 + (table.limit - alive) / (2 * (size_t)copi_node.all);
    return true;
}

/* A thread without a scheduler: one, out of a magazine. */
struct process *copi_slot_take_foreign(void)
{
    uint32_t count;
    struct process *slot = copi_slots_below_limit(NULL) ? fetch(&count) : NULL;
    if (slot == NULL || slot->next == NULL)
        return slot;
    pthread_mutex_lock(&table.lock);
    shelve(slot->next, count - 1);
    pthread_mutex_unlock(&table.lock);
    return slot;
}

void copi_slot_give_foreign(struct process *slot)
{
    slot->next = NULL;
    pthread_mutex_lock(&table.lock);
    shelve(slot, 1);
    pthread_mutex_unlock(&table.lock);
}

void copi_slot_count_foreign(void)
{
    atomic_fetch_add(&table.foreign, 1);
}

/* The last one of a node that is being stopped says so. */
void copi_slot_stopping(void)
{
    copi_fence_full();
    if (copi_slots_in_use() == 0)
        copi_node_empty();
}
