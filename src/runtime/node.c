/* node.c - starting and ending the node; its clock and its dice. */
#include "node.h"

#include <stdlib.h>
#include <string.h>

#include <coppice/timer.h>

#include "../base/assert.h"
#include "../platform/program.h"
#include "blocking.h"
#include "crash_report.h"
#include "mailbox.h"
#include "monitor.h"
#include "name.h"
#include "poller.h"
#include "sim.h"

enum { MAX_PROCESSES = 4 * 1024 * 1024, HOG_MS = 100, CORE_FILES = 8,
       MORE_SPARES = 6 /* than schedulers */ };

struct node copi_node;

/* ---- time and chance ------------------------------------------------------------------- */

int64_t copi_now(void)
{
    return copi_node.options.deterministic ? copi_node.virtual_ns
                                           : copi_clock_ns() - copi_node.start_ns;
}

int64_t cop_now_ns(void)
{
    return copi_now();
}

int64_t cop_now_ms(void)
{
    return copi_now() / 1000000;
}

static struct random *dice(const char *function)
{
    const struct process *self = copi_self_checked(function);
    return copi_sim_runs ? copi_sim_random(self) : &copi_scheduler->random;
}

uint64_t cop_random(void)
{
    return copi_random_next(dice("cop_random"));
}

uint64_t cop_random_below(uint64_t n)
{
    struct random *random = dice("cop_random_below");
    if (n == 0)
        cop_raise("badarg: cop_random_below: 0");
    return copi_random_below(random, n);
}

double cop_random_unit(void)
{
    return copi_random_unit(dice("cop_random_unit"));
}

/* ---- the end --------------------------------------------------------------------------- */

static void kill_one(struct process *process)
{
    cop_pid pid = { atomic_load(&process->pid) };
    if (!cop_pid_is_none(pid))
        copi_signal_send(pid, copi_signal_new(SIGNAL_EXIT, COP_NO_PID, 0, COP_KILL));
}

/* The first process has ended: all others are killed.  From here on whoever is born is killed
 * by its parent (process.c), so the last one goes and copi_node_empty is called. */
void copi_node_main_ended(const cop_reason *reason)
{
    int halt = atomic_load(&copi_node.halt_status);
    copi_node.status = halt >= 0 ? halt : cop_reason_abnormal(reason) ? COP_EDOWN : 0;
    atomic_store(&copi_node.stopping, true);
    copi_processes_each(kill_one);
}

void copi_node_empty(void)
{
    if (!atomic_load(&copi_node.stopping))
        return;
    atomic_store(&copi_node.running, false);
    for (int i = 0; i < copi_node.all; i++)
        copi_unpark(&copi_node.scheduler[i].parker);
}

void cop_halt(int status)
{
    int none = -1;
    if (atomic_compare_exchange_strong(&copi_node.halt_status, &none, status & 255))
        cop_exit_process(copi_node.main, COP_KILL);
}

int cop_schedulers(void)
{
    return atomic_load(&copi_node.running) ? copi_node.schedulers : 0;
}

/* ---- the start ------------------------------------------------------------------------- */

static bool scheduler_enter(struct scheduler *scheduler)
{
    copi_scheduler = scheduler;
    copi_context_of_thread(&scheduler->context);
    atomic_store(&scheduler->thread, pthread_self());
    bool entered = copi_fault_enter(&scheduler->fault_thread);
    scheduler->mask = copi_program_mask();
    return entered;
}

static void scheduler_leave(struct scheduler *scheduler)
{
    copi_fault_leave(&scheduler->fault_thread);
    copi_scheduler = NULL;
}

/* A child of fork(2) has but one of the threads.  Its code is from now on that of a thread of the
 * program's own: it ends when it faults or returns, and does not go on as a second node. */
static void leave_after_fork(void)
{
    copi_scheduler = NULL;
    copi_blocking_forked();
}

static void watch_for_fork(void)
{
    pthread_atfork(NULL, NULL, leave_after_fork);
}

static void *scheduler_thread(void *argument)
{
    struct scheduler *scheduler = argument;
    if (scheduler_enter(scheduler)) {
        if (scheduler->index < copi_node.schedulers)
            copi_scheduler_run(scheduler);
        else
            copi_spare_run(scheduler);
        scheduler_leave(scheduler);
    }
    return NULL;
}

bool copi_spare_start(struct scheduler *spare)
{
    if (spare->started)
        return true;
    atomic_fetch_add(&copi_node.standing_in, 1);
    spare->started = copi_thread_create(&spare->started_as, scheduler_thread, spare) == 0;
    if (!spare->started)
        atomic_fetch_sub(&copi_node.standing_in, 1);
    return spare->started;
}

static int options_check(const cop_run_options *options)
{
    if (options->schedulers < 0 || options->schedulers > COPI_SCHEDULERS_MAX ||
        options->max_processes >= (size_t)1 << COPI_INDEX_BITS)
        return COP_EINVAL;
    if (options->hog_ms < -1 || options->hog_ms > COPI_NEVER / 1000000)
        return COP_EINVAL;
    if (options->shuffle && !options->deterministic)
        return COP_EINVAL;
    if (options->core_files < 0 || (options->core_directory != NULL &&
        strlen(options->core_directory) > COPI_CORE_DIRECTORY_MAX))
        return COP_EINVAL;
    if (options->blocking_threads < 0 || options->blocking_threads > COPI_BLOCKING_MAX ||
        options->blocking_wait_ms < COP_INFINITY)
        return COP_EINVAL;
    return COP_OK;
}

static void options_fill(const cop_run_options *options)
{
    memset(&copi_node, 0, sizeof copi_node);
    if (options != NULL)
        copi_node.options = *options;
    cop_run_options *filled = &copi_node.options;
    if (filled->max_processes == 0)
        filled->max_processes = MAX_PROCESSES;
    if (filled->seed == 0 && !filled->deterministic)
        filled->seed = copi_entropy();
    if (filled->blocking_threads == 0)
        filled->blocking_threads = COPI_BLOCKING_DEFAULT;
    if (filled->blocking_wait_ms == 0)
        filled->blocking_wait_ms = COPI_BLOCKING_WAIT_MS;
    int processors = copi_cpu_count();
    if (processors > COPI_SCHEDULERS_MAX)
        processors = COPI_SCHEDULERS_MAX;
    copi_node.schedulers = filled->deterministic     ? 1
                           : filled->schedulers == 0 ? processors
                                                     : filled->schedulers;
    copi_node.spins = processors > 1 && copi_node.schedulers > 1;
    int spares = copi_node.schedulers + MORE_SPARES;
    if (spares > COPI_SCHEDULERS_MAX)
        spares = COPI_SCHEDULERS_MAX;
    copi_node.all = copi_node.schedulers + (filled->deterministic ? 0 : spares);
    if (filled->core_files == 0)
        filled->core_files = CORE_FILES;
    if (filled->hog_ms == 0)
        filled->hog_ms = HOG_MS;
    atomic_store(&copi_node.halt_status, -1);
    copi_node.start_ns = copi_clock_ns();
    copi_node.pid = copi_program_pid();
}

static int node_init(void)
{
    size_t count = (size_t)copi_node.all;
    copi_fence_init();
    copi_slab_init();
    copi_slab_set_advise(copi_memory_prefer_huge);
    copi_names_init();
    copi_stacks_init();
    copi_node.scheduler = aligned_alloc(64, (count * sizeof(struct scheduler) + 63) / 64 * 64);
    if (copi_node.scheduler == NULL)
        goto no_schedulers;
    memset(copi_node.scheduler, 0, count * sizeof(struct scheduler));
    if (!copi_processes_init(copi_node.options.max_processes))
        goto no_processes;
    for (int i = 0; i < copi_node.all; i++) {
        if (!copi_scheduler_init(&copi_node.scheduler[i], i, copi_node.options.seed)) {
            while (i-- > 0)
                copi_scheduler_deinit(&copi_node.scheduler[i]);
            goto no_scheduler;
        }
    }
    return COP_OK;

no_scheduler:
    copi_processes_deinit();
no_processes:
    free(copi_node.scheduler);
no_schedulers:
    copi_stacks_deinit();
    copi_slab_deinit();
    return COP_ENOMEM;
}

static void node_deinit(void)
{
    copi_names_deinit();
    for (int i = 0; i < copi_node.all; i++)
        copi_scheduler_deinit(&copi_node.scheduler[i]);
    copi_processes_deinit();
    free(copi_node.scheduler);
    size_t stacks = copi_stacks_deinit();
    if (copi_sim_runs)
        copi_sim_left(stacks, copi_slab_in_use());
    copi_slab_deinit();
}

/* Threads for all schedulers but the first, which is the caller's; as many as the system gives. */
static void run_schedulers(void)
{
    int started = 1;
    for (; started < copi_node.schedulers; started++) {
        struct scheduler *scheduler = &copi_node.scheduler[started];
        if (copi_thread_create(&scheduler->started_as, scheduler_thread, scheduler) != 0)
            break;
    }
    copi_monitor_start();
    copi_scheduler_run(&copi_node.scheduler[0]);
    while (--started > 0)
        pthread_join(copi_node.scheduler[started].started_as, NULL);
    copi_monitor_stop();
    for (int i = copi_node.schedulers; i < copi_node.all; i++)
        if (copi_node.scheduler[i].started)
            pthread_join(copi_node.scheduler[i].started_as, NULL);
    copi_monitor_close();
}

int cop_run(cop_function *main_function, void *argument, const cop_run_options *options)
{
    static atomic_flag in_use = ATOMIC_FLAG_INIT;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int error = options == NULL ? COP_OK : options_check(options);
    if (error != COP_OK || main_function == NULL)
        return COP_EINVAL;
    if (atomic_flag_test_and_set(&in_use))
        return COP_ELIMIT;
    pthread_once(&once, watch_for_fork);
    options_fill(options);
    copi_crash_reports_forget();
    error = node_init();
    if (error != COP_OK)
        goto out;
    error = COP_ENOMEM;
    if (scheduler_enter(&copi_node.scheduler[0])) {
        copi_fault_install(copi_crash_hook);
        copi_sigpipe_take();
        atomic_store(&copi_node.running, true);
        copi_node.main = cop_spawn_opt(main_function, argument, 0,
                                       &(cop_spawn_options){ .label = "main" });
        COP_ASSERT(!cop_pid_is_none(copi_node.main));
        run_schedulers();
        copi_blocking_end();
        copi_poller_end();
        copi_fault_remove();
        copi_sigpipe_give_back();
        scheduler_leave(&copi_node.scheduler[0]);
        error = copi_node.status;
    }
    node_deinit();
out:
    atomic_flag_clear(&in_use);
    return error;
}
