/* reason.c - exit reasons: immutable, counted, printable. */
#define _GNU_SOURCE
#include "reason.h"

#include <coppice/start.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/assert.h"
#include "../platform/fault.h"
#include "backtrace.h"

struct cop_reason {
    _Atomic uint32_t references;   /* 0: static, never freed */
    enum cop_reason_kind kind;
    const char *text;              /* in the same block, or static */
    const cop_reason *cause;       /* owned, or the base's */
    const cop_crash *crash;        /* in the same block, or the base's */
    const cop_reason *base;        /* owned: the reason that this one is, with more; or NULL */
    const cop_reason *origin;      /* owned, of one with a base; or NULL */
    const cop_deadline *deadline;  /* in the same block, or the base's; or NULL */
};

#define STATIC_REASON(name_, text_)                                                      \
    const cop_reason name_ = { 0, COP_REASON_ATOM, text_, NULL, NULL, NULL, NULL, NULL }
STATIC_REASON(cop_reason_normal, "normal");
STATIC_REASON(cop_reason_shutdown, "shutdown");
STATIC_REASON(cop_reason_kill, "kill");
STATIC_REASON(cop_reason_killed, "killed");
STATIC_REASON(cop_reason_noproc, "noproc");
STATIC_REASON(cop_reason_noconnection, "noconnection");
STATIC_REASON(cop_reason_timeout, "timeout");
STATIC_REASON(copi_reason_enomem, "enomem");

static const cop_reason *const well_known[] = {
    &cop_reason_normal, &cop_reason_shutdown, &cop_reason_kill,        &cop_reason_killed,
    &cop_reason_noproc, &cop_reason_timeout,  &cop_reason_noconnection,
};

/* ---- making ---------------------------------------------------------------------------- */

/* A block with room for `room` bytes of text behind it; NULL without memory. */
static cop_reason *reason_new(enum cop_reason_kind kind, size_t room, char **ret_text)
{
    cop_reason *reason = malloc(sizeof *reason + room);
    if (reason == NULL)
        return NULL;
    memset(reason, 0, sizeof *reason);
    atomic_init(&reason->references, 1);
    reason->kind = kind;
    *ret_text = (char *)(reason + 1);
    reason->text = *ret_text;
    return reason;
}

const cop_reason *cop_reason_atom(const char *name)
{
    for (size_t i = 0; i < sizeof well_known / sizeof *well_known; i++)
        if (strcmp(well_known[i]->text, name) == 0)
            return well_known[i];
    char *text;
    cop_reason *reason = reason_new(COP_REASON_ATOM, strlen(name) + 1, &text);
    if (reason == NULL)
        return &copi_reason_enomem;
    memcpy(text, name, strlen(name) + 1);
    return reason;
}

/* Most texts fit into the first buffer and are made once. */
const cop_reason *copi_reason_error_of(const char *format, va_list arguments)
{
    char first[256], *text;
    va_list again;
    va_copy(again, arguments);
    cop_reason *reason = NULL;
    int length = vsnprintf(first, sizeof first, format, arguments);
    if (length >= 0)
        reason = reason_new(COP_REASON_ERROR, (size_t)length + 1, &text);
    if (reason != NULL && (size_t)length < sizeof first)
        memcpy(text, first, (size_t)length + 1);
    else if (reason != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return reason != NULL ? reason : &copi_reason_enomem;
}

const cop_reason *cop_reason_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const cop_reason *reason = copi_reason_error_of(format, arguments);
    va_end(arguments);
    return reason;
}

const cop_reason *cop_reason_tuple(const char *atom, const cop_reason *cause)
{
    char *text;
    cop_reason *reason = reason_new(COP_REASON_TUPLE, strlen(atom) + 1, &text);
    if (reason == NULL) {
        cop_reason_unref(cause);
        return &copi_reason_enomem;
    }
    memcpy(text, atom, strlen(atom) + 1);
    reason->cause = cause;
    return reason;
}

const cop_reason *copi_reason_crash(const cop_crash *crash)
{
    enum { EXIT_MAX = 24 };              /* "quick_exit(255)" is the longest */
    size_t more = crash->assertion != NULL       ? strlen(crash->assertion) + 1
                  : crash->exit_function != NULL ? EXIT_MAX
                                                 : 0;
    char *room;
    cop_reason *reason = reason_new(COP_REASON_CRASH, sizeof *crash + more, &room);
    if (reason == NULL)
        return &copi_reason_enomem;
    cop_crash *copy = (cop_crash *)(void *)room;
    char *behind = (char *)(copy + 1);
    *copy = *crash;
    reason->crash = copy;
    if (crash->assertion != NULL) {
        copy->assertion = memcpy(behind, crash->assertion, more);
        reason->text = "assert";
    } else if (crash->exit_function != NULL) {
        snprintf(behind, more, "%s(%d)", crash->exit_function, crash->exit_status);
        reason->text = behind;
    } else {
        reason->text = crash->stack_overflow ? "stack_overflow" : copi_fault_name(crash->signal);
    }
    return reason;
}

/* The same reason in a block of its own, with `room` bytes behind it; takes it over. */
static cop_reason *reason_over(const cop_reason *base, size_t room, char **ret_room)
{
    cop_reason *reason = reason_new(base->kind, room, ret_room);
    if (reason == NULL)
        return NULL;
    reason->text = base->text;
    reason->cause = base->cause;
    reason->crash = base->crash;
    reason->deadline = base->deadline;
    reason->origin = cop_reason_ref(base->origin);
    reason->base = base;
    return reason;
}

const cop_reason *cop_reason_because(const cop_reason *reason, const cop_reason *origin)
{
    char *room;
    cop_reason *over = reason_over(reason, 0, &room);
    if (over == NULL) {
        cop_reason_unref(origin);
        return reason;
    }
    cop_reason_unref(over->origin);
    over->origin = origin;
    return over;
}

const cop_reason *cop_reason_by(const cop_reason *reason, const cop_deadline *deadline)
{
    size_t path = strlen(deadline->path) + 1;
    char *room;
    cop_reason *over = reason_over(reason, sizeof *deadline + path, &room);
    if (over == NULL)
        return reason;
    cop_deadline *copy = (cop_deadline *)(void *)room;
    *copy = *deadline;
    copy->path = memcpy(copy + 1, deadline->path, path);
    over->deadline = copy;
    return over;
}

const cop_reason *cop_reason_ref(const cop_reason *reason)
{
    if (reason != NULL && reason->references != 0)
        atomic_fetch_add_explicit(&((cop_reason *)reason)->references, 1, memory_order_relaxed);
    return reason;
}

/* The last holder must see everything that the others did: release on the way down, acquire
 * at zero; the pair is with every other call of this function. */
void cop_reason_unref(const cop_reason *reason)
{
    while (reason != NULL && reason->references != 0) {
        cop_reason *counted = (cop_reason *)reason;
        if (atomic_fetch_sub_explicit(&counted->references, 1, memory_order_acq_rel) != 1)
            return;
        const cop_reason *below = counted->base != NULL ? counted->base : counted->cause;
        cop_reason_unref(counted->origin);
        free(counted);
        reason = below;
    }
}

/* ---- asking ---------------------------------------------------------------------------- */

enum cop_reason_kind cop_reason_kind_of(const cop_reason *reason)
{
    return reason->kind;
}

const char *cop_reason_text(const cop_reason *reason)
{
    return reason->text;
}

const cop_reason *cop_reason_cause(const cop_reason *reason)
{
    return reason->cause;
}

const cop_reason *cop_reason_origin(const cop_reason *reason)
{
    return reason->origin;
}

const cop_deadline *cop_reason_deadline(const cop_reason *reason)
{
    return reason->deadline;
}

const cop_crash *cop_reason_crash(const cop_reason *reason)
{
    return reason->crash;
}

bool cop_reason_is(const cop_reason *reason, const char *name)
{
    return reason->kind == COP_REASON_ATOM && strcmp(reason->text, name) == 0;
}

bool cop_reason_equal(const cop_reason *a, const cop_reason *b)
{
    for (; a != NULL && b != NULL && a != b; a = a->cause, b = b->cause)
        if (a->kind != b->kind || strcmp(a->text, b->text) != 0)
            return false;
    return a == b;
}

bool cop_reason_abnormal(const cop_reason *reason)
{
    if (reason->kind == COP_REASON_TUPLE)
        return strcmp(reason->text, "shutdown") != 0;
    return !cop_reason_is(reason, "normal") && !cop_reason_is(reason, "shutdown");
}

/* ---- printing -------------------------------------------------------------------------- */

const char *copi_reason_prefix(const cop_reason *reason)
{
    return reason->kind == COP_REASON_ERROR   ? "error:"
           : reason->kind == COP_REASON_CRASH ? "crash:"
                                              : "";
}

/* An atom may be made of anything, a child's id for one: what would break the line is shown as
 * '?'. */
void copi_make_printable(char *buffer, size_t size, int length)
{
    for (size_t i = 0; i < size && i < (size_t)length; i++)
        if ((unsigned char)buffer[i] < ' ' || buffer[i] == 0x7f)
            buffer[i] = '?';
}

int cop_reason_format(const cop_reason *reason, char *buffer, size_t size)
{
    struct text text = copi_text(buffer, size);
    for (; reason != NULL; reason = reason->cause)
        copi_text_add(&text, "%s%s%s", copi_reason_prefix(reason), reason->text,
                      reason->cause != NULL ? ":" : "");
    copi_make_printable(buffer, size > 0 ? size - 1 : 0, text.length);
    return text.length;
}

const char *cop_crash_register(unsigned index)
{
    return copi_fault_register(index);
}

void copi_reason_add_crash(struct text *text, const cop_crash *crash)
{
    if (crash->assertion != NULL)
        copi_text_add(text, "assertion failed: %s", crash->assertion);
    else if (crash->exit_function != NULL)
        copi_text_add(text, "called %s(%d)", crash->exit_function, crash->exit_status);
    else
        copi_text_add(text, "%s%s", crash->stack_overflow ? "stack overflow, " : "",
                      copi_fault_name(crash->signal));
    if (crash->signal != 0 && crash->assertion == NULL && crash->signal != SIGABRT)
        copi_text_add(text, " (code %d) at address %p", crash->code, crash->address);
    copi_backtrace_add(text, crash);
}

int cop_reason_format_crash(const cop_reason *reason, char *buffer, size_t size)
{
    struct text text = copi_text(buffer, size);
    if (reason->crash != NULL)
        copi_reason_add_crash(&text, reason->crash);
    return text.length;
}
