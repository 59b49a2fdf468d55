/* child.c - a child's spec, its start and its end. */
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

const char *copi_spec_fault(const cop_child_spec *spec, enum cop_auto_shutdown auto_shutdown)
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
    if (spec->shutdown.mode == COP_SHUTDOWN_WAIT && spec->shutdown.ms < 0)
        return "invalid_shutdown";
    return NULL;
}

static char *put_text(void *room, const char *text)
{
    return memcpy(room, text, strlen(text) + 1);
}

static size_t argument_room(const cop_child_spec *spec)
{
    return (spec->argument_size + ROOM_UNIT - 1) / ROOM_UNIT * ROOM_UNIT;
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
    *ret_spec = copy;
}

/* ---- start ------------------------------------------------------------------------- */

cop_started copi_child_start(const cop_child_spec *spec)
{
    cop_started started = spec->start(spec->module, spec->argument, spec->argument_size);
    bool has_pid = !cop_pid_is_none(started.pid);
    switch (started.error) {
    case COP_OK:
        if (has_pid) return started;
        started.reason = cop_reason_atom("bad_return_value");
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

/* ---- stop -------------------------------------------------------------------------- */

/* A child that was dead before it was stopped, and whose exit message is still to come. */
struct unheard {
    struct table_node by_pid;
    cop_child_spec spec;       /* only what a report needs; id is id[] */
    char id[];
};

/* Makes sure that an exit message comes, and notes what it is for.  If the link is still there,
 * linking again does nothing and the exit signal is on its way; if the link is gone, so
 * is the process, and linking answers with an exit message of its own (noproc), which is one
 * too many if the true one is in the mailbox already. */
static void await_exit(struct keeper *keeper, const cop_child_spec *spec, cop_pid pid)
{
    const char *id = spec->id != NULL ? spec->id : "";
    struct unheard *unheard = cop_alloc(sizeof *unheard + strlen(id) + 1);
    unheard->spec = (cop_child_spec){ .restart = spec->restart, .shutdown = spec->shutdown };
    if (spec->id != NULL) unheard->spec.id = put_text(unheard->id, id);
    copi_table_insert(&keeper->unheard, &unheard->by_pid, pid.bits);
    cop_link(pid);
}

void copi_child_heard(struct keeper *keeper, const cop_exit_message *gone)
{
    struct table_node *node = copi_table_find(&keeper->unheard, gone->from.bits);
    if (node == NULL) return;
    struct unheard *unheard = (struct unheard *)node;
    copi_table_remove(&keeper->unheard, node);
    copi_report_stopped(keeper, &unheard->spec, gone->from, gone->reason);
    cop_free(unheard);
}

void copi_child_hear_all(struct keeper *keeper)
{
    while (keeper->unheard.count > 0) {
        cop_message *message = cop_take(NULL, COP_INFINITY);
        const cop_exit_message *gone = cop_get(message, cop_exit_message);
        if (gone != NULL) copi_child_heard(keeper, gone);
        cop_message_free(message);
    }
}

void copi_child_stop(struct keeper *keeper, const cop_child_spec *spec, cop_pid pid)
{
    assert(spec->shutdown.mode != COP_SHUTDOWN_DEFAULT);
    const cop_match its_end = { .ref = cop_monitor(pid) };
    cop_exit_process(pid, spec->shutdown.mode == COP_SHUTDOWN_KILL ? COP_KILL : COP_SHUTDOWN);
    int64_t timeout_ms = spec->shutdown.mode == COP_SHUTDOWN_WAIT ? spec->shutdown.ms
                                                                  : COP_INFINITY;
    cop_message *message = cop_take(&its_end, timeout_ms);
    if (message == NULL) {
        cop_exit_process(pid, COP_KILL);
        message = cop_take(&its_end, COP_INFINITY);
    }
    const cop_reason *reason = cop_expect(message, cop_down_message)->reason;
    if (cop_reason_is(reason, "noproc")) {
        await_exit(keeper, spec, pid);
    } else {
        cop_unlink(pid);   /* its exit message is of no more interest, nor in the way */
        copi_report_stopped(keeper, spec, pid, reason);
    }
    cop_message_free(message);
}
