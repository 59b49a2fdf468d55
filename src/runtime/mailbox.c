/* mailbox.c - see mailbox.h. */
#include "mailbox.h"

#include "../base/assert.h"
#include "limit.h"
#include "message.h"
#include "node.h"
#include "scheduler.h"
#include "wait.h"

/* ---- receiving ------------------------------------------------------------------------- */

/* Takes the signal at *cursor out of the mailbox. */
static struct signal *detach(struct process *process, struct signal **cursor)
{
    struct signal *signal = *cursor;
    *cursor = signal->next;
    if (process->mailbox_end == &signal->next)
        process->mailbox_end = cursor;
    if ((process->flags & PROCESS_MARK) != 0 && process->wait->mark == &signal->next)
        process->wait->mark = cursor;
    process->mailbox_length--;
    signal->next = NULL;
    signal->flags &= (uint16_t)~SIGNAL_GONE;
    copi_limit_left(process, signal);
    return signal;
}

/* The table of exit signals (OTP's; docs/internals/processes.md): a message, nothing, or
 * death with the reason returned, which the caller then owns. */
static const cop_reason *exit_received(struct process *process, struct signal *signal)
{
    bool linked = signal->kind == SIGNAL_EXIT_LINKED;
    const cop_reason *reason = signal->reason;
    const cop_reason *death = NULL;
    if (linked && !copi_link_take(process, signal->from)) {
        copi_signal_free(signal);
        return NULL;
    }
    if (!linked && cop_reason_is(reason, "kill")) {
        death = COP_KILLED;
    } else if (process->flags & PROCESS_TRAPS) {
        copi_signal_to_exit_message(signal);
        copi_mailbox_append(process, signal);
        return NULL;
    } else if (!cop_reason_is(reason, "normal") ||
               (!linked && cop_pid_equal(signal->from, copi_pid(process)))) {
        death = cop_reason_ref(reason);
    }
    copi_signal_free(signal);
    return death;
}

/* A message that is not for the mailbox is the process's until drain frees it, outside of the
 * runtime's own work: its drop function is the program's. */
static void refuse(struct process *process, struct signal *signal)
{
    if (signal->flags & SIGNAL_MONITORS)
        copi_request_dead(signal);
    copi_limit_uncount(process, signal);
    copi_message_own(process, signal);
    signal->flags |= SIGNAL_REFUSED;
}

static void free_refused(struct process *process)
{
    while (process->owned != NULL && (process->owned->flags & SIGNAL_REFUSED) != 0)
        copi_signal_free(process->owned);
}

static void message_received(struct process *process, struct signal *signal)
{
    if (signal->flags & SIGNAL_FROM_TIMER) {
        struct relation *timer =
            copi_relation_find(process, RELATION_TIMER, signal->message.ref);
        if (timer != NULL)
            copi_relation_remove(process, timer);
    }
    copi_mailbox_before_append(process, signal);
    bool refused = signal->alias != 0 && !copi_alias_accepts(process, signal);
    /* It may be passed on. */
    signal->flags &= (uint16_t)~(SIGNAL_FROM_TIMER | SIGNAL_EXEMPT | SIGNAL_ENDS_MONITOR);
    if (refused)
        refuse(process, signal);
    else
        copi_mailbox_append(process, signal);
}

/* What was waited for, a timer or room, is there. */
static void done_received(struct process *process, enum relation_kind kind, struct signal *signal)
{
    struct relation *relation = copi_relation_find(process, kind, signal->serial);
    if (relation != NULL)
        copi_relation_remove(process, relation);
    copi_signal_free(signal);
}

/* Handles one signal; returns a reason to die, owned, or NULL. */
static const cop_reason *receive(struct process *process, struct signal *signal)
{
    if (signal->target != copi_pid(process).bits) {   /* meant for the slot's former process */
        if (signal->kind == SIGNAL_MESSAGE)
            refuse(process, signal);
        else
            copi_signal_dead(signal);
        return NULL;
    }
    switch ((enum signal_kind)signal->kind) {
    case SIGNAL_MESSAGE: message_received(process, signal); break;
    case SIGNAL_EXIT:
    case SIGNAL_EXIT_LINKED: return exit_received(process, signal);
    case SIGNAL_LINK: copi_link_received(process, signal); break;
    case SIGNAL_UNLINK: copi_unlink_received(process, signal); break;
    case SIGNAL_UNLINK_ACK: copi_unlink_ack_received(process, signal); break;
    case SIGNAL_MONITOR: copi_monitor_received(process, signal); break;
    case SIGNAL_DEMONITOR: copi_demonitor_received(process, signal); break;
    case SIGNAL_DOWN:
        if (copi_down_received(process, signal))
            copi_mailbox_append(process, signal);
        else
            copi_signal_free(signal);
        break;
    case SIGNAL_TIMER_DONE: done_received(process, RELATION_TIMER, signal); break;
    case SIGNAL_ROOM_WANTED: copi_limit_room_wanted(process, signal); break;
    case SIGNAL_ROOM: done_received(process, RELATION_ROOM, signal); break;
    }
    return NULL;
}

/* Puts a chain, newest first, before a list, oldest first. */
static struct signal *turn_around(struct signal *newest, struct signal *oldest)
{
    while (newest != NULL) {
        struct signal *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* As below, at a mailbox whose senders may take from incoming too. */
static struct signal *take_incoming_limited(struct process *process, struct limits *limits,
                                            struct signal *leave)
{
    copi_limit_lock(limits);
    struct signal *newest = atomic_exchange(&process->incoming, leave);
    struct signal *older = atomic_load_explicit(&limits->older, memory_order_relaxed);
    atomic_store_explicit(&limits->older, NULL, memory_order_relaxed);
    copi_limit_unlock(limits);
    COP_ASSERT(newest != COPI_CLOSED);
    return turn_around(older, turn_around(copi_signals(newest), NULL));
}

/* All that has arrived, oldest first.  seq_cst, not just to acquire: see wait.h. */
__attribute__((always_inline)) static inline struct signal *
take_incoming(struct process *process, struct signal *leave)
{
    struct limits *limits = copi_limits(process);
    if (__builtin_expect(limits != NULL, 0))
        return take_incoming_limited(process, limits, leave);
    struct signal *newest = atomic_exchange(&process->incoming, leave);
    COP_ASSERT(newest != COPI_CLOSED);
    newest = copi_signals(newest);
    return newest == NULL || newest->next == NULL ? newest : turn_around(newest, NULL);
}

/* Drops the oldest of those that may be dropped, while there are too many.  A request stays: its
 * caller waits. */
static void trim(struct process *process)
{
    struct limits *limits = copi_limits(process);
    if (__builtin_expect(limits == NULL, 1))
        return;
    uint32_t excess = copi_limit_excess(limits);
    struct signal **at = &process->mailbox;
    while (excess > 0 && *at != NULL) {
        struct signal *signal = *at;
        bool counted = (signal->flags & SIGNAL_COUNTED) != 0;
        if (!counted || signal->message.kind == COP_CALL_REQUEST) {
            at = &signal->next;
            continue;
        }
        signal = detach(process, at);
        if (signal->flags & SIGNAL_MONITORS)
            copi_request_recorded(process, signal);
        refuse(process, signal);
        copi_limit_dropped(limits);
        excess--;
    }
}

/* Signals of all kinds, in order, until one is deadly. */
static const cop_reason *receive_all(struct process *process, struct signal *list)
{
    const cop_reason *death = NULL;
    while (list != NULL && death == NULL) {
        struct signal *signal = list;
        list = signal->next;
        death = receive(process, signal);
    }
    process->pending = list;
    if (death == NULL)
        trim(process);
    return death;
}

__attribute__((noinline)) static void drain_list(struct process *process, struct signal *list)
{
    const cop_reason *death = receive_all(process, list);
    copi_leave(copi_scheduler);
    if (death != NULL)
        copi_exit_by_signal(death);
    COP_ASSERT(process->pending == NULL);
    free_refused(process);
}

void copi_mailbox_drain_now(struct process *process)
{
    if (process->flags & PROCESS_DYING)
        return;
    copi_enter(copi_scheduler);
    drain_list(process, take_incoming(process, NULL));
}

/* A request's ref is its caller's, whose serials count like this process's own. */
static bool has_ref(const struct process *process, const cop_message *message, cop_ref ref)
{
    return message->ref == ref.serial && message->kind != COP_CALL_REQUEST &&
           message->kind != COP_SYSTEM && cop_pid_equal(ref.owner, copi_pid(process));
}

/* A receive is in the midst of its search while the program's function looks at a message. */
static bool accepts(struct process *process, const cop_message *message, const cop_match *match)
{
    process->flags |= PROCESS_MUST_NOT_WAIT;
    bool accepted = match->accept(message, match->context);
    process->flags &= (uint16_t)~PROCESS_MUST_NOT_WAIT;
    return accepted;
}

static inline bool matches(struct process *process, const struct signal *signal,
                           const cop_match *match)
{
    const cop_message *message = &signal->message;
    if (match == NULL)
        return true;
    if (match->type != NULL && message->type != match->type)
        return false;
    if (match->ref.serial != 0 && !has_ref(process, message, match->ref))
        return false;
    if (!cop_pid_is_none(match->from) && !cop_pid_equal(message->from, match->from))
        return false;
    return match->accept == NULL || accepts(process, message, match);
}

/* What most receives find: one message has arrived, which matches; nothing is in the mailbox, as
 * the caller knows.  Then *ret_held holds it (and the list of owned ones, if `own`), and it was
 * never in the mailbox.  Else what has arrived may be in the mailbox now. */
__attribute__((always_inline)) static inline bool
take_only(struct process *process, const cop_match *match, struct signal **ret_held, bool own)
{
    struct signal *newest = atomic_load_explicit(&process->incoming, memory_order_relaxed);
    if (copi_signals(newest) == NULL || copi_limits(process) != NULL)
        return false;
    struct scheduler *scheduler = copi_scheduler;
    copi_enter(scheduler);
    newest = take_incoming(process, NULL);
    bool usual = newest->next == NULL && newest->kind == SIGNAL_MESSAGE &&
                 (newest->flags & ~(SIGNAL_GONE | SIGNAL_MONITORS | SIGNAL_ENDS_MONITOR)) == 0 &&
                 newest->target == copi_pid(process).bits &&
                 (match == NULL || (match->accept == NULL && matches(process, newest, match)));
    if (!usual || (newest->alias != 0 && !copi_alias_accepts(process, newest))) {
        drain_list(process, newest);
        return false;
    }
    newest->flags &= SIGNAL_MONITORS;
    *ret_held = newest;
    if (own)
        copi_message_own(process, newest);
    copi_leave(scheduler);
    return true;
}

/* What others find: the first one in the mailbox matches, and nothing else has arrived. */
__attribute__((always_inline)) static inline bool
take_first(struct process *process, const cop_match *match, struct signal **ret_held, bool own)
{
    struct signal *first = process->mailbox;
    if (copi_mailbox_has_incoming(process) ||
        (match != NULL && (match->accept != NULL || !matches(process, first, match))))
        return false;
    struct scheduler *scheduler = copi_scheduler;
    copi_enter(scheduler);
    *ret_held = detach(process, &process->mailbox);
    if (own)
        copi_message_own(process, first);
    copi_leave(scheduler);
    return true;
}

/* One of the two. */
__attribute__((always_inline)) static inline bool
take_at_once(struct process *process, const cop_match *match, struct signal **ret_held, bool own)
{
    return process->mailbox != NULL ? take_first(process, match, ret_held, own)
                                    : take_only(process, match, ret_held, own);
}

bool copi_mailbox_serve(struct process *process)
{
    if (take_at_once(process, NULL, &process->current, false))
        return true;
    copi_mailbox_drain(process);
    if (process->mailbox == NULL)
        return false;
    copi_enter(copi_scheduler);
    process->current = detach(process, &process->mailbox);
    copi_leave(copi_scheduler);
    return true;
}

/* Where a receive starts to look: behind what was there before its reference was made, or where
 * the last search for its type ended.  Messages are only ever added at the end, so that what was
 * passed over once need not be looked at again.  Without memory for that it is. */
static struct signal **start(struct process *process, const cop_match *match)
{
    if (match == NULL || (process->flags & PROCESS_MARK) == 0)
        return &process->mailbox;
    bool of_type = (process->flags & PROCESS_MARK_TYPE) != 0;
    uint64_t key = of_type ? (uintptr_t)match->type : match->ref.serial;
    const struct wait_record *wait = process->wait;
    return key != 0 && key == wait->mark_key ? wait->mark : &process->mailbox;
}

/* None of those before the cursor is of the type that was looked for, if nothing else was. */
static void note_search(struct process *process, const cop_match *match, struct signal **cursor)
{
    if (match == NULL || match->type == NULL || match->ref.serial != 0 || match->accept != NULL ||
        !cop_pid_is_none(match->from) || cursor == &process->mailbox)
        return;
    struct wait_record *wait = copi_wait_record(process);
    if (wait == NULL)
        return;
    wait->mark = cursor;
    wait->mark_key = (uintptr_t)match->type;
    process->flags |= PROCESS_MARK | PROCESS_MARK_TYPE;
}

static uint64_t dropped(struct process *process)
{
    struct limits *limits = copi_limits(process);
    return limits == NULL ? 0 : atomic_load_explicit(&limits->dropped, memory_order_relaxed);
}

/* Waits for a signal or the deadline. */
static void wait_until(struct process *process, int64_t deadline)
{
    if (deadline != COPI_NEVER)
        copi_wait_arm(process, deadline);
    copi_switch(EVENT_WAIT);
}

/* The one that matches, or what its end points to. */
static inline struct signal **search(struct process *process, const cop_match *match,
                                     struct signal **cursor)
{
    while (*cursor != NULL && !matches(process, *cursor, match)) cursor = &(*cursor)->next;
    return cursor;
}

/* Takes in what has arrived; returns where to go on looking, for what the cursor pointed into may
 * be among those that were dropped. */
static struct signal **look_on(struct process *process, const cop_match *match,
                               struct signal **cursor)
{
    uint64_t before = dropped(process);
    copi_mailbox_drain(process);
    return dropped(process) == before ? cursor : start(process, match);
}

/* Looks until there is one or the deadline has passed.  The held message is in the list of owned
 * ones if `own`, else in *ret_held alone. */
__attribute__((noinline)) static bool receive_until(struct process *process,
                                                    const cop_match *match, int64_t deadline,
                                                    struct signal **ret_held, bool own)
{
    copi_mailbox_drain(process);
    struct signal **cursor = search(process, match, start(process, match));
    bool over = deadline == COPI_AT_ONCE;
    while (*cursor == NULL && !over) {
        wait_until(process, deadline);
        if (process->mailbox == NULL && take_only(process, match, ret_held, own)) {
            copi_wait_disarm(process);
            return true;
        }
        cursor = search(process, match, look_on(process, match, cursor));
        over = *cursor == NULL && deadline != COPI_NEVER && copi_now() >= deadline;
    }
    copi_wait_disarm(process);
    note_search(process, match, cursor);
    if (*cursor == NULL)
        return false;
    copi_enter(copi_scheduler);
    *ret_held = detach(process, cursor);
    if (own)
        copi_message_own(process, *ret_held);
    copi_leave(copi_scheduler);
    return true;
}

/* Before a receive: what must not wait ends here, and after much mail others have their turn. */
static inline void before_receive(struct process *process)
{
    if (__builtin_expect((process->flags & PROCESS_DYING) != 0, 0))
        copi_exit(COP_NORMAL);
    if (__builtin_expect(--copi_scheduler->budget <= 0, 0))
        copi_switch(EVENT_YIELD);
}

/* The whole of a receive, the usual case first: nothing to look through, no deadline. */
__attribute__((always_inline)) static inline bool
receive_into(struct process *process, const cop_match *match, int64_t deadline,
                                struct signal **ret_held, bool own)
{
    before_receive(process);
    while (!take_at_once(process, match, ret_held, own)) {
        if (deadline != COPI_NEVER || process->mailbox != NULL ||
            copi_mailbox_has_incoming(process))
            return receive_until(process, match, deadline, ret_held, own);
        copi_switch(EVENT_WAIT);
    }
    return true;
}

struct signal *copi_mailbox_take(struct process *process, const cop_match *match, int64_t deadline)
{
    struct signal *taken;
    return receive_into(process, match, deadline, &taken, true) ? taken : NULL;
}

void copi_mailbox_mark(struct process *process, uint64_t serial)
{
    copi_mailbox_drain(process);
    struct wait_record *wait = copi_wait_record(process);
    if (wait == NULL)
        return;
    wait->mark = process->mailbox_end;
    wait->mark_key = serial;
    process->flags = (uint16_t)((process->flags | PROCESS_MARK) & ~PROCESS_MARK_TYPE);
}

/* ---- the end --------------------------------------------------------------------------- */

void copi_mailbox_killed(struct process *process)
{
    copi_enter(copi_scheduler);
    const cop_reason *death = receive_all(process, take_incoming(process, NULL));
    while (death != NULL && death != COP_KILLED) {
        cop_reason_unref(death);
        death = receive_all(process, process->pending);
    }
    copi_leave(copi_scheduler);
}

void copi_mailbox_free(struct process *process)
{
    while (process->mailbox != NULL) {
        struct signal *signal = detach(process, &process->mailbox);
        copi_message_own(process, signal);      /* until it is free: a drop function may crash */
        copi_signal_free(signal);
    }
}

/* Takes the messages out of pending; the other signals stay, in their order.  A drop function is
 * the program's code: messages that have one wait in the mailbox for the cleanup. */
static void sort_out_messages(struct process *process)
{
    struct signal **at = &process->pending;
    while (*at != NULL) {
        struct signal *signal = *at;
        if (signal->kind != SIGNAL_MESSAGE) {
            at = &signal->next;
            continue;
        }
        *at = signal->next;
        if (signal->flags & SIGNAL_MONITORS)
            copi_request_recorded(process, signal);     /* it is told with the others */
        if (signal->message.type->drop != NULL) {
            copi_mailbox_append(process, signal);
        } else {
            copi_limit_uncount(process, signal);
            copi_signal_free(signal);
        }
    }
}

/* What was drained behind a deadly signal is older than what is in incoming. */
static void gather(struct process *process, struct signal *leave)
{
    struct signal **end = &process->pending;
    while (*end != NULL) end = &(*end)->next;
    *end = take_incoming(process, leave);
    sort_out_messages(process);
}

void copi_mailbox_gather_now(struct process *process)
{
    gather(process, NULL);
}

void copi_mailbox_close_now(struct process *process)
{
    gather(process, COPI_CLOSED);
}

void copi_mailbox_dead(struct process *process)
{
    struct signal *signal;
    while ((signal = process->pending) != NULL) {
        process->pending = signal->next;
        copi_signal_dead(signal);
    }
}

/* ---- the public side ------------------------------------------------------------------- */

cop_message *cop_take(const cop_match *match, int64_t timeout_ms)
{
    struct process *self = copi_self_checked("cop_take");
    struct signal *signal = copi_mailbox_take(self, match, copi_deadline(timeout_ms));
    return signal == NULL ? NULL : &signal->message;
}

const cop_message *cop_receive_match(const cop_match *match, int64_t timeout_ms)
{
    struct process *self = copi_self_checked("cop_receive");
    if (self->received != NULL)
        copi_message_free_held(self, &self->received);
    int64_t deadline = timeout_ms < 0 ? COPI_NEVER : copi_deadline(timeout_ms);
    bool found = receive_into(self, match, deadline, &self->received, false);
    return found ? &self->received->message : NULL;
}

const cop_message *cop_receive(int64_t timeout_ms)
{
    return cop_receive_match(NULL, timeout_ms);
}

size_t cop_mailbox_length(void)
{
    struct process *self = copi_self_checked("cop_mailbox_length");
    copi_mailbox_drain(self);
    return self->mailbox_length;
}
