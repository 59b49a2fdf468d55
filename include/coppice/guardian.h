/* guardian.h - the last resort: a process of the operating system that starts the node again.
 *
 * Concept.  A fault that cannot be contained honestly (in the runtime's own work, in a thread of
 * the program's own, in a damaged heap; a kill by the system when memory is out) ends the node.
 * Under a guardian it does not end the program: the guardian, a second operating-system process
 * that does nothing but wait, forks a new node, as often as its budget allows.  The node can read
 * how the one before it ended.  OTP: heart.
 *
 *     int main(void)
 *     {
 *         return cop_main(first_process, NULL, NULL, NULL);       // instead of cop_run
 *     }
 *
 * Who is who.  The guardian is the process that was started, with its pid; the node is its
 * child.  Whoever started the program sees one program: the signals it sends reach the node,
 * the node's end is the program's, by the same status or the same signal (without a second core
 * file).  A guardian that is killed takes the node along, at once (SIGKILL).
 *
 *     the node ends                                 the program
 *     with a fatal report, or by SIGSEGV, SIGBUS,   restarts, if the budget allows; else
 *       SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS,   ends likewise
 *       SIGKILL, none of them sent to the guardian
 *     with status 0                                 ends likewise
 *     with another status, by another signal        ends likewise; with .every_failure: restarts
 *     in any way, after the program was asked to    ends likewise
 *       end: SIGTERM, SIGINT, SIGQUIT, or its
 *       terminal hung up, and it does not ignore that
 *
 * Signals.  All that can be caught are handed on, with the value of sigqueue, except SIGCHLD and
 * those of job control.  Those that a terminal sends to its whole foreground group anyway (Ctrl-C,
 * Ctrl-\, its size, its end) are not handed on a second time; Ctrl-Z and fg stop and continue both
 * processes, SIGSTOP and SIGCONT to one of them that one.  What somebody sends to the process group
 * or the control group arrives twice: a service manager is to signal the guardian alone (systemd:
 * KillMode=mixed).  When no node runs, because a restart waits, what asks the program to end ends
 * it, and the rest is dropped.
 *
 * What the node begins with.  All that main had done before the call, each time: its memory, signal
 * mask and handlers, its descriptors, which the guardian holds open (a listening socket made
 * before the call keeps its queue while the node restarts; what is opened after it dies with the
 * node).  So call it early, before there is a thread, and after a change of user ids, which makes
 * the kernel forget that the node is to die with its guardian (prctl(2), PR_SET_PDEATHSIG).
 * Addresses are the same in each node. */
#ifndef COPPICE_GUARDIAN_H
#define COPPICE_GUARDIAN_H

#include <coppice/child.h>
#include <coppice/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COP_GUARDIAN_RESTARTS_MAX 1000

typedef struct cop_guardian {
    cop_intensity budget;    /* how many restarts are too many, counted when the node ends; at most
                              * COP_GUARDIAN_RESTARTS_MAX or COP_UNLIMITED_RESTARTS; the zero value
                              * is 3 in 60 seconds; always measured exactly */
    cop_backoff backoff;     /* how long a restart waits; the zero value: not */
    bool every_failure;      /* restart also when the program says itself that it failed */
    bool silent;             /* no line on stderr for each restart */
} cop_guardian;

/* [outside of any process] Puts the program under a guardian; guardian NULL: all zero.  Returns 0
 * in the node, once for each that is started, and never in the guardian, which ends by itself
 * without returning to main or running atexit functions.  Flushes stdio's output before.  Returns
 *   COP_EINVAL: a field of guardian is out of its range, or
 *   COP_ELIMIT: there is a guardian already, a runtime runs, or there are other threads (or /proc
 *   is not there to tell), or
 *   COP_ENOMEM: the system gives no memory or no process;
 * the program has no guardian then, and is as it was. */
int cop_guard(const cop_guardian *guardian);

/* [outside of any process] cop_guard, and then cop_run in the node: returns, in the node, what the
 * one or the other does. */
int cop_main(cop_function *main_function, void *argument, const cop_run_options *options,
             const cop_guardian *guardian);

/* How the node before this one ended. */
typedef struct cop_node_end {
    int pid;
    int signal;              /* that ended it, or 0 */
    int status;              /* else its exit status */
    uint32_t restarts;       /* so many restarts in all, this one included */
    int64_t ended_ms;        /* when: milliseconds since 1970, UTC */
    int64_t ran_ms;          /* for how long */
    const char *report;      /* its last words, as they are on stderr too: lines without a final
                              * newline; "" if it said nothing */
} cop_node_end;

/* [any thread] NULL in the first node, and without a guardian.  Static. */
const cop_node_end *cop_previous_end(void);

#ifdef __cplusplus
}
#endif
#endif
