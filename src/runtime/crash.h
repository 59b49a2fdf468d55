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

/* The hook for copi_fault_install. */
struct context *copi_crash_hook(const struct fault *fault, void **ret_value);

/* Fills in crash->backtrace by following frame pointers between low and high. */
void copi_backtrace(cop_crash *crash, void *pc, void *fp, const char *low, const char *high);

#endif
