/* scheduler.c - running one process after another on lent stacks. */
#include "scheduler.h"

#include <string.h>

#include "../base/assert.h"
#include "mailbox.h"
#include "node.h"
#include "queue.h"
#include "reason.h"

COPI_THREAD_VARIABLE(struct scheduler *, copi_scheduler_of_thread);

enum { TIMER_TICKS = 16 };   /* look for due timers after so many processes */

/* ---- on a process's stack -------------------------------------------------------------- */

void copi_switch(enum switch_event event)
{
    struct scheduler *scheduler = copi_scheduler;
    if (scheduler == NULL)
        copi_misused("a process", "went on in a child of fork(2), which must exec or _exit");
    COP_ASSERT(scheduler->critical == 0);
    bool final = event == EVENT_BECOME || event == EVENT_EXIT;
    if (!final) {
        copi_enter(scheduler);            /* overflows here, not half-way into the switch */
        copi_leave(scheduler);
    }
    copi_context_switch(&scheduler->stack->context, &scheduler->context,
                        (void *)(uintptr_t)event, final);
}

static void handle(struct process *process, struct signal *signal)
{
    process->current = signal;
    process->flags &= (uint16_t)~PROCESS_KEPT;
    process->entry.handler(process->argument, &signal->message);
    process->current = NULL;
    if ((process->flags & PROCESS_KEPT) == 0)
        copi_signal_free(signal);
}

/* A server's turn: handles messages until there are none, or others should have a turn. */
static enum switch_event serve(struct process *process)
{
    while (copi_scheduler->budget-- > 0) {
        struct signal *signal = copi_mailbox_first(process);
        bool late = signal == NULL && process->serve_deadline != COPI_NEVER &&
                    process->serve_deadline <= copi_now();
        if (signal == NULL && !late) {
            if (process->serve_deadline != COPI_NEVER &&
                !copi_timer_arm(&process->timer, TIMER_WAIT, process->serve_deadline))
                cop_raise("enomem: no memory for a timer");
            return EVENT_IDLE;
        }
        copi_timer_disarm(&process->timer);
        process->serve_deadline = COPI_NEVER;
        if (late)
            process->entry.handler(process->argument, NULL);
        else
            handle(process, signal);
    }
    return EVENT_TURN;
}

static enum switch_event go(struct process *process)
{
    if (process->flags & PROCESS_DYING) {
        copi_process_cleanup(process);
        return EVENT_END;
    }
    if (process->flags & PROCESS_SERVES)
        return serve(process);
    copi_mailbox_drain(process);          /* an exit signal may be there before its first step */
    process->entry.function(process->argument);
    process->exit_reason = COP_NORMAL;
    process->flags |= PROCESS_DYING;
    copi_process_cleanup(process);        /* here: no stack is as good as one that has returned */
    return EVENT_END;
}

/* The scheduler of the thread that runs this, whichever ran it a moment ago: a compiler may keep
 * the address of a thread's variable, but not through a call that it cannot look into. */
__attribute__((noipa)) static struct scheduler *scheduler_here(void)
{
    return copi_scheduler;
}

/* What a stack does all its life. */
static void stack_entry(void *argument)
{
    (void)argument;
    copi_context_entered(&scheduler_here()->stack->context);
    for (;;) {
        enum switch_event event = go(copi_current(scheduler_here()));
        copi_switch(event);
    }
}

/* ---- lending stacks -------------------------------------------------------------------- */

static void stack_restart(struct scheduler *scheduler, struct stack *stack)
{
    (void)scheduler;
    copi_context_make(&stack->context, copi_stack_low(stack), copi_stack_usable(stack), stack_entry,
                      NULL);
}

/* The stack for a process's turn: its own, the warm one, or one from the pool. */
static struct stack *stack_for(struct scheduler *scheduler, struct process *process)
{
    struct stack *stack = process->stack;
    if (stack != NULL) {
        process->stack = NULL;
        return stack;
    }
    if (process->stack_class == 0 && scheduler->warm != NULL) {
        stack = scheduler->warm;
        scheduler->warm = NULL;
        return stack;
    }
    stack = copi_stack_take(&scheduler->stacks, process->stack_class);
    if (stack != NULL)
        stack_restart(scheduler, stack);
    return stack;
}

static void stack_back(struct scheduler *scheduler, struct stack *stack)
{
    if (stack->class == 0 && scheduler->warm == NULL) {
        scheduler->warm = stack;
    } else {
        copi_context_drop(&stack->context);
        copi_stack_give(&scheduler->stacks, stack);
    }
}

/* ---- one turn -------------------------------------------------------------------------- */

static enum switch_event enter(struct scheduler *scheduler, struct process *process)
{
    struct stack *stack = stack_for(scheduler, process);
    if (stack == NULL) {
        if ((process->flags & PROCESS_DYING) == 0)
            process->exit_reason = &copi_reason_enomem;
        return EVENT_NONE;
    }
    scheduler->stack = stack;
    scheduler->stack_limit = copi_stack_low(stack) + COPI_STACK_RESERVE;
    atomic_store_explicit(&scheduler->current, process, memory_order_relaxed);
    void *event = copi_context_switch(&scheduler->context, &stack->context, NULL, false);
    atomic_store_explicit(&scheduler->current, NULL, memory_order_relaxed);
    return (enum switch_event)(uintptr_t)event;
}

/* A fault: the record becomes the reason, the memory in the midst of which it happened is void. */
static void crashed(struct scheduler *scheduler, struct process *process)
{
    copi_stdio_release();
    if (process->flags & PROCESS_DYING)
        return;                           /* in a deferred action: the first reason stays */
    process->exit_reason = copi_reason_crash(&scheduler->crash.crash);
    process->flags |= PROCESS_REPORT;
}

/* It was killed in the middle of something, or of a deferred action: the first reason stays. */
static void killed(struct process *process)
{
    copi_stdio_release();
    if ((process->flags & PROCESS_DYING) == 0)
        process->exit_reason = COP_KILLED;
}

/* RUNNING -> WAITING, unless a signal came meanwhile (NOTIFIED). */
static bool wait_begins(struct process *process)
{
    uint32_t expected = STATE_RUNNING;
    bool done = atomic_compare_exchange_strong(&process->state, &expected, STATE_WAITING);
    COP_ASSERT(done || expected == STATE_NOTIFIED);
    return done;
}

static void again_later(struct process *process)
{
    atomic_store(&process->state, STATE_RUNNABLE);
    copi_enqueue(process);
}

/* Takes the stack back, or leaves it with the process.  Returns whether the process stays at
 * the scheduler: it is to be entered again at once. */
static bool turn_ended(struct scheduler *scheduler, struct process *process,
                       enum switch_event event)
{
    struct stack *stack = scheduler->stack;
    switch (event) {
    case EVENT_WAIT:
    case EVENT_YIELD:
        process->stack = stack;
        process->home = (uint8_t)scheduler->index;
        break;
    case EVENT_IDLE:
    case EVENT_TURN:
    case EVENT_END: stack_back(scheduler, stack); break;
    case EVENT_BECOME:
    case EVENT_EXIT:
    case EVENT_CRASH:
    case EVENT_KILL:
        stack_restart(scheduler, stack);
        stack_back(scheduler, stack);
        break;
    case EVENT_NONE: break;
    }
    switch (event) {
    case EVENT_WAIT:
    case EVENT_IDLE: return !wait_begins(process);
    case EVENT_YIELD:
    case EVENT_TURN: again_later(process); return false;
    case EVENT_BECOME: return true;
    case EVENT_CRASH: crashed(scheduler, process); break;
    case EVENT_KILL: killed(process); break;
    default: break;
    }
    process->flags |= PROCESS_DYING;
    if (copi_process_finish(process))
        return false;
    if (event != EVENT_NONE)
        return true;
    again_later(process);                 /* its actions want a stack, others may give one back */
    return false;
}

/* The exchange that makes it RUNNING is seq_cst: see copi_signal_send. */
static void run(struct scheduler *scheduler, struct process *process)
{
    atomic_fetch_add_explicit(&scheduler->ticks, 1, memory_order_relaxed);
    enum switch_event event;
    do {
        uint32_t before = atomic_exchange(&process->state, STATE_RUNNING);
        COP_ASSERT(before == STATE_RUNNABLE || before == STATE_RUNNING || before == STATE_NOTIFIED);
        scheduler->budget = COPI_BUDGET;
        event = enter(scheduler, process);
    } while (turn_ended(scheduler, process, event));
    if (atomic_load_explicit(&scheduler->lost, memory_order_relaxed))
        atomic_store(&scheduler->lost, false);       /* it is back */
}

/* ---- the loop -------------------------------------------------------------------------- */

static bool due(struct scheduler *scheduler)
{
    return atomic_load_explicit(&scheduler->timers.first, memory_order_relaxed) != COPI_NEVER;
}

void copi_scheduler_run(struct scheduler *scheduler)
{
    while (atomic_load_explicit(&copi_node.running, memory_order_relaxed)) {
        struct process *process = copi_queue_next(scheduler);
        bool look = process == NULL ||
                    (atomic_load_explicit(&scheduler->ticks, memory_order_relaxed) &
                     (TIMER_TICKS - 1)) == 0;
        if (look && due(scheduler))
            copi_timers_fire(&scheduler->timers, copi_now());
        if (process != NULL)
            run(scheduler, process);
        else
            copi_scheduler_idle(scheduler);
    }
}

void copi_spare_run(struct scheduler *spare)
{
    while (atomic_load_explicit(&copi_node.running, memory_order_relaxed)) {
        struct scheduler *lost = copi_spare_stands_for(spare);
        if (due(spare))
            copi_timers_fire(&spare->timers, copi_now());
        if (lost != NULL && due(lost))
            copi_timers_fire(&lost->timers, copi_now());
        struct process *process = copi_spare_next(spare, lost);
        if (process != NULL)
            run(spare, process);
        else
            copi_spare_idle(spare, lost);
    }
}

bool copi_scheduler_init(struct scheduler *scheduler, int index, uint64_t seed)
{
    memset(scheduler, 0, sizeof *scheduler);
    scheduler->index = index;
    scheduler->slab = copi_slab_cache_new();
    if (scheduler->slab == NULL)
        return false;
    copi_random_seed(&scheduler->random, seed + (uint64_t)index);
    copi_timers_init(&scheduler->timers);
    pthread_mutex_init(&scheduler->queue.lock, NULL);
    return true;
}

void copi_scheduler_deinit(struct scheduler *scheduler)
{
    COP_ASSERT(scheduler->queue.head == NULL && scheduler->critical == 0);
    if (scheduler->warm != NULL) {
        copi_context_drop(&scheduler->warm->context);
        copi_stack_give(&scheduler->stacks, scheduler->warm);
    }
    copi_stack_pool_deinit(&scheduler->stacks);
    copi_timers_deinit(&scheduler->timers);
    pthread_mutex_destroy(&scheduler->queue.lock);
    copi_slab_cache_free(scheduler->slab);
}
