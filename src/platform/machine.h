/* machine.h - all that differs from processor to processor.
 *
 * context_<cpu>.S and machine_<cpu>.c implement it.  Another processor is two more files, a look at
 * thread_variable.h and cycles.h, and its flags in the top meson.build.
 *
 *     x86-64     System V ABI
 *     AArch64    AAPCS64, little-endian, pages of 4 or 16 KiB
 *
 * Whatever gets a ucontext_t is for signal handlers: it is that of the interrupted thread, which
 * goes on with what is written there. */
#ifndef COPI_MACHINE_H
#define COPI_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>
#include <unwind.h>

#include "fault.h"

/* ---- contexts: context_<cpu>.S ----------------------------------------------------------- */

/* Where copi_machine_land goes on: new_sp and value are in their registers. */
extern const char copi_context_land[];

/* The saved sp of a new stack below `top`, 16-byte aligned: going on there calls entry(argument),
 * with a frame that ends all chains of frames. */
void *copi_machine_first_frame(void *top, void (*entry)(void *), void *argument);

/* ---- the interrupted thread -------------------------------------------------------------- */

/* Fills in pc, sp, fp and caller of the fault; for handlers that need no more. */
void copi_machine_place(ucontext_t *user, struct fault *fault);

/* Fills in the registers of the fault; the name of each, NULL behind the last. */
void copi_machine_registers(const ucontext_t *user, struct fault *fault);
const char *copi_machine_register(unsigned index);

/* The thread goes on at copi_context_land, with the control and status bits that a function may
 * expect, whatever the interrupted code had made of them. */
void copi_machine_land(ucontext_t *user, void *new_sp, void *value);

/* The number of the system call that the thread is about to make, or to make again after the
 * handler; -1 if none.  skip: it returns -errno without being made. */
long copi_machine_system_call(const ucontext_t *user);
void copi_machine_skip_system_call(ucontext_t *user, int error);

/* ---- code and frames --------------------------------------------------------------------- */

/* Whether the instruction is one of a linkage stub (an entry of the PLT). */
bool copi_machine_in_stub(uintptr_t pc);

/* Where a function keeps the address that it will return to, and what is to be there so that it
 * returns to copi_interrupt_return instead; a place on the stack, or a register's in `user`. */
struct machine_return {
    uintptr_t *slot;
    uintptr_t value;
};

/* Finds that of the function that `caller` has called; false if it is not certain. */
bool copi_machine_find_return(struct _Unwind_Context *caller, ucontext_t *user,
                              struct machine_return *ret_return);

/* In context_<cpu>.S: aligns the stack and calls copi_interrupt_left. */
void copi_interrupt_return(void);

#endif
