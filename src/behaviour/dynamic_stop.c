/* dynamic_stop.c - the end of a dynamic supervisor's children, all at once.
 *
 * Each child goes through the steps of child_stop.c by itself.  When its next step is due stands
 * in a heap; a child that has ended meanwhile is found no more when its step comes up. */
#include "dynamic_children.h"

#include <coppice/memory.h>

#include "clock.h"

/* ---- the steps to come --------------------------------------------------------------- */

/* What is due for a child, and when. */
struct step {
    int64_t ns;
    cop_pid pid;
    bool asked;              /* it has been asked to end: next it is killed */
};

/* A binary heap, the soonest first. */
struct steps {
    struct step *all;        /* room for one a child */
    size_t count;
};

static void add_step(struct steps *steps, struct step step)
{
    size_t place = steps->count++;
    for (; place > 0 && steps->all[(place - 1) / 2].ns > step.ns; place = (place - 1) / 2)
        steps->all[place] = steps->all[(place - 1) / 2];
    steps->all[place] = step;
}

static struct step take_step(struct steps *steps)
{
    struct step first = steps->all[0];
    struct step last = steps->all[--steps->count];
    size_t place = 0;
    for (;;) {
        size_t next = 2 * place + 1;
        if (next + 1 < steps->count && steps->all[next + 1].ns < steps->all[next].ns) next++;
        if (next >= steps->count || last.ns <= steps->all[next].ns) break;
        steps->all[place] = steps->all[next];
        place = next;
    }
    if (steps->count > 0) steps->all[place] = last;
    return first;
}

/* ---- what is done -------------------------------------------------------------------- */

/* Asks a child to end; when its time is over it is killed. */
static void ask(struct steps *steps, const struct keeper *keeper, const cop_child_spec *spec,
                cop_pid pid)
{
    cop_shutdown how = spec->shutdown;
    bool in_time = copi_child_time(keeper, COP_INFINITY) != 0;
    if (in_time) copi_child_ask(keeper, spec, pid);
    else copi_child_late(keeper, spec, pid, false);

    int64_t ms = copi_child_time(keeper, how.mode == COP_SHUTDOWN_WAIT ? how.ms : COP_INFINITY);
    if (!in_time || how.mode == COP_SHUTDOWN_KILL || ms < 0) return;
    /* No time is a tick of OTP's timer: a child that ends at once is not killed. */
    add_step(steps, (struct step){ copi_after_ms(ms > 0 ? ms : 1), pid, true });
}

/* Monitors every child, and asks it to finish or to end.  The children stay linked, as in
 * copi_child_stop. */
static void begin(struct dynamic_children *children, const struct keeper *keeper,
                  struct steps *steps)
{
    struct dynamic_child *next;
    for (struct dynamic_child *child = copi_dynamic_first(children); child != NULL; child = next) {
        next = copi_dynamic_next(children, child);
        if (child->restarting) {
            copi_dynamic_remove(children, child);
            continue;
        }
        const cop_child_spec *spec = copi_dynamic_spec(children, child);
        struct upkeep *upkeep = copi_dynamic_upkeep(child);
        cop_pid pid = copi_dynamic_pid(child);
        if (upkeep != NULL) copi_upkeep_disarm(upkeep);
        cop_monitor(pid);
        int64_t drain_ms = copi_child_time(keeper, spec->drain_ms);
        if (spec->drain_ms == 0) {
            ask(steps, keeper, spec, pid);
            continue;
        }
        copi_child_drain(pid);
        if (drain_ms >= 0) add_step(steps, (struct step){ copi_after_ms(drain_ms), pid, false });
    }
}

/* Takes the steps that are due.  Returns the milliseconds until the next one. */
static int64_t go_on(struct dynamic_children *children, const struct keeper *keeper,
                     struct steps *steps)
{
    while (steps->count > 0) {
        int64_t left_ms = copi_ms_until(steps->all[0].ns);
        if (left_ms > 0) return left_ms;
        struct step step = take_step(steps);
        const struct dynamic_child *child = copi_dynamic_find(children, step.pid);
        if (child == NULL) continue;
        const cop_child_spec *spec = copi_dynamic_spec(children, child);
        if (step.asked) copi_child_late(keeper, spec, step.pid, true);
        else ask(steps, keeper, spec, step.pid);
    }
    return COP_INFINITY;
}

/* ---- what is heard ------------------------------------------------------------------- */

static void child_down(struct dynamic_children *children, struct keeper *keeper,
                       struct dynamic_child *child, const cop_reason *reason)
{
    const cop_child_spec *spec = copi_dynamic_spec(children, child);
    copi_report_stopped(keeper, spec, copi_dynamic_pid(child), reason);
    copi_dynamic_remove(children, child);
}

/* The child's link or its monitor says that it has ended.  The link comes first, and is believed
 * unless a living process has only pretended to end; a monitor that says noproc came too late
 * (copi_child_await_exit). */
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
    struct steps steps = { cop_alloc(children->by_pid.count * sizeof *steps.all), 0 };
    begin(children, keeper, &steps);
    while (children->by_pid.count > 0) {
        int64_t wait_ms = go_on(children, keeper, &steps);
        cop_message *message = cop_take(NULL, wait_ms);
        if (message == NULL) continue;
        hear(children, keeper, message);
        cop_message_free(message);
    }
    cop_free(steps.all);
}
