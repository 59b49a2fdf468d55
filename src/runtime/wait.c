/* wait.c - see wait.h. */
#include "wait.h"

#include <signal.h>

#include "mailbox.h"
#include "node.h"

/* As copi_mailbox_take, with the flag in the place of the messages: what has arrived is taken in
 * before each attempt to sleep. */
void copi_wait(struct process *self, const _Atomic bool *flag, int64_t deadline)
{
    if (self->flags & PROCESS_DYING)
        copi_exit(COP_NORMAL);
    for (;;) {
        copi_mailbox_drain(self);
        if (atomic_load(flag) || (deadline != COPI_NEVER && copi_now() >= deadline))
            break;
        if (deadline != COPI_NEVER && copi_timer_wanted(&self->timer) != deadline &&
            !copi_timer_arm(&self->timer, TIMER_WAIT, deadline))
            cop_raise("enomem: no memory for a timer");
        copi_switch(EVENT_WAIT);
    }
    copi_timer_disarm(&self->timer);
}

void copi_wait_turn(void)
{
    if (--copi_scheduler->budget <= 0)
        cop_yield();
}

/* A new thread has its maker's mask. */
bool copi_helper_start(pthread_t *ret_thread, void *(*function)(void *), void *argument)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
    sigset_t masked, before;
    sigfillset(&masked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&masked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &masked, &before);
    bool started = copi_thread_create(ret_thread, function, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}
