/* table.h - slots of the process table, for process.c: taken, published under a pid, retired.
 *
 * Each scheduler has a list of free slots, and exchanges them with a common one by the magazine.  A
 * free slot holds nothing: what a process has none of at birth (messages, relations, memory) is as
 * its predecessor's end left it. */
#ifndef COPI_TABLE_H
#define COPI_TABLE_H

#include "../base/assert.h"
#include "../platform/fence.h"
#include "node.h"
#include "process.h"

enum { COPI_SLOT_BATCH = COPI_LIMIT(64, 1) };     /* slots in a magazine */

/* ---- the unusual cases ------------------------------------------------------------------ */

/* The scheduler's magazine is empty: another one; false if there is none.  It is full. */
__attribute__((cold)) bool copi_slots_refill(struct free_slots *free);
__attribute__((cold)) void copi_slots_turn_over(struct free_slots *free);

/* Whether there may be one more process. */
__attribute__((cold)) bool copi_slots_below_limit(struct scheduler *scheduler);

/* On a thread that is no scheduler's. */
struct process *copi_slot_take_foreign(void);
void copi_slot_give_foreign(struct process *slot);
void copi_slot_count_foreign(void);

/* One is gone while the node is being stopped. */
__attribute__((cold)) void copi_slot_stopping(void);

/* ---- life ------------------------------------------------------------------------------- */

/* What a scheduler counts, it counts alone. */
static inline void copi_slot_count(_Atomic size_t *counter)
{
    size_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + 1, memory_order_release);
}

/* A free slot, or NULL at the limit of processes; scheduler NULL: from the common list.  Threads
 * that spawn at the very same time may go over the limit by one each. */
static inline struct process *copi_slot_take(struct scheduler *scheduler)
{
    if (__builtin_expect(scheduler == NULL, 0))
        return copi_slot_take_foreign();
    if (__builtin_expect(scheduler->headroom == 0, 0) && !copi_slots_below_limit(scheduler))
        return NULL;
    struct free_slots *free = &scheduler->free_slots;
    if (__builtin_expect(free->head == NULL, 0) && !copi_slots_refill(free))
        return NULL;
    struct process *slot = free->head;
    scheduler->headroom--;
    free->head = slot->next;
    free->count--;
    if (slot->next != NULL)
        copi_process_expect(slot->next);
    return slot;
}

/* Gives one back that was not published. */
static inline void copi_slot_give(struct scheduler *scheduler, struct process *slot)
{
    if (__builtin_expect(scheduler == NULL, 0)) {
        copi_slot_give_foreign(slot);
        return;
    }
    struct free_slots *free = &scheduler->free_slots;
    if (__builtin_expect(free->count == COPI_SLOT_BATCH, 0))
        copi_slots_turn_over(free);
    slot->next = free->head;
    free->head = slot;
    free->count++;
}

/* Makes the slot a living process whose pid, which it returns, others may find; on a thread of
 * scheduler, or NULL. */
static inline cop_pid copi_slot_publish(struct scheduler *scheduler, struct process *slot)
{
    cop_pid pid = { slot->next_pid };
    slot->parent_alias = 0;                     /* in its place */
    if (__builtin_expect(scheduler == NULL, 0))
        copi_slot_count_foreign();
    else
        copi_slot_count(&scheduler->lives.born);
    atomic_store_explicit(&slot->incoming, NULL, memory_order_relaxed);
    atomic_store_explicit(&slot->pid, pid.bits, memory_order_release);
    return pid;
}

/* The pid is no process's any more; the slot is still its owner's.  Before anybody hears of the
 * end, so that whoever hears counts one less. */
static inline void copi_slot_unpublish(struct scheduler *scheduler, struct process *slot)
{
    atomic_store_explicit(&slot->pid, 0, memory_order_release);
    copi_slot_count(&scheduler->lives.ended);
}

/* Whether its process has left nothing behind, so that a birth finds all of this as in memory that
 * was never used; what is not here is written at birth. */
static inline bool copi_slot_is_bare(const struct process *slot)
{
    return slot->mailbox == NULL && slot->mailbox_end == &slot->mailbox &&
           slot->mailbox_length == 0 && slot->pending == NULL && slot->stack == NULL &&
           slot->owned == NULL && slot->current == NULL && slot->received == NULL &&
           slot->wait == NULL && slot->relations.list == NULL && slot->relations.count == 0 &&
           slot->relations.bits == 0 && slot->arena == NULL && slot->deferred == NULL;
}

/* Makes it a free slot again, whose next pid is of the generation after that pid's, which it had;
 * its incoming stack is closed.  Who retires counts and then reads stopping and the others'
 * counts; the node's end sets stopping and then, with the heavy fence between, reads counts (its
 * own first process is retired after that).  Two that are the last at once make a full fence each,
 * so one of them sees the other's. */
static inline void copi_slot_retire(struct scheduler *scheduler, struct process *slot, cop_pid pid)
{
    COP_ASSERT(slot->relations.count == 0 && slot->mailbox == NULL && slot->arena == NULL &&
               slot->wait == NULL);
    COP_DEBUG(copi_slot_is_bare(slot));
    slot->next_pid = pid.bits + ((uint64_t)1 << COPI_INDEX_BITS);
    copi_slot_give(scheduler, slot);
    copi_slot_count(&scheduler->lives.gone);
    copi_fence_light();
    if (__builtin_expect(atomic_load(&copi_node.stopping), 0))
        copi_slot_stopping();
}

#endif
