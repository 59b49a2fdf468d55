/* poller.h - processes that wait for descriptors. */
#ifndef COPI_POLLER_H
#define COPI_POLLER_H

#include <stdbool.h>
#include <stddef.h>

/* Wakes those whose descriptors are ready, after having waited for that as long as timeout_ms.
 * Returns whether there were any.  By the poller's thread; in a deterministic run by the scheduler,
 * when processes wait and none can run. */
bool copi_poller_look(int timeout_ms);

/* How many processes wait for a descriptor. */
size_t copi_poller_waiters(void);

/* By the end of the node, when no process is left. */
void copi_poller_end(void);

#endif
