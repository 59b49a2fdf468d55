/* callers.h - who asked for the work that a task does: the chain that task.h's cop_callers gives.
 *
 * The chain of a process that asks is itself and then its own callers.  It travels with the work as
 * plain bytes, and the task keeps a copy in its dictionary, as "$callers". */
#ifndef COPI_CALLERS_H
#define COPI_CALLERS_H

#include <stddef.h>

/* How many bytes the calling process's chain has; writes them to room, aligned for pids. */
size_t copi_callers_size(void);
void copi_callers_write(void *room);

/* In the task: these bytes are its callers. */
void copi_callers_take(const void *chain);

#endif
