/* backtrace.c - see backtrace.h. */
#include "backtrace.h"

#include <pthread.h>

#include "scheduler.h"

/* ---- the stack set aside --------------------------------------------------------------- */

/* Made when it is first needed, for as long as the program runs. */
static struct {
    pthread_mutex_t lock;
    char *memory;
    struct context context;
    struct context *asker;         /* who waits for the answer to this: */
    const void *address;
    struct symbol *symbol;
} room = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void room_entry(void *argument)
{
    (void)argument;
    copi_context_entered(&room.context);
    for (;;) {
        copi_symbol_debug(room.address, room.symbol);
        copi_context_switch(&room.context, room.asker, NULL, false);
    }
}

static bool room_made(void)
{
    if (room.memory != NULL)
        return true;
    size_t guard = copi_page_size();
    char *memory = copi_memory_reserve(guard + COPI_SYMBOL_STACK);
    if (memory == NULL)
        return false;
    if (!copi_memory_guard(memory, guard)) {
        copi_memory_release(memory, guard + COPI_SYMBOL_STACK);
        return false;
    }
    copi_context_make(&room.context, memory + guard, COPI_SYMBOL_STACK, room_entry, NULL);
    room.memory = memory;
    return true;
}

/* The context in which the caller runs, to be left: its process's, or its thread's. */
static struct context *context_here(struct scheduler *scheduler, struct context *thread)
{
    const char *frame = __builtin_frame_address(0);
    if (scheduler != NULL && copi_current(scheduler) != NULL &&
        frame >= scheduler->stack->memory && frame < (const char *)scheduler->stack)
        return &scheduler->stack->context;
    copi_context_of_thread(thread);
    return thread;
}

static void ask(const void *address, struct symbol *symbol)
{
    struct scheduler *scheduler = copi_scheduler;
    struct context thread;
    copi_enter(scheduler);
    pthread_mutex_lock(&room.lock);
    if (room_made()) {
        room.address = address;
        room.symbol = symbol;
        room.asker = context_here(scheduler, &thread);
        copi_context_switch(room.asker, &room.context, NULL, false);
    }
    pthread_mutex_unlock(&room.lock);
    copi_leave(scheduler);
}

/* ---- frames ---------------------------------------------------------------------------- */

/* A return address may be the first byte of the next function (behind a call that does not
 * return), so the byte before it is looked up. */
static const void *address_of(const cop_crash *crash, unsigned frame)
{
    bool is_return = frame > 0 || crash->code == 0;
    return (const char *)crash->backtrace[frame] - (is_return ? 1 : 0);
}

void copi_backtrace_symbol(const cop_crash *crash, unsigned frame, struct symbol *ret_symbol)
{
    const void *address = address_of(crash, frame);
    copi_symbol_find(address, ret_symbol);
    if (copi_symbol_has_debug() && ret_symbol->module[0] != '\0')
        ask(address, ret_symbol);
}

/* What is known for certain to be of use: a line, or else what addr2line takes. */
static void add_symbol(struct text *text, const void *address, const struct symbol *symbol)
{
    if (symbol->module[0] == '\0') {
        copi_text_add(text, "\n    %p", address);
        return;
    }
    copi_text_add(text, "\n    ");
    if (symbol->function[0] != '\0')
        copi_text_add(text, "%s+0x%zx ", symbol->function, symbol->offset);
    if (symbol->file[0] != '\0')
        copi_text_add(text, "at %s:%d", symbol->file, symbol->line);
    else
        copi_text_add(text, "(%s+0x%zx)", symbol->module, symbol->module_offset);
}

void copi_backtrace_add(struct text *text, const cop_crash *crash)
{
    struct symbol symbol;
    for (unsigned i = 0; i < crash->frames; i++) {
        copi_backtrace_symbol(crash, i, &symbol);
        add_symbol(text, address_of(crash, i), &symbol);
    }
}

void copi_backtrace_add_quickly(struct text *text, const cop_crash *crash)
{
    struct symbol symbol;
    for (unsigned i = 0; i < crash->frames; i++) {
        copi_symbol_find(address_of(crash, i), &symbol);
        add_symbol(text, address_of(crash, i), &symbol);
    }
}
