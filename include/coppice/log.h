/* log.h - reports: what the library has to say, and to whom.
 *
 * Concept.  The library prints nothing.  It hands events to the sink given to
 * cop_run; cop_log_stderr is a ready one.  OTP: logger with crash, supervisor and progress reports
 * (domain sasl).
 *
 * Threads.  The sink is called by whichever process has something to say, on its
 * scheduler thread, possibly by several at once; never under a lock of the runtime.  The
 * standstill of a deterministic run (runtime.h), and functions that run on at the node's end
 * (blocking.h), are reported outside of any process.
 * It must not wait and must not end the process.  Everything in the event is
 * borrowed for the call. */
#ifndef COPPICE_LOG_H
#define COPPICE_LOG_H

#include <coppice/crash_report.h>
#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cop_log_level { COP_LOG_DEBUG, COP_LOG_INFO, COP_LOG_WARNING, COP_LOG_ERROR };

enum cop_log_kind {
    COP_LOG_CRASH,        /* a process ended abnormally: process, reason, report */
    COP_LOG_SERVER,       /* a gen_server ended abnormally: process, message_type, reason */
    COP_LOG_SUPERVISOR,   /* supervisor, child, context (start_error, child_terminated,
                           * shutdown_error, shutdown, stays_down), reason */
    COP_LOG_PROGRESS,     /* supervisor, child: it was started */
    COP_LOG_RESTART,      /* supervisor, child, reason, restarted: a restart is complete */
    COP_LOG_TEXT          /* text: anything else, such as an unexpected message, a standstill */
};

typedef struct cop_log_event {
    enum cop_log_level level;
    enum cop_log_kind kind;
    int64_t time_ns;              /* cop_now_ns */
    cop_pid process;              /* who it is about; of a supervisor's report, the child */
    const char *name;             /* its registered name, or NULL */
    const char *label;            /* its label, or NULL */
    cop_pid supervisor;           /* who reports */
    const char *supervisor_name;  /* or NULL */
    const char *child;            /* the child's id */
    const char *context;
    const char *message_type;     /* the last message's type, or NULL */
    const cop_reason *reason;     /* or NULL */
    uint64_t restarts;            /* COP_LOG_SUPERVISOR, child_terminated: how often the child was
                                   * started again so far; a dynamic supervisor counts those with
                                   * a backoff, a budget or a probe */
    const char *const *restarted; /* COP_LOG_RESTART: the ids that were started again, in
                                   * order, the one that crashed among them */
    size_t restarted_count;
    const char *text;             /* or NULL */
    const cop_crash_report *report;   /* COP_LOG_CRASH: all that is known; NULL without memory */
} cop_log_event;

typedef void cop_log_sink(const cop_log_event *event, void *context);

/* [any thread] Hands an event to the sink; time_ns, process (if none), name and
 * label of the calling process are filled in where they are unset. */
void cop_log(const cop_log_event *event);

/* A sink: one line an event (a crash: several) on stderr, debug and progress left out. */
void cop_log_stderr(const cop_log_event *event, void *context);

/* [any thread] The event as text, as cop_log_stderr prints it, without a final
 * newline; like snprintf.  A crash: as cop_crash_report_format prints it. */
int cop_log_format(const cop_log_event *event, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif
#endif
