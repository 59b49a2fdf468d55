/* program.h - what belongs to the program as a whole: its end by the C library, and SIGPIPE. */
#ifndef COPI_PROGRAM_H
#define COPI_PROGRAM_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

enum way_out { WAY_EXIT, WAY_QUICK_EXIT, WAY_AT_ONCE };

/* The C library's exit, quick_exit and _exit, which the library's own stand before (exits.c).
 * WAY_AT_ONCE is async-signal-safe and may be taken in a child of vfork. */
__attribute__((noreturn)) void copi_program_exit(enum way_out way, int status);

/* The C library's pthread_exit. */
__attribute__((noreturn)) void copi_thread_exit(void *result);

/* Asked of the system each time: a child of fork, vfork or clone has another. */
pid_t copi_program_pid(void);

/* The calling thread's signal mask; whether it still is that one.  It is not in a signal handler,
 * where the signal that is handled is blocked. */
sigset_t copi_program_mask(void);
bool copi_program_mask_is(const sigset_t *mask);

/* From take to give_back, SIGPIPE does nothing where it would have ended the program; what the
 * program itself has said about it holds.  A program started by exec finds it as it was: a handler
 * is not handed on, SIG_IGN would be. */
void copi_sigpipe_take(void);
void copi_sigpipe_give_back(void);

#endif
