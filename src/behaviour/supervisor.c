/* supervisor.c - the supervisor's process: a gen_server that carries out what policy.c decides.
 *
 * A child is in one of three states:
 *
 *            started               it ended; it was stopped by a call or with its group
 *     DOWN -----------> UP -----------------------------------------> DOWN, or forgotten
 *      ^  \              |
 *      |   \ failed in   | it ended and
 *      |    \ a group    | its restart failed
 *      |     v           v
 *      +---- RESTARTING <--+
 *       gave up,   |       | failed again
 *       ignored,   +-------+------------------> UP
 *       terminate_child     started
 *
 * RESTARTING has a retry_child on its way: a cast to the supervisor itself, so that calls, exits
 * and its own end are handled between two tries.  One that finds its child in another
 * state was cancelled, and does nothing.
 *
 * The exit message of a child that was stopped comes when its pid is no child's any more, and is
 * ignored then: pids are never used twice. */
#include "supervisor_state.h"

#include <assert.h>

#include <coppice/memory.h>
#include <coppice/timer.h>

#include "request.h"
#include "supervisor.h"

/* ---- start and stop ---------------------------------------------------------------- */

/* A child that is not to run: temporary ones are forgotten. */
static void put_down(struct supervisor *supervisor, struct child *child)
{
    if (child->spec.restart == COP_TEMPORARY) copi_children_remove(&supervisor->children, child);
    else copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
}

void copi_supervisor_stop_child(struct supervisor *supervisor, struct child *child)
{
    if (child->state == COP_CHILD_UP)
        copi_child_stop(&supervisor->keeper, &child->spec, child->pid);
    put_down(supervisor, child);
}

/* Stops the children younger than `last`, or all if it is NULL, youngest first. */
static void stop_younger(struct supervisor *supervisor, const struct child *last)
{
    struct child *child = supervisor->children.youngest;
    while (child != last) {
        struct child *older = child->older;
        copi_supervisor_stop_child(supervisor, child);
        child = older;
    }
}

void copi_supervisor_set_up(struct supervisor *supervisor, struct child *child, cop_pid pid,
                            enum cop_log_level level)
{
    copi_children_set_up(&supervisor->children, child, pid);
    copi_report_progress(&supervisor->keeper, level, child->spec.id, pid);
}

cop_started copi_supervisor_start_child(struct supervisor *supervisor, struct child *child,
                                        enum cop_log_level level)
{
    assert(child->state != COP_CHILD_UP);
    cop_started started = copi_child_start(&child->spec);
    if (started.error == COP_OK) copi_supervisor_set_up(supervisor, child, started.pid, level);
    else if (started.error == COP_EIGNORED) put_down(supervisor, child);
    return started;
}

/* ---- restarts ---------------------------------------------------------------------- */

/* A restart failed at this child; takes the reason over. */
static void try_again(struct supervisor *supervisor, struct child *child, const cop_reason *reason)
{
    copi_children_set_state(&supervisor->children, child, COP_CHILD_RESTARTING);
    cop_cast_message(cop_to(cop_self()), copi_request_retry(child->spec.id, reason));
}

/* Starts the child itself; reason: why it is down. */
static void restart_one(struct supervisor *supervisor, struct child *child,
                        const cop_reason *reason)
{
    cop_pid old = child->pid;
    copi_children_set_state(&supervisor->children, child, COP_CHILD_RESTARTING);
    cop_started started = copi_supervisor_start_child(supervisor, child, COP_LOG_INFO);
    if (started.error == COP_OK) {
        const char *const ids[] = { child->spec.id };
        copi_report_restart(&supervisor->keeper, child->spec.id, old, reason, ids, 1);
    }
    if (!copi_start_failed(&started)) return;

    const cop_reason *failure = copi_start_failure(&started);
    copi_report(&supervisor->keeper, "start_error", child->spec.id, old, failure);
    cop_reason_unref(failure);
    try_again(supervisor, child, cop_reason_ref(reason));
}

/* The group from `first` on is restarted: reports the `count` of its children that are up. */
static void report_group(struct supervisor *supervisor, const struct child *first, size_t count,
                         const struct child *pivot, cop_pid old, const cop_reason *reason)
{
    if (count == 0) return;
    const char **ids = cop_alloc(count * sizeof *ids);
    size_t up = 0;
    for (const struct child *child = first; child != NULL; child = child->younger) {
        if (child->state == COP_CHILD_UP) ids[up++] = child->spec.id;
    }
    assert(up == count);
    copi_report_restart(&supervisor->keeper, pivot->spec.id, old, reason, ids, count);
    cop_free(ids);
}

/* Stops the group, youngest first, and starts all of it again, oldest first, those too that were
 * down before.  A child that fails to start becomes the pivot of the next try; those after it
 * stay down until then. */
static void restart_group(struct supervisor *supervisor, struct child *pivot,
                          enum restart_scope scope, const cop_reason *reason)
{
    cop_pid old = pivot->pid;
    struct child *before = scope == SCOPE_ALL ? NULL : pivot->older;
    copi_children_set_state(&supervisor->children, pivot, COP_CHILD_DOWN);
    stop_younger(supervisor, before);

    struct child *first = before != NULL ? before->younger : supervisor->children.oldest;
    size_t count = 0;
    for (struct child *child = first; child != NULL; child = child->younger) {
        cop_started started = copi_supervisor_start_child(supervisor, child, COP_LOG_INFO);
        if (started.error == COP_OK) count++;
        if (!copi_start_failed(&started)) continue;

        const cop_reason *failure = copi_start_failure(&started);
        copi_report(&supervisor->keeper, "start_error", child->spec.id, child->pid, failure);
        if (child == pivot) {
            cop_reason_unref(failure);
            failure = cop_reason_ref(reason);
        }
        try_again(supervisor, child, failure);
        return;
    }
    report_group(supervisor, first, count, pivot, old, reason);
}

/* Does what was decided about a child that has ended or is RESTARTING; reason: why it ended. */
static cop_next carry_out(struct supervisor *supervisor, struct child *child,
                          struct decision decision, const cop_reason *reason)
{
    if (decision.supervisor == GIVE_UP)
        copi_report_give_up(&supervisor->keeper, child->spec.id, child->pid);

    switch (decision.child) {
    case FATE_KEEP_DOWN:
        copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
        break;
    case FATE_FORGET:
        copi_children_remove(&supervisor->children, child);
        break;
    case FATE_RESTART:
        if (decision.scope == SCOPE_ONE) restart_one(supervisor, child, reason);
        else restart_group(supervisor, child, decision.scope, reason);
        break;
    }
    return decision.supervisor == GO_ON ? cop_noreply() : cop_stop(COP_SHUTDOWN);
}

static cop_next child_ended(struct supervisor *supervisor, struct child *child,
                            const cop_reason *reason)
{
    size_t others = supervisor->children.significant - (child->spec.significant ? 1 : 0);
    struct ended_child ended = {
        .restart = child->spec.restart,
        .significant = child->spec.significant,
        .others_significant = others > 0,
        .end = copi_child_end(reason),
    };
    struct decision decision = copi_policy_ended(&supervisor->policy, &ended, cop_now_ns());
    if (decision.report)
        copi_report(&supervisor->keeper, "child_terminated", child->spec.id, child->pid, reason);
    return carry_out(supervisor, child, decision, reason);
}

/* ---- callbacks --------------------------------------------------------------------- */

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    return copi_supervisor_call(state, request);
}

static cop_next handle_cast(void *state, const cop_message *message)
{
    struct supervisor *supervisor = state;
    const copi_retry_child *retry = cop_get(message, copi_retry_child);
    if (retry == NULL)
        return cop_stop(cop_reason_error("function_clause: cast %s", message->type->name));

    struct child *child = copi_children_by_id(&supervisor->children, retry->id);
    if (child == NULL || child->state != COP_CHILD_RESTARTING) return cop_noreply();
    struct decision decision = copi_policy_retry(&supervisor->policy, cop_now_ns());
    return carry_out(supervisor, child, decision, retry->reason);
}

static cop_next handle_info(void *state, const cop_message *message)
{
    struct supervisor *supervisor = state;
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    if (gone == NULL) {
        copi_report_unexpected(message);
        return cop_noreply();
    }
    struct child *child = copi_children_by_pid(&supervisor->children, gone->from);
    if (child != NULL) return child_ended(supervisor, child, gone->reason);
    copi_child_heard(&supervisor->keeper, gone);
    return cop_noreply();
}

static void terminate(void *state, const cop_reason *reason)
{
    (void)reason;
    struct supervisor *supervisor = state;
    stop_younger(supervisor, NULL);
    copi_child_hear_all(&supervisor->keeper);
}

/* ---- init -------------------------------------------------------------------------- */

static void check_flags(const cop_supervisor *flags)
{
    const char *fault = NULL;
    if (flags->strategy < COP_ONE_FOR_ONE || flags->strategy > COP_ONE_FOR_ALL)
        fault = "invalid_strategy";
    else if (flags->intensity.set && flags->intensity.seconds == 0)
        fault = "invalid_period";
    else if (flags->auto_shutdown < COP_NEVER || flags->auto_shutdown > COP_ALL_SIGNIFICANT)
        fault = "invalid_auto_shutdown";
    else if (flags->children == NULL && flags->child_count > 0)
        fault = "invalid_children";
    if (fault != NULL) copi_supervisor_refuse(COP_EINVAL, "supervisor_data", fault, NULL);
}

/* Takes the whole table in, or refuses it before any child is started. */
static void add_table(struct supervisor *supervisor, const cop_supervisor *flags)
{
    for (size_t i = 0; i < flags->child_count; i++) {
        const cop_child_spec *spec = &flags->children[i];
        const char *fault = spec->id == NULL ? "missing_id"
                                             : copi_spec_fault(spec, flags->auto_shutdown);
        if (fault != NULL) copi_supervisor_refuse(COP_EINVAL, "start_spec", fault, spec->id);
        if (copi_children_by_id(&supervisor->children, spec->id) != NULL)
            copi_supervisor_refuse(COP_EDUPLICATE, "start_spec", "duplicate_child_name", spec->id);
        copi_children_add(&supervisor->children, spec);
    }
}

static void release_reason(void *reason)
{
    cop_reason_unref(reason);
}

/* A child failed to start: stops those before it.  Takes the failure over. */
static cop_next fail_start(struct supervisor *supervisor, const struct child *child,
                           const cop_reason *failure)
{
    copi_report(&supervisor->keeper, "start_error", child->spec.id, COP_NO_PID, failure);
    const cop_reason *reason = cop_reason_tuple(
        "shutdown", cop_reason_tuple("failed_to_start_child",
                                     cop_reason_tuple(child->spec.id, failure)));
    cop_deferred *guard = cop_defer(release_reason, (void *)(uintptr_t)reason);
    stop_younger(supervisor, NULL);
    copi_child_hear_all(&supervisor->keeper);
    cop_undefer(guard, false);
    return cop_stop(reason);
}

static cop_next start_all(struct supervisor *supervisor)
{
    struct child *child = supervisor->children.oldest;
    while (child != NULL) {
        struct child *younger = child->younger;
        cop_started started = copi_supervisor_start_child(supervisor, child, COP_LOG_INFO);
        if (copi_start_failed(&started))
            return fail_start(supervisor, child, copi_start_failure(&started));
        child = younger;
    }
    return cop_ok();
}

static cop_next init(void *state, const void *argument)
{
    struct supervisor *supervisor = state;
    const struct supervisor_argument *start = argument;
    cop_supervisor flags = start->flags.supervisor;
    if (flags.init != NULL) {
        cop_next next = flags.init(&flags, copi_argument_of(start));
        if (next.kind != COP_NEXT_OK) return next;
    }
    check_flags(&flags);
    copi_keeper_init(&supervisor->keeper);
    supervisor->policy.strategy = flags.strategy;
    supervisor->policy.auto_shutdown = flags.auto_shutdown;
    copi_window_init(&supervisor->policy.window, &flags.intensity, cop_realloc);
    add_table(supervisor, &flags);
    return start_all(supervisor);
}

const cop_gen_server copi_supervisor_server = {
    .label = "supervisor",
    .state_size = sizeof(struct supervisor),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .terminate = terminate,
};
