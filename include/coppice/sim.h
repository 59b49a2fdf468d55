/* sim.h - simulation: a run that can be repeated, with faults, and shrunk when it fails.
 *
 * Concept.  cop_sim_run runs a program as cop_run does when deterministic: one thread, a virtual
 * clock that jumps to the next timer, so that an hour takes milliseconds.  But at many moments
 * it may do otherwise than usual: let another process go first, interrupt one in the midst of a
 * function, kill one, fail an allocation.  Each of these is a decision, drawn from the seed, and
 * the list of them is the run's plan.  The same seed and program make the same run; so does the
 * same plan.  cop_sim_shrink leaves out of the plan of a run that fails whatever it fails without.
 *
 *     static void story(void *argument)
 *     {
 *         cop_sim_check("one leader at most", one_leader, NULL);
 *         cop_started tree = cop_supervisor_start_link(&app);
 *         cop_sleep(3600 * 1000);
 *     }
 *
 *     cop_sim_report report, shortest;
 *     for (uint64_t seed = 1; seed <= 10000; seed++) {
 *         if (cop_sim_run(seed, story, NULL, &options, &report) != COP_OK) {
 *             cop_sim_shrink(&report, story, NULL, &options, &shortest);
 *             print what cop_sim_format says; break;
 *         }
 *         cop_sim_report_free(&report);
 *     }
 *
 * Why.  Between any two calls of the library another thread may do anything in a real run; a
 * test on real threads meets the rare orders once in a blue moon and cannot say which it was.
 *
 * What is drawn from the seed: which of the runnable processes is next, and so the order in which
 * signals of different senders arrive (those of one sender to one receiver keep theirs); where a
 * process is interrupted; which faults strike where; cop_random, for each process its own, so that
 * a decision that is left out changes little else.  A process's own code between two calls of the
 * library is one piece.
 *
 * What the library checks by itself, at each step: no wake-up is lost (who has something to look
 * at is in a queue); a name leads to a living process, also as seen by who is told of an
 * end; a timer belongs to a living process; the program does not come to a standstill; and at the
 * end that no process, name, timer (the node's own assertions), stack or block of memory is left.
 *
 * Life cycle.  cop_sim_run -> steps -> the first process ends, or a check fails and all are
 * killed -> report.  Struck by faults are all processes but the first one and those that have
 * called cop_sim_spare.
 *
 * Not simulated: what other threads, descriptors and blocking functions do; those are as real as
 * ever, and a program that depends on them does not repeat. */
#ifndef COPPICE_SIM_H
#define COPPICE_SIM_H

#include <coppice/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- decisions ------------------------------------------------------------------------- */

enum cop_sim_kind {
    COP_SIM_ORDER,        /* the runnable process `value` places behind the first one is next */
    COP_SIM_INTERRUPT,    /* in a function of the library: the others have a turn here */
    COP_SIM_CRASH,        /* there: the process ends with error "simulated crash" */
    COP_SIM_KILL,         /* between two turns: the process is killed, as by cop_exit_process */
    COP_SIM_SLOW,         /* between two turns: the last one took `value` nanoseconds */
    COP_SIM_LATE,         /* the next timers fire `value` nanoseconds late */
    COP_SIM_NO_MEMORY,    /* cop_alloc: there is none, the process ends with enomem */
    COP_SIM_NO_PROCESS,   /* cop_spawn: COP_NO_PID */
    COP_SIM_NO_HEAP,      /* the library's own memory, a stack too: each function does what its
                           * header says of that; not where the node itself would end */
    COP_SIM_NO_DESCRIPTOR,    /* the library's own: likewise */
    COP_SIM_NO_THREAD,    /* for cop_blocking: likewise */
    COP_SIM_HANG,         /* the process that would be next stays away for `value` nanoseconds, as
                           * if what it has called does not return; a kill brings it back, to end */
    COP_SIM_JUMP,         /* between two turns: the clock is `value` nanoseconds further on */
    COP_SIM_BURST,        /* between two turns: a process gets many messages that it does not
                           * expect, of the type cop_sim_burst */
    COP_SIM_CLEANUP,      /* at the end of a process: a deferred action of the program's own crashes
                           * before it has done anything */
    COP_SIM_KINDS
};

/* The moments at which that may be decided are counted from the run's start on, for each kind by
 * itself: so a decision still has its moment when one of another kind before it is left out. */
typedef struct cop_sim_decision {
    uint64_t moment;      /* the first is 1 */
    enum cop_sim_kind kind;
    int64_t value;
    cop_pid process;      /* whom it concerned, for people */
} cop_sim_decision;

/* ---- a run ----------------------------------------------------------------------------- */

enum { COP_SIM_PLAN_MAX = 1 << 18 };      /* decisions of a run; after that there are no more */

typedef struct cop_sim_options {
    uint32_t chance[COP_SIM_KINDS];       /* in a million, at each moment that suits; 0: never */
    int64_t slow_ms, late_ms;             /* SLOW, LATE: at most so long; 0: 1,000 */
    int64_t hang_ms, jump_ms;             /* HANG, JUMP: likewise; 0: an hour, a day */
    unsigned burst;                       /* BURST: at most so many messages; 0: 100 */
    uint64_t max_steps;                   /* more turns than that are a failure; 0: 1,000,000 */
    const cop_sim_decision *plan;         /* these decisions, in their order, and no others; */
    size_t plan_count;                    /*   NULL: they are drawn from the seed */
    bool isolated;                        /* in a child of fork(2): the node's own end, by a failed
                                           * assertion or an endless loop, is a failure too */
    int isolated_seconds;                 /* real ones, after which it is killed; 0: 60 */
    cop_log_sink *log;                    /* as in cop_run_options; in the child when isolated */
    void *log_context;
    size_t max_processes;
} cop_sim_options;

/* Any order, and nothing worse. */
#define COP_SIM_ANY_ORDER [COP_SIM_ORDER] = 500000, [COP_SIM_INTERRUPT] = 20000

typedef struct cop_sim_report {
    uint64_t seed;
    int status;                           /* what cop_run returned; 0 if isolated and it died */
    uint64_t steps;                       /* turns of processes */
    int64_t virtual_ns;                   /* the clock at the end */
    uint64_t trace;                       /* a hash of who ran when, and of all decisions */
    char failure[64];                     /* the check that failed first, or "" */
    char detail[192];                     /* more of it, or "" */
    uint64_t failed_step;
    int64_t failed_ns;
    cop_sim_decision *plan;               /* what was decided; malloc's */
    size_t plan_count;
} cop_sim_report;

/* [outside of any process] Runs function(argument) as the first process of a simulation; options
 * NULL: the plain order and no faults.  Returns COP_OK when nothing failed; COP_EFAILED when
 * something did, the report says what: a check, an abnormal end of the first process ("ended"), a
 * standstill, too many steps; else COP_ENOMEM, COP_EINVAL, COP_ELIMIT as cop_run, without a report.
 * The report is the caller's to free. */
int cop_sim_run(uint64_t seed, cop_function *function, void *argument,
                const cop_sim_options *options, cop_sim_report *ret_report);

/* [outside of any process] Looks for a part of the failed run's plan that still fails the same
 * check, from which no decision can be left out (delta debugging: Zeller and Hildebrandt, 2002).
 * Every try is isolated.  The options' plan is not looked at.  COP_EINVAL: the report is of no
 * failure, or running its plan again does not fail so; COP_ENOMEM. */
int cop_sim_shrink(const cop_sim_report *failed, cop_function *function, void *argument,
                   const cop_sim_options *options, cop_sim_report *ret_shortest);

void cop_sim_report_free(cop_sim_report *report);

/* The report as text: the seed, what failed when, the plan, a decision a line; like snprintf. */
int cop_sim_format(const cop_sim_report *report, char *buffer, size_t size);

/* What a BURST sends. */
typedef struct cop_sim_burst { char cop_empty; } cop_sim_burst;
extern const cop_message_type cop_type_cop_sim_burst;

/* ---- in a run -------------------------------------------------------------------------- */

/* [any thread] Whether a simulation runs. */
bool cop_simulated(void);

/* An invariant: returns whether it holds; if not it may say more in `detail` (size bytes).  Called
 * outside of any process, between two turns: what is [any thread] may be used, and the program's
 * own variables. */
typedef bool cop_sim_holds(void *context, char *detail, size_t size);

enum { COP_SIM_CHECKS_MAX = 32, COP_SIM_NAME_MAX = 63 };

/* [process] From now on the invariant is checked after each turn; name must outlive the run.  Does
 * nothing outside of a simulation.  COP_ELIMIT: there are COP_SIM_CHECKS_MAX. */
int cop_sim_check(const char *name, cop_sim_holds *holds, void *context);

/* [process] The same, but only when nothing can go on before the next timer: for what need not
 * hold at once. */
int cop_sim_check_settled(const char *name, cop_sim_holds *holds, void *context);

/* [process] The simulation fails now, for a reason that a process has found out; printf-like.  The
 * first failure stays. */
__attribute__((format(printf, 2, 3))) void cop_sim_fail(const char *name, const char *format, ...);

/* [process] Faults pass the caller by from now on, orders and interruptions do not: for the
 * processes that watch the others. */
void cop_sim_spare(void);

#ifdef __cplusplus
}
#endif
#endif
