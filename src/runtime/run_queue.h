/* run_queue.h - the runnable processes of one scheduler, oldest first.
 *
 * A list under a biased lock: its scheduler, the owner, puts and takes without an atomic
 * instruction; thieves and deputies, who are seldom there, pay.  Other threads that make one of its
 * processes runnable post it into `inbox`, a stack (Treiber, 1986), which whoever takes from the
 * list empties into it first.
 *
 * Invariant: a process is in at most one run queue, once; who has moved it out of WAITING, or has
 * run it, puts it there.  `length` is that of the list, written in the lock; one more while the
 * inbox is emptied into the list.
 *
 * Whoever looks without the lock (length, inbox) may see what was a moment ago, but never both
 * empty while something that was posted is moved from one to the other; what makes a wake-up safe
 * is said in queue.h. */
#ifndef COPI_RUN_QUEUE_H
#define COPI_RUN_QUEUE_H

#include "../base/hostile.h"
#include "../base/random.h"
#include "biased_lock.h"
#include "process.h"

enum { COPI_STEAL_MAX = COPI_LIMIT(32, 1) };

struct run_queue {
    struct biased_lock lock;
    struct process *head, *tail;
    _Alignas(64) _Atomic uint32_t length; /* on a line of their own: idle schedulers look there */
    _Atomic(struct process *) inbox;      /* newest first */
};

void copi_run_queue_init(struct run_queue *queue);
void copi_run_queue_deinit(struct run_queue *queue);

/* How many wait in the list, and one more if others have posted some; not 0 while any do.  In this
 * order: who moves them from the inbox into the list raises the length first. */
static inline uint32_t copi_run_queue_length(const struct run_queue *queue)
{
    bool posted = atomic_load(&queue->inbox) != NULL;
    return atomic_load(&queue->length) + posted;
}

/* With the lock. */
static inline uint32_t copi_run_queue_append(struct run_queue *queue, struct process *process)
{
    process->next = NULL;
    if (queue->tail == NULL)
        queue->head = process;
    else
        queue->tail->next = process;
    queue->tail = process;
    uint32_t length = atomic_load_explicit(&queue->length, memory_order_relaxed) + 1;
    atomic_store_explicit(&queue->length, length, memory_order_relaxed);
    return length;
}

/* By the owner; returns the length. */
static inline uint32_t copi_run_queue_put(struct run_queue *queue, struct process *process)
{
    copi_biased_owner_lock(&queue->lock);
    uint32_t length = copi_run_queue_append(queue, process);
    copi_biased_owner_unlock(&queue->lock);
    return length;
}

/* By any other thread.  A full fence. */
void copi_run_queue_post(struct run_queue *queue, struct process *process);

/* With the lock: what was posted goes into the list. */
void copi_run_queue_collect(struct run_queue *queue);

/* Fetches what the turn of the next one begins with, and the one behind it. */
static inline void copi_run_queue_expect(const struct process *next)
{
    __builtin_prefetch(next->argument);
    __builtin_prefetch(next->arena);
    if (next->next != NULL)
        copi_process_expect(next->next);
}

/* By the owner: the oldest; NULL: none. */
static inline struct process *copi_run_queue_take(struct run_queue *queue)
{
    if (atomic_load_explicit(&queue->length, memory_order_relaxed) == 0 &&
        atomic_load_explicit(&queue->inbox, memory_order_relaxed) == NULL)
        return NULL;
    copi_biased_owner_lock(&queue->lock);
    if (__builtin_expect(atomic_load_explicit(&queue->inbox, memory_order_relaxed) != NULL, 0))
        copi_run_queue_collect(queue);
    struct process *process = queue->head;
    if (process != NULL) {
        struct process *next = process->next;
        queue->head = next;
        if (next == NULL)
            queue->tail = NULL;
        else
            copi_run_queue_expect(next);
        atomic_store_explicit(&queue->length,
                              atomic_load_explicit(&queue->length, memory_order_relaxed) - 1,
                              memory_order_relaxed);
    }
    copi_biased_owner_unlock(&queue->lock);
    return process;
}

/* By the owner: the one that so many others are before, of which there are enough; the oldest with
 * 0, NULL: none. */
struct process *copi_run_queue_take_at(struct run_queue *queue, uint64_t skip);

/* By the owner: any, with the same chance for each; NULL: none. */
struct process *copi_run_queue_take_any(struct run_queue *queue, struct random *random);

/* By another scheduler that stands in for the owner: the oldest, or NULL. */
struct process *copi_run_queue_take_for(struct run_queue *queue);

/* By another scheduler: takes up to half of those that hold no stack, a single one only if `lone`;
 * returns how many. */
uint32_t copi_run_queue_steal(struct run_queue *queue, bool lone,
                              struct process *stolen[COPI_STEAL_MAX]);

#endif
