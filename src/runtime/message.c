/* message.c - making, freeing and sending messages and signals. */
#include <coppice/process.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/poison.h"
#include "../base/slab.h"
#include "mailbox.h"
#include "reason.h"
#include "scheduler.h"

/* ---- the runtime's own types ----------------------------------------------------------- */

static void drop_exit(void *payload)
{
    cop_reason_unref(((cop_exit_message *)payload)->reason);
}

static void drop_down(void *payload)
{
    cop_down_message *down = payload;
    cop_reason_unref(down->reason);
    free((char *)down->name);
}

const cop_message_type cop_type_cop_exit_message = { "cop_exit_message", sizeof(cop_exit_message),
                                                     drop_exit };
const cop_message_type cop_type_cop_down_message = { "cop_down_message", sizeof(cop_down_message),
                                                     drop_down };
const cop_message_type cop_type_cop_timeout_message = { "cop_timeout_message",
                                                        sizeof(cop_timeout_message), NULL };

/* ---- blocks ---------------------------------------------------------------------------- */

static struct signal *block_new(size_t payload)
{
    struct scheduler *scheduler = copi_scheduler;
    struct signal *signal = NULL;
    uint8_t class;
    copi_enter(scheduler);
    if (payload <= UINT32_MAX)            /* a message has no room for a larger size */
        signal = copi_slab_take(copi_slab(), sizeof *signal + payload, &class);
    copi_leave(scheduler);
    if (signal == NULL) {
        if (copi_self() != NULL && scheduler->critical == 0)
            copi_exit(&copi_reason_enomem);
        return NULL;
    }
    memset(signal, 0, sizeof *signal);
    signal->block_class = class;
    return signal;
}

struct signal *copi_signal_new(enum signal_kind kind, cop_pid from, uint64_t serial,
                               const cop_reason *reason)
{
    size_t payload = kind == SIGNAL_EXIT || kind == SIGNAL_EXIT_LINKED ? sizeof(cop_exit_message)
                     : kind == SIGNAL_DOWN                             ? sizeof(cop_down_message)
                                                                       : 0;
    struct signal *signal = block_new(payload);
    if (signal == NULL)
        copi_no_memory("a signal");
    signal->kind = (uint8_t)kind;
    signal->from = from;
    signal->serial = serial;
    signal->reason = reason;
    return signal;
}

void copi_message_own(struct process *process, struct signal *signal)
{
    signal->flags = (uint8_t)((signal->flags | SIGNAL_OWNED) & ~SIGNAL_GONE);
    signal->link = &process->owned;
    signal->next = process->owned;
    if (signal->next != NULL)
        signal->next->link = &signal->next;
    process->owned = signal;
}

void copi_message_disown(struct signal *signal)
{
    if ((signal->flags & SIGNAL_OWNED) == 0)
        return;
    COP_DEBUG(*signal->link == signal);
    *signal->link = signal->next;
    if (signal->next != NULL)
        signal->next->link = signal->link;
    signal->flags &= (uint8_t)~SIGNAL_OWNED;
    signal->alias = 0;
}

COPI_SEES_POISON struct signal *copi_message_held(cop_message *message, const char *function)
{
    struct signal *signal = copi_signal_of(message);
    struct process *self = copi_self();
    bool kept = self == NULL || signal != self->current || (self->flags & PROCESS_KEPT) != 0;
    if ((signal->flags & SIGNAL_GONE) == 0 && kept) {
        if (self != NULL && signal == self->received)
            self->received = NULL;
        return signal;
    }
    if (self == NULL)
        copi_misused(function, "got a message that was sent or freed already");
    cop_raise("badarg: %s: the message %s", function,
              kept ? "was sent or freed already" : "is the handler's, not kept");
}

/* The program's function must not wait, whatever it sends: its message is still in a list. */
static void call_drop(void (*drop)(void *), void *payload)
{
    struct process *self = copi_self();
    uint16_t before = self == NULL ? 0 : self->flags & PROCESS_MUST_NOT_WAIT;
    if (self != NULL)
        self->flags |= PROCESS_MUST_NOT_WAIT;
    drop(payload);
    if (self != NULL && before == 0)
        self->flags &= (uint16_t)~PROCESS_MUST_NOT_WAIT;
}

/* What the fields own is dropped first, once: if that crashes, or the type is wild, the process
 * still owns the rest, as a message of a type that drops nothing. */
static void message_end(struct signal *signal)
{
    static const cop_message_type dropped = { "dropped", 0, NULL };
    const cop_message_type *type = signal->message.type;
    signal->message.type = &dropped;
    copi_before_fault();
    if (type->drop != NULL)
        call_drop(type->drop, cop_payload(&signal->message));
    copi_message_disown(signal);
    signal->flags |= SIGNAL_GONE;
}

void copi_signal_free(struct signal *signal)
{
    if (signal->kind == SIGNAL_MESSAGE)
        message_end(signal);
    else
        cop_reason_unref(signal->reason);
    struct scheduler *scheduler = copi_scheduler;
    copi_enter(scheduler);
    copi_slab_give(copi_slab(), signal, signal->block_class);
    copi_leave(scheduler);
}

/* From here on the signal is a message; its fields are read before they are overwritten. */
static void *become_message(struct signal *signal, const cop_message_type *type, cop_pid from,
                            uint64_t ref)
{
    signal->kind = SIGNAL_MESSAGE;
    memset(&signal->message, 0, sizeof signal->message);
    signal->message.type = type;
    signal->message.from = from;
    signal->message.ref = ref;
    signal->message.size = (uint32_t)type->size;
    return cop_payload(&signal->message);
}

void copi_signal_to_exit_message(struct signal *signal)
{
    cop_exit_message content = { .from = signal->from, .reason = signal->reason };
    memcpy(become_message(signal, &cop_type_cop_exit_message, content.from, 0), &content,
           sizeof content);
}

void copi_signal_to_down_message(struct signal *signal, char *name)
{
    cop_down_message content = {
        .ref = { { signal->target }, signal->serial },
        .pid = signal->from, .name = name, .reason = signal->reason,
    };
    memcpy(become_message(signal, &cop_type_cop_down_message, content.pid, content.ref.serial),
           &content, sizeof content);
}

/* ---- the public side ------------------------------------------------------------------- */

cop_message *cop_message_new(const cop_message_type *type, const void *payload, size_t extra)
{
    size_t size;
    if (__builtin_add_overflow(type->size, extra, &size))
        size = SIZE_MAX;
    if (payload != NULL)
        copi_probe(payload, size);
    struct signal *signal = block_new(size);
    if (signal == NULL)
        return NULL;
    signal->kind = SIGNAL_MESSAGE;
    signal->message.type = type;
    signal->message.from = cop_self();
    signal->message.size = (uint32_t)size;
    if (payload != NULL)
        memcpy(cop_payload(&signal->message), payload, size);
    else
        memset(cop_payload(&signal->message), 0, size);
    if (copi_self() != NULL)
        copi_message_own(copi_self(), signal);
    return &signal->message;
}

void cop_message_free(cop_message *message)
{
    if (message != NULL)
        copi_signal_free(copi_message_held(message, "cop_message_free"));
}

const void *cop_message_expect(const cop_message *message, const cop_message_type *type)
{
    const void *payload = cop_message_get(message, type);
    if (payload == NULL)
        cop_raise("bad_message: expected %s, got %s", type->name,
                  message == NULL ? "none" : message->type->name);
    return payload;
}

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
        signal->flags &= (uint8_t)~SIGNAL_UNSENT;
        copi_signal_free(signal);
    }
}

int cop_send_message(cop_dest to, cop_message *message)
{
    if (message == NULL)
        return COP_EINVAL;
    struct signal *signal = copi_message_held(message, "cop_send_message");
    struct scheduler *scheduler = copi_scheduler;
    cop_pid target = cop_resolve(to);
    if (cop_pid_is_none(target) && (to.name != NULL || to.via != NULL)) {
        copi_signal_free(signal);
        return COP_ENOPROC;
    }
    copi_message_disown(signal);
    signal->flags |= SIGNAL_GONE;
    signal->alias = to.alias;
    if (to.alias == 0 && message->kind != COP_CALL_REQUEST && message->kind != COP_SYSTEM)
        message->ref = 0;       /* one that is passed on belongs to no reference of its receiver */
    struct signal *swept = NULL;
    copi_enter(scheduler);
    enum copi_sent sent = copi_message_push(target, signal, &swept);
    copi_leave(scheduler);
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

int cop_pid_format(cop_pid pid, char *buffer, size_t size)
{
    return snprintf(buffer, size, "<%llu.%llu>",
                    (unsigned long long)(pid.bits & ((1u << COPI_INDEX_BITS) - 1)),
                    (unsigned long long)(pid.bits >> COPI_INDEX_BITS));
}
