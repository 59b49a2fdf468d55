/* interrupt.h - taking a thread out of code that does not come back by itself.
 *
 * Another thread sends an interrupt; in its handler, on the interrupted thread, the hook says
 * whether the code is to be left, and where to.  Code of the program can be left at any
 * instruction. Code of a library cannot: it may hold a lock of its own, of malloc or of a stream.
 * It is left on its return to the program's code, by a return address that is put in place of the
 * true one.  A system call in which the thread waits is ended with EINTR, so that its function
 * returns.
 *
 *     where it is                            what happens
 *     the program's code, no library         left at once
 *     further out
 *     a library; or the program's code,      left when the outermost call of a library returns; if
 *     called by a library (qsort)            `impatient`, when the innermost one does, or at once
 *     the runtime's own code                 as a library's, but who calls it does not matter
 *
 * A library that never returns (a condition variable that nobody signals) is never left; nothing
 * but the end of the operating-system process helps there.  The caller tries again until it works.
 *
 * The runtime's own code is what lies between copi_code_begin and copi_code_end (src/code.ld). */
#ifndef COPI_INTERRUPT_H
#define COPI_INTERRUPT_H

#include <pthread.h>
#include <signal.h>

#include "fault.h"

enum { COPI_INTERRUPT_SIGNAL = SIGURG };

struct interruption {
    bool leave;                /* the code is to be left ... */
    bool impatient;            /* ... even if a library is further out */
    const void *high;          /* the upper end of the interrupted code's stack */
    struct context *context;   /* where to go on, with `value` as the switch's result */
    void *value;
};

/* Fills in what is to be done; where: only pc, sp and fp are set.  Async-signal-safe. */
typedef void copi_interrupt_hook(const struct fault *where, struct interruption *ret_what);

/* `left` is called, on the interrupted code's stack, when a call of a library has returned; it must
 * not return. */
void copi_interrupt_install(copi_interrupt_hook *hook, void (*left)(void));
void copi_interrupt_remove(void);

/* Notes which code is the program's; to be called again when libraries may have been loaded, not
 * from the hook. */
void copi_interrupt_map(void);

void copi_interrupt_send(pthread_t thread);

/* Whether the code at that address is the runtime's own. */
bool copi_is_own_code(uintptr_t address);

#endif
