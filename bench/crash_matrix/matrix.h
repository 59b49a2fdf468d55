/* matrix.h - the parts of crash_matrix and what they share.
 *
 *     main.c          the command line
 *     matrix.c        every kind, one after the other: each in a node of its own
 *     soak.c          many crashes of mixed kinds in one node
 *     child.c         a node in a child process: started, watched, its last words kept
 *     table.c         what the reader sees
 *     node.c          in the node: the strikes, one by one
 *     tree.c          in the node: the supervisors, the victim, its busy siblings
 *     usage.c         descriptors, threads and memory of this program
 *     kinds.c         the kinds, with what must come of each
 *     faults.c, astray.c, heap.c, guarded.c, exception.cc    how each is done
 *
 * Whatever a node finds out it writes to the board, memory that it shares with the program that
 * started it, so that it can be read after the node's end. */
#ifndef CRASH_MATRIX_H
#define CRASH_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the kinds --------------------------------------------------------------------------- */

/* Where in the victim it strikes. */
enum place { IN_HANDLER, IN_INIT, IN_TERMINATE, IN_DEFERRED, WITH_MUTEX };

/* What ends the victim. */
enum end { BY_ITSELF, BY_KILL, BY_PROBE, BY_SHUTDOWN };

struct kind {
    const char *name;
    void (*fault)(void);
    const char *reason;      /* the victim's; of one that ends the node, how that ends */
    const char *shown;       /* in the table in place of that, or NULL */
    bool ends_node;
    bool reported;           /* of one that ends the node: with a report of Coppice's */
    enum place place;
    enum end end;
    long stays;              /* bytes of malloc's that it may hold, which nobody gives back */
};

extern const struct kind kinds[];
extern const size_t kind_count;

/* ---- the board --------------------------------------------------------------------------- */

struct usage {
    long files, threads;
    long resident, heap;     /* bytes: of the whole program; from malloc */
};

enum { REASON_MAX = 80, NOTE_MAX = 240, SIBLINGS = 1000 };

struct board {
    /* asked of the node */
    const struct kind *kind;             /* of a soak: the one of this round */
    long rounds, warm_up;
    uint64_t seed;
    bool soak;
    _Atomic bool stop;                   /* end in order, after this round */

    /* told by the victim and its siblings */
    _Atomic int64_t fault_ns, init_ns;   /* the last fault; the init after it */
    _Atomic bool init_fails;             /* the next init is to crash */
    _Atomic long sibling_inits;
    char reason[REASON_MAX];             /* of the victim's last end */

    /* found out by the node */
    _Atomic long done;                   /* rounds, without those to warm up */
    long harmed;                         /* siblings restarted, calls failed, sums wrong */
    long answered;                       /* calls */
    char wrong[NOTE_MAX];                /* the first thing that went wrong, or "" */
    struct usage before, after;          /* all the rounds */
    long warm_threads;                   /* schedulers, all their spares, the monitor */
    bool finished;
    int64_t times[];                     /* ns from fault to init; of a soak: none */
};

extern struct board *board;

/* ---- the node ---------------------------------------------------------------------------- */

/* Runs the node that the board asks for; the program's status. */
int node_run(void);

/* [process] Starts the tree, for victims of this kind.  Pauses its load, when its calls are
 * answered, and counts the harm; lets it go on. */
void tree_start(const struct kind *kind);
void tree_pause(void);
void tree_resume(void);

/* [process] The clock of the board.  Notes what went wrong first. */
int64_t now_ns(void);
__attribute__((format(printf, 1, 2))) void note_wrong(const char *format, ...);

/* [process] Strikes once and waits for the next victim; false if that did not come. */
bool tree_strike(const struct kind *kind);

/* [any thread] What the program has now. */
struct usage usage_now(void);

/* ---- the program that watches ------------------------------------------------------------ */

enum { LAST_WORDS_MAX = 4096 };

/* How a node ended. */
struct ending {
    int status;                          /* as waitpid tells */
    bool hung;                           /* it had to be killed */
    char last_words[LAST_WORDS_MAX];     /* what it wrote to stderr */
};

/* Set by Ctrl-C. */
extern volatile bool interrupted;

/* Makes the board, with room for that many times; false without memory. */
bool board_new(long times);
void board_free(void);

/* Runs the node that the board asks for in a child process, calls tick now and then, and kills
 * the child if for limit_ms it gets no further.  False, with a complaint: it could not start. */
bool child_run(long limit_ms, void (*tick)(void), struct ending *ret_ending);

/* How it ended, such as "SIGABRT" or "status 7". */
void ending_format(const struct ending *ending, char *buffer, size_t size);

/* ---- the results ------------------------------------------------------------------------- */

struct row {
    const struct kind *kind;
    bool right, contained;
    char outcome[NOTE_MAX + 40];
    long nodes, rounds, harmed, files, threads, heap, resident;
    int64_t median_ns, p99_ns;
    char report[NOTE_MAX];               /* of a node that ended */
};

/* Bytes that may come and go: what is freed stays with each thread's malloc, so that each spare
 * scheduler that starts meanwhile adds to what is resident, once; and stacks that were used stay
 * resident.  A leak grows with the rounds, these do not.  In a soak the heap was seen
 * to grow once by 512 KiB, as much in 4,000 crashes as in 59,000. */
enum {
    HEAP_SLACK = 64 * 1024,
    SOAK_HEAP_SLACK = 1024 * 1024,
    THREAD_SLACK = 512 * 1024,
    RESIDENT_SLACK = RESIDENT_SLACK_MIB * 1024 * 1024,      /* meson.build says how much */
};

enum { MORE_SPARES = 6 };      /* than schedulers: as many threads may stand in for those held up */

enum style { STYLE_TABLE, STYLE_TSV, STYLE_JSON };
void table_begin(enum style style);
void table_row(const struct row *row);
void table_end(const struct row *rows, size_t count);
void format_ns(int64_t ns, char *buffer, size_t size);

/* What the node on the board has more at the end than at the start.  Spare schedulers, which stand
 * in for those that are held up, start when they are first needed and are no leak. */
struct usage usage_grown(void);

/* Whether that is nothing, but for slack and for what stays. */
bool leaves_nothing(long stays);

/* The two things to run; both return the program's status. */
int matrix_run(const char *only, long rounds, enum style style);
int soak_run(long count, uint64_t seed);

#endif
