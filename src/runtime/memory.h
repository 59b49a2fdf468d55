/* memory.h - deferred actions, for the end of a process. */
#ifndef COPI_MEMORY_H
#define COPI_MEMORY_H

#include <coppice/memory.h>

struct process;

/* Runs the deferred actions, newest first; each is taken off before it runs, so that one that
 * crashes or exits does not run again. */
void copi_deferred_run(struct process *process);

/* [process] What it is to do, and with what; one that is not the process's own ends it. */
cop_cleanup *copi_deferred_action(cop_deferred *deferred, void **ret_argument);

#endif
