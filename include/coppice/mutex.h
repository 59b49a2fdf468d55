/* mutex.h - a lock that parks the process, and is released when its owner dies.
 *
 * Concept.  Processes share nothing by default, and a server is the usual way to have one thing
 * looked after by one at a time.  Where processes do share memory or a library's handle, a
 * cop_mutex keeps them apart.  A pthread_mutex_t would not do: it blocks the thread with all its
 * processes, may be waited for by its own thread, and stays locked for ever when its owner is
 * killed.
 *
 *     static cop_mutex mutex = COP_MUTEX_INIT;
 *
 *     int error = cop_mutex_lock(&mutex, 1000);
 *     if (error < 0) return error;
 *     if (error == COP_INHERITED) rebuild(&index);     // its last owner died half-way
 *     use(&index);
 *     cop_mutex_unlock(&mutex);
 *
 * First come, first served: unlocking hands the mutex to who has waited longest, who has it from
 * then on, even before it runs.
 *
 * Death.  When the owner ends without having unlocked, in whatever way, the mutex goes to
 * the next before links and monitors hear, in its turn among what was deferred (memory.h): what was
 * deferred after the lock runs while it is still held, what was deferred before runs after.
 * What the mutex guards may be half changed, so the next owner is told: cop_mutex_lock returns
 * COP_INHERITED.  That is told once; who then unlocks says that all is well again, and if it dies
 * first the one after it inherits likewise.  It is no error code, since the caller has the
 * mutex.  A process that ends while it waits leaves no trace, and one that ends after the mutex was
 * handed to it and before it knew passes it on as it came.
 *
 * Life cycle.  The mutex must outlive every process that uses it: a static one, or malloc's; not
 * cop_alloc's.  One that nobody owns or waits for needs no clean-up.  It stays usable from one
 * cop_run to the next.
 *
 * OTP has none: ETS and servers take its place; global:set_lock is a relative. */
#ifndef COPPICE_MUTEX_H
#define COPPICE_MUTEX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <coppice/error.h>
#include <coppice/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Its fields are its own. */
typedef struct cop_mutex {
    pthread_mutex_t guard;             /* of the other fields, and held for a moment only */
    struct cop_mutex_claim *first;     /* the owner's claim, behind it those who wait */
    struct cop_mutex_claim *last;
    bool inherited;                    /* an owner died; not yet told */
} cop_mutex;

#define COP_MUTEX_INIT { PTHREAD_MUTEX_INITIALIZER, NULL, NULL, false }

/* What cop_mutex_lock returns instead of 0 if the last owner died with the mutex. */
enum { COP_INHERITED = 1 };

/* [any thread] Makes a mutex where COP_MUTEX_INIT cannot be used. */
void cop_mutex_init(cop_mutex *mutex);

/* [process] [may block] Waits until the mutex is the caller's, timeout_ms at most; 0 only tries,
 * COP_INFINITY waits as long as it takes.  Returns 0 or COP_INHERITED: the caller has it;
 * COP_ETIMEOUT; COP_ESELF when the caller had it before.  In a deferred action, which must not
 * wait, having to ends that action. */
int cop_mutex_lock(cop_mutex *mutex, int64_t timeout_ms);

/* [process] Gives it to the next.  Returns 0, or COP_EINVAL when the caller does not have it. */
int cop_mutex_unlock(cop_mutex *mutex);

/* [any thread] Who has it now, or no process; for reports. */
cop_pid cop_mutex_owner(cop_mutex *mutex);

#ifdef __cplusplus
}
#endif
#endif
