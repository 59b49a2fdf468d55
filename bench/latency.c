/* latency.c - how long calls take while nothing else runs, while every scheduler has more work than
 * it can do, and while one process never gives others a turn. */
#include <stdatomic.h>
#include <stdlib.h>

#include "cases.h"
#include "harness.h"

enum { SERVERS = 1000, CALLERS = 10, CALLS = 500, PAIRS_OF_A_SCHEDULER = 20,
       WORK_NS = 50000, SCHEDULERS_MAX = 64 };

COP_CALL(next_value, COP_EMPTY, { long value; });
COP_MESSAGE(partner, { cop_pid pid; });
COP_MESSAGE(turn, COP_EMPTY);

static atomic_bool stop;

/* ---- the load ------------------------------------------------------------------------------ */

/* Who has the token computes for a while and passes it to its partner: of each pair, one always has
 * work to do. */
static void work(void *argument)
{
    (void)argument;
    cop_pid next = cop_receive_type(partner, COP_INFINITY)->pid;
    while (!atomic_load(&stop)) {
        cop_receive_type(turn, COP_INFINITY);
        for (int64_t start = bench_now(); bench_now() - start < WORK_NS;)
            ;
        cop_send(next, turn);
    }
}

static void start_workers(void)
{
    cop_pid pids[2 * PAIRS_OF_A_SCHEDULER * SCHEDULERS_MAX];
    int count = 2 * PAIRS_OF_A_SCHEDULER * cop_schedulers();
    for (int i = 0; i < count; i++)
        pids[i] = cop_spawn(work, NULL, 0);
    for (int i = 0; i < count; i++)
        cop_send(pids[i], partner, .pid = pids[i ^ 1]);
    for (int i = 0; i < count; i += 2)
        cop_send(pids[i], turn);
}

static void compute_for_ever(void *argument)
{
    (void)argument;
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        ;
}

/* ---- the calls ----------------------------------------------------------------------------- */

static cop_next handle_call(void *state, const cop_message *request, cop_from from)
{
    long *counter = state;
    (void)from;
    cop_expect(request, next_value);
    return cop_reply(next_value, .value = ++*counter);
}

static const cop_gen_server counter = { .label = "counter", .state_size = sizeof(long),
                                        .handle_call = handle_call };

struct calls {
    cop_pid servers[SERVERS];
    long each;                  /* calls of one caller */
    int64_t *times;
};

/* A call a millisecond, to one server after the other. */
static void call_servers(void *context, int caller)
{
    struct calls *calls = context;
    next_value_reply reply;
    for (long i = 0; i < calls->each; i++) {
        cop_pid server = calls->servers[(caller * 100 + i) % SERVERS];
        cop_sleep(1);
        int64_t start = bench_now();
        bench_check(cop_call(server, &reply, next_value) == 0);
        calls->times[caller * calls->each + i] = bench_now() - start;
    }
}

/* ---- the case ------------------------------------------------------------------------------ */

struct load {
    const char *p50, *p99, *p999;
    void (*start)(void);
};

static void nothing(void)
{
}

static void start_hog(void)
{
    bench_check(!cop_pid_is_none(cop_spawn(compute_for_ever, NULL, 0)));
}

static struct figures measure(void *context)
{
    const struct load *load = context;
    struct calls *calls = cop_alloc(sizeof *calls);
    calls->each = bench_scale(CALLS);
    size_t n = (size_t)(CALLERS * calls->each), before = cop_process_count();
    calls->times = malloc(n * sizeof *calls->times);
    for (int i = 0; i < SERVERS; i++)
        calls->servers[i] = cop_gen_server_start(&counter).pid;
    atomic_store(&stop, false);
    load->start();
    bench_parallel(CALLERS, call_servers, calls);
    atomic_store(&stop, true);
    bench_await_count(before + SERVERS);
    for (int i = 0; i < SERVERS; i++)
        bench_check(cop_stop_process(cop_to(calls->servers[i]), COP_NORMAL, COP_INFINITY) == 0);
    struct figures figures = { 3, {
        { load->p50, bench_percentile(50, calls->times, n) / 1000, "us", (long)n },
        { load->p99, bench_percentile(99, calls->times, n) / 1000, "us", (long)n },
        { load->p999, bench_percentile(99.9, calls->times, n) / 1000, "us", (long)n } } };
    free(calls->times);
    return figures;
}

void case_latency(void)
{
    static struct load loads[] = {
        { "idle.p50", "idle.p99", "idle.p99.9", nothing },
        { "saturated.p50", "saturated.p99", "saturated.p99.9", start_workers },
        { "hog.p50", "hog.p99", "hog.p99.9", start_hog },
    };
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
        bench_run("latency", (struct bench_options){ .max = 3, .cold = true }, measure, &loads[i]);
}
