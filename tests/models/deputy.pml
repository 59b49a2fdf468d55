/* deputy.pml - src/runtime/queue.c and monitor.c: a scheduler that does not come back is lost, and a
 * deputy runs what lies in its queue; then it is back.
 *
 * One scheduler, HOME, a spare, the monitor, and a thread that posts processes which are pinned to
 * HOME.  HOME queues one process itself, so that `length` is in weak memory (park.pml).  The
 * monitor's clock is nobody's: it may take any turn for stuck, at once or never, but it does look
 * again when nothing else moves.
 *
 * Bounds: POSTS processes are posted, SPAWNS are queued by HOME's turns; each turn may be long, and a
 * long turn of HOME lasts until all that is queued was run by the deputy; LOOKS times the monitor
 * takes one for stuck that is not.
 *
 * Checked: nothing waits for ever (no deadlock): each process is run, whatever HOME, the deputy and
 * the monitor are in the midst of.
 *
 * Mutants, each of which must fail:
 *     BACK_NO_UNPARK     is_back takes the mark off and does not wake HOME
 *     MARK_FIRST         stand_in marks HOME as lost before it has a deputy
 *     NO_UNPARK          stand_in does not wake the deputy
 *     NO_HEAVY_FENCE     the deputy that parks passes a fence alone
 *     HOME_ALONE         who queues at a lost HOME wakes HOME */

#ifndef POSTS
#define POSTS 1
#endif
#ifndef SPAWNS
#define SPAWNS 1
#endif
#ifndef LOOKS
#define LOOKS 1
#endif

#define HOME    0
#define DEPUTY  1
#define OUTSIDE 2
#define MONITOR 3
#define THREADS 3
#define WORDS   1
#define LENGTH  0
#include "memory.pml"

byte list, inbox;
bool lost, has_deputy, has_principal;    /* HOME's `deputy` is the spare; the spare's `principal` HOME */
bool parked[2];
bool token[2];

bool in_turn;            /* HOME's `current` and `ticks` */
bool same_turn;          /* since the monitor last looked */
bool long_turn;
byte created = POSTS, spawned, done, looks;

#define SEEN(me)        (LOAD(me, LENGTH) + (inbox > 0))
#define FINISHED        (done == created && posted)
bool posted;

/* wake_somebody, for what is queued at HOME. */
inline wake_somebody(self)
{
    if
#ifndef HOME_ALONE
    :: lost ->
        if
        :: has_deputy -> token[DEPUTY] = true
        :: else ->
            if
            :: self != HOME && parked[HOME] -> token[HOME] = true
            :: else
            fi
        fi
    :: !lost ->
#else
    :: true ->
#endif
        if
        :: self != HOME && parked[HOME] -> token[HOME] = true
        :: else
        fi
    fi
}

proctype poster()
{
    byte i, k;
    do
    :: i < POSTS ->
        atomic { i++; fence(OUTSIDE); inbox++ }
        wake_somebody(OUTSIDE)
    :: else -> posted = true; break
    od
}

/* In the lock: takes one. */
inline take(me)
{
    atomic {
        if
        :: me == HOME -> fence(HOME)
        :: else -> fence_of_all()
        fi;
        list = list + inbox;
        inbox = 0;
        if
        :: list > 0 -> list--; found = true
        :: else
        fi;
        store(me, LENGTH, list);
        if
        :: me == DEPUTY -> fence(DEPUTY)     /* the lock's next owner sees it */
        :: else
        fi
    }
}

proctype home()
{
    byte k, f;
    bool found;
    do
    :: FINISHED -> break
    :: else ->
        if
        :: SEEN(HOME) > 0 -> take(HOME)
        :: else
        fi;
        if
        :: found ->
            atomic { in_turn = true; same_turn = false; found = false }
            if
            :: spawned < SPAWNS ->
                atomic { spawned++; created++; list++; store(HOME, LENGTH, list) }
                if
                :: lost -> wake_somebody(HOME)
                :: else
                fi
            :: true
            fi;
            if
            :: true
            :: long_turn = true; atomic { list + inbox == 0 && posted -> long_turn = false }
            fi;
            atomic { done++; in_turn = false; same_turn = false }
            if
            :: lost -> lost = false
            :: else
            fi
        :: else ->
            atomic { fence(HOME); parked[HOME] = true }
            if
            :: SEEN(HOME) > 0 || FINISHED
            :: else ->
                if
                :: atomic { token[HOME] -> token[HOME] = false }
                :: FINISHED
                fi
            fi;
            parked[HOME] = false
        fi
    od
}

#define STANDS_IN (has_principal && lost)

proctype spare()
{
    byte k, f;
    bool found, stands_in;
    do
    :: FINISHED -> break
    :: else ->
        stands_in = STANDS_IN;
        if
        :: stands_in && SEEN(DEPUTY) > 0 -> take(DEPUTY)
        :: else
        fi;
        if
        :: found -> atomic { found = false; done++ }
        :: else ->
            atomic { fence(DEPUTY); parked[DEPUTY] = true }
#ifndef NO_HEAVY_FENCE
            fence_of_all();
#endif
            stands_in = STANDS_IN;
            if
            :: (stands_in && SEEN(DEPUTY) > 0) || FINISHED
            :: else ->
                if
                :: atomic { token[DEPUTY] -> token[DEPUTY] = false }
                :: FINISHED
                fi
            fi;
            parked[DEPUTY] = false
        fi;
        stands_in = false
    od
}

/* copi_queue_is_back and copi_queue_stand_in. */
proctype monitor()
{
    do
    :: FINISHED -> break
    :: atomic { in_turn && !same_turn -> same_turn = true }       /* it looks: a new turn */
        goto back
    :: atomic { !in_turn && (lost || has_deputy) -> skip }
back:
        if
        :: lost ->
            lost = false;
#ifndef BACK_NO_UNPARK
            token[HOME] = true
#endif
        :: else
        fi;
        has_deputy = false;
        has_principal = false
    :: in_turn && same_turn && (looks < LOOKS || long_turn) &&
       list + inbox > 0 && !(lost && has_deputy) ->
        looks = (long_turn -> looks : looks + 1);
        if
        :: !lost -> has_deputy = false; has_principal = false
        :: else
        fi;
#ifdef MARK_FIRST
        lost = true;
#ifndef NO_UNPARK
        token[DEPUTY] = true;
#endif
        has_principal = true;
        has_deputy = true
#else
        has_principal = true;
        has_deputy = true;
        lost = true;
#ifndef NO_UNPARK
        token[DEPUTY] = true
#endif
#endif
    od
}

init
{
    atomic {
        run home(); run spare(); run monitor(); run poster();
        run stores_arrive(HOME); run stores_arrive(DEPUTY)
    }
}
