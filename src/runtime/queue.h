/* queue.h - run queues: waking, choosing, stealing, parking.
 *
 * Whoever makes a process runnable puts it into its home's queue when it holds a stack, else
 * into the queue of its own scheduler.  A scheduler without work steals stackless
 * processes; without that too it parks.
 *
 * No wake-up is lost: the one that enqueues writes the queue's length and then reads
 * `parked` and `idle`; the one that parks writes those and then reads the lengths.  Between the two
 * stands a fence, light for the one and heavy for the other (fence.h), or the compare-and-swap of
 * one that enqueues elsewhere; so at least one sees the other's write.
 *
 * To fetch a process and its data from another processor's cache takes longer than many a turn, so
 * a queue is left to its scheduler as long as that gets on with it.  An idle one looks out: it
 * compares the queues with the turns that were begun meanwhile, and steals where it would take
 * those who wait long to have theirs, or where the scheduler is in a long turn, or where several
 * have been waiting each time for WATCH_NS.  If it parks though several waited somewhere, it
 * snoozes: it is not woken for such again, and looks after NAP_NS, and from then on after WATCH_NS.
 * While any scheduler works one of the idle ones, the watcher, looks again every WATCH_NS too, so
 * that a single process behind a long turn does not wait for ever.  Who finds work after having
 * been idle wakes another idle one if nobody watches any more, which then becomes the watcher. */
#ifndef COPI_QUEUE_H
#define COPI_QUEUE_H

#include "node.h"

/* ---- waking ---------------------------------------------------------------------------- */

void copi_enqueue_elsewhere(struct process *process);
void copi_enqueued(struct scheduler *self, uint32_t length);

/* Behind a process that was put into the own queue, which is so long now. */
static inline void copi_enqueued_here(struct scheduler *self, uint32_t length)
{
    copi_fence_light();
    if (__builtin_expect(atomic_load_explicit(&copi_node.idle, memory_order_relaxed) > 0 ||
                         atomic_load_explicit(&self->lost, memory_order_relaxed), 0))
        copi_enqueued(self, length);
}

/* copi_enqueue on a thread that knows its scheduler, or NULL; in the runtime's own work. */
static inline void copi_enqueue_here(struct scheduler *self, struct process *process)
{
    if (__builtin_expect(self == NULL || (process->stack != NULL && process->home != self->index),
                         0)) {
        copi_enqueue_elsewhere(process);
        return;
    }
    copi_enqueued_here(self, copi_run_queue_put(&self->queue, process));
}

/* ---- choosing -------------------------------------------------------------------------- */

/* The next one in an order that is drawn, or a simulation's choice; NULL: none. */
struct process *copi_queue_drawn(struct scheduler *scheduler);

/* The next process of this scheduler's own; NULL: none. */
static inline struct process *copi_queue_own(struct scheduler *scheduler)
{
    if (__builtin_expect(copi_node.options.shuffle || copi_hostile(), 0))
        return copi_queue_drawn(scheduler);
    return copi_run_queue_take(&scheduler->queue);
}

/* The same, or a stolen one. */
struct process *copi_queue_next(struct scheduler *scheduler);

/* ---- spares: see monitor.h ---- */

/* The scheduler that the spare stands in for and that is still lost, or NULL. */
struct scheduler *copi_spare_stands_for(struct scheduler *spare);

/* As copi_queue_next and copi_scheduler_idle: a spare runs what is left to it and what is in the
 * queue of the lost scheduler (or NULL), and nothing else. */
struct process *copi_spare_next(struct scheduler *spare, struct scheduler *lost);
void copi_spare_idle(struct scheduler *spare, struct scheduler *lost);

/* By the monitor: the scheduler is stuck, a spare is to stand in for it.  Again: nothing, unless
 * the deputy is stuck itself. */
void copi_queue_stand_in(struct scheduler *scheduler);

/* By the monitor: the scheduler is not stuck; it is lost no more, and its deputy, if it has one, is
 * free again. */
void copi_queue_is_back(struct scheduler *scheduler);

/* Nothing to do: parks until there is; when deterministic, lets the virtual time jump. */
void copi_scheduler_idle(struct scheduler *scheduler);

#endif
