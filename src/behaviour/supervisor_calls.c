/* supervisor_calls.c - what a supervisor answers: the calls of supervisor.h. */
#include "supervisor_state.h"

#include <string.h>

#include <coppice/memory.h>
#include <coppice/timer.h>

#include "request.h"

/* ---- start, stop, restart, delete -------------------------------------------------- */

static const char *fault_of(const struct supervisor *supervisor, const cop_child_spec *spec)
{
    const struct policy *policy = &supervisor->policy;
    return spec->id == NULL ? "missing_id"
                            : copi_spec_fault(spec, policy->strategy, policy->auto_shutdown);
}

/* Starts a new child, and keeps it if it runs or, unless temporary, ignored its start. */
static cop_started start_new(struct supervisor *supervisor, const cop_child_spec *spec)
{
    cop_started started = copi_child_start(spec);
    if (copi_start_failed(&started)) return started;
    bool temporary = spec->restart == COP_TEMPORARY;
    bool up = started.error == COP_OK;
    if (up || !temporary) {
        cop_child_spec kept = *spec;
        if (temporary) {           /* it is never started again */
            kept.argument = NULL;
            kept.argument_size = 0;
        }
        struct child *child = copi_children_add(&supervisor->children, &kept);
        if (up) copi_supervisor_set_up(supervisor, child, started.pid, COP_LOG_DEBUG);
    }
    return (cop_started){ COP_OK, started.pid, NULL };
}

static cop_next call_start_child(struct supervisor *supervisor, const cop_message *request)
{
    const cop_child_spec *spec = &cop_expect(request, copi_start_child)->spec;
    const char *fault = fault_of(supervisor, spec);
    if (fault != NULL) return copi_answer_started(copi_spec_refused(fault, spec->id));

    const struct child *present = copi_children_by_id(&supervisor->children, spec->id);
    if (present == NULL) return copi_answer_started(start_new(supervisor, spec));
    if (present->state != COP_CHILD_UP) return copi_answer_error(COP_EALREADY_PRESENT);
    return copi_answer_started((cop_started){ COP_EALREADY_STARTED, present->pid, NULL });
}

static cop_next call_terminate_child(struct supervisor *supervisor, const cop_message *request)
{
    const char *id = cop_expect(request, copi_terminate_child)->id;
    struct child *child = copi_children_by_id(&supervisor->children, id);
    if (child == NULL) return copi_answer_error(COP_ENOT_FOUND);
    if (child->state == COP_CHILD_UP)
        copi_child_stop(&supervisor->keeper, &child->spec, child->pid);
    copi_children_set_state(&supervisor->children, child, COP_CHILD_DOWN);
    copi_supervisor_open_gate(supervisor, child);
    copi_supervisor_put_down(supervisor, child);
    return copi_answer_error(COP_OK);
}

/* The child, if it is down; else NULL and why it can be neither restarted nor deleted. */
static struct child *child_down(struct supervisor *supervisor, const char *id, int *ret_error)
{
    struct child *child = copi_children_by_id(&supervisor->children, id);
    if (child != NULL && child->state == COP_CHILD_DOWN) return child;
    *ret_error = child == NULL                        ? COP_ENOT_FOUND
                 : child->state == COP_CHILD_UP       ? COP_ERUNNING
                                                      : COP_ERESTARTING;
    return NULL;
}

static cop_next call_restart_child(struct supervisor *supervisor, const cop_message *request)
{
    int error;
    const char *id = cop_expect(request, copi_restart_child)->id;
    struct child *child = child_down(supervisor, id, &error);
    if (child == NULL) return copi_answer_error(error);
    cop_started started = copi_supervisor_start_child(supervisor, child, COP_LOG_DEBUG);
    if (started.error == COP_EIGNORED) started.error = COP_OK;
    return copi_answer_started(started);
}

static cop_next call_delete_child(struct supervisor *supervisor, const cop_message *request)
{
    int error;
    const char *id = cop_expect(request, copi_delete_child)->id;
    struct child *child = child_down(supervisor, id, &error);
    if (child == NULL) return copi_answer_error(error);
    copi_supervisor_forget(supervisor, child);
    return copi_answer_error(COP_OK);
}

/* ---- what there is ----------------------------------------------------------------- */

static cop_next call_get_childspec(struct supervisor *supervisor, const cop_message *request)
{
    const char *id = cop_expect(request, copi_get_childspec)->id;
    struct child *child = copi_children_by_id(&supervisor->children, id);
    if (child == NULL) return copi_answer_error(COP_ENOT_FOUND);
    return cop_reply_message(copi_message_with_spec(COP_TYPE(copi_childspec), &child->spec));
}

static cop_next call_which_children(struct supervisor *supervisor, const cop_message *request)
{
    (void)request;
    const struct children *children = &supervisor->children;
    size_t id_bytes = 0;
    for (struct child *child = children->youngest; child != NULL; child = child->older)
        id_bytes += strlen(child->spec.id) + 1;
    cop_message *reply = copi_reply_children(children->by_id.count, id_bytes);
    for (struct child *child = children->youngest; child != NULL; child = child->older) {
        cop_pid pid = child->state == COP_CHILD_UP ? child->pid : COP_NO_PID;
        cop_child_info info = { child->spec.id, child->state, pid, child->spec.type };
        copi_reply_add_child(reply, &info);
    }
    return cop_reply_message(reply);
}

static cop_next call_which_child(struct supervisor *supervisor, const cop_message *request)
{
    const char *id = cop_expect(request, copi_which_child)->id;
    struct child *child = copi_children_by_id(&supervisor->children, id);
    if (child == NULL) return copi_answer_error(COP_ENOT_FOUND);
    cop_child_status status = {
        .state = child->state,
        .pid = child->state == COP_CHILD_UP ? child->pid : COP_NO_PID,
        .type = child->spec.type,
    };
    copi_upkeep_status(&child->upkeep, &status);
    return copi_answer_status(&status);
}

static cop_next call_count_children(struct supervisor *supervisor, const cop_message *request)
{
    (void)request;
    const struct children *children = &supervisor->children;
    cop_child_counts counts = { .specs = children->by_id.count };
    for (struct child *child = children->youngest; child != NULL; child = child->older) {
        if (child->state == COP_CHILD_UP && cop_is_alive(child->pid)) counts.active++;
        if (child->spec.type == COP_SUPERVISOR) counts.supervisors++;
        else counts.workers++;
    }
    return cop_reply_message(cop_new(copi_counts, .counts = counts));
}

/* ---- await_restart ----------------------------------------------------------------- */

/* Who waits for a child to be another process than `old`; a child's waiters are a list, in the
 * order in which they came. */
struct waiter {
    struct waiter *next;
    cop_from from;
    cop_pid old;
    int64_t until_ns;
};

static bool is_new(const struct child *child, cop_pid old)
{
    return child->state == COP_CHILD_UP && child->upkeep.ready && !cop_pid_equal(child->pid, old);
}

/* Takes all waiters for which the function says so out of the list. */
static void drop_waiters(struct child *child, bool (*drops)(struct child *, const struct waiter *))
{
    struct waiter **place = &child->waiters;
    while (*place != NULL) {
        struct waiter *waiter = *place;
        if (!drops(child, waiter)) {
            place = &waiter->next;
            continue;
        }
        *place = waiter->next;
        child->waiter_count--;
        cop_free(waiter);
    }
    child->waiters_end = place;
}

static bool is_answered(struct child *child, const struct waiter *waiter)
{
    bool gone = child->state == COP_CHILD_DOWN;
    if (!gone && !is_new(child, waiter->old)) return false;
    cop_started started = { gone ? COP_ENOT_FOUND : COP_OK, gone ? COP_NO_PID : child->pid, NULL };
    cop_answer_message(waiter->from, cop_new(copi_started, .started = started));
    return true;
}

void copi_supervisor_tell_waiters(struct child *child)
{
    drop_waiters(child, is_answered);
}

/* Its time is over, or it has ended. */
static bool waits_no_longer(struct child *child, const struct waiter *waiter)
{
    (void)child;
    return waiter->until_ns < cop_now_ns() || !cop_is_alive(waiter->from.alias.owner);
}

/* Those who wait no longer are looked for each time that their number may have doubled. */
static void add_waiter(struct child *child, const struct waiter *waiter)
{
    if (child->waiter_count > 2 * child->waiters_kept + 8) {
        drop_waiters(child, waits_no_longer);
        child->waiters_kept = child->waiter_count;
    }
    struct waiter *kept = cop_alloc(sizeof *kept);
    *kept = *waiter;
    *child->waiters_end = kept;
    child->waiters_end = &kept->next;
    child->waiter_count++;
}

static cop_next call_await_restart(struct supervisor *supervisor, const cop_message *request)
{
    const copi_await_restart *await = cop_expect(request, copi_await_restart);
    struct child *child = copi_children_by_id(&supervisor->children, await->id);
    if (child == NULL) return copi_answer_error(COP_ENOT_FOUND);
    if (is_new(child, await->old))
        return copi_answer_started((cop_started){ COP_OK, child->pid, NULL });
    add_waiter(child, &(struct waiter){ .from = { { request->from, request->ref } },
                                        .old = await->old,
                                        .until_ns = await->until_ns });
    return cop_noreply();
}

/* ---- all calls --------------------------------------------------------------------- */

/* What only dynamic supervisors do. */
static cop_next call_refused(struct supervisor *supervisor, const cop_message *request)
{
    (void)supervisor;
    (void)request;
    return copi_answer_error(COP_EINVAL);
}

static const struct {
    const cop_message_type *type;
    cop_next (*handle)(struct supervisor *supervisor, const cop_message *request);
} calls[] = {
    { COP_TYPE(copi_start_child), call_start_child },
    { COP_TYPE(copi_terminate_child), call_terminate_child },
    { COP_TYPE(copi_restart_child), call_restart_child },
    { COP_TYPE(copi_delete_child), call_delete_child },
    { COP_TYPE(copi_get_childspec), call_get_childspec },
    { COP_TYPE(copi_which_children), call_which_children },
    { COP_TYPE(copi_which_child), call_which_child },
    { COP_TYPE(copi_count_children), call_count_children },
    { COP_TYPE(copi_await_restart), call_await_restart },
    { COP_TYPE(copi_start_from), call_refused },
    { COP_TYPE(copi_terminate_pid), call_refused },
    { COP_TYPE(copi_which_pid), call_refused },
    { COP_TYPE(copi_get_pidspec), call_refused },
};

cop_next copi_supervisor_call(struct supervisor *supervisor, const cop_message *request)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (request->type == calls[i].type) return calls[i].handle(supervisor, request);
    }
    return cop_stop(cop_reason_error("function_clause: call %s", request->type->name));
}
