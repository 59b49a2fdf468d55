/* timer.h - deadlines: one heap for each scheduler.
 *
 * A timer is embedded in what it belongs to: a process's wait, or a relation (send_after). It
 * sits in the heap of the scheduler on which it was armed, under that heap's lock; only that
 * scheduler fires it, and its deputy while it is lost (monitor.h).  Equal deadlines fire in the
 * order of arming.
 *
 * Invariant: a timer's owner disarms it before the memory around it goes, under the
 * lock, so whoever finds it in a heap may follow it. */
#ifndef COPI_TIMER_H
#define COPI_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define COPI_NEVER INT64_MAX

enum timer_kind { TIMER_WAIT, TIMER_SEND };   /* in struct process; in struct relation_timer */

struct timer {
    int64_t deadline;        /* COPI_NEVER: none */
    uint32_t position;       /* in the heap, from 1; 0: in none.  Under the heap's lock */
    uint16_t scheduler;      /* whose heap; the owner's */
    uint16_t kind;
};

struct timer_entry {
    int64_t deadline;
    uint64_t sequence;
    struct timer *timer;
};

struct timer_heap {
    pthread_mutex_t lock;
    struct timer_entry *entries;      /* from 1 */
    uint32_t count, capacity;
    uint64_t sequence;
    _Atomic int64_t first;            /* the earliest deadline, for the owner to read cheaply */
};

void copi_timers_init(struct timer_heap *heap);
void copi_timers_deinit(struct timer_heap *heap);

/* [process] Arms a timer on the running scheduler; false without memory. */
bool copi_timer_arm(struct timer *timer, enum timer_kind kind, int64_t deadline);

/* [process, scheduler] Disarms; returns whether it was armed and has not fired. */
bool copi_timer_disarm(struct timer *timer);

/* By the scheduler: fires what is due. */
void copi_timers_fire(struct timer_heap *heap, int64_t now);

/* The deadline of a wait that starts now; COPI_NEVER for COP_INFINITY. */
int64_t copi_deadline(int64_t timeout_ms);

#endif
