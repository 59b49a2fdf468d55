/* biased_lock.h - a lock that costs its owner no atomic instruction.
 *
 * For what one thread, the owner, uses all the time and others now and then (after Dice, Moir and
 * Scherer, Quickly Reacquirable Locks, 2003).  While the lock is biased the owner says `busy`,
 * looks whether somebody has taken the bias away, and is in.  Whoever else wants in takes the
 * mutex, takes the bias away, and waits until the owner is not busy.  From then on the owner takes
 * the mutex too, and having it takes its bias back.  So others pay for a fence (fence.h) only if
 * the owner was here since one of them was: an owner that stays away costs them but the mutex.
 *
 * Invariants: who is in is the owner with `busy` set and having seen `revoked` unset after that, or
 * has the mutex while `revoked` is set and has seen `busy` unset after setting it.  `revoked` is
 * written with the mutex alone.  The two words are the crosswise look of fence.h, so of owner and
 * other at least one sees the other's word, and they are not both in.
 *
 * Threads: `owner_` functions are for the owner's thread, the others for all others.  The owner
 * changes never, or while no thread uses the lock.  Not recursive. */
#ifndef COPI_BIASED_LOCK_H
#define COPI_BIASED_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "../platform/fence.h"

struct biased_lock {
    _Atomic bool busy;           /* the owner's */
    _Atomic bool revoked;
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
