/* worker.h - children for tests of supervision: servers that do as planned and tell the trace.
 *
 *     static struct worker a = { .starts = "oeo", .traps = true };
 *     static const cop_child_spec children[] = { WORKER(a) };
 *
 * A worker is registered under its spec's id and traces
 *
 *     a.1 starts            its first start; a.2 the second, and so on
 *     a.2 fails             its plan says that this start fails (boom)
 *     a.2 ignores           ... or that init returns ignore
 *     a.1 stops: shutdown   terminate was called
 *     a.1 is ready          it has said so
 *     a.1 is gone           it has ended, in whatever way
 *
 * and the supervisors' reports are traced as
 *
 *     report: child_terminated a: boom
 *     report: a restarted: boom; a b      (who, why, and the ids that run again)
 *
 * With trace_times on, each of these lines begins with the story's time: "120: a.2 starts". */
#ifndef TEST_WORKER_H
#define TEST_WORKER_H

#include <coppice/coppice.h>

#include "trace.h"
#include "watch.h"

struct worker {
    const char *starts;       /* what each start does, the last for all later ones: o ok, e error,
                               * i ignore, s slowly (10 ms); NULL: ok */
    bool traps;               /* traps exits, so that terminate is called */
    int64_t lingers_ms;       /* terminate takes that long; COP_INFINITY: for ever */
    const char *last_words;   /* terminate ends with this reason */
    bool unlinks;             /* takes the link to its supervisor away */
    int64_t ready_ms;         /* says that it is ready so long after its start; 0: never; AT_ONCE:
                               * before it handles anything else */
    int count;                /* of its starts */
    bool is_ready;            /* the one that was started last has said so */
};
enum { AT_ONCE = -1 };

#define WORKER(worker_, ...)                                                             \
    { .id = #worker_, .start = worker_start, .module = &(worker_),                       \
      .argument = #worker_, .argument_size = sizeof #worker_, __VA_ARGS__ }

/* The start function: module is the struct worker, argument its name; without one it has none
 * and traces as "worker". */
cop_started worker_start(const void *module, const void *argument, size_t argument_size);

/* The worker ends by itself with that reason (taken over); returns when the trace says so. */
void worker_exit(const char *name, const cop_reason *reason);
/* It raises an error. */
void worker_raise(const char *name, const char *text);
/* It is killed from outside. */
void worker_kill(const char *name);

/* The same by pid. */
void worker_exit_pid(cop_pid pid, const cop_reason *reason);
void worker_kill_pid(cop_pid pid);

/* Runs a story deterministically, its reports in the trace, and compares.  The story's process
 * traps exits and is the supervisors' parent. */
void expect_story(cop_function *story, const char *expected);

/* The same with a given seed and shuffled processes; only runs it. */
void run_shuffled(cop_function *story, uint64_t seed);

/* While on, progress is traced too: "progress: a (info)".  Off at first. */
void trace_progress(bool on);

/* While on, lines begin with the milliseconds since the story's begin.  Off at first. */
void trace_times(bool on);
/* The story's time in milliseconds. */
int story_ms(void);
/* Waits until then; it must be to come. */
void wait_until(int ms);

/* Traces a start's result as "WHAT: ok", or with its error and reason; gives the reason back. */
void trace_started(const char *what, cop_started started);

/* Traces an error's name. */
void trace_error(const char *what, int error);

/* Waits until the process is down and traces "WHAT down: reason". */
void trace_end(const char *what, cop_pid pid);

/* Traces which_children and count_children on one line: "children: b up, a down; 2 specs, 1
 * active, 0 supervisors, 2 workers". */
void trace_children(cop_dest supervisor);

/* Whether a process runs under that name. */
bool is_up(const char *name);

#endif
