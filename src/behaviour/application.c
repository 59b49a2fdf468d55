/* application.c - the callers' side of applications: requests to the controller, and what is made
 * of several of them: starting all that is needed, stopping all. */
#include "application.h"

#include <assert.h>
#include <string.h>

#include <coppice/memory.h>

#include "request.h"

/* ---- messages -------------------------------------------------------------------------- */

static void drop_over(void *payload)
{
    cop_reason_unref(((copi_application_over *)payload)->started.reason);
}

#define TYPE(name_, drop_)                                                               \
    const cop_message_type cop_type_copi_application_##name_ = {                         \
        "application_" #name_, sizeof(copi_application_##name_), drop_ }

TYPE(load, NULL);
TYPE(unload, NULL);
TYPE(start, NULL);
TYPE(stop, NULL);
TYPE(which, NULL);
TYPE(list, NULL);
TYPE(up, NULL);
TYPE(over, drop_over);
TYPE(down, NULL);

static cop_message *named_request(const cop_message_type *type, const char *name,
                                  enum cop_restart restart)
{
    size_t size = strlen(name) + 1;
    cop_message *message = cop_message_new(type, NULL, size);
    copi_application_named *payload = cop_payload(message);
    payload->name = memcpy(payload + 1, name, size);
    payload->type = restart;
    return message;
}

/* ---- the single requests --------------------------------------------------------------- */

static int check(const char *name)
{
    if (cop_pid_is_none(cop_self())) return COP_EOUTSIDE;
    return name == NULL || *name == '\0' ? COP_EINVAL : COP_OK;
}

static cop_dest controller(void)
{
    return cop_to(COPI_APPLICATION_CONTROLLER);
}

/* Without a controller nothing is loaded. */
static int as_error(int error)
{
    return error == COP_ENOPROC ? COP_ENOT_FOUND : error;
}

static int start_controller(void)
{
    if (!cop_pid_is_none(cop_whereis(COPI_APPLICATION_CONTROLLER))) return COP_OK;
    cop_started started = cop_gen_server_start(&copi_application_controller);
    cop_reason_unref(started.reason);
    return started.error == COP_EALREADY_STARTED ? COP_OK : started.error;
}

int cop_application_load(const cop_application *application)
{
    if (application == NULL) return COP_EINVAL;
    int error = check(application->name);
    if (error == COP_OK && ((application->phases != NULL && application->start_phase == NULL) ||
                            application->shutdown_ms < 0))
        error = COP_EINVAL;
    if (error == COP_OK) error = start_controller();
    if (error != COP_OK) return error;
    return copi_request_done(controller(),
                             cop_new(copi_application_load, .application = application));
}

int cop_application_unload(const char *name)
{
    int error = check(name);
    if (error != COP_OK) return error;
    cop_message *request = named_request(COP_TYPE(copi_application_unload), name, COP_TEMPORARY);
    return as_error(copi_request_done(controller(), request));
}

cop_started cop_application_start(const char *name, enum cop_restart type)
{
    int error = check(name);
    if (error == COP_OK && (type < COP_PERMANENT || type > COP_TEMPORARY)) error = COP_EINVAL;
    if (error == COP_OK && cop_pid_is_none(cop_resolve(controller()))) error = COP_ENOT_FOUND;
    if (error != COP_OK) return (cop_started){ error, COP_NO_PID, NULL };
    return copi_request_started(controller(),
                                named_request(COP_TYPE(copi_application_start), name, type));
}

int cop_application_stop(const char *name)
{
    int error = check(name);
    if (error != COP_OK) return error;
    cop_message *request = named_request(COP_TYPE(copi_application_stop), name, COP_TEMPORARY);
    return as_error(copi_request_done(controller(), request));
}

int cop_application_which(cop_application_info **ret_list, size_t *ret_count)
{
    if (cop_pid_is_none(cop_self())) return COP_EOUTSIDE;
    cop_message *reply = NULL;
    int error = copi_request(controller(), cop_new(copi_application_which, 0),
                             COP_TYPE(copi_application_list), &reply, NULL);
    if (error != COP_OK && error != COP_ENOPROC) return error;
    size_t count = 0;
    cop_application_info *infos = NULL;
    if (reply != NULL) {
        const copi_application_list *list = cop_expect(reply, copi_application_list);
        count = list->count;
        if (count > 0) infos = memcpy(cop_alloc(count * sizeof *infos), list->infos,
                                      count * sizeof *infos);
        cop_message_free(reply);
    }
    *ret_list = infos;
    *ret_count = count;
    return COP_OK;
}

/* ---- stopping all ---------------------------------------------------------------------- */

/* Stops the one that was started last; COP_ENOT_FOUND if none is started. */
static int stop_last(void)
{
    cop_application_info *infos;
    size_t count;
    int error = cop_application_which(&infos, &count);
    if (error != COP_OK) return error;
    while (count > 0 && infos[count - 1].state == COP_APPLICATION_LOADED) count--;
    error = count > 0 ? cop_application_stop(infos[count - 1].application->name) : COP_ENOT_FOUND;
    if (count > 0 && error == COP_ENOT_FOUND) error = COP_OK;      /* it has ended by itself */
    cop_free(infos);
    return error;
}

int cop_application_stop_all(void)
{
    int error;
    do error = stop_last();
    while (error == COP_OK);
    return error == COP_ENOT_FOUND ? COP_OK : error;
}

/* ---- starting all that is needed ------------------------------------------------------- */

enum mark { UNSEEN, ENTERED, PLANNED };

/* What is to be started, in which order. */
struct plan {
    const cop_application_info *infos;
    size_t count;
    unsigned char *marks;                    /* of each: enum mark */
    const cop_application **order;
    size_t planned;
    const cop_reason *reason;                /* why there is no plan, or NULL */
};

static int no_plan(struct plan *plan, int error, const char *why, const char *name)
{
    assert(plan->reason == NULL);
    plan->reason = cop_reason_tuple(why, cop_reason_atom(name));
    return error;
}

/* Plans all that `name` needs and then itself. */
static int plan_for(struct plan *plan, const char *name)
{
    size_t i = 0;
    while (i < plan->count && strcmp(plan->infos[i].application->name, name) != 0) i++;
    if (i == plan->count) return no_plan(plan, COP_ENOT_FOUND, "not_loaded", name);
    if (plan->marks[i] == ENTERED) return no_plan(plan, COP_EINVAL, "circular", name);
    if (plan->marks[i] == PLANNED) return COP_OK;

    const cop_application *application = plan->infos[i].application;
    plan->marks[i] = ENTERED;
    const char *const *need = application->applications;
    for (; need != NULL && *need != NULL; need++) {
        int error = plan_for(plan, *need);
        if (error != COP_OK) return error;
    }
    plan->marks[i] = PLANNED;
    plan->order[plan->planned++] = application;
    return COP_OK;
}

static void release_reason(void *reason)
{
    cop_reason_unref(reason);
}

/* Stops those of the plan before `failed` that were started.  Takes the failure over. */
static cop_started undo(const struct plan *plan, size_t failed, const bool *ours,
                        cop_started failure)
{
    const char *name = plan->order[failed]->name;
    if (failure.reason == NULL) failure.reason = cop_reason_atom(cop_error_name(failure.error));
    failure.reason = cop_reason_tuple(name, failure.reason);
    failure.pid = COP_NO_PID;
    cop_deferred *guard = cop_defer(release_reason, (void *)(uintptr_t)failure.reason);
    for (size_t i = failed; i-- > 0;)
        if (ours[i]) cop_application_stop(plan->order[i]->name);
    cop_undefer(guard, false);
    return failure;
}

/* Starts what the plan says; the result of the last, which it is for. */
static cop_started carry_out(const struct plan *plan, enum cop_restart type)
{
    cop_started started = { COP_OK, COP_NO_PID, NULL };
    bool *ours = cop_alloc(plan->planned * sizeof *ours);
    for (size_t i = 0; i < plan->planned && started.error == COP_OK; i++) {
        started = cop_application_start(plan->order[i]->name, type);
        ours[i] = started.error == COP_OK;
        if (started.error == COP_EALREADY_STARTED) started.error = COP_OK;
        if (started.error != COP_OK) started = undo(plan, i, ours, started);
    }
    cop_free(ours);
    return started;
}

cop_started cop_application_ensure_all_started(const char *name, enum cop_restart type)
{
    cop_application_info *infos = NULL;
    struct plan plan = { .count = 0 };
    int error = check(name);
    if (error == COP_OK) error = cop_application_which(&infos, &plan.count);
    if (error != COP_OK) return (cop_started){ error, COP_NO_PID, NULL };

    plan.infos = infos;
    plan.marks = cop_alloc(plan.count + 1);
    plan.order = cop_alloc((plan.count + 1) * sizeof *plan.order);
    error = plan_for(&plan, name);
    cop_started started = { error, COP_NO_PID, plan.reason };
    if (error == COP_OK) started = carry_out(&plan, type);
    cop_free(plan.order);
    cop_free(plan.marks);
    cop_free(infos);
    return started;
}
