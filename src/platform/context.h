/* context.h - stacks that code can leave and come back to.
 *
 * A context is a place to continue: a stack and where its code stopped.  Switching saves the
 * callee-saved registers on the stack that is left and restores those of the one entered;
 * the rest is the caller's to save by the calling convention.  Floating-point control
 * words are not switched.
 *
 * A fault is left by *landing*: the signal handler rewrites the interrupted registers so that,
 * when it returns, execution goes on in the context that last switched away with `from`, as
 * if the faulting one had switched back with `value`; the faulting one is void and
 * must be made anew.
 *
 * The sanitizers are told of each switch, so that AddressSanitizer knows the stack's bounds
 * and ThreadSanitizer sees each context as a fiber.
 *
 * Threads: a context is entered by one thread at a time; its memory must be handed over with
 * release/acquire between threads. */
#ifndef COPI_CONTEXT_H
#define COPI_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sanitizer.h"

struct context {
    void *sp;                /* where it stopped; valid while it is left */
    char *low;               /* its stack's usable memory: [low, low + size) */
    size_t size;
    void *fiber;             /* ThreadSanitizer's */
    bool landed;             /* set by the fault handler before it lands here */
};

/* The calling thread's own stack as a context to leave and to come back to. */
void copi_context_of_thread(struct context *context);

/* A context that will run entry(argument) on [low, low + size), 16-byte aligned; entry must
 * never return.  Also voids and restarts one that was left for good. */
void copi_context_make(struct context *context, void *low, size_t size, void (*entry)(void *),
                       void *argument);

/* Ends a context of copi_context_make that will not be entered again. */
void copi_context_drop(struct context *context);

/* The assembly (machine.h): saves the registers that the calling convention has a function keep on
 * the stack, stores its pointer, and goes on where new_sp was stored.  Returns what the other side
 * gave as value. */
void *copi_context_swap(void **save_sp, void *new_sp, void *value);

/* Leaves `from` and enters `to`; returns, when somebody switches back to `from`, the value
 * given there.  With `final`, from won't be entered again as it is. */

#ifdef COPI_FIBERS
void *copi_context_switch(struct context *from, struct context *to, void *value, bool final);
#else
static inline void *copi_context_switch(struct context *from, struct context *to, void *value,
                                        bool final)
{
    (void)final;
    return copi_context_swap(&from->sp, to->sp, value);
}
#endif

/* Whether a context may be made anew by the code that runs on it, and swapped to: not with the
 * sanitizers, which would have to be told of a context that is left for itself. */
#ifdef COPI_FIBERS
enum { COPI_CONTEXT_STARTS_OVER = false };
#else
enum { COPI_CONTEXT_STARTS_OVER = true };
#endif

/* First thing in an entry function: completes the switch that entered it. */
void copi_context_entered(struct context *context);

#endif
