/* shared_lock.pml - src/behaviour/shared_lock.{h,c}: a writer is alone, what it wrote the next one
 * sees, and everybody gets in.
 *
 * Bounds: two readers read READINGS times each, two writers write WRITINGS times each; the lock is
 * biased after CALM readers without; three stores a buffer.  The readers-writer lock is one that
 * works: who takes it and who gives it back passes a fence.
 *
 * Checked in every state: who writes is alone and nobody waits for ever (no deadlock); who reads
 * finds the counter, which is written with plain stores, as the last writer left it.
 *
 * Mutants, each of which must fail:
 *     NO_EXCHANGE        the reader says what it reads with a plain store
 *     NO_SECOND_LOOK     it does not look at the bias after that
 *     WRITER_NO_EXCHANGE the writer takes the bias away with a plain store
 *     NO_WAIT            and does not wait for readers
 *     BIAS_TOO_LATE      the reader gives the bias when it has given the lock back */

#ifndef READINGS
#define READINGS 3
#endif
#ifndef WRITINGS
#define WRITINGS 2
#endif
#ifndef CALM
#define CALM 2
#endif

#define THREADS 4    /* 0 and 1 read, 2 and 3 write */
#define WORDS   4
#define READS   0    /* and 1 */
#define BIASED  2
#define COUNTER 3
#include "memory.pml"

byte with_lock;    /* readers */
bool write_locked;
byte calm;

byte reading, writing, written;    /* seen by nobody but the checker */
byte done;

inline look(me)
{
    reading++;
    assert(writing == 0);
    assert(LOAD(me, COUNTER) == written);
    reading--
}

inline give_bias(me)
{
    if
    :: calm >= CALM -> store_release(me, BIASED, 1)
    :: else
    fi
}

inline read_slowly(me)
{
    atomic { !write_locked -> with_lock++; fence(me) }
    calm++;
#ifndef BIAS_TOO_LATE
    give_bias(me);
#endif
    look(me);
    atomic { fence(me); with_lock-- }
#ifdef BIAS_TOO_LATE
    give_bias(me)
#endif
}

inline say(me)
{
    store(me, READS + me, 1);
#ifndef NO_EXCHANGE
    fence(me)
#endif
}

proctype reader(byte me)
{
    byte i, k;
    do
    :: i < READINGS ->
        if
        :: LOAD(me, BIASED) ->
            say(me);
            if
#ifdef NO_SECOND_LOOK
            :: true ->
#else
            :: LOAD(me, BIASED) ->
#endif
                look(me);
                store_release(me, READS + me, 0)
#ifndef NO_SECOND_LOOK
            :: else ->
                store_release(me, READS + me, 0);
                read_slowly(me)
#endif
            fi
        :: else -> read_slowly(me)
        fi;
        i++
    :: else -> break
    od;
    done++
}

inline take_bias(me)
{
    store(me, BIASED, 0);
#ifndef WRITER_NO_EXCHANGE
    fence(me);
#endif
#ifndef NO_WAIT
    LOAD(me, READS) == 0;
    LOAD(me, READS + 1) == 0
#endif
}

proctype writer(byte me)
{
    byte i, k;
    do
    :: i < WRITINGS ->
        atomic { !write_locked && with_lock == 0 -> write_locked = true; fence(me) }
        if
        :: LOAD(me, BIASED) -> take_bias(me)
        :: else
        fi;
        calm = 0;
        writing++;
        assert(writing == 1 && reading == 0);
        written++;
        store(me, COUNTER, written);
        writing--;
        atomic { fence(me); write_locked = false }
        i++
    :: else -> break
    od;
    done++
}

init
{
    atomic {
        run stores_arrive(0); run stores_arrive(1); run stores_arrive(2); run stores_arrive(3);
        run reader(0); run reader(1); run writer(2); run writer(3)
    }
    done == 4 && buffers[0].length == 0 && buffers[1].length == 0 && buffers[2].length == 0 &&
    buffers[3].length == 0;
    assert(memory[COUNTER] == 2 * WRITINGS)
}
