/* exits.c - the C library's exit, quick_exit, _exit and _Exit; and pthread_exit and thrd_exit.
 *
 * A program's calls of them, and its libraries', come here first.  In a process they are its exit,
 * as abort is (crash.c): a library that gives up does not take a thousand others along.  Elsewhere
 * they do what the C library's do: in a thread of the program's own, in a blocking function, before
 * and after cop_run, in a child of fork or vfork, in a signal handler.  A call from inside the C
 * library (err(3), the return of main) does not come here.
 *
 * A process that ended its thread would take a scheduler away from all others: that, too, is the
 * process's end. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>

#include <coppice/runtime.h>

#include "../platform/program.h"
#include "crash.h"
#include "scheduler.h"

static atomic_bool ends_program;

bool cop_exit_ends_program(bool on)
{
    return atomic_exchange(&ends_program, on);
}

/* A handler that interrupted a process runs on its thread, mostly on its stack too: what the
 * process does and what the handler does differ in the signals that are blocked. */
static bool in_a_process(void)
{
    return !atomic_load(&ends_program) && copi_crash_in_process() &&
           copi_program_mask_is(&copi_scheduler->mask);
}

/* Inlined, so that the frame is that of the function itself. */
__attribute__((always_inline, noreturn)) static inline void
leave(const char *function, enum way_out way, int status)
{
    if (in_a_process()) {
        cop_crash crash = { .exit_function = function, .exit_status = status & 255 };
        copi_crash_at(&crash, __builtin_frame_address(0));
    }
    copi_program_exit(way, status);
}

void exit(int status)
{
    leave("exit", WAY_EXIT, status);
}

void quick_exit(int status)
{
    leave("quick_exit", WAY_QUICK_EXIT, status);
}

void _exit(int status)
{
    leave("_exit", WAY_AT_ONCE, status);
}

void _Exit(int status)
{
    leave("_Exit", WAY_AT_ONCE, status);
}

/* ---- threads --------------------------------------------------------------------------- */

void pthread_exit(void *result)
{
    if (copi_crash_in_process()) {
        cop_crash crash = { .exit_function = "pthread_exit" };
        copi_crash_at(&crash, __builtin_frame_address(0));
    }
    copi_thread_exit(result);
}

void thrd_exit(int result)
{
    if (copi_crash_in_process()) {
        cop_crash crash = { .exit_function = "thrd_exit", .exit_status = result & 255 };
        copi_crash_at(&crash, __builtin_frame_address(0));
    }
    copi_thread_exit((void *)(intptr_t)result);
}
