/* sim.c - what a simulation decides, and what it checks. */
#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "../base/assert.h"
#include "mailbox.h"
#include "name.h"
#include "node.h"
#include "queue.h"
#include "reason.h"
#include "relation.h"
#include "sim_state.h"
#include "wait.h"

enum { MILLION = 1000000, NS_OF_MS = 1000000 };

bool copi_sim_runs;
struct sim copi_sim;

/* ---- what fails ------------------------------------------------------------------------ */

/* The first one stays.  All processes are killed then. */
static void fail(const char *name, const char *detail)
{
    struct sim_record *record = copi_sim.record;
    if (copi_sim.over || record->failure[0] != '\0')
        return;
    copi_sim.over = true;
    snprintf(record->failure, sizeof record->failure, "%s", name);
    snprintf(record->detail, sizeof record->detail, "%s", detail);
    record->failed_step = record->steps;
    record->failed_ns = copi_node.virtual_ns;
    cop_halt(1);
}

void cop_sim_fail(const char *name, const char *format, ...)
{
    char detail[sizeof copi_sim.record->detail];
    va_list arguments;
    if (!copi_sim_runs)
        return;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    fail(name, detail);
}

/* Only a broken runtime comes here again: a process that was killed does not end. */
void copi_sim_standstill(void)
{
    COP_ASSERT(!copi_sim.over && "a simulated node comes to its end");
    char detail[64];
    snprintf(detail, sizeof detail, "%zu processes wait, and nothing can wake them",
             cop_process_count());
    fail("standstill", detail);
}

/* ---- deciding -------------------------------------------------------------------------- */

static void trace(uint64_t what)
{
    uint64_t *hash = &copi_sim.record->trace;
    *hash = (*hash ^ what) * 0x9e3779b97f4a7c15u;
    *hash ^= *hash >> 29;
}

static bool is_struck(const struct process *process)
{
    return (process->flags & (PROCESS_DYING | PROCESS_SPARED)) == 0 &&
           !cop_pid_equal(copi_pid(process), copi_node.main);
}

/* Whether the plan has it here; with its value. */
static bool replays(enum cop_sim_kind kind, int64_t *ret_value)
{
    const cop_sim_options *options = &copi_sim.options;
    uint64_t moment = copi_sim.record->moments[kind];
    size_t at = copi_sim.next[kind];
    while (at < options->plan_count &&
           (options->plan[at].kind != kind || options->plan[at].moment < moment))
        at++;
    copi_sim.next[kind] = at;
    if (at == options->plan_count || options->plan[at].moment > moment)
        return false;
    *ret_value = options->plan[at].value;
    return true;
}

/* Whether it is decided at this moment; its value is below `values`, or one from the plan. */
static bool decides(enum cop_sim_kind kind, uint64_t values, int64_t *ret_value)
{
    if (copi_sim.over || copi_sim.record->decisions == COP_SIM_PLAN_MAX)
        return false;
    copi_sim.record->moments[kind]++;
    if (copi_sim.options.plan != NULL)
        return replays(kind, ret_value);
    uint32_t chance = copi_sim.options.chance[kind];
    if (chance == 0 || copi_random_below(&copi_sim.random, MILLION) >= chance)
        return false;
    *ret_value = (int64_t)copi_random_below(&copi_sim.random, values);
    return true;
}

static void decided(enum cop_sim_kind kind, int64_t value, cop_pid process)
{
    struct sim_record *record = copi_sim.record;
    record->plan[record->decisions++] =
        (cop_sim_decision){ record->moments[kind], kind, value, process };
    trace(record->moments[kind] << 8 | (uint64_t)kind);
    trace((uint64_t)value);
}

bool copi_sim_draw(enum cop_sim_kind kind, uint64_t values, int64_t *ret_value)
{
    return decides(kind, values, ret_value);
}

void copi_sim_note(enum cop_sim_kind kind, int64_t value, cop_pid process)
{
    decided(kind, value, process);
}

bool copi_sim_strikes(const struct process *process)
{
    return is_struck(process);
}

/* ---- faults in a process --------------------------------------------------------------- */

static void interrupt(struct process *self)
{
    int64_t none;
    if (!decides(COP_SIM_INTERRUPT, 1, &none) ||
        copi_run_queue_length(&copi_scheduler->queue) == 0)
        return;
    decided(COP_SIM_INTERRUPT, 0, copi_pid(self));
    copi_sim.quiet = true;
    copi_switch(EVENT_YIELD);
}

/* The allocator's callers hold locks of the C library. */
void copi_sim_moment(void)
{
    struct process *self = copi_self();
    int64_t none;
    if (copi_sim.quiet || copi_sim.over || copi_scheduler->allocating > 0 ||
        (self->flags & (PROCESS_DYING | PROCESS_MUST_NOT_WAIT)) != 0)
        return;
    if (decides(COP_SIM_CRASH, 1, &none) && is_struck(self)) {
        decided(COP_SIM_CRASH, 0, copi_pid(self));
        copi_sim.quiet = true;
        cop_raise("simulated crash");
    }
    interrupt(self);
}

bool copi_sim_decides(enum cop_sim_kind kind)
{
    struct process *self = copi_self();
    int64_t none;
    if (self == NULL || copi_sim.over || copi_scheduler->critical > 0 || !is_struck(self))
        return false;
    if (!decides(kind, 1, &none))
        return false;
    decided(kind, 0, copi_pid(self));
    return true;
}

void cop_sim_spare(void)
{
    copi_self_checked("cop_sim_spare")->flags |= PROCESS_SPARED;
}

bool cop_simulated(void)
{
    return copi_sim_runs;
}

struct random *copi_sim_random(const struct process *process)
{
    cop_pid pid = copi_pid(process);
    struct sim_dice *dice = &copi_sim.dice[pid.bits % SIM_DICE];
    if (cop_pid_equal(dice->pid, pid))
        return &dice->random;
    if (copi_process_alive(dice->pid) != NULL)      /* there are many processes */
        return &copi_scheduler->random;
    dice->pid = pid;
    copi_random_seed(&dice->random, copi_node.options.seed ^ pid.bits << 8);
    return &dice->random;
}

/* ---- checking -------------------------------------------------------------------------- */

static int add_check(const char *name, cop_sim_holds *holds, void *context, bool settled)
{
    copi_self_checked("cop_sim_check");
    if (!copi_sim_runs)
        return COP_OK;
    if (copi_sim.check_count == COP_SIM_CHECKS_MAX)
        return COP_ELIMIT;
    copi_sim.checks[copi_sim.check_count++] =
        (struct sim_check){ name, holds, context, settled };
    return COP_OK;
}

int cop_sim_check(const char *name, cop_sim_holds *holds, void *context)
{
    return add_check(name, holds, context, false);
}

int cop_sim_check_settled(const char *name, cop_sim_holds *holds, void *context)
{
    return add_check(name, holds, context, true);
}

static void check_all(bool settled)
{
    char detail[sizeof copi_sim.record->detail];
    for (size_t i = 0; i < copi_sim.check_count && !copi_sim.over; i++) {
        const struct sim_check *check = &copi_sim.checks[i];
        detail[0] = '\0';
        if (check->settled == settled && !check->holds(check->context, detail, sizeof detail))
            fail(check->name, detail);
    }
}

static void check_names(void)
{
    const char *stale = copi_names_stale();
    if (stale != NULL)
        fail("a name leads to a living process", stale);
}

/* Whoever has something to look at is in the queue, for none runs now. */
static void check_wakeups(struct run_queue *queue)
{
    size_t awake = 0, queued = copi_sim.hung_count;
    size_t used = atomic_load(&copi_processes.used);
    for (size_t i = 0; i < used; i++) {
        const struct signal *incoming = atomic_load(&copi_processes.slots[i].incoming);
        awake += incoming != COPI_CLOSED && incoming != COPI_WAITING;
    }
    for (const struct process *at = queue->head; at != NULL; at = at->next)
        queued += atomic_load(&at->incoming) != COPI_CLOSED;
    if (awake != queued)
        fail("no wake-up is lost", "a process has something to look at and is in no queue");
}

static void check_timer(struct timer *timer)
{
    cop_pid owner;
    if (timer->kind == TIMER_SEND)
        owner.bits = copi_relation_of_timer(timer)->signal->target;
    else
        owner = copi_pid(copi_wait_of_timer(timer)->process);
    if (copi_process_alive(owner) == NULL)
        fail("a timer belongs to a living process", "");
}

static void check_timers(const struct timer_heap *heap)
{
    const struct wheel *wheel = &heap->wheel;
    for (uint32_t i = 1; i <= heap->count; i++)
        check_timer(heap->entries[i].timer);
    for (int i = 0; wheel->count > 0 && i < COPI_WHEEL_LEVELS * COPI_WHEEL_BUCKETS; i++)
        for (struct wheel_node *node = wheel->buckets[i]; node != NULL; node = node->next)
            check_timer(&((struct relation_timer *)((char *)node - offsetof(struct relation_timer,
                                                                            node)))->timer);
}

static void check_step(struct scheduler *scheduler)
{
    if (!copi_sim.stepped || copi_sim.over)
        return;
    copi_sim.stepped = false;
    check_wakeups(&scheduler->queue);
    check_names();
    check_timers(&scheduler->timers);
    check_all(false);
}

void copi_sim_told(void)
{
    if (!copi_sim.over)
        check_names();
}

void copi_sim_left(size_t stacks, size_t blocks)
{
    struct sim_record *record = copi_sim.record;
    if ((stacks == 0 && blocks == 0) || record->failure[0] != '\0')
        return;
    snprintf(record->failure, sizeof record->failure, "nothing is left at the end");
    snprintf(record->detail, sizeof record->detail, "%zu stacks, %zu blocks", stacks, blocks);
    record->failed_step = record->steps;
    record->failed_ns = copi_node.virtual_ns;
}

/* ---- between two turns ----------------------------------------------------------------- */

/* The process `index` places behind the first one in the table that may be struck, around in a
 * circle; NULL: there is none. */
struct process *copi_sim_victim(uint64_t index)
{
    size_t used = atomic_load(&copi_processes.used), count = 0;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < used; i++) {
            struct process *process = &copi_processes.slots[i];
            if (atomic_load(&process->pid) == 0 || !is_struck(process))
                continue;
            if (round == 1 && index-- == 0)
                return process;
            count++;
        }
        if (count == 0)
            return NULL;
        index %= count;
    }
    return NULL;
}

static void strike(void)
{
    int64_t value;
    if (decides(COP_SIM_KILL, 1 << 16, &value)) {
        struct process *process = copi_sim_victim((uint64_t)value);
        if (process != NULL) {
            cop_pid pid = copi_pid(process);
            decided(COP_SIM_KILL, value, pid);
            copi_signal_send(pid, copi_signal_new(SIGNAL_EXIT, COP_NO_PID, 0, COP_KILL));
        }
    }
    if (decides(COP_SIM_SLOW, (uint64_t)(copi_sim.options.slow_ms * NS_OF_MS), &value)) {
        decided(COP_SIM_SLOW, value, COP_NO_PID);
        copi_node.virtual_ns += value;
    }
    copi_sim_strike();
}

/* Which place in the queue is next. */
static uint64_t choose(uint32_t length)
{
    int64_t skip = 0;
    if (!decides(COP_SIM_ORDER, length, &skip))
        return 0;
    skip %= length;                 /* a plan's queue may have been longer */
    if (skip == 0)
        return 0;
    decided(COP_SIM_ORDER, skip, COP_NO_PID);
    return (uint64_t)skip;
}

struct process *copi_sim_next(struct scheduler *scheduler)
{
    struct sim_record *record = copi_sim.record;
    copi_sim.quiet = false;
    check_step(scheduler);
    if (atomic_load(&copi_node.stopping))
        copi_sim.over = true;
    copi_sim_return(scheduler);
    if (copi_run_queue_length(&scheduler->queue) == 0)
        return NULL;
    strike();
    copi_sim_return(scheduler);                      /* who was killed, too */
    uint32_t length = copi_run_queue_length(&scheduler->queue);
    struct process *process = copi_run_queue_take_at(&scheduler->queue, choose(length));
    if (copi_sim_hangs(process))
        return NULL;
    copi_sim.stepped = true;
    trace(copi_pid(process).bits);
    trace((uint64_t)copi_node.virtual_ns);
    if (++record->steps == copi_sim.options.max_steps)
        fail("the run comes to an end", "max_steps are over");
    return process;
}

int64_t copi_sim_settled(void)
{
    int64_t late;
    if (copi_sim.over)
        return 0;
    check_all(true);
    if (!decides(COP_SIM_LATE, (uint64_t)(copi_sim.options.late_ms * NS_OF_MS), &late))
        return 0;
    decided(COP_SIM_LATE, late, COP_NO_PID);
    return late;
}
