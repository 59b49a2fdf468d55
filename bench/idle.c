/* idle.c - memory of a million processes that wait: resident bytes for each. */
#include <stdlib.h>

#include <coppice/coppice.h>

#include "cases.h"
#include "harness.h"

/* Starts one process, which waits when this returns. */
typedef void starter(void);

static struct figures measure(void *context)
{
    starter *start_one = *(starter **)context;
    long n = bench_scale(1000000);
    size_t before = cop_process_count();
    double rss = bench_rss();
    int64_t start = bench_now();
    for (long i = 0; i < n; i++)
        start_one();
    int64_t time = bench_now() - start;
    double bytes = (bench_rss() - rss) / (double)n;
    bench_check(cop_process_count() - before == (size_t)n);
    return (struct figures){ 2, { { "rss", bytes, "B/process", n },
                                  { "start", bench_rate(n, time), "starts/s", n } } };
}

static void run(const char *name, starter *start_one)
{
    struct bench_options once = { .max = 1, .min = 1, .cold = true };
    bench_run(name, once, measure, &start_one);
}

/* ---- a process that has sent its parent a message and waits for another ---------------- */

COP_MESSAGE(ready, COP_EMPTY);

static void wait(void *argument)
{
    (void)argument;
    cop_send(cop_parent(), ready);
    cop_receive(COP_INFINITY);
}

static void start_plain(void)
{
    cop_spawn(wait, NULL, 0);
    bench_check(cop_receive_type(ready, COP_INFINITY) != NULL);
}

void case_idle_plain(void)
{
    run("idle_memory.plain", start_plain);
}

/* ---- the same without a stack: it has become a handler --------------------------------- */

static void on_message(void *state, cop_message *message)
{
    (void)state;
    (void)message;
}

static void serve(void *argument)
{
    (void)argument;
    cop_send(cop_parent(), ready);
    cop_become(on_message, NULL);
}

static void start_handler(void)
{
    cop_spawn(serve, NULL, 0);
    bench_check(cop_receive_type(ready, COP_INFINITY) != NULL);
}

void case_idle_handler(void)
{
    run("idle_memory.handler", start_handler);
}

/* ---- gen_servers, their state a small integer ------------------------------------------ */

static cop_next init(void *state, const void *argument)
{
    (void)argument;
    *(int *)state = 1;
    return cop_ok();
}

static const cop_gen_server idle_server = {
    .label = "idle", .state_size = sizeof(int), .init = init };

static void start_gen_server(void)
{
    cop_started started = cop_gen_server_start(&idle_server);
    bench_check(started.error == 0);
}

void case_idle_gen_server(void)
{
    run("idle_memory.gen_server", start_gen_server);
}

/* ---- the same, permanent children of one dynamic supervisor ---------------------------- */

static const cop_child_spec child = COP_CHILD_SERVER(idle_server);
static const cop_dynamic_supervisor idle_supervisor = { .name = "idle_supervisor",
                                                        .template_ = &child };

static void start_supervised(void)
{
    cop_started started =
        cop_dynamic_supervisor_start_from(cop_to("idle_supervisor"), NULL, 0);
    bench_check(started.error == 0);
}

void case_idle_supervised(void)
{
    bench_check(cop_dynamic_supervisor_start_link(&idle_supervisor).error == 0);
    run("idle_memory.supervised", start_supervised);
}
