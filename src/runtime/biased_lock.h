/* biased_lock.h - a lock that costs its owner no atomic instruction.
 *
 * For what one thread, the owner, uses all the time and others now and then (after Dice, Moir and
 * Scherer, Quickly Reacquirable Locks, 2003).  While the lock is biased the owner says `busy`,
 * looks whether somebody has taken the bias away, and is in.  Whoever else wants in takes the
 * mutex, takes the bias away with a heavy fence (fence.h), and waits until the owner is not busy.
 * From then on the owner makes a full fence itself before it looks whether another is in (`taken`),
 * so that those who come again soon pay no heavy one; it takes its bias back when it has been in
 * COPI_BIASED_CALM times and nobody else was.
 *
 * Invariants: `revoked` and `taken` are written with the mutex.  Who is in is the owner with `busy`
 * set, having seen after that `revoked` unset or, behind a full fence, `taken` unset; or has the
 * mutex, while `revoked` and `taken` are set, and has seen `busy` unset after setting them.  While
 * the lock is biased `busy` and `revoked` are the crosswise look of fence.h, afterwards `busy` and
 * `taken` are one with full fences on both sides; so of owner and other at least one sees the
 * other's word, and they are not both in.  The one who takes the bias away waits for an owner that
 * has not seen that; and nobody relies on the owner having seen it before.
 *
 * Threads: `owner_` functions are for the owner's thread, the others for all others.  The owner
 * changes never, or while no thread uses the lock.  Not recursive. */
#ifndef COPI_BIASED_LOCK_H
#define COPI_BIASED_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/hostile.h"
#include "../platform/fence.h"

/* So many full fences cost about as much as a heavy one. */
enum { COPI_BIASED_CALM = COPI_LIMIT(500, 2) };

struct biased_lock {
    _Atomic bool busy;           /* the owner's */
    _Atomic bool revoked;
    _Atomic bool taken;          /* another is in, or about to be */
    uint16_t calm;               /* the owner's visits since another was in; in the lock */
    pthread_mutex_t mutex;
};

void copi_biased_init(struct biased_lock *lock);
void copi_biased_deinit(struct biased_lock *lock);

void copi_biased_lock(struct biased_lock *lock);
void copi_biased_unlock(struct biased_lock *lock);

void copi_biased_owner_wait(struct biased_lock *lock);

static inline void copi_biased_owner_lock(struct biased_lock *lock)
{
    atomic_store_explicit(&lock->busy, true, memory_order_relaxed);
    copi_fence_light();
    if (__builtin_expect(atomic_load_explicit(&lock->revoked, memory_order_acquire), 0))
        copi_biased_owner_wait(lock);
}

static inline void copi_biased_owner_unlock(struct biased_lock *lock)
{
    atomic_store_explicit(&lock->busy, false, memory_order_release);
}

#endif
