/* send.c - the way of a signal to a process; the sender's side of mailbox.h. */
#include "mailbox.h"

#include <string.h>

#include "message.h"
#include "queue.h"
#include "relation.h"

/* ---- pushing --------------------------------------------------------------------------- */

/* The push releases the signal's contents; its partner is the exchange in take_incoming, which
 * acquires them.  That it replaces COPI_WAITING, and so is the one to wake the process, acquires
 * what its owner wrote before it waited. */
__attribute__((always_inline)) static inline bool push(struct process *process,
                                                       struct signal *signal)
{
    bool deadly = __builtin_expect(signal->kind == SIGNAL_EXIT, 0) &&
                  cop_reason_is(signal->reason, "kill");
    struct scheduler *scheduler = copi_scheduler;
    struct signal *head = atomic_load_explicit(&process->incoming, memory_order_relaxed);
    do {
        if (head == COPI_CLOSED)
            return false;
        signal->next = copi_signals(head);
    } while (!atomic_compare_exchange_weak(&process->incoming, &head, signal));
    if (deadly)
        atomic_store_explicit(&process->doomed, true, memory_order_relaxed);
    if (head == COPI_WAITING || (scheduler != NULL && copi_left_claim(scheduler, process)))
        copi_enqueue_here(scheduler, process);
    return true;
}

/* The process is awake, in no queue and the caller's, who puts it into one behind this. */
static void deliver_or_push(struct process *process, struct signal *signal)
{
    if (!copi_mailbox_deliver(process, signal))
        push(process, signal);
}

/* A message to the one that was left last: it gets into mailbox and queue without an atomic
 * instruction.  False if it is another one. */
static inline bool hand_to_left(struct scheduler *scheduler, struct process *process,
                                struct signal *signal)
{
    if (scheduler == NULL ||
        atomic_load_explicit(&scheduler->left, memory_order_relaxed) != process)
        return false;
    struct run_queue *queue = &scheduler->queue;
    copi_biased_owner_lock(&queue->lock);
    if (__builtin_expect(atomic_load_explicit(&scheduler->left, memory_order_relaxed) != process,
                         0)) {
        copi_biased_owner_unlock(&queue->lock);
        return false;
    }
    atomic_store_explicit(&scheduler->left, NULL, memory_order_relaxed);
    if (signal->alias != 0 || signal->flags != SIGNAL_GONE || copi_mailbox_has_incoming(process)) {
        copi_biased_owner_unlock(&queue->lock);
        deliver_or_push(process, signal);
        copi_enqueue_here(scheduler, process);
        return true;
    }
    copi_mailbox_append(process, signal);
    uint32_t length = copi_run_queue_append(queue, process);
    copi_biased_owner_unlock(&queue->lock);
    copi_enqueued_here(scheduler, length);
    return true;
}

/* A message to one who sleeps goes into its mailbox at once, if that is simple: who has woken the
 * process does its work for it, and both are spared a look at `incoming`.  Once it is awake its pid
 * cannot change any more; a successor has been woken for nothing. */
__attribute__((always_inline)) static inline bool hand_over(struct process *process,
                                                            struct signal *signal)
{
    struct scheduler *scheduler = copi_scheduler;
    if (hand_to_left(scheduler, process, signal))
        return true;
    struct signal *head = atomic_load_explicit(&process->incoming, memory_order_relaxed);
    if (head != COPI_WAITING ||
        !atomic_compare_exchange_strong(&process->incoming, &head, NULL))
        return push(process, signal);
    bool meant = copi_pid(process).bits == signal->target;
    if (meant)
        deliver_or_push(process, signal);
    copi_enqueue_here(scheduler, process);
    return meant;
}

bool copi_signal_push(cop_pid target, struct signal *signal)
{
    struct process *process = copi_process_alive(target);
    signal->target = target.bits;
    return process != NULL && push(process, signal);
}

/* The same for a message that somebody sends, at which the limit of the receiver's mailbox is
 * looked.  In *ret_swept, if anything: messages that were dropped for it, without their count,
 * linked by next; for the sender to free. */
__attribute__((always_inline)) static inline enum copi_sent
message_push(cop_pid target, struct signal *signal, struct signal **ret_swept)
{
    struct process *process = copi_process_alive(target);
    signal->target = target.bits;
    if (process == NULL)
        return SENT_TO_THE_DEAD;
    struct limits *limits = copi_limits(process);
    if (__builtin_expect(limits == NULL, 1))
        return hand_over(process, signal) ? SENT : SENT_TO_THE_DEAD;
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

/* ---- to the dead ----------------------------------------------------------------------- */

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

/* ---- the public side ------------------------------------------------------------------- */

static struct signal *first_unsent(struct process *process)
{
    struct signal *signal = process->owned;
    while (signal != NULL && (signal->flags & SIGNAL_UNSENT) == 0) signal = signal->next;
    return signal;
}

/* Messages that are nobody's, linked by next.  A process's own until they are free: their drop
 * functions are the program's code. */
static void free_unsent(struct signal *list)
{
    struct process *self = copi_self();
    struct signal *signal;
    while ((signal = list) != NULL) {
        list = signal->next;
        if (self == NULL) {
            copi_signal_free(signal);
            continue;
        }
        copi_message_own(self, signal);
        signal->flags |= SIGNAL_UNSENT;
    }
    while (self != NULL && (signal = first_unsent(self)) != NULL) {
        signal->flags &= (uint16_t)~SIGNAL_UNSENT;
        copi_signal_free(signal);
    }
}

/* After the push: frees what is nobody's now, waits for room. */
static int sent_otherwise(enum copi_sent sent, cop_pid target, struct signal *signal,
                          struct signal *swept)
{
    if (sent > SENT_AND_WAIT) {
        signal->next = NULL;
        swept = signal;
    }
    if (swept != NULL)
        free_unsent(swept);
    if (sent == SENT_AND_WAIT)
        copi_limit_wait(target);
    return sent == SENT_FULL ? COP_EFULL : COP_OK;
}

static void mark_end_of_monitor(struct scheduler *scheduler, struct signal *signal, cop_dest to)
{
    struct process *self = copi_self();
    if (self == NULL)
        return;
    copi_enter(scheduler);
    if (copi_alias_ends_monitor(self, to.pid, signal))
        signal->flags |= SIGNAL_ENDS_MONITOR;
    copi_leave(scheduler);
}

int cop_send_message(cop_dest to, cop_message *message)
{
    if (message == NULL)
        return COP_EINVAL;
    copi_turn();
    struct signal *signal = copi_message_held(message, "cop_send_message");
    struct scheduler *scheduler = copi_scheduler;
    cop_pid target = cop_resolve(to);
    if (cop_pid_is_none(target) && (to.name != NULL || to.via != NULL)) {
        copi_signal_free(signal);
        return COP_ENOPROC;
    }
    copi_enter(scheduler);              /* before the message is nobody's */
    copi_message_disown(signal);
    signal->flags |= SIGNAL_GONE;
    signal->alias = to.alias;
    if (to.alias != 0)
        mark_end_of_monitor(scheduler, signal, to);
    else if (message->kind != COP_CALL_REQUEST && message->kind != COP_SYSTEM)
        message->ref = 0;       /* one that is passed on belongs to no reference of its receiver */
    struct signal *swept = NULL;
    enum copi_sent sent = message_push(target, signal, &swept);
    copi_leave(scheduler);
    if (sent == SENT && swept == NULL)
        return COP_OK;
    return sent_otherwise(sent, target, signal, swept);
}

/* What cop_send_message(to, cop_message_new(type, payload, 0)) does, in one go: nobody else ever
 * holds the message, so it enters no list. */
int cop_send_new(cop_dest to, const cop_message_type *type, const void *payload)
{
    copi_turn();
    struct scheduler *scheduler = copi_scheduler;
    struct process *self = copi_self();
    size_t size = type->size;
    if (__builtin_expect(self == NULL || to.name != NULL || to.via != NULL ||
                         size > COPI_SLAB_MAX, 0))
        return cop_send_message(to, cop_message_new(type, payload, 0));
    copi_probe(payload, size);
    copi_enter(scheduler);
    struct signal *signal = copi_block_take(scheduler, size);
    if (__builtin_expect(signal == NULL, 0)) {
        copi_leave(scheduler);
        return cop_send_message(to, cop_message_new(type, payload, 0));   /* fails as that does */
    }
    copi_message_init(signal, type, copi_pid(self), size);
    memcpy(cop_payload(&signal->message), payload, size);
    signal->flags = SIGNAL_GONE;
    signal->alias = to.alias;
    if (to.alias != 0)
        mark_end_of_monitor(scheduler, signal, to);
    struct signal *swept = NULL;
    enum copi_sent sent = message_push(to.pid, signal, &swept);
    copi_leave(scheduler);
    if (sent == SENT && swept == NULL)
        return COP_OK;
    return sent_otherwise(sent, to.pid, signal, swept);
}

/* The dead receiver's down message comes from here, as a signal of the caller's to itself. */
int cop_send_request(cop_pid pid, cop_message *request, cop_ref *ret_ref)
{
    struct process *self = copi_self_checked("cop_send_request");
    if (request == NULL)
        return COP_EINVAL;
    copi_turn();
    struct scheduler *scheduler = copi_scheduler;
    struct signal *signal = copi_message_held(request, "cop_send_request");
    cop_ref ref = { copi_pid(self), copi_serial(self) };
    if (cop_pid_is_none(pid) || cop_pid_equal(pid, ref.owner)) {
        copi_signal_free(signal);
        return COP_EINVAL;
    }
    copi_mailbox_mark(self, ref.serial);   /* the process may end here */
    copi_enter(copi_scheduler);
    copi_message_disown(signal);
    signal->flags |= SIGNAL_GONE | SIGNAL_MONITORS;
    signal->alias = 0;
    request->from = ref.owner;
    request->ref = ref.serial;
    copi_request_begins(self, pid, ref.serial);
    struct signal *swept = NULL;
    enum copi_sent sent = message_push(pid, signal, &swept);
    if (sent == SENT_TO_THE_DEAD)
        copi_request_dead(signal);
    else if (sent == SENT_FULL)
        copi_request_fails(self, ref.serial, signal);
    copi_leave(scheduler);
    *ret_ref = ref;
    if (sent == SENT && swept == NULL)
        return COP_OK;
    return sent_otherwise(sent, pid, signal, swept);
}
