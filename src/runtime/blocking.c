/* blocking.c - functions that block, on threads of a pool.
 *
 * A job, and who has it:
 *
 *     QUEUED --thread--> RUNNING --returned--> DONE --caller--> freed by the caller
 *       |                   |                    |
 *       caller leaves       caller leaves        caller leaves
 *       v                   v                    v
 *     freed by it        ABANDONED            discarded and freed by it
 *                           |
 *                           returned: discarded and freed by the thread
 *
 * The state is under the pool's lock.  The caller's hold on its job is a deferred action, so it
 * leaves however it ends.  While the job is not ABANDONED its caller lives, so that it is the
 * right process that is woken.  The pool is static: a thread that is left behind by the end of a
 * node finds the lock there when its function returns after all. */
#include "blocking.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/blocking.h>

#include "../base/assert.h"
#include "memory.h"
#include "node.h"
#include "wait.h"

enum job_state { JOB_NEW, JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_ABANDONED };

struct job {
    struct job *next, *previous;       /* in the queue */
    struct process *process;
    cop_blocking_function *function;
    cop_cleanup *discard;              /* or NULL */
    cop_cleanup *release;              /* of what the caller has lent and left behind, or NULL */
    void *lent;
    void *argument;                    /* the copy, or the caller's */
    enum job_state state;
    _Atomic bool done;                 /* DONE; for the caller to wait on */
    _Alignas(max_align_t) char copy[];
};

/* A process's hold on its job, in its own memory. */
struct call {
    struct job *job;
    cop_deferred *lent;                /* or NULL */
    bool taken;                        /* the result is the caller's */
};

struct worker {
    struct worker *next;
    pthread_t thread;
    struct fault_thread fault_thread;
    bool busy;                         /* in a function */
    bool left;                         /* the node has ended without it */
};

/* All under the lock.  Invariants: queued jobs are linked from first to last; idle threads wait for
 * `work`; who queues a job has started a thread if there were more jobs than idle threads and fewer
 * threads than there may be. */
static struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct job *first, *last;
    int queued;
    struct worker *workers;
    int threads, idle, busy;
    bool ending;
    struct parker ender;               /* rung when a function returns */
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .done = PTHREAD_COND_INITIALIZER,
};

static _Thread_local bool blocking_here __attribute__((tls_model("initial-exec")));

bool copi_blocking_here(void)
{
    return blocking_here;
}

void copi_blocking_forked(void)
{
    blocking_here = false;
}

static void lock(void)
{
    copi_enter(copi_scheduler);
    pthread_mutex_lock(&pool.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&pool.lock);
    copi_leave(copi_scheduler);
}

int copi_blocking_threads(void)
{
    lock();
    int threads = pool.threads;
    unlock();
    return threads;
}

/* ---- the queue, with the lock held ----------------------------------------------------- */

static void append(struct job *job)
{
    job->next = NULL;
    job->previous = pool.last;
    if (pool.last != NULL)
        pool.last->next = job;
    else
        pool.first = job;
    pool.last = job;
    pool.queued++;
    job->state = JOB_QUEUED;
}

static void take_out(struct job *job)
{
    COP_ASSERT(job->state == JOB_QUEUED && pool.queued > 0);
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        pool.first = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
    else
        pool.last = job->previous;
    pool.queued--;
    job->state = JOB_NEW;
}

/* ---- a blocking thread ----------------------------------------------------------------- */

/* The program's code, without the lock.  A child that it forked off does not come back. */
static void call_out(void (*function)(void *), void *argument)
{
    function(argument);
    if (!blocking_here)
        copi_misused("a blocking function",
                     "went on in a child of fork(2), which must exec or _exit");
}

/* The caller has gone: the result is nobody's. */
static void run_abandoned(struct job *job)
{
    pthread_mutex_unlock(&pool.lock);
    if (job->discard != NULL)
        call_out(job->discard, job->argument);
    if (job->release != NULL)
        call_out(job->release, job->lent);
    free(job);
    pthread_mutex_lock(&pool.lock);
}

static void run_job(struct worker *worker, struct job *job)
{
    take_out(job);
    job->state = JOB_RUNNING;
    worker->busy = true;
    pool.busy++;
    pthread_mutex_unlock(&pool.lock);
    call_out(job->function, job->argument);
    pthread_mutex_lock(&pool.lock);
    if (job->state == JOB_ABANDONED) {
        run_abandoned(job);
    } else {
        COP_ASSERT(job->state == JOB_RUNNING);
        job->state = JOB_DONE;
        atomic_exchange(&job->done, true);
        copi_wake(job->process);
        pthread_cond_broadcast(&pool.done);
    }
    if (worker->left)
        return;                        /* the counts are another node's by now */
    worker->busy = false;
    pool.busy--;
    if (pool.ending)
        copi_unpark(&pool.ender);
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    bool has_stack = copi_fault_enter(&worker->fault_thread);   /* else an overflow has no report */
    blocking_here = true;
    pthread_mutex_lock(&pool.lock);
    while (!worker->left) {
        while (pool.first == NULL && !pool.ending) {
            pool.idle++;
            pthread_cond_wait(&pool.work, &pool.lock);
            pool.idle--;
        }
        if (pool.first == NULL)
            break;
        run_job(worker, pool.first);
    }
    bool left = worker->left;
    pthread_mutex_unlock(&pool.lock);
    blocking_here = false;
    if (has_stack)
        copi_fault_leave(&worker->fault_thread);
    if (left)
        free(worker);
    return NULL;
}

/* With the lock held. */
static bool start_worker(void)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return false;
    if (!copi_helper_start(&worker->thread, worker_run, worker)) {
        free(worker);
        return false;
    }
    worker->next = pool.workers;
    pool.workers = worker;
    pool.threads++;
    return true;
}

/* ---- the caller ------------------------------------------------------------------------ */

static struct job *job_new(cop_blocking_function *function, void *argument, size_t size,
                           cop_cleanup *discard)
{
    struct job *job = size > SIZE_MAX - sizeof *job ? NULL : malloc(sizeof *job + size);
    if (job == NULL)
        return NULL;
    job->process = copi_self();
    job->function = function;
    job->discard = discard;
    job->release = NULL;
    job->argument = size == 0 ? argument : memcpy(job->copy, argument, size);
    job->state = JOB_NEW;
    atomic_init(&job->done, false);
    return job;
}

/* Queues the job; false if there is no thread for it, nor any to come. */
static bool submit(struct job *job)
{
    lock();
    COP_ASSERT(!pool.ending);
    append(job);
    if (pool.queued > pool.idle && pool.threads < copi_node.options.blocking_threads)
        start_worker();
    bool accepted = pool.threads > 0;
    if (accepted)
        pthread_cond_signal(&pool.work);
    else
        take_out(job);
    unlock();
    return accepted;
}

/* A deterministic run's one scheduler does not go on before the function has returned. */
static void stand_by(struct job *job)
{
    lock();
    while (job->state != JOB_DONE)
        pthread_cond_wait(&pool.done, &pool.lock);
    unlock();
}

/* The program's code again: it may crash, and the job is freed all the same. */
static void discard_and_free(struct job *job)
{
    cop_deferred *rest = cop_defer(free, job);
    if (job->discard != NULL)
        job->discard(job->argument);
    cop_undefer(rest, true);
}

/* The function goes on alone, with what it was lent.  With the lock held. */
static void abandon(struct call *call)
{
    struct job *job = call->job;
    job->state = JOB_ABANDONED;
    if (call->lent != NULL)
        job->release = copi_deferred_action(call->lent, &job->lent);
}

/* The caller has done with its call, or is done for. */
static void hang_up(void *argument)
{
    struct call *call = argument;
    struct job *job = call->job;
    if (job == NULL)
        return;
    lock();
    enum job_state state = job->state;
    if (state == JOB_QUEUED)
        take_out(job);
    else if (state == JOB_RUNNING)
        abandon(call);
    call->job = NULL;
    unlock();
    if (state == JOB_RUNNING && call->lent != NULL)
        cop_undefer(call->lent, false);
    COP_ASSERT(state != JOB_ABANDONED && (state == JOB_DONE || !call->taken));
    if (state == JOB_NEW || state == JOB_QUEUED || call->taken)
        free(job);
    else if (state == JOB_DONE)
        discard_and_free(job);
}

static int run_call(struct call *call, int64_t timeout_ms)
{
    struct process *self = copi_self();
    struct job *job = call->job;
    if (!submit(job))
        return COP_ENOMEM;               /* hang_up frees it, as one whose caller ends before */
    if (copi_node.options.deterministic) {
        stand_by(job);
        cop_yield();
    } else {
        copi_wait(self, &job->done, copi_deadline(timeout_ms));
    }
    return atomic_load(&job->done) ? COP_OK : COP_ETIMEOUT;
}

static int call_function(cop_blocking_function *function, void *argument, size_t argument_size,
                         int64_t timeout_ms, cop_cleanup *discard, cop_deferred *lent)
{
    struct process *self = copi_self_checked("cop_blocking");
    if (self->flags & PROCESS_DYING)
        copi_exit(COP_NORMAL);          /* a deferred action must not wait: it ends here */
    if (function == NULL)
        return COP_EINVAL;
    copi_probe(argument, argument_size);
    if (copi_node.options.deterministic)
        cop_yield();
    struct call *call = cop_alloc(sizeof *call);
    call->lent = lent;
    cop_deferred *deferred = cop_defer(hang_up, call);
    copi_enter(copi_scheduler);
    call->job = job_new(function, argument, argument_size, discard);
    copi_leave(copi_scheduler);
    int error = call->job == NULL ? COP_ENOMEM : run_call(call, timeout_ms);
    if (error == COP_OK) {
        if (argument_size > 0)
            memcpy(argument, call->job->copy, argument_size);
        call->taken = true;
    }
    cop_undefer(deferred, true);
    cop_free(call);
    return error;
}

int cop_blocking(cop_blocking_function *function, void *argument, size_t argument_size)
{
    return call_function(function, argument, argument_size, COP_INFINITY, NULL, NULL);
}

int cop_blocking_within(cop_blocking_function *function, void *argument, size_t argument_size,
                        int64_t timeout_ms, cop_cleanup *discard)
{
    return call_function(function, argument, argument_size, timeout_ms, discard, NULL);
}

int cop_blocking_lend(cop_blocking_function *function, void *argument, size_t argument_size,
                      int64_t timeout_ms, cop_deferred *lent)
{
    void *thing;
    copi_deferred_action(lent, &thing);                 /* a wrong one ends the caller here */
    return call_function(function, argument, argument_size, timeout_ms, NULL, lent);
}

/* ---- the end of the node --------------------------------------------------------------- */

/* Parks until no function runs, or the time is over (< 0: none); with the lock held. */
static void wait_for_functions(int64_t wait_ms)
{
    int64_t now = copi_clock_ns();
    int64_t until = wait_ms < 0 || wait_ms > (INT64_MAX - now) / 1000000 ? INT64_MAX
                                                                         : now + wait_ms * 1000000;
    while (pool.busy > 0 && now < until) {
        pthread_mutex_unlock(&pool.lock);
        copi_park(&pool.ender, until == INT64_MAX ? -1 : until - now);
        pthread_mutex_lock(&pool.lock);
        now = copi_clock_ns();
    }
}

static void report_functions(int busy, bool waits)
{
    char text[128];
    snprintf(text, sizeof text, "%d blocking function%s not returned: the node %s %s", busy,
             busy == 1 ? " has" : "s have", waits ? "waits for" : "ends without",
             busy == 1 ? "it" : "them");
    cop_log(&(cop_log_event){ .level = COP_LOG_ERROR, .kind = COP_LOG_TEXT, .text = text });
}

/* Waits, says so, and lets those go that are still in a function.  Called with the lock held. */
static void let_go(void)
{
    int64_t wait_ms = copi_node.options.blocking_wait_ms;
    bool for_ever = wait_ms == COP_INFINITY;
    wait_for_functions(for_ever ? COPI_BLOCKING_WAIT_MS : wait_ms);
    int busy = pool.busy;
    if (busy > 0) {
        pthread_mutex_unlock(&pool.lock);
        report_functions(busy, for_ever);
        pthread_mutex_lock(&pool.lock);
    }
    if (for_ever)
        wait_for_functions(COP_INFINITY);
    struct worker **at = &pool.workers;
    while (*at != NULL) {
        struct worker *worker = *at;
        if (worker->busy) {
            *at = worker->next;
            worker->left = true;       /* it frees itself */
            pthread_detach(worker->thread);
        } else {
            at = &worker->next;
        }
    }
}

void copi_blocking_end(void)
{
    pthread_mutex_lock(&pool.lock);
    COP_ASSERT(pool.first == NULL && pool.queued == 0);
    pool.ending = true;
    pthread_cond_broadcast(&pool.work);
    let_go();
    struct worker *worker = pool.workers;
    pool.workers = NULL;
    pthread_mutex_unlock(&pool.lock);
    while (worker != NULL) {
        struct worker *next = worker->next;
        pthread_join(worker->thread, NULL);
        free(worker);
        worker = next;
    }
    pthread_mutex_lock(&pool.lock);
    COP_ASSERT(pool.idle == 0);
    pool.threads = pool.busy = 0;
    pool.ending = false;
    pthread_mutex_unlock(&pool.lock);
}
