/* supervisor_state.h - a supervisor's state, and what its calls and its restarts have in common. */
#ifndef COPI_SUPERVISOR_STATE_H
#define COPI_SUPERVISOR_STATE_H

#include "child.h"
#include "children.h"

struct supervisor {
    struct keeper keeper;
    struct policy policy;
    struct children children;
};

/* Starts a child that is not UP; a failure leaves it as it was. */
cop_started copi_supervisor_start_child(struct supervisor *supervisor, struct child *child,
                                        enum cop_log_level level);

static inline bool copi_start_failed(const cop_started *started)
{
    return started->error != COP_OK && started->error != COP_EIGNORED;
}

/* The child runs, and progress says so. */
void copi_supervisor_set_up(struct supervisor *supervisor, struct child *child, cop_pid pid,
                            enum cop_log_level level);

/* Stops a child, if it runs, and gives up its restart, if there is one under way. */
void copi_supervisor_stop_child(struct supervisor *supervisor, struct child *child);

/* Answers a call; one that is not a supervisor's ends it, as in OTP. */
cop_next copi_supervisor_call(struct supervisor *supervisor, const cop_message *request);

#endif
