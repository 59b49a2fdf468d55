/* dynamic_supervisor.c - the dynamic supervisor's process: children by pid, from a template or
 * each from its own spec.
 *
 * A child is up, or its restart has failed and a retry is on its way; then it is kept under
 * the pid that it had.  Ended for good, it is forgotten.  There can be a million of them, so a
 * record is as small as it can be: with a template, 48 bytes and the argument. */
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
};

/* ---- restarts ---------------------------------------------------------------------- */

/* Starts the child again; reason: why it is down. */
static void restart_child(struct dynamic_supervisor *supervisor, struct dynamic_child *child,
                          const cop_reason *reason)
{
    const char *id = child->spec->id;
    cop_pid old = copi_dynamic_pid(child);
    copi_dynamic_set_restarting(&supervisor->children, child, true);
    cop_child_spec spec = copi_dynamic_spec(child);
    cop_started started = copi_child_start(&spec);
    if (started.error == COP_OK) {
        copi_dynamic_set_pid(&supervisor->children, child, started.pid);
        const char *const ids[] = { id != NULL ? id : "undefined" };
        copi_report_restart(&supervisor->keeper, id, old, reason, ids, 1);
    } else if (started.error == COP_EIGNORED) {
        copi_dynamic_remove(&supervisor->children, child);
    } else {
        const cop_reason *failure = copi_start_failure(&started);
        copi_report(&supervisor->keeper, "start_error", id, old, failure);
        cop_reason_unref(failure);
        cop_cast(cop_self(), copi_retry_pid, .pid = old, .reason = cop_reason_ref(reason));
    }
}

static cop_next carry_out(struct dynamic_supervisor *supervisor, struct dynamic_child *child,
                          struct decision decision, const cop_reason *reason)
{
    if (decision.supervisor == GIVE_UP)
        copi_report_give_up(&supervisor->keeper, child->spec->id, copi_dynamic_pid(child));
    if (decision.child == FATE_RESTART) restart_child(supervisor, child, reason);
    else copi_dynamic_remove(&supervisor->children, child);
    return decision.supervisor == GO_ON ? cop_noreply() : cop_stop(COP_SHUTDOWN);
}

static cop_next child_ended(struct dynamic_supervisor *supervisor, struct dynamic_child *child,
                            const cop_reason *reason)
{
    struct ended_child ended = { .restart = child->spec->restart, .end = copi_child_end(reason) };
    struct decision decision = copi_policy_ended(&supervisor->policy, &ended, cop_now_ns());
    if (decision.report)
        copi_report(&supervisor->keeper, "child_terminated", child->spec->id,
                    copi_dynamic_pid(child), reason);
    return carry_out(supervisor, child, decision, reason);
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
    if (copi_spec_fault(spec, COP_NEVER) != NULL) return copi_answer_error(COP_EINVAL);
    if (is_full(supervisor)) return copi_answer_error(COP_EMAX_CHILDREN);
    cop_started started = copi_child_start(spec);
    if (started.error == COP_OK) copi_dynamic_add(&supervisor->children, spec, started.pid);
    return copi_answer_started(started);
}

static cop_next call_start_from(struct dynamic_supervisor *supervisor, const cop_message *request)
{
    const copi_start_from *from = cop_expect(request, copi_start_from);
    if (supervisor->children.template_ == NULL) return copi_answer_error(COP_EINVAL);
    if (is_full(supervisor)) return copi_answer_error(COP_EMAX_CHILDREN);
    cop_child_spec spec = *supervisor->children.template_;
    spec.argument = from->argument;
    spec.argument_size = from->argument_size;
    cop_started started = copi_child_start(&spec);
    if (started.error == COP_OK) {
        copi_dynamic_add_from(&supervisor->children, from->argument, from->argument_size,
                              started.pid);
    }
    return copi_answer_started(started);
}

static cop_next call_terminate_pid(struct dynamic_supervisor *supervisor,
                                   const cop_message *request)
{
    cop_pid pid = cop_expect(request, copi_terminate_pid)->pid;
    struct dynamic_child *child = copi_dynamic_find(&supervisor->children, pid);
    if (child == NULL) return copi_answer_error(COP_ENOT_FOUND);
    if (!child->restarting) copi_child_stop(&supervisor->keeper, child->spec, pid);
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
        cop_child_info info = { .type = child->spec->type, .state = COP_CHILD_RESTARTING };
        if (!child->restarting) {
            info.state = COP_CHILD_UP;
            info.pid = copi_dynamic_pid(child);
        }
        copi_reply_add_child(reply, &info);
    }
    return cop_reply_message(reply);
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
    { COP_TYPE(copi_count_children), call_count_children },
    { COP_TYPE(copi_terminate_child), call_refused },
    { COP_TYPE(copi_restart_child), call_refused },
    { COP_TYPE(copi_delete_child), call_refused },
    { COP_TYPE(copi_get_childspec), call_refused },
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

/* A retry; any other cast is ignored. */
static cop_next handle_cast(void *state, const cop_message *message)
{
    struct dynamic_supervisor *supervisor = state;
    const copi_retry_pid *retry = cop_get(message, copi_retry_pid);
    if (retry == NULL) return cop_noreply();
    struct dynamic_child *child = copi_dynamic_find(&supervisor->children, retry->pid);
    if (child == NULL || !child->restarting) return cop_noreply();
    struct decision decision = copi_policy_retry(&supervisor->policy, cop_now_ns());
    return carry_out(supervisor, child, decision, retry->reason);
}

static cop_next handle_info(void *state, const cop_message *message)
{
    struct dynamic_supervisor *supervisor = state;
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    if (gone == NULL) {
        copi_report_unexpected(message);
        return cop_noreply();
    }
    struct dynamic_child *child = copi_dynamic_find(&supervisor->children, gone->from);
    if (child != NULL && !child->restarting) return child_ended(supervisor, child, gone->reason);
    copi_child_heard(&supervisor->keeper, gone);
    return cop_noreply();
}

static void terminate(void *state, const cop_reason *reason)
{
    (void)reason;
    struct dynamic_supervisor *supervisor = state;
    copi_dynamic_stop_all(&supervisor->children, &supervisor->keeper);
    copi_child_hear_all(&supervisor->keeper);
}

/* ---- init -------------------------------------------------------------------------- */

static cop_next init(void *state, const void *argument)
{
    struct dynamic_supervisor *supervisor = state;
    const struct supervisor_argument *start = argument;
    cop_dynamic_supervisor flags = start->flags.dynamic;
    if (flags.init != NULL) {
        cop_next next = flags.init(&flags, copi_argument_of(start));
        if (next.kind != COP_NEXT_OK) return next;
    }
    if (flags.intensity.set && flags.intensity.seconds == 0)
        copi_supervisor_refuse(COP_EINVAL, "supervisor_data", "invalid_period", NULL);
    const cop_child_spec *template_ = flags.template_;
    const char *fault = template_ != NULL ? copi_spec_fault(template_, COP_NEVER) : NULL;
    if (fault != NULL) copi_supervisor_refuse(COP_EINVAL, "start_spec", fault, template_->id);

    copi_keeper_init(&supervisor->keeper);
    copi_window_init(&supervisor->policy.window, &flags.intensity, cop_realloc);
    copi_dynamic_init(&supervisor->children, template_);
    supervisor->max_children = flags.max_children;
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

/* ---- the caller's side ------------------------------------------------------------- */

cop_started cop_dynamic_supervisor_start_opt(const cop_dynamic_supervisor *supervisor,
                                             const cop_start_options *options)
{
    return copi_supervisor_start(&copi_dynamic_supervisor_server, supervisor, sizeof *supervisor,
                                 supervisor != NULL ? supervisor->name : NULL, options);
}

cop_started cop_child_dynamic_supervisor(const void *module, const void *argument,
                                         size_t argument_size)
{
    return cop_dynamic_supervisor_start_link(module, .argument = argument,
                                             .argument_size = argument_size);
}

cop_started cop_dynamic_supervisor_start_child(cop_dest supervisor, const cop_child_spec *spec)
{
    if (spec == NULL || copi_spec_fault(spec, COP_NEVER) != NULL)
        return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    return copi_request_started(supervisor,
                                copi_message_with_spec(COP_TYPE(copi_start_child), spec));
}

cop_started cop_dynamic_supervisor_start_from(cop_dest supervisor, const void *argument,
                                              size_t argument_size)
{
    if (argument == NULL && argument_size > 0)
        return (cop_started){ COP_EINVAL, COP_NO_PID, NULL };
    return copi_request_started(supervisor, copi_request_start_from(argument, argument_size));
}

int cop_dynamic_supervisor_terminate_child(cop_dest supervisor, cop_pid child)
{
    return copi_request_done(supervisor, cop_new(copi_terminate_pid, .pid = child));
}

int cop_dynamic_supervisor_which_children(cop_dest supervisor, cop_child_info **ret_children,
                                          size_t *ret_count)
{
    return cop_supervisor_which_children(supervisor, ret_children, ret_count);
}

int cop_dynamic_supervisor_count_children(cop_dest supervisor, cop_child_counts *ret_counts)
{
    return cop_supervisor_count_children(supervisor, ret_counts);
}
