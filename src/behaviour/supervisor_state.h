/* supervisor_state.h - a supervisor's state, and what its parts have in common: supervisor.c has
 * the callbacks, supervisor_calls.c the calls, supervisor_restart.c the restarts. */
#ifndef COPI_SUPERVISOR_STATE_H
#define COPI_SUPERVISOR_STATE_H

#include "child.h"
#include "children.h"

/* Why a group is started again: the child that ended, its pid then, and its reason. */
struct cause {
    char *id;
    cop_pid old;
    const cop_reason *reason;     /* owned */
};

struct supervisor {
    struct keeper keeper;
    struct policy policy;
    struct children children;
    const struct child *gate;     /* whom the children that wait, wait for; or NULL */
    struct cause cause;           /* of the last restart of a group */
};

/* ---- start and stop ---------------------------------------------------------------- */

/* Starts a child that is not UP; a failure leaves it as it was.  level: info when the supervisor
 * does so by itself, debug when a call asked for it. */
cop_started copi_supervisor_start_child(struct supervisor *supervisor, struct child *child,
                                        enum cop_log_level level);

static inline bool copi_start_failed(const cop_started *started)
{
    return started->error != COP_OK && started->error != COP_EIGNORED;
}

/* The child runs, and progress says so. */
void copi_supervisor_set_up(struct supervisor *supervisor, struct child *child, cop_pid pid,
                            enum cop_log_level level);

/* The child runs and is ready: who waits for that hears of it. */
void copi_supervisor_set_ready(struct supervisor *supervisor, struct child *child);

/* A child that is not to run: its restart is given up; a temporary one is forgotten. */
void copi_supervisor_put_down(struct supervisor *supervisor, struct child *child);

/* Stops the children younger than `last`, or all if it is NULL, youngest first. */
void copi_supervisor_stop_younger(struct supervisor *supervisor, const struct child *last);

/* Takes a child out; those who await its restart hear that it is not found. */
void copi_supervisor_forget(struct supervisor *supervisor, struct child *child);

/* ---- restarts ---------------------------------------------------------------------- */

/* The child has ended by itself. */
cop_next copi_supervisor_child_ended(struct supervisor *supervisor, struct child *child,
                                     const cop_reason *reason);

/* A message says that the child's time has come, of a restart or of a probe (upkeep.h). */
cop_next copi_supervisor_child_due(struct supervisor *supervisor, struct child *child,
                                   const cop_message *message);

/* The child runs: sets the timer for what is expected of it next, if anything is. */
void copi_supervisor_watch(struct child *child);

/* It has answered a probe. */
void copi_supervisor_child_answered(struct child *child);

/* If the child is whom others wait for, they wait no longer. */
void copi_supervisor_open_gate(struct supervisor *supervisor, const struct child *child);

/* ---- calls ------------------------------------------------------------------------- */

/* Answers a call; one that is not a supervisor's ends it, as in OTP. */
cop_next copi_supervisor_call(struct supervisor *supervisor, const cop_message *request);

/* Tells those who await the restart of this child: it runs and is ready, or, if not, it is no
 * more. */
void copi_supervisor_tell_waiters(struct child *child);

#endif
