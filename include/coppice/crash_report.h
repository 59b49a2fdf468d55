/* crash_report.h - what is known of a process that ended abnormally, to be read, kept and sent on.
 *
 * Concept.  For each process that ends abnormally by its own doing (a crash, cop_raise, cop_exit)
 * a report is made before anything that it owns is released, and handed to the log with
 * COP_LOG_CRASH.  The last COP_CRASH_REPORTS_KEPT of a run are kept and can be asked for, also
 * after cop_run has returned, until the next run begins.  A process that is ended by a signal (a
 * linked process's end, cop_exit_process) makes none, as in OTP.  OTP: crash reports (proc_lib).
 *
 * Functions, files and lines.  The dynamic linker knows the functions that a module exports
 * (-Wl,--export-dynamic, which pkg-config gives for the program itself).  If the library was built
 * with libdw, static functions are named too, and files and lines are read from debug information:
 * of the program and its libraries (-g), or apart from them by build id on the same machine.  What
 * has no line is shown with its module and the offset in it: `addr2line -fe MODULE OFFSET`.
 * This is done when a report is printed: the first time takes as long as reading the module's debug
 * information does, a few ms to much more, and others who print wait meanwhile.  What is compiled
 * into its caller (inlined) is shown with the caller's name and its own line.
 *
 * Core files.  With cop_run_options.core_directory each crash by a signal, an abort or a failed
 * assert, up to core_files of them in a run, leaves a core file of the whole program as it was at
 * the crash, with the thread that crashed alone: `gdb PROGRAM DIRECTORY/crash-PID-N/core`.  A copy
 * of the program (clone(2), copy on write) dies in its place.  The process, and its scheduler's
 * thread, wait meanwhile; others go on.  The system writes the file and names it; it lies alone in
 * a directory of its own, which the report names.  There is none, and no directory, if the hard
 * limit of RLIMIT_CORE is 0, and where the system hands cores to a program or puts them elsewhere
 * (kernel.core_pattern begins with '|' or '/': systemd-coredump for one; see core(5)): then it is
 * found there, under the pid of the copy.  It has the memory of all processes, secrets included.
 *
 * Ownership.  A report is immutable and counted, as a reason is: one in a log event is borrowed for
 * the call, what cop_crash_reports gives is the caller's.
 *
 * Threads.  Everything here may be called from any thread. */
#ifndef COPPICE_CRASH_REPORT_H
#define COPPICE_CRASH_REPORT_H

#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    COP_CRASH_REPORTS_KEPT = 64,
    COP_CRASH_ANCESTORS_MAX = 16   /* the nearest ones, if there are more */
};

typedef struct cop_crash_ancestor {
    cop_pid pid;
    const char *name;              /* its registered name, or NULL */
} cop_crash_ancestor;

typedef struct cop_crash_report {
    uint64_t number;               /* 1: the first one of the run */
    int64_t time_ns;               /* cop_now_ns */
    cop_pid process;
    const char *name;              /* its registered name, or NULL */
    const char *label;             /* or NULL */
    const cop_crash_ancestor *ancestors;   /* the parent, its parent and so on: cop_ancestors */
    size_t ancestors_count;
    const cop_reason *reason;      /* cop_reason_crash tells of signal, registers, backtrace */
    const char *message_type;      /* of the message that it was handling, or had received last
                                    * and still has; or NULL */
    size_t mailbox_length;         /* messages that have arrived and were not taken */
    size_t memory_bytes;           /* cop_alloc: in use */
    const char *core;              /* the directory that has its core file, or NULL */
} cop_crash_report;

/* [any thread] The reports that are kept, the newest first: the first `room` of them go to
 * ret_reports, a reference each, owned by the caller.  Returns how many there are. */
size_t cop_crash_reports(const cop_crash_report **ret_reports, size_t room);

/* [any thread] One reference more, one less.  ref returns its argument; unref accepts NULL. */
const cop_crash_report *cop_crash_report_ref(const cop_crash_report *report);
void cop_crash_report_unref(const cop_crash_report *report);

/* [any thread] Prints the report: several lines, for people, the first one with the time since the
 * start, who and why; without a final newline.  Like snprintf: returns the length that the whole
 * text has, writes at most size bytes with a final NUL.  8 KiB are enough for most. */
int cop_crash_report_format(const cop_crash_report *report, char *buffer, size_t size);

/* [any thread] The same as one line of JSON, an object.  Always valid: every string is escaped, and
 * a byte that is not UTF-8 becomes U+FFFD; addresses and registers are strings in hexadecimal; what
 * is not known is null.  Cut off if the buffer is too small, so look at what is returned: 32 KiB
 * are enough for most. */
int cop_crash_report_json(const cop_crash_report *report, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif
#endif
