/* timer.h - deadlines: one heap for each scheduler.
 *
 * A timer is embedded in what it belongs to: a process's wait, or a relation (send_after). It
 * sits in the heap of the scheduler on which it was armed, under that heap's biased lock; only that
 * scheduler fires it, and its deputy while it is lost (monitor.h).  Equal deadlines fire in the
 * order of arming.
 *
 * Most waits end by a message long before their deadline.  So a wait's timer is taken out lazily:
 * disarming it only says that nothing is wanted; its entry stays in the heap, and a later wait that
 * is over later uses it.  When the entry's time comes it goes to where it is wanted now, or out.
 * (Not in a deterministic run, whose time would jump to entries that mean nothing.)
 *
 * Invariants.  `wanted` is the owner's; `entry` and `position` are written under the heap's lock.
 * A wait that is wanted has an entry no later than that, or its owner is about to make one: the
 * owner writes `wanted` and then reads `entry`; who fires writes `entry` and then reads `wanted`
 * again; all seq_cst.  A timer's owner takes it out, under the lock, before the memory around it
 * goes or it is put into another heap; so whoever has the lock and finds it there may follow it. */
#ifndef COPI_TIMER_H
#define COPI_TIMER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "biased_lock.h"

#define COPI_NEVER INT64_MAX

enum timer_kind { TIMER_WAIT, TIMER_SEND };   /* in struct process; in struct relation_timer */

struct timer {
    _Atomic int64_t wanted;  /* COPI_NEVER: not */
    _Atomic int64_t entry;   /* the deadline in the heap; COPI_NEVER: in none */
    uint32_t position;       /* in the heap, from 1; 0: in none */
    uint16_t scheduler;      /* whose heap it may be in, or COPI_NO_HEAP; the owner's */
    uint16_t kind;
};

enum { COPI_NO_HEAP = UINT16_MAX };

struct timer_entry {
    int64_t deadline;
    uint64_t sequence;
    struct timer *timer;
};

struct timer_heap {
    struct biased_lock lock;
    struct timer_entry *entries;      /* from 1 */
    uint32_t count, capacity;
    uint64_t sequence;
    _Atomic int64_t first;            /* the earliest deadline, for the owner to read cheaply */
};

void copi_timers_init(struct timer_heap *heap);
void copi_timers_deinit(struct timer_heap *heap);

static inline void copi_timer_init(struct timer *timer)
{
    atomic_store_explicit(&timer->wanted, COPI_NEVER, memory_order_relaxed);
    atomic_store_explicit(&timer->entry, COPI_NEVER, memory_order_relaxed);
    timer->position = 0;
    timer->scheduler = COPI_NO_HEAP;
}

static inline int64_t copi_timer_wanted(const struct timer *timer)
{
    return atomic_load_explicit(&timer->wanted, memory_order_relaxed);
}

/* [process] Arms a timer on the running scheduler; false without memory. */
bool copi_timer_arm(struct timer *timer, enum timer_kind kind, int64_t deadline);

/* [process] A wait is over. */
void copi_timer_disarm_now(struct timer *timer);

static inline void copi_timer_disarm(struct timer *timer)
{
    if (copi_timer_wanted(timer) != COPI_NEVER)
        copi_timer_disarm_now(timer);
}

/* [process, scheduler] Takes it out of the heap; returns whether it had not fired. */
bool copi_timer_take_out(struct timer *timer);

/* By the scheduler: fires what is due. */
void copi_timers_fire(struct timer_heap *heap, int64_t now);

/* The entries in all heaps: timers, and waits that have a time limit or had one. */
size_t copi_timer_count(void);

/* The deadline of a wait that starts now; COPI_NEVER for COP_INFINITY. */
int64_t copi_deadline(int64_t timeout_ms);

#endif
