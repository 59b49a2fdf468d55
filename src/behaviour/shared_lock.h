/* shared_lock.h - a lock for what is read all the time and written now and then: a reader writes to
 * no memory but its own thread's.
 *
 * It is a readers-writer lock with a bias to its readers (after Dice and Kogan, BRAVO, 2019).  Each
 * thread has a word of its own, in a line of the cache of its own, which says what lock it reads.
 * While the lock is biased a reader says so, sees that it is still biased, and is in.  Who writes
 * takes the readers-writer lock and then the bias away, and waits until no thread's word names the
 * lock.  Without the bias, readers take the readers-writer lock as ever; when SHARED_LOCK_CALM of
 * them have and nobody wrote, the lock is biased again.  So one that is written all the time is a
 * readers-writer lock and nothing else.
 *
 * Invariants: `biased` is written with the readers-writer lock: it is set by a reader that has it,
 * taken away by a writer that has it.  Who is in has it; or has its thread's word set, having seen
 * `biased` after that.  Word and `biased` are looked at crosswise: the reader writes its word and
 * then reads `biased`, the writer writes `biased` and then reads the words, all four seq_cst and
 * the writes exchanges, so at least one sees the other's.  Who has seen `biased` has seen what was
 * written before it was set (release, acquire); who has seen a word gone, or another in its place,
 * has all reads behind it (release, acquire).
 *
 * Threads: any.  Not recursive; who reads one lock and asks for another takes that one's
 * readers-writer lock.  A process that is in must not be switched away from. */
#ifndef COPI_SHARED_LOCK_H
#define COPI_SHARED_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#ifndef COPI_HOSTILE
#define COPI_HOSTILE 0
#endif

enum {
    SHARED_LOCK_CALM = COPI_HOSTILE ? 2 : 100,
    SHARED_LOCK_THREADS = 256          /* that have a word; what others do is the long way */
};

struct shared_lock {
    _Atomic bool biased;
    _Atomic unsigned calm;             /* so many readers had the lock below since one wrote */
    pthread_rwlock_t lock;
};

/* A thread's word. */
struct shared_reader {
    _Alignas(64) _Atomic(struct shared_lock *) reads;      /* NULL: none */
    _Atomic bool taken;                                    /* by a thread */
};

void copi_shared_init(struct shared_lock *lock);

/* What reading gives back when it is done, or NULL. */
struct shared_reader *copi_shared_read(struct shared_lock *lock);

static inline void copi_shared_read_done(struct shared_lock *lock, struct shared_reader *reader)
{
    if (reader != NULL) atomic_store_explicit(&reader->reads, NULL, memory_order_release);
    else pthread_rwlock_unlock(&lock->lock);
}

/* Waits for the readers that are still in by their words. */
void copi_shared_take_bias(struct shared_lock *lock);

static inline void copi_shared_write(struct shared_lock *lock)
{
    pthread_rwlock_wrlock(&lock->lock);
    if (atomic_load_explicit(&lock->biased, memory_order_relaxed)) copi_shared_take_bias(lock);
    atomic_store_explicit(&lock->calm, 0, memory_order_relaxed);
}

static inline void copi_shared_write_done(struct shared_lock *lock)
{
    pthread_rwlock_unlock(&lock->lock);
}

#endif
