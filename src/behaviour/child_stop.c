/* child_stop.c - how a child is stopped: drained, asked to end, killed.
 *
 *     drain ----------> exit signal -------> kill
 *       | drain_ms         | shutdown
 *       v                  v
 *     down               down
 *
 * The deadline of a tree (cop_supervisor_stop_within) travels down with the exit signal's reason.
 * Each supervisor has what its parent left it and keeps a part back from every child, so that those
 * behind one that is stuck are asked too, and those who are late are killed in time. */
#include "child.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <coppice/memory.h>

#include "clock.h"
#include "request.h"

/* ---- the exit messages of children that were dead already ------------------------------ */

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
void copi_child_await_exit(struct keeper *keeper, const cop_child_spec *spec, cop_pid pid)
{
    size_t id_size = spec->id != NULL ? strlen(spec->id) + 1 : 0;
    struct unheard *unheard = cop_alloc(sizeof *unheard + id_size);
    unheard->spec = (cop_child_spec){ .restart = spec->restart,
                                      .shutdown = spec->shutdown,
                                      .drain_ms = spec->drain_ms };
    if (spec->id != NULL) unheard->spec.id = memcpy(unheard->id, spec->id, id_size);
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

/* ---- the deadline ---------------------------------------------------------------------- */

/* One that is another process's came with its end, not with a request to this one. */
static const cop_deadline *deadline_of(const struct keeper *keeper)
{
    const cop_deadline *deadline = keeper->deadline;
    return deadline != NULL && cop_pid_equal(deadline->process, cop_self()) ? deadline : NULL;
}

int64_t copi_left_for_child(int64_t ms)
{
    enum { KEPT_PART = 16 };
    return ms - ms / KEPT_PART - (ms % KEPT_PART != 0 ? 1 : 0);
}

int64_t copi_child_time(const struct keeper *keeper, int64_t ms)
{
    const cop_deadline *deadline = deadline_of(keeper);
    if (deadline == NULL) return ms;
    int64_t left = copi_left_for_child(copi_ms_until(deadline->ns));
    return ms < 0 || ms > left ? left : ms;
}

/* "PATH/ID"; of a child without an id its pid.  In the process's memory. */
static char *path_below(const char *path, const char *id, cop_pid pid)
{
    char number[48];
    if (id == NULL) {
        cop_pid_format(pid, number, sizeof number);
        id = number;
    }
    size_t size = strlen(path) + strlen(id) + 2;
    char *below = cop_alloc(size);
    snprintf(below, size, "%s/%s", path, id);
    return below;
}

/* The reason `shutdown`, with the deadline that this child has, if there is one for the tree. */
static const cop_reason *shutdown_for(const struct keeper *keeper, const cop_child_spec *spec,
                                      cop_pid pid)
{
    const cop_deadline *whole = deadline_of(keeper);
    if (whole == NULL) return COP_SHUTDOWN;
    bool waits = spec->shutdown.mode == COP_SHUTDOWN_WAIT;
    int64_t ms = copi_child_time(keeper, waits ? spec->shutdown.ms : COP_INFINITY);
    if (spec->type == COP_SUPERVISOR) ms = copi_left_for_child(ms);
    char *path = path_below(whole->path, spec->id, pid);
    cop_deadline deadline = { copi_after_ms(ms), whole->watcher, path, pid };
    const cop_reason *reason = cop_reason_by(COP_SHUTDOWN, &deadline);
    cop_free(path);
    return reason;
}

/* A process that is killed because of one above it; it goes by its name, for its id is not known
 * here. */
static void tell_below(cop_ref watcher, const char *path, cop_pid pid)
{
    char name[COP_NAME_MAX + 1];
    char *below = path_below(path, cop_name_of(pid, name, sizeof name) ? name : NULL, pid);
    copi_tell_straggler(watcher, pid, false, below);
    cop_free(below);
}

/* Those above go before those below, whom they could start again. */
void copi_kill_tree(cop_pid top, cop_ref watcher, const char *path)
{
    size_t room = 64;
    cop_pid *pids = cop_alloc(room * sizeof *pids);
    size_t count = cop_descendants(top, pids, room);
    if (count > room) {
        room = count + 64;      /* some may be born meanwhile */
        pids = cop_realloc(pids, room * sizeof *pids);
        count = cop_descendants(top, pids, room);
    }
    bool among_them = false;
    cop_exit_process(top, COP_KILL);
    for (size_t i = 0; i < count && i < room; i++) {
        if (path != NULL) tell_below(watcher, path, pids[i]);
        if (cop_pid_equal(pids[i], cop_self())) among_them = true;
        else cop_exit_process(pids[i], COP_KILL);
    }
    cop_free(pids);
    if (among_them) cop_exit_process(cop_self(), COP_KILL);
}

/* Kills a child of a tree that is being stopped; told: the watcher hears of it, and, if it is a
 * supervisor, of all below it. */
static void kill_by_deadline(const struct keeper *keeper, const cop_child_spec *spec, cop_pid pid,
                             bool told, bool asked)
{
    cop_ref watcher = keeper->deadline->watcher;
    char *path = told ? path_below(keeper->deadline->path, spec->id, pid) : NULL;
    if (told) copi_tell_straggler(watcher, pid, asked, path);
    if (spec->type == COP_SUPERVISOR) copi_kill_tree(pid, watcher, path);
    else cop_exit_process(pid, COP_KILL);
    cop_free(path);
}

/* ---- the steps ------------------------------------------------------------------------- */

void copi_child_drain(cop_pid pid)
{
    cop_message *message = cop_new(cop_drain_message, 0);
    message->kind = COP_SYSTEM;
    cop_send_message(cop_to(pid), message);
}

void copi_child_ask(const struct keeper *keeper, const cop_child_spec *spec, cop_pid pid)
{
    bool kill = spec->shutdown.mode == COP_SHUTDOWN_KILL;
    cop_exit_process(pid, kill ? COP_KILL : shutdown_for(keeper, spec, pid));
}

void copi_child_late(const struct keeper *keeper, const cop_child_spec *spec, cop_pid pid,
                     bool asked)
{
    if (deadline_of(keeper) != NULL)
        kill_by_deadline(keeper, spec, pid, spec->shutdown.mode != COP_SHUTDOWN_KILL, asked);
    else
        cop_exit_process(pid, COP_KILL);
}

/* Drains the child, asks it to end, and kills it, as long as it lives; the down message. */
static cop_message *bring_down(const struct keeper *keeper, const cop_child_spec *spec, cop_pid pid)
{
    const cop_match its_end = { .ref = cop_monitor(pid) };
    cop_message *down = NULL;
    if (spec->drain_ms != 0) {
        copi_child_drain(pid);
        down = cop_take(&its_end, copi_child_time(keeper, spec->drain_ms));
    }
    bool asked = copi_child_time(keeper, COP_INFINITY) != 0;
    if (down == NULL && asked) {
        copi_child_ask(keeper, spec, pid);
        bool waits = spec->shutdown.mode == COP_SHUTDOWN_WAIT;
        down = cop_take(&its_end, copi_child_time(keeper, waits ? spec->shutdown.ms
                                                                : COP_INFINITY));
    }
    if (down == NULL) {
        copi_child_late(keeper, spec, pid, asked);
        down = cop_take(&its_end, COP_INFINITY);
    }
    return down;
}

void copi_child_stop(struct keeper *keeper, const cop_child_spec *spec, cop_pid pid)
{
    assert(spec->shutdown.mode != COP_SHUTDOWN_DEFAULT);
    cop_message *down = bring_down(keeper, spec, pid);
    const cop_reason *reason = cop_expect(down, cop_down_message)->reason;
    if (cop_reason_is(reason, "noproc")) {
        copi_child_await_exit(keeper, spec, pid);
    } else {
        cop_unlink(pid);   /* its exit message is of no more interest, nor in the way */
        copi_report_stopped(keeper, spec, pid, reason);
    }
    cop_message_free(down);
}
