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
 * Life cycle.  start -> children started, one after the other -> restarts -> children stopped in
 * reverse order -> gone.  A group restart starts again every child in the group, those that had
 * been stopped or had finished included; temporary ones are removed. A restart that fails is
 * tried again at once, though not before the messages that wait, or after its backoff; in a group
 * the child that failed is where the next try begins.  A child that is to say when it is ready
 * (child.h) holds up those after it: at the start the supervisor itself waits for it, in a group
 * restart only they do, as for one whose restart is delayed.  They wait no longer when it is
 * terminated or ends for good.  Who is started by a call waits for nobody, and nobody for it.
 *
 * Why.  The exit reason of a supervisor that gave up is shutdown, and its origin (reason.h) says
 * what made it give up, through all supervisors in between: {payments, {ledger, crash:SIGSEGV}}.
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

#include <coppice/child.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cop_strategy { COP_ONE_FOR_ONE = 0, COP_REST_FOR_ONE, COP_ONE_FOR_ALL };

enum cop_auto_shutdown { COP_NEVER = 0, COP_ANY_SIGNIFICANT, COP_ALL_SIGNIFICANT };

/* For a spec table, as COP_CHILD_SERVER (child.h). */
#define COP_CHILD_SUPERVISOR(supervisor_, ...)                                           \
    { .id = #supervisor_, .start = cop_child_supervisor,                                 \
      .module = COP_MODULE(cop_supervisor, supervisor_), .type = COP_SUPERVISOR, __VA_ARGS__ }

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
 * *supervisor is copied, and so are the table, its ids and the arguments that have a size, before
 * anything is started: the caller may be killed meanwhile. */
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

/* One child, found in constant time.  COP_ENOT_FOUND.  OTP: supervisor:which_child/2. */
typedef struct cop_child_status {
    enum cop_child_state state;
    cop_pid pid;                     /* when up */
    enum cop_child_type type;
    bool ready;                      /* up, and has said so if it is to */
    uint64_t restarts;               /* how often its supervisor started it again by itself */
    int64_t running_ms;              /* when up: for how long */
    int64_t restart_in_ms;           /* when restarting: how long until the next try; 0: at once, or
                                      * it waits for an older one */
    const cop_reason *last_end;      /* why it ended last, or failed to start again with its group;
                                      * owned by the caller; NULL: it never did by itself */
} cop_child_status;
int cop_supervisor_which_child(cop_dest supervisor, const char *id, cop_child_status *ret_status);

typedef struct cop_child_counts { size_t specs, active, supervisors, workers; } cop_child_counts;
int cop_supervisor_count_children(cop_dest supervisor, cop_child_counts *ret_counts);

/* A child's spec with every default filled in, in one block freed with cop_free. */
int cop_supervisor_get_childspec(cop_dest supervisor, const char *id, cop_child_spec **ret_spec);

/* Waits until the child under this id is another process than `old`, running and ready, and gives
 * its pid: at once if it is so already (timeout_ms > 0).  For tests and tools that have made a
 * child end, by whatever means, and want to go on with its successor.  One that is down may come
 * back by restart_child, so it is waited for.  COP_ETIMEOUT; COP_ENOT_FOUND: no such child, or it
 * was forgotten meanwhile; COP_ENOPROC, COP_EDOWN: the supervisor is not there, or gave up. */
int cop_supervisor_await_restart(cop_dest supervisor, const char *id, cop_pid old,
                                 int64_t timeout_ms, cop_pid *ret_pid);

/* ---- stopping a tree ------------------------------------------------------------------- */

/* Stops the supervisor with reason (taken over) and waits: cop_stop_process without limit. */
int cop_supervisor_stop(cop_dest supervisor, const cop_reason *reason);

/* A process that did not stop in time and was killed. */
typedef struct cop_straggler {
    const char *path;                /* from the stopped supervisor down: "app/payments/ledger"; who
                                      * is below one that was killed goes by name or pid */
    cop_pid pid;
    bool asked;                      /* false: the time was over before its turn came */
} cop_straggler;

/* The same with a deadline for the whole tree, however its shutdown times add up: the supervisors
 * in it share deadline_ms (0 or more).  The top and every child get at most fifteen sixteenths of
 * what is left when their turn comes (of 1,600 ms the top has 1,500 and its youngest child
 * 1,406), so that those behind one that is stuck are asked too; when the time is over, whoever
 * remains of the tree is killed, the top too if it is stuck itself.
 *
 * Those below a supervisor that its spec kills brutally end by themselves, as ever, unwatched.
 *
 * Returns 0, with NULL and no stragglers, when all stopped by themselves; COP_ETIMEOUT when some
 * were killed because their own time or the tree's was over, with these, the first to be killed
 * first, in one block that the caller frees with cop_free (both outputs may be NULL); else as
 * cop_stop_process, and the outputs are untouched.  A child's exit reason leads to its deadline
 * (cop_reason_deadline).  If the caller is killed meanwhile, the tree still keeps its deadline,
 * unless the top itself is stuck. */
int cop_supervisor_stop_within(cop_dest supervisor, const cop_reason *reason, int64_t deadline_ms,
                               cop_straggler **ret_stragglers, size_t *ret_count);

#ifdef __cplusplus
}
#endif
#endif
