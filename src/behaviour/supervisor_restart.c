/* supervisor_restart.c - what a supervisor does when a child has ended: it carries out what
 * policy.c decides.
 *
 * A child is in one of three states:
 *
 *            started               it ended; it was stopped by a call or with its group
 *     DOWN -----------> UP -----------------------------------------> DOWN, or forgotten
 *      ^  \              |
 *      |   \ failed in   | it ended and its restart
 *      |    \ a group    | failed, or is delayed
 *      |     v           v
 *      +---- RESTARTING <--+
 *       gave up,   |       | failed again
 *       ignored,   +-------+------------------> UP
 *       terminate_child     started
 *
 * RESTARTING has a message on its way: from a timer if there is a delay, else a cast to the
 * supervisor itself, so that calls, exits and its own end are handled between two tries.  A
 * message that is not the one that its child waits for was cancelled, and does nothing.
 *
 * The gate.  In a group, children may have to wait: for one that was started and is not ready, or
 * for one whose restart is delayed.  That one is the gate, the others are RESTARTING with `waits`
 * and have no message on its way.  There is one gate at most: a restart of the group that it
 * belongs to replaces it, and one of a group behind it (of a child that a call has started
 * meanwhile) puts that group among those that wait.  When the gate is ready, or is not to run after
 * all, those that wait are started. */
#include "supervisor_state.h"

#include <assert.h>
#include <string.h>

#include <coppice/memory.h>
#include <coppice/timer.h>

#include "request.h"

/* ---- one child --------------------------------------------------------------------- */

/* The message that makes the child due. */
static cop_message *due(const struct child *child)
{
    return copi_request_by_id(COP_TYPE(copi_due_child), child->spec.id);
}

/* Its restart is tried after its delay, or behind what waits in the mailbox. */
static void try_later(struct supervisor *supervisor, struct child *child)
{
    copi_children_set_state(&supervisor->children, child, COP_CHILD_RESTARTING);
    if (child->spec.backoff.initial_ms == 0) {
        if (!child->retry_sent) cop_cast_message(cop_to(cop_self()), due(child));
        child->retry_sent = true;
        return;
    }
    int64_t delay_ms = copi_upkeep_delay(&child->upkeep, &child->spec);
    copi_upkeep_arm(&child->upkeep, delay_ms, due(child));
}

/* It was to be started again and failed. */
static void start_failed(struct supervisor *supervisor, struct child *child,
                         const cop_started *started, bool keep_reason)
{
    const cop_reason *failure = copi_start_failure(started);
    copi_report(&supervisor->keeper, "start_error", child->spec.id, child->pid, failure);
    if (keep_reason && child->upkeep.last_end != NULL) {
        cop_reason_unref(failure);
    } else {
        cop_reason_unref(child->upkeep.last_end);
        child->upkeep.last_end = failure;
    }
    try_later(supervisor, child);
}

static void restart_one(struct supervisor *supervisor, struct child *child)
{
    cop_pid old = child->pid;
    copi_children_set_state(&supervisor->children, child, COP_CHILD_RESTARTING);
    cop_started started = copi_supervisor_start_child(supervisor, child, COP_LOG_INFO);
    if (copi_start_failed(&started)) {
        start_failed(supervisor, child, &started, true);
    } else if (started.error == COP_OK) {
        const char *const ids[] = { child->spec.id };
        copi_report_restart(&supervisor->keeper, child->spec.id, old, child->upkeep.last_end, ids,
                            1);
    }
}

/* ---- a group ----------------------------------------------------------------------- */

static void set_cause(struct supervisor *supervisor, const struct child *pivot)
{
    struct cause before = supervisor->cause;
    supervisor->cause = (struct cause){ cop_strdup(pivot->spec.id), pivot->pid,
                                        cop_reason_ref(pivot->upkeep.last_end) };
    cop_free(before.id);
    cop_reason_unref(before.reason);
}

static void report_group(struct supervisor *supervisor, const char *const *ids, size_t count)
{
    const struct cause *cause = &supervisor->cause;
    if (count > 0)
        copi_report_restart(&supervisor->keeper, cause->id, cause->old, cause->reason, ids, count);
}

/* A child of the group failed to start: it becomes the pivot of the next try, and those after it
 * are down until then, or wait for it if that is later. */
static void group_failed(struct supervisor *supervisor, struct child *child,
                         const cop_started *started)
{
    bool delayed = child->spec.backoff.initial_ms > 0;
    start_failed(supervisor, child, started, strcmp(child->spec.id, supervisor->cause.id) == 0);
    if (delayed) {
        supervisor->gate = child;
        return;
    }
    for (child = child->younger; child != NULL; child = child->younger) {
        if (child->waits)
            copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
    }
}

/* Starts the children that wait, oldest first, up to one that is not ready, if there is one. */
static void start_waiting(struct supervisor *supervisor)
{
    assert(supervisor->gate == NULL);
    const char **ids = cop_alloc((supervisor->children.by_id.count + 1) * sizeof *ids);
    size_t count = 0;
    struct child *younger;
    for (struct child *child = supervisor->children.oldest; child != NULL; child = younger) {
        younger = child->younger;
        if (!child->waits) continue;
        cop_started started = copi_supervisor_start_child(supervisor, child, COP_LOG_INFO);
        if (copi_start_failed(&started)) {
            group_failed(supervisor, child, &started);
            cop_free(ids);
            return;
        }
        if (started.error != COP_OK) continue;
        ids[count++] = child->spec.id;
        if (child->upkeep.ready) continue;
        supervisor->gate = child;
        break;
    }
    report_group(supervisor, ids, count);
    cop_free(ids);
}

void copi_supervisor_open_gate(struct supervisor *supervisor, const struct child *child)
{
    if (supervisor->gate != child) return;
    supervisor->gate = NULL;
    start_waiting(supervisor);
}

/* Stops the group, youngest first; all of it waits then, those too that were down before: for the
 * gate, if that is older than the group, else for what the caller does. */
static void stop_group(struct supervisor *supervisor, struct child *pivot, enum restart_scope scope)
{
    struct child *before = scope == SCOPE_ALL ? NULL : pivot->older;
    copi_children_set_state(&supervisor->children, pivot, COP_CHILD_DOWN);
    copi_supervisor_stop_younger(supervisor, before);
    struct child *child = before != NULL ? before->younger : supervisor->children.oldest;
    for (; child != NULL; child = child->younger) {
        copi_children_set_state(&supervisor->children, child, COP_CHILD_RESTARTING);
        child->waits = true;
        if (child == supervisor->gate) supervisor->gate = NULL;
    }
    if (supervisor->gate == NULL) set_cause(supervisor, pivot);
}

static void restart_group(struct supervisor *supervisor, struct child *pivot,
                          enum restart_scope scope)
{
    stop_group(supervisor, pivot, scope);
    if (supervisor->gate == NULL) start_waiting(supervisor);
}

/* ---- decisions --------------------------------------------------------------------- */

static void restart_later(struct supervisor *supervisor, struct child *child,
                          enum restart_scope scope)
{
    if (scope != SCOPE_ONE) {
        stop_group(supervisor, child, scope);
        if (supervisor->gate != NULL) return;
        supervisor->gate = child;
    }
    try_later(supervisor, child);
}

static void restart(struct supervisor *supervisor, struct child *child, enum restart_scope scope)
{
    if (scope == SCOPE_ONE) restart_one(supervisor, child);
    else restart_group(supervisor, child, scope);
}

/* What a supervisor that gives up for this child ends with. */
static cop_next give_up(struct supervisor *supervisor, const struct child *child, bool spent)
{
    const cop_reason *reason = copi_give_up_reason(child->spec.id, child->upkeep.last_end);
    copi_report_give_up(&supervisor->keeper, child->spec.id, child->pid, spent,
                        cop_reason_origin(reason));
    return cop_stop(reason);
}

/* Does what was decided about a child that has ended or is RESTARTING. */
static cop_next carry_out(struct supervisor *supervisor, struct child *child,
                          struct decision decision)
{
    cop_next next = cop_noreply();
    if (decision.supervisor == GIVE_UP) next = give_up(supervisor, child, decision.spent);
    else if (decision.supervisor == AUTO_SHUTDOWN) next = cop_stop(COP_SHUTDOWN);
    if (decision.spent && decision.supervisor != GIVE_UP)
        copi_report_spent(&supervisor->keeper, child->spec.id, child->pid, child->upkeep.last_end);

    switch (decision.child) {
    case FATE_KEEP_DOWN:
        copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
        if (decision.supervisor == GO_ON) copi_supervisor_open_gate(supervisor, child);
        break;
    case FATE_FORGET:
        copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
        if (decision.supervisor == GO_ON) copi_supervisor_open_gate(supervisor, child);
        copi_supervisor_forget(supervisor, child);
        break;
    case FATE_RESTART:
        restart(supervisor, child, decision.scope);
        break;
    case FATE_RESTART_LATER:
        restart_later(supervisor, child, decision.scope);
        break;
    }
    return next;
}

static struct ended_child what_ended(struct supervisor *supervisor, struct child *child)
{
    bool counts = child->spec.significant && child->state != COP_CHILD_DOWN;
    struct ended_child ended = {
        .restart = child->spec.restart,
        .significant = child->spec.significant,
        .others_significant = supervisor->children.significant > (counts ? 1 : 0),
    };
    copi_upkeep_tell(&child->upkeep, &child->spec, &ended);
    return ended;
}

cop_next copi_supervisor_child_ended(struct supervisor *supervisor, struct child *child,
                                     const cop_reason *reason)
{
    reason = copi_upkeep_ended(&child->upkeep, &child->spec, reason);
    struct ended_child ended = what_ended(supervisor, child);
    ended.end = copi_child_end(reason);
    struct decision decision = copi_policy_ended(&supervisor->policy, &ended, cop_now_ns());
    if (decision.report)
        copi_report_ended(&supervisor->keeper, child->spec.id, child->pid, reason,
                          child->upkeep.restarts);
    return carry_out(supervisor, child, decision);
}

/* ---- what a timer is for ----------------------------------------------------------- */

void copi_supervisor_watch(struct child *child)
{
    const cop_child_spec *spec = &child->spec;
    struct upkeep *upkeep = &child->upkeep;
    assert(child->state == COP_CHILD_UP);
    if (!upkeep->ready) copi_upkeep_arm(upkeep, spec->ready_ms, due(child));
    else if (spec->probe.interval_ms > 0)
        copi_upkeep_arm(upkeep, spec->probe.interval_ms, due(child));
}

cop_next copi_supervisor_child_due(struct supervisor *supervisor, struct child *child,
                                   const cop_message *message)
{
    struct upkeep *upkeep = &child->upkeep;
    bool from_timer = message->ref != 0;
    if (!from_timer) child->retry_sent = false;
    if (!copi_upkeep_due(upkeep, message)) return cop_noreply();
    if (child->state == COP_CHILD_RESTARTING && !child->waits) {
        struct ended_child ended = what_ended(supervisor, child);
        return carry_out(supervisor, child,
                         copi_policy_retry(&supervisor->policy, &ended, cop_now_ns()));
    }
    if (child->state != COP_CHILD_UP || !from_timer) return cop_noreply();
    if (!upkeep->ready || upkeep->asked) {
        copi_upkeep_condemn(upkeep, child->pid);
    } else {
        copi_upkeep_ask(upkeep, child->pid);
        copi_upkeep_arm(upkeep, copi_probe_timeout(&child->spec.probe), due(child));
    }
    return cop_noreply();
}

void copi_supervisor_child_answered(struct child *child)
{
    if (!child->upkeep.asked || child->upkeep.verdict != NULL) return;
    child->upkeep.asked = false;
    copi_supervisor_watch(child);
}
