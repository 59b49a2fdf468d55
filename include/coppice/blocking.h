/* blocking.h - work that blocks its thread: a query, a name look-up, fsync, a long computation.
 *
 * Concept.  A process that calls a function which blocks keeps its scheduler's thread, and every
 * process that has its stack there waits with it.  cop_blocking has the function run on a thread
 * of a pool while only the calling process waits; others go on, and the waiting one can be
 * killed, linked and monitored as any that waits for a message.
 *
 *     struct look_up { char name[64]; struct in_addr address; int error; };
 *
 *     static void look_up(void *argument)           // on a blocking thread
 *     {
 *         struct look_up *query = argument;
 *         query->error = resolve(query->name, &query->address);
 *     }
 *
 *     struct look_up query = { .name = "example.org" };
 *     cop_blocking(look_up, &query, sizeof query);  // query has the answer now
 *
 * The function has its own copy of the argument: when its caller is killed, or waits no longer, the
 * function runs on (nothing can stop it safely), and what it has at hand must stay valid.  What the
 * argument points to is not copied and must outlive the function: it must not lie on the
 * caller's stack nor come from cop_alloc, and if the caller is to release it at its end it is lent
 * (cop_blocking_lend).
 *
 * On a blocking thread the code is in no process: cop_self is none, only what is marked [any
 * thread] may be called, and errno is that thread's.  A fault, an abort or a failed assert there
 * is not contained; it ends the node with a report that says so.  Signals that the program
 * handles are not delivered to these threads.  A child of fork(2) must exec or _exit there too.
 *
 * Life cycle of a call.
 *
 *     queued --a thread is free--> runs --returns--> done: copied back to the caller
 *       |                           |                  |
 *       caller ends, time is out    the same           the same, at that very moment
 *       v                           v                  v
 *     never runs                  runs on; then discard(copy), and nobody hears of it
 *
 * Threads of the pool are started as they are needed, up to cop_run_options.blocking_threads, and
 * kept.  Calls beyond that wait their turn, in order; so functions that wait for each other may
 * wait for ever.
 *
 * The end of the node waits for functions that run on, cop_run_options.blocking_wait_ms at most;
 * then it is reported how many there are (COP_LOG_TEXT), and cop_run returns without them.  Such
 * a function goes on for as long as the program runs.  It, and its discard, must then not call
 * the library.
 *
 * In a deterministic run other processes have a turn before and after the function, and none
 * while it runs, which takes no virtual time: so a run repeats if the function does. */
#ifndef COPPICE_BLOCKING_H
#define COPPICE_BLOCKING_H

#include <stddef.h>
#include <stdint.h>

#include <coppice/error.h>
#include <coppice/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What runs on a blocking thread; it leaves its results in the argument. */
typedef void cop_blocking_function(void *argument);

/* [process] [may block] Runs function on a blocking thread and returns when it has returned.  With
 * argument_size > 0 it gets a copy of that many bytes, which is copied back to `argument` then;
 * with 0 it gets the pointer itself, and what is there must outlive the function, also if the
 * caller does not.  In a deferred action, which must not wait, it ends that action.  Returns 0;
 * COP_EINVAL without a function; COP_ENOMEM when there is no memory or, with none running yet, no
 * thread.  On failure the function has not run. */
int cop_blocking(cop_blocking_function *function, void *argument, size_t argument_size);

/* [process] [may block] As cop_blocking, for timeout_ms at most: COP_ETIMEOUT then, with
 * `argument` as it was.  If the function has returned and its caller does not take the result,
 * having timed out or ended, discard(copy) is called to give back what the function had got, such
 * as a descriptor: on the blocking thread or, if the function had just returned, in the process
 * at its end.  It must not wait.  NULL: nothing to give back. */
int cop_blocking_within(cop_blocking_function *function, void *argument, size_t argument_size,
                        int64_t timeout_ms, cop_cleanup *discard);

/* [process] [may block] As cop_blocking, for timeout_ms at most, with something of the caller's
 * that the function uses: a database connection, a descriptor.  `lent` is what cop_defer or
 * cop_own_fd returned for it.  If the caller ends or waits no longer while the function runs, what
 * is lent is not its own any more: the action is done on the blocking thread when the function has
 * returned, [any thread] as all there, and a crash in it ends the node.  At any other moment the
 * thing is and stays the caller's.
 * After COP_ETIMEOUT the caller cannot know, so it ends, or makes itself another one.
 *
 *     connection->close = cop_defer(close_database, connection->database);
 *     ...
 *     struct query query = { connection->database, .id = id };
 *     int error = cop_blocking_lend(run_query, &query, sizeof query, 1000, connection->close);
 *     if (error < 0) cop_raise("the database: %s", cop_error_text(error)); */
int cop_blocking_lend(cop_blocking_function *function, void *argument, size_t argument_size,
                      int64_t timeout_ms, cop_deferred *lent);

#ifdef __cplusplus
}
#endif
#endif
