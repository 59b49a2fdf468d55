/* crash.h - native faults as exit reasons.
 *
 * A fault in a process's own code, on its own stack, lands in its scheduler, which ends the
 * process with the record as its reason.  A fault anywhere else (no process runs, the runtime
 * is in the middle of its own work, another thread) is not survivable honestly: the hook
 * writes one report to stderr and lets the signal take its course. */
#ifndef COPI_CRASH_H
#define COPI_CRASH_H

#include <coppice/reason.h>

#include "../platform/fault.h"

/* Filled in by the signal handler: plain memory, no allocation. */
struct crash_record {
    cop_crash crash;
};

/* Of cop_run_options.core_directory: a path below it is made where there is little stack. */
enum { COPI_CORE_DIRECTORY_MAX = 1000, COPI_CORE_PATH_MAX = COPI_CORE_DIRECTORY_MAX + 40 };

/* The hook for copi_fault_install. */
struct context *copi_crash_hook(const struct fault *fault, void **ret_value);

/* Fills in crash->backtrace by following frame pointers between low and high. */
void copi_backtrace(cop_crash *crash, void *pc, void *fp, const char *low, const char *high);

/* Whether the calling code is a process's own: for functions of the C library that would end the
 * program and that the library stands before.  Async-signal-safe. */
bool copi_crash_in_process(void);

/* [process] Ends the process as if it had faulted where `frame`, the frame of such a function,
 * returns to: fills in pc and backtrace. */
__attribute__((noreturn)) void copi_crash_at(cop_crash *crash, const void *frame);

#endif
