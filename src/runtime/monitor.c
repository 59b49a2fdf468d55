/* monitor.c - see monitor.h. */
#include "monitor.h"

#include <string.h>

#include <coppice/log.h>

#include "../base/assert.h"
#include "../platform/interrupt.h"
#include "backtrace.h"
#include "limit.h"
#include "mailbox.h"
#include "node.h"
#include "queue.h"

/* When a turn is one that does not come back: it has computed for so long, or waited in the
 * system. */
static const int64_t COMPUTED_NS = COPI_TICK_NS, WAITED_NS = 500000000;

/* How long after the first try a kill no longer respects libraries further out on the stack; how
 * long a deferred action may take after a kill.  Each is many ticks. */
static const int64_t IMPATIENT_NS = 300000000, DEFERRED_NS = 1000000000;

/* What the monitor knows of a scheduler's turn. */
struct watch {
    uint64_t ticks;
    int64_t since_ns;       /* when the turn was first seen */
    int64_t cpu_ns;         /* what its thread had computed when it was next seen; 0: not yet */
    int64_t kill_ns;        /* when it was first to be ended; 0: it is not */
    bool told;              /* it was interrupted, to see where it is */
};

static struct {
    pthread_t thread;
    bool runs;
    struct parker parker;
    _Atomic bool stop;
    _Atomic bool asleep;            /* until a scheduler leaves its parking place */
    struct watch watches[2 * COPI_SCHEDULERS_MAX];
} monitor;

/* ---- in the handler, on the thread of the turn --------------------------------------------- */

static bool has_kill(const struct process *process, const struct signal *signal)
{
    for (; signal != NULL; signal = signal->next)
        if (signal->kind == SIGNAL_EXIT && signal->target == copi_pid(process).bits &&
            cop_reason_is(signal->reason, "kill"))
            return true;
    return false;
}

/* Whether a kill was sent to the process and not received.  Only this thread takes signals out of
 * incoming, and it does not while it is in here; at a bounded mailbox senders do too, under a lock:
 * if one is at it, the next interruption will tell. */
static bool kill_is_pending(struct process *process)
{
    struct limits *limits = copi_limits(process);
    if (limits != NULL && !copi_limit_try_lock(limits))
        return false;
    struct signal *signal = atomic_load_explicit(&process->incoming, memory_order_acquire);
    bool pending = has_kill(process, copi_signals(signal));
    if (limits != NULL) {
        pending = pending || has_kill(process, atomic_load(&limits->older));
        copi_limit_unlock(limits);
    }
    return pending;
}

static void interrupted(const struct fault *where, struct interruption *ret_what)
{
    struct scheduler *scheduler = copi_scheduler;
    if (scheduler == NULL || scheduler->critical > 0)
        return;
    struct process *process = copi_current(scheduler);
    struct stack *stack = scheduler->stack;
    const char *sp = where->sp;
    if (process == NULL || sp < stack->memory || sp >= (const char *)stack)
        return;
    int64_t turn_ns = copi_now() - atomic_load(&scheduler->since_ns);
    if (atomic_exchange(&scheduler->look, false)) {
        copi_backtrace(&scheduler->hog.crash, where->pc, where->fp, copi_stack_low(stack),
                       (const char *)stack);
        atomic_store(&scheduler->seen, true);
    }
    bool dying = (process->flags & PROCESS_DYING) != 0;
    if ((dying && turn_ns < DEFERRED_NS) || !kill_is_pending(process))
        return;
    *ret_what = (struct interruption){
        .leave = true,
        .impatient = atomic_load_explicit(&scheduler->impatient, memory_order_relaxed),
        .high = stack,
        .context = &scheduler->context,
        .value = (void *)(uintptr_t)EVENT_KILL,
    };
}

/* A library has returned to here; on the process's stack. */
static void left_library(void)
{
    struct process *self = copi_self();
    copi_fault_mask();
    if ((self->flags & PROCESS_DYING) == 0)
        copi_mailbox_killed(self);
    copi_exit_by_signal(COP_KILLED);
}

/* ---- what the monitor does about a turn ------------------------------------------------------ */

static void end_turn(struct watch *watch, struct scheduler *scheduler, int64_t now_ns)
{
    if (watch->kill_ns == 0) {
        watch->kill_ns = now_ns;
        copi_interrupt_map();
    }
    atomic_store_explicit(&scheduler->impatient, now_ns - watch->kill_ns >= IMPATIENT_NS,
                          memory_order_relaxed);
    copi_interrupt_send(atomic_load(&scheduler->thread));
}

static void report_hog(const struct watch *watch, struct scheduler *scheduler, cop_pid pid,
                       int64_t now_ns)
{
    char buffer[4096], name[COP_NAME_MAX + 1];
    struct text text = copi_text(buffer, sizeof buffer);
    copi_text_add(&text, "has held its thread for %lld ms",
                  (long long)((now_ns - watch->since_ns) / 1000000));
    copi_backtrace_add_quickly(&text, &scheduler->hog.crash);   /* others wait for the monitor */
    bool named = cop_name_of(pid, name, sizeof name);
    cop_log(&(cop_log_event){ .level = COP_LOG_WARNING, .kind = COP_LOG_TEXT, .process = pid,
                              .name = named ? name : NULL, .text = buffer });
}

static bool has_work(struct scheduler *scheduler, int64_t now_ns)
{
    return copi_run_queue_length(&scheduler->queue) > 0 || atomic_load(&scheduler->left) != NULL ||
           atomic_load_explicit(&scheduler->timers.first, memory_order_relaxed) <= now_ns;
}

/* Whether somebody waits for the scheduler to come back, or for whom it stands in. */
static bool is_missed(struct scheduler *scheduler, int64_t now_ns)
{
    struct scheduler *principal = copi_spare_stands_for(scheduler);
    return has_work(scheduler, now_ns) || (principal != NULL && has_work(principal, now_ns));
}

/* Whether it will not come back soon, and is not just kept from running by a busy machine. */
static bool is_gone(struct watch *watch, struct scheduler *scheduler, int64_t now_ns)
{
    int64_t cpu_ns = copi_thread_cpu_ns(atomic_load(&scheduler->thread));
    if (watch->cpu_ns == 0)
        watch->cpu_ns = cpu_ns;
    return cpu_ns - watch->cpu_ns >= COMPUTED_NS || now_ns - watch->since_ns >= WAITED_NS;
}

static void look_at(struct watch *watch, struct scheduler *scheduler, int64_t now_ns)
{
    uint64_t ticks = atomic_load_explicit(&scheduler->ticks, memory_order_relaxed);
    struct process *process = copi_current(scheduler);
    if (process == NULL || ticks != watch->ticks) {
        *watch = (struct watch){ .ticks = ticks, .since_ns = now_ns };
        atomic_store(&scheduler->since_ns, now_ns);
        copi_queue_is_back(scheduler);
        return;
    }
    bool doomed = atomic_load_explicit(&process->doomed, memory_order_relaxed);
    bool missed = is_missed(scheduler, now_ns);
    bool gone = (doomed || missed) && is_gone(watch, scheduler, now_ns);
    if (gone && doomed)
        end_turn(watch, scheduler, now_ns);
    if (gone && missed)
        copi_left_rescue(scheduler);
    if (gone && is_missed(scheduler, now_ns))
        copi_queue_stand_in(scheduler);

    int64_t hog_ns = copi_node.options.hog_ms * 1000000;
    cop_pid pid = { atomic_load(&process->pid) };
    if (hog_ns > 0 && now_ns - watch->since_ns >= hog_ns && !watch->told) {
        watch->told = true;
        atomic_store(&scheduler->look, true);
        copi_interrupt_send(atomic_load(&scheduler->thread));
    } else if (watch->told && atomic_exchange(&scheduler->seen, false)) {
        report_hog(watch, scheduler, pid, now_ns);
    }
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* As between schedulers (queue.h): who leaves its parking place writes `idle` and reads `asleep`,
 * the monitor writes `asleep` and reads `idle`; all seq_cst. */
static void rest(void)
{
    atomic_store(&monitor.asleep, true);
    bool idle = atomic_load(&copi_node.idle) == copi_node.schedulers &&
                atomic_load(&copi_node.standing_in) == 0;
    if (!idle)
        atomic_store(&monitor.asleep, false);
    if (!atomic_load(&monitor.stop))
        copi_park(&monitor.parker, idle ? -1 : COPI_TICK_NS);
    atomic_store(&monitor.asleep, false);
}

void copi_monitor_wake(void)
{
    if (atomic_load(&monitor.asleep))
        copi_unpark(&monitor.parker);
}

static void *monitor_main(void *argument)
{
    (void)argument;
    while (!atomic_load(&monitor.stop)) {
        int64_t now_ns = copi_now();
        for (int i = 0; i < copi_node.all; i++)
            look_at(&monitor.watches[i], &copi_node.scheduler[i], now_ns);
        rest();
    }
    return NULL;
}

void copi_monitor_start(void)
{
    if (copi_node.options.deterministic)
        return;
    memset(&monitor, 0, sizeof monitor);
    copi_interrupt_install(interrupted, left_library);
    monitor.runs = copi_thread_start(&monitor.thread, monitor_main, NULL) == 0;
}

void copi_monitor_stop(void)
{
    if (copi_node.options.deterministic)
        return;
    if (monitor.runs) {
        atomic_store(&monitor.stop, true);
        copi_unpark(&monitor.parker);
        pthread_join(monitor.thread, NULL);
    }
}

void copi_monitor_close(void)
{
    if (!copi_node.options.deterministic)
        copi_interrupt_remove();
}
