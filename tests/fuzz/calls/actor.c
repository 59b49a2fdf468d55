/* actor.c - the processes: each waits for orders in its own way. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- orders ---------------------------------------------------------------------------- */

const struct named_operation *operation_of(uint8_t op)
{
    unsigned number = op % (process_operation_count + tree_operation_count + work_operation_count);
    if (number < process_operation_count) return &process_operations[number];
    number -= process_operation_count;
    if (number < tree_operation_count) return &tree_operations[number];
    return &work_operations[number - tree_operation_count];
}

static void carry_out(const command *order)
{
    const struct named_operation *meant = operation_of(order->op);
    if (world.traced) {
        char pid[32];
        cop_pid_format(cop_self(), pid, sizeof pid);
        dprintf(STDERR_FILENO, "%6lld ms %s: %s %d %d %d %d\n", (long long)cop_now_ms(), pid,
                meant->name, order->a, order->b, order->c, order->d);
    }
    if (world.depth == STORIES_DEEP) return;
    meant->function(order);
}

/* A request's answer, at once or twice, or somebody else's affair. */
static void answer(const cop_message *request)
{
    uint8_t how = cop_expect(request, question)->how;
    cop_from from = { { request->from, request->ref } };
    world.froms[world.from_count++ % KNOWN_FROMS] = from;
    for (int i = how % 4; i > 1; i--) cop_answer(from, question, .how = how);
    if (how % 4 == 1) cop_answer_message(from, cop_new(chatter, 0));
}

void obey(const cop_message *message)
{
    if (message == NULL) return;
    const command *told = cop_get(message, command);
    const cop_down_message *down = cop_get(message, cop_down_message);
    if (down != NULL) watch_fires(down);
    if (cop_is(message, ding)) ding_comes(cop_get(message, ding));
    if (cop_is(message, note)) note_comes(message);
    if (cop_is(message, question) && message->kind == COP_CALL_REQUEST) answer(message);
    if (cop_is(message, cop_probe_message)) cop_probe_answer(message);
    if (told != NULL) {
        command copy = *told;         /* carrying it out may receive the next */
        carry_out(&copy);
    }
}

/* ---- plain functions ------------------------------------------------------------------- */

static void handle(void *state, cop_message *message)
{
    (void)state;
    if (message != NULL && cop_is(message, chatter)) {
        cop_message_keep(message);
        cop_message_free(message);
        return;
    }
    obey(message);
    if (message == NULL || cop_is(message, note)) cop_become_timeout(100);
}

/* Its argument is one byte, copied or pointed to: with the lowest bit it keeps no stack. */
void actor_function(void *argument)
{
    uint8_t how = argument == NULL ? 0 : *(const uint8_t *)argument;
    world_add_pid(cop_self());
    cop_set_label("actor");
    memory_of_self()->traps = (how & ACTOR_TRAPS) != 0;
    memory_of_self()->loses = (how & ACTOR_LOSES) != 0;
    if ((how & 16) == 0) cop_init_ack();
    if ((how & 32) != 0) cop_ready();
    if ((how & 3) == 3) cop_become(handle, NULL);
    for (;;) obey(cop_receive(COP_INFINITY));
}

cop_pid actor_spawn(uint8_t how, const cop_spawn_options *options)
{
    cop_pid pid = cop_spawn_opt(actor_function, &how, 1, options);
    world_add_pid(pid);
    return pid;
}

/* ---- a server -------------------------------------------------------------------------- */

struct server { uint8_t how; };

static cop_next server_init(void *state, const void *argument)
{
    struct server *self = state;
    self->how = argument == NULL ? 0 : *(const uint8_t *)argument;
    world_add_pid(cop_self());
    cop_trap_exit((self->how & 1) != 0);
    memory_of_self()->traps = (self->how & 1) != 0;
    memory_of_self()->loses = (self->how & ACTOR_LOSES) != 0;
    if ((self->how & 32) != 0) cop_ready();
    switch (self->how % 16) {
    case 10: return cop_ignore();
    case 11: return cop_stop(cop_reason_atom("no"));
    case 12: return cop_fail(cop_reason_atom("never"));
    case 13: cop_raise("init");
    case 14: cop_sleep(30); return cop_then_timeout(cop_ok(), 40);
    case 15: return cop_then_continue(cop_ok(), chatter, 0);
    default: return cop_ok();
    }
}

static cop_next server_call(void *state, const cop_message *request, cop_from from)
{
    const question *asked = cop_expect(request, question);
    (void)state;
    switch (asked->how % 8) {
    case 0: world.froms[world.from_count++ % KNOWN_FROMS] = from; return cop_noreply();
    case 1: return cop_stop_reply(cop_reason_atom("asked"), question, 0);
    case 2: return cop_stop(COP_NORMAL);
    case 3: return (cop_next){ COP_NEXT_NONE, NULL, NULL, NULL, false, 0 };
    case 4: cop_answer(from, question, .how = 4); return cop_reply(question, .how = 5);
    case 5: return cop_reply_message(NULL);
    default: return cop_then_timeout(cop_reply(question, .how = asked->how), asked->how);
    }
}

static cop_next server_hears(void *state, const cop_message *message)
{
    (void)state;
    obey(message);
    return cop_is(message, cop_timeout_message) ? cop_stop(COP_SHUTDOWN) : cop_noreply();
}

static void server_ends(void *state, const cop_reason *reason)
{
    const struct server *self = state;
    const cop_deadline *deadline = cop_reason_deadline(reason);
    if (deadline != NULL) MUST(deadline->path != NULL, "a deadline without a path");
    switch (self->how >> 4 & 7) {
    case 1: cop_sleep(30); break;
    case 2: cop_raise("in terminate");
    case 3: cop_exit(cop_reason_atom("other"));
    case 4: abort();
    case 5: cop_sleep(COP_INFINITY); break;
    case 6: cop_receive(10); break;
    default: break;
    }
}

static cop_next server_drains(void *state)
{
    const struct server *self = state;
    if ((self->how & 64) != 0) cop_sleep(15);
    return (self->how & 128) != 0 ? cop_noreply() : cop_stop(COP_SHUTDOWN);
}

const cop_gen_server actor_server = {
    .label = "server", .state_size = sizeof(struct server), .init = server_init,
    .handle_call = server_call, .handle_cast = server_hears, .handle_info = server_hears,
    .handle_continue = server_hears, .terminate = server_ends, .handle_drain = server_drains,
};

/* ---- a task ---------------------------------------------------------------------------- */

cop_message *actor_task(void *argument)
{
    uint8_t how = argument == NULL ? 0 : *(const uint8_t *)argument;
    int *volatile nowhere = NULL;
    world_add_pid(cop_self());
    cop_pid callers[2];
    cop_callers(callers, 2);
    switch (how % 8) {
    case 0: return NULL;
    case 1: cop_sleep(how); break;
    case 2: cop_raise("task");
    case 3: *nowhere = 1; break;
    case 4: cop_trap_exit(true); cop_sleep(200); break;
    case 5: cop_exit(COP_NORMAL);
    case 6: obey(cop_receive(50)); break;
    default: break;
    }
    return cop_new(chatter, 0);
}
