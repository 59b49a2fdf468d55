/* fault.h - the signals by which native code dies, and how to leave their handler.
 *
 * The handler runs on an alternate stack of the thread.  It fills in a struct fault and asks
 * the hook; the hook either names a context to land in, or NULL: then the
 * signal's default action follows (the operating-system process ends, with a core if configured).
 * A fault inside the handler ends it as well.
 *
 * Threads: install and remove from one thread; enter and leave on each thread that runs
 * code whose faults are to be left.  On other threads the hook is called too. */
#ifndef COPI_FAULT_H
#define COPI_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "context.h"

enum { COPI_REGISTERS_MAX = 34 };

struct fault {
    int signal;
    int code;             /* si_code */
    bool from_outside;    /* sent by kill(2), not by raise(3) in this thread */
    const void *address;  /* si_addr of a memory or arithmetic fault, else NULL */
    void *pc, *sp, *fp;   /* the interrupted code's */
    void *const *caller;  /* where the return address is if pc is a function's first instruction */
    unsigned registers_count;
    uint64_t registers[COPI_REGISTERS_MAX];   /* of a fault; copi_fault_register has their names */
};

/* Returns the context to land in (its switch returns *ret_value), or NULL.  Async-signal-safe. */
typedef struct context *copi_fault_hook(const struct fault *fault, void **ret_value);

void copi_fault_install(copi_fault_hook *hook);
void copi_fault_remove(void);        /* puts back what was there before */

/* The calling thread's alternate stack, and its signal mask; false without memory.  leave puts the
 * old stack back. */
struct fault_thread { void *memory, *old_memory; size_t size, old_size; int old_flags; };
bool copi_fault_enter(struct fault_thread *thread);
void copi_fault_leave(struct fault_thread *thread);

/* Puts the calling thread's signal mask back, as it was when it entered, where code is left without
 * a signal. */
void copi_fault_mask(void);

/* For other handlers: on return from the handler that got this ucontext_t, the thread goes on in
 * `context`, whose switch returns value, with the signal mask that it entered with. */
void copi_fault_land(void *ucontext, struct context *context, void *value);

/* The name of a register, such as "rax" or "x0"; NULL behind the last. */
const char *copi_fault_register(unsigned index);

/* The signal's name, such as "SIGSEGV". */
const char *copi_fault_name(int signal);

#endif
