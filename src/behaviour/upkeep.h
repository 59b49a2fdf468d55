/* upkeep.h - what a supervisor keeps of a child beyond OTP: how its restarts went, whether it is
 * ready, whether it answers.
 *
 * There is one timer at a time, and what it means depends on the child's state:
 *
 *     restarting              the delay of the restart is over: try it
 *     up, not ready           the time to get ready is over: it is killed
 *     up, ready, not asked    the next probe is due: it is asked
 *     up, ready, asked        the time to answer is over: it is killed
 *
 * The timer's message goes to the supervisor itself, which asks copi_upkeep_due whether it is the
 * one that the child waits for: a message whose timer was stopped too late finds another one, or
 * none. A retry without delay is a plain message, for which no timer must be running. */
#ifndef COPI_UPKEEP_H
#define COPI_UPKEEP_H

#include <coppice/supervisor.h>

#include "policy.h"

struct upkeep {
    struct restart_window budget;  /* if the spec has one */
    cop_ref timer;                 /* or COP_NO_REF */
    int64_t up_ns;                 /* when it was last started */
    uint64_t restarts;             /* since it is known */
    uint32_t in_a_row;             /* restarts without a stable time between them */
    bool ready;
    bool asked;                    /* a probe is not answered yet */
    const char *verdict;           /* why it was killed, or NULL */
    const cop_reason *last_end;    /* owned, or NULL */
};

/* Whether a spec needs one: has a backoff, a budget or a probe. */
bool copi_upkeep_wanted(const cop_child_spec *spec);

/* upkeep is all zeroes. */
void copi_upkeep_init(struct upkeep *upkeep, const cop_child_spec *spec);
void copi_upkeep_deinit(struct upkeep *upkeep);

/* Starts the timer in place of the one that runs, if any; the message, to the supervisor itself, is
 * taken over.  COP_INFINITY: the message is freed. */
void copi_upkeep_arm(struct upkeep *upkeep, int64_t ms, cop_message *message);
void copi_upkeep_disarm(struct upkeep *upkeep);

/* Whether the message is the one that is waited for; if so, no timer runs any more. */
bool copi_upkeep_due(struct upkeep *upkeep, const cop_message *message);

/* It was started; first: not as a restart. */
void copi_upkeep_started(struct upkeep *upkeep, const cop_child_spec *spec, bool first);

/* It has ended by itself, with `reason` (borrowed).  Returns the reason as others are to see it,
 * which stays upkeep's: with the verdict as origin, if it was killed for one. */
const cop_reason *copi_upkeep_ended(struct upkeep *upkeep, const cop_child_spec *spec,
                                    const cop_reason *reason);

/* The delay of the next restart, which is counted as one in a row; its spec has a backoff. */
int64_t copi_upkeep_delay(struct upkeep *upkeep, const cop_child_spec *spec);

/* What the policy wants to know of it. */
void copi_upkeep_tell(struct upkeep *upkeep, const cop_child_spec *spec,
                      struct ended_child *ret_ended);

/* Kills the child for not being ready or not answering. */
void copi_upkeep_condemn(struct upkeep *upkeep, cop_pid pid);

/* Sends the child a probe. */
void copi_upkeep_ask(struct upkeep *upkeep, cop_pid pid);

static inline int64_t copi_probe_timeout(const cop_probe *probe)
{
    return probe->timeout_ms > 0 ? probe->timeout_ms : probe->interval_ms;
}

/* The fields of a status that are kept here. */
void copi_upkeep_status(const struct upkeep *upkeep, cop_child_status *ret_status);

#endif
