/* process.h - the process itself, and the table of all of them.
 *
 * All processes live in one reserved array, so that a pid's index leads to its process without
 * a table; the memory stays a process's for ever (used again, never unmapped while the node
 * runs), so a pointer found through a pid can always be read.  What it points to may be
 * a successor by then: `pid` and signal.h's `target` tell.
 *
 * There may be millions of them, most of which do nothing most of the time.  So a process has at
 * hand what every one needs; for the rest it has two records, made when they are needed: one for
 * its waits, which goes with it, and one of what few processes have, which stays with the slot.
 *
 * Pid: generation << 24 | index.  Generations start at 1, so no pid is 0; a generation has 40
 * bits and is never used twice for an index.
 *
 * What a process is doing is said by `incoming`, the stack of signals that it has not received,
 * so that who pushes a signal learns in the same instruction whether somebody must be woken:
 *
 *   COPI_CLOSED     not alive: the slot is free, or its process tells others of its end
 *   COPI_WAITING    in no queue; there was nothing to look at.  Who replaces this, and nobody else,
 *                   puts the process into a run queue
 *   NULL, signals   runnable, in exactly one run queue, or running: a scheduler is in it, and only
 *                   that one touches the owner's fields
 *   COPI_NUDGED     the same without signals; something else came that it is to look at
 *
 *      CLOSED --publish--> NULL --wait_begins--> WAITING
 *        ^                 | ^                     |
 *        +------close------+ +---push, copi_wake---+
 *
 * docs/internals/processes.md has the argument. */
#ifndef COPI_PROCESS_H
#define COPI_PROCESS_H

#include <stdatomic.h>

#include <coppice/process.h>

#include "../base/arena.h"
#include "../base/hash.h"
#include "signal.h"
#include "timer.h"

enum { COPI_INDEX_BITS = 24 };

enum process_flag {
    PROCESS_TRAPS = 1,         /* trap_exit */
    PROCESS_SERVES = 2,        /* entry is a handler (cop_become) */
    PROCESS_DYING = 4,         /* has an exit_reason; runs its deferred actions */
    PROCESS_KEPT = 8,          /* the handler keeps its message */
    PROCESS_REPORT = 16,       /* a crash report is due */
    PROCESS_MARK = 32,         /* wait->mark is set */
    PROCESS_GATHERED = 64,     /* DYING, and incoming was looked through */
    PROCESS_MUST_NOT_WAIT = 128,   /* is in a function of the program's that must not */
    PROCESS_SPARED = 256,      /* a simulation's faults pass it by */
    PROCESS_MARK_TYPE = 512,   /* it is of a type */
    PROCESS_TIMERS = 1024,     /* has made timers: they are to be stopped */
    PROCESS_LINKED = 2048      /* has had links: who is linked to it is to be told */
};

/* What a process has from the first time that it waits with a time limit, or makes a reference to
 * receive by, until its end: wait.h.  The owner's, and who fires the timer follows `process`. */
struct wait_record {
    struct timer timer;                    /* of the current wait */
    struct process *process;
    int64_t serve_deadline;                /* when the handler wants NULL */
    struct signal **mark;                  /* receives by mark_key start here, if PROCESS_MARK */
    uint64_t mark_key;                     /* a reference's serial, or a type */
    uint64_t request;                      /* serial of a request of its own that monitors, or 0 */
    cop_pid requested;                     /* whom it monitors; relations have all others */
    uint8_t block_class;
};

/* What few processes have: made by the owner, and then the slot's for ever, so that any thread may
 * follow `extras` at any time.  Without a process it says that there is nothing. */
struct extras {
    _Atomic(struct limits *) limits;       /* limit.h's, the slot's for ever; NULL: none yet */
    _Atomic(struct lookup_node *) name;    /* written under the names' lock */
    struct dictionary *dictionary;         /* the owner's: dictionary.c's, or NULL */
};

struct process {
    /* -- written by the owner at birth and death, read by all -- */
    _Atomic uint64_t pid;                  /* 0: not alive */

    /* -- written by all -- */
    _Atomic(struct signal *) incoming;     /* newest first, or one of the marks below */

    /* -- the owner's: the scheduler that runs it, or whoever moved it out of WAITING -- */
    uint16_t flags;
    _Atomic bool doomed;                   /* a hint, set by all: a kill was sent to it */
    struct process *next;                  /* in a run queue or among the free */

    struct signal *mailbox;                /* received and not taken, oldest first */
    struct signal **mailbox_end;
    uint32_t mailbox_length;
    uint8_t home;                          /* the scheduler that its stack is pinned to */
    uint8_t stack_class;
    _Atomic uint16_t group;                /* written by the owner, read by all */
    struct signal *pending;                /* never to be received: for the dead to answer */

    struct stack *stack;                   /* held while blocked; NULL: none */
    union {
        cop_function *function;
        cop_handler *handler;              /* PROCESS_SERVES */
        const cop_reason *exit_reason;     /* PROCESS_DYING, which is never entered anew */
    };
    void *argument;                        /* the function's, or the handler's state */
    struct signal *owned;                  /* messages made or taken, not yet sent or freed */
    struct signal *current;                /* the one that the handler has; message.h */
    struct signal *received;               /* the last cop_receive's */
    struct wait_record *wait;              /* or NULL */

    struct hash relations;                 /* links, monitors, aliases, timers: relation.h */
    uint64_t last_serial;
    _Atomic uint64_t parent;               /* the spawner's pid; written at birth, read by all */
    union {
        uint64_t parent_alias;             /* alive: serial of the parent's reference, or 0 */
        uint64_t last_pid;                 /* not alive any more: the pid it had */
        uint64_t next_pid;                 /* FREE: the one that this slot's next process gets */
    };
    _Atomic(struct extras *) extras;       /* or NULL; any process's of this slot */
    struct arena *arena;
    struct cop_deferred *deferred;
    const char *label;
};

_Static_assert(sizeof(struct process) <= 192, "three lines of the cache, and there are millions");

/* Where there are many processes each is out of the caches when its turn comes: it is fetched while
 * the one before it has its turn.  Changes nothing. */
static inline void copi_process_expect(const struct process *process)
{
    const char *lines = (const char *)process;
    __builtin_prefetch(lines, 1);
    __builtin_prefetch(lines + 64, 1);
    __builtin_prefetch(lines + 128, 1);
}

/* What `incoming` says when it is no signal. */
#define COPI_CLOSED ((struct signal *)(uintptr_t)1)
#define COPI_WAITING ((struct signal *)(uintptr_t)2)
#define COPI_NUDGED ((struct signal *)(uintptr_t)3)

/* The signals of an incoming stack, newest first. */
static inline struct signal *copi_signals(struct signal *incoming)
{
    return (uintptr_t)incoming <= (uintptr_t)COPI_NUDGED ? NULL : incoming;
}

/* ---- the table ------------------------------------------------------------------------- */

bool copi_processes_init(size_t limit);
void copi_processes_deinit(void);

/* table.c's: the slots, of which [0, used) were ever in use. */
struct process_slots {
    struct process *slots;
    _Atomic size_t used;
};
extern struct process_slots copi_processes;

/* The slot that a pid leads to, which may hold another process or none by now; NULL for a pid
 * that never was.  [any thread] */
static inline struct process *copi_process_slot(cop_pid pid)
{
    size_t index = pid.bits & ((1u << COPI_INDEX_BITS) - 1);
    if (pid.bits == 0 ||
        index >= atomic_load_explicit(&copi_processes.used, memory_order_acquire))
        return NULL;
    return &copi_processes.slots[index];
}

/* The slot if that very process is alive now.  The acquire pairs with the release in
 * copi_slot_publish: whoever sees the pid sees the incoming stack that belongs to it open.
 * [any thread] */
static inline struct process *copi_process_alive(cop_pid pid)
{
    struct process *process = copi_process_slot(pid);
    if (process == NULL || atomic_load_explicit(&process->pid, memory_order_acquire) != pid.bits)
        return NULL;
    return process;
}

/* Calls visit for each living process.  [any thread] */
void copi_processes_each(void (*visit)(struct process *));

/* The pids of the living processes, one by one, no process at the end; *cursor is 0 at first.  Who
 * is born or ends meanwhile may be among them or not.  [any thread] */
cop_pid copi_processes_next(size_t *cursor);

/* The slot's extras, made if it has none; NULL without memory.  By the owner, in the runtime's own
 * work; or before anybody knows the process. */
struct extras *copi_extras_made(struct process *process);

/* If it has any.  [any thread] */
static inline struct extras *copi_extras(const struct process *process)
{
    return atomic_load_explicit(&process->extras, memory_order_acquire);
}

size_t copi_processes_count(void);

/* The same with those that are no longer found and still tell others of their end.  [any thread] */
size_t copi_slots_in_use(void);

static inline cop_pid copi_pid(const struct process *process)
{
    cop_pid pid = { atomic_load_explicit(&process->pid, memory_order_relaxed) };
    return pid;
}

/* ---- life ------------------------------------------------------------------------------ */

/* Between what is written for the case that the read behind it faults, and that read: to a
 * compiler, which knows of no faults, the two have no order. */
static inline void copi_before_fault(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

/* Reads a byte of each page, so that a bad pointer faults in the caller's own code and not in the
 * middle of the runtime's work. */
static inline void copi_probe(const void *bytes, size_t size)
{
    const volatile char *at = bytes;
    for (size_t i = 0; i < size; i += 4096)
        (void)at[i];
    if (size > 0)
        (void)at[size - 1];
}

/* From here on it is dying; the reason is taken over.  By the owner, once. */
static inline void copi_process_dies(struct process *process, const cop_reason *reason)
{
    COP_DEBUG((process->flags & PROCESS_DYING) == 0);
    process->exit_reason = reason;
    process->flags |= PROCESS_DYING;
}

/* Ends the running process (reason taken over): by its own doing, which is reported when
 * abnormal, or by a signal. */
__attribute__((noreturn)) void copi_exit(const cop_reason *reason);
__attribute__((noreturn)) void copi_exit_by_signal(const cop_reason *reason);

/* On a stack of the process, in the state DYING: what calls the program's code.  Writes the report,
 * runs what was deferred, frees the messages.  Goes on where it was if that code crashed. */
void copi_process_cleanup(struct process *process);

/* Whether cleanup has anything to do. */
static inline bool copi_process_needs_cleanup(const struct process *process)
{
    return process->deferred != NULL || (process->flags & PROCESS_REPORT) != 0 ||
           process->owned != NULL || process->mailbox != NULL || process->received != NULL ||
           process->current != NULL;
}

/* By the scheduler: releases all that it owns, tells its links and monitors, frees the slot.  False
 * if it came upon something to clean up: to be called again after the cleanup. */
bool copi_process_finish(struct process *process);

#endif
