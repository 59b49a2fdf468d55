/* wait.c - see wait.h. */
#include "wait.h"

#include <signal.h>

#include "mailbox.h"
#include "node.h"

/* ---- the record ------------------------------------------------------------------------ */

struct wait_record *copi_wait_record_new(struct process *self)
{
    uint8_t class;
    copi_enter(copi_scheduler);
    struct wait_record *wait = copi_slab_take(copi_slab(), sizeof *wait, &class);
    if (wait != NULL) {
        copi_timer_init(&wait->timer);
        wait->process = self;
        wait->serve_deadline = COPI_NEVER;
        wait->request = 0;
        wait->block_class = class;
        self->wait = wait;
    }
    copi_leave(copi_scheduler);
    return wait;
}

void copi_wait_record_free(struct process *process)
{
    struct wait_record *wait = process->wait;
    if (wait == NULL)
        return;
    copi_timer_take_out(&wait->timer);
    copi_request_abandoned(process);
    process->flags &= (uint16_t)~PROCESS_MARK;
    process->wait = NULL;
    copi_slab_give(copi_slab(), wait, wait->block_class);
}

void copi_wait_no_memory(void)
{
    cop_raise("enomem: no memory for a timer");
}

/* ---- for something that is no signal --------------------------------------------------- */

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
        if (deadline != COPI_NEVER)
            copi_wait_arm(self, deadline);
        copi_switch(EVENT_WAIT);
    }
    copi_wait_disarm(self);
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
