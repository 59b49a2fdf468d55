/* message.h - the blocks of signals, and who holds a message.
 *
 * A message belongs to nobody but the process that made or took it until it is sent or freed, so
 * that it dies with the process.  It is in one of three places: the process's list `owned`, which
 * any number can be in; `received`, the last one of cop_receive; or `current`, the handler's.  The
 * last two are there so that the usual message, which is received, looked at and forgotten, never
 * sees a list.  One that is freed while its drop function may crash is in the list. */
#ifndef COPI_MESSAGE_H
#define COPI_MESSAGE_H

#include "../base/assert.h"
#include "../base/slab.h"
#include "relation.h"
#include "scheduler.h"

/* ---- blocks ---------------------------------------------------------------------------- */

/* A block with room for a payload; its flags and block_class are set.  NULL without memory.  In the
 * runtime's own work. */
static inline struct signal *copi_block_take(struct scheduler *scheduler, size_t payload)
{
    uint8_t class;
    struct slab_cache *slab = scheduler == NULL ? NULL : scheduler->slab;
    struct signal *signal = copi_slab_take(slab, sizeof *signal + payload, &class);
    if (__builtin_expect(signal == NULL, 0))
        return NULL;
    signal->next = NULL;
    signal->alias = 0;
    signal->block_class = class;
    signal->flags = 0;
    return signal;
}

/* Makes it a message; the payload is still to be written. */
static inline void copi_message_init(struct signal *signal, const cop_message_type *type,
                                     cop_pid from, size_t size)
{
    signal->kind = SIGNAL_MESSAGE;
    signal->message = (cop_message){ .type = type, .from = from, .size = (uint32_t)size };
}

/* ---- holding --------------------------------------------------------------------------- */

/* Puts a message into the process's list. */
static inline void copi_message_own(struct process *process, struct signal *signal)
{
    if (__builtin_expect((signal->flags & SIGNAL_MONITORS) != 0, 0))
        copi_request_recorded(process, signal);
    signal->flags = (uint16_t)((signal->flags | SIGNAL_OWNED) & ~SIGNAL_GONE);
    signal->link = &process->owned;
    signal->next = process->owned;
    if (signal->next != NULL)
        signal->next->link = &signal->next;
    process->owned = signal;
}

/* Takes it out; nothing if it is in no list. */
static inline void copi_message_disown(struct signal *signal)
{
    if ((signal->flags & SIGNAL_OWNED) == 0)
        return;
    COP_DEBUG(*signal->link == signal);
    *signal->link = signal->next;
    if (signal->next != NULL)
        signal->next->link = signal->link;
    signal->flags &= (uint16_t)~SIGNAL_OWNED;
    signal->alias = 0;
}

/* Frees the message in `current` or `received`, and empties that. */
void copi_message_drop_held(struct process *process, struct signal **held);

static inline void copi_message_free_held(struct process *process, struct signal **held)
{
    struct signal *signal = *held;
    if (__builtin_expect(signal->message.type->drop != NULL ||
                         (signal->flags & (SIGNAL_OWNED | SIGNAL_MONITORS)) != 0, 0)) {
        copi_message_drop_held(process, held);
        return;
    }
    struct scheduler *scheduler = copi_scheduler;
    copi_enter(scheduler);              /* before the block is nobody's */
    signal->flags |= SIGNAL_GONE;
    *held = NULL;
    copi_slab_give(scheduler->slab, signal, signal->block_class);
    copi_leave(scheduler);
}

/* A process is about to die: those two go into the list as well. */
void copi_message_own_held(struct process *process);

#endif
