/* wait.h - waiting: until when, and for something that is no signal, a blocking function's return
 * or a descriptor.
 *
 * Who makes it happen, on whatever thread, sets the flag and then calls copi_wake on the process.
 * That reads the process's `incoming`, which the process empties before it reads the flag; all
 * four are seq_cst, and what is written is exchanged (fence.h).  So either the process sees the
 * flag, or copi_wake sees `incoming` as it was after it had been emptied, and marks it or puts
 * something in the place of COPI_WAITING.  A wake-up that comes late, or reaches the slot's next
 * process, makes that one look and sleep again. */
#ifndef COPI_WAIT_H
#define COPI_WAIT_H

#include "process.h"

/* ---- the record of a process's waits, struct wait_record ---- */

/* [process] Its record, made if there is none; NULL without memory. */
struct wait_record *copi_wait_record_new(struct process *self);

static inline struct wait_record *copi_wait_record(struct process *self)
{
    return __builtin_expect(self->wait != NULL, 1) ? self->wait : copi_wait_record_new(self);
}

/* By the scheduler, at the end: its timer is taken out first. */
void copi_wait_record_free(struct process *process);

static inline struct wait_record *copi_wait_of_timer(struct timer *timer)
{
    return (struct wait_record *)((char *)timer - offsetof(struct wait_record, timer));
}

__attribute__((noreturn, cold)) void copi_wait_no_memory(void);

/* [process] A wait until that deadline, which is not COPI_NEVER, begins or goes on; is over. */
static inline void copi_wait_arm(struct process *self, int64_t deadline)
{
    struct wait_record *wait = copi_wait_record(self);
    if (wait == NULL || (copi_timer_wanted(&wait->timer) != deadline &&
                         !copi_timer_arm(&wait->timer, TIMER_WAIT, deadline)))
        copi_wait_no_memory();
}

static inline void copi_wait_disarm(struct process *self)
{
    if (self->wait != NULL)
        copi_timer_disarm(&self->wait->timer);
}

/* ---- for something that is no signal ---- */

/* [process] [may block] Until the flag is set or the deadline has passed.  An exit signal may end
 * the process here; a deferred action, which must not wait, ends here. */
void copi_wait(struct process *self, const _Atomic bool *flag, int64_t deadline);

/* [process] [may block] By what may go on without ever waiting: now and then others have a turn. */
void copi_wait_turn(void);

/* A thread of the runtime's own that runs no processes: the program's signals are not delivered
 * to it, only those of its own faults. */
bool copi_helper_start(pthread_t *ret_thread, void *(*function)(void *), void *argument);

#endif
