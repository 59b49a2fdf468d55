/* send_after.c - messages that are sent after a time: the public side of timer.c. */
#include <coppice/timer.h>

#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "node.h"
#include "relation.h"

/* ---- starting --------------------------------------------------------------------------- */

/* In the runtime's own work; takes name and signal over, unless it returns COP_NO_REF: the signal
 * is the caller's then.  The message is on its way from here on: nobody holds it. */
__attribute__((always_inline)) static inline cop_ref
start(struct scheduler *scheduler, struct process *self, const cop_dest *to, char *name,
      int64_t delay_ms, struct signal *signal, bool drops)
{
    cop_ref ref = { copi_pid(self), ++self->last_serial };
    uint8_t class;
    struct relation_timer *record = copi_slab_take(scheduler->slab, sizeof *record, &class);
    if (__builtin_expect(record == NULL, 0)) {
        free(name);
        return COP_NO_REF;
    }
    copi_relation_put(&self->relations, &record->relation, RELATION_TIMER, ref.serial, class);
    self->flags |= PROCESS_TIMERS;
    record->relation.other = to->pid;
    record->relation.serial = to->alias;
    record->relation.alias = drops;
    record->relation.name = name;
    record->relation.named = name != NULL;
    record->signal = signal;
    signal->flags |= SIGNAL_GONE;
    signal->target = ref.owner.bits;
    int64_t now = copi_near_now(&scheduler->clock), deadline;
    if (__builtin_mul_overflow(delay_ms > 0 ? delay_ms : 0, 1000000, &deadline) ||
        __builtin_add_overflow(deadline, now, &deadline) || deadline == COPI_NEVER)
        deadline = COPI_NEVER - 1;           /* NEVER is said of timers that are not armed */
    if (!copi_timer_arm_send(record, now, deadline)) {
        copi_relation_remove(self, &record->relation);
        return COP_NO_REF;
    }
    return ref;
}

cop_ref cop_send_after_message(cop_dest to, int64_t delay_ms, cop_message *message)
{
    struct process *self = copi_self_checked("cop_send_after");
    if (message == NULL)
        return COP_NO_REF;
    struct signal *signal = copi_message_held(message, "cop_send_after");
    if (to.via != NULL)
        to = cop_to_pid(cop_resolve(to));   /* the via name itself is only lent to this call */
    char *name = to.name == NULL ? NULL : strdup(to.name);
    if (to.name != NULL && (name == NULL || strlen(name) > COP_NAME_MAX)) {
        free(name);
        cop_message_free(message);
        return COP_NO_REF;
    }
    bool drops = message->type->drop != NULL;
    copi_enter(copi_scheduler);
    copi_message_disown(signal);
    cop_ref ref = start(copi_scheduler, self, &to, name, delay_ms, signal, drops);
    copi_leave(copi_scheduler);
    if (ref.serial == 0)
        copi_signal_free(signal);
    return ref;
}

/* The same for a new message, in one go: it enters no list of the process's. */
cop_ref cop_send_after_new(cop_dest to, int64_t delay_ms, const cop_message_type *type,
                           const void *payload)
{
    struct process *self = copi_self_checked("cop_send_after");
    struct scheduler *scheduler = copi_scheduler;
    size_t size = type->size;
    bool drops = type->drop != NULL;
    struct signal *signal = NULL;
    cop_ref ref = COP_NO_REF;
    copi_probe(payload, size);
    copi_enter(scheduler);
    if (to.name == NULL && to.via == NULL && size <= COPI_SLAB_MAX)
        signal = copi_block_take(scheduler, size);
    if (__builtin_expect(signal != NULL, 1)) {
        copi_message_init(signal, type, copi_pid(self), size);
        memcpy(cop_payload(&signal->message), payload, size);
        ref = start(scheduler, self, &to, NULL, delay_ms, signal, drops);
    }
    copi_leave(scheduler);
    if (__builtin_expect(signal == NULL, 0))
        return cop_send_after_message(to, delay_ms, cop_message_new(type, payload, 0));
    if (__builtin_expect(ref.serial == 0, 0))
        copi_signal_free(signal);
    return ref;
}

/* ---- cancelling and reading ------------------------------------------------------------- */

static inline int64_t milliseconds_left(struct scheduler *scheduler, int64_t deadline)
{
    int64_t left = deadline - copi_near_now(&scheduler->clock);
    return left <= 0 ? 0 : (left - 1) / 1000000 + 1;
}

/* What points to the record of a timer of the process's, or to NULL. */
static inline struct hash_node **timer_where(struct process *self, cop_ref timer)
{
    struct hash_node **where = copi_hash_where(&self->relations, timer.serial);
    while (*where != NULL && ((struct relation *)*where)->kind != RELATION_TIMER)
        where = copi_hash_where_after(&(*where)->next, timer.serial);
    return where;
}

int64_t cop_cancel_timer(cop_ref timer)
{
    struct process *self = copi_self_checked("cop_cancel_timer");
    if (!cop_pid_equal(timer.owner, copi_pid(self)))
        return COP_ENOT_FOUND;
    struct hash_node **where = timer_where(self, timer);
    struct relation_timer *record = (struct relation_timer *)*where;
    if (record == NULL)
        return COP_ENOT_FOUND;
    struct scheduler *scheduler = copi_scheduler;
    int64_t deadline = copi_timer_wanted(&record->timer);
    copi_enter(scheduler);
    bool armed = copi_timer_pull(&record->timer);
    struct signal *signal = record->signal;     /* NULL if it has fired */
    bool drops = armed && record->relation.alias != 0;
    copi_hash_unlink(&self->relations, where);
    if (record->relation.named)
        free(record->relation.name);
    copi_slab_give(scheduler->slab, record, record->relation.block_class);
    if (drops)
        copi_message_own(self, signal);         /* until it is free */
    else if (armed)
        copi_slab_give(scheduler->slab, signal, signal->block_class);
    copi_leave(scheduler);
    if (drops)
        copi_signal_free(signal);
    return armed ? milliseconds_left(scheduler, deadline) : COP_ENOT_FOUND;
}

int64_t cop_read_timer(cop_ref timer)
{
    struct process *self = copi_self_checked("cop_read_timer");
    struct relation_timer *record = NULL;
    if (cop_pid_equal(timer.owner, copi_pid(self)))
        record = (struct relation_timer *)copi_relation_find(self, RELATION_TIMER, timer.serial);
    if (record == NULL || !copi_timer_is_in(&record->timer))
        return COP_ENOT_FOUND;
    return milliseconds_left(copi_scheduler, copi_timer_wanted(&record->timer));
}

/* ---- the end of the process ------------------------------------------------------------- */

/* Its message becomes one that the process has made and not sent. */
static void stop_timer(struct hash_node *node, void *context)
{
    struct relation *relation = (struct relation *)node;
    if (relation->kind != RELATION_TIMER)
        return;
    struct relation_timer *record = (struct relation_timer *)relation;
    copi_timer_take_out(&record->timer);
    if (record->signal != NULL)
        copi_message_own(context, record->signal);
    record->signal = NULL;
}

void copi_relations_stop_timers(struct process *process)
{
    copi_hash_each(&process->relations, stop_timer, process);
}
