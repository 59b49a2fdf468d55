/* dynamic_supervisor.c - the dynamic supervisor's process: children by pid, from a template or
 * each from its own spec.
 *
 * A child is up, or its restart has failed or is delayed and a message is on its way; then it is
 * kept under the pid that it had.  Ended for good, it is forgotten.  There can be a million of
 * them, so a record has no more than it needs (dynamic_children.h). */
#include <string.h>

#include <coppice/memory.h>
#include <coppice/timer.h>

#include "child.h"
#include "dynamic_children.h"
#include "request.h"
#include "supervisor.h"

struct dynamic_supervisor {
    struct keeper keeper;
    struct policy policy;
    struct dynamic_children children;
    size_t max_children;                /* 0: no limit */
    void *extra;                        /* comes before each child's argument */
    size_t extra_size;
    const cop_reason *at_hand;          /* of the end that is dealt with; owned; or NULL */
};

/* ---- starting a child -------------------------------------------------------------- */

static const cop_child_spec *spec_of(const struct dynamic_supervisor *supervisor,
                                     const struct dynamic_child *child)
{
    return copi_dynamic_spec(&supervisor->children, child);
}

/* Whether the child's argument can follow the extra one. */
static bool takes_extra(const struct dynamic_supervisor *supervisor, const void *argument,
                        size_t argument_size)
{
    return supervisor->extra_size == 0 || argument_size > 0 || argument == NULL;
}

static cop_started start(const struct dynamic_supervisor *supervisor, const cop_child_spec *spec)
{
    if (supervisor->extra_size == 0) return copi_child_start(spec);
    cop_child_spec with_extra = *spec;
    with_extra.argument_size = supervisor->extra_size + spec->argument_size;
    char *bytes = cop_alloc(with_extra.argument_size);
    memcpy(bytes, supervisor->extra, supervisor->extra_size);
    if (spec->argument_size > 0)
        memcpy(bytes + supervisor->extra_size, spec->argument, spec->argument_size);
    with_extra.argument = bytes;
    cop_started started = copi_child_start(&with_extra);
    cop_free(bytes);
    return started;
}

/* ---- restarts ---------------------------------------------------------------------- */

/* The message that makes the child due, with why it is down; takes the reason over. */
static cop_message *due(const struct dynamic_child *child, const cop_reason *reason)
{
    return cop_new(copi_due_pid, .pid = copi_dynamic_pid(child), .reason = reason);
}

/* The child runs: sets the timer for its next probe, if there is one. */
static void watch(const struct dynamic_supervisor *supervisor, const struct dynamic_child *child)
{
    int64_t interval_ms = spec_of(supervisor, child)->probe.interval_ms;
    if (interval_ms > 0)
        copi_upkeep_arm(copi_dynamic_upkeep(child), interval_ms, due(child, NULL));
}

/* Its restart is tried after its delay, or behind what waits in the mailbox; reason: why it is
 * down. */
static void try_later(struct dynamic_supervisor *supervisor, struct dynamic_child *child,
                      const cop_reason *reason)
{
    const cop_child_spec *spec = spec_of(supervisor, child);
    struct upkeep *upkeep = copi_dynamic_upkeep(child);
    copi_dynamic_set_restarting(&supervisor->children, child, true);
    cop_message *message = due(child, cop_reason_ref(reason));
    if (spec->backoff.initial_ms > 0)
        copi_upkeep_arm(upkeep, copi_upkeep_delay(upkeep, spec), message);
    else
        cop_cast_message(cop_to(cop_self()), message);
}

/* Starts the child again; reason: why it is down. */
static void restart_child(struct dynamic_supervisor *supervisor, struct dynamic_child *child,
                          const cop_reason *reason)
{
    cop_child_spec spec = copi_dynamic_start_spec(&supervisor->children, child);
    const char *id = spec.id;
    cop_pid old = copi_dynamic_pid(child);
    copi_dynamic_set_restarting(&supervisor->children, child, true);
    cop_started started = start(supervisor, &spec);
    if (started.error == COP_OK) {
        copi_dynamic_set_pid(&supervisor->children, child, started.pid);
        watch(supervisor, child);
        const char *const ids[] = { id != NULL ? id : "undefined" };
        copi_report_restart(&supervisor->keeper, id, old, reason, ids, 1);
    } else if (started.error == COP_EIGNORED) {
        copi_dynamic_remove(&supervisor->children, child);
    } else {
        const cop_reason *failure = copi_start_failure(&started);
        copi_report(&supervisor->keeper, "start_error", id, old, failure);
        cop_reason_unref(failure);
        try_later(supervisor, child, reason);
    }
}

/* Does what was decided about a child that has ended or is being restarted. */
static cop_next carry_out(struct dynamic_supervisor *supervisor, struct dynamic_child *child,
                          struct decision decision, const cop_reason *reason)
{
    const struct keeper *keeper = &supervisor->keeper;
    const char *id = spec_of(supervisor, child)->id;
    cop_pid pid = copi_dynamic_pid(child);
    cop_next next = cop_noreply();
    if (decision.supervisor == GIVE_UP) {
        next = cop_stop(copi_give_up_reason(id, reason));
        copi_report_give_up(keeper, id, pid, decision.spent, cop_reason_origin(next.reason));
    } else if (decision.spent) {
        copi_report_spent(keeper, id, pid, reason);
    }
    if (decision.child == FATE_RESTART) restart_child(supervisor, child, reason);
    else if (decision.child == FATE_RESTART_LATER) try_later(supervisor, child, reason);
    else copi_dynamic_remove(&supervisor->children, child);
    return next;
}

static cop_next child_ended(struct dynamic_supervisor *supervisor, struct dynamic_child *child,
                            const cop_reason *reason)
{
    const cop_child_spec *spec = spec_of(supervisor, child);
    struct upkeep *upkeep = copi_dynamic_upkeep(child);
    struct ended_child ended = { .restart = spec->restart, .end = copi_child_end(reason) };
    if (upkeep != NULL) {
        reason = copi_upkeep_ended(upkeep, spec, reason);
        copi_upkeep_tell(upkeep, spec, &ended);
    }
    struct decision decision = copi_policy_ended(&supervisor->policy, &ended, cop_now_ns());
    if (decision.report)
        copi_report_ended(&supervisor->keeper, spec->id, copi_dynamic_pid(child), reason,
                          upkeep == NULL ? 0 : upkeep->restarts);
    supervisor->at_hand = cop_reason_ref(reason);    /* upkeep's may go with the child */
    cop_next next = carry_out(supervisor, child, decision, supervisor->at_hand);
    cop_reason_unref(supervisor->at_hand);
    supervisor->at_hand = NULL;
    return next;
}

/* A child's time has come: of a restart, or of a probe (upkeep.h). */
static cop_next child_due(struct dynamic_supervisor *supervisor, struct dynamic_child *child,
                          const cop_message *message)
{
    const cop_child_spec *spec = spec_of(supervisor, child);
    struct upkeep *upkeep = copi_dynamic_upkeep(child);
    if (upkeep != NULL && !copi_upkeep_due(upkeep, message)) return cop_noreply();
    if (child->restarting) {
        struct ended_child ended = { .restart = spec->restart };
        if (upkeep != NULL) copi_upkeep_tell(upkeep, spec, &ended);
        struct decision decision = copi_policy_retry(&supervisor->policy, &ended, cop_now_ns());
        return carry_out(supervisor, child, decision, cop_expect(message, copi_due_pid)->reason);
    }
    cop_pid pid = copi_dynamic_pid(child);
    if (upkeep == NULL || message->ref == 0) return cop_noreply();
    if (upkeep->asked) {
        copi_upkeep_condemn(upkeep, pid);
    } else {
        copi_upkeep_ask(upkeep, pid);
        copi_upkeep_arm(upkeep, copi_probe_timeout(&spec->probe), due(child, NULL));
    }
    return cop_noreply();
}

static void child_answered(const struct dynamic_supervisor *supervisor,
                           const struct dynamic_child *child)
{
    struct upkeep *upkeep = copi_dynamic_upkeep(child);
    if (upkeep == NULL || !upkeep->asked || upkeep->verdict != NULL) return;
    upkeep->asked = false;
    watch(supervisor, child);
}

/* ---- calls ------------------------------------------------------------------------- */

static bool is_full(const struct dynamic_supervisor *supervisor)
{
    return supervisor->max_children > 0 &&
           supervisor->children.by_pid.count >= supervisor->max_children;
}

static cop_next call_start_child(struct dynamic_supervisor *supervisor, const cop_message *request)
{
    const cop_child_spec *spec = &cop_expect(request, copi_start_child)->spec;
    const char *fault = copi_spec_dynamic_fault(spec);
    if (fault != NULL) return copi_answer_started(copi_spec_refused(fault, spec->id));
    if (!takes_extra(supervisor, spec->argument, spec->argument_size))
        return copi_answer_error(COP_EINVAL);
    if (is_full(supervisor)) return copi_answer_error(COP_EMAX_CHILDREN);
    cop_started started = start(supervisor, spec);
    if (started.error == COP_OK)
        watch(supervisor, copi_dynamic_add(&supervisor->children, spec, started.pid));
    return copi_answer_started(started);
}

static cop_next call_start_from(struct dynamic_supervisor *supervisor, const cop_message *request)
{
    const copi_start_from *from = cop_expect(request, copi_start_from);
    if (supervisor->children.template_ == NULL ||
        !takes_extra(supervisor, from->argument, from->argument_size))
        return copi_answer_error(COP_EINVAL);
    if (is_full(supervisor)) return copi_answer_error(COP_EMAX_CHILDREN);
    cop_child_spec spec = *supervisor->children.template_;
    spec.argument = from->argument;
    spec.argument_size = from->argument_size;
    cop_started started = start(supervisor, &spec);
    if (started.error == COP_OK) {
        watch(supervisor, copi_dynamic_add_from(&supervisor->children, from->argument,
                                                from->argument_size, started.pid));
    }
    return copi_answer_started(started);
}

static cop_next call_terminate_pid(struct dynamic_supervisor *supervisor,
                                   const cop_message *request)
{
    cop_pid pid = cop_expect(request, copi_terminate_pid)->pid;
    struct dynamic_child *child = copi_dynamic_find(&supervisor->children, pid);
    if (child == NULL) return copi_answer_error(COP_ENOT_FOUND);
    if (!child->restarting)
        copi_child_stop(&supervisor->keeper, spec_of(supervisor, child), pid);
    copi_dynamic_remove(&supervisor->children, child);
    return copi_answer_error(COP_OK);
}

static cop_next call_which_children(struct dynamic_supervisor *supervisor,
                                    const cop_message *request)
{
    (void)request;
    const struct dynamic_children *children = &supervisor->children;
    cop_message *reply = copi_reply_children(children->by_pid.count, 0);
    for (struct dynamic_child *child = copi_dynamic_first(children); child != NULL;
         child = copi_dynamic_next(children, child)) {
        cop_child_info info = { .type = spec_of(supervisor, child)->type,
                                .state = COP_CHILD_RESTARTING };
        if (!child->restarting) {
            info.state = COP_CHILD_UP;
            info.pid = copi_dynamic_pid(child);
        }
        copi_reply_add_child(reply, &info);
    }
    return cop_reply_message(reply);
}

static cop_next call_which_pid(struct dynamic_supervisor *supervisor, const cop_message *request)
{
    cop_pid pid = cop_expect(request, copi_which_pid)->pid;
    const struct dynamic_child *child = copi_dynamic_find(&supervisor->children, pid);
    if (child == NULL) return copi_answer_error(COP_ENOT_FOUND);
    cop_child_status status = { .state = COP_CHILD_RESTARTING,
                                .type = spec_of(supervisor, child)->type };
    if (!child->restarting) {
        status.state = COP_CHILD_UP;
        status.pid = pid;
        status.ready = true;
    }
    const struct upkeep *upkeep = copi_dynamic_upkeep(child);
    if (upkeep != NULL) copi_upkeep_status(upkeep, &status);
    return copi_answer_status(&status);
}

static cop_next call_get_pidspec(struct dynamic_supervisor *supervisor, const cop_message *request)
{
    cop_pid pid = cop_expect(request, copi_get_pidspec)->pid;
    const struct dynamic_child *child = copi_dynamic_find(&supervisor->children, pid);
    if (child == NULL) return copi_answer_error(COP_ENOT_FOUND);
    cop_child_spec spec = copi_dynamic_start_spec(&supervisor->children, child);
    return cop_reply_message(copi_message_with_spec(COP_TYPE(copi_childspec), &spec));
}

static cop_next call_count_children(struct dynamic_supervisor *supervisor,
                                    const cop_message *request)
{
    (void)request;
    const struct dynamic_children *children = &supervisor->children;
    size_t count = children->by_pid.count;
    cop_child_counts counts = {
        .specs = children->template_ != NULL ? 1 : count,
        .active = count - children->restarting,
        .supervisors = children->supervisors,
        .workers = count - children->supervisors,
    };
    return cop_reply_message(cop_new(copi_counts, .counts = counts));
}

/* What goes by id. */
static cop_next call_refused(struct dynamic_supervisor *supervisor, const cop_message *request)
{
    (void)supervisor;
    (void)request;
    return copi_answer_error(COP_EINVAL);
}

static const struct {
    const cop_message_type *type;
    cop_next (*handle)(struct dynamic_supervisor *supervisor, const cop_message *request);
} calls[] = {
    { COP_TYPE(copi_start_child), call_start_child },
    { COP_TYPE(copi_start_from), call_start_from },
    { COP_TYPE(copi_terminate_pid), call_terminate_pid },
    { COP_TYPE(copi_which_children), call_which_children },
    { COP_TYPE(copi_which_pid), call_which_pid },
    { COP_TYPE(copi_get_pidspec), call_get_pidspec },
    { COP_TYPE(copi_count_children), call_count_children },
    { COP_TYPE(copi_terminate_child), call_refused },
    { COP_TYPE(copi_restart_child), call_refused },
    { COP_TYPE(copi_delete_child), call_refused },
    { COP_TYPE(copi_get_childspec), call_refused },
    { COP_TYPE(copi_which_child), call_refused },
    { COP_TYPE(copi_await_restart), call_refused },
};

/* ---- callbacks --------------------------------------------------------------------- */

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    (void)from;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (request->type == calls[i].type) return calls[i].handle(state, request);
    }
    return cop_stop(cop_reason_error("function_clause: call %s", request->type->name));
}

/* A child's time, a child's answer; any other cast is ignored. */
static cop_next handle_cast(void *state, const cop_message *message)
{
    struct dynamic_supervisor *supervisor = state;
    const copi_due_pid *due_child = cop_get(message, copi_due_pid);
    cop_pid pid = due_child != NULL ? due_child->pid : message->from;
    struct dynamic_child *child = copi_dynamic_find(&supervisor->children, pid);
    if (child == NULL) return cop_noreply();
    if (due_child != NULL) return child_due(supervisor, child, message);
    if (cop_is(message, copi_alive)) child_answered(supervisor, child);
    return cop_noreply();
}

static cop_next handle_info(void *state, const cop_message *message)
{
    struct dynamic_supervisor *supervisor = state;
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    if (gone == NULL) {
        if (!cop_is(message, cop_ready_message)) copi_report_unexpected(message);
        return cop_noreply();
    }
    struct dynamic_child *child = copi_dynamic_find(&supervisor->children, gone->from);
    if (child != NULL && !child->restarting) return child_ended(supervisor, child, gone->reason);
    copi_child_heard(&supervisor->keeper, gone);
    return cop_noreply();
}

static void terminate(void *state, const cop_reason *reason)
{
    struct dynamic_supervisor *supervisor = state;
    supervisor->keeper.deadline = cop_reason_deadline(reason);
    copi_dynamic_stop_all(&supervisor->children, &supervisor->keeper);
    copi_child_hear_all(&supervisor->keeper);
}

/* ---- init -------------------------------------------------------------------------- */

/* However the supervisor ends: gives back the reasons that it holds. */
static void release_reasons(void *state)
{
    const struct dynamic_supervisor *supervisor = state;
    copi_dynamic_release_reasons(&supervisor->children);
    cop_reason_unref(supervisor->at_hand);
}

static cop_next init(void *state, const void *argument)
{
    struct dynamic_supervisor *supervisor = state;
    cop_defer(release_reasons, supervisor);
    const struct supervisor_argument *start = argument;
    cop_dynamic_supervisor flags = start->flags.dynamic;
    const cop_child_spec *specs = copi_specs_of(start);
    if (flags.template_ != NULL) flags.template_ = &specs[COPI_TEMPLATE];
    flags.extra = specs[COPI_EXTRA].argument;
    if (flags.init != NULL) {
        cop_next next = flags.init(&flags, copi_argument_of(start));
        if (next.kind != COP_NEXT_OK || copi_next_has_more(&next)) return next;
    }
    if (copi_intensity_is_wrong(&flags.intensity))
        copi_supervisor_refuse(COP_EINVAL, "supervisor_data",
                               flags.intensity.set ? "invalid_period" : "invalid_intensity", NULL);
    if (flags.extra == NULL && flags.extra_size > 0)
        copi_supervisor_refuse(COP_EINVAL, "supervisor_data", "invalid_extra", NULL);
    const cop_child_spec *template_ = flags.template_;
    const char *fault = template_ != NULL ? copi_spec_dynamic_fault(template_) : NULL;
    if (fault != NULL) copi_supervisor_refuse(COP_EINVAL, "start_spec", fault, template_->id);

    copi_keeper_init(&supervisor->keeper);
    copi_window_init(&supervisor->policy.window, &flags.intensity, cop_realloc);
    copi_dynamic_init(&supervisor->children, template_);
    supervisor->max_children = flags.max_children;
    supervisor->extra_size = flags.extra_size;
    if (flags.extra_size > 0)
        supervisor->extra = memcpy(cop_alloc(flags.extra_size), flags.extra, flags.extra_size);
    return cop_ok();
}

const cop_gen_server copi_dynamic_supervisor_server = {
    .label = "dynamic_supervisor",
    .state_size = sizeof(struct dynamic_supervisor),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .terminate = terminate,
};
