/* recorder.c - one server that sees all that happens in a scenario, in order. */
#include "recorder.h"

#include <stdlib.h>
#include <string.h>

#include <coppice/runtime.h>

#include "../common/program.h"

/* What it is asked, and its answer to all three.  These are plain messages, as in the reference: a
 * call's monitor would wake the recorder once more, and so change who comes when. */
COP_MESSAGE(starting, { const struct node *node; });
COP_MESSAGE(terminating, {
    const struct node *node;
    int n;
    const cop_reason *reason;
    enum ending how;
});
COP_MESSAGE(look, COP_EMPTY);
COP_MESSAGE(answer, { struct begun begun; size_t events; });

static const char name[] = "recorder";

static void happened(struct recorder *recorder)
{
    recorder->events++;
    if (recorder->events == recorder->limit) {
        fprintf(stderr, "%zu events: this has no end\n", recorder->events);
        cop_halt(FAILED);
    }
}

/* The place of a path; a new one goes where the order of paths puts it. */
static struct place *place_of(struct recorder *recorder, const char *path)
{
    struct place **link = &recorder->places;
    while (*link != NULL && strcmp((*link)->path, path) < 0) link = &(*link)->next;
    if (*link != NULL && strcmp((*link)->path, path) == 0) return *link;
    struct place *place = pool_alloc(recorder->pool, sizeof *place);
    *place = (struct place){ .next = *link, .path = pool_strdup(recorder->pool, path) };
    *link = place;
    return place;
}

static void on_starting(struct recorder *recorder, const struct node *node, cop_pid pid)
{
    struct place *place = place_of(recorder, node->path);
    int n = ++place->starts;
    size_t start = (size_t)n <= node->start_count ? (size_t)n - 1 : node->start_count - 1;
    enum outcome outcome = node->starts[start];
    place->live = true;
    place->hangs = false;
    place->pid = pid;
    place->kind = node->kind;

    struct life *life = pool_alloc(recorder->pool, sizeof *life);
    *life = (struct life){ .next = recorder->lives, .place = place, .n = n, .kind = node->kind,
                           .pid = pid, .monitor = cop_monitor(pid), .told = outcome == OUTCOME_OK };
    recorder->lives = life;
    lines_add(&recorder->happened, "start %s %d%s%s", place->path, n,
              outcome == OUTCOME_OK ? "" : " ",
              outcome == OUTCOME_OK ? "" : outcome_names[outcome]);
    happened(recorder);
    cop_send(pid, answer, .begun = { .n = n, .outcome = outcome });
}

static void on_terminating(struct recorder *recorder, const terminating *told, cop_pid pid)
{
    char *reason = reason_text(told->reason);
    lines_add(&recorder->happened, "terminate %s %d %s", told->node->path, told->n, reason);
    free(reason);
    struct life *life = recorder->lives;
    while (!cop_pid_equal(life->pid, pid)) life = life->next;
    life->late = told->how == ENDING_LATE;
    if (cop_pid_equal(life->place->pid, pid)) life->place->hangs = told->how == ENDING_HANG;
    happened(recorder);
    cop_send(pid, answer, .events = recorder->events);
}

static void on_down(struct recorder *recorder, const cop_down_message *down)
{
    struct life **link = &recorder->lives;
    while (*link != NULL && !cop_ref_equal((*link)->monitor, down->ref)) link = &(*link)->next;
    struct life *life = *link;
    if (life == NULL) return;
    *link = life->next;
    if (cop_pid_equal(life->place->pid, down->pid)) life->place->live = false;
    if (life->told) {
        char *reason = reason_text(down->reason);
        lines_add(&recorder->downs, "down %s %d %s", life->place->path, life->n, reason);
        free(reason);
    }
    happened(recorder);
}

static cop_next handle_info(void *state, const cop_message *message)
{
    struct recorder *recorder = *(struct recorder **)state;
    const starting *start = cop_get(message, starting);
    const terminating *end = cop_get(message, terminating);
    if (start != NULL)
        on_starting(recorder, start->node, message->from);
    else if (end != NULL)
        on_terminating(recorder, end, message->from);
    else if (cop_is(message, look))
        cop_send(message->from, answer, .events = recorder->events);
    else
        on_down(recorder, cop_expect(message, cop_down_message));
    return cop_noreply();
}

static cop_next init(void *state, const void *argument)
{
    *(struct recorder **)state = *(struct recorder *const *)argument;
    return cop_ok();
}

void recorder_start(struct recorder *recorder)
{
    static const cop_gen_server server = {
        .name = name, .state_size = sizeof(struct recorder *), .init = init,
        .handle_info = handle_info };
    cop_started started = cop_gen_server_start_link(&server, .argument = &recorder,
                                                    .argument_size = sizeof recorder);
    cop_must_named(started.error, "starting the recorder");
}

/* Sends a request, taken over, and waits for the answer. */
static answer ask(cop_message *request)
{
    cop_must(cop_send_message(cop_to(name), request));
    return *cop_receive_type(answer, COP_INFINITY);
}

struct begun recorder_starting(const struct node *node)
{
    return ask(cop_new(starting, .node = node)).begun;
}

void recorder_terminating(const struct node *node, int n, const cop_reason *reason,
                          enum ending how)
{
    ask(cop_new(terminating, .node = node, .n = n, .reason = reason, .how = how));
}

size_t recorder_look(void)
{
    return ask(cop_new(look, 0)).events;
}

const struct place *recorder_live(const struct recorder *recorder, const char *path)
{
    for (const struct place *place = recorder->places; place != NULL; place = place->next) {
        if (strcmp(place->path, path) == 0) return place->live ? place : NULL;
    }
    return NULL;
}

void recorder_take(struct recorder *recorder, struct lines *trace)
{
    lines_sort(&recorder->downs);
    lines_move(trace, &recorder->happened, "  ");
    lines_move(trace, &recorder->downs, "  ");
}
