/* tree.c - the tree that the faults strike: a victim beside a thousand busy siblings.
 *
 *     top (one_for_one)
 *       siblings (dynamic)    1,000 servers that add up what they are told, and answer the sum
 *       partner               whom the victim gets into a deadlock with
 *       victim                with a descriptor, a block, a stream, a timer and a name
 *
 * Clients, processes beside the tree, call the siblings without a pause, each client its own ones,
 * and know what every answer must be. */
#include "matrix.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <coppice/coppice.h>

#include "partner.h"

enum { CLIENTS = 4, EACH = SIBLINGS / CLIENTS, LONG_MS = 30000, PROBE_MS = 20,
       PROBE_TIMEOUT_MS = 200, SHUTDOWN_TIME_MS = 20 };

/* ---- the siblings ------------------------------------------------------------------------ */

COP_CALL(add, { long amount; }, { long total; });

static cop_next sibling_init(void *state, const void *argument)
{
    (void)state, (void)argument;
    board->sibling_inits++;
    return cop_ok();
}

static cop_next sibling_call(void *state, const cop_message *request, cop_from from)
{
    long *total = state;
    (void)from;
    *total += cop_expect(request, add)->amount;
    return cop_reply(add, .total = *total);
}

static const cop_gen_server sibling = { .label = "sibling", .state_size = sizeof(long),
                                        .init = sibling_init, .handle_call = sibling_call };
static const cop_child_spec sibling_spec = COP_CHILD_SERVER(sibling);
static const cop_dynamic_supervisor siblings = { .name = "siblings", .template_ = &sibling_spec };

/* ---- their clients ----------------------------------------------------------------------- */

COP_MESSAGE(pause_load, COP_EMPTY);
COP_MESSAGE(paused, { long answered; long harmed; });
COP_MESSAGE(resume_load, COP_EMPTY);

struct client { cop_pid siblings[EACH]; };

static void client(void *argument)
{
    const struct client *self = argument;
    static const cop_match pause = { .type = COP_TYPE(pause_load) };
    long totals[EACH] = { 0 }, answered = 0, harmed = 0;
    for (long round = 1;; round++) {
        for (int i = 0; i < EACH; i++) {
            add_reply sum = { 0 };
            int error = cop_call_timeout(self->siblings[i], LONG_MS, &sum, add, .amount = round);
            totals[i] += round;
            answered += error == 0;
            harmed += error != 0 || sum.total != totals[i];
        }
        cop_message *message = cop_take(&pause, 0);
        if (message == NULL) continue;
        cop_send(message->from, paused, .answered = answered, .harmed = harmed);
        cop_message_free(message);
        cop_receive_type(resume_load, COP_INFINITY);
    }
}

static cop_pid clients[CLIENTS];

void tree_pause(void)
{
    long answered = 0, harmed = 0;
    for (int i = 0; i < CLIENTS; i++) cop_send(clients[i], pause_load);
    for (int i = 0; i < CLIENTS; i++) {
        const cop_match match = { .type = COP_TYPE(paused), .from = clients[i] };
        const paused *answer = cop_get(cop_receive_match(&match, 2 * LONG_MS), paused);
        if (answer == NULL) {
            note_wrong("the siblings' client %d does not answer", i);
            board->harmed++;
            return;
        }
        answered += answer->answered;
        harmed += answer->harmed;
    }
    board->answered = answered;
    board->harmed = harmed + board->sibling_inits - SIBLINGS;
    if (board->harmed != 0) note_wrong("%ld siblings or answers harmed", board->harmed);
}

void tree_resume(void)
{
    for (int i = 0; i < CLIENTS; i++) cop_send(clients[i], resume_load);
}

/* ---- the partner ------------------------------------------------------------------------- */

/* Waits for the victim, which waits for the answer: the victim's patience ends first. */
static cop_next partner_call(void *state, const cop_message *request, cop_from from)
{
    (void)state, (void)from;
    cop_call(cop_expect(request, entangle)->with, NULL, entangle, .with = cop_self());
    return cop_reply(entangle, 0);
}

static const cop_gen_server partner = { .name = "partner", .handle_call = partner_call };

/* ---- the victim -------------------------------------------------------------------------- */

COP_MESSAGE(strike, COP_EMPTY);
COP_MESSAGE(struck, COP_EMPTY);          /* by a fault that does not end it by itself */
COP_MESSAGE(victim_up, { cop_pid victim; });

static cop_mutex mutex = COP_MUTEX_INIT;
static cop_pid striker;

int64_t now_ns(void)
{
    return cop_now_ns();
}

static void suffer(void)
{
    board->fault_ns = now_ns();
    board->kind->fault();
    cop_raise("the fault did not strike");
}

static void suffer_deferred(void *unused)
{
    (void)unused;
    if (board->kind->place == IN_DEFERRED) suffer();
}

static void own_things(void)
{
    int descriptor = open("/dev/null", O_RDWR | O_CLOEXEC);
    cop_defer(free, malloc(1000));
    if (descriptor < 0 || cop_own_fd(descriptor) == NULL) cop_raise("no descriptor");
    cop_alloc(10000);
    cop_defer(suffer_deferred, NULL);
    cop_send_after(cop_self(), 3600 * 1000, struck);
}

static cop_next victim_init(void *state, const void *argument)
{
    (void)state, (void)argument;
    board->init_ns = now_ns();
    own_things();
    if (atomic_exchange(&board->init_fails, false)) suffer();
    if (board->kind->place == WITH_MUTEX && board->fault_ns != 0) {
        if (cop_mutex_lock(&mutex, LONG_MS) != COP_INHERITED) note_wrong("the mutex was kept");
        cop_mutex_unlock(&mutex);
    }
    cop_send(striker, victim_up, .victim = cop_self());
    return cop_ok();
}

static cop_next victim_info(void *state, const cop_message *message)
{
    const struct kind *kind = board->kind;
    (void)state;
    cop_expect(message, strike);
    switch (kind->place) {
    case IN_INIT: board->init_fails = true; cop_exit(cop_reason_atom("again"));
    case IN_TERMINATE: return cop_stop(COP_NORMAL);
    case IN_DEFERRED: cop_raise("the first reason stays");
    case WITH_MUTEX: cop_mutex_lock(&mutex, LONG_MS); break;
    case IN_HANDLER: break;
    }
    if (kind->end == BY_KILL || kind->end == BY_SHUTDOWN) cop_send(striker, struck);
    suffer();
    return cop_noreply();
}

static void victim_terminate(void *state, const cop_reason *reason)
{
    (void)state, (void)reason;
    if (board->kind->place == IN_TERMINATE) suffer();
}

static const cop_gen_server victim = { .name = "victim", .init = victim_init,
                                       .handle_info = victim_info,
                                       .terminate = victim_terminate };

/* ---- the tree ---------------------------------------------------------------------------- */

static cop_pid current;

static bool await_victim(void)
{
    const victim_up *up = cop_receive_type(victim_up, LONG_MS);
    if (up == NULL) {
        note_wrong("the victim did not come back");
        return false;
    }
    current = up->victim;
    return true;
}

static void start_siblings(void)
{
    struct client of = { 0 };
    for (int i = 0; i < SIBLINGS; i++) {
        cop_started started = cop_dynamic_supervisor_start_from(cop_to("siblings"), NULL, 0);
        cop_must(started.error);
        of.siblings[i % EACH] = started.pid;
        if (i % EACH == EACH - 1)
            clients[i / EACH] = cop_spawn_link(client, &of, sizeof of);
    }
}

void tree_start(const struct kind *kind)
{
    const cop_child_spec children[] = {
        COP_CHILD_DYNAMIC_SUPERVISOR(siblings),
        COP_CHILD_SERVER(partner),
        COP_CHILD_SERVER(victim, .shutdown = COP_SHUTDOWN_MS(SHUTDOWN_TIME_MS),
                         .probe = { .interval_ms = kind->end == BY_PROBE ? PROBE_MS : 0,
                                    .timeout_ms = kind->end == BY_PROBE ? PROBE_TIMEOUT_MS : 0 }),
    };
    const cop_supervisor top = { .name = "top", .intensity = COP_UNLIMITED_RESTARTS,
                                 COP_CHILDREN(children) };
    striker = cop_self();
    cop_must(cop_supervisor_start_link(&top).error);
    await_victim();
    start_siblings();
}

/* What is to end a victim that does not end by itself. */
static bool end_victim(enum end end)
{
    if (cop_receive_type(struck, LONG_MS) == NULL) {
        note_wrong("the victim was not struck");
        return false;
    }
    cop_sleep(1);                        /* it is in the midst of it */
    board->fault_ns = now_ns();
    if (end == BY_KILL) {
        cop_exit_process(current, COP_KILL);
        return true;
    }
    int error = cop_supervisor_terminate_child(cop_to("top"), "victim");
    if (error == 0) error = cop_supervisor_restart_child(cop_to("top"), "victim").error;
    if (error != 0) note_wrong("stopping the victim: %s", cop_error_text(error));
    return error == 0;
}

/* The reason of its end; of one that crashes in its init, the log has it. */
static bool await_end(const struct kind *kind, cop_ref ref)
{
    cop_message *message = cop_take(&(cop_match){ .ref = ref }, LONG_MS);
    if (message == NULL) {
        note_wrong("the victim did not end");
        return false;
    }
    const cop_down_message *down = cop_expect(message, cop_down_message);
    if (kind->place != IN_INIT)
        cop_reason_format(down->reason, board->reason, sizeof board->reason);
    cop_message_free(message);
    return true;
}

bool tree_strike(const struct kind *kind)
{
    cop_ref ref = cop_monitor(current);
    cop_send(current, strike);
    if ((kind->end == BY_KILL || kind->end == BY_SHUTDOWN) && !end_victim(kind->end)) return false;
    return await_end(kind, ref) && await_victim();
}
