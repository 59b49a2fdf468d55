/* crash.c - crash_sib0: from the crash of a supervised child to its successor's init. */
#include <stdlib.h>

#include <coppice/coppice.h>

#include "cases.h"
#include "harness.h"

COP_MESSAGE(raise_now, COP_EMPTY);
COP_MESSAGE(fault_now, COP_EMPTY);
COP_MESSAGE(report_start, COP_EMPTY);
COP_MESSAGE(child_started, { cop_pid pid; int64_t time; });

static int *volatile nowhere;

/* t1 is taken as the last thing in init; the message goes out after the supervisor has been
 * acknowledged, so that a kill can't hit a start under way. */
struct victim { cop_pid owner; int64_t time; };

static cop_next init(void *state, const void *argument)
{
    struct victim *victim = state;
    victim->owner = *(const cop_pid *)argument;
    victim->time = bench_now();
    return cop_then_continue(cop_ok(), report_start);
}

static cop_next handle_continue(void *state, const cop_message *message)
{
    struct victim *victim = state;
    (void)message;
    cop_send(victim->owner, child_started, .pid = cop_self(), .time = victim->time);
    return cop_noreply();
}

static cop_next handle_info(void *state, const cop_message *message)
{
    (void)state;
    if (cop_is(message, fault_now))
        *nowhere = 1;
    cop_raise("crash");
}

static const cop_gen_server victim = {
    .label = "victim", .state_size = sizeof(struct victim),
    .init = init, .handle_continue = handle_continue, .handle_info = handle_info,
};

enum way { WAY_CRASH, WAY_KILL, WAY_SEGV };
static const char *const names[][3] = { { "crash", "crash.p50", "crash.p99" },
                                        { "kill", "kill.p50", "kill.p99" },
                                        { "segv", "segv.p50", "segv.p99" } };

static void strike(cop_pid pid, enum way way)
{
    switch (way) {
    case WAY_CRASH: cop_send(pid, raise_now); break;
    case WAY_KILL: cop_exit_process(pid, COP_KILL); break;
    case WAY_SEGV: cop_send(pid, fault_now); break;
    }
}

/* The message of the next child, which must be another process. */
static child_started await_child(cop_pid before)
{
    const child_started *message = cop_receive_type(child_started, 20000);
    bench_check(message != NULL && !cop_pid_equal(message->pid, before));
    return *message;
}

static struct figures crashes(void *context)
{
    enum way way = *(enum way *)context;
    long n = bench_scale(20000);
    int64_t *times = malloc((size_t)n * sizeof *times), total = 0;
    cop_pid self = cop_self();
    const cop_child_spec children[] = {
        COP_CHILD_SERVER(victim, .argument = &self, .argument_size = sizeof self),
    };
    const cop_supervisor supervisor = {
        .name = "crash_supervisor", .intensity = COP_MAX_RESTARTS(1000000000, 1),
        COP_CHILDREN(children),
    };
    bench_check(cop_supervisor_start_link(&supervisor).error == 0);
    child_started child = await_child(COP_NO_PID);
    for (long i = 0; i < n; i++) {
        int64_t start = bench_now();
        strike(child.pid, way);
        child = await_child(child.pid);
        total += bench_now() - start;
        times[i] = child.time - start;
    }
    cop_child_counts counts;
    bench_check(cop_supervisor_count_children(cop_to("crash_supervisor"), &counts) == 0);
    bench_check(counts.active == 1);
    bench_check(cop_supervisor_stop(cop_to("crash_supervisor"), COP_NORMAL) == 0);
    struct figures figures = { 3, {
        { names[way][0], bench_rate(n, total), "restarts/s", n },
        { names[way][1], bench_percentile(50, times, (size_t)n) / 1000, "us", n },
        { names[way][2], bench_percentile(99, times, (size_t)n) / 1000, "us", n } } };
    free(times);
    return figures;
}

void case_crash_sib0(void)
{
    cop_trap_exit(true);     /* the supervisor is linked and ends with each repetition */
    for (enum way way = WAY_CRASH; way <= WAY_SEGV; way++)
        bench_run("crash_restart.sib0", (struct bench_options){ .cold = true }, crashes, &way);
}
