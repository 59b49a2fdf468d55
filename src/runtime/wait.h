/* wait.h - waiting for something that is no signal: a blocking function's return, a descriptor.
 *
 * Who makes it happen, on whatever thread, sets the flag and then calls copi_wake on the process.
 * That reads the process's `incoming`, which the process empties before it reads the flag; all four
 * are seq_cst.  So either the process sees the flag, or copi_wake sees `incoming` as it was after
 * the process had emptied it, and marks it or replaces COPI_WAITING there.  A wake-up that comes
 * late, or reaches the slot's next process, makes that one look and sleep again. */
#ifndef COPI_WAIT_H
#define COPI_WAIT_H

#include "process.h"

/* [process] [may block] Until the flag is set or the deadline has passed.  An exit signal may end
 * the process here; a deferred action, which must not wait, ends here. */
void copi_wait(struct process *self, const _Atomic bool *flag, int64_t deadline);

/* [process] [may block] By what may go on without ever waiting: now and then others have a turn. */
void copi_wait_turn(void);

/* A thread of the runtime's own that runs no processes: the program's signals are not delivered
 * to it, only those of its own faults. */
bool copi_helper_start(pthread_t *ret_thread, void *(*function)(void *), void *argument);

#endif
