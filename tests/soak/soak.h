/* soak.h - the parts of soak and what they share.
 *
 *     main.c        the command line, the phases, the verdict
 *     tree.c        the tree that is under load
 *     players.c     who loads it: calls, tasks, timers, names, descriptors, ...
 *     faults.c      what strikes its servers
 *     measure.c     times of calls, what the program has
 *     table.c       what the reader sees */
#ifndef SOAK_H
#define SOAK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coppice/coppice.h>

/* ---- what is counted --------------------------------------------------------------------- */

/* What players do. */
enum work { CALLS, CHILDREN, TASKS, TIMERS, WATCHES, LOCKS, JOBS, BYTES, WORKS };

struct played { atomic_long done, failed; };
extern struct played played[WORKS];

/* How servers end; kinds that cannot be told apart afterwards are counted as one then. */
enum fault { ERROR, SEGV, ABORT, OVERFLOW, KILLED, LOOP, FAULTS };
extern const char *const fault_names[FAULTS];
extern atomic_long strikes[FAULTS], restarts[FAULTS];

/* What went wrong first. */
extern atomic_bool is_wrong;
extern char wrong[200];
__attribute__((format(printf, 1, 2))) void note_wrong(const char *format, ...);

/* ---- the load ---------------------------------------------------------------------------- */

enum { SERVERS = 24, GROUP = 8 };

COP_CALL(add, { long amount; }, { long total; });
COP_MESSAGE(strike, { enum fault fault; });

/* [process] Starts the tree, linked. */
void tree_start(void);
void server_name(int number, char name[8]);

/* In a server. */
void fault_do(enum fault fault);
cop_log_sink count_restarts;

/* [process] The players start; they stop within a moment, and all that they have started is gone.
 * False: something is still there after half a minute. */
void players_start(void);
bool players_stop(void);

/* ---- measuring --------------------------------------------------------------------------- */

int64_t clock_ns(void);

/* [any thread] One call's time. */
void time_add(int64_t ns);

/* The time that so many of a thousand calls took no more than; nothing counted before forgets. */
int64_t time_of(int per_mille);
int64_t time_longest(void);
void time_forget(void);

struct usage { long resident, files, threads, processes, names, timers, blocks; };
struct usage usage_now(void);

/* ---- what the reader sees ---------------------------------------------------------------- */

/* At the end, or when a tenth of the time is over; on a terminal every second, in one line. */
void show_progress(double seconds, double of);
void show_results(double seconds);

/* Whether nothing grew beyond its bound. */
bool show_usage(const struct usage *before, const struct usage *after);

#endif
