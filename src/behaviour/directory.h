/* directory.h - what runs under a name, found by any thread without a lock.
 *
 * Registries and partition supervisors keep what others look up in a record: shared memory that is
 * found by a name.  A record is never freed.  It belongs to the process that took it, from
 * open to close, and is used again by the next one with the same name and as many
 * parts, so there are as many records as names are used in a program, like atoms in the BEAM.
 * A reader that got hold of a record late sees an empty one, or the next holder's, never freed
 * memory. */
#ifndef COPI_DIRECTORY_H
#define COPI_DIRECTORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <coppice/message.h>

enum { DIRECTORY_CHAINS = 64 };

/* Embedded first in the user's record.  All but `next`, `holder` and `taken` is constant once
 * others can see it. */
struct directory_record {
    _Atomic(struct directory_record *) next;
    uint64_t hash;
    const char *name;
    unsigned parts;
    bool taken;                   /* under the directory's lock */
    _Atomic uint64_t holder;      /* the process that it runs for; 0: closed, or about to be */
};

struct directory {
    pthread_mutex_t lock;         /* of those who open and close */
    _Atomic(struct directory_record *) chains[DIRECTORY_CHAINS];
};

#define DIRECTORY_INITIALIZER { .lock = PTHREAD_MUTEX_INITIALIZER }

/* [any thread] The record that is open under that name, or NULL. */
struct directory_record *copi_directory_find(struct directory *directory, const char *name);

/* [process] Opens the name's record with `parts` parts for the calling process; make makes one,
 * with everything but the directory's part set, or NULL.  It can be found only after
 * copi_directory_publish, so that the caller can set it up.  0, COP_ENOMEM, or
 * COP_EALREADY_STARTED with the holder's pid. */
int copi_directory_open(struct directory *directory, const char *name, unsigned parts,
                        struct directory_record *(*make)(unsigned parts),
                        struct directory_record **ret_record, cop_pid *ret_holder);
void copi_directory_publish(struct directory_record *record);

/* Takes it from those who look; then the holder clears it; then another may open it. */
void copi_directory_withdraw(struct directory_record *record);
void copi_directory_close(struct directory *directory, struct directory_record *record);

/* [any thread] The process that an open record runs for, or no process. */
static inline cop_pid copi_directory_holder(struct directory_record *record)
{
    /* Acquire: with the pid, what its process had set up before publishing it (release). */
    return (cop_pid){ atomic_load_explicit(&record->holder, memory_order_acquire) };
}

#endif
