/* registry_lock.h - the keys' locks of a registry, in its process: who has one, who waits.
 *
 * A lock exists while somebody has it or waits for it.  Its waiters are a list: the first one has
 * the lock and has been answered, the others have not.  Each is monitored; who ends leaves the
 * list. */
#ifndef COPI_REGISTRY_LOCK_H
#define COPI_REGISTRY_LOCK_H

#include <coppice/gen_server.h>

#include "table.h"

struct locks {
    struct table by_key;           /* of struct key_lock */
    struct table by_monitor;       /* of struct waiter */
};

/* A request for a key's lock: answers it at once, or when its turn has come. */
cop_next copi_locks_wait(struct locks *locks, const char *key, cop_from from);

/* The process gives the lock back, if it has it. */
void copi_locks_release(struct locks *locks, const char *key, cop_pid pid);

/* A down message: of one who had a lock or waited for it. */
void copi_locks_down(struct locks *locks, const cop_down_message *down);

#endif
