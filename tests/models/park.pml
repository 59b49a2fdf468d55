/* park.pml - src/runtime/queue.c: whoever queues a process, whoever parks, who watches and who snoozes.
 *
 * `length` of a queue is written with plain stores and lies in weak memory; `idle`, `parked`,
 * `watchers`, `inbox` and the parkers' states are written by seq_cst operations.  What a queue
 * really holds is `list`: that its owner and thieves change it one after the other is the lock's
 * argument (biased_lock.pml).  Whether it is worth it to steal some of several is a matter of the
 * clock, so here either may be; who has slept its time takes them.
 *
 * Bounds: SCHEDULERS; PROCESSES, of which a thread of the program's own posts POSTS to the first
 * scheduler and turns spawn the others, up to two a turn; one turn at a time may be long: it does
 * not end before all that is queued was taken by somebody.
 *
 * Checked: nothing waits for ever (no deadlock): every process is run, behind a long turn too;
 * when nothing moves but the clock of those who watch or snooze, they find something; while nobody
 * snoozes, two in a queue do not wait for that clock.
 *
 * Mutants, each of which must fail:
 *     NO_HEAVY_FENCE     who parks passes a fence alone
 *     NO_TOKEN           an unpark before the park is lost
 *     NO_WATCHER         nobody watches
 *     DEEP_SLEEP         who snoozes sleeps without a limit
 *     NO_LAST_LOOK       who parks, untempted, does not look whether several wait */

#ifndef SCHEDULERS
#define SCHEDULERS 2
#endif
#ifndef PROCESSES
#define PROCESSES 3
#endif
#ifndef POSTS
#define POSTS 1
#endif

#define THREADS (SCHEDULERS + 1)
#define OUTSIDE SCHEDULERS
#define WORDS   SCHEDULERS      /* the lengths */
#include "memory.pml"

byte list[SCHEDULERS];
byte inbox[SCHEDULERS];
byte idle, watchers;
bool parked[SCHEDULERS];
bool snoozes[SCHEDULERS];
bool token[SCHEDULERS];

/* `ticks`: bit w of moved[s] says that s has begun a turn since w began to watch. */
byte moved[SCHEDULERS];

byte created, done;
byte queued;                    /* in all lists and inboxes */
bool long_turn;
byte fruitless;                 /* the watcher has looked so often, and nobody has moved since */

#define LENGTH(me, of)  (LOAD(me, of) + (inbox[of] > 0))
#define FINISHED        (done == created)

inline wake_one_idle(snoozing_too)
{
    i = 0;
    do
    :: atomic { i < SCHEDULERS && parked[i] && (snoozing_too || !snoozes[i]) ->
                token[i] = true; break }
    :: atomic { i < SCHEDULERS && !(parked[i] && (snoozing_too || !snoozes[i])) -> i++ }
    :: i == SCHEDULERS -> break
    od;
    i = 0
}

inline wake_somebody(whose, self, length)
{
    if
    :: whose != self && parked[whose] -> token[whose] = true
    :: else ->
        if
        :: idle > 0 ->
            if
            :: length > 1 || watchers == 0 -> wake_one_idle(false)
            :: else
            fi
        :: else
        fi
    fi
}

inline put(mine)
{
    atomic { list[mine]++; queued++; store(mine, mine, list[mine]) }
}

inline enqueue_here(me)
{
    atomic { put(me); n = list[me] }
    if
    :: idle > 0 -> wake_somebody(me, me, n)
    :: else
    fi;
    n = 0
}

inline enqueue_elsewhere(home, me)
{
    atomic { fence(me); inbox[home]++; queued++ }
    n = LENGTH(me, home);
    wake_somebody(home, me, n);
    n = 0
}

/* With the lock. */
inline collect(q)
{
    list[q] = list[q] + inbox[q];
    inbox[q] = 0
}

inline take(me)
{
    collect(me);
    if
    :: list[me] > 0 -> list[me]--; queued--; found = true
    :: else
    fi;
    store(me, me, list[me])
}

/* Half of them; one is found, the others go into the thief's own queue.  In one step, as all that
 * is done in the lock. */
inline steal_from(me, victim)
{
    fence_of_all();
    collect(victim);
    n = (list[victim] + 1) / 2;
    list[victim] = list[victim] - n;
    memory[victim] = list[victim];
    if
    :: n > 0 ->
        found = true;
        queued--;
        list[me] = list[me] + n - 1;
        store(me, me, list[me])
    :: else
    fi;
    n = 0
}

#define NOBODY SCHEDULERS

inline queue_next(me)
{
    atomic {
        found = false;
        if
        :: LENGTH(me, me) > 0 -> take(me)
        :: else
        fi
    }
    if
    :: atomic { !found && victim != NOBODY -> steal_from(me, victim) }
    :: else
    fi;
    atomic {
        victim = NOBODY;
        go_on = found && was_idle;
        if
        :: found -> was_idle = false
        :: else
        fi
    }
    atomic { go_on = go_on && idle > 0 }
    if
    :: atomic { go_on && watchers == 0 -> go_on = false }
        wake_one_idle(true)
    :: else -> go_on = false
    fi
}

#define SAME_TURN(me, of)   (LENGTH(me, of) == 1 && (moved[of] & (1 << me)) == 0)

/* The clock says that it is worth it, or not. */
inline spin(me)
{
    atomic {
        i = 0;
        do
        :: i < SCHEDULERS -> moved[i] = moved[i] & ~(1 << me); i++
        :: else -> i = 0; break
        od
    }
    do
    :: atomic { victim != NOBODY || i == SCHEDULERS -> i = 0; break }
    :: atomic { victim == NOBODY && i < SCHEDULERS ->
        if
        :: i != me && LENGTH(me, i) > 1 -> victim = i
        :: i != me && LENGTH(me, i) > 1 -> tempted = true; i++
        :: i != me && SAME_TURN(me, i) -> victim = i
        :: LENGTH(me, i) <= 1 || i == me -> i++
        fi }
    od
}

inline rested(me)
{
    i = 0;
    do
    :: i < SCHEDULERS && i != me && (LENGTH(me, i) > 1 || SAME_TURN(me, i)) -> victim = i; break
    :: i < SCHEDULERS && !(i != me && (LENGTH(me, i) > 1 || SAME_TURN(me, i))) -> i++
    :: i == SCHEDULERS -> break
    od;
    i = 0
}

inline park(me)
{
    atomic { fence(me); idle++ }
    atomic { fence(me); snoozes[me] = tempted }
    atomic { fence(me); parked[me] = true }
#ifndef NO_WATCHER
    if
    :: idle == SCHEDULERS
    :: idle < SCHEDULERS ->
        atomic {
            if
            :: watchers == 0 -> watchers = 1; watching = true
            :: else
            fi
        }
    fi;
#endif
#ifndef NO_HEAVY_FENCE
    if
    :: SCHEDULERS > 1 -> fence_of_all()
    :: else
    fi;
#endif
    found = LENGTH(me, me) > 0 || FINISHED;
#ifndef NO_LAST_LOOK
    do
    :: atomic { found || tempted || i == SCHEDULERS -> i = 0; break }
    :: atomic { !found && !tempted && i < SCHEDULERS -> found = i != me && LENGTH(me, i) > 1; i++ }
    od;
#endif
    if
    :: found
    :: !found ->
#ifdef NO_TOKEN
        token[me] = false;
#endif
        if
        :: atomic { token[me] -> token[me] = false }
        :: FINISHED
        :: atomic {
#ifdef DEEP_SLEEP
            timeout && watching && !snoozes[me] ->
#else
            timeout && (watching || snoozes[me]) ->
#endif
            fruitless++;
            assert(fruitless < 3);
            assert(snoozes[0] || snoozes[SCHEDULERS - 1] ||
                   (list[0] <= 1 && list[SCHEDULERS - 1] <= 1));
            rested(me) }
        fi
    fi;
    atomic { found = false; fence(me); parked[me] = false }
    atomic { fence(me); idle-- }
    atomic {
        if
        :: watching -> watchers--
        :: else
        fi;
        watching = false;
        tempted = false;
        snoozes[me] = false;        /* means nothing while it is not parked */
        was_idle = true
    }
}

inline turn(me)
{
    atomic { fruitless = 0; moved[me] = (1 << SCHEDULERS) - 1 }
    do
    :: atomic { created < PROCESSES && spawned < 2 -> created++; spawned++ }
        enqueue_here(me)
    :: spawned = 0; break
    :: atomic { SCHEDULERS > 1 && !long_turn -> long_turn = true; spawned = 0 }
        atomic { queued == 0 -> long_turn = false }
        break
    od;
    done++
}

proctype scheduler(byte me)
{
    byte i, n, k, f, spawned;
    byte victim = NOBODY;
    bool found, go_on, tempted, watching, was_idle;
    do
    :: FINISHED -> break
    :: else ->
        queue_next(me);
        if
        :: found -> found = false; turn(me)
        :: else ->
            spin(me);
            if
            :: victim == NOBODY -> park(me)
            :: else
            fi
        fi
    od
}

proctype outsider()
{
    byte i, n, k, p;
    do
    :: p < POSTS -> p++; enqueue_elsewhere(0, OUTSIDE)
    :: else -> break
    od
}

init
{
    byte i;
    atomic {
        created = POSTS;
        do
        :: i < SCHEDULERS -> run scheduler(i); run stores_arrive(i); i++
        :: else -> break
        od;
        run outsider()
    }
}
