/* sys.h - looking into a running server, and steering it.
 *
 * Concept.  Every gen_server, and so every supervisor and agent, answers these requests between
 * two messages, without a line of its own code.  While it is suspended it answers them, obeys its
 * parent's end and cop_stop_process, and nothing else: its messages wait, in order, and its callers
 * may run out of time.  A timeout that a callback asked for begins anew with each request.
 * OTP: sys.
 *
 *     cop_sys_suspend(cop_to("ledger"), COP_SYS_TIMEOUT_MS);
 *     cop_sys_get_state(cop_to("ledger"), &ledger, sizeof ledger, COP_SYS_TIMEOUT_MS);
 *     cop_sys_resume(cop_to("ledger"), COP_SYS_TIMEOUT_MS);
 *
 * Threads.  [process] [may block] all of it; each waits at most timeout_ms.  Each returns 0;
 * COP_ENOPROC; COP_ETIMEOUT (the server may still do it); COP_EDOWN when it ended meanwhile;
 * COP_ESELF; COP_EINVAL; COP_EOUTSIDE.  A process that is not a gen_server does not answer. */
#ifndef COPPICE_SYS_H
#define COPPICE_SYS_H

#include <coppice/gen_server.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { COP_SYS_TIMEOUT_MS = 5000 };

/* ---- state ----------------------------------------------------------------------------- */

/* Copies the server's state into *ret_state; size must be its state_size (COP_EINVAL).  What
 * pointers in it lead to is the server's and may be gone. */
int cop_sys_get_state(cop_dest server, void *ret_state, size_t size, int64_t timeout_ms);

/* Runs replace(state, argument) in the server, which may change the state in place; argument is a
 * copy (NULL without bytes).  A replace that crashes ends the server, as any code of its own would
 * (in OTP the old state is kept). */
typedef void cop_sys_replace(void *state, const void *argument);
int cop_sys_replace_state(cop_dest server, cop_sys_replace *replace, const void *argument,
                          size_t argument_size, int64_t timeout_ms);

/* ---- suspending ------------------------------------------------------------------------ */

/* 0 also if it is suspended already, or is not.  When suspend has returned, no callback runs
 * until resume, except terminate. */
int cop_sys_suspend(cop_dest server, int64_t timeout_ms);
int cop_sys_resume(cop_dest server, int64_t timeout_ms);

typedef struct cop_sys_status {
    cop_pid pid;
    cop_pid parent;            /* whose end ends it; or no process */
    bool suspended;
    size_t state_size;
    size_t mailbox_length;     /* messages that wait */
    size_t memory_bytes;       /* what it has from cop_alloc, its state included */
    char name[64];             /* cut if longer, "" if it has none; so the label */
    char label[64];
} cop_sys_status;
int cop_sys_get_status(cop_dest server, cop_sys_status *ret_status, int64_t timeout_ms);

/* ---- watching -------------------------------------------------------------------------- */

/* Counting messages, from when it is switched on (again: from zero).  cop_sys_statistics gives
 * COP_EINVAL while it is off. */
typedef struct cop_sys_counts {
    int64_t start_ns, now_ns;
    uint64_t messages_in;      /* given to callbacks: calls, casts, any other, timeouts */
    uint64_t messages_out;     /* replies that callbacks returned */
} cop_sys_counts;
int cop_sys_statistics_on(cop_dest server, bool on, int64_t timeout_ms);
int cop_sys_statistics(cop_dest server, cop_sys_counts *ret_counts, int64_t timeout_ms);

/* Tracing: each of these messages and replies is handed to the log sink as it comes, as
 * COP_LOG_TEXT of level debug: "got a call from shop", "replied to shop". */
int cop_sys_trace(cop_dest server, bool on, int64_t timeout_ms);

/* Keeps what is known of the last `keep` messages and replies, at most COP_SYS_LOG_MAX; 0 switches
 * it off; what was kept is dropped. */
enum { COP_SYS_LOG_MAX = 1024 };
int cop_sys_log(cop_dest server, unsigned keep, int64_t timeout_ms);

typedef struct cop_sys_log_entry {
    int64_t time_ns;
    bool out;                  /* a reply */
    cop_pid peer;              /* who sent it, or who gets the reply */
    char type[48];             /* the message's type; cut if longer */
} cop_sys_log_entry;

/* The newest `room` of them at most, oldest first; none while it is off. */
int cop_sys_get_log(cop_dest server, cop_sys_log_entry *ret_entries, size_t room,
                    size_t *ret_count, int64_t timeout_ms);

/* ---- ending ---------------------------------------------------------------------------- */

/* Ends the server with reason (taken over), as cop_stop_process does; COP_EDOWN when it ended with
 * another one. */
int cop_sys_terminate(cop_dest server, const cop_reason *reason, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
