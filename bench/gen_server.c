/* gen_server.c - gen_call: whole calls, with monitor, reference and the default timeout. */
#include <coppice/coppice.h>

#include "cases.h"
#include "harness.h"

COP_CALL(next_value, COP_EMPTY, { long value; });
COP_MESSAGE(go, COP_EMPTY);
COP_MESSAGE(finished, COP_EMPTY);

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    long *counter = state;
    (void)from;
    cop_expect(request, next_value);
    return cop_reply(next_value, .value = ++*counter);
}

static const cop_gen_server counter = { .label = "counter", .state_size = sizeof(long),
                                        .handle_call = handle_call };

struct work {
    cop_pid server, owner;
    long calls;
};

static void call_many(const struct work *work)
{
    next_value_reply reply;
    for (long i = 0; i < work->calls; i++)
        bench_check(cop_call(work->server, &reply, next_value) == 0);
}

static void caller(void *argument)
{
    cop_receive_type(go, COP_INFINITY);
    call_many(argument);
    cop_send(((struct work *)argument)->owner, finished);
}

/* One more call answers n + 1. */
static void check_and_stop(cop_pid server, long n)
{
    next_value_reply reply;
    bench_check(cop_call(server, &reply, next_value) == 0 && reply.value == n + 1);
    bench_check(cop_stop_process(cop_to(server), COP_NORMAL, COP_INFINITY) == 0);
}

static struct figures one_caller(void *context)
{
    long n = bench_scale(300000);
    (void)context;
    struct work work = { cop_gen_server_start(&counter).pid, cop_self(), n };
    int64_t start = bench_now();
    call_many(&work);
    int64_t time = bench_now() - start;
    check_and_stop(work.server, n);
    return (struct figures){ 1, { { "c1", bench_rate(n, time), "calls/s", n } } };
}

static struct figures hundred_callers(void *context)
{
    enum { CALLERS = 100 };
    long n = bench_scale(300000);
    cop_pid callers[CALLERS];
    (void)context;
    struct work work = { cop_gen_server_start(&counter).pid, cop_self(), n / CALLERS };
    for (int i = 0; i < CALLERS; i++)
        callers[i] = cop_spawn(caller, &work, sizeof work);
    int64_t start = bench_now();
    for (int i = 0; i < CALLERS; i++)
        cop_send(callers[i], go);
    for (int i = 0; i < CALLERS; i++)
        cop_receive_type(finished, COP_INFINITY);
    int64_t time = bench_now() - start;
    check_and_stop(work.server, n);
    return (struct figures){ 1, { { "c100", bench_rate(n, time), "calls/s", n } } };
}

void case_gen_call(void)
{
    bench_run("gen_call", BENCH_DEFAULTS, one_caller, NULL);
    bench_run("gen_call", BENCH_DEFAULTS, hundred_callers, NULL);
}
