/* memory.h - deferred actions, for the end of a process. */
#ifndef COPI_MEMORY_H
#define COPI_MEMORY_H

struct process;

/* Runs the deferred actions, newest first; each is taken off before it runs, so that one that
 * crashes or exits does not run again. */
void copi_deferred_run(struct process *process);

#endif
