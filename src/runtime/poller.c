/* poller.c - processes that wait for descriptors, and the thread that waits for all of them.
 *
 * The system's poll set takes a descriptor once; the table has, by its number, those who wait for
 * it.  A waiter lies in its process's memory and is linked under the lock; the process's deferred
 * action takes it out before that memory goes.
 *
 *     OUT --join--> LISTED --a report, cop_close--> OUT, woken --process--> looks for itself
 *                     |
 *                     --time out, the process ends--> OUT
 *
 * What must stay true, under the lock:
 *   1. A descriptor with waiters is armed for all their events, or its report is about to be
 *      handled.
 *   2. One without is not armed.  It stays in the set after its report, which costs nothing and
 *      makes the next wait cheaper; who leaves last without a report takes it out.
 * A report means: look.  Whether the descriptor is ready is what copi_poll_now says to the woken
 * process, so late reports, and those of a number that is another file's by now, do no harm. */
#include "poller.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <coppice/io.h>

#include "../base/assert.h"
#include "../base/hostile.h"
#include "../platform/poll.h"
#include "node.h"
#include "wait.h"

enum { REPORTS = COPI_LIMIT(64, 1), TABLE_MIN = COPI_LIMIT(64, 1) };

_Static_assert((int)COP_READABLE == (int)COPI_POLL_READ &&
               (int)COP_WRITABLE == (int)COPI_POLL_WRITE, "events are passed through");

struct waiter {
    struct waiter *next, *previous;
    struct process *process;
    int fd;
    unsigned events;
    bool listed;
    int error;                           /* once woken */
    _Atomic bool woken;
};

static struct poller {
    pthread_mutex_t lock;
    struct waiter **table;               /* the first who waits, by descriptor */
    size_t size;
    size_t waiters;
    bool open, runs, ending;
    struct poll_set set;
    pthread_t thread;
} poller = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void lock(void)
{
    copi_enter(copi_scheduler);
    pthread_mutex_lock(&poller.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&poller.lock);
    copi_leave(copi_scheduler);
}

/* ---- the table, with the lock held ----------------------------------------------------- */

static bool make_room(int fd)
{
    size_t size = poller.size == 0 ? TABLE_MIN : poller.size;
    while (size <= (size_t)fd)
        size *= 2;
    if (size == poller.size)
        return true;
    struct waiter **table = realloc(poller.table, size * sizeof *table);
    if (table == NULL)
        return false;
    memset(table + poller.size, 0, (size - poller.size) * sizeof *table);
    poller.table = table;
    poller.size = size;
    return true;
}

static struct waiter *first_of(int fd)
{
    return fd >= 0 && (size_t)fd < poller.size ? poller.table[fd] : NULL;
}

static void add(struct waiter *waiter)
{
    struct waiter **first = &poller.table[waiter->fd];
    waiter->previous = NULL;
    waiter->next = *first;
    if (*first != NULL)
        (*first)->previous = waiter;
    *first = waiter;
    waiter->listed = true;
    poller.waiters++;
}

static void take_out(struct waiter *waiter)
{
    COP_ASSERT(waiter->listed && poller.waiters > 0);
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        poller.table[waiter->fd] = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    waiter->listed = false;
    poller.waiters--;
}

/* The waiter's memory is its process's again once it is woken: its last use here. */
static void wake(struct waiter *waiter, int error)
{
    struct process *process = waiter->process;
    take_out(waiter);
    waiter->error = error;
    atomic_exchange(&waiter->woken, true);
    copi_wake(process);
}

/* Arms for what those who wait want; 0 or the system's errno. */
static int arm(int fd)
{
    unsigned events = 0;
    for (struct waiter *waiter = first_of(fd); waiter != NULL; waiter = waiter->next)
        events |= waiter->events;
    COP_ASSERT(events != 0);
    return copi_poll_arm(&poller.set, fd, events);
}

/* Those who are left when some have gone.  If the descriptor is no more, they are told. */
static void arm_again(int fd)
{
    if (first_of(fd) == NULL || arm(fd) == 0)
        return;
    while (first_of(fd) != NULL)
        wake(first_of(fd), COP_OK);      /* they will see for themselves */
}

static void handle(struct poll_report report)
{
    struct waiter *next;
    for (struct waiter *waiter = first_of(report.fd); waiter != NULL; waiter = next) {
        next = waiter->next;
        if (waiter->events & report.events)
            wake(waiter, COP_OK);
    }
    arm_again(report.fd);
}

/* ---- the thread ------------------------------------------------------------------------ */

bool copi_poller_look(int timeout_ms)
{
    struct poll_report reports[REPORTS];
    int count = copi_poll_wait(&poller.set, reports, REPORTS, timeout_ms);
    lock();
    for (int i = 0; i < count; i++)
        handle(reports[i]);
    unlock();
    return count > 0;
}

static bool is_ending(void)
{
    lock();
    bool ending = poller.ending;
    unlock();
    return ending;
}

static void *poller_run(void *unused)
{
    while (!is_ending())
        copi_poller_look(-1);
    return unused;
}

/* With the lock held: whatever is needed for the first to wait. */
static bool start(void)
{
    if (!poller.open)
        poller.open = copi_poll_open(&poller.set);
    if (poller.open && !poller.runs && !copi_node.options.deterministic)
        poller.runs = copi_helper_start(&poller.thread, poller_run, NULL);
    return poller.open && (poller.runs || copi_node.options.deterministic);
}

size_t copi_poller_waiters(void)
{
    lock();
    size_t waiters = poller.waiters;
    unlock();
    return waiters;
}

void copi_poller_end(void)
{
    lock();
    COP_ASSERT(poller.waiters == 0);
    poller.ending = true;
    bool open = poller.open, runs = poller.runs;
    unlock();
    if (runs) {
        copi_poll_ring(&poller.set);
        pthread_join(poller.thread, NULL);
    }
    if (open)
        copi_poll_close(&poller.set);
    lock();
    free(poller.table);
    poller.table = NULL;
    poller.size = 0;
    poller.open = poller.runs = poller.ending = false;
    unlock();
}

/* ---- a process waits ------------------------------------------------------------------- */

static int error_of(int system_error)
{
    switch (system_error) {
    case 0: return COP_OK;
    case EBADF: return COP_ECLOSED;
    case ENOMEM:
    case ENOSPC: return COP_ENOMEM;
    default: return COP_EINVAL;
    }
}

static int join(struct waiter *waiter)
{
    lock();
    int error = start() && make_room(waiter->fd) ? COP_OK : COP_ENOMEM;
    if (error == COP_OK) {
        add(waiter);
        error = error_of(arm(waiter->fd));
        if (error != COP_OK) {
            take_out(waiter);
            arm_again(waiter->fd);
        }
    }
    unlock();
    return error;
}

static void leave(void *argument)
{
    struct waiter *waiter = argument;
    lock();
    if (waiter->listed) {
        take_out(waiter);
        if (first_of(waiter->fd) == NULL)
            copi_poll_disarm(&poller.set, waiter->fd);
        else
            arm_again(waiter->fd);
    }
    unlock();
}

/* Until the descriptor may be ready, or the deadline. */
static int await(struct process *self, int fd, unsigned events, int64_t deadline)
{
    struct waiter *waiter = cop_alloc(sizeof *waiter);
    *waiter = (struct waiter){ .process = self, .fd = fd, .events = events };
    cop_deferred *deferred = cop_defer(leave, waiter);
    int error = join(waiter);
    if (error == COP_OK) {
        copi_wait(self, &waiter->woken, deadline);
        error = atomic_load(&waiter->woken) ? waiter->error : COP_OK;
    }
    cop_undefer(deferred, true);
    cop_free(waiter);
    return error;
}

int cop_wait_fd(int fd, unsigned events, int64_t timeout_ms, unsigned *ret_events)
{
    struct process *self = copi_self_checked("cop_wait_fd");
    if (events == 0 || (events & ~(unsigned)(COP_READABLE | COP_WRITABLE)) != 0)
        return COP_EINVAL;
    copi_wait_turn();
    int64_t deadline = copi_deadline(timeout_ms);
    for (;;) {
        int ready = copi_poll_now(fd, events);
        if (ready < 0)
            return COP_ECLOSED;
        if (ready > 0) {
            if (ret_events != NULL)
                *ret_events = (unsigned)ready;
            return COP_OK;
        }
        if (deadline != COPI_NEVER && copi_now() >= deadline)
            return COP_ETIMEOUT;
        int error = await(self, fd, events, deadline);
        if (error != COP_OK)
            return error;
    }
}

int cop_close(int fd)
{
    lock();
    if (first_of(fd) != NULL) {
        copi_poll_disarm(&poller.set, fd);
        while (first_of(fd) != NULL)
            wake(first_of(fd), COP_ECLOSED);
    }
    unlock();
    if (close(fd) == 0 || errno == EINTR)
        return COP_OK;
    return errno == EBADF ? COP_ECLOSED : COP_EIO;
}
