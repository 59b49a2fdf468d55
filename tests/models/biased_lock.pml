/* biased_lock.pml - src/runtime/biased_lock.{h,c}: at most one is in, what one wrote the next sees,
 * and everybody gets in.
 *
 * Bounds: the owner enters OWNER times, each of two others OTHER times; three stores a buffer; the
 * owner takes its bias back at its CALM-th visit.
 *
 * Checked in every state: `inside` is at most 1 and nobody waits for ever (no deadlock); at the end
 * the counter, which is written with plain stores in the lock, has counted everybody.
 *
 * FENCE_IS_FULL is the way without membarrier.  Mutants, each of which must fail:
 *     NO_HEAVY_FENCE     who takes the bias away passes a fence alone
 *     RELAXED_UNLOCK     the owner's `busy` goes without release
 *     NO_WAIT            who wants in does not wait for `busy`
 *     NO_FULL_FENCE      the owner without bias passes none before it looks at `taken`
 *     BUSY_WHILE_WAITING the owner stays busy while it waits for the one who is in
 *     NO_MUTEX           the owner takes its bias back without the mutex
 *     EARLY_UNLOCK       who leaves gives the mutex back before `taken` */

#ifndef OWNER
#define OWNER 4
#endif
#ifndef OTHER
#define OTHER 2
#endif

#ifndef CALM
#define CALM 2
#endif

#define THREADS 3
#define WORDS   5
#define BUSY    0
#define REVOKED 1
#define MUTEX   2    /* 1: taken; a compare-and-swap takes it, a release store gives it back */
#define COUNTER 3
#define TAKEN   4    /* and `calm` is the owner's or, with the lock, others': memory of its own */
#include "memory.pml"

byte inside;    /* seen by nobody but the checker */
byte done;
byte calm;

inline mutex_lock(me)
{
    atomic { memory[MUTEX] == 0 && buffers[me].length == 0 -> memory[MUTEX] = 1 }
}

inline count(me)
{
    inside++;
    assert(inside == 1);
    found = LOAD(me, COUNTER);
    store(me, COUNTER, found + 1);
    found = 0;
    inside--
}

inline light_fence(me)
{
#ifdef FENCE_IS_FULL
    fence(me)
#else
    skip
#endif
}

inline heavy_fence(me)
{
    fence(me);
#if !defined(FENCE_IS_FULL) && !defined(NO_HEAVY_FENCE)
    fence_of_all()
#endif
}

inline say_busy()
{
    store(0, BUSY, 1);
#ifndef NO_FULL_FENCE
    fence(0)
#endif
}

inline owner_wait()
{
    say_busy();
    do
    :: LOAD(0, TAKEN) ->
#ifndef BUSY_WHILE_WAITING
        store_release(0, BUSY, 0);
#endif
        LOAD(0, TAKEN) == 0;
        say_busy()
    :: else -> break
    od;
    calm++;
    if
#ifdef NO_MUTEX
    :: calm >= CALM -> calm = 0; store(0, REVOKED, 0)
#else
    :: atomic { calm >= CALM && memory[MUTEX] == 0 && buffers[0].length == 0 -> memory[MUTEX] = 1 }
        calm = 0;
        store(0, REVOKED, 0);
        store_release(0, MUTEX, 0)
    :: calm >= CALM && memory[MUTEX] == 1
#endif
    :: calm < CALM
    fi
}

proctype owner()
{
    byte i, k, found;
    do
    :: i < OWNER ->
        store(0, BUSY, 1);
        light_fence(0);
        if
        :: LOAD(0, REVOKED) -> owner_wait()
        :: else
        fi;
        count(0);
#ifdef RELAXED_UNLOCK
        store(0, BUSY, 0);
#else
        store_release(0, BUSY, 0);
#endif
        i++
    :: else -> break
    od;
    done++
}

proctype other(byte me)
{
    byte i, k, f, found;
    do
    :: i < OTHER ->
        mutex_lock(me);
        if
        :: LOAD(me, REVOKED) ->
            store(me, TAKEN, 1);
            fence(me)
        :: else ->
            store(me, REVOKED, 1);
            store(me, TAKEN, 1);
            heavy_fence(me)
        fi;
#ifndef NO_WAIT
        LOAD(me, BUSY) == 0;
#endif
        calm = 0;
        count(me);
#ifdef EARLY_UNLOCK
        store_release(me, MUTEX, 0);
        store_release(me, TAKEN, 0);
#else
        store_release(me, TAKEN, 0);
        store_release(me, MUTEX, 0);
#endif
        i++
    :: else -> break
    od;
    done++
}

init
{
    atomic {
        run stores_arrive(0); run stores_arrive(1); run stores_arrive(2);
        run owner(); run other(1); run other(2)
    }
    done == 3 && buffers[0].length == 0 && buffers[1].length == 0 && buffers[2].length == 0;
    assert(memory[COUNTER] == OWNER + 2 * OTHER)
}
