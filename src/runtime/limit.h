/* limit.h - what a process may take: room in its mailbox, memory.
 *
 * A process with a limit has a record of these, made for its slot and the slot's for ever, so that
 * a sender that followed a pid to it may read it at any time; a process without one has none, or
 * one that says so.
 *
 * Counted are the messages that somebody sends of their own accord (a plain message, a cast, a
 * request).  What the process asked for or must hear is neither counted nor ever dropped: exits,
 * downs, all other signals, replies, what comes through an alias, timers' and system messages.
 *
 * `count` is the senders': raised before the push, lowered when the message has left.  `held`, the
 * counted messages in the mailbox, is the owner's; by it alone it is decided whom to let go on, so
 * no sender waits for a word that another thread writes.  docs/internals/limits.md has the
 * argument. */
#ifndef COPI_LIMIT_H
#define COPI_LIMIT_H

#include "process.h"

struct limits {
    /* -- read and written by all -- */
    _Atomic uint64_t bound;                /* the limit << 8 | enum cop_when_full; 0: none */
    _Atomic uint32_t count;                /* SIGNAL_COUNTED that are not yet taken */
    _Atomic uint32_t lock;                 /* 1: somebody takes from incoming or reads it */
    _Atomic(struct signal *) older;        /* swept: newest first, all older than incoming */
    _Atomic uint64_t dropped;

    /* -- the owner's -- */
    size_t max_memory;                     /* 0: none */
    uint32_t held;                         /* SIGNAL_COUNTED in the mailbox */
    uint32_t waiting;                      /* senders that wait for room: */
    struct signal *waiters;                /* their SIGNAL_ROOM_WANTED, oldest first */
    struct signal **waiters_end;
};

/* What becomes of a message that is sent. */
enum copi_sent {
    SENT,                  /* it is on its way */
    SENT_AND_WAIT,         /* it is; the sender is to call copi_limit_wait */
    SENT_TO_THE_DEAD,      /* this and the following: it is still the sender's, to be freed */
    SENT_IN_VAIN,          /* dropped: nobody is told */
    SENT_FULL              /* COP_EFULL */
};

/* A process's record, if it has one. */
static inline struct limits *copi_limits(const struct process *process)
{
    struct extras *extras = copi_extras(process);
    return extras == NULL ? NULL : atomic_load_explicit(&extras->limits, memory_order_acquire);
}

static inline void copi_limit_dropped(struct limits *limits)
{
    atomic_fetch_add_explicit(&limits->dropped, 1, memory_order_relaxed);
}

/* ---- the owner's ----------------------------------------------------------------------- */

/* Whether when_full is one. */
static inline bool copi_limit_valid(const cop_mailbox_bound *bound)
{
    return (unsigned)bound->when_full <= COP_MAILBOX_BLOCK;
}

/* At birth, before anybody knows the process.  False without memory.  Where none is wanted, and the
 * slot has no record from before, there is nothing to do. */
bool copi_limits_set(struct process *process, const cop_spawn_options *options);

static inline bool copi_limits_init(struct process *process, const cop_spawn_options *options)
{
    if (__builtin_expect(copi_extras(process) == NULL && options->max_memory == 0 &&
                         options->mailbox.limit == 0, 1))
        return true;
    return copi_limits_set(process, options);
}

/* A counted message: takes it off the count, the one that was not in the mailbox and the one that
 * was. */
void copi_limit_take_off(struct process *process, struct signal *signal);
void copi_limit_make_room(struct process *process, struct signal *signal);

/* A message, counted or not, has been appended to the mailbox. */
static inline void copi_limit_appended(struct process *process, const struct signal *signal)
{
    if (signal->flags & SIGNAL_COUNTED)
        copi_limits(process)->held++;
}

/* It has left the mailbox. */
static inline void copi_limit_left(struct process *process, struct signal *signal)
{
    if (signal->flags & SIGNAL_COUNTED)
        copi_limit_make_room(process, signal);
}

/* It came to nothing without having been there. */
static inline void copi_limit_uncount(struct process *process, struct signal *signal)
{
    if (signal->flags & SIGNAL_COUNTED)
        copi_limit_take_off(process, signal);
}

/* Somebody wants room; takes the signal over. */
void copi_limit_room_wanted(struct process *process, struct signal *signal);

/* How many messages are too many now, of those that may be dropped when they are the oldest. */
uint32_t copi_limit_excess(const struct limits *limits);

/* Whether the process, which has a record, may have that much more memory. */
bool copi_limit_allows(struct process *process, size_t more);

/* At the end: lets all go on who wait. */
void copi_limits_end(struct process *process);

/* ---- the senders' ---------------------------------------------------------------------- */

/* Before the push; for SENT and SENT_AND_WAIT the message may be counted now. */
enum copi_sent copi_limit_admit(struct process *process, struct limits *limits,
                                struct signal *signal);

/* After it: if the receiver has not looked for long, takes the oldest of what is to be dropped out,
 * for the sender to free. */
struct signal *copi_limit_pushed(struct process *process, struct limits *limits);

/* [process] Waits until the receiver has room for what was sent last, or is dead. */
void copi_limit_wait(cop_pid target);

/* ---- who takes from incoming, or looks through it --------------------------------------- */

static inline bool copi_limit_try_lock(struct limits *limits)
{
    return atomic_exchange_explicit(&limits->lock, 1, memory_order_acquire) == 0;
}

void copi_limit_lock(struct limits *limits);

static inline void copi_limit_unlock(struct limits *limits)
{
    atomic_store_explicit(&limits->lock, 0, memory_order_release);
}

#endif
