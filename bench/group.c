/* group.c - one_for_all and rest_for_one: a crash that makes up to 1,000 children start again. */
#include "cases.h"
#include "harness.h"
#include "victim.h"

enum { CHILDREN = 1000, CRASHES = 50 };

struct group {
    enum cop_strategy strategy;
    long victim, restarts;      /* which child crashes, how many come back */
};

/* Waits until `count` different children have started.  The victim's new pid; in *ret_last the
 * latest of the starts. */
static cop_pid gather(long victim_, long count, int64_t *ret_last)
{
    bool seen[CHILDREN + 1] = { false };
    cop_pid pid = COP_NO_PID;
    int64_t last = 0;
    for (long i = 0; i < count; i++) {
        const child_started *child = cop_receive_type(child_started, 20000);
        bench_check(child != NULL && !seen[child->tag]);
        seen[child->tag] = true;
        if (child->tag == victim_)
            pid = child->pid;
        if (child->time > last)
            last = child->time;
    }
    bench_check(!cop_pid_is_none(pid));
    *ret_last = last;
    return pid;
}

static struct figures crash_group(void *context)
{
    const struct group *group = context;
    int64_t times[CRASHES], last;
    cop_child_spec *specs = victim_specs(CHILDREN);
    for (long i = 0; i < CHILDREN; i++)
        *victim_argument_of(&specs[i]) =
            (struct victim_argument){ .owner = cop_self(), .tag = i + 1 };
    const cop_supervisor supervisor = { .strategy = group->strategy,
                                        .intensity = VICTIM_INTENSITY,
                                        .children = specs, .child_count = CHILDREN };
    cop_started top = cop_supervisor_start_link(&supervisor);
    bench_check(top.error == 0);
    cop_pid pid = gather(group->victim, CHILDREN, &last);
    for (int i = 0; i < CRASHES; i++) {
        int64_t start = bench_now();
        victim_strike(pid, WAY_CRASH);
        pid = gather(group->victim, group->restarts, &last);
        times[i] = last - start;
    }
    bench_check(cop_receive_type(child_started, 20) == NULL);
    cop_child_counts counts;
    bench_check(cop_supervisor_count_children(cop_to(top.pid), &counts) == 0);
    bench_check(counts.specs == CHILDREN && counts.active == CHILDREN);
    bench_stop(top.pid);
    double median = bench_percentile(50, times, CRASHES);
    return (struct figures){ 2, {
        { "", median / 1e6, "ms", group->restarts },
        { "per_child", (double)group->restarts * 1e9 / median, "restarts/s", group->restarts } } };
}

static void run(const char *name, struct group group)
{
    bench_run(name, (struct bench_options){ .max = 5, .cold = true }, crash_group, &group);
}

void case_one_for_all(void)
{
    run("one_for_all", (struct group){ COP_ONE_FOR_ALL, 1, CHILDREN });
}

void case_rest_for_one(void)
{
    run("rest_for_one", (struct group){ COP_REST_FOR_ONE, CHILDREN / 2 + 1, CHILDREN / 2 });
}
