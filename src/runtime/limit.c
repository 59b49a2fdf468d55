/* limit.c - see limit.h. */
#include "limit.h"

#include <sched.h>
#include <stdlib.h>

#include <coppice/memory.h>
#include <coppice/process.h>

#include "../base/assert.h"
#include "mailbox.h"
#include "relation.h"
#include "scheduler.h"

enum { WHEN_FULL_BITS = 8, SLACK = 16 };

static uint32_t limit_of(uint64_t bound)
{
    return (uint32_t)(bound >> WHEN_FULL_BITS);
}

static enum cop_when_full when_full(uint64_t bound)
{
    return (enum cop_when_full)(bound & ((1u << WHEN_FULL_BITS) - 1));
}

static uint64_t bound_now(const struct limits *limits)
{
    return atomic_load_explicit(&limits->bound, memory_order_relaxed);
}

void copi_limit_lock(struct limits *limits)
{
    while (!copi_limit_try_lock(limits)) sched_yield();
}

/* ---- the record ------------------------------------------------------------------------ */

static uint64_t pack(const cop_mailbox_bound *bound)
{
    uint64_t limit = bound->limit < UINT32_MAX ? bound->limit : UINT32_MAX;
    return limit == 0 ? 0 : limit << WHEN_FULL_BITS | (uint64_t)bound->when_full;
}

/* The process's record, made if there is none; NULL without memory. */
static struct limits *record(struct process *process)
{
    struct extras *extras = copi_extras_made(process);
    struct limits *limits = copi_limits(process);
    if (extras != NULL && limits == NULL && (limits = calloc(1, sizeof *limits)) != NULL) {
        limits->waiters_end = &limits->waiters;
        atomic_store_explicit(&extras->limits, limits, memory_order_release);
    }
    return limits;
}

/* `count` stays: a late sender to the slot's former process may be about to lower it. */
bool copi_limits_set(struct process *process, const cop_spawn_options *options)
{
    bool wanted = options->max_memory > 0 || options->mailbox.limit > 0;
    struct limits *limits = wanted ? record(process) : copi_limits(process);
    if (limits == NULL)
        return !wanted;
    COP_ASSERT(limits->held == 0 && limits->waiters == NULL);
    COP_ASSERT(atomic_load_explicit(&limits->older, memory_order_relaxed) == NULL);
    limits->max_memory = options->max_memory;
    atomic_store_explicit(&limits->dropped, 0, memory_order_relaxed);
    atomic_store_explicit(&limits->bound, pack(&options->mailbox), memory_order_relaxed);
    return true;
}

/* ---- letting senders go on ------------------------------------------------------------- */

static void release_first(struct limits *limits)
{
    struct signal *signal = limits->waiters;
    limits->waiters = signal->next;
    if (limits->waiters == NULL)
        limits->waiters_end = &limits->waiters;
    limits->waiting--;
    cop_pid self = { signal->target };
    copi_signal_send(signal->from, copi_signal_new(SIGNAL_ROOM, self, signal->serial, NULL));
    copi_signal_free(signal);
}

/* Each that waits has one message in the mailbox, beyond the limit; `held` less those is what is
 * within.  When nothing is held nobody waits, and whatever is held will be taken or freed: so
 * everybody's turn comes. */
static void release(struct limits *limits)
{
    uint64_t bound = bound_now(limits);
    bool blocks = bound != 0 && when_full(bound) == COP_MAILBOX_BLOCK;
    if (limits->waiting == 0)
        return;
    copi_enter(copi_scheduler);
    while (limits->waiting > 0 &&
           (!blocks || limits->held < (uint64_t)limit_of(bound) + limits->waiting))
        release_first(limits);
    copi_leave(copi_scheduler);
    COP_ASSERT(limits->waiting == 0 || limits->held > limits->waiting);
}

void copi_limit_room_wanted(struct process *process, struct signal *signal)
{
    struct limits *limits = copi_limits(process);
    signal->next = NULL;
    *limits->waiters_end = signal;
    limits->waiters_end = &signal->next;
    limits->waiting++;
    release(limits);
}

void copi_limits_end(struct process *process)
{
    struct limits *limits = copi_limits(process);
    if (limits == NULL)
        return;
    COP_ASSERT(limits->held == 0);
    while (limits->waiters != NULL) release_first(limits);
    atomic_store_explicit(&limits->bound, 0, memory_order_relaxed);
}

/* ---- counting, the owner's side -------------------------------------------------------- */

void copi_limit_take_off(struct process *process, struct signal *signal)
{
    signal->flags &= (uint16_t)~SIGNAL_COUNTED;
    uint32_t before = atomic_fetch_sub_explicit(&copi_limits(process)->count, 1,
                                                memory_order_relaxed);
    COP_ASSERT(before > 0);
}

void copi_limit_make_room(struct process *process, struct signal *signal)
{
    struct limits *limits = copi_limits(process);
    copi_limit_take_off(process, signal);
    COP_ASSERT(limits->held > 0);
    limits->held--;
    release(limits);
}

uint32_t copi_limit_excess(const struct limits *limits)
{
    uint64_t bound = bound_now(limits);
    if (bound == 0 || when_full(bound) != COP_MAILBOX_DROP_OLDEST ||
        limits->held <= limit_of(bound))
        return 0;
    return limits->held - limit_of(bound);
}

/* What a dying process does to clean up is not hindered. */
bool copi_limit_allows(struct process *process, size_t more)
{
    const struct limits *limits = copi_limits(process);
    size_t used = copi_arena_used(process->arena);
    if (limits->max_memory == 0 || (process->flags & PROCESS_DYING) != 0)
        return true;
    return used <= limits->max_memory && more <= limits->max_memory - used;
}

/* ---- sending --------------------------------------------------------------------------- */

static bool counts(const struct signal *signal)
{
    uint8_t kind = signal->message.kind;
    if (signal->flags & SIGNAL_EXEMPT)
        return false;
    return kind == COP_CALL_REQUEST ||
           (signal->alias == 0 && (kind == COP_INFO || kind == COP_CAST));
}

/* Not where a wait would be in the midst of something; and nobody waits for itself. */
static bool can_wait(const struct process *receiver)
{
    const struct process *self = copi_self();
    return self != NULL && self != receiver && copi_scheduler->critical == 1 &&
           (self->flags & (PROCESS_DYING | PROCESS_MUST_NOT_WAIT)) == 0;
}

/* A caller waits for its answer as it is, so it is never lost without a word. */
static enum copi_sent at_the_limit(const struct process *receiver, enum cop_when_full when_full,
                                   bool request)
{
    switch (when_full) {
    case COP_MAILBOX_FAIL: break;
    case COP_MAILBOX_DROP_NEWEST: return request ? SENT_FULL : SENT_IN_VAIN;
    case COP_MAILBOX_DROP_OLDEST: return request ? SENT_FULL : SENT;
    case COP_MAILBOX_BLOCK:
        if (request)
            return SENT;
        return can_wait(receiver) ? SENT_AND_WAIT : SENT_FULL;
    }
    return SENT_FULL;
}

enum copi_sent copi_limit_admit(struct process *process, struct limits *limits,
                                struct signal *signal)
{
    uint64_t bound = bound_now(limits);
    if (bound == 0 || !counts(signal))
        return SENT;
    bool request = signal->message.kind == COP_CALL_REQUEST;
    uint32_t count = atomic_load_explicit(&limits->count, memory_order_relaxed);
    enum copi_sent sent;
    do {
        sent = count < limit_of(bound) ? SENT
                                       : at_the_limit(process, when_full(bound), request);
        if (sent == SENT_IN_VAIN)
            copi_limit_dropped(limits);
        if (sent > SENT_AND_WAIT)
            return sent;
    } while (!atomic_compare_exchange_weak_explicit(&limits->count, &count, count + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    signal->flags |= SIGNAL_COUNTED;
    return sent;
}

/* ---- dropping the oldest before the receiver looks ------------------------------------- */

/* Takes the counted messages but the newest `limit` out of a chain, newest first; requests stay.
 * Returns them, oldest first. */
static struct signal *sort_out(struct signal **at, uint32_t limit)
{
    struct signal *out = NULL;
    uint32_t seen = 0;
    while (*at != NULL) {
        struct signal *signal = *at;
        bool counted = signal->kind == SIGNAL_MESSAGE && (signal->flags & SIGNAL_COUNTED) != 0;
        if (!counted || seen++ < limit || signal->message.kind == COP_CALL_REQUEST) {
            at = &signal->next;
            continue;
        }
        *at = signal->next;
        signal->next = out;
        out = signal;
    }
    return out;
}

/* What has arrived and was swept, newest first; NULL when the process is dead.  With the lock. */
static struct signal *take_all(struct process *process, struct limits *limits)
{
    struct signal *head = atomic_load_explicit(&process->incoming, memory_order_relaxed);
    do {
        if (copi_signals(head) == NULL)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&process->incoming, &head, NULL,
                                                    memory_order_acquire, memory_order_relaxed));
    struct signal *last = head;
    while (last->next != NULL) last = last->next;
    last->next = atomic_load_explicit(&limits->older, memory_order_relaxed);
    return head;
}

/* The owner finds in `older` what it does not find in incoming: written before the wake-up, seq_cst
 * as a push is, and for the same reason. */
static struct signal *sweep(struct process *process, struct limits *limits, uint32_t limit)
{
    copi_limit_lock(limits);
    struct signal *chain = take_all(process, limits);
    if (chain == NULL) {
        copi_limit_unlock(limits);
        return NULL;
    }
    struct signal *out = sort_out(&chain, limit);
    atomic_exchange(&limits->older, chain);
    copi_limit_unlock(limits);
    copi_wake(process);
    return out;
}

struct signal *copi_limit_pushed(struct process *process, struct limits *limits)
{
    uint64_t bound = bound_now(limits);
    uint64_t enough = 3 * (uint64_t)limit_of(bound) + SLACK;
    if (bound == 0 || when_full(bound) != COP_MAILBOX_DROP_OLDEST ||
        atomic_load_explicit(&limits->count, memory_order_relaxed) < enough)
        return NULL;
    struct signal *out = sweep(process, limits, limit_of(bound));
    for (struct signal *signal = out; signal != NULL; signal = signal->next) {
        copi_limit_uncount(process, signal);
        copi_limit_dropped(limits);
    }
    return out;
}

/* ---- waiting for room ------------------------------------------------------------------ */

/* The relation is there until the answer comes, which is certain: the receiver answers, or whoever
 * finds it dead. */
void copi_limit_wait(cop_pid target)
{
    struct process *self = copi_self();
    cop_pid pid = copi_pid(self);
    uint64_t serial = copi_serial(self);
    copi_enter(copi_scheduler);
    copi_relation_add(self, RELATION_ROOM, serial, sizeof(struct relation));
    copi_signal_send(target, copi_signal_new(SIGNAL_ROOM_WANTED, pid, serial, NULL));
    copi_leave(copi_scheduler);
    copi_mailbox_drain(self);
    while (copi_relation_find(self, RELATION_ROOM, serial) != NULL) {
        copi_switch(EVENT_WAIT);
        copi_mailbox_drain(self);
    }
}

/* ---- the public side ------------------------------------------------------------------- */

/* The caller's record, if `wanted` made if there is none. */
static int own_record(struct process *self, bool wanted, struct limits **ret_limits)
{
    copi_enter(copi_scheduler);
    struct limits *limits = wanted ? record(self) : copi_limits(self);
    copi_leave(copi_scheduler);
    if (limits == NULL && wanted)
        return COP_ENOMEM;
    *ret_limits = limits;
    return COP_OK;
}

int cop_limit_mailbox(cop_mailbox_bound bound)
{
    struct process *self = copi_self_checked("cop_limit_mailbox");
    struct limits *limits;
    if (!copi_limit_valid(&bound))
        return COP_EINVAL;
    int error = own_record(self, bound.limit > 0, &limits);
    if (error == COP_OK && limits != NULL) {
        atomic_store_explicit(&limits->bound, pack(&bound), memory_order_relaxed);
        release(limits);
    }
    return error;
}

int cop_limit_memory(size_t max_memory)
{
    struct process *self = copi_self_checked("cop_limit_memory");
    struct limits *limits;
    int error = own_record(self, max_memory > 0, &limits);
    if (error == COP_OK && limits != NULL)
        limits->max_memory = max_memory;
    return error;
}

uint64_t cop_mailbox_dropped(void)
{
    struct limits *limits = copi_limits(copi_self_checked("cop_mailbox_dropped"));
    return limits == NULL ? 0 : atomic_load_explicit(&limits->dropped, memory_order_relaxed);
}
