/* supervisor.h - a process that keeps its children running.
 *
 * Concept.  A supervisor starts its children in order, notices when one ends, and starts
 * again what its strategy says: the one (one_for_one), the one and those after it
 * (rest_for_one), or all (one_for_all).  When children end too often it gives up:
 * it ends its children, youngest first, and itself with reason shutdown, and the
 * supervisor above it takes over.  OTP: supervisor.
 *
 *     static const cop_child_spec children[] = {
 *         COP_CHILD_SERVER(database),
 *         COP_CHILD_SUPERVISOR(payments),
 *         COP_CHILD_SERVER(mailer, .restart = COP_TRANSIENT, .shutdown = COP_BRUTAL_KILL),
 *     };
 *     static const cop_supervisor app = {
 *         .name = "app", .strategy = COP_REST_FOR_ONE, COP_CHILDREN(children) };
 *
 *     cop_started top = cop_supervisor_start_link(&app);
 *
 * Life cycle.  start -> children started, one after the other -> restarts -> children
 * stopped in reverse order -> gone.  A group restart starts again every child in the group,
 * those that had been stopped or had finished included; temporary ones are removed.
 * A restart that fails is tried again at once, though not before the messages that wait; in a
 * group the child that failed is where the next try begins.
 *
 * Reports (log.h).  COP_LOG_PROGRESS for each child started (debug when a call asked for it),
 * COP_LOG_SUPERVISOR for what went wrong, COP_LOG_RESTART when a restart is complete.
 *
 * Threads.  [process] [may block] every function.  They are calls to the supervisor with no
 * time limit: it answers one at a time, and a child that calls its own supervisor from
 * init or terminate waits for ever.  A child that calls one of them from a callback is
 * fine unless it asks for its own end. */
#ifndef COPPICE_SUPERVISOR_H
#define COPPICE_SUPERVISOR_H

#include <coppice/gen_server.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cop_strategy { COP_ONE_FOR_ONE = 0, COP_REST_FOR_ONE, COP_ONE_FOR_ALL };

enum cop_restart {
    COP_PERMANENT = 0,   /* always started again */
    COP_TRANSIENT,       /* only after an abnormal end */
    COP_TEMPORARY        /* never; its spec is forgotten */
};

enum cop_child_type { COP_WORKER = 0, COP_SUPERVISOR };

enum cop_auto_shutdown { COP_NEVER = 0, COP_ANY_SIGNIFICANT, COP_ALL_SIGNIFICANT };

/* How a child is stopped.  The zero value is the default: 5,000 ms for a worker,
 * no limit for a supervisor. */
enum cop_shutdown_mode { COP_SHUTDOWN_DEFAULT = 0, COP_SHUTDOWN_KILL, COP_SHUTDOWN_WAIT,
                         COP_SHUTDOWN_FOREVER };
typedef struct cop_shutdown {
    enum cop_shutdown_mode mode;
    int64_t ms;                     /* of COP_SHUTDOWN_WAIT, 0 or more */
} cop_shutdown;
#define COP_BRUTAL_KILL { COP_SHUTDOWN_KILL, 0 }          /* killed at once */
#define COP_SHUTDOWN_MS(ms_) { COP_SHUTDOWN_WAIT, (ms_) } /* exit shutdown, killed after ms */
#define COP_SHUTDOWN_INFINITY { COP_SHUTDOWN_FOREVER, 0 } /* exit shutdown, waits for ever */

/* How many restarts are too many.  The zero value is 3 in 5 seconds (Elixir's default;
 * Erlang's is 1 in 5); COP_MAX_RESTARTS(0, 5) gives up at the first crash.  One crash is
 * one restart, however many children start again; a restart that fails is tried again at
 * once and counted each time; starting a child by a call is not counted. */
typedef struct cop_intensity {
    bool set;
    uint32_t restarts;
    uint32_t seconds;               /* > 0 */
    bool whole_seconds;             /* false: measured exactly, on the monotonic clock.
                                     * true: as OTP does, on a clock of whole seconds, which
                                     * makes the window up to a second longer */
} cop_intensity;
#define COP_MAX_RESTARTS(restarts_, seconds_) { true, (restarts_), (seconds_), false }

/* Starts a child, inside the supervisor; must create a process linked to the caller. */
typedef cop_started cop_start_child_function(const void *module, const void *argument,
                                             size_t argument_size);

typedef struct cop_child_spec {
    const char *id;                  /* unique in its supervisor; copied */
    cop_start_child_function *start;
    const void *module;              /* start's first parameter: the cop_gen_server, ... */
    const void *argument;            /* start's second one; copied when argument_size > 0 */
    size_t argument_size;
    enum cop_restart restart;
    cop_shutdown shutdown;
    enum cop_child_type type;
    bool significant;                /* see auto_shutdown */
} cop_child_spec;

/* Ready-made start functions; module is the cop_gen_server, the cop_supervisor, or a
 * cop_function that calls cop_init_ack when it is ready. */
cop_started cop_child_server(const void *module, const void *argument, size_t argument_size);
cop_started cop_child_supervisor(const void *module, const void *argument, size_t argument_size);
cop_started cop_child_function(const void *module, const void *argument, size_t argument_size);

/* Children for a spec table; any field may follow.  The id is the variable's name. */
#define COP_CHILD_SERVER(server_, ...)                                                   \
    { .id = #server_, .start = cop_child_server, .module = &(server_), __VA_ARGS__ }
#define COP_CHILD_SUPERVISOR(supervisor_, ...)                                           \
    { .id = #supervisor_, .start = cop_child_supervisor, .module = &(supervisor_),       \
      .type = COP_SUPERVISOR, __VA_ARGS__ }

typedef struct cop_supervisor {
    const char *name;                    /* register under it; NULL: no name */
    enum cop_strategy strategy;
    cop_intensity intensity;
    enum cop_auto_shutdown auto_shutdown;
    const cop_child_spec *children;
    size_t child_count;
    /* Called in the new process before any child is started; may change the copy in
     * *flags (its children may point into cop_alloc memory).  Returns cop_ok, cop_ignore or
     * cop_stop(reason).  NULL: the table above is all. */
    cop_next (*init)(struct cop_supervisor *flags, const void *argument);
} cop_supervisor;
#define COP_CHILDREN(table_) .children = (table_), .child_count = sizeof(table_) / sizeof(*(table_))

/* Starts a supervisor and its children; optional cop_start_options follow.  When a child fails
 * to start, those before it are stopped and the error is COP_EFAILED with
 * {shutdown, {failed_to_start_child, {Id, Reason}}}.  COP_EINVAL: a spec is wrong (no id, no
 * start, period 0, significant with permanent or without auto_shutdown);
 * COP_EDUPLICATE: two children with one id; of both the reason says what and where.
 * *supervisor is copied; what it points to must last until the start has returned. */
cop_started cop_supervisor_start_opt(const cop_supervisor *supervisor,
                                     const cop_start_options *options);
#define cop_supervisor_start_link(supervisor_, ...)                                      \
    cop_supervisor_start_opt((supervisor_), &(cop_start_options){ .link = true, __VA_ARGS__ })

/* Adds a child and starts it, as the youngest.  error 0 with COP_NO_PID: init returned
 * ignore, the spec is kept unless temporary.  COP_EALREADY_STARTED with the pid,
 * COP_EALREADY_PRESENT, COP_EFAILED with the reason (nothing is kept), COP_EINVAL;
 * COP_ENOPROC and COP_EDOWN if the supervisor is not there to answer. */
cop_started cop_supervisor_start_child(cop_dest supervisor, const cop_child_spec *spec);

/* Stops a child; its spec stays unless temporary; a restart under way is given up.
 * 0 also if it was not running; COP_ENOT_FOUND.  All that goes by id gives COP_EINVAL when
 * the supervisor is a dynamic one. */
int cop_supervisor_terminate_child(cop_dest supervisor, const char *id);

/* Starts a stopped child again; results as start_child's, and COP_ERUNNING,
 * COP_ERESTARTING, COP_ENOT_FOUND.  A failed start keeps the spec. */
cop_started cop_supervisor_restart_child(cop_dest supervisor, const char *id);

/* Forgets a stopped child.  COP_ERUNNING, COP_ERESTARTING, COP_ENOT_FOUND. */
int cop_supervisor_delete_child(cop_dest supervisor, const char *id);

enum cop_child_state { COP_CHILD_DOWN, COP_CHILD_UP, COP_CHILD_RESTARTING };
typedef struct cop_child_info {
    const char *id;                  /* NULL for a dynamic child */
    enum cop_child_state state;
    cop_pid pid;                     /* when up */
    enum cop_child_type type;
} cop_child_info;

/* The children, youngest first, in one block that the caller frees with cop_free. */
int cop_supervisor_which_children(cop_dest supervisor, cop_child_info **ret_children,
                                  size_t *ret_count);

typedef struct cop_child_counts { size_t specs, active, supervisors, workers; } cop_child_counts;
int cop_supervisor_count_children(cop_dest supervisor, cop_child_counts *ret_counts);

/* A child's spec with every default filled in, in one block freed with cop_free. */
int cop_supervisor_get_childspec(cop_dest supervisor, const char *id, cop_child_spec **ret_spec);

/* Stops the supervisor with reason (taken over) and waits: cop_stop_process without limit. */
int cop_supervisor_stop(cop_dest supervisor, const cop_reason *reason);

#ifdef __cplusplus
}
#endif
#endif
