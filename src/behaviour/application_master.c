/* application_master.c - an application that runs: its master and its runner.
 *
 *     runner     start the top, phases --> up --> the top ends, or stop is asked for --> over
 *                       |                         prep_stop, shutdown of the top, stop
 *                       +-- failed: over
 *     master     passes up on; after over, or the runner's end, kills who is left and passes over
 * on
 *
 * The master waits for nothing that a program could keep from happening, but for the end of
 * processes that were killed. */
#include "application.h"

#include <assert.h>

#include <coppice/memory.h>

#include "child.h"

/* ---- the end of a group ---------------------------------------------------------------- */

enum { SWEEP_MAX = 256 };     /* processes killed at once */

static bool spared(cop_pid pid)
{
    return cop_pid_equal(pid, cop_self()) || cop_pid_equal(pid, cop_parent());
}

static void await_end(cop_pid pid)
{
    cop_message_free(cop_take(&(cop_match){ .ref = cop_monitor(pid) }, COP_INFINITY));
}

/* Kills all processes of the caller's group but itself and its parent, and those that they spawn
 * meanwhile: looks again until there are none. */
static void sweep(void)
{
    cop_pid *pids = cop_alloc(SWEEP_MAX * sizeof *pids);
    size_t killed;
    do {
        size_t count = cop_group_members(cop_group(), pids, SWEEP_MAX);
        if (count > SWEEP_MAX) count = SWEEP_MAX;
        killed = 0;
        for (size_t i = 0; i < count; i++) {
            if (spared(pids[i])) continue;
            cop_exit_process(pids[i], COP_KILL);
            pids[killed++] = pids[i];
        }
        for (size_t i = 0; i < killed; i++) await_end(pids[i]);
    } while (killed > 0);
    cop_free(pids);
}

/* ---- the runner ------------------------------------------------------------------------ */

static void tell_master(cop_message *message)
{
    cop_send_message(cop_to(cop_parent()), message);
}

static void tell_over(int error, const cop_reason *reason)
{
    const cop_started started = { error, COP_NO_PID, reason };
    tell_master(cop_new(copi_application_over, .started = started));
}

/* Starts the top process.  Every failure is COP_EFAILED with a reason. */
static cop_started start_top(const struct application_life *life)
{
    const cop_application *application = life->application;
    cop_started started = { COP_OK, COP_NO_PID, NULL };
    if (application->start != NULL) started = application->start(application, life->type);
    else if (application->supervisor != NULL)
        started = cop_supervisor_start_link(application->supervisor);
    else return started;

    bool has_pid = !cop_pid_is_none(started.pid);
    if (started.error == COP_OK && has_pid) return started;
    if (started.error == COP_OK) started.reason = cop_reason_atom("bad_return_value");
    else if (started.error == COP_EALREADY_STARTED && has_pid)
        started.reason = copi_start_failure(&started);
    else if (started.reason == NULL)
        started.reason = cop_reason_atom(cop_error_name(started.error));
    return (cop_started){ COP_EFAILED, COP_NO_PID, started.reason };
}

/* Shuts the top process down, with everybody else's end as the last resort. */
static void stop_top(const cop_application *application, cop_pid top)
{
    if (cop_pid_is_none(top)) return;
    const cop_match its_end = { .ref = cop_monitor(top) };
    cop_exit_process(top, COP_SHUTDOWN);
    int64_t timeout_ms = application->shutdown_ms > 0 ? application->shutdown_ms : COP_INFINITY;
    cop_message *message = cop_take(&its_end, timeout_ms);
    if (message == NULL) {
        cop_exit_process(top, COP_KILL);
        message = cop_take(&its_end, COP_INFINITY);
        sweep();
    }
    cop_message_free(message);
}

/* The start phases; the reason of the one that fails, or NULL. */
static const cop_reason *run_phases(const cop_application *application)
{
    for (const char *const *phase = application->phases; phase != NULL && *phase != NULL; phase++) {
        int error = application->start_phase(application, *phase);
        if (error == COP_OK) continue;
        const cop_reason *reason = cop_reason_atom(cop_error_name(error));
        return cop_reason_tuple("start_phase", cop_reason_tuple(*phase, reason));
    }
    return NULL;
}

/* Waits until the application is to stop (NULL) or the top process has ended (the reason). */
static const cop_reason *await_stop(cop_pid top)
{
    for (;;) {
        cop_message *message = cop_take(NULL, COP_INFINITY);
        const cop_exit_message *gone = cop_get(message, cop_exit_message);
        bool stop = cop_is(message, copi_application_down) ||
                    (gone != NULL && cop_pid_equal(gone->from, cop_parent()));
        bool ended = gone != NULL && cop_pid_equal(gone->from, top);
        const cop_reason *reason = ended ? cop_reason_ref(gone->reason) : NULL;
        cop_message_free(message);
        if (stop || ended) return reason;
    }
}

static void release_reason(void *reason)
{
    cop_reason_unref(reason);
}

/* The top process has ended (reason, taken over) or is to be stopped (NULL). */
static void wind_up(const cop_application *application, cop_pid top, const cop_reason *reason)
{
    cop_deferred *guard = cop_defer(release_reason, (void *)(uintptr_t)reason);
    if (application->prep_stop != NULL) application->prep_stop(application);
    if (reason == NULL) stop_top(application, top);
    if (application->stop != NULL) application->stop(application);
    cop_undefer(guard, false);
    tell_over(reason != NULL ? COP_EFAILED : COP_OK, reason);
}

static void runner(void *argument)
{
    const struct application_life *life = argument;
    cop_started started = start_top(life);
    if (started.error != COP_OK) {
        tell_over(started.error, started.reason);
        return;
    }
    cop_reason_unref(started.reason);
    if (!cop_pid_is_none(started.pid)) cop_link(started.pid);
    const cop_reason *failure = run_phases(life->application);
    if (failure != NULL) {
        cop_deferred *guard = cop_defer(release_reason, (void *)(uintptr_t)failure);
        stop_top(life->application, started.pid);
        cop_undefer(guard, false);
        tell_over(COP_EFAILED, failure);
        return;
    }
    tell_master(cop_new(copi_application_up, .top = started.pid));
    wind_up(life->application, started.pid, await_stop(started.pid));
}

/* ---- the master ------------------------------------------------------------------------ */

static void tell_controller(cop_message *message)
{
    cop_cast_message(cop_to(cop_parent()), message);
}

/* Whether the runner has no more to say: *ret_last is the last word then, its reason owned. */
static bool is_last_word(const cop_message *message, cop_ref runner_monitor, cop_started *ret_last)
{
    const copi_application_over *over = cop_get(message, copi_application_over);
    const cop_down_message *down = cop_get(message, cop_down_message);
    cop_started last = { COP_EFAILED, COP_NO_PID, NULL };
    if (over != NULL) last = over->started;
    else if (down != NULL && cop_ref_equal(down->ref, runner_monitor)) last.reason = down->reason;
    else return false;
    if (last.reason != NULL) cop_reason_ref(last.reason);
    *ret_last = last;
    return true;
}

/* Goes between controller and runner, until the runner's last word. */
static cop_started mediate(cop_pid runner_pid, cop_ref runner_monitor)
{
    cop_started last;
    bool is_over = false;
    while (!is_over) {
        cop_message *message = cop_take(NULL, COP_INFINITY);
        const copi_application_up *up = cop_get(message, copi_application_up);
        is_over = is_last_word(message, runner_monitor, &last);
        if (up != NULL) tell_controller(cop_new(copi_application_up, .top = up->top));
        else if (!is_over && (cop_is(message, copi_application_down) ||
                              cop_is(message, cop_down_message)))   /* the controller is down */
            cop_send(runner_pid, copi_application_down, 0);
        cop_message_free(message);
    }
    return last;
}

void copi_application_master(void *argument)
{
    const struct application_life *life = argument;
    cop_join_group(life->group);
    cop_monitor(cop_parent());
    cop_ref runner_monitor;
    const cop_spawn_options options = {
        .link = true,
        .monitor = true,
        .ret_ref = &runner_monitor,
        .trap_exit = true,
        .label = life->application->name,
    };
    cop_pid pid = cop_spawn_opt(runner, life, sizeof *life, &options);
    cop_started last = { COP_ENOMEM, COP_NO_PID, NULL };
    if (!cop_pid_is_none(pid)) last = mediate(pid, runner_monitor);
    cop_deferred *guard = cop_defer(release_reason, (void *)(uintptr_t)last.reason);
    sweep();
    cop_undefer(guard, false);
    tell_controller(cop_new(copi_application_over, .started = last));
}
