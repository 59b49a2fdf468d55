/* program.c - program.h for Linux. */
#define _GNU_SOURCE
#include "program.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef void exit_function(int status);

/* The next one behind the library's own: the C library's, or a sanitizer's. */
static exit_function *next(const char *name)
{
    return (exit_function *)(uintptr_t)dlsym(RTLD_NEXT, name);
}

/* Looked up before there is anything to exit from: dlsym is not async-signal-safe. */
static exit_function *at_once;

__attribute__((constructor)) static void find_at_once(void)
{
    at_once = next("_exit");
}

void copi_program_exit(enum way_out way, int status)
{
    exit_function *function = way == WAY_AT_ONCE ? at_once
                              : next(way == WAY_EXIT ? "exit" : "quick_exit");
    if (function != NULL)
        function(status);
    for (;;)
        syscall(SYS_exit_group, status);
}

void copi_thread_exit(void *result)
{
    typedef void function(void *result);
    ((function *)(uintptr_t)dlsym(RTLD_NEXT, "pthread_exit"))(result);
    abort();                             /* it does not return */
}

pid_t copi_program_pid(void)
{
    return (pid_t)syscall(SYS_getpid);
}

sigset_t copi_program_mask(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return mask;
}

bool copi_program_mask_is(const sigset_t *mask)
{
    sigset_t now = copi_program_mask();
    for (int signal = 1; signal <= SIGRTMAX; signal++)
        if (sigismember(&now, signal) != sigismember(mask, signal))
            return false;
    return true;
}

/* ---- SIGPIPE --------------------------------------------------------------------------- */

static struct sigaction old_pipe;

static void nothing(int signal)
{
    (void)signal;
}

void copi_sigpipe_take(void)
{
    struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART | SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, NULL, &old_pipe);
    if ((old_pipe.sa_flags & SA_SIGINFO) == 0 && old_pipe.sa_handler == SIG_DFL)
        sigaction(SIGPIPE, &action, NULL);
}

/* What the program has set meanwhile stays. */
void copi_sigpipe_give_back(void)
{
    struct sigaction now;
    sigaction(SIGPIPE, NULL, &now);
    if ((now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == nothing)
        sigaction(SIGPIPE, &old_pipe, NULL);
}
