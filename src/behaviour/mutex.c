/* mutex.c - a mutex is a queue of claims; the first one has it.
 *
 * A claim is one process's, in that process's memory, linked under the mutex's guard.  Its states:
 *
 *     OUT ------lock, nobody is there-----> OWNS -----unlock, the process ends-----> OUT
 *      |                                     ^
 *      +--lock, others are there--> WAITS ---+ the one before it goes: told by a message
 *                                     |
 *                                     +--time out, the process ends--> OUT
 *
 * What must stay true whenever the guard is free (sound, below):
 *   1. first and last are both there or both not; the claims are linked both ways between them.
 *   2. The first OWNS, all others WAIT.
 * and of the process: a claim that is in has its deferred action, so it goes out before its
 * memory does.
 *
 * A release must not fail, and it may be the last act of a process that died of having no memory.
 * So each claim brings along the message for the next one, made while its process was well, and
 * within the guard nothing is done but moving pointers: no call that could end the process.  One
 * that ends between its withdrawal and the message (a call of the library finds too little stack)
 * has its deferred action still, and that sends it. */
#include <coppice/mutex.h>

#include <assert.h>
#include <stddef.h>

#include <coppice/memory.h>
#include <coppice/process.h>

enum claim_state { OUT, WAITS, OWNS };

struct cop_mutex_claim {
    struct cop_mutex_claim *next, *previous;
    cop_mutex *mutex;
    enum claim_state state;
    cop_pid pid;
    /* -- for the one before -- */
    cop_ref alias;                 /* where to say that it OWNS now; none if it did not wait */
    /* -- the process's own -- */
    cop_message *wake;             /* for the next one */
    cop_ref heir;                  /* who has the mutex now and is still to be told; or none */
    cop_deferred *deferred;
    bool knows;                    /* cop_mutex_lock has returned */
};

static const cop_message_type granted = { "cop_mutex_granted", 0, NULL };

static bool sound(const cop_mutex *mutex)
{
    const struct cop_mutex_claim *first = mutex->first, *last = mutex->last;
    if (first == NULL || last == NULL) return first == last;
    return first->previous == NULL && last->next == NULL && first->state == OWNS &&
           (first == last || (first->next->previous == first && last->previous->next == last &&
                              first->next->state == WAITS && last->state == WAITS));
}

static void enter(cop_mutex *mutex)
{
    pthread_mutex_lock(&mutex->guard);
}

/* What is found unsound is this process's crash; the others are not to hang by it. */
static void leave(cop_mutex *mutex)
{
    bool is_sound = sound(mutex);
    pthread_mutex_unlock(&mutex->guard);
    assert(is_sound);
    (void)is_sound;
}

void cop_mutex_init(cop_mutex *mutex)
{
    pthread_mutex_init(&mutex->guard, NULL);
    mutex->first = mutex->last = NULL;
    mutex->inherited = false;
}

cop_pid cop_mutex_owner(cop_mutex *mutex)
{
    enter(mutex);
    cop_pid owner = mutex->first == NULL ? COP_NO_PID : mutex->first->pid;
    leave(mutex);
    return owner;
}

/* ---- the queue, within the guard ------------------------------------------------------- */

static void append(cop_mutex *mutex, struct cop_mutex_claim *claim)
{
    claim->next = NULL;
    claim->previous = mutex->last;
    if (mutex->last != NULL) mutex->last->next = claim;
    else mutex->first = claim;
    mutex->last = claim;
    claim->state = mutex->first == claim ? OWNS : WAITS;
}

static void take_out(cop_mutex *mutex, struct cop_mutex_claim *claim)
{
    if (claim->previous != NULL) claim->previous->next = claim->next;
    else mutex->first = claim->next;
    if (claim->next != NULL) claim->next->previous = claim->previous;
    else mutex->last = claim->previous;
    claim->state = OUT;
}

/* ---- going out ------------------------------------------------------------------------- */

/* Takes a claim out, if it is in; notes who has to be told that the mutex is its own now. */
static void withdraw(struct cop_mutex_claim *claim, bool dies)
{
    cop_mutex *mutex = claim->mutex;
    enter(mutex);
    bool owned = claim->state == OWNS;
    if (claim->state != OUT) take_out(mutex, claim);
    if (owned && dies && claim->knows) mutex->inherited = true;
    if (owned && mutex->first != NULL) {
        mutex->first->state = OWNS;
        claim->heir = mutex->first->alias;
    }
    leave(mutex);
}

/* If the heir hears of it no more, because its time is over, it looks for itself; if it hears of it
 * twice, because the first try did not come to its end, it drops the second. */
static void tell(struct cop_mutex_claim *claim)
{
    cop_message *wake = claim->wake;
    claim->wake = NULL;
    if (cop_ref_equal(claim->heir, COP_NO_REF)) {
        cop_message_free(wake);
        return;
    }
    if (wake == NULL) wake = cop_message_new(&granted, NULL, 0);
    wake->ref = claim->heir.serial;
    cop_send_message(cop_to(claim->heir), wake);
    claim->heir = COP_NO_REF;
}

/* Deferred: the process ends. */
static void dies(void *argument)
{
    struct cop_mutex_claim *claim = argument;
    withdraw(claim, true);
    tell(claim);
}

static void give_back(struct cop_mutex_claim *claim)
{
    withdraw(claim, false);
    tell(claim);
    cop_undefer(claim->deferred, false);
    cop_free(claim);
}

/* ---- coming in ------------------------------------------------------------------------- */

static struct cop_mutex_claim *make_claim(cop_mutex *mutex)
{
    struct cop_mutex_claim *claim = cop_alloc(sizeof *claim);
    claim->mutex = mutex;
    claim->pid = cop_self();
    claim->wake = cop_message_new(&granted, NULL, 0);
    claim->deferred = cop_defer(dies, claim);
    return claim;
}

/* Queues the claim; one that may not wait only if nobody is there.  Returns its state. */
static enum claim_state queue(struct cop_mutex_claim *claim, bool may_wait)
{
    cop_mutex *mutex = claim->mutex;
    enter(mutex);
    if (mutex->first == NULL || may_wait) append(mutex, claim);
    enum claim_state state = claim->state;
    leave(mutex);
    return state;
}

/* Waits for its turn.  When the time is over, it may have come in that very moment. */
static enum claim_state wait_turn(struct cop_mutex_claim *claim, int64_t timeout_ms)
{
    claim->alias = cop_alias(COP_ALIAS_EXPLICIT);
    enum claim_state state = queue(claim, true);
    if (state == WAITS) {
        const cop_match match = { .type = &granted, .ref = claim->alias };
        cop_message_free(cop_take(&match, timeout_ms));
        enter(claim->mutex);
        if (claim->state == WAITS) take_out(claim->mutex, claim);
        state = claim->state;
        leave(claim->mutex);
        cop_unalias(claim->alias);
        cop_message_free(cop_take(&match, 0));
        return state;
    }
    cop_unalias(claim->alias);
    return state;
}

/* It is the caller's, and the caller is going to know. */
static int take_over(struct cop_mutex_claim *claim)
{
    enter(claim->mutex);
    bool inherited = claim->mutex->inherited;
    claim->mutex->inherited = false;
    claim->knows = true;
    leave(claim->mutex);
    return inherited ? COP_INHERITED : COP_OK;
}

int cop_mutex_lock(cop_mutex *mutex, int64_t timeout_ms)
{
    cop_pid owner = cop_mutex_owner(mutex);
    if (!cop_pid_is_none(owner) && cop_pid_equal(owner, cop_self())) return COP_ESELF;
    struct cop_mutex_claim *claim = make_claim(mutex);
    enum claim_state state = queue(claim, false);
    if (state == OUT && timeout_ms != 0) state = wait_turn(claim, timeout_ms);
    if (state == OWNS) return take_over(claim);
    give_back(claim);
    return COP_ETIMEOUT;
}

int cop_mutex_unlock(cop_mutex *mutex)
{
    cop_pid self = cop_self();
    enter(mutex);
    struct cop_mutex_claim *claim = mutex->first;
    bool has_it = claim != NULL && cop_pid_equal(claim->pid, self);
    leave(mutex);
    if (!has_it || cop_pid_is_none(self)) return COP_EINVAL;
    give_back(claim);
    return COP_OK;
}
