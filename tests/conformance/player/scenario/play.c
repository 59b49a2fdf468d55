/* play.c - the driver: plays the steps in turn, and waits after each until nothing happens any
 * more.
 *
 * The run is deterministic: one thread, virtual time, processes in the order in which they
 * became ready.  The driver does what the reference's does, call by call, so that what races
 * there with little doubt (a restart and the ends of orphans) comes out the same here. */
#include "play.h"

#include <stdio.h>
#include <string.h>

#include <coppice/memory.h>
#include <coppice/runtime.h>

#include "../common/program.h"
#include "children.h"

enum {
    PAUSE_MS = 4 + OTP_TICK_MS,       /* between two looks, as in the reference */
    QUIET_LOOKS = 3,
    EVENTS_MAX = 200 * 1000,
    WATCHDOG_MS = 60 * 60 * 1000      /* of virtual time without any progress */
};

/* Waits until the process is down; monitored before whatever ends it. */
static void wait_for_down(cop_ref monitor)
{
    cop_message_free(cop_take(&(cop_match){ .ref = monitor }, COP_INFINITY));
}

/* ---- settling ---------------------------------------------------------------------------- */

static void ask_supervisor(cop_pid pid, enum node_kind kind)
{
    cop_child_counts counts;
    if (!cop_is_alive(pid)) return;
    if (kind == NODE_SUP)
        cop_supervisor_count_children(cop_to(pid), &counts);
    else if (kind == NODE_DYN)
        cop_dynamic_supervisor_count_children(cop_to(pid), &counts);
}

/* Waits until every supervisor that lives now answers a call; one that is ending children is busy
 * and so time passes.  Whom to ask is settled first, as in the reference: while one is waited for,
 * others may get their places. */
static void ask_supervisors(struct play *play)
{
    recorder_look();
    const struct place *places = play->recorder.places;
    size_t count = 0, asked = 0;
    for (const struct place *place = places; place != NULL; place = place->next) count++;
    struct place *whom = cop_alloc((count + 1) * sizeof *whom);
    for (const struct place *place = places; place != NULL; place = place->next) {
        if (place->live) whom[asked++] = *place;
    }
    for (size_t i = 0; i < asked; i++) ask_supervisor(whom[i].pid, whom[i].kind);
    cop_free(whom);
}

/* An orphan of a killed supervisor that is still about to end: one that takes its time, or a
 * supervisor that is ending its children while a new one has its place. */
static const struct life *find_orphan(const struct recorder *recorder)
{
    const struct life *life = recorder->lives;
    while (life != NULL && !life->late &&
           (life->kind == NODE_WORKER || cop_pid_equal(life->place->pid, life->pid)))
        life = life->next;
    return life;
}

static void await_orphans(struct play *play)
{
    const struct life *orphan;
    while (recorder_look(), (orphan = find_orphan(&play->recorder)) != NULL)
        wait_for_down(cop_monitor(orphan->pid));
}

static void settle(struct play *play)
{
    size_t last = recorder_look();
    for (int quiet = 0; quiet < QUIET_LOOKS;) {
        ask_supervisors(play);
        if (play->patient) await_orphans(play);
        cop_sleep(PAUSE_MS);
        size_t events = recorder_look();
        quiet = events == last ? quiet + 1 : 0;
        last = events;
        play->beats++;
    }
}

/* Looks for good: the driver waits for something that never comes, such as the end of a child
 * with no time limit that hangs. */
static void watchdog(void *argument)
{
    struct play *play = argument;
    for (;;) {
        uint64_t beats = play->beats;
        cop_sleep(WATCHDOG_MS);
        if (play->beats != beats) continue;
        if (play->step == NULL)
            fprintf(stderr, "%s: the root's start or end never settles\n", play->file);
        else
            fprintf(stderr, "%s:%d: '%s' never settles\n", play->file, play->step->line,
                    play->step->text);
        cop_halt(FAILED);
        return;
    }
}

/* ---- steps ------------------------------------------------------------------------------- */

static void perform_exit(const struct step *step, const struct place *place)
{
    bool kill = strcmp(step->reason, "kill") == 0;
    if (place->hangs && !kill) return;       /* an orphan: it never comes to that */
    cop_ref monitor = cop_monitor(place->pid);
    if (kill)
        cop_exit_process(place->pid, COP_KILL);
    else if (place->kind == NODE_WORKER)
        child_ask_to_exit(place->pid, step->reason);
    else
        cop_stop_process(cop_to(place->pid), reason_from_word(step->reason), COP_INFINITY);
    wait_for_down(monitor);
}

/* In pieces, so that the watchdog sees that the driver is well. */
static void perform_advance(struct play *play, const struct step *step)
{
    enum { PIECE_MS = WATCHDOG_MS / 4 };
    for (int64_t left = step->ms + OTP_TICK_MS; left > 0; left -= PIECE_MS) {
        cop_sleep(left < PIECE_MS ? left : PIECE_MS);
        play->beats++;
    }
}

static void perform(struct play *play, const struct step *step, struct lines *result)
{
    if (step->kind == STEP_ADVANCE) {
        perform_advance(play, step);
        return;
    }
    recorder_look();
    const struct place *place = recorder_live(&play->recorder, step->path);
    const struct place *child = place;
    if (step->kind == STEP_DYN_TERMINATE) child = recorder_live(&play->recorder, step->id);
    if (place == NULL || child == NULL)
        lines_add(result, "no process");
    else if (step->kind == STEP_EXIT)
        perform_exit(step, place);
    else
        call_supervisor(step, place, child->pid, result);
}

/* ---- the driver -------------------------------------------------------------------------- */

static void begin(struct play *play, const char *verb, const char *text)
{
    lines_add(&play->trace, "> %s%s", verb, text);
    play->beats++;
}

static void finish(struct play *play, struct lines *result)
{
    settle(play);
    recorder_take(&play->recorder, &play->trace);
    lines_move(&play->trace, result, "  = ");
}

static void driver(void *argument)
{
    struct play *play = argument;
    struct lines result = { 0 };
    play->driver = cop_self();
    cop_trap_exit(true);
    recorder_start(&play->recorder);
    cop_spawn(watchdog, play, 0);

    const struct node *root = play->scenario->nodes;
    begin(play, "start ", root->path);
    result_of_start(&result, child_start(root), "ignore");
    finish(play, &result);

    for (const struct step *step = play->scenario->steps; step != NULL; step = step->next) {
        play->step = step;
        begin(play, "", step->text);
        perform(play, step, &result);
        finish(play, &result);
    }

    play->step = NULL;
    begin(play, "", "end");
    const struct place *place = recorder_live(&play->recorder, root->path);
    if (place != NULL) {
        cop_ref monitor = cop_monitor(place->pid);
        cop_exit_process(place->pid, COP_SHUTDOWN);
        wait_for_down(monitor);
    }
    finish(play, &result);
    play->complete = true;
}

/* What the driver itself ended of, or a native crash of any process: neither belongs to a
 * scenario.  The workers' own errors do. */
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

int play_scenario(struct play *play, uint64_t seed)
{
    play->recorder.pool = &play->pool;
    play->recorder.limit = EVENTS_MAX;
    int status = program_run(play->file, seed, driver, play, report);
    return play->complete ? status : FAILED;
}
