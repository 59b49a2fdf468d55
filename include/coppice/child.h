/* child.h - how a supervisor is to start, restart, watch and stop a child.
 *
 * Concept.  A child spec is a table entry: what to start, and what to do when it ends.  Only id and
 * start must be given; all zeroes else is what OTP does by default.  OTP: child_spec().
 *
 *     { .id = "feed", .start = cop_child_server, .module = &feed,
 *       .backoff = { .initial_ms = 100, .max_ms = 30000, .jitter_percent = 20 },
 *       .budget = COP_MAX_RESTARTS(10, 600), .when_spent = COP_STAY_DOWN,
 *       .ready_ms = 5000, .drain_ms = 10000, .probe = { .interval_ms = 1000 } }
 *
 * Life cycle.
 *
 *     started --> ready --> runs, is probed --> ended --> delay --> started ...
 *                                |
 *                           it is stopped: drain --> exit signal --> killed when its time is over
 *
 * Threads.  The structs are plain values; the functions say so.  OTP has nothing like
 * backoff, budget, readiness, drain and probe. */
#ifndef COPPICE_CHILD_H
#define COPPICE_CHILD_H

#include <coppice/gen_server.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- when it has ended ----------------------------------------------------------------- */

enum cop_restart {
    COP_PERMANENT = 0,   /* always started again */
    COP_TRANSIENT,       /* only after an abnormal end */
    COP_TEMPORARY        /* never; its spec is forgotten */
};

/* How many restarts are too many.  The zero value is 3 in 5 seconds for a supervisor (Elixir's
 * default; Erlang's is 1 in 5) and no limit for a child; COP_MAX_RESTARTS(0, 5) gives up at the
 * first crash.  One crash is one restart, however many children start again; a restart
 * that fails is tried again and counted each time, when it is tried; starting a child by a
 * call is not counted.  Only by the macros, as an initialiser; in an assignment with a cast:
 * flags->intensity = (cop_intensity)COP_MAX_RESTARTS(1, 5). */
typedef struct cop_intensity {
    bool set;
    uint32_t restarts;
    uint32_t seconds;               /* > 0 */
    bool whole_seconds;             /* false: measured exactly, on the monotonic clock.
                                     * true: as OTP does, on a clock of whole seconds, which
                                     * makes the window up to a second longer */
} cop_intensity;
#define COP_MAX_RESTARTS(restarts_, seconds_) { true, (restarts_), (seconds_), false }
#define COP_UNLIMITED_RESTARTS { true, UINT32_MAX, 1, false }

/* How long a restart waits: initial_ms, and after each one that follows factor times as long, at
 * most max_ms.  A child that has run for reset_ms begins anew.  In a group (rest_for_one,
 * one_for_all) the others are stopped at once and start after the delay of the one that ended; if
 * the group is restarted for another one meanwhile, it does not wait for this delay.  A restart is
 * counted when it is tried.  terminate_child and the supervisor's end cancel one that waits. */
typedef struct cop_backoff {
    int64_t initial_ms;      /* 0: no delay, as in OTP; the others must be 0 then */
    int64_t max_ms;          /* 0: 30,000, or initial_ms if that is more */
    uint32_t factor;         /* 0: 2 */
    uint32_t jitter_percent; /* so much of the delay, at most, is left out by chance; 0 to 100 */
    int64_t reset_ms;        /* 0: max_ms */
} cop_backoff;

/* What happens when a child's own budget is spent: its supervisor gives up, as when its own
 * intensity is reached; or the child stays down, until restart_child, and nothing else
 * (one_for_one and dynamic supervisors only; a dynamic child is forgotten). */
enum cop_spent { COP_GIVE_UP = 0, COP_STAY_DOWN };

/* ---- while it runs --------------------------------------------------------------------- */

enum cop_child_type { COP_WORKER = 0, COP_SUPERVISOR };

/* Asks the child every interval_ms whether it answers; one that does not within timeout_ms is
 * killed and so restarted, its exit reason `killed` with the origin `unresponsive`.  Every
 * gen_server answers by itself, in its turn among the messages, also when it is suspended:
 * timeout_ms must be more than its longest queue takes.  A plain function must call
 * cop_probe_answer. */
typedef struct cop_probe {
    int64_t interval_ms;     /* 0: no probe */
    int64_t timeout_ms;      /* 0: interval_ms */
} cop_probe;

/* ---- when it is to end ----------------------------------------------------------------- */

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

/* ---- the spec -------------------------------------------------------------------------- */

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
    bool significant;                /* see cop_supervisor.auto_shutdown */
    /* Beyond OTP.  ready_ms, drain_ms and probe are for workers: a supervisor is ready when its
     * start returns, and stops each of its children as that one's spec says.  ready_ms is for
     * children of static supervisors. */
    cop_backoff backoff;
    cop_intensity budget;            /* of this child alone, besides its supervisor's; unset: no
                                      * limit of its own */
    enum cop_spent when_spent;
    int64_t ready_ms;                /* > 0 or COP_INFINITY: it calls cop_ready within that time,
                                      * else it has failed to start; those after it wait */
    int64_t drain_ms;                /* > 0 or COP_INFINITY: the time to finish what it has begun,
                                      * before its shutdown begins */
    cop_probe probe;
} cop_child_spec;

/* Ready-made start functions; module is the cop_gen_server, the cop_supervisor, or a cop_function
 * that calls cop_init_ack when it has started: its supervisor waits for that without a limit. */
cop_started cop_child_server(const void *module, const void *argument, size_t argument_size);
cop_started cop_child_supervisor(const void *module, const void *argument, size_t argument_size);
cop_started cop_child_function(const void *module, const void *argument, size_t argument_size);

/* COP_MODULE(type, variable): the variable's address, a constant expression; one of another type
 * does not compile. */
#ifdef __cplusplus
#define COP_MODULE(type_, variable_) static_cast<const type_ *>(&(variable_))
#else
#define COP_MODULE(type_, variable_)                                                     \
    _Generic(&(variable_), type_ *: &(variable_), const type_ *: &(variable_))
#endif

/* The same for a cop_function. */
#ifdef __cplusplus
#define COP_FUNCTION(function_)                                                          \
    reinterpret_cast<const void *>(static_cast<cop_function *>(function_))
#else
#define COP_FUNCTION(function_) ((const void *)_Generic(&(function_), cop_function *: (function_)))
#endif

/* Children for a spec table; any field may follow.  The id is the variable's name; a
 * variable of another type does not compile. */
#define COP_CHILD_SERVER(server_, ...)                                                   \
    { .id = #server_, .start = cop_child_server,                                         \
      .module = COP_MODULE(cop_gen_server, server_), __VA_ARGS__ }
#define COP_CHILD_FUNCTION(function_, ...)                                               \
    { .id = #function_, .start = cop_child_function,                                     \
      .module = COP_FUNCTION(function_), __VA_ARGS__ }

/* ---- the child's side ------------------------------------------------------------------ */

/* [process] Says that the caller, the child itself, is ready for those that depend on it: a
 * server that has answered its start and then connects, loads, warms up.  Once is enough; it
 * holds until the process ends.  Sends a cop_ready_message to the parent (cop_parent); a
 * supervisor that waits for none ignores it. */
void cop_ready(void);
typedef struct cop_ready_message { char cop_empty; } cop_ready_message;

/* What a child with drain_ms gets first when it is to be stopped: it takes nothing new on, finishes
 * what it has begun, and ends with normal or shutdown when that is done.  A gen_server's
 * handle_drain is called; a plain function receives the message (of kind COP_SYSTEM) or
 * simply comes to its end.  One whose drain time runs out is stopped as if it had none. */
typedef struct cop_drain_message { char cop_empty; } cop_drain_message;

/* [process] Answers a probe, for a process that is no gen_server. */
typedef struct cop_probe_message { char cop_empty; } cop_probe_message;
void cop_probe_answer(const cop_message *probe);

extern const cop_message_type cop_type_cop_ready_message, cop_type_cop_drain_message,
    cop_type_cop_probe_message;

#ifdef __cplusplus
}
#endif
#endif
