/* queue.h - run queues: waking, choosing, stealing, parking.
 *
 * Whoever makes a process runnable puts it into its home's queue when it holds a stack, else
 * into the queue of its own scheduler.  A scheduler without work steals stackless
 * processes; without that too it parks.
 *
 * No wake-up is lost: the one that enqueues writes the queue's length and then reads
 * `parked` and `idle`; the one that parks writes those and then reads the lengths; all
 * four are seq_cst, so at least one sees the other's write.  A single process in the
 * queue of a busy scheduler is left to it (a ping-pong would wander for nothing); but while any
 * scheduler works, one of the idle ones, the watcher, looks again every WATCH_NS and takes
 * it if that scheduler is still in the same turn.  Who finds work after having been idle wakes
 * another idle one if nobody watches any more, which then becomes the watcher. */
#ifndef COPI_QUEUE_H
#define COPI_QUEUE_H

#include "scheduler.h"

/* The next process for this scheduler, its own or a stolen one; NULL: none. */
struct process *copi_queue_next(struct scheduler *scheduler);

/* Nothing to do: parks until there is; when deterministic, lets the virtual time jump. */
void copi_scheduler_idle(struct scheduler *scheduler);

#endif
