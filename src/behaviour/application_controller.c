/* application_controller.c - who is loaded, who runs, and whose requests wait.
 *
 *              start                up                  stop
 *     LOADED ---------> STARTING ---------> RUNNING ---------> STOPPING
 *       ^                   |                  |                   |
 *       +------ over -------+------ over ------+------- over ------+
 *
 * The requests for one application wait in a queue; the first one is served when the state is
 * LOADED or RUNNING, and stays the first until it is answered. */
#include "application.h"

#include <assert.h>
#include <string.h>

#include <coppice/log.h>
#include <coppice/memory.h>
#include <coppice/runtime.h>

#include "request.h"

/* A start or a stop. */
struct waiting {
    struct waiting *next;
    cop_from from;
    bool start;
    enum cop_restart type;
};

struct record {
    struct record *next;                  /* those that run: in order of their starts */
    cop_application_info info;
    cop_pid master;                       /* unless LOADED */
    bool is_over;                         /* it has said its last word: */
    cop_started last;                     /* owns its reason */
    struct waiting *first;
};

struct controller {
    struct record *first;
    bool halting;                         /* a permanent application has ended */
};

/* ---- the records ----------------------------------------------------------------------- */

static struct record **place_by_name(struct controller *controller, const char *name)
{
    struct record **place = &controller->first;
    while (*place != NULL && strcmp((*place)->info.application->name, name) != 0)
        place = &(*place)->next;
    return place;
}

static struct record *by_master(const struct controller *controller, cop_pid master)
{
    struct record *record = cop_pid_is_none(master) ? NULL : controller->first;
    while (record != NULL && !cop_pid_equal(record->master, master)) record = record->next;
    return record;
}

/* The lowest number that no application has; above COP_GROUP_MAX if there is none. */
static unsigned free_group(const struct controller *controller)
{
    unsigned group = 1;
    const struct record *record = controller->first;
    while (record != NULL) {
        bool taken = record->info.group == group;
        group += taken;
        record = taken ? controller->first : record->next;
    }
    return group;
}

static void append(struct controller *controller, struct record *record)
{
    struct record **end = &controller->first;
    while (*end != NULL) end = &(*end)->next;
    record->next = NULL;
    *end = record;
}

static void move_to_end(struct controller *controller, struct record *record)
{
    struct record **place = place_by_name(controller, record->info.application->name);
    assert(*place == record);
    *place = record->next;
    append(controller, record);
}

/* ---- answers --------------------------------------------------------------------------- */

static void answer_done(cop_from from, int error)
{
    cop_answer_message(from, cop_new(copi_done, .error = error));
}

/* Takes the reason over. */
static void answer_started(cop_from from, int error, cop_pid pid, const cop_reason *reason)
{
    const cop_started started = { error, pid, reason };
    cop_answer_message(from, cop_new(copi_started, .started = started));
}

/* Takes the first request out of the queue, for it is about to be answered. */
static struct waiting take_first(struct record *record)
{
    struct waiting *first = record->first;
    assert(first != NULL);
    struct waiting copy = *first;
    record->first = first->next;
    cop_free(first);
    return copy;
}

/* ---- starting and stopping ------------------------------------------------------------- */

/* The first of the applications that it needs and that does not run; or NULL. */
static const char *missing(struct controller *controller, const cop_application *application)
{
    const char *const *need = application->applications;
    for (; need != NULL && *need != NULL; need++) {
        const struct record *record = *place_by_name(controller, *need);
        if (record == NULL || record->info.state != COP_APPLICATION_RUNNING) return *need;
    }
    return NULL;
}

static bool spawn_master(struct record *record)
{
    const struct application_life life = { record->info.application, record->info.type,
                                           record->info.group };
    cop_ref monitor;
    const cop_spawn_options options = { .monitor = true, .ret_ref = &monitor, .trap_exit = true,
                                        .label = "application_master" };
    record->master = cop_spawn_opt(copi_application_master, &life, sizeof life, &options);
    return !cop_pid_is_none(record->master);
}

/* Serves the first request, a start, of one that does not run: begins the start, or refuses it. */
static void serve_start(struct controller *controller, struct record *record)
{
    const char *need = missing(controller, record->info.application);
    int error = COP_OK;
    const cop_reason *reason = NULL;
    record->info.type = record->first->type;
    if (controller->halting) {
        error = COP_EFAILED;
        reason = cop_reason_atom("terminating");
    } else if (need != NULL) {
        error = COP_ENOPROC;
        reason = cop_reason_tuple("not_started", cop_reason_atom(need));
    } else if (!spawn_master(record)) {
        error = COP_ENOMEM;
    }
    if (error == COP_OK) {
        record->info.state = COP_APPLICATION_STARTING;
        move_to_end(controller, record);
    } else {
        answer_started(take_first(record).from, error, COP_NO_PID, reason);
    }
}

static void serve(struct controller *controller, struct record *record)
{
    while (record->first != NULL && (record->info.state == COP_APPLICATION_LOADED ||
                                     record->info.state == COP_APPLICATION_RUNNING)) {
        bool runs = record->info.state == COP_APPLICATION_RUNNING;
        if (record->first->start && !runs) {
            serve_start(controller, record);
        } else if (record->first->start) {
            cop_pid top = record->info.top;
            answer_started(take_first(record).from, COP_EALREADY_STARTED, top, NULL);
        } else if (!runs) {
            answer_done(take_first(record).from, COP_ENOT_FOUND);
        } else {
            record->info.state = COP_APPLICATION_STOPPING;
            cop_send(record->master, copi_application_down, 0);
        }
    }
}

static void started(struct controller *controller, struct record *record, cop_pid top)
{
    assert(record->info.state == COP_APPLICATION_STARTING);
    record->info.state = COP_APPLICATION_RUNNING;
    record->info.top = top;
    cop_log(&(cop_log_event){ .level = COP_LOG_INFO, .kind = COP_LOG_PROGRESS, .process = top,
                              .supervisor = cop_self(), .child = record->info.application->name });
    answer_started(take_first(record).from, COP_OK, top, NULL);
    serve(controller, record);
}

/* ---- the end --------------------------------------------------------------------------- */

/* A process for the end of the node, so that the controller can serve it. */
static void end_node(void *argument)
{
    (void)argument;
    cop_application_stop_all();
    cop_halt(1);
}

/* One that ran has ended by itself. */
static void ended(struct controller *controller, const struct record *record, cop_pid top,
                  const cop_reason *reason)
{
    enum cop_restart type = record->info.type;
    bool fatal = type == COP_PERMANENT ||
                 (type == COP_TRANSIENT && !cop_reason_is(reason, "normal"));
    cop_log(&(cop_log_event){ .level = fatal ? COP_LOG_ERROR : COP_LOG_INFO,
                              .kind = COP_LOG_TEXT, .process = top, .supervisor = cop_self(),
                              .child = record->info.application->name, .reason = reason,
                              .text = fatal ? "the application has ended, so the node does"
                                            : "the application has ended" });
    if (!fatal || controller->halting) return;
    controller->halting = true;
    cop_spawn_opt(end_node, NULL, 0, &(cop_spawn_options){ .label = "application_halt" });
}

/* The master has ended, the last of the application's processes.  Takes the reason over. */
static void over(struct controller *controller, struct record *record, cop_started last)
{
    enum cop_application_state state = record->info.state;
    cop_pid top = record->info.top;
    record->info.state = COP_APPLICATION_LOADED;
    record->info.top = record->master = COP_NO_PID;
    record->is_over = false;
    if (state == COP_APPLICATION_STARTING) {
        answer_started(take_first(record).from, last.error, COP_NO_PID, last.reason);
    } else {
        if (state == COP_APPLICATION_STOPPING) answer_done(take_first(record).from, COP_OK);
        else ended(controller, record, top, last.reason != NULL ? last.reason : COP_NORMAL);
        cop_reason_unref(last.reason);
    }
    serve(controller, record);
}

/* ---- requests -------------------------------------------------------------------------- */

static cop_next load(struct controller *controller, const cop_application *application)
{
    if (*place_by_name(controller, application->name) != NULL)
        return copi_answer_error(COP_EALREADY_PRESENT);
    unsigned group = free_group(controller);
    if (group > COP_GROUP_MAX) return copi_answer_error(COP_ELIMIT);
    struct record *record = cop_alloc(sizeof *record);
    record->info.application = application;
    record->info.group = group;
    append(controller, record);
    return copi_answer_error(COP_OK);
}

static cop_next unload(struct controller *controller, const char *name)
{
    struct record **place = place_by_name(controller, name);
    struct record *record = *place;
    if (record == NULL) return copi_answer_error(COP_ENOT_FOUND);
    if (record->info.state != COP_APPLICATION_LOADED) return copi_answer_error(COP_ERUNNING);
    *place = record->next;
    cop_free(record);
    return copi_answer_error(COP_OK);
}

/* A start or a stop. */
static cop_next enqueue(struct controller *controller, const copi_application_named *request,
                        bool start, cop_from from)
{
    struct record *record = *place_by_name(controller, request->name);
    if (record == NULL) {
        if (!start) return copi_answer_error(COP_ENOT_FOUND);
        return copi_answer_started((cop_started){ COP_ENOT_FOUND, COP_NO_PID, NULL });
    }
    struct waiting **end = &record->first;
    while (*end != NULL) end = &(*end)->next;
    *end = cop_alloc(sizeof **end);
    **end = (struct waiting){ NULL, from, start, request->type };
    serve(controller, record);
    return cop_noreply();
}

static cop_next list(const struct controller *controller)
{
    size_t count = 0;
    for (const struct record *record = controller->first; record != NULL; record = record->next)
        count++;
    cop_message *reply = cop_message_new(COP_TYPE(copi_application_list), NULL,
                                         count * sizeof(cop_application_info));
    copi_application_list *payload = cop_payload(reply);
    for (const struct record *record = controller->first; record != NULL; record = record->next)
        payload->infos[payload->count++] = record->info;
    return cop_reply_message(reply);
}

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    const copi_application_load *to_load = cop_get(request, copi_application_load);
    const copi_application_named *to_unload = cop_get(request, copi_application_unload);
    const copi_application_named *to_start = cop_get(request, copi_application_start);
    const copi_application_named *to_stop = cop_get(request, copi_application_stop);
    if (to_load != NULL) return load(state, to_load->application);
    if (to_unload != NULL) return unload(state, to_unload->name);
    if (to_start != NULL) return enqueue(state, to_start, true, from);
    if (to_stop != NULL) return enqueue(state, to_stop, false, from);
    cop_expect(request, copi_application_which);
    return list(state);
}

static cop_next handle_cast(void *state, const cop_message *message)
{
    struct record *record = by_master(state, message->from);
    const copi_application_up *up = cop_get(message, copi_application_up);
    if (record == NULL) return cop_noreply();
    if (up != NULL) {
        started(state, record, up->top);
        return cop_noreply();
    }
    record->is_over = true;
    record->last = cop_expect(message, copi_application_over)->started;
    if (record->last.reason != NULL) cop_reason_ref(record->last.reason);
    return cop_noreply();
}

/* A master has ended; without a last word if it was killed. */
static cop_next handle_info(void *state, const cop_message *message)
{
    const cop_down_message *down = cop_get(message, cop_down_message);
    struct record *record = down != NULL ? by_master(state, down->pid) : NULL;
    if (record == NULL) return cop_noreply();
    cop_started last = record->last;
    if (!record->is_over)
        last = (cop_started){ COP_EFAILED, COP_NO_PID, cop_reason_ref(down->reason) };
    over(state, record, last);
    return cop_noreply();
}

/* It belongs to no application, though one's process may have started it. */
static cop_next init(void *state, const void *argument)
{
    (void)state;
    (void)argument;
    cop_join_group(0);
    return cop_ok();
}

const cop_gen_server copi_application_controller = {
    .name = COPI_APPLICATION_CONTROLLER,
    .state_size = sizeof(struct controller),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};
