/* guard.h - an operating-system process that guards another: starts it by fork, hands on the
 * signals that it gets, waits for its end, and can end in the same way.
 *
 * No signal handler: all that can be handed on is blocked and taken by sigtimedwait, so the guard
 * never runs anywhere but here, and no signal comes between two steps.
 *
 *     enter --> fork --> wait --> (pause) --> fork ...      in the guard
 *       |        |         |         |
 *       |        |         +---------+--> end_like          the guard ends
 *       |        +--> 0: all is again as before enter       in the guarded process
 *       +--> leave                                          the first fork failed
 *
 * Threads: one, in the whole process. */
#ifndef COPI_GUARD_H
#define COPI_GUARD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COPI_GUARD_ACTIONS = 5 };

struct guard {
    pid_t pid;                   /* the guard's own */
    pid_t child;                 /* the guarded process, or 0 */
    int asked;                   /* the last signal by which the program was asked to end, or 0 */
    sigset_t handed_on;          /* what the present child was sent by the guard */
    sigset_t old_mask;
    struct sigaction old_actions[COPI_GUARD_ACTIONS];
};

struct guarded_end {
    pid_t pid;
    int signal;                  /* that ended it, or 0 */
    int status;                  /* else its exit status */
    bool was_sent;               /* the signal: handed on by the guard */
};

void copi_guard_enter(struct guard *guard);
void copi_guard_leave(struct guard *guard);

/* The pid; 0 in the child, which is killed when the guard ends in any way; -1 when the system
 * refuses. */
pid_t copi_guard_fork(struct guard *guard);

/* Until the child has ended; reaps any other child too. */
void copi_guard_wait(struct guard *guard, struct guarded_end *ret_end);

/* Without a child: waits that long, or until the program is asked to end. */
void copi_guard_pause(struct guard *guard, int64_t ms);

/* Writes to stderr if that does not wait; what can't be written is lost. */
void copi_guard_say(const char *text, size_t size);

/* Ends by the same signal, without a core file of its own, or with the same status. */
__attribute__((noreturn)) void copi_guard_end_like(const struct guarded_end *end);

/* The same, by a signal alone. */
__attribute__((noreturn)) void copi_guard_end_by(int signal);

#endif
