/* mailbox.h - the way of a signal into a process.
 *
 * incoming is a stack that any thread pushes on (Treiber, 1986) and that the owner takes whole,
 * so there is no ABA: nothing is ever popped singly.  The push that finds it empty wakes
 * the owner.  The owner turns what it took around, handles all kinds but messages at
 * once, and appends messages to its mailbox. */
#ifndef COPI_MAILBOX_H
#define COPI_MAILBOX_H

#include "limit.h"
#include "relation.h"

/* [any thread] Pushes a signal to whoever has that pid and wakes it; false if it is dead, and the
 * signal is still the caller's. */
bool copi_signal_push(cop_pid target, struct signal *signal);

/* [any thread] As copi_signal_push; to the dead, it is answered or freed. */
void copi_signal_send(cop_pid target, struct signal *signal);

/* Whether anything has arrived that drain would look at; seq_cst. */
static inline bool copi_mailbox_has_incoming(struct process *process)
{
    struct limits *limits = copi_limits(process);
    return atomic_load(&process->incoming) != NULL ||
           (limits != NULL && atomic_load(&limits->older) != NULL);
}

/* By the owner, before it appends it: a request further back than others would look for it. */
static inline void copi_mailbox_before_append(struct process *process, struct signal *signal)
{
    if (__builtin_expect((signal->flags & SIGNAL_MONITORS) != 0, 0) &&
        process->mailbox_length >= COPI_UNRECORDED)
        copi_request_recorded(process, signal);
}

/* By the owner. */
static inline void copi_mailbox_append(struct process *process, struct signal *signal)
{
    signal->next = NULL;
    *process->mailbox_end = signal;
    process->mailbox_end = &signal->next;
    process->mailbox_length++;
    copi_limit_appended(process, signal);
}

/* By a sender that has just woken the process and so owns it: puts a message into the mailbox as
 * the process itself would.  False if it is not that simple, and the message is still to be
 * pushed. */
static inline bool copi_mailbox_deliver(struct process *process, struct signal *signal)
{
    if ((signal->flags & ~(SIGNAL_GONE | SIGNAL_MONITORS | SIGNAL_ENDS_MONITOR)) != 0 ||
        copi_limits(process) != NULL || atomic_load(&process->incoming) != NULL ||
        (signal->alias != 0 && !copi_alias_accepts(process, signal)))
        return false;
    copi_mailbox_before_append(process, signal);
    signal->flags = (uint16_t)(SIGNAL_GONE | (signal->flags & SIGNAL_MONITORS));
    copi_mailbox_append(process, signal);
    return true;
}

/* [process] Handles everything that has arrived.  Ends the process if a signal is deadly. */
void copi_mailbox_drain_now(struct process *process);

static inline void copi_mailbox_drain(struct process *process)
{
    if (copi_mailbox_has_incoming(process))
        copi_mailbox_drain_now(process);
}

/* [process] Takes the first message out for the handler, into `current`; false: there is none. */
bool copi_mailbox_serve(struct process *process);

/* [process] [may block] The first that matches before the deadline; see cop_take. */
struct signal *copi_mailbox_take(struct process *process, const cop_match *match, int64_t deadline);

/* [process] A receive by this fresh reference may start behind what is there now. */
void copi_mailbox_mark(struct process *process, uint64_t serial);

/* Of a process that is left in the middle of its code, because a kill is pending: receives what was
 * sent before that, as it would have by itself, so that who links to it or monitors it before they
 * kill it hear `killed`.  Other deadly signals have not ended it, and are passed over. */
void copi_mailbox_killed(struct process *process);

/* At the end, in this order.  Gather takes in what has arrived and was never received: messages
 * with a drop function join the mailbox, those without are freed.  Free, on a stack of the process,
 * frees the mailbox, one message after the other.  Close gathers once more, and from then on
 * nothing can be sent to the process; what it found is freed by a second free.  Dead answers, as
 * the dead do, the other signals that were gathered. */
void copi_mailbox_gather_now(struct process *process);
void copi_mailbox_free(struct process *process);
void copi_mailbox_close_now(struct process *process);
void copi_mailbox_dead(struct process *process);

/* Gather and close return whether anything was there. */
static inline bool copi_mailbox_gather(struct process *process)
{
    bool some = process->pending != NULL || copi_mailbox_has_incoming(process);
    if (__builtin_expect(some, 0))
        copi_mailbox_gather_now(process);
    return some;
}

static inline bool copi_mailbox_close(struct process *process)
{
    struct signal *nothing = NULL;
    if (__builtin_expect(process->pending == NULL && copi_limits(process) == NULL &&
                         atomic_compare_exchange_strong(&process->incoming, &nothing,
                                                        COPI_CLOSED), 1))
        return false;
    copi_mailbox_close_now(process);
    return true;
}

/* Answers one signal as the dead do, and frees it. */
void copi_signal_dead(struct signal *signal);

#endif
