/* dynamic.c - dyn_start and dyn_stop: children of dynamic supervisors, one supervisor or one for
 * each scheduler. */
#include <stdlib.h>

#include "cases.h"
#include "harness.h"
#include "victim.h"

static const cop_child_spec child = COP_CHILD_SERVER(victim);
static const cop_dynamic_supervisor children = { .intensity = VICTIM_INTENSITY,
                                                 .template_ = &child };
static const cop_child_spec part = COP_CHILD_DYNAMIC_SUPERVISOR(children);
static const cop_partition_supervisor parts = { .name = "parts", .child = &part };

struct clients {
    int count;
    bool partitioned;
    cop_pid top;
    long each;                    /* children of one client */
    cop_pid *pids;                /* of all clients' children, in order */
    _Atomic long started;
};

/* ---- what each client does ---------------------------------------------------------------- */

static void start_each(void *context, int client)
{
    struct clients *clients = context;
    struct victim_argument argument = { .counter = &clients->started };
    for (long i = client * clients->each; i < (client + 1) * clients->each; i++) {
        cop_started started = cop_dynamic_supervisor_start_from(
            clients->partitioned ? cop_partition(&parts, i) : cop_to(clients->top),
            &argument, sizeof argument);
        bench_check(started.error == 0);
        clients->pids[i] = started.pid;
    }
}

static void terminate_each(void *context, int client)
{
    struct clients *clients = context;
    for (long i = client * clients->each; i < (client + 1) * clients->each; i++)
        bench_check(cop_dynamic_supervisor_terminate_child(
            clients->partitioned ? cop_partition(&parts, i) : cop_to(clients->top),
            clients->pids[i]) == 0);
}

static size_t count_active(const struct clients *clients)
{
    cop_child_counts counts;
    size_t active = 0;
    int supervisors = clients->partitioned ? cop_schedulers() : 1;
    for (int i = 0; i < supervisors; i++) {
        cop_dest one = clients->partitioned ? cop_partition(&parts, i) : cop_to(clients->top);
        bench_check(cop_dynamic_supervisor_count_children(one, &counts) == 0);
        active += counts.active;
    }
    return active;
}

/* ---- the cases ---------------------------------------------------------------------------- */

static struct figures start_and_terminate(void *context)
{
    static const char *const names[][2] = { { "c1.start", "c1.terminate" },
                                            { "c8.start", "c8.terminate" } };
    struct clients *clients = context;
    clients->each = bench_scale(200000) / clients->count;
    long total = clients->each * clients->count;
    clients->pids = malloc((size_t)total * sizeof *clients->pids);
    clients->started = 0;
    cop_started top = clients->partitioned ? cop_partition_supervisor_start_link(&parts)
                                           : cop_dynamic_supervisor_start_link(&children);
    bench_check(top.error == 0);
    clients->top = top.pid;
    int64_t start_time = bench_parallel(clients->count, start_each, clients);
    bench_check(clients->started == total && count_active(clients) == (size_t)total);
    int64_t terminate_time = bench_parallel(clients->count, terminate_each, clients);
    bench_check(count_active(clients) == 0);
    for (long i = 0; i < total; i++)
        bench_check(!cop_is_alive(clients->pids[i]));
    bench_stop(top.pid);
    free(clients->pids);
    const char *const *name = names[clients->count == 8];
    return (struct figures){ 2, {
        { name[0], bench_rate(total, start_time), "starts/s", total },
        { name[1], bench_rate(total, terminate_time), "terminates/s", total } } };
}

static void run(const char *name, int count, bool partitioned)
{
    struct bench_options options = { .max = 5, .min = 2, .budget_ms = 4000, .cold = true };
    bench_run(name, options, start_and_terminate,
              &(struct clients){ .count = count, .partitioned = partitioned });
}

void case_dyn_start_c1(void)
{
    run("dyn_start", 1, false);
}

void case_dyn_start_c8(void)
{
    run("dyn_start", 8, false);
}

void case_dyn_start_part_c1(void)
{
    run("dyn_start_part", 1, true);
}

void case_dyn_start_part_c8(void)
{
    run("dyn_start_part", 8, true);
}

static struct figures stop_all(void *context)
{
    long n = *(long *)context;
    size_t before = cop_process_count();
    struct victim_argument argument = { .counter = NULL };
    cop_started top = cop_dynamic_supervisor_start_link(&children);
    bench_check(top.error == 0);
    for (long i = 0; i < n; i++)
        bench_check(cop_dynamic_supervisor_start_from(cop_to(top.pid), &argument,
                                                      sizeof argument).error == 0);
    int64_t start = bench_now();
    bench_stop(top.pid);
    int64_t time = bench_now() - start;
    bench_await_count(before);
    return (struct figures){ 1, { { n == bench_scale(20000) ? "" : "100k", bench_rate(n, time),
                                    "children/s", n } } };
}

void case_dyn_stop(void)
{
    struct bench_options options = { .max = 5, .cold = true };
    bench_run("dyn_stop", options, stop_all, &(long){ bench_scale(20000) });
    bench_run("dyn_stop", options, stop_all, &(long){ bench_scale(100000) });
}
