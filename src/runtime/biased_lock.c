/* biased_lock.c - see biased_lock.h. */
#include "biased_lock.h"

#include <sched.h>

#include "../platform/platform.h"

/* Who is in stays for some tens of instructions, unless the system has taken its processor away: so
 * many pauses before the waiting is left to the system. */
enum { PAUSES = 100 };

void copi_biased_init(struct biased_lock *lock)
{
    atomic_init(&lock->busy, false);
    atomic_init(&lock->revoked, false);
    atomic_init(&lock->taken, false);
    lock->calm = 0;
    pthread_mutex_init(&lock->mutex, NULL);
}

void copi_biased_deinit(struct biased_lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

/* Whether a word has become false within a little while. */
static bool wait_a_little(const _Atomic bool *word)
{
    for (int i = 0; i < PAUSES && atomic_load(word); i++) copi_pause();
    return !atomic_load(word);
}

static void lock_mutex(pthread_mutex_t *mutex)
{
    for (int i = 0; i < PAUSES; i++) {
        if (pthread_mutex_trylock(mutex) == 0)
            return;
        copi_pause();
    }
    pthread_mutex_lock(mutex);
}

/* The owner has found the bias gone. */
void copi_biased_owner_wait(struct biased_lock *lock)
{
    atomic_exchange(&lock->busy, true);
    while (atomic_load(&lock->taken)) {
        atomic_store_explicit(&lock->busy, false, memory_order_release);
        if (!wait_a_little(&lock->taken)) {
            pthread_mutex_lock(&lock->mutex);      /* until whoever has it has left */
            pthread_mutex_unlock(&lock->mutex);
        }
        atomic_exchange(&lock->busy, true);
    }
    /* With the mutex nobody is on the way in, and the next one finds the bias. */
    if (++lock->calm >= COPI_BIASED_CALM && pthread_mutex_trylock(&lock->mutex) == 0) {
        lock->calm = 0;
        atomic_store_explicit(&lock->revoked, false, memory_order_relaxed);
        pthread_mutex_unlock(&lock->mutex);
    }
}

void copi_biased_lock(struct biased_lock *lock)
{
    lock_mutex(&lock->mutex);
    bool biased = !atomic_load_explicit(&lock->revoked, memory_order_relaxed);
    atomic_store_explicit(&lock->revoked, true, memory_order_relaxed);
    atomic_exchange(&lock->taken, true);
    if (biased)
        copi_fence_heavy();
    while (!wait_a_little(&lock->busy)) sched_yield();
    lock->calm = 0;
}

void copi_biased_unlock(struct biased_lock *lock)
{
    atomic_store_explicit(&lock->taken, false, memory_order_release);
    pthread_mutex_unlock(&lock->mutex);
}
