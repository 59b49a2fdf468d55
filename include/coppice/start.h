/* start.h - the synchronous start protocol.
 *
 * Concept.  A start function returns when the new process has said that it is ready,
 * or is dead: the caller never sees a half-started process, a name still held
 * by a failed one, or a stray exit message.  Servers and supervisors start this way;
 * a plain function becomes a well-behaved child by calling cop_init_ack.
 * OTP: proc_lib:start_link, init_ack, init_fail, by the rules of OTP 26 and later.
 *
 * Threads.  [process] all of it. */
#ifndef COPPICE_START_H
#define COPPICE_START_H

#include <coppice/process.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a start gives back.  Own `reason` (cop_reason_unref it) when it is not NULL.
 *   error 0              pid runs
 *   COP_EIGNORED         init returned ignore; no process
 *   COP_EALREADY_STARTED pid has the name already
 *   COP_EFAILED          it failed to start; reason says why (OTP: {error, Reason})
 *   COP_ETIMEOUT         it was not ready in time and was killed
 *   COP_EREPLY           its reply (cop_parent_alias) was another one than these; it was killed
 *   COP_ENOMEM, COP_EINVAL, COP_EOUTSIDE; of a via name COP_ENOPROC: its directory does not run */
typedef struct cop_started {
    int error;
    cop_pid pid;
    const cop_reason *reason;
} cop_started;

typedef struct cop_start_options {
    const void *argument;    /* for the process's function or init */
    size_t argument_size;    /* > 0: copied, for the process's life; 0: the pointer is passed,
                              * and must stay valid */
    const char *name;        /* register under this name before init; copied */
    const cop_via_name *via; /* instead of any name: register there; copied, with its key */
    bool link;
    bool trap_exit;          /* start with trap_exit on */
    int64_t timeout_ms;      /* time to get ready; 0 or COP_INFINITY: no limit */
    const char *label;
    size_t stack_bytes;
    size_t max_memory;       /* as in cop_spawn_options */
    cop_mailbox_bound mailbox;
} cop_start_options;

/* [may block] Starts function(argument) and waits for its cop_init_ack or _fail, or its end.  If
 * the caller is linked, does not trap exits, and the process fails with another exit reason than
 * normal, the link ends the caller, always (in OTP it is a race); a time-out does not. */
cop_started cop_start(cop_function *function, const cop_start_options *options);

/* [may block] For functions that are to be children: starts with link.  cop_child_function
 * in a cop_child_spec uses it. */
cop_started cop_start_link(cop_function *function, const void *argument, size_t argument_size);

/* In the started process, once: it is ready.  In one that was not started, nothing. */
void cop_init_ack(void);

/* In the started process, in place of cop_init_ack: it won't run.  The start returns `error`
 * (COP_EIGNORED, COP_EALREADY_STARTED with the pid, or COP_EFAILED with result); the process gives
 * its name back and ends with `exit`.  Both reasons are taken over; result may be NULL, and exit
 * too for normal. */
#if defined(__GNUC__)
__attribute__((noreturn))
#endif
void cop_init_fail(int error, cop_pid pid, const cop_reason *result, const cop_reason *exit);

/* [may block] Ends a process in order and waits until it is down: it gets a request to
 * terminate with that reason (taken over), which servers and supervisors obey.
 * Returns 0 when it ended with that reason; COP_ENOPROC; COP_ETIMEOUT (it will still end);
 * COP_EDOWN when it ended with another one; COP_ESELF, COP_EINVAL, COP_EOUTSIDE.
 * OTP: proc_lib:stop/3, gen_server:stop/3. */
int cop_stop_process(cop_dest process, const cop_reason *reason, int64_t timeout_ms);

/* When a process that is being stopped must be down; it travels with the reason, so that a server's
 * terminate can tell how long it has: cop_reason_deadline(reason), borrowed; NULL: none is known.
 * cop_supervisor_stop_within makes them, supervisors pass them on. */
typedef struct cop_deadline {
    int64_t ns;              /* on the clock of cop_now_ns */
    cop_ref watcher;         /* the alias of who is told of those that had to be killed */
    const char *path;        /* who is stopped: the ids from the top of the tree on, with slashes */
    cop_pid process;         /* its pid; whoever else ends because of its end has no deadline */
} cop_deadline;
const cop_deadline *cop_reason_deadline(const cop_reason *reason);

/* [any thread] The same reason with a deadline, which is copied; takes the reason over. */
const cop_reason *cop_reason_by(const cop_reason *reason, const cop_deadline *deadline);

/* The request that cop_stop_process sends, of kind COP_SYSTEM with ref 0. */
typedef struct cop_terminate_message { const cop_reason *reason; } cop_terminate_message;
extern const cop_message_type cop_type_cop_terminate_message;

#ifdef __cplusplus
}
#endif
#endif
