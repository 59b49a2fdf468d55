/* direct.pml - src/runtime/scheduler.c: from one process to the next without the scheduler.
 *
 * A scheduler with processes that hold stacks; a deputy takes from its queue whenever it likes; a
 * sender wakes who waits.  What is copied here is the order of things in a switch: what is taken
 * from the queue, when the registers of the one that is left are saved, when it may be found by
 * others.  The words themselves are mailbox.pml's, the queue is in a lock: the memory is plain.  The
 * monitor settles what is in `left` whenever it likes, and the running process sends to whom it likes.
 *
 * Bounds: PROCESSES, each of which is sent SENDS signals in all; SWITCHES switches of the scheduler.
 *
 * Checked in every state: a process is entered by one at a time, and when its registers are saved;
 * it is queued once; while code of a process runs here, none waits in `chosen`, where no deputy
 * looks.  At the end everybody is queued or waits.
 *
 * Mutants, each of which must fail:
 *     SETTLE_FIRST       the one that is left is settled before the switch
 *     LEFT_FIRST         it is in `left` before the switch
 *     KEEP_LEFT          it is not settled at the end of the next one's turn
 *     ERASE_LEFT         the monitor writes `left` though it has found nobody there
 *     CLAIM_LATE         a sender that finds a process in `left` queues it without taking it out first
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
bool stop, locked;

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

/* push: whether the process waited, and is the pusher's to queue. */
inline push(p, ret_waited)
{
    atomic {
        ret_waited = (state[p] == WAITING);
        if
        :: ret_waited -> state[p] = RUNNING
        :: else -> signal[p] = true
        fi
    }
}

/* wait_begins; or it wants to go on (EVENT_YIELD), as by chance. */
inline settle(p, ret_waits)
{
    ret_waits = false;
    atomic {
        assert(state[p] == RUNNING);
        if
        :: !signal[p] -> state[p] = WAITING; ret_waits = true
        :: signal[p] = false
        :: true
        fi
    }
}

/* At a turn's end.  The queue's lock is the monitor's while `locked`; the scheduler's own sections
 * are one step. */
inline settle_left(was, ret_waits)
{
    atomic { !locked -> was = left; left = NONE }
    settle_taken(was, ret_waits)
}

inline settle_taken(was, ret_waits)
{
    if
    :: was != NONE ->
        settle(was, ret_waits);
        if
        :: !ret_waits -> enqueue(was)
        :: else
        fi
    :: else
    fi;
    was = NONE
}

proctype scheduler()
{
    byte self = NONE, next = NONE, to = 0;
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
    :: atomic { sends < SENDS -> sends++ }           /* it sends: hand_to_left, push */
        select(to : 0 .. PROCESSES - 1);
        if
        :: to == self
#ifdef CLAIM_LATE
        :: left == to -> enqueue(to); left = NONE
#else
        :: atomic { !locked && left == to -> left = NONE } enqueue(to)
#endif
        :: to != self -> push(to, waits)
            if
            :: waits -> enqueue(to)
            :: !waits -> atomic {
                    !locked;
                    if
                    :: left == to -> left = NONE; enqueue(to)
                    :: else
                    fi
                }
            fi
        fi;
        to = 0
    :: true
    fi;
    if
    :: switches < SWITCHES ->                        /* switch_directly */
        switches++;
#ifndef KEEP_LEFT
        settle_left(next, waits);
#endif
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
#elif defined(LEFT_FIRST)
            left = self;
            leave(self);
            enter(next);
#else
            leave(self);
            enter(next);
            if                                        /* arrived */
            :: atomic { assert(left == NONE); left = self }
            :: enqueue(self)                          /* EVENT_YIELD */
            fi;
#endif
            atomic { self = next; next = NONE }
            goto in_process
        fi
    :: true
    fi;
    leave(self);                                      /* to the scheduler */
    settle_left(to, waits);
    to = 0;
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

proctype monitor()
{
    byte was;
    bool waits;
    do
    :: stop -> break
    :: atomic { left != NONE && !stop }               /* copi_left_rescue */
        locked = true;
        was = left;
#ifndef ERASE_LEFT
        if
        :: was != NONE -> left = NONE
        :: else
        fi;
#else
        left = NONE;
#endif
        locked = false;
        settle_taken(was, waits)
    od
}

proctype sender()
{
    byte to;
    bool waited;
    do
    :: atomic { sends < SENDS -> sends++ }
        select(to : 0 .. PROCESSES - 1);
        push(to, waited);
        if
        :: waited -> enqueue(to)
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
        run scheduler(); run deputy(); run monitor(); run sender()
    }
    (_nr_pr == 1);
    atomic {
        i = 0;
        do
        :: i < PROCESSES -> assert(state[i] != RUNNING); i++    /* nobody is lost */
        :: else -> break
        od
    }
}
