/* biased_lock.c - see biased_lock.h. */
#include "biased_lock.h"

#include <sched.h>

void copi_biased_init(struct biased_lock *lock)
{
    atomic_init(&lock->busy, false);
    atomic_init(&lock->revoked, false);
    pthread_mutex_init(&lock->mutex, NULL);
}

void copi_biased_deinit(struct biased_lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

/* The owner has found the bias gone: it lets whoever has it finish, and takes it back.  Nobody else
 * can be in from then on, since who wants in must revoke again, with the mutex, and then sees
 * `busy`, which was set before the mutex was given back. */
void copi_biased_owner_wait(struct biased_lock *lock)
{
    atomic_store_explicit(&lock->busy, false, memory_order_release);
    pthread_mutex_lock(&lock->mutex);
    atomic_store_explicit(&lock->revoked, false, memory_order_relaxed);
    atomic_store_explicit(&lock->busy, true, memory_order_relaxed);
    pthread_mutex_unlock(&lock->mutex);
}

/* The owner is in for some tens of instructions, unless the system has taken its processor away. */
void copi_biased_lock(struct biased_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
    if (atomic_load_explicit(&lock->revoked, memory_order_relaxed))
        return;
    atomic_store_explicit(&lock->revoked, true, memory_order_relaxed);
    copi_fence_heavy();
    while (atomic_load_explicit(&lock->busy, memory_order_acquire)) sched_yield();
}

void copi_biased_unlock(struct biased_lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}
