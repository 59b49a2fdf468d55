/* supervisor.c - the supervisor's process: a gen_server whose state are its children.
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

void copi_supervisor_forget(struct supervisor *supervisor, struct child *child)
{
    copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
    copi_supervisor_tell_waiters(child);
    copi_children_remove(&supervisor->children, child);
}

void copi_supervisor_put_down(struct supervisor *supervisor, struct child *child)
{
    if (child->spec.restart == COP_TEMPORARY) copi_supervisor_forget(supervisor, child);
    else copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
}

void copi_supervisor_stop_younger(struct supervisor *supervisor, const struct child *last)
{
    struct child *child = supervisor->children.youngest;
    while (child != last) {
        struct child *older = child->older;
        if (child->state == COP_CHILD_UP)
            copi_child_stop(&supervisor->keeper, &child->spec, child->pid);
        copi_supervisor_put_down(supervisor, child);
        child = older;
    }
}

void copi_supervisor_set_up(struct supervisor *supervisor, struct child *child, cop_pid pid,
                            enum cop_log_level level)
{
    bool again = level == COP_LOG_INFO && !cop_pid_is_none(child->pid);
    copi_children_set_up(&supervisor->children, child, pid, again);
    copi_report_progress(&supervisor->keeper, level, child->spec.id, pid);
    copi_supervisor_watch(child);
    if (child->upkeep.ready) copi_supervisor_tell_waiters(child);
}

void copi_supervisor_set_ready(struct supervisor *supervisor, struct child *child)
{
    if (child->upkeep.ready || child->upkeep.verdict != NULL) return;
    child->upkeep.ready = true;
    copi_upkeep_disarm(&child->upkeep);
    copi_supervisor_watch(child);
    copi_supervisor_tell_waiters(child);
    copi_supervisor_open_gate(supervisor, child);
}

cop_started copi_supervisor_start_child(struct supervisor *supervisor, struct child *child,
                                        enum cop_log_level level)
{
    assert(child->state != COP_CHILD_UP);
    cop_started started = copi_child_start(&child->spec);
    if (started.error == COP_OK) copi_supervisor_set_up(supervisor, child, started.pid, level);
    else if (started.error == COP_EIGNORED) copi_supervisor_put_down(supervisor, child);
    return started;
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
    const copi_due_child *due = cop_get(message, copi_due_child);
    struct child *child = NULL;
    if (due != NULL) {
        child = copi_children_by_id(&supervisor->children, due->id);
        if (child != NULL) return copi_supervisor_child_due(supervisor, child, message);
    } else if (cop_is(message, copi_alive)) {
        child = copi_children_by_pid(&supervisor->children, message->from);
        if (child != NULL) copi_supervisor_child_answered(child);
    } else {
        return cop_stop(cop_reason_error("function_clause: cast %s", message->type->name));
    }
    return cop_noreply();
}

static cop_next handle_info(void *state, const cop_message *message)
{
    struct supervisor *supervisor = state;
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    bool ready = cop_is(message, cop_ready_message);
    if (gone == NULL && !ready) {
        copi_report_unexpected(message);
        return cop_noreply();
    }
    cop_pid pid = gone != NULL ? gone->from : message->from;
    struct child *child = copi_children_by_pid(&supervisor->children, pid);
    if (ready) {
        if (child != NULL) copi_supervisor_set_ready(supervisor, child);
        return cop_noreply();
    }
    if (child != NULL) return copi_supervisor_child_ended(supervisor, child, gone->reason);
    copi_child_heard(&supervisor->keeper, gone);
    return cop_noreply();
}

static void terminate(void *state, const cop_reason *reason)
{
    struct supervisor *supervisor = state;
    supervisor->keeper.deadline = cop_reason_deadline(reason);
    copi_supervisor_stop_younger(supervisor, NULL);
    copi_child_hear_all(&supervisor->keeper);
}

/* ---- init -------------------------------------------------------------------------- */

static void check_flags(const cop_supervisor *flags)
{
    const char *fault = NULL;
    if (flags->strategy < COP_ONE_FOR_ONE || flags->strategy > COP_ONE_FOR_ALL)
        fault = "invalid_strategy";
    else if (copi_intensity_is_wrong(&flags->intensity))
        fault = flags->intensity.set ? "invalid_period" : "invalid_intensity";
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
                                             : copi_spec_fault(spec, flags->strategy,
                                                               flags->auto_shutdown);
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

/* The start is at its end, for this reason, which is taken over: stops those that run. */
static cop_next end_start(struct supervisor *supervisor, const cop_reason *reason)
{
    cop_deferred *guard = cop_defer(release_reason, (void *)(uintptr_t)reason);
    copi_supervisor_stop_younger(supervisor, NULL);
    copi_child_hear_all(&supervisor->keeper);
    cop_undefer(guard, false);
    return cop_stop(reason);
}

/* A child failed to start: stops those before it.  Takes the failure over. */
static cop_next fail_start(struct supervisor *supervisor, const struct child *child,
                           const cop_reason *failure)
{
    copi_report(&supervisor->keeper, "start_error", child->spec.id, COP_NO_PID, failure);
    const cop_reason *reason = cop_reason_tuple(
        "shutdown", cop_reason_tuple("failed_to_start_child",
                                     cop_reason_tuple(child->spec.id, failure)));
    return end_start(supervisor, reason);
}

/* What a supervisor hears of while it waits for a child: the child, its own parent's end, and
 * that it is to stop. */
static bool is_news(const cop_message *message, void *context)
{
    const struct child *child = context;
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    if (gone != NULL)
        return cop_pid_equal(gone->from, child->pid) || cop_pid_equal(gone->from, cop_parent());
    return cop_is(message, cop_terminate_message) ||
           (cop_is(message, cop_ready_message) && cop_pid_equal(message->from, child->pid));
}

/* A child was started that is to say when it is ready: waits for that.  Returns why it isn't, then
 * it is down, or NULL.  *ret_end: why the supervisor is to end instead, owned, or NULL. */
static const cop_reason *await_ready(struct supervisor *supervisor, struct child *child,
                                     const cop_reason **ret_end)
{
    const cop_match news = { .accept = is_news, .context = child };
    cop_message *message = cop_take(&news, child->spec.ready_ms);
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    const cop_terminate_message *request = cop_get(message, cop_terminate_message);
    const cop_reason *failure = NULL;
    if (request != NULL) {
        *ret_end = cop_reason_ref(request->reason);
    } else if (gone != NULL && !cop_pid_equal(gone->from, child->pid)) {
        *ret_end = cop_reason_ref(gone->reason);
    } else if (message == NULL) {
        copi_child_stop(&supervisor->keeper, &child->spec, child->pid);
        failure = cop_reason_atom("not_ready");
    } else if (gone != NULL) {
        failure = cop_reason_ref(gone->reason);
    } else {
        copi_supervisor_set_ready(supervisor, child);
    }
    if (failure != NULL)
        copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
    cop_message_free(message);
    return failure;
}

static cop_next start_all(struct supervisor *supervisor)
{
    struct child *child = supervisor->children.oldest;
    while (child != NULL) {
        struct child *younger = child->younger;
        cop_started started = copi_supervisor_start_child(supervisor, child, COP_LOG_INFO);
        if (copi_start_failed(&started))
            return fail_start(supervisor, child, copi_start_failure(&started));
        if (started.error == COP_OK && !child->upkeep.ready) {
            const cop_reason *end = NULL;
            const cop_reason *failure = await_ready(supervisor, child, &end);
            if (failure != NULL) return fail_start(supervisor, child, failure);
            if (end != NULL) return end_start(supervisor, end);
        }
        child = younger;
    }
    return cop_ok();
}

/* However the supervisor ends: gives back the reasons that it holds. */
static void release_reasons(void *state)
{
    struct supervisor *supervisor = state;
    for (struct child *child = supervisor->children.oldest; child != NULL; child = child->younger)
        cop_reason_unref(child->upkeep.last_end);
    cop_reason_unref(supervisor->cause.reason);
}

static cop_next init(void *state, const void *argument)
{
    struct supervisor *supervisor = state;
    cop_defer(release_reasons, supervisor);
    const struct supervisor_argument *start = argument;
    cop_supervisor flags = start->flags.supervisor;
    if (flags.children != NULL) flags.children = copi_specs_of(start);
    if (flags.init != NULL) {
        cop_next next = flags.init(&flags, copi_argument_of(start));
        if (next.kind != COP_NEXT_OK || copi_next_has_more(&next)) return next;
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
