/* crash.c - from the crash of a supervised child to its successor's init: alone, among 1,000
 * siblings, among 100,000 of a dynamic supervisor. */
#include <stdlib.h>

#include "cases.h"
#include "harness.h"
#include "victim.h"

enum { SIBLINGS_OF_A_DYNAMIC = 100000 };

static const char *const names[][3] = { { "crash", "crash.p50", "crash.p99" },
                                        { "kill", "kill.p50", "kill.p99" },
                                        { "segv", "segv.p50", "segv.p99" } };

struct place {
    size_t siblings;
    bool dynamic;
    enum way way;
};

/* ---- the tree ----------------------------------------------------------------------------- */

static cop_pid start_fixed(size_t siblings)
{
    cop_child_spec *specs = victim_specs(siblings + 1);
    victim_argument_of(&specs[siblings / 2])->owner = cop_self();
    const cop_supervisor supervisor = { .intensity = VICTIM_INTENSITY, .children = specs,
                                        .child_count = siblings + 1 };
    cop_started top = cop_supervisor_start_link(&supervisor);
    bench_check(top.error == 0);
    return top.pid;
}

static void start_children(cop_pid top, size_t count, cop_pid owner)
{
    struct victim_argument argument = { .owner = owner };
    for (size_t i = 0; i < count; i++)
        bench_check(cop_dynamic_supervisor_start_from(cop_to(top), &argument,
                                                      sizeof argument).error == 0);
}

static cop_pid start_dynamic(size_t siblings)
{
    static const cop_child_spec child = COP_CHILD_SERVER(victim);
    static const cop_dynamic_supervisor supervisor = { .intensity = VICTIM_INTENSITY,
                                                       .template_ = &child };
    cop_started top = cop_dynamic_supervisor_start_link(&supervisor);
    bench_check(top.error == 0);
    start_children(top.pid, siblings / 2, COP_NO_PID);
    start_children(top.pid, 1, cop_self());
    start_children(top.pid, siblings - siblings / 2, COP_NO_PID);
    return top.pid;
}

/* ---- the crashes -------------------------------------------------------------------------- */

/* The message of the next child, which must be another process. */
static child_started await_child(cop_pid before)
{
    const child_started *message = cop_receive_type(child_started, 20000);
    bench_check(message != NULL && !cop_pid_equal(message->pid, before));
    return *message;
}

static int64_t strike_all(enum way way, int64_t *times, long n)
{
    child_started child = await_child(COP_NO_PID);
    int64_t total = 0;
    for (long i = 0; i < n; i++) {
        int64_t start = bench_now();
        victim_strike(child.pid, way);
        child = await_child(child.pid);
        total += bench_now() - start;
        times[i] = child.time - start;
    }
    return total;
}

static struct figures crashes(void *context)
{
    const struct place *place = context;
    long n = bench_scale(place->dynamic ? 2000 : 20000);
    int64_t *times = malloc((size_t)n * sizeof *times);
    size_t before = cop_process_count();
    cop_pid top = place->dynamic ? start_dynamic(place->siblings) : start_fixed(place->siblings);
    int64_t total = strike_all(place->way, times, n);
    cop_child_counts counts;
    bench_check((place->dynamic ? cop_dynamic_supervisor_count_children(cop_to(top), &counts)
                                : cop_supervisor_count_children(cop_to(top), &counts)) == 0);
    bench_check(counts.active == place->siblings + 1);
    bench_stop(top);
    bench_await_count(before);
    const char *const *name = names[place->way];
    struct figures figures = { 3, {
        { name[0], bench_rate(n, total), "restarts/s", n },
        { name[1], bench_percentile(50, times, (size_t)n) / 1000, "us", n },
        { name[2], bench_percentile(99, times, (size_t)n) / 1000, "us", n } } };
    free(times);
    return figures;
}

static void run(const char *name, size_t siblings, bool dynamic, enum way last)
{
    struct bench_options options = { .budget_ms = 4000, .cold = true };
    for (enum way way = WAY_CRASH; way <= last; way++)
        bench_run(name, options, crashes, &(struct place){ siblings, dynamic, way });
}

void case_crash_sib0(void)
{
    run("crash_restart.sib0", 0, false, WAY_SEGV);
}

void case_crash_sib1000(void)
{
    run("crash_restart.sib1000", 1000, false, WAY_SEGV);
}

void case_crash_dyn100k(void)
{
    run("crash_restart.dyn100k", (size_t)bench_scale(SIBLINGS_OF_A_DYNAMIC), true, WAY_SEGV);
}

/* Nothing has to be emptied here between the crashes, so these are the same runs. */
void case_crash_hist_sib0(void)
{
    run("crash_restart_hist.sib0", 0, false, WAY_CRASH);
}

void case_crash_hist_sib1000(void)
{
    run("crash_restart_hist.sib1000", 1000, false, WAY_CRASH);
}
