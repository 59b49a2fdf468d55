/* queue.c - see queue.h. */
#include "queue.h"

#include <stdio.h>

#include "../base/assert.h"
#include "blocking.h"
#include "monitor.h"
#include "node.h"
#include "poller.h"
#include "sim.h"

/* An idle scheduler looks around so often, with so many pauses between, before it parks: some 10 to
 * 100 us, as long as the processor's pauses are; about what it costs to be woken. */
enum { SPINS = COPI_LIMIT(200, 1), PAUSES = COPI_LIMIT(8, 1) };

enum { WATCH_NS = 5000000, WATCH_MS = 5, NAP_NS = 100000, STANDSTILL_BYTES = 96 };

/* A turn that is long; a wait for turns that is. */
enum { LONG_TURN_NS = COPI_LIMIT(50000, 0), BACKLOG_NS = COPI_LIMIT(200000, 0) };

/* ---- waking ---------------------------------------------------------------------------- */

/* No signal is there, but something else that the process looks at.  One that runs is left a mark,
 * which makes its attempt to wait fail; one that has signals to look at does not need it. */
void copi_wake(struct process *process)
{
    if (copi_scheduler != NULL && copi_left_claim(copi_scheduler, process)) {
        copi_enqueue(process);
        return;
    }
    struct signal *head = atomic_load(&process->incoming);
    for (;;) {
        if (head == COPI_WAITING) {
            if (atomic_compare_exchange_weak(&process->incoming, &head, NULL)) {
                copi_enqueue(process);
                return;
            }
        } else if (head == NULL) {
            if (atomic_compare_exchange_weak(&process->incoming, &head, COPI_NUDGED))
                return;
        } else {
            return;
        }
    }
}

static void wake_one_idle(bool snoozing_too)
{
    for (int i = 0; i < copi_node.schedulers; i++) {
        struct scheduler *scheduler = &copi_node.scheduler[i];
        if (atomic_load(&scheduler->parked) &&
            (snoozing_too || !atomic_load(&scheduler->snoozes))) {
            copi_unpark(&scheduler->parker);
            return;
        }
    }
}

/* Wakes whoever runs what is queued at `home` and may sleep, or an idle one that may steal it. */
static void wake_somebody(struct scheduler *home, struct scheduler *self, uint32_t length)
{
    struct scheduler *deputy = atomic_load(&home->lost) ? atomic_load(&home->deputy) : NULL;
    if (deputy != NULL)
        copi_unpark(&deputy->parker);
    else if (home != self && atomic_load(&home->parked))
        copi_unpark(&home->parker);
    else if (atomic_load(&copi_node.idle) > 0 &&
             (length > 1 || atomic_load(&copi_node.watchers) == 0))
        wake_one_idle(false);
}

void copi_enqueue_elsewhere(struct process *process)
{
    struct scheduler *self = copi_scheduler;
    struct scheduler *home = &copi_node.scheduler[process->stack != NULL ? process->home : 0];
    copi_enter(self);
    copi_run_queue_post(&home->queue, process);
    wake_somebody(home, self, copi_run_queue_length(&home->queue));
    copi_leave(self);
}

void copi_enqueued(struct scheduler *self, uint32_t length)
{
    copi_enter(self);
    wake_somebody(self, self, length);
    copi_leave(self);
}

void copi_enqueue(struct process *process)
{
    copi_enqueue_here(copi_scheduler, process);
}

/* ---- choosing -------------------------------------------------------------------------- */

/* Moves up to half of a queue's stackless processes to the running scheduler; returns one. */
static struct process *steal_from(struct scheduler *thief, struct run_queue *queue)
{
    struct process *stolen[COPI_STEAL_MAX];
    uint32_t count = copi_run_queue_steal(queue, thief->lookout.lone, stolen);
    for (uint32_t i = 1; i < count; i++) copi_run_queue_put(&thief->queue, stolen[i]);
    return count == 0 ? NULL : stolen[0];
}

/* Begins to watch how fast the others get on. */
static void look_out(struct scheduler *scheduler)
{
    for (int i = 0; i < copi_node.all; i++)
        scheduler->lookout.ticks[i] =
            atomic_load_explicit(&copi_node.scheduler[i].ticks, memory_order_relaxed);
    scheduler->lookout.since_ns = copi_now();
    scheduler->lookout.tempted = scheduler->lookout.in_vain = scheduler->lookout.rested = false;
}

/* Whether to move half of those who wait at the victim: a single one if its scheduler is in a long
 * turn, several also if it would take them long to have theirs, or have been waiting all the time;
 * in that case a lone one that may be moved stays with those that may not, who most likely wait for
 * it.  Where turns are short it costs more to fetch a process and its data from another processor's
 * cache than to wait. */
static bool worth_stealing(struct scheduler *thief, struct scheduler *victim)
{
    int64_t length = copi_run_queue_length(&victim->queue);
    if (length == 0)
        return false;
    int64_t watched_ns = copi_now() - thief->lookout.since_ns;
    int64_t turns = (int64_t)(atomic_load_explicit(&victim->ticks, memory_order_relaxed) -
                              thief->lookout.ticks[victim->index]);
    bool lone = turns == 0 ? watched_ns >= LONG_TURN_NS
                           : length > 1 && length * watched_ns / turns >= BACKLOG_NS;
    bool worth = lone || (turns > 0 && length > 1 && watched_ns >= WATCH_NS);
    thief->lookout.lone = lone;
    thief->lookout.tempted |= length > 1 && !worth;
    return worth;
}

/* Looks around for one to steal from. */
static bool find_victim(struct scheduler *thief)
{
    int others = copi_node.all;
    int first = (int)copi_random_below(&thief->random, (uint64_t)others);
    for (int i = 0; i < others; i++) {
        struct scheduler *victim = &copi_node.scheduler[(first + i) % others];
        if (victim != thief && worth_stealing(thief, victim)) {
            thief->lookout.victim = victim;
            return true;
        }
    }
    return false;
}

/* From the one that was found, or else from any other where it is worth it. */
static struct process *steal(struct scheduler *thief)
{
    struct scheduler *victim = thief->lookout.victim;
    thief->lookout.victim = NULL;
    if (victim == NULL)
        return NULL;
    struct process *process = steal_from(thief, &victim->queue);
    for (int i = 1; process == NULL && i < copi_node.all; i++) {
        struct scheduler *other = &copi_node.scheduler[(victim->index + i) % copi_node.all];
        if (other != thief && worth_stealing(thief, other))
            process = steal_from(thief, &other->queue);
    }
    thief->lookout.in_vain = process == NULL;
    return process;
}

/* One less is idle, and it was perhaps the watcher, or has taken but one of several: while
 * others are idle, one of them is to watch in its place. */
static void replace_watcher(void)
{
    if (atomic_load(&copi_node.idle) > 0 && atomic_load(&copi_node.watchers) == 0)
        wake_one_idle(true);
}

struct process *copi_queue_drawn(struct scheduler *scheduler)
{
    if (copi_sim_runs)
        return copi_sim_next(scheduler);
    return copi_run_queue_take_any(&scheduler->queue, &scheduler->random);
}

struct process *copi_queue_next(struct scheduler *scheduler)
{
    struct process *process = copi_queue_own(scheduler);
    if (process == NULL)
        process = steal(scheduler);
    if (process != NULL && scheduler->was_idle) {
        scheduler->was_idle = false;
        replace_watcher();
    }
    return process;
}

/* ---- idling ---------------------------------------------------------------------------- */

/* Something to run, or an end of it. */
static bool is_wanted(struct scheduler *scheduler)
{
    return !atomic_load(&copi_node.running) || copi_run_queue_length(&scheduler->queue) > 0;
}

/* Whether somewhere there are several, which are to be looked at. */
static bool several_wait(struct scheduler *scheduler)
{
    for (int i = 0; i < copi_node.all && copi_node.schedulers > 1; i++)
        if (i != scheduler->index && copi_run_queue_length(&copi_node.scheduler[i].queue) > 1)
            return true;
    return false;
}

static int64_t time_to_sleep(struct scheduler *scheduler, bool watching, bool snoozes)
{
    int64_t first = atomic_load_explicit(&scheduler->timers.first, memory_order_relaxed);
    bool naps = snoozes && !scheduler->lookout.drowsy;
    int64_t sleep = naps ? NAP_NS : watching || snoozes ? WATCH_NS : -1;
    if (first != COPI_NEVER) {
        int64_t left = first - copi_now();
        if (left < 0)
            left = 0;
        if (sleep < 0 || left < sleep)
            sleep = left;
    }
    return sleep;
}

/* Becomes the watcher if others work and nobody watches. */
static bool try_to_watch(void)
{
    int none = 0;
    return atomic_load(&copi_node.idle) < copi_node.schedulers &&
           atomic_compare_exchange_strong(&copi_node.watchers, &none, 1);
}

/* Whether work came in sight within a little while: a wake-up costs more than that. */
static bool spin(struct scheduler *scheduler)
{
    for (int i = 0; i < SPINS; i++) {
        for (int j = 0; j < PAUSES; j++) copi_pause();
        if (is_wanted(scheduler) || find_victim(scheduler))
            return true;
    }
    return false;
}

/* Whether there is something to do.  Who has slept its time has watched for long enough. */
static bool look_around(struct scheduler *scheduler)
{
    struct lookout *lookout = &scheduler->lookout;
    bool rested = lookout->rested, in_vain = lookout->in_vain;
    look_out(scheduler);
    lookout->tempted = in_vain;
    lookout->drowsy |= in_vain;
    if (in_vain)
        return false;
    return copi_node.spins && !rested ? spin(scheduler) : find_victim(scheduler);
}

/* One that was tempted in vain snoozes: it is not woken for such again before its time is over.
 * That is short at first, and shows better than a moment's spinning how the others get on. */
static void park(struct scheduler *scheduler)
{
    bool snoozes = scheduler->lookout.tempted;
    atomic_fetch_add(&copi_node.idle, 1);
    atomic_store(&scheduler->snoozes, snoozes);
    atomic_store(&scheduler->parked, true);
    bool watching = try_to_watch();
    if (copi_node.schedulers > 1)
        copi_fence_heavy();         /* who posts to a single one makes a full fence itself */
    bool woken = is_wanted(scheduler) || (!snoozes && several_wait(scheduler)) ||
                 copi_park(&scheduler->parker, time_to_sleep(scheduler, watching, snoozes));
    atomic_store(&scheduler->parked, false);
    atomic_fetch_sub(&copi_node.idle, 1);
    copi_monitor_wake();
    if (watching)
        atomic_fetch_sub(&copi_node.watchers, 1);
    scheduler->was_idle = true;
    scheduler->lookout.rested = !woken && (watching || snoozes);
    scheduler->lookout.tempted = false;
    bool found = scheduler->lookout.rested && find_victim(scheduler);
    scheduler->lookout.drowsy = snoozes && !woken && !found;
}

/* ---- standing in ----------------------------------------------------------------------- */

struct scheduler *copi_spare_stands_for(struct scheduler *spare)
{
    struct scheduler *principal = atomic_load(&spare->principal);
    return principal != NULL && atomic_load(&principal->lost) ? principal : NULL;
}

struct process *copi_spare_next(struct scheduler *spare, struct scheduler *lost)
{
    uint64_t ticks = atomic_load_explicit(&spare->ticks, memory_order_relaxed);
    bool lost_first = lost != NULL && (ticks & 1) != 0;     /* in turn, so that neither starves */
    struct process *process = lost_first ? copi_run_queue_take_for(&lost->queue) : NULL;
    if (process == NULL)
        process = copi_queue_own(spare);
    if (process == NULL && lost != NULL)
        process = copi_run_queue_take_for(&lost->queue);
    return process;
}

static int64_t nearer(struct scheduler *scheduler, int64_t first)
{
    int64_t other = atomic_load_explicit(&scheduler->timers.first, memory_order_relaxed);
    return other < first ? other : first;
}

/* As in park: whoever queues a process writes the length and then reads `lost` and `deputy`, and
 * unparks in any case; a token that comes before the park is not lost. */
void copi_spare_idle(struct scheduler *spare, struct scheduler *lost)
{
    int64_t first = nearer(spare, COPI_NEVER);
    if (lost != NULL)
        first = nearer(lost, first);
    int64_t left_ns = first == COPI_NEVER ? -1 : first - copi_now();
    if (first != COPI_NEVER && left_ns <= 0)
        return;
    atomic_store(&spare->parked, true);
    atomic_fetch_sub(&copi_node.standing_in, 1);
    copi_fence_heavy();
    lost = copi_spare_stands_for(spare);
    bool work = copi_run_queue_length(&spare->queue) > 0 || !atomic_load(&copi_node.running) ||
                (lost != NULL && copi_run_queue_length(&lost->queue) > 0);
    if (!work)
        copi_park(&spare->parker, left_ns);
    atomic_fetch_add(&copi_node.standing_in, 1);
    atomic_store(&spare->parked, false);
    copi_monitor_wake();
}

/* One that does not stand in for anybody; NULL if all do, or the system has no more threads. */
static struct scheduler *free_spare(void)
{
    for (int i = copi_node.schedulers; i < copi_node.all; i++) {
        struct scheduler *spare = &copi_node.scheduler[i];
        bool is_free = atomic_load(&spare->principal) == NULL && !atomic_load(&spare->lost) &&
                       (!spare->started || atomic_load(&spare->parked));
        if (is_free)
            return copi_spare_start(spare) ? spare : NULL;
    }
    return NULL;
}

static void dismiss_deputy(struct scheduler *scheduler)
{
    struct scheduler *deputy = atomic_exchange(&scheduler->deputy, NULL);
    if (deputy != NULL)
        atomic_store(&deputy->principal, NULL);
}

/* It takes the mark off itself after a turn, unless the mark came just after that turn; it may be
 * parked then, and whoever has queued a process there meanwhile has woken the deputy alone.  So it
 * is woken here, after the mark is off. */
void copi_queue_is_back(struct scheduler *scheduler)
{
    if (atomic_load(&scheduler->lost)) {
        atomic_store(&scheduler->lost, false);
        copi_unpark(&scheduler->parker);
    }
    dismiss_deputy(scheduler);
}

void copi_queue_stand_in(struct scheduler *scheduler)
{
    if (!atomic_load(&scheduler->lost))
        dismiss_deputy(scheduler);
    struct scheduler *before = atomic_load(&scheduler->deputy);
    if (before != NULL && !atomic_load(&before->lost))
        return;
    struct scheduler *deputy = free_spare();
    if (deputy == NULL)
        return;                         /* the queue waits, as it would without spares */
    if (before != NULL)
        atomic_store(&before->principal, NULL);
    atomic_store(&deputy->principal, scheduler);
    atomic_store(&scheduler->deputy, deputy);
    atomic_store(&scheduler->lost, true);
    copi_unpark(&deputy->parker);
}

/* Nothing can run before the next timer is due, so that is the time now. */
static bool jump(struct scheduler *scheduler)
{
    int64_t first = atomic_load_explicit(&scheduler->timers.first, memory_order_relaxed);
    if (first == COPI_NEVER || copi_run_queue_length(&scheduler->queue) > 0)
        return false;
    if (copi_sim_runs)
        first += copi_sim_settled();
    if (first > copi_node.virtual_ns)
        copi_node.virtual_ns = first;
    copi_timers_fire(&scheduler->timers, copi_node.virtual_ns);
    return true;
}

/* All processes wait and there is no timer.  A thread of the program's own may still send
 * something, and is waited for; where there is none, it is said once that nothing will happen. */
static void tell_standstill(const struct scheduler *scheduler)
{
    if (scheduler->was_idle || copi_run_queue_length(&scheduler->queue) > 0 ||
        !copi_only_threads(1 + copi_blocking_threads()))
        return;
    char text[STANDSTILL_BYTES];
    snprintf(text, sizeof text, "standstill: %zu processes wait, and nothing can wake them",
             cop_process_count());
    cop_log(&(cop_log_event){ .level = COP_LOG_ERROR, .kind = COP_LOG_TEXT, .text = text });
}

void copi_scheduler_idle(struct scheduler *scheduler)
{
    if (copi_node.options.deterministic) {
        if (copi_sim_runs && copi_sim_returns(scheduler, atomic_load(&scheduler->timers.first)))
            return;
        bool descriptors = copi_poller_waiters() > 0;
        if ((descriptors && copi_poller_look(0)) || jump(scheduler))
            return;
        if (descriptors) {
            copi_poller_look(WATCH_MS);   /* no longer: others may send something */
            return;
        }
        if (copi_sim_runs) {
            if (copi_run_queue_length(&scheduler->queue) == 0)
                copi_sim_standstill();
            return;
        }
        tell_standstill(scheduler);
    }
    if (copi_node.schedulers > 1 && look_around(scheduler))
        return;
    park(scheduler);
}
