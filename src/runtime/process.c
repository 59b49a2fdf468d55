/* process.c - the life of a process: spawn, exit, release. */
#include "process.h"

#include <stdarg.h>
#include <string.h>

#include <coppice/log.h>

#include "../base/assert.h"
#include "crash_report.h"
#include "dictionary.h"
#include "family.h"
#include "limit.h"
#include "mailbox.h"
#include "memory.h"
#include "message.h"
#include "name.h"
#include "node.h"
#include "queue.h"
#include "reason.h"
#include "relation.h"
#include "sim.h"
#include "table.h"
#include "wait.h"

/* ---- who runs -------------------------------------------------------------------------- */

void copi_not_in_process(const char *function)
{
    copi_misused(function, "was called outside of a process");
}

cop_pid cop_self(void)
{
    struct process *self = copi_self();
    return self == NULL ? COP_NO_PID : copi_pid(self);
}

cop_ref cop_parent_alias(void)
{
    struct process *self = copi_self_checked("cop_parent_alias");
    if (self->parent_alias == 0)
        return COP_NO_REF;
    cop_ref alias = { cop_parent(), self->parent_alias };
    return alias;
}

bool cop_is_alive(cop_pid pid)
{
    return copi_process_alive(pid) != NULL;
}

size_t cop_process_count(void)
{
    return copi_processes_count();
}

void cop_set_label(const char *label)
{
    copi_self_checked("cop_set_label")->label = label;
}

const char *cop_label(void)
{
    return copi_self_checked("cop_label")->label;
}

bool cop_trap_exit(bool on)
{
    struct process *self = copi_self_checked("cop_trap_exit");
    copi_mailbox_drain(self);     /* what has arrived was received under the old setting */
    bool was = (self->flags & PROCESS_TRAPS) != 0;
    if (on)
        self->flags |= PROCESS_TRAPS;
    else
        self->flags &= (uint16_t)~PROCESS_TRAPS;
    return was;
}

/* ---- spawn ----------------------------------------------------------------------------- */

/* What a free slot does not say already (table.h). */
static inline void init(struct process *process, const struct process *parent,
                        cop_function *function, const void *argument,
                        const cop_spawn_options *options, int stack_class)
{
    process->flags = options->trap_exit ? PROCESS_TRAPS : 0;
    atomic_store_explicit(&process->doomed, false, memory_order_relaxed);
    process->home = 0;
    process->stack_class = (uint8_t)stack_class;
    process->function = function;
    process->argument = (void *)argument;
    process->last_serial = 0;
    copi_family_init(process, parent);
    process->label = options->label;
}

/* The argument's copy in the new process's memory, or the argument itself; false without memory. */
static inline bool copy_argument(struct slab_cache *slab, struct process *process,
                                 const void **argument, size_t size)
{
    if (size == 0)
        return true;
    void *copy = copi_arena_alloc(&process->arena, slab, size);
    if (copy == NULL)
        return false;
    *argument = memcpy(copy, *argument, size);
    return true;
}

/* Kills a process that was born while the node was being stopped; pairs with the sweep in
 * node.c: it sets stopping and then, with the heavy fence between, reads pids; this wrote the pid
 * and now reads stopping. */
static inline void check_stopping(cop_pid pid)
{
    copi_fence_light();
    if (__builtin_expect(atomic_load(&copi_node.stopping), 0))
        copi_signal_send(pid, copi_signal_new(SIGNAL_EXIT, COP_NO_PID, 0, COP_KILL));
}

static inline cop_pid spawn(struct scheduler *scheduler, struct process *self,
                            cop_function *function, const void *argument, size_t size,
                            const cop_spawn_options *options, int stack_class)
{
    struct process *process = copi_slot_take(scheduler);
    if (process == NULL)
        return COP_NO_PID;
    struct slab_cache *slab = scheduler == NULL ? NULL : scheduler->slab;
    if (!copy_argument(slab, process, &argument, size) || !copi_limits_init(process, options)) {
        copi_arena_destroy(&process->arena, slab);
        copi_slot_give(scheduler, process);
        return COP_NO_PID;
    }
    init(process, self, function, argument, options, stack_class);
    cop_pid pid = copi_slot_publish(scheduler, process);
    if (options->link)
        copi_link_born(self, process);
    if (options->monitor) {
        cop_ref ref = copi_monitor_born(self, process, options->alias_mode);
        if (options->alias_mode != COP_ALIAS_NONE)
            process->parent_alias = ref.serial;
    }
    check_stopping(pid);
    copi_enqueue_here(scheduler, process);
    return pid;
}

cop_pid cop_spawn_opt(cop_function *function, const void *argument, size_t size,
                      const cop_spawn_options *options)
{
    copi_turn();
    struct scheduler *scheduler = copi_scheduler;
    struct process *self = scheduler == NULL ? NULL : copi_current(scheduler);
    int stack_class = options->stack_bytes == 0 ? 0 : copi_stack_class(options->stack_bytes);
    if (!atomic_load_explicit(&copi_node.running, memory_order_relaxed) || function == NULL ||
        stack_class < 0 || !copi_limit_valid(&options->mailbox) ||
        (unsigned)options->alias_mode > COP_ALIAS_ACK ||
        ((options->link || options->monitor) && self == NULL) ||
        copi_sim_fails(COP_SIM_NO_PROCESS))
        return COP_NO_PID;
    copi_probe(argument, size);
    if (options->monitor)
        copi_mailbox_mark(self, self->last_serial + 1);
    copi_enter(scheduler);
    cop_pid pid = spawn(scheduler, self, function, argument, size, options, stack_class);
    copi_leave(scheduler);
    if (options->monitor && options->ret_ref != NULL && !cop_pid_is_none(pid))
        *options->ret_ref = (cop_ref){ copi_pid(self), self->last_serial };
    return pid;
}

cop_pid cop_spawn(cop_function *function, const void *argument, size_t size)
{
    static const cop_spawn_options plain = { .link = false };
    return cop_spawn_opt(function, argument, size, &plain);
}

cop_pid cop_spawn_link(cop_function *function, const void *argument, size_t size)
{
    static const cop_spawn_options linked = { .link = true };
    return cop_spawn_opt(function, argument, size, &linked);
}

cop_pid cop_spawn_monitor(cop_function *function, const void *argument, size_t size,
                          cop_ref *ret_ref)
{
    return cop_spawn_opt(function, argument, size,
                         &(cop_spawn_options){ .monitor = true, .ret_ref = ret_ref });
}

/* ---- serving, yielding, sleeping ------------------------------------------------------- */

void cop_become(cop_handler *handler, void *state)
{
    struct process *self = copi_self_checked("cop_become");
    if (self->flags & PROCESS_DYING)
        copi_exit(COP_NORMAL);              /* only a deferred action ends here */
    if (self->current != NULL && (self->flags & PROCESS_KEPT) == 0)
        copi_message_free_held(self, &self->current);   /* its handler does not return */
    self->current = NULL;
    self->handler = handler;
    self->argument = state;
    self->flags |= PROCESS_SERVES;
    copi_switch(EVENT_BECOME);
    __builtin_unreachable();
}

void cop_become_timeout(int64_t timeout_ms)
{
    struct process *self = copi_self_checked("cop_become_timeout");
    int64_t deadline = copi_deadline(timeout_ms);
    if (deadline == COPI_NEVER && self->wait == NULL)
        return;
    struct wait_record *wait = copi_wait_record(self);
    if (wait == NULL)
        copi_wait_no_memory();
    wait->serve_deadline = deadline;
}

void cop_message_keep(cop_message *message)
{
    struct process *self = copi_self_checked("cop_message_keep");
    if (self->current == NULL || message != &self->current->message)
        cop_raise("badarg: cop_message_keep: not the message of this handler");
    if ((self->flags & PROCESS_KEPT) == 0)
        copi_message_own(self, self->current);
    self->flags |= PROCESS_KEPT;
}

void cop_yield(void)
{
    struct process *self = copi_self_checked("cop_yield");
    copi_switch(EVENT_YIELD);
    copi_mailbox_drain(self);
}

void cop_sleep(int64_t ms)
{
    static const cop_message_type nothing = { "nothing", 0, NULL };
    struct process *self = copi_self_checked("cop_sleep");
    copi_mailbox_take(self, &(cop_match){ .type = &nothing }, copi_deadline(ms));
}

/* ---- exit ------------------------------------------------------------------------------ */

void copi_exit_by_signal(const cop_reason *reason)
{
    struct process *self = copi_self();
    COP_ASSERT(self != NULL && copi_scheduler->critical == 0);
    if (self->flags & PROCESS_DYING)
        cop_reason_unref(reason);       /* a process ends once: the first reason stays */
    else
        copi_process_dies(self, reason);
    copi_switch(EVENT_EXIT);
    __builtin_unreachable();
}

void copi_exit(const cop_reason *reason)
{
    struct process *self = copi_self_checked("cop_exit");
    if ((self->flags & PROCESS_DYING) == 0 && cop_reason_abnormal(reason))
        self->flags |= PROCESS_REPORT;
    copi_exit_by_signal(reason);
}

void cop_exit(const cop_reason *reason)
{
    copi_exit(reason);
}

void cop_raise(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const cop_reason *reason = copi_reason_error_of(format, arguments);
    va_end(arguments);
    copi_exit(reason);
}

void cop_exit_process(cop_pid pid, const cop_reason *reason)
{
    struct process *self = copi_self();
    copi_turn();
    (void)cop_reason_kind_of(reason);   /* a bad pointer is the sender's crash */
    copi_enter(copi_scheduler);
    copi_signal_send(pid, copi_signal_new(SIGNAL_EXIT, cop_self(), 0, reason));
    copi_leave(copi_scheduler);
    if (self != NULL && cop_pid_equal(pid, copi_pid(self)))
        copi_mailbox_drain(self);       /* to itself it takes effect before this returns */
}

/* ---- the end --------------------------------------------------------------------------- */

/* One after another: a drop function may crash, and the others are called all the same. */
static void free_messages(struct process *process)
{
    process->current = process->received = NULL;
    while (process->owned != NULL)
        copi_signal_free(process->owned);
    copi_mailbox_free(process);
}

static void report_crash(const struct process *process, const cop_crash_report *report)
{
    cop_log_event event = { .level = COP_LOG_ERROR,
                            .kind = COP_LOG_CRASH,
                            .reason = process->exit_reason,
                            .report = report };
    if (report != NULL) {
        event.label = report->label;
        event.message_type = report->message_type;
    }
    cop_log(&event);
}

void copi_process_cleanup(struct process *process)
{
    COP_ASSERT(process->flags & PROCESS_DYING);
    copi_message_own_held(process);
    if (process->flags & PROCESS_REPORT) {
        const cop_crash_report *report = copi_crash_report_make(process);
        report_crash(process, report);
        cop_crash_report_unref(report);
    }
    copi_deferred_run(process);
    copi_relations_stop_timers(process);
    free_messages(process);
}

/* What its timers have not sent, and what was sent and never received: that once only.  What comes
 * later is found when incoming is closed; who sends without end does not keep it from dying.
 * Returns whether there was anything, as leave does. */
static inline bool gather(struct process *process)
{
    bool some = (process->flags & PROCESS_TIMERS) != 0;
    if (process->wait != NULL)
        copi_wait_record_free(process);
    if (some)
        copi_relations_stop_timers(process);
    if ((process->flags & PROCESS_GATHERED) == 0)
        some |= copi_mailbox_gather(process);
    process->flags |= PROCESS_GATHERED;
    return some;
}

static inline void release(struct process *process)
{
    if (copi_extras(process) != NULL) {
        copi_name_release(process);
        copi_dictionary_deinit(process);
    }
    if (process->arena != NULL)
        copi_arena_destroy(&process->arena, copi_slab());
}

/* From here on it does not exist for others. */
static inline bool leave(struct scheduler *scheduler, struct process *process)
{
    uint64_t pid = copi_pid(process).bits;
    if (pid == 0)
        return false;                   /* left already, and cleaned up after that */
    process->last_pid = pid;
    copi_slot_unpublish(scheduler, process);
    return copi_mailbox_close(process);
}

static inline void tell(struct scheduler *scheduler, struct process *process)
{
    const cop_reason *reason = process->exit_reason;
    cop_pid pid = { process->last_pid };
    if (copi_extras(process) != NULL)
        copi_limits_end(process);
    if (process->pending != NULL)
        copi_mailbox_dead(process);
    if (cop_pid_equal(pid, copi_node.main))
        copi_node_main_ended(reason);
    if (copi_sim_runs)
        copi_sim_told();
    if (process->relations.count > 0 || (process->flags & PROCESS_LINKED) != 0)
        copi_relations_tell(process, pid, reason);
    if (reason != COP_NORMAL)
        cop_reason_unref(reason);
    copi_slot_retire(scheduler, process, pid);
}

/* What it owns goes first; then it stops to exist for others; then those who care are told.  A step
 * that brings up work for the cleanup waits for it, and is passed over when it is done. */
bool copi_process_finish(struct process *process)
{
    struct scheduler *scheduler = copi_scheduler;
    COP_ASSERT((process->flags & PROCESS_DYING) != 0 && process->exit_reason != NULL);
    COP_ASSERT(process->stack == NULL);
    if (copi_process_needs_cleanup(process))
        return false;
    if (gather(process) && copi_process_needs_cleanup(process))
        return false;
    release(process);
    if (leave(scheduler, process) && copi_process_needs_cleanup(process))
        return false;
    tell(scheduler, process);
    return true;
}
