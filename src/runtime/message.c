/* message.c - making and freeing messages and signals. */
#include <coppice/process.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../base/poison.h"
#include "../base/scarcity.h"
#include "mailbox.h"
#include "message.h"
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

/* A block with everything before the kind's own part set but the kind; NULL without memory, which
 * ends a process that is in its own code. */
static struct signal *block_new(size_t payload)
{
    struct scheduler *scheduler = copi_scheduler;
    struct signal *signal = NULL;
    copi_enter(scheduler);
    if (payload <= UINT32_MAX)            /* a message has no room for a larger size */
        signal = copi_block_take(scheduler, payload);
    copi_leave(scheduler);
    if (signal == NULL && copi_self() != NULL && scheduler->critical == 0)
        copi_exit(&copi_reason_enomem);
    return signal;
}

/* The block of a signal, without which the node ends. */
__attribute__((cold, noinline)) static struct signal *needed_block(size_t payload)
{
    copi_needed_begin();
    struct signal *signal = copi_block_take(copi_scheduler, payload);
    copi_needed_end();
    if (signal == NULL)
        copi_no_memory("a signal");
    return signal;
}

struct signal *copi_signal_new(enum signal_kind kind, cop_pid from, uint64_t serial,
                               const cop_reason *reason)
{
    static const uint8_t payload[] = {
        [SIGNAL_EXIT] = sizeof(cop_exit_message),
        [SIGNAL_EXIT_LINKED] = sizeof(cop_exit_message),
        [SIGNAL_DOWN] = sizeof(cop_down_message),
        [SIGNAL_ROOM] = 0,
    };
    struct scheduler *scheduler = copi_scheduler;
    copi_enter(scheduler);
    struct signal *signal = copi_block_take(scheduler, payload[kind]);
    if (__builtin_expect(signal == NULL, 0))
        signal = needed_block(payload[kind]);
    copi_leave(scheduler);
    signal->kind = (uint8_t)kind;
    signal->from = from;
    signal->serial = serial;
    signal->reason = reason;
    return signal;
}

COPI_SEES_POISON struct signal *copi_message_held(cop_message *message, const char *function)
{
    struct signal *signal = copi_signal_of(message);
    struct process *self = copi_self();
    bool kept = self == NULL || signal != self->current || (self->flags & PROCESS_KEPT) != 0;
    if ((signal->flags & SIGNAL_GONE) == 0 && kept) {
        if (self != NULL && signal == self->received)
            self->received = NULL;
        if (self != NULL && signal == self->current)
            self->current = NULL;
        if (__builtin_expect((signal->flags & SIGNAL_MONITORS) != 0, 0))
            copi_request_recorded(self, signal);
        return signal;
    }
    if (self == NULL)
        copi_misused(function, "got a message that was sent or freed already");
    cop_raise("badarg: %s: the message %s", function,
              kept ? "was sent or freed already" : "is the handler's, not kept");
}

/* Puts what a process holds otherwise into the list; the pointers stay, for the crash report. */
void copi_message_own_held(struct process *process)
{
    struct signal *held[] = { process->current, process->received };
    for (size_t i = 0; i < 2; i++)
        if (held[i] != NULL && (held[i]->flags & SIGNAL_OWNED) == 0)
            copi_message_own(process, held[i]);
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
static void message_drop(struct signal *signal)
{
    static const cop_message_type dropped = { "dropped", 0, NULL };
    const cop_message_type *type = signal->message.type;
    signal->message.type = &dropped;
    copi_before_fault();
    if (type->drop != NULL)
        call_drop(type->drop, cop_payload(&signal->message));
}

void copi_signal_free(struct signal *signal)
{
    struct scheduler *scheduler = copi_scheduler;
    if (signal->kind == SIGNAL_MESSAGE)
        message_drop(signal);
    copi_enter(scheduler);              /* who overflows here has the message still */
    if (signal->kind == SIGNAL_MESSAGE)
        copi_message_disown(signal);
    else if (signal->reason != NULL)
        cop_reason_unref(signal->reason);
    signal->flags |= SIGNAL_GONE;
    copi_slab_give(scheduler == NULL ? NULL : scheduler->slab, signal, signal->block_class);
    copi_leave(scheduler);
}

void copi_message_drop_held(struct process *process, struct signal **held)
{
    struct signal *signal = *held;
    if ((signal->flags & SIGNAL_OWNED) == 0)
        copi_message_own(process, signal);      /* until it is free: that may crash */
    *held = NULL;
    copi_signal_free(signal);
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
    struct process *self = copi_self();
    if (__builtin_add_overflow(type->size, extra, &size))
        size = SIZE_MAX;
    if (payload != NULL)
        copi_probe(payload, size);
    struct signal *signal = block_new(size);
    if (signal == NULL)
        return NULL;
    copi_message_init(signal, type, self == NULL ? COP_NO_PID : copi_pid(self), size);
    if (payload != NULL)
        memcpy(cop_payload(&signal->message), payload, size);
    else
        memset(cop_payload(&signal->message), 0, size);
    if (self != NULL)
        copi_message_own(self, signal);
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

int cop_pid_format(cop_pid pid, char *buffer, size_t size)
{
    return snprintf(buffer, size, "<%llu.%llu>",
                    (unsigned long long)(pid.bits & ((1u << COPI_INDEX_BITS) - 1)),
                    (unsigned long long)(pid.bits >> COPI_INDEX_BITS));
}
