/* dynamic_children.c - the children of a dynamic supervisor, and the end of all of them. */
#include "dynamic_children.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/memory.h>
#include <coppice/timer.h>

void copi_dynamic_init(struct dynamic_children *children, const cop_child_spec *template_)
{
    if (template_ == NULL) return;
    struct { _Alignas(16) cop_child_spec spec; } *copy;
    copy = cop_alloc(sizeof *copy + copi_spec_room(template_));
    copi_spec_copy(&copy->spec, template_, copy + 1);
    children->template_ = &copy->spec;
}

static void insert(struct dynamic_children *children, struct dynamic_child *child, cop_pid pid)
{
    assert(!cop_pid_is_none(pid));
    copi_table_insert(&children->by_pid, &child->by_pid, pid.bits);
    if (child->spec->type == COP_SUPERVISOR) children->supervisors++;
}

void copi_dynamic_add(struct dynamic_children *children, const cop_child_spec *spec, cop_pid pid)
{
    cop_child_spec kept = *spec;
    if (kept.restart == COP_TEMPORARY) {
        kept.argument = NULL;
        kept.argument_size = 0;
    }
    struct { _Alignas(16) struct dynamic_child child; cop_child_spec spec; } *record;
    record = cop_alloc(sizeof *record + copi_spec_room(&kept));
    copi_spec_copy(&record->spec, &kept, record + 1);
    record->child.spec = &record->spec;
    record->child.argument = record->spec.argument;
    record->child.argument_size = record->spec.argument_size;
    insert(children, &record->child, pid);
}

void copi_dynamic_add_from(struct dynamic_children *children, const void *argument,
                           size_t argument_size, cop_pid pid)
{
    assert(children->template_ != NULL);
    static_assert(sizeof(struct dynamic_child) <= 80, "there can be a million of them");
    static_assert(sizeof(struct dynamic_child) % 16 == 0, "the argument behind is aligned");
    if (children->template_->restart == COP_TEMPORARY) {
        argument = NULL;
        argument_size = 0;
    }
    struct dynamic_child *child = cop_alloc(sizeof *child + argument_size);
    child->spec = children->template_;
    child->argument = argument_size > 0 ? memcpy(child + 1, argument, argument_size) : argument;
    child->argument_size = argument_size;
    insert(children, child, pid);
}

void copi_dynamic_remove(struct dynamic_children *children, struct dynamic_child *child)
{
    copi_dynamic_set_restarting(children, child, false);
    if (child->spec->type == COP_SUPERVISOR) children->supervisors--;
    copi_table_remove(&children->by_pid, &child->by_pid);
    cop_free(child);
}

struct dynamic_child *copi_dynamic_find(const struct dynamic_children *children, cop_pid pid)
{
    return (struct dynamic_child *)copi_table_find(&children->by_pid, pid.bits);
}

struct dynamic_child *copi_dynamic_first(const struct dynamic_children *children)
{
    return (struct dynamic_child *)copi_table_first(&children->by_pid);
}

struct dynamic_child *copi_dynamic_next(const struct dynamic_children *children,
                                        const struct dynamic_child *child)
{
    return (struct dynamic_child *)copi_table_next(&children->by_pid, &child->by_pid);
}

cop_child_spec copi_dynamic_spec(const struct dynamic_child *child)
{
    cop_child_spec spec = *child->spec;
    spec.argument = child->argument;
    spec.argument_size = child->argument_size;
    return spec;
}

void copi_dynamic_set_restarting(struct dynamic_children *children, struct dynamic_child *child,
                                 bool restarting)
{
    if (child->restarting) children->restarting--;
    if (restarting) children->restarting++;
    child->restarting = restarting;
}

void copi_dynamic_set_pid(struct dynamic_children *children, struct dynamic_child *child,
                          cop_pid pid)
{
    copi_dynamic_set_restarting(children, child, false);
    copi_table_remove(&children->by_pid, &child->by_pid);
    copi_table_insert(&children->by_pid, &child->by_pid, pid.bits);
}

/* ---- the end of all ---------------------------------------------------------------- */

static const int64_t MS_NS = 1000000;

/* When a child that has not ended is to be killed. */
struct deadline {
    int64_t ns;
    cop_pid pid;
};

/* The deadlines, soonest first; next: the first that has not passed. */
struct deadlines {
    struct deadline *all;
    size_t count;
    size_t next;
};

static int compare_deadlines(const void *a, const void *b)
{
    int64_t one = ((const struct deadline *)a)->ns, other = ((const struct deadline *)b)->ns;
    return one < other ? -1 : one > other;
}

static void add_deadline(struct deadlines *deadlines, cop_pid pid, int64_t now_ns, int64_t ms)
{
    int64_t ns = ms > (INT64_MAX - now_ns) / MS_NS ? INT64_MAX : now_ns + ms * MS_NS;
    deadlines->all[deadlines->count++] = (struct deadline){ ns, pid };
}

/* With a template they come sorted. */
static void sort_deadlines(struct deadlines *deadlines)
{
    for (size_t i = 1; i < deadlines->count; i++) {
        if (deadlines->all[i - 1].ns <= deadlines->all[i].ns) continue;
        qsort(deadlines->all, deadlines->count, sizeof *deadlines->all, compare_deadlines);
        return;
    }
}

/* Asks every child to end and notes the time it has.  The children stay linked, as in
 * copi_child_stop. */
static struct deadlines signal_all(struct dynamic_children *children)
{
    struct deadlines deadlines = { NULL, 0, 0 };
    deadlines.all = cop_alloc(children->by_pid.count * sizeof *deadlines.all);
    int64_t now_ns = cop_now_ns();
    struct dynamic_child *next;
    for (struct dynamic_child *child = copi_dynamic_first(children); child != NULL; child = next) {
        next = copi_dynamic_next(children, child);
        if (child->restarting) {
            copi_dynamic_remove(children, child);
            continue;
        }
        cop_pid pid = copi_dynamic_pid(child);
        cop_shutdown how = child->spec->shutdown;
        cop_monitor(pid);
        cop_exit_process(pid, how.mode == COP_SHUTDOWN_KILL ? COP_KILL : COP_SHUTDOWN);
        /* No time is a tick of OTP's timer: a child that ends at once is not killed. */
        if (how.mode == COP_SHUTDOWN_WAIT)
            add_deadline(&deadlines, pid, now_ns, how.ms > 0 ? how.ms : 1);
    }
    sort_deadlines(&deadlines);
    return deadlines;
}

/* Kills those whose time is over.  Returns the milliseconds until the next deadline. */
static int64_t kill_late(struct dynamic_children *children, struct deadlines *deadlines)
{
    for (; deadlines->next < deadlines->count; deadlines->next++) {
        struct deadline deadline = deadlines->all[deadlines->next];
        if (copi_dynamic_find(children, deadline.pid) == NULL) continue;
        int64_t left_ns = deadline.ns - cop_now_ns();
        if (left_ns > 0) return (left_ns - 1) / MS_NS + 1;
        cop_exit_process(deadline.pid, COP_KILL);
    }
    return COP_INFINITY;
}

static void child_down(struct dynamic_children *children, struct keeper *keeper,
                       struct dynamic_child *child, const cop_reason *reason)
{
    copi_report_stopped(keeper, child->spec, copi_dynamic_pid(child), reason);
    copi_dynamic_remove(children, child);
}

/* The child's link or its monitor says that it has ended.  The link comes first, and is believed
 * unless a living process has only pretended to end; a monitor that says noproc came too late
 * (await_exit in child.c). */
static void hear(struct dynamic_children *children, struct keeper *keeper,
                 const cop_message *message)
{
    const cop_exit_message *gone = cop_get(message, cop_exit_message);
    const cop_down_message *down = cop_get(message, cop_down_message);
    if (gone == NULL && down == NULL) return;
    cop_pid pid = gone != NULL ? gone->from : down->pid;
    struct dynamic_child *child = copi_dynamic_find(children, pid);
    if (child == NULL) {
        if (gone != NULL) copi_child_heard(keeper, gone);
    } else if (gone != NULL) {
        if (!cop_is_alive(pid)) child_down(children, keeper, child, gone->reason);
    } else if (cop_reason_is(down->reason, "noproc")) {
        cop_link(pid);
    } else {
        cop_unlink(pid);
        child_down(children, keeper, child, down->reason);
    }
}

void copi_dynamic_stop_all(struct dynamic_children *children, struct keeper *keeper)
{
    if (children->by_pid.count == 0) return;
    struct deadlines deadlines = signal_all(children);
    while (children->by_pid.count > 0) {
        int64_t wait_ms = kill_late(children, &deadlines);
        cop_message *message = cop_take(NULL, wait_ms);
        if (message == NULL) continue;
        hear(children, keeper, message);
        cop_message_free(message);
    }
    cop_free(deadlines.all);
}
