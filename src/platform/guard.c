/* guard.c - guard.h for Linux. */
#define _GNU_SOURCE
#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../base/assert.h"
#include "platform.h"

/* ---- which signals --------------------------------------------------------------------- */

/* What the guard itself answers by the default action.  The terminal's job control stops and
 * continues both processes, so that there is nothing to hand on, and a shell that waits for the
 * guard sees it stop. */
static const int own_signals[COPI_GUARD_ACTIONS] = { SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

/* All that the guard takes: what can be caught, without job control. */
static void taken_signals(sigset_t *set)
{
    sigfillset(set);
    for (int i = 0; i < COPI_GUARD_ACTIONS; i++)
        if (own_signals[i] != SIGCHLD)
            sigdelset(set, own_signals[i]);
}

static bool is_ignored(int signal)
{
    struct sigaction action;
    return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void copi_guard_enter(struct guard *guard)
{
    sigset_t set;
    *guard = (struct guard){ .pid = getpid() };
    sigemptyset(&guard->handed_on);
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, &guard->old_mask);
    for (int i = 0; i < COPI_GUARD_ACTIONS; i++) {
        int signal = own_signals[i];
        struct sigaction standard = { .sa_handler = SIG_DFL,
                                      .sa_flags = signal == SIGCHLD ? SA_NOCLDSTOP : 0 };
        sigaction(signal, NULL, &guard->old_actions[i]);
        /* An ignored SIGCHLD would throw the child's status away. */
        if (signal == SIGCHLD || !is_ignored(signal))
            sigaction(signal, &standard, NULL);
    }
    taken_signals(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

void copi_guard_leave(struct guard *guard)
{
    for (int i = 0; i < COPI_GUARD_ACTIONS; i++)
        sigaction(own_signals[i], &guard->old_actions[i], NULL);
    sigprocmask(SIG_SETMASK, &guard->old_mask, NULL);
}

/* ---- the child ------------------------------------------------------------------------- */

pid_t copi_guard_fork(struct guard *guard)
{
    pid_t child = fork();
    if (child == 0) {
        /* The guard may have ended before the kernel was told what is to follow then. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != guard->pid)
            _exit(128 + SIGKILL);
        copi_guard_leave(guard);
    } else if (child > 0) {
        guard->child = child;
        sigemptyset(&guard->handed_on);
    }
    return child;
}

/* Any child that ends is reaped: one that the program had before, and, where the guard is the first
 * process of a container, every orphan. */
static bool reap(struct guard *guard, struct guarded_end *ret_end)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != guard->child)
            continue;
        int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        *ret_end = (struct guarded_end){
            .pid = pid,
            .signal = signal,
            .status = signal == 0 ? WEXITSTATUS(status) : 0,
            .was_sent = signal != 0 && sigismember(&guard->handed_on, signal) == 1,
        };
        guard->child = 0;
        return true;
    }
    COP_ASSERT(pid == 0 || guard->child == 0);   /* the child is there until it is reaped */
    return false;
}

/* ---- handing on ------------------------------------------------------------------------ */

/* Whether the child has had the signal already: what is typed on a terminal, its new size and its
 * end go to all of the foreground's process group, and come from the kernel itself.  (A terminal
 * that hangs up tells the leader of its session alone.)  A kill of the group can't be told from one
 * of the guard. */
static bool child_has_had(const struct guard *guard, const siginfo_t *info)
{
    switch (info->si_signo) {
    case SIGHUP:
        if (getsid(0) == guard->pid)
            return false;
        break;
    case SIGINT:
    case SIGQUIT:
    case SIGWINCH:
        break;
    default:
        return false;
    }
    return info->si_code == SI_KERNEL && getpgid(guard->child) == getpgrp();
}

static bool asks_to_end(const siginfo_t *info)
{
    int signal = info->si_signo;
    bool asks = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT ||
                (signal == SIGHUP && info->si_code == SI_KERNEL);
    return asks && !is_ignored(signal);
}

static void hand_on(struct guard *guard, const siginfo_t *info)
{
    int signal = info->si_signo;
    if (info->si_code == SI_USER && info->si_pid == guard->pid)
        return;                      /* SIGPIPE, of what the guard said on stderr */
    if (asks_to_end(info))
        guard->asked = signal;
    if (guard->child == 0 || child_has_had(guard, info))
        return;
    if (info->si_code != SI_QUEUE || sigqueue(guard->child, signal, info->si_value) != 0)
        kill(guard->child, signal);
    sigaddset(&guard->handed_on, signal);
}

/* Takes one signal; false when the time is over.  timeout_ns < 0: no limit. */
static bool take(struct guard *guard, int64_t timeout_ns)
{
    struct timespec limit = { .tv_sec = timeout_ns / 1000000000,
                              .tv_nsec = timeout_ns % 1000000000 };
    sigset_t set;
    siginfo_t info;
    taken_signals(&set);
    if (sigtimedwait(&set, &info, timeout_ns < 0 ? NULL : &limit) < 0)
        return errno != EAGAIN;      /* EINTR: stopped and continued */
    if (info.si_signo != SIGCHLD)
        hand_on(guard, &info);
    return true;
}

void copi_guard_wait(struct guard *guard, struct guarded_end *ret_end)
{
    COP_ASSERT(guard->child != 0);
    while (!reap(guard, ret_end))
        take(guard, -1);
}

void copi_guard_pause(struct guard *guard, int64_t ms)
{
    struct guarded_end nobody;
    int64_t end_ns = copi_clock_ns() + ms * 1000000, rest_ns;
    do {
        reap(guard, &nobody);
        rest_ns = end_ns - copi_clock_ns();
    } while (guard->asked == 0 && take(guard, rest_ns > 0 ? rest_ns : 0));
}

/* ---- the guard's own words and end ----------------------------------------------------- */

/* A pipe that is ready for writing has room for a line: it is shorter than PIPE_BUF. */
void copi_guard_say(const char *text, size_t size)
{
    struct pollfd stderr_ready = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (poll(&stderr_ready, 1, 0) == 1 && (stderr_ready.revents & POLLOUT) != 0) {
        ssize_t written = write(STDERR_FILENO, text, size);
        (void)written;
    }
}

void copi_guard_end_by(int signal)
{
    struct sigaction standard = { .sa_handler = SIG_DFL };
    sigset_t only;
    prctl(PR_SET_DUMPABLE, 0);       /* the core that tells something is the guarded process's */
    sigemptyset(&only);
    sigaddset(&only, signal);
    sigaction(signal, &standard, NULL);
    kill(getpid(), signal);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    _exit(128 + signal);             /* the first process of a container survives signals */
}

void copi_guard_end_like(const struct guarded_end *end)
{
    if (end->signal != 0)
        copi_guard_end_by(end->signal);
    _exit(end->status);
}
