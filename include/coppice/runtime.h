/* runtime.h - running a node: scheduler threads, determinism, the end.
 *
 * Concept.  cop_run starts the runtime, runs a first process and returns when that
 * process has ended; all others are then killed and what they own is released.  One
 * runtime at a time in an operating-system process; it can be run again afterwards.
 *
 * Crash containment owns SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP and SIGABRT while it runs:
 * in a process's code they end that process; anywhere else, and in the middle of the
 * runtime's own work, they end the node with one report on stderr.  A guardian (guardian.h) starts
 * the node again then.
 *
 * exit, quick_exit, _exit and _Exit called in a process end that process alone, with the abnormal
 * reason crash:exit(status), whatever the status: a library that gives up does not take the others
 * along, and no atexit function runs.  cop_halt is what ends the node with a status, in order.
 * Outside of a process (a thread of the program's own, cop_blocking, before and after cop_run, a
 * child of fork(2), a signal handler) they end the program, as C says.  pthread_exit and thrd_exit
 * in a process, which would take its scheduler's thread away, end the process likewise.
 *
 * SIGPIPE does not end the program while it runs: a write to a closed pipe or socket returns EPIPE.
 * A handler of the program's own, or SIG_IGN, is left alone; programs started by exec find it as
 * ever.
 *
 * A process may fork(2); the child must exec or _exit, and it dies of what would be a crash here.
 * No function of the library may be called in a signal handler. */
#ifndef COPPICE_RUNTIME_H
#define COPPICE_RUNTIME_H

#include <coppice/log.h>
#include <coppice/process.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COP_VERSION "0.1.0"

typedef struct cop_run_options {
    int schedulers;           /* scheduler threads; 0: one for each CPU; at most 64 */
    size_t max_processes;     /* 0: 4,194,304 */
    bool deterministic;       /* one thread, virtual clock: same seed, same run */
    uint64_t seed;            /* of cop_random and of the shuffle; 0 is a seed like any
                               * other when deterministic, else means: from the system */
    int64_t hog_ms;           /* a process that runs so long without giving others a turn is
                               * reported once, with where it is (COP_LOG_TEXT, a warning);
                               * 0: 100; -1: never.  Not when deterministic */
    bool shuffle;             /* deterministic: run processes in an order drawn from the seed */
    int blocking_threads;     /* threads for cop_blocking at most; 0: 64; at most 4,096 */
    int64_t blocking_wait_ms; /* how long the end of the node waits for functions that still run
                               * there; 0: 5,000; COP_INFINITY: until they return */
    const char *core_directory;   /* where crashes leave core files (crash_report.h); it exists, and
                               * has at most 1,000 bytes; NULL: they leave none */
    int core_files;           /* at most so many in a run; 0: 8 */
    cop_log_sink *log;        /* where reports go; NULL: nowhere */
    void *log_context;
} cop_run_options;

/* [outside of any process] Runs main_function(argument) as the first process, with the
 * calling thread as one of the schedulers; options NULL: all defaults.  Threads of the program's
 * own may use what is marked [any thread] until the first process ends.  A process that
 * never enters the runtime again keeps cop_run from returning, and so does a first process
 * that waits for ever.  When a deterministic run comes to a standstill (all processes wait, no
 * timer runs, the program has no other thread) that is reported once, as COP_LOG_TEXT; the sink
 * may end the run with cop_halt.  Returns
 *   the status given to cop_halt, or
 *   0 when the first process ended with normal or shutdown, or
 *   COP_EDOWN when it ended abnormally (the reason is in the log), or
 *   COP_ENOMEM, COP_EINVAL, COP_ELIMIT (a runtime is running) when it could not start. */
int cop_run(cop_function *main_function, void *argument, const cop_run_options *options);

/* [any thread] Ends the node: cop_run returns status (0..255) after every process was
 * killed.  Does not wait.  OTP: erlang:halt, but in order. */
void cop_halt(int status);

/* [any thread] While on, exit and its like end the program also when a process calls them; off at
 * first.  For a test framework whose failed assertion calls exit, such as Check: turn it on before
 * the tests run, or a failure in a process would end that process alone.  Returns what it was. */
bool cop_exit_ends_program(bool on);

/* [any thread] How many scheduler threads run; 0 when no runtime does. */
int cop_schedulers(void);

/* [process] Random numbers, from the run's seed when deterministic: 64 bits; below
 * n (n > 0); in [0, 1).  OTP: rand:uniform. */
uint64_t cop_random(void);
uint64_t cop_random_below(uint64_t n);
double cop_random_unit(void);

#ifdef __cplusplus
}
#endif
#endif
