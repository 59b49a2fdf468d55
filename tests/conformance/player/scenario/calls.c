/* calls.c - the steps that call a supervisor, and their results in the reference's words. */
#include <stdlib.h>

#include <coppice/memory.h>

#include "children.h"
#include "play.h"

/* ---- results ----------------------------------------------------------------------------- */

/* A supervisor that was not there to answer ends the caller in OTP; the reference prints how. */
static void result_of_error(struct lines *result, int error, const cop_reason *reason)
{
    char *text = reason == NULL ? NULL : reason_text(reason);
    const char *kind = error == COP_ENOPROC || error == COP_EDOWN ? "exit" : "error";
    lines_add(result, "%s:%s", kind, text != NULL ? text : cop_error_name(error));
    free(text);
}

void result_of_start(struct lines *result, cop_started started, const char *ignored)
{
    if (started.error == COP_OK && !cop_pid_is_none(started.pid))
        lines_add(result, "ok up");
    else if (started.error == COP_OK || started.error == COP_EIGNORED)
        lines_add(result, "%s", ignored);
    else if (started.error == COP_EALREADY_STARTED)
        lines_add(result, "error:already_started:pid");
    else
        result_of_error(result, started.error, started.reason);
    cop_reason_unref(started.reason);
}

static void result_of(struct lines *result, int error)
{
    if (error == COP_OK)
        lines_add(result, "ok");
    else
        result_of_error(result, error, NULL);
}

/* Takes the children, which are the caller's from cop_alloc. */
static void result_of_children(struct lines *result, int error, cop_child_info *children,
                               size_t count)
{
    static const char *const states[] = { [COP_CHILD_DOWN] = "undefined", [COP_CHILD_UP] = "up",
                                          [COP_CHILD_RESTARTING] = "restarting" };
    if (error != COP_OK) {
        result_of(result, error);
        return;
    }
    struct lines items = { 0 };
    for (size_t i = 0; i < count; i++)
        lines_add(&items, "%s=%s:%s", children[i].id == NULL ? "undefined" : children[i].id,
                  states[children[i].state],
                  children[i].type == COP_SUPERVISOR ? "supervisor" : "worker");
    lines_sort(&items);
    char *text = lines_join(&items, " ");
    lines_add(result, "children:%s", count == 0 ? "none" : text);
    free(text);
    lines_free(&items);
    cop_free(children);
}

static void result_of_counts(struct lines *result, int error, const cop_child_counts *counts)
{
    if (error != COP_OK)
        result_of(result, error);
    else
        lines_add(result, "counts:specs=%zu active=%zu supervisors=%zu workers=%zu",
                  counts->specs, counts->active, counts->supervisors, counts->workers);
}

static void result_of_spec(struct lines *result, const cop_child_spec *spec)
{
    static const char *const restarts[] = { [COP_PERMANENT] = "permanent",
                                            [COP_TRANSIENT] = "transient",
                                            [COP_TEMPORARY] = "temporary" };
    char ms[32];
    snprintf(ms, sizeof ms, "%lld", (long long)spec->shutdown.ms);
    const char *shutdown = ms;
    if (spec->shutdown.mode == COP_SHUTDOWN_KILL) shutdown = "brutal_kill";
    if (spec->shutdown.mode == COP_SHUTDOWN_FOREVER) shutdown = "infinity";
    lines_add(result, "spec:%s %s %s %s %s", spec->id, restarts[spec->restart],
              spec->significant ? "true" : "false", shutdown,
              spec->type == COP_SUPERVISOR ? "supervisor" : "worker");
}

/* ---- calls to a supervisor --------------------------------------------------------------- */

struct target {
    cop_dest sup;
    cop_pid child;       /* of dyn_terminate */
};
typedef void supervisor_call(const struct step *step, const struct target *to,
                             struct lines *result);

static void start_child(const struct step *step, const struct target *to, struct lines *result)
{
    cop_child_spec spec = child_spec_of(step->node);
    result_of_start(result, cop_supervisor_start_child(to->sup, &spec), "ok:undefined");
}

static void restart_child(const struct step *step, const struct target *to, struct lines *result)
{
    result_of_start(result, cop_supervisor_restart_child(to->sup, step->id), "ok:undefined");
}

static void terminate_child(const struct step *step, const struct target *to, struct lines *result)
{
    result_of(result, cop_supervisor_terminate_child(to->sup, step->id));
}

static void delete_child(const struct step *step, const struct target *to, struct lines *result)
{
    result_of(result, cop_supervisor_delete_child(to->sup, step->id));
}

static void get_childspec(const struct step *step, const struct target *to, struct lines *result)
{
    cop_child_spec *spec = NULL;
    int error = cop_supervisor_get_childspec(to->sup, step->id, &spec);
    if (error == COP_OK)
        result_of_spec(result, spec);
    else
        result_of(result, error);
    cop_free(spec);
}

static void which_children(const struct step *step, const struct target *to, struct lines *result)
{
    (void)step;
    cop_child_info *children = NULL;
    size_t count = 0;
    int error = cop_supervisor_which_children(to->sup, &children, &count);
    result_of_children(result, error, children, count);
}

static void count_children(const struct step *step, const struct target *to, struct lines *result)
{
    (void)step;
    cop_child_counts counts = { 0 };
    int error = cop_supervisor_count_children(to->sup, &counts);
    result_of_counts(result, error, &counts);
}

/* ---- calls to a dynamic supervisor ------------------------------------------------------- */

static void dyn_start(const struct step *step, const struct target *to, struct lines *result)
{
    result_of_start(result, child_start_dynamic(to->sup, step->node), "ok:undefined");
}

static void dyn_terminate(const struct step *step, const struct target *to, struct lines *result)
{
    (void)step;
    result_of(result, cop_dynamic_supervisor_terminate_child(to->sup, to->child));
}

static void dyn_which_children(const struct step *step, const struct target *to,
                               struct lines *result)
{
    (void)step;
    cop_child_info *children = NULL;
    size_t count = 0;
    int error = cop_dynamic_supervisor_which_children(to->sup, &children, &count);
    result_of_children(result, error, children, count);
}

static void dyn_count_children(const struct step *step, const struct target *to,
                               struct lines *result)
{
    (void)step;
    cop_child_counts counts = { 0 };
    int error = cop_dynamic_supervisor_count_children(to->sup, &counts);
    result_of_counts(result, error, &counts);
}

/* OTP has one interface for both kinds of supervisors, and answers so where here there is no
 * function to call: the children of a dynamic supervisor have no ids, and those of a static one
 * are not known by their pids. */
static void no_ids(const struct step *step, const struct target *to, struct lines *result)
{
    (void)to;
    lines_add(result, step->kind == STEP_GET_CHILDSPEC ? "error:not_found"
                                                       : "error:simple_one_for_one");
}

static void no_pids(const struct step *step, const struct target *to, struct lines *result)
{
    (void)step;
    (void)to;
    lines_add(result, "error:not_found");
}

/* ---- which call it is -------------------------------------------------------------------- */

static supervisor_call *const static_calls[] = {
    [STEP_START_CHILD] = start_child, [STEP_TERMINATE_CHILD] = terminate_child,
    [STEP_DELETE_CHILD] = delete_child, [STEP_RESTART_CHILD] = restart_child,
    [STEP_GET_CHILDSPEC] = get_childspec, [STEP_WHICH_CHILDREN] = which_children,
    [STEP_COUNT_CHILDREN] = count_children, [STEP_DYN_TERMINATE] = no_pids,
};
static supervisor_call *const dynamic_calls[] = {
    [STEP_TERMINATE_CHILD] = no_ids, [STEP_DELETE_CHILD] = no_ids,
    [STEP_RESTART_CHILD] = no_ids, [STEP_GET_CHILDSPEC] = no_ids,
    [STEP_WHICH_CHILDREN] = dyn_which_children, [STEP_COUNT_CHILDREN] = dyn_count_children,
    [STEP_DYN_START] = dyn_start, [STEP_DYN_TERMINATE] = dyn_terminate,
};

void call_supervisor(const struct step *step, const struct place *place, cop_pid child,
                     struct lines *result)
{
    const struct target target = { cop_to(place->pid), child };
    supervisor_call *call = NULL;
    if (place->kind == NODE_SUP) call = static_calls[step->kind];
    if (place->kind == NODE_DYN) call = dynamic_calls[step->kind];
    if (call != NULL)
        call(step, &target, result);
    else if (place->kind == NODE_WORKER)
        lines_add(result, "ok");             /* the reference's workers answer any call with ok */
    else
        lines_add(result, "error:badarg");   /* a child of the one kind for the other */
}
