/* play.c - the driver: plays the steps of a history in turn and waits after each until nothing
 * happens any more. */
#include <stdio.h>
#include <string.h>

#include <coppice/runtime.h>

#include "../common/program.h"
#include "history.h"

struct play {
    const char *file;
    const struct step *steps;
    struct lines *trace;
    struct world world;
    cop_pid driver;
    bool complete;
};

/* ---- settling ---------------------------------------------------------------------------- */

static void watch_new_subjects(struct world *world)
{
    for (struct subject *subject = world->subjects; subject != NULL; subject = subject->next) {
        if (subject->watched) continue;
        cop_monitor(subject->pid);
        subject->watched = true;
    }
}

/* Virtual time passes only when no process can run: after the shortest sleep all is quiet, and
 * every end is in the mailbox. */
static void settle(struct world *world)
{
    watch_new_subjects(world);
    cop_sleep(1);
    for (const cop_message *message = cop_receive(0); message != NULL; message = cop_receive(0)) {
        const cop_down_message *down = cop_get(message, cop_down_message);
        if (down != NULL) world_died(world, down->pid, down->reason);
    }
}

/* ---- steps ------------------------------------------------------------------------------- */

static void spawn(struct world *world, const struct step *step)
{
    struct subject *subject = world_add(world, step->object, step->flag);
    subject->pid = cop_spawn(subject_run, subject, 0);
}

static const char *whereis(const struct world *world, const char *name)
{
    cop_pid pid = cop_whereis(name);
    return cop_pid_is_none(pid) ? "undefined" : world_name_of(world, pid);
}

static const char *alive(const struct world *world, const char *name)
{
    const struct subject *subject = world_subject(world, name);
    return subject != NULL && cop_is_alive(subject->pid) ? "true" : "false";
}

/* Whether the step starts its object; otherwise the object must be there. */
static bool is_spawn(const struct step *step)
{
    return step->kind == STEP_SPAWN_LINK || step->kind == STEP_SPAWN_MONITOR;
}

/* The reference that a step means, or NULL: only its owner may take a monitor or an alias off. */
static const struct reference *reference_of(const struct world *world, const struct step *step)
{
    bool monitor = step->kind == STEP_DEMONITOR;
    const struct reference *reference =
        world_reference(monitor ? world->monitors : world->aliases, step->ref);
    if (reference != NULL && step->kind != STEP_SEND_ALIAS &&
        strcmp(reference->owner, step->actor) != 0)
        return NULL;
    return reference;
}

/* A step that a process does. */
static void perform_by_actor(struct world *world, const struct step *step, struct lines *result)
{
    const struct subject *actor = world_subject(world, step->actor);
    const struct reference *reference = step->ref == NULL ? NULL : reference_of(world, step);
    struct order order = { .step = step };
    if (step->object != NULL && !is_spawn(step))
        order.object = world_subject(world, step->object);
    if (actor == NULL || (step->ref != NULL && reference == NULL) ||
        (step->object != NULL && !is_spawn(step) && order.object == NULL)) {
        lines_add(result, "no such");
        return;
    }
    if (reference != NULL) order.ref = reference->ref;
    lines_add(result, "%s", subject_order(actor, &order) ? order.result : "dead");
}

static void perform(struct world *world, const struct step *step, struct lines *result)
{
    switch (step->kind) {
    case STEP_SPAWN: spawn(world, step); break;
    case STEP_WHEREIS: lines_add(result, "%s", whereis(world, step->name)); break;
    case STEP_ALIVE: lines_add(result, "%s", alive(world, step->object)); break;
    default: perform_by_actor(world, step, result); break;
    }
}

/* ---- the driver -------------------------------------------------------------------------- */

static void driver(void *argument)
{
    struct play *play = argument;
    struct world *world = &play->world;
    struct lines result = { 0 };
    play->driver = cop_self();
    for (const struct step *step = play->steps; step != NULL; step = step->next) {
        lines_add(play->trace, "> %s", step->text);
        perform(world, step, &result);
        settle(world);
        lines_move(play->trace, &result, "  = ");
        lines_sort(&world->events);
        lines_move(play->trace, &world->events, "  ");
    }
    play->complete = true;
}

/* What the driver itself ended of, or a native crash of any process: neither belongs to a
 * history.  The processes' own errors do. */
static void report(const cop_log_event *event, void *context)
{
    const struct play *play = context;
    bool crash = event->reason != NULL && cop_reason_kind_of(event->reason) == COP_REASON_CRASH;
    if (event->kind != COP_LOG_CRASH || (!crash && !cop_pid_equal(event->process, play->driver)))
        return;
    char text[1024];
    cop_log_format(event, text, sizeof text);
    fprintf(stderr, "%s: %s\n", play->file, text);
}

int history_play(const char *file, uint64_t seed, const struct step *steps, struct lines *trace)
{
    struct play play = { .file = file, .steps = steps, .trace = trace };
    int status = program_run(file, seed, driver, &play, report);
    lines_free(&play.world.events);
    pool_free(&play.world.pool);
    return play.complete ? status : FAILED;
}
