/* main.c - one operation many times over, for counting its instructions: `instructions CASE N`.
 *
 * tools/count_instructions.py runs it under valgrind with two numbers and takes the difference, so
 * that what a run costs by itself does not count.  The run is deterministic: one thread, a virtual
 * clock, the same seed.  With SCHEDULERS as a third argument it runs as programs do, whose
 * counts differ a little from run to run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coppice/coppice.h>

struct counted {
    const char *name;
    void (*run)(long n);
    const char *what;
};

static void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "instructions: FAILED: %s\n", what);
        exit(1);
    }
}
#define CHECK(condition_) check((condition_), #condition_)

/* ---- messages and processes ------------------------------------------------------------- */

COP_MESSAGE(ping, { cop_pid from; long i; });
COP_MESSAGE(pong, { long i; });

static void player(void *argument)
{
    (void)argument;
    for (;;) {
        const ping *ball = cop_expect(cop_receive(COP_INFINITY), ping);
        cop_send(ball->from, pong, .i = ball->i);
    }
}

static void run_roundtrip(long n)
{
    cop_pid other = cop_spawn(player, NULL, 0);
    for (long i = 0; i < n; i++) {
        cop_send(other, ping, .from = cop_self(), .i = i);
        CHECK(cop_receive_type(pong, COP_INFINITY)->i == i);
    }
}

static void on_ping(void *state, cop_message *message)
{
    const ping *ball = cop_expect(message, ping);
    (void)state;
    cop_send(ball->from, pong, .i = ball->i);
}

static void handler(void *argument)
{
    (void)argument;
    cop_become(on_ping, NULL);
}

static void run_handler(long n)
{
    cop_pid other = cop_spawn(handler, NULL, 0);
    for (long i = 0; i < n; i++) {
        cop_send(other, ping, .from = cop_self(), .i = i);
        CHECK(cop_receive_type(pong, COP_INFINITY)->i == i);
    }
}

/* A hundred messages at a time, so that nobody waits for each. */
static void run_stream(long n)
{
    cop_pid self = cop_self();
    for (long i = 0; i < n; i += 100) {
        for (long j = 0; j < 100; j++)
            cop_send(self, pong, .i = i + j);
        for (long j = 0; j < 100; j++)
            CHECK(cop_expect(cop_receive(COP_INFINITY), pong)->i == i + j);
    }
}

COP_MESSAGE(done, COP_EMPTY);

static void report(void *argument)
{
    (void)argument;
    cop_send(cop_parent(), done);
}

static void run_spawn(long n)
{
    for (long i = 0; i < n; i += 100) {
        for (long j = 0; j < 100; j++)
            CHECK(!cop_pid_is_none(cop_spawn(report, NULL, 0)));
        for (long j = 0; j < 100; j++)
            CHECK(cop_receive_type(done, COP_INFINITY) != NULL);
    }
}

static void nothing(void *argument)
{
    (void)argument;
}

static void run_spawn_monitor(long n)
{
    for (long i = 0; i < n; i++) {
        cop_ref ref;
        CHECK(!cop_pid_is_none(cop_spawn_monitor(nothing, NULL, 0, &ref)));
        CHECK(cop_receive_type(cop_down_message, COP_INFINITY) != NULL);
    }
}

/* ---- servers ---------------------------------------------------------------------------- */

COP_CALL(next_value, COP_EMPTY, { long value; });
COP_MESSAGE(crash, COP_EMPTY);
COP_MESSAGE(started, { cop_pid pid; });

static cop_next init(void *state, const void *argument)
{
    (void)state;
    if (argument != NULL)
        cop_send(*(const cop_pid *)argument, started, .pid = cop_self());
    return cop_ok();
}

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    long *counter = state;
    (void)from;
    cop_expect(request, next_value);
    return cop_reply(next_value, .value = ++*counter);
}

static cop_next handle_info(void *state, const cop_message *message)
{
    (void)state;
    cop_expect(message, crash);
    cop_raise("crash");
}

static const cop_gen_server server = { .state_size = sizeof(long), .init = init,
                                       .handle_call = handle_call, .handle_info = handle_info };

static void run_call(long n)
{
    cop_pid counter = cop_gen_server_start(&server).pid;
    next_value_reply reply;
    for (long i = 1; i <= n; i++)
        CHECK(cop_call(counter, &reply, next_value) == 0 && reply.value == i);
}

static void run_restart(long n)
{
    cop_pid self = cop_self();
    const cop_child_spec children[] = {
        COP_CHILD_SERVER(server, .argument = &self, .argument_size = sizeof self),
    };
    const cop_supervisor top = { .intensity = COP_UNLIMITED_RESTARTS, COP_CHILDREN(children) };
    CHECK(cop_supervisor_start_link(&top).error == 0);
    for (long i = 0; i < n; i++)
        cop_send(cop_receive_type(started, COP_INFINITY)->pid, crash);
    CHECK(cop_receive_type(started, COP_INFINITY) != NULL);
}

static cop_pid start_dynamic(void)
{
    static const cop_child_spec child = COP_CHILD_SERVER(server);
    static const cop_dynamic_supervisor children = { .template_ = &child };
    cop_started top = cop_dynamic_supervisor_start_link(&children);
    CHECK(top.error == 0);
    return top.pid;
}

/* The children stay. */
static void run_start_child(long n)
{
    cop_dest top = cop_to(start_dynamic());
    for (long i = 0; i < n; i++)
        CHECK(cop_dynamic_supervisor_start_from(top, NULL, 0).error == 0);
}

static void run_child(long n)
{
    cop_dest top = cop_to(start_dynamic());
    for (long i = 0; i < n; i++) {
        cop_started one = cop_dynamic_supervisor_start_from(top, NULL, 0);
        CHECK(one.error == 0);
        CHECK(cop_dynamic_supervisor_terminate_child(top, one.pid) == 0);
    }
}

COP_MESSAGE(number, { long value; });

static cop_message *give_back(void *argument)
{
    return cop_new(number, .value = *(long *)argument);
}

static void run_task(long n)
{
    static const cop_task_supervisor tasks = { .name = NULL };
    cop_started top = cop_task_supervisor_start_link(&tasks);
    CHECK(top.error == 0);
    for (long i = 0; i < n; i++) {
        cop_message *result;
        cop_task task =
            cop_task_supervisor_async_nolink(cop_to(top.pid), give_back, &i, sizeof i);
        CHECK(cop_task_await(task, COP_INFINITY, &result, NULL) == 0);
        CHECK(cop_expect(result, number)->value == i);
        cop_message_free(result);
    }
}

/* ---- timers and names ------------------------------------------------------------------- */

static void run_timer(long n)
{
    for (long i = 0; i < n; i++)
        CHECK(cop_cancel_timer(cop_send_after(cop_self(), 5000, done)) >= 0);
}

static void run_whereis(long n)
{
    CHECK(cop_register("a_name_to_find") == 0);
    for (long i = 0; i < n; i++)
        CHECK(cop_pid_equal(cop_whereis("a_name_to_find"), cop_self()));
}

static const cop_registry registry = { .name = "registry" };

static void run_lookup(long n)
{
    CHECK(cop_registry_start_link(&registry).error == 0);
    CHECK(cop_registry_register(&registry, "a_key_to_find") == 0);
    for (long i = 0; i < n; i++)
        CHECK(cop_pid_equal(cop_registry_whereis(&registry, "a_key_to_find", NULL), cop_self()));
}

static void run_register(long n)
{
    CHECK(cop_registry_start_link(&registry).error == 0);
    for (long i = 0; i < n; i++) {
        CHECK(cop_registry_register(&registry, "a_key") == 0);
        CHECK(cop_registry_unregister(&registry, "a_key") == 0);
    }
}

static const struct counted cases[] = {
    { "roundtrip", run_roundtrip, "a message there and one back, both wait in a receive" },
    { "handler", run_handler, "the same with a handler on the other side" },
    { "stream", run_stream, "a message sent and received, without waiting" },
    { "spawn", run_spawn, "a process spawned, its message, its end" },
    { "spawn_monitor", run_spawn_monitor, "a process spawned, its end, the down message" },
    { "call", run_call, "a call of a gen_server" },
    { "restart", run_restart, "the error exit of a supervised child and its restart" },
    { "start_child", run_start_child, "a child started by a dynamic supervisor" },
    { "child", run_child, "the same, and terminated by it" },
    { "task", run_task, "a task under a task supervisor, awaited" },
    { "timer", run_timer, "a timer set and cancelled" },
    { "whereis", run_whereis, "a name looked up" },
    { "lookup", run_lookup, "a registry's key looked up" },
    { "register", run_register, "a registry's key registered and taken away" },
};
enum { CASES = sizeof cases / sizeof *cases };

struct order {
    const struct counted *counted;
    long n;
};

static void first_process(void *argument)
{
    const struct order *order = argument;
    order->counted->run(order->n);
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "list") == 0) {
        for (int i = 0; i < CASES; i++)
            printf("%s\t%s\n", cases[i].name, cases[i].what);
        return 0;
    }
    cop_run_options options = { .deterministic = true };
    if (count == 4)
        options = (cop_run_options){ .schedulers = (int)strtol(arguments[3], NULL, 10) };
    for (int i = 0; (count == 3 || count == 4) && i < CASES; i++) {
        struct order order = { &cases[i], strtol(arguments[2], NULL, 10) };
        if (strcmp(cases[i].name, arguments[1]) != 0 || order.n < 1)
            continue;
        return cop_run(first_process, &order, &options) == 0 ? 0 : 1;
    }
    fprintf(stderr, "usage: instructions list\n"
                    "       instructions CASE N [SCHEDULERS]\n");
    return 2;
}
