/* scheduler.c - running one process after another on lent stacks. */
#include "scheduler.h"

#include <string.h>

#include "../base/assert.h"
#include "mailbox.h"
#include "message.h"
#include "node.h"
#include "queue.h"
#include "reason.h"
#include "sim.h"
#include "wait.h"

COPI_THREAD_VARIABLE(struct scheduler *, copi_scheduler_of_thread);

enum { TIMER_TICKS = COPI_LIMIT(16, 2) };   /* look for due timers after so many processes */

/* ---- leaving a process -------------------------------------------------------------------
 *
 * A process that has done with its turn switches to the next one by itself if that is simple, and
 * to the scheduler's own stack if it is not: when nothing is queued, each TIMER_TICKS turns, so
 * that timers fire, and when the monitor has taken the queue away (`lost`).
 *
 * One that waits and keeps its stack is settled (may be found by others: waiting, or queued) at the
 * end of the next one's turn; until then it is in `left`.  Most often the next one sends it what
 * it waits for: then it is queued without ever having been COPI_WAITING, which saves both of them
 * their atomic instructions (send.c).  Others who push in the meantime find it awake; who settles
 * it sees that.  It is pinned to this thread, so that nobody else could run it anyway; where the
 * turn does not end the monitor settles it, when it looks who else is to run here.
 *
 * It gets into `left` after the switch, when its registers are saved: a deputy could enter it
 * before that.  One that yields is queued then.  The others, who leave nothing behind, are settled
 * before the switch.
 *
 * Invariant: who is in `left` has a stack, is in no queue, and its `incoming` is not COPI_WAITING.
 * `left` is set by the scheduler's thread when it is NULL, without a lock, and then taken by who
 * finds it there under the queue's lock. */

/* RUNNING -> WAITING, unless something came that it is to look at.  It releases what the owner has
 * written to whoever wakes it. */
static bool wait_begins(struct process *process)
{
    struct signal *head = NULL;
    if (atomic_compare_exchange_strong(&process->incoming, &head, COPI_WAITING))
        return true;
    COP_ASSERT(head != COPI_WAITING && head != COPI_CLOSED);
    if (head == COPI_NUDGED)        /* a push instead of this is fine too */
        atomic_compare_exchange_strong(&process->incoming, &head, NULL);
    return false;
}

static void wait_or_queue(struct process *process)
{
    if (!wait_begins(process))
        copi_enqueue(process);
}

/* At the end of a turn. */
static inline void settle_left(struct scheduler *scheduler)
{
    struct process *left = atomic_load_explicit(&scheduler->left, memory_order_relaxed);
    if (left == NULL || !copi_left_claim(scheduler, left))
        return;
    copi_enter_checked(scheduler);
    wait_or_queue(left);
    copi_leave(scheduler);
}

void copi_left_rescue(struct scheduler *scheduler)
{
    if (atomic_load(&scheduler->left) == NULL)
        return;
    copi_biased_lock(&scheduler->queue.lock);
    struct process *left = atomic_load_explicit(&scheduler->left, memory_order_acquire);
    if (left != NULL)           /* or another one may be put there at this moment */
        atomic_store_explicit(&scheduler->left, NULL, memory_order_relaxed);
    copi_biased_unlock(&scheduler->queue.lock);
    if (left != NULL)
        wait_or_queue(left);
}

/* By whoever has just been switched to. */
static inline void arrived(struct scheduler *scheduler)
{
    struct process *leaving = scheduler->leaving;
    if (leaving == NULL)
        return;
    scheduler->leaving = NULL;
    if (scheduler->leaving_by == EVENT_WAIT) {
        COP_DEBUG(atomic_load(&scheduler->left) == NULL);
        atomic_store_explicit(&scheduler->left, leaving, memory_order_release);
        return;
    }
    copi_enter_checked(scheduler);
    copi_enqueue(leaving);
    copi_leave(scheduler);
}

/* The one that was chosen and not yet run, or NULL. */
static inline struct process *take_chosen(struct scheduler *scheduler)
{
    struct process *process = scheduler->chosen;
    scheduler->chosen = NULL;
    return process;
}

/* Whether the way need not lead through the scheduler's loop. */
static inline bool may_go_on(const struct scheduler *scheduler)
{
    uint64_t ticks = atomic_load_explicit(&scheduler->ticks, memory_order_relaxed);
    return (ticks & (TIMER_TICKS - 1)) != 0 && scheduler->direct &&
           !atomic_load_explicit(&scheduler->lost, memory_order_relaxed);
}

static inline struct process *choose_next(struct scheduler *scheduler)
{
    return may_go_on(scheduler) ? copi_queue_own(scheduler) : NULL;
}

/* The process is the current one from here on, on that stack. */
static inline void begin_turn(struct scheduler *scheduler, struct process *process,
                              struct stack *stack)
{
    uint64_t ticks = atomic_load_explicit(&scheduler->ticks, memory_order_relaxed);
    atomic_store_explicit(&scheduler->ticks, ticks + 1, memory_order_relaxed);
    scheduler->budget = copi_hostile() ? 1 : COPI_BUDGET;
    scheduler->stack = stack;
    scheduler->stack_limit = copi_stack_low(stack) + COPI_STACK_RESERVE;
    atomic_store_explicit(&scheduler->current, process, memory_order_relaxed);
}

/* Takes the stack that is there for the process, if it is: its own, or the warm one. */
static inline struct stack *stack_at_hand(struct scheduler *scheduler, struct process *process)
{
    struct stack *stack = process->stack;
    if (stack != NULL) {
        process->stack = NULL;
    } else if (process->stack_class == 0 && scheduler->warm != NULL) {
        stack = scheduler->warm;
        scheduler->warm = NULL;
    }
    return stack;
}

static void stack_entry(void *argument);

static void stack_restart(struct stack *stack)
{
    copi_context_make(&stack->context, copi_stack_low(stack), copi_stack_usable(stack), stack_entry,
                      NULL);
}

/* From a process that keeps its stack to the next one; false if it must be the scheduler. */
static inline bool switch_directly(struct scheduler *scheduler, enum switch_event event)
{
    settle_left(scheduler);
    struct process *next = choose_next(scheduler);
    if (next == NULL)
        return false;
    struct stack *from = scheduler->stack, *to = stack_at_hand(scheduler, next);
    if (to == NULL) {
        scheduler->chosen = next;
        return false;
    }
    struct process *self = copi_current(scheduler);
    self->stack = from;
    self->home = (uint8_t)scheduler->index;
    scheduler->leaving = self;
    scheduler->leaving_by = event;
    begin_turn(scheduler, next, to);
    copi_context_switch(&from->context, &to->context, NULL, false);
    arrived(copi_scheduler);
    return true;
}

/* One that leaves all its frames for good, to become a server or to end, is entered anew at the top
 * of the same stack.  What is written there belonged to frames that are left; this one is below. */
static void start_over(struct scheduler *scheduler)
{
    settle_left(scheduler);
    struct stack *stack = scheduler->stack;
    begin_turn(scheduler, copi_current(scheduler), stack);
    stack_restart(stack);
    void *nowhere;
    copi_context_swap(&nowhere, stack->context.sp, NULL);
    __builtin_unreachable();
}

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
    if ((event == EVENT_WAIT || event == EVENT_YIELD) && switch_directly(scheduler, event))
        return;
    if (final && COPI_CONTEXT_STARTS_OVER && may_go_on(scheduler))
        start_over(scheduler);
    copi_context_switch(&scheduler->stack->context, &scheduler->context,
                        (void *)(uintptr_t)event, final);
    arrived(copi_scheduler);
}

/* One that is to be killed gives none: if it never waits, the monitor must see one long turn. */
void copi_give_turn(void)
{
    struct scheduler *scheduler = copi_scheduler;
    struct process *self = scheduler == NULL ? NULL : copi_current(scheduler);
    if (!copi_hostile() || copi_sim_runs || self == NULL || scheduler->critical > 0 ||
        (self->flags & (PROCESS_DYING | PROCESS_MUST_NOT_WAIT)) != 0 ||
        atomic_load_explicit(&self->doomed, memory_order_relaxed) ||
        copi_run_queue_length(&scheduler->queue) == 0 ||
        copi_random_below(&scheduler->random, 4) == 0)
        return;
    copi_switch(EVENT_YIELD);
}

/* ---- on a process's stack -------------------------------------------------------------- */

static void handle(struct process *process)
{
    process->flags &= (uint16_t)~PROCESS_KEPT;
    process->handler(process->argument, &process->current->message);
    if ((process->flags & PROCESS_KEPT) == 0)
        copi_message_free_held(process, &process->current);
    process->current = NULL;
}

/* A server's turn: handles messages until there are none, or others should have a turn. */
static enum switch_event serve(struct process *process)
{
    while (copi_scheduler->budget-- > 0) {
        bool served = copi_mailbox_serve(process);
        struct wait_record *wait = process->wait;    /* NULL: it never wanted a time limit */
        bool limited = wait != NULL && wait->serve_deadline != COPI_NEVER;
        bool late = !served && limited && wait->serve_deadline <= copi_now();
        if (!served && !late) {
            if (limited && !copi_timer_arm(&wait->timer, TIMER_WAIT, wait->serve_deadline))
                copi_wait_no_memory();
            return EVENT_IDLE;
        }
        if (wait != NULL) {
            copi_timer_disarm(&wait->timer);
            wait->serve_deadline = COPI_NEVER;
        }
        if (late)
            process->handler(process->argument, NULL);
        else
            handle(process);
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
    process->function(process->argument);
    copi_process_dies(process, COP_NORMAL);
    if (copi_process_needs_cleanup(process) || (process->flags & PROCESS_TIMERS) != 0)
        copi_process_cleanup(process);    /* here: no stack is as good as one that has returned */
    return EVENT_END;
}

/* The scheduler of the thread that runs this, whichever ran it a moment ago: a compiler may keep
 * the address of a thread's variable, but not through a call that it cannot look into. */
COPI_OPAQUE static struct scheduler *scheduler_here(void)
{
    return copi_scheduler;
}

/* Settles a process that has done with its stack. */
static inline void settle(struct process *process, enum switch_event event)
{
    if (event == EVENT_IDLE && wait_begins(process))
        return;
    if (event == EVENT_END && copi_process_finish(process))
        return;
    copi_enqueue(process);
}

/* From a process that has done with its stack to the next one, on this stack or on that one's;
 * false if the scheduler is to do it all. */
static inline bool go_on_directly(struct scheduler *scheduler, struct process *process,
                                  enum switch_event event)
{
    settle_left(scheduler);
    struct stack *here = scheduler->stack;
    struct process *next = here->class == 0 ? choose_next(scheduler) : NULL;
    if (next == NULL)
        return false;
    bool here_fits = next->stack == NULL && next->stack_class == 0;
    if (!here_fits && (next->stack == NULL || scheduler->warm != NULL)) {
        scheduler->chosen = next;
        return false;
    }
    copi_enter(scheduler);
    atomic_store_explicit(&scheduler->current, NULL, memory_order_relaxed);
    settle(process, event);
    if (here_fits) {
        begin_turn(scheduler, next, here);
        copi_leave(scheduler);
        return true;
    }
    scheduler->warm = here;
    struct stack *to = stack_at_hand(scheduler, next);
    begin_turn(scheduler, next, to);
    copi_leave(scheduler);
    copi_context_switch(&here->context, &to->context, NULL, false);
    arrived(scheduler_here());
    return true;
}

/* What a stack does all its life. */
static void stack_entry(void *argument)
{
    (void)argument;
    copi_context_entered(&scheduler_here()->stack->context);
    arrived(scheduler_here());
    for (;;) {
        struct process *process = copi_current(scheduler_here());
        enum switch_event event = go(process);
        struct scheduler *scheduler = scheduler_here();
        if (!go_on_directly(scheduler, process, event))
            copi_switch(event);
    }
}

/* ---- lending stacks -------------------------------------------------------------------- */

/* The stack for a process's turn: its own, the warm one, or one from the pool. */
static struct stack *stack_for(struct scheduler *scheduler, struct process *process)
{
    struct stack *stack = stack_at_hand(scheduler, process);
    if (stack != NULL)
        return stack;
    if (copi_sim_runs && copi_sim_stackless(process))
        return NULL;
    stack = copi_stack_take(&scheduler->stacks, process->stack_class);
    if (stack != NULL)
        stack_restart(stack);
    return stack;
}

static void stack_back(struct scheduler *scheduler, struct stack *stack)
{
    if (COPI_HOSTILE)
        copi_stack_wipe(stack);
    if (stack->class == 0 && scheduler->warm == NULL) {
        scheduler->warm = stack;
    } else {
        copi_context_drop(&stack->context);
        copi_stack_give(&scheduler->stacks, stack);
    }
}

/* ---- one turn -------------------------------------------------------------------------- */

/* Until somebody switches back; *ret_last is who did. */
static enum switch_event enter(struct scheduler *scheduler, struct process *process,
                               struct process **ret_last)
{
    *ret_last = process;
    struct stack *stack = stack_for(scheduler, process);
    if (stack == NULL) {
        if ((process->flags & PROCESS_DYING) == 0)
            copi_process_dies(process, &copi_reason_enomem);
        return EVENT_NONE;
    }
    begin_turn(scheduler, process, stack);
    if (copi_sim_runs)
        scheduler->stack_limit = (char *)UINTPTR_MAX;     /* copi_enter is to ask it: sim.h */
    void *event = copi_context_switch(&scheduler->context, &stack->context, NULL, false);
    *ret_last = copi_current(scheduler);
    atomic_store_explicit(&scheduler->current, NULL, memory_order_relaxed);
    settle_left(scheduler);
    return (enum switch_event)(uintptr_t)event;
}

/* A fault: the record becomes the reason, the memory in the midst of which it happened is void. */
static void crashed(struct scheduler *scheduler, struct process *process)
{
    copi_stdio_release();
    if (process->flags & PROCESS_DYING)
        return;                           /* in a deferred action: the first reason stays */
    copi_process_dies(process, copi_reason_crash(&scheduler->crash.crash));
    process->flags |= PROCESS_REPORT;
}

/* It was killed in the middle of something, or of a deferred action: the first reason stays. */
static void killed(struct process *process)
{
    copi_stdio_release();
    if (process->flags & PROCESS_DYING)
        return;
    copi_mailbox_killed(process);
    copi_process_dies(process, COP_KILLED);
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
        stack_restart(stack);
        stack_back(scheduler, stack);
        break;
    case EVENT_NONE: break;
    }
    switch (event) {
    case EVENT_WAIT:
    case EVENT_IDLE: return !wait_begins(process);
    case EVENT_YIELD:
    case EVENT_TURN: copi_enqueue(process); return false;
    case EVENT_BECOME: return true;
    case EVENT_CRASH: crashed(scheduler, process); break;
    case EVENT_KILL: killed(process); break;
    default: break;
    }
    if (copi_process_finish(process))
        return false;
    if (event != EVENT_NONE)
        return true;
    copi_enqueue(process);                 /* its actions want a stack, others may give one back */
    return false;
}

/* One that was chosen goes back into the queue if another has a turn before it: that turn may be
 * long, and a deputy looks nowhere else. */
static void run(struct scheduler *scheduler, struct process *process)
{
    enum switch_event event = enter(scheduler, process, &process);
    while (turn_ended(scheduler, process, event)) {
        struct process *chosen = take_chosen(scheduler);
        if (chosen != NULL)
            copi_enqueue(chosen);
        event = enter(scheduler, process, &process);
    }
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
        struct process *process = take_chosen(scheduler);
        if (process == NULL)
            process = copi_queue_next(scheduler);
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
    scheduler->direct = index < copi_node.schedulers && !copi_sim_runs;
    scheduler->slab = copi_slab_cache_new();
    if (scheduler->slab == NULL)
        return false;
    copi_random_seed(&scheduler->random, seed + (uint64_t)index);
    copi_timers_init(&scheduler->timers);
    copi_run_queue_init(&scheduler->queue);
    return true;
}

void copi_scheduler_deinit(struct scheduler *scheduler)
{
    COP_ASSERT(scheduler->critical == 0);
    if (scheduler->warm != NULL) {
        copi_context_drop(&scheduler->warm->context);
        copi_stack_give(&scheduler->stacks, scheduler->warm);
    }
    copi_stack_pool_deinit(&scheduler->stacks);
    copi_timers_deinit(&scheduler->timers);
    copi_run_queue_deinit(&scheduler->queue);
    copi_slab_cache_free(scheduler->slab);
}
