/* crash.c - deciding what a fault means; see crash.h. */
#define _GNU_SOURCE
#include "crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/last_words.h"
#include "../platform/core_file.h"
#include "../platform/program.h"
#include "../platform/sanitizer.h"
#include "blocking.h"
#include "node.h"
#include "reason.h"
#include "sim.h"

/* A frame, where code keeps frame pointers: the caller's frame and the return address.  The
 * same on x86-64 and AArch64. */
struct frame {
    const struct frame *caller;
    const void *return_address;
};

COPI_UNCHECKED void copi_backtrace(cop_crash *crash, void *pc, void *fp, const char *low,
                                   const char *high)
{
    const struct frame *frame = fp;
    crash->frames = 0;
    crash->backtrace[crash->frames++] = pc;
    while (crash->frames < COP_BACKTRACE_MAX && (uintptr_t)frame % sizeof(void *) == 0 &&
           (const char *)frame >= low && (const char *)(frame + 1) <= high &&
           frame->return_address != NULL) {
        crash->backtrace[crash->frames++] = frame->return_address;
        if (frame->caller <= frame)
            break;
        frame = frame->caller;
    }
}

/* ---- the end of the node --------------------------------------------------------------- */

/* One report, by last_words.h alone: whatever is broken, stdio may be too. */
static void report_fatal(const struct fault *fault, struct scheduler *scheduler)
{
    const struct process *process = scheduler == NULL ? NULL : copi_current(scheduler);
    char text[320];
    int length = snprintf(
        text, sizeof text,
        "coppice: fatal: %s at address %p, instruction %p, %s%s%s: not contained, the node ends\n",
        copi_fault_name(fault->signal), fault->address, fault->pc,
        fault->from_outside     ? "sent from outside"
        : copi_blocking_here()  ? "on a blocking thread"
        : process == NULL       ? "outside of any process"
        : scheduler->allocating > 0 ? "in malloc or free (the heap is damaged, or a pointer wrong)"
        : scheduler->critical > 0 ? "in the runtime's own work"
                                : "off the process's stack",
        process != NULL && process->label != NULL ? ", process " : "",
        process != NULL && process->label != NULL ? process->label : "");
    if (length > 0)
        copi_last_words(text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

/* ---- core files ------------------------------------------------------------------------ */

/* Leaves one if that is wanted.  True: this is the copy that is to die.  A try counts, whatever
 * comes of it: each stops the process for as long as the system takes. */
static bool leave_core_file(cop_crash *crash)
{
    const cop_run_options *options = &copi_node.options;
    char path[COPI_CORE_PATH_MAX];
    crash->core = 0;
    if (options->core_directory == NULL ||
        atomic_load(&copi_node.core_files) >= (unsigned)options->core_files)
        return false;
    unsigned number = atomic_fetch_add(&copi_node.core_files, 1) + 1;
    if (number > (unsigned)options->core_files)
        return false;
    copi_core_file_path(path, sizeof path, options->core_directory, number);
    switch (copi_core_file_take(path)) {
    case CORE_FILE_IN_COPY: return true;
    case CORE_FILE_WRITTEN: crash->core = number; break;
    case CORE_FILE_NONE: break;
    }
    return false;
}

/* ---- the hook, in the signal handler --------------------------------------------------- */

COPI_UNCHECKED struct context *copi_crash_hook(const struct fault *fault, void **ret_value)
{
    struct scheduler *scheduler = copi_scheduler;
    struct stack *stack = scheduler == NULL ? NULL : scheduler->stack;
    const char *sp = fault->sp;
    if (scheduler == NULL || copi_current(scheduler) == NULL || scheduler->critical > 0 ||
        fault->from_outside || sp < stack->memory || sp >= (const char *)stack ||
        copi_program_pid() != copi_node.pid) {
        report_fatal(fault, scheduler);
        return NULL;
    }
    cop_crash *crash = &scheduler->crash.crash;
    void *pc = fault->pc;
    bool fetch = (fault->signal == SIGSEGV || fault->signal == SIGBUS) && fault->address == pc;
    if (fetch && !copi_stack_in_guard(stack, sp))
        pc = *fault->caller;                 /* a call through NULL or a wild pointer: its caller */
    crash->signal = fault->signal;
    crash->code = fault->code;
    crash->stack_overflow = fault->signal == SIGSEGV && copi_stack_in_guard(stack, fault->address);
    crash->assertion = crash->exit_function = NULL;
    crash->address = fault->address;
    crash->pc = fault->pc;
    _Static_assert((int)COPI_REGISTERS_MAX <= COP_REGISTERS_MAX, "there is room for the registers");
    crash->registers = fault->registers_count;
    memcpy(crash->register_values, fault->registers, sizeof fault->registers);
    copi_backtrace(crash, pc, fault->fp, copi_stack_low(stack), (const char *)stack);
    if (leave_core_file(crash))
        return NULL;                         /* the copy: the default action follows */
    *ret_value = (void *)(uintptr_t)EVENT_CRASH;
    return &scheduler->context;
}

/* ---- faults that need no signal -------------------------------------------------------- */

/* A child of vfork, or of clone(2) itself, has its parent's scheduler and is no process of it. */
bool copi_crash_in_process(void)
{
    struct scheduler *scheduler = copi_scheduler;
    return scheduler != NULL && copi_current(scheduler) != NULL && scheduler->critical == 0 &&
           copi_program_pid() == copi_node.pid;
}

void copi_crash_at(cop_crash *crash, const void *from)
{
    const struct frame *frame = from;
    struct stack *stack = copi_scheduler->stack;
    crash->pc = frame->return_address;
    copi_backtrace(crash, (void *)frame->return_address, (void *)frame->caller,
                   copi_stack_low(stack), (const char *)stack);
    if (crash->signal != 0 && leave_core_file(crash))
        copi_core_file_die(crash->signal);
    copi_fault_mask();
    copi_exit(copi_reason_crash(crash));
}

/* There is too little stack, or it only looks so because a simulation wants to be asked. */
void copi_enter_slowly(void)
{
    char *frame = __builtin_frame_address(0);
    if (copi_sim_runs && frame >= copi_stack_low(copi_scheduler->stack) + COPI_STACK_RESERVE) {
        copi_sim_moment();
        return;
    }
    copi_scheduler->allocating = 0;
    copi_scheduler->stack_limit = NULL;   /* there is enough for this */
    cop_crash crash = { .signal = SIGSEGV, .stack_overflow = true,
                        .address = __builtin_frame_address(0) };
    copi_crash_at(&crash, __builtin_frame_address(0));
}

/* The C library's assert and abort.  A program's calls of them come here: in a process they
 * are its exit, with the caller's backtrace (the C library keeps no frame pointers) and, for
 * assert, the text; no signal is needed.  Elsewhere they do what the C library's do.  Aborts
 * from inside the C library do not come here but raise SIGABRT. */
__attribute__((noreturn)) void __assert_fail(const char *assertion, const char *file,
                                             unsigned int line, const char *function);

void __assert_fail(const char *assertion, const char *file, unsigned int line, const char *function)
{
    char text[512];
    snprintf(text, sizeof text, "%s, %s:%u, %s", assertion, file, line,
             function == NULL ? "?" : function);
    if (copi_crash_in_process()) {
        cop_crash crash = { .signal = SIGABRT, .assertion = text };
        copi_crash_at(&crash, __builtin_frame_address(0));
    }
    char report[sizeof text + 24];
    int length = snprintf(report, sizeof report, "assertion failed: %s\n", text);
    copi_last_words(report, (size_t)length);
    abort();
}

void abort(void)
{
    if (copi_crash_in_process()) {
        cop_crash crash = { .signal = SIGABRT };
        copi_crash_at(&crash, __builtin_frame_address(0));
    }
    for (;;) {
        raise(SIGABRT);                       /* a handler of the program's own may leave */
        signal(SIGABRT, SIG_DFL);
    }
}
