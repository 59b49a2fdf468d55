/* scheduler.h - threads that run processes.
 *
 * Each scheduler has a run queue.  It takes from its own first, then from the others' (never a
 * process that holds a stack: that one is pinned to its home, which it leaves only for a deputy),
 * then parks.
 *
 * A process runs on a stack of its own kind, never on the thread's.  The scheduler keeps one
 * warm stack and lends it to whichever process runs next; the process hands it back when it
 * is done or keeps it when it blocks in the middle.
 *
 * Behind the schedulers lie the spares, in the same array: one stands in for a scheduler, or for
 * another spare, whose process does not come back (monitor.h). */
#ifndef COPI_SCHEDULER_H
#define COPI_SCHEDULER_H

#include <pthread.h>
#include <signal.h>

#include "../base/hostile.h"
#include "../base/random.h"
#include "../base/slab.h"
#include "../platform/fault.h"
#include "../platform/platform.h"
#include "../platform/thread_variable.h"
#include "crash.h"
#include "near_clock.h"
#include "process.h"
#include "run_queue.h"
#include "stack.h"
#include "timer.h"

enum { COPI_SCHEDULERS_MAX = 64, COPI_BUDGET = 1000 /* messages a turn */ };

/* Why a process came back to its scheduler. */
enum switch_event {
    EVENT_NONE,
    EVENT_WAIT,      /* wants a signal or its timer; keeps the stack */
    EVENT_IDLE,      /* the same, but has done with the stack */
    EVENT_YIELD,     /* wants to go on; keeps the stack */
    EVENT_TURN,      /* wants to go on; has done with the stack */
    EVENT_BECOME,    /* has become a server: its stack is to be started anew */
    EVENT_END,       /* is DYING; has done with the stack */
    EVENT_EXIT,      /* is DYING; its stack is to be started anew */
    EVENT_CRASH,     /* a fault; the scheduler's crash has it */
    EVENT_KILL       /* it did not come back by itself and was killed */
};

/* Processes born, no longer found, and gone, on this thread so far; written by it alone. */
struct life_counts {
    _Atomic size_t born, ended, gone;
};

/* Slots of the process table for the next ones who are born on this thread. */
struct free_slots {
    struct process *head;
    struct process *spare;            /* NULL, or a full magazine */
    uint32_t count;                   /* at head */
};

/* What an idle scheduler sees of the others. */
struct lookout {
    int64_t since_ns;
    uint64_t ticks[2 * COPI_SCHEDULERS_MAX];     /* theirs at that time */
    struct scheduler *victim;         /* to be stolen from next, or NULL */
    bool lone;                        /* from that one also the only one that may be moved */
    bool tempted;                     /* saw several waiting that it was not worth to steal */
    bool in_vain;                     /* there was none that may be stolen */
    bool rested;                      /* has slept its time */
    bool drowsy;                      /* the next snooze is a long one */
};

struct scheduler {
    /* -- the owner's -- */
    int index;
    pthread_t started_as;             /* its creator's, to join it */
    _Atomic(pthread_t) thread;        /* set by itself; the monitor reads it */
    bool started;                     /* of a spare: it has a thread; the monitor's */
    _Atomic(struct process *) current;    /* the monitor looks at it */
    unsigned critical;                /* > 0: in the runtime's own work; no fault is contained */
    unsigned allocating;              /* of that: in the C library's allocator */
    char *stack_limit;                /* below: too little stack to start such work */
    int budget;
    struct context context;           /* the thread's own stack */
    struct stack *stack;              /* the one in use */
    struct stack *warm;               /* one of class 0 to lend next, or NULL */
    bool direct;                      /* processes may switch to each other; scheduler.c */
    struct process *leaving;          /* is left by the switch under way; scheduler.c */
    enum switch_event leaving_by;
    struct process *chosen;           /* taken out of the queue, to be run next; or NULL */
    struct stack_pool stacks;
    struct slab_cache *slab;
    struct near_clock clock;
    struct random random;
    struct crash_record crash;
    struct fault_thread fault_thread;
    sigset_t mask;                    /* its thread's, outside of signal handlers */
    struct crash_record hog;          /* where its turn was when the monitor looked */
    struct lookout lookout;           /* queue.c's, like the next one */
    bool was_idle;                    /* has run nothing since it was parked */
    struct free_slots free_slots;     /* table.c's, like the next one */
    size_t headroom;                  /* so many spawns before the limit is looked at again */
    /* -- shared -- */
    struct timer_heap timers;
    struct run_queue queue;
    struct parker parker;
    _Atomic bool parked;
    _Atomic bool snoozes;             /* parked, not to be woken to look at several that wait */
    _Atomic uint64_t ticks;           /* processes run so far */
    struct life_counts lives;         /* table.c's */
    _Atomic(struct process *) left;   /* waits, and nobody else knows it yet; scheduler.c */
    _Atomic bool lost;                /* stuck in a turn: its deputy runs what is in its queue */
    _Atomic(struct scheduler *) deputy;      /* the spare that stands in for it, or NULL */
    _Atomic(struct scheduler *) principal;   /* of a spare: whom it stands in for, or NULL */
    _Atomic bool look, seen;          /* the monitor's: note where the turn is; noted */
    _Atomic bool impatient;           /* the monitor's: see interrupt.h */
    _Atomic int64_t since_ns;         /* the monitor's: when it first saw this turn */
};

/* The calling thread's scheduler, or NULL.  Not to be kept over a switch by code whose stack
 * may be entered by another thread (only scheduler.c's entry function is such code). */
extern COPI_THREAD_VARIABLE(struct scheduler *, copi_scheduler_of_thread);
#define copi_scheduler COPI_OF_THIS_THREAD(copi_scheduler_of_thread)

/* The process that it runs, or NULL. */
static inline struct process *copi_current(struct scheduler *scheduler)
{
    return atomic_load_explicit(&scheduler->current, memory_order_relaxed);
}

/* The running process, or NULL. */
static inline struct process *copi_self(void)
{
    return copi_scheduler == NULL ? NULL : copi_current(copi_scheduler);
}

/* The process that calls, which must exist, or the call has no meaning. */
__attribute__((noreturn)) void copi_not_in_process(const char *function);

static inline struct process *copi_self_checked(const char *function)
{
    struct process *self = copi_self();
    if (__builtin_expect(self == NULL, 0))
        copi_not_in_process(function);
    return self;
}

/* Brackets around the runtime's own work in a process: a fault inside means that the node is
 * broken.  Entering makes sure that there is stack for it; if not, the process overflows here,
 * where it does no harm.  A simulation has its say here too. */
__attribute__((cold)) void copi_enter_slowly(void);

/* Where the stack was looked at already.  The fences are for the compiler: the handler of a fault
 * reads `critical` on this very thread, between any two instructions. */
static inline void copi_enter_checked(struct scheduler *scheduler)
{
    scheduler->critical++;
    atomic_signal_fence(memory_order_seq_cst);
}

/* What entering makes sure of alone, for work that breaks nothing if it ends in the middle. */
static inline void copi_have_stack(struct scheduler *scheduler)
{
    char *frame = __builtin_frame_address(0);
    if (scheduler != NULL && __builtin_expect(frame < scheduler->stack_limit, 0) &&
        scheduler->critical == 0 && copi_current(scheduler) != NULL &&
        frame >= scheduler->stack->memory)
        copi_enter_slowly();
}

static inline void copi_enter(struct scheduler *scheduler)
{
    if (scheduler != NULL) {
        copi_have_stack(scheduler);
        copi_enter_checked(scheduler);
    }
}
static inline void copi_leave(struct scheduler *scheduler)
{
    if (scheduler != NULL) {
        atomic_signal_fence(memory_order_seq_cst);
        scheduler->critical--;
    }
}

/* [process] Back to the scheduler.  Returns when the process runs again; never for IDLE, TURN,
 * BECOME and EXIT. */
void copi_switch(enum switch_event event);

/* [any thread] Wakes a process: a signal is there for it, or its timer has fired. */
void copi_wake(struct process *process);

/* [any thread] Puts a RUNNABLE process into a queue. */
void copi_enqueue(struct process *process);

/* By the scheduler's own thread, in a process or in the loop: makes the process, if it is the one
 * that was left last, the caller's: in no queue, awake. */
static inline bool copi_left_claim(struct scheduler *scheduler, const struct process *process)
{
    if (atomic_load_explicit(&scheduler->left, memory_order_relaxed) != process)
        return false;
    copi_biased_owner_lock(&scheduler->queue.lock);
    bool claimed = atomic_load_explicit(&scheduler->left, memory_order_relaxed) == process;
    if (claimed)
        atomic_store_explicit(&scheduler->left, NULL, memory_order_relaxed);
    copi_biased_owner_unlock(&scheduler->queue.lock);
    return claimed;
}

/* By the monitor: settles what was left at a scheduler that does not come back. */
void copi_left_rescue(struct scheduler *scheduler);

/* Runs processes until the node ends; the second is a spare's. */
void copi_scheduler_run(struct scheduler *scheduler);
void copi_spare_run(struct scheduler *spare);

bool copi_scheduler_init(struct scheduler *scheduler, int index, uint64_t seed);
void copi_scheduler_deinit(struct scheduler *scheduler);

/* The slab of the calling thread, NULL if it has none. */
static inline struct slab_cache *copi_slab(void)
{
    return copi_scheduler == NULL ? NULL : copi_scheduler->slab;
}

#endif
