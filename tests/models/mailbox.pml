/* mailbox.pml - the word `incoming` (src/runtime/process.h): push (send.c), copi_wake (queue.c),
 * wait_begins (scheduler.c), taking and closing (mailbox.c), sweeping (limit.c).
 *
 * Every access to the word is a seq_cst compare-and-swap, exchange or load, and so are those to
 * `flag` and `older`: the model's memory is a plain one.  A push's first, relaxed load may be old,
 * but then its compare-and-swap fails, as when the word has changed since.
 *
 * Bounds: each of SENDERS pushes PUSHES signals, from BLOCKS blocks that are used again (ABA); the
 * flag of a wait is set once; SWEEPS times a sender takes all that has arrived; the process may end
 * at any turn, and its slot has LIVES lives.
 *
 * Checked in every state: a process that is queued was neither queued nor running; signals of one
 * sender are received in their order.  When nothing moves any more: each signal was received or
 * answered as the dead do; nobody waits who has something to look at.
 *
 * Mutants, each of which must fail:
 *     WAIT_IN_TWO_STEPS  looks for NULL and then writes WAITING
 *     QUEUE_IF_EMPTY     a push onto NULL queues, too
 *     NO_NUDGE           copi_wake leaves a running process alone
 *     LOOK_FIRST         the flag is looked at before incoming is emptied
 *     SWEEP_NO_WAKE      the sweeper does not wake */

#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef PUSHES
#define PUSHES 2
#endif
#ifndef BLOCKS
#define BLOCKS 3
#endif
#ifndef SWEEPS
#define SWEEPS 0
#endif
#ifndef LIVES
#define LIVES 2
#endif

#define EMPTY      0    /* NULL */
#define CLOSED     1
#define WAITING    2
#define NUDGED     3
#define FIRST      4    /* the first block */
#define IS_SIGNAL(word) (word >= FIRST)

byte incoming = EMPTY;
byte older;                    /* swept, newest first */
bool limit_lock;
byte alive = 1;                  /* 0: none is alive */
bool flag;                     /* of a wait of the first life */

/* The blocks. */
byte next_of[FIRST + BLOCKS];
byte target_of[FIRST + BLOCKS];
byte from_of[FIRST + BLOCKS];
byte number_of[FIRST + BLOCKS];
bool used[FIRST + BLOCKS];

/* Seen by nobody but the checker. */
byte queued = 1;
bool running;
bool flag_seen;
byte received, answered, senders_done;
byte last_of[SENDERS];

inline enqueue()
{
    atomic {
        assert(queued == 0 && !running);
        queued++
    }
}

inline release(block)
{
    d_step {
        used[block] = false;
        next_of[block] = 0;
        target_of[block] = 0;
        from_of[block] = 0;
        number_of[block] = 0
    }
}

/* copi_wake. */
inline wake()
{
    head = incoming;
    do
    :: atomic {
        head != WAITING && head != EMPTY -> head = 0; break }
#ifdef NO_NUDGE
    :: atomic { head == EMPTY -> head = 0; break }
#else
    :: atomic {
        head == EMPTY ->
        if
        :: incoming == head -> incoming = NUDGED; head = 0; break
        :: else -> head = incoming
        fi }
#endif
    :: atomic {
        head == WAITING ->
        if
        :: incoming == head -> incoming = EMPTY; head = 0; goto replaced
        :: else -> head = incoming
        fi }
    od;
    goto woken;
replaced:
    enqueue();
woken:
    skip
}

proctype sender(byte me)
{
    byte i, target, block, head;
    do
    :: i < PUSHES ->
        atomic {
            i++;
            target = (alive == 0 -> 1 : alive);   /* the pid that it knows */
            block = FIRST;                        /* a block, which may have been anybody's */
            do
            :: block < FIRST + BLOCKS - 1 && used[block] -> block++
            :: else -> break
            od;
            !used[block] ->
            used[block] = true;
            target_of[block] = target;
            from_of[block] = me;
            number_of[block] = i
        }
        if
        :: atomic { alive != target -> head = CLOSED }
        :: atomic { alive == target -> head = incoming }
        fi;
        do
        :: atomic { head == CLOSED -> release(block); answered++; break }
        :: atomic {
            head != CLOSED ->
            next_of[block] = (IS_SIGNAL(head) -> head : 0);
            if
            :: incoming == head -> incoming = block; break
            :: else -> head = incoming
            fi }
        od;
        if
        :: head == WAITING -> enqueue()
#ifdef QUEUE_IF_EMPTY
        :: head == EMPTY -> enqueue()
#endif
        :: else
        fi;
        atomic { block = 0; head = 0; target = 0 }
    :: else -> break
    od;
    senders_done++
}

proctype waker()
{
    byte head;
    flag = true;
    wake()
}

proctype sweeper()
{
    byte i, head, last;
    do
    :: i < SWEEPS ->
        i++;
        atomic { !limit_lock -> limit_lock = true }
        head = incoming;
        do
        :: !IS_SIGNAL(head) -> break
        :: else ->
            atomic {
                if
                :: incoming == head -> incoming = EMPTY; break
                :: else -> head = incoming
                fi
            }
        od;
        if
        :: IS_SIGNAL(head) ->
            atomic {
                last = head;
                do
                :: next_of[last] != 0 -> last = next_of[last]
                :: else -> break
                od;
                next_of[last] = older;
                last = 0
            }
            older = head;
            limit_lock = false;
#ifndef SWEEP_NO_WAKE
            wake()
#endif
        :: else -> limit_lock = false
        fi;
        head = 0
    :: else -> break
    od
}

/* Takes all and leaves that; then handles it, oldest first: first what was swept. */
inline take(leave)
{
    atomic {
        !limit_lock ->           /* held by sweepers; here it would be held for this step */
        assert(incoming != CLOSED);
        count = 0;
        head = (IS_SIGNAL(incoming) -> incoming : 0);
        incoming = leave;
        do
        :: head != 0 -> taken[count] = head; count++; head = next_of[head]
        :: else -> break
        od;
        head = older;
        older = 0;
        do
        :: head != 0 -> taken[count] = head; count++; head = next_of[head]
        :: else -> break
        od;
        do
        :: count > 0 ->
            count--;
            head = taken[count];
            taken[count] = 0;
            assert(used[head]);
            assert(number_of[head] > last_of[from_of[head]]);
            last_of[from_of[head]] = number_of[head];
            if
            :: target_of[head] == life && leave != CLOSED -> received++
            :: else -> answered++
            fi;
            release(head)
        :: else -> break
        od;
        head = 0
    }
}

/* The process, life after life. */
proctype owner()
{
    byte life = 1, head, count;
    byte taken[BLOCKS];
sleeps:
end_sleeps:
    atomic { queued > 0 -> queued--; running = true }
turn:
#ifdef LOOK_FIRST
    if
    :: flag && life == 1 -> flag_seen = true
    :: else
    fi;
#endif
    if
    :: incoming != EMPTY -> take(EMPTY)
    :: else ->
        if
        :: older != 0 -> take(EMPTY)
        :: else
        fi
    fi;
#ifndef LOOK_FIRST
    if
    :: flag && life == 1 -> flag_seen = true
    :: else
    fi;
#endif
    if
    :: goto ends
    :: true
    fi;
#ifdef WAIT_IN_TWO_STEPS
    head = incoming;
    if
    :: head == EMPTY -> atomic { running = false; incoming = WAITING; head = 0; goto sleeps }
    :: else
    fi;
#else
    atomic {
        head = incoming;
        if
        :: head == EMPTY -> incoming = WAITING; running = false; goto sleeps
        :: else
        fi
    }
#endif
    assert(head != WAITING && head != CLOSED);
    if
    :: head == NUDGED ->
        atomic {
            if
            :: incoming == NUDGED -> incoming = EMPTY
            :: else
            fi
        }
    :: else
    fi;
    head = 0;
    goto turn;
ends:
    alive = 0;
    take(CLOSED);
    running = false;
    if
    :: life < LIVES ->
        life++;
        atomic { incoming = EMPTY; running = true }
        alive = life;
        atomic { running = false; enqueue() }
        goto sleeps
    :: else
    fi
}

/* When nothing moves any more. */
proctype at_rest()
{
    timeout ->
    assert(senders_done == SENDERS);
    assert(received + answered == SENDERS * PUSHES);
    assert(incoming == WAITING || incoming == CLOSED);
    assert(older == 0 && queued == 0);
    assert(alive != 1 || flag_seen)
}

init
{
    byte i;
    atomic {
        run owner();
        do
        :: i < SENDERS -> run sender(i); i++
        :: else -> break
        od;
        run waker();
        if
        :: SWEEPS > 0 -> run sweeper()
        :: else
        fi;
        run at_rest()
    }
}
