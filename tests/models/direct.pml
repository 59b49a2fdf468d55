/* direct.pml - src/runtime/scheduler.c: from one process to the next without the scheduler.
 *
 * A scheduler with processes that hold stacks; a deputy takes from its queue whenever it likes; a
 * sender wakes who waits.  What is copied here is the order of things in a switch: what is taken
 * from the queue, when the registers of the one that is left are saved, when it may be found by
 * others.  The words themselves are mailbox.pml's, the queue is in a lock: the memory is plain.
 *
 * Bounds: PROCESSES, each of which is sent SENDS signals in all; SWITCHES switches of the scheduler.
 *
 * Checked in every state: a process is entered by one at a time, and when its registers are saved;
 * it is queued once; while code of a process runs here, none waits in `chosen`, where no deputy
 * looks.  At the end nobody is left unsettled.
 *
 * Mutants, each of which must fail:
 *     SETTLE_FIRST       the one that is left is settled before the switch
 *     KEEP_CHOSEN        one that was chosen stays so while another has a turn before it */

#ifndef PROCESSES
#define PROCESSES 3
#endif
#ifndef SENDS
#define SENDS 3
#endif
#ifndef SWITCHES
#define SWITCHES 3
#endif

#define NONE      PROCESSES
#define QUEUED    1
#define RUNNING   2    /* somebody is in it, or is about to leave or to enter it */
#define WAITING   3

byte state[PROCESSES];
bool saved[PROCESSES];         /* its registers, so that it may be entered */
bool signal[PROCESSES];        /* has arrived */
bool entered[PROCESSES];
byte sends, switches, chosen = NONE, left = NONE;
bool stop;

inline enqueue(p)
{
    atomic { assert(state[p] == RUNNING); state[p] = QUEUED }
}

inline enter(p)
{
    atomic { assert(saved[p] && !entered[p]); saved[p] = false; entered[p] = true }
}

inline leave(p)
{
    atomic { assert(entered[p]); entered[p] = false; saved[p] = true }
}

/* Takes any: which one was first does not matter here.  NONE if there is none. */
inline take(ret)
{
    atomic {
        ret = 0;
        do
        :: ret < NONE && state[ret] == QUEUED -> state[ret] = RUNNING; break
        :: ret < NONE -> ret++
        :: ret == NONE -> break
        od
    }
}

/* wait_begins; or it wants to go on (EVENT_YIELD), as by chance. */
inline settle(p, ret_waits)
{
    ret_waits = false;
    atomic {
        if
        :: !signal[p] -> state[p] = WAITING; ret_waits = true
        :: signal[p] = false
        :: true
        fi
    }
}

proctype scheduler()
{
    byte self = NONE, next = NONE;
    bool waits;
loop:
    if
    :: stop && chosen == NONE -> goto done
    :: else
    fi;
    atomic { self = chosen; chosen = NONE }
    if
    :: self == NONE -> take(self)
    :: else
    fi;
    if
    :: self == NONE -> goto loop_or_end
    :: else
    fi;
again:
    enter(self);
in_process:
    assert(chosen == NONE);
    if
    :: switches < SWITCHES ->                        /* switch_directly */
        switches++;
        take(next);
        if
        :: next == NONE
        :: next != NONE -> chosen = next; next = NONE     /* wants a stack of the scheduler's */
        :: next != NONE ->
#ifdef SETTLE_FIRST
            settle(self, waits);
            if
            :: !waits -> enqueue(self)
            :: else
            fi;
            leave(self);
            enter(next);
            atomic { self = next; next = NONE; left = NONE }
#else
            left = self;
            leave(self);
            enter(next);
            settle(left, waits);                      /* settle_left */
            if
            :: !waits -> enqueue(left)
            :: else
            fi;
            atomic { self = next; next = NONE; left = NONE }
#endif
            goto in_process
        fi
    :: true
    fi;
    leave(self);                                      /* to the scheduler */
    settle(self, waits);
    if
    :: waits -> self = NONE
    :: !waits ->                                      /* it is entered again at once */
#ifndef KEEP_CHOSEN
        if
        :: chosen != NONE -> atomic { next = chosen; chosen = NONE } enqueue(next); next = NONE
        :: else
        fi;
#endif
        goto again
    :: !waits -> enqueue(self); self = NONE
    fi;
    goto loop;
loop_or_end:
    if
    :: stop
    :: atomic { state[0] == QUEUED || state[1] == QUEUED || state[2] == QUEUED } goto loop
    fi;
done:
    assert(left == NONE && chosen == NONE)
}

/* Takes from the same queue, whenever it likes; its own processes do not switch directly. */
proctype deputy()
{
    byte self = NONE;
    bool waits;
    do
    :: stop -> break
    :: atomic { state[0] == QUEUED || state[1] == QUEUED || state[2] == QUEUED }
        take(self);
        if
        :: self != NONE ->
            enter(self);
            leave(self);
            settle(self, waits);
            if
            :: !waits -> enqueue(self)
            :: else
            fi;
            self = NONE
        :: else
        fi
    od
}

proctype sender()
{
    byte to;
    do
    :: sends < SENDS ->
        sends++;
        select(to : 0 .. PROCESSES - 1);
        atomic {
            if
            :: state[to] == WAITING -> state[to] = RUNNING
            :: else -> signal[to] = true; to = NONE
            fi
        }
        if
        :: to != NONE -> enqueue(to)
        :: else
        fi
    :: else -> break
    od;
    stop = true
}

init
{
    byte i;
    atomic {
        do
        :: i < PROCESSES -> state[i] = QUEUED; saved[i] = true; i++
        :: else -> break
        od;
        run scheduler(); run deputy(); run sender()
    }
}
