/* policy.h - what a supervisor decides, as pure functions.
 *
 * An event and the time go in, a decision comes out; nothing here knows of processes, messages or
 * clocks.  The supervisors carry the decisions out (supervisor.c, dynamic_supervisor.c).
 *
 *     restart      ended normal or shutdown     ended otherwise
 *     permanent    report, restart              report, restart
 *     transient    keep down                    report, restart
 *     temporary    forget                       report, forget
 *
 * A restart that is one too many becomes keep down or forget, and the supervisor gives up.
 * A significant child that is kept down or forgotten may end the supervisor too.
 *
 * Beyond OTP: a child with a backoff is restarted later, and counted then; one that has spent a
 * budget of its own makes the supervisor give up too, or is kept down. */
#ifndef COPI_POLICY_H
#define COPI_POLICY_H

#include <coppice/supervisor.h>

/* ---- the restart window ------------------------------------------------------------ */

/* Gives `size` bytes in place of block, as realloc does; NULL without memory. */
typedef void *window_grow(void *block, size_t size);

/* The restarts of the last `period`, oldest first, in a ring that grows to `limit` entries.
 * Times are nanoseconds, or whole seconds as in OTP. */
struct restart_window {
    uint32_t limit;
    bool whole_seconds;
    int64_t period;            /* in the unit of the times */
    window_grow *grow;
    int64_t *times;            /* from grow; the owner frees it */
    uint32_t capacity;
    uint32_t first;
    uint32_t count;
};

/* The zero intensity is 3 in 5 seconds.  seconds must be more than 0. */
void copi_window_init(struct restart_window *window, const cop_intensity *intensity,
                      window_grow *grow);

/* Counts a restart at now_ns, which never goes back.  Returns whether it is tolerated; a window
 * that cannot grow tolerates no more. */
bool copi_window_add(struct restart_window *window, int64_t now_ns);

/* ---- backoff ----------------------------------------------------------------------- */

/* The same with its defaults filled in; none is none. */
cop_backoff copi_backoff_filled(cop_backoff backoff);

/* The delay of the restart that follows `before` others in a row; chance: any number, of which the
 * jitter is made. */
int64_t copi_backoff_ms(const cop_backoff *backoff, uint32_t before, uint64_t chance);

/* How long a child must run for its restarts to be no longer in a row. */
int64_t copi_backoff_reset_ms(const cop_backoff *backoff);

/* ---- decisions --------------------------------------------------------------------- */

/* How a process ended, as far as it matters. */
enum child_end {
    END_NORMAL,
    END_SHUTDOWN,
    END_SHUTDOWN_CAUSE,        /* {shutdown, _} */
    END_KILLED,
    END_OTHER
};

struct policy {
    enum cop_strategy strategy;
    enum cop_auto_shutdown auto_shutdown;
    struct restart_window window;
};

/* What is known of a child that has ended by itself, or whose restart is to be tried again. */
struct ended_child {
    enum cop_restart restart;
    bool significant;
    bool others_significant;   /* another significant child runs or is being restarted */
    bool delayed;              /* its restart would be later */
    enum child_end end;        /* how it ended; not asked for when it is tried again */
    struct restart_window *budget;     /* its own, or NULL */
    enum cop_spent when_spent;
};

enum child_fate { FATE_KEEP_DOWN, FATE_FORGET, FATE_RESTART, FATE_RESTART_LATER };
enum restart_scope { SCOPE_ONE, SCOPE_FROM_IT_ON, SCOPE_ALL };
enum supervisor_fate { GO_ON, GIVE_UP, AUTO_SHUTDOWN };

struct decision {
    bool report;                        /* child_terminated */
    enum child_fate child;
    bool spent;                         /* its own budget is why */
    enum restart_scope scope;           /* of both restarts */
    enum supervisor_fate supervisor;
};

/* A child has ended by itself. */
struct decision copi_policy_ended(struct policy *policy, const struct ended_child *ended,
                                  int64_t now_ns);

/* A child is to be started that was delayed, or whose restart failed. */
struct decision copi_policy_retry(struct policy *policy, const struct ended_child *ended,
                                  int64_t now_ns);

/* Whether a child that was stopped ended as it should; if not, it is a shutdown_error. */
bool copi_policy_stopped_well(enum cop_shutdown_mode mode, enum cop_restart restart,
                              enum child_end end);

#endif
