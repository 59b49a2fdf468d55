/* send.c - the way of a signal to a process; the sender's side of mailbox.h. */
#include "mailbox.h"

#include "scheduler.h"

/* The push releases the signal's contents; its partner is the exchange in take_incoming, which
 * acquires them.  It is seq_cst, as are the state's changes, because sender and receiver
 * look crosswise: the sender writes incoming and reads state (copi_wake), the receiver writes
 * state (RUNNING, in scheduler.c) and reads incoming.  With anything weaker both could miss
 * the other's write, and a message would lie unseen in a process that nobody wakes. */
static bool push(struct process *process, struct signal *signal)
{
    bool deadly = signal->kind == SIGNAL_EXIT && cop_reason_is(signal->reason, "kill");
    struct signal *head = atomic_load_explicit(&process->incoming, memory_order_relaxed);
    do {
        if (head == COPI_CLOSED)
            return false;
        signal->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&process->incoming, &head, signal,
                                                    memory_order_seq_cst, memory_order_relaxed));
    if (deadly)
        atomic_store_explicit(&process->doomed, true, memory_order_relaxed);
    if (head == NULL)
        copi_wake(process);
    return true;
}

bool copi_signal_push(cop_pid target, struct signal *signal)
{
    struct process *process = copi_process_alive(target);
    signal->target = target.bits;
    return process != NULL && push(process, signal);
}

enum copi_sent copi_message_push(cop_pid target, struct signal *signal, struct signal **ret_swept)
{
    struct process *process = copi_process_alive(target);
    signal->target = target.bits;
    if (process == NULL)
        return SENT_TO_THE_DEAD;
    struct limits *limits = copi_limits(process);
    if (limits == NULL)
        return push(process, signal) ? SENT : SENT_TO_THE_DEAD;
    enum copi_sent sent = copi_limit_admit(process, limits, signal);
    if (sent > SENT_AND_WAIT)
        return sent;
    if (!push(process, signal)) {
        copi_limit_uncount(process, signal);
        return SENT_TO_THE_DEAD;
    }
    *ret_swept = copi_limit_pushed(process, limits);
    return sent;
}

void copi_signal_send(cop_pid target, struct signal *signal)
{
    if (!copi_signal_push(target, signal))
        copi_signal_dead(signal);
}

void copi_signal_dead(struct signal *signal)
{
    cop_pid self = { signal->target };
    switch (signal->kind) {
    case SIGNAL_LINK:
        copi_signal_send(signal->from, copi_signal_new(SIGNAL_EXIT_LINKED, self, 0, COP_NOPROC));
        break;
    case SIGNAL_UNLINK:
        copi_signal_send(signal->from,
                         copi_signal_new(SIGNAL_UNLINK_ACK, self, signal->serial, NULL));
        break;
    case SIGNAL_MONITOR:
        copi_signal_send(signal->from, copi_signal_new(SIGNAL_DOWN, self, signal->serial,
                                                       COP_NOPROC));
        break;
    case SIGNAL_ROOM_WANTED:
        copi_signal_send(signal->from, copi_signal_new(SIGNAL_ROOM, self, signal->serial, NULL));
        break;
    default:
        break;
    }
    copi_signal_free(signal);
}
