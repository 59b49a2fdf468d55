/* child.c - a child's spec and its start; child_stop.c is its end. */
#include "child.h"

#include <assert.h>
#include <string.h>

#include <coppice/memory.h>

enum { WORKER_SHUTDOWN_MS = 5000, ROOM_UNIT = 16 };

void copi_keeper_init(struct keeper *keeper)
{
    char name[COP_NAME_MAX + 1];
    if (cop_name_of(cop_self(), name, sizeof name)) keeper->name = cop_strdup(name);
}

/* ---- specs ------------------------------------------------------------------------- */

bool copi_intensity_is_wrong(const cop_intensity *intensity)
{
    if (intensity->set) return intensity->seconds == 0;
    return intensity->restarts != 0 || intensity->seconds != 0 || intensity->whole_seconds;
}

static bool is_time(int64_t ms)
{
    return ms >= COP_INFINITY;
}

/* What is wrong with that part of a spec which OTP does not have. */
static const char *fault_beyond(const cop_child_spec *spec, enum cop_strategy strategy)
{
    const cop_backoff *backoff = &spec->backoff;
    if (backoff->initial_ms < 0 || backoff->max_ms < 0 || backoff->reset_ms < 0 ||
        backoff->jitter_percent > 100)
        return "invalid_backoff";
    if (backoff->max_ms > 0 && backoff->max_ms < backoff->initial_ms) return "invalid_backoff";
    bool shaped = backoff->max_ms > 0 || backoff->factor > 0 || backoff->jitter_percent > 0 ||
                  backoff->reset_ms > 0;
    if (shaped && backoff->initial_ms == 0) return "invalid_backoff";
    if (copi_intensity_is_wrong(&spec->budget)) return "invalid_budget";
    if (spec->restart == COP_TEMPORARY && (backoff->initial_ms > 0 || spec->budget.set))
        return "bad_combination";
    if (spec->when_spent < COP_GIVE_UP || spec->when_spent > COP_STAY_DOWN)
        return "invalid_when_spent";
    if (!is_time(spec->ready_ms)) return "invalid_ready";
    if (!is_time(spec->drain_ms)) return "invalid_drain";
    if (spec->probe.interval_ms < 0 || spec->probe.timeout_ms < 0 ||
        (spec->probe.timeout_ms > 0 && spec->probe.interval_ms == 0))
        return "invalid_probe";
    bool for_workers = spec->ready_ms != 0 || spec->drain_ms != 0 || spec->probe.interval_ms > 0;
    if (for_workers && spec->type == COP_SUPERVISOR) return "bad_combination";
    if (spec->when_spent == COP_STAY_DOWN && (strategy != COP_ONE_FOR_ONE || !spec->budget.set))
        return "bad_combination";
    return NULL;
}

const char *copi_spec_fault(const cop_child_spec *spec, enum cop_strategy strategy,
                            enum cop_auto_shutdown auto_shutdown)
{
    if (spec->start == NULL) return "missing_start";
    if (spec->argument == NULL && spec->argument_size > 0) return "invalid_argument";
    if (spec->restart < COP_PERMANENT || spec->restart > COP_TEMPORARY)
        return "invalid_restart_type";
    if (spec->significant && (auto_shutdown == COP_NEVER || spec->restart == COP_PERMANENT))
        return "bad_combination";
    if (spec->type < COP_WORKER || spec->type > COP_SUPERVISOR) return "invalid_child_type";
    if (spec->shutdown.mode < COP_SHUTDOWN_DEFAULT || spec->shutdown.mode > COP_SHUTDOWN_FOREVER)
        return "invalid_shutdown";
    bool wrong_ms = spec->shutdown.mode == COP_SHUTDOWN_WAIT ? spec->shutdown.ms < 0
                                                             : spec->shutdown.ms != 0;
    if (wrong_ms) return "invalid_shutdown";
    return fault_beyond(spec, strategy);
}

const char *copi_spec_dynamic_fault(const cop_child_spec *spec)
{
    const char *fault = copi_spec_fault(spec, COP_ONE_FOR_ONE, COP_NEVER);
    return fault == NULL && spec->ready_ms != 0 ? "bad_combination" : fault;
}

cop_started copi_spec_refused(const char *fault, const char *id)
{
    const cop_reason *what = id == NULL ? cop_reason_atom(fault)
                                        : cop_reason_tuple(fault, cop_reason_atom(id));
    return (cop_started){ COP_EINVAL, COP_NO_PID, cop_reason_tuple("start_spec", what) };
}

static char *put_text(void *room, const char *text)
{
    return memcpy(room, text, strlen(text) + 1);
}

static size_t rounded(size_t size)
{
    return (size + ROOM_UNIT - 1) / ROOM_UNIT * ROOM_UNIT;
}

static size_t argument_room(const cop_child_spec *spec)
{
    return rounded(spec->argument_size);
}

size_t copi_spec_room(const cop_child_spec *spec)
{
    return argument_room(spec) + (spec->id != NULL ? strlen(spec->id) + 1 : 0);
}

void copi_spec_copy(cop_child_spec *ret_spec, const cop_child_spec *spec, void *room)
{
    cop_child_spec copy = *spec;
    if (spec->argument_size > 0) copy.argument = memcpy(room, spec->argument, spec->argument_size);
    if (spec->id != NULL) copy.id = put_text((char *)room + argument_room(spec), spec->id);
    if (spec->shutdown.mode == COP_SHUTDOWN_DEFAULT) {
        copy.shutdown = spec->type == COP_SUPERVISOR
                            ? (cop_shutdown)COP_SHUTDOWN_INFINITY
                            : (cop_shutdown)COP_SHUTDOWN_MS(WORKER_SHUTDOWN_MS);
    }
    copy.backoff = copi_backoff_filled(copy.backoff);
    if (copy.probe.timeout_ms == 0) copy.probe.timeout_ms = copy.probe.interval_ms;
    *ret_spec = copy;
}

/* ---- many specs in one block ------------------------------------------------------- */

/* A spec that is wrong may have a size and nothing of it. */
static size_t packed_argument(const cop_child_spec *spec)
{
    return spec->argument != NULL ? spec->argument_size : 0;
}

static size_t packed_id(const cop_child_spec *spec)
{
    return spec->id != NULL ? strlen(spec->id) + 1 : 0;
}

size_t copi_specs_room(const cop_child_spec *specs, size_t count)
{
    size_t room = rounded(count * sizeof *specs);
    for (size_t i = 0; i < count; i++)
        room += rounded(packed_argument(&specs[i])) + rounded(packed_id(&specs[i]));
    return room;
}

void copi_specs_pack(void *room, const cop_child_spec *specs, size_t count)
{
    char *at = (char *)room + rounded(count * sizeof *specs);
    for (size_t i = 0; i < count; i++) {
        memcpy((cop_child_spec *)room + i, &specs[i], sizeof *specs);
        size_t argument = packed_argument(&specs[i]), id = packed_id(&specs[i]);
        if (argument > 0) memcpy(at, specs[i].argument, argument);
        if (id > 0) memcpy(at + rounded(argument), specs[i].id, id);
        at += rounded(argument) + rounded(id);
    }
}

const cop_child_spec *copi_specs_unpack(void *room, size_t count)
{
    cop_child_spec *specs = room;
    char *at = (char *)room + rounded(count * sizeof *specs);
    for (size_t i = 0; i < count; i++) {
        size_t argument = packed_argument(&specs[i]);
        if (argument > 0) specs[i].argument = at;
        at += rounded(argument);
        if (specs[i].id == NULL) continue;
        specs[i].id = at;
        at += rounded(packed_id(&specs[i]));
    }
    return specs;
}

/* ---- start ------------------------------------------------------------------------- */

cop_started copi_child_start(const cop_child_spec *spec)
{
    cop_started started = spec->start(spec->module, spec->argument, spec->argument_size);
    bool has_pid = !cop_pid_is_none(started.pid);
    switch (started.error) {
    case COP_OK:
        cop_reason_unref(started.reason);      /* of a start that did not fail */
        started.reason = has_pid ? NULL : cop_reason_atom("bad_return_value");
        if (has_pid) return started;
        break;
    case COP_EALREADY_STARTED:
        if (has_pid) return started;
        break;
    case COP_EIGNORED:
        cop_reason_unref(started.reason);
        return (cop_started){ COP_EIGNORED, COP_NO_PID, NULL };
    default:
        break;
    }
    if (started.reason == NULL) started.reason = cop_reason_atom(cop_error_name(started.error));
    return (cop_started){ COP_EFAILED, COP_NO_PID, started.reason };
}

const cop_reason *copi_start_failure(const cop_started *started)
{
    assert(started->error == COP_EFAILED || started->error == COP_EALREADY_STARTED);
    if (started->reason != NULL) return started->reason;
    char pid[64];
    cop_pid_format(started->pid, pid, sizeof pid);
    return cop_reason_tuple("already_started", cop_reason_atom(pid));
}
