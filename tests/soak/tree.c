/* tree.c - the tree that is under load.
 *
 *     top (one_for_one)
 *       alone (one_for_one)      servers 0 to 7
 *       chain (rest_for_one)     servers 8 to 15
 *       crew (one_for_all)       servers 16 to 23
 *       children (dynamic)       whatever players start there
 *       tasks (task supervisor)
 *
 * A server has a name, a descriptor, memory, a timer that comes again and again, and now and then
 * a mutex that all share. */
#include "soak.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BEAT_MS = 20, HELD_BYTES = 2000 };

COP_MESSAGE(beat, COP_EMPTY);

static cop_mutex mutex = COP_MUTEX_INIT;

struct server { long total; char *held; };

void server_name(int number, char name[8])
{
    snprintf(name, 8, "s%d", number % 1000);
}

static cop_next server_init(void *state, const void *argument)
{
    struct server *self = state;
    char name[8];
    server_name(*(const int *)argument, name);
    if (cop_register(name) != COP_OK) return cop_stop(cop_reason_atom("name_taken"));
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cop_stop(cop_reason_atom("no_descriptor"));
    cop_own_fd(fd);
    self->held = cop_alloc(HELD_BYTES);
    cop_send_after(cop_self(), BEAT_MS, beat, 0);
    return cop_ok();
}

static cop_next server_call(void *state, const cop_message *request, cop_from from)
{
    struct server *self = state;
    (void)from;
    self->total += cop_expect(request, add)->amount;
    return cop_reply(add, .total = self->total);
}

static cop_next server_info(void *state, const cop_message *message)
{
    struct server *self = state;
    const strike *struck = cop_get(message, strike);
    if (struck != NULL) {
        bool inside = cop_random_below(8) == 0 && cop_mutex_lock(&mutex, 0) >= 0;
        fault_do(struck->fault);
        if (inside) cop_mutex_unlock(&mutex);
    } else if (cop_is(message, beat)) {
        cop_free(self->held);
        self->held = cop_alloc(1 + cop_random_below(HELD_BYTES));
        cop_send_after(cop_self(), BEAT_MS, beat, 0);
    }
    return cop_noreply();
}

static const cop_gen_server server = { .label = "server", .state_size = sizeof(struct server),
                                       .init = server_init, .handle_call = server_call,
                                       .handle_info = server_info };

/* ---- the supervisors --------------------------------------------------------------------- */

static int numbers[SERVERS];
static char ids[SERVERS][8];
static cop_child_spec specs[SERVERS];

static const cop_intensity unlimited = COP_UNLIMITED_RESTARTS;
static cop_supervisor alone, chain, crew;
static const cop_dynamic_supervisor children = { .name = "children",
                                                 .intensity = COP_UNLIMITED_RESTARTS };
static const cop_task_supervisor tasks = { .name = "tasks",
                                           .intensity = COP_UNLIMITED_RESTARTS };
static const cop_child_spec groups[] = {
    COP_CHILD_SUPERVISOR(alone),
    COP_CHILD_SUPERVISOR(chain),
    COP_CHILD_SUPERVISOR(crew),
    COP_CHILD_DYNAMIC_SUPERVISOR(children),
    COP_CHILD_TASK_SUPERVISOR(tasks),
};
static const cop_supervisor top = { .intensity = COP_MAX_RESTARTS(0, 1), COP_CHILDREN(groups) };

static cop_supervisor group(enum cop_strategy strategy, int first)
{
    return (cop_supervisor){ .strategy = strategy, .intensity = unlimited,
                             .children = &specs[first], .child_count = GROUP };
}

void tree_start(void)
{
    for (int i = 0; i < SERVERS; i++) {
        numbers[i] = i;
        server_name(i, ids[i]);
        specs[i] = (cop_child_spec){ .id = ids[i], .start = cop_child_server, .module = &server,
                                     .argument = &numbers[i],
                                     .argument_size = sizeof numbers[i] };
    }
    alone = group(COP_ONE_FOR_ONE, 0);
    chain = group(COP_REST_FOR_ONE, GROUP);
    crew = group(COP_ONE_FOR_ALL, 2 * GROUP);
    cop_must_start(cop_supervisor_start_link(&top));
}
