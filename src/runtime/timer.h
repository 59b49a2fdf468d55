/* timer.h - deadlines: one heap and one wheel for each scheduler.
 *
 * A timer is embedded in what it belongs to: the record of a process's waits, or a relation
 * (send_after).  It sits in the heap or the wheel of the scheduler on which it was armed, under
 * that heap's biased lock; only that scheduler fires it, and its deputy while it is lost
 * (monitor.h).  Equal deadlines fire in the order of arming, whose number goes with a timer from
 * the wheel to the heap.
 *
 * Most waits end by a message long before their deadline.  So a wait's timer is taken out lazily:
 * disarming it only says that nothing is wanted; its entry stays in the heap, and a later wait that
 * is over later uses it.  When the entry's time comes it goes to where it is wanted now, or out.
 * (Not in a deterministic run, whose time would jump to entries that mean nothing.)
 *
 * Most messages that are to be sent after a long time are cancelled before, and there may be very
 * many.  So they wait in the wheel (wheel.h) until their time is near, and only then take a place
 * among the others in the heap.  With the real clock a bucket is poured when it begins in
 * COPI_NEAR_NS, some timers at each look; all at once if it has begun.  In a deterministic run,
 * whose time jumps to the first deadline, a bucket is poured as soon as it might have the first, so
 * that `first` is exact; it is a lower bound otherwise, since who is taken out of the wheel
 * does not look for the next.
 *
 * Invariants.  `wanted` is the owner's; `entry` and `position` are written under the heap's lock.
 * A wait that is wanted has an entry no later than that, or its owner is about to make one: the
 * owner writes `wanted` and then reads `entry`; who fires writes `entry` and then reads `wanted`
 * again; all seq_cst.  A timer's owner takes it out, under the lock, before the memory around it
 * goes or it is put into another heap; so whoever has the lock and finds it there may follow it.
 * What is in the wheel is due no earlier than the wheel's time, and after all that was fired: who
 * fires what is due first pours what may be.  The heap has room for all that is in the wheel, so
 * that only arming needs memory. */
#ifndef COPI_TIMER_H
#define COPI_TIMER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/wheel.h"
#include "biased_lock.h"

#define COPI_NEVER INT64_MAX
#define COPI_AT_ONCE INT64_MIN       /* the deadline of who does not wait */

enum timer_kind { TIMER_WAIT, TIMER_SEND };   /* in struct wait_record; relation_timer */

struct timer {
    _Atomic int64_t wanted;      /* COPI_NEVER: not */
    union {
        _Atomic int64_t entry;   /* WAIT: the deadline in the heap; COPI_NEVER: in none */
        uint64_t sequence;       /* SEND: its number, in the order of arming */
    };
    uint32_t position;       /* in the heap, from 1; COPI_FAR + bucket in the wheel; 0: none */
    uint16_t scheduler;      /* whose heap it may be in, or COPI_NO_HEAP; the owner's */
    uint16_t kind;
};

#define COPI_FAR 0x80000000u

enum {
    COPI_NO_HEAP = UINT16_MAX,
    COPI_NEAR_NS = 4 * COPI_WHEEL_TICK     /* what is due sooner is in the heap */
};

struct relation_timer;

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
    _Atomic int64_t first;            /* when to look, for the owner to read cheaply */
    struct wheel wheel;               /* of relation_timers */
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

/* [process] Arms a wait's timer on the running scheduler; false without memory. */
bool copi_timer_arm(struct timer *timer, enum timer_kind kind, int64_t deadline);

/* [process, in the runtime's own work] The same for a message's, which is in no heap. */
bool copi_timer_arm_send(struct relation_timer *record, int64_t now, int64_t deadline);

/* [process] A wait is over. */
void copi_timer_disarm_now(struct timer *timer);

static inline void copi_timer_disarm(struct timer *timer)
{
    if (copi_timer_wanted(timer) != COPI_NEVER)
        copi_timer_disarm_now(timer);
}

/* [process, scheduler] Takes it out of heap and wheel; returns whether it had not fired. */
bool copi_timer_take_out(struct timer *timer);
bool copi_timer_pull(struct timer *timer);     /* the same, in the runtime's own work */

/* [process] Whether it has not fired. */
bool copi_timer_is_in(struct timer *timer);

/* By the scheduler: fires what is due. */
void copi_timers_fire(struct timer_heap *heap, int64_t now);

/* The entries in all heaps: timers, and waits that have a time limit or had one. */
size_t copi_timer_count(void);

/* [process] The deadline of a wait that starts now; COPI_NEVER for COP_INFINITY, COPI_AT_ONCE for
 * 0. */
int64_t copi_deadline(int64_t timeout_ms);

#endif
